# clients.pl: who may connect, how often and for how long: nobody keeps others from being served
#
# The addresses 127.0.0.1 and 127.0.0.2 are two clients'.  Host names that are not the gateway's are refused where no token is asked for.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib $FindBin::RealBin;
use RawHttp;
use Service;

my $node = database('clients');
my $end = "\r\n\r\n";
my $live = "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end";
my $import = "POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked$end";

hosts();
share();
total();
slow_heads();
stalled_imports();
slow_reader();
ends_during_import();

$node->stop;
done_testing();

sub host
{
	my ($gw, $host) = @_;
	my ($got) = RawHttp->new($gw->{port})->answers("GET /api/v1/stages HTTP/1.1\r\nHost: $host\r\nConnection: close$end");
	return $got->{status};
}

sub hosts
{
	my @ours = ('localhost', 'LOCALHOST:8000', 'localhost.', '127.0.0.1', '127.8.9.1:80', '[::1]', '[::1]:8000', '10.1.2.3:8000', '[fd00::1]');
	my @others = ('evil.example', 'localhost.evil.example', 'evil.example:8000', 'xlocalhost', '127.0.0.1.evil.example', '127.1', '[::1', '[localhost]', '', 'localhost:80:80', 'vsm.example.org');
	my $gw = Service->start($node);
	is(host($gw, $_), 200, "host '$_' is ours") for @ours;
	is(host($gw, $_), 421, "host '$_' is not") for @others;
	my ($got) = RawHttp->new($gw->{port})->answers("GET /live HTTP/1.1\r\nHost: evil.example\r\nConnection: close$end");
	is($got->{body}, '{"detail":"The Host header names another host","code":"PT421","hint":"Use localhost or an address, or allow the name with --allowed-host."}', 'and the answer says what to do');
	$gw->finish;

	$gw = Service->start($node, options => [ qw(--allowed-host vsm.example.org --allowed-host vsm) ]);
	is(host($gw, $_), 200, "host $_ is allowed") for 'vsm.example.org', 'VSM:80';
	is(host($gw, 'evil.example'), 421, 'others still are not');
	$gw->finish;
	$gw = Service->start($node, env => { VSM_GATEWAY_ALLOWED_HOST => 'one.example,two.example' });
	is(host($gw, $_->[0]), $_->[1], "by the environment: $_->[0]") for [ 'two.example', 200 ], [ 'three.example', 421 ];
	$gw->finish;
	$gw = Service->start($node, options => [ qw(--allowed-host *) ]);
	is(host($gw, 'evil.example'), 200, 'with * any is');
	$gw->finish;
	$gw = Service->start($node, options => [ '--jwt-secret', 'x' x 40 ]);
	is(host($gw, 'evil.example'), 401, 'where tokens are asked for, the token decides');
	$gw->finish;
	return;
}

