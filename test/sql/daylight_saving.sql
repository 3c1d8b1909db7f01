-- Days, weeks and steps are cut in the stream's zone, daylight saving right, whatever the session's zone; durations are elapsed time.
SET TimeZone = 'America/New_York';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT name, time_zone FROM vsm.define_stream('berlin', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Done", "category": "done"}]', 'Europe/Berlin');
-- Times as the clocks in Berlin showed them.  31 March 2024 (a Sunday) had 23 hours, no 02:30; 27 October 25, with 02:30 twice, so those carry their offset.
CREATE TABLE events (case_id text, stage text, entered_at text);
INSERT INTO events VALUES
    ('P', 'Work', '2024-03-30 12:00'), ('P', 'Done', '2024-03-31 12:00'),
    ('Q', 'Work', '2024-03-31 00:00'), ('Q', 'Done', '2024-04-01 00:00'),
    ('R', 'Open', '2024-03-31 01:30'), ('R', 'Work', '2024-03-31 03:30'), ('R', 'Done', '2024-03-31 23:59:59.999999'),
    ('S', 'Work', '2024-10-26 12:00'), ('S', 'Done', '2024-10-27 12:00'),
    ('T', 'Work', '2024-10-27 00:00'), ('T', 'Done', '2024-10-28 00:00'),
    ('U', 'Open', '2024-10-27 02:30+02'), ('U', 'Work', '2024-10-27 02:30+01'), ('U', 'Done', '2024-10-27 23:59:59.999999');
SELECT * FROM vsm.import_events('events', 'berlin');
CREATE FUNCTION berlin(timestamptz) RETURNS text LANGUAGE sql RETURN ($1 AT TIME ZONE 'Europe/Berlin')::text || CASE WHEN extract(hour FROM $1 AT TIME ZONE 'UTC') = extract(hour FROM $1 AT TIME ZONE 'Europe/Berlin' - interval '2 hours') THEN '+02' ELSE '+01' END;
CREATE FUNCTION utc(timestamp) RETURNS timestamptz LANGUAGE sql RETURN $1 AT TIME ZONE 'Europe/Berlin';
CREATE FUNCTION place(text) RETURNS integer LANGUAGE sql RETURN (SELECT "order" FROM vsm.stages WHERE name = $1);

-- P, Q, R: 23, 23, 1 and 20.5 hours; S, T, U: 25, 25, 1 and 21.5 hours.
SELECT w.external_id, t.time_in_stage FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id WHERE from_stage_id IS NOT NULL ORDER BY w.external_id COLLATE "C", t."timestamp";
SELECT external_id, cycle_time, cycle_time_days FROM vsm.completions('berlin', '-infinity', 'infinity');
-- Days of the calendar in Berlin, whether they have 23, 24 or 25 hours; in UTC they end at other times.
SELECT c - s AS elapsed, vsm.cycle_time_days(s, c, 'Europe/Berlin') AS in_berlin, vsm.cycle_time_days(s, c) AS in_utc
FROM (VALUES (timestamptz '2024-03-30 23:59:59.999999+01', timestamptz '2024-03-31 00:00+01'), ('2024-03-31 00:00+01', '2024-03-31 23:59:59.999999+02'),
             ('2024-03-31 00:00+01', '2024-04-01 00:00+02'), ('2024-03-31 01:59+01', '2024-03-31 03:00+02'), ('2024-03-31 01:59+01', '2024-04-01 01:59+02'),
             ('2024-10-27 00:00+02', '2024-10-27 23:59:59.999999+01'), ('2024-10-27 00:00+02', '2024-10-28 00:00+01'),
             ('2024-10-27 02:30+02', '2024-10-27 02:30+01'), ('2024-10-26 23:59+02', '2024-10-28 00:00+01')) t (s, c);
SELECT stage, visits, avg, p50, p95 FROM vsm.time_in_stage('berlin', utc('2024-03-30'), utc('2024-04-02'));
SELECT stage, visits, avg, p50, p95 FROM vsm.time_in_stage('berlin', utc('2024-10-26'), utc('2024-10-29'));
-- Average WIP: P, Q, R are 23 + 23 + 21.5 of 71 hours (a microsecond less), S, T, U 25 + 25 + 22.5 of 73.
SELECT round(wip, 6) AS wip, round(67.5 / 71, 6) AS by_hand, throughput, cycle_time_avg FROM vsm.metrics('berlin', utc('2024-03-30'), utc('2024-04-02'));
SELECT round(wip, 6) AS wip, round(72.5 / 73, 6) AS by_hand, throughput, cycle_time_avg FROM vsm.metrics('berlin', utc('2024-10-26'), utc('2024-10-29'));
-- The same from UTC.
SET TimeZone = 'UTC';
SELECT round(wip, 6) AS wip, throughput, cycle_time_avg FROM vsm.metrics('berlin', utc('2024-10-26'), utc('2024-10-29'));
SELECT DISTINCT time_in_stage FROM vsm.stage_transitions WHERE from_stage_id = 2 ORDER BY 1;
SET TimeZone = 'America/New_York';

-- The day that ends with the change, and the week: Q is finished on Monday, 1 April at 00:00, T on Monday, 28 October.
SELECT * FROM vsm.throughput('berlin', utc('2024-03-30'), utc('2024-04-02'));
SELECT * FROM vsm.throughput('berlin', utc('2024-10-26'), utc('2024-10-29'));
SELECT * FROM vsm.throughput('berlin', utc('2024-03-25'), utc('2024-04-08'), 'week');
SELECT * FROM vsm.throughput('berlin', utc('2024-10-21'), utc('2024-11-04'), 'week');
SELECT * FROM vsm.throughput('berlin', utc('2024-03-01'), utc('2024-05-01'), 'month');
-- An end in the middle of a bucket, at the same instant in every zone.
SELECT * FROM vsm.throughput('berlin', '2024-03-31 00:00 Europe/Berlin', '2024-03-31 11:00 UTC');

-- Steps of a day meet midnight on both sides of the change.
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.occupancy('berlin', utc('2024-03-30'), utc('2024-04-02'), '1 day') GROUP BY at ORDER BY at;
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.cumulative_flow('berlin', utc('2024-03-30'), utc('2024-04-02'), '1 day') GROUP BY at ORDER BY at;
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.occupancy('berlin', utc('2024-10-26'), utc('2024-10-29'), '1 day') GROUP BY at ORDER BY at;
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.cumulative_flow('berlin', utc('2024-10-26'), utc('2024-10-29'), '1 day') GROUP BY at ORDER BY at;
-- Steps of an hour are 60 minutes: 3 of them until 04:00 in spring, 5 in autumn.
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.occupancy('berlin', utc('2024-03-31'), utc('2024-03-31 04:00'), '1 hour') GROUP BY at ORDER BY at;
SELECT berlin(at), string_agg(items::text, ' ' ORDER BY place(stage)) FROM vsm.occupancy('berlin', utc('2024-10-27'), utc('2024-10-27 04:00'), '1 hour') GROUP BY at ORDER BY at;
SELECT count(DISTINCT at) AS points FROM vsm.cumulative_flow('berlin', utc('2024-10-27'), utc('2024-10-28'), '1 hour');
SELECT count(DISTINCT at) AS points FROM vsm.cumulative_flow('berlin', utc('2024-03-31'), utc('2024-04-01'), '1 hour');
-- A step of 24 hours is no day: it misses midnight after the change.
SELECT DISTINCT berlin(at) FROM vsm.occupancy('berlin', utc('2024-03-30'), utc('2024-04-01'), '24 hours') ORDER BY 1;
-- The first point is since, and none lies beyond until, also at 02:30 on 27 October, the first one and the second.
SELECT DISTINCT berlin(at) FROM vsm.occupancy('berlin', '2024-10-27 02:30+02', utc('2024-10-29 02:30'), '1 day') ORDER BY 1;
SELECT DISTINCT berlin(at) FROM vsm.occupancy('berlin', '2024-10-27 02:30+01', utc('2024-10-29 02:30'), '1 day') ORDER BY 1;
SELECT bool_and(at <= '2024-10-27 02:30+02') AS none_beyond FROM vsm.occupancy('berlin', utc('2024-10-25 02:30'), '2024-10-27 02:30+02', '1 day');

-- Another zone on the same moves: New York changes on other days.
SELECT time_zone FROM vsm.define_stream('berlin', NULL, 'America/New_York');
SELECT * FROM vsm.throughput('berlin', '2024-03-30 00:00', '2024-04-01 00:00');
