-- The ledger is never short of a row: whatever triggers of the user's do, each item has the rows that lead to its state, or there is an error.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name":"Open","category":"wait"},{"name":"Work"},{"name":"Test"},{"name":"Wait","category":"wait","wip_limit":1},
    {"name":"Done","category":"done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1);
-- What is there, and what is wrong: items whose state is not what the ledger says, ledger rows without an item, counters that are not the table's,
-- totals that are not those of the ledger.
CREATE FUNCTION told() RETURNS TABLE (items bigint, moves bigint, stages text, wrong text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions),
           (SELECT string_agg(n || ' ' || name, ', ' ORDER BY "order")
            FROM (SELECT s.name, s."order", count(*) AS n FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id GROUP BY 1, 2) c),
           concat_ws(', ',
               (SELECT 'state of ' || string_agg(w.title, ' ' ORDER BY w.id)
                FROM vsm.work_items w
                WHERE (w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened, w.backward_moves,
                       w.discarded_at, w.discarded, w.furthest_stage_id)
                      IS DISTINCT FROM (SELECT vsm._replay(t.to_stage_id, t."timestamp", t.id) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id)),
               (SELECT 'rows out of order of ' || string_agg(DISTINCT o.work_item_id::text, ' ')
                FROM (SELECT t.*, lag(t.to_stage_id) OVER w AS before, lag(t."timestamp") OVER w AS at FROM vsm.stage_transitions t
                      WINDOW w AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id)) o
                WHERE (o.from_stage_id, o.time_in_stage) IS DISTINCT FROM (o.before, o."timestamp" - o.at)),
               (SELECT 'rows without an item: ' || count(*) FROM vsm.stage_transitions t
                WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id) HAVING count(*) > 0),
               (SELECT 'counter of ' || string_agg(c.stage, ' ') FROM vsm.wip_check() c WHERE c.difference <> 0 OR c.reserved <> 0),
               (SELECT 'totals: ' || count(*) FROM (SELECT kind, a, b, n FROM vsm._totals_now() EXCEPT SELECT kind, a, b, n::bigint FROM vsm._totals_counted) t
                HAVING count(*) > 0)) $$;
SELECT * FROM told();

-- ---- AFTER triggers that go on with the item, before and after ours by name ----

CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.title ~ 'touch' THEN
        UPDATE vsm.work_items SET external_id = 'X' || id WHERE id = new.id;
    END IF;
    IF new.title ~ 'move' THEN
        UPDATE vsm.work_items SET stage_id = public.stage('Work') WHERE id = new.id AND stage_id = public.stage('Open');
    END IF;
    IF new.title ~ 'forward' THEN
        UPDATE vsm.work_items SET stage_id = public.stage('Work') WHERE id = new.id AND stage_id = public.stage('Test');
    END IF;
    IF new.title ~ 'finish' THEN
        PERFORM vsm.transition(new.id, 'Done');
    END IF;
    IF new.title ~ 'delete' THEN
        DELETE FROM vsm.work_items WHERE id = new.id;
    END IF;
    IF new.title ~ 'again' THEN
        INSERT INTO vsm.work_items (id, title) VALUES (new.id, 'second');
    END IF;
    IF new.title ~ 'sibling' THEN
        INSERT INTO vsm.work_items (title) VALUES ('other');
    END IF;
    IF new.title ~ 'undo' THEN
        BEGIN
            UPDATE vsm.work_items SET stage_id = public.stage('Test') WHERE id = new.id;
            DELETE FROM vsm.work_items WHERE id = new.id;
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE cases (title text);
INSERT INTO cases VALUES ('touch'), ('move'), ('finish'), ('move, finish'), ('touch, move'), ('delete'), ('move, delete'), ('finish, delete'), ('delete, again'),
    ('move, delete, again'), ('sibling'), ('move, sibling'), ('undo'), ('undo, move'), ('undo, delete'), ('undo, delete, again');
