-- Settings of a session do not turn recording off in functions of the owner's.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
CREATE ROLE regress_caller;
GRANT USAGE ON SCHEMA public TO regress_caller;
SELECT id FROM vsm.create_work_item('one') \gset
CREATE FUNCTION add() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$INSERT INTO vsm.work_items (title) VALUES ('two') RETURNING title$$;
CREATE FUNCTION copy() RETURNS text LANGUAGE sql SECURITY DEFINER AS
    $$INSERT INTO vsm.work_items (title, stage_id, stage_entered_at, created_at) SELECT 'copy', stage_id, now(), now() FROM vsm.work_items LIMIT 1 RETURNING title$$;
CREATE FUNCTION move() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$UPDATE vsm.work_items SET current_stage = 'Testing' WHERE title = 'one' RETURNING current_stage$$;
CREATE FUNCTION call() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$SELECT to_stage_id FROM vsm.transition((SELECT id FROM vsm.work_items WHERE title = 'one'), 'Deployment')$$;
CREATE FUNCTION rid() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$DELETE FROM vsm.work_items WHERE title = 'one' RETURNING title$$;
CREATE FUNCTION empty() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$TRUNCATE vsm.work_items$$;
CREATE FUNCTION forge() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    $$INSERT INTO vsm.stage_transitions (work_item_id, to_stage_id, "timestamp", actor, stream_id) SELECT id, stage_id, now(), 'x', 1 FROM vsm.work_items LIMIT 1 RETURNING id$$;
CREATE FUNCTION alter() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$UPDATE vsm.stage_transitions SET actor = 'y' RETURNING id$$;
CREATE FUNCTION repair() RETURNS text LANGUAGE sql SECURITY DEFINER SET vsm.recording = off AS $$UPDATE vsm.stage_transitions SET actor = 'repaired' RETURNING actor$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_caller;
CREATE FUNCTION state() RETURNS TABLE (items bigint, moves bigint, findings text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions),
           (SELECT string_agg(q.finding, ' ') FROM vsm.data_quality() q WHERE q.items > 0 AND q.finding NOT IN ('recorded_late', 'moves_at_one_instant')) $$;
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE statement INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN RETURN sqlstate || ': ' || sqlerrm;
END $$;
CREATE TABLE calls (n serial, call text);
INSERT INTO calls (call) SELECT format('SELECT public.%s()', f) FROM unnest('{add,copy,move,call,forge,alter,rid,empty}'::text[]) f;
GRANT SELECT ON calls TO regress_caller;

SET SESSION AUTHORIZATION regress_caller;
SET vsm.recording = off;
SELECT call, public.try(call) FROM public.calls ORDER BY n;
-- nor do those of a restore
RESET vsm.recording;
SET check_function_bodies = off;
SET search_path = '';
SELECT call, public.try(call) FROM public.calls WHERE call !~ 'rid|empty' ORDER BY n;
-- a setting of the function itself is its owner's
SELECT DISTINCT public.repair();
RESET SESSION AUTHORIZATION;
RESET check_function_bodies;
RESET search_path;
SELECT * FROM state();
-- the owner may
SET vsm.recording = off;
SELECT try('SELECT public.alter()') IS NOT NULL AS altered;
RESET vsm.recording;
DROP OWNED BY regress_caller;
DROP ROLE regress_caller;
