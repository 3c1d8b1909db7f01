-- What people write has an end: one row must not keep a table from being read or dumped.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT name FROM vsm.define_stream('default');
SELECT id FROM vsm.create_work_item('one') \gset
SELECT count(*) FROM vsm.block(:id, 'waits');
INSERT INTO vsm.deployments (external_id, deployed_at) VALUES ('v1', now());
INSERT INTO vsm.incidents (external_id, started_at) VALUES ('i1', now());
INSERT INTO vsm.days_off (stream, day) VALUES ('default', '2026-01-01');
SELECT count(*) FROM vsm.mark_failure(:id);
SELECT count(*) FROM vsm.set_sle('default', '1 day', 0.5);
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('default', 'QA', 'Testing');
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
-- every text that a client may write
SELECT c.attrelid::regclass AS of_table, c.attname, try(format('UPDATE %s SET %I = repeat(''y'', 1000001)', c.attrelid::regclass, c.attname)) AS outcome
FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
WHERE t.oid IN (SELECT objid FROM pg_depend WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vsm') AND classid = 'pg_class'::regclass)
  AND t.relkind = 'r' AND c.attnum > 0 AND c.atttypid = 'text'::regtype AND t.relname NOT LIKE '\_%'
  AND t.relname NOT IN ('stage_transitions', 'superseded_transitions', 'import_refusals', 'flow_metrics', 'stream_access')     -- which the extension writes
  AND c.attname NOT IN ('recorded_by', 'blocked_by', 'unblocked_by') AND NOT (t.relname, c.attname) IN (('work_items', 'created_by'))
ORDER BY 1, 2;
SELECT vsm.transition(:id, 'Testing', reason => repeat('é', 10001));
SELECT char_length(reason) FROM vsm.transition(:id, 'Testing', reason => repeat('é', 10000));

-- Attributes: few, and short as text too.
SELECT outcome, count(*) FROM (
    SELECT try(format('UPDATE vsm.work_items SET attributes = %L', a)) AS outcome
    FROM (SELECT jsonb_build_object('a', repeat('x', n * 1000)) FROM generate_series(1, 100) n
          UNION ALL SELECT jsonb_build_object('a', (SELECT jsonb_agg(1) FROM generate_series(1, n * 100))) FROM generate_series(1, 20) n
          UNION ALL SELECT jsonb_build_object('a', jsonb_build_array('1e-16383'::numeric, '1e-16383'::numeric, '1e-16383'::numeric, '1e-16383'::numeric, '1e-16383'::numeric))
          UNION ALL SELECT jsonb_object_agg('k' || i, jsonb_build_object('v', i)) FROM generate_series(1, 400) i) x (a)) y
GROUP BY 1 ORDER BY 1;
UPDATE vsm.work_items SET attributes = jsonb_build_object('a', (SELECT jsonb_agg(1) FROM generate_series(1, 1001)));
SELECT throughput FROM vsm.metrics(attributes => jsonb_build_object('a', (SELECT jsonb_agg(1) FROM generate_series(1, 1001))));

-- What is refused is kept as a message would show it.
CREATE TABLE long (case_id text, stage text, entered_at text, type text, title text);
INSERT INTO long SELECT CASE n WHEN 1 THEN t ELSE 'c' || n END, CASE n WHEN 2 THEN t ELSE 'Testing' END, CASE n WHEN 3 THEN t ELSE '2026-01-01' END,
                        CASE n WHEN 4 THEN t ELSE 'task' END, CASE n WHEN 5 THEN t END
FROM generate_series(1, 5) n, repeat(E'x\ty', 1000000) t;
SELECT refused FROM vsm.import_events('long', on_error => 'skip');
SELECT count(*) FILTER (WHERE octet_length(r::text) < 1500) AS short, count(*) FROM vsm.import_refusals r;
