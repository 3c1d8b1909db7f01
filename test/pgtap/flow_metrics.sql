-- flow_metrics.sql: the rows of vsm.flow_metrics are what vsm.metrics() says of their periods, after whatever has happened.

BEGIN;
SET client_min_messages = warning;
SET intervalstyle = postgres;
SELECT plan(22);

-- Moves of 400 items in 2023 and 2024, through a zone with daylight saving.
SELECT vsm.define_stream('port', '[{"name": "Queue", "category": "wait"}, {"name": "Work"}, {"name": "Check", "category": "wait"},
                                   {"name": "Out", "category": "done"}]', time_zone => 'Europe/Berlin');
CREATE TEMP TABLE events AS
SELECT 'c' || n AS case_id, stage, entered_at, 'bug'::text AS type
FROM generate_series(1, 400) n
CROSS JOIN LATERAL (SELECT '2023-11-20 UTC'::timestamptz + n * 7.7 * interval '1 hour' AS born) b
CROSS JOIN LATERAL (VALUES ('Queue', born), ('Work', born + n % 13 * interval '5 hours'), ('Check', born + n % 31 * interval '11 hours'),
                           ('Out', born + (n % 31 * 11 + n % 17 * 29) * interval '1 hour'),
                           -- every ninth comes back, and every second of those goes again
                           ('Work', CASE WHEN n % 9 = 0 THEN born + interval '40 days' END),
                           ('Out', CASE WHEN n % 18 = 0 THEN born + interval '47 days' END)) m (stage, entered_at)
WHERE entered_at IS NOT NULL;

-- Rows that vsm.metrics() contradicts, by the window of their period up to when they were computed; and days that are missing.
CREATE FUNCTION pg_temp.wrong() RETURNS TABLE (period_type text, date date) LANGUAGE sql AS $$
    SELECT f.period_type, f.date
    FROM vsm.flow_metrics f
    JOIN vsm.value_streams v ON v.name = f.stream
    CROSS JOIN LATERAL vsm.metrics(f.stream, f.date::timestamp AT TIME ZONE v.time_zone,
        least(f.created_at, (f.date + ('1 ' || f.period_type)::interval) AT TIME ZONE v.time_zone)) m
    WHERE f.throughput <> m.throughput OR abs(f.wip - m.wip) > 1e-9 OR abs(f.started_wip - m.started_wip) > 1e-9 OR coalesce(vsm.num_vals(f.sketch), 0) <> m.cycle_time_n
       OR m.cycle_time_n > 0
          AND (f.cycle_time_avg - m.cycle_time_avg NOT BETWEEN '-2 us' AND '2 us'
               OR EXISTS (SELECT FROM (VALUES (f.cycle_time_p50, m.cycle_time_p50), (f.cycle_time_p85, m.cycle_time_p85),
                                              (f.cycle_time_p95, m.cycle_time_p95)) p (kept, exact)
                          WHERE extract(epoch FROM p.kept) NOT BETWEEN 0.99 * extract(epoch FROM p.exact) AND 1.01 * extract(epoch FROM p.exact)))
    UNION ALL
    SELECT 'missing', d::date
    FROM (SELECT min(w.created_at AT TIME ZONE v.time_zone) AS born, w.stream
          FROM vsm.work_items w JOIN vsm.value_streams v ON v.name = w.stream GROUP BY w.stream) b,
         generate_series(date_trunc('day', b.born), '2024-05-31', '1 day') d
    WHERE NOT EXISTS (SELECT FROM vsm.flow_metrics f WHERE f.stream = b.stream AND f.period_type = 'day' AND f.date = d)
$$;

SELECT vsm.import_events('events', 'port');
SELECT cmp_ok(vsm.refresh_flow_metrics('port'), '>', 190::bigint, 'the first refresh writes the whole history');
SELECT is_empty('SELECT * FROM pg_temp.wrong()', 'days, weeks and months are what vsm.metrics() says');
SELECT results_eq($$SELECT period_type, sum(throughput) FROM vsm.flow_metrics GROUP BY 1 ORDER BY 1$$,
    $$SELECT p, (SELECT count(*)::numeric FROM vsm.stage_transitions t
                 WHERE t.lead_time IS NOT NULL
                   AND NOT EXISTS (SELECT FROM vsm.stage_transitions u
                                   WHERE u.work_item_id = t.work_item_id AND u.undoes = t."timestamp"
                                     AND date_trunc(p, u."timestamp" AT TIME ZONE 'Europe/Berlin')
                                         = date_trunc(p, t."timestamp" AT TIME ZONE 'Europe/Berlin')))
      FROM unnest('{day,month,week}'::text[]) p$$,
    'a completion counts unless its period has ended it');
