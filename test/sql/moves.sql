-- create_work_item, transition and history: what they return and what they record.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
CREATE VIEW item AS
    SELECT w.id, w.title, s.name AS stage, w.created_at, w.stage_entered_at, w.started_at, w.completed_at
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;

-- With all arguments.
SELECT title, type, stream, external_id, created_at, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened
FROM vsm.create_work_item('Export as CSV', 'feature', 'default', 'JIRA-1', '2024-03-01 09:00');
-- With the title alone: now.
SELECT title, type, stream, external_id, created_at BETWEEN now() AND clock_timestamp() AS just_now,
       created_at = stage_entered_at AS entered, updated_at >= created_at AS updated, started_at, completed_at
FROM vsm.create_work_item('Crash at start');

-- The ledger row: from, to, when it happened, when it was recorded, time in the stage left, why and who.
SELECT work_item_id, f.name AS from_stage, s.name AS to_stage, "timestamp", recorded_at BETWEEN now() AND clock_timestamp() AS recorded,
       time_in_stage, reason, actor = current_user AS actor
FROM vsm.transition(1, 'Analysis', '2024-03-03 10:30', 'picked by Ann')
JOIN vsm.stages f ON f.id = from_stage_id JOIN vsm.stages s ON s.id = to_stage_id;
-- The time of a move may be the last move's.
SELECT "timestamp", time_in_stage, reason FROM vsm.transition(1, 'Development', '2024-03-03 10:30');
SELECT "timestamp", time_in_stage FROM vsm.transition(1, 'Production', at => '2024-03-31 10:30', expected_from => 'Development');
SELECT * FROM item WHERE id = 1;
-- Without a time it happens now.
SELECT "timestamp" BETWEEN now() AND clock_timestamp() AS just_now,
       time_in_stage = "timestamp" - '2024-03-31 10:30' AS elapsed FROM vsm.transition(1, 'Testing');
SELECT completed_at, reopened, updated_at >= stage_entered_at AS updated, started_at FROM vsm.work_items WHERE id = 1;

SELECT from_stage, to_stage, time_in_stage, reason, actor = current_user AS actor, recorded_at >= "timestamp" AS recorded
FROM vsm.history(1) WHERE from_stage IS DISTINCT FROM 'Production';
-- What transition() returns is the ledger's row.
SELECT r AS returned FROM vsm.transition(2, 'Testing', reason => 'skips stages') r \gset
SELECT count(*) FROM vsm.stage_transitions t WHERE t::text = :'returned';

-- The stage an item is in already: records nothing, changes nothing and returns the latest transition.
SELECT t AS latest FROM vsm.stage_transitions t WHERE work_item_id = 2 ORDER BY id DESC LIMIT 1 \gset
SELECT w AS before FROM vsm.work_items w WHERE id = 2 \gset
SELECT r::text = :'latest' AS latest FROM vsm.transition(2, 'Testing') r;
SELECT r::text = :'latest' AS latest FROM vsm.transition(2, 'Testing', '2024-01-01', 'again', 'Testing') r;
SELECT w::text = :'before' AS unchanged, (SELECT count(*) FROM vsm.stage_transitions WHERE work_item_id = 2) AS rows
FROM vsm.work_items w WHERE id = 2;

-- Expected from another stage: refused, also when the item is where it should go.
\set SHOW_CONTEXT never
SELECT vsm.transition(2, 'Deployment', expected_from => 'Analysis');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.transition(2, 'Testing', expected_from => 'Analysis');
\echo :LAST_ERROR_SQLSTATE
SELECT stage FROM item WHERE id = 2;

-- An unknown item comes before an unknown stage.
SELECT vsm.transition(99, 'Nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.transition(2, 'Nowhere');
\echo :LAST_ERROR_SQLSTATE

-- Several items in one statement, each with its own time and reason.
SELECT count(*) FROM (SELECT vsm.create_work_item('bulk ' || n, at => '2024-05-01') FROM generate_series(1, 3) n) c;
SELECT count(*) FROM (SELECT vsm.transition(w.id, 'Testing', timestamptz '2024-05-02' + w.id * interval '1 hour', 'was ' || title)
                      FROM vsm.work_items w WHERE title LIKE 'bulk%') t;
SELECT h.to_stage, h."timestamp", h.reason FROM vsm.work_items w, vsm.history(w.id) h
WHERE title LIKE 'bulk%' AND from_stage IS NOT NULL ORDER BY w.id;

-- A reason belongs to its move alone.
SELECT reason FROM vsm.transition(3, 'Deployment', reason => 'ready');
UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Production') WHERE id = 3;
SELECT to_stage, reason FROM vsm.history(3);

-- Two streams may have stages of the same name.
SELECT name FROM vsm.define_stream('ops', '[{"name": "Testing"}, {"name": "Gone", "category": "done"}]');
SELECT id AS ops FROM vsm.create_work_item('other stream', stream => 'ops') \gset
SELECT s.stream, s.name FROM vsm.transition(:ops, 'Gone') t JOIN vsm.stages s ON s.id = t.to_stage_id;
SELECT s.stream, s.name FROM vsm.transition(:ops, 'Testing') t JOIN vsm.stages s ON s.id = t.to_stage_id;
