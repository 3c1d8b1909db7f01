-- direct_moves.sql: a move by vsm.transition() ends as its UPDATE does, whoever moves, in whatever transaction, beside whomever
--
-- The same random life is lived twice, in three sessions whose steps are interleaved alike: once as it is, so that moves
-- are stored without a statement (src/move/direct_move.c), and once with a check on vsm.work_items that always holds, so
-- that each move is an UPDATE.  Every step must have the same answer or error, or wait in both, and all rows must be the
-- same in the end.  What the clock says is left out; nearly all times are given.  Afterwards amcheck finds every row of
-- the tables in every index.
--
-- The seed is drawn; psql -v seed=N repeats a run, -v rounds=N lives longer.

\if :{?seed}
\else
SELECT extract(epoch FROM clock_timestamp())::bigint % 1000000 AS seed \gset
\endif
\if :{?rounds}
\else
\set rounds 160
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET lock_timeout = '30s';
CREATE EXTENSION dblink;
CREATE EXTENSION amcheck;
CREATE SCHEMA twin;
GRANT USAGE ON SCHEMA twin TO PUBLIC;

SELECT no_plan();
SELECT diag('seed ' || :seed);

------------------------------------------------------------------------------------------------------------------------
-- who moves
------------------------------------------------------------------------------------------------------------------------

SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Build","wip_limit":2},{"name":"Review","category":"wait"},
    {"name":"Test","wip_limit":3},{"name":"Shipped","category":"done"},{"name":"Dropped","category":"discarded"}]') IS NOT NULL AS alpha,
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"},{"name":"Void","category":"discarded"}]',
    reopen_rule => 'sum_started') IS NOT NULL AS beta \gset

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY '{twin_writer,twin_alpha,twin_reader,twin_half,twin_granted,twin_columns,twin_bypass,twin_blind,twin_outside,twin_none}'::text[] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('DROP ROLE %I', role);
        END IF;
        EXECUTE format('CREATE ROLE %I', role);
    END LOOP;
    PERFORM vsm.grant_access('twin_writer', 'writer'), vsm.grant_access('twin_alpha', 'writer', 'alpha'), vsm.grant_access('twin_reader', 'reader'),
            vsm.grant_access('twin_half', 'reader'), vsm.grant_access('twin_half', 'writer', 'beta');
END $$;
ALTER ROLE twin_bypass BYPASSRLS;
GRANT USAGE ON SCHEMA vsm TO twin_granted, twin_columns, twin_bypass, twin_blind, twin_none;
GRANT SELECT, UPDATE ON vsm.work_items TO twin_granted, twin_bypass, twin_outside;
GRANT SELECT ON vsm.stages, vsm.stage_transitions TO twin_granted, twin_columns, twin_bypass, twin_outside, twin_blind;
GRANT SELECT (id, stream, stage_id), UPDATE (stage_id) ON vsm.work_items TO twin_columns;
GRANT UPDATE ON vsm.work_items TO twin_blind;
CREATE FUNCTION twin.as_writer(item bigint, stage text) RETURNS vsm.stage_transitions LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN vsm.transition(item, stage);
END $$;
ALTER FUNCTION twin.as_writer OWNER TO twin_writer;
-- finds vsm.transition() without the right to name it
CREATE FUNCTION twin.inside(item bigint, stage text) RETURNS vsm.stage_transitions LANGUAGE sql BEGIN ATOMIC SELECT vsm.transition(item, stage); END;

------------------------------------------------------------------------------------------------------------------------
-- what is compared
------------------------------------------------------------------------------------------------------------------------

