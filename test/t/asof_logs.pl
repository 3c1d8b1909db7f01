# asof_logs.pl: the figures of a window of a real event log are those of an observer at the window's end
#
# The logs lie beside the checkout, in ../shared/data, or where VSM_SHARED_DATA says.  Their expected/asof_NAME.json has
# the stages and a dozen windows each, computed by an independent program from the moves before the window's end.  Times
# are UTC there and durations hours.  Every function that answers for a window, or for its end, is compared with them.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{VSM_SHARED_DATA} // "$FindBin::RealBin/../../../shared/data";
plan skip_all => 'the shared event logs are not there' unless -e "$data/expected/asof_jira_devlake.json";

my @RULES = qw(span_first_last span_last sum_active sum_started episodes);
my $MOST_SHOWN = 20;

$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{PGTZ} = 'UTC';
my $node = PostgreSQL::Test::Cluster->new('asof');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
define_functions();

for my $name (qw(uci_incidents_small jira_devlake git_release_2023_2025 uci_incidents))
{
	my $expected = JSON::PP->new->utf8->decode(slurp_file("$data/expected/asof_$name.json"));

	import_log($name, $expected->{config});
	check_windows($name, $expected->{windows});
}
$node->stop;
done_testing();

# A query's only value, from JSON.
sub ask
{
	return JSON::PP->new->utf8->allow_nonref->decode($node->safe_psql('postgres', $_[0]));
}

sub import_log
{
	my ($name, $config) = @_;
	my $stages = JSON::PP->new->ascii->encode([ map { { name => $_->[0], category => $_->[1] } } @{ $config->{stages} } ]);
	my $from = -e "$data/$name.csv" ? "'$data/$name.csv'" : "PROGRAM 'gzip -dc $data/$name.csv.gz'";

	$node->safe_psql('postgres', qq{
		SELECT vsm.define_stream('$name', \$json\$$stages\$json\$, commitment_stage => \$stage\$$config->{commitment}\$stage\$);
		DROP TABLE IF EXISTS events;
		CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
	});
	$node->safe_psql('postgres', "\\copy events FROM $from WITH (FORMAT csv, HEADER)");
	$node->safe_psql('postgres', "SELECT vsm.import_events('events', '$name', create_stages => true)");
	$node->safe_psql('postgres', 'ANALYZE');
	return;
}

