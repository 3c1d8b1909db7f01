-- An import beside triggers of a user on vsm.work_items: either the items are as their moves say, or nothing is imported.
CREATE EXTENSION vsm;
SELECT FROM vsm.define_stream('default');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz);
INSERT INTO events SELECT 'C-' || n, s.stage, timestamptz '2026-01-01 00:00Z' + n * interval '1 hour' + s.day * interval '1 day'
FROM generate_series(1, 20) n, (VALUES ('Backlog', 0), ('Testing', 2), ('Production', 4)) s (stage, day);
CREATE TABLE more AS SELECT case_id, 'Analysis' AS stage, entered_at + interval '6 days' AS entered_at FROM events WHERE stage = 'Production';

CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.external_id NOT IN ('C-7', 'C-17') THEN
        RETURN new;
    ELSIF tg_argv[0] = 'discard' THEN
        RETURN NULL;
    ELSIF tg_argv[0] = 'stage' THEN
        new.stage_id := (SELECT s.id FROM vsm.stages s WHERE s.stream = 'default' AND s.name = 'Deployment');
    ELSIF tg_argv[0] = 'finish' THEN
        new.completed_at := NULL;
    ELSIF tg_argv[0] = 'title' THEN
        new.title := 'by a trigger';
    END IF;
    RETURN new;
END $$;
\set SHOW_CONTEXT never
\set VERBOSITY default

-- New items, without limits and with them, and known ones.
CREATE FUNCTION try(what text, wip_limit integer, known boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result vsm.import_result;
    detail text;
BEGIN
    DELETE FROM vsm.work_items;
    UPDATE vsm.stages s SET wip_limit = try.wip_limit WHERE s.stream = 'default' AND s.category <> 'done';
    IF known THEN
        PERFORM vsm.import_events('events');
    END IF;
    EXECUTE format('CREATE TRIGGER zz_meddle BEFORE INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION meddle(%L)', what);
    BEGIN
        result := vsm.import_events(CASE WHEN known THEN 'more' ELSE 'events' END::regclass);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        detail := sqlstate || ': ' || sqlerrm || ' ' || detail;
    END;
    DROP TRIGGER zz_meddle ON vsm.work_items;
    RETURN coalesce(detail, result::text) || format(' Items: %s, moves: %s, to be looked at: %s.', (SELECT count(*) FROM vsm.work_items),
        (SELECT count(*) FROM vsm.stage_transitions), (SELECT coalesce(sum(q.items), 0) FROM vsm.data_quality() q WHERE q.finding IN ('no_item', 'no_ledger', 'state_differs')));
END $$;
SET client_min_messages = error;
SELECT what, wip_limit, known, try(what, wip_limit, known)
FROM unnest('{discard,stage,finish,title}'::text[]) WITH ORDINALITY w (what, n), (VALUES (NULL, false), (1000, false), (NULL, true)) v (wip_limit, known)
ORDER BY known, wip_limit NULLS FIRST, n
\gx
