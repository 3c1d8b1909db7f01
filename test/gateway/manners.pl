# manners.pl: answers are compressed for those who accept it, encoded bodies refused, and many connections at once are served
#
# The bytes are looked at as they come, by RawHttp.pm.

use strict;
use warnings;

use FindBin;
use IO::Poll qw(POLLIN POLLHUP POLLERR);
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;

use lib $FindBin::RealBin;
use RawHttp;
use Service;

my $node = database('manners', 'max_connections = 50');
my $gw = Service->start($node);

compressed();
encoded();
$gw->finish;
many_connections();

$node->stop;
done_testing();

sub ask
{
	my ($path, $accept) = @_;
	my $encoding = defined $accept ? "Accept-Encoding: $accept\r\n" : '';
	my ($got) = RawHttp->new($gw->{port})->answers("GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n$encoding\r\n");
	return $got;
}

sub unpacked
{
	my ($got) = @_;
	my $plain;
	gunzip(\$got->{body}, \$plain) or return "no gzip: $GunzipError";
	return $plain;
}

# Every kind of answer: of the database, of the gateway, embedded files.
sub compressed
{
	$gw->create("Item $_", attributes => { team => 'red', note => 'x' x 20 }) for 1 .. 20;
	my @long = ('/api/v1/work-items', '/openapi.json', '/docs/list.css', '/assets/app.js', '/');
	my $n = 0;
	for my $path (@long)
	{
		my $plain = ask($path);
		next if $plain->{status} != 200 || length $plain->{body} <= 1024;
		$n++;
		is($plain->{headers}{'content-encoding'}, undef, "$path: not compressed for a client that does not ask for it");
		like($plain->{headers}{vary} // '', qr/Accept-Encoding/, "$path: but caches are told that it may be");
		for my $accept ('gzip', 'GZIP', 'deflate, gzip;q=0.5', 'br;q=1.0, gzip;q=0.8, *;q=0.1', '*', 'x-gzip', 'gzip ; q=0.001', 'gzip; q = 1', 'br, gzip;level=9;q=1.000 , x')
		{
			my $got = ask($path, $accept);
			is($got->{headers}{'content-encoding'}, 'gzip', "$path: compressed for $accept");
			is($got->{headers}{'content-length'}, length $got->{body}, "$path: its length is that of what is sent");
			is(unpacked($got), $plain->{body}, "$path: and it is the same");
			cmp_ok(length $got->{body}, '<', length $plain->{body}, "$path: and shorter");
		}
		for my $accept ('identity', 'gzip;q=0', 'gzip;Q=0.0', 'gzip; q=0, *', 'gzip; q = 0', "gzip ;\tq\t=\t0.000", 'gzip;q=', 'gzip;q=x', 'gzip;q=-1', 'gzip;q=2', 'gzip;q=1e9', 'gzip;q=inf', 'br', 'deflate', '', '*;q=0', 'gzipped')
		{
			is(ask($path, $accept)->{headers}{'content-encoding'}, undef, "$path: not compressed for '$accept'");
		}
		my ($get, $head) = (ask($path, 'gzip'), $gw->request('HEAD', $path, undef, 'accept-encoding' => 'gzip'));
		is($head->{headers}{'content-length'}, $get->{headers}{'content-length'}, "$path: HEAD tells the length of GET");
		is($head->{headers}{'content-encoding'}, 'gzip', "$path: and its coding");
	}
	cmp_ok($n, '>=', 3, 'several long answers were looked at');
	is(ask('/live', 'gzip')->{headers}{'content-encoding'}, undef, 'a short answer is not compressed');
	my $metrics = ask('/metrics', 'gzip');
	like(unpacked($metrics), qr/^vsm_database_up 1$/m, 'the figures for Prometheus are');

	my $asset = ask('/openapi.json', 'gzip')->{headers}{etag} ? '/openapi.json' : '/assets/app.js';
	my ($plain, $packed) = (ask($asset)->{headers}{etag}, ask($asset, 'gzip')->{headers}{etag});
	is($packed, "W/$plain", 'the tag of a compressed file is a weak one');
	is($gw->get($asset, 'if-none-match' => $_)->{status}, 304, "and found again: $_") for $plain, $packed;
	return;
}

sub encoded
{
	my $body = '{"title":"A","type":"bug"}';
	for my $coding ('gzip', 'br', 'deflate', 'GZIP', 'gzip, identity', 'aes128gcm')
	{
		my $got = $gw->request('POST', '/api/v1/work-items', $body, 'content-encoding' => $coding);
		is($got->{status}, 415, "a body in $coding is refused");
		is($got->{headers}{'accept-encoding'}, 'identity', 'and the answer says what would not be');
		like($got->{content}, qr/"hint":"Send the body without Content-Encoding\."/, 'in words, too');
	}
	is($gw->request('POST', '/api/v1/import', "case_id,stage,entered_at\n", 'content-type' => 'text/csv', 'content-encoding' => 'gzip')->{status}, 415, 'so is an import');
	is($gw->request('POST', '/api/v1/work-items', $body, 'content-encoding' => $_)->{status}, 201, "a body in '$_' is taken") for 'identity', 'Identity';
	is($gw->get('/live', 'content-encoding' => 'gzip')->{status}, 200, 'where there is no body its coding does not matter');
	return;
}

# 1,000 connections of one address, each with one request at a time, with the options as they are.
sub many_connections
{
	my ($clients, $connections, $rounds) = (4, 250, 3);
	my $many = Service->start($node);
	my @pipes;
	for my $client (1 .. $clients)
	{
		pipe my $read, my $write or die "pipe: $!";
		my $pid = fork // die "fork: $!";
		if ($pid == 0)
		{
			print {$write} join(' ', load($many->{port}, $connections, $rounds, $client)), "\n";
			close $write;
			POSIX::_exit(0);
		}
		push @pipes, [ $pid, $read ];
	}
	my %seen;
	for my $pipe (@pipes)
	{
		my ($pid, $read) = @$pipe;
		$seen{$_}++ for split ' ', scalar readline $read;
		waitpid $pid, 0;
	}
	is_deeply(\%seen, { 200 => $clients * $connections * $rounds }, '1,000 connections are all served, again and again');
	$many->finish;
	return;
}

# Opens that many connections, sends a request on each, reads all answers, and so on; the status of each.
sub load
{
	my ($port, $connections, $rounds, $client) = @_;
	my $raw = RawHttp->new($port);
	my @sockets = map { $raw->connect } 1 .. $connections;
	my @status;
	for my $round (1 .. $rounds)
	{
		my $poll = IO::Poll->new;
		my %text;
		for my $i (0 .. $#sockets)
		{
			my $days = 1 + ($client * 1000 + $i) % 90;
			syswrite $sockets[$i], "GET /api/v1/work-items?limit=$days HTTP/1.1\r\nHost: localhost\r\n\r\n";
			$poll->mask($sockets[$i] => POLLIN);
			$text{ $sockets[$i] } = '';
		}
		while ($poll->handles)
		{
			$poll->poll(60) > 0 or return (@status, ('no-answer') x scalar $poll->handles);
			for my $socket ($poll->handles(POLLIN | POLLHUP | POLLERR))
			{
				my $n = sysread $socket, $text{$socket}, 65536, length $text{$socket};
				my ($head, $body) = split /\r\n\r\n/, $text{$socket}, 2;
				my ($length) = $head =~ /^content-length: (\d+)/mi;
				next if $n && !(defined $body && length $body >= ($length // 0));
				push @status, $head =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none';
				$poll->remove($socket);
			}
		}
	}
	return @status;
}
