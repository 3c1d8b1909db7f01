-- 52_import_moves: the rows of an import become moves and items, or repair those that are there

-- One work item per case; existing items are locked.
CREATE FUNCTION vsm._import_find_items(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CREATE TEMPORARY TABLE vsm_import_items ON COMMIT DROP AS
    SELECT o.case_id, coalesce(o.item_id, nextval('vsm.work_items_id_seq')) AS item_id, o.item_id IS NULL AS fresh,
           coalesce(o.known_type, o.type, 'task') AS type, coalesce(o.title, o.case_id) AS title
    FROM (SELECT c.*, w.id AS item_id, w.type AS known_type
          FROM (SELECT r.case_id, min(r.entered_at) AS first_at, vsm._latest(r.type, r.entered_at) AS type,
                       vsm._latest(r.title, r.entered_at) AS title
                FROM pg_temp.vsm_import r GROUP BY 1) c
          LEFT JOIN vsm.work_items w ON w.stream = of_stream AND w.external_id = c.case_id
          ORDER BY c.first_at, c.case_id COLLATE "C"
          OFFSET 0) o;
    IF EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh) THEN
        PERFORM w.id FROM vsm.work_items w JOIN pg_temp.vsm_import_items i ON i.item_id = w.id
        WHERE NOT i.fresh ORDER BY w.id FOR UPDATE OF w;
        -- an item that was deleted while this waited for its lock is new
        UPDATE pg_temp.vsm_import_items i SET item_id = nextval('vsm.work_items_id_seq'), fresh = true
        WHERE NOT i.fresh AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = i.item_id);
    END IF;
END $$;
COMMENT ON FUNCTION vsm._import_find_items(text) IS 'Work items of the imported cases.';

