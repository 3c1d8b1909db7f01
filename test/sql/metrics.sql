-- vsm.metrics(): every figure of small streams, computed by hand, by each reopen rule, window and type.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- [1, 13).  Finished: A (lead 6 days), B (10), C (4), D (7), G (7), H (1), each at its latest completion; E is open again.
-- Lead times 1 4 6 7 7 10: average 35/6 = 5 days 20 hours, p50 3rd, p70 5th (4.2), p85 6th (5.1), p95 6th.
-- WIP: A 6, B 4 + 2, C 4, D 7, E 4 + 3, F 5, G 4 + 2, H 1 = 42 days / 12.  Open: E in Inbox, F in Queue, which is past the commitment point.
-- Reopened: B, E, G.  Backward: those and D to Inbox, F to Queue.
SELECT stream, since, until, time_zone, reopen_rule, percentile_rule, throughput, arrivals, round(wip, 6) AS wip, wip_now, started_wip_now FROM vsm.metrics('flow', '2024-01-01', '2024-01-13');
SELECT lead_time_n AS n, lead_time_avg, lead_time_p50, lead_time_p70, lead_time_p85, lead_time_p95, finished_never_started, reopened, backward_moves, type
FROM vsm.metrics('flow', '2024-01-01', '2024-01-13');
CREATE VIEW by_rule AS
    SELECT m.* FROM unnest('{span_first_last,span_last,sum_active,episodes}'::text[]) WITH ORDINALITY r (rule, n), vsm.metrics('flow', '2024-01-01', '2024-01-13', NULL, r.rule) m ORDER BY n;
-- Cycle times of A, B, D, H (C and G never start):
-- span_first_last  5 8 6 1: average 5, p50 2nd, p70 3rd (2.8), p85 4th (3.4).  Active 4 + 4 + 4 + 1, waiting 1 + 0 + 2: 13/16.
-- span_last        5 2 2 1, since B starts again on 9 and D on 8: average 2.5.  Active 4 + 2 + 2 + 1, waiting 1: 9/10.
-- sum_active       5 4 6 1, since B is done for 4 days between: average 4.  13/16.
-- episodes         B twice 2, E 2 as well: 5 2 2 6 2 1, average 3.  G finishes twice without a start.  Active 4 + 2 + 2 + 4 + 2 + 1, waiting 1 + 2: 15/18.
SELECT reopen_rule, throughput, cycle_time_n AS n, cycle_time_avg, cycle_time_p50 AS p50, cycle_time_p70 AS p70, cycle_time_p85 AS p85, cycle_time_p95 AS p95,
       round(flow_efficiency, 6) AS flow_efficiency, finished_never_started FROM by_rule;
-- Lead times differ with episodes alone: what follows a completion is created when it leaves done.
-- A 6, B 4 and 2, C 4, D 7, E 4, G 4 and 2, H 1: average 34/9 = 3 days 18:40.
SELECT reopen_rule, lead_time_n AS n, lead_time_avg, lead_time_p50 AS p50, lead_time_p70 AS p70, lead_time_p85 AS p85, lead_time_p95 AS p95 FROM by_rule;
-- The rest does not depend on the rule.
SELECT count(DISTINCT (arrivals, wip, wip_now, started_wip_now, reopened, backward_moves)) AS outcomes FROM by_rule;
-- Each completion.
SELECT external_id, created_at::date, started_at::date, completed_at::date, lead_time, cycle_time, cycle_time_days FROM vsm.completions('flow', '2024-01-01', '2024-01-13');
SELECT external_id, created_at::date, started_at::date, completed_at::date, lead_time, cycle_time, cycle_time_days FROM vsm.completions('flow', '2024-01-01', '2024-01-13', NULL, 'episodes')
WHERE external_id IN ('B', 'E', 'G');
SELECT external_id, started_at::date, completed_at::date, cycle_time FROM vsm.completions('flow', '2024-01-01', '2024-01-13', NULL, 'span_last');
SELECT external_id, started_at::date, completed_at::date, cycle_time FROM vsm.completions('flow', '2024-01-01', '2024-01-13', NULL, 'sum_active');
-- Days from one time to another; none from or to a time that is infinite or not known.
SELECT vsm.cycle_time_days('2024-01-02 23:59:59.999999', '2024-01-02 00:00') AS same_day,
       vsm.cycle_time_days('2024-01-02 23:59:59.999999', '2024-01-03 00:00') AS next_day, vsm.cycle_time_days('2024-01-02', '2024-01-03', NULL) AS no_zone;
SELECT count(*), count(vsm.cycle_time_days(s, c)) AS of_utc, count(vsm.cycle_time_days(s, c, 'Pacific/Auckland')) AS of_auckland
FROM unnest('{-infinity,infinity,NULL,2024-01-02}'::timestamptz[]) s, unnest('{-infinity,infinity,NULL,2024-01-03}'::timestamptz[]) c
WHERE NOT (coalesce(isfinite(s), false) AND coalesce(isfinite(c), false));
-- By the calendar of any zone, also of the first and the last day that there are; a zone that is none is said.
SELECT z AS zone, vsm.cycle_time_days('4714-11-24 00:00+00 BC', '294276-12-31 23:59:59+00', z) AS all_days,
       vsm.cycle_time_days('2024-02-28 23:30+00', '2024-03-01 00:30+00', z) AS leap
