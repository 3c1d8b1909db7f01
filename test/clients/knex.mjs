/* Knex: rows as objects, so dates of JavaScript; onConflict().merge() and ignore(). */
import {done, fails, load, ok, same} from './tap.mjs';

const {default: Knex} = await load('knex');
const db = Knex({client: 'pg', connection: {}}), items = () => db.withSchema('vsm').table('work_items');
const stages = Object.fromEntries((await db.withSchema('vsm').table('stages').where({stream: 'default'})).map(({id, name}) => [name, id]));

const [made] = await items().insert({title: 'made'}).returning('*');
same([made.stage_id, made.type, made.created_at instanceof Date], [stages.Backlog, 'task', true], 'create returns the row');
const [moved] = await items().where({id: made.id}).update({stage_id: stages.Development}).returning('*');
same(moved.started_at, moved.stage_entered_at, 'UPDATE of stage_id moves the item');
same(await items().where({id: made.id}).update({...moved, title: 'all columns'}), 1, 'the whole row, times in milliseconds');
const [{created_at}] = await items().where({id: made.id}).update({created_at: new Date(Math.round(Number(moved.created_at)))}).returning('created_at');
same(created_at, moved.created_at, 'created_at to the millisecond is unchanged');
await items().where({id: made.id}).update({stage_id: stages.Testing});
await fails('has moved since it was read', () => items().where({id: made.id}).update({...moved, title: 'lost'}), 'a stale row');
await fails('PT409', () => items().where({id: made.id}).update(moved), 'is PT409');

const row = {stream: 'default', external_id: 'K-1', title: 'one'};
const [first] = await items().insert({...row, stage_id: stages.Analysis}).onConflict(['stream', 'external_id']).merge().returning('*');
const [second] = await items().insert({...row, title: 'two', type: 'bug'}).onConflict(['stream', 'external_id']).merge().returning('*');
same([second.id, second.title, second.type, second.stage_id], [first.id, 'two', 'bug', stages.Analysis], 'merge of the columns given leaves the stage');
const every = Object.fromEntries(Object.keys(first).filter(key => key !== 'id').map(key => [key, null]));
const [third] = await items().insert({...every, ...row, title: 'three'}).onConflict(['stream', 'external_id']).merge().returning('*');
same([third.id, third.title, third.type, third.stage_id], [first.id, 'three', 'bug', stages.Analysis], 'and so does one of all columns, with nulls');
const [fourth] = await items().insert({...row, title: 'four', stage_id: stages.Testing}).onConflict(['stream', 'external_id']).merge().returning('*');
same([fourth.id, fourth.stage_id], [first.id, stages.Testing], 'one that gives the stage moves the item');
same(await items().insert({...row, title: 'five'}).onConflict(['stream', 'external_id']).ignore().returning('id'), [], 'ignore does nothing');
same((await items().where({external_id: 'K-1'}))[0].title, 'four', 'and changes nothing');
const byId = await items().insert({id: first.id, title: 'by id'}).onConflict('id').merge().returning(['id', 'title', 'stage_id', 'external_id']);
same(byId, [{id: first.id, title: 'by id', stage_id: stages.Testing, external_id: 'K-1'}], 'merge by id');

const batch = Array.from({length: 500}, (_, n) => ({title: 'batch', external_id: n % 2 ? null : `KB-${n}`}));
await db.transaction(async trx => {
	await trx.raw('SET LOCAL search_path = vsm');
	await trx.batchInsert('work_items', batch, 100);
});
same(await items().where({title: 'batch', stage_id: stages.Backlog}).count(), [{count: '500'}], 'batchInsert, with and without external ids');
await fails('has not been issued', () => items().insert({id: 1000000, title: 'own id'}), 'an id of its own is refused');
done();
