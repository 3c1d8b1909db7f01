/*
 * cumulative_flow.js
 *		The cumulative flow diagram: how many items had got to each stage or further, and when.
 *
 * The bands' height is the work that was between two stages, their width about the
 * time it took.  The axis begins near what was done before the window, as only
 * differences matter.  What was discarded is no further on than anything else, so it
 * is no band but a dashed line of its own axis, on the right, of the same scale.
 */
import {stageColours, theme} from './colours.js';
import {count, dated, instant, seconds} from './format.js';
import {panel} from './panel.js';
import {draw, erase, timeAxis, valueAxis} from './plot.js';
import {isDiscarded} from './stages.js';

const STEPS = [[3, '3 hours'], [6, '6 hours'], [12, '12 hours'], [24, '1 day'], [48, '2 days'], [168, '1 week'], [336, '2 weeks']];
const POINTS = 48;
const DASHES = [{dash: [6, 4], legend: 'line p85'}, {dash: [2, 3], legend: 'line p50'}];

export const cumulativeFlow = () => {
	const frame = panel('cumulative-flow', 'Cumulative flow',
		'Items that had got to each stage or further. A band that grows taller is work piling up in that stage.');

	return {
		frame,
		path: 'cumulative-flow',
		parameters: ({period, type, stream, days}) => ({stream, type, ...period, ...days > 0 && stepsUpTo(period), step: stepFor(period)}),
		show: (flow, {stages, zone}) => flow.points.some(({values}) => values.some(n => n > 0)) ? showFlow(frame, flow, stages, zone) : empty(frame),
	};
};

const stepFor = period => stepOf(period)[1];

function stepOf({since, until})
{
	const hours = (seconds(until) - seconds(since)) / 3600;

	return STEPS.find(([step]) => hours / step <= POINTS) ?? STEPS.at(-1);
}

/* A window up to now has its last point now: where its length is no number of steps, the first point lies before it. */
function stepsUpTo(period)
{
	const step = stepOf(period)[0] * 3600000, steps = (Date.parse(period.until) - Date.parse(period.since)) / step;

	return Number.isInteger(steps) ? {} : {since: new Date(Date.parse(period.until) - Math.ceil(steps) * step).toISOString()};
}

function empty(frame)
{
	erase(frame.chart);
	frame.instead('No work item had been created by the end of this window. Choose a later window, or create one on the board.');
}

/* flow: {stages: names, points: [{at, values}]}; stages: with their categories; also: what else to know of the chart */
export function showFlow(frame, flow, stages, zone, also = '')
{
	const times = flow.points.map(point => seconds(point.at));
	const lines = flow.stages.map((name, n) => ({name, values: flow.points.map(point => point.values[n])}));
	const discarding = new Set(stages.filter(isDiscarded).map(stage => stage.name));
	const bands = lines.filter(({name}) => !discarding.has(name)), apart = lines.filter(({name}) => discarding.has(name));
	const colours = stageColours(stages), ink = theme(), floor = bands.at(-1).values[0];
	const {axis, tzDate} = timeAxis(zone), [least, top] = bottom(floor, bands[0].values.at(-1));
	const most = Math.max(0, ...apart.map(({values}) => values.at(-1))), height = Math.max(top - least, most * 1.04);
	const ends = most < height * 0.06 ? [most] : [0, most];

	draw(frame.chart, {
		label: 'Cumulative flow, by time', data: [times, ...bands.map(({values}) => values), ...apart.map(({values}) => values)], tzDate,
		axes: [axis, valueAxis('items', true), ...apart.length === 0 ? [] :
			[{...valueAxis('discarded', true), scale: 'apart', side: 1, grid: {show: false}, splits: () => ends, values: () => ends.map(count)}]],
		scales: {y: {range: () => [least, top]}, apart: {range: () => [0, height]}},
		series: [{}, ...bands.map(({name}) => ({
			label: name, stroke: ink.panel, width: 1, fill: colours.get(name) ?? ink.done, points: {show: false}, fillTo: u => u.scales.y.min})),
		...apart.map(({name}, n) => ({
			label: name, scale: 'apart', stroke: ink.discarded, width: 2, dash: DASHES[n % DASHES.length].dash, points: {show: false}}))],
		marks: () => flow.points.map((point, i) => ({
			x: times[i], y: bands[0].values[i],
			lines: [instant(point.at, zone), ...flow.stages.map((name, n) => `${name}: ${count(point.values[n])}`)]})),
	});
	frame.shown({
		keys: [...bands.map(({name}) => [colours.get(name) ?? ink.done, name]),
			...apart.map(({name}, n) => [ink.discarded, name, DASHES[n % DASHES.length].legend])],
		remark: [also, least > 0 && `The axis begins at ${count(least)}, as ${count(floor)} items were done before.`,
			apart.length > 0 && 'Dashed: items that were ever discarded, by the axis on the right; bands hold them where they had got to.'].filter(Boolean).join(' '),
		rows: [['Time', ...flow.stages], ...flow.points.map(point => [dated(instant(point.at, zone), point.local ?? point.at), ...point.values.map(count)])],
	});
}

function bottom(floor, most)
{
	const height = Math.max(most - floor, 4);

	return [floor < height ? 0 : Math.max(0, Math.floor(floor - height * 0.05)), most + height * 0.04];
}
