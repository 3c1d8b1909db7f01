# framing.pl: what is no HTTP, or could be read as two different requests, is refused in JSON, once, and nothing behind it is served
#
# Raw bytes go in, and the whole answer is compared.  Then thousands of broken requests by a fixed seed: each has a well-formed answer.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use RawHttp;
use Service;

my $mutations = $ENV{VSM_RANDOM_MUTATIONS} // ($ENV{VSM_SOAK} ? 2_000 : 500);
my $seed = $ENV{VSM_RANDOM_SEED} // 12;
my $end = "\r\n\r\n";
my $json = 'Content-Type: application/json';
my $item = '{"title":"smuggled","type":"bug"}';
my $hidden = "POST /api/v1/work-items HTTP/1.1\r\nHost: localhost\r\n$json\r\nContent-Length: " . length($item) . "$end$item";

my $node = database('framing');
my $gw = Service->start($node);
my $raw = RawHttp->new($gw->{port});
$gw->get('/api/v1/stages');

smuggling();
lines();
fields();
chunks();
limits();
methods();
targets();
order();
versions();
text();
tls();
mutations();

is($node->safe_psql('postgres', "SELECT count(*) FROM vsm.work_items WHERE title = 'smuggled'"), 0, 'no request behind a refused one was served');
$gw->finish;
$node->stop;
done_testing();

# The answer is this one, and the connection ends, although another request follows.
sub refused
{
	my ($name, $bytes, $status, $detail, @more) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @answers = $raw->answers($bytes . $hidden);
	my $got = $answers[0];
	return fail("$name: one answer") || diag(explain(\@answers)) unless @answers == 1 && $got->{status};
	my %expected = (detail => $detail, code => "PT$status", @more);
	is("$got->{status} $got->{headers}{'content-type'} $got->{headers}{connection} " . Cpanel::JSON::XS->new->canonical->encode(eval { decode($got) } // {}),
		"$status application/json close " . Cpanel::JSON::XS->new->canonical->encode(\%expected), $name) or diag($got->{body});
	return;
}

sub served
{
	my ($name, $bytes, @statuses) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join(' ', map { $_->{status} } $raw->answers($bytes)), join(' ', @statuses), $name);
}

sub decode
{
	my ($got) = @_;
	return Cpanel::JSON::XS->new->utf8->decode($got->{body});
}

sub with
{
	my (@fields) = @_;
	return join "\r\n", 'POST /api/v1/work-items HTTP/1.1', 'Host: localhost', $json, @fields, '', '';
}

sub smuggling
{
	my @coding = (hint => 'Send the body with Content-Length, or with Transfer-Encoding: chunked.');
	refused('two lengths', with('Content-Length: 5', 'Content-Length: 6') . '{"a":1', 400, 'More than one Content-Length header');
	refused('two equal lengths', with('Content-Length: 5', 'Content-Length: 5') . '12345', 400, 'More than one Content-Length header');
	refused("a list of lengths: $_", with("Content-Length: $_") . '12345', 400, 'Malformed Content-Length header') for '5, 5', '5,5', '5,', ',5';
	refused("the length '$_'", with("Content-Length: $_") . '12345', 400, 'Malformed Content-Length header')
		for '+5', '-1', '0x5', '5 5', '5;', '', '1e3', '5.0', "\xd9\xa5", '9999999999999999999', '18446744073709551621', '9' x 300;
	refused('a length beside chunks', with('Content-Length: 5', 'Transfer-Encoding: chunked') . "0$end", 400, 'Both Content-Length and Transfer-Encoding headers');
	refused('chunks beside a length', with('Transfer-Encoding: chunked', 'Content-Length: 5') . "0$end", 400, 'Both Content-Length and Transfer-Encoding headers');
	refused("the coding '$_'", with("Transfer-Encoding: $_") . "0$end", 400, 'Unknown Transfer-Encoding', @coding)
		for 'gzip', 'chunked, gzip', 'gzip, chunked', 'identity', 'chunked, chunked', 'xchunked', '"chunked"', 'chunked;q=1', '', "chunked\x0b" =~ s/\x0b/x/r;
	refused('two codings', with('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') . "0$end", 400, 'Unknown Transfer-Encoding', @coding);
	refused('chunks by HTTP/1.0', with('Transfer-Encoding: chunked') =~ s{1\.1}{1.0}r . "0$end", 400, 'Unknown Transfer-Encoding', @coding);
	refused("a blank before the colon ($_)", with("$_: 5") . '12345', 400, 'Malformed header field') for 'Content-Length ', "Content-Length\t", 'Transfer-Encoding ', 'X ';
	served("$_ in any case", with("$_: " . length $item) . ($item =~ s/smuggled/right/r . (' ' x 3)), 201) for 'cOnTeNt-LeNgTh';
	served('blanks before a value', with('Content-Length:  ' . length($item =~ s/smuggled/right/r), "X: y \t", 'Connection: close') . ($item =~ s/smuggled/right/r), 201);
	refused('blanks behind a length', with('Content-Length: 5 ') . '12345', 400, 'Malformed Content-Length header');
	refused('blanks behind a coding', with("Transfer-Encoding: chunked\t") . "0$end", 400, 'Malformed header field');
	return;
}

