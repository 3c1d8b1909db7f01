-- catalog.sql: what the extension's objects promise by their labels, rights, comments and signatures
--
-- The extension is created anew by a role that is no superuser, as a trusted extension may be: what is owned by
-- whom shows only then.

BEGIN;
SET client_min_messages = warning;
DROP EXTENSION vsm CASCADE;
CREATE ROLE vsm_catalog_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO vsm_catalog_owner', current_database()) \gexec
SET ROLE vsm_catalog_owner;
CREATE EXTENSION vsm;
RESET ROLE;

SELECT no_plan();

-- ---- What belongs to the extension ----

CREATE TEMPORARY VIEW members AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'vsm' AND d.deptype = 'e';

CREATE TEMPORARY VIEW functions AS
SELECT p.*, p.oid::regprocedure::text AS object, p.pronamespace::regnamespace::text AS schema, p.proname !~ '^_' AS public
FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;

CREATE TEMPORARY VIEW relations AS
SELECT c.*, c.oid::regclass::text AS object, c.relnamespace::regnamespace::text AS schema, c.relname !~ '^_' AS public
FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

-- as pg_get_function_arguments(), and the columns of a result that has some
CREATE FUNCTION pg_temp.result_columns(function oid) RETURNS text
    LANGUAGE sql AS $$
    SELECT coalesce(
        (SELECT string_agg(a.name, ', ' ORDER BY a.place) FROM pg_proc p
         CROSS JOIN LATERAL unnest(p.proargnames, p.proargmodes) WITH ORDINALITY a (name, mode, place)
         WHERE p.oid = function AND a.mode = 't'),
        (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
         FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype JOIN pg_attribute a ON a.attrelid = t.typrelid
         WHERE p.oid = function AND a.attnum > 0 AND NOT a.attisdropped),
        '')
$$;

SELECT ok(count(*) >= 60, 'functions, tables, views, sequences and types are members of the extension') FROM members;
SELECT is_empty($$
    SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) FROM pg_proc p
    WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND p.oid NOT IN (SELECT f.oid FROM functions f)
    UNION ALL
    SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) FROM pg_class c
    WHERE c.relnamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f')
      AND c.oid NOT IN (SELECT r.oid FROM relations r)
    $$, 'nothing in schemas vsm and vsm_api is not the extension''s');
SELECT is_empty($$
    SELECT m.object FROM members m
    WHERE m.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass)
      AND m.object !~ '(^|[^a-z_])vsm(_api)?\.'
    $$, 'all of them are in schemas vsm and vsm_api');

SELECT is_empty($$
    SELECT f.object FROM functions f
    WHERE f.prolang = (SELECT l.oid FROM pg_language l WHERE l.lanname = 'plpgsql') AND f.prosrc ~ '(^|[^E])''[^''\n]*[\\]'
    $$, 'what a function says does not depend on standard_conforming_strings');

-- ---- Labels ----

