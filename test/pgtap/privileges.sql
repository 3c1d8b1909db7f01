-- privileges.sql: what a role may do that was given nothing, and one that vsm.grant_access() made reader, writer or admin

BEGIN;
SET client_min_messages = warning;
CREATE ROLE vsm_t_plain;
CREATE ROLE vsm_t_reader;
CREATE ROLE vsm_t_writer;
CREATE ROLE "vsm_t Other-Writer";
CREATE ROLE vsm_t_admin;

\ir as_role.psql

SELECT no_plan();

-- Every public function, called in a way that would work for the owner.
CREATE TEMPORARY TABLE calls (function text, statement text, least text);
INSERT INTO calls VALUES
    ('history',          'SELECT vsm.history(1)', 'reader'),
    ('metrics',          'SELECT vsm.metrics()', 'reader'),
    ('refresh_flow_metrics', 'SELECT vsm.refresh_flow_metrics()', 'writer'),
    ('wip_at',           'SELECT vsm.wip_at()', 'reader'),
    ('occupancy',        'SELECT vsm.occupancy()', 'reader'),
    ('cumulative_flow',  'SELECT vsm.cumulative_flow()', 'reader'),
    ('throughput',       'SELECT vsm.throughput()', 'reader'),
    ('time_in_stage',    'SELECT vsm.time_in_stage()', 'reader'),
    ('flow_efficiency',  'SELECT vsm.flow_efficiency()', 'reader'),
    ('work_item_age',    'SELECT vsm.work_item_age()', 'reader'),
    ('stage_pace',       'SELECT vsm.stage_pace()', 'reader'),
    ('sle_conformance',  'SELECT vsm.sle_conformance(bucket => ''week'')', 'reader'),
    ('blocked_time',     'SELECT vsm.blocked_time()', 'reader'),
    ('block',            'SELECT vsm.unblock(b.work_item_id) FROM vsm.block(1, ''waits'') b', 'writer'),
    ('unblock',          'SELECT vsm.unblock(b.work_item_id) FROM vsm.block(1, ''waits again'') b', 'writer'),
    ('set_sle',          'SELECT vsm.set_sle(''default'', ''10 days'', 0.85)', 'admin'),
    ('flow_balance',     'SELECT vsm.flow_balance()', 'reader'),
    ('littles_law',      'SELECT vsm.littles_law()', 'reader'),
    ('process_behaviour', 'SELECT vsm.process_behaviour()', 'reader'),
    ('flow_graph',       'SELECT vsm.flow_graph()', 'reader'),
    ('flow_paths',       'SELECT vsm.flow_paths()', 'reader'),
    ('rework',           'SELECT vsm.rework()', 'reader'),
    ('cycle_times_between', 'SELECT vsm.cycle_times_between(''default'', ''Backlog'', ''Testing'')', 'reader'),
    ('fold',             'SELECT vsm.fold()', 'reader'),
    ('cells_check',      'SELECT vsm.cells_check()', 'reader'),
    ('forecast',         'SELECT vsm.forecast(1) LIMIT 0', 'reader'),
    ('forecast_items',   'SELECT vsm.forecast_items() LIMIT 0', 'reader'),
    ('forecast_delivery', 'SELECT vsm.forecast_delivery(''{"default": 1}'') LIMIT 0', 'reader'),
    ('forecast_backtest', 'SELECT vsm.forecast_backtest()', 'reader'),
    ('bottlenecks',      'SELECT vsm.bottlenecks()', 'reader'),
    ('dora',             'SELECT vsm.dora()', 'reader'),
    ('flow_framework',   'SELECT vsm.flow_framework()', 'reader'),
    ('mark_failure',     'SELECT vsm.mark_failure(1)', 'writer'),
    ('data_quality',     'SELECT vsm.data_quality()', 'reader'),
    ('completions',      'SELECT vsm.completions()', 'reader'),
    ('cycle_time_days',  'SELECT vsm.cycle_time_days(now(), now())', 'reader'),
    ('simulate',         'SELECT vsm.simulate(2, 2)', 'reader'),
    ('percentile',       'SELECT vsm.percentile(1, 0.5), vsm.percentile(interval ''1 day'', 0.5)', 'reader'),
    ('percentiles',      'SELECT vsm.percentiles(1, ARRAY[0.5]), vsm.percentiles(interval ''1 day'', ARRAY[0.5])', 'reader'),
    ('percentile_agg',   'SELECT vsm.percentile_agg(1), vsm.percentile_agg(interval ''1 day'', 0.02)', 'reader'),
    ('rollup',           'SELECT vsm.rollup(s.number), vsm.rollup(s.length) FROM vsm_t.sketches s', 'reader'),
    ('approx_percentile', 'SELECT vsm.approx_percentile(0.5, s.number), vsm.approx_percentile(0.5, s.length) FROM vsm_t.sketches s', 'reader'),
    ('approx_percentiles', 'SELECT vsm.approx_percentiles(ARRAY[0.5], s.number), vsm.approx_percentiles(ARRAY[0.5], s.length) FROM vsm_t.sketches s', 'reader'),
    ('approx_percentile_rank', 'SELECT vsm.approx_percentile_rank(1, s.number), vsm.approx_percentile_rank(''1 day'', s.length) FROM vsm_t.sketches s', 'reader'),
    ('num_vals',         'SELECT vsm.num_vals(s.number), vsm.num_vals(s.length) FROM vsm_t.sketches s', 'reader'),
    ('rel_error',        'SELECT vsm.rel_error(s.number), vsm.rel_error(s.length) FROM vsm_t.sketches s', 'reader'),
    ('mean',             'SELECT vsm.mean(s.number), vsm.mean(s.length) FROM vsm_t.sketches s', 'reader'),
    ('sum',              'SELECT vsm.sum(s.number), vsm.sum(s.length) FROM vsm_t.sketches s', 'reader'),
    ('min_val',          'SELECT vsm.min_val(s.number), vsm.min_val(s.length) FROM vsm_t.sketches s', 'reader'),
    ('max_val',          'SELECT vsm.max_val(s.number), vsm.max_val(s.length) FROM vsm_t.sketches s', 'reader'),
    ('histogram',        'SELECT vsm.histogram(s.number), vsm.histogram(s.length) FROM vsm_t.sketches s', 'reader'),
    ('wip_check',        'SELECT vsm.wip_check()', 'reader'),
    ('wip_rebuild',      'SELECT vsm.wip_rebuild()', 'admin'),
    ('create_work_item', 'SELECT vsm.create_work_item(''another'')', 'writer'),
    ('transition',       'SELECT vsm.transition(1, ''Testing'')', 'writer'),
    ('import_events',    'SELECT vsm.import_events(''vsm_t.events'')', 'writer'),
    ('import_wide',      'SELECT vsm.import_wide(''vsm_t.wide'', stages => ARRAY[''Backlog'', ''Production''])', 'writer'),
    ('define_stream',    'SELECT vsm.define_stream(''second'')', 'admin'),
    ('sequences_catch_up', 'SELECT vsm.sequences_catch_up()', 'owner'),
    ('grant_access',     'SELECT vsm.grant_access(''vsm_t_plain'', ''admin'')', 'owner'),
    ('revoke_access',    'SELECT vsm.revoke_access(''vsm_t_plain'')', 'owner');
