-- random_forecasts.sql: after random histories forecasts, backtests, bottlenecks, DORA and the Flow Framework are what plain SQL makes of
-- the ledger, or what another figure says
--
-- Two streams in zones with daylight saving live through moves forward and back, reopenings and discards; failures, deployments and
-- incidents come at random.  The seed is fixed; psql -v seed=N tries another history.

\if :{?seed}
\else
\set seed 20260329
\endif

SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA oracle;
SELECT no_plan();
SELECT diag('seed ' || :seed);
SELECT setseed(:seed % 1000 / 1000.0) \g /dev/null

SELECT vsm.define_stream(s.name, '[{"name":"Todo","category":"wait"},{"name":"Dev","wip_limit":4},{"name":"Ready","category":"wait","wip_limit":3},{"name":"Test"},
    {"name":"Done","category":"done"},{"name":"Live","category":"done"},{"name":"Dropped","category":"discarded"}]', s.zone)
FROM (VALUES ('alpha', 'Europe/Berlin'), ('beta', 'America/New_York')) s (name, zone) \g /dev/null
CREATE TABLE oracle.log (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO oracle.log
SELECT s || ' ' || n, (CASE WHEN random() < 0.45 THEN '{Todo,Dev,Ready,Test,Done,Done,Done}'::text[] ELSE '{Todo,Dev,Ready,Test,Done,Live,Dropped}' END)[1 + floor(random() * 7)],
       -- many at a midnight or at one instant, and around the change of clocks
       CASE WHEN random() < 0.1 THEN timestamptz '2026-03-29 00:00+00' + round(random() * 4) * interval '30 minutes'
            WHEN random() < 0.2 THEN date_trunc('day', i.at + e * random() * interval '60 hours', CASE s WHEN 'alpha' THEN 'Europe/Berlin' ELSE 'America/New_York' END)
            ELSE date_trunc('hour', i.at + e * random() * interval '60 hours') END, (ARRAY['task', 'bug', 'feature'])[1 + n % 3]
FROM unnest('{alpha,beta}'::text[]) s
CROSS JOIN LATERAL (SELECT n, timestamptz '2026-02-01 00:00+00' + random() * interval '70 days' AS at FROM generate_series(1, 150) n WHERE s IS NOT NULL) i
CROSS JOIN generate_series(1, 6) e;
-- a busy day, whose hours are folded too
INSERT INTO oracle.log
SELECT 'alpha burst ' || n, s.stage, timestamptz '2026-03-18 06:00+00' + n * interval '5 minutes' + (s.place - 1) * random() * interval '50 minutes', 'bug'
FROM generate_series(1, 120) n, unnest('{Todo,Dev,Ready,Test,Done}'::text[]) WITH ORDINALITY s (stage, place);
SELECT vsm.import_events('oracle.log', s.name) FROM (VALUES ('alpha'), ('beta')) s (name) \g /dev/null
DELETE FROM vsm.work_items w WHERE w.external_id !~ ('^' || w.stream);
INSERT INTO vsm.days_off (stream, day) SELECT 'alpha', date '2026-02-10' + n FROM generate_series(0, 120, 9) n;
-- some spells of being blocked, one after the other for an item
INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
SELECT w.id, (ARRAY['review', 'vendor', 'test data'])[1 + w.id % 3], w.created_at + n * interval '50 hours', w.created_at + n * interval '50 hours' + random() * interval '40 hours'
FROM vsm.work_items w CROSS JOIN generate_series(0, 2) n WHERE w.id % 4 = 1;

CREATE TABLE oracle.windows (id serial, stream text, since timestamptz, until timestamptz, type text);
INSERT INTO oracle.windows (stream, since, until, type)
SELECT s.name, w.since, w.until, t.type
FROM (VALUES ('alpha'), ('beta')) s (name)
CROSS JOIN (VALUES (timestamptz '-infinity', timestamptz 'infinity'), ('2026-03-01 00:00+01', '2026-04-01 00:00+02'), ('2026-03-10 07:31+00', '2026-04-17 15:02+00'),
                   ('2026-03-29 00:00+00', '2026-03-29 02:00+00'), ('-infinity', '2026-03-20'), ('2026-03-20', 'infinity'), ('2026-03-20', '2026-03-20'), ('2020-01-01', '2020-02-01')) w (since, until)
CROSS JOIN (VALUES (NULL), ('bug')) t (type);

CREATE VIEW oracle.moves AS
SELECT w.stream, w.type, t.work_item_id, t.id, t."timestamp" AS at, f.name AS from_stage, s.name AS to_stage,
       f.category AS from_category, s.category AS to_category,
       lead(t."timestamp", 1, 'infinity') OVER (PARTITION BY t.work_item_id ORDER BY t."timestamp", t.id) AS left_at
FROM vsm.stage_transitions t
JOIN vsm.work_items w ON w.id = t.work_item_id
JOIN vsm.stages s ON s.id = t.to_stage_id
LEFT JOIN vsm.stages f ON f.id = t.from_stage_id;

SELECT cmp_ok(count(*), '>', 100::bigint, 'items were reopened or sent back') FROM vsm.work_items w WHERE w.reopened + w.backward_moves > 0;

-- ---- The Flow Framework is what vsm.metrics says ----

CREATE TABLE oracle.wrong (what text, w integer, told text, expected text);
INSERT INTO oracle.wrong
SELECT 'flow_framework', w.id, concat_ws(' ', f.flow_velocity, f.flow_time, f.flow_time_p50, f.flow_time_p85, round(f.flow_efficiency, 6), round(f.flow_load, 6)),
       concat_ws(' ', m.throughput, m.lead_time_avg, m.lead_time_p50, m.lead_time_p85, round(m.flow_efficiency, 6), round(m.wip, 6))
FROM oracle.windows w
CROSS JOIN LATERAL vsm.flow_framework(w.stream, w.since, w.until, type => w.type) f
CROSS JOIN LATERAL vsm.metrics(w.stream, w.since, w.until, w.type) m;
SELECT is_empty($$SELECT x.*, w FROM oracle.wrong x JOIN oracle.windows w ON w.id = x.w WHERE x.told <> x.expected$$, 'the five figures of a window are those of vsm.metrics');
SELECT is((SELECT count(*) FROM oracle.wrong), (SELECT count(*) FROM oracle.windows), 'of every window');

-- by bucket: the items of the window at the bucket of their completion; WIP by the curve
CREATE TABLE oracle.buckets AS
SELECT w.id, w.stream, w.type, w.until AS window_until, b.bucket AS unit, f.*
FROM oracle.windows w CROSS JOIN unnest('{day,week,month}'::text[]) b (bucket)
CROSS JOIN LATERAL vsm.flow_framework(w.stream, w.since, w.until, b.bucket, w.type) f;
SELECT is_empty($$
    SELECT b.id, b.unit, b.bucket, b.flow_velocity, c.n, b.flow_time, c.avg, b.flow_distribution, c.types
    FROM oracle.buckets b
    JOIN vsm.value_streams v ON v.name = b.stream
    JOIN oracle.windows w ON w.id = b.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS n, round(avg(extract(epoch FROM c.lead_time)), 3) AS avg, percentile_disc(0.85) WITHIN GROUP (ORDER BY c.lead_time) AS p85,
               (SELECT coalesce(jsonb_object_agg(t.type, t.n), '{}')
                FROM (SELECT d.type, count(*) AS n FROM vsm.completions(b.stream, w.since, w.until, b.type) d
                      WHERE date_trunc(b.unit, d.completed_at AT TIME ZONE v.time_zone)::date = b.bucket GROUP BY 1) t) AS types
        FROM vsm.completions(b.stream, w.since, w.until, b.type) c WHERE date_trunc(b.unit, c.completed_at AT TIME ZONE v.time_zone)::date = b.bucket) c ON true
    WHERE b.unit <> 'day' AND (b.flow_velocity, round(extract(epoch FROM b.flow_time), 3), b.flow_time_p85, b.flow_distribution) IS DISTINCT FROM (c.n, c.avg, c.p85, c.types)
    $$, 'of weeks and months: the completions of the window by their bucket');
