-- What may be a name or an external id, by whatever door it comes; and messages repeat what a reader can take in.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SELECT FROM vsm.define_stream('default');

-- Every kind of name, and what is wrong with it.
CREATE TABLE doors (door text, statement text);
INSERT INTO doors VALUES
    ('stream', 'INSERT INTO vsm.value_streams (name) VALUES ($1)'),
    ('stream renamed', 'UPDATE vsm.value_streams SET name = $1'),
    ('stream defined', 'SELECT vsm.define_stream($1)'),
    ('stream over REST', 'SELECT vsm_api.add_stream($1)'),
    ('stage', 'INSERT INTO vsm.stages (stream, name) VALUES (''default'', $1)'),
    ('stage renamed', 'UPDATE vsm.stages SET name = $1 WHERE "order" = 1'),
    ('stage over REST', 'SELECT vsm_api.add_stage($1)'),
    ('stage of a list', 'SELECT vsm.define_stream(''s'', jsonb_build_array(jsonb_build_object(''name'', $1, ''category'', ''done'')))'),
    ('type', 'INSERT INTO vsm.work_item_types (name) VALUES ($1)'),
    ('type renamed', 'UPDATE vsm.work_item_types SET name = $1 WHERE name = ''bug'''),
    ('type over REST', 'SELECT vsm_api.add_type($1)'),
    ('alias', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', $1, ''Testing'')'),
    ('external id', 'INSERT INTO vsm.work_items (title, external_id) VALUES (''an item'', $1)'),
    ('external id changed', 'UPDATE vsm.work_items SET external_id = $1'),
    ('external id over REST', 'SELECT vsm_api.create_work_item(''an item'', external_id => $1)');
