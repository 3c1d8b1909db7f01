-- 74_metrics: every flow figure of a window in one row

CREATE TYPE vsm._flow_sums AS (
    arrivals bigint,
    departures bigint,
    returns bigint,
    discarded bigint,
    reopened bigint,
    backward_moves bigint,
    open_change bigint,
    started_change bigint,
    open_outside bigint,
    started_outside bigint,
    open_us numeric,
    started_us numeric,
    lead vsm._duration_summary,
    cycle vsm._duration_summary,
    active_us numeric,
    wait_us numeric
);
CREATE FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, bigint, bigint, smallint, timestamptz, timestamptz, interval,
                                    interval, timestamptz, timestamptz, timestamptz, boolean, boolean, bigint[], timestamptz[]) RETURNS internal
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__flow_sums_step';
COMMENT ON FUNCTION vsm._flow_sums_step(internal, bigint, bigint, timestamptz, bigint, bigint, smallint, timestamptz, timestamptz, interval,
                                        interval, timestamptz, timestamptz, timestamptz, boolean, boolean, bigint[], timestamptz[]) IS 'Adds a move.';
CREATE FUNCTION vsm._flow_sums_row(internal) RETURNS vsm._flow_sums
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'vsm__flow_sums_row';
COMMENT ON FUNCTION vsm._flow_sums_row(internal) IS 'The sums over the moves.';
CREATE AGGREGATE vsm._flow_sums(work_item_id bigint, id bigint, "timestamp" timestamptz, from_stage_id bigint, to_stage_id bigint,
                                started_change smallint, item_created_at timestamptz, item_started_at timestamptz,
                                active_time interval, wait_time interval, since timestamptz, bound timestamptz, wip_until timestamptz,
                                less_done boolean, exact boolean, undone_items bigint[], undone_at timestamptz[]) (
    SFUNC = vsm._flow_sums_step, STYPE = internal, SSPACE = 8192,
    FINALFUNC = vsm._flow_sums_row, FINALFUNC_MODIFY = SHAREABLE, PARALLEL = RESTRICTED
);
COMMENT ON AGGREGATE vsm._flow_sums(bigint, bigint, timestamptz, bigint, bigint, smallint, timestamptz, timestamptz, interval, interval,
                                    timestamptz, timestamptz, timestamptz, boolean, boolean, bigint[], timestamptz[]) IS
    'What moves say about [since, bound). Those in it: arrivals and other counts; open_change and '
    'started_change: what they add to WIP and started WIP, and the areas under these two from each move to wip_until; lead and '
    'cycle time, active and wait time of the completions, without one for each pair of undone_items and undone_at (cycle time '
    'with less_done: by sum_active, else by span_first_last); exact: as vsm._summary. Other moves: open_outside, started_outside, what they add to WIP and started WIP.';

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
    percentile_error double precision,      -- relative, at most; 0 when exact
    departures bigint,
    returns bigint,
    discarded bigint,
    started_wip numeric,
    open_at_since bigint,
    open_at_until bigint,
    started_at_since bigint,
    started_at_until bigint,
    attributes jsonb,
    known_at timestamptz
);
COMMENT ON TYPE vsm.flow_figures IS 'The row of vsm.metrics().';

CREATE FUNCTION vsm._open_change(of_stream_id bigint, since timestamptz, by_cells boolean, of_type text)
    RETURNS TABLE (open bigint, started bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY[_open_change.since, 'infinity'], by_cells, vsm._units(of_type)) p)
    SELECT coalesce(sum(x.open), 0)::bigint, coalesce(sum(x.started), 0)::bigint
    FROM (SELECT c.arrivals + c.returns - c.departures - c.discarded AS open, c.started_change AS started
          FROM pieces p
          CROSS JOIN LATERAL (
              SELECT * FROM vsm._item_cells c
              WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
              OFFSET 0) c
          WHERE p.folded
          UNION ALL
          SELECT m.n * ((e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0)), m.started_change
          FROM (SELECT m.from_stage_id, m.to_stage_id, count(*) AS n, sum(m.started_change) AS started_change
                FROM pieces p
                CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_stream_id, p.since, p.until, of_type, NULL) OFFSET 0) m
                WHERE NOT p.folded GROUP BY 1, 2) m
          JOIN vsm.stages e ON e.id = m.to_stage_id
          LEFT JOIN vsm.stages l ON l.id = m.from_stage_id) x;