CREATE FUNCTION insert_in_every_way() RETURNS TABLE (way text, items bigint, moves bigint, stages text, wrong text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH way IN ARRAY ARRAY['rows', 'single rows', 'returning', 'on conflict', 'merge', 'with', 'created in the future', 'plpgsql'] LOOP
        TRUNCATE vsm.work_items;
        CASE way
            WHEN 'rows' THEN INSERT INTO vsm.work_items (title) SELECT c.title FROM cases c;
            WHEN 'single rows' THEN PERFORM (SELECT vsm.create_work_item(c.title)) FROM cases c;
            WHEN 'returning' THEN
                WITH i AS (INSERT INTO vsm.work_items (title, stage_id) SELECT c.title, stage('Open') FROM cases c RETURNING id)
                INSERT INTO vsm.work_items (title) SELECT 'move' FROM i;
            WHEN 'on conflict' THEN
                INSERT INTO vsm.work_items (title, external_id) SELECT c.title, c.title FROM cases c;
                INSERT INTO vsm.work_items (title, external_id) SELECT c.title, c.title FROM cases c
                ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = stage('Test');
                INSERT INTO vsm.work_items (title, external_id) SELECT c.title, c.title FROM cases c ON CONFLICT DO NOTHING;
            WHEN 'merge' THEN
                INSERT INTO vsm.work_items (title) VALUES ('move'), ('none'), ('gone');
                MERGE INTO vsm.work_items w USING (SELECT c.title FROM cases c UNION ALL VALUES ('none'), ('gone')) s ON w.title = s.title
                WHEN MATCHED AND w.title = 'gone' THEN DELETE
                WHEN MATCHED THEN UPDATE SET stage_id = stage('Test')
                WHEN NOT MATCHED THEN INSERT (title) VALUES (s.title);
            WHEN 'with' THEN
                INSERT INTO vsm.work_items (id, title) VALUES (-1, 'moved'), (-2, 'deleted');
                WITH d AS (DELETE FROM vsm.work_items WHERE id = -2 RETURNING id),
                     u AS (UPDATE vsm.work_items SET stage_id = stage('Test') WHERE id < 0 RETURNING id)
                INSERT INTO vsm.work_items (id, title) SELECT id, 'move' FROM d UNION ALL SELECT nextval('vsm.work_items_id_seq'), c.title FROM cases c;
            WHEN 'created in the future' THEN
                -- all moves happen at one time
                INSERT INTO vsm.work_items (title, created_at) SELECT c.title, now() + '4 minutes' FROM cases c;
            WHEN 'plpgsql' THEN
                DECLARE
                    c cases;
                BEGIN
                    FOR c IN SELECT * FROM cases LOOP
                        BEGIN
                            INSERT INTO vsm.work_items (title) VALUES (c.title);
                            INSERT INTO vsm.work_items (title) VALUES (c.title);
                            IF c.title ~ 'sibling' THEN
                                RAISE division_by_zero;
                            END IF;
                        EXCEPTION WHEN division_by_zero THEN
                            INSERT INTO vsm.work_items (title) VALUES (c.title);
                        END;
                    END LOOP;
                END;
        END CASE;
        SELECT t.* INTO items, moves, stages, wrong FROM told() t;
        RETURN NEXT;
    END LOOP;
    TRUNCATE vsm.work_items;
END $$;
-- The counters of this transaction itself are looked at after its end, too.
CREATE TRIGGER aaa AFTER INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION go_on();
SELECT * FROM insert_in_every_way();
INSERT INTO vsm.work_items (title) SELECT title FROM cases;
SELECT * FROM told();
ALTER TRIGGER aaa ON vsm.work_items RENAME TO zzz;
SELECT * FROM insert_in_every_way();
INSERT INTO vsm.work_items (title) SELECT title FROM cases;
SELECT * FROM told();
-- By COPY.
COPY vsm.work_items (title) FROM stdin;
touch
move
delete
delete, again
sibling
\.
SELECT * FROM told();
DROP TRIGGER zzz ON vsm.work_items;
CREATE CONSTRAINT TRIGGER zzz AFTER INSERT ON vsm.work_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION go_on();
BEGIN;
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) SELECT title FROM cases;
SELECT * FROM told();
COMMIT;
SELECT * FROM told();
DROP TRIGGER zzz ON vsm.work_items;
-- Of each statement, with its transition table.
CREATE FUNCTION go_on_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vsm.work_items w SET stage_id = stage('Work') FROM added a WHERE w.id = a.id AND a.title ~ 'move';
    DELETE FROM vsm.work_items w USING added a WHERE w.id = a.id AND a.title ~ 'delete';
    RETURN NULL;
