# robustness.pl: nothing that a client sends, or does not send, makes the gateway fail or keeps others from being served
#
# Malformed HTTP, huge headers, huge and slow bodies, broken text, idle connections, clients that vanish; then 10,000 random
# requests that are made from the OpenAPI document.  After each of these the gateway serves an ordinary request.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use RandomRequests;
use Service;

my $most_requests = 20_000;
my $requests = $ENV{VSM_RANDOM_REQUESTS} // ($ENV{VSM_SOAK} ? 10_000 : 2_000);
my $seed = $ENV{VSM_RANDOM_SEED} // 5;

my $node = database('robustness');
my $gw = Service->start($node);
my $id;
$id = $gw->create('ordinary') for 1 .. 70;		# random requests delete only the first 60

malformed();
headers();
bodies();
text();
idle();
vanishing();
lingering();
random_requests();

$gw->finish;
$node->stop;
done_testing();

sub connection
{
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gw->{port}, Proto => 'tcp') // die "connect: $!";
}

# What comes back for these bytes, to the connection's end, for which it waits 30 seconds; the client says that it is done if $done.
sub answer_to
{
	my ($bytes, $done) = @_;
	my $socket = connection();
	local $SIG{PIPE} = 'IGNORE';
	print {$socket} $bytes;
	$socket->flush;
	$socket->shutdown(1) if $done;
	return all_of($socket);
}

sub all_of
{
	my ($socket) = @_;
	my $answer = '';
	my $waiting = seconds_left(30);
	while ($waiting->())
	{
		my $ready = '';
		vec($ready, fileno $socket, 1) = 1;
		next unless select $ready, undef, undef, 0.5;
		my $n = sysread $socket, $answer, 65536, length $answer;
		return $answer unless $n;
	}
	return "silence after: $answer";
}

sub request_text
{
	my ($line, $body, @headers) = @_;
	return join "\r\n", "$line HTTP/1.1", 'Host: localhost', 'Connection: close', @headers, '', $body // '';
}

sub json_text
{
	my ($line, $body) = @_;
	return request_text($line, $body, 'Content-Type: application/json', 'Content-Length: ' . length $body);
}

sub status
{
	my ($answer) = @_;
	return $answer =~ m{^HTTP/1\.[01] (\d{3}) } ? $1 : $answer eq '' ? 'closed' : 'no HTTP';
}

sub still_works
{
	my ($after) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($gw->get("/api/v1/work-items/$id")->{status}, 200, "$after: others are served");
}