SELECT set_eq('SELECT function FROM calls', $$
    SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'vsm'::regnamespace AND p.proname !~ '^_'
    $$, 'the test calls every public function');

CREATE SCHEMA vsm_t;
GRANT USAGE ON SCHEMA vsm_t TO PUBLIC;
CREATE TABLE vsm_t.events AS
SELECT * FROM (VALUES ('E-1', 'Backlog', timestamptz '2026-01-05 09:00+00'), ('E-1', 'Testing', '2026-01-06 09:00+00'))
              AS e (case_id, stage, entered_at);
CREATE TABLE vsm_t.wide AS
SELECT 'W-1' AS id, timestamptz '2026-01-05 09:00+00' AS opened, timestamptz '2026-01-07 09:00+00' AS closed;
CREATE TABLE vsm_t.sketches AS SELECT vsm.percentile_agg(1.0) AS number, vsm.percentile_agg(interval '1 day') AS length;
GRANT SELECT ON vsm_t.events, vsm_t.wide, vsm_t.sketches TO PUBLIC;

-- ---- PUBLIC has nothing ----

SELECT is(pg_temp.try('vsm_t_plain', c.statement), '42501 | permission denied for schema vsm', 'a plain role cannot call vsm.' || c.function)
FROM calls c ORDER BY c.function;
SELECT is(pg_temp.try('vsm_t_plain', 'SELECT FROM vsm.' || c.relname), '42501 | permission denied for schema vsm',
          'a plain role cannot read vsm.' || c.relname)
