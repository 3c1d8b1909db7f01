-- The text of a sketch, what is refused as one, casts, and sketches as values that are compared, grouped and stored.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SET search_path = public, vsm;		-- for the operators

-- ---- Equal sketches have equal texts ----
SELECT vsm.percentile_agg(x) FROM unnest('{3}'::float8[]) x;
SELECT vsm.percentile_agg(x, 0.2) FROM unnest('{-2, 0, 0, 0.001, 1, 1, 1, 3, 1000}'::float8[]) x;
SELECT vsm.percentile_agg(x, 0.2) FROM unnest('{1 s, 1 s, 1 day, 0}'::interval[]) x;
SELECT vsm.percentile_agg(x)::text::vsm.sketch = vsm.percentile_agg(x) AS same FROM generate_series(-500, 500, 0.25) x;
SELECT vsm.percentile_agg(x, e)::text::vsm.sketch::text = vsm.percentile_agg(x, e)::text AS same
FROM unnest('{0.0001, 0.012345678901234567, 0.1, 0.2}'::float8[]) e, generate_series(1, 100, 0.5) x GROUP BY e ORDER BY e;
-- also at other settings of how floats are shown
SET extra_float_digits = -15;
SELECT vsm.rel_error(vsm.percentile_agg(x, 0.012345678901234567)::text::vsm.sketch) = vsm.rel_error(vsm.percentile_agg(x, 0.012345678901234567)) AS same
FROM generate_series(1, 100) x;
RESET extra_float_digits;

-- What can be written more shortly is.
SELECT '1 0.01'::vsm.sketch, '1 0.01 zero=0'::vsm.sketch, '1 1e-2 zero=007'::vsm.sketch, '1 0.01 positive=100:0'::vsm.sketch,
       '1 0.01 positive=100:0,0,3,4*0,1,1,1,2*5,0'::vsm.sketch, '1 0.01 negative=5:7*0,1 positive=0:1  '::vsm.sketch;
SELECT '1 0.01 zero=3 negative=7:1,300 positive=100:70000,0,5000000000'::vsm.interval_sketch;
SELECT vsm.num_vals('1 0.01 zero=3 negative=7:1,300 positive=100:70000,0,5000000000'::vsm.sketch);
SELECT '1 0.01 zero=9223372036854775807'::vsm.sketch;
SELECT n AS count, pg_column_size(('1 0.01 positive=100:' || n)::vsm.sketch) AS bytes FROM unnest('{1, 255, 256, 65535, 65536, 4294967295, 4294967296}'::bigint[]) n;

-- ---- Refused, with the place and what is expected there ----
SELECT ''::vsm.sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT 'nonsense'::vsm.sketch;
SELECT '2 0.01'::vsm.sketch;
SELECT '1'::vsm.sketch;
SELECT '1 '::vsm.sketch;
SELECT '1 x'::vsm.sketch;
SELECT '1 -0.01'::vsm.sketch;
SELECT '1 NaN'::vsm.sketch;
SELECT '1 0.5'::vsm.sketch;
SELECT '1 0.00001'::vsm.sketch;
SELECT '1 0.01 zero'::vsm.sketch;
SELECT '1 0.01 zero='::vsm.sketch;
SELECT '1 0.01 zero=-1'::vsm.sketch;
SELECT '1 0.01 zero=9223372036854775808'::vsm.sketch;
SELECT '1 0.01 zero=99999999999999999999999999'::vsm.sketch;
SELECT '1 0.01 zero=1.5'::vsm.sketch;
SELECT '1 0.01 positive=100'::vsm.sketch;
SELECT '1 0.01 positive=100:'::vsm.sketch;
SELECT '1 0.01 positive=:1'::vsm.sketch;
SELECT '1 0.01 positive=99999999:1'::vsm.sketch;
SELECT '1 0.01 positive=100:1,'::vsm.sketch;
SELECT '1 0.01 positive=100:1,,1'::vsm.sketch;
SELECT '1 0.01 positive=100:1;1'::vsm.sketch;
SELECT '1 0.01 positive=100:0*1'::vsm.sketch;
SELECT '1 0.01 positive=100:3*'::vsm.sketch;
SELECT '1 0.01 positive=100:99999999*1'::vsm.sketch;
SELECT '1 0.01 positive=100:9223372036854775808'::vsm.sketch;
SELECT '1 0.01 positive=100:1 negative=100:1'::vsm.sketch;
SELECT '1 0.01 positive=100:1 zero=1'::vsm.sketch;
SELECT '1 0.01 positive=100:1 positive=200:1'::vsm.sketch;
SELECT '1 0.01  zero=1'::vsm.sketch;
SELECT '1 0.01 zero=1 and more'::vsm.interval_sketch;
\echo :LAST_ERROR_SQLSTATE
SELECT '1 0.01 zero=9223372036854775807 positive=100:1'::vsm.sketch;
SELECT '1 0.01 negative=100:9223372036854775807 positive=100:1'::vsm.sketch;
\echo :LAST_ERROR_SQLSTATE

