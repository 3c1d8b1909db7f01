/*
 * import_question.js
 *		What a file leaves open, as a question with the choices as controls; or why no log can be read from it.
 */
import {h} from './dom.js';
import {date, upper} from './format.js';

const CHOICES = {
	dates: ({detail}) => orders(/\b(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d\d)\b/.exec(detail ?? '') ?? ['03/04/2026', '03', '04', '2026']),
	direction: () => [['oldest_first', 'The oldest line of an item comes first'], ['newest_first', 'The newest line of an item comes first']],
};
const RIVALS = ['two_item_columns', 'two_stage_columns', 'two_time_columns'];	/* codes of a choice between two columns */
const ROLES = ['item', 'stage', 'time'];
const ASKS = {
	dates: 'How does the file write dates?', direction: 'In which order do the lines of an item stand?',
	item: 'Which column tells the item that a line is about?', stage: 'Which column holds the stage?', time: 'Which column tells when?',
};

/* By a date of the file; with a year of four digits, the year does not come first. */
function orders([text, a, b, c])
{
	const is = (year, month, day) => Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= 31
		? `: ${text} is ${date([year.padStart(4, '20'), month.padStart(2, '0'), day.padStart(2, '0')].join('-'))}` : '';

	return [['DMY', 'Day first' + is(c, b, a)], ['MDY', 'Month first' + is(c, a, b)], ...c.length === 2 ? [['YMD', 'Year first' + is(a, b, c)]] : []];
}

/* Those that the question names come first; the one that is the item, the stage or the time already comes last. */
function columnsOf({code, detail, option, columns, ...known})
{
	const named = RIVALS.includes(code) ? columns.filter(name => detail?.includes(`"${name}"`)) : [];
	const taken = name => ROLES.some(role => role !== option && known[role] === name);
	const place = name => named.includes(name) ? 0 : taken(name) ? 2 : 1;

	return columns.toSorted((a, b) => place(a) - place(b));
}

/* answer(option, value) is called with what was chosen. */
export function question(proposal, answer)
{
	const {option} = proposal;
	const choices = CHOICES[option]?.(proposal) ?? columnsOf(proposal).map(name => [name, name]);
	const error = h('p', {class: 'error', role: 'alert'});
	const form = h('form', {class: 'question', onsubmit: event => {
		const value = new FormData(form).get('choice');

		event.preventDefault();
		if (value === null)
			error.textContent = 'Choose one of them.';
		else
			answer(option, value);
	}},
	h('h3', null, upper(proposal.message)), proposal.detail && h('p', null, proposal.detail),
	h('fieldset', null, h('legend', null, ASKS[option] ?? proposal.hint),
		choices.map(([value, text]) => h('label', {class: 'choice'}, h('input', {type: 'radio', name: 'choice', value}), text))),
	error, h('p', {class: 'buttons'}, h('button', {type: 'submit'}, 'Read the file this way')));

	return form;
}

export const refusal = proposal => h('div', {class: 'refusal'},
	h('h3', null, upper(proposal.message)), proposal.detail && h('p', null, proposal.detail), proposal.hint && h('p', null, proposal.hint));
