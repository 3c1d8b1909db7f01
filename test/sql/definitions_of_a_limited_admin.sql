-- What an admin of one stream does to its definitions stays in that stream: others' figures, ids and Prometheus go on.
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('a', '[{"name": "todo", "category": "wait"}, {"name": "doing"}, {"name": "done", "category": "done"}]');
SELECT name FROM vsm.define_stream('b', '[{"name": "todo", "category": "wait"}, {"name": "doing"}, {"name": "done", "category": "done"}]');
CREATE ROLE regress_vsm_one;
CREATE ROLE regress_vsm_all;
SELECT vsm.grant_access('regress_vsm_one', 'admin', 'a'), vsm.grant_access('regress_vsm_all', 'writer');

SET ROLE regress_vsm_one;
-- a stage 0 would be "none" to the counters
INSERT INTO vsm.stages (id, stream, name, "order", wip_limit) VALUES (0, 'a', 'zero', 100, 1);
INSERT INTO vsm.stages (id, stream, name, "order") VALUES (-9223372036854775808, 'a', 'least', 100);
-- ids that others are about to get
INSERT INTO vsm.stages (id, stream, name, "order") VALUES (7, 'a', 'squat', 100);
INSERT INTO vsm.work_items (id, title, stream) VALUES (2, 'squat', 'a');
INSERT INTO vsm.flow_metrics (id, stream, date, period_type, throughput, wip, created_at) VALUES (1, 'a', '2026-01-01', 'day', 1, 1, now());
UPDATE vsm.flow_metrics SET id = 99;
-- one that was issued is the role's to use
SELECT nextval('vsm.work_items_id_seq') AS mine \gset
INSERT INTO vsm.work_items (id, title, stream) VALUES (:mine, 'mine', 'a') RETURNING title;
-- what an abbreviation means is a setting of the session
SET timezone_abbreviations = 'Australia';
UPDATE vsm.value_streams SET time_zone = 'SAT' WHERE name = 'a';
RESET timezone_abbreviations;
UPDATE vsm.value_streams SET time_zone = 'europe/berlin' WHERE name = 'a';
-- the id that changes are followed by
UPDATE vsm.value_streams SET id = id + 100, commitment_stage = 'todo' WHERE name = 'a';
RESET ROLE;

-- what figures are fed with, in a stream that the role may see
SELECT vsm.grant_access('regress_vsm_one', 'reader', 'b');
INSERT INTO vsm.work_items (title, stream) VALUES ('theirs', 'b') RETURNING id AS theirs \gset
SET ROLE regress_vsm_one;
SELECT vsm.set_sle('b', '5 days', 0.85);
INSERT INTO vsm.days_off (stream, day) VALUES ('b', '2026-12-25');
INSERT INTO vsm.deployments (stream, deployed_at) VALUES ('b', '2026-01-01');
INSERT INTO vsm.incidents (stream, started_at) VALUES ('b', '2026-01-01');
SELECT vsm.mark_failure(:theirs);
SELECT vsm.block(:theirs, 'waits');
RESET ROLE;
SELECT vsm.revoke_access('regress_vsm_one', 'b');

-- ids of a stream that is gone, whose totals the stages would get
SELECT name FROM vsm.define_stream('gone', '[{"name": "todo", "category": "wait"}, {"name": "done", "category": "done"}]');
INSERT INTO vsm.work_items (title, stream) VALUES ('x', 'gone') RETURNING id AS item \gset
SELECT to_stage_id IS NOT NULL AS moved FROM vsm.transition(:item, 'done');
SELECT min(id) AS todo, max(id) AS done FROM vsm.stages WHERE stream = 'gone' \gset
DELETE FROM vsm.work_items WHERE stream = 'gone';
DELETE FROM vsm.value_streams WHERE name = 'gone';
SET ROLE regress_vsm_one;
INSERT INTO vsm.stages (id, stream, name, "order", category) VALUES (:todo, 'a', 'heir', 101, 'wait');
INSERT INTO vsm.stages (id, stream, name, "order", category) VALUES (:done, 'a', 'heir', 101, 'done');
-- the id of a stage of another stream, whose deletion may not be committed yet
INSERT INTO vsm.stages (id, stream, name, "order", category) SELECT 4, 'a', 'heir', 101, 'wait';
-- the greatest numbers that a stage can have
UPDATE vsm.stages SET wip_limit = 2147483647 WHERE stream = 'a' AND name = 'doing';
UPDATE vsm.stages SET wip_limit = NULL WHERE stream = 'a' AND name = 'doing';
UPDATE vsm.stages SET "order" = 2147483647 WHERE stream = 'a' AND name = 'done';
UPDATE vsm.stages SET "order" = 1000000 WHERE stream = 'a' AND name = 'done';
RESET ROLE;

SET ROLE regress_vsm_all;
SELECT title FROM vsm.create_work_item('goes on', stream => 'b');
SELECT vsm_api.prometheus() ~ 'vsm_throughput_per_day\{stream="b"\} 0' AS scraped;
RESET ROLE;
SELECT finding FROM vsm.data_quality('a') WHERE items > 0;
SELECT sum(difference) FROM vsm.wip_check();

-- the owner, who restores, gives any id that can be one
INSERT INTO vsm.work_items (id, title, stream) VALUES (1000, 'restored', 'b') RETURNING id;

-- a role that may only add work items imports nothing, which could move those that are there
CREATE ROLE regress_vsm_adds;
GRANT USAGE ON SCHEMA vsm TO regress_vsm_adds;
GRANT SELECT, INSERT ON vsm.work_items TO regress_vsm_adds;
CREATE TABLE events AS SELECT 'x' AS case_id, 'todo' AS stage, timestamptz '2026-01-05' AS entered_at;
GRANT SELECT ON events TO regress_vsm_adds;
SET ROLE regress_vsm_adds;
SELECT * FROM vsm.import_events('events', 'b');
RESET ROLE;
DROP OWNED BY regress_vsm_one, regress_vsm_all, regress_vsm_adds;
DROP ROLE regress_vsm_one, regress_vsm_all, regress_vsm_adds;