-- Times given lie before 2025.  After a move by the clock, all that is elapsed depends on it.
CREATE FUNCTION twin.by_rule(r jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(e.key, CASE WHEN e.value #>> '{}' ~ '^20(2[5-9]|[3-9])' THEN '"clock"'
                                        WHEN e.key ~ '_time$|^time_in_' AND e.value <> 'null' AND coalesce(r ->> 'timestamp', r ->> 'stage_entered_at') ~ '^20(2[5-9]|[3-9])' THEN '"elapsed"'
                                        ELSE e.value END)
    FROM jsonb_each(r) e
$$;
CREATE FUNCTION twin.shown(r anyelement) RETURNS text LANGUAGE sql AS $$ SELECT (twin.by_rule(to_jsonb(r)) - 'id')::text $$;
CREATE FUNCTION twin.without_clock(said text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(said, '20(2[5-9]|[3-9]\d)-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+\d\d', 'clock', 'g')
$$;
-- Ids of the ledger are drawn for decisions, some of which are made anew: only their order matters.
CREATE FUNCTION twin.picture() RETURNS TABLE (of_table text, line text) LANGUAGE sql AS $$
    SELECT 'work_items', twin.by_rule(to_jsonb(w))::text FROM vsm.work_items w
    UNION ALL
    SELECT 'stage_transitions', (twin.by_rule(to_jsonb(t)) || jsonb_build_object('id', row_number() OVER (ORDER BY t.id)))::text FROM vsm.stage_transitions t
    UNION ALL
    SELECT 'superseded_transitions', (twin.by_rule(to_jsonb(t)) - '{id,transition_id}'::text[])::text FROM vsm.superseded_transitions t
    UNION ALL
    SELECT '_retypes', (twin.by_rule(to_jsonb(r)) - 'id')::text FROM vsm._retypes r
    UNION ALL
    SELECT '_marks', m.stream_id || ' ' || m.since || ' ' || m.until FROM (SELECT DISTINCT stream_id, since, until FROM vsm._marks) m
    UNION ALL
    SELECT 'wip', concat_ws(' ', w.stage, w.wip, c.difference, c.reserved) FROM vsm.wip w JOIN vsm.wip_check() c USING (stage)
    UNION ALL
    SELECT 'totals', 'differ' WHERE EXISTS (SELECT kind, a, b, n FROM vsm._totals_now() EXCEPT SELECT kind, a, b, n::bigint FROM vsm._totals_counted)
$$;

------------------------------------------------------------------------------------------------------------------------
-- what happens
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE twin.script (round integer, session integer, n integer, statement text, PRIMARY KEY (round, session, n));
CREATE TABLE twin.schedule (round integer PRIMARY KEY, sessions integer[]);
CREATE TABLE twin.answers (way text, round integer, session integer, n integer, statement text, answer text, PRIMARY KEY (way, round, session, n));
CREATE TABLE twin.pictures (way text, round integer, of_table text, line text);

CREATE FUNCTION twin.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))]
$$;

