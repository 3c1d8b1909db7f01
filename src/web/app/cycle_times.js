/*
 * cycle_times.js
 *		Cycle times of finished items: each as a dot, and how often each length came.
 *
 * Both charts are of the same answer.  The percentiles are of all items of the
 * window; the dots are the latest POINTS of them.  The service level expectation is
 * that of the end of the window.
 */
import {get} from './api.js';
import {behaviour} from './behaviour.js';
import {stepOf} from './buckets.js';
import {PERCENTILES, theme} from './colours.js';
import {expectation, expected, levelOf} from './expectation.js';
import {count, dated, hours, idOf, instant, items, seconds, span, unitFor} from './format.js';
import {panel} from './panel.js';
import {dots, draw, erase, levelLine, percentileLines, timeAxis, uPlot, valueAxis} from './plot.js';

const POINTS = 5000;
const TALL = 2.5;				/* dots beyond so many times P95 stand at the upper edge, as triangles */
const WIDTHS = [0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 12, 24, 48, 72, 96, 120, 168, 336, 720, 1440, 2880, 8760];

/* choose(change) takes what is chosen. */
export const cycleTimes = choose => {
	const limits = behaviour('cycle_time', 'Average cycle time', choose);
	const scatter = panel('cycle-times', 'Cycle time scatter',
		'Each dot is a finished item: when it was done, and how long it took from start to finish. Click one for its history.', limits.button);
	const histogram = panel('histogram', 'Cycle time histogram',
		'How many items took how long. A long tail to the right makes promises risky.');

	return {
		frame: scatter,
		more: [histogram],
		async ask(of, signal)
		{
			const {period, type, stream, attributes} = of;
			const asked = {stream, type, attributes, ...period};
			const [answer, sle, behaves] = await Promise.all([get('cycle-times', {...asked, limit: POINTS}, signal), expectation(of, signal),
				limits.ask(of, {...asked, step: stepOf(period)}, signal)]);

			return {...answer, sle, behaves};
		},
		show(answer, context)
		{
			const points = answer.points.filter(point => point.cycle_time_hours !== null);

			if (points.length === 0)
			{
				[scatter, histogram].forEach(empty);
				return;
			}
			if (!limits.show(scatter, answer.behaves, context))
				showScatter(scatter, answer, points, context);
			showHistogram(histogram, answer, points);
		},
	};
};

function empty(frame)
{
	erase(frame.chart);
	frame.instead('No item that was started has been finished in this window. Choose a longer window or another type.');
}

const keys = answer => PERCENTILES.map(({name, key, colour}) => [theme().of(colour), `${name} ${span(answer[key])}`, 'line ' + key]);

const edges = (u, least, most) => [least - (most - least) * 0.015, most + (most - least) * 0.015 + 1];

const remark = (answer, points) => points.length < answer.n ?
	`The latest ${count(points.length)} of ${items(answer.n)}; the percentiles are of all of them.` : `n = ${count(answer.n)}.`;

function showScatter(frame, answer, points, {zone, open})
{
	const xs = points.map(point => seconds(point.completed_at)), most = Math.max(...points.map(point => point.cycle_time_hours));
	const reach = Math.max(1 / 60, most > answer.p95 * TALL ? answer.p95 * TALL : most), within = answer.sle.elapsed_hours;
	const top = within !== null && within > reach && within < reach * 2 ? within : reach, unit = unitFor(top);
	const ys = points.map(point => Math.min(point.cycle_time_hours, top * 1.03) / unit.hours);
	const beyond = points.map(point => point.cycle_time_hours > top);
	const {axis, tzDate} = timeAxis(zone), {accent} = theme(), n = beyond.filter(Boolean).length;

	draw(frame.chart, {
		label: 'Cycle times, by the time of completion', data: [xs, ys], tzDate, along: 'both', axes: [axis, valueAxis(unit.name)],
		scales: {x: {range: edges}, y: {range: () => [0, top / unit.hours * 1.07]}}, series: [{}, {paths: () => null, points: {show: false}}],
		hooks: {draw: [dots(xs, ys, () => accent, {shapeOf: i => beyond[i] ? 'triangle' : 'circle'}), levelLine(levelOf(answer.sle, unit)), percentileLines(answer, 'y', unit)]},
		marks: () => points.map((point, i) => ({x: xs[i], y: ys[i], open: () => open(point), lines: [
			point.title, `${idOf(point)}, ${point.type}`, `cycle time ${hours(point.cycle_time_hours)} (${span(point.cycle_time_hours)})`,
			`lead time ${hours(point.lead_time_hours)}`, 'done ' + instant(point.completed_at, zone)]})),
	});
	frame.shown({
		keys: [...keys(answer), ...within === null ? [] : [[theme().text, expected(answer.sle), 'line sle']]],
		remark: remark(answer, points) + (n > 0 ? ` ▲: ${items(n)} that took longer than the chart is high, up to ${span(most)}.` : ''),
		rows: [['Item', 'Title', 'Type', 'Done', 'Cycle time', 'Lead time'], ...points.toReversed().map(point => [
			idOf(point), point.title, point.type, dated(instant(point.completed_at, zone), point.completed_at), hours(point.cycle_time_hours), hours(point.lead_time_hours)])],
	});
}

/* Whole steps; what is far beyond P95 is counted together in the last one. */
function bins(values, p95)
{
	const most = Math.max(...values), end = Math.min(most, Math.max(p95 * 1.6, most / 4));
	const width = WIDTHS.find(step => end / step <= 24) ?? WIDTHS.at(-1), n = Math.floor(end / width) + 1;
	const counts = new Array(n).fill(0);

	for (const value of values)
		counts[Math.min(n - 1, Math.floor(value / width))]++;
	return {width, counts, open: most >= n * width};
}

function showHistogram(frame, answer, points)
{
	const {width, counts, open} = bins(points.map(point => point.cycle_time_hours), answer.p95);
	const unit = unitFor(width * counts.length), step = width / unit.hours, {accent, panel: ground} = theme();
	const xs = counts.map((_, n) => (n + 0.5) * step);
	const name = n => n === counts.length - 1 && open ? `${span(n * width)} or more` : `${span(n * width)} to under ${span((n + 1) * width)}`;

	draw(frame.chart, {
		label: 'Histogram of cycle times, by length', data: [xs, counts],
		axes: [{...valueAxis(unit.name), size: 28, space: 40}, valueAxis('items', true)],
		scales: {x: {time: false, range: () => [0, counts.length * step]}, y: {range: (u, least, most) => [0, most * 1.25]}},
		series: [{}, {fill: accent, stroke: ground, width: 1, points: {show: false}, paths: uPlot.paths.bars({size: [1, Infinity], align: 0})}],
		hooks: {draw: [percentileLines(answer, 'x', unit)]},
		marks: () => counts.map((n, i) => ({x: xs[i], y: n, lines: [name(i), items(n)]})),
	});
	frame.shown({
		keys: keys(answer), remark: remark(answer, points) + (open ? ` The last bar: ${name(counts.length - 1)}.` : ''),
		rows: [['Cycle time', 'Items'], ...counts.map((n, i) => [name(i), count(n)])],
	});
}