SELECT is_empty($$
    SELECT b.id, b.unit, sum(b.flow_velocity), m.throughput
    FROM oracle.buckets b JOIN oracle.windows w ON w.id = b.id CROSS JOIN LATERAL vsm.metrics(w.stream, w.since, w.until, w.type) m
    GROUP BY 1, 2, m.throughput HAVING sum(b.flow_velocity) <> m.throughput
    $$, 'buckets sum to the window''s throughput');
SELECT is_empty($$
    SELECT b.id, b.unit, b.since, b.until, b.flow_load, c.load
    FROM oracle.buckets b
    CROSS JOIN LATERAL (
        SELECT round(coalesce(sum(extract(epoch FROM least(m.left_at, b.until) - greatest(m.at, b.since))), 0) / extract(epoch FROM b.until - b.since), 4) AS load
        FROM oracle.moves m
        WHERE m.stream = b.stream AND (b.type IS NULL OR m.type = b.type) AND m.to_category IN ('wait', 'active') AND m.at < b.until AND m.left_at > b.since) c
    WHERE b.until > b.since AND round(b.flow_load, 4) <> c.load LIMIT 5
    $$, 'the load of a bucket is the time that items are in progress, by its length');

-- ---- Bottlenecks ----

CREATE TABLE oracle.stages AS
SELECT w.id, w.stream, w.type, coalesce(nullif(w.since, '-infinity'), e.first) AS since, coalesce(nullif(w.until, 'infinity'), e.last) AS until, w.until AS bound, w.since AS given, b.*
FROM oracle.windows w
CROSS JOIN LATERAL vsm.bottlenecks(w.stream, w.since, w.until, w.type) b
JOIN LATERAL (SELECT min(m.at) AS first, max(m.at) AS last FROM oracle.moves m WHERE m.stream = w.stream) e ON true;
SELECT is_empty($$
    WITH expected AS (
        SELECT s.id, s.stage, s.time_share AS told, s.queue_growth, s.items_at_since, s.items_at_until,
               coalesce(c.seconds, 0) / nullif(sum(coalesce(c.seconds, 0)) OVER (PARTITION BY s.id), 0) AS share, coalesce(c.before, 0) AS before, coalesce(c.after, 0) AS after,
               s.entered, coalesce(c.entered, 0) AS entries, s."left", coalesce(c.exits, 0) AS exits
        FROM oracle.stages s
        LEFT JOIN LATERAL (
            SELECT sum(extract(epoch FROM least(m.left_at, s.until) - greatest(m.at, s.since))) FILTER (WHERE m.at < s.bound AND m.left_at > s.since) AS seconds,
                   count(*) FILTER (WHERE m.at < s.given AND m.left_at >= s.given) AS before, count(*) FILTER (WHERE m.at < s.bound AND m.left_at >= s.bound) AS after,
                   count(*) FILTER (WHERE m.at >= s.given AND m.at < s.bound) AS entered, count(*) FILTER (WHERE m.left_at >= s.given AND m.left_at < s.bound) AS exits
            FROM oracle.moves m WHERE m.stream = s.stream AND (s.type IS NULL OR m.type = s.type) AND m.to_stage = s.stage) c ON true)
    SELECT * FROM expected e
    WHERE abs(e.told - e.share) > 0.0001 OR (e.told IS NULL) <> (e.share IS NULL)
       OR (e.items_at_since, e.items_at_until, e.queue_growth, e.entered, e."left") IS DISTINCT FROM (e.before, e.after, e.after - e.before, e.entries, e.exits) LIMIT 5
    $$, 'time, queues, entries and exits of each stage are those of its visits');

