/*
 * page.mjs
 *		What the dashboard promises: its numbers are the API's, its URL holds what is chosen, its board moves items,
 *		and whatever goes wrong is said.  Run by page.pl.
 */
import {readFileSync} from 'node:fs';

import {stageColours} from '../../src/web/app/colours.js';
import {accessible, api, finish, is, ok, open, part, settled, shoot, text, values} from './browse.mjs';

const {VSM_MAIN: MAIN, VSM_EMPTY: EMPTY, VSM_DOWN: DOWN, VSM_TOKEN: TOKEN} = process.env;

const number = x => new Intl.NumberFormat('en', {maximumFractionDigits: 4}).format(x);
const hours = x => number(x) + '\u00a0h';
const count = n => new Intl.NumberFormat('en').format(n);
const card = (page, id) => page.locator(`.card[data-id="${id}"]`);
const lane = (page, stage) => page.locator(`.lane[data-stage="${stage}"]`);
const view = (page, name) => page.getByRole('navigation').getByRole('link', {name});
const stageOf = async id => (await api(MAIN, `work-items/${id}`)).current_stage;

/* The questions that the page asked last, by path. */
function questions(page)
{
	const asked = new Map();

	page.on('request', request => {
		const url = new URL(request.url());

		if (url.pathname.startsWith('/api/v1/'))
			asked.set(url.pathname.slice(8), url.pathname.slice(8) + url.search);
	});
	return asked;
}

/* As if its tab went to the back: it asks nothing then. */
const hide = (page, hidden) => page.evaluate(value => {
	Object.defineProperty(document, 'hidden', {configurable: true, get: () => value});
	document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

await part('one window, one answer: SQL, REST, the page, Grafana, Prometheus', async () => {
	for (const {since, until, type, sql, grafana: [flow, balance]} of JSON.parse(process.env.VSM_DOORS))
	{
		const page = await open(MAIN, `?since=${since}&until=${until}&type=${type}`), asked = questions(page), of = type || 'all types';

		await page.reload();
		await settled(page);

		const rest = await api(MAIN, asked.get('metrics')), two = x => Number(Number(x).toFixed(2));
		const counts = ['throughput', 'wip_now', 'started_wip_now', 'arrivals', 'departures', 'returns', 'discarded',
			'open_at_since', 'open_at_until', 'started_at_since', 'started_at_until'];
		const figures = (answer, keys) => keys.map(key => two(answer[key]));
		const inGrafana = ['finished', 'WIP now', 'started WIP now', 'arrivals', 'departures', 'returns', 'discarded',
			'WIP at the start', 'WIP at the end', 'started WIP at the start', 'started WIP at the end'];
		const shown = async key => (await text(page, `#balance [data-figure=${key}] strong`));
		const tile = async key => [await text(page, `#figure-${key} .big`), await text(page, `#figure-${key} .exact`)];

		ok(sql.arrivals > 0 && sql.discarded > 0 && sql.started_at_since > 0 && sql.open_at_since > sql.started_at_since, `${of}: the window has all kinds of moves`, JSON.stringify(sql));
		is(sql.open_at_since + sql.arrivals + sql.returns - sql.departures - sql.discarded, sql.open_at_until, `${of}: the balance is one`);
		is(figures(rest, [...counts, 'wip', 'started_wip']), figures(sql, [...counts, 'wip', 'started_wip']), `${of}: REST gives what SQL gives`);
		is(figures({...flow, ...balance}, [...inGrafana, 'WIP, average', 'started WIP, average']), figures(sql, [...counts, 'wip', 'started_wip']), `${of}: so does Grafana`);
		is(await tile('wip'), [count(sql.wip_now), `now; average ${number(two(sql.wip))}`], `${of}: the page has WIP now and on average`);
		is(await tile('started'), [count(sql.started_wip_now), `now; average ${number(two(sql.started_wip))}`], `${of}: and started WIP`);
		for (const key of ['open_at_since', 'arrivals', 'returns', 'departures', 'discarded', 'open_at_until'])
			is(await shown(key), count(sql[key]), `${of}: the balance on the page has ${key}`);
		is([await text(page, '#balance li:first-child .meaning'), await text(page, '#balance li:last-child .meaning')],
			[`, ${count(sql.started_at_since)} started`, `, ${count(sql.started_at_until)} started`], `${of}: and what of it had started`);
		if (!type)
		{
			const scraped = (await (await fetch(MAIN + 'metrics')).text()).matchAll(/^vsm_work_in_progress{[^}]*stream="default"[^}]*} (\d+)/gm);

			is([...scraped].reduce((sum, [, n]) => sum + Number(n), 0), sql.wip_now, 'Prometheus is told the same WIP');
		}
		await page.context().close();
	}
});

