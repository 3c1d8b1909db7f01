-- Sketches are put together and taken apart: by rollup(), + and -, in grouping sets, partitions and windows that move.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SET search_path = public, vsm;		-- for the operators
CREATE TABLE items AS
    SELECT n AS id, date '2024-01-01' + n / 50 AS day, CASE n % 3 WHEN 0 THEN 'bug' WHEN 1 THEN 'task' ELSE 'epic' END AS type,
           (n * 7919 % 1000 - 100)::float8 AS hours, (n * 7919 % 1000) * interval '1 hour' AS cycle_time
    FROM generate_series(1, 1000) n;
CREATE TABLE daily AS
    SELECT day, type, vsm.percentile_agg(hours) AS hours, vsm.percentile_agg(cycle_time) AS cycle_time FROM items GROUP BY day, type;

-- ---- Daily sketches roll up to any period, whatever the order, to the bytes of one over all rows ----
CREATE TABLE whole AS SELECT vsm.percentile_agg(hours) AS hours, vsm.percentile_agg(cycle_time) AS cycle_time FROM items;
SELECT r.hours = i.hours AS same, r.any_order::text = i.hours::text AS same_text, pg_column_size(r.backwards) = pg_column_size(r.hours) AS same_size,
       vsm._interval_sketch_send(r.cycle_time) = vsm._interval_sketch_send(i.cycle_time) AS same_bytes
FROM whole i, (SELECT vsm.rollup(hours) AS hours, vsm.rollup(hours ORDER BY md5(day || type)) AS any_order, vsm.rollup(hours ORDER BY day DESC) AS backwards,
                      vsm.rollup(cycle_time ORDER BY day DESC) AS cycle_time FROM daily) r;
SELECT type, vsm.num_vals(vsm.rollup(hours)), vsm.approx_percentile(0.85, vsm.rollup(cycle_time)) =
       (SELECT vsm.approx_percentile(0.85, vsm.percentile_agg(i.cycle_time)) FROM items i WHERE i.type = d.type) AS same
FROM daily d GROUP BY type ORDER BY type;
SELECT vsm.rollup(hours) IS NULL AS nothing, vsm.rollup(cycle_time) IS NULL AS nothing FROM daily WHERE false;
SELECT vsm.num_vals(vsm.rollup(s)) FROM (SELECT CASE WHEN type = 'bug' THEN hours END FROM daily) t (s);
-- Only nulls, and only empty sketches.
SELECT vsm.rollup(s) IS NULL AS nothing FROM (VALUES (NULL::vsm.sketch), (NULL)) t (s);
SELECT vsm.rollup(s) FROM (VALUES ('1 0.01'::vsm.sketch), ('1 0.01')) t (s);

-- ---- GROUP BY, FILTER, GROUPING SETS ----
SELECT type, vsm.num_vals(vsm.percentile_agg(hours)) AS n, vsm.num_vals(vsm.percentile_agg(hours) FILTER (WHERE hours > 500)) AS long,
       vsm.percentile_agg(hours) FILTER (WHERE hours > 5000) IS NULL AS none
FROM items GROUP BY type ORDER BY type;
SELECT g.type, g.month, vsm.num_vals(g.s), g.s = o.s AS same
FROM (SELECT type, date_trunc('month', day)::date AS month, vsm.percentile_agg(cycle_time) AS s
      FROM items GROUP BY GROUPING SETS ((type), (date_trunc('month', day)::date), (), (type, date_trunc('month', day)::date))) g,
     LATERAL (SELECT vsm.percentile_agg(cycle_time) FROM items i
              WHERE i.type = coalesce(g.type, i.type) AND date_trunc('month', i.day)::date = coalesce(g.month, date_trunc('month', i.day)::date)) o (s)
ORDER BY g.type, g.month;
SELECT type, vsm.num_vals(vsm.rollup(hours)) FROM daily GROUP BY ROLLUP (type) ORDER BY type;
SELECT vsm.num_vals(vsm.percentile_agg(DISTINCT hours)) AS different, count(DISTINCT hours) FROM items;

-- ---- + and - ----
SELECT a.hours + b.hours = b.hours + a.hours AS any_order, a.hours + b.hours <> a.hours AS more, (a.hours + b.hours) - b.hours = a.hours AS back,
       ((a.hours + b.hours) - b.hours)::text = a.hours::text AS same_text, vsm.num_vals(a.hours - a.hours) AS none,
       (a.cycle_time + b.cycle_time) - a.cycle_time = b.cycle_time AS back, vsm.num_vals(a.cycle_time + b.cycle_time)
FROM daily a, daily b WHERE a.day = '2024-01-02' AND b.day = '2024-01-09' AND a.type = 'bug' AND b.type = 'task';
SELECT a.hours - b.hours FROM daily a, daily b WHERE a.day = '2024-01-02' AND b.day = '2024-01-09' AND a.type = 'bug' AND b.type = 'task';
SELECT a.cycle_time - b.cycle_time FROM daily a, daily b WHERE a.day = '2024-01-02' AND b.day = '2024-01-09' AND a.type = 'bug' AND b.type = 'task';
\echo :LAST_ERROR_SQLSTATE
-- more zeros, more negative ones, another bucket, a wider count
SELECT sketch '1 0.01 zero=1' - sketch '1 0.01 zero=2';
SELECT sketch '1 0.01 negative=100:1' - sketch '1 0.01 negative=100:2';
SELECT sketch '1 0.01 positive=100:1,0,1' - sketch '1 0.01 positive=101:1';
SELECT sketch '1 0.01 positive=100:255' - sketch '1 0.01 positive=100:256';
-- what is left is as narrow as it can be
SELECT sketch '1 0.01 zero=3 negative=7:1,300 positive=100:70000,0,1' - sketch '1 0.01 zero=3 negative=8:299 positive=100:70000' AS rest,
       pg_column_size(sketch '1 0.01 zero=3 negative=7:1,300 positive=100:70000,0,1' - sketch '1 0.01 zero=3 negative=8:299 positive=100:70000') =
       pg_column_size(sketch '1 0.01 negative=7:1,1 positive=102:1') AS small;