-- A new public function must be entered here, with a thought about its labels.
SELECT results_eq($$
    SELECT DISTINCT f.proname::text COLLATE "default", f.prokind::text, f.provolatile::text, f.proparallel::text, f.proisstrict, f.prosecdef
    FROM functions f WHERE f.public AND f.schema = 'vsm' ORDER BY f.proname::text COLLATE "default"
    $$, $$
    -- volatile functions write or read shared memory, and so are unsafe in parallel; stable ones read the ledger, in the leader
    -- because their plans must see stages that this transaction changed; safe ones touch no table; exact percentiles have no
    -- state that a worker could send
    VALUES ('approx_percentile',     'f', 'i', 's', true,  false),
           ('approx_percentile_rank','f', 'i', 's', true,  false),
           ('approx_percentiles',    'f', 'i', 's', true,  false),
           ('block',                 'f', 'v', 'u', false, false),
           ('blocked_time',          'f', 's', 'r', false, false),
           ('bottlenecks',           'f', 's', 'r', false, false),
           ('cells_check',           'f', 's', 'r', false, false),
           ('completions',           'f', 's', 'r', false, false),
           ('create_work_item',      'f', 'v', 'u', false, false),
           ('cumulative_flow',       'f', 's', 'r', false, false),
           ('cycle_time_days',       'f', 's', 's', true,  false),
           ('cycle_times_between',   'f', 's', 'r', false, false),
           ('data_quality',          'f', 's', 'r', false, false),
           ('define_stream',         'f', 'v', 'u', false, false),
           ('dora',                  'f', 's', 'r', false, false),
           ('flow_balance',          'f', 's', 'r', false, false),
           ('flow_efficiency',       'f', 's', 'r', false, false),
           ('flow_framework',        'f', 's', 'r', false, false),
           ('flow_graph',            'f', 's', 'r', false, false),
           ('flow_paths',            'f', 's', 'r', false, false),
           ('fold',                  'f', 'v', 'u', false, false),
           ('forecast',              'f', 's', 'r', false, false),
           ('forecast_backtest',     'f', 's', 'r', false, false),
           ('forecast_delivery',     'f', 's', 'r', false, false),
           ('forecast_items',        'f', 's', 'r', false, false),
           ('grant_access',          'f', 'v', 'u', false, false),
           ('histogram',             'f', 'i', 's', true,  false),
           ('history',               'f', 's', 'r', false, false),
           ('import_events',         'f', 'v', 'u', false, false),
           ('import_wide',           'f', 'v', 'u', false, false),
           ('littles_law',           'f', 's', 'r', false, false),
           ('mark_failure',          'f', 'v', 'u', false, false),
           ('max_val',               'f', 'i', 's', true,  false),
           ('mean',                  'f', 'i', 's', true,  false),
           ('metrics',               'f', 's', 'r', false, false),
           ('min_val',               'f', 'i', 's', true,  false),
           ('num_vals',              'f', 'i', 's', true,  false),
           ('occupancy',             'f', 's', 'r', false, false),
           ('percentile',            'a', 'i', 'r', false, false),
           ('percentile_agg',        'a', 'i', 's', false, false),
           ('percentiles',           'a', 'i', 'r', false, false),
           ('process_behaviour',     'f', 's', 'r', false, false),
           ('refresh_flow_metrics',  'f', 'v', 'u', false, false),
           ('rel_error',             'f', 'i', 's', true,  false),
           ('revoke_access',         'f', 'v', 'u', false, false),
           ('rework',                'f', 's', 'r', false, false),
           ('rollup',                'a', 'i', 's', false, false),
           ('sequences_catch_up',    'f', 'v', 'u', false, false),
           ('set_sle',               'f', 'v', 'u', false, false),
           ('simulate',              'f', 's', 's', true,  false),
           ('sle_conformance',       'f', 's', 'r', false, false),
           ('stage_pace',            'f', 's', 'r', false, false),
           ('sum',                   'f', 'i', 's', true,  false),
           ('throughput',            'f', 's', 'r', false, false),
           ('time_in_stage',         'f', 's', 'r', false, false),
           ('transition',            'f', 'v', 'u', false, false),
           ('unblock',               'f', 'v', 'u', false, false),
           ('wip_at',                'f', 's', 'r', false, false),
           ('wip_check',             'f', 'v', 'u', false, false),
           ('wip_rebuild',           'f', 'v', 'u', false, false),
           ('work_item_age',         'f', 's', 'r', false, false)
    $$, 'every public function has the volatility and parallel label of what it does');
-- PostgREST runs what is not volatile in a read-only transaction, also by POST
SELECT results_eq($$
    SELECT f.proname::text COLLATE "default" FROM functions f
    WHERE f.schema = 'vsm_api' AND (f.provolatile = 'v' OR f.proparallel = 'u') ORDER BY f.proname COLLATE "C"
    $$, $$
    VALUES ('add_deployment'), ('add_incident'), ('add_stage'), ('add_stream'), ('add_type'), ('block'), ('blocked_time'), ('bottlenecks'),
           ('change_stage'), ('create_work_item'), ('cumulative_flow'), ('cycle_times'), ('cycle_times_between'), ('define_stream'),
           ('delete_day_off'), ('delete_sle'), ('delete_stage'), ('delete_stream'), ('delete_type'), ('delete_work_item'), ('dora'),
           ('flow_balance'), ('flow_efficiency'), ('flow_framework'), ('flow_graph'), ('flow_paths'), ('forecast'), ('forecast_backtest'),
           ('forecast_items'), ('health'), ('import'), ('import_begin'), ('import_end'), ('import_events'), ('import_rehearse'), ('import_settings'), ('littles_law'),
           ('mark_failure'), ('metrics'), ('occupancy'), ('prepare'), ('process_behaviour'), ('prometheus'), ('rename_type'), ('rework'), ('set_day_off'),
           ('set_sle'), ('sle_conformance'), ('stage_pace'), ('throughput'), ('time_in_stage'), ('transition'), ('unblock'), ('wip'),
           ('work_item_age')
    $$, 'in vsm_api only what writes, reads shared memory or needs a savepoint cannot run in parallel');
