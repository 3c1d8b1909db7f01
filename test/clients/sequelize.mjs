/* Sequelize: a model with its own createdAt and updatedAt; save() writes what changed, upsert() what is set. */
import {done, fails, load, ok, same} from './tap.mjs';

const {default: {DataTypes, Sequelize}} = await load('sequelize');
const db = new Sequelize(process.env.PGDATABASE, process.env.PGUSER, '', {dialect: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT, logging: false});
const options = {schema: 'vsm', underscored: true};
const Item = db.define('work_item', {
	id: {type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true},
	stream: {type: DataTypes.TEXT, defaultValue: 'default', unique: 'work_items_external_id'},
	externalId: {type: DataTypes.TEXT, unique: 'work_items_external_id'},
	title: DataTypes.TEXT, type: DataTypes.TEXT, stageId: DataTypes.BIGINT,
	stageEnteredAt: DataTypes.DATE, startedAt: DataTypes.DATE, completedAt: DataTypes.DATE,
	reopened: DataTypes.INTEGER, attributes: DataTypes.JSONB
}, options);
const Stage = db.define('stage', {id: {type: DataTypes.BIGINT, primaryKey: true}, stream: DataTypes.TEXT, name: DataTypes.TEXT}, {...options, timestamps: false});
const stages = Object.fromEntries((await Stage.findAll({where: {stream: 'default'}})).map(({id, name}) => [name, id]));

const item = await Item.create({title: 'made'});
same([item.stageId, item.type, item.reopened], [stages.Backlog, 'task', 0], 'create returns what the trigger filled in');
item.title = 'saved';
await item.save();
item.stageId = stages.Development;
await item.save();
await item.reload();
same([item.title, item.startedAt], ['saved', item.stageEnteredAt], 'save after create, and a move');
const stale = await Item.findByPk(item.id);
stale.changed('createdAt', true);
stale.changed('stageEnteredAt', true);
stale.changed('startedAt', true);
await stale.save({fields: ['title', 'createdAt', 'stageEnteredAt', 'startedAt', 'stageId', 'reopened']});
ok(true, 'all fields written back, times in milliseconds');
item.stageId = stages.Testing;
await item.save();
stale.title = 'lost';
for (const field of ['createdAt', 'stageEnteredAt', 'startedAt', 'stageId'])
	stale.changed(field, true);
await fails('has moved since it was read', () => stale.save(), 'a stale save of all fields');
await fails('PT409', () => stale.save(), 'is PT409');

const [first] = await Item.upsert({externalId: 'S-1', title: 'one', stageId: stages.Analysis}, {conflictFields: ['stream', 'external_id']});
const [second] = await Item.upsert({externalId: 'S-1', title: 'two'}, {conflictFields: ['stream', 'external_id']});
same([second.id, second.title, second.stageId], [first.id, 'two', stages.Analysis], 'upsert leaves the item where it is');
const [third] = await Item.upsert({externalId: 'S-1', title: 'three', stageId: stages.Testing, startedAt: null, completedAt: null},
	{conflictFields: ['stream', 'external_id']});
same([third.id, third.stageId], [first.id, stages.Testing], 'and moves it to a stage that is given');
await Item.bulkCreate(Array.from({length: 100}, (_, n) => ({title: 'bulk', externalId: `SB-${n}`})));
await Item.bulkCreate([{title: 'bulk again', externalId: 'SB-1'}, {title: 'new', externalId: 'SB-100'}], {updateOnDuplicate: ['title', 'stageId'], conflictAttributes: ['stream', 'externalId']});
await Item.bulkCreate([{title: 'ignored', externalId: 'SB-2'}], {ignoreDuplicates: true});
same((await Item.findAll({where: {externalId: ['SB-1', 'SB-2', 'SB-100']}, order: ['id']})).map(({title, stageId}) => [title, stageId]),
	[['bulk again', stages.Backlog], ['bulk', stages.Backlog], ['new', stages.Backlog]], 'bulkCreate, updateOnDuplicate and ignoreDuplicates');
const [found, created] = await Item.findOrCreate({where: {stream: 'default', externalId: 'S-1'}, defaults: {title: 'never'}});
same([found.id, created], [first.id, false], 'findOrCreate');
await fails('has not been issued', () => Item.create({id: 1000000, title: 'own id'}), 'an id of its own is refused');
done();
