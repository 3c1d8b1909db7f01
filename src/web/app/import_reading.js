/*
 * import_reading.js
 *		How a file was read, and the controls to have it read in another way.
 */
import {fillSelect, h} from './dom.js';
import {count, instant, knownZone} from './format.js';

const FORMS = {long: 'a line for each move', wide: 'a line for each item, a column of dates for each stage'};
const ORDERS = {DMY: 'day, month, year', MDY: 'month, day, year', YMD: 'year, month, day'};
const DIRECTIONS = {oldest_first: 'oldest first', newest_first: 'newest first', by_sequence: 'by a column that numbers the moves'};
const DELIMITERS = {',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'pipes'};
const COLUMNS = {item: 'Item', stage: 'Stage', time: 'Time', type: 'Type', title: 'Title'};

const linesOf = n => n === 1 ? '1 line' : `${count(n)} lines`;

const when = (text, local) => instant(text + (local ? 'Z' : ''), 'UTC');

const zoneOf = ({local_times: local, time_zone: zone}) => local ? `${zone}, as the times have no offset` : 'each time has its offset';

/* Does the service refuse lines that could be read?  What only the reading of the file knows is of these, too. */
export const ofAllLines = (proposal, answer) => answer.refused_count > proposal.refused_count;

/* Items of which an import would write something; the file may have more, whose lines are known already or refused. */
const itemsOf = ({items: found, sampled}, {items: written, skipped, refused_count: refused}) =>
	count(written) + (found > written && skipped + refused > 0 ? ` of ${sampled ? 'about ' : ''}${count(found)} in the file` : '');

/* What an import would write, as the dry run counts it, and what becomes of the other lines. */
const transitions = ({passed_over: none}, {transitions: written, merged, skipped}) => [count(written),
	merged > 0 && `${linesOf(merged)} merged: the item was in that stage already`,
	skipped > 0 && `${linesOf(skipped)} known already`,
	none > 0 && linesOf(none) + (none === 1 ? ' is no move' : ' are no moves')].filter(Boolean).join('; ');

/* What is known of the file, as term and meaning. */
export function facts(proposal, answer)
{
	const {form, columns} = proposal, local = proposal.local_times;
	const column = key => proposal[key] && `${COLUMNS[key].toLowerCase()} “${proposal[key]}”`;
	const fresh = new Set(answer.changes?.types ?? []);
	const lines = [
		['Form', form && `${form}: ${FORMS[form]}`],
		['Columns', Object.keys(COLUMNS).map(column).filter(Boolean).join(', ') || `none of ${columns.length} is known`],
		['Items', itemsOf(proposal, answer)],
		['Transitions', transitions(proposal, answer)],
		['Refused', answer.refused_count > 0 && linesOf(answer.refused_count)],
		['First and last', proposal.first && `${when(proposal.first, local)} – ${when(proposal.last, local)}${ofAllLines(proposal, answer) ? ', of all lines, also of those that are refused' : ''}`],
		['Direction', form === 'long' && (DIRECTIONS[proposal.direction] ?? 'any: no two moves of an item are at one time')],
		['Dates', ORDERS[proposal.dates] ?? (proposal.first && 'unambiguous')],
		['Time zone', proposal.first && zoneOf(proposal)],
		['Types', proposal.types?.length > 0 && proposal.types.map(({name, rows}) => `${name}: ${linesOf(rows)}${fresh.has(name) ? ' (new)' : ''}`).join(', ')],
		['Written as', proposal.encoding && `${proposal.encoding}${DELIMITERS[proposal.delimiter] ? ', ' + DELIMITERS[proposal.delimiter] : ''}`
			+ (proposal.header_line > 1 ? `, header in line ${proposal.header_line}` : '')],
	];

	return h('dl', {class: 'facts-list'}, lines.filter(([, text]) => text).map(([term, text]) => h('div', null, h('dt', null, term), h('dd', null, text))));
}

/* change(option, value) with '' for as recognised. */
export function readingOptions(change)
{
	const select = (option, label) => {
		const control = h('select', {'data-option': option, onchange: () => change(option, control.value)});

		return [control, h('label', null, label + ' ', control)];
	};
	const zone = h('input', {'data-option': 'time_zone', list: 'import-zones', autocomplete: 'off', placeholder: 'UTC', 'aria-describedby': 'import-zone-error', onchange: setZone});
	const error = h('span', {class: 'error', id: 'import-zone-error', role: 'alert'});
	const zones = h('datalist', {id: 'import-zones'}, Intl.supportedValuesOf('timeZone').map(name => h('option', {value: name})));
	const controls = [['dates', 'Dates'], ['direction', 'Direction'], ...Object.entries(COLUMNS)].map(([option, label]) => [option, ...select(option, label)]);
	const element = h('details', {class: 'options'}, h('summary', null, 'Read the file in another way'),
		h('div', {class: 'fields'}, controls.map(([, , label]) => label), h('label', null, 'Time zone ', zone, zones), error));

	function setZone()
	{
		const name = zone.value.trim(), good = name === '' || knownZone(name) === name;

		error.textContent = good ? '' : `This browser does not know a time zone “${name}”.`;
		zone.setAttribute('aria-invalid', !good);
		if (good)
			change('time_zone', name);
	}

	return {
		element,
		show(options, {columns = []})
		{
			for (const [option, control] of controls)
			{
				const words = {dates: ORDERS, direction: {oldest_first: DIRECTIONS.oldest_first, newest_first: DIRECTIONS.newest_first}}[option];

				fillSelect(control, [['', 'as recognised'], ...words ? Object.entries(words) : columns.map(name => [name, name])], options[option] ?? '');
			}
			zone.value = options.time_zone ?? '';
		},
		lock(on)
		{
			[zone, ...controls.map(([, control]) => control)].forEach(control => control.disabled = on);
		},
	};
}
