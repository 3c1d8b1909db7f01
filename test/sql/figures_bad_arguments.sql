-- Arguments of the figures that cannot be, each refused with its reason.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Inbox", "category": "wait"}, {"name": "Work"}, {"name": "Queue", "category": "wait"},
    {"name": "Check"}, {"name": "Done", "category": "done"}]');
-- Entries by day of January 2024.  B, E and G are reopened; C and G never start; D and F move back; F skips Work, H Inbox; E and F are open.
CREATE VIEW events AS
    SELECT m.item AS case_id, split_part(e, ' ', 1) AS stage, timestamptz '2023-12-31 UTC' + split_part(e, ' ', 2)::integer * interval '1 day' AS entered_at, m.type
    FROM (VALUES ('A', 'bug', '{Inbox 1,Work 2,Queue 4,Check 5,Done 7}'::text[]),
                 ('B', 'task', '{Inbox 1,Work 3,Done 5,Work 9,Done 11}'),
                 ('C', 'task', '{Inbox 2,Done 6}'),
                 ('D', 'bug', '{Inbox 3,Work 4,Inbox 6,Work 8,Check 9,Done 10}'),
                 ('E', 'task', '{Inbox 4,Work 6,Done 8,Inbox 10}'),
                 ('F', 'task', '{Inbox 8,Check 9,Queue 12}'),
                 ('G', 'bug', '{Inbox 5,Done 9,Inbox 10,Done 12}'),
                 ('H', 'task', '{Work 11,Done 12}')) m (item, type, entries), unnest(m.entries) e;
SELECT * FROM vsm.import_events('events', 'flow');

SELECT vsm.metrics('Flow');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.metrics(NULL);
SELECT * FROM vsm.wip_at('nowhere');
SELECT * FROM vsm.occupancy('nowhere');
SELECT * FROM vsm.cumulative_flow('nowhere');
SELECT * FROM vsm.throughput('nowhere');
SELECT * FROM vsm.time_in_stage('nowhere');
SELECT vsm.flow_efficiency('nowhere');
SELECT * FROM vsm.work_item_age('nowhere');
SELECT * FROM vsm.data_quality('nowhere');
SELECT * FROM vsm.completions('nowhere');
\echo :LAST_ERROR_SQLSTATE
-- The default stream is unknown until its first use.
SELECT * FROM vsm.metrics();

SELECT * FROM vsm.metrics('flow', '2024-01-13', '2024-01-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.metrics('flow', 'infinity', '-infinity');
SELECT * FROM vsm.metrics('flow', NULL, '2024-01-01');
SELECT * FROM vsm.throughput('flow', '2024-01-13', NULL);
SELECT * FROM vsm.time_in_stage('flow', '2024-01-13', '2024-01-01');
SELECT vsm.flow_efficiency('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.occupancy('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.cumulative_flow('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.metrics('flow', '2024-01-01', '2024-01-13', NULL, 'first');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.completions('flow', '2024-01-01', '2024-01-13', NULL, 'Episodes');

SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', 'hour');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', NULL);
SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', 'Day');
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '0');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '-1 day');
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', NULL);
SELECT * FROM vsm.cumulative_flow('flow', '2024-01-01', '2024-01-13', '1 second');
SELECT * FROM vsm.wip_at('flow', NULL);
-- An unknown type has no items.
SELECT throughput, arrivals, round(wip, 6) AS wip FROM vsm.metrics('flow', '2024-01-01', '2024-01-13', 'nonsense');
