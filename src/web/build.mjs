/*
 * build.mjs
 *		Bundle the dashboard into dist/, which the gateway is compiled with.
 *
 *	node build.mjs			write dist/
 *	node build.mjs --check	say whether dist/ is what the sources give; status 1 when it is not
 *
 * dist/ is committed, so that a checkout without npm has the page.  Nothing of it
 * depends on the place or time of the build.
 */
import {build} from 'esbuild';
import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');

async function bundle()
{
	const {outputFiles} = await build({
		absWorkingDir: here, entryPoints: {app: 'app/main.js', 'app-style': 'style.css'}, bundle: true, minify: true, write: false,
		outdir: 'assets', format: 'iife', target: 'es2023', charset: 'utf8', legalComments: 'none', logLevel: 'warning',
	});
	const files = new Map();

	for (const {path, contents} of outputFiles)
		files.set('assets/' + (path.endsWith('.css') ? 'app.css' : 'app.js'), Buffer.from(contents));
	files.set('assets/icon.svg', await readFile(join(here, 'icon.svg')));
	files.set('assets/licences.txt', await licences());
	files.set('index.html', await readFile(join(here, 'index.html')));
	return files;
}

/* Of what is in the bundle: every dependency that is not for the build alone. */
async function licences()
{
	const {dependencies} = JSON.parse(await readFile(join(here, 'package.json')));
	let text = 'This page is part of vsm and under the PostgreSQL Licence. It contains:\n';

	for (const name of Object.keys(dependencies))
	{
		const {version, license} = JSON.parse(await readFile(join(here, 'node_modules', name, 'package.json')));

		text += `\n---- ${name} ${version} (${license}) ----\n\n` + await readFile(join(here, 'node_modules', name, 'LICENSE'), 'utf8');
	}
	return Buffer.from(text);
}

async function check(files)
{
	const there = (await readdir(dist, {recursive: true, withFileTypes: true})).filter(entry => entry.isFile()).length;
	const differ = [];

	for (const [name, bytes] of files)
		if (!bytes.equals(await readFile(join(dist, name)).catch(() => Buffer.alloc(0))))
			differ.push(name);
	if (there !== files.size)
		differ.push(`${there} files instead of ${files.size}`);
	if (differ.length > 0)
	{
		console.error(`src/web/dist is not what src/web gives: ${differ.join(', ')}. Run "make web" and commit it.`);
		process.exitCode = 1;
	}
}

async function write(files)
{
	await rm(dist, {recursive: true, force: true});
	await mkdir(join(dist, 'assets'), {recursive: true});
	for (const [name, bytes] of files)
		await writeFile(join(dist, name), bytes);
	console.log([...files].map(([name, bytes]) => `${name} ${bytes.length}`).join('\n'));
}

const files = await bundle();

await (process.argv.includes('--check') ? check(files) : write(files));
