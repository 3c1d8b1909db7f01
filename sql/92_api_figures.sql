-- 92_api_figures: figures as the documents that clients get
--
-- Times are texts, so that a bare date can mean midnight in the time zone of the stream.

CREATE FUNCTION vsm._instant(value text, time_zone text, parameter text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD'
AS $$
BEGIN
    IF value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
        RETURN value::date::timestamp AT TIME ZONE time_zone;
    END IF;
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION '% is not a time', parameter
        USING ERRCODE = 'PT422', COLUMN = parameter, DETAIL = format('The value given is "%s".', left(value, 100)),
              HINT = 'For example 2026-01-31, which is midnight in the time zone of the stream, or 2026-01-31T09:00:00Z.';
END $$;
COMMENT ON FUNCTION vsm._instant(text, text, text) IS
    'A text as a time: a bare date is midnight in a zone; a time without a zone is in UTC. parameter: its name in an error. Errors: PT422.';

CREATE FUNCTION vsm._fractions(percentiles double precision[]) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF array_ndims(percentiles) > 1 OR cardinality(percentiles) > 20
       OR EXISTS (SELECT FROM unnest(percentiles) p WHERE NOT coalesce(p >= 1 AND p < 100, false)) THEN
        RAISE EXCEPTION 'the percentiles are out of range'
            USING ERRCODE = 'PT422', COLUMN = 'percentiles', DETAIL = format('They are %s.', left(percentiles::text, 100)),
                  HINT = 'Give at most 20 numbers in percent, from 1 to below 100, such as 50,85,95.';
    END IF;
    RETURN ARRAY(SELECT p.value / 100 FROM unnest(percentiles) WITH ORDINALITY p (value, place) ORDER BY p.place);
END $$;
COMMENT ON FUNCTION vsm._fractions(double precision[]) IS 'Percentiles in percent as fractions; empty when null. Errors: PT422.';

-- What a client asked for.
CREATE TYPE vsm._asked AS (
    stream text,
    time_zone text,
    reopen_rule text,
    since timestamptz,
    until timestamptz,
    type text,
    attributes jsonb,
    known_at timestamptz
);

CREATE FUNCTION vsm._asked(stream text, since text, until text, default_hours integer, reopen_rule text, type text, attributes jsonb,
                           known_at text)
    RETURNS vsm._asked
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm._asked;
    v vsm._window;
BEGIN
    SELECT s.name, s.time_zone INTO result.stream, result.time_zone
    FROM vsm.value_streams s WHERE s.name = vsm._known_stream(_asked.stream);
    result.until := coalesce(vsm._instant(_asked.until, result.time_zone, CASE default_hours WHEN 0 THEN 'at' ELSE 'until' END), clock_timestamp());
    result.since := coalesce(vsm._instant(_asked.since, result.time_zone, 'since'), result.until - make_interval(hours => default_hours));
    result.known_at := vsm._instant(_asked.known_at, result.time_zone, 'known_at');
    v := vsm._window(result.stream, result.since, result.until, _asked.reopen_rule, vsm._sought(_asked.type), _asked.attributes, result.known_at);
    result.reopen_rule := v.reopen_rule;
    result.type := vsm._sought(_asked.type);
    result.attributes := _asked.attributes;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._asked(text, text, text, integer, text, text, jsonb, text) IS
    'The arguments of a figure, checked; without since it begins default_hours before its end, which is now without until. '
    '0 hours: it is a figure of an instant, which its caller calls at. Errors: PT404 stream; PT422 window, rule, type, attributes, known_at.';

-- The bounds as the answer shows them: an infinite one is the first or last event.
CREATE FUNCTION vsm._window_asked(a vsm._asked) RETURNS vsm._window
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN vsm._window(a.stream, a.since, a.until, a.reopen_rule, NULL, NULL, a.known_at);
COMMENT ON FUNCTION vsm._window_asked(vsm._asked) IS 'The window of a figure, with finite bounds.';

CREATE FUNCTION vsm_api.metrics(days integer DEFAULT 7, stream text DEFAULT 'default', type text DEFAULT NULL,
                                since text DEFAULT NULL, until text DEFAULT NULL, exact boolean DEFAULT true, reopen_rule text DEFAULT NULL,
                                attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL, percentiles double precision[] DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fractions CONSTANT double precision[] := vsm._fractions(percentiles);
    a vsm._asked;
BEGIN
    IF days NOT BETWEEN 1 AND 90 THEN
        RAISE EXCEPTION 'the number of days is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'days', DETAIL = format('It is %s.', days), HINT = 'Give a number from 1 to 90.';
    END IF;
    a := vsm._asked(stream, since, until, 24 * coalesce(days, 7), reopen_rule, type, attributes, known_at);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT m.throughput, round(m.wip, 2) AS wip, vsm._hours(m.cycle_time_avg) AS cycle_time_avg,
                         vsm._hours(m.cycle_time_p50) AS cycle_time_p50, vsm._hours(m.cycle_time_p85) AS cycle_time_p85,
                         vsm._hours(m.cycle_time_p95) AS cycle_time_p95,
                         vsm._rfc3339(m.since) AS period_start, vsm._rfc3339(m.until) AS period_end,
                         vsm._hours(m.lead_time_avg) AS lead_time_avg, vsm._hours(m.lead_time_p50) AS lead_time_p50,
                         vsm._hours(m.lead_time_p85) AS lead_time_p85, vsm._hours(m.lead_time_p95) AS lead_time_p95,
                         round(m.flow_efficiency, 4) AS flow_efficiency, m.arrivals, m.departures, m.returns, m.discarded,
                         round(m.started_wip, 2) AS started_wip, m.wip_now, m.started_wip_now,
                         m.open_at_since, m.open_at_until, m.started_at_since, m.started_at_until,
                         m.lead_time_n, m.cycle_time_n, m.finished_never_started, m.reopened, m.backward_moves,
                         m.stream, m.type, m.time_zone, m.reopen_rule, m.percentile_rule, m.percentile_error,
                         vsm._rfc3339(m.since) AS since, vsm._rfc3339(m.until) AS until, m.attributes,
                         vsm._rfc3339(m.known_at) AS known_at,
                         CASE WHEN cardinality(fractions) > 0 THEN (
                             SELECT ARRAY(SELECT row_to_json(x)
                                          FROM (SELECT metrics.percentiles[p] AS percentile, vsm._hours(f.cycle[p]) AS cycle_time,
                                                       vsm._hours(f.lead[p]) AS lead_time
                                                FROM generate_subscripts(fractions, 1) p ORDER BY p) x)
                             FROM (SELECT vsm.percentiles(c.cycle_time, fractions) AS cycle, vsm.percentiles(c.lead_time, fractions) AS lead
                                   FROM vsm.completions(a.stream, a.since, a.until, a.type, a.reopen_rule, a.attributes, a.known_at) c) f
                         ) END AS percentiles
                  FROM vsm.metrics(a.stream, a.since, a.until, a.type, a.reopen_rule, metrics.exact, a.attributes, a.known_at) m) r);
