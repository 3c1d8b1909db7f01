-- Triggers of the user's own on vsm.work_items: what they decide is what is recorded.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE stream = 'default' AND name = $1);
CREATE FUNCTION decide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'INSERT' THEN
        IF new.title = 'unwanted' THEN
            RETURN NULL;
        ELSIF new.title = 'urgent' THEN
            new.stage_id := stage('Development');
        END IF;
    ELSIF new.stage_id = stage('Production') THEN
        IF new.title = 'frozen' THEN
            RETURN NULL;
        ELSIF new.title = 'untested' THEN
            new.stage_id := stage('Testing');
        ELSIF new.title = 'back' THEN
            new.stage_id := old.stage_id;
        ELSIF new.title = 'forged' THEN
            new.completed_at := '2000-01-01';
        END IF;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER decide BEFORE INSERT OR UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION decide();
CREATE VIEW moves AS
    SELECT w.title, s.name AS stage, w.completed_at IS NOT NULL AS completed,
           string_agg(n.name, '>' ORDER BY t."timestamp", t.id) AS moves
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id
    LEFT JOIN vsm.stage_transitions t ON t.work_item_id = w.id LEFT JOIN vsm.stages n ON n.id = t.to_stage_id
    GROUP BY w.id, s.name ORDER BY w.id;

-- A trigger that cancels an INSERT or chooses the first stage.
INSERT INTO vsm.work_items (title) VALUES ('unwanted'), ('urgent'), ('frozen'), ('untested'), ('back'), ('forged'), ('free');
SELECT * FROM moves;

-- A trigger that cancels a move, changes where it goes, sends it back, or writes a computed column.
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title <> 'forged';
SELECT * FROM moves;
UPDATE vsm.work_items SET stage_id = stage('Production') WHERE title = 'forged';

-- The same by vsm.transition(): it returns what was recorded.
DELETE FROM vsm.work_items;
INSERT INTO vsm.work_items (title) VALUES ('frozen'), ('untested'), ('back'), ('free');
SELECT w.title, s.name AS to_stage, t.reason
FROM vsm.work_items w, LATERAL vsm.transition(w.id, 'Production', reason => 'release') t JOIN vsm.stages s ON s.id = t.to_stage_id
WHERE w.title IN ('untested', 'free') ORDER BY w.id;
-- Sent back to where it is: it stays, and its latest transition is returned.
SELECT w.title, s.name AS to_stage, t.reason
FROM vsm.work_items w, LATERAL vsm.transition(w.id, 'Production', reason => 'release') t JOIN vsm.stages s ON s.id = t.to_stage_id
WHERE w.title = 'back';
-- Cancelled: an error, since there is no transition to return; but not that there is no such item.
DO $$
BEGIN
    PERFORM vsm.transition(id, 'Production') FROM vsm.work_items WHERE title = 'frozen';
    RAISE NOTICE 'no error';
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'an error, PT404: %', sqlstate = 'PT404';
END $$;
SELECT * FROM moves;

-- A trigger that moves the item itself from AFTER: both moves are recorded, in order, the reason with the first.
DROP TRIGGER decide ON vsm.work_items;
CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vsm.work_items SET stage_id = stage('Production') WHERE id = new.id;
    RETURN NULL;
END $$;
CREATE TRIGGER zzz_forward AFTER UPDATE OF stage_id ON vsm.work_items FOR EACH ROW
    WHEN (new.title = 'auto' AND pg_trigger_depth() < 1) EXECUTE FUNCTION forward();
INSERT INTO vsm.work_items (title) VALUES ('auto') RETURNING id AS auto \gset
SELECT s.name AS to_stage, t.reason FROM vsm.transition(:auto, 'Deployment', reason => 'by hand') t JOIN vsm.stages s ON s.id = t.to_stage_id;
SELECT from_stage, to_stage, reason FROM vsm.history(:auto);
SELECT completed_at IS NOT NULL AS completed FROM vsm.work_items WHERE id = :auto;