SELECT is_empty($$
    SELECT s.id, s.stage, s.blocked_share, s.blocked_reason, b.*
    FROM oracle.stages s
    LEFT JOIN LATERAL (
        SELECT sum(extract(epoch FROM t.blocked)) AS seconds, (array_agg(t.reason ORDER BY t.blocked DESC, t.reason))[1] AS reason
        FROM vsm.blocked_time(s.stream, s.given, s.bound, s.type) t WHERE t.stage = s.stage) b ON true
    WHERE s.blocked_reason IS DISTINCT FROM b.reason
       OR abs(s.blocked_share * s.avg_items * extract(epoch FROM s.until - s.since) - coalesce(b.seconds, 0)) > 0.001 * coalesce(b.seconds, 0) + 0.0002 * extract(epoch FROM s.until - s.since) * (1 + s.avg_items)
    $$, 'and so are the times for which they were blocked');
SELECT cmp_ok(count(*), '>', 5::bigint, 'there were some') FROM oracle.stages s WHERE s.blocked_share > 0;

-- one move after the other
CREATE FUNCTION oracle.hits(of_stream text, of_stage text, since timestamptz, until timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    most integer := (SELECT s.wip_limit FROM vsm.stages s WHERE s.stream = of_stream AND s.name = of_stage);
    items integer := 0;
    hits bigint := 0;
    move oracle.moves;
BEGIN
    FOR move IN SELECT * FROM oracle.moves m WHERE m.stream = of_stream AND of_stage IN (m.from_stage, m.to_stage) AND m.at < until ORDER BY m.at, m.id LOOP
        items := items + CASE WHEN move.to_stage = of_stage THEN 1 ELSE -1 END;
        hits := hits + (move.to_stage = of_stage AND items >= most AND move.at >= since)::integer;
    END LOOP;
    RETURN CASE WHEN most IS NOT NULL THEN hits END;
END $$;
SELECT is_empty($$
    SELECT s.id, s.stage, s.limit_hits, oracle.hits(s.stream, s.stage, s.given, s.bound) FROM oracle.stages s
    WHERE s.limit_hits IS DISTINCT FROM oracle.hits(s.stream, s.stage, s.given, s.bound)
    $$, 'limit hits are the entries that filled the stage');
SELECT cmp_ok(sum(s.limit_hits), '>', 50::numeric, 'there were some') FROM oracle.stages s;
-- from cells too, with hours
-- the first one closes the days
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT count(*) FROM vsm.fold() \g /dev/null
SELECT cmp_ok(count(*), '>', 5::bigint, 'a busy day has hours') FROM vsm._spans s WHERE s.unit = 'h';
CREATE TEMPORARY TABLE again AS SELECT w.id, b.stage, b.limit_hits, b.why FROM oracle.windows w CROSS JOIN LATERAL vsm.bottlenecks(w.stream, w.since, w.until, w.type) b;
SELECT set_eq('SELECT id, stage, limit_hits, why FROM again', 'SELECT id, stage, limit_hits, why FROM oracle.stages', 'folding changes nothing');
-- limits around what the stages held in those hours, so that some hours are known by their cells, and some are read
CREATE TABLE oracle.limits (wip_limit integer, stage text, told bigint, expected bigint);
DO $$
BEGIN
    FOR n IN 1 .. 60 BY 3 LOOP
        UPDATE vsm.stages SET wip_limit = n WHERE stream = 'alpha' AND name IN ('Dev', 'Ready');
        INSERT INTO oracle.limits
        SELECT n, b.stage, b.limit_hits, oracle.hits('alpha', b.stage, '2026-03-18 07:30+00', '2026-03-19 09:00+00')
        FROM vsm.bottlenecks('alpha', '2026-03-18 07:30+00', '2026-03-19 09:00+00') b WHERE b.stage IN ('Dev', 'Ready');
    END LOOP;
END $$;
SELECT is_empty('SELECT * FROM oracle.limits l WHERE l.told IS DISTINCT FROM l.expected', 'with hours limit hits are the entries that filled the stage');
SELECT cmp_ok(count(DISTINCT l.told), '>', 5::bigint, 'for limits that were hit always, now and then, and never') FROM oracle.limits l;
SELECT is_empty($$
    SELECT s.id, s.stage, s.score FROM oracle.stages s
    WHERE s.score NOT BETWEEN 0 AND 1 OR s.rank <> (SELECT 1 + count(*) FROM oracle.stages o WHERE o.id = s.id AND o.rank < s.rank)
       OR EXISTS (SELECT FROM oracle.stages o WHERE o.id = s.id AND o.rank < s.rank AND o.score < s.score)
    $$, 'ranks follow the scores');

-- ---- DORA ----

INSERT INTO vsm.failures (work_item_id, failed_at, recovered_at)
SELECT f.work_item_id, f.at, CASE WHEN random() < 0.7 THEN f.at + round(random() * 40) * interval '1 hour' END
FROM (SELECT m.work_item_id, max(m.at + floor(random() * 3) * interval '20 hours') AS at FROM oracle.moves m WHERE m.to_category = 'done' AND random() < 0.3 GROUP BY m.work_item_id, m.at) f
ON CONFLICT DO NOTHING;
INSERT INTO vsm.deployments (stream, external_id, deployed_at, rework)
SELECT s.name, 'v' || n, timestamptz '2026-02-20' + random() * interval '60 days', random() < 0.2 FROM (VALUES ('alpha'), ('beta')) s (name), generate_series(1, 80) n;
INSERT INTO vsm.incidents (stream, external_id, started_at, recovered_at, deployment)
SELECT s.name, 'i' || n, i.at, CASE WHEN random() < 0.8 THEN i.at + round(random() * 30) * interval '1 hour' END, CASE WHEN random() < 0.5 THEN 'v' || floor(random() * 90) END
FROM (VALUES ('alpha'), ('beta')) s (name)
CROSS JOIN LATERAL (SELECT n, timestamptz '2026-02-15' + random() * interval '65 days' AS at FROM generate_series(1, 40) n WHERE s.name IS NOT NULL) i;

CREATE TABLE oracle.dora AS
SELECT w.id, w.stream, w.type, w.until AS bound, w.since AS given, b.unit, d.*
FROM oracle.windows w CROSS JOIN (VALUES (NULL), ('day'), ('week'), ('month')) b (unit) CROSS JOIN (VALUES ('items'), ('deployments')) s (source)
CROSS JOIN LATERAL vsm.dora(w.stream, w.since, w.until, b.unit, w.type, source => s.source) d;
-- where a bucket begins and ends; the last one's end is the window's
CREATE VIEW oracle.spans AS
SELECT d.*, CASE WHEN row_number() OVER (PARTITION BY d.id, d.unit, d.source ORDER BY d.since, d.bucket) = 1 THEN d.given ELSE d.since END AS lower,
       CASE WHEN row_number() OVER (PARTITION BY d.id, d.unit, d.source ORDER BY d.since DESC, d.bucket DESC) = 1 THEN d.bound ELSE d.until END AS upper
FROM oracle.dora d;
CREATE VIEW oracle.completions AS
SELECT m.stream, m.type, m.work_item_id, m.id, m.at FROM oracle.moves m WHERE m.to_category = 'done' AND m.from_category IS DISTINCT FROM 'done';
SELECT is_empty($$
    SELECT s.id, s.unit, s.bucket, s.deployments, s.failed_deployments, s.rework_deployments, s.recoveries, e.*
    FROM oracle.spans s
    CROSS JOIN LATERAL (
        SELECT count(*) AS n,
               count(*) FILTER (WHERE EXISTS (SELECT FROM vsm.failures f WHERE f.work_item_id = c.work_item_id AND f.failed_at >= c.at AND f.failed_at < s.bound
                   AND NOT EXISTS (SELECT FROM oracle.completions n WHERE n.work_item_id = c.work_item_id AND (n.at, n.id) > (c.at, c.id) AND n.at <= f.failed_at))) AS failed,
               count(*) FILTER (WHERE EXISTS (SELECT FROM vsm.failures f WHERE f.work_item_id = c.work_item_id AND f.failed_at < c.at
                   AND NOT EXISTS (SELECT FROM oracle.completions n WHERE n.work_item_id = c.work_item_id AND (n.at, n.id) < (c.at, c.id) AND n.at > f.failed_at))) AS rework
        FROM oracle.completions c WHERE c.stream = s.stream AND (s.type IS NULL OR c.type = s.type) AND c.at >= s.lower AND c.at < s.upper) e
    CROSS JOIN LATERAL (
        SELECT count(*) AS recovered, percentile_disc(0.5) WITHIN GROUP (ORDER BY f.recovered_at - f.failed_at) AS recovery_time
        FROM vsm.failures f JOIN vsm.work_items w ON w.id = f.work_item_id
        WHERE f.stream = s.stream AND (s.type IS NULL OR w.type = s.type) AND f.recovered_at >= s.lower AND f.recovered_at < s.upper AND f.failed_at < s.bound) r
    WHERE s.source = 'items'
      AND (s.deployments, s.failed_deployments, s.rework_deployments, s.recoveries, extract(epoch FROM s.failed_deployment_recovery_time))
          IS DISTINCT FROM (e.n, e.failed, e.rework, r.recovered, extract(epoch FROM r.recovery_time)) LIMIT 5
    $$, 'of items: completions, those that failed, those that repaired, and recoveries');
SELECT is_empty($$
    SELECT s.id, s.unit, s.bucket, s.deployments, s.failed_deployments, s.rework_deployments, e.*
    FROM oracle.spans s
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, count(*) FILTER (WHERE d.rework) AS rework,
               count(*) FILTER (WHERE EXISTS (SELECT FROM vsm.incidents i WHERE i.stream = d.stream AND i.started_at < s.bound
                   AND CASE WHEN i.deployment IS NOT NULL THEN i.deployment = d.external_id
                            ELSE d.deployed_at <= i.started_at AND NOT EXISTS (SELECT FROM vsm.deployments o WHERE o.stream = d.stream AND o.deployed_at > d.deployed_at AND o.deployed_at <= i.started_at) END)) AS failed
        FROM vsm.deployments d WHERE d.stream = s.stream AND d.deployed_at >= s.lower AND d.deployed_at < s.upper) e
    CROSS JOIN LATERAL (
        SELECT count(*) AS recovered, percentile_disc(0.5) WITHIN GROUP (ORDER BY i.recovered_at - i.started_at) AS recovery_time
        FROM vsm.incidents i WHERE i.stream = s.stream AND i.recovered_at >= s.lower AND i.recovered_at < s.upper AND i.started_at < s.bound) r
    WHERE s.source = 'deployments'
      AND (s.deployments, s.failed_deployments, s.rework_deployments, s.recoveries, extract(epoch FROM s.failed_deployment_recovery_time))
          IS DISTINCT FROM (e.n, e.failed, e.rework, r.recovered, extract(epoch FROM r.recovery_time)) LIMIT 5
    $$, 'of deployments and incidents likewise');
