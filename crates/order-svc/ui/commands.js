// What can be done in the lab, as calls and in a shell.

import { lab } from './labclient.js';
import { curl } from './look.js';

export const fault = (kind, target, seconds) => ({ kind, target, method: 'POST', path: '/lab/faults', body: { kind, target, seconds } });
export const heal = (id) => ({ kind: 'heal', method: 'DELETE', path: id ? `/lab/faults/${id}` : '/lab/faults' });
export const gateway = (body) => ({ kind: 'gateway', method: 'PUT', path: '/lab/gateway', body });
export const traffic = (perSecond) => ({ kind: 'traffic', method: 'PUT', path: '/lab/traffic', body: { perSecond } });

const pidOf = (name) =>
	(lab.contact === 'live' && lab.state.processes.find((one) => one.name === name)?.pid) || `$(cat .run/pids/${name === 'redis' ? 'redis-server' : name}.pid)`;
const redis = (of) => ['docker compose exec -T redis redis-cli', 'redis-cli'].map(of);
const streams = (act) => redis((at) => `${at} --scan --pattern 'saga:{*' | xargs -I% ${at} ${act}`);
const again = (order) => streams(`EVAL "local e = redis.call('XRANGE', KEYS[1], '-', '+') for i = ${order} do redis.call('XADD', KEYS[1], '*', unpack(e[i][2])) end" 1 %`);

// In containers, then without Docker.
const SHELL = {
	kill: (name) => [`docker compose kill -s KILL ${name}`, `kill -9 ${pidOf(name)}`],
	stop: (name) => [`docker compose stop ${name}`, `kill ${pidOf(name)}`],
	pause: (name) => [`docker compose pause ${name}`, `kill -STOP ${pidOf(name)}`],
	cut: (name) => [`docker network disconnect saga_bus saga-${name}-1; sleep 10; docker network connect saga_bus saga-${name}-1`],
	flushall: () => redis((at) => `${at} FLUSHALL`),
	duplicate: () => again('1, #e'),
	shuffle: () => again('#e, 1, -1'),
	rewind: () => streams('XGROUP SETID % item-svc 0'),
	heal: () => ['docker compose unpause; docker compose up -d', 'scripts/up'],
	gateway: (_, body) => [`curl -s -X PUT localhost:3004/gateway -H 'Content-Type: application/json' -d "$(curl -s localhost:3004/gateway | jq -c '. + ${JSON.stringify(body)}')"`],
	traffic: () => ['target/release/sagactl bench'],
};

export function shellOf({ kind, target, method, path, body }) {
	const lines = SHELL[kind](target, body);
	if (lab.contact !== 'live') return lines;
	return [...(target ? lines.slice(1) : []), curl(method, lab.origin() + path, body, 'Authorization: Bearer $TOKEN')];
}