FROM pg_class c WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY c.relname;

-- the schema alone opens no door
GRANT USAGE ON SCHEMA vsm TO vsm_t_plain;
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'vsm'::regnamespace AND p.prosecdef AND has_function_privilege('vsm_t_plain', p.oid, 'EXECUTE')
    $$, 'with the schema alone, a plain role can execute nothing that has other rights than its own');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'vsm'::regnamespace
      AND CASE WHEN c.relkind IN ('r', 'v')
                    THEN has_table_privilege('vsm_t_plain', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                         OR has_any_column_privilege('vsm_t_plain', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
               WHEN c.relkind = 'S' THEN has_sequence_privilege('vsm_t_plain', c.oid, 'USAGE, SELECT, UPDATE') END
    $$, 'with the schema alone, a plain role can touch no table, view or sequence');

-- ---- Who may give access ----

SELECT is(pg_temp.try('vsm_t_plain', $$SELECT vsm.grant_access('vsm_t_plain', 'admin')$$),
          '42501 | permission denied to grant access | The rights of the owner of vsm''s tables are needed. | Ask the owner, who created the extension.',
          'a plain role cannot give itself access');
SELECT is(pg_temp.try(current_user, $$SELECT vsm.grant_access('vsm_t_plain', 'king')$$),
          'PT422 | access level "king" is not known | A level is a set of rights on the extension''s objects. | Give reader, writer or admin.', 'an unknown level is refused');
SELECT is(pg_temp.try(current_user, $$SELECT vsm.grant_access('vsm_t_plain', NULL)$$) ~ '^PT422 ', true, 'so is none');
SELECT lives_ok($$
    SELECT vsm.grant_access('vsm_t_reader', 'reader'), vsm.grant_access('vsm_t_writer', 'writer'),
           vsm.grant_access('"vsm_t Other-Writer"', 'writer'), vsm.grant_access('vsm_t_admin', 'admin')
    $$, 'the owner gives access');
SELECT lives_ok($$SELECT vsm.grant_access('vsm_t_reader', 'reader')$$, 'giving it again does no harm');
SELECT is_empty($$
    SELECT p.oid::regprocedure, r.rolname FROM pg_proc p CROSS JOIN pg_roles r
    WHERE p.pronamespace = 'vsm'::regnamespace AND r.rolname = 'vsm_t_plain' AND p.prosecdef
      AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
    $$, 'others got nothing by it');

-- ---- First use by a role that may not define streams ----

SELECT is(pg_temp.try('vsm_t_reader', 'SELECT vsm.metrics()') ~ '^PT404 ', true, 'before the first item there is no default stream');
SELECT is(pg_temp.ask('vsm_t_writer', $$SELECT title FROM vsm.create_work_item('first')$$), 'first',
          'a writer''s first item brings the default stream into being');
SELECT is((SELECT count(*) FROM vsm.stages), 6::bigint, 'with its six stages');

-- for vsm.history(1) and the like
SELECT is((SELECT id FROM vsm.work_items), 1::bigint, 'its id is 1');

-- ---- Every level does what is its, and no more ----

SELECT is(CASE WHEN array_position(ARRAY['reader', 'writer', 'admin', 'owner'], l.level)
                    >= array_position(ARRAY['reader', 'writer', 'admin', 'owner'], c.least)
               THEN pg_temp.try('vsm_t_' || l.level, c.statement)
               ELSE substr(pg_temp.try('vsm_t_' || l.level, c.statement), 1, 25) END,
          CASE WHEN array_position(ARRAY['reader', 'writer', 'admin', 'owner'], l.level)
                    >= array_position(ARRAY['reader', 'writer', 'admin', 'owner'], c.least)
               THEN 'ok'
               ELSE '42501 | permission denied' END,
          format('%s: vsm.%s', l.level, c.function))
FROM calls c CROSS JOIN (VALUES ('reader'), ('writer'), ('admin')) l (level)
ORDER BY l.level DESC, c.function;

-- reader
SELECT is(pg_temp.try('vsm_t_reader', 'SELECT * FROM vsm.' || c.relname), 'ok', 'a reader reads vsm.' || c.relname)
FROM pg_class c WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind IN ('r', 'v')
  AND c.relname !~ '^_' AND c.relname <> 'import_refusals' ORDER BY c.relname;
SELECT is(pg_temp.ask('vsm_t_reader', 'SELECT array_agg(to_stage ORDER BY "timestamp", id) FROM vsm.history(1)'),
          '{Backlog,Testing}', 'a reader sees an item''s history');
SELECT is(pg_temp.try('vsm_t_reader', s.statement) ~ '^42501 \| permission denied', true, 'a reader cannot: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm.work_items (title) VALUES (''x'')'), ('UPDATE vsm.work_items SET title = ''x'''),
             ('UPDATE vsm.work_items SET stage_id = 1'), ('DELETE FROM vsm.work_items'), ('TRUNCATE vsm.work_items'),
             ('INSERT INTO vsm.work_item_types VALUES (''x'')'), ('UPDATE vsm.stages SET wip_limit = 1'),
             ('DELETE FROM vsm.value_streams'), ('DELETE FROM vsm.stage_transitions'), ('SELECT FROM vsm.import_refusals'),
             ('DELETE FROM vsm.blocks'), ('UPDATE vsm.blocks SET reason = ''x'''), ('DELETE FROM vsm.sles'),
             ('INSERT INTO vsm.days_off (day) VALUES (''2026-05-01'')'), ('INSERT INTO vsm.deployments (deployed_at) VALUES (now())'),
             ('INSERT INTO vsm.incidents (started_at) VALUES (now())'), ('DELETE FROM vsm.failures'),
             ('SELECT nextval(''vsm.work_items_id_seq'')')) s (statement);

