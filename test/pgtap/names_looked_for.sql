-- A name is found in whatever form of Unicode it is given, and a long text that is no name is not repeated as a whole.
--
-- Each parameter of a public function of vsm and vsm_api that names a stream, a stage or a type comes from pg_proc: a new one is swept
-- without an edit here.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT E'caf\u00e9' AS c, E'cafe\u0301' AS d \gset
SELECT vsm_api.prepare() \gset
SELECT vsm.define_stream(:'c', jsonb_build_array(jsonb_build_object('name', 'New', 'category', 'wait'), jsonb_build_object('name', :'c'),
                                                jsonb_build_object('name', 'Done', 'category', 'done'))) \gset
INSERT INTO vsm.work_item_types (name) VALUES (:'c');
CREATE ROLE vsm_looked_for_reader;
SELECT vsm.grant_access('vsm_looked_for_reader', 'reader', :'c');
CREATE TABLE public.vsm_events AS SELECT 'A'::text AS case_id, :'c'::text AS stage, timestamptz '2026-01-05 09:00+00' AS entered_at, :'c'::text AS type, 'a'::text AS title;
CREATE TABLE public.vsm_wide AS SELECT 'W'::text AS id, timestamptz '2026-01-05 09:00+00' AS "New";
SELECT FROM generate_series(1, 20) n, vsm.create_work_item(format('item %s', n), :'c', :'c', at => now() - make_interval(days => n));
SELECT FROM vsm.work_items i, vsm.transition(i.id, 'Done', i.created_at + interval '1 hour') WHERE i.id > 1;

-- what a function needs beside the parameter that is tried, and which of its streams has the stage
CREATE TEMPORARY TABLE given (parameter text, value text) ON COMMIT PRESERVE ROWS;
INSERT INTO given VALUES
    ('title', '''new'''), ('work_item_id', '1'), ('to_stage', quote_literal(:'c')), ('items', '5'), ('from_stage', quote_literal(:'c')), ('stream', quote_literal(:'c')), ('elapsed', '''10 days'''), ('probability', '0.85'), ('since', '''2026-01-01'''), ('day', '''2026-05-01'''), ('reason', '''waits'''), ('level', '''reader'''), ('role', '''vsm_looked_for_reader'''),
    ('name', '''other'''), ('content', '''case_id,stage,entered_at'''), ('started_at', 'now()'), ('completed_at', 'now()'), ('stage_id', '1'), ('types', '''[]'''), ('stages', '''[{"name": "New"}]'''),
    ('type', quote_literal(:'c')), ('source', '''public.vsm_events''');
CREATE TEMPORARY TABLE swept ON COMMIT PRESERVE ROWS AS
SELECT f.function, a.name AS parameter, a.type,
       format('SELECT * FROM %s(%s)', f.function,
              concat_ws(', ', (SELECT string_agg(format('%I => %s', o.name, CASE WHEN o.name = 'source' AND f.function ~ 'wide' THEN '''public.vsm_wide'''
                                                                       WHEN o.name = 'items' AND f.function ~ 'delivery' THEN format('jsonb_build_object(%L, 5)', :'c') ELSE g.value END), ', ')
                               FROM unnest(f.names) WITH ORDINALITY o (name, place) LEFT JOIN given g ON g.parameter = o.name
                               WHERE o.place <= f.required AND o.name <> a.name),
                        CASE WHEN f.function ~ 'dora' AND a.name ~ '_stage'
                             THEN format('stream => %1$L, %2$s => %1$L', :'c', CASE a.name WHEN 'to_stage' THEN 'from_stage' ELSE 'to_stage' END)
                             WHEN f.function ~ 'items|import_changes' AND a.name = 'stage' AND 'stream' = ANY (f.names) THEN format('stream => %L', :'c')
                             WHEN f.function ~ 'forecast$' THEN 'items => 5' || CASE WHEN a.name <> 'stream' THEN format(', stream => %L', :'c') ELSE '' END
                             WHEN f.function ~ 'forecast_items|vsm_api.cycle_times_between' AND a.name <> 'stream' THEN format('stream => %L', :'c')
                             WHEN f.function ~ 'import_wide' THEN 'stages => ''{New}''' END,
                        -- %s is the value that is tried
                        format('%I => %%s', a.name))) AS call
