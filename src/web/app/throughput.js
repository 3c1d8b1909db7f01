/*
 * throughput.js
 *		The run chart of throughput: items finished per day or week, and their median.
 *
 * The window may cut the first and the last day or week: their dots are hollow, and
 * the median leaves them out.
 */
import {get} from './api.js';
import {behaviour} from './behaviour.js';
import {around, headOf, hollowMeans, isWhole, nameOf, PARTLY} from './buckets.js';
import {theme} from './colours.js';
import {h} from './dom.js';
import {count, dated, items, number, seconds, startOfDay} from './format.js';
import {panel} from './panel.js';
import {dots, draw, erase, fromZero, timeAxis, valueAxis} from './plot.js';

export const throughput = choose => {
	const limits = behaviour('throughput', 'Throughput', choose);
	const choice = h('select', {'aria-label': 'Throughput per', onchange: event => choose({step: event.target.value})},
		h('option', {value: 'day'}, 'per day'), h('option', {value: 'week'}, 'per week'));
	const frame = panel('throughput', 'Throughput', 'Items finished, each counted once. A steady line makes forecasts safe.', limits.button, choice);

	return {
		frame,
		async ask(of, signal)
		{
			const {stream, type, attributes, period, step} = of, asked = {stream, type, attributes, ...period, step};
			const [answer, behaves] = await Promise.all([get('throughput', asked, signal), limits.ask(of, asked, signal)]);

			return {...answer, behaves};
		},
		show(answer, context)
		{
			choice.value = context.step;
			if (!answer.buckets.some(bucket => bucket.throughput > 0))
				empty(frame);
			else if (!limits.show(frame, answer.behaves, context))
				show(frame, answer, context);
		},
	};
};

function empty(frame)
{
	erase(frame.chart);
	frame.instead('Nothing was finished in this window. Choose a longer window or another type.');
}

function show(frame, answer, {zone, step})
{
	const {buckets} = answer, starts = buckets.map(bucket => seconds(startOfDay(bucket.start, zone)));
	const values = buckets.map(bucket => bucket.throughput);
	const whole = buckets.map(bucket => isWhole(bucket.start, step, zone, answer));
	const middle = median(values.filter((_, n) => whole[n])), {axis, tzDate} = timeAxis(zone, step === 'week' ? starts : null), {accent} = theme();
	const name = n => nameOf(buckets[n].start, step) + (whole[n] ? '' : PARTLY);

	draw(frame.chart, {
		label: `Throughput per ${step}, by time`, data: [starts, values, values.map(() => middle)], tzDate, axes: [axis, valueAxis('items', true)],
		scales: {x: {range: around(step)}, y: {range: fromZero}},
		series: [{}, {stroke: accent, width: 2, points: {show: false}}, {stroke: theme().of('--p85'), width: 1.5, dash: [6, 4], points: {show: false}}],
		hooks: {draw: [dots(starts, values, () => accent, {radius: 3, alpha: 1, hollow: n => !whole[n]})]},
		marks: () => buckets.map((bucket, n) => ({x: starts[n], y: values[n], lines: [name(n), items(bucket.throughput)]})),
	});
	frame.shown({
		keys: [[accent, `Items per ${step}`, 'line'], ...middle === null ? [] : [[theme().of('--p85'), `Median ${number(middle)}`, 'line p85']]],
		remark: whole.includes(false) ? `${hollowMeans(step)}; the median leaves it out.` : '',
		rows: [[headOf(step), 'Items'], ...buckets.map((bucket, n) => [dated(name(n), bucket.start), count(bucket.throughput)])],
	});
}

function median(values)
{
	const sorted = values.toSorted((a, b) => a - b), middle = sorted.length / 2;

	if (sorted.length === 0)
		return null;
	return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}
