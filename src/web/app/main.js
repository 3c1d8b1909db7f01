/*
 * main.js
 *		The page: what is chosen, what is asked for, and what is shown of the answers.
 *
 * A choice changes the URL, then everything is asked for again; an answer to an
 * older choice is dropped.  While the page is visible, WIP is read every few
 * seconds and the figures every minute, without a trace on the page but the numbers.
 */
import {address, get} from './api.js';
import {age} from './age.js';
import {board} from './board.js';
import {byId, h} from './dom.js';
import {cumulativeFlow} from './cumulative_flow.js';
import {cycleTimes} from './cycle_times.js';
import {efficiency} from './efficiency.js';
import {figures, fromMetrics} from './figures.js';
import {day, knownZone, startOfDay} from './format.js';
import {every} from './live.js';
import {pickers} from './pickers.js';
import * as selection from './selection.js';
import {throughput} from './throughput.js';
import {timeInStage} from './time_in_stage.js';
import {trouble} from './trouble.js';
import {wipNow} from './wip.js';

const LIVE_MS = 3000;
const REFRESH_MS = 60000;
const STARTED_MS = 10000;

let chosen = selection.read();
let asked = null;				/* aborts what an older choice asked for */
let context = null;				/* what answers are read with; null until there are any */
const seen = new Map();			/* by chart: its latest answer, to draw it again in other colours */

const tiles = figures();
const wip = wipNow();
const charts = [cumulativeFlow(), cycleTimes(), throughput(step => choose({step})), age(), timeInStage(), efficiency()];
const cards = board({reload: () => live.now(), failed: trouble.show});
const choice = pickers(choose);

/* ---- Choosing ---- */

function choose(change)
{
	chosen = {...chosen, ...change};
	selection.write(chosen, true);
	load();
}

onpopstate = () => {
	chosen = selection.read();
	load();
};

/* ---- Loading ---- */

/* quiet: nothing was chosen, only time has passed. */
async function load({quiet = false} = {})
{
	asked?.abort();

	const {signal} = asked = new AbortController();
	const main = byId('main');

	showView();
	main.setAttribute('aria-busy', !quiet);
	try
	{
		const [given, types] = await Promise.all([get('streams', {}, signal), get('types', {}, signal)]);
		const streams = given.map(stream => ({...stream, time_zone: knownZone(stream.time_zone)}));
		const stream = chosen.stream || (streams.find(({name}) => name === 'default') ?? streams[0])?.name;

		choice.show(chosen, streams, types, stream);
		if (stream === undefined)
			throw new Error('There is no value stream yet. Define one with vsm.define_stream(), or import a log.');
		await loadStream(stream, streams, types, signal);
		trouble.over();
	}
	catch (error)
	{
		if (error.name !== 'AbortError')
			trouble.show(error, load);
	}
	if (asked.signal === signal)
		main.setAttribute('aria-busy', false);
}

async function loadStream(stream, streams, types, signal)
{
	const stages = await get('stages', {stream}, signal);
	const zone = streams.find(({name}) => name === stream)?.time_zone ?? 'UTC';

	context = {...chosen, stream, stages, zone, types};
	if (chosen.view === 'board')
		await Promise.all([cards.show(context, signal), showWip(signal)]);
	else
		await Promise.all([loadFigures(signal), showWip(signal)]);
}

/* The window is that of the first answer, so that all are of the same; a chart is drawn when its own has come. */
async function loadFigures(signal)
{
	const of = context, {stream, type, days, zone} = of, window = days > 0 ? {days} : datesWindow(zone);
	const metrics = await get('metrics', {stream, type, ...window}, signal);

	of.metrics = metrics;
	of.metricsRead = Date.now();
	of.period = {since: metrics.period_start, until: metrics.period_end};
	of.figures = fromMetrics(metrics);
	showTiles();
	byId('period').textContent = `${day(of.period.since, zone)} to ${day(of.period.until, zone)}, days of ${zone}`;

	await Promise.all(charts.map(async chart => {
		const answer = await get(chart.path, chart.parameters(of), signal);

		seen.set(chart, answer);
		chart.show(answer, of);
	}));
	/* Up to now, of all types. */
	showFirstSteps(byId('first-steps'), days > 0 && type === '' && seen.get(charts[0]).points.every(({values}) => values[0] === 0));
}

