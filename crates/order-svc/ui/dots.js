// Sampled purchases as dots along the line, slowed so that a person sees them.

import { world } from './live.js';

const POOL = 48;
const HOP_MS = 420;
// Where the rail turns, it is round.
const BEND = 30;
const TONES = { refuse: 'undo', compensate: 'undo', confirm: 'ok', pivot: 'ok', final: 'ok', request: 'warn' };
const THERE = ['begin', 'reserve', 'request'];
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const narrow = matchMedia('(max-width: 47.99rem)');

export function dots() {
	const busy = new Map();
	const free = Array.from({ length: POOL }, () => document.createElement('i'));
	let layer = null;
	let paused = false;

	const release = (order, { run, node }) => {
		busy.delete(order);
		run?.cancel();
		free.push(node);
	};
	function go(order, dot) {
		if (dot.run && dot.run.playState !== 'finished') return;
		const { stops, at } = dot;
		if (stops.length) {
			const frames = [...at, ...stops].map(({ x, y, tone }) => ({ transform: `translate(${x}px, ${y}px)`, backgroundColor: tone, opacity: 1 }));
			dot.at = [stops.at(-1)];
			dot.stops = [];
			dot.run?.cancel();
			dot.run = dot.node.animate(frames, { duration: HOP_MS * stops.length, fill: 'forwards' });
			if (paused) dot.run.pause();
			dot.run.onfinish = () => go(order, dot);
		} else if (dot.over) release(order, dot);
	}
	return {
		step({ orderId, type, effect, closed }) {
			const event = world.contract?.events.find((one) => one.type === type);
			if (calm.matches || document.hidden || !layer || !event) return;
			let dot = busy.get(orderId);
			if (!dot) {
				if (effect !== 'begun') return;
				// Whose end was not seen gives way.
				const idle = free.length ? null : [...busy].find(([, { run }]) => run?.playState === 'finished');
				if (idle) release(...idle);
				if (!free.length) return;
				dot = { node: free.pop(), at: [], stops: [] };
				busy.set(orderId, dot);
			}
			if (effect !== 'repeated') dot.stops.push(...stopsOf(event, layer));
			dot.over ||= closed || effect === 'ended';
			go(orderId, dot);
		},
		draw(now) {
			if (!layer) {
				layer = document.querySelector('.dots');
				layer.append(...free);
			}
			if (paused === now) return;
			paused = now;
			for (const { run } of busy.values()) if (run?.playState === (now ? 'running' : 'paused')) run[now ? 'pause' : 'play']();
		},
	};
}

/** The way of one event: on the rails above and below the boxes, left and right of them where the line stands upright. */
function stopsOf({ type, publisher, consumers: [to], phase }, layer) {
	if (!to || phase === 'close') return [];
	const inMap = (selector) => layer.parentNode.querySelector(selector).getBoundingClientRect();
	const [outer, rail] = [layer.getBoundingClientRect(), inMap('.rail')];
	const tone = `var(--${type === 'payment.failed' ? 'undo' : (TONES[phase] ?? 'info')})`;
	const stop = (x, y) => ({ x: x - outer.left, y: y - outer.top, tone });
	const there = THERE.includes(phase);
	const at = (name) => {
		const { left, top, width, height } = inMap(`[data-service="${name}"]`);
		if (narrow.matches) return stop(there ? rail.left + 2 : rail.right - 2, top + height / 2);
		return stop(left + width / 2, there ? rail.top + 2 : phase === 'final' ? top : rail.bottom - 2);
	};
	// Upright, notify-svc stands beside no rail.
	if (phase === 'final') return narrow.matches ? [] : [at(to)];
	const { left, right, top, bottom } = rail;
	const turn = narrow.matches
		? [stop(left + 2, bottom - BEND), stop(left + BEND, bottom - 2), stop(right - BEND, bottom - 2), stop(right - 2, bottom - BEND)]
		: [stop(right - BEND, top + 2), stop(right - 2, top + BEND), stop(right - 2, bottom - BEND), stop(right - BEND, bottom - 2)];
	return [...(phase === 'pivot' ? turn : []), at(publisher), at(to)];
}
