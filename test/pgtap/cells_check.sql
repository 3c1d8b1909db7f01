-- cells_check.sql: vsm.cells_check() finds damage of each column of cells, spans and months, and nothing where all is right
--
-- The columns are those of the catalog.  Each is changed in one row by another value of its type, nulls too.

SET client_min_messages = warning;
SET timezone = 'UTC';

SELECT no_plan();

SELECT vsm.define_stream('Main', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"},{"name":"Void","category":"discarded"}]',
                         time_zone => 'Europe/Berlin') IS NULL AS defined \gset
SELECT vsm.define_stream('Other') IS NULL AS defined \gset
-- over two months and more, so that one is folded; items come back, are discarded and return
CREATE TABLE events AS
SELECT 'case ' || c AS case_id, s.stage, date_trunc('month', now()) - interval '90 days' + c * interval '13 hours' + s.n * interval '20 hours' AS entered_at, 'task' AS type
FROM generate_series(1, 120) c, unnest(ARRAY['Todo', 'Doing', 'Done', 'Doing', 'Todo', 'Doing', 'Void', 'Doing', 'Done']) WITH ORDINALITY s (stage, n)
WHERE s.n <= 3 + c % 7
UNION ALL
-- and a busy day, with hours and sketches
SELECT 'busy ' || c, s.stage, date_trunc('month', now()) - interval '50 days' + c * interval '9 minutes' + s.n * interval '61 minutes', 'task'
FROM generate_series(1, 120) c, unnest(ARRAY['Todo', 'Doing', 'Done']) WITH ORDINALITY s (stage, n);
SELECT count(*) AS n FROM vsm.import_events('events', 'Main') \gset
SELECT count(*) AS n FROM vsm.fold() \gset
SELECT count(*) AS n FROM vsm.fold() \gset

SELECT cmp_ok((SELECT count(*) FROM vsm._spans s WHERE s.unit = u.unit::"char"), '>=', u.least, 'there are spans of unit ' || u.unit)
FROM (VALUES ('d', 4::bigint), ('h', 20), ('m', 1)) u (unit, least);
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'all is right');
SELECT is_empty($$SELECT * FROM vsm.cells_check('Other')$$, 'in a stream without cells too');
SELECT throws_ok($$SELECT * FROM vsm.cells_check('Nothing')$$, 'PT404', 'stream "Nothing" not found', 'a stream must exist');

-- what a late move changes is read from the ledger again, and waits
SELECT is((SELECT f.days_waiting FROM vsm._streams_to_fold(now()) f WHERE f.stream = 'Main'), 0::bigint, 'all days are in cells');
CREATE VIEW late AS SELECT 'busy 1' AS case_id, 'Void' AS stage, date_trunc('month', now()) - interval '49 days' AS entered_at, 'task' AS type;
SELECT count(*) AS n FROM vsm.import_events('late', 'Main') \gset
SELECT cmp_ok((SELECT f.days_waiting FROM vsm._streams_to_fold(now()) f WHERE f.stream = 'Main'), '>', 0::bigint, 'a late move makes days wait');
SELECT is((SELECT f.days_waiting FROM vsm.fold('Main') f), 0::bigint, 'which are folded anew');
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'and right');

-- Another value than the one that is there.
CREATE FUNCTION pg_temp.other_value(c pg_attribute) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE format_type(c.atttypid, NULL)
        WHEN '"char"' THEN '''x'''
        WHEN 'bigint' THEN format('%I + 1000003', c.attname)
        WHEN 'integer' THEN format('%I + 1003', c.attname)
        WHEN 'numeric' THEN format('%I + 1', c.attname)
        WHEN 'timestamp with time zone' THEN format('%I + interval ''7 minutes''', c.attname)
        WHEN 'bigint[]' THEN format('%I || 7::bigint', c.attname)
        WHEN 'timestamp with time zone[]' THEN format('%I || timestamptz ''2020-01-01 UTC''', c.attname)
        WHEN 'vsm.sketch' THEN format('%1$I OPERATOR(vsm.+) %1$I', c.attname) END
