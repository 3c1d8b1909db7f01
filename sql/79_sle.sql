-- 79_sle: service level expectations, and what became of them

CREATE FUNCTION vsm.set_sle(stream text, elapsed interval, probability double precision, type text DEFAULT NULL, since date DEFAULT NULL)
    RETURNS vsm.sles
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v vsm._window;
    result vsm.sles;
BEGIN
    -- what renames or deletes the type waits for this, or this for it
    LOCK TABLE vsm.sles IN ROW EXCLUSIVE MODE;
    v := vsm._window(stream, now(), now(), NULL, type);
    INSERT INTO vsm.sles (stream, type, since, elapsed, probability)
    VALUES (v.stream, v.type, coalesce(set_sle.since, (now() AT TIME ZONE v.time_zone)::date), set_sle.elapsed, set_sle.probability)
    ON CONFLICT ON CONSTRAINT sles_stream_type_since_key DO UPDATE SET elapsed = excluded.elapsed, probability = excluded.probability
    RETURNING * INTO result;
    IF result.elapsed < interval '1 minute' THEN
        RAISE NOTICE 'items are expected to finish within % seconds', trim_scale(extract(epoch FROM result.elapsed))
            USING HINT = 'An interval without a unit is seconds: write ''10 days''.';
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm.set_sle(text, interval, double precision, text, date) IS
    'Sets the service level expectation of a stream from a day on: probability (above 0, below 1) is the share of its items, or of those '
    'of one type, that are expected to finish within the cycle time elapsed. type: null, of all types without one of their own. since: '
    'default today in the stream''s time zone; it holds up to the next one. What holds from the same day is replaced. Returns the row of '
    'vsm.sles; DELETE takes one back. For admins of the stream. (Kanban Guide.) Errors: PT404 stream; PT422 type, elapsed, '
    'probability, since; 42501.';

-- Every type has the latest of its own, or else the latest of the stream; type null is all types.
CREATE FUNCTION vsm._expectations(of_stream text, time_zone text)
    RETURNS TABLE (type text, own boolean, since timestamptz, until timestamptz, us bigint, elapsed interval, probability double precision)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT y.name, e.type IS NOT NULL, d.since::timestamp AT TIME ZONE time_zone,
           coalesce(lead(d.since) OVER (PARTITION BY y.name ORDER BY d.since)::timestamp AT TIME ZONE time_zone, 'infinity'),
           vsm._interval_us(e.elapsed), e.elapsed, e.probability
    FROM (SELECT t.name FROM vsm.work_item_types t UNION ALL SELECT NULL) y
    CROSS JOIN (SELECT DISTINCT s.since FROM vsm.sles s WHERE s.stream = of_stream) d
    CROSS JOIN LATERAL (
        SELECT s.type, s.elapsed, s.probability FROM vsm.sles s
        WHERE s.stream = of_stream AND (s.type = y.name OR s.type IS NULL) AND s.since <= d.since
        ORDER BY s.type IS NULL, s.since DESC LIMIT 1) e;
END;
COMMENT ON FUNCTION vsm._expectations(text, text) IS
    'Which service level expectation holds for each type of items, and with null for all, in [since, until). own: it is the type''s. us: microseconds.';

CREATE TYPE vsm.sle_bucket AS (
    bucket date,
    items bigint,
    within bigint,
    share numeric,
    unjudged bigint,
    elapsed interval,
    probability double precision
);
COMMENT ON TYPE vsm.sle_bucket IS 'A row of vsm.sle_conformance().';

