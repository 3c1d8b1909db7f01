-- vsm.percentile() and vsm.percentiles(): the rule of percentile_disc, as ordinary aggregates.
SET TimeZone = 'UTC';
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
CREATE TABLE items AS
    SELECT n AS id, CASE n % 3 WHEN 0 THEN 'bug' WHEN 1 THEN 'task' ELSE 'epic' END AS type,
           (n * 7919 % 1000 - 100)::float8 AS hours, (n * 7919 % 1000) * interval '1 hour' AS cycle_time
    FROM generate_series(1, 1000) n;

SELECT vsm.percentile(hours, 0.85), percentile_disc(0.85) WITHIN GROUP (ORDER BY hours),
       vsm.percentile(cycle_time, 0.85), percentile_disc(0.85) WITHIN GROUP (ORDER BY cycle_time) FROM items;
SELECT vsm.percentiles(hours, '{0, 0.5, 0.85, 0.95, 1}'), vsm.percentiles(cycle_time, '{1, 0.95, 0.5}') FROM items;
-- one of the values, never one between them
SELECT vsm.percentile(x, 0.85) AS p85, vsm.percentile(x, 0.5) AS p50 FROM unnest('{1, 2, 3, 4, 5, 6, 7, 8, 9, 60}'::float8[]) x;
SELECT vsm.percentile(7::float8, 0), vsm.percentile(7::float8, 1), vsm.percentile(interval '1 day', 0.3);

-- ---- Nulls and nothing ----
SELECT vsm.percentile(x, 0.5), vsm.percentiles(x, '{0, 1}') FROM unnest('{NULL, 3, NULL, 1}'::float8[]) x;
SELECT vsm.percentile(x, 0.5), vsm.percentiles(x, '{0, 1}') FROM unnest('{NULL, NULL}'::interval[]) x;
SELECT vsm.percentile(hours, 0.5), vsm.percentiles(hours, '{0.5}') FROM items WHERE false;
SELECT vsm.percentile(hours, NULL), vsm.percentiles(hours, NULL), vsm.percentile(cycle_time, NULL), vsm.percentiles(cycle_time, NULL) FROM items;

-- ---- Shapes of fractions: as percentile_disc has them ----
SELECT f, vsm.percentiles(hours, f), vsm.percentiles(hours, f) IS NOT DISTINCT FROM percentile_disc(f) WITHIN GROUP (ORDER BY hours) AS same
FROM items, (VALUES ('{}'::float8[]), ('{NULL}'), ('{0.5,NULL,0.1}'), ('{{0.1,0.9},{NULL,0.5}}'), ('{0.9,0.9,0.1}')) v (f)
GROUP BY f ORDER BY f;
SELECT vsm.percentiles(cycle_time, '[3:4]={0.1,0.9}'), vsm.percentiles(cycle_time, '{{0.1,0.9},{NULL,0.5}}') FROM items;

-- ---- Refused ----
SELECT vsm.percentile(hours, 85) FROM items;
SELECT vsm.percentile(cycle_time, -0.1) FROM items;
SELECT vsm.percentile(hours, 'NaN') FROM items;
SELECT vsm.percentiles(hours, '{0.5, 1.5}') FROM items;
SELECT vsm.percentiles(cycle_time, '{0.5, -1}') FROM items;
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.percentile(hours, CASE WHEN id = 500 THEN 0.9 ELSE 0.5 END) FROM items;
SELECT vsm.percentile(hours, CASE WHEN id < 500 THEN 0.5 END) FROM items;
SELECT vsm.percentile(hours, CASE WHEN id > 500 THEN 0.5 END) FROM items;
SELECT vsm.percentiles(hours, CASE WHEN id = 500 THEN '{0.9}' ELSE '{0.5}' END::float8[]) FROM items;
SELECT vsm.percentiles(cycle_time, CASE WHEN id = 500 THEN '{0.5,0.5}' ELSE '{0.5}' END::float8[]) FROM items;
SELECT vsm.percentiles(cycle_time, CASE WHEN id = 500 THEN NULL ELSE '{0.5}' END::float8[]) FROM items;
\echo :LAST_ERROR_SQLSTATE
-- each group may have its own, and a row without a value is not asked
SELECT type, vsm.percentile(hours, CASE type WHEN 'bug' THEN 0 ELSE 1 END) FROM items GROUP BY type ORDER BY type;
SELECT vsm.percentile(CASE WHEN id > 500 THEN hours END, CASE WHEN id > 500 THEN 0.5 ELSE 0.9 END) FROM items;

-- ---- NaN, infinities, both zeros ----
SELECT vsm.percentiles(x, '{0, 0.25, 0.5, 0.75, 1}') AS ours, percentile_disc('{0, 0.25, 0.5, 0.75, 1}'::float8[]) WITHIN GROUP (ORDER BY x) AS servers
FROM unnest('{NaN, -Infinity, 0, Infinity}'::float8[]) x;
SELECT vsm.percentile(x, 0.5) = 0 AS zero FROM unnest('{0, -0, 0, -0, 1}'::float8[]) x;

-- ---- Intervals as the server compares them ----
SELECT vsm.percentile(x, 0.5) = interval '30 days' AS same FROM unnest('{1 mon, 29 days, 31 days}'::interval[]) x;
SELECT vsm.percentiles(x, '{0.25, 0.5, 0.75, 1}') FROM unnest('{1 mon 1 day, 1 mon -1 day, 740 hours, 30 days 1 second}'::interval[]) x;
SELECT vsm.percentiles(x, '{0, 0.5, 1}')
FROM unnest('{178000000 years, -178000000 years, 00:00:00.000001, 2147483647 days, -2147483648 days}'::interval[]) x;

-- ---- GROUP BY, FILTER, GROUPING SETS, windows ----
SELECT type, vsm.percentile(hours, 0.85), vsm.percentile(hours, 0.85) FILTER (WHERE hours < 0) AS early, vsm.percentile(hours, 0.85) FILTER (WHERE hours > 5000) AS none
FROM items GROUP BY ROLLUP (type) ORDER BY type;
SELECT vsm.percentile(DISTINCT x, 0.5), vsm.percentile(x, 0.5 ORDER BY x DESC) FROM unnest('{1, 1, 1, 1, 2, 3}'::float8[]) x;
SELECT id, vsm.percentile(hours, 0.5) OVER (ORDER BY id) AS so_far, vsm.percentiles(hours, '{0, 1}') OVER (ORDER BY id ROWS 2 PRECEDING) AS of_three
FROM items WHERE id <= 5 ORDER BY id;
SELECT count(*) AS frames, count(*) FILTER (WHERE p = (SELECT percentile_disc(0.3) WITHIN GROUP (ORDER BY i.cycle_time) FROM items i WHERE i.id BETWEEN w.id - 20 AND w.id + 5)) AS same
FROM (SELECT id, vsm.percentile(cycle_time, 0.3) OVER (ORDER BY id ROWS BETWEEN 20 PRECEDING AND 5 FOLLOWING) FROM items) w (id, p);
SELECT DISTINCT type, vsm.percentile(hours, 0.5) OVER (PARTITION BY type) FROM items ORDER BY type;