SELECT is(vsm.num_vals(vsm.rollup(sketch)),
    (SELECT sum(m.cycle_time_n)::bigint FROM vsm.flow_metrics d,
     vsm.metrics('port', d.date::timestamp AT TIME ZONE 'Europe/Berlin', (d.date + 1)::timestamp AT TIME ZONE 'Europe/Berlin') m
     WHERE d.period_type = 'day'),
    'the days'' sketches roll up to all cycle times') FROM vsm.flow_metrics WHERE period_type = 'day';
SELECT ok(max(date) >= (clock_timestamp() AT TIME ZONE 'Europe/Berlin')::date - 1, 'the last day is today')
FROM vsm.flow_metrics WHERE period_type = 'day';
SELECT is(extract(isodow FROM date), 1::numeric, 'weeks begin on Monday') FROM vsm.flow_metrics WHERE period_type = 'week' LIMIT 1;

-- A second time only what goes on is written: a day, a week, a month.
CREATE TEMP TABLE before AS SELECT id, ctid AS place FROM vsm.flow_metrics;
SELECT is(vsm.refresh_flow_metrics('port'), 3::bigint, 'a second refresh writes the periods that go on');
SELECT is((SELECT count(*) FROM before b JOIN vsm.flow_metrics f USING (id) WHERE f.ctid = b.place), (SELECT count(*) - 3 FROM before),
    'and leaves the others untouched');
SELECT is(vsm.refresh_flow_metrics('port', '2023-12-10', '2023-12-11'), 0::bigint, 'nothing in the past has changed');

-- Late history, in the middle and before the beginning.
CREATE TEMP TABLE late (case_id, stage, entered_at) AS
VALUES ('late1', 'Queue', '2023-12-24 10:00 UTC'::timestamptz), ('late1', 'Work', '2023-12-27 10:00 UTC'), ('late1', 'Out', '2024-01-03 10:00 UTC'),
       ('c50', 'Work', '2023-12-05 UTC'), ('early', 'Queue', '2023-10-31 23:30 UTC'), ('early', 'Work', '2023-11-02 UTC'), ('early', 'Out', '2023-11-03 UTC');
SELECT vsm.import_events('late', 'port');
SELECT isnt_empty('SELECT * FROM pg_temp.wrong()', 'rows wait for the next refresh');
SELECT vsm.refresh_flow_metrics('port', '2023-12-24', '2024-01-04');
SELECT is_empty($$SELECT * FROM pg_temp.wrong() WHERE date BETWEEN '2023-12-01' AND '2024-01-04'$$, 'a refresh of a window mends the window and its month');
SELECT vsm.refresh_flow_metrics('port');
SELECT is_empty('SELECT * FROM pg_temp.wrong()', 'late history is in after a refresh');
SELECT is(min(date), '2023-11-01'::date, 'days before the first one come in, in the stream''s zone') FROM vsm.flow_metrics WHERE period_type = 'day';

-- A finished item comes back, another one goes, the first of all goes.
SELECT count(vsm.transition(id, 'Work')) FROM (SELECT id FROM vsm.work_items WHERE completed_at IS NOT NULL ORDER BY id LIMIT 3 OFFSET 40) q;
DELETE FROM vsm.work_items WHERE external_id IN ('early', 'c7', 'c9', 'c100');
SELECT isnt_empty('SELECT * FROM pg_temp.wrong()', 'reopened and deleted items are in the rows until then');
SELECT vsm.refresh_flow_metrics('port');
SELECT is_empty('SELECT * FROM pg_temp.wrong()', 'reopened and deleted items are out after a refresh');
SELECT is(min(date), '2023-11-20'::date, 'days before the first item''s are gone') FROM vsm.flow_metrics WHERE period_type = 'day';

-- Definitions.
UPDATE vsm.value_streams SET time_zone = 'Pacific/Kiritimati', reopen_rule = 'episodes' WHERE name = 'port';
SELECT vsm.refresh_flow_metrics('port');
SELECT is_empty('SELECT * FROM pg_temp.wrong()', 'another zone and reopen rule');
UPDATE vsm.value_streams SET name = 'harbour' WHERE name = 'port';
SELECT is(count(*), 0::bigint, 'the rows follow a stream''s name') FROM vsm.flow_metrics WHERE stream <> 'harbour';
SELECT is_empty('SELECT * FROM pg_temp.wrong()', 'and stay right');

-- Windows.
SELECT throws_ok($$SELECT vsm.refresh_flow_metrics('nowhere')$$, 'PT404', 'stream "nowhere" not found', 'a stream that is not there');
DELETE FROM vsm.work_items;
SELECT vsm.refresh_flow_metrics('harbour', '2023-11-01');
SELECT is(count(*), 0::bigint, 'no items, no rows') FROM vsm.flow_metrics WHERE date >= '2023-11-01';
DELETE FROM vsm.value_streams WHERE name = 'harbour';
SELECT is(count(*), 0::bigint, 'no stream, no rows') FROM vsm.flow_metrics;

SELECT * FROM finish();
ROLLBACK;
