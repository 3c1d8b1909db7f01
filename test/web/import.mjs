/*
 * import.mjs
 *		What the import view promises: nothing is written before it is seen and confirmed, what is open is asked, what is
 *		changed counts, and whatever goes wrong, the file stays chosen.  Run by import.pl.
 */
import {existsSync, readFileSync} from 'node:fs';

import {fold, importStages} from '../../src/web/app/import_stages.js';
import {csv} from '../../src/web/app/csv.js';
import {accessible, api, finish, is, ok, open, part, settled, shoot, text, values} from './browse.mjs';
import {AMBIGUOUS, at, choose, facts, file, go, IMPORT, line, of, order, send, stages, TEAM, tried, view, written} from './importing.mjs';

const {VSM_LOCKED: LOCKED, VSM_SMALL: SMALL, VSM_TOKEN: TOKEN, VSM_PLAIN: PLAIN, VSM_SHARED_EXPORTS: EXPORTS} = process.env;

await part('a file is shown before anything is written', async () => {
	const before = await written(), page = await view();

	ok(await at(page, 'found').isHidden() && await at(page, 'stages').isHidden(), 'without a file there is only its place');

	const dropped = await page.evaluateHandle(content => {
		const data = new DataTransfer();

		data.items.add(new File([content], 'dropped.csv'));
		return data;
	}, TEAM);

	await page.dispatchEvent('#head', 'dragenter', {dataTransfer: dropped});
	ok(await page.locator('#import .drop.target').isVisible(), 'a file that is dragged over the page is awaited');
	await page.dispatchEvent('#head', 'drop', {dataTransfer: dropped});
	await tried(page);
	is([await text(page, '#import .drop strong'), (await facts(page)).Items], ['dropped.csv', '4'], 'and is taken when it is dropped, wherever');
	await page.reload();
	await at(page, 'file').waitFor();
	await accessible(page, 'import, empty');
	await shoot(page, 'import-empty');
	await choose(page, file('team_log.csv', TEAM));
	await tried(page);

	const said = await facts(page);

	is([said.Form, said.Items, said.Transitions, said.Direction, said['Time zone']],
		['long: a line for each move', '4', '12', 'newest first', 'UTC, as the times have no offset'], 'what it was understood as');
	is(said.Columns, 'item “Key”, stage “Status”, time “When”, type “Type”', 'by which columns');
	ok(said['First and last'].startsWith('1 Mar 2024, 10:00') && said['First and last'].endsWith('10 Mar 2024, 12:00'), 'first and last time', said['First and last']);
	ok(/Task: (9|10) lines/.test(said.Types) && said.Types.includes('Bug: 3 lines (new)'), 'types, in how many lines, and which are new', said.Types);
	is((await stages(page)).map(([name, category, moves]) => [name, category, moves]),
		[['Open', 'wait', '4'], ['Doing', 'active', '4'], ['Review', 'active', '1'], ['Erledigt', 'done', '1'], ['Fertig', 'done', '1'], ['Abgebrochen', 'discarded', '1']],
		'the stages in order, with their categories and entries');
	is(await page.locator('#import-name').inputValue(), 'team_log', 'the new stream has the name of the file, without its ending, as with make demo');
	is(await page.locator('#import-remarks .refused tbody tr').evaluateAll(lines => lines.map(one => [...one.children].map(cell => cell.textContent))).then(rows => rows[0].slice(0, 4)),
		['9', 'T-9', 'Doing', 'some day'], 'the line that is refused, with its values');

	const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', {name: 'Download these lines'}).click()]);

	is(saved.suggestedFilename(), 'team_log refused.csv', 'and can be kept');
	ok(/^\ufeffLine,Item,Stage,Time,Reason\r\n9,T-9,Doing,some day,/.test(readFileSync(await saved.path(), 'utf8')), 'as CSV', readFileSync(await saved.path(), 'utf8'));

	const flow = await values(page, 'import-flow');

	is(flow.length, 11, 'the cumulative flow has a point for each day');
	is(flow.at(-1).slice(1), ['4', '4', '2', '2', '1', '1'], 'with what had got to each stage or further', flow.at(-1));
	is([flow[0].slice(1), flow[1].slice(1), flow[5].slice(1)], [['0', '0', '0', '0', '0', '0'], ['2', '0', '0', '0', '0', '0'], ['4', '3', '0', '0', '0', '0']], 'at each midnight');
	await accessible(page, 'import, a proposal');
	await shoot(page, 'import', {fullPage: true});
	is(await written(), before, 'nothing is written');
	await page.context().close();
});

await part('lines that repeat the stage of their item', async () => {
	const page = await view();

	await choose(page, file('again.csv', 'case_id,stage,entered_at\nA,Waiting for development,2024-01-01\nA,Waiting for development,2024-01-02\nA,Doing,2024-01-03\nA,Doing,2024-01-04\nA,Done,2024-01-05\n'));
	await tried(page);
	await page.setViewportSize({width: 1280, height: 900});
	ok(await page.locator('#import-stages .scroll').evaluate(table => table.scrollWidth <= table.clientWidth), 'all columns of the stages are in sight');
	is((await facts(page)).Transitions, '3; 2 lines merged: the item was in that stage already', 'are told apart from the transitions');

	const did = await send(page);

	is([did.transitions, did.merged], [3, 2], 'as the import counts them');
	await page.context().close();
});

