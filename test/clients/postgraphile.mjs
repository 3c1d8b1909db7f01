/* PostGraphile: createWorkItem and updateWorkItemById, as its schema of vsm offers them; it shows an extension's tables only when told to. */
import {done, fails, load, ok, same} from './tap.mjs';

const {createPostGraphileSchema, withPostGraphileContext} = await load('postgraphile');
const {graphql} = await load('graphql');
const {default: pg} = await load('pg');
const pgPool = new pg.Pool();
const schema = await createPostGraphileSchema(pgPool, ['vsm'], {includeExtensionResources: true});

const ask = (query, variables) => withPostGraphileContext({pgPool}, async context => {
	const {data, errors} = await graphql(schema, query, null, {...context}, variables);

	if (errors)
		throw errors[0].originalError ?? errors[0];
	return data;
});
const input = schema.getType('WorkItemInput').getFields();
const required = Object.keys(input).filter(name => String(input[name].type).endsWith('!'));
same(required, ['title'], 'createWorkItem asks for the title only');

const FIELDS = 'workItem { id stream title type stageId createdAt stageEnteredAt startedAt reopened attributes externalId }';
const create = `mutation ($item: WorkItemInput!) { createWorkItem(input: {workItem: $item}) { ${FIELDS} } }`;
const update = `mutation ($id: BigInt!, $patch: WorkItemPatch!) { updateWorkItemById(input: {id: $id, workItemPatch: $patch}) { ${FIELDS} } }`;
const {allStages: {nodes}} = await ask('{ allStages(condition: {stream: "default"}) { nodes { id name } } }');
const stages = Object.fromEntries(nodes.map(({id, name}) => [name, id]));

const {createWorkItem: {workItem: made}} = await ask(create, {item: {title: 'made'}});
same([made.stageId, made.type, made.stream, made.reopened], [stages.Backlog, 'task', 'default', 0], 'createWorkItem returns what the trigger filled in');
const {createWorkItem: {workItem: nulls}} = await ask(create, {item: {title: 'nulls', stageEnteredAt: null, type: null, stream: null, reopened: null, attributes: null}});
same([nulls.stageId, nulls.type, nulls.stream, nulls.reopened], [stages.Backlog, 'task', 'default', 0], 'explicit nulls mean the defaults');
const {updateWorkItemById: {workItem: moved}} = await ask(update, {id: made.id, patch: {stageId: stages.Development}});
same([moved.stageId, moved.startedAt], [stages.Development, moved.stageEnteredAt], 'updateWorkItemById of the stage moves the item');
const {id, ...all} = moved, ms = at => new Date(at).toISOString();
const {updateWorkItemById: {workItem: saved}} = await ask(update, {id, patch: {...all, title: 'all fields', createdAt: ms(all.createdAt), startedAt: ms(all.startedAt), stageEnteredAt: ms(all.stageEnteredAt)}});
same([saved.title, saved.createdAt], ['all fields', moved.createdAt], 'all fields written back, times in milliseconds');
await ask(update, {id, patch: {stageId: stages.Testing}});
await fails('has moved since it was read', () => ask(update, {id, patch: all}), 'a stale patch');
await fails('PT409', () => ask(update, {id, patch: all}), 'is PT409');
await ask(create, {item: {title: 'external', externalId: 'G-1'}});
const {workItemByStreamAndExternalId: external} = await ask('{ workItemByStreamAndExternalId(stream: "default", externalId: "G-1") { title } }');
same({...external}, {title: 'external'}, 'the key of another system finds an item');
await fails('work_items_external_id', () => ask(create, {item: {title: 'twice', externalId: 'G-1'}}), 'and is unique');
await fails('has not been issued', () => ask(create, {item: {title: 'own id', id: '1000000'}}), 'an id of its own is refused');
done();