END;
COMMENT ON FUNCTION vsm._open_change(bigint, timestamptz, boolean, text) IS
    'What all moves from an instant on change: items in progress, and those of them that have started.';

-- One pass over moves gives nearly everything (src/figures/flow.c).  What was open at the window's bounds is counted from
-- the nearer end of the history: on from the first move, or back from what is open now.  Where folding keeps up, what is open now
-- is counted on from the window's end: the rest of today's moves are fewer than the open items.
CREATE FUNCTION vsm.metrics(stream text DEFAULT 'default',
                            since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                            until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                            reopen_rule text DEFAULT NULL, exact boolean DEFAULT true, attributes jsonb DEFAULT NULL,
                            known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.flow_figures
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    -- WIP is averaged up to now when the window has not ended
    wip_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
    wip_us CONSTANT bigint := vsm._elapsed_us(v.since, wip_until);
    exactly CONSTANT boolean := coalesce(exact, true);
    by_replay CONSTANT boolean := v.reopen_rule IN ('span_last', 'sum_started', 'episodes');
    undone record;          -- completions in the window that a move in it has ended
    events CONSTANT record := vsm._events_span(v.stream_id, known_at);
    -- WIP of a window that has not ended is averaged up to now, which lies in no folded span unless the clock was set back
    folded_until CONSTANT timestamptz := (
        SELECT s.until FROM vsm._spans s WHERE s.stream_id = v.stream_id AND s.unit = 'd' ORDER BY s.since DESC LIMIT 1);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at) AND folded_until <= clock_timestamp();
    completed_by_cells CONSTANT boolean := by_cells AND vsm._by_cells(v.stream_id, attributes, known_at, v.reopen_rule);
    -- known moves are all read in any case
    from_first CONSTANT boolean := known_at IS NOT NULL OR by_cells
        OR isfinite(since) AND isfinite(until) AND since - events.first < events.last - until;
    cuts CONSTANT timestamptz[] := CASE WHEN from_first THEN ARRAY['-infinity', since, v.bound] ELSE ARRAY[since, v.bound, 'infinity'] END;
    i vsm._flow_sums;
    cells record;           -- what folded spans add
    f vsm._finished;
    now record;             -- items in progress now
    never_started bigint;
