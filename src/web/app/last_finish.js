/*
 * last_finish.js
 *		Where the data are, when the window has nothing that was finished: the last finish, else the last move, and a
 *		button that chooses the days up to it.
 */
import {get} from './api.js';
import {h} from './dom.js';
import {instant} from './format.js';
import {daysBetween, daysUpTo} from './window.js';

const BEGINNING = '1970-01-01T00:00:00Z';

/* Before or after the window; null: nowhere, or the window has it. */
export async function lastFinish({stream, type, attributes, metrics, period, lastMove}, signal)
{
	if (metrics.throughput > 0)
		return null;

	const {points: [last]} = await get('cycle-times', {stream, type, attributes, since: BEGINNING, limit: 1}, signal);

	if (last)
		return {at: last.completed_at, what: 'The last item was finished on'};
	return lastMove && Date.parse(lastMove) < Date.parse(period.since) ? {at: lastMove, what: 'Items moved last on'} : null;
}

export function showLastFinish(element, last, {firstMove, zone}, choose)
{
	const days = last === null ? null : daysUpTo(last.at, firstMove, zone);

	element.hidden = last === null;
	element.replaceChildren(...last === null ? [] : [
		h('p', null, `Nothing was finished in this window. ${last.what} ${instant(last.at, zone)}.`),
		h('button', {type: 'button', onclick: () => choose({days: 0, ...days})},
			daysBetween(days) === 1 ? 'Show that day' : `Show the ${daysBetween(days)} days up to then`)]);
}
