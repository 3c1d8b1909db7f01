/*
 * figures.js
 *		The key figures on top, each with its n and what it means to a team.
 */
import {byId, h} from './dom.js';
import {count, hours, NONE, number, percent, rounded, span} from './format.js';
import {setText} from './bars.js';

const TILES = [
	['throughput', 'Throughput'], ['wip', 'WIP now'], ['p50', 'Cycle time P50'], ['p85', 'Cycle time P85'], ['p95', 'Cycle time P95'],
	['efficiency', 'Flow efficiency'],
];
const MEANINGS = {
	p50: 'Half of the items took this or less.',
	p85: '85 % took this or less: a promise you can keep.',
	p95: 'Only 1 in 20 took longer: look at those.',
};

export function figures()
{
	const tiles = new Map(TILES.map(([key, name]) => [key, h('li', {class: 'tile', id: 'figure-' + key},
		h('h2', null, name), h('p', {class: 'big'}, NONE), h('p', {class: 'exact'}), h('p', {class: 'meaning'}))]));

	byId('figures').replaceChildren(...tiles.values());

	const set = (key, big, exact, meaning) => {
		const tile = tiles.get(key);

		[['big', big], ['exact', exact], ['meaning', meaning]].forEach(([kind, text]) => setText(tile.querySelector('.' + kind), text));
	};

	return {
		show(answer, days)
		{
			set('throughput', count(answer.throughput),
				answer.throughput === 1 ? 'item finished' : 'items finished', days > 0 ? `About ${rounded(answer.throughput / days)} a day.` : '');
			for (const key of ['p50', 'p85', 'p95'])
				set(key, span(answer[key]), answer[key] === null ? 'nothing finished' : `${hours(answer[key])}, n = ${count(answer.n)}`, MEANINGS[key]);
			set('efficiency', percent(answer.efficiency), answer.efficiency === null ? 'nothing finished' : `n = ${count(answer.throughput)}`,
				'Share of time between start and finish that was work, not waiting.');
		},
		showWip(stages, {average, started})
		{
			const now = stages.reduce((sum, stage) => sum + stage.wip, 0);

			set('wip', count(now), average === null ? '' : `average ${number(average)}`,
				`Created and not finished; ${count(started)} of them started.`);
		},
	};
}

/* What the tiles show, from /metrics. */
export const fromMetrics = metrics => ({
	throughput: metrics.throughput, p50: metrics.cycle_time_p50, p85: metrics.cycle_time_p85, p95: metrics.cycle_time_p95,
	n: metrics.cycle_time_n, efficiency: metrics.flow_efficiency,
});