await part('numbers are those of the API', async () => {
	const page = await open(MAIN, '?days=7'), asked = questions(page);
	let metrics;

	page.on('response', async response => response.url().includes('/metrics?') && (metrics = await response.json()));
	await settled(page);
	await page.getByRole('radio', {name: '30 days'}).check();
	await settled(page);

	const of = path => api(MAIN, asked.get(path));
	const [cycle, throughput, efficiency, flow, stages] = await Promise.all(
		['cycle-times', 'throughput', 'flow-efficiency', 'cumulative-flow', 'time-in-stage'].map(of));

	is(new URL(page.url()).search, '', 'a click on the default window leaves the plain URL');
	is(await text(page, '#figure-throughput .big'), count(metrics.throughput), 'throughput is that of /metrics');
	is(metrics.throughput, throughput.buckets.reduce((sum, bucket) => sum + bucket.throughput, 0), 'and the sum of the run chart');
	for (const [key, name] of [['p50', 'P50'], ['p85', 'P85'], ['p95', 'P95']])
		is(await text(page, `#figure-${key} .exact`), `${hours(cycle[key])}, n = ${count(cycle.n)}`, `cycle time ${name} is that of /cycle-times`);
	is(await text(page, '#figure-efficiency .big'), `${Math.round(efficiency.flow_efficiency * 1000) / 10}\u00a0%`, 'flow efficiency is that of /flow-efficiency');
	is(await text(page, '#figure-wip .exact'), `now; average ${number(metrics.wip)}`, 'average WIP is that of /metrics');

	const wip = await api(MAIN, 'wip?stream=default');

	is(await text(page, '#figure-wip .big'), count(wip.reduce((sum, stage) => sum + stage.wip, 0)), 'WIP now is the sum of /wip');
	is((await values(page, 'wip')).map(row => row.slice(0, 3)), wip.map(stage => [stage.stage, count(stage.wip), stage.wip_limit === null ? '–' : count(stage.wip_limit)]),
		'WIP by stage is that of /wip, with its limits');
	ok(wip.some(stage => stage.wip > stage.wip_limit) && (await text(page, '.bar-row.over .bar-value')).includes('over limit'), 'a stage over its limit is said to be');
	is((await values(page, 'cumulative-flow')).map(row => row.slice(1)), flow.points.map(point => point.values.map(count)), 'cumulative flow is that of the API, point by point');
	ok((await text(page, '#cumulative-flow .note')).includes('Dashed: items that were ever discarded') && await page.locator('#cumulative-flow .swatch.line').count() === 1,
		'discarded items are a line apart from its bands', await text(page, '#cumulative-flow .note'));
	ok(!wip.some(stage => stage.stage === 'Discarded') && stages.some(stage => stage.stage === 'Discarded')
		&& await page.locator('#time-in-stage .bar-row').count() === wip.length, 'and no WIP; their stage has no bar of time');
	is((await values(page, 'throughput')).map(row => row[1]), throughput.buckets.map(bucket => count(bucket.throughput)), 'throughput by day too');
	is((await values(page, 'cycle-times')).map(row => row[0]), cycle.points.filter(point => point.cycle_time_hours !== null).reverse().slice(0, 500).map(point => '#' + point.id),
		'the items of the scatter plot too');
	is((await values(page, 'histogram')).reduce((sum, row) => sum + Number(row[1].replaceAll(',', '')), 0), cycle.n, 'the bars of the histogram add up to n');
	is((await values(page, 'time-in-stage')).map(row => row.slice(0, 6)), stages.map(stage => [stage.stage, count(stage.visits), ...[stage.avg, stage.p50, stage.p85, stage.p95]
		.map(x => x === null ? '–' : hours(x))]), 'time in stage too');
	is((await values(page, 'age')).map(row => row[0]), (await of('work-item-age')).filter(item => item.age_hours !== null).map(item => '#' + item.id), 'and the items in progress');

	is(await text(page, '#figure-started .big'), count((await of('work-item-age')).filter(item => item.age_hours !== null).length), 'whose number is the started WIP');

	const late = (await of('work-item-age')).filter(item => item.age_hours !== null && item.age_hours > cycle.p85).length;

	ok((await text(page, '#age .note')).includes(` ${late} above P85`), 'those above P85 are counted', await text(page, '#age .note'));

	/* by keyboard, then by pointer */
	const slider = page.getByRole('slider', {name: /Cumulative flow/}), last = flow.points.at(-1);

	await slider.focus();
	await page.keyboard.press('End');
	ok((await slider.getAttribute('aria-valuetext')).endsWith(flow.stages.map((stage, n) => `${stage}: ${count(last.values[n])}`).join(', ')),
		'the End key reads the last point of cumulative flow', await slider.getAttribute('aria-valuetext'));
	ok(await page.locator('#cumulative-flow .tip').isVisible(), 'and shows it');
	await page.keyboard.press('ArrowLeft');
	ok((await slider.getAttribute('aria-valuetext')).includes(`${flow.stages[0]}: ${count(flow.points.at(-2).values[0])}`), 'an arrow goes to the point before');
	await page.getByRole('slider', {name: /Time in stage/}).focus();
	await page.keyboard.press('Home');
	is(await page.locator('#time-in-stage .tip').evaluate(tip => [...tip.children].slice(0, 3).map(line => line.textContent)),
		[stages[0].stage, `P50 ${hours(stages[0].p50)}`, `P85 ${hours(stages[0].p85)}`], 'the focus on a bar tells its exact values');
	await page.locator('#cycle-times .surface').hover({position: {x: 300, y: 150}});

	const tip = await page.locator('#cycle-times .tip span').allTextContents();
	const hit = cycle.points.find(point => tip[0].startsWith(`#${point.id},`));

	ok(hit && tip[1].startsWith(`cycle time ${hours(hit.cycle_time_hours)}`), 'the pointer reads the exact cycle time of a dot', tip);

	await page.getByLabel('Throughput per', {exact: true}).selectOption('week');
	await page.waitForURL(/step=week/);
	await settled(page);
	is((await values(page, 'throughput')).map(row => row[1]), (await of('throughput')).buckets.map(bucket => count(bucket.throughput)), 'throughput by week is that of the API');
	await accessible(page, 'flow with all tables open');
	await page.context().close();
});

