// One purchase: the line, folded into ten cells; why it waits; what was said.

import { call, get, path, poll } from './api.js';
import { button, changed, h, onSight, say } from './dom.js';
import { events } from './events.js';
import { clock, language, number, span, t } from './i18n.js';
import { stepAside, world } from './live.js';
import { aged, code, curl, line, mark, shape, tone, wrong } from './look.js';
import { lastHash } from './orders.js';

const LOOK_MS = 2_000;
const GATHER_MS = 150;

export function show({ id }) {
	let timer = 0;
	let seen = null;
	let told = null;
	let names = {};
	let left = false;
	let over = false;
	let problem = null;
	const polling = poll(look, LOOK_MS);
	const soon = () => {
		clearTimeout(timer);
		timer = setTimeout(polling.now, GATHER_MS);
	};
	const stream = follower(id, soon);
	const off = onSight(() => stream(seen && !over));
	get(path('/orders', { q: id, names: true })).then(({ orders: [one] }) => {
		names = one ?? names;
		changed();
	}, () => {});
	async function look() {
		// The buyer was told, and nothing is to come: nobody has to look any more.
		if (over && told?.language === language()) return;
		try {
			[seen, told] = await Promise.all([get(`/orders/${id}/timeline`), get(`/orders/${id}/explain`, { headers: { 'Accept-Language': language() } })]);
			problem = null;
		} catch (error) {
			problem = error;
		}
		over = problem?.status === 404 || (seen?.expected.length === 0 && seen.cells.some(({ state }) => state === 'notified'));
		if (!left) stream(Boolean(seen) && !over);
		changed();
	}
	return {
		title: () => `${t('column.order')} ${id}`,
		state: () => (seen ? 'ready' : problem ? 'empty' : 'loading'),
		view: () => [wrong(problem), seen && view(seen, told, names, soon)],
		// The language was switched.
		drawn: () => told && told.language !== language() && polling.now(),
		back: () => (location.hash = lastHash()),
		leave() {
			clearTimeout(timer);
			left = true;
			off();
			polling.stop();
			stream(false);
		},
	};
}

function view(seen, told, { username, itemName }, soon) {
	const { order, stuck, conformance } = seen;
	const { id, status, reasonCode, userId, itemId, quantity, totalAmount, createdAt, deadline } = order;
	const url = `${location.origin}/orders/${id}`;
	const about = (one, text) => h('a', { href: `#/orders?q=${one}` }, text);
	const pending = status === 'PENDING';
	const cancel = () => call('POST', `/orders/${id}/cancel`).then((now) => say(now.status), (problem) => say(problem.message)).then(soon);
	return [
		h('div.facts', h('span', { 'data-status': status }, mark(status)), code(reasonCode),
			h('span', about(userId, username ?? t('column.buyer')), ' · ', about(itemId, itemName ?? t('column.item')), ` × ${number(quantity)}`),
			h('span', h('span.dim', t('column.total')), ` ${number(totalAmount)}`),
			h('span.dim', `${t('column.begun')} ${clock(createdAt)}`), /ING$/.test(status) && h('span.dim', `${t('order.deadline')} ${clock(deadline)}`)),
		h('p', { id: 'explain', lang: told.language }, told.text),
		fold(seen),
		stuck.map(causeOf),
		pending && h('div.row', { key: 'cancel' }, button(t('order.cancel'), cancel, { id: 'cancel' })),
		!conformance.ok && h('section.problem', h('h2', t('order.problems')), conformance.problems.map(({ code, service, detail }) => h('p', `${code} ${service} ${detail}`))),
		events(seen.events, id),
		line(curl('GET', `${url}/timeline`)), pending && line(curl('POST', `${url}/cancel`)),
	];
}

/** The purchase's own stream, in place of the system's: one stream a tab, none while hidden or once it is over. */
function follower(id, heard) {
	let source = null;
	return (wanted) => {
		stepAside(wanted);
		const open = wanted && !document.hidden;
		if (!open) source?.close();
		// Answered 204 (over) or 503 (no place) it closes itself; the poll goes on.
		source = open ? (source ?? new EventSource(`/orders/${id}/events`)) : null;
		for (const { type } of world.contract?.events ?? []) source?.addEventListener(type, heard);
	};
}

function fold({ cells, stuck }) {
	const late = new Map(stuck.map((one) => [one.service, one]));
	const cell = ({ service, way, state, since }) => {
		const why = /next|unknown|asking/.test(state) && late.get(service);
		if (why) late.delete(service);
		return h(`li.${tone(state)}`, { 'data-cell': `${service}/${way}`, 'data-state': state }, h('small.mono', service), mark(state, t(`cell.${state}`)),
			why ? h('b.problem', t(`cause.short.${why.cause}`), ' ', aged(why.since)) : since && h('small', clock(since, true)));
	};
	const lane = (way) => [h(`h2.${way}`, t(`way.${way}`)), h('ol', { 'aria-label': t(`way.${way}`) }, cells.filter((one) => one.way === way).map(cell))];
	return h('div.fold', lane('there'), lane('back'));
}

function causeOf({ cause, service, since, behind, nextRepeatAt }) {
	const ms = new Date(nextRepeatAt) - Date.now();
	return h('div.notice.warn', { key: cause + service, 'data-cause': cause }, shape('stuck'), h('p',
		h('b', t(`cause.${cause}`, { service })), ' ', t('cause.since', { time: clock(since) }), ' ', aged(since), behind && ` · ${t('cause.behind', { n: number(behind) })}`, h('br'),
		t(`cause.${cause}.helps`), ' ', nextRepeatAt && (ms > 0 ? t('cause.repeat', { span: span(ms + 999) }) : t('cause.repeatNow')), ' ',
		cause === 'DEAD_LETTER' && h('a', { href: `#/dead?service=${service}` }, t('nav.dead'))));
}
