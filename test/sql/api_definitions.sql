-- Streams, stages and types defined through vsm_api: what is given changes, the rest stays, and errors name what to do.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
\pset null (null)
CREATE EXTENSION vsm;
SELECT vsm_api.add_stream('ship', '[{"name":"New","category":"wait"},{"name":"Doing","wip_limit":3},{"name":"Done","category":"done"}]', 'Europe/Berlin')::jsonb - 'created_at' AS stream;
SELECT vsm_api.add_stream('ship');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.define_stream('ship', reopen_rule => 'episodes')::jsonb - 'created_at' AS stream;
SELECT vsm_api.define_stream('ship', 'boat', commitment_stage => 'New')::jsonb - 'created_at' AS stream;
SELECT vsm_api.define_stream('ship', 'boat');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.define_stream('boat', 'boat', time_zone => 'Nowhere');

-- A stage goes where it is told to, or before those where work ends.
SELECT vsm_api.add_stage('Review', 'boat', 'wait', 2);
SELECT vsm_api.add_stage('Dropped', 'boat', 'discarded');
SELECT vsm_api.add_stage('Sorting', 'boat', "order" => 2);
SELECT vsm_api.add_stage('Far', 'boat', "order" => 50);
SELECT vsm_api.add_stage('Far', 'boat');
SELECT vsm_api.add_stage('Odd', 'boat', 'odd');
SELECT vsm_api.add_stage('Zero', 'boat', wip_limit => 0);
SELECT vsm_api.add_stage('x', 'nowhere');
SELECT name, "order", category, wip_limit FROM vsm.stages ORDER BY "order";

-- Defined anew, it keeps its id, its place and its history.
SELECT id AS sorting FROM vsm.stages WHERE name = 'Sorting' \gset
SELECT (vsm.create_work_item('item', stream => 'boat')).title, (vsm.transition(1, 'Sorting')).to_stage_id = :sorting AS moved;
SELECT vsm_api.change_stage(:sorting, 'Triage', 'wait', 4, 'own type', 'described');
SELECT vsm_api.change_stage(:sorting, 'Triage');
SELECT vsm_api.change_stage(:sorting, 'Triage', "order" => 5);
SELECT vsm_api.change_stage(:sorting, 'Triage', "order" => 5, retired => true);
SELECT vsm_api.change_stage(:sorting, 'Done');
SELECT vsm_api.change_stage(0, 'Nothing');
SELECT name, "order", category, wip_limit, retired_at IS NOT NULL AS retired FROM vsm.stages ORDER BY "order";
SELECT to_stage FROM vsm.history(1);
SELECT vsm_api.delete_stage(:sorting);
SELECT vsm_api.delete_stage((SELECT id FROM vsm.stages WHERE name = 'Far'));
SELECT vsm_api.delete_stage((SELECT id FROM vsm.stages WHERE name = 'Done'));
SELECT vsm_api.delete_stage(0);

-- Types.
SELECT vsm_api.add_type('incident'), vsm_api.rename_type('task', 'chore'), vsm_api.rename_type('chore', 'chore'), vsm_api.delete_type('epic');
SELECT vsm_api.types(), (SELECT type FROM vsm.work_items) AS type_of_item;
SELECT vsm_api.add_type('incident');
SELECT vsm_api.add_type('');
SELECT vsm_api.rename_type('nothing', 'something');
SELECT vsm_api.rename_type('bug', 'incident');
SELECT vsm_api.delete_type('chore');
SELECT vsm_api.delete_type('nothing');

SELECT vsm_api.delete_stream('boat');
DELETE FROM vsm.work_items;
SELECT vsm_api.delete_stream('boat')::jsonb - 'created_at' AS stream;
SELECT vsm_api.delete_stream('boat');

-- Only admins define, and those of a stream define that stream.
SELECT (vsm.define_stream('mine')).name AS mine, (vsm.define_stream('theirs')).name AS theirs;
SELECT id AS mine FROM vsm.stages WHERE stream = 'mine' AND name = 'Testing' \gset
SELECT id AS theirs FROM vsm.stages WHERE stream = 'theirs' AND name = 'Testing' \gset
CREATE ROLE regress_vsm_writer;
CREATE ROLE regress_vsm_one;
SELECT vsm.grant_access('regress_vsm_writer', 'writer'), vsm.grant_access('regress_vsm_one', 'admin', 'mine'), vsm.grant_access('regress_vsm_one', 'reader', 'theirs');
SET ROLE regress_vsm_writer;
SELECT vsm_api.define_stream('mine', time_zone => 'Europe/Berlin');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.add_stage('More', 'mine');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.change_stage(:mine, 'More');
SELECT vsm_api.delete_stage(:mine);
SELECT vsm_api.add_type('more');
SELECT vsm_api.delete_stream('mine');
SET ROLE regress_vsm_one;
SELECT vsm_api.define_stream('mine', time_zone => 'Europe/Berlin')::jsonb ->> 'time_zone' AS zone;
SELECT vsm_api.add_stage('More', 'mine')::jsonb ->> 'name' AS added, vsm_api.change_stage(:mine, 'Trying')::jsonb ->> 'name' AS changed;
SELECT vsm_api.define_stream('theirs', time_zone => 'Europe/Berlin');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.define_stream('theirs', 'ours');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.add_stage('More', 'theirs');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.change_stage(:theirs, 'More');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.delete_stage(:theirs);
SELECT vsm_api.delete_stream('theirs');
SELECT vsm_api.add_type('more');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.rename_type('bug', 'more');
\echo :LAST_ERROR_SQLSTATE
SELECT vsm_api.delete_type('bug');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT name, time_zone FROM vsm.value_streams ORDER BY name COLLATE "C";
SELECT count(*) FROM vsm.stages WHERE stream = 'theirs';
DROP OWNED BY regress_vsm_writer, regress_vsm_one;
DROP ROLE regress_vsm_writer, regress_vsm_one;
