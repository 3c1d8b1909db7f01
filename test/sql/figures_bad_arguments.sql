-- Arguments of the figures that cannot be, each refused with its reason.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

SELECT vsm.metrics('Flow');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.metrics(NULL);
SELECT * FROM vsm.wip_at('nowhere');
SELECT * FROM vsm.occupancy('nowhere');
SELECT * FROM vsm.cumulative_flow('nowhere');
SELECT * FROM vsm.throughput('nowhere');
SELECT * FROM vsm.time_in_stage('nowhere');
SELECT vsm.flow_efficiency('nowhere');
SELECT * FROM vsm.work_item_age('nowhere');
SELECT * FROM vsm.data_quality('nowhere');
SELECT * FROM vsm.completions('nowhere');
\echo :LAST_ERROR_SQLSTATE
-- The default stream is unknown until its first use.
SELECT * FROM vsm.metrics();

SELECT * FROM vsm.metrics('flow', '2024-01-13', '2024-01-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.metrics('flow', 'infinity', '-infinity');
SELECT * FROM vsm.metrics('flow', NULL, '2024-01-01');
SELECT * FROM vsm.throughput('flow', '2024-01-13', NULL);
SELECT * FROM vsm.time_in_stage('flow', '2024-01-13', '2024-01-01');
SELECT vsm.flow_efficiency('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.occupancy('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.cumulative_flow('flow', '2024-01-13', '2024-01-01');
SELECT * FROM vsm.metrics('flow', '2024-01-01', '2024-01-13', NULL, 'first');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.completions('flow', '2024-01-01', '2024-01-13', NULL, 'Episodes');

SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', 'hour');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', NULL);
SELECT * FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', 'Day');
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '0');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '-1 day');
SELECT * FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', NULL);
SELECT * FROM vsm.cumulative_flow('flow', '2024-01-01', '2024-01-13', '1 second');
SELECT * FROM vsm.wip_at('flow', NULL);
-- A filter that names what does not exist.
SELECT throughput, arrivals, round(wip, 6) AS wip FROM vsm.metrics('flow', '2024-01-01', '2024-01-13', 'nonsense');
SELECT count(*) FROM vsm.completions('flow', '2024-01-01', '2024-01-13', 'nonsense');
SELECT vsm.wip_at('flow', '2024-01-13', attributes => '{"team": "red"}');
SELECT vsm.work_item_age('flow', attributes => '["team"]');
SELECT count(*) FROM vsm.throughput('flow', '2024-01-01', '2024-01-13', attributes => '{}');

-- the ends of the calendar
SELECT vsm.metrics('flow', '4714-11-24 00:00+00 BC', '2024-01-01');
SELECT vsm.dora('flow', '2024-01-01', '294276-12-31 23:00+00');
SELECT vsm.flow_balance('flow', '294276-12-31 23:00+00', 'infinity');

-- a text that is no time is refused by the name that it was given under
CREATE FUNCTION refused(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call;
    RETURN 'answered';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlerrm;
END $$;
SELECT count(*) FILTER (WHERE r.message = r.name || ' is not a time') AS by_name, string_agg(r.call || ': ' || r.message, E'\n') FILTER (WHERE r.message <> r.name || ' is not a time') AS otherwise
FROM (SELECT a.name, c.call, refused(c.call) AS message
      FROM pg_proc p
      CROSS JOIN LATERAL unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) a (name, type)
      CROSS JOIN LATERAL (
          SELECT format('SELECT vsm_api.%I(stream => %L, %I => %L%s)', p.proname, 'flow', a.name, 'soon',
                        -- what it must be given
                        (SELECT string_agg(format(', %I => %s', m.name, CASE m.name WHEN 'items' THEN '3' WHEN 'from_stage' THEN '''Work''' WHEN 'to_stage' THEN '''Done''' WHEN 'figure' THEN '''wip''' ELSE 'NULL' END), '')
                         FROM unnest(p.proargnames[:p.pronargs - p.pronargdefaults]) m (name))) AS call) c
      WHERE p.pronamespace = 'vsm_api'::regnamespace AND 'stream' = ANY (p.proargnames) AND a.name IN ('since', 'until', 'at', 'known_at') AND a.type = 'text'::regtype) r;
