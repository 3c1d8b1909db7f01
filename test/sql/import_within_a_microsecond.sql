-- An item that left a stage and came back within a microsecond has two visits to it in the ledger.  An import that brings
-- something else must not take the second one for a copy of the first.
SET TimeZone = 'UTC';
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT id FROM vsm.create_work_item('there and back', 'task', external_id => 'X', at => '2026-01-05 09:00+00');
SELECT id FROM vsm.transition(1, 'Development', at => '2026-01-05 09:00+00');
SELECT id FROM vsm.transition(1, 'Backlog', at => '2026-01-05 09:00+00');

CREATE TABLE log (case_id text, stage text, entered_at timestamptz);
INSERT INTO log VALUES ('X', 'Testing', '2026-01-07 09:00+00');
SELECT * FROM vsm.import_events('log');
SELECT from_stage, to_stage, "timestamp", time_in_stage FROM vsm.history(1);

-- what the log brings itself is a set of events: here the second one is a copy
INSERT INTO log VALUES ('Y', 'Backlog', '2026-01-05 09:00+00'), ('Y', 'Development', '2026-01-05 09:00+00'),
                       ('Y', 'Backlog', '2026-01-05 09:00+00'), ('X', 'Testing', '2026-01-07 09:00+00');
SELECT * FROM vsm.import_events('log');
SELECT w.external_id, t.from_stage, t.to_stage, t."timestamp", t.time_in_stage
FROM vsm.work_items w CROSS JOIN vsm.history(w.id) t ORDER BY w.external_id, t.id;
SELECT * FROM vsm.data_quality() WHERE items > 0;
