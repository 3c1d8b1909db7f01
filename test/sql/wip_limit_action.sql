-- vsm.wip_limit_action: a full stage refuses an item, or takes it with a warning and a note in the ledger, or takes it.
-- Only who may set the parameter decides that.
SET check_function_bodies = off;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Inbox", "category": "wait"}, {"name": "Work", "wip_limit": 2}, {"name": "Done", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE name = $1 $$;
CREATE FUNCTION held() RETURNS TABLE (held text, left_over bigint) LANGUAGE sql AS $$
    SELECT string_agg(concat_ws('/', w.stage || ' ' || w.wip, w.wip_limit), ', ' ORDER BY w."order"),
           (SELECT coalesce(sum(abs(c.reserved) + abs(c.difference)), 0) FROM vsm.wip_check() c)::bigint
    FROM vsm.wip w $$;
INSERT INTO vsm.work_items (title) SELECT 'item ' || n FROM generate_series(1, 12) n;
SHOW vsm.wip_limit_action;
SELECT wip_breach FROM vsm.transition(1, 'Work');
SELECT wip_breach FROM vsm.transition(2, 'Work');
SELECT wip_breach FROM vsm.transition(3, 'Work');

-- warn: the number of items that the stage then holds.
SET vsm.wip_limit_action = warn;
SELECT wip_breach FROM vsm.transition(3, 'Work');
SELECT wip_breach FROM vsm.transition(3, 'Work');
SELECT wip_breach FROM vsm.transition(3, 'Inbox');
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE id = 3;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('created', stage('Work'));
COPY vsm.work_items (title, stage_id) FROM stdin;
copied	2
\.
SELECT * FROM held();
SELECT wip_breach FROM vsm.transition(1, 'Done');
SELECT wip_breach FROM vsm.transition(1, 'Work');
-- Within one transaction too; a departure makes no breach good that there still is.
BEGIN;
SELECT wip_breach FROM vsm.transition(4, 'Work');
SELECT wip_breach FROM vsm.transition(5, 'Work');
SAVEPOINT s;
SELECT wip_breach FROM vsm.transition(6, 'Work');
ROLLBACK TO s;
SELECT wip_breach FROM vsm.transition(4, 'Inbox');
SELECT wip_breach FROM vsm.transition(6, 'Work');
COMMIT;
SELECT * FROM held();
SELECT w.title, t.wip_breach FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id WHERE t.to_stage_id = stage('Work') ORDER BY t.id;
-- While there is room there is no warning.
UPDATE vsm.work_items SET stage_id = stage('Inbox') WHERE stage_id = stage('Work');
SELECT wip_breach FROM vsm.transition(1, 'Work');
BEGIN;
SELECT wip_breach FROM vsm.transition(2, 'Work');
SELECT wip_breach FROM vsm.transition(1, 'Inbox');
SELECT wip_breach FROM vsm.transition(3, 'Work');
COMMIT;
SELECT * FROM held();

-- off: nothing is said; what entered counts.
SET vsm.wip_limit_action = off;
SELECT wip_breach FROM vsm.transition(4, 'Work');
INSERT INTO vsm.work_items (title, stage_id) VALUES ('created', stage('Work')), ('created', stage('Work'));
SELECT count(wip_breach) FROM vsm.stage_transitions WHERE id = (SELECT max(id) FROM vsm.stage_transitions);
SELECT * FROM held();
RESET vsm.wip_limit_action;
SELECT count(*) FROM vsm.transition(6, 'Work');
UPDATE vsm.work_items SET stage_id = stage('Inbox') WHERE title = 'created';
SELECT count(*) FROM vsm.transition(2, 'Inbox');
SELECT count(*) FROM vsm.transition(6, 'Work');
SELECT count(*) FROM vsm.transition(7, 'Work');
-- From one to another within a transaction: each entry goes by what is set then, and finds what is there.
BEGIN;
SET LOCAL vsm.wip_limit_action = off;
SELECT count(*) FROM vsm.transition(7, 'Work');
SET LOCAL vsm.wip_limit_action = warn;
SELECT wip_breach FROM vsm.transition(8, 'Work');
SET LOCAL vsm.wip_limit_action = reject;
SAVEPOINT s;
SELECT count(*) FROM vsm.transition(9, 'Work');
ROLLBACK TO s;
COMMIT;
SELECT * FROM held();
SET vsm.wip_limit_action = perhaps;

-- Who may set it: not everybody who may move items.
CREATE ROLE regress_vsm_writer;
SELECT vsm.grant_access('regress_vsm_writer', 'writer');
SET ROLE regress_vsm_writer;
SET vsm.wip_limit_action = off;
SELECT count(*) FROM vsm.transition(9, 'Work');
RESET ROLE;
GRANT SET ON PARAMETER vsm.wip_limit_action TO regress_vsm_writer;
SET ROLE regress_vsm_writer;
SET vsm.wip_limit_action = off;
SELECT count(*) FROM vsm.transition(9, 'Work');
RESET vsm.wip_limit_action;
RESET ROLE;
REVOKE SET ON PARAMETER vsm.wip_limit_action FROM regress_vsm_writer;
-- Also not by setting it before the library is loaded.
\c -
SET ROLE regress_vsm_writer;
SET client_min_messages = error;
DO $$
BEGIN
    SET vsm.wip_limit_action = off;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END $$;
SELECT count(*) FROM vsm.transition(10, 'Work');
SELECT count(*) FROM vsm.transition(10, 'Work');
RESET ROLE;
SELECT * FROM held();
DROP OWNED BY regress_vsm_writer;
DROP ROLE regress_vsm_writer;