# What vsm tells of a window, under the names of the files.
sub define_functions
{
	$node->safe_psql('postgres', q{
		CREATE EXTENSION vsm;
		CREATE FUNCTION hours(i interval) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN extract(epoch FROM i) / 3600;
		CREATE FUNCTION times(n bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval) RETURNS jsonb
			LANGUAGE sql RETURN jsonb_build_object('n', n, 'avg_h', hours(avg), 'p50_h', hours(p50), 'p70_h', hours(p70),
												   'p85_h', hours(p85), 'p95_h', hours(p95));

		CREATE FUNCTION times(observed interval[]) RETURNS jsonb LANGUAGE sql AS $$
			SELECT times(count(o), avg(o), percentile_disc(0.5) WITHIN GROUP (ORDER BY o), percentile_disc(0.7) WITHIN GROUP (ORDER BY o),
						 percentile_disc(0.85) WITHIN GROUP (ORDER BY o), percentile_disc(0.95) WITHIN GROUP (ORDER BY o))
			FROM unnest(observed) o
		$$;

		CREATE FUNCTION told_metrics(m vsm.flow_figures) RETURNS jsonb LANGUAGE sql
			RETURN to_jsonb(m) || jsonb_build_object(
				'lead_time', times(m.lead_time_n, m.lead_time_avg, m.lead_time_p50, m.lead_time_p70, m.lead_time_p85, m.lead_time_p95),
				'cycle_time', times(m.cycle_time_n, m.cycle_time_avg, m.cycle_time_p50, m.cycle_time_p70, m.cycle_time_p85,
									m.cycle_time_p95));

		CREATE FUNCTION told_completions(log text, since timestamptz, until timestamptz, rule text) RETURNS jsonb LANGUAGE sql AS $$
			SELECT jsonb_build_object('lead_time', times(array_agg(lead_time)), 'cycle_time', times(array_agg(cycle_time)))
			FROM vsm.completions(log, since, until, reopen_rule => rule)
		$$;

		-- the instant before the window's end, at which its last moves have been made
		CREATE FUNCTION told_stages(log text, since timestamptz, until timestamptz) RETURNS jsonb LANGUAGE sql AS $$
			WITH l AS (SELECT until - interval '1 microsecond' AS instant)
			SELECT jsonb_build_object(
				'wip_by_stage_at_until', (SELECT jsonb_object_agg(w.stage, w.items) FROM vsm.wip_at(log, l.instant) w),
				'occupancy_at_until', (SELECT jsonb_object_agg(o.stage, o.items) FROM vsm.occupancy(log, l.instant, l.instant) o),
				'cfd_at_until', (SELECT jsonb_object_agg(c.stage, c.items) FROM vsm.cumulative_flow(log, l.instant, l.instant) c),
				'time_in_stage', (
					SELECT jsonb_object_agg(t.stage, jsonb_build_object(
						'closed', times(t.visits, t.avg, t.p50, t.p70, t.p85, t.p95)
								  || jsonb_build_object('items', t.items, 'avg_per_item_h', hours(t.avg_per_item)),
						'open', jsonb_build_object('n', t.open_visits, 'avg_h', hours(t.open_avg))))
					FROM vsm.time_in_stage(log, since, until) t),
				'work_item_age_at_until', (
					SELECT jsonb_build_object('n', count(a.age), 'max_h', hours(max(a.age) + interval '1 microsecond'),
						'p50_h', hours(percentile_disc(0.5) WITHIN GROUP (ORDER BY a.age) + interval '1 microsecond'),
						'p85_h', hours(percentile_disc(0.85) WITHIN GROUP (ORDER BY a.age) + interval '1 microsecond'))
					FROM vsm.work_item_age(log, at => l.instant) a),
				'open_at_until', (SELECT count(*) FROM vsm.work_item_age(log, at => l.instant)))
			FROM l
		$$;

		CREATE FUNCTION told(log text, since timestamptz, until timestamptz, rules text[]) RETURNS jsonb LANGUAGE sql AS $$
			SELECT told_stages(log, since, until) || jsonb_build_object(
				'metrics', (SELECT jsonb_object_agg(r, told_metrics(m))
							FROM unnest(rules) r CROSS JOIN LATERAL vsm.metrics(log, since, until, reopen_rule => r) m),
				'completions', (SELECT jsonb_object_agg(r, told_completions(log, since, until, r)) FROM unnest(rules) r),
				'flow_efficiency', (SELECT jsonb_object_agg(r, vsm.flow_efficiency(log, since, until, reopen_rule => r)) FROM unnest(rules) r),
				'throughput', (
					SELECT jsonb_object_agg(b, (SELECT sum(t.items) FROM vsm.throughput(log, since, until, b, reopen_rule => 'span_last') t))
					FROM unnest('{day,week,month}'::text[]) b),
				'throughput_of_episodes', (SELECT sum(t.items) FROM vsm.throughput(log, since, until, 'month', reopen_rule => 'episodes') t))
		$$;
	});
	return;
}

sub check_windows
{
	my ($name, $windows) = @_;
	my ($equal, @wrong) = (0);

	for my $window (@$windows)
	{
		my $told = ask("SELECT told('$name', '$window->{since}', '$window->{until}', '{" . join(',', @RULES) . "}')");

		for my $pair (pairs($window, $told))
		{
			my ($path, @values) = @$pair;
			my ($same, @differences) = compare("$window->{name}.$path", @values);

			$equal += $same;
			push @wrong, @differences;
		}
	}
	my $total = $equal + @wrong;
	cmp_ok($total, '>', 100 * @$windows, "$name: each window has figures");
	is("$equal of $total figures equal", "$total of $total figures equal", "$name: $total figures of " . @$windows . ' windows')
		or diag(join "\n", splice @wrong, 0, $MOST_SHOWN);
	return;
}