await part('the URL holds what is chosen', async () => {
	const page = await open(MAIN), asked = questions(page);

	await settled(page);
	await page.getByRole('radio', {name: '90 days'}).check();
	await page.getByLabel('Type').first().selectOption('bug');
	await settled(page);
	is(new URL(page.url()).search, '?type=bug&days=90', 'choices are in the URL');
	await page.reload();
	await settled(page);
	is([await page.locator('#type').inputValue(), await page.locator('input[name=days]:checked').inputValue()], ['bug', '90'], 'and are restored from it');

	const bugs = await api(MAIN, 'metrics?days=90&type=bug');

	is(await text(page, '#figure-throughput .big'), count(bugs.throughput), 'the figures are those of the type');
	is(await text(page, '#figure-wip .big'), count(bugs.wip_now), 'WIP too');
	await page.goBack();
	await settled(page);
	is(await page.locator('#type').inputValue(), '', 'back takes the last choice back');

	const day = n => new Date(Date.now() - n * 86400000).toISOString().slice(0, 10);

	await page.goto(`${MAIN}?since=${day(40)}&until=${day(10)}`);
	await settled(page);
	is([await page.locator('#since').inputValue(), await page.locator('#until').inputValue()], [day(40), day(10)], 'dates are restored');

	const cycle = await api(MAIN, asked.get('cycle-times')), since = new URLSearchParams(asked.get('cycle-times').split('?')[1]).get('since');

	is(new Intl.DateTimeFormat('sv', {timeZone: 'Europe/Berlin', dateStyle: 'short', timeStyle: 'medium'}).format(new Date(since)), `${day(40)} 00:00:00`,
		'a day begins at midnight of the stream\'s time zone, not of the browser\'s');
	is(await text(page, '#figure-p85 .exact'), `${hours(cycle.p85)}, n = ${count(cycle.n)}`, 'the figures are those of the dates');
	is(await text(page, '#figure-wip .exact'), `now; average ${number((await api(MAIN, asked.get('metrics'))).wip)}`, 'and so is the average WIP');
	await page.fill('#since', day(5));
	ok(/after/.test(await text(page, '#dates-error')), 'dates the wrong way round are refused, and why');
	await page.route('**/api/v1/streams', async route => {
		const streams = await (await route.fetch()).json();

		await route.fulfill({json: streams.map(stream => ({...stream, time_zone: 'Mars/Base_1'}))});
	});
	await page.goto(MAIN);
	await settled(page);
	ok((await text(page, '#period')).endsWith('days of UTC'), 'a zone that the browser does not know is UTC, and is said to be');
	await page.unrouteAll();
	await page.goto(`${MAIN}?days=12&since=tomorrow&view=%3Cb%3E`);
	await settled(page);
	is(await page.locator('input[name=days]:checked').inputValue(), '30', 'nonsense in the URL counts as nothing chosen');
	page.expected(404);
	await page.goto(`${MAIN}?stream=nope`);
	await page.locator('#trouble').waitFor();
	ok(/Stream 'nope' not found.*Choose another stream/s.test(await text(page, '#trouble')), 'an unknown stream is said, and what to do');
	page.expected();
	await page.locator('#stream').selectOption('default');
	await settled(page);
	ok(await page.locator('#trouble').isHidden(), 'choosing another one helps');
	await page.context().close();
});