SELECT sketch '1 0.01 positive=100:255' + sketch '1 0.01 positive=100:1' AS wider, sketch '1 0.01 positive=100:65535' + sketch '1 0.01 positive=99:5,1,7' AS wider,
       sketch '1 0.01 positive=100:4294967295' + sketch '1 0.01 positive=100:4294967295' AS wider;
SELECT sketch '1 0.01 zero=9223372036854775807' + sketch '1 0.01 zero=1';
SELECT vsm.rollup(s) FROM (VALUES (sketch '1 0.01 positive=5:9223372036854775807'), ('1 0.01 positive=7:1')) t (s);
\echo :LAST_ERROR_SQLSTATE
SELECT sketch '1 0.01 positive=5:9223372036854775806' + sketch '1 0.01 zero=1' AS most;
-- nulls
SELECT hours + NULL AS nothing, hours - NULL AS nothing FROM daily WHERE day = '2024-01-02' AND type = 'bug';
-- different errors
SELECT vsm.percentile_agg(hours) + vsm.percentile_agg(hours, 0.02) FROM items;
SELECT vsm.percentile_agg(hours) - vsm.percentile_agg(hours, 0.02) FROM items;
SELECT vsm.rollup(s) FROM (SELECT vsm.percentile_agg(hours, CASE type WHEN 'bug' THEN 0.02 ELSE 0.01 END) FROM items GROUP BY type ORDER BY type DESC) t (s);
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.percentile_agg(hours) = vsm.percentile_agg(hours, 0.02) AS same, vsm.percentile_agg(hours) <> vsm.percentile_agg(hours, 0.02) AS other FROM items;

-- ---- Windows that move take away what leaves the frame ----
SELECT id, vsm.num_vals(s) AS n, s = (SELECT vsm.percentile_agg(i.hours) FROM items i WHERE i.id BETWEEN w.id - 2 AND w.id + 1) AS same
FROM (SELECT id, vsm.percentile_agg(hours) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM items) w (id, s)
WHERE id < 5 OR id > 998 ORDER BY id;
SELECT count(*) AS frames, count(*) FILTER (WHERE s::text = (SELECT vsm.percentile_agg(i.cycle_time, 0.02)::text FROM items i WHERE i.id BETWEEN w.id - 20 AND w.id)) AS same
FROM (SELECT id, vsm.percentile_agg(cycle_time, 0.02) OVER (ORDER BY id ROWS 20 PRECEDING) FROM items) w (id, s);
-- with nulls, and frames without any value
SELECT id, x, vsm.num_vals(s) AS n, s = (SELECT vsm.percentile_agg(v.x) FROM (VALUES (1, 1), (2, NULL), (3, NULL), (4, 4), (5, 0), (6, NULL)) v (id, x) WHERE v.id BETWEEN w.id - 1 AND w.id) AS same
FROM (SELECT id, x, vsm.percentile_agg(x) OVER (ORDER BY id ROWS 1 PRECEDING) FROM (VALUES (1, 1), (2, NULL), (3, NULL), (4, 4), (5, 0), (6, NULL)) v (id, x)) w (id, x, s)
ORDER BY id;
SELECT day, vsm.num_vals(s) AS n, s = (SELECT vsm.rollup(d.hours) FROM daily d WHERE d.type = 'task' AND d.day BETWEEN w.day - 2 AND w.day + 2) AS same
FROM (SELECT day, vsm.rollup(hours) OVER (ORDER BY day RANGE BETWEEN interval '2 days' PRECEDING AND interval '2 days' FOLLOWING) FROM daily WHERE type = 'task') w (day, s)
WHERE day < '2024-01-05' ORDER BY day;
SELECT id, vsm.num_vals(s) AS n FROM (SELECT id, vsm.percentile_agg(hours) OVER (ORDER BY id) FROM items WHERE id <= 4) w (id, s) ORDER BY id;
SELECT DISTINCT vsm.num_vals(vsm.percentile_agg(hours) OVER (PARTITION BY type)) AS n FROM items ORDER BY n;
SELECT DISTINCT vsm.num_vals(vsm.rollup(cycle_time) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE CURRENT ROW)) AS n FROM daily WHERE type = 'bug' ORDER BY n;

-- ---- States that travel as text, as some distributed engines have it ----
CREATE AGGREGATE by_text(float8) (SFUNC = vsm._sketch_add, STYPE = vsm.sketch, FINALFUNC = vsm._sketch_out);
CREATE AGGREGATE from_text(vsm.sketch) (SFUNC = vsm._sketch_combine, STYPE = vsm.sketch, FINALFUNC = vsm._sketch_finish_values);
SELECT from_text(state) = (SELECT vsm.percentile_agg(hours) FROM items) AS same
FROM (SELECT vsm._sketch_in(by_text(hours)) FROM items GROUP BY day) t (state);
