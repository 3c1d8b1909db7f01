/*
 * forecast.js
 *		When a number of items will be done, and how many by a day: by confidence, from the throughput of the past.
 *
 * Of a log that has ended, the forecast is as of its last day.  What the service refuses, such as a forecast without enough
 * history, is said in the panel.
 */
import {get} from './api.js';
import {h} from './dom.js';
import {count, date, dateOf, day, items, NONE, upper} from './format.js';
import {panel} from './panel.js';
import {asOf} from './window.js';

const DAYS_AHEAD = 30;
const WORKING_DAYS = '1,2,3,4,5';
const MOST = 100000;

const open = ({metrics}) => Math.min(MOST, Math.max(1, metrics.open_at_until));

/* changed(): another question was put. */
export const forecast = changed => {
	const number = h('input', {type: 'number', min: 1, max: MOST, step: 1, class: 'small', id: 'forecast-items', placeholder: 'all',
		title: 'Empty: all items in progress'});
	const until = h('input', {type: 'date', id: 'forecast-until'}), weekdays = h('input', {type: 'checkbox', id: 'forecast-weekdays'});
	const frame = panel('forecast', 'Forecast', 'When will it be done? From the days that this stream has had: at 85 % confidence, 85 of 100 such pasts were done by then.',
		h('label', null, 'Items ', number), h('label', null, 'by ', until), h('label', null, weekdays, ' Monday to Friday'));
	let of = null;				/* what the fields' defaults are for */

	number.onchange = changed;
	for (const field of [until, weekdays])
		field.onchange = () => field.checkValidity() && changed();

	function fill(context)
	{
		const name = context.stream + '\n' + context.type, start = Date.parse(asOf(context) ?? new Date().toISOString());

		if (of === name)
			return;
		of = name;
		number.value = open(context);
		until.value = dateOf(new Date(start + DAYS_AHEAD * 86400000), context.zone);
	}

	return {
		frame,
		/* null: the number of items is none. */
		ask(context, signal)
		{
			const {stream, type, attributes} = context;

			fill(context);
			number.setAttribute('aria-invalid', !number.checkValidity());
			if (!number.checkValidity())
				return null;
			return get('forecast', {stream, type, attributes, items: number.value || open(context), until: until.value, at: asOf(context) ?? '',
				working_days: weekdays.checked ? WORKING_DAYS : ''}, signal);
		},
		refusal: (error, context) => refusal(error, context, weekdays.checked),
		show(forecast, {zone})
		{
			if (forecast === null)
				return frame.instead(`Items is a whole number from 1 to ${count(MOST)}, or empty: all in progress.`);

			const {when, how_many: many, ...answer} = forecast;
			const head = (first, second) => h('thead', null, h('tr', null, h('th', {scope: 'col'}, first), h('th', {scope: 'col'}, second)));
			const line = (confidence, value) => h('tr', {class: confidence === 85 ? 'likely' : ''}, h('th', {scope: 'row'}, confidence + ' %'), h('td', null, value));
			const dayOf = ({done_on: done}) => done === null ? 'not within ten years' : date(done);

			frame.chart.replaceChildren(h('div', {class: 'forecasts'},
				h('table', null, h('caption', null, `${items(when.items)} done by`), head('Confidence', 'Day'), h('tbody', null, when.at.map(row => line(row.confidence, dayOf(row))))),
				h('table', null, h('caption', null, `Done by ${date(many.until)}`), head('Confidence', 'At least'),
					h('tbody', null, many.at.map(row => line(row.confidence, items(row.items)))))));
			frame.shown({
				remark: `Drawn from ${count(answer.days_with_throughput)} days with throughput, ${day(answer.history_since, zone)} to ${day(answer.history_until, zone)}: `
					+ `${items(answer.finished)} finished; ${count(answer.trials)} trials.`,
				rows: [['Confidence', `${items(when.items)} done by`, `Done by ${date(many.until)}`], ...when.at.map((row, n) => [
					row.confidence + ' %', row.done_on ?? NONE, count(many.at[n].items)])],
				tabled: true,
			});
		},
	};
};

/* What the service refuses, in the words of the page's own controls; null: of that the page has no other words. */
function refusal({status, message}, {type, attributes, ofLog}, weekdays)
{
	const few = /(Of the .* whole days) before the day of the forecast, (\d+) have throughput(?:, without the outliers[^;]*)?; (a forecast needs \d+)/.exec(message);
	const remedies = [type && 'choose all types', attributes && 'clear the attributes', weekdays && 'untick “Monday to Friday”'].filter(Boolean);

	if (status !== 422)
		return null;
	if (few === null)
		return [upper(message), ''];
	return [`${few[1]} ${ofLog ? 'up to the end of the log' : 'before today'}, items were finished on ${few[2]}; ${few[3]}.`,
		remedies.length > 0 ? `${upper(remedies.join(', or '))}.` : ofLog ? 'The log is too short for a forecast.' : 'Come back when items have been finished on more days.'];
}
