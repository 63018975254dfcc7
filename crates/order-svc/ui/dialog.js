// Questions: a dialog with a reason, and the list of keys.

import { button, h, make } from './dom.js';
import { t } from './i18n.js';

function open(title, content, buttons) {
	const opener = document.activeElement;
	const dialog = make(h('dialog', { 'aria-labelledby': 'title' }, h('h2', { id: 'title' }, title), content, h('div.row', buttons)));
	document.body.append(dialog);
	dialog.showModal();
	return new Promise((answer) => {
		dialog.onclose = () => {
			dialog.remove();
			opener?.focus();
			answer(dialog.returnValue);
		};
	});
}

const closer = (text, more) => button(text, ({ target }) => target.closest('dialog').close(''), more);

/** Asks for a reason; '': the person thought better of it. */
export function askReason(title, text) {
	const agree = ({ target }) => {
		const dialog = target.closest('dialog');
		const input = dialog.querySelector('input');
		const reason = input.value.trim();
		if (reason) dialog.close(reason);
		else {
			dialog.querySelector('.problem').textContent = t('dialog.missing');
			input.focus();
		}
	};
	const onkeydown = (event) => {
		if (event.key !== 'Enter' || event.isComposing) return;
		// Else it would go on to the button that opened this.
		event.preventDefault();
		agree(event);
	};
	const input = h('input', { id: 'reason', maxlength: 500, autocomplete: 'off', 'aria-describedby': 'problem', onkeydown });
	const content = [h('p', text), h('label', { for: 'reason' }, t('dialog.reason')), input, h('p.problem', { id: 'problem' })];
	return open(title, content, [button(title, agree, { class: 'main' }), closer(t('dialog.cancel'))]);
}

export const tell = (title, content) => open(title, content, closer(t('dialog.close'), { class: 'main' }));
