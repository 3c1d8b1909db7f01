# wip_databases.pl: the counters of a database end with it, and begin with what its tables hold
#
# Databases and the extension itself are dropped and made again, with the same names and ids of stages; databases are
# copied with their items; and the tables are copied from another server by logical replication.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $node = PostgreSQL::Test::Cluster->new('wip_databases');
$node->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\nautovacuum = off\n");
$node->start;

same_name();
template();
extension_again();
many_databases();
dropped_while_counters_run_out();
logical_replication();

$node->stop;
done_testing();

# The first stage takes 3.
sub make
{
	my ($db, $items) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, qq{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B","wip_limit":3}, {"name":"C","category":"done"}]');
		SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, $items) n;
		SELECT wip FROM vsm.wip;
	});
	return;
}

sub fill
{
	my ($db) = @_;
	$node->safe_psql($db, q{SELECT vsm.transition(id, 'B') FROM vsm.work_items ORDER BY id LIMIT 3});
	return;
}

sub is_full
{
	my ($db, $when) = @_;
	my ($status, $out, $errors) = $node->psql($db, q{SELECT vsm.transition(max(id), 'B') FROM vsm.work_items});
	like($errors, qr/stage "B" is full/, "$when: the stage is full");
	return;
}

sub same_name
{
	make('again', 7);
	fill('again');
	is_full('again', 'the first of that name');
	is(wip($node, 'again'), 'A 4, B 3', 'the first of that name: WIP');
	$node->safe_psql('postgres', 'DROP DATABASE again');
	make('again', 5);
	is(wip($node, 'again'), 'A 5', 'the next one begins anew');
	agrees($node, 'again', 'the next one of that name');
	fill('again');
	is_full('again', 'the next one of that name');
	is($node->safe_psql('again', q{SELECT sum(value) FROM vsm.flow_totals WHERE total = 'work_items_created'}), '5', 'and with its own totals');
	return;
}

# again has 2 in A and 3 in B
sub template
{
	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE again');
	is_full('copy', 'a copy with its items');
	is(wip($node, 'copy'), 'A 2, B 3', 'a copy: WIP');
	$node->safe_psql('copy', q{SELECT vsm.transition(1, 'C')});
	is(wip($node, 'copy'), 'A 2, B 2', 'a move in the copy counts there');
	is(wip($node, 'again'), 'A 2, B 3', 'and not in the other');
	$node->safe_psql('again', q{SELECT vsm.transition(1, 'A')});
	is(wip($node, 'copy'), 'A 2, B 2', 'nor the other way');
	agrees($node, $_, "after the copy, $_") for qw(copy again);

	# moved to another name, the database is the same
	$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO renamed');
	agrees($node, 'renamed', 'renamed');
	is(wip($node, 'renamed'), 'A 2, B 2', 'renamed: WIP');
	return;
}

# Also in a session that was there before.
sub extension_again
{
	my $session = $node->background_psql('again', on_error_stop => 0);
	my $wip = q{SELECT string_agg(stage || ' ' || wip || ' ' || source, ', ' ORDER BY "order") FROM vsm.wip};
	my $again = q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B","wip_limit":3}, {"name":"C","category":"done"}]') IS NOT NULL;
		SELECT count(vsm.create_work_item('new ' || n)) FROM generate_series(1, 4) n;
		SELECT count(vsm.transition(id, 'B')) FROM vsm.work_items WHERE id < 3};

	is($session->query($wip), 'A 3 shared memory, B 2 shared memory', 'a session reads');
	$session->query(qq{BEGIN; SELECT vsm.transition(1, 'B'); DROP EXTENSION vsm; $again; ROLLBACK});
	is($session->query($wip), 'A 3 shared memory, B 2 shared memory', 'the extension dropped, made again and used, rolled back');
	agrees($node, 'again', 'after the rollback');

	$session->query(qq{SELECT vsm.transition(1, 'B'); BEGIN; SELECT vsm.transition(1, 'A'); DROP EXTENSION vsm; $again});
	like($session->query($wip), qr/^A 2 \S.*, B 2 \S/, 'the same, seen by the transaction itself');
	$session->query('COMMIT');
	is($session->query($wip), 'A 2 shared memory, B 2 shared memory', 'and when it is committed');
	agrees($node, 'again', 'the extension again');

	$node->safe_psql('again', "DROP EXTENSION vsm; $again");
	is($session->query($wip), 'A 2 shared memory, B 2 shared memory', 'another session did the same');
	$session->query(q{SELECT vsm.transition(3, 'B')});
	is_full('again', 'the extension again');
	agrees($node, 'again', 'the extension twice again');
	$session->quit;
	return;
}