-- Puts the new events among the known ones; see src/move/import.c. A copy of an event is dropped, and an event that finds
-- the item already in its stage is merged ("keep" is false).
CREATE FUNCTION vsm._import_merge_moves(of_stream text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CREATE TEMPORARY TABLE vsm_import_moves ON COMMIT DROP AS
    WITH events AS (
        SELECT i.item_id, i.type, r.entered_at AS at, s.id AS stage_id, 'new' AS origin, NULL::bigint AS id, r.sequence, r.ord
        FROM pg_temp.vsm_import r
        JOIN pg_temp.vsm_import_items i USING (case_id)
        JOIN vsm.stages s ON s.stream = of_stream AND s.name = r.stage
        UNION ALL
        SELECT t.work_item_id, i.type, t."timestamp", t.to_stage_id, 'ledger', t.id, NULL, NULL
        FROM vsm.stage_transitions t JOIN pg_temp.vsm_import_items i ON i.item_id = t.work_item_id AND NOT i.fresh
        UNION ALL
        SELECT m.work_item_id, i.type, m."timestamp", m.stage_id, 'merged', m.id, NULL, NULL
        FROM vsm._merged_events m JOIN pg_temp.vsm_import_items i ON i.item_id = m.work_item_id AND NOT i.fresh),
    sequence AS (
        SELECT e.*, vsm._sequence(e.stage_id, e.at, e.origin = 'new')
                        OVER (PARTITION BY e.item_id ORDER BY e.at, e.id, e.sequence, e.ord ROWS UNBOUNDED PRECEDING) AS step
        FROM events e
        -- new moves draw their ids in this order
        ORDER BY e.item_id, e.at, e.id, e.sequence, e.ord OFFSET 0)
    SELECT q.item_id, q.at, coalesce(q.id, nextval('vsm.stage_transitions_id_seq')) AS id, q.stage_id, q.origin,
           (q.step).keep, (q.step).from_stage_id, (q.step).time_in_stage, (q.step).cycle_time, (q.step).lead_time,
           (q.step).undoes, (q.step).furthest_before, (q.step).started_change, (q.step).item_created_at, (q.step).item_started_at,
           (q.step).active_time, (q.step).wait_time, false AS adds, NULL::integer AS wip_breach,
           CASE WHEN (q.step).from_stage_id IS NULL THEN q.type END AS type
    FROM sequence q WHERE NOT (q.step).copy;
END $$;
COMMENT ON FUNCTION vsm._import_merge_moves(text) IS 'Puts the old and new moves of the imported items in order.';

-- Known rows that the new rows change; there are none when all items are new.  adds: the row's version counts in the totals.
CREATE FUNCTION vsm._import_repair(recorded_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._totals_noted(recorded_at);
    DELETE FROM vsm.stage_transitions t USING pg_temp.vsm_import_moves m
    WHERE m.origin = 'ledger' AND NOT m.keep AND t.work_item_id = m.item_id AND t.id = m.id;
    DELETE FROM vsm._merged_events e USING pg_temp.vsm_import_moves m
    WHERE m.origin = 'merged' AND m.keep AND e.work_item_id = m.item_id AND e.id = m.id;
    UPDATE pg_temp.vsm_import_moves m
    SET adds = true, type = CASE WHEN m.from_stage_id IS NULL THEN coalesce(t.type, m.type) END
    FROM vsm.stage_transitions t
    WHERE m.origin = 'ledger' AND m.keep AND t.work_item_id = m.item_id AND t.id = m.id
      AND (t.from_stage_id, t.time_in_stage, t.cycle_time, t.lead_time)
          IS DISTINCT FROM (m.from_stage_id, m.time_in_stage, m.cycle_time, m.lead_time);
    PERFORM vsm._totals_noted(recorded_at);
    UPDATE vsm.stage_transitions t
    SET from_stage_id = m.from_stage_id, time_in_stage = m.time_in_stage, cycle_time = m.cycle_time, lead_time = m.lead_time,
        type = CASE WHEN m.adds THEN m.type ELSE t.type END,
        undoes = m.undoes, furthest_before = m.furthest_before, started_change = m.started_change,
        item_created_at = m.item_created_at, item_started_at = m.item_started_at, active_time = m.active_time, wait_time = m.wait_time
    FROM pg_temp.vsm_import_moves m
    WHERE m.origin = 'ledger' AND m.keep AND t.work_item_id = m.item_id AND t.id = m.id
      AND (m.adds OR (t.undoes, t.furthest_before, t.started_change, t.item_created_at, t.item_started_at, t.active_time, t.wait_time)
                     IS DISTINCT FROM (m.undoes, m.furthest_before, m.started_change, m.item_created_at, m.item_started_at,
                                       m.active_time, m.wait_time));
    INSERT INTO vsm._merged_events (work_item_id, id, stage_id, "timestamp")
    SELECT m.item_id, m.id, m.stage_id, m.at
    FROM pg_temp.vsm_import_moves m WHERE NOT m.keep AND m.origin = 'ledger';
END $$;
COMMENT ON FUNCTION vsm._import_repair(timestamptz) IS 'Changes the known moves of an import''s items, at the instant at which it records new ones.';

-- An import is never refused for a limit: the entries that leave a stage over its limit now are marked, in the order of time,
-- as if they followed those that are there already.
CREATE FUNCTION vsm._import_mark_breaches(of_stream text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    limited CONSTANT bigint[] := ARRAY(SELECT s.id FROM vsm.stages s WHERE s.stream = of_stream AND s.wip_limit IS NOT NULL);
    marked bigint;
BEGIN
    IF cardinality(limited) = 0 THEN
        RETURN 0;
    END IF;
    WITH last AS (
        SELECT DISTINCT ON (m.item_id) m.item_id, m.id, m.stage_id, m.at, m.origin
        FROM pg_temp.vsm_import_moves m WHERE m.keep ORDER BY m.item_id, m.at DESC, m.id DESC),
    entered AS (
        SELECT l.*, row_number() OVER (PARTITION BY l.stage_id ORDER BY l.at, l.id) AS place
        FROM last l WHERE l.origin <> 'ledger' AND l.stage_id = ANY (limited)),
    held AS (
        SELECT w.stage_id, count(*) AS items
        FROM vsm.work_items w
        WHERE w.stream = of_stream AND w.completed_at IS NULL AND w.discarded_at IS NULL AND w.stage_id = ANY (limited)
          AND NOT EXISTS (SELECT FROM last l WHERE l.item_id = w.id AND l.origin <> 'ledger')
        GROUP BY 1)
    UPDATE pg_temp.vsm_import_moves m SET wip_breach = coalesce(h.items, 0) + e.place
    FROM entered e JOIN vsm.stages s ON s.id = e.stage_id LEFT JOIN held h ON h.stage_id = e.stage_id
    WHERE m.item_id = e.item_id AND m.id = e.id AND coalesce(h.items, 0) + e.place > s.wip_limit;
    GET DIAGNOSTICS marked = ROW_COUNT;
    RETURN marked;
END $$;
COMMENT ON FUNCTION vsm._import_mark_breaches(text) IS
    'Marks the new entries of an import that leave a stage over its limit now, and returns their number.';

CREATE FUNCTION vsm._import_new_items(of_stream text, of_stream_id bigint, recorded_at timestamptz)
    RETURNS TABLE (item_id bigint, moves bigint, merged bigint, stage_id bigint, created_at timestamptz, stage_entered_at timestamptz,
                   started_at timestamptz, completed_at timestamptz, active_time interval, wait_time interval, reopened integer,
                   backward_moves integer, discarded_at timestamptz, discarded integer, furthest_stage_id bigint)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__import_new_items';
COMMENT ON FUNCTION vsm._import_new_items(text, bigint, timestamptz) IS
    'Writes the moves of an import whose items are all new into a stream without limits, and adds them to the totals. Of each item: the '
    'number of moves and of merged events, and its state after them. Errors: PT422, 42501.';

-- Moves that are alike are added up first.
CREATE FUNCTION vsm._import_add_totals() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM vsm._totals_add(o.kind, o.a, o.b, sum(o.n)::bigint)
    FROM (SELECT m.from_stage_id, m.stage_id, m.type, vsm._bucket(vsm._interval_us(m.time_in_stage)) AS stay,
                 vsm._bucket(vsm._interval_us(m.cycle_time)) AS cycle, vsm._bucket(vsm._interval_us(m.lead_time)) AS lead,
                 count(*) AS items, sum(vsm._interval_us(m.time_in_stage) / 1000) AS stay_ms,
                 sum(vsm._interval_us(m.cycle_time) / 1000) AS cycle_ms, sum(vsm._interval_us(m.lead_time) / 1000) AS lead_ms
          FROM pg_temp.vsm_import_moves m WHERE m.keep AND (m.adds OR m.origin <> 'ledger') GROUP BY 1, 2, 3, 4, 5, 6) g
    CROSS JOIN LATERAL vsm._totals_of(g.from_stage_id, g.stage_id, g.type, g.stay, g.cycle, g.lead, g.items, g.stay_ms,
                                      g.cycle_ms, g.lead_ms) o
    GROUP BY o.kind, o.a, o.b;
END $$;
COMMENT ON FUNCTION vsm._import_add_totals() IS 'Adds the moves of an import to the totals.';

-- Of any items, known ones too: their moves are compared with the ledger.  Leaves the state of each item in pg_temp.vsm_import_states.
CREATE FUNCTION vsm._import_write_moves(of_stream text, of_stream_id bigint, recorded_at timestamptz) RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm.import_result := (0, 0, 0, 0, 0, 0);
    to_store bigint;
    stored bigint;
BEGIN
    PERFORM vsm._import_merge_moves(of_stream);
    ANALYZE pg_temp.vsm_import_moves (item_id, id);
    IF (SELECT count(*) FROM pg_temp.vsm_import_moves) >= 100000 THEN
        RAISE NOTICE 'moves put in order, writing';
    END IF;
    IF EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh) THEN
        PERFORM vsm._import_repair(recorded_at);
    END IF;
    result.breaches := vsm._import_mark_breaches(of_stream);
    PERFORM vsm._totals_noted();
    INSERT INTO vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage,
                                       actor, type, cycle_time, lead_time, stream_id, undoes, furthest_before, started_change,
                                       item_created_at, item_started_at, active_time, wait_time, wip_breach)
    SELECT m.item_id, m.id, m.from_stage_id, m.stage_id, m.at, recorded_at, m.time_in_stage, (SELECT vsm._actor()), m.type,
           m.cycle_time, m.lead_time, of_stream_id, m.undoes, m.furthest_before, m.started_change,
           m.item_created_at, m.item_started_at, m.active_time, m.wait_time, m.wip_breach
    FROM pg_temp.vsm_import_moves m WHERE m.keep AND m.origin <> 'ledger';
    GET DIAGNOSTICS stored = ROW_COUNT;
    SELECT count(*) INTO to_store FROM pg_temp.vsm_import_moves m WHERE m.keep AND m.origin <> 'ledger';
    IF stored <> to_store THEN
        RAISE EXCEPTION 'ledger rows of the import were not stored'
            USING ERRCODE = '27000', DETAIL = format('A trigger or rule on vsm.stage_transitions discarded %s of %s rows.', to_store - stored, to_store),
                  HINT = 'Look at the triggers and rules that were added to the table.';
    END IF;
    INSERT INTO vsm._merged_events (work_item_id, id, stage_id, "timestamp")
    SELECT m.item_id, m.id, m.stage_id, m.at
    FROM pg_temp.vsm_import_moves m WHERE NOT m.keep AND m.origin = 'new';
    PERFORM vsm._import_add_totals();
    SELECT count(*) FILTER (WHERE m.keep), count(*) FILTER (WHERE NOT m.keep) INTO result.transitions, result.merged
    FROM pg_temp.vsm_import_moves m WHERE m.origin = 'new';
    CREATE TEMPORARY TABLE vsm_import_states ON COMMIT DROP AS
    SELECT r.item_id, (r.state).*
    FROM (SELECT m.item_id, vsm._replay(m.stage_id, m.at, m.id) FILTER (WHERE m.keep) AS state
          FROM pg_temp.vsm_import_moves m GROUP BY 1 HAVING bool_or(m.origin = 'new') OFFSET 0) r;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_write_moves(text, bigint, timestamptz) IS
    'Writes the moves of an import, and repairs those of its known items. Of the result, transitions, merged and breaches are set.';

-- The same of new items, which is faster.
CREATE FUNCTION vsm._import_write_new_moves(of_stream text, of_stream_id bigint, recorded_at timestamptz) RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result vsm.import_result := (0, 0, 0, 0, 0, 0);
BEGIN
    CREATE TEMPORARY TABLE vsm_import_states ON COMMIT DROP AS
    SELECT n.* FROM vsm._import_new_items(of_stream, of_stream_id, recorded_at) n;
    SELECT coalesce(sum(n.moves), 0), coalesce(sum(n.merged), 0) INTO result.transitions, result.merged FROM pg_temp.vsm_import_states n;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_write_new_moves(text, bigint, timestamptz) IS
    'What vsm._import_write_moves() does, for an import whose items are all new into a stream without limits.';

-- Other moves of an item may add something else to their day than before.
CREATE FUNCTION vsm._import_mark_days(of_stream_id bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    closed_until CONSTANT timestamptz := vsm._closed_until(of_stream_id);
BEGIN
    IF closed_until = '-infinity' THEN
        RETURN;
    END IF;
    INSERT INTO vsm._marks (stream_id, since, until)
    WITH days AS (
        SELECT date_trunc('day', m.at, 'UTC') AS day, min(m.at) AS first, max(m.at) AS last
        FROM (SELECT r.entered_at AS at FROM pg_temp.vsm_import r
              UNION ALL
              SELECT t."timestamp" FROM vsm.stage_transitions t
              JOIN pg_temp.vsm_import_items i ON i.item_id = t.work_item_id AND NOT i.fresh) m
        WHERE m.at < closed_until GROUP BY 1)
    SELECT of_stream_id, min(d.first), vsm._just_after(max(d.last))
    FROM days d
    GROUP BY CASE WHEN (SELECT count(*) FROM days) <= 256 THEN d.day ELSE date_trunc('month', d.day, 'UTC') END;
END $$;
COMMENT ON FUNCTION vsm._import_mark_days(bigint) IS 'Marks the days of a stream to which the items of an import add something.';

-- Those that users have added can discard and change rows; others cannot.
CREATE FUNCTION vsm._import_check_moves(of_stream_id bigint, recorded bigint, at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    differing bigint;
    true_ones bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
                   WHERE g.tgrelid = 'vsm.stage_transitions'::regclass AND NOT g.tgisinternal AND p.pronamespace <> 'vsm'::regnamespace)
       AND NOT EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = 'vsm.stage_transitions'::regclass) THEN
        RETURN;
    END IF;
    SELECT count(*) INTO differing
    FROM pg_temp.vsm_import_states n
    JOIN pg_temp.vsm_import_items i USING (item_id)
    LEFT JOIN (SELECT s.item_id, vsm._replay(t.to_stage_id, t."timestamp", t.id) AS state, vsm._effects(t.to_stage_id, t."timestamp", t.id) AS effects
               FROM pg_temp.vsm_import_states s JOIN vsm.stage_transitions t ON t.work_item_id = s.item_id GROUP BY 1) r USING (item_id)
    WHERE (n.stage_id, n.created_at, n.stage_entered_at, n.started_at, n.completed_at, n.active_time, n.wait_time, n.reopened, n.backward_moves,
           n.discarded_at, n.discarded, n.furthest_stage_id) IS DISTINCT FROM r.state
       OR EXISTS (SELECT FROM unnest(r.effects) e JOIN vsm.stage_transitions t ON t.work_item_id = r.item_id AND t.id = e.id
                  WHERE (t.stream_id, t.from_stage_id, t.time_in_stage, t.undoes, t.furthest_before, t.started_change, t.item_created_at,
                         t.item_started_at, t.active_time, t.wait_time, t.cycle_time, t.lead_time, t.type)
                        IS DISTINCT FROM (of_stream_id, e.from_stage_id, e.time_in_stage, e.undoes, e.furthest_before, e.started_change,
                                          e.item_created_at, e.item_started_at, e.active_time, e.wait_time, t."timestamp" - e.item_started_at,
                                          t."timestamp" - e.item_created_at,
                                          -- a known item keeps the type that it was created with
                                          CASE WHEN e.from_stage_id IS NULL THEN CASE WHEN i.fresh THEN i.type ELSE t.type END END));
    SELECT count(*) INTO true_ones
    FROM vsm.stage_transitions t
    WHERE t.recorded_at = _import_check_moves.at
      AND (t.work_item_id, t."timestamp") IN (SELECT i.item_id, r.entered_at FROM pg_temp.vsm_import r JOIN pg_temp.vsm_import_items i USING (case_id));
    IF differing > 0 OR true_ones < recorded THEN
        RAISE EXCEPTION 'ledger rows of the import are not as its events say'
            USING ERRCODE = '27000',
                  DETAIL = CASE WHEN differing > 0 THEN format('Triggers or rules on vsm.stage_transitions discarded or changed rows of %s items.', differing)
                                ELSE format('Triggers or rules on vsm.stage_transitions changed the times of %s rows.', recorded - true_ones) END,
                  HINT = 'Look at the triggers and rules that were added to the table.';
    END IF;
END $$;
COMMENT ON FUNCTION vsm._import_check_moves(bigint, bigint, timestamptz) IS
    'Refuses what triggers and rules of users have made of the ledger rows of an import''s items. recorded: how many events it has recorded as '
    'moves, and at: when. Errors: 27000.';

-- The counts that it returns lack refused and skipped rows.
CREATE FUNCTION vsm._import_write(of_stream text) RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_stream_id CONSTANT bigint := (SELECT v.id FROM vsm.value_streams v WHERE v.name = of_stream);
    recorded_at CONSTANT timestamptz := clock_timestamp();      -- one for the whole import
    any_known CONSTANT boolean := EXISTS (SELECT FROM pg_temp.vsm_import_items i WHERE NOT i.fresh);
    any_limit CONSTANT boolean := EXISTS (SELECT FROM vsm.stages s WHERE s.stream = of_stream AND s.wip_limit IS NOT NULL);
    result vsm.import_result;
    known_changed bigint := 0;
    missing bigint;
    altered bigint;
BEGIN
    IF any_known OR any_limit THEN
        result := vsm._import_write_moves(of_stream, of_stream_id, recorded_at);
    ELSE
        result := vsm._import_write_new_moves(of_stream, of_stream_id, recorded_at);
    END IF;
    PERFORM vsm._import_mark_days(of_stream_id);
    PERFORM vsm._import_check_moves(of_stream_id, result.transitions, recorded_at);
    -- as triggers of users have left the rows: the ledger says what must be in them
    BEGIN
        WITH stored AS (
            INSERT INTO vsm.work_items (id, stream, external_id, title, type, updated_at, stage_id, created_at, stage_entered_at,
                                        started_at, completed_at, active_time, wait_time, reopened, backward_moves, discarded_at,
                                        discarded, furthest_stage_id)
            SELECT i.item_id, of_stream, i.case_id, i.title, i.type, n.stage_entered_at, n.stage_id, n.created_at, n.stage_entered_at,
                   n.started_at, n.completed_at, n.active_time, n.wait_time, n.reopened, n.backward_moves, n.discarded_at,
                   n.discarded, n.furthest_stage_id
            FROM pg_temp.vsm_import_states n JOIN pg_temp.vsm_import_items i USING (item_id)
            WHERE i.fresh
            RETURNING id, stream, type, (stage_id, created_at, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened,
                      backward_moves, discarded_at, discarded, furthest_stage_id)::vsm._item_state AS state)
        SELECT count(*), count(*) FILTER (WHERE (of_stream, i.type, n.stage_id, n.created_at, n.stage_entered_at, n.started_at, n.completed_at, n.active_time,
                                                 n.wait_time, n.reopened, n.backward_moves, n.discarded_at, n.discarded, n.furthest_stage_id)
                                                IS DISTINCT FROM (s.stream, s.type, (s.state).*))
        INTO result.items, altered
        FROM stored s LEFT JOIN (pg_temp.vsm_import_states n JOIN pg_temp.vsm_import_items i USING (item_id)) ON n.item_id = s.id;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'another session created a work item of this import in the meantime'
            USING ERRCODE = 'PT409', DETAIL = sqlerrm, HINT = 'Import again: the history then goes to the existing item.';
    END;
    SELECT count(*) - result.items INTO missing FROM pg_temp.vsm_import_states n JOIN pg_temp.vsm_import_items i USING (item_id) WHERE i.fresh;
    IF any_known THEN
        UPDATE vsm.work_items w
        SET updated_at = greatest(w.updated_at, n.stage_entered_at),
            stage_id = n.stage_id, created_at = n.created_at, stage_entered_at = n.stage_entered_at,
            started_at = n.started_at, completed_at = n.completed_at,
            active_time = n.active_time, wait_time = n.wait_time, reopened = n.reopened,
            backward_moves = n.backward_moves, discarded_at = n.discarded_at, discarded = n.discarded,
            furthest_stage_id = n.furthest_stage_id
        FROM pg_temp.vsm_import_states n JOIN pg_temp.vsm_import_items i USING (item_id)
        WHERE NOT i.fresh AND w.id = n.item_id;
        GET DIAGNOSTICS known_changed = ROW_COUNT;
        SELECT altered + count(*) INTO altered
        FROM pg_temp.vsm_import_states n
        JOIN pg_temp.vsm_import_items i USING (item_id)
        LEFT JOIN vsm.work_items w ON w.id = n.item_id
        WHERE NOT i.fresh AND (of_stream, n.stage_id, n.created_at, n.stage_entered_at, n.started_at, n.completed_at, n.active_time, n.wait_time,
                               n.reopened, n.backward_moves, n.discarded_at, n.discarded, n.furthest_stage_id)
                              IS DISTINCT FROM (w.stream, w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time,
                                                w.reopened, w.backward_moves, w.discarded_at, w.discarded, w.furthest_stage_id);
    END IF;
    IF missing > 0 OR altered > 0 THEN
        RAISE EXCEPTION 'work items of the import were not stored as their moves say'
            USING ERRCODE = '27000', DETAIL = format('Triggers or rules on vsm.work_items discarded %s items and changed %s.', missing, altered),
                  HINT = 'Look at the triggers and rules that were added to the table.';
    END IF;
    result.items := result.items + known_changed;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_write(text) IS 'Writes the ledger and the items of an import. Errors: 27000, PT409.';

CREATE FUNCTION vsm._import_run(of_stream text, source text, create_stages boolean, on_error text, create_types boolean)
    RETURNS vsm.import_result
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET vsm.recording = off
    SET work_mem = '16MB'           -- keeps memory flat; more is not faster
    SET jit = off
    SET enable_mergejoin = off      -- a hash join suits any size; sorting texts by locale is slow
    SET default_statistics_target = 10
AS $$
DECLARE
    rows bigint;
    refused bigint;
    result vsm.import_result;
    long boolean;
    again boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('pg_temp.vsm_import') AND pg_get_userbyid(c.relowner) = current_user) THEN
        RAISE EXCEPTION 'no import has begun'
            USING ERRCODE = 'PT422', DETAIL = 'This function is the second step of an import.',
                  HINT = 'Call vsm.import_events() or vsm.import_wide().';
    END IF;
    -- Until the import ends, no type gets another name or goes.  A transaction that keeps its snapshot is refused (40001) if one has.
    PERFORM FROM (SELECT FROM vsm.work_item_types t ORDER BY t.id FOR KEY SHARE) kept;
    -- autovacuum does not analyze temporary tables; without statistics a second import would use nested loops over the items
    again := EXISTS (SELECT FROM vsm.work_items w WHERE w.stream = of_stream);
    PERFORM vsm._import_follow_aliases(of_stream);
    IF again THEN
        ANALYZE pg_temp.vsm_import (case_id);
    END IF;
    SELECT count(*) INTO rows FROM pg_temp.vsm_import;
    long := rows >= 100000;
    IF long THEN
        RAISE NOTICE '% rows of "%" read', rows, source;
    END IF;
    IF create_stages THEN
        PERFORM vsm._import_add_definitions(of_stream, create_types);
    END IF;
    refused := vsm._import_refuse(of_stream, source, on_error);
    PERFORM vsm._import_find_items(of_stream);
    IF again THEN
        ANALYZE pg_temp.vsm_import_items;
    END IF;
    IF long THEN
        RAISE NOTICE '% items found, % rows refused', (SELECT count(*) FROM pg_temp.vsm_import_items), refused;
    END IF;
    result := vsm._import_write(of_stream);
    result.refused := refused;
    result.skipped := rows - refused - result.transitions - result.merged;
    IF long THEN
        RAISE NOTICE '% transitions of % items written', result.transitions, result.items;
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION vsm._import_run(text, text, boolean, text, boolean) IS 'The owner''s part of vsm._import_apply(). Errors: PT422.';
