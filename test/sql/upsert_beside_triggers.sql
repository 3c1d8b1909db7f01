-- A user's BEFORE INSERT trigger that inserts items of its own does not confuse an upsert: what the client left out stays.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT FROM vsm.define_stream('default');
CREATE FUNCTION public.add_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.title NOT LIKE 'another%' THEN
        INSERT INTO vsm.work_items (title, type, external_id) VALUES ('another for ' || new.title, 'bug', 'another ' || new.external_id)
        ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title, type = excluded.type, current_stage = excluded.current_stage;
    END IF;
    RETURN new;
END $$;
-- Before the extension's trigger, and after it.
CREATE TRIGGER aa_first BEFORE INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION public.add_another();
CREATE TRIGGER zzz_last BEFORE INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION public.add_another();
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('one', 'epic', 'A'), ('two', 'epic', 'B');
SELECT count(*) AS moved FROM vsm.work_items w, vsm.transition(w.id, 'Testing');
SELECT title, type, current_stage, external_id FROM vsm.work_items ORDER BY external_id;
-- As object mappers and PostgREST write it: all columns of the table from EXCLUDED.
INSERT INTO vsm_api.work_items (title, external_id) VALUES ('one again', 'A'), ('two again', 'B'), ('three', 'C')
ON CONFLICT (stream, external_id) DO UPDATE
SET title = excluded.title, current_stage = excluded.current_stage, created_at = excluded.created_at,
    stage_entered_at = excluded.stage_entered_at, started_at = excluded.started_at, attributes = excluded.attributes;
SELECT title, type, current_stage, external_id FROM vsm.work_items ORDER BY external_id;
-- A statement that fails in between leaves nothing behind.
DO $$
BEGIN
    INSERT INTO vsm.work_items (title, external_id) VALUES ('no', 'A'), (repeat('x', 501), 'D')
    ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE '%', sqlerrm;
END $$;
UPDATE vsm.work_items SET type = 'task' WHERE external_id = 'A';
INSERT INTO vsm_api.work_items (title, external_id) VALUES ('one at last', 'A')
ON CONFLICT (stream, external_id) DO UPDATE SET title = excluded.title, current_stage = excluded.current_stage;
SELECT title, type, current_stage, external_id FROM vsm.work_items ORDER BY external_id;
