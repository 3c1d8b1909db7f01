# wip_prepared_places.pl: what prepared transactions change has a place, however many there are and whoever reads or does not
#
# PREPARE never fails for want of a reader, the array of entries is never overrun, and entries end with their database.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $node = PostgreSQL::Test::Cluster->new('wip_places');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 2
	max_connections = 12
	max_worker_processes = 2
	autovacuum = off
});
$node->start;
my @databases = map { "db$_" } 1 .. 4;
for my $db (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	make($db);
}

never_read();
many_stages();
in_many_databases();
dropped_databases();
same_oid();
extension_again();
at_once();

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|could not access status/, 'the server ran all the time');
$node->stop;
done_testing();

sub make
{
	my ($db) = @_;
	$node->safe_psql($db, q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B"}, {"name":"C","wip_limit":2}, {"name":"D","category":"done"}]');
		SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 4) n;
		SELECT wip FROM vsm.wip;
		SELECT count(*) FROM vsm._totals_now()});
	return;
}

sub prepare
{
	my ($db, $name, $statements) = @_;
	$node->safe_psql($db, "BEGIN; $statements; PREPARE TRANSACTION '$name'");
	return;
}

# Many times as many as there are places, in a database whose WIP nobody reads, and in another one.
sub never_read
{
	my ($status, $out, $errors) = $node->psql('db1', join '', map {
		"BEGIN; SELECT vsm.transition(1, '" . ($_ % 2 ? 'B' : 'A') . "'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';\n" } 1 .. 101);
	is($errors, '', '101 moves are prepared and committed though nobody reads');
	($status, $out, $errors) = $node->psql('db2', q{BEGIN; SELECT vsm.transition(1, 'B'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'});
	is($errors, '', 'one in another database, too');
	is(wip($node, $_), 'A 3, B 1', "$_: WIP") for qw(db1 db2);
	agrees($node, $_, "after 101 prepared moves, $_") for qw(db1 db2);
	return;
}

# More counters than all places together have room for, in each of two transactions in progress.
sub many_stages
{
	for my $db (qw(db1 db2))
	{
		$node->safe_psql($db, q{
			SELECT vsm.define_stream('wide', (SELECT jsonb_agg(jsonb_build_object('name', 'S' || n, 'category', CASE n WHEN 60 THEN 'done' ELSE 'active' END) ORDER BY n)
				FROM generate_series(1, 60) n));
			SELECT vsm.create_work_item('wide', stream => 'wide')});
		prepare($db, $db, join ';', map { "SELECT vsm.transition(5, 'S$_')" } 2 .. 59);
	}
	is(wip($node, $_, 'wide'), 'S1 1', "$_: what changes more counters than there are places can be prepared") for qw(db1 db2);
	$node->safe_psql('db1', q{COMMIT PREPARED 'db1'});
	$node->safe_psql('db2', q{ROLLBACK PREPARED 'db2'});
	is(wip($node, 'db1', 'wide'), 'S59 1', 'and it counts when it is committed');
	is(wip($node, 'db2', 'wide'), 'S1 1', 'not when it is rolled back');
	agrees($node, $_, "after transactions with many changes, $_") for qw(db1 db2);
	return;
}

# Each recount lists those from before the start; their entries stay where nobody reads again.
sub in_many_databases
{
	my $round = 0;
	for my $pair (map { [ @databases[ $_, $_ + 1 ] ] } 0 .. 2)
	{
		$round++;
		prepare($_, $_, "SELECT vsm.transition(2, '" . ($round % 2 ? 'B' : 'A') . "'), vsm.create_work_item('new $round')") for @$pair;
		$node->stop('immediate');
		$node->start;
		$node->safe_psql($_, q{SELECT count(*) FROM vsm.wip_rebuild(); SELECT count(*) FROM vsm.wip_check(); SELECT count(*) FROM vsm._totals_now()}) for @databases;
		$node->safe_psql($pair->[0], "COMMIT PREPARED '$pair->[0]'");
		$node->safe_psql($pair->[1], "ROLLBACK PREPARED '$pair->[1]'");
	}
	agrees($node, $_, "after $round restarts with prepared transactions, $_") for @databases;
	return;
}

# What they left unsettled takes no room for ever, and is added to nobody else's counters.
sub dropped_databases
{
	# the places for changes are nearly all taken; recounts of many databases list what commits and is not settled there
	agrees($node, $_, "before databases come and go, $_") for @databases;
	$node->safe_psql('db4', join '', map {
		"BEGIN; SELECT vsm.transition(4, '" . ($_ % 2 ? 'B' : 'A') . "'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';\n" } 1 .. 12);
	for my $n (1 .. 62)
	{
		my $statement = $n <= 45 ? q{UPDATE vsm.work_items SET title = 'listed' WHERE id = 3} : q{SELECT vsm.transition(3, 'B'), vsm.create_work_item('turn')};
		$node->safe_psql('postgres', "CREATE DATABASE turn$n TEMPLATE db3");
		$node->safe_psql("turn$n", "BEGIN; $statement; PREPARE TRANSACTION 'turn'; SELECT count(*) FROM vsm.wip; COMMIT PREPARED 'turn'");
		$node->safe_psql('postgres', "DROP DATABASE turn$n");
	}
	agrees($node, $_, "after 62 databases that came and went, $_") for @databases;
	unlike(slurp_file($node->logfile), qr/no room for/, 'the log has no complaint');
	return;
}

# A database that takes the oid of another one, with a copy of the same tables, begins with what it holds.
sub same_oid
{
	my $before = wip($node, 'db3');
	$node->safe_psql('postgres', 'CREATE DATABASE twin OID 424242 TEMPLATE db3');
	$node->safe_psql('twin', q{DELETE FROM vsm.work_items WHERE id < 4; SELECT count(*) FROM vsm.wip});
	prepare('twin', 'twin', q{SELECT vsm.create_work_item('more') FROM generate_series(1, 3)});
	$node->safe_psql('twin', q{COMMIT PREPARED 'twin'});
	$node->safe_psql('postgres', 'DROP DATABASE twin');
	$node->safe_psql('postgres', 'CREATE DATABASE twin OID 424242 TEMPLATE db3');
	is(wip($node, 'twin'), $before, 'another database with the same oids');
	agrees($node, 'twin', 'another database with the same oids');
	return;
}

# DROP EXTENSION and CREATE EXTENSION, with entries that nobody has settled, and within a prepared transaction.
sub extension_again
{
	prepare('db4', 'before', q{SELECT vsm.transition(3, 'B')});
	$node->safe_psql('db4', q{COMMIT PREPARED 'before'});
	$node->safe_psql('db4', 'DROP EXTENSION vsm');
	make('db4');
	is(wip($node, 'db4'), 'A 4', 'the extension again counts its own items');
	prepare('db4', 'anew', q{SELECT vsm.transition(1, 'B'); DROP EXTENSION vsm; CREATE EXTENSION vsm; SELECT vsm.create_work_item('first')});
	$node->safe_psql('db4', q{COMMIT PREPARED 'anew'});
	is(wip($node, 'db4'), 'Backlog 1', 'and one that comes with a prepared transaction');
	agrees($node, $_, "the extension again, $_") for @databases;
	return;
}

# Several settle the same entries, move, recount and prepare at once.  No more than two can be prepared; the others are refused.
sub at_once
{
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @sessions;
	for my $n (1 .. 5)
	{
		my $db = $n < 4 ? 'db1' : 'db2';
		my $item = $n < 4 ? $n : $n - 3;
		push @sessions, session($node, $db, "$dir/writer$n", map {
			my $end = $_ % 3 ? 'COMMIT' : 'ROLLBACK';
			"BEGIN; SELECT vsm.transition($item, '" . ($_ % 2 ? 'B' : 'A') . "'); PREPARE TRANSACTION 'p$n'; $end PREPARED 'p$n';"
			. ($_ % 20 ? '' : 'SELECT count(*) FROM vsm.wip_rebuild();') } 1 .. 300);
	}
	for my $db (qw(db1 db2))
	{
		push @sessions, session($node, $db, "$dir/reader-$db", ('SELECT sum(wip), count(*) FROM vsm.wip; SELECT count(*) FROM vsm._totals_now();') x 500);
	}
	$_->finish for @sessions;
	agrees($node, $_, "after sessions that prepare at once, $_") for qw(db1 db2);
	my $errors = join '', map { slurp_file($_) } glob "$dir/*.errors";
	my @unusual = grep { /ERROR/ && !/maximum number of prepared transactions reached|prepared transaction with identifier "p\d" does not exist/ } split /\n/, $errors;
	is("@unusual", '', 'nothing else is refused');
	my %sums = map { $_ => 1 } grep { /\|/ } split /\n/, slurp_file("$dir/reader-db2.out");
	is(scalar keys %sums, 1, 'a reader sees all that a transaction changed or nothing');
	return;
}
