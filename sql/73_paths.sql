-- 73_paths: the ways that finished items took through the stages

CREATE FUNCTION vsm._paths_taken(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                                 known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, stages bigint[], completed_at timestamptz, cycle_us bigint, undone boolean)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH known AS MATERIALIZED (
        SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _paths_taken.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound),
    -- of several completions at one instant, the last
    finishing AS MATERIALIZED (
        SELECT DISTINCT ON (f.work_item_id, f."timestamp") f.work_item_id, f."timestamp" AS at, f.item_created_at AS created_at,
               vsm._ledger_cycle_us(rule, f.item_started_at, f."timestamp", f.active_time, f.wait_time) AS cycle_us
        FROM (SELECT m.work_item_id, m.id, m."timestamp", m.item_created_at, m.item_started_at, m.active_time, m.wait_time
              FROM vsm._ledger_moves(of_stream_id, _paths_taken.since, bound, of_type, _paths_taken.attributes) m WHERE known_at IS NULL
              UNION ALL
              SELECT k.work_item_id, k.id, k."timestamp", k.item_created_at, k.item_started_at, k.active_time, k.wait_time
              FROM known k WHERE k."timestamp" >= _paths_taken.since) f
        WHERE f.item_created_at IS NOT NULL
        ORDER BY 1, 2, f.id DESC),
    -- all of the window in the order of the ledger, and by item only those before
    moves AS (
        SELECT m.work_item_id, m.to_stage_id, m."timestamp" AS at, m.id
        FROM vsm._ledger_moves(of_stream_id, _paths_taken.since, bound, of_type, _paths_taken.attributes) m
        WHERE known_at IS NULL
        UNION ALL
        SELECT i.work_item_id, t.to_stage_id, t.at, t.id
        FROM (SELECT DISTINCT f.work_item_id FROM finishing f WHERE f.created_at < _paths_taken.since) i
        CROSS JOIN LATERAL (
            SELECT t.to_stage_id, t."timestamp" AS at, t.id FROM vsm.stage_transitions t
            WHERE t.work_item_id = i.work_item_id AND t."timestamp" < _paths_taken.since OFFSET 0) t
        WHERE known_at IS NULL
        UNION ALL
        SELECT k.work_item_id, k.to_stage_id, k."timestamp", k.id FROM known k),
    leaving AS MATERIALIZED (
        SELECT DISTINCT m.work_item_id
        FROM vsm._ledger_moves(of_stream_id, _paths_taken.since, bound, of_type, _paths_taken.attributes) m
        WHERE known_at IS NULL AND rule <> 'episodes' AND m.undoes < _paths_taken.since)
    SELECT i.work_item_id, p.stages, p.completed_at, CASE WHEN rule IN ('span_first_last', 'sum_active') THEN f.cycle_us ELSE p.cycle_us END, false
    FROM (SELECT m.work_item_id, vsm._paths(m.to_stage_id, m.at, m.id, rule) AS paths FROM moves m GROUP BY 1) i
    CROSS JOIN LATERAL unnest(i.paths) p
    -- of items that have none here, the moves before are missing
    JOIN finishing f ON f.work_item_id = i.work_item_id AND f.at = p.completed_at
    UNION ALL
    SELECT i.work_item_id, p.stages, p.completed_at, CASE WHEN rule IN ('span_first_last', 'sum_active') THEN f.cycle_us ELSE p.cycle_us END, true
    FROM (SELECT l.work_item_id, vsm._paths(t.to_stage_id, t.at, t.id, rule) AS paths
          FROM leaving l
          CROSS JOIN LATERAL (
              SELECT t.to_stage_id, t."timestamp" AS at, t.id FROM vsm.stage_transitions t
              WHERE t.work_item_id = l.work_item_id AND t."timestamp" < _paths_taken.since OFFSET 0) t
          GROUP BY 1) i
    CROSS JOIN LATERAL unnest(i.paths) p
    CROSS JOIN LATERAL (
        SELECT vsm._ledger_cycle_us(rule, t.item_started_at, t."timestamp", t.active_time, t.wait_time) AS cycle_us FROM vsm.stage_transitions t
        WHERE t.work_item_id = i.work_item_id AND t."timestamp" = p.completed_at AND t.item_created_at IS NOT NULL
        ORDER BY t.id DESC LIMIT 1) f;
