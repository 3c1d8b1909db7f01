-- demo_team.sql: the simulated team of the demo is the same for the same values, and works as teams do.

SET client_min_messages = warning;
\set zone 'Europe/Berlin'
\set until '2024-11-19 13:00+00'
\set since '2024-08-21 13:00+00'
SET timezone = 'Asia/Kolkata';
\ir ../../demo/simulate.sql

CREATE SCHEMA t;
CREATE VIEW t.rows AS
SELECT 'move' AS what, w.external_id, concat_ws('|', w.title, w.type, w.attributes, s.name, extract(epoch FROM m."timestamp")) AS line
FROM vsm.stage_transitions m JOIN vsm.work_items w ON w.id = m.work_item_id JOIN vsm.stages s ON s.id = m.to_stage_id
UNION ALL
SELECT 'block', w.external_id, concat_ws('|', b.reason, extract(epoch FROM b.blocked_at), extract(epoch FROM b.unblocked_at))
FROM vsm.blocks b JOIN vsm.work_items w ON w.id = b.work_item_id
UNION ALL
SELECT 'failure', w.external_id, concat_ws('|', f.reason, extract(epoch FROM f.failed_at), extract(epoch FROM f.recovered_at))
FROM vsm.failures f JOIN vsm.work_items w ON w.id = f.work_item_id
UNION ALL
SELECT 'stage', name, concat_ws('|', category, "order", wip_limit) FROM vsm.stages
UNION ALL
SELECT 'expectation', type, concat_ws('|', since, extract(epoch FROM elapsed), probability) FROM vsm.sles;

CREATE TABLE t.first AS SELECT * FROM t.rows;
TRUNCATE vsm.work_items CASCADE;
DISCARD TEMP;
SET timezone = 'America/New_York';
\ir ../../demo/simulate.sql
SET timezone = 'UTC';

SELECT no_plan();

SELECT cmp_ok(count(*), '>', 4000::bigint, 'there are rows to compare') FROM t.first;
SELECT is((SELECT count(*) FROM (TABLE t.first EXCEPT ALL SELECT * FROM t.rows) x)
          + (SELECT count(*) FROM (SELECT * FROM t.rows EXCEPT ALL TABLE t.first) x), 0::bigint,
          'the same values give the same rows, whatever the time zone of the session');

-- The window that the demo reports, and the one before.
CREATE TABLE t.now AS SELECT * FROM vsm.metrics('default', :'since', :'until');
CREATE TABLE t.before AS SELECT * FROM vsm.metrics('default', '2024-05-23 13:00+00', :'since');
CREATE TABLE t.move AS
SELECT w.*, m.from_stage_id IS NULL AS arrival, m."timestamp" AT TIME ZONE 'Europe/Berlin' AS at, f.name AS from_stage, t.name AS to_stage
FROM vsm.stage_transitions m JOIN vsm.work_items w ON w.id = m.work_item_id JOIN vsm.stages t ON t.id = m.to_stage_id
LEFT JOIN vsm.stages f ON f.id = m.from_stage_id;

SELECT is(count(*), 450::bigint, 'a team of eight gets some 450 items in 200 days') FROM vsm.work_items;
SELECT cmp_ok(throughput, '>', 100::bigint, 'finishes them') FROM t.now;
SELECT ok(started_at_until BETWEEN 16 AND 64, 'with two to eight in progress for each of them: ' || started_at_until) FROM t.now;
SELECT results_eq('SELECT category, count(*)::integer FROM vsm.stages GROUP BY 1 ORDER BY 1', $$VALUES ('active', 4), ('discarded', 1), ('done', 1), ('wait', 5)$$,
                  'they wait between the active stages');
SELECT ok(flow_efficiency BETWEEN 0.15 AND 0.45, 'for most of the time: ' || round(flow_efficiency, 3)) FROM (TABLE t.now UNION ALL TABLE t.before) m;

-- Hours and days of work.
SELECT is(count(*), 0::bigint, 'items move in working hours of the zone') FROM t.move WHERE NOT arrival AND NOT at::time BETWEEN '09:00' AND '17:00';
SELECT is(count(*) FILTER (WHERE extract(isodow FROM at) = 7), 0::bigint, 'never on a Sunday') FROM t.move WHERE NOT arrival;
SELECT ok(share > 0 AND share < 0.02, 'and seldom on a Saturday: ' || round(share, 4))
FROM (SELECT count(*) FILTER (WHERE extract(isodow FROM at) = 6)::numeric / count(*) AS share FROM t.move WHERE NOT arrival) s;

