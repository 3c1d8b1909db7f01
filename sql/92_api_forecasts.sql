-- 92_api_forecasts: forecasts, bottlenecks, DORA and the Flow Framework as the documents that clients get, and what clients report
--
-- As in 92_api_figures.  Days of the week are a text, such as 1,2,3,4,5, as a query has it.

CREATE FUNCTION vsm._weekdays(working_days text) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF working_days !~ '^[1-7](,[1-7]){0,6}$' THEN
        RAISE EXCEPTION 'the working days are not days of the week'
            USING ERRCODE = 'PT422', COLUMN = 'working_days', DETAIL = format('They are "%s".', left(working_days, 100)),
                  HINT = 'Give numbers from 1, Monday, to 7, Sunday, such as 1,2,3,4,5.';
    END IF;
    RETURN string_to_array(working_days, ',')::integer[];
END $$;
COMMENT ON FUNCTION vsm._weekdays(text) IS 'Days of the week, as numbers from 1 (Monday) to 7 with commas between. Errors: PT422.';

CREATE FUNCTION vsm_api.forecast(items integer DEFAULT NULL, until date DEFAULT NULL, stream text DEFAULT 'default',
                                 type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                                 attributes jsonb DEFAULT NULL, working_days text DEFAULT NULL, exclude_outliers boolean DEFAULT false,
                                 at text DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, at, at, 0, NULL, type, attributes, known_at);
    lines CONSTANT vsm.forecast_line[] := ARRAY(
        SELECT f FROM vsm.forecast(items, until, a.stream, a.type, coalesce(history_days, 90), coalesce(seed, 1), at => a.until,
                                   attributes => a.attributes, working_days => vsm._weekdays(working_days),
                                   exclude_outliers => coalesce(exclude_outliers, false), known_at => a.known_at) f);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT CASE WHEN forecast.items IS NOT NULL THEN (
                             SELECT row_to_json(w)
                             FROM (SELECT forecast.items, ARRAY(
                                       SELECT row_to_json(c) FROM (SELECT l.confidence, l.done_on FROM unnest(lines) l) c) AS at) w) END AS "when",
                         CASE WHEN forecast.until IS NOT NULL THEN (
                             SELECT row_to_json(h)
                             FROM (SELECT forecast.until, ARRAY(
                                       SELECT row_to_json(c) FROM (SELECT l.confidence, l.items_done AS items FROM unnest(lines) l) c) AS at) h) END AS how_many,
                         b.stream, a.type, b.time_zone, b.since AS history_since, b.until AS history_until,
                         b.days_with_throughput, b.finished, b.trials, b.seed, a.attributes, b.working_days, b.days_off, b.outliers,
                         vsm._rfc3339(a.until) AS at, vsm._rfc3339(a.known_at) AS known_at
                  FROM unnest(lines[1:1]) b) r);
END $$;
COMMENT ON FUNCTION vsm_api.forecast(integer, date, text, text, integer, bigint, jsonb, text, boolean, text, text) IS
    'When that many items will be done (when) and how many will be by the end of a day (how_many), at 50, 70, 85 and 95 % confidence: '
    'Monte Carlo over the stream''s daily throughput of the last history_days. done_on null: not within ten years. working_days: days of '
    'the week, 1 (Monday) to 7; the others, and the stream''s days off, are drawn from days off. exclude_outliers leaves out days above '
    'the upper natural limit. The same history and seed give the same forecast. Errors: PT404 stream; PT422 arguments, fewer than 5 '
    'working days with throughput.';

CREATE FUNCTION vsm_api.forecast_items(stream text DEFAULT 'default', by text DEFAULT 'age', type text DEFAULT NULL, "limit" integer DEFAULT 500,
                                       history_days integer DEFAULT 90, seed bigint DEFAULT 1, at text DEFAULT NULL, attributes jsonb DEFAULT NULL,
                                       working_days text DEFAULT NULL, exclude_outliers boolean DEFAULT false, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, at, at, 0, NULL, type, attributes, known_at);
