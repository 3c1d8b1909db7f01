-- Where work items are changed by the side of the triggers, vsm.wip_check() shows it, vsm.wip_rebuild() sets it right and says what was wrong;
-- nothing else does.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE name = $1 $$;
-- Before anybody has looked there is nothing to repair.
INSERT INTO vsm.work_items (title, stage_id) VALUES ('a', NULL), ('b', NULL), ('c', NULL), ('d', stage('Testing')), ('done', stage('Production'));
SELECT * FROM vsm.wip_rebuild();
SELECT * FROM vsm.wip_check();

-- What this transaction has not committed is in neither figure.
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Analysis') WHERE title IN ('a', 'b');
DELETE FROM vsm.work_items WHERE title = 'd';
SELECT stage, counter, table_count, difference FROM vsm.wip_check() WHERE (counter, table_count) <> (0, 0);
SELECT * FROM vsm.wip_rebuild();
SELECT stage, wip FROM vsm.wip WHERE wip <> 0;
ROLLBACK;
SELECT * FROM vsm.wip_check() WHERE difference <> 0;

-- A move, an insert, a delete that nobody noted.
ALTER TABLE vsm.work_items DISABLE TRIGGER vsm_record_move, DISABLE TRIGGER vsm_record_insert, DISABLE TRIGGER vsm_record_delete;
UPDATE vsm.work_items SET stage_id = stage('Analysis') WHERE title IN ('a', 'b');
INSERT INTO vsm.work_items (title, stage_id) VALUES ('e', stage('Deployment'));
DELETE FROM vsm.work_items WHERE title = 'd';
ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_move, ENABLE ALWAYS TRIGGER vsm_record_insert, ENABLE ALWAYS TRIGGER vsm_record_delete;
SELECT stage, counter, table_count, difference FROM vsm.wip_check();

-- Looking, moving on, rolling back, another session: the counters follow, and stay wrong by as much; they may fall below 0.
SELECT stage, wip FROM vsm.wip WHERE wip <> 0;
UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE title = 'b';
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'e';
BEGIN;
UPDATE vsm.work_items SET stage_id = stage('Development');
ROLLBACK;
\c -
SELECT stage, wip FROM vsm.wip WHERE wip <> 0;
SELECT stage, counter, table_count, difference FROM vsm.wip_check();

-- The rebuild lasts, even where the transaction does not; another one finds nothing wrong.
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
SELECT * FROM vsm.wip_rebuild();
SELECT stage, wip FROM vsm.wip WHERE wip <> 0;
ROLLBACK;
SELECT * FROM vsm.wip_rebuild();
SELECT stage, counter, table_count, difference FROM vsm.wip_check();
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title = 'a';
SELECT stage, counter, table_count, difference FROM vsm.wip_check();

-- A stage that is gone has nothing to check; one that comes later is counted from its first item.
ALTER TABLE vsm.work_items DISABLE TRIGGER vsm_record_delete;
DELETE FROM vsm.work_items;
ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_delete;
SET vsm.recording = off;
DELETE FROM vsm.stage_transitions;
RESET vsm.recording;
DELETE FROM vsm.stages WHERE name = 'Analysis';
INSERT INTO vsm.stages (name, "order") VALUES ('Review', 10);
INSERT INTO vsm.work_items (title, stage_id) VALUES ('f', stage('Review'));
SELECT stage, counter, table_count, difference FROM vsm.wip_check();
SELECT * FROM vsm.wip_rebuild();
SELECT stage, counter, table_count, difference FROM vsm.wip_check();
