-- Every function that SQL can call refuses what it cannot work with, whatever its name, and says why.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
-- what they refuse is what a superuser could still do
ALTER EVENT TRIGGER vsm_shape DISABLE;
ALTER EVENT TRIGGER vsm_shape_dropped DISABLE;
SELECT name FROM vsm.define_stream('default', NULL);

-- ---- Arrays ----
SELECT * FROM vsm._wip_now('{}');
SELECT * FROM vsm._wip_now(array_fill(NULL::bigint, ARRAY[3000000]));
SELECT * FROM vsm._wip_now(array_fill(1::bigint, ARRAY[100001]));
SELECT * FROM vsm._wip_now('{1, NULL}');
SELECT * FROM vsm._wip_now('{{1, 2}, {3, 4}}');
\echo :LAST_ERROR_SQLSTATE
-- a null bitmap without a null
SELECT stage_id, wip FROM vsm._wip_now(array_replace('{1, NULL}'::bigint[], NULL, 2::bigint));

-- ---- Forecasts ----
SELECT vsm._forecast_days('{1, 2, 3}', 10, '{50, 100}', 100, 1), vsm._forecast_items('{1, 2, 3}', 10, '{1, 50}', 100, 1);
SELECT vsm._forecast_days('{}', 10, '{50}', 100, 1);
SELECT vsm._forecast_days('{1, NULL}', 10, '{50}', 100, 1);
SELECT vsm._forecast_days('{{1}, {2}}', 10, '{50}', 100, 1);
SELECT vsm._forecast_days(array_fill(1::bigint, ARRAY[3654]), 10, '{50}', 100, 1);
SELECT vsm._forecast_items('{9223372036854775807, 9223372036854775807}', 10, '{50}', 100, 1);
SELECT vsm._forecast_items('{-1}', 10, '{50}', 100, 1);
SELECT vsm._forecast_days('{1}', 10, '{}', 100, 1);
SELECT vsm._forecast_days('{1}', 10, '{NULL}', 100, 1);
SELECT vsm._forecast_days('{1}', 10, '{{50}}', 100, 1);
SELECT vsm._forecast_days('{1}', 10, '{0}', 100, 1);
SELECT vsm._forecast_items('{1}', 10, '{101}', 100, 1);
SELECT vsm._forecast_items('{1}', 10, '{-1000000}', 100, 1);
SELECT vsm._forecast_items('{1}', 10, array_fill(50, ARRAY[101]), 100, 1);
SELECT vsm._forecast_items('{1}', 0, '{50}', 100, 1);
SELECT vsm._forecast_items('{1}', 2147483647, '{50}', 100, 1);
SELECT vsm._forecast_days('{1}', 0, '{50}', 100, 1);
SELECT vsm._forecast_days('{1}', 10, '{50}', 0, 1);
SELECT vsm._forecast_days('{1}', 10, '{50}', 2147483647, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT vsm._forecast_items('{2147483647}', 3653, '{100}', 1, -9223372036854775808), vsm._forecast_days('{0}', 2147483647, '{50}', 1, 9223372036854775807);
SET statement_timeout = '100ms';
SELECT vsm._forecast_items('{1, 2, 3}', 3653, '{50}', 1000000, 1);
RESET statement_timeout;
SELECT vsm._forecast_days('{2}', 10, '{50}', 100, 1, '{}', '{1, 3}'), vsm._forecast_items('{2}', 5, '{50}', 100, 1, '{1}', '{1, 3}'), vsm._forecast_days('{1}', 1, '{50}', 1, 1, '{}', ARRAY(SELECT generate_series(1, 3653)));
SELECT vsm._forecast_days('{1}', 10, '{50}', 100, 1, '{-1}', '{1}');
SELECT vsm._forecast_days('{1}', 10, '{50}', 100, 1, '{1, NULL}', '{1}');
SELECT vsm._forecast_days('{1}', 10, '{50}', 100, 1, '{1}', '{0}');
SELECT vsm._forecast_items('{1}', 10, '{50}', 100, 1, '{1}', '{3654}');
SELECT vsm._forecast_items('{1}', 10, '{50}', 100, 1, '{1}', '{NULL}');
SELECT vsm._forecast_items('{1}', 10, '{50}', 100, 1, '{1}', ARRAY(SELECT 1 FROM generate_series(1, 3654)));
SELECT vsm._forecast_trials('{1, 2}', 1, 3, 1), vsm._forecast_trials('{0}', 1, 1, 1), vsm._forecast_trials('{2}', 3, 2, 1, '{}', '{1}');
SELECT vsm._forecast_trials('{1}', 0, 3, 1);
SELECT vsm._forecast_trials('{1}', 1, 1000001, 1);
SELECT vsm._forecast_trials('{}', 1, 1, 1);
SELECT vsm._forecast_places('{2}', 3, '{50, 95}', 100, 1), vsm._forecast_places('{0}', 1, '{50}', 1, 1), vsm._forecast_places('{2}', 3, '{50}', 100, 1, '{}', '{2}');
SELECT vsm._forecast_places('{1}', 0, '{50}', 100, 1);
SELECT vsm._forecast_places('{1}', 100001, '{50}', 100, 1);
SELECT vsm._forecast_places('{1}', 1, '{101}', 100, 1);
SELECT cardinality(vsm._forecast_places('{0, 2147483647}', 100000, '{1, 50, 100}', 1, -1));

-- ---- Moves and events ----
SELECT vsm._completions(1, now(), 1, NULL);
SELECT vsm._completions(1, now(), 1, 'span');
SELECT vsm._completions(1, now(), 1, rule) FROM unnest('{episodes, span_last}'::text[]) rule;
SELECT vsm._completions(NULL, now(), 1, 'episodes');
SELECT vsm._completions(1, 'infinity', 1, 'episodes');
SELECT vsm._replay(1, NULL, 1);
SELECT vsm._replay(1, now(), NULL);
SELECT vsm._replay(1, '-infinity', 1);
SELECT vsm._replay(1, at, 1) FROM unnest('{4713-01-01 BC, 294276-01-01}'::timestamptz[]) at;
SELECT vsm._sequence(1, now(), true) FROM generate_series(1, 0);
SELECT vsm._sequence(NULL, now(), true);
SELECT vsm._sequence(1, now(), NULL);
SELECT vsm._sequence(1, 'infinity', true);
SELECT vsm._latest(NULL, NULL), vsm._latest('x', NULL), vsm._latest('', 'infinity');
SELECT vsm._summary(1, NULL);
SELECT vsm._summary(NULL, true), vsm._summary(9223372036854775807, false);
\echo :LAST_ERROR_SQLSTATE

-- ---- Figures ----
CREATE FUNCTION sums(item bigint DEFAULT 1, id bigint DEFAULT 1, at timestamptz DEFAULT '2024-01-03', stage bigint DEFAULT 1, created_at timestamptz DEFAULT '2024-01-02',
                     active interval DEFAULT '1 h', wait interval DEFAULT '1 h', bound timestamptz DEFAULT '2024-02-01', wip_until timestamptz DEFAULT '2024-02-01',
                     since timestamptz DEFAULT '2024-01-01', exact boolean DEFAULT true, undone bigint[] DEFAULT NULL, undone_at timestamptz[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT vsm._flow_sums(item, id, at, NULL, stage, NULL, created_at, NULL, active, wait, since, bound, wip_until, false, exact, undone, undone_at) $$;
SELECT sums();
SELECT sums(item => NULL);
SELECT sums(id => NULL);
SELECT sums(at => NULL);
SELECT sums(at => 'infinity');
SELECT sums(stage => NULL);
SELECT sums(created_at => 'infinity');
SELECT sums(active => NULL, wait => NULL);
SELECT sums(since => NULL);
SELECT sums(since => '2024-01-04');
SELECT sums(bound => NULL);
SELECT sums(bound => 'infinity');
SELECT sums(wip_until => 'infinity');
SELECT sums(exact => NULL);
SELECT sums(active => '178000000 years');
-- a completion that was undone does not count; arrays that do not fit are refused, nulls in them ignored
SELECT sums(undone => '{2,1}', undone_at => '{2024-01-03, 2024-01-03}');
SELECT sums(undone => '{1}', undone_at => '{2024-01-04}');
SELECT sums(undone => '{1,NULL}', undone_at => '{NULL,2024-01-03}');
SELECT sums(undone => '{{1},{2}}', undone_at => '{2024-01-03}');
-- of three at one instant, the last by id stands, in whatever order they come
SELECT (s.lead).n AS finished, (s.cycle).n AS started, s.active_us
FROM generate_series(1, 12) n CROSS JOIN LATERAL (
    SELECT (vsm._flow_sums(1, m.id, '2024-01-03', NULL, 1, NULL, '2024-01-02', m.started_at, m.active, '0', '2024-01-01', '2024-02-01', '2024-02-01', false,
                           true, '{1,1}', '{2024-01-03,2024-01-03}' ORDER BY sin(m.id * n))).*
    FROM (VALUES (1, NULL::timestamptz, NULL::interval), (2, NULL, NULL), (3, '2024-01-02 12:00', '12 h')) m (id, started_at, active)) s
GROUP BY 1, 2, 3;
SELECT vsm._elapsed_us('4713-01-01 BC', '294276-12-31');
SELECT vsm._elapsed_us('-infinity', '2024-01-01');
SELECT vsm._interval_us('178000000 years');
SELECT vsm._interval(9223372036854775807), vsm._interval(-9223372036854775808), vsm._bucket(9223372036854775807), vsm._bucket(-9223372036854775808);
SELECT vsm._entered_at('infinity', '1 day');
SELECT vsm._entered_at('4713-01-01 BC', '100000 years');
SELECT vsm._entered_at('2024-01-01', '-200000 years'), vsm._entered_at('2024-01-01', '-292000 years');
SELECT vsm.simulate(days => 36500, until => '4713-01-01 BC');
SELECT vsm.simulate(items => 2147483647);
SELECT count(*) > 0 AS far FROM vsm.simulate(items => 3, days => 1, until => '294276-12-31');
-- a column that lost its NOT NULL
INSERT INTO vsm.work_items (title) VALUES ('without');
ALTER TABLE vsm.work_items ALTER COLUMN active_time DROP NOT NULL;
SET vsm.recording = off;
UPDATE vsm.work_items SET active_time = NULL;
RESET vsm.recording;
SELECT cycle_time_n FROM vsm.metrics();
\echo :LAST_ERROR_SQLSTATE

-- ---- Sketches ----
SELECT vsm._sketch_add(NULL::vsm.sketch, 1.0);
SELECT vsm._sketch_add(NULL::vsm.sketch, NULL);
SELECT vsm._sketch_remove(NULL::vsm.sketch, NULL, 0.01);
SELECT vsm._sketch_remove(NULL::vsm.interval_sketch, NULL);
SELECT vsm._sketch_combine('1 0.01', '1 0.01'::vsm.sketch);
\echo :LAST_ERROR_SQLSTATE
-- aggregates of one's own over the parts
CREATE AGGREGATE removes(float8, float8) (SFUNC = vsm._sketch_remove, STYPE = vsm.sketch);
CREATE AGGREGATE uncombines(vsm.sketch) (SFUNC = vsm._sketch_uncombine, STYPE = vsm.sketch);
CREATE AGGREGATE begins_full(float8) (SFUNC = vsm._sketch_add, STYPE = vsm.sketch, INITCOND = '1 0.01 positive=5253:9223372036854775807');
CREATE AGGREGATE begins_with_zeros(float8) (SFUNC = vsm._sketch_add, STYPE = vsm.sketch, INITCOND = '1 0.01 zero=9223372036854775807');
SELECT removes(NULL, 0.05);
SELECT removes(1, 0.05);
SELECT uncombines(s) FROM unnest(ARRAY['1 0.01', '1 0.01 zero=1']::vsm.sketch[]) s;
SELECT begins_full(x) FROM generate_series(1, 3) x;
SELECT begins_with_zeros(0);
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.approx_percentiles(array_fill(0.5::float8, ARRAY[10001]), vsm.percentile_agg(1.0::float8));
SELECT vsm.percentiles(1.0::float8, array_fill(0.5::float8, ARRAY[10001]));
SELECT vsm.approx_percentile('NaN', vsm.percentile_agg(1.0::float8));
SELECT vsm.sum('1 0.0001 negative=7300000:4000000000000000000 positive=7300000:4000000000000000000'::vsm.interval_sketch);
SET statement_timeout = '100ms';
SELECT vsm.sum('1 0.0001 positive=0:7000000*1'::vsm.sketch);
SELECT vsm.approx_percentiles(array_fill(1::float8, ARRAY[10000]), '1 0.0001 positive=0:7000000*1'::vsm.sketch);
SELECT count(*) FROM vsm.histogram('1 0.0001 positive=0:7000000*1'::vsm.sketch);
RESET statement_timeout;

-- ---- Rolling percentiles: those of the frame, also when a partition begins with nulls ----
CREATE TABLE points AS
    SELECT p, n, CASE WHEN (n * 7 + p) % 3 > 0 AND n > p % 4 THEN n * p % 11 - 3.0::float8 END AS x FROM generate_series(0, 9) p, generate_series(1, 12) n;
SELECT n, vsm.approx_percentile(0.5, vsm.percentile_agg(x) OVER (ORDER BY n ROWS 1 PRECEDING)) FROM points WHERE p = 6 AND n < 6;
CREATE FUNCTION pg_temp.differing(frame text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    differing bigint;
BEGIN
    -- what leaves the frame is taken away, but from vsm.percentile(), which has no inverse
    EXECUTE format($q$
        SELECT count(*) FROM (
            SELECT vsm.percentile_agg(x) OVER w AS moving, vsm.percentile_agg(x * interval '1 hour', e) OVER w AS moving_interval, array_agg(x) OVER w AS xs,
                   vsm.percentile(x, 0.7) OVER w AS exact
            FROM (SELECT *, CASE WHEN x IS NULL THEN 0.1 ELSE 0.02 END AS e FROM points) p WINDOW w AS (PARTITION BY p ORDER BY n %s)) f,
        LATERAL (SELECT vsm.percentile_agg(x) AS whole, vsm.percentile_agg(x * interval '1 hour', 0.02) AS whole_interval,
                        percentile_disc(0.7) WITHIN GROUP (ORDER BY x) AS disc FROM unnest(f.xs) x) a
        WHERE moving::text IS DISTINCT FROM whole::text OR moving_interval::text IS DISTINCT FROM whole_interval::text OR exact IS DISTINCT FROM disc $q$, frame)
    INTO differing;
    RETURN differing;
END $$;
SELECT frame, pg_temp.differing(frame) FROM (VALUES ('ROWS 1 PRECEDING'), ('ROWS CURRENT ROW'), ('ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING'),
    ('ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING'), ('ROWS BETWEEN 2 FOLLOWING AND 4 FOLLOWING'), ('RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING'),
    ('GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW'), ('ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW'), ('')) f (frame);
SELECT n, vsm.num_vals(vsm.rollup(s) OVER (ORDER BY n ROWS 1 PRECEDING)) FROM unnest(ARRAY[NULL, '1 0.01 zero=1', NULL, NULL, '1 0.01 zero=5']::vsm.sketch[]) WITH ORDINALITY t (s, n);
