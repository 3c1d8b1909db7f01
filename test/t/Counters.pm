# Counters.pm: what the tests of WIP counters, limits and totals ask of any server
#
#	agrees($node, $db, $when [, %how])		one test: the counters say what the tables say, on a quiet server
#		source			'shared memory' (default) or 'table': where vsm.wip has it from
#		over_limit		stages may hold more than their limit (imports, a lowered limit)
#	wip($node, $db [, $stream])			"Backlog 2, Testing 1" from vsm.wip, stages without items left out
#	totals($node, $db)					the totals for monitoring: { 'kind a b' => n }
#	fallen($before, $after)				those that are lower after than before, as text
#	define_streams($node, $db)			makes the streams flow and narrow, with limits, and items 1 to 30 in flow
#	session($node, $db, $name, @script)	starts a psql that runs the lines; .out and .errors after $name are what it says
#	load($node, $db, $name, $seed, $n)	starts n such sessions with random transactions on these streams
#	end_load($node, @sessions)			ends them now
#	samples_in_limit($node, $db, $when)	one test: no stage is above its limit in any of some hundred samples
#	$over_limit							query: stages that hold more than their limit, by one snapshot

package Counters;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(agrees wip totals fallen define_streams session load end_load samples_in_limit $over_limit);

my $items = 30;

# An item counts where its stage is not done: not by the columns that the counters go by.
our $over_limit = q{
	SELECT s.name, s.wip_limit, count(*) FROM vsm.work_items i JOIN vsm.stages s ON s.id = i.stage_id
	GROUP BY s.id HAVING count(*) > s.wip_limit ORDER BY 1};

sub agrees
{
	my ($node, $db, $when, %how) = @_;
	my $source = $how{source} // 'shared memory';
	my $none = $source eq 'table' ? 'NULL' : '0';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($node->safe_psql($db, qq{
		SELECT 'wip', s.stream, s.name, w.wip, w.source, c.items
		FROM vsm.stages s
		LEFT JOIN vsm.wip w ON (w.stream, w.stage) = (s.stream, s.name)
		CROSS JOIN LATERAL (SELECT count(*) AS items FROM vsm.work_items i WHERE i.stage_id = s.id) c
		WHERE s.category <> 'done' AND (s.retired_at IS NULL OR c.items > 0) AND (w.wip, w.source) IS DISTINCT FROM (c.items, '$source');
		SELECT 'check', * FROM vsm.wip_check() WHERE (difference, reserved) IS DISTINCT FROM (${none}::bigint, ${none}::bigint);
		SELECT 'totals', * FROM vsm._totals_now() EXCEPT SELECT 'totals', * FROM vsm._totals_counted;
		SELECT 'ledger', * FROM vsm._totals_counted EXCEPT SELECT 'ledger', * FROM vsm._totals_now();
	} . ($how{over_limit} ? '' : $over_limit)), '', "$when: counters, limits and totals are right");
}

sub wip
{
	my ($node, $db, $stream) = @_;
	return $node->safe_psql($db, qq{
		SELECT string_agg(stage || ' ' || wip, ', ' ORDER BY "order") FROM vsm.wip WHERE wip > 0 AND stream = '} . ($stream // 'default') . q{'});
}

sub totals
{
	my ($node, $db) = @_;
	my @rows = split /\n/, $node->safe_psql($db, q{SELECT kind || ' ' || a || ' ' || b, n FROM vsm._totals_now()});
	return { map { split /\|/ } @rows };
}

