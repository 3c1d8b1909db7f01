-- vsm.wip says what the tables hold, own changes included, whatever a transaction does and takes back; and when it has
-- ended, the counters say what is committed.
SET TimeZone = 'UTC';
SET check_function_bodies = off;
\set SHOW_CONTEXT never
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1 $$;
CREATE FUNCTION item(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.work_items WHERE title = $1 $$;
-- Of stages that hold something; is that what this transaction sees in the table, and how many counters differ from what is committed?
CREATE FUNCTION wip() RETURNS TABLE (wip text, as_in_table boolean, differences bigint) LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s', w.stage, w.wip), ', ' ORDER BY w.stream COLLATE "C", w."order") FILTER (WHERE w.wip <> 0),
           sum(w.wip) = (SELECT count(*) FROM vsm.work_items WHERE completed_at IS NULL)
           AND bool_and(w.wip = (SELECT count(*) FROM vsm.work_items i JOIN vsm.stages s ON s.id = i.stage_id
                                 WHERE s.stream = w.stream AND s.name = w.stage AND i.completed_at IS NULL)),
           (SELECT count(*) FROM vsm.wip_check() WHERE difference <> 0 OR reserved <> 0)
    FROM vsm.wip w $$;

-- All in one transaction: the extension, the stream, the items, and the first look.
BEGIN;
CREATE EXTENSION vsm;
SELECT count(*) FROM vsm.wip;
INSERT INTO vsm.work_items (title) VALUES ('a'), ('b'), ('c');
SELECT * FROM wip();
SAVEPOINT s;
SELECT count(*) FROM vsm.transition(item('a'), 'Testing');
SELECT * FROM wip();
ROLLBACK TO s;
SELECT * FROM wip();
SELECT count(*) FROM vsm.transition(item('b'), 'Analysis');
COMMIT;
BEGIN READ ONLY;
SELECT * FROM wip();
COMMIT;

-- Savepoints, released, rolled back and used again; the transaction too.
BEGIN;
SELECT count(*) FROM vsm.transition(item('a'), 'Development');
SAVEPOINT one;
SELECT count(*) FROM vsm.transition(item('a'), 'Testing');
SAVEPOINT two;
SELECT count(*) FROM vsm.transition(item('a'), 'Production');
INSERT INTO vsm.work_items (title) VALUES ('lost');
SAVEPOINT three;
DELETE FROM vsm.work_items WHERE title = 'b';
SELECT * FROM wip();
RELEASE three;
SELECT * FROM wip();
ROLLBACK TO two;
SELECT * FROM wip();
SELECT count(*) FROM vsm.transition(item('c'), 'Testing');
RELEASE two;
SELECT * FROM wip();
ROLLBACK TO one;
SELECT * FROM wip();
RELEASE one;
SELECT count(*) FROM vsm.transition(item('c'), 'Deployment');
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
BEGIN;
SAVEPOINT one;
SELECT count(*) FROM vsm.transition(item('a'), 'Development');
SAVEPOINT two;
SELECT count(*) FROM vsm.transition(item('a'), 'Testing');
RELEASE one;
SELECT count(*) FROM vsm.transition(item('a'), 'Nowhere');
SELECT * FROM wip();
ROLLBACK TO one;
COMMIT;
SELECT * FROM wip();

-- Exception blocks, also within each other: every third move is taken back, then every fifth step with all that is in it.
DO $$
BEGIN
    FOR i IN 1..60 LOOP
        BEGIN
            BEGIN
                PERFORM vsm.transition(item('a'), CASE WHEN i % 2 = 0 THEN 'Testing' ELSE 'Analysis' END);
                INSERT INTO vsm.work_items (title) VALUES ('block ' || i);
                IF i % 3 = 0 THEN RAISE 'take it back'; END IF;
            EXCEPTION WHEN raise_exception THEN
                INSERT INTO vsm.work_items (title, stage_id) VALUES ('handler ' || i, stage('Deployment'));
            END;
            IF i % 5 = 0 THEN RAISE 'take it back'; END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT * FROM wip();
DELETE FROM vsm.work_items WHERE title ~ 'block|handler';
SELECT * FROM wip();

-- Statements that fail at a later row.
INSERT INTO vsm.work_items (title) VALUES ('lost'), ('');
UPDATE vsm.work_items SET stage_id = CASE title WHEN 'c' THEN 99 ELSE stage('Testing') END;
COPY vsm.work_items (title) FROM stdin;
lost

\.
SELECT * FROM wip();

-- Many rows at once: INSERT, COPY, UPDATE, DELETE, one statement within another.
INSERT INTO vsm.work_items (title) SELECT 'many ' || n FROM generate_series(1, 20) n;
COPY vsm.work_items (title, stage_id) FROM stdin;
copied 1	\N
copied 2	3
copied 3	6
\.
SELECT * FROM wip();
UPDATE vsm.work_items SET stage_id = stage(CASE id % 3 WHEN 0 THEN 'Testing' WHEN 1 THEN 'Development' ELSE 'Production' END) WHERE title ~ 'many';
SELECT * FROM wip();
UPDATE vsm.work_items SET stage_id = stage('Deployment') WHERE completed_at IS NOT NULL;
SELECT * FROM wip();
UPDATE vsm.work_items SET title = title, stage_id = stage_id;
WITH moved AS (UPDATE vsm.work_items SET stage_id = stage('Analysis') WHERE title = 'copied 1' RETURNING id),
     gone AS (DELETE FROM vsm.work_items WHERE title ~ 'many' RETURNING id)
INSERT INTO vsm.work_items (title) SELECT 'after ' || count(*) FROM moved, gone;
SELECT * FROM wip();
DELETE FROM vsm.work_items WHERE title IN ('copied 3', 'copied 1');
SELECT * FROM wip();

-- ON CONFLICT and MERGE: only what is stored counts.
INSERT INTO vsm.work_items (title, external_id) VALUES ('x', 'X'), ('y', 'Y');
INSERT INTO vsm.work_items (title, external_id) VALUES ('other', 'X'), ('z', 'Z') ON CONFLICT DO NOTHING;
INSERT INTO vsm.work_items (title, external_id) VALUES ('other', 'Y'), ('w', 'W')
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = stage('Testing');
SELECT * FROM wip();
MERGE INTO vsm.work_items w USING (VALUES ('W', 'Development'), ('X', 'Production'), ('Y', NULL), ('V', NULL)) v (id, stage) ON w.external_id = v.id
WHEN MATCHED AND v.stage IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET stage_id = stage(v.stage)
WHEN NOT MATCHED THEN INSERT (title, external_id) VALUES (v.id, v.id);
SELECT * FROM wip();

-- Rows that a trigger of the user's own cancels, and moves that one makes when the transaction ends.
CREATE FUNCTION decide() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER decide BEFORE INSERT OR UPDATE OR DELETE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION decide();
INSERT INTO vsm.work_items (title) VALUES ('cancelled');
UPDATE vsm.work_items SET stage_id = stage('Testing');
DELETE FROM vsm.work_items;
SELECT * FROM wip();
DROP TRIGGER decide ON vsm.work_items;
CREATE FUNCTION move_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE vsm.work_items SET stage_id = stage('Deployment') WHERE id = new.id; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER move_on AFTER INSERT ON vsm.work_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION move_on();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('deferred');
SELECT * FROM wip();
COMMIT;
SELECT * FROM wip();
DROP TRIGGER move_on ON vsm.work_items;
-- A cursor WITH HOLD runs its query when the transaction commits, after which no user's code runs any more.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT count(*) AS moved FROM vsm.transition(item('deferred'), 'Testing');
SELECT * FROM wip();
COMMIT;
SELECT * FROM wip();
FETCH held;
CLOSE held;

-- TRUNCATE with moves before and after it, in savepoints and not.
BEGIN;
SELECT count(*) FROM vsm.transition(item('z'), 'Testing');
SAVEPOINT one;
TRUNCATE vsm.work_items;
SELECT * FROM wip();
INSERT INTO vsm.work_items (title) VALUES ('lost');
SELECT * FROM wip();
ROLLBACK TO one;
SELECT * FROM wip();
SELECT count(*) FROM vsm.transition(item('w'), 'Testing');
SELECT * FROM wip();
COMMIT;
SELECT * FROM wip();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
SAVEPOINT one;
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('kept'), ('kept too');
SAVEPOINT two;
SELECT count(*) FROM vsm.transition(item('kept'), 'Testing');
ROLLBACK TO two;
RELEASE one;
SELECT count(*) FROM vsm.transition(item('kept too'), 'Analysis');
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
SAVEPOINT one;
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('kept'), ('kept too');
RELEASE one;
SELECT count(*) FROM vsm.transition(item('kept too'), 'Analysis');
COMMIT;
SELECT * FROM wip();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('lost');
TRUNCATE vsm.work_items;
SAVEPOINT one;
INSERT INTO vsm.work_items (title) VALUES ('lost');
ROLLBACK TO one;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('a', stage('Testing')), ('b', stage('Testing')), ('c', NULL);
COMMIT;
SELECT * FROM wip();

-- Stages: another category, retired, renamed, dropped, added.
BEGIN;
UPDATE vsm.stages SET category = 'done' WHERE name = 'Testing';
SELECT * FROM wip();
SAVEPOINT one;
UPDATE vsm.stages SET category = 'wait' WHERE name = 'Testing';
SELECT * FROM wip();
ROLLBACK TO one;
SELECT count(*) FROM vsm.transition(item('c'), 'Testing');
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
UPDATE vsm.stages SET category = 'done' WHERE name = 'Testing';
SELECT * FROM wip();
SELECT count(*) FROM vsm.transition(item('c'), 'Testing');
UPDATE vsm.stages SET category = 'active' WHERE name = 'Testing';
SELECT * FROM wip();
BEGIN;
UPDATE vsm.stages SET retired_at = now() WHERE name = 'Testing';
SELECT * FROM wip();
SELECT count(*) FROM vsm.work_items, vsm.transition(id, 'Analysis');
SELECT stage, wip FROM vsm.wip ORDER BY "order";
ROLLBACK;
UPDATE vsm.stages SET name = 'Test' WHERE name = 'Testing';
SELECT * FROM wip();
BEGIN;
INSERT INTO vsm.stages (name, "order") VALUES ('Review', 10);
SELECT count(*) FROM vsm.transition(item('a'), 'Review');
SELECT * FROM wip();
SAVEPOINT one;
SELECT count(*) FROM vsm.transition(item('a'), 'Test');
DELETE FROM vsm.stages WHERE name = 'Deployment';
SELECT stage, wip FROM vsm.wip ORDER BY "order";
RELEASE one;
ROLLBACK;
SELECT stage, wip FROM vsm.wip ORDER BY "order";
BEGIN;
INSERT INTO vsm.stages (name, "order") VALUES ('Review', 10);
SELECT count(*) FROM vsm.transition(item('a'), 'Review');
COMMIT;
SELECT * FROM wip();
DELETE FROM vsm.work_items WHERE title = 'a';
DELETE FROM vsm.stages WHERE name = 'Review';
SELECT * FROM wip();
BEGIN;
SELECT name FROM vsm.define_stream('second', '[{"name": "To do", "category": "wait"}, {"name": "Done", "category": "done"}]');
INSERT INTO vsm.work_items (title, stream) VALUES ('s', 'second'), ('t', 'second');
SELECT * FROM wip();
COMMIT;
UPDATE vsm.value_streams SET name = 'renamed' WHERE name = 'second';
SELECT * FROM wip();
BEGIN;
DELETE FROM vsm.work_items WHERE stream = 'renamed';
DELETE FROM vsm.value_streams WHERE name = 'renamed';
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();

-- Under session_replication_role = replica rows come as they are, without a ledger row.
CREATE TABLE copy AS SELECT * FROM vsm.work_items;
SET session_replication_role = replica;
DELETE FROM vsm.work_items WHERE stream = 'default';
SELECT * FROM wip();
INSERT INTO vsm.work_items SELECT * FROM copy WHERE stream = 'default';
SELECT * FROM wip();
UPDATE vsm.work_items SET stage_id = stage('Deployment') WHERE title = 'b';
SELECT * FROM wip();
UPDATE vsm.work_items SET stage_id = stage('Production'), completed_at = now() WHERE title = 'b';
SELECT * FROM wip();
BEGIN;
TRUNCATE vsm.work_items;
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
TRUNCATE vsm.work_items;
SELECT * FROM wip();
INSERT INTO vsm.work_items SELECT * FROM copy;
RESET session_replication_role;
SELECT * FROM wip();
-- So do rows with their state filled in, and repairs by the owner.
DELETE FROM vsm.work_items;
SET vsm.recording = off;
INSERT INTO vsm.work_items SELECT * FROM copy;
RESET vsm.recording;
SELECT * FROM wip();
SET vsm.recording = off;
UPDATE vsm.work_items SET stage_id = stage('Deployment') WHERE title = 'c';
SELECT * FROM wip();
UPDATE vsm.work_items SET stage_id = stage('Production'), completed_at = now() WHERE title = 'b';
SELECT * FROM wip();
RESET vsm.recording;

-- Tables written anew, by a transaction that also moves items, and that only does that.
BEGIN;
SELECT count(*) FROM vsm.transition(item('c'), 'Analysis');
ALTER TABLE vsm.work_items SET UNLOGGED;
INSERT INTO vsm.work_items (title) VALUES ('d');
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
BEGIN;
SELECT count(*) FROM vsm.transition(item('c'), 'Analysis');
ALTER TABLE vsm.work_items SET UNLOGGED;
INSERT INTO vsm.work_items (title) VALUES ('d');
COMMIT;
SELECT * FROM wip();
ALTER TABLE vsm.work_items SET LOGGED;
SELECT * FROM wip();
CLUSTER vsm.work_items USING work_items_pkey;
VACUUM FULL vsm.work_items;
SELECT count(*) FROM vsm.transition(item('d'), 'Test');
SELECT * FROM wip();

-- The extension dropped and made again, by a transaction that is rolled back and by one that is not.
BEGIN;
DROP EXTENSION vsm;
CREATE EXTENSION vsm;
INSERT INTO vsm.work_items (title) VALUES ('new');
SELECT * FROM wip();
ROLLBACK;
SELECT * FROM wip();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('lost');
DROP EXTENSION vsm;
CREATE EXTENSION vsm;
INSERT INTO vsm.work_items (title) VALUES ('new'), ('new');
COMMIT;
SELECT * FROM wip();
