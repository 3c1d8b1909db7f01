# reference_logs.pl: the figures of real event logs are those of an independent program
#
# The logs lie beside the checkout, in ../shared/data, or where VSM_SHARED_DATA says.  Their expected/NAME.json has the
# figures, expected/NAME.config.json the stages.  Times are UTC and durations hours there.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{VSM_SHARED_DATA} // "$FindBin::RealBin/../../../shared/data";
plan skip_all => 'the shared event logs are not there' unless -d "$data/expected";

$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{PGTZ} = 'UTC';
my $node = PostgreSQL::Test::Cluster->new('logs');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	CREATE FUNCTION hours(i interval) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN extract(epoch FROM i) / 3600;
	CREATE FUNCTION times(n bigint, avg interval, p50 interval, p70 interval, p85 interval, p95 interval) RETURNS jsonb
		LANGUAGE sql RETURN jsonb_build_object('n', n, 'avg_h', hours(avg), 'p50_h', hours(p50), 'p70_h', hours(p70),
											   'p85_h', hours(p85), 'p95_h', hours(p95));
});

for my $name (qw(uci_incidents_small jira_devlake git_release_2023_2025 uci_incidents))
{
	import_long($name);
	check_figures($name);
}
check_wide();

$node->stop;
done_testing();

sub read_json
{
	return decode_json(slurp_file("$data/expected/$_[0].json"));
}

# A query's only value, from JSON.
sub ask
{
	return JSON::PP->new->utf8->allow_nonref->decode($node->safe_psql('postgres', $_[0]));
}

# Decompressed if need be.
sub copy_csv
{
	my ($table, $file) = @_;
	my $from = -e $file ? "'$file'" : "PROGRAM 'gzip -dc $file.gz'";
	$node->safe_psql('postgres', "\\copy $table FROM $from WITH (FORMAT csv, HEADER)");
	return;
}

sub import_long
{
	my ($name) = @_;
	my $expected = read_json($name);
	my $config = read_json("$name.config");
	my $stages = JSON::PP->new->ascii->encode([ map { { name => $_->[0], category => $_->[1] } } @{ $config->{stages} } ]);

	$node->safe_psql('postgres', qq{
		SELECT vsm.define_stream('$name', \$json\$$stages\$json\$, commitment_stage => \$stage\$$config->{commitment}\$stage\$);
		DROP TABLE IF EXISTS events;
		CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
	});
	copy_csv('events', "$data/$name.csv");
	is_deeply(
		ask("SELECT to_jsonb(r) FROM vsm.import_events('events', '$name', create_stages => true) r"),
		{
			items => $expected->{items}, transitions => $expected->{transitions},
			merged => $expected->{same_stage_rows_merged}, skipped => $expected->{events} - $expected->{transitions}
				- $expected->{same_stage_rows_merged}, refused => 0, breaches => 0
		},
		"$name: imported");
	is(ask("SELECT to_jsonb(r.items + r.transitions) FROM vsm.import_events('events', '$name') r"), 0, "$name: again it adds nothing");
	return;
}

