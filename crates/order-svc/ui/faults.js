// Traffic, purchases, and a button for each fault.

import { buying, told } from './buy.js';
import { fault, gateway, heal, traffic } from './commands.js';
import { button, changed, h } from './dom.js';
import { number, span, t } from './i18n.js';
import { lab } from './labclient.js';
import { ALL } from './line.js';
import { mark, scroll } from './look.js';

const KINDS = ['kill', 'stop', 'pause', 'cut'];
const AT_ONCE = ['flushall', 'duplicate', 'shuffle', 'rewind'];
const OUTAGES = ['none', 'refuse', 'timeout', 'timeoutAfterCharge'];

const field = (text, ...inner) => h('fieldset.row', h('legend', text), inner);
const choose = (id, value, options, onchange, more) => h('select', { id, value: String(value), onchange: ({ target }) => onchange(target.value), ...more }, options.map(([value, text]) => h('option', { value }, text)));

export function bench(act, showing) {
	let seconds = 10;
	const acts = (text, what, more) => {
		const shows = () => showing(what);
		return button(text, () => act(what), { onfocus: shows, onpointerenter: shows, ...more });
	};
	const sets = (value) => {
		seconds = Number(value);
		changed();
	};
	return () => {
		const state = lab.contact === 'live' ? lab.state : null;
		const items = state?.items ?? [{ id: '', name: t('start.buy') }];
		return h('section.bench',
			field(t('lab.traffic'), [0, 1, 10, 50].map((rate) => acts(t('perSecond', { n: rate }), traffic(rate), { 'data-traffic': rate, 'aria-pressed': state?.traffic.perSecond === rate }))),
			field(t('lab.buy'), items.map(({ id, name }) => button(name, buying(id), { 'data-buy': id, key: id || 'one' })), told()),
			acts(t('lab.heal'), heal(), { id: 'heal', class: 'main' }),
			scroll(t('lab.faults'), h('table', { id: 'faults' }, h('caption.unseen', t('lab.faults')),
				h('thead', h('tr', [t('lab.process'), t('column.status'), ...KINDS].map((text) => h('th', { scope: 'col' }, text)))),
				h('tbody', [...ALL, 'redis'].map((name) => row(name, state, acts, seconds))))),
			h('div.side',
				h('label', t('lab.seconds'), ' ', choose('seconds', seconds, [5, 10, 30, 0].map((value) => [value, value ? span(value * 1_000) : t('lab.byHand')]), sets)),
				field(t('lab.bus'), AT_ONCE.map((kind) => acts(kind === 'flushall' ? 'FLUSHALL' : kind, fault(kind), { 'data-fault': kind }))),
				bank(state, act)));
	};
}

/** A fault that is on is healed by the same button. */
function row(name, state, acts, seconds) {
	const { pid, state: process = 'unknown' } = state?.processes.find((one) => one.name === name) ?? {};
	const cut = state?.links.some((link) => link.service === name && link.state === 'cut');
	const cell = (kind) => {
		const on = state?.faults.find((one) => one.kind === kind && one.target === name);
		const text = on ? `${t('lab.restart')} ${on.until ? span(new Date(on.until) - Date.now() + 999) : ''}` : kind;
		return acts(text, on ? heal(on.id) : fault(kind, name, seconds), { 'data-fault': `${kind}/${name}`, class: 'small', 'aria-pressed': Boolean(on), 'aria-label': `${on ? `${text}: ` : ''}${kind} ${name}` });
	};
	return h('tr', { 'data-process': name }, h('th.mono', { scope: 'row' }, name),
		h('td', mark(process), ' ', cut && mark('cut'), pid && h('small.mono', ` ${pid}`)),
		KINDS.map((kind) => h('td', (kind !== 'cut' || name !== 'redis') && cell(kind))));
}

function bank(state, act) {
	const { approvalRate, outage } = state?.gateway ?? { approvalRate: 0.9, outage: 'none' };
	const away = { disabled: state && !state.gateway };
	const rates = new Set([approvalRate, 1, 0.9, 0.5, 0]);
	return field(t('lab.gateway'),
		h('label', t('lab.approve'), ' ', choose('approve', approvalRate, [...rates].map((rate) => [rate, `${number(rate * 100)} %`]), (value) => act(gateway({ approvalRate: Number(value) })), away)),
		h('label', t('lab.outage'), ' ', choose('outage', outage, OUTAGES.map((one) => [one, one]), (value) => act(gateway({ outage: value })), away)));
}
