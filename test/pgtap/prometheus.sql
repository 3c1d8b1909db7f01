-- prometheus.sql: what vsm_api.prometheus() says is what the tables say, after random histories of two streams
--
-- The text is read as a scraper reads it, and every sample computed again from the ledger and the items in plain SQL.
-- The seed is fixed; psql -v seed=N tries another history.

\if :{?seed}
\else
\set seed 20260105
\endif

SET client_min_messages = warning;
SET timezone = 'Asia/Tokyo';
CREATE SCHEMA t;

SELECT no_plan();
SELECT diag('seed ' || :seed);

-- ---- The text, and the tables ----

CREATE FUNCTION t.samples() RETURNS TABLE (name text, labels text, value float8) LANGUAGE sql AS $$
    SELECT m[1], m[2], m[3]::float8
    FROM regexp_split_to_table(vsm_api.prometheus(), E'\n') line
    CROSS JOIN LATERAL regexp_match(line, '^([a-z_]+)\{(.*)\} ([^ ]+)$') m
    WHERE line !~ '^#' AND line <> '' $$;

CREATE FUNCTION t.histogram(name text, labels text, seconds float8[], unit float8, bounds float8[])
    RETURNS TABLE (name text, labels text, value float8) LANGUAGE sql AS $$
    SELECT $1 || '_bucket', format('%s,le="%s"', $2, coalesce(b::text, '+Inf')), (SELECT count(*) FROM unnest($3) s WHERE b IS NULL OR s <= b * $4)
    FROM unnest($5 || NULL::float8) b
    UNION ALL SELECT $1 || '_count', $2, cardinality($3)
    UNION ALL SELECT $1 || '_sum', $2, (SELECT coalesce(sum(floor(s * 1000) / 1000), 0) FROM unnest($3) s) / $4 $$;

