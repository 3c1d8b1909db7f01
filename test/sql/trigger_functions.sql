-- A trigger function of the extension works on the table that it is made for, as the extension made it, and nowhere else.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
-- what they refuse is what a superuser could still do
ALTER EVENT TRIGGER vsm_shape DISABLE;
ALTER EVENT TRIGGER vsm_shape_dropped DISABLE;
SELECT name FROM vsm.define_stream('default');
SELECT title FROM vsm.create_work_item('item');
-- A role that may execute them all, and has tables of his own.
CREATE ROLE regress_vsm_stranger;
SELECT vsm.grant_access('regress_vsm_stranger', 'writer');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vsm TO regress_vsm_stranger;
CREATE SCHEMA strange AUTHORIZATION regress_vsm_stranger;

-- Whatever is done with the function as a trigger of the table: what the errors were.
CREATE FUNCTION public.attack(shape text, name text, function text) RETURNS TABLE (fired text, error text)
    LANGUAGE plpgsql AS $$
DECLARE
    timing text;
    event text;
    level text;
BEGIN
    EXECUTE format('CREATE TABLE strange.%I %s', name, shape);
    EXECUTE format('INSERT INTO strange.%I DEFAULT VALUES', name);
    FOREACH timing IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP
        FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
            FOREACH level IN ARRAY ARRAY['ROW', 'STATEMENT'] LOOP
                CONTINUE WHEN event = 'TRUNCATE' AND level = 'ROW';
                BEGIN
                    EXECUTE format('CREATE TRIGGER strange %s %s ON strange.%I FOR EACH %s EXECUTE FUNCTION vsm.%I()',
                                   timing, event, name, level, function);
                    EXECUTE CASE event WHEN 'INSERT' THEN format('INSERT INTO strange.%I DEFAULT VALUES', name)
                                       WHEN 'UPDATE' THEN format('UPDATE strange.%I SET id = id', name)
                                       WHEN 'DELETE' THEN format('DELETE FROM strange.%I', name)
                                       ELSE format('TRUNCATE strange.%I', name) END;
                    error := 'none';
                    RAISE EXCEPTION USING errcode = 'ZZ000';
                EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
                    fired := concat_ws(' ', timing, event, level);
                    RETURN NEXT;
                WHEN OTHERS THEN
                    fired := concat_ws(' ', timing, event, level);
                    error := sqlstate;
                    RETURN NEXT;
                END;
            END LOOP;
        END LOOP;
    END LOOP;
    EXECUTE format('DROP TABLE strange.%I', name);
END $$;
CREATE TABLE public.functions AS
SELECT p.proname::text AS function FROM pg_proc p WHERE p.pronamespace = 'vsm'::regnamespace AND p.prorettype = 'trigger'::regtype;
CREATE TABLE public.names (place serial, name text);
INSERT INTO public.names (name) VALUES ('work_items'), ('stage_transitions'), ('_merged_events'), ('value_streams'), ('stages'), ('work_item_types');
-- The shapes: as ours, numbers where ours are texts and texts where ours are numbers, one column, what definitions are read from.
-- Each is tried with the first name, and each name with the first shape.
CREATE TABLE public.shapes (place serial, shape text);
INSERT INTO public.shapes (shape) VALUES
    ('(id bigint DEFAULT 1, stream text DEFAULT ''default'', external_id text, title text DEFAULT ''x'', type text DEFAULT ''task'',
       created_at timestamptz, updated_at timestamptz, stage_id bigint, stage_entered_at timestamptz, started_at timestamptz,
       completed_at timestamptz, active_time interval, wait_time interval, reopened integer, backward_moves integer)'),
    ('(id text DEFAULT ''x'', stream bigint DEFAULT 1, external_id bigint DEFAULT 2, title bigint DEFAULT 3, type bigint DEFAULT 4,
       created_at text DEFAULT ''x'', updated_at text DEFAULT ''x'', stage_id text DEFAULT ''x'', stage_entered_at text, started_at text,
       completed_at text, active_time integer DEFAULT 1, wait_time integer DEFAULT 1, reopened text DEFAULT ''x'', backward_moves text)'),
    ('(id text DEFAULT ''x'')'),
    ('(id bigint DEFAULT 1, name text DEFAULT ''default'', stream text DEFAULT ''default'', commitment_stage text)');
