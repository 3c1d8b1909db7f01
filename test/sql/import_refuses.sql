-- Rows that cannot be imported: all or nothing, or on_error => 'skip', which keeps them with the reason.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Old"}, {"name": "Done", "category": "done"}]');
UPDATE vsm.stages SET retired_at = now() WHERE name = 'Old';
CREATE TABLE events (n serial, case_id text, stage text, entered_at text, type text, title text);
INSERT INTO events (case_id, stage, entered_at, type, title) VALUES
    ('A', 'Open', '2024-01-01', NULL, NULL),
    (NULL, 'Open', '2024-01-01', NULL, NULL),
    ('', 'Open', '2024-01-01', NULL, NULL),
    ('A', NULL, '2024-01-02', NULL, NULL),
    ('A', '', '2024-01-02', NULL, NULL),
    ('A', 'Work', NULL, NULL, NULL),
    ('A', 'Work', '', NULL, NULL),
    ('A', 'Work', 'yesterday afternoon', NULL, NULL),
    ('A', 'Work', '2024-02-30', NULL, NULL),
    ('A', 'Work', 'infinity', NULL, NULL),
    ('A', 'Work', '-infinity', NULL, NULL),
    ('A', 'Work', '9999-01-01', NULL, NULL),
    ('B', 'Work', '2024-01-02', NULL, repeat('x', 501)),
    (repeat('y', 501), 'Work', '2024-01-02', NULL, NULL),
    ('A', 'work', '2024-01-02', NULL, NULL),
    ('A', 'Nowhere', '2024-01-02', 'story', NULL),
    ('C', 'Work', '2024-01-02', 'story', NULL),
    ('A', 'Done', '2024-01-05', NULL, NULL),
    -- history in a stage that is retired now is history
    ('A', 'Old', '2024-01-03', 'bug', repeat('x', 500));

-- Stages and types that are not defined are listed; then the other rows.
SELECT vsm.import_events('events', 'flow', order_column => 'n');
\echo :LAST_ERROR_SQLSTATE
UPDATE events SET stage = 'Open' WHERE stage IN ('work', 'Nowhere');
SELECT vsm.import_events('events', 'flow', order_column => 'n');
\echo :LAST_ERROR_SQLSTATE
UPDATE events SET type = NULL WHERE type = 'story';
SELECT vsm.import_events('events', 'flow', order_column => 'n');
\echo :LAST_ERROR_SQLSTATE
-- It has left nothing.
SELECT (SELECT count(*) FROM vsm.work_items) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves, (SELECT count(*) FROM vsm._merged_events) AS merged,
       (SELECT count(*) FROM vsm.import_refusals) AS refusals, to_regclass('pg_temp.vsm_import') IS NULL AS no_leftover;

-- Skipped: the good rows are in.
UPDATE events SET stage = CASE n WHEN 15 THEN 'work' WHEN 16 THEN 'Nowhere' ELSE stage END, type = CASE WHEN n IN (16, 17) THEN 'story' ELSE type END;
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'n', on_error => 'skip');
SELECT w.external_id, w.type, char_length(w.title) AS title, (SELECT string_agg(to_stage, '>' ORDER BY "timestamp") FROM vsm.history(w.id)) AS moves FROM vsm.work_items w;
SELECT stream, source, left(case_id, 9) AS case_id, stage, entered_at, reason, imported_by = current_user AS mine, refused_at <= now() AS at FROM vsm.import_refusals ORDER BY id;

-- create_stages adds what is unknown and refuses only the rest.
DELETE FROM vsm.import_refusals;
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'n', create_stages => true, on_error => 'skip');
SELECT reason, count(*) FROM vsm.import_refusals GROUP BY reason ORDER BY reason COLLATE "C";

-- The refused rows are the importer's to read, not other roles'.
CREATE ROLE regress_vsm_a;
CREATE ROLE regress_vsm_b;
SELECT vsm.grant_access('regress_vsm_a', 'writer'), vsm.grant_access('regress_vsm_b', 'writer');
GRANT SELECT ON events TO regress_vsm_a;
SET ROLE regress_vsm_a;
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'n', on_error => 'skip');
SELECT count(*) FROM vsm.import_refusals;
SET ROLE regress_vsm_b;
SELECT count(*) FROM vsm.import_refusals;
DELETE FROM vsm.import_refusals;
-- Nor can one role import what it may not read.
SELECT vsm.import_events('events', 'flow', order_column => 'n');
RESET ROLE;
SELECT imported_by, count(*) FROM vsm.import_refusals WHERE imported_by LIKE 'regress%' GROUP BY 1;
DROP OWNED BY regress_vsm_a, regress_vsm_b;
DROP ROLE regress_vsm_a, regress_vsm_b;

-- An id that the index of external ids cannot hold is a refusal like the others.
CREATE TABLE long_ids AS SELECT repeat('y', n) AS case_id, 'Work' AS stage, timestamptz '2024-01-02' AS entered_at, 'short' AS title FROM (VALUES (500), (501), (33000)) l (n);
SELECT * FROM vsm.import_events('long_ids', 'flow', on_error => 'skip');
SELECT reason, count(*) FROM vsm.import_refusals WHERE source ~ 'long_ids' GROUP BY 1;
