-- Clients that know all columns: nulls, values rounded to milliseconds, rows as they were read, EXCLUDED, ids of their own.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT FROM vsm_api.prepare();
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql STABLE RETURN (SELECT s.id FROM vsm.stages s WHERE s.name = $1);
CREATE VIEW shown AS
SELECT w.id, w.stream, w.external_id, w.title, w.type, s.name AS stage, w.attributes, (SELECT count(*) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id) AS moves
FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id ORDER BY w.id;

-- Null means the default in a new row, in every column but the title.
INSERT INTO vsm.work_items
VALUES (NULL, NULL, NULL, 'nulls', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO vsm.work_items (title, attributes) VALUES (NULL, NULL);
TABLE shown;
-- In a changed row, that the column stays.
SELECT to_stage_id = stage('Development') AS moved FROM vsm.transition(1, 'Development', at => (SELECT created_at FROM vsm.work_items));
UPDATE vsm.work_items
SET id = NULL, stream = NULL, title = 'saved', type = NULL, created_at = NULL, updated_at = NULL, stage_id = NULL, stage_entered_at = NULL, started_at = NULL,
    completed_at = NULL, active_time = NULL, wait_time = NULL, reopened = NULL, backward_moves = NULL, discarded_at = NULL, discarded = NULL, furthest_stage_id = NULL,
    attributes = NULL
RETURNING started_at IS NOT NULL AS started;
TABLE shown;
-- A null alone in a column that may be null is a change.
UPDATE vsm.work_items SET started_at = NULL;
UPDATE vsm.work_items SET furthest_stage_id = NULL;
-- A move beside nulls.
UPDATE vsm.work_items SET stage_id = stage('Testing'), stage_entered_at = NULL, started_at = NULL, created_at = NULL, type = NULL;
TABLE shown;

-- Times and durations to the millisecond are unchanged, rounded up or cut; a millisecond off is a change.
CREATE VIEW read AS SELECT * FROM vsm.work_items;
BEGIN;
SET LOCAL vsm.recording = off;
UPDATE vsm.work_items SET created_at = '2026-01-05 09:00:00.123456', started_at = '2026-01-05 10:00:00.999999', stage_entered_at = '2026-01-06 09:00:00.000001',
    active_time = '25:00:00.000499';
COMMIT;
UPDATE vsm.work_items SET title = 'cut', created_at = '2026-01-05 09:00:00.123', started_at = '2026-01-05 10:00:00.999', stage_entered_at = '2026-01-06 09:00:00',
    active_time = '1 day 01:00:00' RETURNING title, created_at, started_at, stage_entered_at, active_time;
UPDATE vsm.work_items SET title = 'rounded', created_at = '2026-01-05 09:00:00.124', started_at = '2026-01-05 10:00:01', stage_entered_at = '2026-01-06 09:00:00.001',
    active_time = '25:00:00.001' RETURNING title, created_at, started_at, stage_entered_at, active_time;
UPDATE vsm.work_items SET created_at = '2026-01-05 09:00:00.124457';
UPDATE vsm.work_items SET active_time = '25:00:00.0015';
UPDATE vsm.work_items SET created_at = 'infinity';
UPDATE vsm.work_items SET created_at = '-infinity', stage_entered_at = '-infinity';

-- A row as it was before a move is a lost update; one from before the item or after its move is nonsense.
UPDATE vsm.work_items SET title = 'lost', stage_id = 1, stage_entered_at = created_at, started_at = NULL, furthest_stage_id = 1;
\echo :LAST_ERROR_SQLSTATE
UPDATE vsm.work_items SET stage_entered_at = '2026-01-05 09:00';
UPDATE vsm.work_items SET stage_entered_at = '2026-01-07 09:00';
UPDATE vsm.work_items SET id = 5, stage_entered_at = created_at;
TABLE shown;

-- Upserts: a column that was not given stays, whatever EXCLUDED shows of it.
INSERT INTO vsm.work_items (external_id, title, type, stage_id) VALUES ('A', 'first', 'bug', stage('Testing'));
INSERT INTO vsm.work_items (stream, external_id, title, type, stage_id, created_at) VALUES (NULL, 'A', 'second', NULL, NULL, NULL)
ON CONFLICT (stream, external_id) DO UPDATE
SET title = excluded.title, type = excluded.type, stage_id = excluded.stage_id, created_at = excluded.created_at, updated_at = excluded.updated_at,
    stage_entered_at = excluded.stage_entered_at, started_at = excluded.started_at, completed_at = excluded.completed_at, active_time = excluded.active_time,
    wait_time = excluded.wait_time, reopened = excluded.reopened, backward_moves = excluded.backward_moves, discarded_at = excluded.discarded_at,
    discarded = excluded.discarded, furthest_stage_id = excluded.furthest_stage_id, attributes = excluded.attributes
RETURNING title, type, stage_id = stage('Testing') AS stays;
-- One that was given is written: the stage is a move, another creation an error.
INSERT INTO vsm.work_items (external_id, title, stage_id) VALUES ('A', 'third', stage('Backlog'))
ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title, stage_id = excluded.stage_id RETURNING title, stage_id = stage('Backlog') AS moved;
INSERT INTO vsm.work_items (external_id, title, created_at) VALUES ('A', 'fourth', '2026-01-01')
ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title, created_at = excluded.created_at;
-- By id, and several in one statement: new, there, there.
INSERT INTO vsm.work_items AS w (id, title, stage_id) VALUES (1, 'by id', NULL)
ON CONFLICT (id) DO UPDATE SET title = excluded.title, stage_id = excluded.stage_id RETURNING id, title, stage_id = stage('Testing') AS stays;
SELECT FROM vsm.transition((SELECT id FROM vsm.work_items WHERE external_id = 'A'), 'Deployment');
INSERT INTO vsm.work_items (external_id, title, stage_id) VALUES ('B', 'new', NULL), ('A', 'there', NULL), ('C', 'new', stage('Analysis'))
ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title, stage_id = excluded.stage_id RETURNING external_id, title, stage_id = stage('Deployment') AS stays;
-- An UPDATE beside an INSERT that ends in the same stage is no upsert.
WITH made AS (INSERT INTO vsm.work_items (external_id, title) VALUES ('D', 'made') RETURNING stage_id)
UPDATE vsm.work_items w SET stage_id = m.stage_id FROM made m WHERE w.external_id = 'A' RETURNING w.stage_id = stage('Backlog') AS moved;
INSERT INTO vsm.work_items (external_id, title) VALUES ('A', 'nothing') ON CONFLICT DO NOTHING;
UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE external_id = 'C' RETURNING stage_id = stage('Backlog') AS moved;
TABLE shown;

-- A move within the same millisecond is seen by those who keep microseconds.
INSERT INTO vsm.work_items (external_id, title, created_at) VALUES ('fast', 'fast', '2026-02-01 10:00:00.0001+00');
CREATE TABLE kept AS SELECT * FROM vsm.work_items WHERE external_id = 'fast';
SELECT FROM vsm.transition((SELECT id FROM kept), 'Testing', '2026-02-01 10:00:00.0009+00');
UPDATE vsm.work_items w SET title = 'stale', stage_id = k.stage_id, stage_entered_at = k.stage_entered_at FROM kept k WHERE w.id = k.id;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE kept;

-- Ids of the owner's move the sequence on, near or far; one that JSON cannot carry is refused.
SELECT max(id) + 3 AS near FROM vsm.work_items \gset
INSERT INTO vsm.work_items (id, title) VALUES (:near, 'near'), (2000000, 'far'), (1999999, 'between');
INSERT INTO vsm.work_items (title) VALUES ('next') RETURNING id;
INSERT INTO vsm.work_items (id, title) VALUES (9007199254740992, 'too far');
INSERT INTO vsm.stages (id, stream, name) VALUES (77, 'default', 'Own id'), (DEFAULT, 'default', 'Next id') RETURNING id;
INSERT INTO vsm.value_streams (id, name) VALUES (88, 'own id'), (DEFAULT, 'next id') RETURNING id;
INSERT INTO vsm.work_item_types (id, name) VALUES (99, 'own id'), (DEFAULT, 'next id') RETURNING id;
-- Rows that came past the triggers leave it behind.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO vsm.work_items (id, title, created_at, updated_at, stage_id, stage_entered_at, active_time, wait_time, reopened, backward_moves, discarded)
SELECT 3000000, title, created_at, updated_at, stage_id, stage_entered_at, active_time, wait_time, 0, 0, 0 FROM vsm.work_items WHERE title = 'near';
INSERT INTO vsm.stages (id, stream, name, "order", type) VALUES (300, 'default', 'Copied', 20, 'copied');
COMMIT;
SELECT * FROM vsm.sequences_catch_up();
SELECT * FROM vsm.sequences_catch_up();
INSERT INTO vsm.work_items (title) VALUES ('after') RETURNING id;
-- A sequence that was set and has issued no id since stays where it is, for an id of one's own too.
SELECT setval(s, 5000000, false) FROM unnest('{vsm.work_items_id_seq,vsm.stages_id_seq,vsm.value_streams_id_seq,vsm.work_item_types_id_seq}'::regclass[]) s;
SELECT * FROM vsm.sequences_catch_up();
INSERT INTO vsm.work_items (title) VALUES ('after setval') RETURNING id;
SELECT setval('vsm.work_items_id_seq', 8000000, false);
INSERT INTO vsm.work_items (id, title) VALUES (7000000, 'own, far');
INSERT INTO vsm.work_items (title) VALUES ('later') RETURNING id > 8000000 AS later;
INSERT INTO vsm.stages (id, stream, name) VALUES (400, 'default', 'Own, behind'), (DEFAULT, 'default', 'Later') RETURNING id >= 5000000 AS later;
INSERT INTO vsm.value_streams (id, name) VALUES (400, 'own, behind'), (DEFAULT, 'later') RETURNING id >= 5000000 AS later;
INSERT INTO vsm.work_item_types (id, name) VALUES (400, 'own, behind'), (DEFAULT, 'later') RETURNING id >= 5000000 AS later;
-- It knows every sequence of the schema.
DO $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'vsm' LOOP
        EXECUTE format('ALTER SEQUENCE vsm.%I RESTART', s.sequencename);
    END LOOP;
    SET LOCAL vsm.recording = off;
    INSERT INTO vsm._retypes (id, stream_id, work_item_id, old_type, at) VALUES (7, 1, 1, 'bug', now());
    INSERT INTO vsm._marks (id, stream_id, since, until) VALUES (6, 1, '-infinity', 'infinity');
    INSERT INTO vsm.import_refusals (id, stream, source, reason, imported_by) VALUES (8, 'default', 'x', 'x', current_user);
    INSERT INTO vsm.flow_metrics (id, stream, date, period_type, throughput, wip, created_at, started_wip) VALUES (9, 'default', '2026-01-05', 'day', 0, 0, now(), 0);
END $$;
DELETE FROM vsm.work_items WHERE id = 3000000;
SELECT c.sequence, c.before < c.after AS moved_on FROM vsm.sequences_catch_up() c
UNION ALL
SELECT 'not known: ' || q.sequencename, NULL FROM pg_sequences q
WHERE q.schemaname = 'vsm' AND position('''' || left(q.sequencename, -7) || '''' IN pg_get_functiondef('vsm.sequences_catch_up'::regproc)) = 0 ORDER BY 1;
CREATE ROLE vsm_writes_all;
SELECT FROM vsm.grant_access('vsm_writes_all', 'admin');
SET ROLE vsm_writes_all;
SELECT * FROM vsm.sequences_catch_up();
INSERT INTO vsm.work_items (id, title) VALUES (9000000, 'own id');
INSERT INTO vsm.stages (id, stream, name) VALUES (9000000, 'default', 'Mine');
RESET ROLE;
DROP OWNED BY vsm_writes_all;
DROP ROLE vsm_writes_all;
