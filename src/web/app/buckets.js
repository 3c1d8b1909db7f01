/*
 * buckets.js
 *		The days or weeks (from Monday) that a chart over time is of; each goes by its first day.
 */
import {date, seconds, startOfDay} from './format.js';

const DAYS = {day: 1, week: 7};
const WEEKLY_FROM = 45;			/* days of a window */

/* Days of a short window, weeks of others. */
export const stepOf = ({since, until}) => seconds(until) - seconds(since) > WEEKLY_FROM * 86400 ? 'week' : 'day';

export const lengthOf = step => DAYS[step] * 86400;

export const headOf = step => step === 'week' ? 'Week' : 'Day';

export const nameOf = (start, step) => (step === 'week' ? 'week from ' : '') + date(start);

/* Does the window have all of it? */
export const isWhole = (start, step, zone, {since, until}) =>
	seconds(startOfDay(start, zone)) >= seconds(since) && seconds(startOfDay(start, zone, DAYS[step])) <= seconds(until);

export const PARTLY = ' (in part)';

/* What the note says of a chart that has drawn such a day or week hollow. */
export const hollowMeans = step => `Hollow: the window holds only a part of that ${step}`;

/* For the scale of uPlot: half a bucket beyond the first and the last. */
export const around = step => (u, least, most) => [least - lengthOf(step) / 2, most + lengthOf(step) / 2];
