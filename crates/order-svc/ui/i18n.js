// Two languages, one table each, of equal keys. Names of the wire are never translated.

import { changed } from './dom.js';
import en from './text/en.js';
import ko from './text/ko.js';

const TABLES = { en, ko };
const root = document.documentElement;

export const language = () => root.lang;
export function speak(lang) {
	root.lang = lang;
	localStorage.setItem('language', lang);
	changed();
}

const text = (key) => TABLES[root.lang][key];
export const has = (key) => text(key) !== undefined;
export const t = (key, values = {}) => (text(key) ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// Making one is slow.
const formats = new Map();
function format(Kind, options) {
	const key = root.lang + JSON.stringify(options);
	if (!formats.has(key)) formats.set(key, new Kind(root.lang, options));
	return formats.get(key);
}

export const number = (value, maximumFractionDigits = 0) => format(Intl.NumberFormat, { maximumFractionDigits }).format(value);
export const perSecond = (rate) => t('perSecond', { n: number(rate, rate < 10 ? 1 : 0) });

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
export function clock(time, fine) {
	const date = new Date(time);
	const today = new Date().toDateString() === date.toDateString();
	return format(Intl.DateTimeFormat, { ...CLOCK, ...(fine && { fractionalSecondDigits: 3 }), ...(!today && { month: 'short', day: 'numeric' }) }).format(date);
}

const UNITS = [[86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute'], [1_000, 'second']];
export function span(ms) {
	const [size, unit] = UNITS.find(([size]) => ms >= size) ?? UNITS[3];
	return format(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: 'narrow' }).format(Math.floor(Math.max(0, ms) / size));
}
export const age = (time) => span(Date.now() - new Date(time));

/** 01a208bd…8431: ids of one moment begin alike. */
export const short = (id) => (id.length > 14 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id);
