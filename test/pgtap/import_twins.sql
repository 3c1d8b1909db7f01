-- import_twins.sql: an import of new items only writes what one writes that may meet known items
--
-- Random logs go into two streams that are alike: one import is of new items, and the same into a stream with a limit that is
-- never reached, whose moves are kept in a table and compared with the ledger.  Ledger, merged events, items and totals are the
-- same; so they are where the ledger has a trigger of its owner's, which needs statements.
BEGIN;
SET client_min_messages = error;       -- a dump does not carry what is done to the ledger here
SELECT no_plan();

CREATE TABLE public.log (case_id text, stage text, entered_at timestamptz, type text, title text);
-- instants: as few as make events meet
CREATE FUNCTION public.make_log(events integer) RETURNS void LANGUAGE sql AS $$
    DELETE FROM public.log;
    INSERT INTO public.log
    SELECT format('X-%s', 1 + floor(random() * events / 8)), (ARRAY['Open', 'Doing', 'Check', 'Done', 'Filed', 'Dropped'])[1 + floor(random() * 6)::integer],
           '2026-01-01Z'::timestamptz + floor(random() * 40) * interval '7 hours', (ARRAY['task', 'bug', NULL])[1 + floor(random() * 3)::integer],
           CASE WHEN random() < 0.3 THEN 'Title ' || n END
    FROM generate_series(1, events) n
$$;
CREATE FUNCTION public.import_log(of_stream text, wip_limit integer) RETURNS vsm.import_result LANGUAGE plpgsql AS $$
BEGIN
    PERFORM vsm.define_stream(of_stream, jsonb_build_array(
        '{"name":"Open","category":"wait"}'::jsonb, jsonb_build_object('name', 'Doing', 'category', 'active', 'wip_limit', wip_limit),
        '{"name":"Check","category":"active"}'::jsonb, '{"name":"Done","category":"done"}'::jsonb, '{"name":"Filed","category":"done"}'::jsonb,
        '{"name":"Dropped","category":"discarded"}'::jsonb));
    RETURN vsm.import_events('public.log', of_stream);
END $$;

-- ids count from the first of the stream
CREATE FUNCTION public.written(of_stream text) RETURNS TABLE (what text, row_ text) LANGUAGE sql STABLE AS $$
    WITH first AS (SELECT min(t.id) AS id, min(t.work_item_id) AS item FROM vsm.stage_transitions t JOIN vsm.value_streams v ON v.id = t.stream_id
                   WHERE v.name = of_stream)
    SELECT 'move', to_jsonb(x)::text
    FROM (SELECT t.work_item_id - first.item AS item, t.id - first.id AS id, f.name AS from_stage, e.name AS to_stage, t."timestamp", t.time_in_stage, t.reason,
                 t.actor, t.type, t.cycle_time, t.lead_time, t.wip_breach, t.undoes, b.name AS furthest_before, t.started_change, t.item_created_at,
                 t.item_started_at, t.active_time, t.wait_time
          FROM first, vsm.stage_transitions t JOIN vsm.stages e ON e.id = t.to_stage_id
          LEFT JOIN vsm.stages f ON f.id = t.from_stage_id LEFT JOIN vsm.stages b ON b.id = t.furthest_before
          WHERE e.stream = of_stream) x
    UNION ALL
    SELECT 'merged', to_jsonb(x)::text
    FROM (SELECT m.work_item_id - first.item AS item, m.id - first.id AS id, s.name, m."timestamp"
          FROM first, vsm._merged_events m JOIN vsm.stages s ON s.id = m.stage_id WHERE s.stream = of_stream) x
    UNION ALL
    SELECT 'item', to_jsonb(x)::text
    FROM (SELECT w.id - first.item AS id, w.external_id, w.title, w.type, w.created_at, w.updated_at, w.current_stage, w.stage_entered_at, w.started_at,
                 w.completed_at, w.active_time, w.wait_time, w.reopened, w.backward_moves, w.discarded_at, w.discarded, s.name AS furthest
          FROM first, vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.furthest_stage_id WHERE w.stream = of_stream) x
    UNION ALL
    SELECT 'total', to_jsonb(x)::text FROM (SELECT t.total, t.type, t.from_stage, t.to_stage, t.value FROM vsm.flow_totals t WHERE t.stream = of_stream) x
    UNION ALL
    SELECT 'histogram', to_jsonb(x)::text
    FROM (SELECT h.histogram, h.stage, h.le::text, h.count, round(h.sum::numeric, 2) AS sum FROM vsm.flow_histograms h WHERE h.stream = of_stream) x
