/*
 * conformance.js
 *		The service level expectation: how many of the finished items were within it, over the window and by bucket.
 *
 * An item of a type with an expectation of its own is judged by that one; what was set later judges nothing.  The bars
 * of the first and the last day or week are hollow where the window cuts them.
 */
import {headOf, hollowMeans, isWhole, lengthOf, nameOf, PARTLY} from './buckets.js';
import {theme} from './colours.js';
import {h} from './dom.js';
import {expectation, expected} from './expectation.js';
import {count, dated, exactPercent, hours, items, percent, seconds, span, startOfDay} from './format.js';
import {panel} from './panel.js';
import {draw, erase, levelLine, timeAxis, uPlot, valueAxis} from './plot.js';
import {sleDialog} from './sle_dialog.js';

/* changed(): an expectation was set or taken back. */
export const conformance = changed => {
	let context = null;
	const dialog = sleDialog(changed), set = () => dialog.open(context);
	const button = h('button', {type: 'button', class: 'quiet small', onclick: set}, 'Set expectation');
	const frame = panel('conformance', 'Service level expectation',
		'The promise: a share of the items is finished within a time. How often it was kept, by what was expected of each item\'s type on the day on which it was finished.', button);
	const overall = h('p', {class: 'overall'});

	frame.section.querySelector('.about').after(overall);
	return {
		frame,
		refused: () => overall.replaceChildren(),
		ask: expectation,
		show(answer, of)
		{
			context = of;
			if (answer.items > 0)
			{
				tellOverall(overall, answer);
				return show(frame, answer, of);
			}
			overall.replaceChildren();
			erase(frame.chart);
			frame.instead(...none(answer, of, set));
		},
	};
};

function none({elapsed_hours: within, unjudged}, {figures}, set)
{
	if (within !== null && unjudged > 0)
		return [`Nothing was expected yet when the ${items(unjudged)} of this window were finished. The expectation holds from now on.`];
	if (within !== null)
		return ['Nothing was finished in this window. Choose a longer window or another type.'];
	return ['No service level expectation is set.',
		h('p', null, figures.p85 === null ? 'Finish some items first: what they took is a promise to start with.'
			: `85 % of the items of this window took ${span(figures.p85)} or less (P85): a promise to start with.`),
		h('button', {type: 'button', onclick: set}, 'Set one')];
}

function tellOverall(element, answer)
{
	const kept = answer.share >= answer.probability;

	element.replaceChildren(h('strong', {class: 'big'}, percent(answer.share)), ` of ${items(answer.items)} within it `,
		answer.probability !== null && h('span', {class: 'change ' + (kept ? 'better' : 'worse')}, kept ? '✓ kept' : '✗ missed'));
}

function show(frame, answer, {period, zone})
{
	const {buckets, step} = answer, day = lengthOf(step), starts = buckets.map(bucket => seconds(startOfDay(bucket.start, zone)));
	const {axis, tzDate} = timeAxis(zone, step === 'week' ? starts : null), {accent, panel: ground, text} = theme(), xs = starts.map(start => start + day / 2);
	const whole = buckets.map(bucket => isWhole(bucket.start, step, zone, period)), name = n => nameOf(buckets[n].start, step) + (whole[n] ? '' : PARTLY);
	const shares = of => buckets.map(({share}, n) => share === null || whole[n] !== of ? null : share * 100);
	const bars = how => ({width: 1, points: {show: false}, paths: uPlot.paths.bars({size: [0.7, 64], align: 0}), ...how});
	const says = bucket => bucket.items === 0 ? 'nothing to judge' : `${percent(bucket.share)}: ${count(bucket.within)} of ${items(bucket.items)}`;
	const level = answer.probability === null ? null : {at: answer.probability * 100, name: `expected ${percent(answer.probability)}`};

	draw(frame.chart, {
		label: `Share of items within the service level expectation, per ${step}`, data: [xs, shares(true), shares(false)],
		tzDate, axes: [axis, valueAxis('% within')],
		scales: {x: {range: () => [xs[0] - day * 0.6, xs.at(-1) + day * 0.6]}, y: {range: () => [0, 112]}},
		series: [{}, bars({fill: accent, stroke: ground}), bars({fill: ground, stroke: accent, width: 2})],
		hooks: {draw: [levelLine(level)]},
		marks: () => buckets.map((bucket, n) => ({x: xs[n], y: (bucket.share ?? 0) * 100, lines: [name(n), says(bucket),
			bucket.elapsed_hours === null ? 'nothing expected' : expected(bucket)]})),
	});
	frame.shown({
		keys: [[accent, `Within, per ${step}`, 'box'], ...level ? [[text, expected(answer), 'line sle']] : []],
		remark: [answer.unjudged > 0 && `${items(answer.unjudged)} more cannot be judged: never started, or finished when nothing was expected.`,
			buckets.some(({share}, n) => share !== null && !whole[n]) && hollowMeans(step) + '.'].filter(Boolean).join(' '),
		rows: [[headOf(step), 'Items', 'Within', 'Share', 'Expected within', 'Of'], ...buckets.map((bucket, n) => [
			dated(name(n), bucket.start), count(bucket.items), count(bucket.within), exactPercent(bucket.share), hours(bucket.elapsed_hours), exactPercent(bucket.probability)])],
	});
}