INSERT INTO vsm.work_items (title) VALUES ('the item');
CREATE FUNCTION answer(statement text, name text, OUT answer text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE statement USING name;
    RAISE EXCEPTION SQLSTATE 'UNDUN';
EXCEPTION
    WHEN SQLSTATE 'UNDUN' THEN answer := 'taken';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        answer := sqlstate || ' ' || sqlerrm || ' | ' || detail || ' | ' || hint;
END $$;
-- As long as a B-tree's row holds bytes that do not compress.
CREATE FUNCTION incompressible(characters integer) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(chr((65536 + (n * 7919 + n * n * 104729) % 40000)::integer), '' ORDER BY n) FROM generate_series(1, characters::bigint) n $$;
CREATE TABLE names (n integer, what text, name text);
INSERT INTO names VALUES
    (1, 'empty', ''), (2, 'blanks', '   '), (3, 'nothing to see', U&'\200B\2060\00A0\FE0F'), (4, 'a line break', E'two\nlines'),
    (5, 'a tab', E'a\tb'), (6, 'C1', U&'a\0085b'), (7, 'a separator of lines', U&'a\2028b'), (8, 'an override', U&'a\202Eb'),
    (9, 'an isolate', U&'\2066b\2069'), (10, '9,000 bytes', incompressible(2250)), (11, '200 kB of one letter', repeat('x', 200000)),
    (12, 'joiners and marks', U&'\0645\200C\0627\200F'), (13, 'an emoji of several', U&'\+01F468\200D\+01F469'), (14, 'blanks inside', 'In Progress'),
    (15, 'a dot', '.'), (16, 'two dots', '..'), (17, 'three dots', '...');
SELECT what, a.answer, count(*) AS doors, CASE WHEN count(*) < 15 THEN string_agg(door, ', ' ORDER BY door) END AS of_them
FROM names CROSS JOIN doors CROSS JOIN LATERAL answer(statement, name) a GROUP BY n, 1, 2 ORDER BY n, 2;

-- What else is in an index, and names nothing that must exist.
INSERT INTO doors VALUES
    ('stream of access', 'INSERT INTO vsm.stream_access (role, stream, level) VALUES (''pg_monitor'', $1, ''reader'')'),
    ('stream of kept figures', 'INSERT INTO vsm.flow_metrics (stream, date, period_type, throughput, wip, started_wip, created_at) VALUES ($1, ''2026-01-05'', ''day'', 0, 0, 0, now())'),
    ('former type', 'INSERT INTO vsm._former_types VALUES ($1)'),
    ('stream of an alias', 'INSERT INTO vsm.stage_aliases (stream, name) VALUES ($1, ''an alias'')'),
    ('stream of a stage', 'INSERT INTO vsm.stages (stream, name) VALUES ($1, ''a stage'')'),
    ('stream of an item', 'INSERT INTO vsm.work_items (stream, title) VALUES ($1, ''an item'')'),
    ('type of an item', 'INSERT INTO vsm.work_items (type, title) VALUES ($1, ''an item'')'),
    ('deployment', 'INSERT INTO vsm.deployments (external_id, deployed_at) VALUES ($1, now())'),
    ('deployment of an incident', 'INSERT INTO vsm.incidents (deployment, started_at) VALUES ($1, now())'),
    ('incident', 'INSERT INTO vsm.incidents (external_id, started_at) VALUES ($1, now())'),
    ('stream of a deployment', 'INSERT INTO vsm.deployments (stream, deployed_at) VALUES ($1, now())'),
    ('stream of a failure', 'INSERT INTO vsm.failures (stream, work_item_id, failed_at) SELECT $1, min(w.id), now() FROM vsm.work_items w'),
    ('stream of an incident', 'INSERT INTO vsm.incidents (stream, started_at) VALUES ($1, now())'),
    ('stream of a day off', 'INSERT INTO vsm.days_off (stream, day) VALUES ($1, ''2026-05-01'')'),
    ('stream of an expectation', 'INSERT INTO vsm.sles (stream, elapsed, probability) VALUES ($1, ''10 days'', 0.85)'),
    ('type of an expectation', 'INSERT INTO vsm.sles (stream, type, elapsed, probability) VALUES (''default'', $1, ''10 days'', 0.85)');
SELECT what, split_part(a.answer, ' ', 1) AS state, count(*) AS doors, string_agg(door, ', ' ORDER BY door) AS of_them
FROM names CROSS JOIN doors CROSS JOIN LATERAL answer(statement, name) a WHERE n IN (10, 11) GROUP BY n, 1, 2 ORDER BY n, 2;
-- Of deployments and incidents the message names the one that has the id; an empty one is none.
INSERT INTO doors VALUES
    ('deployment over REST', 'SELECT vsm_api.add_deployment(external_id => $1)'),
    ('deployment of an incident over REST', 'SELECT vsm_api.add_incident(deployment => $1)'),
    ('incident over REST', 'SELECT vsm_api.add_incident(external_id => $1)');
SELECT what, a.answer, string_agg(door, ', ' ORDER BY door) AS doors
FROM names CROSS JOIN doors CROSS JOIN LATERAL answer(statement, name) a
WHERE n NOT IN (5, 6, 7, 9) AND door ~ '^(deployment|incident)' GROUP BY n, 1, 2 ORDER BY n, 2;
SELECT answer(statement, repeat('x', 500)) AS longest, answer(statement, repeat('x', 501)) AS longer
FROM doors WHERE door ~ '^(deployment|incident)' ORDER BY door;

-- The longest names there may be go together into the indexes.
SELECT char_length((vsm.define_stream(incompressible(150), jsonb_build_array(jsonb_build_object('name', incompressible(150)), jsonb_build_object('name', 'Done', 'category', 'done')))).name);
INSERT INTO vsm.work_item_types (name) VALUES (incompressible(150));
INSERT INTO vsm.work_items (title, stream, type, external_id) VALUES ('long names', incompressible(150), incompressible(150), incompressible(500)) RETURNING char_length(external_id);
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (incompressible(150), incompressible(500), incompressible(150)) RETURNING char_length(name);
SELECT vsm.grant_access('pg_monitor', 'reader', incompressible(150));
SELECT vsm.refresh_flow_metrics(incompressible(150)) > 0 AS kept;
UPDATE vsm.work_item_types SET name = 'short' WHERE char_length(name) = 150;
SELECT count(*) AS former FROM vsm._former_types;
-- These are all columns of text in indexes: whoever adds one says here what fills it.
SELECT c.relname AS table, string_agg(a.attname, ', ' ORDER BY a.attname) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'text'::regtype
  AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey))
GROUP BY 1 ORDER BY 1;
SELECT vsm.revoke_access('pg_monitor', incompressible(150));

