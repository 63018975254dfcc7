// What the system is like now: one stream a tab, closed while nobody sees the tab.

import { get } from './api.js';
import { changed, onSight } from './dom.js';

/** `contact`: connecting, live, polling (no place on the stream) or away (order-svc does not answer). */
export const world = { contact: 'connecting', system: null, audit: null, contract: null, seenAt: 0, paused: false, aside: false };
export const service = (name) => world.system?.services.find((one) => one.name === name) ?? { name };
export const known = (name) => world.contract?.services.find((one) => one.name === name) ?? {};

// Ticks come twice a second; longer silence is a process that stands still.
const SILENCE_MS = 5_000;
const POLL_MS = 2_000;
const BACKOFF_MS = 8_000;

const listeners = { tick: new Set(), step: new Set() };
let source = null;
let timer = 0;
let failures = 0;
let refused = 0;
let reading = false;

export function on(kind, hear) {
	listeners[kind].add(hear);
	return () => listeners[kind].delete(hear);
}

export function pause() {
	world.paused = !world.paused;
	changed();
}

async function seen(system, contact) {
	Object.assign(world, { system, contact, seenAt: Date.now() });
	failures = 0;
	listeners.tick.forEach((hear) => hear(system));
	changed();
	if (world.contract || reading) return;
	reading = true;
	world.contract = await get('/contract').catch(() => null);
	reading = false;
}

function close() {
	source?.close();
	source = null;
	clearTimeout(timer);
}

function connect() {
	close();
	if (document.hidden) return;
	if (world.aside) {
		ask();
		return;
	}
	const stream = new EventSource('/live');
	source = stream;
	// Whether it is full or nobody is there, a call tells.
	refused += 1;
	const lost = () => {
		if (source !== stream) return;
		close();
		ask();
	};
	timer = setTimeout(lost, SILENCE_MS);
	stream.onerror = lost;
	stream.addEventListener('tick', ({ data }) => {
		clearTimeout(timer);
		timer = setTimeout(lost, SILENCE_MS);
		refused = 0;
		seen(JSON.parse(data), 'live');
	});
	stream.addEventListener('step', ({ data }) => listeners.step.forEach((hear) => hear(JSON.parse(data))));
	stream.addEventListener('audit', ({ data }) => {
		world.audit = JSON.parse(data);
		changed();
	});
}

async function ask() {
	const [before, wasAside] = [world.contact, world.aside];
	const system = await get('/system', { ms: 3_000 }).catch(() => null);
	if (source || document.hidden || world.aside !== wasAside) return;
	let [next, wait] = [ask, POLL_MS];
	if (!system) {
		world.contact = 'away';
		changed();
		refused = 0;
		wait = Math.min(BACKOFF_MS, 1_000 * 2 ** failures++);
	} else {
		const full = refused > 1;
		if (!world.aside) [next, wait] = [connect, full ? POLL_MS : 200];
		seen(system, world.aside ? 'live' : full ? 'polling' : before === 'away' ? 'connecting' : before);
	}
	clearTimeout(timer);
	timer = setTimeout(next, wait);
}

/** While a screen has a stream of its own, this one steps aside: one stream a tab. */
export function stepAside(now) {
	if (world.aside === now) return;
	world.aside = now;
	connect();
}

export function start() {
	onSight(connect);
	connect();
}
