/*
 * import_view.js
 *		The import view: a file, what it was understood as, what is to be changed of that, and the import itself.
 *
 * Every change has the service try the file once more (dry_run), so what is shown is
 * what an import would do.  An answer to an older state of things is dropped.  The
 * file, its options and its stages stay until another file is chosen, whatever goes wrong.
 */
import {get} from './api.js';
import {showFlow} from './cumulative_flow.js';
import {announce, byId, h} from './dom.js';
import {count, items} from './format.js';
import {importError} from './import_words.js';
import {importFile} from './import_file.js';
import {facts, ofAllLines, readingOptions} from './import_reading.js';
import {question, refusal} from './import_question.js';
import {refusedRows} from './import_refused.js';
import {importResult} from './import_result.js';
import {importStages} from './import_stages.js';
import {importTable} from './import_table.js';
import {panel} from './panel.js';
import {sending} from './import_sending.js';
import {upload} from './upload.js';

const SMALL = 8 * 1024 * 1024;	/* a file that is tried again after every change; a larger one when told to */
const PAUSE_MS = 300;
const COLUMNS = ['item', 'stage', 'time'];	/* other columns are other stages */
const ALL_LINES = 'all lines, also those that are refused';
const STRANGE = ['no_such_stage', 'stage_not_given', 'stage_twice'];	/* the service sees other stages than the view */

