/*
 * sle_dialog.js
 *		Sets the service level expectation of a stream or of a type in it, shows those there are, and takes them back.
 *
 * The service decides who may; what it refuses is said here.
 */
import {get, put, remove} from './api.js';
import {announce, h} from './dom.js';
import {date, dateOf, percent, span} from './format.js';
import {explain} from './trouble.js';

const UNITS = {days: 24, hours: 1};

export function sleDialog(changed)
{
	const length = h('input', {name: 'length', type: 'number', min: 1, max: 99999, step: 1, required: true});
	const unit = h('select', {name: 'unit', 'aria-label': 'Unit of the time'}, Object.keys(UNITS).map(name => h('option', {value: name}, name)));
	const probability = h('input', {name: 'probability', type: 'number', min: 1, max: 99, step: 'any', required: true});
	const type = h('select', {name: 'type'}), since = h('input', {name: 'since', type: 'date', required: true});
	const error = h('p', {class: 'error', role: 'alert'}), there = h('div');
	const form = h('form', {method: 'dialog', onsubmit: event => {
		event.preventDefault();
		act(save);
	}}, h('p', {class: 'row'}, h('label', null, 'Finished within ', length), unit),
	h('label', null, 'Share of the items, in % ', probability), h('label', null, 'For ', type), h('label', null, 'From this day on ', since), error,
	h('p', {class: 'buttons'}, h('button', {type: 'submit'}, 'Set it'),
		h('button', {type: 'button', class: 'quiet', onclick: () => dialog.close()}, 'Cancel')));
	const dialog = h('dialog', {id: 'sle-dialog', 'aria-labelledby': 'sle-title'}, h('h2', {id: 'sle-title'}, 'Service level expectation'),
		h('p', {class: 'note'}, 'Such as: 85 % of the items are finished within 8 days. It needs a role of level admin.'), form, there);
	let context = null;

	document.body.append(dialog);

	/* Proposes what the window's items took. */
	function open(of)
	{
		context = of;
		if (of === null)
			return;

		const p85 = of.figures?.p85 ?? 0, inDays = p85 === 0 || p85 >= 48;

		length.value = Math.max(1, Math.ceil(p85 / (inDays ? 24 : 1)));
		unit.value = inDays ? 'days' : 'hours';
		probability.value = 85;
		since.value = dateOf(new Date(), of.zone);
		type.replaceChildren(h('option', {value: ''}, 'all types without their own'), ...of.types.map(name => h('option', {value: name}, name)));
		type.value = of.types.includes(of.type) ? of.type : '';
		error.textContent = '';
		there.replaceChildren();
		dialog.showModal();
		list();
	}

	async function list()
	{
		const {stream} = context;

		try
		{
			const sles = await get('sles', {stream});

			there.replaceChildren(...sles.length === 0 ? [] : [h('h3', null, 'Set so far'), h('ul', {class: 'set-so-far'}, sles.map(sle => h('li', null,
				h('span', null, `${sle.type ?? 'All types'}: ${percent(sle.probability)} within ${span(sle.elapsed_hours)}, from ${date(sle.since)}`),
				h('button', {type: 'button', class: 'quiet small', onclick: () => act(() => takeBack(sle))}, 'Take back'))))]);
		}
		catch (problem)
		{
			error.textContent = explain(problem).join(' ');
		}
	}

	const path = () => `streams/${encodeURIComponent(context.stream)}/sle`;

	const save = () => put(path(), {elapsed: `${length.value} ${unit.value}`, probability: Number((probability.value / 100).toFixed(4)), since: since.value,
		...type.value && {type: type.value}});

	const takeBack = ({since: from, type: of}) => remove(path(), {since: from, type: of});

	/* Closes the dialog when it is done, else says why not. */
	async function act(what)
	{
		error.textContent = '';
		try
		{
			await what();
			dialog.close();
			announce('The service level expectation was changed.');
			changed();
		}
		catch (problem)
		{
			error.textContent = ['Not changed.', ...explain(problem)].join(' ');
		}
	}

	return {open};
}
