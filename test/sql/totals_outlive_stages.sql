-- A stage that the totals know stays when its items are gone; a stream that is dropped takes away its own totals alone.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default', '[{"name": "Open", "category": "wait"}, {"name": "Review"}, {"name": "Done", "category": "done"}, {"name": "Gone", "category": "done"}]');
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE name = $1);
CREATE VIEW sums AS
    SELECT stream, sum(value) FILTER (WHERE total = 'work_items_created') AS created, sum(value) FILTER (WHERE total = 'stage_transitions') AS transitions,
           sum(value) FILTER (WHERE total = 'work_items_completed') AS completed
    FROM vsm.flow_totals GROUP BY 1 ORDER BY 1;
INSERT INTO vsm.work_items (title, stage_id) VALUES ('kept', stage('Open')), ('reviewed', stage('Review')), ('done', stage('Review')), ('gone', stage('Gone'));
SELECT count(*) FROM vsm.work_items w, vsm.transition(w.id, 'Done') WHERE title = 'done';
SELECT * FROM sums;
DELETE FROM vsm.work_items WHERE title <> 'kept';
SELECT * FROM sums;
DELETE FROM vsm.stages WHERE name IN ('Review', 'Gone');
SELECT * FROM sums;
