"""postgres_fdw: a foreign table sends null for every column that a local INSERT leaves out."""
from tap import Tap, skip

try:
    import psycopg2
except ImportError as missing:
    skip(f'needs python3-psycopg2 ({missing})')
import os

owner = psycopg2.connect(user='postgres')
owner.autocommit = True
o = owner.cursor()
try:
    o.execute('CREATE EXTENSION postgres_fdw')
except psycopg2.Error as error:
    skip(f'needs postgres_fdw ({error})')
o.execute(f"""CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '{os.environ['PGHOST']}', port '{os.environ['PGPORT']}', dbname '{os.environ['PGDATABASE']}');
    CREATE USER MAPPING FOR vsm_app SERVER itself OPTIONS (user 'vsm_app', password_required 'false');
    GRANT USAGE ON FOREIGN SERVER itself TO vsm_app; CREATE SCHEMA far AUTHORIZATION vsm_app""")
connection = psycopg2.connect()
connection.autocommit = True
c = connection.cursor()


def ask(statement, *values):
    c.execute(statement, values)
    return c.fetchall()


t = Tap()
c.execute('IMPORT FOREIGN SCHEMA vsm LIMIT TO (work_items, stages) FROM SERVER itself INTO far')
item, stage = ask("INSERT INTO far.work_items (title) VALUES ('made') RETURNING id, stage_id")[0]
t.same(ask('SELECT stream, type, stage_id, title FROM vsm.work_items WHERE id = %s', item), [('default', 'task', stage, 'made')],
       'columns that are left out, which come as null, have their defaults')
t.same(ask("UPDATE far.work_items SET stage_id = (SELECT id FROM far.stages WHERE name = 'Testing' AND stream = 'default') WHERE id = %s RETURNING started_at = stage_entered_at", item),
       [(True,)], 'UPDATE of the stage moves the item')
c.execute('UPDATE far.work_items f SET title = \'copied\', created_at = f.created_at, stage_entered_at = f.stage_entered_at, started_at = f.started_at, active_time = f.active_time WHERE id = %s', (item,))
t.same(ask('SELECT title FROM vsm.work_items WHERE id = %s', item), [('copied',)], 'computed columns as they were read')
t.fails('PT409', 'has moved since it was read', lambda: c.execute('UPDATE far.work_items SET stage_entered_at = created_at WHERE id = %s', (item,)), 'a stale row')
c.execute("INSERT INTO far.work_items (title, external_id) SELECT 'bulk', 'F-' || n FROM generate_series(1, 200) n")
t.same(ask("SELECT count(*), count(DISTINCT id) FROM vsm.work_items WHERE title = 'bulk'"), [(200, 200)], 'many rows')
c.execute("INSERT INTO far.work_items (title, external_id, stream) VALUES ('again', 'F-1', 'default') ON CONFLICT DO NOTHING")
t.same(ask("SELECT title FROM vsm.work_items WHERE external_id = 'F-1'"), [('bulk',)], 'ON CONFLICT DO NOTHING')
t.fails('PT422', 'has not been issued', lambda: c.execute("INSERT INTO far.work_items (id, title) VALUES (1000000, 'own id')"), 'an id of its own is refused')
c.execute('DELETE FROM far.work_items WHERE id = %s', (item,))
t.same(ask('SELECT count(*) FROM vsm.stage_transitions WHERE work_item_id = %s', item), [(0,)], 'DELETE')
t.done()
