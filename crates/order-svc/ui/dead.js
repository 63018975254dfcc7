// Dead letters: what could not be applied, and what an operator may do about each.

import { call, get, path, poll } from './api.js';
import { askReason } from './dialog.js';
import { button, changed, h, say, unfold } from './dom.js';
import { clock, number, t } from './i18n.js';
import { aged, curl, line, mark, mono, orderLink, payload, table, wrong } from './look.js';

const LOOK_MS = 4_000;
const KEPT = 100;
const SETTLED = ['changed', 'repeated', 'nothingChanged', 'discarded'];
const COLUMNS = ['service', 'type', 'order', 'error', 'attempts', 'age', 'acts'];
const BASE = '/system/dead-letters';
const keyOf = ({ service, id }) => `${service}/${id}`;

export function show(start) {
	let asked = start;
	let found = null;
	let problem = null;
	const letters = new Map();
	const failed = (error) => {
		problem = error;
		changed();
	};
	const know = (key, more) => {
		letters.set(key, { ...letters.get(key), ...more });
		changed();
	};
	const polling = poll(async () => {
		const mine = asked;
		const answer = await get(path(BASE, mine)).catch(failed);
		if (mine !== asked || !answer) return;
		[found, problem] = [answer, null];
		const open = new Set(found.deadLetters.map(keyOf));
		// Who has just been settled stays with what came of it, so that it can be read.
		for (const [key, { result }] of letters) if (!open.has(key) && (!result || letters.size > KEPT)) letters.delete(key);
		for (const letter of found.deadLetters) know(keyOf(letter), letter);
		changed();
	}, LOOK_MS);
	function came(key, result) {
		know(key, { result });
		say(outcome(result));
		polling.now();
	}
	const attempt = (key, act, more) => act.then((result) => came(key, { ...result, ...more }), ({ message }) => came(key, { outcome: 'refused', error: message }));
	const replay = (key, reason, dryRun) => attempt(key, call('POST', `${BASE}/${key}/replay${dryRun ? '?dryRun=true' : ''}`, { reason }), { dryRun });
	const all = async ({ service, type }, reason, dryRun) => {
		const answer = await call('POST', `${BASE}/replay`, { service, type, dryRun, reason }, { ms: 30_000 }).catch(failed);
		for (const result of answer?.results ?? []) came(keyOf(result), { ...result, dryRun });
	};
	const ask = async (act, letter, then) => {
		const reason = await askReason(t(`dead.${act}`), t(`dead.${act === 'discard' ? act : 'replay'}Text`, { letter }));
		if (reason) then(reason);
	};
	const acts = {
		dryRun: (key) => replay(key, t('dead.dryRun'), true),
		replay: (key) => ask('replay', key, (reason) => replay(key, reason)),
		discard: (key) => ask('discard', key, (reason) => attempt(key, call('DELETE', path(`${BASE}/${key}`, { reason })), { outcome: 'discarded' })),
		dryRunAll: (group) => all(group, t('dead.dryRun'), true),
		replayAll: (group) => ask('replayAll', `${group.service} ${group.type ?? ''}`, (reason) => all(group, reason, false)),
		open: async (key) => know(key, { inside: await get(`${BASE}/${key}`).catch((error) => ({ event: error.message, trail: [] })) }),
	};
	return {
		title: () => t('nav.dead'),
		state: () => (found ? (letters.size ? 'ready' : 'empty') : 'loading'),
		view: () => [
			wrong(problem),
			found && h('p.dim', found.missing.length ? t('audit.missing', { names: found.missing }) : !letters.size && t('dead.none')),
			h('ul', found?.groups.map((group) => groupOf(group, acts))),
			table('dead', t('nav.dead'), COLUMNS.map((name) => [name, t(`column.${name}`)]), [...letters].map((entry) => row(entry, acts))),
			line(curl('GET', location.origin + path(BASE, asked))),
		],
		values(fresh) {
			asked = fresh;
			letters.clear();
			polling.now();
		},
		leave: polling.stop,
	};
}

const act = (name, acts, on, disabled) => button(t(`dead.${name === 'dryRunAll' ? 'dryRun' : name}`), () => acts[name](on), { class: 'small', 'data-act': name, disabled });

const groupOf = (group, acts) => h('li.row', h('b.mono', group.service), t(`dead.reason.${group.reason}`), mono(group.type ?? ''), h('b', number(group.count)),
	aged(group.oldestAt), act('dryRunAll', acts, group), act('replayAll', acts, group));

function row([key, { type, orderId, error, attempts, createdAt, reason, result, inside }], acts) {
	const good = SETTLED.includes(result?.outcome);
	const evidence = () => inside && [payload(pretty(inside.event)), line(curl('GET', `${location.origin}${BASE}/${key}`)),
		inside.trail.map(({ time, act, by = '', reason, outcome }) => h('p', h('small', `${clock(time)} ${act} ${by}: ${reason} → ${outcome}`)))];
	return { key, 'data-letter': key, cells: [
		h('span', mono(key), ' ', h('small', t(`dead.reason.${reason}`))), mono(type ?? '–'), orderId ? orderLink(orderId) : '–',
		unfold(key, error, evidence, () => acts.open(key)), result?.dryRun ? attempts : (result?.attempts ?? attempts), aged(createdAt),
		[h('div.row', ['dryRun', 'replay', 'discard'].map((name) => act(name, acts, key, good && !result.dryRun))),
			result && h('p', { 'data-outcome': result.outcome }, mark(good ? 'safe' : 'refused', outcome(result)))]] };
}

/** applied, or back as attempt 6; a dry run is no attempt. */
function outcome({ outcome, dryRun, to, error = '', attempts }) {
	if (outcome === 'refused') return error;
	const text = !SETTLED.includes(outcome) ? t(dryRun ? 'outcome.wouldFail' : 'outcome.back', { error, attempts }) : t(`outcome.${outcome}`, { to });
	return dryRun ? `${t('dead.dryRun')}: ${text}` : text;
}

function pretty(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}
