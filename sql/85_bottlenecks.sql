-- 85_bottlenecks: which stage slows the flow, and why

CREATE TYPE vsm.bottleneck AS (
    rank integer,
    stage text,
    score numeric,
    time_share numeric,
    queue_growth bigint,
    limit_hits bigint,
    why text,
    category text,
    wip_limit integer,
    entered bigint,
    "left" bigint,
    items_at_since bigint,
    items_at_until bigint,
    avg_items numeric,
    blocked_share numeric,                  -- 0 to 1
    blocked_reason text                     -- for which items were blocked longest
);
COMMENT ON TYPE vsm.bottleneck IS 'A row of vsm.bottlenecks().';

-- Summed up from cells where there are any: "reached" and the lists are not needed.
CREATE FUNCTION vsm._stage_flow(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb,
                                known_at timestamptz)
    RETURNS TABLE (stage_id bigint, entered bigint, "left" bigint, stayed_us numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.*
        FROM vsm._pieces(of_stream_id, ARRAY[_stage_flow.since, bound], vsm._by_cells(of_stream_id, _stage_flow.attributes, _stage_flow.known_at),
                         vsm._units(of_type)) p),
    moves AS MATERIALIZED (
        SELECT m.from_stage_id, m.to_stage_id, count(*) AS n, sum(vsm._interval_us(m.time_in_stage)) AS us
        FROM pieces p CROSS JOIN LATERAL vsm._moves(of_stream_id, p.since, p.until, of_type, _stage_flow.attributes, _stage_flow.known_at) m
        WHERE NOT p.folded GROUP BY 1, 2)
    SELECT c.stage_id, sum(c.entered)::bigint, sum(c."left")::bigint, sum(c.us)
    FROM (SELECT m.to_stage_id AS stage_id, m.n AS entered, 0 AS "left", 0 AS us FROM moves m
          UNION ALL
          SELECT m.from_stage_id, 0, m.n, m.us FROM moves m WHERE m.from_stage_id IS NOT NULL
          UNION ALL
          SELECT s.stage_id, s.entered, s."left", s.stayed_us
          FROM pieces p
          CROSS JOIN LATERAL (
              SELECT * FROM vsm._stage_cells c
              WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
              OFFSET 0) s
          WHERE p.folded) c
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._stage_flow(bigint, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'Entries into each stage in [since, bound), exits, and the time of the visits that ended, in microseconds.';

-- A limit counts all items, so these are of every type.  An hour that began with so few items that its entries could not fill the
-- stage has no hits, and one that began with so many that its exits could not empty it below the limit has only hits: the moves of
-- such an hour are not read.
CREATE FUNCTION vsm._limit_hits(of_stream text, of_stream_id bigint, since timestamptz, bound timestamptz, known_at timestamptz)
    RETURNS TABLE (stage_id bigint, hits bigint, entered bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH limited AS MATERIALIZED (
        SELECT s.id, s.wip_limit FROM vsm.stages s WHERE s.stream = of_stream AND s.wip_limit IS NOT NULL),
    by_cells AS MATERIALIZED (SELECT vsm._by_cells(of_stream_id, NULL, _limit_hits.known_at) AS exist),
    held AS MATERIALIZED (
        SELECT h.stage_id, h.items FROM vsm._stages_by_cells(of_stream_id, _limit_hits.since, _limit_hits.since, NULL) h
        WHERE (SELECT b.exist FROM by_cells b) AND EXISTS (SELECT FROM limited l)
        UNION ALL
        SELECT h.stage_id, h.items FROM vsm._stages_at(of_stream, of_stream_id, _limit_hits.since, _limit_hits.since, NULL, NULL, _limit_hits.known_at) h
        WHERE NOT (SELECT b.exist FROM by_cells b) AND EXISTS (SELECT FROM limited l)),
    pieces AS MATERIALIZED (
        SELECT p.* FROM by_cells b CROSS JOIN LATERAL vsm._pieces(of_stream_id, ARRAY[_limit_hits.since, bound], b.exist, 'h') p
        WHERE EXISTS (SELECT FROM limited l)),
    rest AS MATERIALIZED (
        SELECT p.since, x.stage_id, m."timestamp" AS at, m.id, x.n
        FROM pieces p
        CROSS JOIN LATERAL vsm._moves(of_stream_id, p.since, p.until, NULL, NULL, _limit_hits.known_at) m
        CROSS JOIN LATERAL (VALUES (m.to_stage_id, 1), (m.from_stage_id, -1)) x (stage_id, n)
        WHERE NOT p.folded AND x.stage_id IN (SELECT l.id FROM limited l)),
    sums AS (
        SELECT p.folded, p.since, p.until, l.id AS stage_id, l.wip_limit, coalesce(c.entered, 0) AS entered, coalesce(c."left", 0) AS "left"
        FROM pieces p
        CROSS JOIN limited l
        LEFT JOIN LATERAL (
            SELECT s.entered, s."left" FROM vsm._stage_cells s
            WHERE p.folded AND s.stream_id = of_stream_id AND s.unit = p.unit AND s.since = p.since AND s.type_id = 0 AND s.stage_id = l.id
            UNION ALL
            SELECT count(*) FILTER (WHERE r.n > 0), count(*) FILTER (WHERE r.n < 0) FROM rest r
            WHERE r.since = p.since AND r.stage_id = l.id HAVING NOT p.folded) c ON true),     -- a folded piece has one row, of its cell
    begun AS MATERIALIZED (
        SELECT s.*, coalesce(h.items, 0) + sum(s.entered - s."left") OVER (PARTITION BY s.stage_id ORDER BY s.since) - (s.entered - s."left") AS items
        FROM sums s LEFT JOIN held h ON h.stage_id = s.stage_id),
    moves AS (
        SELECT r.since, r.stage_id, r.at, r.id, r.n FROM rest r
        UNION ALL
        SELECT u.since, x.stage_id, m."timestamp", m.id, x.n
        FROM (SELECT b.since, b.until, array_agg(b.stage_id) AS stages
              FROM begun b WHERE b.folded AND b.items + b.entered >= b.wip_limit AND b.items - b."left" + 1 < b.wip_limit GROUP BY 1, 2) u
        CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_stream_id, u.since, u.until, NULL, NULL) OFFSET 0) m
        CROSS JOIN LATERAL (VALUES (m.to_stage_id, 1), (m.from_stage_id, -1)) x (stage_id, n)
        WHERE x.stage_id = ANY (u.stages)),
    occupied AS (
        SELECT m.since, m.stage_id, m.n, sum(m.n) OVER (PARTITION BY m.since, m.stage_id ORDER BY m.at, m.id) AS change FROM moves m),
    read AS (
        SELECT o.since, o.stage_id, count(*) FILTER (WHERE o.n > 0 AND b.items + o.change >= b.wip_limit) AS hits
        FROM occupied o JOIN begun b ON b.since = o.since AND b.stage_id = o.stage_id GROUP BY 1, 2)
    SELECT l.id, coalesce(sum(coalesce(r.hits, CASE WHEN b.folded AND b.items - b."left" + 1 >= b.wip_limit THEN b.entered ELSE 0 END)), 0)::bigint,
           coalesce(sum(b.entered), 0)::bigint
    FROM limited l
    LEFT JOIN begun b ON b.stage_id = l.id
    LEFT JOIN read r ON r.since = b.since AND r.stage_id = b.stage_id
    GROUP BY l.id;
