-- flow_balance, littles_law and process_behaviour, computed by hand.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- Open, started and their ages in days at each midnight: 2 Jan: A B; 3: A1 B C; 4: A2 B1 C D; 5: A3 B2 C D1 E; 6: A4 C D2 E G; 7: A5 D3 E1 G; 8: D4 E2 G;
-- 9: D5 F G (E done); 10: B7 D6 F1 (G done); 11: B8 E5 F2 G (D done); 12: E6 F3 G H1 (B done); 13: E7 F4 (G and H done).
SELECT * FROM vsm.flow_balance('flow', '2024-01-01', '2024-01-13');
-- Every bucket goes on where the one before has ended, and from an open(since) of metrics to its open(until).
SELECT bool_and(b.open - b.net = b.before AND b.net = b.arrivals + b.returns - b.departures - b.discarded) AS goes_on, min(m.open_at_until) = max(b.open) FILTER (WHERE b.last) AS ends
FROM (SELECT f.*, lag(f.open, 1, m.open_at_since) OVER (ORDER BY f.bucket) AS before, f.bucket = '2024-01-11' AS last
      FROM vsm.metrics('flow', '2024-01-04', '2024-01-12') m, vsm.flow_balance('flow', '2024-01-04', '2024-01-12') f) b, vsm.metrics('flow', '2024-01-04', '2024-01-12') m;
-- Weeks from Monday, the window cuts both: 3 to 7 and 8 to 12; months.
SELECT bucket, arrivals, departures, returns, net, open, started, total_age FROM vsm.flow_balance('flow', '2024-01-03', '2024-01-13', 'week');
SELECT bucket, arrivals, departures, returns, net, open FROM vsm.flow_balance('flow', '2023-12-31', '2024-02-02', 'month');
-- Bugs: A, D and G.
SELECT bucket, arrivals, departures, open, started, total_age FROM vsm.flow_balance('flow', '2024-01-05', '2024-01-07', 'day', 'bug');
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE external_id IN ('B', 'E');
SELECT bucket, arrivals, departures, returns, open, started, total_age FROM vsm.flow_balance('flow', '2024-01-08', '2024-01-12', attributes => '{"team": "red"}');
-- The end of a bucket is not in it, and a window of no length has one bucket, of nothing.
SELECT bucket, arrivals, open FROM vsm.flow_balance('flow', '2024-01-02', '2024-01-02 00:00:00.000001');
SELECT bucket, arrivals, open FROM vsm.flow_balance('flow', '2024-01-02', '2024-01-02');
-- The whole history, its last event included; its end is that event, so F has been at it since 9 Jan, and E since 6.
SELECT count(*), min(bucket), max(bucket), sum(arrivals) AS arrivals, sum(departures) AS departures FROM vsm.flow_balance('flow', '-infinity', 'infinity');
SELECT open, total_age FROM vsm.flow_balance('flow', '-infinity', 'infinity') WHERE bucket = '2024-01-12';

