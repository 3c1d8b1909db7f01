-- vsm.throughput(): items finished per day, week and month, empty buckets with 0.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- C on 6, A on 7, D on 10, B on 11 (its latest), G and H on 12.
SELECT * FROM vsm.throughput('flow', '2024-01-05', '2024-01-13');
-- Half-open, and cut within the day: G and H finish on 12 at 00:00.
SELECT * FROM vsm.throughput('flow', '2024-01-11', '2024-01-12');
SELECT * FROM vsm.throughput('flow', '2024-01-11 00:00:00.000001', '2024-01-12 00:00:00.000001');
-- Weeks begin on Monday (1 and 8 January 2024).
SELECT * FROM vsm.throughput('flow', '2023-12-30', '2024-01-20', 'week');
SELECT * FROM vsm.throughput('flow', '2023-11-15', '2024-02-02', 'month');
SELECT * FROM vsm.throughput('flow', '-infinity', 'infinity', 'month');
SELECT min(bucket), max(bucket), count(*), sum(items) FROM vsm.throughput('flow', '-infinity', 'infinity', 'day');
SELECT * FROM vsm.throughput('flow', '2024-01-06', '2024-01-13', 'week', 'bug');
SELECT * FROM vsm.throughput('flow', '2025-01-01', '2025-01-03');
-- By completion where the stream counts episodes: B on 5, E on 8, G on 9 as well.
UPDATE vsm.value_streams SET reopen_rule = 'episodes';
SELECT * FROM vsm.throughput('flow', '2024-01-05', '2024-01-13');
SELECT sum(items) FROM vsm.throughput('flow', '2024-01-05', '2024-01-13', 'week');