BEGIN
    PERFORM vsm._check_limit("limit", 5000);
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r)
        FROM (SELECT f.place, f.work_item_id AS id, f.external_id, f.title, f.type, f.stage, vsm._hours(f.age) AS age_hours,
                     ARRAY(SELECT row_to_json(d)
                           FROM (SELECT * FROM (VALUES (50, f.done_on_50), (70, f.done_on_70), (85, f.done_on_85), (95, f.done_on_95)) d (confidence, done_on)) d) AS at
              FROM vsm.forecast_items(a.stream, coalesce(by, 'age'), a.type, coalesce(history_days, 90), coalesce(seed, 1), at => a.until,
                                      attributes => a.attributes, working_days => vsm._weekdays(working_days),
                                      exclude_outliers => coalesce(exclude_outliers, false), known_at => a.known_at) f
              ORDER BY f.place LIMIT coalesce("limit", 500)) r));
END $$;
COMMENT ON FUNCTION vsm_api.forecast_items(text, text, text, integer, integer, bigint, text, jsonb, text, boolean, text) IS
    'The first of the items in progress, at most limit (1 to 5000), in the order in which they are to be done (by age or order), each with the '
    'day by which it is done at 50, 70, 85 and 95 % confidence. Errors: PT404 stream; PT422 arguments, fewer than 5 working days with throughput.';

CREATE FUNCTION vsm_api.forecast_delivery(items jsonb, type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                                          at timestamptz DEFAULT NULL, attributes jsonb DEFAULT NULL, working_days text DEFAULT NULL,
                                          exclude_outliers boolean DEFAULT false, known_at timestamptz DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines vsm.delivery_line[];
BEGIN
    PERFORM vsm._check_delivery(items);
    PERFORM vsm._known_stream(s) FROM jsonb_object_keys(items) s;
    lines := ARRAY(
        SELECT d FROM vsm.forecast_delivery(items, vsm._sought(type), coalesce(history_days, 90), coalesce(seed, 1), at => coalesce(at, clock_timestamp()),
                                            attributes => attributes, working_days => vsm._weekdays(working_days),
                                            exclude_outliers => coalesce(exclude_outliers, false), known_at => known_at) d);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT l.items,
                         ARRAY(SELECT row_to_json(x) FROM (SELECT x.confidence, x.done_on FROM unnest(lines) x WHERE x.stream IS NULL ORDER BY x.confidence) x) AS at,
                         ARRAY(SELECT row_to_json(s)
                               FROM (SELECT p.stream, p.items,
                                            ARRAY(SELECT row_to_json(c)
                                                  FROM (SELECT x.confidence, x.done_on FROM unnest(lines) x WHERE x.stream = p.stream ORDER BY x.confidence) c) AS at
                                     FROM unnest(lines) p WHERE p.stream IS NOT NULL AND p.confidence = 50 ORDER BY p.stream COLLATE "C") s) AS streams,
                         vsm._sought(forecast_delivery.type) AS type, l.trials, l.seed, forecast_delivery.attributes, vsm._weekdays(forecast_delivery.working_days) AS working_days,
                         vsm._rfc3339(forecast_delivery.known_at) AS known_at
                  FROM unnest(lines) l WHERE l.stream IS NULL LIMIT 1) r);
END $$;
COMMENT ON FUNCTION vsm_api.forecast_delivery(jsonb, text, integer, bigint, timestamptz, jsonb, text, boolean, timestamptz) IS
    'When items of several streams are done together (at), and those of each stream. items: an object with the number of each stream. Errors: PT404 stream; '
    'PT422 arguments, a stream with fewer than 5 working days with throughput.';

