/*
 * selection.js
 *		What is looked at: stream, type, attributes, window, view, how charts are shown.  The URL holds it.
 *
 * usual: the usual window was asked for, also where it has no data.  Without it the
 * page may open on another window.
 */
import {known} from './attributes.js';

export const WINDOWS = [7, 30, 90];
export const USUAL_DAYS = 30;

const DATE = /^\d{4}-\d\d-\d\d$/;
const FIGURES = ['throughput', 'cycle_time', 'wip', 'total_age'];
const VIEWS = ['flow', 'board', 'import'];
const DEFAULTS = {view: 'flow', stream: '', type: '', days: USUAL_DAYS, since: '', until: '', step: 'day', attributes: '', behaviour: ''};

/* What is no such value counts as not given. */
export function read()
{
	const parameters = new URLSearchParams(location.search), selection = {...DEFAULTS, usual: false};
	const days = Number(parameters.get('days'));

	selection.view = VIEWS.includes(parameters.get('view')) ? parameters.get('view') : DEFAULTS.view;
	selection.stream = parameters.get('stream') ?? '';
	selection.type = parameters.get('type') ?? '';
	selection.attributes = known(parameters.get('attributes'));
	selection.behaviour = figures(parameters.get('behaviour') ?? '').join();
	selection.step = parameters.get('step') === 'week' ? 'week' : 'day';
	if (WINDOWS.includes(days))
		[selection.days, selection.usual] = [days, days === USUAL_DAYS];
	if (isDate(parameters.get('since')) && isDate(parameters.get('until')))
		Object.assign(selection, {days: 0, since: parameters.get('since'), until: parameters.get('until')});
	return selection;
}

/* The figures of a list that are shown as process behaviour charts; and the list with one of them added, or taken away. */
const figures = list => FIGURES.filter(figure => list.split(',').includes(figure));
export const toggled = (list, figure) => FIGURES.filter(one => figures(list).includes(one) !== (one === figure)).join();

export const isDate = text => DATE.test(text ?? '') && !Number.isNaN(Date.parse(text));

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