SELECT is_empty($$SELECT f.object FROM functions f WHERE f.schema = 'vsm_api' AND f.prosecdef$$, 'and all runs with the rights of the caller');
SELECT is_empty($$
    SELECT f.object FROM functions f JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a ON a.grantee <> f.proowner
    WHERE f.prosecdef
    $$, 'nothing that has the owner''s rights can be called by anybody else');
SELECT is_empty($$
    SELECT r.object FROM relations r WHERE r.schema = 'vsm_api' AND NOT coalesce(r.reloptions @> ARRAY['security_invoker=true'], false)
    $$, 'so do its views');
SELECT is_empty($$
    SELECT f.object FROM functions f WHERE f.schema = 'vsm_api'
      AND (f.proretset OR f.prorettype NOT IN ('json'::regtype, 'text'::regtype, 'void'::regtype, 'vsm_api."text/plain"'::regtype))
    $$, 'its functions return one document each');
SELECT is_empty($$
    SELECT f.object FROM functions f WHERE f.proparallel <> 'u' AND f.provolatile = 'v'
    $$, 'no function that writes claims to be fit for parallel queries');
-- an EXCEPTION clause begins a subtransaction, which no parallel query may do, nor may what calls it
SELECT is_empty($$
    WITH RECURSIVE bodies AS (
        SELECT f.oid, f.object, f.schema || '.' || f.proname AS name, f.proparallel, coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) AS body
        FROM functions f JOIN pg_language l ON l.oid = f.prolang WHERE l.lanname IN ('sql', 'plpgsql')),
    unfit AS (
        SELECT b.* FROM bodies b WHERE b.body ~ '\mEXCEPTION\s+WHEN'
        UNION SELECT b.* FROM bodies b JOIN unfit u ON u.oid <> b.oid AND b.body ~ ('\m' || u.name || '\('))
    SELECT u.object FROM unfit u WHERE u.proparallel <> 'u'
    $$, 'nor does one that needs a savepoint, or calls such a one');
SELECT is_empty($$
    SELECT f.object FROM functions f WHERE f.prorettype = 'trigger'::regtype AND (f.provolatile <> 'v' OR f.proparallel <> 'u')
    $$, 'trigger functions are volatile');
SELECT is_empty($$
    SELECT f.object FROM functions f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.provolatile = 'i'
      AND (l.lanname = 'plpgsql' AND f.prosrc ~* '(from|join|update|into)\s+(vsm|pg_temp)\.'
           OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
                      AND d.refclassid = 'pg_class'::regclass))
    $$, 'nothing that reads a table is immutable');
SELECT is_empty($$
    SELECT f.object FROM functions f JOIN pg_language l ON l.oid = f.prolang WHERE l.lanname NOT IN ('c', 'sql', 'plpgsql', 'internal')
    $$, 'C, SQL and plpgsql only');
SELECT is_empty($$
    SELECT f.object FROM functions f JOIN pg_language l ON l.oid = f.prolang WHERE l.lanname = 'sql' AND f.prosqlbody IS NULL
    $$, 'functions in SQL are parsed once, when they are created');
