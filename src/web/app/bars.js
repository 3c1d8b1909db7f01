/*
 * bars.js
 *		Rows with a bar each: name, bar, what it says.
 *
 * Rows are kept from one update to the next, so that bars glide and nothing flickers.
 */
import {h} from './dom.js';
import {explore} from './explore.js';

/* A list for rows, whose exact values can be read: lines(n) gives those of the nth. */
export function barList(kind, label, lines)
{
	const list = h('ul', {class: kind}), surface = h('div', {class: 'surface'}, list);
	const marks = () => [...list.children].map((row, n) => {
		const track = row.querySelector('.track'), ends = [...track.children].filter(bar => !bar.hidden).map(bar => bar.offsetLeft + bar.offsetWidth);

		return {left: track.offsetLeft + Math.max(0, ...ends), top: track.offsetTop + track.offsetHeight / 2, lines: lines(n)};
	});

	return {
		list,
		/* Once there are rows. */
		into(chart)
		{
			if (surface.isConnected)
				return;
			surface.querySelectorAll(':scope > :not(ul)').forEach(part => part.remove());
			chart.replaceChildren(surface);
			explore(surface, label, marks, 'y');
		},
	};
}

/* Rows by key, in the order given; make(key) builds one, which is then updated by the caller. */
export function rows(list, keys, make)
{
	const there = new Map([...list.children].map(row => [row.dataset.key, row]));
	const wanted = keys.map(key => {
		const row = there.get(key) ?? make(key);

		row.dataset.key = key;
		return row;
	});

	if (wanted.length !== list.children.length || wanted.some((row, n) => row !== list.children[n]))
		list.replaceChildren(...wanted);
	return wanted;
}

/* Bars lie in one track, the first at the bottom. */
export function barRow(name, classes)
{
	return h('li', {class: 'bar-row'},
		h('span', {class: 'bar-name'}, h('span', {class: 'swatch'}), name),
		h('span', {class: 'track', 'aria-hidden': 'true'}, classes.map(kind => h('span', {class: 'bar ' + kind}))),
		h('span', {class: 'bar-value'}));
}

export const share = (part, whole) => (whole > 0 ? Math.min(100, part / whole * 100) : 0) + '%';

/* Only what differs is touched. */
export function setText(element, text)
{
	if (element.textContent !== text)
		element.textContent = text;
}
