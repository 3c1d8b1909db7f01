# Figures.pm: what each panel over the database must show, from the flow functions and the tables
#
#	figures()		{ 'file: title refId' => SQL, ... }
#
# The SQL has Grafana's macros and variables, ${zone} for the stream's time zone, and ${step} for the interval.  It gives the
# columns of the panel in their order.  Where a panel asks a function, this counts the tables or asks another function; what
# only that function can tell, such as a signal or a forecast, it takes from there, with the arguments in their places.

package Figures;

use strict;
use utf8;
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

# Days, weeks, or as chosen: their beginning, what of them is in the window, and whether that is all.
sub buckets
{
	my $unit = quoted(@_);
	return "(SELECT b AT TIME ZONE \${zone} AS at, greatest(b AT TIME ZONE \${zone}, \$__timeFrom()) AS since,
			least((b + ('1 ' || $unit)::interval) AT TIME ZONE \${zone}, \$__timeTo()) AS until,
			b AT TIME ZONE \${zone} >= \$__timeFrom() AND (b + ('1 ' || $unit)::interval) AT TIME ZONE \${zone} <= \$__timeTo() AS whole
		FROM generate_series(date_trunc($unit, \$__timeFrom()::timestamptz AT TIME ZONE \${zone}), \$__timeTo()::timestamptz AT TIME ZONE \${zone},
			('1 ' || $unit)::interval) b WHERE b AT TIME ZONE \${zone} < \$__timeTo())";
}

sub bucket_of
{
	my ($unit, $at) = (quoted($_[0]), $_[1]);
	return "date_trunc($unit, $at AT TIME ZONE \${zone}) AT TIME ZONE \${zone}";
}

sub quoted
{
	my ($unit) = @_;
	return $unit eq 'chosen' ? '${bucket:sqlstring}' : "'$unit'";
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


# ---- Of dashboard diagnosis ----

my $first = q{($__timeFrom()::timestamptz - interval '1 microsecond')};
my $last = q{($__timeTo()::timestamptz - interval '1 microsecond')};
my $length = q{extract(epoch FROM $__timeTo()::timestamptz - $__timeFrom()::timestamptz)};
my $chosen = '${bucket:sqlstring}';

# What the service level expectation of the chosen type is at an instant: a row, or none.
sub expected
{
	my ($at) = @_;
	return "(SELECT e.elapsed, e.probability FROM vsm.sles e WHERE e.stream = $stream AND (e.type IS NULL OR e.type = \${type:sqlstring})
		AND e.since <= ($at AT TIME ZONE \${zone})::date ORDER BY e.type IS NULL, e.since DESC LIMIT 1)";
}

# Completions of the window, with what was expected of each on its day.
my $judged = "(SELECT c.*, e.elapsed FROM vsm.completions($window, $filter) c LEFT JOIN LATERAL (
		SELECT e.elapsed FROM vsm.sles e WHERE e.stream = $stream AND (e.type IS NULL OR e.type = c.type)
			AND e.since <= (c.completed_at AT TIME ZONE \${zone})::date ORDER BY e.type IS NULL, e.since DESC LIMIT 1) e ON true)";
my $can_be = 'c.elapsed IS NOT NULL AND c.cycle_time IS NOT NULL';
my $share_within = "count(*) FILTER (WHERE c.cycle_time <= c.elapsed)::float8 / nullif(count(*) FILTER (WHERE $can_be), 0)";

# Every stay in a stage, and how much of it is in the window.
my $visits = "(SELECT v.*, greatest(extract(epoch FROM least(v.left_at, \$__timeTo()) - greatest(v.entered_at, \$__timeFrom())), 0) AS within
	FROM (SELECT t.work_item_id, t.to_stage_id AS stage_id, i.started_at, t.\"timestamp\" AS entered_at,
			coalesce(lead(t.\"timestamp\") OVER (PARTITION BY t.work_item_id ORDER BY t.\"timestamp\", t.id), 'infinity') AS left_at
		FROM vsm.stage_transitions t JOIN $items i ON i.id = t.work_item_id) v)";

# Ages at which the items that finished in the window left each stage for the last time.
my $paces = "(SELECT c.work_item_id, t.from_stage_id AS stage_id, max(t.\"timestamp\") - c.started_at AS age FROM vsm.completions($window, $filter) c
	JOIN vsm.stage_transitions t ON t.work_item_id = c.work_item_id AND t.\"timestamp\" > c.started_at AND t.\"timestamp\" <= c.completed_at
	GROUP BY c.work_item_id, c.started_at, t.from_stage_id)";

