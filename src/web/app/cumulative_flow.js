/*
 * cumulative_flow.js
 *		The cumulative flow diagram: how many items had got to each stage or further, and when.
 *
 * The bands' height is the work that was between two stages, their width about the
 * time it took.  The axis begins near what was done before the window, as only
 * differences matter.
 */
import {stageColours, theme} from './colours.js';
import {count, instant, seconds} from './format.js';
import {panel} from './panel.js';
import {draw, erase, timeAxis, valueAxis} from './plot.js';

const STEPS = [[3, '3 hours'], [6, '6 hours'], [12, '12 hours'], [24, '1 day'], [48, '2 days'], [168, '1 week'], [336, '2 weeks']];
const POINTS = 48;

export const cumulativeFlow = () => {
	const frame = panel('cumulative-flow', 'Cumulative flow',
		'Items that had got to each stage or further. A band that grows taller is work piling up in that stage.');

	return {
		frame,
		path: 'cumulative-flow',
		parameters: ({period, type, stream}) => ({stream, type, ...period, step: stepFor(period)}),
		show: (flow, {stages, zone}) => flow.points.some(({values}) => values[0] > 0) ? show(frame, flow, stages, zone) : empty(frame),
	};
};

function stepFor({since, until})
{
	const hours = (seconds(until) - seconds(since)) / 3600;

	return (STEPS.find(([step]) => hours / step <= POINTS) ?? STEPS.at(-1))[1];
}

function empty(frame)
{
	erase(frame.chart);
	frame.instead('No work item had been created by the end of this window. Choose a later window, or create one on the board.');
}

function show(frame, flow, stages, zone)
{
	const times = flow.points.map(point => seconds(point.at));
	const lines = flow.stages.map((name, n) => flow.points.map(point => point.values[n]));
	const colours = stageColours(stages), ink = theme(), floor = lines.at(-1)[0];
	const {axis, tzDate} = timeAxis(zone), [least] = bottom(floor, lines[0].at(-1));

	draw(frame.chart, {
		label: 'Cumulative flow, by time', data: [times, ...lines], tzDate, axes: [axis, valueAxis('items', true)],
		scales: {y: {range: (u, least, most) => bottom(floor, most)}},
		series: [{}, ...flow.stages.map(name => ({
			label: name, stroke: ink.panel, width: 1, fill: colours.get(name) ?? ink.done, points: {show: false}, fillTo: u => u.scales.y.min}))],
		marks: () => flow.points.map((point, i) => ({
			x: times[i], y: point.values[0],
			lines: [instant(point.at, zone), ...flow.stages.map((name, n) => `${name}: ${count(point.values[n])}`)]})),
	});
	frame.shown({
		keys: flow.stages.map(name => [colours.get(name) ?? ink.done, name]),
		remark: least > 0 ? `The axis begins at ${count(least)}, as ${count(floor)} items were done before.` : '',
		rows: [['Time', ...flow.stages], ...flow.points.map(point => [instant(point.at, zone), ...point.values.map(count)])],
	});
}

function bottom(floor, most)
{
	const height = Math.max(most - floor, 4);

	return [floor < height ? 0 : Math.max(0, Math.floor(floor - height * 0.05)), most + height * 0.04];
}
