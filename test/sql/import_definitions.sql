-- Stages and types that the stream does not have: listed in an error, or added with create_stages.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "Open", "category": "wait"}, {"name": "Done", "category": "done"}, {"name": "Filed", "category": "done"}]');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO events VALUES ('A', 'Open', '2024-01-01', 'bug'), ('A', 'Zoo', '2024-01-02', 'bug'), ('A', 'Ant', '2024-01-03', 'chore'), ('A', 'Zoo', '2024-01-04', 'bug'), ('A', 'Done', '2024-01-05', 'Bug');
-- Listed in order of appearance; nothing is added.
SELECT vsm.import_events('events', 'flow');
SELECT string_agg(name, ', ' ORDER BY "order") FROM vsm.stages;
-- Added in order of appearance as wait stages before the done stages; types too.
SELECT * FROM vsm.import_events('events', 'flow', create_stages => true);
SELECT name, "order", type, category FROM vsm.stages ORDER BY "order";
SELECT string_agg(name, ', ' ORDER BY id) FROM vsm.work_item_types;
SELECT w.type, w.started_at IS NULL AS never_started, (SELECT string_agg(to_stage, '>' ORDER BY "timestamp") FROM vsm.history(w.id)) AS moves FROM vsm.work_items w;
-- They are stages like others: given a category, items start with them.
UPDATE vsm.stages SET category = 'active' WHERE name = 'Zoo';
SELECT started_at = '2024-01-02' AS started FROM vsm.work_items;
-- A further one is added behind those.
INSERT INTO events VALUES ('B', 'Bee', '2024-01-02', NULL);
SELECT * FROM vsm.import_events('events', 'flow', create_stages => true);
SELECT string_agg(name, ', ' ORDER BY "order") FROM vsm.stages;
-- Types alone.
UPDATE events SET type = 'wish' WHERE case_id = 'B';
SELECT vsm.import_events('events', 'flow');
\echo :LAST_ERROR_SQLSTATE
-- The order column decides what appears first.
TRUNCATE events;
ALTER TABLE events ADD seq integer;
INSERT INTO events VALUES ('C', 'Second', '2024-01-02', NULL, 2), ('C', 'First', '2024-01-03', NULL, 1);
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'seq', create_stages => true);
SELECT string_agg(name, ', ' ORDER BY "order") FROM vsm.stages;

-- Without a type, an item that is known keeps its own, whatever types there are; a new one is a task.
UPDATE vsm.work_item_types SET name = 'errand' WHERE name = 'task';
TRUNCATE events;
INSERT INTO events (case_id, stage, entered_at) SELECT w.external_id, s.name, w.stage_entered_at + interval '1 hour'
FROM vsm.work_items w JOIN vsm.stages s ON s.stream = w.stream AND s.id <> w.stage_id ORDER BY w.id, s."order" LIMIT 1;
SELECT w.stream AS of_stream FROM vsm.work_items w WHERE w.external_id = (SELECT case_id FROM events) ORDER BY w.id LIMIT 1 \gset
SELECT transitions, refused FROM vsm.import_events('events', :'of_stream');
INSERT INTO events (case_id, stage, entered_at) SELECT 'of no type', stage, entered_at FROM events;
SELECT transitions, refused FROM vsm.import_events('events', :'of_stream');
