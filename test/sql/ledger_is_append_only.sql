-- Nobody changes the ledger or computed columns directly: not roles with every grant of theirs, not the owner by accident.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT title FROM vsm.create_work_item('item', external_id => 'X', at => '2024-01-01');
CREATE ROLE regress_vsm_writer;
SELECT vsm.grant_access('regress_vsm_writer', 'writer');
-- Granted by somebody who should not have.
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON vsm.stage_transitions, vsm._merged_events TO regress_vsm_writer;

SET ROLE regress_vsm_writer;
-- Moving needs no right on the ledger; the row names the role that moved.
SELECT from_stage_id, to_stage_id, actor FROM vsm.transition(1, 'Analysis', '2024-01-02');
UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Testing');
SELECT to_stage, actor FROM vsm.history(1) WHERE to_stage = 'Testing';
BEGIN;
CREATE TEMPORARY TABLE events ON COMMIT DROP AS SELECT 'X' AS case_id, 'Analysis' AS stage, now() AS entered_at;
SELECT * FROM vsm.import_events('events');
SELECT to_stage, bool_and(actor = 'regress_vsm_writer') AS by_writer, count(*) FROM vsm.history(1) GROUP BY to_stage ORDER BY to_stage COLLATE "C";
ROLLBACK;

INSERT INTO vsm.stage_transitions (work_item_id, from_stage_id, to_stage_id, "timestamp", recorded_at, actor)
VALUES (1, 4, 6, '2024-01-03', '2024-01-03', 'me');
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.stage_transitions SET "timestamp" = '2024-01-01';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM vsm.stage_transitions;
\echo :LAST_ERROR_SQLSTATE
-- Also where no row would be.
DELETE FROM vsm.stage_transitions WHERE false;
TRUNCATE vsm.stage_transitions;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm._merged_events VALUES (1, 1, 1, '2024-01-01');
DELETE FROM vsm._merged_events;

-- Turning the recording off is not for them.
SET vsm.recording = off;
UPDATE vsm.stage_transitions SET "timestamp" = '2024-01-01';
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.work_items SET completed_at = '2024-01-01';
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items (title) VALUES ('unrecorded');
DELETE FROM vsm.work_items;
RESET vsm.recording;

-- Computed columns.
UPDATE vsm.work_items SET created_at = '2023-01-01';
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.work_items SET stage_entered_at = '2023-01-01';
UPDATE vsm.work_items SET started_at = NULL;
UPDATE vsm.work_items SET completed_at = '2024-01-03';
UPDATE vsm.work_items SET active_time = '1 day';
UPDATE vsm.work_items SET wait_time = '1 day';
UPDATE vsm.work_items SET reopened = 1;
UPDATE vsm.work_items SET backward_moves = 1;
UPDATE vsm.work_items SET id = 17;
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.work_items SET stream = 'other';
-- Along with a move as well.
UPDATE vsm.work_items SET stage_id = 6, completed_at = '2024-01-03';
-- updated_at is set by the trigger, whatever a tool writes.
UPDATE vsm.work_items SET updated_at = '2030-01-01' RETURNING updated_at <= clock_timestamp() AS set_by_trigger;
-- The same value is no change: a tool may write all columns back.
UPDATE vsm.work_items SET (id, stream, title, type, created_at, stage_id, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened, backward_moves)
    = (SELECT id, stream, title, 'bug', created_at, stage_id, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened, backward_moves)
RETURNING type;
RESET ROLE;

-- The owner is kept from slips too.
UPDATE vsm.stage_transitions SET "timestamp" = '2024-01-01';
DELETE FROM vsm.stage_transitions;
TRUNCATE vsm.stage_transitions;
UPDATE vsm.work_items SET completed_at = '2024-01-01';
SELECT from_stage, to_stage FROM vsm.history(1);
-- With vsm.recording = off the owner can repair, and what is written is not recorded.
BEGIN;
SET LOCAL vsm.recording = off;
UPDATE vsm.stage_transitions SET reason = 'mended' WHERE to_stage_id = 2;
UPDATE vsm.work_items SET stage_id = 6, completed_at = '2024-01-01';
COMMIT;
SELECT to_stage, reason FROM vsm.history(1);
SELECT stage_id, completed_at FROM vsm.work_items;

-- A role that may only read, and PUBLIC.
CREATE ROLE regress_vsm_reader;
SELECT vsm.grant_access('regress_vsm_reader', 'reader');
CREATE ROLE regress_vsm_nobody;
SET ROLE regress_vsm_reader;
SELECT count(*) FROM vsm.history(1);
UPDATE vsm.work_items SET stage_id = 1;
SELECT vsm.transition(1, 'Testing');
SELECT vsm.create_work_item('new');
DELETE FROM vsm.work_items;
SET ROLE regress_vsm_nobody;
SELECT count(*) FROM vsm.work_items;
SELECT vsm.metrics();
RESET ROLE;
SELECT count(*) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves FROM vsm.work_items;
DROP OWNED BY regress_vsm_reader, regress_vsm_writer, regress_vsm_nobody;
DROP ROLE regress_vsm_reader, regress_vsm_writer, regress_vsm_nobody;
