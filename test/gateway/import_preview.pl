# import_preview.pl: what a file is understood as is shown before it is written, can be changed, and is asked about when it is unclear

use strict;
use warnings;

use Encode qw(encode);
use FindBin;
use JSON::PP;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $node = database('preview');
my $gw = Service->start($node);
$gw->eventually('/api/v1/stages', 200);

my $json = JSON::PP->new->canonical;
my $log = "Key;Status;When\n" . join '', map { "$_\n" }
	'K-1;Neu;2026-01-05 10:00', 'K-1;In Arbeit;2026-01-06 10:00', 'K-1;fertig;2026-01-08 10:00', 'K-2;Neu;2026-01-05 11:00', 'K-2;in arbeit ;2026-01-07 10:00';

proposes();
foretells();
asks();
changed_stages();
aliases();
existing_stream();
columns();
kinds();
zones();
skips();
ndjson();
parameters();

$gw->finish;
$node->stop;
done_testing();

sub import_of
{
	my ($body, %query) = @_;
	my $type = delete $query{content_type} // 'text/csv';
	my $query = join '&', map { "$_=" . (encode('UTF-8', $query{$_}) =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger) } sort keys %query;
	return $gw->post("/api/v1/import?$query", $body, 'content-type' => $type);
}

sub written
{
	return $node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM vsm.stage_transitions), (SELECT count(*) FROM vsm.value_streams), (SELECT count(*) FROM vsm.stages),
			(SELECT count(*) FROM vsm.work_item_types), (SELECT count(*) FROM vsm.stage_aliases)});
}

# "item: stage, stage ...", in order of time
sub histories
{
	my ($stream) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT string_agg(h.line, ' | ' ORDER BY h.line)
		FROM (SELECT w.external_id || ': ' || string_agg(s.name, ', ' ORDER BY t."timestamp", t.id) AS line
			FROM vsm.work_items w JOIN vsm.stage_transitions t ON t.work_item_id = w.id JOIN vsm.stages s ON s.id = t.to_stage_id
			WHERE w.stream = '$stream' GROUP BY w.external_id) h});
}

sub stages
{
	my ($stream) = @_;
	return join ' ', map { "$_->{name}:$_->{category}" } @{ $gw->get("/api/v1/stages?stream=$stream")->{json} };
}

sub proposes
{
	my $before = written();
	my $got = import_of($log, stream => 'p', dry_run => 'true', create_stages => 'true');
	is($got->{status}, 200, 'a dry run is answered') or diag($got->{content});
	my $p = $got->{json}{proposal};
	is_deeply([ @$p{qw(outcome form item stage time delimiter items moves)} ], [ 'proposal', 'long', 'Key', 'Status', 'When', ';', 2, 5 ], 'with the form, columns and counts');
	is_deeply([ map { "$_->{name}:$_->{category}" } @{ $p->{stages} } ], [ 'Neu:wait', 'In Arbeit:active', 'fertig:done' ], 'and the stages in order');
	is_deeply($got->{json}{changes}, { stream => 'p', stages => [ 'Neu', 'In Arbeit', 'fertig' ], types => [], faults => [] }, 'what would be defined');
	is_deeply(counts($got), [ 2, 5, 0, 0, 0 ], 'and what would be written');
	is(written(), $before, 'nothing is written');

	is(import_of($log, stream => 'p')->{status}, 404, 'without create_stages, a stream must exist');
	is(written(), $before, 'nothing is written');
	is_deeply(counts(import_of($log, stream => 'p', create_stages => 'true')), counts($got), 'with it, it is made, and written as was told');
	is(histories('p'), 'K-1: Neu, In Arbeit, fertig | K-2: Neu, In Arbeit', 'spellings are one stage');
	is_deeply(counts(import_of($log, stream => 'p', dry_run => 'true')), [ 0, 0, 0, 5, 0 ], 'then nothing of it is new');
	return;
}

