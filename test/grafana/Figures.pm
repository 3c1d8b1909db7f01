# Figures.pm: what each panel over the database must show, from the flow functions and the tables
#
#	figures()		{ 'file: title refId' => SQL, ... }
#
# The SQL has Grafana's macros and variables, ${zone} for the stream's time zone, and ${step} for the interval.  It gives the
# columns of the panel in their order.  Where a panel asks a function, this counts the tables or asks another function.

package Figures;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(figures);

my $stream = '${stream:sqlstring}';
my $attributes = q{nullif(${attributes:sqlstring}, '')::jsonb};
my $filter = "type => \${type:sqlstring}, attributes => $attributes";
my $window = "$stream, \$__timeFrom(), \$__timeTo()";
my $bounds = q{"timestamp" >= $__timeFrom() AND t."timestamp" < $__timeTo()};
# items of the stream, chosen by type and attributes
my $items = "(SELECT * FROM vsm.work_items i WHERE i.stream = $stream AND (\${type:sqlstring}::text IS NULL OR i.type = \${type:sqlstring})
	AND ($attributes IS NULL OR i.attributes @> $attributes))";
my $moves = "(SELECT t.*, f.name AS from_name, f.category AS from_category, f.\"order\" AS from_order, s.name AS to_name, s.category AS to_category,
	s.\"order\" AS to_order FROM vsm.stage_transitions t JOIN $items i ON i.id = t.work_item_id JOIN vsm.stages s ON s.id = t.to_stage_id
	LEFT JOIN vsm.stages f ON f.id = t.from_stage_id WHERE t.$bounds)";
my $all_moves = "(SELECT t.*, f.name AS from_name, s.\"order\" < f.\"order\" AS backward FROM vsm.stage_transitions t
	JOIN vsm.work_items i ON i.id = t.work_item_id AND i.stream = $stream JOIN vsm.stages s ON s.id = t.to_stage_id
	LEFT JOIN vsm.stages f ON f.id = t.from_stage_id WHERE t.$bounds)";

# Days, weeks: their beginning, and what of them is in the window.
sub buckets
{
	my ($unit) = @_;
	return "(SELECT b AT TIME ZONE \${zone} AS at, greatest(b AT TIME ZONE \${zone}, \$__timeFrom()) AS since,
			least((b + interval '1 $unit') AT TIME ZONE \${zone}, \$__timeTo()) AS until
		FROM generate_series(date_trunc('$unit', \$__timeFrom()::timestamptz AT TIME ZONE \${zone}), \$__timeTo()::timestamptz AT TIME ZONE \${zone},
			interval '1 $unit') b WHERE b AT TIME ZONE \${zone} < \$__timeTo())";
}

sub bucket_of
{
	my ($unit, $at) = @_;
	return "date_trunc('$unit', $at AT TIME ZONE \${zone}) AT TIME ZONE \${zone}";
}

sub throughput
{
	my ($unit) = @_;
	my $bucket = bucket_of($unit, 'c.completed_at');
	return "SELECT b.at, (SELECT count(*) FROM vsm.completions($window, $filter) c WHERE $bucket = b.at) FROM @{[ buckets($unit) ]} b ORDER BY 1";
}

sub percentiles
{
	my ($value) = @_;
	return join ', ', map { "extract(epoch FROM percentile_disc($_) WITHIN GROUP (ORDER BY $value))::float8" } 0.5, 0.85, 0.95;
}

sub percentiles_by_week
{
	my ($value) = @_;
	return "SELECT @{[ bucket_of('week', 'c.completed_at') ]}, @{[ percentiles($value) ]} FROM vsm.completions($window, $filter) c
		WHERE $value IS NOT NULL GROUP BY 1 ORDER BY 1";
}

my $finished = "(SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY c.cycle_time) AS p50, percentile_disc(0.85) WITHIN GROUP (ORDER BY c.cycle_time) AS p85,
	percentile_disc(0.95) WITHIN GROUP (ORDER BY c.cycle_time) AS p95 FROM vsm.completions($window, $filter) c)";
my $wip = "(SELECT count(*) FROM $items i WHERE i.stage_id = s.id AND i.completed_at IS NULL AND i.discarded_at IS NULL)";
my $of_all_items = '(SELECT count(*) FROM vsm.work_items i WHERE i.stage_id = s.id)';
my $undone = "s.stream = $stream AND s.category IN ('wait', 'active')";
my $older = "CASE WHEN a.age > f.p95 THEN 'older than 95 %' WHEN a.age > f.p85 THEN 'older than 85 %' WHEN a.age > f.p50 THEN 'older than half' ELSE 'on time' END";

