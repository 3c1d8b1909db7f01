-- What a prepared transaction changed counts right after COMMIT PREPARED, and not after ROLLBACK PREPARED, whoever runs it.
SET check_function_bodies = off;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Inbox", "category": "wait"}, {"name": "Work"}, {"name": "Test", "wip_limit": 2}, {"name": "Done", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE name = $1 $$;
CREATE FUNCTION held() RETURNS TABLE (held text, as_in_table boolean, differences bigint, totals_differ bigint) LANGUAGE sql AS $$
    SELECT string_agg(w.stage || ' ' || w.wip, ', ' ORDER BY w."order"),
           bool_and(w.wip = (SELECT count(*) FROM vsm.work_items i WHERE i.stage_id = stage(w.stage) AND i.completed_at IS NULL)),
           (SELECT count(*) FROM vsm.wip_check() c WHERE c.difference <> 0 OR c.reserved <> 0),
           (SELECT count(*) FROM (SELECT kind, a, b, n FROM vsm._totals_now()) n FULL JOIN vsm._totals_counted c USING (kind, a, b) WHERE n.n IS DISTINCT FROM c.n)
    FROM vsm.wip w $$;
INSERT INTO vsm.work_items (title) SELECT 'item ' || n FROM generate_series(1, 6) n;
SELECT * FROM held();

BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE id IN (1, 2);
INSERT INTO vsm.work_items (title) VALUES ('new');
DELETE FROM vsm.work_items WHERE id = 3;
SELECT held, as_in_table, differences FROM held();
PREPARE TRANSACTION 'moves';
SELECT * FROM held();
COMMIT PREPARED 'moves';
SELECT * FROM held();
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Done') WHERE id IN (1, 2);
PREPARE TRANSACTION 'moves';
ROLLBACK PREPARED 'moves';
SELECT * FROM held();

-- In another session, among other transactions, the later one first.
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE id = 4;
PREPARE TRANSACTION 'first';
BEGIN;
SAVEPOINT s;
UPDATE vsm.work_items SET stage_id = stage('Done') WHERE id = 1;
ROLLBACK TO s;
UPDATE vsm.work_items SET stage_id = stage('Done') WHERE id = 2;
PREPARE TRANSACTION 'second';
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
PREPARE TRANSACTION 'third';
\c -
INSERT INTO vsm.work_items (title) VALUES ('between');
SELECT * FROM held();
COMMIT PREPARED 'second';
SELECT * FROM held();
ROLLBACK PREPARED 'third';
COMMIT PREPARED 'first';
SELECT * FROM held();

-- Counted anew while one is prepared; nobody looked before it was, and not before it ended.
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE id = 5;
PREPARE TRANSACTION 'one';
SELECT count(*) FROM vsm.wip_rebuild();
SELECT * FROM held();
COMMIT PREPARED 'one';
SELECT count(*) FROM vsm.wip_rebuild();
SELECT * FROM held();
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE id = 6;
PREPARE TRANSACTION 'one';
COMMIT PREPARED 'one';
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Done') WHERE id = 6;
SELECT held, as_in_table, differences FROM held();
COMMIT;
SELECT * FROM held();

-- One that cannot be prepared has changed nothing.
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('prepared');
PREPARE TRANSACTION 'twice';
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
PREPARE TRANSACTION 'twice';
SELECT * FROM held();
COMMIT PREPARED 'twice';
SELECT * FROM held();

-- Out of a stage with a limit, and into it for what went out of it; the places of the prepared transaction stay taken.
INSERT INTO vsm.work_items (title, stage_id) VALUES ('t1', stage('Test')), ('t2', stage('Test'));
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE title = 't1';
PREPARE TRANSACTION 'out';
COMMIT PREPARED 'out';
SELECT * FROM held();
UPDATE vsm.work_items SET stage_id = stage('Test') WHERE title = 't1';
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE title = 't1';
UPDATE vsm.work_items SET stage_id = stage('Test') WHERE id = 1;
PREPARE TRANSACTION 'exchange';
COMMIT PREPARED 'exchange';
SELECT * FROM held();
UPDATE vsm.work_items SET stage_id = stage('Test') WHERE title = 't1';

-- TRUNCATE.
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('a', NULL), ('b', stage('Work'));
PREPARE TRANSACTION 'empty';
ROLLBACK PREPARED 'empty';
SELECT * FROM held();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('a', NULL), ('b', stage('Work'));
PREPARE TRANSACTION 'empty';
\c -
COMMIT PREPARED 'empty';
INSERT INTO vsm.work_items (title) VALUES ('c');
SELECT * FROM held();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
PREPARE TRANSACTION 'before';
COMMIT PREPARED 'before';
TRUNCATE vsm.work_items;
SELECT * FROM held();

-- With the extension: made, or dropped.
BEGIN;
DROP EXTENSION vsm;
CREATE EXTENSION vsm;
INSERT INTO vsm.work_items (title) VALUES ('a'), ('b');
PREPARE TRANSACTION 'new';
COMMIT PREPARED 'new';
SELECT wip FROM vsm.wip WHERE wip > 0;
SELECT * FROM vsm.wip_check() WHERE difference <> 0;
SELECT gid FROM pg_prepared_xacts WHERE database = current_database();