-- writer, by plain SQL as by the functions
SELECT is(pg_temp.try('vsm_t_writer', s.statement), 'ok', 'a writer can: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm.work_items (title, external_id) VALUES (''plain'', ''P-1'')'),
             ('UPDATE vsm.work_items SET title = ''plainer'' WHERE external_id = ''P-1'''),
             ('UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = ''default'' AND name = ''Analysis'') WHERE external_id = ''P-1'''),
             ('SELECT vsm.transition(id, ''Analysis'') FROM vsm.work_items WHERE external_id = ''P-1'''),
             ('SELECT vsm.transition(id, ''Testing'', reason => ''done'', expected_from => ''Analysis'') FROM vsm.work_items WHERE external_id = ''P-1'''),
             ('INSERT INTO vsm.blocks (work_item_id, reason) SELECT id, ''plain'' FROM vsm.work_items WHERE external_id = ''P-1'''),
             ('UPDATE vsm.blocks SET reason = ''plainer'', unblocked_at = clock_timestamp() WHERE reason = ''plain'''),
             ('DELETE FROM vsm.blocks WHERE reason = ''plainer''')
     ) s (statement);
SELECT is((SELECT array_agg(h.to_stage ORDER BY h.id) FROM vsm.work_items w CROSS JOIN vsm.history(w.id) h WHERE w.external_id = 'P-1'),
          ARRAY['Backlog', 'Analysis', 'Testing'], 'and the ledger has it');
SELECT is(pg_temp.try('vsm_t_writer', 'DELETE FROM vsm.work_items WHERE external_id = ''P-1'''), 'ok', 'a writer can delete an item');
SELECT is_empty('SELECT FROM vsm.stage_transitions t WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)',
                'and its ledger goes with it');
SELECT is(pg_temp.try('vsm_t_writer', s.statement) ~ '^42501 \| permission denied', true, 'a writer cannot: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm.stage_transitions (work_item_id, to_stage_id, "timestamp", recorded_at, actor) VALUES (1, 1, now(), now(), ''x'')'),
             ('UPDATE vsm.stage_transitions SET reason = ''x'''), ('DELETE FROM vsm.stage_transitions'), ('TRUNCATE vsm.stage_transitions'),
             ('INSERT INTO vsm._merged_events VALUES (1, 1, 1, now())'), ('DELETE FROM vsm._merged_events'), ('TRUNCATE vsm.work_items'),
             ('INSERT INTO vsm.value_streams (name) VALUES (''x'')'), ('UPDATE vsm.stages SET wip_limit = 1'),
             ('INSERT INTO vsm.stages (stream, name, "order") VALUES (''default'', ''x'', 99)'),
             ('DELETE FROM vsm.stages'), ('INSERT INTO vsm.work_item_types VALUES (''x'')'),
             ('INSERT INTO vsm.blocks (work_item_id, reason, recorded_at) VALUES (1, ''x'', now())'), ('UPDATE vsm.blocks SET stream_id = 2'),
             ('DELETE FROM vsm.sles'), ('UPDATE vsm.sles SET probability = 0.5'),
             ('INSERT INTO vsm.import_refusals (stream, source, reason, imported_by) VALUES (''x'', ''x'', ''x'', ''x'')'),
             ('UPDATE vsm.import_refusals SET reason = ''x'''),
             ('SELECT vsm._recompute_items(''default'')'), ('SELECT vsm._wip_recount(true)')) s (statement);
