/*
 * colours.js
 *		Colours that stay apart for colour-blind eyes.
 *
 * Stages stand in an order, and so do their colours: steps of viridis, whose
 * lightness grows evenly.  Percentiles have colours of Okabe and Ito, and differ
 * in their dashes and labels as well.  Everything else comes from style.css.
 */

import {isDiscarded, isWip} from './stages.js';

const VIRIDIS = [
	[72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121],
	[110, 206, 88], [181, 222, 43], [236, 229, 60],
];

/* The colour of stage n of so many that hold WIP.  What would not stand out from the ground is left out of the scale. */
function stageColour(n, of)
{
	const darkest = Number(theme().of('--darkest')), lightest = Number(theme().of('--lightest'));
	const part_of = of < 2 ? 0.5 : n / (of - 1), at = lightest * (1 - part_of) + darkest * part_of;	/* never beyond either end */
	const low = VIRIDIS[Math.floor(at)], high = VIRIDIS[Math.ceil(at)], part = at - Math.floor(at);

	return `rgb(${low.map((value, i) => Math.round(value + (high[i] - value) * part)).join(' ')})`;
}

/* By name, of all stages; done ones are grey, and discarded ones of another grey. */
export function stageColours(stages)
{
	const open = stages.filter(isWip), {done, discarded} = theme();
	const colourOf = stage => isWip(stage) ? stageColour(open.indexOf(stage), open.length) : isDiscarded(stage) ? discarded : done;

	return new Map(stages.map(stage => [stage.name, colourOf(stage)]));
}

export const PERCENTILES = [
	{name: 'P50', key: 'p50', colour: '--p50', dash: [2, 4]},
	{name: 'P85', key: 'p85', colour: '--p85', dash: [9, 4]},
	{name: 'P95', key: 'p95', colour: '--p95', dash: []},
];

/* The page's colours now; they change with the system's. */
export function theme()
{
	const css = getComputedStyle(document.documentElement), of = name => css.getPropertyValue(name).trim();

	return {text: of('--text'), soft: of('--soft'), line: of('--line'), panel: of('--panel'), accent: of('--accent'), done: of('--done'),
		discarded: of('--discarded'), of};
}
