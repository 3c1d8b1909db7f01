/*
 * selection.js
 *		What is looked at: stream, type, attributes, window, view, how charts are shown.  The URL holds it.
 *
 * usual: the usual window was asked for, also where it has no data.  Without it the
 * page may open on another window.
 */
import {parse} from './attributes.js';

export const WINDOWS = [7, 30, 90];
export const USUAL_DAYS = 30;

const DATE = /^\d{4}-\d\d-\d\d$/;
const FIGURES = ['throughput', 'cycle_time', 'wip', 'total_age'];
const VIEWS = ['flow', 'board', 'import'];
const STEPS = ['day', 'week'];
const DEFAULTS = {view: 'flow', stream: '', type: '', days: USUAL_DAYS, since: '', until: '', step: 'day', attributes: '', behaviour: ''};

/* What the URL says of it, and what it says that cannot be read: [{part, why}], which count as not given. */
export function read()
{
	const parameters = new URLSearchParams(location.search), selection = {...DEFAULTS, usual: false}, unread = [];
	const given = name => parameters.get(name) ?? '', part = name => `${name}=${given(name)}`;
	const days = Number(given('days')), dates = ['since', 'until'].filter(name => given(name) !== '');
	const refuse = (names, why) => unread.push({part: names.map(part).join('&'), why});

	[selection.stream, selection.type] = [given('stream'), given('type')];
	selection.behaviour = figures(given('behaviour')).join();
	if (VIEWS.includes(given('view')))
		selection.view = given('view');
	else if (given('view') !== '')
		refuse(['view'], 'The views are flow, board and import.');
	try
	{
		selection.attributes = parse(given('attributes'));
	}
	catch (error)
	{
		refuse(['attributes'], error.message);
	}
	if (STEPS.includes(given('step')))
		selection.step = given('step');
	else if (given('step') !== '')
		refuse(['step'], 'A step is day or week.');
	if (WINDOWS.includes(days))
		[selection.days, selection.usual] = [days, days === USUAL_DAYS];
	else if (given('days') !== '')
		refuse(['days'], 'A window has 7, 30 or 90 days, or two dates, since and until.');
	if (dates.length === 2 && dates.every(name => isDate(given(name))))
		Object.assign(selection, {days: 0, since: given('since'), until: given('until')});
	else if (dates.length > 0)
		refuse(dates, 'A window has two dates, since and until, such as 2026-10-31.');
	return {selection, unread};
}

/* The figures of a list that are shown as process behaviour charts; and the list with one of them added, or taken away. */
const figures = list => FIGURES.filter(figure => list.split(',').includes(figure));
export const toggled = (list, figure) => FIGURES.filter(one => figures(list).includes(one) !== (one === figure)).join();

/* Of the calendar: Date.parse() also takes 31 February. */
export const isDate = text => DATE.test(text ?? '') && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);

/* As if nobody had chosen one. */
export const usualWindow = {days: USUAL_DAYS, since: '', until: '', usual: false};

/* Has nobody chosen a window? */
export const hasNoWindow = ({days, usual}) => days === USUAL_DAYS && !usual;

/* push: a step that the browser's back button takes back. */
export function write(selection, push)
{
	const parameters = new URLSearchParams();

	for (const [name, usual] of Object.entries(DEFAULTS))
		if ((selection[name] !== usual || (name === 'days' && selection.usual)) && !(name === 'days' && selection.days === 0))
			parameters.set(name, selection[name]);

	const url = parameters.size > 0 ? '?' + parameters : location.pathname;

	history[push ? 'pushState' : 'replaceState'](null, '', url);
}
