// The lab's address comes from order-svc, its token from the link that it printed.

import { Problem, call } from './api.js';
import { changed, onSight } from './dom.js';
import { on, world } from './live.js';

const AGAIN_MS = 2_000;
// HEAL ALL waits until everybody is ready again, and the model may take seconds.
const PATIENCE_MS = 90_000;
let origin = null;
// Once told, the address stays known: the lab goes on working while order-svc is away.
on('tick', ({ labOrigin }) => (origin = labOrigin ?? origin));

// Kept for this tab, so that it can be loaded again.
const token = () => sessionStorage.getItem('lab-token');
export const trust = (token) => sessionStorage.setItem('lab-token', token);
const headers = () => ({ Authorization: `Bearer ${token()}` });

/** `contact`: absent, live, away, refused, or off without the demo. */
export const lab = {
	state: null,
	contact: 'absent',
	origin: () => origin,
	reachable: () => origin && token() && world.system?.demo !== false,
	call: (method, path, body) => call(method, origin + path, body, { headers: headers(), ms: PATIENCE_MS }),
};

/** Follows the lab by fetch: an EventSource sends no token. */
export function followLab() {
	let stop = new AbortController();
	let timer = 0;
	async function follow() {
		clearTimeout(timer);
		stop.abort();
		if (document.hidden) return;
		const { signal } = (stop = new AbortController());
		let contact = world.system?.demo === false ? 'off' : 'absent';
		try {
			if (lab.reachable()) await read(signal);
		} catch ({ status }) {
			contact = status === 403 ? 'refused' : 'away';
		}
		if (signal.aborted) return;
		lab.contact = contact;
		changed();
		timer = setTimeout(follow, world.system ? AGAIN_MS : 100);
	}
	const off = onSight(follow);
	follow();
	return () => {
		off();
		clearTimeout(timer);
		stop.abort();
	};
}

async function read(signal) {
	const answer = await fetch(`${origin}/lab/live`, { headers: headers(), signal });
	if (!answer.ok) throw new Problem(answer.status);
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (let part = await reader.read(); !part.done; part = await reader.read()) {
		const frames = (rest + part.value).split('\n\n');
		rest = frames.pop();
		for (const frame of frames) {
			const [, data] = /^event: ?lab\n[^]*?data: ?(.*)$/m.exec(frame) ?? [];
			if (data) Object.assign(lab, { contact: 'live', state: JSON.parse(data) });
		}
		changed();
	}
	throw new Problem(0);
}
