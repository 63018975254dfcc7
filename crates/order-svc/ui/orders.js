// Purchases: search, filters, and the list, asked for while somebody looks.

import { get, path, poll } from './api.js';
import { starter } from './buy.js';
import { changed, h } from './dom.js';
import { clock, number, short, t } from './i18n.js';
import { aged, code, curl, line, mark, orderLink, table, wrong } from './look.js';

const LOOK_MS = 2_000;
const PAGE = 20;
// A page may be short and still have a next one: so many are read until there is something to show.
const PAGES = 5;
const FILTERS = { all: [{}], open: [{ status: 'PENDING' }, { status: 'CANCELLING' }], stuck: [{ stuck: true }], completed: [{ status: 'COMPLETED' }], cancelled: [{ status: 'CANCELLED' }] };
const COLUMNS = ['status', 'order', 'buyer', 'item', 'total', 'begun', 'why'];

let hash = '#/orders';
export const lastHash = () => hash;

export function show(start) {
	let asked = start;
	let typed = 0;
	let rows = null;
	let more = false;
	let problem = null;
	const polling = poll(async () => {
		const mine = asked;
		const answers = await Promise.all(queries(mine).map(pages)).catch((error) => (problem = error, null));
		if (mine !== asked || !answers) return;
		problem = null;
		rows = answers.flatMap(({ rows }) => rows).sort((one, other) => (one.id < other.id ? 1 : -1));
		more = rows.length > PAGE || answers.some(({ cursor }) => cursor);
		rows.length = Math.min(rows.length, PAGE);
		changed();
	}, LOOK_MS);
	function values(fresh) {
		clearTimeout(typed);
		asked = fresh;
		hash = path('#/orders', asked);
		polling.now();
	}
	values(start);
	const oninput = ({ target }) => {
		// Known at once: a filter pressed meanwhile keeps it.
		asked = { ...asked, q: target.value.trim(), cursor: '' };
		clearTimeout(typed);
		typed = setTimeout(() => {
			values(asked);
			history.replaceState(null, '', hash);
		}, 200);
		changed();
	};
	return {
		title: () => t('nav.orders'),
		state: () => (rows ? (rows.length ? 'ready' : 'empty') : 'loading'),
		view: () => [
			h('div.row', h('label', { for: 'q' }, t('orders.search')),
				h('input', { id: 'q', type: 'search', autocomplete: 'off', placeholder: t('orders.hint'), value: asked.q ?? '', oninput }),
				h('nav.row', { 'aria-label': t('column.status') }, Object.keys(FILTERS).map((filter) => tab(filter, asked)))),
			wrong(problem),
			table('orders', t('nav.orders'), COLUMNS.map((name) => [name, t(`column.${name}`)]), (rows ?? []).map(row)),
			pager(asked, more && rows.at(-1).id),
			rows?.length === 0 && (asked.q || asked.filter || asked.cursor ? h('p.dim', t('orders.none')) : starter(t('orders.empty'))),
			line(curl('GET', path(`${location.origin}/orders`, queries(asked)[0]))),
		],
		values,
		leave() {
			clearTimeout(typed);
			polling.stop();
		},
	};
}

function tab(filter, asked) {
	const href = path('#/orders', { ...asked, cursor: '', filter: filter === 'all' ? '' : filter });
	return h('a', { href, 'data-filter': filter, 'aria-current': filter === (asked.filter || 'all') ? 'true' : null }, t(`filter.${filter}`));
}

/** A page begins after a purchase, so that a link shows the same for ever. */
function pager(asked, last) {
	const to = (cursor, text) => h('a', { href: path('#/orders', { ...asked, cursor }), 'data-page': text }, t(`orders.${text}`));
	return (asked.cursor || last) && h('nav.row', { 'aria-label': t('nav.orders') }, asked.cursor && to('', 'newest'), last && to(last, 'older'));
}

const queries = ({ filter, ...others }) => (FILTERS[filter] ?? FILTERS.all).map((part) => ({ ...others, ...part, names: true, limit: PAGE }));

async function pages(query) {
	const rows = [];
	let { cursor } = query;
	for (let page = 0; page < PAGES && rows.length < PAGE && (cursor || !page); page += 1) {
		const answer = await get(path('/orders', { ...query, cursor }));
		rows.push(...answer.orders);
		cursor = answer.nextCursor;
	}
	return { rows, cursor };
}

function row({ id, status, createdAt, stuck = [], username, userId, itemName, itemId, quantity, totalAmount, reasonCode }) {
	const why = stuck.map(({ cause, service }) => h('b.problem', { 'data-cause': cause }, t(`cause.${cause}`, { service })));
	return { key: id, 'data-order': id, 'data-status': status, cells: [
		mark(status), orderLink(id, { 'data-move': true }), username ?? h('span.mono', short(userId)),
		[itemName ?? h('span.mono', short(itemId)), ` × ${number(quantity)}`], number(totalAmount),
		[clock(createdAt), ' ', /ING$/.test(status) && aged(createdAt)], why.length ? why : code(reasonCode)] };
}