FROM unnest('{UTC,Pacific/Auckland,America/Los_Angeles,europe/berlin}'::text[]) z;
SELECT vsm.cycle_time_days('2024-01-02', '2024-01-03', 'Mars/Base');
-- The stream's own rule holds when none is given.
UPDATE vsm.value_streams SET reopen_rule = 'episodes';
SELECT reopen_rule, throughput FROM vsm.metrics('flow', '2024-01-01', '2024-01-13');
SELECT sum(items) AS throughput FROM vsm.throughput('flow', '2024-01-01', '2024-01-13');
SELECT round(vsm.flow_efficiency('flow', '2024-01-01', '2024-01-13'), 6);
UPDATE vsm.value_streams SET reopen_rule = 'span_first_last';

-- Windows are half-open: what happens at since is in, at until is not.
-- [5, 11): finished C, A, D; created G, F; reopened B, E, G; backward D, B, E, G; WIP A 2, B 2, C 1, D 5, E 3 + 1, F 3, G 4 + 1 = 22 / 6.
-- [6, 7): C.  [7, 10): A.  [10, 11): D; E and G reopened.  [12, 13): G, H; F moves back; WIP E, F = 2.
CREATE VIEW windows AS
    SELECT w.n, m.* FROM (VALUES (1, '2024-01-05'::timestamptz, '2024-01-11'::timestamptz), (2, '2024-01-06', '2024-01-07'), (3, '2024-01-07', '2024-01-10'),
                                 (4, '2024-01-10', '2024-01-11'), (5, '2024-01-12', '2024-01-13')) w (n, a, b), vsm.metrics('flow', w.a, w.b) m;
SELECT since::date, until::date, throughput, arrivals, round(wip, 6) AS wip, reopened, backward_moves FROM windows ORDER BY n;
-- Infinite bounds: the first and the last event, which is in.  WIP: 42 - 2 days / 11; until 5: A 4, B 4, C 3, D 2, E 1 = 14 / 4; from 10 to 12: E 2, F 2, D 0, B 1, G 2, H 1 = 8 / 2.
SELECT since, until, throughput, arrivals, round(wip, 6) AS wip, reopened, backward_moves FROM vsm.metrics('flow', '-infinity', 'infinity');
SELECT since, until, throughput, arrivals, round(wip, 6) AS wip, reopened, backward_moves FROM vsm.metrics('flow', '-infinity', '2024-01-05');
SELECT since, until, throughput, arrivals, round(wip, 6) AS wip, reopened, backward_moves FROM vsm.metrics('flow', '2024-01-10', 'infinity');
-- By type.  Bugs: A, D, G; lead 6 7 7; cycle 5 6; WIP 6 + 7 + 6 = 19 / 12; active 8, waiting 3.
SELECT type, throughput, arrivals, round(wip, 6) AS wip, wip_now, started_wip_now, lead_time_avg, lead_time_p50, cycle_time_n, cycle_time_avg, cycle_time_p50, cycle_time_p70,
       round(flow_efficiency, 6) AS flow_efficiency, finished_never_started, reopened, backward_moves FROM vsm.metrics('flow', '2024-01-01', '2024-01-13', 'bug');
SELECT count(*) AS bugs FROM vsm.completions('flow', '2024-01-01', '2024-01-13', 'bug');
-- Windows without anything finished, before the first event, and without length.
SELECT throughput, arrivals, round(wip, 6) AS wip, lead_time_n, lead_time_avg, lead_time_p50, cycle_time_n, cycle_time_avg, cycle_time_p95, round(flow_efficiency, 6) AS flow_efficiency, finished_never_started, reopened, backward_moves
FROM vsm.metrics('flow', '2024-02-01', '2024-02-02');
SELECT throughput, arrivals, round(wip, 6) AS wip, wip_now FROM vsm.metrics('flow', '2023-01-01', '2023-02-01');
SELECT throughput, arrivals, round(wip, 6) AS wip, reopened FROM vsm.metrics('flow', '2024-01-07', '2024-01-07');
-- A stream without items.
SELECT name FROM vsm.define_stream('empty', '[{"name": "Open"}, {"name": "Done", "category": "done"}]');
SELECT throughput, arrivals, round(wip, 6) AS wip, wip_now, lead_time_n, lead_time_p50, flow_efficiency, reopened FROM vsm.metrics('empty', '2024-01-01', '2024-01-02');
SELECT throughput, arrivals, wip_now FROM vsm.metrics('empty', '-infinity', 'infinity');

-- Another commitment stage: A starts on 5, D and F on 9, the others never; F's Queue is before it.
UPDATE vsm.value_streams SET commitment_stage = 'Check' WHERE name = 'flow';
SELECT throughput, cycle_time_n, cycle_time_avg, round(flow_efficiency, 6) AS flow_efficiency, finished_never_started, started_wip_now FROM vsm.metrics('flow', '2024-01-01', '2024-01-13');
-- Streams do not mix.
SELECT name FROM vsm.define_stream('twin', '[{"name": "Inbox", "category": "wait"}, {"name": "Work"}, {"name": "Queue", "category": "wait"}, {"name": "Check"}, {"name": "Done", "category": "done"}]');
SELECT items FROM vsm.import_events('events', 'twin');
SELECT stream, throughput, arrivals, round(wip, 6) AS wip, cycle_time_n, reopened, backward_moves FROM vsm.metrics('twin', '2024-01-01', '2024-01-13');
SELECT stream, throughput, arrivals, round(wip, 6) AS wip, cycle_time_n, reopened, backward_moves FROM vsm.metrics('flow', '2024-01-01', '2024-01-13');
