-- random_history.sql: after random histories every derived column and every figure is what the ledger gives
--
-- Two streams and three types of items live through creations, moves forward and back, reopenings, deletions,
-- rollbacks, imports and changed stage definitions.  Then all is computed again in plain SQL, from the ledger
-- and the definitions of streams and stages alone, and by none of the extension's functions.
--
-- The seed is fixed; psql -v seed=N tries another history.

\if :{?seed}
\else
\set seed 20240331
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET extra_float_digits = 1;
CREATE SCHEMA oracle;

SELECT no_plan();
SELECT diag('seed ' || :seed);

------------------------------------------------------------------------------------------------------------------------
-- what happens
------------------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE oracle.cases;
CREATE SEQUENCE oracle.refused;
CREATE TABLE oracle.totals (kind integer, a bigint, b bigint, n bigint);		-- at the last look

-- Some time after: at once, at a midnight of one of the zones, or days later; around the changes of daylight saving too.
CREATE FUNCTION oracle.later(since timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    zone text := (ARRAY['Europe/Berlin', 'America/New_York'])[1 + floor(random() * 2)];
BEGIN
    RETURN CASE WHEN dice < 0.08 THEN since
                WHEN dice < 0.16 THEN (date_trunc('day', since AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone
                WHEN dice < 0.20 THEN greatest(since, timestamptz '2024-03-31 00:30:00+00' + random() * interval '2 hours')
                WHEN dice < 0.24 THEN greatest(since, timestamptz '2024-10-27 00:30:00+00' + random() * interval '2 hours')
                WHEN dice < 0.60 THEN greatest(since, date_trunc('second', since + random() ^ 3 * interval '480 hours'))
                ELSE since + random() ^ 3 * interval '720 hours' END;
END $$;

CREATE FUNCTION oracle.create_one(of_stream text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    new_type text := (ARRAY['task', 'bug', 'feature'])[1 + floor(random() * 3)];
    case_id text := CASE WHEN random() < 0.7 THEN 'case ' || nextval('oracle.cases') END;
    at timestamptz := oracle.later(timestamptz '2024-01-20 00:00+00' + random() * interval '7200 hours');
BEGIN
    IF dice < 0.6 THEN
        PERFORM vsm.create_work_item('made', new_type, of_stream, case_id, at);
    ELSIF dice < 0.75 THEN
        INSERT INTO vsm.work_items (title, type, stream, external_id, created_at) VALUES ('inserted', new_type, of_stream, case_id, at);
    ELSIF dice < 0.95 THEN
        -- somewhere in the middle, in a done stage perhaps
        INSERT INTO vsm.work_items (title, type, stream, external_id, created_at, stage_id)
        SELECT 'inserted', new_type, of_stream, case_id, at, s.id
        FROM vsm.stages s WHERE s.stream = of_stream AND s.retired_at IS NULL ORDER BY md5(s.id::text || dice) LIMIT 1;
    ELSE
        INSERT INTO vsm.work_items (title, type, stream, external_id) VALUES ('just now', new_type, of_stream, case_id);
    END IF;
END $$;

CREATE FUNCTION oracle.move_one(of_stream text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    item record;
    target record;
BEGIN
    SELECT w.id, w.stage_entered_at, s."order" INTO item
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE w.stream = of_stream
    ORDER BY md5(w.id::text || dice) LIMIT 1;
    SELECT s.id, s.name INTO target
    FROM vsm.stages s WHERE s.stream = of_stream AND s.retired_at IS NULL
    ORDER BY CASE WHEN dice < 0.55 THEN (s."order" <= item."order")::int			-- the next one
                  WHEN dice < 0.70 THEN (s."order" >= item."order")::int			-- the one before
                  WHEN dice < 0.82 THEN (s.category <> 'done')::int
                  WHEN dice < 0.85 THEN (s.category <> 'discarded')::int END,
             CASE WHEN dice < 0.70 THEN abs(s."order" - item."order") END,
             md5(s.id::text || dice)
    LIMIT 1;
    IF item.id IS NULL THEN
        RETURN;
    ELSIF item.stage_entered_at < '2025-12-01' AND random() < 0.97 THEN
        PERFORM vsm.transition(item.id, target.name, oracle.later(item.stage_entered_at), CASE WHEN dice < 0.1 THEN 'because' END);
    ELSIF dice < 0.3 THEN
        PERFORM vsm.transition(item.id, target.name);
    ELSE
        UPDATE vsm.work_items w SET stage_id = target.id WHERE w.id = item.id;
    END IF;
END $$;

CREATE FUNCTION oracle.do_something(nested boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
    of_stream text := CASE WHEN random() < 0.6 THEN 'alpha' ELSE 'beta' END;
    item vsm.work_items;
BEGIN
    IF dice < 0.12 THEN
        BEGIN
            PERFORM oracle.create_one(of_stream);
        EXCEPTION WHEN SQLSTATE 'PT409' THEN
            PERFORM nextval('oracle.refused');
        END;
    ELSIF dice < 0.85 THEN
        BEGIN
            PERFORM oracle.move_one(of_stream);
        EXCEPTION WHEN SQLSTATE 'PT409' THEN
            PERFORM nextval('oracle.refused');			-- the stage is full
        END;
    ELSIF dice < 0.92 AND NOT nested THEN
        BEGIN
            FOR i IN 1 .. 4 LOOP
                PERFORM oracle.do_something(nested => true);
            END LOOP;
            IF random() < 0.7 THEN
                RAISE EXCEPTION USING ERRCODE = 'RB000';
            END IF;
        EXCEPTION WHEN SQLSTATE 'RB000' THEN		-- ROLLBACK TO SAVEPOINT
            NULL;
        END;
    ELSE
        SELECT w.* INTO item FROM vsm.work_items w WHERE w.stream = of_stream ORDER BY md5(w.id::text || dice) LIMIT 1;
        IF item.id IS NULL THEN
            RETURN;
        ELSIF dice < 0.94 THEN
            DELETE FROM vsm.work_items w WHERE w.id = item.id;
        ELSIF dice < 0.97 THEN
            UPDATE vsm.work_items w SET title = 'retitled', type = CASE WHEN dice < 0.955 THEN 'bug' ELSE w.type END WHERE w.id = item.id;
        ELSIF dice < 0.98 THEN
            UPDATE vsm.work_items w SET stage_id = w.stage_id WHERE w.id = item.id;		-- nowhere
        ELSE
            BEGIN
                PERFORM vsm.transition(item.id, (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream AND s.id <> item.stage_id
                                                 ORDER BY s.id LIMIT 1), item.stage_entered_at - interval '1 hour');
                RAISE EXCEPTION 'a move before the last one was taken';
            EXCEPTION WHEN SQLSTATE 'PT422' THEN
                NULL;
            END;
        END IF;
    END IF;
END $$;

-- History of new cases and more history of known ones, in any order, some of it twice.
CREATE TABLE oracle.log (case_id text, stage text, entered_at timestamptz, type text);
CREATE FUNCTION oracle.write_log(of_stream text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE oracle.log;
    INSERT INTO oracle.log
    SELECT c.case_id, s.name, date_trunc('minute', timestamptz '2024-02-01 00:00+00' + random() * interval '7200 hours'), c.type
    FROM (SELECT 'case ' || nextval('oracle.cases') AS case_id, (ARRAY['task', 'bug', 'feature'])[1 + n % 3] AS type FROM generate_series(1, 25) n
          UNION ALL
          (SELECT w.external_id, NULL FROM vsm.work_items w WHERE w.stream = of_stream AND w.external_id IS NOT NULL ORDER BY w.id LIMIT 40)) c
    CROSS JOIN generate_series(1, 4) n
    CROSS JOIN LATERAL (SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream AND n IS NOT NULL AND c.case_id IS NOT NULL
                        ORDER BY random() LIMIT 1) s;
    INSERT INTO oracle.log SELECT * FROM oracle.log ORDER BY random() LIMIT 30;
END $$;

CREATE FUNCTION oracle.live(steps integer, seed float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setseed(seed);
    FOR i IN 1 .. steps LOOP
        PERFORM oracle.do_something();
    END LOOP;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- the same, computed again
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION oracle.us(duration interval) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN (extract(epoch FROM duration) * 1000000)::bigint;

-- Every visit of every item; n counts the item's moves from 1.
CREATE TABLE oracle.visits (
    item bigint, n bigint, stream text, type text, id bigint, stage_id bigint, stage text, "order" integer, category text,
    done boolean, open boolean, started boolean, entered timestamptz, "left" timestamptz, from_id bigint, from_order integer, from_category text, from_done boolean,
    PRIMARY KEY (item, n));

CREATE FUNCTION oracle.look() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.visits;
    INSERT INTO oracle.visits
    SELECT t.work_item_id, row_number() OVER moves, w.stream, w.type, t.id, s.id, s.name, s."order", s.category, s.category = 'done', s.category IN ('wait', 'active'),
           s.category IN ('wait', 'active') AND s."order" >= coalesce(
               (SELECT c."order" FROM vsm.value_streams v JOIN vsm.stages c ON c.stream = v.name AND c.name = v.commitment_stage
                WHERE v.name = s.stream),
               (SELECT min(c."order") FROM vsm.stages c WHERE c.stream = s.stream AND c.category = 'active')),
           t."timestamp", lead(t."timestamp") OVER moves, lag(s.id) OVER moves, lag(s."order") OVER moves, lag(s.category) OVER moves,
           lag(s.category = 'done') OVER moves
    FROM vsm.stage_transitions t
    JOIN vsm.work_items w ON w.id = t.work_item_id
    JOIN vsm.stages s ON s.id = t.to_stage_id
    WINDOW moves AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id);
    ANALYZE oracle.visits;
$$;

CREATE VIEW oracle.items AS
SELECT i.*,
       (SELECT coalesce(sum(oracle.us(v."left" - v.entered)), 0)::bigint FROM oracle.visits v
        WHERE v.item = i.item AND v.n >= i.started_n AND v.category = 'active') AS active_us,
       (SELECT coalesce(sum(oracle.us(v."left" - v.entered)), 0)::bigint FROM oracle.visits v
        WHERE v.item = i.item AND v.n >= i.started_n AND v.category = 'wait') AS wait_us
FROM (SELECT v.item, v.stream, v.type, min(v.entered) AS created_at, max(v.entered) AS entered_at, max(v.n) AS last_n,
             (array_agg(v.stage_id ORDER BY v.n DESC))[1] AS stage_id,
             (array_agg(v.open ORDER BY v.n DESC))[1] AS open_now,
             min(v.n) FILTER (WHERE v.started) AS started_n,
             min(v.entered) FILTER (WHERE v.started) AS started_at,
             CASE WHEN (array_agg(v.done ORDER BY v.n DESC))[1]
                  THEN max(v.entered) FILTER (WHERE v.done AND v.from_done IS NOT TRUE) END AS completed_at,
             CASE WHEN (array_agg(v.category ORDER BY v.n DESC))[1] = 'discarded'
                  THEN max(v.entered) FILTER (WHERE v.category = 'discarded' AND v.from_category IS DISTINCT FROM 'discarded') END AS discarded_at,
             count(*) FILTER (WHERE v.category = 'discarded' AND v.from_category IS DISTINCT FROM 'discarded') AS discarded,
             (array_agg(v.stage_id ORDER BY v."order" DESC) FILTER (WHERE v.category <> 'discarded'))[1] AS furthest_stage_id,
             count(*) FILTER (WHERE v.from_done AND NOT v.done) AS reopened,
             count(*) FILTER (WHERE v."order" < v.from_order) AS backward_moves
      FROM oracle.visits v GROUP BY v.item, v.stream, v.type) i;

-- Completions by a reopen rule, as seen at an instant by the moves before it: at which move the item was finished, started
-- and created, then the times between.
CREATE FUNCTION oracle.completions(of_stream text, rule text, until timestamptz)
    RETURNS TABLE (item bigint, type text, created_at timestamptz, started_at timestamptz, completed_at timestamptz,
                   cycle_us bigint, active_us bigint, wait_us bigint) LANGUAGE sql AS $$
    WITH finishes AS (
        SELECT v.item, v.type, v.n, v.entered,
               coalesce(lag(v.n) OVER (PARTITION BY v.item ORDER BY v.n), 0) AS previous_n,
               v.n = max(v.n) OVER (PARTITION BY v.item)
               AND NOT EXISTS (SELECT FROM oracle.visits o WHERE o.item = v.item AND o.n > v.n AND NOT o.done AND o.entered < until) AS final
        FROM oracle.visits v WHERE v.stream = of_stream AND v.done AND v.from_done IS NOT TRUE AND v.entered < until),
    bounds AS (
        SELECT f.*,
               CASE WHEN rule <> 'episodes' OR f.previous_n = 0 THEN 1
                    ELSE (SELECT min(v.n) FROM oracle.visits v WHERE v.item = f.item AND v.n > f.previous_n AND NOT v.done) END AS created_n,
               CASE rule
                   WHEN 'episodes' THEN (SELECT min(v.n) FROM oracle.visits v
                                         WHERE v.item = f.item AND v.n > f.previous_n AND v.n < f.n AND v.started)
                   WHEN 'span_last' THEN (SELECT nullif(coalesce(max(v.n), 0) + 1, f.n) FROM oracle.visits v
                                          WHERE v.item = f.item AND v.n < f.n AND NOT v.started)
                   ELSE (SELECT min(v.n) FROM oracle.visits v WHERE v.item = f.item AND v.n < f.n AND v.started)
               END AS started_n
        FROM finishes f WHERE rule = 'episodes' OR f.final)
    SELECT b.item, b.type, c.entered, s.entered, b.entered,
           CASE WHEN s.entered IS NOT NULL AND rule = 'sum_started' THEN t.started_us
                WHEN rule = 'sum_active' THEN oracle.us(b.entered - s.entered) - t.closed_us ELSE oracle.us(b.entered - s.entered) END,
           t.active_us, t.wait_us
    FROM bounds b
    JOIN oracle.visits c ON c.item = b.item AND c.n = b.created_n
    LEFT JOIN oracle.visits s ON s.item = b.item AND s.n = b.started_n
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.category = 'active'), 0)::bigint AS active_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.category = 'wait'), 0)::bigint AS wait_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE v.started), 0)::bigint AS started_us,
               coalesce(sum(oracle.us(v."left" - v.entered)) FILTER (WHERE NOT v.open), 0)::bigint AS closed_us
        FROM oracle.visits v WHERE v.item = b.item AND v.n >= b.started_n AND v.n < b.n) t