SELECT is_empty($$
    SELECT d.id, d.deployments, m.departures, d.changes, m.throughput, d.change_lead_time, m.lead_time_p50
    FROM oracle.dora d JOIN oracle.windows w ON w.id = d.id CROSS JOIN LATERAL vsm.metrics(w.stream, w.since, w.until, w.type) m
    WHERE d.unit IS NULL AND (d.changes, d.change_lead_time) IS DISTINCT FROM (m.throughput, m.lead_time_p50) OR d.unit IS NULL AND d.source = 'items' AND d.deployments <> m.departures
    $$, 'deployments and the lead time of a window are those of vsm.metrics');
SELECT is_empty($$
    SELECT d.* FROM oracle.dora d
    WHERE d.change_fail_rate NOT BETWEEN 0 AND 1 OR d.rework_rate NOT BETWEEN 0 AND 1 OR (d.deployments = 0) <> (d.change_fail_rate IS NULL)
    $$, 'rates are shares, and none without deployments');
SELECT is_empty($$
    SELECT w.id, d.changes, e.n, d.change_lead_time, e.p50
    FROM oracle.windows w CROSS JOIN LATERAL vsm.dora(w.stream, w.since, w.until, type => w.type, from_stage => 'Dev', to_stage => 'Test') d
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, percentile_disc(0.5) WITHIN GROUP (ORDER BY i.to_at - i.from_at) AS p50
        FROM (SELECT f.at AS from_at, (SELECT min(t.at) FROM oracle.moves t
                                       WHERE t.work_item_id = f.work_item_id AND t.to_stage = 'Test' AND (t.at, t.id) > (f.at, f.id)) AS to_at
              FROM (SELECT DISTINCT ON (m.work_item_id) m.work_item_id, m.at, m.id FROM oracle.moves m
                    WHERE m.stream = w.stream AND (w.type IS NULL OR m.type = w.type) AND m.to_stage = 'Dev' ORDER BY m.work_item_id, m.at, m.id) f) i
        WHERE i.to_at >= w.since AND i.to_at < w.until) e
    WHERE (d.changes, d.change_lead_time) IS DISTINCT FROM (e.n, justify_hours(e.p50))
    $$, 'a lead time between two stages is that from the first entry to the first into the other after it');

