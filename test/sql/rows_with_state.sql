-- Rows that arrive with their state filled in are taken as they are, and record nothing, where a dump is restored or the owner says so.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');

-- A restore: the settings with which pg_dump begins a script.
SET check_function_bodies = off;
SELECT pg_catalog.set_config('search_path', '', false);
COPY vsm.work_items (id, stream, external_id, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened, backward_moves, discarded, furthest_stage_id) FROM stdin;
11	default	A	copied	bug	2024-01-01 00:00+00	2024-01-09 00:00+00	4	2024-01-05 00:00+00	2024-01-02 00:00+00	\N	2 days	1 day	1	2	0	6
\.
INSERT INTO vsm.work_items VALUES
    (12, 'default', NULL, 'inserted', 'task', '2024-01-01', '2024-01-09', 6, '2024-01-05', '2024-01-02', '2024-01-05', '3 days', '0', 0, 0, NULL, 0, 6);
SELECT id, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at, active_time, wait_time, reopened, backward_moves
FROM vsm.work_items ORDER BY id;
SELECT count(*) FROM vsm.stage_transitions;

-- The ledger of a restore comes by itself.
COPY vsm.stage_transitions (work_item_id, id, from_stage_id, to_stage_id, "timestamp", recorded_at, time_in_stage, reason, actor, stream_id) FROM stdin;
11	101	\N	1	2024-01-01 00:00+00	2024-01-01 00:00+00	\N	\N	ann	1
11	102	1	4	2024-01-02 00:00+00	2024-01-02 00:00+00	1 day	why	ann	1
\.
RESET check_function_bodies;
RESET search_path;
SELECT from_stage, to_stage, "timestamp", time_in_stage, reason, actor FROM vsm.history(11);

-- Else not from the owner either: a copied item would have no history.
INSERT INTO vsm.work_items (title, created_at, updated_at, stage_id, stage_entered_at, started_at, active_time, wait_time, reopened, backward_moves, discarded)
SELECT title, created_at, updated_at, stage_id, stage_entered_at, started_at, active_time, wait_time, reopened, backward_moves, discarded FROM vsm.work_items WHERE id = 11;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items SELECT id + 1000, stream, NULL, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at,
    active_time, wait_time, reopened, backward_moves FROM vsm.work_items;
COPY vsm.work_items FROM stdin;
21	default	\N	copied	bug	2024-01-01 00:00+00	2024-01-09 00:00+00	4	2024-01-05 00:00+00	2024-01-02 00:00+00	\N	2 days	1 day	1	2	\N	0	6	Testing	{}
\.
-- Neither of the two settings alone will do.
SET check_function_bodies = off;
INSERT INTO vsm.work_items SELECT id + 1000, stream, NULL, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at,
    active_time, wait_time, reopened, backward_moves FROM vsm.work_items WHERE id = 11;
RESET check_function_bodies;
SET search_path = '';
INSERT INTO vsm.work_items SELECT id OPERATOR(pg_catalog.+) 1000, stream, NULL, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at,
    active_time, wait_time, reopened, backward_moves FROM vsm.work_items WHERE id = 11;
RESET search_path;
-- Its state and history by the columns that may be given.
BEGIN;
INSERT INTO vsm.work_items (stream, title, type, created_at, stage_id) SELECT stream, title, type, created_at, stage_id FROM vsm.work_items WHERE id = 11
RETURNING id AS copy \gset
SELECT from_stage, to_stage, "timestamp" FROM vsm.history(:copy);
ROLLBACK;