$$;

-- The smallest observed value such that at least p of them are at or below it.
CREATE FUNCTION oracle.percentile(p numeric, observed bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT min(o.value) FROM (SELECT u.value, count(*) OVER (ORDER BY u.value) AS below, count(*) OVER () AS n FROM unnest(observed) u (value)) o
    WHERE o.below >= p * o.n
$$;
CREATE FUNCTION oracle.percentiles(observed bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(oracle.percentile(p, observed) ORDER BY p) FROM unnest(ARRAY[0.5, 0.7, 0.85, 0.95]) p
$$;
CREATE FUNCTION oracle.average(observed bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT round(avg(o))::bigint FROM unnest(observed) o
$$;

-- An infinite bound is the stream's first or last event, which is then in.
CREATE FUNCTION oracle.metrics(of_stream text, since timestamptz, until timestamptz, of_type text, rule text) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := since;
    last timestamptz := until;
    leads bigint[];
    cycles bigint[];
    efficiency numeric;
    wip numeric;
    answer jsonb;
BEGIN
    IF since = '-infinity' THEN
        SELECT min(v.entered) INTO first FROM oracle.visits v WHERE v.stream = of_stream;
    END IF;
    IF until = 'infinity' THEN
        SELECT max(v.entered) INTO last FROM oracle.visits v WHERE v.stream = of_stream;
    END IF;
    SELECT array_agg(oracle.us(c.completed_at - c.created_at)), array_agg(c.cycle_us) FILTER (WHERE c.cycle_us IS NOT NULL),
           sum(c.active_us) / nullif(sum(c.active_us + c.wait_us), 0)
    INTO leads, cycles, efficiency
    FROM oracle.completions(of_stream, rule, until) c
    WHERE c.completed_at >= since AND c.completed_at < until AND (of_type IS NULL OR c.type = of_type);
    -- visit by visit: the time inside the window
    SELECT coalesce(sum(oracle.us(least(coalesce(v."left", last), last) - greatest(v.entered, first))), 0)
           / nullif(oracle.us(last - first), 0) INTO wip
    FROM oracle.visits v
    WHERE v.stream = of_stream AND v.open AND (of_type IS NULL OR v.type = of_type)
      AND v.entered < last AND (v."left" IS NULL OR v."left" > first);
    SELECT jsonb_build_object(
        'throughput', coalesce(cardinality(leads), 0), 'wip', round(wip, 9),
        'lead_time', jsonb_build_object('n', coalesce(cardinality(leads), 0), 'avg', oracle.average(leads), 'p', oracle.percentiles(leads)),
        'cycle_time', jsonb_build_object('n', coalesce(cardinality(cycles), 0), 'avg', oracle.average(cycles), 'p', oracle.percentiles(cycles)),
        'flow_efficiency', round(efficiency, 9),
        'finished_never_started', (SELECT count(*) FROM oracle.completions(of_stream, CASE rule WHEN 'episodes' THEN rule ELSE 'span_first_last' END, until) c
                                   WHERE c.completed_at >= since AND c.started_at IS NULL AND (of_type IS NULL OR c.type = of_type)),
        'arrivals', (SELECT count(*) FROM oracle.visits v
                     WHERE v.stream = of_stream AND v.n = 1 AND (of_type IS NULL OR v.type = of_type) AND v.entered >= since AND v.entered < until),
        'reopened', (SELECT count(*) FROM oracle.visits v
                     WHERE v.stream = of_stream AND v.from_done AND NOT v.done AND (of_type IS NULL OR v.type = of_type)
                       AND v.entered >= since AND v.entered < until),
        'backward_moves', (SELECT count(*) FROM oracle.visits v
                           WHERE v.stream = of_stream AND v."order" < v.from_order AND (of_type IS NULL OR v.type = of_type)
                             AND v.entered >= since AND v.entered < until),
        'departures', (SELECT count(*) FROM oracle.visits v
                       WHERE v.stream = of_stream AND v.done AND v.from_done IS NOT TRUE AND (of_type IS NULL OR v.type = of_type)
                         AND v.entered >= since AND v.entered < until),
        'returns', (SELECT count(*) FROM oracle.visits v
                    WHERE v.stream = of_stream AND v.from_category IN ('done', 'discarded') AND v.category <> v.from_category
                      AND (of_type IS NULL OR v.type = of_type) AND v.entered >= since AND v.entered < until),
        'discarded', (SELECT count(*) FROM oracle.visits v
                      WHERE v.stream = of_stream AND v.category = 'discarded' AND v.from_category IS DISTINCT FROM 'discarded'
                        AND (of_type IS NULL OR v.type = of_type) AND v.entered >= since AND v.entered < until),
        'open', (SELECT jsonb_agg((SELECT count(*) FROM oracle.visits v
                                   WHERE v.stream = of_stream AND v.open AND (of_type IS NULL OR v.type = of_type)
                                     AND v.entered < b.bound AND coalesce(v."left" >= b.bound, true)) ORDER BY b.place)
                 FROM (VALUES (1, since), (2, until)) b (place, bound)),
        'started', (SELECT jsonb_agg((SELECT count(*) FROM oracle.visits v JOIN oracle.items i ON i.item = v.item
                                      WHERE v.stream = of_stream AND v.open AND v.n >= i.started_n AND (of_type IS NULL OR v.type = of_type)
                                        AND v.entered < b.bound AND coalesce(v."left" >= b.bound, true)) ORDER BY b.place)
                    FROM (VALUES (1, since), (2, until)) b (place, bound)),
        'wip_now', (SELECT count(*) FROM oracle.visits v
                    WHERE v.stream = of_stream AND v."left" IS NULL AND v.open AND (of_type IS NULL OR v.type = of_type)
                      AND NOT EXISTS (SELECT FROM oracle.visits o WHERE o.item = v.item AND o.n > v.n)),
        'started_wip_now', (SELECT count(*) FROM oracle.items i
                            WHERE i.stream = of_stream AND i.open_now AND i.started_n IS NOT NULL AND (of_type IS NULL OR i.type = of_type)),
        'window', ARRAY[first, last]) INTO answer;
    RETURN answer;
END $$;

CREATE FUNCTION oracle.told(m vsm.flow_figures) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'throughput', m.throughput, 'wip', round(m.wip, 9),
        'lead_time', jsonb_build_object('n', m.lead_time_n, 'avg', oracle.us(m.lead_time_avg),
            'p', ARRAY[oracle.us(m.lead_time_p50), oracle.us(m.lead_time_p70), oracle.us(m.lead_time_p85), oracle.us(m.lead_time_p95)]),
        'cycle_time', jsonb_build_object('n', m.cycle_time_n, 'avg', oracle.us(m.cycle_time_avg),
            'p', ARRAY[oracle.us(m.cycle_time_p50), oracle.us(m.cycle_time_p70), oracle.us(m.cycle_time_p85), oracle.us(m.cycle_time_p95)]),
        'flow_efficiency', round(m.flow_efficiency, 9), 'finished_never_started', m.finished_never_started, 'arrivals', m.arrivals,
        'departures', m.departures, 'returns', m.returns, 'discarded', m.discarded,
        'open', ARRAY[m.open_at_since, m.open_at_until], 'started', ARRAY[m.started_at_since, m.started_at_until],
        'reopened', m.reopened, 'backward_moves', m.backward_moves, 'wip_now', m.wip_now, 'started_wip_now', m.started_wip_now,
        'window', ARRAY[m.since, m.until])
$$;

-- ---- What must hold at any time ----

CREATE FUNCTION oracle.check_tables(after text) RETURNS SETOF text LANGUAGE plpgsql AS $check$
BEGIN
    PERFORM oracle.look();
    RETURN NEXT is((SELECT count(*) FROM oracle.visits), (SELECT count(*) FROM vsm.stage_transitions),
                   after || ': every ledger row is of an item and a stage');
    RETURN NEXT is_empty($$
        SELECT v.item, v.n, t.from_stage_id, v.from_id, t.time_in_stage
        FROM vsm.stage_transitions t JOIN oracle.visits v ON v.item = t.work_item_id AND v.id = t.id
        LEFT JOIN oracle.visits p ON p.item = v.item AND p.n = v.n - 1
        WHERE t.from_stage_id IS DISTINCT FROM v.from_id
           OR oracle.us(t.time_in_stage) IS DISTINCT FROM oracle.us(v.entered - p.entered)
           OR t.time_in_stage::text IS DISTINCT FROM (v.entered - p.entered)::text
           OR t.from_stage_id = t.to_stage_id
           OR t.recorded_at IS NULL OR t.actor IS DISTINCT FROM current_user
        $$, after || ': each ledger row continues the one before');
    RETURN NEXT is_empty($$
        SELECT w.id, w.stream, i.*, w.created_at, w.stage_id, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time, w.reopened,
               w.backward_moves
        FROM vsm.work_items w FULL JOIN oracle.items i ON i.item = w.id
        WHERE (w.stage_id, w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.reopened::bigint, w.backward_moves::bigint, w.discarded_at,
               w.discarded::bigint, w.furthest_stage_id,
               oracle.us(w.active_time), oracle.us(w.wait_time))
              IS DISTINCT FROM (i.stage_id, i.created_at, i.entered_at, i.started_at, i.completed_at, i.reopened, i.backward_moves, i.discarded_at, i.discarded,
                                i.furthest_stage_id, i.active_us, i.wait_us)
           OR w.updated_at IS NULL
        $$, after || ': the computed columns are what the ledger gives');
    RETURN NEXT is_empty($$
        SELECT w.id, w.current_stage, s.name FROM vsm.work_items w LEFT JOIN vsm.stages s ON s.id = w.stage_id WHERE w.current_stage IS DISTINCT FROM s.name
        $$, after || ': the stage is named');
    RETURN NEXT is_empty($$
        SELECT d.* FROM (VALUES ('alpha'), ('beta')) s (stream) CROSS JOIN LATERAL vsm.data_quality(s.stream) d
        WHERE d.finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs') AND d.items > 0
        $$, after || ': vsm.data_quality() finds no fault');
    RETURN NEXT is_empty($$
        SELECT t.work_item_id, t.id, t.type, t.cycle_time, t.lead_time
        FROM vsm.stage_transitions t JOIN oracle.visits v ON v.item = t.work_item_id AND v.id = t.id
        WHERE (t.type IS NOT NULL) <> (v.n = 1) OR t.cycle_time > t.lead_time OR t.lead_time > v.entered - (
                  SELECT min(c.entered) FROM oracle.visits c WHERE c.item = v.item)
        $$, after || ': first rows have a type, and no time is longer than the item''s life');
    RETURN NEXT is_empty('SELECT * FROM vsm.wip_check() c WHERE (c.difference, c.reserved) IS DISTINCT FROM (0, 0)',
                         after || ': the counters are what the table gives');
    RETURN NEXT results_eq('SELECT * FROM vsm._totals_now() ORDER BY 1, 2, 3', 'SELECT * FROM vsm._totals_counted ORDER BY 1, 2, 3',
                           after || ': the totals are what the ledger gives');
    RETURN NEXT is_empty('SELECT * FROM oracle.totals o LEFT JOIN vsm._totals_counted t USING (kind, a, b) WHERE coalesce(t.n, 0) < o.n',
                         after || ': no total has fallen');
    TRUNCATE oracle.totals;
    INSERT INTO oracle.totals SELECT * FROM vsm._totals_counted;
END $check$;

------------------------------------------------------------------------------------------------------------------------
-- the histories
------------------------------------------------------------------------------------------------------------------------

SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Ready","category":"wait"},{"name":"Build","wip_limit":4},
        {"name":"Review","category":"wait"},{"name":"Test"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Cancelled","category":"discarded"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'Europe/Berlin'),
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Queue","category":"wait"},{"name":"Doing"},{"name":"Dropped","category":"discarded"},
        {"name":"Done","category":"done"}]',
        time_zone => 'America/New_York', commitment_stage => 'Queue', reopen_rule => 'sum_active')
    $$, 'two streams');

