-- With counters, a transaction that holds a place in a stage with a limit cannot be prepared: the place would not outlive a restart.
-- Without, it can, and whoever wants to enter the stage waits for it.
SET check_function_bodies = off;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Inbox", "category": "wait"}, {"name": "Test", "wip_limit": 2}, {"name": "Done", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE name = $1 $$;
CREATE VIEW held AS
    SELECT w.stage, w.wip, w.source, c.difference, c.reserved FROM vsm.wip w JOIN vsm.wip_check() c USING (stage);
INSERT INTO vsm.work_items (title) VALUES ('a'), ('b'), ('c');

BEGIN;
SELECT count(*) FROM vsm.transition(1, 'Test');
PREPARE TRANSACTION 'move';
COMMIT PREPARED 'move';
SELECT * FROM held;
BEGIN;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('d', stage('Test'));
PREPARE TRANSACTION 'create';
ROLLBACK PREPARED 'create';
SELECT * FROM held;
-- A place given back by ROLLBACK TO is no hindrance, one that is empty again is.
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM vsm.transition(2, 'Test');
ROLLBACK TO s;
SELECT count(*) FROM vsm.transition(3, 'Done');
PREPARE TRANSACTION 'nothing';
COMMIT PREPARED 'nothing';
SELECT * FROM held;
BEGIN;
SELECT count(*) FROM vsm.transition(2, 'Test');
SELECT count(*) FROM vsm.transition(2, 'Inbox');
PREPARE TRANSACTION 'to and fro';
ROLLBACK PREPARED 'to and fro';
SELECT * FROM held;
-- An entry that is not checked holds a place like any other.
BEGIN;
SET LOCAL vsm.wip_limit_action = off;
SELECT count(*) FROM vsm.transition(2, 'Test');
PREPARE TRANSACTION 'unchecked';
ROLLBACK PREPARED 'unchecked';
SELECT * FROM held;
