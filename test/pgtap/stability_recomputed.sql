-- stability_recomputed.sql: figures of stability and rework are what plain SQL gives, visit by visit
--
-- Items move back and forth at random, many of them several times at one instant, are finished, reopened, discarded and
-- revived.  Then windows are drawn, and their figures computed again from the visits alone, by none of the extension's
-- functions, twice: from the ledger, and with cells of most days.
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
SELECT setseed(:seed % 1000 / 1000.0) \g /dev/null

SELECT lives_ok($$
    SELECT vsm.define_stream('alpha', '[{"name":"Inbox","category":"wait"},{"name":"Ready","category":"wait"},{"name":"Build"},
        {"name":"Review","category":"wait"},{"name":"Test"},{"name":"Shipped","category":"done"},{"name":"Archived","category":"done"},
        {"name":"Dropped","category":"discarded"}]', time_zone => 'Europe/Berlin'),
    -- discarded in the middle, work after done, and a commitment point behind active work
    vsm.define_stream('beta', '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Rejected","category":"discarded"},
        {"name":"Check","category":"wait"},{"name":"Done","category":"done"},{"name":"Aftercare"},{"name":"Duplicate","category":"discarded"}]',
        time_zone => 'America/New_York', commitment_stage => 'Check', reopen_rule => 'sum_started')
    $$, 'two streams');

