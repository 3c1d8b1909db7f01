-- Rolled back, by transaction, savepoint or failed statement, a change has left nothing; deletion takes the ledger rows along.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
SELECT title FROM vsm.create_work_item('kept', external_id => 'K');
CREATE VIEW everything AS
    SELECT w.id, w.title, s.name AS stage, w.started_at IS NOT NULL AS started, w.completed_at IS NOT NULL AS completed,
           (SELECT string_agg(n.name, '>' ORDER BY t."timestamp", t.id) FROM vsm.stage_transitions t JOIN vsm.stages n ON n.id = t.to_stage_id
            WHERE t.work_item_id = w.id) AS moves, (SELECT count(*) FROM vsm.stage_transitions) AS ledger_rows
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;

BEGIN;
SELECT count(*) FROM vsm.transition(1, 'Production');
SELECT title FROM vsm.create_work_item('lost');
SELECT * FROM everything ORDER BY id;
ROLLBACK;
SELECT * FROM everything ORDER BY id;

BEGIN;
SAVEPOINT a;
SELECT count(*) FROM vsm.transition(1, 'Testing');
SAVEPOINT b;
SELECT count(*) FROM vsm.transition(1, 'Production');
ROLLBACK TO b;
SELECT * FROM everything ORDER BY id;
SELECT count(*) FROM vsm.transition(1, 'Deployment');
RELEASE b;
ROLLBACK TO a;
INSERT INTO vsm.work_items (title) VALUES ('lost');
ROLLBACK TO a;
SELECT count(*) FROM vsm.transition(1, 'Analysis');
COMMIT;
SELECT * FROM everything ORDER BY id;

-- A statement that fails at its second row leaves nothing of the first.
INSERT INTO vsm.work_items (title) VALUES ('lost'), ('');
INSERT INTO vsm.work_items (title, external_id) VALUES ('lost', 'L'), ('lost too', 'K');
UPDATE vsm.work_items SET stage_id = CASE WHEN title = 'kept' THEN 4 ELSE 99 END;
INSERT INTO vsm.work_items (title) VALUES ('second');
UPDATE vsm.work_items SET stage_id = CASE WHEN title = 'kept' THEN 4 ELSE 99 END;
SELECT vsm.transition(id, CASE WHEN title = 'kept' THEN 'Testing' ELSE 'Nowhere' END) FROM vsm.work_items ORDER BY id;
SELECT title, stage, moves, ledger_rows FROM everything ORDER BY id;

-- After a failed vsm.transition() in a block, the next UPDATE is not taken for it: no reason, no time of it.
DO $$
BEGIN
    BEGIN
        PERFORM vsm.transition(1, 'Nowhere', '2024-01-01', 'lost reason');
    EXCEPTION WHEN SQLSTATE 'PT404' THEN
        NULL;
    END;
    BEGIN
        PERFORM vsm.transition(1, 'Deployment', '2024-01-01', 'lost reason', 'Production');
    EXCEPTION WHEN SQLSTATE 'PT409' THEN
        UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Deployment') WHERE id = 1;
    END;
END $$;
SELECT to_stage, reason, "timestamp" > now() - interval '1 hour' AS now FROM vsm.history(1);

-- Deletion, atomically.
BEGIN;
DELETE FROM vsm.work_items WHERE title = 'kept';
SELECT count(*) FILTER (WHERE work_item_id = 1) AS of_deleted, count(*) FROM vsm.stage_transitions;
ROLLBACK;
SELECT count(*) FILTER (WHERE work_item_id = 1) AS of_deleted, count(*) FROM vsm.stage_transitions;
DELETE FROM vsm.work_items WHERE title = 'kept';
SELECT count(*) FILTER (WHERE work_item_id = 1) AS of_deleted, count(*) FROM vsm.stage_transitions;
SELECT * FROM vsm.history(1);

-- Also what an import keeps of its events.
CREATE TABLE events (case_id text, stage text, entered_at timestamptz);
INSERT INTO events VALUES ('A', 'Testing', '2024-01-01'), ('A', 'Testing', '2024-01-02'), ('B', 'Testing', '2024-01-01'), ('B', 'Testing', '2024-01-02');
SELECT * FROM vsm.import_events('events');
DELETE FROM vsm.work_items WHERE external_id = 'A';
SELECT count(*) FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id WHERE external_id = 'B';
SELECT count(*) AS merged, count(w.id) AS of_items FROM vsm._merged_events m LEFT JOIN vsm.work_items w ON w.id = m.work_item_id;

-- TRUNCATE empties both, or neither.
BEGIN;
TRUNCATE vsm.work_items;
SELECT (SELECT count(*) FROM vsm.work_items) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves, (SELECT count(*) FROM vsm._merged_events) AS merged;
ROLLBACK;
SELECT (SELECT count(*) FROM vsm.work_items) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves, (SELECT count(*) FROM vsm._merged_events) AS merged;
TRUNCATE vsm.work_items;
SELECT (SELECT count(*) FROM vsm.work_items) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves, (SELECT count(*) FROM vsm._merged_events) AS merged;
SELECT title FROM vsm.create_work_item('after');
SELECT title, stage, moves, ledger_rows FROM everything;
