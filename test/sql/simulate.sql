-- A simulated value stream is the same everywhere, and looks like the work of a team.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;

-- The same arguments give these very rows on every platform and server, whatever the session's settings.
SELECT * FROM vsm.simulate(items => 3, days => 10, seed => 42, until => '2026-11-20 15:00+00');
CREATE TABLE log AS
SELECT row_number() OVER () AS n, * FROM vsm.simulate(items => 3000, until => '2026-11-20 15:00+00');
SELECT count(*),
       md5(string_agg(concat_ws(',', case_id, stage, extract(epoch FROM entered_at), type, title), ';' ORDER BY n))
FROM log;
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'SQL, DMY';
SET extra_float_digits = -15;
SET work_mem = '64kB';
SELECT count(*) AS rows_that_differ
FROM (SELECT row_number() OVER () AS n, * FROM vsm.simulate(3000, 90, 1, '20/11/2026 20:30+05:30')) again
FULL JOIN log USING (n, case_id, stage, entered_at, type, title)
WHERE again IS NULL OR log IS NULL;
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SELECT count(*) > 0 AS another_seed_differs
FROM (SELECT row_number() OVER () AS n, * FROM vsm.simulate(3000, 90, 2, '2026-11-20 15:00+00')) other
JOIN log USING (n) WHERE other.entered_at <> log.entered_at;

-- Items come in order of arrival, their moves in order of time, never to the stage they are in, all in the window.
SELECT count(DISTINCT case_id) AS items, min(case_id) AS first, max(case_id) AS last,
       count(*) FILTER (WHERE case_id < before) AS items_out_of_order,
       count(*) FILTER (WHERE case_id = before AND entered_at <= at_before) AS moves_out_of_order,
       count(*) FILTER (WHERE case_id = before AND stage = stage_before) AS moves_to_itself,
       count(*) FILTER (WHERE case_id IS DISTINCT FROM before AND stage <> 'Backlog') AS not_from_backlog,
       count(*) FILTER (WHERE entered_at < '2026-08-22 15:00+00' OR entered_at >= '2026-11-20 15:00+00') AS outside
FROM (SELECT *, lag(case_id) OVER w AS before, lag(stage) OVER w AS stage_before, lag(entered_at) OVER w AS at_before
      FROM log WINDOW w AS (ORDER BY n)) l;

-- Four types, few arrivals at weekends, rework, returns, reopened items, and some that skip all work: percent of the items.
SELECT round(100.0 * count(*) FILTER (WHERE type = 'feature') / count(*)) AS features,
       round(100.0 * count(*) FILTER (WHERE type = 'bug') / count(*)) AS bugs,
       round(100.0 * count(*) FILTER (WHERE type = 'task') / count(*)) AS tasks,
       round(100.0 * count(*) FILTER (WHERE type = 'epic') / count(*)) AS epics,
       round(100.0 * count(*) FILTER (WHERE extract(isodow FROM arrived AT TIME ZONE 'UTC') > 5) / count(*)) AS weekend,
       round(100.0 * count(*) FILTER (WHERE path ~ 'TD') / count(*)) AS reworked,
       round(100.0 * count(*) FILTER (WHERE path ~ '.B') / count(*)) AS returned,
       round(100.0 * count(*) FILTER (WHERE path ~ 'P.') / count(*), 1) AS reopened,
       round(100.0 * count(*) FILTER (WHERE path ~ '^BP') / count(*), 1) AS never_started,
       round(100.0 * count(*) FILTER (WHERE path !~ 'P$') / count(*)) AS open,
       round(avg(length(path)), 1) AS moves
FROM (SELECT case_id, type, min(entered_at) AS arrived, string_agg(left(replace(stage, 'Deploy', 'R'), 1), '' ORDER BY n) AS path
      FROM log GROUP BY case_id, type) item;

-- After the first weeks as many items finish as arrive: the number of open ones stays about the same.
SELECT at::date, count(*) FILTER (WHERE stage <> 'Production') AS open
FROM generate_series(timestamptz '2026-09-20 00:00+00', '2026-11-20 00:00+00', '10 days') at
CROSS JOIN LATERAL (SELECT DISTINCT ON (case_id) stage FROM log WHERE entered_at <= at ORDER BY case_id, n DESC) present
GROUP BY at ORDER BY at;

-- Ids sort as numbers do, however many there are.
SELECT min(case_id), max(case_id) FROM vsm.simulate(1000000, 1, 1, '2026-11-20 15:00+00') WHERE stage = 'Backlog';

-- The ends of the ranges.
SELECT count(*) > 0 AS any FROM vsm.simulate(1, 1, -9223372036854775808, '1900-01-01 00:00+00');
SELECT max(entered_at) < '294276-12-31 23:59:59+00' AS in_window
FROM vsm.simulate(1000, 36500, 9223372036854775807, '294276-12-31 23:59:59+00');
SELECT count(*) FROM vsm.simulate(items => NULL);

-- What cannot be simulated.
SELECT * FROM vsm.simulate(items => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM vsm.simulate(items => -1);
SELECT * FROM vsm.simulate(items => 10000001);
SELECT * FROM vsm.simulate(days => 0);
SELECT * FROM vsm.simulate(days => 36501);
SELECT * FROM vsm.simulate(until => 'infinity');
SELECT * FROM vsm.simulate(until => '-infinity');
SELECT * FROM vsm.simulate(days => 36500, until => '4700-01-01 00:00+00 BC');