await part('WIP is live, and rests with the page', async () => {
	const page = await open(MAIN, '', {width: 1200});
	let reads = 0;

	await settled(page);
	page.on('request', request => reads += request.url().includes('/api/v1/wip'));

	const before = Number(await text(page, '#figure-wip .big'));
	const canvas = await page.locator('#cumulative-flow canvas').elementHandle();

	await api(MAIN, 'work-items', {method: 'POST', body: {title: 'Arrives while you watch', type: 'task'}});
	await page.waitForFunction(wanted => Number(document.querySelector('#figure-wip .big').textContent) === wanted, before + 1);
	ok(await canvas.evaluate(element => element.isConnected), 'a new item is counted at once, and no chart is touched');
	ok(reads > 0, 'WIP was read again');
	is((await values(page, 'wip'))[0][1], count((await api(MAIN, 'wip?stream=default'))[0].wip), 'an open table of values follows');

	const row = await page.locator('#wip tbody tr').first().elementHandle();

	await page.waitForResponse(/\/api\/v1\/wip/);
	await page.waitForRequest(/\/api\/v1\/wip/);
	ok(await row.evaluate(element => element.isConnected), 'and is left alone while nothing changes');
	await page.context().close();

	const resting = await open(MAIN, '', {clock: true});

	await settled(resting);
	await hide(resting, true);
	await resting.waitForLoadState('networkidle');
	reads = 0;
	resting.on('request', request => reads += request.url().includes('/api/v1/'));
	await resting.clock.runFor(120000);
	is(reads, 0, 'a hidden page asks nothing');
	await hide(resting, false);
	await resting.clock.runFor(4000);
	ok(reads > 0, 'and asks again when it is seen');

	const started = Number(await text(resting, '#figure-started .big'));
	const {id} = await api(MAIN, 'work-items', {method: 'POST', body: {title: 'Starts while you watch', type: 'task'}});

	await api(MAIN, `work-items/${id}/transition`, {method: 'PUT', body: {to_stage: 'Analysis'}});
	/* before the figures are read again after a minute */
	for (let n = 0; n < 12 && Number(await text(resting, '#figure-started .big')) === started; n++)
	{
		await resting.clock.runFor(4000);
		await new Promise(resolve => setTimeout(resolve, 300));
	}
	is(Number(await text(resting, '#figure-started .big')), started + 1, 'started WIP follows WIP');
	await resting.context().close();
});

