/*
 * importing.mjs
 *		The import view by its controls, and the files that its tests give it.
 */
import {api, open} from './browse.mjs';

export const IMPORT = process.env.VSM_IMPORT;

/* Newest first, with semicolons; two names for one stage, an abandoned end, a line that is no event, comments among the moves. */
export const TEAM = ['Key;Type;Status;When',
	'T-3;Bug;Abgebrochen;2024-03-10 12:00', 'T-1;Task;Fertig;2024-03-09 10:00', 'T-2;Task;Erledigt;2024-03-08 16:00', 'T-3;Bug;Doing;2024-03-07 09:00',
	'T-1;Task;Review;2024-03-06 10:00', 'T-4;Task;Doing;2024-03-05 09:00', 'T-2;Task;Doing;2024-03-04 12:00', 'T-9;Task;Doing;some day',
	'T-1;Task;Doing;2024-03-03 10:00', 'T-4;Task;Open;2024-03-02 09:00', 'T-3;Bug;Open;2024-03-02 08:00', 'T-2;Task;Open;2024-03-01 12:00', 'T-1;Task;Open;2024-03-01 10:00', ''].join('\n');

export const AMBIGUOUS = 'case_id,stage,entered_at\nA-1,Open,03/04/2024\nA-1,Done,05/06/2024\nA-2,Open,04/04/2024\n';

export const file = (name, text) => ({name, mimeType: 'text/csv', buffer: Buffer.from(text)});

export const at = (page, id) => page.locator(`#import-${id}`);

export const line = (page, stage) => page.locator(`#import-stages tr[data-stage="${stage}"]`);

export const go = page => page.locator('#import .go');

export async function view(base = IMPORT, how = {})
{
	const page = await open(base, '?view=import', how);

	await at(page, 'file').waitFor();
	return page;
}

export const choose = (page, what) => page.locator('#import-input').setInputFiles(what);

/* Tried, and shown as it is now. */
export const tried = page => page.waitForFunction(() =>
	document.querySelector('#import-found').getAttribute('aria-busy') === 'false' && document.querySelector('#import .go').getAttribute('aria-disabled') === 'false');

export const stages = page => page.locator('#import-stages tbody tr').evaluateAll(lines =>
	lines.map(one => [one.querySelector('input').value, one.querySelector('select').value, one.children[4].textContent, one.children[5].textContent]));

export const order = async page => (await stages(page)).map(([name]) => name);

/* What the view says of the file, by term. */
export const facts = async page => Object.fromEntries(await page.locator('.facts-list > div').evaluateAll(lines => lines.map(one => [one.firstChild.textContent, one.lastChild.textContent])));

export const result = async page => Object.fromEntries(await page.locator('#import .counts li').evaluateAll(lines => lines.map(one => [one.dataset.figure, Number(one.querySelector('strong').textContent.replace(/,/g, ''))])));

export async function send(page)
{
	await tried(page);
	await go(page).click();
	await page.locator('#import .result').waitFor();
	return result(page);
}

/* All that an import could write. */
export async function written()
{
	const streams = await api(IMPORT, 'streams'), types = await api(IMPORT, 'types');
	const items = await Promise.all(streams.map(async ({name}) => (await api(IMPORT, `work-items?limit=500&stream=${encodeURIComponent(name)}`)).items.length));

	return JSON.stringify([streams.map(({name, stages: list, last_move_at: last}, n) => [name, list, last, items[n]]), types]);
}

export const of = async (path, stream, more = '') => api(IMPORT, `${path}?stream=${encodeURIComponent(stream)}${more}`);
