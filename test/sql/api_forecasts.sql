-- Forecasts, bottlenecks, DORA and the Flow Framework as JSON, and what clients report.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('team', '[{"name":"Todo","category":"wait"},{"name":"Dev","wip_limit":3},{"name":"Done","category":"done"}]', 'Europe/Berlin');
CREATE TABLE events AS
SELECT format('%s %s', d::date, i) AS case_id, e.stage, (d + time '12:00') AT TIME ZONE 'Europe/Berlin' - e.before AS entered_at, 'bug' AS type
FROM generate_series(timestamp '2026-03-09', '2026-04-03', '1 day') d, generate_series(1, 2) i,
     (VALUES ('Todo', interval '1 day'), ('Dev', '6 hours'), ('Done', '0')) e (stage, before)
WHERE extract(isodow FROM d) < 6;
SELECT (vsm.import_events('events', 'team')).items;
SELECT (vsm.create_work_item('open', 'bug', 'team', 'O', '2026-04-03 08:00+00')).external_id;

SELECT vsm_api.set_day_off('2026-04-06', 'team', 'Easter Monday');
SELECT vsm_api.set_day_off('2026-04-07', 'team');
SELECT vsm_api.set_day_off('2026-04-06', 'team', 'Easter');
SELECT vsm_api.days_off('team');
SELECT vsm_api.delete_day_off('2026-04-07', 'team');
SELECT vsm_api.forecast(10, '2026-04-12', 'team', working_days => '1,2,3,4,5', exclude_outliers => true, at => '2026-04-04', history_days => 20);
SELECT vsm_api.forecast_items('team', at => '2026-04-04', working_days => '1,2,3,4,5');
SELECT vsm_api.forecast_delivery('{"team": 4}', at => '2026-04-04 00:00+02', working_days => '1,2,3,4,5');
SELECT json_array_length(b -> 'points'), b -> 'points' -> 0, b -> 'confidences', b -> 'days', b -> 'items', b -> 'working_days'
FROM vsm_api.forecast_backtest(days => 4, stream => 'team', since => '2026-03-20', until => '2026-03-28', working_days => '1,2,3,4,5') b;
SELECT b -> 'points' -> 3, b -> 'days', b -> 'items' FROM vsm_api.forecast_backtest(3, stream => 'team', since => '2026-03-20', until => '2026-03-28', working_days => '1,2,3,4,5') b;
SELECT vsm_api.bottlenecks('team', '2026-03-09', '2026-03-14');
SELECT vsm_api.dora('team', '2026-03-09', '2026-03-14');
SELECT vsm_api.dora('team', '2026-03-13', '2026-03-15', 'day', 'bug', from_stage => 'Dev', to_stage => 'Done');
SELECT vsm_api.flow_framework('team', '2026-03-09', '2026-03-14');
SELECT vsm_api.flow_framework('team', '2026-03-13', '2026-03-15', 'day', reopen_rule => 'episodes');

-- A failure, its recovery; a deployment, corrected; an incident, and that it is over.
SELECT f ->> 'failed_at', f ->> 'recovered_at', f ->> 'reason' FROM vsm.work_items w, vsm_api.mark_failure(w.id, '2026-03-20 09:00+00', NULL, 'slow') f WHERE w.external_id = '2026-03-10 1';
SELECT f ->> 'failed_at', f ->> 'recovered_at', f ->> 'reason' FROM vsm.work_items w, vsm_api.mark_failure(w.id, recovered_at => '2026-03-21 09:00+00') f WHERE w.external_id = '2026-03-10 1';
SELECT vsm_api.add_deployment('2026-03-19 09:00+00', 'team', 'v1', description => 'the first');
SELECT vsm_api.add_deployment(stream => 'team', external_id => 'v1', rework => true);
SELECT vsm_api.add_incident('2026-03-20 09:00+00', 'team', 'i1', 'v1', description => 'down');
SELECT vsm_api.add_incident(stream => 'team', external_id => 'i1', recovered_at => '2026-03-20 11:00+00');
SELECT d -> 'source', d -> 'buckets' FROM vsm_api.dora('team', '2026-03-16', '2026-03-23') d;
SELECT d -> 'buckets' FROM vsm_api.dora('team', '2026-03-09', '2026-03-23', source => 'items') d;
-- without an id elsewhere each is another one
SELECT count(vsm_api.add_deployment(stream => 'team')) FROM generate_series(1, 2);
SELECT count(vsm_api.add_deployment(stream => 'team', external_id => '')) FROM generate_series(1, 2);
SELECT count(*) FROM vsm.deployments;

-- Refused
SELECT vsm_api.forecast(1, stream => 'team', working_days => '0');
SELECT vsm_api.forecast(1, stream => 'team', working_days => 'mon');
SELECT vsm_api.forecast(1, stream => 'team', working_days => '');
SELECT vsm_api.forecast(1, stream => 'team', at => 'soon');
SELECT vsm_api.forecast_items('team', "limit" => 0);
SELECT vsm_api.forecast_items('Nope');
SELECT vsm_api.forecast_delivery('{"Nope": 1}');
SELECT vsm_api.forecast_delivery('[]');
SELECT vsm_api.forecast_backtest(stream => 'Nope');
SELECT vsm_api.bottlenecks('Nope');
SELECT vsm_api.dora('team', from_stage => 'Nope', to_stage => 'Dev');
SELECT vsm_api.dora('team', step => 'year');
SELECT vsm_api.flow_framework('team', step => 'year');
SELECT vsm_api.mark_failure(4711);
SELECT vsm_api.add_deployment(stream => 'Nope');
SELECT vsm_api.add_incident(stream => 'Nope');
SELECT vsm_api.add_incident('2026-03-20 09:00+00', 'team', recovered_at => '2026-03-19 09:00+00');
SELECT vsm_api.days_off('Nope');
SELECT vsm_api.set_day_off('2026-04-06', 'Nope');
SELECT vsm_api.set_day_off(NULL, 'team');
SELECT vsm_api.delete_day_off('2026-04-07', 'team');
SELECT vsm_api.delete_day_off('2026-04-07', 'Nope');