CREATE FUNCTION vsm_api.forecast_backtest(items integer DEFAULT NULL, days integer DEFAULT NULL, stream text DEFAULT 'default', since text DEFAULT NULL,
                                          until text DEFAULT NULL, type text DEFAULT NULL, history_days integer DEFAULT 90, seed bigint DEFAULT 1,
                                          attributes jsonb DEFAULT NULL, working_days text DEFAULT NULL, exclude_outliers boolean DEFAULT false,
                                          known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 2160, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
    lines CONSTANT vsm.backtest_line[] := ARRAY(
        SELECT b FROM vsm.forecast_backtest(items, days, a.stream, a.since, a.until, a.type, coalesce(history_days, 90), coalesce(seed, 1),
                                            attributes => a.attributes, working_days => vsm._weekdays(working_days),
                                            exclude_outliers => coalesce(exclude_outliers, false), known_at => a.known_at) b);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, forecast_backtest.items,
                         CASE WHEN forecast_backtest.items IS NULL THEN coalesce(forecast_backtest.days, 14) END AS days, a.type, v.time_zone, a.attributes,
                         vsm._weekdays(forecast_backtest.working_days) AS working_days, vsm._rfc3339(a.known_at) AS known_at,
                         ARRAY(SELECT row_to_json(c)
                               FROM (SELECT l.confidence, count(l.held) AS forecasts, count(*) FILTER (WHERE l.held) AS held,
                                            round(count(*) FILTER (WHERE l.held)::numeric / nullif(count(l.held), 0), 4) AS share
                                     FROM unnest(lines) l GROUP BY 1 ORDER BY 1) c) AS confidences,
                         ARRAY(SELECT row_to_json(l) FROM unnest(lines) l ORDER BY l.as_of, l.confidence) AS points) r);
END $$;
COMMENT ON FUNCTION vsm_api.forecast_backtest(integer, integer, text, text, text, text, integer, bigint, jsonb, text, boolean, text) IS
    'How often forecasts held, by confidence, and each forecast of the days of a window, by default the last 90 days, with what came: the items done within days (14 by '
    'default), or the days in which items were done. Errors: PT404 stream; PT422 arguments.';

CREATE FUNCTION vsm_api.bottlenecks(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, type text DEFAULT NULL,
                                    attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, a.type, v.time_zone, a.attributes,
                         vsm._rfc3339(a.known_at) AS known_at,
                         ARRAY(SELECT row_to_json(b) FROM vsm.bottlenecks(v.stream, a.since, v.bound, a.type, a.attributes, a.known_at) b ORDER BY b.rank) AS stages) r);
END $$;
COMMENT ON FUNCTION vsm_api.bottlenecks(text, text, text, text, jsonb, text) IS
    'The stages of started work, those that slow the flow most first, each with its score, its parts and a sentence why, in a window, by default the last 30 days. Errors: PT404 '
    'stream; PT422 arguments.';

CREATE FUNCTION vsm_api.dora(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, step text DEFAULT NULL,
                             type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL, source text DEFAULT NULL,
                             from_stage text DEFAULT NULL, to_stage text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, NULL, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    from_stage := vsm._sought(from_stage);
    to_stage := vsm._sought(to_stage);
    PERFORM vsm._stage_not_found(v.stream, n.name)
    FROM unnest(ARRAY[from_stage, to_stage]) n (name)
    WHERE n.name IS NOT NULL AND NOT EXISTS (SELECT FROM vsm.stages s WHERE s.stream = v.stream AND s.name = n.name);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, dora.step, a.type, v.time_zone, a.attributes,
                         vsm._rfc3339(a.known_at) AS known_at, vsm._dora_source(v.stream, dora.source, v.bound, a.known_at) AS source, dora.from_stage, dora.to_stage,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT d.bucket AS start, d.deployments, d.deployment_frequency, vsm._hours(d.change_lead_time) AS change_lead_time_hours,
                                            d.change_fail_rate, vsm._hours(d.failed_deployment_recovery_time) AS failed_deployment_recovery_time_hours,
                                            d.rework_rate, d.changes, d.failed_deployments, d.recoveries, d.rework_deployments
                                     FROM vsm.dora(v.stream, a.since, v.bound, dora.step, a.type, a.attributes, a.known_at, dora.source, dora.from_stage, dora.to_stage) d
                                     ORDER BY d.since, d.bucket) b) AS buckets) r);
END $$;
COMMENT ON FUNCTION vsm_api.dora(text, text, text, text, text, jsonb, text, text, text, text) IS
    'The software delivery figures of DORA for a window, by default the last 30 days, or for each of its days, weeks or months (step); medians in hours, rates 0 to 1. Errors: '
    'PT404 stream, stage; PT422 arguments.';

