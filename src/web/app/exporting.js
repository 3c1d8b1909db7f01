/*
 * exporting.js
 *		The menu of every panel that saves its chart: the data as CSV, the panel as a picture.
 *
 * Files are named after stream, chart, filters and window; columns have their units.  The
 * data are read off the panel's table of values, whose numbers are those of the API.
 */
import {csv, save} from './csv.js';
import {announce, h} from './dom.js';
import {dateOf, NONE} from './format.js';
import {picture} from './picture.js';

const UNITS = {'h': 'hours', '%': 'percent', 'd': 'days', 'min': 'minutes'};
const NUMBER = /^(-?\d{1,3}(?:,\d{3})*(?:\.\d+)?)(?:\u00a0(h|%|d|min))?$/;

let of = null;				/* what the charts are of: stream, filters, window */

export const setExported = context => of = context;

/* what(): {id, title, section, rows} of the panel now. */
export function exportMenu(title, what)
{
	const act = async (button, make) => {
		close();
		opener.focus();
		try
		{
			await make(what());
			announce(`${title}: saved as ${button}.`);
		}
		catch (error)
		{
			announce(`${title}: this browser cannot make the ${button} file.`);
		}
	};
	const entry = (name, about, make) => h('button', {type: 'button', class: 'quiet', title: about, onclick: () => act(name, make)}, name);
	const list = h('div', {class: 'menu', role: 'group', 'aria-label': 'Export ' + title, hidden: true},
		entry('CSV', 'The values as a table', saveCsv), entry('PNG', 'The chart as a picture', savePng));
	const opener = h('button', {type: 'button', class: 'quiet opener', 'aria-expanded': 'false', 'aria-label': 'Export ' + title, title: 'Export', onclick: () => list.hidden ? open() : close()}, '⤓');
	const element = h('span', {class: 'export', hidden: true}, opener, list);

	function open()
	{
		list.hidden = false;
		opener.setAttribute('aria-expanded', 'true');
		list.firstChild.focus();
	}

	function close()
	{
		list.hidden = true;
		opener.setAttribute('aria-expanded', 'false');
	}

	element.onkeydown = event => {
		if (event.key !== 'Escape' || list.hidden)
			return;
		close();
		opener.focus();
	};
	element.onfocusout = event => element.contains(event.relatedTarget) || close();
	return element;
}

const saveCsv = ({id, section, rows}) => save(fileName(id, section, 'csv'), csv(rows));

async function savePng({id, title, section})
{
	const context = contextOf(section), filters = context ? [context.type, context.attributes].filter(Boolean) : [];
	const subtitle = context ? [context.stream, ...filters, window(context).join(' to '), `days of ${context.zone}`].join(' · ') : '';

	save(fileName(id, section, 'png'), await picture(section, title, subtitle));
}

/* The chart of a file that is to be imported is of no stream yet. */
const contextOf = section => section.closest('#flow') ? of : null;

const window = ({period, zone}) => [dateOf(new Date(period.since), zone), dateOf(new Date(Date.parse(period.until) - 1), zone)];

function fileName(id, section, kind)
{
	const context = contextOf(section);
	const parts = context ? [context.stream, id, context.type, context.attributes, ...window(context)] : [id];

	return 'vsm_' + parts.filter(Boolean).map(part => part.replace(/[^\p{L}\p{N}.-]+/gu, '-').replace(/^-+|-+$/g, '')).join('_') + '.' + kind;
}

/*
 * plain
 *		A table of values as data: numbers without separators, the unit in the head of the column, times in ISO 8601.
 */
export function plain([head, ...rows])
{
	const columns = head.map((name, n) => column(name, rows.map(row => row[n]?.data ?? row[n])));

	return [columns.map(({name}) => name), ...rows.map((_, i) => columns.map(({cells}) => cells[i]))];
}

function column(name, cells)
{
	const given = cells.map(cell => String(cell ?? '')).map(cell => cell === NONE ? '' : cell);
	const read = given.map(cell => cell === '' ? [] : NUMBER.exec(cell)), units = new Set(given.flatMap((cell, n) => cell === '' ? [] : [read[n]?.[2] ?? '']));

	if (read.includes(null) || units.size > 1)
		return {name, cells: given.map(cell => cell.replaceAll('\u00a0', ' '))};

	const [unit] = units;

	return {name: unit && name.toLowerCase() !== UNITS[unit] ? `${name} (${UNITS[unit]})` : name, cells: read.map(match => match[1]?.replaceAll(',', '') ?? '')};
}