sub share
{
	my $gw = Service->start($node, options => [ qw(--max-connections-per-address 150) ]);
	my $greedy = RawHttp->new($gw->{port}, '127.0.0.2');
	my @open = map { my $socket = $greedy->connect; syswrite $socket, substr $live, 0, 20; $socket } 1 .. 200;
	is($gw->get('/api/v1/stages')->{status}, 200, 'beside 200 half-open clients of one address another address is served');
	my ($got) = RawHttp::parse($greedy->read_all($open[-1]));
	is($got->{status}, 503, 'the address has more than its share: 503');
	is($got->{body}, '{"detail":"Too many connections from this address","code":"PT503","hint":"Reuse connections, or close some."}', 'in JSON');
	like($got->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After');
	syswrite $open[0], substr $live, 20;
	is((RawHttp::parse($greedy->read_all($open[0])))[0]{status}, 200, 'one within its share is served');
	close $_ for @open;
	my $waiting = seconds_left(20);
	my @got = { status => 0 };
	@got = $greedy->answers($live) while $got[0]{status} != 200 && $waiting->();
	is($got[0]{status}, 200, 'and a new one when the others have gone');
	$gw->finish;
	return;
}

sub total
{
	my $gw = Service->start($node, options => [ qw(--max-connections 20 --max-connections-per-address 20) ]);
	my @open = map { RawHttp->new($gw->{port}, "127.0.0." . (2 + $_ % 4))->connect } 1 .. 20;
	my ($got) = RawHttp->new($gw->{port}, '127.0.0.9')->answers($live);
	is($got->{body}, '{"detail":"Too many connections","code":"PT503"}', 'who comes when all places are taken is told so');
	close $_ for @open;
	my $waiting = seconds_left(20);
	($got) = RawHttp->new($gw->{port})->answers($live) while $got->{status} != 200 && $waiting->();
	is($got->{status}, 200, 'later one is served');
	$gw->finish;
	return;
}

sub slow_heads
{
	my $gw = Service->start($node, options => [ qw(--header-timeout 2 --idle-timeout 60) ]);
	my $raw = RawHttp->new($gw->{port});
	my $socket = $raw->connect;
	my $begun = time;
	local $SIG{PIPE} = 'IGNORE';
	my $bytes = '';
	for my $byte (split //, "GET /live HTTP/1.1\r\nHost: localhost\r\nX: " . 'x' x 100)
	{
		syswrite $socket, $byte;
		last if $bytes = $raw->read_all($socket, 0.2);
	}
	cmp_ok(time - $begun, '<', 10, 'headers that come byte by byte are cut in time');
	my ($got) = RawHttp::parse($bytes);
	is("$got->{status} $got->{body}", '408 {"detail":"The request\'s headers took too long","code":"PT408"}', 'with an answer');
	$gw->finish;
	return;
}

# One of four connections is the imports'; whoever stalls loses it.
sub stalled_imports
{
	my $gw = Service->start($node, options => [ qw(--pool-size 4 --idle-timeout 3 --body-timeout 2 --queue-timeout 60000) ]);
	my $raw = RawHttp->new($gw->{port}, '127.0.0.2');
	my @stalled = map { my $socket = $raw->connect; syswrite $socket, $import . "5\r\nid,st\r\n"; $socket } 1 .. 8;
	is(scalar(grep { $gw->get('/api/v1/stages')->{status} == 200 } 1 .. 20), 20, 'beside 8 stalled imports reads go on');
	ok(eval { $gw->create("beside $_") for 1 .. 20; 1 }, 'and writes');
	my ($got) = RawHttp::parse($raw->read_all($stalled[0]));
	is("$got->{status} $got->{body}", '408 {"detail":"The request\'s body took too long","code":"PT408"}', 'a stalled import is cut');

	# each below the least rate, never silent
	my $dribble = $raw->connect;
	my $begun = time;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $dribble, $import;
	my $bytes = '';
	while (!$bytes && time - $begun < 30)
	{
		syswrite $dribble, "1\r\nx\r\n";
		$bytes = $raw->read_all($dribble, 0.3);
	}
	is(((RawHttp::parse($bytes))[0] // {})->{status}, 408, 'so is one that dribbles');
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'vsm-gateway' AND state LIKE '%in transaction%'}), 'no transaction of them stays');
	$gw->finish;

	# one address does not get all connections for imports
	$gw = Service->start($node, options => [ qw(--pool-size 8 --body-timeout 120 --queue-timeout 20000) ]);
	$raw = RawHttp->new($gw->{port}, '127.0.0.2');
	@stalled = map { my $socket = $raw->connect; syswrite $socket, $import . "5\r\nid,st\r\n"; $socket } 1 .. 8;
	my $csv = "case_id,stage,entered_at\nbeside-1,Backlog,2026-01-05T09:00:00Z\n";
	($got) = RawHttp->new($gw->{port}, '127.0.0.3')->answers("POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\n" .
		"Content-Type: text/csv\r\nContent-Length: " . length($csv) . "\r\nConnection: close$end$csv");
	is($got->{status}, 200, 'beside stalled imports another address imports');
	close $_ for @stalled;
	$gw->finish;
	return;
}

sub slow_reader
{
	my $gw = Service->start($node, options => [ qw(--idle-timeout 2 --min-rate 1048576) ]);
	my $raw = RawHttp->new($gw->{port}, '127.0.0.2');
	my @slow = map { my $socket = $raw->connect; syswrite $socket, "GET /openapi.json HTTP/1.1\r\nHost: localhost$end" x 200; $socket } 1 .. 5;
	is($gw->get('/api/v1/stages')->{status}, 200, 'beside clients that do not read others are served');
	my $waiting = seconds_left(30);
	my $clients = 99;
	while ($clients > 1 && $waiting->())
	{
		sleep 0.3;
		($clients) = $gw->get('/metrics')->{content} =~ /^vsm_clients (\d+)$/m;
	}
	is($clients, 1, 'and they are left');
	$gw->finish;
	return;
}

sub ends_during_import
{
	my $gw = Service->start($node, options => [ qw(--drain-timeout 1) ]);
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items');
	my $rows = "id,stage,entered_at\n" . join '', map { "x$_,Backlog,2024-01-01T00:00:00Z\n" } 1 .. 1000;
	my $socket = RawHttp->new($gw->{port})->connect;
	syswrite $socket, $import . sprintf("%x\r\n%s\r\n", length $rows, $rows);
	is($gw->get('/live')->{status}, 200, 'an import has begun');
	$gw->finish;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items'), $before, 'a gateway that ends during an import leaves nothing of it');
	return;
}
