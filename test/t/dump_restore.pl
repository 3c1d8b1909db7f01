# dump_restore.pl: what pg_dump and pg_restore make of a database is the same database, and its ledger works
#
# As a superuser, and as the owner of the database who is none (vsm is a trusted extension).

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\n");
$node->start;

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', q{
	CREATE ROLE "VSM Owner" LOGIN CREATEDB;		-- a name that must be quoted
	CREATE ROLE vsm_reader LOGIN;
	CREATE ROLE vsm_writer LOGIN;
});

for my $owner ($superuser, 'VSM Owner')
{
	local $ENV{PGUSER} = $owner;
	my $who = $owner eq $superuser ? 'superuser' : 'owner';
	my $source = "${who}_source";

	live_in($source);
	my $before = picture($source);
	like($before, qr/^stages .*Refinement.*Overtime/m, "$who: the source has what the copy must have");
	like($before, qr/^$_ ./m, "$who: $_ has rows") for qw(value_streams work_item_types work_items stage_transitions _merged_events import_refusals stage_aliases superseded_transitions days_off failures deployments incidents sles blocks);

	my %ways = (
		plain => [ [ '--format=plain' ], [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
		inserts => [ [ '--format=plain', '--inserts' ], [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
		custom => [ [ '--format=custom' ], [ 'pg_restore', '--exit-on-error', '-j', '2', '-d', "${who}_custom" ] ],
		# where the extension is already
		data => [ [ '--format=plain', '--data-only' ], [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-c', 'CREATE EXTENSION vsm', '-f' ] ]);
	for my $way (sort keys %ways)
	{
		dump_ok($who, $source, $way, @{ $ways{$way}[0] });
		restore_ok($who, $way, @{ $ways{$way}[1] }, "$dir/$who-$way") or next;
		same($who, $source, $way, $before, $way eq 'data' ? '--data-only' : ());
		works_on($who, $way, $before);
	}
	is(picture($source), $before, "$who: the source is as it was");

	unused($who);
}
access_survives();

$node->stop;
done_testing();

# A database in which much has happened.
sub live_in
{
	my ($db) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, q{
		CREATE EXTENSION vsm;
		SELECT vsm.create_work_item('first', at => '2026-01-05 09:00+00');
		-- default stages: a changed limit, a renamed one, removed ones, one retired, one added, another order
		UPDATE vsm.stages SET wip_limit = 4, description = 'with "quotes" and ''quotes''' WHERE name = 'Development';
		UPDATE vsm.stages SET name = 'Refinement' WHERE name = 'Analysis';
		SELECT vsm.create_work_item('item ' || n, at => '2026-01-05 10:00+00') FROM generate_series(1, 12) n;
		SELECT vsm.transition(w.id, s.name, '2026-01-06 09:00+00'::timestamptz + s."order" * interval '5 hours', 'on its way')
		FROM vsm.work_items w JOIN vsm.stages s ON s.stream = w.stream AND s."order" BETWEEN 2 AND 2 + w.id % 5 AND s.name <> 'Deployment'
		WHERE w.id > 3 ORDER BY w.id, s."order";
		DELETE FROM vsm.stages WHERE name = 'Deployment';
		UPDATE vsm.stages SET retired_at = now() WHERE name = 'Testing';
		UPDATE vsm.stages SET "order" = "order" + 1 WHERE name = 'Production';
		INSERT INTO vsm.stages (stream, name, "order", category) VALUES ('default', 'Overtime', 5, 'wait');
		SELECT vsm.transition(id, 'Production', '2026-01-09 09:00+00') FROM vsm.work_items WHERE id IN (5, 6, 7);
		SELECT vsm.transition(id, 'Overtime', '2026-01-10 09:00+00') FROM vsm.work_items WHERE id IN (6, 7);
		SELECT vsm.transition(7, 'Production');
		INSERT INTO vsm.work_items (title) VALUES ('now');
		DELETE FROM vsm.work_items WHERE id IN (2, 14);
		DELETE FROM vsm.work_item_types WHERE name = 'epic';
		INSERT INTO vsm.work_item_types VALUES ('incident');
		UPDATE vsm.work_items SET type = 'incident', title = E'tab\tand\nline' WHERE id = 4;

		SELECT vsm.define_stream('second', '[{"name":"Ask","category":"wait"},{"name":"Talk","category":"wait"},{"name":"Do","wip_limit":2},
			{"name":"Done","category":"done"}]', 'Europe/Berlin', 'Talk', 'episodes');
		CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
		INSERT INTO events SELECT 'case ' || n, s, '2026-02-01 08:00+00'::timestamptz + n * interval '3 hours' + p * interval '1 day', 'bug'
		FROM generate_series(1, 9) n, unnest(ARRAY['Ask', 'Talk', 'Talk', 'Do', 'Done', 'Do', 'Done']) WITH ORDINALITY u (s, p) WHERE p <= 3 + n % 5;
		INSERT INTO events VALUES ('case 1', 'Nowhere', '2026-02-02', NULL), (NULL, 'Ask', '2026-02-02', NULL);
		SELECT vsm.import_events('events', 'second', on_error => 'skip');
		INSERT INTO vsm.days_off VALUES ('second', '2026-05-01', 'Labour Day');
		INSERT INTO vsm.deployments (stream, external_id, deployed_at) VALUES ('second', 'v1', '2026-02-20 10:00+00');
		INSERT INTO vsm.incidents (stream, external_id, deployment, started_at) VALUES ('second', 'i1', 'v1', '2026-02-21 10:00+00');
		SELECT vsm.mark_failure(w.id, '2026-02-25', '2026-02-26', 'slow') FROM vsm.work_items w WHERE w.external_id = 'case 4';
		INSERT INTO vsm.stage_aliases VALUES ('second', 'in work', 'Do'), ('second', 'comment', NULL);
		SELECT vsm.set_sle('second', '5 days', 0.85, since => '2026-01-01'), vsm.set_sle('second', '3 days', 0.7, 'bug', '2026-02-01');
		SELECT vsm.block(id, 'waits', '2026-02-20'), vsm.unblock(id, '2026-02-21'), vsm.block(id, 'again', '2026-02-21')
		FROM vsm.work_items WHERE stream = 'second' AND completed_at IS NULL;
		SELECT vsm.grant_access('vsm_reader', 'reader'), vsm.grant_access('vsm_writer', 'writer');
		CREATE VIEW public.figures AS SELECT * FROM vsm.metrics('second', '-infinity', 'infinity');
	});
	return;
}

# All rows of all tables, and where the sequences stand.
sub picture
{
	my ($db) = @_;
	my @tables = split /\n/, $node->safe_psql($db, q{
		SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind = 'r' ORDER BY 1});
	my @sequences = split /\n/, $node->safe_psql($db, q{
		SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'vsm'::regnamespace AND c.relkind = 'S' ORDER BY 1});
	return $node->safe_psql($db, join('',
		map({ "SELECT '$_ ' || coalesce(string_agg(to_jsonb(t)::text, ' ' ORDER BY to_jsonb(t)::text), '') FROM vsm.$_ t;\n" } @tables),
		map({ "SELECT '$_ ' || last_value || is_called FROM vsm.$_;\n" } @sequences)));
}

# Figures that do not depend on the clock.
sub figures
{
	my ($db) = @_;
	return $node->safe_psql($db, q{
		SELECT to_jsonb(m) FROM vsm.value_streams v
		CROSS JOIN (VALUES ('span_first_last'), ('span_last'), ('sum_active'), ('episodes'), (NULL)) r (rule)
		CROSS JOIN LATERAL vsm.metrics(v.name, '2026-01-01', '2026-03-01', NULL, r.rule) m ORDER BY v.name, r.rule;
		SELECT to_jsonb(w) FROM vsm.wip w;
		SELECT to_jsonb(c) FROM vsm.value_streams v CROSS JOIN LATERAL vsm.cumulative_flow(v.name, '2026-01-01', '2026-03-01') c ORDER BY v.name, c.at, c.stage;
		SELECT to_jsonb(d) FROM vsm.value_streams v CROSS JOIN LATERAL vsm.dora(v.name, '2026-01-01', '2026-03-01', 'month') d ORDER BY v.name, d.bucket;
		SELECT to_jsonb(f) FROM public.figures f;
		SELECT to_jsonb(t) FROM vsm.flow_totals t ORDER BY total, stream, type, from_stage, to_stage;
		SELECT to_jsonb(h) FROM vsm.flow_histograms h ORDER BY histogram, stream, stage, le;
	});
}

sub dump_ok
{
	my ($who, $source, $name, @options) = @_;
	$node->command_ok([ 'pg_dump', @options, '--file', "$dir/$who-$name", $source ], "$who: pg_dump @options");
	return;
}

sub restore_ok
{
	my ($who, $name, @command) = @_;
	local $ENV{PGDATABASE} = "${who}_$name";
	$node->safe_psql('postgres', "CREATE DATABASE ${who}_$name");
	# data alone brings no table of the user's
	$node->safe_psql("${who}_$name", q{
		CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text)}) if $name eq 'data';
	return ok($node->run_log([@command]), "$who: restored from $name");
}

# The key that guards a plain dump against its own data is another each time.  Who restores as the owner gives rights on schemas
# and views in his name, by his grant option; the superuser's grants were in nobody's.
sub dump_text
{
	my ($db, @options) = @_;
	my ($text, $errors) = run_command([ 'pg_dump', @options, '-h', $node->host, '-p', $node->port, $db ]);
	is($errors, '', "pg_dump of $db has nothing to say");
	return join "\n", grep { !/^\\(un)?restrict|^(RE)?SET SESSION AUTHORIZATION/ } split /\n/, $text;
}

# As is(), but shows the first line that differs, not all of a database.
sub is_text
{
	my ($told, $expected, $name) = @_;
	my @told = split /\n/, $told;
	my @expected = split /\n/, $expected;
	for my $line (0 .. ($#told > $#expected ? $#told : $#expected))
	{
		my ($t, $e) = ($told[$line] // '(end)', $expected[$line] // '(end)');
		return is("line $line: $t", "line $line: $e", $name) if $t ne $e;
	}
	return pass($name);
}

sub same
{
	my ($who, $source, $name, $before, @options) = @_;
	my $copy = "${who}_$name";

	is_text(picture($copy), $before, "$who, $name: the same rows, none doubled, and sequences");
	if ($name eq 'data')
	{
		$node->safe_psql($copy, q{CREATE VIEW public.figures AS SELECT * FROM vsm.metrics('second', '-infinity', 'infinity')});
	}
	like(figures($copy), qr/"source": "shared memory"/, "$who, $name: WIP is in shared memory");
	is_text(figures($copy), figures($source), "$who, $name: the same figures, WIP, limits and totals");
	agrees($node, $copy, "$who, $name", over_limit => 1);
	# the order of rows, rights, comments, whatever there is
	is_text(dump_text($copy, @options), dump_text($source, @options), "$who, $name: a dump of the copy is the same dump");
	return;
}

# The ledger of a copy goes on.
sub works_on
{
	my ($who, $name, $before) = @_;
	my $db = "${who}_$name";
	my ($last) = $before =~ /^work_items_id_seq (\d+)/m;
	my ($last_move) = $before =~ /^stage_transitions_id_seq (\d+)/m;

	my ($status, $out, $errors) = $node->psql($db, qq{
		SELECT id > $last FROM vsm.create_work_item('afterwards');
		SELECT min(id) > $last_move FROM vsm.stage_transitions WHERE work_item_id > $last;
		SELECT from_stage_id IS NOT NULL, id > $last_move FROM vsm.transition(1, 'Development', expected_from => 'Backlog');
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Do') WHERE external_id = 'case 1';
		SELECT count(*) FROM vsm.work_items w CROSS JOIN LATERAL vsm.history(w.id) h WHERE w.external_id = 'case 1' AND h.to_stage = 'Do';
		INSERT INTO events VALUES ('case 1', 'Ask', '2026-01-30', NULL), ('case new', 'Do', '2026-02-20', 'feature');
		SELECT vsm.import_events('events', 'second', on_error => 'skip');
		DELETE FROM vsm.work_items WHERE id = 3;
		SELECT count(*) FROM vsm.stage_transitions WHERE work_item_id = 3;
		SELECT (vsm.define_stream('third', '[{"name":"A"},{"name":"B","category":"done"}]')).name;
		SELECT title FROM vsm.create_work_item('elsewhere', stream => 'third');
		SELECT coalesce(sum(d.items), 0) FROM vsm.value_streams v CROSS JOIN LATERAL vsm.data_quality(v.name) d
		WHERE d.finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs');
	}, on_error_stop => 1);
	is($errors, '', "$who, $name: afterwards the ledger works");
	# of the events, 2 are new, one of them beyond a limit, 2 are refused again, and the rest is there already
	my $import = sprintf '(2,2,0,%d,2,1)', $node->safe_psql($db, 'SELECT count(*) FROM events') - 4;
	is($out, "t\nt\nt|t\n1\n$import\n0\nthird\nelsewhere\n0", "$who, $name: and ids do not collide");
	($status, $out, $errors) = $node->psql($db, q{SELECT vsm.transition(1, 'Testing')});
	like($errors, qr/stage "Testing" is retired/, "$who, $name: a retired stage takes no entry");
	($status, $out, $errors) = $node->psql($db, q{
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'Development') WHERE stream = 'default'});
	like($errors, qr/stage "Development" is full/, "$who, $name: a limit holds");
	agrees($node, $db, "$who, $name, afterwards", over_limit => 1);
	return;
}

# A database that has the extension and never used it.
sub unused
{
	my ($who) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE ${who}_fresh");
	$node->safe_psql("${who}_fresh", 'CREATE EXTENSION vsm');
	my $before = picture("${who}_fresh");
	dump_ok($who, "${who}_fresh", 'unused', '--format=custom');
	restore_ok($who, 'unused', 'pg_restore', '--exit-on-error', '-d', "${who}_unused", "$dir/$who-unused");
	is(picture("${who}_unused"), $before, "$who: an unused database stays unused");
	is($node->safe_psql("${who}_unused", q{
		SELECT id, stage_id, title FROM vsm.create_work_item('first');
		SELECT count(*) FROM vsm.stages;
		SELECT count(*) FROM vsm.work_item_types}), "1|1|first\n6\n4", "$who: and has its default stream at first use");

	# the definitions of the schema alone
	dump_ok($who, "${who}_source", 'schema', '--format=plain', '--schema-only');
	restore_ok($who, 'schema', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$who-schema");
	is(picture("${who}_schema"), $before, "$who: a dump of the schema alone brings no rows");
	return;
}

# What vsm.grant_access() gave is in the dump.
sub access_survives
{
	for my $db (qw(owner_plain owner_inserts superuser_plain))
	{
		is($node->safe_psql($db, 'SELECT throughput >= 0 FROM vsm.metrics()', extra_params => [ '-U', 'vsm_reader' ]), 't',
			"$db: the reader still reads");
		is($node->safe_psql($db, q{SELECT title FROM vsm.create_work_item('by the writer')}, extra_params => [ '-U', 'vsm_writer' ]),
			'by the writer', "$db: the writer still writes");
		my ($status, $out, $errors) = $node->psql($db, q{SELECT vsm.create_work_item('x')}, extra_params => [ '-U', 'vsm_reader' ]);
		like($errors, qr/permission denied/, "$db: and the reader does not");
	}
	return;
}