-- ---- Forecasts ----

CREATE TABLE oracle.instants AS
SELECT s.name AS stream, timestamptz '2026-03-15 12:00+00' + n * interval '7 days' AS at, w.days
FROM (VALUES ('alpha'), ('beta')) s (name), generate_series(0, 4) n, (VALUES (NULL::integer[]), ('{1,2,3,4,5}'), ('{6,7}')) w (days);
CREATE FUNCTION oracle.forecast(i oracle.instants, items integer, until date, seed bigint) RETURNS SETOF vsm.forecast_line LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM vsm.forecast(items, until, i.stream, at => i.at, seed => seed, trials => 500, working_days => i.days);
EXCEPTION WHEN SQLSTATE 'PT422' THEN
    RETURN;
END $$;
CREATE TABLE oracle.forecasts AS
SELECT i.stream, i.at, i.days, n.items, f.confidence, f.done_on, f.items_done, f.since AS first_day, f.until AS last_day, f.finished
FROM oracle.instants i CROSS JOIN (VALUES (1), (7), (40)) n (items) CROSS JOIN LATERAL oracle.forecast(i, n.items, (i.at + interval '20 days')::date, 5) f;
SELECT cmp_ok(count(*), '>', 60::bigint, 'there are forecasts') FROM oracle.forecasts;
SELECT is_empty($$
    SELECT a.* FROM oracle.forecasts a JOIN oracle.forecasts b USING (stream, at, items)
    WHERE a.days IS NOT DISTINCT FROM b.days AND a.confidence < b.confidence AND (a.done_on > b.done_on OR a.items_done < b.items_done)
    $$, 'more confidence never promises more');
