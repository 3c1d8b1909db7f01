# argument_sweep.pl: whatever a role gives to a function of vsm, it gets an answer or an error of its own, and the server goes on
#
# Every function and aggregate of the schemas vsm and vsm_api that a role may execute is called with arguments made for the types
# of its parameters: by itself, over rows, as a window aggregate, and as a part of an aggregate that the role makes.  They come from
# pg_proc, so a new function is swept without an edit here.  Left out are those with a parameter of type internal: SQL has no
# value of it, not even a null, and only a superuser can make an aggregate over them; they run under vsm's aggregates, which are
# swept.  Each call is rolled back.
#
# SWEEP_SEED tries other arguments, SWEEP_BATCHES (1; in a soak run, 3) more of them.  A batch depends on nothing but the seed, its function, role and number.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{SWEEP_SEED} // 20240331;
my $batches = $ENV{SWEEP_BATCHES} // ($ENV{VSM_SOAK} ? 3 : 1);
my $timeout_s = 1;
my $late_s = 10;			# how much later than the timeout a call may end: an argument of 400 MB takes seconds to copy
my @roles = qw(sweep_reader sweep_writer sweep_admin sweep_owner);

my $node = PostgreSQL::Test::Cluster->new('argument_sweep');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'vsm'
timezone = 'UTC'
fsync = off
jit = off
work_mem = '64kB'
max_parallel_workers_per_gather = 2
log_min_messages = warning
log_min_error_statement = panic
});
$node->start;
diag("seed $seed");

$node->safe_psql('postgres', join ';', map { "CREATE ROLE $_ LOGIN" } @roles);
$node->safe_psql('postgres', 'CREATE DATABASE sweep OWNER sweep_owner');
$node->safe_psql('sweep', 'CREATE EXTENSION vsm', extra_params => [ '-U', 'sweep_owner' ]);
$node->safe_psql('sweep', join ';', map { "SELECT vsm.grant_access('sweep_$_', '$_')" } qw(reader writer admin));
$node->safe_psql('sweep', q{
	SELECT vsm_api.prepare();
	SELECT vsm.define_stream('Größe ✓', '[{"name": "Café", "category": "wait"}, {"name": "Work", "wip_limit": 2}, {"name": "Done", "category": "done"}]');
	CREATE VIEW public.events AS SELECT * FROM vsm.simulate(40, 60, 7, '2024-03-01 UTC');
	SELECT vsm.import_events('public.events', 'default');
	INSERT INTO vsm.work_items (stream, title) SELECT 'Größe ✓', 'item ' || n FROM generate_series(1, 5) n;
	SELECT vsm.transition(id, 'Work') FROM vsm.work_items WHERE stream <> 'default' ORDER BY id LIMIT 2;
	GRANT SELECT ON public.events TO PUBLIC;
}, extra_params => [ '-U', 'sweep_owner' ]);
$node->safe_psql('sweep', sweeper());

my $began = time;
sweep($_) for @roles;
diag(sprintf('%.0f seconds', time - $began));

# What the parser refuses does not count, and is rare.
my ($calls, $refused) = split /\|/, $node->safe_psql('sweep', q{
	SELECT sum(calls), sum((SELECT sum(value::integer) FROM jsonb_each_text(states) WHERE key LIKE '42%' AND key NOT IN ('42501', '42809')))
	FROM public.batches});
$calls -= $refused;
cmp_ok($refused, '<', $calls / 20, 'nearly all calls are well formed') or diag($node->safe_psql('sweep', q{
	SELECT count(*), sqlstate, message, left(min(call), 300) FROM public.faults WHERE sqlstate LIKE '42%' GROUP BY sqlstate, message ORDER BY 1 DESC LIMIT 5}));
diag($node->safe_psql('sweep', q{
	SELECT format('%s: %s calls of %s functions, %s answered', caller, sum(calls), count(DISTINCT function), sum(answered))
	FROM public.batches GROUP BY caller ORDER BY caller}));
