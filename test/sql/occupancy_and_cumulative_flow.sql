-- wip_at, occupancy and cumulative_flow on items that move back, skip stages and come back from done.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
\getenv inputs PG_ABS_SRCDIR
\set setup :inputs '/sql/setup/eight_items.psql'
\i :setup

-- The numbers of a day, in the order of the stages.
CREATE FUNCTION line(bigint[]) RETURNS text LANGUAGE sql RETURN array_to_string($1, ' ');
CREATE FUNCTION place(text) RETURNS integer LANGUAGE sql RETURN (SELECT "order" FROM vsm.stages WHERE stream = 'flow' AND name = $1);
-- Moves of the instant are in: on 9, B is in Work again, D and F in Check; A, C, E and G are done.
SELECT * FROM vsm.wip_at('flow', '2024-01-09');
SELECT * FROM vsm.wip_at('flow', '2024-01-08 23:59:59.999999');
SELECT * FROM vsm.wip_at('flow', '2024-01-09', 'bug');
SELECT line(array_agg(items ORDER BY place(stage))) FROM vsm.wip_at('flow', '2023-12-31');
SELECT line(array_agg(items ORDER BY place(stage))) FROM vsm.wip_at('flow', '-infinity');
SELECT line(array_agg(items ORDER BY place(stage))) FROM vsm.wip_at('flow', 'infinity');
SELECT line(array_agg(items ORDER BY place(stage))) FROM vsm.wip_at('flow');
SELECT stage, wip FROM vsm.wip;

-- Who is really there: it falls when items move on or back.
SELECT at::date, line(array_agg(items ORDER BY place(stage))) AS "Inbox Work Queue Check Done" FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '1 day') GROUP BY at ORDER BY at;
-- Who has reached the stage or a later one: it never falls, and a skipped stage counts as reached.
SELECT at::date, line(array_agg(items ORDER BY place(stage))) AS "Inbox Work Queue Check Done" FROM vsm.cumulative_flow('flow', '2024-01-01', '2024-01-13', '1 day') GROUP BY at ORDER BY at;
-- In the order of time and stages, and the same as wip_at at each of its points.
SELECT stage, items FROM vsm.occupancy('flow', '2024-01-09', '2024-01-09', '1 day');
SELECT count(*) AS points, count(*) FILTER (WHERE o.items <> w.items) AS different
FROM vsm.occupancy('flow', '2023-12-30 05:00', '2024-01-14', '7 hours') o, LATERAL vsm.wip_at('flow', o.at) w WHERE w.stage = o.stage;
-- It never falls in time nor rises along the stages, whatever the step.
SELECT count(*) AS falls FROM (SELECT items - lag(items) OVER (PARTITION BY stage ORDER BY at) AS more FROM vsm.cumulative_flow('flow', '2023-12-30 05:00', '2024-01-14', '7 hours')) f WHERE more < 0;
-- Steps that do not meet the end, of weeks and months, infinite bounds, a type.
SELECT at, line(array_agg(items ORDER BY place(stage))) FROM vsm.occupancy('flow', '2024-01-01', '2024-01-13', '5 days') GROUP BY at ORDER BY at;
SELECT at, line(array_agg(items ORDER BY place(stage))) FROM vsm.cumulative_flow('flow', '2023-12-31', '2024-02-29', '1 month') GROUP BY at ORDER BY at;
SELECT at, line(array_agg(items ORDER BY place(stage))) FROM vsm.cumulative_flow('flow', '-infinity', 'infinity', '1 week') GROUP BY at ORDER BY at;
SELECT at::date, line(array_agg(items ORDER BY place(stage))) FROM vsm.occupancy('flow', '2024-01-08', '2024-01-10', type => 'bug') GROUP BY at ORDER BY at;
SELECT at::date, line(array_agg(items ORDER BY place(stage))) FROM vsm.cumulative_flow('flow', '2024-01-08', '2024-01-10', type => 'bug') GROUP BY at ORDER BY at;
-- Today is in the default window.
SELECT count(DISTINCT at) AS points, sum(items) FILTER (WHERE stage = 'Done' AND place = 1) AS done FROM (SELECT *, row_number() OVER (PARTITION BY stage ORDER BY at) AS place FROM vsm.occupancy('flow')) o;
-- An empty stream has its stages, and nothing in them.
SELECT name FROM vsm.define_stream('empty', '[{"name": "Open"}, {"name": "Done", "category": "done"}]');
SELECT * FROM vsm.occupancy('empty', '2024-01-01', '2024-01-02');
SELECT * FROM vsm.cumulative_flow('empty', '2024-01-01', '2024-01-01');
SELECT * FROM vsm.wip_at('empty', '2024-01-01');
