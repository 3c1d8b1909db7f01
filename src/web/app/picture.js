/*
 * picture.js
 *		A panel as a picture: its heading, what it is of, the chart, the legend and the note, as they look now.
 *
 * The panel's elements are laid out once more in an SVG, with the rules of the style sheet
 * that hold now, so that a chart of any kind (canvas, SVG, bars, a table) is drawn alike.
 * What scrolls on the page is there as a whole.
 */
import {h} from './dom.js';

const SCALE = 2;			/* pixels of the picture for one of the page */
const WHOLE = `
	.picture :is(.chart, .scroll) { max-height: none !important; overflow: visible !important; }
	.picture .scroll { border: 0; }
	.picture thead th { position: static; }
	.picture tbody th { white-space: normal; overflow-wrap: break-word; }
`;

export async function picture(section, title, subtitle)
{
	const copy = layOut(section, title, subtitle), {offsetWidth: width, offsetHeight: height} = copy;

	copy.removeAttribute('style');
	copy.remove();

	const markup = new XMLSerializer().serializeToString(h('div', {class: 'pictured'}, h('style', null, rules(document.styleSheets)), copy));
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><foreignObject width="100%" height="100%">${markup}</foreignObject></svg>`;
	const image = new Image(), canvas = h('canvas', {width: width * SCALE, height: height * SCALE});

	image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svg);
	await image.decode();

	const ink = canvas.getContext('2d');

	ink.scale(SCALE, SCALE);
	ink.drawImage(image, 0, 0, width, height);
	return new Promise((resolve, reject) => canvas.toBlob(blob => blob ? resolve(blob) : reject(new Error('no picture')), 'image/png'));
}

/* A copy beside the page, where it has its size. */
function layOut(section, title, subtitle)
{
	const chart = section.querySelector('.chart'), copy = chart.cloneNode(true);
	const room = 34;		/* of the panel beside its chart */
	const canvases = chart.querySelectorAll('canvas');

	copy.querySelectorAll('canvas').forEach((canvas, n) => canvas.replaceWith(asImage(canvases[n])));
	copy.querySelectorAll('.tip, .spot, button').forEach(element => element.remove());

	const parts = ['.legend', '.note'].map(name => section.querySelector(name).cloneNode(true));
	/* With the panel's id, by which some rules are. */
	const frame = h('section', {class: 'panel picture', id: section.id, style: 'position: fixed; left: -9999px; top: 0'},
		h('style', null, WHOLE), h('h2', null, title), subtitle && h('p', {class: 'about'}, subtitle), copy, ...parts);
	const widen = wide => frame.style.width = `${wide}px`;

	document.body.append(frame);
	widen(section.offsetWidth);
	widen(Math.max(section.offsetWidth, ...[...copy.querySelectorAll('*')].map(element => element instanceof HTMLElement ? element.scrollWidth + room : 0)));
	frame.firstChild.append(`.picture { width: ${frame.offsetWidth}px; }`);
	return frame;
}

function asImage(canvas)
{
	const {width, height} = canvas.getBoundingClientRect();

	return h('img', {src: canvas.toDataURL(), alt: '', style: `display: block; width: ${width}px; height: ${height}px`});
}

/* Those of a media query that holds now stand for themselves: the picture is not as wide as the page. */
function rules(sheets)
{
	const texts = list => [...list].map(rule => {
		if (rule instanceof CSSMediaRule)
			return matchMedia(rule.conditionText).matches ? texts(rule.cssRules) : '';
		return rule.selectorText === 'body' ? rule.cssText.replace('body', '.pictured') : rule.cssText;
	}).join('\n');

	return [...sheets].map(sheet => texts(sheet.cssRules)).join('\n');
}