# What the import refuses, the dry run has told.
sub foretells
{
	my $long = 'Waiting ' . 'x' x 150;
	for ([ qr/^None of the stages is a done stage\.$/, "Key;Status;When\nK-1;Open;2026-01-05 08:00\nK-1;Work;2026-01-06 08:00\n" ],
		[ qr/^Stage "Waiting x+" has more than 150 characters\.$/, "Key;Status;When\nK-1;$long;2026-01-05 08:00\nK-1;Done;2026-01-06 08:00\n" ])
	{
		my ($fault, $file) = @$_;
		my %how = (stream => 'foretold', create_stages => 'true');
		my $faults = import_of($file, %how, dry_run => 'true')->{json}{changes}{faults};
		is(@$faults, 1, 'a dry run tells one fault');
		like($faults->[0], $fault, 'in a sentence');
		is(import_of($file, %how)->{status}, 422, 'for which the import is refused');
	}
	for my $dry_run ('true', 'false')
	{
		my $got = import_of($log, stream => 'p', time_zone => 'Mars/Olympus', dry_run => $dry_run);
		is($got->{status}, 422, "dry_run=$dry_run with an unknown time zone is refused");
		like($got->{json}{message} // $got->{content}, qr/time zone \\?"Mars\/Olympus\\?" is not known/, 'which is named');
	}
	return;
}

sub counts
{
	my ($got) = @_;
	return [ @{ $got->{json} }{qw(items transitions merged skipped refused_count)} ];
}

# What must not be guessed, and what the answer names.
sub asks
{
	my @questions = (
		[ 'dates', 'dates=DMY', "case_id,stage,entered_at\nA-1,Backlog,03/04/2026\nA-1,Testing,05/06/2026\n" ],
		[ 'dates', 'dates=DMY', "case_id,stage,entered_at\nA-1,Backlog,13/04/2026\nA-1,Testing,05/26/2026\n" ],
		[ 'stage', 'stage=', "id,state,status,date\n" . join '', map { "A-$_,Open,New,2026-01-0$_\nA-$_,Done,Shipped,2026-01-1$_\n" } 1 .. 5 ],
		[ 'direction', 'direction=newest_first', "id,status,date\n" . join '', map { "$_,2026-01-01\n" } '1,Alpha', '1,Beta', '2,Beta', '2,Alpha', '3,Alpha', '3,Beta', '4,Beta', '4,Alpha' ],
	);
	for (@questions)
	{
		my ($option, $word, $file) = @$_;
		my $before = written();
		for my $dry_run ('false', 'true')
		{
			my $got = import_of($file, stream => 'q', create_stages => 'true', dry_run => $dry_run);
			is($got->{status}, 422, "$option is asked for") or diag($got->{content});
			is($got->{json}{code}, 'PT422', 'with the code');
			is($got->{json}{proposal}{option}, $option, 'and the option');
			like($got->{json}{hint}, qr/\Q$word\E/, 'which the hint names as a parameter of the query');
			unlike($got->{json}{hint}, qr/=>|--|vsm/, 'in the words of HTTP');
		}
		is(written(), $before, 'nothing is written');
	}
	my $file = $questions[0][2];
	is(import_of($file, dates => 'DMY')->{status}, 200, 'the option decides');
	is($node->safe_psql('postgres', q{SELECT created_at::date FROM vsm.work_items WHERE external_id = 'A-1'}), '2026-04-03', '3 April');
	return;
}

sub changed_stages
{
	my $changed = $json->encode([ { name => 'Neu', category => 'active' }, { name => 'Pause', category => 'wait' }, { name => 'In Arbeit' }, { name => 'fertig', category => 'done' }, { name => 'Weg', category => 'discarded' } ]);
	my $tried = import_of($log, stream => 'c', stages => $changed, dry_run => 'true');
	is_deeply([ map { "$_->{name}:$_->{category}" } @{ $tried->{json}{proposal}{stages} } ], [ qw(Neu:active Pause:wait), 'In Arbeit:active', 'fertig:done', 'Weg:discarded' ],
		'a changed proposal comes back as it was changed') or diag($tried->{content});
	is(import_of($log, stream => 'c', stages => $changed, create_stages => 'true')->{status}, 200, 'and is imported');
	is(stages('c'), 'Neu:active Pause:wait In Arbeit:active fertig:done Weg:discarded', 'by it');
	is_deeply([ map { "$_->{name}:$_->{category}" } @{ import_of($log, stream => 'c', dry_run => 'true')->{json}{proposal}{stages} } ], [ 'Neu:active', 'In Arbeit:active', 'fertig:done' ],
		'the next time, stages that the stream has are what they are there');
	is(import_of($log, stream => 'c', stages => '[{"name":"Neu"}]')->{status}, 422, 'a stage of the file that is left out is refused');
	for my $bad ('[{"category":"wait"}]', '[{"name":"Neu","category":"sleeping"}]', '[{"name":7}]', '{"name":"Neu"}', '[')
	{
		my $got = import_of($log, stream => 'c', stages => $bad);
		is($got->{status}, 422, "stages=$bad is refused");
		is_deeply($got->{json}{detail}[0]{loc}, [ 'query', 'stages' ], 'where it stands') or diag($got->{content});
	}
	return;
}

# They stay for the next import.
sub aliases
{
	my %query = (stream => 'a', create_stages => 'true');
	is(import_of($log, %query, aliases => '{"FERTIG":"Done","neu":null}')->{status}, 200, 'names mean other stages, or none');
	is(histories('a'), 'K-1: In Arbeit, Done | K-2: In Arbeit', 'as the aliases say');
	my $more = "Key;Status;When\nK-3;In Arbeit;2026-02-01 10:00\nK-3;Fertig;2026-02-02 10:00\n";
	is(import_of($more, stream => 'a')->{status}, 200, 'the next import');
	like(histories('a'), qr/K-3: In Arbeit, Done$/, 'follows them');
	is(import_of($log, stream => 'a', aliases => '{"Neu":7}')->{status}, 422, 'a value that is no name is refused');
	return;
}

# The stages that are there are those that are meant.
sub existing_stream
{
	my $got = import_of("id,status,date\nE-1,BACKLOG,2026-01-01\nE-1, testing,2026-01-02\n");
	is($got->{status}, 200, 'names in any case') or diag($got->{content});
	like(histories('default'), qr/E-1: Backlog, Testing/, 'are the stages of the stream');
	$got = import_of("case_id,stage,entered_at\nE-2,Nirgends,2026-01-01\n");
	is($got->{status}, 422, 'a stage that does not exist is refused');
	like($got->{json}{hint} // '', qr{/api/v1/stages.*create_stages=true}, 'with a way to have it') or diag($got->{content});
	$node->safe_psql('postgres', q{SELECT vsm.define_stream('tokyo', stages => '[{"name":"Open","category":"wait"},{"name":"Done","category":"done"}]', time_zone => 'Asia/Tokyo')});
	is(import_of("case_id,stage,entered_at\nE-3,Open,2026-01-01 09:00\n", stream => 'tokyo')->{status}, 200, 'times without an offset');
	is($node->safe_psql('postgres', q{SELECT created_at AT TIME ZONE 'UTC' FROM vsm.work_items WHERE external_id = 'E-3'}), '2026-01-01 00:00:00', "are of the stream's time zone");
	is(import_of("case_id,stage,entered_at\nE-4,Open,2026-01-01 09:00\n", stream => 'tokyo', time_zone => 'Europe/Berlin')->{status}, 200, 'or of the one');
	is($node->safe_psql('postgres', q{SELECT created_at AT TIME ZONE 'UTC' FROM vsm.work_items WHERE external_id = 'E-4'}), '2026-01-01 08:00:00', 'that is given');
	$got = import_of("case_id,stage,entered_at\nE-5,Open,2026-01-01 09:00\n", stream => 'tokyo', time_zone => 'Europe/Atlantis');
	is($got->{status}, 422, 'an unknown one is refused');
	unlike($got->{content}, qr/pg_timezone/, 'without a word of SQL');
	return;
}

sub columns
{
	my $file = "a,b,c,d,e\n" . join '', map { "x$_,S1,2026-01-0$_,Bug,t$_\nx$_,S2,2026-01-1$_,Bug,t$_\n" } 1 .. 5;
	my %named = (item => 'a', stage => 'B', time => ' c', type => 'd', title => 'e');
	is(import_of($file, stream => 'n', create_stages => 'true', create_types => 'true', %named)->{status}, 200, 'columns by name');
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT type || ' ' || title, ',' ORDER BY type || ' ' || title) FROM vsm.work_items WHERE stream = 'n'}),
		'Bug t1,Bug t2,Bug t3,Bug t4,Bug t5', 'are taken');
	my $got = import_of($file, %named, item => 'z');
	is($got->{status}, 422, 'a column that is not there');
	like($got->{json}{detail}, qr/"z".*a, b, c, d, e/, 'is named, and those that are') or diag($got->{content});
	return;
}

