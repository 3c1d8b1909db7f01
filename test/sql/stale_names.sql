-- A row that was read before stages were renamed, and is written back, is a conflict and no move, although its stage's name is another stage's by now.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT FROM vsm.define_stream('default');
INSERT INTO vsm.work_items (title, created_at, current_stage) VALUES ('an item', '2026-01-05', 'Analysis'), ('another', '2026-01-05', 'Analysis');
CREATE TABLE read AS SELECT * FROM vsm_api.work_items;
CREATE TABLE read_of_table AS SELECT * FROM vsm.work_items;
-- Two stages exchange their names.
UPDATE vsm.stages SET name = 'between' WHERE name = 'Analysis';
UPDATE vsm.stages SET name = 'Analysis' WHERE name = 'Testing';
UPDATE vsm.stages SET name = 'Testing' WHERE name = 'between';
SELECT name, renamed_at IS NOT NULL AS renamed FROM vsm.stages ORDER BY "order";
CREATE FUNCTION try(statement text, OUT answer text) LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    answer := rows || ' rows';
EXCEPTION WHEN OTHERS THEN
    answer := sqlstate || ' ' || sqlerrm;
END $$;
-- The whole row of the view, and of the table; exactly, and cut to milliseconds as JavaScript keeps times.
SELECT try($$UPDATE vsm_api.work_items w SET title = 'saved', external_id = r.external_id, type = r.type, current_stage = r.current_stage, created_at = r.created_at,
    updated_at = r.updated_at, stage_entered_at = r.stage_entered_at, attributes = r.attributes FROM read r WHERE w.id = 1 AND r.id = 1$$);
SELECT try($$UPDATE vsm_api.work_items w SET title = 'saved', current_stage = r.current_stage, updated_at = date_trunc('milliseconds', r.updated_at),
    stage_entered_at = date_trunc('milliseconds', r.stage_entered_at) FROM read r WHERE w.id = 1 AND r.id = 1$$);
SELECT try($$UPDATE vsm.work_items w SET title = 'saved', stage_id = r.stage_id, current_stage = r.current_stage, updated_at = r.updated_at,
    stage_entered_at = r.stage_entered_at FROM read_of_table r WHERE w.id = 1 AND r.id = 1$$);
-- Another stage of the old names than the item's was meant.
SELECT try($$UPDATE vsm_api.work_items w SET current_stage = 'Development', updated_at = r.updated_at FROM read r WHERE w.id = 1 AND r.id = 1$$);
SELECT id, title, current_stage, stage_id, (SELECT count(*) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id) AS moves FROM vsm.work_items w ORDER BY id;
-- Read again, it can be saved, and moved.
SELECT try($$UPDATE vsm_api.work_items w SET title = 'saved', current_stage = r.current_stage, updated_at = r.updated_at,
    stage_entered_at = r.stage_entered_at FROM vsm_api.work_items r WHERE w.id = 1 AND r.id = 1$$);
SELECT try($$UPDATE vsm_api.work_items w SET current_stage = 'Analysis', updated_at = date_trunc('milliseconds', r.updated_at) FROM vsm_api.work_items r WHERE w.id = 1 AND r.id = 1$$);
-- Who writes the name alone means the stage that has it now; so does whoever sets updated_at by a clock, even one that is a little behind the last change.
SELECT try($$UPDATE vsm_api.work_items SET current_stage = 'Analysis' WHERE id = 2$$);
SELECT try($$UPDATE vsm_api.work_items SET title = 'touched' WHERE id = 2$$);
SELECT try(format($$UPDATE vsm_api.work_items SET current_stage = 'Deployment', updated_at = %L WHERE id = 2$$,
                  (SELECT max(renamed_at) + interval '1 microsecond' FROM vsm.stages)));
SELECT id, title, current_stage FROM vsm.work_items ORDER BY id;
-- A new stage takes the old name of a renamed one.
CREATE TABLE read_later AS SELECT * FROM vsm_api.work_items;
UPDATE vsm.stages SET name = 'Shipping' WHERE name = 'Deployment';
INSERT INTO vsm.stages (stream, name, "order") VALUES ('default', 'Deployment', 10);
SELECT try($$UPDATE vsm_api.work_items w SET current_stage = r.current_stage, updated_at = r.updated_at FROM read_later r WHERE w.id = 2 AND r.id = 2$$);
-- renamed_at is nobody's to write, and other changes leave it.
UPDATE vsm.stages SET renamed_at = '2026-01-05', description = 'where it is built' WHERE name = 'Development' RETURNING renamed_at;
