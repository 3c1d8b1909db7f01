-- reads_little.sql: lists of items, the page for Prometheus and data quality read what they show, not what there is
--
-- Rows are counted as the server's statistics count them, of the tables and of their indexes.  A large stream with a long
-- history, a stream whose items come after all of its, and a small stream are in one database.

SET client_min_messages = warning;
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;        -- what workers read is counted elsewhere
CREATE SCHEMA t;

SELECT no_plan();

CREATE FUNCTION t.read_so_far() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(pg_stat_get_xact_tuples_returned(r.oid))::bigint
    FROM (SELECT c.oid FROM pg_class c WHERE c.oid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass)
          UNION ALL
          SELECT i.indexrelid FROM pg_index i WHERE i.indrelid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass)) r $$;

CREATE FUNCTION t.rows_read(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT bigint := t.read_so_far();
BEGIN
    EXECUTE statement;
    RETURN t.read_so_far() - before;
END $$;

SELECT vsm.define_stream('large', '[{"name":"Backlog","category":"wait"},{"name":"Analysis"},{"name":"Development"},{"name":"Testing"},
    {"name":"Deployment","category":"wait"},{"name":"Production","category":"done"},{"name":"Withdrawn","category":"done"},
    {"name":"Dropped","category":"discarded"}]') \g /dev/null
SELECT vsm.define_stream('late', '[{"name":"Backlog","category":"wait"},{"name":"Testing"},{"name":"Production","category":"done"}]') \g /dev/null
SELECT vsm.define_stream('small', '[{"name":"Backlog","category":"wait"},{"name":"Testing"},{"name":"Production","category":"done"}]') \g /dev/null
INSERT INTO vsm.work_item_types (name) VALUES ('seldom');
CREATE TABLE events AS SELECT * FROM vsm.simulate(8000, 365, 1, '2026-01-01 00:00+00');
SELECT vsm.import_events('events', 'large') \g /dev/null
DROP TABLE events;
CREATE TABLE events AS
SELECT 'L' || n AS case_id, s.stage, timestamptz '2025-12-01 00:00+00' + n * interval '1 minute' + s.k * interval '1 hour' AS entered_at
FROM generate_series(1, 3000) n, (VALUES (0, 'Backlog'), (1, 'Testing'), (2, 'Production')) s (k, stage);
SELECT vsm.import_events('events', 'late') \g /dev/null
SELECT count(vsm.create_work_item('small ' || n, stream => 'small', attributes => '{"size": 1}')) FROM generate_series(1, 10) n \g /dev/null
SELECT count(vsm.transition(w.id, CASE w.id % 3 WHEN 0 THEN 'Testing' ELSE 'Production' END)) FROM vsm.work_items w WHERE w.stream = 'small' AND w.id % 2 = 0 \g /dev/null
SELECT count(vsm.transition(w.id, CASE WHEN w.id % 2 = 0 THEN 'Dropped' ELSE 'Withdrawn' END)) FROM vsm.work_items w WHERE w.stream = 'large' AND w.id > 7900 \g /dev/null
UPDATE vsm.work_items SET type = 'seldom' WHERE id % 1500 = 7;
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE stream = 'large' AND id % 10 = 3;
ANALYZE vsm.work_items, vsm.stage_transitions;

-- ---- Lists of items ----

-- All pages of a list, one after the other.
CREATE FUNCTION t.listed(arguments text, size integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[] := '{}';
    page json;
    after bigint;
BEGIN
    LOOP
        EXECUTE format('SELECT vsm_api.work_items(%s)', concat_ws(', ', nullif(arguments, ''), '"limit" => ' || size, 'after => ' || after)) INTO page;
        ids := ids || ARRAY(SELECT (i ->> 'id')::bigint FROM json_array_elements(page -> 'items') i);
        after := page ->> 'next';
        EXIT WHEN after IS NULL;
    END LOOP;
    RETURN ids;
END $$;

-- The same in plain SQL.
CREATE FUNCTION t.expected(stream text, stage text, type text, open boolean, attributes jsonb) RETURNS bigint[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(w.id ORDER BY w.id), '{}')
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id
    WHERE (w.stream = $1 OR $1 IS NULL) AND (s.name = $2 OR $2 IS NULL) AND (w.type = $3 OR $3 IS NULL)
      AND (s.category IN ('wait', 'active') = $4 OR $4 IS NULL) AND (w.attributes @> $5 OR $5 IS NULL) $$;

CREATE TABLE t.lists AS
SELECT concat_ws(', ', 'stream => ' || quote_literal(s), 'stage => ' || quote_literal(g), 'type => ' || quote_literal(y), 'open => ' || o,
                 'attributes => ' || quote_literal(a)) AS arguments, s AS stream, g AS stage, y AS type, o AS open, a::jsonb AS attributes
FROM unnest(ARRAY[NULL, 'large', 'late', 'small']) s, unnest(ARRAY[NULL, 'Testing', 'Production', 'Withdrawn', 'Dropped']) g,
     unnest(ARRAY[NULL, 'seldom', 'task']) y, unnest(ARRAY[NULL, true, false]) o, unnest(ARRAY[NULL, '{"team": "red"}', '{"size": 1}']) a
WHERE (coalesce(s, 'large') = 'large' OR g IS NULL OR g IN ('Testing', 'Production'))
  AND (a IS NULL OR s IS NULL OR s = CASE a WHEN '{"size": 1}' THEN 'small' ELSE 'large' END);

SELECT is_empty($$
    SELECT l.arguments FROM t.lists l
    WHERE t.listed(l.arguments, 500) IS DISTINCT FROM t.expected(l.stream, l.stage, l.type, l.open, l.attributes) $$,
    'every combination of filters lists what plain SQL lists');
SELECT is_empty($$
    SELECT l.arguments FROM t.lists l
    WHERE cardinality(t.expected(l.stream, l.stage, l.type, l.open, l.attributes)) BETWEEN 1 AND 300
      AND t.listed(l.arguments, 7) IS DISTINCT FROM t.expected(l.stream, l.stage, l.type, l.open, l.attributes) $$,
    'and so do short pages');

-- A page of 50 in each of three streams and six types is some 1,000 rows; an index entry and its row count twice.
CREATE FUNCTION t.lists_reading(most bigint, filter text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$
        SELECT l.arguments FROM t.lists l
        WHERE (%s) AND t.rows_read(format('SELECT vsm_api.work_items(%%s)', l.arguments)) > %s $q$, filter, most);
END $$;

SELECT cmp_ok((SELECT count(*) FROM vsm.work_items w WHERE w.stream = 'large' AND w.completed_at IS NULL AND w.discarded_at IS NULL), '<', 1500::bigint,
              'few items are open');
SELECT is_empty($$ SELECT t.lists_reading(4000, 'attributes IS NULL AND stage IS DISTINCT FROM ''Withdrawn''') $$,
    'no list walks through the items, whatever its stream, stage, type and open');
SELECT is_empty($$ SELECT t.lists_reading(200, 'stream = ''small''') $$, 'a list of a small stream does not know of the large one');
SELECT is_empty($$ SELECT t.lists_reading(100, 'attributes IS NULL AND (stage = ''Testing'' AND NOT open OR stage IN (''Production'', ''Dropped'') AND open)') $$,
    'a list of what cannot be reads nothing');
UPDATE vsm.work_items SET external_id = 'X-' || CASE stream WHEN 'small' THEN 7900 ELSE id END WHERE id IN (5000, 7900, (SELECT max(s.id) FROM vsm.work_items s WHERE s.stream = 'small'));
ANALYZE vsm.work_items;
SELECT unnest(ARRAY[is(t.listed(a.arguments, 10), a.ids, 'an item by its id elsewhere: ' || a.arguments),
                    cmp_ok(t.rows_read(format('SELECT vsm_api.work_items(%s)', a.arguments)), '<', 100::bigint, 'is read alone')])
FROM (SELECT l.arguments, ARRAY(SELECT w.id FROM vsm.work_items w WHERE w.external_id = l.external_id AND w.stream = ANY (l.streams) ORDER BY 1) AS ids
      FROM (VALUES ('external_id => ''X-5000''', 'X-5000', '{large,late,small}'::text[]), ('''large'', external_id => ''X-7900''', 'X-7900', '{large}'),
                   ('external_id => ''X-7900''', 'X-7900', '{large,late,small}'), ('external_id => ''X-1''', 'X-1', '{}')) l (arguments, external_id, streams)) a;
SELECT cmp_ok(t.rows_read('SELECT vsm_api.work_items(''late'', after => 9000)'), '<', 1000::bigint, 'a later page reads no earlier one');
SELECT throws_ok('SELECT vsm_api.work_items(''small'', attributes => ''{"team": "red"}'')', 'PT422', 'no work item has the attribute "team"',
    'an attribute that no item of the stream has is an error');
SELECT is(vsm_api.work_items('small', attributes => '{"size": 2}')::jsonb, '{"items": [], "next": null}'::jsonb, 'one that has other values is not');

-- ---- Streams, with their first and last moves ----

CREATE FUNCTION t.moved_between() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', s ->> 'name', (s ->> 'first_move_at')::timestamptz, (s ->> 'last_move_at')::timestamptz)
    FROM json_array_elements(vsm_api.streams()) s WHERE s ->> 'last_move_at' IS NOT NULL $$;
SELECT set_eq('SELECT t.moved_between()', $$
    SELECT concat_ws(' ', w.stream, min(m."timestamp"), max(m."timestamp"))
    FROM vsm.stage_transitions m JOIN vsm.work_items w ON w.id = m.work_item_id GROUP BY w.stream $$,
    'each stream has the times of its first and last move');
SELECT cmp_ok(t.rows_read('SELECT vsm_api.streams()'), '<', 20::bigint, 'for which two rows of each are read');

-- A role that sees one stream lists its items as fast.
CREATE ROLE t_reads_little;
SELECT vsm.grant_access('t_reads_little', 'reader', 'small') \g /dev/null
GRANT USAGE ON SCHEMA t TO t_reads_little;
SET ROLE t_reads_little;
SELECT is(json_array_length(vsm_api.work_items() -> 'items'), 10, 'a role that sees one stream lists all of its items');
SELECT cmp_ok(t.rows_read('SELECT vsm_api.work_items()'), '<', 400::bigint, 'and reads no others');
SELECT cmp_ok(t.rows_read('SELECT * FROM vsm.data_quality(''small'')'), '<', 600::bigint, 'nor does it for data quality');
SELECT cmp_ok(t.rows_read('SELECT vsm_api.streams()'), '<', 20::bigint, 'nor for the streams');
RESET ROLE;

-- ---- Moves stay heap-only updates ----

CREATE FUNCTION t.hot_moves() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT bigint := pg_stat_get_xact_tuples_hot_updated('vsm.work_items'::regclass);
BEGIN
    PERFORM vsm.transition(w.id, 'Analysis') FROM (
        SELECT w.id FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE w.stream = 'large' AND s.name = 'Backlog' ORDER BY w.id LIMIT 5) w;
    RETURN pg_stat_get_xact_tuples_hot_updated('vsm.work_items'::regclass) - before;
END $$;
VACUUM vsm.work_items;         -- so that the pages have room
SELECT is(t.hot_moves(), 5::bigint, 'a move changes no index');

-- ---- Prometheus ----

SELECT vsm_api.prometheus() \g /dev/null
SELECT t.rows_read('SELECT vsm_api.prometheus()') AS idle \gset
SELECT cmp_ok(:idle::bigint, '<', 100::bigint, 'without completions today, hardly a row is read');
CREATE TABLE today AS
SELECT 'T' || n AS case_id, s.stage, clock_timestamp() - (6 - s.k) * interval '1 millisecond' AS entered_at
FROM generate_series(1, 1000) n,
     (VALUES (0, 'Backlog'), (1, 'Analysis'), (2, 'Development'), (3, 'Testing'), (4, 'Deployment'), (5, 'Production')) s (k, stage);
SELECT vsm.import_events('today', 'large') \g /dev/null
ANALYZE vsm.stage_transitions;
SELECT vsm_api.prometheus() \g /dev/null
SELECT cmp_ok(t.rows_read('SELECT vsm_api.prometheus()'), '<', 1000 + :idle::bigint + 100,
              'of 6,000 moves today, the thousand that finish an item are read, in an index');

-- ---- Data quality ----

SELECT cmp_ok(t.rows_read('SELECT * FROM vsm.data_quality(''small'')'), '<', 600::bigint, 'the data quality of a small stream does not read the large one');

-- ---- An item that goes to and fro: its way is read once, not once for each move ----

SELECT vsm.define_stream('restless', '[{"name":"Backlog","category":"wait"},{"name":"Testing"},{"name":"Production","category":"done"}]') \g /dev/null
CREATE TABLE to_and_fro AS
SELECT 'restless' AS case_id, CASE WHEN n % 2 = 0 THEN 'Backlog' ELSE 'Testing' END AS stage, timestamptz '2026-02-02 00:00+00' + n * interval '1 minute' AS entered_at
FROM generate_series(0, 999) n
UNION ALL SELECT 'other', 'Testing', '2026-01-05 10:00+00'
UNION ALL
SELECT 'for days', CASE WHEN n % 2 = 0 THEN 'Backlog' ELSE 'Testing' END, timestamptz '2026-02-10 00:30+00' + n * interval '1 hour' FROM generate_series(0, 299) n
UNION ALL
SELECT 'for years', CASE WHEN n % 2 = 0 THEN 'Backlog' ELSE 'Testing' END, timestamptz '2020-01-01 00:30+00' + n * interval '7 days' FROM generate_series(0, 299) n;
SELECT vsm.import_events('to_and_fro', 'restless') \g /dev/null
ANALYZE vsm.stage_transitions;
SELECT vsm.fold('restless') \g /dev/null
SELECT vsm.fold('restless') \g /dev/null
SELECT vsm.fold('restless') \g /dev/null
SELECT isnt_empty($$SELECT FROM vsm._spans s JOIN vsm.value_streams v ON v.id = s.stream_id WHERE v.name = 'restless'$$, 'the day is folded');
SELECT cmp_ok(t.rows_read($$SELECT vsm.fold('restless', rebuild => true)$$), '<', 50000::bigint, 'a fold reads a thousand moves a few times');
UPDATE vsm.work_items SET type = 'seldom' WHERE stream = 'restless' AND external_id = 'for days';
SELECT is(array_agg(DISTINCT k.until - k.since), ARRAY[interval '1 day'], 'many hours of one item are marked by days') FROM vsm._marks k;
UPDATE vsm.work_items SET type = 'seldom' WHERE stream = 'restless' AND external_id = 'for years';
SELECT is(count(*), 69::bigint, 'and many days by months') FROM vsm._marks k WHERE k.until <= '2026-01-01' AND k.since = date_trunc('month', k.since) AND k.until = k.since + interval '1 month';

-- A transaction marks an item once, whoever changes it how often; the next move of an item that replication brings marks its hour.
SELECT vsm.fold('restless') \g /dev/null
BEGIN;
UPDATE vsm.work_items SET type = 'task' WHERE stream = 'restless' AND external_id = 'for days';
UPDATE vsm.work_items SET type = 'seldom' WHERE stream = 'restless' AND external_id = 'for days';
UPDATE vsm.work_items SET type = 'task' WHERE stream = 'restless' AND external_id = 'for days';
COMMIT;
SELECT is(count(*), 13::bigint, 'an item that is retyped three times is marked once') FROM vsm._marks;
SELECT vsm.fold('restless') \g /dev/null
CREATE FUNCTION t.replicate(later interval) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO vsm.stage_transitions
    SELECT (jsonb_populate_record(m.last, jsonb_build_object('id', nextval('vsm.stage_transitions_id_seq'), 'timestamp', (m.last)."timestamp" + later))).*
    FROM (SELECT m AS last FROM vsm.stage_transitions m JOIN vsm.work_items w ON w.id = m.work_item_id
          WHERE w.stream = 'restless' AND w.external_id = 'for days' ORDER BY m."timestamp" DESC, m.id DESC LIMIT 1) m;
END;
SET session_replication_role = replica;
SELECT t.replicate('1 hour') \g /dev/null
SELECT is(count(*), 1::bigint, 'a replicated move that is the item''s next marks its hour') FROM vsm._marks;
BEGIN;
SELECT t.replicate('1 hour'), t.replicate('1 hour'), t.replicate('-30 minutes'), t.replicate('2 hours') \g /dev/null
DELETE FROM vsm.stage_transitions m USING vsm.work_items w WHERE w.id = m.work_item_id AND w.stream = 'restless' AND w.external_id = 'for days' AND m."timestamp" < '2026-02-15';
COMMIT;
SET session_replication_role = origin;
SELECT cmp_ok(count(*) FILTER (WHERE k.until - k.since = '1 day'), '=', 13::bigint, 'many of them mark the item once') FROM vsm._marks k;
SELECT cmp_ok(count(*), '<', 150::bigint, 'and each its hour') FROM vsm._marks k;
SELECT vsm.fold('restless') \g /dev/null
SELECT is((SELECT count(*) FROM vsm.cells_check('restless')), 0::bigint, 'so that cells are right');
TRUNCATE to_and_fro;
INSERT INTO to_and_fro SELECT 'on many days', CASE WHEN n % 2 = 0 THEN 'Backlog' ELSE 'Testing' END, timestamptz '2024-01-01 00:30+00' + n * interval '1 day' FROM generate_series(0, 299) n;
SELECT vsm.fold('restless') \g /dev/null
SELECT vsm.import_events('to_and_fro', 'restless') \g /dev/null
SELECT is(count(*), 10::bigint, 'an import marks many days by months') FROM vsm._marks k;
INSERT INTO vsm._marks (stream_id, since, until)
SELECT v.id, '2026-02-02 12:00+00', '2026-02-02 13:00+00' FROM vsm.value_streams v WHERE v.name = 'restless';
SELECT cmp_ok(t.rows_read($$SELECT vsm.time_in_stage('restless', '-infinity', 'infinity')$$), '<', 50000::bigint, 'and so does a figure of a marked day');

SELECT * FROM finish();
DROP OWNED BY t_reads_little;
DROP ROLE t_reads_little;
