# import_doors.pl: a text is read alike by vsm_api.import() and POST /api/v1/import: the same rows, or the same refusal

use strict;
use warnings;

use Encode qw(encode);
use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $node = database('doors');
my $gw = Service->start($node);

my $header = "case_id,stage,entered_at";
my $row = 'A,Backlog,2026-01-05';
my $object = '{"case_id":"A","stage":"Backlog","entered_at":"2026-01-05"}';

csv();
ndjson();
bytes();

$gw->finish;
$node->stop;
done_testing();

# What is imported is written as "id stage type title", sorted; null does not occur, as the title is then the id.
sub csv
{
	imports('a header alone', "$header\n", '');
	imports('one row', "$header\n$row\n", 'A Backlog task A');
	imports('no newline at the end', "$header\n$row", 'A Backlog task A');
	imports('CR LF', "$header\r\n$row\r\n", 'A Backlog task A');
	imports('CR', "$header\r$row\r", 'A Backlog task A');
	imports('CR here and LF there', "$header\r$row\nB,Testing,2026-01-05\r\n", 'A Backlog task A | B Testing task B');
	imports('a byte order mark', "\x{FEFF}$header\n$row\n", 'A Backlog task A');
	imports('a byte order mark before a quote', "\x{FEFF}\"case_id\",stage,entered_at\n$row\n", 'A Backlog task A');
	imports('a byte order mark where files were joined', "$header\n$row\n\x{FEFF}B,Testing,2026-01-05\n\x{FEFF}\"C\",Testing,2026-01-05\n\x{FEFF}\n", 'A Backlog task A | B Testing task B | C Testing task C');
	imports('a byte order mark in a name', "$header\nA\x{FEFF}B,Backlog,2026-01-05\n", "A\x{FEFF}B Backlog task A\x{FEFF}B");
	refuses('a header where files were joined', "$header\n$row\n\x{FEFF}$header\n$row\n", '1 row of the import cannot be imported. line 3 (case case_id): the time cannot be read');
	imports('blank lines', "\n\r\n$header\n\n  \t\n$row\n\n", 'A Backlog task A');
	imports('columns in another order, and more of them', "x,title,entered_at,type,y,stage,case_id\n1,t,2026-01-05,bug,2,Backlog,A\n", 'A Backlog bug t');
	imports('names in capitals and with blanks around them', "CASE_ID, Stage\t,Entered_At\n$row\n", 'A Backlog task A');
	imports('an ignored column named twice', "$header,x,x\n$row,1,2\n", 'A Backlog task A');
	imports('commas, line ends and quotes in quotes', "$header,title\n$row,\"a,\"\"b\"\"\nc\r\nd\"\n", "A Backlog task a,\"b\"\nc\r\nd");
	imports('a line end in the name of a column', "$header,\"x\ny\"\n$row,1\n", 'A Backlog task A');
	imports('an empty value in quotes', "$header,title\n$row,\"\"\n", 'A Backlog task A');
	imports('backslashes and tabs', "$header,title\n$row,\\N\\t\t.\n", "A Backlog task \\N\\t\t.");
	imports('other letters', "$header,title\n$row,\x{E9}\x{1F680}\n", "A Backlog task \x{E9}\x{1F680}");
	imports('semicolons', "case_id;stage;entered_at;title\nA;Backlog;2026-01-05;a,b\n", 'A Backlog task a,b');
	imports('tabs', "case_id\tstage\tentered_at\nA\tBacklog\t2026-01-05\n", 'A Backlog task A');
	imports('pipes', "case_id|stage|entered_at\nA|Backlog|2026-01-05\n", 'A Backlog task A');
	imports('a line that names the delimiter', "sep=;\r\ncase_id;stage;entered_at\r\nA;Backlog;2026-01-05\r\n", 'A Backlog task A');

	refuses('nothing', '', 'the file is empty: there is no header line');
	refuses('a column missing', "case_id,stage\nA,Backlog\n", 'no columns tell when an item entered which stage: none holds dates or times. The columns are case_id, stage');
	refuses('a column twice', "\n$header,STAGE\n$row,x\n", 'two columns may be the stage. Columns "stage" and "STAGE" hold different things');
	refuses('a short record', "$header\n$row\n\nB,Backlog\n", '1 row of the import cannot be imported. line 4 (case B): the line has fewer fields than the header');
	imports('a long record that is empty there', "$header\n$row,\n", 'A Backlog task A');
	refuses('a long record', "$header\n$row\nB,Backlog,2026-01-05,x\n", '1 row of the import cannot be imported. line 3 (case B): the line has more fields than the header');
	refuses('a quote that is not closed', "$header\n$row\n\"B,Backlog,2026-01-05\n$row\n", 'line 3: a quoted field is not closed');
	imports('a quote in a field', "$header\nA\"B,Backlog,2026-01-05\n", 'A"B Backlog task A"B');
	refuses('text behind a quote', "$header\n\"A\"B,Backlog,2026-01-05\n", 'no line of the file is an event. Line 2: text follows a closing quote');
	refuses('a line after one with line ends', "$header,title\n$row,\"\n\r\n\r\"\nA\n", '1 row of the import cannot be imported. line 6 (case A): the line has fewer fields than the header');
	refuses('too many columns', "$header" . ',x' x 1022 . "\n$row" . ',1' x 1022 . "\n", 'no line of the file is an event. Line 2: the record has too many fields');
	refuses('a record that is too long', "$header\n$row\nA" . 'a' x 1_100_000 . "\n", 'line 3: the record is longer than 1048576 bytes');
	return;
}