SELECT is(pg_temp.try('vsm_t_writer', format('UPDATE vsm.work_items SET %I = %s WHERE id = 1', s.name, s.value)),
          format('42501 | column "%s" of a work item is computed | It follows from the item''s moves.'
                 ' | Move the item with vsm.transition() or by its stage_id; import past moves with vsm.import_events().', s.name),
          'a writer cannot write ' || s.name)
FROM (VALUES ('created_at', '''2020-01-01'''), ('stage_entered_at', '''2020-01-01'''), ('started_at', '''2020-01-01'''),
             ('completed_at', 'now()'), ('active_time', '''1 day'''), ('wait_time', '''1 day'''), ('reopened', '7'), ('backward_moves', '7')) s (name, value);
SELECT is(pg_temp.try('vsm_t_writer', format('INSERT INTO vsm.work_items (title, %I) VALUES (''x'', %s)', s.name, s.value)),
          format('42501 | column "%s" of a work item is computed | It follows from the item''s moves.'
                 ' | Move the item with vsm.transition() or by its stage_id; import past moves with vsm.import_events().', s.name),
          'nor bring it with a new item: ' || s.name)
FROM (VALUES ('stage_entered_at', '''2020-01-01'''), ('started_at', '''2020-01-01'''),
             ('completed_at', 'now()'), ('active_time', '''1 day'''), ('wait_time', '''1 day'''), ('reopened', '7'), ('backward_moves', '7')) s (name, value);
SELECT is(pg_temp.try('vsm_t_writer', 'UPDATE vsm.work_items SET id = 4711 WHERE id = 1'),
          'PT422 | column "id" of a work item cannot be changed | The ledger refers to the item as it was created.'
          ' | Delete the item and create it again.', 'nor give an item another id');

-- what failed in production
SELECT is(pg_temp.try('vsm_t_writer', s.statement), 'ok', 'a writer can: ' || s.statement)
FROM (VALUES (1, 'INSERT INTO vsm.deployments (external_id, deployed_at) VALUES (''v1'', now())'),
             (2, 'UPDATE vsm.deployments SET rework = true WHERE external_id = ''v1'''),
             (3, 'INSERT INTO vsm.incidents (external_id, started_at, deployment) VALUES (''I'', now(), ''v1'')'),
             (4, 'UPDATE vsm.incidents SET recovered_at = now() WHERE external_id = ''I'''),
             (5, 'INSERT INTO vsm.failures (work_item_id, failed_at) VALUES (1, clock_timestamp())'),
             (6, 'UPDATE vsm.failures SET reason = ''x'''),
             (7, 'DELETE FROM vsm.failures'), (8, 'DELETE FROM vsm.incidents'), (9, 'DELETE FROM vsm.deployments')) s (place, statement) ORDER BY s.place;
SELECT is(pg_temp.try('vsm_t_writer', s.statement) ~ '^42501 \| permission denied', true, 'a writer cannot: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm.days_off (day) VALUES (''2026-05-01'')'), ('INSERT INTO vsm.deployments (id, deployed_at) VALUES (99, now())'),
             ('INSERT INTO vsm.failures (id, work_item_id, failed_at) VALUES (99, 1, now())'),
             ('INSERT INTO vsm.incidents (started_at, recorded_by) VALUES (now(), ''somebody'')'), ('UPDATE vsm.deployments SET recorded_at = now()'),
             ('TRUNCATE vsm.failures')) s (statement);

