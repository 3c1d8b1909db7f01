# wip_prepared_restart.pl: prepared transactions count as soon as they are committed, in whatever session, also after a restart
#
# After a restart nobody knows what an open prepared transaction changed.  The counters must be right whether they are
# asked for the first time before it ends or after, and whether it commits or not.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $node = PostgreSQL::Test::Cluster->new('wip_prepared');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 10
	autovacuum = off
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B"}, {"name":"C","wip_limit":2}, {"name":"D","category":"done"}]');
	CREATE TABLE unrelated (n integer);
});

for my $stop ('', 'immediate', 'fast')
{
	for my $reads ([], ['before'], ['between'], [ 'before', 'restarted' ], [ 'restarted', 'between' ], [ 'before', 'restarted', 'between' ])
	{
		# without a restart, reading then is reading before
		next if $stop eq '' && grep { $_ eq 'restarted' } @$reads;
		in_order($stop, @$reads);
	}
}
no_place_to_prepare();
room_by_prepared_departure();
limit_over_restart();
truncated();
after_a_crash_in_another_database();
operators_of_the_caller();

$node->stop;
done_testing();

# Runs each statement in a session of its own.
sub run_all
{
	$node->safe_psql('postgres', $_) for @_;
	return;
}

sub prepare
{
	my ($name, $statements) = @_;
	$node->safe_psql('postgres', "BEGIN; $statements; PREPARE TRANSACTION '$name'");
	return;
}

# The only items: so many in A, in id order from 1.
sub begin_with
{
	my ($items) = @_;
	$node->safe_psql('postgres', qq{
		TRUNCATE vsm.work_items RESTART IDENTITY;
		SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, $items) n});
	return;
}

# One transaction to keep, one to drop, one that leaves vsm alone, and one that only reads it.  Reads: before they are
# prepared, after the restart, and between the first commit and the rest.
sub in_order
{
	my ($stop, @reads) = @_;
	my %reads = map { $_ => 1 } @reads;
	my $when = ($stop eq '' ? 'no restart' : "$stop stop") . ", read @reads";

	begin_with(6);
	is(wip($node, 'postgres'), 'A 6', "$when: before") if $reads{before};
	prepare('keep', q{SELECT vsm.transition(1, 'B'), vsm.transition(2, 'D'), vsm.create_work_item('new');
		SAVEPOINT s; SELECT vsm.transition(3, 'C'); ROLLBACK TO s; DELETE FROM vsm.work_items WHERE id = 4});
	prepare('drop', q{SELECT vsm.transition(3, 'B'), vsm.create_work_item('never')});
	prepare('foreign', 'INSERT INTO unrelated VALUES (1)');
	prepare('reader', 'SELECT count(*) FROM vsm.work_items; INSERT INTO unrelated VALUES (2)');

	if ($stop ne '')
	{
		$node->stop($stop);
		$node->start;
	}
	is(wip($node, 'postgres'), 'A 6', "$when: what is prepared does not count yet") if $reads{restarted};
	run_all("COMMIT PREPARED 'foreign'");
	is(wip($node, 'postgres'), 'A 6', "$when: nor when another is committed") if $reads{between};
	run_all("COMMIT PREPARED 'keep'");
	is(wip($node, 'postgres'), 'A 4, B 1', "$when: it counts when it is committed");
	run_all("COMMIT PREPARED 'reader'", "ROLLBACK PREPARED 'drop'");
	is(wip($node, 'postgres'), 'A 4, B 1', "$when: and what is rolled back never does");
	agrees($node, 'postgres', $when);
	# and those that come later are added to the right number
	run_all(q{SELECT vsm.transition(3, 'C')});
	is(wip($node, 'postgres'), 'A 3, B 1, C 1', "$when: moves go on from there");
	return;
}

sub no_place_to_prepare
{
	begin_with(4);
	my ($status, $out, $errors) = $node->psql('postgres', q{BEGIN; SELECT vsm.transition(1, 'C'); PREPARE TRANSACTION 'limited'});
	like($errors, qr/ERROR:  cannot PREPARE a transaction that has moved a work item into a stage with a WIP limit/, 'a place in a limited stage cannot be prepared');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'nothing is prepared');
	agrees($node, 'postgres', 'after the refusal, the place is given back');
	run_all(q{SELECT vsm.transition(1, 'C'); SELECT vsm.transition(2, 'C')});
	($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(3, 'C')});
	like($errors, qr/stage "C" is full/, 'as many as the limit says have room');
	# a place that was given back with a savepoint is no obstacle
	run_all(q{SELECT vsm.transition(2, 'A')});
	prepare('given_back', q{SAVEPOINT s; SELECT vsm.transition(2, 'C'); ROLLBACK TO s; SELECT vsm.transition(3, 'B')});
	run_all(q{SELECT vsm.transition(2, 'C')}, q{COMMIT PREPARED 'given_back'});
	agrees($node, 'postgres', 'a place given back before PREPARE');
	return;
}

# Who leaves makes room when he has left for good, and by whom he is replaced in the same transaction needs none.
sub room_by_prepared_departure
{
	begin_with(6);
	run_all(q{SELECT vsm.transition(1, 'C'), vsm.transition(2, 'C')});
	prepare('leaves', q{SELECT vsm.transition(1, 'B')});
	my ($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(3, 'C')});
	like($errors, qr/stage "C" is full/, 'a prepared departure makes no room');
	run_all(q{COMMIT PREPARED 'leaves'}, q{SELECT vsm.transition(3, 'C')});
	agrees($node, 'postgres', 'a committed one does, without anybody reading in between');

	prepare('swap', q{SELECT vsm.transition(2, 'A'); SELECT vsm.transition(4, 'C')});
	($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(5, 'C')});
	like($errors, qr/stage "C" is full/, 'a prepared exchange makes no room');
	$node->stop('immediate');
	$node->start;
	($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(5, 'C')});
	like($errors, qr/stage "C" is full/, 'nor after a restart');
	run_all(q{COMMIT PREPARED 'swap'});
	is(wip($node, 'postgres'), 'A 3, B 1, C 2', 'it is counted');
	agrees($node, 'postgres', 'after the exchange');
	return;
}

