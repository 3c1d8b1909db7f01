-- 33_definition_triggers: which function runs when a definition changes

CREATE FUNCTION vsm._definitions_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET row_security = off
AS $$
BEGIN
    IF tg_relid NOT IN ('vsm.value_streams'::regclass, 'vsm.stages'::regclass, 'vsm.work_item_types'::regclass) THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'tables vsm.value_streams, vsm.stages and vsm.work_item_types');
    END IF;
    IF EXISTS (SELECT FROM vsm.work_items) THEN
        RAISE EXCEPTION 'table "%" defines what work items refer to', tg_table_name
            USING ERRCODE = 'PT409', DETAIL = 'There are work items.', HINT = 'Truncate vsm.work_items first, or delete single rows.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION vsm._definitions_truncated() IS 'Refuses to empty definitions while there are work items.';

-- definitions_changed runs for each row, so that it precedes the statement triggers, which recompute items by the new
-- definitions.  It is always enabled, since replication changes definitions too.
CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.value_streams
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.value_streams
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.value_streams ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._value_stream_before();
CREATE TRIGGER row_deleted BEFORE DELETE ON vsm.value_streams
    FOR EACH ROW EXECUTE FUNCTION vsm._value_stream_deleted();
CREATE TRIGGER streams_deleted AFTER DELETE ON vsm.value_streams
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._value_streams_gone();
CREATE TRIGGER streams_updated AFTER UPDATE ON vsm.value_streams
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._value_streams_after();

CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.stages
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.stages
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.stages ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._stage_before();
CREATE TRIGGER row_deleted BEFORE DELETE ON vsm.stages
    FOR EACH ROW EXECUTE FUNCTION vsm._stage_deleted();
CREATE TRIGGER row_renamed AFTER UPDATE OF name ON vsm.stages
    FOR EACH ROW WHEN (old.name <> new.name) EXECUTE FUNCTION vsm._stage_renamed();
CREATE TRIGGER stages_inserted AFTER INSERT ON vsm.stages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();
CREATE TRIGGER stages_updated AFTER UPDATE ON vsm.stages
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();
CREATE TRIGGER stages_deleted AFTER DELETE ON vsm.stages
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION vsm._stages_after();

CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.stage_aliases
    FOR EACH ROW EXECUTE FUNCTION vsm._stage_alias_before();
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.sles
    FOR EACH ROW EXECUTE FUNCTION vsm._sle_before();

CREATE TRIGGER definitions_truncated BEFORE TRUNCATE ON vsm.work_item_types
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_truncated();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.work_item_types
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.work_item_types
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.work_item_types ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
CREATE TRIGGER row_checked BEFORE INSERT OR UPDATE ON vsm.work_item_types
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_type_before();
CREATE TRIGGER row_followed AFTER INSERT OR UPDATE OR DELETE ON vsm.work_item_types
    FOR EACH ROW EXECUTE FUNCTION vsm._work_item_type_changed();

CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE ON vsm.stream_access
    FOR EACH ROW EXECUTE FUNCTION vsm._definitions_changed();
CREATE TRIGGER definitions_emptied AFTER TRUNCATE ON vsm.stream_access
    FOR EACH STATEMENT EXECUTE FUNCTION vsm._definitions_changed();
ALTER TABLE vsm.stream_access ENABLE ALWAYS TRIGGER definitions_changed, ENABLE ALWAYS TRIGGER definitions_emptied;
