-- 73_pace: how old items were when they left their stages

-- An item counts once in each stage, by the last time that it left it before it was finished, if it had started by then.  The
-- move that starts it leaves a stage in which it had not.
CREATE FUNCTION vsm._paces(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, stage_id bigint, completed_at timestamptz, us bigint, undone boolean)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH stages AS MATERIALIZED (
        SELECT array_agg(s.id) FILTER (WHERE s.started) AS started, array_agg(s.id) FILTER (WHERE s.category IN ('wait', 'active')) AS passed
        FROM vsm._stages s WHERE s.stream_id = of_stream_id),
    completed AS MATERIALIZED (
        SELECT c.work_item_id, c.started_at, c.completed_at, false AS undone
        FROM vsm._completed(of_stream_id, _paces.since, bound, 'span_first_last', of_type, _paces.attributes, known_at) c
        WHERE c.started_at IS NOT NULL
        UNION ALL
        SELECT l.work_item_id, f.item_started_at, l.undoes, true
        FROM vsm._ledger_moves(of_stream_id, _paces.since, bound, of_type, _paces.attributes) l
        CROSS JOIN LATERAL (
            -- of several completions at one instant, the last
            SELECT t.item_started_at FROM vsm.stage_transitions t
            WHERE t.work_item_id = l.work_item_id AND t."timestamp" = l.undoes AND t.item_created_at IS NOT NULL
              AND (t."timestamp", t.id) < (l."timestamp", l.id)
            ORDER BY t.id DESC LIMIT 1) f
        WHERE known_at IS NULL AND l.undoes < _paces.since AND f.item_started_at IS NOT NULL),
    moves AS (
        SELECT c.*, t.id, t.from_stage_id, t.to_stage_id, t."timestamp" AS at
        FROM completed c
        CROSS JOIN LATERAL (
            SELECT t.id, t.from_stage_id, t.to_stage_id, t."timestamp"
            FROM vsm.stage_transitions t
            WHERE t.work_item_id = c.work_item_id AND t."timestamp" BETWEEN c.started_at AND c.completed_at
            OFFSET 0) t         -- few of the moves, by the item
        WHERE known_at IS NULL
        UNION ALL
        SELECT c.*, k.id, k.from_stage_id, k.to_stage_id, k."timestamp"
        FROM completed c
        JOIN vsm._known_moves(of_stream_id, of_type, _paces.attributes, known_at) k
            ON k.work_item_id = c.work_item_id AND k."timestamp" BETWEEN c.started_at AND c.completed_at
        WHERE known_at IS NOT NULL),
    leaving AS (
        SELECT m.*, m.from_stage_id = ANY (s.passed) AS passed,
               bool_or(m.to_stage_id = ANY (s.started))
                   OVER (PARTITION BY m.work_item_id, m.completed_at, m.undone ORDER BY m.at, m.id
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS had_started
        FROM moves m CROSS JOIN stages s)
    SELECT l.work_item_id, l.from_stage_id, l.completed_at, vsm._elapsed_us(l.started_at, max(l.at)), l.undone
    FROM leaving l WHERE l.had_started AND l.passed
    GROUP BY l.work_item_id, l.from_stage_id, l.started_at, l.completed_at, l.undone;
END;
COMMENT ON FUNCTION vsm._paces(bigint, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'How old in microseconds items were when they last left a stage: those that are finished at bound and were in [since, bound); and '
    'undone, those that had finished before since and left done in the window, as they were when they had finished.';

CREATE FUNCTION vsm._pace_lists(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb,
                                known_at timestamptz, by_cells boolean)
    RETURNS TABLE (stage_id bigint, list bigint[], taken_at timestamptz[], taken bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY[_pace_lists.since, bound], by_cells, 'd') p)
    SELECT c.stage_id, c.paces, c.undone_pace_at, c.undone_paces
    FROM pieces p
    CROSS JOIN LATERAL (SELECT * FROM vsm._stage_cells c WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since OFFSET 0) c
    WHERE p.folded AND (c.paces IS NOT NULL OR c.undone_paces IS NOT NULL)
      AND (of_type IS NULL OR c.type_id = (SELECT vsm._type_id(of_type)))
    UNION ALL
    SELECT x.stage_id, array_agg(x.us) FILTER (WHERE NOT x.undone), array_agg(x.completed_at) FILTER (WHERE x.undone),
           array_agg(x.us) FILTER (WHERE x.undone)
    FROM pieces p CROSS JOIN LATERAL vsm._paces(of_stream_id, p.since, p.until, of_type, _pace_lists.attributes, known_at) x
    WHERE NOT p.folded GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._pace_lists(bigint, timestamptz, timestamptz, text, jsonb, timestamptz, boolean) IS
    'Ages in microseconds at which items finished in [since, bound) had left the stages, by pieces; taken: those that a piece takes away, '
    'if the item had finished (taken_at) in the window.';

CREATE FUNCTION vsm.stage_pace(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                               known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (stage text, n bigint, p50 interval, p70 interval, p85 interval, p95 interval)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    SELECT s.name, coalesce((f.f).lead.n, 0), (f.f).lead.p50, (f.f).lead.p70, (f.f).lead.p85, (f.f).lead.p95
    FROM vsm.stages s
    LEFT JOIN (SELECT l.stage_id,
                      vsm._finished(0, NULL, NULL, 0, 0, NULL, NULL, l.list, NULL, l.taken_at, l.taken,
                                    (SELECT array_agg(-1::bigint) FROM unnest(l.taken)), l.taken, l.taken, stage_pace.since, true) AS f
               FROM vsm._pace_lists(v.stream_id, stage_pace.since, v.bound, v.type, stage_pace.attributes, stage_pace.known_at, by_cells) l
               GROUP BY 1) f ON f.stage_id = s.id
    WHERE s.stream = v.stream AND s.category IN ('wait', 'active')
    ORDER BY s."order";
END $$;
COMMENT ON FUNCTION vsm.stage_pace(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'How old items were when they left each wait and active stage: elapsed time from their start, over the n items finished in the '
    'window that had started when they were in the stage, each by the last time it left it; percentiles by percentile_disc. An item that is older than p85 '
    'is slower than 85 of 100 were at that point of their way. (ActionableAgile: pace percentiles.) Errors: PT404, PT422.';

CREATE FUNCTION vsm._below_step(internal, bigint[], bigint[], bigint[]) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__below_step';
COMMENT ON FUNCTION vsm._below_step(internal, bigint[], bigint[], bigint[]) IS 'Adds lists. Errors: PT422.';
CREATE FUNCTION vsm._below_counts(internal) RETURNS bigint[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__below_counts';
COMMENT ON FUNCTION vsm._below_counts(internal) IS 'The numbers below the marks.';
CREATE AGGREGATE vsm._below(list bigint[], taken bigint[], marks bigint[]) (
    SFUNC = vsm._below_step, STYPE = internal, SSPACE = 100000,
    FINALFUNC = vsm._below_counts, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._below(bigint[], bigint[], bigint[]) IS
    'How many values of the lists lie below each of the marks, which ascend and are the same in each row, and at the end how many there are; '
    'values of taken are taken away.';
