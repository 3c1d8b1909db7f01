# panels.pl: every panel over the database answers, as a reader, with the columns and types that its kind shows
#
# In database vsm_grafana of the server of PGHOST, with the demo's simulated stream in the zone of Sydney, where items are
# discarded, reopened, blocked and fail, one whose name needs quoting, and one without items.  What each panel shows is compared
# with Figures.pm.  Alert rules over SQL are asked too.

use strict;
use warnings;

use CPAN::Meta::YAML;
use FindBin;
use JSON::PP ();
use POSIX 'strftime';
use Test::More;

use lib $FindBin::RealBin;
use Figures;
use Panels;

my $database = 'vsm_grafana';
my $root = "$FindBin::RealBin/../..";

# What a kind of panel can show, by the types of PostgreSQL that Grafana's data source turns into numbers, times and text.
my %number = map { $_ => 1 } qw(bigint integer smallint numeric real), 'double precision';
my %known = (%number, text => 1, boolean => 1, 'timestamp with time zone' => 1);

sub psql
{
	my (@commands) = @_;
	my $pid = open my $out, '-|';
	defined $pid or die "fork: $!";
	if (!$pid)
	{
		open STDERR, '>&', \*STDOUT;
		open my $in, '|-', 'psql', '-X', '-q', '-d', $database, '-v', 'ON_ERROR_STOP=1' or POSIX::_exit(127);
		binmode $in, ':utf8';
		print $in "$_\n" for @commands;
		close $in;
		POSIX::_exit($? >> 8);
	}
	binmode $out, ':utf8';
	my $text = join '', <$out>;
	close $out;
	return ($? == 0, $text);
}

