/*
 * bottleneck.js
 *		The stage that slows the flow most, in a sentence on top of the page, and the ranking of all stages below it.
 *
 * Sentence, ranks and scores are those of the service.
 */
import {byId, h} from './dom.js';
import {count, exactPercent, number, percent, roundly, rounded, score} from './format.js';

const HEAD = ['Rank', 'Stage', 'Score', 'Share of time', 'WIP, average', 'Queue growth', 'Entered', 'Limit hits', 'Blocked', 'Why'];

export function bottleneck()
{
	const stage = h('strong'), why = h('span', {class: 'why'}), table = h('div', {class: 'table'});
	const details = h('details', null, h('summary', null, 'All stages, ranked'), table);
	const frame = {
		chart: h('p', {class: 'sentence'}),
		instead: text => {
			frame.chart.replaceChildren(text);
			details.hidden = true;
		},
	};
	let told = '';					/* touches nothing while it is the same, so that what is being read stays */

	byId('bottleneck').replaceChildren(frame.chart, details);
	frame.instead('Looking for the bottleneck');

	return {
		frame,
		refused: () => told = '',
		path: 'bottlenecks',
		parameters: ({stream, type, attributes, period}) => ({stream, type, attributes, ...period}),
		show({stages})
		{
			const now = JSON.stringify(stages), [first] = stages;

			if (now === told)
				return;
			told = now;
			if (!first || first.score === 0)
				return frame.instead('No bottleneck: no started work was in progress in this window.');
			stage.textContent = first.stage;
			why.textContent = first.why;
			frame.chart.replaceChildren('Bottleneck: ', stage, '. ', why);
			details.hidden = false;
			table.replaceChildren(ranking(stages));
		},
	};
}

const growth = n => n > 0 ? '+' + count(n) : count(n).replace('-', '−');

/* Of the time in the stage. */
const blocked = ({blocked_share: share, blocked_reason: reason}) => ({text: percent(share), title: reason === null ? null : `${exactPercent(share)}, mostly: ${reason}`});

const cells = stage => [stage.stage, roundly(score(stage.score), number(stage.score)), roundly(percent(stage.time_share), exactPercent(stage.time_share)),
	roundly(rounded(stage.avg_items), number(stage.avg_items)), growth(stage.queue_growth),
	count(stage.entered), count(stage.limit_hits), blocked(stage), stage.why];

function ranking(stages)
{
	return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'All stages, ranked'}, h('table', {class: 'ranking'},
		h('thead', null, h('tr', null, HEAD.map(name => h('th', {scope: 'col'}, name)))),
		h('tbody', null, stages.map(stage => h('tr', null, h('td', null, count(stage.rank)), cells(stage).map((cell, n) =>
			n === 0 ? h('th', {scope: 'row'}, cell) : h('td', {title: cell.title}, cell.text ?? cell)))))),
	h('p', {class: 'note'}, 'Score, 0 to 1: the mean of four parts, which are the share of time, the growth of the queue by the items that entered (0 if it did not grow), the share of entries '
		+ 'that filled the stage up to its limit, of all types, and the share of the time in the stage for which items were blocked.'));
}
