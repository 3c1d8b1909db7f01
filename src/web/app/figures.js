/*
 * figures.js
 *		The key figures on top, each with its n and what it means to a team, and the flow balance of the window.
 */
import {byId, h} from './dom.js';
import {count, hours, NONE, number, percent, rounded, span} from './format.js';
import {setText} from './bars.js';

const TILES = [
	['throughput', 'Throughput'], ['wip', 'WIP'], ['started', 'Started WIP'], ['p50', 'Cycle time P50'], ['p85', 'Cycle time P85'], ['p95', 'Cycle time P95'],
	['efficiency', 'Flow efficiency'],
];
const MEANINGS = {
	p50: 'Half of the items took this or less.',
	p85: '85 % took this or less.',
	p95: 'Only 1 in 20 took longer: look at those.',
};
const FEW = 20;					/* of fewer items a P95 is only the longest one */
const OF_FEW = 'Of so few items it says little.';
/* Sign, figure of /metrics, name, what it counts; the first and the last with the items of it that had started. */
const BALANCE = [
	['', 'open_at_since', 'WIP at the start', 'Items neither finished nor discarded when the window begins', 'started_at_since'],
	['+', 'arrivals', 'arrivals', 'Items created in the window'],
	['+', 'returns', 'returns', 'Items that left a done or discarded stage: reopened or taken up again'],
	['−', 'departures', 'departures', 'Entries into a done stage; an item that is finished twice counts twice'],
	['−', 'discarded', 'discarded', 'Entries into a discarded stage: given up, not delivered'],
	['=', 'open_at_until', 'WIP at the end', 'Items neither finished nor discarded when the window ends', 'started_at_until'],
];

export function figures()
{
	const tiles = new Map(TILES.map(([key, name]) => [key, h('li', {class: 'tile', id: 'figure-' + key},
		h('h2', null, name), h('p', {class: 'big'}, NONE), h('p', {class: 'exact'}), h('p', {class: 'before'}), h('p', {class: 'meaning'}))]));

	byId('figures').replaceChildren(...tiles.values());

	const set = (key, big, exact, meaning) => {
		const tile = tiles.get(key);

		[['big', big], ['exact', exact], ['meaning', meaning]].forEach(([kind, text]) => setText(tile.querySelector('.' + kind), text));
	};

	return {
		show(answer, days)
		{
			showBalance(answer.balance);
			set('throughput', count(answer.throughput),
				answer.throughput === 1 ? 'item finished' : 'items finished', rate(answer.throughput, days));
			for (const key of ['p50', 'p85', 'p95'])
				set(key, span(answer[key]), answer[key] === null ? 'nothing finished' : `${hours(answer[key])}, n = ${count(answer.n)}`,
					answer[key] === null ? '' : key !== 'p50' && answer.n < FEW ? OF_FEW : MEANINGS[key]);
			set('efficiency', percent(answer.efficiency), answer.efficiency === null ? 'nothing finished' : `n = ${count(answer.throughput)}`,
				'Share of time between start and finish that was work, not waiting.');
		},
		/* Each now, and on average over the window. */
		showWip({wip, started})
		{
			const both = ({average}) => average === null || average === undefined ? 'now' : `now; average ${number(average)}`;

			set('wip', count(wip.now), both(wip), 'Created, and neither finished nor discarded.');
			set('started', count(started.now), both(started), 'The items of it that have started, wherever they are now.');
		},
		/* There are none. */
		clear()
		{
			byId('balance').replaceChildren();
			for (const [key] of TILES)
				set(key, NONE, '', '');
		},
	};
}

/* By the day, the week or the item, so that there is at least one of it. */
function rate(n, days)
{
	if (n === 0 || !(days >= 1))
		return '';
	if (n >= days)
		return `About ${rounded(n / days)} a day.`;
	return n * 7 >= days ? `About ${rounded(n / days * 7)} a week.` : `About one in ${rounded(days / n)} days.`;
}

function showBalance(figures)
{
	byId('balance').replaceChildren(...BALANCE.map(([sign, key, name, meaning, started]) => h('li', {'data-figure': key, title: meaning},
		sign && h('span', {class: 'sign'}, sign + ' '), h('strong', null, count(figures[key])), ' ' + name,
		started && h('span', {class: 'meaning'}, `, ${count(figures[started])} started`))));
}

/* What the tiles show, from /metrics. */
export const fromMetrics = metrics => ({
	throughput: metrics.throughput, p50: metrics.cycle_time_p50, p85: metrics.cycle_time_p85, p95: metrics.cycle_time_p95,
	n: metrics.cycle_time_n, efficiency: metrics.flow_efficiency, balance: metrics,
});
