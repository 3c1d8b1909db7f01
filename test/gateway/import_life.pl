# import_life.pl: an import is written whole or not at all, whoever goes away meanwhile: the client, the database, the disk
#
# Nothing here depends on how long something takes: a locked table makes an import wait until the test lets it go.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use Service;

my $header = "case_id,stage,entered_at\n";
my $node = database('life');
my $gw = Service->start($node, options => [ '--fast-timeout', 600_000, '--connect-timeout', 1000 ]);
$gw->eventually('/api/v1/stages', 200);

slow_end();
client_leaves_upload();
client_leaves_reading();
client_leaves_while('the settings of the stream are read', 'vsm.stage_aliases', 'S');
client_leaves_while('the rows are imported', 'vsm.work_items', 'T');
two_at_once();
database_away();
database_goes_while('the settings of the stream are read', 'vsm.stage_aliases', 'U');
database_goes_while('the rows are imported', 'vsm.work_items', 'V');
database_goes_in_copy('pg_terminate_backend', 503);
database_goes_in_copy('pg_cancel_backend', 504);
limits();
no_room();
ends();

$gw->finish;
$node->stop;
done_testing();

sub rows
{
	my ($prefix, $n) = @_;
	return join '', map { "$prefix-$_,Backlog,2026-01-05T10:00:00Z\n" } 1 .. $n;
}

sub items
{
	my ($prefix) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM vsm.work_items WHERE external_id LIKE '$prefix-%'");
}

