-- What is expected of items, what became of it, and how those in progress stand beside the finished ones.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT vsm.define_stream('s', '[{"name":"Backlog","category":"wait"},{"name":"Dev"},{"name":"Review","category":"wait"},{"name":"Test"},{"name":"Done","category":"done"},{"name":"Dropped","category":"discarded"}]') \g /dev/null
CREATE TEMP TABLE log (case_id text, stage text, entered_at timestamptz, type text);

-- Nothing has happened, and nothing is expected.
SELECT * FROM vsm.stage_pace('s', '2026-01-01', '2026-02-01');
SELECT * FROM vsm.sle_conformance('s', '2026-01-01', '2026-02-01');
SELECT * FROM vsm.work_item_age('s');

-- One item: A starts on the 2nd, leaves Dev at 2 days, Review at 3, Test at 4.
INSERT INTO log VALUES ('A', 'Backlog', '2026-01-01', 'task'), ('A', 'Dev', '2026-01-02', 'task'), ('A', 'Review', '2026-01-04', 'task'),
    ('A', 'Test', '2026-01-05', 'task'), ('A', 'Done', '2026-01-06', 'task');
SELECT vsm.import_events('log', 's') \g /dev/null
SELECT * FROM vsm.stage_pace('s', '2026-01-01', '2026-02-01');
SELECT items, within, share, unjudged FROM vsm.sle_conformance('s', '2026-01-01', '2026-02-01');
SELECT * FROM vsm.set_sle('s', '5 days', 0.85, since => '2026-01-01');
SELECT items, within, share, unjudged, elapsed, probability FROM vsm.sle_conformance('s', '2026-01-01', '2026-02-01');

-- B goes back: it leaves Dev at 1 day and at 6, which counts; Review at 3, Test at 10, which is too long.  C never starts.  D
-- does all at one instant: it leaves each stage at 0.  E is reopened on the 14th, and F dropped.
INSERT INTO log VALUES ('B', 'Backlog', '2026-01-01', 'bug'), ('B', 'Dev', '2026-01-02', 'bug'), ('B', 'Review', '2026-01-03', 'bug'), ('B', 'Dev', '2026-01-05', 'bug'),
    ('B', 'Test', '2026-01-08', 'bug'), ('B', 'Done', '2026-01-12', 'bug'), ('C', 'Backlog', '2026-01-01', 'task'), ('C', 'Done', '2026-01-03', 'task'),
    ('D', 'Backlog', '2026-01-07', 'task'), ('D', 'Dev', '2026-01-07', 'task'), ('D', 'Test', '2026-01-07', 'task'), ('D', 'Done', '2026-01-07', 'task'),
    ('E', 'Backlog', '2026-01-05', 'task'), ('E', 'Dev', '2026-01-06', 'task'), ('E', 'Test', '2026-01-07', 'task'), ('E', 'Done', '2026-01-09', 'task'),
    ('E', 'Dev', '2026-01-14', 'task'), ('F', 'Backlog', '2026-01-01', 'task'), ('F', 'Dev', '2026-01-02', 'task'), ('F', 'Dropped', '2026-01-03', 'task'),
    ('G', 'Backlog', '2026-01-05', 'bug'), ('G', 'Dev', '2026-01-08', 'bug'), ('H', 'Backlog', '2026-01-05', 'task');
SELECT vsm.import_events('log', 's') \g /dev/null
SELECT * FROM vsm.stage_pace('s', '2026-01-01', '2026-02-01');
SELECT stage, n, p50, p95 FROM vsm.stage_pace('s', '2026-01-01', '2026-02-01', 'bug');

-- Before it was reopened, E was finished; later moves do not change that.
SELECT stage, n, p50, p95 FROM vsm.stage_pace('s', '2026-01-01', '2026-01-14');
SELECT items, within, round(share, 4) AS share, unjudged FROM vsm.sle_conformance('s', '2026-01-01', '2026-01-14');
SELECT bucket, items, within, round(share, 4) AS share, unjudged FROM vsm.sle_conformance('s', '2026-01-01', '2026-01-14', 'week');
SELECT items, within, unjudged FROM vsm.sle_conformance('s', '2026-01-01', '2026-02-01');
SELECT items, within, unjudged FROM vsm.sle_conformance('s', '2026-01-01', '2026-02-01', reopen_rule => 'episodes');

-- Bugs have an expectation of their own from the 12th on, the day on which B is finished; the stream another from the 7th on.
SELECT vsm.set_sle('s', '10 days', 0.7, 'bug', '2026-01-12'), vsm.set_sle('s', '1 hour', 0.5, since => '2026-01-07') \g /dev/null
SELECT bucket, items, within, unjudged, elapsed, probability FROM vsm.sle_conformance('s', '2026-01-05', '2026-01-14', 'day');
SELECT items, within, elapsed, probability FROM vsm.sle_conformance('s', '2026-01-01', '2026-01-14', type => 'bug');
-- a day on which it was set before is set anew
SELECT * FROM vsm.set_sle('s', '9 days', 0.7, 'bug', '2026-01-12');
SELECT items, within FROM vsm.sle_conformance('s', '2026-01-01', '2026-01-14', type => 'bug');
DELETE FROM vsm.sles WHERE type = 'bug' OR since = '2026-01-07';

