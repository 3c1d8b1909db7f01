# hostile_twins.pl: no function, operator, type or table of a caller ever runs as somebody else
#
# Schema evil holds a twin of whatever the extension names: every operator of the server, every function, aggregate, window function
# and type whose name occurs in our SQL and C, and all that is ours.  A twin writes to the server's log as whom and for whom it
# runs, and then does what the original does.  Roles of every level, with evil first in their search_path, walk all paths of the
# extension.  A twin that runs as the role that called is the caller's own affair; as anybody else it is a fault.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my @sources = split(/\n/, `find $root/sql $root/src -path $root/src/gateway -prune -o '(' -name '*.sql*' -o -name '*.[ch]' ')' -print`);
plan skip_all => 'the sources are not here' if !@sources;
my %words = map { map { $_ => 1 } slurp_file($_) =~ /\b([a-z]\w*)\b/g } @sources;
my $words = join(' ', sort keys %words);

my $node = PostgreSQL::Test::Cluster->new('twins');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = vsm
	max_prepared_transactions = 20
	log_statement = none
	log_min_error_statement = panic
	log_error_verbosity = terse
	wal_level = minimal
	max_wal_senders = 0
	checkpoint_timeout = 1h
	autovacuum = off
});
$node->start;
my $superuser = $node->safe_psql('postgres', q{
	CREATE ROLE owner LOGIN;
	CREATE ROLE squatter LOGIN;
	CREATE ROLE reader LOGIN;
	CREATE ROLE writer LOGIN;
	CREATE ROLE admin LOGIN;
	CREATE ROLE limited LOGIN;
	CREATE ROLE other LOGIN;
	GRANT SET ON PARAMETER vsm.wip_limit_action TO owner, admin;
	SELECT current_user});

# ---- Twins ----

# Makes evil.make(): twins of what a schema holds, into evil.  What cannot have one is in evil.without.
my $maker = <<'SQL';
SET search_path = pg_catalog;
SET check_function_bodies = off;
SET client_min_messages = warning;
CREATE SCHEMA evil;
GRANT USAGE, CREATE ON SCHEMA evil TO PUBLIC;
CREATE SCHEMA notes;
GRANT USAGE, CREATE ON SCHEMA notes TO PUBLIC;
CREATE TABLE evil.twins (kind text, name text, schema text);
CREATE TABLE evil.without (kind text, name text, why text);

