-- 86_dora: the figures of DORA and of the Flow Framework

CREATE TYPE vsm.dora_figures AS (
    bucket date,
    deployments bigint,
    deployment_frequency numeric,           -- per day
    change_lead_time interval,              -- median
    change_fail_rate numeric,               -- 0 to 1
    failed_deployment_recovery_time interval,   -- median
    rework_rate numeric,                    -- 0 to 1
    changes bigint,
    failed_deployments bigint,
    recoveries bigint,
    rework_deployments bigint,
    source text,
    since timestamptz,
    until timestamptz
);
COMMENT ON TYPE vsm.dora_figures IS 'A row of vsm.dora().';

-- Each failure belongs to the item's latest completion at or before it, and the first completion after it is the repair, if there is one before it.
CREATE FUNCTION vsm._failed_completions(of_stream text, of_stream_id bigint, bound timestamptz, of_type text, attributes jsonb,
                                        known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, failed_at timestamptz, recovered_at timestamptz, completed_at timestamptz, completion_id bigint,
                   repaired_at timestamptz, repair_id bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH failures AS MATERIALIZED (
        SELECT f.work_item_id, f.failed_at, f.recovered_at
        FROM vsm.failures f
        WHERE f.stream = of_stream AND f.failed_at < bound AND (known_at IS NULL OR f.recorded_at <= _failed_completions.known_at)
          AND (known_at IS NOT NULL OR of_type IS NULL AND _failed_completions.attributes IS NULL
               OR EXISTS (SELECT FROM vsm.work_items w
                          WHERE w.id = f.work_item_id AND (of_type IS NULL OR w.type = of_type)
                            AND (_failed_completions.attributes IS NULL OR w.attributes @> _failed_completions.attributes)))),
    known AS MATERIALIZED (
        SELECT k.work_item_id, k."timestamp" AS at, k.id, k.item_created_at
        FROM vsm._known_moves(of_stream_id, of_type, _failed_completions.attributes, _failed_completions.known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound),
    completions AS (            -- of each item, in their order
        SELECT c.work_item_id, array_agg(c.at ORDER BY c.at, c.id) AS at, array_agg(c.id ORDER BY c.at, c.id) AS id
        FROM (SELECT t.work_item_id, t."timestamp" AS at, t.id
              FROM (SELECT DISTINCT f.work_item_id FROM failures f) i
              JOIN vsm.stage_transitions t ON t.work_item_id = i.work_item_id
              WHERE known_at IS NULL AND t.item_created_at IS NOT NULL AND t."timestamp" < bound
              UNION ALL
              SELECT k.work_item_id, k.at, k.id FROM known k WHERE k.item_created_at IS NOT NULL) c
        GROUP BY 1)
    -- width_bucket(): how many of them the failure follows, those of its instant included
    SELECT f.work_item_id, f.failed_at, f.recovered_at, c.at[n.followed], c.id[n.followed],
           CASE WHEN n.followed > 0 THEN c.at[n.followed + 1] END, CASE WHEN n.followed > 0 THEN c.id[n.followed + 1] END
    FROM failures f
    LEFT JOIN completions c ON c.work_item_id = f.work_item_id
    CROSS JOIN LATERAL width_bucket(f.failed_at, c.at) n (followed)
    WHERE known_at IS NULL OR f.work_item_id IN (SELECT k.work_item_id FROM known k);
END;
COMMENT ON FUNCTION vsm._failed_completions(text, bigint, timestamptz, text, jsonb, timestamptz) IS
    'The failures of a stream''s items before bound, each with the completion that failed and the one that repaired it, by its time and the id of its move; null: none.';

CREATE FUNCTION vsm._failed_deployments(of_stream text, bound timestamptz, known_at timestamptz)
    RETURNS TABLE (failed_at timestamptz, recovered_at timestamptz, deployed_at timestamptz, deployment_id bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT i.started_at, i.recovered_at, d.deployed_at, d.id
    FROM vsm.incidents i
    LEFT JOIN LATERAL (         -- each case has its index
        SELECT d.deployed_at, d.id FROM vsm.deployments d
        WHERE d.stream = i.stream AND d.external_id = i.deployment
          AND (_failed_deployments.known_at IS NULL OR d.recorded_at <= _failed_deployments.known_at)
        UNION ALL
        (SELECT d.deployed_at, d.id FROM vsm.deployments d
         WHERE i.deployment IS NULL AND d.stream = i.stream AND d.deployed_at <= i.started_at
           AND (_failed_deployments.known_at IS NULL OR d.recorded_at <= _failed_deployments.known_at)
         ORDER BY d.deployed_at DESC, d.id DESC LIMIT 1)) d ON true
    WHERE i.stream = of_stream AND i.started_at < bound AND (_failed_deployments.known_at IS NULL OR i.recorded_at <= _failed_deployments.known_at);
END;
COMMENT ON FUNCTION vsm._failed_deployments(text, timestamptz, timestamptz) IS
    'The incidents of a stream before bound, each with the deployment that caused it: the one that it names, else the latest before it.';

CREATE FUNCTION vsm._dora_source(of_stream text, source text, bound timestamptz, known_at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF source NOT IN ('items', 'deployments') THEN
        RAISE EXCEPTION 'deployments cannot be taken from "%"', vsm._cut(source)
            USING ERRCODE = 'PT422', COLUMN = 'source', DETAIL = 'It says what counts as a deployment.',
                  HINT = 'Give items, for work items that are finished, or deployments, for those that were reported.';
    END IF;
    RETURN coalesce(source, CASE WHEN EXISTS (
        SELECT FROM vsm.deployments d
        WHERE d.stream = of_stream AND d.deployed_at < bound AND (_dora_source.known_at IS NULL OR d.recorded_at <= _dora_source.known_at)) THEN 'deployments' ELSE 'items' END);
END $$;
COMMENT ON FUNCTION vsm._dora_source(text, text, timestamptz, timestamptz) IS
    'What counts as a deployment of a stream; null: deployments if any before bound were reported, else items. Errors: PT422.';

CREATE FUNCTION vsm.dora(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '30 days',
                         until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT NULL, type text DEFAULT NULL,
                         attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL, source text DEFAULT NULL,
                         from_stage text DEFAULT NULL, to_stage text DEFAULT NULL)
    RETURNS SETOF vsm.dora_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    counted CONSTANT text := vsm._dora_source(v.stream, source, v.bound, known_at);
    bounds timestamptz[] := vsm._bounds(v, bucket);
    between_stages CONSTANT bigint[] := ARRAY[vsm._stage_id(v.stream, vsm._sought(from_stage)), vsm._stage_id(v.stream, vsm._sought(to_stage))];
BEGIN
    IF (from_stage IS NULL) <> (to_stage IS NULL) THEN
        RAISE EXCEPTION 'a lead time needs two stages'
            USING ERRCODE = 'PT422', COLUMN = CASE WHEN from_stage IS NULL THEN 'from_stage' ELSE 'to_stage' END,
                  DETAIL = 'Only one of them is given.', HINT = 'Give from_stage and to_stage, or neither for the time from creation to finish.';
    END IF;
    bounds[1] := since;         -- as it was given, so it may be infinite
    PERFORM vsm._plan(from_stage IS NULL, type IS NOT NULL);
    RETURN QUERY
    WITH buckets AS MATERIALIZED (
        SELECT b.*, vsm._elapsed_us(b.since, greatest(b.since, least(b.until, clock_timestamp()))) / 86400000000.0 AS days FROM vsm._buckets_or_window(v, bucket) b),
    leads AS MATERIALIZED (
        SELECT f.place, (f.finished).lead AS lead
        FROM vsm._finished_by_bucket(v.stream_id, bounds, v.reopen_rule, v.type, attributes, known_at) f
        WHERE from_stage IS NULL
        UNION ALL
        SELECT width_bucket(t.to_at, bounds), vsm._summary(vsm._elapsed_us(t.from_at, t.to_at), true)
        FROM vsm._times_between(v.stream_id, v.since, v.bound, between_stages[1], between_stages[2], 'first_entry', 'first_entry', v.type, attributes, known_at) t
        WHERE from_stage IS NOT NULL GROUP BY 1),
    deployed AS (
        SELECT f.place, f.departures AS n, 0::bigint AS rework
        FROM vsm._flow_by_bucket(v, bounds, v.type, attributes, known_at) f WHERE counted = 'items'
        UNION ALL
        SELECT width_bucket(d.deployed_at, bounds), count(*), count(*) FILTER (WHERE d.rework)
        FROM vsm.deployments d
        WHERE counted = 'deployments' AND d.stream = v.stream AND d.deployed_at >= bounds[1] AND d.deployed_at < v.bound
          AND (known_at IS NULL OR d.recorded_at <= known_at)
        GROUP BY 1),
    failures AS MATERIALIZED (
        SELECT f.failed_at, f.recovered_at, f.completed_at AS deployed_at, f.completion_id AS id, f.repaired_at, f.repair_id
        FROM vsm._failed_completions(v.stream, v.stream_id, v.bound, v.type, attributes, known_at) f WHERE counted = 'items'
        UNION ALL
        SELECT f.failed_at, f.recovered_at, f.deployed_at, f.deployment_id, NULL, NULL
        FROM vsm._failed_deployments(v.stream, v.bound, known_at) f WHERE counted = 'deployments'),
    failed AS (
        SELECT width_bucket(f.deployed_at, bounds) AS place, count(DISTINCT f.id) AS n FROM failures f WHERE f.deployed_at >= bounds[1] AND f.deployed_at < v.bound GROUP BY 1),
    repaired AS (
        SELECT width_bucket(f.repaired_at, bounds) AS place, count(DISTINCT f.repair_id) AS n FROM failures f WHERE f.repaired_at >= bounds[1] GROUP BY 1),
    recovered AS (
        SELECT width_bucket(f.recovered_at, bounds) AS place, vsm._summary(vsm._elapsed_us(f.failed_at, f.recovered_at), true) AS time
        FROM failures f WHERE f.recovered_at >= bounds[1] AND f.recovered_at < v.bound GROUP BY 1)
    SELECT b.bucket, coalesce(d.n, 0), round(coalesce(d.n, 0) / nullif(b.days, 0), 4), (l.lead).p50,
           round(coalesce(f.n, 0) / nullif(d.n, 0)::numeric, 4), (c.time).p50,
           round((coalesce(r.n, 0) + coalesce(d.rework, 0)) / nullif(d.n, 0)::numeric, 4),
           coalesce((l.lead).n, 0), coalesce(f.n, 0), coalesce((c.time).n, 0), coalesce(r.n, 0) + coalesce(d.rework, 0),
           counted, b.since, b.until
    FROM buckets b
    LEFT JOIN leads l ON l.place = b.place
    LEFT JOIN deployed d ON d.place = b.place
    LEFT JOIN failed f ON f.place = b.place
    LEFT JOIN repaired r ON r.place = b.place
    LEFT JOIN recovered c ON c.place = b.place
    ORDER BY b.place;
END $$;
COMMENT ON FUNCTION vsm.dora(text, timestamptz, timestamptz, text, text, jsonb, timestamptz, text, text, text) IS
    'The software delivery figures of DORA (dora.dev), one row for each day, week or month (bucket; null: the window), as of its end. Deployments are '
    'those of vsm.deployments if the stream has any before until, or else every entry of an item into done; source chooses: items or deployments. deployment_frequency: per day. '
    'change_lead_time: median time from creation to finish of the items finished, as of the window''s end, or from an item''s first entry into from_stage '
    'to its first into to_stage after it. change_fail_rate: deployments that failed / deployments; an incident is that of the deployment it names, else of the latest before '
    'it, and a mark of vsm.mark_failure() that of the item''s latest completion. failed_deployment_recovery_time: median, of the failures that recovered in the bucket. '
    'rework_rate: unplanned deployments / deployments; of items, the first completion after each deployment that failed. Failures and recoveries from until on do not count. '
    'type and attributes limit what comes from items. Rates are 0 to 1, null without deployments. Errors: PT404, PT422.';

CREATE TYPE vsm.flow_framework_figures AS (
    bucket date,
    flow_velocity bigint,
    flow_time interval,                     -- average
    flow_efficiency numeric,                -- 0 to 1
    flow_load numeric,
    flow_distribution jsonb,
    flow_time_p50 interval,
    flow_time_p85 interval,
    since timestamptz,
    until timestamptz,
    reopen_rule text
);
COMMENT ON TYPE vsm.flow_framework_figures IS 'A row of vsm.flow_framework().';

CREATE FUNCTION vsm.flow_framework(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '30 days',
                                   until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT NULL, type text DEFAULT NULL,
                                   reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.flow_framework_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    bounds timestamptz[] := vsm._bounds(v, bucket);
BEGIN
    bounds[1] := since;         -- as it was given, so it may be infinite
    PERFORM vsm._plan(true, type IS NOT NULL);
    RETURN QUERY
    SELECT b.bucket, coalesce(((f.finished).lead).n, 0), ((f.finished).lead).avg,
           (f.finished).active_us / nullif((f.finished).active_us + (f.finished).wait_us, 0), w.wip, coalesce(f.types, '{}'),
           ((f.finished).lead).p50, ((f.finished).lead).p85, b.since, b.until, v.reopen_rule
    FROM vsm._buckets_or_window(v, bucket) b
    LEFT JOIN vsm._finished_by_bucket(v.stream_id, bounds, v.reopen_rule, v.type, attributes, known_at) f ON f.place = b.place
    LEFT JOIN vsm._flow_by_bucket(v, bounds, v.type, attributes, known_at) w ON w.place = b.place
    ORDER BY b.place;
END $$;
COMMENT ON FUNCTION vsm.flow_framework(text, timestamptz, timestamptz, text, text, text, jsonb, timestamptz) IS
    'The five figures of the Flow Framework (Kersten), one row for each day, week or month (bucket; null: the window), as of its end: flow_velocity, items '
    'finished; flow_time, average lead time of these, with percentiles by percentile_disc; flow_efficiency, active / (active + wait time) between start and finish, a ratio of sums; flow_load, '
    'average of the items neither finished nor discarded; flow_distribution, items finished of each type. Errors: PT404, PT422.';
