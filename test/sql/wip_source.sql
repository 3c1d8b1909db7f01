-- vsm.wip says where its figures come from: shared memory when the server has counters, else the table; the figures are the same.
\set SHOW_CONTEXT never
SELECT current_setting('shared_preload_libraries') ~ '\yvsm\y' OR current_setting('server_version_num')::integer >= 170000 AS counters \gset
CREATE EXTENSION vsm;
INSERT INTO vsm.work_items (title) VALUES ('a'), ('b'), ('c');
SELECT count(*) FROM vsm.transition(1, 'Testing');
SELECT stream, stage, wip, wip_limit, category, "order", source = CASE WHEN :'counters' THEN 'shared memory' ELSE 'table' END AS source_right FROM vsm.wip;
SELECT stage, table_count, (counter, difference, reserved) IS NOT DISTINCT FROM
       (CASE WHEN :'counters' THEN table_count END, CASE WHEN :'counters' THEN 0 END, CASE WHEN :'counters' THEN 0 END) AS counter_right
FROM vsm.wip_check();

-- A transaction that gives the table new storage counts it until its end.
BEGIN;
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('new');
SELECT stage, wip, source FROM vsm.wip WHERE wip > 0;
SELECT * FROM vsm.wip_check() WHERE stage = 'Backlog';
SELECT * FROM vsm.wip_rebuild();
ROLLBACK;
SELECT stage, wip, source = CASE WHEN :'counters' THEN 'shared memory' ELSE 'table' END AS source_right FROM vsm.wip WHERE wip > 0;

-- In any transaction, also as a role that may only read.
CREATE ROLE regress_vsm_reader;
SELECT vsm.grant_access('regress_vsm_reader', 'reader');
SET ROLE regress_vsm_reader;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT stage, wip FROM vsm.wip WHERE wip > 0;
SELECT stage, table_count FROM vsm.wip_check() WHERE table_count > 0;
COMMIT;
SELECT * FROM vsm.wip_rebuild();
RESET ROLE;
DROP OWNED BY regress_vsm_reader;
DROP ROLE regress_vsm_reader;

-- The number of places is fixed when the server starts.
DO $$
BEGIN
    SET vsm.max_stages = 2048;
EXCEPTION WHEN cant_change_runtime_param THEN
    RAISE NOTICE 'vsm.max_stages is still %', current_setting('vsm.max_stages');
END $$;