await part('lines that the service refuses, though they can be read', async () => {
	const page = await view();
	const labels = () => page.evaluate(() => [...new Set(window.drawn.filter(label => /^(\d+ )?(\w{3} )?\d{4}$|^\d+ \w{3}$/.test(label)))]);

	await page.evaluate(() => {
		const draw = CanvasRenderingContext2D.prototype.fillText;

		window.drawn = [];
		CanvasRenderingContext2D.prototype.fillText = function(label, ...place) {
			window.drawn.push(label);
			return draw.call(this, label, ...place);
		};
	});
	await choose(page, file('typos.csv', 'id,status,date\nR-1,Open,2024-03-01\nR-1,Done,2024-03-05\nR-2,Open,2024-03-02\nR-3,Open,1960-01-01\nR-4,Open,2031-01-01\n,Open,2024-03-03\n'));
	await tried(page);

	const said = await facts(page);

	is([said.Items, said.Transitions, said.Refused], ['2 of 4 in the file', '3', '3 lines'], 'are no items and no transitions');
	ok((await go(page).textContent()).startsWith('Import 2 items into “typos”'), 'nor does the button count them', await go(page).textContent());
	ok(said['First and last'].endsWith(', of all lines, also of those that are refused'), 'what is of all lines says so: first and last time', said['First and last']);
	is([await text(page, '#import-flow > .note'), await text(page, '#import-stages > div > .note:last-child')],
		['This chart shows all lines, also those that are refused.', 'These counts are of all lines, also those that are refused.'], 'the cumulative flow, and the counts of the stages');

	const years = await labels();

	ok(years.length > 2 && years.every(label => /^\d{4}$/.test(label)), 'an axis of years names them', years);
	await shoot(page, 'import-refused', {fullPage: true});

	const did = await send(page);

	is([did.items, did.transitions, did.refused_count], [2, 3, 3], 'the import does what was said');
	await page.getByRole('button', {name: 'Import another file'}).click();
	await page.evaluate(() => window.drawn = []);
	await page.locator('#import-stream').selectOption({index: 0});
	await choose(page, file('two years.csv', 'id,status,date\nY-1,Open,2023-01-10\nY-1,Done,2024-08-20\n'));
	await tried(page);
	is([(await facts(page)).Refused, await text(page, '#import-flow > .note')], [undefined, ''], 'nothing is said where nothing is refused');

	const months = await labels();

	ok(months.length > 2 && months.every(label => /^\w{3} \d{4}$/.test(label)), 'months of more than a year have it', months);
	await page.evaluate(() => window.drawn = []);
	await choose(page, file('none.csv', 'id,status,date\nN-1,Open,2061-03-01\nN-1,Done,2061-03-05\n'));
	await page.locator('#import .idle .note', {hasText: 'No line of the file can be imported.'}).waitFor();
	is(await go(page).getAttribute('aria-disabled'), 'true', 'a file of refused lines only is not imported');
	ok((await labels()).every(label => /^\d+ Mar$/.test(label)), 'days of a short time go without their year', await labels());
	await page.context().close();
});

await part('what would be refused is told', async () => {
	const page = await view();

	await choose(page, file('undone.csv', 'Key;Status;When\nK-1;Open;2024-03-01 08:00\nK-1;Work;2024-03-02 08:00\nK-2;Open;2024-03-02 09:00\n'));
	await line(page, 'Work').waitFor();
	await page.locator('#import .idle .note', {hasText: 'None of the stages is a done stage.'}).waitFor();
	is(await go(page).getAttribute('aria-disabled'), 'true', 'a stream in which nothing can finish is not made');
	await line(page, 'Work').locator('select').selectOption('done');
	await tried(page);
	ok(!(await text(page, '#import .idle .note')).includes('done stage'), 'once a stage is done, it can be');
	await page.context().close();
});

