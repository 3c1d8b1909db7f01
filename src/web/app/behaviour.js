/*
 * behaviour.js
 *		A chart over time as a process behaviour chart: mean, natural process limits, and signals.
 *
 * All of them are the service's (Wheeler's XmR chart).  The baseline is the window itself.  Each
 * kind of signal has a colour, a shape and words of its own.
 */
import {get} from './api.js';
import {around, headOf, hollowMeans, isWhole, nameOf, PARTLY} from './buckets.js';
import {theme} from './colours.js';
import {h} from './dom.js';
import {count, dateOf, dated, day, hours, number, rounded, seconds, span, startOfDay, unitFor} from './format.js';
import {dots, draw, fromZero, timeAxis, valueAxis} from './plot.js';
import {toggled} from './selection.js';

const ABOUT = 'What lies between the limits varies by chance, and asking why it does leads nowhere. A signal has a cause: look for it.';
const SIGNALS = {
	beyond_limit: {words: 'beyond a natural limit', colour: '--p95', shape: 'triangle'},
	eight_on_one_side: {words: 'eighth in a row on one side of the mean', colour: '--p85', shape: 'square'},
	three_of_four: {words: 'three of four nearer to a limit than to the mean', colour: '--signal', shape: 'diamond'},
};

/*
 * behaviour
 *		The button of a panel that makes it such a chart, and makes it what it was again.
 *
 * figure: the service's name of it; choose(change) takes what is chosen.
 */
export function behaviour(figure, title, choose)
{
	let chosen = '';
	const button = h('button', {type: 'button', class: 'quiet small', 'aria-pressed': 'false', 'aria-label': `${title}: natural limits`,
		title: 'Mean, natural process limits and signals', onclick: () => choose({behaviour: toggled(chosen, figure)})}, 'Limits');

	return {
		button,
		/* The service's answer, null while the button is not pressed. asked: stream, filters, window and step. */
		async ask(of, asked, signal)
		{
			const on = of.behaviour.split(',').includes(figure);

			chosen = of.behaviour;
			button.setAttribute('aria-pressed', on);
			return on ? get('process-behaviour', {...asked, figure}, signal) : null;
		},
		/* Was the chart drawn? */
		show(frame, answer, context)
		{
			frame.tell(...answer === null ? [null, null] : [`${title} per ${answer.step}: natural limits`, ABOUT]);
			if (answer !== null)
				show(frame, title, answer, context);
			return answer !== null;
		},
	};
}

function show(frame, title, {points, step, unit: kind, ...answer}, {zone})
{
	const xs = points.map(({at}) => seconds(at)), starts = points.map(({at}) => dateOf(new Date(at), zone));
	const whole = starts.map(start => isWhole(start, step, zone, answer)), {mean, lower, upper} = points.find(point => point.mean !== null) ?? {mean: null, lower: null, upper: null};
	const most = Math.max(...points.map(({value}) => value ?? 0), upper ?? 0), unit = kind === 'hours' ? unitFor(most) : {hours: 1, name: kind};
	const written = kind === 'hours' ? hours : number, rough = kind === 'hours' ? span : rounded, name = n => nameOf(starts[n], step) + (whole[n] ? '' : PARTLY);
	const scaled = value => value === null ? null : value / unit.hours, level = value => points.map(() => scaled(value));
	const {axis, tzDate} = timeAxis(zone, step === 'week' ? starts.map(start => seconds(startOfDay(start, zone))) : null), {accent, of} = theme(), ys = points.map(({value}) => scaled(value)), signals = points.filter(({signal}) => signal !== null);
	const told = ({signal, value}, n) => signal !== null ? SIGNALS[signal].words : whole[n] && value !== null && lower !== null ? 'within the limits' : '';
	const line = (colour, dash) => ({stroke: colour, width: 1.5, dash, points: {show: false}});

	draw(frame.chart, {
		label: `${title} with mean and natural process limits, by time`, data: [xs, ys, level(mean), level(lower), level(upper)], tzDate,
		axes: [axis, valueAxis(unit.name, kind === 'items')],
		scales: {x: {range: around(step)}, y: {range: () => fromZero(null, 0, scaled(most))}},
		series: [{}, {...line(accent), spanGaps: true}, line(of('--p50')), line(of('--p95'), [6, 4]), line(of('--p95'), [6, 4])],
		hooks: {draw: [dots(xs, ys, n => of(SIGNALS[points[n].signal]?.colour ?? '--accent'), {
			radius: 3.2, alpha: 1, shapeOf: n => SIGNALS[points[n].signal]?.shape ?? 'circle', hollow: n => !whole[n]})]},
		marks: () => points.map((point, n) => ({x: xs[n], y: ys[n], lines: [name(n), `${written(point.value)}${kind === 'items' ? ' items' : ''}`, told(point, n)].filter(Boolean)}))
			.filter(({y}) => y !== null),
	});
	frame.shown({
		keys: [[accent, title, 'line'], ...mean === null ? [] : [[of('--p50'), `Mean ${rough(mean)}`, 'line']],
			...lower === null ? [] : [[of('--p95'), `Natural process limits ${rough(lower)} and ${rough(upper)}`, 'line p85']],
			...Object.entries(SIGNALS).filter(([key]) => signals.some(({signal}) => signal === key)).map(([, {words, colour, shape}]) => [of(colour), words, shape])],
		remark: `Baseline of mean and limits: this window itself, ${day(answer.since, zone)} to ${day(Date.parse(answer.until) - 1, zone)}, its ${count(whole.filter(Boolean).length)} whole ${step}s. `
			+ (lower === null ? 'They are too few for limits.' : signals.length === 0 ? 'No signal.' : `${count(signals.length)} ${signals.length === 1 ? 'signal' : 'signals'}.`)
			+ (whole.includes(false) ? ` ${hollowMeans(step)}; mean and limits leave it out.` : ''),
		rows: [[headOf(step), title, 'Moving range', 'Mean', 'Lower limit', 'Upper limit', 'Signal'], ...points.map((point, n) => [
			dated(name(n), starts[n]), ...[point.value, point.moving_range, point.mean, point.lower, point.upper].map(written), told(point, n)])],
	});
}
