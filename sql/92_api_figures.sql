-- 92_api_figures: figures as the documents that clients get

CREATE FUNCTION vsm_api.metrics(days integer DEFAULT 7, stream text DEFAULT 'default', type text DEFAULT NULL,
                                since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, exact boolean DEFAULT true) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
    ends CONSTANT timestamptz := coalesce(until, clock_timestamp());
    begins timestamptz;
BEGIN
    IF days NOT BETWEEN 1 AND 90 THEN
        RAISE EXCEPTION 'the number of days is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'days', DETAIL = format('It is %s.', days), HINT = 'Give a number from 1 to 90.';
    END IF;
    begins := coalesce(since, ends - make_interval(hours => 24 * coalesce(days, 7)));
    RETURN (SELECT row_to_json(r)
            FROM (SELECT m.throughput, round(m.wip, 2) AS wip, vsm._hours(m.cycle_time_avg) AS cycle_time_avg,
                         vsm._hours(m.cycle_time_p50) AS cycle_time_p50, vsm._hours(m.cycle_time_p85) AS cycle_time_p85,
                         vsm._hours(m.cycle_time_p95) AS cycle_time_p95,
                         vsm._rfc3339(m.since) AS period_start, vsm._rfc3339(m.until) AS period_end,
                         vsm._hours(m.lead_time_avg) AS lead_time_avg, vsm._hours(m.lead_time_p50) AS lead_time_p50,
                         vsm._hours(m.lead_time_p85) AS lead_time_p85, vsm._hours(m.lead_time_p95) AS lead_time_p95,
                         round(m.flow_efficiency, 4) AS flow_efficiency, m.arrivals, m.wip_now, m.started_wip_now,
                         m.lead_time_n, m.cycle_time_n, m.finished_never_started, m.reopened, m.backward_moves,
                         m.stream, m.type, m.time_zone, m.reopen_rule AS rule, m.percentile_rule, m.percentile_error
                  FROM vsm.metrics(of_stream, begins, ends, metrics.type, NULL, metrics.exact) m) r);
END $$;
COMMENT ON FUNCTION vsm_api.metrics(integer, text, text, timestamptz, timestamptz, boolean) IS
    'Every flow figure of the last days (1 to 90, of 24 hours) up to until, or of since to until: times in hours to two decimals, '
    'wip the average over the window. rule: how reopened items count; percentile_error: 0, or that of a sketch unless exact. '
    'Errors: PT404 stream; PT422 days, window.';

CREATE FUNCTION vsm_api.wip(stream text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF stream IS NOT NULL THEN
        PERFORM vsm._known_stream(stream);
    END IF;
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT w.stream, w.stage, w."order", w.category, w.wip, w.wip_limit, w.source
              FROM vsm.wip w WHERE wip.stream IS NULL OR w.stream = wip.stream
              ORDER BY w.stream COLLATE "C", w."order") r));
END $$;
COMMENT ON FUNCTION vsm_api.wip(text) IS
    'Unfinished work items in each stage that is not done, now, with its limit; of one stream or all. Errors: PT404 stream.';

-- A window without bounds is the last 30 days.
CREATE FUNCTION vsm._shown_window(stream text, since timestamptz, until timestamptz) RETURNS vsm._window
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ends CONSTANT timestamptz := coalesce(until, clock_timestamp());
BEGIN
    RETURN vsm._window(vsm._known_stream(stream), coalesce(since, ends - interval '720 hours'), ends);
END $$;
COMMENT ON FUNCTION vsm._shown_window(text, timestamptz, timestamptz) IS
    'A window of a stream with finite bounds; by default the last 30 days. Errors: PT404, PT422.';

-- The shape of both diagrams over time.
CREATE FUNCTION vsm._lines_shown(cumulative boolean, stream text, since timestamptz, until timestamptz, step interval, type text) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
    every CONSTANT interval := coalesce(step, '1 day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS stages,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT vsm._rfc3339(l.at) AS at, array_agg(l.items ORDER BY l.ordinality) AS values
                                     FROM (SELECT * FROM vsm.cumulative_flow(v.stream, v.since, v.until, every, _lines_shown.type)
                                                    WITH ORDINALITY WHERE cumulative
                                           UNION ALL
                                           SELECT * FROM vsm.occupancy(v.stream, v.since, v.until, every, _lines_shown.type)
                                                    WITH ORDINALITY WHERE NOT cumulative) l
                                     GROUP BY l.at ORDER BY l.at) p) AS points) r);
