-- direct_moves_see.sql: whatever is added to vsm.work_items sees a move by vsm.transition() as it sees an UPDATE
--
-- For each addition one item is moved by vsm.transition() and another one by an UPDATE: both end in the same row, ledger,
-- error and notes of triggers.  "statement" says that the move must be an UPDATE too, "direct" that it need not be one; the
-- trigger zz_vsm_move, whose calls the server counts, tells which it was.  Once the addition is gone, moves are direct again.
-- After each case amcheck finds every row in every index.

SET client_min_messages = error;
SET timezone = 'UTC';
SET track_functions = 'all';
CREATE EXTENSION amcheck;
CREATE EXTENSION dblink;
CREATE SCHEMA see;
GRANT USAGE ON SCHEMA see TO PUBLIC;
SELECT no_plan();

SELECT is((vsm.define_stream('default', '[{"name":"Inbox","category":"wait"},{"name":"Build"},{"name":"Done","category":"done"}]')).name, 'default', 'a stream');
DROP ROLE IF EXISTS see_writer, see_granted;
CREATE ROLE see_writer;
CREATE ROLE see_granted;
SELECT vsm.grant_access('see_writer', 'writer') IS NULL AS granted \gset
GRANT USAGE ON SCHEMA vsm TO see_granted;
GRANT SELECT, UPDATE ON vsm.work_items TO see_granted;
GRANT SELECT ON vsm.stages, vsm.stage_transitions TO see_granted;

------------------------------------------------------------------------------------------------------------------------
-- cases
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE see.cases (n serial PRIMARY KEY, name text, way text, added text[], dropped text[], role text, from_stage text DEFAULT 'Inbox', to_stage text DEFAULT 'Build');
CREATE TABLE see.log (item bigint, note text);
ALTER TABLE see.log REPLICA IDENTITY FULL;
GRANT ALL ON see.log TO PUBLIC;

-- which: what the trigger does; its notes tell the depth, the event and the row
CREATE FUNCTION see.watch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text := coalesce(tg_argv[0], '');
BEGIN
    IF tg_level = 'ROW' THEN
        INSERT INTO see.log VALUES (new.id, concat_ws(' ', tg_name, tg_when, tg_level, tg_op, pg_trigger_depth(), old.stage_id, new.stage_id, new.started_at IS NULL, current_user));
        CASE what WHEN 'title' THEN new.title := 'retitled'; WHEN 'cancel' THEN RETURN NULL; WHEN 'stage' THEN new.stage_id := (SELECT id FROM vsm.stages WHERE name = 'Done');
                  WHEN 'raise' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'P0099'; ELSE NULL; END CASE;
        RETURN new;
    END IF;
    INSERT INTO see.log VALUES (NULL, concat_ws(' ', tg_name, tg_when, tg_level, tg_op, pg_trigger_depth(), current_user));
    RETURN NULL;
END $$;
CREATE FUNCTION see.watch_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO see.log SELECT n.id, concat_ws(' ', 'rows', o.stage_id, n.stage_id) FROM o JOIN n USING (id);
    RETURN NULL;
END $$;
CREATE FUNCTION see.watch_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO see.log VALUES (new.work_item_id, concat_ws(' ', tg_name, tg_when, pg_trigger_depth(), new.from_stage_id, new.to_stage_id, current_user));
    IF tg_argv[0] = 'delete' THEN
        DELETE FROM vsm.work_items WHERE id = new.work_item_id;
    ELSIF tg_argv[0] = 'on' THEN
        UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Done') WHERE id = new.work_item_id AND pg_trigger_depth() < 4;
    END IF;
    RETURN new;
END $$;
CREATE FUNCTION see.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE DOMAIN see.small AS integer CHECK (VALUE < 10);
CREATE TABLE see.types (name text PRIMARY KEY);
INSERT INTO see.types VALUES ('task');

-- Triggers: events and arguments.
INSERT INTO see.cases (name, way, added, dropped)
SELECT 'trigger ' || t.timing || coalesce(' that ' || t.what || 's', ''), 'statement',
       ARRAY[format('CREATE %s ON vsm.work_items %s EXECUTE FUNCTION see.watch(%L)', replace(t.timing, 'TRIGGER', 'TRIGGER watch'), t.level, t.what)], ARRAY['DROP TRIGGER watch ON vsm.work_items']
FROM (VALUES ('TRIGGER BEFORE UPDATE', 'FOR EACH ROW', NULL), ('TRIGGER BEFORE UPDATE', 'FOR EACH ROW', 'title'), ('TRIGGER BEFORE UPDATE', 'FOR EACH ROW', 'cancel'),
             ('TRIGGER BEFORE UPDATE', 'FOR EACH ROW', 'stage'), ('TRIGGER BEFORE UPDATE', 'FOR EACH ROW', 'raise'), ('TRIGGER AFTER UPDATE', 'FOR EACH ROW', NULL),
             ('TRIGGER AFTER UPDATE', 'FOR EACH ROW', 'raise'), ('TRIGGER BEFORE UPDATE', 'FOR EACH STATEMENT', NULL), ('TRIGGER AFTER UPDATE', 'FOR EACH STATEMENT', NULL),
             ('TRIGGER AFTER INSERT OR UPDATE OF stage_id', 'FOR EACH ROW', NULL), ('TRIGGER AFTER UPDATE OF title', 'FOR EACH ROW', NULL),
             ('TRIGGER AFTER UPDATE', 'FOR EACH ROW WHEN (old.stage_id IS DISTINCT FROM new.stage_id)', NULL),
             ('TRIGGER BEFORE INSERT OR UPDATE OR DELETE', 'FOR EACH STATEMENT', NULL),
             ('CONSTRAINT TRIGGER AFTER UPDATE', 'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW', NULL), ('CONSTRAINT TRIGGER AFTER UPDATE', 'FOR EACH ROW', 'raise')) t (timing, level, what);

