/*
 * age.js
 *		The age of started WIP, by stage, against what finished work took, and against its pace.
 *
 * Ages are since the start.  The bands of a stage are the pace of finished items: how old they
 * were when they left it.  The lines, and the colours of dots, are the percentiles of the
 * window's cycle times: an item above P85 is already older than 85 % of the finished ones
 * became.  Of a log that has ended, all is as of its last day.
 */
import {get} from './api.js';
import {PERCENTILES, theme} from './colours.js';
import {dateOf, day, exactPercent, hours, idOf, items, percent, span, unitFor} from './format.js';
import {panel} from './panel.js';
import {dots, draw, erase, fromZero, percentileLines, twoLines, valueAxis} from './plot.js';
import {isWip} from './stages.js';
import {asOf} from './window.js';

const ITEMS = 1000;
const AXIS = 80;				/* pixels */
const NARROW = 72;				/* pixels of a stage in which a cut name says little */
const HISTORY_DAYS = 90;		/* whose finished items pace and risk are of */

/* From the bottom: colour, lower and upper edge, name. */
const BANDS = [
	['--p50', null, 'p50', 'pace to P50'], ['--accent', 'p50', 'p70', 'pace to P70'], ['--p70', 'p70', 'p85', 'pace to P85'], ['--p85', 'p85', 'p95', 'pace to P95'],
	['--p95', 'p95', null, 'pace beyond P95'],
];