SELECT oracle.live(1600, :seed % 1000 / 1000.0) \g /dev/null
SELECT * FROM oracle.check_tables('moves');

SELECT oracle.write_log('alpha') \g /dev/null
SELECT cmp_ok((vsm.import_events('oracle.log', 'alpha')).transitions, '>', 150::bigint, 'an import of new and known cases');
SELECT * FROM oracle.check_tables('an import');
SELECT is((vsm.import_events('oracle.log', 'alpha')).transitions, 0::bigint, 'again it adds nothing');

-- another stage before the commitment point's, another category, another commitment point, a new name
SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Design"},{"name":"Ready","category":"wait"},{"name":"Build"},
        {"name":"Review","category":"active"},{"name":"Test"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Cancelled","category":"discarded"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'Europe/Berlin')
    $$, 'stages of alpha change');
SELECT * FROM oracle.check_tables('changed stages');
SELECT lives_ok($$UPDATE vsm.value_streams SET commitment_stage = 'Doing' WHERE name = 'beta'$$, 'the commitment point of beta changes');
SELECT lives_ok($$UPDATE vsm.stages SET name = 'Doing it' WHERE stream = 'beta' AND name = 'Doing'$$, 'and is renamed');
SELECT * FROM oracle.check_tables('another commitment point');

