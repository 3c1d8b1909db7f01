/*
 * plot.js
 *		A chart with axes in a panel: uPlot in the page's colours, in the panel's width, with values to be read.
 *
 * A chart is made anew when its data or the colours change, and is drawn before the
 * browser shows the page again, so nothing flickers.
 */
import uPlot from 'uplot';

import {PERCENTILES, theme} from './colours.js';
import {h} from './dom.js';
import {explore} from './explore.js';
import {span} from './format.js';

const HEIGHT = 280;
const FONT = '12px system-ui, sans-serif';

const ruler = document.createElement('canvas').getContext('2d');
const plots = new Map();		/* by the element that they are in */

const resized = new ResizeObserver(entries => {
	for (const {target, contentRect} of entries)
	{
		const plot = plots.get(target);

		if (plot && contentRect.width > 0 && Math.abs(plot.width - contentRect.width) >= 1)
			plot.setSize({width: contentRect.width, height: HEIGHT});
	}
});

/*
 * draw
 *		Put a chart into a panel's element, in place of what was there.
 *
 * marks(u) gives the values to be read: {x, y, lines, open} in the units of the scales.
 * axes, scales, series, hooks, tzDate go to uPlot.
 */
export function draw(chart, {label, data, marks, along, axes, ...options})
{
	const width = Math.max(200, chart.clientWidth), surface = h('div', {class: 'surface'});

	erase(chart);
	chart.replaceChildren(surface);

	const plot = new uPlot({
		width, height: HEIGHT, legend: {show: false}, cursor: {show: false}, select: {show: false}, padding: [12, 22, 0, 0],
		axes: axes.map(styled), ...options}, data, surface);
	const points = marks(plot);

	plots.set(chart, plot);
	resized.observe(chart);
	chart.dataset.drawn = points.length;
	explore(surface, label, () => points.map(mark => ({
		left: plot.valToPos(mark.x, 'x') + plot.over.offsetLeft, top: plot.valToPos(mark.y, 'y') + plot.over.offsetTop, lines: mark.lines, open: mark.open})), along);
	return plot;
}

export function erase(chart)
{
	plots.get(chart)?.destroy();
	plots.delete(chart);
	resized.unobserve(chart);
}

function styled(axis)
{
	const {soft, line} = theme();

	return {stroke: soft, font: FONT, labelFont: FONT, labelSize: axis.label ? 18 : 0, labelGap: 0, gap: 4,
		grid: {stroke: line, width: 1, ...axis.grid}, ticks: {stroke: line, width: 1, size: 4}, ...axis};
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const BETWEEN = 64;				/* pixels between the names of days, or of months */
const BETWEEN_DATES = 88;			/* and of days with their year */
const DAY = 86400;				/* seconds */

/* Would days without their year have one name twice? */
const isLong = (least, most) => most - least > 366 * DAY;

/*
 * Days of the stream's time zone; hours where they are that close, years where the axis is longer than one.
 * weeks: the instants at which weeks begin, where the ticks are then.
 */
export function timeAxis(zone, weeks = null)
{
	return {
		axis: {
			/* of a long axis, the ticks are months apart, as no chart is wide enough for days */
			space: BETWEEN, size: 28,
			...weeks && {splits: (u, n, least, most) => everyNth(weeks, u.bbox.width / devicePixelRatio, isLong(least, most) ? BETWEEN_DATES : BETWEEN)},
			values: (u, at, n, space, step) => at.map(time => nameOf(uPlot.tzDate(new Date(time * 1000), zone), weeks ? 7 * DAY : step, isLong(u.scales.x.min, u.scales.x.max))),
		},
		tzDate: time => uPlot.tzDate(new Date(time * 1000), zone),
	};
}

/* step: seconds from one tick to the next; long: years count. */
function nameOf(then, step, long)
{
	const month = MONTHS[then.getMonth()], year = then.getFullYear();

	if (step < DAY && then.getHours() > 0)
		return String(then.getHours()).padStart(2, '0') + ':00';
	if (!long)
		return `${then.getDate()} ${month}`;
	return step >= 365 * DAY ? String(year) : step >= 28 * DAY ? `${month} ${year}` : `${then.getDate()} ${month} ${year}`;
}

/* As many of them as there is room for, evenly. */
function everyNth(starts, width, apart)
{
	const n = Math.max(1, Math.ceil(starts.length * apart / Math.max(width, apart)));

	return starts.filter((_, place) => place % n === 0);
}

/* An axis of counts or, with a unit of hours, of durations. */
export function valueAxis(name, whole)
{
	return {
		label: name, size: (u, values) => 14 + 7 * Math.max(2, ...(values ?? []).map(value => value.length)),
		incrs: whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 1e5, 2e5, 5e5, 1e6, 1e7] : undefined,
		space: 36,
	};
}

/* A text of labels, cut where it would be wider than so many pixels. */
export function fit(text, width)
{
	const letters = [...text];
	let n = letters.length;

	ruler.font = FONT;
	while (n > 1 && ruler.measureText(letters.slice(0, n).join('') + (n < letters.length ? '…' : '')).width > width)
		n--;
	return n < letters.length ? letters.slice(0, n).join('') + '…' : text;
}

/* A text of labels in up to two lines, the second cut where it would be wider than so many pixels. */
export function twoLines(text, width)
{
	const words = text.split(' ');
	let first = fit(words[0], width), n = 1;

	while (n < words.length && fit(`${first} ${words[n]}`, width) === `${first} ${words[n]}`)
		first += ' ' + words[n++];
	return n < words.length && first === words.slice(0, n).join(' ') ? [first, fit(words.slice(n).join(' '), width)] : [fit(text, width)];
}