-- admin
SELECT is(pg_temp.try('vsm_t_admin', s.statement), 'ok', 'an admin can: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm.days_off (day, reason) VALUES (''2026-05-01'', ''Labour Day'')'),
             ('UPDATE vsm.days_off SET reason = ''a holiday'''), ('DELETE FROM vsm.days_off'),
             ('SELECT vsm.define_stream(''third'', ''[{"name":"A"},{"name":"B","category":"done"}]'')'),
             ('SELECT vsm.define_stream(''third'', ''[{"name":"A"},{"name":"C"},{"name":"B","category":"done"}]'', commitment_stage => ''C'')'),
             ('UPDATE vsm.stages SET wip_limit = 3 WHERE stream = ''third'' AND name = ''A'''),
             ('UPDATE vsm.stages SET retired_at = now() WHERE stream = ''default'' AND name = ''Deployment'''),
             ('UPDATE vsm.stages SET category = ''wait'' WHERE stream = ''default'' AND name = ''Testing'''),
             ('DELETE FROM vsm.stages WHERE stream = ''third'' AND name = ''A'''),
             ('UPDATE vsm.value_streams SET name = ''fourth'' WHERE name = ''third'''),
             ('DELETE FROM vsm.value_streams WHERE name = ''fourth'''),
             ('INSERT INTO vsm.work_item_types VALUES (''incident'')'),
             ('UPDATE vsm.work_item_types SET name = ''outage'' WHERE name = ''incident'''),
             ('DELETE FROM vsm.work_item_types WHERE name = ''outage''')) s (statement);
SELECT is_empty('SELECT * FROM vsm.data_quality() WHERE finding IN (''ledger_gap'', ''no_ledger'', ''state_differs'') AND items > 0',
                'the items followed what the admin did');
SELECT is(pg_temp.try('vsm_t_admin', s.statement) ~ '^42501 \| permission denied', true, 'an admin cannot: ' || s.statement)
FROM (VALUES ('UPDATE vsm.stage_transitions SET reason = ''x'''), ('DELETE FROM vsm.stage_transitions'), ('TRUNCATE vsm.work_items'),
             ('SELECT vsm._recompute_items(''default'')'), ('SELECT vsm.grant_access(''vsm_t_plain'', ''reader'')')) s (statement);

-- ---- Rights are not all that guards the ledger ----

SAVEPOINT grants;
GRANT ALL ON ALL TABLES IN SCHEMA vsm TO vsm_t_writer;
GRANT ALL ON ALL SEQUENCES IN SCHEMA vsm TO vsm_t_writer;
SELECT is(pg_temp.try('vsm_t_writer', s.statement),
          format('42501 | the ledger "%s" is append-only | Its rows are written when work items are created, moved, deleted or imported.'
                 ' | Move an item with vsm.transition(), bring past moves in with vsm.import_events(), or delete the work item.', s.ledger),
          'refused to a role with every right on the tables: ' || s.statement)
FROM (VALUES ('stage_transitions', 'INSERT INTO vsm.stage_transitions (work_item_id, to_stage_id, "timestamp", recorded_at, actor) VALUES (1, 1, now(), now(), ''x'')'),
             ('stage_transitions', 'UPDATE vsm.stage_transitions SET reason = ''x'''), ('stage_transitions', 'DELETE FROM vsm.stage_transitions'),
             ('stage_transitions', 'TRUNCATE vsm.stage_transitions'),
             ('_merged_events', 'INSERT INTO vsm._merged_events VALUES (1, 1, 1, now())'), ('_merged_events', 'DELETE FROM vsm._merged_events')
     ) s (ledger, statement);
SELECT is(pg_temp.try('vsm_t_writer', s.statement) ~ '^42501 \| column "[a-z_]+" of a work item is computed \| ', true,
          'refused to a role with every right on the tables: ' || s.statement)
FROM (VALUES ('UPDATE vsm.work_items SET started_at = NULL, completed_at = now()'),
             ('INSERT INTO vsm.work_items SELECT 99, stream, NULL, title, type, created_at, updated_at, stage_id, stage_entered_at,'
              ' started_at, completed_at, active_time, wait_time, reopened, backward_moves FROM vsm.work_items LIMIT 1')) s (statement);

SET LOCAL vsm.recording = off;
SELECT is(pg_temp.try('vsm_t_writer', s.statement),
          format('42501 | vsm.recording is off for a role that may not turn it off | Only the owner of table "%s" can change it without recording.'
                 ' | Run "RESET vsm.recording" and try again.', s.name),
          'vsm.recording = off is refused: ' || s.statement)
