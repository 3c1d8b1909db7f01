-- vsm_api: figures as JSON.  Each says what the function of schema vsm says, in the units and keys of the REST surface.
SET TimeZone = 'America/Caracas';		-- answers are in UTC, days in the zone of the stream
SET IntervalStyle = iso_8601;
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on
SELECT name FROM vsm.define_stream('flow', '[{"name": "Inbox", "category": "wait"}, {"name": "Work"}, {"name": "Queue", "category": "wait"},
    {"name": "Done", "category": "done"}]', 'Europe/Berlin');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO events
    SELECT m.item, split_part(e, ' ', 1), timestamptz '2023-12-31 UTC' + split_part(e, ' ', 2)::integer * interval '6 hours', m.type
    FROM (VALUES ('A', 'bug', '{Inbox 4,Work 6,Queue 10,Done 14}'::text[]), ('B', 'task', '{Inbox 5,Work 8,Done 9}'),
                 ('C', 'task', '{Inbox 7,Done 12}'), ('D', 'bug', '{Inbox 8,Work 9,Inbox 13}')) m (item, type, entries), unnest(m.entries) e;
SELECT * FROM vsm.import_events('events', 'flow');
UPDATE vsm.stages SET wip_limit = 3 WHERE name = 'Inbox';

SELECT regexp_replace(vsm_api.wip()::text, '"source":"[a-z ]+"', '"source":"<source>"', 'g');
SELECT vsm_api.wip()::text = vsm_api.wip('flow')::text AS same;
SELECT vsm_api.cumulative_flow('flow', '2024-01-01', '2024-01-04');
SELECT vsm_api.cumulative_flow('flow', '2024-01-01', '2024-01-04', type => 'bug') -> 'points' -> 2 AS bugs;
SELECT vsm_api.occupancy('flow', '2024-01-01T00:00:00Z', '2024-01-03T00:00:00Z', '12 hours');
-- A finished at noon of the 3rd, B at 06:00 of the 2nd, C at midnight UTC between: the 3rd in Berlin.
SELECT vsm_api.throughput('flow', '2024-01-01T00:00:00Z', '2024-01-05T00:00:00Z');
SELECT vsm_api.throughput('flow', '2024-01-01T00:00:00Z', '2024-01-15T00:00:00Z', 'week', 'task');
SELECT vsm_api.throughput('flow', '-infinity', 'infinity', 'month');
SELECT regexp_replace(vsm_api.time_in_stage('flow', '2024-01-01T00:00:00Z', '2024-01-05T00:00:00Z')::text, '"open_avg":\d+\.\d\d', '"open_avg":<age>', 'g');
SELECT vsm_api.flow_efficiency('flow', '2024-01-01T00:00:00Z', '2024-01-05T00:00:00Z');
SELECT vsm_api.flow_efficiency('flow', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z', 'bug');
SELECT vsm_api.cycle_times('flow', '2024-01-01T00:00:00Z', '2024-01-05T00:00:00Z', "limit" => 2);
SELECT vsm_api.cycle_times('flow', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z');
SELECT regexp_replace(regexp_replace(vsm_api.work_item_age('flow')::text, '_hours":\d+\.\d\d', '_hours":<age>', 'g'), '"at":"[^"]*"', '"at":<now>');
-- As of a date, which begins in the stream's zone; as it was known before anything was recorded.
SELECT vsm_api.work_item_age('flow', at => '2024-01-03');
SELECT vsm_api.work_item_age('flow', at => '2024-01-03', known_at => '2024-01-03T00:00:00Z');
SELECT m ->> 'since' AS since, m ->> 'until' AS until, m ->> 'open_at_since' AS open_at_since, m ->> 'arrivals' AS arrivals, m ->> 'departures' AS departures,
       m ->> 'open_at_until' AS open_at_until, m -> 'percentiles' AS percentiles, m ->> 'reopen_rule' AS reopen_rule
FROM vsm_api.metrics(stream => 'flow', since => '2024-01-01', until => '2024-01-05', percentiles => '{50,99.9}', reopen_rule => 'sum_started') m;
UPDATE vsm.work_items SET attributes = '{"team": "red"}' WHERE title IN ('A', 'D');
SELECT vsm_api.cycle_times('flow', '2024-01-01', '2024-01-05', attributes => '{"team": "red"}', percentiles => '{50}');
SELECT vsm_api.work_items(stream => 'flow', attributes => '{"team": "red"}', open => false) -> 'items' -> 0 -> 'attributes';
SELECT vsm_api.work_item_age('flow', 'task');
-- Percentiles that are asked for are those that are always there, by every rule, filter and whole history.
SELECT bool_and(m -> 'percentiles' #> '{0,cycle_time}' IS NOT DISTINCT FROM m -> 'cycle_time_p50' AND m -> 'percentiles' #> '{1,lead_time}' IS NOT DISTINCT FROM m -> 'lead_time_p85')
FROM unnest('{span_first_last,span_last,sum_active,sum_started,episodes}'::text[]) rule, unnest('{bug,task,NULL}'::text[]) type,
     LATERAL (SELECT vsm_api.metrics(stream => 'flow', type => type, since => '-infinity', until => 'infinity', reopen_rule => rule, percentiles => '{50,85}')::jsonb) a (m);
SELECT bool_and(s -> 'p50' = s -> 'percentiles' #> '{0,hours}' AND s -> 'p85' = s -> 'percentiles' #> '{1,hours}' AND s -> 'p95' = s -> 'percentiles' #> '{2,hours}'), count(*)
FROM unnest('{bug,task,NULL}'::text[]) type, unnest('{-infinity,2024-01-02}'::text[]) since, unnest('{infinity,2024-01-03}'::text[]) until,
     LATERAL jsonb_array_elements(vsm_api.time_in_stage('flow', since, until, type, percentiles => '{50,85,95}')::jsonb) s;

-- The last days, from now: old items are still in progress.  Keys in order; the window is as long as asked for.
SELECT string_agg(k, ' ') FROM json_object_keys(vsm_api.metrics(30, 'flow')) k;
SELECT m ->> 'throughput', m ->> 'wip', m ->> 'cycle_time_avg' IS NULL, m ->> 'wip_now', m ->> 'stream', m ->> 'reopen_rule', m ->> 'percentile_rule',
       (m ->> 'period_end')::timestamptz - (m ->> 'period_start')::timestamptz = interval '720 hours', m ->> 'period_end' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$'
FROM vsm_api.metrics(30, 'flow') m;
-- an item of this hour: hours to two decimals, numbers with a point
SELECT count(vsm_api.create_work_item('now', stream => 'flow', at => clock_timestamp() - interval '90 minutes'));
SELECT count(vsm_api.transition(id, 'Work', clock_timestamp() - interval '60 minutes 15 seconds')) FROM vsm.work_items WHERE title = 'now';
SELECT count(vsm_api.transition(id, 'Done', clock_timestamp() - interval '15 seconds')) FROM vsm.work_items WHERE title = 'now';
SELECT m -> 'throughput', m -> 'cycle_time_avg', m -> 'cycle_time_p50', m -> 'cycle_time_p85', m -> 'cycle_time_p95', m -> 'lead_time_p50', m -> 'flow_efficiency'
FROM vsm_api.metrics(stream => 'flow') m;

SELECT type, m ->> 'type', m ->> 'throughput', m ->> 'wip_now' FROM unnest('{bug,task,epic,NULL}'::text[]) type, vsm_api.metrics(7, 'flow', type) m;

-- Stability and rework, as in flow_stability and rework.
SELECT vsm_api.flow_balance('flow', '2024-01-03', '2024-01-13', 'week');
SELECT vsm_api.littles_law('flow', '2024-01-01', '2024-01-13');
SELECT vsm_api.process_behaviour('cycle_time', 'flow', '2024-01-01', '2024-01-13', 'item');
SELECT a -> 'unit', a -> 'points' -> 4 FROM vsm_api.process_behaviour('wip', 'flow', '2024-01-01', '2024-01-13', moving => 3) a;
SELECT a -> 'stages', a -> 'edges' -> 0, a -> 'edges' -> 2 FROM vsm_api.flow_graph('flow', '2024-01-01', '2024-01-13') a;
SELECT vsm_api.flow_paths('flow', '2024-01-01', '2024-01-13', "limit" => 1);
SELECT a -> 'rolled_complete_accurate', a -> 'stages' -> 0 FROM vsm_api.rework('flow', '2024-01-01', '2024-01-13') a;
SELECT vsm_api.cycle_times_between('Work', 'Done', 'flow', '2024-01-01', '2024-01-13', "limit" => 1, percentiles => '{50}');

-- Defaults: 30 days, each day a bucket or point (one of Berlin's days has 25 hours)
SELECT json_array_length(a -> 'points') BETWEEN 30 AND 31, (a ->> 'until')::timestamptz - (a ->> 'since')::timestamptz = interval '720 hours' FROM vsm_api.occupancy('flow') a;
SELECT json_array_length(a -> 'buckets') BETWEEN 30 AND 31 FROM vsm_api.throughput('flow') a;
SELECT a -> 'n' FROM vsm_api.cycle_times('flow') a;

-- What is not there or out of range; every function looks the stream up in the same words.
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT f, refusal(format('SELECT vsm_api.%s(stream => ''Nope'')', f))
FROM unnest('{metrics,wip,stages,cumulative_flow,occupancy,throughput,time_in_stage,work_item_age,flow_efficiency,cycle_times,flow_balance,littles_law,process_behaviour,flow_graph,flow_paths,rework,import_end,work_items}'::text[]) f;
SELECT a, refusal('SELECT vsm_api.' || a)
FROM unnest(ARRAY['metrics(0, ''flow'')', 'metrics(91, ''flow'')', 'metrics(2147483647, ''flow'')', 'metrics(NULL, ''flow'')', 'cumulative_flow(''flow'', step => ''0'')',
    'occupancy(''flow'', step => ''1 second'')', 'throughput(''flow'', step => ''year'')', 'cycle_times(''flow'', "limit" => 0)',
    'work_item_age(''flow'', "limit" => 5001)', 'metrics(stream => ''flow'', known_at => ''soon'')', 'metrics(stream => ''flow'', percentiles => ''{100}'')',
    'metrics(stream => ''flow'', percentiles => ''{50,NULL}'')', 'throughput(''flow'', reopen_rule => ''nonsense'')', 'work_items(attributes => ''{"size": 1}'')',
    'flow_efficiency(''flow'', attributes => ''[]'')', 'flow_paths(''flow'', "limit" => 1001)', 'process_behaviour(''speed'', ''flow'')', 'process_behaviour(''wip'', ''flow'', baseline_until => ''2100-01-01'')',
    'cycle_times_between(''Work'', ''Nope'', ''flow'')', 'cycle_times_between(''Work'', NULL, ''flow'')', 'time_in_stage(''flow'', ''2024-02-01'', ''2024-01-01'')']) a;
