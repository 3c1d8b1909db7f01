-- vsm.flow_totals and vsm.flow_histograms count what the ledger has recorded, in memory as in the tables, and never fall.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Test"}, {"name": "Done", "category": "done"}, {"name": "Gone", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1);
CREATE FUNCTION item(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.work_items WHERE title = $1);
CREATE VIEW series AS
    SELECT total AS series, stream, type, from_stage, to_stage, NULL::double precision AS le, value::double precision FROM vsm.flow_totals
    UNION ALL
    SELECT histogram || '_count', stream, NULL, NULL, stage, le, count FROM vsm.flow_histograms
    UNION ALL
    SELECT histogram || '_sum', stream, NULL, NULL, stage, NULL, sum FROM vsm.flow_histograms WHERE le = 'infinity';
CREATE TABLE before AS SELECT * FROM series WITH NO DATA;
-- Sums of the totals; then two that should be 0: series that have fallen since the last time, totals that differ from the tables.
CREATE FUNCTION totals() RETURNS TABLE (created numeric, transitions numeric, completed numeric, stays numeric, leads numeric, cycles numeric, fallen bigint, differ bigint)
    LANGUAGE plpgsql AS $$
BEGIN
    SELECT sum(value) FILTER (WHERE total = 'work_items_created'), sum(value) FILTER (WHERE total = 'stage_transitions'),
           sum(value) FILTER (WHERE total = 'work_items_completed')
    INTO created, transitions, completed FROM vsm.flow_totals;
    SELECT sum(count) FILTER (WHERE histogram = 'time_in_stage'), sum(count) FILTER (WHERE histogram = 'lead_time'),
           sum(count) FILTER (WHERE histogram = 'cycle_time')
    INTO stays, leads, cycles FROM vsm.flow_histograms WHERE le = 'infinity';
    SELECT count(*) INTO fallen
    FROM before b LEFT JOIN series s ON (s.series, s.stream, s.type, s.from_stage, s.to_stage, s.le) IS NOT DISTINCT FROM (b.series, b.stream, b.type, b.from_stage, b.to_stage, b.le)
    WHERE s.value IS NULL OR s.value < b.value;
    SELECT count(*) INTO differ
    FROM ((SELECT kind, a, b, n FROM vsm._totals_now() EXCEPT SELECT kind, a, b, n FROM vsm._totals_counted) UNION ALL
          (SELECT kind, a, b, n FROM vsm._totals_counted EXCEPT SELECT kind, a, b, n FROM vsm._totals_now())) d;
    DELETE FROM before;
    INSERT INTO before SELECT * FROM series;
    RETURN NEXT;
END $$;
SELECT * FROM totals();

-- Created by type; moves by where from and where to; completions by the done stage entered.
SELECT title FROM vsm.create_work_item('a', 'bug', at => '2024-01-01');
SELECT title FROM vsm.create_work_item('b', 'feature', at => '2024-01-01');
SELECT title FROM vsm.create_work_item('c', 'bug', at => '2024-01-01');
SELECT count(*) FROM vsm.transition(item('a'), 'Work', '2024-01-02');
SELECT count(*) FROM vsm.transition(item('a'), 'Test', '2024-01-02 01:00');
SELECT count(*) FROM vsm.transition(item('a'), 'Done', '2024-01-04 01:00:00.0005');
SELECT count(*) FROM vsm.transition(item('b'), 'Gone', '2024-01-03');
INSERT INTO vsm.work_items (title, stage_id, created_at) VALUES ('finished', stage('Done'), '2024-01-01'), ('started', stage('Test'), '2024-01-01');
SELECT * FROM totals();
SELECT total, type, from_stage, to_stage, value FROM vsm.flow_totals ORDER BY total COLLATE "C", type COLLATE "C", from_stage COLLATE "C" NULLS FIRST, to_stage COLLATE "C";
SELECT histogram, stage, le, count, sum FROM vsm.flow_histograms WHERE stage IN ('Done', 'Gone') OR stage = 'Test' AND le >= 86400 ORDER BY histogram COLLATE "C", stage COLLATE "C", le;

