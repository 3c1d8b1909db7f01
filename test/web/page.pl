# page.pl: the dashboard in a real browser, before real gateways and a simulated stream
#
# This starts what the browser looks at; the assertions are those of page.mjs, whose output is passed on.  VSM_BROWSER is the program,
# VSM_SHOTS the directory that screenshots go to, if there is one.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;

use lib "$FindBin::RealBin/../gateway", "$FindBin::RealBin/../grafana";
use Panels;
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('web');

# SQL is asked some minutes before the page is: in a zone where the day does not end meanwhile.
my ($zone) = grep { $node->safe_psql('postgres', "SELECT date_part('hour', now() AT TIME ZONE '$_') < 23") eq 't' } qw(Europe/Berlin America/New_York);
$ENV{VSM_ZONE} = $zone;

# As in the demo, of a larger team: one stage is over its limit.
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../../demo/simulate.sql"), extra_params => [ '-v', "zone=$zone", '-v', 'items=2500' ]);
# Which stages of a team hold items depends on the hour: those that the board is tried with hold some at any, and the queue for testing is over its limit.
$node->safe_psql('postgres', q{
	UPDATE vsm.stages SET wip_limit = CASE WHEN name <> 'Ready for testing' THEN wip_limit + 3 END WHERE stream = 'default';
	SELECT vsm.transition(w.id, w.stage, at => now() - interval '2 hours')
	FROM (SELECT s.name AS stage, (vsm.create_work_item('For the board', 'task', at => now() - interval '3 hours')).id
		FROM vsm.stages s, generate_series(1, 3) WHERE s.stream = 'default' AND s.name IN ('Analysis', 'Ready for testing', 'Testing', 'Ready for release') OFFSET 0) w;
	UPDATE vsm.stages SET wip_limit = 4 * w.items / 5 FROM vsm.wip_at('default') w WHERE stages.stream = 'default' AND name = stage AND stage = 'Ready for testing'});
# What is expected, blocked or has failed is of the tests.
$node->safe_psql('postgres', 'DELETE FROM vsm.sles; DELETE FROM vsm.blocks; DELETE FROM vsm.failures');

$node->safe_psql('postgres', q{
	CREATE ROLE page_reader; CREATE ROLE page_gate LOGIN NOINHERIT; GRANT page_reader TO page_gate; SELECT vsm.grant_access('page_reader', 'reader')});
$node->safe_psql('postgres', q{SELECT vsm.define_stream('support', '[{"name": "New", "category": "wait"}, {"name": "Spam", "category": "discarded"},
	{"name": "Answering"}, {"name": "Answered", "category": "done"}, {"name": "Withdrawn", "category": "discarded"}]');
	SELECT vsm.transition((vsm.create_work_item('Cheap watches', stream => 'support')).id, 'Spam')});

# What the panels show: attributes to filter by, an expectation, blocks of visits that have ended, and of items in progress.
$node->safe_psql('postgres', q{
	UPDATE vsm.work_items SET attributes = CASE WHEN id % 3 = 0 THEN '{"team": "red", "size": 2}' ELSE '{"team": "blue"}' END::jsonb WHERE stream = 'default';
	SELECT vsm.set_sle('default', '8 days', 0.85, since => current_date - 90);
	INSERT INTO vsm.blocks (work_item_id, reason, blocked_at, unblocked_at)
	SELECT t.work_item_id, CASE WHEN t.work_item_id % 8 = 0 THEN '=no "test" system, again' ELSE 'waits for <b>a customer</b>' END,
	       t."timestamp" - t.time_in_stage / 2, t."timestamp" - t.time_in_stage / 4
	FROM vsm.stage_transitions t JOIN vsm.stages s ON s.id = t.from_stage_id
	WHERE s.stream = 'default' AND s.name IN ('Development', 'Testing') AND t.work_item_id % 4 = 0
	  AND t."timestamp" > now() - interval '60 days';
	SELECT vsm.block(w.id, 'waits for <b>a customer</b>') FROM vsm.work_items w
	WHERE w.stream = 'default' AND w.type = 'bug' AND w.id % 3 = 0 AND w.started_at IS NOT NULL AND w.completed_at IS NULL AND w.discarded_at IS NULL
	ORDER BY w.id LIMIT 2});
# A log that ended long ago, and an item that was created since.
$node->safe_psql('postgres', q{SELECT vsm.define_stream('ended', '[{"name": "New", "category": "wait"}, {"name": "Doing"}, {"name": "Done", "category": "done"}]', time_zone => :'zone');
	SELECT vsm.transition(w.id, 'Doing', at => '2024-03-11 09:00Z'), vsm.transition(w.id, 'Done', at => '2024-03-20 09:00Z')
	FROM (SELECT (vsm.create_work_item('Of the log', 'bug', stream => 'ended', at => '2024-03-10 09:00Z')).id OFFSET 0) w;
	SELECT vsm.create_work_item('New one', 'bug', stream => 'ended')}, extra_params => [ '-v', "zone=$zone" ]);