diag($node->safe_psql('sweep', q{
	SELECT 'SQLSTATEs: ' || string_agg(sqlstate || ' ' || n, ', ' ORDER BY n DESC, sqlstate)
	FROM (SELECT s.key AS sqlstate, sum(s.value::bigint) AS n FROM public.batches b, jsonb_each_text(b.states) s GROUP BY 1) s}));
cmp_ok($calls, '>=', 20000 * $batches / 3, 'there are 20,000 calls and more') if $batches >= 3;
is($node->safe_psql('sweep', q{
	SELECT t.function FROM public.targets t WHERE NOT EXISTS (SELECT FROM public.batches b WHERE b.function = t.function AND b.calls > 0)
		AND EXISTS (SELECT FROM unnest(ARRAY['sweep_reader', 'sweep_writer', 'sweep_admin', 'sweep_owner']) r WHERE has_function_privilege(r, t.function::regprocedure, 'EXECUTE'))
	ORDER BY 1}), '', 'no function that a role may execute is left out');
is($node->safe_psql('sweep', q{
	SELECT DISTINCT ON (function, sqlstate, message) format(E'%s as %s\n\t%s: %s\n\t%s', function, caller, sqlstate, message, left(call, 2000)) FROM public.faults
	WHERE sqlstate IN ('XX000', 'XX001', 'XX002') ORDER BY function, sqlstate, message, length(call)}), '', 'none fails for a reason of its own');
is($node->safe_psql('sweep', q{
	SELECT DISTINCT ON (function, sqlstate) format(E'%s as %s\n\t%s: %s\n\t%s', function, caller, sqlstate, message, left(call, 2000)) FROM public.faults
	WHERE raw ORDER BY function, sqlstate, length(call)}), '', 'what people call refuses with a hint');
# The machine may stand still for seconds: what ended late is called once more.
sweep(split /\|/, $_, 2) for split /\n/, $node->safe_psql('sweep', qq{
	WITH late AS (DELETE FROM public.faults WHERE took > interval '${\ ($timeout_s + $late_s)} s' RETURNING caller, function)
	SELECT DISTINCT caller || '|' || function FROM late});
is($node->safe_psql('sweep', qq{
	SELECT format(E'%s as %s\n\t%s\n\t%s', function, caller, took, left(call, 2000)) FROM public.faults
	WHERE took > interval '${\ ($timeout_s + $late_s)} s' ORDER BY took DESC}), '', "none outlives a timeout of $timeout_s seconds by more than $late_s");
diag($node->safe_psql('sweep', q{
	SELECT format('cancelled: %s times %s, after %s at most', count(*), function, max(took)) FROM public.faults WHERE sqlstate = '57014' GROUP BY function ORDER BY function}));

is($node->safe_psql('sweep', 'SELECT count(*) FROM vsm.wip_check() WHERE difference <> 0'), 0, 'the counters are right');
is($node->safe_psql('sweep', 'SELECT * FROM public.quality'), $node->safe_psql('sweep', 'SELECT * FROM public.quality_before'), 'and the data as good as before');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP:/, 'the server has not crashed');

$node->stop;
done_testing();

# All functions, or only that one.  One statement a batch: a timeout is for a statement.
sub sweep
{
	my ($role, $only) = @_;
	my $these = defined $only ? "function = '$only'" : 'true';
	my $statements = $node->safe_psql('sweep', qq{
		SELECT format('SELECT public.sweep(%L, %s, %s);', function, batch, $seed)
		FROM public.targets, generate_series(1, $batches) batch
		WHERE has_function_privilege('$role', function::regprocedure, 'EXECUTE') AND $these ORDER BY function, batch});
	my ($out, $err) = ('', '');
	my $status = $node->psql('sweep', "SET statement_timeout = '${timeout_s}s';\nSET client_min_messages = error;\n$statements",
		stdout => \$out, stderr => \$err, on_error_die => 0, on_error_stop => 0, extra_params => [ '-U', $role ]);

	is($status, 0, "$role: the session goes on") or diag(substr($err, -2000), "\n", crashes());
	# a statement may also run out of time between two calls
	$err =~ s/^psql:\S+ ERROR:  canceling statement due to statement timeout\n?(?:(?!psql:).*\n?)*//mg;
	is($err, '', "$role: no batch fails");
	$node->poll_query_until('postgres', 'SELECT true');
}

