/*
 * import_result.js
 *		What an import did, and the way to the charts.
 */
import {h} from './dom.js';
import {count} from './format.js';
import {refusedRows} from './import_refused.js';

const FIGURES = [
	['items', 'Items', 'new in the stream'],
	['transitions', 'Transitions', 'new in the ledger'],
	['merged', 'Merged', 'the item was in that stage already'],
	['skipped', 'Skipped', 'known already'],
	['refused_count', 'Refused', 'lines that are no events'],
	['breaches', 'Over the limit', 'entries that leave a stage over its WIP limit now'],
];

export function importResult(answer, file, stream, {open, another})
{
	const nothing = answer.items === 0 && answer.transitions === 0;

	return h('div', {class: 'result'},
		h('h3', {tabindex: -1}, nothing ? `Stream “${stream}” had all of this already` : `“${file.name}” is in stream “${stream}”`),
		h('ul', {class: 'counts', 'aria-label': 'Result of the import'}, FIGURES.map(([key, name, meaning]) => h('li', {'data-figure': key},
			h('strong', null, count(answer[key])), ` ${name}`, h('span', {class: 'note'}, ` ${meaning}`)))),
		refusedRows(answer, file, ['It was left out; all others were imported.', 'They were left out; all others were imported.']),
		h('p', {class: 'buttons'},
			h('a', {class: 'button', href: '?' + new URLSearchParams({stream}), onclick: event => {
				event.preventDefault();
				open();
			}}, `Open the charts of “${stream}”`),
			h('button', {type: 'button', class: 'quiet', onclick: another}, 'Import another file')));
}