# The parts of blocks that count.
my $blocked = "(SELECT b.*, extract(epoch FROM b.until - b.since)::float8 AS length
	FROM (SELECT k.id, k.work_item_id, k.reason, s.name, s.\"order\", greatest(k.blocked_at, v.entered_at, v.started_at, \$__timeFrom()) AS since,
			least(coalesce(k.unblocked_at, 'infinity'), v.left_at, \$__timeTo()) AS until
		FROM vsm.blocks k JOIN $visits v ON v.work_item_id = k.work_item_id AND v.started_at IS NOT NULL
		JOIN vsm.stages s ON s.id = v.stage_id AND s.category IN ('wait', 'active')) b WHERE b.since < b.until)";

# Moves between two stages; 0 stands for none.
my $edges = "(SELECT coalesce(t.from_stage_id, 0) AS f, t.to_stage_id AS t, t.from_name, t.to_name, t.from_order, t.to_order, count(*) AS n,
		extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY t.time_in_stage))::float8 AS p50,
		extract(epoch FROM percentile_disc(0.85) WITHIN GROUP (ORDER BY t.time_in_stage))::float8 AS p85,
		extract(epoch FROM avg(t.time_in_stage))::float8 AS avg, coalesce(t.to_order < t.from_order, false) AS backward
	FROM $moves t GROUP BY 1, 2, 3, 4, 5, 6)";

# What a forecast draws from: NULL, or what it is asked.
my $today = '($__timeTo()::timestamptz AT TIME ZONE ${zone})::date';
my $works = q{CASE WHEN ${working_days:sqlstring} <> 'every day' THEN ARRAY[1, 2, 3, 4, 5] END};
my $productive = "(SELECT count(DISTINCT d.day) FROM (SELECT (c.completed_at AT TIME ZONE \${zone})::date AS day
	FROM vsm.completions($stream, ($today - 90)::timestamp AT TIME ZONE \${zone}, ${today}::timestamp AT TIME ZONE \${zone}, $filter) c) d
	WHERE d.day NOT IN (SELECT o.day FROM vsm.days_off o WHERE o.stream = $stream) AND extract(isodow FROM d.day) = ANY (coalesce($works, '{1,2,3,4,5,6,7}')))";
my $asked = "(SELECT CASE WHEN $productive >= 5 THEN coalesce(nullif(\${items:sqlstring}, '')::integer, greatest(count(*), 1)::integer) END AS items,
	coalesce(nullif(\${until:sqlstring}, '')::date, $today + 30) AS until
	FROM vsm.work_item_age($stream, at => \$__timeTo(), $filter))";
my $drawn = "\$__timeTo(), $attributes, $works";

# Deployments that were reported, or the entries into done.
sub deployments
{
	my ($since, $until, $departures) = @_;
	return "CASE WHEN EXISTS (SELECT FROM vsm.deployments x WHERE x.stream = $stream)
		THEN (SELECT count(*) FROM vsm.deployments x WHERE x.stream = $stream AND x.deployed_at >= $since AND x.deployed_at < $until) ELSE $departures END";
}

sub median
{
	my ($value) = @_;
	return "extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY $value))::float8";
}

# For each bucket, from the flow balance of its own and from the items finished in it.
sub by_bucket
{
	my ($columns, $of_metrics) = @_;
	return "SELECT b.at, $columns FROM @{[ buckets('chosen') ]} b CROSS JOIN LATERAL vsm.metrics($stream, b.since, b.until, $filter) m ORDER BY 1" if $of_metrics;
	return "SELECT b.at, $columns FROM @{[ buckets('chosen') ]} b LEFT JOIN $judged c ON @{[ bucket_of('chosen', 'c.completed_at') ]} = b.at
		GROUP BY b.at, b.until ORDER BY 1";
}

