# crash.pl: the ledger and the items agree after crashes, and in copies that were made past the triggers
#
# A backend is killed and the server stopped at once amid moves of several sessions; every move that was acknowledged is
# there afterwards.  With session_replication_role = replica, and by logical replication, the tables are copied as they are.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "restart_after_crash = on\nautovacuum_naptime = 1s\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 30) n;
	SELECT vsm.define_stream('side', '[{"name":"Open","category":"wait"},{"name":"Doing"},{"name":"Done","category":"done"}]');
});

killed_backend();
stopped_at_once();
prepared_transaction();
replica_role();
logical_replication();

$node->stop;
done_testing();

# ---- Crashes ----

# Sessions that move, create and delete, each transaction acknowledged by a line.
sub start_load
{
	my ($round) = @_;
	my @load;
	for my $client (0 .. 3)
	{
		my $script = "$dir/load-$round-$client.sql";
		my @stages = qw(Analysis Development Testing Deployment Production Backlog);
		my @lines;

		srand($round * 10 + $client);
		for my $n (1 .. 4000)
		{
			my $stage = $stages[ rand @stages ];
			my $item = 1 + int rand 30;
			if ($n % 10 == 0)
			{
				push @lines, "SELECT 'new ' || id FROM vsm.create_work_item('$round.$client.$n', stream => 'side');";
			}
			elsif ($n % 10 == 5)
			{
				# several items in one transaction, always in the same order
				push @lines, qq{WITH moved AS (
					UPDATE vsm.work_items w SET stage_id = (SELECT s.id FROM vsm.stages s WHERE s.stream = 'default' AND s.name = '$stage')
					WHERE w.id = $item RETURNING 1)
					DELETE FROM vsm.work_items WHERE id = (SELECT min(id) FROM vsm.work_items WHERE title LIKE '$round.$client.%' AND id % 3 = 0);};
			}
			else
			{
				push @lines, "SELECT 'move ' || work_item_id || ' ' || id || ' ' || to_stage_id FROM vsm.transition($item, '$stage');";
			}
		}
		PostgreSQL::Test::Utils::append_to_file($script, join("\n", @lines) . "\n");
		push @load, IPC::Run::start(
			[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $script, '-d', $node->connstr('postgres') . " application_name=load" ],
			'<', \undef, '>', "$dir/acknowledged-$round-$client", '2>', "$dir/errors-$round-$client");
	}
	return @load;
}

# How many lines have been acknowledged so far.
sub acknowledged
{
	my ($round) = @_;
	return map { split /\n/, slurp_file($_) } glob "$dir/acknowledged-$round-*";
}

sub wait_for_load
{
	my ($round) = @_;
	for (1 .. 600)
	{
		return 1 if acknowledged($round) > 300;
		usleep(50_000);
	}
	return 0;
}

sub killed_backend
{
	my @load = start_load(1);
	ok(wait_for_load(1), 'sessions move items');
	my $pid = $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity WHERE application_name = 'load' AND state = 'active' ORDER BY pid LIMIT 1});
	$pid ||= $node->safe_psql('postgres', q{SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'load'});
	is(kill('KILL', $pid), 1, 'a backend is killed');
	$_->finish for @load;
	ok($node->poll_query_until('postgres', 'SELECT 1', '1'), 'the server comes back');
	agrees(1, 'after the kill');
	return;
}

sub stopped_at_once
{
	my @load = start_load(2);
	ok(wait_for_load(2), 'sessions move items again');
	$node->stop('immediate');
	$_->finish for @load;
	$node->start;
	agrees(2, 'after an immediate stop');
	return;
}

