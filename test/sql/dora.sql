-- DORA and the Flow Framework, from items and failure marks, or from deployments and incidents that others report.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT s.name FROM unnest('{team,empty}'::text[]) s (name), vsm.define_stream(s.name, '[{"name":"Backlog","category":"wait"},{"name":"Dev"},{"name":"Review","category":"wait"},{"name":"Done","category":"done"},
    {"name":"Dropped","category":"discarded"}]', 'Europe/Berlin');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
-- A in two days, B in four and again in six, C straight to Done, D open, E of the next month
INSERT INTO events SELECT c, s, ('2026-' || at || '+00')::timestamptz, t FROM (VALUES
    ('A', 'Backlog', '03-02 00:00', 'feature'), ('A', 'Dev', '03-03 00:00', 'feature'), ('A', 'Done', '03-04 00:00', 'feature'),
    ('B', 'Backlog', '03-02 00:00', 'bug'), ('B', 'Dev', '03-03 00:00', 'bug'), ('B', 'Review', '03-04 00:00', 'bug'), ('B', 'Done', '03-06 00:00', 'bug'),
    ('B', 'Dev', '03-07 00:00', 'bug'), ('B', 'Done', '03-08 00:00', 'bug'),
    ('C', 'Done', '03-09 00:00', 'task'), ('D', 'Backlog', '03-09 00:00', 'task'),
    ('E', 'Backlog', '03-30 00:00', 'task'), ('E', 'Dev', '03-30 12:00', 'task'), ('E', 'Done', '04-01 00:00', 'task')) e (c, s, at, t);
SELECT (vsm.import_events('events', 'team')).transitions;
CREATE FUNCTION item(name text) RETURNS bigint LANGUAGE sql AS $$SELECT w.id FROM vsm.work_items w WHERE w.external_id = name$$;
\x on
-- Four completions in eight days; B counts at its second for the lead time: medians of 0, 2 and 6 days.
SELECT * FROM vsm.dora('team', '2026-03-02', '2026-03-10');
-- B's first completion failed, and its second repaired it; A failed and was never repaired.
SELECT work_item_id = item('B') AS of_b, failed_at, recovered_at, reason, recorded_by = current_user AS by FROM vsm.mark_failure(item('B'), '2026-03-06 12:00+00', reason => 'slow');
SELECT failed_at, recovered_at, reason FROM vsm.mark_failure(item('B'), recovered_at => '2026-03-08 00:00+00');
SELECT failed_at, recovered_at FROM vsm.mark_failure(item('A'), '2026-03-05 00:00+00', '2026-03-05 01:00+00');
SELECT * FROM vsm.dora('team', '2026-03-02', '2026-03-10');
-- As of the end: before B's failure nothing is known of it; before A's nothing at all.
SELECT deployments, failed_deployments, recoveries, rework_deployments FROM vsm.dora('team', '2026-03-02', '2026-03-06 12:00+00');
SELECT deployments, failed_deployments, recoveries, rework_deployments FROM vsm.dora('team', '2026-03-02', '2026-03-05');
-- What failed before the item's first completion was no deployment, and makes none rework.
BEGIN;
SELECT FROM vsm.mark_failure(item('E'), '2026-03-31 00:00+00');
SELECT deployments, failed_deployments, rework_deployments, rework_rate FROM vsm.dora('team', '2026-03-30', '2026-04-02');
ROLLBACK;
\x off
-- A failure is of the bucket of its deployment, a recovery of its own.
SELECT bucket, deployments, deployment_frequency AS per_day, change_lead_time, failed_deployments AS failed, recoveries, rework_deployments AS rework
FROM vsm.dora('team', '2026-03-02', '2026-03-10', 'day');
-- March has an hour less in Berlin: 743 hours; E is of April by its clock too
SELECT bucket, deployments, deployment_frequency, since, until FROM vsm.dora('team', '2026-03-01 00:00+01', '2026-05-01 00:00+02', 'month');
SELECT type, deployments, change_lead_time, failed_deployments FROM (VALUES ('bug'), ('task')) t (type), vsm.dora('team', '2026-03-02', '2026-03-10', type => t.type);
SELECT changes, change_lead_time FROM vsm.dora('team', '2026-03-02', '2026-03-10', from_stage => 'Dev', to_stage => 'Done');
SELECT changes, change_lead_time FROM vsm.dora('team', '2026-03-02', '2026-03-10', from_stage => 'Backlog', to_stage => 'Review');
SELECT deployments, deployment_frequency, change_lead_time, change_fail_rate, rework_rate, source FROM vsm.dora('empty', '2026-03-01', '2026-04-01');
SELECT deployments, deployment_frequency FROM vsm.dora('team', '2026-03-04', '2026-03-04');

