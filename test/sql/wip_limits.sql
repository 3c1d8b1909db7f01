-- No path leads into a stage that is full; what leaves it makes room, and a refusal leaves nothing behind.
SET TimeZone = 'UTC';
SET check_function_bodies = off;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Inbox", "category": "wait", "wip_limit": 4}, {"name": "Work"},
    {"name": "Test", "wip_limit": 2}, {"name": "Wait", "category": "wait", "wip_limit": 1}, {"name": "Done", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1 $$;
CREATE FUNCTION item(text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM vsm.work_items WHERE title = $1 $$;
-- Items in each stage, of how many; and what should be 0 after each transaction: reservations, differences from the table.
CREATE FUNCTION held() RETURNS TABLE (held text, left_over bigint) LANGUAGE sql AS $$
    SELECT string_agg(concat_ws('/', w.stage || ' ' || w.wip, w.wip_limit), ', ' ORDER BY w.stream COLLATE "C", w."order"),
           (SELECT coalesce(sum(abs(c.reserved) + abs(c.difference)), 0) FROM vsm.wip_check() c)::bigint
    FROM vsm.wip w $$;
-- What becomes of a statement.
CREATE FUNCTION try(statement text) RETURNS TABLE (state text, "constraint" text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'done';
    RETURN NEXT;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, "constraint" = CONSTRAINT_NAME, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;

-- Creating: as many as there is room for, in one statement or in many.
SELECT title FROM vsm.create_work_item('a', external_id => 'A');
INSERT INTO vsm.work_items (title) VALUES ('b');
INSERT INTO vsm.work_items (title) VALUES ('lost'), ('lost'), ('lost');
COPY vsm.work_items (title) FROM stdin;
lost
lost
lost
\.
SELECT * FROM held();
INSERT INTO vsm.work_items (title) VALUES ('c');
COPY vsm.work_items (title, external_id) FROM stdin;
d	D
\.
SELECT * FROM held();
SELECT * FROM try('INSERT INTO vsm.work_items (title) VALUES ($$lost$$)');
SELECT "constraint", message FROM try('SELECT vsm.create_work_item($$lost$$)');
SELECT "constraint", message FROM try('MERGE INTO vsm.work_items w USING (VALUES (1)) v ON w.title = $$lost$$ WHEN NOT MATCHED THEN INSERT (title) VALUES ($$lost$$)');
SELECT "constraint", message FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$e$$, stage($$Wait$$)), ($$lost$$, stage($$Wait$$))');
SELECT "constraint", message FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$e$$, stage($$Wait$$))');
SELECT "constraint", message FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$lost$$, stage($$Wait$$))');
SELECT * FROM held();
SELECT count(*) AS items, (SELECT count(*) FROM vsm.stage_transitions) AS moves FROM vsm.work_items;
-- An item that is there already needs no room.
INSERT INTO vsm.work_items (title, external_id) VALUES ('other', 'A') ON CONFLICT DO NOTHING;
INSERT INTO vsm.work_items (title, external_id) VALUES ('d', 'D')
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET title = excluded.title;
INSERT INTO vsm.work_items (title, external_id) VALUES ('d', 'D')
ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = stage('Inbox');
SELECT to_stage_id = stage('Inbox') AS there FROM vsm.transition(item('a'), 'Inbox');
UPDATE vsm.work_items SET stage_id = stage_id, title = title;
SELECT * FROM held();

-- Moving: by function, by UPDATE of one and of many, by upsert, by MERGE.
SELECT to_stage_id = stage('Test') AS there FROM vsm.transition(item('a'), 'Test');
UPDATE vsm.work_items SET stage_id = stage('Test') WHERE title IN ('b', 'c');
SELECT * FROM held();
UPDATE vsm.work_items SET stage_id = stage('Test') WHERE title = 'b';
SELECT * FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
SELECT "constraint", message FROM try('UPDATE vsm.work_items SET stage_id = stage($$Test$$) WHERE title = $$c$$');
SELECT "constraint", message FROM try('INSERT INTO vsm.work_items (title, external_id) VALUES ($$d$$, $$D$$)
    ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = stage($$Test$$)');
SELECT "constraint", message FROM try('MERGE INTO vsm.work_items w USING (VALUES ($$c$$)) v (title) ON w.title = v.title WHEN MATCHED THEN UPDATE SET stage_id = stage($$Test$$)');
SELECT "constraint", message FROM try('WITH moved AS (UPDATE vsm.work_items SET stage_id = stage($$Test$$) WHERE title = $$c$$ RETURNING id) SELECT count(*) FROM moved');
SELECT "constraint", message FROM try('SELECT vsm.transition(item($$d$$), $$Wait$$)');
SELECT * FROM held();
-- What leaves makes room: a move, a completion, a deletion.
SELECT count(*) FROM vsm.transition(item('a'), 'Done');
SELECT message FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
DELETE FROM vsm.work_items WHERE title = 'b';
SELECT message FROM try('SELECT vsm.transition(item($$d$$), $$Test$$)');
SELECT message FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
-- Reopening is an entry like any other.
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Inbox$$)');
SELECT * FROM held();

