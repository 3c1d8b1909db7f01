-- stream_access.sql: a role with access to some streams sees and writes those only, by every door; any other is not limited
--
-- Doors are found in the catalog, so that a new table, view or function is tested without an edit here: all that is of the
-- other stream has the word "secret" in it, and what a limited role is shown is the same before that stream is there and after.

BEGIN;
SET client_min_messages = warning;
CREATE ROLE vsm_t_reader;
CREATE ROLE vsm_t_writer;
CREATE ROLE vsm_t_admin;
CREATE ROLE vsm_t_group;
CREATE ROLE vsm_t_member IN ROLE vsm_t_group;
CREATE ROLE vsm_t_noinherit NOINHERIT IN ROLE vsm_t_group;
CREATE ROLE vsm_t_both;				-- writes one stream, sees all
CREATE ROLE vsm_t_gone;				-- of a stream that is deleted later
CREATE ROLE vsm_t_all_reader;
CREATE ROLE vsm_t_all_writer;
CREATE ROLE vsm_t_all_admin;
CREATE ROLE vsm_t_granted;			-- with GRANTs and no row
CREATE ROLE vsm_t_bypass BYPASSRLS;
CREATE ROLE vsm_t_owner;
CREATE ROLE vsm_t_nobody;

\ir as_role.psql

SELECT no_plan();
SET vsm.recording = off;
TRUNCATE vsm.superseded_transitions;		-- until the end the totals are counted from the tables, with what this transaction does
RESET vsm.recording;

