-- vsm.throughput(): items finished per day, week and month, empty buckets with 0.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
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