-- In one transaction: the entries so far count, and what has left by an earlier statement makes room.
BEGIN;
SELECT "constraint", message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT count(*) FROM vsm.transition(item('c'), 'Work');
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
SELECT count(*) FROM vsm.transition(item('a'), 'Work');
SELECT message FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
DELETE FROM vsm.work_items WHERE title = 'd';
INSERT INTO vsm.work_items (title, stage_id) VALUES ('f', stage('Test'));
SELECT message, detail FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$lost$$, stage($$Test$$))');
COMMIT;
SELECT * FROM held();
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('g'), ('h'), ('i'), ('j');
SELECT message, detail FROM try('INSERT INTO vsm.work_items (title) VALUES ($$lost$$)');
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE title = 'g';
SELECT message, detail FROM try('INSERT INTO vsm.work_items (title) VALUES ($$k$$)');
SELECT message, detail FROM try('INSERT INTO vsm.work_items (title) VALUES ($$lost$$)');
SELECT message, detail FROM try('UPDATE vsm.work_items SET stage_id = stage($$Inbox$$) WHERE title = $$g$$');
COMMIT;
SELECT * FROM held();
DELETE FROM vsm.work_items WHERE title > 'f';
-- To and fro many times needs no more places than items.
DO $$
BEGIN
    FOR i IN 1..10 LOOP
        PERFORM vsm.transition(item('f'), 'Work');
        PERFORM vsm.transition(item('a'), 'Test');
        PERFORM vsm.transition(item('a'), 'Work');
        PERFORM vsm.transition(item('f'), 'Test');
    END LOOP;
END $$;
SELECT * FROM held();

-- Savepoints and exception blocks give places back.
DELETE FROM vsm.work_items WHERE title = 'f';
BEGIN;
SAVEPOINT one;
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT message FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$f$$, stage($$Test$$))');
ROLLBACK TO one;
SELECT message FROM try('INSERT INTO vsm.work_items (title, stage_id) VALUES ($$f$$, stage($$Test$$))');
SAVEPOINT two;
SELECT count(*) FROM vsm.transition(item('c'), 'Work');
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
ROLLBACK TO two;
SELECT message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SAVEPOINT three;
SELECT count(*) FROM vsm.transition(item('c'), 'Work');
RELEASE three;
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
ROLLBACK TO two;
COMMIT;
SELECT * FROM held();
DO $$
BEGIN
    FOR i IN 1..20 LOOP
        BEGIN
            PERFORM vsm.transition(item('f'), 'Work');
            PERFORM vsm.transition(item('a'), 'Test');
            RAISE 'take it back';
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT * FROM held();

