/*
 * comparison.js
 *		Each key figure beside that of the period before: as long, and up to where the window begins.
 *
 * The service gives both; the page only says which way the figure went, and whether that is better.  What
 * differs by less than ALIKE is neither.
 */
import {byId, h} from './dom.js';
import {count, day, number, percent, span} from './format.js';
import {periodBefore} from './window.js';

const ALIKE = 0.05;				/* of the greater one */

/* By tile: the figure of /metrics, how it is written, the sign of a change for the better, what it is when the tile has more than one. */
const FIGURES = {
	throughput: ['throughput', count, 1],
	wip: ['wip', number, -1, 'average '],
	started: ['started_wip', number, -1, 'average '],
	p50: ['cycle_time_p50', span, -1],
	p85: ['cycle_time_p85', span, -1],
	p95: ['cycle_time_p95', span, -1],
	efficiency: ['flow_efficiency', percent, 1],
};

export const comparison = () => ({
	frame: {chart: byId('figures'), instead: clear},
	path: 'metrics',
	parameters: of => ({stream: of.stream, type: of.type, attributes: of.attributes, ...periodBefore(of)}),
	show(before, {metrics, zone})
	{
		/* Nothing there yet: a stream that is younger. */
		const nothing = before.arrivals === 0 && before.open_at_since === 0;
		const period = `${day(before.period_start, zone)} to ${day(Date.parse(before.period_end) - 1, zone)}`;

		for (const [key, [figure, write, better, what = '']] of Object.entries(FIGURES))
			tell(line(key), nothing ? null : before[figure], metrics[figure], {write, better, what, period});
	},
});

const line = key => byId('figure-' + key).querySelector('.before');

/* Not the tiles themselves: their figures are there all the same. */
function clear()
{
	for (const key of Object.keys(FIGURES))
		line(key).replaceChildren();
}

function tell(element, before, now, {write, better, what, period})
{
	element.title = period;
	if (before === null)
		return element.replaceChildren('nothing to compare with before');

	const [arrow, verdict, kind] = now === null ? ['', '', ''] : judged(before, now, better);
	const words = `${what}before: ${write(before, now ?? before)} `;

	if (element.textContent === words + arrow + ' ' + verdict)
		return;
	element.replaceChildren(words, h('span', {class: 'change ' + kind}, h('span', {'aria-hidden': 'true'}, arrow), ' ' + verdict));
}

/* Arrow, words, and class. */
function judged(before, now, better)
{
	if (now === before)
		return ['=', 'same', 'same'];
	if (Math.abs(now - before) < ALIKE * Math.max(now, before))
		return ['≈', 'about the same', 'same'];

	const verdict = Math.sign(now - before) === better ? 'better' : 'worse';

	return [now > before ? '▲' : '▼', verdict, verdict];
}
