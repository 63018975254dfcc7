// The lab: break things. Without it, the page shows how each is done by hand.

import { shellOf } from './commands.js';
import { changed, h, say } from './dom.js';
import { bench } from './faults.js';
import { number, t } from './i18n.js';
import { followLab, lab } from './labclient.js';
import { world } from './live.js';
import { line, mark, orderLink, wrong } from './look.js';
import { tries } from './tries.js';
import { whatIf } from './whatif.js';

export function show() {
	let problem = null;
	let shown = null;
	const showing = (act) => {
		shown = act;
		changed();
	};
	async function act(wanted) {
		showing(wanted);
		problem = null;
		if (lab.contact !== 'live') return false;
		try {
			await lab.call(wanted.method, wanted.path, wanted.body);
			say(t('lab.done', { act: [wanted.kind, wanted.target].join(' ').trim() }));
		} catch (error) {
			problem = error;
		}
		changed();
		return !problem;
	}
	const [faults, tried, asked] = [bench(act, showing), tries(act), whatIf()];
	const unfollow = followLab();
	return {
		title: () => t('nav.lab'),
		state: () => (lab.contact === 'off' ? 'empty' : world.system || lab.state ? 'ready' : 'loading'),
		view: () => (lab.contact === 'off' ? h('p', t('start.noDemo')) : [
			h('p.lead', t('lab.lead')), aboutOf(lab.contact), lab.state && witness(lab.state.witness), faults(), wrong(problem),
			h('section', { id: 'command', 'aria-label': t('lab.command') }, h('h2', t('lab.command')), shown ? shellOf(shown).map(line) : h('p.dim', t('lab.point'))),
			tried.view(), asked()]),
		leave() {
			unfollow();
			tried.leave();
		},
	};
}

function aboutOf(contact) {
	if (contact === 'live') return null;
	if (contact !== 'absent') return h('p.notice.warn', mark('stuck', t(contact === 'away' ? 'noAnswer' : 'lab.refused')));
	return h('section.card', h('h2', t('lab.start')), h('p', t('lab.startText')), line('scripts/lab'));
}

function witness({ answered, lost, lostOrders, ...became }) {
	const terms = ['completed', 'cancelled', 'open'].map((name, place) => [place ? ' + ' : ' = ', h('b', number(became[name])), ` ${t(`filter.${name}`)}`]);
	return h('section.card', { id: 'witness', 'data-lost': lost, 'aria-label': t('witness.title') }, h('h2', t('witness.title')),
		h('p.sum', h('b', number(answered)), ` ${t('witness.answered')}`, terms, ' · ', mark(lost ? 'refused' : 'ok', t('witness.lost', { n: number(lost) })), lostOrders.map((id) => [' ', orderLink(id)])));
}
