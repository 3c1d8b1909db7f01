-- random_triggers.sql: with random triggers of the user's the ledger still says what became of every item
--
-- Triggers before and after ours by name change the row, cancel it, move, delete, re-create and insert items, in
-- subtransactions that end well or badly.  After each transaction: either there was an error and nothing has changed,
-- or each item is where its ledger puts it, no ledger row is without an item, no stage holds more than its limit, and
-- counters and totals are those of the tables.
--
-- The seed is fixed; psql -v seed=0.N tries another history.

\if :{?seed}
\else
\set seed 0.20240331
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA chaos;

SELECT no_plan();
SELECT diag('seed ' || :seed);
SELECT is((vsm.define_stream('default', '[{"name":"Open","category":"wait"},{"name":"Work"},{"name":"Narrow","wip_limit":3},{"name":"Test"},
    {"name":"Done","category":"done"}]')).name, 'default', 'a stream with a narrow stage');

-- ---- what happens ----

CREATE FUNCTION chaos.stage() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT s.id FROM vsm.stages s WHERE s.stream = 'default' ORDER BY s.id OFFSET floor(random() * 5) LIMIT 1 $$;
CREATE FUNCTION chaos.item() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT w.id FROM vsm.work_items w ORDER BY w.id OFFSET floor(random() * (SELECT count(*) FROM vsm.work_items)) LIMIT 1 $$;

-- One change, of this item or of another.
CREATE FUNCTION chaos.change(item bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    target bigint := CASE WHEN random() < 0.6 THEN item ELSE chaos.item() END;
BEGIN
    CASE WHEN dice < 0.25 THEN
        UPDATE vsm.work_items w SET stage_id = chaos.stage() WHERE w.id = target;
    WHEN dice < 0.35 THEN
        PERFORM vsm.transition(w.id, s.name) FROM vsm.work_items w, vsm.stages s WHERE w.id = target AND s.id = chaos.stage();
    WHEN dice < 0.45 THEN
        UPDATE vsm.work_items w SET title = 'touched' WHERE w.id = target;
    WHEN dice < 0.60 THEN
        DELETE FROM vsm.work_items w WHERE w.id = target;
    WHEN dice < 0.70 THEN
        DELETE FROM vsm.work_items w WHERE w.id = target;
        INSERT INTO vsm.work_items (id, title, stage_id) VALUES (target, 'anew', CASE WHEN random() < 0.5 THEN chaos.stage() END) ON CONFLICT DO NOTHING;
    WHEN dice < 0.85 THEN
        INSERT INTO vsm.work_items (title) VALUES ('other');
    ELSE
        INSERT INTO vsm.work_items (title, external_id, created_at) VALUES ('known', 'X' || floor(random() * 9), now() + '3 minutes')
        ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET stage_id = chaos.stage();
    END CASE;
END $$;

-- Some changes, half of them in a subtransaction, some of which end badly.
CREATE FUNCTION chaos.changes(item bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.5 THEN
        PERFORM chaos.change(item);
        RETURN;
    END IF;
    BEGIN
        PERFORM chaos.change(item);
        IF random() < 0.5 THEN
            PERFORM chaos.change(item);
        END IF;
        IF random() < 0.4 THEN
            RAISE division_by_zero;
        END IF;
    EXCEPTION WHEN division_by_zero OR unique_violation OR triggered_data_change_violation OR SQLSTATE 'PT409' THEN
        NULL;
    END;
END $$;

CREATE FUNCTION chaos.act() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    item bigint := CASE tg_op WHEN 'DELETE' THEN old.id ELSE new.id END;
BEGIN
    IF pg_trigger_depth() > 3 OR dice < 0.4 THEN
        NULL;
    ELSIF dice < 0.75 OR tg_when = 'AFTER' THEN
        PERFORM chaos.changes(item);
    ELSIF dice < 0.80 THEN
        RETURN NULL;
    ELSIF tg_op <> 'DELETE' THEN
        CASE floor(random() * 7)
            WHEN 0 THEN new.stage_id := chaos.stage();
            WHEN 1 THEN new.stage_id := chaos.stage();
            WHEN 2 THEN new.title := 'renamed';
            WHEN 3 THEN new.completed_at := now();
            WHEN 4 THEN new.active_time := '1 day';
            WHEN 5 THEN new.updated_at := now();
            ELSE IF tg_op = 'UPDATE' THEN new := old; END IF;
        END CASE;
    END IF;
    RETURN CASE tg_op WHEN 'DELETE' THEN old ELSE new END;
END $$;

-- Some triggers, all others dropped.
CREATE FUNCTION chaos.arrange() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT t.tgname FROM pg_trigger t WHERE t.tgfoid = 'chaos.act'::regproc LOOP
        EXECUTE format('DROP TRIGGER %I ON vsm.work_items', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['aaa', 'zzz'] LOOP
        IF random() < 0.6 THEN
            EXECUTE format('CREATE TRIGGER %I AFTER %s ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION chaos.act()', name || '_after',
                           (ARRAY['INSERT', 'UPDATE', 'DELETE', 'INSERT OR UPDATE', 'INSERT OR UPDATE OR DELETE'])[1 + floor(random() * 5)]);
        END IF;
        IF random() < 0.4 THEN
            EXECUTE format('CREATE TRIGGER %I BEFORE %s ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION chaos.act()', name || '_before',
                           (ARRAY['INSERT', 'UPDATE', 'DELETE', 'INSERT OR UPDATE', 'INSERT OR UPDATE OR DELETE'])[1 + floor(random() * 5)]);
        END IF;
    END LOOP;
    IF random() < 0.3 THEN
        EXECUTE 'CREATE CONSTRAINT TRIGGER mmm_late AFTER INSERT OR UPDATE ON vsm.work_items DEFERRABLE INITIALLY DEFERRED'
                ' FOR EACH ROW EXECUTE FUNCTION chaos.act()';
    END IF;
END $$;

CREATE FUNCTION chaos.statement() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
BEGIN
    CASE WHEN dice < 0.25 THEN
        INSERT INTO vsm.work_items (title, stage_id) SELECT 'new', CASE WHEN random() < 0.3 THEN chaos.stage() END FROM generate_series(1, 1 + floor(random() * 4)::integer);
    WHEN dice < 0.50 THEN
        UPDATE vsm.work_items w SET stage_id = chaos.stage() WHERE random() < 0.2;
    WHEN dice < 0.60 THEN
        UPDATE vsm.work_items w SET title = w.title || '.' WHERE random() < 0.2;
    WHEN dice < 0.70 THEN
        DELETE FROM vsm.work_items w WHERE random() < 0.15;
    WHEN dice < 0.80 THEN
        MERGE INTO vsm.work_items w USING (SELECT i, floor(random() * 4) AS what FROM generate_series(1, 5) i) s ON w.external_id = 'X' || s.i
        WHEN MATCHED AND s.what = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET stage_id = chaos.stage()
        WHEN NOT MATCHED THEN INSERT (title, external_id) VALUES ('merged', 'X' || s.i);
    WHEN dice < 0.90 THEN
        WITH d AS (DELETE FROM vsm.work_items w WHERE random() < 0.1 RETURNING id),
             u AS (UPDATE vsm.work_items w SET stage_id = chaos.stage() WHERE random() < 0.1 RETURNING id)
        INSERT INTO vsm.work_items (id, title) SELECT id, 'anew' FROM d WHERE random() < 0.7;
    ELSE
        PERFORM chaos.change(chaos.item());
    END CASE;
END $$;

CREATE FUNCTION chaos.transaction() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. 1 + floor(random() * 3)::integer LOOP
        IF random() < 0.5 THEN
            PERFORM chaos.statement();
        ELSE
            BEGIN
                PERFORM chaos.statement();
                IF random() < 0.3 THEN
                    RAISE division_by_zero;
                END IF;
            EXCEPTION WHEN division_by_zero OR unique_violation OR triggered_data_change_violation OR SQLSTATE 'PT409' THEN
                NULL;
            END;
        END IF;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
END $$;

-- ---- what must hold ----

CREATE FUNCTION chaos.picture() RETURNS text LANGUAGE sql AS $$
    SELECT md5(concat((SELECT string_agg(w::text, ' ' ORDER BY w.id) FROM vsm.work_items w),
                      (SELECT string_agg(t::text, ' ' ORDER BY t.work_item_id, t.id) FROM vsm.stage_transitions t))) $$;

CREATE FUNCTION chaos.wrong() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'item ' || w.id || ' is not where its ledger puts it' FROM vsm.work_items w
    WHERE (w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened, w.backward_moves,
           w.discarded_at, w.discarded, w.furthest_stage_id)
          IS DISTINCT FROM (SELECT vsm._replay(t.to_stage_id, t."timestamp", t.id) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id)
    UNION ALL
    SELECT 'item ' || w.id || ' shows the stage ' || w.current_stage FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id
    WHERE w.current_stage IS DISTINCT FROM s.name
    UNION ALL
    SELECT 'the rows of item ' || o.work_item_id || ' do not follow one another'
    FROM (SELECT t.*, lag(t.to_stage_id) OVER w AS before, lag(t."timestamp") OVER w AS at FROM vsm.stage_transitions t
          WINDOW w AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id)) o
    WHERE (o.from_stage_id, o.time_in_stage) IS DISTINCT FROM (o.before, o."timestamp" - o.at)
    UNION ALL
    SELECT 'there is no item ' || t.work_item_id FROM vsm.stage_transitions t WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)
    UNION ALL
    SELECT 'the counter of ' || c.stage || ' differs by ' || c.difference || ', ' || c.reserved || ' reserved'
    FROM vsm.wip_check() c WHERE c.difference <> 0 OR c.reserved <> 0
    UNION ALL
    SELECT s.name || ' holds ' || count(*) FROM vsm.stages s JOIN vsm.work_items w ON w.stage_id = s.id GROUP BY s.id HAVING count(*) > s.wip_limit
    UNION ALL
    SELECT 'the totals differ' WHERE EXISTS (SELECT kind, a, b, n FROM vsm._totals_now() EXCEPT SELECT kind, a, b, n::bigint FROM vsm._totals_counted)
        OR EXISTS (SELECT kind, a, b, n::bigint FROM vsm._totals_counted WHERE n <> 0 EXCEPT SELECT kind, a, b, n FROM vsm._totals_now()) $$;

CREATE TABLE chaos.log (n integer, state text, message text, changed boolean, wrong text);

CREATE PROCEDURE chaos.run(transactions integer) LANGUAGE plpgsql AS $$
DECLARE
    before text;
    state text;
    said text;
BEGIN
    FOR n IN 1 .. transactions LOOP
        IF n % 8 = 1 THEN
            PERFORM chaos.arrange();
            COMMIT;
        END IF;
        before := chaos.picture();
        state := 'done';
        said := NULL;
        BEGIN
            PERFORM chaos.transaction();
        EXCEPTION WHEN OTHERS THEN
            state := sqlstate;
            said := sqlerrm;
        END;
        COMMIT;
        INSERT INTO chaos.log VALUES (n, state, said, chaos.picture() <> before, (SELECT string_agg(w, '; ') FROM chaos.wrong() w));
        COMMIT;
    END LOOP;
END $$;

SELECT setseed(:seed);
CALL chaos.run(600);
SELECT diag(format('%s: %s', state, count(*))) FROM chaos.log GROUP BY state ORDER BY state;
SELECT diag(format('%s items, %s moves', (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions)));

SELECT is_empty('SELECT n, state, wrong FROM chaos.log WHERE wrong IS NOT NULL ORDER BY n LIMIT 5', 'after each transaction the ledger has every row');
SELECT is_empty($$SELECT n, state FROM chaos.log WHERE state <> 'done' AND changed$$, 'a transaction with an error has changed nothing');
SELECT is_empty($$SELECT n, state, message FROM chaos.log WHERE state NOT IN ('done', '27000', '23505', '21000', '42501', 'PT409', 'PT404')$$,
                'errors are those of limits, keys, computed columns and triggers');
SELECT cmp_ok((SELECT count(*) FROM chaos.log WHERE state = 'done' AND changed), '>', 150::bigint, 'many transactions went well');
SELECT cmp_ok((SELECT count(*) FROM chaos.log WHERE state = '27000'), '>', 20::bigint, 'many were refused because of a later trigger');
SELECT finish();
