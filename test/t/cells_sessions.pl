# cells_sessions.pl: sessions move, correct and define at random while others fold, and answers are the same without cells
#
# The steps and the questions are those of test/pgtap/cells.sql.  Each round has sessions that move items, import, delete
# and retype, with savepoints, rollbacks and prepared transactions; two that fold, also anew, and in transactions with an
# older snapshot; and one that sets a stream back by some days, as if it had not been folded since, so that days are
# closed and folded while others move items on them.  In odd rounds one changes definitions; in even ones one compares
# figures, in one snapshot.  After each round all is compared, before and after a fold.  Nobody may get into a deadlock
# with a fold.
#
# VSM_CELLS_SECONDS: how long (20); VSM_CELLS_SEED: of which random numbers.

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Cells;

my $seconds = $ENV{VSM_CELLS_SECONDS} // 20;
my $seed = $ENV{VSM_CELLS_SEED} // time % 1_000_000;
my $movers = 4;
my $dir = PostgreSQL::Test::Utils::tempdir();
srand $seed;
note "seed $seed";

my $node = PostgreSQL::Test::Cluster->new('cells_sessions');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 20
	deadlock_timeout = 50ms
	timezone = UTC
	log_statement = none
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vsm');
$node->safe_psql('postgres', oracle() . set_back_function());
sql(temporary() . "SELECT oracle.begin($_, " . rand() . ')') for 1 .. 3;
settle();

my (%errors, %compared);
my $began = time;
my $rounds = 0;
while (time - $began < $seconds || $rounds < 2)
{
	$rounds++;
	live($rounds);
	compare("round $rounds");
	settle();
	compare("round $rounds, folded");
	is(sql('SELECT count(*) FROM vsm.cells_check()'), '0', "round $rounds: cells are what the ledger gives");
}

# the load did what it is for
note join ', ', map { "$errors{$_} times $_" } sort keys %errors;
my $log = slurp_file($node->logfile);
my @deadlocks = $log =~ /deadlock detected\n((?:.*\n){1,6})/g;
is(join("\n", grep { /vsm\.fold/ } @deadlocks), '', scalar @deadlocks . ' deadlocks, none with a fold');
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'no process has crashed');
my ($compared, $folded, $partly) = split /\|/, sql(q{
	SELECT count(*), count(*) FILTER (WHERE folded > 0), count(*) FILTER (WHERE folded > 0 AND marked + unfolded > 0) FROM oracle.compared});
cmp_ok($folded, '>', $compared / 3, "of $compared comparisons $folded have been answered by cells");
cmp_ok($partly, '>', $compared / 10, "$partly of them in part");
is(sql(q{
	SELECT c.after, d.figure, k.key, k.value, d.without -> k.key, c.question
	FROM oracle.differences d JOIN oracle.compared c USING (n)
	LEFT JOIN LATERAL (SELECT k.* FROM jsonb_each(CASE jsonb_typeof(d.with_cells) WHEN 'object' THEN d.with_cells END) k
		WHERE k.value IS DISTINCT FROM d.without -> k.key) k ON true
	ORDER BY d.n LIMIT 5}), '', 'all figures are the same without cells');
is(join('', grep { !/^(?:40001|40P01|23505|PT[0-9]{3}|42710|42704|55P03|25P02)$/ } keys %errors), '', 'errors are conflicts, and what was refused');
$node->stop;
done_testing();

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# As if a stream had not been folded for some days.
sub set_back_function
{
	return q{
		CREATE FUNCTION oracle.set_back(place integer, days integer) RETURNS void LANGUAGE plpgsql AS $$
		DECLARE
			v vsm.value_streams;
			at timestamptz;
		BEGIN
			SELECT x.* INTO v FROM vsm.value_streams x ORDER BY x.id OFFSET place - 1 LIMIT 1;
			PERFORM vsm._lock_fold(v.id);
			at := (date_trunc('day', now() AT TIME ZONE v.time_zone) - days * interval '1 day') AT TIME ZONE v.time_zone;
			UPDATE vsm._folds f SET closed_until = at, settled_until = at, bound = NULL, closed_by = pg_current_xact_id() WHERE f.stream_id = v.id AND f.closed_until > at;
			WITH gone AS (DELETE FROM vsm._spans s WHERE s.stream_id = v.id AND s.until > at RETURNING s.unit, s.since),
			stages AS (DELETE FROM vsm._stage_cells c USING gone g WHERE c.stream_id = v.id AND (c.unit, c.since) = (g.unit, g.since)),
			edges AS (DELETE FROM vsm._edge_cells c USING gone g WHERE c.stream_id = v.id AND (c.unit, c.since) = (g.unit, g.since)),
			paths AS (DELETE FROM vsm._path_cells c USING gone g WHERE c.stream_id = v.id AND (c.unit, c.since) = (g.unit, g.since))
			DELETE FROM vsm._item_cells c USING gone g WHERE c.stream_id = v.id AND (c.unit, c.since) = (g.unit, g.since);
		END $$;
	};
}