# Columns as [ name, type ] and rows of a query, as a reader gets them; undef and the error else.
sub ask
{
	my ($sql) = @_;
	my ($ok, $text) = psql('SET ROLE vsm_grafana_reader;', "SET timezone = 'America/Lima';", '\pset format unaligned',
		'\pset tuples_only on', q{\pset fieldsep '\037'}, q{\pset recordsep '\036'},
		"$sql\n\\gdesc", '\echo ====', "$sql;");
	return (undef, $text) if !$ok;
	my ($head, $body) = split /====\n/, $text, 2;
	return map { [ map { s/\n\z//; [ split /\x1f/, $_, -1 ] } split /\x1e/ ] } $head, $body;
}

# Why the panel could not show them; empty when it can.
sub unfit
{
	my ($type, $format, $columns, $rows) = @_;
	my %type = map { $_->[0] => $_->[1] } @$columns;
	my @types = map { $_->[1] } @$columns;
	my @numbers = grep { $number{$_} } @types;

	return 'two columns of one name' if keys %type != @$columns;
	for my $column (@$columns)
	{
		return "column $column->[0] is $column->[1]" if !$known{ $column->[1] };
		return "column $column->[0] has no name" if $column->[0] =~ /^(\?column\?|)$/;
	}
	return 'no number' if $type ne 'table' && !@numbers;
	return 'no id' if $type eq 'nodeGraph' && ($type{id} // '') ne 'text';
	if ($type eq 'timeseries')
	{
		return 'no column time' if !defined $type{time};
		return "time is $type{time}" if $type{time} !~ /^timestamp with/;
		return 'a text column that is not metric' if grep { $_->[1] eq 'text' && $_->[0] ne 'metric' } @$columns;
		return 'a metric in a table' if defined $type{metric} && $format ne 'time_series';
		my ($place) = grep { $columns->[$_][0] eq 'time' } 0 .. $#$columns;
		my @times = map { $_->[$place] } @$rows;
		my @sorted = sort @times;
		return 'times are not in order' if "@times" ne "@sorted";
	}
	return 'no text for the bars' if $type eq 'barchart' && !grep { $_ eq 'text' } @types;
	return scalar(@$rows) . ' rows' if $type eq 'stat' && @$rows != 1;
	return 'a stat shows numbers' if $type eq 'stat' && @numbers != @types;
	return '';
}

# The first difference between what a panel shows and what it must show; empty without one.
sub difference
{
	my ($columns, $shown, $expected) = @_;
	my @runs_on = map { $_->[0] eq 'since the last move' } @$columns;
	return scalar(@$shown) . ' rows, not ' . @$expected if @$shown != @$expected;
	for my $row (0 .. $#$shown)
	{
		my @pair = ($shown->[$row], $expected->[$row]);
		return "row $row: @{ $pair[0] } | @{ $pair[1] }" if @{ $pair[0] } != @{ $pair[1] } || grep { !equal($pair[0][$_], $pair[1][$_], $runs_on[$_] ? 60 : 0) } 0 .. $#{ $pair[0] };
	}
	return '';
}

sub equal
{
	my ($x, $y, $slack) = @_;
	return 1 if $x eq $y;
	return 0 if grep { !/^-?\d+(\.\d+)?(e[-+]\d+)?$/ } $x, $y;
	return abs($x - $y) <= 1e-9 * abs($y) + $slack;
}

# ---- The database ----

sub remove
{
	system "dropdb --if-exists --force $database 2>/dev/null";
	system 'dropuser --if-exists vsm_grafana_reader 2>/dev/null';
}

remove();
system('createdb', $database) == 0 or BAIL_OUT('no database');
my @setup = psql(
	'CREATE EXTENSION vsm;',
	'CREATE ROLE vsm_grafana_reader;',
	q{SELECT vsm.grant_access('vsm_grafana_reader', 'reader');},
	q{\set zone 'Australia/Sydney'}, q{\set items 2500}, q{\set days 100}, "\\i $root/demo/simulate.sql",
	# What is expected, blocked or has failed is of the test.
	'DELETE FROM vsm.sles; DELETE FROM vsm.blocks; DELETE FROM vsm.failures;',
	q{UPDATE vsm.work_items SET attributes = jsonb_build_object('team', (ARRAY['red', 'blue', 'green'])[1 + id % 3], 'big', id % 5 = 0);},
	# Some come back, once or twice, in another hour of the day, and most of these are finished or given up again.
	q{SET vsm.wip_limit_action = 'warn'; SET client_min_messages = error;},
	q{DO $$
	DECLARE
	    i record;
	    at timestamptz;
	BEGIN
	    FOR i IN SELECT w.id, w.completed_at, w.discarded_at FROM vsm.work_items w WHERE w.id % 6 = 0 AND (w.completed_at IS NOT NULL OR w.discarded_at IS NOT NULL) LOOP
	        at := coalesce(i.completed_at, i.discarded_at);
	        FOR n IN 1 .. 1 + i.id % 2 LOOP
	            at := at + interval '31 hours';
	            EXIT WHEN at > now() - interval '2 days';
	            PERFORM vsm.transition(i.id, (ARRAY['Development', 'Backlog', 'Testing'])[1 + i.id / 6 % 3], at);
	            at := at + interval '26 hours';
	            EXIT WHEN i.id % 5 = 0;
	            PERFORM vsm.transition(i.id, CASE WHEN i.id % 9 = 0 THEN 'Discarded' ELSE 'Production' END, at);
	        END LOOP;
	    END LOOP;
	END $$;},
	# What is expected from 60 days ago on, and of one type more; it is missed.
	q{SELECT count(vsm.set_sle('default', date_trunc('hour', m.cycle_time_p70), 0.85, since => current_date - 60)),
		count(vsm.set_sle('default', date_trunc('hour', m.cycle_time_p50), 0.7, type => 'bug', since => current_date - 30)) FROM vsm.metrics('default', '-infinity', 'infinity') m;},
	# Blocks while an item is worked on; those of some that are open go on.
	q{INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
	SELECT w.id, (ARRAY['waits for a supplier', 'waits for a decision'])[1 + w.id / 4 % 2], w.started_at + interval '1 hour',
	       CASE WHEN w.completed_at IS NOT NULL OR w.discarded_at IS NOT NULL OR w.id % 7 = 0 THEN w.started_at + interval '20 hours' END
	FROM vsm.work_items w WHERE w.id % 4 = 0 AND w.started_at < now() - interval '2 days';},
	# Completions that fail, of which some are repaired by another completion of the item.
	q{SELECT count(vsm.mark_failure(t.work_item_id, t."timestamp" + interval '1 hour', t."timestamp" + interval '5 hours'))
	FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.to_stage_id AND s.category = 'done' WHERE t.work_item_id % 12 = 0 AND t."timestamp" < now() - interval '2 days';},
	q{INSERT INTO vsm.days_off (stream, day) SELECT 'default', current_date + d FROM unnest(ARRAY[-12, -11, 3]) d;},
	q{SELECT name FROM vsm.define_stream(E'o''brien \\\\ "x"', '[{"name": "To do", "category": "wait"}, {"name": "It''s on", "wip_limit": 1}, {"name": "Done", "category": "done"}]', time_zone => 'Asia/Kolkata');},
	q{SELECT count(vsm.create_work_item('one', stream => E'o''brien \\\\ "x"'));},
	q{SELECT count(vsm.transition(id, 'It''s on')) FROM vsm.work_items WHERE title = 'one';},
	# Deployments of its own, of which one failed.
	q{INSERT INTO vsm.deployments (stream, deployed_at, rework) SELECT v.name, now() - n * interval '9 days', n = 2 FROM vsm.value_streams v, generate_series(1, 4) n WHERE v.name LIKE 'o%';},
	q{INSERT INTO vsm.incidents (stream, started_at, recovered_at) SELECT v.name, now() - interval '20 days', now() - interval '19 days' FROM vsm.value_streams v WHERE v.name LIKE 'o%';},
	q{SELECT name FROM vsm.define_stream('empty', '[{"name": "A"}, {"name": "B", "category": "done"}]');},
	'ANALYZE;');		# as autovacuum would have; what reads each move takes seconds without
$setup[0] or diag($setup[1]), BAIL_OUT('no data');

# the window has ended, and has all moves before its end
sleep 1;
my $now = time;
my ($from, $to) = map { strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $_ } $now - 90 * 86400, $now;

# ---- Every panel ----

my $odd = q{o'brien \\ "x"};
my %usual = (stream => 'default', type => undef, attributes => '', bucket => 'week', items => '', until => '', working_days => 'every day');
my $in_40_days = strftime '%Y-%m-%d', gmtime $now + 40 * 86400;
my @cases = (
	[ 'the simulated stream', { %usual } ],
	[ 'one type of it', { %usual, type => 'bug', bucket => 'day' } ],
	[ 'one team', { %usual, attributes => '{"team": "red"}', items => '12', until => $in_40_days, working_days => 'Monday to Friday' } ],
	[ 'a type and attributes', { %usual, type => 'feature', attributes => ' {"team": "blue", "big": false} ', bucket => 'month' } ],
	[ 'a name that needs quoting', { %usual, stream => $odd, type => 'task' } ],
	[ 'a stream without items', { %usual, stream => 'empty' } ],
);
my %zone = (default => 'Australia/Sydney', $odd => 'Asia/Kolkata', empty => 'UTC');
my $expected = figures();
my %seen;
my $panels = 0;
my %figures;

for my $dashboard (dashboards())
{
	for my $panel (panels($dashboard))
	{
		ok(@{ $panel->{targets} // [] } && $panel->{description}, "$dashboard->{file}: $panel->{title} asks something, and says what it shows");
	}
}
for my $dashboard (grep { $_->{uid} ne 'vsm-operators' } dashboards())
{
	my %all = map { $_->{name} => $_->{allValue} } values %{ $dashboard->{variables} };
	for my $case (@cases)
	{
		my $what = $case->[0];
		# only those that the dashboard lets one choose
		my $values = { map { $_ => $case->[1]{$_} } grep { exists $case->[1]{$_} } keys %all };
		for my $pair (targets($dashboard))
		{
			my ($panel, $target) = @$pair;
			my $name = "$dashboard->{file}: $panel->{title} $target->{refId}, $what";
			my $sql = expand_sql($target->{rawSql}, from => $from, to => $to, interval => $panel->{interval} // '2h',
				variables => $values, all => \%all);
			my ($columns, $rows) = ask($sql);
			if (!$columns)
			{
				fail($name);
				diag("$rows\n$sql");
				next;
			}
			is(unfit($panel->{type}, $target->{format}, $columns, $rows), '', $name);
			$panels++;
			my $key = "$dashboard->{file}: $panel->{title} $target->{refId}";
			$seen{$key} = 1;
			if (my $figure = $expected->{$key})
			{
				$figure =~ s/\$\{zone\}/'$zone{ $values->{stream} }'/g;
				$figure =~ s/\$\{step\}/'@{[ $panel->{interval} \/\/ '2h' ]}'/g;
				my (undef, $right) = ask(expand_sql($figure, from => $from, to => $to, variables => $values, all => \%all));
				is(ref $right ? difference($columns, $rows, $right) : $right, '', 'shows the figures that it must');
			}
			else
			{
				fail("$key has its figures in Figures.pm");
			}
			next if $what ne $cases[0][0];
			cmp_ok(scalar @$rows, '>', 0, "$dashboard->{file}: $panel->{title} $target->{refId} has something to show");
			$figures{"$panel->{title} $target->{refId}"} = { map { my $n = $_; $columns->[$n][0] => [ map { $_->[$n] } @$rows ] } 0 .. $#$columns };
			my %shown = map { $_->[0] => 1 } @$columns;
			# Wide series take their names from the columns, long ones from the metric.
			$shown{$_} = 1 for @{ $figures{"$panel->{title} $target->{refId}"}{metric} // [] };
			$figures{shown}{"$dashboard->{file}: $panel->{title}"}{$_} = 1 for keys %shown;
		}
	}

	# An override for a column that does not come would be without effect, and unseen.
	for my $panel (panels($dashboard))
	{
		my $shown = $figures{shown}{"$dashboard->{file}: $panel->{title}"} or next;
		for my $override (@{ $panel->{fieldConfig}{overrides} })
		{
			my $wanted = $override->{matcher}{options};
			next if $wanted =~ /^(at once|within a day)$/;		# all of the simulation is imported
			ok((grep { $override->{matcher}{id} eq 'byRegexp' ? /$wanted/ : $_ eq $wanted } keys %$shown),
				"$dashboard->{file}: $panel->{title} shows the $wanted that it formats");
		}
		ok($shown->{ $panel->{options}{xField} }, "$panel->{title}: its bars have names") if defined $panel->{options}{xField};
	}

	for my $variable (grep { $_->{type} eq 'query' } values %{ $dashboard->{variables} })
	{
		my ($columns, $rows) = ask(expand_sql($variable->{query}, from => $from, to => $to, variables => $cases[4][1]));
		ok($columns && @$columns == 1 && @$rows > 0, "$dashboard->{file}: variable $variable->{name} has values") or diag($rows);
	}
	for my $variable (grep { $_->{type} eq 'custom' } values %{ $dashboard->{variables} })
	{
		my %tried = map { $_->[1]{ $variable->{name} } => 1 } @cases;
		is(join(',', sort keys %tried), join(',', sort split /,/, $variable->{query}), "$dashboard->{file}: each choice of $variable->{name} was tried");
		is(join(',', map { $_->{value} } @{ $variable->{options} }), $variable->{query}, 'and can be chosen');
	}
}
cmp_ok($panels, '>', 300, "$panels queries were asked");

is_deeply([ grep { !$seen{$_} } sort keys %$expected ], [], 'Figures.pm has no panel that is not there');

# ---- What makes the comparison one ----

my %balance = map { $_ => $figures{'Flow balance A'}{$_}[0] } keys %{ $figures{'Flow balance A'} };
cmp_ok($figures{'Flow A'}{finished}[0], '>', 1000, 'the simulation finishes items');
cmp_ok($balance{returns}, '>', 100, 'some come back');
cmp_ok($balance{departures}, '>', $figures{'Flow A'}{finished}[0] + 50, 'so that there are more departures than items finished');
cmp_ok($balance{discarded}, '>', 20, 'some are discarded');
my (undef, $differing) = ask("SELECT count(*) FROM vsm.completions('default', '$from', '$to') c
	WHERE (c.completed_at AT TIME ZONE 'Australia/Sydney')::date <> (c.completed_at AT TIME ZONE 'UTC')::date");
cmp_ok($differing->[0][0], '>', 100, 'and finished on another day in UTC');
is(total(@{ $figures{'Throughput by day A'}{finished} }), $figures{'Flow A'}{finished}[0], 'throughput by day adds up to that of the window');
is(total(@{ $figures{'Throughput by week A'}{finished} }), $figures{'Flow A'}{finished}[0], 'and by week');
is(total(@{ $figures{'Arrivals, departures, returns, discarded A'}{$_} }), $balance{$_}, "$_ by day add up to the balance")
	for qw(arrivals departures returns discarded);
is($balance{'WIP at the start'} + $balance{arrivals} + $balance{returns} - $balance{departures} - $balance{discarded}, $balance{'WIP at the end'},
	'which is one');
cmp_ok(abs(total(@{ $figures{'All stages, ranked A'}{'share of time'} }) - 1), '<', 0.001, 'shares of time add up to 1');
cmp_ok($figures{'Service level expectation A'}{$_}[0], '>', 100, "items are $_") for qw(judged within unjudged);
cmp_ok($figures{'Service level expectation A'}{'share within'}[0], '<', 0.85, 'and the expectation is missed');
is(scalar @{ $figures{'Forecast A'}{confidence} }, 4, 'there is a forecast');
cmp_ok(scalar(grep { $_ ne '' && $_ ne '0' } @{ $figures{'Ageing items A'}{$_} }), '>', 0, "ageing items have their $_") for 'pace', 'risk', 'blocked', 'blocked by';
cmp_ok(scalar(grep { $_ ne '' } map { @{ $figures{"$_, process behaviour A"}{'beyond a limit'} } } 'Throughput', 'WIP', 'Age', 'Total age'), '>', 0, 'some values are beyond a limit');
cmp_ok(total(@{ $figures{'Rework A'}{'sent back'} }), '>', 50, 'items are sent back');
cmp_ok($figures{'DORA A'}{$_}[0], '>', 0, "there is a $_") for 'change fail rate', 'failed deployment recovery time', 'rework rate';
my %node = map { $_ => 1 } @{ $figures{'Stage graph nodes'}{id} };
is_deeply([ grep { !$node{$_} } map { @{ $figures{'Stage graph edges'}{$_} } } qw(source target) ], [], 'the stage graph has the nodes of its edges');
is(total(@{ $figures{'Stage graph edges'}{mainstat} }), total(@{ $figures{'Moves between stages A'}{moves} }), 'and all moves');

sub total
{
	my $n = 0;
	$n += $_ for @_;
	return $n;
}

# ---- Alert rules over SQL ----

my $alerts = CPAN::Meta::YAML->read_string(slurp("$root/docker/grafana/provisioning/alerting/vsm.yaml"))->[0];
my $rules = 0;
for my $rule (map { @{ $_->{rules} } } @{ $alerts->{groups} })
{
	for my $query (grep { exists $_->{model}{rawSql} } @{ $rule->{data} })
	{
		my ($columns, $rows) = ask($query->{model}{rawSql});
		$rules++;
		ok($columns, "alert $rule->{uid} can be asked") or diag($rows), next;
		is(scalar(grep { $number{ $_->[1] } } @$columns), 1, 'gives one number, to be compared');
		is(scalar(grep { $_->[1] eq 'text' } @$columns), @$columns - 1, 'and text, which becomes labels');
		my ($place) = grep { $number{ $columns->[$_][1] } } 0 .. $#$columns;
		cmp_ok(scalar(grep { $_->[$place] > 0 } @$rows), '>', 0, 'and fires on the simulation, where a stage is over its limit, items are old and the expectation is missed');
		cmp_ok(scalar(grep { $_->[$place] == 0 } @$rows), '>', 0, 'but not for all of it');
	}
}
is($rules, 3, 'three rules ask the database');

# ---- Rules of Prometheus ----

my @alerts = slurp("$root/docker/prometheus/rules/vsm.yml") =~ /^ *- alert: (\w+)$/mg;
my $tests = join '', map { slurp($_) } glob "$FindBin::RealBin/rules*.yml";
my (%fires, %quiet);
for my $test (split /^ *- (?=alertname:|name:)/m, $tests)
{
	my ($alert) = $test =~ /^alertname: (\w+)$/m or next;
	($test =~ /^ *exp_alerts:/m ? \%fires : \%quiet)->{$alert} = 1;
}
cmp_ok(scalar @alerts, '>', 5, 'Prometheus has alerts');
is_deeply([ grep { !$fires{$_} } @alerts ], [], 'each has a unit test in which it fires');
is_deeply([ grep { !$quiet{$_} } @alerts ], [], 'and one in which it does not');
my ($groups) = slurp("$root/docker/prometheus/rules/vsm.yml") =~ /^(groups:\n.*)/ms;
cmp_ok(index(slurp("$root/docker/kubernetes/base/rules.yaml"), $groups =~ s/^(?=.)/  /gmr), '>', 0, 'the rules for Kubernetes are the same');

remove();
done_testing();
