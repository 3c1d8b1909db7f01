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
    UNIQUE (stream, period_type, date)
);
ALTER SEQUENCE vsm.flow_metrics_id_seq OWNED BY vsm.flow_metrics.id;
COMMENT ON TABLE vsm.flow_metrics IS
    'Figures of the days, weeks and months of each stream in its time zone, as vsm.refresh_flow_metrics() last '
    'computed them.';
COMMENT ON COLUMN vsm.flow_metrics.date IS 'First day of the period; weeks begin on Monday.';
COMMENT ON COLUMN vsm.flow_metrics.throughput IS 'Items finished in the period, each at its latest completion.';
COMMENT ON COLUMN vsm.flow_metrics.wip IS
    'Time-weighted average of the items in progress; in a period that has not ended, up to created_at.';
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

-- An item is in progress from its creation to its completion; if it was reopened, its moves say when.  Each change of
-- the number of items in progress counts for the time that is left of its day, and for every later day in full.
CREATE FUNCTION vsm._flow_days(of_stream text, first_day date, last_day date, bound timestamptz, time_zone text,
                               rule text)
    RETURNS TABLE (date date, throughput bigint, wip numeric, cycle_time_avg interval, sketch vsm.interval_sketch)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH days AS (
        SELECT d::date AS date, vsm._starts(d::date, time_zone) AS since,
               least(bound, vsm._starts(d::date + 1, time_zone)) AS until
        FROM generate_series(first_day::timestamp, last_day::timestamp, '1 day') d),
    changes AS (
        SELECT w.created_at AS at, 1 AS change FROM vsm.work_items w
        WHERE w.stream = of_stream AND w.reopened = 0
          AND (w.completed_at IS NULL OR w.completed_at >= vsm._starts(first_day, time_zone))
        UNION ALL
        SELECT w.completed_at, -1 FROM vsm.work_items w
        WHERE w.stream = of_stream AND w.reopened = 0 AND w.completed_at >= vsm._starts(first_day, time_zone)
        UNION ALL
        SELECT t."timestamp", (s.category <> 'done')::integer - coalesce((f.category <> 'done')::integer, 0)
        FROM vsm.work_items w
        JOIN vsm.stage_transitions t ON t.work_item_id = w.id
        JOIN vsm.stages s ON s.id = t.to_stage_id
        LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
        WHERE w.stream = of_stream AND w.reopened > 0
          AND (w.completed_at IS NULL OR w.completed_at >= vsm._starts(first_day, time_zone))),
    dated AS (
        SELECT greatest(first_day, (c.at AT TIME ZONE time_zone)::date) AS date,
               greatest(c.at, vsm._starts(first_day, time_zone)) AS at, c.change
        FROM changes c WHERE c.at < bound),
    areas AS (
        SELECT d.date, d.since, d.until, coalesce(sum(c.change), 0) AS change,
               coalesce(sum(c.change * vsm._elapsed_us(c.at, d.until)), 0) AS area
        FROM days d LEFT JOIN dated c ON c.date = d.date GROUP BY 1, 2, 3),
    completed AS (
        SELECT (c.completed_at AT TIME ZONE time_zone)::date AS date, count(*) AS throughput,
               vsm._interval(round(avg(c.cycle_us))::bigint) AS cycle_time_avg,
               vsm.percentile_agg(vsm._interval(c.cycle_us)) AS sketch
        FROM vsm._completed(of_stream, vsm._starts(first_day, time_zone), bound, rule, NULL) c GROUP BY 1)
    SELECT a.date, coalesce(c.throughput, 0),
           coalesce((a.area + vsm._elapsed_us(a.since, a.until) * (sum(a.change) OVER (ORDER BY a.date) - a.change))
                    / nullif(vsm._elapsed_us(a.since, a.until), 0), 0),
           c.cycle_time_avg, c.sketch
    FROM areas a LEFT JOIN completed c ON c.date = a.date;
END;
COMMENT ON FUNCTION vsm._flow_days(text, date, date, timestamptz, text, text) IS
    'Figures of days, as in vsm.flow_metrics; those of the last day up to bound, which lies after the start of '
    'first_day.';

