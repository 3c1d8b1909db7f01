-- 76_data_quality: what to know about a stream before trusting its figures

-- The moves of a stream are compared in one pass, without keeping them (src/figures/quality.c).  What was lost is looked for
-- in all streams that are not defined: an index leads from one to the next.

CREATE FUNCTION vsm._quality_of_gap(stream_id bigint, OUT moves bigint, OUT before timestamptz, OUT after timestamptz)
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'vsm__quality_of_gap';
COMMENT ON FUNCTION vsm._quality_of_gap(bigint) IS
    'How many moves a stream has, and between which two of them the longest time passed; null with fewer than two.';

CREATE FUNCTION vsm._quality_of_items(stream text, stream_id bigint, silent_before timestamptz, moves bigint)
    RETURNS TABLE (place integer, items bigint, examples bigint[])
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'vsm__quality_of_items';
COMMENT ON FUNCTION vsm._quality_of_items(text, bigint, timestamptz, bigint) IS
    'The findings of vsm.data_quality() in the items of a stream and their moves, by their places there. silent_before: since '
    'when an open item must have moved. moves: how many there are, for the notices. Place 0: moves that have the stream''s id.';

CREATE FUNCTION vsm._lost_streams(OUT names text[], OUT ids bigint[])
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- to step through the rows of others would take long, and a role that is limited to streams sees none of undefined stages
    IF NOT vsm._may_see(NULL, 'vsm.work_items') THEN
        SELECT array_agg(DISTINCT a.stream) INTO names
        FROM vsm.stream_access a WHERE a.stream NOT IN (SELECT v.name FROM vsm.value_streams v);
        RETURN;
    END IF;
    WITH RECURSIVE named (name) AS (
        SELECT min(w.stream) FROM vsm.work_items w
        UNION ALL
        SELECT (SELECT min(w.stream) FROM vsm.work_items w WHERE w.stream > n.name) FROM named n WHERE n.name IS NOT NULL)
    SELECT array_agg(n.name) INTO names FROM named n WHERE n.name NOT IN (SELECT v.name FROM vsm.value_streams v);
    WITH RECURSIVE moved (id) AS (
        SELECT min(t.stream_id) FROM vsm.stage_transitions t
        UNION ALL
        SELECT (SELECT min(t.stream_id) FROM vsm.stage_transitions t WHERE t.stream_id > m.id) FROM moved m WHERE m.id IS NOT NULL)
    SELECT array_agg(m.id) INTO ids FROM moved m WHERE m.id NOT IN (SELECT v.id FROM vsm.value_streams v);
END $$;
COMMENT ON FUNCTION vsm._lost_streams() IS
    'Streams that are not defined: the names of those that have items, and the ids of those that have moves; null: none.';

-- The stages say which stream an item was in; if they are lost too, it is reported for every stream.
CREATE FUNCTION vsm._lost_merged_events(of_stream text) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- who was granted some of the tables by hand may lack this one
    IF has_table_privilege('vsm._merged_events', 'SELECT') THEN
        RETURN QUERY
        SELECT m.work_item_id FROM vsm._merged_events m LEFT JOIN vsm.stages s ON s.id = m.stage_id
        WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = m.work_item_id)
          AND coalesce(s.stream, of_stream) = of_stream;
    END IF;
END $$;
COMMENT ON FUNCTION vsm._lost_merged_events(text) IS 'Items of a stream that do not exist, but have imported events.';

CREATE FUNCTION vsm.data_quality(stream text DEFAULT 'default')
    RETURNS TABLE (finding text, items bigint, examples bigint[], meaning text)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET plan_cache_mode = force_custom_plan     -- a stream may have ten items or nearly all of them
AS $$
DECLARE
    v CONSTANT vsm._window := vsm._window(data_quality.stream, '-infinity', 'infinity');
    gap record;
    lost record;
    refusals bigint;
BEGIN
    gap := vsm._quality_of_gap(v.stream_id);
    lost := vsm._lost_streams();
    RETURN QUERY
    WITH compared AS MATERIALIZED (
        SELECT q.* FROM vsm._quality_of_items(v.stream, v.stream_id, v.until - interval '90 days', gap.moves) q),
    no_item AS (
        -- none, if all moves of the stream have been compared
        SELECT t.work_item_id AS id FROM vsm.stage_transitions t
        WHERE t.stream_id = v.stream_id AND (SELECT c.items FROM compared c WHERE c.place = 0) < gap.moves
          AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)
        UNION
        SELECT t.work_item_id FROM vsm.stage_transitions t
        WHERE t.stream_id = ANY (lost.ids) AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)
        UNION
        SELECT vsm._lost_merged_events(v.stream)),
    found (place, items, examples) AS (
        SELECT c.* FROM compared c
        UNION ALL
        SELECT 10, count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE n.nth <= 5)
        FROM (SELECT i.id, row_number() OVER (ORDER BY i.id) AS nth FROM no_item i) n
        UNION ALL
        SELECT 11, count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE n.nth <= 5)
        FROM (SELECT w.id, row_number() OVER (ORDER BY w.id) AS nth FROM vsm.work_items w WHERE w.stream = ANY (lost.names)) n),
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
    SELECT e.name, f.items, f.examples, e.meaning FROM explained e JOIN found f USING (place) ORDER BY e.place;

    IF gap.before IS NOT NULL THEN
        RETURN QUERY SELECT 'longest_gap', NULL::bigint, NULL::bigint[],
            format('no move at all for %s, from %s to %s', vsm._interval(vsm._elapsed_us(gap.before, gap.after)),
                   gap.before AT TIME ZONE v.time_zone, gap.after AT TIME ZONE v.time_zone);
    END IF;
    IF NOT EXISTS (SELECT FROM vsm._stages s
                   WHERE s.stream = v.stream AND s.started IS NOT NULL AND s.category IN ('wait', 'active')) THEN
        RETURN QUERY SELECT 'no_commitment_point', NULL::bigint, NULL::bigint[],
            'the stream has no active stage and names no commitment_stage: nothing counts as started'::text;
    END IF;
    -- who was granted some of the tables by hand may lack these
    IF has_table_privilege('vsm.failures', 'SELECT') AND has_table_privilege('vsm.incidents', 'SELECT')
       AND has_table_privilege('vsm.deployments', 'SELECT') THEN
        RETURN QUERY
        SELECT 'failure_before_finish', count(*), (array_agg(f.id ORDER BY f.id))[:5],
               'a failure of the item is marked before it was finished: no deployment counts as failed by it'
        FROM (SELECT DISTINCT f.work_item_id AS id FROM vsm._failed_completions(v.stream, v.stream_id, v.bound, NULL, NULL, NULL) f
              WHERE f.completed_at IS NULL) f
        HAVING count(*) > 0
        UNION ALL
        SELECT 'incident_without_deployment', NULL::bigint, NULL::bigint[],
               format('incidents that name a deployment which was not reported, or precede the first: %s; they count as recoveries, '
                      'but no deployment as failed', count(*))
        FROM vsm._failed_deployments(v.stream, v.bound, NULL) f WHERE f.deployment_id IS NULL
        HAVING count(*) > 0;
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
    'ids and what the finding means; the longest time without any move. A stream of 100,000 moves or more says with '
    'notices how many have been compared. Errors: PT404.';
