-- 77_fold: making the cells of days that are over (sql/67_cells.sql)

CREATE TYPE vsm.fold_result AS (
    stream text,
    days_folded bigint,
    days_waiting bigint
);
COMMENT ON TYPE vsm.fold_result IS 'A row of vsm.fold().';

-- Not while a dump is restored, or a subscription copies the tables: what comes later leaves no marks.
CREATE FUNCTION vsm._is_whole(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN NOT EXISTS (SELECT FROM vsm.stage_transitions t
                   LEFT JOIN vsm.work_items w ON w.id = t.work_item_id
                   LEFT JOIN vsm.work_item_types y ON y.name = w.type
                   LEFT JOIN vsm.stages e ON e.id = t.to_stage_id
                   WHERE t.stream_id = of_stream_id AND t."timestamp" >= _is_whole.since AND t."timestamp" < _is_whole.until
                     AND (y.name IS NULL OR e.id IS NULL));
COMMENT ON FUNCTION vsm._is_whole(bigint, timestamptz, timestamptz) IS 'Are the items of all moves of a span there, their types and stages?';

-- Rows to be stored, or compared with those that are: vsm.cells_check().
CREATE FUNCTION vsm._stage_cells_of(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS SETOF vsm._stage_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH moves AS MATERIALIZED (
        SELECT t.work_item_id, t.id, t.from_stage_id, t.to_stage_id, t."timestamp", vsm._elapsed_us(t."timestamp", _stage_cells_of.until) AS left_us,
               vsm._interval_us(t.time_in_stage) AS stayed_us, coalesce(t.furthest_before, t.from_stage_id) AS before, coalesce(y.id, 0) AS type_id,
               w.backward_moves
        FROM vsm.stage_transitions t
        JOIN vsm.work_items w ON w.id = t.work_item_id
        LEFT JOIN vsm.work_item_types y ON y.name = w.type
        WHERE t.stream_id = of_stream_id AND t."timestamp" >= _stage_cells_of.since AND t."timestamp" < _stage_cells_of.until),
    changes AS (
        SELECT m.type_id, m.to_stage_id AS stage_id, count(*) AS entered, 0 AS "left", 0 AS reached, sum(m.left_us) AS entered_us,
               0 AS left_us, 0 AS stayed_us, NULL::bigint[] AS visits, NULL::timestamptz[] AS repeated_at
        FROM moves m GROUP BY 1, 2
        UNION ALL
        SELECT m.type_id, m.from_stage_id, 0, count(*), 0, 0, sum(m.left_us), sum(m.stayed_us), array_agg(m.stayed_us ORDER BY m.stayed_us),
               array_agg(b.at ORDER BY b.at)
        FROM moves m
        -- when the item had last left the stage before: never, if it has always moved on
        CROSS JOIN LATERAL (
            SELECT max(p."timestamp") AS at FROM vsm.stage_transitions p
            WHERE m.backward_moves > 0 AND p.work_item_id = m.work_item_id AND p.from_stage_id = m.from_stage_id AND (p."timestamp", p.id) < (m."timestamp", m.id)) b
        WHERE m.from_stage_id IS NOT NULL GROUP BY 1, 2
        UNION ALL
        SELECT r.type_id, s.id, 0, 0, sum(r.n), 0, 0, 0, NULL, NULL
        FROM (SELECT m.type_id, m.before, m.to_stage_id, count(*) AS n FROM moves m GROUP BY 1, 2, 3) r
        CROSS JOIN LATERAL vsm._stages_reached(r.before, r.to_stage_id) s (id)
        GROUP BY 1, 2)
    SELECT of_stream_id, false, _stage_cells_of.since, c.type_id, c.stage_id, sum(c.entered)::bigint, sum(c."left")::bigint, sum(c.reached)::bigint,
           sum(c.entered_us), sum(c.left_us), sum(c.stayed_us), max(c.visits), array_remove(max(c.repeated_at), NULL)
    FROM changes c GROUP BY c.type_id, c.stage_id;
END;
COMMENT ON FUNCTION vsm._stage_cells_of(bigint, timestamptz, timestamptz) IS 'What the ledger''s moves of a span add to stages.';

CREATE FUNCTION vsm._item_cells_of(of_stream_id bigint, since timestamptz, until timestamptz, rule text) RETURNS SETOF vsm._item_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    WITH moves AS MATERIALIZED (
        SELECT t.*, coalesce(y.id, 0) AS type_id, e.category AS to_category, l.category AS from_category,
               e."order" < l."order" AS backward, vsm._elapsed_us(t."timestamp", _item_cells_of.until) AS left_us,
               (e.category IN ('wait', 'active'))::integer - coalesce((l.category IN ('wait', 'active'))::integer, 0) AS change
        FROM vsm.stage_transitions t
        JOIN vsm.work_items w ON w.id = t.work_item_id
        LEFT JOIN vsm.work_item_types y ON y.name = w.type
        JOIN vsm.stages e ON e.id = t.to_stage_id
        LEFT JOIN vsm.stages l ON l.id = t.from_stage_id
        WHERE t.stream_id = of_stream_id AND t."timestamp" >= _item_cells_of.since AND t."timestamp" < _item_cells_of.until),
    flow AS (
        SELECT m.type_id, count(*) FILTER (WHERE m.from_stage_id IS NULL) AS arrivals,
               count(*) FILTER (WHERE m.to_category = 'done' AND m.from_category IS DISTINCT FROM 'done') AS departures,
               count(*) FILTER (WHERE m.from_category IN ('done', 'discarded') AND m.to_category <> m.from_category) AS returns,
               count(*) FILTER (WHERE m.to_category = 'discarded' AND m.from_category IS DISTINCT FROM 'discarded') AS discarded,
               count(*) FILTER (WHERE m.from_category = 'done' AND m.to_category <> 'done') AS reopened,
               count(*) FILTER (WHERE m.backward) AS backward_moves,
               coalesce(sum(m.started_change), 0) AS started_change,
               sum(m.change * m.left_us::numeric) AS open_us, coalesce(sum(m.started_change * m.left_us::numeric), 0) AS started_us,
               array_agg(m.work_item_id ORDER BY m.id) FILTER (WHERE m.undoes < _item_cells_of.since) AS undone_items,
               array_agg(m.undoes ORDER BY m.id) FILTER (WHERE m.undoes < _item_cells_of.since) AS undone_at
        FROM moves m GROUP BY 1),
    completed AS (
        SELECT * FROM vsm._finished_lists(of_stream_id, _item_cells_of.since, _item_cells_of.until, rule, NULL))
    SELECT of_stream_id, false, _item_cells_of.since, type_id, f.arrivals, f.departures, f.returns, f.discarded, f.reopened, f.backward_moves,
           f.started_change, f.open_us, f.started_us, coalesce(c.finished, 0), c.items, c.completed_at, c.lead_us, c.cycle_us, c.active_us, c.wait_us,
           CASE WHEN rule <> 'episodes' THEN f.undone_items END, CASE WHEN rule <> 'episodes' THEN f.undone_at END
    FROM flow f LEFT JOIN completed c USING (type_id);
END;
COMMENT ON FUNCTION vsm._item_cells_of(bigint, timestamptz, timestamptz, text) IS 'What the ledger''s moves of a span add to the figures of a stream.';

CREATE FUNCTION vsm._fold_span(of_stream_id bigint, since timestamptz, until timestamptz, rule text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    SET enable_hashjoin = off           -- a day's moves need few of the items, each by its key
    SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO vsm._spans (stream_id, month, since, until) VALUES (of_stream_id, false, since, until);
    INSERT INTO vsm._stage_cells SELECT c.* FROM vsm._stage_cells_of(of_stream_id, since, until) c;
    INSERT INTO vsm._item_cells SELECT c.* FROM vsm._item_cells_of(of_stream_id, since, until, rule) c;
END $$;
COMMENT ON FUNCTION vsm._fold_span(bigint, timestamptz, timestamptz, text) IS 'Adds the cells of a span, from the ledger.';

CREATE FUNCTION vsm._month_stage_cells_of(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS SETOF vsm._stage_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT of_stream_id, true, _month_stage_cells_of.since, c.type_id, c.stage_id, sum(c.entered)::bigint, sum(c."left")::bigint, sum(c.reached)::bigint,
           sum(c.entered_us + c.entered * vsm._elapsed_us(s.until, _month_stage_cells_of.until)::numeric),
           sum(c.left_us + c."left" * vsm._elapsed_us(s.until, _month_stage_cells_of.until)::numeric), sum(c.stayed_us),
           NULL::bigint[], NULL::timestamptz[]
    FROM vsm._spans s
    JOIN vsm._stage_cells c ON c.stream_id = of_stream_id AND NOT c.month AND c.since = s.since
    WHERE s.stream_id = of_stream_id AND NOT s.month AND s.since >= _month_stage_cells_of.since AND s.until <= _month_stage_cells_of.until
    GROUP BY c.type_id, c.stage_id;
END;
COMMENT ON FUNCTION vsm._month_stage_cells_of(bigint, timestamptz, timestamptz) IS 'What the cells of a month''s spans add up to, by stage.';

CREATE FUNCTION vsm._month_item_cells_of(of_stream_id bigint, since timestamptz, until timestamptz) RETURNS SETOF vsm._item_cells
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT of_stream_id, true, _month_item_cells_of.since, c.type_id, sum(c.arrivals)::bigint, sum(c.departures)::bigint, sum(c.returns)::bigint,
           sum(c.discarded)::bigint, sum(c.reopened)::bigint, sum(c.backward_moves)::bigint, sum(c.started_change)::bigint,
           sum(c.open_us + (c.arrivals + c.returns - c.departures - c.discarded) * vsm._elapsed_us(s.until, _month_item_cells_of.until)::numeric),
           sum(c.started_us + c.started_change * vsm._elapsed_us(s.until, _month_item_cells_of.until)::numeric), 0::bigint,
           NULL::bigint[], NULL::timestamptz[], NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::timestamptz[]
    FROM vsm._spans s
    JOIN vsm._item_cells c ON c.stream_id = of_stream_id AND NOT c.month AND c.since = s.since
    WHERE s.stream_id = of_stream_id AND NOT s.month AND s.since >= _month_item_cells_of.since AND s.until <= _month_item_cells_of.until
    GROUP BY c.type_id;
END;
COMMENT ON FUNCTION vsm._month_item_cells_of(bigint, timestamptz, timestamptz) IS 'What the cells of a month''s spans add up to.';

CREATE FUNCTION vsm._fold_months(of_stream_id bigint, time_zone text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    filled record;
BEGIN
    -- months that their spans fill
    FOR filled IN
        INSERT INTO vsm._spans (stream_id, month, since, until)
        SELECT of_stream_id, true, m.since, m.until
        FROM (SELECT x.month AT TIME ZONE time_zone AS since, (x.month + interval '1 month') AT TIME ZONE time_zone AS until, x.filled
              FROM (SELECT date_trunc('month', s.since AT TIME ZONE time_zone) AS month, sum(vsm._elapsed_us(s.since, s.until)) AS filled
                    FROM vsm._spans s WHERE s.stream_id = of_stream_id AND NOT s.month GROUP BY 1) x) m
        WHERE m.filled = vsm._elapsed_us(m.since, m.until)
          AND NOT EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND NOT s.month AND s.since < m.until AND s.until > m.until)
          AND NOT EXISTS (SELECT FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.month AND s.since < m.until AND s.until > m.since)
        RETURNING *
    LOOP
        INSERT INTO vsm._stage_cells SELECT c.* FROM vsm._month_stage_cells_of(of_stream_id, filled.since, filled.until) c;
        INSERT INTO vsm._item_cells SELECT c.* FROM vsm._month_item_cells_of(of_stream_id, filled.since, filled.until) c;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm._fold_months(bigint, text) IS 'Adds the months that spans fill, from their cells.';

-- As the owner, from src/roles/on_behalf.c.  A span may be folded once every transaction has ended that may not have known
-- closed_until: it is committed, then the next transaction id is read, and when all before that id have ended, it is settled.
-- Definitions may change meanwhile, because nobody should wait for a fold: whoever changes them leaves a mark.  If it is
-- among those that are deleted here, they are read anew; else it stays, and what is folded by them is not read.
CREATE FUNCTION vsm._fold_stream(of_stream text, rebuild boolean) RETURNS vsm.fold_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v vsm.value_streams;
    f vsm._folds;
    today timestamptz;
    marked tstzmultirange;
    result vsm.fold_result := (of_stream, 0, 0);
    span record;
    settled boolean;
    changed boolean := false;
BEGIN
    -- before any other lock, as TRUNCATE does
    LOCK TABLE vsm.work_items IN ACCESS SHARE MODE;
    SELECT * INTO v FROM vsm.value_streams s WHERE s.name = of_stream;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream "%" not found', coalesce(of_stream, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'There is no stream of that name; names are case-sensitive.',
                  HINT = 'The streams are in vsm.value_streams; vsm.define_stream() defines one.';
    END IF;
    -- held until the messages of the commit have been sent, unlike a row's lock
    PERFORM pg_advisory_xact_lock(hashtextextended('vsm.fold', v.id));
    today := date_trunc('day', clock_timestamp() AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone;
    SELECT * INTO f FROM vsm._folds s WHERE s.stream_id = v.id;
    IF NOT FOUND THEN
        INSERT INTO vsm._folds (stream_id, closed_until, closed_by, settled_until)
        SELECT x.id, today, pg_current_xact_id(), '-infinity'
        FROM (SELECT s.id FROM vsm.value_streams s WHERE s.id = v.id FOR KEY SHARE SKIP LOCKED) x       -- it may be being deleted
        ON CONFLICT (stream_id) DO NOTHING;     -- an error in a transaction with an older snapshot
        result.days_waiting := vsm._days_waiting(v.id, '-infinity', today);
        RETURN result;
    END IF;
    -- not in the transaction that closed it: until it commits, others begin that do not know closed_until
    IF f.bound IS NULL AND f.closed_by IS DISTINCT FROM pg_current_xact_id_if_assigned() THEN
        f.bound := vsm._next_xid();
        changed := true;
    END IF;
    settled := coalesce(pg_snapshot_xmin(pg_current_snapshot()) >= f.bound, false);
    IF settled THEN
        f.settled_until := f.closed_until;
    END IF;

    WITH gone AS (DELETE FROM vsm._marks k WHERE k.stream_id = v.id RETURNING k.since, k.until)
    SELECT range_agg(tstzrange(g.since, g.until)) INTO marked FROM gone g;
    IF rebuild THEN
        marked := tstzmultirange(tstzrange('-infinity', 'infinity'));
    END IF;
    -- with one of these marks, the reopen rule and the stages may have changed; the message of it may still be on its way
    PERFORM vsm._read_definitions_anew();
    SELECT * INTO v FROM vsm.value_streams s WHERE s.id = v.id;
    -- Whoever folds changes this row: an older snapshot, which does not see what others have folded, gets an error.
    IF changed OR marked IS NOT NULL OR settled AND f.closed_until < today THEN
        UPDATE vsm._folds s SET bound = f.bound, settled_until = f.settled_until, folded_at = clock_timestamp() WHERE s.stream_id = v.id;
        changed := true;
    END IF;
    IF settled AND f.closed_until < today THEN
        UPDATE vsm._folds s SET closed_until = today, closed_by = pg_current_xact_id(), bound = NULL WHERE s.stream_id = v.id;
    END IF;
    IF marked IS NOT NULL THEN
        WITH gone AS (DELETE FROM vsm._spans s WHERE s.stream_id = v.id AND tstzrange(s.since, s.until) && marked RETURNING s.month, s.since),
        stages AS (DELETE FROM vsm._stage_cells c USING gone g WHERE c.stream_id = v.id AND c.month = g.month AND c.since = g.since)
        DELETE FROM vsm._item_cells c USING gone g WHERE c.stream_id = v.id AND c.month = g.month AND c.since = g.since;
    END IF;
    FOR span IN SELECT * FROM vsm._spans_to_fold(v.id, v.time_zone, f.settled_until) LOOP
        CONTINUE WHEN NOT vsm._is_whole(v.id, span.since, span.until);
        IF NOT changed THEN
            UPDATE vsm._folds s SET settled_until = f.settled_until, folded_at = clock_timestamp() WHERE s.stream_id = v.id;
            changed := true;
        END IF;
        PERFORM vsm._fold_span(v.id, span.since, span.until, v.reopen_rule);
        result.days_folded := result.days_folded + span.days;
    END LOOP;
    PERFORM vsm._fold_months(v.id, v.time_zone);
    result.days_waiting := vsm._days_waiting(v.id, f.settled_until, today);
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._fold_stream(text, boolean) IS 'The owner''s part of vsm.fold(). Errors: PT404, 40001.';

CREATE FUNCTION vsm._fold(stream text, rebuild boolean) RETURNS vsm.fold_result
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__fold';
COMMENT ON FUNCTION vsm._fold(text, boolean) IS 'Folds a stream, for anybody who may see it. Errors: PT404, 42501, 40001.';

CREATE FUNCTION vsm.fold(stream text DEFAULT NULL, rebuild boolean DEFAULT false)
    RETURNS SETOF vsm.fold_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    IF stream IS NOT NULL THEN
        RETURN NEXT vsm._fold(stream, coalesce(rebuild, false));
        RETURN;
    END IF;
    FOR name IN SELECT v.name FROM vsm.value_streams v ORDER BY v.id LOOP
        BEGIN
            RETURN NEXT vsm._fold(name, coalesce(rebuild, false));
        EXCEPTION WHEN SQLSTATE 'PT404' THEN
            NULL;       -- it has been deleted or renamed meanwhile
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm.fold(text, boolean) IS
    'Sums up the moves of days that are over, so that figures need not read them; of one stream, or with null of all. Answers are the '
    'same without. days_folded: now; days_waiting: that are over, but may not be folded while a transaction is open that began '
    'before they were closed; the first call closes them, the next one folds. rebuild: computes all cells anew, which needs the rights '
    'of a writer. Errors: PT404, 42501; 40001 in a transaction with an older snapshot, 25006 where nothing can be written.';
