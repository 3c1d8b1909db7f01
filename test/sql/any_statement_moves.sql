-- INSERT, UPDATE, DELETE, COPY, ON CONFLICT, MERGE and the functions have exactly the same effect.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');

-- The state and the ledger of the items by title, ids and times aside; what the times must be is checked here.
CREATE VIEW effect AS
    SELECT w.stream, w.external_id, w.title, w.type, s.name AS stage, w.started_at IS NOT NULL AS started,
           w.completed_at IS NOT NULL AS completed, w.reopened,
           w.stage_entered_at = (SELECT max("timestamp") FROM vsm.stage_transitions WHERE work_item_id = w.id) AS entered,
           w.created_at = (SELECT min("timestamp") FROM vsm.stage_transitions WHERE work_item_id = w.id) AS created,
           w.updated_at BETWEEN w.stage_entered_at AND clock_timestamp() AS updated,
           w.started_at IS NOT DISTINCT FROM (SELECT min("timestamp") FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id
                                              WHERE t.work_item_id = w.id AND s.category = 'active') AS started_right,
           w.completed_at IS NULL OR w.completed_at = w.stage_entered_at AS completed_right,
           w.active_time + w.wait_time = coalesce(w.stage_entered_at - w.started_at, '0')
               - coalesce((SELECT sum(time_in_stage) FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.from_stage_id
                           WHERE t.work_item_id = w.id AND s.category = 'done'), '0') AS times_right,
           (SELECT string_agg(format('%s>%s %s %s', f.name, s.name, t.reason, t.actor = current_user), ', ' ORDER BY t."timestamp", t.id)
            FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id LEFT JOIN vsm.stages f ON f.id = t.from_stage_id
            WHERE t.work_item_id = w.id) AS moves,
           (SELECT bool_and(coalesce(t.time_in_stage = t."timestamp" - (SELECT max(b."timestamp") FROM vsm.stage_transitions b
                                                                        WHERE b.work_item_id = w.id AND b.id < t.id),
                                     t.from_stage_id IS NULL)
                            AND t.recorded_at BETWEEN t."timestamp" AND clock_timestamp())
            FROM vsm.stage_transitions t WHERE t.work_item_id = w.id) AS ledger_right
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1);
CREATE TABLE by_functions (LIKE effect);

-- By the functions: an item that is created, one that is moved, one that is finished and reopened.
SELECT count(*) FROM (SELECT vsm.create_work_item('item ' || n, 'bug', external_id => 'X-' || n) FROM generate_series(1, 4) n) c;
SELECT count(*) FROM (SELECT vsm.transition(id, 'Testing') FROM vsm.work_items WHERE title <> 'item 1' ORDER BY id) t;
SELECT count(*) FROM (SELECT vsm.transition(id, 'Production') FROM vsm.work_items WHERE title IN ('item 3', 'item 4') ORDER BY id) t;
SELECT count(*) FROM (SELECT vsm.transition(id, 'Backlog') FROM vsm.work_items WHERE title = 'item 4') t;
INSERT INTO by_functions SELECT * FROM effect;
SELECT title, stage, started, completed, reopened, moves FROM effect ORDER BY title COLLATE "C";
SELECT bool_and(entered) AND bool_and(created) AND bool_and(updated) AND bool_and(started_right) AND bool_and(completed_right)
       AND bool_and(times_right) AND bool_and(ledger_right) AS all_right FROM effect;
DELETE FROM vsm.work_items;

CREATE FUNCTION differs_from_functions() RETURNS TABLE (difference text, item text) LANGUAGE sql AS $$
    SELECT 'missing', d::text FROM (SELECT * FROM by_functions EXCEPT ALL SELECT * FROM effect) d
    UNION ALL
    SELECT 'too much', d::text FROM (SELECT * FROM effect EXCEPT ALL SELECT * FROM by_functions) d $$;
SELECT count(*) FROM differs_from_functions();

-- By INSERT and UPDATE of single rows.
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('item 1', 'bug', 'X-1');
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('item 2', 'bug', 'X-2');
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('item 3', 'bug', 'X-3');
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('item 4', 'bug', 'X-4');
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'item 2';
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'item 3';
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'item 4';
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title = 'item 3';
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title = 'item 4';
UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE title = 'item 4';
SELECT * FROM differs_from_functions();
DELETE FROM vsm.work_items;

-- By one statement for many rows; UPDATEs that change no stage record nothing.
INSERT INTO vsm.work_items (title, type, external_id) SELECT 'item ' || n, 'task', 'X-' || n FROM generate_series(1, 4) n;
UPDATE vsm.work_items SET type = 'bug', title = title;
UPDATE vsm.work_items SET stage_id = stage_id;
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title <> 'item 1';
UPDATE vsm.work_items w SET stage_id = s.id FROM vsm.stages s WHERE s.name = 'Production' AND w.title IN ('item 3', 'item 4');
WITH moved AS (UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE title = 'item 4' RETURNING *)
SELECT stage_id = stage('Backlog') AS moved, completed_at FROM moved;
SELECT * FROM differs_from_functions();

-- By COPY, also where the caller says the state columns' nulls.
DELETE FROM vsm.work_items;
COPY vsm.work_items (external_id, title, type) FROM stdin;
X-1	item 1	bug
X-2	item 2	bug
X-3	item 3	bug
\.
COPY vsm.work_items (title, external_id, type, created_at, stage_id, stage_entered_at, started_at, active_time, reopened) FROM stdin;
item 4	X-4	bug	\N	\N	\N	\N	\N	\N
\.
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title <> 'item 1';
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title IN ('item 3', 'item 4');
UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE title = 'item 4';
SELECT * FROM differs_from_functions();

