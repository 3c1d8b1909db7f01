/*
 * panel.js
 *		The frame of a chart: heading, what it tells, the chart or why there is none, a legend, a table of the values,
 *		and the menu that saves them.
 *
 * The table is made when it is opened, and has at most ROWS rows.
 */
import {setText} from './bars.js';
import {byId, h} from './dom.js';
import {exportMenu, plain} from './exporting.js';
import {count} from './format.js';

const ROWS = 500;

export function panel(id, title, about, ...controls)
{
	const section = byId(id);
	const chart = h('div', {class: 'chart'}, h('p', {class: 'loading'}, 'Loading')), legend = h('ul', {class: 'legend'}), note = h('p', {class: 'note'});
	const summary = h('summary', null, 'Table of values'), holder = h('div', {class: 'table'});
	const details = h('details', {hidden: true}, summary, holder);
	const heading = h('h2', {id: id + '-title'}, title), tells = h('p', {class: 'about'}, about);
	const menu = exportMenu(title, () => ({id, title: heading.textContent, section, rows: plain(table)}));
	let table = null, others = [], told = '';		/* what shown() was given last: the same again touches nothing */
	const tables = () => [tableOf(title, table), ...others.flatMap(([name, rows]) => [h('h3', null, name), tableOf(name, rows)])];

	section.setAttribute('aria-labelledby', id + '-title');
	section.replaceChildren(
		h('header', null, heading, ...controls, menu),
		tells, chart, legend, note, details);
	details.ontoggle = () => details.open ? holder.replaceChildren(...tables()) : holder.replaceChildren();

	return {
		chart,
		section,
		/* The name of the chart when it is another one, and what that tells; null: what it always does. */
		tell(name, text)
		{
			setText(heading, name ?? title);
			setText(tells, text ?? about);
		},
		/*
		 * A chart is there now. keys: [[colour, text], ...]; rows: the first is the table's head; also: further tables, [[name, rows], ...];
		 * tabled: the chart is a table of the rows itself. False: all of it was there already, and was left alone.
		 */
		shown({keys = [], remark = '', rows, also = [], tabled = false})
		{
			menu.hidden = false;
			const now = JSON.stringify([keys, remark, rows, also]);

			if (now === told)
				return false;
			told = now;
			legend.replaceChildren(...keys.map(legendLine));
			note.textContent = remark;
			[table, others] = [rows, also];
			details.hidden = tabled;
			if (details.open)
				holder.replaceChildren(...tables());
			return true;
		},
		/* There is nothing to draw, and what can be done about it. */
		instead(text, ...more)
		{
			setText(heading, title);
			setText(tells, about);
			chart.replaceChildren(h('div', {class: 'empty'}, h('p', null, text), ...more));
			chart.removeAttribute('data-drawn');
			legend.replaceChildren();
			note.textContent = '';
			details.hidden = menu.hidden = true;
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

/* A table that scrolls by itself; the first of the rows is its head. */
export function tableOf(title, [head, ...rows])
{
	const left = rows.length - ROWS;
	const cells = row => row.map((cell, n) => h(...n === 0 ? ['th', {scope: 'row'}] : ['td', {title: cell?.title}], cell?.text ?? cell));

	return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title + ': table of values'}, h('table', null,
		h('thead', null, h('tr', null, head.map(cell => h('th', {scope: 'col'}, cell)))),
		h('tbody', null, rows.slice(0, ROWS).map(row => h('tr', null, cells(row))))),
		left > 0 && h('p', {class: 'note'}, `and ${count(left)} more, which the API gives`));
}
