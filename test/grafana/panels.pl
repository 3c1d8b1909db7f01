# panels.pl: every panel over the database answers, as a reader, with the columns and types that its kind shows
#
# In database vsm_grafana of the server of PGHOST, with the demo's simulated stream and one whose name needs quoting.  Alert
# rules over SQL are asked too.  Some figures are compared with those of the flow functions.

use strict;
use warnings;

use CPAN::Meta::YAML;
use FindBin;
use JSON::PP ();
use POSIX 'strftime';
use Test::More;

use lib $FindBin::RealBin;
use Panels;

my $database = 'vsm_grafana';
my $root = "$FindBin::RealBin/../..";
my $now = time;
my ($from, $to) = map { strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $_ } $now - 90 * 86400, $now;

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
	if ($type eq 'timeseries')
	{
		return 'no column time' if !defined $type{time};
		# $__timeGroup gives seconds since 1970
		return "time is $type{time}" if $type{time} !~ /^timestamp with|^numeric$/;
		return 'a text column that is not metric' if grep { $_->[1] eq 'text' && $_->[0] ne 'metric' } @$columns;
		return 'a metric in a table' if defined $type{metric} && $format ne 'time_series';
		my ($place) = grep { $columns->[$_][0] eq 'time' } 0 .. $#$columns;
		my @times = map { $_->[$place] } @$rows;
		my @sorted = $type{time} eq 'numeric' ? sort { $a <=> $b } @times : sort @times;
		return 'times are not in order' if "@times" ne "@sorted";
	}
	return 'no text for the bars' if $type eq 'barchart' && !grep { $_ eq 'text' } @types;
	return scalar(@$rows) . ' rows' if $type eq 'stat' && @$rows != 1;
	return 'a stat shows numbers' if $type eq 'stat' && @numbers != @types;
	return '';
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
	q{\set zone 'Europe/Berlin'}, "\\i $root/demo/simulate.sql",
	q{SELECT name FROM vsm.define_stream(E'o''brien \\\\ "x"', '[{"name": "To do", "category": "wait"}, {"name": "It''s on", "wip_limit": 1}, {"name": "Done", "category": "done"}]', time_zone => 'Asia/Kolkata');},
	q{SELECT count(vsm.create_work_item('one', stream => E'o''brien \\\\ "x"'));},
	q{SELECT count(vsm.transition(id, 'It''s on')) FROM vsm.work_items WHERE title = 'one';},
	q{SELECT name FROM vsm.define_stream('empty', '[{"name": "A"}, {"name": "B", "category": "done"}]');});
$setup[0] or BAIL_OUT($setup[1]);

# ---- Every panel ----

my @cases = (
	[ 'the simulated stream', { stream => 'default', type => undef, zone => 'Europe/Berlin' } ],
	[ 'one type of it', { stream => 'default', type => 'bug', zone => 'UTC' } ],
	[ 'a name that needs quoting', { stream => q{o'brien \\ "x"}, type => 'task', zone => 'Asia/Kolkata' } ],
	[ 'a stream without items', { stream => 'empty', type => undef, zone => 'UTC' } ],
);
my $panels = 0;
my %figures;

for my $dashboard (grep { $_->{uid} ne 'vsm-operators' } dashboards())
{
	my %all = map { $_->{name} => $_->{allValue} } values %{ $dashboard->{variables} };
	for my $case (@cases)
	{
		my ($what, $values) = @$case;
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
	for my $panel (@{ $dashboard->{panels} })
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
		my ($columns, $rows) = ask(expand_sql($variable->{query}, from => $from, to => $to, variables => $cases[2][1]));
		ok($columns && @$columns == 1 && @$rows > 0, "$dashboard->{file}: variable $variable->{name} has values") or diag($rows);
		is($rows->[0][0], 'Asia/Kolkata', 'the first zone is that of the stream') if $variable->{name} eq 'zone';
	}
}
cmp_ok($panels, '>', 60, "$panels queries were asked");

# ---- Their figures ----

sub total
{
	my $n = 0;
	$n += $_ for @_;
	return $n;
}

my ($finished) = @{ $figures{'Flow A'}{finished} };
cmp_ok($finished, '>', 1000, 'the simulation finishes items');
is(total(@{ $figures{'Throughput by day A'}{finished} }), $finished, 'throughput by day adds up to that of the window');
is(total(@{ $figures{'Throughput by week A'}{finished} }), $finished, 'and by week');
is(scalar @{ $figures{'Cycle time scatter A'}{time} }, scalar @{ $figures{'Cycle time histogram A'}{'cycle time'} }, 'scatter and histogram show the same items');

my (undef, $days) = ask("SELECT bucket::timestamp AT TIME ZONE 'Europe/Berlin', items FROM vsm.throughput('default', '$from', '$to')");
my %day;
@day{ @{ $figures{'Throughput by day A'}{time} } } = @{ $figures{'Throughput by day A'}{finished} };
is_deeply([ grep { ($day{ $_->[0] } // 0) != $_->[1] } @$days ], [], 'days in the zone of the stream are those of vsm.throughput')
	or diag(explain({ days => $days, panel => \%day }));
is(abs(total(@{ $figures{'Bottlenecks A'}{'share of time'} }) - 1) < 1e-9 ? 1 : 0, 1, 'shares of time add up to 1');

# The panels of the window are what vsm.metrics says of it, and the moves by interval add up to its balance.
my ($columns, $rows) = ask("SELECT m.* FROM vsm.metrics('default', '$from', '$to') m");
my %metrics;
@metrics{ map { $_->[0] } @$columns } = @{ $rows->[0] };
my %shows = (
	'Flow A' => { finished => 'throughput', 'WIP now' => 'wip_now', 'WIP, average' => 'wip', 'started WIP now' => 'started_wip_now',
		'started WIP, average' => 'started_wip' },
	'Flow balance A' => { 'WIP at the start' => 'open_at_since', 'WIP at the end' => 'open_at_until', 'started WIP at the start' => 'started_at_since',
		'started WIP at the end' => 'started_at_until', map { $_ => $_ } qw(arrivals returns departures discarded) });
for my $panel (sort keys %shows)
{
	is_deeply({ map { $_ => sprintf('%.2f', $figures{$panel}{$_}[0]) } keys %{ $shows{$panel} } },
		{ map { $_ => sprintf('%.2f', $metrics{ $shows{$panel}{$_} }) } keys %{ $shows{$panel} } }, "$panel shows the figures of vsm.metrics");
}
my %balance = map { $_ => $figures{'Flow balance A'}{$_}[0] } keys %{ $figures{'Flow balance A'} };
cmp_ok($balance{discarded}, '>', 0, 'the simulation discards items');
is($balance{'WIP at the start'} + $balance{arrivals} + $balance{returns} - $balance{departures} - $balance{discarded}, $balance{'WIP at the end'},
	'the balance of the window is one');
my $moves = $figures{'Arrivals, departures, returns, discarded A'};
my %sum;
$sum{ $moves->{metric}[$_] } += $moves->{value}[$_] for 0 .. $#{ $moves->{value} };
is_deeply(\%sum, { map { $_ => $balance{$_} } qw(arrivals departures returns discarded) }, 'moves by interval add up to it');

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
		cmp_ok(scalar(grep { $_->[$place] > 0 } @$rows), '>', 0, 'and fires on the simulation, where a stage is over its limit and items are old');
		cmp_ok(scalar(grep { $_->[$place] == 0 } @$rows), '>', 0, 'but not for all of it');
	}
}
is($rules, 2, 'two rules ask the database');

remove();
done_testing();