sub crashes
{
	return join "\n", grep { /terminated by signal|Failed process was running/ } split /\n/, slurp_file($node->logfile);
}

# What runs in the database, as the role.
sub sweeper
{
	return <<'SQL';
CREATE VIEW public.quality AS SELECT s.name, q.* FROM vsm.value_streams s, vsm.data_quality(s.name) q ORDER BY s.name, q.finding;
CREATE TABLE public.quality_before AS SELECT * FROM public.quality;
CREATE TABLE public.targets AS
	SELECT p.oid::regprocedure::text AS function, p.oid, p.prokind AS kind, p.proretset AS many, p.proisstrict AS skips_nulls, p.prorettype AS result, ARRAY(SELECT unnest(p.proargtypes)) AS types
	FROM pg_proc p WHERE p.pronamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND 'internal'::regtype <> ALL (p.proargtypes);
CREATE TABLE public.batches (caller name DEFAULT current_user, function text, batch integer, calls integer, answered integer, states jsonb);
CREATE TABLE public.faults (caller name DEFAULT current_user, function text, sqlstate text, message text, call text, took interval, raw boolean);
GRANT SELECT ON public.targets TO PUBLIC;
GRANT INSERT ON public.batches, public.faults TO PUBLIC;

-- One of these, as an expression.
CREATE FUNCTION public.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE
	RETURN choices[1 + floor(random() * cardinality(choices))::integer];

-- An expression of that type.
CREATE FUNCTION public.argument(type oid) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	t pg_type;
	name text := format_type(type, NULL);
	value text;
BEGIN
	SELECT * INTO STRICT t FROM pg_type WHERE oid = type;
	IF random() < 0.07 THEN
		RETURN 'NULL::' || name;
	END IF;
	IF t.typelem <> 0 AND t.typlen = -1 THEN
		value := public.argument(t.typelem);
		RETURN public.one_of(
			format('ARRAY[]::%s', name),
			format('ARRAY[%s, %s, %s]::%s', value, public.argument(t.typelem), value, name),
			format('ARRAY[%s, %s]::%s', value, public.argument(t.typelem), name),
			format('ARRAY[%s]::%s', value, name),
			format('ARRAY[NULL, %s, NULL]::%s', value, name),
			format('array_replace(ARRAY[NULL, %s]::%s, NULL, %1$s)', value, name),
			format('ARRAY[[%s, %s], [%1$s, %2$s]]::%s', value, public.argument(t.typelem), name),
			format('array_fill(%s, ARRAY[3], ARRAY[-5])', value),
			format('array_fill(%s, ARRAY[2, 1, 2])', value),
			format('array_fill(%s, ARRAY[%s])', value, CASE WHEN random() < 0.2 THEN 300000 ELSE 2000 END),
			format('array_fill(NULL::%s, ARRAY[%s])', format_type(t.typelem, NULL), CASE WHEN random() < 0.2 THEN 3000000 ELSE 10 END));
	END IF;
	CASE t.typname
		WHEN 'int2', 'int4', 'int8' THEN
			value := public.one_of('0', '1', '2', '3', '-1', '5', '7', '42', '50', '85', '100', '101', '1000', '3653', '100000', '2147483647', '-2147483648');
			IF t.typname = 'int8' AND random() < 0.3 THEN
				value := public.one_of('9223372036854775807', '-9223372036854775808', '4294967296');
			END IF;
			value := CASE WHEN t.typname = 'int2' THEN (value::numeric % 32768)::text ELSE value END;
		WHEN 'float4', 'float8', 'numeric' THEN
			value := public.one_of('0', '-0', '1', '-1', '0.5', '0.85', '0.01', '0.0001', '0.2', '1e-3', '1e30', '-1e30', '3600', 'NaN', 'Infinity', '-Infinity');
			IF t.typname = 'float8' AND random() < 0.3 THEN
				value := public.one_of('1.7976931348623157e308', '-1.7976931348623157e308', '5e-324', '2.2e-308');
			END IF;
		WHEN 'bool' THEN value := public.one_of('true', 'false');
		WHEN 'text', 'varchar', 'name', 'bpchar', 'unknown', 'cstring' THEN
			IF random() < 0.05 THEN
				RETURN format('repeat(%L, 100000)::%s', public.one_of('x', 'ß', '1 0.01 ', '%s', ''''), name);
			END IF;
			value := public.one_of('', ' ', 'default', 'default', 'default', 'Größe ✓', 'Größe ✓', 'nowhere', 'Backlog', 'Development', 'Production', 'Work', 'Café', 'bug', 'feature', 'day', 'week', 'month',
				'span_last', 'episodes', 'sum_active', 'span_first_last', 'abort', 'skip', 'reject', 'UTC', 'Europe/Berlin', 'Nowhere/Land', 'reader', 'admin', 'sweep_reader', 'sweep_owner',
				'public.events', 'vsm.work_items', 'case_id', 'stage', 'entered_at', 'id', '1', '-1', 'infinity', '2024-02-01', '294276-12-31', 'NaN', '%', '_', '\', '"', '''; --', 'null', '[]', '{}',
				E'a\nb\tc', 'csv', 'ndjson', E'case_id,stage,entered_at\n1,Work,2024-01-01', '1 0.01 zero=3 positive=51234:2', '1 0.0001 positive=0:50000*1', 'active', 'wait', 'done', 'json', 'created_at', 'SIM-000001');
		WHEN 'timestamptz', 'timestamp', 'date' THEN
			value := public.one_of('now', 'today', 'tomorrow', 'infinity', '-infinity', '1970-01-01', '1969-12-31', '2000-01-01', '2024-01-15', '2024-02-01', '2024-02-29', '2024-03-01', '0001-01-01 BC',
				'4713-01-01 BC', '294276-12-31', '9999-12-31');
			IF t.typname = 'timestamptz' AND random() < 0.5 THEN
				RETURN format('(timestamptz ''now'' - interval %L)', public.one_of('0', '1 day', '-1 day', '1 hour', '7 days', '400 days', '-4 min'));
			END IF;
		WHEN 'interval' THEN
			value := public.one_of('0', '1 day', '-1 day', '1 us', '1 mon', '1 hour', '90 min', '100 years', '178000000 years', '-178000000 years', '2147483647 days', '-2147483648 days', '1 mon -1 day 3 h');
		WHEN 'time', 'timetz' THEN value := public.one_of('00:00', '24:00');
		WHEN 'json', 'jsonb' THEN
			IF random() < 0.05 THEN
				RETURN format('(repeat(''['', 6000) || repeat('']'', 6000))::%s', name);
			END IF;
			value := public.one_of('{}', '[]', 'null', 'true', '1', '-1e400', '"x"', '"default"', '[[]]', '[null]', '[{}]', '[1, 2]', '{"a": {"b": [null]}}', '[{"name": "A"}]', '[{"name": "A"}, {"name": "A"}]',
				'[{"name": null}]', '[{"name": {}, "category": []}]', '[{"name": "A", "category": "wait"}, {"name": "B"}, {"name": "C", "category": "done"}]', '[{"name": "A", "wip_limit": 1e30}]',
				'[{"name": "A", "order": -1}]', '[{"id": 1, "stage": "Backlog"}]', '{"id": "x", "title": null}', '{"title": "t", "type": "bug"}',
				'[{"case_id": "1", "stage": "Backlog", "entered_at": "2024-01-01"}]', '[{"case_id": "1", "stage": "Work", "entered_at": "infinity"}]', '[{"case_id": 1, "stage": {}, "entered_at": []}]',
				'[{"id": "1", "Backlog": "2024-01-01", "Done": "x"}]', '"\u00e9\ud83d\ude00"');
		WHEN 'sketch', 'interval_sketch' THEN
			value := public.one_of('1 0.01', '1 0.01 zero=1', '1 0.01 positive=5253:1', '1 0.01 positive=5253:3,1', '1 0.01 zero=3 negative=10:1 positive=5253:2,0*7,1', '1 0.02 positive=100:1',
				'1 0.01 zero=9223372036854775807', '1 0.01 positive=5253:9223372036854775807', '1 0.01 positive=0:9223372036854775807', '1 0.2', '1 0.2 positive=3400:1',
				'1 0.01 negative=73000:4000000000000000000 positive=73000:4000000000000000000');
			IF random() < 0.01 THEN
				value := '1 0.0001 positive=0:2000000*1';
			END IF;
		WHEN 'bytea' THEN value := public.one_of('\x', '\x00', '\x01ff', '\x0100000000000000000000');
		WHEN 'xid', 'oid' THEN value := public.one_of('0', '1', '3', '1259', '4294967295');
		WHEN 'regclass' THEN value := public.one_of('0', 'public.events', 'vsm.work_items', 'vsm.stages', 'vsm.wip', 'pg_class', 'pg_stat_activity', '4294967295');
		WHEN 'regrole' THEN value := public.one_of('0', 'sweep_reader', 'sweep_writer', 'sweep_admin', 'sweep_owner', '4294967295');
		WHEN 'regtype', 'regproc', 'regprocedure', 'regnamespace' THEN value := '0';
		WHEN 'uuid' THEN value := '00000000-0000-0000-0000-000000000000';
		WHEN 'anyelement', 'anynonarray', 'any', 'anycompatible', 'record' THEN RETURN public.argument(public.one_of('int4', 'text', 'timestamptz', 'jsonb')::regtype);
		WHEN 'anyarray' THEN RETURN public.argument('int4[]'::regtype);
		ELSE
			IF t.typtype = 'c' THEN
				RETURN CASE WHEN random() < 0.5 THEN format('(SELECT %s FROM generate_series(1, 1))', public.row_of(type)) ELSE public.row_of(type) END;
			END IF;
			RETURN 'NULL::' || name;
	END CASE;
	RETURN format('%L::%s', value, name);
END $$;
CREATE FUNCTION public.row_of(type oid) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT format('ROW(%s)::%s', string_agg(public.argument(a.atttypid), ', ' ORDER BY a.attnum), format_type(type, NULL))
	FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE t.oid = type AND a.attnum > 0 AND NOT a.attisdropped $$;

-- Rows with the columns n and a1, a2, ...; in about half of the columns all rows have the same.
CREATE FUNCTION public.rows_of(types oid[]) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	same text[] := '{}';
	line text;
	lines text[] := '{}';
	names text := 'n';
	nrows integer := floor(random() * 7);
BEGIN
	FOR i IN 1 .. cardinality(types) LOOP
		same := same || CASE WHEN random() < 0.5 THEN public.argument(types[i]) END;
		names := names || ', a' || i;
	END LOOP;
	FOR n IN 1 .. greatest(nrows, 1) LOOP
		line := n::text;
		FOR i IN 1 .. cardinality(types) LOOP
			line := line || ', ' || coalesce(same[i], public.argument(types[i]));
		END LOOP;
		lines := lines || ('(' || line || ')');
	END LOOP;
	RETURN format('(SELECT * FROM (VALUES %s) v (%s) %s) v', array_to_string(lines, ', '), names, CASE WHEN nrows = 0 THEN 'WHERE n < 0' END);
END $$;

-- A query with an aggregate over rows.
CREATE FUNCTION public.query_of_aggregate(name text, types oid[]) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	source CONSTANT text := public.rows_of(types);
	arguments text := (SELECT coalesce(string_agg('a' || i, ', ' ORDER BY i), '*') FROM generate_series(1, cardinality(types)) i);
BEGIN
	RETURN format(CASE CASE WHEN types = '{}' THEN 5 ELSE floor(random() * 14) END
		WHEN 0 THEN 'SELECT concat(%1$s(%2$s)) FROM %3$s'
		WHEN 1 THEN 'SELECT concat(%1$s(%2$s) FILTER (WHERE n %% 2 = 0)) FROM %3$s'
		WHEN 2 THEN 'SELECT concat(%1$s(DISTINCT %2$s)) FROM %3$s'
		WHEN 3 THEN 'SELECT concat(%1$s(%2$s ORDER BY n DESC)), %1$s(%2$s ORDER BY n DESC) IS NULL FROM %3$s'
		WHEN 4 THEN 'SELECT n %% 2, concat(%1$s(%2$s)) FROM %3$s GROUP BY ROLLUP (1)'
		WHEN 5 THEN 'SELECT concat(%1$s(%2$s) OVER (ORDER BY n ROWS 1 PRECEDING)) FROM %3$s'
		WHEN 6 THEN 'SELECT concat(%1$s(%2$s) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)) FROM %3$s'
		WHEN 7 THEN 'SELECT concat(%1$s(%2$s) OVER ()) FROM %3$s'
		WHEN 8 THEN 'SELECT concat(%1$s(%2$s) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) FROM %3$s'
		WHEN 9 THEN 'SELECT concat(%1$s(%2$s) OVER (ORDER BY n ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)) FROM %3$s'
		WHEN 10 THEN 'SELECT concat(%1$s(%2$s) FILTER (WHERE n <> 2) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)) FROM %3$s'
		WHEN 11 THEN 'SELECT concat(%1$s(%2$s) OVER w), (%1$s(%2$s) OVER w) IS NULL FROM %3$s WINDOW w AS (ORDER BY n GROUPS 1 PRECEDING EXCLUDE CURRENT ROW)'
		WHEN 12 THEN 'SELECT concat(%1$s(%2$s) OVER (PARTITION BY n %% 2 ORDER BY n RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING)) FROM %3$s'
		ELSE 'SELECT concat(x) FROM (SELECT %1$s(%2$s) AS x, n FROM %3$s GROUP BY n) y, generate_series(1, 2)' END, name, arguments, source);
END $$;

-- What is run, perhaps in two statements.
CREATE FUNCTION public.statements_of(t public.targets) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	name CONSTANT text := (SELECT format('%I.%I', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = t.oid);
	arguments text := '';
	others text[];
	own text;
BEGIN
	IF t.kind = 'a' THEN
		RETURN ARRAY[public.query_of_aggregate(name, t.types)];
	END IF;
	-- a part of an aggregate of one's own: only superusers can make one whose state is internal
	IF t.kind = 'f' AND NOT t.many AND cardinality(t.types) >= 1 AND t.types[1] = t.result AND random() < 0.6
		AND t.result NOT IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype) THEN
		others := ARRAY(SELECT format('%I.%I', n.nspname, p.proname) FROM public.targets o JOIN pg_proc p ON p.oid = o.oid JOIN pg_namespace n ON n.oid = p.pronamespace
						WHERE o.types = t.types AND o.result = t.result AND NOT o.many AND o.kind = 'f' AND has_function_privilege(o.oid, 'EXECUTE') ORDER BY o.function);
		IF random() < 0.3 OR (t.skips_nulls AND t.types[2] IS DISTINCT FROM t.types[1]) THEN
			BEGIN
				EXECUTE format('SELECT concat(%s)', public.argument(t.result)) INTO own;
			EXCEPTION WHEN OTHERS THEN
				own := '';
			END;
		END IF;
		own := coalesce(', INITCOND = ' || quote_literal(own), '') ||
			CASE WHEN random() < 0.6 THEN format(', MSFUNC = %s, MINVFUNC = %s, MSTYPE = %s', name, public.one_of(VARIADIC others), format_type(t.result, NULL)) ||
				coalesce(', MINITCOND = ' || quote_literal(own), '') ELSE '' END;
		RETURN ARRAY[format('CREATE AGGREGATE pg_temp.own(%s) (SFUNC = %s, STYPE = %s%s)',
							coalesce((SELECT string_agg(format_type(a, NULL), ', ' ORDER BY o) FROM unnest(t.types[2:]) WITH ORDINALITY u (a, o)), '*'), name, format_type(t.result, NULL), own),
					 public.query_of_aggregate('pg_temp.own', t.types[2:])];
	END IF;
	-- over rows, so that it is not evaluated when the query is planned, or by itself
	IF cardinality(t.types) > 0 AND random() < 0.2 AND t.kind = 'f' THEN
		RETURN ARRAY[format('SELECT %s(%s) FROM %s', name, (SELECT string_agg('a' || i, ', ' ORDER BY i) FROM generate_series(1, cardinality(t.types)) i), public.rows_of(t.types))];
	END IF;
	FOR i IN 1 .. cardinality(t.types) LOOP
		arguments := arguments || CASE WHEN i > 1 THEN ', ' ELSE '' END || public.argument(t.types[i]);
	END LOOP;
	IF t.kind = 'p' THEN
		RETURN ARRAY[format('CALL %s(%s)', name, arguments)];
	ELSIF t.kind = 'w' THEN
		RETURN ARRAY[format('SELECT %s(%s) OVER ()', name, arguments)];
	ELSIF t.result IN ('void'::regtype, 'trigger'::regtype, 'internal'::regtype, 'event_trigger'::regtype) THEN
		RETURN ARRAY[format('SELECT %s(%s)', name, arguments)];
	END IF;
	RETURN ARRAY[format('SELECT concat(x) FROM %s(%s) x', name, arguments)];
END $$;

-- What people call says itself what it cannot do with, and what to give instead; the parser and the server's limits need not.
CREATE FUNCTION public.is_raw(t public.targets, state text, advice text) RETURNS boolean LANGUAGE sql IMMUTABLE
	RETURN t.function !~ '\._' AND t.kind = 'f' AND state <> 'SWEEP' AND state !~ '^(PT|42|53|54|57)' AND coalesce(advice, '') = '';

CREATE FUNCTION public.sweep(function_name text, batch_number integer, seed bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t public.targets;
	many CONSTANT integer := 10;
	ncalls integer := 0;
	nanswered integer := 0;
	counts jsonb := '{}';
	statements text[];
	began timestamptz;
	state text;
	message text;
	advice text;
BEGIN
	SELECT * INTO STRICT t FROM public.targets WHERE function = function_name;
	PERFORM setseed(hashtext(format('%s %s %s %s', seed, current_user, function_name, batch_number)) / 2147483648.0);
	-- what is parallel safe, in a worker
	PERFORM set_config(s.name, CASE WHEN batch_number % 3 = 0 THEN 'on' ELSE 'off' END, true) FROM pg_settings s WHERE s.name IN ('force_parallel_mode', 'debug_parallel_query');
	-- what has a parameter can be called in many ways
	WHILE ncalls < CASE WHEN cardinality(t.types) = 0 THEN 1 WHEN t.kind = 'a' OR t.types[1] = t.result THEN 3 * many ELSE many END LOOP
		ncalls := ncalls + 1;
		statements := public.statements_of(t);
		began := clock_timestamp();
		BEGIN
			FOR i IN 1 .. cardinality(statements) LOOP
				EXECUTE statements[i];
			END LOOP;
			RAISE SQLSTATE 'SWEEP' USING MESSAGE = 'rolled back';
		EXCEPTION
			WHEN query_canceled OR assert_failure THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
				INSERT INTO public.faults (function, sqlstate, message, call, took)
				VALUES (function_name, state, message, left(array_to_string(statements, '; '), 5000), clock_timestamp() - began);
			WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
				IF state LIKE 'XX%' OR state LIKE '42%' OR public.is_raw(t, state, advice) AND cardinality(statements) = 1 OR clock_timestamp() - began > '1 s' THEN
					INSERT INTO public.faults (function, sqlstate, message, call, took, raw)
					VALUES (function_name, state, message, left(array_to_string(statements, '; '), 5000), clock_timestamp() - began, public.is_raw(t, state, advice));
				END IF;
		END;
		nanswered := nanswered + (state = 'SWEEP')::integer;
		counts := counts || jsonb_build_object(state, coalesce((counts ->> state)::integer, 0) + 1);
		EXIT WHEN clock_timestamp() > statement_timestamp() + interval '0.3 s';		-- the rest of the statement's timeout is for one call
	END LOOP;
	INSERT INTO public.batches (function, batch, calls, answered, states) VALUES (function_name, batch_number, ncalls, nanswered, counts);
END $$;
SQL
}