END $$;
CREATE TRIGGER aaa AFTER INSERT ON vsm.work_items REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION go_on_all();
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) SELECT title FROM cases;
SELECT * FROM told();
DROP TRIGGER aaa ON vsm.work_items;

-- ---- The same after a move: the reason stays with the move that was asked for ----

CREATE TRIGGER aaa AFTER UPDATE OF stage_id ON vsm.work_items FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION go_on();
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) SELECT title FROM cases;
UPDATE vsm.work_items SET stage_id = stage('Test');
SELECT * FROM told();
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('finish') RETURNING id AS item \gset
SELECT s.name AS to_stage, t.reason FROM vsm.transition(:item, 'Test', reason => 'by hand') t JOIN vsm.stages s ON s.id = t.to_stage_id;
SELECT from_stage, to_stage, reason FROM vsm.history(:item);
INSERT INTO vsm.work_items (title) VALUES ('forward') RETURNING id AS item \gset
SELECT s.name AS to_stage, t.reason FROM vsm.transition(:item, 'Test', reason => 'by hand') t JOIN vsm.stages s ON s.id = t.to_stage_id;
SELECT from_stage, to_stage, reason FROM vsm.history(:item);
INSERT INTO vsm.work_items (title) VALUES ('delete') RETURNING id AS item \gset
SELECT s.name AS to_stage, t.reason FROM vsm.transition(:item, 'Test', reason => 'by hand') t JOIN vsm.stages s ON s.id = t.to_stage_id;
SELECT * FROM told();
DROP TRIGGER aaa ON vsm.work_items;
-- And after a deletion: what is made anew keeps its rows.
CREATE FUNCTION make_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO vsm.work_items (id, title, stage_id) VALUES (old.id, 'anew', stage('Work'));
    RETURN NULL;
END $$;
CREATE TRIGGER aaa AFTER DELETE ON vsm.work_items FOR EACH ROW WHEN (old.title <> 'anew') EXECUTE FUNCTION make_anew();
INSERT INTO vsm.work_items (title) SELECT 'item' FROM generate_series(1, 3);
DELETE FROM vsm.work_items;
SELECT * FROM told();
ALTER TRIGGER aaa ON vsm.work_items RENAME TO zzz;
UPDATE vsm.work_items SET title = 'item';
DELETE FROM vsm.work_items;
SELECT * FROM told();
-- Others put in meanwhile, and a sequence that a restore has left behind: nothing stays of what is gone.
CREATE FUNCTION put_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO vsm.work_items (title) VALUES ('anew');
    RETURN NULL;
END $$;
DROP TRIGGER zzz ON vsm.work_items;
CREATE TRIGGER aaa AFTER DELETE ON vsm.work_items FOR EACH ROW WHEN (old.title <> 'anew') EXECUTE FUNCTION put_in();
UPDATE vsm.work_items SET title = 'item';
BEGIN;
SELECT setval('vsm.stage_transitions_id_seq', 1) AS behind \gset
DELETE FROM vsm.work_items;
SELECT setval('vsm.stage_transitions_id_seq', 1000000) AS ahead \gset
COMMIT;
SELECT * FROM told();
DROP TRIGGER aaa ON vsm.work_items;
DELETE FROM vsm.work_items;

