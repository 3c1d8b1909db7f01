-- vsm.data_quality(): each finding is found, in the items that have it and no others.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
-- Nothing to find, not even a gap.
SELECT finding, items, examples FROM vsm.data_quality();
-- An item as it should be, moved when it was recorded.
SELECT id FROM vsm.create_work_item('sound');
SELECT to_stage_id FROM vsm.transition(1, 'Analysis');
SELECT finding, items FROM vsm.data_quality() WHERE items > 0;
SELECT finding, meaning IS NOT NULL AS explained FROM vsm.data_quality() WHERE items IS NULL;
CREATE FUNCTION found(finding text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s: %s', items, (SELECT string_agg(w.title, ', ' ORDER BY w.title COLLATE "C") FROM vsm.work_items w WHERE w.id = ANY (q.examples)))
    FROM vsm.data_quality() q WHERE q.finding = found.finding $$;

-- Finished without starting.
SELECT id FROM vsm.create_work_item('unstarted');
SELECT to_stage_id FROM vsm.transition(2, 'Production');
SELECT found('finished_never_started');

-- Two moves at one instant.
SELECT id, now() AS moment FROM vsm.create_work_item('instant', at => now()) \gset i_
SELECT to_stage_id FROM vsm.transition(:i_id, 'Analysis', :'i_moment');
SELECT to_stage_id FROM vsm.transition(:i_id, 'Testing', clock_timestamp());
SELECT found('moves_at_one_instant') LIKE '%instant' AS found;
DELETE FROM vsm.work_items WHERE title = 'instant';

-- A clock that runs ahead.
SELECT id AS a_id FROM vsm.create_work_item('ahead') \gset
SELECT to_stage_id FROM vsm.transition(:a_id, 'Analysis', clock_timestamp() + interval '2 minutes');
SELECT found('moved_before_the_clock');
DELETE FROM vsm.work_items WHERE title = 'ahead';

-- Recorded more than a day late, and silent for 90 days before the last event.
SELECT id FROM vsm.create_work_item('late', at => now() - interval '25 hours');
SELECT id FROM vsm.create_work_item('not late', at => now() - interval '23 hours');
SELECT found('recorded_late');
SELECT found('silent');
SELECT id FROM vsm.create_work_item('silent', at => now() - interval '91 days');
SELECT id FROM vsm.create_work_item('quiet', at => now() - interval '89 days');
SELECT count(*) FROM vsm.create_work_item('long done', at => now() - interval '200 days') w, vsm.transition(w.id, 'Production', now() - interval '100 days');
SELECT found('recorded_late');
SELECT found('silent');

-- What only the owner can break: the ledger and the state.
SELECT found('ledger_gap'), found('no_ledger'), found('undefined_stage'), found('state_differs');
SELECT count(*) FROM vsm.create_work_item('gap', at => now() - interval '3 hours') w, vsm.transition(w.id, 'Analysis', now() - interval '2 hours') a,
    vsm.transition(a.work_item_id, 'Testing') t;
SELECT count(*) FROM vsm.create_work_item('time') w, vsm.transition(w.id, 'Analysis') a;
SELECT count(*) FROM vsm.create_work_item('unknown') w;
SELECT count(*) FROM vsm.create_work_item('foreign') w;
SELECT count(*) FROM vsm.create_work_item('differs') w;
SELECT count(*) FROM vsm.create_work_item('ledgerless') w;
BEGIN;
SET LOCAL vsm.recording = off;
DELETE FROM vsm.stage_transitions t USING vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'gap' AND t.from_stage_id = 1;
UPDATE vsm.stage_transitions t SET time_in_stage = '1 day' FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'time' AND t.from_stage_id = 1;
UPDATE vsm.stage_transitions t SET to_stage_id = 999 FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'unknown';
UPDATE vsm.work_items SET started_at = created_at WHERE title = 'differs';
DELETE FROM vsm.stage_transitions t USING vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'ledgerless';
COMMIT;
SELECT name FROM vsm.define_stream('other', '[{"name": "Shelf", "category": "wait"}, {"name": "Gone", "category": "done"}]');
BEGIN;
SET LOCAL vsm.recording = off;
UPDATE vsm.stage_transitions t SET to_stage_id = (SELECT id FROM vsm.stages WHERE name = 'Shelf') FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'foreign';
COMMIT;
SELECT found('ledger_gap') AS ledger_gap, found('no_ledger') AS no_ledger, found('undefined_stage') AS undefined_stage;
SELECT found('state_differs') AS state_differs;
-- What a restore has lost: items of this stream, of another one, of one whose stages are lost too; streams; and times from before 1970.
SELECT found('no_item') AS no_item, found('no_stream') AS no_stream, found('before_1970') AS before_1970;
SELECT vsm_api.health() ->> 'database_connected' AS connected;
CREATE TABLE events (case_id text, stage text, entered_at timestamptz);
INSERT INTO events VALUES ('lost', 'Shelf', '2026-01-01'), ('lost', 'Shelf', '2026-01-02'), ('lost too', 'Shelf', '2026-01-02');
SELECT * FROM vsm.import_events('events', 'other');
INSERT INTO events VALUES ('lost', 'Nowhere', '2026-01-01');
SELECT * FROM vsm.import_events('events', 'other', on_error => 'skip');
ALTER TABLE vsm.work_items DISABLE TRIGGER ALL;
ALTER TABLE vsm.value_streams DISABLE TRIGGER ALL;
ALTER TABLE vsm.stages DISABLE TRIGGER ALL;
BEGIN;
SELECT d.finding, d.items, cardinality(d.examples) AS examples, d.meaning FROM vsm.data_quality('other') d WHERE d.finding ~ '^no_(item|stream)|refusals';
DELETE FROM vsm.work_items WHERE external_id = 'lost too';
DELETE FROM vsm.work_items WHERE title = 'sound';
SELECT stream, d.items AS no_item FROM (VALUES ('other'), ('default')) s (stream) CROSS JOIN LATERAL vsm.data_quality(s.stream) d WHERE d.finding = 'no_item';
UPDATE vsm.work_items SET created_at = '0001-01-01' WHERE title = 'time';
SET LOCAL vsm.recording = off;
UPDATE vsm.stage_transitions t SET "timestamp" = '0001-01-01' FROM vsm.work_items w WHERE w.id = t.work_item_id AND w.title = 'time' AND t.from_stage_id IS NULL;
SELECT found('before_1970') AS before_1970;
-- which stretch no chart
SELECT count(*) < 100000 AS short FROM vsm.throughput('default', '-infinity', 'infinity');
SELECT vsm.refresh_flow_metrics() < 100000 AS short;
SELECT count(*) < 1000000 AS short FROM vsm.cumulative_flow('default', '-infinity', 'infinity');
-- moves that are left when the item is gone, and imported events that said nothing new
DELETE FROM vsm.stage_transitions t USING vsm.work_items w WHERE w.id = t.work_item_id AND w.external_id = 'lost';
DELETE FROM vsm.work_items WHERE external_id = 'lost';
SELECT d.items AS no_item FROM vsm.data_quality('other') d WHERE d.finding = 'no_item';
DELETE FROM vsm.stages WHERE stream = 'other';
DELETE FROM vsm.value_streams WHERE name = 'other';
SELECT d.finding, d.items, d.meaning FROM vsm.data_quality() d WHERE d.finding ~ '^no_(item|stream)|refusals';
ROLLBACK;
BEGIN;
TRUNCATE vsm.work_items;
SELECT vsm_api.health();
ROLLBACK;
BEGIN;
SET LOCAL vsm.recording = off;
TRUNCATE vsm.stage_transitions;
SELECT vsm_api.health();
ROLLBACK;
BEGIN;
DELETE FROM vsm.stages;
SELECT vsm_api.health();
ROLLBACK;
ALTER TABLE vsm.work_items ENABLE TRIGGER zz_vsm_move, ENABLE ALWAYS TRIGGER vsm_record_insert, ENABLE ALWAYS TRIGGER vsm_record_move,
    ENABLE ALWAYS TRIGGER vsm_record_delete, ENABLE TRIGGER vsm_record_deletes, ENABLE ALWAYS TRIGGER vsm_record_truncate;
ALTER TABLE vsm.value_streams ENABLE TRIGGER ALL;
ALTER TABLE vsm.stages ENABLE TRIGGER ALL;
SELECT vsm_api.health() ->> 'database_connected' AS connected;
DELETE FROM vsm.import_refusals;
DELETE FROM vsm.work_items WHERE external_id IN ('lost', 'lost too');

-- A stream in which nothing counts as started says so; it has findings of its own alone.
SELECT finding, items FROM vsm.data_quality('other') WHERE items > 0 OR items IS NULL;
SELECT count(*) FROM vsm.define_stream('other', '[{"name": "Shelf"}, {"name": "Gone", "category": "done"}]');
SELECT finding, items FROM vsm.data_quality('other') WHERE items > 0 OR items IS NULL;

-- The longest time without any move, in the stream's zone; up to five examples.
SELECT name FROM vsm.define_stream('gaps', '[{"name": "Work"}, {"name": "Done", "category": "done"}]', 'Asia/Tokyo');
SELECT count(*) FROM (SELECT vsm.create_work_item('w' || d, stream => 'gaps', at => timestamptz '2024-01-01 UTC' + d * d * interval '1 hour') FROM generate_series(0, 7) d) c;
SELECT finding, items, cardinality(examples) AS examples FROM vsm.data_quality('gaps') WHERE items > 0;
SELECT finding, meaning FROM vsm.data_quality('gaps') WHERE finding = 'longest_gap';
