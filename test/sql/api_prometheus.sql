-- vsm_api.prometheus(): the whole text for a small history, with names that need escaping and a stream without items.
SET TimeZone = 'Asia/Tokyo';
CREATE EXTENSION vsm;
\pset format unaligned
\pset tuples_only on
SELECT vsm_api.prometheus();
SELECT name FROM vsm.define_stream(E'odd "na\\me"', '[{"name": "In \\ out", "category": "wait"}, {"name": "none", "wip_limit": 5}, {"name": "Done", "category": "done"}, {"name": "Dropped", "category": "done"}]');
SELECT name FROM vsm.define_stream('empty', '[{"name": "Only", "category": "done"}]');
INSERT INTO vsm.work_item_types VALUES ('sp"ike');
-- A: 30 minutes, 4 hours to the microsecond, done; B: 5 hours, dropped unstarted, reopened, 40 days, done; C: open
CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
INSERT INTO events VALUES
    ('A', 'In \ out', '2026-01-05 09:00+00', 'bug'), ('A', 'none', '2026-01-05 09:30+00', 'bug'), ('A', 'Done', '2026-01-05 13:30+00', 'bug'),
    ('B', 'In \ out', '2026-01-05 09:00+00', 'sp"ike'), ('B', 'Dropped', '2026-01-05 14:00+00', 'sp"ike'), ('B', 'none', '2026-01-06 09:00+00', 'sp"ike'),
    ('B', 'Done', '2026-02-15 09:00+00', 'sp"ike'), ('C', 'In \ out', '2026-01-05 09:00+00', 'bug');
SELECT * FROM vsm.import_events('events', E'odd "na\\me"');
-- days wait for vsm.fold() since the first move, more of them every day
SELECT regexp_replace(vsm_api.prometheus(), '(vsm_fold_days_waiting{stream="odd .*}) \d{2,}', '\1 N');
-- a stage called none is not told from none, and a sample is there once
SELECT count(vsm.transition(id, 'none')) FROM vsm.work_items WHERE external_id = 'C';
SELECT count(vsm.transition(id, 'In \ out')) FROM vsm.work_items WHERE external_id = 'C';
SELECT l FROM regexp_split_to_table(vsm_api.prometheus(), E'\n') l WHERE l ~ '^vsm_stage_transitions_total.*from_stage="none"';
-- today's throughput is a gauge of the day, by the stream's zone; a deleted item is not among it, and stays in the totals
SELECT count(vsm.create_work_item('x', stream => 'empty')) FROM generate_series(1, 3);
DELETE FROM vsm.work_items WHERE id = (SELECT max(id) FROM vsm.work_items);
SELECT l FROM regexp_split_to_table(vsm_api.prometheus(), E'\n') l WHERE l ~ '"empty"' AND l ~ '^vsm_(through|work|stage_tr)';