GRANT SELECT ON public.functions, public.names, public.shapes TO regress_vsm_stranger;
ALTER FUNCTION public.attack(text, text, text) OWNER TO regress_vsm_stranger;
SET ROLE regress_vsm_stranger;
SELECT f.function, count(*) AS tried, count(*) FILTER (WHERE a.error = '42809') AS refused, string_agg(DISTINCT a.error, ' ') AS errors
FROM public.functions f CROSS JOIN public.names n JOIN public.shapes s ON 1 IN (n.place, s.place) CROSS JOIN LATERAL public.attack(s.shape, n.name, f.function) a
GROUP BY 1 ORDER BY f.function COLLATE "C";

-- What the error says.
CREATE TABLE strange.work_items (LIKE vsm.work_items);
CREATE TRIGGER zz_vsm_move BEFORE INSERT ON strange.work_items FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
INSERT INTO strange.work_items (title) VALUES ('x');
CREATE TABLE strange.streams (id bigint, name text);
INSERT INTO strange.streams VALUES (1, 'default');
CREATE TRIGGER gone AFTER DELETE ON strange.streams REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._value_streams_gone();
DELETE FROM strange.streams;
CREATE TRIGGER totals AFTER DELETE ON strange.streams REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_superseded();
DROP TRIGGER gone ON strange.streams;
DELETE FROM strange.streams;
-- Partitions and temporary tables are other tables too.
CREATE TABLE strange.parts (LIKE vsm.work_items) PARTITION BY LIST (stream);
CREATE TABLE strange.part PARTITION OF strange.parts DEFAULT;
CREATE TRIGGER zz_vsm_move BEFORE INSERT ON strange.parts FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
INSERT INTO strange.parts (title, stream) VALUES ('x', 'default');
CREATE TEMPORARY TABLE work_items (LIKE vsm.work_items);
CREATE TRIGGER zz_vsm_move BEFORE INSERT ON work_items FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
INSERT INTO work_items (title) VALUES ('x');
DROP TABLE work_items;
RESET ROLE;
SELECT (SELECT count(*) FROM vsm.stages) AS stages, (SELECT count(*) FROM vsm.superseded_transitions) AS kept, (SELECT count(*) FROM vsm.work_items) AS items,
       (SELECT count(*) FROM vsm.stage_transitions) AS moves;

-- On their own table, at another time: an error as well.  A second trigger that records does not record twice.
BEGIN;
CREATE TRIGGER strange AFTER INSERT ON vsm.work_items FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_item_after();
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK;
BEGIN;
CREATE TRIGGER strange BEFORE DELETE ON vsm.work_items FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_item_before();
DELETE FROM vsm.work_items;
ROLLBACK;
BEGIN;
CREATE TRIGGER strange AFTER INSERT ON vsm.work_items FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_items_truncated();
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK;
BEGIN;
CREATE TRIGGER strange AFTER INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK;
BEGIN;
CREATE TRIGGER strange AFTER INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION vsm._ledger_guard();
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK;
BEGIN;
CREATE TRIGGER strange BEFORE INSERT ON vsm.stages FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
INSERT INTO vsm.stages (name, "order") VALUES ('x', 77);
ROLLBACK;
BEGIN;
CREATE TRIGGER strange BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION vsm._totals_unknown();
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK;
BEGIN;
CREATE TRIGGER vsm_strange AFTER INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
SAVEPOINT s;
INSERT INTO vsm.work_items (title) VALUES ('x');
ROLLBACK TO s;
SELECT vsm.transition(1, 'Testing');
ROLLBACK;

