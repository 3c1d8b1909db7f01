-- cells_zones.sql: cells where clocks are set at midnight, or a day is missing
--
-- In these zones a day begins inside the hour that comes twice, the local day goes back at midnight, or the zone has changed
-- sides of the date line.  Each stream has busy days around the change.  All is folded, then the day before the change again;
-- all figures by days are the same with cells and without.

SET client_min_messages = warning;
SET timezone = 'UTC';

SELECT no_plan();

CREATE TABLE zones AS
SELECT row_number() OVER () AS n, z.*
FROM (VALUES ('Atlantic/Azores', timestamptz '2025-10-26 01:00Z'), ('America/Havana', timestamptz '2025-11-02 05:00Z'),
             ('America/St_Johns', timestamptz '2010-11-07 02:31Z'), ('America/Goose_Bay', timestamptz '2010-11-07 03:01Z'),
             ('Pacific/Apia', timestamptz '2011-12-30 10:00Z'), ('Pacific/Kiritimati', timestamptz '1994-12-31 10:00Z'),
             ('Asia/Beirut', timestamptz '2025-03-29 22:00Z'), ('Australia/Lord_Howe', timestamptz '2025-04-05 15:00Z'),
             ('America/Asuncion', timestamptz '2022-10-02 04:00Z'), ('Africa/Cairo', timestamptz '2025-10-30 21:00Z')) z (zone, at);
CREATE TABLE events AS
SELECT z.n AS of_zone, format('case %s', c) AS case_id, s.stage, z.at - interval '40 hours' + c * interval '7 minutes' + s.k * interval '3 hours' AS entered_at,
       NULL::text AS type
FROM zones z CROSS JOIN generate_series(1, 700) c CROSS JOIN unnest('{Todo,Doing,Done,Doing,Done}'::text[]) WITH ORDINALITY s (stage, k)
WHERE s.k <= 3 + c % 3
UNION ALL
-- and to the second of the change
SELECT z.n, format('edge %s', e), s.stage, z.at + e * interval '15 minutes' + (s.k - 2) * interval '20 minutes', NULL
FROM zones z CROSS JOIN generate_series(-6, 6) e CROSS JOIN unnest('{Todo,Doing,Done}'::text[]) WITH ORDINALITY s (stage, k)
UNION ALL
SELECT z.n, format('minute %s', e), s.stage, z.at + e * interval '20 seconds' + (s.k - 3) * interval '1 hour', NULL
FROM zones z CROSS JOIN generate_series(-6, 6) e CROSS JOIN unnest('{Todo,Doing,Done}'::text[]) WITH ORDINALITY s (stage, k);

CREATE FUNCTION pg_temp.answers(stream text, since timestamptz, until timestamptz) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'throughput', (SELECT jsonb_agg(t) FROM vsm.throughput(stream, since, until) t),
        'cumulative_flow', (SELECT jsonb_agg(c) FROM vsm.cumulative_flow(stream, since, until) c),
        'occupancy', (SELECT jsonb_agg(o) FROM vsm.occupancy(stream, since, until) o),
        'metrics', (SELECT jsonb_agg(to_jsonb(m)) FROM vsm.metrics(stream, since, until, exact => false) m),
        'time_in_stage', (SELECT jsonb_agg(t) FROM vsm.time_in_stage(stream, since, until) t),
        'age', (SELECT jsonb_agg(a) FROM vsm.work_item_age(stream, at => until) a))
$$;
CREATE FUNCTION pg_temp.without_cells(stream text, since timestamptz, until timestamptz) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    answers jsonb;
BEGIN
    DELETE FROM vsm._spans;
    answers := pg_temp.answers(stream, since, until);
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN answers;
END $$;