-- A move to where it is, one that is rolled back, and from one done stage to another: nothing, nothing, and no completion.
SELECT to_stage_id = stage('Done') AS there FROM vsm.transition(item('a'), 'Done');
BEGIN;
SELECT count(*) FROM vsm.transition(item('c'), 'Done', '2024-01-05');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM vsm.transition(item('c'), 'Work', '2024-01-05');
ROLLBACK TO s;
SELECT title FROM vsm.create_work_item('d', at => '2024-01-01');
COMMIT;
SELECT * FROM totals();
SELECT count(*) FROM vsm.transition(item('b'), 'Done', '2024-01-05');
SELECT * FROM totals();
-- Reopened, an item counts again when it is finished again.
SELECT count(*) FROM vsm.transition(item('b'), 'Work', '2024-01-06');
SELECT count(*) FROM vsm.transition(item('b'), 'Done', '2024-01-08');
SELECT to_stage, value FROM vsm.flow_totals WHERE total = 'work_items_completed' ORDER BY to_stage COLLATE "C";
SELECT lead_time, cycle_time FROM vsm.stage_transitions WHERE work_item_id = item('b') AND lead_time IS NOT NULL ORDER BY id;
SELECT * FROM totals();
-- What a stage means when the item finishes decides, and not what it means later.
UPDATE vsm.stages SET category = 'done' WHERE name = 'Test';
UPDATE vsm.stages SET category = 'active' WHERE name = 'Gone';
SELECT * FROM totals();
SELECT count(*) FROM vsm.transition(item('c'), 'Test', '2024-01-05');
UPDATE vsm.stages SET category = 'active' WHERE name = 'Test';
UPDATE vsm.stages SET category = 'done' WHERE name = 'Gone';
SELECT * FROM totals();

-- What is deleted stays counted, also when it is many items, one after another, and much to keep.
DELETE FROM vsm.work_items WHERE title IN ('a', 'finished');
SELECT * FROM totals();
BEGIN;
DELETE FROM vsm.work_items;
ROLLBACK;
SELECT * FROM totals();
INSERT INTO vsm.work_items (title, type) SELECT 'many', CASE n % 2 WHEN 0 THEN 'bug' ELSE 'epic' END FROM generate_series(1, 600) n;
SELECT * FROM totals();
DO $$
DECLARE
    i bigint;
BEGIN
    FOR i IN SELECT id FROM vsm.work_items WHERE title = 'many' LOOP
        DELETE FROM vsm.work_items WHERE id = i;
    END LOOP;
END $$;
SELECT * FROM totals();
SELECT why, count(*) FROM vsm.superseded_transitions GROUP BY 1;
-- Types that are renamed or deleted: items stay counted by the type they were created with.
UPDATE vsm.work_item_types SET name = 'defect' WHERE name = 'bug';
SELECT * FROM totals();
SELECT title FROM vsm.create_work_item('e', 'defect');
DELETE FROM vsm.work_item_types WHERE name = 'epic';
SELECT * FROM totals();
INSERT INTO vsm.work_item_types VALUES ('bug'), ('Ünusual ''type''');
SELECT title FROM vsm.create_work_item('f', 'bug');
SELECT title FROM vsm.create_work_item('g', 'Ünusual ''type''');
UPDATE vsm.work_items SET type = 'task' WHERE title IN ('f', 'g');
DELETE FROM vsm.work_item_types WHERE name IN ('bug', 'Ünusual ''type''');
SELECT * FROM totals();
SELECT type, value FROM vsm.flow_totals WHERE total = 'work_items_created' ORDER BY type COLLATE "C";

