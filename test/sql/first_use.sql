-- The default stream, its six stages and the four types come into being at first use, and only when there is no stream.
CREATE EXTENSION vsm;
CREATE VIEW definitions AS
    SELECT v.name AS stream, v.time_zone, v.commitment_stage, v.reopen_rule, s.name AS stage, s."order", s.type, s.category,
           s.wip_limit, (SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM vsm.work_item_types) AS types
    FROM vsm.value_streams v LEFT JOIN vsm.stages s ON s.stream = v.name;

-- CREATE EXTENSION seeds nothing.
SELECT count(*) FROM definitions;
SELECT count(*) FROM vsm.work_item_types;

-- Reading is no use.
\set VERBOSITY terse
SELECT count(*) FROM vsm.wip;
SELECT * FROM vsm.history(1);
SELECT vsm.transition(1, 'Backlog');
SELECT count(*) FROM definitions;
\set VERBOSITY default

-- INSERT
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('first') RETURNING stream, type, started_at, completed_at, reopened;
SELECT * FROM definitions ORDER BY "order";
SELECT from_stage, to_stage, time_in_stage FROM vsm.work_items w, vsm.history(w.id);
ROLLBACK;
SELECT count(*) FROM definitions;

-- vsm.create_work_item()
BEGIN;
SELECT title, stream, type FROM vsm.create_work_item('first', 'bug');
SELECT string_agg(stage, ', ' ORDER BY "order") FROM definitions;
ROLLBACK;
SELECT count(*) FROM definitions;

-- vsm.define_stream('default')
BEGIN;
SELECT name, time_zone, commitment_stage, reopen_rule FROM vsm.define_stream('default');
SELECT string_agg(stage, ', ' ORDER BY "order"), min(types) FROM definitions;
ROLLBACK;

-- An import into the default stream
BEGIN;
CREATE TEMPORARY TABLE events AS SELECT 'A' AS case_id, 'Testing' AS stage, timestamptz '2024-01-01 UTC' AS entered_at;
SELECT * FROM vsm.import_events('events');
SELECT string_agg(stage, ', ' ORDER BY "order"), min(types) FROM definitions;
ROLLBACK;

-- With a stream of the user's own there is no default stream, but there are the types.
BEGIN;
SELECT name FROM vsm.define_stream('own', '[{"name": "Doing"}, {"name": "Done", "category": "done"}]');
SELECT types FROM definitions LIMIT 1;
SELECT title, stream FROM vsm.create_work_item('mine', stream => 'own');
SAVEPOINT s;
INSERT INTO vsm.work_items (title) VALUES ('lost');
ROLLBACK TO s;
SELECT string_agg(stream || '.' || stage, ', ' ORDER BY stream, "order") FROM definitions;
ROLLBACK;

-- The types are the user's: what is there stays, also when the default stream comes later.
BEGIN;
INSERT INTO vsm.work_item_types VALUES ('bug'), ('spike');
SELECT title, type FROM vsm.create_work_item('first', 'spike');
SELECT min(types) FROM definitions;
ROLLBACK;

-- What the user changed or removed does not come back.
SELECT name FROM vsm.define_stream('default');
DELETE FROM vsm.stages WHERE name = 'Analysis';
UPDATE vsm.stages SET name = 'To do', wip_limit = 7 WHERE name = 'Backlog';
DELETE FROM vsm.work_item_types WHERE name = 'epic';
SELECT title FROM vsm.create_work_item('second');
SELECT name FROM vsm.define_stream('default');
SELECT string_agg(format('%s %s', stage, wip_limit), ', ' ORDER BY "order"), min(types) FROM definitions;