/* Whole days of the stream's time zone, and nothing of the future. */
function datesWindow(zone)
{
	const since = startOfDay(chosen.since, zone), until = startOfDay(chosen.until, zone, 1), now = new Date().toISOString();

	if (since >= now)
		throw new Error('This window begins in the future. Choose earlier dates.');
	return {since, until: until < now ? until : now};
}

/* In a stream without items. */
function showFirstSteps(element, wanted)
{
	const where = address('import', {stream: context.stream === 'default' ? '' : context.stream});

	element.hidden = !wanted;
	element.replaceChildren(...!wanted ? [] : [h('div', null,
		h('p', null, h('strong', null, 'This stream has no work items yet.')),
		h('p', null, 'Create the first one on the ', h('a', {href: '?view=board', onclick: go}, 'Board'),
			', or import the log of another tool, with the columns case_id, stage, entered_at:'),
		h('pre', {tabindex: 0}, `curl -H 'content-type: text/csv' --data-binary @log.csv '${where}'`))]);
}

function go(event)
{
	event.preventDefault();
	choose({view: 'board'});
}

function showTiles()
{
	tiles.show(context.figures, (Date.parse(context.period.until) - Date.parse(context.period.since)) / 86400000);
	if (context.wip)
		showWipFigures(context.wip);
}

async function showWip(signal)
{
	const {stream} = context, stages = await get('wip', {stream}, signal);

	if (context.stream !== stream)
		return;
	context.wip = stages;
	if (context.view === 'board')
		await cards.tick(stages);
	else
	{
		showWipFigures(stages);
		await followWip(signal);
	}
}

const sum = stages => stages.reduce((items, stage) => items + stage.wip, 0);

/* WIP is live; of a type, it is that of the latest metrics, as started WIP always is. */
function showWipFigures(stages)
{
	const {metrics, type} = context;

	wip.show(stages, context);
	if (!metrics)
		return;
	tiles.showWip({
		wip: {now: type ? metrics.wip_now : sum(stages), average: metrics.wip},
		started: {now: metrics.started_wip_now, average: metrics.started_wip},
	});
}

/* Asks for the started part of a WIP that has changed, at times: the figures of a short window have it soon. */
async function followWip(signal)
{
	const of = context, {metrics, stream, type} = of;

	if (!metrics || type || sum(of.wip) === metrics.wip_now || Date.now() - of.metricsRead < STARTED_MS)
		return;
	of.metricsRead = Date.now();

	const {wip_now, started_wip_now} = await get('metrics', {stream, days: 1}, signal);

	of.metrics = {...of.metrics, wip_now, started_wip_now};
	if (of === context)
		showWipFigures(of.wip);
}

/* ---- The page ---- */

function showView()
{
	const boarding = chosen.view === 'board';

	byId('flow').hidden = boarding;
	byId('board').hidden = !boarding;
	document.title = (boarding ? 'Board' : 'Flow') + ' · vsm';
	document.body.dataset.view = chosen.view;
	for (const link of document.querySelectorAll('nav [data-view]'))
		link.setAttribute('aria-current', link.dataset.view === chosen.view ? 'page' : 'false');
}

for (const link of document.querySelectorAll('nav [data-view]'))
	link.onclick = event => {
		event.preventDefault();
		choose({view: link.dataset.view});
	};

matchMedia('(prefers-color-scheme: dark)').onchange = () => {
	if (chosen.view !== 'flow' || !context?.figures)
		return;
	for (const [chart, answer] of seen)
		chart.show(answer, context);
	showTiles();
};

trouble.start({retry: load});

const live = every(LIVE_MS, async () => {
	if (context !== null && !trouble.is())
		await showWip();
}, error => trouble.show(error, load));

every(REFRESH_MS, async () => {
	const read = document.querySelector('.tip:not([hidden])');		/* a chart that is being read stays as it is */

	if (!trouble.is() && chosen.view === 'flow' && !read)
		await load({quiet: true});
}, () => {});

load();
