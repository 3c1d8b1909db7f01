-- A name that does not exist is an error that lists the names there are, whatever function gets it, and never an empty answer.
--
-- Each parameter of a public function of vsm and vsm_api that names something gets a name that does not exist.  The parameters come from
-- pg_proc: a new one is swept without an edit here, and one of a kind that the table below does not know fails the last test.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT vsm_api.prepare() \gset
SELECT vsm.define_stream('side', '[{"name": "Open", "category": "wait"}, {"name": "Work"}, {"name": "Shut", "category": "done"}]') \gset
CREATE ROLE vsm_names_reader;
CREATE TABLE public.vsm_events (case_id text, stage text, entered_at timestamptz, type text, title text);
INSERT INTO public.vsm_events VALUES ('A', 'Backlog', '2026-01-05 09:00+00', 'task', 'a');
CREATE TABLE public.vsm_wide (id text, "Backlog" timestamptz, "Production" timestamptz);
INSERT INTO public.vsm_wide VALUES ('W', '2026-01-05 09:00+00', '2026-01-06 09:00+00');
SELECT FROM vsm.create_work_item('an item', attributes => '{"team": "red"}');
SELECT FROM vsm.create_work_item('an item of another stream', stream => 'side', attributes => '{"site": "north"}');

-- what does not exist, and a name that the hint or the detail must have
CREATE TEMPORARY TABLE kinds (parameter text, wrong text, there text) ON COMMIT PRESERVE ROWS;
INSERT INTO kinds VALUES
    ('stream', '''nope''', 'default'), ('type', '''nope''', 'feature'), ('stage', '''nope''', 'Backlog'),
    ('to_stage', '''nope''', 'Deployment'), ('expected_from', '''nope''', 'Deployment'), ('bucket', '''nope''', 'week'),
    ('step', '''nope''', 'week'), ('reopen_rule', '''nope''', 'span_last'), ('commitment_stage', '''nope''', NULL),
    ('level', '''nope''', 'writer'), ('on_error', '''nope''', 'skip'), ('format', '''nope''', NULL), ('time_zone', '''Nope/Nope''', 'Europe/Berlin'),
    ('dates', '''nope''', 'DMY'), ('direction', '''nope''', 'newest_first'), ('column of a file', '''nope''', 'entered_at'),
    ('attributes', '''{"nope": 1}''', 'team'), ('attributes', '''["team"]''', 'team'), ('stages', '''{nope}''', NULL), ('stage_columns', '''{nope}''', NULL),
    ('case_column', '''nope''', 'entered_at'), ('stage_column', '''nope''', 'entered_at'), ('time_column', '''nope''', 'case_id'),
    ('by', '''nope''', 'order'), ('source', '''nope''', 'deployments'), ('items', '''{"nope": 5}''', 'default'),
    ('working_days', '''nope''', '1,2,3,4,5'),
    ('figure', '''nope''', 'cycle_time'), ('from_stage', '''nope''', 'Deployment'), ('from_which', '''nope''', 'last_exit'), ('to_which', '''nope''', 'first_entry'),
    ('order_column', '''nope''', 'entered_at'), ('id_column', '''nope''', 'Production'), ('type_column', '''nope''', NULL), ('title_column', '''nope''', NULL);
-- text that is no name, and what a new item may bring
CREATE TEMPORARY TABLE free_text (parameter text) ON COMMIT PRESERVE ROWS;
INSERT INTO free_text VALUES ('title'), ('external_id'), ('reason'), ('since'), ('until'), ('at'), ('known_at'), ('baseline_since'), ('baseline_until'), ('content'), ('name'), ('description'), ('deployment');
-- what a function needs beside
CREATE TEMPORARY TABLE given (parameter text, value text) ON COMMIT PRESERVE ROWS;
INSERT INTO given VALUES
    ('title', '''new'''), ('work_item_id', '1'), ('to_stage', '''Testing'''), ('from_stage', '''Backlog'''), ('items', '''{"default": 5}'''), ('day', '''2026-05-01'''), ('level', '''reader'''), ('role', '''vsm_names_reader'''),
    ('name', '''side'''), ('content', '''case_id,stage,entered_at'''), ('started_at', 'now()'), ('completed_at', 'now()'),
    ('stream', '''default'''), ('elapsed', '''10 days'''), ('probability', '0.85'), ('since', '''2026-01-01''');

CREATE TEMPORARY TABLE swept ON COMMIT PRESERVE ROWS AS
SELECT f.function, a.name AS parameter, a.type, k.wrong, k.there,
       format('SELECT * FROM %s(%s)', f.function,
              concat_ws(', ', (SELECT string_agg(format('%I => %s', o.name, CASE WHEN o.name = 'source' THEN f.source ELSE g.value END), ', ')
                               FROM unnest(f.names) WITH ORDINALITY o (name, place) LEFT JOIN given g ON g.parameter = o.name
                               WHERE o.place <= f.required AND o.name <> a.name),
                        CASE WHEN a.name = 'stages' THEN 'stage_columns => ''{Backlog}''' WHEN a.name = 'stage_columns' THEN 'stages => ''{Backlog}'''
                             WHEN f.function LIKE '%import\_wide' AND a.name NOT IN ('stages', 'stage_columns') THEN 'stages => ''{Backlog,Production}''' END,
                        format('%I => %s', a.name, k.wrong))) AS call
