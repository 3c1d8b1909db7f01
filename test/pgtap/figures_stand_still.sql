-- figures_stand_still.sql: a window's figures are those of an observer at its end, and later moves do not change them
--
-- Streams live through three seasons: items are created, imported, move forward and back, are discarded, revived,
-- reopened, deleted, and get other types and attributes; many moves happen at one instant.  After each of the first two
-- seasons windows are drawn that end in it or before, and their figures are computed again in plain SQL from the
-- ledger, by the definitions alone and none of the extension's functions.  A season begins where the one before has
-- ended, and touches no past: what was answered for the windows of earlier seasons must be answered again, byte for
-- byte.
--
-- The seed is drawn; psql -v seed=N repeats a run.

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

-- The border of two seasons is an instant at which moves are made.
CREATE TABLE oracle.seasons (season integer PRIMARY KEY, since timestamptz, until timestamptz);
INSERT INTO oracle.seasons VALUES
    (1, '2024-03-04 00:00+00', '2024-04-15 00:00+00'), (2, '2024-04-15 00:00+00', '2024-05-20 00:00+00'), (3, '2024-05-20 00:00+00', '2024-07-01 00:00+00');
CREATE SEQUENCE oracle.cases;
CREATE TABLE oracle.log (case_id text, stage text, entered_at timestamptz, type text);

SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Ready","category":"wait"},{"name":"Build"},
        {"name":"Review","category":"wait"},{"name":"Test"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Dropped","category":"discarded"}]', time_zone => 'Europe/Berlin'),
    -- discarded in the middle, work after done, and a commitment point behind active work
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Rejected","category":"discarded"},
        {"name":"Check","category":"wait"},{"name":"Done","category":"done"},{"name":"Aftercare"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'America/New_York', commitment_stage => 'Check', reopen_rule => 'sum_started'),
    -- nothing ever starts
    vsm.define_stream('gamma', '[{"name":"Open","category":"wait"},{"name":"Closed","category":"done"},{"name":"Void","category":"discarded"}]',
        reopen_rule => 'episodes'),
    -- and one that nobody uses for a while
    vsm.define_stream('late', '[{"name":"Doing"},{"name":"Done","category":"done"}]')
    $$, 'four streams');
SELECT lives_ok($$
    SELECT vsm.set_sle('alpha', '10 days', 0.85, since => '2024-03-10'), vsm.set_sle('alpha', '4 days', 0.7, 'bug', '2024-03-20'),
           vsm.set_sle('alpha', '6 days', 0.85, since => '2024-05-01'), vsm.set_sle('beta', '5 days', 0.9, 'task', '2024-03-15')
    $$, 'and what is expected of two');
CREATE FUNCTION oracle.some_attributes() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('team', (ARRAY['red', 'blue'])[1 + floor(random() * 2)], 'size', floor(random() * 3))
           || CASE WHEN random() < 0.4 THEN '{"tags": ["x", "y"]}' ELSE '{}' END::jsonb
$$;

-- Some time after, within the season; often at once, and often at a midnight, so that several items move together.
CREATE FUNCTION oracle.later(since timestamptz, season oracle.seasons) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    at timestamptz := greatest(since, season.since);
BEGIN
    at := CASE WHEN dice < 0.2 THEN at
               WHEN dice < 0.4 THEN date_trunc('day', at) + interval '1 day'
               WHEN dice < 0.9 THEN at + random() ^ 3 * (season.until - at)
               ELSE at + interval '1 microsecond' END;
    RETURN CASE WHEN at < season.until THEN at ELSE greatest(since, season.since) END;
END $$;

CREATE FUNCTION oracle.create_one(of_stream text, season oracle.seasons) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    new_type text := (ARRAY['task', 'bug'])[1 + floor(random() * 2)];
    case_id text := CASE WHEN random() < 0.7 THEN 'case ' || nextval('oracle.cases') END;
    at timestamptz := oracle.later(season.since + random() * (season.until - season.since), season);
BEGIN
    IF random() < 0.7 THEN
        PERFORM vsm.create_work_item('made', new_type, of_stream, case_id, at, oracle.some_attributes());
    ELSE
        -- somewhere in the middle, or in a stage where it has ended
        INSERT INTO vsm.work_items (title, type, stream, external_id, created_at, stage_id, attributes)
        SELECT 'inserted', new_type, of_stream, case_id, at, s.id, oracle.some_attributes()
        FROM vsm.stages s WHERE s.stream = of_stream ORDER BY md5(s.id::text || at) LIMIT 1;
    END IF;
END $$;

CREATE FUNCTION oracle.move_one(of_stream text, season oracle.seasons) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    item record;
    target text;
BEGIN
    -- mostly one that was created not long ago
    SELECT w.id, w.stage_entered_at, s."order", s.category INTO item
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE w.stream = of_stream AND w.stage_entered_at < season.until
    ORDER BY CASE WHEN random() < 0.5 THEN w.id % 5 END, md5(w.id::text || dice) LIMIT 1;
    IF item.id IS NULL THEN
        RETURN;
    END IF;
    SELECT s.name INTO target
    FROM vsm.stages s WHERE s.stream = of_stream AND s."order" <> item."order"
    ORDER BY CASE WHEN dice < 0.55 THEN (s."order" < item."order")::integer		-- forward
                  WHEN dice < 0.70 THEN (s."order" > item."order")::integer END,
             CASE WHEN dice < 0.70 THEN abs(s."order" - item."order") END, md5(s.id::text || dice)
    LIMIT 1;
    PERFORM vsm.transition(item.id, target, oracle.later(item.stage_entered_at, season));
END $$;

-- A block begins in the season; another may have begun before, and ends in it.
CREATE FUNCTION oracle.block_one(of_stream text, season oracle.seasons) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    blocked vsm.blocks;
    item vsm.work_items;
BEGIN
    SELECT b.* INTO blocked FROM vsm.blocks b JOIN vsm.work_items w ON w.id = b.work_item_id
    WHERE w.stream = of_stream AND b.unblocked_at IS NULL ORDER BY md5(b.id::text || dice) LIMIT 1;
    IF dice < 0.45 AND blocked.id IS NOT NULL THEN
        PERFORM vsm.unblock(blocked.work_item_id, oracle.later(blocked.blocked_at, season));
        RETURN;
    END IF;
    SELECT w.* INTO item FROM vsm.work_items w
    WHERE w.stream = of_stream AND NOT EXISTS (SELECT FROM vsm.blocks b WHERE b.work_item_id = w.id AND (b.unblocked_at IS NULL OR b.unblocked_at > season.until - interval '1 day'))
    ORDER BY w.completed_at IS NOT NULL, md5(w.id::text || dice) LIMIT 1;
    IF item.id IS NOT NULL THEN
        PERFORM vsm.block(item.id, (ARRAY['supplier', 'review', 'machine'])[1 + floor(random() * 3)],
                          oracle.later(greatest(item.created_at, (SELECT max(b.unblocked_at) FROM vsm.blocks b WHERE b.work_item_id = item.id)), season));
    END IF;
