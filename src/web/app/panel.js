/*
 * panel.js
 *		The frame of a chart: heading, what it tells, the chart or why there is none, a legend, a table of the values.
 *
 * The table is made when it is opened, and has at most ROWS rows.
 */
import {byId, h} from './dom.js';
import {count} from './format.js';

const ROWS = 500;

export function panel(id, title, about, ...controls)
{
	const section = byId(id);
	const chart = h('div', {class: 'chart'}), legend = h('ul', {class: 'legend'}), note = h('p', {class: 'note'});
	const summary = h('summary', null, 'Table of values'), holder = h('div', {class: 'table'});
	const details = h('details', {hidden: true}, summary, holder);
	let table = null, told = '';		/* what shown() was given last: the same again touches nothing */

	section.setAttribute('aria-labelledby', id + '-title');
	section.replaceChildren(
		h('header', null, h('h2', {id: id + '-title'}, title), ...controls),
		h('p', {class: 'about'}, about), chart, legend, note, details);
	details.ontoggle = () => details.open ? holder.replaceChildren(makeTable(title, table)) : holder.replaceChildren();

	return {
		chart,
		section,
		/* A chart is there now. keys: [[colour, text], ...]; rows: the first is the table's head. */
		shown({keys = [], remark = '', rows})
		{
			const now = JSON.stringify([keys, remark, rows]);

			if (now === told)
				return;
			told = now;
			legend.replaceChildren(...keys.map(legendLine));
			note.textContent = remark;
			table = rows;
			details.hidden = false;
			if (details.open)
				holder.replaceChildren(makeTable(title, table));
		},
		/* There is nothing to draw, and what can be done about it. */
		instead(text, ...more)
		{
			chart.replaceChildren(h('div', {class: 'empty'}, h('p', null, text), ...more));
			chart.removeAttribute('data-drawn');
			legend.replaceChildren();
			note.textContent = '';
			details.hidden = true;
			told = '';
		},
	};
}

function legendLine([colour, text, shape])
{
	const swatch = h('span', {class: 'swatch ' + (shape ?? '')});

	swatch.style.setProperty('--colour', colour);
	return h('li', null, swatch, text);
}

function makeTable(title, [head, ...rows])
{
	const left = rows.length - ROWS;
	const cells = row => row.map((cell, n) => n === 0 ? h('th', {scope: 'row'}, cell) : h('td', null, cell));

	return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title + ': table of values'}, h('table', null,
		h('thead', null, h('tr', null, head.map(cell => h('th', {scope: 'col'}, cell)))),
		h('tbody', null, rows.slice(0, ROWS).map(row => h('tr', null, cells(row))))),
		left > 0 && h('p', {class: 'note'}, `and ${count(left)} more, which the API gives`));
}