-- By the stream's rule, as metrics: each of B's completions; and no day to come lowers the frequency.
BEGIN;
UPDATE vsm.value_streams SET reopen_rule = 'episodes' WHERE name = 'team';
SELECT d.changes, d.changes = m.lead_time_n AND d.change_lead_time = m.lead_time_p50 AS as_metrics
FROM vsm.dora('team', '2026-03-02', '2026-03-10') d, vsm.metrics('team', '2026-03-02', '2026-03-10') m;
ROLLBACK;
SELECT ahead.deployments > 0 AND ahead.deployment_frequency = so_far.deployment_frequency AS same
FROM vsm.dora('team', '2026-03-02', now() + interval '100 days') ahead, vsm.dora('team', '2026-03-02', now()) so_far;

-- Reported ones are counted in place of items.
INSERT INTO vsm.deployments (stream, external_id, deployed_at, rework) VALUES ('team', 'v1', '2026-03-03 00:00+00', false), ('team', 'v2', '2026-03-05 00:00+00', false),
    ('team', 'v2.1', '2026-03-05 06:00+00', true), ('team', 'v3', '2026-03-20 00:00+00', false);
INSERT INTO vsm.incidents (stream, external_id, deployment, started_at, recovered_at) VALUES
    ('team', 'late', 'v1', '2026-03-05 12:00+00', '2026-03-05 16:00+00'),       -- of v1, which it names
    ('team', 'next', NULL, '2026-03-05 01:00+00', '2026-03-05 06:00+00'),       -- of v2, the latest before
    ('team', 'same', 'v1', '2026-03-06 00:00+00', NULL),                         -- v1 failed only once
    ('team', 'stray', 'v9', '2026-03-06 00:00+00', '2026-03-06 10:00+00'),      -- of one that is not known
    ('team', 'first', NULL, '2026-03-01 00:00+00', NULL);                        -- before all
\x on
SELECT * FROM vsm.dora('team', '2026-03-02', '2026-03-10');
\x off
SELECT source, deployments FROM (VALUES ('items'), ('deployments'), (NULL)) s (asked), vsm.dora('team', '2026-03-02', '2026-03-10', source => s.asked);
-- before the first one, or before it was known, items are
SELECT source, deployments FROM vsm.dora('team', '2026-03-01', '2026-03-03');
SELECT source, deployments FROM vsm.dora('team', '2026-03-02', '2026-03-10', known_at => '2026-03-15');
SELECT deployments, failed_deployments FROM vsm.dora('team', '2026-03-02', '2026-03-05 01:00+00');
-- as known before they were recorded
SELECT deployments, failed_deployments, recoveries FROM vsm.dora('team', '2026-03-02', '2026-03-10', known_at => '2026-03-15', source => 'deployments');

-- The five figures: A, B and C are finished, in 2, 6 and 0 days; active A 1, B 1 + 1, waiting B 2; load from the times in progress
\x on
SELECT * FROM vsm.flow_framework('team', '2026-03-02', '2026-03-10');
\x off
SELECT bucket, flow_velocity, flow_time, flow_efficiency, flow_load, flow_distribution FROM vsm.flow_framework('team', '2026-03-02', '2026-03-10', 'day');
SELECT flow_velocity, flow_time, reopen_rule FROM vsm.flow_framework('team', '2026-03-02', '2026-03-10', reopen_rule => 'episodes');
SELECT bucket, flow_velocity, flow_time, flow_load, flow_distribution FROM vsm.flow_framework('empty', '2026-03-02', '2026-03-10');
SELECT count(*), min(bucket), max(bucket) FROM vsm.flow_framework('team', '-infinity', 'infinity', 'week');

-- Failures go with their items, the rest with its stream.
UPDATE vsm.value_streams SET name = 'crew' WHERE name = 'team';
SELECT (SELECT count(*) FROM vsm.failures WHERE stream = 'crew') AS failures, (SELECT count(*) FROM vsm.deployments WHERE stream = 'crew') AS deployments,
       (SELECT count(*) FROM vsm.incidents WHERE stream = 'crew') AS incidents;
UPDATE vsm.failures SET reason = 'known' WHERE work_item_id = item('A');
DELETE FROM vsm.work_items WHERE external_id = 'B';
SELECT count(*) FROM vsm.failures;
TRUNCATE vsm.work_items;
SELECT count(*) FROM vsm.failures;
DELETE FROM vsm.value_streams WHERE name = 'crew';
SELECT (SELECT count(*) FROM vsm.deployments) AS deployments, (SELECT count(*) FROM vsm.incidents) AS incidents;