CREATE FUNCTION vsm_api.flow_framework(stream text DEFAULT 'default', since text DEFAULT NULL, until text DEFAULT NULL, step text DEFAULT NULL,
                                       type text DEFAULT NULL, reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a CONSTANT vsm._asked := vsm._asked(stream, since, until, 720, reopen_rule, type, attributes, known_at);
    v CONSTANT vsm._window := vsm._window_asked(a);
BEGIN
    RETURN (SELECT row_to_json(r)
            FROM (SELECT v.stream, vsm._rfc3339(v.since) AS since, vsm._rfc3339(v.until) AS until, flow_framework.step, a.type, v.time_zone, v.reopen_rule,
                         a.attributes, vsm._rfc3339(a.known_at) AS known_at,
                         ARRAY(SELECT row_to_json(b)
                               FROM (SELECT f.bucket AS start, f.flow_velocity, vsm._hours(f.flow_time) AS flow_time_hours,
                                            round(f.flow_efficiency, 4) AS flow_efficiency, round(f.flow_load, 2) AS flow_load, f.flow_distribution,
                                            vsm._hours(f.flow_time_p50) AS flow_time_p50_hours, vsm._hours(f.flow_time_p85) AS flow_time_p85_hours
                                     FROM vsm.flow_framework(v.stream, a.since, v.bound, flow_framework.step, a.type, a.reopen_rule, a.attributes, a.known_at) f
                                     ORDER BY f.since, f.bucket) b) AS buckets) r);
END $$;
COMMENT ON FUNCTION vsm_api.flow_framework(text, text, text, text, text, text, jsonb, text) IS
    'The five figures of the Flow Framework for a window, by default the last 30 days, or for each of its days, weeks or months (step). Errors: PT404 stream; PT422 arguments.';

-- ---- What clients report ----

CREATE FUNCTION vsm_api.mark_failure(work_item_id bigint, failed_at timestamptz DEFAULT NULL, recovered_at timestamptz DEFAULT NULL,
                                     reason text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    failure vsm.failures;
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = mark_failure.work_item_id) THEN
        PERFORM vsm._item_not_found(work_item_id);
    END IF;
    failure := vsm.mark_failure(work_item_id, failed_at, recovered_at, reason);
    RETURN (SELECT row_to_json(r)
            FROM (SELECT failure.id, failure.work_item_id, vsm._rfc3339(failure.failed_at) AS failed_at,
                         vsm._rfc3339(failure.recovered_at) AS recovered_at, failure.reason) r);
END $$;
COMMENT ON FUNCTION vsm_api.mark_failure(bigint, timestamptz, timestamptz, text) IS
    'Records that a delivered work item failed in production, or that it has recovered. Errors: PT404 work item; PT422 times.';

CREATE FUNCTION vsm_api.add_deployment(deployed_at timestamptz DEFAULT NULL, stream text DEFAULT 'default', external_id text DEFAULT NULL,
                                       rework boolean DEFAULT NULL, description text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    deployment vsm.deployments;
BEGIN
    INSERT INTO vsm.deployments AS d (stream, external_id, deployed_at, rework, description)
    VALUES (vsm._known_stream(add_deployment.stream), nullif(add_deployment.external_id, ''), coalesce(add_deployment.deployed_at, clock_timestamp()),
            coalesce(add_deployment.rework, false), add_deployment.description)
    ON CONFLICT ON CONSTRAINT deployments_external_id DO UPDATE
    SET deployed_at = coalesce(add_deployment.deployed_at, d.deployed_at), rework = coalesce(add_deployment.rework, d.rework),
        description = coalesce(excluded.description, d.description)
    RETURNING d.* INTO deployment;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT deployment.id, deployment.stream, deployment.external_id, vsm._rfc3339(deployment.deployed_at) AS deployed_at,
                         deployment.rework, deployment.description) r);
END $$;
COMMENT ON FUNCTION vsm_api.add_deployment(timestamptz, text, text, boolean, text) IS
    'Records a deployment to production, by default now; one with the same external_id is changed where values are given. Errors: PT404 stream; PT422 time.';

