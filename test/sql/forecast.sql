-- vsm.forecast(): Monte Carlo over daily throughput, repeatable, never of 100 %, and refused where there is too little to draw from.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', time_zone => 'Pacific/Auckland');
-- n items each day at noon of the zone: certain, so the answer can be counted.
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
CREATE FUNCTION finish(day date, n integer, kind text DEFAULT 'task') RETURNS integer LANGUAGE sql AS $$
    INSERT INTO events
    SELECT format('%s %s %s', kind, day, i), e.stage, (day + time '12:00') AT TIME ZONE 'Pacific/Auckland' - e.before, kind
    FROM generate_series(1, n) i, (VALUES ('Backlog', interval '30 minutes'), ('Production', '0')) e (stage, before) RETURNING n $$;
SELECT sum(finish(date '2026-03-01' + d, 2)) FROM generate_series(0, 9) d;
SELECT (vsm.import_events('events')).items;

-- 2 a day, for certain: 7 items in 4 days; 5 days finish 10.  Today, the 11th in Auckland, is drawn neither from nor for.
SELECT confidence, done_on, items_done, since, until, days_with_throughput, finished, trials, seed
FROM vsm.forecast(7, '2026-03-16', at => '2026-03-10 12:00+00');
SELECT confidence, done_on, items_done FROM vsm.forecast(8, at => '2026-03-10 12:00+00');
SELECT confidence, done_on, items_done FROM vsm.forecast(until => '2026-03-12', at => '2026-03-10 12:00+00');
-- two hours before it is the 10th there
SELECT DISTINCT done_on, until FROM vsm.forecast(2, at => '2026-03-10 10:00+00');

-- Of 20 days 10 finish 4, one 1 and nine none.
TRUNCATE vsm.work_items, events;
SELECT sum(finish(date '2026-03-01' + 2 * d, 4)) FROM generate_series(0, 9) d;
SELECT finish('2026-03-20', 1);
SELECT (vsm.import_events('events')).items;
CREATE VIEW line AS SELECT * FROM vsm.forecast(20, '2026-03-31', at => '2026-03-21 00:00+00');
SELECT confidence, done_on, items_done, days_with_throughput, finished FROM line;
SELECT bool_and(l = a) AS repeatable, count(*) FROM line l JOIN vsm.forecast(20, '2026-03-31', at => '2026-03-21 00:00+00') a USING (confidence);
-- The exact chance to finish so many in so many days is a sum of multinomial terms; 10,000 trials know it to 1.5 % (three standard errors).
CREATE FUNCTION chance(items bigint, days integer) RETURNS numeric LANGUAGE sql AS $$
    SELECT sum(factorial(days) / (factorial(a) * factorial(b) * factorial(days - a - b)) * 0.5 ^ a * 0.05 ^ b * 0.45 ^ (days - a - b))
    FROM generate_series(0, days) a, generate_series(0, days - a) b WHERE 4 * a + b >= items $$;
SELECT s AS seed, bool_and(chance(f.items_done, 10) * 100 >= f.confidence - 1.5 AND chance(f.items_done + 1, 10) * 100 < f.confidence + 1.5
       AND chance(20, f.done_on - date '2026-03-21') * 100 >= f.confidence - 1.5 AND chance(20, f.done_on - date '2026-03-22') * 100 < f.confidence + 1.5) AS fits
FROM generate_series(1, 4) s, vsm.forecast(20, '2026-03-31', seed => s, at => '2026-03-21 00:00+00') f GROUP BY s ORDER BY s;
-- by type; only whole days of the last history_days count
SELECT sum(finish(date '2026-03-01' + d, 1, 'bug')) FROM generate_series(0, 19) d;
SELECT (vsm.import_events('events')).items;
SELECT DISTINCT done_on FROM vsm.forecast(10, type => 'bug', at => '2026-03-21 00:00+00');
SELECT DISTINCT since, until, days_with_throughput FROM vsm.forecast(10, history_days => 7, at => '2026-03-21 00:00+00');
-- not within ten years
SELECT confidence, done_on FROM vsm.forecast(100000, type => 'bug', at => '2026-03-21 00:00+00');

-- Refused
SELECT vsm.forecast();
SELECT vsm.forecast(0);
SELECT vsm.forecast(100001);
SELECT vsm.forecast(until => '2026-03-21', at => '2026-03-21 00:00+00');
SELECT vsm.forecast(until => '2099-01-01', at => '2026-03-21 00:00+00');
SELECT vsm.forecast(1, history_days => 4);
SELECT vsm.forecast(1, trials => 99);
SELECT vsm.forecast(1, stream => 'Nope');
SELECT vsm.forecast(1, at => '2026-03-05 00:00+00');
SELECT vsm.forecast(1, type => 'epic', at => '2026-03-21 00:00+00');
SELECT vsm_api.forecast(1, stream => 'Nope');

-- As JSON, from now on
\pset format unaligned
\pset tuples_only on
TRUNCATE vsm.work_items, events;
SELECT sum(finish((now() AT TIME ZONE 'Pacific/Auckland')::date - d, 3)) FROM generate_series(1, 10) d;
SELECT (vsm.import_events('events')).items;
SELECT string_agg(k, ' ') FROM json_object_keys(vsm_api.forecast(6)) k;
SELECT f -> 'when' ->> 'items', json_array_length(f -> 'when' -> 'at'), f -> 'when' -> 'at' -> 3 ->> 'confidence',
       (f -> 'when' -> 'at' -> 3 ->> 'done_on')::date - (now() AT TIME ZONE 'Pacific/Auckland')::date, f -> 'how_many', f -> 'seed'
FROM vsm_api.forecast(6) f;
SELECT f -> 'when', f -> 'how_many' -> 'at', f ->> 'seed'
FROM vsm_api.forecast(until => (now() AT TIME ZONE 'Pacific/Auckland')::date + 4, seed => 42) f;
