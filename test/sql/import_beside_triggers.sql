-- An import beside triggers of a user: either items and moves are as the events say, or nothing is imported.
CREATE EXTENSION vsm;
SELECT FROM vsm.define_stream('default');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz);
INSERT INTO events SELECT 'C-' || n, s.stage, timestamptz '2026-01-01 00:00Z' + n * interval '1 hour' + s.day * interval '1 day'
FROM generate_series(1, 20) n, (VALUES ('Backlog', 0), ('Testing', 2), ('Production', 4)) s (stage, day);
-- one move more, and one that takes the place of a known one
CREATE TABLE more AS
SELECT case_id, 'Analysis' AS stage, entered_at + interval '6 days' AS entered_at FROM events WHERE stage = 'Production'
UNION ALL
SELECT case_id, 'Testing', entered_at - interval '1 hour' FROM events WHERE stage = 'Testing';

-- What a trigger does to a row.
CREATE TABLE kinds (n serial, on_table text, on_events text, body text);
INSERT INTO kinds (on_table, on_events, body) VALUES
    ('work_items', 'INSERT OR UPDATE', $$IF new.external_id IN ('C-7', 'C-17') THEN RETURN NULL; END IF;$$),
    ('work_items', 'INSERT OR UPDATE', $$new.title := 'by a trigger';$$),
    ('work_items', 'INSERT', $$new.type := 'bug';$$),
    ('stage_transitions', 'INSERT OR UPDATE OR DELETE', ''),
    ('stage_transitions', 'INSERT', $$new.reason := 'by a trigger';$$),
    ('stage_transitions', 'INSERT', $$IF new.id % 7 = 0 THEN RETURN NULL; END IF;$$),
    ('stage_transitions', 'UPDATE', $$RETURN NULL;$$),
    ('stage_transitions', 'DELETE', $$RETURN NULL;$$),
    ('stage_transitions', 'INSERT', $$new.to_stage_id := (SELECT s.id FROM vsm.stages s WHERE s.stream = 'default' AND s.name = 'Analysis');$$),
    ('stage_transitions', 'INSERT', $$new.work_item_id := new.work_item_id + 1;$$),
    ('stage_transitions', 'INSERT', $$IF new.from_stage_id IS NULL THEN new."timestamp" := new."timestamp" - interval '1 hour'; ELSE new.time_in_stage := new.time_in_stage + interval '1 hour'; END IF;$$);
-- each computed column, changed alone
INSERT INTO kinds (on_table, on_events, body)
SELECT c.relname, 'INSERT OR UPDATE', format('new.%I := %s;', a.attname,
    CASE format_type(a.atttypid, a.atttypmod)
        WHEN 'bigint' THEN '(SELECT s.id FROM vsm.stages s WHERE s.stream = ''default'' AND s.name = ''Deployment'')'
        WHEN 'text' THEN '''other'''
        WHEN 'interval' THEN 'interval ''99 days'''
        WHEN 'integer' THEN '7'
        WHEN 'smallint' THEN '7'
        ELSE 'timestamptz ''2026-01-02 03:04Z'''
    END)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE a.attrelid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT (c.relname = 'work_items' AND a.attname IN ('id', 'external_id', 'title', 'type', 'updated_at', 'attributes')
           OR c.relname = 'stage_transitions' AND a.attname IN ('work_item_id', 'id', 'to_stage_id', 'reason', 'actor', 'wip_breach'))
ORDER BY c.relname DESC, a.attnum;
-- and rows that are deleted once they are there
INSERT INTO kinds (on_table, on_events, body) VALUES ('stage_transitions', 'AFTER INSERT', $$DELETE FROM vsm.stage_transitions WHERE work_item_id = new.work_item_id;$$);
SELECT FROM vsm.define_stream('other', '[{"name": "Backlog", "category": "wait"}, {"name": "Deployment"}, {"name": "Production", "category": "done"}]');
\set SHOW_CONTEXT never
\set VERBOSITY default

-- New items, without limits and with them, and known ones.
CREATE FUNCTION try(kind kinds, wip_limit integer, known boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result vsm.import_result;
    detail text;
BEGIN
    DELETE FROM vsm.work_items;
    UPDATE vsm.stages s SET wip_limit = try.wip_limit WHERE s.stream = 'default' AND s.category <> 'done';
    IF known THEN
        PERFORM vsm.import_events('events');
    END IF;
    EXECUTE format('CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS %L',
                   'BEGIN ' || kind.body || CASE WHEN kind.on_events LIKE '%DELETE' THEN ' IF tg_op = ''DELETE'' THEN RETURN old; END IF;' ELSE '' END || ' RETURN new; END');
    EXECUTE format('CREATE TRIGGER zz_meddle %s ON vsm.%I FOR EACH ROW EXECUTE FUNCTION meddle()',
                   CASE WHEN kind.on_events NOT LIKE 'AFTER%' THEN 'BEFORE ' ELSE '' END || kind.on_events, kind.on_table);
    BEGIN
        result := vsm.import_events(CASE WHEN known THEN 'more' ELSE 'events' END::regclass);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        detail := sqlstate || ': ' || sqlerrm || ' ' || detail;
    END;
    DROP FUNCTION meddle() CASCADE;
    RETURN coalesce(detail, result::text) || format(' Items: %s, moves: %s, to be looked at: %s.', (SELECT count(*) FROM vsm.work_items),
        (SELECT count(*) FROM vsm.stage_transitions),
        (SELECT coalesce(sum(q.items), 0) FROM unnest('{default,other}'::text[]) v, vsm.data_quality(v) q
         WHERE q.finding IN ('no_item', 'no_ledger', 'state_differs', 'ledger_gap', 'undefined_stage')));
END $$;
SET client_min_messages = error;
SELECT k.on_table, k.on_events, k.body, v.wip_limit, v.known, try(k, v.wip_limit, v.known)
FROM kinds k, (VALUES (NULL, false), (1000, false), (NULL, true)) v (wip_limit, known)
ORDER BY v.known, v.wip_limit NULLS FIRST, k.n
\gx