SELECT oracle.live(1200, :seed % 997 / 1000.0) \g /dev/null
SELECT oracle.write_log('beta') \g /dev/null
SELECT cmp_ok((vsm.import_events('oracle.log', 'beta')).transitions, '>', 150::bigint, 'an import into beta');
SELECT * FROM oracle.check_tables('more moves, an import');

-- a stage that history knows is retired, two change places, a done stage is one no more
SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Design"},{"name":"Ready","category":"wait"},{"name":"Build"},
        {"name":"Review","category":"wait"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Cancelled","category":"discarded"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'Europe/Berlin')
    $$, 'stage Test is retired');
SELECT isnt((SELECT retired_at FROM vsm.stages WHERE stream = 'alpha' AND name = 'Test'), NULL, 'as it has a history');
SELECT lives_ok($$
    UPDATE vsm.stages s SET "order" = o."order" FROM vsm.stages o
    WHERE s.stream = 'beta' AND o.stream = 'beta' AND (s.name, o.name) IN (('Todo', 'Queue'), ('Queue', 'Todo'))
    $$, 'two stages of beta change places');
SELECT lives_ok($$UPDATE vsm.stages SET category = 'wait' WHERE stream = 'alpha' AND name = 'Archived'$$, 'archived is not done any more');
SELECT * FROM oracle.check_tables('a retired stage');

