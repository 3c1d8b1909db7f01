-- 71_moves: the moves that a figure is made of, now or as they were known

CREATE TYPE vsm._move AS (
    work_item_id bigint,
    external_id text,           -- known moves only, as type and title: the item may be gone
    type text,
    title text,
    id bigint,
    "timestamp" timestamptz,
    from_stage_id bigint,
    to_stage_id bigint,
    time_in_stage interval,
    undoes timestamptz,
    furthest_before bigint,
    started_change smallint,
    item_created_at timestamptz,
    item_started_at timestamptz,
    active_time interval,
    wait_time interval
);

-- What the ledger held at an instant: rows recorded by then, as they were.  Only item, stage, time and id of a row are used;
-- the rest is derived from them, as rows may have been repaired since.  Definitions of stages and attributes are today's.
-- A row was as its first version says that has been superseded since; else it is as it is in the ledger.
CREATE FUNCTION vsm._known_rows(of_stream_id bigint, known_at timestamptz)
    RETURNS TABLE (work_item_id bigint, id bigint, to_stage_id bigint, "timestamp" timestamptz, type text, external_id text,
                   item_deleted_at timestamptz)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH since AS MATERIALIZED (
        SELECT DISTINCT ON (u.work_item_id, u.transition_id) u.work_item_id, u.transition_id, u.to_stage_id, u."timestamp", u.item_type,
               u.external_id, u.recorded_at, max(u.superseded_at) FILTER (WHERE u.item_deleted)
                                                 OVER (PARTITION BY u.work_item_id, u.transition_id) AS item_deleted_at
        FROM vsm.superseded_transitions u
        WHERE u.stream_id = of_stream_id AND u.superseded_at > known_at
        ORDER BY u.work_item_id, u.transition_id, u.superseded_at, u.id)
    SELECT s.work_item_id, s.transition_id, s.to_stage_id, s."timestamp", s.item_type, s.external_id, s.item_deleted_at
    FROM since s WHERE s.recorded_at <= known_at
    UNION ALL
    SELECT t.work_item_id, t.id, t.to_stage_id, t."timestamp", o.type, NULL::text, NULL::timestamptz
    FROM vsm.stage_transitions t LEFT JOIN vsm.work_items o ON o.id = t.work_item_id
    WHERE t.stream_id = of_stream_id AND t.recorded_at <= known_at
      AND NOT EXISTS (SELECT FROM since s WHERE s.work_item_id = t.work_item_id AND s.transition_id = t.id);
END;
COMMENT ON FUNCTION vsm._known_rows(bigint, timestamptz) IS
    'The moves of a stream as the ledger had them at an instant. item_deleted_at: when the item was deleted since; null: it was not.';

CREATE FUNCTION vsm._known_moves(of_stream_id bigint, of_type text, attributes jsonb, known_at timestamptz)
    RETURNS SETOF vsm._move
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT i.work_item_id, coalesce(i.external_id, w.external_id), i.type, w.title, e.id, e."timestamp", e.from_stage_id, e.to_stage_id,
           e.time_in_stage, e.undoes, e.furthest_before, e.started_change, e.item_created_at, e.item_started_at, e.active_time, e.wait_time
    FROM (SELECT k.work_item_id, max(k.external_id) AS external_id, vsm._effects(k.to_stage_id, k."timestamp", k.id) AS effects,
                 -- another item may have the id of one that was deleted
                 coalesce((SELECT r.old_type FROM vsm._retypes r
                           WHERE r.work_item_id = k.work_item_id AND r.at > known_at
                             AND (max(k.item_deleted_at) IS NULL OR r.at <= max(k.item_deleted_at))
                           ORDER BY r.at, r.id LIMIT 1), max(k.type)) AS type,
                 max(k.item_deleted_at) IS NOT NULL AS deleted
          FROM vsm._known_rows(of_stream_id, known_at) k
          GROUP BY k.work_item_id) i
    LEFT JOIN vsm.work_items w ON w.id = i.work_item_id AND NOT i.deleted
    CROSS JOIN LATERAL unnest(i.effects) e
    WHERE (of_type IS NULL OR i.type = of_type)
      AND (_known_moves.attributes IS NULL OR w.attributes @> _known_moves.attributes);
END;
COMMENT ON FUNCTION vsm._known_moves(bigint, text, jsonb, timestamptz) IS
    'All moves of a stream''s items as they were known at an instant. A transaction that was open then counts from when it wrote.';