await part('what is changed counts', async () => {
	const page = await view();

	await choose(page, file('team.csv', TEAM));
	await tried(page);

	/* order: by button, by keyboard, by drag */
	await line(page, 'Review').getByRole('button', {name: /^Move Review up/}).click();
	is((await order(page)).slice(0, 3), ['Open', 'Review', 'Doing'], 'a stage is moved by a button');
	ok(await page.evaluate(() => document.activeElement.getAttribute('aria-label')?.startsWith('Move Review up, from place 2')), 'which keeps the focus');
	await page.keyboard.press('ArrowDown');
	is((await order(page)).slice(0, 3), ['Open', 'Doing', 'Review'], 'by an arrow key on it');
	ok(await page.evaluate(() => document.activeElement.getAttribute('aria-label')?.startsWith('Move Review up, from place 3')), 'where the focus stays too');
	await line(page, 'Abgebrochen').locator('.handle').dragTo(line(page, 'Open'));
	is((await order(page))[0], 'Abgebrochen', 'by drag');
	await line(page, 'Abgebrochen').locator('.handle').dragTo(line(page, 'Fertig'));
	is((await order(page)).at(-1), 'Abgebrochen', 'and back');

	/* two names, one stage */
	await line(page, 'Fertig').locator('input').fill('erledigt');
	await page.keyboard.press('Tab');
	await tried(page);
	is((await stages(page)).filter(([, category]) => category === 'done').map(([name, , moves]) => [name, moves]), [['Erledigt', '2']], 'the name of another stage makes both one');
	is(await line(page, 'Erledigt').locator('.source').allTextContents(), ['Erledigt×', 'Fertig×'], 'which shows both');
	await line(page, 'Erledigt').getByRole('button', {name: 'Make Fertig a stage of its own'}).click();
	await tried(page);
	is((await order(page)).filter(name => /Erledigt|Fertig/.test(name)), ['Erledigt', 'Fertig'], 'they can be parted again');
	await line(page, 'Fertig').locator('input').fill('Erledigt');
	await page.keyboard.press('Tab');
	await line(page, 'Erledigt').locator('input').fill('Shipped');
	await page.keyboard.press('Tab');
	await line(page, 'Shipped').waitFor();
	/* a table that is drawn anew would take what is being typed */
	await tried(page);

	/* no moves */
	await line(page, 'Review').locator('input').fill('');
	await page.keyboard.press('Tab');
	await tried(page);
	is([await order(page), (await facts(page)).Transitions], [['Open', 'Doing', 'Shipped', 'Abgebrochen'], '11; 1 line is no move'], 'no name: such rows are no moves');
	await page.getByRole('button', {name: 'Take Review as a stage again'}).click();
	await line(page, 'Review').getByRole('button', {name: /^Move Review up/}).click();
	await line(page, 'Review').getByRole('button', {name: /^Move Review up/}).click();
	await line(page, 'Review').locator('select').selectOption('wait');
	await tried(page);
	is((await order(page)), ['Open', 'Doing', 'Review', 'Shipped', 'Abgebrochen'], 'and can be taken back');
	is((await values(page, 'import-flow')).at(-1).slice(1), ['4', '4', '2', '2', '1'], 'the flow follows');

	/* the import */
	ok(/^Import 4 items into “team”/.test(await go(page).textContent()) && /defines stream “team”, 5 stages, 2 types/.test(await text(page, '#import .idle .note')), 'the button says what it does',
		await text(page, '#import .idle'));

	const did = await send(page);

	is([did.items, did.transitions, did.refused_count, did.breaches], [4, 12, 1, 0], 'the result');
	ok(await page.evaluate(() => document.activeElement.closest('.result') !== null), 'gets the focus');
	is((await of('stages', 'team')).map(stage => `${stage.name}:${stage.category}`), ['Open:wait', 'Doing:active', 'Review:wait', 'Shipped:done', 'Abgebrochen:discarded'], 'the stages are those of the view');

	const figures = await of('metrics', 'team', '&since=2024-01-01&until=2024-04-01');

	is([figures.throughput, figures.discarded, figures.open_at_until], [2, 1, 1], 'the figures are right');
	await accessible(page, 'import, the result');
	await shoot(page, 'import-result', {fullPage: true});

	/* again, in another tab: nothing twice, and the names are known */
	const second = await view();

	await choose(second, file('team.csv', TEAM));
	is([await second.locator('#import-stream').inputValue(), await second.locator('#import-name').isVisible()], ['team', false], 'a file with the name of a stream goes into that stream');
	await second.locator('#import-stages tr[data-stage="Shipped"]').waitFor();
	is((await order(second)).sort(), ['Abgebrochen', 'Doing', 'Open', 'Review', 'Shipped'], 'the next import knows what names mean');
	ok(await line(second, 'Shipped').locator('select').isDisabled() && /keep their place and category/.test(await at(second, 'stages').textContent()), 'stages that are there stay as they are, and that is said');

	const twice = await send(second);

	is([twice.items, twice.transitions], [0, 0], 'the same again adds nothing');
	ok(/had all of this already/.test(await text(second, '#import .result h3')), 'and that is said');
	await second.getByRole('button', {name: 'Import another file'}).click();
	await second.locator('#import-stream').selectOption({index: 0});
	await choose(second, file('team.csv', TEAM));
	await choose(second, file('another.csv', TEAM));
	await tried(second);
	is([await second.locator('#import-stream').inputValue(), await second.locator('#import-name').inputValue()], ['\n', 'another'], 'and the next file into a new one again');
	await choose(second, file('team.csv', TEAM));
	await tried(second);
	await second.locator('#import-stream').selectOption({index: 0});
	ok(await second.locator('#import-name').evaluate(field => field === document.activeElement && field.value === '') && /needs a name/.test(await text(second, '#import .found')),
		'who wants a new stream all the same is asked for its name', await text(second, '#import .found'));
	await second.context().close();

	/* where the streams are told later than the file is chosen */
	const late = await open(IMPORT, 'docs');
	let tell;

	await late.route('**/api/v1/streams', async route => {
		await new Promise(resolve => tell = resolve);
		await route.continue();
	});
	await late.goto(IMPORT + '?view=import');
	await choose(late, file('team.csv', TEAM));
	await tried(late);
	is(await late.locator('#import-stream').inputValue(), '\n', 'before the page knows the streams, the file goes into a new one');
	tell();
	await late.waitForFunction(() => document.querySelector('#import-stream').value === 'team');
	await late.locator('#import-stages tr[data-stage="Shipped"]').waitFor();
	await tried(late);
	ok(await line(late, 'Shipped').locator('select').isDisabled(), 'then into the one of its name');
	await late.context().close();

	/* on to the charts */
	await page.getByRole('link', {name: 'Open the charts of “team”'}).click();
	await settled(page);
	is(new URL(page.url()).search, '?stream=team&since=2024-03-01&until=2024-03-10', 'the charts open on the days from the first move of the log to its last, which the URL holds');
	ok(/^The whole log, in which nothing has moved since 10 Mar 2024: 1 Mar 2024 to 10 Mar 2024, days of UTC$/.test(await text(page, '#period')), 'and that is said', await text(page, '#period'));
	is(await text(page, '#figure-throughput .big'), '2', 'there they are');
	await shoot(page, 'import-charts', {fullPage: true});
	await page.context().close();
});

