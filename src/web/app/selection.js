/*
 * selection.js
 *		What is looked at: stream, type, window, view.  The URL holds it.
 */

export const WINDOWS = [7, 30, 90];

const DATE = /^\d{4}-\d\d-\d\d$/;
const DEFAULTS = {view: 'flow', stream: '', type: '', days: 30, since: '', until: '', step: 'day'};

/* What is no such value counts as not given. */
export function read()
{
	const parameters = new URLSearchParams(location.search), selection = {...DEFAULTS};
	const days = Number(parameters.get('days'));

	selection.view = parameters.get('view') === 'board' ? 'board' : 'flow';
	selection.stream = parameters.get('stream') ?? '';
	selection.type = parameters.get('type') ?? '';
	selection.step = parameters.get('step') === 'week' ? 'week' : 'day';
	if (WINDOWS.includes(days))
		selection.days = days;
	if (isDate(parameters.get('since')) && isDate(parameters.get('until')) && parameters.get('since') <= parameters.get('until'))
		Object.assign(selection, {days: 0, since: parameters.get('since'), until: parameters.get('until')});
	return selection;
}

export const isDate = text => DATE.test(text ?? '') && !Number.isNaN(Date.parse(text));

/* push: a step that the browser's back button takes back. */
export function write(selection, push)
{
	const parameters = new URLSearchParams();

	for (const [name, value] of Object.entries(selection))
		if (value !== DEFAULTS[name] && !(name === 'days' && value === 0))
			parameters.set(name, value);

	const url = parameters.size > 0 ? '?' + parameters : location.pathname;

	history[push ? 'pushState' : 'replaceState'](null, '', url);
}
