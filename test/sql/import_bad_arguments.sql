-- Arguments of the imports that cannot be: refused before anything is read, and nothing stays.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, number integer, "Odd ""name" text);
INSERT INTO events VALUES ('A', 'Backlog', '2024-01-01', 1, '');

SELECT vsm.import_events('events', case_column => 'key');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_events('events', stage_column => 'status');
SELECT vsm.import_events('events', time_column => 'at');
SELECT vsm.import_events('events', time_column => 'number');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_events('events', type_column => 'kind');
SELECT vsm.import_events('events', title_column => 'summary');
SELECT vsm.import_events('events', order_column => 'seq');
SELECT vsm.import_events('events', case_column => 'ctid');
SELECT vsm.import_events('events', case_column => '1; DROP TABLE events');
SELECT vsm.import_events('events', on_error => 'ignore');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_events('events', on_error => NULL);
SELECT vsm.import_events('events', 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_events('events', NULL);
SELECT vsm.import_events('no_such_table');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_wide('events', 'id');
SELECT vsm.import_wide('events', 'case_id', ARRAY['entered_at', 'left_at']);
SELECT vsm.import_wide('events', 'case_id', ARRAY['entered_at', 'number']);
SELECT vsm.import_wide('events', 'case_id', ARRAY['entered_at'], 'default', ARRAY['Backlog', 'Production']);
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.import_wide('events', 'case_id', ARRAY[]::text[]);
SELECT vsm.import_wide('events', 'case_id', ARRAY['entered_at'], 'nowhere');
SELECT vsm.import_wide('events', 'case_id', ARRAY['entered_at'], stages => ARRAY[NULL]);
-- The parts of an import are of no use by themselves.
SELECT vsm._import_apply('default', 'events', false, 'abort');
\echo :LAST_ERROR_SQLSTATE
SELECT (SELECT count(*) FROM vsm.work_items) AS items, (SELECT count(*) FROM vsm.value_streams) AS streams, (SELECT count(*) FROM events) AS events;