sub fallen
{
	my ($before, $after) = @_;
	return join ', ', map { "$_: $before->{$_} -> " . ($after->{$_} // 'none') }
		grep { ($after->{$_} // 0) < $before->{$_} } sort keys %$before;
}

sub define_streams
{
	my ($node, $db) = @_;
	$node->safe_psql($db, qq{
		SELECT vsm.define_stream('flow', '[{"name":"Ready","category":"wait"}, {"name":"Build","wip_limit":5}, {"name":"Check","wip_limit":2},
			{"name":"Hold","category":"wait"}, {"name":"Ship","wip_limit":3}, {"name":"Live","category":"done"}]');
		SELECT vsm.define_stream('narrow', '[{"name":"In","category":"wait","wip_limit":6}, {"name":"Work","wip_limit":1}, {"name":"Out","category":"done"}]');
		SELECT vsm.create_work_item('item ' || n, stream => 'flow') FROM generate_series(1, $items) n;
	});
	return;
}

sub session
{
	my ($node, $db, $name, @script) = @_;
	PostgreSQL::Test::Utils::append_to_file("$name.sql", join '', map { "$_\n" } @script);
	return IPC::Run::start(
		[ 'psql', '-XqAt', '-f', "$name.sql", '-d', $node->connstr($db) . ' application_name=load' ],
		'<', \undef, '>', "$name.out", '2>', "$name.errors");
}

sub load
{
	my ($node, $db, $name, $seed, $n) = @_;
	return map { session($node, $db, "$name-$_", transactions($seed * 100 + $_, 2000)) } 1 .. $n;
}

sub end_load
{
	my ($node, @sessions) = @_;
	$_->kill_kill for @sessions;
	$node->poll_query_until('postgres', q{
		SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity WHERE application_name = 'load'}) or die 'the load does not end';
	return;
}

sub samples_in_limit
{
	my ($node, $db, $when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($node->safe_psql($db, "SELECT FROM pg_sleep(0.001); $over_limit;\n" x 300), '', "$when: no sample is above a limit");
}

# Each is one to five steps on the items of flow and on whatever narrow holds.  Steps fail now and then: at a limit, at a
# deadlock, at nothing in particular.  A third is rolled back.
sub transactions
{
	my ($seed, $count) = @_;
	my $random = seeded($seed);
	my @lines;

	for (1 .. $count)
	{
		my @steps = map { step($random) } 1 .. 1 + $random->(5);
		push @lines, @steps > 1 || $random->(4) == 0 ? ('BEGIN;', @steps, $random->(3) == 0 ? 'ROLLBACK;' : 'COMMIT;') : @steps;
	}
	return @lines;
}

# Whole numbers below the argument, the same for the same seed.
sub seeded
{
	my ($state) = @_;
	return sub {
		$state = ($state * 1103515245 + 12345) % 2**31;
		return int($state / 65536) % $_[0];
	};
}

sub step
{
	my ($random) = @_;
	my $item = 1 + $random->($items);
	my $other = 1 + $random->($items);
	my $stage = (qw(Ready Build Build Check Check Hold Ship Ship Live))[ $random->(9) ];
	my $narrow = (qw(In Work Work Out))[ $random->(4) ];
	my $any_narrow = q{(SELECT id FROM vsm.work_items WHERE stream = 'narrow' AND completed_at IS NULL ORDER BY random() LIMIT 1)};
	my $kind = $random->(20);

	return "SELECT vsm.transition($item, '$stage');" if $kind < 7;
	return "UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = '$stage') WHERE id IN ($item, $other);"
		if $kind < 9;
	return "SELECT vsm.create_work_item('new', '" . (qw(bug task))[ $random->(2) ] . "', 'narrow');" if $kind < 11;
	return "UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'narrow' AND name = '$narrow') WHERE id = $any_narrow;"
		if $kind < 13;
	return "DELETE FROM vsm.work_items WHERE id = $any_narrow;" if $kind == 13;
	return "DO \$\$ BEGIN PERFORM vsm.transition($item, '$stage'), vsm.transition($other, 'Check'); EXCEPTION WHEN OTHERS THEN NULL; END \$\$;"
		if $kind < 16;
	return ('SAVEPOINT s;', step($random), step($random), (('ROLLBACK TO s;') x 2, 'RELEASE s;')[ $random->(3) ]) if $kind < 19;
	return 'SELECT 1 / 0;';
}

1;
