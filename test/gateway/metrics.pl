# metrics.pl: two gateways, a restarted one and SQL show a Prometheus the same totals, in a scrape that does not grow

use strict;
use warnings;

use Cpanel::JSON::XS qw(decode_json);
use FindBin;
use HTTP::Tiny;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use Service;

# The families of the database, and that of the requests, with their types.
my %families = (
	vsm_requests_total => 'counter',
	vsm_work_items_created_total => 'counter',
	vsm_stage_transitions_total => 'counter',
	vsm_work_in_progress => 'gauge',
	vsm_wip_limit => 'gauge',
	vsm_cycle_time_hours => 'histogram',
	vsm_stage_cycle_time_seconds => 'histogram',
	vsm_lead_time_seconds => 'histogram',
	vsm_throughput_per_day => 'gauge',
	vsm_fold_days_waiting => 'gauge');
my %bounds = (
	vsm_cycle_time_hours => [ qw(1 4 8 24 48 72 168 336 720 +Inf) ],
	vsm_stage_cycle_time_seconds => [ qw(3600 14400 28800 86400 172800 259200 604800 1209600 2592000 +Inf) ],
	vsm_lead_time_seconds => [ qw(3600 14400 28800 86400 172800 259200 604800 1209600 2592000 +Inf) ]);

my $node = database('metrics');
my @gw = map { Service->start($node) } 1 .. 2;

work();
families();
equal_to_sql();
lint();
labels();
does_not_grow();
restarted();
scraped();

$_->finish for @gw;
$node->stop;
done_testing();

# Some through either gateway, some past both.
sub work
{
	for my $n (1 .. 12)
	{
		my $id = $gw[ $n % 2 ]->create("item $n", type => (qw(feature bug task))[ $n % 3 ]);
		$gw[ ($n + 1) % 2 ]->move($id, $_) for (qw(Analysis Development Testing Deployment Production))[ 0 .. $n % 6 - 1 ];
	}
	$node->safe_psql('postgres', q{
		SELECT vsm.transition(i.id, 'Analysis', now() - interval '50 hours') FROM vsm.create_work_item('by SQL', 'epic', at => now() - interval '60 hours') i;
		SELECT vsm.transition(max(id), 'Production') FROM vsm.work_items;
		SELECT vsm.define_stream('odd "name"\ of a stream', '[{"name":"In \\"quotes\\""},{"name":"Out","category":"done"}]');
		SELECT vsm.transition(i.id, 'Out') FROM vsm.create_work_item('odd', 'bug', 'odd "name"\ of a stream') i;
		DELETE FROM vsm.work_items WHERE title = 'item 7'});
	return;
}

sub scrape
{
	my ($gw, %headers) = @_;
	return $gw->get('/metrics', %headers)->{content};
}