-- Aliases that an import takes for the same are one.
SELECT what, answer(statement, name) FROM (VALUES
    (1, 'new', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', ''In QA'', ''Testing''), (''default'', $1, ''Testing'')', 'QA'),
    (2, 'equal', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', ''In QA'', ''Testing''), (''default'', $1, ''Testing'')', 'In QA'),
    (3, 'case', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', ''In QA'', ''Testing''), (''default'', $1, ''Backlog'')', 'IN QA'),
    (4, 'blanks', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', ''In QA'', ''Testing''), (''default'', $1, NULL)', ' In  QA '),
    (5, 'another stream', 'INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES (''default'', ''In QA'', ''Testing''), ((SELECT min(v.name) FROM vsm.value_streams v WHERE v.name <> ''default''), $1, NULL)', 'in qa')) a (n, what, statement, name) ORDER BY n;
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('default', 'In QA', 'Testing'), ('default', 'Check', 'Testing');
INSERT INTO vsm.stage_aliases (stream, name, stage) VALUES ('default', 'In QA', 'Backlog') ON CONFLICT (stream, name) DO UPDATE SET stage = excluded.stage RETURNING *;
UPDATE vsm.stage_aliases SET name = 'in  qa' WHERE name = 'In QA' RETURNING name;
UPDATE vsm.stage_aliases SET name = 'IN QA' WHERE name = 'Check';
DELETE FROM vsm.stage_aliases WHERE stream = 'default';

-- Rows of an import.
CREATE TABLE events (case_id text, stage text, entered_at text, type text);
INSERT INTO events VALUES ('good', 'Backlog', '2026-01-05', 'task'), ('  ', 'Backlog', '2026-01-05', 'task'), (E'a\nb', 'Backlog', '2026-01-05', 'task'),
    (incompressible(501), 'Backlog', '2026-01-05', 'task'), ('S', E'a\tb', '2026-01-05', 'task'), ('T', 'Backlog', '2026-01-05', U&'a\202Eb'),
    ('L', incompressible(151), '2026-01-05', 'task'), ('D', '..', '2026-01-05', 'task'), ('W', 'Backlog', repeat('when', 50000), 'task');
SELECT * FROM vsm.import_events('events', create_stages => true, on_error => 'skip');
SELECT reason, char_length(reason) < 300 AS short FROM vsm.import_refusals ORDER BY id;
\set VERBOSITY terse
SELECT FROM vsm.import_events('events', create_stages => true);
\set VERBOSITY default

-- Who acts is a name, too.
SELECT n, split_part(answer('SELECT set_config(''vsm.actor'', $1, false)', name), '|', 2) AS detail FROM names WHERE n NOT IN (10, 11) ORDER BY n;
SELECT answer('SELECT set_config(''vsm.actor'', $1, false)', name) ~ '^22023 .*at most 255' AS long FROM names WHERE n IN (10, 11);

-- Not all stages that one can think of.
SELECT answer('SELECT vsm.define_stream(''many'', $1::jsonb)', (SELECT jsonb_agg(jsonb_build_object('name', n, 'category', 'done')) FROM generate_series(1, 501) n)::text);
SELECT answer('INSERT INTO vsm.stages (stream, name) SELECT ''default'', $1 || n FROM generate_series(1, 495) n', 'stage ');
SELECT answer('INSERT INTO vsm.stages (stream, name) SELECT ''default'', $1 || n FROM generate_series(1, 494) n', 'stage ');
-- The last place is no end.
UPDATE vsm.stages SET "order" = 1000000 WHERE name = 'Production';
INSERT INTO vsm.stages (stream, name, category) VALUES ('default', 'Archive', 'done') RETURNING "order";
UPDATE vsm.stages SET "order" = 1000000 WHERE name = 'Archive';
SELECT vsm_api.add_stage('Review') ->> 'order' AS before_done, vsm_api.add_stage('Attic', category => 'done') ->> 'order' AS at_the_end;
UPDATE vsm.stages SET "order" = 1000000 WHERE name = 'Attic';
SELECT vsm_api.change_stage(id, 'Review', "order" => 3) ->> 'order' AS moved FROM vsm.stages WHERE name = 'Review';
SELECT string_agg(name, ', ' ORDER BY "order") AS stages FROM vsm.stages WHERE stream = 'default';
-- A stage that no stream has: the names of stages.
SELECT split_part(answer('SELECT vsm_api.work_items(stage => $1)', 'Nowhere'), ', Attic', 1);

-- None at all: what has to have a name is told so, by each of the doors.
SELECT d.door, split_part(answer(d.statement, NULL), ' | ', 1) AS answer FROM doors d;

-- A kind that there is none of.
SELECT vsm._name('a name', 'flavour');
