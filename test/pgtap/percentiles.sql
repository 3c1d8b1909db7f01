-- percentiles.sql: on a few hundred random distributions every sketch keeps its relative error and has the same bytes by
-- whatever plan it was made, and vsm.percentile() and vsm.percentiles() equal percentile_disc
--
-- The seed is fixed; psql -v seed=N tries others.

\if :{?seed}
\else
\set seed 0.20240331
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
SET extra_float_digits = 1;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = public, vsm;			-- for the operators

SELECT no_plan();
SELECT diag('seed ' || :'seed');
SELECT setseed(:seed) \g /dev/null

------------------------------------------------------------------------------------------------------------------------
-- what is measured
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE kinds (kind integer, name text);
INSERT INTO kinds VALUES (0, 'uniform'), (1, 'exponential'), (2, 'log-normal'), (3, 'heavy tail'), (4, 'constant'),
    (5, 'bimodal over 9 orders of magnitude'), (6, 'with zeros and negatives'), (7, 'integers with ties'), (8, 'all negative'),
    (9, 'few different values');
-- Sizes from 1 on; the small ones of every kind.
CREATE TABLE distributions AS
    SELECT row_number() OVER (ORDER BY size, kind)::integer AS d, kind, (size * (1 + random() / 4))::integer AS size, 10 ^ (random() * 6 - 3) AS scale, random() AS shape
    FROM kinds, unnest(ARRAY[1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 33, 50, 70, 99, 101, 140, 200, 300, 500, 800, 1300, 2000, 3000]) size;
CREATE FUNCTION one_of(kind integer, scale float8, shape float8) RETURNS float8 LANGUAGE sql AS $$
    SELECT CASE kind
        WHEN 0 THEN scale * random()
        WHEN 1 THEN -scale * ln(1 - random())
        WHEN 2 THEN scale * exp((1 + shape) * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))
        WHEN 3 THEN least(scale * (1 - random()) ^ (-1 / (0.3 + shape)), 1e12)
        WHEN 4 THEN scale
        WHEN 5 THEN scale * (1 + random()) * CASE WHEN random() < shape THEN 1e-4 ELSE 1e5 END
        WHEN 6 THEN CASE WHEN random() < 0.2 THEN 0 ELSE scale * (random() - shape) END
        WHEN 7 THEN floor(random() * 20)
        WHEN 8 THEN scale * ln(1 - random())
        ELSE scale * (1 + floor(random() * 3)) END
$$;
-- The same number of seconds in i, to the microsecond, as time, as days and time, or as months, days and time.
CREATE TABLE samples AS
    SELECT d, n, n % 7 AS part, x,
           CASE n % 3 WHEN 0 THEN us * interval '1 us' WHEN 1 THEN justify_hours(us * interval '1 us') ELSE justify_interval(us * interval '1 us') END AS i
    FROM (SELECT d, n, one_of(kind, scale, shape) AS x FROM distributions, generate_series(1, size) n) t, LATERAL (SELECT round(x * 1e6)) u (us);
INSERT INTO samples SELECT d, -n, 0, NULL, NULL FROM distributions, generate_series(1, 3) n;		-- nulls, which do not count
CREATE TABLE samples_in_parts (LIKE samples) PARTITION BY LIST (part);
SELECT format('CREATE TABLE samples_%s PARTITION OF samples_in_parts FOR VALUES IN (%1$s)', part) FROM generate_series(0, 6) part \gexec
INSERT INTO samples_in_parts SELECT * FROM samples;
CREATE TABLE samples_by_place AS SELECT * FROM samples WHERE n > 0;		-- to look values up in
CREATE INDEX ON samples_by_place (d, n);
ANALYZE;

