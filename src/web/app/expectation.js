/*
 * expectation.js
 *		The service level expectation of a window: asked for once, for all the charts that show it.
 */
import {get} from './api.js';
import {percent, span} from './format.js';

const answers = new WeakMap();		/* by what the page's answers are read with */

/* The answer of /sle-conformance, by days for a short window and weeks for others. */
export function expectation(of, signal)
{
	if (!answers.has(of))
	{
		const {stream, type, attributes, period} = of, step = stepOf(period);

		answers.set(of, get('sle-conformance', {stream, type, attributes, ...period, step}, signal));
	}
	return answers.get(of);
}

const stepOf = ({since, until}) => Date.parse(until) - Date.parse(since) <= 14 * 86400000 ? 'day' : 'week';

/* Such as "SLE 8 d (85 %)". */
export const expected = ({elapsed_hours: within, probability}) => `SLE ${span(within)} (${percent(probability)})`;

/* For levelLine(): null where nothing is expected. */
export const levelOf = (sle, unit) => sle.elapsed_hours === null ? null : {at: sle.elapsed_hours / unit.hours, name: expected(sle)};
