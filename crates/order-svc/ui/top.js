// The head of every screen: where one can go, choices, the audit, notices.

import { button, h } from './dom.js';
import { clock, language, speak, t } from './i18n.js';
import { help } from './keys.js';
import { pause, world } from './live.js';
import { aged, mark, orderLink, shape, tone } from './look.js';

const GROUPS = ['money', 'stock', 'room', 'captured', 'paid', 'told'];
const SCREENS = ['line', 'orders', 'dead', 'lab'];
const root = document.documentElement;
const page = document.querySelector('meta[name=page]').content;

export const hashOf = (screen) => `#/${screen === 'line' ? '' : screen}`;
export const screens = () => SCREENS.filter((name) => name !== 'lab' || world.system?.demo !== false);

export function top(here) {
	const letters = world.system?.services.reduce((sum, { deadLetters = 0 }) => sum + deadLetters, 0);
	const tab = (name) => h('a', { href: hashOf(name), 'aria-current': name === here ? 'page' : null }, t(`nav.${name}`),
		name === 'dead' && letters >= 0 && h(letters ? 'b.problem' : 'span', ` ${letters}`));
	const skip = (event) => {
		event.preventDefault();
		document.querySelector('main h1').focus();
	};
	const themed = (theme) => {
		root.dataset.theme = theme;
		localStorage.setItem('theme', theme);
	};
	return h('header', { id: 'top' },
		h('a.skip', { href: '#main', onclick: skip }, t('nav.skip')),
		h('div.bar', h('img', { src: '/ui/favicon.svg', alt: '' }), h('nav', { 'aria-label': t('nav.label') }, screens().map(tab)),
			h('div.row', button(t(world.paused ? 'resume' : 'pause'), pause, { id: 'pause', class: 'small', 'aria-pressed': world.paused }),
				choice(t('language'), { ko: '한국어', en: 'English' }, language(), speak, (lang) => ({ lang })),
				choice(t('theme'), { auto: t('theme.auto'), light: t('theme.light'), dark: t('theme.dark') }, root.dataset.theme, themed),
				button('?', help, { class: 'small', 'aria-label': t('keys.title') }))),
		(world.audit || !world.aside) && audit(world.audit));
}

const choice = (label, texts, chosen, choose, more) => h('div.switch', { role: 'group', 'aria-label': label },
	Object.entries(texts).map(([value, text]) => button(text, () => choose(value), { 'aria-pressed': value === chosen, ...more?.(value) })));

// An older audit says from when it is.
const OLD_MS = 9_000;

function audit(seen) {
	const groups = seen?.groups ?? GROUPS.map((group) => ({ group, state: 'waits' }));
	const one = ({ group, state }) => h(`li.${tone(state)}`, { 'data-group': group, 'data-audit': state },
		shape(state), t(`audit.group.${group}`), h('span.unseen', ` ${t(`audit.${state}`)}`));
	return h('section', { id: 'audit', 'aria-label': t('audit.label') }, h('b', t('audit.label')), h('ul', groups.map(one)),
		h('span.dim', seen ? t('audit.count', { n: seen.inFlight }) : t('audit.waits'), seen && Date.now() - new Date(seen.at) > OLD_MS && ` · ${clock(seen.at)}`, seen?.missing.length > 0 && ` · ${t('audit.missing', { names: seen.missing.join(', ') })}`));
}

/** Alerts are for what is down or violated. */
export function notices() {
	const { contact, system, seenAt } = world;
	const down = (key, text, since) => h('div.notice.bad', { key }, shape('down'), h('p', { role: 'alert' }, text), since && aged(since));
	const quiet = (state, key, ...more) => h(`div.notice.${tone(state)}`, { key }, shape(state), h('p', t(key), ' ', more));
	const violated = world.audit?.groups.filter(({ state }) => state === 'violated') ?? [];
	return h('div', { id: 'notices', role: 'region', 'aria-label': t('column.status') },
		violated.map(({ group, orders }) => down(group, [t('notice.violated', { group: t(`audit.group.${group}`) }), orders.map((id) => [' ', orderLink(id)])])),
		contact === 'away' ? down('away', seenAt ? t('notice.away', { time: clock(seenAt) }) : t('noAnswer'), seenAt) : system && [
			system.services.filter(({ up }) => !up).map(({ name, since, error }) => down(name, [h('b', name), ' ', t('notice.down', { time: clock(since) }), error && ` (${error})`], since)),
			!system.redis.up && [down('redis', [h('b', 'Redis'), ' ', t('notice.down', { time: clock(system.redis.since) })], system.redis.since),
				h('div.notice.warn', { key: 'waiting' }, mark('stuck', t('notice.redis', { n: system.unpublished })))],
			contact === 'polling' && quiet('stuck', 'notice.places'),
			system.page && system.page !== page && quiet('newer', 'notice.newer', button(t('reload'), () => location.reload(), { class: 'small' })),
		]);
}