# A stream that had other stages: of those, one holds an open item, one an item that was finished lately, the others only what is long over.
$node->safe_psql('postgres', q{SELECT vsm.define_stream('reshaped', '[{"name": "New", "category": "wait"}, {"name": "Old doing"}, {"name": "Doing"}, {"name": "Older done", "category": "done"},
		{"name": "Old done", "category": "done"}, {"name": "Old dropped", "category": "discarded"}, {"name": "Done", "category": "done"}]');
	SELECT vsm.transition((vsm.create_work_item(w.stage, stream => 'reshaped', at => now() - w.ago)).id, w.stage, at => now() - w.ago)
	FROM (VALUES ('Older done', interval '60 days'), ('Old done', '59 days'), ('Old dropped', '2 days'), ('Old done', '3 days'), ('Done', '2 days'), ('Old doing', '1 day'), ('Doing', '1 day'))
		w (stage, ago);
	SELECT vsm.define_stream('reshaped', '[{"name": "New", "category": "wait"}, {"name": "Doing"}, {"name": "Done", "category": "done"}]')});
# Names as long as they may be, with markup.
$node->safe_psql('postgres', q{
	SELECT vsm.define_stream('long', jsonb_build_array(jsonb_build_object('name', repeat('W', 150), 'category', 'wait'),
		jsonb_build_object('name', '<b>bold</b> & "quoted"'), jsonb_build_object('name', repeat('stage ', 24) || 'x'), jsonb_build_object('name', 'Done', 'category', 'done')));
	SELECT vsm.transition((vsm.create_work_item(repeat('M', 500), stream => 'long')).id, '<b>bold</b> & "quoted"');
	SELECT vsm.transition(w.id, s.name) FROM (SELECT (vsm.create_work_item('one that is done', stream => 'long')).id) w, vsm.stages s WHERE s.stream = 'long' AND s.name = 'Done';
	SELECT vsm.block(w.id, repeat('N', 500)) FROM vsm.work_items w WHERE w.stream = 'long' AND w.completed_at IS NULL});
$node->safe_psql('postgres', 'CREATE DATABASE nothing');
$node->safe_psql('nothing', 'CREATE EXTENSION vsm');

my %gateway = (
	MAIN => Service->start($node),
	EMPTY => Service->start($node, url => url($node, 'nothing')),
	DOWN => Service->start($node),
	TOKEN => Service->start($node, url => url($node) =~ s/user=[^&]*/user=page_gate/r, env => { VSM_GATEWAY_JWT_SECRET => $secret }),
);
my $signed = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url('{"role":"page_reader"}');

$ENV{"VSM_$_"} = "http://127.0.0.1:$gateway{$_}{port}/" for keys %gateway;
$ENV{VSM_DOWN_PID} = $gateway{DOWN}{pid};
$ENV{VSM_JWT} = "$signed." . encode_base64url(hmac_sha256($signed, $secret));

# What the same window is to SQL and to Grafana: whole days of the stream's zone, of all types and of one.
sub row
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "SELECT row_to_json(r) FROM ($sql) r");
}

my ($dashboard) = grep { $_->{uid} eq 'vsm-flow' } dashboards();
my %panel = map { $_->[0]{title} => $_->[1]{rawSql} } targets($dashboard);
my @days = split ' ', $node->safe_psql('postgres', "SELECT d - 40 || ' ' || d - 11 || ' ' || d - 10 FROM CAST(now() AT TIME ZONE '$zone' AS date) d");
my ($from, $to) = map { "$days[$_] 00:00 $zone" } 0, 2;
my @doors;
for my $type (undef, 'bug')
{
	my %how = (from => $from, to => $to, variables => { stream => 'default', type => $type, attributes => '' }, all => { type => 'NULL' });
	my $quoted = defined $type ? "'$type'" : 'NULL';
	push @doors, sprintf '{"since": "%s", "until": "%s", "type": "%s", "sql": %s, "grafana": [%s, %s]}', @days[0, 1], $type // '',
		row("SELECT * FROM vsm.metrics('default', '$from', '$to', $quoted)"), map { row(expand_sql($panel{$_}, %how)) } 'Flow', 'Flow balance';
}
$ENV{VSM_DOORS} = '[' . join(', ', @doors) . ']';

# What SQL answers to what the panels show, of all items and of some: durations in hours.
sub hours { my ($what) = @_; return "round(extract(epoch FROM $what) / 3600, 2)"; }