-- By INSERT ... ON CONFLICT DO NOTHING: the second time nothing happens.
DELETE FROM vsm.work_items;
INSERT INTO vsm.work_items (title, type, external_id) SELECT 'item ' || n, 'bug', 'X-' || n FROM generate_series(1, 4) n
ON CONFLICT DO NOTHING;
INSERT INTO vsm.work_items (title, type, external_id) SELECT 'other', 'task', 'X-' || n FROM generate_series(1, 4) n
ON CONFLICT DO NOTHING RETURNING title;
INSERT INTO vsm.work_items (title, external_id) SELECT 'other', 'X-1'
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO NOTHING RETURNING title;
-- By INSERT ... ON CONFLICT DO UPDATE.
INSERT INTO vsm.work_items (title, external_id) SELECT 'other', 'X-' || n FROM generate_series(2, 4) n
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = stage('Testing');
INSERT INTO vsm.work_items AS w (title, external_id, stage_id) SELECT 'other', 'X-' || n, stage('Production') FROM generate_series(3, 4) n
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = excluded.stage_id WHERE w.type = 'bug';
INSERT INTO vsm.work_items AS w (title, external_id) VALUES ('item 4', 'X-4')
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = excluded.stage_id, title = excluded.title;
-- The stage was not given, so the item stays; to move it back, say so.
SELECT stage_id = stage('Production') AS stayed FROM vsm.work_items WHERE external_id = 'X-4';
INSERT INTO vsm.work_items AS w (title, external_id, stage_id) VALUES ('item 4', 'X-4', stage('Backlog'))
ON CONFLICT (stream, external_id) DO UPDATE SET stage_id = excluded.stage_id, title = excluded.title;
SELECT * FROM differs_from_functions();

-- By MERGE: one inserts, one moves some and inserts the rest, one deletes what is too much.
DELETE FROM vsm.work_items;
MERGE INTO vsm.work_items w USING (SELECT 'X-' || n AS key, 'item ' || n AS title FROM generate_series(2, 5) n) s ON w.external_id = s.key
WHEN NOT MATCHED THEN INSERT (title, type, external_id) VALUES (s.title, 'bug', s.key);
MERGE INTO vsm.work_items w USING (SELECT 'X-' || n AS key, 'item ' || n AS title FROM generate_series(1, 5) n) s ON w.external_id = s.key
WHEN MATCHED AND s.key = 'X-5' THEN DELETE
WHEN MATCHED THEN UPDATE SET stage_id = stage('Testing')
WHEN NOT MATCHED THEN INSERT (title, type, external_id) VALUES (s.title, 'bug', s.key);
MERGE INTO vsm.work_items w USING (VALUES ('X-3'), ('X-4')) s (key) ON w.external_id = s.key
WHEN MATCHED THEN UPDATE SET stage_id = stage('Production');
MERGE INTO vsm.work_items w USING (VALUES ('X-4')) s (key) ON w.external_id = s.key
WHEN MATCHED AND w.completed_at IS NOT NULL THEN UPDATE SET stage_id = stage('Backlog')
WHEN MATCHED THEN DO NOTHING;
SELECT * FROM differs_from_functions();
SELECT count(*) AS orphans FROM vsm.stage_transitions t WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id);

-- All of it in one transaction, and from PL/pgSQL with an exception in between.
DELETE FROM vsm.work_items;
DO $$
DECLARE
    n integer;
    item bigint;
BEGIN
    FOR n IN 1..4 LOOP
        INSERT INTO vsm.work_items (title, type, external_id) VALUES ('item ' || n, 'bug', 'X-' || n) RETURNING id INTO item;
        BEGIN
            UPDATE vsm.work_items SET stage_id = stage('Deployment') WHERE id = item;
            INSERT INTO vsm.work_items (title, external_id) VALUES ('lost', 'X-' || n);
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
        IF n > 1 THEN
            UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE id = item;
        END IF;
        IF n > 2 THEN
            PERFORM vsm.transition(item, 'Production');
        END IF;
    END LOOP;
    UPDATE vsm.work_items SET stage_id = stage('Backlog') WHERE id = item;
END $$;
SELECT * FROM differs_from_functions();

-- A row that names its stage begins there, whoever inserts it.
BEGIN;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('begins there', stage('Testing'));
INSERT INTO vsm.work_items (title, stage_id) VALUES ('delivered at once', stage('Production'));
SELECT title, stage, started, completed, started_right, completed_right, moves FROM effect WHERE title LIKE '%t%here' OR title LIKE 'del%'
ORDER BY title COLLATE "C";
ROLLBACK;

-- created_at may be given, and the id as well.
INSERT INTO vsm.work_items (id, title, created_at) VALUES (1000000, 'dated', '2024-02-29 12:00') RETURNING id, title, stage_entered_at = created_at AS entered;
SELECT id, from_stage, to_stage, "timestamp" = '2024-02-29 12:00' AS dated FROM (SELECT 1000000 AS item) i, vsm.history(item);

-- A row that was deleted and inserted again in one transaction, or one statement after a failed one, begins anew.
BEGIN;
DELETE FROM vsm.work_items WHERE id = 1000000;
INSERT INTO vsm.work_items (id, title) VALUES (1000000, 'again');
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE id = 1000000;
SAVEPOINT s;
INSERT INTO vsm.work_items (id, title) VALUES (1000000, 'twice');
ROLLBACK TO s;
INSERT INTO vsm.work_items (id, title) VALUES (1000000, 'twice') ON CONFLICT DO NOTHING;
DELETE FROM vsm.work_items WHERE id = 1000000;
INSERT INTO vsm.work_items (id, title) VALUES (1000000, 'third');
COMMIT;
SELECT title, moves, ledger_right FROM effect WHERE title IN ('again', 'twice', 'third');
