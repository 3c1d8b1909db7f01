# wip_standby.pl: a standby counts from its tables, and once promoted from shared memory, by itself
#
# One standby is promoted while its primary goes on under load, another one after the primary is gone.  Sessions that
# were there before the promotion change over too, and so do prepared transactions.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 5
	deadlock_timeout = 10ms
	log_statement = none
});
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION vsm');
define_streams($primary, 'postgres');
$primary->safe_psql('postgres', q{SELECT vsm.define_stream('default'); SELECT vsm.create_work_item('item') FROM generate_series(1, 3)});
$primary->backup('copy');
my @standbys = map { standby($_) } 'first', 'second';

reads($_) for @standbys;
promotion($standbys[0], 'the primary goes on');
promotion($standbys[1], 'the primary is gone');

$_->stop for $primary, @standbys;
done_testing();

sub standby
{
	my ($name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, 'copy', has_streaming => 1);
	$standby->start;
	return $standby;
}

# All that monitoring reads.
sub figures
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{
		SELECT stream, stage, wip, wip_limit, category FROM vsm.wip;
		SELECT * FROM vsm.flow_totals ORDER BY 1, 2, 3, 4, 5;
		SELECT * FROM vsm.flow_histograms ORDER BY 1, 2, 3, 4});
}

sub reads
{
	my ($standby) = @_;
	my $name = $standby->name;

	my @load = load($primary, 'postgres', "$dir/reads-$name", 1, 2);
	samples_in_limit($standby, 'postgres', "$name, while changes are replayed");
	end_load($primary, @load);
	$primary->wait_for_catchup($standby);

	agrees($standby, 'postgres', "$name as a standby", source => 'table');
	is(figures($standby), figures($primary), "$name shows what the primary shows");
	like(figures($standby), qr/^work_items_created\|flow\|task\|\|\|30$/m, 'totals among it');
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM vsm.wip_rebuild()'), '0', "$name has no counters to rebuild");
	my ($status, $out, $errors) = $standby->psql('postgres', q{SELECT vsm.transition(1, 'Build')});
	like($errors, qr/cannot execute .* in a read-only transaction/, "$name takes no moves");
	return;
}

sub promotion
{
	my ($standby, $how) = @_;
	my $name = $standby->name;
	my $sources = q{SELECT string_agg(DISTINCT source, ' ') FROM vsm.wip};

	# ids of the items in default: 31 and on
	$primary->safe_psql('postgres', qq{
		BEGIN; SELECT vsm.transition(31, 'Testing'); PREPARE TRANSACTION '$name keep';
		BEGIN; SELECT vsm.transition(32, 'Testing'); PREPARE TRANSACTION '$name drop'});
	$primary->wait_for_catchup($standby);
	my $before = $standby->background_psql('postgres');
	is($before->query($sources), 'table', "$how: a session on the standby");

	my @load = load($primary, 'postgres', "$dir/$name", 2, 3);
	samples_in_limit($primary, 'postgres', "$how, before the promotion");
	my $at_work = $primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'load'});
	is($at_work, 3, "$how: the primary is at work");
	$primary->stop('immediate') if $how eq 'the primary is gone';
	$standby->promote;

	is($before->query($sources), 'shared memory', "$how: the session has counters now");
	agrees($standby, 'postgres', "$how, after the promotion");
	$before->query(qq{COMMIT PREPARED '$name keep'});
	agrees($standby, 'postgres', "$how, after COMMIT PREPARED");
	$before->query(qq{ROLLBACK PREPARED '$name drop'});
	like(wip($standby, 'postgres'), qr/Testing 1/, "$how: what was prepared counts as it was decided");
	$before->quit;

	my @new_load = load($standby, 'postgres', "$dir/new-$name", 3, 3);
	samples_in_limit($standby, 'postgres', "$how, on the promoted one");
	end_load($standby, @new_load);
	like(slurp_file("$dir/new-$name-1.errors"), qr/is full/, "$how: limits hold there");
	agrees($standby, 'postgres', "$how, after a load on the promoted one");

	if ($how eq 'the primary is gone')
	{
		$_->finish for @load;
		$primary->start;
	}
	else
	{
		end_load($primary, @load);
		# give the items back for the next
		$primary->safe_psql('postgres', qq{ROLLBACK PREPARED '$name keep'});
		$primary->safe_psql('postgres', qq{ROLLBACK PREPARED '$name drop'});
	}
	agrees($primary, 'postgres', "$how: the primary too");
	return;
}