sub agrees
{
	my ($round, $when) = @_;
	my @lines = acknowledged($round);
	my @moves = map { /^move (\d+) (\d+) (\d+)$/ ? "($1,$2,$3)" : () } @lines;
	my @created = map { /^new (\d+)$/ ? $1 : () } @lines;

	cmp_ok(scalar @moves, '>', 100, "$when: " . @moves . ' moves and ' . @created . ' creations were acknowledged');
	isnt(join('', map { slurp_file($_) } glob "$dir/errors-$round-*"), '', "$when: the sessions were cut off");
	faultless($node, $when);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM (VALUES ' . join(',', @moves) . q{) a (item, id, stage)
		WHERE NOT EXISTS (SELECT FROM vsm.stage_transitions t WHERE (t.work_item_id, t.id, t.to_stage_id) = (a.item, a.id, a.stage))}),
		0, "$when: every acknowledged move is in the ledger");
	# those deleted since were created by the round's sessions with an id that 3 divides
	is($node->safe_psql('postgres', 'SELECT count(*) FROM unnest(ARRAY[' . join(',', @created) . q{]::bigint[]) a (id)
		WHERE a.id % 3 <> 0 AND NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = a.id)}), 0, "$when: so is every creation");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM vsm.stage_transitions t WHERE NOT EXISTS (SELECT FROM vsm.work_items w WHERE w.id = t.work_item_id)}),
		0, "$when: no ledger without its item");
	is($node->safe_psql('postgres', q{
		SELECT (SELECT max(id) FROM vsm.work_items) < (vsm.create_work_item('next')).id;
		SELECT (SELECT max(id) FROM vsm.stage_transitions) < (vsm.transition(max(id), 'Analysis')).id FROM vsm.work_items WHERE title = 'next';
	}), "t\nt", "$when: work goes on with new ids");
	return;
}

sub faultless
{
	my ($server, $when) = @_;
	is($server->safe_psql('postgres', q{
		SELECT v.name, d.finding, d.items FROM vsm.value_streams v CROSS JOIN LATERAL vsm.data_quality(v.name) d
		WHERE d.finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs') AND d.items > 0}), '', "$when: the ledger and the items agree");
	return;
}

# A move that is prepared is neither lost nor half there.
sub prepared_transaction
{
	$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\n");
	$node->restart;
	$node->safe_psql('postgres', q{
		SELECT vsm.create_work_item('prepared', external_id => 'kept'), vsm.create_work_item('prepared', external_id => 'dropped');
		BEGIN; SELECT vsm.transition(id, 'Testing') FROM vsm.work_items WHERE external_id = 'kept'; PREPARE TRANSACTION 'kept';
		BEGIN; SELECT vsm.transition(id, 'Testing') FROM vsm.work_items WHERE external_id = 'dropped'; PREPARE TRANSACTION 'dropped'});
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', q{
		COMMIT PREPARED 'kept';
		ROLLBACK PREPARED 'dropped';
		SELECT w.external_id, s.name, count(*) FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id
		JOIN vsm.stage_transitions t ON t.work_item_id = w.id WHERE w.title = 'prepared' GROUP BY 1, 2 ORDER BY 1}),
		"dropped|Backlog|1\nkept|Testing|2", 'prepared moves outlive a crash, each as it was decided');
	faultless($node, 'after prepared transactions');
	return;
}

# ---- Copies past the triggers ----

# All rows of all tables.
sub picture
{
	my ($server, $db) = @_;
	return $server->safe_psql($db, join '', map { "SELECT '$_ ' || count(*) || ' ' || md5(coalesce(string_agg(to_jsonb(t)::text, ' ' ORDER BY to_jsonb(t)::text), '')) FROM vsm.$_ t;\n" }
		qw(value_streams stages work_item_types work_items stage_transitions _merged_events import_refusals));
}

# Figures that replay the ledger with the stages that a session knows.
my $figures;
BEGIN
{
	$figures = q{
		SELECT m.stream, m.reopen_rule, m.throughput, m.cycle_time_n, m.cycle_time_avg, m.flow_efficiency, m.backward_moves
		FROM (VALUES ('default'), ('side'), ('later')) s (stream)
		JOIN vsm.value_streams v ON v.name = s.stream
		CROSS JOIN (VALUES ('span_last'), ('episodes')) r (rule)
		CROSS JOIN LATERAL vsm.metrics(s.stream, '2020-01-01', '2100-01-01', NULL, r.rule) m ORDER BY 1, 2};
}

# A session that has looked at the stages, and so knows that there are none.
sub reader
{
	my ($server, $db) = @_;
	my $reader = $server->background_psql($db, on_error_stop => 0);
	$reader->query(q{SELECT vsm._stage_id('default', 'Backlog')});
	like($reader->{stderr}, qr/stage "Backlog" not found/, 'a session knows of no stages');
	$reader->{stderr} = '';
	return $reader;
}

