-- Forecasts with working days and days off, without outliers, of single items, of several streams, and of the past.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT s.name FROM unnest('{web,app,empty}'::text[]) s (name), vsm.define_stream(s.name, '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"}]', 'Europe/Berlin');
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
CREATE FUNCTION finish(of_stream text, day date, n integer) RETURNS integer LANGUAGE sql AS $$
    INSERT INTO events SELECT format('%s %s %s', of_stream, day, i), e.stage, (day + time '12:00') AT TIME ZONE 'Europe/Berlin' - e.before, 'task'
    FROM generate_series(1, n) i, (VALUES ('Todo', interval '30 minutes'), ('Done', '0')) e (stage, before) RETURNING n $$;

-- Four weeks over the change of clocks: two items on each day from Monday to Friday, none at weekends.
SELECT count(finish('web', d::date, 2)) FROM generate_series(timestamp '2026-03-09', '2026-04-03', '1 day') d WHERE extract(isodow FROM d) < 6;
SELECT (vsm.import_events('events', 'web')).items;
-- On Friday evening: ten items take the five working days of the next week; weekends never saw work.
SELECT confidence, done_on, items_done, days_with_throughput, finished, working_days, days_off, outliers
FROM vsm.forecast(10, '2026-04-12', 'web', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}');
-- Without a calendar some trials work on weekends.
SELECT count(*) FILTER (WHERE extract(isodow FROM f.done_on) > 5) AS at_weekends FROM generate_series(8, 30) n, vsm.forecast(n, stream => 'web', at => '2026-04-04 10:00+02') f;
SELECT count(*) FILTER (WHERE extract(isodow FROM f.done_on) > 5) AS at_weekends
FROM generate_series(8, 30) n, vsm.forecast(n, stream => 'web', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}') f;
-- Easter Monday is off.  A past day off is drawn for days off only: without it, Tuesday 24 March, nothing changes but what was finished.
INSERT INTO vsm.days_off VALUES ('web', '2026-04-06', 'Easter Monday'), ('app', '2026-04-07', 'of another stream');
SELECT confidence, done_on, items_done FROM vsm.forecast(10, '2026-04-12', 'web', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}');
INSERT INTO vsm.days_off VALUES ('web', '2026-03-24', NULL);
SELECT DISTINCT days_with_throughput, finished, days_off FROM vsm.forecast(10, NULL, 'web', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}');
-- Days off alone, with all days of the week worked on: as many days off as there are.
SELECT DISTINCT days_off, working_days FROM vsm.forecast(10, NULL, 'web', at => '2026-04-04 10:00+02');
DELETE FROM vsm.days_off;
-- Weekends are drawn as they were: one item on each of them.
SELECT count(finish('web', d::date, 1)) FROM generate_series(timestamp '2026-03-09', '2026-04-03', '1 day') d WHERE extract(isodow FROM d) > 5;
SELECT (vsm.import_events('events', 'web')).items;
SELECT confidence, done_on FROM vsm.forecast(10, stream => 'web', at => '2026-04-03 10:00+02', working_days => '{1,2,3,4,5}');

TRUNCATE events;
-- Outliers: 19 working days finish 2, and one 48.  The mean is 4.3, the mean moving range 92 / 19 = 4.84, the limit 17.2.
SELECT finish('app', '2026-03-25', 48), count(finish('app', d::date, 2)) FROM generate_series(timestamp '2026-03-09', '2026-04-03', '1 day') d WHERE extract(isodow FROM d) < 6;
SELECT (vsm.import_events('events', 'app')).items;
SELECT confidence, done_on, outliers, finished, days_with_throughput
FROM vsm.forecast(10, stream => 'app', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}', exclude_outliers => true);
SELECT DISTINCT outliers, finished FROM vsm.forecast(10, stream => 'app', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}');
SELECT vsm._without_outliers('{2,2,2,50,2,2,2,2,2,2}') AS without, vsm._without_outliers('{0,0,0,0,1,0,0,0}') AS one, vsm._without_outliers('{7}') AS single, vsm._without_outliers('{}') AS none;

