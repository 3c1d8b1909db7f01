-- 79_buckets: a window cut into days, weeks or months, and what happened in each
--
-- All buckets are seen from the window's end, so that they sum to the figure of the window.

CREATE FUNCTION vsm._buckets_or_window(of_window vsm._window, bucket text)
    RETURNS TABLE (place integer, bucket date, since timestamptz, until timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT 1, ((of_window).since AT TIME ZONE (of_window).time_zone)::date, (of_window).since, (of_window).until WHERE $2 IS NULL
    UNION ALL
    SELECT b.place, b.starts, b.since, least(b.until, (of_window).until) FROM vsm._buckets(of_window, $2) b WHERE $2 IS NOT NULL;
END;
COMMENT ON FUNCTION vsm._buckets_or_window(vsm._window, text) IS
    'The days, weeks (from Monday) or months of a window, by the stream''s zone; null: the window. bucket: the first day. Errors: PT422.';

-- bounds: where the buckets begin, and the end of the last.
CREATE FUNCTION vsm._bounds(of_window vsm._window, bucket text) RETURNS timestamptz[]
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT array_agg(b.since ORDER BY b.place) || (of_window).bound FROM vsm._buckets_or_window(of_window, _bounds.bucket) b);
COMMENT ON FUNCTION vsm._bounds(vsm._window, text) IS 'The instants at which the buckets of a window begin, and what the last lies before. Errors: PT422.';

CREATE FUNCTION vsm._parts(of_stream_id bigint, bounds timestamptz[], by_cells boolean, units text)
    RETURNS TABLE (place integer, folded boolean, unit "char", since timestamptz, until timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, bounds, by_cells, units) p)
    SELECT p.place, true, p.unit, p.since, p.until FROM pieces p WHERE p.folded
    UNION ALL
    SELECT b.place, false, NULL::"char", greatest(p.since, b.since), least(p.until, b.until)
    FROM pieces p
    JOIN (SELECT u.place::integer AS place, u.at AS since, bounds[u.place + 1] AS until
          FROM unnest(bounds) WITH ORDINALITY u (at, place) WHERE u.place < cardinality(bounds)) b ON p.since < b.until AND p.until > b.since
    WHERE NOT p.folded;
END;
COMMENT ON FUNCTION vsm._parts(bigint, timestamptz[], boolean, text) IS
    'As vsm._pieces(), with the stretches whose moves are to be read cut at the bounds too: each part lies in the bucket of that place.';