-- A live row next to them in the same statement is placed and recorded.
SET vsm.recording = off;
INSERT INTO vsm.work_items (id, title, created_at, updated_at, stage_id, stage_entered_at, active_time, wait_time, reopened, backward_moves, discarded)
VALUES (13, 'filled', '2024-01-01', '2024-01-01', 2, '2024-01-01', '0', '0', 0, 0, 0),
       (14, 'live', '2024-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT w.id, w.stage_id, t.to_stage_id AS recorded FROM vsm.work_items w LEFT JOIN vsm.stage_transitions t ON t.work_item_id = w.id
WHERE w.id IN (13, 14) ORDER BY w.id;

-- Also after a live row of that id was about to be inserted and was not.
BEGIN;
INSERT INTO vsm.work_items (id, title, external_id) VALUES (17, 'never stored', 'A') ON CONFLICT DO NOTHING;
INSERT INTO vsm.work_items (id, title, created_at, updated_at, stage_id, stage_entered_at, active_time, wait_time, reopened, backward_moves, discarded)
VALUES (17, 'filled', '2024-01-01', '2024-01-01', 2, '2024-01-01', '0', '0', 0, 0, 0);
SELECT count(*) AS recorded FROM vsm.stage_transitions WHERE work_item_id = 17;
ROLLBACK;
-- Such an item has no history, and vsm.data_quality() says so.
SELECT finding, items FROM vsm.data_quality() WHERE items <> 0 ORDER BY finding COLLATE "C";

-- The title is checked as always; stage and type are not, as a restore may bring the definitions later.
INSERT INTO vsm.work_items VALUES
    (15, 'default', NULL, '', 'task', '2024-01-01', '2024-01-09', 6, '2024-01-05', '2024-01-02', '2024-01-05', '3 days', '0', 0, 0, NULL, 0, 6);
RESET vsm.recording;

-- From there on they move like others.
SELECT work_item_id, from_stage_id, to_stage_id, time_in_stage FROM vsm.transition(11, 'Testing', '2024-01-06 12:00');
SELECT work_item_id, from_stage_id, to_stage_id, time_in_stage FROM vsm.transition(11, 'Deployment', '2024-01-06 12:00');
SELECT active_time, wait_time, reopened, backward_moves, started_at, stage_entered_at FROM vsm.work_items WHERE id = 11;

-- A half-filled state is refused: it is neither a copy nor a live row.
INSERT INTO vsm.work_items (title, started_at) VALUES ('half', '2024-01-01');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items (title, completed_at) VALUES ('half', '2024-01-01');
INSERT INTO vsm.work_items (title, active_time) VALUES ('half', '1 day');
INSERT INTO vsm.work_items (title, reopened) VALUES ('half', 0);
INSERT INTO vsm.work_items (title, backward_moves) VALUES ('half', 0);

-- Roles that do not own the tables may not fill it in.
CREATE ROLE regress_vsm_writer;
SELECT vsm.grant_access('regress_vsm_writer', 'writer');
SET ROLE regress_vsm_writer;
INSERT INTO vsm.work_items VALUES
    (16, 'default', NULL, 'forged', 'task', '2024-01-01', '2024-01-09', 6, '2024-01-05', '2024-01-02', '2024-01-05', '3 days', '0', 0, 0, NULL, 0, 6);
\echo :LAST_ERROR_SQLSTATE
-- not by what a restore sets, nor by turning off the recording
SET check_function_bodies = off;
SET search_path = '';
INSERT INTO vsm.work_items VALUES
    (16, 'default', NULL, 'forged', 'task', '2024-01-01', '2024-01-09', 6, '2024-01-05', '2024-01-02', '2024-01-05', '3 days', '0', 0, 0, NULL, 0, 6);
RESET search_path;
RESET check_function_bodies;
SET vsm.recording = off;
INSERT INTO vsm.work_items VALUES
    (16, 'default', NULL, 'forged', 'task', '2024-01-01', '2024-01-09', 6, '2024-01-05', '2024-01-02', '2024-01-05', '3 days', '0', 0, 0, NULL, 0, 6);
RESET vsm.recording;
RESET ROLE;
SELECT array_agg(id ORDER BY id) FROM vsm.work_items;
DROP OWNED BY regress_vsm_writer;
DROP ROLE regress_vsm_writer;