CREATE TABLE oracle.wide AS
SELECT 'case ' || nextval('oracle.cases') AS id, opened, opened + n * interval '7 hours' AS worked,
       CASE WHEN n % 3 > 0 THEN opened + n * interval '31 hours' END AS closed
FROM (SELECT n, timestamptz '2024-03-01 00:00+00' + n * interval '37 hours' AS opened FROM generate_series(1, 60) n) g;
SELECT is((vsm.import_wide('oracle.wide', stream => 'alpha', stages => ARRAY['Inbox', 'Test', 'Shipped'])).transitions, 160::bigint,
          'a wide import, through a retired stage');

SELECT oracle.live(1200, :seed % 991 / 1000.0) \g /dev/null
SELECT lives_ok($$UPDATE vsm.stages SET category = 'done' WHERE stream = 'alpha' AND name = 'Archived'$$, 'archived is done again');
SELECT * FROM oracle.check_tables('the end');

SELECT cmp_ok((SELECT count(*) FROM vsm.work_items), '>=', 400::bigint, 'hundreds of items');
SELECT cmp_ok((SELECT count(*) FROM vsm.stage_transitions), '>=', 2000::bigint, 'thousands of moves');
SELECT cmp_ok((SELECT last_value FROM oracle.refused), '>=', 10::bigint, 'moves into a full stage were refused');
SELECT cmp_ok((SELECT count(*) FROM oracle.items i WHERE i.stream = s.stream AND i.reopened > 1), '>=', 5::bigint, 'items reopened more than once in ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);
SELECT cmp_ok((SELECT count(*) FROM oracle.items i WHERE i.stream = s.stream AND i.completed_at IS NOT NULL AND i.started_at IS NULL), '>=', 2::bigint,
              'items finished without a start in ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);

------------------------------------------------------------------------------------------------------------------------
-- the figures
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE oracle.windows (since timestamptz, until timestamptz);
INSERT INTO oracle.windows VALUES
    ('-infinity', 'infinity'), ('2024-04-01 00:00+02', '2024-05-01 00:00+02'), ('-infinity', '2024-07-01'), ('2024-09-15 12:34:56.789', 'infinity'),
    ('2024-10-27 00:00+02', '2024-10-28 00:00+01'), ('2024-06-01', '2024-06-01'), ('2031-01-01', '2031-02-01');
-- bounds at which something happens: a window has its begin in it, not its end
INSERT INTO oracle.windows
SELECT least(a.entered, b.entered), greatest(a.entered, b.entered)
FROM (SELECT v.entered, row_number() OVER (ORDER BY md5(v.item::text || v.n)) AS r FROM oracle.visits v WHERE v.done AND v.entered < '2025-06-01') a
JOIN (SELECT v.entered, row_number() OVER (ORDER BY md5(v.n::text || v.item)) AS r FROM oracle.visits v WHERE v.entered < '2025-06-01') b USING (r)
WHERE a.r <= 3;
CREATE TABLE oracle.types (type text);
INSERT INTO oracle.types VALUES (NULL), ('task'), ('bug'), ('feature');

-- a window ahead of the clock would make the average depend on it
DELETE FROM oracle.windows WHERE since > now();

-- Differences only, figure by figure.
CREATE FUNCTION oracle.wrong_metrics(of_stream text, rule text)
    RETURNS TABLE (since timestamptz, until timestamptz, type text, figure text, told jsonb, expected jsonb) LANGUAGE sql AS $$
    SELECT c.since, c.until, c.type, e.key, c.told -> e.key, e.value
    FROM (SELECT w.since, w.until, t.type, oracle.told(m) AS told, oracle.metrics(of_stream, w.since, w.until, t.type, coalesce(rule, m.reopen_rule)) AS expected
          FROM oracle.windows w CROSS JOIN oracle.types t
          CROSS JOIN LATERAL vsm.metrics(of_stream, w.since, w.until, t.type, rule) m) c
    CROSS JOIN LATERAL jsonb_each(c.expected) e
    WHERE c.told -> e.key IS DISTINCT FROM e.value
$$;
SELECT is_empty(format('SELECT * FROM oracle.wrong_metrics(%L, %L)', s.stream, r.rule), format('vsm.metrics of %s by %s', s.stream, coalesce(r.rule, 'its own rule')))
FROM (VALUES ('alpha'), ('beta')) s (stream)
CROSS JOIN (VALUES ('span_first_last'), ('span_last'), ('sum_active'), ('sum_started'), ('episodes'), (NULL)) r (rule);
SELECT results_eq($$
    SELECT m.stream, m.reopen_rule, m.time_zone, m.percentile_rule FROM (VALUES ('alpha'), ('beta')) s (stream) CROSS JOIN LATERAL vsm.metrics(s.stream) m
    $$, $$VALUES ('alpha', 'span_first_last', 'Europe/Berlin', 'percentile_disc'), ('beta', 'sum_active', 'America/New_York', 'percentile_disc')$$,
    'the answer says by which rules');

SELECT is_empty(format($$
    WITH told AS (SELECT w.since, w.until, c.work_item_id, c.type, c.created_at, c.started_at, c.completed_at, oracle.us(c.lead_time), oracle.us(c.cycle_time),
                         (c.completed_at AT TIME ZONE v.time_zone)::date - (c.started_at AT TIME ZONE v.time_zone)::date + 1 - c.cycle_time_days AS off
                  FROM oracle.windows w CROSS JOIN LATERAL vsm.completions(%1$L, w.since, w.until, NULL, %2$L) c
                  JOIN vsm.value_streams v ON v.name = %1$L),
    expected AS (SELECT w.since, w.until, c.item, c.type, c.created_at, c.started_at, c.completed_at, oracle.us(c.completed_at - c.created_at), c.cycle_us,
                        CASE WHEN c.started_at IS NOT NULL THEN 0 END
                 FROM oracle.windows w CROSS JOIN LATERAL oracle.completions(%1$L, %2$L, w.until) c WHERE c.completed_at >= w.since AND c.completed_at < w.until)
    (TABLE told EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE told)
    $$, s.stream, r.rule), format('vsm.completions of %s by %s', s.stream, r.rule))
FROM (VALUES ('alpha'), ('beta')) s (stream)
CROSS JOIN (VALUES ('span_first_last'), ('span_last'), ('sum_active'), ('sum_started'), ('episodes')) r (rule);

SELECT is_empty(format($$
    WITH told AS (SELECT w.since, w.until, t.type, vsm.flow_efficiency(%1$L, w.since, w.until, t.type) AS told,
                         oracle.metrics(%1$L, w.since, w.until, t.type, v.reopen_rule) AS expected
                  FROM oracle.windows w CROSS JOIN oracle.types t JOIN vsm.value_streams v ON v.name = %1$L)
    SELECT * FROM told t WHERE round(t.told, 9) IS DISTINCT FROM (t.expected ->> 'flow_efficiency')::numeric
    $$, s.stream), 'vsm.flow_efficiency of ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);

-- ---- At an instant ----

CREATE TABLE oracle.instants AS
SELECT timestamptz '2024-01-15 00:00+00' + n * interval '331 hours 17 minutes' AS at FROM generate_series(0, 30) n
UNION SELECT v.entered FROM oracle.visits v WHERE v.item % 40 = 7				-- moves of that instant count
UNION SELECT v.entered - interval '1 microsecond' FROM oracle.visits v WHERE v.item % 40 = 7
UNION VALUES ('2000-01-01'), (now() + interval '1 year');

SELECT is_empty(format($$
    SELECT i.at, t.type, c.*
    FROM oracle.instants i CROSS JOIN oracle.types t
    CROSS JOIN LATERAL (
        SELECT stage, w.items AS told, e.items AS expected
        FROM vsm.wip_at(%1$L, i.at, t.type) w
        FULL JOIN (SELECT s.name AS stage, count(v.item) AS items
                   FROM vsm.stages s
                   LEFT JOIN oracle.visits v ON v.stage_id = s.id AND v.entered <= i.at AND coalesce(v."left" > i.at, true)
                                                AND (t.type IS NULL OR v.type = t.type)
                   WHERE s.stream = %1$L GROUP BY 1) e USING (stage)) c
    WHERE c.told IS DISTINCT FROM c.expected
    $$, s.stream), 'vsm.wip_at of ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);
SELECT is((SELECT array_agg(w.stage) FROM vsm.wip_at('alpha', now()) w), (SELECT array_agg(s.name ORDER BY s."order") FROM vsm.stages s WHERE s.stream = 'alpha'),
          'vsm.wip_at has every stage, in order');
SELECT is_empty($$
    SELECT w.* FROM vsm.wip w
    FULL JOIN (SELECT s.stream, s.name AS stage, count(v.item) AS items, s.wip_limit
               FROM vsm.stages s LEFT JOIN oracle.visits v ON v.stage_id = s.id AND NOT EXISTS (SELECT FROM oracle.visits o WHERE o.item = v.item AND o.n > v.n)
               WHERE s.category IN ('wait', 'active') GROUP BY s.id HAVING s.retired_at IS NULL OR count(v.item) > 0) e USING (stream, stage)
    WHERE (w.wip, w.wip_limit) IS DISTINCT FROM (e.items, e.wip_limit)
    $$, 'vsm.wip');
SELECT is_empty(format($$
    WITH told AS (SELECT t.type AS asked, a.work_item_id, a.type, a.stage, oracle.us(a.age), oracle.us(a.time_in_stage)
                  FROM oracle.types t CROSS JOIN LATERAL vsm.work_item_age(%1$L, t.type, '2030-01-01') a),
    expected AS (SELECT t.type, i.item, i.type, s.name, oracle.us('2030-01-01' - i.started_at), oracle.us('2030-01-01' - i.entered_at)
                 FROM oracle.types t JOIN oracle.items i ON t.type IS NULL OR i.type = t.type JOIN vsm.stages s ON s.id = i.stage_id
                 WHERE i.stream = %1$L AND i.open_now)
    (TABLE told EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE told)
    $$, s.stream), 'vsm.work_item_age of ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);

-- ---- Over the stages ----

-- step by step in the zone's calendar, or in hours
CREATE TABLE oracle.grids (zone text, since timestamptz, until timestamptz, step interval);
INSERT INTO oracle.grids
SELECT z.zone, g.since AT TIME ZONE z.zone, g.until AT TIME ZONE z.zone, g.step
FROM (VALUES ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe')) z (zone)
CROSS JOIN (VALUES (timestamp '2024-03-05', timestamp '2024-04-10', interval '1 day'), ('2024-10-20', '2024-11-10', '1 day'),
                   ('2024-01-01', '2024-12-31', '1 month'), ('2024-03-30 22:00', '2024-04-01 03:00', '1 hour'),
                   ('2024-02-01 10:00', '2025-02-01 09:59', '7 days')) g (since, until, step);

CREATE FUNCTION oracle.points(zone text, since timestamptz, until timestamptz, step interval) RETURNS TABLE (place bigint, at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    local timestamp := since AT TIME ZONE zone;
BEGIN
    place := 0;
    LOOP
        at := CASE WHEN step >= '1 day' THEN (local + place * step) AT TIME ZONE zone ELSE since + place * step END;
        EXIT WHEN at > until;
        RETURN NEXT;
        place := place + 1;
    END LOOP;
END $$;

CREATE FUNCTION oracle.wrong_flow(of_stream text, chart text) RETURNS TABLE (zone text, at timestamptz, stage text, told bigint, expected bigint) LANGUAGE plpgsql AS $$
DECLARE
    grid record;
BEGIN
    FOR grid IN SELECT g.*, t.type FROM oracle.grids g CROSS JOIN oracle.types t WHERE t.type IS NULL OR t.type = 'bug' LOOP
        UPDATE vsm.value_streams v SET time_zone = grid.zone WHERE v.name = of_stream;
        RETURN QUERY EXECUTE format($q$
            SELECT $1, coalesce(c.at, e.at), coalesce(c.stage, e.stage), c.items, e.items
            FROM vsm.%1$I($2, $3, $4, $5, $6) c
            FULL JOIN (WITH points AS MATERIALIZED (SELECT * FROM oracle.points($1, $3, $4, $5)),
                       -- where an item stands in the order of the stages, or the furthest it ever stood and where it was first discarded
                       standing AS (SELECT p.place, v.item, max(v."order") FILTER (WHERE %2$L OR v.category <> 'discarded') AS "order",
                                           (array_agg(v.stage_id ORDER BY v.n) FILTER (WHERE v.category = 'discarded'))[1] AS discarded_in
                                    FROM points p JOIN oracle.visits v ON v.stream = $2 AND v.entered <= p.at AND ($6 IS NULL OR v.type = $6)
                                    WHERE NOT %2$L OR coalesce(v."left" > p.at, true) GROUP BY 1, 2)
                       SELECT p.at, s.name AS stage, count(t.item) AS items
                       FROM points p CROSS JOIN vsm.stages s
                       LEFT JOIN standing t ON t.place = p.place AND CASE WHEN %2$L THEN t."order" = s."order"
                                                                         WHEN s.category = 'discarded' THEN t.discarded_in = s.id
                                                                         ELSE t."order" >= s."order" END
                       WHERE s.stream = $2 GROUP BY 1, 2) e ON e.at = c.at AND e.stage = c.stage
            WHERE c.items IS DISTINCT FROM e.items$q$, chart, chart = 'occupancy')
        USING grid.zone, of_stream, grid.since, grid.until, grid.step, grid.type;
    END LOOP;
END $$;
SELECT is_empty(format('SELECT * FROM oracle.wrong_flow(%L, %L)', s.stream, c.chart), format('vsm.%s of %s', c.chart, s.stream))
FROM (VALUES ('alpha'), ('beta')) s (stream) CROSS JOIN (VALUES ('occupancy'), ('cumulative_flow')) c (chart);
SELECT is_empty(format($$
    SELECT * FROM (SELECT c.*, s.category, lag(c.items) OVER (PARTITION BY c.stage ORDER BY c.at) AS before, lag(c.items) OVER (PARTITION BY c.at, s.category = 'discarded' ORDER BY s."order") AS earlier
                   FROM vsm.cumulative_flow(%1$L, '2024-01-01', '2025-06-01', '3 days') c JOIN vsm.stages s ON s.stream = %1$L AND s.name = c.stage) c
    WHERE c.items < c.before OR c.items > c.earlier AND c.category <> 'discarded'
    $$, s.stream), 'no line of the cumulative flow of ' || s.stream || ' falls or crosses another')
FROM (VALUES ('alpha'), ('beta')) s (stream);

CREATE FUNCTION oracle.wrong_throughput(of_stream text, of_bucket text) RETURNS TABLE (zone text, since timestamptz, bucket date, told bigint, expected bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    rule text := (SELECT v.reopen_rule FROM vsm.value_streams v WHERE v.name = of_stream);
    asked record;
BEGIN
    FOR asked IN SELECT z.zone, w.since, w.until, t.type
                 FROM (VALUES ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe')) z (zone)
                 CROSS JOIN oracle.windows w CROSS JOIN oracle.types t WHERE t.type IS NULL OR t.type = 'task' LOOP
        UPDATE vsm.value_streams v SET time_zone = asked.zone WHERE v.name = of_stream;
        RETURN QUERY
        WITH told AS (SELECT t.* FROM vsm.throughput(of_stream, asked.since, asked.until, of_bucket, asked.type) t),
        finishes AS MATERIALIZED (SELECT c.completed_at FROM oracle.completions(of_stream, rule, asked.until) c
                                  WHERE c.completed_at >= asked.since AND c.completed_at < asked.until AND (asked.type IS NULL OR c.type = asked.type)),
        ends AS (SELECT coalesce(nullif(asked.since, '-infinity'), min(v.entered)) AS since,
                        coalesce(nullif(asked.until, 'infinity') - CASE WHEN asked.since < asked.until THEN interval '1 microsecond' ELSE '0' END, max(v.entered)) AS until
                 FROM oracle.visits v WHERE v.stream = of_stream),
        -- day by day of the calendar, whatever the length of the day
        days AS (SELECT d::date AS day FROM ends e, generate_series(date_trunc(of_bucket, e.since AT TIME ZONE asked.zone), e.until AT TIME ZONE asked.zone, '1 day') d),
        expected AS (SELECT CASE of_bucket WHEN 'day' THEN d.day WHEN 'week' THEN d.day - extract(isodow FROM d.day)::integer + 1
                                           ELSE make_date(extract(year FROM d.day)::integer, extract(month FROM d.day)::integer, 1) END AS bucket,
                            sum((SELECT count(*) FROM finishes f
                                 WHERE f.completed_at >= d.day::timestamp AT TIME ZONE asked.zone
                                   AND f.completed_at < (d.day + 1)::timestamp AT TIME ZONE asked.zone))::bigint AS items
                     FROM days d GROUP BY 1)
        SELECT asked.zone, asked.since, coalesce(t.bucket, e.bucket), t.items, e.items
        FROM told t FULL JOIN expected e ON e.bucket = t.bucket WHERE t.items IS DISTINCT FROM e.items;
    END LOOP;
END $$;
SELECT is_empty(format('SELECT * FROM oracle.wrong_throughput(%L, %L)', s.stream, b.bucket), format('vsm.throughput of %s by %s', s.stream, b.bucket))
FROM (VALUES ('alpha'), ('beta')) s (stream) CROSS JOIN (VALUES ('day'), ('week'), ('month')) b (bucket);
-- with episodes every completion counts
UPDATE vsm.value_streams SET reopen_rule = 'episodes' WHERE name = 'beta';
SELECT is_empty('SELECT * FROM oracle.wrong_throughput(''beta'', ''week'')', 'vsm.throughput of beta by week and completion');

SELECT is_empty(format($$
    WITH told AS (
        SELECT w.since, w.until, t.type, x.stage, x.visits, oracle.us(x.avg), ARRAY[oracle.us(x.p50), oracle.us(x.p70), oracle.us(x.p85), oracle.us(x.p95)],
               x.items, oracle.us(x.avg_per_item), x.open_visits
        FROM oracle.windows w CROSS JOIN oracle.types t CROSS JOIN LATERAL vsm.time_in_stage(%1$L, w.since, w.until, t.type) x),
    stays AS MATERIALIZED (
        SELECT w.since, w.until, t.type, v.stage, v.item, oracle.us(v."left" - v.entered) AS us
        FROM oracle.windows w CROSS JOIN oracle.types t
        JOIN oracle.visits v ON v.stream = %1$L AND v."left" >= w.since AND v."left" < w.until AND (t.type IS NULL OR v.type = t.type)),
    expected AS (
        SELECT w.since, w.until, t.type, s.name, coalesce(x.visits, 0), x.avg, coalesce(x.p, ARRAY[NULL, NULL, NULL, NULL]::bigint[]),
               coalesce(x.items, 0), x.per_item,
               (SELECT count(*) FROM oracle.visits v
                WHERE v.stage_id = s.id AND v.entered < w.until AND coalesce(v."left" >= w.until, true) AND (t.type IS NULL OR v.type = t.type))
        FROM oracle.windows w CROSS JOIN oracle.types t
        JOIN vsm.stages s ON s.stream = %1$L
        LEFT JOIN LATERAL (SELECT count(*) AS visits, round(avg(y.us))::bigint AS avg, oracle.percentiles(array_agg(y.us)) AS p,
                                  count(DISTINCT y.item) AS items, round(sum(y.us) / count(DISTINCT y.item))::bigint AS per_item
                           FROM stays y WHERE (y.since, y.until, y.stage) = (w.since, w.until, s.name) AND y.type IS NOT DISTINCT FROM t.type
                           HAVING count(*) > 0) x ON true)
    (TABLE told EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE told)
    $$, s.stream), 'vsm.time_in_stage of ' || s.stream)
FROM (VALUES ('alpha'), ('beta')) s (stream);

SELECT * FROM finish();
