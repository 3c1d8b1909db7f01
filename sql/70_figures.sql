-- 70_figures: figures over the ledger, by the definitions of doc/reference.md
--
-- Windows are half-open, [since, until).  An infinite bound means the stream's first or last event, which is then in.
-- Each function takes a type of work item as its last argument; null: all.

CREATE TYPE vsm._duration_summary AS (
    n bigint,
    avg interval,
    p50 interval,
    p70 interval,
    p85 interval,
    p95 interval
);
CREATE FUNCTION vsm._summary_step(internal, bigint, boolean) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_step';
COMMENT ON FUNCTION vsm._summary_step(internal, bigint, boolean) IS 'Takes a duration.';
CREATE FUNCTION vsm._summary_row(internal) RETURNS vsm._duration_summary
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__summary_row';
COMMENT ON FUNCTION vsm._summary_row(internal) IS 'Sums the durations up.';
CREATE AGGREGATE vsm._summary(us bigint, exact boolean) (
    SFUNC = vsm._summary_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._summary_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._summary(bigint, boolean) IS
    'Number, average and percentiles of durations in microseconds by the rule of percentile_disc; nulls do not count. exact: '
    'found by selection, keeps 8 bytes for each; else from a sketch, within 1 percent.';

CREATE TYPE vsm._flow_sums AS (
    arrivals bigint,
    open bigint,
    started bigint,
    wip_us numeric,
    reopened bigint,
    backward_moves bigint,
    cut bigint[],
    once_done bigint[],
    lead vsm._duration_summary,
    cycle vsm._duration_summary,
    active_us numeric,
    wait_us numeric
);
CREATE FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                    integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__flow_sums_step';
COMMENT ON FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                        integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) IS 'Takes an item.';
CREATE FUNCTION vsm._flow_sums_row(internal) RETURNS vsm._flow_sums
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__flow_sums_row';
COMMENT ON FUNCTION vsm._flow_sums_row(internal) IS 'Sums the items up.';
CREATE AGGREGATE vsm._flow_sums(id bigint, stage_id bigint, created_at timestamptz, stage_entered_at timestamptz,
                                started_at timestamptz, completed_at timestamptz, active_time interval, wait_time interval,
                                reopened integer, backward_moves integer, since timestamptz, bound timestamptz,
                                wip_since timestamptz, wip_until timestamptz, less_done boolean, exact boolean) (
    SFUNC = vsm._flow_sums_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._flow_sums_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._flow_sums(bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval, interval,
                                    integer, integer, timestamptz, timestamptz, timestamptz, timestamptz, boolean, boolean) IS
    'What work items alone tell of [since, bound): arrivals; open and started now; area under the WIP curve of [wip_since, '
    'wip_until); reopenings and backward moves of items whose moves all lie in the window, and the ids of the others (cut); '
    'ids of items that were once done; lead and cycle time, active and wait time of those that finished in it (cycle time '
    'with less_done: by sum_active, else by span_first_last); exact: as vsm._summary.';

CREATE TYPE vsm._window AS (
    stream text,
    since timestamptz,
    until timestamptz,
    bound timestamptz,          -- until, but infinite when that was asked for: what a time must lie before
    time_zone text,
    reopen_rule text
);

CREATE FUNCTION vsm._window(of_stream text, since timestamptz, until timestamptz, rule text DEFAULT NULL) RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm._window;
BEGIN
    SELECT v.name, since, until, until, v.time_zone, coalesce(rule, v.reopen_rule) INTO result
    FROM vsm.value_streams v WHERE v.name = of_stream;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(of_stream, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'The streams are in vsm.value_streams; vsm.define_stream() defines one.';
    END IF;
    IF result.reopen_rule NOT IN ('span_first_last', 'span_last', 'sum_active', 'episodes') THEN
        RAISE EXCEPTION 'reopen rule "%" is not known', rule
            USING ERRCODE = 'PT422', DETAIL = 'It says how the cycle time of a reopened item counts.',
                  HINT = 'The rules are span_first_last, span_last, sum_active and episodes.';
    END IF;
    IF since IS NULL OR until IS NULL THEN
        RAISE EXCEPTION 'a window needs both bounds'
            USING ERRCODE = 'PT422', DETAIL = 'One of them is null.',
                  HINT = 'Use -infinity and infinity for the whole history.';
    END IF;
    IF since > until THEN
        RAISE EXCEPTION 'the window ends before it begins'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until), HINT = 'Exchange the bounds.';
    END IF;
    IF NOT isfinite(since) THEN
        -- no door lets older times in; one that the owner wrote past the triggers must not stretch the window
        SELECT coalesce(min(greatest(w.created_at, '1970-01-01 00:00:00+00')), least(now(), until)) INTO result.since FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    IF NOT isfinite(until) THEN
        SELECT coalesce(max(greatest(w.stage_entered_at, '1970-01-01 00:00:00+00')), greatest(now(), result.since)) INTO result.until
        FROM vsm.work_items w WHERE w.stream = of_stream;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._window(text, timestamptz, timestamptz, text) IS
    'A window of a stream with its bounds made finite. Errors: PT404 unknown stream; PT422 bounds, rule.';

-- Completions in a window by a reopen rule.  The state columns of an item have what two of the rules need; the others
-- replay the ledger.
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

CREATE FUNCTION vsm.cycle_time_days(started_at timestamptz, completed_at timestamptz, time_zone text DEFAULT 'UTC') RETURNS integer
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (completed_at AT TIME ZONE time_zone)::date - (started_at AT TIME ZONE time_zone)::date + 1;
COMMENT ON FUNCTION vsm.cycle_time_days(timestamptz, timestamptz, text) IS
    'Cycle time in days: finish date - start date + 1 in the zone, so work begun and finished on one day takes 1 day (Vacanti).';

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

CREATE FUNCTION vsm.completions(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL)
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
    'Items finished in the window, with lead time (creation to finish) and cycle time (start to finish, null when it never '
    'started): what a scatter plot shows, and any percentile: SELECT percentile_disc(ARRAY[0.5, 0.85]) WITHIN GROUP '
    '(ORDER BY cycle_time) FROM vsm.completions(...). With the rule episodes each completion is a row, and what follows one '
    'is an item of its own, created when it left done. Errors: PT404, PT422.';

CREATE FUNCTION vsm.wip_at(stream text DEFAULT 'default', at timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS TABLE (stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(wip_at.stream, wip_at.at, wip_at.at)),
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id, count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= wip_at.at
          AND (wip_at.type IS NULL OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = wip_at.type))
        GROUP BY 1, 2)
    SELECT s.name, (coalesce((SELECT sum(m.n) FROM moves m WHERE m.to_stage_id = s.id), 0)
                    - coalesce((SELECT sum(m.n) FROM moves m WHERE m.from_stage_id = s.id), 0))::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.wip_at(text, timestamptz, text) IS
    'Items in each stage at an instant, moves of that instant included, in the order of the stages, done stages too. '
    'WIP is what is not in a done stage. Errors: PT404.';