# More than have room at a time.
sub many_databases
{
	make('template_wip', 4);
	fill('template_wip');
	my $script = join "\n", map { qq{
		CREATE DATABASE turn TEMPLATE template_wip;
		\\c turn
		SELECT $_, string_agg(wip || ' ' || source, ', ' ORDER BY "order") FROM vsm.wip;
		SELECT vsm.transition(1, 'C') IS NULL;
		SELECT $_, string_agg(wip || ' ' || source, ', ' ORDER BY "order") FROM vsm.wip;
		SELECT sum(value) FROM vsm.flow_totals WHERE total = 'stage_transitions';
		\\c postgres
		DROP DATABASE turn;} } 1 .. 70;
	is($node->safe_psql('postgres', $script),
		join("\n", map { "$_|1 shared memory, 3 shared memory\nf\n$_|1 shared memory, 2 shared memory\n8" } 1 .. 70),
		'70 databases come and go, and each has counters');
	agrees($node, $_, "and so have those that stayed, $_") for qw(again renamed template_wip);
	unlike(slurp_file($node->logfile), qr/no room for/, 'the log has no complaint');
	return;
}

# A transaction that has dropped the extension still gives back its reservation to the counter it was made in, although
# the new extension has more stages than there are counters and looks for some to take over.
sub dropped_while_counters_run_out
{
	my $small = PostgreSQL::Test::Cluster->new('wip_small');
	$small->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$small->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\nvsm.max_stages = 16\n");
	$small->start;
	$small->safe_psql('postgres', q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B","wip_limit":3}, {"name":"C","category":"done"}]');
		SELECT vsm.create_work_item('item') FROM generate_series(1, 4);
		SELECT wip FROM vsm.wip});
	$small->safe_psql('postgres', q{
		BEGIN;
		SELECT vsm.transition(1, 'B');
		DROP EXTENSION vsm;
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', (SELECT jsonb_agg(jsonb_build_object('name', 'S' || n, 'category',
			CASE WHEN n = 17 THEN 'done' ELSE 'active' END) ORDER BY n) FROM generate_series(1, 17) n));
		SELECT vsm.create_work_item('item') FROM generate_series(1, 16);
		SELECT vsm.transition(id, 'S' || id) FROM vsm.work_items WHERE id BETWEEN 2 AND 16;
		COMMIT});
	is($small->safe_psql('postgres', 'SELECT source, count(*), sum(wip) FROM vsm.wip GROUP BY 1 ORDER BY 1'),
		"shared memory|14|14\ntable|2|2", 'an extension dropped and made again with more stages than there are counters');
	is($small->safe_psql('postgres', 'SELECT sum(abs(difference)), sum(abs(reserved)) FROM vsm.wip_check()'), '0|0',
		'and the old reservation is in none of its counters');
	$small->stop;
	return;
}

