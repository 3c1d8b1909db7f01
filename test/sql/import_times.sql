-- Times of an import: texts whose order is known, dates, timestamps and texts without a zone in the stream's zone.
SET DateStyle = ISO, MDY;
SET IntervalStyle = postgres;
SET TimeZone = 'America/New_York';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('berlin', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Done", "category": "done"}]', 'Europe/Berlin');
CREATE VIEW entered AS
    SELECT w.external_id, "timestamp" AT TIME ZONE 'UTC' AS utc, time_in_stage FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id
    ORDER BY external_id COLLATE "C", "timestamp";

-- Text; the clocks of Berlin went forward on 31 March 2024.
CREATE TABLE texts (case_id text, stage text, entered_at text);
INSERT INTO texts VALUES
    ('blanks', 'Open', ' 2024-01-01 12:00 '), ('date', 'Open', '2024-01-01'), ('long', 'Open', 'Jan 5, 2024 3:04 PM'), ('offset', 'Open', '2024-01-01T12:00:00+09:00'),
    ('month', 'Open', '2-Jan-2024 10:00'), ('summer', 'Open', '2024-03-30 12:00'), ('summer', 'Work', '2024-03-31 12:00'), ('utc', 'Open', '2024-01-01T12:00:00Z'),
    ('zone', 'Open', '2024-07-01 12:00 Asia/Tokyo');
SELECT * FROM vsm.import_events('texts', 'berlin');
SELECT * FROM entered;
-- DateStyle does not say who wrote a date in digits, whatever it is.
TRUNCATE vsm.work_items, texts;
INSERT INTO texts VALUES ('slash', 'Open', '02/01/2024 10:00'), ('dots', 'Open', '31.01.2024 10:00'), ('weekday', 'Open', 'Tue 02/01/2024'), ('after', 'Open', '10:00 02-01-2024'),
    ('short', 'Open', ' 24-01-02'), ('blanks', 'Open', '02 01 2024');
SELECT * FROM vsm.import_events('texts', 'berlin');
SET DateStyle = ISO, DMY;
SELECT * FROM vsm.import_events('texts', 'berlin', on_error => 'skip');
SELECT case_id, reason FROM vsm.import_refusals ORDER BY id;
DELETE FROM vsm.import_refusals;
SELECT * FROM entered;
CREATE VIEW day_first AS SELECT case_id, stage, to_timestamp(entered_at, 'DD.MM.YYYY HH24:MI') AS entered_at FROM texts WHERE case_id = 'dots';
SELECT * FROM vsm.import_events('day_first', 'berlin');
SELECT * FROM entered;
-- A zone is read as in files, where it is one; PostgreSQL would take GMT+0100 for a zone of POSIX, 100 hours west.
CREATE TABLE zones AS
SELECT '2024-03-04 10:00:00' || z AS at
FROM (SELECT ' ' || abbrev FROM pg_timezone_abbrevs
      UNION SELECT b || w || o FROM unnest(ARRAY['', ' ']) b, unnest(ARRAY['', 'Z', 'GMT', 'UTC', 'CET', 'foo', 'Etc/GMT', 'Europe/Berlin', 'America/Port-au-Prince']) w,
                              unnest(ARRAY['', '+1', '-1', '+01', '+0100', '-05:30', '+0100 (CET)', '+01:00 [Europe/Berlin]']) o) AS _ (z);
SELECT z.at, vsm._read_time(z.at) AS in_sql, f.entered_at AS in_a_file
FROM zones z
LEFT JOIN LATERAL (SELECT e.entered_at FROM vsm._recognised_events(convert_to(E'case_id,stage,entered_at\n1,A,2024-03-01 10:00 UTC\n1,B,"' || z.at || E'"\n', 'UTF8'),
                                                                  '{"item": "case_id", "stage": "stage", "time": "entered_at", "time_zone": "America/New_York"}') e
                   WHERE e.stage = 'B' AND e.refused IS NULL) f ON true
WHERE vsm._read_time(z.at) IS DISTINCT FROM f.entered_at ORDER BY z.at COLLATE "C";
SELECT count(*) > 50 AS read FROM zones WHERE vsm._read_time(at) IS NOT NULL;
-- And so in rows that a client copies in.
CREATE VIEW numbered AS SELECT 'zone ' || row_number() OVER (ORDER BY at COLLATE "C") AS case_id, at FROM zones;
BEGIN;
SELECT FROM vsm_api.import_begin();
INSERT INTO vsm_import_rows (case_id, stage, entered_at) SELECT case_id, 'Open', at FROM numbered;
SELECT (r ->> 'items')::bigint = (SELECT count(vsm._read_time(at)) FROM zones) AS all_read FROM vsm_api.import_end('berlin', on_error => 'skip', time_zone => 'America/New_York') r;
COMMIT;
SELECT n.at, vsm._read_time(n.at) AS in_sql, t."timestamp" AS copied_in
FROM numbered n LEFT JOIN vsm.work_items w ON w.external_id = n.case_id LEFT JOIN vsm.stage_transitions t ON t.work_item_id = w.id
WHERE vsm._read_time(n.at) IS DISTINCT FROM t."timestamp" ORDER BY 1;
DELETE FROM vsm.work_items WHERE external_id LIKE 'zone %';
DELETE FROM vsm.import_refusals;
SELECT at, vsm._read_time(at) FROM unnest(ARRAY['Wed Mar 04 2026 10:00:00 GMT+0100', 'Wed Mar 04 2026 10:00:00 GMT+0530 (India Standard Time)', '2026-03-04 10:00 IST',
                                               '2026-03-04 10:00 CET', '030426', '030426 10:00', '10:00 040326', '20260304T1000Z', '20260304 100000', '4-Mar-2026 10:00']) at;
-- However PostgreSQL lets one write it.
CREATE TABLE written AS SELECT p || '3' || s || '4' || s || '2026' || e AS at
    FROM unnest(ARRAY['', ' ', E'\t', '10:00 ', '10:00, ', 'Mon ', 'Wed, ']) p, unnest(ARRAY[' ', '  ', E'\t', E'\n', '/', '-', '.', ',', ', ', ' /', '/ ', ';', '_', E'\\', '|', ':', 'T', '+']) s,
         unnest(ARRAY['', ' 10:00', ' 10:00 UTC']) e;
CREATE VIEW read AS SELECT vsm._read_time(at) AS at, count(*) FROM written GROUP BY 1;
TABLE read;
SET DateStyle = ISO, MDY;
TABLE read;
SET DateStyle = ISO, YMD;
TABLE read;
SET DateStyle = ISO, DMY;
-- The session's settings are as before.
SHOW TimeZone;
SHOW DateStyle;
SET DateStyle = ISO, MDY;

-- varchar, char, a domain; date; timestamp; timestamptz.
TRUNCATE vsm.work_items;
CREATE DOMAIN moment AS text;
CREATE TABLE several (case_id text, stage text, v varchar(30), c char(30), d moment, day date, plain timestamp(0), zoned timestamptz);
INSERT INTO several VALUES ('X', 'Open', '2024-01-01 12:00', '2024-01-02 12:00', '2024-01-03 12:00', '2024-01-04', '2024-01-05 12:00', '2024-01-06 12:00');
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'v');
UPDATE several SET stage = 'Work';
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'c');
UPDATE several SET stage = 'Open';
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'd');
UPDATE several SET stage = 'Work';
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'day');
UPDATE several SET stage = 'Open';
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'plain');
UPDATE several SET stage = 'Work';
SELECT * FROM vsm.import_events('several', 'berlin', time_column => 'zoned');
SELECT * FROM entered;

