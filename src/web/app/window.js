/*
 * window.js
 *		The window of time that the charts show.
 *
 * Where nothing has moved within the usual window, the page opens on the last days of
 * the log, so that it shows what there is.  No such window begins before the log does:
 * days before the first move would only dilute averages.
 */
import {dateOf, startOfDay} from './format.js';
import {USUAL_DAYS} from './selection.js';

const DAY = 86400000;

export const LOG_DAYS = 90;

/* The days up to the last move, for a stream whose moves all lie before the usual window; else null. */
export function lastDaysOfLog({first_move_at: first, last_move_at: last, time_zone: zone})
{
	if (!last || Date.now() - Date.parse(last) < USUAL_DAYS * DAY)
		return null;

	return daysUpTo(last, first, zone);
}

/* The last LOG_DAYS days of a log up to an instant, or all of them where it began later. */
export function daysUpTo(last, first, zone)
{
	const until = dateOf(new Date(last), zone), since = new Date(Date.parse(until) - (LOG_DAYS - 1) * DAY).toISOString().slice(0, 10);
	const begin = first ? dateOf(new Date(first), zone) : since;

	return {since: begin > since ? begin : since, until};
}

/* How many days two dates span, both included. */
export const daysBetween = ({since, until}) => (Date.parse(until) - Date.parse(since)) / DAY + 1;

/* The last days up to now, or those since the day of the first move where that is later. */
export function daysWindow(days, first, zone)
{
	const since = first ? startOfDay(dateOf(new Date(first), zone), zone) : null;

	return since !== null && Date.parse(since) > Date.now() - days * DAY ? {since} : {days};
}

export const BACKWARDS = 'The first day is after the last one.';

/* Whole days of the stream's time zone, and nothing of the future. */
export function datesWindow({since: first, until: last}, zone)
{
	if (first > last)
		throw new Error(BACKWARDS);

	const since = startOfDay(first, zone), until = startOfDay(last, zone, 1), now = new Date().toISOString();

	if (since >= now)
		throw new Error('This window begins in the future. Choose earlier dates.');
	return {since, until: until < now ? until : now};
}

/* As long as the window, and up to its start; of whole days, whole days. */
export function periodBefore({days, since: first, until: last, period, zone})
{
	const length = Date.parse(period.until) - Date.parse(period.since), whole = days === 0 && Date.parse(period.until) === Date.parse(startOfDay(last, zone, 1));
	const since = whole ? startOfDay(first, zone, -1 - (Date.parse(last) - Date.parse(first)) / DAY) : new Date(Date.parse(period.since) - length).toISOString();

	return {since, until: period.since};
}

/* Of a log that has ended, the end of its window; else null: now. */
export const asOf = ({ofLog, period}) => ofLog ? period.until : null;