-- ---- Casts: an interval_sketch is a sketch of seconds ----
SELECT vsm.percentile_agg(x)::vsm.sketch = vsm.percentile_agg(extract(epoch FROM x)::float8) AS seconds FROM unnest('{1 s, 1 day, 1 month, 0, -1 h}'::interval[]) x;
SELECT vsm.approx_percentile(0.5, vsm.percentile_agg(x)::vsm.interval_sketch) AS half FROM unnest('{0, 0, 90000}'::float8[]) x;
CREATE TABLE kept (n serial, s vsm.sketch, i vsm.interval_sketch);
INSERT INTO kept (s) SELECT vsm.percentile_agg(x) FROM unnest('{1 s, 1 day}'::interval[]) x;		-- in an assignment, without being asked
INSERT INTO kept (i) SELECT vsm.percentile_agg(x) FROM unnest('{1, 2}'::float8[]) x;				-- not so back: whose seconds?
SELECT vsm.percentile_agg(x) OPERATOR(vsm.=) vsm.percentile_agg(y) FROM (VALUES (interval '1 s', 1::float8)) v (x, y);

-- ---- Values like others ----
TRUNCATE kept;
INSERT INTO kept (s) SELECT vsm.percentile_agg(x::float8) FROM generate_series(1, 30) x GROUP BY x % 10;
INSERT INTO kept (s) SELECT vsm.percentile_agg(x::float8) FROM generate_series(1, 30) x GROUP BY x % 10;
INSERT INTO kept (i) SELECT vsm.percentile_agg(x * interval '1 hour') FROM generate_series(1, 30) x GROUP BY x % 5;
INSERT INTO kept (i) SELECT vsm.percentile_agg(x * interval '60 min') FROM generate_series(1, 30) x GROUP BY x % 5;
SELECT count(*), count(s) AS sketches, count(i) AS interval_sketches FROM kept;
SELECT count(*) FROM (SELECT DISTINCT s FROM kept WHERE s IS NOT NULL) t;
SELECT count(*), min(n), max(n) FROM (SELECT i, count(*) AS n FROM kept WHERE i IS NOT NULL GROUP BY i) t;
SELECT count(*) FROM kept a JOIN kept b USING (s);
SELECT count(*) FROM kept a JOIN kept b USING (i);
SELECT count(*) AS also_of_other_shapes FROM (SELECT DISTINCT s FROM (VALUES ('1 0.01 positive=7:0,1'::vsm.sketch), ('1 0.01 positive=8:1,0,0'), ('1 0.01 positive=5:1')) v (s)) t;
CREATE INDEX ON kept USING hash (s);
SET enable_seqscan = off;
SELECT count(*) FROM kept WHERE s OPERATOR(vsm.=) (SELECT s FROM kept ORDER BY n LIMIT 1);
RESET enable_seqscan;
-- no order to sort by
SELECT s FROM kept ORDER BY s;
-- Stored out of line and compressed, they are the same.
CREATE TABLE large (s vsm.sketch);
INSERT INTO large SELECT vsm.percentile_agg(x, 0.0001) FROM generate_series(1, 20000) x;
INSERT INTO large SELECT vsm.rollup(s) FROM large;
ALTER TABLE large ALTER s SET STORAGE EXTERNAL;
INSERT INTO large SELECT vsm.percentile_agg(x, 0.0001) FROM generate_series(1, 20000) x;
SELECT count(DISTINCT s::text) AS texts, count(*) AS rows, bool_and(vsm.num_vals(s) = 20000) AS whole FROM large;
SELECT vsm.num_vals(vsm.rollup(s)) FROM large;
SELECT vsm.num_vals(vsm.rollup(s) OVER (ROWS 1 PRECEDING)) AS n FROM large ORDER BY n;

-- ---- On the wire ----
SELECT vsm._sketch_send('1 0.01'), vsm._interval_sketch_send('1 0.01 zero=2 negative=3:1 positive=258:1,2');
SELECT length(vsm._sketch_send('1 0.01 positive=100:255')) AS narrow, length(vsm._sketch_send('1 0.01 positive=100:4294967296')) AS widest;
