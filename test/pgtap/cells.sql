-- cells.sql: answers are the same with cells, without any, and with days half folded and marked
--
-- Three streams with all reopen rules, zones and categories live through live and late moves, imports, deletions, other
-- types, other definitions and repairs by the owner, each in a transaction of its own, rolled back now and then, or
-- prepared.  vsm.fold() runs in between, also within such a transaction.  Every few steps all figures are asked twice:
-- as things are, and in a subtransaction that has deleted the spans, so that the ledger alone answers.  At the end
-- vsm.cells_check() finds no difference, nor after a rebuild.
--
-- The seed is drawn; psql -v seed=N repeats a run, but for the times of moves that happen now; -v steps=N lives longer.

\if :{?seed}
\else
SELECT extract(epoch FROM clock_timestamp())::bigint % 1000000 AS seed \gset
\endif
\if :{?steps}
\else
\set steps 150
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA oracle;

SELECT no_plan();
SELECT diag('seed ' || :seed);

------------------------------------------------------------------------------------------------------------------------
-- what happens
------------------------------------------------------------------------------------------------------------------------

SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Ready","category":"wait"},{"name":"Build"},
        {"name":"Review","category":"wait"},{"name":"Test"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Dropped","category":"discarded"}]', time_zone => 'Europe/Berlin'),
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Rejected","category":"discarded"},
        {"name":"Check","category":"wait"},{"name":"Done","category":"done"},{"name":"Aftercare"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'America/New_York', commitment_stage => 'Check', reopen_rule => 'sum_started'),
    vsm.define_stream('gamma', '[{"name":"Open","category":"wait"},{"name":"Work"},{"name":"Closed","category":"done"},{"name":"Void","category":"discarded"}]',
        time_zone => 'Pacific/Chatham', reopen_rule => 'episodes')
    $$, 'three streams');
CREATE SEQUENCE oracle.cases;
CREATE TABLE oracle.log (case_id text, stage text, entered_at timestamptz, type text);
CREATE TABLE oracle.done (step text PRIMARY KEY, n integer NOT NULL);