-- By itself where only the ledger is asked: to scan a UNION takes half as long again.  For several times it is asked for each
-- of them (OFFSET 0), as cells are.
CREATE FUNCTION vsm._ledger_moves(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb)
    RETURNS SETOF vsm.stage_transitions
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT t.*
    FROM vsm.stage_transitions t
    WHERE t.stream_id = of_stream_id AND t."timestamp" >= since AND t."timestamp" < bound
      AND (of_type IS NULL AND _ledger_moves.attributes IS NULL
           OR EXISTS (SELECT FROM vsm.work_items w
                      WHERE w.id = t.work_item_id AND (of_type IS NULL OR w.type = of_type)
                        AND (_ledger_moves.attributes IS NULL OR w.attributes @> _ledger_moves.attributes)));
END;
COMMENT ON FUNCTION vsm._ledger_moves(bigint, timestamptz, timestamptz, text, jsonb) IS
    'Moves of a stream with a time in [since, bound), of items of a type and with attributes.';

CREATE FUNCTION vsm._moves(of_stream_id bigint, since timestamptz, bound timestamptz, of_type text, attributes jsonb,
                           known_at timestamptz)
    RETURNS SETOF vsm._move
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT t.work_item_id, NULL::text, NULL::text, NULL::text, t.id, t."timestamp", t.from_stage_id, t.to_stage_id, t.time_in_stage, t.undoes,
           t.furthest_before, t.started_change, t.item_created_at, t.item_started_at, t.active_time, t.wait_time
    FROM vsm._ledger_moves(of_stream_id, _moves.since, bound, of_type, _moves.attributes) t
    WHERE known_at IS NULL
    UNION ALL
    SELECT k.* FROM vsm._known_moves(of_stream_id, of_type, _moves.attributes, known_at) k
    WHERE known_at IS NOT NULL AND k."timestamp" >= _moves.since AND k."timestamp" < bound;
END;
COMMENT ON FUNCTION vsm._moves(bigint, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'vsm._ledger_moves(), or with known_at the same of the moves as they were known then.';

-- What lies in the stages before an instant.  us: how long the items have been in the stage at "at".  Sums suffice.  With cells:
-- what had entered, less what had left.
CREATE FUNCTION vsm._stages_by_cells(of_stream_id bigint, bound timestamptz, at timestamptz, of_type text)
    RETURNS TABLE (stage_id bigint, items bigint, us numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.* FROM vsm._pieces(of_stream_id, ARRAY['-infinity', bound], true, vsm._units(of_type)) p),
    moves AS (
        SELECT m.from_stage_id, m.to_stage_id, m."timestamp", m.time_in_stage
        FROM pieces p CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_stream_id, p.since, p.until, of_type, NULL) OFFSET 0) m
        WHERE NOT p.folded)
    SELECT c.stage_id, sum(c.n)::bigint, sum(c.us)
    FROM (SELECT m.to_stage_id AS stage_id, count(*) AS n, sum(vsm._elapsed_us(m."timestamp", _stages_by_cells.at)::numeric) AS us
          FROM moves m GROUP BY 1
          UNION ALL
          SELECT m.from_stage_id, -count(*),
                 -sum(vsm._elapsed_us(m."timestamp", _stages_by_cells.at)::numeric + vsm._interval_us(m.time_in_stage))
          FROM moves m WHERE m.from_stage_id IS NOT NULL GROUP BY 1
          UNION ALL
          SELECT s.stage_id, sum(s.entered - s."left"),
                 sum(s.entered_us - s.left_us - s.stayed_us + (s.entered - s."left") * vsm._elapsed_us(p.until, _stages_by_cells.at)::numeric)
          FROM pieces p
          CROSS JOIN LATERAL (
              SELECT * FROM vsm._stage_cells c
              WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
              OFFSET 0) s
          WHERE p.folded GROUP BY 1) c
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._stages_by_cells(bigint, timestamptz, timestamptz, text) IS
    'Items in each stage after the moves before bound, and the time that they have been there at "at", in microseconds; from cells.';

