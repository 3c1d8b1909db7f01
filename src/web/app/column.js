/*
 * column.js
 *		A stage of the board: its count against its limit, and its cards.
 *
 * One card of a stage can be reached by Tab; arrows go on from there.  Cards stay
 * the same elements from one reading to the next, so the focus stays where it is.
 */
import {setText} from './bars.js';
import {h} from './dom.js';
import {idOf, since} from './format.js';
import {isDiscarded, isRetired, isWip} from './stages.js';
import {says, state} from './wip.js';

export function column(stage, {open, more, step, walk, drag, drop})
{
	const list = h('ul', {class: 'cards', 'aria-label': 'Items in ' + stage.name});
	const places = h('span', {class: 'count'}), remark = h('p', {class: 'note'});
	const button = h('button', {type: 'button', class: 'quiet more', hidden: true, onclick: () => more(lane)}, 'Show more');
	const retired = isRetired(stage);
	const element = h('section', {class: 'lane', 'data-stage': stage.name, 'data-category': stage.category, 'aria-label': stage.name + (retired ? ', retired' : ''),
		'data-retired': retired, hidden: retired}, h('header', null, h('h2', null, stage.name), retired && h('span', {class: 'retired'}, 'retired: takes no items'), places), list, remark, button);
	const items = new Map();		/* by id: what the cards show */
	const lane = {stage, element, asked: 0, turn: 0, show, count: setCount, focus};

	/* ---- Showing ---- */

	/* left: 'none', 'more', or 'too many' to show */
	function show(all, left)
	{
		const cards = new Map([...list.querySelectorAll('.card')].map(card => [Number(card.dataset.id), card]));

		items.clear();
		all.forEach(item => items.set(item.id, item));

		const rows = all.map(item => (cards.get(item.id) ?? makeCard(item)).parentNode);

		if (rows.length !== list.children.length || rows.some((row, n) => row !== list.children[n]))
			arrange(rows);
		all.forEach((item, n) => describe(rows[n].firstChild, item));
		if (rows.length > 0 && !list.querySelector('.card[tabindex="0"]'))
			rows[0].firstChild.tabIndex = 0;
		element.hidden = retired && all.length === 0;
		button.hidden = left !== 'more';
		remark.textContent = all.length === 0 ? 'No items here.' : left === 'too many' ? 'And more, which the API gives.' : '';
		if (!isWip(stage))
			places.textContent = isDiscarded(stage) ? 'discarded, not WIP' : 'finished, the latest first';
	}

	/* Cards that move within the list lose the focus, and get it back. */
	function arrange(rows)
	{
		const focused = list.contains(document.activeElement) ? document.activeElement : null;

		list.replaceChildren(...rows);
		if (focused?.isConnected)
			focused.focus({preventScroll: true});
	}

	function makeCard(item)
	{
		const card = h('div', {class: 'card', role: 'button', tabindex: -1, draggable: 'true', 'data-id': item.id, 'aria-describedby': 'board-hint'},
			h('span', {class: 'title'}), h('span', {class: 'facts'}), h('span', {class: 'reason'}));

		card.onclick = () => open(items.get(item.id));
		card.onkeydown = event => key(event, items.get(item.id), card);
		card.onfocus = () => {
			list.querySelectorAll('.card[tabindex="0"]').forEach(other => other.tabIndex = -1);
			card.tabIndex = 0;
		};
		card.ondragstart = event => {
			event.dataTransfer.effectAllowed = 'move';
			event.dataTransfer.setData('text/plain', idOf(item));
			drag(items.get(item.id), lane);
			card.classList.add('dragged');
		};
		card.ondragend = () => {
			drag(null);
			card.classList.remove('dragged');
		};
		h('li', null, card);
		return card;
	}

	function describe(card, item)
	{
		const facts = `${idOf(item)} · ${item.type} · ${since(item.stage_entered_at)} in stage`;

		const [title, about, reason] = card.children, blocked = Boolean(item.block_reason);

		setText(title, item.title);
		setText(about, facts);
		setText(reason, blocked ? `Blocked: ${item.block_reason}` : '');
		reason.hidden = !blocked;
		card.classList.toggle('blocked', blocked);
	}

	/* Cards are of the type and the attributes that are chosen; counts and limits are of all items, and say so. */
	function setCount(now, {type, attributes})
	{
		setText(places, says(now) + (attributes ? ' (all items)' : type ? ' (all types)' : ''));
		element.classList.toggle('full', state(now) !== '');
	}

	/* ---- By keyboard ---- */

	function key(event, item, card)
	{
		const n = [...list.children].indexOf(card.parentNode);
		const sideways = {ArrowLeft: -1, ArrowRight: 1}[event.key];
		const act = {
			Enter: () => open(item), ' ': () => open(item), ArrowUp: () => focus(n - 1), ArrowDown: () => focus(n + 1),
			Home: () => focus(0), End: () => focus(items.size - 1),
			ArrowLeft: () => event.shiftKey ? step(item, lane, sideways) : walk(lane, sideways, n),
			ArrowRight: () => event.shiftKey ? step(item, lane, sideways) : walk(lane, sideways, n),
		}[event.key];

		if (!act || event.altKey || event.ctrlKey || event.metaKey)
			return;
		event.preventDefault();
		act();
	}

	/* The nth card, or the last; false when there is none. */
	function focus(n)
	{
		const card = list.children[Math.max(0, Math.min(n, list.children.length - 1))]?.firstChild;

		card?.focus();
		return Boolean(card);
	}

	/* ---- By pointer ---- */

	element.ondragover = event => {
		if (retired)
			return;
		event.preventDefault();
		event.dataTransfer.dropEffect = 'move';
		element.classList.add('target');
	};
	element.ondragleave = event => element.contains(event.relatedTarget) || element.classList.remove('target');
	element.ondrop = event => {
		event.preventDefault();
		element.classList.remove('target');
		drop(lane);
	};
	return lane;
}
