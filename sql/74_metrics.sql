-- 74_metrics: every flow figure of a window in one row

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
CREATE FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz,
                                    interval, interval, integer, integer, timestamptz, timestamptz, timestamptz,
                                    timestamptz, boolean, boolean) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__flow_sums_step';
COMMENT ON FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz,
                                        interval, interval, integer, integer, timestamptz, timestamptz, timestamptz,
                                        timestamptz, boolean, boolean) IS 'Adds an item.';
CREATE FUNCTION vsm._flow_sums_row(internal) RETURNS vsm._flow_sums
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__flow_sums_row';
COMMENT ON FUNCTION vsm._flow_sums_row(internal) IS 'The sums over the items.';
CREATE AGGREGATE vsm._flow_sums(id bigint, stage_id bigint, created_at timestamptz, stage_entered_at timestamptz,
                                started_at timestamptz, completed_at timestamptz, active_time interval,
                                wait_time interval, reopened integer, backward_moves integer, since timestamptz,
                                bound timestamptz, wip_since timestamptz, wip_until timestamptz, less_done boolean,
                                exact boolean) (
    SFUNC = vsm._flow_sums_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._flow_sums_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._flow_sums(bigint, bigint, timestamptz, timestamptz, timestamptz, timestamptz, interval,
                                    interval, integer, integer, timestamptz, timestamptz, timestamptz, timestamptz,
                                    boolean, boolean) IS
    'What the work items alone say about [since, bound): arrivals; open and started now; area under the WIP curve '
    'of [wip_since, wip_until); reopenings and backward moves of items whose moves all lie in the window, and the '
    'ids of the other items (cut); ids of items that were once done; lead and cycle time, active and wait time of '
    'items that finished in the window (cycle time with less_done: by sum_active, else by span_first_last); exact: '
    'as vsm._summary.';

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

-- One pass over the items gives nearly everything, however long the ledger is (src/figures/flow.c).  The ledger is read
-- for items that a bound of the window cuts or that were reopened, and for the reopen rules that need it.
CREATE FUNCTION vsm.metrics(stream text DEFAULT 'default',
                            since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                            until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                            reopen_rule text DEFAULT NULL, exact boolean DEFAULT true)
    RETURNS SETOF vsm.flow_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule);
    -- WIP is averaged up to now when the window has not ended
    wip_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
    done_stages CONSTANT bigint[] := ARRAY(
        SELECT s.id FROM vsm.stages s WHERE s.stream = v.stream AND s.category = 'done');
    exactly CONSTANT boolean := coalesce(exact, true);
    i vsm._flow_sums;
    cut record;             -- moves in the window of items that were there before it or moved after it
    gaps numeric;           -- stays in done that a reopening ended: the item was not in progress
BEGIN
    SELECT (a.sums).* INTO i
    FROM (SELECT vsm._flow_sums(w.id, w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at,
                                w.active_time, w.wait_time, w.reopened, w.backward_moves, metrics.since, v.bound, v.since,
                                wip_until, v.reopen_rule = 'sum_active', exactly) AS sums
          FROM vsm.work_items w
          WHERE w.stream = v.stream AND (metrics.type IS NULL OR w.type = metrics.type)
            -- the other items were finished before the window and have not moved since
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
    'Every flow figure of a window, one row. throughput: items finished in the window, each at its latest '
    'completion; arrivals: created in it; wip: time-weighted average (up to now when until lies ahead); wip_now and '
    'started_wip_now: at this moment; lead_time: creation to finish, cycle_time: start to finish by the reopen '
    'rule, of the items finished in the window; percentiles by percentile_disc: exact, or else from a sketch and '
    'within percentile_error; flow_efficiency: active / (active + wait), 0 to 1; finished_never_started: finished '
    'without a cycle time; reopened, backward_moves: moves in the window. reopen_rule: by default that of the '
    'stream. Errors: PT404, PT422.';
