-- Upserts of vsm_api.work_items as PostgREST writes them (Prefer: resolution=merge-duplicates and ignore-duplicates).
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only
SELECT (vsm.define_stream('default')).name, (vsm.define_stream('side', '[{"name": "Open", "category": "wait"}, {"name": "Closed", "category": "done"}]')).name;
CREATE VIEW ledger AS
    SELECT w.external_id AS item, f.name AS "from", s.name AS "to" FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id
    JOIN vsm.stages s ON s.id = t.to_stage_id LEFT JOIN vsm.stages f ON f.id = t.from_stage_id ORDER BY t.work_item_id, t.id;
-- The statement of PostgREST 12 for a POST of these columns: the rows as JSON, the key of on_conflict.
CREATE FUNCTION upsert(columns text, body json, conflict text, merge boolean) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    names CONSTANT text := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(string_to_array(columns, ' ')) c);
    fields CONSTANT text := (SELECT string_agg(format('pgrst_body.%I', c), ', ') FROM unnest(string_to_array(columns, ' ')) c);
    typed CONSTANT text := (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY c.n)
                            FROM unnest(string_to_array(columns, ' ')) WITH ORDINALITY c (name, n)
                            JOIN pg_attribute a ON a.attrelid = 'vsm_api.work_items'::regclass AND a.attname = c.name);
    settings CONSTANT text := (SELECT string_agg(format('%1$I = EXCLUDED.%1$I', c), ', ') FROM unnest(string_to_array(columns, ' ')) c);
BEGIN
    RETURN QUERY EXECUTE format('WITH pgrst_source AS (WITH pgrst_payload AS (SELECT $1::json AS json_data)'
        ' INSERT INTO "vsm_api"."work_items" (%s) SELECT %s FROM pgrst_payload, LATERAL (SELECT CASE WHEN json_typeof(pgrst_payload.json_data) = ''array'''
        ' THEN pgrst_payload.json_data ELSE json_build_array(pgrst_payload.json_data) END AS val) pgrst_uniform_json,'
        ' LATERAL (SELECT * FROM json_to_recordset(pgrst_uniform_json.val) AS _(%s)) pgrst_body ON CONFLICT (%s) %s'
        ' RETURNING "vsm_api"."work_items".*) SELECT format(''%%s: %%s, %%s, %%s, %%s'', _.external_id, _.title, _.type, _.current_stage, _.attributes)'
        ' FROM (SELECT * FROM pgrst_source) _', names, fields, typed, conflict, CASE WHEN merge THEN 'DO UPDATE SET ' || settings ELSE 'DO NOTHING' END)
        USING body;
END $$;
-- New rows are inserted, and the same request again changes nothing but what it says.
SELECT upsert('stream external_id title', '[{"stream": "default", "external_id": "A", "title": "a"}, {"stream": "default", "external_id": "B", "title": "b"}]', 'stream, external_id', true);
SELECT upsert('stream external_id title type current_stage', '[{"stream": "default", "external_id": "A", "title": "a again", "type": "bug", "current_stage": "Testing"},
    {"stream": "default", "external_id": "C", "title": "c", "type": "task", "current_stage": "Development"}]', 'stream, external_id', true);
