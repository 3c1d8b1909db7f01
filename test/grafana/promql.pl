# promql.pl: every panel and rule over Prometheus answers, from a real Prometheus that scrapes two real gateways
#
# The gateways (VSM_GATEWAY, else build/vsm-gateway) serve database vsm_promql of the server of PGHOST, with the demo's
# simulated stream.  Prometheus runs with docker/prometheus/, except where the gateways are and how often they are asked.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::RealBin;
use Panels;

my $database = 'vsm_promql';
my $root = "$FindBin::RealBin/../..";
my $gateway = $ENV{VSM_GATEWAY} // "$root/build/vsm-gateway";
my $dir = File::Temp->newdir('vsm-XXXXXX', TMPDIR => 1);
my $json = JSON::PP->new->utf8;
my $http = HTTP::Tiny->new(timeout => 30);
my (@children, @ports);

sub quit
{
	kill TERM => @children;
	waitpid $_, 0 for @children;
	@children = ();
	return system "dropdb --if-exists --force $database 2>/dev/null";
}
END { my $status = $?; quit() if @children; $? = $status }
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

sub spawn
{
	my ($name, @command) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		open STDIN, '<', '/dev/null' or POSIX::_exit(126);
		open STDOUT, '>', "$dir/$name.out" or POSIX::_exit(126);
		open STDERR, '>', "$dir/$name.log" or POSIX::_exit(126);
		exec @command or POSIX::_exit(127);
	}
	push @children, $pid;
	return;
}

sub free_port
{
	return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)->sockport;
}

# Calls the code until it is true, for a minute and a half at most.
sub eventually
{
	my ($code) = @_;
	my $end = time + 90;
	while (time < $end)
	{
		my $result = $code->();
		return $result if $result;
		sleep 0.2;
	}
	return;
}

sub api
{
	my ($path, %query) = @_;
	my $answer = $http->get("http://127.0.0.1:$ports[-1]/api/v1/$path?" . $http->www_form_urlencode(\%query));
	my $body = eval { $json->decode($answer->{content}) } // { status => 'error', error => $answer->{content} };
	return $body;
}

sub call
{
	my ($method, $path, $body) = @_;
	my $port = $ports[ rand 2 ];
	return $http->request($method, "http://127.0.0.1:$port$path", $body
		? { headers => { 'content-type' => 'application/json' }, content => $json->encode($body) } : {});
}