END;
COMMENT ON FUNCTION vsm._limit_hits(text, bigint, timestamptz, timestamptz, timestamptz) IS
    'For each stage with a wip_limit, the entries in [since, bound) after which it held as many items as the limit allows, or more; and all entries.';

CREATE FUNCTION vsm._percent(share numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN share > 0 AND share < 0.005 THEN 'less than 1 %' ELSE round(share * 100)::text || ' %' END;
COMMENT ON FUNCTION vsm._percent(numeric) IS 'A share as a text.';

CREATE FUNCTION vsm._why_bottleneck(of_stage vsm.bottleneck, next_stage text, filtered boolean) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN (of_stage).time_share IS NULL OR (of_stage).avg_items = 0 AND (of_stage).entered = 0 THEN format('No work item was in %s.', (of_stage).stage)
       ELSE format('%s of the time in started stages passes in %s', vsm._percent((of_stage).time_share), (of_stage).stage)
            || CASE WHEN (of_stage).category = 'wait' AND next_stage IS NOT NULL THEN format(', where items wait for %s', next_stage) ELSE '' END
            || CASE WHEN (of_stage).avg_items IS NOT NULL THEN format(' (%s items on average)', round((of_stage).avg_items, 1)) ELSE '' END
            || CASE sign((of_stage).queue_growth)
                    WHEN 1 THEN format('; its queue grew from %s to %s, as %s entered and %s left', (of_stage).items_at_since, (of_stage).items_at_until, (of_stage).entered, (of_stage)."left")
                    WHEN -1 THEN format('; its queue fell from %s to %s', (of_stage).items_at_since, (of_stage).items_at_until)
                    ELSE '; its queue did not grow' END
            || CASE WHEN (of_stage).limit_hits = 1 THEN format('; once it was as full as its limit of %s allows', (of_stage).wip_limit)
                    WHEN (of_stage).limit_hits > 1 THEN format('; %s times it was as full as its limit of %s allows', (of_stage).limit_hits, (of_stage).wip_limit)
                    ELSE '' END
            || CASE WHEN filtered AND (of_stage).limit_hits > 0 THEN ' (of all types)' ELSE '' END
            || CASE WHEN (of_stage).blocked_share > 0 THEN format('; items were blocked for %s of that time, mostly "%s"', vsm._percent((of_stage).blocked_share), (of_stage).blocked_reason)
                    ELSE '' END
            || '.' END;
COMMENT ON FUNCTION vsm._why_bottleneck(vsm.bottleneck, text, boolean) IS
    'What the figures of a stage say, in a sentence. filtered: they are of some items only, except those of its limit.';

CREATE FUNCTION vsm.bottlenecks(stream text DEFAULT 'default',
                                since timestamptz DEFAULT clock_timestamp() - interval '30 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.bottleneck
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
    -- items have been in a stage up to now when the window has not ended
    seen_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT b.place, h.stage_id, h.items, h.us
        FROM (VALUES (1, bottlenecks.since, v.since), (2, v.bound, seen_until)) b (place, bound, at)
        CROSS JOIN LATERAL vsm._stages_by_cells(v.stream_id, b.bound, b.at, v.type) h WHERE by_cells
        UNION ALL
        SELECT b.place, h.stage_id, h.items, h.us
        FROM (VALUES (1, bottlenecks.since, v.since), (2, v.bound, seen_until)) b (place, bound, at)
        CROSS JOIN LATERAL vsm._stages_at(v.stream, v.stream_id, b.bound, b.at, v.type, bottlenecks.attributes, bottlenecks.known_at) h
        WHERE NOT by_cells),
    hits AS MATERIALIZED (
        SELECT l.* FROM vsm._limit_hits(v.stream, v.stream_id, bottlenecks.since, v.bound, bottlenecks.known_at) l),
    blocked AS MATERIALIZED (
        SELECT r.stage_id, sum(r.us) AS us, (array_agg(r.reason ORDER BY r.us DESC, r.reason))[1] AS reason
        FROM (SELECT b.stage_id, b.reason, sum(vsm._elapsed_us(b.blocked_at, b.unblocked_at)) AS us
              FROM vsm._blocked(v.stream_id, bottlenecks.since, v.bound, seen_until, NULL, v.type, bottlenecks.attributes, bottlenecks.known_at) b
              GROUP BY 1, 2) r
        GROUP BY 1),
    figures AS MATERIALIZED (
        SELECT s.id, s.name, s."order", s.category, s.wip_limit, coalesce(f.entered, 0) AS entered, coalesce(f."left", 0) AS "left",
               coalesce(b.items, 0) AS before, coalesce(e.items, 0) AS after, h.hits, h.entered AS hits_of,
               -- the time of all items in the stage within the window
               coalesce(e.us, 0) - coalesce(b.us, 0) + coalesce(f.stayed_us, 0) AS us, coalesce(k.us, 0) AS blocked_us, k.reason,
               (SELECT n.name FROM vsm.stages n
                WHERE n.stream = s.stream AND n."order" > s."order" AND n.category = 'active' AND n.retired_at IS NULL ORDER BY n."order" LIMIT 1) AS next
        FROM vsm._stages s
        LEFT JOIN vsm._stage_flow(v.stream_id, bottlenecks.since, v.bound, v.type, bottlenecks.attributes, bottlenecks.known_at) f ON f.stage_id = s.id
        LEFT JOIN held b ON b.stage_id = s.id AND b.place = 1
        LEFT JOIN held e ON e.stage_id = s.id AND e.place = 2
        LEFT JOIN hits h ON h.stage_id = s.id
        LEFT JOIN blocked k ON k.stage_id = s.id
        WHERE s.stream = v.stream AND s.category IN ('wait', 'active') AND coalesce(s.started, true)
          AND (s.retired_at IS NULL OR f.entered > 0 OR b.items > 0 OR e.items > 0)),
    scored AS (
        SELECT f.*, f.us / nullif(sum(f.us) OVER (), 0) AS time_share,
               coalesce(f.blocked_us / nullif(f.us, 0), 0) AS blocked_share,
               (coalesce(f.us / nullif(sum(f.us) OVER (), 0), 0) + coalesce(greatest(f.after - f.before, 0)::numeric / nullif(f.entered, 0), 0)
                + coalesce(f.hits::numeric / nullif(f.hits_of, 0), 0) + coalesce(f.blocked_us / nullif(f.us, 0), 0)) / 4 AS score
        FROM figures f),
    ranked AS (
        SELECT (row_number() OVER (ORDER BY s.score DESC, s."order"))::integer AS rank, s.next,
               s.name, round(s.score, 4) AS score, round(s.time_share, 4) AS time_share, (s.after - s.before)::bigint AS growth, s.hits, s.category, s.wip_limit,
               s.entered, s."left", s.before, s.after, round(s.us / nullif(vsm._elapsed_us(v.since, seen_until), 0), 4) AS avg_items,
               round(s.blocked_share, 4) AS blocked_share, s.reason
        FROM scored s)
    SELECT r.rank, r.name, r.score, r.time_share, r.growth, r.hits,
           vsm._why_bottleneck(ROW(r.rank, r.name, r.score, r.time_share, r.growth, r.hits, NULL, r.category, r.wip_limit, r.entered, r."left", r.before, r.after,
                                   r.avg_items, r.blocked_share, r.reason)::vsm.bottleneck, r.next,
                                type IS NOT NULL OR bottlenecks.attributes IS NOT NULL),
           r.category, r.wip_limit, r.entered, r."left", r.before, r.after, r.avg_items, r.blocked_share, r.reason
    FROM ranked r ORDER BY r.rank;
END $$;
COMMENT ON FUNCTION vsm.bottlenecks(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'The stages of started work, those that slow the flow most first. time_share: the time that items spent in the stage in the window, of '
    'the time they spent in all of these; queue_growth: items in it at the end less those at the beginning; limit_hits: entries after which it held as many '
    'items as its present wip_limit allows or more, of all types; null without a limit; blocked_share: the part of the time that items spent in the stage for which they were blocked, mostly for '
    'blocked_reason. score, 0 to 1: the mean of time_share, queue_growth / entered (0 if the queue did not grow), limit_hits / entries of all types (0 without a limit) and blocked_share. why: the same in a sentence. Stages before the commitment point are not '
    'ranked: what waits there has not been started. Errors: PT404, PT422.';
