-- 95_api_views: views with the caller's rights, tables to PostgREST

CREATE VIEW vsm_api.streams WITH (security_invoker = true) AS
SELECT v.id, v.name, v.time_zone, v.commitment_stage, v.reopen_rule, v.created_at FROM vsm.value_streams v;
COMMENT ON VIEW vsm_api.streams IS 'Value streams: an order of stages that work items move through.';

CREATE VIEW vsm_api.stages WITH (security_invoker = true) AS
SELECT s.id, s.stream, s.name, s."order", s.type, s.category, s.wip_limit, s.description, s.created_at, s.retired_at FROM vsm.stages s;
COMMENT ON VIEW vsm_api.stages IS 'Stages of the value streams; those with retired_at take no new entries.';

-- Columns of one table, so that PostgreSQL writes the view itself, INSERT ... ON CONFLICT too.  The triggers of the table
-- decide what may be written.
CREATE VIEW vsm_api.work_items WITH (security_invoker = true) AS
SELECT w.id, w.external_id, w.stream, w.title, w.type, w.current_stage, w.created_at, w.updated_at, w.stage_entered_at,
       w.started_at, w.completed_at, w.discarded_at, w.attributes
FROM vsm.work_items w;
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
