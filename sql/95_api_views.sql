-- 95_api_views: views with the caller's rights, tables to PostgREST

CREATE VIEW vsm_api.streams WITH (security_invoker = true) AS
SELECT v.id, v.name, v.time_zone, v.commitment_stage, v.reopen_rule, v.created_at FROM vsm.value_streams v;
COMMENT ON VIEW vsm_api.streams IS 'Value streams: an order of stages that work items move through.';

CREATE VIEW vsm_api.stages WITH (security_invoker = true) AS
SELECT s.id, s.stream, s.name, s."order", s.type, s.category, s.wip_limit, s.description, s.created_at, s.retired_at FROM vsm.stages s;
COMMENT ON VIEW vsm_api.stages IS 'Stages of the value streams; those with retired_at take no new entries.';

CREATE VIEW vsm_api.work_items WITH (security_invoker = true) AS
SELECT w.id, w.external_id, w.stream, w.title, w.type, s.name AS current_stage, w.created_at, w.updated_at, w.stage_entered_at,
       w.started_at, w.completed_at, w.discarded_at, w.attributes
FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id;
ALTER VIEW vsm_api.work_items ALTER stream SET DEFAULT 'default', ALTER type SET DEFAULT 'task',
    ALTER attributes SET DEFAULT '{}';
COMMENT ON VIEW vsm_api.work_items IS
    'Work items. A change of current_stage moves the item and is recorded, as every move is; the columns from created_at to '
    'discarded_at are computed, but created_at may be given for a new item.';
COMMENT ON COLUMN vsm_api.work_items.external_id IS 'Id of the item in another system; unique in its stream.';
COMMENT ON COLUMN vsm_api.work_items.current_stage IS 'Name of the stage the item is in; write it to move the item.';
COMMENT ON COLUMN vsm_api.work_items.created_at IS 'First transition; may be given for a new item, from 1970 on, up to 5 minutes ahead.';
COMMENT ON COLUMN vsm_api.work_items.updated_at IS 'Last change of the item.';
COMMENT ON COLUMN vsm_api.work_items.stage_entered_at IS 'Last transition.';
COMMENT ON COLUMN vsm_api.work_items.started_at IS 'When work on the item began; null: not started.';
COMMENT ON COLUMN vsm_api.work_items.completed_at IS 'When the item was finished; null: it is not.';
COMMENT ON COLUMN vsm_api.work_items.discarded_at IS 'When the item was discarded; null: it is not.';
COMMENT ON COLUMN vsm_api.work_items.attributes IS 'Your own fields, a JSON object; written null, none.';

CREATE VIEW vsm_api.wip WITH (security_invoker = true) AS
SELECT w.stream, w.stage, w."order", w.category, w.wip, w.wip_limit, w.source FROM vsm.wip w;
COMMENT ON VIEW vsm_api.wip IS 'Work in progress now: items neither finished nor discarded, in each wait and active stage, with its limit.';

-- The triggers of the table decide what may be written.
CREATE FUNCTION vsm._shown_item_written() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item_id bigint;
    stage_id bigint;
BEGIN
    IF tg_relid <> 'vsm_api.work_items'::regclass THEN
        PERFORM vsm._refuse_other_table(tg_relid, 'view vsm_api.work_items');
    END IF;
    IF tg_op = 'DELETE' THEN
        DELETE FROM vsm.work_items w WHERE w.id = old.id;
        RETURN CASE WHEN FOUND THEN old END;
    ELSIF tg_op = 'INSERT' THEN
        PERFORM vsm._stream_for_item(new.stream);
        new.stream := vsm._nfc(new.stream);
        IF new.current_stage IS NOT NULL THEN
            SELECT s.id INTO stage_id FROM vsm.stages s WHERE s.stream = new.stream AND s.name = vsm._nfc(new.current_stage);
            IF NOT FOUND THEN
                PERFORM vsm._stage_not_found(new.stream, new.current_stage);
            END IF;
        END IF;
        INSERT INTO vsm.work_items AS w (id, external_id, stream, title, type, created_at, updated_at, stage_id, stage_entered_at,
                                         started_at, completed_at, discarded_at, attributes)
        VALUES (coalesce(new.id, nextval('vsm.work_items_id_seq')), new.external_id, new.stream, new.title, new.type, new.created_at,
                new.updated_at, stage_id, new.stage_entered_at, new.started_at, new.completed_at, new.discarded_at, coalesce(new.attributes, '{}'))
        RETURNING w.id INTO item_id;
    ELSE
        item_id := old.id;
        IF (new.id, new.stream, new.created_at, new.stage_entered_at, new.started_at, new.completed_at, new.discarded_at)
           IS DISTINCT FROM (old.id, old.stream, old.created_at, old.stage_entered_at, old.started_at, old.completed_at,
                             old.discarded_at) THEN
            UPDATE vsm.work_items w
            SET id = new.id, stream = new.stream, created_at = new.created_at, stage_entered_at = new.stage_entered_at,
                started_at = new.started_at, completed_at = new.completed_at, discarded_at = new.discarded_at
            WHERE w.id = item_id;
        END IF;
        -- columns that this statement does not change keep what other sessions write to them
        IF (new.external_id, new.title, new.type, new.attributes)
           IS DISTINCT FROM (old.external_id, old.title, old.type, old.attributes) THEN
            UPDATE vsm.work_items w
            SET external_id = CASE WHEN new.external_id IS DISTINCT FROM old.external_id THEN new.external_id ELSE w.external_id END,
                title = CASE WHEN new.title IS DISTINCT FROM old.title THEN new.title ELSE w.title END,
                type = CASE WHEN new.type IS DISTINCT FROM old.type THEN new.type ELSE w.type END,
                attributes = CASE WHEN new.attributes IS DISTINCT FROM old.attributes THEN coalesce(new.attributes, '{}') ELSE w.attributes END
            WHERE w.id = item_id;
        END IF;
        IF new.current_stage IS DISTINCT FROM old.current_stage THEN
            PERFORM vsm_api.transition(item_id, new.current_stage);
        END IF;
    END IF;
    SELECT i.* INTO new FROM vsm_api.work_items i WHERE i.id = item_id;
    RETURN CASE WHEN FOUND THEN new END;
END $$;
COMMENT ON FUNCTION vsm._shown_item_written() IS 'Writes through vsm_api.work_items.';
CREATE TRIGGER written INSTEAD OF INSERT OR UPDATE OR DELETE ON vsm_api.work_items
    FOR EACH ROW EXECUTE FUNCTION vsm._shown_item_written();
