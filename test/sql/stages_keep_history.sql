-- Renaming, reordering and retiring a stage keeps history; one that history refers to cannot be dropped.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
SELECT count(*) FROM (SELECT vsm.create_work_item('item ' || n, at => '2024-01-01') FROM generate_series(1, 2) n) c;
SELECT count(*) FROM (SELECT vsm.transition(1, s, d) FROM (VALUES ('Analysis', date '2024-01-02'), ('Development', '2024-01-04'), ('Production', '2024-01-08')) m (s, d)) t;
CREATE VIEW items AS
    SELECT w.title, s.name AS stage, w.started_at::date, w.completed_at::date, w.active_time, w.wait_time, w.reopened
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;

-- Renamed: the history shows the new name, moves go by it, the old one is unknown.
UPDATE vsm.stages SET name = 'Design' WHERE name = 'Analysis';
SELECT from_stage, to_stage, time_in_stage FROM vsm.history(1);
SELECT vsm.transition(2, 'Analysis');
SELECT to_stage_id FROM vsm.transition(2, 'Design', '2024-01-09');
SELECT stage, wip FROM vsm.wip WHERE wip > 0;

-- Reordered: Design comes before the commitment point now, which is Development as long as Design is a wait stage.
UPDATE vsm.stages SET category = 'wait' WHERE name = 'Design';
SELECT * FROM items ORDER BY title COLLATE "C";
UPDATE vsm.stages SET category = 'active' WHERE name = 'Design';
SELECT * FROM items ORDER BY title COLLATE "C";
-- Two stages change places in one statement; in two, the first is refused.
UPDATE vsm.stages SET "order" = 5 - "order" WHERE name IN ('Design', 'Development');
SELECT string_agg(name, ', ' ORDER BY "order") FROM vsm.stages;
UPDATE vsm.stages SET "order" = 3 WHERE name = 'Development';
SELECT from_stage, to_stage, time_in_stage FROM vsm.history(1);
SELECT backward_moves FROM vsm.metrics('default', '-infinity', 'infinity');
SELECT backward_moves FROM vsm.work_items ORDER BY id;

-- A done stage that becomes active: what was finished is not, and the other way round.
UPDATE vsm.stages SET category = CASE name WHEN 'Production' THEN 'active' ELSE 'done' END WHERE name IN ('Development', 'Production');
SELECT * FROM items ORDER BY title COLLATE "C";
UPDATE vsm.stages SET category = CASE name WHEN 'Production' THEN 'done' ELSE 'active' END WHERE name IN ('Development', 'Production');
SELECT * FROM items ORDER BY title COLLATE "C";

-- Dropped: only what no item has ever been in.
DELETE FROM vsm.stages WHERE name = 'Development';
\echo :LAST_ERROR_SQLSTATE
DELETE FROM vsm.stages WHERE name = 'Backlog';
DELETE FROM vsm.stages WHERE name = 'Deployment';
DELETE FROM vsm.stages;
SELECT string_agg(name, ', ' ORDER BY "order") FROM vsm.stages;
-- The history is gone with its items, and the totals for monitoring still know the stage.
BEGIN;
DELETE FROM vsm.work_items WHERE id = 1;
DELETE FROM vsm.stages WHERE name = 'Development';
ROLLBACK;

-- Retired: no new entries; those in it can leave; what is known of it stays.
UPDATE vsm.stages SET retired_at = now() WHERE name IN ('Design', 'Backlog');
SELECT vsm.transition(1, 'Design');
\echo :LAST_ERROR_SQLSTATE
-- New items begin in the first stage that is in use.
SELECT s.name FROM vsm.create_work_item('item 3', at => '2024-01-09') w JOIN vsm.stages s ON s.id = w.stage_id;
SELECT stage, wip FROM vsm.wip;
SELECT from_stage_id, to_stage_id, time_in_stage FROM vsm.transition(2, 'Testing', '2024-01-10');
SELECT stage, wip FROM vsm.wip;
SELECT stage, visits, avg FROM vsm.time_in_stage('default', '-infinity', 'infinity');
SELECT started_at, active_time FROM vsm.work_items WHERE id = 2;
-- Back in use.
UPDATE vsm.stages SET retired_at = NULL WHERE name = 'Design';
SELECT to_stage_id FROM vsm.transition(2, 'Design', '2024-01-11');

-- A stage cannot change its id or stream.
UPDATE vsm.stages SET id = 99 WHERE name = 'Testing';
\echo :LAST_ERROR_SQLSTATE
SELECT name FROM vsm.define_stream('ops', '[{"name": "Open"}, {"name": "Closed", "category": "done"}]');
UPDATE vsm.stages SET stream = 'ops' WHERE name = 'Testing';

-- The commitment stage: a rename keeps it, it cannot be dropped or become a done stage.
SELECT commitment_stage FROM vsm.define_stream('ops', '[{"name": "Open"}, {"name": "Work"}, {"name": "Check"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Work');
UPDATE vsm.stages SET name = 'Build' WHERE name = 'Work';
SELECT commitment_stage FROM vsm.value_streams WHERE name = 'ops';
DELETE FROM vsm.stages WHERE name = 'Build';
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.stages SET category = 'done' WHERE name = 'Build';
\echo :LAST_ERROR_SQLSTATE
-- Another commitment stage changes what has started.
SELECT count(*) FROM (SELECT vsm.create_work_item('ops item', stream => 'ops', at => '2024-02-01') AS w) c, vsm.transition((w).id, 'Build', '2024-02-02');
SELECT started_at FROM vsm.work_items WHERE title = 'ops item';
UPDATE vsm.value_streams SET commitment_stage = 'Check' WHERE name = 'ops';
SELECT started_at FROM vsm.work_items WHERE title = 'ops item';
UPDATE vsm.value_streams SET commitment_stage = NULL WHERE name = 'ops';
SELECT started_at FROM vsm.work_items WHERE title = 'ops item';