END;
COMMENT ON FUNCTION vsm._paths_taken(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'The paths of items that count as finished in [since, bound); and undone, those of items that did at since and left done in the window.';

CREATE FUNCTION vsm._path_lists(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                                known_at timestamptz, by_cells boolean)
    RETURNS TABLE (stages bigint[], n bigint, cycles bigint[], undone_at timestamptz[], undone_cycles bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY[_path_lists.since, bound], by_cells, 'd') p)
    SELECT c.stages, c.n, c.cycles, c.undone_at, c.undone_cycles
    FROM pieces p
    CROSS JOIN LATERAL (SELECT * FROM vsm._path_cells c WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since OFFSET 0) c
    WHERE p.folded AND (of_type IS NULL OR c.type_id = (SELECT vsm._type_id(of_type)))
    UNION ALL
    SELECT x.stages, count(*) FILTER (WHERE NOT x.undone), array_agg(x.cycle_us) FILTER (WHERE NOT x.undone AND x.cycle_us IS NOT NULL),
           array_agg(x.completed_at) FILTER (WHERE x.undone), array_agg(x.cycle_us) FILTER (WHERE x.undone)
    FROM pieces p
    CROSS JOIN LATERAL vsm._paths_taken(of_stream_id, p.since, p.until, rule, of_type, _path_lists.attributes, known_at) x
    WHERE NOT p.folded GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._path_lists(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz, boolean) IS
    'The paths of items finished in [since, bound), by pieces, as vsm._path_cells has them; what a piece takes away counts if the item '
    'had finished (undone_at) in the window.';

CREATE FUNCTION vsm.flow_paths(stream text DEFAULT 'default',
                               since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL,
                               attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL, "limit" integer DEFAULT 20)
    RETURNS TABLE (path text[], n bigint, share numeric, cycle_time_p50 interval, cycle_time_p85 interval, loops integer)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at, v.reopen_rule);
BEGIN
    PERFORM vsm._check_limit("limit", 10000);
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    WITH parts AS MATERIALIZED (
        SELECT l.*, (SELECT count(*) FROM unnest(l.undone_at) u (at) WHERE u.at >= v.since) AS undone
        FROM vsm._path_lists(v.stream_id, v.since, v.bound, v.reopen_rule, v.type, flow_paths.attributes, flow_paths.known_at, by_cells) l),
    taken AS (
        SELECT p.stages, sum(p.n - p.undone)::bigint AS n, sum(sum(p.n - p.undone)) OVER () AS total
        FROM parts p GROUP BY 1 HAVING sum(p.n - p.undone) > 0),
    most AS MATERIALIZED (
        SELECT t.*, s.orders
        FROM taken t
        CROSS JOIN LATERAL (
            SELECT array_agg(s."order" ORDER BY u.place) AS orders
            FROM unnest(t.stages) WITH ORDINALITY u (id, place) JOIN vsm.stages s ON s.id = u.id) s
        ORDER BY t.n DESC, s.orders LIMIT coalesce("limit", 20)),
    times AS (
        SELECT p.stages, vsm._finished(0, NULL, NULL, 0, 0, NULL, NULL, p.cycles, NULL, u.at, u.cycles, u.none, u.cycles, u.cycles, v.since, true) AS f
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT array_agg(u.at) AS at, array_agg(u.cycle) AS cycles, array_agg(-1::bigint) AS none
            FROM unnest(p.undone_at, p.undone_cycles) u (at, cycle) WHERE u.cycle IS NOT NULL) u
        WHERE p.stages IN (SELECT m.stages FROM most m) GROUP BY 1)
    SELECT ARRAY(SELECT s.name FROM unnest(m.stages) WITH ORDINALITY u (id, place) JOIN vsm.stages s ON s.id = u.id ORDER BY u.place),
           m.n, m.n / m.total, ((t.f).lead).p50, ((t.f).lead).p85,
           cardinality(m.stages) - (SELECT count(DISTINCT u.id) FROM unnest(m.stages) u (id))::integer
    FROM most m JOIN times t USING (stages)
    ORDER BY m.n DESC, m.orders;
END $$;
COMMENT ON FUNCTION vsm.flow_paths(text, timestamptz, timestamptz, text, text, jsonb, timestamptz, integer) IS
    'The most frequent paths (at most limit, 1 to 10000) of the items that throughput counts: the stages entered, from creation to the '
    'completion (by the rule episodes since the item last left done); n items, share of all that were finished in the window, percentiles of their '
    'cycle time by percentile_disc; loops: entries into a stage that the path had been in before. Errors: PT404, PT422.';

