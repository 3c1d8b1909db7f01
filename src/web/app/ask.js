/*
 * ask.js
 *		Asking for what a chart shows, and showing it, or why it was refused.
 *
 * A chart has either a path with parameters, or ask(of, signal) where it needs more than one answer.  What the service
 * refuses it, such as a forecast without history, is said in its own panel: the others stay.  A chart may have words of
 * its own for that: refusal(error, of), or null.  What is wrong with the whole page is thrown.
 */
import {get} from './api.js';
import {h} from './dom.js';
import {erase} from './plot.js';
import {explain, isTrouble} from './trouble.js';

/* The answer, or undefined when it was refused. */
export async function ask(chart, of, signal)
{
	try
	{
		const answer = await (chart.ask ? chart.ask(of, signal) : get(chart.path, {attributes: of.attributes, ...chart.parameters(of)}, signal));

		chart.show(answer, of);
		return answer;
	}
	catch (error)
	{
		if (error.name === 'AbortError' || isTrouble(error))
			throw error;
		refuse(chart, error, of);
		return undefined;
	}
}

function refuse(chart, error, of)
{
	const [what, advice] = chart.refusal?.(error, of) ?? explain(error);

	instead(chart, what, advice && h('p', null, advice));
}

/* Says why a chart shows nothing. */
export function instead(chart, what, ...more)
{
	chart.refused?.();
	for (const frame of [chart.frame, ...chart.more ?? []])
	{
		erase(frame.chart);
		frame.instead(what, ...more);
	}
}
