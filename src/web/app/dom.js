/*
 * dom.js
 *		Makes elements.
 *
 * Text only ever gets into the page as text nodes and attributes: a title with
 * markup in it is shown, not run.
 */

const SVG = 'http://www.w3.org/2000/svg';

/* h('p', {class: 'note', onclick}, 'text', element, ...); null children and attributes are left out. */
export function h(tag, attributes, ...children)
{
	return fill(document.createElement(tag), attributes, children);
}

/* The same for what is drawn: svg('path', {d}). */
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(element, attributes, children)
{
	for (const [name, value] of Object.entries(attributes ?? {}))
		if (name.startsWith('on'))
			element.addEventListener(name.slice(2), value);
		else if (value === true)
			element.setAttribute(name, '');
		else if (value !== null && value !== undefined && value !== false)
			element.setAttribute(name, value);
	element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
	return element;
}

export const byId = id => document.getElementById(id);

/* Fills a select, keeps it as it is where nothing changed, and chooses a value. */
export function fillSelect(select, options, value)
{
	const now = [...select.options].map(option => option.value + '\n' + option.text).join('\n');
	const then = options.map(option => option.join('\n')).join('\n');

	if (now !== then)
		select.replaceChildren(...options.map(([key, text]) => h('option', {value: key}, text)));
	select.value = value;
}

let said;

/* Tells a screen reader what happened, without moving the focus. */
export function announce(text)
{
	const live = byId('announcements');

	clearTimeout(said);
	live.textContent = '';
	said = setTimeout(() => live.textContent = text, 50);
}