INSERT INTO see.cases (name, way, added, dropped) VALUES
('transition tables', 'statement', '{CREATE TRIGGER watch AFTER UPDATE ON vsm.work_items REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION see.watch_rows()}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a trigger that always fires', 'statement', '{CREATE TRIGGER watch AFTER UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION see.watch(),ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER watch}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a disabled trigger', 'direct', '{CREATE TRIGGER watch AFTER UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION see.watch(),ALTER TABLE vsm.work_items DISABLE TRIGGER watch}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a trigger of replicas', 'direct', '{CREATE TRIGGER watch AFTER UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION see.watch(),ALTER TABLE vsm.work_items ENABLE REPLICA TRIGGER watch}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a trigger on INSERT', 'direct', '{CREATE TRIGGER watch AFTER INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION see.watch()}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a trigger on DELETE', 'direct', '{CREATE TRIGGER watch BEFORE DELETE ON vsm.work_items FOR EACH STATEMENT EXECUTE FUNCTION see.watch()}', '{DROP TRIGGER watch ON vsm.work_items}'),
('our trigger zz_vsm_move disabled', 'statement', '{ALTER TABLE vsm.work_items DISABLE TRIGGER zz_vsm_move}', '{ALTER TABLE vsm.work_items ENABLE TRIGGER zz_vsm_move}'),
('our trigger vsm_record_move disabled', 'refused', '{ALTER TABLE vsm.work_items DISABLE TRIGGER vsm_record_move}', '{ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_move}'),
('all triggers disabled', 'refused', '{ALTER TABLE vsm.work_items DISABLE TRIGGER USER}', '{ALTER TABLE vsm.work_items ENABLE TRIGGER USER,"ALTER TABLE vsm.work_items ENABLE ALWAYS TRIGGER vsm_record_insert, ENABLE ALWAYS TRIGGER vsm_record_move, ENABLE ALWAYS TRIGGER vsm_record_delete, ENABLE ALWAYS TRIGGER vsm_record_truncate"}'),
('our function once more', 'statement', '{CREATE TRIGGER aaa AFTER UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION vsm._work_item_after()}', '{DROP TRIGGER aaa ON vsm.work_items}'),
('a function of foreign keys', 'statement', '{"CREATE TRIGGER watch AFTER UPDATE ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION pg_catalog.\"RI_FKey_noaction_upd\"()"}', '{DROP TRIGGER watch ON vsm.work_items}'),
('a rule instead', 'statement', '{CREATE RULE r AS ON UPDATE TO vsm.work_items DO INSTEAD NOTHING}', '{DROP RULE r ON vsm.work_items}'),
('a rule also', 'statement', '{"CREATE RULE r AS ON UPDATE TO vsm.work_items DO ALSO INSERT INTO see.log VALUES (new.id, ''rule'')"}', '{DROP RULE r ON vsm.work_items}'),
('a rule on INSERT', NULL, '{CREATE RULE r AS ON INSERT TO vsm.work_items DO INSTEAD NOTHING}', '{DROP RULE r ON vsm.work_items}'),
('a check that holds', 'statement', '{ALTER TABLE vsm.work_items ADD CHECK (stage_id > 0)}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT work_items_stage_id_check}'),
('a check that fails', 'statement', '{ALTER TABLE vsm.work_items ADD CHECK (started_at IS NULL) NOT VALID}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT work_items_started_at_check}'),
('a column', 'direct', '{ALTER TABLE vsm.work_items ADD own text}', '{ALTER TABLE vsm.work_items DROP own}'),
('a column NOT NULL with a default', 'direct', '{"ALTER TABLE vsm.work_items ADD own integer NOT NULL DEFAULT 7, ADD other text NOT NULL DEFAULT repeat(''x'', 100)"}', '{"ALTER TABLE vsm.work_items DROP own, DROP other"}'),
('a volatile default', 'direct', '{ALTER TABLE vsm.work_items ADD own float8 NOT NULL DEFAULT random()}', '{ALTER TABLE vsm.work_items DROP own}'),
('a column of a domain', 'direct', '{ALTER TABLE vsm.work_items ADD own see.small DEFAULT 3}', '{ALTER TABLE vsm.work_items DROP own}'),
('a domain whose check fails by now', 'direct', '{ALTER TABLE vsm.work_items ADD own see.small DEFAULT 3,ALTER DOMAIN see.small ADD CONSTRAINT never CHECK (VALUE > 100) NOT VALID}', '{ALTER TABLE vsm.work_items DROP own,ALTER DOMAIN see.small DROP CONSTRAINT never}'),
('a composite column', 'direct', '{ALTER TABLE vsm.work_items ADD own see.log DEFAULT (1\, NULL)}', '{ALTER TABLE vsm.work_items DROP own}'),
('a generated column', 'statement', '{ALTER TABLE vsm.work_items ADD own bigint GENERATED ALWAYS AS (stage_id * 10) STORED}', '{ALTER TABLE vsm.work_items DROP own}'),
('an identity column', 'direct', '{ALTER TABLE vsm.work_items ADD own bigint GENERATED ALWAYS AS IDENTITY}', '{ALTER TABLE vsm.work_items DROP own}'),
('values out of line', 'direct', '{ALTER TABLE vsm.work_items ALTER attributes SET STORAGE EXTERNAL,"UPDATE vsm.work_items SET attributes = jsonb_build_object(''long'', repeat(''x'', 10000))"}', '{ALTER TABLE vsm.work_items ALTER attributes SET STORAGE EXTENDED}'),
('a wide row', 'direct', '{UPDATE vsm.work_items SET attributes = (SELECT jsonb_object_agg(n\, md5(n::text)) FROM generate_series(1\, 150) n)}', '{}'),
('another fillfactor', 'direct', '{ALTER TABLE vsm.work_items SET (fillfactor = 100)}', '{ALTER TABLE vsm.work_items SET (fillfactor = 80)}'),
('extended statistics', 'direct', '{CREATE STATISTICS see.s ON stream\, type FROM vsm.work_items}', '{DROP STATISTICS see.s}'),
('an event trigger', 'direct', '{CREATE EVENT TRIGGER see_ddl ON ddl_command_end EXECUTE FUNCTION see.on_ddl()}', '{DROP EVENT TRIGGER see_ddl}'),
('a child', 'statement', '{CREATE TABLE see.child () INHERITS (vsm.work_items)}', '{DROP TABLE see.child,ANALYZE vsm.work_items}'),
('a parent', 'direct', '{CREATE TABLE see.parent (id bigint NOT NULL),ALTER TABLE vsm.work_items INHERIT see.parent}', '{ALTER TABLE vsm.work_items NO INHERIT see.parent,DROP TABLE see.parent}'),
('a partitioned parent', 'statement', '{CREATE TABLE see.parent (LIKE vsm.work_items) PARTITION BY LIST (stream),ALTER TABLE see.parent ATTACH PARTITION vsm.work_items FOR VALUES IN (''default'')}', '{ALTER TABLE see.parent DETACH PARTITION vsm.work_items,DROP TABLE see.parent}'),
('unlogged', 'direct', '{ALTER TABLE vsm.work_items SET UNLOGGED}', '{ALTER TABLE vsm.work_items SET LOGGED}'),
('a publication', 'direct', '{CREATE PUBLICATION see_p FOR TABLE vsm.work_items}', '{DROP PUBLICATION see_p}'),
('a publication without identity', NULL, '{CREATE PUBLICATION see_p FOR TABLE vsm.work_items,ALTER TABLE vsm.work_items REPLICA IDENTITY NOTHING}', '{DROP PUBLICATION see_p,ALTER TABLE vsm.work_items REPLICA IDENTITY DEFAULT}'),
('a publication with the whole row', 'direct', '{CREATE PUBLICATION see_p FOR TABLE vsm.work_items,ALTER TABLE vsm.work_items REPLICA IDENTITY FULL}', '{DROP PUBLICATION see_p,ALTER TABLE vsm.work_items REPLICA IDENTITY DEFAULT}'),
('a publication with a filter', 'direct', '{CREATE PUBLICATION see_p FOR TABLE vsm.work_items WHERE (id > 3)}', '{DROP PUBLICATION see_p}'),
('a publication whose filter the identity lacks', NULL, '{CREATE PUBLICATION see_p FOR TABLE vsm.work_items WHERE (stage_id > 3)}', '{DROP PUBLICATION see_p}'),
('a publication of all tables', 'direct', '{CREATE PUBLICATION see_p FOR ALL TABLES}', '{DROP PUBLICATION see_p}'),
('a foreign key to the table', 'direct', '{CREATE TABLE see.refers (item bigint REFERENCES vsm.work_items ON UPDATE CASCADE ON DELETE CASCADE),INSERT INTO see.refers SELECT id FROM vsm.work_items}', '{DROP TABLE see.refers}'),
('a deferred foreign key to the table', 'direct', '{CREATE TABLE see.refers (item bigint REFERENCES vsm.work_items DEFERRABLE INITIALLY DEFERRED),INSERT INTO see.refers SELECT id FROM vsm.work_items}', '{DROP TABLE see.refers}'),
('a foreign key to the external id', 'direct', '{"CREATE TABLE see.refers (s text, e text, FOREIGN KEY (s, e) REFERENCES vsm.work_items (stream, external_id) ON UPDATE CASCADE)"}', '{DROP TABLE see.refers}'),
('a foreign key to the stage', 'statement', '{"CREATE UNIQUE INDEX u ON vsm.work_items (id, stage_id)","CREATE TABLE see.refers (i bigint, s bigint, FOREIGN KEY (i, s) REFERENCES vsm.work_items (id, stage_id) ON UPDATE CASCADE)","INSERT INTO see.refers SELECT id, stage_id FROM vsm.work_items"}', '{DROP TABLE see.refers,DROP INDEX vsm.u}'),
('a foreign key from the table', 'statement', '{ALTER TABLE vsm.work_items ADD FOREIGN KEY (type) REFERENCES see.types}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT work_items_type_fkey}'),
('a foreign key of the stage', 'statement', '{ALTER TABLE vsm.work_items ADD FOREIGN KEY (stage_id) REFERENCES vsm.stages}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT work_items_stage_id_fkey}'),
('an exclusion constraint', 'statement', '{ALTER TABLE vsm.work_items ADD CONSTRAINT e EXCLUDE (id WITH =)}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT e}'),
('a deferrable unique constraint', 'statement', '{ALTER TABLE vsm.work_items ADD CONSTRAINT e UNIQUE (title\, id) DEFERRABLE INITIALLY DEFERRED}', '{ALTER TABLE vsm.work_items DROP CONSTRAINT e}'),
('a trigger of the ledger', 'statement', '{CREATE TRIGGER watch AFTER INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION see.watch_ledger()}', '{DROP TRIGGER watch ON vsm.stage_transitions}'),
('a trigger of the ledger that deletes the item', 'statement', '{CREATE TRIGGER watch BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION see.watch_ledger(''delete'')}', '{DROP TRIGGER watch ON vsm.stage_transitions}'),
('a trigger of the ledger that moves the item on', 'statement', '{CREATE TRIGGER watch BEFORE INSERT ON vsm.stage_transitions FOR EACH ROW EXECUTE FUNCTION see.watch_ledger(''on'')}', '{DROP TRIGGER watch ON vsm.stage_transitions}'),
('a check of the ledger', 'statement', '{ALTER TABLE vsm.stage_transitions ADD CONSTRAINT c CHECK (from_stage_id IS NULL) NOT VALID}', '{ALTER TABLE vsm.stage_transitions DROP CONSTRAINT c}'),
('an index of the ledger over an expression', 'statement', '{CREATE INDEX u ON vsm.stage_transitions (lower(actor))}', '{DROP INDEX vsm.u}');
INSERT INTO see.cases (name, way, added, dropped)
SELECT 'index ' || i.definition, i.way, ARRAY['CREATE ' || replace(i.definition, 'INDEX', 'INDEX u ON vsm.work_items')], '{DROP INDEX vsm.u}'
FROM (VALUES ('INDEX (stage_id)', 'direct'), ('INDEX (stage_entered_at DESC NULLS LAST, id)', 'direct'), ('INDEX (id) INCLUDE (stage_id)', 'direct'), ('INDEX (type) INCLUDE (active_time)', 'direct'),
             ('UNIQUE INDEX (id) INCLUDE (stage_id)', 'direct'), ('UNIQUE INDEX (stage_id, id)', 'statement'), ('UNIQUE INDEX (id, external_id) NULLS NOT DISTINCT', 'direct'),
             ('UNIQUE INDEX (stage_entered_at, id) NULLS NOT DISTINCT', 'statement'), ('INDEX (stage_id) WHERE completed_at IS NULL', 'direct'),
             ('INDEX (id) WHERE started_at IS NOT NULL OR discarded_at IS NOT NULL', 'direct'), ('INDEX (id) WHERE NOT (started_at IS NOT NULL)', NULL),
             ('INDEX (id) WHERE (started_at IS NULL AND completed_at IS NULL) OR (started_at IS NOT NULL AND completed_at IS NULL)', NULL),
             ('INDEX (id) WHERE (started_at IS NULL OR completed_at IS NULL) AND (discarded_at IS NOT NULL OR stage_id IS NOT NULL) AND title IS NOT NULL', 'direct'), ('INDEX (id) WHERE stage_id > 1', 'statement'),
             ('INDEX (stage_id) WHERE title <> ''x''', 'statement'), ('INDEX (lower(title))', 'statement'), ('INDEX ((stage_id + 1))', 'statement'), ('INDEX USING gin (attributes)', 'statement'),
             ('INDEX USING hash (stage_id)', 'statement'), ('INDEX USING brin (stage_entered_at)', 'statement'), ('INDEX USING gist (tstzrange(created_at, stage_entered_at))', 'statement')) i (definition, way);
