-- Items follow a renamed stream or type; streams and types in use, and definitions as a whole, cannot be removed.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
SELECT name FROM vsm.define_stream('ops', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Work');
SELECT title FROM vsm.create_work_item('item', 'bug', 'ops', 'X', '2024-01-01');
SELECT title FROM vsm.create_work_item('other', 'task', 'default', 'X', '2024-01-01');
SELECT count(*) FROM vsm.transition(1, 'Work', '2024-01-02');

UPDATE vsm.value_streams SET name = 'operations' WHERE name = 'ops';
UPDATE vsm.work_item_types SET name = 'defect' WHERE name = 'bug';
SELECT title, stream, type, (SELECT string_agg(to_stage, '>' ORDER BY "timestamp") FROM vsm.history(w.id)) AS moves FROM vsm.work_items w ORDER BY id;
SELECT stream, string_agg(name, ', ' ORDER BY "order") FROM vsm.stages GROUP BY 1 ORDER BY 1;
SELECT name, commitment_stage FROM vsm.value_streams ORDER BY name;
-- The new names count, the old are unknown.
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(1, 'Closed', '2024-01-03');
SELECT title FROM vsm.create_work_item('new', 'defect', 'operations');
SELECT vsm.create_work_item('new', 'bug', 'operations');
SELECT vsm.create_work_item('new', 'task', 'ops');
SELECT throughput, type FROM vsm.metrics('operations', '-infinity', 'infinity', 'defect');
-- Names do not collide.
UPDATE vsm.value_streams SET name = 'operations' WHERE name = 'default';
UPDATE vsm.work_item_types SET name = 'task' WHERE name = 'defect';
-- Names are case-sensitive.
UPDATE vsm.work_item_types SET name = 'Task' WHERE name = 'task';
SELECT title, type FROM vsm.work_items WHERE stream = 'default';

-- In use.
DELETE FROM vsm.work_item_types WHERE name = 'defect';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM vsm.work_item_types;
SELECT count(*) FROM vsm.work_item_types;
DELETE FROM vsm.work_item_types WHERE name = 'epic';
SELECT vsm.create_work_item('new', 'epic', 'operations');
DELETE FROM vsm.value_streams WHERE name = 'operations';
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM vsm.stages WHERE stream = 'operations';

-- Definitions cannot be truncated under the items.
TRUNCATE vsm.stages;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE vsm.work_item_types;
TRUNCATE vsm.value_streams CASCADE;
SELECT (SELECT count(*) FROM vsm.stages) AS stages, (SELECT count(*) FROM vsm.value_streams) AS streams, (SELECT count(*) FROM vsm.work_items) AS items;

-- Without items they can go.
DELETE FROM vsm.work_items WHERE stream = 'operations';
DELETE FROM vsm.value_streams WHERE name = 'operations';
SELECT (SELECT count(*) FROM vsm.stages) AS stages, (SELECT count(*) FROM vsm.value_streams) AS streams, (SELECT count(*) FROM vsm.work_items) AS items;
DELETE FROM vsm.work_item_types WHERE name = 'defect';
TRUNCATE vsm.work_items;
TRUNCATE vsm.stages, vsm.value_streams, vsm.work_item_types;
-- and come again at the next first use.
SELECT title, type FROM vsm.create_work_item('anew');
SELECT (SELECT count(*) FROM vsm.stages) AS stages, (SELECT count(*) FROM vsm.value_streams) AS streams, (SELECT count(*) FROM vsm.work_item_types) AS types;

-- So do the refusals of imports.
CREATE TABLE log AS SELECT 'X' AS case_id, 'Nowhere' AS stage, timestamptz '2026-01-05' AS entered_at;
SELECT (vsm.define_stream('imports')).name;
SELECT (vsm.import_events('log', 'imports', on_error => 'skip')).refused;
UPDATE vsm.value_streams SET name = 'imported' WHERE name = 'imports';
SELECT stream, case_id FROM vsm.import_refusals;
SELECT finding FROM vsm.data_quality('imported') WHERE items > 0;

-- Defined again, a stream keeps what is not given; an empty text takes the commitment stage away.
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Closed", "category": "done"}]',
                                                                       'Europe/Berlin', 'Open', 'episodes');
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again');
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again', '[{"name": "Open", "category": "wait"}, {"name": "Work", "wip_limit": 3}, {"name": "Closed", "category": "done"}]');
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again', '[{"name": "Work"}, {"name": "Closed", "category": "done"}]');
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again', reopen_rule => 'sum_active');
SELECT time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('again', commitment_stage => '');
-- A stage that is added comes last.
INSERT INTO vsm.stages (stream, name, category) VALUES ('again', 'Cancelled', 'discarded') RETURNING "order", category;