# Each would be wrong if it were read as it stands in the file, or by DateStyle.
sub kinds
{
	my %file = (
		'newest first' => "id,status,date\nK,Done,2026-01-05 10:00\nK,Doing,2026-01-05 10:00\nK,Open,2026-01-03 10:00\nL,Doing,2026-01-02 10:00\nL,Open,2026-01-01 10:00\n",
		'wide' => "ID,Open,Doing,Done\nK,2026-01-03,2026-01-04,2026-01-05\nL,2026-01-01,2026-01-02,N/A\n",
		'day first' => "id;status;date\nK;Open;03.01.2026\nK;Doing;04.01.2026\nK;Done;25.01.2026\nL;Open;01.01.2026\nL;Doing;02.01.2026\n",
		'month first' => "id,status,date\nK,Open,1/3/2026\nK,Doing,1/4/2026\nK,Done,1/25/2026\nL,Open,1/1/2026\nL,Doing,1/2/2026\n",
		'changelog' => "Key,Field,From,To,Created\nK,assignee,,anna,2026-01-02\nK,status,,Open,2026-01-03\nK,status,Open,Doing,2026-01-04\nK,status,Doing,Done,2026-01-05\nL,status,,Open,2026-01-01\nL,status,Open,Doing,2026-01-02\n",
		'UTF-16' => "\xFF\xFE" . encode('UTF-16LE', "id\tstatus\tdate\r\nK\tOpen\t2026-01-03\r\nK\tDoing\t2026-01-04\r\nK\tDone\t2026-01-05\r\nL\tOpen\t2026-01-01\r\nL\tDoing\t2026-01-02\r\n"),
		'spreadsheet' => "Board Shop;;\n;;\nid;status;date\nK;Open;2026-01-03\nK;Doing;2026-01-04\nK;Done;2026-01-05\n;;\nL;Open;2026-01-01\nL;Doing;2026-01-02\n",
	);
	for my $kind (sort keys %file)
	{
		my $got = import_of($file{$kind}, stream => $kind, create_stages => 'true');
		is($got->{status}, 200, "$kind: is imported") or diag($got->{content});
		is(histories($kind), 'K: Open, Doing, Done | L: Open, Doing', "$kind: as it was");
	}
	return;
}