CREATE FUNCTION vsm_api.add_incident(started_at timestamptz DEFAULT NULL, stream text DEFAULT 'default', external_id text DEFAULT NULL,
                                     deployment text DEFAULT NULL, recovered_at timestamptz DEFAULT NULL, description text DEFAULT NULL)
    RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    of_stream CONSTANT text := vsm._known_stream(add_incident.stream);
    -- the time of one that is there already, so that its recovery can be reported alone
    since CONSTANT timestamptz := coalesce(
        add_incident.started_at,
        (SELECT i.started_at FROM vsm.incidents i WHERE i.stream = of_stream AND i.external_id = nullif(add_incident.external_id, '')),
        clock_timestamp());
    incident vsm.incidents;
BEGIN
    INSERT INTO vsm.incidents AS i (stream, external_id, deployment, started_at, recovered_at, description)
    VALUES (of_stream, nullif(add_incident.external_id, ''), nullif(add_incident.deployment, ''), since, add_incident.recovered_at, add_incident.description)
    ON CONFLICT ON CONSTRAINT incidents_external_id DO UPDATE
    SET started_at = excluded.started_at, recovered_at = coalesce(excluded.recovered_at, i.recovered_at),
        deployment = coalesce(excluded.deployment, i.deployment), description = coalesce(excluded.description, i.description)
    RETURNING i.* INTO incident;
    RETURN (SELECT row_to_json(r)
            FROM (SELECT incident.id, incident.stream, incident.external_id, incident.deployment, vsm._rfc3339(incident.started_at) AS started_at,
                         vsm._rfc3339(incident.recovered_at) AS recovered_at, incident.description) r);
END $$;
COMMENT ON FUNCTION vsm_api.add_incident(timestamptz, text, text, text, timestamptz, text) IS
    'Records an incident in production, by default from now on; one with the same external_id is changed where values are given. deployment: the external_id of '
    'the one that caused it, by default the latest before. Errors: PT404 stream; PT422 times.';

CREATE FUNCTION vsm_api.days_off(stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream CONSTANT text := vsm._known_stream(stream);
BEGIN
    RETURN array_to_json(ARRAY(
        SELECT row_to_json(r) FROM (SELECT o.day, o.reason FROM vsm.days_off o WHERE o.stream = of_stream ORDER BY o.day) r));
END $$;
COMMENT ON FUNCTION vsm_api.days_off(text) IS 'The days on which nobody works on a stream, in order. Errors: PT404 stream.';

CREATE FUNCTION vsm_api.set_day_off(day date, stream text DEFAULT 'default', reason text DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    day_off vsm.days_off;
BEGIN
    INSERT INTO vsm.days_off (stream, day, reason) VALUES (vsm._known_stream(set_day_off.stream), set_day_off.day, set_day_off.reason)
    ON CONFLICT ON CONSTRAINT days_off_pkey DO UPDATE SET reason = excluded.reason
    RETURNING * INTO day_off;
    RETURN (SELECT row_to_json(r) FROM (SELECT day_off.day, day_off.reason) r);
END $$;
COMMENT ON FUNCTION vsm_api.set_day_off(date, text, text) IS
    'Makes a day one on which nobody works on a stream; with another reason if it is one. Errors: PT404 stream; PT422 day.';

CREATE FUNCTION vsm_api.delete_day_off(day date, stream text DEFAULT 'default') RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    day_off vsm.days_off;
BEGIN
    DELETE FROM vsm.days_off o WHERE o.stream = vsm._known_stream(delete_day_off.stream) AND o.day = delete_day_off.day RETURNING o.* INTO day_off;
    IF NOT FOUND AND EXISTS (SELECT FROM vsm.days_off o WHERE o.stream = vsm._sought(delete_day_off.stream) AND o.day = delete_day_off.day) THEN
        PERFORM vsm._refuse_definition(format('stream "%s"', vsm._sought(delete_day_off.stream)));
    ELSIF day_off.stream IS NULL THEN
        RAISE EXCEPTION 'Day off % not found', vsm._shown(delete_day_off.day)
            USING ERRCODE = 'PT404', COLUMN = 'day', DETAIL = 'That day is no day off of the stream.', HINT = 'The list of days off has them.';
    END IF;
    RETURN (SELECT row_to_json(r) FROM (SELECT day_off.day, day_off.reason) r);
END $$;
COMMENT ON FUNCTION vsm_api.delete_day_off(date, text) IS 'Makes a day off a day like others; returns it as it was. Errors: PT404 stream, day off.';
