-- What a sketch is built from, what it tells, and what it refuses.
SET TimeZone = 'UTC';
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
-- 1 to 1000 hours, each once: the percentile 0.85 of them is 850
CREATE TABLE items AS
    SELECT n AS id, n::float8 AS hours, n * interval '1 hour' AS cycle_time, CASE n % 3 WHEN 0 THEN 'bug' WHEN 1 THEN 'task' ELSE 'epic' END AS type
    FROM generate_series(1, 1000) n;

-- ---- Percentiles come in the unit of the values ----
SELECT round(vsm.approx_percentile(0.85, vsm.percentile_agg(hours))::numeric, 2) AS p85_hours,
       abs(vsm.approx_percentile(0.85, vsm.percentile_agg(hours)) - 850) <= 8.5 AS within,
       pg_typeof(vsm.approx_percentile(0.85, vsm.percentile_agg(hours))),
       date_trunc('minute', vsm.approx_percentile(0.85, vsm.percentile_agg(cycle_time))) AS p85,
       vsm.approx_percentile(0.85, vsm.percentile_agg(cycle_time)) BETWEEN interval '841.5 hours' AND interval '858.5 hours' AS within,
       pg_typeof(vsm.approx_percentile(0.85, vsm.percentile_agg(cycle_time)))
FROM items;
SELECT unnest(vsm.approx_percentiles('{0, 0.5, 0.85, 0.95, 1}'::float8[], vsm.percentile_agg(hours)))::numeric(8, 2) AS percentile FROM items;
SELECT date_trunc('hour', unnest(vsm.approx_percentiles('{0, 0.5, 0.85, 0.95, 1}'::float8[], vsm.percentile_agg(cycle_time)))) AS percentile FROM items;

-- ---- The other readers ----
SELECT vsm.num_vals(s), vsm.rel_error(s), vsm.mean(s)::numeric(8, 1), vsm.sum(s)::numeric(8, -2), vsm.min_val(s)::numeric(8, 3),
       vsm.max_val(s)::numeric(8, 1), vsm.approx_percentile_rank(500, s) BETWEEN 0.49 AND 0.51 AS half, vsm.approx_percentile_rank(0.5, s) AS none,
       vsm.approx_percentile_rank(2000, s) AS all, vsm.approx_percentile_rank('-Infinity', s), vsm.approx_percentile_rank('Infinity', s)
FROM (SELECT vsm.percentile_agg(hours) FROM items) t (s);
SELECT vsm.num_vals(s), vsm.rel_error(s), date_trunc('hour', vsm.mean(s)) AS mean, date_trunc('day', vsm.sum(s)) AS sum,
       date_trunc('minute', vsm.min_val(s)) AS min, date_trunc('minute', vsm.max_val(s)) AS max,
       vsm.approx_percentile_rank('500 hours', s) BETWEEN 0.49 AND 0.51 AS half, vsm.approx_percentile_rank('1 minute', s) AS none,
       vsm.approx_percentile_rank('3 months', s) AS all
FROM (SELECT vsm.percentile_agg(cycle_time) FROM items) t (s);

-- A histogram is the buckets that hold values; their bounds hold the values and touch.
SELECT lower::numeric(6, 3), upper::numeric(6, 3), count
FROM vsm.histogram((SELECT vsm.percentile_agg(x) FROM unnest('{-5, -5, 0, 0, 0, 0.25, 5, 5.01, 7}'::float8[]) x));
SELECT date_trunc('milliseconds', lower) AS lower, date_trunc('milliseconds', upper) AS upper, count
FROM vsm.histogram((SELECT vsm.percentile_agg(x) FROM unnest('{1 day, 1 day, 0, -2 hours, 00:00:01}'::interval[]) x));
SELECT count(*) > 100 AS buckets, sum(h.count) AS n, bool_and(h.upper / h.lower < 1.01 / 0.99) AS narrow, max(h.lower) <= 1000 AND max(h.upper) >= 1000 AS holds_last
FROM (SELECT vsm.percentile_agg(hours) FROM items) t (s), vsm.histogram(s) h;

