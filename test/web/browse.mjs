/*
 * browse.mjs
 *		A browser for the tests, and how they say what they found: one TAP line for each promise.
 *
 * What no page may do is watched all the time: errors on the console, requests to
 * other hosts.  A refused request also is an error to the console; those count only
 * where expected() has not named their status.  A forecast is refused wherever there is little history.
 */
import axe from 'axe-core';
import {chromium} from 'playwright-core';

let tests = 0, failures = 0;

export function ok(good, name, found)
{
	tests++;
	console.log(`${good ? 'ok' : 'not ok'} ${tests} - ${name}`);
	if (good)
		return;
	failures++;
	console.log(String(found ?? '').split('\n').slice(0, 20).map(line => '#   ' + line).join('\n'));
}

export const is = (got, wanted, name) =>
	ok(JSON.stringify(got) === JSON.stringify(wanted), name, `got:    ${JSON.stringify(got)}\nwanted: ${JSON.stringify(wanted)}`);

/* Runs what belongs together; what throws is a failure of it.  brief: it is run where VSM_BRIEF leaves others out too. */
export async function part(name, act, {brief = false} = {})
{
	if (process.env.VSM_BRIEF && !brief)
		return;
	console.log('# ' + name);
	await act().catch(error => ok(false, name, error.stack));
}

const browser = await chromium.launch({executablePath: process.env.VSM_BROWSER,
	args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage']});
const wrong = [];

export async function open(base, path = '', {width = 1440, height = 900, clock = false, expected = [], ...options} = {})
{
	const context = await browser.newContext({viewport: {width, height}, reducedMotion: 'reduce', timezoneId: 'America/New_York', ...options});
	const page = await context.newPage();
	let statuses = expected;

	if (clock)
		await page.clock.install();
	page.setDefaultTimeout(15000);
	page.on('pageerror', error => wrong.push(`${path}: ${error.stack}`));
	page.on('console', message => {
		const refused = /Failed to load resource.* (\d{3}) \(/.exec(message.text());

		if (refused && message.location().url.includes('/api/v1/forecast?'))
			return;
		if (['error', 'warning'].includes(message.type()) && !statuses.includes(refused ? Number(refused[1]) : message.text().match(/net::\w+/)?.[0]))
			wrong.push(`${path}: ${message.text()}`);
	});
	page.on('request', request => {
		if (!request.url().startsWith(base) && !request.url().startsWith('data:'))
			wrong.push(`${path}: asked for ${request.url()}`);
	});
	page.expected = (...list) => statuses = list;
	await page.goto(base + path);
	return page;
}

export async function api(base, path, {method = 'GET', body} = {})
{
	const answer = await fetch(`${base}api/v1/${path}`, {method, headers: {'content-type': 'application/json'}, body: body && JSON.stringify(body)});

	return answer.json();
}

/* The window is drawn; the page asks no more. */
export const settled = page => page.waitForFunction(() => document.getElementById('main').getAttribute('aria-busy') === 'false');

export const text = (page, selector) => page.locator(selector).first().textContent();

/* The rows of a panel's table of values, or the nth of its tables, without its head. */
export async function values(page, id, nth = 0)
{
	const details = page.locator(`#${id} details`);

	if (!await details.evaluate(element => element.open))
		await details.locator('summary').click();
	const rows = details.locator('table').nth(nth).locator('tbody tr');

	await rows.first().waitFor();
	return rows.evaluateAll(lines => lines.map(row => [...row.children].map(cell => cell.textContent)));
}

export async function accessible(page, name)
{
	await page.evaluate(axe.source);

	const {violations} = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
	const serious = violations.filter(({impact}) => ['serious', 'critical'].includes(impact));

	ok(serious.length === 0, `${name}: axe finds nothing serious`,
		serious.map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 120) + ' ' + node.failureSummary).join('; ')}`).join('\n'));
}

export async function shoot(page, name, options)
{
	if (process.env.VSM_SHOTS)
		await page.screenshot({path: `${process.env.VSM_SHOTS}/${name}.png`, ...options});
}

export async function finish()
{
	is([...new Set(wrong)], [], 'no page had an error on its console, and none asked another host for anything');
	await browser.close();
	console.log(`1..${tests}`);
	process.exit(failures > 0 ? 1 : 0);
}
