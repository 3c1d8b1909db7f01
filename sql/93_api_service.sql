-- 93_api_service: health, version and the page for Prometheus

CREATE FUNCTION vsm_api.version() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'vsm';
END;
COMMENT ON FUNCTION vsm_api.version() IS 'Version of the extension. Errors: none.';

-- How far behind vsm.fold() is.
CREATE FUNCTION vsm._streams_to_fold(at timestamptz) RETURNS TABLE (stream text, days_waiting bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT d.name, vsm._days_waiting(d.id, d.settled_until, d.today)
        FROM (SELECT v.id, v.name, coalesce(f.settled_until, '-infinity') AS settled_until, date_trunc('day', at, v.time_zone) AS today
              FROM vsm.value_streams v LEFT JOIN vsm._folds f ON f.stream_id = v.id) d;
END $$;
COMMENT ON FUNCTION vsm._streams_to_fold(timestamptz) IS
    'The streams that the caller sees, and how many days that were over at that instant wait for vsm.fold().';

-- Reads at most one row of each table, and as _streams_to_fold().  That suffices: COPY loads a whole table or fails, so a
-- restore loses all rows of a table or none.  The check does not wait: a table that somebody has locked, perhaps a restore, is
-- not judged.
CREATE FUNCTION vsm_api.health() RETURNS json
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '50ms'
AS $$
DECLARE
    items boolean;
    ledger boolean;
    stages boolean;
    waiting bigint;
BEGIN
    BEGIN
        items := EXISTS (SELECT FROM vsm.work_items);
        ledger := EXISTS (SELECT FROM vsm.stage_transitions);
        stages := EXISTS (SELECT FROM vsm.stages);
        waiting := (SELECT max(f.days_waiting) FROM vsm._streams_to_fold(clock_timestamp()) f);
    EXCEPTION WHEN lock_not_available THEN
        items := NULL;
    END;
    IF items <> ledger OR items AND NOT stages THEN
        RAISE EXCEPTION 'the tables do not belong together: rows are lost'
            USING ERRCODE = 'PT503',
                  DETAIL = format('There are %s in the ledger, %s and %s.', CASE WHEN ledger THEN 'moves' ELSE 'no moves' END,
                                  CASE WHEN items THEN 'work items' ELSE 'no work items' END,
                                  CASE WHEN stages THEN 'stages' ELSE 'no stages' END),
                  HINT = 'A restore has failed in part: look at its errors and restore again.';
    END IF;
    RETURN (SELECT row_to_json(h) FROM (SELECT true AS database_connected, vsm_api.version() AS version, waiting AS fold_days_waiting) h);
END $$;
COMMENT ON FUNCTION vsm_api.health() IS
    'That the database answers, the extension''s version, and fold_days_waiting: how many days of the stream that is furthest behind '
    'are over and wait for vsm.fold(); null without streams, or when a table is locked. Errors: PT503 all work items, moves or stages '
    'are missing.';

-- PostgREST answers "Accept: text/plain" with the bare text of a function that returns this.
CREATE DOMAIN vsm_api."text/plain" AS text;
COMMENT ON DOMAIN vsm_api."text/plain" IS 'Text that is an answer''s whole body.';

CREATE FUNCTION vsm._label(name text, value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN name || '="' || replace(replace(replace(value, '\', '\\'), '"', '\"'), E'\n', '\n') || '"';
COMMENT ON FUNCTION vsm._label(text, text) IS 'A label of a Prometheus sample.';

CREATE FUNCTION vsm._metric_family(name text, kind text, help text, samples text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format(E'# HELP %1$s %2$s\n# TYPE %1$s %3$s\n', name, help, kind)
       || CASE WHEN cardinality(samples) > 0 THEN name || array_to_string(samples, E'\n' || name) || E'\n' ELSE '' END;
COMMENT ON FUNCTION vsm._metric_family(text, text, text, text[]) IS
    'A family in Prometheus'' text format 0.0.4. A sample is the part of its line after the name, and perhaps more lines, with the name.';

-- All three come from one reading of the totals, so that they agree with each other.  A sample here is all the lines of a
-- series: labels and bounds are written once each, which is most of the time.
CREATE FUNCTION vsm._metric_histograms(OUT time_in_stage text[], OUT cycle_time text[], OUT lead_time text[])
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH families (histogram, name, unit) AS (
        VALUES ('time_in_stage', 'vsm_stage_cycle_time_seconds', 1), ('cycle_time', 'vsm_cycle_time_hours', 3600),
               ('lead_time', 'vsm_lead_time_seconds', 1)),
    bounds AS MATERIALIZED (
        SELECT f.*, (SELECT array_agg(CASE b.le WHEN 'Infinity' THEN '+Inf' ELSE (b.le / f.unit)::text END ORDER BY b.le)
                     FROM unnest(vsm._bucket_bounds()) b (le)) AS le
        FROM families f),
    -- a stream may have several done stages
    counts AS (
        SELECT h.histogram, h.stream, h.stage, h.le, sum(h.count) AS count, sum(h.sum) AS sum
        FROM (SELECT f.histogram, f.stream, CASE f.histogram WHEN 'time_in_stage' THEN f.stage END AS stage, f.le, f.count, f.sum
              FROM vsm.flow_histograms f) h
        GROUP BY 1, 2, 3, 4),
    series AS MATERIALIZED (
        SELECT c.histogram, vsm._label('stream', c.stream) || coalesce(',' || vsm._label('stage', c.stage), '') AS labels,
               array_agg(c.count ORDER BY c.le) AS counts, max(c.count) AS count, max(c.sum) AS sum
        FROM counts c GROUP BY c.histogram, c.stream, c.stage),
    texts AS (
        SELECT s.histogram, s.labels,
               (SELECT string_agg('_bucket{' || s.labels || ',le="' || n.le || '"} ' || n.count, E'\n' || b.name ORDER BY n.place)
                FROM unnest(b.le, s.counts) WITH ORDINALITY n (le, count, place))
               || E'\n' || b.name || '_sum{' || s.labels || '} ' || s.sum / b.unit
               || E'\n' || b.name || '_count{' || s.labels || '} ' || s.count AS lines
        FROM series s JOIN bounds b USING (histogram))
    SELECT array_agg(t.lines ORDER BY t.labels COLLATE "C") FILTER (WHERE t.histogram = 'time_in_stage'),
           array_agg(t.lines ORDER BY t.labels COLLATE "C") FILTER (WHERE t.histogram = 'cycle_time'),
           array_agg(t.lines ORDER BY t.labels COLLATE "C") FILTER (WHERE t.histogram = 'lead_time')
    INTO time_in_stage, cycle_time, lead_time
    FROM texts t;
END $$;
COMMENT ON FUNCTION vsm._metric_histograms() IS
    'Samples of the histograms of vsm.flow_histograms: cycle_time in hours and lead_time by stream, time_in_stage by stream and stage. '
    'Each has the lines of a series.';

-- What vsm.throughput() gives of today, for all streams in one statement: the completions, less those that have been undone,
-- which the moves out of done tell by their times.  By the rule episodes every completion counts.
CREATE FUNCTION vsm._metric_throughput(at timestamptz) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN ARRAY(
        SELECT format('{%s} %s', vsm._label('stream', v.name), (
                   SELECT count(*) FILTER (WHERE t.undoes IS NULL)
                          - count(*) FILTER (WHERE t.undoes >= date_trunc('day', at, v.time_zone) AND v.reopen_rule <> 'episodes')
                   FROM vsm.stage_transitions t
                   WHERE t.stream_id = v.id AND t."timestamp" >= date_trunc('day', at, v.time_zone) AND t."timestamp" < at
                     AND (t.item_created_at IS NOT NULL OR t.undoes IS NOT NULL)))      -- as the index says it
        FROM vsm.value_streams v ORDER BY v.name COLLATE "C");
END $$;
COMMENT ON FUNCTION vsm._metric_throughput(timestamptz) IS
    'Samples of what was finished on the day of that instant and before it, by stream, from the index of completions.';

CREATE FUNCTION vsm_api.prometheus() RETURNS vsm_api."text/plain"
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    created text[];
    moves text[];
    histograms record;
BEGIN
    -- a stage may have the name none
    SELECT array_agg(format('{%s,%s} %s', vsm._label('stream', t.stream), vsm._label('type', t.type), t.value)
                     ORDER BY t.stream COLLATE "C", t.type COLLATE "C") FILTER (WHERE t.total = 'work_items_created'),
           array_agg(format('{%s,%s,%s} %s', vsm._label('stream', t.stream), vsm._label('from_stage', t.from_stage),
                            vsm._label('to_stage', t.to_stage), t.value)
                     ORDER BY t.stream COLLATE "C", t.from_stage COLLATE "C", t.to_stage COLLATE "C")
               FILTER (WHERE t.total = 'stage_transitions')
    INTO created, moves
    FROM (SELECT f.total, f.stream, f.type, coalesce(f.from_stage, 'none') AS from_stage, f.to_stage, sum(f.value) AS value
          FROM vsm.flow_totals f GROUP BY 1, 2, 3, 4, 5) t;
    histograms := vsm._metric_histograms();
    RETURN vsm._metric_family('vsm_work_items_created_total', 'counter', 'Work items created, also those that were deleted later.', created)
        || vsm._metric_family('vsm_stage_transitions_total', 'counter',
                              'Moves of work items by the stage left (none: created) and the stage entered.', moves)
        || vsm._metric_family('vsm_work_in_progress', 'gauge', 'Work items in each stage that are neither finished nor discarded, now.', ARRAY(
               SELECT format('{%s,%s} %s', vsm._label('stream', w.stream), vsm._label('stage', w.stage), w.wip)
               FROM vsm.wip w ORDER BY w.stream COLLATE "C", w."order"))
        || vsm._metric_family('vsm_wip_limit', 'gauge', 'Work items that each stage with a limit may hold.', ARRAY(
               SELECT format('{%s,%s} %s', vsm._label('stream', s.stream), vsm._label('stage', s.name), s.wip_limit)
               FROM vsm.stages s WHERE s.wip_limit IS NOT NULL AND s.retired_at IS NULL ORDER BY s.stream COLLATE "C", s."order"))
        || vsm._metric_family('vsm_cycle_time_hours', 'histogram',
                              'Time from the first start to each finish, in hours, of items that had started: one that is reopened counts again '
                              'when it is finished again.', histograms.cycle_time)
        || vsm._metric_family('vsm_stage_cycle_time_seconds', 'histogram',
                              'Time in each stage, by visits that have ended, done and discarded stages too.', histograms.time_in_stage)
        || vsm._metric_family('vsm_lead_time_seconds', 'histogram',
                              'Time from creation to each finish: an item that is reopened counts again when it is finished again.',
                              histograms.lead_time)
        || vsm._metric_family('vsm_throughput_per_day', 'gauge',
                              'Work items that are finished, and were so for the last time today, a day of the time zone of the stream.',
                              vsm._metric_throughput(clock_timestamp()))
        || vsm._metric_family('vsm_fold_days_waiting', 'gauge', 'Days that are over and wait for vsm.fold(); figures are right without it.', ARRAY(
               SELECT format('{%s} %s', vsm._label('stream', f.stream), f.days_waiting)
               FROM vsm._streams_to_fold(clock_timestamp()) f ORDER BY f.stream COLLATE "C"));
END $$;
COMMENT ON FUNCTION vsm_api.prometheus() IS
    'The totals, histograms and work in progress for Prometheus, in its text format 0.0.4. A series exists from the definition of '
    'its stream, stage and type, at 0. The text grows with these, and with the square of a stream''s number of stages up to 50. Where the '
    'server has counters, it reads only today''s completions, from an index. Errors: none.';