# All sessions of a round, each with its own statements.
sub live
{
	my ($round) = @_;
	my %scripts;
	$scripts{"mover $_"} = [ map { mover() } 1 .. 20 ] for 1 .. $movers;
	$scripts{"folder $_"} = [ map { folder() } 1 .. 15 ] for 1 .. 2;
	$scripts{midnight} = [ map { (set_back(), 'SELECT pg_sleep(0.15)') } 1 .. 8 ];
	if ($round % 2)
	{
		$scripts{definer} = [ map { (happens(one_of('zone', 'rule', 'commitment', 'order', 'category', 'stage added')), 'SELECT pg_sleep(0.2)') } 1 .. 5 ];
		push @{ $scripts{definer} }, happens('stream renamed'), happens('type renamed'), happens('stage retired');
	}
	else
	{
		$scripts{reader} = [ map { ('BEGIN ISOLATION LEVEL REPEATABLE READ', compares("round $round, meanwhile"), 'COMMIT') } 1 .. 4 ];
	}
	my @sessions;
	for my $name (sort keys %scripts)
	{
		my $file = "$dir/$round-$name";
		append_to_file("$file.sql", join('', '\set VERBOSITY sqlstate' . "\n", map { "$_;\n" } 'SET client_min_messages = warning', q{SET statement_timeout = '20s'},
			# a prepared transaction may hold an item until the round is over
			$name =~ /^mover|^definer/ ? q{SET lock_timeout = '200ms'} : (), $name =~ /^mover|^definer/ ? temporary() : (), @{ $scripts{$name} }));
		push @sessions, [ $name, "$file.errors", IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', "$file.sql" ], '<', \undef, '>', '/dev/null', '2>', "$file.errors") ];
	}
	for my $session (@sessions)
	{
		my ($name, $errors, $process) = @$session;
		ok($process->finish, "round $round: $name has not lost its connection");
		$errors{$_}++ for slurp_file($errors) =~ /ERROR:  (\w{5})/g;
	}
	# what has been prepared and not finished
	for my $name (split /\n/, sql('SELECT gid FROM pg_prepared_xacts'))
	{
		compare("round $round, prepared") if rand() < 0.3;
		sql((rand() < 0.7 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$name'");
	}
	return;
}

sub set_back { return sprintf 'SELECT oracle.set_back(%d, %d)', one_of(1 .. 3), one_of(1 .. 40) }

sub one_of { return $_[ rand @_ ] }

sub happens
{
	my ($step) = @_;
	return sprintf q{SELECT oracle.happen(%d, '%s', %s)}, one_of(1 .. 3), $step, rand();
}

my $prepared = 0;

sub mover
{
	my @steps = ('created', ('created late') x 2, ('moved') x 3, ('moved late') x 6, 'history imported', ('events imported') x 3, 'deleted', 'deleted', 'retyped', 'retyped', 'attributes');
	my ($step, $another) = map { happens(one_of(@steps)) } 1 .. 2;
	my $recent = sprintf q{SELECT oracle.move_on(oracle.stream(%d), date_trunc('day', now() - interval '%d days'))}, one_of(1 .. 3), one_of(1 .. 20);
	my $begin = one_of('BEGIN', 'BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM vsm.stages');
	my $dice = rand;
	return $step if $dice < 0.25;
	return $recent if $dice < 0.45;
	return ($begin, $step, 'ROLLBACK') if $dice < 0.5;
	return ($begin, 'SAVEPOINT a', $step, 'ROLLBACK TO a', $recent, 'COMMIT') if $dice < 0.6;
	return ($begin, $recent, sprintf('SELECT pg_sleep(%s)', rand 0.1), 'SAVEPOINT a', $step, one_of('RELEASE a', 'ROLLBACK TO a'), 'COMMIT') if $dice < 0.7;
	return ($begin, 'SELECT FROM pg_current_xact_id()', sprintf('SELECT pg_sleep(%s)', rand 0.3), $recent, 'COMMIT') if $dice < 0.8;
	if ($dice < 0.84)
	{
		my $name = 'p' . ++$prepared;
		return ($begin, $recent, "PREPARE TRANSACTION '$name'", sprintf('SELECT pg_sleep(%s)', rand 0.2), rand() < 0.7 ? one_of('COMMIT', 'COMMIT', 'ROLLBACK') . " PREPARED '$name'" : ());
	}
	return ($begin, $recent, 'SELECT count(*) FROM vsm.fold()', $another, one_of('COMMIT', 'COMMIT', 'ROLLBACK')) if $dice < 0.88;
	return ($begin, $step, $another, 'COMMIT');
}

sub folder
{
	my $dice = rand;
	my $stream = sprintf 'oracle.stream(%d)', one_of(1 .. 3);
	my $fold = one_of('vsm.fold()', "vsm.fold($stream)", "vsm.fold($stream, rebuild => true)");
	return ("SELECT count(*) FROM $fold", sprintf('SELECT pg_sleep(%s)', rand 0.05)) if $dice < 0.7;
	return ('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM vsm.stages', sprintf('SELECT pg_sleep(%s)', rand 0.1), "SELECT count(*) FROM $fold", 'COMMIT') if $dice < 0.8;
	return ('BEGIN', "SELECT count(*) FROM $fold", sprintf('SELECT pg_sleep(%s)', rand 0.1), one_of('COMMIT', 'ROLLBACK'));
}

sub compares
{
	my ($after) = @_;
	return map { sprintf q{SELECT oracle.compare(%d, '%s', %s)}, $_, $after, rand() } 1 .. 3;
}

sub compare
{
	my ($after) = @_;
	sql($_) for compares($after);
	return;
}

# Nobody else has a transaction open for long.
sub settle
{
	for (1 .. 200)
	{
		sql('SELECT count(*) FROM vsm.fold()') for 1 .. 2;
		last if sql('SELECT sum(days_waiting) FROM vsm.fold()') eq '0';
	}
	return;
}