SELECT is_empty($$
    SELECT f.object FROM functions f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.prosqlbody IS NULL AND (l.lanname = 'plpgsql' OR f.prosecdef)
      AND NOT coalesce(f.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
    $$, 'plpgsql and SECURITY DEFINER functions set search_path, with pg_temp last');

-- ---- Owners and rights ----

SELECT is(e.extowner::regrole::text, 'vsm_catalog_owner', 'the extension belongs to who created it')
FROM pg_extension e WHERE e.extname = 'vsm';
SELECT is(n.nspowner::regrole::text, '10'::oid::regrole::text, 'but the superuser owns schema ' || n.nspname || ': nobody puts anything beside its objects')
FROM pg_namespace n WHERE n.nspname IN ('vsm', 'vsm_api') ORDER BY n.nspname;
SELECT is(has_schema_privilege('vsm_catalog_owner', n.oid, 'CREATE'), false, 'not even the extension''s owner in ' || n.nspname)
FROM pg_namespace n WHERE n.nspname IN ('vsm', 'vsm_api') ORDER BY n.nspname;
SELECT is_empty($$
    SELECT f.object, f.proowner::regrole FROM functions f WHERE f.proowner <> 'vsm_catalog_owner'::regrole AND f.prosecdef
    $$, 'SECURITY DEFINER functions have the rights of the extension''s owner, no superuser''s');
SELECT is_empty($$
    SELECT r.object, r.relowner::regrole FROM relations r
    WHERE r.relowner <> CASE WHEN r.relkind IN ('r', 'S') THEN 'vsm_catalog_owner'::regrole ELSE 10::regrole END
    $$, 'so do tables and sequences; views, which others read, are the superuser''s');
SELECT is_empty($$
    SELECT f.object, f.proowner::regrole FROM functions f WHERE f.proowner <> 10 AND NOT f.prosecdef
    UNION ALL
    SELECT m.object, t.typowner::regrole FROM pg_type t JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typowner <> 10 AND coalesce(c.relkind, 'c') = 'c' AND t.typcategory <> 'A'
    $$, 'what superusers call and what is written in C is the superuser''s: nobody else can change it');
SELECT is_empty($$
    SELECT f.object FROM functions f WHERE f.prosecdef AND NOT coalesce(f.proconfig @> ARRAY['row_security=off'], false)
    $$, 'where a policy would filter what SECURITY DEFINER functions see, they fail');
SELECT results_eq($$
    SELECT f.object::text, f.prosecdef
    FROM functions f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    WHERE a.grantee = 0 AND f.prosecdef OR a.grantee <> 0 AND a.grantee <> f.proowner
    $$, $$ SELECT NULL::text, false WHERE false $$, 'PUBLIC can execute nothing that has the owner''s rights');
SELECT is_empty($$
    SELECT e.evtname, r.rolname FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_roles r ON r.oid IN (e.evtowner, p.proowner)
    WHERE NOT r.rolsuper
    $$, 'but event triggers and their functions, which run in the sessions of superusers, are a superuser''s');
SELECT is_empty($$
    SELECT r.object, a.privilege_type
    FROM relations r
    CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))) a
    WHERE a.grantee = 0
    UNION ALL
    SELECT r.object || '.' || c.attname, a.privilege_type
    FROM relations r JOIN pg_attribute c ON c.attrelid = r.oid CROSS JOIN LATERAL aclexplode(c.attacl) a WHERE a.grantee = 0
    $$, 'PUBLIC can touch no table, view or sequence');
SELECT is_empty($$
    SELECT a.privilege_type
    FROM pg_namespace n CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    WHERE n.nspname IN ('vsm', 'vsm_api') AND a.grantee = 0
    $$, 'PUBLIC cannot use the schemas');
SELECT is_empty($$
    SELECT f.object, a.grantee::regrole FROM functions f CROSS JOIN LATERAL aclexplode(f.proacl) a WHERE a.grantee NOT IN (0, f.proowner)
    UNION ALL
    SELECT r.object, a.grantee::regrole FROM relations r CROSS JOIN LATERAL aclexplode(r.relacl) a
    WHERE a.grantee NOT IN (0, r.relowner, 'vsm_catalog_owner'::regrole)
    $$, 'no role but the owner is granted anything');

-- ---- Comments ----

SELECT is_empty($$
    SELECT f.object FROM functions f WHERE coalesce(obj_description(f.oid, 'pg_proc'), '') = ''
    $$, 'every function has a comment');
SELECT is_empty($$
    SELECT f.object FROM functions f
    WHERE f.public AND f.provolatile <> 'i' AND f.proname NOT IN ('cycle_time_days', 'import_wide', 'wip_check', 'wip_rebuild')
      AND obj_description(f.oid, 'pg_proc') !~ 'Errors: '
    $$, 'comments of public functions name their errors');
SELECT is_empty($$
    SELECT r.object FROM relations r
    WHERE r.relkind IN ('r', 'v') AND coalesce(obj_description(r.oid, 'pg_class'), '') = ''
    $$, 'every table and view has a comment');
SELECT is_empty($$
    SELECT format_type(t.oid, NULL) FROM pg_type t JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
    JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typname !~ '^_' AND c.relkind = 'c' AND coalesce(obj_description(t.oid, 'pg_type'), '') = ''
    $$, 'every public type has a comment');