EXCEPTION WHEN SQLSTATE 'PT409' THEN		-- finished by then
END $$;

-- Corrections, of items that no earlier season knows.
CREATE FUNCTION oracle.correct_one(of_stream text, season oracle.seasons) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    item bigint := (SELECT w.id FROM vsm.work_items w WHERE w.stream = of_stream AND w.created_at >= season.since
                    ORDER BY md5(w.id::text || dice) LIMIT 1);
BEGIN
    IF dice < 0.3 THEN
        DELETE FROM vsm.work_items w WHERE w.id = item;
    ELSIF dice < 0.6 THEN
        UPDATE vsm.work_items w SET type = CASE w.type WHEN 'bug' THEN 'task' ELSE 'bug' END WHERE w.id = item;
    ELSE
        UPDATE vsm.work_items w SET attributes = oracle.some_attributes() WHERE w.id = item;
    END IF;
END $$;

-- The history of new cases, in any order.
CREATE FUNCTION oracle.import_some(of_stream text, season oracle.seasons) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE oracle.log;
    INSERT INTO oracle.log
    SELECT c.case_id, (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream ORDER BY md5(s.id::text || c.case_id || e || random()) LIMIT 1),
           date_trunc('hour', season.since + random() * (season.until - season.since - interval '1 hour') + interval '1 hour'),
           (ARRAY['task', 'bug'])[1 + e % 2]
    FROM (SELECT 'case ' || nextval('oracle.cases') AS case_id FROM generate_series(1, 12)) c CROSS JOIN generate_series(1, 5) e;
    PERFORM vsm.import_events('oracle.log', of_stream);
    UPDATE vsm.work_items w SET attributes = oracle.some_attributes()
    WHERE w.stream = of_stream AND w.external_id IN (SELECT l.case_id FROM oracle.log l);
END $$;

