// How things look. A state is a shape, a word and a tone, never a colour alone.

import { button, h, say } from './dom.js';
import { age, short, t } from './i18n.js';

const LOOKS = {
	ok: '● ok', notReady: '▲ warn', down: '✕ bad', unknown: '? warn',
	made: '▸ info', held: '■ info', asking: '◔ warn', captured: '✓ ok', givenBack: '↶ undo', refused: '✕ bad', tombstone: '∩ undo',
	completed: '✓ ok', cancelled: '↶ undo', notified: '♪ ok', next: '○ dim', untouched: '– dim',
	PENDING: '◔ info', CANCELLING: '◔ warn', COMPLETED: '✓ ok', CANCELLED: '↶ undo',
	begun: '▸ info', informed: '– dim', done: '■ info', confirmed: '✓ ok', undone: '↶ undo', prevented: '∩ undo', requested: '◔ warn', ended: '✓ ok', repeated: '↻ dim',
	running: '● ok', starting: '◔ warn', killed: '✕ bad', stopped: '✕ bad', paused: '‖ warn', cut: '✕ bad',
	holds: '= ok', inFlight: '~ info', violated: '≠ bad', waits: '· dim',
	safe: '✓ ok', unsafe: '✕ bad', stuck: '◔ warn', newer: '↻ info',
};
const look = (state) => (LOOKS[state] ?? '? dim').split(' ');
export const tone = (state) => look(state)[1];
export const shape = (state) => h('i', { 'aria-hidden': true }, look(state)[0]);
export const mark = (state, word = state) => h(`span.mark.${tone(state)}`, shape(state), h('span', word));

export const mono = (text) => h('span.mono', text);
export const code = (text) => text && h('span.mono.undo', text);
export const payload = (text) => h('pre', { tabindex: 0, role: 'region', 'aria-label': t('events.payload') }, text);
export const aged = (time) => h('span.dim', age(time));
export const orderLink = (id, more) => h('a.mono', { href: `#/orders/${id}`, title: id, ...more }, short(id));
export const wrong = (problem) => problem && h('p.problem', problem.message);
/** What is wider than a narrow screen scrolls by itself, and by keys. */
export const scroll = (label, ...inner) => h('div.scroll', { tabindex: 0, role: 'region', 'aria-label': label }, inner);

export const table = (id, caption, columns, rows) => rows.length > 0 && scroll(caption, h('table', { id }, h('caption.unseen', caption),
	h('thead', h('tr', columns.map(([name, text]) => h(`th.${name}`, { scope: 'col' }, text)))),
	h('tbody', rows.map(({ cells, ...more }) => h('tr', more, cells.map((inner, place) => h(`td.${columns[place][0]}`, inner)))))));

// Lines for a shell, with a button that copies them.
export const origin = (port) => `http://127.0.0.1:${port}`;

export function curl(method, url, body, header) {
	const parts = ['curl -s'];
	if (method !== 'GET') parts.push(`-X ${method}`);
	if (header) parts.push(`-H "${header}"`);
	if (body) parts.push(`-H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`);
	return `${parts.join(' ')} ${/[?&]/.test(url) ? `'${url}'` : url}`;
}

export function line(text) {
	const copy = async ({ currentTarget }) => {
		try {
			await navigator.clipboard.writeText(text);
			say(t('copied'));
		} catch {
			getSelection().selectAllChildren(currentTarget.previousSibling);
		}
	};
	return h('div.shell', h('code', text), button(t('copy'), copy, { class: 'small' }));
}
