-- Definitions that cannot be: each is refused with what to change, and nothing of it stays.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('ops', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Work');
SELECT md5(json_agg(s ORDER BY id)::text) AS stages FROM vsm.stages s \gset
SELECT md5(json_agg(v ORDER BY id)::text) AS streams FROM vsm.value_streams v \gset

SELECT vsm.define_stream('new', '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.define_stream('new', '{"name": "Open"}');
SELECT vsm.define_stream('new', '[{"category": "done"}]');
SELECT vsm.define_stream('new', '["Open"]');
SELECT vsm.define_stream('new', '[{"name": 7, "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open"}, {"name": "Closed", "categorie": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "category": "doing"}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "wip_limit": 0}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "wip_limit": -1}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "wip_limit": 2.5}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "wip_limit": "3"}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open", "wip_limit": 10000000000}, {"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open"}, {"name": "Open", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Open"}, {"name": "Closed"}]');
SELECT vsm.define_stream('', '[{"name": "Closed", "category": "done"}]');
SELECT vsm.define_stream('new', '[{"name": "Closed", "category": "done"}]', 'Europe/Atlantis');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.define_stream('new', '[{"name": "Closed", "category": "done"}]', '');
SELECT vsm.define_stream('new', '[{"name": "Closed", "category": "done"}]', reopen_rule => 'last');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.define_stream('new', '[{"name": "Open"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Work');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm.define_stream('new', '[{"name": "Open"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Closed');

-- The stream that is there, by the function and by hand.
SELECT vsm.define_stream('ops', '[{"name": "Open", "category": "wait"}, {"name": "Work"}]');
SELECT vsm.define_stream('ops', '[{"name": "Open", "category": "wait"}, {"name": "Closed", "category": "done"}]', commitment_stage => 'Work');
SELECT vsm.define_stream('ops', '[{"name": "Begun"}, {"name": "Open", "category": "wait"}, {"name": "Closed", "category": "done"}]', 'Nowhere/City');
UPDATE vsm.value_streams SET time_zone = 'Europe/Atlantis';
UPDATE vsm.value_streams SET reopen_rule = 'first';
UPDATE vsm.value_streams SET commitment_stage = 'Closed';
UPDATE vsm.value_streams SET name = '';
UPDATE vsm.stages SET name = '' WHERE name = 'Open';
UPDATE vsm.stages SET category = 'ready' WHERE name = 'Open';
UPDATE vsm.stages SET wip_limit = 0 WHERE name = 'Open';
UPDATE vsm.stages SET "order" = 0;
INSERT INTO vsm.stages (stream, name, "order") VALUES ('nowhere', 'Open', 1);
INSERT INTO vsm.stages (stream, name, "order") VALUES ('ops', 'Open', 9);
INSERT INTO vsm.work_item_types VALUES ('');
SELECT md5(json_agg(s ORDER BY id)::text) = :'stages' AS same FROM vsm.stages s;
SELECT md5(json_agg(v ORDER BY id)::text) = :'streams' AS same FROM vsm.value_streams v;
SELECT count(*) FROM vsm.work_item_types;

-- A stream may be defined by hand, stage by stage.
INSERT INTO vsm.value_streams (name) VALUES ('hand');
SELECT vsm.create_work_item('too early', stream => 'hand');
INSERT INTO vsm.stages (stream, name, "order", category) VALUES ('hand', 'First', 0, 'wait');
INSERT INTO vsm.stages (stream, name, "order", category) VALUES ('hand', 'Last', 1, 'done');
SELECT name, type FROM vsm.stages WHERE stream = 'hand' ORDER BY "order";
SELECT title FROM vsm.create_work_item('in time', stream => 'hand');