END $$;
COMMENT ON FUNCTION vsm._lines_shown(boolean, text, timestamptz, timestamptz, interval, text) IS
    'The answer of vsm_api.cumulative_flow() or occupancy(). Errors: PT404, PT422.';

CREATE FUNCTION vsm_api.cumulative_flow(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                        step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._lines_shown(true, stream, since, until, step, type);
COMMENT ON FUNCTION vsm_api.cumulative_flow(text, timestamptz, timestamptz, interval, text) IS
    'Cumulative flow diagram: at each point, for each stage in order, the items that have got there or further. Lines never fall. '
    'By default the last 30 days. Errors: PT404 stream; PT422 window or step.';

CREATE FUNCTION vsm_api.occupancy(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                  step interval DEFAULT '1 day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._lines_shown(false, stream, since, until, step, type);
COMMENT ON FUNCTION vsm_api.occupancy(text, timestamptz, timestamptz, interval, text) IS
    'At each point, for each stage in order, the items that are in it. By default the last 30 days. Errors: PT404 stream; PT422 '
    'window or step.';

CREATE FUNCTION vsm_api.throughput(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                   step text DEFAULT 'day', type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
    every CONSTANT text := coalesce(step, 'day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, every AS step, throughput.type,
                         v.time_zone, v.reopen_rule AS rule,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT t.bucket AS start, t.items AS throughput
                                     FROM vsm.throughput(v.stream, v.since, v.bound, every, throughput.type) t ORDER BY t.bucket) b) AS buckets) r);
END $$;
COMMENT ON FUNCTION vsm_api.throughput(text, timestamptz, timestamptz, text, text) IS
    'Items finished per day, week (from Monday) or month of the stream''s time zone. start: the first day; the first and last may be '
    'cut by the window, by default the last 30 days. Errors: PT404 stream; PT422 window or step.';

CREATE FUNCTION vsm_api.time_in_stage(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                      type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT t.stage, t.visits, vsm._hours(t.avg) AS avg, vsm._hours(t.p50) AS p50, vsm._hours(t.p85) AS p85,
                     vsm._hours(t.p95) AS p95, round(vsm._interval_us(t.avg) / 3600000000.0 * t.visits, 2) AS total,
                     t.items, vsm._hours(t.avg_per_item) AS avg_per_item, t.open_visits, vsm._hours(t.open_avg) AS open_avg
              FROM vsm.time_in_stage(v.stream, v.since, v.bound, time_in_stage.type) WITH ORDINALITY t
              ORDER BY t.ordinality) r));
END $$;
COMMENT ON FUNCTION vsm_api.time_in_stage(text, timestamptz, timestamptz, text) IS
    'Hours in each stage over the visits that ended in the window, by default the last 30 days: per visit, in total and per item; '
    'open_visits: items that are there now. Errors: PT404 stream; PT422 window.';

CREATE FUNCTION vsm_api.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL, "limit" integer DEFAULT 500) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
BEGIN
    PERFORM vsm._check_limit("limit", 5000);
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT a.work_item_id AS id, a.external_id, a.title, a.type, a.stage, vsm._hours(a.age) AS age_hours,
                     vsm._hours(a.time_in_stage) AS time_in_stage_hours, vsm._hours(a.age_since_creation) AS age_since_creation_hours
              FROM vsm.work_item_age(of_stream, work_item_age.type) WITH ORDINALITY a
              ORDER BY a.ordinality LIMIT coalesce(work_item_age."limit", 500)) r));
END $$;
COMMENT ON FUNCTION vsm_api.work_item_age(text, text, integer) IS
    'The oldest unfinished items, at most limit (1 to 5000), with their age since they were started; null: not started. '
    'Errors: PT404 stream; PT422 limit.';