-- Policies matter to a role that is not the owner.
INSERT INTO see.cases (name, way, role, added, dropped)
SELECT p.name, p.way, r.role, p.added, p.dropped
FROM unnest('{see_writer,see_granted}'::text[]) r (role), (VALUES
('a policy', 'statement', '{CREATE POLICY p ON vsm.work_items FOR UPDATE USING (title = '''')}'::text[], '{DROP POLICY p ON vsm.work_items}'::text[]),
('a restrictive policy', 'statement', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE FOR UPDATE USING (title = '''')}', '{DROP POLICY p ON vsm.work_items}'),
('a restrictive check', 'statement', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE FOR UPDATE WITH CHECK (started_at IS NULL)}', '{DROP POLICY p ON vsm.work_items}'),
('a restrictive policy of SELECT', 'statement', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE FOR SELECT USING (title = '''')}', '{DROP POLICY p ON vsm.work_items}'),
('a policy for all', 'statement', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE USING (false)}', '{DROP POLICY p ON vsm.work_items}'),
('a policy of another role', 'statement', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE TO pg_monitor USING (false)}', '{DROP POLICY p ON vsm.work_items}'),
('a policy of INSERT', 'direct', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE FOR INSERT WITH CHECK (false)}', '{DROP POLICY p ON vsm.work_items}'),
('a policy of DELETE', 'direct', '{CREATE POLICY p ON vsm.work_items AS RESTRICTIVE FOR DELETE USING (false)}', '{DROP POLICY p ON vsm.work_items}'),
('our policy with a check that fails', 'statement', '{ALTER POLICY changed ON vsm.work_items WITH CHECK (false)}', '{ALTER POLICY changed ON vsm.work_items WITH CHECK (true)}'),
('our policy with a check that knows nothing', 'statement', '{ALTER POLICY changed ON vsm.work_items WITH CHECK (NULL)}', '{ALTER POLICY changed ON vsm.work_items WITH CHECK (true)}'),
('our policy without rows', 'statement', '{ALTER POLICY seen ON vsm.work_items USING (false)}', '{"ALTER POLICY seen ON vsm.work_items USING (vsm._may_see(stream, ''vsm.work_items''))"}'),
('our policy of another command', 'statement', '{"ALTER POLICY changed ON vsm.work_items USING (vsm._may_write(stream, ''vsm.work_items'', ''DELETE''))"}', '{"ALTER POLICY changed ON vsm.work_items USING (vsm._may_write(stream, ''vsm.work_items'', ''UPDATE''))"}'),
('our policy of another column', 'statement', '{"ALTER POLICY changed ON vsm.work_items USING (vsm._may_write(title, ''vsm.work_items'', ''UPDATE''))"}', '{"ALTER POLICY changed ON vsm.work_items USING (vsm._may_write(stream, ''vsm.work_items'', ''UPDATE''))"}'),
('our policy of one role', 'statement', '{ALTER POLICY changed ON vsm.work_items TO pg_monitor}', '{ALTER POLICY changed ON vsm.work_items TO PUBLIC}'),
('a policy dropped', 'statement', '{DROP POLICY changed ON vsm.work_items}', '{"CREATE POLICY changed ON vsm.work_items FOR UPDATE USING (vsm._may_write(stream, ''vsm.work_items'', ''UPDATE'')) WITH CHECK (true)"}'),
('no row security', 'statement', '{ALTER TABLE vsm.work_items DISABLE ROW LEVEL SECURITY}', '{ALTER TABLE vsm.work_items ENABLE ROW LEVEL SECURITY}'),
('row security forced', 'direct', '{ALTER TABLE vsm.work_items FORCE ROW LEVEL SECURITY}', '{ALTER TABLE vsm.work_items NO FORCE ROW LEVEL SECURITY}'),
('no right to change', 'statement', '{"REVOKE UPDATE ON vsm.work_items FROM see_writer, see_granted"}', '{"GRANT UPDATE ON vsm.work_items TO see_writer, see_granted"}'),
('no right to read', 'statement', '{"REVOKE SELECT ON vsm.work_items FROM see_writer, see_granted"}', '{"GRANT SELECT ON vsm.work_items TO see_writer, see_granted"}'),
('a right on columns only', 'statement', '{"REVOKE UPDATE ON vsm.work_items FROM see_writer, see_granted","GRANT UPDATE (stage_id) ON vsm.work_items TO see_writer, see_granted"}', '{"REVOKE UPDATE (stage_id) ON vsm.work_items FROM see_writer, see_granted","GRANT UPDATE ON vsm.work_items TO see_writer, see_granted"}'),
('no right to the schema', 'statement', '{"REVOKE USAGE ON SCHEMA vsm FROM see_writer, see_granted"}', '{"GRANT USAGE ON SCHEMA vsm TO see_writer, see_granted"}'),
('the right of all tables', 'direct', '{"GRANT pg_write_all_data TO see_writer, see_granted"}', '{"REVOKE pg_write_all_data FROM see_writer, see_granted"}'),
('no row security for the role', 'direct', '{ALTER ROLE see_writer BYPASSRLS,ALTER ROLE see_granted BYPASSRLS}', '{ALTER ROLE see_writer NOBYPASSRLS,ALTER ROLE see_granted NOBYPASSRLS}'),
('row_security off', 'statement', '{SET row_security = off}', '{RESET row_security}')) p (name, way, added, dropped);
-- Moves that leave nulls or meet another item.
INSERT INTO see.cases (name, way, added, dropped, from_stage, to_stage) VALUES
('NOT NULL that a move breaks', NULL, '{DELETE FROM vsm.work_items WHERE completed_at IS NULL,ALTER TABLE vsm.work_items ALTER completed_at SET NOT NULL}', '{ALTER TABLE vsm.work_items ALTER completed_at DROP NOT NULL}', 'Done', 'Build'),
('a partial unique index that a move breaks', NULL, '{CREATE UNIQUE INDEX u ON vsm.work_items (stream) WHERE completed_at IS NOT NULL,UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = ''Done'') WHERE title = ''third''}', '{DROP INDEX vsm.u}', 'Inbox', 'Done'),
('an entry into the index of completions', 'direct', '{CREATE INDEX u ON vsm.work_items (completed_at) WHERE completed_at IS NOT NULL}', '{DROP INDEX vsm.u}', 'Inbox', 'Done');

------------------------------------------------------------------------------------------------------------------------
-- moves
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE see.found (n integer, at text, way text, direct boolean, outcome text, item text, ledger text, log text);
-- Found without the right to name it.
CREATE FUNCTION see.transition(item bigint, stage text) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT t.to_stage_id FROM vsm.transition(item, stage) t; END;

CREATE FUNCTION see.move(way text, item bigint, stage text, role text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    said text;
    stage_id CONSTANT bigint := (SELECT s.id FROM vsm.stages s WHERE s.name = stage);
BEGIN
    IF role IS NOT NULL THEN
        EXECUTE format('SET LOCAL ROLE %I', role);
    END IF;
    IF way = 'function' THEN
        result := see.transition(item, stage);
    ELSE
        EXECUTE format('UPDATE vsm.work_items SET stage_id = %s WHERE id = %s', stage_id, item);
        GET DIAGNOSTICS result = ROW_COUNT;
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    RESET ROLE;
    RETURN CASE WHEN result = '0' THEN 'not moved' ELSE 'moved' END;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN CASE WHEN sqlstate = 'PT409' AND sqlerrm LIKE '% was not moved' OR sqlstate = 'PT404' AND sqlerrm LIKE 'work item %' THEN 'not moved'
                ELSE regexp_replace(concat_ws(' ', sqlstate, sqlerrm, nullif(said, '')), '\m\d+\M|\(.*\)|\d\d:.*', '#', 'g') END;
END $$;

CREATE FUNCTION see.look(of_case see.cases, at text, way text, id bigint, stage text, role text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    calls CONSTANT bigint := coalesce(pg_stat_get_xact_function_calls('vsm._work_item_before'::regproc), 0);
    outcome text;
BEGIN
    DELETE FROM see.log;
    outcome := see.move(way, id, stage, role);
    INSERT INTO see.found
    SELECT of_case.n, look.at, look.way, coalesce(pg_stat_get_xact_function_calls('vsm._work_item_before'::regproc), 0) = calls, outcome,
           (SELECT (to_jsonb(w) - '{id,external_id,title,created_at,updated_at,stage_entered_at,started_at,completed_at,active_time,wait_time,own}'::text[]
                    || jsonb_build_object('title', w.title IN ('first', 'second'), 'started', w.started_at IS NULL, 'completed', w.completed_at IS NULL))::text FROM vsm.work_items w WHERE w.id = look.id),
           (SELECT string_agg(concat_ws('>', t.from_stage_id, t.to_stage_id, t.actor), ' ' ORDER BY t.id) FROM vsm.stage_transitions t WHERE t.work_item_id = look.id),
           (SELECT string_agg(concat(l.item = look.id, ' ', l.note), '; ') FROM see.log l);
END $$;

CREATE PROCEDURE see.run() LANGUAGE plpgsql AS $$
DECLARE
    c see.cases;
    command text;
    ids bigint[];
BEGIN
    FOR c IN SELECT * FROM see.cases ORDER BY n LOOP
        -- for a case, and for what is left of it
        DELETE FROM vsm.work_items;
        WITH i AS (INSERT INTO vsm.work_items (title, stage_id, external_id) SELECT t, (SELECT id FROM vsm.stages WHERE name = c.from_stage), c.n || t FROM unnest('{first,second,third,fourth}'::text[]) t RETURNING id)
        SELECT array_agg(id ORDER BY id) INTO ids FROM i;
        COMMIT;
        FOREACH command IN ARRAY c.added LOOP
            EXECUTE command;
            COMMIT;
        END LOOP;
        PERFORM see.look(c, 'there', 'function', ids[1], c.to_stage, c.role);
        COMMIT;
        PERFORM see.look(c, 'there', 'update', ids[2], c.to_stage, c.role);
        COMMIT;
        FOREACH command IN ARRAY c.dropped LOOP
            EXECUTE command;
            COMMIT;
        END LOOP;
        PERFORM see.look(c, 'gone', 'function', i.id, CASE c.from_stage WHEN 'Inbox' THEN 'Build' ELSE 'Inbox' END, c.role) FROM vsm.work_items i WHERE i.title = 'fourth';
        COMMIT;
        INSERT INTO see.found SELECT c.n, 'checked', i.indexrelid::regclass::text, NULL, bt_index_check(i.indexrelid, true)::text
        FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid JOIN pg_am a ON a.oid = k.relam
        WHERE i.indrelid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass) AND a.amname = 'btree' AND i.indisvalid;
        INSERT INTO see.found SELECT c.n, 'heap', t, NULL, h.msg FROM unnest('{vsm.work_items,vsm.stage_transitions}'::text[]) t, verify_heapam(t) h;
        COMMIT;
    END LOOP;
END $$;
-- which refuse what a dump would lose
ALTER EVENT TRIGGER vsm_shape DISABLE;
ALTER EVENT TRIGGER vsm_shape_dropped DISABLE;
CALL see.run();

-- a move that is not recorded is an error of vsm.transition(), so nothing is left of it
SELECT is(f.result, CASE WHEN c.way = 'refused' THEN 'not moved' ELSE u.result END, c.name || coalesce(', ' || c.role, '') || ': ' || left(u.outcome, 40))
FROM see.cases c, LATERAL (SELECT g.outcome, CASE WHEN g.outcome = 'not moved' THEN g.outcome ELSE concat_ws(' ', g.outcome, g.item, g.ledger, g.log) END AS result
                           FROM see.found g WHERE g.n = c.n AND g.at = 'there' AND g.way = 'function') f,
     LATERAL (SELECT g.outcome, CASE WHEN g.outcome = 'not moved' THEN g.outcome ELSE concat_ws(' ', g.outcome, g.item, g.ledger, g.log) END AS result
              FROM see.found g WHERE g.n = c.n AND g.at = 'there' AND g.way = 'update') u
ORDER BY c.n;
SELECT is((SELECT count(*) FROM see.found WHERE at = 'there'), (SELECT 2 * count(*) FROM see.cases), 'all cases');
SELECT is_empty($$SELECT c.name, c.role, c.way, f.direct FROM see.cases c JOIN see.found f USING (n)
                  WHERE f.at = 'there' AND f.way = 'function' AND f.outcome = 'moved' AND f.direct <> (c.way = 'direct')$$, 'a statement where one must be, and none where none need be');
SELECT is_empty($$SELECT c.name, c.role, f.outcome FROM see.cases c JOIN see.found f USING (n) WHERE f.at = 'gone' AND f.outcome = 'moved' AND NOT f.direct$$, 'moves are direct again when the addition is gone');
SELECT is_empty($$SELECT c.name, c.role, f.outcome FROM see.cases c JOIN see.found f USING (n) WHERE f.at = 'gone' AND f.outcome <> 'moved'$$, 'and end well');
SELECT is_empty($$SELECT c.name, f.way, f.outcome FROM see.cases c JOIN see.found f USING (n) WHERE f.at = 'heap'$$, 'amcheck has nothing to say of the tables');
SELECT cmp_ok((SELECT count(*) FROM see.found WHERE at = 'checked'), '>', (SELECT 7 * count(*) FROM see.cases), 'nor of the indexes');

------------------------------------------------------------------------------------------------------------------------
-- indexes that are being created meanwhile
------------------------------------------------------------------------------------------------------------------------

-- CREATE INDEX CONCURRENTLY waits first for who writes to the table, then for who has an old snapshot.
CREATE FUNCTION see.connect(name text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_connect(name, format('dbname=%L user=%L host=%L port=%L', current_database(), current_user, split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')));
    RETURN (SELECT pid FROM dblink(name, 'SELECT pg_backend_pid()') d (pid integer));
END $$;
CREATE FUNCTION see.wait(reached text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    FOR n IN 1 .. 30000 LOOP
        EXECUTE 'SELECT ' || reached INTO found;
        IF found THEN
            RETURN reached;
        END IF;
        PERFORM pg_sleep(0.002);
    END LOOP;
    RETURN 'never: ' || reached;
END $$;
CREATE FUNCTION see.move_all(to_stage text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(t.to_stage_id::text, ' ') FROM (SELECT id FROM vsm.work_items WHERE title <> 'held') w, LATERAL vsm.transition(w.id, to_stage) t
$$;
SELECT see.connect('holder') AS holder, see.connect('reader') AS reader, see.connect('builder') AS builder \gset

-- Leaves the items where they were; the index is dropped.
CREATE PROCEDURE see.build(definition text, OUT states text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
    states := '';
    PERFORM dblink_exec('reader', 'BEGIN ISOLATION LEVEL REPEATABLE READ'), dblink_exec('holder', 'BEGIN');
    PERFORM FROM dblink('reader', 'SELECT count(*) FROM see.types') d (n bigint);
    PERFORM dblink_exec('holder', 'UPDATE vsm.work_items SET title = title WHERE title = ''held''');
    PERFORM dblink_send_query('builder', definition);
    states := states || see.wait('count(*) = 1 FROM pg_index WHERE indexrelid = to_regclass(''vsm.u'') AND NOT indisready');
    COMMIT;
    PERFORM see.move_all('Done');
    COMMIT;
    PERFORM dblink_exec('holder', 'COMMIT');
    states := states || see.wait('count(*) = 1 FROM pg_index WHERE indexrelid = to_regclass(''vsm.u'') AND indisready AND NOT indisvalid');
    COMMIT;
    PERFORM see.move_all('Build');
    COMMIT;
    PERFORM dblink_exec('reader', 'COMMIT');
    BEGIN
        result := (SELECT d.line FROM dblink_get_result('builder') d (line text));
    EXCEPTION WHEN unique_violation THEN
        result := sqlerrm;
    END;
    PERFORM FROM dblink_get_result('builder') d (line text);
    COMMIT;
    PERFORM see.move_all('Inbox');
    COMMIT;
END $$;
INSERT INTO vsm.work_items (title) VALUES ('held'), ('one'), ('two'), ('three');
CREATE TABLE see.built (definition text, way text, result text, states text);
CREATE PROCEDURE see.build_all() LANGUAGE plpgsql AS $$
DECLARE
    d text;
    result text;
    states text;
BEGIN
    FOREACH d IN ARRAY '{"INDEX CONCURRENTLY u ON vsm.work_items (stage_id)","INDEX CONCURRENTLY u ON vsm.work_items (stage_id, id) WHERE completed_at IS NULL","INDEX CONCURRENTLY u ON vsm.work_items ((stage_id + 1))",
                        "UNIQUE INDEX CONCURRENTLY u ON vsm.work_items (id) INCLUDE (stage_id)","UNIQUE INDEX CONCURRENTLY u ON vsm.work_items (stage_id, id)"}'::text[] LOOP
        CALL see.build('CREATE ' || d, states, result);
        INSERT INTO see.built VALUES (d, 'amcheck', concat(result, bt_index_check('vsm.u', true)), states);
        COMMIT;
        DROP INDEX vsm.u;
        COMMIT;
    END LOOP;
END $$;
CALL see.build_all();
SELECT is(result, 'CREATE INDEX', 'built while items move: ' || definition) FROM see.built;
SELECT is((SELECT count(*) FROM see.built WHERE states NOT LIKE '%never%'), 5::bigint, 'and moves met each state of the index');
-- one that could not be finished stays, and takes entries
\set VERBOSITY sqlstate
SELECT dblink_exec('builder', 'CREATE UNIQUE INDEX CONCURRENTLY u ON vsm.work_items (type)', false) AS failed \gset
\set VERBOSITY default
SELECT is((SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = 'vsm.u'::regclass), false, 'an invalid index');
SELECT lives_ok($$SELECT see.move_all('Done')$$, 'items move all the same');
DROP INDEX vsm.u;
SELECT count(dblink_disconnect(c)) AS disconnected FROM unnest('{holder,reader,builder}'::text[]) c \gset

------------------------------------------------------------------------------------------------------------------------
-- what the server counts
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE see.counted (n serial, calls bigint, updated bigint, hot bigint, inserted bigint, scans bigint);
CREATE FUNCTION see.count() RETURNS void LANGUAGE sql AS $$
    INSERT INTO see.counted (calls, updated, hot, inserted, scans)
    SELECT coalesce(pg_stat_get_function_calls('vsm._work_item_before'::regproc), 0), pg_stat_get_tuples_updated('vsm.work_items'::regclass), pg_stat_get_tuples_hot_updated('vsm.work_items'::regclass),
           pg_stat_get_tuples_inserted('vsm.stage_transitions'::regclass), pg_stat_get_numscans('vsm.work_items_pkey'::regclass)
$$;
DELETE FROM vsm.work_items;
INSERT INTO vsm.work_items (title) SELECT 'counted' FROM generate_series(1, 10);
VACUUM vsm.work_items;
SELECT pg_stat_force_next_flush() IS NULL AS flushed \gset
SELECT see.count() IS NULL AS counted \gset
SELECT see.move_all('Build') IS NULL AS moved \gset
SELECT pg_stat_force_next_flush() IS NULL AS flushed \gset
SELECT see.count() IS NULL AS counted \gset
SELECT is(ROW (b.calls - a.calls, b.updated - a.updated, b.hot - a.hot, b.inserted - a.inserted, b.scans - a.scans), ROW (0::bigint, 10::bigint, 10::bigint, 10::bigint, 10::bigint),
          'ten direct moves are ten updates, all of them HOT, ten rows of the ledger and ten scans of the primary key')
FROM see.counted a, see.counted b WHERE b.n = a.n + 1;

-- A lock of the transaction itself, and one that is gone, need no statement; the decision is made once and draws one id.
CREATE FUNCTION see.move_locked(lock text, to_stage text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    calls CONSTANT bigint := coalesce(pg_stat_get_xact_function_calls('vsm._work_item_before'::regproc), 0);
    id CONSTANT bigint := (SELECT min(w.id) FROM vsm.work_items w);
    ledger_id CONSTANT bigint := (SELECT last_value FROM vsm.stage_transitions_id_seq);
BEGIN
    IF lock IS NOT NULL THEN
        EXECUTE format('SELECT FROM vsm.work_items WHERE id = %s FOR %s', id, lock);
    END IF;
    RETURN concat_ws(' ', (vsm.transition(id, to_stage)).id - ledger_id, coalesce(pg_stat_get_xact_function_calls('vsm._work_item_before'::regproc), 0) - calls);
END $$;
SELECT is(see.move_locked(l.lock, l.stage), '1 0', 'direct after FOR ' || l.lock)
FROM (VALUES ('UPDATE', 'Inbox'), ('NO KEY UPDATE', 'Done'), ('SHARE', 'Build'), ('KEY SHARE', 'Inbox')) l (lock, stage);
SELECT is(see.move_locked(NULL, 'Done'), '1 0', 'and in the next transaction');
BEGIN;
SAVEPOINT s;
SELECT see.move_locked('UPDATE', 'Inbox') AS moved \gset
ROLLBACK TO s;
SELECT is(see.move_locked(NULL, 'Build'), '1 0', 'and after a lock that was rolled back');
COMMIT;

DROP OWNED BY see_writer, see_granted;
DROP ROLE see_writer, see_granted;
SELECT * FROM finish();
