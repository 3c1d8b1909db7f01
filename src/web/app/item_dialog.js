/*
 * item_dialog.js
 *		An item's moves so far, and a button for each stage that it can go to: the way to move on a phone.
 */
import {get} from './api.js';
import {byId, h} from './dom.js';
import {instant, span} from './format.js';
import {discardedLast} from './stages.js';

export function itemDialog(move)
{
	const dialog = byId('item-dialog');

	async function open(item, {stages, zone})
	{
		const moves = h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Moves'}, h('p', {class: 'note'}, 'Reading the moves'));
		const others = discardedLast(stages).filter(stage => stage.name !== item.current_stage && !stage.retired_at);
		const go = stage => {
			dialog.close();
			move(item, item.current_stage, stage.name);
		};

		dialog.replaceChildren(
			h('h2', {id: 'item-title'}, item.title),
			h('p', {class: 'note'}, `#${item.id} · ${item.type} · in ${item.current_stage} since ${instant(item.stage_entered_at, zone)}`),
			h('h3', {id: 'move-to'}, 'Move to'),
			h('div', {class: 'buttons', role: 'group', 'aria-labelledby': 'move-to'},
				others.map(stage => h('button', {type: 'button', class: 'quiet', onclick: () => go(stage)}, stage.name))),
			h('h3', null, 'Moves so far'), moves,
			h('p', {class: 'buttons'}, h('button', {type: 'button', onclick: () => dialog.close()}, 'Close')));
		dialog.showModal();
		try
		{
			moves.replaceChildren(makeMoves((await get(`work-items/${item.id}/history`)).transitions, zone));
		}
		catch (error)
		{
			moves.replaceChildren(h('p', {class: 'error'}, error.message));
		}
	}

	return {open};
}

function makeMoves(transitions, zone)
{
	const times = [...transitions.map(transition => Date.parse(transition.timestamp)), Date.now()];
	const stayed = n => span((times[n + 1] - times[n]) / 3600000);

	return h('table', null,
		h('thead', null, h('tr', null, ['Stage', 'Entered', 'Stayed'].map(name => h('th', {scope: 'col'}, name)))),
		h('tbody', null, transitions.map((transition, n) => h('tr', null,
			h('th', {scope: 'row'}, transition.to_stage), h('td', null, instant(transition.timestamp, zone)), h('td', null, stayed(n))))));
}