# The database knows the zones that a file names: in summer and winter, and in the hour that clocks repeat or leave out.
sub zones
{
	my $file = "id,status,date\nZ-1,Backlog,2026-01-05 10:00:00 Europe/Berlin\nZ-1,Analysis,2026-07-05 10:00:00.5 America/New_York\n"
		. "Z-1,Testing,2026-10-25 02:30:00 Europe/Berlin\nZ-1,Production,2026-10-26 12:00:00+02:00\n" . "Z-2,Backlog,2026-10-01 10:00:00 Mars/Base\n";
	my $got = import_of($file, on_error => 'skip');
	is($got->{status}, 200, 'a file with zones by name') or diag($got->{content});
	is($node->safe_psql('postgres', q{SELECT string_agg(to_char(t."timestamp" AT TIME ZONE 'UTC', 'MM-DD HH24:MI:SS.MS'), ', ' ORDER BY t."timestamp")
		FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id WHERE w.external_id = 'Z-1'}),
		'01-05 09:00:00.000, 07-05 14:00:00.500, 10-25 01:30:00.000, 10-26 10:00:00.000', 'is read by them');
	is_deeply([ map { "$_->{line} $_->{reason}" } @{ $got->{json}{refused} } ], [ '6 "2026-10-01T10:00:00 Mars/Base" is not a time' ], 'but for one that there is not') or diag($got->{content});
	return;
}

