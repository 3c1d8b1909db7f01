# RawHttp.pm: bytes go to a port, and what comes back is taken apart
#
#	RawHttp->new($port [, $from])		from that address of this machine
#	$raw->connect						a socket
#	$raw->answers(@parts)				sends them one after the other, says that no more will come when the last one is undef, and reads
#										until the connection ends; a list of { status, headers, body } or { problem }
#	$raw->read_all($socket [, $seconds])	what comes until then, or to the end
#	RawHttp::parse($bytes)				that list

package RawHttp;

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

sub new
{
	my ($class, $port, $from) = @_;
	return bless { port => $port, from => $from // '127.0.0.1' }, $class;
}

sub connect
{
	my ($self) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, LocalAddr => $self->{from}, Proto => 'tcp') // die "connect: $!";
	return $socket;
}

sub answers
{
	my ($self, @parts) = @_;
	my $socket = $self->connect;
	local $SIG{PIPE} = 'IGNORE';
	my $done = !defined $parts[-1];
	pop @parts if $done;
	for my $n (0 .. $#parts)
	{
		sleep 0.05 if $n;
		syswrite $socket, $parts[$n];
	}
	$socket->shutdown(1) if $done;
	return parse($self->read_all($socket));
}

sub read_all
{
	my ($self, $socket, $seconds) = @_;
	my $end = time + ($seconds // 30);
	my $bytes = '';
	while (time < $end)
	{
		my $ready = '';
		vec($ready, fileno $socket, 1) = 1;
		next unless select $ready, undef, undef, 0.1;
		my $n = sysread $socket, $bytes, 65536, length $bytes;
		return $bytes unless $n;
	}
	return $seconds ? $bytes : "silence after: $bytes";
}

sub parse
{
	my ($bytes) = @_;
	my @answers;
	while (length $bytes)
	{
		my ($status, $head) = $bytes =~ m{\AHTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[!-9;-~]+:[^\r\n]*\r\n)*)\r\n} or return (@answers, { problem => "no HTTP: $bytes", status => 0 });
		my $length = $+[0];
		my %headers = map { my ($name, $value) = split /:\s*/, $_, 2; (lc $name => $value) } split /\r\n/, $head;
		my $body = substr $bytes, $length, $status == 204 || $status == 304 || $status < 200 ? 0 : $headers{'content-length'} // 0;
		return (@answers, { problem => "a body that is too short: $bytes", status => 0 }) if length $body < ($headers{'content-length'} // 0);
		push @answers, { status => $status, headers => \%headers, body => $body };
		$bytes = substr $bytes, $length + length $body;
	}
	return @answers;
}

1;