-- Live moves, which may follow each other at one instant; mostly to a neighbour, so that paths are shared.
CREATE FUNCTION oracle.live(of_stream text, items integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    item bigint;
    at timestamptz;
    place integer;
    stages text[] := ARRAY(SELECT s.name FROM vsm.stages s WHERE s.stream = of_stream ORDER BY s."order");
    dice float8;
BEGIN
    FOR i IN 1 .. items LOOP
        at := date_trunc('hour', timestamptz '2024-03-20 00:00+00' + random() * interval '45 days');
        item := (vsm.create_work_item('made', (ARRAY['task', 'bug'])[1 + floor(random() * 2)], of_stream, of_stream || i, at,
                                      jsonb_build_object('team', (ARRAY['red', 'blue'])[1 + floor(random() * 2)]))).id;
        place := 1;
        FOR m IN 1 .. floor(random() * 14) LOOP
            dice := random();
            at := at + CASE WHEN random() < 0.3 THEN '0' WHEN random() < 0.3 THEN date_trunc('day', at) + interval '1 day' - at ELSE random() ^ 3 * interval '9 days' END;
            place := CASE WHEN dice < 0.6 THEN least(place + 1, cardinality(stages)) WHEN dice < 0.75 THEN greatest(place - 1, 1)
                          ELSE 1 + floor(random() * cardinality(stages)) END;
            PERFORM vsm.transition(item, stages[place], at);
        END LOOP;
    END LOOP;
END $$;
SELECT oracle.live('alpha', 160), oracle.live('beta', 120) \g /dev/null
ANALYZE;

CREATE TABLE oracle.visits AS
SELECT t.work_item_id AS item, w.stream, w.type, w.attributes, row_number() OVER moves AS n, t.to_stage_id AS stage_id, s.name AS stage, s."order", s.category,
       s.category IN ('wait', 'active') AND s."order" >= (SELECT coalesce(c."order", min(o."order")) FROM vsm.stages o LEFT JOIN vsm.value_streams v ON v.name = o.stream
           LEFT JOIN vsm.stages c ON c.stream = v.name AND c.name = v.commitment_stage WHERE o.stream = s.stream AND o.category = 'active' GROUP BY c."order") AS started,
       t."timestamp" AS entered, lead(t."timestamp") OVER moves AS "left", lag(s.name) OVER moves AS from_stage, lag(s."order") OVER moves AS from_order,
       lag(s.category) OVER moves AS from_category, lead(s."order") OVER moves AS next_order, lead(s.category) OVER moves AS next_category
FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id JOIN vsm.stages s ON s.id = t.to_stage_id
WINDOW moves AS (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id);
ALTER TABLE oracle.visits ADD PRIMARY KEY (item, n);
CREATE FUNCTION oracle.us(duration interval) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN (extract(epoch FROM duration) * 1000000)::bigint;

-- Whole days of the zone, ends between and at moves, all.
CREATE TABLE oracle.windows AS
SELECT row_number() OVER () AS id, w.*, (ARRAY['day', 'week', 'month'])[1 + floor(random() * 3)] AS bucket,
       (ARRAY['span_first_last', 'span_last', 'sum_active', 'sum_started', 'episodes'])[1 + floor(random() * 5)] AS rule
FROM (SELECT v.name AS stream, f.type, f.attributes, least(a.at, b.at) AS since, greatest(a.at, b.at) AS until
      FROM vsm.value_streams v
      CROSS JOIN (VALUES (1, NULL, NULL::jsonb), (2, NULL, NULL), (3, NULL, NULL), (4, 'bug', NULL), (5, 'task', NULL), (6, NULL, '{"team": "red"}'), (7, 'bug', '{"team": "blue"}')) f (n, type, attributes)
      CROSS JOIN LATERAL (
          SELECT CASE WHEN random() < 0.4 THEN date_trunc('day', t.entered AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone ELSE t.entered END AS at
          FROM oracle.visits t WHERE t.stream = v.name AND f.n > 0 ORDER BY random() LIMIT 1) a
      CROSS JOIN LATERAL (
          SELECT CASE WHEN random() < 0.4 THEN date_trunc('day', t.entered AT TIME ZONE v.time_zone) AT TIME ZONE v.time_zone ELSE t.entered + interval '1 hour' END AS at
          FROM oracle.visits t WHERE t.stream = v.name AND f.n > 0 ORDER BY random() LIMIT 1) b
      UNION ALL
      SELECT v.name, NULL, NULL, '2024-01-01', '2026-01-01' FROM vsm.value_streams v) w;
CREATE FUNCTION oracle.seen(w oracle.windows) RETURNS SETOF oracle.visits LANGUAGE sql STABLE AS $$
    SELECT v.* FROM oracle.visits v
    WHERE v.stream = w.stream AND v.entered < w.until AND (w.type IS NULL OR v.type = w.type) AND (w.attributes IS NULL OR v.attributes @> w.attributes)
$$;

------------------------------------------------------------------------------------------------------------------------
-- the same, computed again
------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION oracle.flow_graph(w oracle.windows) RETURNS TABLE (from_stage text, to_stage text, n bigint, p50 bigint, p85 bigint, avg bigint) LANGUAGE sql STABLE AS $$
    SELECT v.from_stage, v.stage, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY oracle.us(v.entered - b.entered)),
           percentile_disc(0.85) WITHIN GROUP (ORDER BY oracle.us(v.entered - b.entered)), round(avg(oracle.us(v.entered - b.entered)))::bigint
    FROM oracle.seen(w) v LEFT JOIN oracle.visits b ON b.item = v.item AND b.n = v.n - 1
    WHERE v.entered >= w.since GROUP BY 1, 2
$$;

-- Of each visit that was handed on: did the item's next entry into the stage send it back?
CREATE FUNCTION oracle.rework(w oracle.windows) RETURNS TABLE (stage text, handed_on bigint, sent_back bigint, first bigint, first_sent_back bigint, loops bigint) LANGUAGE sql STABLE AS $$
    WITH handed AS (
        SELECT v.item, v.n, v.stage, v."left",
               NOT EXISTS (SELECT FROM oracle.visits e WHERE e.item = v.item AND e.stage = v.stage AND e.n < v.n AND e.next_order > e."order" AND e.next_category <> 'discarded') AS first,
               coalesce(b.from_order > b."order" AND b.from_category <> 'discarded', false) AS sent_back
        FROM oracle.seen(w) v
        LEFT JOIN LATERAL (SELECT * FROM oracle.seen(w) r WHERE r.item = v.item AND r.stage = v.stage AND r.n > v.n ORDER BY r.n LIMIT 1) b ON true
        WHERE v."left" >= w.since AND v."left" < w.until AND v.next_order > v."order" AND v.next_category <> 'discarded' AND v.category <> 'discarded')
    SELECT s.name, count(h.item), count(*) FILTER (WHERE h.sent_back), count(*) FILTER (WHERE h.first), count(*) FILTER (WHERE h.first AND h.sent_back),
           (SELECT count(*) FROM oracle.seen(w) v WHERE v.stage = s.name AND v.entered >= w.since AND v.from_order > v."order" AND v.from_category <> 'discarded')
    FROM vsm.stages s LEFT JOIN handed h ON h.stage = s.name
    WHERE s.stream = w.stream AND s.category <> 'discarded' GROUP BY s.name
$$;

-- Bucket by bucket, what an observer at its end sees.
CREATE FUNCTION oracle.flow_balance(w oracle.windows) RETURNS TABLE (bucket date, arrivals bigint, departures bigint, returns bigint, discarded bigint, open bigint, started bigint, age_us numeric) LANGUAGE sql STABLE AS $$
    WITH days AS (
        SELECT d::date AS starts, greatest(d AT TIME ZONE v.time_zone, w.since) AS since, least((d + ('1 ' || w.bucket)::interval) AT TIME ZONE v.time_zone, w.until) AS until
        FROM vsm.value_streams v, generate_series(date_trunc(w.bucket, w.since AT TIME ZONE v.time_zone),
            (CASE WHEN w.until > w.since THEN w.until - interval '1 microsecond' ELSE w.until END) AT TIME ZONE v.time_zone, ('1 ' || w.bucket)::interval) d
        WHERE v.name = w.stream),
    moves AS MATERIALIZED (SELECT * FROM oracle.seen(w))
    SELECT d.starts, f.*, l.*
    FROM days d
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE m.n = 1), count(*) FILTER (WHERE m.category = 'done' AND m.from_category IS DISTINCT FROM 'done'),
               count(*) FILTER (WHERE m.from_category IN ('done', 'discarded') AND m.category <> m.from_category),
               count(*) FILTER (WHERE m.category = 'discarded' AND m.from_category IS DISTINCT FROM 'discarded')
        FROM moves m WHERE m.entered >= d.since AND m.entered < d.until) f
    CROSS JOIN LATERAL (
        SELECT count(*), count(i.started_at), coalesce(sum(oracle.us(d.until - i.started_at)), 0)
        FROM (SELECT m.item, min(m.entered) FILTER (WHERE m.started) AS started_at, (array_agg(m.category ORDER BY m.n DESC))[1] AS category
              FROM moves m WHERE m.entered < d.until GROUP BY 1) i
        WHERE i.category IN ('wait', 'active')) l