FROM (VALUES ('work_items', 'INSERT INTO vsm.work_items (title) VALUES (''x'')'), ('work_items', 'UPDATE vsm.work_items SET title = ''x'''),
             ('work_items', 'UPDATE vsm.work_items SET stage_id = 1'), ('work_items', 'DELETE FROM vsm.work_items'),
             ('stage_transitions', 'DELETE FROM vsm.stage_transitions'), ('stage_transitions', 'TRUNCATE vsm.stage_transitions'),
             ('work_items', 'SELECT vsm.transition(1, ''Analysis'')'), ('work_items', 'SELECT vsm.create_work_item(''x'')')) s (name, statement);
RESET vsm.recording;
SELECT is(pg_temp.try('vsm_t_writer', 'ALTER TABLE vsm.work_items DISABLE TRIGGER ALL') ~ '^42501 ', true, 'the triggers cannot be turned off');
SELECT is(pg_temp.try('vsm_t_writer', 'SET session_replication_role = replica') ~ '^42501 ', true, 'nor passed by');
ROLLBACK TO grants;

-- ---- Imports read the source with the caller's rights ----

CREATE TABLE vsm_t.secret AS SELECT 'S-1' AS case_id, 'Backlog' AS stage, now() AS entered_at;
CREATE TABLE vsm_t.secret_wide AS SELECT 'S-2' AS id, now() AS opened;
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm.import_events(''vsm_t.secret'')'), '42501 | permission denied for table secret',
          'a source that the caller may not read is refused, although the owner may');
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm.import_wide(''vsm_t.secret_wide'', stages => ARRAY[''Backlog''])'),
          '42501 | permission denied for table secret_wide', 'by import_wide too');
SELECT is_empty('SELECT FROM vsm.work_items WHERE external_id ~ ''^S-''', 'nothing of it came in');

-- whoever the code of a view runs as could do anything that role may
GRANT CREATE ON SCHEMA vsm_t TO vsm_t_writer;
SET LOCAL ROLE vsm_t_writer;
CREATE FUNCTION vsm_t.me() RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN current_user; END';
CREATE FUNCTION vsm_t.grasp() RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT case_id FROM vsm_t.secret); END';
CREATE VIEW vsm_t.mine AS
SELECT 'M-1' AS case_id, 'Backlog' AS stage, timestamptz '2026-01-05 09:00+00' AS entered_at, vsm_t.me() AS title;
CREATE VIEW vsm_t.mine_wide AS SELECT 'M-2' AS id, timestamptz '2026-01-05 09:00+00' AS opened, vsm_t.me() AS title;
CREATE VIEW vsm_t.grasping AS SELECT vsm_t.grasp() AS case_id, 'Backlog' AS stage, timestamptz '2026-01-05 09:00+00' AS entered_at;
CREATE TABLE vsm_t.own AS
SELECT * FROM (VALUES ('O-1', 'Backlog', timestamptz '2026-01-05 09:00+00'), ('O-1', 'Nowhere', '2026-01-06 09:00+00'), ('O-2', 'Analysis', NULL))
              AS e (case_id, stage, entered_at);
RESET ROLE;
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm.import_events(''vsm_t.mine'')'), 'ok', 'a writer imports from its own view');
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm.import_wide(''vsm_t.mine_wide'', stages => ARRAY[''Backlog''])'), 'ok', 'wide too');
SELECT results_eq('SELECT external_id, title FROM vsm.work_items WHERE external_id ~ ''^M-'' ORDER BY 1',
                  $$VALUES ('M-1', 'vsm_t_writer'), ('M-2', 'vsm_t_writer')$$, 'a function in the source ran as the caller');
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm.import_events(''vsm_t.grasping'')'), '42501 | permission denied for table secret',
          'and could not reach what the caller may not read');
SELECT is(pg_temp.ask('vsm_t_writer', 'SELECT vsm.import_events(''vsm_t.own'', on_error => ''skip'')'), '(1,1,0,0,2,0)',
          'a writer imports from its own table');
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT FROM pg_temp.vsm_import'), '42501 | permission denied for table vsm_import',
          'what an import collects is the owner''s');

-- ---- Refused rows are seen by who imported them ----