SELECT is_empty($$
    SELECT c.attrelid::regclass, c.attname FROM pg_attribute c JOIN relations r ON r.oid = c.attrelid
    WHERE r.relname IN ('work_items', 'stage_transitions') AND c.attnum > 0 AND NOT c.attisdropped
      AND c.attname NOT IN ('work_item_id', 'id', 'stream', 'title', 'type', 'to_stage_id', 'reason')
      AND coalesce(col_description(r.oid, c.attnum), '') = ''
    $$, 'columns that the extension computes have comments');
SELECT is_empty($$
    SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
    FROM pg_description d JOIN members m ON m.classid = d.classoid AND m.objid = d.objoid
    WHERE d.description ~ '(^\s|\s$|\n|  )'
    $$, 'comments have no stray blanks');

-- ---- Dump ----

-- each server folds for itself
CREATE TEMP VIEW cells (object) AS
VALUES ('vsm._folds'), ('vsm._spans'), ('vsm._stage_cells'), ('vsm._item_cells'), ('vsm._edge_cells'), ('vsm._path_cells'), ('vsm._marks'), ('vsm._marks_id_seq');

SELECT set_eq($$
    SELECT r.object FROM relations r WHERE r.relkind IN ('r', 'S') AND r.object NOT IN (SELECT c.object FROM cells c)
    $$, $$
    SELECT t.oid::regclass::text FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) t (oid) WHERE e.extname = 'vsm'
    $$, 'every table and sequence but those of cells goes into a dump');
SELECT set_eq($$
    SELECT t.tgrelid::regclass::text FROM pg_trigger t
    WHERE t.tgfoid = 'vsm._not_replicated'::regproc AND t.tgenabled = 'R' AND t.tgtype = 31     -- BEFORE, of each row, INSERT, UPDATE and DELETE
    $$, $$
    SELECT c.object FROM cells c WHERE c.object <> 'vsm._marks_id_seq'
    $$, 'and of those no rows come in by replication');
SELECT is_empty($$
    SELECT t.oid::regclass FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) t (oid, condition)
    WHERE e.extname = 'vsm' AND t.condition <> ''
    $$, 'with all of its rows');
SELECT is_empty($$
    SELECT r.object FROM relations r
    WHERE r.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                                          AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a')
    $$, 'every sequence is owned by its column');

-- ---- Rows that name a stream, and sequences that catch up ----

CREATE TEMPORARY VIEW of_streams AS
SELECT c.oid AS relid, c.relname AS name, a.attname AS by
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('stream', 'stream_id')
WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind = 'r';
SELECT is_empty($$
    SELECT s.name FROM of_streams s
    WHERE s.by = 'stream'
      -- in C; that of the item; a log; by functions that hold the stream
      AND s.name NOT IN ('work_items', 'failures', 'import_refusals', 'stream_access')
      AND NOT EXISTS (SELECT FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
                      WHERE g.tgrelid = s.relid AND g.tgtype & 4 <> 0 AND p.prosrc ~ 'vsm\._(require|hold|keep)_stream\(')
    $$, 'who adds a row that names a stream keeps it from being renamed and deleted meanwhile');
SELECT is_empty($$
    SELECT s.name FROM of_streams s JOIN pg_proc p ON p.oid = 'vsm._value_streams_after'::regproc
    WHERE s.by = 'stream' AND p.prosrc !~ ('UPDATE vsm\.' || s.name || '\M')
    $$, 'rows that name a stream follow it when it is renamed');
SELECT is_empty($$
    SELECT s.name FROM of_streams s JOIN pg_proc p ON p.oid = 'vsm._value_streams_gone'::regproc
    WHERE s.name NOT IN ('work_items', 'stage_transitions', 'superseded_transitions', 'blocks', 'failures')      -- a stream with items stays; so does history
      AND p.prosrc !~ ('DELETE FROM vsm\.' || s.name || '\M')
    $$, 'and go with it, as do the cells');
SELECT is_empty($$
    SELECT s.relname FROM pg_class s
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype = 'a' AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.refobjid
    JOIN pg_proc p ON p.oid = 'vsm.sequences_catch_up'::regproc
    WHERE s.relkind = 'S' AND s.relnamespace = 'vsm'::regnamespace
      AND (p.prosrc !~ (E'\'' || c.relname || E'\'') OR substring(p.prosrc FROM '_lock_tables\([^)]*\)') !~ ('vsm\.' || c.relname || '\M'))
    $$, 'every sequence catches up, with its table locked');
