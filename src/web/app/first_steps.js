/*
 * first_steps.js
 *		What to do with a stream that has no items.
 */
import {address} from './api.js';
import {h} from './dom.js';

/* go(view) shows another view. */
export function showFirstSteps(element, wanted, stream, go)
{
	const where = address('import', {stream: stream === 'default' ? '' : stream});
	const link = (view, text) => h('a', {href: '?view=' + view, onclick: event => {
		event.preventDefault();
		go(view);
	}}, text);

	element.hidden = !wanted;
	element.replaceChildren(...!wanted ? [] : [h('div', null,
		h('p', null, h('strong', null, 'This stream has no work items yet.')),
		h('p', null, 'Create the first one on the ', link('board', 'Board'), ', or ', link('import', 'Import'),
			' the log of another tool: drop its export there, or send it from a script:'),
		h('pre', {tabindex: 0}, `curl -H 'content-type: text/csv' --data-binary @log.csv '${where}'`))]);
}
