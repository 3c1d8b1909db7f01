/*
 * page.mjs
 *		What the dashboard promises: its numbers are the API's, its URL holds what is chosen, its board moves items,
 *		and whatever goes wrong is said.  Run by page.pl.
 */
import {readFileSync} from 'node:fs';

import {stageColours} from '../../src/web/app/colours.js';
import {parse} from '../../src/web/app/attributes.js';
import {date, idOf, rounded, span} from '../../src/web/app/format.js';
import {accessible, api, finish, is, ok, open, part, settled, shoot, text, values} from './browse.mjs';

const {VSM_MAIN: MAIN, VSM_EMPTY: EMPTY, VSM_DOWN: DOWN, VSM_TOKEN: TOKEN, VSM_ZONE: ZONE} = process.env;

const number = x => new Intl.NumberFormat('en', {maximumFractionDigits: 4}).format(x);
const hours = x => number(x) + '\u00a0h';
const percent = x => number(x * 100) + '\u00a0%';
const rough = x => new Intl.NumberFormat('en', {maximumFractionDigits: 1}).format(x * 100) + '\u00a0%';
const count = n => new Intl.NumberFormat('en').format(n);
const card = (page, id) => page.locator(`.card[data-id="${id}"]`);
const lane = (page, stage) => page.locator(`.lane[data-stage="${stage}"]`);
const view = (page, name) => page.getByRole('navigation').getByRole('link', {name});
const stageOf = async id => (await api(MAIN, `work-items/${id}`)).current_stage;

/* The questions that the page asked last, by path: of the metrics, those of the window, which come before those of the period before. */
function questions(page)
{
	const asked = new Map();
	let window = true;

	page.on('request', request => {
		const url = new URL(request.url()), path = url.pathname.slice(8);

		if (!url.pathname.startsWith('/api/v1/'))
			return;
		if (path === 'streams')
			window = true;
		if (path !== 'metrics' || window)
			asked.set(path, path + url.search);
		if (path === 'metrics')
			window = false;
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
}, {brief: true});

/* The file that a panel's menu saves. */
async function saved(page, id, kind)
{
	await page.locator(`#${id} .opener`).click();

	const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`#${id} .menu`).getByRole('button', {name: kind}).click()]);

	return {name: download.suggestedFilename(), bytes: readFileSync(await download.path())};
}

