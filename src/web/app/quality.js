/*
 * quality.js
 *		What to know before trusting the figures: the findings of the service, each with what it means.
 */
import {h} from './dom.js';
import {count, items} from './format.js';
import {panel} from './panel.js';

export const quality = () => {
	const frame = panel('quality', 'Data quality', 'What to know before you trust these figures. Of all of the stream, whatever is chosen above.');

	return {
		frame,
		path: 'data-quality',
		parameters: ({stream}) => ({stream, attributes: ''}),
		show(findings)
		{
			const told = findings.filter(finding => finding.items === null || finding.items > 0);

			if (told.length === 0)
				return frame.instead('Nothing was found that would make these figures doubtful.');
			frame.chart.replaceChildren(h('ul', {class: 'findings'}, told.map(({items: n, meaning, finding}) => h('li', null,
				h('strong', null, n === null ? 'Note' : items(n)), ': ', h('span', null, meaning ?? finding)))));
			frame.shown({
				rows: [['Finding', 'Items', 'Meaning', 'Examples'], ...findings.map(({finding, items: n, meaning, examples}) => [
					finding, count(n), meaning ?? '', (examples ?? []).join(' ')])],
				tabled: true,
			});
		},
	};
};