-- A piece lies within one bucket, and one expectation holds in all of it; where clocks are set back at midnight its moves
-- may lie in two buckets, and are read from the ledger.
CREATE FUNCTION vsm.sle_conformance(stream text DEFAULT 'default', since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                    until timestamptz DEFAULT clock_timestamp(), bucket text DEFAULT NULL, type text DEFAULT NULL,
                                    reopen_rule text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS SETOF vsm.sle_bucket
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, reopen_rule, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at, v.reopen_rule);
    buckets CONSTANT timestamp[] := CASE WHEN bucket IS NULL THEN ARRAY[NULL::timestamp] ELSE ARRAY(
        SELECT b.starts::timestamp FROM vsm._buckets(v, bucket) b ORDER BY 1) END;
    cuts CONSTANT timestamptz[] := sle_conformance.since
        || ARRAY(SELECT c.at
                 FROM (SELECT b.b AT TIME ZONE v.time_zone AS at FROM unnest(buckets) b (b)
                       UNION
                       SELECT e.since FROM vsm._expectations(v.stream, v.time_zone) e WHERE by_cells) c
                 WHERE c.at > sle_conformance.since AND c.at < v.bound ORDER BY 1)
        || v.bound;
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    WITH expectations AS MATERIALIZED (
        SELECT e.* FROM vsm._expectations(v.stream, v.time_zone) e),
    pieces AS MATERIALIZED (
        SELECT p.since, p.until, p.folded AND p.since AT TIME ZONE v.time_zone + (p.until - p.since) <= p.until AT TIME ZONE v.time_zone AS folded
        FROM vsm._pieces(v.stream_id, cuts, by_cells, 'd') p),
    cells AS MATERIALIZED (
        SELECT p.since, p.until, y.name, c.*
        FROM pieces p
        CROSS JOIN LATERAL (
            SELECT x.type_id, x.finished, coalesce(x.cycles, '{}') AS cycles, x.undone_at, x.undone_cycles
            FROM vsm._item_cells x
            WHERE x.stream_id = v.stream_id AND x.unit = 'd' AND x.since = p.since AND x.type_id > 0
              AND (v.type IS NULL OR x.type_id = (SELECT vsm._type_id(v.type)))
            OFFSET 0) c
        JOIN vsm.work_item_types y ON y.id = c.type_id
        WHERE p.folded),
    single AS (
        SELECT c.completed_at AS at, coalesce(c.type, w.type) AS name, c.cycle_us AS us, 1 AS n
        FROM pieces p
        CROSS JOIN LATERAL vsm._completed(v.stream_id, p.since, p.until, v.reopen_rule, v.type, sle_conformance.attributes,
                                          sle_conformance.known_at) c
        LEFT JOIN vsm.work_items w ON w.id = c.work_item_id AND sle_conformance.known_at IS NULL
        WHERE NOT p.folded
        UNION ALL
        SELECT u.at, t.name, u.us, -1
        FROM (SELECT c.name, c.undone_at, c.undone_cycles FROM cells c
              UNION ALL
              SELECT y.name, l.undone_at, l.undone_cycles
              FROM pieces p
              CROSS JOIN LATERAL vsm._undone_lists(v.stream_id, p.since, p.until, v.reopen_rule, v.type) l
              JOIN vsm.work_item_types y ON y.id = l.type_id
              WHERE NOT p.folded AND by_cells) t
        CROSS JOIN LATERAL unnest(t.undone_at, t.undone_cycles) u (at, us)
        WHERE u.at >= sle_conformance.since),
    counts AS (
        SELECT c.since AS at, CASE WHEN e.us IS NULL THEN 0 ELSE cardinality(c.cycles) END AS items,
               CASE WHEN e.us IS NULL THEN 0 ELSE (SELECT count(*) FROM unnest(c.cycles) x (us) WHERE x.us <= e.us) END AS within, c.finished
        FROM cells c LEFT JOIN expectations e ON e.type = c.name AND c.since >= e.since AND c.since < e.until
        UNION ALL
        SELECT s.at, s.n * coalesce(e.us IS NOT NULL AND s.us >= 0, false)::integer, s.n * coalesce(s.us >= 0 AND s.us <= e.us, false)::integer,
               s.n
        FROM single s LEFT JOIN expectations e ON e.type = s.name AND s.at >= e.since AND s.at < e.until),
    sums AS (
        SELECT CASE WHEN bucket IS NOT NULL THEN vsm._bucket_of(c.at, v.time_zone, bucket) END AS b, sum(c.items)::bigint AS items,
               sum(c.within)::bigint AS within, sum(c.finished)::bigint AS finished
        FROM counts c GROUP BY 1)
    SELECT b.b::date, coalesce(s.items, 0), coalesce(s.within, 0), s.within::numeric / nullif(s.items, 0), coalesce(s.finished - s.items, 0),
           e.elapsed, e.probability
    FROM unnest(buckets) b (b)
    LEFT JOIN sums s ON s.b IS NOT DISTINCT FROM b.b
    -- the last instant of the bucket, or of the window
    CROSS JOIN LATERAL (
        SELECT least(CASE WHEN b.b IS NOT NULL THEN (b.b + ('1 ' || bucket)::interval) AT TIME ZONE v.time_zone - interval '1 microsecond' END,
                     CASE WHEN isfinite(v.bound) AND v.until > v.since THEN v.until - interval '1 microsecond' ELSE v.until END) AS at) l
    LEFT JOIN expectations e ON e.type IS NOT DISTINCT FROM v.type AND l.at >= e.since AND l.at < e.until
    ORDER BY b.b;
