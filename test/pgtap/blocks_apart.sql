-- blocks_apart.sql: blocks of an item never overlap, and one that would is refused, whatever order they come in
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT vsm.define_stream('s', '[{"name":"Open","category":"wait"},{"name":"Done","category":"done"}]') IS NOT NULL AS made;
SELECT (vsm.create_work_item('one', stream => 's', at => '2026-01-01 UTC')).id AS one \gset
SELECT (vsm.create_work_item('two', stream => 's', at => '2026-01-01 UTC')).id AS two \gset

-- Random blocks of two items are begun, ended, shifted and deleted, some of them of no length or without an end; each answer
-- is compared with a look at all other blocks of the item.
CREATE FUNCTION pg_temp.differences(items bigint[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    changed vsm.blocks;
    of_item bigint;
    since timestamptz;
    until timestamptz;
    free boolean;
    taken boolean;
BEGIN
    FOR n IN 1..1500 LOOP
        of_item := items[1 + n % 2];
        since := timestamptz '2026-01-02 UTC' + floor(random() * 100) * interval '1 hour';
        until := CASE WHEN random() < 0.9 THEN since + floor(random() * 4) * interval '1 hour' END;
        changed := NULL;
        IF random() < 0.3 THEN
            SELECT b.* INTO changed FROM vsm.blocks b WHERE b.work_item_id = of_item ORDER BY random() LIMIT 1;
        END IF;
        free := NOT EXISTS (SELECT FROM vsm.blocks b WHERE b.work_item_id = of_item AND b.id IS DISTINCT FROM changed.id
                            AND b.blocked_at < coalesce(until, 'infinity') AND coalesce(b.unblocked_at, 'infinity') > since);
        BEGIN
            IF changed.id IS NULL THEN
                INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at) VALUES (of_item, 'x', since, until);
            ELSE
                UPDATE vsm.blocks b SET blocked_at = since, unblocked_at = until WHERE b.id = changed.id;
            END IF;
            taken := true;
        EXCEPTION WHEN SQLSTATE 'PT409' OR SQLSTATE 'PT422' THEN
            taken := false;
        END;
        IF free <> taken THEN
            RETURN NEXT format('step %s: from %s to %s is %s, and %s', n, since, until, CASE WHEN free THEN 'free' ELSE 'not free' END,
                               CASE WHEN taken THEN 'was taken' ELSE 'was refused' END);
        END IF;
        IF random() < 0.4 THEN
            DELETE FROM vsm.blocks b WHERE b.id = (SELECT x.id FROM vsm.blocks x WHERE x.work_item_id = of_item ORDER BY random() LIMIT 1);
        END IF;
    END LOOP;
END $$;
SELECT setseed(0.18);
SELECT is_empty(format('SELECT pg_temp.differences(ARRAY[%s, %s]) LIMIT 5', :one, :two), 'taken where nothing is in the way, and refused elsewhere');
SELECT isnt_empty('SELECT FROM vsm.blocks a JOIN vsm.blocks b ON b.work_item_id = a.work_item_id AND b.unblocked_at = a.blocked_at', 'blocks touch');

-- ---- Blocked time is of every block in every visit ----

SELECT vsm.define_stream('b', '[{"name":"Open","category":"wait"},{"name":"Do","category":"active"},{"name":"Check","category":"active"},
    {"name":"Done","category":"done"}]') IS NOT NULL AS made;
SELECT (vsm.create_work_item('three', stream => 'b', at => '2026-01-01 UTC')).id AS three \gset
SELECT (vsm.create_work_item('four', stream => 'b', at => '2026-01-01 UTC')).id AS four \gset
-- some visits have no length, and some moves and blocks the same time
SELECT count(vsm.transition(CASE n % 2 WHEN 0 THEN :three ELSE :four END, (ARRAY['Open', 'Do', 'Check', 'Done'])[1 + floor(random() * 4)::integer],
                            timestamptz '2026-01-02 UTC' + n / 3 * interval '1 hour')) > 200 AS moved
FROM generate_series(1, 300) n;
SELECT is_empty(format('SELECT pg_temp.differences(ARRAY[%s, %s]) LIMIT 5', :three, :four), 'random blocks of items that move');

-- Each of an item's blocks with each of its visits, in plain SQL.
CREATE FUNCTION pg_temp.expected(since timestamptz, until timestamptz, known_at timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
    WITH visits AS (
        SELECT t.work_item_id, t.to_stage_id, s.category, t."timestamp" AS entered_at,
               lead(t."timestamp") OVER (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id) AS left_at,
               min(t."timestamp") FILTER (WHERE s.started) OVER (PARTITION BY t.work_item_id) AS started_at
        FROM vsm.stage_transitions t JOIN vsm._stages s ON s.id = t.to_stage_id WHERE s.stream = 'b' AND t."timestamp" < $2),
    blocks AS (
        SELECT b.id, b.work_item_id, b.reason, b.blocked_at, CASE WHEN $3 IS NULL OR b.end_recorded_at <= $3 THEN b.unblocked_at END AS unblocked_at
        FROM vsm.blocks b WHERE $3 IS NULL OR b.recorded_at <= $3)
    SELECT format('%s %s %s %s %s', c.id, c.work_item_id, c.to_stage_id, c.blocked_at, c.unblocked_at)
    FROM (SELECT b.id, b.work_item_id, v.to_stage_id, greatest(b.blocked_at, v.entered_at, v.started_at, $1) AS blocked_at,
                 least(b.unblocked_at, v.left_at, $2) AS unblocked_at
          FROM blocks b JOIN visits v USING (work_item_id)
          WHERE b.blocked_at < $2 AND v.category IN ('wait', 'active') AND v.started_at IS NOT NULL) c
    WHERE c.blocked_at < c.unblocked_at $$;
CREATE FUNCTION pg_temp.told(since timestamptz, until timestamptz, known_at timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s %s %s %s %s', b.block_id, b.work_item_id, b.stage_id, b.blocked_at, b.unblocked_at)
    FROM vsm.value_streams v, vsm._blocked(v.id, $1, $2, $2, NULL, NULL, NULL, $3) b WHERE v.name = 'b' $$;
SELECT cmp_ok(count(*), '>', 30::bigint, 'there is blocked time') FROM pg_temp.told('-infinity', '2026-02-01 UTC', NULL);
SELECT bag_eq($$SELECT pg_temp.told('-infinity', '2026-02-01 UTC', NULL)$$, $$SELECT pg_temp.expected('-infinity', '2026-02-01 UTC', NULL)$$,
              'blocked time of all');
SELECT bag_eq($$SELECT pg_temp.told('2026-01-03 UTC', '2026-01-05 UTC', NULL)$$, $$SELECT pg_temp.expected('2026-01-03 UTC', '2026-01-05 UTC', NULL)$$,
              'and of a window');
-- blocks whose ends were not known then overlap with later ones
SELECT percentile_disc(0.7) WITHIN GROUP (ORDER BY b.recorded_at) AS known FROM vsm.blocks b \gset
SELECT bag_eq(format('SELECT pg_temp.told(''-infinity'', ''2026-02-01 UTC'', %L)', :'known'), format('SELECT pg_temp.expected(''-infinity'', ''2026-02-01 UTC'', %L)', :'known'),
              'and as it was known');

-- ---- What a block costs does not grow with the blocks that the item has ----

TRUNCATE vsm.blocks;
CREATE FUNCTION pg_temp.add(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
    SELECT (SELECT min(id) FROM vsm.work_items), 'x', timestamptz '2026-01-02 UTC' + n * interval '10 s', timestamptz '2026-01-02 UTC' + n * interval '10 s' + '5 s'
    FROM generate_series(first, last) n
$$;
CREATE FUNCTION pg_temp.read_from_table() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (pg_stat_get_xact_tuples_returned('vsm.blocks'::regclass) + pg_stat_get_xact_tuples_fetched('vsm.blocks'::regclass))
           + pg_stat_get_xact_tuples_returned('vsm.blocks_item'::regclass)
$$;
SELECT pg_temp.read_from_table() AS before \gset
SELECT pg_temp.add(1, 2000);
SELECT cmp_ok(pg_temp.read_from_table() - :before, '<', 40000::bigint, 'two thousand blocks in one statement do not read each other, before the table has statistics');
ANALYZE vsm.blocks;
SELECT pg_temp.read_from_table() AS before \gset
SELECT pg_temp.add(2001, 2100);
SELECT cmp_ok(pg_temp.read_from_table() - :before, '<', 20000::bigint, 'a hundred more blocks do not read the two thousand a hundred times');

SELECT * FROM finish();
ROLLBACK;
