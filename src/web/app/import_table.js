/*
 * import_table.js
 *		The stages of a file, to be put in order, into categories, and together.
 *
 * A stage is dragged by its handle, or moved by its buttons and the arrow keys on them.  Another name makes it
 * another stage; the name of a stage that is there makes both one; no name, that
 * it means no move.  Rows stay the same elements, so the focus stays.
 */
import {announce, h} from './dom.js';
import {count} from './format.js';
import {stageColours} from './colours.js';

const CATEGORIES = [['wait', 'wait: idle'], ['active', 'active: worked on'], ['done', 'done: delivered'], ['discarded', 'discarded: given up']];
const HEAD = ['Place', 'In the file', 'Stage', 'Category', 'Entries', 'Are there now'];

export function importTable(changed)
{
	const body = h('tbody'), remark = h('p', {class: 'note'}), out = h('div', {class: 'left-out'}), names = h('datalist', {id: 'import-names'});
	const element = h('div', null,
		h('p', {class: 'note', id: 'import-table-help'}, 'Drag a stage to its place, or move it with its arrows. Give two rows the same stage to make them one; leave the stage empty where a name means no move.'),
		h('div', {class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Stages of the file'},
			h('table', {class: 'stages', 'aria-describedby': 'import-table-help'}, h('thead', null, h('tr', null, HEAD.map(name => h('th', {scope: 'col'}, name)))), body)),
		names, out, remark);
	const elements = new Map();		/* by the first source of a row */
	let model = null, dragged = null, locked = false;

	/* ---- Showing ---- */

	/* fresh: the stages that the stream does not have; also: what else to know of the table */
	function show(next, {stream, fresh = [], known = [], also = ''})
	{
		if (next !== model)
			elements.clear();
		model = next;
		names.replaceChildren(...[...new Set([...model.rows.map(row => row.name), ...known])].map(name => h('option', {value: name})));
		draw();
		remark.textContent = [known.length > 0 && `Stream “${stream}” is there: its stages keep their place and category. `
			+ (fresh.length === 0 ? 'It has all of these stages.' : `It does not have ${fresh.map(name => `“${name}”`).join(', ')} yet.`), also].filter(Boolean).join(' ');
	}

	function draw()
	{
		const colours = stageColours(model.rows), focused = document.activeElement;
		const lines = model.rows.map(row => elements.get(row.sources[0]) ?? makeRow(row.sources[0]));

		if (lines.length !== body.children.length || lines.some((line, n) => line !== body.children[n]))
			body.replaceChildren(...lines);
		model.rows.forEach((row, n) => describe(lines[n], row, n, colours.get(row.name)));
		drawOut();
		if (focused?.isConnected && element.contains(focused) && focused !== document.activeElement)
			focused.focus({preventScroll: true});
	}

	function makeRow(source)
	{
		const at = () => model.rows.findIndex(row => row.sources[0] === source);
		const step = by => {
			const n = at(), to = n + by;

			if (to >= 0 && to < model.rows.length)
				put(n, to);
		};
		const keyed = event => {
			const by = {ArrowUp: -1, ArrowDown: 1}[event.key];

			if (!by || event.altKey || event.ctrlKey || event.metaKey)
				return;
			event.preventDefault();
			step(by);
		};
		const button = (text, by) => h('button', {type: 'button', class: 'quiet small', onclick: () => step(by), onkeydown: keyed}, text);
		const up = button('↑', -1), down = button('↓', 1);
		const handle = h('span', {class: 'handle', draggable: 'true', 'aria-hidden': 'true', title: 'Drag to another place'}, '⠿');
		const stage = h('input', {list: 'import-names', maxlength: 200, autocomplete: 'off', onchange: () => rename(at(), stage.value)});
		const category = h('select', {onchange: () => {
			model.categorise(at(), category.value);
			draw();
			changed();
		}}, CATEGORIES.map(([value, text]) => h('option', {value}, text)));
		const line = h('tr', null, h('td', {class: 'place'}, handle, up, down), h('td', {class: 'sources'}), h('td', null, stage), h('td', null, category, h('span', {class: 'guess'})),
			h('td', {class: 'number', 'data-label': HEAD[4]}), h('td', {class: 'number', 'data-label': HEAD[5]}));

		line.parts = {up, down, handle, stage, category};
		elements.set(source, line);
		dragging(line, handle, at);
		return line;
	}

	function describe(line, row, n, colour)
	{
		const {up, down, handle, stage, category} = line.parts, only = row.sources.length === 1;
		const text = source => source.spellings.length > 0 ? `${source.name} (${source.spellings.join(', ')})` : source.name;

		line.dataset.stage = row.name;
		line.style.setProperty('--colour', colour);
		up.setAttribute('aria-label', `Move ${row.name} up, from place ${n + 1} of ${model.rows.length}`);
		down.setAttribute('aria-label', `Move ${row.name} down, from place ${n + 1} of ${model.rows.length}`);
		up.setAttribute('aria-disabled', n === 0);
		down.setAttribute('aria-disabled', n === model.rows.length - 1);
		handle.draggable = !locked;
		line.children[1].replaceChildren(...row.sources.map(source => h('span', {class: 'source'}, text(source), !only && h('button', {
			type: 'button', class: 'quiet small', 'aria-label': `Make ${source.name} a stage of its own`, disabled: locked, onclick: () => split(row, source)}, '×'))));
		stage.value = row.name;
		stage.setAttribute('aria-label', `Stage for ${row.sources.map(source => source.name).join(' and ')}`);
		category.value = row.category;
		category.setAttribute('aria-label', `Category of ${row.name}`);
		category.disabled = row.defined || locked;
		category.title = row.defined ? 'As the stream defines it' : '';
		category.nextSibling.textContent = row.guessed ? 'guessed' : row.defined ? 'the stream’s' : '';
		line.children[4].textContent = count(row.moves);
		line.children[5].textContent = count(row.remain);
		[up, down, stage].forEach(control => control.disabled = locked);
	}

	function drawOut()
	{
		out.hidden = model.out.length === 0;
		out.replaceChildren('No move: ', ...model.out.map(source => h('span', {class: 'source'}, source.name, h('button', {
			type: 'button', class: 'quiet small', 'aria-label': `Take ${source.name} as a stage again`, disabled: locked, onclick: () => {
				model.takeBack(source);
				draw();
				changed();
			}}, 'take back'))));
	}

	/* ---- Changing ---- */

	function put(n, to)
	{
		const {name} = model.rows[n];

		model.move(n, to);
		draw();
		announce(`${name}: place ${model.rows.findIndex(row => row.name === name) + 1} of ${model.rows.length}.`);
		changed();
	}

	function rename(n, name)
	{
		const row = model.rows[n];

		if (name.trim() === row.name || (name.trim() === '' && model.rows.length === 1))
			return draw();

		const at = model.rename(n, name);

		draw();
		if (at >= 0)
			elements.get(model.rows[at].sources[0]).parts.stage.focus();
		announce(at < 0 ? `${row.name} means no move.` : `${row.sources.map(source => source.name).join(' and ')}: stage ${model.rows[at].name}.`);
		changed();
	}

	function split(row, source)
	{
		elements.delete(row.sources[0]);
		model.split(model.rows.indexOf(row), source);
		draw();
		elements.get(source)?.parts.stage.focus();
		changed();
	}

	function dragging(line, handle, at)
	{
		handle.ondragstart = event => {
			dragged = at();
			event.dataTransfer.effectAllowed = 'move';
			event.dataTransfer.setData('text/plain', model.rows[dragged].name);
			event.dataTransfer.setDragImage(line, 12, 12);
			line.classList.add('dragged');
		};
		handle.ondragend = () => {
			dragged = null;
			line.classList.remove('dragged');
			body.querySelectorAll('.target').forEach(other => other.classList.remove('target'));
		};
		line.ondragover = event => {
			if (dragged === null)
				return;
			event.preventDefault();
			line.classList.add('target');
		};
		line.ondragleave = event => line.contains(event.relatedTarget) || line.classList.remove('target');
		line.ondrop = event => {
			if (dragged === null)
				return;
			event.preventDefault();
			line.classList.remove('target');
			put(dragged, at());
		};
	}

	return {
		element, show,
		lock(on)
		{
			locked = on;
			if (model !== null)
				draw();
		},
	};
}
