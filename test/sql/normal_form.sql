-- Names and external ids are compared in Unicode's normalization form C, by whatever door they come, and ids fit into JSON's numbers.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
-- :c has letters of one character each, :d the same letters of two.
SELECT E'caf\u00e9' AS c, E'cafe\u0301' AS d \gset
SELECT :'c' = :'d' AS same_bytes, vsm._nfc(:'c') = vsm._nfc(:'d') AS same_name, vsm._nfc('plain'), vsm._nfc('') = '' AS empty, vsm._nfc(NULL) IS NULL AS none;
CREATE FUNCTION stored() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(n.kind || ' ' || CASE WHEN n.name IS NFC NORMALIZED THEN 'C' ELSE 'not C' END, ', ' ORDER BY n.kind, n.name)
    FROM (SELECT 'stream', v.name FROM vsm.value_streams v UNION ALL SELECT 'commitment', v.commitment_stage FROM vsm.value_streams v
          UNION ALL SELECT 'stage', s.name || s.stream FROM vsm.stages s WHERE s.category = 'active'
          UNION ALL SELECT 'type', t.name FROM vsm.work_item_types t WHERE t.id > 4
          UNION ALL SELECT 'item', w.stream || w.type || w.external_id FROM vsm.work_items w
          UNION ALL SELECT 'access', a.stream FROM vsm.stream_access a) n (kind, name) WHERE n.name IS NOT NULL $$;

-- Defined in one form, it is found in the other.
SELECT (vsm.define_stream(:'d', jsonb_build_array(jsonb_build_object('name', 'New', 'category', 'wait'), jsonb_build_object('name', :'d'),
                                                   jsonb_build_object('name', 'Done', 'category', 'done')), commitment_stage => :'d')).name = :'c' AS stream;
SELECT (vsm.define_stream(:'c', time_zone => 'Europe/Berlin')).time_zone, count(*) AS streams FROM vsm.value_streams;
SELECT vsm.define_stream(:'c', jsonb_build_array(jsonb_build_object('name', :'c', 'category', 'done'), jsonb_build_object('name', :'d')));
INSERT INTO vsm.work_item_types (name) VALUES (:'d');
INSERT INTO vsm.work_item_types (name) VALUES (:'c');
SELECT title FROM vsm.create_work_item('first', :'d', :'d', :'d', '2026-01-05');
INSERT INTO vsm.work_items (title, type, stream, external_id) VALUES ('second', :'c', :'c', :'c');
INSERT INTO vsm.work_items (title, type, stream, external_id) VALUES ('second', :'d', :'d', :'d')
ON CONFLICT (stream, external_id) DO UPDATE SET title = 'written over', external_id = excluded.external_id RETURNING title;
UPDATE vsm.work_items SET type = 'bug';
UPDATE vsm.work_items SET type = :'d', external_id = :'d';
SELECT to_stage_id > 0 AS moved FROM vsm.transition(1, :'d', '2026-01-06');
SELECT to_stage_id > 0 AS moved_on FROM vsm.transition(1, 'Done', expected_from => :'d');
UPDATE vsm.stages SET name = :'d' WHERE name = :'c';
UPDATE vsm.value_streams SET name = :'d';
CREATE ROLE regress_vsm_reader;
SELECT vsm.grant_access('regress_vsm_reader', 'reader', :'d');
SELECT stored();

-- Imports find the item, the stage and the type.
CREATE TEMPORARY TABLE events AS SELECT :'d'::text AS case_id, :'d'::text AS stage, :'d'::text AS type, timestamptz '2026-01-06' AS entered_at;
SELECT * FROM vsm.import_events('events', :'d');
CREATE TEMPORARY TABLE wide AS SELECT :'d'::text AS id, :'d'::text AS type, timestamptz '2026-01-06' AS entered;
SELECT * FROM vsm.import_wide('wide', stream => :'d', stages => ARRAY[:'d']);
SELECT vsm_api.import(format(E'case_id,stage,entered_at,type\n%s,%s,2026-01-06T00:00:00Z,%s\n', :'d', :'d', :'d'), stream => :'d')::jsonb - 'proposal' AS import;
-- A byte order mark before NDJSON is none of it.
SELECT vsm_api.import(E'\uFEFF' || format('{"case_id":"%s","stage":"%s","entered_at":"2026-01-06T00:00:00Z"}', :'d', :'d'), 'ndjson', :'d')::jsonb - 'proposal' AS import;
SELECT count(*) AS items FROM vsm.work_items;

-- The interface for REST.
SELECT vsm_api.create_work_item('third', :'d', :'d', :'d');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.transition(1, :'d') ->> 'to_stage' = :'c' AS moved_back;
SELECT json_array_length(vsm_api.work_items(:'d', :'d', :'d') -> 'items') AS listed, json_array_length(vsm_api.stages(:'d')) AS stages,
       vsm_api.metrics(90, :'d', :'d') ->> 'wip_now' AS in_progress, json_array_length(vsm_api.work_item_age(:'d', :'d')) AS ages,
       (SELECT sum((w ->> 'wip')::integer) FROM json_array_elements(vsm_api.wip(:'d')) w) AS wip;
SELECT vsm_api.forecast(1, stream => :'d', type => :'d');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm_api.work_items (title, stream, type, current_stage) VALUES ('by the view', :'d', :'d', :'d') RETURNING current_stage = :'c' AS placed;
SELECT vsm_api.add_stream(:'d');
SELECT vsm_api.add_stage(:'d', :'d');
SELECT vsm_api.change_stage((SELECT id FROM vsm.stages WHERE name = 'New'), :'d');
SELECT vsm_api.add_type(:'d');
SELECT vsm_api.rename_type(:'d', :'d') ->> 'name' = :'c' AS kept, vsm_api.define_stream(:'d', :'d') ->> 'name' = :'c' AS same;
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.delete_type(:'d');
SELECT vsm_api.delete_stream(:'d');
SELECT stored();
SELECT vsm.revoke_access('regress_vsm_reader', :'d');
DROP ROLE regress_vsm_reader;

-- Ids are numbers that JSON holds exactly, the owner's too.
INSERT INTO vsm.work_items (id, title) VALUES (9007199254740992, 'beyond');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items (id, title) VALUES (-9007199254740992, 'beyond');
\set VERBOSITY terse
INSERT INTO vsm.stages (id, stream, name) VALUES (9007199254740992, :'c', 'beyond');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS sequences_beyond FROM pg_sequences WHERE schemaname = 'vsm' AND max_value >= 9007199254740992
AND sequencename IN ('work_items_id_seq', 'stage_transitions_id_seq', 'stages_id_seq', 'value_streams_id_seq', 'work_item_types_id_seq');
INSERT INTO vsm.work_items (id, stream, title) VALUES (9007199254740991, :'c', 'the last one') RETURNING id;
