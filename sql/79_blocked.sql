-- 79_blocked: how long items were blocked, why and where

-- The blocks of a stream that reach into a window, or with of_items those of some items, as they were known; as the moves
-- do, those of at or after bound count for nothing.
CREATE FUNCTION vsm._known_blocks(of_stream_id bigint, since timestamptz, bound timestamptz, of_items bigint[], known_at timestamptz)
    RETURNS TABLE (id bigint, work_item_id bigint, reason text, blocked_at timestamptz, unblocked_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH found AS (
        SELECT b.* FROM vsm.blocks b
        WHERE of_items IS NULL AND known_at IS NULL AND b.stream_id = of_stream_id AND b.blocked_at < bound AND b.unblocked_at > _known_blocks.since
        UNION ALL
        SELECT b.* FROM vsm.blocks b
        WHERE of_items IS NULL AND known_at IS NULL AND b.stream_id = of_stream_id AND b.blocked_at < bound AND b.unblocked_at IS NULL
        UNION ALL
        SELECT b.* FROM vsm.blocks b
        WHERE of_items IS NULL AND known_at IS NOT NULL AND b.stream_id = of_stream_id AND b.blocked_at < bound
        UNION ALL
        SELECT b.*
        FROM unnest(of_items) i (item)
        CROSS JOIN LATERAL (SELECT * FROM vsm.blocks x WHERE x.work_item_id = i.item AND x.blocked_at < bound OFFSET 0) b
        -- where nothing was ever blocked, not one of the items is looked up
        WHERE EXISTS (SELECT FROM vsm.blocks a WHERE a.stream_id = of_stream_id) AND b.stream_id = of_stream_id)
    SELECT k.id, k.work_item_id, k.reason, k.blocked_at, k.unblocked_at
    FROM (SELECT f.id, f.work_item_id, f.reason, f.blocked_at,
                 CASE WHEN known_at IS NULL OR f.end_recorded_at <= known_at THEN f.unblocked_at END AS unblocked_at
          FROM found f WHERE known_at IS NULL OR f.recorded_at <= known_at) k
    WHERE k.unblocked_at IS NULL OR k.unblocked_at > _known_blocks.since;
END;
COMMENT ON FUNCTION vsm._known_blocks(bigint, timestamptz, timestamptz, bigint[], timestamptz) IS
    'Blocks of a stream, or of some of its items, that reach into [since, bound). known_at: those recorded by then, and their ends. Else as they are.';

CREATE FUNCTION vsm._blocked(of_stream_id bigint, since timestamptz, bound timestamptz, until timestamptz, of_items bigint[], of_type text,
                             attributes jsonb, known_at timestamptz)
    RETURNS TABLE (block_id bigint, work_item_id bigint, reason text, stage_id bigint, blocked_at timestamptz, unblocked_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan    -- every step goes by the items that have blocks
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH blocks AS MATERIALIZED (
        SELECT b.* FROM vsm._known_blocks(of_stream_id, _blocked.since, bound, of_items, known_at) b),
    moves AS (
        SELECT i.work_item_id, t.id, t."timestamp", t.to_stage_id
        FROM (SELECT DISTINCT b.work_item_id FROM blocks b) i
        CROSS JOIN LATERAL (SELECT x.id, x."timestamp", x.to_stage_id FROM vsm.stage_transitions x WHERE x.work_item_id = i.work_item_id OFFSET 0) t
        WHERE known_at IS NULL AND t."timestamp" < bound
          AND (of_type IS NULL AND _blocked.attributes IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w
                          WHERE w.id = i.work_item_id AND (of_type IS NULL OR w.type = of_type)
                            AND (_blocked.attributes IS NULL OR w.attributes @> _blocked.attributes)))
        UNION ALL
        SELECT k.work_item_id, k.id, k."timestamp", k.to_stage_id
        FROM vsm._known_moves(of_stream_id, of_type, _blocked.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound AND k.work_item_id IN (SELECT b.work_item_id FROM blocks b)),
    visits AS MATERIALIZED (
        SELECT m.work_item_id, m.to_stage_id, s.category, m."timestamp" AS entered_at,
               row_number() OVER (PARTITION BY m.work_item_id ORDER BY m."timestamp", m.id) AS place,
               lead(m."timestamp") OVER (PARTITION BY m.work_item_id ORDER BY m."timestamp", m.id) AS left_at,
               min(m."timestamp") FILTER (WHERE s.started) OVER (PARTITION BY m.work_item_id) AS started_at
        FROM moves m JOIN vsm._stages s ON s.id = m.to_stage_id),
    -- the visits in which each block begins and ends, by one pass over an item's times: to compare each of its blocks with each
    -- of its visits would take their product.  Of equal times, an end comes first and a beginning last.
    times AS (
        SELECT v.work_item_id, v.entered_at AS at, 0 AS kind, v.place, NULL::bigint AS block_id FROM visits v
        UNION ALL
        SELECT b.work_item_id, b.blocked_at, 1, NULL, b.id FROM blocks b
        UNION ALL
        SELECT b.work_item_id, coalesce(b.unblocked_at, 'infinity'), -1, NULL, b.id FROM blocks b),
    reaches AS (
        SELECT p.block_id, min(p.place) AS first, max(p.place) AS last
        FROM (SELECT t.block_id, count(t.place) OVER (PARTITION BY t.work_item_id ORDER BY t.at, t.kind) AS place FROM times t) p
        WHERE p.block_id IS NOT NULL GROUP BY p.block_id),
    parts AS MATERIALIZED (
        SELECT b.*, generate_series(r.first, r.last) AS place FROM blocks b JOIN reaches r ON r.block_id = b.id)
    SELECT c.id, c.work_item_id, c.reason, c.to_stage_id, c.blocked_at, c.unblocked_at
    FROM (SELECT b.id, b.work_item_id, b.reason, v.to_stage_id, greatest(b.blocked_at, v.entered_at, v.started_at, _blocked.since) AS blocked_at,
                 least(b.unblocked_at, v.left_at, _blocked.until) AS unblocked_at
          FROM parts b JOIN visits v ON v.work_item_id = b.work_item_id AND v.place = b.place
          WHERE v.category IN ('wait', 'active') AND v.started_at IS NOT NULL) c
    WHERE c.blocked_at < c.unblocked_at;
END $$;
COMMENT ON FUNCTION vsm._blocked(bigint, timestamptz, timestamptz, timestamptz, bigint[], text, jsonb, timestamptz) IS
    'When the items of a stream, or some of them, were blocked in a stage in [since, until): while they had started, and were neither '
    'finished nor discarded. Moves and blocks of at or after bound do not count.';

CREATE FUNCTION vsm.blocked_time(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                 until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                 known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (stage text, reason text, spells bigint, items bigint, blocked interval)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    -- what goes on is measured up to now when the window has not ended
    ends CONSTANT timestamptz := least(v.bound, clock_timestamp());
BEGIN
    RETURN QUERY
    SELECT s.name, b.reason, b.spells, b.items, vsm._interval_of_sum(b.us)
    FROM (SELECT x.stage_id, x.reason, count(DISTINCT x.block_id) AS spells, count(DISTINCT x.work_item_id) AS items,
                 sum(vsm._elapsed_us(x.blocked_at, x.unblocked_at)) AS us
          FROM vsm._blocked(v.stream_id, blocked_time.since, v.bound, ends, NULL, v.type, blocked_time.attributes,
                            blocked_time.known_at) x
          GROUP BY 1, 2) b
    JOIN vsm.stages s ON s.id = b.stage_id
    ORDER BY s."order", b.us DESC, b.reason;
END $$;
COMMENT ON FUNCTION vsm.blocked_time(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'Time in the window for which items were blocked, by the stage that they were in and the reason: spells are blocks, and an item that '
    'moves while it is blocked has the block in both stages. Only time from start to finish counts, while the item is neither finished nor '
    'discarded; a block without an end counts up to the window''s end, or now. Stages and reasons without blocked time have no row. '
    'known_at: blocks, and their ends, that had been recorded by then; corrections of a block are not kept. Errors: PT404, PT422.';

-- Time in active stages that was blocked, of completions that count.
CREATE FUNCTION vsm._blocked_active_us(v vsm._window, since timestamptz, of_type text, attributes jsonb, known_at timestamptz) RETURNS numeric
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (
        WITH completed AS MATERIALIZED (
            SELECT c.work_item_id, c.started_at, c.completed_at
            FROM vsm._completed(v.stream_id, _blocked_active_us.since, v.bound, v.reopen_rule, of_type, _blocked_active_us.attributes,
                                _blocked_active_us.known_at) c
            WHERE c.started_at IS NOT NULL AND c.work_item_id IN (SELECT b.work_item_id FROM vsm.blocks b WHERE b.stream_id = v.stream_id))
        SELECT coalesce(sum(vsm._elapsed_us(greatest(b.blocked_at, c.started_at), least(b.unblocked_at, c.completed_at))), 0)
        FROM completed c
        JOIN vsm._blocked(v.stream_id, '-infinity', v.bound, 'infinity', ARRAY(SELECT DISTINCT x.work_item_id FROM completed x), NULL, NULL,
                          _blocked_active_us.known_at) b
            ON b.work_item_id = c.work_item_id AND b.blocked_at < c.completed_at AND b.unblocked_at > c.started_at
        JOIN vsm.stages s ON s.id = b.stage_id AND s.category = 'active');
END $$;
COMMENT ON FUNCTION vsm._blocked_active_us(vsm._window, timestamptz, text, jsonb, timestamptz) IS
    'Microseconds for which the items finished in a window were blocked in active stages, from start to finish.';
