-- vsm_api: imports from a text, a JSON body, and rows that a client copies in.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on
CREATE VIEW moves AS
    SELECT w.external_id, w.type, w.title, f.name AS "from", s.name AS "to", t."timestamp" AS at
    FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id JOIN vsm.stages s ON s.id = t.to_stage_id
    LEFT JOIN vsm.stages f ON f.id = t.from_stage_id ORDER BY w.external_id COLLATE "C", t."timestamp";

-- what an import answers, without its proposal
CREATE FUNCTION imported(content text, format text DEFAULT 'csv', stream text DEFAULT 'default', on_error text DEFAULT 'abort') RETURNS text
    LANGUAGE sql RETURN regexp_replace(vsm_api.import(content, format, stream, on_error)::text, ',"proposal":.*', '}');

-- CSV: columns by name, in any order, quotes, all kinds of line ends, blank lines, a byte order mark; events in any order
SELECT imported(U&'\FEFF' || E'stage,title,"entered_at",case_id,type,ignored\r\n'
    'Testing,,2026-01-07T09:00:00Z,A,bug,\n'
    '\n'
    'Backlog,"a ""b"", c\nd",2026-01-05T09:00:00+01:00,A,bug,x\r'
    'Backlog,"",2026-01-05,"B",,');
TABLE moves;
-- another delimiter, and columns named in capitals
SELECT imported(E'sep=;\nCASE_ID;Stage; Entered_At \nA;Testing;2026-01-07T09:00:00Z\n');
-- again: nothing new
SELECT imported(E'case_id,stage,entered_at\nA,Testing,2026-01-07T09:00:00Z\n', 'csv', 'default', 'abort');
SELECT imported('case_id,stage,entered_at');
SELECT imported(E'case_id,stage,entered_at\nA,"Testing,2026-01-07');
SELECT imported(E'case_id,stage,entered_at\nA,"Testing" ,2026-01-07');
SELECT imported(E'case_id,stage,entered_at\nA,Testing', on_error => 'skip');
SELECT imported(E'case_id,stage,entered_at\nA,Testing,2026-01-07,x', on_error => 'skip');
SELECT imported(E'case_id,stage,entered_at\nA,Testing\nA,Testing,2026-01-07', on_error => 'skip');
SELECT imported(E'case_id,stage\nA,Testing');
SELECT imported(E'case_id,stage,entered_at,Stage\nA,Testing,2026-01-07,Testing');
SELECT imported('');
SELECT imported(NULL);
SELECT imported('x', 'xml');
SELECT imported(E'case_id,stage,entered_at\nC,Backlog,2026-01-05\nC,Nope,2026-01-06\nC,Testing,tomorrowish\n');
SELECT imported(E'case_id,stage,entered_at\nC,Backlog,2026-01-05\nC,Nope,2026-01-06\nC,Testing,tomorrowish\nC,Testing,\n', on_error => 'skip');
SELECT imported(E'case_id,stage,entered_at\nC,Backlog,2026-01-05\n', stream => 'Nope');
SELECT imported(E'case_id,stage,entered_at\nC,Backlog,2026-01-05\n', on_error => 'perhaps');

-- NDJSON
SELECT imported(E'{"case_id":"D","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z","title":"ü \\u00fc"}\r\n\n{"entered_at":"2026-01-06T09:00:00Z","case_id":"D","stage":"Production"}', 'ndjson');
SELECT imported(E'{"case_id":"D"', 'ndjson');
SELECT imported('[1]', 'ndjson', on_error => 'skip');
SELECT imported(E'\n{"case_id":"D","stage":"Backlog"}', 'ndjson', on_error => 'skip');
SELECT imported('{"case_id":"D","stage":1,"entered_at":"2026-01-05"}', 'ndjson', on_error => 'skip');
SELECT imported('', 'ndjson');

-- A JSON body
SELECT vsm_api.import_events('[{"case_id":"E","stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"}]');
SELECT vsm_api.import_events('{"on_error":"skip","stream":"default","events":[{"case_id":1,"stage":"Backlog","entered_at":"2026-01-05T09:00:00Z"},{"case_id":"F"},7]}');
SELECT vsm_api.import_events('{"events":{}}');
SELECT vsm_api.import_events('{"strem":"web","events":[]}');
SELECT vsm_api.import_events('{"stream":"Nope","events":[]}');
SELECT vsm_api.import_events('"x"');
SELECT vsm_api.import_events('null');
SELECT vsm_api.import_events('[]');
SELECT external_id, "from", "to", at FROM moves WHERE external_id NOT IN ('A', 'B');