my ($before, $ahead, $history) = split ' ', $node->safe_psql('postgres', "SELECT d - 70 || ' ' || d + 30 || ' ' || d - 90 FROM CAST(now() AT TIME ZONE '$zone' AS date) d");
my @figures;
for my $of ([ '', '' ], [ 'bug', '{"team": "red"}' ])
{
	my ($type, $attributes) = map { $_ eq '' ? 'NULL' : "'$_'" } @$of;
	my $filters = "type => $type, attributes => $attributes";
	my $window = "'default', since => '$from', until => '$to', $filters";
	my $key_figures = 'SELECT throughput, round(wip, 2) AS wip, round(started_wip, 2) AS started, ' . join(', ', map { hours("cycle_time_p$_") . " AS p$_" } 50, 85, 95)
		. ', round(flow_efficiency, 4) AS efficiency, wip_now, open_at_until, cycle_time_n AS n FROM vsm.metrics';
	my %answers = (
		metrics => "$key_figures($window)",
		before => "$key_figures('default', since => '$before 00:00 $zone', until => '$from', $filters)",
		bottlenecks => "SELECT rank, stage, score, time_share, avg_items, queue_growth, entered, limit_hits, blocked_share, blocked_reason, why FROM vsm.bottlenecks($window) ORDER BY rank",
		balance => "SELECT arrivals, departures, open, started, " . hours('total_age') . " AS total_age FROM vsm.flow_balance($window, bucket => 'day') ORDER BY bucket",
		law => "SELECT sentence FROM vsm.littles_law($window)",
		sle => "SELECT items, within, round(share, 4) AS share, unjudged, " . hours('elapsed') . " AS elapsed, probability FROM vsm.sle_conformance($window)",
		sle_weeks => "SELECT items, within, round(share, 4) AS share, " . hours('elapsed') . " AS elapsed, probability FROM vsm.sle_conformance($window, bucket => 'week') ORDER BY bucket",
		blocked => "SELECT stage, reason, spells, items, " . hours('blocked') . " AS blocked FROM vsm.blocked_time($window)",
		forecast => "SELECT confidence, done_on, items_done, days_with_throughput, finished FROM vsm.forecast(20, '$ahead', 'default', $filters) ORDER BY confidence",
		age => "SELECT coalesce(external_id, '#' || work_item_id) AS item, stage, pace, risk, block_reason, " . hours('blocked') . " AS blocked
			FROM vsm.work_item_age('default', $filters) WHERE age IS NOT NULL",
		pace => 'SELECT stage, n, ' . join(', ', map { hours("p$_") . " AS p$_" } 50, 70, 85, 95) . " FROM vsm.stage_pace('default', since => '$history 00:00 $zone', $filters)",
		(map {
			my ($figure, $digits, $limits) = @$_;
			$figure => "SELECT round(value, $digits) AS value, round(moving_range, $digits) AS moving_range, round(mean, $limits) AS mean, round(lower, $limits) AS lower,
				round(upper, $limits) AS upper, signal FROM vsm.process_behaviour($window, figure => '$figure', bucket => 'day')"
		} [ 'throughput', 0, 4 ], [ 'cycle_time', 2, 2 ], [ 'wip', 0, 4 ], [ 'total_age', 2, 2 ]),
		graph => 'SELECT from_stage, to_stage, n, ' . join(', ', map { hours($_) . " AS $_" } qw(p50 p85 avg)) . ", backward FROM vsm.flow_graph($window)",
		paths => "SELECT array_to_string(path, ' → ') AS path, n, round(share, 4) AS share, " . hours('cycle_time_p50') . ' AS p50, ' . hours('cycle_time_p85')
			. " AS p85, loops FROM vsm.flow_paths($window, \"limit\" => 15)",
		rework => "SELECT stage, handed_on, sent_back, round(complete_accurate, 4) AS complete, round(first_pass_yield, 4) AS first, loops, round(rolled_complete_accurate, 4) AS rolled
			FROM vsm.rework($window)",
		time_in_stage => 'SELECT t.stage, t.visits, ' . join(', ', map { hours("t.$_") . " AS $_" } qw(p50 p85 p95)) . " FROM vsm.time_in_stage($window) t
			JOIN vsm.stages s ON s.stream = 'default' AND s.name = t.stage WHERE s.category IN ('wait', 'active') ORDER BY s.\"order\"",
		quality => "SELECT finding, items, meaning FROM vsm.data_quality('default')",
	);
	$_ = JSON::PP::decode_json($node->safe_psql('postgres', "SELECT coalesce(json_agg(r), '[]') FROM ($_) r")) for values %answers;
	push @figures, { since => $days[0], until => $days[1], ahead => $ahead, type => $of->[0], attributes => $of->[1], %answers };
}
$ENV{VSM_FIGURES} = file('figures.json');
append_to_file($ENV{VSM_FIGURES}, JSON::PP::encode_json(\@figures));

# Standard output is a log by now; Test::More has the one that counts.
my $output = Test::More->builder->output;
Test::More->builder->no_ending(1);
open my $browser, '-|', 'node', "$FindBin::RealBin/page.mjs" or BAIL_OUT("node: $!");
print {$output} $_ while <$browser>;
my $fine = close $browser;
$_->stop for values %gateway;
$node->stop;
exit($fine ? 0 : 1);