END $$;
COMMENT ON FUNCTION vsm.sle_conformance(text, timestamptz, timestamptz, text, text, text, jsonb, timestamptz) IS
    'How many of the items that are finished at the window''s end were within the service level expectation (vsm.set_sle) that held on '
    'the day of their latest completion, for their type or else the stream: items are those that it can be said of, within those whose '
    'cycle time was no longer, share the ratio, null without items. unjudged: finished without ever starting, or when nothing was '
    'expected. bucket: day, week (from Monday) or month of the stream''s zone, by its first day; null: one row for the window. elapsed, '
    'probability: what is expected of the type, or with null of the stream, at the end of the bucket. Errors: PT404, PT422.';

-- ---- What to expect of items in progress: vsm.work_item_age ----

CREATE FUNCTION vsm._cycle_lists(of_stream_id bigint, since timestamptz, bound timestamptz, rule text, of_type text, attributes jsonb,
                                 known_at timestamptz, by_cells boolean)
    RETURNS TABLE (list bigint[], taken_at timestamptz[], taken bigint[])
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT p.cycles, p.undone_at, p.undone_cycles
    FROM vsm._finished_pieces(of_stream_id, _cycle_lists.since, bound, rule, of_type, true) p
    WHERE by_cells
    UNION ALL
    SELECT array_agg(c.cycle_us) FILTER (WHERE c.cycle_us IS NOT NULL), NULL::timestamptz[], NULL::bigint[]
    FROM vsm._completed(of_stream_id, _cycle_lists.since, bound, rule, of_type, _cycle_lists.attributes, known_at) c
    WHERE NOT by_cells;
END;
COMMENT ON FUNCTION vsm._cycle_lists(bigint, timestamptz, timestamptz, text, text, jsonb, timestamptz, boolean) IS
    'Cycle times in microseconds of items finished in [since, bound), by pieces; taken: those that a piece takes away, if the item had '
    'finished (taken_at) in the window; null or below 0: it has none.';

CREATE TYPE vsm._aged AS (
    work_item_id bigint,
    type text,
    stage_id bigint,
    age_us bigint
);

