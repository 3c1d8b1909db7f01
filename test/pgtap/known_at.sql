-- known_at.sql: asked with known_at, every figure is what it was at that instant
--
-- Two streams live through live moves, imports of earlier events, imports that make a known move a merged event and a
-- merged event a move again, deletions, items that come again under the same external id, and other types.  Between
-- these, also within a transaction, the clock is read and figures are asked.  At the end they are asked again as they
-- were known at these instants.
--
-- The seed is drawn; psql -v seed=N repeats a run, but for the times of moves that happen now.

\if :{?seed}
\else
SELECT extract(epoch FROM clock_timestamp())::bigint % 1000000 AS seed \gset
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
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Build"},{"name":"Review","category":"wait"},{"name":"Test"},
        {"name":"Shipped","category":"done"},{"name":"Dropped","category":"discarded"}]', time_zone => 'Europe/Berlin'),
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Rejected","category":"discarded"},
        {"name":"Check","category":"wait"},{"name":"Done","category":"done"},{"name":"Aftercare"}]', commitment_stage => 'Check', reopen_rule => 'episodes')
    $$, 'two streams');
SELECT lives_ok($$
    SELECT vsm.set_sle('alpha', '10 days', 0.85, since => '2024-03-01'), vsm.set_sle('alpha', '4 days', 0.7, 'bug', '2024-03-20'),
           vsm.set_sle('beta', '5 days', 0.9, since => '2024-04-01')
    $$, 'and what is expected of them');
CREATE SEQUENCE oracle.cases;
CREATE TABLE oracle.log (case_id text, stage text, entered_at timestamptz, type text);
CREATE TABLE oracle.done (step text PRIMARY KEY, n integer);