await part('the board', async () => {
	const page = await open(MAIN, '?view=board');

	await settled(page);

	const first = async stage => Number(await lane(page, stage).locator('.card').first().getAttribute('data-id'));
	const wip = await api(MAIN, 'wip?stream=default');

	for (const stage of wip)
		ok((await lane(page, stage.stage).locator('.count').textContent()).startsWith(count(stage.wip)), `${stage.stage} shows its count`);
	is(await lane(page, 'Backlog').locator('.card').count(), Math.min(25, wip[0].wip), 'a stage shows its first items');
	await lane(page, 'Backlog').getByRole('button', {name: 'Show more'}).click();
	await page.waitForFunction(n => document.querySelectorAll('.lane[data-stage=Backlog] .card').length === n, Math.min(50, wip[0].wip));
	ok(true, 'and more when asked');
	await page.locator('#type').selectOption('bug');
	await settled(page);
	ok((await lane(page, 'Backlog').locator('.facts').allTextContents()).every(facts => facts.includes('· bug ·'))
		&& (await lane(page, 'Backlog').locator('.count').textContent()).endsWith('(all types)'), 'of a type, cards are of that type; counts say that they are not');
	await page.locator('#type').selectOption('');
	await settled(page);
	await accessible(page, 'board');

	/* by keyboard */
	const walker = await first('Analysis');

	await card(page, walker).focus();
	await page.keyboard.press('ArrowDown');
	ok(await page.evaluate(id => document.activeElement.matches('.card') && Number(document.activeElement.dataset.id) !== id, walker), 'an arrow goes to the next item');
	await page.keyboard.press('ArrowUp');
	await page.keyboard.press('Shift+ArrowLeft');
	await lane(page, 'Backlog').locator(`.card[data-id="${walker}"]`).waitFor();
	is(await stageOf(walker), 'Backlog', 'Shift and an arrow move the item, in the database too');
	await page.waitForFunction(id => Number(document.activeElement.dataset.id) === id, walker);
	ok(true, 'the focus goes with it');

	await api(MAIN, `work-items/${walker}/transition`, {method: 'PUT', body: {to_stage: 'Analysis'}});
	await lane(page, 'Analysis').locator(`.card[data-id="${walker}"]`).waitFor();
	is(await card(page, walker).count(), 1, 'what others move is seen, and is in one stage only');

	/* given up */
	const last = page.locator('.lane').last(), lost = await first('Analysis'), before = (await api(MAIN, 'metrics?days=90'));

	is([await last.getAttribute('data-stage'), await last.locator('.count').textContent()], ['Discarded', 'discarded, not WIP'], 'the discarded stage stands last');
	await card(page, lost).dragTo(last);
	await last.locator(`.card[data-id="${lost}"]`).waitFor();

	const after = await api(MAIN, 'metrics?days=90');

	is([after.wip_now, after.started_wip_now, after.discarded], [before.wip_now - 1, before.started_wip_now - 1, before.discarded + 1],
		'what is dragged there has left WIP, and is discarded');

	/* by drag */
	const dragged = await first('Deployment');

	await card(page, dragged).dragTo(lane(page, 'Production'));
	await lane(page, 'Production').locator(`.card[data-id="${dragged}"]`).waitFor();
	is(await stageOf(dragged), 'Production', 'a drag moves the item, in the database too');

	/* refused */
	const refused = await first('Testing'), full = (await api(MAIN, 'wip?stream=default')).find(stage => stage.stage === 'Development');

	page.expected(409);
	await card(page, refused).dragTo(lane(page, 'Development'));
	await page.locator('#board .notice').waitFor();

	const notice = await text(page, '#board .notice');

	ok(/Development" is full/.test(notice) && notice.includes(`holds ${full.wip} work items`) && notice.includes(`limit is ${full.wip_limit}`) && notice.includes('(409)'),
		'a full stage says so, with its count and limit', notice);
	is(await stageOf(refused), 'Testing', 'and the item stays');
	ok(await lane(page, 'Testing').locator(`.card[data-id="${refused}"]`).isVisible(), 'on the page too');
	await shoot(page, 'board-full');
	await page.getByRole('button', {name: 'Dismiss'}).click();
	ok(await page.locator('#board .notice').isHidden(), 'the notice goes when told to');

	/* somebody else was faster; a hidden page does not see it coming */
	await hide(page, true);
	await card(page, refused).focus();
	await api(MAIN, `work-items/${refused}/transition`, {method: 'PUT', body: {to_stage: 'Backlog'}});
	await page.keyboard.press('Shift+ArrowRight');
	await page.locator('#board .notice').waitFor();
	ok(/not in stage "Testing".*"Backlog".*somebody else moved it.*\(409\)/s.test(await text(page, '#board .notice')), 'a lost update says where the item is', await text(page, '#board .notice'));
	is(await stageOf(refused), 'Backlog', 'and undoes nothing');
	await hide(page, false);
	page.expected();

	/* new */
	const title = '<img src=x onerror=alert(1)> & "quoted"';

	await page.getByLabel('New item', {exact: true}).last().fill(title);
	await page.locator('#new-item select').selectOption('epic');
	await page.getByRole('button', {name: 'Create'}).click();

	const made = lane(page, 'Backlog').locator('.card').filter({hasText: title});

	await made.waitFor();

	const item = await api(MAIN, `work-items/${await made.getAttribute('data-id')}`);

	is([item.title, item.type, item.current_stage], [title, 'epic', 'Backlog'], 'a new item is created, and its title is text');
	page.expected(422);
	await page.locator('#new-item').evaluate(form => {
		form.noValidate = true;
		form.requestSubmit();
	});
	await page.locator('#new-error:not(:empty)').waitFor();
	ok(/Title.*at least 1 character/.test(await text(page, '#new-error')), 'a refused item says which field, and why', await text(page, '#new-error'));
	page.expected();
	await page.context().close();
});

