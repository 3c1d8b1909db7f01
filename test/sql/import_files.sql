-- vsm_api.import(): files as trackers export them, tried, asked about, corrected, and imported.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION counts(answer json) RETURNS text LANGUAGE sql
    RETURN regexp_replace(answer::text, ',"proposal":.*', '}');
CREATE FUNCTION moves(of_stream text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', w.external_id, w.type, s.name, to_char(t."timestamp", 'MM-DD HH24:MI'), 'breach ' || t.wip_breach)
    FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id JOIN vsm.stages s ON s.id = t.to_stage_id
    WHERE w.stream = of_stream ORDER BY w.external_id COLLATE "C", t."timestamp", t.id $$;
CREATE FUNCTION stages(of_stream text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(s.name || ':' || s.category, ' > ' ORDER BY s."order") FROM vsm.stages s WHERE s.stream = of_stream $$;

-- Tried: nothing is written, not even a stream
\set file 'Issue key;Status;Changed;Issue Type\nP-2;Done;05.01.2026 09:00;Bug\nP-1;Done;05.01.2026 08:00;Story\nP-1;In Arbeit;04.01.2026 08:00;Story\nP-2;in arbeit;03.01.2026 09:00;Bug\nP-1;Offen;02.01.2026 08:00;Story\nP-2;Offen;02.01.2026 07:00;Bug\n'
SELECT replace(:'file', '\n', E'\n') AS file \gset
SELECT counts(vsm_api.import(:'file', stream => 'team', dry_run => true));
SELECT a ->> 'form', a ->> 'direction', a ->> 'dates', a -> 'stages' -> 1 ->> 'name', a -> 'stages' -> 1 ->> 'spellings'
FROM CAST(vsm_api.import(:'file', stream => 'team', dry_run => true) -> 'proposal' AS json) a;
SELECT count(*) FROM vsm.value_streams;

-- Imported: the stream, its stages in order and the types are made
SELECT counts(vsm_api.import(:'file', stream => 'team'));
SELECT counts(vsm_api.import(:'file', stream => 'team', create_stages => true));
SELECT count(*) FROM vsm.value_streams;
SELECT counts(vsm_api.import(:'file', stream => 'team', create_stages => true, create_types => true));
SELECT stages('team');
SELECT moves('team');
-- again, tried and done: nothing is new; stages in another case are those of the stream
SELECT counts(vsm_api.import(:'file', stream => 'team', dry_run => true));
SELECT counts(vsm_api.import(upper(:'file'), stream => 'team', type => 'nothing'));
SELECT counts(vsm_api.import(replace(:'file', 'Done', 'DONE'), stream => 'team'));

-- New stages stand where the file has them; those that are there keep their definition and their limit
UPDATE vsm.stages SET category = 'wait', wip_limit = 1 WHERE stream = 'team' AND name = 'In Arbeit';
SELECT counts(vsm_api.import(E'key,status,date\nP-3,Offen,2026-02-01\nP-3,In Arbeit,2026-02-02\nP-3,Test,2026-02-03\nP-3,Done,2026-02-04\nP-4,Offen,2026-02-01\nP-4,In Arbeit,2026-02-02\nP-4,Cancelled,2026-02-03\n',
                             stream => 'team', create_stages => true));
SELECT stages('team');
-- No limit refuses an import: the entries beyond it are marked
SELECT counts(vsm_api.import(E'key,status,date\nP-5,In Arbeit,2026-03-01\nP-6,In Arbeit,2026-03-02\nP-7,In Arbeit,2026-02-27\nP-8,In Arbeit,2026-03-01\nP-8,Test,2026-03-02\n', stream => 'team'));
SELECT m FROM moves('team') m WHERE m ~ '^P-[5-8]';
SELECT counts(vsm_api.import(E'case_id,stage,entered_at\nP-9,In Arbeit,2026-01-01\n', stream => 'team'));
SELECT m FROM moves('team') m WHERE m ~ '^P-9';

-- Names that the source has for stages: kept, followed when the stage is renamed, and used by every import of the stream
SELECT counts(vsm_api.import(E'key,status,date\nQ-1,Ready for QA,2026-03-01\nQ-1,Comment,2026-03-02\n', stream => 'team', aliases => '{"ready for qa": "Test", "Comment": null}'));
UPDATE vsm.stages SET name = 'Prüfung' WHERE stream = 'team' AND name = 'Test';
UPDATE vsm.value_streams SET name = 'crew' WHERE name = 'team';
SELECT * FROM vsm.stage_aliases ORDER BY name COLLATE "C";
SELECT counts(vsm_api.import(E'key,status,date\nQ-2,READY  for QA,2026-03-01\nQ-2,comment,2026-03-02\n', stream => 'crew'));
SELECT vsm_api.import_events('{"stream":"crew","events":[{"case_id":"Q-3","stage":"Ready for qa","entered_at":"2026-03-01T00:00:00Z"},{"case_id":"Q-3","stage":"Comment","entered_at":"2026-03-02T00:00:00Z"}]}');
CREATE TABLE log (case_id text, stage text, entered_at timestamptz);
INSERT INTO log VALUES ('Q-4', 'Ready for QA', '2026-03-01'), ('Q-4', 'Comment', '2026-03-02');
SELECT * FROM vsm.import_events('log', 'crew');
SELECT m FROM moves('crew') m WHERE m ~ '^Q';
SELECT counts(vsm_api.import(E'case_id,stage,entered_at\nQ-5,Ready for QA,2026-03-01\n', stream => 'crew', aliases => '{"Ready for QA": "Offen"}'));
SELECT counts(vsm_api.import(E'case_id,stage,entered_at\nQ-6,x,2026-03-01\n', stream => 'crew', aliases => '{"x": 1}'));
INSERT INTO vsm.stage_aliases VALUES ('crew', ' ', 'Offen');
UPDATE vsm.stage_aliases SET stage = 'Nope' WHERE name = 'Comment';
SELECT * FROM vsm.stage_aliases ORDER BY name COLLATE "C";
SELECT counts(vsm_api.import(E'case_id,stage,entered_at\nQ-7,Offen,2026-03-01\n', stream => 'crew', aliases => '[]'));
SELECT count(*) FROM vsm.define_stream('short', '[{"name":"A","category":"wait"},{"name":"B","category":"done"},{"name":"C"}]');
INSERT INTO vsm.stage_aliases VALUES ('short', 'c', 'C'), ('short', 'b', 'B');
DELETE FROM vsm.stages WHERE stream = 'short' AND name = 'C';
SELECT * FROM vsm.stage_aliases WHERE stream = 'short';
DELETE FROM vsm.value_streams WHERE name = 'short';
SELECT count(*) FROM vsm.stage_aliases WHERE stream = 'short';

-- What must not be guessed is asked, with the option in the hint and as the error's column
SELECT counts(vsm_api.import(E'id,status,date\n1,New,03/04/2026\n1,Doing,05/04/2026\n1,Done,07/06/2026\n', stream => 'asked', create_stages => true));
SELECT counts(vsm_api.import(E'id,status,date\n1,New,03/04/2026\n1,Doing,05/04/2026\n1,Done,07/06/2026\n', stream => 'asked', create_stages => true, dates => 'dmy'));
SELECT moves('asked');
SELECT counts(vsm_api.import(E'id,status,date\n1,New,03/04/2026\n1,Done,07/06/2026\n', stream => 'crew', dates => 'DM'));
SELECT counts(vsm_api.import(E'id,status,date\n1,New,2026-01-01\n', stream => 'crew', direction => 'up'));
SELECT counts(vsm_api.import(E'id,status,date\n1,New,2026-01-01\n', stream => 'crew', time_zone => 'Mars/Olympus'));
SELECT counts(vsm_api.import(E'id,status,date\n1,New,2026-01-01\n', stream => 'crew', stage => 'State'));
SELECT counts(vsm_api.import(E'id,status,date\n1,New,2026-01-01\n', stages => '[{"name":"New","category":"later"}]'));
SELECT counts(vsm_api.import(E'case_id,stage,entered_at\n1,New,2026-01-01\n2,New,2026-01-01\n', stream => 'open', create_stages => true));
SELECT count(*) FROM vsm.value_streams WHERE name = 'open';

-- A proposal that is sent back changed: another order, other categories, a stage more
SELECT counts(vsm_api.import(E'Ref,Where,Since\n1,New,2026-01-01\n1,Away,2026-01-02\n1,Back,2026-01-03\n', stream => 'changed', item => 'Ref', stage => 'Where', "time" => 'Since', create_stages => true,
                             time_zone => 'Europe/Berlin', stages => '[{"name":"new","category":"wait"},{"name":"Back","category":"active"},{"name":"Held","category":"wait"},{"name":"Away","category":"done"}]'));
SELECT stages('changed'), time_zone FROM vsm.value_streams WHERE name = 'changed';
-- times without an offset are the stream's
SELECT moves('changed');

-- What a stream has defined is not guessed, whatever the names say: neither where work ends nor what waits
SELECT count(*) FROM vsm.define_stream('greek', '[{"name":"Alpha","category":"active"},{"name":"Closed","category":"active"},{"name":"Accepted","category":"wait"},{"name":"Gamma","category":"done"},{"name":"Beta","category":"discarded"}]');
SELECT d.log, s.value ->> 'name' AS stage, s.value ->> 'category' AS category, s.value ->> 'guessed' AS guessed
FROM (VALUES (1, E'id,status,date\n1,alpha,2026-01-01\n1,Closed,2026-01-02\n1,GAMMA,2026-01-03\n2,Alpha,2026-01-02\n2,Beta,2026-01-05\n'),
             (2, E'id,status,date\n1,alpha,2026-01-01\n1,Closed,2026-01-02\n1,Accepted,2026-01-03\n2,Alpha,2026-01-02\n2,Accepted,2026-01-05\n'),
             (3, E'id,Alpha,Closed,Gamma,Beta\n1,2026-01-01,2026-01-02,2026-01-03,\n2,2026-01-01,2026-01-02,,2026-01-03\n')) d (log, content)
CROSS JOIN LATERAL json_array_elements(vsm_api.import(d.content, stream => 'greek', dry_run => true) -> 'proposal' -> 'stages') WITH ORDINALITY s (value, n)
ORDER BY d.log, s.n;
SELECT vsm_api.import(E'id,status,date\n1,Alpha,2026-01-01\n1,Accepted,2026-01-02\n', stream => 'greek', dry_run => true) -> 'proposal' ->> 'notices' AS notices;
-- of stages that it has not, it is
SELECT s.value ->> 'name' AS stage, s.value ->> 'category' AS category, s.value ->> 'guessed' AS guessed
FROM json_array_elements(vsm_api.import(E'id,status,date\n1,Alpha,2026-01-01\n1,Psi,2026-01-02\n1,Omega,2026-01-03\n', stream => 'greek', dry_run => true) -> 'proposal' -> 'stages') s;

-- The wide form; NDJSON, whose lines are told as they are
SELECT counts(vsm_api.import(E'ID,Date opened,Started,Date done,Kind\n1,2026-01-01,2026-01-02,2026-01-03,x\n2,2026-01-01,N/A,-,x\n', stream => 'wide', create_stages => true, create_types => true));
SELECT stages('wide');
SELECT moves('wide');
\set object '{"case_id":"N","stage":"%s","entered_at":"%s","title":"two\\nlines"}'
SELECT counts(vsm_api.import(concat(E'\n', format(:'object', 'new', '2026-01-01'), E'\n\n', format(:'object', 'Back', 'soon'), E'\n', format(:'object', 'Away', '2026-01-02T10:00:00+02:00'), E'\n'),
                             'ndjson', 'changed', 'skip'));
SELECT external_id, title FROM vsm.work_items WHERE external_id = 'N';
SELECT line, case_id, entered_at, reason FROM vsm.import_refusals;
SELECT moves('changed');

-- The functions are anybody's
SELECT vsm._recognise('\x', '{"itme": "id"}');
SELECT vsm._recognise('\x', '[]');
SELECT vsm._recognise('\x', '{"item": 1}');
SELECT vsm._recognise('\x', '{"aliases": []}');
SELECT vsm._recognise('\x', '{"aliases": {"a": {}}}');
SELECT vsm._recognise('\x', '{"categories": []}');
SELECT vsm._recognise('\x', '{"categories": {"a": "later"}}');
SELECT vsm._recognise('\x', '{"categories": {"a": null}}');
SELECT vsm._recognise('\x', '{"aliases": {}, "stages": []}');
SELECT vsm._recognise('\x', '{"stages": [1]}');
SELECT vsm._recognise('\x', '{"stages": [{"category": "done"}]}');
SELECT vsm._recognise('\x', '{"stages": [{"name": "a", "category": "x"}]}');
SELECT vsm._recognise('\x00ff00', '{}') ->> 'code', vsm._recognise(NULL, '{}') IS NULL;
SELECT * FROM vsm._recognised_events('\x00', '{}');
SELECT line, case_id, stage, entered_at, entered_text, sequence, refused FROM vsm._recognised_events(convert_to(E'id,status,date\n1,New,2026-03-29 02:30\n1,Done,2026-10-25 02:30\n1,Done,2026-10-25 02:30+01\n1,x\n', 'UTF8'), '{"time_zone": "Europe/Berlin"}');

-- An alias means a stage that is there, whoever writes it; only a restore brings aliases before stages.
SELECT FROM vsm.define_stream('aliased');
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('aliased', 'Dev', 'Nope');
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('aliased', 'Dev', 'Development');
SET check_function_bodies = off;
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('later', 'Dev', 'Development');
RESET check_function_bodies;
SELECT a.stream, a.name, a.stage FROM vsm.stage_aliases a WHERE a.stream IN ('aliased', 'later') ORDER BY 1;