SELECT is_empty($$
    SELECT r.object, c.attname FROM relations r JOIN pg_attribute c ON c.attrelid = r.oid
    WHERE r.relkind = 'r' AND (c.attidentity <> '' OR c.attgenerated <> '')
    $$, 'no identity or generated columns, which a copy could not fill');

-- CREATE EXTENSION seeds no rows: a restore would collide with them.
SELECT is_empty($$
    SELECT FROM vsm.value_streams UNION ALL SELECT FROM vsm.stages UNION ALL SELECT FROM vsm.work_item_types
    UNION ALL SELECT FROM vsm.work_items UNION ALL SELECT FROM vsm.stage_transitions
    UNION ALL SELECT FROM vsm._merged_events UNION ALL SELECT FROM vsm.import_refusals
    UNION ALL SELECT FROM vsm.sles UNION ALL SELECT FROM vsm.blocks
    $$, 'a new extension is empty');

-- ---- Interface: more may follow at the end of parameters and columns, nothing else may change ----

CREATE TEMPORARY TABLE interface (function text, parameters text, columns text);
INSERT INTO interface VALUES
    ('define_stream',
     'name text, stages jsonb DEFAULT NULL::jsonb, time_zone text DEFAULT NULL::text, commitment_stage text DEFAULT NULL::text,'
     ' reopen_rule text DEFAULT NULL::text',
     'id, name, time_zone, commitment_stage, reopen_rule, created_at'),
    ('create_work_item',
     'title text, type text DEFAULT ''task''::text, stream text DEFAULT ''default''::text, external_id text DEFAULT NULL::text,'
     ' at timestamp with time zone DEFAULT NULL::timestamp with time zone',
     'id, stream, external_id, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at'),
    ('transition',
     'work_item_id bigint, to_stage text, at timestamp with time zone DEFAULT NULL::timestamp with time zone,'
     ' reason text DEFAULT NULL::text, expected_from text DEFAULT NULL::text',
     'work_item_id, id, from_stage_id, to_stage_id, timestamp, recorded_at, time_in_stage, reason, actor'),
    ('history', 'work_item_id bigint', 'id, from_stage, to_stage, timestamp, time_in_stage, reason, actor'),
    ('import_events',
     'source regclass, stream text DEFAULT ''default''::text, case_column text DEFAULT ''case_id''::text,'
     ' stage_column text DEFAULT ''stage''::text, time_column text DEFAULT ''entered_at''::text,'
     ' type_column text DEFAULT ''type''::text, title_column text DEFAULT ''title''::text, order_column text DEFAULT NULL::text,'
     ' create_stages boolean DEFAULT false, on_error text DEFAULT ''abort''::text',
     'items, transitions, merged, skipped, refused'),
    ('import_wide', 'source regclass, id_column text DEFAULT ''id''::text, stage_columns text[] DEFAULT NULL::text[]',
     'items, transitions, merged, skipped, refused'),
    ('metrics',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), type text DEFAULT NULL::text, reopen_rule text DEFAULT NULL::text,'
     ' exact boolean DEFAULT true',
     'stream, since, until, time_zone, reopen_rule, percentile_rule, throughput, arrivals, wip, wip_now, started_wip_now,'
     ' lead_time_n, lead_time_avg, lead_time_p50, lead_time_p70, lead_time_p85, lead_time_p95,'
     ' cycle_time_n, cycle_time_avg, cycle_time_p50, cycle_time_p70, cycle_time_p85, cycle_time_p95,'
     ' flow_efficiency, finished_never_started, reopened, backward_moves, type, percentile_error'),
    ('refresh_flow_metrics',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT ''-infinity''::timestamp with time zone,'
     ' until timestamp with time zone DEFAULT clock_timestamp()', ''),
    ('wip_at', 'stream text DEFAULT ''default''::text, at timestamp with time zone DEFAULT clock_timestamp()', 'stage, items'),
    ('occupancy',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), step interval DEFAULT', 'at, stage, items'),
    ('cumulative_flow',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), step interval DEFAULT', 'at, stage, items'),
    ('throughput',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT ''day''::text', 'bucket, items'),
    ('time_in_stage',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'stage, visits, avg, p50, p70, p85, p95'),
    ('flow_efficiency',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', ''),
    ('flow_balance',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT ''day''::text',
     'bucket, arrivals, departures, returns, discarded, net, open'),
    ('littles_law',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'stream, since, until, holds, sentence'),
    ('process_behaviour',
     'stream text DEFAULT ''default''::text, figure text DEFAULT ''throughput''::text,'
     ' since timestamp with time zone DEFAULT (clock_timestamp() - ''90 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT ''day''::text,'
     ' baseline_since timestamp with time zone DEFAULT NULL::timestamp with time zone,'
     ' baseline_until timestamp with time zone DEFAULT NULL::timestamp with time zone', 'at, value, mean, lower, upper, signal'),
    ('flow_graph',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'from_stage, to_stage, n, p50, p85, avg'),
    ('flow_paths',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'path, n, share, cycle_time_p50, cycle_time_p85'),
    ('rework',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'stage, handed_on, sent_back, complete_accurate, first_pass_yield'),
    ('cycle_times_between',
     'stream text, from_stage text, to_stage text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), from_which text DEFAULT ''first_entry''::text,'
     ' to_which text DEFAULT ''last_entry''::text', 'work_item_id, external_id, title, type, from_at, to_at, elapsed'),
    ('work_item_age', 'stream text DEFAULT ''default''::text',
     'work_item_id, external_id, title, type, stage, age, time_in_stage, age_since_creation, blocked, block_reason, pace, risk'),
    ('set_sle',
     'stream text, elapsed interval, probability double precision, type text DEFAULT NULL::text, since date DEFAULT NULL::date',
     'stream, type, since, elapsed, probability'),
    ('sle_conformance',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT NULL::text, type text DEFAULT NULL::text',
     'bucket, items, within, share'),
    ('stage_pace',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'stage, n, p50, p70, p85, p95'),
    ('block', 'work_item_id bigint, reason text, at timestamp with time zone DEFAULT NULL::timestamp with time zone',
     'id, work_item_id, stream_id, reason, blocked_at, unblocked_at'),
    ('unblock', 'work_item_id bigint, at timestamp with time zone DEFAULT NULL::timestamp with time zone',
     'id, work_item_id, stream_id, reason, blocked_at, unblocked_at'),
    ('blocked_time',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''7 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'stage, reason, spells, items, blocked'),
    ('data_quality', 'stream text', ''),
    ('forecast',
     'items integer DEFAULT NULL::integer, until date DEFAULT NULL::date, stream text DEFAULT ''default''::text,'
     ' type text DEFAULT NULL::text, history_days integer DEFAULT 90, seed bigint DEFAULT 1, trials integer DEFAULT 10000',
     'confidence, done_on, items_done, stream, time_zone, since, until, days_with_throughput, finished, trials, seed'),
    ('forecast_items', 'stream text DEFAULT ''default''::text, by text DEFAULT ''age''::text', 'place, work_item_id'),
    ('forecast_delivery', 'items jsonb', 'confidence, stream, items, done_on'),
    ('forecast_backtest', 'items integer DEFAULT NULL::integer, days integer DEFAULT NULL::integer, stream text DEFAULT ''default''::text',
     'as_of, confidence, forecast, actual, held'),
    ('bottlenecks',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''30 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp()', 'rank, stage, score, time_share, queue_growth, limit_hits, why'),
    ('dora',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''30 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT NULL::text',
     'bucket, deployments, deployment_frequency, change_lead_time, change_fail_rate, failed_deployment_recovery_time, rework_rate'),
    ('flow_framework',
     'stream text DEFAULT ''default''::text, since timestamp with time zone DEFAULT (clock_timestamp() - ''30 days''::interval),'
     ' until timestamp with time zone DEFAULT clock_timestamp(), bucket text DEFAULT NULL::text',
     'bucket, flow_velocity, flow_time, flow_efficiency, flow_load, flow_distribution'),
    ('mark_failure',
     'work_item_id bigint, failed_at timestamp with time zone DEFAULT NULL::timestamp with time zone,'
     ' recovered_at timestamp with time zone DEFAULT NULL::timestamp with time zone, reason text DEFAULT NULL::text',
     'id, stream, work_item_id, failed_at, recovered_at, reason'),
    ('simulate', '', 'case_id, stage, entered_at, type, title');

SELECT is(count(*), 1::bigint, 'there is one function vsm.' || i.function)
FROM interface i JOIN functions f ON f.proname = i.function AND f.schema = 'vsm' GROUP BY i.function ORDER BY i.function;
SELECT ok(starts_with(pg_get_function_arguments(f.oid), i.parameters), 'parameters of vsm.' || i.function)
       || CASE WHEN starts_with(pg_get_function_arguments(f.oid), i.parameters) THEN ''
               ELSE E'\n' || diag('have: ' || pg_get_function_arguments(f.oid)) || E'\n' || diag('want: ' || i.parameters) END
FROM interface i JOIN functions f ON f.proname = i.function AND f.schema = 'vsm' ORDER BY i.function;
SELECT ok(starts_with(pg_temp.result_columns(f.oid) || ', ', i.columns || CASE i.columns WHEN '' THEN '' ELSE ', ' END),
          'result of vsm.' || i.function)
       || CASE WHEN starts_with(pg_temp.result_columns(f.oid) || ', ', i.columns || CASE i.columns WHEN '' THEN '' ELSE ', ' END) THEN ''
               ELSE E'\n' || diag('have: ' || pg_temp.result_columns(f.oid)) || E'\n' || diag('want: ' || i.columns) END
FROM interface i JOIN functions f ON f.proname = i.function AND f.schema = 'vsm' ORDER BY i.function;
SELECT is_empty($$
    SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
    WHERE a.attrelid = 'vsm.flow_figures'::regclass AND a.attname ~ '^(lead|cycle)_time_(avg|p)' AND a.atttypid <> 'interval'::regtype
       OR a.attrelid = 'vsm.flow_figures'::regclass AND a.attname IN ('wip', 'flow_efficiency') AND a.atttypid <> 'numeric'::regtype
    $$, 'durations of vsm.metrics are intervals, averages numeric');

CREATE TEMPORARY TABLE shapes (relation text, columns text);
INSERT INTO shapes VALUES
    ('value_streams', 'id, name, time_zone, commitment_stage, reopen_rule, created_at'),
    ('stages', 'id, stream, name, order, type, category, wip_limit, description, created_at'),
    ('work_item_types', 'name, id'),
    ('work_items', 'id, stream, external_id, title, type, created_at, updated_at, stage_id, stage_entered_at, started_at, completed_at'),
    ('stage_transitions', 'work_item_id, id, from_stage_id, to_stage_id, timestamp, recorded_at, time_in_stage, reason, actor'),
    ('days_off', 'stream, day, reason, recorded_at'),
    ('failures', 'id, stream, work_item_id, failed_at, recovered_at, reason'),
    ('deployments', 'id, stream, external_id, deployed_at, rework, description'),
    ('incidents', 'id, stream, external_id, deployment, started_at, recovered_at, description'),
    ('flow_metrics', 'id, stream, date, period_type, throughput, wip, cycle_time_avg, cycle_time_p50, cycle_time_p85, cycle_time_p95, sketch, created_at');
SELECT ok(starts_with(string_agg(a.attname, ', ' ORDER BY a.attnum) || ', ', s.columns || ', '), 'columns of vsm.' || s.relation)
FROM shapes s JOIN relations r ON r.relname = s.relation AND r.schema = 'vsm' JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
GROUP BY s.relation, s.columns ORDER BY s.relation;
SELECT columns_are('vsm', 'wip', ARRAY['stream', 'stage', 'wip', 'wip_limit', 'category', 'order', 'source'], 'columns of vsm.wip');
SELECT columns_are('vsm', 'flow_totals', ARRAY['total', 'stream', 'type', 'from_stage', 'to_stage', 'value'], 'columns of vsm.flow_totals');
SELECT columns_are('vsm', 'flow_histograms', ARRAY['histogram', 'stream', 'stage', 'le', 'count', 'sum'], 'columns of vsm.flow_histograms');

-- ---- Plans ----

-- What costs so much to plan that it is compiled takes a hundred times longer.  Nobody analyzes tables of a few rows, so the planner guesses.
CREATE FUNCTION pg_temp.cost(query text) RETURNS double precision
    LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Total Cost}';
END $$;
SELECT is_empty($$
    SELECT r.object, pg_temp.cost('SELECT * FROM ' || r.object) FROM relations r
    WHERE r.relkind = 'v' AND pg_temp.cost('SELECT * FROM ' || r.object) > 10000
    $$, 'no view of a new database looks like one that is worth compiling');

SELECT * FROM finish();
ROLLBACK;