-- From the first move, or from where it has folded up to, to the last midnight in the stream's zone.
CREATE FUNCTION t.days_waiting(v vsm.value_streams) RETURNS float8 LANGUAGE sql AS $$
    SELECT ceil(greatest(0, extract(epoch FROM date_trunc('day', now() AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone - greatest(
        min(t."timestamp"), (SELECT f.settled_until FROM vsm._folds f WHERE f.stream_id = v.id))) / 86400))
    FROM vsm.stage_transitions t JOIN vsm.work_items i ON i.id = t.work_item_id WHERE i.stream = v.name $$;

CREATE FUNCTION t.expected() RETURNS TABLE (name text, labels text, value float8) LANGUAGE sql AS $$
    WITH moves AS MATERIALIZED (
        SELECT i.stream, i.type, f.name AS "from", s.name AS "to", extract(epoch FROM t.time_in_stage)::float8 AS stay,
               extract(epoch FROM t.cycle_time)::float8 AS cycle, extract(epoch FROM t.lead_time)::float8 AS lead
        FROM vsm.stage_transitions t JOIN vsm.work_items i ON i.id = t.work_item_id JOIN vsm.stages s ON s.id = t.to_stage_id
        LEFT JOIN vsm.stages f ON f.id = t.from_stage_id),
    seconds AS (SELECT '{3600,14400,28800,86400,172800,259200,604800,1209600,2592000}'::float8[] AS bounds)
    SELECT 'vsm_work_items_created_total', format('stream="%s",type="%s"', v.name, y.name),
           (SELECT count(*) FROM vsm.work_items i WHERE i.stream = v.name AND i.type = y.name)
    FROM vsm.value_streams v CROSS JOIN vsm.work_item_types y
    UNION ALL
    SELECT 'vsm_stage_transitions_total', format('stream="%s",from_stage="%s",to_stage="%s"', s.stream, coalesce(f.name, 'none'), s.name),
           (SELECT count(*) FROM moves m WHERE m.stream = s.stream AND m."to" = s.name AND m."from" IS NOT DISTINCT FROM f.name)
    FROM vsm.stages s CROSS JOIN LATERAL (SELECT f.name FROM vsm.stages f WHERE f.stream = s.stream AND f.id <> s.id UNION ALL SELECT NULL) f
    UNION ALL
    SELECT 'vsm_work_in_progress', format('stream="%s",stage="%s"', s.stream, s.name), (SELECT count(*) FROM vsm.work_items i WHERE i.stage_id = s.id)
    FROM vsm.stages s WHERE s.category <> 'done'
    UNION ALL
    SELECT 'vsm_wip_limit', format('stream="%s",stage="%s"', s.stream, s.name), s.wip_limit FROM vsm.stages s WHERE s.wip_limit IS NOT NULL
    UNION ALL
    SELECT 'vsm_throughput_per_day', format('stream="%s"', v.name),
           (SELECT count(*) FROM vsm.work_items i WHERE i.stream = v.name AND (i.completed_at AT TIME ZONE v.time_zone)::date = (now() AT TIME ZONE v.time_zone)::date)
    FROM vsm.value_streams v
    UNION ALL
    SELECT 'vsm_fold_days_waiting', format('stream="%s"', v.name), t.days_waiting(v)
    FROM vsm.value_streams v
    UNION ALL
    SELECT h.* FROM vsm.value_streams v
    CROSS JOIN LATERAL t.histogram('vsm_cycle_time_hours', format('stream="%s"', v.name),
        ARRAY(SELECT m.cycle FROM moves m WHERE m.stream = v.name AND m.cycle IS NOT NULL), 3600, '{1,4,8,24,48,72,168,336,720}') h
    UNION ALL
    SELECT h.* FROM vsm.value_streams v CROSS JOIN seconds
    CROSS JOIN LATERAL t.histogram('vsm_lead_time_seconds', format('stream="%s"', v.name),
        ARRAY(SELECT m.lead FROM moves m WHERE m.stream = v.name AND m.lead IS NOT NULL), 1, seconds.bounds) h
    UNION ALL
    SELECT h.* FROM vsm.stages s CROSS JOIN seconds
    CROSS JOIN LATERAL t.histogram('vsm_stage_cycle_time_seconds', format('stream="%s",stage="%s"', s.stream, s.name),
        ARRAY(SELECT m.stay FROM moves m WHERE m.stream = s.stream AND m."from" = s.name AND m.stay IS NOT NULL), 1, seconds.bounds) h $$;

-- Sums are compared to the rounding of floating point.
CREATE FUNCTION t.differences() RETURNS TABLE (name text, labels text, told float8, expected float8) LANGUAGE sql AS $$
    SELECT name, labels, s.value, e.value FROM t.samples() s FULL JOIN t.expected() e USING (name, labels)
    WHERE s.value IS NULL OR e.value IS NULL OR abs(s.value - e.value) > 1e-9 * greatest(1, abs(e.value)) $$;

-- ---- Histories ----

SELECT setseed((:seed % 1000) / 1000.0) \g /dev/null
SELECT vsm_api.prepare() \g /dev/null
SELECT vsm.define_stream('support', '[{"name":"New","category":"wait"},{"name":"Working","wip_limit":5000},{"name":"Closed","category":"done"},{"name":"Dropped","category":"done"}]',
                         'Pacific/Auckland') \g /dev/null

SELECT is_empty('SELECT * FROM t.differences()', 'before the first item: all counters at 0');
-- A counter that appears with its first event has no increase then.
CREATE TABLE t.defined AS SELECT name, labels FROM t.samples();

-- Every move goes forward in time; some finish within the hour, some take a month, some come back.
CREATE PROCEDURE t.live(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
    item vsm.work_items;
    at timestamptz;
BEGIN
    FOR n IN 1 .. rounds LOOP
        item := vsm.create_work_item('item', (ARRAY['task', 'bug', 'epic'])[1 + floor(random() * 3)], (ARRAY['default', 'support'])[1 + floor(random() * 2)],
                                     at => now() - random() ^ 3 * interval '200 days');
        at := item.created_at;
        FOR moves IN 1 .. floor(random() * 9) LOOP
            at := at + random() ^ 4 * interval '40 days';
            EXIT WHEN at > now();
            PERFORM vsm.transition(item.id, s.name, at) FROM vsm.stages s WHERE s.stream = item.stream ORDER BY random() LIMIT 1;
        END LOOP;
        IF n % 20 = 0 THEN
            ROLLBACK;
        ELSIF n % 3 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
    COMMIT;
END $$;
CALL t.live(300);
SELECT is_empty('SELECT * FROM t.differences()', 'after moves, reopenings and rollbacks');

CREATE TABLE t.events AS SELECT * FROM vsm.simulate(400, 120, :seed, now()) ORDER BY random();
SELECT vsm.import_events('t.events') \g /dev/null
SELECT is_empty('SELECT * FROM t.differences()', 'after an import in any order');

CALL t.live(100);
SELECT vsm.transition(vsm_item.id, 'Closed') FROM vsm.create_work_item('of today', stream => 'support') vsm_item \g /dev/null
SELECT is_empty('SELECT * FROM t.differences()', 'and after more moves');
SELECT cmp_ok(count(*), '>', 150::bigint, 'which are many samples') FROM t.samples();
SELECT results_eq('SELECT name, labels FROM t.samples() ORDER BY 1, 2', 'SELECT name, labels FROM t.defined ORDER BY 1, 2',
                  'all of them there since the streams were defined');
SELECT cmp_ok(count(*), '>', 100::bigint, 'of which many count by now') FROM t.samples() WHERE name ~ '_(total|bucket|count)$' AND value > 0;
SELECT cmp_ok(value, '>=', 1::float8, 'and of today') FROM t.samples() WHERE name = 'vsm_throughput_per_day' AND labels = 'stream="support"';

-- ---- Folding ----

SELECT cmp_ok(max(value), '>', 100::float8, 'many days wait while nobody folds') FROM t.samples() WHERE name = 'vsm_fold_days_waiting';
-- the first call closes the days, a later one folds them, once transactions of before have ended, such as autovacuum's
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT is_empty('SELECT * FROM t.differences()', 'when days are closed');
CREATE PROCEDURE t.fold(of_stream text) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. 600 LOOP
        EXIT WHEN (SELECT f.days_waiting FROM vsm.fold(of_stream) f) = 0;
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
CALL t.fold('support');
SELECT results_eq($$SELECT stream, waiting > 100 FROM (SELECT substring(labels from '"(.*)"') AS stream, value AS waiting FROM t.samples()
                                                       WHERE name = 'vsm_fold_days_waiting') w ORDER BY stream$$,
                  $$VALUES ('default', true), ('support', false)$$, 'a stream that is folded waits no longer, another one does');
SELECT is((vsm_api.health() ->> 'fold_days_waiting')::float8, (SELECT max(value) FROM t.samples() WHERE name = 'vsm_fold_days_waiting'),
          'health tells of the one that is furthest behind');
CALL t.fold('default');
SELECT is((vsm_api.health() ->> 'fold_days_waiting')::integer, 0, 'until all are folded');
SELECT is_empty('SELECT * FROM t.differences()', 'which a scrape tells too');

-- ---- Many stages ----

CREATE FUNCTION t.pairs(of_stream text) RETURNS TABLE (from_stage text, to_stage text, value float8) LANGUAGE sql AS $$
    SELECT m[2], m[3], s.value
    FROM t.samples() s CROSS JOIN LATERAL regexp_match(s.labels, 'stream="(.*)",from_stage="(.*)",to_stage="(.*)"') m
    WHERE s.name = 'vsm_stage_transitions_total' AND m[1] = of_stream $$;
BEGIN;
SELECT vsm.define_stream('many', (SELECT jsonb_agg(jsonb_build_object('name', 's' || n, 'category', CASE n WHEN 50 THEN 'done' ELSE 'active' END) ORDER BY n)
                                  FROM generate_series(1, 50) n)) \g /dev/null
SELECT is(count(*), 50 + 50 * 49::bigint, 'of 50 stages, all pairs begin at 0') FROM t.pairs('many');
INSERT INTO vsm.stages (stream, name, "order") SELECT 'many', 'n' || n, 1000 + n FROM generate_series(1, 440) n;
SELECT set_eq($$SELECT from_stage, to_stage FROM t.pairs('many')$$, $$
    WITH s AS (SELECT name, row_number() OVER (ORDER BY "order") AS place FROM vsm.stages WHERE stream = 'many')
    SELECT 'none', name FROM s UNION ALL SELECT a.name, b.name FROM s a JOIN s b ON abs(a.place - b.place) = 1$$,
    'of 490, those of neighbours, in both directions');
SELECT vsm.transition(i.id, 's7') FROM vsm.create_work_item('far', stream => 'many') i \g /dev/null
UPDATE vsm.stages SET retired_at = now() WHERE stream = 'many' AND name = 's3';
-- totals are of committed transactions
COMMIT;
SELECT is((SELECT value FROM t.pairs('many') WHERE from_stage = 's1' AND to_stage = 's7'), 1::float8, 'a pair that occurs is told from then on');
SELECT set_eq($$SELECT from_stage, to_stage FROM t.pairs('many') WHERE value = 0 AND from_stage IN ('s2', 's4')$$,
              $$VALUES ('s2', 's1'), ('s2', 's4'), ('s4', 's2'), ('s4', 's5')$$, 'stages on both sides of a retired one are neighbours');
DELETE FROM vsm.work_items WHERE stream = 'many';
DELETE FROM vsm.value_streams WHERE name = 'many';

-- ---- What makes a scrape small and steady ----

CREATE FUNCTION t.rows_read(of_table regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_tuples_returned(of_table) + pg_stat_get_xact_tuples_fetched(of_table)
           + (SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint FROM pg_index i WHERE i.indrelid = of_table) $$;

CREATE TABLE t.before AS SELECT * FROM t.samples();
SELECT is(count(*), count(DISTINCT (name, labels)), 'no sample is told twice') FROM t.before;
DELETE FROM vsm.work_items WHERE id % 3 = 0;
SELECT is_empty($$SELECT * FROM t.before b LEFT JOIN t.samples() s USING (name, labels)
                  WHERE name !~ '^vsm_(work_in_progress|throughput_per_day|wip_limit|fold_days_waiting)' AND (s.value IS NULL OR s.value < b.value)$$, 'nothing that counts falls when items are deleted');
-- it notes what it adds, so the next look counts nothing
SELECT vsm.import_events('t.events') \g /dev/null
BEGIN;
CREATE TEMPORARY TABLE reads ON COMMIT DROP AS SELECT t.rows_read('vsm.stage_transitions') AS before;
SELECT count(*) FROM vsm.flow_totals \g /dev/null
SELECT is(t.rows_read('vsm.stage_transitions'), before, 'the totals need no recount after an import') FROM reads;
COMMIT;
SELECT is_empty($$SELECT * FROM t.before b LEFT JOIN t.samples() s USING (name, labels)
                  WHERE name !~ '^vsm_(work_in_progress|throughput_per_day|wip_limit|fold_days_waiting)' AND (s.value IS NULL OR s.value < b.value)$$, 'nor when their history comes again');
SELECT is((SELECT count(*) FROM t.samples()), (SELECT count(*) FROM t.before), 'more items are no more samples');

BEGIN;
CREATE TEMPORARY TABLE reads ON COMMIT DROP AS SELECT t.rows_read('vsm.stage_transitions') AS before;
SELECT length(vsm_api.prometheus()) \g /dev/null
SELECT cmp_ok(t.rows_read('vsm.stage_transitions') - before, '<=', (
    SELECT 4 * count(*) FROM vsm.stage_transitions WHERE "timestamp" > now() - interval '26 hours'),
    'a scrape reads no ledger row but of today') FROM reads;
SELECT count(*) FROM vsm.stage_transitions \g /dev/null
SELECT isnt(t.rows_read('vsm.stage_transitions'), before, 'and this would have shown if it did') FROM reads;
COMMIT;

SELECT * FROM finish();
