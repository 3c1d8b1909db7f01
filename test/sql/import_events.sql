-- vsm.import_events(): column arguments, sources of every kind, counts, and importing again adds nothing.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Check"}, {"name": "Done", "category": "done"}]');
CREATE VIEW imported AS
    SELECT w.external_id, w.title, w.type, s.name AS stage, w.created_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened,
           (SELECT string_agg(format('%s>%s@%s', f.name, n.name, to_char(t."timestamp" AT TIME ZONE 'UTC', 'MM-DD')) || coalesce('+' || t.time_in_stage, ''), ' ' ORDER BY t."timestamp", t.id)
            FROM vsm.stage_transitions t JOIN vsm.stages n ON n.id = t.to_stage_id LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
            WHERE t.work_item_id = w.id) AS moves
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;

-- The usual names of the columns.
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text, title text);
INSERT INTO events VALUES
    ('A', 'Open', '2024-01-01', 'bug', 'Crash'), ('A', 'Work', '2024-01-02', 'bug', 'Crash'), ('A', 'Done', '2024-01-04', 'bug', 'Crash'),
    ('B', 'Open', '2024-01-02', NULL, NULL), ('B', 'Done', '2024-01-03', '', ''), ('B', 'Check', '2024-01-05', NULL, NULL),
    ('C', 'Check', '2024-01-03', 'feature', 'Export');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT * FROM imported ORDER BY external_id COLLATE "C";
SELECT actor = current_user AS actor, recorded_at BETWEEN now() - interval '1 hour' AND now() AS recorded, reason, count(*) FROM vsm.stage_transitions GROUP BY 1, 2, 3;
SELECT bool_and(updated_at = stage_entered_at) AS updated, bool_and(stage_entered_at = (SELECT max("timestamp") FROM vsm.stage_transitions WHERE work_item_id = w.id)) AS entered
FROM vsm.work_items w;

-- Again: nothing new.  With one more event: that one.
SELECT md5(json_agg(t ORDER BY id)::text) AS ledger FROM vsm.stage_transitions t \gset
SELECT md5(json_agg(w ORDER BY id)::text) AS items FROM vsm.work_items w \gset
SELECT * FROM vsm.import_events('events', 'flow');
SELECT md5(json_agg(t ORDER BY id)::text) = :'ledger' AS same FROM vsm.stage_transitions t;
SELECT md5(json_agg(w ORDER BY id)::text) = :'items' AS same FROM vsm.work_items w;
INSERT INTO events VALUES ('C', 'Done', '2024-01-06');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT stage, completed_at, type, title, moves FROM imported WHERE external_id = 'C';

-- Other names, other types, in a view; type and title are absent, the stages come as an enum, the cases as numbers.
CREATE TYPE state AS ENUM ('Open', 'Work', 'Done');
CREATE TABLE log ("Key" bigint, "to ""state""" state, changed timestamp, seq integer);
INSERT INTO log VALUES (7, 'Work', '2024-02-02', 2), (7, 'Open', '2024-02-01', 1), (8, 'Open', '2024-02-01', 3), (8, 'Done', '2024-02-01', 5), (8, 'Work', '2024-02-01', 4);
CREATE VIEW "log view" AS SELECT * FROM log;
SELECT * FROM vsm.import_events('"log view"', stream => 'flow', case_column => 'Key', stage_column => 'to "state"', time_column => 'changed', order_column => 'seq');
SELECT external_id, title, type, moves FROM imported WHERE external_id IN ('7', '8') ORDER BY external_id COLLATE "C";

-- A partitioned table, a temporary table, a materialized view.
CREATE TABLE parts (LIKE events) PARTITION BY LIST (case_id);
CREATE TABLE parts_p PARTITION OF parts FOR VALUES IN ('P');
INSERT INTO parts VALUES ('P', 'Work', '2024-03-01');
SELECT * FROM vsm.import_events('parts', 'flow');
CREATE TEMPORARY TABLE temp AS SELECT 'T' AS case_id, 'Work' AS stage, timestamptz '2024-03-01' AS entered_at;
SELECT * FROM vsm.import_events('temp', 'flow');
CREATE MATERIALIZED VIEW mat AS SELECT 'M' AS case_id, 'Work' AS stage, date '2024-03-01' AS entered_at, 'epic' AS type;
SELECT * FROM vsm.import_events('mat', 'flow');
SELECT external_id, type, moves FROM imported WHERE external_id IN ('P', 'T', 'M') ORDER BY external_id COLLATE "C";

-- Names that the import uses itself do no harm.
CREATE TABLE s (case_id text, stage text, entered_at timestamptz, ord integer, vsm_row integer);
INSERT INTO s VALUES ('S', 'Work', '2024-03-01', 1, 1);
SELECT * FROM vsm.import_events('s', 'flow', order_column => 'ord');

-- An empty source is fine.
TRUNCATE events;
SELECT * FROM vsm.import_events('events', 'flow');

-- Two imports in one transaction, and one that is rolled back.
BEGIN;
INSERT INTO events VALUES ('D', 'Open', '2024-04-01');
SELECT * FROM vsm.import_events('events', 'flow');
INSERT INTO events VALUES ('D', 'Work', '2024-04-02');
SELECT * FROM vsm.import_events('events', 'flow');
SAVEPOINT s;
INSERT INTO events VALUES ('D', 'Done', '2024-04-03');
SELECT * FROM vsm.import_events('events', 'flow');
ROLLBACK TO s;
COMMIT;
SELECT moves FROM imported WHERE external_id = 'D';

-- The same case in two streams is two items.
SELECT name FROM vsm.define_stream('other', '[{"name": "Open"}, {"name": "Work"}, {"name": "Done", "category": "done"}]');
SELECT * FROM vsm.import_events('events', 'other');
SELECT w.stream, w.external_id, count(*) FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id WHERE external_id = 'D' GROUP BY 1, 2 ORDER BY 1;

-- What was imported can move on, and what is recorded live can be imported over.
SELECT time_in_stage FROM vsm.work_items w, vsm.transition(w.id, 'Check', '2024-04-05') WHERE stream = 'flow' AND external_id = 'D';
SELECT moves FROM imported WHERE external_id = 'D' AND moves LIKE '%Check%';
