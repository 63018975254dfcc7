// Draws. A view, made anew and of no elements, is laid over those that are there: they stay, and with them focus and what is unfolded.
// No markup is ever parsed, so nothing that a purchase carries can become markup.

const LISTENERS = ['onclick', 'onchange', 'oninput', 'ontoggle', 'onfocus', 'onpointerenter', 'onkeydown'];
const PROPERTY = /^on|^(key|island|value|checked)$/;

/** h('a.mono', {href: '#/'}, 'Line'). A `key` tells siblings apart; an `island` looks after its own children. */
export function h(name, ...children) {
	const [tag, ...classes] = name.split('.');
	const given = children[0]?.constructor === Object && !children[0].tag ? children.shift() : {};
	if (classes.length) given.class ??= classes.join(' ');
	return { tag, key: given.key, given, children: children.flat(Infinity).filter((child) => child || child === 0) };
}

export const button = (text, onclick, more) => h('button', { type: 'button', onclick, ...more }, text);
export const textOf = (view) => view.children?.map(textOf).join('') ?? view;

export function make(view) {
	const node = view.tag ? document.createElement(view.tag) : new Text();
	morph(node, view);
	return node;
}

const written = (name, value) => (typeof value !== 'boolean' ? value?.toString() : name.startsWith('aria') ? `${value}` : value ? '' : undefined);

export function morph(old, view) {
	if (!view.tag) {
		if (old.data !== String(view)) old.data = view;
		return;
	}
	const { given, children } = view;
	// Whether details are open is the person's.
	for (const name of old.getAttributeNames()) if (!(name in given) && name !== 'open') old.removeAttribute(name);
	for (const name in given) {
		if (PROPERTY.test(name)) continue;
		const text = written(name, given[name]);
		if (text === undefined) old.removeAttribute(name);
		else if (old.getAttribute(name) !== text) old.setAttribute(name, text);
	}
	for (const name of LISTENERS) old[name] = given[name];
	if (!old.island) morphChildren(old, children);
	const { key, island, value, checked } = given;
	Object.assign(old, { key, island });
	// Who is typing or choosing is not disturbed.
	if (value !== undefined && old !== document.activeElement && old.value !== value) old.value = value;
	if (old.type === 'checkbox') old.checked = checked;
}

function morphChildren(old, views) {
	const kept = new Set(views.map(({ key }) => key));
	for (const child of [...old.children]) if (child.key && !kept.has(child.key)) child.remove();
	const keyed = new Map([...old.children].map((child) => [child.key, child]));
	let at = old.firstChild;
	for (const view of views) {
		const same = view.key ? keyed.get(view.key) : at && !at.key && at.localName === view.tag && at;
		if (same) morph(same, view);
		if (same && same === at) at = at.nextSibling;
		else old.insertBefore(same || make(view), at);
	}
	while (old.childNodes.length > views.length) old.lastChild.remove();
}

export function onSight(act) {
	document.addEventListener('visibilitychange', act);
	return () => document.removeEventListener('visibilitychange', act);
}

let draw = () => {};
let asked = 0;
/** Whoever knows something new says so; it is drawn with the next frame. */
export function changed() {
	asked ||= requestAnimationFrame(() => {
		asked = 0;
		draw();
	});
}
export const drawBy = (how) => (draw = how);

// More often is noise to those who only hear the page; for longer it hides what lies under it.
const EVERY_MS = 5_000;
const STAYS_MS = 8_000;
let sayer = 0;
let saidAt = 0;
export function say(text) {
	clearTimeout(sayer);
	sayer = setTimeout(() => {
		document.getElementById('status').textContent = text;
		saidAt = Date.now();
		sayer = setTimeout(() => (document.getElementById('status').textContent = ''), STAYS_MS);
	}, Math.max(0, saidAt + EVERY_MS - Date.now()));
}

const open = new Set();
export const foldAll = () => open.clear();
/** Details whose inside is made once they are open. */
export function unfold(key, summary, inner, opened) {
	const ontoggle = ({ target }) => {
		if (target.open === open.has(key)) return;
		open[target.open ? 'add' : 'delete'](key);
		if (target.open) opened?.();
		changed();
	};
	return h('details', { key, ontoggle }, h('summary', { 'data-move': true }, summary), open.has(key) && inner());
}
