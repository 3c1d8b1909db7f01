/*
 * throughput.js
 *		The run chart of throughput: items finished per day or week, and their median.
 *
 * The window may cut the first and the last day or week: their dots are hollow, and
 * the median leaves them out.
 */
import {theme} from './colours.js';
import {h} from './dom.js';
import {count, date, items, number, seconds, startOfDay} from './format.js';
import {panel} from './panel.js';
import {draw, erase, fromZero, timeAxis, valueAxis} from './plot.js';

export const throughput = onStep => {
	const choice = h('select', {'aria-label': 'Throughput per', onchange: event => onStep(event.target.value)},
		h('option', {value: 'day'}, 'per day'), h('option', {value: 'week'}, 'per week'));
	const frame = panel('throughput', 'Throughput', 'Items finished, each counted once. A steady line makes forecasts safe.', choice);

	return {
		frame,
		path: 'throughput',
		parameters: ({period, type, stream, step}) => ({stream, type, ...period, step}),
		show(answer, context)
		{
			choice.value = context.step;
			if (answer.buckets.some(bucket => bucket.throughput > 0))
				show(frame, answer, context);
			else
				empty(frame);
		},
	};
};

function empty(frame)
{
	erase(frame.chart);
	frame.instead('Nothing was finished in this window. Choose a longer window or another type.');
}

const DAYS = {day: 1, week: 7};

function show(frame, answer, {zone, step})
{
	const {buckets} = answer, starts = buckets.map(bucket => seconds(startOfDay(bucket.start, zone)));
	const values = buckets.map(bucket => bucket.throughput);
	const whole = buckets.map((bucket, n) => starts[n] >= seconds(answer.since)
		&& seconds(startOfDay(bucket.start, zone, DAYS[step])) <= seconds(answer.until));
	const middle = median(values.filter((_, n) => whole[n])), {axis, tzDate} = timeAxis(zone), {accent, panel: ground} = theme();
	const name = n => (step === 'week' ? 'week from ' : '') + date(buckets[n].start) + (whole[n] ? '' : ' (in part)');

	draw(frame.chart, {
		label: `Throughput per ${step}, by time`, data: [starts, values, values.map(() => middle)], tzDate, axes: [axis, valueAxis('items', true)],
		scales: {x: {range: (u, least, most) => [least - DAYS[step] * 43200, most + DAYS[step] * 43200]}, y: {range: fromZero}},
		series: [{}, {stroke: accent, width: 2, points: {show: false}}, {stroke: theme().of('--p85'), width: 1.5, dash: [6, 4], points: {show: false}}],
		hooks: {draw: [u => ends(u, starts, values, whole, accent, ground)]},
		marks: () => buckets.map((bucket, n) => ({x: starts[n], y: values[n], lines: [name(n), items(bucket.throughput)]})),
	});
	frame.shown({
		keys: [[accent, `Items per ${step}`, 'line'], ...middle === null ? [] : [[theme().of('--p85'), `Median ${number(middle)}`, 'line p85']]],
		remark: whole.includes(false) ? `Hollow: the window holds only a part of that ${step}; the median leaves it out.` : '',
		rows: [[step === 'week' ? 'Week' : 'Day', 'Items'], ...buckets.map((bucket, n) => [name(n), count(bucket.throughput)])],
	});
}

function median(values)
{
	const sorted = values.toSorted((a, b) => a - b), middle = sorted.length / 2;

	if (sorted.length === 0)
		return null;
	return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function ends({ctx, valToPos}, xs, ys, whole, colour, ground)
{
	ctx.save();
	ctx.strokeStyle = colour;
	ctx.lineWidth = 2 * devicePixelRatio;
	ctx.setLineDash([]);
	xs.forEach((x, n) => {
		ctx.beginPath();
		ctx.arc(valToPos(x, 'x', true), valToPos(ys[n], 'y', true), 3 * devicePixelRatio, 0, 2 * Math.PI);
		ctx.fillStyle = whole[n] ? colour : ground;
		ctx.fill();
		ctx.stroke();
	});
	ctx.restore();
}
