/*
 * graph.js
 *		Stages in a line and the moves between them as arcs: where each lies, and the drawing.
 *
 * Forward arcs are on one side of the line, backward ones on the other; the farther the two
 * stages, the farther out the arc.  The line goes across where there is room for names, and
 * down elsewhere; u is along it, v away from it.
 */
import {theme} from './colours.js';
import {svg} from './dom.js';
import {count} from './format.js';
import {twoLines} from './plot.js';

const ROOM = 92;				/* pixels that a stage needs for the line to go across */
const DEEP = 130;				/* of the longest arc */
const DOWN = 58;				/* from one stage to the next where the line goes down */
const BOX = 38;					/* height of a stage */
const LINE = 14;				/* of a name */
const THICKEST = 12;
const ARCS = 80;				/* the most frequent ones are drawn */

/*
 * graph
 *		The drawing, and a mark for each arc that is drawn: {edge, left, top} of where it is farthest out.
 *
 * stages: {name, colour}, in order; edges: {from, to, n, back}, from and to being places among the stages.
 */
export function graph(width, stages, edges)
{
	const across = width >= ROOM * stages.length, most = Math.max(...edges.map(({n}) => n));
	const step = across ? width / stages.length : DOWN, box = across ? step * 0.8 : Math.min(170, width * 0.44), half = (across ? BOX : box) / 2;
	const reach = across ? DEEP : (width - box) / 2 - 34, span = Math.max(...edges.map(({from, to}) => Math.abs(from - to)));
	const depthOf = ({from, to}) => reach * (0.25 + 0.75 * Math.abs(from - to) / span);
	const out = forward => Math.max(0, ...edges.filter(({from, to}) => to > from === forward).map(depthOf)) + 14;
	const middle = across ? out(true) + half : width / 2, height = across ? middle + half + out(false) : DOWN * stages.length;
	/* Forward arcs are above the line, or right of it. */
	const at = (u, v) => across ? [u, middle + v] : [middle - v, u];
	const drawn = edges.toSorted((a, b) => b.n - a.n).slice(0, ARCS).map(edge => arc(edge, depthOf(edge), {step, half, at, across, thick: Math.max(1.2, THICKEST * edge.n / most)}));

	return {
		marks: drawn.toSorted((a, b) => edges.indexOf(a.edge) - edges.indexOf(b.edge)).map(({edge, tip: [left, top]}) => ({edge, left, top})),
		drawing: svg('svg', {class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true'},
			drawn.toReversed().map(({line, head}) => [line, head]).flat(),
			drawn.filter(({edge}) => edge.n >= most * 0.03).map(({label}) => label),
			stages.map((stage, n) => boxOf(stage, at((n + 0.5) * step, 0), box))),
	};
}

function arc(edge, depth, {step, half, at, across, thick})
{
	const {from, to, n, back} = edge, side = to > from ? -1 : 1, shift = Math.min(step * 0.16, 18) * Math.sign(to - from);
	const head = 5 + thick * 0.7, start = (from + 0.5) * step + shift, end = (to + 0.5) * step - shift, away = side * half;
	/* A cubic arc gets three quarters as far as its control points. */
	const points = [[start, away], [start, away + side * depth * 4 / 3], [end, away + side * depth * 4 / 3], [end, away + side * head]].map(([u, v]) => at(u, v).join(' '));
	const colour = theme().of(back ? '--p95' : '--accent'), tip = at((start + end) / 2, away + side * (depth + head / 8));
	const corners = [[end, away], [end - head * 0.6, away + side * head], [end + head * 0.6, away + side * head]].map(([u, v]) => at(u, v).join(','));

	return {
		edge, tip,
		line: svg('path', {d: `M${points[0]} C${points[1]} ${points[2]} ${points[3]}`, fill: 'none', stroke: colour, 'stroke-width': thick, 'stroke-opacity': 0.55}),
		head: svg('polygon', {points: corners.join(' '), fill: colour}),
		label: svg('text', {x: tip[0], y: tip[1], 'text-anchor': across ? 'middle' : side < 0 ? 'start' : 'end', 'dominant-baseline': 'central', dx: across ? 0 : -side * 4}, count(n)),
	};
}

function boxOf({name, colour}, [x, y], width)
{
	const lines = twoLines(name, width - 8);

	return svg('g', null, svg('rect', {x: x - width / 2, y: y - BOX / 2, width, height: BOX, rx: 6, fill: theme().panel, stroke: colour, 'stroke-width': 2.5}),
		lines.map((line, n) => svg('text', {x, y: y + (n - (lines.length - 1) / 2) * LINE, class: 'name', 'text-anchor': 'middle', 'dominant-baseline': 'central'}, line)));
}
