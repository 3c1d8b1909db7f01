-- 75_flow_metrics: figures of days, weeks and months, kept for charts of long periods

CREATE SEQUENCE vsm.flow_metrics_id_seq;
CREATE TABLE vsm.flow_metrics (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.flow_metrics_id_seq'),
    stream text NOT NULL CHECK (char_length(stream) <= 150),
    date date NOT NULL,
    period_type text NOT NULL CHECK (period_type IN ('day', 'week', 'month')),
    throughput bigint NOT NULL,
    wip numeric NOT NULL,
    cycle_time_avg interval,
    cycle_time_p50 interval,
    cycle_time_p85 interval,
    cycle_time_p95 interval,
    sketch vsm.interval_sketch,
    created_at timestamptz NOT NULL,
    started_wip numeric NOT NULL,
    UNIQUE (stream, period_type, date)
);
ALTER SEQUENCE vsm.flow_metrics_id_seq OWNED BY vsm.flow_metrics.id;
COMMENT ON TABLE vsm.flow_metrics IS
    'Figures of the days, weeks and months of each stream in its time zone, as vsm.refresh_flow_metrics() last '
    'computed them.';
COMMENT ON COLUMN vsm.flow_metrics.date IS 'First day of the period; weeks begin on Monday.';
COMMENT ON COLUMN vsm.flow_metrics.throughput IS 'Items that are finished at the period''s end, at their latest completion, if it lies in the period.';
COMMENT ON COLUMN vsm.flow_metrics.wip IS
    'Time-weighted average of the items in progress; in a period that has not ended, up to created_at.';
COMMENT ON COLUMN vsm.flow_metrics.started_wip IS 'Likewise of those that have started.';
COMMENT ON COLUMN vsm.flow_metrics.cycle_time_avg IS
    'Average cycle time of the items finished in the period, by the stream''s reopen rule; exact.';
COMMENT ON COLUMN vsm.flow_metrics.cycle_time_p50 IS
    'By the rule of percentile_disc from sketch, within 1 percent; likewise cycle_time_p85 and cycle_time_p95.';
COMMENT ON COLUMN vsm.flow_metrics.sketch IS
    'Sketch of the cycle times, for any percentile of any set of rows: vsm.rollup().';
COMMENT ON COLUMN vsm.flow_metrics.created_at IS 'When the row was computed.';
SELECT pg_extension_config_dump('vsm.flow_metrics', '');
SELECT pg_extension_config_dump('vsm.flow_metrics_id_seq', '');

CREATE FUNCTION vsm._flow_metrics_added() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_relid <> 'vsm.flow_metrics'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'table vsm.flow_metrics');
    END IF;
    PERFORM vsm._require_stream(n.stream, tg_relid, vsm._restores(tg_relid), false) FROM (SELECT DISTINCT a.stream FROM added a ORDER BY 1) n;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._flow_metrics_added() IS 'Refuses figures of streams that are not there.';
CREATE TRIGGER rows_checked AFTER INSERT ON vsm.flow_metrics
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION vsm._flow_metrics_added();