sub skips
{
	my $file = "id,status,date\nS-1,Backlog,2026-01-01\nS-1,Testing,some day\nS-1,Testing\nS-1,Nirgends,2026-01-03\nS-1,Testing,2026-01-04\n";
	my $got = import_of($file =~ s/.*Nirgends.*\n//r);
	is($got->{status}, 422, 'a line that cannot be read refuses the import');
	like($got->{json}{detail}, qr/line 3.*line 4/s, 'with the lines') or diag($got->{content});
	like($got->{json}{hint}, qr/on_error=skip/, 'and the way to skip them') or diag($got->{content});
	$got = import_of($file, on_error => 'skip');
	is($got->{json}{refused_count}, 3, 'which are counted');
	is_deeply([ map { $_->{line} } @{ $got->{json}{refused} } ], [ 3, 4, 5 ], 'by line') or diag($got->{content});
	like(histories('default'), qr/S-1: Backlog, Testing\b/, 'the others are imported');
	my $tried = import_of($file, dry_run => 'true');
	is($tried->{json}{refused_count}, 2, 'a dry run counts those that cannot be read');
	return;
}

sub ndjson
{
	my %type = (content_type => 'application/x-ndjson');
	my $object = sub { return $json->encode({ case_id => $_[0], stage => $_[1], entered_at => $_[2], title => $_[3] }) . "\n" };
	my $got = import_of($object->('J-1', 'Backlog', '03/04/2026', 't'), %type);
	is($got->{json}{proposal}{option}, 'dates', 'NDJSON: dates are not guessed either') or diag($got->{content});
	my $body = "\n" . $object->('J-1', 'Backlog', '2026-01-01', "a \\n\n\"title\"\\") . "\n" . $object->('J-2', 'Backlog', 'never', "two\r\nlines") . $object->('J-3', 'testing', '2026-01-02', 'x');
	$got = import_of($body, %type, on_error => 'skip');
	is_deeply([ map { $_->{line} } @{ $got->{json}{refused} } ], [4], 'lines are those of the body') or diag($got->{content});
	is_deeply([ map { $_->{line} } @{ $got->{json}{proposal}{refused} } ], [4], 'in the proposal too');
	is($node->safe_psql('postgres', q{SELECT title FROM vsm.work_items WHERE external_id = 'J-1'}), "a \\n\n\"title\"\\", 'titles stay as they are');
	like(histories('default'), qr/J-3: Testing/, 'names in any case');
	return;
}

sub parameters
{
	for my $bad ([ dates => 'XYZ' ], [ direction => 'sideways' ], [ dry_run => 'perhaps' ], [ create_stages => '7' ], [ aliases => '[]' ], [ form => 'long' ])
	{
		my $got = import_of($log, @$bad);
		is($got->{status}, 422, "$bad->[0]=$bad->[1] is refused");
		is_deeply($got->{json}{detail}[0]{loc}, [ 'query', $bad->[0] ], 'where it stands') or diag($got->{content});
	}
	return;
}
