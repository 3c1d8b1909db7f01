/*
 * main.js
 *		The page: what is chosen, what is asked for, and what is shown of the answers.
 *
 * A choice changes the URL, then everything is asked for again; an answer to an
 * older choice is dropped, and its figures go when there is no answer to the new one.
 * While the page is visible, WIP is read every few seconds and the figures every
 * minute, without a trace on the page but the numbers.
 */
import {get} from './api.js';
import {age} from './age.js';
import {ask, instead} from './ask.js';
import {balance} from './balance.js';
import {blocked} from './blocked.js';
import {board} from './board.js';
import {bottleneck} from './bottleneck.js';
import {comparison} from './comparison.js';
import {conformance} from './conformance.js';
import {byId, h} from './dom.js';
import {cumulativeFlow} from './cumulative_flow.js';
import {cycleTimes} from './cycle_times.js';
import {efficiency} from './efficiency.js';
import {setExported} from './exporting.js';
import {figures, fromMetrics} from './figures.js';
import {showFirstSteps} from './first_steps.js';
import {forecast} from './forecast.js';
import {day, instant, knownZone, startOfDay, upper} from './format.js';
import {importView} from './import_view.js';
import {itemDialog} from './item_dialog.js';
import {lastFinish, showLastFinish} from './last_finish.js';
import {every} from './live.js';
import {pickers} from './pickers.js';
import {quality} from './quality.js';
import * as selection from './selection.js';
import {stageGraph} from './stage_graph.js';
import {throughput} from './throughput.js';
import {timeInStage} from './time_in_stage.js';
import {trouble} from './trouble.js';
import {datesWindow, daysBetween, daysWindow, lastDaysOfLog, LOG_DAYS} from './window.js';
import {wipNow} from './wip.js';

const LIVE_MS = 3000;
const REFRESH_MS = 60000;
const STARTED_MS = 10000;

let chosen = fromUrl();
let asked = null;				/* aborts what an older choice asked for */
let context = null;				/* what answers are read with; null until there are any */
const seen = new Map();			/* by chart: its latest answer, to draw it again in other colours */
const shown = new Map();		/* by view: the choice that it is of */

const tiles = figures();
const wip = wipNow();
const again = () => load({quiet: true});
const charts = [cumulativeFlow(), bottleneck(), comparison(), cycleTimes(choose), throughput(choose), age(), forecast(again), conformance(again), timeInStage(),
	efficiency(), stageGraph(), balance(choose), blocked(), quality()];
const cards = board({reload: () => live.now(), failed: trouble.show});
const choice = pickers(choose);
const dialog = itemDialog(null, again);
const importer = importView({askToken: () => trouble.askToken(), open: stream => choose({view: 'flow', stream, type: '', ...selection.usualWindow})});

/* ---- Choosing ---- */

/* What cannot be read of the URL is said, and the URL goes without it, so that it holds what is shown. */
function fromUrl()
{
	const {selection: said, unread} = selection.read();

	if (unread.length > 0)
		selection.write(said, false);
	tellUnread(unread);
	return said;
}

function tellUnread(unread)
{
	const region = byId('unread');

	region.hidden = unread.length === 0;
	region.replaceChildren(...unread.length === 0 ? [] : [
		h('div', null, h('p', null, h('strong', null, 'Not all of the URL can be read. The page shows what the rest of it says.')),
			unread.map(({part, why}) => h('p', null, h('code', null, part), ` ${why}`))),
		h('button', {type: 'button', class: 'quiet', onclick: () => tellUnread([])}, 'Dismiss')]);
}

function choose(change)
{
	tellUnread([]);
	/* The last days of one log are not those of another. */
	if (change.stream !== undefined && context?.ofLog)
		Object.assign(change, selection.usualWindow);
	/* The usual window of a log that has no data there must be asked for. */
	chosen = {...chosen, ...change, usual: change.usual ?? (change.days === undefined ? chosen.usual : change.days === selection.USUAL_DAYS && Boolean(context?.log))};
	selection.write(chosen, true);
	load();
}

onpopstate = () => {
	chosen = fromUrl();
	load();
};

/* ---- Loading ---- */

/* quiet: nothing was chosen, only time has passed. */
async function load({quiet = false} = {})
{
	asked?.abort();

	const {signal} = asked = new AbortController();
	const main = byId('main'), {view} = chosen;

	showView();
	main.setAttribute('aria-busy', !quiet);
	try
	{
		const [given, types] = await Promise.all([get('streams', {}, signal), get('types', {}, signal)]);
		const streams = given.map(stream => ({...stream, time_zone: knownZone(stream.time_zone)}));
		const stream = chosen.stream || (streams.find(({name}) => name === 'default') ?? streams[0])?.name;

		openOnData(streams.find(({name}) => name === stream));
		choice.show(chosen, streams, types, stream);
		importer.show(streams.map(({name}) => name), chosen.stream);
		if (chosen.view === 'import')
			return trouble.over();
		if (stream === undefined)
			throw new Error('There is no value stream yet. Define one with vsm.define_stream(), or import a log.');
		await loadStream(stream, streams, types, signal);
		shown.set(view, ofWhat());
		trouble.over();
	}
	catch (error)
	{
		if (signal.aborted)
			return;
		asked.abort();
		if (shown.get(view) !== ofWhat())
			clear();
		trouble.show(error, load);
	}
	finally
	{
		if (asked.signal === signal)
			main.setAttribute('aria-busy', false);
	}
}

