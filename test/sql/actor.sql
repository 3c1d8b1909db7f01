-- vsm.actor names the person for whom an application moves items; without it the ledger names the role.
SET TimeZone = 'UTC';
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT vsm.define_stream('default') IS NOT NULL AS defined;
CREATE ROLE regress_vsm_app;
SELECT vsm.grant_access('regress_vsm_app', 'writer');
CREATE FUNCTION actors() RETURNS TABLE (item text, actors text) LANGUAGE sql AS $$
    SELECT w.external_id, string_agg(t.actor, ', ' ORDER BY t.id)
    FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id GROUP BY w.external_id ORDER BY w.external_id COLLATE "C" $$;

SET ROLE regress_vsm_app;
SELECT external_id FROM vsm.create_work_item('by the role', external_id => 'A-1');

-- for one transaction, whatever statement moves
BEGIN;
SET LOCAL vsm.actor = 'anna@example.com';
SELECT actor FROM vsm.transition(1, 'Analysis', reason => 'capacity free');
UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Development') WHERE id = 1;
SELECT external_id FROM vsm.create_work_item('by a person', external_id => 'A-2');
COMMIT;
SELECT actor FROM vsm.transition(1, 'Testing');

-- imports too; refused rows belong to the role, whoever it acts for
BEGIN;
SET LOCAL vsm.actor = 'Bjorn O''Neil';
CREATE TEMP TABLE log AS
    SELECT * FROM (VALUES ('A-3', 'Backlog', timestamptz '2026-01-05'), ('A-3', 'Nowhere', '2026-01-06')) v (case_id, stage, entered_at);
SELECT items, transitions, refused FROM vsm.import_events('log', on_error => 'skip');
SELECT case_id, imported_by FROM vsm.import_refusals;
COMMIT;
RESET ROLE;
SELECT * FROM actors();

-- and so does what is superseded
SET vsm.actor = 'carl@example.com';
DELETE FROM vsm.work_items WHERE external_id = 'A-2';
SELECT DISTINCT actor, superseded_by FROM vsm.superseded_transitions;
RESET vsm.actor;

-- a name is one line of at most 255 bytes
SET vsm.actor = E'two\nlines';
DO $$ BEGIN PERFORM set_config('vsm.actor', repeat('x', 256), false); EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE 'refused'; END $$;
SELECT length(set_config('vsm.actor', repeat('x', 255), false));
SELECT length(actor) FROM vsm.transition(1, 'Deployment');
SET vsm.actor = '';
SELECT actor = current_user AS role FROM vsm.transition(1, 'Testing');

DROP FUNCTION actors();
DROP OWNED BY regress_vsm_app;
DROP EXTENSION vsm CASCADE;
DROP ROLE regress_vsm_app;