sub lines
{
	refused('a bare LF behind the request line', "GET /live HTTP/1.1\nHost: localhost$end", 400, 'A line does not end with CR LF');
	refused('a bare LF behind a header', "GET /live HTTP/1.1\r\nHost: localhost\nX: y$end", 400, 'A line does not end with CR LF');
	refused('a bare LF as the end', "GET /live HTTP/1.1\r\nHost: localhost\r\n\n", 400, 'A line does not end with CR LF');
	refused('a bare CR in a header', "GET /live HTTP/1.1\r\nHost: localhost\r\nX: a\rTransfer-Encoding: chunked$end", 400, 'A line does not end with CR LF');
	refused('two CR', "GET /live HTTP/1.1\r\r\nHost: localhost$end", 400, 'A line does not end with CR LF');
	refused('a folded header', "GET /live HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b$end", 400, 'A header field spans several lines');
	refused('one folded by a tabulator', "GET /live HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tTransfer-Encoding: chunked$end", 400, 'A header field spans several lines');
	refused('a blank before the first header', "GET /live HTTP/1.1\r\n Host: localhost$end", 400, 'A header field spans several lines');
	refused('no version', "GET /live\r\n", 400, 'Malformed request line');
	refused('no target', "GET HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request line');
	refused('two blanks', "GET  /live HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request target');
	refused('a blank in the target', "GET /live /x HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request line');
	refused('a tabulator in the line', "GET\t/live HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request line');
	refused('a TLS greeting', "\x16\x03\x01\x02\x00\x01", 400, 'Malformed request line');
	refused('three empty lines', "\r\n\r\n\r\nGET /live HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request line');
	served('one empty line', "\r\nGET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 200);
	return;
}

sub fields
{
	my $get = "GET /live HTTP/1.1\r\nHost: localhost\r\n";
	refused('no Host', "GET /live HTTP/1.1\r\nX: y$end", 400, 'A Host header is missing');
	refused("two headers $_", "${get}$_: a\r\n" . lc($_) . ": a$end", 400, "More than one $_ header") for qw(Authorization Content-Type Content-Encoding Origin);
	refused('two Hosts', "${get}Host: localhost$end", 400, 'More than one Host header');
	refused("Host $_", "GET /live HTTP/1.1\r\nHost: $_$end", 400, 'Malformed Host header') for 'a b', 'a/b', 'user@localhost', 'a,b', 'localhost#', 'a\\b';
	refused('a header without a colon', "${get}nonsense$end", 400, 'Malformed header field');
	refused('one without a name', "$get: x$end", 400, 'Malformed header field');
	refused(sprintf('byte %02x in a name', ord), "${get}a${_}b: x$end", 400, 'Malformed header field') for "\0", ' ', '(', '"', '/', "\x7f", "\x80";
	refused(sprintf('byte %02x in a value', ord), "${get}a: x${_}y$end", 400, 'Malformed header field') for "\0", "\x01", "\x0b", "\x1b", "\x7f";
	served('a value of other characters', "${get}a: x\xff\xe9\ty\r\nConnection: close$end", 200);
	served('an empty value', "${get}a:\r\nConnection: close$end", 200);
	refused('an unknown expectation', "${get}Expect: wonders$end", 417, 'Unknown expectation');
	served('Upgrade is left alone', "${get}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close$end", 200);
	return;
}

sub chunks
{
	my $head = with('Transfer-Encoding: chunked');
	my $right = $item =~ s/smuggled/right/r;
	my $size = sprintf '%x', length $right;
	refused("chunk size '$_'", "$head$_\r\n{}\r\n0$end", 400, 'Malformed chunk') for 'zz', '', '-1', '+2', '0x2', ' 2', '2 ', '2 ;a', '2 2', 'f' x 16, '0' x 17 . '2', ";a";
	refused('a chunk without its end', "${head}2\r\n{}0$end", 400, 'Malformed chunk');
	refused('a chunk longer than its size', "${head}1\r\n{}\r\n0$end", 400, 'Malformed chunk');
	refused('a chunk line that ends with LF', "${head}2\n{}\r\n0$end", 400, 'Malformed chunk');
	refused('a chunk that ends with LF', "${head}2\r\n{}\n0$end", 400, 'Malformed chunk');
	refused('an extension', "${head}2;a=b\r\n{}\r\n0$end", 400, 'Malformed chunk');
	refused('an extension of the last chunk', "${head}2\r\n{}\r\n0;a$end", 400, 'Malformed chunk');
	refused('a broken trailer', "${head}2\r\n{}\r\n0\r\nX : y$end", 400, 'Malformed header field');
	refused('trailers without end', "${head}2\r\n{}\r\n0\r\n" . "X: y\r\n" x 200, 431, 'Too many request headers');
	served('trailers', "$head$size\r\n$right\r\n0\r\nContent-Length: 99\r\nHost: evil.example\r\n\r\n" .
		"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 201, 200);
	served('chunks of a byte', $head . join('', map { "1\r\n$_\r\n" } split //, $right) . "0\r\n\r\nGET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 201, 200);
	served('a size with zeros', "${head}000$size\r\n$right\r\n00\r\n\r\nGET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 201, 200);
	return;
}

sub limits
{
	my $get = "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
	refused('a long header', $get . 'X: ' . 'x' x 20_000 . $end, 431, 'Request headers too large');
	refused('a long name', $get . 'x' x 20_000 . $end, 431, 'Request headers too large');
	refused('a hundred headers more', $get . join('', map { "X-$_: $_\r\n" } 1 .. 101) . "\r\n", 431, 'Too many request headers');
	refused('a long path', 'GET /' . 'x' x 20_000 . " HTTP/1.1\r\nHost: localhost$end", 414, 'Request target too long');
	refused('a long query', 'GET /live?' . 'x' x 20_000 . " HTTP/1.1\r\nHost: localhost$end", 414, 'Request target too long');
	refused('a long method', 'G' x 50 . " /live HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request line');
	served('98 headers', $get . join('', map { "X-$_: $_\r\n" } 1 .. 98) . "\r\n", 200);
	served('a header of 16,000 bytes', $get . 'X: ' . 'x' x 16_000 . $end, 200);
	served('7,900 cookies', $get . 'Cookie: ' . 'a;' x 7_900 . $end, 200);
	served('7,900 parameters', 'GET /live?' . 'a&' x 7_900 . " HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 200);
	served('a path of 8,000 segments', 'GET /' . 'a/' x 8_000 . " HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 404);
	my ($got) = $raw->answers(with('Content-Length: 99999999999'));
	is("$got->{status} $got->{headers}{connection}", '413 close', 'a body that says to be of 100 GB is not awaited');
	is(decode($got)->{code}, 'PT413', 'in JSON');
	return;
}

sub methods
{
	for my $method (qw(TRACE PATCH get FOO PROPFIND))
	{
		my ($got) = $raw->answers("$method /live HTTP/1.1\r\nHost: localhost\r\nConnection: close$end");
		is("$got->{status} $got->{headers}{allow}", '405 GET, HEAD, OPTIONS', "$method is 405");
	}
	refused('CONNECT', "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443$end", 405, 'Method Not Allowed');
	my ($got) = $raw->answers("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close$end");
	is("$got->{status} $got->{headers}{allow}", '204 GET, HEAD, POST, PUT, DELETE, OPTIONS', 'OPTIONS of all');
	refused('another method of all', "GET * HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request target');
	return;
}

sub targets
{
	served("the target $_", "GET $_ HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 200) for 'http://localhost/live', 'http://127.0.0.1:8000/live', 'HTTP://localhost/live', 'http://localhost/live?x', 'http://localhost';
	served("the target $_", "GET $_ HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 421) for 'http://evil.example/live', 'http://localhost@evil.example/live', 'http://evil.example?/live';
	refused("the target $_", "GET $_ HTTP/1.1\r\nHost: localhost$end", 400, 'Malformed request target') for 'live', 'localhost/live', 'http:///live', 'ftp://localhost/live', 'http:', "/a\0", "/a\x7f";
	served("the path $_", "GET $_ HTTP/1.1\r\nHost: localhost\r\nConnection: close$end", 404) for '/api/v1%2Fstages', '/api/v1/../../live', '/%2e%2e/live', '/live%00', '//live', '/docs/..%2f..%2fetc%2fpasswd', '/assets/%2e%2e/index.html';
	return;
}

# Answers come in the order of the requests, also when the refused one comes while another waits for the database.
sub order
{
	my $stages = "GET /api/v1/stages HTTP/1.1\r\nHost: localhost$end";
	my @answers = $raw->answers($stages x 3 . "GET /live HTTP/1.1\r\nHost : x$end" . $hidden);
	is(join(' ', map { $_->{status} } @answers), '200 200 200 400', 'three requests before a refused one are answered first');
	like($answers[0]{body}, qr/^\[\{"id":/, 'as they would be alone');
	@answers = $raw->answers(map({ $stages } 1 .. 2), substr($hidden, 0, 30), "\x01");
	is(join(' ', map { $_->{status} } @answers), '200 200 400', 'also in parts');
	@answers = $raw->answers(with('Expect: 100-continue', 'Content-Length: 2') =~ s{application/json}{text/plain}r . $hidden);
	is(join(' ', map { $_->{status} } @answers), '415', 'an answer before the body is the last one');
	return;
}

sub versions
{
	refused("version $_", "GET /live $_\r\nHost: localhost$end", 505, 'HTTP Version Not Supported', hint => 'Use HTTP/1.1.') for 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/9.9';
	refused("version $_", "GET /live $_\r\nHost: localhost$end", 400, 'Malformed request line') for 'HTTP/1', 'HTTP/1.1.1', 'HTTQ/1.1', 'HTTP/1,1', 'HTTP/x.1';
	served('HTTP/1.0 without Host', "GET /live HTTP/1.0$end", 200);
	served('HTTP/1.0 ends the connection', "GET /live HTTP/1.0\r\nHost: localhost$end$hidden", 200);
	return;
}

sub text
{
	my $body = '{"title":"first","title":"last","type":"bug"}';
	my ($got) = $raw->answers(with('Connection: close', 'Content-Length: ' . length $body) . $body);
	is(decode($got)->{title}, 'last', 'of two equal keys the last one counts, as it did in the old service');
	my $untyped = with('Connection: close', 'Content-Length: ' . length $body) =~ s/\r\n\Q$json\E//r;
	unlike($untyped, qr/content-type/i, 'a request without content type');
	($got) = $raw->answers($untyped . $body);
	is("$got->{status} " . decode($got)->{title}, '201 last', 'is taken as JSON, as it was');
	$raw->answers("GET /live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\"b\r\nConnection: close$end");
	($got) = $raw->answers("GET /live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: x%0d%0aSet-Cookie:a\r\nOrigin: http://a%0d%0aX: y\r\nConnection: close$end");
	like($got->{headers}{'x-request-id'}, qr/^[0-9a-f]{16}$/, 'a request id with other characters does not come back');
	unlike($gw->log, qr/Set-Cookie|a\\?"b/, 'nor into the log');
	return;
}

sub tls
{
	my ($key, $certificate) = map { file($_) } qw(tls.key tls.crt);
	system_or_bail(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout), $key, '-out', $certificate);
	my $https = Service->start($node, options => [ '--tls-cert', $certificate, '--tls-key', $key ]);
	my ($out, $errors) = ('', '');
	my $in = "GET /live HTTP/1.1\r\nHost: localhost${end}GET /live HTTP/1.1\r\nHost : localhost$end$hidden";
	IPC::Run::run([ qw(openssl s_client -quiet -connect), "127.0.0.1:$https->{port}" ], '<', \$in, '>', \$out, '2>', \$errors, IPC::Run::timeout(60));
	is(join(' ', map { $_->{status} } RawHttp::parse($out)), '200 400', 'behind TLS the same is refused');
	my $status = $https->stop;
	is($status, 0, 'and the gateway ends well');
	return;
}

sub mutations
{
	my @valid = ("GET /api/v1/stages HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close$end",
		with('Connection: close', 'Content-Length: 31') . '{"title":"mutated","type":"bug"}' =~ s/mutated/mutate/r,
		with('Connection: close', 'Transfer-Encoding: chunked') . "9\r\n{\"title\":\r\n16\r\n\"mutated\",\"type\":\"bug\"}\r\n0\r\nX: y$end",
		"PUT /api/v1/work-items/1/transition HTTP/1.1\r\nHost: localhost\r\n$json\r\nConnection: close\r\nContent-Length: 22$end" . '{"to_stage":"Testing"}',
		"GET /api/v1/metrics?days=7&stream=default HTTP/1.1\r\nHost: 127.0.0.1:80\r\nCookie: a=b\r\nConnection: close$end");
	my @bits = ("\r", "\n", "\r\n", ' ', "\t", ':', "\0", ';', ',', '%', '/', '?', "\xff", '0', 'f', 'Content-Length: 1', "\r\nHost: b", "\r\nTransfer-Encoding: chunked", $end);
	my ($answers, @problems) = (0);
	srand $seed;
	for my $n (1 .. $mutations)
	{
		my $bytes = $valid[ int rand @valid ];
		for (0 .. int rand 3)
		{
			my $at = int rand length $bytes;
			my $what = int rand 4;
			if ($what == 0) { substr $bytes, $at, 1, chr int rand 256 }
			elsif ($what == 1) { substr $bytes, $at, 1 + int rand 4, '' }
			elsif ($what == 2) { substr $bytes, $at, 0, $bits[ int rand @bits ] }
			else { substr $bytes, $at, 0, substr $bytes, int rand length $bytes, 1 + int rand 20 }
		}
		my @got = $raw->answers($bytes, undef);
		$answers += @got;
		push @problems, sprintf '%s: %s', Cpanel::JSON::XS->new->latin1->allow_nonref->encode($bytes), $_ for grep { $_ } map { problem($_) } @got;
		push @problems, "$n: others are not served" if $n % 100 == 0 && $gw->get('/live')->{status} != 200;
	}
	is(join("\n", splice @problems, 0, 5), '', "$answers well-formed answers to $mutations broken requests (seed $seed)");
	my $waiting = seconds_left(20);
	1 while files() > 40 && $waiting->();
	cmp_ok(files(), '<=', 40, 'and no connection is left');
	is($gw->get('/api/v1/stages')->{status}, 200, 'others are served');
	return;
}

# A success, or an error with a JSON body.
sub problem
{
	my ($got) = @_;
	return $got->{problem} if $got->{problem};
	return if $got->{status} == 100 || ($got->{status} >= 200 && $got->{status} < 300);
	return "$got->{status}" unless $got->{status} =~ /^4\d\d$|^505$/;
	my $body = eval { decode($got) };
	return "$got->{status} $got->{body}" unless $got->{headers}{'content-type'} eq 'application/json' && ref $body eq 'HASH' && $body->{detail} && $body->{code};
	return;
}

sub files
{
	my @files = glob "/proc/$gw->{pid}/fd/*";
	return scalar @files;
}