/* What the figures depend on. */
const ofWhat = () => JSON.stringify({...chosen, view: '', usual: ''});

/* No figures and no items, until an answer comes. */
function clear()
{
	shown.clear();
	seen.clear();
	if (context)
		context.figures = context.metrics = context.wip = undefined;
	byId('period').textContent = '';
	byId('first-steps').hidden = byId('last-finish').hidden = true;
	tiles.clear();
	for (const chart of [wip, ...charts])
		instead(chart, 'Not available.');
	cards.clear();
}

/* Where nobody has chosen a window and the usual one has no data, the last days of the log are chosen. */
function openOnData(stream)
{
	const log = stream ? lastDaysOfLog(stream) : null;

	if (log !== null && chosen.view === 'flow' && selection.hasNoWindow(chosen))
	{
		chosen = {...chosen, days: 0, ...log};
		selection.write(chosen, false);
	}
}

async function loadStream(stream, streams, types, signal)
{
	const stages = await get('stages', {stream}, signal);
	const known = streams.find(({name}) => name === stream), zone = known?.time_zone ?? 'UTC', log = known ? lastDaysOfLog(known) : null;

	context = {...chosen, stream, stages, zone, types, log, firstMove: known?.first_move_at, lastMove: known?.last_move_at, ofLog: log !== null && chosen.since === log.since && chosen.until === log.until,
		open: item => dialog.open(item, context)};
	if (chosen.view === 'board')
		await Promise.all([cards.show(context, signal), showWip(signal)]);
	else
		await Promise.all([loadFigures(signal), showWip(signal)]);
}

/* The window is that of the first answer, so that all are of the same; a chart is drawn when its own has come. */
async function loadFigures(signal)
{
	const of = context, {stream, type, days, zone} = of, window = days > 0 ? daysWindow(days, of.firstMove, zone) : datesWindow(chosen, zone);
	const metrics = await get('metrics', {stream, type, attributes: of.attributes, ...window}, signal);

	of.metrics = metrics;
	of.metricsRead = Date.now();
	of.period = {since: metrics.period_start, until: metrics.period_end};
	of.figures = fromMetrics(metrics);
	setExported(of);
	showTiles();
	byId('period').textContent = periodOf(of);

	showLastFinish(byId('last-finish'), await lastFinish(of, signal), of, choose);
	await Promise.all(charts.map(async chart => {
		const answer = await ask(chart, of, signal);

		if (answer === undefined)
			seen.delete(chart);
		else
			seen.set(chart, answer);
	}));
	/* Up to now, of all types. */
	showFirstSteps(byId('first-steps'), days > 0 && type === '' && of.attributes === '' && (seen.get(charts[0])?.points ?? []).every(({values}) => values[0] === 0), stream, view => choose({view}));
}

/* Hours count in a window up to now, days in one of dates. */
function periodOf({days, firstMove, lastMove, log, ofLog, period: {since, until}, until: lastDay, zone})
{
	const upToNow = days === 0 && Date.parse(until) < Date.parse(startOfDay(lastDay, zone, 1));

	if (days > 0)
		return `${daysWindow(days, firstMove, zone).days ? `The ${days} days` : 'The time since the day of the first move,'} up to now: ${instant(since, zone)} to ${instant(until, zone)}, time of ${zone}`;
	return (ofLog ? `${daysBetween(log) < LOG_DAYS ? 'The whole log' : `Last ${LOG_DAYS} days of the log`}, in which nothing has moved since ${day(lastMove, zone)}: ` : '')
		+ `${day(since, zone)} to ${day(Date.parse(until) - 1, zone)}${upToNow ? ' (up to now)' : ''}, days of ${zone}`;
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
		wip: {now: type || context.attributes ? metrics.wip_now : sum(stages), average: metrics.wip},
		started: {now: metrics.started_wip_now, average: metrics.started_wip},
	});
}

/* Asks for the started part of a WIP that has changed, at times: the figures of a short window have it soon. */
async function followWip(signal)
{
	const of = context, {metrics, stream, type} = of;

	if (!metrics || type || of.attributes || sum(of.wip) === metrics.wip_now || Date.now() - of.metricsRead < STARTED_MS)
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
	for (const view of ['flow', 'board', 'import'])
		byId(view).hidden = view !== chosen.view;
	document.title = upper(chosen.view) + ' · vsm';
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
	importer.redraw();
	if (chosen.view !== 'flow' || !context?.figures)
		return;
	for (const [chart, answer] of seen)
		chart.show(answer, context);
	showTiles();
};

trouble.start({retry: how => {
	importer.retry();
	load(how);
}});

const live = every(LIVE_MS, async () => {
	if (context !== null && !trouble.is() && chosen.view !== 'import')
		await showWip();
}, error => trouble.show(error, load));

every(REFRESH_MS, async () => {
	const read = document.querySelector('.tip:not([hidden])');		/* a chart that is being read stays as it is */

	if (!trouble.is() && chosen.view === 'flow' && !read)
		await load({quiet: true});
}, () => {});

load();