-- Rows copied in: the transaction of the client is the import's.
SELECT vsm_api.import_end();
BEGIN;
SELECT vsm_api.import_begin();
COPY pg_temp.vsm_import_rows (case_id, stage, entered_at, type, title) FROM stdin (FORMAT csv);
G,Backlog,2026-01-05T09:00:00Z,epic,big
G,Testing,2026-01-06T09:00:00Z,,
\.
SELECT vsm_api.import_end();
COMMIT;
SELECT external_id, type, title, "to" FROM moves WHERE external_id = 'G';
-- times whose order of day and month DateStyle would have to tell
SET DateStyle = 'ISO, DMY';
BEGIN;
SELECT vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at) VALUES ('J', 'Backlog', '03/04/2026'), ('J', 'Testing', '2026-04-05 10:00'), ('J', 'Production', '2026-04-06T10:00:00Z');
SELECT vsm_api.import_end(on_error => 'skip', time_zone => 'Asia/Tokyo');
SELECT external_id, "to", at FROM moves WHERE external_id = 'J';
ROLLBACK;
RESET DateStyle;
-- equal times go by sequence, refused rows are refused for the reason given, stages and types are created
BEGIN;
SELECT vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at, type, sequence, line, refused) VALUES
    ('K', 'Live', '2026-01-05T09:00:00Z', 'Story', 3, 2, NULL), ('K', 'Doing', '2026-01-05T09:00:00Z', 'Story', 2, 3, NULL),
    ('K', 'New', '2026-01-05T09:00:00Z', 'Story', 1, 4, NULL), ('K', NULL, 'no time', NULL, 4, 5, 'the time cannot be read');
SELECT vsm_api.import_end('rows', 'skip', true, true, '[{"name":"New","category":"wait"},{"name":"Doing","category":"active"},{"name":"Live","category":"done"}]');
SELECT external_id, type, "from", "to" FROM moves WHERE external_id = 'K';
SELECT vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at) VALUES ('L', 'New', '2026-01-05'), ('L', 'Held', '2026-01-06'), ('L', 'skip me', '2026-01-07'), ('L', 'Test', '2026-01-08');
SELECT vsm_api.import_end('rows', create_stages => true, aliases => '{"Skip  me": null}');
SELECT string_agg(concat_ws(':', s.name, s.category), ',' ORDER BY s."order") FROM vsm.stages s WHERE s.stream = 'rows';
SELECT vsm_api.import_settings('rows'), vsm_api.import_settings('Nope');
SELECT vsm_api.import_changes('[{"name":"New"},{"name":"Review"}]', '[{"name":"Story"},{"name":"Spike"}]', 'rows');
SELECT vsm_api.import_changes(NULL, NULL, 'rows'), vsm_api.import_changes('null', '[]', 'rows');
-- what would be refused is told before
SELECT c.stream, vsm_api.import_changes('[{"name":"New"},{"name":".."},{"name":"Done","category":"done"}]', '[{"name":"a\u202eb"},{"name":"Story"}]', c.stream) ->> 'faults' AS faults
FROM (VALUES ('rows'), ('new'), ('..'), (repeat('x', 151)), (E'a\u202eb'), (' ')) c (stream);
SAVEPOINT s;
SELECT vsm_api.import_changes('[{"name":"New"},{"name":"Done","category":"done"},{"name":"New"}]', NULL, 'rows') ->> 'faults' AS faults;
SELECT vsm_api.import_changes('[{"name":"New"}]', '{"name":"Story"}', 'rows');
ROLLBACK TO s;
SELECT vsm_api.import_changes('[{"name":"New"}]', '["Story"]', 'rows');
ROLLBACK;
BEGIN;
SELECT vsm_api.import_begin();
SELECT vsm_api.import_end(time_zone => 'Mars/Olympus');
ROLLBACK;
-- at most 20 of the refused rows are told; all are kept
BEGIN;
SELECT vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at) SELECT 'H', 'Nope ' || n, '2026-01-05' FROM generate_series(1, 25) n;
SELECT r ->> 'refused_count', json_array_length(r -> 'refused'), r -> 'refused' -> 19 FROM vsm_api.import_end(on_error => 'skip') r;
-- a second import of the same session, in the same transaction
SELECT vsm_api.import_begin(), vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at) VALUES ('I', 'Backlog', '2026-01-05');
SELECT vsm_api.import_end();
ROLLBACK;
SELECT count(*) FROM vsm.import_refusals;