$$;
-- What the check says of a damaged row, which is mended again.
CREATE FUNCTION pg_temp.damage(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> 1 THEN
        RETURN -1;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'RB000', MESSAGE = (SELECT count(*) FROM vsm.cells_check());
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN sqlerrm::bigint;
END $$;

-- Each column of each unit: changed where there is a value, missing, and given where there is none.
CREATE FUNCTION pg_temp.is_there(condition text, of_table regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    there boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s x WHERE %s)', of_table, condition) INTO there;
    RETURN there;
END $$;
CREATE TEMP TABLE damages AS
WITH columns AS (
    SELECT c.attrelid::regclass AS of_table, c.attname, c.attnotnull, u.unit, pg_temp.other_value(c) AS other,
           format('x.unit = %L', u.unit) AS condition, format('x.unit = %L AND x.%I IS NOT NULL', u.unit, c.attname) AS given,
           CASE format_type(c.atttypid, NULL) WHEN 'vsm.sketch' THEN '(SELECT vsm.percentile_agg(1))' ELSE '''{}''' END AS empty
    FROM pg_attribute c CROSS JOIN unnest('{d,h,m}'::text[]) u (unit)
    WHERE c.attrelid IN ('vsm._spans'::regclass, 'vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass, 'vsm._edge_cells'::regclass, 'vsm._path_cells'::regclass)
      AND c.attnum > 0 AND NOT c.attisdropped
      AND (u.unit = 'd' OR c.attrelid NOT IN ('vsm._edge_cells'::regclass, 'vsm._path_cells'::regclass))),     -- they have no others
changes AS (
    SELECT c.*, 'a changed ' || c.attname AS what, format('UPDATE %s t SET %I = %s', c.of_table, c.attname, c.other) AS change, c.given AS which
    FROM columns c WHERE pg_temp.is_there(c.given, c.of_table)
    UNION ALL
    SELECT c.*, 'a missing ' || c.attname, format('UPDATE %s t SET %I = NULL', c.of_table, c.attname), c.given
    FROM columns c WHERE NOT c.attnotnull AND pg_temp.is_there(c.given, c.of_table)
    UNION ALL
    SELECT c.*, 'a superfluous ' || c.attname, format('UPDATE %s t SET %I = %s', c.of_table, c.attname, c.empty), c.condition
    FROM columns c WHERE NOT pg_temp.is_there(c.given, c.of_table)
    UNION ALL
    SELECT c.*, 'a missing row', format('DELETE FROM %s t', c.of_table), c.condition FROM columns c WHERE c.attname = 'unit')
SELECT format('%s in %s of unit %s', c.what, c.of_table, c.unit) AS what,
       format('%s WHERE t.ctid = (SELECT x.ctid FROM %s x WHERE %s ORDER BY x.since, x.ctid LIMIT 1)', c.change, c.of_table, c.which) AS statement
FROM changes c;

SELECT cmp_ok(count(*), '>=', 130::bigint, 'damages are tried') FROM damages;
SELECT cmp_ok(pg_temp.damage(d.statement), '>', 0::bigint, 'found: ' || d.what) FROM damages d ORDER BY d.what;
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'all is right again');

-- what it says
SELECT results_eq($$
    WITH spoilt AS MATERIALIZED (SELECT c.* FROM vsm._stage_cells c WHERE c.unit = 'd' ORDER BY c.since, c.stage_id LIMIT 1)
    SELECT s.stage_id FROM spoilt s$$, $$SELECT s.id FROM vsm.stages s WHERE s.stream = 'Main' AND s.name = 'Todo'$$, 'the first cell is of Todo');
UPDATE vsm._stage_cells c SET entered = -1
WHERE (c.since, c.stage_id) = (SELECT x.since, x.stage_id FROM vsm._stage_cells x WHERE x.unit = 'd' ORDER BY 1, 2 LIMIT 1) AND c.unit = 'd' AND c.type_id > 0;
SELECT results_eq($$
    SELECT d.stream, d.unit, d.since, d.until, d.type, d.stage, d.figure, d.cell
    FROM vsm.cells_check('Main') d WHERE d.unit = 'days'$$, $$
    SELECT 'Main', 'days', s.since, s.until, 'task', 'Todo', 'entered', '-1'::jsonb FROM vsm._spans s WHERE s.unit = 'd' ORDER BY s.since LIMIT 1$$, 'a difference, by its names');
SELECT is_empty($$SELECT * FROM vsm.cells_check('Other')$$, 'in its stream only');
INSERT INTO vsm._marks (stream_id, since, until) SELECT s.stream_id, s.since, s.until FROM vsm._spans s WHERE s.unit = 'd' ORDER BY s.since LIMIT 1;
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'what is marked is not compared');
DELETE FROM vsm._marks;
SELECT count(*) AS n FROM vsm.fold('Main', rebuild => true) \gset
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'a rebuild mends');

SELECT * FROM finish();