-- What was finished in each bucket, as seen from the last bound.  A completion that a later part undoes is taken out of the bucket
-- in which it lies.
CREATE FUNCTION vsm._finished_by_bucket(of_stream_id bigint, bounds timestamptz[], rule text, of_type text, attributes jsonb,
                                        known_at timestamptz)
    RETURNS TABLE (place integer, finished vsm._finished, types jsonb)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    by_cells CONSTANT boolean := vsm._by_cells(of_stream_id, attributes, known_at, rule);
    ends CONSTANT timestamptz := bounds[cardinality(bounds)];
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    IF NOT by_cells THEN
        RETURN QUERY
        WITH completed AS MATERIALIZED (
            SELECT width_bucket(c.completed_at, bounds) AS place, vsm._elapsed_us(c.created_at, c.completed_at) AS lead_us, c.cycle_us, c.active_us, c.wait_us,
                   CASE WHEN known_at IS NULL THEN w.type ELSE c.type END AS of_type,
                   c.cycle_us IS NULL AND (rule <> 'span_last' OR known_at IS NOT NULL OR NOT vsm._had_started(c.work_item_id, c.completed_at)) AS never_started
            FROM vsm._completed(of_stream_id, bounds[1], ends, rule, _finished_by_bucket.of_type, attributes, known_at) c
            LEFT JOIN vsm.work_items w ON w.id = c.work_item_id)
        SELECT c.place,
               ROW(vsm._summary(c.lead_us, true), vsm._summary(c.cycle_us, true), count(*) FILTER (WHERE c.never_started),
                   sum(c.active_us), sum(c.wait_us))::vsm._finished,
               (SELECT jsonb_object_agg(coalesce(t.of_type, ''), t.n)
                FROM (SELECT d.of_type, count(*) AS n FROM completed d WHERE d.place = c.place GROUP BY 1) t)
        FROM completed c GROUP BY c.place;
        RETURN;
    END IF;
    RETURN QUERY
    WITH parts AS MATERIALIZED (
        SELECT p.* FROM vsm._parts(of_stream_id, bounds, true, 'd') p),
    lists AS MATERIALIZED (
        SELECT p.place, c.type_id, c.finished, c.never_started, c.lead_us, c.cycle_us, c.active_us, c.wait_us, c.lead_sketch, c.cycle_sketch, c.leads, c.cycles,
               c.undone_at, c.undone_leads, c.undone_cycles, c.undone_active, c.undone_wait
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since
              AND CASE WHEN _finished_by_bucket.of_type IS NULL THEN c.type_id > 0 ELSE c.type_id = (SELECT vsm._type_id(_finished_by_bucket.of_type)) END
            OFFSET 0) c
        WHERE p.folded
        UNION ALL
        SELECT p.place, f.type_id, f.finished, f.never_started, NULL, NULL, f.active_us, f.wait_us, NULL, NULL, f.leads, f.cycles, NULL, NULL, NULL, NULL, NULL
        FROM parts p CROSS JOIN LATERAL vsm._finished_lists(of_stream_id, p.since, p.until, rule, _finished_by_bucket.of_type) f
        WHERE NOT p.folded
        UNION ALL
        SELECT p.place, u.type_id, 0, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, u.undone_at, u.undone_leads, u.undone_cycles, u.undone_active, u.undone_wait
        FROM parts p CROSS JOIN LATERAL vsm._undone_lists(of_stream_id, p.since, p.until, rule, _finished_by_bucket.of_type) u
        WHERE NOT p.folded),
    settled AS MATERIALIZED (
        SELECT l.place, l.type_id, l.finished, l.never_started, l.lead_us, l.cycle_us, l.active_us, l.wait_us, l.lead_sketch, l.cycle_sketch, l.leads, l.cycles,
               NULL::timestamptz[] AS undone_at, NULL::bigint[] AS undone_leads, NULL::bigint[] AS undone_cycles, NULL::bigint[] AS undone_active,
               NULL::bigint[] AS undone_wait
        FROM lists l
        UNION ALL
        SELECT u.place, u.type_id, -count(*), 0, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL,
               array_agg(u.at), array_agg(u.lead), array_agg(u.cycle), array_agg(u.active), array_agg(u.wait)
        FROM (SELECT l.type_id, width_bucket(x.at, bounds) AS place, x.*
              FROM lists l
              CROSS JOIN LATERAL unnest(l.undone_at, l.undone_leads, l.undone_cycles, l.undone_active, l.undone_wait) x (at, lead, cycle, active, wait)
              WHERE x.at >= bounds[1]) u
        GROUP BY 1, 2),
    counts AS (
        SELECT c.place, jsonb_object_agg(coalesce(y.name, ''), c.n) FILTER (WHERE c.n > 0) AS types
        FROM (SELECT s.place, s.type_id, sum(s.finished) AS n FROM settled s GROUP BY 1, 2) c
        LEFT JOIN vsm.work_item_types y ON y.id = c.type_id GROUP BY 1)
    SELECT f.place, f.finished, c.types
    FROM (SELECT s.place, vsm._finished(s.never_started, s.lead_us, s.cycle_us, s.active_us, s.wait_us, s.lead_sketch, s.cycle_sketch, s.leads, s.cycles,
                                        s.undone_at, s.undone_leads, s.undone_cycles, s.undone_active, s.undone_wait, bounds[s.place], true) AS finished
          FROM settled s GROUP BY s.place) f
    JOIN counts c ON c.place = f.place;
END $$;
COMMENT ON FUNCTION vsm._finished_by_bucket(bigint, timestamptz[], text, text, jsonb, timestamptz) IS
    'Lead and cycle times, active and wait times of what was finished in each bucket, as seen from the last of bounds, and how many of '
    'each type; buckets without any may be left out.';

-- Average WIP and entries into done.  What was open before the first bound is counted by stages.
CREATE FUNCTION vsm._flow_by_bucket(of_window vsm._window, bounds timestamptz[], of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (place integer, departures bigint, wip numeric)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v CONSTANT vsm._window := of_window;
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
    -- WIP is averaged up to now when the window has not ended
    wip_until CONSTANT timestamptz := greatest(v.since, least(v.until, clock_timestamp()));
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    RETURN QUERY
    WITH parts AS MATERIALIZED (
        SELECT p.*, least(bounds[p.place + 1], wip_until) AS bucket_until
        FROM vsm._parts(v.stream_id, bounds, by_cells, vsm._units(of_type)) p),
    held AS (
        SELECT h.stage_id, h.items FROM vsm._stages_by_cells(v.stream_id, bounds[1], v.since, of_type) h WHERE by_cells
        UNION ALL
        SELECT h.stage_id, h.items FROM vsm._stages_at(v.stream, v.stream_id, bounds[1], v.since, of_type, attributes, known_at) h WHERE NOT by_cells),
    before AS MATERIALIZED (
        SELECT coalesce(sum(h.items), 0) AS open
        FROM held h JOIN vsm.stages s ON s.id = h.stage_id WHERE s.category IN ('wait', 'active')),
    changes AS (
        SELECT p.place, c.departures, c.arrivals + c.returns - c.departures - c.discarded AS change,
               c.open_us + (c.arrivals + c.returns - c.departures - c.discarded) * vsm._elapsed_us(p.until, p.bucket_until)::numeric AS area
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = v.stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
            OFFSET 0) c
        WHERE p.folded
        UNION ALL
        SELECT m.place, count(*) FILTER (WHERE m.departs), sum(m.change), sum(m.change * vsm._elapsed_us(m.at, m.bucket_until)::numeric)
        FROM (SELECT p.place, p.bucket_until, m."timestamp" AS at,
                     (e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0) AS change,
                     e.category = 'done' AND l.category IS DISTINCT FROM 'done' AS departs
              FROM parts p
              CROSS JOIN LATERAL vsm._moves(v.stream_id, p.since, p.until, of_type, attributes, known_at) m
              JOIN vsm.stages e ON e.id = m.to_stage_id
              LEFT JOIN vsm.stages l ON l.id = m.from_stage_id
              WHERE NOT p.folded) m
        GROUP BY 1),
    buckets AS (
        SELECT b.place::integer AS place, vsm._elapsed_us(greatest(b.at, v.since), greatest(v.since, least(bounds[b.place + 1], wip_until)))::numeric AS us
        FROM unnest(bounds) WITH ORDINALITY b (at, place) WHERE b.place < cardinality(bounds))
    SELECT s.place, s.departures::bigint,
           CASE WHEN s.us > 0 THEN (s.area + s.us * (b.open + sum(s.change) OVER (ORDER BY s.place) - s.change)) / s.us END
    FROM (SELECT u.place, u.us, coalesce(sum(c.departures), 0) AS departures, coalesce(sum(c.change), 0) AS change, coalesce(sum(c.area), 0) AS area
          FROM buckets u LEFT JOIN changes c ON c.place = u.place GROUP BY 1, 2) s
    CROSS JOIN before b;
