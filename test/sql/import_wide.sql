-- vsm.import_wide(): one row per item, a column per stage with the time of entry.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Ready", "category": "wait"}, {"name": "Dev"}, {"name": "Test"}, {"name": "Done", "category": "done"}]');
CREATE VIEW imported AS
    SELECT w.external_id, w.title, w.type, s.name AS stage, w.created_at::date, w.started_at::date, w.completed_at::date,
           (SELECT string_agg(h.to_stage || '@' || to_char(h."timestamp", 'MM-DD'), '>' ORDER BY h."timestamp", h.id) FROM vsm.history(w.id) h) AS moves
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id ORDER BY external_id COLLATE "C";

-- All date and timestamp columns are stages by default; nulls were never entered; same times keep the columns' order.
CREATE TABLE items (id text, title text, "Ready" date, "Dev" timestamp, points integer, "Test" timestamptz, "Done" date, type text);
INSERT INTO items VALUES
    ('A', 'all', '2024-01-01', '2024-01-02', 3, '2024-01-03', '2024-01-04', 'bug'),
    ('B', 'skips', '2024-01-01', NULL, 5, NULL, '2024-01-02', NULL),
    ('C', NULL, '2024-01-01', '2024-01-01', 1, '2024-01-01', '2024-01-01', 'task'),
    ('D', 'back', '2024-01-05', '2024-01-01', 1, NULL, NULL, 'task'),
    ('E', 'never seen', NULL, NULL, 1, NULL, NULL, 'task');
SELECT * FROM vsm.import_wide('items', stream => 'flow');
SELECT * FROM imported;
-- Again adds nothing; with another date that one.
SELECT * FROM vsm.import_wide('items', stream => 'flow');
UPDATE items SET "Test" = '2024-01-06' WHERE id = 'D';
SELECT * FROM vsm.import_wide('items', stream => 'flow');
SELECT * FROM imported WHERE external_id = 'D';

-- Named columns for other stages, text with blanks; the long form continues the same items.
CREATE TABLE board ("Issue key" integer, began text, tested text, ended text, kind text, summary text);
INSERT INTO board VALUES (1, '2024-02-01', '', '2024-02-03', 'bug', 'one'), (2, '2024-02-02', '2024-02-02', NULL, 'epic', 'two');
SELECT * FROM vsm.import_wide('board', 'Issue key', ARRAY['began', 'tested', 'ended'], 'flow', ARRAY['Dev', 'Test', 'Done'], 'kind', 'summary');
SELECT * FROM imported WHERE external_id IN ('1', '2');
CREATE TABLE events (case_id text, stage text, entered_at date);
INSERT INTO events VALUES ('2', 'Done', '2024-02-09'), ('2', 'Ready', '2024-01-31');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT * FROM imported WHERE external_id = '2';
-- One stage may have several columns.
SELECT * FROM vsm.import_wide('board', 'Issue key', ARRAY['began', 'ended'], 'flow', ARRAY['Ready', 'Ready'], 'kind', 'summary');

-- create_stages: the columns' order is that of the stages, also when the first row lacks one.
SELECT name FROM vsm.define_stream('new', '[{"name": "Done", "category": "done"}]');
CREATE TABLE fresh (id text, "Idea" date, "Build" date, "Done" date);
INSERT INTO fresh VALUES ('X', NULL, '2024-03-02', '2024-03-03'), ('Y', '2024-03-01', '2024-03-02', NULL);
SELECT * FROM vsm.import_wide('fresh', stream => 'new', create_stages => true);
SELECT string_agg(name || ' ' || category, ', ' ORDER BY "order") FROM vsm.stages WHERE stream = 'new';

-- Bad rows, as with the long form.
INSERT INTO board VALUES (NULL, '2024-02-01', '', '', 'bug', 'no id'), (3, 'soon', '2024-02-05', '', 'bug', 'three');
SELECT vsm.import_wide('board', 'Issue key', ARRAY['began', 'tested', 'ended'], 'flow', ARRAY['Dev', 'Test', 'Done'], 'kind', 'summary');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.import_wide('board', 'Issue key', ARRAY['began', 'tested', 'ended'], 'flow', ARRAY['Dev', 'Test', 'Done'], 'kind', 'summary', on_error => 'skip');
SELECT case_id, stage, entered_at, reason FROM vsm.import_refusals ORDER BY id;
SELECT * FROM imported WHERE external_id = '3';

-- Texts with a zone, as in the long form: one that several countries have is refused, and + is east of Greenwich whatever letters stand before it.
SELECT name FROM vsm.define_stream('berlin', '[{"name": "Ready", "category": "wait"}, {"name": "Done", "category": "done"}]', 'Europe/Berlin');
CREATE TABLE zoned (id text, began text, ended text);
INSERT INTO zoned VALUES
    ('gmt', '2024-03-04 10:00:00 GMT+0100', '2024-07-04 10:00:00 GMT-0330'), ('utc', '2024-03-04 10:00 UTC+1', '2024-07-04 10:00 UTC-1'),
    ('z', '2024-03-04T10:00:00Z', '2024-07-04 10:00 Z'), ('offset', '2024-03-04 10:00+05:30', '2024-07-04T10:00:00-05:30'),
    ('city', '2024-03-04 10:00 Europe/Berlin', '2024-07-04 10:00 America/New_York'), ('none', '2024-03-04 10:00', '2024-07-04 10:00'),
    ('ist', '2024-03-04 10:00 IST', '2024-07-04 10:00 Z'), ('cst', '2024-03-04 10:00 Z', '2024-07-04 10:00 CST'),
    ('both', '2024-03-04 10:00 IST', '2024-07-04 10:00 IST');
DELETE FROM vsm.import_refusals;
SELECT vsm.import_wide('zoned', 'id', ARRAY['began', 'ended'], 'berlin', ARRAY['Ready', 'Done']);
SELECT * FROM vsm.import_wide('zoned', 'id', ARRAY['began', 'ended'], 'berlin', ARRAY['Ready', 'Done'], on_error => 'skip');
SELECT w.external_id, string_agg(s.name || ' ' || to_char(t."timestamp", 'MM-DD HH24:MI'), ', ' ORDER BY t."timestamp") AS moves
FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id JOIN vsm.stages s ON s.id = t.to_stage_id
WHERE w.stream = 'berlin' GROUP BY w.external_id ORDER BY w.external_id COLLATE "C";
SELECT case_id, stage, entered_at, reason FROM vsm.import_refusals ORDER BY id;
