-- vsm.bottlenecks(): time, queues and limits of the stages of started work, and what they say in a sentence.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT s.name FROM unnest('{team,empty}'::text[]) s (name), vsm.define_stream(s.name, '[{"name":"Backlog","category":"wait"},{"name":"Dev","wip_limit":2},{"name":"Ready","category":"wait"},{"name":"Test"},
    {"name":"Done","category":"done"},{"name":"Dropped","category":"discarded"}]', 'Europe/Berlin');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO events SELECT c, s, ('2026-03-' || at || '+00')::timestamptz, t FROM (VALUES
    ('A', 'Backlog', '01 00:00', 'task'), ('A', 'Dev', '02 00:00', 'task'), ('A', 'Ready', '03 00:00', 'task'), ('A', 'Test', '05 00:00', 'task'), ('A', 'Done', '06 00:00', 'task'),
    ('B', 'Backlog', '01 00:00', 'bug'), ('B', 'Dev', '02 12:00', 'bug'), ('B', 'Ready', '04 00:00', 'bug'),
    ('C', 'Backlog', '01 00:00', 'task'), ('C', 'Dev', '04 12:00', 'task'), ('C', 'Backlog', '05 00:00', 'task'), ('C', 'Dev', '06 00:00', 'task'),
    ('D', 'Backlog', '01 00:00', 'task'), ('D', 'Dropped', '03 00:00', 'task'),
    ('E', 'Done', '04 00:00', 'task')) e (c, s, at, t);
SELECT (vsm.import_events('events', 'team')).transitions;
\x on
-- From the 3rd to the 7th: Dev 1 + 0.5 + 1 days (B, C twice), Ready 2 + 3 (A, B), Test 1 (A): 8.5 in all.  Dev held 2 before (A leaves at the instant) and 1 after.
SELECT * FROM vsm.bottlenecks('team', '2026-03-03', '2026-03-07');
-- From the 2nd: A and B fill Dev up to its limit once, at 12:00.
SELECT rank, stage, score, limit_hits, queue_growth, why FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04');
-- A was blocked for 12 of the 48 hours in Ready, B for 6 of its 72: 18 of 120, and 9 of them before the 3rd in Dev.
INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
SELECT w.id, b.reason, b.since, b.until
FROM (VALUES ('A', 'review', timestamptz '2026-03-02 15:00+00', timestamptz '2026-03-03 12:00+00'), ('B', 'vendor', '2026-03-05 00:00+00', '2026-03-05 06:00+00')) b (item, reason, since, until)
JOIN vsm.work_items w ON w.external_id = b.item;
SELECT rank, stage, score, time_share, blocked_share, blocked_reason, why FROM vsm.bottlenecks('team', '2026-03-03', '2026-03-07');
SELECT stage, blocked_share, blocked_reason FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04', 'task');
\x off
-- of a type; limits count all items
SELECT stage, time_share, queue_growth, limit_hits, entered, "left", avg_items FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04', 'bug');
SELECT stage, why FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04', 'bug') WHERE limit_hits > 0;
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE external_id = 'A';
SELECT substring(why FROM '[^;]*\(of all types\)') AS why FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04', attributes => '{"team": "red"}') WHERE limit_hits > 0;
-- all of the history; nothing; a window of no length; an instant at which all happens
SELECT rank, stage, score, time_share, limit_hits FROM vsm.bottlenecks('team', '-infinity', 'infinity');
SELECT rank, stage, score, time_share, limit_hits, why FROM vsm.bottlenecks('empty', '2026-03-01', '2026-04-01');
SELECT rank, stage, time_share, why FROM vsm.bottlenecks('team', '2026-03-04', '2026-03-04');
SELECT stage, time_share, entered, why FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-02 00:00:00.000001+00');
-- the limit is today's; a retired stage stays as long as it was used
UPDATE vsm.stages SET wip_limit = 1 WHERE stream = 'team' AND name = 'Dev';
SELECT stage, limit_hits FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04');
UPDATE vsm.stages SET retired_at = now() WHERE stream = 'team' AND name = 'Test';
SELECT string_agg(stage, ' ' ORDER BY stage) FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-04');
SELECT string_agg(stage, ' ' ORDER BY stage) FROM vsm.bottlenecks('team', '2026-03-02', '2026-03-07');
-- the whole flow counts as started
SELECT commitment_stage FROM vsm.define_stream('team', commitment_stage => 'Backlog');
SELECT stage, time_share FROM vsm.bottlenecks('team', '2026-03-01', '2026-03-02');
SELECT vsm._percent(0.004), vsm._percent(0.25), vsm._percent(0), vsm._percent(1);
-- behind a queue stands another one: what items wait for is the next stage in which somebody works
SELECT FROM vsm.define_stream('queues', '[{"name":"New","category":"wait"},{"name":"Ready","category":"wait"},{"name":"Parked","category":"wait"},{"name":"Test"},{"name":"Done","category":"done"}]',
                              commitment_stage => 'Ready');
SELECT FROM vsm.create_work_item('queued', 'task', 'queues', at => '2026-03-01') w, vsm.transition(w.id, 'Ready', at => '2026-03-02');
SELECT stage, substring(why FROM 'where items wait for \w+') AS wait_for FROM vsm.bottlenecks('queues', '2026-03-01', '2026-03-04') ORDER BY rank LIMIT 1;
-- refused
SELECT vsm.bottlenecks('Nope');
SELECT vsm.bottlenecks('team', NULL);
SELECT vsm.bottlenecks('team', '2026-03-07', '2026-03-03');
SELECT vsm.bottlenecks('team', type => 'nope');
SELECT vsm.bottlenecks('team', attributes => '{"nope": 1}');