# 4xx or a closed connection, never 2xx or 5xx.
sub refused
{
	my ($name, $answer, $expected) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like(status($answer), $expected // qr/^(4\d\d|closed)$/, $name) || diag(substr $answer, 0, 500);
}

sub malformed
{
	my $end = "\r\n\r\n";
	refused('no HTTP at all', answer_to("hello$end", 1));
	refused('bytes at random', answer_to(join('', map { chr(($_ * 7919) % 256) } 1 .. 2000) . $end, 1));
	refused('a TLS greeting', answer_to("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 200, 1));
	refused('no version', answer_to("GET /api/v1/stages$end", 1), qr/^(4\d\d|closed|200)$/);
	refused('a version of the future', answer_to("GET /api/v1/stages HTTP/9.9\r\nHost: localhost$end", 1), qr/^(4\d\d|505|closed)$/);
	refused('no Host', answer_to("GET /api/v1/stages HTTP/1.1$end", 1));
	refused('a header without a colon', answer_to("GET /api/v1/stages HTTP/1.1\r\nHost: localhost\r\nnonsense$end", 1));
	refused('a body shorter than its length', answer_to(request_text('POST /api/v1/work-items', '{"title":', 'Content-Type: application/json', 'Content-Length: 1000'), 1));
	refused('a length below zero', answer_to(request_text('POST /api/v1/work-items', '{}', 'Content-Type: application/json', 'Content-Length: -1'), 1));
	refused('a length that is none', answer_to(request_text('POST /api/v1/work-items', '{}', 'Content-Type: application/json', 'Content-Length: two'), 1));
	refused('two lengths', answer_to(request_text('POST /api/v1/work-items', '{}', 'Content-Type: application/json', 'Content-Length: 2', 'Content-Length: 1'), 1));
	refused('a length and chunks', answer_to(request_text('POST /api/v1/work-items', "0\r\n\r\n", 'Content-Type: application/json', 'Content-Length: 5', 'Transfer-Encoding: chunked'), 1));
	refused('broken chunks', answer_to(request_text('POST /api/v1/work-items', "zz\r\n{}\r\n0\r\n\r\n", 'Content-Type: application/json', 'Transfer-Encoding: chunked'), 1));
	refused('a chunk of enormous size', answer_to(request_text('POST /api/v1/work-items', "ffffffffffffffff\r\n{}", 'Content-Type: application/json', 'Transfer-Encoding: chunked'), 1));
	my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } '{"title', '":"chunked","type":"bug"}', '';
	is(status(answer_to(request_text('POST /api/v1/work-items', $chunks, 'Content-Type: application/json', 'Transfer-Encoding: chunked'))), 201, 'whole chunks are a body');
	my $two = answer_to("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n" . request_text('GET /live'));
	is(scalar(() = $two =~ m{HTTP/1\.1 200 }g), 2, 'two requests in one packet are two answers');
	still_works('after malformed requests');
	return;
}

sub headers
{
	refused('a header of 1 MB', answer_to(request_text('GET /api/v1/stages', '', 'X-Long: ' . 'x' x 1_000_000), 1));
	refused('100,000 headers', answer_to(request_text('GET /api/v1/stages', '', map { "X-$_: $_" } 1 .. 100_000), 1));
	refused('a path of 1 MB', answer_to(request_text('GET /api/v1/' . 'x' x 1_000_000), 1));
	refused('a query of 1 MB', answer_to(request_text('GET /api/v1/metrics?days=' . '9' x 1_000_000), 1));
	refused("$_ parameters", answer_to(request_text('GET /api/v1/metrics?' . join '&', map { "a$_=$_" } 1 .. $_)), qr/^(200|4\d\d|closed)$/) for 100, 300, 1000, 10_000;
	refused("a header of $_ bytes", answer_to(request_text('GET /api/v1/metrics', '', 'X-Long: ' . 'x' x $_)), qr/^(200|4\d\d|closed)$/) for map { 1000 * $_ } 1 .. 20;
	refused("a path of $_ bytes", answer_to(request_text('GET /' . 'x' x $_)), qr/^(4\d\d|closed)$/) for map { 1000 * $_ } 1 .. 20;
	still_works('after huge headers');
	return;
}

sub bodies
{
	my $before = $gw->memory_kb('VmRSS');
	refused('a body of 60 MB', answer_to(json_text('POST /api/v1/work-items', '{"title":"' . 'x' x 60_000_000 . '","type":"bug"}'), 1), qr/^(413|closed)$/);
	refused('a body that only says so', answer_to(request_text('POST /api/v1/work-items', '', 'Content-Type: application/json', 'Content-Length: 99999999999'), $_), $_ ? qr/^4(00|13)$/ : qr/^413$/) for 0, 1;	# 400 when the client's end is there with the header
	cmp_ok($gw->memory_kb('VmRSS') - $before, '<', 16 * 1024, 'they are not held in memory (kB)');
	refused('100,000 levels of arrays', answer_to(json_text('POST /api/v1/work-items', '[' x 100_000)), qr/^4(13|22)$/);
	refused('and of objects in a field', answer_to(json_text('POST /api/v1/work-items', '{"title":' . '{"a":' x 100_000 . '1' . '}' x 100_000 . '}')), qr/^4(13|22)$/);

	my $slow = connection();
	my $body = '{"title":"slow","type":"bug"}';
	my $head = request_text('POST /api/v1/work-items', '', 'Content-Type: application/json', 'Content-Length: ' . length $body);
	for my $byte (split //, $head . $body)
	{
		syswrite $slow, $byte;
		still_works('while a body comes byte by byte') if $byte eq '{' || $byte eq '}';
	}
	is(status(all_of($slow)), 201, 'a slow body is a body');

	my $expecting = connection();
	print {$expecting} request_text('POST /api/v1/work-items', '', 'Content-Type: application/json', 'Expect: 100-continue', 'Content-Length: ' . length $body);
	$expecting->flush;
	sleep 0.1;
	print {$expecting} $body;
	$expecting->flush;
	like(all_of($expecting), qr{^(HTTP/1\.1 100 .*\r\n\r\n)?HTTP/1\.1 201 }s, 'a client that waits for 100 Continue is served');
	return;
}

sub text
{
	my %broken = (
		'a lone continuation byte' => "\x80",
		'an overlong slash' => "\xc0\xaf",
		'an encoded surrogate' => "\xed\xa0\x80",
		'a code point beyond the last' => "\xf4\x90\x80\x80",
		'an unfinished character' => "\xe2\x82",
		'Latin-1' => "caf\xe9",
		'byte 255' => "\xff");
	for my $name (sort keys %broken)
	{
		refused("$name in a title", answer_to(json_text('POST /api/v1/work-items', qq({"title":"$broken{$name}","type":"bug"}))), qr/^422$/);
		refused("$name in a path", answer_to(request_text("GET /api/v1/work-items/$broken{$name}")), qr/^(4\d\d|closed)$/);
		my $encoded = $broken{$name} =~ s/([^a-z])/sprintf '%%%02x', ord $1/ger;
		refused("$name in a parameter", answer_to(request_text("GET /api/v1/work-items?stage=$encoded")), qr/^422$/);
	}
	refused('a raw NUL in a title', answer_to(json_text('POST /api/v1/work-items', qq({"title":"a\0b","type":"bug"}))), qr/^422$/);
	refused('a raw NUL in the path', answer_to(request_text("GET /api/v1/work-items/\0")));
	refused('a raw newline in a title', answer_to(json_text('POST /api/v1/work-items', qq({"title":"a\nb","type":"bug"}))), qr/^422$/);
	refused('UTF-16', answer_to(json_text('POST /api/v1/work-items', "\xff\xfe{\0\"\0")), qr/^422$/);
	refused('half a percent code', answer_to(request_text('GET /api/v1/metrics?days=%')), qr/^422$/);
	like(status(answer_to(json_text('POST /api/v1/work-items', qq(\xef\xbb\xbf{"title":"a","type":"bug"})))), qr/^(201|422)$/, 'a byte order mark is no failure');
	still_works('after broken text');
	return;
}

sub idle
{
	my @silent = map { connection() } 1 .. 100;
	my @halfway = map { connection() } 1 .. 100;
	syswrite $_, "POST /api/v1/work-items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{" for @halfway;
	my $served = grep { $gw->get("/api/v1/work-items/$id/history")->{status} == 200 } 1 .. 100;
	is($served, 100, 'a working connection beside 200 idle ones has all its answers');
	my $fresh = status(answer_to(request_text('GET /api/v1/stages')));
	is($fresh, 200, 'and so has a new one');
	close $_ for @silent, @halfway;
	return;
}

sub vanishing
{
	my $items = $node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items');
	my $body = '{"title":"vanished","type":"bug"}';
	for my $n (1 .. 100)
	{
		my $whole = request_text('POST /api/v1/work-items', $body, 'Content-Type: application/json', 'Content-Length: ' . length $body);
		my $socket = connection();
		syswrite $socket, substr $whole, 0, int(length($whole) * $n / 101);
		# a reset, not an orderly close
		setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $n % 2;
		close $socket;
	}
	still_works('after clients that vanish in the middle of a request');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items'), $items, 'none of them has left an item');

	for (1 .. 50)
	{
		my $socket = connection();
		syswrite $socket, request_text('GET /metrics') . request_text('GET /api/v1/work-items');
		setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
		close $socket;
	}
	still_works('after clients that do not wait for the answer');
	return;
}

# Who says nothing more is left, in the end.
sub lingering
{
	my $ours = $gw;
	$gw = Service->start($node, options => [ qw(--idle-timeout 1 --body-timeout 1) ]);
	my @lingering = (connection(), map { my $socket = connection(); syswrite $socket, $_; $socket } 'GET', "GET /live HTTP/1.1\r\nHost: localhost\r\n",
		"POST /api/v1/work-items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{");
	like(status(all_of($_)), qr/^(408|4\d\d|closed)$/, 'a client that lingers is left') for @lingering;
	# drop by drop, never idle
	my $drops = connection();
	syswrite $drops, "POST /api/v1/work-items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
	local $SIG{PIPE} = 'IGNORE';
	my $waiting = seconds_left(60);
	my $left;
	while (!$left && $waiting->())
	{
		sleep 0.2;
		$left = !defined syswrite $drops, ' ';
		my $ready = '';
		vec($ready, fileno $drops, 1) = 1;
		$left ||= select $ready, undef, undef, 0;
	}
	ok($left, 'also one that sends a byte now and then');
	$gw->finish;
	$gw = $ours;
	return;
}

# The database may refuse what it likes, but no request is the gateway's or the database's failure.
sub random_requests
{
	# a forecast needs days with throughput
	$node->safe_psql('postgres', q{
		SELECT vsm.transition((vsm.create_work_item('done ' || n, at => now() - n * interval '1 day')).id, 'Production', now() - n * interval '1 day' + interval '1 hour')
		FROM generate_series(1, 20) n});
	my $random = RandomRequests->new($gw->openapi, $seed);
	my (%statuses, %operations, @failures);
	my @all = map { "$_->{method} $_->{path}" } $gw->openapi->operations;
	# more where that takes longer, until each operation has succeeded
	for my $n (1 .. $most_requests)
	{
		last if $n > $requests && !grep { !$operations{$_}{2} && !/\{file\}/ } @all;

		my ($method, $path, $body, $headers, $operation) = $random->next;
		my $got = $gw->request($method, $path, $body, %$headers);
		$statuses{ $got->{status} }++;
		$operations{$operation}{ substr $got->{status}, 0, 1 }++;
		push @failures, "$method $path " . ($body // '') . ": $got->{status} $got->{content}" if $got->{status} >= 500;
	}
	is(join("\n", splice @failures, 0, 10), '', "no failure in random requests (seed $seed)");
	note("$_: $statuses{$_}") for sort keys %statuses;
	is(join(', ', grep { !$operations{$_} } @all), '', 'no operation is left out');
	is(join(', ', grep { !$operations{$_}{2} && !/\{file\}/ } @all), '', 'and each has also succeeded');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.wip_check() WHERE difference <> 0'), 0, 'the counters agree with the tables');
	still_works('after random requests');
	return;
}