/* From zero to a little above the greatest. */
export const fromZero = (u, least, most) => [0, most > 0 ? most * 1.05 : 1];

/*
 * percentileLines
 *		Hook for uPlot: lines at P50, P85 and P95 (in hours), with their names and values.
 *
 * scale: the one that they are on.  Across x they are labelled at the top, one below the other.
 */
export function percentileLines(percentiles, scale, unit)
{
	return u => {
		const {ctx, bbox} = u, lines = PERCENTILES.map(line => ({...line, hours: percentiles[line.key],
			at: u.valToPos(percentiles[line.key] / unit.hours, scale, true)})).filter(({hours, at}) =>
			hours !== null && (scale === 'y' ? at >= bbox.top : at <= bbox.left + bbox.width));

		ctx.save();
		lines.forEach(line => drawLine(ctx, bbox, scale, line));
		labelLines(ctx, bbox, scale, lines);
		ctx.restore();
	};
}

/*
 * levelLine
 *		Hook for uPlot: one line across at a value of y, such as what is expected; its name stands at the left.
 *
 * level: {at, name}, or null for none.
 */
export function levelLine(level)
{
	return u => {
		const {ctx, bbox} = u;

		if (level === null)
			return;

		const at = u.valToPos(level.at, 'y', true);

		if (at < bbox.top)
			return;
		ctx.save();
		drawLine(ctx, bbox, 'y', {at, colour: '--text', dash: [14, 3, 3, 3]});
		ctx.font = `600 ${12 * devicePixelRatio}px system-ui, sans-serif`;
		ctx.textAlign = 'left';
		ctx.textBaseline = 'alphabetic';
		write(ctx, level.name, bbox.left + 6 * devicePixelRatio, Math.max(at - 5 * devicePixelRatio, bbox.top + 12 * devicePixelRatio));
		ctx.restore();
	};
}

function drawLine(ctx, bbox, scale, {at, colour, dash})
{
	ctx.lineWidth = 1.5 * devicePixelRatio;
	ctx.strokeStyle = theme().of(colour);
	ctx.setLineDash(dash.map(length => length * devicePixelRatio));
	ctx.beginPath();
	if (scale === 'y')
	{
		ctx.moveTo(bbox.left, at);
		ctx.lineTo(bbox.left + bbox.width, at);
	}
	else
	{
		ctx.moveTo(at, bbox.top);
		ctx.lineTo(at, bbox.top + bbox.height);
	}
	ctx.stroke();
}

/* None over another: along y the next is above the one before, if not by its value, then by a line. */
function labelLines(ctx, bbox, scale, lines)
{
	const ratio = devicePixelRatio, right = bbox.left + bbox.width;
	let above = Infinity;

	ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
	ctx.textAlign = 'left';
	ctx.textBaseline = 'alphabetic';
	lines.forEach(({name, hours, at}, n) => {
		const text = `${name} ${span(hours)}`, width = ctx.measureText(text).width;

		above = Math.min(at - 5 * ratio, above - 15 * ratio);
		if (scale === 'y')
			write(ctx, text, right - width - 4 * ratio, Math.max(above, bbox.top + 10 * ratio));
		else
			write(ctx, text, Math.min(at + 5 * ratio, right - width), bbox.top + (12 + 16 * n) * ratio);
	});
}

/* Readable on whatever is below. */
function write(ctx, text, x, y)
{
	const {panel, text: ink} = theme();

	ctx.setLineDash([]);
	ctx.save();
	ctx.lineWidth = 4 * devicePixelRatio;
	ctx.lineJoin = 'round';
	ctx.strokeStyle = panel;
	ctx.strokeText(text, x, y);
	ctx.fillStyle = ink;
	ctx.fillText(text, x, y);
	ctx.restore();
}

/*
 * dots
 *		Hook for uPlot: a mark for each point that has a y, in the colour and of the shape (circle, triangle, square, diamond) given for it.
 */
export function dots(xs, ys, colourOf, {radius = 2.6, alpha = xs.length > 1500 ? 0.45 : 0.7, shapeOf = () => 'circle', hollow = () => false} = {})
{
	return u => {
		const {ctx, bbox} = u;

		ctx.save();
		ctx.beginPath();
		ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
		ctx.clip();
		ctx.globalAlpha = alpha;
		ctx.lineWidth = 2 * devicePixelRatio;
		ctx.setLineDash([]);
		for (let i = 0; i < xs.length; i++)
		{
			if (ys[i] === null)
				continue;
			ctx.fillStyle = hollow(i) ? theme().panel : colourOf(i);
			ctx.strokeStyle = colourOf(i);
			ctx.beginPath();
			mark(ctx, u.valToPos(xs[i], 'x', true), u.valToPos(ys[i], 'y', true), radius * devicePixelRatio, shapeOf(i));
			ctx.fill();
			if (hollow(i))
				ctx.stroke();
		}
		ctx.restore();
	};
}

/* Corners, in radii of a circle that looks as large. */
const SHAPES = {
	triangle: [[0, -1.5], [1.6, 1.3], [-1.6, 1.3]],
	square: [[-1.25, -1.25], [1.25, -1.25], [1.25, 1.25], [-1.25, 1.25]],
	diamond: [[0, -1.8], [1.8, 0], [0, 1.8], [-1.8, 0]],
};

function mark(ctx, x, y, size, shape)
{
	if (shape === 'circle')
		return ctx.arc(x, y, size, 0, 2 * Math.PI);
	for (const [right, down] of SHAPES[shape])
		ctx.lineTo(x + right * size, y + down * size);
	ctx.closePath();
}

export {uPlot};