sub check_figures
{
	my ($name) = @_;
	my $expected = read_json($name);
	my %told;

	my $all = "'$name', '-infinity', 'infinity'";
	delete @$expected{qw(config events same_stage_rows_merged transitions)};    # the import told them
	my $moved = ask(qq{
		SELECT jsonb_build_object(
			'current_per_stage', (SELECT jsonb_object_agg(c.name, c.n) FROM (
				SELECT s.name, count(*) AS n FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id
				WHERE w.stream = '$name' GROUP BY 1) c),
			'items_with_backward_moves', (SELECT count(*) FROM vsm.work_items w WHERE w.stream = '$name' AND w.backward_moves > 0),
			'throughput_per_week', (SELECT jsonb_object_agg(t.bucket, t.items) FROM vsm.throughput($all, 'week') t WHERE t.items > 0),
			'time_in_stage_per_visit', (SELECT jsonb_object_agg(t.stage, times(t.visits, t.avg, t.p50, t.p70, t.p85, t.p95))
				FROM vsm.time_in_stage($all) t WHERE t.visits > 0))
	});
	$told{$_} = $moved->{$_} for keys %$moved;
	$told{arrivals_per_week} = ask(qq{
		SELECT jsonb_object_agg(w.week, m.arrivals)
		FROM (SELECT DISTINCT date_trunc('week', w.created_at)::date AS week FROM vsm.work_items w WHERE w.stream = '$name') w
		CROSS JOIN LATERAL vsm.metrics('$name', w.week, w.week + 7) m
	});

	for my $rule (qw(span_first_last span_last sum_active episodes))
	{
		my $m = ask(qq{
			SELECT to_jsonb(m) || jsonb_build_object(
				'lead', times(lead_time_n, lead_time_avg, lead_time_p50, lead_time_p70, lead_time_p85, lead_time_p95) || l.ends,
				'cycle', times(cycle_time_n, cycle_time_avg, cycle_time_p50, cycle_time_p70, cycle_time_p85, cycle_time_p95) || c.ends,
				'since', to_char(since, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'until', to_char(until, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
			FROM vsm.metrics($all, reopen_rule => '$rule') m
			CROSS JOIN (SELECT jsonb_build_object('min_h', hours(min(lead_time)), 'max_h', hours(max(lead_time))) AS ends
						FROM vsm.completions($all, reopen_rule => '$rule')) l
			CROSS JOIN (SELECT jsonb_build_object('min_h', hours(min(cycle_time)), 'max_h', hours(max(cycle_time))) AS ends
						FROM vsm.completions($all, reopen_rule => '$rule')) c
		});
		$told{cycle_time}{$rule} = $m->{cycle};
		$told{completions_incl_reopened} = $m->{throughput} if $rule eq 'episodes';
		next unless $rule eq 'span_first_last';

		@told{qw(items finished open average_wip flow_efficiency finished_never_started backward_moves reopened lead_time first_event as_of)} =
			@$m{qw(arrivals throughput wip_now wip flow_efficiency finished_never_started backward_moves reopened lead since until)};
	}

	for my $at (keys %{ $expected->{snapshots} })
	{
		my $s = ask(qq{
			SELECT jsonb_build_object(
				'by_stage', (SELECT jsonb_object_agg(w.stage, w.items) FROM vsm.wip_at('$name', '$at') w WHERE w.items > 0),
				'occupancy', (SELECT jsonb_object_agg(o.stage, o.items) FROM vsm.occupancy('$name', '$at', '$at') o WHERE o.items > 0),
				'high_water', (SELECT jsonb_object_agg(c.stage, c.items) FROM vsm.cumulative_flow('$name', '$at', '$at') c),
				'wip', (SELECT sum(w.items) FROM vsm.wip_at('$name', '$at') w
						JOIN vsm.stages s ON s.stream = '$name' AND s.name = w.stage WHERE s.category <> 'done'))
		});
		is_deeply(delete $s->{occupancy}, $s->{by_stage}, "$name: occupancy and WIP at $at agree");
		$told{snapshots}{$at} = $s;
	}

	# time_in_stage has no extremes; instants are written with as many digits as they need
	for my $stage (values %{ $expected->{time_in_stage_per_visit} })
	{
		delete @$stage{qw(min_h max_h)};
	}
	s/\.0*Z$/Z/, s/(\.\d*[1-9])0+Z$/$1Z/ for @told{qw(first_event as_of)}, @$expected{qw(first_event as_of)};

	for my $figure (sort keys %$expected)
	{
		is(join("\n", differences($figure, $told{$figure}, $expected->{$figure})), '', "$name: $figure");
	}
	is(ask(qq{SELECT to_jsonb(sum(items)) FROM vsm.data_quality('$name')
			  WHERE finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs')}), 0, "$name: the ledger is whole");
	return;
}

# Paths at which two trees differ; fractions may by the rounding of what is expected.
sub differences
{
	my ($path, $told, $expected) = @_;

	return "$path: missing" if !defined $told;
	if (ref $expected eq 'HASH')
	{
		my %keys = (%$expected, %$told);
		return map { exists $expected->{$_} ? differences("$path.$_", $told->{$_}, $expected->{$_}) : "$path.$_: not expected" } sort keys %keys;
	}
	if (ref $expected eq 'ARRAY')
	{
		return "$path: length" if @$told != @$expected;
		return map { differences("$path.$_", $told->[$_], $expected->[$_]) } 0 .. $#$expected;
	}
	return if $told eq $expected;
	return if $expected =~ /^-?\d+\.\d+(e.*)?$/ && $told =~ /^-?\d/ && abs($told - $expected) <= 1e-6 + 1e-9 * abs $expected;
	return "$path: told $told, expected $expected";
}

# One row per item gives the same ledger as one row per move, except where an item came to a stage twice.
sub check_wide
{
	my $long = 'git_release_2023_2025';
	my $stages = JSON::PP->new->ascii->encode([ map { { name => $_->[0], category => $_->[1] } } @{ read_json("$long.config")->{stages} } ]);

	$node->safe_psql('postgres', qq{
		SELECT vsm.define_stream('wide', \$json\$$stages\$json\$);
		CREATE TABLE wide ("ID" text, "Authored" timestamptz, "Committed" timestamptz, "Merged" timestamptz, "Released" timestamptz);
	});
	copy_csv('wide', "$data/wide_$long.csv");
	my $got = ask(q{
		SELECT to_jsonb(r) FROM vsm.import_wide('wide', id_column => 'ID', stream => 'wide',
			stages => ARRAY['authored', 'committed', 'merged', 'released']) r
	});
	is($got->{items}, read_json($long)->{items}, 'wide: as many items');
	is($got->{refused}, 0, 'wide: nothing refused');
	$node->safe_psql('postgres', 'ANALYZE');
	my $compared = ask(qq{
		WITH histories AS MATERIALIZED (
			SELECT w.stream, w.external_id,
				   (w.created_at, w.stage_entered_at, w.started_at, w.completed_at, w.active_time, w.wait_time)::text AS item,
				   string_agg(format('%s>%s %s %s', f.name, s.name, t."timestamp", t.time_in_stage), ', ' ORDER BY t."timestamp", t.id) AS moves
			FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id
			LEFT JOIN vsm.stages f ON f.id = t.from_stage_id JOIN vsm.stages s ON s.id = t.to_stage_id
			WHERE w.stream IN ('wide', '$long') GROUP BY w.id)
		SELECT jsonb_build_object(
			'compared', count(*),
			'other moves', count(*) FILTER (WHERE l.moves IS DISTINCT FROM w.moves),
			'other items', count(*) FILTER (WHERE l.item IS DISTINCT FROM w.item))
		FROM (SELECT * FROM histories WHERE stream = '$long') l
		LEFT JOIN (SELECT * FROM histories WHERE stream = 'wide') w USING (external_id)
		WHERE external_id IN (SELECT i.external_id FROM vsm.work_items i WHERE i.stream = '$long' AND i.reopened = 0)
	});
	is_deeply($compared, { compared => 7255, 'other moves' => 0, 'other items' => 0 }, 'wide: items that were not reopened have the same history');
	return;
}
