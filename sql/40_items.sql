-- 40_items: moves of work items, which C row triggers decide and record (src/move)

CREATE FUNCTION vsm._work_item_before() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_item_before';
COMMENT ON FUNCTION vsm._work_item_before() IS 'Applies the rules of a move and fills in the computed columns.';
CREATE FUNCTION vsm._work_item_after() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_item_after';
COMMENT ON FUNCTION vsm._work_item_after() IS 'Writes ledger rows.';
CREATE FUNCTION vsm._work_items_deleted() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_items_deleted';
COMMENT ON FUNCTION vsm._work_items_deleted() IS 'Deletes the ledger rows of the items that a statement deleted.';
CREATE FUNCTION vsm._ledger_superseded() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__ledger_superseded';
COMMENT ON FUNCTION vsm._ledger_superseded() IS 'Keeps deleted and changed ledger rows in vsm.superseded_transitions.';
CREATE FUNCTION vsm._totals_noted(at timestamptz DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm__totals_noted';
COMMENT ON FUNCTION vsm._totals_noted(timestamptz) IS
    'Tells that what the next statement adds to the ledger is given to vsm._totals_add(), so that the totals need no recount; at: '
    'when the rows that it takes away are superseded, null: by the clock. For the tables'' owner. Errors: 42501.';
CREATE FUNCTION vsm._work_items_truncated() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__work_items_truncated';
COMMENT ON FUNCTION vsm._work_items_truncated() IS 'Empties the ledger with the work items.';
CREATE FUNCTION vsm._ledger_guard() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'vsm__ledger_guard';
COMMENT ON FUNCTION vsm._ledger_guard() IS 'Keeps the ledger append-only.';

CREATE FUNCTION vsm._actor() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__actor';
COMMENT ON FUNCTION vsm._actor() IS
    'Who is recorded for a move or import: the person that the setting vsm.actor names, or else the role of vsm._role().';
CREATE FUNCTION vsm._role() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'vsm__role';
COMMENT ON FUNCTION vsm._role() IS 'The role that logged in or was SET, not the owner of a function.';

-- the last BEFORE trigger by name, so that it sees what others decided
CREATE TRIGGER zz_vsm_move BEFORE INSERT OR UPDATE OR DELETE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_before();
CREATE TRIGGER vsm_record_insert AFTER INSERT ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_move AFTER UPDATE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_delete AFTER DELETE ON vsm.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after();
CREATE TRIGGER vsm_record_deletes AFTER DELETE ON vsm.work_items
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_items_deleted();
CREATE TRIGGER vsm_record_truncate AFTER TRUNCATE ON vsm.work_items
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._work_items_truncated();
-- always enabled: under replication the triggers count WIP, and do nothing else
ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_insert, ENABLE ALWAYS TRIGGER vsm_record_move,
    ENABLE ALWAYS TRIGGER vsm_record_delete, ENABLE ALWAYS TRIGGER vsm_record_truncate;
CREATE TRIGGER vsm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vsm.stage_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_guard();
CREATE TRIGGER vsm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vsm._merged_events
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_guard();
CREATE TRIGGER vsm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON vsm.superseded_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_guard();
CREATE TRIGGER vsm_keep_deleted AFTER DELETE ON vsm.stage_transitions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_superseded();
CREATE TRIGGER vsm_keep_changed AFTER UPDATE ON vsm.stage_transitions
    REFERENCING OLD TABLE AS gone NEW TABLE AS stays FOR EACH STATEMENT EXECUTE FUNCTION vsm._ledger_superseded();

-- not an SQL function, which would be planned at every call
CREATE FUNCTION vsm.create_work_item(title text, type text DEFAULT 'task', stream text DEFAULT 'default',
                                     external_id text DEFAULT NULL, at timestamptz DEFAULT NULL, attributes jsonb DEFAULT '{}')
    RETURNS vsm.work_items
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    item vsm.work_items;
BEGIN
    INSERT INTO vsm.work_items (title, type, stream, external_id, created_at, attributes)
    VALUES (create_work_item.title, create_work_item.type, create_work_item.stream, create_work_item.external_id,
            create_work_item.at, coalesce(create_work_item.attributes, '{}'))
    RETURNING * INTO item;
    RETURN item;
END $$;
COMMENT ON FUNCTION vsm.create_work_item(text, text, text, text, timestamptz, jsonb) IS
    'Creates a work item in the first stage of its stream and records it. title: 1 to 500 characters; external_id: its id '
    'in another system, unique in the stream; at: time, default now, from 1970 on, at most 5 minutes ahead; attributes: a JSON '
    'object of your own fields. Returns the item. Errors: PT404 unknown stream; PT422 title, type, time or attributes refused; '
    '23505 external_id in use.';

CREATE FUNCTION vsm.transition(work_item_id bigint, to_stage text, at timestamptz DEFAULT NULL,
                               reason text DEFAULT NULL, expected_from text DEFAULT NULL)
    RETURNS vsm.stage_transitions
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'vsm_transition';
COMMENT ON FUNCTION vsm.transition(bigint, text, timestamptz, text, text) IS
    'Moves a work item to a stage of its stream and returns the ledger row. at: time, default now, not before the item''s '
    'last move and at most 5 minutes ahead; expected_from: the stage the item must be in. Moving it to its current stage '
    'records nothing and returns its latest transition. Errors: PT404 unknown item or stage; PT409 not in expected_from; '
    'PT422 time refused, stage retired.';

CREATE FUNCTION vsm._latest_transition(of_item bigint) RETURNS vsm.stage_transitions
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.* FROM vsm.stage_transitions t WHERE t.work_item_id = of_item
    ORDER BY t."timestamp" DESC, t.id DESC LIMIT 1;
END;
COMMENT ON FUNCTION vsm._latest_transition(bigint) IS 'The ledger row that put an item where it is; null if the caller may not see it.';

CREATE FUNCTION vsm.history(work_item_id bigint)
    RETURNS TABLE (id bigint, from_stage text, to_stage text, "timestamp" timestamptz, time_in_stage interval,
                   reason text, actor text, recorded_at timestamptz)
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = history.work_item_id) THEN
        RAISE EXCEPTION 'work item % not found', coalesce(history.work_item_id::text, 'null')
            USING ERRCODE = 'PT404', DETAIL = 'No work item has that id.', HINT = 'vsm.work_items has the ids.';
    END IF;
    RETURN QUERY
    SELECT t.id, f.name, s.name, t."timestamp", t.time_in_stage, t.reason, t.actor, t.recorded_at
    FROM vsm.stage_transitions t
    LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
    LEFT JOIN vsm.stages s ON s.id = t.to_stage_id
    WHERE t.work_item_id = history.work_item_id
    ORDER BY t."timestamp", t.id;
END $$;
COMMENT ON FUNCTION vsm.history(bigint) IS
    'Moves of a work item, oldest first. time_in_stage: elapsed time in from_stage; both null for the first. '
    'Errors: PT404 unknown item.';
