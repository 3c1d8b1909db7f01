-- vsm_api views, as PostgREST writes them: a change of current_stage is a move, recorded by the one path.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\pset format unaligned
CREATE VIEW ledger AS
    SELECT t.work_item_id AS item, f.name AS "from", s.name AS "to" FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id
    LEFT JOIN vsm.stages f ON f.id = t.from_stage_id ORDER BY t.work_item_id, t.id;

-- POST: columns left out have their defaults, the first item brings the default stream.
INSERT INTO vsm_api.work_items (title) VALUES ('a') RETURNING id, external_id, stream, title, type, current_stage, started_at, completed_at;
INSERT INTO vsm_api.work_items (title, type, external_id, created_at) VALUES ('b', 'bug', 'B-1', '2026-01-05 09:00+00')
    RETURNING id, external_id, stream, title, type, current_stage, created_at, stage_entered_at;
INSERT INTO vsm_api.work_items (title, current_stage) VALUES ('c', 'Testing'), ('d', 'Production') RETURNING id, title, current_stage, started_at IS NULL AS not_started, completed_at IS NULL AS open;
INSERT INTO vsm_api.work_items (title, current_stage) VALUES ('e', 'Nope');
INSERT INTO vsm_api.work_items (title, stream) VALUES ('e', 'Nope');
INSERT INTO vsm_api.work_items (title, stream, current_stage) VALUES ('e', 'Nope', 'Testing');
INSERT INTO vsm_api.work_items (title, external_id) VALUES ('e', 'B-1');
INSERT INTO vsm_api.work_items (title, type) VALUES ('e', 'story');
INSERT INTO vsm_api.work_items (title, completed_at) VALUES ('e', now());

-- PATCH, of one and of several
UPDATE vsm_api.work_items SET current_stage = 'Development' WHERE id = 1 RETURNING id, title, current_stage, started_at IS NULL AS not_started;
WITH changed AS (UPDATE vsm_api.work_items SET current_stage = 'Testing', title = 'renamed', type = 'bug' WHERE id IN (1, 3) RETURNING *)
    SELECT id, title, type, current_stage FROM changed ORDER BY id;
UPDATE vsm_api.work_items SET external_id = NULL WHERE id = 2 RETURNING id, external_id, current_stage;
UPDATE vsm_api.work_items SET current_stage = 'Testing' WHERE id = 99999 RETURNING id;
UPDATE vsm_api.work_items SET current_stage = 'Nope' WHERE id = 1;
UPDATE vsm_api.work_items SET current_stage = NULL WHERE id = 1;
UPDATE vsm_api.work_items SET title = '' WHERE id = 1;
UPDATE vsm_api.work_items SET id = 5 WHERE id = 1;
UPDATE vsm_api.work_items SET stream = 'other' WHERE id = 1;
UPDATE vsm_api.work_items SET created_at = '2026-01-01' WHERE id = 2;
UPDATE vsm_api.work_items SET completed_at = now(), current_stage = 'Production' WHERE id = 1;
-- a limit holds on this path too
UPDATE vsm_api.stages SET wip_limit = 2 WHERE name = 'Testing' RETURNING name, wip_limit;
UPDATE vsm_api.work_items SET current_stage = 'Testing' WHERE id = 2;
WITH changed AS (UPDATE vsm_api.work_items SET current_stage = 'Production' WHERE title = 'renamed' RETURNING *)
    SELECT id, completed_at IS NULL AS open FROM changed ORDER BY id;
TABLE ledger;

WITH gone AS (DELETE FROM vsm_api.work_items WHERE current_stage = 'Production' AND id <> 4 RETURNING *) SELECT id, title FROM gone ORDER BY id;
DELETE FROM vsm_api.work_items WHERE id = 99999 RETURNING id;
SELECT id, title, current_stage FROM vsm_api.work_items ORDER BY id;
TABLE ledger;
SELECT stage, wip, wip_limit, category FROM vsm_api.wip ORDER BY stream, "order";

-- Attributes are the user's own; what was discarded is the extension's, and no work in progress.
UPDATE vsm_api.work_items SET attributes = '{"team": "red", "size": 0.10}' WHERE title = 'd' RETURNING title, attributes, discarded_at;
INSERT INTO vsm_api.work_items (title, attributes) VALUES ('with', '{"team": "blue"}'), ('without', NULL) RETURNING title, attributes;
UPDATE vsm_api.work_items SET attributes = '[]' WHERE title = 'd';
UPDATE vsm_api.work_items SET attributes = NULL WHERE title = 'd' RETURNING title, attributes;
INSERT INTO vsm_api.stages (stream, name, "order", category) VALUES ('default', 'Dropped', 7, 'discarded') RETURNING name, category, wip_limit;
UPDATE vsm_api.work_items SET current_stage = 'Dropped' WHERE title = 'with' RETURNING title, current_stage, completed_at, discarded_at = stage_entered_at AS discarded;
UPDATE vsm_api.work_items SET discarded_at = NULL WHERE title = 'with';
SELECT stage, wip, category FROM vsm_api.wip ORDER BY stream, "order";
UPDATE vsm_api.work_items SET current_stage = 'Backlog' WHERE title = 'with' RETURNING title, current_stage, completed_at, discarded_at;

-- Definitions are the tables' rows.
INSERT INTO vsm_api.streams (name, time_zone) VALUES ('side', 'Europe/Berlin') RETURNING name, time_zone, commitment_stage, reopen_rule;
INSERT INTO vsm_api.streams (name, time_zone) VALUES ('x', 'Nowhere');
INSERT INTO vsm_api.stages (stream, name, "order", category) VALUES ('side', 'Open', 1, 'wait'), ('side', 'Closed', 2, 'done') RETURNING name, type, retired_at;
UPDATE vsm_api.streams SET reopen_rule = 'sum_active' WHERE name = 'side' RETURNING reopen_rule;
DELETE FROM vsm_api.stages WHERE name = 'Testing';
DELETE FROM vsm_api.streams WHERE name = 'side' RETURNING name;