-- What is beyond is a mistyped year, and its points would be counted for ever.
CREATE FUNCTION vsm._check_series(since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF since < timestamptz '0001-01-01 00:00:00+00' OR until >= timestamptz '10000-01-01 00:00:00+00' THEN
        RAISE EXCEPTION 'the window is too long to be cut into points'
            USING ERRCODE = 'PT422', DETAIL = format('It is from %s until %s.', since, until),
                  HINT = 'Give bounds in the years 1 to 9999, or -infinity and infinity for the whole history.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._check_series(timestamptz, timestamptz) IS 'Bounds of a window that is cut into points or buckets. Errors: PT422.';

CREATE FUNCTION vsm._grid(since timestamptz, until timestamptz, step interval, time_zone text)
    RETURNS TABLE (place integer, at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._check_series(since, until);
    IF step IS NULL OR step <= '0' OR step > '10000 years'
       OR least(extract(year FROM step), extract(month FROM step), extract(day FROM step), extract(hour FROM step),
                extract(minute FROM step), extract(second FROM step)) < 0
       OR vsm._elapsed_us(since, until) / vsm._interval_us(step) > 100000 THEN
        RAISE EXCEPTION 'the step does not fit the window'
            USING ERRCODE = 'PT422', DETAIL = format('The step is %s.', coalesce(step::text, 'null')),
                  HINT = 'Give a step above zero that cuts the window into at most 100,000 points.';
    END IF;
    IF extract(day FROM step) = 0 AND extract(month FROM step) = 0 AND extract(year FROM step) = 0 THEN
        RETURN QUERY SELECT (g.ordinality - 1)::integer, g.g FROM generate_series(since, until, step) WITH ORDINALITY g;
    ELSE
        -- days and months by the calendar of the zone, each counted from the beginning
        RETURN QUERY
        SELECT p.place, p.at
        FROM (SELECT k AS place,
                     CASE WHEN k = 0 THEN since ELSE (since AT TIME ZONE time_zone + k * step) AT TIME ZONE time_zone END AS at
              FROM generate_series(0, (vsm._elapsed_us(since, until) / vsm._interval_us(step))::integer + 2) k) p
        WHERE p.at <= until ORDER BY p.place;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._grid(timestamptz, timestamptz, interval, text) IS
    'Points since, since + step, ... up to and including until. Errors: PT422.';

CREATE FUNCTION vsm.occupancy(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                              until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(occupancy.stream, occupancy.since, occupancy.until)),
    points AS MATERIALIZED (SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, occupancy.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    -- a move counts from the first point at or after it
    moves AS (
        SELECT t.from_stage_id, t.to_stage_id,
               width_bucket(t."timestamp" - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place, count(*) AS n
        FROM vsm.stage_transitions t
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (occupancy.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = occupancy.type))
        GROUP BY 1, 2, 3),
    changes AS (
        SELECT c.stage_id, c.place, sum(c.n) AS n
        FROM (SELECT m.to_stage_id AS stage_id, m.place, m.n FROM moves m
              UNION ALL
              SELECT m.from_stage_id, m.place, -m.n FROM moves m) c
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(c.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN changes c ON c.stage_id = s.id AND c.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.occupancy(text, timestamptz, timestamptz, interval, text) IS
    'Items really in each stage at since, since + step, ... until: it falls when items move on or back. Days and months of '
    'the step are the calendar''s in the stream''s zone. Errors: PT404, PT422.';

CREATE FUNCTION vsm.cumulative_flow(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(cumulative_flow.stream, cumulative_flow.since, cumulative_flow.until)),
    points AS MATERIALIZED (SELECT g.* FROM v CROSS JOIN LATERAL vsm._grid(v.since, v.until, cumulative_flow.step, v.time_zone) g),
    grid AS MATERIALIZED (SELECT array_agg(p.at ORDER BY p.place) AS points, max(p.at) AS last FROM points p),
    entered AS (
        SELECT t.work_item_id, s."order", min(t."timestamp") AS at
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.to_stage_id = s.id
        WHERE t."timestamp" <= (SELECT g.last FROM grid g)
          AND (cumulative_flow.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = cumulative_flow.type))
        GROUP BY 1, 2),
    -- from then on the item counts for this stage and those it passed by on the way
    reached AS (
        SELECT e."order", lag(e."order") OVER item AS below,
               min(e.at) OVER (PARTITION BY e.work_item_id ORDER BY e."order" ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS at
        FROM entered e
        WINDOW item AS (PARTITION BY e.work_item_id ORDER BY e."order")),
    counted AS (
        SELECT r.below, r."order", width_bucket(r.at - interval '1 microsecond', (SELECT g.points FROM grid g)) AS place, count(*) AS n
        FROM reached r GROUP BY 1, 2, 3),
    arrivals AS (
        SELECT s.id AS stage_id, c.place, sum(c.n) AS n
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN counted c ON s."order" <= c."order" AND (c.below IS NULL OR s."order" > c.below)
        GROUP BY 1, 2)
    SELECT p.at, s.name, sum(coalesce(a.n, 0)) OVER (PARTITION BY s.id ORDER BY p.place)::bigint
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    CROSS JOIN points p
    LEFT JOIN arrivals a ON a.stage_id = s.id AND a.place = p.place
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm.cumulative_flow(text, timestamptz, timestamptz, interval, text) IS
    'Cumulative flow diagram: items that have reached each stage or a later one by since, since + step, ... until. A line '
    'never falls, also when items move back (Vacanti). Errors: PT404, PT422.';

CREATE TYPE vsm.throughput_bucket AS (
    bucket date,
    items bigint
);
COMMENT ON TYPE vsm.throughput_bucket IS 'A row of vsm.throughput().';

CREATE FUNCTION vsm.throughput(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                               until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT 'day', type text DEFAULT NULL)
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
    -- the window's last instant: its end is not in it
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
    'Items finished per day, week (from Monday) or month of the stream''s zone, each at its latest completion (per completion '
    'when the stream''s rule is episodes); empty buckets have 0. bucket is the first day; the first and last may be cut by '
    'the window. Errors: PT404, PT422.';

CREATE FUNCTION vsm.time_in_stage(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                  until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS TABLE (stage text, visits bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval,
                   items bigint, avg_per_item interval, open_visits bigint, open_avg interval)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET jit = off
BEGIN ATOMIC
    WITH v AS MATERIALIZED (SELECT * FROM vsm._window(time_in_stage.stream, time_in_stage.since, time_in_stage.until)),
    closed AS (
        SELECT s.id AS stage_id, vsm._summary(vsm._interval_us(t.time_in_stage), true) AS visits,
               count(DISTINCT t.work_item_id) AS items, sum(vsm._interval_us(t.time_in_stage)) AS total_us
        FROM v JOIN vsm.stages s ON s.stream = v.stream
        JOIN vsm.stage_transitions t ON t.from_stage_id = s.id
        WHERE t."timestamp" >= time_in_stage.since AND t."timestamp" < (SELECT v.bound FROM v)
          AND (time_in_stage.type IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.type = time_in_stage.type))
        GROUP BY 1),
    open AS (
        SELECT w.stage_id, vsm._summary(vsm._elapsed_us(w.stage_entered_at, clock_timestamp()), true) AS visits
        FROM vsm.work_items w
        WHERE w.completed_at IS NULL AND w.stream = time_in_stage.stream
          AND (time_in_stage.type IS NULL OR w.type = time_in_stage.type)
        GROUP BY 1)
    SELECT s.name, coalesce((c.visits).n, 0), (c.visits).avg, (c.visits).p50, (c.visits).p70, (c.visits).p85, (c.visits).p95,
           coalesce(c.items, 0), vsm._interval(round(c.total_us / c.items)::bigint), coalesce((o.visits).n, 0), (o.visits).avg
    FROM v JOIN vsm.stages s ON s.stream = v.stream
    LEFT JOIN closed c ON c.stage_id = s.id
    LEFT JOIN open o ON o.stage_id = s.id
    ORDER BY s."order";
END;
COMMENT ON FUNCTION vsm.time_in_stage(text, timestamptz, timestamptz, text) IS
    'Elapsed time in each stage over the visits that ended in the window: per visit (avg, percentiles by percentile_disc) '
    'and summed per item (avg_per_item). open_visits and open_avg: unfinished items that are there now. Errors: PT404, PT422.';

CREATE FUNCTION vsm.flow_efficiency(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL)
    RETURNS numeric
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT sum(c.active_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0)
    FROM vsm._window(flow_efficiency.stream, flow_efficiency.since, flow_efficiency.until) v
    CROSS JOIN LATERAL vsm._completed(v.stream, flow_efficiency.since, v.bound, v.reopen_rule, flow_efficiency.type) c;
END;
COMMENT ON FUNCTION vsm.flow_efficiency(text, timestamptz, timestamptz, text) IS
    'Active time / (active + wait time) between start and finish over the items finished in the window: a ratio of sums, '
    '0 to 1; null when nothing was finished. Errors: PT404, PT422.';

CREATE TYPE vsm.aged_item AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage text,
    age interval,
    time_in_stage interval,
    age_since_creation interval
);
COMMENT ON TYPE vsm.aged_item IS 'A row of vsm.work_item_age().';

CREATE FUNCTION vsm.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL, at timestamptz DEFAULT clock_timestamp())
    RETURNS SETOF vsm.aged_item
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT w.id, w.external_id, w.title, w.type, s.name,
           vsm._interval(vsm._elapsed_us(w.started_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.stage_entered_at, work_item_age.at)),
           vsm._interval(vsm._elapsed_us(w.created_at, work_item_age.at))
    FROM vsm._window(work_item_age.stream, work_item_age.at, work_item_age.at) v
    JOIN vsm.work_items w ON w.stream = v.stream AND w.completed_at IS NULL
    JOIN vsm.stages s ON s.id = w.stage_id
    WHERE work_item_age.type IS NULL OR w.type = work_item_age.type
    ORDER BY w.started_at NULLS LAST, w.created_at, w.id;
END;
COMMENT ON FUNCTION vsm.work_item_age(text, text, timestamptz) IS
    'Unfinished items, oldest first. age: started to at (default now), null before the start; time_in_stage: in the present '
    'stage; age_since_creation. Errors: PT404.';

CREATE TYPE vsm.flow_figures AS (
    stream text,
    since timestamptz,
    until timestamptz,
    time_zone text,
    reopen_rule text,
    percentile_rule text,
    throughput bigint,
    arrivals bigint,
    wip numeric,
    wip_now bigint,
    started_wip_now bigint,
    lead_time_n bigint,
    lead_time_avg interval,
    lead_time_p50 interval,
    lead_time_p70 interval,
    lead_time_p85 interval,
    lead_time_p95 interval,
    cycle_time_n bigint,
    cycle_time_avg interval,
    cycle_time_p50 interval,
    cycle_time_p70 interval,
    cycle_time_p85 interval,
    cycle_time_p95 interval,
    flow_efficiency numeric,
    finished_never_started bigint,
    reopened bigint,
    backward_moves bigint,
    type text,
    percentile_error double precision       -- relative, at most; 0 when exact
);
COMMENT ON TYPE vsm.flow_figures IS 'The row of vsm.metrics().';

-- One look at each item gives nearly everything, however long the ledger is (src/flow.c).  The ledger is read for the items
-- that a bound of the window cuts or that were reopened, and for the reopen rules that need it.
CREATE FUNCTION vsm.metrics(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                            until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL, reopen_rule text DEFAULT NULL,
                            exact boolean DEFAULT true)
    RETURNS SETOF vsm.flow_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule);
    -- WIP is averaged up to now when the window goes on
    wip_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
    done_stages CONSTANT bigint[] := ARRAY(SELECT s.id FROM vsm.stages s WHERE s.stream = v.stream AND s.category = 'done');
    exactly CONSTANT boolean := coalesce(exact, true);
    i vsm._flow_sums;
    cut record;             -- moves in the window of items that were there before it or moved after it
    gaps numeric;           -- stays in done that a reopening ended: the item was not in progress
BEGIN
    SELECT (a.sums).* INTO i
    FROM (SELECT vsm._flow_sums(w.id, w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time,
                                w.wait_time, w.reopened, w.backward_moves, metrics.since, v.bound, v.since, wip_until,
                                v.reopen_rule = 'sum_active', exactly) AS sums
          FROM vsm.work_items w
          WHERE w.stream = v.stream AND (metrics.type IS NULL OR w.type = metrics.type)
            -- the others were finished before, and have not moved since
            AND (w.completed_at IS NULL OR w.completed_at >= metrics.since OR w.stage_entered_at >= metrics.since)) a;
    IF v.reopen_rule IN ('span_last', 'episodes') THEN
        SELECT vsm._summary(vsm._elapsed_us(c.created_at, c.completed_at), exactly), vsm._summary(c.cycle_us, exactly),
               sum(c.active_us), sum(c.wait_us)
        INTO i.lead, i.cycle, i.active_us, i.wait_us
        FROM vsm._completed(v.stream, metrics.since, v.bound, v.reopen_rule, metrics.type) c;
    END IF;
    SELECT count(*) FILTER (WHERE f.category = 'done' AND s.category <> 'done') AS reopened,
           count(*) FILTER (WHERE s."order" < f."order") AS backward_moves INTO cut
    FROM unnest(i.cut) AS w (id)
    CROSS JOIN LATERAL (
        SELECT t.from_stage_id, t.to_stage_id FROM vsm.stage_transitions t
        WHERE t.work_item_id = w.id AND t."timestamp" >= metrics.since AND t."timestamp" < v.bound OFFSET 0) t
    JOIN vsm.stages f ON f.id = t.from_stage_id
    JOIN vsm.stages s ON s.id = t.to_stage_id;
    SELECT sum(vsm._elapsed_us(greatest(t.entered_at, v.since), least(t."timestamp", wip_until))) INTO gaps
    FROM unnest(i.once_done) AS w (id)
    CROSS JOIN LATERAL (
        SELECT t."timestamp", vsm._entered_at(t."timestamp", t.time_in_stage) AS entered_at
        FROM vsm.stage_transitions t JOIN vsm.work_items d ON d.id = t.work_item_id
        WHERE t.work_item_id = w.id AND t.from_stage_id = ANY (done_stages) AND t."timestamp" > v.since
          AND (d.completed_at IS NULL OR t."timestamp" <= d.completed_at) OFFSET 0) t
    WHERE t.entered_at < wip_until;

    RETURN QUERY
    SELECT v.stream, v.since, v.until, v.time_zone, v.reopen_rule, 'percentile_disc',
           coalesce((i.lead).n, 0), coalesce(i.arrivals, 0),
           (coalesce(i.wip_us, 0) - coalesce(gaps, 0)) / nullif(vsm._elapsed_us(v.since, wip_until), 0),
           coalesce(i.open, 0), coalesce(i.started, 0),
           coalesce((i.lead).n, 0), (i.lead).avg, (i.lead).p50, (i.lead).p70, (i.lead).p85, (i.lead).p95,
           coalesce((i.cycle).n, 0), (i.cycle).avg, (i.cycle).p50, (i.cycle).p70, (i.cycle).p85, (i.cycle).p95,
           i.active_us / nullif(i.active_us + i.wait_us, 0), coalesce((i.lead).n - (i.cycle).n, 0),
           coalesce(i.reopened, 0) + cut.reopened, coalesce(i.backward_moves, 0) + cut.backward_moves, metrics.type,
           CASE WHEN exactly THEN 0::double precision ELSE 0.01::double precision END;
END $$;
COMMENT ON FUNCTION vsm.metrics(text, timestamptz, timestamptz, text, text, boolean) IS
    'Every flow figure of a window, one row. throughput: items finished in it, each at its latest completion; arrivals: '
    'created in it; wip: time-weighted average (up to now when until lies ahead); wip_now and started_wip_now: at this moment; '
    'lead_time: creation to finish, cycle_time: start to finish by the reopen rule, of the items finished in it; percentiles '
    'by percentile_disc, from a sketch unless exact, and then within percentile_error; flow_efficiency: active / (active + '
    'wait), 0 to 1; finished_never_started: finished without a cycle time; reopened, backward_moves: moves in the window. '
    'reopen_rule: null, the stream''s. Errors: PT404, PT422.';