await part('any number of stages has colours', async () => {
	const css = readFileSync(new URL('../../src/web/style.css', import.meta.url), 'utf8');

	for (const [n, mode] of ['light', 'dark'].entries())
	{
		const values = name => [...css.matchAll(new RegExp(`${name}: ([^;]+);`, 'g'))][n][1], wrong = [];

		globalThis.document = {documentElement: null};
		globalThis.getComputedStyle = () => ({getPropertyValue: values});
		for (let stages = 1; stages <= 200; stages++)
		{
			const colours = [...stageColours([...Array(stages).keys()].map(name => ({name, category: 'active'}))).values()];

			if (colours.length !== stages || !colours.every(colour => /^rgb\(\d+ \d+ \d+\)$/.test(colour)) || stages < 20 && new Set(colours).size !== stages)
				wrong.push([stages, colours.at(-1)]);
		}
		is(wrong, [], `${mode}: 1 to 200`);
	}
});

await part('discarded stages between others', async () => {
	const page = await open(MAIN, '?stream=support&view=board');

	await settled(page);
	is(await page.locator('.lane h2').allTextContents(), ['New', 'Answering', 'Answered', 'Spam', 'Withdrawn'], 'stand apart at the end of the board');
	await accessible(page, 'board with discarded stages');
	await view(page, 'Flow').click();
	await settled(page);
	is(await page.locator('#wip .bar-name').allTextContents(), ['New', 'Answering'], 'are no WIP');
	is([await page.locator('#cumulative-flow .legend').allTextContents(), await page.locator('#cumulative-flow .swatch.line').count()],
		[['NewAnsweringAnsweredSpamWithdrawn'], 2], 'and are the lines that are drawn apart');
	is((await values(page, 'cumulative-flow')).at(-1).slice(1), ['1', '1', '0', '0', '0'], 'with the items that were ever discarded there');
	await shoot(page, 'discarded', {fullPage: true});
	await page.context().close();
});

await part('on a phone', async () => {
	const page = await open(MAIN, '', {width: 375, height: 740, hasTouch: true, isMobile: true, deviceScaleFactor: 2});
	const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

	await settled(page);
	ok(await fits(), 'the charts fit 375 pixels');
	await shoot(page, 'phone', {fullPage: true});
	await accessible(page, 'phone');
	await page.locator('#throughput .surface').tap({position: {x: 160, y: 100}});
	ok(await page.locator('#throughput .tip').isVisible(), 'a tap reads a value');
	await view(page, 'Board').tap();
	await settled(page);
	ok(await fits(), 'the board too');

	const chosen = lane(page, 'Backlog').locator('.card').first(), id = Number(await chosen.getAttribute('data-id'));

	await chosen.tap();
	await page.locator('#item-dialog tbody tr').first().waitFor();
	is(await page.locator('#item-dialog tbody th').allTextContents(), (await api(MAIN, `work-items/${id}/history`)).transitions.map(move => move.to_stage),
		'an item opens with its history');
	await shoot(page, 'phone-item');
	await accessible(page, 'item');
	await page.locator('#item-dialog').getByRole('button', {name: 'Production'}).tap();
	await lane(page, 'Production').locator(`.card[data-id="${id}"]`).waitFor();
	is(await stageOf(id), 'Production', 'and is moved from there');
	await page.context().close();
});

