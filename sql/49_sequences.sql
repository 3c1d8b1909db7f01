-- 49_sequences: ids after rows have come with theirs

CREATE FUNCTION vsm.sequences_catch_up()
    RETURNS TABLE (sequence text, before bigint, after bigint)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    greatest_id record;
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = 'vsm.work_items'::regclass), 'USAGE') THEN
        RAISE EXCEPTION 'permission denied to move the sequences of vsm on'
            USING ERRCODE = '42501', DETAIL = 'The rights of the owner of vsm''s tables are needed.', HINT = 'Ask the owner, who created the extension.';
    END IF;
    -- nobody inserts rows meanwhile, and so nobody draws ids
    PERFORM vsm._lock_tables('{vsm.stages,vsm.value_streams,vsm.work_item_types,vsm.work_items,vsm.stage_transitions,vsm._merged_events,
        vsm.superseded_transitions,vsm._retypes,vsm._marks,vsm.import_refusals,vsm.flow_metrics,vsm.blocks,vsm.failures,vsm.deployments,vsm.incidents}');
    FOR greatest_id IN
        -- the rows, and what refers to such that are gone
        SELECT g.name, max(g.id) AS id
        FROM (SELECT 'value_streams', max(v.id) FROM vsm.value_streams v
              UNION ALL SELECT 'value_streams', max(t.stream_id) FROM vsm.stage_transitions t
              UNION ALL SELECT 'value_streams', max(u.stream_id) FROM vsm.superseded_transitions u
              UNION ALL SELECT 'stages', max(s.id) FROM vsm.stages s
              UNION ALL SELECT 'stages', max(greatest(u.from_stage_id, u.to_stage_id)) FROM vsm.superseded_transitions u
              UNION ALL SELECT 'work_item_types', max(y.id) FROM vsm.work_item_types y
              UNION ALL SELECT 'work_items', max(w.id) FROM vsm.work_items w
              UNION ALL SELECT 'work_items', max(t.work_item_id) FROM vsm.stage_transitions t
              UNION ALL SELECT 'work_items', max(u.work_item_id) FROM vsm.superseded_transitions u
              UNION ALL SELECT 'stage_transitions', max(t.id) FROM vsm.stage_transitions t
              UNION ALL SELECT 'stage_transitions', max(m.id) FROM vsm._merged_events m
              UNION ALL SELECT 'stage_transitions', max(u.transition_id) FROM vsm.superseded_transitions u
              UNION ALL SELECT 'superseded_transitions', max(u.id) FROM vsm.superseded_transitions u
              UNION ALL SELECT '_retypes', max(r.id) FROM vsm._retypes r
              UNION ALL SELECT 'blocks', max(b.id) FROM vsm.blocks b
              UNION ALL SELECT '_marks', max(k.id) FROM vsm._marks k
              UNION ALL SELECT 'import_refusals', max(r.id) FROM vsm.import_refusals r
              UNION ALL SELECT 'failures', max(f.id) FROM vsm.failures f
              UNION ALL SELECT 'deployments', max(d.id) FROM vsm.deployments d
              UNION ALL SELECT 'incidents', max(i.id) FROM vsm.incidents i
              UNION ALL SELECT 'flow_metrics', max(f.id) FROM vsm.flow_metrics f) g (name, id)
        GROUP BY 1 ORDER BY 1
    LOOP
        sequence := format('vsm.%s_id_seq', greatest_id.name);
        -- pg_sequence_last_value() does not know the place of a sequence that was set, and has not issued an id since
        EXECUTE format('SELECT s.last_value - (NOT s.is_called)::integer FROM %s s', sequence) INTO before;
        IF greatest_id.id > before THEN
            after := setval(sequence::regclass, greatest_id.id);
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION vsm.sequences_catch_up() IS
    'Moves each sequence of the extension on to the greatest id in the tables, and returns those that were behind. For a database whose '
    'rows came with their ids: a subscriber that takes over, a copy by another tool than pg_dump. Reads the whole ledger, and waits for '
    'transactions that write. Only the tables'' owner may call it. Errors: 42501.';
