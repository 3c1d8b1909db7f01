-- A time before 1970 is a mistyped year: no door lets it in, and no window of thousands of years runs for ever.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
CREATE EXTENSION vsm;
\set VERBOSITY terse
\set SHOW_CONTEXT never
SELECT title, created_at FROM vsm.create_work_item('first', at => '1970-01-01 00:00+00');
SELECT to_stage_id, "timestamp" FROM vsm.transition(1, 'Analysis', at => '1970-01-01 00:00+00');
\set VERBOSITY default
INSERT INTO vsm.work_items (title, created_at) VALUES ('early', '1969-12-31 23:59:59.999999+00');
\set VERBOSITY terse
SELECT vsm.create_work_item('early', at => '1970-01-01 00:00+01');
SELECT vsm.create_work_item('early', at => '0026-01-05');
SELECT vsm.create_work_item('early', at => '4714-11-24 00:00+00 BC');
SELECT vsm.transition(1, 'Testing', at => '0026-01-05');
COPY vsm.work_items (title, created_at) FROM stdin;
early	0026-01-05
\.
INSERT INTO vsm_api.work_items (title, created_at) VALUES ('early', '0026-01-05');
SELECT vsm_api.create_work_item('early', at => '0026-01-05');
SELECT vsm_api.transition(1, 'Testing', at => '0026-01-05');
CREATE TABLE long_form (case_id text, stage text, entered_at text);
INSERT INTO long_form VALUES ('A', 'Backlog', '0026-01-05'), ('A', 'Analysis', '2026-01-06');
SELECT vsm.import_events('long_form');
SELECT * FROM vsm.import_events('long_form', on_error => 'skip');
CREATE TABLE wide_form (id text, "Backlog" date, "Analysis" date);
INSERT INTO wide_form VALUES ('B', '0026-01-05', '2026-01-06');
SELECT vsm.import_wide('wide_form');
SELECT * FROM vsm.import_wide('wide_form', on_error => 'skip');
SELECT vsm_api.import(E'case_id,stage,entered_at\nC,Backlog,0026-01-05\nC,Analysis,2026-01-06\n')::jsonb - 'proposal' AS import;
SELECT vsm_api.import(E'case_id,stage,entered_at\nC,Backlog,0026-01-05\nC,Analysis,2026-01-06\n', on_error => 'skip')::jsonb - 'proposal' AS import;
SELECT vsm_api.import_events('[{"case_id":"D","stage":"Backlog","entered_at":"0026-01-05T00:00:00Z"}]');
SELECT case_id, stage, entered_at, reason FROM vsm.import_refusals ORDER BY id;
SELECT title, created_at FROM vsm.work_items ORDER BY id;

-- Windows.
\set VERBOSITY default
SELECT count(*) FROM vsm.throughput('default', '0001-01-01', '2026-01-01');
\set VERBOSITY terse
SELECT count(*) FROM vsm.throughput('default', '0001-01-01', '2026-01-01', 'month');
SELECT count(*) FROM vsm.throughput('default', '4714-11-24 BC', '2026-01-01');
SELECT count(*) FROM vsm.throughput('default', '1970-01-01', '294276-01-01');
\set VERBOSITY default
SELECT count(*) FROM vsm.cumulative_flow('default', '4714-11-24 BC', '294276-01-01');
\set VERBOSITY terse
SELECT count(*) FROM vsm.occupancy('default', '4714-11-24 BC', '2026-01-01', '1 month');
SELECT count(*) FROM vsm.cumulative_flow('default', '0001-01-01', '9999-12-31', '1 month');
SELECT count(*) FROM vsm.cumulative_flow('default', '0001-01-01', '9999-12-31', '1 year');
SELECT count(*) FROM vsm.cumulative_flow('default', '0001-01-01', '9999-12-31', '10000 years');
SELECT count(*) FROM vsm.cumulative_flow('default', '1970-01-01', '2026-01-01', '1 microsecond');
SELECT count(*) FROM vsm.occupancy('default', '1970-01-01', '2026-01-01', '178000000 years');
SELECT count(*) FROM vsm.occupancy('default', '1970-01-01', '2026-01-01', '1 month -29 days');
SELECT vsm.refresh_flow_metrics('default', '4714-11-24 00:00+00 BC', '4714-11-24 00:00+00 BC');
SELECT vsm.refresh_flow_metrics('default', '0001-01-01', '1969-01-01');
SELECT vsm.refresh_flow_metrics('default', '0001-01-01', '1970-03-01');
SELECT period_type, count(*), min(date), max(date) FROM vsm.flow_metrics GROUP BY 1 ORDER BY 1;
SELECT vsm.refresh_flow_metrics('default', '1969-01-01', '1968-01-01');