CREATE FUNCTION oracle.live(of_season integer, steps integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    season oracle.seasons := (SELECT s FROM oracle.seasons s WHERE s.season = of_season);
    of_stream text;
    dice float8;
BEGIN
    FOR i IN 1 .. steps LOOP
        of_stream := (ARRAY['alpha', 'alpha', 'beta', 'beta', 'gamma'])[1 + floor(random() * 5)];
        dice := random();
        IF dice < 0.12 THEN
            PERFORM oracle.create_one(of_stream, season);
        ELSIF dice < 0.88 THEN
            PERFORM oracle.move_one(of_stream, season);
        ELSIF dice < 0.97 THEN
            PERFORM oracle.block_one(of_stream, season);
        ELSE
            PERFORM oracle.correct_one(of_stream, season);
        END IF;
    END LOOP;
    PERFORM oracle.import_some(s.name, season) FROM unnest('{alpha,beta,gamma}'::text[]) s (name);
END $$;

------------------------------------------------------------------------------------------------------------------------
-- what is asked
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE oracle.filters (filter text PRIMARY KEY, type text, attributes jsonb);
INSERT INTO oracle.filters VALUES
    ('all', NULL, NULL), ('bugs', 'bug', NULL), ('red', NULL, '{"team": "red"}'), ('blue tasks', 'task', '{"team": "blue", "tags": ["x"]}');
CREATE TABLE oracle.rules (rule text PRIMARY KEY);
INSERT INTO oracle.rules VALUES ('span_first_last'), ('span_last'), ('sum_active'), ('sum_started'), ('episodes');
CREATE TABLE oracle.windows (stream text, season integer, since timestamptz, until timestamptz, filter text, PRIMARY KEY (stream, since, until, filter));

-- The season, all until its end, a window of no length, some with any bounds, some whose bounds are instants of moves,
-- and one that ends just after a completion that was undone later; each for all items, and some by a filter.
CREATE FUNCTION oracle.draw_windows(of_stream text, of_season integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO oracle.windows
    SELECT of_stream, of_season, d.since, d.until, f.filter
    FROM (SELECT s.since, s.until FROM oracle.seasons s WHERE s.season = of_season
          UNION ALL
          SELECT '-infinity', s.until FROM oracle.seasons s WHERE s.season = of_season
          UNION ALL
          SELECT s.until, s.until FROM oracle.seasons s WHERE s.season = of_season
          UNION ALL
          SELECT '-infinity', '2024-01-01' WHERE of_season = 1
          UNION ALL
          SELECT least(r.a, r.b), greatest(r.a, r.b)
          FROM (SELECT e.first + random() * (s.until - e.first) AS a, e.first + random() * (s.until - e.first) AS b
                FROM oracle.seasons s, (VALUES (timestamptz '2024-03-01 00:00+00')) e (first) WHERE s.season = of_season) r
          UNION ALL
          SELECT least(a.at, b.at), greatest(a.at, b.at)
          FROM (SELECT t."timestamp" AS at, row_number() OVER (ORDER BY md5(t.id::text || 'a')) AS r FROM vsm.stage_transitions t
                JOIN vsm.work_items w ON w.id = t.work_item_id AND w.stream = of_stream) a
          JOIN (SELECT t."timestamp" AS at, row_number() OVER (ORDER BY md5(t.id::text || 'b')) AS r FROM vsm.stage_transitions t
                JOIN vsm.work_items w ON w.id = t.work_item_id AND w.stream = of_stream) b USING (r)
          WHERE r = 1
          UNION ALL
          (SELECT t."timestamp" - interval '10 days', t."timestamp" + interval '1 microsecond'
           FROM vsm.stage_transitions t
           JOIN vsm.work_items w ON w.id = t.work_item_id AND w.stream = of_stream
           JOIN vsm.stages s ON s.id = t.to_stage_id AND s.category = 'done'
           WHERE EXISTS (SELECT FROM vsm.stage_transitions l WHERE l.work_item_id = t.work_item_id AND l.from_stage_id = t.to_stage_id)
           ORDER BY md5(t.id::text || of_season) LIMIT 1)) d
    CROSS JOIN LATERAL (SELECT i.filter FROM oracle.filters i ORDER BY i.filter <> 'all', md5(i.filter || d.since || d.until) LIMIT 1 + (random() < 0.4)::integer) f
    ON CONFLICT DO NOTHING
$$;

-- What vsm answers, as text.  The instant of a window is the last before its end.  wip_now and started_wip_now are of
-- the present moment.
CREATE FUNCTION oracle.answers(w oracle.windows) RETURNS TABLE (figure text, answer text) LANGUAGE plpgsql AS $$
DECLARE
    f oracle.filters := (SELECT i FROM oracle.filters i WHERE i.filter = w.filter);
    instant timestamptz := w.until - interval '1 microsecond';
    since timestamptz := greatest(w.since, w.until - interval '60 days');
    rule text;
BEGIN
    FOR rule IN SELECT r.rule FROM oracle.rules r LOOP
        RETURN QUERY SELECT 'metrics by ' || rule, (to_jsonb(m) - '{wip_now,started_wip_now}'::text[])::text
                     FROM vsm.metrics(w.stream, w.since, w.until, f.type, rule, attributes => f.attributes) m;
        RETURN QUERY SELECT 'completions by ' || rule, json_agg(c)::text FROM vsm.completions(w.stream, w.since, w.until, f.type, rule, f.attributes) c;
        RETURN QUERY SELECT 'throughput by ' || rule, json_agg(t)::text
                     FROM vsm.throughput(w.stream, w.since, w.until, (ARRAY['day', 'week', 'month'])[1 + length(rule) % 3], f.type, rule, f.attributes) t;
    END LOOP;
    RETURN QUERY SELECT 'approximate metrics', (to_jsonb(m) - '{wip_now,started_wip_now}'::text[])::text
                 FROM vsm.metrics(w.stream, w.since, w.until, f.type, exact => false, attributes => f.attributes) m;
    RETURN QUERY SELECT 'flow_efficiency', vsm.flow_efficiency(w.stream, w.since, w.until, f.type, NULL, f.attributes)::text;
    RETURN QUERY SELECT 'time_in_stage', json_agg(t)::text FROM vsm.time_in_stage(w.stream, w.since, w.until, f.type, f.attributes) t;
    RETURN QUERY SELECT 'wip_at', json_agg(a)::text FROM vsm.wip_at(w.stream, instant, f.type, f.attributes) a;
    RETURN QUERY SELECT 'work_item_age', json_agg(a)::text FROM vsm.work_item_age(w.stream, f.type, instant, f.attributes) a;
    RETURN QUERY SELECT 'stage_pace', json_agg(p)::text FROM vsm.stage_pace(w.stream, w.since, w.until, f.type, f.attributes) p;
    RETURN QUERY SELECT 'sle_conformance', json_agg(s)::text FROM vsm.sle_conformance(w.stream, w.since, w.until, 'week', f.type, NULL, f.attributes) s;
    RETURN QUERY SELECT 'blocked_time', json_agg(b)::text FROM vsm.blocked_time(w.stream, w.since, w.until, f.type, f.attributes) b;
    RETURN QUERY SELECT 'flow_efficiency without blocks', vsm.flow_efficiency(w.stream, w.since, w.until, f.type, NULL, f.attributes, blocked_waits => true)::text;
    RETURN QUERY SELECT 'flow_balance', json_agg(b)::text FROM vsm.flow_balance(w.stream, w.since, w.until, 'week', f.type, f.attributes) b;
    RETURN QUERY SELECT 'littles_law', to_jsonb(l)::text FROM vsm.littles_law(w.stream, w.since, w.until, f.type, attributes => f.attributes) l;
    RETURN QUERY SELECT 'process_behaviour of ' || g.figure, json_agg(b)::text
                 FROM unnest('{throughput,cycle_time,wip,age,total_age}'::text[]) g (figure),
                      vsm.process_behaviour(w.stream, g.figure, w.since, w.until, 'day', type => f.type, attributes => f.attributes) b GROUP BY g.figure;
    RETURN QUERY SELECT 'flow_graph', json_agg(g)::text FROM vsm.flow_graph(w.stream, w.since, w.until, f.type, f.attributes) g;
    RETURN QUERY SELECT 'rework', json_agg(r)::text FROM vsm.rework(w.stream, w.since, w.until, f.type, f.attributes) r;
    RETURN QUERY SELECT 'flow_paths', json_agg(p)::text FROM vsm.flow_paths(w.stream, w.since, w.until, f.type, NULL, f.attributes) p;
    RETURN QUERY SELECT 'cycle_times_between', json_agg(b)::text
                 FROM vsm.stages s, vsm.stages e, vsm.cycle_times_between(w.stream, s.name, e.name, w.since, w.until, 'last_exit', 'first_entry', f.type, f.attributes) b
                 WHERE s.stream = w.stream AND s."order" = 2 AND e.stream = w.stream AND e.category = 'done';
    BEGIN
        RETURN QUERY SELECT 'forecast', json_agg(p)::text
                     FROM vsm.forecast(20, (instant + interval '30 days')::date, w.stream, f.type, trials => 200, at => instant, attributes => f.attributes) p;
    EXCEPTION WHEN SQLSTATE 'PT422' THEN		-- few days with throughput
        RETURN QUERY SELECT 'forecast', sqlerrm;
    END;
    RETURN QUERY SELECT 'backtest', json_agg(b)::text
                 FROM vsm.forecast_backtest(days => 7, stream => w.stream, since => w.until - interval '30 days', until => w.until, type => f.type, trials => 100, attributes => f.attributes) b;
    RETURN QUERY SELECT 'backtest of items', json_agg(b)::text
                 FROM vsm.forecast_backtest(4, stream => w.stream, since => w.until - interval '30 days', until => w.until, type => f.type, trials => 100, attributes => f.attributes) b;
    RETURN QUERY SELECT 'bottlenecks', json_agg(b)::text FROM vsm.bottlenecks(w.stream, w.since, w.until, f.type, f.attributes) b;
    RETURN QUERY SELECT 'dora', json_agg(d)::text FROM vsm.dora(w.stream, w.since, w.until, 'week', f.type, f.attributes) d;
    RETURN QUERY SELECT 'flow_framework', json_agg(d)::text FROM vsm.flow_framework(w.stream, w.since, w.until, 'month', f.type, NULL, f.attributes) d;
    IF since <= instant THEN
        RETURN QUERY SELECT 'occupancy', json_agg(o)::text FROM vsm.occupancy(w.stream, since, instant, '37 hours', f.type, f.attributes) o;
        RETURN QUERY SELECT 'cumulative_flow', json_agg(c)::text FROM vsm.cumulative_flow(w.stream, since, instant, '3 days', f.type, f.attributes) c;
    END IF;
END $$;
CREATE TABLE oracle.answered (stream text, since timestamptz, until timestamptz, filter text, figure text, answer text);
CREATE FUNCTION oracle.ask(of_season integer) RETURNS SETOF oracle.answered LANGUAGE sql AS $$
    SELECT w.stream, w.since, w.until, w.filter, a.* FROM oracle.windows w CROSS JOIN LATERAL oracle.answers(w) a WHERE w.season = of_season
$$;

------------------------------------------------------------------------------------------------------------------------
-- the same, computed again
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION oracle.us(duration interval) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN (extract(epoch FROM duration) * 1000000)::bigint;

-- What an observer at an instant knows: the visits of items, as the moves before the instant give them; n counts the
-- moves of an item from 1, and "left" is null in its last visit.
CREATE TABLE oracle.visits (
    item bigint, n bigint, stage text, "order" integer, category text, committed boolean, entered timestamptz, "left" timestamptz,
    from_category text, from_order integer, PRIMARY KEY (item, n));
CREATE FUNCTION oracle.observe(of_stream text, bound timestamptz, of_type text, attributes jsonb) RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.visits;
    INSERT INTO oracle.visits
    SELECT t.work_item_id, row_number() OVER moves, s.name, s."order", s.category,
           s.category IN ('wait', 'active') AND s."order" >= coalesce(
               (SELECT c."order" FROM vsm.value_streams v JOIN vsm.stages c ON c.stream = v.name AND c.name = v.commitment_stage WHERE v.name = of_stream),
               (SELECT min(c."order") FROM vsm.stages c WHERE c.stream = of_stream AND c.category = 'active'), 1000000),
           t."timestamp", lead(t."timestamp") OVER moves, lag(s.category) OVER moves, lag(s."order") OVER moves
    FROM vsm.stage_transitions t
    JOIN vsm.work_items w ON w.id = t.work_item_id
    JOIN vsm.stages s ON s.id = t.to_stage_id
    WHERE w.stream = of_stream AND t."timestamp" < bound AND (of_type IS NULL OR w.type = of_type)
      AND (observe.attributes IS NULL OR w.attributes @> observe.attributes)
    WINDOW moves AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id)
$$;

CREATE VIEW oracle.items AS
SELECT v.item, max(v.n) AS last_n, min(v.entered) AS created_at, min(v.n) FILTER (WHERE v.committed) AS started_n,
       min(v.entered) FILTER (WHERE v.committed) AS started_at, max(v.n) FILTER (WHERE v.category = 'done' AND v.from_category IS DISTINCT FROM 'done') AS finished_n,
       (array_agg(v.category ORDER BY v.n DESC))[1] AS category, (array_agg(v.stage ORDER BY v.n DESC))[1] AS stage, max(v.entered) AS entered
FROM oracle.visits v GROUP BY v.item;

-- Completions that count, by a reopen rule: the moves at which the item was created, started and finished, then the
-- times between.  The time in which an item was discarded counts as that in done.
CREATE FUNCTION oracle.completions(rule text)
    RETURNS TABLE (item bigint, created_at timestamptz, started_at timestamptz, completed_at timestamptz, cycle_us bigint, active_us bigint, wait_us bigint)
    LANGUAGE sql AS $$
    WITH finishes AS (
        SELECT v.item, v.n, v.entered, coalesce(lag(v.n) OVER (PARTITION BY v.item ORDER BY v.n), 0) AS previous_n
        FROM oracle.visits v WHERE v.category = 'done' AND v.from_category IS DISTINCT FROM 'done'),
    bounds AS (
        SELECT f.item, f.n, f.entered,
               CASE WHEN rule = 'episodes' AND f.previous_n > 0
                    THEN (SELECT min(v.n) FROM oracle.visits v WHERE v.item = f.item AND v.n > f.previous_n AND v.category <> 'done')
                    ELSE 1 END AS created_n,
               CASE rule WHEN 'episodes' THEN (SELECT min(v.n) FROM oracle.visits v
                                               WHERE v.item = f.item AND v.n > f.previous_n AND v.n < f.n AND v.committed)
                         WHEN 'span_last' THEN (SELECT nullif(coalesce(max(v.n), 0) + 1, f.n) FROM oracle.visits v
                                                WHERE v.item = f.item AND v.n < f.n AND NOT v.committed)
                         ELSE nullif(least(i.started_n, f.n), f.n) END AS started_n
        FROM finishes f JOIN oracle.items i USING (item)
        WHERE rule = 'episodes' OR i.category = 'done' AND i.finished_n = f.n)
    SELECT b.item, c.entered, s.entered, b.entered,
           CASE rule WHEN 'sum_active' THEN oracle.us(b.entered - s.entered) - t.ended_us
                     WHEN 'sum_started' THEN CASE WHEN s.item IS NOT NULL THEN t.committed_us END
                     ELSE oracle.us(b.entered - s.entered) END,
           t.active_us, t.wait_us
    FROM bounds b
    JOIN oracle.visits c ON c.item = b.item AND c.n = b.created_n
    LEFT JOIN oracle.visits s ON s.item = b.item AND s.n = b.started_n
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.category = 'active'), 0)::bigint AS active_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.category = 'wait'), 0)::bigint AS wait_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.category IN ('done', 'discarded')), 0)::bigint AS ended_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.committed), 0)::bigint AS committed_us
        FROM oracle.visits v WHERE v.item = b.item AND v.n >= b.started_n AND v.n < b.n) t