END $$;
COMMENT ON FUNCTION vsm._flow_by_bucket(vsm._window, timestamptz[], text, jsonb, timestamptz) IS
    'Entries into done and time-weighted average WIP of each bucket; null for one of no length, or that has not begun.';

-- For a forecast as of each day: what a day had finished at its end, and what was undone on which later day.
CREATE FUNCTION vsm._finished_days(of_stream_id bigint, first date, last date, time_zone text, rule text, of_type text, attributes jsonb,
                                   known_at timestamptz)
    RETURNS TABLE (day date, undone_on date, n bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    by_cells CONSTANT boolean := vsm._by_cells(of_stream_id, attributes, known_at, rule);
    -- a moment's day is told by these: where midnight comes twice, not by its date
    bounds CONSTANT timestamptz[] := ARRAY(
        SELECT vsm._starts(g::date, time_zone) FROM generate_series(first::timestamp, (last + 1)::timestamp, '1 day') g ORDER BY g);
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    IF NOT by_cells THEN
        RETURN QUERY
        WITH completed AS MATERIALIZED (
            SELECT c.completed_on, c.undone_on, count(*) AS n
            FROM (SELECT first + width_bucket(c.completed_at, bounds) - 1 AS completed_on,
                         CASE WHEN rule <> 'episodes' THEN first + width_bucket(c.undone_at, bounds) - 1 END AS undone_on
                  FROM vsm._all_completed(of_stream_id, bounds[1], bounds[cardinality(bounds)], rule, of_type, attributes, known_at) c) c
            WHERE c.undone_on IS NULL OR c.undone_on > c.completed_on
            GROUP BY 1, 2)
        SELECT c.completed_on, NULL::date, sum(c.n)::bigint FROM completed c GROUP BY 1
        UNION ALL
        SELECT c.completed_on, c.undone_on, -c.n FROM completed c WHERE c.undone_on IS NOT NULL;
        RETURN;
    END IF;
    RETURN QUERY
    WITH parts AS MATERIALIZED (
        SELECT first + p.place - 1 AS day, p.* FROM vsm._parts(of_stream_id, bounds, true, 'd') p),
    lists AS (
        SELECT p.day, c.finished, c.undone_at
        FROM parts p
        CROSS JOIN LATERAL (
            SELECT * FROM vsm._item_cells c
            WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
            OFFSET 0) c
        WHERE p.folded
        UNION ALL
        SELECT p.day, f.finished, NULL FROM parts p CROSS JOIN LATERAL vsm._finished_lists(of_stream_id, p.since, p.until, rule, of_type) f WHERE NOT p.folded
        UNION ALL
        SELECT p.day, 0, u.undone_at FROM parts p CROSS JOIN LATERAL vsm._undone_lists(of_stream_id, p.since, p.until, rule, of_type) u WHERE NOT p.folded)
    -- a part of a day may undo what another part of it had finished
    SELECT d.day, NULL::date, sum(d.n)::bigint
    FROM (SELECT l.day, l.finished AS n FROM lists l
          UNION ALL
          SELECT l.day, -1 FROM lists l CROSS JOIN LATERAL unnest(l.undone_at) u (at) WHERE first + width_bucket(u.at, bounds) - 1 = l.day) d
    GROUP BY 1
    UNION ALL
    SELECT u.completed_on, u.day, -count(*)
    FROM (SELECT first + width_bucket(u.at, bounds) - 1 AS completed_on, l.day FROM lists l CROSS JOIN LATERAL unnest(l.undone_at) u (at)) u
    WHERE u.completed_on >= first AND u.completed_on < u.day GROUP BY 1, 2;
END $$;
COMMENT ON FUNCTION vsm._finished_days(bigint, date, date, text, text, text, jsonb, timestamptz) IS
    'How many items each day had finished at its end (undone_on null), and, below 0, how many of them left done on a later day.';