SELECT is_empty($$
    SELECT a.* FROM oracle.forecasts a JOIN oracle.forecasts b USING (stream, at, confidence)
    WHERE a.days IS NOT DISTINCT FROM b.days AND a.items < b.items AND a.done_on > b.done_on
    $$, 'nor do more items take less time');
SELECT is_empty($$
    SELECT f.*
    FROM oracle.instants i CROSS JOIN (VALUES (1), (7), (40)) n (items)
    CROSS JOIN LATERAL oracle.forecast(i, n.items, (i.at + interval '20 days')::date, 5) a
    LEFT JOIN oracle.forecasts f ON (f.stream, f.at, f.items, f.confidence) = (i.stream, i.at, n.items, a.confidence) AND f.days IS NOT DISTINCT FROM i.days
    WHERE (a.done_on, a.items_done) IS DISTINCT FROM (f.done_on, f.items_done)
    $$, 'the same seed gives the same forecast');
SELECT isnt_empty($$
    SELECT FROM oracle.forecasts f JOIN oracle.instants i ON i.stream = f.stream AND i.at = f.at AND i.days IS NOT DISTINCT FROM f.days
    CROSS JOIN LATERAL oracle.forecast(i, f.items, (i.at + interval '20 days')::date, 6) a
    WHERE a.confidence = f.confidence AND (a.done_on, a.items_done) <> (f.done_on, f.items_done)
    $$, 'another seed another one');
SELECT is_empty($$
    SELECT i.stream, i.at FROM oracle.instants i
    CROSS JOIN LATERAL (SELECT array_agg((f.done_on, f.items_done)::text ORDER BY f.confidence) AS lines
                        FROM vsm.forecast(9, '2026-06-01', i.stream, at => i.at, trials => 300) f) a
    CROSS JOIN LATERAL (SELECT array_agg((f.done_on, f.items_done)::text ORDER BY f.confidence) AS lines
                        FROM vsm.forecast(9, '2026-06-01', i.stream, at => i.at, trials => 300, working_days => '{7,6,5,4,3,2,1}') f) b
    WHERE i.days IS NULL AND a.lines <> b.lines
    $$, 'a week of seven working days is no calendar');
SELECT is_empty($$
    SELECT f.* FROM oracle.instants i
    CROSS JOIN LATERAL oracle.forecast(i, 7, NULL, 5) f
    CROSS JOIN LATERAL vsm.forecast_delivery(jsonb_build_object(i.stream, 7), at => i.at, seed => 5, trials => 500, working_days => i.days) d
    WHERE d.confidence = f.confidence AND d.done_on IS DISTINCT FROM f.done_on
    $$, 'a delivery of one stream is its forecast');
SELECT is_empty($$
    SELECT t.*, s.* FROM oracle.instants i
    CROSS JOIN LATERAL (SELECT array_agg(d) AS lines FROM vsm.forecast_delivery('{"alpha": 12, "beta": 9}', at => i.at, trials => 500) d) x
    CROSS JOIN LATERAL unnest(x.lines) t CROSS JOIN LATERAL unnest(x.lines) s
    WHERE i.days IS NULL AND t.stream IS NULL AND s.stream IS NOT NULL AND (t.confidence = s.confidence AND s.done_on > t.done_on OR t.items <> 21)
    $$, 'several streams together are done no sooner than each');