-- Without cells: what is there now, less what has entered since, plus what has left since; of known moves what had entered, less
-- what had left.
CREATE FUNCTION vsm._stages_at(of_stream text, of_stream_id bigint, bound timestamptz, at timestamptz, of_type text, attributes jsonb,
                               known_at timestamptz)
    RETURNS TABLE (stage_id bigint, items bigint, us numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH moves AS (
        SELECT m.from_stage_id, m.to_stage_id, m."timestamp", m.time_in_stage, -1 AS sign
        FROM vsm._ledger_moves(of_stream_id, bound, 'infinity', of_type, _stages_at.attributes) m
        WHERE known_at IS NULL
        UNION ALL
        SELECT k.from_stage_id, k.to_stage_id, k."timestamp", k.time_in_stage, 1
        FROM vsm._known_moves(of_stream_id, of_type, _stages_at.attributes, known_at) k
        WHERE known_at IS NOT NULL AND k."timestamp" < bound)
    SELECT c.stage_id, sum(c.n)::bigint, sum(c.us)
    FROM (SELECT w.stage_id, count(*) AS n, sum(vsm._elapsed_us(w.stage_entered_at, _stages_at.at)) AS us
          FROM vsm.work_items w
          WHERE known_at IS NULL AND w.stream = of_stream AND (of_type IS NULL OR w.type = of_type)
            AND (_stages_at.attributes IS NULL OR w.attributes @> _stages_at.attributes)
          GROUP BY 1
          UNION ALL
          SELECT m.to_stage_id, sum(m.sign), sum(m.sign * vsm._elapsed_us(m."timestamp", _stages_at.at)::numeric)
          FROM moves m GROUP BY 1
          UNION ALL
          SELECT m.from_stage_id, -sum(m.sign),
                 -sum(m.sign * (vsm._elapsed_us(m."timestamp", _stages_at.at)::numeric + vsm._interval_us(m.time_in_stage)))
          FROM moves m WHERE m.from_stage_id IS NOT NULL GROUP BY 1) c
    GROUP BY 1;
END;
COMMENT ON FUNCTION vsm._stages_at(text, bigint, timestamptz, timestamptz, text, jsonb, timestamptz) IS
    'As vsm._stages_by_cells(), from the items and the ledger.';

-- A span lies between two neighbouring points, and counts at the second.  A move at a point counts there, so those at the
-- first are taken out of a span that begins with it.
CREATE FUNCTION vsm._stage_changes(of_stream_id bigint, points timestamptz[], of_type text, attributes jsonb, known_at timestamptz)
    RETURNS TABLE (place integer, stage_id bigint, items numeric, reached numeric)
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH pieces AS MATERIALIZED (
        SELECT p.*
        FROM vsm._pieces(of_stream_id, timestamptz '-infinity' || points || vsm._just_after(points[cardinality(points)]),
                         vsm._by_cells(of_stream_id, _stage_changes.attributes, _stage_changes.known_at), vsm._units(of_type)) p),
    single AS (
        SELECT m.from_stage_id, m.to_stage_id, coalesce(m.furthest_before, m.from_stage_id) AS before,
               width_bucket(m."timestamp" - interval '1 microsecond', points) AS place, 1 AS n
        FROM pieces p CROSS JOIN LATERAL vsm._moves(of_stream_id, p.since, p.until, of_type, _stage_changes.attributes, _stage_changes.known_at) m
        WHERE NOT p.folded
        UNION ALL
        SELECT m.from_stage_id, m.to_stage_id, coalesce(m.furthest_before, m.from_stage_id),
               -- of several points at one instant, the first
               CASE WHEN x.n > 0 THEN width_bucket(m."timestamp" - interval '1 microsecond', points) ELSE p.place - 1 END, x.n
        FROM pieces p
        CROSS JOIN LATERAL (SELECT * FROM vsm._ledger_moves(of_stream_id, p.since, vsm._just_after(p.since), of_type, NULL) OFFSET 0) m
        CROSS JOIN (VALUES (1), (-1)) x (n)
        WHERE p.folded AND p.since = points[p.place - 1]),
    moves AS MATERIALIZED (
        SELECT s.from_stage_id, s.to_stage_id, s.before, s.place, sum(s.n) AS n FROM single s GROUP BY 1, 2, 3, 4)
    SELECT c.place, c.stage_id, sum(c.items), sum(c.reached)
    FROM (SELECT p.place - 1 AS place, s.stage_id, s.entered - s."left" AS items, s.reached
          FROM pieces p
          CROSS JOIN LATERAL (
              SELECT * FROM vsm._stage_cells c
              WHERE c.stream_id = of_stream_id AND c.unit = p.unit AND c.since = p.since AND c.type_id = coalesce((SELECT vsm._type_id(of_type)), 0)
              OFFSET 0) s
          WHERE p.folded
          UNION ALL
          SELECT m.place, m.to_stage_id, m.n, 0 FROM moves m
          UNION ALL
          SELECT m.place, m.from_stage_id, -m.n, 0 FROM moves m WHERE m.from_stage_id IS NOT NULL
          UNION ALL
          SELECT m.place, r.id, 0, m.n FROM moves m CROSS JOIN LATERAL vsm._stages_reached(m.before, m.to_stage_id) r (id)) c
    GROUP BY 1, 2;
END;
COMMENT ON FUNCTION vsm._stage_changes(bigint, timestamptz[], text, jsonb, timestamptz) IS
    'What moves up to points change, from the point before each (place: from 0; before the first: everything): items in a stage, and '
    'items that have reached it.';
