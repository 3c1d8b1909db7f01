-- What one statement moves out of a full stage makes no room for what the same statement moves in: with counters in whatever order the rows
-- come; counted from the table, what has left before.
CREATE EXTENSION vsm;
INSERT INTO vsm.work_items (title) VALUES ('first'), ('second'), ('third');
UPDATE vsm.stages SET wip_limit = 1 WHERE name = 'Testing';
CREATE FUNCTION stage(text) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM vsm.stages WHERE name = $1);
CREATE VIEW held AS SELECT w.title, s.name AS stage FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id ORDER BY w.id;
SELECT source, count(*) FROM vsm.wip GROUP BY 1;

UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'third';
UPDATE vsm.work_items SET stage_id = stage(CASE title WHEN 'first' THEN 'Testing' ELSE 'Analysis' END) WHERE title IN ('first', 'third');
SELECT * FROM held;
UPDATE vsm.work_items SET stage_id = stage('Analysis') WHERE title = 'third';
UPDATE vsm.work_items SET stage_id = stage('Testing') WHERE title = 'first';
-- the first row, which leaves, comes before the second one
UPDATE vsm.work_items SET title = title WHERE title = 'second';
UPDATE vsm.work_items SET stage_id = stage(CASE title WHEN 'first' THEN 'Analysis' ELSE 'Testing' END) WHERE title IN ('first', 'second');
SELECT * FROM held;