CREATE FUNCTION notes.note(twin text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE LOG 'twin "%" runs as "%" for "%"', twin, current_user, session_user;
END $$;
CREATE FUNCTION notes.noted(twin text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notes.note(twin);
    RETURN true;
END $$;
CREATE FUNCTION evil.instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notes.note(TG_RELID::pg_catalog.regclass || ' ' || TG_OP);
    RETURN NULL;
END $$;

CREATE FUNCTION evil.try(kind text, name text, schema text, VARIADIC statements text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    INSERT INTO evil.twins VALUES (kind, name, schema);
EXCEPTION WHEN duplicate_function OR duplicate_object OR duplicate_table THEN
    NULL;
WHEN others THEN
    INSERT INTO evil.without VALUES (kind, name, SQLERRM || ' -- ' || statement);
END $$;

-- a function that notes and does what BODY says
CREATE FUNCTION evil.definition(name text, arguments text, result text, label text, body text) RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', name, arguments, result,
                  format('BEGIN PERFORM notes.note(%L); %s END', label, body))
$$;

CREATE FUNCTION evil.make_operators(of_schema text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o record;
    call text;
BEGIN
    FOR o IN SELECT * FROM pg_operator WHERE oprnamespace = of_schema::regnamespace AND oprcode <> 0 LOOP
        call := format('OPERATOR(%I.%s) $%s', of_schema, o.oprname, CASE WHEN o.oprleft = 0 THEN 1 ELSE 2 END);
        PERFORM evil.try('operator', o.oid::regoperator::text, of_schema,
            evil.definition('~' || o.oid, concat_ws(', ', nullif(o.oprleft, 0)::regtype, o.oprright::regtype), o.oprresult::regtype::text,
                            o.oid::regoperator::text, 'RETURN ' || CASE WHEN o.oprleft = 0 THEN '' ELSE '$1 ' END || call || ';'),
            format('CREATE OPERATOR evil.%s (%sRIGHTARG = %s, FUNCTION = evil.%I)', o.oprname,
                   CASE WHEN o.oprleft = 0 THEN '' ELSE 'LEFTARG = ' || o.oprleft::regtype || ', ' END, o.oprright::regtype, '~' || o.oid));
    END LOOP;
END $$;

-- an operator for two types for which the server has none fits better than the server's, wherever it is in the path
CREATE FUNCTION evil.make_better_operators() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o record;
BEGIN
    FOR o IN
        SELECT n.op, l.t AS l, r.t AS r, CASE n.op WHEN '||' THEN 'text' ELSE 'boolean' END AS result,
               format('%s(%s,%s)', n.op, l.t, r.t) AS label
        FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||']) n (op),
             unnest('{oid,regclass,regrole,regproc,regnamespace,regtype,name,text,bigint,integer,smallint,"\"char\"",xid,jsonb,date,timestamptz,interval}'::text[]) l (t),
             unnest('{oid,regclass,regrole,regproc,regnamespace,regtype,name,text,bigint,integer,smallint,"\"char\"",xid,jsonb,date,timestamptz,interval}'::text[]) r (t)
        WHERE NOT EXISTS (SELECT FROM pg_operator p WHERE p.oprname = n.op AND p.oprleft = l.t::regtype AND p.oprright = r.t::regtype)
    LOOP
        PERFORM evil.try('better operator', o.label, 'pg_catalog',
            evil.definition('~' || o.label, o.l || ', ' || o.r, o.result, o.label, CASE o.op WHEN '||' THEN 'RETURN pg_catalog.concat($1, $2);' ELSE format('RETURN $1 OPERATOR(pg_catalog.%s) $2;', o.op) END),
            format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)', o.op, o.l, o.r, '~' || o.label));
    END LOOP;
END $$;

-- The types of the arguments.  For each "any" one type after the other: a twin for anyelement would be as good as the original, which is
-- an error.
CREATE FUNCTION evil.signatures(p pg_proc) RETURNS SETOF text[] LANGUAGE sql AS $$
    WITH common (t) AS (SELECT unnest('{text,name,bigint,integer,boolean,oid,regclass,timestamptz,interval,date,numeric,double precision,jsonb,json}'::text[]))
    SELECT ARRAY(SELECT CASE WHEN u.t <> '"any"'::regtype THEN u.t::regtype::text WHEN u.n = 1 THEN a.t ELSE b.t END
                 FROM unnest(p.proargtypes) WITH ORDINALITY u (t, n) ORDER BY u.n)
    FROM common a, common b
    WHERE (a.t = 'text' OR p.proargtypes[0] = '"any"'::regtype AND p.proargtypes[1] IS DISTINCT FROM '"any"'::regtype)
      AND (b.t = 'text' OR '"any"'::regtype = ANY ((p.proargtypes::oid[])[1:]))
$$;

CREATE FUNCTION evil.make_function(p pg_proc, arguments text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    label text := p.oid::regprocedure;
    schema text := p.pronamespace::regnamespace;
    name text := format('%I.%I', p.pronamespace::regnamespace, p.proname);
    result text := pg_get_function_result(p.oid);
    call text := (SELECT string_agg(CASE WHEN n = p.pronargs AND p.provariadic <> 0 THEN 'VARIADIC ' ELSE '' END || '$' || n, ', ' ORDER BY n)
                  FROM generate_series(1, p.pronargs) n);
    several boolean := p.proargmodes && ARRAY['o', 'b']::"char"[] AND NOT p.proretset;
    -- PL/pgSQL cannot have those of the columns' types
    unknown boolean := EXISTS (SELECT FROM unnest(p.proallargtypes) t WHERE t IN ('pg_ddl_command'::regtype, 'internal'::regtype));
    written text := CASE WHEN unknown THEN array_to_string(arguments, ', ') WHEN '"any"'::regtype = ANY (p.proargtypes) THEN array_to_string(arguments, ', ') ELSE pg_get_function_arguments(p.oid) END;
BEGIN
    IF unknown THEN
        result := 'SETOF record';
    END IF;
    IF p.provariadic = '"any"'::regtype THEN
        PERFORM evil.make_variadic(p, name, result, arguments[:p.pronargs - 1]);
        RETURN;
    END IF;
    PERFORM evil.try('function', label, schema,
        evil.definition(p.proname, written, result, label, CASE
            WHEN several OR unknown THEN 'RAISE EXCEPTION $m$a twin$m$;'
            WHEN p.prorettype = 'record'::regtype AND p.proallargtypes IS NULL THEN 'RAISE EXCEPTION $m$a twin$m$;'
            WHEN p.proretset THEN format('RETURN QUERY SELECT * FROM %s(%s);', name, call)
            WHEN p.prorettype = 'void'::regtype THEN format('PERFORM %s(%s);', name, call)
            ELSE format('RETURN %s(%s);', name, call) END));
    -- texts fit literals better than other types do, wherever the twin is in the path
    IF p.pronargs > 0 AND NOT p.proretset AND NOT several AND p.provariadic = 0 AND NOT arguments && '{anyelement,anyarray,internal,cstring}'
       AND result !~ '^any|TABLE|SETOF' AND NOT EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = p.pronamespace
                                  AND q.proargtypes = array_to_string(array_fill('text'::regtype::oid, ARRAY[p.pronargs]), ' ')::oidvector) THEN
        PERFORM evil.try('better function', format('%s(text...%s)', p.proname, p.pronargs), schema,
            evil.definition(p.proname, array_to_string(array_fill('text'::text, ARRAY[p.pronargs]), ', '), result, label || ' for texts',
                (SELECT format(CASE result WHEN 'void' THEN 'PERFORM' ELSE 'RETURN' END || ' %s(%s);', name,
                               string_agg(format('CAST($%s AS %s)', n, t), ', ' ORDER BY n))
                 FROM unnest(arguments) WITH ORDINALITY u (t, n))));
    END IF;
END $$;

-- for up to eight texts, and for one or two of each of the types that are at hand
CREATE FUNCTION evil.make_variadic(p pg_proc, name text, result text, fixed text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    types text[];
BEGIN
    FOR types IN
        SELECT array_fill('text'::text, ARRAY[n]) FROM generate_series(3, 8) n
        UNION ALL
        SELECT ARRAY[t] FROM unnest('{text,name,bigint,integer,oid,regclass,regrole,timestamptz,interval,boolean}'::text[]) t
        UNION ALL
        SELECT ARRAY[t, u] FROM unnest('{text,name,bigint,integer,oid,regclass,regrole,timestamptz,interval,boolean}'::text[]) t,
                                unnest('{text,name,bigint,integer,oid,regclass,regrole,timestamptz,interval,boolean}'::text[]) u
    LOOP
        types := fixed || types;
        PERFORM evil.try('function', format('%s(%s)', p.proname, array_to_string(types, ',')), 'pg_catalog',
            evil.definition(p.proname, array_to_string(types, ', '), result, format('%s(%s)', p.proname, array_to_string(types, ',')),
                format('RETURN %s(%s);', name, (SELECT string_agg('$' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(types)) n))));
    END LOOP;
END $$;

-- A window function in PL/pgSQL gets its arguments as nulls.
CREATE FUNCTION evil.make_window_function(p pg_proc) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM evil.try('window function', p.oid::regprocedure::text, p.pronamespace::regnamespace::text,
        evil.definition(p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.oid::regprocedure::text, 'RETURN NULL;') || ' WINDOW');
END $$;

-- Of one argument: collects it, and asks the original at the end.  The others give null.
CREATE FUNCTION evil.make_aggregate(p pg_proc, a pg_aggregate, signature text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    label text := p.oid::regprocedure;
    schema text := p.pronamespace::regnamespace;
    original text := format('%I.%I', p.pronamespace::regnamespace, p.proname);
    name text := '~' || p.oid || ' ' || array_to_string(signature, ',');
    -- of ranges, those that we use
    result text := replace(replace(pg_get_function_result(p.oid), 'anyrange', 'tstzrange'), 'anymultirange', 'tstzmultirange');
    types text[] := ARRAY(SELECT CASE WHEN t IN ('anynonarray', 'anyenum') THEN 'anyelement'
                                      WHEN t = 'anyrange' THEN 'tstzrange' WHEN t = 'anymultirange' THEN 'tstzmultirange' ELSE t END
                          FROM unnest(signature) WITH ORDINALITY u (t, n) ORDER BY n);
    state text := CASE WHEN types[1] = 'anyelement' THEN 'anyarray' ELSE types[1] || '[]' END;
BEGIN
    IF p.proname = 'count' THEN
        PERFORM evil.try('aggregate', label, schema,
            evil.definition(name, concat_ws(', ', 'bigint', types[1]), 'bigint', label,
                'RETURN $1 OPERATOR(pg_catalog.+) ' || CASE p.pronargs WHEN 0 THEN '1' ELSE 'CASE WHEN $2 IS NULL THEN 0 ELSE 1 END' END || ';'),
            format('CREATE AGGREGATE evil.count(%s) (SFUNC = evil.%I, STYPE = bigint, INITCOND = 0)', coalesce(types[1], '*'), name));
    ELSIF a.aggkind = 'n' AND p.pronargs = 1 AND types[1] !~ '\[\]$|^anyarray' THEN
        PERFORM evil.try('aggregate', label, schema,
            evil.definition(name, state || ', ' || types[1], state, label, 'RETURN pg_catalog.array_append($1, $2);'),
            evil.definition(name, state, result, label, format('RETURN (SELECT %s(x) FROM pg_catalog.unnest($1) x);', original)),
            format('CREATE AGGREGATE evil.%I(%s) (SFUNC = evil.%I, STYPE = %s, FINALFUNC = evil.%I)', p.proname, types[1], name, state, name));
    ELSIF a.aggkind <> 'h' THEN
        state := CASE WHEN result ~ '^any' THEN 'anyarray' ELSE 'text' END;
        PERFORM evil.try('aggregate', label, schema,
            evil.definition(name, array_to_string(state || types[a.aggnumdirectargs + 1:], ', '), state, label, 'RETURN $1;'),
            evil.definition(name, array_to_string(state || types[:a.aggnumdirectargs], ', '), result, label, 'RETURN NULL;'),
            format('CREATE AGGREGATE evil.%I(%s) (SFUNC = evil.%I, STYPE = %s, FINALFUNC = evil.%I)', p.proname,
                   CASE a.aggkind WHEN 'n' THEN array_to_string(types, ', ')
                   ELSE array_to_string(types[:a.aggnumdirectargs], ', ') || ' ORDER BY ' || array_to_string(types[a.aggnumdirectargs + 1:], ', ') END,
                   name, state, name));
    END IF;
END $$;

CREATE FUNCTION evil.make_types(of_schema text, words text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM pg_type WHERE typnamespace = of_schema::regnamespace AND typname = ANY (words) AND typname NOT LIKE '\_%'
             AND (typtype IN ('b', 'd') AND typisdefined OR typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')
    LOOP
        PERFORM evil.try('type', t.oid::regtype::text, of_schema,
            format('CREATE DOMAIN evil.%I AS %I.%I CHECK (notes.noted(%L))', t.typname, of_schema, t.typname, 'type ' || t.oid::regtype));
    END LOOP;
END $$;

CREATE FUNCTION evil.make_relations(of_schema text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r text;
BEGIN
    FOR r IN SELECT relname FROM pg_class WHERE relnamespace = of_schema::regnamespace AND relkind IN ('r', 'v') LOOP
        PERFORM evil.try('table', r, of_schema,
            format('CREATE VIEW evil.%I AS SELECT * FROM %I.%I WHERE notes.noted(%L)', r, of_schema, r, 'table ' || r),
            format('CREATE TRIGGER noted INSTEAD OF INSERT OR UPDATE OR DELETE ON evil.%I FOR EACH ROW EXECUTE FUNCTION evil.instead()', r),
            format('CREATE FUNCTION evil.%I(evil.%I) RETURNS text LANGUAGE plpgsql AS $b$BEGIN PERFORM notes.note(%L); RETURN %L; END$b$',
                   '~' || r, r, 'cast of ' || r, ''),
            format('CREATE CAST (evil.%I AS text) WITH FUNCTION evil.%I AS IMPLICIT', r, '~' || r));
    END LOOP;
END $$;

CREATE FUNCTION evil.make(of_schema text, words text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p pg_proc;
BEGIN
    PERFORM evil.make_operators(of_schema);
    FOR p IN SELECT * FROM pg_proc WHERE pronamespace = of_schema::regnamespace AND proname = ANY (words)
             -- statements cannot call the others
             AND NOT proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[] AND prorettype <> ALL ('{internal,cstring,trigger,event_trigger}'::regtype[])
    LOOP
        IF p.prokind = 'f' THEN
            PERFORM evil.make_function(p, t) FROM evil.signatures(p) t;
        ELSIF p.prokind = 'w' THEN
            PERFORM evil.make_window_function(p);
        ELSIF p.prokind = 'a' THEN
            PERFORM evil.make_aggregate(p, g, t) FROM pg_aggregate g, evil.signatures(p) t WHERE g.aggfnoid = p.oid;
        END IF;
    END LOOP;
    PERFORM evil.make_types(of_schema, words);
    GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
END $$;
SQL

my $of_server = "SELECT evil.make('pg_catalog', string_to_array('$words', ' ')); SELECT evil.make_better_operators();";
my $of_ours = <<'SQL';
SET search_path = pg_catalog;
SET check_function_bodies = off;
SET client_min_messages = warning;
SELECT evil.make_relations('vsm');
SELECT evil.make('vsm', ARRAY(SELECT proname FROM pg_proc WHERE pronamespace = 'vsm'::regnamespace UNION SELECT typname FROM pg_type WHERE typnamespace = 'vsm'::regnamespace));
SELECT evil.make_relations('vsm_api');
SELECT evil.make('vsm_api', ARRAY(SELECT proname FROM pg_proc WHERE pronamespace = 'vsm_api'::regnamespace));
GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
SQL

# ---- What the log says of the twins that ran ----

my $position = 0;
my ($calls, $walks, $statements, $creations) = (0, 0, 0, 0);

# Since it was asked last: those that ran as the role that called (a number), and the others (as text, each once).
sub twins_that_ran
{
	my $log = slurp_file($node->logfile, $position);
	my ($own, %others) = (0);

	$position += length $log;
	while ($log =~ /LOG:  twin "(.*)" runs as "(.*)" for "(.*)"/g)
	{
		$own++ if $2 eq $3;
		$others{"$1 as $2 for $3"}++ if $2 ne $3;
	}
	$calls += $own;
	return ($own, join("\n", sort keys %others));
}

# ---- The walk ----

# Twins of tables and types that are found without any search_path.
my $temporary = q{
	DO $$DECLARE r pg_catalog.name; BEGIN
		FOR r IN SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) 'evil'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'v' LOOP
			EXECUTE pg_catalog.format('CREATE TEMPORARY VIEW %I AS SELECT * FROM evil.%I', r, r);
		END LOOP;
		FOR r IN SELECT t.typname FROM pg_catalog.pg_type t WHERE t.typnamespace OPERATOR(pg_catalog.=) 'evil'::pg_catalog.regnamespace AND t.typtype OPERATOR(pg_catalog.=) 'd' LOOP
			EXECUTE pg_catalog.format('CREATE DOMAIN pg_temp.%I AS evil.%I', r, r);
		END LOOP;
	END$$;
};

my $walk = <<'SQL';
INSERT INTO vsm.work_items (title) VALUES ('first');
INSERT INTO vsm.work_items (title, type, external_id) VALUES ('a', 'bug', 'A'), ('b', 'task', 'B'), ('c', 'epic', 'C');
SELECT vsm.create_work_item('d', 'feature', 'default', 'D', now() - interval '3 days');
SELECT vsm_api.prepare();
UPDATE vsm.work_items SET title = 'other' WHERE external_id = 'A';
UPDATE vsm_api.work_items SET current_stage = 'Development' WHERE external_id = 'A';
UPDATE vsm.work_items SET stage_id = (SELECT s.id FROM vsm.stages s WHERE s.name = 'Testing' LIMIT 1) WHERE external_id = 'B';
SELECT vsm.transition(2, 'Development');
SELECT vsm.transition(2, 'Testing', clock_timestamp(), 'reason', 'Development');
SELECT vsm.transition(2, 'Development', expected_from => 'Backlog');
SELECT vsm.transition(2, 'Nowhere');
SELECT vsm.transition(987654, 'Testing');
SELECT vsm.transition(3, 'Production', clock_timestamp());
SELECT vsm.transition(3, 'Testing', reason => 'reopened');
SELECT vsm.transition(3, 'Production');
SELECT vsm.transition(4, 'Testing', timestamptz '1980-01-01');
SELECT vsm.transition(4, 'Testing', timestamptz '1960-01-01');
DELETE FROM vsm.work_items WHERE external_id = 'C';
INSERT INTO vsm.work_items (title, external_id) VALUES ('again', 'A') ON CONFLICT (stream, external_id) WHERE external_id IS NOT NULL DO UPDATE SET title = 'upsert', type = 'bug';
MERGE INTO vsm.work_items w USING (VALUES ('A', 'merged'), ('M', 'new')) v (e, t) ON w.external_id = v.e WHEN MATCHED THEN UPDATE SET title = v.t WHEN NOT MATCHED THEN INSERT (title, external_id) VALUES (v.t, v.e);
COPY vsm.work_items (title, type) FROM stdin;
copied	task
copied too	bug
\.
COPY (SELECT * FROM vsm.work_items) TO stdout;
INSERT INTO vsm_api.work_items (title) VALUES ('by the view');
UPDATE vsm_api.work_items SET current_stage = 'Analysis' WHERE title = 'by the view';
DELETE FROM vsm_api.work_items WHERE title = 'by the view';
-- errors and subtransactions in the middle
BEGIN;
INSERT INTO vsm.work_items (title, external_id) VALUES ('in a transaction', 'T');
SAVEPOINT s;
SELECT vsm.transition(1, 'Analysis');
DELETE FROM vsm.work_items WHERE external_id = 'T';
ROLLBACK TO s;
SELECT vsm.transition(1, 'Nowhere');
ROLLBACK TO s;
SELECT vsm.transition(1, 'Analysis');
RELEASE s;
SELECT * FROM vsm.wip;
COMMIT;
DO $$BEGIN PERFORM vsm.transition(1, 'Nowhere'); EXCEPTION WHEN others THEN PERFORM vsm.transition(1, 'Testing'); END$$;
-- two-phase commit
BEGIN;
INSERT INTO vsm.work_items (title) VALUES ('prepared');
SELECT vsm.transition(1, 'Development');
PREPARE TRANSACTION 'TWINS';
SELECT * FROM vsm.wip;
COMMIT PREPARED 'TWINS';
SELECT * FROM vsm.wip;
BEGIN;
UPDATE vsm.stages SET description = 'tests' WHERE name = 'Testing';
SELECT vsm.transition(1, 'Analysis');
PREPARE TRANSACTION 'TWINS';
ROLLBACK PREPARED 'TWINS';
SELECT * FROM vsm.wip;
-- definitions
SELECT vsm.define_stream('second', '[{"name": "To do", "category": "wait"}, {"name": "Doing", "category": "active", "wip_limit": 2}, {"name": "Done", "category": "done"}]', 'Europe/Paris', 'Doing', 'span_last');
SELECT vsm.define_stream('second', '[{"name": "To do", "category": "wait"}, {"name": "Doing", "category": "active", "wip_limit": 3}, {"name": "Done", "category": "done"}]', 'Europe/Paris', 'Doing', 'sum_active');
SELECT vsm.define_stream('third');
SELECT vsm.create_work_item(concat('limit ', n), 'task', 'second') FROM generate_series(1, 5) n;
UPDATE vsm_api.work_items SET current_stage = 'Doing' WHERE stream = 'second' AND title = 'limit 1';
UPDATE vsm_api.work_items SET current_stage = 'Doing' WHERE stream = 'second';
SELECT vsm.transition((SELECT min(id) FROM vsm.work_items WHERE stream = 'second'), 'Doing');
SELECT vsm.transition((SELECT max(id) FROM vsm.work_items WHERE stream = 'second'), 'Doing');
SET vsm.wip_limit_action = 'warn';
UPDATE vsm_api.work_items SET current_stage = 'Doing' WHERE stream = 'second';
RESET vsm.wip_limit_action;
UPDATE vsm_api.work_items SET current_stage = 'Done' WHERE stream = 'second';
INSERT INTO vsm.stages (stream, name, "order", category) VALUES ('default', 'Waiting', 35, 'wait');
UPDATE vsm.stages SET name = 'Tests' WHERE name = 'Testing';
UPDATE vsm.stages SET name = 'Testing' WHERE name = 'Tests';
UPDATE vsm.stages SET category = 'wait' WHERE name = 'Testing';
UPDATE vsm.stages SET category = 'active', wip_limit = 20 WHERE name = 'Testing';
UPDATE vsm.stages SET retired_at = now() WHERE name = 'Waiting';
DELETE FROM vsm.stages WHERE name = 'Waiting';
DELETE FROM vsm.stages WHERE name = 'Testing';
UPDATE vsm_api.stages SET wip_limit = 7 WHERE name = 'Testing';
UPDATE vsm.value_streams SET commitment_stage = 'Testing' WHERE name = 'default';
UPDATE vsm.value_streams SET commitment_stage = NULL WHERE name = 'default';
UPDATE vsm.value_streams SET time_zone = 'America/New_York' WHERE name = 'default';
UPDATE vsm.value_streams SET name = 'fourth' WHERE name = 'third';
DELETE FROM vsm.value_streams WHERE name IN ('third', 'fourth');
DELETE FROM vsm.value_streams WHERE name = 'second';
INSERT INTO vsm.work_item_types (name) VALUES ('chore');
UPDATE vsm.work_item_types SET name = 'toil' WHERE name = 'chore';
DELETE FROM vsm.work_item_types WHERE name = 'toil';
DELETE FROM vsm.work_item_types WHERE name = 'bug';
-- imports; a temporary table that belongs to the caller is in the way of the first
CREATE TEMPORARY TABLE events (case_id pg_catalog.text, stage pg_catalog.text, entered_at pg_catalog.timestamptz, type pg_catalog.text, title pg_catalog.text);
INSERT INTO events VALUES ('E1', 'Backlog', '2026-01-05', 'bug', 'one'), ('E1', 'Testing', '2026-01-06', 'bug', 'one'), ('E2', 'Backlog', '2026-01-05', 'task', 'two'), ('E2', 'Production', '2026-01-07', 'task', 'two'), ('A', 'Development', '2026-01-07', 'bug', 'old');
INSERT INTO events SELECT concat('D', n), x.stage, clock_timestamp() - n * interval '1 day' + x.later, 'task', 'done' FROM generate_series(2, 9) n, (VALUES ('Backlog', interval '1 hour'), ('Development', '2 hours'), ('Production', '3 hours')) x (stage, later);
CREATE TEMPORARY VIEW vsm_import AS SELECT * FROM events;
SELECT vsm.import_events('pg_temp.events');
DROP VIEW pg_temp.vsm_import;
SELECT vsm.import_events('pg_temp.events');
SELECT vsm.import_events('pg_temp.events', on_error => 'skip');
INSERT INTO events VALUES ('E3', 'Elsewhere', '2026-01-05', 'riddle', 'three'), ('E3', NULL, '2026-01-06', 'riddle', 'three');
SELECT vsm.import_events('pg_temp.events', on_error => 'skip');
SELECT vsm.import_events('pg_temp.events', create_stages => true, on_error => 'skip');
CREATE TEMPORARY TABLE wide (id pg_catalog.text, "Backlog" pg_catalog.text, "Testing" pg_catalog.text, "Production" pg_catalog.text, type pg_catalog.text, title pg_catalog.text);
INSERT INTO wide VALUES ('W1', '2026-02-01', '2026-02-02', '2026-02-03', 'task', 'w'), ('W2', '2026-02-01', 'no time', NULL, 'task', 'w');
SELECT vsm.import_wide('pg_temp.wide', stage_columns => '{Backlog,Testing,Production}');
SELECT vsm.import_wide('pg_temp.wide', stage_columns => '{Backlog,Testing,Production}', on_error => 'skip');
SELECT vsm.import_wide('pg_temp.wide', on_error => 'skip', create_stages => true);
SELECT vsm_api.import(E'case_id,stage,entered_at,type,title\nI1,Backlog,2026-01-05,task,i\nI1,Testing,2026-01-06,task,i\n');
SELECT vsm_api.import(E'case_id,stage,entered_at\nI2,Backlog,2026-01-05\nI2,Nowhere,yesterday or so\n', on_error => 'skip');
SELECT vsm_api.import(E'key;status;date\nI5;Backlog;2026-01-05\nI5;so far;2026-01-06\n', dry_run => true, time_zone => 'Europe/Berlin');
SELECT vsm_api.import(E'key;status;date\nI5;Backlog;2026-01-05\nI5;so far;2026-01-06\n', create_stages => true, create_types => true,
	dates => 'YMD', item => 'key', aliases => '{"so far": "Testing", "never": null}');
SELECT vsm_api.import_changes('[{"name":"Backlog"}]', '[{"name":"task"}]'), vsm_api.import_settings();
SELECT vsm_api.import('{"case_id":"I3","stage":"Backlog","entered_at":"2026-01-05"}', 'ndjson');
SELECT vsm_api.import_events('[{"case_id":"I4","stage":"Backlog","entered_at":"2026-01-05"},{"case_id":"I4","stage":"Production","entered_at":"2026-01-08"}]');
BEGIN;
SELECT vsm_api.import_begin();
SELECT vsm_api.import_end();
COMMIT;
-- again after a change of the path, with what the session has prepared
SET search_path = pg_catalog, pg_temp;
SELECT vsm.transition(1, 'Analysis');
SELECT vsm.transition(1, 'Development');
:path;
SELECT vsm.transition(1, 'Analysis');
SELECT vsm.transition(1, 'Development');
DELETE FROM vsm.work_items WHERE external_id = 'E2';
-- rest
SELECT vsm_api.create_work_item('rest', 'task', 'default', 'R', '2026-03-01');
SELECT vsm_api.transition((SELECT w.id FROM vsm.work_items w WHERE w.external_id = 'R'), 'Development', '2026-03-02', 'because', 'Backlog');
SELECT vsm_api.history(1), vsm_api.work_item(1), vsm_api.work_items(), vsm_api.work_items('default', 'Development', 'task', true, 10, 1);
SELECT vsm_api.delete_work_item((SELECT w.id FROM vsm.work_items w WHERE w.external_id = 'R'));
SELECT vsm_api.stages(), vsm_api.types(), vsm_api.streams(), vsm_api.wip(), vsm_api.wip('default'), vsm_api.version();
SELECT vsm_api.metrics(), vsm_api.metrics(40, exact => false), vsm_api.cumulative_flow(), vsm_api.occupancy(), vsm_api.throughput(), vsm_api.time_in_stage();
SELECT vsm_api.work_item_age(), vsm_api.data_quality();
SELECT vsm_api.flow_balance(), vsm_api.littles_law(), vsm_api.process_behaviour(), vsm_api.process_behaviour('cycle_time', step => 'item', moving => 3), vsm_api.flow_graph(), vsm_api.flow_paths(), vsm_api.rework(), vsm_api.cycle_times_between('Backlog', 'Production', percentiles => '{85}');
SELECT vsm_api.block(1, 'waits'), vsm_api.unblock(1), vsm_api.block(1, 'again'), vsm_api.blocks(1), vsm_api.blocked_time();
SELECT vsm_api.unblock(1);
SELECT vsm_api.set_sle('default', '10 days', 0.85, 'task', '2026-01-01'), vsm_api.sles(), vsm_api.sle_conformance(step => 'week'), vsm_api.stage_pace();
SELECT vsm_api.delete_sle('default', '2026-01-01', 'task');
SELECT vsm_api.flow_efficiency(blocked_waits => true);
SELECT vsm_api.flow_efficiency(), vsm_api.cycle_times(), vsm_api.forecast(3), vsm_api.forecast(until => '2027-01-01');
SELECT vsm_api.mark_failure((SELECT min(w.id) FROM vsm.work_items w), reason => 'seen'), vsm_api.mark_failure((SELECT min(w.id) FROM vsm.work_items w), recovered_at => clock_timestamp());
SELECT vsm_api.add_deployment('2026-03-01', external_id => 'v1'), vsm_api.add_deployment('2026-03-01', external_id => 'v1', rework => true);
SELECT vsm_api.add_incident('2026-03-02', external_id => 'i1', deployment => 'v1'), vsm_api.add_incident(external_id => 'i1', recovered_at => '2026-03-03');
SELECT vsm_api.set_day_off('2026-05-01'), vsm_api.set_day_off('2026-05-01', reason => 'holiday'), vsm_api.days_off(), vsm_api.delete_day_off('2026-05-01');
INSERT INTO vsm.days_off (day) VALUES ('2026-05-01'), ('2026-12-25');
UPDATE vsm.failures SET reason = 'corrected';
UPDATE vsm.deployments SET description = 'corrected';
UPDATE vsm.incidents SET description = 'corrected';
SELECT vsm_api.bottlenecks(), vsm_api.dora(), vsm_api.dora(source => 'items', step => 'week', from_stage => 'Backlog', to_stage => 'Production'), vsm_api.flow_framework(step => 'week');
SELECT vsm_api.forecast(3, history_days => 400, working_days => '1,2,3,4,5');
SELECT vsm_api.forecast_items(history_days => 400);
SELECT vsm_api.forecast_delivery('{"default": 3}', history_days => 400);
SELECT vsm_api.forecast_backtest(), vsm_api.forecast_backtest(items => 2);
SELECT vsm_api.add_stream('defined'), vsm_api.define_stream('defined', 'so', '[{"name": "Cafe", "category": "wait"}, {"name": "Done", "category": "done"}]', 'Europe/Berlin', 'Cafe', 'episodes');
SELECT vsm_api.add_stage('More', 'so', 'wait', 3, 'type', 'description', 1), vsm_api.add_stage('Dropped', 'so', 'discarded');
SELECT vsm_api.change_stage(s.id, 'Less', 'active', 2, 'type', 'description', 2, true) FROM vsm.stages s WHERE s.name = 'More';
SELECT vsm_api.change_stage(s.id, E'Caf\u00e9') FROM vsm.stages s WHERE s.name = 'Less';
SELECT vsm_api.delete_stage(s.id) FROM vsm.stages s WHERE s.name = 'Dropped';
SELECT vsm_api.delete_stage(0);
SELECT vsm_api.add_stage(E'Cafe\u0301', 'so');
SELECT vsm_api.add_type('defined');
SELECT vsm_api.rename_type('defined', 'so');
SELECT vsm_api.delete_type('so');
SELECT vsm_api.delete_type('so');
SELECT vsm_api.delete_stream('so');
SELECT vsm_api.health();
SELECT vsm_api.prometheus();
-- figures
SELECT vsm.refresh_flow_metrics();
SELECT vsm.refresh_flow_metrics('default', '2026-01-01', '2026-12-01');
SELECT count(*) FROM vsm.metrics('default', '2026-01-01', reopen_rule => 'span_first_last');
SELECT count(*) FROM vsm.metrics('default', '2026-01-01', reopen_rule => 'span_last');
SELECT count(*) FROM vsm.metrics('default', '2026-01-01', reopen_rule => 'sum_active');
SELECT count(*) FROM vsm.metrics('default', '2026-01-01', reopen_rule => 'episodes');
SELECT count(*) FROM vsm.metrics('default', '2026-01-01', exact => false);
SELECT count(*) FROM vsm.completions('default', '2026-01-01', reopen_rule => 'episodes');
SELECT count(*) FROM vsm.wip_at();
SELECT count(*) FROM vsm.occupancy();
SELECT count(*) FROM vsm.cumulative_flow();
SELECT count(*) FROM vsm.throughput('default', '2026-01-01', bucket => 'week');
SELECT count(*) FROM vsm.time_in_stage('default', '2026-01-01');
SELECT count(*) FROM vsm.flow_efficiency('default', '2026-01-01');
SELECT count(*) FROM vsm.work_item_age();
SELECT count(*) FROM vsm.flow_balance('default', '2026-01-01', bucket => 'month');
SELECT count(*) FROM vsm.flow_balance('default', '2026-01-01', known_at => '2026-06-01');
SELECT count(*) FROM vsm.littles_law('default', '2026-01-01');
SELECT count(*) FROM unnest('{throughput,cycle_time,wip,started_wip,age,total_age}'::text[]) f, vsm.process_behaviour('default', f, '2026-01-01', bucket => 'week', baseline_since => '2025-12-01') p;
SELECT count(*) FROM vsm.flow_graph('default', '2026-01-01');
SELECT count(*) FROM vsm.flow_graph('default', '2026-01-01', known_at => '2026-06-01');
SELECT count(*) FROM vsm.flow_paths('default', '2026-01-01', reopen_rule => 'episodes');
SELECT count(*) FROM vsm.rework('default', '2026-01-01');
SELECT count(*) FROM vsm.cycle_times_between('default', 'Backlog', 'Production', '2026-01-01', from_which => 'last_exit', to_which => 'first_entry');
SELECT vsm.set_sle('default', '10 days', 0.85), vsm.set_sle('default', '3 days', 0.85, 'task', '2026-01-01');
SELECT count(*) FROM vsm.sle_conformance('default', '2026-01-01', bucket => 'week');
SELECT count(*) FROM vsm.stage_pace('default', '2026-01-01');
SELECT vsm.block(1, 'waits'), vsm.unblock(1);
INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at) SELECT w.id, 'by hand', w.created_at, w.created_at FROM vsm.work_items w WHERE w.id OPERATOR(pg_catalog.=) 1;
UPDATE vsm.blocks SET reason = 'corrected' WHERE reason = 'by hand';
SELECT count(*) FROM vsm.blocked_time('default', '2026-01-01');
SELECT count(*) FROM vsm.blocked_time('default', '2026-01-01', known_at => pg_catalog.now());
SELECT vsm.flow_efficiency('default', '2026-01-01', blocked_waits => true);
SELECT count(*) FROM vsm.work_item_age(at => '2026-06-01', known_at => pg_catalog.now());
DELETE FROM vsm.blocks WHERE reason = 'corrected';
DELETE FROM vsm.sles;
SELECT count(*) FROM vsm.data_quality();
SELECT count(*) FROM vsm.history(1);
SELECT count(*) FROM vsm.forecast(items => 3, history_days => 400);
SELECT count(*) FROM vsm.forecast(until => '2027-01-01', history_days => 400);
SELECT count(*) FROM vsm.forecast(items => 3, history_days => 400, working_days => '{1,2,3,4,5}');
SELECT count(*) FROM vsm.forecast_items(history_days => 400, working_days => '{1,2,3,4,5}');
SELECT count(*) FROM vsm.forecast_delivery('{"default": 3}', history_days => 400);
SELECT count(*) FROM vsm.forecast_backtest(2, since => '2026-03-01');
SELECT count(*) FROM vsm.forecast_backtest(days => 5, since => '2026-03-01', exclude_outliers => true);
SELECT count(*) FROM vsm.bottlenecks('default', '2026-01-01');
SELECT count(*) FROM vsm.dora('default', '2026-01-01', bucket => 'month', source => 'items');
SELECT count(*) FROM vsm.dora('default', '2026-01-01', known_at => clock_timestamp());
SELECT count(*) FROM vsm.flow_framework('default', '2026-01-01', bucket => 'month', reopen_rule => 'episodes');
SELECT vsm.mark_failure(1, reason => 'seen');
SELECT count(*) FROM vsm.simulate(5, 5);
SELECT vsm.cycle_time_days('2026-01-01', '2026-02-01');
SELECT vsm.approx_percentile(0.85, vsm.percentile_agg(c.cycle_time)), vsm.percentile(c.cycle_time, 0.85), vsm.percentiles(c.cycle_time, '{0.5,0.85}') FROM vsm.completions('default', '2026-01-01') c;
SELECT vsm.approx_percentiles('{0.5}', vsm.rollup(x.s)), vsm.mean(vsm.rollup(x.s)), vsm.num_vals(vsm.rollup(x.s)) FROM (SELECT vsm.percentile_agg(n::pg_catalog.float8) AS s FROM generate_series(1, 10) n GROUP BY n % 2) x;
SELECT h.* FROM vsm.histogram((SELECT vsm.percentile_agg(n::pg_catalog.float8) FROM generate_series(1, 10) n)) h;
SELECT vsm.wip_check();
SELECT vsm.wip_rebuild();
:views
-- access
SELECT vsm.grant_access('other', 'writer', 'default');
SELECT vsm.grant_access('other', 'reader');
SELECT vsm.revoke_access('other', 'default');
SELECT vsm.revoke_access('other');
-- end
BEGIN;
TRUNCATE vsm.work_items;
SELECT * FROM vsm.wip;
ROLLBACK;
TRUNCATE vsm.stage_transitions;
UPDATE vsm.stage_transitions SET reason = 'corrected';
SET vsm.recording = off;
UPDATE vsm.stage_transitions SET reason = 'corrected';
DELETE FROM vsm.stage_transitions WHERE work_item_id = 1;
RESET vsm.recording;
DELETE FROM vsm.work_items;
TRUNCATE vsm.work_items;
SELECT * FROM vsm.wip;
INSERT INTO vsm.work_items (title) VALUES ('last'), ('gone');
SQL

# What a careless owner adds to the tables: functions that leave search_path to the caller.
my $careless = q{
	CREATE SCHEMA own;
	GRANT USAGE ON SCHEMA own TO PUBLIC;
	CREATE FUNCTION own.longer(value anyelement) RETURNS pg_catalog.int4 LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN length(value::text) + 1; END$$;
	CREATE FUNCTION own.look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM length(TG_NAME::text) + 1; RETURN coalesce(new, old); END$$;
	CREATE FUNCTION own.remove() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM vsm.work_items w WHERE w.id = new.id; RETURN NULL; END$$;
	CREATE DOMAIN own.word AS pg_catalog.text CHECK (own.longer(value) > 0);
};
my %careless = (
	remover => q{CREATE TRIGGER a_remove AFTER INSERT ON vsm.work_items FOR EACH ROW WHEN (new.title = 'gone') EXECUTE FUNCTION own.remove()},
	trigger => join('', map { "CREATE TRIGGER look BEFORE INSERT OR UPDATE OR DELETE ON vsm.$_ FOR EACH ROW EXECUTE FUNCTION own.look();" }
		qw(work_items stage_transitions stages value_streams work_item_types _merged_events import_refusals stage_aliases days_off failures deployments incidents sles blocks flow_metrics superseded_transitions _retypes _former_types)),
	index => 'CREATE INDEX ON vsm.stage_transitions (own.longer(reason)); CREATE INDEX ON vsm.stage_transitions (id) WHERE own.longer(actor) > 0;
		CREATE INDEX ON vsm.work_items (own.longer(title)); CREATE INDEX ON vsm.stages (own.longer(name))',
	check => 'ALTER TABLE vsm.stage_transitions ADD CHECK (own.longer(actor) > 0); ALTER TABLE vsm.work_items ADD CHECK (own.longer(title) > 0);
		ALTER TABLE vsm.stages ADD CHECK (own.longer(name) > 0)',
	default => 'ALTER TABLE vsm.stage_transitions ADD extra integer DEFAULT own.longer(1); ALTER TABLE vsm.work_items ADD extra integer DEFAULT own.longer(1)',
	generated => 'ALTER TABLE vsm.stage_transitions ADD extra integer GENERATED ALWAYS AS (own.longer(reason)) STORED;
		ALTER TABLE vsm.work_items ADD extra integer GENERATED ALWAYS AS (own.longer(title)) STORED',
	domain => q{ALTER TABLE vsm.stage_transitions ADD extra own.word DEFAULT 'x'},
);

# In a database of its own.  Returns the errors.
sub walk
{
	my ($role, $path, $remark, $addition) = @_;
	my $template = $role =~ /reader|limited/ ? 'filled' : 'twins';
	my $set = $path ne '' ? "SET search_path = $path" : 'SELECT';
	my ($out, $err) = ('', '');

	$node->safe_psql('postgres', "CREATE DATABASE walk TEMPLATE $template OWNER owner STRATEGY file_copy");
	$node->safe_psql('walk', 'ALTER EVENT TRIGGER vsm_shape DISABLE') if $addition;
	$node->safe_psql('walk', $careless, extra_params => [ '-U', 'owner' ]) if $addition;
	$node->safe_psql('walk', $addition, extra_params => [ '-U', $addition =~ /INDEX/ ? $superuser : 'owner' ]) if $addition;
	twins_that_ran();
	my $views = join(' ', map { "SELECT count(*) FROM $_;" } split /\n/, $node->safe_psql('walk', q{
		SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('vsm', 'vsm_api') AND c.relkind IN ('r', 'v')}));
	my $sql = $walk =~ s/:path/$set/r =~ s/:views/$views/r =~ s/TWINS/$role/gr;
	$sql = "$temporary $sql" if $path ne '';
	$node->psql('walk', "$set; $sql", stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-U', $role ]);
	my ($own, $others) = twins_that_ran();
	is($others, '', "$role, $remark: no twin ran as anybody else");
	unlike($err, qr/is not unique/, "$role, $remark: nor hid behind another");
	cmp_ok($own, '>', 100, "$role, $remark: but as the caller") if $path =~ /^evil/;
	$node->safe_psql('postgres', 'DROP DATABASE walk');
	$walks++;
	$statements += () = $sql =~ /;$|; /mg;
	return $err;
}

# ---- Twins that are there before the extension ----

# PostgreSQL 18 has max(record) and min(record), and PL/pgSQL no array of records.
my $without = q{SELECT * FROM evil.without w WHERE w::text !~ 'cannot return type record\[\]'};
$node->safe_psql('postgres', 'CREATE DATABASE squatted OWNER owner; GRANT CREATE ON DATABASE squatted TO squatter');
$node->safe_psql('squatted', $maker . $of_server);
is($node->safe_psql('squatted', $without), '', 'everything of the server has a twin');
$node->safe_psql('postgres', 'CREATE DATABASE twins TEMPLATE squatted OWNER owner');

my $place = 'evil';
sub put_twins
{
	my ($schema, $owner) = @_;

	$node->safe_psql('squatted', "DROP SCHEMA IF EXISTS $schema CASCADE; ALTER SCHEMA $place RENAME TO $schema") if $schema ne $place;
	$node->safe_psql('squatted', "ALTER SCHEMA $schema OWNER TO $owner");
	$place = $schema;
}

# What the extension's event triggers look at.
my @ddl = (
	"CREATE TABLE notes.mine (a integer PRIMARY KEY); ALTER TABLE notes.mine ADD b text; CREATE INDEX ON notes.mine (b); DROP TABLE notes.mine",
	'ALTER TABLE vsm.work_items SET (fillfactor = 90); ALTER TABLE vsm.stages REPLICA IDENTITY FULL',
	'CREATE INDEX mine ON vsm.work_items (updated_at); DROP INDEX vsm.mine',
	'ALTER TABLE vsm.work_items ADD refused text',
	'ALTER TABLE vsm.work_items RENAME title TO refused',
	'DROP TRIGGER vsm_guard ON vsm.stage_transitions -- refused',
	'VACUUM vsm.work_items; ANALYZE vsm.stage_transitions; REINDEX TABLE vsm.stages');

# Creating the extension and what follows: nothing of the caller's runs, not even as the caller.
sub create_extension
{
	my ($role, $remark, $refusal) = @_;

	for my $sql ('CREATE EXTENSION vsm', @ddl, q{ALTER EXTENSION vsm UPDATE TO '0.1.0'}, 'DROP EXTENSION vsm')
	{
		my $err = '';
		twins_that_ran();
		$node->psql('squatted', $sql, stderr => \$err, on_error_stop => 0, extra_params => [ '-U', $role ]);
		my ($own, $others) = twins_that_ran();
		is($own . $others, '0', "$role, $remark: no twin ran in $sql");
		like($err, $refusal // ($sql =~ /refused/ || $sql =~ /vsm\.mine/ && $role eq 'owner' ? qr/ERROR/ : qr/^((?!ERROR).)*$/s), $refusal ? 'and it is refused' : 'and it works');
		last if $refusal;
		$creations++;
	}
}

for my $schema ('vsm', 'vsm_api')
{
	for my $squatter ('owner', 'squatter')
	{
		put_twins($schema, $squatter);
		create_extension($_, "schema $schema made by $squatter", qr/schema "$schema" exists already/) for 'owner', $superuser;
	}
}
put_twins('public', 'owner');
create_extension($_, 'twins in public') for 'owner', $superuser;
for my $role ('owner', $superuser)
{
	put_twins($role, $role eq 'owner' ? 'owner' : 'squatter');
	create_extension($role, 'twins in $user');
}
put_twins('evil', 'squatter');
for my $path ('evil, pg_catalog', 'evil', 'pg_catalog, evil')
{
	$node->safe_psql('postgres', "ALTER DATABASE squatted SET search_path = $path");
	create_extension($_, "the database's path is $path") for 'owner', $superuser;
}
$node->safe_psql('postgres', 'ALTER DATABASE squatted RESET search_path');
for my $role ('owner', $superuser)
{
	$node->safe_psql('postgres', "ALTER ROLE $role SET search_path = evil, pg_catalog");
	create_extension($role, "the role's path is evil");
	$node->safe_psql('postgres', "ALTER ROLE $role RESET search_path");
}

# ---- Walks ----

# Templates of their databases: the extension created by the database's owner, empty and with some items.
$node->safe_psql('twins', q{
	CREATE EXTENSION vsm;
	SELECT vsm.grant_access('reader', 'reader'), vsm.grant_access('writer', 'writer'), vsm.grant_access('admin', 'admin')},
	extra_params => [ '-U', 'owner' ]);
$node->safe_psql('twins', $of_ours);
is($node->safe_psql('twins', $without), '', 'everything of ours has a twin');
my $twins = $node->safe_psql('twins', q{
	SELECT sum(n) || ' twins (' || string_agg(format('%s %ss', n, kind), ', ' ORDER BY kind) || ')' FROM (SELECT kind, count(*) AS n FROM evil.twins GROUP BY kind) k});
cmp_ok($twins =~ s/ .*//r, '>', 3000, 'twins');
$node->safe_psql('postgres', 'CREATE DATABASE filled TEMPLATE twins OWNER owner');
$node->safe_psql('filled', q{
	SELECT vsm.create_work_item('item ' || n, 'task', 'default', 'X' || n, '2026-11-01') FROM generate_series(1, 5) n;
	SELECT vsm.grant_access('limited', 'writer', 'default');
	SELECT vsm.define_stream('second', '[{"name": "To do"}, {"name": "Done", "category": "done"}]');
	SELECT vsm.create_work_item('hidden', 'task', 'second');
	UPDATE vsm_api.work_items SET current_stage = 'Development' WHERE id < 4 AND stream = 'default'}, extra_params => [ '-U', 'owner' ]);

# A function that is as careless as none of ours is: the log must tell.
$node->safe_psql('filled', q{
	CREATE FUNCTION notes.careless() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN RETURN 1 = 1; END$$}, extra_params => [ '-U', 'owner' ]);
twins_that_ran();
$node->safe_psql('filled', 'SET search_path = evil, pg_catalog; SELECT notes.careless()', extra_params => [ '-U', 'reader' ]);
is((twins_that_ran())[1], '=(integer,integer) as owner for reader', 'a twin that runs as somebody else is found');

# What the walk itself is refused, whoever walks.
is(join('', walk('owner', '', 'without twins') =~ /ERROR: +(.*\n)/g), <<'EXPECTED', 'the walk gets everywhere');
work item 2 is not in stage "Backlog"
stage "Nowhere" not found
work item 987654 not found
work item 4 has moved since that time
the time of a move lies before 1970
stage "Nowhere" not found
stage "Doing" is full
stage "Testing" cannot be dropped
stream "second" has work items
work item type "bug" is in use
"vsm_import" is not a table
1 row of "wide" cannot be imported
source "wide" has no date columns
Stage 0 not found
Stage 'Café' already exists
Type 'so' not found
the ledger "stage_transitions" is append-only
the ledger "stage_transitions" is append-only
EXPECTED
for my $role (qw(owner admin writer limited reader))
{
	for my $path ('evil, pg_catalog, vsm', 'evil, pg_temp, pg_catalog, vsm', 'pg_catalog, evil, vsm')
	{
		walk($role, $path, "path $path");
	}
}
for my $kind (sort keys %careless)
{
	walk($_, 'evil, pg_catalog, vsm', "the owner's $kind", $careless{$kind}) for qw(owner admin writer limited);
}

# What was prepared before the server started: a recount looks at the locks.
$node->safe_psql('filled', "BEGIN; INSERT INTO vsm.work_items (title) VALUES ('prepared'); PREPARE TRANSACTION 'before'", extra_params => [ '-U', 'owner' ]);
$node->restart;
twins_that_ran();
$node->safe_psql('filled', 'SET search_path = evil, pg_catalog; SELECT * FROM vsm.wip', extra_params => [ '-U', 'reader' ]);
is((twins_that_ran())[1], '', 'nor does one in a recount after a restart');
$node->safe_psql('filled', "COMMIT PREPARED 'before'", extra_params => [ '-U', 'owner' ]);

$node->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$node->restart;
walk($_, 'evil, pg_catalog, vsm', 'without preload') for qw(owner admin writer limited reader);
note("$twins; $walks walks, $statements statements, $creations statements about the extension; $calls twins ran as the caller");

$node->stop;
done_testing();
