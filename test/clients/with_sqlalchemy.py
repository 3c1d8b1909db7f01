"""SQLAlchemy: reflected tables, the unit of work, bulk inserts, upserts, stale objects."""
from tap import Tap, skip

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql import insert
    from sqlalchemy.ext.automap import automap_base
    from sqlalchemy.orm import Session
    import psycopg2  # noqa: F401
except ImportError as missing:
    skip(f'needs python3-sqlalchemy and python3-psycopg2 ({missing})')
import datetime

t = Tap()
engine = sa.create_engine('postgresql+psycopg2://')
metadata = sa.MetaData(schema='vsm')
metadata.reflect(engine, only=['work_items', 'stages'])
Base = automap_base(metadata=metadata)
Base.prepare()
Item = Base.classes.work_items
Stage = Base.classes.stages
table = Item.__table__

with Session(engine) as s:
    stages = {stage.name: stage.id for stage in s.query(Stage).filter_by(stream='default')}

    item = Item(title='created')
    s.add(item)
    s.flush()
    t.same(item.stage_id, stages['Backlog'], 'stage_id is there after flush')
    t.same((item.stream, item.type, item.reopened, item.attributes), ('default', 'task', 0, {}), 'and so are the defaults')
    s.commit()
    item.title = 'changed'
    s.commit()
    t.same(item.title, 'changed', 'a save after create')
    item.stage_id = stages['Development']
    s.commit()
    t.ok(item.started_at is not None and item.started_at == item.stage_entered_at, 'a change of stage_id moves the item')

    nulls = Item(**{c.key: None for c in table.columns if c.key not in ('id', 'title')}, title='nulls')
    for c in table.columns:
        if c.key not in ('id', 'title'):
            setattr(nulls, c.key, sa.null())
    s.add(nulls)
    s.commit()
    t.same((nulls.stream, nulls.type, nulls.stage_id), ('default', 'task', stages['Backlog']), 'explicit nulls mean the defaults')

    s.bulk_insert_mappings(Item, [dict(title=f'bulk {n}', external_id=f'B-{n}') for n in range(50)])
    s.bulk_save_objects([Item(title=f'bulk {n}') for n in range(50)])
    s.commit()
    t.same(s.query(Item).filter(Item.title.like('bulk %'), Item.stage_id == stages['Backlog']).count(), 100, 'bulk inserts')

    # what another program knows of the row: all columns, times to the millisecond
    row = dict(s.execute(sa.select(table).where(table.c.id == item.id)).mappings().one())

    def cut(value):
        return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime.datetime) else value

    s.execute(table.update().where(table.c.id == item.id).values({k: cut(v) for k, v in row.items()} | {'title': 'all columns'}))
    s.commit()
    t.same((item.title, item.created_at), ('all columns', row['created_at']), 'all columns written back, times cut to milliseconds')

    item.stage_id = stages['Testing']
    s.commit()
    t.fails('PT409', 'has moved since it was read',
            lambda: s.execute(table.update().where(table.c.id == item.id).values(row)), 'all columns as they were before a move', s.rollback)
    t.fails('42501', 'is computed', lambda: s.execute(table.update().where(table.c.id == item.id).values(reopened=3)),
            'a computed column is not to be written', s.rollback)

    new = insert(table).values(stream='default', external_id='U-1', title='first', stage_id=stages['Analysis'])
    upsert = new.on_conflict_do_update(index_elements=['stream', 'external_id'], set_={'title': new.excluded.title})
    first = s.execute(upsert.returning(table.c.id, table.c.stage_id)).one()
    s.execute(sa.update(table).where(table.c.id == first.id).values(stage_id=stages['Testing']))
    again = insert(table).values(stream='default', external_id='U-1', title='second')
    every = again.on_conflict_do_update(
        constraint='work_items_external_id',
        set_={c.key: again.excluded[c.key] for c in table.columns if c.key not in ('id', 'stream', 'external_id', 'attributes')})
    second = s.execute(every.returning(table.c.id, table.c.title, table.c.stage_id)).one()
    s.commit()
    t.same((first.stage_id, tuple(second)), (stages['Analysis'], (first.id, 'second', stages['Testing'])),
           'an upsert of all columns leaves the item where it is, as no stage was given')
    moved = insert(table).values(stream='default', external_id='U-1', title='third', stage_id=stages['Production'])
    s.execute(moved.on_conflict_do_update(constraint='work_items_external_id',
                                          set_={'title': moved.excluded.title, 'stage_id': moved.excluded.stage_id}))
    s.execute(insert(table).values(external_id='U-1', title='fourth').on_conflict_do_nothing())
    s.commit()
    t.same(s.execute(sa.select(table.c.title, table.c.stage_id).where(table.c.external_id == 'U-1')).all(),
           [('third', stages['Production'])], 'an upsert that gives the stage moves the item; DO NOTHING does nothing')

    t.fails('PT422', 'id 1000000 of a work item has not been issued', lambda: s.execute(table.insert().values(id=1000000, title='own id')),
            'an id of its own is refused, and the error says which', s.rollback)
    merged = s.merge(Item(id=item.id, title='merged'))
    s.commit()
    t.same((merged.title, merged.stage_id), ('merged', stages['Testing']), 'merge of an object that has few columns')
t.done()
