-- Every permutation and duplication of the same events gives the same tables (ids aside); equal times keep their input order.
SET TimeZone = 'UTC';
SET DateStyle = ISO;
SET IntervalStyle = postgres;
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('flow', '[{"name": "A", "category": "wait"}, {"name": "B"}, {"name": "C"}, {"name": "D", "category": "done"}]');
-- Everything but ids and the time of recording.
CREATE VIEW tables AS
    SELECT coalesce(json_agg(json_build_array(w.external_id, w.title, w.type, s.name, w.created_at, w.updated_at, w.stage_entered_at, w.started_at, w.completed_at,
                                              w.active_time, w.wait_time, w.reopened,
                                              (SELECT json_agg(json_build_array(t.from_stage_id, t.to_stage_id, t."timestamp", t.time_in_stage, t.reason) ORDER BY t."timestamp", t.id)
                                               FROM vsm.stage_transitions t WHERE t.work_item_id = w.id),
                                              (SELECT json_agg(json_build_array(m.stage_id, m."timestamp") ORDER BY m."timestamp", m.id)
                                               FROM vsm._merged_events m WHERE m.work_item_id = w.id)) ORDER BY w.external_id)::text, 'none') AS state
    FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id;

-- An item that goes back, is entered twice into a stage, is reopened; its title and type change on the way.
CREATE TABLE truth (n integer, stage text, entered_at timestamptz, type text, title text);
INSERT INTO truth VALUES (1, 'A', '2024-01-01', 'task', 'old'), (2, 'C', '2024-01-02', 'task', 'old'), (3, 'C', '2024-01-03', 'bug', 'new'),
                         (4, 'D', '2024-01-04', 'bug', 'new'), (5, 'B', '2024-01-05', 'bug', NULL);
CREATE TABLE events (ord serial, case_id text, stage text, entered_at timestamptz, type text, title text);

CREATE FUNCTION permutations(rest integer[]) RETURNS SETOF integer[] LANGUAGE sql AS $$
    SELECT '{}'::integer[] WHERE cardinality(rest) = 0
    UNION ALL
    SELECT first || p FROM unnest(rest) first, permutations(array_remove(rest, first)) p WHERE cardinality(rest) > 0 $$;

CREATE TABLE outcomes (way text, state text);
DO $$
DECLARE
    way integer[];
    k integer;
    copies integer;
BEGIN
    FOR way IN SELECT p FROM permutations('{1,2,3,4,5}') p LOOP
        -- at once, at once and twice over
        FOR copies IN 1..2 LOOP
            INSERT INTO events (case_id, stage, entered_at, type, title)
            SELECT 'X', t.stage, t.entered_at, t.type, t.title FROM generate_series(1, copies), unnest(way) WITH ORDINALITY w (n, place) JOIN truth t USING (n) ORDER BY 1, place;
            PERFORM vsm.import_events('events', 'flow', order_column => 'ord');
            INSERT INTO outcomes SELECT 'at once', state FROM tables;
            TRUNCATE vsm.work_items, events;
            COMMIT;
        END LOOP;
        -- event by event, each in an import of its own; then all once more
        FOREACH k IN ARRAY way LOOP
            INSERT INTO events (case_id, stage, entered_at, type, title) SELECT 'X', t.stage, t.entered_at, 'bug', 'new' FROM truth t WHERE t.n = k;
            PERFORM vsm.import_events('events', 'flow', order_column => 'ord');
            COMMIT;
        END LOOP;
        INSERT INTO outcomes SELECT 'one by one', state FROM tables;
        TRUNCATE vsm.work_items, events;
    END LOOP;
END $$;
SELECT way, count(*) AS ways, count(DISTINCT state) AS outcomes FROM outcomes GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT state) AS outcomes FROM outcomes;
SELECT DISTINCT state FROM outcomes;

-- Items in one source: the order among items does not matter either.
INSERT INTO events (case_id, stage, entered_at) SELECT c, t.stage, t.entered_at FROM truth t, unnest('{X,Y,Z}'::text[]) c ORDER BY n, c;
SELECT * FROM vsm.import_events('events', 'flow');
SELECT state AS rows_of_items FROM tables \gset
TRUNCATE vsm.work_items, events;
INSERT INTO events (case_id, stage, entered_at) SELECT c, t.stage, t.entered_at FROM truth t, unnest('{X,Y,Z}'::text[]) c ORDER BY c DESC, n DESC;
SELECT * FROM vsm.import_events('events', 'flow');
SELECT state = :'rows_of_items' AS same FROM tables;
TRUNCATE vsm.work_items, events;

-- Split imports that un-merge: A, A merge; then B comes between them.
CREATE VIEW moves AS
    SELECT w.external_id, string_agg(s.name || coalesce(' after ' || t.time_in_stage, ''), ', ' ORDER BY t."timestamp", t.id) AS moves, w.active_time, w.wait_time, w.completed_at
    FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id JOIN vsm.stages s ON s.id = t.to_stage_id GROUP BY w.id;
INSERT INTO events (case_id, stage, entered_at) VALUES ('X', 'A', '2024-01-01'), ('X', 'A', '2024-01-03');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT * FROM moves;
TRUNCATE events;
INSERT INTO events (case_id, stage, entered_at) VALUES ('X', 'B', '2024-01-02');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT * FROM moves;
-- More history on both sides.
TRUNCATE events;
INSERT INTO events (case_id, stage, entered_at) VALUES ('X', 'B', '2024-01-04'), ('X', 'B', '2023-12-31');
SELECT * FROM vsm.import_events('events', 'flow');
SELECT * FROM moves;
TRUNCATE vsm.work_items, events;

-- Equal times keep their input order: the source's, or that of order_column.
INSERT INTO events (case_id, stage, entered_at) SELECT 'X', stage, '2024-01-01' FROM unnest('{A,B,C,D}'::text[]) WITH ORDINALITY u (stage, n) ORDER BY n;
INSERT INTO events (case_id, stage, entered_at) SELECT 'Y', stage, '2024-01-01' FROM unnest('{D,C,A,B}'::text[]) WITH ORDINALITY u (stage, n) ORDER BY n;
SELECT * FROM vsm.import_events('events', 'flow');
SELECT external_id, moves FROM moves ORDER BY external_id;
-- Importing them again, one more at that time among them, changes nothing of the order.
SELECT * FROM vsm.import_events('events', 'flow');
SELECT external_id, moves FROM moves ORDER BY external_id;
TRUNCATE vsm.work_items;
UPDATE events SET ord = 100 - ord;
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'ord');
SELECT external_id, moves FROM moves ORDER BY external_id;
-- Other times do not come into it: the order column decides only where times are equal.
TRUNCATE vsm.work_items, events;
INSERT INTO events (ord, case_id, stage, entered_at) VALUES (3, 'X', 'A', '2024-01-01'), (2, 'X', 'B', '2024-01-02'), (1, 'X', 'C', '2024-01-02'), (0, 'X', 'D', '2024-01-03');
SELECT * FROM vsm.import_events('events', 'flow', order_column => 'ord');
SELECT external_id, moves FROM moves ORDER BY external_id;