await part('each panel has the values that SQL gives', async () => {
	const shown = (value, write) => value === null ? '–' : write(value);

	for (const sql of JSON.parse(readFileSync(process.env.VSM_FIGURES)))
	{
		const {since, until, type, attributes} = sql, page = await open(MAIN, '?' + new URLSearchParams({since, until, type, attributes}));
		const of = type ? `${type}, ${attributes}` : 'all items', [now] = sql.metrics, [before] = sql.before;
		const rest = async id => (await values(page, id)).map(row => row.slice(1));

		await settled(page);
		is([await text(page, '#figure-throughput .big'), await text(page, '#figure-wip .big'), await text(page, '#figure-p85 .exact')],
			[count(now.throughput), count(now.wip_now), `${hours(now.p85)}, n = ${count(now.n)}`], `${of}: key figures`);

		/* beside those of the period before */
		for (const [key, write, better, what = ''] of [['throughput', count, 1], ['wip', number, -1, 'average '], ['started', number, -1, 'average '], ['p50', span, -1],
			['p85', span, -1], ['p95', span, -1], ['efficiency', rough, 1]])
		{
			const change = now[key] - before[key], alike = Math.abs(change) < 0.05 * Math.max(now[key], before[key]);
			const verdict = change === 0 ? '= same' : alike ? '≈ about the same' : `${change > 0 ? '▲' : '▼'} ${Math.sign(change) === better ? 'better' : 'worse'}`;

			is(await text(page, `#figure-${key} .before`), `${what}before: ${write(before[key], now[key])} ${verdict}`, `${of}: ${key} of the 30 days before, and whether it got better`);
		}

		is(await text(page, '#bottleneck .sentence'), `Bottleneck: ${sql.bottlenecks[0].stage}. ${sql.bottlenecks[0].why}`, `${of}: the bottleneck, and why`);
		is(await page.locator('#bottleneck tbody tr').evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent))),
			sql.bottlenecks.map(stage => [count(stage.rank), stage.stage, shown(stage.score, x => x.toFixed(2)), shown(stage.time_share, rough), shown(stage.avg_items, rounded),
				(stage.queue_growth > 0 ? '+' : '') + count(stage.queue_growth).replace('-', '−'), count(stage.entered), shown(stage.limit_hits, count), rough(stage.blocked_share), stage.why]), `${of}: all stages, ranked`);
		ok(sql.bottlenecks.some(({blocked_share: share}) => share > 0), `${of}: items were blocked in some stage`);

		is(await page.locator('#bottleneck tbody td:nth-child(3)').evaluateAll(cells => cells.map(cell => cell.title)), sql.bottlenecks.map(stage => shown(stage.score, number)), `${of}: with the exact score as a tooltip`);

		ok(sql.balance.length === 30 && sql.balance.some(day => day.arrivals > 0) && sql.balance.some(day => day.departures > 0), `${of}: the window has arrivals and departures`);
		is(await rest('arrivals'), sql.balance.map(day => [count(day.arrivals), count(day.departures)]), `${of}: arrivals and departures by day`);
		is(await page.locator('#run-chart .legend li').allTextContents(), ['WIP', 'Started WIP'], `${of}: by the words of the key figures`);
		is(await rest('run-chart'), sql.balance.map(day => [count(day.open), count(day.started)]), `${of}: WIP and started WIP by day`);
		is(await rest('total-age'), sql.balance.map(day => [hours(day.total_age)]), `${of}: total age by day`);
		is(await text(page, '#arrivals .note'), sql.law[0].sentence, `${of}: what Little's Law says`);

		const [sle] = sql.sle;

		ok(sle.items > 0 && sle.within < sle.items, `${of}: the expectation was kept by some`, JSON.stringify(sle));
		is(await text(page, '#conformance .overall'), `${rough(sle.share)} of ${count(sle.items)} items within it ${sle.share >= sle.probability ? '✓ kept' : '✗ missed'}`, `${of}: how many were within it`);
		ok((await text(page, '#conformance .about')).endsWith('expected of each item\'s type on the day on which it was finished.'), `${of}: and what "it" is`);
		is(await rest('conformance'), sql.sle_weeks.map(week => [count(week.items), count(week.within), shown(week.share, percent), hours(week.elapsed), percent(week.probability)]), `${of}: and by week`);
		ok((await text(page, '#cycle-times .legend')).includes('SLE 8\u00a0d (85\u00a0%)'), `${of}: it is a line in the scatter`);

		is((await page.locator('#cycle-times .legend li').allTextContents()).slice(0, 3), ['p50', 'p85', 'p95'].map(key => `${key.toUpperCase()} ${span(now[key])}`), `${of}: percentiles in the unit of the lines`);
		ok(/^[\d.,]+\u00a0[hd] in all\./.test(await text(page, '#blocked .note')) && (await text(page, '#blocked .note')).split('\u00a0')[1][0] === span(sql.blocked.reduce((all, {blocked}) => all + blocked, 0)).at(-1), `${of}: blocked time in the unit of the bars`, await text(page, '#blocked .note'));
		ok((await page.locator('#efficiency li').allTextContents()).every(line => /%\u00a0?.* (active|waiting): [\d.,]+\u00a0(d|h|min)$/.test(line)), `${of}: active and waiting time in one unit`, await page.locator('#efficiency li').allTextContents());

		const reasons = [...new Set(sql.blocked.map(row => row.reason))], sum = reason => sql.blocked.reduce((all, row) => all + (row.reason === reason ? row.blocked : 0), 0);

		ok(reasons.length === 2, `${of}: items were blocked for two reasons`, JSON.stringify(sql.blocked));
		is(await page.locator('#blocked .bar-name').allTextContents(), reasons.sort((a, b) => sum(b) - sum(a)), `${of}: reasons, the longest first`);
		is(await values(page, 'blocked'), sql.blocked.map(row => [row.stage, row.reason, count(row.spells), count(row.items), hours(row.blocked)]), `${of}: blocked time by stage and reason`);

		ok(sql.time_in_stage.some(({p50, p95}) => p50 >= 1 && p50 < 48 && p95 >= 48), `${of}: visits lasted hours, and days`, JSON.stringify(sql.time_in_stage));
		is(await page.locator('#time-in-stage .bar-row').evaluateAll(rows => rows.map(row => [row.querySelector('.bar-name').textContent, row.querySelector('.bar-value').textContent])),
			sql.time_in_stage.map(({stage, visits, p50, p85, p95}) => [stage, visits > 0 ? `${span(p50)} · ${span(p85)} · ${span(p95)}` : 'no visits']), `${of}: each bar of time in stage says its percentiles, each in the unit that reads best`);

		/* items grow older while the page is read, and may get past one that is finished: what it shows is from when SQL was asked, from now, or between */
		const aged = await values(page, 'age');
		const older = await api(MAIN, 'work-item-age?' + new URLSearchParams({...type && {type, attributes}, history_days: 90, limit: 500}));
		const between = (cell, ...shares) => cell === '–' ? shares.includes(null)
			: parseFloat(cell) > Math.min(...shares.filter(share => share !== null)) * 100 - 0.1 && parseFloat(cell) < Math.max(...shares) * 100 + 0.1;
		const differ = aged.filter(([item, , , stage, , , pace, risk, blocked, reason]) => {
			const wanted = sql.age.find(one => one.item === item), later = older.find(one => idOf(one) === item);

			return !wanted || !later || stage !== wanted.stage || !between(pace, wanted.pace, later.pace) || !between(risk, wanted.risk, later.risk)
				|| blocked !== hours(wanted.blocked) && wanted.block_reason === null || reason !== (wanted.block_reason ?? '');
		});

		is([aged.length, differ], [Math.min(500, sql.age.length), []], `${of}: pace, risk and blocked time of each item that has started`);
		ok(sql.age.some(item => item.pace > 0.5 && item.risk > 0) && sql.age.filter(item => item.block_reason !== null).length === 2, `${of}: some are slow, and two are blocked`);
		ok((await text(page, '#age .note')).includes(', 2 blocked') && (await text(page, '#age .legend')).includes('blocked'), `${of}: which is said, and in the legend`, await text(page, '#age .note'));
		is(await values(page, 'age', 1), sql.pace.map(stage => [stage.stage, String(stage.n), ...[stage.p50, stage.p70, stage.p85, stage.p95].map(x => shown(x, hours))]), `${of}: the pace of each stage`);

		const slider = page.getByRole('slider', {name: /Age of started WIP/}), told = [];

		await slider.focus();
		await page.keyboard.press('Home');
		for (let n = 0; n < aged.length; n++)
		{
			told.push(await slider.getAttribute('aria-valuetext'));
			await page.keyboard.press('ArrowRight');
		}
		ok(told.filter(words => words.includes('blocked: waits for <b>a customer</b>')).length === 2 && told.some(words => /slower than [\d.]+\u00a0% of the finished items.*risk of missing.*: [\d.]+\u00a0%/.test(words)),
			`${of}: each dot tells its pace, its risk, and what blocks it`, told.slice(0, 5).join('\n'));

		is(await page.locator('#quality .findings li').allTextContents(), sql.quality.filter(({items}) => items !== 0).map(({items, meaning}) => `${items === null ? 'Note' : items === 1 ? '1 item' : count(items) + ' items'}: ${meaning}`),
			`${of}: data quality, of the whole stream`);

		const path = await page.locator('#paths tbody tr').first().elementHandle();

		await page.locator('#forecast-items').fill('20');
		await page.locator('#forecast-until').fill(sql.ahead);
		await page.locator('#forecast-until').blur();
		await page.locator('#forecast caption').filter({hasText: /^20 items done by$/}).waitFor();
		is(await page.locator('#forecast tbody tr').evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent))), [
			...sql.forecast.map(line => [`${line.confidence} %`, date(line.done_on)]), ...sql.forecast.map(line => [`${line.confidence} %`, `${count(line.items_done)} items`])], `${of}: the forecast`);
		ok((await text(page, '#forecast .note')).startsWith(`Drawn from ${sql.forecast[0].days_with_throughput} days with throughput`)
			&& (await text(page, '#forecast .note')).includes(`${count(sql.forecast[0].finished)} items finished`), `${of}: and what it was drawn from`, await text(page, '#forecast .note'));

		await page.locator('#forecast-items').fill('0');
		await page.locator('#forecast-items').blur();
		await page.locator('#forecast .empty').waitFor();
		is([await text(page, '#forecast .empty'), await page.locator('#forecast-items').getAttribute('aria-invalid')],
			['Items is a whole number from 1 to 100,000, or empty: all in progress.', 'true'], `${of}: no items have no forecast`);
		await page.locator('#forecast-items').fill('');
		await page.locator('#forecast-items').blur();
		await page.locator('#forecast caption').filter({hasText: `${count(now.open_at_until)} items done by`}).waitFor();
		is(await page.locator('#forecast-items').getAttribute('title'), 'Empty: all items in progress', `${of}: an empty field is all in progress, and says so`);

		/* moves between stages; the forecast has had all charts read again */
		await settled(page);
		ok(await path.evaluate(row => row.isConnected), `${of}: a table that is read anew is left alone while nothing changes`);

		const cells = id => page.locator(`#${id} .chart tbody tr`).evaluateAll(rows => rows.map(row => [...row.children].map(cell => cell.textContent)));
		/* found and measured in one step: a drawing that has been replaced has no size */
		const arcs = await page.evaluate(() => {
			const drawing = document.querySelector('#stage-graph .graph'), line = drawing.querySelector('rect').getBBox(), paths = [...drawing.querySelectorAll('path')];

			return {below: paths.filter(path => path.getBBox().y >= line.y + line.height - 1).length, all: paths.length, widths: paths.map(path => Number(path.getAttribute('stroke-width')))};
		});
		const moves = page.getByRole('slider', {name: 'Moves between stages'}), [edge] = sql.graph.filter(({from_stage}) => from_stage !== null);

		is(await values(page, 'stage-graph'), sql.graph.map(move => [move.from_stage ?? 'created', move.to_stage, count(move.n), ...[move.p50, move.p85, move.avg].map(x => shown(x, hours)),
			move.backward ? 'back' : 'forward']), `${of}: moves between stages`);
		ok(sql.graph.some(({backward}) => backward), `${of}: some went back`);
		is([arcs.all, arcs.below, arcs.widths.at(-1), Math.max(...arcs.widths)], [sql.graph.length, sql.graph.filter(({backward}) => backward).length, 12, 12],
			`${of}: each is an arc, backward ones below the stages, the most frequent the thickest and on top`);

		const boxes = await page.locator('#stage-graph .graph g').evaluateAll(all => all.map(box => [...box.querySelectorAll('text')].map(line => line.textContent).join(' ')));

		ok(boxes.includes('Ready for review') && new Set(boxes).size === boxes.length, `${of}: each stage can be told by its name`, boxes.join(', '));
		await moves.focus();
		await page.keyboard.press('Home');
		for (let n = 0; n < sql.graph.indexOf(edge); n++)
			await page.keyboard.press('ArrowRight');
		ok((await moves.getAttribute('aria-valuetext')).startsWith(`${edge.from_stage} → ${edge.to_stage}, ${count(edge.n)} move`), `${of}: an arc is read by keyboard`, await moves.getAttribute('aria-valuetext'));
		is(await cells('paths'), sql.paths.map(path => [path.path, count(path.n), percent(path.share), shown(path.p50, x => span(x)), shown(path.p85, x => span(x)), count(path.loops)]), `${of}: the most frequent paths`);
		is(await page.locator('#paths .chart tbody tr').evaluateAll(rows => rows.map(row => [row.children[3].title, row.children[4].title])), sql.paths.map(path => [shown(path.p50, hours), shown(path.p85, hours)]), `${of}: with exact times as tooltips`);
		is(await cells('rework'), sql.rework.map(stage => [stage.stage, count(stage.handed_on), count(stage.sent_back), shown(stage.complete, percent), shown(stage.first, percent), count(stage.loops)]),
			`${of}: rework by stage`);
		ok(await page.locator('#rework .scroll').evaluate(table => table.scrollWidth <= table.clientWidth), `${of}: all its columns are in sight`);
		ok((await text(page, '#rework .note')).includes(`${rough(sql.rework.at(-1).rolled)} complete and accurate`), `${of}: and of all stages together`, await text(page, '#rework .note'));

		/* process behaviour */
		const charts = {throughput: ['throughput', 'Throughput', number], cycle_time: ['cycle-times', 'Average cycle time', hours], wip: ['run-chart', 'Work in progress', number], total_age: ['total-age', 'Total age', hours]};
		const words = {beyond_limit: 'beyond a natural limit', eight_on_one_side: 'eighth in a row on one side of the mean', three_of_four: 'three of four nearer to a limit than to the mean'};
		const limits = name => page.getByRole('button', {name: `${name}: natural limits`}), usual = await text(page, '#throughput .about');

		for (const [, name] of Object.values(charts))
		{
			await limits(name).click();
			await settled(page);
		}
		is([new URL(page.url()).searchParams.get('behaviour'), await limits('Total age').getAttribute('aria-pressed')], [Object.keys(charts).join(), 'true'], `${of}: four charts show limits, says the URL`);
		for (const [figure, [id, name, write]] of Object.entries(charts))
		{
			is(await text(page, `#${id} h2`), `${name} per day: natural limits`, `${of}: ${figure} is named as what it shows`);

			const points = sql[figure], signals = new Set(points.map(({signal}) => signal).filter(Boolean)), [{mean}] = points;

			is(await rest(id), points.map(({value, moving_range, mean: middle, lower, upper, signal}) => [...[value, moving_range, middle, lower, upper].map(x => shown(x, write)),
				signal === null ? value === null ? '' : 'within the limits' : words[signal]]), `${of}: ${figure} with mean, limits and signals`);
			ok((await text(page, `#${id} .legend`)).includes(`Mean ${(write === hours ? span : rounded)(mean)}`) && /^Baseline of mean and limits: this window itself, .* its 30 whole days\. /.test(await text(page, `#${id} .note`)),
				`${of}: ${figure} says its mean, and what the baseline is`, await text(page, `#${id} .note`));
			is(await page.locator(`#${id} .legend :is(.triangle, .square, .diamond)`).count(), signals.size, `${of}: ${figure} has a shape for each kind of signal`);
		}

		const signal = sql.total_age.findIndex(point => point.signal !== null);

		ok(signal >= 0, `${of}: total age has a signal`);
		await page.locator('#total-age .surface').focus();
		await page.keyboard.press('Home');
		for (let n = 0; n < signal; n++)
			await page.keyboard.press('ArrowRight');
		ok((await page.locator('#total-age .surface').getAttribute('aria-valuetext')).endsWith(words[sql.total_age[signal].signal]), `${of}: a signal is named where it is read`);
		await accessible(page, `${of}, with limits`);
		await shoot(page, `behaviour${type && '-bug'}`, {fullPage: true});
		await limits('Throughput').click();
		await settled(page);
		is([await text(page, '#throughput h2'), await text(page, '#throughput .about'), (await rest('throughput')).map(row => row.length)], ['Throughput', usual, sql.throughput.map(() => 1)], `${of}: and back`);
		for (const name of ['Total age', 'Average cycle time'])
		{
			await limits(name).click();
			await settled(page);
		}

		/* as files */
		const dated = `${since}_${until}`, filters = type ? `_${type}_team-red` : '', total = await saved(page, 'total-age', 'CSV'), why = await saved(page, 'blocked', 'CSV'), done = await saved(page, 'cycle-times', 'CSV');
		const dates = sql.balance.map((_, n) => new Date(Date.parse(since) + n * 86400000).toISOString().slice(0, 10)), quoted = {'=no "test" system, again': `"'=no ""test"" system, again"`};

		is([total.name, why.name], ['total-age', 'blocked'].map(id => `vsm_default_${id}${filters}_${dated}.csv`), `${of}: files are named after what they are of`);
		ok(/^\ufeffItem,Title,Type,Done,.*\r\n[^\r]*,\d{4}-\d\d-\d\dT[\d:.]+Z,/.test(done.bytes.toString()), `${of}: CSV of cycle times has times as the API gives them`);
		is(total.bytes.toString(), '\ufeffDay,Total age (hours)\r\n' + sql.balance.map((day, n) => `${dates[n]},${day.total_age}\r\n`).join(''), `${of}: CSV of total age`);
		is(why.bytes.toString(), '\ufeffStage,Reason,Blocks,Items,Blocked (hours)\r\n' + sql.blocked.map(row =>
			`${row.stage},${quoted[row.reason] ?? row.reason},${row.spells},${row.items},${row.blocked}\r\n`).join(''), `${of}: CSV of blocked time, whose reasons are no formulas`);
		await page.context().close();
	}
}, {brief: true});