-- Zeros and negative values have buckets of their own.
SELECT vsm.num_vals(s), unnest(vsm.approx_percentiles('{0.2, 0.4, 0.6, 0.8, 1}'::float8[], s))::numeric(9, 4) AS percentile
FROM (SELECT vsm.percentile_agg(x) FROM unnest('{-1000, -0.001, 0, 0.001, 1000}'::float8[]) x) t (s);
SELECT vsm.approx_percentile(0.5, vsm.percentile_agg(x)) AS zero FROM unnest('{0, -0, 0}'::float8[]) x;

-- As the server compares intervals: a day is 24 hours, a month 30 days.
SELECT vsm.percentile_agg(a) OPERATOR(vsm.=) vsm.percentile_agg(b) AS same
FROM (VALUES (interval '1 month', interval '30 days'), ('1 day', '24 hours'), ('1 year', '360 days'), ('1 month -1 day', '29 days')) v (a, b);

-- ---- Nulls and nothing ----
SELECT vsm.num_vals(vsm.percentile_agg(x)) FROM unnest('{1, NULL, 2, NULL}'::float8[]) x;
SELECT vsm.percentile_agg(x) IS NULL AS nothing, vsm.approx_percentile(0.5, vsm.percentile_agg(x)) IS NULL AS no_percentile,
       vsm.percentile_agg(x, 0.05) IS NULL AS nothing
FROM unnest('{NULL, NULL}'::float8[]) x;
SELECT vsm.percentile_agg(hours) IS NULL AS nothing, vsm.percentile_agg(cycle_time) IS NULL AS nothing FROM items WHERE false;
SELECT vsm.approx_percentile(NULL::float8, s) AS p, vsm.approx_percentiles(NULL::float8[], s) AS ps, vsm.approx_percentile_rank(NULL, s) AS rank
FROM (SELECT vsm.percentile_agg(hours) FROM items) t (s);
-- A sketch without values, as subtraction leaves it.
SELECT s, vsm.num_vals(s), vsm.rel_error(s), vsm.approx_percentile(0.5, s) AS p, vsm.approx_percentiles('{0.5,NULL}'::float8[], s) AS ps, vsm.approx_percentile_rank(1, s) AS rank,
       vsm.mean(s), vsm.sum(s), vsm.min_val(s), vsm.max_val(s), (SELECT count(*) FROM vsm.histogram(s)) AS buckets
FROM (SELECT a OPERATOR(vsm.-) a FROM (SELECT vsm.percentile_agg(hours) FROM items) t (a)) t (s);
SELECT s, vsm.num_vals(s), vsm.approx_percentile(0.5, s) AS p, vsm.approx_percentiles('{0.5,NULL}'::float8[], s) AS ps, vsm.approx_percentile_rank('1 day', s) AS rank,
       vsm.mean(s), vsm.sum(s), vsm.min_val(s), vsm.max_val(s), (SELECT count(*) FROM vsm.histogram(s)) AS buckets
FROM (SELECT a OPERATOR(vsm.-) a FROM (SELECT vsm.percentile_agg(cycle_time) FROM items) t (a)) t (s);

-- ---- Shapes of fractions ----
SELECT vsm.approx_percentiles('{}'::float8[], s) AS none, vsm.approx_percentiles('{0.5,NULL,0.5}'::float8[], s) = ARRAY[p, NULL, p] AS with_null,
       vsm.approx_percentiles('{{0.5,NULL},{0.5,0.5}}'::float8[], s) = ARRAY[[p, NULL], [p, p]] AS in_two_dimensions,
       vsm.approx_percentiles('[3:4]={0.5,0.5}'::float8[], s)::text = '[3:4]' || '={' || p || ',' || p || '}' AS with_bounds
FROM (SELECT vsm.percentile_agg(7::float8)) t (s), vsm.approx_percentile(0.5, s) p;
SELECT vsm.approx_percentiles('{}'::float8[], s) AS none, vsm.approx_percentiles('{{0.5,NULL},{0.5,0.5}}'::float8[], s) AS in_two_dimensions
FROM (SELECT vsm.percentile_agg(interval '0')) t (s);