-- Imports; a later one that puts a move between, so that history is recorded once more; the same again, which records nothing.
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO events SELECT 'I-' || n, s, '2024-02-01'::timestamptz + n * o * interval '1 hour', 'feature' FROM generate_series(1, 10) n, unnest('{Open,Done}'::text[]) WITH ORDINALITY u (s, o);
SELECT items, transitions FROM vsm.import_events('events');
SELECT * FROM totals();
TRUNCATE events;
INSERT INTO events SELECT 'I-' || n, 'Work', '2024-02-01'::timestamptz + n * interval '70 minutes' FROM generate_series(1, 5) n;
SELECT items, transitions FROM vsm.import_events('events');
SELECT * FROM totals();
SELECT items, transitions FROM vsm.import_events('events');
SELECT * FROM totals();
-- History before the first event; live moves after it.
TRUNCATE events;
INSERT INTO events SELECT 'I-' || n, 'Test', '2024-01-01' FROM generate_series(6, 8) n;
SELECT items, transitions FROM vsm.import_events('events');
SELECT count(*) FROM vsm.work_items, vsm.transition(id, 'Open') WHERE external_id IN ('I-6', 'I-10');
SELECT * FROM totals();
BEGIN;
INSERT INTO events VALUES ('J', 'Open', '2024-01-01'), ('J', 'Done', '2024-01-01');
SELECT items, transitions FROM vsm.import_events('events');
ROLLBACK;
SELECT * FROM totals();
-- What the tables' owner corrects, and what replication brings.
SET vsm.recording = off;
UPDATE vsm.stage_transitions SET time_in_stage = time_in_stage + '1 day' WHERE work_item_id = item('b') AND time_in_stage IS NOT NULL;
DELETE FROM vsm.stage_transitions WHERE work_item_id = item('d');
RESET vsm.recording;
SELECT * FROM totals();
SET vsm.recording = off;
INSERT INTO vsm.stage_transitions (stream_id, work_item_id, to_stage_id, "timestamp", recorded_at, actor, type) VALUES (1, item('d'), stage('Open'), '2024-01-01', now(), 'me', 'task');
RESET vsm.recording;
SELECT * FROM totals();
SET session_replication_role = replica;
INSERT INTO vsm.stage_transitions (stream_id, work_item_id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage, actor) VALUES (1, item('d'), stage('Open'), stage('Work'), '2024-01-03', now(), '2 days', 'me');
RESET session_replication_role;
SELECT * FROM totals();
-- The ledger written anew, also by a transaction that looks at the totals, which have to be counted just then.
SET vsm.recording = off;
INSERT INTO vsm.stage_transitions (stream_id, work_item_id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage, actor) VALUES (1, item('d'), stage('Work'), stage('Open'), '2024-01-04', now(), '1 day', 'me');
RESET vsm.recording;
BEGIN;
ALTER TABLE vsm.stage_transitions SET UNLOGGED;
SELECT sum(value) > 0 AS counted FROM vsm.flow_totals;
COMMIT;
SELECT * FROM totals();
ALTER TABLE vsm.stage_transitions SET LOGGED;
SELECT title FROM vsm.create_work_item('h', at => '2024-01-01');
SELECT * FROM totals();

-- Renamed stages and streams have their totals under the new name.
UPDATE vsm.stages SET name = 'Check' WHERE name = 'Test';
UPDATE vsm.value_streams SET name = 'renamed';
SELECT created, transitions, completed, stays, leads, cycles, differ FROM totals();
SELECT DISTINCT stream, from_stage FROM vsm.flow_totals WHERE total = 'stage_transitions' AND to_stage = 'Check' ORDER BY 1, 2;

-- TRUNCATE starts anew.
BEGIN;
TRUNCATE vsm.work_items;
SELECT * FROM vsm.flow_totals;
ROLLBACK;
SELECT * FROM totals();
TRUNCATE vsm.work_items;
SELECT created, transitions, completed, stays, leads, cycles, differ FROM totals();
SELECT title FROM vsm.create_work_item('new', stream => 'renamed');
SELECT * FROM totals();

-- Durations up to and including a bound are in its bucket: items that take just as long, and a microsecond longer.
SELECT name FROM vsm.define_stream('edges', '[{"name": "In"}, {"name": "Out", "category": "done"}]');
DO $$
DECLARE
    i bigint;
BEGIN
    FOR i IN SELECT (vsm.create_work_item('exact ' || le, stream => 'edges', at => '2023-01-01')).id FROM unnest(vsm._bucket_bounds()) le WHERE le < 'infinity' LOOP
        PERFORM vsm.transition(i, 'Out', (SELECT created_at + split_part(title, ' ', 2)::double precision * interval '1 second' FROM vsm.work_items WHERE id = i));
    END LOOP;
    FOR i IN SELECT (vsm.create_work_item('longer ' || le, stream => 'edges', at => '2023-01-01')).id FROM unnest(vsm._bucket_bounds()) le WHERE le < 'infinity' LOOP
        PERFORM vsm.transition(i, 'Out', (SELECT created_at + split_part(title, ' ', 2)::double precision * interval '1 second' + interval '1 microsecond' FROM vsm.work_items WHERE id = i));
    END LOOP;
    PERFORM vsm.transition((vsm.create_work_item('no time', stream => 'edges', at => '2023-01-01')).id, 'Out', '2023-01-01');
END $$;
SELECT le, count, sum FROM vsm.flow_histograms WHERE histogram = 'lead_time' AND stream = 'edges' ORDER BY le;
SELECT histogram, stage, array_agg(count ORDER BY le), max(sum) FROM vsm.flow_histograms WHERE stream = 'edges' GROUP BY 1, 2 ORDER BY 1;
SELECT * FROM totals();
