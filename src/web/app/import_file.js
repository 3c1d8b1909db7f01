/*
 * import_file.js
 *		The file to import and the stream that it goes to: dropped or chosen, named or new.
 */
import {fillSelect, h} from './dom.js';

const NEW = '\n';				/* in the list of streams: a new one; no stream can have this name */

const KB = 1024;
const LONGEST = 150;				/* characters of a stream's name */

export const size = bytes => bytes < KB ? `${bytes}\u00a0bytes` : bytes < 10 * KB * KB ? `${(bytes / KB).toLocaleString('en', {maximumFractionDigits: bytes < 10 * KB ? 1 : 0})}\u00a0kB`
	: `${(bytes / KB / KB).toLocaleString('en', {maximumFractionDigits: 0})}\u00a0MB`;

/* The file's name without its ending, as make demo has it; cut where it is too long for a stream. */
const nameOf = file => [...file.name.replace(/\.[^.]*$/, '').replace(/\s/g, ' ').trim()].slice(0, LONGEST).join('').trim() || 'log';

export function importFile({chosen, aimed, renamed})
{
	const input = h('input', {type: 'file', id: 'import-input', accept: '.csv,.tsv,.txt,.tab,.ndjson,.jsonl,.json,text/*', 'aria-describedby': 'import-kinds',
		onchange: () => take(input.files[0])});
	const what = h('strong', null, 'Drop a file here'), details = h('span', {class: 'note'}, 'or choose one');
	const drop = h('label', {class: 'drop', for: 'import-input'}, what, details, input);
	const stream = h('select', {id: 'import-stream', onchange: () => select()});
	const name = h('input', {id: 'import-name', maxlength: 200, autocomplete: 'off', oninput: () => typed = true, onchange: () => call()});
	const named = h('label', null, 'Its name ', name);
	const element = h('div', {class: 'import-file'},
		h('div', null, drop, h('p', {class: 'note', id: 'import-kinds'},
			'What a tracker exports, or a table of your own: a line for each move, or a line for each item with a column of dates for each stage. '
			+ 'Delimited text of any kind, or NDJSON. Nothing is written before you confirm.')),
		h('div', {class: 'fields'}, h('label', null, 'Into stream ', stream), named));
	let file = null, depth = 0, locked = false, typed = false, told = false, found = false;	/* found: the stream goes by the name of the file */

	fillSelect(stream, [[NEW, 'a new stream …']], NEW);

	/* The same file once more is another choice: it may have changed. */
	function take(next)
	{
		if (!next || locked)
			return;
		file = next;
		what.textContent = file.name;
		details.textContent = `${size(file.size)} · choose or drop another`;
		if (!typed)
			name.value = nameOf(file);
		input.value = '';
		find();
		chosen();
	}

	const isThere = () => [...stream.options].some(option => option.value === name.value.trim());

	/* The name of a stream that is there means that stream, also one that the page proposes. */
	function find()
	{
		if (found)
			stream.value = NEW;
		found = stream.value === NEW && isThere();
		if (found)
			stream.value = name.value.trim();
		named.hidden = stream.value !== NEW;
	}

	/* A new stream needs a name that no other has. */
	function select()
	{
		found = false;
		if (stream.value === NEW && isThere())
			name.value = '';
		aim();
		if (stream.value === NEW && name.value === '')
			name.focus();
	}

	function aim()
	{
		named.hidden = stream.value !== NEW;
		aimed();
	}

	function call()
	{
		if (!isThere())
			return renamed();
		stream.value = name.value.trim();
		aim();
	}

	/* A file may be dropped anywhere: the browser would leave the page for one that misses. */
	function receive(area, wanted)
	{
		const carries = event => wanted() && [...event.dataTransfer?.types ?? []].includes('Files');
		const show = by => {
			depth = Math.max(0, depth + by);
			drop.classList.toggle('target', depth > 0);
		};

		area.addEventListener('dragenter', event => carries(event) && show(1));
		area.addEventListener('dragleave', event => carries(event) && show(-1));
		area.addEventListener('dragover', event => carries(event) && event.preventDefault());
		area.addEventListener('drop', event => {
			if (!carries(event))
				return;
			event.preventDefault();
			depth = 0;
			show(0);
			take(event.dataTransfer.files[0]);
		});
	}

	return {
		element,
		receive,
		get file() { return file; },
		get stream() { return stream.value === NEW ? name.value.trim() : stream.value; },
		get isNew() { return stream.value === NEW; },
		/* preferred: the stream that the page shows, if one was chosen; it counts once. */
		streams(names, preferred)
		{
			const now = told || file !== null ? stream.value : preferred;

			told = true;
			fillSelect(stream, [[NEW, 'a new stream …'], ...names.map(known => [known, known])], names.includes(now) ? now : NEW);
			named.hidden = stream.value !== NEW;
			if (file === null || locked || stream.value !== NEW || !isThere())
				return;
			find();
			aimed();
		},
		/* It is there now. */
		made(known)
		{
			if (![...stream.options].some(option => option.value === known))
				stream.append(h('option', {value: known}, known));
			stream.value = known;
			found = false;
			named.hidden = true;
		},
		lock(on)
		{
			locked = on;
			[input, stream, name].forEach(control => control.disabled = on);
			drop.classList.toggle('locked', on);
		},
		forget()
		{
			[file, typed] = [null, false];
			what.textContent = 'Drop a file here';
			details.textContent = 'or choose one';
		},
	};
}
