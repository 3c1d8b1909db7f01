-- A long import says how far it is; a short one is silent.
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', time_zone => 'UTC');
CREATE TABLE events AS SELECT * FROM vsm.simulate(15000, 90, 1, '2026-01-01 00:00+00');
CREATE TABLE few AS SELECT * FROM events WHERE case_id LIKE 'SIM-0000%';
SELECT * FROM vsm.import_events('few');
SELECT * FROM vsm.import_events('events');
-- So does a look at the data of a stream as long.
SELECT finding, items FROM vsm.data_quality() WHERE items > 0 AND finding <> 'silent';
-- New items only are written as they are read.
TRUNCATE vsm.work_items;
SELECT items, transitions, skipped FROM vsm.import_events('events');