END $$;
COMMENT ON FUNCTION vsm_api.metrics(integer, text, text, text, text, boolean, text, jsonb, text, double precision[]) IS
    'Every flow figure of the last days (1 to 90, of 24 hours) up to until, or of since to until, as of until: times in hours to two '
    'decimals, wip and started_wip averages over the window. percentiles: further ones, in percent; percentile_error: 0, or that of a '
    'sketch unless exact. known_at: as it was known then. The answer names what was asked for. Errors: PT404 stream; PT422 days, '
    'window, rule, type, attributes, known_at, percentiles.';

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
              FROM vsm.wip w WHERE wip.stream IS NULL OR w.stream = vsm._sought(wip.stream)
              ORDER BY w.stream COLLATE "C", w."order") r));
END $$;
COMMENT ON FUNCTION vsm_api.wip(text) IS
    'Work items in progress (neither finished nor discarded) in each wait and active stage, now, with its limit; of one stream or '
    'all. Errors: PT404 stream.';

-- The shape of both diagrams over time.
CREATE FUNCTION vsm._lines_shown(cumulative boolean, a vsm._asked, step interval) RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window_asked(a);
    every CONSTANT interval := coalesce(step, '1 day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until,
                         ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS stages,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT vsm._rfc3339(l.at) AS at, array_agg(l.items ORDER BY l.ordinality) AS values
                                     FROM (SELECT * FROM vsm.cumulative_flow(v.stream, v.since, v.until, every, a.type, a.attributes, a.known_at)
                                                    WITH ORDINALITY WHERE cumulative
                                           UNION ALL
                                           SELECT * FROM vsm.occupancy(v.stream, v.since, v.until, every, a.type, a.attributes, a.known_at)
                                                    WITH ORDINALITY WHERE NOT cumulative) l
                                     GROUP BY l.at ORDER BY l.at) p) AS points,
                         ARRAY(SELECT s.category FROM vsm.stages s WHERE s.stream = v.stream ORDER BY s."order") AS categories,
                         a.type, v.time_zone, a.attributes, vsm._rfc3339(a.known_at) AS known_at) r);
END $$;
COMMENT ON FUNCTION vsm._lines_shown(boolean, vsm._asked, interval) IS 'The answer of vsm_api.cumulative_flow() or occupancy(). Errors: PT422.';