-- ---- BEFORE triggers that change what was decided ----

CREATE FUNCTION decide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'UPDATE' AND new.title = 'free' THEN
        RETURN new;
    ELSIF new.title = 'stage' THEN
        new.stage_id := stage('Wait');
    ELSIF new.title = 'created' THEN
        new.created_at := '2000-01-01';
    ELSIF new.title = 'completed' THEN
        new.completed_at := now();
    ELSIF new.title = 'active' THEN
        new.active_time := '1 day';
    ELSIF new.title = 'id' THEN
        new.id := new.id + 1000;
    ELSIF new.title = 'stream' THEN
        new.stream := 'other';
    ELSIF new.title = 'type' THEN
        new.type := 'nothing';
    ELSIF new.title = 'bug' THEN
        new.type := 'bug';
    ELSIF new.title = 'old' AND tg_op = 'UPDATE' THEN
        RETURN old;
    ELSIF new.title = 'renamed' THEN
        new.title := 'allowed';
    ELSIF new.title = 'cancelled' THEN
        RETURN NULL;
    END IF;
    RETURN new;
END $$;
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || regexp_replace(sqlerrm, '\d+', 'N');
END $$;
CREATE TRIGGER zzz_later BEFORE INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION decide();
INSERT INTO vsm.work_items (title) VALUES ('stage');
\echo :LAST_ERROR_SQLSTATE
SELECT title, try(format('INSERT INTO vsm.work_items (title) VALUES (%L)', title)) AS inserted
FROM unnest(ARRAY['free', 'stage', 'created', 'completed', 'active', 'id', 'stream', 'type', 'bug', 'old', 'renamed', 'cancelled']) title;
SELECT * FROM told();
ALTER TABLE vsm.work_items DISABLE TRIGGER zzz_later;
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('free'), ('stage'), ('created'), ('completed'), ('active'), ('id'), ('stream'), ('type'), ('bug'), ('old'), ('renamed'), ('cancelled');
ALTER TABLE vsm.work_items ENABLE TRIGGER zzz_later;
SELECT title, try(format('UPDATE vsm.work_items SET stage_id = stage(''Test'') WHERE title = %L', title)) AS moved,
       try(format('SELECT vsm.transition(id, ''Test'') FROM vsm.work_items WHERE title = %L', title)) AS by_function,
       try(format('UPDATE vsm.work_items SET external_id = title WHERE title = %L', title)) AS touched
FROM (SELECT title FROM vsm.work_items ORDER BY id) t;
SELECT * FROM told();
-- The limit of 1 holds.
SELECT stage, wip, wip_limit FROM vsm.wip WHERE stage = 'Wait';
DROP TRIGGER zzz_later ON vsm.work_items;
-- By a name that sorts before ours it may decide upon the stage, within the limit.
CREATE TRIGGER aaa_before BEFORE INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION decide();
TRUNCATE vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('stage'), ('free');
SELECT try('INSERT INTO vsm.work_items (title) VALUES (''stage'')');
SELECT * FROM told();
DROP TRIGGER aaa_before ON vsm.work_items;
-- A later one that puts other items in.
CREATE FUNCTION put_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO vsm.work_items (title, stage_id) VALUES ('other', stage('Work'));
    UPDATE vsm.work_items SET stage_id = stage('Test') WHERE title = 'other';
    RETURN new;
