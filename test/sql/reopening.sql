-- completed_at, reopened, backward_moves, active_time and wait_time follow an item in and out of done.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Inbox", "category": "wait"}, {"name": "Work"}, {"name": "Queue", "category": "wait"},
    {"name": "Check"}, {"name": "Done", "category": "done"}, {"name": "Archive", "category": "done"}]');
CREATE FUNCTION move(stage text, at timestamptz)
    RETURNS TABLE (time_in_stage interval, started_at timestamptz, completed_at timestamptz, active_time interval, wait_time interval, reopened integer, backward_moves integer)
    LANGUAGE plpgsql AS $$
BEGIN
    SELECT t.time_in_stage INTO time_in_stage FROM vsm.transition(1, stage, at) t;
    SELECT w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened, w.backward_moves
    INTO started_at, completed_at, active_time, wait_time, reopened, backward_moves FROM vsm.work_items w WHERE w.id = 1;
    RETURN NEXT;
END $$;

SELECT id, created_at FROM vsm.create_work_item('item', stream => 'flow', at => '2024-01-01');
-- Waiting before the start does not count.
SELECT * FROM move('Work', '2024-01-03');
SELECT * FROM move('Queue', '2024-01-04');
SELECT * FROM move('Check', '2024-01-06');
-- Finished: 1 day + 6 hours active, 2 days waiting.
SELECT * FROM move('Done', '2024-01-06 06:00');
-- From one done stage to another: not a new completion.
SELECT * FROM move('Archive', '2024-01-07');
-- Reopened; the time in done is neither active nor waiting.  The start stays.
SELECT * FROM move('Inbox', '2024-01-10');
-- Back before the commitment point after the start: waiting counts.
SELECT * FROM move('Check', '2024-01-13');
-- Finished again, by a skip of Done.
SELECT * FROM move('Archive', '2024-01-14');
-- Archive to Done is no reopening.
SELECT * FROM move('Done', '2024-01-15');
SELECT * FROM move('Work', '2024-01-16');
SELECT * FROM move('Done', '2024-01-16');
SELECT from_stage, to_stage, "timestamp", time_in_stage FROM vsm.history(1);

-- An item that finishes without passing a started stage has not started; reopened, it starts when it is worked on.
SELECT id FROM vsm.create_work_item('duplicate', stream => 'flow', at => '2024-01-01');
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(2, 'Done', '2024-01-02');
SELECT started_at, completed_at, active_time, wait_time, reopened, backward_moves FROM vsm.work_items WHERE id = 2;
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(2, 'Queue', '2024-01-03');
SELECT started_at, completed_at, active_time, wait_time, reopened, backward_moves FROM vsm.work_items WHERE id = 2;
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(2, 'Done', '2024-01-05');
SELECT started_at, completed_at, active_time, wait_time, reopened, backward_moves FROM vsm.work_items WHERE id = 2;
