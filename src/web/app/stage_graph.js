/*
 * stage_graph.js
 *		The real process: how items moved from stage to stage, the paths that they took, and what was sent back.
 */
import {get} from './api.js';
import {stageColours, theme} from './colours.js';
import {h} from './dom.js';
import {explore} from './explore.js';
import {count, exactPercent, hours, percent, roundly, span} from './format.js';
import {graph} from './graph.js';
import {panel, tableOf} from './panel.js';
import {discardedLast} from './stages.js';

const PATHS = 15;
const CREATED = 'created';		/* where items come from, in place of a stage */

export const stageGraph = () => {
	const frame = panel('stage-graph', 'Moves between stages',
		'The way that work really took: forward arcs and, on the other side, what went back. The thicker, the more moves.');
	const paths = panel('paths', 'Most frequent paths', 'The stages that finished items went through, from creation to finish. Many paths, or long ones, are many ways to wait.');
	const rework = panel('rework', 'Rework by stage',
		'Of what a stage handed on, how much later stages sent back. %C&A: the share that was complete and accurate; first pass yield: the same of what was handed on for the first time.');
	let redraw = () => {}, drawn = 0;

	new ResizeObserver(([{contentRect: {width}}]) => width > 0 && Math.abs(width - drawn) >= 1 && redraw()).observe(frame.chart);

	return {
		frame,
		more: [paths, rework],
		refused: () => redraw = () => {},
		async ask({stream, type, attributes, period}, signal)
		{
			const asked = {stream, type, attributes, ...period};
			const [moves, taken, back] = await Promise.all([get('flow-graph', asked, signal), get('flow-paths', {...asked, limit: PATHS}, signal), get('rework', asked, signal)]);

			return {moves, taken, back};
		},
		show({moves, taken, back}, {stages})
		{
			redraw = () => {
				drawn = frame.chart.clientWidth;
				drawGraph(frame.chart, moves, stages);
			};
			if (moves.edges.length > 0)
				showMoves(frame, moves, redraw);
			else
			{
				redraw = () => {};
				frame.instead('No item moved in this window. Choose a longer window or another type.');
			}
			showPaths(paths, taken);
			showRework(rework, back);
		},
	};
};

const sourceOf = edge => edge.from_stage ?? CREATED;

function showMoves(frame, {edges}, redraw)
{
	const {of} = theme(), back = edges.filter(edge => edge.backward).reduce((sum, {n}) => sum + n, 0), all = edges.reduce((sum, {n}) => sum + n, 0);

	redraw();
	frame.shown({
		keys: [[of('--accent'), 'forward', 'line'], [of('--p95'), 'back to an earlier stage', 'line']],
		remark: `${count(all)} moves, ${count(back)} of them back (${percent(back / all)}).`,
		rows: [['From', 'To', 'Moves', 'P50', 'P85', 'Average', 'Direction'], ...edges.map(edge => [
			sourceOf(edge), edge.to_stage, count(edge.n), hours(edge.p50), hours(edge.p85), hours(edge.avg), edge.backward ? 'back' : 'forward'])],
	});
}

/* Stages that items came to or left, in order, after where items come from; discarded ones last, as on the board. */
function drawGraph(chart, {edges}, known)
{
	const colours = stageColours(known), moved = new Set(edges.flatMap(edge => [edge.from_stage, edge.to_stage]));
	const places = [null, ...discardedLast(known).map(({name}) => name).filter(name => moved.has(name))], surface = h('div', {class: 'surface'});
	const {drawing, marks} = graph(Math.max(200, chart.clientWidth), places.map(name => ({name: name ?? CREATED, colour: colours.get(name) ?? theme().line})),
		edges.map(edge => ({...edge, from: places.indexOf(edge.from_stage), to: places.indexOf(edge.to_stage), back: edge.backward})));
	const lines = edge => [`${sourceOf(edge)} → ${edge.to_stage}`, `${count(edge.n)} ${edge.n === 1 ? 'move' : 'moves'}${edge.backward ? ' back' : ''}`,
		edge.from_stage !== null && `after P50 ${span(edge.p50)}, P85 ${span(edge.p85)} in ${edge.from_stage}`].filter(Boolean);

	surface.append(drawing);
	chart.replaceChildren(surface);
	explore(surface, 'Moves between stages', () => marks.map(({edge, left, top}) => ({left, top, lines: lines(edge)})), 'both');
}

/* A panel whose chart is a table; it stays while nothing changes, as it may be scrolled. */
function showTable(frame, title, rows, remark)
{
	if (frame.shown({remark, rows, tabled: true}))
		frame.chart.replaceChildren(tableOf(title, rows));
}

function showPaths(frame, {paths})
{
	if (paths.length === 0)
		return frame.instead('Nothing was finished in this window. Choose a longer window or another type.');

	const together = paths.reduce((sum, {share}) => sum + share, 0);

	showTable(frame, 'Most frequent paths', [['Path', 'Items', 'Share', 'Cycle time P50', 'P85', 'Stages again'], ...paths.map(path => [
		path.path.join(' → '), count(path.n), exactPercent(path.share), ...[path.cycle_time_p50, path.cycle_time_p85].map(x => roundly(span(x), hours(x))), count(path.loops)])],
	paths.length < PATHS ? '' : `The ${PATHS} most frequent ones: ${percent(together)} of the finished items.`);
}

function showRework(frame, {stages, rolled_complete_accurate: rolled})
{
	if (!stages.some(stage => stage.handed_on > 0))
		return frame.instead('No stage handed anything on in this window. Choose a longer window or another type.');
	showTable(frame, 'Rework by stage', [['Stage', 'Handed on', 'Sent back', '%C&A', 'First pass yield', 'Entered again'], ...stages.map(stage => [
		stage.stage, count(stage.handed_on), count(stage.sent_back), exactPercent(stage.complete_accurate), exactPercent(stage.first_pass_yield), count(stage.loops)])],
	`All stages together: ${percent(rolled)} complete and accurate (rolled %C&A, the product of all).`);
}