-- On the 13th G is 5 days old, in Dev.  A, D and E had left it at 2, 0 and 1 days, B at 6: three of four were faster.  Of A, B, D and E,
-- only B had got as old as that, and missed 5 days.  With 12 days of history it is the same, with 6 A is gone.
SELECT work_item_id, stage, age, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', at => '2026-01-13');
SELECT work_item_id, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', at => '2026-01-13', history_days => 6);
-- among bugs
SELECT work_item_id, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', 'bug', '2026-01-13');
-- on the 10th it is 2 days old: A, with 4, and E, with 3, had got as old and met it; at the very age of one that left, that one was not faster
SELECT work_item_id, age, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', at => '2026-01-10');
-- the type's own expectation compares with its type
SELECT vsm.set_sle('s', '12 days', 0.7, 'bug', '2026-01-12') \g /dev/null
SELECT work_item_id, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', at => '2026-01-13');
-- as it was known, now
SELECT work_item_id, round(pace, 4) AS pace, round(risk, 4) AS risk FROM vsm.work_item_age('s', at => '2026-01-13', known_at => clock_timestamp());

-- The day belongs to the stream's zone: in Berlin, on the 29th of March, clocks go on an hour, and a cycle time of "1 day" is 24 hours.
SELECT vsm.define_stream('berlin', '[{"name":"Dev"},{"name":"Done","category":"done"}]', time_zone => 'Europe/Berlin') \g /dev/null
TRUNCATE log;
INSERT INTO log VALUES ('one', 'Dev', '2026-03-28 12:00 Europe/Berlin', 'task'), ('one', 'Done', '2026-03-29 13:00 Europe/Berlin', 'task'),
    ('two', 'Dev', '2026-03-28 12:00 Europe/Berlin', 'task'), ('two', 'Done', '2026-03-29 13:00:01 Europe/Berlin', 'task'),
    ('three', 'Dev', '2026-03-29 23:00 Europe/Berlin', 'task'), ('three', 'Done', '2026-03-29 23:59:59 Europe/Berlin', 'task'),
    ('four', 'Dev', '2026-03-29 23:00 Europe/Berlin', 'task'), ('four', 'Done', '2026-03-30 00:00 Europe/Berlin', 'task');
SELECT vsm.import_events('log', 'berlin') \g /dev/null
SELECT vsm.set_sle('berlin', '1 day', 0.9, since => '2026-03-29'), vsm.set_sle('berlin', '59 minutes', 0.9, since => '2026-03-30') \g /dev/null
SELECT bucket, items, within, elapsed FROM vsm.sle_conformance('berlin', '2026-03-28 Europe/Berlin', '2026-03-31 Europe/Berlin', 'day');

-- Names change, and what is expected goes with them.
UPDATE vsm.work_item_types SET name = 'defect' WHERE name = 'bug';
UPDATE vsm.value_streams SET name = 'renamed' WHERE name = 'berlin';
SELECT * FROM vsm.sles ORDER BY stream, type NULLS FIRST, since;
DELETE FROM vsm.work_items WHERE stream = 'renamed';
DELETE FROM vsm.value_streams WHERE name = 'renamed';
SELECT count(*) FROM vsm.sles WHERE stream IN ('berlin', 'renamed');

-- Refused.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT vsm.set_sle('nope', '5 days', 0.85);
SELECT vsm.set_sle('s', '5 days', 0.85, 'nope');
SELECT vsm.set_sle('s', '0', 0.85);
SELECT vsm.set_sle('s', '-1 day', 0.85);
SELECT vsm.set_sle('s', '36501 days', 0.85);
SELECT vsm.set_sle('s', NULL, 0.85);
SELECT vsm.set_sle('s', '5 days', 0);
SELECT vsm.set_sle('s', '5 days', 85);
SELECT vsm.set_sle('s', '5 days', 'NaN');
SELECT vsm.set_sle('s', '5 days', NULL);
SELECT vsm.set_sle('s', '5 days', 0.85, since => '1969-12-31');
SELECT vsm.set_sle('s', '5 days', 0.85, since => 'infinity');
SELECT vsm.sle_conformance('s', bucket => 'hour');
SELECT vsm.sle_conformance('s', '2026-02-01', '2026-01-01');
SELECT vsm.stage_pace('nope');
SELECT vsm.stage_pace('s', NULL, '2026-01-01');
SELECT vsm.work_item_age('s', history_days => -1);
SELECT count(*) AS items, count(age) AS aged, count(pace) AS paces, count(risk) AS risks FROM vsm.work_item_age('s', at => '2026-01-13', history_days => 0);
SELECT vsm.work_item_age('s', history_days => NULL);
-- there are no days before the first one of all
SELECT count(*) FROM vsm.work_item_age('s', at => '4712-01-01 00:00+00 BC', history_days => 3653);
-- Taken, but hardly what was meant.
BEGIN;
SELECT elapsed FROM vsm.set_sle('s', '10', 0.85);
SELECT elapsed FROM vsm.set_sle('s', '1 minute', 0.85);
ROLLBACK;

-- What an expectation is of is there, whoever writes it; only a restore brings expectations before streams and types.
INSERT INTO vsm.sles (stream, type, since, elapsed, probability) VALUES ('nowhere', NULL, '2026-01-01', '5 days', 0.8);
INSERT INTO vsm.sles (stream, type, since, elapsed, probability) SELECT min(v.name), 'nothing', '2026-01-01', '5 days', 0.8 FROM vsm.value_streams v;
SET check_function_bodies = off;
INSERT INTO vsm.sles (stream, type, since, elapsed, probability) VALUES ('nowhere', 'nothing', '2026-01-01', '5 days', 0.8);
RESET check_function_bodies;
SELECT e.stream, e.type FROM vsm.sles e WHERE e.stream = 'nowhere';