# The ages of the started items at the end of each bucket, summed up.
my $ages = "(SELECT b.at, coalesce(sum(extract(epoch FROM b.until - v.started_at)), 0)::float8 AS total
	FROM @{[ buckets('chosen') ]} b LEFT JOIN ($visits v JOIN vsm.stages s ON s.id = v.stage_id AND s.category IN ('wait', 'active'))
		ON v.entered_at < b.until AND v.left_at >= b.until AND v.started_at < b.until GROUP BY 1)";
my $total_age = '(SELECT a.total FROM ages a WHERE a.at = b.at)';

# Mean and limits of the buckets that lie in the window as a whole; signals as the function says.
sub behaviour
{
	my ($figure, $value, $scale) = @_;
	my $at = sub { "CASE WHEN p.signal = '$_[0]' THEN v.value END" };
	return "WITH ages AS MATERIALIZED $ages, v AS (SELECT b.at, b.whole, ($value)::float8 AS value FROM @{[ buckets('chosen') ]} b),
		l AS (SELECT avg(r.value) AS mean, avg(r.range) AS range
			FROM (SELECT v.value, abs(v.value - lag(v.value) OVER (ORDER BY v.at)) AS range FROM v WHERE v.whole AND v.value IS NOT NULL) r)
		SELECT v.at, v.value, l.mean, CASE WHEN l.range IS NOT NULL THEN greatest(l.mean - 2.66 * l.range, 0) END, l.mean + 2.66 * l.range,
			@{[ join ', ', map { $at->($_) } qw(beyond_limit eight_on_one_side three_of_four) ]}
		FROM v CROSS JOIN l JOIN vsm.process_behaviour($stream, '$figure', \$__timeFrom(), \$__timeTo(), $chosen, NULL, NULL, \${type:sqlstring}, NULL, $attributes) p
			ON p.at = v.at ORDER BY 1";
}