CREATE FUNCTION vsm_api.flow_efficiency(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                        type text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT round(vsm.flow_efficiency(v.stream, v.since, v.bound, flow_efficiency.type), 4) AS flow_efficiency,
                         round(sum(c.active_us) / 3600000000.0, 2) AS active_hours, round(sum(c.wait_us) / 3600000000.0, 2) AS wait_hours,
                         count(*) AS n, v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, flow_efficiency.type,
                         v.reopen_rule AS rule
                  FROM vsm._completed(v.stream_id, v.since, v.bound, v.reopen_rule, flow_efficiency.type, NULL, NULL) c) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_efficiency(text, timestamptz, timestamptz, text) IS
    'Active time / (active + wait time) between start and finish of the n items finished in the window, by default the last 30 '
    'days: a ratio of sums, 0 to 1. Errors: PT404 stream; PT422 window.';

CREATE FUNCTION vsm_api.cycle_times(stream text DEFAULT 'default', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
                                    type text DEFAULT NULL, "limit" integer DEFAULT 5000)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._shown_window(stream, since, until);
BEGIN
    PERFORM vsm._check_limit("limit", 50000);
    RETURN (WITH done AS MATERIALIZED (
                SELECT * FROM vsm.completions(v.stream, v.since, v.bound, cycle_times.type) WITH ORDINALITY),
            summary AS (
                SELECT vsm._summary(vsm._interval_us(d.cycle_time), true) AS s FROM done d),
            latest AS (
                SELECT * FROM done d ORDER BY d.ordinality DESC LIMIT coalesce(cycle_times."limit", 5000))
            SELECT row_to_json(r)
            FROM (SELECT vsm._hours((m.s).p50) AS p50, vsm._hours((m.s).p85) AS p85, vsm._hours((m.s).p95) AS p95, (m.s).n,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT l.work_item_id AS id, l.title, l.type, vsm._rfc3339(l.completed_at) AS completed_at,
                                            vsm._hours(l.cycle_time) AS cycle_time_hours, vsm._hours(l.lead_time) AS lead_time_hours
                                     FROM latest l ORDER BY l.ordinality) p) AS points
                  FROM summary m) r);
END $$;
COMMENT ON FUNCTION vsm_api.cycle_times(text, timestamptz, timestamptz, text, integer) IS
    'Percentiles of the cycle time, in hours, of the n items that were started and finished in the window, by default the last 30 '
    'days, and the latest finished items, at most limit (1 to 50000), as points for a scatter plot. Errors: PT404 stream; PT422 '
    'window or limit.';

CREATE FUNCTION vsm_api.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default',
                                 type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines CONSTANT vsm.forecast_line[] := ARRAY(
        SELECT f FROM vsm.forecast(items, until, vsm._known_stream(stream), type, coalesce(history_days, 90), coalesce(seed, 1)) f);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT CASE WHEN forecast.items IS NOT NULL THEN (
                             SELECT row_to_json(w)
                             FROM (SELECT forecast.items, ARRAY(
                                       SELECT row_to_json(a) FROM (SELECT l.confidence, l.done_on FROM unnest(lines) l) a) AS at) w) END AS "when",
                         CASE WHEN forecast.until IS NOT NULL THEN (
                             SELECT row_to_json(h)
                             FROM (SELECT forecast.until, ARRAY(
                                       SELECT row_to_json(a) FROM (SELECT l.confidence, l.items_done AS items FROM unnest(lines) l) a) AS at) h) END AS how_many,
                         b.stream, forecast.type, b.time_zone, b.since AS history_since, b.until AS history_until,
                         b.days_with_throughput, b.finished, b.trials, b.seed
                  FROM unnest(lines[1:1]) b) r);
END $$;
COMMENT ON FUNCTION vsm_api.forecast(integer, date, text, text, integer, bigint) IS
    'When that many items will be done (when) and how many will be by the end of a day (how_many), at 50, 70, 85 and 95 % confidence: '
    'Monte Carlo over the stream''s daily throughput of the last history_days. done_on null: not within ten years. The same history '
    'and seed give the same forecast. Errors: PT404 stream; PT422 arguments, fewer than 5 days with throughput.';
