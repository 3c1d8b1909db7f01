-- 73_edges: the real process: moves from stage to stage, rework, and times between two stages
--
-- Forward and backward are by the order of the stages.  A move into or out of a discarded stage is neither: it hands nothing
-- on, and sends nothing back.

CREATE FUNCTION vsm._directions(of_stream_id bigint) RETURNS TABLE (from_stage_id bigint, to_stage_id bigint, direction integer)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT l.id, e.id, CASE WHEN 'discarded' IN (l.category, e.category) THEN 0 ELSE sign(e."order" - l."order")::integer END
    FROM vsm.value_streams v
    JOIN vsm.stages l ON l.stream = v.name
    JOIN vsm.stages e ON e.stream = v.name AND e.id <> l.id
    WHERE v.id = of_stream_id;
END;
COMMENT ON FUNCTION vsm._directions(bigint) IS
    'Where moves between two stages of a stream go: 1 to a later stage, -1 to an earlier one, 0 into or out of a discarded one.';

-- Whether a move is the first that hands an item on, and what a stage had done with an item that comes back to it, follows from
-- the earlier moves of the item.  They are read of items that have been further than the stage which they leave: only these can
-- have been there before.
CREATE FUNCTION vsm._edges(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb, known_at timestamptz,
                           given vsm._span_move[])
    RETURNS TABLE (type_id bigint, from_stage_id bigint, to_stage_id bigint, n bigint, times bigint[], first_handed bigint,
                   handed_at timestamptz[], first_handed_at timestamptz[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    -- one row, so that no plan reads it for each move; discarded stages have no order
    WITH stages AS MATERIALIZED (
        SELECT array_agg(s.id) AS ids, array_agg(CASE WHEN s.category <> 'discarded' THEN s."order" END) AS orders
        FROM vsm._stages s WHERE s.stream_id = of_stream_id),
    known AS MATERIALIZED (
        SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _edges.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound),
    moves AS MATERIALIZED (
        SELECT m.type_id, m.work_item_id, m.from_stage_id, m.to_stage_id, m.us,
               s.orders[array_position(s.ids, m.to_stage_id)] - s.orders[array_position(s.ids, m.from_stage_id)] AS direction, m.furthest_before
        FROM (SELECT NULL::bigint AS type_id, l.work_item_id, l.from_stage_id, l.to_stage_id, vsm._interval_us(l.time_in_stage) AS us, l.furthest_before
              FROM vsm._ledger_moves(of_stream_id, _edges.since, bound, of_type, _edges.attributes) l WHERE given IS NULL AND known_at IS NULL
              UNION ALL
              SELECT NULL::bigint AS type_id, k.work_item_id, k.from_stage_id, k.to_stage_id, vsm._interval_us(k.time_in_stage) AS us, k.furthest_before
              FROM known k WHERE k."timestamp" >= _edges.since
              UNION ALL
              SELECT g.type_id, g.work_item_id, g.from_stage_id, g.to_stage_id, g.stayed_us, g.furthest_before FROM unnest(given) g) m
        CROSS JOIN stages s),
    been_further AS MATERIALIZED (
        SELECT DISTINCT m.work_item_id, m.type_id FROM moves m WHERE m.direction < 0 OR m.direction > 0 AND m.furthest_before IS NOT NULL),
    history AS (
        SELECT f.work_item_id, f.type_id, t.id, t.at, t.from_stage_id, t.to_stage_id
        FROM been_further f
        CROSS JOIN LATERAL (
            SELECT t.id, t."timestamp" AS at, t.from_stage_id, t.to_stage_id FROM vsm.stage_transitions t
            WHERE known_at IS NULL AND t.work_item_id = f.work_item_id AND t."timestamp" < bound OFFSET 0) t
        UNION ALL
        SELECT k.work_item_id, NULL::bigint AS type_id, k.id, k."timestamp", k.from_stage_id, k.to_stage_id
        FROM known k WHERE k.work_item_id IN (SELECT f.work_item_id FROM been_further f)),
    -- each exit from a stage, and each entry by which an item is sent back to it
    passes AS (
        SELECT h.type_id, h.from_stage_id, h.to_stage_id, h.at, x.what, count(*) FILTER (WHERE x.what = 'handed on') OVER so_far AS times_handed,
               CASE WHEN x.what = 'sent back' AND lag(x.what) OVER so_far = 'handed on' THEN lag(h.at) OVER so_far END AS handed_at
        FROM (SELECT x.*, s.orders[array_position(s.ids, x.to_stage_id)] - s.orders[array_position(s.ids, x.from_stage_id)] AS direction
              FROM history x CROSS JOIN stages s OFFSET 0) h
        CROSS JOIN LATERAL (
            VALUES (h.from_stage_id, CASE WHEN h.direction > 0 THEN 'handed on' ELSE 'left' END),
                   (h.to_stage_id, CASE WHEN h.direction < 0 THEN 'sent back' END)) x (stage_id, what)
        WHERE h.from_stage_id IS NOT NULL AND x.what IS NOT NULL
        WINDOW so_far AS (PARTITION BY h.work_item_id, x.stage_id ORDER BY h.at, h.id))
    -- no join of moves with passes: who plans this for any values expects few of both
    SELECT x.type_id, x.from_stage_id, x.to_stage_id, sum(x.n)::bigint,
           -- in order only where they are kept
           array_agg(x.us ORDER BY CASE WHEN given IS NOT NULL THEN x.us END) FILTER (WHERE x.us IS NOT NULL),
           sum(x.first)::bigint,
           array_agg(x.handed_at ORDER BY x.handed_at) FILTER (WHERE x.handed_at IS NOT NULL),
           array_agg(x.handed_at ORDER BY x.handed_at) FILTER (WHERE x.handed_at IS NOT NULL AND x.times_handed = 1)
    FROM (SELECT m.type_id, coalesce(m.from_stage_id, 0) AS from_stage_id, m.to_stage_id, 1 AS n, m.us, coalesce(m.direction > 0, false)::integer AS first,
                 NULL::timestamptz AS handed_at, NULL::bigint AS times_handed
          FROM moves m
          UNION ALL
          -- not the first time
          SELECT p.type_id, p.from_stage_id, p.to_stage_id, 0 AS n, NULL::bigint AS us, -1 AS first, NULL::timestamptz AS handed_at, NULL::bigint AS times_handed
          FROM passes p WHERE p.at >= _edges.since AND p.what = 'handed on' AND p.times_handed > 1
          UNION ALL
          SELECT p.type_id, p.from_stage_id, p.to_stage_id, 0 AS n, NULL::bigint AS us, 0 AS first, p.handed_at, p.times_handed
          FROM passes p WHERE p.at >= _edges.since AND p.handed_at IS NOT NULL) x
    GROUP BY 1, 2, 3;
END;
COMMENT ON FUNCTION vsm._edges(bigint, timestamptz, timestamptz, text, jsonb, timestamptz, vsm._span_move[]) IS
    'Moves in [since, bound) from one stage to another, as vsm._edge_cells has them, from the ledger. given: these moves, by type of item; else '
    'those that are asked for, of all types together.';

CREATE FUNCTION vsm._edges_in(of_window vsm._window, by_cells boolean, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (from_stage_id bigint, to_stage_id bigint, n bigint, times bigint[], first_handed bigint, sent_back bigint,
                   first_sent_back bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_window.stream_id, ARRAY[of_window.since, of_window.bound], by_cells, 'd') p)
    SELECT x.from_stage_id, x.to_stage_id, x.n, x.times, x.first_handed,
           -- what was handed on before the window is none of its work
           (SELECT count(*) FROM unnest(x.handed_at) a (at) WHERE a.at >= of_window.since),
           (SELECT count(*) FROM unnest(x.first_handed_at) a (at) WHERE a.at >= of_window.since)
    FROM (SELECT c.from_stage_id, c.to_stage_id, c.n, c.times, c.first_handed, c.handed_at, c.first_handed_at
          FROM pieces p
          CROSS JOIN LATERAL (
              SELECT * FROM vsm._edge_cells c WHERE c.stream_id = of_window.stream_id AND c.unit = p.unit AND c.since = p.since OFFSET 0) c
          WHERE p.folded AND (of_type IS NULL OR c.type_id = (SELECT vsm._type_id(of_type)))
          UNION ALL
          SELECT e.from_stage_id, e.to_stage_id, e.n, e.times, e.first_handed, e.handed_at, e.first_handed_at
          FROM pieces p
          CROSS JOIN LATERAL vsm._edges(of_window.stream_id, p.since, p.until, of_type, _edges_in.attributes, _edges_in.known_at, NULL) e
          WHERE NOT p.folded) x;
END;
COMMENT ON FUNCTION vsm._edges_in(vsm._window, boolean, text, jsonb, timestamptz) IS
    'Moves of a window from one stage (0: none) to another, in parts that are to be added up; sent_back, first_sent_back: to an earlier '
    'stage that had handed the item on in the window.';

CREATE FUNCTION vsm.flow_graph(stream text DEFAULT 'default',
                               since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                               known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (from_stage text, to_stage text, n bigint, p50 interval, p85 interval, avg interval, backward boolean)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    SELECT l.name, e.name, g.n, (g.times).p50, (g.times).p85, (g.times).avg, coalesce(e."order" < l."order", false)
    FROM (SELECT x.from_stage_id, x.to_stage_id, sum(x.n)::bigint AS n, vsm._summary_of(x.times) AS times
          FROM vsm._edges_in(v, by_cells, v.type, flow_graph.attributes, flow_graph.known_at) x GROUP BY 1, 2) g
    JOIN vsm.stages e ON e.id = g.to_stage_id
    LEFT JOIN vsm.stages l ON l.id = g.from_stage_id
    ORDER BY l."order" NULLS FIRST, e."order";
END $$;
COMMENT ON FUNCTION vsm.flow_graph(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'Directly-follows graph: for each two stages, the n moves of the window from one to the other, and how long the items had been in '
    'the stage that they left (percentiles by percentile_disc, and avg). from_stage null: items created in to_stage; the n sum to all moves of '
    'the window. backward: to an earlier stage. A stage never follows itself, as the ledger merges such events (van der Aalst, Process '
    'Mining). Errors: PT404, PT422.';

CREATE FUNCTION vsm.rework(stream text DEFAULT 'default',
                           since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                           until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                           known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (stage text, handed_on bigint, sent_back bigint, complete_accurate numeric, first_pass_yield numeric,
                   rolled_complete_accurate numeric, loops bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    FOR stage, handed_on, sent_back, complete_accurate, first_pass_yield, loops IN
        WITH edges AS MATERIALIZED (
            SELECT x.from_stage_id, x.to_stage_id, d.direction, sum(x.n) AS n, sum(x.first_handed) AS first_handed, sum(x.sent_back) AS sent_back,
                   sum(x.first_sent_back) AS first_sent_back
            FROM vsm._edges_in(v, by_cells, v.type, rework.attributes, rework.known_at) x
            JOIN vsm._directions(v.stream_id) d USING (from_stage_id, to_stage_id)
            WHERE d.direction <> 0 GROUP BY 1, 2, 3),
        handed AS (
            SELECT e.from_stage_id AS id, sum(e.n) AS n, sum(e.first_handed) AS first FROM edges e WHERE e.direction > 0 GROUP BY 1),
        back AS (
            SELECT e.to_stage_id AS id, sum(e.n) AS n, sum(e.sent_back) AS handed, sum(e.first_sent_back) AS first FROM edges e WHERE e.direction < 0 GROUP BY 1)
        SELECT s.name, coalesce(h.n, 0), coalesce(b.handed, 0), 1 - coalesce(b.handed, 0) / nullif(h.n, 0), 1 - coalesce(b.first, 0) / nullif(h.first, 0),
               coalesce(b.n, 0)
        FROM vsm.stages s LEFT JOIN handed h ON h.id = s.id LEFT JOIN back b ON b.id = s.id
        WHERE s.stream = v.stream AND s.category <> 'discarded'
        ORDER BY s."order"
    LOOP
        -- a stage that has handed nothing on says nothing
        rolled_complete_accurate := CASE WHEN complete_accurate IS NULL THEN rolled_complete_accurate
                                         ELSE round(coalesce(rolled_complete_accurate, 1) * complete_accurate, 20) END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm.rework(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'Of each stage in order, discarded ones left out: handed_on, the moves of the window to a later stage; sent_back, those of them after '
    'which a later stage sent the item back to this one before until; complete_accurate (%C&A) = 1 - sent_back / handed_on; first_pass_yield, '
    'the same of items that the stage handed on for the first time; both null when nothing was; rolled_complete_accurate, the product up '
    'to this stage: the last row has that of the stream; loops: all entries by a backward move, but not out of a discarded stage '
    '(Martin and Osterling, Value Stream Mapping). Errors: PT404, PT422.';

CREATE FUNCTION vsm._check_which(which text, parameter text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF which IS NULL OR which NOT IN ('first_entry', 'last_entry', 'first_exit', 'last_exit') THEN
        RAISE EXCEPTION '% cannot be "%"', parameter, coalesce(vsm._cut(which), 'null')
            USING ERRCODE = 'PT422', COLUMN = parameter, DETAIL = 'It says at which move of an item the clock starts or stops.',
                  HINT = 'Give first_entry, last_entry, first_exit or last_exit.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_which(text, text) IS 'Checks an end of a time between stages. parameter: its name in an error. Errors: PT422.';

CREATE TYPE vsm.time_between AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    from_at timestamptz,
    to_at timestamptz,
    elapsed interval
);
COMMENT ON TYPE vsm.time_between IS 'A row of vsm.cycle_times_between().';

CREATE TYPE vsm._clock_times AS (
    items bigint[],
    started_at timestamptz[],
    stopped_at timestamptz[],
    cut bigint[]                -- items that can have stopped, but whose creation is not among the moves
);
CREATE FUNCTION vsm._clocks_step(internal, bigint, timestamptz, bigint, boolean, boolean, boolean, boolean, boolean) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__clocks_step';
COMMENT ON FUNCTION vsm._clocks_step(internal, bigint, timestamptz, bigint, boolean, boolean, boolean, boolean, boolean) IS 'Adds a move. Errors: PT422.';
CREATE FUNCTION vsm._clocks_times(internal) RETURNS vsm._clock_times
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__clocks_times';
COMMENT ON FUNCTION vsm._clocks_times(internal) IS 'When the clocks started and stopped.';
CREATE AGGREGATE vsm._clocks(item bigint, "at" timestamptz, id bigint, starts boolean, stops boolean, complete boolean, last_start boolean, last_stop boolean) (
    SFUNC = vsm._clocks_step, STYPE = internal, SSPACE = 1000000,
    FINALFUNC = vsm._clocks_times, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._clocks(bigint, timestamptz, bigint, boolean, boolean, boolean, boolean, boolean) IS
    'From moves, in any order, when the clocks of their items started and stopped: at the first or last move that stops it once one has '
    'started it, from the first one that starts it, or the last one up to there. complete: with this move all moves of the item are among them.';

-- For given arguments the planner makes one comparison of it.
CREATE FUNCTION vsm._is_end(which text, stage_id bigint, left_id bigint, entered_id bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN which LIKE '%entry' AND entered_id = stage_id OR which LIKE '%exit' AND left_id = stage_id;
COMMENT ON FUNCTION vsm._is_end(text, bigint, bigint, bigint) IS
    'Does a move from one stage to another start or stop a clock that does so at an entry or exit (which) of that stage?';

CREATE FUNCTION vsm._times_between(of_stream_id bigint, since timestamptz, bound timestamptz, from_id bigint, to_id bigint, from_which text,
                                   to_which text, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, from_at timestamptz, to_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    -- of the window: where a clock may start or stop, and where items were created
    WITH here AS MATERIALIZED (
        SELECT vsm._clocks(m.work_item_id, m."timestamp", m.id,
                           vsm._is_end(from_which, from_id, m.from_stage_id, m.to_stage_id), vsm._is_end(to_which, to_id, m.from_stage_id, m.to_stage_id),
                           m.from_stage_id IS NULL, from_which LIKE 'last%', to_which LIKE 'last%') AS clocks
        FROM vsm._ledger_moves(of_stream_id, _times_between.since, bound, of_type, _times_between.attributes) m
        WHERE _times_between.known_at IS NULL
          AND (m.from_stage_id IS NULL OR vsm._is_end(from_which, from_id, m.from_stage_id, m.to_stage_id)
               OR vsm._is_end(to_which, to_id, m.from_stage_id, m.to_stage_id))),
    -- with what came before the window
    earlier AS MATERIALIZED (
        SELECT vsm._clocks(t.work_item_id, t."timestamp", t.id,
                           vsm._is_end(from_which, from_id, t.from_stage_id, t.to_stage_id), vsm._is_end(to_which, to_id, t.from_stage_id, t.to_stage_id),
                           true, from_which LIKE 'last%', to_which LIKE 'last%') AS clocks
        FROM (SELECT unnest((h.clocks).cut) AS work_item_id FROM here h) i
        CROSS JOIN LATERAL (
            SELECT t.work_item_id, t."timestamp", t.id, t.from_stage_id, t.to_stage_id FROM vsm.stage_transitions t
            WHERE t.work_item_id = i.work_item_id AND t."timestamp" < bound OFFSET 0) t),
    known AS MATERIALIZED (
        SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _times_between.attributes, _times_between.known_at) k
        WHERE _times_between.known_at IS NOT NULL AND k."timestamp" < bound),
    known_items AS MATERIALIZED (
        SELECT k.work_item_id, max(k.external_id) AS external_id, max(k.type) AS type, max(k.title) AS title FROM known k GROUP BY 1),
    known_clocks AS MATERIALIZED (
        SELECT vsm._clocks(k.work_item_id, k."timestamp", k.id,
                           vsm._is_end(from_which, from_id, k.from_stage_id, k.to_stage_id), vsm._is_end(to_which, to_id, k.from_stage_id, k.to_stage_id),
                           true, from_which LIKE 'last%', to_which LIKE 'last%') AS clocks
        FROM known k)
    SELECT t.item, k.external_id, k.type, k.title, t.started_at, t.stopped_at
    FROM (SELECT h.clocks FROM here h UNION ALL SELECT e.clocks FROM earlier e UNION ALL SELECT k.clocks FROM known_clocks k) c
    CROSS JOIN LATERAL unnest((c.clocks).items, (c.clocks).started_at, (c.clocks).stopped_at) t (item, started_at, stopped_at)
    LEFT JOIN known_items k ON k.work_item_id = t.item
    WHERE t.stopped_at >= _times_between.since;
END;
COMMENT ON FUNCTION vsm._times_between(bigint, timestamptz, timestamptz, bigint, bigint, text, text, text, jsonb, timestamptz) IS
    'When the clock of each item that stops in [since, bound) has started and stopped, as vsm.cycle_times_between() says; external_id, type and '
    'title as they were known, else null.';

CREATE FUNCTION vsm.cycle_times_between(stream text, from_stage text, to_stage text,
                                        since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                        until timestamptz DEFAULT clock_timestamp(), from_which text DEFAULT 'first_entry',
                                        to_which text DEFAULT 'last_entry', type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                        known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.time_between
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    of_type CONSTANT text := v.type;
    from_id bigint;
    to_id bigint;
BEGIN
    IF from_stage IS NULL OR to_stage IS NULL THEN
        RAISE EXCEPTION 'a time between stages needs two stages'
            USING ERRCODE = 'PT422', COLUMN = CASE WHEN from_stage IS NULL THEN 'from_stage' ELSE 'to_stage' END,
                  DETAIL = 'One of them is null.', HINT = 'Name a stage where the clock starts, and one where it stops.';
    END IF;
    PERFORM vsm._check_which(from_which, 'from_which');
    PERFORM vsm._check_which(to_which, 'to_which');
    from_id := vsm._stage_id(v.stream, vsm._sought(from_stage));
    to_id := vsm._stage_id(v.stream, vsm._sought(to_stage));
    PERFORM vsm._plan(false, of_type IS NOT NULL);
    RETURN QUERY
    SELECT t.work_item_id, coalesce(t.external_id, w.external_id), coalesce(t.title, w.title), coalesce(t.type, w.type), t.from_at, t.to_at,
           vsm._interval(vsm._elapsed_us(t.from_at, t.to_at))
    FROM vsm._times_between(v.stream_id, v.since, v.bound, from_id, to_id, from_which, to_which, of_type, cycle_times_between.attributes,
                            cycle_times_between.known_at) t
    LEFT JOIN vsm.work_items w ON w.id = t.work_item_id AND cycle_times_between.known_at IS NULL
    ORDER BY t.to_at, t.work_item_id;
END $$;
COMMENT ON FUNCTION vsm.cycle_times_between(text, text, text, timestamptz, timestamptz, text, text, text, jsonb, timestamptz) IS
    'Named cycle time of each item whose clock stops in the window: from the first_entry, last_entry, first_exit or last_exit of from_stage '
    '(from_which) to that of to_stage (to_which). The clock stops at the first or last such move after the first one that starts it, and '
    'starts at the first of the item, or the last before it stops. Moves from until on do not count. Errors: PT404 stream, stage; PT422.';