-- Ages are compared with all the lists at once, which are read once for all stages, and once for each expectation.
CREATE FUNCTION vsm._paces_of(v vsm._window, aged vsm._aged[], since timestamptz, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, pace numeric)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    RETURN QUERY
    WITH items AS MATERIALIZED (SELECT * FROM unnest(aged) a),
    stage_marks AS MATERIALIZED (
        SELECT i.stage_id, array_agg(DISTINCT i.age_us ORDER BY i.age_us) AS marks FROM items i GROUP BY 1),
    lists AS MATERIALIZED (
        SELECT l.stage_id, l.list, CASE WHEN l.taken IS NOT NULL THEN
                   ARRAY(SELECT t.us FROM unnest(l.taken_at, l.taken) t (at, us) WHERE t.at >= _paces_of.since) END AS taken
        FROM vsm._pace_lists(v.stream_id, _paces_of.since, vsm._just_after(v.bound), of_type, _paces_of.attributes, _paces_of.known_at, by_cells) l),
    -- subqueries, so that the marks are not copied for each list
    below AS MATERIALIZED (
        SELECT m.stage_id, m.marks, (SELECT vsm._below(l.list, l.taken, m.marks) FROM lists l WHERE l.stage_id = m.stage_id) AS counts
        FROM stage_marks m),
    shares AS MATERIALIZED (
        SELECT b.stage_id, u.mark, u.below::numeric / nullif(b.counts[cardinality(b.counts)], 0) AS share
        FROM below b CROSS JOIN LATERAL unnest(b.marks, b.counts) u (mark, below) WHERE u.mark IS NOT NULL)
    SELECT i.work_item_id, s.share FROM items i JOIN shares s ON s.stage_id = i.stage_id AND s.mark = i.age_us;
END $$;
COMMENT ON FUNCTION vsm._paces_of(vsm._window, vsm._aged[], timestamptz, text, jsonb, timestamptz) IS
    'The pace of items in progress, with their stages and ages in microseconds at the end of v, by what was finished from since up to '
    'and including that instant.';

CREATE FUNCTION vsm._risks_of(v vsm._window, aged vsm._aged[], since timestamptz, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, risk numeric)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at, v.reopen_rule);
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.sles s WHERE s.stream = v.stream) THEN
        RETURN;
    END IF;
    PERFORM vsm._plan(by_cells, of_type IS NOT NULL);
    RETURN QUERY
    WITH items AS MATERIALIZED (
        -- an expectation of its own type compares an item with its type's, another one with all that are asked for
        SELECT a.*, e.us, CASE WHEN e.own THEN a.type ELSE of_type END AS among
        FROM unnest(aged) a
        JOIN vsm._expectations(v.stream, v.time_zone) e ON e.type = a.type AND v.until >= e.since AND v.until < e.until),
    marks AS MATERIALIZED (
        SELECT x.among, array_agg(DISTINCT x.mark ORDER BY x.mark) AS marks
        FROM (SELECT i.among, i.age_us AS mark FROM items i
              UNION ALL SELECT i.among, greatest(i.age_us, i.us + 1) FROM items i) x
        GROUP BY 1),
    cycles AS MATERIALIZED (
        SELECT m.among, m.marks, (
                   SELECT vsm._below(l.list, ARRAY(SELECT t.us FROM unnest(l.taken_at, l.taken) t (at, us)
                                                   WHERE t.at >= _risks_of.since AND t.us >= 0), m.marks)
                   FROM vsm._cycle_lists(v.stream_id, _risks_of.since, vsm._just_after(v.bound), v.reopen_rule, m.among, _risks_of.attributes,
                                         _risks_of.known_at, by_cells) l) AS below
        FROM marks m),
    reached AS MATERIALIZED (
        SELECT c.among, u.mark, c.below[cardinality(c.below)] - u.below AS items
        FROM cycles c CROSS JOIN LATERAL unnest(c.marks, c.below) u (mark, below) WHERE u.mark IS NOT NULL)
    SELECT i.work_item_id, m.items::numeric / nullif(r.items, 0)
    FROM items i
    JOIN reached r ON r.among IS NOT DISTINCT FROM i.among AND r.mark = i.age_us
    JOIN reached m ON m.among IS NOT DISTINCT FROM i.among AND m.mark = greatest(i.age_us, i.us + 1);
END $$;
COMMENT ON FUNCTION vsm._risks_of(vsm._window, vsm._aged[], timestamptz, text, jsonb, timestamptz) IS
    'The risk of items in progress to miss the expectation of their type, as vsm._paces_of().';