BEGIN
    PERFORM vsm._plan(completed_by_cells, type IS NOT NULL);
    SELECT array_agg(m.work_item_id) AS items, array_agg(m.undoes) AS at INTO undone
    FROM vsm._moves(v.stream_id, metrics.since, v.bound, v.type, metrics.attributes, metrics.known_at) m
    WHERE m.undoes >= metrics.since
      AND NOT by_cells AND (NOT by_replay OR v.reopen_rule = 'span_last');      -- else completions are counted below
    SELECT (a.sums).* INTO i
    FROM (SELECT vsm._flow_sums(m.work_item_id, m.id, m."timestamp", m.from_stage_id, m.to_stage_id, m.started_change, m.item_created_at,
                                m.item_started_at, m.active_time, m.wait_time, metrics.since, v.bound, wip_until,
                                v.reopen_rule = 'sum_active', exactly, undone.items, undone.at) AS sums
          FROM vsm._pieces(v.stream_id, cuts, by_cells, vsm._units(v.type)) p
          CROSS JOIN LATERAL vsm._moves(v.stream_id, p.since, p.until, v.type, metrics.attributes, metrics.known_at) m
          WHERE NOT p.folded) a;
    SELECT coalesce(sum(c.arrivals + c.returns - c.departures - c.discarded) FILTER (WHERE p.place = 1), 0) AS open_before,
           coalesce(sum(c.started_change) FILTER (WHERE p.place = 1), 0) AS started_before,
           coalesce(sum(c.arrivals) FILTER (WHERE p.place = 2), 0) AS arrivals,
           coalesce(sum(c.departures) FILTER (WHERE p.place = 2), 0) AS departures,
           coalesce(sum(c.returns) FILTER (WHERE p.place = 2), 0) AS returns,
           coalesce(sum(c.discarded) FILTER (WHERE p.place = 2), 0) AS discarded,
           coalesce(sum(c.reopened) FILTER (WHERE p.place = 2), 0) AS reopened,
           coalesce(sum(c.backward_moves) FILTER (WHERE p.place = 2), 0) AS backward_moves,
           coalesce(sum(c.started_change) FILTER (WHERE p.place = 2), 0) AS started_change,
           coalesce(sum(c.open_us + (c.arrivals + c.returns - c.departures - c.discarded) * vsm._elapsed_us(p.until, wip_until)::numeric)
                    FILTER (WHERE p.place = 2), 0) AS open_us,
           coalesce(sum(c.started_us + c.started_change * vsm._elapsed_us(p.until, wip_until)::numeric) FILTER (WHERE p.place = 2), 0) AS started_us
    INTO cells
    FROM vsm._pieces(v.stream_id, cuts, by_cells, vsm._units(v.type)) p
    CROSS JOIN LATERAL (
        SELECT * FROM vsm._item_cells c
        WHERE c.stream_id = v.stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(v.type)), 0)
        OFFSET 0) c
    WHERE p.folded;
    i.arrivals := coalesce(i.arrivals, 0) + cells.arrivals;
    i.departures := coalesce(i.departures, 0) + cells.departures;
    i.returns := coalesce(i.returns, 0) + cells.returns;
    i.discarded := coalesce(i.discarded, 0) + cells.discarded;
    i.reopened := coalesce(i.reopened, 0) + cells.reopened;
    i.backward_moves := coalesce(i.backward_moves, 0) + cells.backward_moves;
    i.open_change := coalesce(i.open_change, 0) + cells.arrivals + cells.returns - cells.departures - cells.discarded;
    i.started_change := coalesce(i.started_change, 0) + cells.started_change;
    i.open_outside := coalesce(i.open_outside, 0) + cells.open_before;
    i.started_outside := coalesce(i.started_outside, 0) + cells.started_before;
    i.open_us := coalesce(i.open_us, 0) + cells.open_us;
    i.started_us := coalesce(i.started_us, 0) + cells.started_us;
    IF by_cells AND folded_until > clock_timestamp() - interval '2 days' THEN
        SELECT i.open_outside + i.open_change + c.open AS open, i.started_outside + i.started_change + c.started AS started INTO now
        FROM vsm._open_change(v.stream_id, v.bound, by_cells, v.type) c;
    ELSIF metrics.known_at IS NULL THEN
        SELECT count(*) AS open, count(w.started_at) AS started INTO now
        FROM vsm.work_items w
        WHERE w.stream = v.stream AND w.completed_at IS NULL AND w.discarded_at IS NULL
          AND (v.type IS NULL OR w.type = v.type)
          AND (metrics.attributes IS NULL OR w.attributes @> metrics.attributes);
    ELSE
        SELECT coalesce(sum((e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0)), 0)::bigint AS open,
               coalesce(sum(k.started_change), 0)::bigint AS started INTO now
        FROM vsm._known_moves(v.stream_id, v.type, metrics.attributes, metrics.known_at) k
        JOIN vsm.stages e ON e.id = k.to_stage_id
        LEFT JOIN vsm.stages l ON l.id = k.from_stage_id;
    END IF;
    never_started := coalesce((i.lead).n - (i.cycle).n, 0);
    IF completed_by_cells THEN
        SELECT x.* INTO f FROM vsm._finished_in(v.stream_id, metrics.since, v.bound, v.reopen_rule, v.type, exactly) x;
        i.lead := f.lead;
        i.cycle := f.cycle;
        i.active_us := f.active_us;
        i.wait_us := f.wait_us;
        never_started := coalesce(f.never_started, 0);
    ELSIF by_replay OR by_cells THEN
        SELECT vsm._summary(vsm._elapsed_us(c.created_at, c.completed_at), exactly), vsm._summary(c.cycle_us, exactly),
               sum(c.active_us), sum(c.wait_us)
        INTO i.lead, i.cycle, i.active_us, i.wait_us
        FROM vsm._completed(v.stream_id, metrics.since, v.bound, v.reopen_rule, v.type, metrics.attributes, metrics.known_at) c;
        IF v.reopen_rule <> 'span_last' THEN
            never_started := coalesce((i.lead).n - (i.cycle).n, 0);
        ELSIF by_cells THEN         -- i had the rest only
            SELECT count(*) INTO never_started
            FROM vsm._completed(v.stream_id, metrics.since, v.bound, 'span_first_last', v.type, metrics.attributes, metrics.known_at) c
            WHERE c.cycle_us IS NULL;
        END IF;
    END IF;

    RETURN QUERY
    SELECT v.stream, v.since, v.until, v.time_zone, v.reopen_rule, 'percentile_disc',
           coalesce((i.lead).n, 0), coalesce(i.arrivals, 0),
           (b.open_since::numeric * wip_us + coalesce(i.open_us, 0)) / nullif(wip_us, 0),
           now.open, now.started,
           coalesce((i.lead).n, 0), (i.lead).avg, (i.lead).p50, (i.lead).p70, (i.lead).p85, (i.lead).p95,
           coalesce((i.cycle).n, 0), (i.cycle).avg, (i.cycle).p50, (i.cycle).p70, (i.cycle).p85, (i.cycle).p95,
           i.active_us / nullif(i.active_us + i.wait_us, 0), never_started,
           coalesce(i.reopened, 0), coalesce(i.backward_moves, 0), v.type,
           CASE WHEN exactly THEN 0::double precision ELSE 0.01::double precision END,
           coalesce(i.departures, 0), coalesce(i.returns, 0), coalesce(i.discarded, 0),
           (b.started_since::numeric * wip_us + coalesce(i.started_us, 0)) / nullif(wip_us, 0),
           b.open_since, b.open_until, b.started_since, b.started_until,
           metrics.attributes, metrics.known_at
    FROM (SELECT o.open_since, o.started_since, o.open_since + coalesce(i.open_change, 0) AS open_until,
                 o.started_since + coalesce(i.started_change, 0) AS started_until
          FROM (SELECT CASE WHEN from_first THEN coalesce(i.open_outside, 0)
                            ELSE now.open - coalesce(i.open_outside, 0) - coalesce(i.open_change, 0) END AS open_since,
                       CASE WHEN from_first THEN coalesce(i.started_outside, 0)
                            ELSE now.started - coalesce(i.started_outside, 0) - coalesce(i.started_change, 0) END AS started_since) o) b;
END $$;
COMMENT ON FUNCTION vsm.metrics(text, timestamptz, timestamptz, text, text, boolean, jsonb, timestamptz) IS
    'Every flow figure of a window, one row, by the moves before until. throughput: items that are finished at until, at their latest '
    'completion, if it lies in the window; arrivals: created; departures: entries into done; returns: exits from done or discarded; '
    'discarded: entries into discarded; open_at_until = open_at_since + arrivals + returns - departures - discarded; wip and '
    'started_wip: time-weighted averages (up to now when until lies ahead) of the items that are neither finished nor discarded, and '
    'of those that have started; wip_now and started_wip_now: at this moment; lead_time: creation to finish, cycle_time: start to '
    'finish by the reopen rule, of the items that throughput counts; percentiles by percentile_disc: exact, or else from a sketch '
    'and within percentile_error; flow_efficiency: active / (active + wait), 0 to 1; finished_never_started: finished without ever '
    'starting; reopened: exits from done, backward_moves. reopen_rule: by default that of the stream. attributes: only items that '
    'have these. known_at: as it was known then. Errors: PT404, PT422.';