SELECT is(pg_temp.ask('vsm_t_writer', 'SELECT count(*) FROM vsm.import_refusals'), '2', 'a writer sees its refused rows');
SELECT is(pg_temp.ask('vsm_t Other-Writer', 'SELECT count(*) FROM vsm.import_refusals'), '0', 'another writer does not');
SELECT is(pg_temp.ask('vsm_t Other-Writer', 'WITH d AS (DELETE FROM vsm.import_refusals RETURNING 1) SELECT count(*) FROM d'), '0',
          'nor can it delete them');
GRANT SELECT ON vsm_t.own TO "vsm_t Other-Writer";
SELECT is(pg_temp.ask('vsm_t Other-Writer', 'SELECT refused FROM vsm.import_events(''vsm_t.own'', on_error => ''skip'')'), '2',
          'it has its own');
SELECT is(pg_temp.ask('vsm_t Other-Writer', 'SELECT array_agg(DISTINCT imported_by) FROM vsm.import_refusals'), '{"vsm_t Other-Writer"}',
          'by its name');
SELECT is(pg_temp.ask('vsm_t_writer', 'WITH d AS (DELETE FROM vsm.import_refusals RETURNING 1) SELECT count(*) FROM d'), '2',
          'a writer deletes those it dealt with');
SELECT is((SELECT count(*) FROM vsm.import_refusals), 2::bigint, 'the other''s stay');

-- ---- The actor ----

SELECT is(pg_temp.try(r.name, format('INSERT INTO vsm.work_items (title, external_id) VALUES (''by a role'', %L)', r.name)), 'ok',
          'a role chosen with SET ROLE creates an item: ' || r.name)
FROM (VALUES ('vsm_t_writer'), ('vsm_t Other-Writer'), ('vsm_t_admin')) r (name);
SELECT results_eq($$
    SELECT t.actor FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id WHERE w.title = 'by a role' ORDER BY w.id
    $$, $$
    SELECT w.external_id FROM vsm.work_items w WHERE w.title = 'by a role' ORDER BY w.id
    $$, 'and the ledger names that role');
SELECT is(pg_temp.ask('vsm_t Other-Writer', 'SELECT actor FROM vsm.transition(1, ''Development'')'), 'vsm_t Other-Writer', 'by a move too');
SELECT is((SELECT array_agg(DISTINCT t.actor) FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id
           WHERE w.external_id = 'O-1'), ARRAY['vsm_t_writer'], 'and by an import');
SET SESSION AUTHORIZATION vsm_t_writer;
INSERT INTO vsm.work_items (title, external_id) VALUES ('by a session', 'A-1');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT t.actor FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id WHERE w.external_id = 'A-1'),
          'vsm_t_writer', 'the ledger names the role that logged in');
-- a role may call the steps of an import itself: it signs as itself all the same
SELECT is(pg_temp.try('vsm_t_writer', s.statement), 'ok', 'a writer takes the steps of an import: ' || s.statement)
FROM (VALUES (1, $$SELECT vsm._import_begin('default', 'abort', false)$$),
             (2, $$INSERT INTO pg_temp.vsm_import (ord, case_id, stage, entered_at) VALUES (1, 'F-1', 'Backlog', '2026-01-05')$$),
             (3, $$SELECT vsm._import_apply('default', 'by hand', false, 'abort')$$)) s (place, statement)
ORDER BY s.place;
-- neither does a function that lends its owner's rights lend its name
CREATE TABLE vsm_t.lent AS SELECT 'F-3' AS case_id, 'Backlog' AS stage, timestamptz '2026-01-05' AS entered_at;
CREATE FUNCTION vsm_t.lend() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    SELECT vsm.create_work_item('lent', external_id => 'F-2');
    SELECT vsm.import_events('vsm_t.lent');
$$;
GRANT SELECT ON vsm_t.lent TO vsm_t_admin;
ALTER FUNCTION vsm_t.lend() OWNER TO vsm_t_admin;
SELECT is(pg_temp.try('vsm_t_writer', 'SELECT vsm_t.lend()'), 'ok', 'a writer calls a function that runs as an admin');
SELECT results_eq($$
    SELECT w.external_id, t.actor FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id
    WHERE w.external_id ~ '^F-' ORDER BY 1
    $$, $$VALUES ('F-1', 'vsm_t_writer'), ('F-2', 'vsm_t_writer'), ('F-3', 'vsm_t_writer')$$, 'the ledger names who is behind it');

SELECT * FROM finish();
ROLLBACK;