$$;

CREATE TABLE public.results (n integer, new vsm.import_result, any_ vsm.import_result);
CREATE FUNCTION public.import_twins(nth integer, events integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    a CONSTANT text := 'new ' || nth;
    b CONSTANT text := 'any ' || nth;
BEGIN
    PERFORM make_log(events);
    INSERT INTO results VALUES (nth, import_log(a, NULL), import_log(b, 1000000));
    CREATE TEMPORARY TABLE one ON COMMIT DROP AS SELECT * FROM written(a);
    CREATE TEMPORARY TABLE two ON COMMIT DROP AS SELECT * FROM written(b);
    RETURN NEXT is_empty('(TABLE one EXCEPT ALL TABLE two) UNION ALL (TABLE two EXCEPT ALL TABLE one)',
                         format('log %s of %s events: the same is written', nth, events));
    RETURN NEXT ok((SELECT count(DISTINCT what) FROM one) = 5, format('log %s: moves, merged events, items, totals and histograms were compared', nth));
    DROP TABLE one, two;
END $$;

SELECT setseed(0.26);
SELECT import_twins(1, 16);
SELECT import_twins(2, 900);
SELECT import_twins(3, 4000);
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER of_the_owner BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION public.nothing();
SELECT import_twins(4, 900);
DROP TRIGGER of_the_owner ON vsm.stage_transitions;
CREATE INDEX of_an_expression ON vsm.stage_transitions ((lower(actor)));
SELECT import_twins(5, 900);

-- ids are not always positive
DELETE FROM vsm.work_items;
ALTER SEQUENCE vsm.work_items_id_seq MINVALUE -1000 RESTART -5;
SELECT import_twins(6, 900);

SELECT is(new, any_, format('log %s: the same is counted', n)) FROM results ORDER BY n;
SELECT ok(bool_and((new).merged > 0 AND (new).skipped > 0), 'every log had events that merge, and copies') FROM results WHERE n > 1;
-- A ledger that discards rows is refused by both.
CREATE FUNCTION public.discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN new.id % 10 > 0 THEN new END; END';
CREATE TRIGGER of_the_owner BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION public.discard();
SELECT throws_ok($$SELECT import_log('new 7', NULL)$$, '27000', NULL, 'new items: rows that a trigger discards are missed');
SELECT throws_ok($$SELECT import_log('any 7', 1000000)$$, '27000', NULL, 'any items: rows that a trigger discards are missed');
DROP TRIGGER of_the_owner ON vsm.stage_transitions;

-- An owner who calls it himself, with tables of his own, gets what his columns say and not what lies where they point to.
DROP TABLE IF EXISTS pg_temp.vsm_import, pg_temp.vsm_import_items;
CREATE TEMPORARY TABLE vsm_import (case_id text, stage text, entered_at text, sequence bigint, ord bigint) ON COMMIT DROP;
CREATE TEMPORARY TABLE vsm_import_items (case_id text, item_id text, type bigint) ON COMMIT DROP;
INSERT INTO vsm_import VALUES ('a', 'Open', '2026-01-01Z', 1, 1);
INSERT INTO vsm_import_items VALUES ('a', '500000', 4096);
SELECT results_eq($$SELECT n.item_id, n.created_at FROM vsm._import_new_items('new 1', (SELECT v.id FROM vsm.value_streams v WHERE v.name = 'new 1'), now()) n$$,
                  $$VALUES (500000::bigint, '2026-01-01Z'::timestamptz)$$, 'columns of other types are converted');
SELECT is((SELECT t.type FROM vsm.stage_transitions t WHERE t.work_item_id = 500000), '4096', 'to what the ledger has');
SELECT * FROM finish();
ROLLBACK;
