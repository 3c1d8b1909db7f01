/*
 * item_dialog.js
 *		An item's moves so far, what blocks it, and a button for each stage that it can go to: the way to move on a phone.
 */
import {get} from './api.js';
import {byId, h} from './dom.js';
import {idOf, instant, span} from './format.js';
import {itemBlocks} from './item_blocks.js';
import {discardedLast} from './stages.js';

/* move(item, from, to); null: the item stays where it is. changed(item): it was blocked or unblocked. */
export function itemDialog(move, changed)
{
	const dialog = byId('item-dialog');
	let turn = 0;

	/* item: as much of it as is known; what is missing is asked for. */
	async function open(item, context)
	{
		const mine = ++turn, facts = h('p', {class: 'note'}), choices = h('div'), blocked = h('div');
		const moves = h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Moves'}, h('p', {class: 'note'}, 'Reading the moves'));
		const describe = known => {
			const also = known.external_id ? ` (#${known.id})` : '';

			facts.textContent = `${idOf(known)}${also} · ${known.type} · in ${known.current_stage} since ${instant(known.stage_entered_at, context.zone)}`;
			if (move !== null)
				choices.replaceChildren(...stageButtons(known, context.stages));
		};

		dialog.replaceChildren(h('h2', {id: 'item-title'}, item.title ?? idOf(item)), facts, choices, blocked, h('h3', null, 'Moves so far'), moves,
			h('p', {class: 'buttons'}, h('button', {type: 'button', onclick: () => dialog.close()}, 'Close')));
		dialog.showModal();
		if (item.current_stage)
			describe(item);
		try
		{
			const [known, history] = await Promise.all([item.current_stage ? item : get(`work-items/${item.id}`), get(`work-items/${item.id}/history`)]);

			if (mine !== turn)
				return;
			describe(known);
			moves.replaceChildren(makeMoves(history.transitions, context.zone));

			const blocks = itemBlocks(known, context, changed);

			blocked.replaceChildren(blocks.section);
			await blocks.read();
		}
		catch (error)
		{
			if (mine === turn)
				moves.replaceChildren(h('p', {class: 'error'}, error.message));
		}
	}

	function stageButtons(item, stages)
	{
		const others = discardedLast(stages).filter(stage => stage.name !== item.current_stage && !stage.retired_at);
		const go = stage => {
			dialog.close();
			move(item, item.current_stage, stage.name);
		};

		return [h('h3', {id: 'move-to'}, 'Move to'),
			h('div', {class: 'buttons', role: 'group', 'aria-labelledby': 'move-to'},
				others.map(stage => h('button', {type: 'button', class: 'quiet', onclick: () => go(stage)}, stage.name)))];
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