await part('panels are saved as pictures', async () => {
	const page = await open(MAIN, '?days=90');

	await settled(page);
	/* a table that scrolls on the page is there as a whole */
	for (const id of ['paths', 'rework'])
	{
		const {bytes} = await saved(page, id, 'PNG'), table = page.locator(`#${id} .chart table`), rows = await table.locator('tr').count();
		const [high, left, right] = await table.evaluate(element => {
			const all = element.getBoundingClientRect(), last = element.querySelector('td:last-child').getBoundingClientRect();

			return [all.height, all.right - last.left, all.right - last.right];
		});
		const {width, height, margin, lines} = await page.evaluate(async ([text, from, to]) => {
			const image = await createImageBitmap(new Blob([Uint8Array.from(atob(text), letter => letter.charCodeAt(0))], {type: 'image/png'}));
			const ink = new OffscreenCanvas(image.width, image.height).getContext('2d', {willReadFrequently: true});

			ink.drawImage(image, 0, 0);

			const dark = (x, y, w, h) => ink.getImageData(x, y, w, h).data.some((value, n) => n % 4 === 1 && value < 140), lines = [];
			const inner = image.width - 34;		/* where the panel's padding begins, at two pixels for one */

			/* the last row of pixels of each line of text */
			for (let y = 0; y < image.height; y++)
				if (dark(inner - 2 * from, y, 2 * (from - to), 1))
					lines.splice(y - lines.at(-1) < 8 ? -1 : lines.length, 1, y);
			return {width: image.width, height: image.height, margin: dark(inner + 4, 0, 24, image.height), lines: lines.length};
		}, [bytes.toString('base64'), left, right]);

		ok(height > 2 * high, `${id}: all its lines are in the picture`, [width, height, high]);
		is(margin, false, `${id}: nothing is cut at its right edge`);
		if (id === 'paths')
			is(lines, rows, `${id}: its last column has a number in each line`);
	}
	for (const id of ['cumulative-flow', 'blocked', 'forecast'])
	{
		const {name, bytes} = await saved(page, id, 'PNG'), box = await page.locator(`#${id}`).boundingBox(), chart = await page.locator(`#${id} .chart > *`).boundingBox();
		const {width, height, colours} = await page.evaluate(async text => {
			const image = await createImageBitmap(new Blob([Uint8Array.from(atob(text), letter => letter.charCodeAt(0))], {type: 'image/png'}));
			const ink = new OffscreenCanvas(image.width, image.height).getContext('2d');

			ink.drawImage(image, 0, 0);
			return {width: image.width, height: image.height, colours: new Set(new Uint32Array(ink.getImageData(0, 0, image.width, image.height).data.buffer)).size};
		}, bytes.toString('base64'));

		ok(name.startsWith(`vsm_default_${id}_`) && name.endsWith('.png'), `${id}: a PNG`, name);
		ok(Math.abs(width - 2 * box.width) <= 4 && height >= 2 * chart.height && height <= 2 * (box.height + 100), `${id}: twice as wide as the panel, and as high as it needs`, [width, height, JSON.stringify(box)]);
		ok(colours > 20, `${id}: with something on it`, colours);
	}
	await page.context().close();
});

