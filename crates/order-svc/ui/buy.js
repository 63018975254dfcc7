// Buying: by the lab where it is there, for its witness; else with the demo's test data.

import { call } from './api.js';
import { button, changed, h, say, textOf } from './dom.js';
import { t } from './i18n.js';
import { lab } from './labclient.js';
import { world } from './live.js';
import { curl, line, orderLink, wrong } from './look.js';

const testData = async () => (await call('POST', '/setup-test-data')).data;

async function buyOne(itemId) {
	if (lab.reachable()) return lab.call('POST', '/lab/purchases', { itemId: itemId || (await lab.call('GET', '/lab')).items[0].id });
	const { user, items } = await testData();
	return call('POST', '/orders', { userId: user.id, itemId: itemId || items[0].id, quantity: 1 });
}

export let told = () => null;

const act = (work, done) => async () => {
	try {
		const answer = await work();
		told = () => h('p', done(answer));
	} catch (problem) {
		told = () => wrong(problem);
	}
	say(textOf(told()));
	changed();
};
const made = ({ user, items }) => t('start.made', { user: user.username, items: items.map(({ name }) => name).join(', ') });
export const buying = (itemId) => act(() => buyOne(itemId), ({ id }) => [t('start.bought'), ' ', orderLink(id)]);

export function starter(title) {
	const demo = world.system?.demo !== false;
	return h('section.card', h('h2', title), h('p', t(demo ? 'start.text' : 'start.noDemo')), demo && [
		h('div.row', button(t('start.data'), act(testData, made), { class: 'main', 'data-start': 'data' }), button(t('start.buy'), buying(), { 'data-start': 'buy' })),
		told(), line(curl('POST', `${location.origin}/setup-test-data`))]);
}
