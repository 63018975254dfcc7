// Draws. A view is made anew and laid over what is there: elements stay, and with them focus and what is unfolded.
// No markup is ever parsed, so nothing that a purchase carries can become markup.

const LISTENERS = ['onclick', 'onchange', 'oninput', 'ontoggle', 'onfocus', 'onpointerenter', 'onkeydown'];

/** h('a.mono', {href: '#/'}, 'Line'). A `key` tells siblings apart; an `island` looks after its own children. */
export function h(name, ...children) {
	const [tag, ...classes] = name.split('.');
	const node = document.createElement(tag);
	if (classes.length) node.className = classes.join(' ');
	const given = children[0]?.constructor === Object ? children.shift() : {};
	node.append(...children.flat(Infinity).filter((child) => child || child === 0));
	for (const [name, value] of Object.entries(given)) {
		if (/^on|^(key|island|value|checked)$/.test(name)) node[name] = value;
		else if (name.startsWith('aria') && typeof value === 'boolean') node.setAttribute(name, value);
		else if (value || value === 0 || value === '') node.setAttribute(name, value === true ? '' : value);
	}
	return node;
}

export const button = (text, onclick, more) => h('button', { type: 'button', onclick, ...more }, text);

export function morph(old, fresh) {
	if (old.nodeType === Node.TEXT_NODE) {
		if (old.data !== fresh.data) old.data = fresh.data;
		return;
	}
	// Whether details are open is the person's.
	for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
	for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
	for (const name of LISTENERS) old[name] = fresh[name];
	if (!old.island) morphChildren(old, fresh);
	// Who is typing or choosing is not disturbed.
	if (/INPUT|SELECT/.test(old.nodeName) && old !== document.activeElement && old.value !== fresh.value) old.value = fresh.value;
	if (old.type === 'checkbox') old.checked = fresh.checked;
}

function morphChildren(old, fresh) {
	const kept = new Set([...fresh.children].map(({ key }) => key));
	for (const child of [...old.children]) if (child.key && !kept.has(child.key)) child.remove();
	const keyed = new Map([...old.children].map((child) => [child.key, child]));
	let at = old.firstChild;
	for (const child of [...fresh.childNodes]) {
		const same = child.key ? keyed.get(child.key) : at && !at.key && at.nodeName === child.nodeName && at;
		if (same) morph(same, child);
		if (same && same === at) at = at.nextSibling;
		else old.insertBefore(same || child, at);
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
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