sub ndjson
{
	my %type = (format => 'ndjson');
	imports('nothing', '', '', %type);
	imports('an object', $object, 'A Backlog task A', %type);
	imports('blank lines, CR LF, a byte order mark', "\x{FEFF}\n  \r\n$object\r\n\r\n", 'A Backlog task A', %type);
	imports('a byte order mark where files were joined', "$object\n\x{FEFF}" . $object =~ s/A/B/r . "\n\x{FEFF}\n", 'A Backlog task A | B Backlog task B', %type);
	imports('CR here and LF there', "$object\r$object\n" . $object =~ s/A/B/r . "\r", 'A Backlog task A | B Backlog task B', %type);
	imports('keys in another order, and more of them', '{"x":[{}],"entered_at":"2026-01-05","title":"\u00e9 \"\ud83d\ude80","stage":"Backlog","case_id":"A","type":null}',
		"A Backlog task \x{E9} \"\x{1F680}", %type);
	imports('an id that is a number', '{"case_id":-17,"stage":"Backlog","entered_at":"2026-01-05"}', '-17 Backlog task -17', %type);
	imports('a key twice: the last counts', '{"case_id":"B","case_id":"A","stage":"Backlog","entered_at":"2026-01-05"}', 'A Backlog task A', %type);

	refuses('CSV', "$header\n$row\n", 'Line 1: the line is not JSON', %type);
	refuses('half an object', "$object\n\n{\"case_id\":\n", 'Line 3: the line is not JSON', %type);
	refuses('two objects in a line', "$object$object", 'Line 1: the line is not JSON', %type);
	refuses('an array', "$object\n[1]\n", 'Line 2: the line is not a JSON object', %type);
	refuses('a number', '7', 'Line 1: the line is not a JSON object', %type);
	refuses('a key missing', '{"case_id":"A","entered_at":"2026-01-05"}', 'Line 1: the object lacks stage', %type);
	refuses('keys in capitals', uc $object, 'Line 1: the object lacks case_id', %type);
	refuses('an object for a value', '{"case_id":{},"stage":"Backlog","entered_at":"2026-01-05"}', 'Line 1: case_id is not a string', %type);
	refuses('a number for a stage', '{"case_id":1,"stage":1,"entered_at":"2026-01-05"}', 'Line 1: stage is not a string', %type);
	refuses('a fraction for an id', '{"case_id":1.5,"stage":"Backlog","entered_at":"2026-01-05"}', 'Line 1: case_id is not a string', %type);
	refuses('NUL in a value', '{"case_id":"A\u0000","stage":"Backlog","entered_at":"2026-01-05"}', 'Line 1: the line is not JSON', %type);
	refuses('half a surrogate pair', '{"case_id":"A\ud800","stage":"Backlog","entered_at":"2026-01-05"}', 'Line 1: the line is not JSON', %type);
	return;
}