SELECT vsm.define_stream(z.zone, '[{"name":"Todo","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"}]', time_zone => z.zone) IS NULL
FROM zones z \g /dev/null
CREATE FUNCTION pg_temp.import(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE one ON COMMIT DROP AS SELECT e.case_id, e.stage, e.entered_at, e.type FROM events e WHERE e.of_zone = n;
    RETURN (vsm.import_events('one', (SELECT z.zone FROM zones z WHERE z.n = import.n))).transitions;
END $$;
\o /dev/null
SELECT format('SELECT pg_temp.import(%s) > 0 AS imported', z.n) FROM zones z \gexec
\o
SELECT count(*) AS n FROM vsm.fold() \gset
SELECT count(*) AS n FROM vsm.fold() \gset
SELECT count(*) AS n FROM vsm.fold() \gset
SELECT cmp_ok((SELECT count(*) FROM vsm._spans s JOIN vsm.value_streams v ON v.id = s.stream_id WHERE v.name = z.zone AND s.unit = 'h'), '>', 20::bigint,
              z.zone || ' has busy days') FROM zones z;

CREATE FUNCTION pg_temp.compare(what text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(pg_temp.answers(z.zone, w.since, w.until), pg_temp.without_cells(z.zone, w.since, w.until), format('%s, %s, from %s to %s', what, z.zone, w.since, w.until))
    FROM zones z
    CROSS JOIN LATERAL (VALUES (z.at - interval '5 days', z.at + interval '5 days'), (z.at - interval '30 minutes', z.at + interval '3 days'),
                               (z.at - interval '3 days', z.at + interval '30 minutes'),
                               (date_trunc('day', z.at, z.zone), date_trunc('day', z.at, z.zone) + interval '60 hours')) w (since, until)
$$;
SELECT pg_temp.compare('folded');
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'cells are what the ledger gives');

-- what a backtest draws from: what was finished in each day, seen at the end of each, whether it comes from cells or the ledger
SELECT is(array_agg(coalesce(f.n, 0) ORDER BY w.seen_on, w.day), array_agg(w.items ORDER BY w.seen_on, w.day),
          format('days of a backtest, %s, %s', z.zone, CASE WHEN a.attributes IS NULL THEN 'folded' ELSE 'ledger' END))
FROM zones z
JOIN vsm.value_streams v ON v.name = z.zone
CROSS JOIN (VALUES (NULL::jsonb), ('{}')) a (attributes)
CROSS JOIN LATERAL (SELECT z.at::date - 4 AS first, z.at::date + 4 AS last) r
CROSS JOIN LATERAL (
    SELECT e::date AS seen_on, d::date AS day, count(c.completed_at) AS items
    FROM generate_series(r.first::timestamp, r.last::timestamp, '1 day') e
    CROSS JOIN generate_series(r.first::timestamp, e, '1 day') d
    LEFT JOIN LATERAL vsm.completions(z.zone, vsm._starts(r.first, z.zone), vsm._starts(e::date + 1, z.zone)) c
        ON c.completed_at >= vsm._starts(d::date, z.zone) AND c.completed_at < vsm._starts(d::date + 1, z.zone)
    GROUP BY 1, 2) w
LEFT JOIN LATERAL (
    SELECT sum(f.n)::bigint AS n
    FROM vsm._finished_days(v.id, r.first, r.last, z.zone, v.reopen_rule, NULL, a.attributes, NULL) f
    WHERE f.day = w.day AND (f.undone_on IS NULL OR f.undone_on <= w.seen_on)) f ON true
GROUP BY z.zone, a.attributes;

-- a late event in the day before, which alone is folded anew
INSERT INTO vsm._marks (stream_id, since, until)
SELECT v.id, s.since, s.until
FROM zones z JOIN vsm.value_streams v ON v.name = z.zone
CROSS JOIN LATERAL (SELECT s.since, s.until FROM vsm._spans s WHERE s.stream_id = v.id AND s.unit = 'd' AND s.until <= z.at + interval '1 minute'
                    ORDER BY s.since DESC LIMIT 1) s;
SELECT pg_temp.compare('marked');
SELECT lives_ok('SELECT count(*) FROM vsm.fold()', 'folded anew');
SELECT pg_temp.compare('folded anew');
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'and so they are');

-- a real one, an hour before midnight, is of that hour, so of one day wherever the zone cuts days
SELECT vsm.create_work_item('late', 'task', z.zone, 'late', s.until - interval '61 minutes') IS NULL
FROM zones z JOIN vsm.value_streams v ON v.name = z.zone
CROSS JOIN LATERAL (SELECT s.until FROM vsm._spans s WHERE s.stream_id = v.id AND s.unit = 'd' AND s.until <= z.at - interval '20 hours' ORDER BY s.since DESC LIMIT 1) s \g /dev/null
SELECT is(array_agg(m.until - m.since), ARRAY[interval '1 hour'], z.zone || ': a late move marks its hour')
FROM zones z JOIN vsm.value_streams v ON v.name = z.zone LEFT JOIN vsm._marks m ON m.stream_id = v.id GROUP BY z.zone;
SELECT pg_temp.compare('an hour marked');
SELECT is(f.days_folded, 1::bigint, z.zone || ': and has one day folded anew') FROM vsm.fold() f RIGHT JOIN zones z ON z.zone = f.stream;
SELECT is_empty('SELECT * FROM vsm.cells_check()', 'and all is well');

SELECT * FROM finish();
