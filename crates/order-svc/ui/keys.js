// The keyboard. Nothing here is needed: Tab reaches everything. Who is disturbed turns the keys off.

import { tell } from './dialog.js';
import { h } from './dom.js';
import { t } from './i18n.js';

const KEYS = ['1-4', '/', 'j k', 'Enter', 'Esc', 'Space', '?'];
const off = () => localStorage.getItem('keys') === 'off';

export function help() {
	const list = h('dl.pairs', KEYS.map((key) => [h('dt', h('kbd', key)), h('dd', t(`keys.${key}`))]));
	const box = h('input', { type: 'checkbox', id: 'keys-on', checked: !off(), onchange: ({ target }) => localStorage.setItem('keys', target.checked ? 'on' : 'off') });
	return tell(t('keys.title'), [list, h('p', h('label.tick', box, t('keys.on')))]);
}

function move(step) {
	const stops = [...document.querySelectorAll('main [data-move]')];
	const here = stops.indexOf(document.activeElement);
	stops[here < 0 ? 0 : Math.min(stops.length - 1, Math.max(0, here + step))]?.focus();
}

const WRITES = 'input:not([type=checkbox]),textarea,select';

export function listen({ screen, search, back, pause }) {
	const acts = { '/': search, j: () => move(1), k: () => move(-1), Escape: back, '?': help, ' ': pause };
	for (const place of [1, 2, 3, 4]) acts[place] = () => screen(place - 1);
	document.addEventListener('keydown', (event) => {
		const { key, target } = event;
		if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
		if (!acts[key] || document.querySelector('dialog[open]')) return;
		if (target.matches(WRITES)) {
			if (key === 'Escape') target.blur();
			return;
		}
		// On a button the space bar is the button's. Esc is no letter, so it stays when keys are off.
		if ((off() && key !== 'Escape') || (key === ' ' && target.matches('button,summary,input'))) return;
		event.preventDefault();
		acts[key]();
	});
}
