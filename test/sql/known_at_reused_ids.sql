-- What was known of a deleted item stays its own, also when another item has its id.
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('s', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Closed", "category": "done"}]');
INSERT INTO vsm.work_items (id, stream, external_id, title, type, attributes, created_at)
    VALUES (1, 's', 'A', 'first', 'bug', '{"team": "red"}', '2026-09-01');
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(1, 'Work', '2026-09-02');
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(1, 'Closed', '2026-09-04');
SELECT clock_timestamp() AS before \gset
DELETE FROM vsm.work_items WHERE id = 1;
INSERT INTO vsm.work_items (id, stream, external_id, title, type, attributes, created_at)
    VALUES (1, 's', 'B', 'second', 'task', '{"team": "blue"}', '2026-09-03');
UPDATE vsm.work_items SET type = 'epic' WHERE id = 1;
SELECT work_item_id, external_id, title, type, created_at, cycle_time FROM vsm.completions('s', '-infinity', 'infinity', known_at => :'before');
SELECT throughput, arrivals, open_at_until FROM vsm.metrics('s', '-infinity', 'infinity', 'bug', known_at => :'before');
SELECT throughput, arrivals, open_at_until FROM vsm.metrics('s', '-infinity', 'infinity', 'task', known_at => :'before');
SELECT external_id, title, type FROM vsm.work_item_age('s', at => '2026-09-03 12:00', known_at => :'before');
SELECT external_id, title, type FROM vsm.work_item_age('s', at => '2026-09-03 12:00', known_at => clock_timestamp());
-- The first one's attributes went with it; they are not those of the second.
SELECT throughput, arrivals FROM vsm.metrics('s', '-infinity', 'infinity', attributes => '{"team": "blue"}', known_at => :'before');

-- A stream is not the heir of one that had its id.
DELETE FROM vsm.work_items WHERE id = 1;
SELECT id AS old_id FROM vsm.value_streams WHERE name = 's' \gset
DELETE FROM vsm.value_streams WHERE name = 's';
CREATE ROLE regress_vsm_all;
SELECT vsm.grant_access('regress_vsm_all', 'admin');
SET ROLE regress_vsm_all;
INSERT INTO vsm.value_streams (id, name) VALUES (:old_id, 'heir');
RESET ROLE;
DROP OWNED BY regress_vsm_all;
DROP ROLE regress_vsm_all;
