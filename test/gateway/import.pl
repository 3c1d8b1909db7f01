# import.pl: CSV and NDJSON of any length become history, whole or not at all, in the memory of a small process

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $rows = $ENV{VSM_IMPORT_ROWS} // 120_000;

my $node = database('import');
my $gw = Service->start($node);
$gw->create('an item');

csv();
ndjson();
refused();
on_error();
cut_off();
large();

$gw->finish;
$node->stop;
done_testing();

sub import_of
{
	my ($body, %more) = @_;
	my $query = $more{query} ? "?$more{query}" : '';
	return $gw->post("/api/v1/import$query", $body, 'content-type' => $more{type} // 'text/csv');
}

sub history
{
	my ($external_id) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT string_agg(h.to_stage, ' ' ORDER BY h."timestamp") FROM vsm.work_items i, vsm.history(i.id) h WHERE i.external_id = '$external_id'});
}

sub item
{
	my ($external_id) = @_;
	return $node->safe_psql('postgres', "SELECT replace(replace(title, chr(13), '<CR>'), chr(10), '<LF>'), type, created_at AT TIME ZONE 'UTC' FROM vsm.work_items WHERE external_id = '$external_id'");
}

sub accepted
{
	my ($got, $items, $transitions, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got->{status}, 200, $name) or diag($got->{content});
	like($got->{content}, qr/^\{"items":$items,"transitions":$transitions,"merged":\d+,"skipped":\d+,.*"refused":\[\]/, "$name: $items items, $transitions moves");
	return;
}

sub csv
{
	accepted(import_of("case_id,stage,entered_at\nA-1,Backlog,2026-01-05T10:00:00Z\nA-1,Testing,2026-01-06T10:00:00Z\n"), 1, 2, 'a CSV file');
	is(history('A-1'), 'Backlog Testing', 'its moves are there');
	accepted(import_of("case_id,stage,entered_at\nA-1,Backlog,2026-01-05T10:00:00Z\nA-1,Testing,2026-01-06T10:00:00Z\n"), 0, 0, 'the same again changes nothing');
	accepted(import_of("case_id,stage,entered_at\nA-1,Production,2026-01-08T10:00:00Z\nA-1,Deployment,2026-01-07T10:00:00Z\n"), 1, 2, 'events in any order');
	is(history('A-1'), 'Backlog Testing Deployment Production', 'come into theirs');

	my $body = qq(entered_at,title,type,stage,case_id\r\n2026-02-01T00:00:00+01:00,"Say ""hello"",\r\nworld, \xc3\xa9",bug,Backlog,"A,2"\r\n);
	accepted(import_of($body), 1, 1, 'quotes, commas, CRLF, line ends in a value, columns in any order');
	is(item('A,2'), "Say \"hello\",<CR><LF>world, \xc3\xa9|bug|2026-01-31 23:00:00", 'are read as they are meant');
	accepted(import_of("\xef\xbb\xbfcase_id,stage,entered_at\nA-3,Backlog,2026-01-05"), 1, 1, 'a byte order mark, and no newline at the end');
	is(history('A-3'), 'Backlog', 'are no fault');
	accepted(import_of("case_id,stage,entered_at,colour\nA-4,Backlog,2026-01-05,red\n"), 1, 1, 'further columns are ignored');
	accepted(import_of("case_id,stage,entered_at\n"), 0, 0, 'a header alone');
	accepted(import_of("case_id,stage,entered_at\n\\.,Backlog,2026-01-05\n\\N,Backlog,2026-01-05\n"), 2, 2, 'what means something to COPY means nothing here');
	is(history('\\.'), 'Backlog', 'it is an id');
	return;
}

sub ndjson
{
	my $body = join '', map { "$_\n" }
		'{"case_id":"N-1","stage":"Backlog","entered_at":"2026-01-05T10:00:00Z","type":"epic","title":"tab\tquote\" back\\\\slash \u00e9 \ud83d\ude80"}',
		'{"stage":"Testing","case_id":"N-1","entered_at":"2026-01-06T10:00:00Z","colour":{"r":1}}',
		'',
		'{"case_id":17,"stage":"Backlog","entered_at":"2026-01-05T10:00:00Z","title":null}';
	accepted(import_of($body, type => 'application/x-ndjson'), 2, 3, 'NDJSON');
	is(history('N-1'), 'Backlog Testing', 'its moves are there');
	is(item('N-1'), "tab\tquote\" back\\slash \xc3\xa9 \xf0\x9f\x9a\x80|epic|2026-01-05 10:00:00", 'with title and type');
	is(history('17'), 'Backlog', 'an id may be a number');
	accepted(import_of('{"case_id":"N-3","stage":"Backlog","entered_at":"2026-01-05"}', type => 'application/x-ndjson'), 1, 1, 'no newline at the end');
	accepted(import_of("\xef\xbb\xbf" . '{"case_id":"N-4","stage":"Backlog","entered_at":"2026-01-05"}', type => 'application/x-ndjson'), 1, 1, 'a byte order mark');
	my $utf16 = "\xff\xfe" . '{"case_id":"N-5","stage":"Backlog","entered_at":"2026-01-05"}' =~ s/(.)/$1\0/gr;
	accepted(import_of($utf16, type => 'application/x-ndjson'), 1, 1, 'UTF-16 with its mark');
	accepted(import_of('', type => 'application/x-ndjson'), 0, 0, 'nothing at all');
	return;
}

# A bad file leaves nothing.
sub refuse
{
	my ($name, $body, %more) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT count(*), max(id) FROM vsm.stage_transitions');
	my $got = import_of($body, %more);
	like($got->{status}, $more{status} // qr/^422$/, $name) or diag($got->{content});
	like($got->{content}, qr/^\{"detail":/, "$name: with a detail");
	unlike($got->{content}, qr/COPY|vsm_import_rows|vsm_import|SELECT|pg_temp/, "$name: which is not about internals");
	is($node->safe_psql('postgres', 'SELECT count(*), max(id) FROM vsm.stage_transitions'), $before, "$name: nothing is left of it");
	return $got;
}

sub refused
{
	my $good = 'B-1,Backlog,2026-01-05';
	my $header = "case_id,stage,entered_at\n$good\n";
	refuse('no such columns', "id;status;date\n1;2;3\n");
	refuse('a column missing', "case_id,stage\nB-1,Backlog\n");
	refuse('two columns for one thing', "case_id,stage,stage,entered_at\nB-1,Backlog,Testing,2026-01-05\n");
	refuse('too few values', "${header}B-2,Backlog\n");
	refuse('too many values', "${header}B-2,Backlog,2026-01-05,more\n");
	refuse('a quote that does not end', qq(${header}"B-2,Backlog,2026-01-05\n));
	refuse('NUL', "${header}B-\0,Backlog,2026-01-05\n");
	refuse('an unknown stage', "${header}B-2,Nowhere,2026-01-05\n");
	refuse('a time that is none', "${header}B-2,Backlog,some day\n");
	refuse('nothing', '');
	refuse('an unknown stream', $header, query => 'stream=nowhere', status => qr/^404$/);
	refuse('an unknown way with errors', $header, query => 'on_error=guess');
	refuse('CSV called NDJSON', $header, type => 'application/x-ndjson');
	refuse('a line that is no object', qq({"case_id":"B-3","stage":"Backlog","entered_at":"2026-01-05"}\n[1]\n), type => 'application/x-ndjson');
	refuse('a line that is no JSON', qq({"case_id":"B-3","stage":"Backlog","entered_at":"2026-01-05"}\n{"case_id":\n), type => 'application/x-ndjson');
	refuse('an object for a value', qq({"case_id":{"a":1},"stage":"Backlog","entered_at":"2026-01-05"}\n), type => 'application/x-ndjson');
	refuse('NUL in a value', qq({"case_id":"B\\u0000","stage":"Backlog","entered_at":"2026-01-05"}\n), type => 'application/x-ndjson');
	refuse('another format', $header, type => 'application/json', status => qr/^415$/);
	return;
}

sub on_error
{
	my $got = import_of("case_id,stage,entered_at\nC-1,Backlog,2026-01-05\nC-1,Nowhere,2026-01-06\nC-2,Backlog,some day\nC-1,Testing,2026-01-07\n", query => 'on_error=skip');
	is($got->{status}, 200, 'on_error=skip takes what is good');
	is(history('C-1'), 'Backlog Testing', 'and leaves out the rest');
	like($got->{content}, qr/^\{"items":\d,"transitions":2,.*"refused_count":2,.*"refused":\[.*Nowhere.*some day.*\]/, 'which is counted, with the reasons');
	return;
}

# A client that goes away in the middle.
sub cut_off
{
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM vsm.stage_transitions');
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gw->{port}, Proto => 'tcp') // die "connect: $!";
	syswrite $socket, "POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n";
	my $part = "case_id,stage,entered_at\n" . join '', map { "D-$_,Backlog,2026-01-05\n" } 1 .. 1000;
	syswrite $socket, sprintf "%x\r\n%s\r\n", length $part, $part;
	close $socket;
	my $waiting = seconds_left(60);
	my $left;
	do
	{
		$left = $node->safe_psql('postgres', q{
			SELECT state, query FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'});
	} while ($left && $waiting->());
	is($left, '', 'an import that is cut off leaves no transaction');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.stage_transitions'), $before, 'and no rows');
	is($gw->get('/ready')->{status}, 200, 'the gateway goes on');
	return;
}

# Made as it is sent, so that only the gateway could hold all of it.
sub large
{
	for my $type (qw(text/csv application/x-ndjson))
	{
		my ($n, $bytes) = (0, 0);
		my $name = $type =~ s{.*[/-]}{}r;
		my $got = import_of(sub {
			return if $n >= $rows;
			my $part = $n || $type ne 'text/csv' ? '' : "case_id,stage,entered_at,title\n";
			for (1 .. 1000)
			{
				my ($case, $stage, $time) = ("$name-" . int($n / 3), (qw(Backlog Testing Production))[ $n % 3 ], sprintf('2026-01-%02dT%02d:00:00Z', 1 + $n % 3, $n / 3 % 24));
				my $title = 'A title that is long enough to be felt ' . 'x' x 100;
				$part .= $type eq 'text/csv' ? "$case,$stage,$time,$title\n" : qq({"case_id":"$case","stage":"$stage","entered_at":"$time","title":"$title"}\n);
				$n++;
			}
			$bytes += length $part;
			return $part;
		}, type => $type);
		accepted($got, $rows / 3, $rows, "$rows rows of $name");
		my $peak = $gw->memory_kb('VmHWM');
		cmp_ok($peak, '<', 32 * 1024, sprintf '%d kB of %s are imported by a process of %d kB', $bytes / 1024, $name, $peak);
	}
	return;
}
