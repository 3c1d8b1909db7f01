/*
 * age.js
 *		The age of started WIP, by stage, against what finished work took.
 *
 * Ages are since the start.  The bands are the percentiles of the window's cycle
 * times: an item above P85 is already older than 85 % of the finished ones became.
 */
import {PERCENTILES, theme} from './colours.js';
import {hours, items, span, unitFor} from './format.js';
import {panel} from './panel.js';
import {dots, draw, erase, fromZero, percentileLines, valueAxis} from './plot.js';
import {isWip} from './stages.js';

const ITEMS = 1000;

export const age = () => {
	const frame = panel('age', 'Work item age',
		'Started WIP now, by stage, and how long ago it was started. Items above P85 need a look today.');

	return {
		frame,
		path: 'work-item-age',
		parameters: ({type, stream}) => ({stream, type, limit: ITEMS}),
		show(answer, context)
		{
			const started = answer.filter(item => item.age_hours !== null);

			if (started.length > 0)
				show(frame, answer, started, context);
			else
			{
				erase(frame.chart);
				frame.instead('There is no started WIP: every item that was started is finished or discarded. Move one past the commitment point on the board.');
			}
		},
	};
};

/* A dot's place within its stage: spread evenly, the same each time. */
const spread = id => (id * 0.618034 % 1 - 0.5) * 0.7;

function show(frame, answer, started, {stages, figures, type})
{
	const open = stages.filter(isWip), place = new Map(open.map((stage, n) => [stage.name, n]));
	const shown = started.filter(item => place.has(item.stage)).toSorted((a, b) => place.get(a.stage) - place.get(b.stage) || b.age_hours - a.age_hours);
	const percentiles = {p50: figures.p50, p85: figures.p85, p95: figures.p95};
	const unit = unitFor(Math.max(...shown.map(item => item.age_hours), percentiles.p95 ?? 0)), colours = theme();
	const xs = shown.map(item => place.get(item.stage) + spread(item.id)), ys = shown.map(item => item.age_hours / unit.hours);
	const standing = item => PERCENTILES.filter(({key}) => percentiles[key] !== null && item.age_hours > percentiles[key]).at(-1);
	const colourOf = i => ({P85: colours.of('--p85'), P95: colours.of('--p95')}[standing(shown[i])?.name] ?? colours.accent);
	const verdict = item => standing(item) ? `older than the ${standing(item).name} of finished items` : 'younger than the median of finished items';

	draw(frame.chart, {
		label: 'Age of started WIP, by stage', data: [xs, ys], along: 'both',
		axes: [stageAxis(open), valueAxis(unit.name)],
		scales: {x: {time: false, range: () => [-0.5, open.length - 0.5]},
			y: {range: () => fromZero(null, 0, Math.max(...ys, (percentiles.p95 ?? 0) / unit.hours))}},
		series: [{}, {paths: () => null, points: {show: false}}],
		hooks: {drawClear: [bands(percentiles, unit)], draw: [dots(xs, ys, colourOf, {radius: 3.2}), percentileLines(percentiles, 'y', unit)]},
		marks: () => shown.map((item, i) => ({x: xs[i], y: ys[i], lines: [
			item.title, `#${item.id}, ${item.type}, in ${item.stage}`, `started ${hours(item.age_hours)} ago (${span(item.age_hours)})`, verdict(item)]})),
	});

	const late = shown.filter(item => percentiles.p85 !== null && item.age_hours > percentiles.p85).length;
	const idle = answer.length - started.length;

	frame.shown({
		keys: [[colours.accent, 'up to P85', 'dot'], [colours.of('--p85'), 'above P85', 'dot'], [colours.of('--p95'), 'above P95', 'dot']],
		remark: `Started WIP${type ? ' of type ' + type : ''}: ${items(shown.length)}, ${late} above P85${idle > 0 ? `; ${idle} more of the WIP not started yet` : ''}`
			+ (answer.length === ITEMS ? `; only the oldest ${ITEMS} are looked at.` : '.'),
		rows: [['Item', 'Title', 'Type', 'Stage', 'Age', 'In this stage'], ...started.map(item => [
			'#' + item.id, item.title, item.type, item.stage, hours(item.age_hours), hours(item.time_in_stage_hours)])],
	});
}

/* Names of stages below their columns, cut where they would touch. */
function stageAxis(open)
{
	return {
		size: 28, splits: () => open.map((_, n) => n), grid: {show: false}, space: 1,
		values: u => {
			const room = Math.floor(u.bbox.width / devicePixelRatio / open.length / 6.8) - 1;

			return open.map(({name}) => name.length <= room ? name : name.slice(0, Math.max(1, room - 1)) + '…');
		},
	};
}

/* The ground between the percentiles, the warmer the older. */
function bands(percentiles, unit)
{
	return u => {
		const {ctx, bbox} = u, colours = theme();
		const edge = hours => Math.max(bbox.top, Math.min(bbox.top + bbox.height, u.valToPos(hours / unit.hours, 'y', true)));

		if (percentiles.p50 === null)
			return;
		ctx.save();
		ctx.globalAlpha = 0.1;
		[
			['--p50', 0, percentiles.p50], ['--accent', percentiles.p50, percentiles.p85],
			['--p85', percentiles.p85, percentiles.p95], ['--p95', percentiles.p95, Infinity],
		].forEach(([colour, from, to]) => {
			const top = to === Infinity ? bbox.top : edge(to);

			ctx.fillStyle = colours.of(colour);
			ctx.fillRect(bbox.left, top, bbox.width, edge(from) - top);
		});
		ctx.restore();
	};
}
