/*
 * explore.js
 *		Reading a chart's values: by pointer, by touch and by keyboard.
 *
 * To the keyboard and to screen readers a chart is a slider over its marks:
 * arrows, Page Up and Down, Home and End go from mark to mark, and the values of
 * the mark are the slider's text.  marks() gives {left, top, lines, open} in the
 * element's own pixels, in reading order.  A mark that can be opened is so by a
 * click, by Enter, or by a second tap, as the first one reads it.
 */
import {h} from './dom.js';

const NEAR = 24;				/* pixels from a mark that is opened */

/* along: the pointer finds the mark that is nearest along x, y or both. */
export function explore(element, label, marks, along = 'x')
{
	const tip = h('div', {class: 'tip', hidden: true, 'aria-hidden': 'true'});
	const spot = h('div', {class: 'spot', hidden: true});
	let at = -1, before = -1;

	element.append(spot, tip);
	setSlider(element, label, marks());
	if (marks()[0]?.open)
		element.setAttribute('aria-describedby', 'open-hint');

	const show = (list, n) => {
		at = n;
		spot.hidden = tip.hidden = false;
		spot.style.transform = `translate(${list[n].left}px, ${list[n].top}px)`;
		tip.replaceChildren(...list[n].lines.map((line, i) => h(i === 0 ? 'strong' : 'span', null, line)));
		place(tip, element, list[n]);
	};
	const hide = () => spot.hidden = tip.hidden = true;

	const under = (list, event) => {
		const box = element.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top, n = nearest(list, x, y, along);

		return {n, near: Math.hypot(list[n].left - x, list[n].top - y) <= NEAR};
	};

	element.onpointermove = element.onpointerdown = event => {
		const list = marks();

		if (event.type === 'pointerdown')
			before = spot.hidden ? -1 : at;
		if (list.length === 0)
			return;

		const {n, near} = under(list, event);

		show(list, n);
		element.style.cursor = near && list[n].open ? 'pointer' : '';
	};
	element.onclick = event => {
		const list = marks();

		if (list.length === 0)
			return;

		const {n, near} = under(list, event);

		if (near && (event.pointerType !== 'touch' || n === before))
			list[n].open?.();
	};
	/* A finger that is lifted leaves too, but what it has shown is wanted still. */
	element.onpointerleave = event => event.pointerType === 'mouse' && hide();
	element.onblur = hide;
	element.onkeydown = event => {
		const list = marks();

		if (event.key === 'Escape')
			return hide();
		if (['Enter', ' '].includes(event.key) && list[Math.max(at, 0)]?.open)
		{
			event.preventDefault();
			return list[Math.max(at, 0)].open();
		}
		const to = target(event.key, at, list.length);
		if (to === null || list.length === 0)
			return;
		event.preventDefault();
		show(list, to);
		element.setAttribute('aria-valuenow', to + 1);
		element.setAttribute('aria-valuetext', list[to].lines.join(', '));
	};
}

function setSlider(element, label, list)
{
	for (const [name, value] of Object.entries({
		role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': Math.min(1, list.length), 'aria-valuemax': list.length,
		'aria-valuenow': Math.min(1, list.length), 'aria-valuetext': list[0]?.lines.join(', ') ?? 'no values',
	}))
		element.setAttribute(name, value);
}

function target(key, at, length)
{
	const step = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10}[key];

	if (key === 'Home')
		return 0;
	if (key === 'End')
		return length - 1;
	return step === undefined ? null : Math.max(0, Math.min(length - 1, at < 0 ? 0 : at + step));
}

function nearest(list, x, y, along)
{
	let best = 0, least = Infinity;

	list.forEach((mark, n) => {
		const distance = (along === 'y' ? 0 : Math.abs(mark.left - x)) + (along === 'x' ? 0 : Math.abs(mark.top - y));

		if (distance < least)
			[best, least] = [n, distance];
	});
	return best;
}

/* Beside the mark, on the side that has room. */
function place(tip, element, mark)
{
	const width = tip.offsetWidth, height = tip.offsetHeight;
	const left = mark.left + 12 + width <= element.clientWidth ? mark.left + 12 : Math.max(0, mark.left - 12 - width);
	const top = Math.max(0, Math.min(element.clientHeight - height, mark.top - height / 2));

	tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}