CREATE FUNCTION fractions() RETURNS float8[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY[0, 0.001, 0.01, 0.05, 0.1, 0.25, 1 / 3.0, 0.5, 2 / 3.0, 0.75, 0.85, 0.9, 0.95, 0.99, 0.999, 1];
CREATE TABLE truth AS
    SELECT d, count(x) AS n, percentile_disc(fractions()) WITHIN GROUP (ORDER BY x) AS x, percentile_disc(fractions()) WITHIN GROUP (ORDER BY i) AS i,
           sum(x) AS sum, sum(abs(x)) AS magnitude, min(x), max(x)
    FROM samples GROUP BY d;
SELECT cmp_ok((SELECT count(*) FROM truth), '>=', 300::bigint, 'there are some hundred distributions');

-- ---- Which plan? ----

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END $$;
-- The greatest figure of that name in the nodes of a plan that was run.
CREATE FUNCTION figure_of(query text, name text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, FORMAT json) ' || query INTO plan;
    RETURN (SELECT max(m[1]::numeric) FROM regexp_matches(plan::text, '"' || name || '": *([0-9]+)', 'g') m);
END $$;
CREATE PROCEDURE serial() LANGUAGE sql AS $$
    SELECT set_config('max_parallel_workers_per_gather', '0', false), set_config('enable_hashagg', 'on', false), set_config('enable_sort', 'on', false),
           set_config('enable_partitionwise_aggregate', 'off', false), set_config('work_mem', '64MB', false), set_config('cpu_operator_cost', '0.0025', false) $$;
CREATE PROCEDURE parallel() LANGUAGE sql AS $$
    SELECT set_config('max_parallel_workers_per_gather', '2', false), set_config('parallel_setup_cost', '0', false),
           set_config('parallel_tuple_cost', '0', false), set_config('cpu_operator_cost', '1', false), set_config('min_parallel_table_scan_size', '0', false) $$;

------------------------------------------------------------------------------------------------------------------------
-- sketches: the same bytes by every plan
------------------------------------------------------------------------------------------------------------------------

-- The sizes are those of the sketches as they are made, before they are stored; null where they have been in a tuple, whose header is shorter.
CREATE TABLE sketches (plan text, d integer, x sketch, i interval_sketch, x_size integer, i_size integer);
\set sketched 'percentile_agg(x) AS x, percentile_agg(i) AS i, pg_column_size(percentile_agg(x)) AS x_size, pg_column_size(percentile_agg(i)) AS i_size'
\set rolled_up 'rollup(x) AS x, rollup(i) AS i, pg_column_size(rollup(x)) AS x_size, pg_column_size(rollup(i)) AS i_size'
\set rolled_up_by 'rollup(x ORDER BY place) AS x, rollup(i ORDER BY place) AS i, pg_column_size(rollup(x ORDER BY place)) AS x_size, pg_column_size(rollup(i ORDER BY place)) AS i_size'

CALL serial();
INSERT INTO sketches SELECT 'serial', d, :sketched FROM samples GROUP BY d;

SET enable_hashagg = off;
SELECT matches(plan_of('SELECT d, percentile_agg(x), percentile_agg(i) FROM samples GROUP BY d'), '^GroupAggregate', 'plan: sorted');
INSERT INTO sketches SELECT 'sorted', d, :sketched FROM samples GROUP BY d;
CALL serial();

-- CREATE TABLE AS runs in parallel, INSERT does not.
CALL parallel();
SELECT matches(plan_of('SELECT d, percentile_agg(x), percentile_agg(i) FROM samples GROUP BY d'), 'Finalize.*Workers Planned: [12].*Partial', 'plan: parallel');
CREATE TABLE made AS SELECT 'parallel', d, :sketched FROM samples GROUP BY d;
INSERT INTO sketches TABLE made;
DROP TABLE made;
CREATE TABLE whole_in_parallel AS SELECT percentile_agg(x) AS x, percentile_agg(i) AS i FROM samples;
SELECT matches(plan_of('SELECT percentile_agg(x) FROM samples'), 'Finalize Aggregate.*Workers Planned: [12].*Partial Aggregate', 'plan: parallel without groups');
SELECT cmp_ok(figure_of('SELECT percentile_agg(x) FROM samples', 'Workers Launched'), '>=', 1::numeric, 'workers were at it');
CALL serial();
SELECT is((SELECT x::text FROM whole_in_parallel), (SELECT percentile_agg(x)::text FROM samples), 'without groups, in parallel: the same');
SELECT is((SELECT i::text FROM whole_in_parallel), (SELECT percentile_agg(i)::text FROM samples), 'also of intervals');

SET enable_partitionwise_aggregate = on;
SELECT matches(plan_of('SELECT d, percentile_agg(x), percentile_agg(i) FROM samples_in_parts GROUP BY d'), 'Finalize.*Append.*Partial.*Partial', 'plan: partitionwise');
INSERT INTO sketches SELECT 'partitionwise', d, :sketched FROM samples_in_parts GROUP BY d;
CALL parallel();
SELECT matches(plan_of('SELECT d, percentile_agg(x) FROM samples_in_parts GROUP BY d'), 'Finalize.*Workers Planned: [12].*Parallel Append', 'plan: partitionwise in parallel');
CREATE TABLE made AS SELECT 'partitionwise in parallel', d, :sketched FROM samples_in_parts GROUP BY d;
INSERT INTO sketches TABLE made;
DROP TABLE made;
CALL serial();

CREATE TABLE parts AS SELECT d, part, percentile_agg(x) AS x, percentile_agg(i) AS i FROM samples GROUP BY d, part;
ANALYZE parts;
INSERT INTO sketches SELECT 'rolled up', d, :rolled_up_by FROM (SELECT *, part AS place FROM parts) t GROUP BY d;
INSERT INTO sketches SELECT 'rolled up backwards', d, :rolled_up_by FROM (SELECT *, -part AS place FROM parts) t GROUP BY d;
INSERT INTO sketches SELECT 'rolled up in any order', d, :rolled_up_by FROM (SELECT *, md5(part || 'x' || d) AS place FROM parts) t GROUP BY d;
INSERT INTO sketches
    SELECT 'rolled up twice', d, :rolled_up FROM (SELECT d, rollup(x), rollup(i) FROM parts GROUP BY d, part % 3) t (d, x, i) GROUP BY d;
CALL parallel();
SELECT matches(plan_of('SELECT d, rollup(x), rollup(i) FROM parts GROUP BY d'), 'Finalize.*Workers Planned: [12].*Partial', 'plan: rolled up in parallel');
CREATE TABLE made AS SELECT 'rolled up in parallel', d, :rolled_up FROM parts GROUP BY d;
INSERT INTO sketches TABLE made;
DROP TABLE made;
CALL serial();
CREATE AGGREGATE plus_all(sketch) (SFUNC = _sketch_plus, STYPE = sketch);
CREATE AGGREGATE plus_all(interval_sketch) (SFUNC = _sketch_plus, STYPE = interval_sketch);
INSERT INTO sketches
    SELECT 'by +', d, plus_all(x ORDER BY part DESC), plus_all(i ORDER BY part), NULL, NULL
    FROM parts WHERE x IS NOT NULL GROUP BY d;
INSERT INTO sketches SELECT 'grouping sets', d, :sketched FROM samples GROUP BY GROUPING SETS ((d), (part)) HAVING d IS NOT NULL;
-- the frame passes over all values of the distributions before: what it holds at its end
INSERT INTO sketches
    SELECT 'window', d, x, i, NULL, NULL
    FROM (SELECT s.d, s.n, max(s.n) OVER (PARTITION BY s.d) AS last, percentile_agg(s.x) OVER w AS x, percentile_agg(s.i) OVER w AS i
          FROM samples s WHERE s.n > 0 WINDOW w AS (ORDER BY s.d RANGE BETWEEN CURRENT ROW AND CURRENT ROW)) t
    WHERE n = last;
SELECT matches(plan_of('SELECT percentile_agg(x) OVER (ORDER BY d RANGE BETWEEN CURRENT ROW AND CURRENT ROW) FROM samples'), '^WindowAgg', 'plan: window');

SELECT is(count(*), (SELECT count(*) FROM truth), plan || ': a sketch of each distribution') FROM sketches GROUP BY plan ORDER BY plan;
SELECT is_empty(format($$
    SELECT s.d, s.x, o.x FROM sketches s JOIN sketches o USING (d)
    WHERE s.plan = 'serial' AND o.plan = %L
      AND (s.x <> o.x OR s.i <> o.i OR s.x::text <> o.x::text OR s.i::text <> o.i::text OR _sketch_send(s.x) <> _sketch_send(o.x)
           OR _interval_sketch_send(s.i) <> _interval_sketch_send(o.i) OR s.x_size <> o.x_size OR s.i_size <> o.i_size)
    $$, plan), plan || ': the bytes of the serial plan')
FROM (SELECT DISTINCT plan FROM sketches WHERE plan <> 'serial') t ORDER BY plan;
-- ---- Add, then subtract ----

CREATE TABLE halves AS SELECT d, rollup(x) FILTER (WHERE part < 3) AS xa, rollup(x) FILTER (WHERE part >= 3) AS xb,
                              rollup(i) FILTER (WHERE part < 3) AS ia, rollup(i) FILTER (WHERE part >= 3) AS ib FROM parts GROUP BY d;
SELECT is_empty($$
    SELECT d FROM halves
    WHERE _sketch_send(xa + xb - xb) <> _sketch_send(xa) OR _sketch_send(xb + xa - xb) <> _sketch_send(xa) OR _sketch_send(xa + xb - xa) <> _sketch_send(xb)
       OR pg_column_size(xa + xb - xb) <> pg_column_size(xa + (xb - xb)) OR (xa + xb - xb)::text <> xa::text
       OR _interval_sketch_send(ia + ib - ib) <> _interval_sketch_send(ia) OR (ib + ia - ia)::text <> ib::text
    $$, 'what was added and subtracted leaves the same bytes');
SELECT is_empty('SELECT h.d FROM halves h JOIN sketches s USING (d) WHERE s.plan = ''serial'' AND (s.x - h.xb <> h.xa OR s.i - h.ia <> h.ib)',
                'a part of the values can be taken from all of them');
SELECT is((SELECT array_agg(DISTINCT num_vals(s.x - s.x)) FROM sketches s), '{0}', 'all can be taken away');

-- ---- Frames that move ----

CREATE TABLE frames AS
    SELECT d, n, percentile_agg(x) OVER short AS short, percentile_agg(i) OVER long AS long
    FROM samples JOIN distributions USING (d) WHERE size BETWEEN 3 AND 800 AND n > 0
    WINDOW short AS (PARTITION BY d ORDER BY n ROWS BETWEEN 5 PRECEDING AND 2 FOLLOWING), long AS (PARTITION BY d ORDER BY n ROWS 30 PRECEDING);
SELECT is_empty($$
    SELECT f.d, f.n FROM frames f WHERE f.n % 11 = 1 AND (
        f.short::text <> (SELECT percentile_agg(s.x)::text FROM samples_by_place s WHERE s.d = f.d AND s.n BETWEEN f.n - 5 AND f.n + 2)
        OR f.long::text <> (SELECT percentile_agg(s.i)::text FROM samples_by_place s WHERE s.d = f.d AND s.n BETWEEN f.n - 30 AND f.n)) $$,
    'frames that move hold what is in them');
SELECT cmp_ok(count(*), '>', 1000::bigint, 'a thousand of them') FROM frames WHERE n % 11 = 1;
SELECT is_empty($$
    SELECT a.d, a.part FROM (SELECT d, part, rollup(x) OVER (PARTITION BY d ORDER BY part ROWS 2 PRECEDING) AS s FROM parts WHERE x IS NOT NULL) a
    WHERE a.s <> (SELECT rollup(p.x) FROM parts p WHERE p.d = a.d AND p.part BETWEEN a.part - 2 AND a.part) $$, 'also of rollup()');

------------------------------------------------------------------------------------------------------------------------
-- sketches: what they tell
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE told AS
    SELECT e, s.d, percentile_agg(x, e) AS x, percentile_agg(i, e) AS i FROM samples s, unnest('{0.0001, 0.001, 0.01, 0.05, 0.2}'::float8[]) e GROUP BY e, s.d;
CREATE FUNCTION us(i interval) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN _interval_us(i);		-- exact below 2 ^ 53
-- 1e-9 for the arithmetic here
SELECT is_empty(format($$
    SELECT d, fraction, told, exact FROM (
        SELECT s.d, s.x, t.x AS exact_x FROM told s JOIN truth t USING (d) WHERE e = %1$s) t,
        LATERAL unnest(fractions(), approx_percentiles(fractions(), t.x), t.exact_x) u (fraction, told, exact)
    WHERE NOT abs(told - exact) <= %1$s * abs(exact) * (1 + 1e-9) OR told <> approx_percentile(fraction, t.x) $$, e),
    format('float8, rel_error %s: percentiles are within it', e)) FROM (SELECT DISTINCT e FROM told) t ORDER BY e;
SELECT is_empty(format($$
    SELECT d, fraction, told, exact FROM (
        SELECT s.d, s.i, t.i AS exact_i FROM told s JOIN truth t USING (d) WHERE e = %1$s) t,
        LATERAL unnest(fractions(), approx_percentiles(fractions(), t.i), t.exact_i) u (fraction, told, exact)
    WHERE NOT abs(us(told) - us(exact)) <= %1$s * abs(us(exact)) * (1 + 1e-9) + 0.5 OR told <> approx_percentile(fraction, t.i) $$, e),
    format('interval, rel_error %s: percentiles are within it, to the microsecond', e)) FROM (SELECT DISTINCT e FROM told) t ORDER BY e;
SELECT is_empty($$
    SELECT s.e, s.d FROM told s JOIN truth t USING (d), LATERAL (SELECT (1 + e) / (1 - e) * (1 + 1e-9)) g (gamma)
    WHERE num_vals(s.x) <> t.n OR num_vals(s.i) <> t.n OR rel_error(s.x) <> e OR rel_error(s.i) <> e
       OR NOT abs(sum(s.x) - t.sum) <= e * magnitude * (1 + 1e-9) OR NOT abs(mean(s.x) - t.sum / t.n) <= e * magnitude / t.n * (1 + 1e-9)
       OR NOT abs(us(sum(s.i)) / 1e6 - t.sum) <= (e * magnitude + t.n * 1e-6) * (1 + 1e-9)
       OR NOT abs(us(mean(s.i)) / 1e6 - t.sum / t.n) <= e * magnitude / t.n * (1 + 1e-9) + 2e-6
       OR NOT (min_val(s.x) <= t.min AND t.min - min_val(s.x) <= abs(t.min) * (gamma - 1))
       OR NOT (max_val(s.x) >= t.max AND max_val(s.x) - t.max <= abs(t.max) * (gamma - 1))
       OR NOT (min_val(s.i) <= t.i[1] AND us(t.i[1]) - us(min_val(s.i)) <= abs(us(t.i[1])) * (gamma - 1) + 1)
       OR NOT (max_val(s.i) >= t.i[16] AND us(max_val(s.i)) - us(t.i[16]) <= abs(us(t.i[16])) * (gamma - 1) + 1)
    $$, 'number, sum, mean, lowest and highest value keep their promises');
-- At or below a value: all that are, and at most those of its bucket besides.
SELECT is_empty(format($$
    SELECT s.d, v, rank, least, most FROM told s, LATERAL (SELECT (1 + e) / (1 - e) * (1 + 1e-9)) g (gamma),
         LATERAL (SELECT x FROM samples_by_place a WHERE a.d = s.d AND a.n IN (1, 2, 5, 17) UNION ALL SELECT x * 1.03 FROM samples_by_place a WHERE a.d = s.d AND a.n IN (1, 3) UNION ALL SELECT 0) v (v),
         LATERAL (SELECT approx_percentile_rank(v, s.x)) r (rank),
         LATERAL (SELECT avg((a.x <= v)::integer), avg((a.x <= CASE WHEN v > 0 THEN v * gamma ELSE v / gamma END)::integer) FROM samples_by_place a WHERE a.d = s.d) t (least, most)
    WHERE e = %s AND num_vals(s.x) < 150 AND v IS NOT NULL AND NOT rank BETWEEN least - 1e-9 AND most + 1e-9 $$, e),
    format('rel_error %s: a rank counts what is at or below the value, and nothing beyond its bucket', e)) FROM (VALUES (0.001), (0.01), (0.2)) t (e);
SELECT is_empty($$
    SELECT s.d, v FROM told s, LATERAL (SELECT a.i, a.x FROM samples_by_place a WHERE a.d = s.d AND a.n IN (1, 4, 9)) v (v, x)
    WHERE e = 0.01 AND approx_percentile_rank(v, s.i) <> approx_percentile_rank(us(v) / 1e6, s.i::sketch) $$, 'an interval has the rank of its seconds');
SELECT is_empty($$
    SELECT s.e, s.d FROM told s, LATERAL (
        SELECT sum(h.count) AS n, bool_and(h.upper >= h.lower AND (h.lower >= h.before OR h.before IS NULL)) AS ascending,
               bool_and(h.count = (SELECT count(*) FROM samples_by_place a WHERE a.d = s.d AND CASE WHEN h.lower < 0 THEN a.x > h.lower AND a.x <= h.upper
                                                                                          WHEN h.upper > 0 THEN a.x >= h.lower AND a.x < h.upper ELSE a.x = 0 END)) AS holds
        FROM (SELECT *, lag(upper) OVER () AS before FROM histogram(s.x)) h) h
    WHERE e IN (0.01, 0.2) AND num_vals(s.x) <= 100 AND NOT (h.n = num_vals(s.x) AND h.ascending AND h.holds) $$, 'histograms hold the values that lie within their bounds');
SELECT is_empty($$
    SELECT d FROM (SELECT d, array_agg(h.count ORDER BY h.lower) AS a FROM told, histogram(i) h WHERE e = 0.2 GROUP BY d) a
    JOIN (SELECT d, array_agg(h.count ORDER BY h.lower) AS b FROM told, histogram(i::sketch) h WHERE e = 0.2 GROUP BY d) b USING (d)
    WHERE a <> b AND d IN (SELECT d FROM truth WHERE min > 0.01) $$, 'those of intervals have the same counts');
-- text and binary form
SELECT is_empty($$SELECT e, d FROM told WHERE x::text::sketch::text <> x::text OR i::text::interval_sketch <> i OR _sketch_hash(x::text::sketch) <> _sketch_hash(x)$$,
                'a sketch comes back from its text');

------------------------------------------------------------------------------------------------------------------------
-- exact percentiles equal percentile_disc
------------------------------------------------------------------------------------------------------------------------

-- Values at the ends, and such as are equal but not the same.
CREATE TABLE edges (d integer, n serial, x float8, i interval);
INSERT INTO edges (d, x, i)
    SELECT d, (ARRAY['NaN', 'Infinity', '-Infinity', 0, '-0', 4.9406564584124654e-324, -4.9406564584124654e-324, 1.7976931348623157e308, -1.7976931348623157e308, 1, -1, NULL])[1 + floor(random() * 12)]::float8,
           (ARRAY['1 mon', '30 days', '720:00:00', '29 days 24:00:00', '1 mon -1 day', '-1 mon', '-30 days', '1 year', '12 mons', '360 days', '0', '00:00:00.000001', '-00:00:00.000001',
                  '178956970 years 7 mons 2147483647 days 2562047788:00:54.775807', '-178956970 years -8 mons -2147483648 days', '178956970 years', '-178956970 years',
                  '2147483647 days', '2562047788:00:54.775807', '-2562047788:00:54.775807', NULL])[1 + floor(random() * 21)]::interval
    FROM generate_series(1, 60) d, generate_series(1, d);
-- More values than are picked out at once: spread, all the same, mostly the same, over all magnitudes, two clusters, at the ends.
CREATE TABLE many (d integer, n integer, x float8, i interval);
INSERT INTO many
    SELECT d, n, x, CASE WHEN n % 2 = 0 THEN justify_interval(us * interval '1 us') ELSE us * interval '1 us' END
    FROM generate_series(1, 7) d, generate_series(1, 25000) n,
         LATERAL (SELECT CASE d WHEN 1 THEN random() * 1e6 WHEN 2 THEN 42 WHEN 3 THEN CASE WHEN random() < 0.01 THEN random() * 1e9 ELSE 7 END WHEN 4 THEN 10 ^ (random() * 600 - 300)
                                     WHEN 5 THEN CASE WHEN random() < 0.5 THEN 1 + random() * 1e-12 ELSE -1e12 + random() END WHEN 6 THEN floor(random() * 5) - 2
                                     ELSE CASE WHEN random() < 0.5 THEN 'NaN' WHEN random() < 0.5 THEN '-Infinity'::float8 ELSE random() END END, random()) r (x, dice),
         LATERAL (SELECT CASE d WHEN 4 THEN round(10 ^ (dice * 18)) WHEN 7 THEN round(dice * 10) ELSE round(x * 1e3) END) u (us);
-- Intervals that lie just less than 2^64 microseconds apart, just more, and as far as they can.
INSERT INTO many
    SELECT d, n, random(), make_interval(days => sign(x)::integer * (CASE d WHEN 8 THEN 106751991 WHEN 9 THEN 106751992 ELSE 2147483647 END - n % 3 * floor(random() * 10)::integer)) * (n % 2)
                           + make_interval(days => round(x * 106751000)::integer) * ((n + 1) % 2)
                           + make_interval(months => CASE d WHEN 10 THEN sign(x)::integer * (n % 7) * 300000000 ELSE 0 END)
    FROM generate_series(8, 10) d, generate_series(1, 25000) n, LATERAL (SELECT n, random() * 2 - 1) r (_, x);
SELECT is(array_agg(t.wide ORDER BY d), '{f,t,t}', 'some of the many intervals are further apart than 64 bits tell')
FROM (SELECT d, (max(k) - min(k)) >= 2 ^ 64::numeric AS wide
      FROM (SELECT d, (extract(year FROM i) * 12 + extract(month FROM i)) * 30 * 86400e6 + extract(day FROM i) * 86400e6 AS k FROM many WHERE d >= 8) v GROUP BY d) t;
ANALYZE edges, many;
CREATE FUNCTION many_fractions() RETURNS float8[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT array_agg(f) FROM (SELECT (n * 7919 % 101) / 100.0 FROM generate_series(1, 60) n UNION ALL SELECT unnest('{0, 1, 0.00001, 0.99999, 0.5, 0.5, NULL}'::float8[])) t (f));

CREATE TABLE disc AS
    SELECT t, d, percentile_disc(many_fractions()) WITHIN GROUP (ORDER BY x) AS x, percentile_disc(many_fractions()) WITHIN GROUP (ORDER BY i) AS i,
           percentile_disc(0.85) WITHIN GROUP (ORDER BY x) AS x85, percentile_disc(0.5) WITHIN GROUP (ORDER BY i) AS i50
    FROM (SELECT 'samples' AS t, d, x, i FROM samples UNION ALL SELECT 'edges', d, x, i FROM edges UNION ALL SELECT 'many', d, x, i FROM many) v GROUP BY t, d;
CREATE FUNCTION exact_of(name text) RETURNS text LANGUAGE sql
    RETURN format('SELECT d, percentiles(x, many_fractions()) AS xs, percentiles(i, many_fractions()) AS iv, percentile(x, 0.85) AS x, percentile(i, 0.5) AS i FROM %I GROUP BY d', name);
-- Whichever of equal intervals it is; two NULLs are equal.
CREATE FUNCTION differing(name text) RETURNS text LANGUAGE sql
    RETURN format($$
        SELECT d FROM (%s) v FULL JOIN (SELECT d, d.x AS xd, d.i AS id, x85, i50 FROM disc d WHERE t = %L) t USING (d)
        WHERE xs IS DISTINCT FROM xd OR iv IS DISTINCT FROM id OR x IS DISTINCT FROM x85 OR i IS DISTINCT FROM i50 $$, exact_of(name), name);
CREATE TEMPORARY TABLE sources (name text);
INSERT INTO sources VALUES ('samples'), ('edges'), ('many');

SELECT matches(plan_of(exact_of(name)), '^HashAggregate', 'plan: hashed') FROM sources WHERE name <> 'many';
SELECT is_empty(differing(name), name || ', hashed: equal to percentile_disc') FROM sources ORDER BY name;
SET enable_hashagg = off;
SELECT matches(plan_of(exact_of('samples')), '^GroupAggregate', 'plan: sorted');
SELECT is_empty(differing(name), name || ', sorted: equal to percentile_disc') FROM sources ORDER BY name;
CALL serial();

-- workers scan, the leader aggregates
CALL parallel();
SELECT matches(plan_of(exact_of(name)), '^(Hash|Group)Aggregate.*Workers Planned: [12]', name || ', plan: workers that scan') FROM sources ORDER BY name;
SELECT doesnt_match(plan_of(exact_of(name)), 'Partial', name || ', plan: one state for each group') FROM sources ORDER BY name;
-- an INSERT does not run in parallel
SELECT format('CREATE TABLE parallel_%s AS %s', name, exact_of(name)) FROM sources \gexec
SELECT cmp_ok(figure_of(exact_of('many'), 'Workers Launched'), '>=', 1::numeric, 'workers were at it');
CALL serial();
SELECT is_empty(format('SELECT d FROM parallel_%s p JOIN disc t USING (d) WHERE t.t = %1$L AND (p.xs IS DISTINCT FROM t.x OR p.iv IS DISTINCT FROM t.i)', name),
                name || ', with workers that scan: equal to percentile_disc') FROM sources ORDER BY name;
SELECT is((SELECT count(*) FROM parallel_samples), (SELECT count(*) FROM truth), 'all of them');

-- ---- Within work_mem ----

SET work_mem = '64kB';
SELECT cmp_ok(figure_of('SELECT percentiles(x, many_fractions()) FROM many', 'Temp Written Blocks'), '>=', 7 * 25000 * 8 / 8192 / 2::numeric, 'with 64 kB of memory, float8 values go to a file');
SELECT cmp_ok(figure_of('SELECT percentiles(i, many_fractions()) FROM many', 'Temp Written Blocks'), '>=', 7 * 25000 * 16 / 8192 / 2::numeric, 'and intervals');
SET enable_hashagg = off;
SELECT is_empty(differing('many'), 'sorted, with 64 kB of memory: equal to percentile_disc');
SET enable_hashagg = on;
SET enable_sort = off;
SELECT matches(plan_of(exact_of('many')), '^HashAggregate', 'plan: hashed, with 64 kB of memory');
CREATE TABLE hashed AS SELECT d, percentiles(x, many_fractions()) AS xs, percentiles(i, many_fractions()) AS iv FROM many GROUP BY d;
SET enable_sort = on;
SELECT is_empty('SELECT d FROM hashed p FULL JOIN (SELECT * FROM disc WHERE t = ''many'') t USING (d) WHERE p.xs IS DISTINCT FROM t.x OR p.iv IS DISTINCT FROM t.i',
                'hashed, with 64 kB of memory: equal to percentile_disc');
CALL parallel();
CREATE TABLE parallel_and_small AS SELECT d, percentiles(x, many_fractions()) AS xs, percentiles(i, many_fractions()) AS iv FROM many GROUP BY d;
SELECT is_empty('SELECT d FROM parallel_and_small p FULL JOIN (SELECT * FROM disc WHERE t = ''many'') t USING (d) WHERE p.xs IS DISTINCT FROM t.x OR p.iv IS DISTINCT FROM t.i',
                'with workers that scan, with 64 kB of memory: equal to percentile_disc');

CALL serial();

-- A file goes with its group, and with the query.
SET work_mem = '64kB';
SET enable_hashagg = off;
CREATE FUNCTION temporary_files() RETURNS bigint LANGUAGE sql RETURN (SELECT count(*) FROM pg_ls_tmpdir());
BEGIN;
DECLARE whole CURSOR FOR SELECT percentiles(x, many_fractions()) FROM many;
FETCH whole \g /dev/null
SELECT is(temporary_files(), 1::bigint, 'a query that goes on has its file');
CLOSE whole;
SELECT is(temporary_files(), 0::bigint, 'which goes when it ends');
DECLARE grouped CURSOR FOR SELECT d, percentiles(x, many_fractions()) FROM many GROUP BY d ORDER BY d;
FETCH 6 FROM grouped \g /dev/null
SELECT cmp_ok(temporary_files(), '<=', 2::bigint, 'a group has its file, besides that of the sort, and those before it have none');
COMMIT;
SELECT is(temporary_files(), 0::bigint, 'no file is left of a query whose result was not read to the end');
SELECT throws_ok('SELECT d, percentiles(x, many_fractions()), 1 / (d - d) FROM many GROUP BY d', '22012', NULL, 'nor after an error');
SELECT is(temporary_files(), 0::bigint, 'is there any');
CALL serial();
SELECT is(figure_of('SELECT percentiles(x, many_fractions()) FROM many', 'Temp Written Blocks'), 0::numeric, 'with 64 MB of memory there is no file');

-- ---- Many groups ----

CREATE TABLE groups AS SELECT n % 20011 AS g, random() * 100 AS x, random() * interval '1 year' AS i FROM generate_series(1, 80000) n;
ANALYZE groups;
CREATE TABLE of_groups AS SELECT g, percentile_disc(0.85) WITHIN GROUP (ORDER BY x) AS x, percentile_disc(0.3) WITHIN GROUP (ORDER BY i) AS i FROM groups GROUP BY g;
SET enable_sort = off;
SELECT matches(plan_of('SELECT g, percentile(x, 0.85), percentile(i, 0.3) FROM groups GROUP BY g'), '^HashAggregate', 'plan: many groups, hashed');
SELECT is_empty('SELECT g FROM (SELECT g, percentile(x, 0.85) AS px, percentile(i, 0.3) AS pi FROM groups GROUP BY g) p FULL JOIN of_groups USING (g) WHERE px IS DISTINCT FROM x OR pi IS DISTINCT FROM i',
                'many groups: equal to percentile_disc');
SET work_mem = '1MB';
SELECT cmp_ok(figure_of('SELECT g, percentile(x, 0.85), percentile(i, 0.3) FROM groups GROUP BY g', 'HashAgg Batches'), '>', 1::numeric, 'many groups in 1 MB: in batches');
SELECT is_empty('SELECT g FROM (SELECT g, percentile(x, 0.85) AS px, percentile(i, 0.3) AS pi FROM groups GROUP BY g) p FULL JOIN of_groups USING (g) WHERE px IS DISTINCT FROM x OR pi IS DISTINCT FROM i',
                'many groups in 1 MB: equal to percentile_disc');
SELECT cmp_ok(figure_of('SELECT g, percentile_agg(x) FROM groups GROUP BY g', 'HashAgg Batches'), '>', 1::numeric, 'many sketches in 1 MB: in batches');
SELECT is((SELECT percentile_agg(num_vals(s)::float8)::text FROM (SELECT percentile_agg(x) FROM groups GROUP BY g) t (s)),
          (SELECT percentile_agg(n)::text FROM (SELECT count(*)::float8 FROM groups GROUP BY g) t (n)), 'none of their values is lost');
CALL serial();

-- ---- Infinite intervals, from PostgreSQL 17 on ----

SELECT current_setting('server_version_num')::integer >= 170000 AS has_infinite_intervals \gset
\if :has_infinite_intervals
INSERT INTO edges (d, i) SELECT d, (ARRAY['infinity', '-infinity'])[1 + d % 2]::interval FROM generate_series(1, 60) d, generate_series(1, d % 5);
SELECT is_empty($$
    SELECT d FROM edges GROUP BY d
    HAVING percentiles(i, fractions()) IS DISTINCT FROM percentile_disc(fractions()) WITHIN GROUP (ORDER BY i) $$, 'infinite intervals: equal to percentile_disc');
SELECT throws_ok('SELECT percentile_agg(i) FROM unnest(''{infinity}''::interval[]) i', 'PT422', 'cannot add an infinite interval to a sketch', 'no sketch takes them');
SELECT throws_ok('SELECT percentile_agg(i) FROM unnest(''{1 day, -infinity}''::interval[]) i', 'PT422', 'cannot add an infinite interval to a sketch', 'neither of them');
SELECT throws_ok('SELECT approx_percentile_rank(''infinity'', percentile_agg(i)) FROM unnest(''{1 day}''::interval[]) i', 'PT422', NULL, 'they have no rank');
\else
SELECT skip('this server has no infinite intervals', 4);
\endif

SELECT * FROM finish();