-- Columns that the tables' owner has changed.
CREATE FUNCTION public.changed(change text, statement text) RETURNS TABLE (state text, message text, detail text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'ALTER TABLE vsm.work_items ' || change;
    EXECUTE statement;
    RAISE EXCEPTION 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text, detail = pg_exception_detail;
    RETURN NEXT;
END $$;
SELECT c.change, s.statement, r.*
FROM (VALUES ('RENAME reopened TO again'), ('ALTER discarded TYPE text'), ('ALTER discarded TYPE bigint'), ('DROP discarded'),
             ('DROP discarded, ADD discarded integer NOT NULL DEFAULT 0')) c (change)
CROSS JOIN (VALUES ('INSERT INTO vsm.work_items (title) VALUES (''x'')'), ('UPDATE vsm.work_items SET stage_id = 2'), ('DELETE FROM vsm.work_items'),
                   ('TRUNCATE vsm.work_items')) s (statement)
CROSS JOIN LATERAL public.changed(c.change, s.statement) r ORDER BY c.change COLLATE "C", s.statement COLLATE "C";
-- What was found is forgotten when the tables are others.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION vsm CASCADE;
CREATE EXTENSION vsm;
SELECT title, stage_id FROM vsm.create_work_item('in the new tables');
SELECT to_stage_id FROM vsm.transition(1, 'Testing');
ROLLBACK;
SELECT to_stage_id FROM vsm.transition(1, 'Development');
SELECT to_stage_id FROM vsm.transition(1, 'Backlog');
-- Nulls where there should be none.
CREATE FUNCTION public.nulled(col text, statement text) RETURNS TABLE (state text, message text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE vsm.work_items ALTER %I DROP NOT NULL', col);
    SET LOCAL vsm.recording = off;
    EXECUTE format('UPDATE vsm.work_items SET %I = NULL', col);
    SET LOCAL vsm.recording = on;
    EXECUTE statement;
    RAISE EXCEPTION 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text;
    RETURN NEXT;
END $$;
SELECT c.col, s.statement, r.*
FROM (VALUES ('stream'), ('title'), ('type'), ('created_at'), ('updated_at'), ('stage_id'), ('stage_entered_at'), ('active_time'), ('wait_time'), ('reopened'), ('backward_moves')) c (col)
CROSS JOIN (VALUES ('SELECT vsm.transition(1, ''Testing'')'), ('UPDATE vsm.work_items SET stage_id = 2'), ('UPDATE vsm.work_items SET external_id = ''x'''),
                   ('DELETE FROM vsm.work_items'), ('TRUNCATE vsm.work_items')) s (statement)
CROSS JOIN LATERAL public.nulled(c.col, s.statement) r ORDER BY c.col COLLATE "C", s.statement COLLATE "C";
-- The owner can repair them.
ALTER TABLE vsm.work_items ALTER active_time DROP NOT NULL, ALTER stage_id DROP NOT NULL;
SET vsm.recording = off;
UPDATE vsm.work_items SET active_time = NULL, stage_id = NULL;
RESET vsm.recording;
UPDATE vsm.work_items SET title = 'x';
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.wip_check() WHERE table_count <> 0 OR difference <> 0;
SET vsm.recording = off;
UPDATE vsm.work_items SET active_time = '0', stage_id = 1;
RESET vsm.recording;
ALTER TABLE vsm.work_items ALTER active_time SET NOT NULL, ALTER stage_id SET NOT NULL;
SELECT to_stage_id FROM vsm.transition(1, 'Testing');
SELECT title, stage_id FROM vsm.work_items;
SELECT stage, table_count, difference FROM vsm.wip_check() WHERE table_count <> 0 OR difference <> 0;

\set VERBOSITY terse
DROP SCHEMA strange CASCADE;
DROP OWNED BY regress_vsm_stranger CASCADE;
DROP ROLE regress_vsm_stranger;
