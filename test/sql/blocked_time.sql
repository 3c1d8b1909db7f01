-- Blocks of work items, how long they lasted, why and where.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\set SHOW_CONTEXT never
SELECT vsm.define_stream('s', '[{"name":"Backlog","category":"wait"},{"name":"Dev"},{"name":"Review","category":"wait"},{"name":"Test"},{"name":"Done","category":"done"}]') \g /dev/null
SELECT * FROM vsm.blocked_time('s', '2026-01-01', '2026-02-01');
CREATE TEMP TABLE log (case_id text, stage text, entered_at timestamptz);
INSERT INTO log VALUES ('A', 'Backlog', '2026-01-01'), ('A', 'Dev', '2026-01-02'), ('A', 'Review', '2026-01-04'), ('A', 'Test', '2026-01-05'), ('A', 'Done', '2026-01-06'),
    ('B', 'Backlog', '2026-01-01'), ('B', 'Dev', '2026-01-03'), ('B', 'Done', '2026-01-07'), ('B', 'Dev', '2026-01-10'), ('B', 'Done', '2026-01-12'),
    ('C', 'Backlog', '2026-01-01'), ('D', 'Backlog', '2026-01-05'), ('D', 'Dev', '2026-01-08');
SELECT vsm.import_events('log', 's') \g /dev/null
SELECT id AS a FROM vsm.work_items WHERE external_id = 'A' \gset
SELECT id AS b FROM vsm.work_items WHERE external_id = 'B' \gset
SELECT id AS c FROM vsm.work_items WHERE external_id = 'C' \gset
SELECT id AS d FROM vsm.work_items WHERE external_id = 'D' \gset

-- A is blocked before it starts (12 hours that do not count), a day in Dev, a day in Review, and half a day in Test.
SELECT reason, blocked_at, unblocked_at, blocked_by = current_user AS by_me, unblocked_by FROM vsm.block(:a, 'supplier', '2026-01-01 12:00');
SELECT reason, blocked_at, unblocked_at, unblocked_by = current_user AS by_me FROM vsm.unblock(:a, '2026-01-02');
SELECT vsm.block(:a, 'supplier', '2026-01-03'), vsm.unblock(:a, '2026-01-05 12:00') \g /dev/null
SELECT * FROM vsm.blocked_time('s', '2026-01-01', '2026-02-01');
-- the window cuts it: half a day of Dev is in it, and what happens later is not
SELECT * FROM vsm.blocked_time('s', '2026-01-03 12:00', '2026-01-04 06:00');

-- B is finished while it is blocked, which ends nothing, but does not count: 2 days before, and 1 after it was reopened.
SELECT vsm.block(:b, 'decision', '2026-01-05') \g /dev/null
SELECT vsm.unblock(:b, '2026-01-11') \g /dev/null
SELECT * FROM vsm.blocked_time('s', '2026-01-05 12:00', '2026-02-01');
SELECT * FROM vsm.blocked_time('s', '2026-01-06', '2026-01-09');
-- C has not started
SELECT vsm.block(:c, 'budget', '2026-01-02') \g /dev/null
-- D is blocked to this day: 2 days up to the end of the window, then 5
SELECT vsm.block(:d, 'supplier', '2026-01-10') \g /dev/null
SELECT stage, reason, spells, items, blocked FROM vsm.blocked_time('s', '2026-01-09', '2026-01-12');
SELECT sum(blocked) AS d_only FROM vsm.blocked_time('s', '2026-01-12', '2026-01-17');
SELECT blocked BETWEEN interval '-1 minute' AND interval '1 minute' AS up_to_now FROM (SELECT b.blocked - (now() - timestamptz '2026-01-12') AS blocked FROM vsm.blocked_time('s', '2026-01-12', 'infinity') b) b;
SELECT work_item_id = :d AS is_d, stage, age, blocked, age - blocked AS age_without, block_reason FROM vsm.work_item_age('s', at => '2026-01-13');
-- before it was blocked, and at that very instant
SELECT block_reason, blocked FROM vsm.work_item_age('s', at => '2026-01-09 23:00') WHERE work_item_id = :d;
SELECT block_reason, blocked FROM vsm.work_item_age('s', at => '2026-01-10') WHERE work_item_id = :d;