my %figures = (
	'flow: Flow A' => "SELECT (SELECT sum(t.items) FROM vsm.throughput($window, $filter) t)::bigint,
			(SELECT count(*) FROM $items i WHERE i.completed_at IS NULL AND i.discarded_at IS NULL), round(m.wip, 2)::float8,
			(SELECT count(*) FROM vsm.work_item_age($stream, $filter) a WHERE a.age IS NOT NULL), round(m.started_wip, 2)::float8,
			extract(epoch FROM f.p50)::float8, extract(epoch FROM f.p85)::float8, extract(epoch FROM f.p95)::float8,
			(SELECT extract(epoch FROM percentile_disc(0.85) WITHIN GROUP (ORDER BY c.lead_time))::float8 FROM vsm.completions($window, $filter) c),
			vsm.flow_efficiency($window, $filter)::float8
		FROM vsm.metrics($window, $filter) m CROSS JOIN $finished f",
	'flow: Flow balance A' => "SELECT m.open_at_since, count(*) FILTER (WHERE t.from_stage_id IS NULL AND t.id IS NOT NULL),
			count(*) FILTER (WHERE t.from_category IN ('done', 'discarded') AND t.to_category <> t.from_category),
			count(*) FILTER (WHERE t.to_category = 'done' AND t.from_category IS DISTINCT FROM 'done'),
			count(*) FILTER (WHERE t.to_category = 'discarded' AND t.from_category IS DISTINCT FROM 'discarded'),
			(SELECT count(*) FROM vsm.work_item_age($stream, at => \$__timeTo(), $filter)), m.started_at_since,
			(SELECT count(*) FROM vsm.work_item_age($stream, at => \$__timeTo(), $filter) a WHERE a.age IS NOT NULL)
		FROM vsm.metrics($window, $filter) m LEFT JOIN $moves t ON true GROUP BY m.open_at_since, m.started_at_since",
	'flow: WIP by stage and its limit A' => "SELECT s.name, $wip, s.wip_limit FROM vsm.stages s WHERE $undone ORDER BY s.\"order\"",
	'flow: High WIP A' => "SELECT s.name, $wip, $of_all_items, s.wip_limit, ${of_all_items}::float8 / s.wip_limit FROM vsm.stages s
		WHERE $undone AND $of_all_items >= 0.8 * s.wip_limit ORDER BY 5 DESC, s.\"order\"",
	'flow: Items older than the P95 A' => "SELECT count(*) FILTER (WHERE a.age > f.p95), count(*) FILTER (WHERE a.age > f.p85), count(*) FILTER (WHERE a.age IS NOT NULL)
		FROM $finished f LEFT JOIN vsm.work_item_age($stream, $filter) a ON true",
	'flow: Cumulative flow A' => "SELECT f.at, f.stage, f.items FROM vsm.cumulative_flow($window, \${step}, $filter) f
		WHERE f.stage NOT IN (SELECT s.name FROM vsm.stages s WHERE s.stream = $stream AND s.category = 'discarded')",
	'flow: Cumulative flow B' => "SELECT f.at, f.stage || ' (discarded)', f.items FROM vsm.cumulative_flow($window, \${step}, $filter) f
		WHERE f.stage IN (SELECT s.name FROM vsm.stages s WHERE s.stream = $stream AND s.category = 'discarded')",
	'flow: WIP by stage A' => "SELECT o.at, o.stage, o.items FROM vsm.occupancy($window, \${step}, $filter) o
		WHERE o.stage IN (SELECT s.name FROM vsm.stages s WHERE $undone)",
	'flow: Throughput by day A' => throughput('day'),
	'flow: Throughput by week A' => throughput('week'),
	'flow: Arrivals, departures, returns, discarded A' => "SELECT b.at, m.arrivals, m.departures, m.returns, m.discarded
		FROM @{[ buckets('day') ]} b CROSS JOIN vsm.metrics($stream, b.since, b.until, $filter) m ORDER BY 1",
	'flow: Flow efficiency by week A' => "SELECT b.at, m.flow_efficiency::float8 FROM @{[ buckets('week') ]} b CROSS JOIN vsm.metrics($stream, b.since, b.until, $filter) m
		ORDER BY 1",
	'flow: Cycle time by week A' => percentiles_by_week('c.cycle_time'),
	'flow: Lead time by week A' => percentiles_by_week('c.lead_time'),
	'flow: Cycle time scatter A' => "SELECT i.completed_at, extract(epoch FROM c.cycle_time)::float8 FROM vsm.completions($window, $filter) c
		JOIN $items i ON i.id = c.work_item_id WHERE c.cycle_time IS NOT NULL ORDER BY c.completed_at",
	'flow: Cycle time scatter B' => "SELECT t.at, extract(epoch FROM f.p50)::float8, extract(epoch FROM f.p85)::float8, extract(epoch FROM f.p95)::float8
		FROM $finished f CROSS JOIN (VALUES (\$__timeFrom()::timestamptz), (\$__timeTo()::timestamptz)) t(at) ORDER BY 1",
	'flow: Cycle time histogram A' => "SELECT extract(epoch FROM c.cycle_time)::float8 FROM vsm.completions($window, $filter) c WHERE c.cycle_time IS NOT NULL",
	'flow: Time in stage A' => "SELECT s.name, @{[ percentiles('t.time_in_stage') ]} FROM vsm.stages s LEFT JOIN $moves t ON t.from_stage_id = s.id
		WHERE $undone GROUP BY s.id ORDER BY s.\"order\"",
	'flow: Bottlenecks A' => "SELECT s.name, s.category, extract(epoch FROM v.spent)::float8 / nullif(extract(epoch FROM sum(v.spent) OVER ())::float8, 0),
			extract(epoch FROM v.spent)::float8 / nullif(v.n, 0), (SELECT count(*) FROM $moves t WHERE t.to_stage_id = s.id), v.n,
			(SELECT count(*) FROM $moves t WHERE t.to_stage_id = s.id) - v.n, $wip
		FROM vsm.stages s CROSS JOIN LATERAL (SELECT count(*) AS n, sum(t.time_in_stage) AS spent FROM $moves t WHERE t.from_stage_id = s.id) v
		WHERE $undone ORDER BY 3 DESC NULLS LAST, s.\"order\"",
	'flow: Ageing items A' => "SELECT i.id, i.external_id, i.title, i.type, s.name, extract(epoch FROM clock_timestamp() - i.started_at)::float8,
			extract(epoch FROM clock_timestamp() - i.stage_entered_at)::float8, $older
		FROM $items i JOIN vsm.stages s ON s.id = i.stage_id CROSS JOIN $finished f CROSS JOIN LATERAL (SELECT clock_timestamp() - i.started_at AS age) a
		WHERE i.started_at IS NOT NULL AND i.completed_at IS NULL AND i.discarded_at IS NULL ORDER BY i.started_at, i.created_at, i.id LIMIT 50",

	'data-quality: Must be 0 A' => 'SELECT 0::bigint',
	'data-quality: Drift of the WIP counters A' => 'SELECT 0::bigint, 0::bigint',
	'data-quality: What there is A' => "SELECT count(*), count(*) FILTER (WHERE i.reopened > 0), count(*) FILTER (WHERE i.backward_moves > 0),
			(SELECT count(*) FROM vsm.stages s WHERE s.stream = $stream AND s.category = 'active' AND s.wip_limit IS NULL),
			extract(epoch FROM clock_timestamp() - max(i.stage_entered_at))::float8
		FROM vsm.work_items i WHERE i.stream = $stream",
	'data-quality: All findings A' => "SELECT q.finding, q.items, array_to_string(q.examples, ', '), q.meaning FROM vsm.data_quality($stream) q",
	'data-quality: Moves by how late they were recorded A' => "SELECT @{[ bucket_of('day', 't.\"timestamp\"') ]}, late.how, count(*)
		FROM $all_moves t CROSS JOIN LATERAL (SELECT CASE WHEN t.recorded_at < t.\"timestamp\" + interval '1 minute' THEN 'at once'
			WHEN t.recorded_at < t.\"timestamp\" + interval '1 day' THEN 'within a day' ELSE 'later' END AS how) late GROUP BY 1, 2 ORDER BY 1, 2",
	'data-quality: Backward moves A' => "SELECT @{[ bucket_of('day', 't.\"timestamp\"') ]}, t.from_name, count(*) FROM $all_moves t WHERE t.backward GROUP BY 1, 2 ORDER BY 1, 2",
	'data-quality: Who moves A' => "SELECT t.actor, coalesce(t.reason, ''), count(*), max(t.recorded_at) FROM $all_moves t GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
	'data-quality: Counters and tables by stage A' => "SELECT s.name, $of_all_items, $of_all_items, 0::bigint, 0::bigint FROM vsm.stages s WHERE $undone ORDER BY s.\"order\"",
);

sub figures
{
	return \%figures;
}

1;