export const age = () => {
	const frame = panel('age', 'Work item age',
		'Started WIP, by stage, and how long ago it was started. Lines, and the colours of dots: against the cycle times of finished items. Bands: against their pace, which is how old they were '
		+ 'when they left the stage. Items above a P85, of line or band, need a look today: click one for its history.');

	return {
		frame,
		async ask(of, signal)
		{
			const {stream, type, attributes, zone} = of, at = asOf(of), today = dateOf(new Date(at ?? Date.now()), zone);
			const since = new Date(Date.parse(today) - HISTORY_DAYS * 86400000).toISOString().slice(0, 10);
			const [aged, pace] = await Promise.all([
				get('work-item-age', {stream, type, attributes, at, history_days: HISTORY_DAYS, limit: ITEMS}, signal),
				get('stage-pace', {stream, type, attributes, since, until: at}, signal)]);

			return {aged, pace};
		},
		show({aged, pace}, context)
		{
			const started = aged.filter(item => item.age_hours !== null);

			if (started.length > 0)
				show(frame, aged, started, pace, context);
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

/* What an item's figures say beside its age. */
const outlook = ({pace, risk, stage, block_reason: reason, blocked_hours: blocked}) => [
	pace !== null && `slower than ${percent(pace)} of the finished items, which had left ${stage} by this age`,
	risk !== null && `risk of missing the service level expectation: ${percent(risk)}`,
	reason !== null ? `blocked: ${reason}` : blocked > 0 && `was blocked for ${span(blocked)}`].filter(Boolean);

function show(frame, aged, started, pace, context)
{
	const {stages, figures, type, zone, open: openItem} = context;
	const open = stages.filter(isWip), place = new Map(open.map((stage, n) => [stage.name, n]));
	const shown = started.filter(item => place.has(item.stage)).toSorted((a, b) => place.get(a.stage) - place.get(b.stage) || b.age_hours - a.age_hours);
	const percentiles = {p50: figures.p50, p85: figures.p85, p95: figures.p95}, paces = pace.filter(({stage, n}) => n > 0 && place.has(stage));
	const most = Math.max(...shown.map(item => item.age_hours), percentiles.p95 ?? 0, ...paces.map(({p95}) => p95)), unit = unitFor(most), colours = theme();
	const xs = shown.map(item => place.get(item.stage) + spread(item.id)), ys = shown.map(item => item.age_hours / unit.hours);
	const numbered = needNumbers(open, frame.chart.clientWidth);
	const standing = item => PERCENTILES.filter(({key}) => percentiles[key] !== null && item.age_hours > percentiles[key]).at(-1);
	const colourOf = i => ({P85: colours.of('--p85'), P95: colours.of('--p95')}[standing(shown[i])?.name] ?? colours.accent);
	const shapeOf = i => shown[i].block_reason === null ? 'circle' : 'diamond';
	const verdict = item => standing(item) ? `older than the ${standing(item).name} of finished items` : 'younger than the median of finished items';

	draw(frame.chart, {
		label: 'Age of started WIP, by stage', data: [xs, ys], along: 'both',
		axes: [stageAxis(open, numbered), valueAxis(unit.name)],
		scales: {x: {time: false, range: () => [-0.5, open.length - 0.5]}, y: {range: () => fromZero(null, 0, most / unit.hours)}},
		series: [{}, {paths: () => null, points: {show: false}}],
		hooks: {drawClear: [bands(paces, place, unit)], draw: [dots(xs, ys, colourOf, {radius: 3.2, shapeOf}), percentileLines(percentiles, 'y', unit)]},
		marks: () => shown.map((item, i) => ({x: xs[i], y: ys[i], open: () => openItem(item), lines: [
			item.title, `${idOf(item)}, ${item.type}, in ${item.stage}`, `started ${hours(item.age_hours)} ago (${span(item.age_hours)})`, verdict(item), ...outlook(item)]})),
	});

	const late = shown.filter(item => percentiles.p85 !== null && item.age_hours > percentiles.p85).length;
	const idle = aged.length - started.length, blocked = shown.filter(item => item.block_reason !== null).length, end = asOf(context);

	frame.shown({
		keys: [[colours.accent, 'up to P85 of cycle times', 'dot'], [colours.of('--p85'), 'above their P85', 'dot'], [colours.of('--p95'), 'above their P95', 'dot'],
			...blocked > 0 ? [[colours.soft, 'blocked', 'diamond']] : [], ...paces.length > 0 ? BANDS.map(([colour, , , name]) => [colours.of(colour), name, 'band']) : []],
		remark: `Started WIP${type ? ' of type ' + type : ''}${end === null ? '' : ` at the end of ${day(Date.parse(end) - 1, zone)}`}: ${items(shown.length)}, ${late} above P85 of cycle times`
			+ `${blocked > 0 ? `, ${blocked} blocked` : ''}${idle > 0 ? `; ${idle} more of the WIP not started yet` : ''}`
			+ (aged.length === ITEMS ? `; only the oldest ${ITEMS} are looked at.` : '.')
			+ (numbered ? ` Stages: ${open.map(({name}, n) => `${n + 1} ${name}`).join(', ')}.` : '')
			+ (paces.length > 0 ? ` Bands: how old the items finished in ${HISTORY_DAYS} days were when they left the stage.` : ''),
		rows: [['Item', 'Title', 'Type', 'Stage', 'Age', 'In this stage', 'Slower than', 'Risk of missing the SLE', 'Blocked', 'Blocked by'], ...started.map(item => [
			idOf(item), item.title, item.type, item.stage, hours(item.age_hours), hours(item.time_in_stage_hours), exactPercent(item.pace), exactPercent(item.risk),
			hours(item.blocked_hours), item.block_reason ?? ''])],
		also: [['Age at which finished items left each stage', [['Stage', 'Items', 'P50', 'P70', 'P85', 'P95'],
			...pace.map(({stage, n, p50, p70, p85, p95}) => [stage, String(n), ...[p50, p70, p85, p95].map(hours)])]]],
	});
}

/* Names of stages below their columns, in two lines and cut where they would touch; or numbers, which the note explains. */
function stageAxis(open, numbered)
{
	return {
		size: numbered ? 26 : 42, splits: () => open.map((_, n) => n), grid: {show: false}, space: 1,
		values: u => numbered ? open.map((_, n) => String(n + 1)) : labels(open, u.bbox.width / devicePixelRatio),
	};
}

const labels = (open, width) => open.map(({name}) => twoLines(name, width / open.length - 8).join('\n'));

/* Would names be cut to a few letters, or to the same ones?  The axis on the left takes some of the width. */
function needNumbers(open, width)
{
	const room = width - AXIS, written = labels(open, room), cut = written.some((label, n) => label.replaceAll('\n', ' ') !== open[n].name);

	return cut && room / open.length < NARROW || new Set(written).size < open.length;
}

/* The ground behind each stage, the warmer the slower. */
function bands(paces, place, unit)
{
	return u => {
		const {ctx, bbox} = u, colours = theme(), width = bbox.width / place.size;
		const edge = hours => Math.max(bbox.top, u.valToPos(hours / unit.hours, 'y', true));

		ctx.save();
		for (const pace of paces)
			for (const [colour, from, to] of BANDS)
			{
				const top = to === null ? bbox.top : edge(pace[to]), bottom = from === null ? bbox.top + bbox.height : edge(pace[from]);

				ctx.fillStyle = colours.of(colour);
				ctx.globalAlpha = 0.2;
				ctx.fillRect(bbox.left + place.get(pace.stage) * width + 1, top, width - 2, bottom - top);
			}
		ctx.restore();
	};
}