-- Each open item: two a day, so the third on the second working day.
SELECT vsm.create_work_item(t.title, stream => 'app', at => t.at::timestamptz) FROM (VALUES ('b', '2026-04-01 09:00+02'), ('c', '2026-04-01 10:00+02'), ('a', '2026-03-30 09:00+02')) t (title, at) \g /dev/null
SELECT vsm.transition(w.id, 'Doing', '2026-04-02 09:00+02') FROM vsm.work_items w WHERE w.title = 'c' \g /dev/null
SELECT place, title, stage, age, done_on_50, done_on_95 FROM vsm.forecast_items('app', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}', exclude_outliers => true);
SELECT place, title, stage, age, done_on_50, done_on_95 FROM vsm.forecast_items('app', 'order', at => '2026-04-04 10:00+02', working_days => '{1,2,3,4,5}', exclude_outliers => true);
-- before the third was started, and before any was there
SELECT place, title, stage, age, done_on_85 FROM vsm.forecast_items('app', at => '2026-04-01 12:00+02', working_days => '{1,2,3,4,5}', exclude_outliers => true);
SELECT count(*) FROM vsm.forecast_items('app', at => '2026-03-29 12:00+02', working_days => '{1,2,3,4,5}');

-- Together: app needs two working days for 4, web five for 10.
SELECT * FROM vsm.forecast_delivery('{"web": 10, "app": 4}', at => '2026-04-05 10:00+02', working_days => '{1,2,3,4,5}', exclude_outliers => true);

-- Backtests: every week is as good as any, 2 on a working day and 1 on others, up to Friday 3 April.
SELECT as_of, confidence, forecast, actual, held FROM vsm.forecast_backtest(days => 7, stream => 'web', since => '2026-03-24 00:00+01', until => '2026-04-04 00:00+02', working_days => '{1,2,3,4,5}')
WHERE confidence IN (50, 95);
SELECT as_of, confidence, forecast, actual, held FROM vsm.forecast_backtest(12, stream => 'web', since => '2026-03-24 00:00+01', until => '2026-04-04 00:00+02', working_days => '{1,2,3,4,5}')
WHERE confidence = 85;
-- What leaves done later counts until then: two items of Monday the 23rd go back on Thursday, and one returns on Friday.
SELECT vsm.transition(w.id, 'Doing', '2026-04-09 10:00+02') FROM vsm.work_items w WHERE w.external_id ~ '^web 2026-03-23' \g /dev/null
SELECT vsm.transition(w.id, 'Done', '2026-04-10 10:00+02') FROM vsm.work_items w WHERE w.external_id = 'web 2026-03-23 1' \g /dev/null
SELECT as_of, actual FROM vsm.forecast_backtest(days => 1, stream => 'web', since => '2026-03-22 00:00+01', until => '2026-04-12') WHERE confidence = 50 AND as_of IN ('2026-03-22', '2026-04-08', '2026-04-09');
SELECT as_of, forecast, actual, held FROM vsm.forecast_backtest(days => 18, stream => 'web', since => '2026-03-22 00:00+01', until => '2026-04-12') WHERE confidence = 95 AND as_of IN ('2026-03-22', '2026-03-23');
-- nothing to replay: a stream without moves, a window of no whole day, too few days before it
SELECT count(*) FROM vsm.forecast_backtest(stream => 'empty');
SELECT count(*) FROM vsm.forecast_backtest(stream => 'web', since => '2026-03-24 01:00+01', until => '2026-03-25 23:00+01');
SELECT count(*) FROM vsm.forecast_backtest(stream => 'web', since => '2026-03-09', until => '2026-03-13');

-- Many days of no throughput are no outliers, and a week without a working day has no forecast.
SELECT vsm._without_outliers(array_fill(0::bigint, ARRAY[30]) || '{1,1}') = array_fill(0::bigint, ARRAY[30]) || '{1,1}'::bigint[] AS kept;