my $in_bucket = "FROM vsm.completions($window, $filter) c WHERE @{[ bucket_of('chosen', 'c.completed_at') ]} = b.at";

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
	'flow: Cycle time scatter C' => "SELECT t.at, extract(epoch FROM e.elapsed)::float8
		FROM @{[ expected($last) ]} e CROSS JOIN (VALUES (\$__timeFrom()::timestamptz), (\$__timeTo()::timestamptz)) t(at) ORDER BY 1",
	'flow: Cycle time histogram A' => "SELECT extract(epoch FROM c.cycle_time)::float8 FROM vsm.completions($window, $filter) c WHERE c.cycle_time IS NOT NULL",
	'flow: Time in stage A' => "SELECT s.name, @{[ percentiles('t.time_in_stage') ]} FROM vsm.stages s LEFT JOIN $moves t ON t.from_stage_id = s.id
		WHERE $undone GROUP BY s.id ORDER BY s.\"order\"",
	'flow: Ageing items A' => "SELECT i.id, i.external_id, i.title, i.type, s.name, extract(epoch FROM \$__timeTo() - i.started_at)::float8,
			extract(epoch FROM \$__timeTo() - i.stage_entered_at)::float8, $older, a.pace::float8, a.risk::float8, extract(epoch FROM a.blocked)::float8,
			(SELECT b.reason FROM vsm.blocks b WHERE b.work_item_id = i.id AND b.unblocked_at IS NULL)
		FROM vsm.work_item_age($stream, \${type:sqlstring}, \$__timeTo(), $attributes) a JOIN $items i ON i.id = a.work_item_id JOIN vsm.stages s ON s.id = i.stage_id
			CROSS JOIN $finished f
		WHERE i.started_at IS NOT NULL AND i.completed_at IS NULL AND i.discarded_at IS NULL ORDER BY i.started_at, i.created_at, i.id LIMIT 50",

	'diagnosis: Bottleneck A' => "SELECT coalesce(max('Bottleneck: ' || b.stage || '. ' || b.why), 'No bottleneck: no started work was in progress in this window.')
		FROM (SELECT * FROM vsm.bottlenecks($window, $filter) LIMIT 1) b WHERE b.score > 0",
	'diagnosis: All stages, ranked A' => "SELECT b.rank, b.stage, b.score::float8, round(coalesce(o.spent, 0) / nullif(sum(o.spent) OVER (), 0), 4)::float8, round(coalesce(o.spent, 0) / $length, 4)::float8,
			e.items - s.items, b.limit_hits, b.why
		FROM vsm.bottlenecks($window, $filter) b JOIN vsm.wip_at($stream, $first, $filter) s ON s.stage = b.stage JOIN vsm.wip_at($stream, $last, $filter) e ON e.stage = b.stage
			LEFT JOIN (SELECT x.name, sum(v.within) AS spent FROM $visits v JOIN vsm.stages x ON x.id = v.stage_id GROUP BY 1) o ON o.name = b.stage
		ORDER BY b.rank",
	'diagnosis: Forecast A' => "SELECT f.confidence, a.items, coalesce(to_char(f.done_on, 'YYYY-MM-DD'), 'not within ten years'), to_char(a.until, 'YYYY-MM-DD'), f.items_done
		FROM $asked a CROSS JOIN LATERAL vsm.forecast(a.items, a.until, $stream, \${type:sqlstring}, 90, 1, 10000, $drawn) f WHERE a.items IS NOT NULL ORDER BY 1",
	'diagnosis: Drawn from A' => "SELECT CASE WHEN a.items IS NULL
			THEN 'There are too few days with throughput for a forecast: of the 90 whole days before today, ' || $productive || ' have throughput; a forecast needs 5.'
			ELSE (SELECT 'Drawn from ' || $productive || ' days with throughput, ' || f.since || ' to ' || ($today - 1) || ': ' || (SELECT count(*)
					FROM vsm.completions($stream, f.since::timestamp AT TIME ZONE \${zone}, ${today}::timestamp AT TIME ZONE \${zone}, $filter)) || ' items finished; 10000 trials.'
				FROM vsm.forecast(NULL, $today + 1, $stream, \${type:sqlstring}, 90, 1, 10000, $drawn) f LIMIT 1) END FROM $asked a",
	'diagnosis: Service level expectation A' => "SELECT $share_within, max(e.probability), extract(epoch FROM max(e.elapsed))::float8, count(*) FILTER (WHERE $can_be),
			count(*) FILTER (WHERE c.cycle_time <= c.elapsed), count(c.work_item_id) - count(*) FILTER (WHERE $can_be)
		FROM (SELECT) x LEFT JOIN $judged c ON true LEFT JOIN @{[ expected($last) ]} e ON true",
	'diagnosis: Conformance over time A' => by_bucket("$share_within, (SELECT e.probability FROM @{[ expected(q{(b.until - interval '1 microsecond')}) ]} e)"),
	'diagnosis: Age against pace A' => "SELECT s.name, @{[ join ', ', map { qq{extract(epoch FROM percentile_disc($_) WITHIN GROUP (ORDER BY p.age))::float8} } 0.5, 0.7, 0.85, 0.95 ]},
			(SELECT extract(epoch FROM max(\$__timeTo() - i.started_at))::float8 FROM $items i WHERE i.stage_id = s.id AND i.completed_at IS NULL AND i.discarded_at IS NULL)
		FROM vsm.stages s LEFT JOIN $paces p ON p.stage_id = s.id WHERE $undone GROUP BY s.id ORDER BY s.\"order\"",
	"diagnosis: Little's Law A" => "SELECT vsm_api.littles_law($stream, \$__timeFrom(), \$__timeTo(), \${type:sqlstring}, NULL, $attributes) ->> 'sentence'",
	'diagnosis: Arrivals and departures A' => by_bucket('m.arrivals, m.departures', 1),
	'diagnosis: Work in progress over time A' => by_bucket('m.open_at_until, m.started_at_until', 1),
	'diagnosis: Total work item age A' => "SELECT * FROM $ages a ORDER BY 1",
	'diagnosis: Throughput, process behaviour A' => behaviour('throughput', "SELECT count(*) $in_bucket"),
	'diagnosis: Cycle time, process behaviour A' => behaviour('cycle_time', "SELECT extract(epoch FROM avg(c.cycle_time)) $in_bucket"),
	'diagnosis: WIP, process behaviour A' => behaviour('wip', "SELECT m.open_at_until FROM vsm.metrics($stream, b.since, b.until, $filter) m"),
	'diagnosis: Age, process behaviour A' => behaviour('age', "SELECT $total_age / nullif(m.started_at_until, 0) FROM vsm.metrics($stream, b.since, b.until, $filter) m"),
	'diagnosis: Total age, process behaviour A' => behaviour('total_age', $total_age),
	'diagnosis: Blocked time by reason A' => "SELECT b.reason, sum(b.length) FROM $blocked b GROUP BY 1 ORDER BY 2 DESC, 1",
	'diagnosis: Blocked time by stage and reason A' => "SELECT b.name, b.reason, count(DISTINCT b.id), count(DISTINCT b.work_item_id), sum(b.length) FROM $blocked b
		GROUP BY b.\"order\", 1, 2 ORDER BY b.\"order\", 5 DESC, 2",
	'diagnosis: Stage graph nodes' => "SELECT n.id, n.title, n.subtitle, n.items FROM (
			SELECT 0 AS place, '0' AS id, 'created' AS title, '' AS subtitle, NULL::bigint AS items FROM $edges e WHERE e.f = 0 GROUP BY 1
			UNION ALL
			SELECT s.\"order\", s.id::text, s.name, s.category, (SELECT count(*) FROM $moves t WHERE t.to_stage_id = s.id) FROM vsm.stages s WHERE s.stream = $stream
				AND s.id IN (SELECT unnest(ARRAY[t.from_stage_id, t.to_stage_id]) FROM $moves t)) n ORDER BY n.id <> '0', n.place",
	'diagnosis: Stage graph edges' => "SELECT e.f || '-' || e.t, e.f, e.t, e.n, e.p50, 1 + 9 * e.n::float8 / (SELECT max(x.n) FROM $edges x),
			CASE WHEN e.backward THEN '#E69F00' ELSE '#999999' END, CASE WHEN e.backward THEN '6 4' ELSE '' END FROM $edges e ORDER BY e.from_order NULLS FIRST, e.to_order",
	'diagnosis: Moves between stages A' => "SELECT coalesce(e.from_name, 'created'), e.to_name, e.n, e.p50, e.p85, e.avg, CASE WHEN e.backward THEN 'back' ELSE '' END
		FROM $edges e ORDER BY e.from_order NULLS FIRST, e.to_order",
	'diagnosis: Frequent paths A' => "SELECT array_to_string(x.names, ' → '), count(*), count(*)::float8 / sum(count(*)) OVER (),
			@{[ join ', ', map { qq{extract(epoch FROM percentile_disc($_) WITHIN GROUP (ORDER BY x.cycle_time))::float8} } 0.5, 0.85 ]},
			cardinality(x.names) - (SELECT count(DISTINCT n) FROM unnest(x.names) n)
		FROM (SELECT c.work_item_id, c.cycle_time, array_agg(s.name ORDER BY t.\"timestamp\", t.id) AS names, array_agg(s.\"order\" ORDER BY t.\"timestamp\", t.id) AS orders
			FROM vsm.completions($window, $filter) c JOIN vsm.stage_transitions t ON t.work_item_id = c.work_item_id AND t.\"timestamp\" <= c.completed_at
			JOIN vsm.stages s ON s.id = t.to_stage_id GROUP BY 1, 2) x
		GROUP BY x.names, x.orders ORDER BY 2 DESC, x.orders LIMIT 20",
	'diagnosis: Rework A' => "SELECT s.name, h.n, r.sent_back, 1 - r.sent_back::float8 / nullif(h.n, 0), r.first_pass_yield::float8, r.rolled_complete_accurate::float8,
			(SELECT count(*) FROM $moves t WHERE t.to_stage_id = s.id AND t.to_order < t.from_order AND t.from_category <> 'discarded')
		FROM vsm.stages s JOIN vsm.rework($window, $filter) r ON r.stage = s.name CROSS JOIN LATERAL (SELECT count(*) AS n FROM $moves t
			WHERE t.from_stage_id = s.id AND t.to_order > t.from_order AND t.to_category <> 'discarded') h
		WHERE s.stream = $stream AND s.category <> 'discarded' ORDER BY s.\"order\"",
	'diagnosis: DORA A' => "SELECT x.n, round(x.n * 86400 / $length, 4)::float8, (SELECT @{[ median('c.lead_time') ]} FROM vsm.completions($window, $filter) c),
			d.change_fail_rate::float8, extract(epoch FROM d.failed_deployment_recovery_time)::float8, d.rework_rate::float8
		FROM vsm.dora($window, NULL, \${type:sqlstring}, $attributes) d CROSS JOIN LATERAL (SELECT @{[ deployments('$__timeFrom()', '$__timeTo()', 'm.departures') ]} AS n
			FROM vsm.metrics($window, $filter) m) x",
	'diagnosis: Deployments over time A' => "SELECT b.at, @{[ deployments('b.since', 'b.until', 'm.departures') ]}, d.failed_deployments
		FROM @{[ buckets('chosen') ]} b CROSS JOIN LATERAL vsm.metrics($stream, b.since, b.until, $filter) m
			JOIN vsm.dora($window, $chosen, \${type:sqlstring}, $attributes) d ON d.bucket = (b.at AT TIME ZONE \${zone})::date ORDER BY 1",
	'diagnosis: Change fail rate and rework rate A' => "SELECT b.at, d.change_fail_rate::float8, d.rework_rate::float8
		FROM @{[ buckets('chosen') ]} b JOIN vsm.dora($window, $chosen, \${type:sqlstring}, $attributes) d ON d.bucket = (b.at AT TIME ZONE \${zone})::date ORDER BY 1",
	'diagnosis: Change lead time and recovery time A' => "SELECT b.at, (SELECT @{[ median('c.lead_time') ]} $in_bucket), extract(epoch FROM d.failed_deployment_recovery_time)::float8
		FROM @{[ buckets('chosen') ]} b JOIN vsm.dora($window, $chosen, \${type:sqlstring}, $attributes) d ON d.bucket = (b.at AT TIME ZONE \${zone})::date ORDER BY 1",
	'diagnosis: Flow Framework A' => "SELECT m.throughput, extract(epoch FROM m.lead_time_avg)::float8, extract(epoch FROM m.lead_time_p85)::float8, m.flow_efficiency::float8, m.wip::float8
		FROM vsm.metrics($window, $filter) m",
	'diagnosis: Flow distribution A' => "SELECT @{[ bucket_of('chosen', 'c.completed_at') ]}, c.type, count(*) FROM vsm.completions($window, $filter) c GROUP BY 1, 2 ORDER BY 1, 2",
	'diagnosis: Flow time A' => by_bucket('extract(epoch FROM avg(c.lead_time))::float8, ' . join ', ', map {
			"extract(epoch FROM percentile_disc($_) WITHIN GROUP (ORDER BY c.lead_time))::float8" } 0.5, 0.85),
	'diagnosis: Forecasts that held A' => "SELECT b.confidence, sum((b.held IS NOT NULL)::integer), sum(b.held::integer), avg(b.held::integer)::float8
		FROM vsm.forecast_backtest(NULL, 14, $window, \${type:sqlstring}, 90, 1, 1000, $attributes, $works) b GROUP BY 1 ORDER BY 1",
	'diagnosis: Forecasts and what came A' => "SELECT b.as_of::timestamp AT TIME ZONE \${zone}, b.forecast, h.forecast, h.actual
		FROM vsm.forecast_backtest(NULL, 14, $window, \${type:sqlstring}, 90, 1, 1000, $attributes, $works) b
			JOIN vsm.forecast_backtest(NULL, 14, $window, \${type:sqlstring}, 90, 1, 1000, $attributes, $works) h ON h.as_of = b.as_of AND h.confidence = 50
		WHERE b.confidence = 85 ORDER BY 1",

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