-- ---- The relative error ----
SELECT e AS rel_error, vsm.rel_error(s), abs(vsm.approx_percentile(0.85, s) - 850) <= e * 850 AS within,
       vsm.approx_percentile(0.95, i) BETWEEN interval '950 hours' * (1 - e) AND interval '950 hours' * (1 + e) AS within
FROM unnest('{0.0001, 0.001, 0.01, 0.05, 0.2}'::float8[]) e,
     LATERAL (SELECT vsm.percentile_agg(hours, e), vsm.percentile_agg(cycle_time, e) FROM items) t (s, i);
SELECT vsm.rel_error(vsm.percentile_agg(hours, NULL)), vsm.rel_error(vsm.percentile_agg(cycle_time, NULL)) FROM items;
SELECT vsm.percentile_agg(hours, 0.00009) FROM items;
SELECT vsm.percentile_agg(hours, 0.21) FROM items;
SELECT vsm.percentile_agg(hours, 0) FROM items;
SELECT vsm.percentile_agg(hours, -0.01) FROM items;
SELECT vsm.percentile_agg(hours, 'NaN') FROM items;
SELECT vsm.percentile_agg(cycle_time, 1) FROM items;
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.percentile_agg(hours, CASE WHEN id = 500 THEN 0.02 ELSE 0.01 END ORDER BY id) FROM items;
SELECT vsm.percentile_agg(cycle_time, CASE WHEN id = 500 THEN 0.02 END ORDER BY id) FROM items;
\echo :LAST_ERROR_SQLSTATE

-- ---- What cannot be put in, or asked ----
SELECT vsm.percentile_agg(x) FROM unnest('{1, NaN}'::float8[]) x;
SELECT vsm.percentile_agg(x) FROM unnest('{Infinity, 1}'::float8[]) x;
SELECT vsm.percentile_agg(x) FROM unnest('{1, -Infinity}'::float8[]) x;
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.num_vals(vsm.percentile_agg(x) FILTER (WHERE abs(x) < 'Infinity')) FROM unnest('{1, NaN, Infinity, -Infinity}'::float8[]) x;
SELECT vsm.approx_percentile(1.01, vsm.percentile_agg(hours)) FROM items;
SELECT vsm.approx_percentile(-0.01, vsm.percentile_agg(cycle_time)) FROM items;
SELECT vsm.approx_percentile('NaN'::float8, vsm.percentile_agg(hours)) FROM items;
SELECT vsm.approx_percentiles('{0.5, 85}'::float8[], vsm.percentile_agg(hours)) FROM items;
SELECT vsm.approx_percentiles('{0.5, 85}'::float8[], vsm.percentile_agg(cycle_time)) FROM items;
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.approx_percentile_rank('NaN', vsm.percentile_agg(hours)) FROM items;
\echo :LAST_ERROR_SQLSTATE
-- The states of aggregates are changed in place: not by a call from outside.
SELECT vsm._sketch_add(vsm.percentile_agg(hours), 1) FROM items;
SELECT vsm._sketch_combine(s, s) FROM (SELECT vsm.percentile_agg(hours) FROM items) t (s);

-- ---- The ends of double and of interval ----
SELECT abs(vsm.approx_percentile(0.5, vsm.percentile_agg(x)) / x - 1) <= 0.01 AS within,
       x BETWEEN vsm.min_val(vsm.percentile_agg(x)) AND vsm.max_val(vsm.percentile_agg(x)) AS between,
       vsm.approx_percentile_rank(x, vsm.percentile_agg(x)) AS rank
FROM unnest('{2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1e-300, -1e300}'::float8[]) x
GROUP BY x ORDER BY x;
-- below 1e-307 a double has no more digits than it needs
SELECT vsm.approx_percentile(0.5, vsm.percentile_agg(x)) = x AS same, vsm.min_val(vsm.percentile_agg(x)) = x AS lowest
FROM unnest('{4.9406564584124654e-324}'::float8[]) x GROUP BY x;
SELECT vsm.approx_percentile(0.5, vsm.percentile_agg(x)) BETWEEN x * 0.99 AND x * 1.01 AS within
FROM unnest('{1 us, 1 ms, 1 day, 1000 years, 100000000 years}'::interval[]) x GROUP BY x ORDER BY x;