END $$;
CREATE TRIGGER zzz_later BEFORE INSERT ON vsm.work_items FOR EACH ROW WHEN (new.title <> 'other') EXECUTE FUNCTION put_others();
INSERT INTO vsm.work_items (title) VALUES ('a'), ('b'), ('c');
SELECT * FROM told();
DROP TRIGGER zzz_later ON vsm.work_items;
-- The trigger that decides is disabled.
ALTER TABLE vsm.work_items DISABLE TRIGGER zz_vsm_move;
UPDATE vsm.work_items SET stage_id = stage('Test');
INSERT INTO vsm.work_items (title, created_at, updated_at, stage_id, stage_entered_at, active_time, wait_time, reopened, backward_moves, discarded)
VALUES ('x', now(), now(), stage('Work'), now(), '0', '0', 0, 0, 0);
UPDATE vsm.work_items SET completed_at = now();
UPDATE vsm.work_items SET title = title || '!';
DELETE FROM vsm.work_items WHERE title = 'a!';
ALTER TABLE vsm.work_items ENABLE TRIGGER zz_vsm_move;
SELECT * FROM told();

-- ---- vsm.recording, set between the decision and the record ----

CREATE ROLE regress_vsm_writer;
SELECT vsm.grant_access('regress_vsm_writer', 'writer');
GRANT EXECUTE ON FUNCTION stage(text) TO regress_vsm_writer;
SET ROLE regress_vsm_writer;
UPDATE vsm.work_items SET stage_id = stage('Done') WHERE title = 'b!' RETURNING title, set_config('vsm.recording', 'off', false);
RESET vsm.recording;
SELECT h.to_stage FROM vsm.work_items w, vsm.history(w.id) h WHERE w.title = 'b!';
INSERT INTO vsm.work_items (title) VALUES ('unseen') RETURNING title, set_config('vsm.recording', 'off', false);
RESET vsm.recording;
DELETE FROM vsm.work_items WHERE title = 'unseen' RETURNING title, set_config('vsm.recording', 'off', false);
RESET vsm.recording;
RESET ROLE;
-- the owner as well: what was decided is recorded
UPDATE vsm.work_items SET stage_id = stage('Work') WHERE title = 'b!' RETURNING title, set_config('vsm.recording', 'off', false);
RESET vsm.recording;
SELECT * FROM told();

-- ---- What stands in the ledger's way ----

CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep_out BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION keep_out();
SELECT vsm.transition(min(id), 'Done') FROM vsm.work_items;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO vsm.work_items (title) VALUES ('x');
DROP TRIGGER keep_out ON vsm.stage_transitions;
CREATE RULE keep_out AS ON INSERT TO vsm.stage_transitions DO INSTEAD NOTHING;
INSERT INTO vsm.work_items (title) VALUES ('x');
DROP RULE keep_out ON vsm.stage_transitions;
\c -
-- What stands in the way of a move.
CREATE RULE keep_out AS ON UPDATE TO vsm.work_items DO INSTEAD NOTHING;
SELECT vsm.transition(min(id), 'Done') FROM vsm.work_items;
DROP RULE keep_out ON vsm.work_items;
-- the server keeps the plan in which the rule left nothing
\c -
CREATE TABLE others (what text);
CREATE RULE also AS ON UPDATE TO vsm.work_items DO ALSO INSERT INTO others VALUES ('moved');
CREATE RULE also AS ON INSERT TO vsm.stage_transitions DO ALSO INSERT INTO others VALUES ('recorded');
SELECT to_stage_id = stage('Done') AS done FROM vsm.transition((SELECT min(id) FROM vsm.work_items), 'Done');
TABLE others;
DROP RULE also ON vsm.work_items;
DROP RULE also ON vsm.stage_transitions;
-- By hand, the ledger is the owner's only where he says so.
INSERT INTO vsm.stage_transitions (work_item_id, from_stage_id, to_stage_id, "timestamp", recorded_at, actor) SELECT min(id), 1, 2, now(), now(), 'me' FROM vsm.work_items;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE vsm.work_items, vsm.stage_transitions;
TRUNCATE vsm.stage_transitions;
SELECT * FROM told();
TRUNCATE vsm.work_items;
SELECT * FROM told();
DROP OWNED BY regress_vsm_writer;
DROP ROLE regress_vsm_writer;
