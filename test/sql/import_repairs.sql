-- Importing more history for items that are there repairs their neighbouring rows and computed columns, live items too.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Check"}, {"name": "Done", "category": "done"}]');
CREATE VIEW item AS
    SELECT w.external_id, s.name AS stage, w.created_at::date, w.stage_entered_at::date, w.started_at::date, w.completed_at::date, w.active_time, w.wait_time, w.reopened
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;
CREATE FUNCTION import(VARIADIC event text[]) RETURNS vsm.import_result LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE events ON COMMIT DROP AS
    SELECT split_part(e, ' ', 1) AS case_id, split_part(e, ' ', 2) AS stage, ('2024-01-' || split_part(e, ' ', 3))::timestamptz AS entered_at FROM unnest(event) e;
    RETURN vsm.import_events('pg_temp.events', 'flow');
END $$;

SELECT * FROM import('X Open 05', 'X Done 10');
SELECT * FROM item;
-- In between: the row after it gets another from_stage and time; the item has started.
SELECT * FROM import('X Work 07');
SELECT from_stage, to_stage, "timestamp"::date, time_in_stage FROM vsm.history(1);
SELECT * FROM item;
-- Before the first: the old first row gets a from_stage, the item was created earlier.
SELECT * FROM import('X Check 02');
SELECT from_stage, to_stage, "timestamp"::date, time_in_stage FROM vsm.history(1);
SELECT * FROM item;
-- After the last: reopened, and finished again.
SELECT * FROM import('X Work 12', 'X Done 15');
SELECT * FROM item;
-- A later one that makes a known row superfluous: Open at 04 takes over from Open at 05.
SELECT * FROM import('X Open 04');
SELECT from_stage, to_stage, "timestamp"::date, time_in_stage FROM vsm.history(1);
SELECT * FROM item;
-- At the time of a known move: after it.
SELECT * FROM import('X Check 07');
SELECT from_stage, to_stage, "timestamp"::date, time_in_stage FROM vsm.history(1) WHERE to_stage IN ('Check', 'Done');
SELECT * FROM item;
SELECT finding, items FROM vsm.data_quality('flow') WHERE finding IN ('ledger_gap', 'state_differs', 'no_ledger');

-- An item created live, with a reason and another actor: found by its external id; its rows stay as they are.
CREATE ROLE regress_vsm_writer;
SELECT vsm.grant_access('regress_vsm_writer', 'writer');
SET ROLE regress_vsm_writer;
SELECT id FROM vsm.create_work_item('live', 'bug', 'flow', 'L', '2024-01-05');
SELECT from_stage_id, to_stage_id FROM vsm.transition(2, 'Work', '2024-01-07', 'by hand');
RESET ROLE;
SELECT * FROM import('L Done 03', 'L Check 06', 'L Work 08', 'L Check 09');
SELECT from_stage, to_stage, "timestamp"::date, time_in_stage, reason, actor = 'regress_vsm_writer' AS live FROM vsm.history(2);
SELECT * FROM item WHERE external_id = 'L';
SELECT title, type FROM vsm.work_items WHERE external_id = 'L';
-- One without external id is nobody's case.
SELECT id FROM vsm.create_work_item('live', 'bug', 'flow', NULL, '2024-01-05');
SELECT * FROM import('live Done 06');
SELECT external_id, title FROM vsm.work_items ORDER BY id;
-- Deleted and imported again, an item has the history of the import alone.
DELETE FROM vsm.work_items WHERE external_id = 'X';
SELECT * FROM import('X Open 05', 'X Open 06');
SELECT * FROM item WHERE external_id = 'X';
SELECT finding, items FROM vsm.data_quality('flow') WHERE finding IN ('ledger_gap', 'state_differs', 'no_ledger');
-- A live move on the stage of a merged event is kept apart from it.
SELECT count(*) FROM (SELECT id FROM vsm.work_items WHERE external_id = 'X') w, vsm.transition(w.id, 'Check', '2024-01-07');
SELECT * FROM import('X Work 05');
SELECT to_stage, "timestamp"::date, time_in_stage FROM vsm.work_items w, vsm.history(w.id) WHERE external_id = 'X';
DROP OWNED BY regress_vsm_writer;
DROP ROLE regress_vsm_writer;
