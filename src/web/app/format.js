/*
 * format.js
 *		Numbers, durations and times as people read them.
 *
 * The API gives hours with two decimals and shares with four.  hours() and exactPercent() show
 * that number as it is, for tables of values and tooltips; span() and percent() round it to what
 * reads best, for all else.  No line breaks between a number and its unit.
 */

const whole = new Intl.NumberFormat('en');
const oneDecimal = new Intl.NumberFormat('en', {maximumFractionDigits: 1});
const twoDecimals = new Intl.NumberFormat('en', {minimumFractionDigits: 2, maximumFractionDigits: 2});
const asGiven = new Intl.NumberFormat('en', {maximumFractionDigits: 4});

export const NONE = '–';

export const count = n => n === null || n === undefined ? NONE : whole.format(n);
export const rounded = x => x === null || x === undefined ? NONE : oneDecimal.format(x);
export const score = x => x === null || x === undefined ? NONE : twoDecimals.format(x);
export const number = x => x === null || x === undefined ? NONE : asGiven.format(x);
export const hours = x => x === null || x === undefined ? NONE : asGiven.format(x) + '\u00a0h';
export const percent = x => x === null || x === undefined ? NONE : oneDecimal.format(x * 100) + '\u00a0%';
export const exactPercent = x => x === null || x === undefined ? NONE : asGiven.format(x * 100) + '\u00a0%';
export const upper = text => text.charAt(0).toUpperCase() + text.slice(1);

/* By what people call an item: its id in the tool that it comes from, else the number that the service gave it. */
export const idOf = ({id, external_id: external}) => external ?? '#' + id;

export const items = n => count(n) + (n === 1 ? ' item' : ' items');

/* In the unit that reads best, or in that of another duration beside it. */
export function span(x, beside = x)
{
	if (x === null || x === undefined)
		return NONE;
	if (beside < 1)
		return whole.format(Math.round(x * 60)) + '\u00a0min';
	if (beside < 48)
		return oneDecimal.format(x) + '\u00a0h';
	return oneDecimal.format(x / 24) + '\u00a0d';
}

/* The unit for an axis that goes so many hours high. */
export function unitFor(most)
{
	if (most >= 72)
		return {hours: 24, name: 'days'};
	if (most >= 2)
		return {hours: 1, name: 'hours'};
	return {hours: 1 / 60, name: 'minutes'};
}

export const seconds = time => Date.parse(time) / 1000;

const formats = new Map();

/* A zone that the database knows and the browser does not is UTC here; the page names the zone it uses. */
export function knownZone(zone)
{
	try
	{
		format(zone, {});
		return zone;
	}
	catch (error)
	{
		return 'UTC';
	}
}

function format(zone, options)
{
	const key = zone + JSON.stringify(options);

	if (!formats.has(key))
		formats.set(key, new Intl.DateTimeFormat('en-GB', {timeZone: zone, ...options}));
	return formats.get(key);
}

export const instant = (time, zone) =>
	format(zone, {day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit'}).format(new Date(time));

export const day = (time, zone) => format(zone, {day: 'numeric', month: 'short', year: 'numeric'}).format(new Date(time));

/* A date such as 2026-11-24 is the same everywhere. */
export const date = text => day(text + 'T00:00:00Z', 'UTC');

/* A cell of a table that is written in another way where programs read it. */
export const dated = (text, data) => ({text, data});

/* A cell of a table that is rounded; the exact value is its tooltip, and what programs read. */
export const roundly = (text, exact) => ({text, data: exact, title: exact});

/* How long ago, for a card. */
export function since(time)
{
	const hours = (Date.now() - Date.parse(time)) / 3600000;

	return hours < 1 / 60 ? 'now' : span(hours);
}

/*
 * startOfDay
 *		The instant at which a date begins in a zone, as RFC 3339.
 *
 * The zone's offset is read off the wall clock there, once for a first guess and
 * once at the guess, as a day that changes the clock has two offsets.
 */
export function startOfDay(text, zone, days = 0)
{
	const wanted = Date.parse(text + 'T00:00:00Z') + days * 86400000;
	let guess = wanted - offset(wanted, zone);

	guess = wanted - offset(guess, zone);
	return new Date(guess).toISOString();
}

function offset(at, zone)
{
	const parts = {};

	for (const {type, value} of format(zone, {hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
		hour: 'numeric', minute: 'numeric', second: 'numeric'}).formatToParts(new Date(at)))
		parts[type] = Number(value);
	return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(at / 1000) * 1000;
}

/* The date that an instant has in a zone. */
export const dateOf = (at, zone) => format(zone, {year: 'numeric', month: '2-digit', day: '2-digit'})
	.formatToParts(at).reduce((text, {type, value}) => text.replace(type, value), 'year-month-day');