# What to compare of a window: path, what is told, what is expected.  Whatever the file has appears at least once.
sub pairs
{
	my ($window, $told) = @_;
	my %file = %$window;
	my %episodes_differ = map { $_ => 1 } qw(throughput lead_time finished_never_started flow_efficiency);
	my @pairs;

	delete @file{qw(name since until cycle_time)};
	for my $rule (@RULES)
	{
		my $m = $told->{metrics}{$rule};

		for my $figure (grep { ref $file{$_} ne 'HASH' || $_ eq 'lead_time' } keys %file)
		{
			next if $rule eq 'episodes' && $episodes_differ{$figure};
			# span_last has another start, so there are items without one that did start once
			next if $rule eq 'span_last' && $figure =~ /^(finished_never_started|flow_efficiency)$/;
			push @pairs, [ "metrics.$rule.$figure", $m->{$figure}, $file{$figure} ];
		}
		push @pairs,
			[ "metrics.$rule.discarded", $m->{discarded}, 0 ],
			[ "metrics.$rule.reopened", $m->{reopened}, $file{returns} ],
			[ "metrics.$rule.cycle_time", $m->{cycle_time}, $window->{cycle_time}{$rule} ],
			[ "completions.$rule.cycle_time", $told->{completions}{$rule}{cycle_time}, $window->{cycle_time}{$rule} ];
		push @pairs, [ "completions.$rule.lead_time", $told->{completions}{$rule}{lead_time}, $file{lead_time} ]
			if $rule ne 'episodes';
		push @pairs, [ "flow_efficiency.$rule", $told->{flow_efficiency}{$rule}, $file{flow_efficiency} ]
			if $rule ne 'episodes' && $rule ne 'span_last';
	}
	push @pairs, map { [ "throughput.$_", $told->{throughput}{$_}, $file{throughput} ] } qw(day week month);
	# by episodes every entry into done counts
	push @pairs,
		[ 'metrics.episodes.throughput', $told->{metrics}{episodes}{throughput}, $file{departures} ],
		[ 'completions.episodes.lead_time.n', $told->{completions}{episodes}{lead_time}{n}, $file{departures} ],
		[ 'throughput.episodes', $told->{throughput_of_episodes}, $file{departures} ],
		[ 'occupancy_at_until', $told->{occupancy_at_until}, $file{wip_by_stage_at_until} ],
		[ 'work_item_age.items', $told->{open_at_until}, $file{open_at_until} ];
	push @pairs, map { [ $_, $told->{$_}, $file{$_} ] } grep { ref $file{$_} eq 'HASH' && $_ ne 'lead_time' } sort keys %file;
	return @pairs;
}

# Number of equal leaves, then the differences.  A stage or a key that the file leaves out means zero or none.
sub compare
{
	my ($path, $told, $expected) = @_;

	if (ref $told eq 'HASH' || ref $expected eq 'HASH')
	{
		my ($equal, @wrong) = (0);

		return (0, "$path: told " . ($told // 'nothing') . ', expected ' . ($expected // 'nothing'))
			if ref($told // {}) ne 'HASH' || ref($expected // {}) ne 'HASH';
		for my $key (sort keys %{ { %{ $told // {} }, %{ $expected // {} } } })
		{
			my ($same, @differences) = !exists $told->{$key}
				? (0, "$path.$key: not answered")
				: compare("$path.$key", $told->{$key}, ($expected // {})->{$key});

			$equal += $same;
			push @wrong, @differences;
		}
		return ($equal, @wrong);
	}
	return 1 if same($path, $told, $expected);
	return (0, "$path: told " . ($told // 'none') . ', expected ' . ($expected // 'none'));
}

# Fractions may differ by the rounding of the file, and an average by its last microsecond.
sub same
{
	my ($path, $told, $expected) = @_;
	my $rounding = $path =~ /flow_efficiency/ ? 0.5e-9 : 0.5e-6;

	return !defined $told || $told == 0 if !defined $expected;
	return 0 if !defined $told;
	return $told == $expected if $path =~ /\.n$/;
	return abs($told - $expected) <= $rounding + 1e-9 * ($path =~ /_h$/) + 1e-12 * abs $expected;
}
