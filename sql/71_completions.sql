-- 71_completions: what was finished in a window, one by one, per day and as a ratio of times

-- The columns of an item have what two of the reopen rules need; the other rules replay the ledger.
CREATE FUNCTION vsm._completed(of_stream text, since timestamptz, bound timestamptz, rule text, of_type text)
    RETURNS TABLE (work_item_id bigint, created_at timestamptz, started_at timestamptz, completed_at timestamptz,
                   cycle_us bigint, active_us bigint, wait_us bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.created_at, w.started_at, w.completed_at,
           CASE WHEN rule = 'span_first_last' THEN vsm._elapsed_us(w.started_at, w.completed_at)
                WHEN w.started_at IS NOT NULL THEN vsm._interval_us(w.active_time) + vsm._interval_us(w.wait_time) END,
           vsm._interval_us(w.active_time), vsm._interval_us(w.wait_time)
    FROM vsm.work_items w
    WHERE rule IN ('span_first_last', 'sum_active')
      AND w.stream = of_stream AND w.completed_at >= since AND w.completed_at < bound
      AND (of_type IS NULL OR w.type = of_type)
    UNION ALL
    SELECT m.work_item_id, c.created_at, c.started_at, c.completed_at, c.cycle_us, c.active_us, c.wait_us
    FROM (SELECT t.work_item_id, vsm._completions(t.to_stage_id, t."timestamp", t.id, rule) AS completions
          FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id
          WHERE w.stream = of_stream AND (of_type IS NULL OR w.type = of_type)
            AND (w.completed_at >= since AND w.completed_at < bound OR rule = 'episodes' AND w.reopened > 0)
          GROUP BY 1) m
    CROSS JOIN LATERAL unnest(m.completions) c
    WHERE rule IN ('span_last', 'episodes') AND c.completed_at >= since AND c.completed_at < bound;
END;
COMMENT ON FUNCTION vsm._completed(text, timestamptz, timestamptz, text, text) IS
    'Completions in [since, bound) by a reopen rule; durations in microseconds, cycle_us null when never started.';

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
                                reopen_rule text DEFAULT NULL)
    RETURNS SETOF vsm.completion
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.external_id, w.title, w.type, c.created_at, c.started_at, c.completed_at,
           vsm._interval(vsm._elapsed_us(c.created_at, c.completed_at)), vsm._interval(c.cycle_us),
           vsm.cycle_time_days(c.started_at, c.completed_at, v.time_zone)
    FROM vsm._window(completions.stream, completions.since, completions.until, completions.reopen_rule) v
    CROSS JOIN LATERAL vsm._completed(v.stream, completions.since, v.bound, v.reopen_rule, completions.type) c
    JOIN vsm.work_items w ON w.id = c.work_item_id
    ORDER BY c.completed_at, w.id;
END;
COMMENT ON FUNCTION vsm.completions(text, timestamptz, timestamptz, text, text) IS
    'Items finished in the window, with lead time (creation to finish) and cycle time (start to finish, null when '
    'the item never started): for scatter plots, and for any percentile: SELECT vsm.percentiles(cycle_time, ''{0.5, '
    '0.85}'') FROM vsm.completions(...). With the rule episodes each completion is a row, and an item that was '
    'reopened counts as a new item, created when it left done. Errors: PT404, PT422.';

CREATE TYPE vsm.throughput_bucket AS (
    bucket date,
    items bigint
);
COMMENT ON TYPE vsm.throughput_bucket IS 'A row of vsm.throughput().';

CREATE FUNCTION vsm.throughput(stream text DEFAULT 'default',
                               since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day',
                               type text DEFAULT NULL)
    RETURNS SETOF vsm.throughput_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until);
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
               FROM vsm._completed(v.stream, since, v.bound, v.reopen_rule, type) c GROUP BY 1) n USING (b)
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION vsm.throughput(text, timestamptz, timestamptz, text, text) IS
    'Items finished per day, week (from Monday) or month of the stream''s zone, each at its latest completion (at '
    'each completion when the stream''s rule is episodes); empty buckets have 0. bucket is the first day; the '
    'window may cut the first bucket and the last. Errors: PT404, PT422.';

CREATE FUNCTION vsm.flow_efficiency(stream text DEFAULT 'default',
                                    since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS numeric
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT sum(c.active_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0)
    FROM vsm._window(flow_efficiency.stream, flow_efficiency.since, flow_efficiency.until) v
    CROSS JOIN LATERAL vsm._completed(v.stream, flow_efficiency.since, v.bound, v.reopen_rule, flow_efficiency.type) c;
END;
COMMENT ON FUNCTION vsm.flow_efficiency(text, timestamptz, timestamptz, text) IS
    'Active time / (active + wait time) between start and finish over the items finished in the window: a ratio of '
    'sums, 0 to 1; null when nothing was finished. Errors: PT404, PT422.';