/* No figure of what was chosen before, and none that seems to be on its way. */
async function unavailable(page, name, panels)
{
	await settled(page);
	is([await page.locator('.tile .big').allTextContents(), await page.locator('.tile .before').allTextContents(), await page.locator('#balance li').count(), await text(page, '#period')],
		[Array(7).fill('–'), Array(7).fill(''), 0, ''], `${name}: no key figures`);
	is([await page.locator('#flow .panel .empty').allTextContents(), await page.locator('#flow .panel :is(canvas, .surface, table)').count(), await text(page, '#bottleneck .sentence')],
		[Array(panels).fill('Not available.'), 0, 'Not available.'], `${name}: no charts`);
}

await part('a URL that cannot be read', async () => {
	const page = await open(MAIN);
	const unread = () => page.locator('#unread > div > p').allTextContents();
	const usual = async () => [await text(page, '#figure-throughput .big'), await page.locator('#attributes').inputValue(), await page.getByRole('radio', {name: '30 days'}).isChecked()];

	for (const [part, why] of [
		['attributes=team', 'Write an attribute as key = value, such as team = red.'], ['attributes={"team":null}', 'null is no value to look for. The text is written "null", in quotes.'],
		['attributes=["red"]', 'Write an attribute as key = value, such as team = red.'], ['step=month', 'A step is day or week.'],
		['days=45', 'A window has 7, 30 or 90 days, or two dates, since and until.'],
		...['since=2026-10-01', 'until=2026-10-01', 'since=2026-10-01&until=yesterday', 'since=2026-02-30&until=2026-03-05']
			.map(dates => [dates, 'A window has two dates, since and until, such as 2026-10-31.'])])
	{
		await page.goto(`${MAIN}?type=&${part.split('&').map(one => one.replace(/=(.*)/, (_, value) => '=' + encodeURIComponent(value))).join('&')}`);
		await settled(page);
		is(await unread(), ['Not all of the URL can be read. The page shows what the rest of it says.', `${part} ${why}`], `${part} is said, and why`);
		is([new URL(page.url()).search, ...await usual()], ['', count((await api(MAIN, 'metrics?days=30')).throughput), '', true], 'and is no part of the URL when the figures are shown without it');
	}
	await accessible(page, 'a URL that cannot be read');
	await page.getByRole('button', {name: 'Dismiss'}).click();
	is(await page.locator('#unread').isVisible(), false, 'what was said goes when it is dismissed');
	await page.goto(`${MAIN}?view=bored&attributes=team&days=90&step=week&since=soon`);
	await settled(page);
	is([(await unread()).slice(1).map(line => line.split(' ')[0]), new URL(page.url()).search], [['view=bored', 'attributes=team', 'since=soon'], '?days=90&step=week'], 'of several parts each is said, and the others count');
	await page.getByRole('radio', {name: '7 days'}).check();
	await settled(page);
	is([await page.locator('#unread').isVisible(), new URL(page.url()).search], [false, '?days=7&step=week'], 'with the next choice it is over');
	await page.context().close();
});

await part('a filter by attributes', async () => {
	for (const [written, json] of [['team = red', '{"team":"red"}'], [' team=red , size = 2', '{"team":"red","size":2}'], ['size = "2"', '{"size":"2"}'], ['size = 2.50', '{"size":2.5}'],
		['a = 1e3', '{"a":1000}'], ['note = "a, b = c"', '{"note":"a, b = c"}'], ['{"a": {"b": [1, "null"]}}', '{"a":{"b":[1,"null"]}}'], ['a = nullable', '{"a":"nullable"}'], ['{}', ''], ['', '']])
		is(parse(written), json, `“${written}” is read`);
	for (const [written, why] of [['team', /key = value/], ['= red', /key = value/], ['team = null', /null is no value/], ['{"team": null}', /null is no value/], ['{"a": {"b": null}}', /null is no value/],
		['size = 1e400', /number 1e400 is too large/], ['size = -1e400', /1e400/], ['size = 1e-400', /too small/], ['{"size": 12345678901234567890}', /12345678901234567890 is.*too exact/],
		['a = 1, a = 2', /Give a one value/]])
	{
		let error = '';

		try
		{
			parse(written);
		}
		catch ({message})
		{
			error = message;
		}
		ok(why.test(error), `“${written}” is refused, and why`, error);
	}

	const page = await open(MAIN), field = page.locator('#attributes'), asked = questions(page);
	const write = async words => {
		await field.fill(words);
		await field.press('Enter');
	};

	await settled(page);
	await write('size = 1e400');
	ok(/1e400/.test(await text(page, '#attributes-error')) && await field.getAttribute('aria-invalid') === 'true', 'the page says what is wrong with a filter');
	is([new URL(page.url()).search, [...asked.values()].filter(path => path.includes('attributes'))], ['', []], 'and does not ask for it');
	await write('team = red, size = 2');
	await page.waitForURL(/attributes=/);
	await settled(page);
	is([await text(page, '#attributes-error'), new URL(page.url()).searchParams.get('attributes')], ['', '{"team":"red","size":2}'], 'a good one is in the URL');

	const red = await api(MAIN, asked.get('metrics'));

	ok(red.attributes.team === 'red' && red.throughput > 0 && red.throughput < (await api(MAIN, 'metrics?days=30')).throughput, 'the service is asked for it', JSON.stringify(red.attributes));
	is(await text(page, '#figure-throughput .big'), count(red.throughput), 'the figures are those of the items that have the attributes');
	await page.goto(`${MAIN}?attributes=${encodeURIComponent('team = red, size = 2')}`);
	await settled(page);
	is([await text(page, '#figure-throughput .big'), await field.inputValue(), await page.locator('#unread').isVisible()], [count(red.throughput), 'team = red, size = 2', false],
		'a URL may hold the filter as people write it');

	/* the board */
	await page.goto(`${MAIN}?view=board&attributes=${encodeURIComponent('{"team":"red"}')}`);
	await settled(page);

	const some = await api(MAIN, `work-items?stream=default&stage=Backlog&limit=25&attributes=${encodeURIComponent('{"team":"red"}')}`);
	const done = await api(MAIN, `cycle-times?stream=default&limit=25&attributes=${encodeURIComponent('{"team":"red"}')}`);
	const ids = stage => lane(page, stage).locator('.card').evaluateAll(cards => cards.map(one => Number(one.dataset.id)));

	is([await ids('Backlog'), await ids('Production')], [some.items.map(({id}) => id), done.points.map(({id}) => id).reverse()], 'the board shows the items that have them');
	ok((await lane(page, 'Backlog').locator('.count').textContent()).endsWith('(all items)'), 'and says that its counts are of all');

	const [moved] = await ids('Backlog');

	await card(page, moved).focus();
	await page.keyboard.press('Shift+ArrowRight');
	await lane(page, 'Analysis').locator(`.card[data-id="${moved}"]`).waitFor();
	await write('team = blue');
	await page.waitForFunction(id => !document.querySelector(`.card[data-id="${id}"]`), moved);
	ok(await lane(page, 'Analysis').locator('.card').count() > 0, 'an item that was moved here is shown by its attributes, too');
	await api(MAIN, `work-items/${moved}/transition`, {method: 'PUT', body: {to_stage: 'Backlog'}});
	page.expected(422);
	await write('colour = red');
	await page.locator('#trouble').waitFor();
	ok(/no work item has the attribute "colour" \(422\).*team/s.test(await text(page, '#trouble')), 'an attribute that nothing has is said', await text(page, '#trouble'));
	is([await page.locator('.card').count(), await text(page, '.lanes'), await page.locator('#new-item').isVisible()], [0, 'The items are not available.', false], 'and no items of the filter before stand below it');
	await write('team = red');
	await lane(page, 'Backlog').locator('.card').first().waitFor();
	await settled(page);
	is(await ids('Production'), done.points.map(({id}) => id).reverse(), 'a filter that is not refused has items again');

	/* nor do figures */
	await view(page, 'Flow').click();
	await settled(page);

	const figures = () => page.locator('.tile .big').allTextContents(), before = await figures(), panels = await page.locator('#flow .panel').count();

	ok(before.every(figure => figure !== '–'), 'key figures of a filter', before);
	await write('colour = red');
	await page.locator('#trouble').waitFor();
	await unavailable(page, 'a refused filter', panels);
	await write('team = red');
	await page.locator('#trouble').waitFor({state: 'hidden'});
	await settled(page);
	is([await figures(), await page.locator('#flow').getByText('Not available.').count(), await page.locator('#balance li').count(), await page.locator('#cycle-times canvas').count()], [before, 0, 6, 1], 'and are there again with one that is not');
	await page.context().close();
});