-- Refused
SELECT vsm.forecast(1, stream => 'web', working_days => '{}');
SELECT vsm.forecast(1, stream => 'web', working_days => '{0}');
SELECT vsm.forecast(1, stream => 'web', working_days => '{1,NULL}');
SELECT vsm.forecast(1, stream => 'web', working_days => '{{1},{2}}');
SELECT vsm.forecast(1, stream => 'empty', at => '2026-04-03');
SELECT vsm.forecast(1, stream => 'web', at => '2026-04-03', history_days => 5, working_days => '{6,7}');
SELECT vsm.forecast_items('Nope');
SELECT vsm.forecast_items('web', 'rank');
SELECT vsm.forecast_items('empty');
SELECT vsm.forecast_items('web', trials => 1);
SELECT vsm.forecast_delivery(NULL);
SELECT vsm.forecast_delivery('[1]');
SELECT vsm.forecast_delivery('{}');
SELECT vsm.forecast_delivery('{"Nope": 1}');
SELECT vsm.forecast_delivery('{"empty": 1}');
SELECT vsm.forecast_delivery('{"web": 1}', trials => 1000000);
SELECT vsm.forecast_delivery(jsonb_object_agg(n, 1)) FROM generate_series(1, 101) n;
SELECT vsm.forecast_backtest(1, 1, 'web');
SELECT vsm.forecast_backtest(0, stream => 'web');
SELECT vsm.forecast_backtest(days => 0, stream => 'web');
SELECT vsm.forecast_backtest(stream => 'web', since => '2016-01-01', until => '2026-04-03');
SELECT vsm.forecast_backtest(stream => 'web', since => '2026-01-01', until => '2026-04-03', trials => 100000);
SELECT vsm.forecast_backtest(stream => 'web', since => '0001-01-01 BC', until => '2026-04-03');
SELECT vsm.forecast_backtest(stream => 'web', since => '4713-01-01 BC', until => '2026-04-03');
SELECT vsm.forecast_backtest(stream => 'web', since => '2026-03-24', until => '2026-04-03', history_days => 2147483647);
SELECT vsm.forecast_backtest(stream => 'web', since => '2026-03-24', until => '2026-04-03', history_days => -2147483648);
SELECT vsm.forecast_backtest(stream => 'web', since => '2026-03-30', until => '294276-12-31');
INSERT INTO vsm.days_off VALUES ('Nope', '2026-04-06');
INSERT INTO vsm.days_off VALUES ('web', NULL);
-- Numbers of items that are none; 1.0 is 1.
CREATE FUNCTION answer(statement text, given text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE format(statement, given);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ' ' || sqlerrm || ' | ' || detail || ' | ' || hint;
END $$;
SELECT given, answer('SELECT vsm.forecast_delivery(''{"web": %s}'', at => ''2026-04-05 10:00+02'')', given)
FROM unnest('{1,1.0,1e0,100000,0,0.5,1.5,-1,100001,1e30,"\"x\"","\"5\"","null",true,[1]}'::text[]) given;
SELECT a = b AS as_1, a.items FROM vsm.forecast_delivery('{"web": 1.0}', at => '2026-04-05 10:00+02') a
JOIN vsm.forecast_delivery('{"web": 1}', at => '2026-04-05 10:00+02') b USING (confidence, stream);

-- Dates at the ends of the calendar, and beyond what a time can be.
CREATE TABLE doors (door text, statement text);
INSERT INTO doors VALUES
    ('forecast until', 'SELECT vsm.forecast(until => %L, stream => ''web'', at => ''2026-04-03'')'),
    ('forecast until over REST', 'SELECT vsm_api.forecast(until => %L, stream => ''web'', at => ''2026-04-03'')'),
    ('forecast at', 'SELECT vsm.forecast(1, stream => ''web'', at => %L)'),
    ('forecast at over REST', 'SELECT vsm_api.forecast(1, stream => ''web'', at => %L)'),
    ('items at', 'SELECT vsm.forecast_items(''web'', at => %L)'),
    ('delivery at', 'SELECT vsm.forecast_delivery(''{"web": 1}'', at => %L)'),
    ('day off', 'INSERT INTO vsm.days_off VALUES (''web'', %L)'),
    ('day off changed', 'UPDATE vsm.days_off SET day = %L'),
    ('day off over REST', 'SELECT vsm_api.set_day_off(%L, ''web'')'),
    ('day off deleted over REST', 'SELECT vsm_api.delete_day_off(%L, ''web'')');
INSERT INTO vsm.days_off VALUES ('app', '2026-04-06');
SELECT given, a.answer, string_agg(door, ', ' ORDER BY door COLLATE "C") AS doors
FROM doors
CROSS JOIN unnest('{5874897-12-31,294276-12-31,infinity,10000-01-01,1969-12-31,4713-01-01 BC,4714-11-24 BC,-infinity}'::text[]) WITH ORDINALITY g (given, place)
CROSS JOIN LATERAL answer(statement, given) a (answer)
WHERE door !~ ' at$' OR given !~ '^5874897'         -- which no timestamptz can be
GROUP BY place, 1, 2 ORDER BY place, a.answer COLLATE "C";
DELETE FROM vsm.days_off;

-- Days off follow their stream.
INSERT INTO vsm.days_off VALUES ('empty', '2026-04-06');
UPDATE vsm.value_streams SET name = 'other' WHERE name = 'empty';
SELECT stream, day, reason FROM vsm.days_off ORDER BY stream;
DELETE FROM vsm.value_streams WHERE name = 'other';
SELECT count(*) FROM vsm.days_off;

-- What a refusal says of days off and outliers.
SELECT FROM vsm._require_productive('web', 4, 60, 0, 0);
SELECT FROM vsm._require_productive('web', 4, 60, 30, 0);
SELECT FROM vsm._require_productive('web', 0, 90, 0, 1);
SELECT FROM vsm._require_productive('web', 4, 60, 30, 2);
