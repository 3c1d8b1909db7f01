# wip_unknown_stages.pl: shared counters are for stages that are defined, and nobody uses them up by asking for others
#
# What was counted of a stage before it was defined, as replication may do it, counts as soon as it is.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $node = PostgreSQL::Test::Cluster->new('wip_unknown');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	vsm.max_stages = 16
	max_prepared_transactions = 5
	autovacuum = off
});
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE vsm_asker LOGIN');
for my $db (qw(one two))
{
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B"}, {"name":"C","wip_limit":2}, {"name":"D","category":"done"}]');
		SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 4) n});
}
$node->safe_psql('one', q{SELECT vsm.grant_access('vsm_asker', 'reader')});

asked_for();
rows_of_undefined_stages();
prepared_rows_of_undefined_stages();
dropped_with_items();

is($node->safe_psql('two', 'SELECT DISTINCT source FROM vsm.wip'), 'shared memory', 'another database finds places afterwards');
agrees($node, $_, "at the end, $_") for qw(one two);
unlike(slurp_file($node->logfile), qr/no room for/, 'the log has no complaint');
$node->stop;
done_testing();

# By a reader, and by whoever may run anything.
sub asked_for
{
	my $ask = q{SELECT source, count(*), sum(wip) FROM vsm._wip_now(ARRAY(SELECT generate_series(-20, 2000)::bigint)) GROUP BY 1 ORDER BY 1};

	is($node->safe_psql('one', $_ . $ask), "shared memory|4|4\ntable|2017|0", 'what is no stage is counted from the table')
		for '', 'SET ROLE vsm_asker;';
	is($node->safe_psql('one', 'SELECT DISTINCT source FROM vsm.wip'), 'shared memory', 'stages are not');
	return;
}

sub insert_applied
{
	my ($id, $stage, $from) = @_;
	return qq{
		SET session_replication_role = replica;
		INSERT INTO vsm.work_items SELECT $id, stream, NULL, 'applied', type, created_at, updated_at, $stage, stage_entered_at, started_at, completed_at,
			active_time, wait_time, reopened, backward_moves, discarded_at, discarded FROM vsm.work_items WHERE id = $from;
		RESET session_replication_role;
	};
}

sub define_stages
{
	my (@ids) = @_;
	return join '', map { "INSERT INTO vsm.stages (id, stream, name, \"order\") OVERRIDING SYSTEM VALUE VALUES ($_, 'default', 'late $_', $_);\n" } @ids;
}

# As a subscriber does it, before and after the counters are counted.
sub rows_of_undefined_stages
{
	my $reader = $node->background_psql('one', on_error_stop => 0);
	my $sum = q{SELECT string_agg(stage || ' ' || wip || ' ' || source, ', ' ORDER BY stage) FROM vsm.wip WHERE stage LIKE 'late%'};

	$reader->query('SELECT count(*) FROM vsm.wip');
	$node->safe_psql('one', join '', map { insert_applied(1000 + $_, 1000 + $_, 1) } 1 .. 40);
	is($node->safe_psql('two', 'SELECT DISTINCT source FROM vsm.wip'), 'shared memory', 'they take no places');
	$node->safe_psql('one', 'SELECT count(*) FROM vsm.wip_rebuild(); SELECT count(*) FROM vsm._totals_now()');
	is($reader->query('SELECT count(*) FROM vsm.wip'), '3', 'nor does a recount');
	$node->safe_psql('one', insert_applied(2001, 1001, 1));
	$node->safe_psql('one', define_stages(1001, 1002));
	is($reader->query($sum), 'late 1001 2 shared memory, late 1002 1 shared memory', 'what came before a stage counts when it is defined');
	agrees($node, 'one', 'stages that come late');

	# nobody reads between
	$node->safe_psql('one', insert_applied(2003, 1003, 1) . define_stages(1003) . insert_applied(2004, 1003, 1) . insert_applied(2005, 1001, 1));
	is($reader->query($sum), 'late 1001 3 shared memory, late 1002 1 shared memory, late 1003 3 shared memory', 'and moves go on from there');
	agrees($node, 'one', 'a stage that comes between');
	$reader->quit;
	return;
}

sub prepared_rows_of_undefined_stages
{
	$node->safe_psql('one', 'BEGIN;' . insert_applied(3001, 1020, 1) . q{PREPARE TRANSACTION 'p'});
	$node->safe_psql('one', q{SELECT count(*) FROM vsm.wip; COMMIT PREPARED 'p'});
	$node->safe_psql('one', define_stages(1020));
	is($node->safe_psql('one', q{SELECT wip, source FROM vsm.wip WHERE stage = 'late 1020'}), '2|shared memory', 'the same for a prepared transaction');
	agrees($node, 'one', 'a prepared transaction of a stage that comes late');
	return;
}

# A transaction that drops what it moved, and commits.
sub dropped_with_items
{
	my ($status, $out, $errors) = $node->psql('two', q{BEGIN; SELECT vsm.transition(1, 'B'); DROP EXTENSION vsm; COMMIT});
	is($errors, '', 'the extension is dropped with what was moved');
	$node->safe_psql('two', q{CREATE EXTENSION vsm; SELECT vsm.create_work_item('x')});
	return;
}
