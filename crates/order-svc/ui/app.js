// Which screen is open, and when it is drawn. Hash routes, so a link shows the same thing.

import * as dead from './dead.js';
import { changed, drawBy, foldAll, h, morph } from './dom.js';
import { t } from './i18n.js';
import { listen } from './keys.js';
import * as lab from './lab.js';
import { trust } from './labclient.js';
import * as line from './line.js';
import { pause, start, stepAside, world } from './live.js';
import * as order from './order.js';
import * as orders from './orders.js';
import { hashOf, notices, screens, top } from './top.js';

const SCREENS = { line, orders, order, dead, lab };
const byId = (id) => document.getElementById(id);
let open = null;

function route() {
	const [path, query] = location.hash.slice(1).split('?');
	const [, name, id] = path.split('/');
	if (name === 'orders' && id) return { name: 'order', values: { id: decodeURIComponent(id) } };
	return { name: name in SCREENS && name !== 'order' ? name : 'line', values: Object.fromEntries(new URLSearchParams(query)) };
}

/** `open` is what a screen's `show(values)` gives: {title, state, view, values?, drawn?, back?, leave?}. */
function draw() {
	const away = world.contact === 'away' && open.name !== 'lab';
	document.documentElement.dataset.contact = world.contact;
	document.title = `${open.title()} · ${t('title')}`;
	morph(byId('top'), top(open.name === 'order' ? 'orders' : open.name));
	morph(byId('notices'), notices());
	const title = h('h1', { tabindex: -1 }, open.title());
	morph(byId('main'), h('main', { id: 'main', 'data-screen': open.name, 'data-state': away ? 'away' : open.state() }, h('div', { key: open.key }, title, open.view())));
	open.drawn?.();
}

function show(focus) {
	const { name, values } = route();
	if (values.token) {
		// A token in the address would be in the history, and in pictures of the screen.
		trust(values.token);
		history.replaceState(null, '', '#/lab');
	}
	if (open?.name === name && open.values) {
		open.values(values);
		changed();
		return;
	}
	open?.leave?.();
	stepAside(false);
	foldAll();
	open = { name, key: Symbol(name), ...SCREENS[name].show(values) };
	draw();
	if (focus) {
		scrollTo(0, 0);
		document.querySelector('h1').focus({ preventScroll: true });
	}
}

drawBy(draw);
show(false);
addEventListener('hashchange', () => show(true));
listen({
	screen(place) {
		const name = screens()[place];
		if (name) location.hash = hashOf(name);
	},
	search() {
		if (open.name !== 'orders') location.hash = '#/orders';
		setTimeout(() => byId('q')?.focus());
	},
	back: () => open.back?.(),
	pause,
});
start();
setInterval(changed, 1_000);