await part('the page opens on a window that has data', async () => {
	const page = await open(IMPORT, '?stream=team');

	await settled(page);
	is(new URL(page.url()).search, '?stream=team&since=2024-03-01&until=2024-03-10', 'by itself');
	await page.getByRole('radio', {name: '30 days'}).check();
	await settled(page);
	is([new URL(page.url()).search, await text(page, '#figure-throughput .big')], ['?stream=team&days=30', '0'], 'who asks for the usual window gets it');
	ok(!(await text(page, '#period')).includes('log'), 'which is no part of the log');
	await page.reload();
	await settled(page);
	is(new URL(page.url()).search, '?stream=team&days=30', 'and shares it');
	await page.goto(`${IMPORT}?stream=team&since=2024-03-01&until=2024-03-10`);
	await settled(page);
	ok((await text(page, '#period')).startsWith('The whole log'), 'a shared window says what it is');
	ok((await text(page, '#age .note')).startsWith('Started WIP at the end of 10 Mar 2024: 1 item, '), 'ages are as of its last day', await text(page, '#age .note'));
	ok(/^Of the \d+ whole days up to the end of the log, items were finished on 2; a forecast needs 5\.The log is too short for a forecast\.$/.test(await text(page, '#forecast .empty')),
		'and there is no forecast from two days', await text(page, '#forecast .empty'));
	await page.locator('#stream').selectOption('default');
	await settled(page);
	is(new URL(page.url()).search, '?stream=default', 'another stream has another window');
	await page.goto(`${IMPORT}?stream=team&view=board`);
	await settled(page);
	is(await page.locator('.lane[data-stage=Shipped] .facts').allTextContents().then(list => list.map(one => one.split(' ')[0]).sort()), ['T-1', 'T-2'], 'the board shows what was finished then');
	await page.context().close();
});