-- the chance of all is the product of the chances of each, as they are drawn independently
CREATE FUNCTION oracle.chance(done bigint[], days integer) RETURNS numeric LANGUAGE sql AS $$SELECT avg((d <= days)::integer) FROM unnest(done) d$$;
SELECT cmp_ok(max(abs(oracle.chance(j.both, n) - oracle.chance(j.a, n) * oracle.chance(j.b, n))), '<', 0.02, 'and are drawn independently')
FROM (SELECT d.a, d.b, ARRAY(SELECT greatest(x.a, x.b) FROM unnest(d.a, d.b) x (a, b)) AS both
      FROM (SELECT vsm._forecast_trials('{0,1,2,3}', 20, 10000, 1) AS a, vsm._forecast_trials('{0,1,2,3}', 20, 10000, 1 # 1) AS b) d) j, generate_series(8, 20) n;

-- each open item: as many as there are, in order, and the n-th is done when n are
CREATE TABLE oracle.items AS
SELECT i.stream, i.at, i.days, b.by, f.* FROM oracle.instants i CROSS JOIN (VALUES ('age'), ('order')) b (by)
CROSS JOIN LATERAL vsm.forecast_items(i.stream, b.by, at => i.at, trials => 2000, working_days => i.days) f WHERE i.days IS NULL OR i.days = '{1,2,3,4,5}';
SELECT is_empty($$
    SELECT a.* FROM oracle.items a
    WHERE NOT (a.done_on_50 <= a.done_on_70 AND a.done_on_70 <= a.done_on_85 AND a.done_on_85 <= a.done_on_95)
       OR EXISTS (SELECT FROM oracle.items b WHERE (b.stream, b.at, b.by) = (a.stream, a.at, a.by) AND b.days IS NOT DISTINCT FROM a.days
                  AND b.place < a.place AND (b.done_on_50 > a.done_on_50 OR b.done_on_95 > a.done_on_95))
    $$, 'dates grow with the confidence and with the place');
SELECT is_empty($$
    SELECT i.stream, i.at, g.ord, g.work_item_id, f.work_item_id FROM oracle.instants i
    CROSS JOIN LATERAL vsm.work_item_age(i.stream, at => i.at) WITH ORDINALITY g (work_item_id, external_id, title, type, stage, age, time_in_stage, age_since_creation, blocked, block_reason, pace, risk, ord)
    LEFT JOIN oracle.items f ON f.stream = i.stream AND f.at = i.at AND f.days IS NULL AND f.by = 'age' AND f.place = g.ord
    WHERE i.days IS NULL AND (f.work_item_id, f.stage, f.age) IS DISTINCT FROM (g.work_item_id, g.stage, g.age)
    $$, 'by age, the items are those of vsm.work_item_age, in its order');
SELECT is_empty($$
    SELECT a.* FROM oracle.items a JOIN oracle.items b USING (stream, at, by) JOIN vsm.work_items x ON x.id = a.work_item_id JOIN vsm.work_items y ON y.id = b.work_item_id
    WHERE a.by = 'order' AND a.days IS NULL AND b.days IS NULL AND a.place < b.place AND (x.created_at, x.id) > (y.created_at, y.id)
    $$, 'by order, as they were created');
SELECT is_empty($$
    SELECT n, p.days[4 * n - 3:4 * n], d.days
    FROM (SELECT vsm._forecast_places('{0,1,2,3}', 200, '{50,70,85,95}', 10000, 3, '{1}', '{6,7,13,14}') AS days) p
    CROSS JOIN generate_series(1, 200, 7) n
    CROSS JOIN LATERAL (SELECT vsm._forecast_days('{0,1,2,3}', n, '{50,70,85,95}', 10000, 3, '{1}', '{6,7,13,14}') AS days) d
    WHERE EXISTS (SELECT FROM unnest(p.days[4 * n - 3:4 * n], d.days) x (a, b) WHERE abs(x.a - x.b) > 1)
    $$, 'the n-th item is done when vsm.forecast says that n are, but for what other draws differ');

-- Where most days finish nothing, these are passed over, unless a past day off finished something: then each day is drawn.
CREATE TABLE oracle.idle (samples bigint[], items integer, days_off integer[]);
INSERT INTO oracle.idle VALUES
    (array_fill(0::bigint, ARRAY[29]) || 1::bigint, 1, '{}'), (array_fill(0::bigint, ARRAY[9]) || '{3,1}', 9, '{}'), ('{0,0,0,2}', 1, '{}'),
    (array_fill(0::bigint, ARRAY[20]) || '{5,2,1,1}', 11, ARRAY(SELECT n FROM generate_series(1, 3653) n WHERE n % 7 IN (0, 6))),
    (array_fill(0::bigint, ARRAY[699]) || 1::bigint, 3, '{}');
SELECT is_empty($$
    SELECT i.items, n, oracle.chance(t.passed, n::integer), oracle.chance(t.drawn, n::integer)
    FROM oracle.idle i CROSS JOIN LATERAL (
        SELECT vsm._forecast_trials(i.samples, i.items, 20000, 1, '{}', i.days_off) AS passed,
               vsm._forecast_trials(i.samples, i.items, 20000, 2, array_fill(0::bigint, ARRAY[3000]) || 1::bigint, i.days_off) AS drawn) t
    CROSS JOIN LATERAL (SELECT DISTINCT t.passed[k] FROM generate_series(1, 20000, 500) k) x (n)
    WHERE abs(oracle.chance(t.passed, n::integer) - oracle.chance(t.drawn, n::integer)) > 0.02
    $$, 'idle days are passed over with the chances that they have when each is drawn');
SELECT is_empty($$
    SELECT n, oracle.chance(t.days, n) FROM (SELECT vsm._forecast_trials(array_fill(0::bigint, ARRAY[29]) || 1::bigint, 1, 20000, 1) AS days) t, generate_series(1, 200, 10) n
    WHERE abs(oracle.chance(t.days, n) - (1 - (29 / 30.0) ^ n)) > 0.01
    $$, 'which for one item are those of the geometric distribution');
SELECT is_empty($$
    SELECT i.items, l.level, a.passed[l.level], a.drawn[l.level]
    FROM oracle.idle i CROSS JOIN LATERAL (
        SELECT vsm._forecast_items(i.samples, 30, ARRAY(SELECT generate_series(1, 100)), 20000, 1, '{}', i.days_off) AS passed,
               vsm._forecast_items(i.samples, 30, ARRAY(SELECT generate_series(1, 100)), 20000, 2, array_fill(0::bigint, ARRAY[3000]) || 1::bigint, i.days_off) AS drawn) a
    CROSS JOIN generate_series(3, 97) l (level)
    WHERE a.passed[l.level] < a.drawn[l.level + 2] OR a.passed[l.level] > a.drawn[l.level - 2]
    $$, 'and so are the items of thirty days');
SELECT is(array_agg(DISTINCT d), '{3654}', 'where nothing was ever finished, nothing will be')
FROM unnest(vsm._forecast_trials(array_fill(0::bigint, ARRAY[40]), 1, 100, 1)) d;
SELECT ok(bool_and((day - 1) % 7 < 5) AND count(DISTINCT day) > 20, 'nothing is done on a day off')
FROM unnest(vsm._forecast_trials(array_fill(0::bigint, ARRAY[9]) || 1::bigint, 2, 1000, 1, '{}', ARRAY(SELECT n FROM generate_series(1, 3653) n WHERE (n - 1) % 7 > 4))) day;

-- ---- Backtests are forecasts of each day, and what came ----

CREATE TABLE oracle.backtests AS
SELECT s.name AS stream, m.items, m.days, w.working, b.*
FROM (VALUES ('alpha'), ('beta')) s (name), (VALUES (NULL, 9), (12, NULL)) m (items, days), (VALUES (NULL::integer[], false), ('{1,2,3,4,5}', true)) w (working, outliers)
CROSS JOIN LATERAL vsm.forecast_backtest(m.items, m.days, s.name, '2026-03-05 03:00+00', '2026-05-02 12:00+00', trials => 200, working_days => w.working, exclude_outliers => w.outliers) b;
SELECT cmp_ok(count(*), '>', 600::bigint, 'there are backtests') FROM oracle.backtests;
SELECT is_empty($$
    SELECT b.*, f.done_on, f.items_done
    FROM oracle.backtests b JOIN vsm.value_streams v ON v.name = b.stream
    CROSS JOIN LATERAL vsm.forecast(b.items, b.as_of + b.days, b.stream, trials => 200, at => (b.as_of + time '13:00') AT TIME ZONE v.time_zone,
                                    working_days => b.working, exclude_outliers => b.working IS NOT NULL) f
    WHERE f.confidence = b.confidence AND b.forecast IS DISTINCT FROM CASE WHEN b.items IS NULL THEN f.items_done ELSE f.done_on - b.as_of END LIMIT 5
    $$, 'each forecast is that of vsm.forecast on that day');
SELECT is_empty($$
    SELECT b.*, t.n
    FROM oracle.backtests b JOIN vsm.value_streams v ON v.name = b.stream
    CROSS JOIN LATERAL (
        SELECT CASE WHEN ((b.as_of + b.days + 1)::timestamp AT TIME ZONE v.time_zone) <= '2026-05-02 12:00+00'
                    THEN (SELECT m.throughput FROM vsm.metrics(b.stream, (b.as_of + 1)::timestamp AT TIME ZONE v.time_zone, (b.as_of + b.days + 1)::timestamp AT TIME ZONE v.time_zone) m) END AS n) t
    WHERE b.days IS NOT NULL AND (b.actual IS DISTINCT FROM t.n OR b.held IS DISTINCT FROM (t.n >= b.forecast)) LIMIT 5
    $$, 'what came within days is the throughput of the days after it');
SELECT is_empty($$
    SELECT b.*, t.n
    FROM oracle.backtests b JOIN vsm.value_streams v ON v.name = b.stream
    CROSS JOIN LATERAL (
        SELECT min(d) AS n FROM generate_series(1, date '2026-05-01' - b.as_of) d
        WHERE (SELECT count(*) FROM vsm.completions(b.stream, (b.as_of + 1)::timestamp AT TIME ZONE v.time_zone, (b.as_of + d + 1)::timestamp AT TIME ZONE v.time_zone)) >= b.items) t
    WHERE b.items IS NOT NULL AND b.confidence = 85 AND b.working IS NULL
      AND (b.actual IS DISTINCT FROM t.n OR b.held IS DISTINCT FROM CASE WHEN t.n IS NOT NULL THEN t.n <= b.forecast WHEN b.as_of + b.forecast::integer <= '2026-05-01' THEN false END) LIMIT 5
    $$, 'when items were done is the first day by which that many were');

SELECT * FROM finish();