sub logical_replication
{
	my $copy = PostgreSQL::Test::Cluster->new('wip_subscriber');
	$copy->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$copy->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\n");
	$copy->start;
	my $stages = q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B","wip_limit":3}, {"name":"C","category":"done"}]')};
	$copy->safe_psql('postgres', $stages);
	$node->safe_psql('postgres', $stages);
	$node->safe_psql('postgres', q{
		SELECT vsm.create_work_item('item ' || n, (ARRAY['bug', 'task'])[1 + n % 2]) FROM generate_series(1, 9) n;
		SELECT vsm.transition(id, 'B') FROM vsm.work_items WHERE id <= 3;
		SELECT vsm.transition(id, 'C') FROM vsm.work_items WHERE id = 4;
		CREATE PUBLICATION items FOR TABLE vsm.work_items, vsm.stage_transitions});

	my $reader = $copy->background_psql('postgres');
	is($reader->query(q{SELECT sum(wip), string_agg(DISTINCT source, ' ') FROM vsm.wip}), '0|shared memory', 'the subscriber counts nothing yet');
	is($reader->query(q{SELECT sum(value) FROM vsm.flow_totals}), '0', 'nor has it totals');
	$copy->safe_psql('postgres', sprintf q{CREATE SUBSCRIPTION items CONNECTION $c$%s$c$ PUBLICATION items}, $node->connstr('postgres'));
	$copy->wait_for_subscription_sync($node, 'items');
	follows($copy, 'A 5, B 3', 'the initial copy');

	$node->safe_psql('postgres', q{SELECT vsm.create_work_item('new') FROM generate_series(1, 3)});
	caught_up();
	follows($copy, 'A 8, B 3', 'inserts');
	$node->safe_psql('postgres', q{SELECT vsm.transition(1, 'C'); SELECT vsm.transition(5, 'B'); SELECT vsm.transition(4, 'A')});
	caught_up();
	follows($copy, 'A 8, B 3', 'updates');
	# what a subscriber gets was allowed where it happened: it is counted, not checked
	$node->safe_psql('postgres', q{SET vsm.wip_limit_action = off; SELECT vsm.transition(6, 'B'); SELECT vsm.transition(7, 'B')});
	caught_up();
	follows($copy, 'A 6, B 5', 'entries above the limit', over_limit => 1);
	my ($status, $out, $errors) = $copy->psql('postgres', q{SELECT vsm.transition(8, 'B')});
	like($errors, qr/stage "B" is full/, 'and they count for the limit on the subscriber');
	$node->safe_psql('postgres', q{DELETE FROM vsm.work_items WHERE id IN (5, 6, 8)});
	caught_up();
	follows($copy, 'A 5, B 3', 'deletes');
	$node->safe_psql('postgres', q{BEGIN; DELETE FROM vsm.work_items; ROLLBACK; BEGIN; SELECT vsm.transition(9, 'C'); SAVEPOINT s; DELETE FROM vsm.work_items; ROLLBACK TO s; COMMIT});
	caught_up();
	follows($copy, 'A 4, B 3', 'rollbacks');
	is($reader->query(q{SELECT string_agg(stage || ' ' || wip, ', ' ORDER BY "order") FROM vsm.wip}), 'A 4, B 3', 'a session that was there before sees it too');
	$node->safe_psql('postgres', q{BEGIN; TRUNCATE vsm.work_items; SELECT vsm.create_work_item('after'); COMMIT});
	caught_up();
	follows($copy, 'A 1', 'TRUNCATE');
	$node->safe_psql('postgres', q{SELECT vsm.create_work_item('after') FROM generate_series(1, 2)});
	caught_up();
	follows($copy, 'A 3', 'inserts after TRUNCATE');

	$copy->stop('immediate');
	$copy->start;
	follows($copy, 'A 3', 'a crash');
	$reader->{run}->kill_kill;
	$copy->safe_psql('postgres', 'DROP SUBSCRIPTION items');
	$copy->stop;
	return;
}

sub caught_up
{
	$node->wait_for_catchup('items');
	return;
}

sub follows
{
	my ($copy, $wip, $when, %how) = @_;
	is(wip($copy, 'postgres'), $wip, "the subscriber follows $when");
	is(wip($node, 'postgres'), $wip, "so it is where it happened: $when");
	agrees($copy, 'postgres', "on the subscriber after $when", %how);
	return;
}