$$;

-- The smallest observed value such that at least p of them are at or below it.
CREATE FUNCTION oracle.percentile(p numeric, observed bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT u.value FROM unnest(observed) WITH ORDINALITY u (value, rank) WHERE u.rank >= p * cardinality(observed) ORDER BY u.rank LIMIT 1
$$;
CREATE FUNCTION oracle.times(figure text, observed bigint[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(figure || '_n', coalesce(cardinality(observed), 0), figure || '_avg', (SELECT round(avg(o))::bigint FROM unnest(observed) o),
                              figure || '_p50', oracle.percentile(0.5, observed), figure || '_p70', oracle.percentile(0.7, observed),
                              figure || '_p85', oracle.percentile(0.85, observed), figure || '_p95', oracle.percentile(0.95, observed))
$$;

-- Items in progress before an instant, straight from the ledger, and those of them that had started by then.
CREATE FUNCTION oracle.in_progress(of_stream text, bound timestamptz, of_type text, attributes jsonb, OUT open bigint, OUT started bigint) LANGUAGE sql AS $$
    SELECT count(*), count(*) FILTER (WHERE EXISTS (
        SELECT FROM vsm.stage_transitions t JOIN vsm.stages e ON e.id = t.to_stage_id
        WHERE t.work_item_id = l.work_item_id AND t."timestamp" < bound AND e.category IN ('wait', 'active') AND e."order" >= c."order"))
    FROM (SELECT DISTINCT ON (t.work_item_id) t.work_item_id, t.to_stage_id
          FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id
          WHERE w.stream = of_stream AND t."timestamp" < bound AND (of_type IS NULL OR w.type = of_type)
            AND (in_progress.attributes IS NULL OR w.attributes @> in_progress.attributes)
          ORDER BY t.work_item_id, t."timestamp" DESC, t.id DESC) l
    JOIN vsm.stages s ON s.id = l.to_stage_id AND s.category IN ('wait', 'active')
    LEFT JOIN (SELECT coalesce(min(c."order") FILTER (WHERE c.name = v.commitment_stage), min(c."order") FILTER (WHERE c.category = 'active')) AS "order"
               FROM vsm.value_streams v JOIN vsm.stages c ON c.stream = v.name WHERE v.name = of_stream) c ON true
$$;

-- The row of vsm.metrics by the observer's visits; durations in microseconds, ratios with 9 digits.
CREATE FUNCTION oracle.metrics(of_stream text, since timestamptz, until timestamptz, f oracle.filters, rule text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := CASE WHEN isfinite(since) THEN since ELSE coalesce((
        SELECT min(t."timestamp") FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id
        WHERE w.stream = of_stream AND t."timestamp" < until), until) END;
    length_us bigint := nullif(greatest(oracle.us(until - first), 0), 0);
    leads bigint[];
    cycles bigint[];
    efficiency numeric;
BEGIN
    SELECT array_agg(oracle.us(c.completed_at - c.created_at) ORDER BY c.completed_at - c.created_at),
           array_agg(c.cycle_us ORDER BY c.cycle_us) FILTER (WHERE c.cycle_us IS NOT NULL), sum(c.active_us) / nullif(sum(c.active_us + c.wait_us), 0)
    INTO leads, cycles, efficiency
    FROM oracle.completions(rule) c WHERE c.completed_at >= since;
    RETURN oracle.times('lead_time', leads) || oracle.times('cycle_time', cycles) || jsonb_build_object(
        'stream', of_stream, 'since', first, 'until', until, 'type', f.type, 'attributes', f.attributes, 'known_at', NULL, 'reopen_rule', rule,
        'time_zone', (SELECT v.time_zone FROM vsm.value_streams v WHERE v.name = of_stream), 'percentile_rule', 'percentile_disc', 'percentile_error', 0,
        'throughput', coalesce(cardinality(leads), 0), 'flow_efficiency', round(efficiency, 9),
        'finished_never_started', (SELECT count(*) FROM oracle.completions(CASE rule WHEN 'episodes' THEN rule ELSE 'span_first_last' END) c
                                   WHERE c.completed_at >= since AND c.started_at IS NULL))
        || (SELECT jsonb_build_object(
                'arrivals', count(*) FILTER (WHERE v.n = 1),
                'departures', count(*) FILTER (WHERE v.category = 'done' AND v.from_category IS DISTINCT FROM 'done'),
                'discarded', count(*) FILTER (WHERE v.category = 'discarded' AND v.from_category IS DISTINCT FROM 'discarded'),
                'returns', count(*) FILTER (WHERE v.from_category IN ('done', 'discarded') AND v.category <> v.from_category),
                'reopened', count(*) FILTER (WHERE v.from_category = 'done' AND v.category <> 'done'),
                'backward_moves', count(*) FILTER (WHERE v."order" < v.from_order))
            FROM oracle.visits v WHERE v.entered >= since)
        -- visit by visit: the time inside the window, and after the start
        || (SELECT jsonb_build_object(
                'wip', round(coalesce(sum(oracle.us(least(coalesce(v."left", until), until) - greatest(v.entered, first)))
                                          FILTER (WHERE coalesce(v."left" > first, true)), 0) / length_us, 9),
                'started_wip', round(coalesce(sum(oracle.us(least(coalesce(v."left", until), until) - greatest(v.entered, i.started_at, first)))
                                          FILTER (WHERE i.started_at IS NOT NULL AND coalesce(v."left" > greatest(i.started_at, first), true)), 0) / length_us, 9))
            FROM oracle.visits v JOIN oracle.items i USING (item) WHERE v.category IN ('wait', 'active'))
        || (SELECT jsonb_build_object('open_at_since', s.open, 'started_at_since', s.started, 'open_at_until', u.open, 'started_at_until', u.started,
                                      'wip_now', n.open, 'started_wip_now', n.started)
            FROM oracle.in_progress(of_stream, since, f.type, f.attributes) s, oracle.in_progress(of_stream, until, f.type, f.attributes) u,
                 oracle.in_progress(of_stream, 'infinity', f.type, f.attributes) n);
END $$;
CREATE FUNCTION oracle.told(m vsm.flow_figures) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(c.key, CASE WHEN c.value = 'null' THEN c.value
                                        WHEN c.key ~ '^(lead|cycle)_time_(avg|p\d+)$' THEN to_jsonb(oracle.us((c.value #>> '{}')::interval))
                                        WHEN c.key IN ('wip', 'started_wip', 'flow_efficiency') THEN to_jsonb(round(c.value::numeric, 9))
                                        ELSE c.value END)
    FROM jsonb_each(to_jsonb(m)) c
$$;

-- The age of a finished item when it last left a stage.
CREATE VIEW oracle.paces AS
SELECT c.item, c.completed_at, v.stage, oracle.us(max(v."left") - c.started_at) AS us
FROM oracle.completions('span_first_last') c
JOIN oracle.items i ON i.item = c.item
JOIN oracle.visits v ON v.item = c.item AND v.n >= i.started_n AND v.n < i.finished_n AND v.category IN ('wait', 'active')
WHERE c.started_at IS NOT NULL GROUP BY c.item, c.completed_at, c.started_at, v.stage;

CREATE FUNCTION oracle.expected_us(of_stream text, of_type text, at timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT oracle.us(s.elapsed) FROM vsm.sles s JOIN vsm.value_streams v ON v.name = s.stream
    WHERE s.stream = of_stream AND coalesce(s.type, of_type) = of_type AND s.since <= (at AT TIME ZONE v.time_zone)::date
    ORDER BY s.type NULLS LAST, s.since DESC LIMIT 1
$$;

CREATE FUNCTION oracle.blocked(since timestamptz, until timestamptz) RETURNS TABLE (id bigint, item bigint, reason text, stage text, category text, us bigint) LANGUAGE sql STABLE AS $$
    SELECT b.id, v.item, b.reason, v.stage, v.category, oracle.us(x.until - x.since)
    FROM vsm.blocks b JOIN oracle.visits v ON v.item = b.work_item_id JOIN oracle.items i ON i.item = v.item
    CROSS JOIN LATERAL (SELECT greatest(b.blocked_at, v.entered, i.started_at, blocked.since) AS since, least(b.unblocked_at, v."left", blocked.until) AS until) x
    WHERE v.category IN ('wait', 'active') AND i.started_at IS NOT NULL AND x.since < x.until
$$;

-- What differs, window by window.
CREATE TABLE oracle.wrong (stream text, since timestamptz, until timestamptz, filter text, figure text, told text, expected text);
CREATE TABLE oracle.compared (figure text, n bigint);
CREATE FUNCTION oracle.compare(of_season integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    w oracle.windows;
    f oracle.filters;
    instant timestamptz;
BEGIN
    TRUNCATE oracle.wrong, oracle.compared;
    FOR w IN SELECT * FROM oracle.windows o WHERE o.season = of_season LOOP
        f := (SELECT i FROM oracle.filters i WHERE i.filter = w.filter);
        PERFORM oracle.observe(w.stream, w.until, f.type, f.attributes);
        instant := w.until - interval '1 microsecond';

        WITH told AS (
            SELECT r.rule, c.* FROM oracle.rules r CROSS JOIN LATERAL vsm.metrics(w.stream, w.since, w.until, f.type, r.rule, attributes => f.attributes) m
            CROSS JOIN LATERAL jsonb_each(oracle.told(m)) c),
        expected AS (
            SELECT r.rule, c.* FROM oracle.rules r CROSS JOIN LATERAL jsonb_each(oracle.metrics(w.stream, w.since, w.until, f, r.rule)) c),
        counted AS (INSERT INTO oracle.compared SELECT 'metrics', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, format('metrics.%s by %s', key, rule), t.value::text, e.value::text
        FROM told t FULL JOIN expected e USING (rule, key) WHERE t.value IS DISTINCT FROM e.value;

        WITH told AS (
            SELECT r.rule, c.work_item_id AS item, c.completed_at, c.created_at, c.started_at, oracle.us(c.lead_time) AS lead_us, oracle.us(c.cycle_time) AS cycle_us
            FROM oracle.rules r CROSS JOIN LATERAL vsm.completions(w.stream, w.since, w.until, f.type, r.rule, f.attributes) c),
        expected AS (
            SELECT r.rule, c.item, c.completed_at, c.created_at, c.started_at, oracle.us(c.completed_at - c.created_at) AS lead_us, c.cycle_us
            FROM oracle.rules r CROSS JOIN LATERAL oracle.completions(r.rule) c WHERE c.completed_at >= w.since),
        counted AS (INSERT INTO oracle.compared SELECT 'completions', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'completions by ' || d.rule, d.told, d.expected
        FROM (SELECT t.rule, t::text AS told, NULL AS expected FROM (TABLE told EXCEPT ALL TABLE expected) t
              UNION ALL
              SELECT e.rule, NULL, e::text FROM (TABLE expected EXCEPT ALL TABLE told) e) d;

        WITH told AS (
            SELECT t.stage, ARRAY[t.visits, oracle.us(t.avg), oracle.us(t.p50), oracle.us(t.p70), oracle.us(t.p85), oracle.us(t.p95), t.items,
                                  oracle.us(t.avg_per_item), t.open_visits, oracle.us(t.open_avg)] AS figures
            FROM vsm.time_in_stage(w.stream, w.since, w.until, f.type, f.attributes) t),
        expected AS (
            SELECT s.name, (SELECT ARRAY[count(*), round(avg(x.us))::bigint, oracle.percentile(0.5, array_agg(x.us ORDER BY x.us)), oracle.percentile(0.7, array_agg(x.us ORDER BY x.us)),
                                         oracle.percentile(0.85, array_agg(x.us ORDER BY x.us)), oracle.percentile(0.95, array_agg(x.us ORDER BY x.us)),
                                         count(DISTINCT x.item), round(sum(x.us)::numeric / nullif(count(DISTINCT x.item), 0))::bigint]
                            FROM (SELECT v.item, oracle.us(v."left" - v.entered) AS us FROM oracle.visits v WHERE v.stage = s.name AND v."left" >= w.since) x)
                   || (SELECT ARRAY[count(*), round(avg(oracle.us(w.until - v.entered)))::bigint]
                       FROM oracle.visits v WHERE v.stage = s.name AND v."left" IS NULL)
            FROM vsm.stages s WHERE s.stream = w.stream),
        counted AS (INSERT INTO oracle.compared SELECT 'time_in_stage', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'time_in_stage of ' || coalesce(t.stage, e.name), t.figures::text, e.figures::text
        FROM told t FULL JOIN expected e (name, figures) ON e.name = t.stage WHERE t.figures IS DISTINCT FROM e.figures;

        WITH told AS (
            SELECT a.work_item_id AS item, a.stage, oracle.us(a.age) AS age, oracle.us(a.time_in_stage) AS stay, oracle.us(a.age_since_creation) AS life
            FROM vsm.work_item_age(w.stream, f.type, instant, f.attributes) a),
        expected AS (
            SELECT i.item, i.stage, oracle.us(instant - i.started_at), oracle.us(instant - i.entered), oracle.us(instant - i.created_at)
            FROM oracle.items i WHERE i.category IN ('wait', 'active')),
        counted AS (INSERT INTO oracle.compared SELECT 'work_item_age', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'work_item_age', d.told, d.expected
        FROM (SELECT t::text AS told, NULL AS expected FROM (TABLE told EXCEPT ALL TABLE expected) t
              UNION ALL
              SELECT NULL, e::text FROM (TABLE expected EXCEPT ALL TABLE told) e) d;

        WITH told AS (
            SELECT p.stage, ARRAY[p.n, oracle.us(p.p50), oracle.us(p.p70), oracle.us(p.p85), oracle.us(p.p95)] AS figures
            FROM vsm.stage_pace(w.stream, w.since, w.until, f.type, f.attributes) p),
        expected AS (
            SELECT s.name, (SELECT ARRAY[count(*), oracle.percentile(0.5, array_agg(p.us ORDER BY p.us)), oracle.percentile(0.7, array_agg(p.us ORDER BY p.us)),
                                         oracle.percentile(0.85, array_agg(p.us ORDER BY p.us)), oracle.percentile(0.95, array_agg(p.us ORDER BY p.us))]
                            FROM oracle.paces p WHERE p.stage = s.name AND p.completed_at >= w.since)
            FROM vsm.stages s WHERE s.stream = w.stream AND s.category IN ('wait', 'active')),
        counted AS (INSERT INTO oracle.compared SELECT 'stage_pace', sum(figures[1]) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'stage_pace of ' || coalesce(t.stage, e.name), t.figures::text, e.figures::text
        FROM told t FULL JOIN expected e (name, figures) ON e.name = t.stage WHERE t.figures IS DISTINCT FROM e.figures;

        WITH told AS (
            SELECT r.rule, s.bucket, s.items, s.within, s.unjudged, round(s.share, 9) AS share
            FROM oracle.rules r CROSS JOIN LATERAL vsm.sle_conformance(w.stream, w.since, w.until, 'week', f.type, r.rule, f.attributes) s
            WHERE s.items + s.unjudged > 0),
        expected AS (
            SELECT r.rule, date_trunc('week', c.completed_at AT TIME ZONE v.time_zone)::date, count(*) FILTER (WHERE j.judged), count(*) FILTER (WHERE j.within),
                   count(*) FILTER (WHERE NOT j.judged), round(count(*) FILTER (WHERE j.within) / nullif(count(*) FILTER (WHERE j.judged), 0)::numeric, 9)
            FROM oracle.rules r CROSS JOIN LATERAL oracle.completions(r.rule) c JOIN vsm.value_streams v ON v.name = w.stream
            CROSS JOIN LATERAL (SELECT oracle.expected_us(w.stream, i.type, c.completed_at) AS us FROM vsm.work_items i WHERE i.id = c.item) e
            CROSS JOIN LATERAL (SELECT coalesce(c.cycle_us IS NOT NULL AND e.us IS NOT NULL, false) AS judged, coalesce(c.cycle_us <= e.us, false) AS within) j
            WHERE c.completed_at >= w.since GROUP BY 1, 2),
        counted AS (INSERT INTO oracle.compared SELECT 'sle_conformance', sum(items) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'sle_conformance by ' || d.rule, d.told, d.expected
        FROM (SELECT t.rule, t::text AS told, NULL AS expected FROM (TABLE told EXCEPT ALL TABLE expected) t
              UNION ALL
              SELECT e.rule, NULL, e::text FROM (TABLE expected EXCEPT ALL TABLE told) e) d;

        -- pace and risk by what was finished on the 20 days before, and that day
        WITH told AS (
            SELECT a.work_item_id AS item, oracle.us(a.blocked) AS blocked, a.block_reason, round(a.pace, 9) AS pace, round(a.risk, 9) AS risk
            FROM vsm.work_item_age(w.stream, f.type, instant, f.attributes, history_days => 20) a),
        since AS (
            SELECT ((instant AT TIME ZONE v.time_zone)::date - 20)::timestamp AT TIME ZONE v.time_zone AS at, v.reopen_rule
            FROM vsm.value_streams v WHERE v.name = w.stream),
        cycles AS MATERIALIZED (
            SELECT x.type, c.cycle_us FROM since s CROSS JOIN LATERAL oracle.completions(s.reopen_rule) c JOIN vsm.work_items x ON x.id = c.item
            WHERE c.completed_at >= s.at AND c.cycle_us IS NOT NULL),
        paces AS MATERIALIZED (SELECT p.* FROM oracle.paces p, since s WHERE p.completed_at >= s.at),
        blocked AS MATERIALIZED (SELECT b.* FROM oracle.blocked('-infinity', instant) b),
        expected AS (
            SELECT i.item, CASE WHEN i.started_n IS NOT NULL THEN (SELECT coalesce(sum(b.us), 0) FROM blocked b WHERE b.item = i.item) END,
                   (SELECT b.reason FROM vsm.blocks b WHERE b.work_item_id = i.item AND b.blocked_at <= instant AND coalesce(b.unblocked_at > instant, true)),
                   (SELECT round(count(*) FILTER (WHERE p.us < g.us) / nullif(count(*), 0)::numeric, 9) FROM paces p
                    WHERE p.stage = i.stage AND g.us IS NOT NULL),
                   (SELECT round(count(*) FILTER (WHERE c.cycle_us >= g.us AND c.cycle_us > e.us) / nullif(count(*) FILTER (WHERE c.cycle_us >= g.us), 0)::numeric, 9)
                    FROM cycles c WHERE e.us IS NOT NULL AND (NOT e.own OR c.type = x.type))
            FROM oracle.items i JOIN vsm.work_items x ON x.id = i.item
            CROSS JOIN LATERAL (SELECT oracle.us(instant - i.started_at) AS us) g
            CROSS JOIN LATERAL (SELECT oracle.expected_us(w.stream, x.type, instant) AS us,
                                       EXISTS (SELECT FROM vsm.sles s WHERE s.stream = w.stream AND s.type = x.type AND s.since <= (instant AT TIME ZONE v.time_zone)::date) AS own
                                FROM vsm.value_streams v WHERE v.name = w.stream) e
            WHERE i.category IN ('wait', 'active')),
        counted AS (INSERT INTO oracle.compared SELECT 'pace and risk', count(pace) + count(risk) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'pace and risk', d.told, d.expected
        FROM (SELECT t::text AS told, NULL AS expected FROM (TABLE told EXCEPT ALL TABLE expected) t
              UNION ALL
              SELECT NULL, e::text FROM (TABLE expected EXCEPT ALL TABLE told) e) d;

        WITH told AS (
            SELECT b.stage, b.reason, b.spells, b.items, oracle.us(b.blocked) AS us FROM vsm.blocked_time(w.stream, w.since, w.until, f.type, f.attributes) b),
        expected AS (
            SELECT b.stage, b.reason, count(DISTINCT b.id), count(DISTINCT b.item), sum(b.us)::bigint FROM oracle.blocked(w.since, w.until) b GROUP BY 1, 2),
        counted AS (INSERT INTO oracle.compared SELECT 'blocked_time', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'blocked_time', d.told, d.expected
        FROM (SELECT t::text AS told, NULL AS expected FROM (TABLE told EXCEPT ALL TABLE expected) t
              UNION ALL
              SELECT NULL, e::text FROM (TABLE expected EXCEPT ALL TABLE told) e) d;

        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'blocked_time as waiting by ' || r.rule, t.told::text, e.expected::text
        FROM oracle.rules r
        CROSS JOIN LATERAL (SELECT round(vsm.flow_efficiency(w.stream, w.since, w.until, f.type, r.rule, f.attributes, blocked_waits => true), 9) AS told) t
        CROSS JOIN LATERAL (
            SELECT round((sum(c.active_us) - coalesce(sum(b.us), 0)) / nullif(sum(c.active_us + c.wait_us), 0), 9) AS expected
            FROM oracle.completions(r.rule) c
            CROSS JOIN LATERAL (
                SELECT sum(b.us) AS us FROM oracle.blocked(c.started_at, c.completed_at) b
                WHERE c.started_at IS NOT NULL AND b.item = c.item AND b.category = 'active'
                  AND c.item IN (SELECT x.work_item_id FROM vsm.blocks x)) b
            WHERE c.completed_at >= w.since) e
        WHERE t.told IS DISTINCT FROM e.expected;

        -- furthest stage ever reached; a discarded stage has those discarded there first, and is none on the way
        WITH told AS (
            SELECT t.stage, t.items AS held, o.items AS occupied, c.items AS reached
            FROM vsm.wip_at(w.stream, instant, f.type, f.attributes) t
            FULL JOIN vsm.occupancy(w.stream, instant, instant, '1 day', f.type, f.attributes) o USING (stage)
            FULL JOIN vsm.cumulative_flow(w.stream, instant, instant, '1 day', f.type, f.attributes) c USING (stage)),
        furthest AS (
            SELECT v.item, max(v."order") FILTER (WHERE v.category <> 'discarded') AS "order",
                   (array_agg(v.stage ORDER BY v.n) FILTER (WHERE v.category = 'discarded'))[1] AS discarded
            FROM oracle.visits v GROUP BY 1),
        expected AS (
            SELECT s.name AS stage, h.n AS held, h.n AS occupied,
                   (SELECT count(*) FROM furthest u WHERE CASE WHEN s.category = 'discarded' THEN u.discarded = s.name ELSE u."order" >= s."order" END) AS reached
            FROM vsm.stages s CROSS JOIN LATERAL (SELECT count(*) AS n FROM oracle.items i WHERE i.stage = s.name) h WHERE s.stream = w.stream),
        counted AS (INSERT INTO oracle.compared SELECT 'stages', count(*) FROM told)
        INSERT INTO oracle.wrong
        SELECT w.stream, w.since, w.until, f.filter, 'stages at the end', t::text, e::text
        FROM told t FULL JOIN expected e USING (stage)
        WHERE (t.held, t.occupied, t.reached) IS DISTINCT FROM (e.held, e.occupied, e.reached);
    END LOOP;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- the seasons
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION oracle.check_season(of_season integer) RETURNS SETOF text LANGUAGE plpgsql AS $check$
BEGIN
    PERFORM oracle.live(of_season, 500);
    ANALYZE vsm.work_items, vsm.stage_transitions;
    PERFORM oracle.draw_windows(s.name, of_season) FROM unnest('{alpha,beta,gamma}'::text[]) s (name);

    PERFORM oracle.compare(of_season);
    RETURN QUERY
    SELECT cmp_ok((SELECT sum(c.n)::integer FROM oracle.compared c WHERE c.figure = k.figure), '>=', k.least, format('season %s: %s are compared', of_season, k.figure))
    FROM (VALUES ('metrics', 2000), ('completions', 100), ('time_in_stage', 50), ('work_item_age', 80), ('stages', 50), ('stage_pace', 10),
                 ('sle_conformance', 40), ('pace and risk', 20), ('blocked_time', 1)) k (figure, least);
    RETURN QUERY
    SELECT is_empty(format('SELECT * FROM oracle.wrong w WHERE w.figure ~ %L ORDER BY w.stream, w.until, w.since DESC, w.figure LIMIT 12', '^' || k.figure),
                    format('season %s: %s are those of an observer at the window''s end', of_season, k.figure))
    FROM (VALUES ('metrics'), ('completions'), ('time_in_stage'), ('work_item_age'), ('stages'), ('stage_pace'), ('sle_conformance'), ('pace and risk'), ('blocked_time')) k (figure);

    INSERT INTO oracle.answered SELECT * FROM oracle.ask(of_season);
    RETURN NEXT is_empty($$
        SELECT a.* FROM oracle.answered a CROSS JOIN LATERAL jsonb_populate_record(NULL::vsm.flow_figures, a.answer::jsonb) m
        WHERE a.figure ~ '^metrics' AND m.open_at_until <> m.open_at_since + m.arrivals + m.returns - m.departures - m.discarded
        $$, format('season %s: open items balance', of_season));
    RETURN NEXT is_empty($$
        SELECT m.* FROM oracle.answered m JOIN oracle.answered t USING (stream, since, until, filter)
        WHERE m.figure ~ '^metrics by' AND t.figure = replace(m.figure, 'metrics', 'throughput')
          AND (m.answer::jsonb ->> 'throughput')::numeric <> (SELECT coalesce(sum((b ->> 'items')::numeric), 0) FROM jsonb_array_elements(t.answer::jsonb) b)
        $$, format('season %s: buckets sum to the throughput', of_season));
    RETURN NEXT is_empty($$
        SELECT m.* FROM oracle.answered m JOIN oracle.answered a USING (stream, since, until, filter)
        WHERE m.figure ~ '^metrics by' AND a.figure = 'wip_at'
          AND (m.answer::jsonb ->> 'open_at_until')::numeric <> (
              SELECT sum((b ->> 'items')::numeric) FROM jsonb_array_elements(a.answer::jsonb) b
              JOIN vsm.stages s ON s.stream = m.stream AND s.name = b ->> 'stage' AND s.category IN ('wait', 'active'))
        $$, format('season %s: wait and active stages sum to the open items', of_season));
    RETURN NEXT is_empty($$
        SELECT * FROM (SELECT s.name, f.filter, c.*, lag(c.items) OVER (PARTITION BY s.name, f.filter, c.stage ORDER BY c.at) AS before
                       FROM vsm.value_streams s JOIN oracle.filters f ON s.name <> 'late'
                       CROSS JOIN LATERAL vsm.cumulative_flow(s.name, '2024-03-01', '2024-07-02', '19 hours', f.type, f.attributes) c) c
        WHERE c.items < c.before
        $$, format('season %s: no line of the cumulative flow falls', of_season));
END $check$;

-- Some of what a text has that another has not.
CREATE FUNCTION oracle.differing(one text, other text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(d.part, ',' ORDER BY d.n), CASE WHEN one <> other THEN 'the same in another order' END)
    FROM (SELECT o.part, o.n FROM string_to_table(one, ',') WITH ORDINALITY o (part, n)
          WHERE o.part NOT IN (SELECT p FROM string_to_table(other, ',') p) OR other IS NULL ORDER BY o.n LIMIT 5) d
$$;

-- Asks again about the windows of the seasons before.
CREATE FUNCTION oracle.check_past(of_season integer) RETURNS SETOF text LANGUAGE plpgsql AS $check$
BEGIN
    CREATE TEMPORARY TABLE again AS SELECT a.* FROM generate_series(1, of_season - 1) s CROSS JOIN LATERAL oracle.ask(s) a;
    RETURN NEXT cmp_ok((SELECT count(*) FROM again), '>=', 500::bigint, format('season %s: the past is asked again', of_season));
    RETURN NEXT is_empty($$
        SELECT stream, since, until, filter, figure, oracle.differing(n.answer, a.answer) AS now, oracle.differing(a.answer, n.answer) AS before
        FROM again n FULL JOIN (SELECT a.* FROM oracle.answered a JOIN oracle.windows w USING (stream, since, until, filter) WHERE w.season < '$$ || of_season || $$') a
            USING (stream, since, until, filter, figure)
        WHERE n.answer IS DISTINCT FROM a.answer OR n.figure IS NULL OR a.figure IS NULL ORDER BY figure, until, since DESC LIMIT 8
        $$, format('season %s has changed no figure of the past', of_season));
    DROP TABLE again;
END $check$;

SELECT setseed(:seed % 1000 / 1000.0) \g /dev/null
INSERT INTO oracle.windows VALUES ('late', 1, '-infinity', '2024-04-01', 'all'), ('late', 1, '2024-03-01', '2024-04-01', 'all');
SELECT * FROM oracle.check_season(1);
SELECT * FROM oracle.check_season(2);
SELECT * FROM oracle.check_past(2);
SELECT oracle.live(3, 400) \g /dev/null
SELECT lives_ok($$SELECT vsm.create_work_item('the first', stream => 'late', at => '2024-06-01')$$, 'the first item of stream late');
SELECT * FROM oracle.check_past(3);

-- ---- The histories had what is hard ----

SELECT cmp_ok((SELECT count(*) FROM vsm.work_items), '>=', 200::bigint, 'hundreds of items');
SELECT cmp_ok((SELECT count(*) FROM vsm.stage_transitions), '>=', 1000::bigint, 'more than a thousand moves');
SELECT cmp_ok((SELECT count(*) FROM oracle.answered a WHERE a.figure = 'forecast' AND a.answer ~ '^\['), '>=', 5::bigint, 'there were forecasts');
SELECT cmp_ok(had.n, '>=', had.least, had.what)
FROM (SELECT 20::bigint AS least, 'items were reopened' AS what, count(*) AS n FROM vsm.work_items w WHERE w.reopened > 0
      UNION ALL
      SELECT 5, 'some of them twice', count(*) FROM vsm.work_items w WHERE w.reopened > 1
      UNION ALL
      SELECT 20, 'items were discarded', count(*) FROM vsm.work_items w WHERE w.discarded > 0
      UNION ALL
      SELECT 10, 'some of them were revived', count(*) FROM vsm.work_items w WHERE w.discarded > 0 AND w.discarded_at IS NULL
      UNION ALL
      SELECT 30, 'items moved twice at one instant', count(*) FROM vsm.stage_transitions t WHERE t.time_in_stage = '0'
      UNION ALL
      SELECT 1, 'moves were made at the border of two seasons', count(*) FROM vsm.stage_transitions t
      WHERE t."timestamp" IN (SELECT s.since FROM oracle.seasons s)
      UNION ALL
      SELECT 1, 'items were deleted', count(DISTINCT t.work_item_id) FROM vsm.superseded_transitions t
      UNION ALL
      SELECT 1, 'items got another type', count(*) FROM vsm._retypes) had;

SELECT * FROM finish();
