// Calls, and what comes of them: the answer, or a Problem.

import { onSight } from './dom.js';
import { t } from './i18n.js';

export class Problem extends Error {
	constructor(status, { code, detail } = {}) {
		super(detail ?? code ?? (status ? `HTTP ${status}` : t('noAnswer')));
		this.status = status;
	}
}

export async function call(method, url, body, { headers, ms = 8_000 } = {}) {
	const init = { method, headers: { Accept: 'application/json', ...headers }, signal: AbortSignal.timeout(ms) };
	if (body !== undefined) {
		init.body = JSON.stringify(body);
		init.headers['Content-Type'] = 'application/json';
	}
	let answer;
	let content = null;
	try {
		answer = await fetch(url, init);
		const text = await answer.text();
		if (answer.headers.get('Content-Type')?.includes('json')) content = JSON.parse(text);
	} catch {
		throw new Problem(0);
	}
	if (!answer.ok) throw new Problem(answer.status, content ?? {});
	return content;
}

export const get = (url, options) => call('GET', url, undefined, options);

export function path(base, values) {
	const given = Object.entries(values).filter(([, value]) => value);
	return given.length ? `${base}?${new URLSearchParams(given)}` : base;
}

/** Calls `look` each `ms` while the page is seen. */
export function poll(look, ms) {
	let timer;
	let over = false;
	let busy = false;
	const now = async () => {
		clearTimeout(timer);
		if (over || busy || document.hidden) return;
		busy = true;
		await look();
		busy = false;
		if (!over) timer = setTimeout(now, ms);
	};
	const off = onSight(now);
	const stop = () => {
		over = true;
		clearTimeout(timer);
		off();
	};
	now();
	return { now, stop };
}
