-- 76_data_quality: what to know about a stream before trusting its figures

CREATE FUNCTION vsm.data_quality(stream text DEFAULT 'default')
    RETURNS TABLE (finding text, items bigint, examples bigint[], meaning text)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(data_quality.stream, '-infinity', 'infinity');
    gap record;
    merged_lost bigint[];
    refusals bigint;
BEGIN
    -- only the owner may read merged events
    IF has_table_privilege('vsm._merged_events', 'SELECT') THEN
        SELECT array_agg(m.work_item_id) INTO merged_lost
        FROM vsm._merged_events m LEFT JOIN vsm.stages s ON s.id = m.stage_id
        WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = m.work_item_id)
          AND coalesce(s.stream, v.stream) = v.stream;
    END IF;
    RETURN QUERY
    WITH items AS MATERIALIZED (SELECT w.* FROM vsm.work_items w WHERE w.stream = v.stream),
    moves AS MATERIALIZED (
        SELECT t.*, lag(t.to_stage_id) OVER item AS stage_before, lag(t."timestamp") OVER item AS entered_before
        FROM vsm.stage_transitions t JOIN items i ON i.id = t.work_item_id
        WINDOW item AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id)),
    replayed AS (
        SELECT m.work_item_id, vsm._replay(m.to_stage_id, m."timestamp", m.id) AS state,
               vsm._effects(m.to_stage_id, m."timestamp", m.id) AS effects
        FROM moves m GROUP BY 1),
    found (place, name, item) AS (
        SELECT 1, 'finished_never_started', i.id FROM items i WHERE i.completed_at IS NOT NULL AND i.started_at IS NULL
        UNION ALL
        SELECT 2, 'moves_at_one_instant', m.work_item_id FROM moves m WHERE m.time_in_stage = '0'
        UNION ALL
        SELECT 3, 'moved_before_the_clock', m.work_item_id FROM moves m
        WHERE m."timestamp" > m.recorded_at + interval '1 second'
        UNION ALL
        SELECT 4, 'recorded_late', m.work_item_id FROM moves m WHERE m.recorded_at > m."timestamp" + interval '1 day'
        UNION ALL
        SELECT 5, 'silent', i.id FROM items i
        WHERE i.completed_at IS NULL AND i.discarded_at IS NULL AND i.stage_entered_at < v.until - interval '90 days'
        UNION ALL
        SELECT 6, 'ledger_gap', m.work_item_id FROM moves m
        WHERE m.from_stage_id IS DISTINCT FROM m.stage_before
           OR vsm._interval_us(m.time_in_stage) IS DISTINCT FROM vsm._elapsed_us(m.entered_before, m."timestamp")
        UNION ALL
        SELECT 7, 'no_ledger', i.id FROM items i WHERE NOT EXISTS (SELECT FROM moves m WHERE m.work_item_id = i.id)
        UNION ALL
        SELECT 8, 'undefined_stage', m.work_item_id FROM moves m
        WHERE NOT EXISTS (SELECT FROM vsm.stages s WHERE s.id = m.to_stage_id AND s.stream = v.stream)
        UNION ALL
        SELECT 9, 'state_differs', i.id FROM items i JOIN replayed r ON r.work_item_id = i.id
        WHERE (r.state) IS DISTINCT FROM NULL
          AND (i.stage_id, i.created_at, i.stage_entered_at, i.started_at, i.completed_at, i.active_time, i.wait_time,
               i.reopened, i.backward_moves, i.discarded_at, i.discarded, i.furthest_stage_id) IS DISTINCT FROM r.state
        UNION ALL
        SELECT 9, 'state_differs', m.work_item_id FROM moves m
        JOIN replayed r ON r.work_item_id = m.work_item_id
        JOIN LATERAL unnest(r.effects) e ON e.id = m.id
        WHERE (m.stream_id, m.undoes, m.furthest_before, m.started_change, m.item_created_at, m.item_started_at, m.active_time,
               m.wait_time)
              IS DISTINCT FROM (v.stream_id, e.undoes, e.furthest_before, e.started_change, e.item_created_at, e.item_started_at,
                                e.active_time, e.wait_time)
        UNION ALL
        -- the stages say which stream a lost item was in; if they are lost too, it is reported for every stream
        SELECT 10, 'no_item', t.work_item_id FROM vsm.stage_transitions t LEFT JOIN vsm.stages s ON s.id = t.to_stage_id
        WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)
          AND coalesce(s.stream, v.stream) = v.stream
        UNION ALL
        SELECT 10, 'no_item', l.item FROM unnest(merged_lost) l (item)
        UNION ALL
        SELECT 11, 'no_stream', w.id FROM vsm.work_items w
        WHERE w.stream NOT IN (SELECT o.name FROM vsm.value_streams o)
        UNION ALL
        SELECT 12, 'before_1970', m.work_item_id FROM moves m
        WHERE m."timestamp" < timestamptz '1970-01-01 00:00:00+00'),
    explained (place, name, meaning) AS (VALUES
        (1, 'finished_never_started',
         'finished without passing a stage that counts as started: they have no cycle time'),
        (2, 'moves_at_one_instant',
         'two moves with the same time: a clock of low resolution, or a tool that moved the item on at once'),
        (3, 'moved_before_the_clock', 'a move dated after the moment it was recorded: a clock runs ahead'),
        (4, 'recorded_late', 'a move recorded more than a day after it happened: imported, or entered late'),
        (5, 'silent', 'neither finished nor discarded, and not moved for 90 days before the stream''s last event'),
        (6, 'ledger_gap',
         'a move does not continue where the one before ended: ledger rows are missing or were changed'),
        (7, 'no_ledger', 'the ledger has no move of the item'),
        (8, 'undefined_stage', 'the ledger names a stage that the stream does not have'),
        (9, 'state_differs', 'computed columns of the item, or of its ledger rows, are not what its moves give'),
        (10, 'no_item',
         'moves, or imported events, of items that do not exist: a restore lost rows of vsm.work_items; see its errors '
         'and restore again'),
        (11, 'no_stream',
         'items of any stream that is not defined: a restore lost rows of vsm.value_streams; restore again'),
        (12, 'before_1970', 'a move before 1970: written past the triggers, and left out of charts'))
    SELECT e.name, count(DISTINCT f.item), (array_agg(DISTINCT f.item) FILTER (WHERE f.item IS NOT NULL))[1:5],
           e.meaning
    FROM explained e LEFT JOIN found f USING (place)
    GROUP BY e.place, e.name, e.meaning ORDER BY e.place;

    SELECT q.before, q.at INTO gap
    FROM (SELECT lag(t."timestamp") OVER (ORDER BY t."timestamp") AS before, t."timestamp" AS at
          FROM vsm.stage_transitions t WHERE t.stream_id = v.stream_id) q
    WHERE q.before IS NOT NULL ORDER BY vsm._elapsed_us(q.before, q.at) DESC, q.at LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'longest_gap', NULL::bigint, NULL::bigint[],
            format('no move at all for %s, from %s to %s', vsm._interval(vsm._elapsed_us(gap.before, gap.at)),
                   gap.before AT TIME ZONE v.time_zone, gap.at AT TIME ZONE v.time_zone);
    END IF;
    IF NOT EXISTS (SELECT FROM vsm._stages s
                   WHERE s.stream = v.stream AND s.started IS NOT NULL AND s.category IN ('wait', 'active')) THEN
        RETURN QUERY SELECT 'no_commitment_point', NULL::bigint, NULL::bigint[],
            'the stream has no active stage and names no commitment_stage: nothing counts as started'::text;
    END IF;
    -- only writers and the owner may read refusals
    IF has_table_privilege('vsm.import_refusals', 'SELECT') THEN
        SELECT count(*) INTO refusals FROM vsm.import_refusals r
        WHERE r.stream NOT IN (SELECT o.name FROM vsm.value_streams o);
        IF refusals > 0 THEN
            RETURN QUERY SELECT 'refusals_without_stream', NULL::bigint, NULL::bigint[],
                format('rows of vsm.import_refusals that name a stream which is not defined: %s; delete them, or '
                       'restore vsm.value_streams', refusals);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION vsm.data_quality(text) IS
    'What to know before trusting a stream''s figures: each finding with the number of items, up to five of their '
    'ids and what the finding means; the longest time without any move. Errors: PT404.';