await part('light and dark', async () => {
	const page = await open(MAIN, '', {height: 1000});

	await settled(page);

	const inks = () => page.evaluate(() => [getComputedStyle(document.body).backgroundColor, document.querySelector('#histogram canvas').toDataURL()]);
	const light = await inks();

	await shoot(page, 'light', {fullPage: true});
	await page.emulateMedia({colorScheme: 'dark'});
	await page.waitForFunction(before => document.querySelector('#histogram canvas').toDataURL() !== before, light[1]);
	ok(light[0] !== (await inks())[0], 'the page and its charts follow the system into the dark');
	await shoot(page, 'dark', {fullPage: true});
	await accessible(page, 'dark');
	await page.setViewportSize({width: 900, height: 800});
	// drawn anew once the browser has told of the change
	ok(await page.waitForFunction(() => document.querySelector('#cumulative-flow canvas').getBoundingClientRect().right <= innerWidth)
		.then(() => true, () => false), 'charts follow the window\'s width');
	await page.context().close();
});

await part('an empty stream', async () => {
	const page = await open(EMPTY);

	await settled(page);
	ok(await page.locator('#trouble').isHidden(), 'nothing there is no trouble');
	ok(/no work items yet.*Board.*import.*curl/s.test(await text(page, '#first-steps')), 'it is said, and what the first steps are');
	for (const id of ['cumulative-flow', 'cycle-times', 'histogram', 'throughput', 'age', 'time-in-stage', 'efficiency'])
		ok(/Choose|Move|create/.test(await text(page, `#${id} .empty`)), `${id} says what to do`);
	is(await text(page, '#figure-throughput .big'), '0', 'throughput is 0');
	is(await text(page, '#figure-p85 .big'), '–', 'and there is no cycle time');
	await shoot(page, 'empty', {fullPage: true});
	await page.locator('#type').selectOption('bug');
	await settled(page);
	ok(await page.locator('#first-steps').isHidden(), 'a type without items is not a stream without');
	await page.locator('#type').selectOption('');
	await settled(page);
	await accessible(page, 'empty');
	await view(page, 'Board').click();
	await settled(page);
	await page.getByLabel('New item', {exact: true}).last().fill('The first one');
	await page.keyboard.press('Enter');
	await lane(page, 'Backlog').locator('.card').waitFor();

	for (const stage of ['Analysis', 'Development', 'Testing', 'Deployment', 'Production'])
	{
		await page.locator('.card').focus();
		await page.keyboard.press('Shift+ArrowRight');
		await lane(page, stage).locator('.card').waitFor();
	}
	await view(page, 'Flow').click();
	await page.locator('#cycle-times .surface').waitFor();
	await settled(page);
	ok(await page.locator('#first-steps').isHidden(), 'the first steps are done');
	is(await text(page, '#figure-throughput .big'), '1', 'the first item, created and walked through by keyboard, is counted');
	await page.context().close();
});

await part('the service is away', async () => {
	const page = await open(DOWN);

	await settled(page);

	const before = await text(page, '#figure-throughput .big');

	page.expected('net::ERR_INTERNET_DISCONNECTED', 'net::ERR_CONNECTION_REFUSED', 'net::ERR_CONNECTION_RESET', 'net::ERR_EMPTY_RESPONSE');
	await page.context().setOffline(true);
	await page.getByRole('radio', {name: '7 days'}).check();
	await page.locator('#trouble').waitFor();
	ok(/does not answer.*tries again/s.test(await text(page, '#trouble')), 'it is said, and that the page tries again');
	is(await text(page, '#figure-throughput .big'), before, 'the last figures stay');
	await shoot(page, 'down');
	await accessible(page, 'trouble');
	await page.context().setOffline(false);
	await page.locator('#trouble').waitFor({state: 'hidden'});
	ok(true, 'when it is back, so is the page, by itself');
	process.kill(Number(process.env.VSM_DOWN_PID), 'SIGTERM');
	await page.locator('#trouble').waitFor();
	ok(/vsm-gateway running/.test(await text(page, '#trouble')), 'a gateway that ended is seen without a click');
	await page.context().close();
});