await part('numbers are those of the API', async () => {
	const page = await open(MAIN, '?days=7'), asked = questions(page);

	await settled(page);
	await page.getByRole('radio', {name: '30 days'}).check();
	await settled(page);

	const metrics = await api(MAIN, asked.get('metrics'));


	const of = path => api(MAIN, asked.get(path));
	const [cycle, throughput, efficiency, flow, stages] = await Promise.all(
		['cycle-times', 'throughput', 'flow-efficiency', 'cumulative-flow', 'time-in-stage'].map(of));

	is(new URL(page.url()).search, '', 'a click on the default window leaves the plain URL');

	const clock = time => new Intl.DateTimeFormat('en-GB', {timeZone: ZONE, day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit'}).format(new Date(time));

	is(await text(page, '#period'), `The 30 days up to now: ${clock(metrics.period_start)} to ${clock(metrics.period_end)}, time of ${ZONE}`, 'the window says that it ends now, and at what time it begins');
	is(await text(page, '#figure-throughput .big'), count(metrics.throughput), 'throughput is that of /metrics');
	is(metrics.throughput, throughput.buckets.reduce((sum, bucket) => sum + bucket.throughput, 0), 'and the sum of the run chart');
	for (const [key, name] of [['p50', 'P50'], ['p85', 'P85'], ['p95', 'P95']])
		is(await text(page, `#figure-${key} .exact`), `${hours(cycle[key])}, n = ${count(cycle.n)}`, `cycle time ${name} is that of /cycle-times`);
	is(await text(page, '#figure-efficiency .big'), rough(efficiency.flow_efficiency), 'flow efficiency is that of /flow-efficiency');
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
	is((await values(page, 'cycle-times')).map(row => row[0]), cycle.points.filter(point => point.cycle_time_hours !== null).reverse().slice(0, 500).map(idOf),
		'the items of the scatter plot too');
	is((await values(page, 'histogram')).reduce((sum, row) => sum + Number(row[1].replaceAll(',', '')), 0), cycle.n, 'the bars of the histogram add up to n');
	is((await values(page, 'time-in-stage')).map(row => row.slice(0, 6)), stages.map(stage => [stage.stage, count(stage.visits), ...[stage.avg, stage.p50, stage.p85, stage.p95]
		.map(x => x === null ? '–' : hours(x))]), 'time in stage too');
	is((await values(page, 'age')).map(row => row[0]), (await of('work-item-age')).filter(item => item.age_hours !== null).map(idOf), 'and the items in progress');

	is(await text(page, '#figure-started .big'), count((await of('work-item-age')).filter(item => item.age_hours !== null).length), 'whose number is the started WIP');

	const late = (await of('work-item-age')).filter(item => item.age_hours !== null && item.age_hours > cycle.p85).length;

	ok((await text(page, '#age .note')).includes(` ${late} above P85`), 'those above P85 are counted', await text(page, '#age .note'));

	/* 30 days up to now cut the first and the last day, and weeks */
	for (const [id, step] of [['arrivals', 'day'], ['throughput', 'day'], ['conformance', 'week']])
	{
		const rows = await values(page, id), partly = rows.map(([name]) => name.endsWith(' (in part)'));

		is([partly[0] || id === 'conformance', partly.slice(1, -1).includes(true), partly.at(-1)], [true, false, true], `${id}: a ${step} that the window cuts is said to be in part`);
		/* a share of no items has no bar */
		is((await text(page, `#${id} .note`)).includes(`Hollow: the window holds only a part of that ${step}`),
			id !== 'conformance' || rows.some(([name, n]) => name.endsWith(' (in part)') && n !== '0'), `${id}: and is hollow`);
	}

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
	const hit = cycle.points.find(point => tip[0].startsWith(`${idOf(point)},`));

	ok(hit && tip[1].startsWith(`cycle time ${hours(hit.cycle_time_hours)}`), 'the pointer reads the exact cycle time of a dot', tip);

	await page.getByLabel('Throughput per', {exact: true}).selectOption('week');
	await page.waitForURL(/step=week/);
	await settled(page);
	is((await values(page, 'throughput')).map(row => row[1]), (await of('throughput')).buckets.map(bucket => count(bucket.throughput)), 'throughput by week is that of the API');
	await accessible(page, 'flow with all tables open');
	await page.context().close();
}, {brief: true});

await part('weekly charts have their ticks where weeks begin', async () => {
	const page = await open(MAIN), panels = ['throughput', 'conformance', 'arrivals', 'run-chart', 'total-age', 'cycle-times'];

	await page.addInitScript(() => {
		const {fillText} = CanvasRenderingContext2D.prototype;

		window.written = [];
		CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
			window.written.push([this.canvas, text]);
			return fillText.call(this, text, ...place);
		};
	});
	await page.goto(`${MAIN}?days=90&step=week&behaviour=cycle_time`);
	await settled(page);
	for (const id of panels)
	{
		const ticks = await page.evaluate(panel => window.written.filter(([canvas, words]) => canvas.closest('#' + panel) && /^\d+ [A-Z][a-z]{2}$/.test(words)).map(([, words]) => words), id);
		const year = new Date().getUTCFullYear(), mondays = ticks.filter(words => [year, year - 1].some(one => new Date(`${words} ${one} UTC`).getUTCDay() === 1
			&& Math.abs(Date.now() - Date.parse(`${words} ${one} UTC`)) < 110 * 86400000));

		ok(ticks.length > 3 && mondays.length === ticks.length, `${id}: on Mondays`, ticks);
	}
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

	is(new Intl.DateTimeFormat('sv', {timeZone: ZONE, dateStyle: 'short', timeStyle: 'medium'}).format(new Date(since)), `${day(40)} 00:00:00`,
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
	ok((await text(page, '#period')).endsWith('time of UTC'), 'a zone that the browser does not know is UTC, and is said to be');
	await page.unrouteAll();
	await page.goto(`${MAIN}?days=12&since=tomorrow&view=%3Cb%3E`);
	await settled(page);
	is(await page.locator('input[name=days]:checked').inputValue(), '30', 'nonsense in the URL counts as nothing chosen');
	await page.goto(`${MAIN}?since=${day(10)}&until=${day(40)}`);
	await page.locator('#trouble').waitFor();
	is([await text(page, '#dates-error'), await text(page, '#trouble strong'), await page.locator('#since').inputValue()], [...Array(2).fill('The first day is after the last one.'), day(10)],
		'dates the wrong way round in the URL are refused, and why');
	await unavailable(page, 'dates the wrong way round', await page.locator('#flow .panel').count());
	await page.fill('#since', day(50));
	await page.locator('#trouble').waitFor({state: 'hidden'});
	await settled(page);
	is([await text(page, '#dates-error'), await text(page, '#figure-throughput .big')], ['', count((await api(MAIN, asked.get('metrics'))).throughput)], 'and can be put right');
	page.expected(404);
	await page.goto(`${MAIN}?stream=nope`);
	await page.locator('#trouble').waitFor();
	ok(/Stream 'nope' not found.*Choose another stream/s.test(await text(page, '#trouble')), 'an unknown stream is said, and what to do');
	await unavailable(page, 'an unknown stream', await page.locator('#flow .panel').count());
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
	ok((await lane(page, 'Backlog').locator('.facts').allTextContents()).every(facts => /· bug · .* in stage$/.test(facts))
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
	const last = page.locator('.lane').last(), lost = await first('Ready for release'), before = (await api(MAIN, 'metrics?days=90'));

	is([await last.getAttribute('data-stage'), await last.locator('.count').textContent()], ['Discarded', 'discarded, not WIP'], 'the discarded stage stands last');
	await last.locator('header').scrollIntoViewIfNeeded();
	await card(page, lost).dragTo(last.locator('header'));
	await last.locator(`.card[data-id="${lost}"]`).waitFor();

	const after = await api(MAIN, 'metrics?days=90');

	is([after.wip_now, after.started_wip_now, after.discarded], [before.wip_now - 1, before.started_wip_now - 1, before.discarded + 1],
		'what is dragged there has left WIP, and is discarded');

	/* by drag */
	const dragged = await first('Ready for release');

	await card(page, dragged).dragTo(lane(page, 'Production'));
	await lane(page, 'Production').locator(`.card[data-id="${dragged}"]`).waitFor();
	is(await stageOf(dragged), 'Production', 'a drag moves the item, in the database too');

	/* refused */
	const refused = await first('Testing'), full = (await api(MAIN, 'wip?stream=default')).find(stage => stage.stage === 'Ready for testing');

	page.expected(409);
	await card(page, refused).dragTo(lane(page, 'Ready for testing'));
	await page.locator('#board .notice').waitFor();

	const notice = await text(page, '#board .notice');

	ok(/Ready for testing" is full/.test(notice) && notice.includes(`holds ${full.wip} work items`) && notice.includes(`limit is ${full.wip_limit}`) && notice.includes('(409)'),
		'a full stage says so, with its count and limit', notice);
	is(await stageOf(refused), 'Testing', 'and the item stays');
	ok(await lane(page, 'Testing').locator(`.card[data-id="${refused}"]`).isVisible(), 'on the page too');
	await shoot(page, 'board-full');
	ok(notice.endsWith('or ask your administrator to raise its limit.Dismiss') && !notice.includes('wip_limit'), 'and what can be done, in the words of the page', notice);
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
	ok(await page.locator('#board .notice').isHidden(), 'what was refused before is over with it');
	page.expected(422);
	await page.locator('#new-item').evaluate(form => {
		form.noValidate = true;
		form.requestSubmit();
	});
	await page.locator('#new-error:not(:empty)').waitFor();
	ok(/Title.*at least 1 character/.test(await text(page, '#new-error')), 'a refused item says which field, and why', await text(page, '#new-error'));
	page.expected();
	await page.context().close();
}, {brief: true});

await part('an item is blocked and unblocked', async () => {
	const page = await open(MAIN, '?view=board'), dialog = page.locator('#item-dialog'), why = '<i>no</i> key to the door';

	await settled(page);

	/* one that never was */
	const id = await lane(page, 'Testing').locator('.card:not(.blocked)').evaluateAll(cards => cards.map(one => Number(one.dataset.id)).find(number => number % 4 !== 0));
	const blocks = () => api(MAIN, `work-items/${id}/blocks`), field = dialog.getByLabel('What does it wait for?');

	await card(page, id).focus();
	await page.keyboard.press('Enter');
	await field.fill(why);
	await page.keyboard.press('Enter');
	await dialog.getByRole('button', {name: 'Unblock'}).waitFor();
	is((await blocks()).map(({reason, unblocked_at: end}) => [reason, end]), [[why, null]], 'with a reason, in the database too');
	is([await dialog.locator('.blocks strong').textContent(), await page.evaluate(() => document.activeElement.textContent)], [why, 'Unblock'], 'the dialog says so, and has the focus where it is undone');
	await accessible(page, 'a blocked item');
	await shoot(page, 'blocked');
	await page.keyboard.press('Escape');
	await page.waitForFunction(number => document.querySelector(`.card[data-id="${number}"]`).matches('.blocked'), id);
	is(await card(page, id).locator('.reason').textContent(), `Blocked: ${why}`, 'its card has a mark, and the reason');
	await page.reload();
	await settled(page);
	ok(await card(page, id).evaluate(element => element.matches('.blocked')), 'as it has to everybody');

	/* somebody else is faster */
	await card(page, id).click();
	await dialog.getByRole('button', {name: 'Unblock'}).waitFor();
	await api(MAIN, `work-items/${id}/unblock`, {method: 'PUT', body: {}});
	page.expected(409, 422);
	await dialog.getByRole('button', {name: 'Unblock'}).click();
	await dialog.locator('.blocks .error:not(:empty)').waitFor();
	is(await dialog.locator('.blocks .error').textContent(), 'Not unblocked. It was not blocked any more: somebody else was faster.', 'what is refused is said');
	ok(await field.isVisible() && (await dialog.locator('.blocks li').textContent()).startsWith(`${why}, from `), 'and what is found then is shown');
	await field.fill('   ');
	await dialog.getByRole('button', {name: 'Block', exact: true}).click();
	await page.getByText('Not blocked. ').waitFor();
	ok(/reason.*\(422\)/.test(await dialog.locator('.blocks .error').textContent()), 'no reason is no reason', await dialog.locator('.blocks .error').textContent());
	await api(MAIN, `work-items/${id}/block`, {method: 'PUT', body: {reason: 'the other one'}});
	await field.fill('mine');
	await dialog.getByRole('button', {name: 'Block', exact: true}).click();
	await page.getByText('Not blocked. It is blocked already').waitFor();
	is(await dialog.locator('.blocks strong').textContent(), 'the other one', 'a second block is none');
	page.expected();
	await dialog.getByRole('button', {name: 'Unblock'}).click();
	await field.waitFor();
	is((await blocks()).map(({unblocked_at: end}) => end !== null), [true, true], 'unblocked, in the database too');
	await dialog.getByRole('button', {name: 'Close'}).click();
	await page.waitForFunction(number => !document.querySelector(`.card[data-id="${number}"]`).matches('.blocked'), id);
	ok(await card(page, id).locator('.reason').isHidden(), 'the mark is gone');
	await Promise.all([page.waitForResponse(/\/blocks$/), lane(page, 'Production').locator('.card').first().click()]);
	await dialog.locator('tbody tr').first().waitFor();
	ok(await field.count() === 0, 'what is done cannot be blocked');
	await dialog.getByRole('button', {name: 'Close'}).click();

	/* from the chart of ages */
	await view(page, 'Flow').click();
	await settled(page);
	await page.getByRole('slider', {name: /Age of started WIP/}).focus();
	await page.keyboard.press('End');
	await page.keyboard.press('Enter');
	await field.fill('a look');
	await page.keyboard.press('Enter');
	await page.waitForFunction(() => [...document.querySelectorAll('#age .legend li')].some(line => line.textContent === 'blocked')
		&& document.querySelector('#item-dialog .blocks strong')?.textContent === 'a look');
	await dialog.getByRole('button', {name: 'Unblock'}).click();
	await field.waitFor();
	ok(true, 'an item is blocked from the chart of ages, too');
	await page.context().close();
}, {brief: true});

await part('long names, and markup', async () => {
	for (const [width, height] of [[1440, 900], [390, 800], [320, 700]])
	{
		const page = await open(MAIN, '?stream=long', {width, height}), fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

		await settled(page);
		is((await values(page, 'stage-graph')).map(row => row[1]), ['W'.repeat(150), '<b>bold</b> & "quoted"', 'Done'], `${width}: moves between stages with long names`);
		ok(await fits(), `${width}: the charts fit`);
		await shoot(page, `long-${width}`, {fullPage: true});
		await view(page, 'Board').click();
		await settled(page);
		await page.locator('.card.blocked').click();
		await page.locator('#item-dialog .blocks strong').waitFor();
		ok(await fits() && await page.locator('#item-dialog').evaluate(dialog => dialog.scrollWidth <= dialog.clientWidth), `${width}: and so do the board and a blocked item`);
		await page.context().close();
	}
});

await part('tables stay within their panels', async () => {
	for (const width of [1280, 390])
	{
		const page = await open(MAIN, '?days=90', {width});

		await settled(page);

		const [first, second] = await page.locator('#forecast table').evaluateAll(tables => tables.map(table => table.getBoundingClientRect().toJSON()));
		const cells = await page.locator('#forecast :is(th, td)').evaluateAll(all => all.every(cell => cell.scrollWidth <= cell.clientWidth));

		ok(cells && (first.right < second.left || first.bottom < second.top), `${width}: the tables of the forecast stand apart`, JSON.stringify([first, second]));
		ok(await page.locator('#rework .scroll').evaluate(table => table.scrollWidth <= table.clientWidth), `${width}: all columns of the rework are in sight`);
		await page.context().close();
	}
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
	ok(/^Of the \d+ whole days before today, items were finished on 0; a forecast needs 5\.Come back when items have been finished on more days\.$/.test(await text(page, '#forecast .empty')),
		'a forecast that is refused says what a reader can do', await text(page, '#forecast .empty'));
	await shoot(page, 'discarded', {fullPage: true});
	await page.locator('#type').selectOption('bug');
	await page.locator('#forecast-weekdays').check();
	await page.locator('#forecast').getByText(/Choose all types, or untick “Monday to Friday”\.$/).waitFor();
	await page.context().close();
});

await part('retired stages', async () => {
	const page = await open(MAIN, '?stream=reshaped&view=board'), shown = page.locator('.lane:visible');

	await settled(page);
	is(await shown.evaluateAll(lanes => lanes.map(one => [one.dataset.stage, one.querySelector('.retired') !== null, one.querySelectorAll('.card').length])),
		[['New', false, 0], ['Doing', false, 1], ['Done', false, 1], ['Old doing', true, 1], ['Old done', true, 1]],
		'stand at the end of the board, marked as such, if they have an open item or one that was finished in the last 30 days');
	await accessible(page, 'board with retired stages');
	await shoot(page, 'retired');

	const [open_, over] = await Promise.all(['Old doing', 'Doing'].map(async stage => Number(await lane(page, stage).locator('.card').getAttribute('data-id'))));

	await card(page, over).dragTo(lane(page, 'Old doing').locator('header'));
	await card(page, open_).focus();
	await page.keyboard.press('Shift+ArrowLeft');
	await page.locator('#item-dialog .buttons[role=group] button').first().waitFor();
	is([await stageOf(over), await stageOf(open_), await page.locator('#board .notice').isHidden()], ['Doing', 'Old doing', true], 'nothing is moved there, and by keyboard an item of theirs is opened');
	is(await page.locator('#item-dialog .buttons[role=group] button').allTextContents(), ['New', 'Doing', 'Done'], 'to be moved to a stage in use');
	await page.locator('#item-dialog').getByRole('button', {name: 'Doing', exact: true}).click();
	await lane(page, 'Doing').locator(`.card[data-id="${open_}"]`).waitFor();
	await lane(page, 'Old doing').waitFor({state: 'hidden'});
	ok(true, 'with its last item a retired stage goes');
	await page.context().close();
});

await part('a window without what the log has', async () => {
	const page = await open(MAIN, '?stream=ended');

	await settled(page);
	is([await text(page, '#figure-throughput .big'), await text(page, '#last-finish p')], ['0', 'Nothing was finished in this window. The last item was finished on 20 Mar 2024, 10:00.'],
		'where nothing was finished, it is said when something was');
	is(await Promise.all(['p50', 'p85', 'p95'].map(async key => [await text(page, `#figure-${key} .exact`), await text(page, `#figure-${key} .meaning`)])), Array(3).fill(['nothing finished', '']), 'and no percentile says what it means');
	await accessible(page, 'nothing finished');
	await page.locator('#last-finish').getByRole('button', {name: 'Show the 11 days up to then'}).click();
	await page.waitForURL(/since=2024-03-10&until=2024-03-20/);
	await settled(page);
	is([await text(page, '#figure-throughput .big'), await page.locator('#last-finish').isHidden()], ['1', true], 'a button chooses the days up to then, from the first move');
	is(await text(page, '#figure-throughput .meaning'), 'About one in 11 days.', 'at a rate that is not 0');
	is((await saved(page, 'efficiency', 'CSV')).bytes.toString().split('\r\n')[0], '\ufeffTime,Hours,Share (percent)', 'each column of a CSV file has a name, and its unit once');
	await view(page, 'Board').click();
	await settled(page);
	is(await page.locator('#new-item select').inputValue(), 'bug', 'a new item has the type that most items of the stream have');
	await page.context().close();
});

await part('on a phone', async () => {
	const page = await open(MAIN, '', {width: 375, height: 740, hasTouch: true, isMobile: true, deviceScaleFactor: 2});
	const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

	await settled(page);
	ok(await fits(), 'the charts fit 375 pixels');

	const open_ = (await api(MAIN, 'stages?stream=default')).filter(({category}) => ['wait', 'active'].includes(category)).map(({name}, n) => `${n + 1} ${name}`);

	ok((await text(page, '#age .note')).includes(` Stages: ${open_.join(', ')}.`), 'the stages of the chart of ages, whose names have no room there, are numbered', await text(page, '#age .note'));
	await page.locator('#bottleneck summary').tap();
	ok(await page.locator('.ranking tbody tr').evaluateAll(rows => rows.every(row => row.offsetHeight < 70)), 'the ranking of the stages has low rows');
	await page.locator('#bottleneck summary').tap();
	for (const width of [375, 320])
	{
		await page.setViewportSize({width, height: 740});

		const right = await page.locator('#token-button').evaluate(button => button.getBoundingClientRect().right);

		ok(right <= width - 8 && await fits(), `${width}: the head has a margin, and nothing is wider than the page`, right);
	}
	await page.setViewportSize({width: 375, height: 740});
	await shoot(page, 'phone', {fullPage: true});
	await accessible(page, 'phone');
	await page.locator('#throughput .surface').tap({position: {x: 160, y: 100}});
	ok(await page.locator('#throughput .tip').isVisible(), 'a tap reads a value');
	await view(page, 'Board').tap();
	await settled(page);
	ok(await fits(), 'the board too');
	await page.setViewportSize({width: 320, height: 740});
	ok(await fits(), 'in 320 pixels as well');
	await page.setViewportSize({width: 375, height: 740});

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
	ok(/no work items yet.*Board.*Import.*curl/s.test(await text(page, '#first-steps')), 'it is said, and what the first steps are');
	for (const id of ['cumulative-flow', 'cycle-times', 'histogram', 'throughput', 'age', 'time-in-stage', 'efficiency', 'stage-graph', 'paths', 'rework'])
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

	const begins = new URLSearchParams((await page.evaluate(() => performance.getEntriesByType('resource').map(({name}) => name)))
		.findLast(name => name.includes('/throughput?')).split('?')[1]).get('since');

	is([begins.slice(11), await text(page, '#figure-throughput .meaning')], ['00:00:00.000000Z', ''], 'in a window that begins on the day of the first move, which is too short for a rate');
	is(await Promise.all(['p85', 'p95'].map(key => text(page, `#figure-${key} .meaning`))), Array(2).fill('Of so few items it says little.'), 'and nothing is made of percentiles of one item');
	is((await values(page, 'stage-graph')).map(row => row.slice(0, 3)), [['created', 'Backlog', '1'], ['Backlog', 'Analysis', '1'], ['Analysis', 'Development', '1'], ['Development', 'Testing', '1'],
		['Testing', 'Deployment', '1'], ['Deployment', 'Production', '1']], 'and its moves are drawn');
	await page.goto(`${EMPTY}?behaviour=throughput,cycle_time,wip,total_age`);
	await settled(page);
	ok((await Promise.all(['throughput', 'cycle-times', 'run-chart', 'total-age'].map(id => text(page, `#${id} .note`)))).every(note => note.startsWith('Baseline of mean and limits')), 'one item has process behaviour charts');
	ok((await text(page, '#cycle-times .note')).includes('too few for limits'), 'without limits, where there is too little for them', await text(page, '#cycle-times .note'));
	await page.context().close();
});

await part('an answer that does not come to its end', async () => {
	const page = await open(MAIN, '?days=90'), items = page.locator('#forecast-items');
	const ask = async n => {
		await items.fill(n);
		await items.blur();
	};

	await settled(page);
	/* of the forecast, the head and some bytes come; then it waits, or the connection breaks */
	await page.evaluate(() => {
		const whole = fetch;

		Object.assign(window, {how: 'waits', begun: 0, said: []});
		window.fetch = async (address, request) => {
			const answer = await whole(address, request);

			if (window.how === '' || !String(address).includes('/api/v1/forecast?'))
				return answer;

			const begin = (await answer.text()).slice(0, 20), body = new ReadableStream({start(stream) {
				stream.enqueue(new TextEncoder().encode(begin));
				if (window.how === 'breaks')
					stream.error(new TypeError('network error'));
				else
					request.signal.addEventListener('abort', () => stream.error(request.signal.reason));
				window.begun++;
			}});

			return new Response(body, {status: answer.status, headers: answer.headers});
		};
		new MutationObserver(() => window.said.push(...[...document.querySelectorAll('#forecast .empty')].map(why => why.textContent)))
			.observe(document.getElementById('forecast'), {childList: true, subtree: true});
	});
	await ask('20');
	await page.waitForFunction(() => window.begun === 1);
	await page.evaluate(() => window.how = '');
	await page.getByRole('radio', {name: '30 days'}).check();
	await settled(page);
	await page.locator('#forecast caption').filter({hasText: /^20 items done by$/}).waitFor();
	is([await page.evaluate(() => window.said), await page.locator('#trouble').isHidden()], [[], true], 'of one that is given up for another choice, nothing is shown');
	await page.evaluate(() => window.how = 'breaks');
	await ask('21');
	await page.locator('#trouble').waitFor();
	ok(/does not answer.*tries again/s.test(await text(page, '#trouble')), 'one that breaks off is none', await text(page, '#trouble'));
	await page.evaluate(() => window.how = '');
	await page.locator('#trouble').waitFor({state: 'hidden'});
	await page.locator('#forecast caption').filter({hasText: /^21 items done by$/}).waitFor();
	is(await page.evaluate(() => window.said), [], 'and asked for again');
	await page.route('**/api/v1/types', route => route.fulfill({contentType: 'text/html', body: '<p>Sign in to the proxy</p>'}));
	await page.locator('#stream').selectOption('support');
	await page.locator('#trouble').waitFor();
	ok(/does not answer/.test(await text(page, '#trouble')), 'nor is what a proxy says instead', await text(page, '#trouble'));
	await page.context().close();
});

await part('the service is away', async () => {
	const page = await open(DOWN);

	await settled(page);

	const before = await text(page, '#figure-throughput .big');

	page.expected('net::ERR_INTERNET_DISCONNECTED', 'net::ERR_CONNECTION_REFUSED', 'net::ERR_CONNECTION_RESET', 'net::ERR_EMPTY_RESPONSE');
	await page.context().setOffline(true);
	await page.locator('#trouble').waitFor();
	ok(/does not answer.*tries again/s.test(await text(page, '#trouble')), 'it is said, and that the page tries again');
	is(await text(page, '#figure-throughput .big'), before, 'the last figures stay');
	await shoot(page, 'down');
	await accessible(page, 'trouble');
	await page.getByRole('radio', {name: '7 days'}).check();
	await page.waitForFunction(() => document.querySelector('#figure-throughput .big').textContent === '–');
	await unavailable(page, 'another window', await page.locator('#flow .panel').count());
	await accessible(page, 'nothing available');
	await page.context().setOffline(false);
	await page.locator('#trouble').waitFor({state: 'hidden'});
	is(await text(page, '#figure-throughput .big'), count((await api(DOWN, 'metrics?days=7')).throughput), 'when it is back, so is the page, by itself');
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
		await page.locator('#token').press('Enter');
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
	await lane(page, 'Backlog').locator('.card').first().press('Enter');
	await page.getByLabel('What does it wait for?').fill('leave');
	await page.keyboard.press('Enter');
	await page.getByText(/^Not blocked\..*does not allow this \(403\)/).waitFor();
	ok(true, 'nor may it block an item');
	await page.locator('#item-dialog').getByRole('button', {name: 'Close'}).click();
	await page.getByRole('button', {name: 'Access token'}).click();
	await accessible(page, 'token');
	await page.getByRole('button', {name: 'Forget it'}).click();
	await page.getByText('wants an access token').waitFor();
	is(await page.evaluate(() => sessionStorage.length), 0, 'a forgotten token is gone');
	await page.context().close();
}, {brief: true});

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
}, {brief: true});

await finish();
