/*
 * attributes.js
 *		The filter by attributes: "team = red, size = 2" to people, {"team":"red","size":2} to the API, either in the URL.
 *
 * A value that is JSON is that: 2 is a number, "2" in quotes is text.  Other values are text
 * as they stand.  What cannot be written so, such as a nested object, is written as JSON.
 *
 * null is refused, as it would find no item without the attribute, and so are numbers that
 * JavaScript would change, such as 1e400: the filter would be another one than was written.
 */
import {asJson} from './json.js';

const PAIRS = /(?:"(?:[^"\\]|\\.)*"|[^,"]|"(?![^"]*"))+/g;
const TEXTS = /"(?:[^"\\]|\\.)*"/g;
const NUMBERS = /\d[\d.]*(?:e[-+]?\d+)?/gi;

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value);

/* The JSON of a filter that people wrote, '' for none; throws what is wrong with it. */
export function parse(text)
{
	const whole = asJson(text);

	if (isObject(whole))
		return filterOf(Object.entries(whole), text);
	return filterOf((text.match(PAIRS) ?? []).filter(pair => pair.trim() !== '').map(pair => {
		const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair)?.map(part => part.trim()) ?? [];

		if (!key || value === '')
			throw new Error('Write an attribute as key = value, such as team = red.');
		if (asJson(value) !== undefined)
			refuseChanged(value);
		return [asText(key), asJson(value) ?? value];
	}), '');
}

/* json: the text that the pairs were read from, '' where each value was looked at already. */
function filterOf(pairs, json)
{
	const twice = pairs.map(([key]) => key).find((key, n, keys) => keys.indexOf(key) !== n);

	if (twice !== undefined)
		throw new Error(`Give ${twice} one value only: an item has to have all attributes of the filter.`);
	refuseChanged(json);
	return pairs.length === 0 ? '' : JSON.stringify(Object.fromEntries(pairs));
}

/* Of JSON: refuses what would not be sent as it is written. */
function refuseChanged(json)
{
	const literals = json.replaceAll(TEXTS, '""'), changed = (literals.match(NUMBERS) ?? []).find(number => digits(number) !== digits(String(Number(number))));

	if (/\bnull\b/.test(literals))
		throw new Error('null is no value to look for. The text is written "null", in quotes.');
	if (changed !== undefined)
		throw new Error(`The number ${changed} is too large, too small or too exact. As text it is written "${changed}", in quotes.`);
}

/* Those that tell a number from others of its size. */
const digits = number => number.replace(/e.*/i, '').replaceAll(/[-.]/g, '').replaceAll(/^0+|0+$/g, '');

const asText = key => typeof asJson(key) === 'string' ? asJson(key) : key;

/* What parse() makes the same JSON of. */
export function words(json)
{
	if (json === '')
		return '';

	const pairs = Object.entries(JSON.parse(json));
	const written = pairs.map(([key, value]) => `${key} = ${typeof value === 'string' && asJson(value) === undefined && !/[,"]/.test(value) ? value : JSON.stringify(value)}`).join(', ');

	try
	{
		return parse(written) === json ? written : json;
	}
	catch (error)
	{
		return json;
	}
}

/* Has an item all attributes of the filter, as PostgreSQL's @> says? */
export const matches = (item, json) => json === '' || contains(item.attributes, JSON.parse(json));

function contains(value, part)
{
	if (Array.isArray(part))
		return Array.isArray(value) && part.every(wanted => value.some(element => contains(element, wanted)));
	if (isObject(part))
		return isObject(value) && Object.entries(part).every(([key, wanted]) => Object.hasOwn(value, key) && contains(value[key], wanted));
	return value === part;
}

/* The field of the filter, beside the type. */
export function attributeField(field, problem, choose)
{
	field.onchange = () => {
		try
		{
			const attributes = parse(field.value);

			refuse('');
			choose({attributes});
		}
		catch (error)
		{
			refuse(error.message);
		}
	};

	function refuse(text)
	{
		problem.textContent = text;
		field.setAttribute('aria-invalid', text !== '');
	}

	return {
		/* What is being written stays. */
		show(json)
		{
			if (document.activeElement === field)
				return;
			field.value = words(json);
			refuse('');
		},
	};
}
