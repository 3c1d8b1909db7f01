/*
 * balance.js
 *		Arrivals and departures by day or week, and the run chart of WIP: both of one answer; and what Little's Law says of them.
 *
 * The window may cut the first and the last day or week: their arrivals and departures are hollow dots.
 */
import {get} from './api.js';
import {behaviour} from './behaviour.js';
import {headOf, hollowMeans, isWhole, nameOf, PARTLY, stepOf} from './buckets.js';
import {theme} from './colours.js';
import {count, dated, hours, rounded, seconds, startOfDay} from './format.js';
import {panel} from './panel.js';
import {dots, draw, erase, timeAxis, valueAxis} from './plot.js';

/* choose(change) takes what is chosen. */
export const balance = choose => {
	const wipLimits = behaviour('wip', 'Work in progress', choose), ageLimits = behaviour('total_age', 'Total age', choose);
	const frame = panel('arrivals', 'Arrivals and departures', 'What comes in and what goes out. Where more comes in than goes out, work piles up.');
	const wip = panel('run-chart', 'Work in progress over time', 'WIP and started WIP at the end of each day or week. They should not climb.', wipLimits.button);
	const age = panel('total-age', 'Total work item age', 'The ages of all started work together. It grows by a day for each item and day: finishing is what lowers it.', ageLimits.button);

	return {
		frame,
		more: [wip, age],
		async ask(of, signal)
		{
			const {stream, type, attributes, period} = of, window = {stream, type, attributes, ...period}, asked = {...window, step: stepOf(period)};
			const [flow, law, wipBehaves, ageBehaves] = await Promise.all([get('flow-balance', asked, signal), get('littles-law', window, signal),
				wipLimits.ask(of, asked, signal), ageLimits.ask(of, asked, signal)]);

			return {...flow, law, wipBehaves, ageBehaves};
		},
		show(answer, context)
		{
			const {accent, text} = theme(), series = [
				[frame, null, null, 'items', [['Arrivals', 'arrivals', accent], ['Departures', 'departures', text]], answer.law.sentence],
				[wip, wipLimits, answer.wipBehaves, 'items', [['WIP', 'open', accent], ['Started WIP', 'started', text]], ''],
				[age, ageLimits, answer.ageBehaves, 'days', [['Total age', 'total_age_hours', accent]], '']];

			for (const [chart, limits, behaves, unit, lines, remark] of series)
				if (answer.buckets.length === 0)
					empty(chart);
				else if (!limits?.show(chart, behaves, context))
					show(chart, answer, context, {unit, lines, remark, cut: chart === frame});
		},
	};
};

function empty(frame)
{
	erase(frame.chart);
	frame.instead('The window is empty.');
}

/* cut: what a bucket counts is less where the window cuts it. */
function show(frame, {buckets, step}, {period, zone}, {unit, lines, remark, cut})
{
	const xs = buckets.map(bucket => seconds(startOfDay(bucket.start, zone))), {axis, tzDate} = timeAxis(zone, step === 'week' ? xs : null);
	const scale = unit === 'days' ? 24 : 1, of = (bucket, key) => bucket[key] === null ? null : bucket[key] / scale;
	const written = (bucket, key) => unit === 'days' ? rounded(of(bucket, key)) + ' days' : count(bucket[key]);
	const exact = (bucket, key) => unit === 'days' ? hours(bucket[key]) : count(bucket[key]);
	const most = Math.max(1, ...buckets.flatMap(bucket => lines.map(([, key]) => of(bucket, key) ?? 0)));
	const whole = buckets.map(bucket => !cut || isWhole(bucket.start, step, zone, period)), {length} = buckets;
	const name = n => nameOf(buckets[n].start, step) + (whole[n] ? '' : PARTLY);

	draw(frame.chart, {
		label: lines.map(([title]) => title).join(', ') + ', by time', data: [xs, ...lines.map(([, key]) => buckets.map(bucket => of(bucket, key)))], tzDate, along: 'x',
		axes: [axis, valueAxis(unit)], scales: {y: {range: () => [0, most * 1.06]}},
		series: [{}, ...lines.map(([title, , colour], n) => ({label: title, stroke: colour, width: 2, dash: n === 1 ? [6, 3] : undefined, points: {show: false}}))],
		hooks: {draw: lines.map(([, key, colour]) => dots(xs, buckets.map((bucket, n) => length < 40 || !whole[n] ? of(bucket, key) : null), () => colour,
			{alpha: 1, hollow: n => !whole[n]}))},
		marks: () => buckets.map((bucket, i) => ({x: xs[i], y: of(bucket, lines[0][1]) ?? 0, lines: [name(i), ...lines.map(([title, key]) => `${title}: ${written(bucket, key)}`)]})),
	});
	frame.shown({
		keys: lines.map(([title, , colour], n) => [colour, title, n === 1 ? 'line p85' : 'line']),
		remark: [remark, whole.includes(false) && hollowMeans(step) + '.'].filter(Boolean).join(' '),
		rows: [[headOf(step), ...lines.map(([title]) => title)], ...buckets.map((bucket, n) => [
			dated(name(n), bucket.start), ...lines.map(([, key]) => exact(bucket, key))])],
	});
}