FROM (SELECT format('%I.%I', n.nspname, p.proname) AS function, p.proargnames[:p.pronargs] AS names, p.proargtypes::oid[] AS types, p.pronargs - p.pronargdefaults AS required
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname IN ('vsm', 'vsm_api') AND p.prokind = 'f' AND p.proname !~ '^_') f
CROSS JOIN LATERAL unnest(f.names, f.types) WITH ORDINALITY a (name, type, place)
WHERE a.name <> '' AND a.type IN ('text'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text[]'::regtype, 'bytea'::regtype);

CREATE FUNCTION pg_temp.answer(call text, OUT state text, OUT message text, OUT hint text, OUT detail text) LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE call;
        RAISE EXCEPTION SQLSTATE 'UNDUN';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL, message = MESSAGE_TEXT;
    END;
END $$;

SELECT no_plan();
-- What there is, in the form that keyboards of Macs give.
CREATE TEMPORARY TABLE found ON COMMIT PRESERVE ROWS AS
SELECT s.*, a.* FROM swept s CROSS JOIN LATERAL pg_temp.answer(format(s.call, quote_literal(:'d'))) a
WHERE s.parameter IN ('stream', 'type', 'stage', 'from_stage', 'to_stage', 'expected_from')
  -- columns of a file, a stage's own text, what defines, and what needs an import that has begun
  AND s.function !~ 'vsm_api\.(import$|import_begin|import_end|import_rehearse|add_|change_|define_|delete_)' AND s.type = 'text'::regtype;
SELECT cmp_ok(count(*), '>=', 40::bigint, 'many functions look for a name') FROM found;
-- an item is at its start in New, so that it is not in the stage expected
SELECT is_empty($$SELECT call, state, message FROM found WHERE state <> 'UNDUN' AND NOT (parameter = 'expected_from' AND state = 'PT409')$$,
                'and all find it in the other form of Unicode');
SELECT is((SELECT count(*) FROM vsm_api.work_items(:'d', :'d', :'d') w), 1::bigint, 'a list is not empty for it');
SELECT is((SELECT throughput FROM vsm.metrics(:'d', now() - interval '30 days', type => :'d')), 19::bigint, 'nor is a figure');
SELECT is((SELECT sum(items) FROM vsm.wip_at(:'d', type => :'d')), 20::numeric, 'nor what was in the stages');
SELECT is((SELECT count(*) FROM vsm.completions(:'d', now() - interval '30 days', type => :'d')), 19::bigint, 'nor what was finished');

-- What is much longer than a name.
CREATE TEMPORARY TABLE long_answers ON COMMIT PRESERVE ROWS AS
SELECT s.*, k.kind, a.* FROM swept s
CROSS JOIN (VALUES ('text', quote_literal(repeat('long ', 180000))), ('json', quote_literal(to_json(repeat('long ', 180000)))),
                   ('json', format('jsonb_build_array(jsonb_build_object(%L, 1))::text', repeat('long ', 180000))), ('json', format('jsonb_build_object(%L, 1)::text', repeat('long ', 180000)))) k (kind, value)
CROSS JOIN LATERAL pg_temp.answer(format(s.call, CASE WHEN k.kind = 'json' THEN format('(%s)::%s', k.value, s.type::regtype) ELSE k.value END)) a
WHERE (k.kind = 'text') = (s.type = 'text'::regtype) AND s.type NOT IN ('text[]'::regtype, 'bytea'::regtype);
SELECT cmp_ok(count(*), '>', 100::bigint, 'many parameters take a text') FROM long_answers;
SELECT is_empty($$SELECT function, parameter, state, left(message, 100), length(message) FROM long_answers WHERE length(message) > 2000 AND state LIKE 'PT%'$$, 'no message repeats it');
SELECT is_empty($$SELECT function, parameter, state, left(detail, 100), length(detail) FROM long_answers WHERE length(detail) > 4000 AND state LIKE 'PT%'$$, 'nor a detail');
SELECT is_empty($$SELECT function, parameter, state, left(hint, 100), length(hint) FROM long_answers WHERE length(hint) > 4000 AND state LIKE 'PT%'$$, 'nor a hint');
SELECT is_empty($$SELECT function, parameter, state, left(message, 200) FROM long_answers WHERE state LIKE 'XX%' OR state LIKE '54%'$$, 'and none is too long for the server');
SELECT * FROM finish();
RESET client_min_messages;
DROP OWNED BY vsm_looked_for_reader;
DROP ROLE vsm_looked_for_reader;