-- Streams and types get other names, so they are known by their place.
CREATE FUNCTION oracle.stream(place integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT v.name FROM vsm.value_streams v ORDER BY v.id OFFSET place - 1 LIMIT 1
$$;
CREATE FUNCTION oracle.some_type() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT t.name FROM vsm.work_item_types t WHERE t.id <= 3 ORDER BY random() LIMIT 1
$$;
CREATE FUNCTION oracle.some_stage(of_stream text, but bigint DEFAULT NULL) RETURNS vsm.stages LANGUAGE sql VOLATILE AS $$
    SELECT s FROM vsm.stages s WHERE s.stream = of_stream AND s.retired_at IS NULL AND s.id IS DISTINCT FROM but ORDER BY random() LIMIT 1
$$;
-- Many times are midnights of the zones, and many are the same.
CREATE FUNCTION oracle.some_time(since timestamptz, until timestamptz) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    at timestamptz := since + random() * (until - since);
    dice float8 := random();
BEGIN
    RETURN CASE WHEN dice < 0.5 THEN at
                WHEN dice < 0.8 THEN least(greatest(date_trunc('hour', at), since), until)
                ELSE least(greatest(date_trunc('day', at AT TIME ZONE z.zone) AT TIME ZONE z.zone, since), until) END
    FROM (VALUES ('Europe/Berlin'), ('America/New_York'), ('Pacific/Chatham')) z (zone) ORDER BY random() LIMIT 1;
END $$;
CREATE FUNCTION oracle.some_item(of_stream text, entered_before timestamptz) RETURNS vsm.work_items LANGUAGE sql VOLATILE AS $$
    SELECT w FROM vsm.work_items w WHERE w.stream = of_stream AND w.stage_entered_at < entered_before AND w.external_id IS NOT NULL ORDER BY random() LIMIT 1
$$;

-- A history of new cases, most of it in a few months, so that some days fill a span and some months hardly one.
CREATE FUNCTION oracle.write_history(of_stream text, cases integer) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO oracle.log
    SELECT 'case ' || c.n, (oracle.some_stage(of_stream)).name, oracle.some_time(c.born, least(c.born + random() ^ 2 * interval '120 days', now() - interval '1 hour')), c.type
    FROM (SELECT nextval('oracle.cases') AS n, now() - interval '30 hours' - random() ^ 3 * interval '400 days' AS born, oracle.some_type() AS type
          FROM generate_series(1, cases)) c,
         generate_series(1, CASE WHEN c.n % 8 = 0 THEN 1 ELSE 6 END) m      -- some never move on
    WHERE random() < 0.8 AND m IS NOT NULL
$$;

CREATE FUNCTION oracle.move_on(of_stream text, day timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    item vsm.work_items := oracle.some_item(of_stream, day);
BEGIN
    IF item.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM vsm.transition(item.id, (oracle.some_stage(of_stream, item.stage_id)).name, day + random() * interval '20 hours');
    RETURN true;
END $$;

-- One of the things that can happen; did it?
CREATE FUNCTION oracle.try(of_stream text, step text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    item vsm.work_items := oracle.some_item(of_stream, now());
    stage vsm.stages := oracle.some_stage(of_stream);
    other vsm.stages := oracle.some_stage(of_stream, stage.id);
    shift interval := random() * interval '30 days';
    changed bigint;
BEGIN
    TRUNCATE oracle.log;
    CASE step
        WHEN 'created' THEN
            PERFORM vsm.create_work_item('made', oracle.some_type(), of_stream, 'case ' || nextval('oracle.cases'));
        WHEN 'created late' THEN
            PERFORM vsm.create_work_item('made', oracle.some_type(), of_stream, 'case ' || nextval('oracle.cases'),
                                         oracle.some_time(now() - interval '400 days', now()));
        WHEN 'moved' THEN
            UPDATE vsm.work_items w SET stage_id = other.id WHERE w.id = item.id AND w.stage_id <> other.id;
            GET DIAGNOSTICS changed = ROW_COUNT;
            RETURN changed > 0;
        WHEN 'moved late' THEN
            item := oracle.some_item(of_stream, now() - interval '3 days');
            RETURN item.id IS NOT NULL AND (vsm.transition(item.id, (oracle.some_stage(of_stream, item.stage_id)).name,
                oracle.some_time(item.stage_entered_at, now()))).work_item_id IS NOT NULL;
        WHEN 'history imported' THEN
            PERFORM oracle.write_history(of_stream, 5);
            RETURN (vsm.import_events('oracle.log', of_stream)).transitions > 0;
        WHEN 'events imported' THEN
            INSERT INTO oracle.log SELECT w.external_id, (oracle.some_stage(of_stream)).name, oracle.some_time(now() - interval '400 days', now()), NULL
                                   FROM vsm.work_items w WHERE w.stream = of_stream AND w.external_id IS NOT NULL ORDER BY random() LIMIT 4;
            RETURN (vsm.import_events('oracle.log', of_stream, on_error => 'skip')).transitions > 0;
        WHEN 'deleted' THEN
            DELETE FROM vsm.work_items w WHERE w.id = item.id OR w.id = item.id + 1;
        WHEN 'retyped' THEN
            UPDATE vsm.work_items w SET type = oracle.some_type() WHERE w.id IN (item.id, item.id + 2);
        WHEN 'type renamed' THEN
            UPDATE vsm.work_item_types t SET name = 'type ' || nextval('oracle.cases') WHERE t.name = oracle.some_type();
        WHEN 'stream renamed' THEN
            UPDATE vsm.value_streams v SET name = 'stream ' || nextval('oracle.cases') WHERE v.name = of_stream;
        WHEN 'attributes' THEN
            UPDATE vsm.work_items w SET attributes = '{"team": "red"}', title = 'retitled' WHERE w.id = item.id;
        WHEN 'zone' THEN
            UPDATE vsm.value_streams v SET time_zone = (SELECT z FROM unnest('{Europe/Berlin,America/New_York,Pacific/Chatham,UTC,Asia/Beirut}'::text[]) z
                                                        WHERE z <> v.time_zone ORDER BY random() LIMIT 1) WHERE v.name = of_stream;
        WHEN 'rule' THEN
            UPDATE vsm.value_streams v SET reopen_rule = (SELECT r FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r
                                                          WHERE r <> v.reopen_rule ORDER BY random() LIMIT 1) WHERE v.name = of_stream;
        WHEN 'commitment' THEN
            UPDATE vsm.value_streams v SET commitment_stage = stage.name WHERE v.name = of_stream AND stage.category IN ('wait', 'active');
            RETURN stage.category IN ('wait', 'active');
        WHEN 'order' THEN
            UPDATE vsm.stages s SET "order" = CASE s.id WHEN stage.id THEN other."order" ELSE stage."order" END WHERE s.id IN (stage.id, other.id);
        WHEN 'category' THEN
            UPDATE vsm.stages s SET category = (SELECT c FROM unnest('{wait,active,done,discarded}'::text[]) c WHERE c <> s.category ORDER BY random() LIMIT 1)
            WHERE s.id = stage.id;
        WHEN 'stage added' THEN
            INSERT INTO vsm.stages (stream, name, "order", category)
            VALUES (of_stream, 'new ' || nextval('oracle.cases'), (SELECT o FROM generate_series(0, 30) o
                        WHERE o NOT IN (SELECT s."order" FROM vsm.stages s WHERE s.stream = of_stream) ORDER BY random() LIMIT 1), stage.category);
        WHEN 'stage retired' THEN
            UPDATE vsm.stages s SET retired_at = now() WHERE s.id = stage.id AND (SELECT count(*) FROM vsm.stages o WHERE o.stream = of_stream AND o.retired_at IS NULL) > 4;
            GET DIAGNOSTICS changed = ROW_COUNT;
            RETURN changed > 0;
        WHEN 'row inserted', 'row updated', 'row deleted' THEN
            -- the owner, past the triggers, but so that ledger and items agree: an item that has not moved yet
            SELECT w.* INTO item FROM vsm.work_items w WHERE w.stream = of_stream AND w.created_at = w.stage_entered_at AND w.completed_at IS NULL AND w.discarded_at IS NULL
                AND w.created_at < now() - interval '40 days' AND (SELECT count(*) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id) = 1 ORDER BY random() LIMIT 1;
            PERFORM set_config('vsm.recording', 'off', true);
            IF step = 'row inserted' THEN
                WITH made AS (
                    INSERT INTO vsm.work_items
                    SELECT (jsonb_populate_record(item, jsonb_build_object('id', nextval('vsm.work_items_id_seq'), 'external_id', 'case ' || nextval('oracle.cases')))).*
                    WHERE item.id IS NOT NULL RETURNING id)
                INSERT INTO vsm.stage_transitions
                SELECT (jsonb_populate_record(t, jsonb_build_object('id', nextval('vsm.stage_transitions_id_seq'), 'work_item_id', m.id))).*
                FROM made m, vsm.stage_transitions t WHERE t.work_item_id = item.id;
            ELSIF step = 'row updated' THEN
                UPDATE vsm.stage_transitions t SET "timestamp" = t."timestamp" + shift, item_created_at = t.item_created_at + shift,
                                                   item_started_at = t.item_started_at + shift WHERE t.work_item_id = item.id;
                UPDATE vsm.work_items w SET created_at = w.created_at + shift, stage_entered_at = w.stage_entered_at + shift, started_at = w.started_at + shift WHERE w.id = item.id;
            ELSE
                DELETE FROM vsm.stage_transitions t WHERE t.work_item_id = item.id;
                DELETE FROM vsm.work_items w WHERE w.id = item.id;
            END IF;
            PERFORM set_config('vsm.recording', 'on', true);
            RETURN item.id IS NOT NULL;
        WHEN 'truncated' THEN
            TRUNCATE vsm.work_items;
        WHEN 'cells rebuilt' THEN
            PERFORM vsm.fold(of_stream, rebuild => true);
    END CASE;
    RETURN true;
END $$;

-- Definitions may be refused, and are then tried in a subtransaction that is rolled back.
CREATE FUNCTION oracle.happen(place integer, step text, salt float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    happened boolean;
BEGIN
    PERFORM setseed(salt);
    IF step IN ('commitment', 'category', 'order', 'stage added', 'stage retired', 'events imported', 'history imported') THEN
        BEGIN
            happened := oracle.try(oracle.stream(place), step);
        EXCEPTION WHEN SQLSTATE 'PT422' OR SQLSTATE 'PT409' THEN
            happened := false;
        END;
    ELSE
        happened := oracle.try(oracle.stream(place), step);
    END IF;
    INSERT INTO oracle.done VALUES (step, coalesce(happened, false)::integer)
    ON CONFLICT ON CONSTRAINT done_pkey DO UPDATE SET n = done.n + excluded.n;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- what is asked
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION oracle.forecast(of_stream text, at timestamptz, of_type text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT jsonb_agg(f) FROM vsm.forecast(10, stream => of_stream, type => of_type, trials => 50, at => forecast.at) f);
EXCEPTION WHEN SQLSTATE 'PT422' THEN
    RETURN to_jsonb(sqlerrm);
END $$;

CREATE FUNCTION oracle.backtest(of_stream text, at timestamptz, of_type text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(b ORDER BY b) FROM (
        SELECT b FROM vsm.forecast_backtest(5, stream => of_stream, since => at - interval '40 days', until => at, type => of_type, trials => 100) b
        UNION ALL
        SELECT b FROM vsm.forecast_backtest(days => 6, stream => of_stream, since => at - interval '40 days', until => at, type => of_type, trials => 100, working_days => '{1,2,3,4,5}') b) b
$$;

-- Of periods that are over.
CREATE FUNCTION oracle.refreshed(of_stream text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb;
BEGIN
    DELETE FROM vsm.flow_metrics;
    PERFORM vsm.refresh_flow_metrics(of_stream);
    SELECT jsonb_agg(to_jsonb(f) - 'id' - 'created_at' ORDER BY f.period_type, f.date) INTO result
    FROM vsm.flow_metrics f WHERE f.date + ('1 ' || f.period_type)::interval < now() - interval '2 days';
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN result;
END $$;

CREATE TYPE oracle.question AS (stream text, since timestamptz, until timestamptz, type text, at timestamptz, step interval, bucket text, exact boolean, refresh boolean);
CREATE FUNCTION oracle.answers(q oracle.question) RETURNS TABLE (figure text, answer jsonb) LANGUAGE sql AS $$
    SELECT 'metrics by ' || r, to_jsonb(m) FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r, vsm.metrics(q.stream, q.since, q.until, q.type, r, q.exact) m
    UNION ALL
    SELECT 'metrics', to_jsonb(m) FROM vsm.metrics(q.stream, q.since, q.until, q.type, exact => NOT q.exact) m
    UNION ALL
    SELECT 'throughput by ' || r, jsonb_agg(t) FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r, vsm.throughput(q.stream, q.since, q.until, q.bucket, q.type, r) t GROUP BY r
    UNION ALL
    SELECT 'flow_efficiency by ' || r, to_jsonb(vsm.flow_efficiency(q.stream, q.since, q.until, q.type, r)) FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r
    UNION ALL
    SELECT 'completions', jsonb_agg(c) FROM vsm.completions(q.stream, q.since, q.until, q.type) c
    UNION ALL
    SELECT 'time_in_stage', jsonb_agg(t) FROM vsm.time_in_stage(q.stream, q.since, q.until, q.type) t
    UNION ALL
    SELECT 'wip_at', jsonb_agg(w) FROM vsm.wip_at(q.stream, q.at, q.type) w
    UNION ALL
    SELECT 'work_item_age', jsonb_agg(a) FROM vsm.work_item_age(q.stream, q.type, q.at) a
    UNION ALL
    SELECT 'work_item_age of some days', jsonb_agg(a) FROM vsm.work_item_age(q.stream, q.type, q.at, history_days => 10) a
    UNION ALL
    SELECT 'stage_pace', jsonb_agg(p) FROM vsm.stage_pace(q.stream, q.since, q.until, q.type) p
    UNION ALL
    SELECT 'flow_paths by ' || r, jsonb_agg(p) FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r, vsm.flow_paths(q.stream, q.since, q.until, q.type, r) p GROUP BY r
    UNION ALL
    SELECT 'sle_conformance', jsonb_agg(s) FROM vsm.sle_conformance(q.stream, q.since, q.until, NULL, q.type) s
    UNION ALL
    SELECT 'sle_conformance by ' || r, jsonb_agg(s)
    FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r, vsm.sle_conformance(q.stream, q.since, q.until, q.bucket, q.type, r) s GROUP BY r
    UNION ALL
    SELECT 'occupancy', jsonb_agg(o) FROM vsm.occupancy(q.stream, q.since, q.until, q.step, q.type) o
    UNION ALL
    SELECT 'cumulative_flow', jsonb_agg(c) FROM vsm.cumulative_flow(q.stream, q.since, q.until, q.step, q.type) c
    UNION ALL
    SELECT 'flow_balance', jsonb_agg(b) FROM vsm.flow_balance(q.stream, q.since, q.until, q.bucket, q.type) b
    UNION ALL
    SELECT 'littles_law', to_jsonb(l) FROM vsm.littles_law(q.stream, q.since, least(q.until, now() - interval '1 second'), q.type) l WHERE q.since < now() - interval '1 second'
    UNION ALL
    SELECT 'process_behaviour of ' || f || ' by ' || r, jsonb_agg(to_jsonb(p) ORDER BY p.at)
    FROM unnest('{throughput,cycle_time,wip,age,total_age}'::text[]) f, unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r,
         vsm.process_behaviour(q.stream, f, q.since, q.until, q.bucket, type => q.type, reopen_rule => r) p WHERE f IN ('throughput', 'cycle_time') OR r = 'span_last' GROUP BY f, r
    UNION ALL
    SELECT 'flow_graph', jsonb_agg(g) FROM vsm.flow_graph(q.stream, q.since, q.until, q.type) g
    UNION ALL
    SELECT 'rework', jsonb_agg(w) FROM vsm.rework(q.stream, q.since, q.until, q.type) w
    UNION ALL
    SELECT 'forecast', oracle.forecast(q.stream, least(q.at, now()), q.type)
    UNION ALL
    SELECT 'backtest', oracle.backtest(q.stream, least(q.at, now()), q.type)
    UNION ALL
    SELECT 'bottlenecks', jsonb_agg(b) FROM vsm.bottlenecks(q.stream, q.since, q.until, q.type) b
    UNION ALL
    SELECT 'dora', jsonb_agg(d) FROM vsm.dora(q.stream, q.since, q.until, q.bucket, q.type) d
    UNION ALL
    SELECT 'dora between stages', jsonb_agg(d)
    FROM (SELECT min(s.name) AS a, max(s.name) AS b FROM vsm.stages s WHERE s.stream = q.stream) s
    CROSS JOIN LATERAL vsm.dora(q.stream, q.since, q.until, NULL, q.type, from_stage => s.a, to_stage => s.b) d
    UNION ALL
    SELECT 'flow_framework by ' || r, jsonb_agg(f) FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) r, vsm.flow_framework(q.stream, q.since, q.until, q.bucket, q.type, r) f GROUP BY r
    UNION ALL
    SELECT 'flow_metrics', oracle.refreshed(q.stream) WHERE q.refresh
$$;

-- Aligned to the zone's days, to the time of a move, or to nothing.
CREATE FUNCTION oracle.some_bound(of_stream text) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    dice float8 := random();
    at timestamptz := now() - random() ^ 2 * interval '420 days';
BEGIN
    RETURN CASE WHEN dice < 0.5 THEN (SELECT date_trunc('day', at AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone FROM vsm.value_streams v WHERE v.name = of_stream)
                WHEN dice < 0.75 THEN coalesce((SELECT t."timestamp" FROM vsm.stage_transitions t JOIN vsm.value_streams v ON v.id = t.stream_id WHERE v.name = of_stream
                                                ORDER BY random() LIMIT 1), at)
                ELSE at END;
END $$;

CREATE TABLE oracle.compared (n serial PRIMARY KEY, question oracle.question, after text, folded bigint, marked bigint, unfolded bigint);
CREATE TABLE oracle.differences (n integer, figure text, with_cells jsonb, without jsonb);

CREATE FUNCTION oracle.compare(place integer, after text, salt float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    q oracle.question;
    of_stream_id bigint;
    known jsonb;
    wrong oracle.differences[];
    this integer;
BEGIN
    PERFORM setseed(salt);
    q.stream := oracle.stream(place);
    q.since := CASE WHEN random() < 0.2 THEN '-infinity' ELSE least(oracle.some_bound(q.stream), now() - interval '1 minute') END;
    q.until := CASE WHEN random() < 0.2 THEN 'infinity' ELSE greatest(oracle.some_bound(q.stream), q.since) END;
    q.at := CASE WHEN random() < 0.1 THEN 'infinity' ELSE oracle.some_bound(q.stream) END;
    q.type := CASE WHEN random() < 0.5 THEN oracle.some_type() END;
    q.step := (ARRAY['1 day', '3 days', '31 hours', '1 month'])[1 + floor(random() * 4)];
    q.bucket := (ARRAY['day', 'week', 'month'])[1 + floor(random() * 3)];
    q.exact := random() < 0.5;
    q.refresh := random() < 0.2;
    SELECT v.id INTO of_stream_id FROM vsm.value_streams v WHERE v.name = q.stream;
    WITH spans AS (
        SELECT s.*, EXISTS (SELECT FROM vsm._marks k WHERE k.stream_id = of_stream_id AND k.since < s.until AND k.until > s.since) AS marked
        FROM vsm._spans s WHERE s.stream_id = of_stream_id AND s.unit = 'd' AND s.since >= q.since AND s.until <= q.until
          AND EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id AND t."timestamp" >= s.since AND t."timestamp" < s.until))
    INSERT INTO oracle.compared (question, after, folded, marked, unfolded)
    SELECT q, after, count(*) FILTER (WHERE NOT s.marked), count(*) FILTER (WHERE s.marked),
           (SELECT count(*) FROM vsm.stage_transitions t WHERE t.stream_id = of_stream_id AND t."timestamp" >= q.since AND t."timestamp" < q.until
                AND NOT EXISTS (SELECT FROM spans x WHERE t."timestamp" >= x.since AND t."timestamp" < x.until))
    FROM spans s
    RETURNING n INTO this;

    SELECT jsonb_object_agg(a.figure, a.answer) INTO known FROM oracle.answers(q) a;
    BEGIN
        DELETE FROM vsm._spans;
        wrong := ARRAY(SELECT (this, a.figure, known -> a.figure, a.answer)::oracle.differences FROM oracle.answers(q) a
                       WHERE known -> a.figure IS DISTINCT FROM coalesce(a.answer, 'null'));
        RAISE EXCEPTION USING ERRCODE = 'RB000';
    EXCEPTION WHEN SQLSTATE 'RB000' THEN
        NULL;
    END;
    INSERT INTO oracle.differences SELECT * FROM unnest(wrong);
END $$;

------------------------------------------------------------------------------------------------------------------------
-- a life
------------------------------------------------------------------------------------------------------------------------

-- The statements of a life, each to be sent by itself.
CREATE FUNCTION oracle.script(steps integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    kinds text[] := '{created,created late,created late,moved,moved,moved late,moved late,moved late,moved late,history imported,events imported,events imported,deleted,
                      deleted,retyped,retyped,type renamed,stream renamed,attributes,zone,rule,commitment,order,category,stage added,stage retired,row inserted,row updated,
                      row deleted,cells rebuilt}';
    dice float8;
    kind text;
    place integer;
    step text;
    another text;
    day text;
BEGIN
    FOR i IN 1 .. steps LOOP
        -- each kind at least once
        kind := kinds[1 + CASE WHEN i % 2 = 0 THEN (i / 2) % cardinality(kinds) ELSE floor(random() * cardinality(kinds)) END];
        place := 1 + floor(random() * 3);
        step := format('SELECT oracle.happen(%s, %L, %s)', place, kind, random());
        another := format('SELECT oracle.happen(%s, %L, %s)', place, kinds[1 + floor(random() * cardinality(kinds))], random());
        dice := random();
        IF i = steps / 2 THEN
            RETURN NEXT format('SELECT oracle.happen(1, %L, 0)', 'truncated');
            RETURN QUERY SELECT format('SELECT oracle.begin(%s, %s)', p, random()) FROM generate_series(1, 3) p;
        ELSIF dice < 0.6 THEN
            RETURN NEXT step;
        ELSIF dice < 0.68 THEN
            RETURN NEXT 'BEGIN; SAVEPOINT a; ' || step || '; ROLLBACK TO a; ' || another || '; COMMIT';
        ELSIF dice < 0.74 THEN
            RETURN NEXT 'BEGIN; ' || step || '; SAVEPOINT a; ' || another || '; RELEASE a; COMMIT';
        ELSIF dice < 0.8 THEN
            RETURN NEXT 'BEGIN; ' || step || '; SELECT count(*) FROM vsm.fold(); ROLLBACK';
        ELSIF dice < 0.88 THEN
            -- a fold between moves on one day, which it does not know yet
            day := format('date_trunc(''day'', now() - interval ''%s days'')', 1 + floor(random() * 30));
            RETURN NEXT format('BEGIN; SELECT oracle.move_on(oracle.stream(%s), %s); SELECT count(*) FROM vsm.fold(); SELECT oracle.move_on(oracle.stream(%1$s), %2$s); COMMIT', place, day);
        ELSIF dice < 0.94 AND current_setting('max_prepared_transactions')::integer > 0 THEN
            RETURN NEXT 'BEGIN; ' || format('SELECT oracle.happen(%s, ''moved late'', %s)', place, random()) || '; PREPARE TRANSACTION ''cells''';
            RETURN NEXT 'SELECT count(*) FROM vsm.fold()';
            RETURN NEXT format('SELECT oracle.compare(%s, ''prepared'', %s)', place, random());
            RETURN NEXT CASE WHEN random() < 0.7 THEN 'COMMIT' ELSE 'ROLLBACK' END || ' PREPARED ''cells''';
        ELSE
            RETURN NEXT 'BEGIN; ' || step || '; SELECT count(*) FROM vsm.fold(); ' || another || '; COMMIT';
        END IF;
        IF random() < 0.5 THEN
            RETURN NEXT format('SELECT oracle.compare(%s, %L, %s)', place, kind, random());
        END IF;
        IF random() < 0.4 THEN
            RETURN NEXT 'SELECT count(*) FROM vsm.fold()';
        END IF;
    END LOOP;
    -- each once more, and whatever chance has left out until it has happened
    FOR kind IN SELECT k FROM unnest(kinds) k CROSS JOIN generate_series(1, 3) LOOP
        RETURN NEXT format('SELECT oracle.happen(%s, %L, %s)', 1 + floor(random() * 3), kind, random());
        IF random() < 0.2 THEN
            RETURN NEXT format('SELECT oracle.compare(%s, %L, %s)', 1 + floor(random() * 3), kind, random());
            RETURN NEXT 'SELECT count(*) FROM vsm.fold()';
        END IF;
    END LOOP;
    RETURN QUERY SELECT format('SELECT oracle.happen(%s, %L, %s) WHERE NOT EXISTS (SELECT FROM oracle.done d WHERE d.step = %2$L AND d.n > 0)', 1 + floor(random() * 3), k, random())
                 FROM (SELECT DISTINCT unnest(kinds)) k (k) CROSS JOIN generate_series(1, 60);
END $$;
CREATE FUNCTION oracle.begin(place integer, salt float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setseed(salt);
    TRUNCATE oracle.log;
    PERFORM oracle.write_history(oracle.stream(place), 220);
    -- a busy day, which is folded by hours too
    INSERT INTO oracle.log
    SELECT 'case ' || c.n, (oracle.some_stage(oracle.stream(place))).name, oracle.some_time(c.day, c.day + interval '11 hours'), c.type
    FROM (SELECT nextval('oracle.cases') AS n, date_trunc('day', now() - interval '50 days') AS day, (SELECT oracle.some_type()) AS type FROM generate_series(1, 250)) c,
         generate_series(1, 6) m
    WHERE m IS NOT NULL;
    -- of which most are finished in the end, enough for sketches
    INSERT INTO oracle.log
    SELECT DISTINCT l.case_id, (SELECT s.name FROM vsm.stages s WHERE s.stream = oracle.stream(place) AND s.category = 'done' ORDER BY s."order" LIMIT 1),
           date_trunc('day', now() - interval '50 days') + interval '12 hours', l.type
    FROM oracle.log l WHERE l.entered_at >= date_trunc('day', now() - interval '50 days') AND l.entered_at < date_trunc('day', now() - interval '50 days') + interval '11 hours';
    PERFORM vsm.import_events('oracle.log', oracle.stream(place));
END $$;

\o /dev/null
SELECT setseed(:seed % 1000 / 1000.0);
SELECT format('SELECT oracle.begin(%s, %s)', p, random()) FROM generate_series(1, 3) p \gexec
-- expectations of all types, and of one, that begin in the midst of the history
SELECT count(vsm.set_sle(v.name, (3 + random() * 40) * interval '1 day', 0.85, e.type, (now() - e.ago * interval '1 day')::date))
FROM vsm.value_streams v, (SELECT NULL, 300 UNION ALL SELECT NULL, 40 UNION ALL (SELECT t.name, 120 FROM vsm.work_item_types t ORDER BY t.id LIMIT 1)) e (type, ago);
ANALYZE;
SELECT count(*) FROM vsm.fold();
SELECT count(*) FROM vsm.fold();
SELECT count(*) FROM vsm.fold();
SELECT * FROM oracle.script(:steps) \gexec
\o

SELECT cmp_ok((SELECT d.n FROM oracle.done d WHERE d.step = s.step), '>', 0, s.step)
FROM unnest('{created,created late,moved,moved late,history imported,events imported,deleted,retyped,type renamed,stream renamed,attributes,zone,rule,commitment,order,category,
              stage added,stage retired,row inserted,row updated,row deleted,truncated,cells rebuilt}'::text[]) s (step);
SELECT cmp_ok(count(*), '>=', (:steps / 3)::bigint, 'comparisons') FROM oracle.compared;
SELECT cmp_ok(count(*) FILTER (WHERE c.folded > 0), '>=', 15::bigint, 'many from folded spans') FROM oracle.compared c;
SELECT cmp_ok(count(*) FILTER (WHERE c.folded > 0 AND c.marked + c.unfolded > 0), '>=', 8::bigint, 'many of those in part from the ledger') FROM oracle.compared c;
SELECT cmp_ok(count(*) FILTER (WHERE c.folded > 0 AND c.marked > 0), '>=', 1::bigint, 'and some with marked spans') FROM oracle.compared c;
SELECT cmp_ok(count(*), '>', 0::bigint, 'busy days have hours') FROM vsm._spans s WHERE s.unit = 'h';
SELECT cmp_ok(count(*), '>', 0::bigint, 'and sketches') FROM vsm._item_cells c WHERE c.unit = 'd' AND c.lead_sketch IS NOT NULL;
SELECT is_empty(format($$
    SELECT d.n, c.after, c.question, d.figure, k.key, k.value, d.without -> k.key
    FROM oracle.differences d JOIN oracle.compared c USING (n)
    LEFT JOIN LATERAL (SELECT k.* FROM jsonb_each(CASE jsonb_typeof(d.with_cells) WHEN 'object' THEN d.with_cells END) k WHERE k.value IS DISTINCT FROM d.without -> k.key) k ON true
    WHERE d.figure ~ %L ORDER BY d.n LIMIT 5
    $$, '^' || f.figure), f.figure || ' with cells and without')
FROM unnest('{metrics,throughput,flow_efficiency,completions,time_in_stage,wip_at,work_item_age,stage_pace,sle_conformance,occupancy,
              cumulative_flow,forecast,backtest,bottlenecks,dora,flow_framework,flow_metrics,flow_balance,littles_law,process_behaviour,
              flow_graph,flow_paths,rework}'::text[]) f (figure);

-- what the life has left, and anew
SELECT is_empty('SELECT * FROM vsm.cells_check() LIMIT 20', 'cells_check finds no difference');
SELECT isnt_empty('SELECT FROM vsm.fold(rebuild => true) f WHERE f.days_folded > 300', 'cells are made anew');
SELECT is_empty('SELECT * FROM vsm.cells_check() LIMIT 20', 'nor there');

SELECT * FROM finish();