# A text of SQL is valid and has no NUL, so these come by HTTP only.
sub bytes
{
	my %http = (by => 'http', bytes => 1);
	my $text = "$header\n$row\n";
	imports('UTF-16, low byte first', "\xFF\xFE" . encode('UTF-16LE', "$header,title\r\n$row,\x{E9}\x{1F680}\r\n"), "A Backlog task \x{E9}\x{1F680}", %http);
	imports('UTF-16, high byte first', "\xFE\xFF" . encode('UTF-16BE', $text), 'A Backlog task A', %http);
	imports('NDJSON in UTF-16', "\xFF\xFE" . encode('UTF-16LE', $object), 'A Backlog task A', %http, format => 'ndjson');
	refuses('half a character of UTF-16', "\xFF\xFE" . encode('UTF-16LE', $text) . 'x', 'line 3: the text is not UTF-16', %http);
	refuses('half a surrogate pair of UTF-16', "\xFE\xFF" . encode('UTF-16BE', $text) . "\xDC\x00", 'line 3: the text is not UTF-16', %http);
	imports('UTF-16 without its mark', encode('UTF-16LE', $text), 'A Backlog task A', %http);
	refuses('NUL', "${text}B\0,Backlog,2026-01-05\n", 'the file is no text. It has NUL bytes', %http);
	imports('Windows-1252', "${text}B\xFF,Backlog,2026-01-05\n", "A Backlog task A | B\x{FF} Backlog task B\x{FF}", %http);
	refuses('bad UTF-8 in NDJSON', "$object\n{\"\xC0\x80\":1}\n", 'Line 2: the text is not UTF-8', %http, format => 'ndjson');
	return;
}

sub imports
{
	my ($name, $text, $expected, %how) = @_;
	return everywhere($name, $text, $expected, %how);
}

sub refuses
{
	my ($name, $text, $expected, %how) = @_;
	return everywhere($name, $text, "refused. $expected", %how);
}

sub everywhere
{
	my ($name, $text, $expected, %how) = @_;
	my $format = $how{format} // 'csv';
	my $bytes = $how{bytes} ? $text : encode('UTF-8', $text);
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	$expected = encode('UTF-8', $expected);
	is(by_http($bytes, $format), $expected, "$format, $name: by HTTP");
	is(by_sql($bytes, $format), $expected, "$format, $name: by SQL") unless $how{by};
	return;
}

my $imported;
BEGIN
{
	$imported = q{SELECT string_agg(concat_ws(' ', i.external_id, s.name, i.type, i.title), ' | ' ORDER BY i.id)
		FROM vsm.work_items i JOIN vsm.stages s ON s.id = i.stage_id};
}

sub by_http
{
	my ($bytes, $format) = @_;
	my $got = $gw->post('/api/v1/import', $bytes, 'content-type' => { csv => 'text/csv', ndjson => 'application/x-ndjson' }->{$format});
	my $rows = $node->safe_psql('postgres', "$imported; DELETE FROM vsm.work_items");
	return $rows if $got->{status} == 200;
	return $rows eq '' && ($got->{json}{code} // '') eq 'PT422' ? 'refused. ' . $got->{json}{detail} =~ s/\.$//r : "$got->{status} $got->{content}";
}

sub by_sql
{
	my ($bytes, $format) = @_;
	my $sql = sprintf q{\set VERBOSITY verbose
		\o /dev/null
		BEGIN; SELECT vsm_api.import(convert_from('\x%s', 'UTF8'), '%s');
		\o
		%s; ROLLBACK}, unpack('H*', $bytes), $format, $imported;
	my ($rows, $errors);
	my $status = $node->psql('postgres', $sql, stdout => \$rows, stderr => \$errors, on_error_stop => 1);
	return $rows if $status == 0;
	return $errors unless $errors =~ /ERROR:  PT422: (.*)\n(?:DETAIL:  (.*)\n)?/;
	my ($message, $detail) = ($1, $2 // '');
	# what the recognition has no detail for, and where the detail tells more than the message
	return "refused. $message" if $detail =~ /^The content is not understood/;
	return 'refused. ' . ($detail =~ /^Line / && $message =~ /^the content cannot/ ? $detail : "$message. $detail") =~ s/\.$//r;
}
