// Everything that was said about a purchase, and because of what. Repeats are folded.

import { h, unfold } from './dom.js';
import { clock, t } from './i18n.js';
import { known } from './live.js';
import { code, curl, line, mark, mono, origin, payload } from './look.js';

export function events(said, order) {
	const entries = [];
	for (const event of said) {
		const before = entries.at(-1);
		if (event.effect === 'repeated' && before?.[0].effect === 'repeated') before.push(event);
		else entries.push([event]);
	}
	const one = (event) => row(event, order);
	return h('section', h('h2', t('events.title')), h('ol', { id: 'events' }, entries.map((entry) => (entry[0].effect === 'repeated' ? repeats(entry, one) : one(entry[0])))));
}

function repeats(entry, one) {
	const [{ n, time }] = entry;
	const summary = [mark('repeated', t('events.repeats', { n: entry.length })), ' ', h('small', [...new Set([clock(time), clock(entry.at(-1).time)])].join(' – '))];
	return h('li.repeats', { key: `repeats ${n}` }, unfold(`repeats ${n}`, summary, () => h('ol', entry.map(one))));
}

function row({ n, id, type, service, time, because, effect, attempt, data }, order) {
	const { file, port } = known(service);
	const summary = [h('span.dim', n), mono(clock(time, true)), h('b.mono', type), mono(service), mark(effect, t(`effect.${effect}`)),
		h('small', code(data?.reasonCode), data?.reasonCode && ' · ', because && `${t('events.because', { n: because })} · `, t('events.attempt', { n: attempt }))];
	return h('li', { key: n, 'data-n': n }, unfold(n, summary, () => [
		payload(JSON.stringify(data, null, 2)), h('p', mono(id), ' · ', h('code', file)),
		line(curl('GET', `${origin(port)}/sagas/${order}`))]));
}