CREATE FUNCTION vsm_api.cumulative_flow(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                        step interval DEFAULT '1 day', type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                        known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL UNSAFE
RETURN vsm._lines_shown(true, vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at), step);
COMMENT ON FUNCTION vsm_api.cumulative_flow(text, text, text, interval, text, jsonb, text) IS
    'Cumulative flow diagram: at each point, for each stage in order, the items that have got there or further, or in a discarded '
    'stage were discarded there. Lines never fall. By default the last 30 days. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.occupancy(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                  step interval DEFAULT '1 day', type text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                  known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE PARALLEL UNSAFE
RETURN vsm._lines_shown(false, vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at), step);
COMMENT ON FUNCTION vsm_api.occupancy(text, text, text, interval, text, jsonb, text) IS
    'At each point, for each stage in order, the items that are in it. By default the last 30 days. Errors: PT404 stream; PT422 '
    'arguments.';

CREATE FUNCTION vsm_api.throughput(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                   step text DEFAULT 'day', type text DEFAULT NULL, reopen_rule text DEFAULT NULL,
                                   attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    every CONSTANT text := coalesce(step, 'day');
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, every AS step, a.type,
                         v.time_zone, v.reopen_rule, a.attributes, vsm._rfc3339(a.known_at) AS known_at,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT t.bucket AS start, t.items AS throughput
                                     FROM vsm.throughput(v.stream, v.since, v.bound, every, a.type, a.reopen_rule, a.attributes, a.known_at) t
                                     ORDER BY t.bucket) b) AS buckets) r);
END $$;
COMMENT ON FUNCTION vsm_api.throughput(text, text, text, text, text, text, jsonb, text) IS
    'Items finished per day, week (from Monday) or month of the stream''s time zone, as of until. start: the first day; the first and '
    'last may be cut by the window, by default the last 30 days. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.time_in_stage(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                      type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL,
                                      percentiles double precision[] DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fractions CONSTANT double precision[] := vsm._fractions(percentiles);
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT t.stage, t.visits, vsm._hours(t.avg) AS avg, vsm._hours(t.p50) AS p50, vsm._hours(t.p85) AS p85,
                     vsm._hours(t.p95) AS p95, round(vsm._interval_us(t.avg) / 3600000000.0 * t.visits, 2) AS total,
                     t.items, vsm._hours(t.avg_per_item) AS avg_per_item, t.open_visits, vsm._hours(t.open_avg) AS open_avg,
                     CASE WHEN cardinality(fractions) > 0 THEN
                         ARRAY(SELECT row_to_json(x)
                               FROM (SELECT time_in_stage.percentiles[p] AS percentile, vsm._hours(f.found[p]) AS hours
                                     FROM generate_subscripts(fractions, 1) p ORDER BY p) x) END AS percentiles,
                     vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type, v.time_zone, a.attributes,
                     vsm._rfc3339(a.known_at) AS known_at
              FROM vsm.time_in_stage(v.stream, v.since, v.bound, a.type, a.attributes, a.known_at) WITH ORDINALITY t
              LEFT JOIN vsm.stages s ON s.stream = v.stream AND s.name = t.stage
              LEFT JOIN (SELECT m.from_stage_id, vsm.percentiles(m.time_in_stage, fractions) AS found
                         FROM vsm._moves(v.stream_id, a.since, v.bound, a.type, a.attributes, a.known_at) m
                         WHERE cardinality(fractions) > 0 AND m.from_stage_id IS NOT NULL GROUP BY 1) f ON f.from_stage_id = s.id
              ORDER BY t.ordinality) r));
END $$;
COMMENT ON FUNCTION vsm_api.time_in_stage(text, text, text, text, jsonb, text, double precision[]) IS
    'Hours in each stage over the visits that ended in the window, by default the last 30 days: per visit, in total and per item; '
    'open_visits: items that are there at its end. Each row names what was asked for. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL, "limit" integer DEFAULT 500,
                                      at text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL,
                                      history_days integer DEFAULT 90)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, at, at, 0, NULL, type, attributes, known_at);
BEGIN
    PERFORM vsm._check_limit("limit", 5000);
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT g.work_item_id AS id, g.external_id, g.title, g.type, g.stage, vsm._hours(g.age) AS age_hours,
                     vsm._hours(g.time_in_stage) AS time_in_stage_hours, vsm._hours(g.age_since_creation) AS age_since_creation_hours,
                     w.attributes, vsm._rfc3339(a.until) AS at, a.time_zone, vsm._rfc3339(a.known_at) AS known_at,
                     vsm._hours(g.blocked) AS blocked_hours, g.block_reason, round(g.pace, 4) AS pace, round(g.risk, 4) AS risk
              FROM vsm.work_item_age(a.stream, a.type, a.until, a.attributes, a.known_at, coalesce(work_item_age.history_days, 90)) WITH ORDINALITY g
              LEFT JOIN vsm.work_items w ON w.id = g.work_item_id AND a.known_at IS NULL
              ORDER BY g.ordinality LIMIT coalesce(work_item_age."limit", 500)) r));
