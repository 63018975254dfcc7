// The Line: six services, the way there and the way back, and exact counts.

import { starter } from './buy.js';
import { changed, h } from './dom.js';
import { dots } from './dots.js';
import { clock, number, perSecond, span, t } from './i18n.js';
import { known, on, service, world } from './live.js';
import { aged, code, curl, line, mark, mono, orderLink, origin } from './look.js';

export const ALL = ['order-svc', 'user-svc', 'inventory-svc', 'item-svc', 'payment-svc', 'notify-svc'];
// Over two seconds of ticks: a number that can be read.
const TICKS = 4;
const WAYS = { begin: 'there', reserve: 'there', pivot: 'back', confirm: 'back', compensate: 'back', refuse: 'back' };
const ROWS = 12;
const ROWS_A_TICK = 4;

function health({ name, up, ready }) {
	if (world.contact === 'away') return name === 'order-svc' ? 'down' : 'unknown';
	return up === undefined ? 'unknown' : up ? (ready ? 'ok' : 'notReady') : 'down';
}

export function show() {
	const rates = rating();
	const moving = dots();
	let opened = null;
	let moved = false;
	let steps = [];
	let waiting = [];
	let counted = 0;
	const offs = [
		on('tick', (system) => {
			if (world.paused) return;
			rates.count(system);
			steps = [...waiting.splice(0, ROWS_A_TICK).reverse(), ...steps].slice(0, ROWS);
			moved ||= system.open > 0 || counted > 0 || rates.moves();
		}),
		on('step', (step) => {
			if (world.paused) return;
			moving.step(step);
			// One purchase after the other: a story, where a sample of all would be noise.
			if (waiting.length && waiting.at(-1).orderId !== step.orderId) return;
			counted += 1;
			waiting = [...waiting, { ...step, key: String(counted) }].slice(-ROWS);
		}),
	];
	const toggle = (name) => {
		opened = opened === name ? null : name;
		changed();
	};
	return {
		title: () => t('line.title'),
		state: () => (world.system ? (moved ? 'ready' : 'empty') : 'loading'),
		view: () => [
			h('p.lead', t('line.lead')),
			h('div.map', lane('there', rates), h('div.rail', { 'aria-hidden': true }),
				h('ul', { 'aria-label': t('line.title') }, ALL.map((name) => station(service(name), opened === name, toggle, rates))),
				lane('back', rates), facts(world.system), h('div.dots', { key: 'dots', island: true, 'aria-hidden': true })),
			opened && box(service(opened)),
			world.system && !moved && starter(t('orders.empty')),
			h('section', h('h2', t('line.latest')), h('ol', { id: 'steps' }, steps.map(step))),
		],
		drawn: () => moving.draw(world.paused),
		back() {
			document.querySelector(`[data-service="${opened}"]`)?.focus();
			toggle(opened);
		},
		leave: () => offs.forEach((leave) => leave()),
	};
}

const lane = (way, rates) => h(`p.lane.${way}`, h('span.dim', t(`way.${way}`)), ' ', h('b', perSecond(rates.way(way))));

function station(seen, isOpen, toggle, rates) {
	const { name, since, lag, unpublished } = seen;
	const how = health(seen);
	const waits = lag ?? unpublished;
	const hop = (way) => rates.from(name, way) > 0 && h(`span.hop.${way}`, { 'aria-hidden': true, key: way }, perSecond(rates.from(name, way)));
	return h(`li.${name}`,
		h('button', { type: 'button', 'data-service': name, 'data-health': how, 'data-move': true, 'aria-expanded': isOpen, 'aria-controls': isOpen ? 'box' : null, onclick: () => toggle(name) },
			h('b', name), h('span', mark(how, t(`health.${how}`)), ' ', how !== 'ok' && since && aged(world.contact === 'away' ? world.seenAt : since)), waits > 0 && h('small', t('line.waiting', { n: number(waits) }))),
		hop('there'), hop('back'));
}

function facts(system) {
	const fact = (id, name, value, more) => h('div', h('dt', name), h('dd', h('span', { id }, value), ' ', more && h('small', more)));
	const { open, oldestOpenMs, repeats, redis, unpublished } = system ?? {};
	return system && h('dl.facts',
		fact('open', t('fact.open'), number(open), open > 0 && oldestOpenMs >= 0 && t('fact.oldest', { age: span(oldestOpenMs) })),
		fact('repeats', t('fact.repeats'), number(repeats)),
		fact('redis', 'Redis', mark(redis.up ? 'ok' : 'down', t(redis.up ? 'health.ok' : 'health.down')), unpublished > 0 && t('fact.unpublished', { n: number(unpublished) })));
}

function box({ name, error, since, lag, lagMs, unpublished, outboxAgeMs, deadLetters }) {
	const count = (value) => (value === undefined ? t('health.unknown') : number(value));
	const both = (n, ms) => count(n) + (ms >= 0 ? ` · ${ms > 999 ? span(ms) : `${number(ms)} ms`}` : '');
	const row = (key, value) => [h('dt', t(`box.${key}`)), h('dd', value)];
	const { file, port } = known(name);
	return h('section.card', { id: 'box', key: name, 'aria-label': name }, h('h2', name), error && h('p.problem', error),
		h('dl.pairs', row('since', since ? clock(since) : '–'), row('lag', both(lag, lagMs)), row('outbox', both(unpublished, outboxAgeMs)),
			h('dt', t('nav.dead')), h('dd', h('a', { href: `#/dead?service=${name}` }, count(deadLetters))), row('code', h('code', file ?? '–'))),
		port && line(curl('GET', `${origin(port)}/status`)));
}

const step = ({ key, orderId, n, type, service, time, effect, reasonCode }) =>
	h('li', { key, 'data-order': orderId, 'data-n': n }, mono(clock(time, true)), orderLink(orderId), mono(service), h('b.mono', type),
		h('span', mark(effect, t(`effect.${effect}`)), ' ', code(reasonCode)));

/** Exact counts, by event and by way, as the contract's phases tell. */
function rating() {
	const ticks = [];
	const rate = (types) => {
		const ms = ticks.reduce((sum, { perMs }) => sum + perMs, 0);
		const count = ticks.reduce((sum, { perEvent }) => types.reduce((all, { type }) => all + (perEvent[type] ?? 0), sum), 0);
		return ms && (count * 1_000) / ms;
	};
	const on = (way) => (world.contract?.events ?? []).filter(({ phase }) => WAYS[phase] === way);
	return {
		count({ perEvent, perMs }) {
			if (perEvent) ticks.push({ perEvent, perMs });
			if (ticks.length > TICKS) ticks.shift();
		},
		way: (way) => rate(on(way)),
		from: (service, way) => rate(on(way).filter(({ publisher }) => publisher === service)),
		moves: () => ticks.some(({ perEvent }) => Object.keys(perEvent).length),
	};
}
