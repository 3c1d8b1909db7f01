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
WHERE s.n <= 3 + c % 7;
SELECT count(*) AS n FROM vsm.import_events('events', 'Main') \gset
SELECT count(*) AS n FROM vsm.fold() \gset
SELECT count(*) AS n FROM vsm.fold() \gset

SELECT cmp_ok((SELECT count(*) FROM vsm._spans s WHERE NOT s.month), '>=', 4::bigint, 'there are spans');
SELECT cmp_ok((SELECT count(*) FROM vsm._spans s WHERE s.month), '>=', 1::bigint, 'and months');
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'all is right');
SELECT is_empty($$SELECT * FROM vsm.cells_check('Other')$$, 'in a stream without cells too');
SELECT throws_ok($$SELECT * FROM vsm.cells_check('Nothing')$$, 'PT404', 'stream "Nothing" not found', 'a stream must exist');

-- Another value than the one that is there.
CREATE FUNCTION pg_temp.other_value(c pg_attribute) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE format_type(c.atttypid, NULL)
        WHEN 'boolean' THEN format('NOT %I', c.attname)
        WHEN 'bigint' THEN format('%I + 1000003', c.attname)
        WHEN 'integer' THEN format('%I + 1', c.attname)
        WHEN 'numeric' THEN format('%I + 1', c.attname)
        WHEN 'timestamp with time zone' THEN format('%I + interval ''1 hour''', c.attname)
        WHEN 'bigint[]' THEN format('%I || 7::bigint', c.attname)
        WHEN 'timestamp with time zone[]' THEN format('%I || timestamptz ''2020-01-01 UTC''', c.attname)
        ELSE format('(SELECT x.%1$I FROM %2$s x WHERE x.%1$I IS DISTINCT FROM t.%1$I LIMIT 1)', c.attname, c.attrelid::regclass) END
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
EXCEPTION
    WHEN SQLSTATE 'RB000' THEN
        RETURN sqlerrm::bigint;
    WHEN unique_violation THEN      -- the key does not let it be: a month begins with a span
        RETURN CASE WHEN statement ~ 'month' THEN 1 ELSE -1 END;
END $$;

CREATE TEMP TABLE damages AS
SELECT format('%s of a %s in %s', c.attname, CASE WHEN m.month THEN 'month' ELSE 'span' END, c.attrelid::regclass) AS what,
       format('UPDATE %1$s t SET %2$I = %3$s WHERE t.ctid = (SELECT x.ctid FROM %1$s x WHERE x.month = %4$L%5$s ORDER BY x.since, x.ctid LIMIT 1)',
              c.attrelid::regclass, c.attname, pg_temp.other_value(c), m.month,
              CASE WHEN NOT m.month AND c.atttypid IN ('bigint[]'::regtype, 'timestamptz[]'::regtype) THEN format(' AND cardinality(x.%I) > 0', c.attname) END) AS statement
FROM pg_attribute c CROSS JOIN (VALUES (false), (true)) m (month)
WHERE c.attrelid IN ('vsm._spans'::regclass, 'vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass) AND c.attnum > 0 AND NOT c.attisdropped
  -- a list of a month is null; a value beside it is damage as well
  AND NOT (m.month AND c.atttypid IN ('bigint[]'::regtype, 'timestamptz[]'::regtype))
UNION ALL
SELECT format('a missing list of %s in %s', c.attname, c.attrelid::regclass),
       format('UPDATE %1$s t SET %2$I = NULL WHERE t.ctid = (SELECT x.ctid FROM %1$s x WHERE cardinality(x.%2$I) > 0 ORDER BY x.since, x.ctid LIMIT 1)', c.attrelid::regclass, c.attname)
FROM pg_attribute c
WHERE c.attrelid IN ('vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass) AND c.atttypid IN ('bigint[]'::regtype, 'timestamptz[]'::regtype)
UNION ALL
SELECT format('a list of a month in %s of %s', c.attname, c.attrelid::regclass),
       format('UPDATE %1$s t SET %2$I = ''{}'' WHERE t.ctid = (SELECT x.ctid FROM %1$s x WHERE x.month ORDER BY x.since, x.ctid LIMIT 1)', c.attrelid::regclass, c.attname)
FROM pg_attribute c
WHERE c.attrelid IN ('vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass) AND c.atttypid IN ('bigint[]'::regtype, 'timestamptz[]'::regtype)
UNION ALL
SELECT format('a missing row of a %s in %s', CASE WHEN m.month THEN 'month' ELSE 'span' END, c.oid::regclass),
       format('DELETE FROM %1$s t WHERE t.ctid = (SELECT x.ctid FROM %1$s x WHERE x.month = %2$L ORDER BY x.since, x.ctid LIMIT 1)', c.oid::regclass, m.month)
FROM pg_class c CROSS JOIN (VALUES (false), (true)) m (month)
WHERE c.oid IN ('vsm._spans'::regclass, 'vsm._stage_cells'::regclass, 'vsm._item_cells'::regclass);

SELECT cmp_ok(count(*), '>=', 70::bigint, 'damages are tried') FROM damages;
SELECT cmp_ok(pg_temp.damage(d.statement), '>', 0::bigint, 'found: ' || d.what) FROM damages d ORDER BY d.what;
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'all is right again');

-- what it says
SELECT results_eq($$
    WITH spoilt AS MATERIALIZED (SELECT c.* FROM vsm._stage_cells c WHERE NOT c.month ORDER BY c.since, c.stage_id LIMIT 1)
    SELECT s.stage_id FROM spoilt s$$, $$SELECT s.id FROM vsm.stages s WHERE s.stream = 'Main' AND s.name = 'Todo'$$, 'the first cell is of Todo');
UPDATE vsm._stage_cells c SET entered = -1
WHERE (c.since, c.stage_id) = (SELECT x.since, x.stage_id FROM vsm._stage_cells x WHERE NOT x.month ORDER BY 1, 2 LIMIT 1) AND NOT c.month;
SELECT results_eq($$
    SELECT d.stream, d.month, d.since, d.until, d.type, d.stage, d.figure, d.cell
    FROM vsm.cells_check('Main') d WHERE NOT d.month$$, $$
    SELECT 'Main', false, s.since, s.until, 'task', 'Todo', 'entered', '-1'::jsonb FROM vsm._spans s WHERE NOT s.month ORDER BY s.since LIMIT 1$$, 'a difference, by its names');
SELECT is_empty($$SELECT * FROM vsm.cells_check('Other')$$, 'in its stream only');
INSERT INTO vsm._marks (stream_id, since, until) SELECT s.stream_id, s.since, s.until FROM vsm._spans s WHERE NOT s.month ORDER BY s.since LIMIT 1;
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'what is marked is not compared');
DELETE FROM vsm._marks;
SELECT count(*) AS n FROM vsm.fold('Main', rebuild => true) \gset
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'a rebuild mends');

SELECT * FROM finish();