END $$;
COMMENT ON FUNCTION vsm_api.work_item_age(text, text, integer, text, jsonb, text, integer) IS
    'The oldest items in progress at an instant (now by default), at most limit (1 to 5000), with their age since they were started; '
    'null: not started. pace: share of the items finished on the last history_days days that were faster at this point of their way; risk: '
    'of those that had got as old, the share that went on to miss the service level expectation. Errors: PT404 stream; PT422 limit, arguments.';

CREATE FUNCTION vsm_api.flow_efficiency(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                        type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                        known_at text DEFAULT NULL, blocked_waits boolean DEFAULT false)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    blocked_us CONSTANT numeric := vsm._blocked_active_us(v, a.since, a.type, a.attributes, a.known_at);
    moved_us CONSTANT numeric := CASE WHEN blocked_waits THEN blocked_us ELSE 0 END;
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT round((sum(c.active_us) - moved_us) / nullif(sum(c.active_us) + sum(c.wait_us), 0), 4) AS flow_efficiency,
                         round((sum(c.active_us) - moved_us) / 3600000000.0, 2) AS active_hours, round((sum(c.wait_us) + moved_us) / 3600000000.0, 2) AS wait_hours,
                         count(*) AS n, v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type,
                         v.time_zone, v.reopen_rule, a.attributes, vsm._rfc3339(a.known_at) AS known_at,
                         coalesce(blocked_waits, false) AS blocked_waits, round(blocked_us / 3600000000.0, 2) AS blocked_active_hours
                  FROM vsm._completed(v.stream_id, a.since, v.bound, v.reopen_rule, a.type, a.attributes, a.known_at) c) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_efficiency(text, text, text, text, text, jsonb, text, boolean) IS
    'Active time / (active + wait time) between start and finish of the n items finished in the window, by default the last 30 '
    'days: a ratio of sums, 0 to 1. blocked_waits: blocked_active_hours, the time in active stages that was blocked, counts as wait time. '
    'Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.cycle_times(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL,
                                    type text DEFAULT NULL, "limit" integer DEFAULT 5000, reopen_rule text DEFAULT NULL,
                                    attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL,
                                    percentiles double precision[] DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fractions CONSTANT double precision[] := vsm._fractions(percentiles);
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    PERFORM vsm._check_limit("limit", 50000);
    RETURN (WITH done AS MATERIALIZED (
                SELECT * FROM vsm.completions(a.stream, a.since, a.until, a.type, a.reopen_rule, a.attributes, a.known_at) WITH ORDINALITY),
            summary AS (
                SELECT vsm._summary(vsm._interval_us(d.cycle_time), true) AS s, vsm.percentiles(d.cycle_time, fractions) AS found FROM done d),
            latest AS (
                SELECT * FROM done d ORDER BY d.ordinality DESC LIMIT coalesce(cycle_times."limit", 5000))
            SELECT row_to_json(r)
            FROM (SELECT vsm._hours((m.s).p50) AS p50, vsm._hours((m.s).p85) AS p85, vsm._hours((m.s).p95) AS p95, (m.s).n,
                         ARRAY(SELECT row_to_json(p)
                               FROM (SELECT l.work_item_id AS id, l.external_id, l.title, l.type, vsm._rfc3339(l.completed_at) AS completed_at,
                                            vsm._hours(l.cycle_time) AS cycle_time_hours, vsm._hours(l.lead_time) AS lead_time_hours
                                     FROM latest l ORDER BY l.ordinality) p) AS points,
                         CASE WHEN cardinality(fractions) > 0 THEN
                             ARRAY(SELECT row_to_json(x)
                                   FROM (SELECT cycle_times.percentiles[p] AS percentile, vsm._hours(m.found[p]) AS cycle_time
                                         FROM generate_subscripts(fractions, 1) p ORDER BY p) x) END AS percentiles,
                         v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type, v.time_zone, v.reopen_rule,
                         a.attributes, vsm._rfc3339(a.known_at) AS known_at
                  FROM summary m) r);
END $$;
COMMENT ON FUNCTION vsm_api.cycle_times(text, text, text, text, integer, text, jsonb, text, double precision[]) IS
    'Percentiles of the cycle time, in hours, of the n items that were started and finished in the window, by default the last 30 '
    'days, and the latest finished items, at most limit (1 to 50000), as points for a scatter plot. percentiles: further ones, in '
    'percent. Errors: PT404 stream; PT422 limit, arguments.';