sub connection
{
	my ($of) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => ($of // $gw)->{port}, Proto => 'tcp') // die "connect: $!";
}

sub head
{
	my ($length) = @_;
	return "POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: $length\r\n\r\n";
}

sub put
{
	my ($socket, $text) = @_;
	while (length $text)
	{
		my $n = syswrite $socket, $text;
		defined $n or return;
		substr $text, 0, $n, '';
	}
	return;
}

# The answer's status and the rest.
sub answer
{
	my ($socket) = @_;
	my $text = '';
	local $SIG{ALRM} = sub { die "no answer\n" };
	alarm 120;
	until ($text =~ /\r\n\r\n/ && $text =~ /Content-Length: (\d+)\r\n.*?\r\n\r\n(.*)/is && length $2 >= $1)
	{
		sysread($socket, $text, 65536, length $text) or last;
	}
	alarm 0;
	return $text =~ m{^HTTP/1.1 (\d+)} ? ($1, $text) : (0, $text);
}

# Files that the gateway keeps.
sub kept
{
	my ($of) = @_;
	return scalar grep { (readlink($_) // '') =~ m{/(?:#\d+|vsm-gateway-\w+) \(deleted\)$} } glob "/proc/" . ($of // $gw)->{pid} . "/fd/*";
}

sub until_true
{
	my ($what, $true) = @_;
	my $waiting = seconds_left(60);
	sleep 0.01 until $true->() || !$waiting->();
	return ok($true->(), $what);
}

sub waiting_backends
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%vsm_api.import%'});
}

# ---- The client ----

# All bytes are in the file before the end of the body is known.
sub slow_end
{
	my $body = $header . rows('Q', 1000);
	my $socket = connection();
	put($socket, "POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n");
	put($socket, sprintf "%x\r\n%s\r\n", length $body, $body);
	until_true('a body is kept before its end is known', sub { grep { (stat)[7] == length $body && readlink =~ /\(deleted\)$/ } glob "/proc/$gw->{pid}/fd/*" });
	$gw->get('/live') for 1 .. 3;
	put($socket, "0\r\n\r\n");
	my ($status, $text) = answer($socket);
	is($status, 200, 'it is imported') or diag($text);
	is(items('Q'), 1000, 'whole');
	return;
}

sub client_leaves_upload
{
	my $socket = connection();
	put($socket, head(10_000_000) . $header . rows('A', 20_000));
	until_true('a file is kept while it arrives', sub { kept() == 1 });
	close $socket;
	until_true('and is gone when the client leaves', sub { kept() == 0 });
	is(items('A'), 0, 'a client that leaves while it uploads leaves nothing');
	return;
}

# The body has arrived, so it counts as asked for.
sub client_leaves_reading
{
	my $body = $header . rows('R', 300_000);
	my $socket = connection();
	put($socket, head(length $body) . $body);
	close $socket;
	until_true('a client that leaves while its file is read has asked for the import', sub { items('R') == 300_000 });
	until_true('whose file is gone', sub { kept() == 0 });
	return;
}

sub client_leaves_while
{
	my ($what, $table, $prefix) = @_;
	my $locker = $node->background_psql('postgres');
	my $body = $header . rows($prefix, 100);
	my $socket = connection();
	$locker->query_safe("BEGIN; LOCK TABLE $table IN ACCESS EXCLUSIVE MODE");
	put($socket, head(length $body) . $body);
	until_true("the import waits while $what", sub { waiting_backends() == 1 });
	close $socket;
	is($gw->get('/live')->{status}, 200, 'the gateway answers others meanwhile');
	$locker->query_safe('COMMIT');
	$locker->quit;
	until_true("a client that leaves while $what has asked for the import", sub { items($prefix) == 100 });
	until_true('its file is gone', sub { kept() == 0 });
	return;
}

sub two_at_once
{
	my @socket = (connection(), connection());
	my @body = map { $header . rows($_, 50_000) } qw(X Y);
	put($socket[$_], head(length $body[$_]) . substr $body[$_], 0, 500_000) for 0, 1;
	until_true('two files are kept at once', sub { kept() == 2 });
	put($socket[$_], substr $body[$_], 500_000) for 1, 0;
	is((answer($socket[$_]))[0], 200, 'both are imported') for 0, 1;
	is(items('X') . ' ' . items('Y'), '50000 50000', 'each whole');
	return;
}

# ---- The database ----

sub database_away
{
	my $socket = connection();
	my $body = $header . rows('B', 1000);
	put($socket, head(length $body) . substr $body, 0, 500);
	until_true('half a file is there', sub { kept() == 1 });
	$node->stop;
	put($socket, substr $body, 500);
	my ($status, $text) = answer($socket);
	is($status, 503, 'a database that goes while the file arrives: 503') or diag($text);

	$gw->eventually('/ready', 503);
	for my $query ('', '?dry_run=true')
	{
		my $got = $gw->post("/api/v1/import$query", $body, 'content-type' => 'text/csv');
		is($got->{status}, 503, "a good file while the database is away$query: 503");
		like($got->{headers}{'retry-after'} // '', qr/^\d+$/, 'with Retry-After');
		unlike($got->{content}, qr/line|header/i, 'and no word against the file') or diag($got->{content});
	}
	$node->start;
	$gw->eventually('/ready', 200);
	is(items('B'), 0, 'nothing is written');
	is($gw->post('/api/v1/import', $body, 'content-type' => 'text/csv')->{status}, 200, 'the file is imported when the database is back');
	return;
}

sub database_goes_while
{
	my ($what, $table, $prefix) = @_;
	my $locker = $node->background_psql('postgres', on_error_stop => 0);
	my $body = $header . rows($prefix, 100);
	my $socket = connection();
	$locker->query_safe("BEGIN; LOCK TABLE $table IN ACCESS EXCLUSIVE MODE");
	put($socket, head(length $body) . $body);
	until_true("the import waits while $what", sub { waiting_backends() == 1 });
	$node->stop('immediate');
	my ($status, $text) = answer($socket);
	is($status, 503, "a database that goes while $what: 503") or diag($text);
	eval { $locker->quit };
	$node->start;
	$gw->eventually('/ready', 200);
	is(items($prefix), 0, 'nothing is written');
	is(kept(), 0, 'and no file is kept');
	return;
}

sub database_goes_in_copy
{
	my ($function, $expected) = @_;
	my $body = $header . rows('W', 1_000_000);
	my $socket = connection();
	my $killer = $node->background_psql('postgres');
	put($socket, head(length $body) . $body);
	my $killed = $killer->query_safe(q{
		CREATE FUNCTION pg_temp.kill() RETURNS integer LANGUAGE plpgsql AS $$
		DECLARE n integer := 0;
		BEGIN
			FOR i IN 1 .. 3000 LOOP
				PERFORM pg_stat_clear_snapshot();
				SELECT count(STOP(a.pid)) INTO n FROM pg_stat_activity a WHERE a.query LIKE 'COPY pg_temp.vsm_import_rows%' AND a.state = 'active';
				EXIT WHEN n > 0;
				PERFORM pg_sleep(0.01);
			END LOOP;
			RETURN n;
		END $$;
		SELECT pg_temp.kill()} =~ s/STOP/$function/r);
	$killer->quit;
	is($killed =~ s/\s+$//r =~ s/.*\s//sr, 1, "$function() while rows stream to it");
	my ($status, $text) = answer($socket);
	is($status, $expected, "the import is answered with $expected") or diag($text);
	$gw->eventually('/ready', 200);
	is(items('W'), 0, 'and nothing is written');
	return;
}

# ---- Limits ----

sub limits
{
	my $small = Service->start($node, options => [ '--max-import-bytes', 1000 ]);
	my $body = $header . rows('L', 100);
	my $got = $small->post('/api/v1/import', $body, 'content-type' => 'text/csv');
	is($got->{status}, 413, 'a file over --max-import-bytes is refused');
	like($got->{json}{hint}, qr/in parts/, 'with a way out');
	my @parts = ($header, rows('L', 100));
	$got = $small->post('/api/v1/import', sub { shift @parts }, 'content-type' => 'text/csv');
	is($got->{status}, 413, 'also when its length was not told');
	is(items('L'), 0, 'nothing is written');
	is($small->post('/api/v1/import', $header . rows('L', 10), 'content-type' => 'text/csv')->{status}, 200, 'a shorter one is imported');
	is(kept($small), 0, 'no file is kept');
	$small->finish;
	return;
}

# A limit of the size of files is a disk that is full at that size.
sub no_room
{
	my $limited = file('limited');
	append_to_file($limited, "#!/bin/sh\nulimit -f 128\nexec @{[ program() ]} \"\$@\"\n");
	chmod 0755, $limited;
	my $full = do { local $ENV{VSM_GATEWAY} = $limited; Service->start($node) };
	my $got = $full->post('/api/v1/import', $header . rows('F', 20_000), 'content-type' => 'text/csv');
	is($got->{status}, 507, 'no room for the file: 507') or diag($got->{content});
	like($got->{json}{detail}, qr/no room/, 'which says so');
	is($full->get('/live')->{status}, 200, 'the gateway goes on');
	is($full->post('/api/v1/import', $header . rows('F', 10), 'content-type' => 'text/csv')->{status}, 200, 'with files for which there is room');
	is(items('F'), 10, 'of the first one nothing is written');
	$full->finish;

	my $nowhere = Service->start($node, options => [ '--spool-dir', file('nowhere') ]);
	$got = $nowhere->post('/api/v1/import', $header . rows('G', 10), 'content-type' => 'text/csv');
	is($got->{status}, 503, 'nowhere to keep the file: 503');
	unlike($got->{content}, qr{nowhere|/}, 'without a word on where that is');
	like($nowhere->log, qr/import_not_kept/, 'the log has the reason');
	is(items('G'), 0, 'nothing is written');
	$nowhere->finish;
	return;
}

# SIGTERM while an import waits
sub ends
{
	my $ending = Service->start($node, options => [ '--drain-timeout', 1 ]);
	my $locker = $node->background_psql('postgres');
	my $body = $header . rows('E', 10);
	my $socket = connection($ending);
	my $half = connection($ending);
	put($half, head(10_000) . $header);
	$locker->query_safe('BEGIN; LOCK TABLE vsm.work_items IN ACCESS EXCLUSIVE MODE');
	put($socket, head(length $body) . $body);
	until_true('an import waits, and another arrives', sub { waiting_backends() == 1 && kept($ending) == 2 });
	$ending->signal('TERM');
	my ($status) = answer($socket);
	is($status, 503, 'SIGTERM: it is answered');
	$ending->finish($ending->reap);
	$locker->query_safe('COMMIT');
	$locker->quit;
	until_true('the transaction ends', sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%vsm_api.import%' AND pid <> pg_backend_pid() AND state <> 'idle'}) == 0 });
	is(items('E'), 0, 'nothing is written');
	return;
}
