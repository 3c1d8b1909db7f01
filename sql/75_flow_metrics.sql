-- 75_flow_metrics: figures of days, weeks and months, kept for charts of long periods

CREATE SEQUENCE vsm.flow_metrics_id_seq;
CREATE TABLE vsm.flow_metrics (
    id bigint PRIMARY KEY DEFAULT nextval('vsm.flow_metrics_id_seq'),
    stream text NOT NULL,
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

CREATE FUNCTION vsm._starts(date date, time_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN date::timestamp AT TIME ZONE time_zone;
COMMENT ON FUNCTION vsm._starts(date, text) IS 'The instant at which a day begins in a zone.';

-- Each period by itself, as it was seen at its end: a completion counts if no move of the period has ended it.  In the
-- average WIP, each change of the number of items in progress counts for the time that is left of its period, and for every
-- later period in full.
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
    moves AS MATERIALIZED (
        SELECT m."timestamp" AS at,
               (e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0) AS change,
               coalesce(m.started_change, 0) AS started_change
        FROM vsm._moves(of_stream_id, vsm._starts(first, time_zone), 'infinity', NULL, NULL, NULL) m
        JOIN vsm.stages e ON e.id = m.to_stage_id
        LEFT JOIN vsm.stages l ON l.id = m.from_stage_id
        WHERE m.started_change IS NOT NULL
           OR (e.category IN ('wait', 'active')) IS DISTINCT FROM (coalesce(l.category, 'done') IN ('wait', 'active'))),
    open AS (
        SELECT n.items - coalesce(c.change, 0) AS items, n.started - coalesce(c.started_change, 0) AS started
        FROM (SELECT count(*) AS items, count(w.started_at) AS started
              FROM vsm.work_items w WHERE w.stream = of_stream AND w.completed_at IS NULL AND w.discarded_at IS NULL) n
        CROSS JOIN (SELECT sum(m.change) AS change, sum(m.started_change) AS started_change FROM moves m) c),
    areas AS (
        SELECT p.date, p.since, p.until, coalesce(sum(m.change), 0) AS change,
               coalesce(sum(m.change * vsm._elapsed_us(m.at, p.until)), 0) AS area,
               coalesce(sum(m.started_change), 0) AS started_change,
               coalesce(sum(m.started_change * vsm._elapsed_us(m.at, p.until)), 0) AS started_area
        FROM periods p
        LEFT JOIN moves m ON date_trunc(period, m.at AT TIME ZONE time_zone)::date = p.date AND m.at < bound
        GROUP BY 1, 2, 3),
    completed AS (
        SELECT p.date, count(*) AS throughput, vsm._interval(round(avg(c.cycle_us))::bigint) AS cycle_time_avg,
               vsm.percentile_agg(vsm._interval(c.cycle_us)) AS sketch
        FROM vsm._all_completed(of_stream_id, vsm._starts(first, time_zone), bound, rule, NULL, NULL, NULL) c
        JOIN periods p ON p.date = date_trunc(period, c.completed_at AT TIME ZONE time_zone)::date
        WHERE rule = 'episodes' OR c.undone_at IS NULL OR c.undone_at >= p.until
        GROUP BY 1)
    SELECT a.date, coalesce(c.throughput, 0),
           coalesce((a.area + vsm._elapsed_us(a.since, a.until)
                              * ((SELECT o.items FROM open o) + sum(a.change) OVER (ORDER BY a.date) - a.change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0),
           c.cycle_time_avg, c.sketch,
           coalesce((a.started_area + vsm._elapsed_us(a.since, a.until)
                                      * ((SELECT o.started FROM open o) + sum(a.started_change) OVER (ORDER BY a.date) - a.started_change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0)
    FROM areas a LEFT JOIN completed c ON c.date = a.date;
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
