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

-- ---- What a block costs does not grow with the blocks that the item has ----

DELETE FROM vsm.blocks;
CREATE FUNCTION pg_temp.add(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
    SELECT (SELECT min(id) FROM vsm.work_items), 'x', timestamptz '2026-01-02 UTC' + n * interval '10 s', timestamptz '2026-01-02 UTC' + n * interval '10 s' + '5 s'
    FROM generate_series(first, last) n
$$;
CREATE FUNCTION pg_temp.read_from_table() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (pg_stat_get_xact_tuples_returned('vsm.blocks'::regclass) + pg_stat_get_xact_tuples_fetched('vsm.blocks'::regclass))
           + pg_stat_get_xact_tuples_returned('vsm.blocks_item'::regclass)
$$;
SELECT pg_temp.add(1, 2000);
ANALYZE vsm.blocks;
SELECT pg_temp.read_from_table() AS before \gset
SELECT pg_temp.add(2001, 2100);
SELECT cmp_ok(pg_temp.read_from_table() - :before, '<', 20000::bigint, 'a hundred more blocks do not read the two thousand a hundred times');

SELECT * FROM finish();
ROLLBACK;
