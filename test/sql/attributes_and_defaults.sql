-- Own fields of work items, and columns that tools may leave out, send as null or as DEFAULT.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Done", "category": "done"}, {"name": "Dropped", "category": "discarded"}]');

-- Every computed column has a stored default, which yields null.
SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) AS without_default FROM information_schema.columns
WHERE table_schema = 'vsm' AND table_name = 'work_items' AND column_default IS NULL;
INSERT INTO vsm.work_items (title) VALUES ('left out');
INSERT INTO vsm.work_items VALUES (DEFAULT, DEFAULT, 'A', 'as DEFAULT', DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT,
                                   DEFAULT, DEFAULT, DEFAULT, DEFAULT);
INSERT INTO vsm.work_items (title, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened, backward_moves,
                            discarded_at, discarded, furthest_stage_id)
VALUES ('as null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT id, external_id, title, type, stage_id, started_at, completed_at, active_time, wait_time, reopened, backward_moves, discarded_at, discarded, furthest_stage_id, attributes
FROM vsm.work_items ORDER BY id;

-- The key of another system is a full unique one.
INSERT INTO vsm.work_items (title, external_id) VALUES ('again', 'A') ON CONFLICT (stream, external_id) DO UPDATE SET stage_id = 2 RETURNING id, title, stage_id;

-- Attributes are an object, may change at any time, and are no move.
INSERT INTO vsm.work_items (title, attributes) VALUES ('list', '["red"]');
INSERT INTO vsm.work_items (title, attributes) VALUES ('nothing', NULL);
UPDATE vsm.work_items SET attributes = '"red"' WHERE id = 1;
SELECT attributes FROM vsm.create_work_item('made', attributes => '{"team": "red", "points": 3}');
SELECT attributes FROM vsm.create_work_item('made', attributes => NULL);
UPDATE vsm.work_items SET attributes = '{"team": "blue"}' WHERE id = 1;
SELECT count(*) AS moves FROM vsm.stage_transitions WHERE work_item_id = 1;
-- Figures of the items that have them.
SELECT arrivals, open_at_until, attributes FROM vsm.metrics('default', '-infinity', 'infinity', attributes => '{"team": "red"}');
SELECT arrivals FROM vsm.metrics('default', '-infinity', 'infinity', attributes => '{"team": "red", "points": 5}');
SELECT arrivals FROM vsm.metrics('default', '-infinity', 'infinity', attributes => '{}');
SELECT arrivals FROM vsm.metrics('default', '-infinity', 'infinity', attributes => '{"Team": "red"}');
SELECT title FROM vsm.work_item_age(attributes => '{"team": "blue"}');

-- Discarded: it leaves WIP, is no delivery, and has no WIP limit; brought back, it counts again.
SELECT to_stage_id FROM vsm.transition(2, 'Dropped');
SELECT discarded_at = stage_entered_at AS discarded_now, discarded, completed_at, furthest_stage_id FROM vsm.work_items WHERE id = 2;
SELECT stage, wip FROM vsm.wip;
SELECT throughput, arrivals, departures, returns, discarded, open_at_until, started_at_until FROM vsm.metrics('default', '-infinity', 'infinity');
SELECT to_stage_id FROM vsm.transition(2, 'Open');
SELECT discarded_at, discarded FROM vsm.work_items WHERE id = 2;
SELECT to_stage_id FROM vsm.transition(2, 'Done');
SELECT throughput, arrivals, departures, returns, discarded, open_at_until, started_at_until FROM vsm.metrics('default', '-infinity', 'infinity');
UPDATE vsm.stages SET wip_limit = 3 WHERE name = 'Dropped';
SELECT name FROM vsm.define_stream('default', commitment_stage => 'Dropped');
SELECT finding, items FROM vsm.data_quality() WHERE items > 0 AND finding <> 'moves_at_one_instant';
-- Programs that write "no value" as JSON's null mean none.
INSERT INTO vsm.work_items (external_id, title, attributes) VALUES ('json null', 'x', 'null') RETURNING attributes;
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE external_id = 'json null' RETURNING attributes;
UPDATE vsm.work_items SET attributes = 'null' WHERE external_id = 'json null' RETURNING attributes;
UPDATE vsm.work_items SET attributes = '[1]' WHERE external_id = 'json null';