CREATE FUNCTION vsm._flow_periods(of_stream text, period text, since date, until date, bound timestamptz,
                                  time_zone text)
    RETURNS TABLE (date date, throughput bigint, wip numeric, cycle_time_avg interval, sketch vsm.interval_sketch)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT p.date, sum(d.throughput)::bigint,
           sum(d.wip * vsm._elapsed_us(vsm._starts(d.date, time_zone),
                                       least(bound, vsm._starts(d.date + 1, time_zone))))
           / nullif(vsm._elapsed_us(vsm._starts(p.date, time_zone),
                                    least(bound, vsm._starts((p.date + ('1 ' || period)::interval)::date,
                                                             time_zone))), 0),
           vsm._interval(round(sum(vsm._interval_us(d.cycle_time_avg)::numeric * vsm.num_vals(d.sketch))
                               / nullif(sum(vsm.num_vals(d.sketch)), 0))::bigint),
           vsm.rollup(d.sketch)
    FROM vsm.flow_metrics d CROSS JOIN LATERAL (SELECT date_trunc(period, d.date::timestamp)::date) p (date)
    WHERE d.stream = of_stream AND d.period_type = 'day'
      AND d.date >= date_trunc(period, since::timestamp)
      AND d.date < date_trunc(period, until::timestamp) + ('1 ' || period)::interval
    GROUP BY p.date;
END;
COMMENT ON FUNCTION vsm._flow_periods(text, text, date, date, timestamptz, text) IS
    'Figures of the weeks or months that hold days from since to until, rolled up from those of days in '
    'vsm.flow_metrics.';

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
    born CONSTANT date :=
        (SELECT min(w.created_at) FROM vsm.work_items w WHERE w.stream = v.stream) AT TIME ZONE v.time_zone;
    bound CONSTANT timestamptz := least(present, vsm._starts(last_day + 1, v.time_zone));
    period text;
    changed bigint;
    written bigint := 0;
BEGIN
    -- one refresh at a time; any role could hold an advisory lock
    LOCK TABLE vsm.flow_metrics IN SHARE ROW EXCLUSIVE MODE;
    FOREACH period IN ARRAY ARRAY['day', 'week', 'month'] LOOP
        WITH rows AS MATERIALIZED (
            SELECT d.*
            FROM vsm._flow_days(v.stream, greatest(first_day, born), last_day, bound, v.time_zone, v.reopen_rule) d
            WHERE period = 'day' AND born <= last_day
            UNION ALL
            SELECT p.* FROM vsm._flow_periods(v.stream, period, first_day, last_day, present, v.time_zone) p
            WHERE period <> 'day'
              AND (p.date >= first_day
                   OR EXISTS (SELECT FROM vsm.flow_metrics f
                              WHERE (f.stream, f.period_type, f.date) = (v.stream, period, p.date)))),
        gone AS (
            DELETE FROM vsm.flow_metrics f
            WHERE f.stream = v.stream AND f.period_type = period
              AND f.date BETWEEN date_trunc(period, first_day::timestamp) AND last_day
              AND f.date NOT IN (SELECT r.date FROM rows r)      -- hashed, however few rows the planner expects
            RETURNING f.id),
        kept AS (
            INSERT INTO vsm.flow_metrics AS f (stream, date, period_type, throughput, wip, cycle_time_avg,
                                               cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch, created_at)
            SELECT v.stream, r.date, period, r.throughput, r.wip, r.cycle_time_avg,
                   vsm.approx_percentile(0.5, r.sketch), vsm.approx_percentile(0.85, r.sketch),
                   vsm.approx_percentile(0.95, r.sketch), r.sketch, present
            FROM rows r ORDER BY r.date
            ON CONFLICT ON CONSTRAINT flow_metrics_stream_period_type_date_key DO UPDATE
            SET throughput = excluded.throughput, wip = excluded.wip, cycle_time_avg = excluded.cycle_time_avg,
                cycle_time_p50 = excluded.cycle_time_p50, cycle_time_p85 = excluded.cycle_time_p85,
                cycle_time_p95 = excluded.cycle_time_p95, sketch = excluded.sketch, created_at = excluded.created_at
            -- a period that had not ended when it was computed is written again; one that has ended, if it differs
            WHERE f.created_at < vsm._starts((f.date + ('1 ' || period)::interval)::date, v.time_zone)
               OR (f.throughput, f.wip, f.cycle_time_avg)
                  IS DISTINCT FROM (excluded.throughput, excluded.wip, excluded.cycle_time_avg)
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
