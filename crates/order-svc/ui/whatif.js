// What if a safeguard were missing? The lab checks the shipped functions.

import { changed, h } from './dom.js';
import { has, number, t } from './i18n.js';
import { lab } from './labclient.js';
import { mark, mono, scroll, wrong } from './look.js';

export function whatIf() {
	const chosen = new Set();
	const answers = new Map();
	let shortcuts = null;
	let asking = false;
	const without = () => [...chosen].sort().join();

	async function ask() {
		const mine = without();
		if (answers.has(mine)) return;
		const answer = await lab.call('GET', `/model${mine && `?without=${mine}`}`).catch((problem) => ({ problem }));
		answers.set(mine, answer);
		changed();
	}
	async function load() {
		asking = true;
		shortcuts = await lab.call('GET', '/model/shortcuts').then((answer) => answer.shortcuts, () => null);
		if (shortcuts) await ask();
		asking = false;
	}
	function box({ name, about }) {
		const own = has(`shortcut.${name}`);
		const onchange = ({ target }) => {
			chosen[target.checked ? 'add' : 'delete'](name);
			if (answers.get(without())?.problem) answers.delete(without());
			ask();
			changed();
		};
		return h('label.tick', h('input', { type: 'checkbox', 'data-without': name, checked: chosen.has(name), onchange }),
			h('span', h('b.mono', name), ' ', h('small', { lang: own ? null : 'en' }, own ? t(`shortcut.${name}`) : about)));
	}
	return () => {
		if (lab.contact === 'live' && !shortcuts && !asking) load();
		const { verdict, steps = [], problem, ...answer } = answers.get(without()) ?? {};
		return h('section', h('h2', t('whatif.title')), h('p.dim', t('whatif.text')),
			shortcuts ? h('div.grid', shortcuts.map(box)) : h('p.dim', t('lab.start')),
			h('div', { id: 'verdict', 'aria-live': 'polite', 'aria-busy': Boolean(shortcuts) && !verdict, 'data-verdict': verdict, 'data-steps': verdict && steps.length }, wrong(problem), verdict && told(verdict, steps, answer)));
	};
}

const told = (verdict, steps, { states, because }) => [
	h('p.sum', mark(verdict, verdict.toUpperCase()), steps.length > 0 && ` ${t('whatif.steps', { n: number(steps.length) })}`, ` ${t('whatif.states', { n: number(states) })} `, h('span', { lang: 'en' }, because)),
	steps.length > 0 && scroll(t('whatif.title'), h('ol', { lang: 'en' }, steps.map(stepOf)))];

const stepOf = ({ by, input, from, to, output = [], fate }, place) => h('li', h('small', `${place + 1} `), h('b.mono', by), ' ', mono(input), fate && h('b.problem', ` ${fate}`),
	from && to && mono(` ${from} → ${to}`), output.length > 0 && h('small.mono', ` says ${output.join(', ')}`));
