/*
 * board.js
 *		Items by stage, to be moved by drag, by keyboard or in their dialog; new ones are made here.
 *
 * Of each stage the first PAGE items are shown, and more when asked for; of the done
 * stage the latest finished.  Discarded stages stand apart, at the end; behind them the retired ones, as long as they have items
 * to be shown.  Each move says where the item was seen, so that nobody's move is lost unnoticed; what the service refuses, it
 * explains, and the page shows that.
 */
import {get, post, put} from './api.js';
import {matches} from './attributes.js';
import {column} from './column.js';
import {announce, byId, fillSelect, h} from './dom.js';
import {itemDialog} from './item_dialog.js';
import {isRetired, onBoard} from './stages.js';
import {explain, isTrouble} from './trouble.js';

const PAGE = 25;
const PINNED = 10;
const MOST = 500;				/* of a stage */
const REFRESH_MS = 30000;
const HINT = 'Drag an item to another stage, or open it and choose one. By keyboard: arrows go from item to item, '
	+ 'Shift with the left or right arrow moves an item.';

export function board({reload, failed})
{
	const notice = h('div', {class: 'notice', role: 'alert', hidden: true});
	const lanes = h('div', {class: 'lanes', role: 'group', 'aria-label': 'Stages'});
	const maker = makeForm(create);
	const dialog = itemDialog(move, reread);
	let columns = [], context = null, offered = null, refreshed = 0, counts = '', dragged = null, moving = false;
	const stageOf = new Map();		/* by finished item and when it was finished: a promise of the name of its stage */
	let here = new Map();			/* by stage name: ids of items moved or made here, which are shown first */

	byId('board').replaceChildren(
		maker.form,
		h('p', {class: 'hint', id: 'board-hint'}, HINT),
		notice, lanes);

	/* ---- Showing ---- */

	async function show(next, signal)
	{
		const stages = onBoard(next.stages);

		if (context?.stream !== next.stream || columns.length !== stages.length
			|| columns.some(({stage}, n) => stage.name !== stages[n].name || stage.category !== stages[n].category || isRetired(stage) !== isRetired(stages[n])))
		{
			here = new Map();
			stageOf.clear();
			tell();
			columns = stages.map(stage => column(stage, {
				open: item => dialog.open(item, context), more: lane => load([lane], {more: true}).catch(failed), step, walk,
				drag: (item, lane) => dragged = item && {item, lane}, drop: lane => dragged && move(dragged.item, dragged.lane.stage.name, lane.stage.name)}));
			lanes.replaceChildren(...columns.map(({element}) => element));
		}
		context = next;
		maker.form.hidden = false;
		await Promise.all([offerTypes(signal), load(columns, {signal})]);
		refreshed = Date.now();
	}

	/* The usual type of the stream is chosen until another one is. */
	async function offerTypes(signal)
	{
		const {stream, types} = context;

		if (offered === stream)
			return maker.types(types);

		const {items} = await get('work-items', {stream, limit: MOST}, signal);

		maker.types(types, mostFrequent(items.map(({type}) => type)));
		offered = stream;
	}

	/* Items of what was chosen before are not those of what is chosen now. */
	function clear()
	{
		columns = [];
		maker.form.hidden = true;
		lanes.replaceChildren(h('p', {class: 'note'}, 'The items are not available.'));
	}

	/* Stages change together, so that no item is in two of them. */
	async function load(lanes, how)
	{
		const shows = await Promise.all(lanes.map(lane => read(lane, how)));

		shows.forEach(show => show());
	}

	/* Asks for what is shown already, or for a page more; gives what shows it, unless it was asked again since. */
	async function read(lane, {more = false, signal} = {})
	{
		const turn = ++lane.turn;
		const {stream, type, attributes} = context, {name, category} = lane.stage;
		const asked = readPinned(name, signal);
		const wanted = Math.min(MOST, Math.max(PAGE, lane.asked + (more ? PAGE : 0)));
		const {items, next} = category === 'done' ? await readFinished(name, wanted, signal)
			: await get('work-items', {stream, stage: name, type, attributes, limit: wanted}, signal);

		lane.asked = wanted;

		const pinned = await asked, ids = new Set(pinned.map(item => item.id)), all = [...pinned, ...items.filter(item => !ids.has(item.id))];

		return () => turn === lane.turn && lane.show(all, !next ? 'none' : wanted < MOST ? 'more' : 'too many');
	}

	/* The latest finished items of a stage.  Where the stream has other done stages, more are looked through until there are as many as wanted. */
	async function readFinished(name, wanted, signal)
	{
		const {stream, type, attributes, log, stages} = context, alone = stages.filter(stage => stage.category === 'done').length === 1;

		for (let limit = wanted;; limit = Math.min(MOST, limit * 4))
		{
			const {points} = await get('cycle-times', {stream, type, attributes, limit, since: log?.since}, signal);
			const places = alone ? [] : await Promise.all(points.map(point => finishedIn(point)));
			const found = points.filter((_, n) => alone || places[n] === name).slice(-wanted);
			const next = points.length === limit;

			if (found.length === wanted || !next || limit === MOST)
				return {items: found.toReversed().map(point => ({...point, current_stage: name, stage_entered_at: point.completed_at})), next};
		}
	}

	/* Asked once: who leaves the stage is finished no more, or at another time. */
	function finishedIn({id, completed_at: at})
	{
		const key = `${id} ${at}`;

		if (!stageOf.has(key))
		{
			stageOf.set(key, get(`work-items/${id}`).then(item => item.current_stage, () => {
				stageOf.delete(key);
				return null;
			}));
		}
		return stageOf.get(key);
	}

	/* Somebody may have moved or deleted them since. */
	async function readPinned(stage, signal)
	{
		const {type, attributes} = context;
		const items = await Promise.all((here.get(stage) ?? []).map(id => get(`work-items/${id}`, {}, signal).catch(() => null)));

		return items.filter(item => item?.current_stage === stage && (!type || item.type === type) && matches(item, attributes));
	}

	/* Counts are live; the cards of a stage whose count changed are read again, and now and then those of all. */
	async function tick(wip)
	{
		const now = JSON.stringify(wip.map(stage => stage.wip)), late = Date.now() - refreshed > REFRESH_MS;

		wip.forEach((stage, n) => columns.find(lane => lane.stage.name === stage.stage)?.count(stage, context));
		if (dragged === null && !moving && counts !== '' && (now !== counts || late))
		{
			refreshed = Date.now();
			await load(columns);
		}
		counts = now;
	}

	/* ---- Moving ---- */

	async function move(item, from, to)
	{
		if (from === to || moving)
			return;
		moving = true;
		tell();
		try
		{
			const transition = await put(`work-items/${item.id}/transition`, {to_stage: to, expected_from: from});

			pin(item.id, transition.to_stage);
			announce(`“${item.title}” is in ${to} now.`);
		}
		catch (error)
		{
			if (isTrouble(error))
				failed(error);
			tell(`“${item.title}” was not moved to ${to}.`, ...explain(error));
			unpin(item.id);
		}
		finally
		{
			moving = false;
		}
		await load(columns.filter(lane => [from, to].includes(lane.stage.name))).catch(failed);
		focusItem(item.id);
		counts = '';
		reload();
	}

	function unpin(id)
	{
		for (const [stage, list] of here)
			here.set(stage, list.filter(other => other !== id));
	}

	function pin(id, stage)
	{
		unpin(id);
		here.set(stage, [id, ...here.get(stage) ?? []].slice(0, PINNED));
	}

	/* Without a word: it is over. */
	function tell(what, ...more)
	{
		notice.hidden = what === undefined;
		notice.replaceChildren(...what === undefined ? [] : [
			h('div', null, h('p', null, h('strong', null, what)), more.filter(Boolean).map(text => h('p', null, text))),
			h('button', {type: 'button', class: 'quiet', onclick: () => tell()}, 'Dismiss')]);
	}

	/* An item was blocked or unblocked where it is; what was refused before is over. */
	function reread(item)
	{
		tell();
		load(columns.filter(lane => lane.stage.name === item.current_stage)).catch(failed);
	}

	/* ---- By keyboard ---- */

	/* A retired stage has no neighbour: what is in it goes where its dialog says. */
	function step(item, lane, by)
	{
		const to = columns[columns.indexOf(lane) + by];

		if (isRetired(lane.stage))
			dialog.open(item, context);
		else if (to && !isRetired(to.stage))
			move(item, lane.stage.name, to.stage.name);
	}

	/* From lane to lane, past empty ones. */
	function walk(lane, by, n)
	{
		for (let at = columns.indexOf(lane) + by; columns[at]; at += by)
			if (columns[at].focus(n))
				return;
	}

	function focusItem(id)
	{
		byId('board').querySelector(`.card[data-id="${id}"]`)?.focus();
	}

	/* ---- Making ---- */

	async function create(title, type)
	{
		const item = await post('work-items', {title, type, stream: context.stream});

		tell();
		pin(item.id, item.current_stage);
		announce(`“${title}” was created in ${item.current_stage}.`);
		await load(columns.filter(lane => lane.stage.name === item.current_stage));
		counts = '';
		reload();
	}

	return {show, tick, clear};
}

function makeForm(create)
{
	const title = h('input', {name: 'title', required: true, maxlength: 500, autocomplete: 'off', 'aria-describedby': 'new-error'});
	const type = h('select', {name: 'type'}), error = h('p', {class: 'error', id: 'new-error', role: 'alert'});
	const form = h('form', {id: 'new-item', 'aria-label': 'New item', onsubmit: async event => {
		event.preventDefault();
		error.textContent = '';
		try
		{
			await create(title.value, type.value);
			title.value = '';
		}
		catch (problem)
		{
			error.textContent = ['Not created.', ...explain(problem)].join(' ');
		}
	}}, h('label', {class: 'grow'}, 'New item ', title), h('label', null, 'Type ', type), h('button', {type: 'submit'}, 'Create'), error);

	return {form, types: (names, usual = type.value) => fillSelect(type, names.map(name => [name, name]), names.includes(usual) ? usual : names[0])};
}

/* undefined of none */
function mostFrequent(names)
{
	const counts = new Map();

	for (const name of names)
		counts.set(name, (counts.get(name) ?? 0) + 1);
	return [...counts.keys()].reduce((most, name) => most === undefined || counts.get(name) > counts.get(most) ? name : most, undefined);
}
