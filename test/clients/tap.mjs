/* TAP for the tests in JavaScript of programs as clients: each runs in a database of its own, as role vsm_app, which may write. */
import {isDeepStrictEqual} from 'node:util';

let n = 0, bad = 0;

export function ok(good, name, ...told)
{
	console.log(`${good ? 'ok' : 'not ok'} ${++n} - ${name}`);
	if (!good)
	{
		bad++;
		told.forEach(line => console.log('#   ' + (line instanceof Error ? line.stack : JSON.stringify(line, (key, value) => typeof value === 'bigint' ? String(value) : value)).replaceAll('\n', '\n#   ')));
	}
}

export function same(got, expected, name)
{
	ok(isDeepStrictEqual(got, expected), name, {got}, {expected});
}

/* call() must raise an error with that part in its text, or in that of its causes. */
export async function fails(part, call, name)
{
	try
	{
		await call();
	}
	catch (error)
	{
		const texts = [];

		for (let e = error; e; e = e.cause ?? e.parent)
			texts.push(e.code, e.message, JSON.stringify(e.meta));
		return ok(texts.join(' ').includes(part), name, error);
	}
	ok(false, name, 'no error');
}

export function done()
{
	console.log(`1..${n}`);
	process.exit(bad > 0 ? 1 : 0);
}

/* The program's package, or the test is skipped. */
export async function load(name)
{
	try
	{
		return await import(name);
	}
	catch (error)
	{
		if (error.code !== 'ERR_MODULE_NOT_FOUND')
			throw error;
		console.log(`1..0 # skipped: npm has not installed ${name}`);
		process.exit(0);
	}
}