sub prometheus_yml
{
	my $text = slurp("$root/docker/prometheus/prometheus.yml");
	my $targets = join ', ', map { "'127.0.0.1:$_'" } @ports;
	$text =~ s/_interval: 15s/_interval: 1s/g == 2 or die 'the intervals are not where they were';
	$text =~ s{^( *)dns_sd_configs:\n(?:\1 .*\n)+}{$1static_configs:\n$1  - targets: [$targets]\n}m or die 'the gateways are not where they were';
	$text =~ s{rules/\*}{$root/docker/prometheus/rules/*} or die 'the rules are not where they were';
	open my $out, '>', "$dir/prometheus.yml" or die $!;
	print $out $text;
	close $out or die $!;
	return;
}

# ---- What runs ----

plan skip_all => 'there is no prometheus (Debian: prometheus)' if !grep { -x "$_/prometheus" } split /:/, $ENV{PATH};
plan skip_all => 'vsm-gateway is not built' if !-x $gateway;

system "dropdb --if-exists --force $database 2>/dev/null";
system('createdb', $database) == 0 && system('psql', '-Xq', '-d', $database, '-o', '/dev/null', '-v', 'zone=UTC', '-c', 'CREATE EXTENSION vsm',
	'-f', "$root/demo/simulate.sql") == 0 or BAIL_OUT('no database');

for my $n (1, 2)
{
	push @ports, free_port();
	local $ENV{DATABASE_URL} = "postgresql:///$database?host=$ENV{PGHOST}&port=$ENV{PGPORT}&user=$ENV{PGUSER}";
	spawn("gateway$n", $gateway, '--port', $ports[-1]);
}
prometheus_yml();
push @ports, free_port();
spawn('prometheus', 'prometheus', "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/tsdb", "--web.listen-address=127.0.0.1:$ports[-1]");

ok(eventually(sub { call('GET', '/ready')->{status} == 200 }), 'the gateways are ready');
ok(eventually(sub { $http->get("http://127.0.0.1:$ports[-1]/-/ready")->{status} == 200 }), 'and so is Prometheus, with its configuration');
ok(eventually(sub { @{ api('query', query => 'up{job="vsm-gateway"} == 1')->{data}{result} // [] } == 2 }), 'it scrapes both')
	or diag(slurp("$dir/prometheus.log"));

# ---- The panels ----

my ($dashboard) = grep { $_->{uid} eq 'vsm-operators' } dashboards();
my %all = map { $_->{name} => $_->{allValue} } values %{ $dashboard->{variables} };
my @cases = ([ 'all', { instance => undef, stream => undef } ], [ 'one of each', { instance => "127.0.0.1:$ports[0]", stream => 'default' } ]);
my $panels = 0;

# Work goes on while rates are asked for, refused and failing requests among it.
sub work
{
	my $made = call('POST', '/api/v1/work-items', { title => 'one more', type => (qw(bug task))[ rand 2 ] });
	my $item = $json->decode($made->{content});
	for my $stage ('Analysis', 'Production', 'Nowhere')
	{
		call('PUT', "/api/v1/work-items/$item->{id}/transition", { to_stage => $stage });
	}
	return;
}

for my $case (@cases)
{
	my ($what, $values) = @$case;
	for my $pair (targets($dashboard))
	{
		my ($panel, $target) = @$pair;
		my $name = "$panel->{title} $target->{refId}, $what";
		my $expr = expand_promql($target->{expr}, rate_interval => '15s', variables => $values, all => \%all);
		my $answer;
		eventually(sub {
			work();
			$answer = api('query', query => $expr);
			return $answer->{status} ne 'success' || grep { $_->{value}[1] ne 'NaN' } @{ $answer->{data}{result} };
		});
		is($answer->{status}, 'success', $name) or diag("$answer->{error}\n$expr");
		my @series = @{ $answer->{data}{result} // [] };
		cmp_ok(scalar(grep { $_->{value}[1] ne 'NaN' } @series), '>', 0, 'shows something');
		$panels++;
		is(scalar @series, 1, 'and one number') if $panel->{type} eq 'stat';
		my ($label) = $target->{legendFormat} =~ /\{\{(\w+)\}\}/ or next;
		is(scalar(grep { !defined $_->{metric}{$label} } @series), 0, "all its series have the label $label that names them");
	}
}
cmp_ok($panels, '>', 40, "$panels queries were asked");

for my $variable (grep { ref $_->{query} } values %{ $dashboard->{variables} })
{
	my ($metric, $label) = $variable->{query}{query} =~ /^label_values\((\w+), (\w+)\)$/ or die $variable->{name};
	my $values = api("label/$label/values", 'match[]' => $metric)->{data};
	cmp_ok(scalar @$values, '>', 0, "variable $variable->{name} has values");
}

# ---- The rules ----

my $rules = eventually(sub {
	my @rules = map { @{ $_->{rules} } } @{ api('rules')->{data}{groups} // [] };
	return @rules && !(grep { $_->{health} eq 'unknown' } @rules) ? \@rules : undef;
}) // [];
cmp_ok(scalar @$rules, '>', 5, 'Prometheus has the rules');
is_deeply([ map { "$_->{name}: $_->{lastError}" } grep { $_->{health} ne 'ok' } @$rules ], [], 'and can evaluate them');
is_deeply([ map { $_->{name} } grep { $_->{state} eq 'firing' } @$rules ], [], 'none of them fires: all is well');

# A query for a metric that nobody has is no error.
my %there = map { $_ => 1 } @{ api('label/__name__/values')->{data} };
for my $expr ((map { $_->[1]{expr} } targets($dashboard)), map { $_->{query} } @$rules)
{
	my %named = map { $_ => 1 } $expr =~ /\b(up|vsm_\w+|scrape_\w+)\b/g;
	is_deeply([ grep { !$there{$_} } sort keys %named ], [], "what is asked for is scraped: @{[ sort keys %named ]}");
}

# ---- The numbers ----

sub sql
{
	my ($command) = @_;
	open my $out, '-|', 'psql', '-XqAt', '-d', $database, '-v', 'ON_ERROR_STOP=1', '-c', $command or die $!;
	chomp(my @rows = <$out>);
	close $out or die $command;
	return @rows;
}

# By the legend, as "name value"; what has no legend has no name.
my %shown = (
	'WIP now' => 'SELECT sum(wip) FROM vsm.wip',
	'Finished today' => q{SELECT sum(t.items) FROM vsm.value_streams v,
		vsm.throughput(v.name, date_trunc('day', clock_timestamp(), v.time_zone), clock_timestamp()) t},
	'WIP by stage' => q{SELECT stage || ' ' || wip FROM vsm.wip},
);
for my $title (sort keys %shown)
{
	my ($target) = map { $_->[1] } grep { $_->[0]{title} eq $title } targets($dashboard);
	my $expr = expand_promql($target->{expr}, rate_interval => '15s', variables => $cases[0][1], all => \%all);
	my ($label) = $target->{legendFormat} =~ /\{\{(stage)\}\}/;
	my (@told, @counted);
	ok(eventually(sub {
		@counted = sort(sql($shown{$title}));
		@told = sort map { ($label ? "$_->{metric}{$label} " : '') . $_->{value}[1] } @{ api('query', query => $expr)->{data}{result} };
		return "@told" eq "@counted";
	}), "panel $title shows what the database says") or diag("@told, not @counted");
}

# ---- The first completion ----

# A counter that appears with its first event shows no increase.
sql(q{SELECT vsm.define_stream('new', '[{"name": "To do", "category": "wait"}, {"name": "Doing"}, {"name": "Done", "category": "done"}]')});
my @counters = qw(vsm_work_items_created_total vsm_stage_transitions_total vsm_stage_cycle_time_seconds_count vsm_cycle_time_hours_count
	vsm_lead_time_seconds_count);
for my $counter (@counters)
{
	ok(eventually(sub {
		my $range = api('query', query => "min(count_over_time($counter\{stream=\"new\"}[1m]))")->{data}{result};
		return @$range && $range->[0]{value}[1] >= 2;
	}), "$counter is there before anything happens");
}
sql(q{SELECT vsm.create_work_item('first', stream => 'new')});
sql("SELECT vsm.transition(id, '$_') FROM vsm.work_items WHERE stream = 'new'") for qw(Doing Done);
for my $counter (@counters)
{
	ok(eventually(sub {
		my $increase = api('query', query => "sum(increase($counter\{stream=\"new\"}[1m]))")->{data}{result};
		return @$increase && $increase->[0]{value}[1] > 0;
	}), "and its first event shows in increase()");
}

quit();
done_testing();
