/*
 * import_sending.js
 *		The button that imports, how far the file has gone, and the button that stops it.
 */
import {h} from './dom.js';
import {size} from './import_file.js';

const STOPPED = 'The file had not arrived completely, so nothing was imported. It is still chosen.';
const TOO_LATE = 'The file had arrived, so it is not known whether the import was finished. Import it again to be sure: what is there already is not added twice.';

/* start(progress, signal) imports; ended() is called whatever became of it. */
export function sending({start, ended})
{
	const go = h('button', {type: 'button', class: 'go', onclick: begin}, 'Import'), makes = h('p', {class: 'note'});
	const bar = h('progress', {max: 1, value: 0, 'aria-label': 'File sent'}), said = h('span', {class: 'note', role: 'status'});
	const stop = h('button', {type: 'button', class: 'quiet', onclick: cancel}, 'Cancel');
	const running = h('div', {class: 'sending', hidden: true}, bar, said, stop);
	const idle = h('div', {class: 'idle'}, go, makes), element = h('div', null, idle, running);
	let stopping = null, complete = false;

	/* A page that is left stops the import. */
	const stay = event => event.preventDefault();

	async function begin()
	{
		if (stopping !== null || go.getAttribute('aria-disabled') === 'true')
			return;
		[stopping, complete] = [new AbortController(), false];
		[idle.hidden, running.hidden] = [true, false];
		progress(0, 1);
		stop.focus();
		addEventListener('beforeunload', stay);
		try
		{
			await start(progress, stopping.signal);
		}
		finally
		{
			stopping = null;
			removeEventListener('beforeunload', stay);
			[idle.hidden, running.hidden] = [false, true];
			ended();
		}
	}

	function progress(sent, of)
	{
		complete = of > 0 && sent >= of;
		if (complete)
			bar.removeAttribute('value');
		else
			bar.value = of > 0 ? sent / of : 0;
		said.textContent = complete ? 'The service imports the file' : of > 1 ? `${size(sent)} of ${size(of)} sent` : 'Sending the file';
	}

	function cancel()
	{
		stopping?.abort(new DOMException(complete ? TOO_LATE : STOPPED, 'AbortError'));
	}

	return {
		element,
		/* Can the file be imported as it is shown? */
		ready(on, text, defines = '')
		{
			go.setAttribute('aria-disabled', !on);
			if (text === undefined)
				return;
			go.textContent = text;
			makes.textContent = defines;
		},
	};
}