await part('tokens', async () => {
	const page = await open(TOKEN, '', {expected: [401, 403]});

	await page.locator('#trouble').waitFor();
	ok(/wants an access token \(401\)/.test(await text(page, '#trouble')), 'that a token is wanted is said');

	const give = async value => {
		await page.getByRole('button', {name: 'Enter a token'}).click();
		await page.locator('#token').fill(value);
		await page.getByRole('button', {name: 'Use it'}).click();
	};

	await give('no.such.token');
	await page.getByText('was not accepted').waitFor();
	ok(true, 'a bad one is not accepted');
	await give(process.env.VSM_JWT);
	await page.locator('#trouble').waitFor({state: 'hidden'});
	await settled(page);
	is(await text(page, '#figure-throughput .big'), count((await api(MAIN, 'metrics?days=30')).throughput), 'with a good one the figures come');
	await page.reload();
	await settled(page);
	ok(await page.locator('#trouble').isHidden(), 'it is kept for the tab');
	is(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ''], 'and nowhere else');
	await page.goto(`${TOKEN}?view=board`);
	await settled(page);
	await lane(page, 'Backlog').locator('.card').first().focus();
	await page.keyboard.press('Shift+ArrowRight');
	await page.getByText('does not allow this (403)').waitFor();
	ok(true, 'what the role may not do is said');
	await page.getByRole('button', {name: 'Access token'}).click();
	await accessible(page, 'token');
	await page.getByRole('button', {name: 'Forget it'}).click();
	await page.getByText('wants an access token').waitFor();
	is(await page.evaluate(() => sessionStorage.length), 0, 'a forgotten token is gone');
	await page.context().close();
});

await part('pictures for the README', async () => {
	const page = await open(MAIN, '', {width: 1200, height: 830});

	await settled(page);
	await page.locator('#cumulative-flow .surface').hover({position: {x: 500, y: 90}});
	ok(await page.locator('#cumulative-flow .tip').isVisible(), 'the charts, one of them read');
	await shoot(page, 'flow');
	await view(page, 'Board').click();
	await settled(page);
	await page.setViewportSize({width: 1200, height: 620});
	await shoot(page, 'board');
	await page.context().close();
});

await part('the API viewer shows every endpoint, and tries one', async () => {
	const page = await open(MAIN, 'docs'), document = await (await fetch(MAIN + 'openapi.json')).json();
	const operations = Object.values(document.paths).flatMap(Object.keys).length;

	await page.locator('.opblock').first().waitFor();
	is(await page.locator('.opblock').count(), operations, 'it lists all operations of /openapi.json');

	const stages = page.locator('.opblock-get', {has: page.locator('[data-path="/api/v1/stages"]')});

	await stages.locator('.opblock-summary-control').click();
	await stages.getByRole('button', {name: 'Try it out'}).click();
	await shoot(page, 'docs');
	await stages.getByRole('button', {name: 'Execute'}).click();
	is((await stages.locator('.live-responses-table tbody .response-col_status').textContent()).trim(), '200', 'a request from it is answered');
	is(JSON.parse(await stages.locator('.live-responses-table tbody code').first().textContent()), await api(MAIN, 'stages?stream=default'),
		'by what the API answers');
	await page.context().close();
});

await part('the page is small', async () => {
	const files = ['', 'assets/app.js', 'assets/app.css', 'assets/icon.svg', 'assets/licences.txt'];
	const answers = await Promise.all(files.map(file => fetch(MAIN + file, {headers: {accept: 'text/html'}})));
	const sizes = await Promise.all(answers.map(async answer => (await answer.arrayBuffer()).byteLength));

	is(answers.map(answer => answer.status), files.map(() => 200), 'all its files are served');
	ok(sizes.reduce((sum, size) => sum + size) < 300000, 'they have less than 300 kB', sizes);
	ok(/uplot .*\(MIT\)[^]*Permission is hereby granted/.test(await (await fetch(MAIN + 'assets/licences.txt')).text()), 'the licences of what is in it are kept');
});

await finish();