-- Active time of A is 3 days of 4, of which 1 + 0.5 were blocked; of B 6 of 6, of which 3 were.
SELECT round(vsm.flow_efficiency('s', '2026-01-01', '2026-01-07'), 4) AS with_blocked, round(vsm.flow_efficiency('s', '2026-01-01', '2026-01-07', blocked_waits => true), 4) AS blocked_waits;
SELECT round(vsm.flow_efficiency('s', '2026-01-01', '2026-02-01'), 4) AS with_blocked, round(vsm.flow_efficiency('s', '2026-01-01', '2026-02-01', blocked_waits => true), 4) AS blocked_waits;
SELECT vsm.flow_efficiency('s', '2025-01-01', '2025-02-01', blocked_waits => true);

-- Type and attributes.
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE id = :a;
SELECT stage, spells, blocked FROM vsm.blocked_time('s', '2026-01-01', '2026-01-10', attributes => '{"team": "red"}');
SELECT count(*) FROM vsm.blocked_time('s', '2026-01-01', '2026-01-10', 'bug');

-- As it was known: an end that was recorded later was not known, nor a block.
SELECT clock_timestamp() AS then \gset
SELECT vsm.unblock(:d, '2026-01-14') \g /dev/null
SELECT vsm.block(:d, 'later', '2026-01-14') \g /dev/null
SELECT stage, reason, blocked FROM vsm.blocked_time('s', '2026-01-12', '2026-01-17');
SELECT stage, reason, blocked FROM vsm.blocked_time('s', '2026-01-12', '2026-01-17', known_at => :'then');

-- Corrected like rows of any table.
UPDATE vsm.blocks SET reason = 'machine', unblocked_at = '2026-01-16' WHERE work_item_id = :d AND reason = 'later';
INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at) VALUES (:d, 'forgotten', '2026-01-08 06:00', '2026-01-08 18:00');
SELECT reason, blocked_at, unblocked_at, recorded_at IS NOT NULL AS recorded, end_recorded_at IS NOT NULL AS end_recorded FROM vsm.blocks WHERE work_item_id = :d ORDER BY blocked_at;
DELETE FROM vsm.blocks WHERE reason = 'forgotten';
UPDATE vsm.blocks SET unblocked_at = NULL WHERE reason = 'machine';
SELECT unblocked_at, unblocked_by, end_recorded_at FROM vsm.blocks WHERE reason = 'machine';

-- Refused.
SELECT vsm.block(99999, 'x');
SELECT vsm.block(NULL, 'x');
SELECT vsm.block(:d, 'x', '2026-01-17');
SELECT vsm.block(:d, 'x', '2026-01-12');
SELECT vsm.block(:c, NULL);
SELECT vsm.block(:a, ' ', '2026-01-02');
SELECT vsm.block(:a, repeat('x', 501), '2026-01-02');
SELECT vsm.block(:a, 'x', '2025-12-31');
SELECT vsm.block(:a, 'x', '1969-12-31');
SELECT vsm.block(:a, 'x', 'infinity');
SELECT vsm.block(:a, 'x', '2026-01-07');
SELECT vsm.unblock(:a);
SELECT vsm.unblock(99999);
SELECT vsm.unblock(:d, '2026-01-13');
UPDATE vsm.blocks SET work_item_id = :a WHERE reason = 'machine';
UPDATE vsm.blocks SET recorded_at = now() WHERE reason = 'machine';
UPDATE vsm.blocks SET blocked_at = '2026-01-12' WHERE reason = 'machine';
SELECT vsm.blocked_time('nope');
SELECT vsm.blocked_time('s', type => 'nope');
SELECT vsm.blocked_time('s', '2026-02-01', '2026-01-01');
\set VERBOSITY sqlstate
SELECT vsm.block(:c, 'x', clock_timestamp() + interval '6 minutes');
\set VERBOSITY default

-- A deleted item takes its blocks with it, and so does TRUNCATE.
DELETE FROM vsm.work_items WHERE id = :d;
SELECT count(*) FROM vsm.blocks WHERE work_item_id = :d;
BEGIN;
SAVEPOINT before;
DELETE FROM vsm.work_items WHERE id = :a;
SELECT count(*) FROM vsm.blocks WHERE work_item_id = :a;
ROLLBACK TO before;
SELECT count(*) FROM vsm.blocks WHERE work_item_id = :a;
COMMIT;
TRUNCATE vsm.work_items;
SELECT count(*) FROM vsm.blocks;