export function importView({open, askToken})
{
	const source = importFile({chosen: begin, aimed: () => begin({keep: true}), renamed});
	const reading = readingOptions((option, value) => change(option, value));
	const table = importTable(() => look({soon: true}));
	const found = h('div', {class: 'found'}), notices = h('div'), refused = h('div'), again = h('div', {class: 'again'});
	const skip = h('input', {type: 'checkbox', checked: true, onchange: forgive}), skipping = h('label', {class: 'choice'}, skip, 'Leave out lines that cannot be imported');
	const ending = h('div'), send = sending({start: write, ended: () => lock(false)});
	const parts = {};
	let options = {}, model = null, answer = null, asked = null, timer = null, settled = false, failed = false;

	byId('import').replaceChildren(
		section('file', 'File', 'wide', source.element), section('found', 'What the file says', 'wide', found, reading.element, again),
		section('stages', 'Stages', 'wide', table.element), h('section', {id: 'import-flow', class: 'panel'}),
		section('remarks', 'Remarks', 'wide', notices, refused), section('confirm', 'Import', 'wide', h('div', {class: 'confirm'}, skipping, send.element), ending));

	const flow = panel('import-flow', 'Cumulative flow of the file', 'The moves of the file, as the charts will show them.');

	source.receive(document.body, () => !byId('import').hidden);
	parts.flow = byId('import-flow');
	show(['file']);

	function section(id, title, size, ...content)
	{
		return parts[id] = h('section', {id: 'import-' + id, class: 'panel ' + size, 'aria-labelledby': `import-${id}-title`}, h('h2', {id: `import-${id}-title`}, title), ...content);
	}

	function show(ids)
	{
		for (const [id, element] of Object.entries(parts))
			element.hidden = !ids.includes(id);
	}

	/* ---- Trying ---- */

	/* Another file or another stream; of the same file, what was said of its reading is kept. */
	function begin({keep = false} = {})
	{
		if (!keep)
			options = {};
		model = answer = null;
		settled = false;
		ending.replaceChildren();
		look();
	}

	/* What went wrong with an import is over once something is changed. */
	function forgive()
	{
		ending.querySelector('.notice')?.remove();
	}

	/* A new stream under another name: the file is read as before. */
	function renamed()
	{
		forgive();
		if (answer === null || source.stream === '')
			return look();
		answer.changes.stream = source.stream;
		offer();
	}

	function change(option, value)
	{
		options = {...options, [option]: value};
		if (COLUMNS.includes(option))
			[model, settled] = [null, false];
		look();
	}

	const parameters = () => ({stream: source.stream, ...options, ...model?.parameters()});

	/* soon: after a pause, in which more may be changed. */
	function look({soon = false} = {})
	{
		clearTimeout(timer);
		asked?.abort();
		failed = false;
		forgive();
		parts.found.setAttribute('aria-busy', false);
		if (source.file === null)
			return show(['file']);
		if (source.stream === '')
			return tell('The new stream needs a name.', 'It is the name that the charts show, such as that of the team or the board.');
		if (soon && source.file.size > SMALL)
			return stale();
		asked = new AbortController();
		parts.found.setAttribute('aria-busy', true);
		send.ready(false);
		timer = setTimeout(attempt, soon ? PAUSE_MS : 0, asked.signal);
	}

	async function attempt(signal)
	{
		const {file, stream, isNew} = source;

		if (answer === null)
		{
			say(h('p', {class: 'note'}, `Reading “${file.name}”`));
			reading.element.hidden = true;
			show(['file', 'found']);
		}
		try
		{
			const known = isNew ? [] : await get('stages', {stream}, signal);
			const next = await upload(file, {...parameters(), dry_run: true}, {signal});

			if (next.proposal.outcome === 'proposal')
				propose(next, known);
			else
				tellRefusal(next.proposal);
		}
		catch (error)
		{
			if (error.name === 'AbortError' || signal.aborted)
				return;
			fail(error);
		}
		if (!signal.aborted)
			parts.found.setAttribute('aria-busy', false);
	}

	function propose(next, known)
	{
		const {proposal} = next, names = known.filter(stage => !stage.retired_at);

		/* The stream's places and categories may not be those that the file was read with: then once more, with these. */
		if (model === null || !model.adopt(proposal))
		{
			model = importStages(proposal, names);
			if (!settled && model.parameters().stages !== null)
			{
				settled = true;
				return look();
			}
		}
		answer = next;
		say(facts(proposal, next));
		reading.element.hidden = false;
		again.replaceChildren();
		reading.show(options, proposal);
		table.show(model, {stream: source.stream, fresh: next.changes.stages, known: names.map(stage => stage.name), also: ofAllLines(proposal, next) ? `These counts are of ${ALL_LINES}.` : ''});
		remark(proposal);
		show(['file', 'found', 'stages', 'flow', 'confirm', ...proposal.notices.length > 0 || next.refused_count > 0 ? ['remarks'] : []]);
		drawFlow(proposal);
		skipping.hidden = next.refused_count === 0;
		offer();
		announce(`The file was understood: ${items(next.items)}, ${count(next.transitions)} transitions, ${proposal.stages.length} stages.`);
	}

	function offer()
	{
		send.element.hidden = false;
		const {changes} = answer, none = answer.transitions + answer.merged + answer.skipped === 0;

		send.ready(changes.faults.length === 0 && !none, `Import ${items(answer.items)} into “${source.stream}”`,
			[none && 'No line of the file can be imported.', ...changes.faults, !none && makes(changes), adds(answer)].filter(Boolean).join(' '));
	}

	/* What the import defines first. */
	function makes({stream, stages, types})
	{
		const list = (n, one, many) => n > 0 && `${count(n)} ${n === 1 ? one : many}`;
		const what = [stream !== null && `stream “${stream}”`, list(stages.length, 'stage', 'stages'), list(types.length, 'type', 'types')].filter(Boolean);

		return what.length === 0 ? '' : `This defines ${what.join(', ')}, for which your access must be that of an admin.`;
	}

	/* How much of it is new. */
	function adds({transitions, skipped})
	{
		return skipped === 0 ? '' : transitions === 0 ? 'All of it is there already.' : `${count(transitions)} transitions are new, ${count(skipped)} are there already.`;
	}

	function remark({notices: lines})
	{
		notices.replaceChildren(lines.length > 0 ? h('ul', {class: 'remarks'}, lines.map(text => h('li', null, text))) : '');
		refused.replaceChildren(refusedRows(answer, source.file, ['It will be left out, or refuse the import, as you choose below.', 'They will be left out, or refuse the import, as you choose below.']) ?? '');
	}

	function drawFlow({flow: series, stages, time_zone: zone, local_times: local})
	{
		const begin = Date.parse(series.since + (local ? 'Z' : '')), at = n => new Date(begin + n * series.days * 86400000).toISOString();

		showFlow(flow, {stages: stages.map(stage => stage.name), points: series.points.map((values, n) => ({at: at(n), local: local ? at(n).slice(0, 19) : null, values}))}, stages, 'UTC',
			ofAllLines(answer.proposal, answer) ? `This chart shows ${ALL_LINES}.` : '');
	}

	/* ---- Questions and refusals ---- */

	const say = (...content) => found.replaceChildren(...content.filter(Boolean));

	function tell(what, advice, ...more)
	{
		say(h('h3', null, what), advice && h('p', null, advice), ...more);
		show(['file', 'found']);
		again.replaceChildren();
		reading.element.hidden = true;
	}

	function tellRefusal(proposal)
	{
		const columns = proposal.columns?.length > 1;

		say(proposal.outcome === 'question' && proposal.option ? question(proposal, change) : refusal(proposal));
		show(['file', 'found']);
		reading.element.hidden = !columns;
		reading.show(options, proposal);
		announce(proposal.message);
	}

	function fail(error)
	{
		const proposal = error.body?.proposal;

		if (model !== null && STRANGE.includes(proposal?.code))
		{
			model = null;
			return look();
		}
		if (proposal)
			return tellRefusal(proposal);
		failed = true;
		tell(...importError(error, false), button(error));
	}

	const button = error => h('p', {class: 'buttons'}, error.status === 401 ?
		h('button', {type: 'button', onclick: askToken}, 'Enter a token') : h('button', {type: 'button', onclick: () => look()}, 'Try again'));

	/* A large file is not sent again for every change. */
	function stale()
	{
		send.ready(false);
		again.replaceChildren(h('button', {type: 'button', class: 'quiet', onclick: () => look()}, 'Try the file with these changes'));
	}

	/* ---- Importing ---- */

	function lock(on)
	{
		[source, reading, table].forEach(part => part.lock(on));
		skip.disabled = on;
	}

	async function write(progress, signal)
	{
		const {file, stream} = source, {changes} = answer;
		const how = {create_stages: changes.stream !== null || changes.stages.length > 0, create_types: changes.types.length > 0,
			on_error: skip.checked ? 'skip' : 'abort'};

		lock(true);
		ending.replaceChildren();
		try
		{
			const result = await upload(file, {...parameters(), ...how}, {signal, progress});

			source.made(stream);
			send.element.hidden = skipping.hidden = true;
			ending.replaceChildren(importResult(result, file, stream, {open: () => open(stream), another}));
			show(['file', 'confirm']);
			ending.querySelector('h3').focus();
			announce(`${items(result.items)} and ${count(result.transitions)} transitions were imported.`);
		}
		catch (error)
		{
			const [what, advice] = error.name === 'AbortError' ? ['Cancelled.', error.message] : importError(error, true);

			ending.replaceChildren(h('div', {class: 'notice', role: 'alert'}, h('div', null, h('p', null, h('strong', null, what)), advice && h('p', null, advice)),
				error.status === 401 && h('button', {type: 'button', onclick: askToken}, 'Enter a token')));
		}
	}

	function another()
	{
		source.forget();
		begin();
		byId('import-input').focus();
	}

	return {
		/* preferred: the stream that the page shows, if one was chosen. */
		show: (names, preferred) => source.streams(names, preferred),
		/* In other colours, or in another width. */
		redraw: () => answer && !parts.flow.hidden && drawFlow(answer.proposal),
		/* When a token was entered, or the service is back. */
		retry: () => failed && look(),
	};
}