sub change_definitions
{
	$node->safe_psql('postgres', q{
		SELECT vsm.define_stream('later', '[{"name":"A","category":"wait"},{"name":"B"},{"name":"C","category":"done"}]');
		SELECT vsm.transition((vsm.create_work_item('x', stream => 'later', at => '2026-01-05')).id, 'B', '2026-01-06');
		SELECT vsm.transition(max(id), 'C', '2026-01-07') FROM vsm.work_items;
		UPDATE vsm.stages SET category = 'wait' WHERE stream = 'default' AND name = 'Development';
		UPDATE vsm.value_streams SET commitment_stage = 'Testing' WHERE name = 'default';
		UPDATE vsm.stages SET name = 'Deploying' WHERE name = 'Deployment';
	});
	return;
}

sub replica_role
{
	$node->safe_psql('postgres', 'CREATE DATABASE replica');
	$node->safe_psql('replica', 'CREATE EXTENSION vsm');
	my $reader = reader($node, 'replica');
	$node->command_ok([ 'pg_dump', '--data-only', '--file', "$dir/data", 'postgres' ], 'the data is dumped');
	{
		local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'replica', '-f', "$dir/data" ], 'and loaded with session_replication_role = replica');
	}
	is(picture($node, 'replica'), picture($node, 'postgres'), 'the tables are equal');
	is($reader->query($figures), $node->safe_psql('postgres', $figures), 'a session that was there before sees the figures');
	$reader->quit;
	return;
}

sub logical_replication
{
	my $copy = PostgreSQL::Test::Cluster->new('copy');
	$copy->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$copy->start;
	$copy->safe_psql('postgres', 'CREATE EXTENSION vsm');
	my $reader = reader($copy, 'postgres');

	$node->safe_psql('postgres', q{
		CREATE TABLE events AS SELECT 'case ' || n % 5 AS case_id, (ARRAY['Open', 'Doing', 'Doing', 'Done'])[1 + n % 4] AS stage,
			'2026-03-01'::timestamptz + n * interval '1 hour' AS entered_at FROM generate_series(1, 40) n;
		SELECT vsm.import_events('events', 'side');
		CREATE PUBLICATION vsm FOR TABLES IN SCHEMA vsm});
	$copy->safe_psql('postgres', sprintf q{CREATE SUBSCRIPTION vsm CONNECTION $c$%s$c$ PUBLICATION vsm}, $node->connstr('postgres'));
	$copy->wait_for_subscription_sync($node, 'vsm');
	is(picture($copy, 'postgres'), picture($node, 'postgres'), 'the initial copy is equal');
	is($reader->query($figures), $node->safe_psql('postgres', $figures), 'the session sees its figures');

	change_definitions();
	$node->safe_psql('postgres', q{
		SELECT vsm.transition(id, 'Production') FROM vsm.work_items WHERE stream = 'default' AND id < 20 ORDER BY id;
		SELECT vsm.transition(id, 'Testing') FROM vsm.work_items WHERE stream = 'default' AND id < 10 ORDER BY id;
		DELETE FROM vsm.work_items WHERE id IN (25, 26);
		INSERT INTO events SELECT 'case ' || n, 'Open', '2026-02-01' FROM generate_series(3, 7) n;
		SELECT vsm.import_events('events', 'side')});
	$node->wait_for_catchup('vsm');
	is(picture($copy, 'postgres'), picture($node, 'postgres'), 'applied changes are equal');
	is($reader->query($figures), $node->safe_psql('postgres', $figures), 'the session sees changed definitions');
	faultless($copy, 'on the subscriber');

	$node->safe_psql('postgres', 'TRUNCATE vsm.work_items');
	$node->wait_for_catchup('vsm');
	is(picture($copy, 'postgres'), picture($node, 'postgres'), 'also when the items are truncated');
	$reader->quit;
	$copy->safe_psql('postgres', 'DROP SUBSCRIPTION vsm');
	$copy->stop;
	return;
}