-- Cycle times.
CREATE TABLE t.cycle AS
SELECT w.type, w.attributes ->> 'class_of_service' AS class, c.cycle_time
FROM vsm.completions('default', '-infinity', :'until') c JOIN vsm.work_items w ON w.id = c.work_item_id WHERE c.cycle_time IS NOT NULL;
SELECT ok(cycle_time_p95 > 2.5 * cycle_time_p50 AND cycle_time_avg > cycle_time_p50, 'cycle times have a long tail') FROM t.before;
SELECT ok(bug < feature AND feature < epic, format('bugs are faster than features, and these than epics: %s < %s < %s', bug, feature, epic))
FROM (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE type = 'bug') AS bug,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE type = 'feature') AS feature,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE type = 'epic') AS epic FROM t.cycle) m;
SELECT ok(3 * expedite < standard AND fixed < standard AND standard < intangible,
          format('classes of service have their speeds: %s, %s, %s, %s', expedite, fixed, standard, intangible))
FROM (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE class = 'expedite') AS expedite,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE class = 'fixed date') AS fixed,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE class = 'standard') AS standard,
             percentile_disc(0.5) WITHIN GROUP (ORDER BY cycle_time) FILTER (WHERE class = 'intangible') AS intangible FROM t.cycle) m;
SELECT is(count(*) FILTER (WHERE (attributes ->> 'class_of_service' = 'fixed date') <> (attributes ? 'due_date')
                               OR (attributes ->> 'due_date')::date <= created_at::date), 0::bigint,
          'items of a fixed date have one, after they were created') FROM vsm.work_items;

-- What goes wrong.
SELECT results_eq('SELECT stage, queue_growth > 0, limit_hits > 0, avg_items > 5 FROM vsm.bottlenecks(''default'', ''2024-10-20 13:00+00'', ''2024-11-19 13:00+00'') WHERE rank = 1',
                  $$VALUES ('Ready for testing', true, true, true)$$, 'the queue for testing is the bottleneck, and grows');
SELECT results_eq('SELECT stage FROM vsm.wip WHERE wip > wip_limit', $$VALUES ('Ready for testing')$$, 'no other stage is over its limit');
SELECT is(count(*) FILTER (WHERE wip_limit IS NULL), 0::bigint, 'though the active ones have one too') FROM vsm.stages WHERE category = 'active';
SELECT ok(fb.cycle_time_p85 < fn.cycle_time_p85 AND cb.share > cn.share AND cb.share > 0.8 AND cn.share BETWEEN 0.5 AND 0.85,
          format('so the expectation is kept less: %s, then %s', round(cb.share, 3), round(cn.share, 3)))
FROM t.before fb, t.now fn, vsm.sle_conformance('default', fb.since, fb.until) cb, vsm.sle_conformance('default', fn.since, fn.until) cn;
SELECT cmp_ok(count(DISTINCT reason), '>=', 5::bigint, 'items are blocked, for many reasons') FROM vsm.blocked_time('default', :'since', :'until');
SELECT cmp_ok(count(block_reason), '>', 0::bigint, 'some of them now') FROM vsm.work_item_age('default', at => :'until');
SELECT cmp_ok(count(DISTINCT from_stage), '>=', 4::bigint, 'items are given up at different stages') FROM t.move WHERE to_stage = 'Discarded';
SELECT ok(bool_and(sent_back > 0 AND complete_accurate BETWEEN 0.5 AND 0.99), 'and sent back to earlier stages')
FROM vsm.rework('default', :'since', :'until') WHERE stage IN ('Analysis', 'Development');
SELECT ok(reopened > 0 AND finished_never_started > 0, 'some are reopened, and some never started')
FROM vsm.metrics('default', '-infinity', :'until');
SELECT ok(change_fail_rate BETWEEN 0.02 AND 0.15 AND rework_rate > 0 AND failed_deployment_recovery_time BETWEEN '10 minutes' AND '3 days',
          format('deployments fail: %s, %s, %s', round(change_fail_rate, 3), round(rework_rate, 3), failed_deployment_recovery_time))
FROM vsm.dora('default', :'since', :'until');
SELECT bag_eq('SELECT finding FROM vsm.data_quality(''default'') WHERE items > 0', $$VALUES ('finished_never_started'), ('recorded_late')$$,
              'there is nothing else to know of the data');

SELECT finish();
