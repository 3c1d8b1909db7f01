/*
 * pickers.js
 *		The head of the page: stream, type, attributes, and the window of time.
 */
import {attributeField} from './attributes.js';
import {byId, fillSelect} from './dom.js';
import {dateOf} from './format.js';
import {isDate, WINDOWS} from './selection.js';
import {BACKWARDS} from './window.js';

export function pickers(choose)
{
	const stream = byId('stream'), type = byId('type'), since = byId('since'), until = byId('until'), dates = byId('dates');
	const attributes = attributeField(byId('attributes'), byId('attributes-error'), choose);
	let zone = 'UTC';

	byId('choice').onsubmit = event => event.preventDefault();
	stream.onchange = () => choose({stream: stream.value});
	type.onchange = () => choose({type: type.value});
	for (const radio of document.querySelectorAll('input[name=days]'))
		radio.onchange = () => {
			if (WINDOWS.includes(Number(radio.value)))
				choose({days: Number(radio.value), since: '', until: ''});
			else
				chooseDates();
		};
	since.onchange = until.onchange = chooseDates;

	function chooseDates()
	{
		dates.hidden = false;
		if (!isDate(until.value))
			until.value = dateOf(new Date(), zone);
		if (!isDate(since.value))
			since.value = dateOf(new Date(Date.now() - 29 * 86400000), zone);

		if (inOrder(since.value, until.value))
			choose({days: 0, since: since.value, until: until.value});
	}

	function inOrder(first, last)
	{
		const backwards = first > last;

		byId('dates-error').textContent = backwards ? BACKWARDS : '';
		since.setAttribute('aria-invalid', backwards);
		return !backwards;
	}

	return {
		show(chosen, streams, types, name)
		{
			const names = streams.map(known => known.name);

			zone = streams.find(known => known.name === name)?.time_zone ?? 'UTC';
			fillSelect(stream, options(names, name), name ?? '');
			fillSelect(type, [['', 'all types'], ...options(types, chosen.type)], chosen.type);
			attributes.show(chosen.attributes);
			document.querySelector(`input[name=days][value="${chosen.days || 'dates'}"]`).checked = true;
			dates.hidden = chosen.days > 0;
			if (chosen.days === 0)
				[since.value, until.value] = [chosen.since, chosen.until];
			inOrder(chosen.since, chosen.until);
		},
	};
}

/* What is chosen is among them, even if it does not exist. */
function options(names, chosen)
{
	return [...names, ...chosen && !names.includes(chosen) ? [chosen] : []].map(name => [name, name]);
}