# { 'name{labels}' => value }, labels sorted.
sub samples
{
	my ($text) = @_;
	my %samples;
	for (split /\n/, $text)
	{
		/^(\w+)(?:\{(.*)\})? (\S+)$/ or next;
		my ($name, $labels, $value) = ($1, $2 // '', $3);
		$samples{"$name\{" . join(',', sort $labels =~ /(\w+="(?:[^"\\]|\\.)*")/g) . '}'} = $value;
	}
	return \%samples;
}

# Only what the database counts.
sub totals
{
	my ($text) = @_;
	my $samples = samples($text);
	return { map { $_ => 0 + $samples->{$_} } grep { /^vsm_(work_items_created|stage_transitions|work_in_progress|cycle_time|stage_cycle|lead_time|throughput)/ } keys %$samples };
}

sub families
{
	my $text = scrape($gw[0]);
	for my $name (sort keys %families)
	{
		like($text, qr/^# TYPE $name $families{$name}$/m, "$name is a $families{$name}");
		like($text, qr/^# HELP $name \S/m, "$name says what it is");
	}
	for my $name (sort keys %bounds)
	{
		my %series;
		push @{ $series{ $1 =~ s/,?le="[^"]*"//r } }, $2 while $text =~ /^${name}_bucket\{(.*?le="([^"]*)".*)\} /mg;
		ok(%series, "$name has samples");
		is_deeply($series{$_}, $bounds{$name}, "the buckets of $name\{$_}") for sort keys %series;
	}
	like($text, qr/^vsm_stage_transitions_total\{(?=[^}]*from_stage="none")(?=[^}]*to_stage="Backlog")/m, 'the first move comes from none');
	like($text, qr/stream="odd \\"name\\"\\\\ of a stream"/, 'labels are escaped');
	like($text, qr/^vsm_\w*build_info\{[^}]*version="[^"]+"/m, 'the build is named');
	return;
}

sub equal_to_sql
{
	my $samples = samples(scrape($gw[0]));
	my $label = q{replace(replace(%s, '\\', '\\\\'), '"', '\\"')};
	my ($stream, $type, $from, $to) = map { sprintf $label, $_ } qw(stream type from_stage to_stage);
	my %sql = map { /^(.*)\|(\d+)$/ } split /\n/, $node->safe_psql('postgres', qq{
		SELECT format('vsm_work_items_created_total{stream="%s",type="%s"}', $stream, $type), value FROM vsm.flow_totals WHERE total = 'work_items_created'
		UNION ALL SELECT format('vsm_stage_transitions_total{from_stage="%s",stream="%s",to_stage="%s"}', coalesce($from, 'none'), $stream, $to), value
			FROM vsm.flow_totals WHERE total = 'stage_transitions'
		UNION ALL SELECT format('vsm_work_in_progress{stage="%s",stream="%s"}', ${\ sprintf $label, 'stage'}, $stream), wip FROM vsm.wip});
	cmp_ok(scalar keys %sql, '>', 10, 'SQL has totals');
	is_deeply({ map { $_ => $samples->{$_} } grep { /^vsm_(work_items_created|stage_transitions|work_in_progress)/ } keys %$samples }, \%sql, 'a scrape is what SQL says');
	is($samples->{'vsm_cycle_time_hours_count{stream="default"}'},
		$node->safe_psql('postgres', q{SELECT sum(count) FROM vsm.flow_histograms WHERE histogram = 'cycle_time' AND stream = 'default' AND le = 'Infinity'}), 'and so are histograms');
	is_deeply(totals(scrape($gw[1])), totals(scrape($gw[0])), 'the other gateway shows the same');
	is($samples->{'vsm_throughput_per_day{stream="default"}'},
		$node->safe_psql('postgres', q{SELECT count(*) FROM vsm.work_items WHERE stream = 'default' AND completed_at >= date_trunc('day', now(), 'UTC')}), 'throughput is that of today');
	return;
}

sub lint
{
	SKIP:
	{
		skip 'there is no promtool (Debian: prometheus)', 2 unless has('promtool');
		for my $gw (@gw)
		{
			my ($out, $problems) = ('', '');
			IPC::Run::run([ 'promtool', 'check', 'metrics' ], '<', \scrape($gw), '>', \$out, '2>', \$problems);
			# the contract's name
			$problems =~ s/^vsm_(?:cycle_time_hours|fold_days_waiting) use base unit "seconds" instead of "(?:hours|days)"\n//mg;
			is("$out$problems", '', "promtool finds nothing in $gw->{name}'s metrics");
		}
	}
	my $open = scrape($gw[0], accept => 'application/openmetrics-text; version=1.0.0');
	like($open, qr/\n# EOF\n\z/, 'OpenMetrics ends with EOF');
	is(scalar(() = $open =~ /^# EOF$/mg), 1, 'once');
	like($open, qr/^# TYPE vsm_work_items_created counter$/m, 'its counters are named without _total');
	like($open, qr/^vsm_work_items_created_total\{/m, 'and their samples with it');
	return;
}

sub has
{
	my ($program) = @_;
	return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

sub labels
{
	my $gw = $gw[0];
	$gw->get("/api/v1/work-items/$_/history") for 1 .. 3, 123456, 'abc';
	$gw->get("/some/path/$_") for 1 .. 3;
	$gw->request('BREW', '/api/v1/stages');
	my $text = scrape($gw);
	my $requests = join "\n", grep { /^vsm_requests_total\{/ } split /\n/, $text;
	my ($endpoints, $methods) = map { my %seen = map { $_ => 1 } $requests =~ /\b$_="([^"]*)"/g; \%seen } qw(endpoint method);
	ok($endpoints->{'/api/v1/work-items/{work_item_id}/history'}, 'the endpoint is the template of the route');
	my %templates = map { $_ => 1 } $gw->openapi->paths;
	my @others = grep { !$templates{$_} } keys %$endpoints;
	cmp_ok(scalar @others, '<=', 1, "whatever is no route has one name: @others");
	unlike("@others", qr/123456|abc|some/, 'which is not its path');
	ok(!$methods->{BREW}, 'a method that nobody knows is no label');
	is(samples($text)->{'vsm_requests_total{endpoint="/api/v1/work-items/{work_item_id}/history",method="GET",status="200"}'}, 3, 'requests are counted by endpoint, method and status');
	unlike($text, qr/\d{4}-\d\d-\d\d|item \d/, 'no label has a date or a title');
	return;
}

sub does_not_grow
{
	my $gw = $gw[0];
	my $series = sub { scalar keys %{ samples(scrape($gw)) } };
	my $once = sub {
		for my $n (@_)
		{
			my $id = $gw->create("growing $n", external_id => "G-$n");
			$gw->move($id, 'Analysis');
			$gw->get("/api/v1/work-items/$id/history");
			$gw->get("/api/v1/work-items/$id?x=$n");
			$gw->get("/no/such/path/$n");
			$gw->get("/api/v1/work-items/no$n");
		}
	};
	$once->(1 .. 2);
	my $before = $series->();
	$once->(3 .. 200);
	is($series->(), $before, "$before series before and after 1200 requests on 200 items");
	return;
}

sub restarted
{
	my $before = totals(scrape($gw[1]));
	$gw[1]->finish;
	$gw[1] = Service->start($node);
	is_deeply(totals(scrape($gw[1])), $before, 'a restart of a gateway sets no total back');
	$node->restart;
	$_->eventually('/ready', 200) for @gw;
	is_deeply(totals(scrape($_)), $before, 'nor does one of the database') for @gw;
	return;
}

# A real Prometheus asks both.
sub scraped
{
	SKIP:
	{
		skip 'there is no prometheus (Debian: prometheus)', 3 unless has('prometheus');
		my $port = PostgreSQL::Test::Cluster::get_free_port();
		my $targets = join ', ', map { "'127.0.0.1:$_->{port}'" } @gw;
		append_to_file(file('prometheus.yml'), "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n  - job_name: vsm\n    static_configs:\n      - targets: [ $targets ]\n");
		my $prometheus = IPC::Run::start([ 'prometheus', '--config.file=' . file('prometheus.yml'), '--storage.tsdb.path=' . file('tsdb'), "--web.listen-address=127.0.0.1:$port" ],
			'>&', file('prometheus.log'));
		my $expected = { map { $_->{port} => totals(scrape($_)) } @gw };
		my ($waiting, $seen) = (seconds_left(60), {});
		do
		{
			sleep 0.3;
			$seen = asked($port);
		} while ((grep { !$seen->{ $_->{port} } } @gw) && $waiting->());
		for my $gw (@gw)
		{
			is_deeply($seen->{ $gw->{port} }, { map { $_ => $expected->{ $gw->{port} }{$_} } grep { /_total\{/ } keys %{ $expected->{ $gw->{port} } } }, "Prometheus has the totals of $gw->{name}");
		}
		is_deeply($seen->{ $gw[0]{port} }, $seen->{ $gw[1]{port} }, 'and they are equal');
		$prometheus->signal('TERM');
		$prometheus->finish;
	}
	return;
}

# { port => { sample => value } } of the database's counters
sub asked
{
	my ($port) = @_;
	my $got = HTTP::Tiny->new->get("http://127.0.0.1:$port/api/v1/query?query=%7B__name__%3D~%22vsm_(work_items_created|stage_transitions)_total%22%7D");
	return {} unless $got->{success};
	my %seen;
	for my $series (@{ decode_json($got->{content})->{data}{result} })
	{
		my %labels = %{ $series->{metric} };
		my ($name, $instance) = delete @labels{qw(__name__ instance job)};
		my $text = join ',', map { my $value = $labels{$_}; $value =~ s/(["\\])/\\$1/g; qq($_="$value") } sort keys %labels;
		$seen{ $instance =~ s/.*://r }{"$name\{$text}"} = 0 + $series->{value}[1];
	}
	return \%seen;
}
