-- 77_fold: making the cells of days that are over (sql/67_cells.sql)

CREATE TYPE vsm.fold_result AS (
    stream text,
    days_folded bigint,
    days_waiting bigint
);
COMMENT ON TYPE vsm.fold_result IS 'A row of vsm.fold().';

-- Read once for all kinds of cells.
CREATE FUNCTION vsm._span_moves(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS vsm._span_move[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off           -- a day's moves need few of the items, each by its key
    SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN ARRAY(
        SELECT (t.work_item_id, t.id, t.from_stage_id, t.to_stage_id, t."timestamp", vsm._interval_us(t.time_in_stage), t.furthest_before, t.started_change,
                w.started_at, w.backward_moves, coalesce(y.id, -1))::vsm._span_move
        FROM vsm.stage_transitions t
        LEFT JOIN vsm.work_items w ON w.id = t.work_item_id
        LEFT JOIN vsm.work_item_types y ON y.name = w.type
        WHERE t.stream_id = of_stream_id AND t."timestamp" >= _span_moves.since AND t."timestamp" < _span_moves.until);
END $$;
COMMENT ON FUNCTION vsm._span_moves(bigint, timestamptz, timestamptz) IS 'The moves of a span of days, with what the cells need to know of their items.';

CREATE FUNCTION vsm._cells_of_stages(of_stream_id bigint, since timestamptz, until timestamptz, by_hours boolean, given vsm._span_move[])
    RETURNS SETOF vsm._stage_cells
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan    -- to plan it takes longer than to sum a day up
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH moves AS MATERIALIZED (
        SELECT g.work_item_id, g.id, g.from_stage_id, g.to_stage_id, g.at, vsm._elapsed_us(g.at, _cells_of_stages.until) AS left_us,
               g.stayed_us, coalesce(g.furthest_before, g.from_stage_id) AS before, g.type_id,
               CASE WHEN by_hours THEN date_bin('1 hour', g.at, _cells_of_stages.since) END AS hour, g.backward_moves
        FROM unnest(given) g),
    entries AS MATERIALIZED (
        SELECT m.hour, m.type_id, m.before, m.to_stage_id, count(*) AS n, sum(m.left_us) AS us FROM moves m GROUP BY 1, 2, 3, 4),
    reached AS MATERIALIZED (       -- once for each pair of stages
        SELECT d.before, d.to_stage_id, s.id AS stage_id
        FROM (SELECT DISTINCT e.before, e.to_stage_id FROM entries e) d
        CROSS JOIN LATERAL vsm._stages_reached(d.before, d.to_stage_id) s (id)),
    sums AS MATERIALIZED (
        SELECT e.hour, e.type_id, e.to_stage_id AS stage_id, e.n AS entered, 0 AS "left", 0 AS reached, e.us AS entered_us, 0 AS left_us, 0 AS stayed_us
        FROM entries e
        UNION ALL
        SELECT m.hour, m.type_id, m.from_stage_id, 0, count(*), 0, 0, sum(m.left_us), sum(m.stayed_us)
        FROM moves m WHERE m.from_stage_id IS NOT NULL GROUP BY 1, 2, 3
        UNION ALL
        SELECT e.hour, e.type_id, r.stage_id, 0, 0, e.n, 0, 0, 0
        FROM reached r JOIN entries e ON e.before IS NOT DISTINCT FROM r.before AND e.to_stage_id = r.to_stage_id),
    -- the whole way of each item that may have come back, once; replication may have taken the item alone
    ways AS (
        SELECT i.type_id, t.from_stage_id, t.at, lag(t.at) OVER (PARTITION BY i.work_item_id, t.from_stage_id ORDER BY t.at, t.id) AS left_before
        FROM (SELECT DISTINCT m.work_item_id, m.type_id FROM moves m WHERE m.from_stage_id IS NOT NULL AND m.backward_moves IS DISTINCT FROM 0) i
        CROSS JOIN LATERAL (
            SELECT t.id, t."timestamp" AS at, t.from_stage_id FROM vsm.stage_transitions t
            WHERE t.work_item_id = i.work_item_id AND t.from_stage_id IS NOT NULL AND t."timestamp" < _cells_of_stages.until OFFSET 0) t),
    lists AS MATERIALIZED (
        SELECT x.type_id, x.stage_id, array_agg(x.stayed_us ORDER BY x.stayed_us) FILTER (WHERE x.left_before IS NULL) AS visits,
               array_agg(x.left_before ORDER BY x.left_before) FILTER (WHERE x.left_before IS NOT NULL) AS repeated_at
        FROM (SELECT m.type_id, m.from_stage_id AS stage_id, m.stayed_us, NULL::timestamptz AS left_before FROM moves m WHERE m.from_stage_id IS NOT NULL
              UNION ALL
              SELECT w.type_id, w.from_stage_id, NULL, w.left_before FROM ways w WHERE w.at >= _cells_of_stages.since AND w.left_before IS NOT NULL) x
        GROUP BY 1, 2),
    paces AS MATERIALIZED (
        SELECT y.id AS type_id, t.stage_id, t.paces, t.undone_pace_at, t.undone_paces
        FROM (SELECT w.type COLLATE "C" AS type, p.stage_id, array_agg(p.us ORDER BY p.us) FILTER (WHERE NOT p.undone) AS paces,
                     array_agg(p.completed_at ORDER BY p.completed_at, p.us) FILTER (WHERE p.undone) AS undone_pace_at,
                     array_agg(p.us ORDER BY p.completed_at, p.us) FILTER (WHERE p.undone) AS undone_paces
              FROM vsm._paces(of_stream_id, _cells_of_stages.since, _cells_of_stages.until, NULL, NULL, NULL) p
              CROSS JOIN LATERAL (SELECT w.type FROM vsm.work_items w WHERE w.id = p.work_item_id OFFSET 0) w      -- by key
              GROUP BY 1, 2) t
        JOIN vsm.work_item_types y ON y.name = t.type)
    SELECT of_stream_id, 'd'::"char", _cells_of_stages.since, type_id, stage_id, coalesce(s.entered, 0), coalesce(s."left", 0), coalesce(s.reached, 0),
           coalesce(s.entered_us, 0), coalesce(s.left_us, 0), coalesce(s.stayed_us, 0), l.visits, l.repeated_at, a.paces, a.undone_pace_at, a.undone_paces
    FROM (SELECT coalesce(c.type_id, 0) AS type_id, c.stage_id, sum(c.entered)::bigint AS entered, sum(c."left")::bigint AS "left",
                 sum(c.reached)::bigint AS reached, sum(c.entered_us) AS entered_us, sum(c.left_us) AS left_us, sum(c.stayed_us) AS stayed_us
          FROM sums c GROUP BY GROUPING SETS ((c.type_id, c.stage_id), (c.stage_id))) s
    LEFT JOIN lists l USING (type_id, stage_id)
    FULL JOIN paces a USING (type_id, stage_id)         -- nobody need have been in the stage meanwhile
    UNION ALL
    SELECT of_stream_id, 'h'::"char", c.hour, 0, c.stage_id, sum(c.entered)::bigint, sum(c."left")::bigint, sum(c.reached)::bigint,
           sum(c.entered_us - c.entered * u.us), sum(c.left_us - c."left" * u.us), sum(c.stayed_us),
           NULL::bigint[] AS visits, NULL::timestamptz[] AS repeated_at, NULL::bigint[] AS paces, NULL::timestamptz[] AS undone_pace_at,
           NULL::bigint[] AS undone_paces
    FROM sums c
    CROSS JOIN LATERAL (
        SELECT vsm._elapsed_us(least(c.hour + interval '1 hour', _cells_of_stages.until), _cells_of_stages.until)::numeric AS us) u
    WHERE by_hours GROUP BY c.hour, c.stage_id;
END $$;
COMMENT ON FUNCTION vsm._cells_of_stages(bigint, timestamptz, timestamptz, boolean, vsm._span_move[]) IS
    'The cells of the stages for a span of days, whose moves are given, and, with by_hours, for its hours.';

CREATE FUNCTION vsm._cells_of_items(of_stream_id bigint, since timestamptz, until timestamptz, by_hours boolean, given vsm._span_move[], rule text)
    RETURNS SETOF vsm._item_cells
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    open_stages CONSTANT bigint[] := ARRAY(SELECT s.id FROM vsm._stages s WHERE s.stream_id = of_stream_id AND s.category IN ('wait', 'active'));
BEGIN
    RETURN QUERY
    WITH moves AS MATERIALIZED (
        SELECT g.work_item_id, g.from_stage_id, g.to_stage_id, g.started_change, g.type_id,
               CASE WHEN by_hours THEN date_bin('1 hour', g.at, _cells_of_items.since) END AS hour,
               (g.to_stage_id = ANY (open_stages))::integer - coalesce((g.from_stage_id = ANY (open_stages))::integer, 0) AS change,
               vsm._elapsed_us(g.at, _cells_of_items.until) AS left_us,
               CASE WHEN g.started_change IS NOT NULL THEN vsm._elapsed_us(g.started_at, _cells_of_items.until) END AS age_us
        FROM unnest(given) g),
    -- few beside the moves, for each of which to look at the stages would take longer than all the rest
    edges AS MATERIALIZED (
        SELECT m.hour, m.type_id, m.from_stage_id, m.to_stage_id, count(*) AS n, coalesce(sum(m.started_change), 0) AS started_change,
               sum(m.change) AS change, sum(m.change * m.left_us) AS open_us, coalesce(sum(m.started_change * m.left_us), 0) AS started_us,
               count(*) FILTER (WHERE m.started_change > 0) AS starts, coalesce(sum(m.started_change * m.age_us), 0) AS age_us
        FROM moves m GROUP BY 1, 2, 3, 4),
    sums AS MATERIALIZED (
        SELECT m.hour, m.type_id, coalesce(sum(m.n) FILTER (WHERE m.from_stage_id IS NULL), 0) AS arrivals,
               coalesce(sum(m.n) FILTER (WHERE e.category = 'done' AND l.category IS DISTINCT FROM 'done'), 0) AS departures,
               coalesce(sum(m.n) FILTER (WHERE l.category IN ('done', 'discarded') AND e.category <> l.category), 0) AS returns,
               coalesce(sum(m.n) FILTER (WHERE e.category = 'discarded' AND l.category IS DISTINCT FROM 'discarded'), 0) AS discarded,
               coalesce(sum(m.n) FILTER (WHERE l.category = 'done' AND e.category <> 'done'), 0) AS reopened,
               coalesce(sum(m.n) FILTER (WHERE e."order" < l."order"), 0) AS backward_moves, sum(m.started_change) AS started_change,
               sum(m.change) AS change, sum(m.open_us) AS open_us, sum(m.started_us) AS started_us, sum(m.starts) AS starts, sum(m.age_us) AS age_us
        FROM edges m
        JOIN vsm.stages e ON e.id = m.to_stage_id
        LEFT JOIN vsm.stages l ON l.id = m.from_stage_id
        GROUP BY 1, 2),
    crossing AS (
        SELECT i.type_id, (i.items).opened, (i.items).closed
        FROM (SELECT x.type_id, vsm._crossing(x.opened, x.closed) AS items
              FROM (SELECT m.type_id, array_agg(m.work_item_id) FILTER (WHERE m.change > 0) AS opened,
                           array_agg(m.work_item_id) FILTER (WHERE m.change < 0) AS closed
                    FROM moves m WHERE m.change <> 0 GROUP BY 1) x
              GROUP BY 1) i),
    completed AS MATERIALIZED (
        SELECT * FROM vsm._finished_lists(of_stream_id, _cells_of_items.since, _cells_of_items.until, rule, NULL)),
    times AS (
        SELECT coalesce(f.type_id, 0) AS type_id,
               vsm._finished_sums(f.never_started, NULL, NULL, f.active_us, f.wait_us, NULL, NULL, f.leads, f.cycles,
                                  NULL, NULL, NULL, NULL, NULL, _cells_of_items.since, false) AS sums
        FROM completed f GROUP BY GROUPING SETS ((f.type_id), ())),
    undone AS MATERIALIZED (
        SELECT * FROM vsm._undone_lists(of_stream_id, _cells_of_items.since, _cells_of_items.until, rule, NULL)),
    all_undone AS (
        SELECT x.type_id, x.undone_at, x.undone_leads, x.undone_cycles, x.undone_active, x.undone_wait FROM undone x
        UNION ALL
        SELECT 0, array_agg(u.at ORDER BY x.type_id, u.place), array_agg(u.lead ORDER BY x.type_id, u.place), array_agg(u.cycle ORDER BY x.type_id, u.place),
               array_agg(u.active ORDER BY x.type_id, u.place), array_agg(u.wait ORDER BY x.type_id, u.place)
        FROM undone x
        CROSS JOIN LATERAL unnest(x.undone_at, x.undone_leads, x.undone_cycles, x.undone_active, x.undone_wait)
            WITH ORDINALITY u (at, lead, cycle, active, wait, place))
    SELECT of_stream_id, 'd'::"char", _cells_of_items.since, s.type_id, s.arrivals::bigint, s.departures::bigint, s.returns::bigint, s.discarded::bigint,
           s.reopened::bigint, s.backward_moves::bigint, s.started_change::bigint, s.open_us, s.started_us,
           coalesce((t.sums).finished, 0), coalesce((t.sums).never_started, 0), coalesce((t.sums).lead_us, 0), coalesce((t.sums).cycle_us, 0),
           coalesce((t.sums).active_us, 0), coalesce((t.sums).wait_us, 0),
           -- a sketch takes some 500 bytes
           CASE WHEN s.type_id = 0 OR f.finished > 50 THEN (t.sums).lead_sketch END,
           CASE WHEN s.type_id = 0 OR f.finished > 50 THEN (t.sums).cycle_sketch END,
           f.completed_at, f.leads, f.cycles, u.undone_at, u.undone_leads, u.undone_cycles, u.undone_active, u.undone_wait, c.opened, c.closed,
           s.starts::bigint, s.age_us
    FROM (SELECT coalesce(h.type_id, 0) AS type_id, sum(h.arrivals) AS arrivals, sum(h.departures) AS departures, sum(h.returns) AS returns, sum(h.discarded) AS discarded,
                 sum(h.reopened) AS reopened, sum(h.backward_moves) AS backward_moves, sum(h.started_change) AS started_change,
                 sum(h.open_us) AS open_us, sum(h.started_us) AS started_us, sum(h.starts) AS starts, sum(h.age_us) AS age_us
          FROM sums h GROUP BY GROUPING SETS ((h.type_id), ()) HAVING count(*) > 0) s
    LEFT JOIN crossing c USING (type_id)
    LEFT JOIN completed f USING (type_id)
    LEFT JOIN times t USING (type_id)
    LEFT JOIN all_undone u USING (type_id)
    UNION ALL
    SELECT of_stream_id, 'h'::"char", h.hour, 0, sum(h.arrivals)::bigint, sum(h.departures)::bigint, sum(h.returns)::bigint, sum(h.discarded)::bigint,
           sum(h.reopened)::bigint, sum(h.backward_moves)::bigint, sum(h.started_change)::bigint,
           sum(h.open_us - h.change * u.us), sum(h.started_us - h.started_change * u.us),
           0, 0, 0, 0, 0, 0, NULL::vsm.sketch AS lead_sketch, NULL::vsm.sketch AS cycle_sketch, NULL::timestamptz[] AS completed_at,
           NULL::bigint[] AS leads, NULL::bigint[] AS cycles, NULL::timestamptz[] AS undone_at, NULL::bigint[] AS undone_leads,
           NULL::bigint[] AS undone_cycles, NULL::bigint[] AS undone_active, NULL::bigint[] AS undone_wait, NULL::bigint[] AS opened,
           NULL::bigint[] AS closed, sum(h.starts)::bigint, sum(h.age_us - h.started_change * u.us)
    FROM sums h
    CROSS JOIN LATERAL (
        SELECT vsm._elapsed_us(least(h.hour + interval '1 hour', _cells_of_items.until), _cells_of_items.until)::numeric AS us) u
    WHERE by_hours GROUP BY h.hour;
END $$;
COMMENT ON FUNCTION vsm._cells_of_items(bigint, timestamptz, timestamptz, boolean, vsm._span_move[], text) IS
    'The cells of the items for a span of days, whose moves are given, and, with by_hours, for its hours.';

CREATE FUNCTION vsm._cells_of_edges(of_stream_id bigint, since timestamptz, until timestamptz, given vsm._span_move[]) RETURNS SETOF vsm._edge_cells
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT of_stream_id, 'd'::"char", _cells_of_edges.since, e.type_id, e.from_stage_id, e.to_stage_id, e.n, e.times, e.first_handed, e.handed_at,
           e.first_handed_at
    FROM vsm._edges(of_stream_id, _cells_of_edges.since, _cells_of_edges.until, NULL, NULL, NULL, given) e;
END $$;
COMMENT ON FUNCTION vsm._cells_of_edges(bigint, timestamptz, timestamptz, vsm._span_move[]) IS 'The cells of the moves between stages for a span of days, whose moves are given.';

CREATE FUNCTION vsm._cells_of_paths(of_stream_id bigint, since timestamptz, until timestamptz, rule text) RETURNS SETOF vsm._path_cells
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT of_stream_id, 'd'::"char", _cells_of_paths.since, y.id, row_number() OVER (PARTITION BY y.id ORDER BY t.stages)::integer,
           t.stages, t.n, t.cycles, t.undone_at, t.undone_cycles
    FROM (SELECT w.type COLLATE "C" AS type, x.stages, count(*) FILTER (WHERE NOT x.undone) AS n,
                 array_agg(x.cycle_us ORDER BY x.cycle_us) FILTER (WHERE NOT x.undone AND x.cycle_us IS NOT NULL) AS cycles,
                 array_agg(x.completed_at ORDER BY x.completed_at, x.cycle_us) FILTER (WHERE x.undone) AS undone_at,
                 array_agg(x.cycle_us ORDER BY x.completed_at, x.cycle_us) FILTER (WHERE x.undone) AS undone_cycles
          FROM vsm._paths_taken(of_stream_id, _cells_of_paths.since, _cells_of_paths.until, rule, NULL, NULL, NULL) x
          CROSS JOIN LATERAL (SELECT w.type FROM vsm.work_items w WHERE w.id = x.work_item_id OFFSET 0) w      -- by key
          GROUP BY 1, 2) t
    JOIN vsm.work_item_types y ON y.name = t.type;
END $$;
COMMENT ON FUNCTION vsm._cells_of_paths(bigint, timestamptz, timestamptz, text) IS 'The cells of the paths for a span of days.';

CREATE FUNCTION vsm._drop_spans(of_stream_id bigint, times tstzmultirange) RETURNS void
    LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH gone AS (DELETE FROM vsm._spans s WHERE s.stream_id = of_stream_id AND tstzrange(s.since, s.until) && times RETURNING s.unit, s.since),
    stages AS (DELETE FROM vsm._stage_cells c USING gone g WHERE c.stream_id = of_stream_id AND c.unit = g.unit AND c.since = g.since),
    edges AS (DELETE FROM vsm._edge_cells c USING gone g WHERE c.stream_id = of_stream_id AND c.unit = g.unit AND c.since = g.since),
    paths AS (DELETE FROM vsm._path_cells c USING gone g WHERE c.stream_id = of_stream_id AND c.unit = g.unit AND c.since = g.since)
    DELETE FROM vsm._item_cells c USING gone g WHERE c.stream_id = of_stream_id AND c.unit = g.unit AND c.since = g.since;
END;
COMMENT ON FUNCTION vsm._drop_spans(bigint, tstzmultirange) IS 'Deletes the spans of a stream that overlap some times, with their cells.';

CREATE FUNCTION vsm._fold_span(of_stream_id bigint, since timestamptz, until timestamptz, by_hours boolean, rule text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moves vsm._span_move[];
BEGIN
    INSERT INTO vsm._spans (stream_id, unit, since, until) VALUES (of_stream_id, 'd', _fold_span.since, _fold_span.until);
    INSERT INTO vsm._spans (stream_id, unit, since, until)
    SELECT of_stream_id, 'h', h, least(h + interval '1 hour', _fold_span.until)
    FROM generate_series(_fold_span.since, _fold_span.until - interval '1 microsecond', interval '1 hour') h WHERE by_hours;
    moves := vsm._span_moves(of_stream_id, _fold_span.since, _fold_span.until);
    INSERT INTO vsm._stage_cells SELECT c.* FROM vsm._cells_of_stages(of_stream_id, _fold_span.since, _fold_span.until, by_hours, moves) c;
    INSERT INTO vsm._item_cells SELECT c.* FROM vsm._cells_of_items(of_stream_id, _fold_span.since, _fold_span.until, by_hours, moves, rule) c;
    INSERT INTO vsm._edge_cells SELECT c.* FROM vsm._cells_of_edges(of_stream_id, _fold_span.since, _fold_span.until, moves) c;
    INSERT INTO vsm._path_cells SELECT c.* FROM vsm._cells_of_paths(of_stream_id, _fold_span.since, _fold_span.until, rule) c;
    RETURN NOT EXISTS (SELECT FROM vsm._stage_cells c
                       WHERE c.stream_id = of_stream_id AND c.unit = 'd' AND c.since = _fold_span.since
                         AND (c.type_id < 0 OR c.stage_id NOT IN (SELECT s.id FROM vsm.stages s)));
END $$;
COMMENT ON FUNCTION vsm._fold_span(bigint, timestamptz, timestamptz, boolean, text) IS
    'Adds the cells of a span, from the ledger. Are the items of all its moves there, their types and stages?';

CREATE FUNCTION vsm._stage_cells_of_month(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS SETOF vsm._stage_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT of_stream_id, 'm'::"char", _stage_cells_of_month.since, c.type_id, c.stage_id, sum(c.entered)::bigint, sum(c."left")::bigint, sum(c.reached)::bigint,
           sum(c.entered_us + c.entered * vsm._elapsed_us(s.until, _stage_cells_of_month.until)::numeric),
           sum(c.left_us + c."left" * vsm._elapsed_us(s.until, _stage_cells_of_month.until)::numeric), sum(c.stayed_us),
           NULL::bigint[] AS visits, NULL::timestamptz[] AS repeated_at, NULL::bigint[] AS paces, NULL::timestamptz[] AS undone_pace_at,
           NULL::bigint[] AS undone_paces
    FROM vsm._spans s JOIN vsm._stage_cells c ON c.stream_id = of_stream_id AND c.unit = 'd' AND c.since = s.since
    WHERE s.stream_id = of_stream_id AND s.unit = 'd' AND s.since >= _stage_cells_of_month.since AND s.until <= _stage_cells_of_month.until
    GROUP BY c.type_id, c.stage_id;
END;
COMMENT ON FUNCTION vsm._stage_cells_of_month(bigint, timestamptz, timestamptz) IS 'The cells of the stages for a month, from those of its days.';

CREATE FUNCTION vsm._item_cells_of_month(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS SETOF vsm._item_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH days AS MATERIALIZED (
        SELECT c.*, vsm._elapsed_us(s.until, _item_cells_of_month.until)::numeric AS later_us
        FROM vsm._spans s JOIN vsm._item_cells c ON c.stream_id = of_stream_id AND c.unit = 'd' AND c.since = s.since
        WHERE s.stream_id = of_stream_id AND s.unit = 'd' AND s.since >= _item_cells_of_month.since AND s.until <= _item_cells_of_month.until),
    sums AS (
        SELECT d.type_id, sum(d.arrivals) AS arrivals, sum(d.departures) AS departures, sum(d.returns) AS returns, sum(d.discarded) AS discarded,
               sum(d.reopened) AS reopened, sum(d.backward_moves) AS backward_moves, sum(d.started_change) AS started_change,
               sum(d.open_us + (d.arrivals + d.returns - d.departures - d.discarded) * d.later_us) AS open_us,
               sum(d.started_us + d.started_change * d.later_us) AS started_us, sum(d.starts) AS starts,
               sum(d.age_us + d.started_change * d.later_us) AS age_us,
               vsm._finished_sums(d.never_started, d.lead_us, d.cycle_us, d.active_us, d.wait_us, d.lead_sketch, d.cycle_sketch, d.leads, d.cycles,
                                  d.undone_at, d.undone_leads, d.undone_cycles, d.undone_active, d.undone_wait, _item_cells_of_month.since, false) AS f
        FROM days d GROUP BY 1),
    undone AS (
        SELECT d.type_id, array_agg(u.at ORDER BY d.since, u.place) AS at, array_agg(u.lead ORDER BY d.since, u.place) AS leads,
               array_agg(u.cycle ORDER BY d.since, u.place) AS cycles, array_agg(u.active ORDER BY d.since, u.place) AS active,
               array_agg(u.wait ORDER BY d.since, u.place) AS wait
        FROM days d
        CROSS JOIN LATERAL unnest(d.undone_at, d.undone_leads, d.undone_cycles, d.undone_active, d.undone_wait)
            WITH ORDINALITY u (at, lead, cycle, active, wait, place)
        WHERE u.at < _item_cells_of_month.since GROUP BY 1),
    crossing AS (
        SELECT i.type_id, (i.items).opened, (i.items).closed
        FROM (SELECT d.type_id, vsm._crossing(d.opened, d.closed) AS items FROM days d GROUP BY 1) i)
    SELECT of_stream_id, 'm'::"char", _item_cells_of_month.since, s.type_id, s.arrivals::bigint, s.departures::bigint, s.returns::bigint, s.discarded::bigint,
           s.reopened::bigint, s.backward_moves::bigint, s.started_change::bigint, s.open_us, s.started_us,
           (s.f).finished, (s.f).never_started, (s.f).lead_us, (s.f).cycle_us, (s.f).active_us, (s.f).wait_us, (s.f).lead_sketch, (s.f).cycle_sketch,
           NULL::timestamptz[] AS completed_at, NULL::bigint[] AS leads, NULL::bigint[] AS cycles, u.at, u.leads, u.cycles, u.active, u.wait, c.opened, c.closed,
           s.starts::bigint, s.age_us
    FROM sums s LEFT JOIN undone u USING (type_id) LEFT JOIN crossing c USING (type_id);
END;
COMMENT ON FUNCTION vsm._item_cells_of_month(bigint, timestamptz, timestamptz) IS 'The cells of the items for a month, from those of its days.';

CREATE FUNCTION vsm._fold_months(of_stream_id bigint, time_zone text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    month record;
BEGIN
    -- A correction between the folding of two days leaves a mark, which an older snapshot does not show; such days do not go together.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    -- months that their spans fill
    FOR month IN
        SELECT m.since, m.until
        FROM (SELECT x.month AT TIME ZONE time_zone AS since, (x.month + interval '1 month') AT TIME ZONE time_zone AS until, x.filled
              FROM (SELECT date_trunc('month', s.since AT TIME ZONE time_zone) AS month, sum(vsm._elapsed_us(s.since, s.until)) AS filled
                    FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd' GROUP BY 1) x) m
        WHERE m.filled = vsm._elapsed_us(m.since, m.until)
          AND NOT EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd' AND s.since < m.until AND s.until > m.until)
          AND NOT EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'm' AND s.since < m.until AND s.until > m.since)
          AND NOT EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id AND k.since < m.until AND k.until > m.since)
    LOOP
        INSERT INTO vsm._spans (stream_id, unit, since, until) VALUES (of_stream_id, 'm', month.since, month.until);
        INSERT INTO vsm._stage_cells SELECT c.* FROM vsm._stage_cells_of_month(of_stream_id, month.since, month.until) c;
        INSERT INTO vsm._item_cells SELECT c.* FROM vsm._item_cells_of_month(of_stream_id, month.since, month.until) c;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm._fold_months(bigint, text) IS 'Adds the months that spans fill and no mark touches, from their cells.';

-- As the owner, from src/roles/on_behalf.c.  A span may be folded once every transaction has ended that may not have known
-- closed_until: it is committed, then the next transaction id is read, and when all before that id have ended, it is settled.
-- Definitions may change meanwhile, because nobody should wait for a fold: whoever changes them leaves a mark.  If it is
-- among those that are deleted here, they are read anew; else it stays, and what is folded by them is not read.
CREATE FUNCTION vsm._fold_stream(of_stream text, rebuild boolean) RETURNS vsm.fold_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v vsm.value_streams;
    f vsm._folds;
    today timestamptz;
    marked tstzmultirange;
    result vsm.fold_result := (of_stream, 0, 0);
    span record;
    settled boolean;
    changed boolean := false;
BEGIN
    -- before any other lock, as TRUNCATE does
    LOCK TABLE vsm.work_items IN ACCESS SHARE MODE;
    SELECT * INTO v FROM vsm.value_streams s WHERE s.name = of_stream;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(vsm._cut(of_stream), 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = CASE WHEN of_stream IS NULL THEN 'Name a stream.'
                               ELSE format('%s; vsm.define_stream() defines one.', vsm._streams_to_choose()) END;
    END IF;
    -- held until the messages of the commit have been sent, unlike a row's lock
    PERFORM vsm._lock_fold(v.id);
    today := date_trunc('day', clock_timestamp() AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone;
    SELECT * INTO f FROM vsm._folds s WHERE s.stream_id = v.id;
    IF NOT FOUND THEN
        INSERT INTO vsm._folds (stream_id, closed_until, closed_by, settled_until)
        VALUES (v.id, today, pg_current_xact_id(), '-infinity')
        ON CONFLICT (stream_id) DO NOTHING;     -- an error in a transaction with an older snapshot
        result.days_waiting := vsm._days_waiting(v.id, '-infinity', today);
        RETURN result;
    END IF;
    -- not in the transaction that closed it: until it commits, others begin that do not know closed_until
    IF f.bound IS NULL AND f.closed_by IS DISTINCT FROM pg_current_xact_id_if_assigned() THEN
        f.bound := vsm._next_xid();
        changed := true;
    END IF;
    settled := coalesce(pg_snapshot_xmin(pg_current_snapshot()) >= f.bound, false);
    IF settled THEN
        f.settled_until := f.closed_until;
    END IF;

    WITH gone AS (DELETE FROM vsm._marks k WHERE k.stream_id = v.id RETURNING k.since, k.until)
    SELECT range_agg(tstzrange(g.since, g.until)) INTO marked FROM gone g;
    IF rebuild THEN
        marked := tstzmultirange(tstzrange('-infinity', 'infinity'));
    END IF;
    -- with one of these marks, the reopen rule and the stages may have changed; the message of it may still be on its way
    PERFORM vsm._read_definitions_anew();
    SELECT * INTO v FROM vsm.value_streams s WHERE s.id = v.id;
    -- Whoever folds changes this row: an older snapshot, which does not see what others have folded, gets an error.
    IF changed OR marked IS NOT NULL OR settled AND f.closed_until < today THEN
        UPDATE vsm._folds s SET bound = f.bound, settled_until = f.settled_until, folded_at = clock_timestamp() WHERE s.stream_id = v.id;
        changed := true;
    END IF;
    IF settled AND f.closed_until < today THEN
        UPDATE vsm._folds s SET closed_until = today, closed_by = pg_current_xact_id(), bound = NULL WHERE s.stream_id = v.id;
    END IF;
    IF marked IS NOT NULL THEN
        -- a span's hours go with it
        marked := marked + (SELECT coalesce(range_agg(tstzrange(s.since, s.until)), '{}')
                            FROM vsm._spans s WHERE s.stream_id = v.id AND s.unit = 'd' AND tstzrange(s.since, s.until) && marked);
        PERFORM vsm._drop_spans(v.id, marked);
    END IF;
    FOR span IN SELECT * FROM vsm._spans_to_fold(v.id, v.time_zone, f.settled_until) LOOP
        IF NOT changed THEN
            UPDATE vsm._folds s SET settled_until = f.settled_until, folded_at = clock_timestamp() WHERE s.stream_id = v.id;
            changed := true;
        END IF;
        IF vsm._fold_span(v.id, span.since, span.until, span.busy, v.reopen_rule) THEN
            result.days_folded := result.days_folded + span.days;
        ELSE
            -- not while a dump is restored, or a subscription copies the tables: what comes later leaves no marks
            PERFORM vsm._drop_spans(v.id, tstzmultirange(tstzrange(span.since, span.until)));
        END IF;
    END LOOP;
    PERFORM vsm._fold_months(v.id, v.time_zone);
    result.days_waiting := vsm._days_waiting(v.id, f.settled_until, today);
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._fold_stream(text, boolean) IS 'The owner''s part of vsm.fold(). Errors: PT404, 40001.';

CREATE FUNCTION vsm._fold(stream text, rebuild boolean) RETURNS vsm.fold_result
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__fold';
COMMENT ON FUNCTION vsm._fold(text, boolean) IS 'Folds a stream, for anybody who may see it. Errors: PT404, 42501, 40001.';

CREATE FUNCTION vsm.fold(stream text DEFAULT NULL, rebuild boolean DEFAULT false)
    RETURNS SETOF vsm.fold_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    IF stream IS NOT NULL THEN
        RETURN NEXT vsm._fold(vsm._sought(stream), coalesce(rebuild, false));
        RETURN;
    END IF;
    FOR name IN SELECT v.name FROM vsm.value_streams v ORDER BY v.id LOOP
        BEGIN
            RETURN NEXT vsm._fold(name, coalesce(rebuild, false));
        EXCEPTION WHEN SQLSTATE 'PT404' THEN
            NULL;       -- it has been deleted or renamed meanwhile
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm.fold(text, boolean) IS
    'Sums up the moves of days that are over, so that figures need not read them; of one stream, or with null of all. Answers are the '
    'same without. days_folded: now; days_waiting: that are over and not in cells, as they may not be folded while a transaction is open that '
    'began before they were closed; the first two calls close them, a later one folds. rebuild: computes all cells anew, which needs the rights '
    'of a writer. Errors: PT404, 42501; 40001 in a transaction with an older snapshot, 25006 where nothing can be written.';
