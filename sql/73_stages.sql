-- 73_stages: what is in the stages, was there, and for how long

CREATE FUNCTION vsm.wip_at(stream text DEFAULT 'default', at timestamptz DEFAULT clock_timestamp(),
                           type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (stage text, items bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, at, at, NULL, type, attributes, known_at);
    bound CONSTANT timestamptz := vsm._just_after(at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    IF by_cells THEN
        RETURN QUERY
        SELECT s.name, coalesce(h.items, 0)
        FROM vsm.stages s LEFT JOIN vsm._stages_by_cells(v.stream_id, bound, v.until, v.type) h ON h.stage_id = s.id
        WHERE s.stream = v.stream ORDER BY s."order";
    ELSE
        RETURN QUERY
        SELECT s.name, coalesce(h.items, 0)
        FROM vsm.stages s
        LEFT JOIN vsm._stages_at(v.stream, v.stream_id, bound, v.until, v.type, wip_at.attributes, wip_at.known_at) h ON h.stage_id = s.id
        WHERE s.stream = v.stream ORDER BY s."order";
    END IF;
END $$;
COMMENT ON FUNCTION vsm.wip_at(text, timestamptz, text, jsonb, timestamptz) IS
    'Items in each stage at an instant, moves of that instant included; every stage in order, done and discarded ones too. WIP '
    'is what is in wait and active stages. Errors: PT404, PT422.';

-- A function of its own, as both charts sum the same changes: at each point of a grid, in each stage.
CREATE FUNCTION vsm._lines(of_window vsm._window, step interval, type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (at timestamptz, stage text, items bigint, reached bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH points AS MATERIALIZED (
        SELECT g.* FROM vsm._grid(of_window.since, of_window.until, _lines.step, of_window.time_zone) g),
    changes AS MATERIALIZED (
        SELECT c.*
        FROM (SELECT array_agg(p.at ORDER BY p.place) AS points FROM points p) g
        CROSS JOIN LATERAL vsm._stage_changes(of_window.stream_id, g.points, _lines.type, _lines.attributes, _lines.known_at) c)
    SELECT p.at, s.name, sum(coalesce(c.items, 0)) OVER so_far::bigint, sum(coalesce(c.reached, 0)) OVER so_far::bigint
    FROM vsm.stages s
    CROSS JOIN points p
    LEFT JOIN changes c ON c.stage_id = s.id AND c.place = p.place
    WHERE s.stream = of_window.stream
    WINDOW so_far AS (PARTITION BY s.id ORDER BY p.place)
    ORDER BY p.place, s."order";
END;
COMMENT ON FUNCTION vsm._lines(vsm._window, interval, text, jsonb, timestamptz) IS
    'Items in each stage, and those that have reached it, at since, since + step, ... until.';

CREATE FUNCTION vsm.occupancy(stream text DEFAULT 'default',
                                   since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                   until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day',
                                   type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
BEGIN
    PERFORM vsm._plan(vsm._by_cells(v.stream_id, attributes, known_at), type IS NOT NULL);
    RETURN QUERY SELECT l.at, l.stage, l.items FROM vsm._lines(v, occupancy.step, v.type, occupancy.attributes, occupancy.known_at) l;
END $$;
COMMENT ON FUNCTION vsm.occupancy(text, timestamptz, timestamptz, interval, text, jsonb, timestamptz) IS
    'Items that are in each stage at since, since + step, ... until: the number falls when items move on or back. '
    'Days and months of the step follow the calendar of the stream''s zone. Errors: PT404, PT422.';

CREATE FUNCTION vsm.cumulative_flow(stream text DEFAULT 'default',
                                   since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                   until timestamptz DEFAULT clock_timestamp(), step interval DEFAULT '1 day',
                                   type text DEFAULT NULL, attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (at timestamptz, stage text, items bigint)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
BEGIN
    PERFORM vsm._plan(vsm._by_cells(v.stream_id, attributes, known_at), type IS NOT NULL);
    RETURN QUERY SELECT l.at, l.stage, l.reached FROM vsm._lines(v, cumulative_flow.step, v.type, cumulative_flow.attributes, cumulative_flow.known_at) l;
END $$;
COMMENT ON FUNCTION vsm.cumulative_flow(text, timestamptz, timestamptz, interval, text, jsonb, timestamptz) IS
    'Cumulative flow diagram: items that have reached each stage or a later one by since, since + step, ... until. '
    'A line never falls, even when items move back (Vacanti). The line of a discarded stage has the items that were discarded '
    'there first; they do not count as having reached other stages by that. Errors: PT404, PT422.';

CREATE FUNCTION vsm.time_in_stage(stream text DEFAULT 'default',
                                  since timestamptz DEFAULT clock_timestamp() - interval '7 days',
                                  until timestamptz DEFAULT clock_timestamp(), type text DEFAULT NULL,
                                  attributes jsonb DEFAULT NULL, known_at timestamptz DEFAULT NULL)
    RETURNS TABLE (stage text, visits bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval,
                   items bigint, avg_per_item interval, open_visits bigint, open_avg interval)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, since, until, NULL, type, attributes, known_at);
    by_cells CONSTANT boolean := vsm._by_cells(v.stream_id, attributes, known_at);
BEGIN
    PERFORM vsm._plan(by_cells, type IS NOT NULL);
    RETURN QUERY
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(v.stream_id, ARRAY[time_in_stage.since, v.bound], by_cells, 'd') p),
    moves AS MATERIALIZED (
        SELECT m.work_item_id, m.id, m.from_stage_id, m."timestamp", vsm._interval_us(m.time_in_stage) AS us
        FROM pieces p
        CROSS JOIN LATERAL vsm._moves(v.stream_id, p.since, p.until, v.type, time_in_stage.attributes,
                                      time_in_stage.known_at) m
        WHERE NOT p.folded AND m.from_stage_id IS NOT NULL),
    -- an item counts once: not again at a visit, if one before has ended in the window
    ended AS (
        SELECT m.from_stage_id AS stage_id, array_agg(m.us) AS visits, count(DISTINCT m.work_item_id) AS items, sum(m.us) AS us
        FROM moves m WHERE NOT EXISTS (SELECT FROM pieces p WHERE p.folded) GROUP BY 1
        UNION ALL
        SELECT m.from_stage_id, array_agg(m.us), count(*) FILTER (WHERE NOT m.again), sum(m.us)
        FROM (SELECT max(x.from_stage_id) AS from_stage_id, max(x.us) AS us, bool_or(x.again) AS again
              FROM (SELECT m.id, m.from_stage_id, m.us, true AS here, false AS again FROM moves m
                    UNION ALL
                    -- by the whole way of each item that may have come back, once
                    SELECT b.id, NULL, NULL, false, true
                    FROM (SELECT t.id, lag(t."timestamp") OVER (PARTITION BY i.work_item_id, t.from_stage_id ORDER BY t."timestamp", t.id) AS left_before
                          FROM (SELECT DISTINCT m.work_item_id FROM moves m
                                WHERE (SELECT w.backward_moves FROM vsm.work_items w WHERE w.id = m.work_item_id) IS DISTINCT FROM 0) i
                          CROSS JOIN LATERAL (
                              SELECT t.id, t."timestamp", t.from_stage_id FROM vsm.stage_transitions t
                              WHERE t.work_item_id = i.work_item_id AND t.from_stage_id IS NOT NULL AND t."timestamp" < v.bound OFFSET 0) t) b
                    WHERE b.left_before >= time_in_stage.since) x
              WHERE EXISTS (SELECT FROM pieces p WHERE p.folded)
              GROUP BY x.id HAVING bool_or(x.here)) m
        GROUP BY 1
        UNION ALL
        SELECT c.stage_id, c.visits,
               -- less the visits of items that had left it before in the window; width_bucket(): those at most an instant
               c."left" - CASE WHEN c.repeated_at IS NULL THEN 0
                               ELSE cardinality(c.repeated_at) - width_bucket(time_in_stage.since - interval '1 microsecond', c.repeated_at) END,
               c.stayed_us
        FROM pieces p
        CROSS JOIN LATERAL (SELECT * FROM vsm._stage_cells c WHERE c.stream_id = v.stream_id AND c.unit = p.unit AND c.since = p.since OFFSET 0) c
        WHERE p.folded AND c.visits IS NOT NULL AND (v.type IS NULL OR c.type_id = (SELECT vsm._type_id(v.type)))),
    closed AS (
        SELECT e.stage_id, vsm._summary_of(e.visits) AS visits, sum(e.items) AS items, sum(e.us) AS total_us FROM ended e GROUP BY 1),
    held AS MATERIALIZED (
        SELECT h.* FROM vsm._stages_by_cells(v.stream_id, v.bound, least(v.until, clock_timestamp()), v.type) h WHERE by_cells
        UNION ALL
        SELECT h.*
        FROM vsm._stages_at(v.stream, v.stream_id, v.bound, least(v.until, clock_timestamp()), v.type, time_in_stage.attributes, time_in_stage.known_at) h
        WHERE NOT by_cells)
    SELECT s.name, coalesce((c.visits).n, 0),
           (c.visits).avg, (c.visits).p50, (c.visits).p70, (c.visits).p85, (c.visits).p95,
           coalesce(c.items, 0)::bigint, vsm._interval(round(c.total_us / c.items)::bigint),
           coalesce(h.items, 0), CASE WHEN h.items > 0 THEN vsm._interval(round(h.us / h.items)::bigint) END
    FROM vsm.stages s
    LEFT JOIN closed c ON c.stage_id = s.id
    LEFT JOIN held h ON h.stage_id = s.id
    WHERE s.stream = v.stream
    ORDER BY s."order";
END $$;
COMMENT ON FUNCTION vsm.time_in_stage(text, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'Elapsed time in each stage over the visits that ended in the window: per visit (avg, percentiles by '
    'percentile_disc) and summed per item (avg_per_item). open_visits and open_avg: items that are in the stage at the window''s '
    'end, and how long they have been there by then, or by now if that lies ahead; in a done or discarded stage, since they ended. '
    'Errors: PT404, PT422.';

CREATE TYPE vsm.aged_item AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage text,
    age interval,
    time_in_stage interval,
    age_since_creation interval,
    blocked interval,
    block_reason text,
    pace numeric,
    risk numeric
);
COMMENT ON TYPE vsm.aged_item IS 'A row of vsm.work_item_age().';

-- Where the items that are in progress at an instant were.  An item that has not moved since is where it is now; for one
-- that has, the first move since tells which stage it left, and when it had come there.  Where cells go beyond the instant,
-- they have the items; then it is the one move of each that left a stage after the instant, and had come there before.
CREATE FUNCTION vsm._open_items_at(of_stream text, of_stream_id bigint, at timestamptz, of_type text, attributes jsonb,
                                   known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, external_id text, type text, title text, stage_id bigint, stage text, created_at timestamptz,
                   started_at timestamptz, stage_entered_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH stages AS MATERIALIZED (       -- one row, so that no plan reads it for each item
        SELECT array_agg(s.id) AS ids, array_agg(s.name) AS names FROM vsm.stages s WHERE s.stream = of_stream AND s.category IN ('wait', 'active')),
    pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY['-infinity', vsm._just_after(_open_items_at.at)], true, 'md') p
        WHERE vsm._cells_beyond(of_stream_id, _open_items_at.at, _open_items_at.known_at)),
    in_progress AS MATERIALIZED (
        SELECT unnest(o.items) AS id
        FROM (SELECT (vsm._crossing(x.opened, x.closed)).opened AS items
              FROM (SELECT c.opened, c.closed
                    FROM pieces p
                    CROSS JOIN LATERAL (SELECT * FROM vsm._item_cells c WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since OFFSET 0) c
                    WHERE p.folded AND c.type_id > 0 AND (of_type IS NULL OR c.type_id = (SELECT vsm._type_id(of_type)))
                    UNION ALL
                    SELECT array_agg(m.work_item_id) FILTER (WHERE e.open AND NOT coalesce(l.open, false)),
                           array_agg(m.work_item_id) FILTER (WHERE l.open AND NOT e.open)
                    FROM pieces p
                    CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_stream_id, p.since, p.until, of_type, NULL) OFFSET 0) m
                    JOIN (SELECT s.id, s.category IN ('wait', 'active') AS open FROM vsm.stages s) e ON e.id = m.to_stage_id
                    LEFT JOIN (SELECT s.id, s.category IN ('wait', 'active') AS open FROM vsm.stages s) l ON l.id = m.from_stage_id
                    WHERE NOT p.folded) x) o),
    now AS MATERIALIZED (SELECT known_at IS NULL AND NOT EXISTS (SELECT FROM pieces p) AS counts)
    SELECT o.work_item_id, o.external_id, o.type, o.title, o.stage_id, s.names[array_position(s.ids, o.stage_id)], o.created_at,
           CASE WHEN o.started_at <= _open_items_at.at THEN o.started_at END, o.stage_entered_at
    FROM (SELECT w.id AS work_item_id, w.external_id, w.type, w.title, w.stage_id, w.created_at, w.started_at, w.stage_entered_at
          FROM vsm.work_items w
          WHERE (SELECT n.counts FROM now n) AND w.stream = of_stream AND w.completed_at IS NULL AND w.discarded_at IS NULL
            AND w.stage_entered_at <= _open_items_at.at
            AND (of_type IS NULL OR w.type = of_type)
            AND (_open_items_at.attributes IS NULL OR w.attributes @> _open_items_at.attributes)
          UNION ALL
          SELECT w.id, w.external_id, w.type, w.title, m.from_stage_id, w.created_at, w.started_at,
                 vsm._entered_at(m."timestamp", m.time_in_stage)
          FROM (SELECT DISTINCT ON (n.work_item_id) n.*
                FROM vsm._ledger_moves(of_stream_id, vsm._just_after(_open_items_at.at), 'infinity', of_type,
                                _open_items_at.attributes) n
                WHERE (SELECT n.counts FROM now n) ORDER BY n.work_item_id, n."timestamp", n.id) m
          JOIN vsm.work_items w ON w.id = m.work_item_id
          WHERE m.from_stage_id IS NOT NULL
          UNION ALL
          SELECT w.id, w.external_id, w.type, w.title, coalesce(m.from_stage_id, w.stage_id), w.created_at, w.started_at, coalesce(m.entered_at, w.stage_entered_at)
          FROM in_progress i
          CROSS JOIN LATERAL (
              SELECT w.id, w.external_id, w.type, w.title, w.stage_id, w.created_at, w.started_at, w.stage_entered_at
              FROM vsm.work_items w WHERE w.id = i.id AND (_open_items_at.attributes IS NULL OR w.attributes @> _open_items_at.attributes) OFFSET 0) w
          LEFT JOIN LATERAL (
              SELECT t.from_stage_id, vsm._entered_at(t."timestamp", t.time_in_stage) AS entered_at
              FROM vsm.stage_transitions t
              WHERE w.stage_entered_at > _open_items_at.at AND t.work_item_id = i.id AND t."timestamp" > _open_items_at.at
                AND vsm._entered_at(t."timestamp", t.time_in_stage) <= _open_items_at.at
              LIMIT 1) m ON true
          UNION ALL
          SELECT k.work_item_id, k.external_id, k.type, k.title, (k.state).stage_id, (k.state).created_at, (k.state).started_at,
                 (k.state).stage_entered_at
          FROM (SELECT n.work_item_id, max(n.external_id) AS external_id, max(n.type) AS type, max(n.title) AS title,
                       vsm._replay(n.to_stage_id, n."timestamp", n.id) AS state
                FROM vsm._known_moves(of_stream_id, of_type, _open_items_at.attributes, known_at) n
                WHERE known_at IS NOT NULL AND n."timestamp" <= _open_items_at.at GROUP BY 1) k) o
    CROSS JOIN stages s WHERE o.stage_id = ANY (s.ids);
END;
COMMENT ON FUNCTION vsm._open_items_at(text, bigint, timestamptz, text, jsonb, timestamptz) IS
    'Items that are neither finished nor discarded at an instant, moves of that instant included, as they were then.';

CREATE TYPE vsm._open_item AS (
    work_item_id bigint,
    external_id text,
    title text,
    type text,
    stage_id bigint,
    stage text,
    created_at timestamptz,
    started_at timestamptz,
    stage_entered_at timestamptz,
    age_us bigint
);

CREATE FUNCTION vsm.work_item_age(stream text DEFAULT 'default', type text DEFAULT NULL,
                                  at timestamptz DEFAULT clock_timestamp(), attributes jsonb DEFAULT NULL,
                                  known_at timestamptz DEFAULT NULL, history_days integer DEFAULT 90)
    RETURNS SETOF vsm.aged_item
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(stream, at, at, NULL, type, attributes, known_at);
    -- whole days of the stream's zone; there is none before the first day of all
    history_since CONSTANT timestamptz := CASE WHEN isfinite(v.until) AND history_days BETWEEN 0 AND 3653 THEN
        ((v.until AT TIME ZONE v.time_zone)::date - least(history_days, greatest((v.until AT TIME ZONE v.time_zone)::date - date '4714-11-26 BC', 0)))::timestamp
            AT TIME ZONE v.time_zone END;
    open_items vsm._open_item[];
BEGIN
    IF history_since IS NULL THEN
        RAISE EXCEPTION 'the number of days to compare with is out of range'
            USING ERRCODE = 'PT422', COLUMN = 'history_days', DETAIL = format('It is %s.', coalesce(history_days::text, 'null')),
                  HINT = 'Give a number from 0 to 3653.';
    END IF;
    PERFORM vsm._plan(vsm._cells_beyond(v.stream_id, at, known_at) OR known_at IS NULL AND vsm._few_moves_after(v.stream_id, at));
    open_items := ARRAY(
        SELECT (o.work_item_id, o.external_id, o.title, o.type, o.stage_id, o.stage, o.created_at, o.started_at, o.stage_entered_at,
                vsm._elapsed_us(o.started_at, v.until))::vsm._open_item
        FROM vsm._open_items_at(v.stream, v.stream_id, work_item_age.at, v.type, work_item_age.attributes, work_item_age.known_at) o);
    PERFORM vsm._plan(true);        -- what is left reads no stretch of the ledger
    RETURN QUERY
    WITH blocked AS MATERIALIZED (
        SELECT b.work_item_id, sum(vsm._elapsed_us(b.blocked_at, b.unblocked_at))::bigint AS us
        FROM vsm._blocked(v.stream_id, '-infinity', vsm._just_after(work_item_age.at), v.until,
                          ARRAY(SELECT o.work_item_id FROM unnest(open_items) o WHERE o.started_at IS NOT NULL),
                          NULL, NULL, work_item_age.known_at) b
        GROUP BY 1),
    blocks AS MATERIALIZED (
        SELECT k.work_item_id, k.reason
        FROM vsm._known_blocks(v.stream_id, work_item_age.at, vsm._just_after(work_item_age.at), NULL, work_item_age.known_at) k),
    aged AS MATERIALIZED (
        SELECT array_agg((o.work_item_id, o.type, o.stage_id, o.age_us)::vsm._aged) AS items FROM unnest(open_items) o
        WHERE o.age_us >= 0 AND work_item_age.history_days > 0),
    paces AS MATERIALIZED (
        SELECT p.* FROM aged a CROSS JOIN LATERAL vsm._paces_of(v, a.items, history_since, v.type, work_item_age.attributes, work_item_age.known_at) p
        WHERE a.items IS NOT NULL),
    risks AS MATERIALIZED (
        SELECT r.* FROM aged a CROSS JOIN LATERAL vsm._risks_of(v, a.items, history_since, v.type, work_item_age.attributes, work_item_age.known_at) r
        WHERE a.items IS NOT NULL),
    said AS MATERIALIZED (      -- often of none: to join all items with each of the four takes longer than the rest
        SELECT x.work_item_id, max(x.us) AS us, max(x.reason) AS reason, max(x.pace) AS pace, max(x.risk) AS risk
        FROM (SELECT b.work_item_id, b.us, NULL::text AS reason, NULL::numeric AS pace, NULL::numeric AS risk FROM blocked b
              UNION ALL SELECT k.work_item_id, NULL, k.reason, NULL, NULL FROM blocks k
              UNION ALL SELECT p.work_item_id, NULL, NULL, p.pace, NULL FROM paces p
              UNION ALL SELECT r.work_item_id, NULL, NULL, NULL, r.risk FROM risks r) x
        GROUP BY 1)
    SELECT o.work_item_id, o.external_id, o.title, o.type, o.stage, vsm._interval(o.age_us),
           vsm._interval(vsm._elapsed_us(o.stage_entered_at, v.until)), vsm._interval(vsm._elapsed_us(o.created_at, v.until)),
           CASE WHEN o.started_at IS NOT NULL THEN vsm._interval(coalesce(s.us, 0)) END, s.reason, s.pace, s.risk
    FROM unnest(open_items) o
    LEFT JOIN said s ON s.work_item_id = o.work_item_id
    ORDER BY o.started_at NULLS LAST, o.created_at, o.work_item_id;
END $$;
COMMENT ON FUNCTION vsm.work_item_age(text, text, timestamptz, jsonb, timestamptz, integer) IS
    'Items that are neither finished nor discarded at an instant, oldest first, as they were then, moves of that instant included. '
    'age: started to at (default now), null before the start; time_in_stage: in the stage they are in then; age_since_creation; blocked: '
    'how much of the age they were blocked (age - blocked is the age without); block_reason: if they are blocked. pace and risk compare the age with the items finished on the '
    'history_days days (to 3653) before that of at, and up to at, that type and attributes select; with 0 they are null, and the answer takes less time. pace: share of those that had left '
    'the stage when they were younger. risk: of those that had got as old, the share that went on to miss the service level expectation '
    '(vsm.set_sle) of the item''s type, where it is the type''s own among items of the type; null without one. Both are null before the '
    'start and where nothing compares. The title of an item that has been deleted since known_at is null. Errors: PT404, PT422.';