FROM (SELECT format('%I.%I', n.nspname, p.proname) AS function, p.proargnames[:p.pronargs] AS names, p.proargtypes::oid[] AS types,
             p.pronargs - p.pronargdefaults AS required, CASE p.proname WHEN 'import_wide' THEN '''public.vsm_wide''' ELSE '''public.vsm_events''' END AS source
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname IN ('vsm', 'vsm_api') AND p.prokind = 'f' AND p.proname !~ '^_') f
CROSS JOIN LATERAL unnest(f.names, f.types) WITH ORDINALITY a (name, type, place)
LEFT JOIN kinds k ON k.parameter = CASE WHEN f.function = 'vsm_api.import' AND a.name IN ('item', 'stage', 'time', 'type') THEN 'column of a file' ELSE a.name END
WHERE a.type IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)
  AND NOT EXISTS (SELECT FROM free_text t WHERE t.parameter = a.name)
  -- what they define
  AND NOT (f.function = 'vsm.define_stream' AND a.name = 'stages') AND NOT (f.function ~ 'create_work_item' AND a.name = 'attributes' AND k.wrong ~ 'nope')
  AND NOT (f.function ~ '^vsm_api\.(add|change|define)_' AND (a.name <> 'stream' OR f.function = 'vsm_api.define_stream'))
  -- what the server itself refuses (22023), and what needs an import that has begun
  AND NOT (f.function = 'vsm.cycle_time_days' AND a.name = 'time_zone') AND f.function NOT IN ('vsm_api.import_end', 'vsm_api.import_rehearse')
  -- what tells that there is none
  AND f.function NOT IN ('vsm_api.import_settings', 'vsm_api.import_changes')
  -- rights that are left of a stream that is gone may be taken back: it names the role's own rows
  AND NOT (f.function = 'vsm.revoke_access' AND a.name = 'stream');

CREATE FUNCTION pg_temp.answer(call text, OUT state text, OUT message text, OUT hint text, OUT detail text) LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
BEGIN
    BEGIN
        EXECUTE call;
        GET DIAGNOSTICS rows = ROW_COUNT;
        message := format('%s rows', rows);
        RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'undone';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
        message := coalesce(message, sqlerrm);
    END;
END $$;
CREATE TEMPORARY TABLE answers ON COMMIT PRESERVE ROWS AS SELECT s.*, a.* FROM swept s CROSS JOIN LATERAL pg_temp.answer(s.call) a WHERE s.wrong IS NOT NULL;

SELECT no_plan();
SELECT cmp_ok(count(*), '>', 100::bigint, 'there are many') FROM answers;
SELECT is_empty($$SELECT call, state, message FROM answers WHERE state NOT IN ('PT404', 'PT422')$$, 'each is PT404 or PT422');
SELECT is_empty($$SELECT call, message, hint FROM answers WHERE coalesce(hint, '') = '' OR position(there IN hint || detail) = 0$$, 'and the hint or the detail has names that there are');
SELECT is_empty($$SELECT call, hint FROM answers WHERE parameter = 'stream' AND hint !~ 'side'$$, 'all of them');
SELECT is_empty($$SELECT DISTINCT function, parameter FROM swept WHERE wrong IS NULL$$, 'every parameter is a name of a known kind, or free text');

-- A role that is limited to a stream learns no other's name.
SELECT vsm.grant_access('vsm_names_reader', 'admin', 'side');
GRANT ALL ON answers, swept TO vsm_names_reader;
SET ROLE vsm_names_reader;
SELECT is_empty($$SELECT s.call, a.message, a.hint FROM swept s CROSS JOIN LATERAL pg_temp.answer(s.call) a WHERE s.parameter IN ('stream', 'stage', 'type', 'attributes') AND a.hint ~ 'default|Backlog|Deployment|team'
                  AND a.hint !~ 'For example'$$, 'a limited role sees the names of its streams only');
RESET ROLE;

-- A retired stage that holds items is in the list of stages; one that holds none is not.
UPDATE vsm.stages SET retired_at = now() WHERE stream = 'default' AND name IN ('Analysis', 'Testing');
SELECT is((SELECT array_agg(s ->> 'name') FROM json_array_elements(vsm_api.stages()) s), '{Backlog,Development,Deployment,Production}', 'a retired stage without items is not listed');
UPDATE vsm.stages SET retired_at = NULL WHERE stream = 'default' AND name = 'Testing';
SELECT FROM vsm.transition(1, 'Testing');
UPDATE vsm.stages SET retired_at = '2026-02-03 04:05+00' WHERE stream = 'default' AND name = 'Testing';
SELECT is((SELECT array_agg(concat_ws(' ', s ->> 'name', s ->> 'retired_at')) FROM json_array_elements(vsm_api.stages()) s),
          '{Backlog,Development,"Testing 2026-02-03T04:05:00.000000Z",Deployment,Production}', 'one that holds items is, with the time');
SELECT is((SELECT array_agg(w ->> 'stage') FROM json_array_elements(vsm_api.wip('default')) w WHERE (w ->> 'wip')::integer > 0), '{Testing}', 'as it is in WIP');
SELECT FROM vsm.transition(1, 'Production');
UPDATE vsm.stages SET category = 'discarded' WHERE stream = 'default' AND name = 'Deployment';
SELECT FROM vsm.transition((SELECT id FROM vsm.create_work_item('given up')), 'Deployment');
INSERT INTO vsm.stages (stream, name, category) VALUES ('default', 'Live', 'done');
UPDATE vsm.stages SET retired_at = now() WHERE stream = 'default' AND name IN ('Production', 'Deployment');
SELECT is((SELECT array_agg(s ->> 'name') FROM json_array_elements(vsm_api.stages()) s), '{Backlog,Development,Deployment,Production,Live}', 'done and discarded stages alike');
SELECT * FROM finish();
RESET client_min_messages;
DROP OWNED BY vsm_names_reader;
DROP ROLE vsm_names_reader;