$$;

-- The last completion of an item that is finished; by episodes all, each from where the item left done.
CREATE FUNCTION oracle.paths(w oracle.windows) RETURNS TABLE (path text[], n bigint) LANGUAGE sql STABLE AS $$
    WITH moves AS MATERIALIZED (SELECT * FROM oracle.seen(w)),
    finishes AS (SELECT m.item, m.n, m.entered, lag(m.n, 1, 0) OVER (PARTITION BY m.item ORDER BY m.n) AS before
                 FROM moves m WHERE m.category = 'done' AND m.from_category IS DISTINCT FROM 'done')
    SELECT ARRAY(SELECT m.stage FROM moves m WHERE m.item = f.item AND m.n <= f.n
                   AND (w.rule <> 'episodes' OR f.before = 0 OR m.n >= (SELECT min(o.n) FROM moves o WHERE o.item = f.item AND o.n > f.before AND o.category <> 'done'))
                 ORDER BY m.n) AS path, count(*)
    FROM finishes f
    WHERE f.entered >= w.since AND (w.rule = 'episodes' OR NOT EXISTS (SELECT FROM moves o WHERE o.item = f.item AND o.n > f.n AND o.category <> 'done'))
    GROUP BY 1
$$;

-- One item after the other.
CREATE FUNCTION oracle.between(w oracle.windows, from_stage text, to_stage text, from_which text, to_which text) RETURNS TABLE (item bigint, from_at timestamptz, to_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v record;
    of_item bigint;
    first_start integer;
    stop record;
BEGIN
    FOR of_item IN SELECT DISTINCT s.item FROM oracle.seen(w) s LOOP
        SELECT min(m.n) INTO first_start FROM oracle.seen(w) m
        WHERE m.item = of_item AND CASE WHEN from_which ~ 'entry' THEN m.stage ELSE m.from_stage END = $2;
        SELECT m.n, m.entered INTO stop FROM oracle.seen(w) m
        WHERE m.item = of_item AND m.n >= first_start AND CASE WHEN to_which ~ 'entry' THEN m.stage ELSE m.from_stage END = $3
        ORDER BY CASE WHEN to_which ~ 'first' THEN m.n ELSE -m.n END LIMIT 1;
        CONTINUE WHEN NOT FOUND OR stop.entered < w.since;
        item := of_item;
        to_at := stop.entered;
        SELECT m.entered INTO from_at FROM oracle.seen(w) m
        WHERE m.item = of_item AND m.n <= stop.n AND CASE WHEN from_which ~ 'entry' THEN m.stage ELSE m.from_stage END = $2
        ORDER BY CASE WHEN from_which ~ 'first' THEN m.n ELSE -m.n END LIMIT 1;
        RETURN NEXT;
    END LOOP;
END $$;

-- Point by point, the rules as Wheeler words them.
CREATE FUNCTION oracle.behaviour("values" numeric[], baseline numeric[]) RETURNS TABLE (n integer, mean numeric, upper numeric, signal text) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    ranges numeric[] := '{}';
    half numeric;
    near integer;
BEGIN
    mean := (SELECT avg(x) FROM unnest(baseline) x);
    FOR i IN 2 .. cardinality(baseline) LOOP
        ranges := ranges || abs(baseline[i] - baseline[i - 1]);
    END LOOP;
    upper := mean + 2.66 * (SELECT avg(x) FROM unnest(ranges) x);
    half := (upper - mean) / 2;
    FOR i IN 1 .. cardinality("values") LOOP
        n := i;
        signal := NULL;
        IF i >= 3 THEN
            near := (SELECT count(*) FROM generate_series(greatest(i - 3, 1), i) k
                     WHERE sign("values"[k] - mean) = sign("values"[i] - mean) AND abs("values"[k] - mean) > half);
            IF near >= 3 AND abs("values"[i] - mean) > half THEN
                signal := 'three_of_four';
            END IF;
        END IF;
        IF i >= 8 AND "values"[i] <> mean AND (SELECT bool_and(sign("values"[k] - mean) = sign("values"[i] - mean)) FROM generate_series(i - 7, i) k) THEN
            signal := 'eight_on_one_side';
        END IF;
        IF abs("values"[i] - mean) > upper - mean THEN
            signal := 'beyond_limit';
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

------------------------------------------------------------------------------------------------------------------------
-- compared
------------------------------------------------------------------------------------------------------------------------

CREATE TABLE oracle.wrong (cells boolean, figure text, window_id bigint, told text, expected text);
CREATE TABLE oracle.counted (cells boolean, figure text, n bigint);
CREATE FUNCTION oracle.note(cells boolean, figure text, of_window bigint, told text[], expected text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO oracle.counted VALUES (cells, figure, cardinality(told));
    INSERT INTO oracle.wrong
    SELECT cells, figure, of_window, t.row, e.row
    FROM (SELECT u.row, row_number() OVER (PARTITION BY u.row) AS copy FROM unnest(told) u (row)) t
    FULL JOIN (SELECT u.row, row_number() OVER (PARTITION BY u.row) AS copy FROM unnest(expected) u (row)) e USING (row, copy)
    WHERE t.row IS NULL OR e.row IS NULL
$$;

CREATE FUNCTION oracle.compare(cells boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    w oracle.windows;
    ends record;
BEGIN
    FOR w IN SELECT * FROM oracle.windows LOOP
        PERFORM oracle.note(cells, 'flow_graph', w.id,
            ARRAY(SELECT (g.from_stage, g.to_stage, g.n, oracle.us(g.p50), oracle.us(g.p85), oracle.us(g.avg))::text FROM vsm.flow_graph(w.stream, w.since, w.until, w.type, w.attributes) g),
            ARRAY(SELECT o::text FROM oracle.flow_graph(w) o));
        PERFORM oracle.note(cells, 'rework', w.id,
            ARRAY(SELECT (r.stage, r.handed_on, r.sent_back, round(r.complete_accurate, 9), round(r.first_pass_yield, 9), r.loops)::text FROM vsm.rework(w.stream, w.since, w.until, w.type, w.attributes) r),
            ARRAY(SELECT (o.stage, o.handed_on, o.sent_back, round(1 - o.sent_back::numeric / nullif(o.handed_on, 0), 9), round(1 - o.first_sent_back::numeric / nullif(o.first, 0), 9), o.loops)::text
                  FROM oracle.rework(w) o));
        PERFORM oracle.note(cells, 'flow_balance', w.id,
            ARRAY(SELECT (b.bucket, b.arrivals, b.departures, b.returns, b.discarded, b.open, b.started, oracle.us(b.total_age))::text
                  FROM vsm.flow_balance(w.stream, w.since, w.until, w.bucket, w.type, w.attributes) b),
            ARRAY(SELECT o::text FROM oracle.flow_balance(w) o));
        PERFORM oracle.note(cells, 'flow_paths', w.id,
            ARRAY(SELECT (p.path, p.n)::text FROM vsm.flow_paths(w.stream, w.since, w.until, w.type, w.rule, w.attributes, "limit" => 10000) p),
            ARRAY(SELECT o::text FROM oracle.paths(w) o));
        FOR ends IN SELECT f.name AS from_stage, t.name AS to_stage, x.from_which, y.to_which
                    FROM vsm.stages f JOIN vsm.stages t ON t.stream = f.stream, unnest('{first_entry,last_entry,first_exit,last_exit}'::text[]) x (from_which),
                         unnest('{first_entry,last_entry,first_exit,last_exit}'::text[]) y (to_which)
                    WHERE f.stream = w.stream AND NOT cells ORDER BY random() LIMIT 2 LOOP
            PERFORM oracle.note(cells, 'cycle_times_between', w.id,
                ARRAY(SELECT (b.work_item_id, b.from_at, b.to_at)::text
                      FROM vsm.cycle_times_between(w.stream, ends.from_stage, ends.to_stage, w.since, w.until, ends.from_which, ends.to_which, w.type, w.attributes) b),
                ARRAY(SELECT o::text FROM oracle.between(w, ends.from_stage, ends.to_stage, ends.from_which, ends.to_which) o));
        END LOOP;
        -- the levels are those of flow_balance, throughput and cycle times those of the functions of that name
        PERFORM oracle.note(cells, 'process_behaviour: ' || f.figure, w.id,
            ARRAY(SELECT (p.at AT TIME ZONE v.time_zone)::date || ' ' || coalesce(round(p.value, 6)::text, '')
                  FROM vsm.value_streams v, vsm.process_behaviour(w.stream, f.figure, w.since, w.until, w.bucket, NULL, NULL, w.type, w.rule, w.attributes) p WHERE v.name = w.stream),
            CASE f.figure
                WHEN 'throughput' THEN ARRAY(SELECT t.bucket || ' ' || round(t.items::numeric, 6) FROM vsm.throughput(w.stream, w.since, w.until, w.bucket, w.type, w.rule, w.attributes) t)
                WHEN 'cycle_time' THEN ARRAY(SELECT b.bucket || ' ' || coalesce(round(avg(oracle.us(c.cycle_time)) / 3600000000, 6)::text, '')
                    FROM vsm.throughput(w.stream, w.since, w.until, w.bucket) b JOIN vsm.value_streams v ON v.name = w.stream
                    LEFT JOIN vsm.completions(w.stream, w.since, w.until, w.type, w.rule, w.attributes) c ON date_trunc(w.bucket, c.completed_at AT TIME ZONE v.time_zone) = b.bucket GROUP BY b.bucket)
                ELSE ARRAY(SELECT o.bucket || ' ' || coalesce(round(CASE f.figure WHEN 'wip' THEN o.open WHEN 'started_wip' THEN o.started WHEN 'age' THEN o.age_us / nullif(o.started, 0) / 3600000000
                                                                     ELSE o.age_us / 3600000000 END, 6)::text, '') FROM oracle.flow_balance(w) o) END)
        FROM unnest('{throughput,cycle_time,wip,started_wip,age,total_age}'::text[]) f (figure);
    END LOOP;
END $$;

SELECT oracle.compare(false) \g /dev/null
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT cmp_ok(count(*), '>', 20::bigint, 'days are folded') FROM vsm._spans WHERE unit = 'd';
-- one in five is read from the ledger
INSERT INTO vsm._marks (stream_id, since, until) SELECT s.stream_id, s.since, s.until FROM vsm._spans s WHERE s.unit = 'd' AND random() < 0.2;
SELECT oracle.compare(true) \g /dev/null

SELECT cmp_ok(coalesce(sum(c.n), 0)::bigint, '>=', f.least::bigint, format('%s: rows are compared%s', f.figure, CASE WHEN f.cells THEN ', with cells' ELSE '' END))
FROM (SELECT x.figure, x.least, y.cells FROM (VALUES ('flow_graph', 10), ('rework', 5), ('flow_balance', 10), ('flow_paths', 5), ('cycle_times_between', 1), ('process_behaviour: age', 10),
          ('process_behaviour: throughput', 10), ('process_behaviour: cycle_time', 10)) x (figure, least), (VALUES (false), (true)) y (cells)
      WHERE NOT (y.cells AND x.figure = 'cycle_times_between')) f
LEFT JOIN oracle.counted c ON c.figure = f.figure AND c.cells = f.cells GROUP BY f.figure, f.least, f.cells;
SELECT is_empty(format('SELECT w.*, x FROM oracle.wrong w JOIN oracle.windows x ON x.id = w.window_id WHERE w.figure ~ %L ORDER BY 3, 4 LIMIT 8', '^' || f.figure), f.figure || ' is what the visits give')
FROM unnest('{flow_graph,rework,flow_balance,flow_paths,cycle_times_between,process_behaviour}'::text[]) f (figure);
-- else the rules were not tried
SELECT cmp_ok((SELECT count(*) FROM oracle.visits v JOIN oracle.visits b ON b.item = v.item AND b.n = v.n + 1 AND b.entered = v.entered), '>=', 100::bigint, 'many moves were made at one instant');
SELECT cmp_ok((SELECT sum(r.sent_back) FROM vsm.value_streams v, vsm.rework(v.name, '-infinity', 'infinity') r), '>=', 50::numeric, 'much was sent back');
SELECT cmp_ok((SELECT sum(r.loops - r.sent_back) FROM vsm.value_streams v, vsm.rework(v.name, '-infinity', 'infinity') r), '>', 0::numeric, 'not all of it had been handed on');
SELECT is_empty($$
    SELECT w.id, r.* FROM oracle.windows w, vsm.rework(w.stream, w.since, w.until, w.type, w.attributes) r
    WHERE r.complete_accurate NOT BETWEEN 0 AND 1 OR r.first_pass_yield NOT BETWEEN 0 AND 1 OR r.rolled_complete_accurate NOT BETWEEN 0 AND 1 OR r.sent_back > r.handed_on$$, 'shares are 0 to 1');
SELECT is_empty($$
    SELECT w.id FROM oracle.windows w WHERE (SELECT sum(g.n) FROM vsm.flow_graph(w.stream, w.since, w.until, w.type, w.attributes) g)
        IS DISTINCT FROM (SELECT nullif(count(*), 0) FROM oracle.seen(w) v WHERE v.entered >= w.since)$$, 'the graph counts every move of the ledger');
SELECT is_empty($$
    SELECT w.id, p.* FROM oracle.windows w, LATERAL (
        SELECT sum(p.share) AS share, sum(p.n) AS n, m.throughput FROM vsm.metrics(w.stream, w.since, w.until, w.type, w.rule, attributes => w.attributes) m
        LEFT JOIN vsm.flow_paths(w.stream, w.since, w.until, w.type, w.rule, w.attributes, "limit" => 10000) p ON true GROUP BY m.throughput) p
    WHERE coalesce(p.n, 0) <> p.throughput OR abs(p.share - 1) > 1e-9$$, 'paths are those of the items that throughput counts');
SELECT is_empty($$
    SELECT w.id, l.*, m FROM oracle.windows w, vsm.littles_law(w.stream, w.since, w.until, w.type, w.rule, w.attributes) l, vsm.metrics(w.stream, w.since, w.until, w.type, w.rule, attributes => w.attributes) m,
        LATERAL (SELECT count(*) FILTER (WHERE i.open_before) AS before, count(*) FILTER (WHERE i.open_after) AS after,
                        round(avg(oracle.us(w.since - i.started_at)) FILTER (WHERE i.open_before))::bigint AS age_before, round(avg(oracle.us(w.until - i.started_at)) FILTER (WHERE i.open_after))::bigint AS age_after
                 FROM (SELECT v.item, min(v.entered) FILTER (WHERE v.started) AS started_at,
                              coalesce(min(v.entered) FILTER (WHERE v.started) < w.since AND (array_agg(v.category ORDER BY v.n DESC) FILTER (WHERE v.entered < w.since))[1] IN ('wait', 'active'), false) AS open_before,
                              coalesce(min(v.entered) FILTER (WHERE v.started) IS NOT NULL AND (array_agg(v.category ORDER BY v.n DESC))[1] IN ('wait', 'active'), false) AS open_after
                       FROM oracle.seen(w) v GROUP BY 1) i) o
    WHERE (l.started_at_since, l.started_at_until, oracle.us(l.age_at_since), oracle.us(l.age_at_until), l.cycle_time, l.finished, l.starts - l.ends)
       IS DISTINCT FROM (o.before, o.after, o.age_before, o.age_after, m.cycle_time_avg, m.cycle_time_n, m.started_at_until - m.started_at_since)
       OR l.holds <> (l.finished > 0 AND l.fails = '{}') OR l.sentence IS NULL$$, 'Little''s Law looks at what was there');
-- Whole days, which are their own baseline, or of which the first twenty are; age has no value while nothing has started.
CREATE TABLE oracle.charts AS
SELECT v.name, f.figure, y.type, b.ends, p.at < b.ends::timestamp AT TIME ZONE v.time_zone AS in_baseline, p.value, p.mean, p.lower, p.upper, p.signal, row_number() OVER (PARTITION BY v.name, f.figure, y.type, b.ends ORDER BY p.at) AS n
FROM vsm.value_streams v CROSS JOIN unnest('{throughput,wip,started_wip,age,total_age}'::text[]) f (figure) CROSS JOIN (VALUES (NULL), ('bug')) y (type)
CROSS JOIN (VALUES (date '2024-05-20'), ('2024-04-14')) b (ends)
CROSS JOIN LATERAL vsm.process_behaviour(v.name, f.figure, date '2024-03-25'::timestamp AT TIME ZONE v.time_zone, date '2024-05-20'::timestamp AT TIME ZONE v.time_zone, 'day', NULL,
                                         b.ends::timestamp AT TIME ZONE v.time_zone, y.type) p
WHERE p.value IS NOT NULL;
SELECT is_empty($$
    SELECT p.*, e.* FROM oracle.charts p
    JOIN (SELECT c.name, c.figure, c.type, c.ends, x.*
          FROM (SELECT c.name, c.figure, c.type, c.ends, array_agg(c.value ORDER BY c.n) AS "values", array_agg(c.value ORDER BY c.n) FILTER (WHERE c.in_baseline) AS baseline FROM oracle.charts c GROUP BY 1, 2, 3, 4) c
          CROSS JOIN LATERAL oracle.behaviour(c."values", c.baseline) x) e
    ON (e.name, e.figure, e.ends, e.n) = (p.name, p.figure, p.ends, p.n) AND e.type IS NOT DISTINCT FROM p.type
    WHERE (round(p.mean, 9), round(p.upper, 9), p.signal) IS DISTINCT FROM (round(e.mean, 9), round(e.upper, 9), e.signal) OR round(p.lower, 9) <> round(greatest(2 * e.mean - e.upper, 0), 9)
    LIMIT 5$$, 'means, limits and signals are as Wheeler has them');
SELECT cmp_ok(count(c.signal), '>', 0::bigint, s.signal || ' is among them') FROM unnest('{beyond_limit,eight_on_one_side,three_of_four}'::text[]) s (signal) LEFT JOIN oracle.charts c USING (signal) GROUP BY s.signal;

SELECT * FROM finish();