-- Up to 5 minutes ahead is no future.
CREATE TABLE near (case_id text, stage text, entered_at timestamptz);
INSERT INTO near VALUES ('near', 'Open', clock_timestamp() + interval '4 minutes 50 seconds'), ('far', 'Open', clock_timestamp() + interval '6 minutes');
SELECT * FROM vsm.import_events('near', 'berlin', on_error => 'skip');
SELECT case_id, reason FROM vsm.import_refusals;
-- Times from 1970 on are times; any before it is a mistyped year.
TRUNCATE near;
INSERT INTO near VALUES ('old', 'Open', '0044-03-15 12:00 UTC BC'), ('old', 'Work', '1970-01-01 UTC'), ('old', 'Work', '1969-12-31 23:59:59.999999 UTC');
SELECT * FROM vsm.import_events('near', 'berlin');
SELECT * FROM vsm.import_events('near', 'berlin', on_error => 'skip');
SELECT case_id, entered_at, reason FROM vsm.import_refusals WHERE case_id = 'old';
SELECT * FROM entered WHERE external_id = 'old';
-- Words for times that are others tomorrow are no times.
CREATE TABLE words (case_id text, stage text, entered_at text);
INSERT INTO words SELECT 'word', 'Open', w FROM unnest('{now,today,yesterday allballs,Tomorrow 10:00,epoch}'::text[]) w;
SELECT * FROM vsm.import_events('words', 'berlin', on_error => 'skip');
SELECT entered_at, reason FROM vsm.import_refusals WHERE case_id = 'word' ORDER BY id;