-- A stream in which there is some of everything: open, finished and deleted items, a limit, a refusal, kept figures.
CREATE FUNCTION pg_temp.live_in(of_stream text, times integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM vsm.define_stream(of_stream, format('[{"name":"%1$s todo","category":"wait"},{"name":"%1$s doing","wip_limit":5},
        {"name":"%1$s done","category":"done"}]', of_stream)::jsonb);
    FOR n IN 1 .. times LOOP
        PERFORM vsm.transition(w.id, of_stream || ' doing', '2026-01-06 09:00+00', of_stream || ' reason'),
                vsm.transition(w.id, of_stream || ' done', '2026-01-07 09:00+00')
        FROM vsm.create_work_item(of_stream || ' finished', 'task', of_stream, of_stream || ' F' || n, '2026-01-05 09:00+00') w;
        PERFORM vsm.transition(w.id, of_stream || ' doing', '2026-01-06 09:00+00')
        FROM vsm.create_work_item(of_stream || ' started', 'bug', of_stream, of_stream || ' S' || n, '2026-01-05 09:00+00') w;
        PERFORM vsm.create_work_item(of_stream || ' open', 'task', of_stream, of_stream || ' O' || n, '2026-01-05 09:00+00');
    END LOOP;
    PERFORM vsm.create_work_item(of_stream || ' deleted', 'task', of_stream, NULL, '2026-01-05 09:00+00');
    DELETE FROM vsm.work_items w WHERE w.title = of_stream || ' deleted';
    PERFORM vsm.refresh_flow_metrics(of_stream, until => '2026-03-01');
    PERFORM vsm.mark_failure(w.id, '2026-01-08', reason => of_stream || ' failure') FROM vsm.work_items w WHERE w.stream = of_stream AND w.title = of_stream || ' finished';
    INSERT INTO vsm.deployments (stream, external_id, deployed_at) VALUES (of_stream, of_stream || ' 1.0', '2026-01-07');
    INSERT INTO vsm.incidents (stream, external_id, started_at) VALUES (of_stream, of_stream || ' incident', '2026-01-08');
    INSERT INTO vsm.days_off (stream, day, reason) VALUES (of_stream, '2026-01-06', of_stream || ' holiday');
    INSERT INTO vsm.import_refusals (stream, source, reason, imported_by)
    SELECT of_stream, of_stream || ' file', 'refused', r.rolname FROM pg_roles r WHERE r.rolname ~ '^vsm_t_';
END $$;
SELECT pg_temp.live_in('open', 2);
CREATE TABLE pg_temp.events AS
SELECT * FROM (VALUES ('I-1', 'open todo', timestamptz '2026-01-05 09:00+00', 'task'), ('I-2', 'secret stage', '2026-01-06 09:00+00', 'new type'))
              AS e (case_id, stage, entered_at, type);
GRANT SELECT ON pg_temp.events TO PUBLIC;

-- ---- Who may see, write and define what ----

SELECT is(pg_temp.refusal(current_user, $$SELECT vsm.grant_access('vsm_t_reader', 'reader', 'nowhere')$$),
          'PT404 | stream "nowhere" not found | There is no stream of that name; names are case-sensitive. | The only stream is open; vsm.define_stream() defines one.',
          'access to a stream that is not there is refused');
SELECT vsm.define_stream('passing');
SELECT vsm.grant_access('vsm_t_reader', 'reader', 'open'), vsm.grant_access('vsm_t_writer', 'writer', 'open'),
       vsm.grant_access('vsm_t_admin', 'admin', 'open'), vsm.grant_access('vsm_t_group', 'reader', 'open'),
       vsm.grant_access('vsm_t_both', 'reader'), vsm.grant_access('vsm_t_both', 'writer', 'open'),
       vsm.grant_access('vsm_t_gone', 'writer', 'passing'),
       vsm.grant_access('vsm_t_all_reader', 'reader'), vsm.grant_access('vsm_t_all_writer', 'writer'), vsm.grant_access('vsm_t_all_admin', 'admin'),
       vsm.grant_access('vsm_t_granted', 'admin'), vsm.grant_access('vsm_t_bypass', 'admin', 'open');
DELETE FROM vsm.stream_access WHERE role = 'vsm_t_granted';
DELETE FROM vsm.value_streams WHERE name = 'passing';
SELECT format('GRANT %I TO vsm_t_owner', relowner::regrole) FROM pg_class WHERE oid = 'vsm.work_items'::regclass \gexec

CREATE TEMPORARY TABLE roles (role name, limited boolean, writes text[], defines text[]);
INSERT INTO roles VALUES
    ('vsm_t_reader',     true,  '{}', '{}'),
    ('vsm_t_writer',     true,  '{open}', '{}'),
    ('vsm_t_admin',      true,  '{open}', '{open}'),
    ('vsm_t_group',      true,  '{}', '{}'),
    ('vsm_t_member',     true,  '{}', '{}'),
    ('vsm_t_gone',       true,  '{}', '{}'),
    ('vsm_t_both',       false, '{open}', '{}'),
    ('vsm_t_all_reader', false, '{}', '{}'),
    ('vsm_t_all_writer', false, '{open,secret}', '{}'),
    ('vsm_t_all_admin',  false, '{open,secret}', '{open,secret}'),
    ('vsm_t_granted',    false, '{open,secret}', '{open,secret}'),
    ('vsm_t_bypass',     false, '{open,secret}', '{open,secret}'),
    ('vsm_t_owner',      false, '{open,secret}', '{open,secret}');
SELECT is(pg_temp.ask(r.role, format('SELECT count(*) FROM vsm.stream_access a WHERE a.role <> %L AND a.role <> ''vsm_t_group''', r.role)),
          CASE WHEN r.role IN ('vsm_t_bypass', 'vsm_t_owner') THEN (SELECT count(*) FROM vsm.stream_access a WHERE a.role NOT IN (r.role, 'vsm_t_group')) ELSE 0 END::text,
          r.role || ' sees no access of others') FROM roles r;

-- ---- What is shown, from the catalog ----

-- Everything that a role can be shown without saying what of: relations, and functions that need no argument.
CREATE TEMPORARY TABLE door_list AS
SELECT c.oid::regclass::text AS door, format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM %s x', c.oid::regclass) AS query
FROM pg_class c
WHERE c.relnamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND c.relkind IN ('r', 'v', 'm', 'p')
UNION ALL
SELECT p.oid::regprocedure::text, format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM %s.%I() x', p.pronamespace::regnamespace, p.proname)
FROM pg_proc p
WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND p.prokind = 'f' AND p.pronargs = p.pronargdefaults
  AND p.prorettype <> 'trigger'::regtype AND p.provariadic = 0
  -- of the stream "default", with the clock in them, or nothing but writing
  AND p.proname NOT IN ('simulate', 'import_begin', 'import_end', 'wip_rebuild', 'refresh_flow_metrics', '_hold_items', '_require_current_snapshot', '_take_turn', '_next_xid');
-- and figures of the stream that all may see, over a time that is past
INSERT INTO door_list
SELECT p.oid::regprocedure::text, format('SELECT string_agg(regexp_replace(x::text, ''\d+ days [0-9:]+\.\d+'', ''age now'', ''g''), E''\n'' ORDER BY x::text) FROM %s.%I(stream => ''open'', since => ''2026-01-01'', until => ''2026-02-01'') x',
                                         p.pronamespace::regnamespace, p.proname)
FROM pg_proc p
WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND p.provolatile <> 'v' AND p.proargnames[:p.pronargs] @> '{stream,since,until}' AND p.proname !~ '^_';
SELECT ok(count(*) >= 8, 'figures of a past time are tried') FROM door_list WHERE query ~ 'since';
-- vsm.fold(), which is one of the doors, changes the other columns
SELECT count(*) FROM vsm.fold() \g /dev/null
UPDATE door_list SET query = 'SELECT string_agg(x.stream_id::text, '' '' ORDER BY x.stream_id) FROM vsm._folds x' WHERE door = 'vsm._folds';
CREATE TEMPORARY TABLE shown AS SELECT r.role, d.door, d.query, pg_temp.ask(r.role, d.query) AS before, NULL::text AS after FROM roles r CROSS JOIN door_list d;
SELECT pg_temp.live_in('secret', 3);
UPDATE shown s SET after = pg_temp.ask(s.role, s.query);

SELECT ok(count(*) >= 12, 'doors with a stream behind them are tried: ' || string_agg(s.door, ', ' ORDER BY s.door))
FROM shown s WHERE s.role = 'vsm_t_owner' AND s.after ~ 'secret';
SELECT is_empty($$
    SELECT x FROM unnest(ARRAY['vsm.work_items', 'vsm.stage_transitions', 'vsm.wip', 'vsm.flow_totals', 'vsm.flow_histograms', 'vsm.flow_metrics',
        'vsm_api.work_items', 'vsm_api.prometheus()', 'vsm.wip_check()', 'vsm_api.streams()']) x
    EXCEPT SELECT s.door FROM shown s WHERE s.role = 'vsm_t_owner' AND s.after ~ 'secret'
    $$, 'among them those that are known');
SELECT is_empty(format($$SELECT s.door, s.after FROM shown s WHERE s.role = %L AND s.after ~ 'secret'$$, r.role), r.role || ' is shown nothing of the other stream')
FROM roles r WHERE r.limited;
SELECT is_empty(format($$
    SELECT s.door, s.before, s.after FROM shown s
    WHERE s.role = %L AND s.before IS DISTINCT FROM s.after
      AND s.door NOT IN ('vsm._totals_counted')		-- denied or their own
    $$, r.role), r.role || ' is shown the same as without it')
FROM roles r WHERE r.limited;
SELECT set_eq(format($$SELECT s.door FROM shown s WHERE s.role = %L AND s.after ~ 'secret' AND s.door !~ 'import_refusals'$$, r.role), $$
    SELECT s.door FROM shown s
    WHERE s.role = 'vsm_t_all_reader' AND s.after ~ 'secret' AND s.door !~ 'import_refusals'$$, r.role || ' is shown all that a reader of all streams is')
FROM roles r WHERE NOT r.limited AND r.role NOT IN ('vsm_t_owner', 'vsm_t_bypass', 'vsm_t_granted', 'vsm_t_all_admin');
SELECT is_empty(format($$
    SELECT s.door FROM shown s
    WHERE s.role = 'vsm_t_all_reader' AND s.after ~ 'secret' AND s.door !~ 'import_refusals'
    EXCEPT SELECT s.door FROM shown s WHERE s.role = %L AND s.after ~ 'secret'$$, r.role), r.role || ' is shown no less')
FROM roles r WHERE NOT r.limited;
SELECT is_empty($$
    SELECT s.door, s.after FROM shown s WHERE s.role = 'vsm_t_gone' AND s.after ~ '\mopen' AND s.after !~ '^PT404'
    $$, 'whose last stream is gone sees nothing rather than everything');

-- a condition that tells what it is shown is not shown more
CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS $$
BEGIN
    IF value ~ 'secret' THEN
        RAISE EXCEPTION 'told %', value;
    END IF;
    RETURN true;
END $$;
SELECT isnt(pg_temp.ask('vsm_t_admin', format('SELECT count(*) FROM %s x WHERE pg_temp.tell(x::text)', d.door)) ~ 'told', true, d.door || ' tells a condition nothing')
FROM door_list d WHERE d.door !~ '\(' ORDER BY d.door;
SELECT is(pg_temp.ask('vsm_t_reader', 'SELECT count(*) FROM vsm.work_items'), '6', 'nor does a count');
SELECT is(pg_temp.ask('vsm_t_reader', format('SELECT count(*) FROM vsm.work_items WHERE id IN (%s)', string_agg(w.id::text, ', '))), '0', 'nor an id')
FROM vsm.work_items w WHERE w.stream = 'secret';
SELECT is(pg_temp.ask('vsm_t_reader', 'SELECT count(*) FROM vsm.work_items WHERE (stream, external_id) = (''secret'', ''secret F1'')'), '0', 'nor the index');

-- ---- Functions that are told a stream, from the catalog ----

CREATE TEMPORARY TABLE asked AS
SELECT p.oid::regprocedure::text AS function, p.provolatile,
       format('SELECT count(*) FROM %s.%I(%s stream => %%L)', p.pronamespace::regnamespace, p.proname,
              CASE p.proname WHEN 'forecast' THEN 'items => 1,' WHEN 'set_day_off' THEN 'day => ''2026-05-01'',' WHEN 'delete_day_off' THEN 'day => ''2026-05-01'',' WHEN 'create_work_item' THEN 'title => ''made'','
                             WHEN 'import_events' THEN CASE p.pronamespace WHEN 'vsm'::regnamespace THEN 'source => ''pg_temp.events'', on_error => ''skip'',' ELSE 'events => ''[]'',' END
                             WHEN 'import_wide' THEN 'source => ''pg_temp.events'', case_column => ''case_id'', stages => ARRAY[''open todo''], columns => ARRAY[''entered_at''],'
                             WHEN 'import' THEN '''case_id,stage,entered_at'',' ELSE '' END) AS call
FROM pg_proc p
WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND p.proname !~ '^_' AND 'stream' = ANY (p.proargnames[:p.pronargs])
  AND p.proname NOT IN ('grant_access', 'revoke_access', 'import_begin', 'import_end');
SELECT ok(count(*) >= 20, 'functions that take a stream are tried: ' || string_agg(function, ', ' ORDER BY function)) FROM asked;
SELECT is(pg_temp.refusal(r.role, format(a.call, 'secret')), replace(pg_temp.refusal(r.role, format(a.call, 'nowhere')), 'nowhere', 'secret'),
          format('%s learns no more of another stream than of one that is not there: %s', r.role, a.function))
FROM roles r CROSS JOIN asked a WHERE r.limited ORDER BY a.function, r.role;
SELECT isnt(pg_temp.ask(r.role, format(a.call, 'secret')) ~ '^(PT404|42501)', true, format('%s is answered: %s', r.role, a.function))
FROM roles r CROSS JOIN asked a WHERE NOT r.limited AND a.provolatile <> 'v' ORDER BY a.function, r.role;
SELECT isnt(pg_temp.ask('vsm_t_reader', format(a.call, 'open')) ~ '^(PT404|42501)', true, format('a limited reader is answered of its stream: %s', a.function))
FROM asked a WHERE a.provolatile <> 'v' ORDER BY a.function;
SELECT is(pg_temp.refusal('vsm_t_reader', 'SELECT vsm._stage_id(''secret'', ''secret todo'')'),
          replace(pg_temp.refusal('vsm_t_reader', 'SELECT vsm._stage_id(''nowhere'', ''secret todo'')'), 'nowhere', 'secret'), 'so of a stage');
SELECT is(pg_temp.ask(r.role, format('SELECT count(*) FROM vsm._wip_now(ARRAY(SELECT generate_series(1, 1000))) n WHERE n.stage_id IN (%s)', (SELECT string_agg(id::text, ', ') FROM vsm.stages))),
          CASE WHEN r.role = 'vsm_t_gone' THEN 0 ELSE (SELECT count(*) FROM vsm.stages s WHERE NOT r.limited OR s.stream = 'open') END::text, r.role || ' reads counters by id')
FROM roles r;
SELECT is(pg_temp.ask('vsm_t_reader', format('SELECT count(*) FROM vsm._totals_now() t WHERE t.a IN (%1$s) OR t.b IN (%1$s)', string_agg(s.id::text, ', '))), '0', 'and totals of its own')
FROM vsm.stages s WHERE s.stream = 'secret';
SELECT is(pg_temp.ask(r.role, format('SELECT count(*) FROM vsm._wip_recount(false) c WHERE c.stage_id IN (%s)', (SELECT string_agg(s.id::text, ', ') FROM vsm.stages s WHERE s.stream = 'secret'))),
          '0', r.role || ' and the check of the counters')
FROM roles r WHERE r.limited;
SELECT is(pg_temp.ask(r.role, 'SELECT count(*) FROM vsm._wip_recount(true)') ~ '^42501', 'open' <> ALL (r.defines) OR r.limited, r.role || ' and setting them')
FROM roles r;
SELECT is(pg_temp.ask(r.role, format(c.call, w.id)) ~ '^PT404', r.limited, format('%s and %s', r.role, format(c.call, 'an item of another stream')))
FROM roles r CROSS JOIN vsm.work_items w CROSS JOIN (VALUES ('SELECT count(*) FROM vsm.history(%s)'), ('SELECT vsm_api.history(%s)'), ('SELECT vsm_api.work_item(%s)')) c (call)
WHERE w.external_id = 'secret F1' ORDER BY c.call, r.role;
SELECT is(pg_temp.ask(r.role, format('SELECT (vsm._latest_transition(%s)).id IS NOT NULL', w.id)), (NOT r.limited)::text, r.role || ' and its latest row')
FROM roles r CROSS JOIN vsm.work_items w WHERE w.external_id = 'secret F1';
SELECT is(pg_temp.refusal('vsm_t_writer', format(c.call, w.id)), replace(pg_temp.refusal('vsm_t_writer', format(c.call, 999999)), '999999', w.id::text),
          'as of an item that is not there: ' || c.call)
FROM vsm.work_items w CROSS JOIN (VALUES
    ('SELECT count(*) FROM vsm.history(%s)'), ('SELECT vsm.transition(%s, ''secret doing'')'), ('SELECT vsm.transition(%s, ''nowhere'', expected_from => ''open todo'')'),
    ('SELECT vsm_api.history(%s)'), ('SELECT vsm_api.work_item(%s)'), ('SELECT vsm_api.transition(%s, ''secret doing'')'), ('SELECT vsm_api.delete_work_item(%s)')) c (call)
WHERE w.external_id = 'secret O1' ORDER BY c.call;
-- a full stage, which is looked at before the row
UPDATE vsm.stages SET wip_limit = 3 WHERE name = 'secret doing';
SELECT is(pg_temp.ask('vsm_t_writer', format('SELECT vsm.transition(%s, ''secret doing'')', w.id)), format('PT404 | work item %s not found', w.id), 'nor that a stage is full')
FROM vsm.work_items w WHERE w.external_id = 'secret O1';
SELECT is(pg_temp.refusal('vsm_t_writer', format(c.call, s.id)), replace(pg_temp.refusal('vsm_t_writer', format(c.call, 999999)), '999999', s.id::text),
          'a stage of another stream is as one that is not there: ' || c.call)
FROM vsm.stages s CROSS JOIN (VALUES
    ('UPDATE vsm.work_items SET stage_id = %s WHERE external_id = ''open O1'''),
    ('INSERT INTO vsm.work_items (title, stream, stage_id) VALUES (''n'', ''open'', %s)'),
    ('SELECT vsm._replay(%s, ''2026-01-05'', 1) IS NULL'),
    ('SELECT vsm._completions(%s, ''2026-01-05'', 1, ''episodes'')::text')) c (call)
WHERE s.name = 'secret done' ORDER BY c.call;

-- a role that may not read stages learns nothing from what is told their ids
GRANT USAGE ON SCHEMA vsm TO vsm_t_nobody;
SELECT is(pg_temp.ask('vsm_t_nobody', format(c.call, s.id)) ~ '^42501', true, 'without a right to read stages: ' || format(c.call, s.name))
FROM vsm.stages s CROSS JOIN (VALUES
    ('SELECT vsm._replay(%s, ''2026-01-05'', 1)::text'),
    ('SELECT vsm._completions(%s, ''2026-01-05'', 1, ''episodes'')::text'),
    ('SELECT (vsm._sequence(%s, ''2026-01-05'', true) OVER ())::text'),
    ('SELECT wip FROM vsm._wip_now(ARRAY[%s::bigint])')) c (call)
WHERE s.stream = 'open' AND s.name IN ('open doing', 'open done') ORDER BY c.call, s.id;
REVOKE USAGE ON SCHEMA vsm FROM vsm_t_nobody;

-- ---- Rows written ----

SELECT is(pg_temp.touch(r.role, format(d.statement, s.stream)),
          CASE WHEN r.writes = '{}' AND r.role <> 'vsm_t_gone' AND r.role <> 'vsm_t_both'
                    OR r.role = 'vsm_t_granted' AND d.relation = 'flow_metrics'		-- its rights are on columns
               THEN '42501 | permission denied for table ' || d.relation
               WHEN s.stream = ANY (r.writes) THEN d.rows ELSE '0' END, format('%s, %s: %s', r.role, s.stream, d.statement))
FROM roles r CROSS JOIN (VALUES ('open', '6'), ('secret', '9')) s (stream, items)
CROSS JOIN LATERAL (VALUES
    ('work_items', 'UPDATE vsm.work_items SET title = title || ''.'' WHERE stream = %L', s.items),
    ('flow_metrics', 'UPDATE vsm.flow_metrics SET wip = wip WHERE stream = %L AND period_type = ''month'' AND date = ''2026-01-01''', '1')) d (relation, statement, rows)
ORDER BY d.statement, s.stream, r.role;
SELECT is(pg_temp.touch(r.role, format('UPDATE vsm.stages SET description = ''d'' WHERE stream = %L', s.stream)),
          CASE WHEN r.defines = '{}' THEN '42501 | permission denied for table stages' WHEN s.stream = ANY (r.defines) THEN '3' ELSE '0' END,
          format('%s describes stages of %s', r.role, s.stream))
FROM roles r CROSS JOIN (VALUES ('open'), ('secret')) s (stream);
SELECT is(pg_temp.ask('vsm_t_writer', s.statement), s.answer, s.statement)
FROM (VALUES
    ('SELECT title FROM vsm.create_work_item(''n'', stream => ''open'')', 'n'),
    ('INSERT INTO vsm.work_items (title, stream) VALUES (''n'', ''open'') RETURNING stream', 'open'),
    ('INSERT INTO vsm.work_items (title, stream) VALUES (''n'', ''secret'') RETURNING id', 'PT404 | stream "secret" not found'),
    ('INSERT INTO vsm.work_items (title, stream, external_id) VALUES (''n'', ''secret'', ''secret F1'') ON CONFLICT DO NOTHING', 'PT404 | stream "secret" not found'),
    ('INSERT INTO vsm.work_items (title, stream, external_id) VALUES (''n'', ''open'', ''secret F1'') RETURNING stream', 'open'),
    ('MERGE INTO vsm.work_items w USING (SELECT ''secret'' AS s) x ON w.stream = x.s WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (title, stream) VALUES (''n'', x.s)',
     'PT404 | stream "secret" not found'),
    ('WITH d AS (DELETE FROM vsm.work_items WHERE stream = ''secret'' RETURNING id) SELECT count(*) FROM d', '0'),
    ('WITH d AS (UPDATE vsm_api.work_items SET title = ''x'' WHERE stream = ''secret'' RETURNING id) SELECT count(*) FROM d', '0'),
    ('INSERT INTO vsm_api.work_items (title, stream) VALUES (''n'', ''secret'')', 'PT404 | stream "secret" not found'),
    ('INSERT INTO vsm_api.work_items (title, stream, current_stage) VALUES (''n'', ''secret'', ''Backlog'')', 'PT404 | stream "secret" not found'),
    ('SELECT count(*) FROM (SELECT FROM vsm.work_items WHERE stream = ''secret'' FOR UPDATE) x', '0'),
    ('INSERT INTO vsm.flow_metrics (stream, date, period_type, throughput, wip, created_at) VALUES (''secret'', ''2020-01-01'', ''day'', 1, 1, now())',
     '42501 | new row violates row-level security policy for table "flow_metrics"'),
    ('UPDATE vsm.flow_metrics SET stream = ''secret''', '42501 | permission denied for table flow_metrics'),
    ('WITH d AS (DELETE FROM vsm.flow_metrics WHERE stream = ''secret'' RETURNING 1) SELECT count(*) FROM d', '0'),
    ('SELECT vsm.refresh_flow_metrics(''secret'')', 'PT404 | stream "secret" not found'),
    ('SELECT items FROM vsm.import_events(''pg_temp.events'', ''open'', on_error => ''skip'')', '1'),
    ('SELECT array_agg(DISTINCT stream) FROM vsm.import_refusals', '{open}'),
    ('SELECT items FROM vsm.import_events(''pg_temp.events'', ''secret'', on_error => ''skip'')', 'PT404 | stream "secret" not found'),
    ('SELECT vsm._import_begin(''secret'', ''abort'', false)', 'PT404 | stream "secret" not found'),
    ('SELECT vsm._import_apply(''secret'', ''x'', false, ''abort'')', 'PT404 | stream "secret" not found'),
    ('SELECT items FROM vsm.import_events(''pg_temp.events'', ''open'', create_stages => true)', '42501 | role "vsm_t_writer" may not define stages and types'),
    ('SELECT vsm.grant_access(''vsm_t_writer'', ''writer'', ''secret'')', '42501 | permission denied to grant access'),
    ('INSERT INTO vsm.stream_access (role, level) VALUES (''vsm_t_writer'', ''writer'')', '42501 | permission denied for table stream_access'),
    ('SELECT string_agg(DISTINCT role, '','') FROM vsm.stream_access', 'vsm_t_writer')) s (statement, answer);
SELECT is(replace(pg_temp.refusal('vsm_t_writer', s.statement), 'secret', 'nowhere'), pg_temp.refusal('vsm_t_writer', replace(s.statement, 'secret', 'nowhere')),
          'as of a stream that is not there: ' || s.statement)
FROM (VALUES
    ('UPDATE vsm.work_items SET stream = ''secret'' WHERE external_id = ''open O1'''),
    ('INSERT INTO vsm.work_items (title, stream) VALUES (''n'', ''secret'')'),
    ('SELECT vsm.refresh_flow_metrics(''secret'')'),
    ('SELECT vsm._import_begin(''secret'', ''abort'', false)'),
    ('SELECT vsm._import_apply(''secret'', ''x'', false, ''abort'')')) s (statement);
SELECT matches(pg_temp.ask('vsm_t_reader', c.call), '^(42501|42P01|PT422) ', 'the owner''s part, called directly, has no rights of the owner: ' || c.call)
FROM (VALUES ('SELECT vsm._refresh_flow_metrics(''open'', ''-infinity'', now())'), ('SELECT vsm._import_prepare(''open'', ''abort'', ''vsm_t_reader'', false)'),
             ('SELECT vsm._import_run(''open'', ''x'', false, ''abort'', false)'), ('SELECT vsm._recompute_items(''open'')')) c (call);
SELECT is(pg_temp.ask('vsm_t_both', s.statement), s.answer, 'who only sees a stream: ' || s.statement)
FROM (VALUES
    ('INSERT INTO vsm.work_items (title, stream) VALUES (''n'', ''secret'')', '42501 | permission denied for stream "secret"'),
    ('SELECT vsm.refresh_flow_metrics(''secret'')', '42501 | permission denied for stream "secret"'),
    ('SELECT items FROM vsm.import_events(''pg_temp.events'', ''secret'')', '42501 | permission denied for stream "secret"'),
    ('SELECT title FROM vsm.create_work_item(''n'', stream => ''open'')', 'n')) s (statement, answer);
SELECT is(pg_temp.refusal('vsm_t_both', format('SELECT vsm.transition(%s, ''secret doing'')', w.id)),
          '42501 | permission denied for stream "secret" | Role "vsm_t_both" may see its work items and not change them. | Ask for vsm.grant_access(role, ''writer'', stream).',
          'nor moves its items') FROM vsm.work_items w WHERE w.external_id = 'secret S1';
SELECT is((SELECT count(*) FROM vsm.work_items WHERE stream = 'secret'), 9::bigint, 'nothing came into the other stream, nothing went');

-- a limited writer's kept figures are the owner's
CREATE TEMPORARY VIEW kept AS SELECT to_jsonb(f) - 'id' - 'created_at' - 'updated_at' AS figures FROM vsm.flow_metrics f;
SELECT vsm.refresh_flow_metrics('open', until => '2026-03-01');
CREATE TEMPORARY TABLE by_owner AS SELECT * FROM kept;
SELECT is(pg_temp.ask('vsm_t_writer', 'SELECT vsm.refresh_flow_metrics(''open'', until => ''2026-03-01'')'), '0', 'a limited writer refreshes what is kept: nothing differs');
UPDATE vsm.flow_metrics SET throughput = 99 WHERE stream = 'open' AND date < '2026-02-01' AND period_type = 'day';
SELECT isnt(pg_temp.ask('vsm_t_writer', 'SELECT vsm.refresh_flow_metrics(''open'', until => ''2026-03-01'')'), '0', 'mends it');
SELECT set_eq('SELECT * FROM kept', 'SELECT * FROM by_owner', 'and leaves the rows that the owner does, and those of the other stream');

-- ---- Definitions ----

SELECT is(pg_temp.ask('vsm_t_admin', s.statement), s.answer, s.statement)
FROM (VALUES
    ('UPDATE vsm.stages SET wip_limit = 7 WHERE category = ''active'' RETURNING stream', 'open'),
    ('WITH d AS (UPDATE vsm.stages SET wip_limit = 1 WHERE stream = ''secret'' RETURNING 1) SELECT count(*) FROM d', '0'),
    ('WITH d AS (DELETE FROM vsm.stages WHERE stream = ''secret'' RETURNING 1) SELECT count(*) FROM d', '0'),
    ('WITH d AS (UPDATE vsm.value_streams SET time_zone = ''Europe/Berlin'' RETURNING name) SELECT string_agg(name, '','') FROM d', 'open'),
    ('WITH d AS (DELETE FROM vsm.value_streams WHERE name = ''secret'' RETURNING name) SELECT count(*) FROM d', '0'),
    ('INSERT INTO vsm.work_item_types VALUES (''x'')', '42501 | new row violates row-level security policy for table "work_item_types"'),
    ('WITH d AS (DELETE FROM vsm.work_item_types RETURNING name) SELECT count(*) FROM d', '0'),
    ('SELECT name FROM vsm.define_stream(''open'', ''[{"name":"open todo","category":"wait"},{"name":"open doing"},{"name":"open check"},{"name":"open done","category":"done"}]'')', 'open'),
    ('SELECT count(*) FROM vsm.wip_rebuild()', '42501 | permission denied to set the counters of work in progress')) s (statement, answer);
SELECT is(replace(pg_temp.refusal('vsm_t_admin', s.statement), 'secret', 'nowhere'), pg_temp.refusal('vsm_t_admin', replace(s.statement, 'secret', 'nowhere')),
          'as of a stream that is not there: ' || s.statement)
FROM (VALUES
    ('SELECT name FROM vsm.define_stream(''secret'')'),
    ('INSERT INTO vsm.value_streams (name) VALUES (''secret'')'),
    ('INSERT INTO vsm.value_streams (name) VALUES (''secret'') ON CONFLICT DO NOTHING'),
    ('UPDATE vsm.value_streams SET name = ''secret'''),
    ('INSERT INTO vsm.stages (stream, name, "order") VALUES (''secret'', ''x'', 2)'),
    ('UPDATE vsm.stages SET stream = ''secret'' WHERE name = ''open check''')) s (statement);
SELECT isnt(pg_temp.ask('vsm_t_admin', s.statement) ~ '^(42501|PT404)', NULL, 'refused: ' || s.statement)
FROM (VALUES ('SELECT name FROM vsm.define_stream(''another'')'), ('UPDATE vsm.value_streams SET name = ''another''')) s (statement);
SELECT is((SELECT string_agg(name, ',' ORDER BY name) FROM vsm.value_streams), 'open,secret', 'no stream came or went');
-- a stage whose items are all deleted has totals: it is retired, by whoever leaves it out
SELECT vsm.transition(w.id, 'open check') FROM vsm.create_work_item('checked', stream => 'open', external_id => 'checked') w;
DELETE FROM vsm.work_items WHERE external_id = 'checked';
SELECT is(pg_temp.ask('vsm_t_admin', 'SELECT name FROM vsm.define_stream(''open'', ''[{"name":"open todo","category":"wait"},{"name":"open doing"},{"name":"open done","category":"done"}]'')'),
          'open', 'a limited admin leaves out a stage that has totals');
SELECT is((SELECT retired_at IS NOT NULL FROM vsm.stages WHERE name = 'open check'), true, 'which is retired');
-- create_stages: stages for who may define the stream, types for who may define all
SELECT is(pg_temp.ask('vsm_t_admin', 'SELECT items FROM vsm.import_events(''pg_temp.events'', ''open'', create_stages => true)'), 'PT422 | the source names work item types that are not defined', 'a limited admin''s import adds no type');
UPDATE pg_temp.events SET type = 'task';
SELECT is(pg_temp.ask('vsm_t_admin', 'SELECT items FROM vsm.import_events(''pg_temp.events'', ''open'', create_stages => true)'), '1', 'but stages');
SELECT is(pg_temp.ask('vsm_t_admin', 'SELECT items FROM vsm.import_events(''pg_temp.events'', ''secret'', create_stages => true)'), 'PT404 | stream "secret" not found', 'of its stream');
SELECT is(pg_temp.ask('vsm_t_all_writer', 'SELECT items FROM vsm.import_events(''pg_temp.events'', ''open'', create_stages => true)'),
          '42501 | role "vsm_t_all_writer" may not define stages and types', 'a writer of all streams adds none');

-- no row of an import escapes being refused
SELECT is(pg_temp.ask('vsm_t_writer', 'WITH begun AS (SELECT vsm._import_begin(''open'', ''skip'', true)) SELECT count(*) FROM begun'), '1', 'a writer begins an import');
SELECT is(pg_temp.ask('vsm_t_writer', 'INSERT INTO pg_temp.vsm_import (ord, case_id, stage, entered_at) VALUES (NULL, ''far'', ''open todo'', ''4000-01-01'') RETURNING 1') ~ '^23502', true,
          'whose rows have numbers');
DROP TABLE IF EXISTS pg_temp.vsm_import;

-- ---- By COPY ----

SELECT is(pg_temp.refusal('vsm_t_writer', 'COPY vsm.work_items (title, stream) FROM STDIN') ~ 'COPY|cannot', true, 'COPY FROM is no way round (the server refuses it where policies hold)');

-- ---- Rights that are lent ----

-- in a view the rights on the tables are its owner's; a role without rows has no rights of its own there
CREATE SCHEMA vsm_t_views;
GRANT USAGE, CREATE ON SCHEMA vsm_t_views TO PUBLIC;
SET LOCAL ROLE vsm_t_admin;
CREATE VIEW vsm_t_views.work_items AS SELECT * FROM vsm.work_items;
CREATE VIEW vsm_t_views.stage_transitions AS SELECT * FROM vsm.stage_transitions;
CREATE VIEW vsm_t_views.stages AS SELECT * FROM vsm.stages;
CREATE VIEW vsm_t_views.value_streams AS SELECT * FROM vsm.value_streams;
CREATE VIEW vsm_t_views.flow_metrics AS SELECT * FROM vsm.flow_metrics;
CREATE VIEW vsm_t_views.shown AS SELECT * FROM vsm_api.work_items;
CREATE VIEW vsm_t_views.wip AS SELECT * FROM vsm.wip;
CREATE VIEW vsm_t_views.counters AS SELECT * FROM vsm._wip_now(ARRAY(SELECT generate_series(1, 1000)));
CREATE VIEW vsm_t_views.recounted AS SELECT * FROM vsm._wip_recount(false);
CREATE VIEW vsm_t_views.totals AS SELECT * FROM vsm._totals_now();
CREATE VIEW vsm_t_views.stage_ids AS SELECT vsm._stage_id('secret', 'secret todo') AS id;
CREATE VIEW vsm_t_views.metrics AS SELECT * FROM vsm.metrics('secret');
GRANT ALL ON ALL TABLES IN SCHEMA vsm_t_views TO PUBLIC;
RESET ROLE;
GRANT SELECT ON vsm.work_items TO vsm_t_nobody;
SELECT is(pg_temp.ask('vsm_t_nobody', 'SELECT count(*) > 14 FROM vsm_t_views.work_items'), 'true', 'one who may read the table himself reads it by a view');
SELECT is(pg_temp.ask('vsm_t_nobody', 'UPDATE vsm_t_views.work_items SET title = ''x'' WHERE stream = ''secret'' RETURNING id') ~ '^42501', true, 'and does not write it');
REVOKE SELECT ON vsm.work_items FROM vsm_t_nobody;
-- neither a right on columns nor the right to another command is widened
GRANT SELECT (id), INSERT ON vsm.work_items TO vsm_t_nobody;
SELECT is(pg_temp.ask('vsm_t_nobody', s.statement) ~ '^42501', true, 'nor with part of a right: ' || s.statement)
FROM (VALUES ('SELECT title FROM vsm_t_views.work_items'), ('UPDATE vsm_t_views.work_items SET title = ''x'' RETURNING id'),
             ('DELETE FROM vsm_t_views.work_items RETURNING id')) s (statement);
REVOKE SELECT (id), INSERT ON vsm.work_items FROM vsm_t_nobody;
SELECT is(pg_temp.ask('vsm_t_nobody', format('SELECT string_agg(x::text, '','') FROM %s x', c.oid::regclass)) ~ '^42501 \| permission denied', true,
          'a role without rights is shown nothing by a limited role''s view ' || c.relname)
FROM pg_class c WHERE c.relnamespace = 'vsm_t_views'::regnamespace ORDER BY c.relname;
SELECT is(pg_temp.ask('vsm_t_nobody', s.statement) ~ '^42501', true, 'nor writes by it: ' || s.statement)
FROM (VALUES ('INSERT INTO vsm_t_views.work_items (title, stream) VALUES (''x'', ''secret'')'),
             ('UPDATE vsm_t_views.work_items SET title = ''x'''), ('DELETE FROM vsm_t_views.work_items'),
             ('UPDATE vsm_t_views.stages SET wip_limit = 1'), ('DELETE FROM vsm_t_views.flow_metrics'),
             ('INSERT INTO vsm_t_views.value_streams (name) VALUES (''x'')')) s (statement);
SELECT is(pg_temp.refusal('vsm_t_nobody', 'SELECT count(*) FROM vsm_t_views.work_items'),
          '42501 | permission denied for table work_items | Role "vsm_t_nobody" has no such right of its own on the whole table; rights on columns, and those of a view''s owner, do not count.'
          ' | Ask for vsm.grant_access(role, level, stream), or let the owner of the table own the view.', 'and is told why');
CREATE VIEW vsm_t_views.of_owner AS SELECT w.title FROM vsm.work_items w WHERE w.stream = 'secret';
GRANT SELECT ON vsm_t_views.of_owner TO PUBLIC;
SELECT is(pg_temp.ask(r.role, 'SELECT count(*) FROM vsm_t_views.of_owner'), '9', r.role || ' is shown what the owner''s view is made for')
FROM (VALUES ('vsm_t_nobody'), ('vsm_t_reader')) r (role);

-- ---- What changes access takes effect ----

CREATE FUNCTION pg_temp.streams(role name) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.ask(role, 'SELECT string_agg(DISTINCT stream, '','' ORDER BY stream) FROM vsm.work_items')
$$;
UPDATE vsm.value_streams SET name = 'opened' WHERE name = 'open';
SELECT is(pg_temp.streams('vsm_t_reader'), 'opened', 'access follows a renamed stream');
UPDATE vsm.value_streams SET name = 'open' WHERE name = 'opened';
SELECT is(pg_temp.streams('vsm_t_noinherit'), '42501 | permission denied for schema vsm', 'who does not inherit has nothing');
SET LOCAL SESSION AUTHORIZATION vsm_t_noinherit;
SET LOCAL ROLE vsm_t_group;
SELECT string_agg(DISTINCT stream, ',') AS seen FROM vsm.work_items \gset
RESET SESSION AUTHORIZATION;
SELECT is(:'seen'::text, 'open', 'until it is SET to the group');
REVOKE vsm_t_group FROM vsm_t_member;
SELECT is(pg_temp.streams('vsm_t_member'), '42501 | permission denied for schema vsm', 'a role that left the group has nothing');
GRANT vsm_t_group TO vsm_t_granted;
SELECT is(pg_temp.streams('vsm_t_granted'), 'open', 'one that entered it is limited as it is');
REVOKE vsm_t_group FROM vsm_t_granted;
SELECT is(pg_temp.streams('vsm_t_granted'), 'open,secret', 'until it leaves');
ALTER ROLE vsm_t_group RENAME TO vsm_t_team;
UPDATE vsm.stream_access SET role = 'vsm_t_team' WHERE role = 'vsm_t_group';
SELECT is(pg_temp.streams('vsm_t_team'), 'open', 'a role that is renamed with its rows is limited as before');
SAVEPOINT given;
SELECT vsm.grant_access('vsm_t_reader', 'reader', 'secret');
SELECT is(pg_temp.streams('vsm_t_reader'), 'open,secret', 'another stream is given');
ROLLBACK TO given;
SELECT is(pg_temp.streams('vsm_t_reader'), 'open', 'and rolled back');
PREPARE seen AS SELECT string_agg(DISTINCT stream, ',' ORDER BY stream) AS seen FROM vsm.work_items;
SET LOCAL plan_cache_mode = force_generic_plan;
EXECUTE seen \gset before_
SET LOCAL ROLE vsm_t_reader;
EXECUTE seen \gset within_
RESET ROLE;
EXECUTE seen \gset after_
SELECT is(ARRAY[:'before_seen', :'within_seen', :'after_seen'], ARRAY['open,secret', 'open', 'open,secret'], 'a prepared statement asks for whom it runs');
-- each worker of a parallel query asks for itself
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT is(pg_temp.ask('vsm_t_reader', 'SELECT count(*) FROM vsm.stage_transitions t'), (SELECT count(*) FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id WHERE s.stream = 'open')::text,
          'in parallel');
SELECT vsm.grant_access('vsm_t_writer', 'reader', 'open');
SELECT is(pg_temp.touch('vsm_t_writer', 'UPDATE vsm.work_items SET title = title'), '0', 'given again, the level is the new one');
SELECT vsm.grant_access('vsm_t_writer', 'writer', 'secret');
SELECT vsm.revoke_access('vsm_t_writer', 'open');
SELECT is(pg_temp.streams('vsm_t_writer'), 'secret', 'one stream is taken, the other stays');
SELECT vsm.grant_access('vsm_t_writer', 'admin', 'open');
SELECT vsm.revoke_access('vsm_t_writer', 'open');
SELECT vsm.grant_access('vsm_t_writer', 'reader', 'secret');
SELECT is(pg_temp.ask('vsm_t_writer', 'SELECT count(*) > 0 FROM vsm.flow_totals'), 'true', 'what the level that is left needs stays');
SELECT vsm.grant_access('vsm_t_writer', 'writer', 'secret');
SELECT is(pg_temp.refusal(current_user, format('SELECT vsm.%s', c.call)) ~ 'PT422 .*cannot be changed', true, 'an owner keeps its rights: ' || c.call)
FROM (VALUES (format('grant_access(%L, ''reader'')', current_user)), (format('grant_access(%L, ''reader'', ''open'')', current_user)),
             (format('revoke_access(%L)', current_user))) c (call);
SELECT is(pg_temp.refusal(current_user, 'SELECT vsm.revoke_access(''vsm_t_writer'', ''open'')'),
          'PT404 | role "vsm_t_writer" has no access of its own to stream "open" | vsm.stream_access has no such row.'
          ' | If the role sees the stream by a grant on all streams or by another role, revoke that grant.', 'what is not there cannot be taken');
SELECT vsm.revoke_access('vsm_t_writer', 'secret'), vsm.revoke_access('vsm_t_all_admin'), vsm.revoke_access('vsm_t_both');
SELECT is(pg_temp.streams(r.role), '42501 | permission denied for schema vsm', r.role || ' has nothing left')
FROM (VALUES ('vsm_t_writer'), ('vsm_t_all_admin'), ('vsm_t_both')) r (role);
SELECT is_empty($$
    SELECT d.classid::regclass, d.objid, d.refobjid::regrole FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'a' AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND d.refobjid::regrole::text IN ('vsm_t_writer', 'vsm_t_all_admin', 'vsm_t_both')
    $$, 'not a right on anything');
DELETE FROM vsm.work_items WHERE stream = 'open';
SELECT is(pg_temp.touch('vsm_t_admin', 'DELETE FROM vsm.value_streams'), '1', 'a limited admin may delete its stream');
SELECT is((SELECT string_agg(name, ',') FROM vsm.value_streams), 'secret', 'and no other');
SELECT is(pg_temp.streams('vsm_t_admin'), NULL, 'and sees nothing then');
SELECT is(pg_temp.streams('vsm_t_reader'), NULL, 'access to a stream that is gone is not access to all');
SELECT is(pg_temp.ask('vsm_t_reader', 'SELECT count(*) FROM vsm.value_streams'), '0', 'nor to what others define');

-- What runs as the owner names nothing that the caller may not see, also where there is access to a stream that is not there.
SELECT vsm.define_stream('gone'), vsm.define_stream('seen');
SELECT vsm.grant_access('vsm_t_writer', 'writer', 'gone'), vsm.grant_access('vsm_t_writer', 'reader', 'seen');
DELETE FROM vsm.value_streams WHERE name = 'gone';
INSERT INTO vsm.stream_access (role, stream, level) VALUES ('vsm_t_writer', 'gone', 'writer');      -- as a restore could bring it
CREATE TABLE public.gone_events AS SELECT 'G-1' AS case_id, 'Backlog' AS stage, now() AS entered_at, now() AS "Backlog";
GRANT SELECT ON public.gone_events TO vsm_t_writer;
SELECT is(pg_temp.refusal('vsm_t_writer', 'SELECT ' || c.call), 'PT404 | stream "gone" not found | There is no stream of that name; names are case-sensitive.'
          ' | The only stream is seen; vsm.define_stream() defines one.', c.call)
FROM (VALUES ('vsm.import_events(''public.gone_events'', ''gone'')'), ('vsm.fold(''gone'')'), ('vsm.fold(''gone'', true)'), ('vsm.refresh_flow_metrics(''gone'')'),
             ('vsm.import_wide(''public.gone_events'', ''case_id'', ''{Backlog}'', ''gone'')')) c (call);

-- The name that a deleted stream had is free: for a new stream and for one that is renamed, which nobody gets access to by that.
CREATE ROLE vsm_t_heir;
CREATE FUNCTION pg_temp.defined(role name) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.ask(role, 'SELECT string_agg(name, '','' ORDER BY name) FROM vsm.value_streams')
$$;
SELECT vsm.define_stream('one'), vsm.define_stream('two'), vsm.define_stream('kept');
SELECT vsm.grant_access('vsm_t_heir', 'reader', 'one'), vsm.grant_access('vsm_t_heir', 'admin', 'two'), vsm.grant_access('vsm_t_heir', 'writer', 'kept');
DELETE FROM vsm.value_streams WHERE name IN ('one', 'two');
SELECT results_eq($$SELECT a.stream, a.level FROM vsm.stream_access a WHERE a.role = 'vsm_t_heir' ORDER BY 1$$, $$VALUES ('', 'admin'), ('kept', 'writer')$$,
                  'the rows of deleted streams are one');
UPDATE vsm.value_streams SET name = 'one' WHERE name = 'kept';
SELECT results_eq($$SELECT a.stream, a.level FROM vsm.stream_access a WHERE a.role = 'vsm_t_heir' ORDER BY 1$$, $$VALUES ('', 'admin'), ('one', 'writer')$$,
                  'another stream takes such a name, and its rows follow it');
SELECT vsm.define_stream('two'), vsm.define_stream('passing');
SELECT is(pg_temp.defined('vsm_t_heir'), 'one', 'a new stream of such a name is granted anew');
SELECT is(pg_temp.defined('vsm_t_gone'), NULL, 'also to whom nothing else is left');
SELECT vsm.grant_access('vsm_t_heir', 'reader', 'two');
SELECT is(pg_temp.defined('vsm_t_heir'), 'one,two', 'and can be');
DELETE FROM vsm.value_streams WHERE name IN ('one', 'two');
SELECT is(pg_temp.defined('vsm_t_heir'), NULL, 'with the last one goes all, once more');

SELECT * FROM finish();
ROLLBACK;