-- Nothing, one item, discarded and revived, all on one day.
SELECT name FROM vsm.define_stream('few', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Done", "category": "done"}, {"name": "Dropped", "category": "discarded"}]');
SELECT * FROM vsm.flow_balance('few', '2024-01-01', '2024-01-03');
SELECT count(*), sum(open) FROM vsm.flow_balance('few', '-infinity', 'infinity');
SELECT holds, sentence, fails FROM vsm.littles_law('few', '2024-01-01', '2024-01-03');
SELECT count(*), sum(value), round(min(mean), 2) AS mean, round(min(upper), 2) AS upper, min(signal) AS signal FROM vsm.process_behaviour('few', 'throughput', '2024-01-01', '2024-01-11');
SELECT count(*), min(value) AS value, min(mean) AS mean FROM vsm.process_behaviour('few', 'age', '2024-01-01', '2024-01-11');
CREATE VIEW few AS SELECT * FROM (VALUES ('X', 'Open', '2024-02-01 08:00'::timestamptz), ('X', 'Work', '2024-02-01 09:00'), ('X', 'Done', '2024-02-01 09:00'), ('X', 'Work', '2024-02-01 10:00'),
    ('Y', 'Work', '2024-02-01 08:00'), ('Y', 'Dropped', '2024-02-01 20:00'), ('Y', 'Open', '2024-02-02 06:00'), ('Z', 'Done', '2024-02-02 00:00')) v (case_id, stage, entered_at);
SELECT items, transitions FROM vsm.import_events('few', 'few');
-- 1 Feb: X is open, started 9:00; Y was discarded. 2 Feb: Y is back, started 8:00 the day before, so 40 hours by midnight, X 39; Z was never open.
SELECT * FROM vsm.flow_balance('few', '2024-02-01', '2024-02-03');
SELECT * FROM vsm.flow_balance('few', '2024-02-01 12:00', '2024-02-01 21:00');

-- Berlin: 31 March 2024 had 23 hours, 27 October 25.
SELECT name FROM vsm.define_stream('berlin', '[{"name": "Work"}, {"name": "Done", "category": "done"}]', 'Europe/Berlin');
CREATE VIEW berlin AS SELECT * FROM (VALUES ('P', 'Work', '2024-03-31 00:00 Europe/Berlin'::timestamptz), ('Q', 'Work', '2024-03-31 23:30 Europe/Berlin'), ('Q', 'Done', '2024-04-01 00:00 Europe/Berlin'),
    ('P', 'Done', '2024-10-26 00:00 Europe/Berlin'), ('R', 'Work', '2024-10-27 00:00 Europe/Berlin'), ('R', 'Done', '2024-10-28 00:00 Europe/Berlin')) v (case_id, stage, entered_at);
SELECT items FROM vsm.import_events('berlin', 'berlin');
SET TimeZone = 'America/New_York';
SELECT bucket, arrivals, departures, open, total_age FROM vsm.flow_balance('berlin', '2024-03-30 Europe/Berlin', '2024-04-02 Europe/Berlin');
SELECT bucket, arrivals, departures, open, total_age FROM vsm.flow_balance('berlin', '2024-10-26 Europe/Berlin', '2024-10-29 Europe/Berlin');
SELECT at AT TIME ZONE 'Europe/Berlin' AS at, round(value, 2) AS value FROM vsm.process_behaviour('berlin', 'total_age', '2024-03-30 Europe/Berlin', '2024-04-02 Europe/Berlin');
SET TimeZone = 'UTC';
-- Havana sets its clocks back from 1:00 to 0:00, so midnight comes twice; the later one begins the day, for windows and buckets alike.
SELECT name FROM vsm.define_stream('havana', '[{"name": "Work"}, {"name": "Done", "category": "done"}]', 'America/Havana');
CREATE VIEW havana AS SELECT * FROM (VALUES ('H', 'Work', '2024-11-03 04:30+00'::timestamptz), ('I', 'Work', '2024-11-03 05:30+00')) v (case_id, stage, entered_at);
SELECT items FROM vsm.import_events('havana', 'havana');
SELECT bucket, arrivals, open FROM vsm.flow_balance('havana', '2024-11-03 04:30+00', '2024-11-04 00:00 America/Havana');
SELECT bucket, arrivals, open FROM vsm.flow_balance('havana', '2024-11-03 00:00 America/Havana', '2024-11-04 00:00 America/Havana');

SELECT count(*) AS moves FROM vsm.work_items w, LATERAL vsm.transition(w.id, 'Done', w.created_at + interval '10 minutes') WHERE w.stream = 'havana';
SELECT (vsm.set_sle('havana', '1 hour', 0.5, since => '2024-01-01')).probability;
SELECT b.bucket, b.departures, t.items AS throughput, s.items AS judged, d.deployments, m.throughput AS of_day
FROM vsm.flow_balance('havana', '2024-11-02 00:00 America/Havana', '2024-11-05 00:00 America/Havana') b
JOIN vsm.throughput('havana', '2024-11-02 00:00 America/Havana', '2024-11-05 00:00 America/Havana') t USING (bucket)
JOIN vsm.sle_conformance('havana', '2024-11-02 00:00 America/Havana', '2024-11-05 00:00 America/Havana', 'day') s USING (bucket)
JOIN vsm.dora('havana', '2024-11-02 00:00 America/Havana', '2024-11-05 00:00 America/Havana', 'day') d USING (bucket)
CROSS JOIN LATERAL vsm.metrics('havana', b.bucket::timestamp AT TIME ZONE 'America/Havana', (b.bucket + 1)::timestamp AT TIME ZONE 'America/Havana') m;

-- Little's Law.  Steady: one item is started at each midnight, and takes two days: 2 / 1 a day = 2 days.
SELECT name FROM vsm.define_stream('steady', '[{"name": "Work"}, {"name": "Done", "category": "done"}]');
CREATE VIEW steady AS SELECT d::text AS case_id, s AS stage, timestamptz '2024-01-01' + (d + CASE s WHEN 'Done' THEN 2 ELSE 0 END) * interval '1 day' AS entered_at
    FROM generate_series(0, 29) d, unnest('{Work,Done}'::text[]) s;
SELECT items FROM vsm.import_events('steady', 'steady');
SELECT holds, sentence, cycle_time, expected_cycle_time, started_wip, finished, throughput_per_day, starts, ends, started_at_since, started_at_until, age_at_since, age_at_until, fails
FROM vsm.littles_law('steady', '2024-01-11', '2024-01-21');
-- With an item that is never finished only the ages differ: (1 + 2 + 10) / 3 and (1 + 2 + 20) / 3.
SELECT id AS stuck FROM vsm.create_work_item('stuck', 'task', 'steady', NULL, '2024-01-01') \gset
SELECT holds, sentence, fails, age_at_since, age_at_until FROM vsm.littles_law('steady', '2024-01-11', '2024-01-21');
SELECT holds, fails FROM vsm.littles_law('steady', '2024-01-11', '2024-01-21', tolerance => 0.44);
-- 100 items that began long ago, so that two more of them do not count: 12 are started and 10 finished.
CREATE VIEW crowd AS SELECT 'C' || n AS case_id, 'Work' AS stage, timestamptz '2020-01-01' AS entered_at FROM generate_series(1, 100) n
    UNION ALL SELECT 'L' || n, 'Work', timestamptz '2024-01-15' FROM generate_series(1, 2) n;
SELECT items FROM vsm.import_events('crowd', 'steady');
SELECT holds, sentence, fails FROM vsm.littles_law('steady', '2024-01-11', '2024-01-21');
-- The first days: nothing had started, so the number of items fails with what went in and out.
SELECT holds, sentence, starts, ends FROM vsm.littles_law('flow', '2024-01-01', '2024-01-13');
SELECT reopen_rule, cycle_time, expected_cycle_time FROM vsm.littles_law('flow', '2024-01-01', '2024-01-13', reopen_rule => 'sum_active');
-- Rates of few items are told with more digits.
SELECT sentence FROM vsm.littles_law('flow', '2023-07-01', '2024-07-01');
SELECT holds, fails, tolerance FROM vsm.littles_law('flow', '2024-01-01', '2024-01-13', 'bug', tolerance => 1);

-- Process behaviour.  Items finished per day; the first six days are the baseline: mean 5, ranges 2 1 2 4 2, so 5 +- 2.66 x 2.2 = 10.852 and below 0;
-- nearer to a limit than to the mean above 7.926 and below 2.074.  Day 7 is beyond the limit; days 10 and 11 are the third near one of four; days 10 to 18 are above
-- the mean, the eighth in a row is day 17; day 22 is the third of four near the lower limit.
SELECT name FROM vsm.define_stream('counts', '[{"name": "Work"}, {"name": "Done", "category": "done"}]');
CREATE VIEW counts AS SELECT c.d || '.' || i AS case_id, s AS stage, timestamptz '2024-01-01' + (c.d - 1) * interval '1 day' + CASE s WHEN 'Done' THEN i ELSE 0 END * interval '1 hour' AS entered_at
    FROM unnest('{4,6,5,7,3,5,11,9,5,9,8,6,6,6,6,6,6,6,4,2,1,2}'::integer[]) WITH ORDINALITY c (n, d), generate_series(1, c.n) i, unnest('{Work,Done}'::text[]) s;
SELECT items FROM vsm.import_events('counts', 'counts');
SELECT extract(day FROM at) AS day, value, round(mean, 4) AS mean, round(lower, 4) AS lower, round(upper, 4) AS upper, signal, moving_range
FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01', '2024-01-23', baseline_until => '2024-01-07');
-- The same from a window after the baseline.
SELECT extract(day FROM at) AS day, value, round(mean, 4) AS mean, round(upper, 4) AS upper, signal
FROM vsm.process_behaviour('counts', 'throughput', '2024-01-07', '2024-01-12', baseline_since => '2024-01-01', baseline_until => '2024-01-07');
-- Without another baseline, the window is its own: mean 123 / 22, ranges 36 / 21.
SELECT DISTINCT round(mean, 6) AS mean, round(123 / 22.0, 6) AS by_hand, round(upper - mean, 6) = round(2.66 * 36 / 21, 6) AS limits FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01', '2024-01-23');
-- A moving baseline of 3 points: of day 4, 4 6 5 with ranges 2 1; of day 7, 7 3 5 with 4 2: 5 +- 7.98.
SELECT extract(day FROM at) AS day, value, round(mean, 4) AS mean, round(lower, 4) AS lower, round(upper, 4) AS upper, signal
FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01', '2024-01-09', moving => 3);
SELECT extract(day FROM at) AS day, round(mean, 4) AS mean FROM vsm.process_behaviour('counts', 'throughput', '2024-01-04', '2024-01-06', baseline_since => '2024-01-01', moving => 3);
-- A bucket that the window cuts is shown, and counts for nothing; 5 Jan has 3 items, of which one was finished by 1:30.
SELECT extract(day FROM at) AS day, value, round(mean, 4) AS mean, moving_range FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01 02:30', '2024-01-05 01:30');
-- One value has no range, and a day that is not over does not count.
SELECT value, mean, lower, upper, signal FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01', '2024-01-02');
SELECT count(*), count(mean), count(signal) FROM vsm.process_behaviour('counts', 'throughput', date_trunc('day', now()), 'infinity');
-- Cycle times: item by item, 120 144 192 24 hours, ranges 24 48 168, 120 + 2.66 x 80; per day the average of the items, none where none was finished.
SELECT at, round(value, 2) AS value, round(mean, 4) AS mean, round(lower, 4) AS lower, round(upper, 4) AS upper, round(moving_range, 2) AS moving_range
FROM vsm.process_behaviour('flow', 'cycle_time', '2024-01-01', '2024-01-13', 'item');
SELECT at, round(value, 2) AS value FROM vsm.process_behaviour('flow', 'cycle_time', '2024-01-01', '2024-01-13', 'week');
SELECT at, round(value, 2) AS value FROM vsm.process_behaviour('flow', 'cycle_time', '2024-01-01', '2024-01-13', 'week', reopen_rule => 'episodes');
SELECT extract(day FROM at) AS day, round(value, 2) AS value FROM vsm.process_behaviour('flow', 'cycle_time', '2024-01-10', '2024-01-13');
-- The others at the end of each day, as above.
SELECT w.at::date, w.value AS wip, s.value AS started, round(a.value, 2) AS age, round(t.value, 2) AS total_age
FROM vsm.process_behaviour('flow', 'wip', '2024-01-01', '2024-01-13') w JOIN vsm.process_behaviour('flow', 'started_wip', '2024-01-01', '2024-01-13') s USING (at)
JOIN vsm.process_behaviour('flow', 'age', '2024-01-01', '2024-01-13') a USING (at) JOIN vsm.process_behaviour('flow', 'total_age', '2024-01-01', '2024-01-13') t USING (at) ORDER BY 1;

-- Ninths of an hour have no last digit: eight values of 4/9 and forty more whose mean that is too lie on no side of it.
SELECT name FROM vsm.define_stream('ninths', '[{"name": "Work"}, {"name": "Done", "category": "done"}]');
CREATE VIEW ninths AS SELECT d::text AS case_id, s AS stage,
    timestamptz '2024-01-01' + d * interval '1 day' + CASE s WHEN 'Done' THEN (CASE WHEN d < 8 THEN 4 WHEN d % 5 < 4 THEN 5 ELSE 0 END) * interval '400 s' ELSE '0' END AS entered_at
    FROM generate_series(0, 47) d, unnest('{Work,Done}'::text[]) s;
SELECT items FROM vsm.import_events('ninths', 'ninths');
SELECT value = mean AS equal, round(value - mean, 12) AS apart, signal, count(*) FROM vsm.process_behaviour('ninths', 'cycle_time', '2024-01-01', '2024-02-18') WHERE at < '2024-01-09' GROUP BY 1, 2, 3;

-- Nothing ages in days to come.
SELECT name FROM vsm.define_stream('young', '[{"name": "Work"}, {"name": "Done", "category": "done"}]');
SELECT (vsm.create_work_item('young', 'task', 'young', at => now() - interval '1 hour')).id > 0 AS made;
SELECT age_at_until BETWEEN '1 hour' AND '2 hours' AS of_now, started_at_until FROM vsm.littles_law('young', now() - interval '1 day', now() + interval '10 days');
SELECT bool_and(age_at_since BETWEEN '1 hour' AND '2 hours' AND age_at_until BETWEEN '1 hour' AND '2 hours') AS of_now FROM vsm.littles_law('young', now() + interval '1 day', now() + interval '10 days');
SELECT bool_and(total_age BETWEEN '1 hour' AND '2 hours') AS of_now FROM vsm.flow_balance('young', now() - interval '10 minutes', now() + interval '3 days');
SELECT bool_and(value BETWEEN 1 AND 2) AS of_now FROM unnest('{age,total_age}'::text[]) f, vsm.process_behaviour('young', f, now() - interval '10 minutes', now() + interval '3 days');
SELECT open_avg BETWEEN '1 hour' AND '2 hours' AS of_now FROM unnest('{t,f}'::boolean[]) k, vsm.time_in_stage('young', now() - interval '1 day', now() + interval '30 days', known_at => CASE WHEN k THEN now() END) WHERE stage = 'Work';

-- The same by cells, and as it is known now.
CREATE TABLE told AS SELECT * FROM vsm.flow_balance('flow', '2024-01-01', '2024-01-13');
SELECT count(*) FROM vsm.fold();
SELECT bool_and(days_folded > 0) AS folded FROM vsm.fold('counts');
SELECT bool_and(days_folded > 0) AS folded FROM vsm.fold('flow');
SELECT * FROM vsm.flow_balance('flow', '2024-01-01', '2024-01-13') EXCEPT ALL SELECT * FROM told;
SELECT * FROM vsm.flow_balance('flow', '2024-01-01', '2024-01-13', known_at => now()) EXCEPT ALL SELECT * FROM told;
SELECT extract(day FROM at) AS day, value, signal FROM vsm.process_behaviour('counts', 'throughput', '2024-01-01', '2024-01-23', baseline_until => '2024-01-07') WHERE signal IS NOT NULL;

-- What cannot be.
SELECT vsm.flow_balance('nowhere');
SELECT vsm.flow_balance('flow', '2024-01-02', '2024-01-01');
SELECT vsm.flow_balance('flow', '2024-01-01', '2024-01-02', 'hour');
SELECT vsm.flow_balance('flow', '0200-01-01', '2024-01-02');
SELECT vsm.flow_balance('flow', type => 'nonsense');
SELECT vsm.littles_law('nowhere');
SELECT vsm.littles_law('flow', tolerance => 1.1);
SELECT vsm.littles_law('flow', reopen_rule => 'nonsense');
SELECT vsm.process_behaviour('nowhere');
SELECT vsm.process_behaviour('flow', 'speed');
SELECT vsm.process_behaviour('flow', NULL);
SELECT vsm.process_behaviour('flow', 'wip', bucket => 'item');
SELECT vsm.process_behaviour('flow', 'wip', bucket => 'hour');
SELECT vsm.process_behaviour('flow', moving => 1);
SELECT vsm.process_behaviour('flow', moving => 5, baseline_until => '2024-01-01');
SELECT vsm.process_behaviour('flow', 'wip', '2024-01-01', '2024-01-13', baseline_until => '2024-01-14');
SELECT vsm.process_behaviour('flow', 'wip', '2024-01-01', '2024-01-13', baseline_until => '2023-12-31');
\echo :LAST_ERROR_SQLSTATE