# The limit holds against a departure that was prepared before a restart, with no reader but the moves themselves.
sub limit_over_restart
{
	begin_with(6);
	run_all(q{SELECT vsm.transition(1, 'C'), vsm.transition(2, 'C')});
	prepare('leaves', q{SELECT vsm.transition(1, 'B')});
	prepare('stays', q{SELECT vsm.transition(2, 'B')});
	$node->stop('immediate');
	$node->start;
	my ($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(3, 'C')});
	like($errors, qr/stage "C" is full/, 'the first move after a restart finds the stage full');
	run_all(q{COMMIT PREPARED 'leaves'}, q{ROLLBACK PREPARED 'stays'}, q{SELECT vsm.transition(3, 'C')});
	($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(4, 'C')});
	like($errors, qr/stage "C" is full/, 'one place was made, not two');
	agrees($node, 'postgres', 'a limit over a restart');

	# a limit that comes to a stage that somebody is entering
	prepare('enters', q{SELECT vsm.transition(5, 'B')});
	($status, $out, $errors) = $node->psql('postgres', q{SET lock_timeout = '50ms'; UPDATE vsm.stages SET wip_limit = 2 WHERE name = 'B'});
	like($errors, qr/canceling statement due to lock timeout/, 'a new limit waits for who enters without it');
	run_all(q{COMMIT PREPARED 'enters'}, q{UPDATE vsm.stages SET wip_limit = 2 WHERE name = 'B'});
	($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(6, 'B')});
	like($errors, qr/It holds 2 work items and its limit is 2/, 'and then counts him');
	run_all(q{UPDATE vsm.stages SET wip_limit = NULL WHERE name = 'B'});
	agrees($node, 'postgres', 'a new limit');
	return;
}

sub truncated
{
	for my $stop ('', 'immediate')
	{
		begin_with(3);
		is(wip($node, 'postgres'), 'A 3', 'before TRUNCATE');
		prepare('empty', q{TRUNCATE vsm.work_items; SELECT vsm.create_work_item('after')});
		if ($stop ne '')
		{
			$node->stop($stop);
			$node->start;
		}
		run_all(q{COMMIT PREPARED 'empty'});
		is(wip($node, 'postgres'), 'A 1', "a prepared TRUNCATE, $stop");
		agrees($node, 'postgres', "after a prepared TRUNCATE, $stop");
	}
	begin_with(3);
	prepare('not_empty', q{TRUNCATE vsm.work_items; SELECT vsm.create_work_item('after')});
	run_all(q{ROLLBACK PREPARED 'not_empty'});
	is(wip($node, 'postgres'), 'A 3', 'a prepared TRUNCATE that is rolled back');
	agrees($node, 'postgres', 'after a TRUNCATE that was rolled back');
	return;
}

# Prepared transactions of several databases do not get into each other's way.
sub after_a_crash_in_another_database
{
	begin_with(2);
	$node->safe_psql('postgres', 'CREATE DATABASE other');
	$node->safe_psql('other', q{CREATE EXTENSION vsm; SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 5) n});
	for my $stop ('', 'immediate')
	{
		prepare('here', q{SELECT vsm.transition(1, 'B')});
		$node->safe_psql('other', q{BEGIN; SELECT vsm.transition(1, 'Analysis'); PREPARE TRANSACTION 'there'});
		if ($stop ne '')
		{
			$node->stop($stop);
			$node->start;
		}
		is(wip($node, 'other'), 'Backlog 5', "the other database, $stop");
		is(wip($node, 'postgres'), 'A 2', "and this one, $stop");
		run_all(q{COMMIT PREPARED 'here'});
		is(wip($node, 'other'), 'Backlog 5', "a commit here is none there, $stop");
		is(wip($node, 'postgres'), 'A 1, B 1', "but here, $stop");
		$node->safe_psql('other', q{COMMIT PREPARED 'there'});
		is(wip($node, 'other'), 'Backlog 4, Analysis 1', "and one there, there, $stop");
		agrees($node, $_, "two databases, $stop: $_") for qw(postgres other);
		run_all(q{SELECT vsm.transition(1, 'A')});
		$node->safe_psql('other', q{SELECT vsm.transition(1, 'Backlog')});
	}
	return;
}

# Those from before a restart are found whatever operators the first one to look has in its search_path.
sub operators_of_the_caller
{
	begin_with(3);
	$node->safe_psql('postgres', q{
		CREATE SCHEMA twins;
		CREATE FUNCTION twins.never(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
		CREATE OPERATOR twins.<> (FUNCTION = twins.never, LEFTARG = text, RIGHTARG = text)});
	prepare('hidden', q{SELECT vsm.transition(1, 'B')});
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', q{SET search_path = twins, pg_catalog; SELECT wip FROM vsm.wip WHERE stage = 'A'}), '3', 'WIP is read with another <>');
	run_all(q{COMMIT PREPARED 'hidden'});
	is(wip($node, 'postgres'), 'A 2, B 1', 'and the prepared transaction was found');
	agrees($node, 'postgres', 'counted with another <>');
	return;
}