CREATE FUNCTION oracle.some_time() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT date_trunc('hour', timestamptz '2024-03-01 00:00+00' + random() * interval '90 days')
$$;
CREATE FUNCTION oracle.some_stage(of_stream text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream ORDER BY random() LIMIT 1
$$;
CREATE FUNCTION oracle.some_item(of_stream text) RETURNS vsm.work_items LANGUAGE sql VOLATILE AS $$
    SELECT w FROM vsm.work_items w WHERE w.stream = of_stream AND w.external_id IS NOT NULL ORDER BY random() LIMIT 1
$$;
CREATE FUNCTION oracle.some_type() RETURNS text LANGUAGE sql VOLATILE AS $$SELECT (ARRAY['task', 'bug'])[1 + floor(random() * 2)]$$;

CREATE FUNCTION oracle.import(of_stream text) RETURNS vsm.import_result LANGUAGE sql AS $$SELECT vsm.import_events('oracle.log', of_stream)$$;

-- One of the things that can happen; what, or null if it could not.
CREATE FUNCTION oracle.happen(of_stream text, step text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    item vsm.work_items := oracle.some_item(of_stream);
    move record;
    result vsm.import_result;
BEGIN
    TRUNCATE oracle.log;
    IF step = 'created' THEN
        PERFORM vsm.create_work_item('made', oracle.some_type(), of_stream, 'case ' || nextval('oracle.cases'), oracle.some_time());
    ELSIF step = 'history imported' THEN
        INSERT INTO oracle.log SELECT 'case ' || c, oracle.some_stage(of_stream), oracle.some_time(), oracle.some_type()
                               FROM (SELECT nextval('oracle.cases') AS c FROM generate_series(1, 3)) c, generate_series(1, 4) WHERE c.c > 0;
        RETURN (oracle.import(of_stream)).transitions > 0;
    ELSIF item.id IS NULL THEN
        RETURN false;
    ELSIF step = 'moved' THEN
        RETURN (vsm.transition(item.id, oracle.some_stage(of_stream), least(item.stage_entered_at + random() * interval '9 days', clock_timestamp())))."timestamp"
               > item.stage_entered_at;
    ELSIF step = 'moved now' THEN
        UPDATE vsm.work_items w SET stage_id = (SELECT s.id FROM vsm.stages s WHERE s.stream = of_stream AND s.id <> w.stage_id ORDER BY random() LIMIT 1)
        WHERE w.id = item.id;
    ELSIF step = 'earlier event imported' THEN
        -- before the item's first move too, and at the very time of one of its moves
        INSERT INTO oracle.log SELECT item.external_id, oracle.some_stage(of_stream), t."timestamp" - (random() * 3)::integer * interval '3 hours', NULL
                               FROM vsm.stage_transitions t WHERE t.work_item_id = item.id ORDER BY random() LIMIT 2;
        RETURN (oracle.import(of_stream)).transitions > 0;
    ELSIF step = 'move merged' THEN
        -- the stage was entered earlier than known, so the known entry is none
        SELECT t.*, s.name INTO move FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id
        JOIN vsm.work_items w ON w.id = t.work_item_id AND w.stream = of_stream AND w.external_id IS NOT NULL
        WHERE t.time_in_stage > '2 hours' ORDER BY random() LIMIT 1;
        INSERT INTO oracle.log SELECT w.external_id, move.name, move."timestamp" - move.time_in_stage / 2, NULL FROM vsm.work_items w WHERE w.id = move.work_item_id;
        result := oracle.import(of_stream);
        RETURN result.transitions > 0 AND NOT EXISTS (SELECT FROM vsm.stage_transitions t WHERE (t.work_item_id, t.id) = (move.work_item_id, move.id));
    ELSIF step = 'merged event became a move' THEN
        SELECT m.*, w.external_id INTO move FROM vsm._merged_events m JOIN vsm.work_items w ON w.id = m.work_item_id AND w.stream = of_stream ORDER BY random() LIMIT 1;
        INSERT INTO oracle.log SELECT move.external_id, s.name, move."timestamp" - interval '1 minute', NULL
                               FROM vsm.stages s WHERE s.stream = of_stream AND s.id <> move.stage_id AND move.id IS NOT NULL ORDER BY random() LIMIT 1;
        PERFORM oracle.import(of_stream);
        RETURN EXISTS (SELECT FROM vsm.stage_transitions t WHERE (t.work_item_id, t.id) = (move.work_item_id, move.id));
    ELSIF step = 'type changed' THEN
        UPDATE vsm.work_items w SET type = CASE w.type WHEN 'bug' THEN 'task' ELSE 'bug' END WHERE w.id = item.id;
    ELSIF step = 'deleted' THEN
        DELETE FROM vsm.work_items w WHERE w.id = item.id OR w.id = item.id + 1 AND w.stream = of_stream;
    ELSIF step = 'deleted and created again' THEN
        DELETE FROM vsm.work_items w WHERE w.id = item.id;
        PERFORM vsm.create_work_item('again', oracle.some_type(), of_stream, item.external_id, oracle.some_time());
    ELSIF step = 'deleted and imported again' THEN
        INSERT INTO oracle.log SELECT item.external_id, s.name, t."timestamp" - interval '1 hour', oracle.some_type()
                               FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id WHERE t.work_item_id = item.id;
        DELETE FROM vsm.work_items w WHERE w.id = item.id;
        RETURN (oracle.import(of_stream)).transitions > 0;
    ELSIF step = 'undone' THEN
        BEGIN
            DELETE FROM vsm.work_items w WHERE w.id % 3 = 0;
            PERFORM oracle.happen(of_stream, 'earlier event imported');
            RAISE EXCEPTION USING ERRCODE = 'RB000';
        EXCEPTION WHEN SQLSTATE 'RB000' THEN		-- ROLLBACK TO SAVEPOINT
            NULL;
        END;
    END IF;
    RETURN true;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- what is asked
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE oracle.windows (id integer PRIMARY KEY, since timestamptz, until timestamptz, type text);
INSERT INTO oracle.windows VALUES
    (0, '-infinity', 'infinity', NULL), (1, '2024-03-10 00:00+00', '2024-04-10 00:00+00', NULL), (2, '2024-03-10 00:00+00', '2024-04-10 00:00+00', 'bug'),
    (3, '2024-04-01 07:00+00', '2024-06-20 12:34:56.789+00', NULL), (4, '2024-04-01 07:00+00', '2024-06-20 12:34:56.789+00', 'task'),
    (5, '-infinity', '2024-05-01 00:00+00', 'bug');

-- Titles are those of today, and metrics say what they were asked.
CREATE FUNCTION oracle.answers(of_stream text, of_window integer, known_at timestamptz) RETURNS TABLE (figure text, answer text) LANGUAGE plpgsql AS $$
DECLARE
    w oracle.windows := (SELECT o FROM oracle.windows o WHERE o.id = of_window);
    instant timestamptz := least(w.until, '2024-06-01');
    rule text;
BEGIN
    FOREACH rule IN ARRAY '{span_first_last,span_last,sum_active,sum_started,episodes}'::text[] LOOP
        RETURN QUERY SELECT 'metrics by ' || rule, (to_jsonb(m) - 'known_at')::text
                     FROM vsm.metrics(of_stream, w.since, w.until, w.type, rule, known_at => answers.known_at) m;
        RETURN QUERY SELECT 'completions by ' || rule, json_agg(to_jsonb(c) - 'title')::text
                     FROM vsm.completions(of_stream, w.since, w.until, w.type, rule, known_at => answers.known_at) c;
    END LOOP;
    RETURN QUERY SELECT 'approximate metrics', (to_jsonb(m) - 'known_at')::text
                 FROM vsm.metrics(of_stream, w.since, w.until, w.type, exact => false, known_at => answers.known_at) m;
    RETURN QUERY SELECT 'throughput', json_agg(t)::text FROM vsm.throughput(of_stream, w.since, w.until, 'week', w.type, known_at => answers.known_at) t;
    RETURN QUERY SELECT 'flow_efficiency', vsm.flow_efficiency(of_stream, w.since, w.until, w.type, known_at => answers.known_at)::text;
    RETURN QUERY SELECT 'time_in_stage', json_agg(t)::text FROM vsm.time_in_stage(of_stream, w.since, w.until, w.type, known_at => answers.known_at) t;
    RETURN QUERY SELECT 'flow_balance', json_agg(b)::text FROM vsm.flow_balance(of_stream, '2024-03-01', least(w.until, '2024-07-01'), 'week', w.type, known_at => answers.known_at) b;
    RETURN QUERY SELECT 'littles_law', to_jsonb(l)::text FROM vsm.littles_law(of_stream, '2024-03-01', least(w.until, '2024-07-01'), w.type, known_at => answers.known_at) l;
    RETURN QUERY SELECT 'process_behaviour', json_agg(b)::text
                 FROM unnest('{throughput,cycle_time,age}'::text[]) f, vsm.process_behaviour(of_stream, f, '2024-03-01', least(w.until, '2024-07-01'), 'week', type => w.type, known_at => answers.known_at) b;
    RETURN QUERY SELECT 'flow_graph', json_agg(g)::text FROM vsm.flow_graph(of_stream, w.since, w.until, w.type, known_at => answers.known_at) g;
    RETURN QUERY SELECT 'rework', json_agg(r)::text FROM vsm.rework(of_stream, w.since, w.until, w.type, known_at => answers.known_at) r;
    RETURN QUERY SELECT 'flow_paths', json_agg(p)::text FROM vsm.flow_paths(of_stream, w.since, w.until, w.type, known_at => answers.known_at) p;
    RETURN QUERY SELECT 'cycle_times_between', json_agg(to_jsonb(b) - 'title')::text
                 FROM (VALUES ('alpha', 'Build', 'Shipped'), ('beta', 'Doing', 'Done')) s (stream, from_stage, to_stage),
                      vsm.cycle_times_between(s.stream, s.from_stage, s.to_stage, w.since, w.until, type => w.type, known_at => answers.known_at) b WHERE s.stream = of_stream;
    RETURN QUERY SELECT 'wip_at', json_agg(a)::text FROM vsm.wip_at(of_stream, instant, w.type, known_at => answers.known_at) a;
    RETURN QUERY SELECT 'work_item_age', json_agg(to_jsonb(a) - 'title')::text FROM vsm.work_item_age(of_stream, w.type, instant, known_at => answers.known_at) a;
    RETURN QUERY SELECT 'stage_pace', json_agg(p)::text FROM vsm.stage_pace(of_stream, w.since, w.until, w.type, known_at => answers.known_at) p;
    RETURN QUERY SELECT 'sle_conformance', json_agg(s)::text FROM vsm.sle_conformance(of_stream, w.since, w.until, 'month', w.type, known_at => answers.known_at) s;
    RETURN QUERY SELECT 'backtest', json_agg(b)::text
                 FROM vsm.forecast_backtest(days => 7, stream => of_stream, since => instant - interval '30 days', until => instant, type => w.type, trials => 100, known_at => answers.known_at) b;
    RETURN QUERY SELECT 'bottlenecks', json_agg(b)::text FROM vsm.bottlenecks(of_stream, w.since, w.until, w.type, known_at => answers.known_at) b;
    RETURN QUERY SELECT 'dora', json_agg(d)::text FROM vsm.dora(of_stream, w.since, w.until, 'month', w.type, known_at => answers.known_at) d;
    RETURN QUERY SELECT 'flow_framework', json_agg(d)::text FROM vsm.flow_framework(of_stream, w.since, w.until, 'month', w.type, known_at => answers.known_at) d;
    RETURN QUERY SELECT 'occupancy', json_agg(o)::text FROM vsm.occupancy(of_stream, '2024-03-01', instant, '5 days', w.type, known_at => answers.known_at) o;
    RETURN QUERY SELECT 'cumulative_flow', json_agg(c)::text FROM vsm.cumulative_flow(of_stream, '2024-03-01', instant, '5 days', w.type, known_at => answers.known_at) c;
END $$;
CREATE TABLE oracle.answered (look integer, known_at timestamptz, after text, stream text, of_window integer, figure text, answer text);

CREATE FUNCTION oracle.look(of_look integer, after text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO oracle.answered
    SELECT of_look, c.now, look.after, c.stream, c.w, a.*
    FROM (SELECT clock_timestamp() AS now, (ARRAY['alpha', 'beta'])[1 + floor(random() * 2)] AS stream, floor(random() * 6)::integer AS w) c
    CROSS JOIN LATERAL oracle.answers(c.stream, c.w, NULL) a
$$;

-- Every look follows a step, some in the midst of a transaction.
CREATE PROCEDURE oracle.live(looks integer, seed float8) LANGUAGE plpgsql AS $$
DECLARE
    steps text[] := '{created,created,moved,moved,moved,moved now,history imported,history imported,earlier event imported,earlier event imported,move merged,move merged,merged event became a move,
                      type changed,deleted,deleted and created again,deleted and imported again,undone}';
    of_stream text;
    step text;
    happened boolean;
BEGIN
    PERFORM setseed(seed);
    FOR i IN 1 .. 60 LOOP
        PERFORM oracle.happen((ARRAY['alpha', 'beta'])[1 + i % 2], steps[1 + i % 8]);
    END LOOP;
    COMMIT;
    FOR i IN 1 .. looks LOOP
        FOR j IN 1 .. 3 LOOP
            step := steps[1 + floor(random() * cardinality(steps))];
            happened := oracle.happen((ARRAY['alpha', 'beta'])[1 + floor(random() * 2)], step);
            INSERT INTO oracle.done VALUES (step, happened::integer) ON CONFLICT ON CONSTRAINT done_pkey DO UPDATE SET n = done.n + happened::integer;
            IF random() < 0.6 THEN
                COMMIT;
            END IF;
        END LOOP;
        PERFORM oracle.look(i, step);
    END LOOP;
END $$;

CALL oracle.live(80, :seed % 1000 / 1000.0);
ANALYZE;

SELECT cmp_ok((SELECT coalesce(sum(d.n), 0) FROM oracle.done d WHERE d.step = s.step), '>=', 2::bigint, s.step)
FROM unnest('{created,moved,moved now,history imported,earlier event imported,move merged,merged event became a move,type changed,deleted,
              deleted and created again,deleted and imported again,undone}'::text[]) s (step);
SELECT cmp_ok((SELECT count(*) FROM oracle.answered), '>=', 1000::bigint, 'more than a thousand answers');

-- types have their names of today
SELECT lives_ok($$UPDATE vsm.work_item_types SET name = 'defect' WHERE name = 'bug'$$, 'type bug gets another name');
UPDATE oracle.windows SET type = 'defect' WHERE type = 'bug';
UPDATE oracle.answered SET answer = replace(answer, '"bug"', '"defect"');

CREATE TABLE oracle.again AS
SELECT l.look, a.*
FROM (SELECT DISTINCT o.look, o.stream, o.of_window, o.known_at FROM oracle.answered o) l CROSS JOIN LATERAL oracle.answers(l.stream, l.of_window, l.known_at) a;

-- Some of what a text has that another has not.
CREATE FUNCTION oracle.differing(one text, other text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(d.part, ',' ORDER BY d.n), CASE WHEN one <> other THEN 'the same in another order' END)
    FROM (SELECT o.part, o.n FROM string_to_table(one, ',') WITH ORDINALITY o (part, n)
          WHERE o.part NOT IN (SELECT p FROM string_to_table(other, ',') p) OR other IS NULL ORDER BY o.n LIMIT 5) d
$$;
SELECT is_empty(format($$
    SELECT look, b.after, b.stream, b.of_window, figure, oracle.differing(n.answer, b.answer) AS now, oracle.differing(b.answer, n.answer) AS before
    FROM oracle.answered b FULL JOIN oracle.again n USING (look, figure)
    WHERE figure ~ %L AND (n.answer IS DISTINCT FROM b.answer OR n.figure IS NULL OR b.figure IS NULL) ORDER BY look, figure LIMIT 5
    $$, '^' || f.figure), f.figure || ' as it was known')
FROM unnest('{metrics,approximate metrics,completions,throughput,flow_efficiency,time_in_stage,wip_at,work_item_age,stage_pace,
              sle_conformance,occupancy,cumulative_flow,flow_balance,littles_law,process_behaviour,flow_graph,rework,flow_paths,
              cycle_times_between}'::text[]) f (figure);

SELECT * FROM finish();