await part('items go by the ids of the tool that they come from', async () => {
	const page = await open(IMPORT, '?stream=team');

	await settled(page);
	is((await values(page, 'cycle-times')).map(row => row[0]), ['T-1', 'T-2'], 'in tables');
	await page.getByRole('slider', {name: /Cycle times/}).focus();
	await page.keyboard.press('End');
	ok((await page.getByRole('slider', {name: /Cycle times/}).getAttribute('aria-valuetext')).includes('T-1, Task'), 'at dots');
	await page.keyboard.press('Enter');
	await page.locator('#item-dialog tbody tr').first().waitFor();
	is(await page.locator('#item-dialog tbody th').allTextContents(), ['Open', 'Doing', 'Review', 'Shipped'], 'Enter opens the history of the item');
	ok(/^T-1 \(#\d+\) · Task · in Shipped since 9 Mar 2024/.test(await text(page, '#item-dialog .note')), 'which names it too', await text(page, '#item-dialog .note'));
	await accessible(page, 'history from a chart');
	await page.getByRole('button', {name: 'Close'}).click();
	ok(await page.evaluate(() => document.activeElement.getAttribute('role')) === 'slider', 'the focus goes back to the chart');

	/* by pointer */
	for (const [chart, item] of [['cycle-times', 'T-1'], ['age', 'T-4']])
	{
		await page.locator(`#${chart} .surface`).focus();
		await page.keyboard.press('End');
		await page.locator(`#${chart} .spot`).click({force: true, position: {x: 6, y: 6}});
		await page.locator('#item-dialog tbody tr').first().waitFor();
		ok((await text(page, '#item-dialog .note')).startsWith(item + ' '), `a click on a dot of ${chart} opens ${item}`, await text(page, '#item-dialog .note'));
		await shoot(page, 'history-' + chart);
		await page.keyboard.press('Escape');
	}
	await page.locator('#cycle-times .surface').click({position: {x: 120, y: 40}});
	ok(!await page.locator('#item-dialog').evaluate(dialog => dialog.open), 'a click far from all dots opens none');
	await page.context().close();
});

await part('what is open is asked', async () => {
	const before = await written(), page = await view(IMPORT, {expected: [422]});

	await choose(page, file('dates.csv', AMBIGUOUS));
	await page.locator('#import .question').waitFor();
	ok(/How does the file write dates\?/.test(await text(page, '#import .question legend')), 'the order of dates');
	ok(await at(page, 'confirm').isHidden() && await at(page, 'stages').isHidden(), 'and nothing can be imported');
	await accessible(page, 'import, a question');
	await shoot(page, 'import-question');
	await page.getByRole('button', {name: 'Read the file this way'}).click();
	ok(/Choose one/.test(await text(page, '#import .question .error')), 'no answer is none');
	is(await page.locator('#import .question .choice').allTextContents(), ['Day first: 03/04/2024 is 3 Apr 2024', 'Month first: 03/04/2024 is 4 Mar 2024'], 'by a date of the file');
	await page.getByRole('radio', {name: /^Day first/}).check();
	await page.getByRole('button', {name: 'Read the file this way'}).click();
	await tried(page);
	ok((await facts(page))['First and last'].startsWith('3 Apr 2024'), 'the answer counts', JSON.stringify(await facts(page)));
	await page.locator('#import .options summary').click();
	await page.locator('#import [data-option=dates]').selectOption('MDY');
	await page.waitForFunction(() => document.querySelector('.facts-list').textContent.includes('4 Mar 2024'));
	ok(true, 'and can be changed');
	await page.locator('#import [data-option=time_zone]').fill('Europe/Berlin');
	await page.keyboard.press('Tab');
	await page.waitForFunction(() => document.querySelector('.facts-list').textContent.includes('Europe/Berlin, as'));
	ok(true, 'as the time zone can');
	await page.locator('#import [data-option=time_zone]').fill('Europe/Atlantis');
	await page.keyboard.press('Tab');
	ok(/does not know/.test(await text(page, '#import .options .error')) && (await facts(page))['Time zone'].startsWith('Europe/Berlin'), 'one that is none is not taken');
	is(await written(), before, 'nothing is written');
	await page.context().close();

	const direction = await view(IMPORT, {expected: [422]});

	await choose(direction, file('turns.csv', 'id,status,date\n' + ['1,Alpha', '1,Beta', '2,Beta', '2,Alpha', '3,Alpha', '3,Beta', '4,Beta', '4,Alpha'].map(row => row + ',2024-01-01\n').join('')));
	await direction.getByRole('radio', {name: /newest line/}).check();
	await direction.getByRole('button', {name: 'Read the file this way'}).click();
	await tried(direction);
	is((await facts(direction)).Direction, 'newest first', 'the direction is asked for');
	await choose(direction, file('columns.csv', 'id,state,status,date\n' + [1, 2, 3, 4, 5].map(n => `A-${n},Open,New,2024-01-0${n}\nA-${n},Done,Shipped,2024-01-1${n}\n`).join('')));
	await direction.locator('#import .question').waitFor();
	is(await direction.locator('#import .question .choice').allTextContents(), ['state', 'status', 'date', 'id'], 'the columns that a question is about come first, that of the item last');
	await direction.getByRole('radio', {name: 'status', exact: true}).check();
	await direction.getByRole('button', {name: 'Read the file this way'}).click();
	await tried(direction);
	is(await order(direction), ['New', 'Shipped'], 'so are columns');
	ok(await direction.locator('#import-name').inputValue() === 'columns', 'a second file replaces the first, with what was said of it');
	await choose(direction, file('none.csv', 'id,title\n1,a\n2,b\n'));
	await direction.locator('#import .refusal').waitFor();
	ok(/tell/.test(await text(direction, '#import .refusal')) && await at(direction, 'confirm').isHidden(), 'a file that is no log is refused, and why', await text(direction, '#import .refusal'));
	await shoot(direction, 'import-refusal');
	await direction.context().close();
});

await part('whatever goes wrong, the file stays', async () => {
	const before = await written(), page = await view(SMALL, {expected: [413, 422, 'net::ERR_CONNECTION_RESET', 'net::ERR_EMPTY_RESPONSE']});

	await choose(page, file('large.csv', TEAM.repeat(2) + 'x,y\n'.repeat(1000)));
	await page.getByText('The file is larger than this service takes (413).').waitFor();
	ok(/parts/.test(await text(page, '#import .found')), 'a file that is too large, and what to do');
	await page.context().close();

	const kept = await view(IMPORT, {expected: [503, 'net::ERR_INTERNET_DISCONNECTED', 'net::ERR_FAILED']});

	await kept.route('**/api/v1/import*', route => route.fulfill({status: 503, json: {detail: 'The database is away'}}));
	await choose(kept, file('kept.csv', TEAM));
	await kept.getByText('no answer now (503)').waitFor();
	ok(/still chosen/.test(await text(kept, '#import .found')), 'a database that is away');
	await kept.unrouteAll();
	await kept.getByRole('button', {name: 'Try again'}).click();
	await tried(kept);
	await line(kept, 'Review').getByRole('button', {name: /^Move Review up/}).click();
	await tried(kept);
	await kept.context().setOffline(true);
	await go(kept).click();
	await kept.locator('#import .notice').waitFor();
	ok(/does not answer/.test(await text(kept, '#import .notice')) && /not added twice/.test(await text(kept, '#import .notice')), 'a service that is away', await text(kept, '#import .notice'));
	is(await order(kept), ['Open', 'Review', 'Doing', 'Erledigt', 'Fertig', 'Abgebrochen'], 'what was changed is kept');
	await shoot(kept, 'import-trouble', {fullPage: true});
	await kept.context().setOffline(false);
	is(await written(), before, 'nothing is written');
	is((await send(kept)).items, 4, 'and the import goes on from there');
	await kept.context().close();

	const limited = await open(TOKEN, '?view=import', {expected: [401, 403]});
	const give = async (of_role, button) => {
		await button.click();
		await limited.locator('#token').fill(of_role);
		await limited.getByRole('button', {name: 'Use it'}).click();
	};

	await choose(limited, file('rights.csv', TEAM));
	await at(limited, 'found').getByText('This service wants an access token (401).').waitFor();
	await give(process.env.VSM_WRITER, at(limited, 'found').getByRole('button', {name: 'Enter a token'}));
	await tried(limited);
	ok(true, 'a token is asked for, and the file read then');
	await go(limited).click();
	await limited.locator('#import .notice').waitFor();
	ok(/Your access token does not allow this \(403\)/.test(await text(limited, '#import .notice')) && /admin/.test(await text(limited, '#import .notice')), 'who may not define a stream is told', await text(limited, '#import .notice'));
	await give(process.env.VSM_ADMIN, limited.getByRole('button', {name: 'Access token'}));
	is((await send(limited)).items, 4, 'who may, imports');
	await limited.context().close();

	/* a service that wants no token */
	const plain = await view(PLAIN, {expected: [403, 422]}), notice = plain.locator('#import-confirm .notice');

	await choose(plain, file('plain.csv', TEAM));
	await plain.getByLabel('Leave out lines that cannot be imported').uncheck();
	await tried(plain);
	await go(plain).click();
	await notice.waitFor();
	ok(/^This service does not allow this \(403\).*New streams and stages need level admin\./.test(await notice.textContent()) && !/token|create_/.test(await notice.textContent()),
		'where there is no token, none is spoken of, nor a parameter of the API', await notice.textContent());
	await plain.locator('#import-stream').selectOption('rights');
	await tried(plain);
	await go(plain).click();
	await notice.waitFor();
	ok(/^1 row of the import cannot be imported.*leave out lines that cannot be imported/.test(await notice.textContent()) && !/on_error/.test(await notice.textContent()),
		'what refuses the import is said in the words of the view', await notice.textContent());
	await plain.context().close();
});

await part('what went wrong is over when something is changed', async () => {
	const page = await view(IMPORT, {expected: [422]}), name = page.locator('#import-name'), notice = page.locator('#import-confirm .notice');
	const refused = async () => {
		await tried(page);
		await go(page).click();
		await notice.waitFor();
		return (await notice.textContent()).replace(/\s+/g, ' ');
	};

	await choose(page, file('changed.csv', TEAM));
	await tried(page);
	await name.fill('..');
	await name.press('Tab');
	ok(/name of a value stream cannot be "\.\.".*Nothing was imported/.test(await refused()), 'a name that a stream cannot have is refused', await notice.textContent());
	await name.fill('changed well');
	await name.press('Tab');
	is(await notice.count(), 0, 'and that is said no more when there is another');
	await page.getByLabel('Leave out lines that cannot be imported').uncheck();
	await refused();
	await page.getByLabel('Leave out lines that cannot be imported').check();
	is(await notice.count(), 0, 'nor when lines are left out that refused the import');
	await page.getByLabel('Leave out lines that cannot be imported').uncheck();
	await refused();
	await line(page, 'Review').getByRole('button', {name: /^Move Review up/}).click();
	is(await notice.count(), 0, 'nor when a stage is changed');
	await page.getByLabel('Leave out lines that cannot be imported').check();
	is((await send(page)).items, 4, 'and the import goes on from there');
	await page.context().close();
});

await part('an import under way can be stopped', async () => {
	const before = await written(), page = await view();
	const rows = [...Array(60000).keys()].map(n => `L-${n % 20000},${['Open', 'Doing', 'Done'][Math.floor(n / 20000)]},2024-0${1 + Math.floor(n / 20000)}-0${1 + n % 9}\n`);

	await choose(page, file('long.csv', 'id,status,date\n' + rows.join('')));
	await tried(page);

	const cdp = await page.context().newCDPSession(page);

	await cdp.send('Network.emulateNetworkConditions', {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200000});
	await go(page).click();
	await page.waitForFunction(() => document.querySelector('#import progress').value > 0);
	ok(await page.locator('#import-input').isDisabled() && await line(page, 'Open').locator('input').isDisabled(), 'nothing can be changed meanwhile');
	ok(/ of /.test(await text(page, '#import .sending .note')), 'how far it is is said', await text(page, '#import .sending'));
	await shoot(page, 'import-sending');
	await page.getByRole('button', {name: 'Cancel'}).click();
	await page.locator('#import .notice').waitFor();
	ok(/Cancelled.*nothing was imported/.test(await text(page, '#import .notice')), 'it is stopped');
	is(await written(), before, 'and nothing is written');
	await cdp.send('Network.emulateNetworkConditions', {offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1});
	is([(await send(page)).items, (await of('metrics', 'long', '&since=2024-01-01&until=2024-04-01')).throughput], [20000, 20000], 'the next try imports all of it');
	await page.getByRole('button', {name: 'Import another file'}).click();
	ok(await at(page, 'confirm').isHidden() && await text(page, '#import .drop strong') === 'Drop a file here', 'and the view is ready for another');
	await page.context().close();
});

await part('an import can also be stopped when the file has arrived', async () => {
	const page = await view(LOCKED);

	await choose(page, file('late.csv', TEAM));
	await tried(page);
	await go(page).click();
	await page.getByText('The service imports the file').waitFor();
	await page.getByRole('button', {name: 'Cancel'}).click();
	await page.locator('#import .notice').waitFor();
	ok(/not known whether.*not added twice/.test(await text(page, '#import .notice')), 'and what that means is said', await text(page, '#import .notice'));
	is((await api(LOCKED, 'work-items?limit=5')).items, [], 'nothing of it is written');
	await page.context().close();
});

await part('a table with a column for each stage', async () => {
	const page = await view();

	await choose(page, file('table.csv', 'ID,Date Requested,Date Doing,Date Checked,Date Live\nW-1,2024-05-01,2024-05-02,2024-05-03,2024-05-06\nW-2,2024-05-01,2024-05-04,,\n'));
	await tried(page);
	is([(await facts(page)).Form, await order(page)], ['wide: a line for each item, a column of dates for each stage', ['Requested', 'Doing', 'Checked', 'Live']], 'is understood');
	await line(page, 'Checked').locator('input').fill('');
	await page.keyboard.press('Tab');
	await line(page, 'Live').locator('input').fill('Shipped');
	await page.keyboard.press('Tab');
	await line(page, 'Shipped').locator('select').selectOption('done');
	await tried(page);
	is((await values(page, 'import-flow')).at(-1).slice(1), ['2', '2', '1'], 'its stages can be named, and left out');
	await send(page);
	is((await of('stages', 'table')).map(stage => `${stage.name}:${stage.category}`), ['Requested:wait', 'Doing:active', 'Shipped:done'], 'and are written so');
	is((await of('metrics', 'table', '&since=2024-01-01&until=2024-06-01')).throughput, 1, 'with the figures');
	await page.context().close();
});

await part('a large file is tried when told to', async () => {
	const page = await view(), note = 'x'.repeat(4000);
	let tries = 0;

	page.on('request', request => tries += request.url().includes('/import?'));
	await choose(page, file('large.csv', 'id,status,date,note\n' + [...Array(2400).keys()].map(n => `B-${n % 800},${['Open', 'Doing', 'Done'][Math.floor(n / 800)]},2024-02-0${1 + Math.floor(n / 800)},${note}\n`).join('')));
	await tried(page);
	await line(page, 'Doing').getByRole('button', {name: /^Move Doing up/}).click();
	is([await go(page).getAttribute('aria-disabled'), tries], ['true', 1], 'what is changed is not sent at once, nor imported untried');
	await page.getByRole('button', {name: 'Try the file with these changes'}).click();
	await tried(page);
	is([tries, await order(page), await page.getByRole('button', {name: 'Try the file with these changes'}).count()], [2, ['Doing', 'Open', 'Done'], 0], 'but when told to');
	await page.context().close();
});

await part('on a phone, and in the dark', async () => {
	const page = await view(IMPORT, {width: 375, height: 740, hasTouch: true, isMobile: true, deviceScaleFactor: 2});

	await choose(page, file('phone.csv', TEAM));
	await tried(page);
	ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the view fits 375 pixels');
	await line(page, 'Review').getByRole('button', {name: /^Move Review up/}).tap();
	is((await order(page)).slice(0, 2), ['Open', 'Review'], 'stages are moved by a tap');
	await tried(page);
	await accessible(page, 'import, phone');
	await shoot(page, 'import-phone', {fullPage: true});
	await page.context().close();

	const dark = await view(IMPORT, {colorScheme: 'dark'});

	await choose(dark, file('dark.csv', TEAM));
	await tried(dark);
	await accessible(dark, 'import, dark');
	await shoot(dark, 'import-dark', {fullPage: true});
	await dark.context().close();
});

await part('the order of stages and what names mean, whatever is done', async () => {
	const wrong = [];
	let seed = 7;
	const random = n => (seed = seed * 48271 % 2147483647) % n;

	for (let round = 0; round < 300; round++)
	{
		const names = [...Array(2 + random(6)).keys()].map(n => `S ${n}`), defined = names.filter(() => random(3) === 0).map(name => ({name, category: 'wait'}));
		const model = importStages({form: 'long', stages: names.map(name => ({name, category: 'active', moves: 1 + random(9), remain: 0, spellings: []}))}, defined);

		for (let step = 0; step < 12; step++)
		{
			const n = random(model.rows.length), row = model.rows[n];

			[
				() => model.move(n, random(model.rows.length)), () => model.categorise(n, 'done'), () => model.rename(n, `s  ${random(9)}`),
				() => model.rows.length > 1 && model.rename(n, ' '), () => row.sources.length > 1 && model.split(n, row.sources[random(row.sources.length)]),
				() => model.out.length > 0 && model.takeBack(model.out[0]),
			][random(6)]();
		}

		const {aliases, stages: list} = model.parameters(), means = JSON.parse(aliases ?? '{}'), places = model.rows.map(({name}) => defined.findIndex(stage => stage.name === name)).filter(n => n >= 0);
		const all = [...model.rows.flatMap(row => row.sources), ...model.out].map(source => source.name).sort();
		const fits = model.rows.every(row => row.sources.every(({name}) => fold(means[name] ?? name) === fold(row.name))) && model.out.every(({name}) => means[name] === null);

		if (JSON.stringify(all) !== JSON.stringify([...names].sort()) || !fits || JSON.stringify(places) !== JSON.stringify([...places].sort((a, b) => a - b))
			|| (list !== null && JSON.parse(list).length !== model.rows.length))
			wrong.push([round, all, aliases, list]);
	}
	is(wrong.slice(0, 3), [], 'every name means one stage or none, and stages of the stream stand in its order');
	is(csv([['a', 'b'], ['x,"y"', '=1+1'], ['-5', null]]), '\ufeffa,b\r\n"x,""y""",\'=1+1\r\n-5,\r\n', 'CSV quotes what it must, and holds no formulas');
});

await part('exports of trackers', async () => {
	if (!existsSync(`${EXPORTS}/cases.json`))
		return ok(true, 'exports of trackers # SKIP the shared exports are not there');

	const cases = JSON.parse(readFileSync(`${EXPORTS}/cases.json`)), hour = x => x === null ? null : Math.round(x * 100) / 100;
	const WORDS = {DMY: /^Day first/, MDY: /^Month first/};

	for (const name of ['jira_newest_first.csv', 'jira_wont_do.csv', 'trello_newest_first.csv', 'dates_ambiguous.csv', 'two_status_columns.csv', 'counts_per_week.csv',
		'excel_wide_de.csv', 'extra_comma.csv', 'excel_datum_utf16.csv', 'jira_changelog_full.csv'])
	{
		const known = cases[name], page = await view(IMPORT, {expected: [422]}), stream = name.replace(/\..*/, '');
		const before = await written();

		await choose(page, `${EXPORTS}/${name}`);
		if (known.outcome !== 'ok')
		{
			await page.locator(known.outcome === 'ask' ? '#import .question' : '#import .refusal').waitFor();
			ok(await at(page, 'confirm').isHidden() && await written() === before, `${name}: ${known.outcome}: nothing can be imported, nothing is written`);
			if (known.outcome === 'refuse')
				ok(new RegExp(known.says.join('|'), 'i').test(await text(page, '#import .refusal')), `${name}: it is said why`, await text(page, '#import .refusal'));
			if (!known.given)
			{
				await page.context().close();
				continue;
			}
			await page.getByRole('radio', {name: WORDS[known.given.dates]}).check();
			await page.getByRole('button', {name: 'Read the file this way'}).click();
		}
		await tried(page);
		is((await stages(page)).map(([stage, category]) => [known.form === 'wide' ? '' : stage, category]), known.stages.map(([stage, category]) => [known.form === 'wide' ? '' : stage, category]),
			`${name}: its stages are shown`);
		is(Number((await facts(page)).Items), known.items, `${name}: its items`);

		const last = (await values(page, 'import-flow')).at(-1).slice(1).map(Number), did = await send(page);
		const figures = await of('metrics', stream, '&since=1990-01-01');

		is([did.items, figures.throughput, figures.discarded, figures.open_at_until], [known.items, known.finished, known.discarded, known.open], `${name}: is imported with its figures`);
		is(['lead_time_p50', 'lead_time_p85', 'cycle_time_p50', 'cycle_time_p85'].map(key => figures[key]),
			['lead_p50_h', 'lead_p85_h', 'cycle_p50_h', 'cycle_p85_h'].map(key => hour(known[key])), `${name}: and its times`);
		if (known.refused_rows !== null)
			is(did.refused_count, known.refused_rows, `${name}: refused lines`);

		const flow = await of('cumulative-flow', stream, '&since=2020-01-01&step=30%20days');

		is(last, flow.points.at(-1).values, `${name}: the flow of the view is that of the stream`);
		await page.context().close();
	}
});

await finish();
