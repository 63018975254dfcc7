// Eight guided tries. "Do it" presses for you.

import { fault, gateway, traffic } from './commands.js';
import { button, changed, h, say, unfold } from './dom.js';
import { span, t } from './i18n.js';
import { lab } from './labclient.js';
import { ALL } from './line.js';

const OPEN_MS = 15_000;
const TRIES = {
	flush: [traffic(50), fault('pause', 'item-svc', 6), { open: 50 }, fault('flushall')],
	kill: [traffic(10), { open: 1 }, fault('kill', 'inventory-svc', 10)],
	gateway: [traffic(10), gateway({ outage: 'timeoutAfterCharge' }), { wait: 8_000 }, gateway({ outage: 'none' })],
	cut: [traffic(10), fault('cut', 'order-svc', 10)],
	redis: [traffic(10), fault('kill', 'redis', 8)],
	twice: [traffic(10), { wait: 2_000 }, fault('duplicate'), fault('shuffle')],
	rewind: [traffic(10), { wait: 2_000 }, fault('rewind')],
	all: [traffic(10), { open: 1 }, ...[...ALL, 'redis'].map((name) => fault('kill', name, 6))],
};

export function tries(act) {
	let running = null;
	async function run(name) {
		const mine = { name, doing: '' };
		running = mine;
		const tells = (text) => {
			mine.doing = text;
			changed();
		};
		for (const step of TRIES[name]) {
			tells(`${pressed(step)} …`);
			const done = step.kind ? await act(step) : await until(step, () => running !== mine);
			if (!done || running !== mine) {
				tells('');
				return;
			}
		}
		tells(t(`try.${name}.watch`));
		say(mine.doing);
	}
	const row = (part, text) => [h('dt', t(`try.${part}`)), h('dd', text)];
	const card = ([name, steps]) => h('li', unfold(`try ${name}`, t(`try.${name}`), () => [
		h('dl.pairs', row('press', steps.map(pressed).join(' · ')), row('watch', t(`try.${name}.watch`)), row('why', t(`try.${name}.why`))),
		button(t('try.do'), () => run(name), { 'data-try': name, disabled: lab.contact !== 'live' }), h('p.dim', running?.name === name && running.doing)]));
	return { view: () => h('section', h('h2', t('try.title')), h('ol', { id: 'tries' }, Object.entries(TRIES).map(card))), leave: () => (running = null) };
}

function pressed({ kind, target, body, open, wait }) {
	if (open) return t('try.waitOpen', { n: open });
	if (wait) return span(wait);
	if (kind === 'traffic') return `${t('lab.traffic')} ${t('perSecond', { n: body.perSecond })}`;
	if (kind === 'gateway') return `${t('lab.outage')} ${body.outage}`;
	return target ? `${kind} ${target} ${span(body.seconds * 1_000)}` : kind;
}

function until({ open, wait = OPEN_MS }, stopped) {
	const deadline = Date.now() + wait;
	return new Promise((done) => {
		const look = setInterval(() => {
			if (!stopped() && Date.now() < deadline && !(lab.state?.witness.open >= open)) return;
			clearInterval(look);
			done(!stopped());
		}, 200);
	});
}