-- Refused
SELECT vsm.dora('Nope');
SELECT vsm.dora('empty', bucket => 'year');
SELECT vsm.dora('empty', source => 'nowhere');
SELECT vsm.dora('empty', from_stage => 'Dev');
SELECT vsm.dora('empty', to_stage => 'Dev');
SELECT vsm.dora('empty', from_stage => 'Nope', to_stage => 'Dev');
SELECT vsm.dora('empty', '1970-01-01', '2370-01-01', 'day');
SELECT vsm.dora('empty', '0001-01-01 BC', '2026-01-01');
SELECT vsm.flow_framework('empty', bucket => 'hour');
SELECT vsm.flow_framework('empty', reopen_rule => 'none');
SELECT vsm.flow_framework('empty', NULL);
SELECT vsm.mark_failure(99);
SELECT vsm.mark_failure(NULL);
SELECT id > 0 AS there FROM vsm.create_work_item('an item', stream => 'empty', external_id => 'F', at => '2026-03-01 09:00+00');
SELECT vsm.mark_failure(item('F'), '2026-02-01 09:00+00');
SELECT vsm.mark_failure(item('F'), '2026-03-02 09:00+00', '2026-03-01 09:00+00');
SELECT vsm.mark_failure(item('F'), 'infinity');
SELECT vsm.mark_failure(item('F'), '2026-03-02', 'infinity');
INSERT INTO vsm.deployments (stream, deployed_at) VALUES ('Nope', '2026-03-01');
INSERT INTO vsm.deployments (stream, deployed_at) VALUES ('empty', '1969-03-01 00:00+00');
INSERT INTO vsm.incidents (stream, started_at, recovered_at) VALUES ('empty', '2026-03-01 00:00+00', '2026-02-01 00:00+00');
INSERT INTO vsm.deployments (stream, external_id, deployed_at) VALUES ('empty', 'v1', '2026-03-01'), ('empty', 'v1', '2026-03-01');
SELECT (vsm.mark_failure(item('F'), '2026-03-02')).stream;
UPDATE vsm.failures SET work_item_id = 1;
INSERT INTO vsm.deployments (stream, external_id, deployed_at) VALUES ('empty', 'v1', '2026-03-01');
SELECT name FROM vsm.define_stream('another');
UPDATE vsm.deployments SET stream = 'another';
UPDATE vsm.deployments SET id = 1000;

-- What no deployment can be blamed for is said.
INSERT INTO vsm.incidents (stream, deployment, started_at) VALUES ('empty', 'v2', '2026-03-02 00:00+00'), ('empty', NULL, '2026-02-01 00:00+00'), ('empty', 'v1', '2026-03-02 00:00+00');
SELECT (vsm.mark_failure(w.id)).stream FROM vsm.create_work_item('open', 'task', 'another', 'O') w;
SELECT s AS stream, q.finding, q.items, q.examples = ARRAY[item('O')] AS it, q.meaning
FROM unnest('{empty,another}'::text[]) s, vsm.data_quality(s) q WHERE q.finding IN ('failure_before_finish', 'incident_without_deployment');

-- Many incidents cost no more each, whether they name a deployment, one that nobody has reported, or none.
INSERT INTO vsm.deployments (stream, external_id, deployed_at)
SELECT 'another', 'd' || n, timestamptz '2025-04-01 00:00+00' + n * interval '1 min' FROM generate_series(1, 2000) n;
INSERT INTO vsm.incidents (stream, deployment, started_at)
SELECT 'another', CASE n % 3 WHEN 0 THEN 'd' || n * 7 % 2000 WHEN 1 THEN 'unknown ' || n END, timestamptz '2025-04-01 00:00+00' + n * interval '50 s'
FROM generate_series(-8, 2000) n;
ANALYZE vsm.deployments, vsm.incidents;
CREATE FUNCTION rows_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT sum(pg_stat_get_xact_tuples_returned(r.oid))::bigint
    FROM (SELECT 'vsm.deployments'::regclass UNION ALL SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = 'vsm.deployments'::regclass) r (oid) $$;
BEGIN;
SELECT rows_read() AS before \gset
SELECT count(*) AS incidents, count(f.deployment_id) AS of_deployments FROM vsm._failed_deployments('another', '2026-01-01', NULL) f;
SELECT rows_read() - :before < 20000 AS by_the_indexes;
COMMIT;
SELECT count(*) AS differ
FROM vsm.incidents i JOIN vsm._failed_deployments('another', '2026-01-01', NULL) f ON f.failed_at = i.started_at
WHERE i.stream = 'another' AND f.deployed_at IS DISTINCT FROM (
    SELECT max(d.deployed_at) FROM vsm.deployments d
    WHERE d.stream = 'another' AND (i.deployment IS NULL AND d.deployed_at <= i.started_at OR d.external_id = i.deployment));