-- What is left out or null stays: stage, type, attributes.
SELECT upsert('stream external_id title', '{"stream": "default", "external_id": "A", "title": "renamed"}', 'stream, external_id', true);
SELECT upsert('stream external_id title type current_stage', '{"stream": "default", "external_id": "A", "title": "nulls"}', 'stream, external_id', true);
SELECT upsert('external_id stream title attributes', '{"stream": "default", "external_id": "A", "title": "with", "attributes": {"team": "red"}}', 'external_id, stream', true);
-- By the primary key, which PostgREST takes when the request names no columns: PUT, and POST.
SELECT upsert('id title current_stage', json_build_object('id', id, 'title', 'by id', 'current_stage', 'Production'), 'id', true) FROM vsm.work_items WHERE external_id = 'A';
-- The same external id in another stream is another item.
SELECT upsert('stream external_id title current_stage', '{"stream": "side", "external_id": "A", "title": "aside", "current_stage": "Open"}', 'stream, external_id', true);
TABLE ledger;
-- Refusals are those of every write.
SELECT upsert('stream external_id title current_stage', '{"stream": "default", "external_id": "A", "title": "x", "current_stage": "Open"}', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title current_stage', '{"stream": "none", "external_id": "A", "title": "x", "current_stage": "Open"}', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title', '{"stream": "default", "external_id": "A", "title": ""}', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title completed_at', '{"stream": "default", "external_id": "B", "title": "x", "completed_at": "2026-01-01"}', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title', '[{"stream": "default", "external_id": "D", "title": "twice"}, {"stream": "default", "external_id": "D", "title": "twice"}]', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
-- ignore-duplicates does nothing to an item that is there: no ledger row, no counter, no place in a full stage.
UPDATE vsm.stages SET wip_limit = 1 WHERE stream = 'default' AND name = 'Backlog';
CREATE TABLE before AS SELECT (SELECT count(*) FROM vsm.stage_transitions) AS moves, (SELECT json_agg(w ORDER BY w.id)::text FROM vsm.work_items w) AS items,
                              (SELECT json_agg(w)::text FROM vsm.wip w) AS wip, (SELECT json_agg(t)::text FROM vsm.flow_totals t) AS totals;
SELECT upsert('stream external_id title', '[{"stream": "default", "external_id": "A", "title": "x"}, {"stream": "default", "external_id": "B", "title": "x"}]', 'stream, external_id', false);
SELECT upsert('stream external_id title current_stage', '{"stream": "default", "external_id": "C", "title": "x", "current_stage": "Backlog"}', 'stream, external_id', false);
SELECT (SELECT count(*) FROM vsm.stage_transitions) = b.moves, (SELECT json_agg(w ORDER BY w.id)::text FROM vsm.work_items w) = b.items,
       (SELECT json_agg(w)::text FROM vsm.wip w) = b.wip, (SELECT json_agg(t)::text FROM vsm.flow_totals t) = b.totals FROM before b;
-- A new item needs a place, with either resolution, and so does a move.
SELECT upsert('stream external_id title', '{"stream": "default", "external_id": "E", "title": "e"}', 'stream, external_id', false);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title', '[{"stream": "default", "external_id": "A", "title": "known"}, {"stream": "default", "external_id": "E", "title": "e"}]', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title current_stage', '{"stream": "default", "external_id": "C", "title": "x", "current_stage": "Backlog"}', 'stream, external_id', true);
\echo :LAST_ERROR_SQLSTATE
SELECT upsert('stream external_id title', '{"stream": "default", "external_id": "A", "title": "known"}', 'stream, external_id', true);
SELECT * FROM vsm.wip_check() WHERE difference <> 0;
-- The table takes the stage's name too; it is the name of the item's stage, whoever writes.
UPDATE vsm.work_items SET current_stage = 'Deployment' WHERE external_id = 'C' RETURNING current_stage, stage_id;
UPDATE vsm.work_items SET current_stage = 'Testing', stage_id = 4 WHERE external_id = 'C' RETURNING current_stage, stage_id;
UPDATE vsm.work_items SET current_stage = 'Testing', stage_id = 5 WHERE external_id = 'C' RETURNING current_stage, stage_id;
UPDATE vsm.work_items SET current_stage = 'Analysis', stage_id = 6 WHERE external_id = 'C';
\echo :LAST_ERROR_SQLSTATE
SELECT to_stage_id FROM vsm.transition((SELECT id FROM vsm.work_items WHERE external_id = 'C'), 'Testing');
UPDATE vsm.work_items SET current_stage = NULL WHERE external_id = 'C';
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.work_items SET current_stage = NULL, stage_id = NULL, stage_entered_at = NULL WHERE external_id = 'C' RETURNING current_stage;
-- a row that is written back as it was read, but for the stage's id
UPDATE vsm.work_items w SET title = r.title, stage_id = 3, current_stage = r.current_stage FROM vsm.work_items r WHERE w.id = r.id AND w.external_id = 'C' RETURNING w.current_stage;
-- Items follow when their stage is renamed, without a move; the new name moves, the old one does not.
UPDATE vsm.stages SET name = 'Build' WHERE stream = 'default' AND name = 'Development';
SELECT external_id, current_stage FROM vsm_api.work_items ORDER BY id;
UPDATE vsm_api.work_items SET current_stage = 'Development' WHERE external_id = 'B';
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm_api.work_items SET current_stage = 'Build' WHERE external_id = 'B' RETURNING current_stage;
-- The owner's repairs name the stage too, and imports.
SET vsm.recording = off;
UPDATE vsm.work_items SET stage_id = 2, current_stage = 'wrong' WHERE external_id = 'B' RETURNING current_stage;
UPDATE vsm.work_items SET stage_id = 3 WHERE external_id = 'B' RETURNING current_stage;
RESET vsm.recording;
CREATE TABLE log AS SELECT 'B' AS case_id, 'Production' AS stage, now() AS entered_at UNION ALL SELECT 'F', 'Analysis', '2026-01-05';
SELECT items, transitions FROM vsm.import_events('log', 'default');
SELECT external_id, current_stage FROM vsm_api.work_items WHERE external_id IN ('B', 'F') ORDER BY 1;
-- A trigger that fires after ours may not change it.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.current_stage := 'Analysis'; RETURN new; END $$;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION meddle();
UPDATE vsm.work_items SET title = 'x' WHERE external_id = 'B';
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items (title, stream) VALUES ('x', 'side');
\echo :LAST_ERROR_SQLSTATE
DROP TRIGGER zzz ON vsm.work_items;
-- No item shows another stage than its own, and no index has the column.
SELECT w.id FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id WHERE s.name IS DISTINCT FROM w.current_stage;
SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = 'vsm.work_items'::regclass AND a.attname IN ('stage_id', 'current_stage', 'stage_entered_at', 'updated_at');
