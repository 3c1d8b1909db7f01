/*
 * Prisma, with the query compiler and driver adapter that its packages bring: schema.prisma as "prisma db pull" writes it, with @updatedAt.
 *
 * The generator would load a program for migrations, which nothing here calls, so it is given another one.
 */
import {execFileSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {done, fails, load, same} from './tap.mjs';

const {PrismaPg} = await load('@prisma/adapter-pg'), here = dirname(fileURLToPath(import.meta.url)), require = createRequire(import.meta.url);
execFileSync(process.execPath, [join(here, 'node_modules/prisma/build/index.js'), 'generate', '--schema', join(here, 'schema.prisma')],
	{stdio: ['ignore', 'ignore', 'inherit'], env: {...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1'}});
const {PrismaClient} = require(join(here, 'node_modules/.vsm-client'));
const {PGHOST, PGPORT, PGDATABASE, PGUSER} = process.env;
const db = new PrismaClient({adapter: new PrismaPg({host: PGHOST, port: Number(PGPORT), database: PGDATABASE, user: PGUSER})}), items = db.work_items;
const stages = Object.fromEntries((await db.stages.findMany({where: {stream: 'default'}})).map(({id, name}) => [name, id]));

const made = await items.create({data: {title: 'made'}});
same([made.stage_id, made.type, made.reopened, made.attributes], [stages.Backlog, 'task', 0, {}], 'create returns what the trigger filled in');
const moved = await items.update({where: {id: made.id}, data: {stage_id: stages.Development}});
same(moved.started_at, moved.stage_entered_at, 'update of stage_id moves the item');
const all = {...moved, title: 'all columns'};
const saved = await items.update({where: {id: made.id}, data: all});
same([saved.title, saved.created_at], ['all columns', moved.created_at], 'all columns written back, times in milliseconds');
await items.update({where: {id: made.id}, data: {stage_id: stages.Testing}});
await fails('has moved since it was read', () => items.update({where: {id: made.id}, data: all}), 'a stale save');
await fails('PT409', () => items.update({where: {id: made.id}, data: all}), 'is PT409');

const where = {stream_external_id: {stream: 'default', external_id: 'P-1'}}, key = {stream: 'default', external_id: 'P-1'};
const first = await items.upsert({where, create: {...key, title: 'one', stage_id: stages.Analysis}, update: {title: 'one'}});
const second = await items.upsert({where, create: {...key, title: 'two'}, update: {title: 'two'}});
same([second.id, second.title, second.stage_id], [first.id, 'two', stages.Analysis], 'upsert leaves the item where it is');
const third = await items.upsert({where, create: {...key, title: 'three'}, update: {title: 'three', stage_id: stages.Testing}});
same([third.id, third.stage_id], [first.id, stages.Testing], 'and moves it to a stage that is given');
const bulk = Array.from({length: 300}, (_, n) => ({title: 'bulk', external_id: `PB-${n}`}));
same([await items.createMany({data: bulk}), await items.createMany({data: [...bulk, {title: 'bulk', external_id: 'PB-300'}], skipDuplicates: true})],
	[{count: 300}, {count: 1}], 'createMany, also with skipDuplicates');
same((await items.createManyAndReturn({data: [{title: 'returned'}]})).map(({title, stage_id}) => [title, stage_id]), [['returned', stages.Backlog]], 'createManyAndReturn');
same(await items.updateMany({where: {title: 'bulk'}, data: {stage_id: stages.Analysis}}), {count: 301}, 'updateMany');
await fails('has not been issued', () => items.create({data: {id: 1000000n, title: 'own id'}}), 'an id of its own is refused');
await db.$disconnect();
done();
