/*
 * import_refused.js
 *		The lines of a file that are no events, with the reason of each, to be read and to be kept.
 */
import {csv, save} from './csv.js';
import {h} from './dom.js';
import {count} from './format.js';

const COLUMNS = [['line', 'Line'], ['case_id', 'Item'], ['stage', 'Stage'], ['entered_at', 'Time'], ['value', 'Value'], ['reason', 'Reason']];

/* left: what became of them, or will, of one line and of several. */
export function refusedRows({refused, refused_count: n}, file, left)
{
	if (n === 0)
		return null;

	const columns = COLUMNS.filter(([key]) => refused.some(row => row[key] !== null && row[key] !== undefined));
	const rows = refused.map(row => columns.map(([key]) => row[key] ?? ''));
	const download = () => save(file.name.replace(/\.[^.]*$/, '') + ' refused.csv', csv([columns.map(([, name]) => name), ...rows]));

	return h('div', {class: 'refused'},
		h('h3', null, n === 1 ? '1 line is refused' : `${count(n)} lines are refused`),
		h('p', {class: 'note'}, left[n === 1 ? 0 : 1] + (n > refused.length ? ` The service lists the first ${count(refused.length)} of them; correct these, and try the file again to see more.` : '')),
		h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Refused lines'}, h('table', null,
			h('thead', null, h('tr', null, columns.map(([, name]) => h('th', {scope: 'col'}, name)))),
			h('tbody', null, rows.map(row => h('tr', null, row.map((cell, k) => h(k === 0 ? 'th' : 'td', k === 0 ? {scope: 'row'} : null, String(cell)))))))),
		h('p', {class: 'buttons'}, h('button', {type: 'button', class: 'quiet', onclick: download}, 'Download these lines as CSV')));
}
