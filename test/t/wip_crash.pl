# wip_crash.pl: counters, limits and totals are right after each of 20 crashes amid random moves
#
# Sessions move, create and delete at random, with rollbacks, savepoints, errors and full stages.  In odd rounds one of
# them is killed, and the server restarts by itself; in even ones the whole server is.  A reader watches meanwhile: no
# stage ever holds more than its limit, and no total that it saw is lower later, not even after the crash.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use lib $FindBin::RealBin;
use Counters;

my $rounds = 20;
my $writers = 4;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('wip_crash');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	restart_after_crash = on
	deadlock_timeout = 10ms
	log_statement = none
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vsm');
define_streams($node, 'postgres');

# what the reader does again and again; a recount and a check amid the load do no harm
my $watch = join '', map { "$_;\n" } (
	q{SELECT 'totals ' || jsonb_object_agg(kind || ' ' || a || ' ' || b, n)::text FROM vsm._totals_now()},
	"SELECT 'over', o.* FROM ($over_limit) o",
	q{SELECT 'over', w.* FROM vsm.wip w WHERE wip > wip_limit},
	q{SELECT 'recounted', r.* FROM vsm.wip_rebuild() r});

# a crash takes with it what the counters had wrong
my @load = load($node, 'postgres', "$dir/0", 0, $writers);
samples_in_limit($node, 'postgres', 'before any crash');
end_load($node, @load);
agrees($node, 'postgres', 'before any crash');

my $seen = {};
for my $round (1 .. $rounds)
{
	@load = load($node, 'postgres', "$dir/$round", $round, $writers);
	my $reader = session($node, 'postgres', "$dir/$round-reader", ($watch) x 2000);

	ok(wait_for_samples($round), "round $round: sessions work, and one watches");
	$round % 2 ? kill_session() : kill_server();
	$_->finish for @load, $reader;
	like(slurp_file("$dir/$round-$_.errors"), qr/connection to server was lost|server closed the connection/, "round $round: session $_ was cut off") for 1 .. $writers;
	$node->poll_query_until('postgres', 'SELECT 1', '1') or die 'the server does not come back';

	my @told = split /\n/, slurp_file("$dir/$round-reader.out");
	is(join("\n", grep { /^over/ } @told), '', "round $round: nobody ever saw a stage above its limit");
	never_falls($round, map { /^totals (\{.*\})$/ ? decode_json($1) : () } @told);
	unlike(slurp_file("$dir/$round-reader.errors"), qr/ERROR/, "round $round: nor did its queries fail");
	agrees($node, 'postgres', "round $round");
	my $totals = totals($node, 'postgres');
	is(fallen($seen, $totals), '', "round $round: no total is lower after the crash");
	$seen = $totals;
}

# the load did what it is for
my $refused = grep { /is full$/ } map { split /\n/, slurp_file($_) } glob "$dir/*.errors";
cmp_ok($refused, '>', 100, "$refused moves were refused");
my ($moves, $created, $deleted) = split /\|/, $node->safe_psql('postgres', q{
	SELECT sum(value) FILTER (WHERE total = 'stage_transitions'), sum(value) FILTER (WHERE total = 'work_items_created'),
		sum(value) FILTER (WHERE total = 'work_items_created') - (SELECT count(*) FROM vsm.work_items) FROM vsm.flow_totals});
cmp_ok($moves, '>', 1000, "$moves moves were committed");
cmp_ok($deleted, '>', 10, "and $created items created, $deleted of them deleted");

$node->stop;
done_testing();

# Long enough for the load to be in full swing.
sub wait_for_samples
{
	my ($round) = @_;
	for (1 .. 600)
	{
		my $samples = () = slurp_file("$dir/$round-reader.out") =~ /^totals/mg;
		my $working = grep { -s "$dir/$round-$_.out" } 1 .. $writers;
		return 1 if $samples > 5 + $round % 7 && $working == $writers;
		usleep(20_000);
	}
	return 0;
}

sub kill_session
{
	my @pids = split /\n/, $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY state <> 'active', md5(pid::text)});
	kill 'KILL', $pids[0];
	return;
}

# The postmaster is killed first, so that it cannot clean up.
sub kill_server
{
	my @pids = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity');
	unshift @pids, (slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/);
	$node->kill9;
	kill 'KILL', @pids;
	# who is not quite gone holds the lock file, or shared memory
	for (1 .. 1000)
	{
		last unless kill 0, @pids;
		usleep(10_000);
	}
	$node->start;
	return;
}

sub never_falls
{
	my ($round, @samples) = @_;
	my @fallen;
	for my $sample (@samples)
	{
		push @fallen, fallen($seen, $sample);
		$seen = $sample;
	}
	is(join('', @fallen), '', "round $round: " . @samples . ' samples of the totals never fall');
	return;
}