-- Each period by itself, as it was seen at its end: a completion counts if no move of the period has ended it.  In the
-- average WIP, each change of the number of items in progress counts for the time that is left of its period, and for every
-- later period in full.  What was in progress before the first is summed up from cells; without any, it is what is in
-- progress now, less what has changed since.
CREATE FUNCTION vsm._flow_periods(of_stream text, of_stream_id bigint, period text, first date, last date, bound timestamptz,
                                  time_zone text, rule text)
    RETURNS TABLE (date date, throughput bigint, wip numeric, cycle_time_avg interval, sketch vsm.interval_sketch,
                   started_wip numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH periods AS MATERIALIZED (
        SELECT p::date AS date, vsm._starts(p::date, time_zone) AS since,
               least(bound, vsm._starts((p + ('1 ' || period)::interval)::date, time_zone)) AS until
        FROM generate_series(first::timestamp, last::timestamp, ('1 ' || period)::interval) p),
    cells AS MATERIALIZED (SELECT vsm._by_cells(of_stream_id, NULL, NULL, rule) AS exist),
    pieces AS MATERIALIZED (
        SELECT p.*
        FROM cells c
        CROSS JOIN (SELECT array_agg(p.since ORDER BY p.since) || max(p.until) AS cuts FROM periods p) x
        CROSS JOIN LATERAL vsm._pieces(of_stream_id, CASE WHEN c.exist THEN timestamptz '-infinity' || x.cuts ELSE x.cuts || timestamptz 'infinity' END,
                                       c.exist, 'md') p),
    -- of one period each; date: null, before the first or after the last
    parts AS MATERIALIZED (
        SELECT d.date, d.since AS period_since, d.until AS period_until, p.folded, p.unit, p.since, p.until
        FROM pieces p LEFT JOIN periods d ON p.since >= d.since AND p.since < d.until WHERE p.folded
        UNION ALL
        SELECT d.date, d.since, d.until, false, NULL::"char" AS unit, greatest(p.since, d.since), least(p.until, d.until)
        FROM pieces p JOIN periods d ON p.since < d.until AND p.until > d.since WHERE NOT p.folded
        UNION ALL
        SELECT NULL::date AS date, NULL::timestamptz AS period_since, NULL::timestamptz AS period_until, false, NULL::"char" AS unit,
               p.since, least(p.until, vsm._starts(first, time_zone))
        FROM pieces p WHERE NOT p.folded AND p.since < vsm._starts(first, time_zone)
        UNION ALL
        SELECT NULL::date AS date, NULL::timestamptz AS period_since, NULL::timestamptz AS period_until, false, NULL::"char" AS unit,
               greatest(p.since, (SELECT max(d.until) FROM periods d)), p.until
        FROM pieces p WHERE NOT p.folded AND p.until > (SELECT max(d.until) FROM periods d)),
    changes AS (
        SELECT p.date, sum(c.arrivals + c.returns - c.departures - c.discarded) AS change, sum(c.started_change) AS started_change,
               sum(c.open_us + (c.arrivals + c.returns - c.departures - c.discarded) * vsm._elapsed_us(p.until, p.period_until)::numeric) AS area,
               sum(c.started_us + c.started_change * vsm._elapsed_us(p.until, p.period_until)::numeric) AS started_area
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = 0 OFFSET 0) c
        WHERE p.folded GROUP BY 1
        UNION ALL
        SELECT p.date, sum(m.change), sum(m.started_change), sum(m.change * vsm._elapsed_us(m.at, p.period_until)::numeric),
               sum(m.started_change * vsm._elapsed_us(m.at, p.period_until)::numeric)
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT m."timestamp" AS at, coalesce(m.started_change, 0) AS started_change,
                   (e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0) AS change
            FROM (SELECT * FROM vsm._ledger_moves(of_stream_id, p.since, p.until, NULL, NULL) OFFSET 0) m
            JOIN vsm.stages e ON e.id = m.to_stage_id
            LEFT JOIN vsm.stages l ON l.id = m.from_stage_id) m
        WHERE NOT p.folded GROUP BY 1),
    areas AS (
        SELECT p.date, p.since, p.until, coalesce(sum(c.change), 0) AS change, coalesce(sum(c.area), 0) AS area,
               coalesce(sum(c.started_change), 0) AS started_change, coalesce(sum(c.started_area), 0) AS started_area
        FROM periods p LEFT JOIN changes c ON c.date = p.date GROUP BY 1, 2, 3),
    before AS (
        SELECT CASE WHEN (SELECT c.exist FROM cells c) THEN o.outside ELSE n.items - o.outside - o.inside END AS items,
               CASE WHEN (SELECT c.exist FROM cells c) THEN o.started_outside ELSE n.started - o.started_outside - o.started_inside END AS started
        FROM (SELECT coalesce(sum(c.change) FILTER (WHERE c.date IS NULL), 0) AS outside, coalesce(sum(c.change) FILTER (WHERE c.date IS NOT NULL), 0) AS inside,
                     coalesce(sum(c.started_change) FILTER (WHERE c.date IS NULL), 0) AS started_outside,
                     coalesce(sum(c.started_change) FILTER (WHERE c.date IS NOT NULL), 0) AS started_inside
              FROM changes c) o
        CROSS JOIN (SELECT count(*) AS items, count(w.started_at) AS started
                    FROM vsm.work_items w WHERE w.stream = of_stream AND w.completed_at IS NULL AND w.discarded_at IS NULL) n),
    completed AS (
        SELECT f.date, vsm._finished_sums(f.never_started, f.lead_us, f.cycle_us, f.active_us, f.wait_us, f.lead_sketch, f.cycle_sketch, f.leads, f.cycles,
                                          f.undone_at, f.undone_leads, f.undone_cycles, f.undone_active, f.undone_wait, f.period_since, false) AS sums
        FROM (SELECT p.date, p.period_since, c.never_started, c.lead_us, c.cycle_us, c.active_us, c.wait_us, c.lead_sketch, c.cycle_sketch, c.leads, c.cycles,
                     c.undone_at, c.undone_leads, c.undone_cycles, c.undone_active, c.undone_wait
              FROM parts p
              CROSS JOIN LATERAL (
                  SELECT * FROM vsm._item_cells c
                  WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = 0 OFFSET 0) c
              WHERE p.folded AND p.date IS NOT NULL
              UNION ALL
              SELECT p.date, p.period_since, l.never_started, NULL::numeric AS lead_us, NULL::numeric AS cycle_us, l.active_us, l.wait_us,
                     NULL::vsm.sketch AS lead_sketch, NULL::vsm.sketch AS cycle_sketch, l.leads, l.cycles, NULL::timestamptz[] AS undone_at,
                     NULL::bigint[] AS undone_leads, NULL::bigint[] AS undone_cycles, NULL::bigint[] AS undone_active, NULL::bigint[] AS undone_wait
              FROM parts p CROSS JOIN LATERAL vsm._finished_lists(of_stream_id, p.since, p.until, rule, NULL) l
              WHERE NOT p.folded AND p.date IS NOT NULL
              UNION ALL
              SELECT p.date, p.period_since, 0, NULL::numeric AS lead_us, NULL::numeric AS cycle_us, 0, 0,
                     NULL::vsm.sketch AS lead_sketch, NULL::vsm.sketch AS cycle_sketch, NULL::bigint[] AS leads, NULL::bigint[] AS cycles,
                     u.undone_at, u.undone_leads, u.undone_cycles, u.undone_active, u.undone_wait
              FROM parts p CROSS JOIN LATERAL vsm._undone_lists(of_stream_id, p.since, p.until, rule, NULL) u
              WHERE NOT p.folded AND p.date IS NOT NULL AND p.since > p.period_since) f
        GROUP BY 1)
    SELECT a.date, coalesce((c.sums).finished, 0),
           coalesce((a.area + vsm._elapsed_us(a.since, a.until) * (b.items + sum(a.change) OVER (ORDER BY a.date) - a.change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0),
           vsm._interval(round((c.sums).cycle_us / nullif((c.sums).cycles, 0))::bigint),
           CASE WHEN (c.sums).finished > 0 THEN (c.sums).cycle_sketch::vsm.interval_sketch END,
           coalesce((a.started_area + vsm._elapsed_us(a.since, a.until) * (b.started + sum(a.started_change) OVER (ORDER BY a.date) - a.started_change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0)
    FROM areas a CROSS JOIN before b LEFT JOIN completed c ON c.date = a.date;
END;
COMMENT ON FUNCTION vsm._flow_periods(text, bigint, text, date, date, timestamptz, text, text) IS
    'Figures of days, weeks or months, as in vsm.flow_metrics, from that which begins at first to that which holds last; those of a '
    'period that has not ended up to bound, which lies after the start of the last.';

CREATE FUNCTION vsm.refresh_flow_metrics(stream text DEFAULT 'default', since timestamptz DEFAULT '-infinity',
                                         until timestamptz DEFAULT clock_timestamp()) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm_refresh_flow_metrics';

-- Called as the owner by src/roles/on_behalf.c: the figures of a stream need all of its items.
CREATE FUNCTION vsm._refresh_flow_metrics(stream text, since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    present CONSTANT timestamptz := clock_timestamp();
    -- times before 1970 are refused, so do not walk through the days from year 1 on
    earliest CONSTANT timestamptz := '1970-01-01 00:00:00+00';
    v CONSTANT vsm._window := vsm._window(
        stream,
        CASE WHEN isfinite(since) AND since < earliest THEN earliest ELSE since END,
        CASE WHEN isfinite(until) AND until < earliest AND until >= since THEN earliest ELSE least(until, present) END);
    -- the Monday of the week in which the month of since begins
    first_day CONSTANT date := date_trunc('week', date_trunc('month', v.since AT TIME ZONE v.time_zone))::date;
    last_day CONSTANT date := (v.until AT TIME ZONE v.time_zone)::date;
    born CONSTANT timestamp := (SELECT e.first FROM vsm._events_span(v.stream_id, NULL) e) AT TIME ZONE v.time_zone;
    -- the last week or month may go on after the window; a refresh that names a past window leaves nothing out of it
    bound CONSTANT timestamptz := present;
    period text;
    start date;
    changed bigint;
    written bigint := 0;
BEGIN
    -- who deletes the stream comes before, or waits
    PERFORM vsm._keep_stream(v.stream, false);
    -- one refresh at a time; any role could hold an advisory lock
    LOCK TABLE vsm.flow_metrics IN SHARE ROW EXCLUSIVE MODE;
    FOREACH period IN ARRAY ARRAY['day', 'week', 'month'] LOOP
        start := CASE period WHEN 'month' THEN date_trunc('month', v.since AT TIME ZONE v.time_zone)::date ELSE first_day END;
        WITH rows AS MATERIALIZED (
            SELECT p.*
            FROM vsm._flow_periods(v.stream, v.stream_id, period, greatest(start, date_trunc(period, born)::date), last_day, bound,
                                   v.time_zone, v.reopen_rule) p
            WHERE born::date <= last_day),
        gone AS (
            DELETE FROM vsm.flow_metrics f
            WHERE f.stream = v.stream AND f.period_type = period AND f.date BETWEEN start AND last_day
              AND f.date NOT IN (SELECT r.date FROM rows r)      -- hashed, however few rows the planner expects
            RETURNING f.id),
        kept AS (
            INSERT INTO vsm.flow_metrics AS f (stream, date, period_type, throughput, wip, cycle_time_avg,
                                               cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch, created_at, started_wip)
            SELECT v.stream, r.date, period, r.throughput, r.wip, r.cycle_time_avg,
                   vsm.approx_percentile(0.5, r.sketch), vsm.approx_percentile(0.85, r.sketch),
                   vsm.approx_percentile(0.95, r.sketch), r.sketch, present, r.started_wip
            FROM rows r ORDER BY r.date
            ON CONFLICT ON CONSTRAINT flow_metrics_stream_period_type_date_key DO UPDATE
            SET throughput = excluded.throughput, wip = excluded.wip, cycle_time_avg = excluded.cycle_time_avg,
                cycle_time_p50 = excluded.cycle_time_p50, cycle_time_p85 = excluded.cycle_time_p85,
                cycle_time_p95 = excluded.cycle_time_p95, sketch = excluded.sketch, created_at = excluded.created_at,
                started_wip = excluded.started_wip
            -- a period that had not ended when it was computed is written again; one that has ended, if it differs
            WHERE f.created_at < vsm._starts((f.date + ('1 ' || period)::interval)::date, v.time_zone)
               OR (f.throughput, f.wip, f.cycle_time_avg, f.started_wip)
                  IS DISTINCT FROM (excluded.throughput, excluded.wip, excluded.cycle_time_avg, excluded.started_wip)
               OR NOT coalesce(f.sketch OPERATOR(vsm.=) excluded.sketch, f.sketch IS NULL AND excluded.sketch IS NULL)
            RETURNING f.id)
        SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM kept) INTO changed;
        written := written + changed;
    END LOOP;
    RETURN written;
END $$;
COMMENT ON FUNCTION vsm._refresh_flow_metrics(text, timestamptz, timestamptz) IS
    'The owner''s part of vsm.refresh_flow_metrics(). Errors: PT404, PT422.';
COMMENT ON FUNCTION vsm.refresh_flow_metrics(text, timestamptz, timestamptz) IS
    'Brings vsm.flow_metrics up to date for the days of a window, from the month in which it begins, and for the '
    'weeks and months that hold these days; returns how many rows were written or removed. Figures that have not '
    'changed stay untouched, so it may run at any time. After late imports, reopening or deletion the window must '
    'reach back as far as these do. Errors: PT404, PT422, 42501.';