CREATE FUNCTION twin.move(item integer, round integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dice float8 := random();
    stage text := twin.one_of('Inbox', 'Build', 'Build', 'Review', 'Test', 'Test', 'Shipped', 'Dropped', 'Todo', 'Doing', 'Doing', 'Done', 'Void', 'Nowhere');
    arguments text := '';
BEGIN
    -- items know their stream by their number: see twin.begin()
    IF random() < 0.97 THEN
        stage := CASE WHEN item % 3 = 0 THEN twin.one_of('Todo', 'Doing', 'Done', 'Void') ELSE twin.one_of('Inbox', 'Build', 'Build', 'Review', 'Test', 'Test', 'Shipped', 'Dropped') END;
    END IF;
    IF dice < 0.05 THEN
        RETURN format('SELECT twin.shown(twin.as_writer(%s, %L))', item, stage);
    ELSIF dice < 0.1 THEN
        RETURN format('SELECT twin.shown(twin.inside(%s, %L))', item, stage);
    ELSIF dice < 0.15 THEN
        RETURN format('SELECT string_agg(twin.shown(vsm.transition(i, %L)), ''; '') FROM unnest(ARRAY[%s, %s]) i', stage, item, item);
    ELSIF dice < 0.2 THEN
        RETURN format('DO $do$ BEGIN PERFORM vsm.transition(%s, %L); RAISE division_by_zero; EXCEPTION WHEN division_by_zero OR SQLSTATE ''PT409'' THEN PERFORM vsm.transition(%1$s, %2$L); END $do$', item, stage);
    END IF;
    dice := random();
    IF dice < 0.75 THEN
        arguments := format(', at => %L', timestamptz '2024-01-01' + round * interval '1 day' + random() * interval '1 day');
    ELSIF dice < 0.80 THEN
        arguments := format(', at => %L', twin.one_of('infinity', '-infinity', '1969-12-31', '2999-01-01', '1970-01-01', '2023-06-01 12:00'));
    END IF;
    IF random() < 0.08 THEN
        arguments := arguments || format(', expected_from => %L', twin.one_of('Inbox', 'Build', 'Review', 'Todo', 'Doing', 'Nowhere'));
    END IF;
    IF random() < 0.3 THEN
        arguments := arguments || ', reason => ''because''';
    END IF;
    RETURN format('SELECT twin.shown(vsm.transition(%s, %L%s))', item, stage, arguments);
END $$;

CREATE FUNCTION twin.step(item integer, round integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dice float8 := random();
BEGIN
    RETURN CASE
        WHEN dice < 0.72 THEN twin.move(item, round)
        WHEN dice < 0.76 THEN format('SELECT id::text FROM vsm.work_items WHERE id = %s FOR %s', item, twin.one_of('UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE', 'KEY SHARE'))
        WHEN dice < 0.80 THEN format('UPDATE vsm.work_items SET title = title || ''.'' WHERE id = %s', item)
        WHEN dice < 0.82 THEN format('UPDATE vsm.work_items SET attributes = jsonb_build_object(''long'', (SELECT string_agg(md5(n::text), '''') FROM generate_series(1, 200) n)) WHERE id = %s', item)
        WHEN dice < 0.84 THEN format('UPDATE vsm.work_items SET type = %L WHERE id = %s', twin.one_of('task', 'bug', 'none'), item)
        WHEN dice < 0.88 THEN format('UPDATE vsm.work_items w SET stage_id = s.id FROM vsm.stages s WHERE w.id = %s AND s.stream = w.stream AND s.name = %L', item,
                                     twin.one_of('Build', 'Review', 'Test', 'Doing', 'Shipped', 'Done'))
        WHEN dice < 0.90 THEN format('DELETE FROM vsm.work_items WHERE id = %s', item)
        WHEN dice < 0.95 THEN format('INSERT INTO vsm.work_items (id, stream, title, created_at) VALUES (%s, %L, ''anew'', ''2023-12-31'') ON CONFLICT DO NOTHING', item, CASE WHEN item % 3 = 0 THEN 'beta' ELSE 'alpha' END)
        WHEN dice < 0.97 THEN 'SELECT count(*)::text FROM vsm.work_items WHERE stage_id > 0'
        ELSE format('UPDATE vsm.stages SET wip_limit = %s WHERE stream = ''alpha'' AND name = ''Test''', twin.one_of('1', '3', '5', 'NULL'))
    END;
END $$;

-- The items of a transaction ascend, so that nobody runs into a deadlock.
CREATE FUNCTION twin.transaction(round integer) RETURNS SETOF text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    item integer := 1 + floor(random() * 6);
    many boolean := random() < 0.75;
    dice float8 := random();
    saved boolean := false;
    step text;
BEGIN
    RETURN NEXT CASE WHEN dice < 0.55 THEN 'RESET vsm.wip_limit_action'
                     WHEN dice < 0.7 THEN 'SET vsm.wip_limit_action = ' || twin.one_of('warn', 'off')
                     WHEN dice < 0.74 THEN 'SET vsm.recording = off'
                     WHEN dice < 0.78 THEN 'SET session_replication_role = ' || twin.one_of('replica', 'local')
                     WHEN dice < 0.82 THEN 'SET row_security = off'
                     WHEN dice < 0.84 THEN 'SET default_transaction_read_only = on'
                     ELSE 'SELECT ''as it is''' END;
    dice := random();
    RETURN NEXT CASE WHEN dice < 0.5 THEN 'RESET SESSION AUTHORIZATION'
                     WHEN dice < 0.55 THEN 'SET ROLE ' || twin.one_of('twin_writer', 'twin_alpha', 'twin_reader')
                     ELSE 'SET SESSION AUTHORIZATION ' || twin.one_of('twin_writer', 'twin_writer', 'twin_writer', 'twin_alpha', 'twin_alpha', 'twin_half', 'twin_granted', 'twin_granted', 'twin_reader', 'twin_columns',
                                                                     'twin_bypass', 'twin_blind', 'twin_outside', 'twin_none') END;
    IF many THEN
        RETURN NEXT 'BEGIN ISOLATION LEVEL ' || twin.one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE') || CASE WHEN random() < 0.05 THEN ' READ ONLY' ELSE '' END;
        IF random() < 0.3 THEN
            RETURN NEXT 'SELECT count(*)::text FROM vsm.work_items';
        END IF;
    END IF;
    FOR i IN 1 .. 1 + floor(random() * 4)::integer LOOP
        IF many AND random() < 0.2 THEN
            RETURN NEXT CASE WHEN saved THEN 'ROLLBACK TO s' ELSE 'SAVEPOINT s' END;
            saved := true;
        END IF;
        step := twin.step(CASE WHEN random() < 0.02 THEN 999 ELSE item END, round);
        -- other definitions wait for all moves, and a share of a lock may be in the way of the other one's next step
        CONTINUE WHEN many AND step LIKE 'UPDATE vsm.stages%';
        RETURN NEXT step;
        item := item + floor(random() * 3) + CASE WHEN step LIKE '% FOR %SHARE' THEN 1 ELSE 0 END;
    END LOOP;
    IF many THEN
        dice := random();
        IF dice < 0.1 THEN
            RETURN NEXT format('PREPARE TRANSACTION ''twin%s''', round);
            RETURN NEXT 'RESET SESSION AUTHORIZATION';
            RETURN NEXT twin.one_of('COMMIT', 'ROLLBACK') || format(' PREPARED ''twin%s''', round);
        ELSE
            RETURN NEXT CASE WHEN dice < 0.8 THEN 'COMMIT' ELSE 'ROLLBACK' END;
        END IF;
    END IF;
    RETURN NEXT 'RESET SESSION AUTHORIZATION';
    RETURN NEXT 'RESET ROLE';
    RETURN NEXT 'RESET ALL';
END $$;

CREATE FUNCTION twin.write_script(rounds integer) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    sessions integer;
BEGIN
    FOR r IN 1 .. rounds LOOP
        sessions := least(3, 1 + floor(random() * 4));
        FOR s IN 1 .. sessions LOOP
            INSERT INTO twin.script SELECT r, s, o.n, o.statement FROM twin.transaction(r) WITH ORDINALITY o (statement, n);
        END LOOP;
        INSERT INTO twin.schedule SELECT r, array_agg(1 + floor(random() * sessions)::integer) FROM generate_series(1, sessions * 12);
    END LOOP;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- a life
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION twin.begin() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE vsm.work_items;
    ALTER SEQUENCE vsm.work_items_id_seq RESTART WITH 100;
    ALTER SEQUENCE vsm.stage_transitions_id_seq RESTART;
    UPDATE vsm.stages s SET wip_limit = 3 WHERE s.stream = 'alpha' AND s.name = 'Test' AND s.wip_limit IS DISTINCT FROM 3;
    SET LOCAL vsm.recording = on;
    PERFORM twin.fill();
END $$;
CREATE FUNCTION twin.fill() RETURNS void LANGUAGE sql AS $$
    INSERT INTO vsm.work_items (id, stream, external_id, title, type, created_at)
    SELECT n, CASE WHEN n % 3 = 0 THEN 'beta' ELSE 'alpha' END, 'X' || n, 'item ' || n, 'task', '2023-12-31' FROM generate_series(1, 14) n ON CONFLICT DO NOTHING;
$$;

-- Collects what sessions have to say; those that are left wait for another one.  One that ends may let others go on, so
-- until a round of all has found none that did: the next step meets nobody at work.
CREATE FUNCTION twin.settle(way text, round integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s record;
    answer text;
    state text;
    message text;
    detail text;
    hint text;
    since timestamptz := clock_timestamp();
    sessions CONSTANT integer[] := 0 || ARRAY(SELECT p.pid FROM twin.pids p);      -- 0: of a prepared transaction
    ended boolean := true;
BEGIN
    WHILE ended LOOP
        ended := false;
        FOR s IN SELECT b.* FROM twin.busy b ORDER BY b.session LOOP
            -- not for autovacuum, which gives way
            WHILE dblink_is_busy('s' || s.session) = 1 LOOP
                EXIT WHEN pg_blocking_pids(s.pid) && sessions;
                PERFORM pg_sleep(0.001);
                IF clock_timestamp() > since + interval '60 s' THEN
                    RAISE EXCEPTION 'session % neither ends nor waits: %', s.session, s.statement;
                END IF;
            END LOOP;
            IF dblink_is_busy('s' || s.session) = 1 THEN
                UPDATE twin.busy b SET waited = true WHERE b.session = s.session;
                CONTINUE;
            END IF;
            BEGIN
                SELECT string_agg(r.line, '; ') INTO answer FROM dblink_get_result('s' || s.session) r (line text);
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
                answer := twin.without_clock(concat_ws(' | ', state, message, detail, hint));
            END;
            PERFORM FROM dblink_get_result('s' || s.session) r (line text);
            INSERT INTO twin.answers VALUES (way, round, s.session, s.n, s.statement, concat(CASE WHEN s.waited THEN 'after waiting: ' END, answer));
            DELETE FROM twin.busy b WHERE b.session = s.session;
            ended := true;
        END LOOP;
    END LOOP;
END $$;

-- The session's next step, if it has one and does not wait.
CREATE FUNCTION twin.go_on(way text, of_round integer, of_session integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next record;
BEGIN
    IF NOT EXISTS (SELECT FROM twin.busy b WHERE b.session = of_session) THEN
        SELECT * INTO next FROM twin.script s WHERE s.round = of_round AND s.session = of_session
        AND NOT EXISTS (SELECT FROM twin.answers a WHERE a.way = go_on.way AND a.round = s.round AND a.session = s.session AND a.n = s.n) ORDER BY s.n LIMIT 1;
        IF FOUND THEN
            PERFORM dblink_send_query('s' || of_session, next.statement);
            INSERT INTO twin.busy VALUES (of_session, (SELECT p.pid FROM twin.pids p WHERE p.session = of_session), next.n, next.statement, false);
        END IF;
    END IF;
    PERFORM twin.settle(way, of_round);
END $$;

CREATE TABLE twin.busy (session integer PRIMARY KEY, pid integer, n integer, statement text, waited boolean);
CREATE TABLE twin.pids (session integer PRIMARY KEY, pid integer);

CREATE FUNCTION twin.live(way text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    DELETE FROM twin.pids;
    FOR s IN 1 .. 3 LOOP
        PERFORM dblink_connect('s' || s, format('dbname=%L user=%L host=%L port=%L options=''-c timezone=UTC -c datestyle=ISO -c track_functions=all -c enable_seqscan=off -c enable_bitmapscan=off -c client_min_messages=error -c deadlock_timeout=10s''',
                                        current_database(), current_user, split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')));
        INSERT INTO twin.pids SELECT s, p.pid FROM dblink('s' || s, 'SELECT pg_backend_pid()') p (pid integer);
    END LOOP;
    FOR r IN SELECT * FROM twin.schedule ORDER BY round LOOP
        -- an item that was moved by the clock takes no earlier times
        PERFORM FROM dblink('s1', CASE r.round % 5 WHEN 0 THEN 'WITH d AS (DELETE FROM vsm.work_items RETURNING id) SELECT count(*)::text FROM d' ELSE 'SELECT twin.fill()::text' END) d (line text);
        PERFORM FROM dblink('s1', 'SELECT twin.fill()::text') d (line text);
        PERFORM twin.go_on(way, r.round, s.session) FROM unnest(r.sessions) s (session);
        FOR n IN 1 .. 100 LOOP
            EXIT WHEN NOT EXISTS (SELECT FROM twin.script s WHERE s.round = r.round
                                  AND NOT EXISTS (SELECT FROM twin.answers a WHERE a.way = live.way AND a.round = s.round AND a.session = s.session AND a.n = s.n));
            PERFORM twin.go_on(way, r.round, s) FROM generate_series(1, 3) s;
        END LOOP;
        IF EXISTS (SELECT FROM twin.busy) THEN
            RAISE EXCEPTION 'sessions wait for each other in round %', r.round;
        END IF;
        IF r.round % 10 = 4 THEN
            INSERT INTO twin.pictures SELECT live.way, r.round, p.* FROM twin.picture() p;
        END IF;
    END LOOP;
    PERFORM dblink_disconnect('s' || s) FROM generate_series(1, 3) s;
END $$;
SELECT setseed(:seed % 1000 / 1000.0) IS NULL AS seeded \gset
SELECT twin.write_script(:rounds) IS NULL AS written \gset

SELECT twin.begin() IS NULL AS begun \gset
SELECT count(*) AS folded FROM vsm.fold() \gset
SELECT twin.begin() IS NULL AS begun \gset
SELECT lives_ok($$SELECT twin.live('direct')$$, 'a life with direct moves');
SELECT pg_sleep(0.2) IS NULL AS waited \gset
SELECT coalesce(pg_stat_get_function_calls('vsm._work_item_before'::regproc), 0) AS direct_calls \gset
SELECT twin.begin() IS NULL AS begun \gset
ALTER TABLE vsm.work_items ADD CONSTRAINT twin_always CHECK (id IS NOT NULL);
SELECT lives_ok($$SELECT twin.live('update')$$, 'the same with an UPDATE for each move');
SELECT pg_sleep(0.2) IS NULL AS waited \gset
SELECT pg_stat_get_function_calls('vsm._work_item_before'::regproc) - :direct_calls AS update_calls \gset
ALTER TABLE vsm.work_items DROP CONSTRAINT twin_always;

SELECT diag(format('%s steps, %s waited, %s errors, %s moves; the trigger decided %s times and %s times',
                   count(*), count(*) FILTER (WHERE answer LIKE 'after waiting%'), count(*) FILTER (WHERE answer ~ '^(after waiting: )?[0-9A-Z]{5} \|'), count(*) FILTER (WHERE answer ~ '^(after waiting: )?\{'), :direct_calls, :update_calls))
FROM twin.answers WHERE way = 'direct';
SELECT diag(format('%s: %s', substring(answer FROM '([0-9A-Z]{5}) \|'), count(*))) FROM twin.answers WHERE way = 'direct' GROUP BY substring(answer FROM '([0-9A-Z]{5}) \|') ORDER BY 1;

SELECT is_empty($$
    SELECT d.round, d.session, d.n, d.statement, d.answer, u.answer FROM twin.answers d FULL JOIN twin.answers u USING (round, session, n)
    WHERE d.way = 'direct' AND u.way = 'update' AND d.answer IS DISTINCT FROM u.answer ORDER BY d.round, d.n LIMIT 5
    $$, 'each step has the same answer, error or wait');
SELECT is_empty(format($$
    (SELECT round, line FROM twin.pictures WHERE way = 'direct' AND of_table = %1$L EXCEPT ALL SELECT round, line FROM twin.pictures WHERE way = 'update' AND of_table = %1$L
     UNION ALL
     SELECT round, line FROM twin.pictures WHERE way = 'update' AND of_table = %1$L EXCEPT ALL SELECT round, line FROM twin.pictures WHERE way = 'direct' AND of_table = %1$L)
    ORDER BY 1, 2 LIMIT 6
    $$, t.name), 'the same rows: ' || t.name)
FROM unnest('{work_items,stage_transitions,superseded_transitions,_retypes,_marks,wip}'::text[]) t (name);
SELECT is_empty($$SELECT * FROM twin.pictures WHERE of_table = 'totals'$$, 'the totals are those of the tables');
SELECT cmp_ok((SELECT count(*) FROM twin.answers WHERE way = 'direct' AND answer LIKE 'after waiting%'), '>=', :rounds / 40::bigint, 'sessions waited for each other');
SELECT cmp_ok(:update_calls::bigint - :direct_calls, '>=', :rounds / 2::bigint, 'many moves went without the trigger');

------------------------------------------------------------------------------------------------------------------------
-- what is in the tables is in the indexes
------------------------------------------------------------------------------------------------------------------------

SELECT lives_ok(format('SELECT bt_index_parent_check(%L, true, true)', i.indexrelid::regclass), 'amcheck: ' || i.indexrelid::regclass)
FROM pg_index i WHERE i.indrelid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass) ORDER BY i.indexrelid::regclass::text;
SELECT is_empty(format('SELECT * FROM verify_heapam(%L)', t), 'amcheck: ' || t) FROM unnest('{vsm.work_items,vsm.stage_transitions}'::text[]) t;

DO $$
DECLARE
    role text;
BEGIN
    DROP FUNCTION twin.as_writer;
    FOREACH role IN ARRAY '{twin_writer,twin_alpha,twin_reader,twin_half,twin_granted,twin_columns,twin_bypass,twin_blind,twin_outside,twin_none}'::text[] LOOP
        EXECUTE format('DROP OWNED BY %I', role);
        EXECUTE format('DROP ROLE %I', role);
    END LOOP;
END $$;
SELECT * FROM finish();
