-- 72_completions: what was finished in a window, one by one, per day and as a ratio of times

-- Two of the reopen rules need only what the ledger has with the move that finishes an item; for the others, the moves of
-- the items that finish are replayed.  A completion is undone by the first move after it that leaves done.
CREATE FUNCTION vsm._all_completed(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                                   known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, created_at timestamptz, started_at timestamptz,
                   completed_at timestamptz, cycle_us bigint, active_us bigint, wait_us bigint, undone_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH known AS MATERIALIZED (
        SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _all_completed.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound),
    finishing AS (
        SELECT m.* FROM vsm._moves(of_stream_id, _all_completed.since, bound, of_type, _all_completed.attributes, NULL) m
        WHERE known_at IS NULL AND m.item_created_at IS NOT NULL
        UNION ALL
        SELECT k.* FROM known k WHERE k.item_created_at IS NOT NULL AND k."timestamp" >= _all_completed.since),
    leaving AS (
        SELECT l.work_item_id, l.undoes, array_agg(l.at ORDER BY l.at, l.id) AS at, array_agg(l.id ORDER BY l.at, l.id) AS id
        FROM (SELECT t.work_item_id, t.undoes, t."timestamp" AS at, t.id FROM vsm.stage_transitions t
              WHERE known_at IS NULL AND t.stream_id = of_stream_id AND t.undoes >= _all_completed.since
                AND t."timestamp" >= _all_completed.since AND t."timestamp" < bound
              UNION ALL
              SELECT k.work_item_id, k.undoes, k."timestamp", k.id FROM known k WHERE k.undoes >= _all_completed.since) l
        GROUP BY 1, 2)
    SELECT f.work_item_id, f.external_id, f.type, f.title, f.item_created_at, f.item_started_at, f."timestamp",
           CASE WHEN rule = 'span_first_last' THEN vsm._elapsed_us(f.item_started_at, f."timestamp")
                WHEN f.item_started_at IS NOT NULL THEN vsm._interval_us(f.active_time) + vsm._interval_us(f.wait_time) END,
           vsm._interval_us(f.active_time), vsm._interval_us(f.wait_time),
           CASE WHEN l.undoes IS NOT NULL THEN (
               SELECT u.at FROM unnest(l.at, l.id) u (at, id) WHERE (u.at, u.id) > (f."timestamp", f.id) ORDER BY u.at, u.id LIMIT 1) END
    FROM finishing f LEFT JOIN leaving l ON l.work_item_id = f.work_item_id AND l.undoes = f."timestamp"
    WHERE rule IN ('span_first_last', 'sum_active')
    UNION ALL
    SELECT m.work_item_id, m.external_id, m.type, m.title, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us,
           c.undone_at
    FROM (SELECT h.work_item_id, max(h.external_id) AS external_id, max(h.type) AS type, max(h.title) AS title,
                 vsm._completions(h.to_stage_id, h."timestamp", h.id, rule) AS completions
          FROM (SELECT t.work_item_id, NULL::text AS external_id, NULL::text AS type, NULL::text AS title, t.to_stage_id, t."timestamp", t.id
                FROM (SELECT DISTINCT f.work_item_id FROM finishing f) i
                JOIN vsm.stage_transitions t ON t.work_item_id = i.work_item_id
                WHERE known_at IS NULL AND t."timestamp" < bound
                UNION ALL
                SELECT k.work_item_id, k.external_id, k.type, k.title, k.to_stage_id, k."timestamp", k.id FROM known k) h
          GROUP BY 1) m
    CROSS JOIN LATERAL unnest(m.completions) c
    WHERE rule IN ('span_last', 'sum_started', 'episodes') AND c.completed_at >= _all_completed.since AND c.completed_at < bound;
END;
COMMENT ON FUNCTION vsm._all_completed(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'Every completion in [since, bound) by a reopen rule, as it was then; durations in microseconds, cycle_us null when never '
    'started. undone_at: when the item left done again before bound.';

CREATE FUNCTION vsm._completed(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                               known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, created_at timestamptz, started_at timestamptz,
                   completed_at timestamptz, cycle_us bigint, active_us bigint, wait_us bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT c.work_item_id, c.external_id, c.type, c.title, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us
    FROM vsm._all_completed(of_stream_id, _completed.since, bound, rule, of_type, _completed.attributes, known_at) c
    WHERE rule = 'episodes' OR c.undone_at IS NULL;
END;
COMMENT ON FUNCTION vsm._completed(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'The completions in [since, bound) that count: those of items that are finished at bound, or by the rule episodes all.';

CREATE FUNCTION vsm.cycle_time_days(started_at timestamptz, completed_at timestamptz, time_zone text DEFAULT 'UTC')
    RETURNS integer
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (completed_at AT TIME ZONE time_zone)::date - (started_at AT TIME ZONE time_zone)::date + 1;
COMMENT ON FUNCTION vsm.cycle_time_days(timestamptz, timestamptz, text) IS
    'Cycle time in days: finish date - start date + 1 in the zone, so work begun and finished on one day takes 1 day '
    '(Vacanti).';

CREATE TYPE vsm.completion AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    created_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    lead_time interval,
    cycle_time interval,
    cycle_time_days integer
);
COMMENT ON TYPE vsm.completion IS 'A row of vsm.completions().';

CREATE FUNCTION vsm.completions(stream text DEFAULT 'default',
                                since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.completion
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT c.work_item_id, coalesce(c.external_id, w.external_id), coalesce(c.title, w.title), coalesce(c.type, w.type), c.created_at, c.started_at,
           c.completed_at, vsm._interval(vsm._elapsed_us(c.created_at, c.completed_at)), vsm._interval(c.cycle_us),
           vsm.cycle_time_days(c.started_at, c.completed_at, v.time_zone)
    FROM vsm._window(completions.stream, completions.since, completions.until, completions.reopen_rule, completions.type,
                     completions.attributes, completions.known_at) v
    CROSS JOIN LATERAL vsm._completed(v.stream_id, completions.since, v.bound, v.reopen_rule, completions.type, completions.attributes,
                                      completions.known_at) c
    LEFT JOIN vsm.work_items w ON w.id = c.work_item_id AND completions.known_at IS NULL
    -- by the rule episodes an item may have two completions at one instant
    ORDER BY c.completed_at, c.work_item_id, c.created_at, c.started_at;
END;
COMMENT ON FUNCTION vsm.completions(text, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'Items that are finished at the window''s end, at their latest completion, if it lies in the window, with lead time (creation to finish) and cycle time (start to finish, null when '
    'the item never started): for scatter plots, and for any percentile: SELECT vsm.percentiles(cycle_time, ''{0.5, '
    '0.85}'') FROM vsm.completions(...). With the rule episodes each completion is a row, and an item that was '
    'reopened counts as a new item, created when it left done. known_at: as it was known then; the title of an item that has been '
    'deleted since is null. Errors: PT404, PT422.';

CREATE TYPE vsm.throughput_bucket AS (
    bucket date,
    items bigint
);
COMMENT ON TYPE vsm.throughput_bucket IS 'A row of vsm.throughput().';

CREATE FUNCTION vsm.throughput(stream text DEFAULT 'default',
                               since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day',
                               type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                               known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.throughput_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    first timestamp;
    last timestamp;
BEGIN
    IF bucket IS NULL OR bucket NOT IN ('day', 'week', 'month') THEN
        RAISE EXCEPTION 'bucket cannot be "%"', bucket
            USING ERRCODE = 'PT422', DETAIL = 'Throughput is counted per calendar unit.',
                  HINT = 'Give day, week (from Monday) or month.';
    END IF;
    PERFORM vsm._check_series(v.since, v.until);
    first := date_trunc(bucket, v.since AT TIME ZONE v.time_zone);
    -- the last instant of the window: its end is not in it
    last := (CASE WHEN isfinite(v.bound) AND v.until > v.since THEN v.until - interval '1 microsecond' ELSE v.until END)
            AT TIME ZONE v.time_zone;
    IF last > first + 100000 * ('1 ' || bucket)::interval THEN
        RAISE EXCEPTION 'the window has too many buckets'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', v.since, v.until),
                  HINT = 'Give a window of at most 100,000 buckets, or -infinity and infinity for the whole history.';
    END IF;
    RETURN QUERY
    SELECT b.b::date, coalesce(n.items, 0)
    FROM generate_series(first, last, ('1 ' || bucket)::interval) b
    LEFT JOIN (SELECT date_trunc(bucket, c.completed_at AT TIME ZONE v.time_zone) AS b, count(*) AS items
               FROM vsm._completed(v.stream_id, since, v.bound, v.reopen_rule, type, attributes, known_at) c GROUP BY 1) n USING (b)
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION vsm.throughput(text, timestamptz, timestamptz, text, text, text, jsonb, timestamptz) IS
    'Items that are finished at the window''s end, by the day, week (from Monday) or month of the stream''s zone in which their latest '
    'completion lies (by the rule episodes: every completion); the buckets sum to the window''s throughput; empty buckets have 0. bucket is the first day; the '
    'window may cut the first bucket and the last. Errors: PT404, PT422.';

CREATE FUNCTION vsm.flow_efficiency(stream text DEFAULT 'default',
                                    since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                    reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                    known_at timestamptz DEFAULT NULL)
    RETURNS numeric
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT sum(c.active_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0)
    FROM vsm._window(flow_efficiency.stream, flow_efficiency.since, flow_efficiency.until, flow_efficiency.reopen_rule,
                     flow_efficiency.type, flow_efficiency.attributes, flow_efficiency.known_at) v
    CROSS JOIN LATERAL vsm._completed(v.stream_id, flow_efficiency.since, v.bound, v.reopen_rule, flow_efficiency.type,
                                      flow_efficiency.attributes, flow_efficiency.known_at) c;
END;
COMMENT ON FUNCTION vsm.flow_efficiency(text, timestamptz, timestamptz, text, text, jsonb, timestamptz) IS
    'Active time / (active + wait time) between start and finish over the items finished in the window: a ratio of '
    'sums, 0 to 1; null when nothing was finished. Errors: PT404, PT422.';