-- Limits set, lowered, raised and removed.
UPDATE vsm.stages SET wip_limit = 1 WHERE name = 'Test';
SELECT message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT count(*) FROM vsm.transition(item('c'), 'Work');
SELECT message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT count(*) FROM vsm.transition(item('f'), 'Work');
SELECT message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
UPDATE vsm.stages SET wip_limit = 2 WHERE name = 'Test';
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
UPDATE vsm.stages SET wip_limit = NULL WHERE name = 'Test';
SELECT message, detail FROM try('SELECT vsm.transition(item($$f$$), $$Test$$)');
SELECT * FROM held();
-- Of a stage that holds too many, one that leaves makes no room yet: not for others, and not for the transaction itself.
UPDATE vsm.stages SET wip_limit = 2 WHERE name = 'Test';
INSERT INTO vsm.work_items (title, stage_id) VALUES ('g', stage('Work'));
BEGIN;
SELECT count(*) FROM vsm.transition(item('a'), 'Work');
SELECT message, detail FROM try('SELECT vsm.transition(item($$g$$), $$Test$$)');
SELECT count(*) FROM vsm.transition(item('c'), 'Work');
SELECT message, detail FROM try('SELECT vsm.transition(item($$g$$), $$Test$$)');
COMMIT;
SELECT * FROM held();
-- What this transaction had moved in before it set the limit counts, too.
UPDATE vsm.stages SET wip_limit = NULL WHERE name = 'Test';
BEGIN;
SELECT message FROM try('SELECT vsm.transition(item($$a$$), $$Test$$)');
UPDATE vsm.stages SET wip_limit = 3 WHERE name = 'Test';
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Test$$)');
ROLLBACK;
SELECT * FROM held();
BEGIN;
INSERT INTO vsm.stages (name, "order", wip_limit) VALUES ('Review', 10, 1);
SELECT message, detail FROM try('SELECT vsm.transition(item($$a$$), $$Review$$)');
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Review$$)');
COMMIT;
SELECT message, detail FROM try('SELECT vsm.transition(item($$c$$), $$Review$$)');
SELECT * FROM held();
-- Bad limits.
UPDATE vsm.stages SET wip_limit = 1 WHERE name = 'Done';
UPDATE vsm.stages SET category = 'done' WHERE name = 'Review';
INSERT INTO vsm.stages (name, "order", category, wip_limit) VALUES ('Archive', 11, 'done', 5);
SELECT name FROM vsm.define_stream('bad', '[{"name": "Open", "category": "wait"}, {"name": "Closed", "category": "done", "wip_limit": 1}]');
UPDATE vsm.stages SET wip_limit = 0 WHERE name = 'Test';

-- Done stages have no limit, and other streams another one.
UPDATE vsm.work_items SET stage_id = stage('Done');
SELECT name FROM vsm.define_stream('other', '[{"name": "Inbox", "category": "wait", "wip_limit": 1}, {"name": "Done", "category": "done"}]');
INSERT INTO vsm.work_items (title, stream) VALUES ('o', 'other');
INSERT INTO vsm.work_items (title) VALUES ('l'), ('m'), ('n'), ('p');
SELECT message FROM try('INSERT INTO vsm.work_items (title, stream) VALUES ($$lost$$, $$other$$)');
SELECT * FROM held();

-- Imported history, restored rows and repairs are not checked, but they count.
CREATE TABLE events (case_id text, stage text, entered_at timestamptz);
INSERT INTO events SELECT 'I-' || n, s, '2024-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 3) n, unnest('{Inbox,Review}'::text[]) WITH ORDINALITY u (s, o) WHERE o <= n;
SELECT items, transitions FROM vsm.import_events('events');
SELECT * FROM held();
SELECT message, detail FROM try('SELECT vsm.transition(item($$l$$), $$Review$$)');
SELECT message, detail FROM try('SELECT vsm.transition(item($$I-2$$), $$Inbox$$)');
CREATE TABLE copy AS SELECT * FROM vsm.work_items WHERE title = 'l';
UPDATE copy SET id = id + 1000, title = 'restored', external_id = NULL, stage_id = stage('Wait');
SET vsm.recording = off;
INSERT INTO vsm.work_items SELECT * FROM copy;
RESET vsm.recording;
UPDATE copy SET id = id + 1000;
SELECT message, detail FROM try('SELECT vsm.transition(item($$l$$), $$Wait$$)');
SET vsm.recording = off;
INSERT INTO vsm.work_items SELECT * FROM copy;
RESET vsm.recording;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE vsm.work_items SET stage_id = stage('Wait') WHERE title IN ('m', 'n');
COMMIT;
BEGIN;
SET LOCAL vsm.recording = off;
UPDATE vsm.work_items SET stage_id = stage('Wait') WHERE title = 'p';
COMMIT;
SELECT message, detail FROM try('SELECT vsm.transition(item($$l$$), $$Wait$$)');
SELECT * FROM held();
-- A category that makes finished items work in progress again is a definition, not an entry.
UPDATE vsm.stages SET category = 'done' WHERE name = 'Work';
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE completed_at IS NOT NULL;
UPDATE vsm.stages SET category = 'active', wip_limit = 2 WHERE name = 'Work';
SELECT message, detail FROM try('SELECT vsm.transition(item($$l$$), $$Work$$)');
SELECT * FROM held();
