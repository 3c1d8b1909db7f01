# dialects.pl: the same history, written as many trackers and spreadsheets would, is read as the same events.
#
# The histories are random; VSM_SEED repeats one.
use strict;
use warnings;
use utf8;

use Encode 'encode';
use File::Temp 'tempdir';
use FindBin;
use POSIX 'strftime';
use Test::More;

use lib $FindBin::RealBin;
use Recognise;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);
my $seed = $ENV{VSM_SEED} // time;
srand $seed;
diag("VSM_SEED=$seed");
my $dir = tempdir(CLEANUP => 1);

my @stages = ('Backlog', 'Ready', 'Development', 'Code Review', 'Prüfung', 'Done');
my $history = history(40, 60);
my $tied = history(40, 60, ties => 1);
my $straight = history(40, 60, straight => 1);
my $dates_only = history(40, 86400, straight => 1);

# ---- Delimiters and encodings ----

for my $delimiter (',', ';', "\t", '|')
{
	for my $encoding (qw(UTF-8 UTF-8-BOM UTF-16LE-BOM UTF-16BE-BOM UTF-16LE UTF-16BE cp1252))
	{
		same("delimiter " . ($delimiter eq "\t" ? 'tab' : $delimiter) . ", $encoding", $history,
			long($history, [qw(case_id stage entered_at type title)], [qw(item stage iso type title)], delimiter => $delimiter, encoding => $encoding));
	}
}
same('lines end with CR LF', $history, long($history, [qw(id status date)], [qw(item stage iso)], eol => "\r\n"));
same('lines end with CR', $history, long($history, [qw(id status date)], [qw(item stage iso)], eol => "\r"));
same('all in quotes', $history, long($history, [qw(id status date title)], [qw(item stage iso title)], quotes => 1));
same('blanks behind the delimiters, and quotes', $history, long($history, [qw(id status date title)], [qw(item stage iso title)], quotes => 1, delimiter => ', '));
same('a line sep=', $history, long($history, [qw(id status date)], [qw(item stage iso)], delimiter => ';', before => "sep=;\n"));
same('a title and empty lines before the header', $history,
	long($history, [qw(id status date)], [qw(item stage iso)], before => "Report, of board Shop\n\nExported,2024-01-05\n\n"));
same('a title with delimiters, as spreadsheets pad it', $history,
	long($history, [qw(id status date note)], [qw(item stage iso none)], delimiter => ';', before => "Report;;;\n;;;\n"));
same('a delimiter too many behind each line', $history, long($history, [qw(id status date)], [qw(item stage iso)], behind => ','));
same('lines of empty cells', $history, long($history, [qw(id status date title)], [qw(item stage iso title)], between => ",,,\n"));

# ---- Columns ----

for my $names ([qw(Key Status Date)], ['Issue key', 'To', 'Created'], [qw(Vorgangsschlüssel Zustand Zeitpunkt)], [qw(Schlüssel Status Geändert)],
	['Clé', 'Statut', 'Date de changement'], ['Clave', 'Estado', 'Fecha de cambio'], ['Chave', 'Situação', 'Data da mudança'], [qw(Nummer Spalte Datum)],
	[qw(Chiave Stato Data)], [qw(Sleutel Status Gewijzigd)], ['work_item_id', 'new_state', 'changed_date'], [qw(TICKET_ID STATE CHANGED_AT)],
	['case:concept:name', 'concept:name', 'time:timestamp'], ['Card ID', 'List', 'When'], ['Request ID', 'Workflow State', 'Entered State At'],
	['Kennung', 'Phase', 'Datum/Uhrzeit'])
{
	same("columns @$names", $history, long($history, $names, [qw(item stage iso)]));
}

# ---- Directions ----

my @plain = ([qw(id status date)], [qw(item stage minute)]);
for my $order (qw(oldest newest newest_per_item oldest_per_item))
{
	same("$order first", $history, long($history, @plain, order => $order));
	same("$order first, moves in one minute", $tied, long($tied, @plain, order => $order));
}
same('no order', $history, long($history, @plain, order => 'shuffled'));
same('no order, a revision', $tied, long($tied, [qw(id rev status date)], [qw(item revision stage minute)], order => 'shuffled'));
same('no order, the stage before', $tied, long($tied, ['id', 'From Status', 'To Status', 'date'], [qw(item from stage minute)], order => 'shuffled'));
# nothing tells how the lines stand of an item that made all its moves in one minute
my $told = [ grep { $_->[1][0][1] != $_->[1][-1][1] || @{ $_->[1] } == 1 } @$tied ];
same('oldest first items between newest first ones', $told, long($told, @plain, order => 'both'));
same('days only, newest first', $dates_only, long($dates_only, [qw(id status date)], [qw(item stage day)], order => 'newest'));
same('a date and a time of day', $history, long($history, [qw(id status Date Time)], [qw(item stage day clock)]));

# ---- Trackers ----

same('Jira, all fields', $history, changelog($history, ['Issue key', 'Issue Type', 'Author', 'Created', 'Field', 'From', 'To']));
same('Jira, all fields, newest first', $tied, changelog($tied, ['Issue key', 'Issue Type', 'Author', 'Created', 'Field', 'From', 'To'], 1));
same('Jira, changelogs below issues', $history,
	long($history, [qw(key created changelog.created fromString toString)], [qw(item born jira from stage)]));
same('Jira, changelogs that begin with the first change', $history,
	long(without_first($history), ['Issue key', 'Created', 'Changed at', 'From', 'To'], [qw(item born jira from stage)]));
same('Azure DevOps, revisions', $tied,
	long($tied, [qw(WorkItemId Revision WorkItemType Title State ChangedDate)], [qw(item revision type title stage iso_offset)], order => 'shuffled'));
same('GitHub, a timeline', $history,
	long($history, [qw(issue_number title event previous_status status created_at actor)], [qw(item title none from stage iso type)]));
same('Trello, newest first', $tied,
	long($tied, ['Date', 'Member', 'Action', 'Card Name', 'Card ID', 'List Before', 'List After'], [qw(iso type none title item from stage)], order => 'newest'));

# ---- Dates ----

for my $format (qw(iso iso_offset minute jira dmy mdy_ampm dotted dotted_short dmy_short month_en month_de month_fr month_pt month_es named rfc2822 javascript
	java epoch_s epoch_ms epoch_us epoch_ns serial serial_comma compact chinese iso_zone dashed oracle slashes_year german_words))
{
	same("dates: $format", $history, long($history, [qw(id status date)], [ 'item', 'stage', $format ], delimiter => ';'));
	my @columns = map { stage_column($_) } @stages;
	same("dates: $format, wide", $straight, wide($straight, [ 'id', @columns ], $format, delimiter => ';'), wide => 1);
}
same('equal days, wide', $dates_only, wide($dates_only, [ 'id', @stages ], 'day'), wide => 1);
same('placeholders, wide', $straight, wide($straight, [ 'id', @stages ], 'iso', empty => [ '', 'N/A', '-', 'NULL', 'n/a', '0000-00-00', '--' ]), wide => 1);
same('columns in another order, wide', $straight, wide($straight, [ 'id', reverse @stages ], 'iso'), wide => 1);
same('other dates that are no stages, wide', $straight,
	wide($straight, [ 'id', 'Due Date', 'Updated', @stages, 'Sprint Start' ], 'iso', others => 1), wide => 1);

# ---- What cannot be known ----

my $ambiguous = history(30, 60, within => [ 1, 12 ]);
asks('dates', 'dates that may be both', long($ambiguous, [qw(id status date)], [qw(item stage dmy)]));
same('and with the option', $ambiguous, long($ambiguous, [qw(id status date)], [qw(item stage dmy)]), options => [ '--dates', 'DMY' ]);
same('or as months', $ambiguous, long($ambiguous, [qw(id status date)], [qw(item stage mdy)]), options => [ '--dates', 'mdy' ]);
asks('dates', 'dates of both orders', long($history, [qw(id status date)], [qw(item stage both)]));
asks('stage', 'two columns of one name', long($history, [qw(id Status Status date)], [qw(item stage colour iso)]));
same('and with the option', $history, long($history, [qw(id Status Status date)], [qw(item colour stage iso)]), options => [ '--stage', 'Status 2' ]);
asks('stage', 'two columns that may be the stage', long($history, [qw(id Status Phase date)], [qw(item stage colour iso)]));
asks('time', 'two columns that may be the time', long($history, [qw(id status Date Timestamp)], [qw(item stage iso other_time)]));
asks('item', 'no column for the item', long($history, [qw(thing status date)], [qw(item stage iso)]));
asks('stage', 'no column for the stage', long($history, [qw(id thing date)], [qw(item stage iso)]));
same('and with the options', $history, long($history, [qw(thing what date)], [qw(item stage iso)]), options => [ '--item', 'thing', '--stage', 'what' ]);
asks('direction', 'moves at one time in a file without order, of which nothing tells the first',
	write_file(join "\n", 'id,status,date', map { ("$_,Alpha,2024-01-05", "$_,Omega,2024-01-05") } shuffled(1 .. 9), 'x,Omega,2024-01-02'));
asks('item', 'numbers of several repositories', write_file(join "\n", 'repository,number,status,date', map { my $n = $_; map { ("$_,$n,Open,2024-01-05", "$_,$n,Done,2024-01-06") } 'a', 'b' } 1 .. 5));
asks('time', 'two columns of the database\'s own', write_file(join "\n", 'id,ticket_id,status,created_at,updated_at', map { ("1$_,$_,Open,2024-01-05 10:0$_,2024-01-05 11:0$_",
		"2$_,$_,Done,2024-01-06 10:0$_,2024-01-06 11:0$_") } 1 .. 5));
same('the number of a row is no item', $history, long($history, [qw(id ticket_id status changed_at)], [qw(n item stage iso)]));
{
	my ($status, $answer) = recognise(write_file(join "\n", 'Task ID,Created At,Completed At,Last Modified,Start Date,Due Date', map { "$_,2024-01-05,2024-01-09,2024-01-10,2024-01-07,2024-01-20" } 1 .. 5));
	is_deeply([ map { $_->{name} } @{ $answer->{stages} } ], [qw(Created Completed)], 'a start date beside a due date is of the plan');
	is(scalar(grep { /by its name/ } @{ $answer->{notices} }), 3, 'columns of dates that are not used are told');
}
refuses('packed with gzip', 'a packed file', write_file("\x1f\x8b\x08\x00packed", 'iso-8859-1'));
refuses('header', 'no header line', write_file(join "\n", map { "K-$_,Open,2024-01-0$_" } 1 .. 9));
refuses('event', 'counts for each week', write_file("Week,Created,Done\n2024-W01,3,4\n2024-W02,5,1\n"));
refuses('event', 'counts for each day', write_file("Date,Created,Done\n2024-01-01,3,4\n2024-01-02,5,1\n"));
refuses('when', 'a board of now', write_file("id\tTitle\tStatus\n1\ta\tDone\n2\tb\tOpen\n"));
refuses('when', 'a list with the last change', write_file(join "\n", 'id,status,updated', map { "$_,Done,2024-01-0$_" } 1 .. 9));
refuses('when', 'a list with the date of creation', write_file(join "\n", 'id,title,created', map { "$_,x,2024-01-0$_" } 1 .. 9));
refuses('column', 'one column', write_file("case_id\nA-1\nA-2\n"));
refuses('no column', 'a column that is not there', long($history, [qw(id status date)], [qw(item stage iso)]), '--stage', 'State');
refuses('no dates', 'a time that is none', write_file("id,stage,time\n1,New,yesterday\n1,Done,later\n"), '--time', 'time');
refuses('empty', 'an empty file', write_file(''));
refuses('empty', 'blank lines', write_file("\n\n ,,\n"));
refuses('below the header', 'a header alone', write_file("case_id,stage,entered_at\n"));
refuses('Line 2: the line has fewer', 'only lines that have a fault', write_file("case_id,stage,entered_at\nA,Testing\n"));
refuses('not closed', 'a quote without its partner', write_file("case_id,stage,entered_at\n1,\"New,2026-01-01\n1,Done,2026-01-02\n"));

# ---- Lines that are refused ----

{
	my ($status, $answer) = recognise(write_file(join "\n", 'case_id,title,stage,entered_at', '1,a,New,2026-01-01', '1,b, too,Done,2026-01-02', '1,c,Doing,2026-02-31',
			',d,New,2026-01-04', '2,e,,2026-01-05', '3,f,New,', 'total', '1,19" rack,Done,2026-01-07'));
	is($status, 0, 'a file with bad lines');
	is_deeply([ map { "$_->{line}: $_->{reason}" } @{ $answer->{refused} } ],
		[ '3: the line has more fields than the header', '4: the time cannot be read', '5: there is no item', '6: there is no stage',
			'7: there is no time', '8: the line has fewer fields than the header' ], 'tells each with its line');
	is($answer->{moves}, 2, 'and counts the others');
}

# ---- Stages ----

{
	my $file = write_file(join "\n", 'id,status,date', map { my $n = $_; my $d = 0; map { $d++; sprintf '%s,%s,2024-01-%02d', $n, $_, $d } @{ [
				[ 'Backlog', 'In Progress', 'Done' ], [ ' backlog', 'IN PROGRESS', 'done ' ], [ 'BACKLOG', 'in_progress', 'In  Progress', 'Done' ],
				[ 'Backlog', 'In Progress', 'Cancelled' ] ]->[$n] } } 0 .. 3);
	my ($status, $answer) = recognise($file);
	is_deeply([ map { "$_->{name}:$_->{category}:$_->{moves}" } @{ $answer->{stages} } ],
		[ 'Backlog:wait:4', 'In Progress:active:5', 'Done:done:3', 'Cancelled:discarded:1' ], 'spellings of a stage are one stage');
	is_deeply([ grep { /capitals/ } @{ $answer->{notices} } ], [ '6 names differ from that of a stage in capitals and blanks only, and count as it.' ], 'and that is told');

	($status, $answer) = recognise($file, '--alias', 'in progress=Doing', '--alias', 'CANCELLED=', '--stages', 'Backlog:active,Doing:wait,Done:done,Shipped:done');
	is_deeply([ map { "$_->{name}:$_->{category}:$_->{moves}" } @{ $answer->{stages} } ],
		[ 'Backlog:active:4', 'Doing:wait:5', 'Done:done:3', 'Shipped:done:0' ], 'aliases, order and categories can be given');
	is($answer->{moves}, 12, 'a name without a stage is no move');
	refuses('not given', 'stages that are not all', $file, '--stages', 'Backlog:wait,Done:done');
	refuses('no stage', 'a stage that no file has', $file, '--stages', 'Backlog:wait,Doign,Done:done');
}

my @given_up = ('cancelled', 'Canceled', "won't do", "Won\x{2019}t fix", 'duplicate', 'ABANDONED', 'rejected', 'declined', 'obsolete', 'Invalid',
	'Not planned', 'discarded', 'dropped', 'withdrawn', 'not doing', 'Closed - duplicate', 'Closed as not planned', "\x{274c} Removed", 'Cancelled by customer',
	'Duplicate / invalid', 'abgebrochen', 'Verworfen', 'ABGELEHNT', 'Duplikat', 'Geschlossen (storniert)', 'annulée', 'abandonné', 'Rejeté', 'Doublon', 'Cancelado',
	'rechazado', 'REJEITADO', 'Não será feito', "\x{5df2}\x{53d6}\x{6d88}", 'Resolved (wontfix)');
my @normal = ('Done / cancelled', 'Planned', 'Not started', 'Duplicate check', 'Review rejected work', 'Cancellation requested', 'Uncancelled', 'Invalid data review',
	'Drop-off', 'Withdrawal', 'Undo', 'Double check', "Won't");
{
	my $n = 0;
	my ($status, $answer) = recognise(write_file(join "\n", "id\tstatus\tdate", map { $n++; ("$n\tNew\t2026-05-01", "$n\t$_\t2026-05-02") } @given_up, @normal, 'Done'));
	is_deeply([ sort map { $_->{name} } grep { $_->{category} eq 'discarded' } @{ $answer->{stages} } ], [ sort @given_up ], 'what is given up, in many words');
}
for my $words ([ wait => 'To Do', 'Offen', 'À faire', 'A fazer', 'Por hacer', 'Ready for QA', 'Wartet auf Kunde', 'En attente', 'Selected for Development', "\x{5f85}\x{529e}", 'Ideas', 'Bereit für Test' ],
	[ active => 'In Progress', 'In Arbeit', 'En cours', 'Em andamento', 'En curso', 'Prüfung', 'Code Review', 'Entwurf', "\x{8fdb}\x{884c}\x{4e2d}", 'Testing' ],
	[ done => 'Done', 'Erledigt', 'Terminé', 'Concluído', 'Hecho', 'Closed', 'Live', 'Released', 'Accepted', 'Abgeschlossen', "\x{5df2}\x{5b8c}\x{6210}", 'Resolved' ])
{
	my ($category, @names) = @$words;
	for my $name (@names)
	{
		my ($before, $behind) = ('Backlog', 'Fin');
		my $file = write_file(join "\n", "id\tstatus\tdate", map { my $n = $_; ("$n\tBacklog\t2026-05-01", "$n\tWorking\t2026-05-02", "$n\t$name\t2026-05-03",
				$category eq 'done' ? () : "$n\tFertig\t2026-05-04") } 1 .. 5);
		my ($status, $answer) = recognise($file);
		my ($stage) = grep { $_->{name} eq $name } @{ $answer->{stages} };
		is($stage->{category} . ($stage->{guessed} && $name ne 'Accepted' ? ', guessed' : ''), $category, "$name is $category");
	}
}

# ---- Time zones ----

{
	my $file = write_file("id,status,date\n1,Open,2024-03-30 12:00\n1,Doing,2024-03-31 12:00\n1,Test,2024-03-31T12:00:00Z\n1,Done,2024-04-01 12:00 America/New_York\n");
	my ($status, $answer) = recognise($file);
	ok($answer->{local_times}, 'that some times have no offset is told');
	is($answer->{time_zone}, 'UTC', 'they are of UTC');
	($status, $answer) = recognise($file, '--time-zone', 'Europe/Berlin');
	is($answer->{time_zone}, 'Europe/Berlin', 'or of a zone that is given');
	SKIP:
	{
		skip 'this machine has no time zones', 2 unless -e '/usr/share/zoneinfo/Europe/Berlin';
		is_deeply([ map { $_->{entered_at} } @{ (events($file))[0] } ],
			[ '2024-03-30T12:00:00Z', '2024-03-31T12:00:00Z', '2024-03-31T12:00:00Z', '2024-04-01T16:00:00Z' ], 'a zone that stands beside the time counts');
		is_deeply([ map { $_->{entered_at} } @{ (events($file, '--time-zone', 'Europe/Berlin'))[0] } ],
			[ '2024-03-30T11:00:00Z', '2024-03-31T10:00:00Z', '2024-03-31T12:00:00Z', '2024-04-01T16:00:00Z' ], 'and the zone that is given, with its summer time');
	}
}

# ---- Files of which not all moves are kept ----

{
	my $items = 70000;
	my $file = write_file(join '', "id,status,date\n", map { my $i = $_; map { "$i,$stages[$_]," . (1700000000 + 60 * $i + 1000 * $_) . "\n" } reverse 0, 2, 3, 5 } 1 .. $items);
	my ($status, $answer) = recognise($file);
	ok($answer->{sampled}, 'of a very long file some items are looked at');
	is_deeply([ map { "$_->{name}:$_->{moves}" } @{ $answer->{stages} } ], [ map { "$stages[$_]:$items" } 0, 2, 3, 5 ], 'but all moves are counted');
	is($answer->{direction}, 'newest_first', 'and its direction is found');
	ok(abs($answer->{items} / $items - 1) < 0.05, 'and nearly the number of its items');
	my ($events) = events($file);
	is(scalar @$events, 4 * $items, 'all events are read');
}
done_testing();

# ---- Histories ----

# Moves of items: [ item, [ [ stage, at ], ... ] ].
sub history
{
	my ($n, $unit, %how) = @_;
	my @items;
	for my $number (1 .. $n)
	{
		my $at = 1704153600 + int(rand 40 * 1440) * 60;
		my (@moves, $last);
		my $stage = 0;
		my $end = $number <= 5 ? $#stages : 1 + int rand @stages;
		while ($stage <= $#stages)
		{
			my $when = int($at / $unit) * $unit;
			my $fold = $how{ties} ? int(rand 3) == 0 : 0;
			$when = $last if defined $last && $fold;
			$when = $last + $unit if defined $last && !$fold && $when <= $last && !$how{straight};
			$when = in_days($when, @{ $how{within} }) if $how{within};
			last if $how{within} && defined $last && $when <= $last;
			push @moves, [ $stages[$stage], $when ];
			$last = $when;
			last if @moves > $end;
			my $step = !$how{straight} && $stage > 1 && rand() < 0.15 ? -1 : ($stage && rand() < 0.1 ? 2 : 1);
			$stage += $step;
			$at += 60 + int rand 5 * 86400;
		}
		push @items, [ 'PAY-' . (100 + $number), \@moves ];
	}
	return \@items;
}

# A day of the month that may be a month as well.
sub in_days
{
	my ($at, $from, $to) = @_;
	my @parts = gmtime $at;
	return $at if $parts[3] <= $to;
	return $at - ($parts[3] - $to) * 86400 - int(rand 3) * 0;
}

sub without_first
{
	my ($items) = @_;
	return [ map { [ $_->[0], $_->[1], 1 ] } @$items ];
}

# ---- Files ----

sub long
{
	my ($items, $header, $columns, %how) = @_;
	my @rows;
	for my $item (@$items)
	{
		my ($id, $moves, $skip) = @$item;
		for my $i (($skip // 0) .. $#$moves)
		{
			push @rows, { item => $id, stage => $moves->[$i][0], at => $moves->[$i][1], revision => $i + 1, from => $i ? $moves->[ $i - 1 ][0] : '', born_at => $moves->[0][1],
				type => 'Bug', title => "Überweisung \"schlägt\", fehl", none => '', n => scalar @rows };
		}
	}
	@rows = arranged(\@rows, $how{order} // 'oldest');
	my @lines = map { my $row = $_; [ map { value($row, $_) } @$columns ] } @rows;
	return write_table($header, \@lines, %how);
}

sub arranged
{
	my ($rows, $order) = @_;
	my %number;
	my $by_time = sub { my ($a, $b) = @_; $a->{at} <=> $b->{at} || $a->{n} <=> $b->{n} };
	return sort { $by_time->($a, $b) } @$rows if $order eq 'oldest';
	return reverse sort { $by_time->($a, $b) } @$rows if $order eq 'newest';
	return @$rows if $order eq 'oldest_per_item';
	return sort { $a->{item} cmp $b->{item} || $b->{n} <=> $a->{n} } @$rows if $order eq 'newest_per_item';
	return shuffled(@$rows) if $order eq 'shuffled';
	# Some items newest first, most of them oldest first.
	return sort { my $down = $a->{item} =~ /7$/ ? -1 : 1; $a->{item} cmp $b->{item} || $down * ($a->{n} <=> $b->{n}) }
		grep { my $item = $_->{item}; $item !~ /7$/ || (grep { $_->{item} eq $item } @$rows) > 0 } @$rows;
}

sub shuffled
{
	my (@list) = @_;
	for my $i (reverse 1 .. $#list) { my $j = int rand $i + 1; @list[ $i, $j ] = @list[ $j, $i ] }
	return @list;
}

# Rows of other fields between those of the status.
sub changelog
{
	my ($items, $header, $newest) = @_;
	my @rows;
	for my $item (@$items)
	{
		my ($id, $moves) = @$item;
		for my $i (0 .. $#$moves)
		{
			my $at = value({ at => $moves->[$i][1] }, 'jira');
			push @rows, [ $moves->[$i][1], scalar @rows, [ $id, 'Bug', 'user1', $at, 'status', $i ? $moves->[ $i - 1 ][0] : '', $moves->[$i][0] ] ];
			push @rows, [ $moves->[$i][1], scalar @rows, [ $id, 'Bug', 'user2', $at, [qw(assignee Sprint priority)]->[ rand 3 ], 'x' . int(rand 9), 'y' . int(rand 9) ] ] if rand() < 0.5;
		}
	}
	@rows = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @rows;
	@rows = reverse @rows if $newest;
	return write_table($header, [ map { $_->[2] } @rows ]);
}

sub stage_column
{
	my ($stage) = @_;
	return [ "$stage Date", "$stage at", $stage ]->[ length($stage) % 3 ];
}

sub wide
{
	my ($items, $header, $format, %how) = @_;
	my @lines;
	my @empty = @{ $how{empty} // [''] };
	for my $item (@$items)
	{
		my ($id, $moves) = @$item;
		my %at = map { $_->[0] => $_->[1] } @$moves;
		push @lines, [ map {
			my $name = $_ =~ s/ (Date|at)$//r;
			$_ eq 'id' ? $id : defined $at{$name} ? value({ at => $at{$name} }, $format) :
			$how{others} && /Due|Updated|Sprint/ ? value({ at => $moves->[0][1] + 86400 * length }, $format) : $empty[ rand @empty ];
		} @$header ];
	}
	return write_table($header, \@lines, %how);
}

sub write_table
{
	my ($header, $lines, %how) = @_;
	my $delimiter = $how{delimiter} // ',';
	my $eol = $how{eol} // "\n";
	my $text = ($how{before} // '') . join($delimiter, map { cell($_, $delimiter, $how{quotes}) } @$header) . $eol;
	for my $line (@$lines)
	{
		$text .= join($delimiter, map { cell($_, $delimiter, $how{quotes}) } @$line) . ($how{behind} // '') . $eol . ($how{between} && rand() < 0.2 ? $how{between} : '');
	}
	return write_file($text, $how{encoding});
}

sub cell
{
	my ($value, $delimiter, $quotes) = @_;
	my $mark = quotemeta substr $delimiter, 0, 1;
	return $value unless $quotes || $value =~ /["\n\r]|$mark/;
	return '"' . ($value =~ s/"/""/gr) . '"';
}

my $n_files = 0;

sub write_file
{
	my ($text, $encoding) = @_;
	$encoding //= 'UTF-8';
	my $mark = $encoding =~ s/-BOM$//;
	my $file = "$dir/" . ++$n_files . '.csv';
	open my $out, '>:raw', $file or die "$file: $!\n";
	print $out encode($encoding, ($mark ? "\x{FEFF}" : '') . $text);
	close $out or die "$file: $!\n";
	return $file;
}

# ---- Values ----

sub value
{
	my ($row, $column) = @_;
	my $at = $row->{at};
	my %months = (
		de => [qw(Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez)],
		fr => [qw(janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.)],
		pt => [qw(jan fev mar abr mai jun jul ago set out nov dez)],
		es => [qw(ene feb mar abr may jun jul ago sept oct nov dic)],
		en => [qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)]);
	my @german = qw(Januar Februar März April Mai Juni Juli August September Oktober November Dezember);
	my %format = (
		iso => '%Y-%m-%dT%H:%M:%SZ', minute => '%Y-%m-%d %H:%M', day => '%Y-%m-%d', clock => '%H:%M', jira => '%Y-%m-%dT%H:%M:%S.000+0000',
		dmy => '%d/%m/%Y %H:%M', mdy => '%m/%d/%Y %H:%M', mdy_ampm => '%m/%d/%Y %I:%M:%S %p', dotted => '%d.%m.%Y %H:%M', dotted_short => '%d.%m.%y %H:%M',
		dmy_short => '%d/%m/%y %H:%M', named => '%b %d, %Y %I:%M %p', rfc2822 => '%a, %d %b %Y %H:%M:%S +0000', compact => '%Y%m%dT%H%M%SZ',
		javascript => '%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)', java => '%a %b %d %H:%M:%S UTC %Y', dashed => '%d-%m-%Y %H:%M',
		oracle => '%d-%b-%y %I.%M.%S.000000 %p', slashes_year => '%Y/%m/%d %H:%M', iso_zone => '%Y-%m-%d %H:%M:%S UTC');
	return $row->{$column} if exists $row->{$column};
	return 'PT ' . (qw(amber red green))[ rand 3 ] if $column eq 'colour';
	return value({ at => $row->{born_at} }, 'jira') if $column eq 'born';
	return value({ at => $at + 60 * int(rand 900) }, 'iso') if $column eq 'other_time';
	return value($row, rand() < 0.5 ? 'dmy' : 'mdy') if $column eq 'both';
	return $at if $column eq 'epoch_s';
	return $at . '000' if $column eq 'epoch_ms';
	return $at . '000000' if $column eq 'epoch_us';
	return $at . '000000000' if $column eq 'epoch_ns';
	return sprintf '%.5f', $at / 86400 + 25569 if $column eq 'serial';
	return sprintf('%.5f', $at / 86400 + 25569) =~ tr/./,/r if $column eq 'serial_comma';
	my @parts = gmtime $at;
	return sprintf '%02d/%s/%02d %02d:%02d', $parts[3], $months{$1}[ $parts[4] ], $parts[5] % 100, @parts[ 2, 1 ] if $column =~ /^month_(..)$/;
	return sprintf '%d. %s %d, %02d:%02d Uhr', $parts[3], $german[ $parts[4] ], $parts[5] + 1900, @parts[ 2, 1 ] if $column eq 'german_words';
	return sprintf "%d\x{5e74}%d\x{6708}%d\x{65e5} %02d:%02d", $parts[5] + 1900, $parts[4] + 1, $parts[3], @parts[ 2, 1 ] if $column eq 'chinese';
	return strftime('%Y-%m-%dT%H:%M:%S.043-08:00', gmtime $at - 8 * 3600) if $column eq 'iso_offset';
	return strftime($format{$column} // die("no column $column\n"), @parts);
}

# ---- Tests ----

sub same
{
	my ($name, $items, $file, %how) = @_;
	my @options = @{ $how{options} // [] };
	my ($status, $answer) = recognise($file, @options);
	return fail($name) || diag("status $status: $answer->{message}; " . ($answer->{detail} // '')) if $status != 0;

	my ($events, $refused) = events($file, @options);
	my %got;
	push @{ $got{ $_->{item} } }, Recognise::utf8_name($_->{stage}) . ' ' . int($_->{at} + 0.5) for @$events;
	my %expected = map { $_->[0] => [ map { "$_->[0] $_->[1]" } @{ $_->[1] } ] } @$items;
	is_deeply(\%got, \%expected, $name) or diag(explain({ %$answer, file => $file }));
	is($refused, 0, "$name: no line is refused");
	is($answer->{form}, $how{wide} ? 'wide' : 'long', "$name: the form");
	my %seen = map { $_->[0] => 1 } map { @{ $_->[1] } } @$items;
	is_deeply([ map { $_->{name} } @{ $answer->{stages} } ], [ grep { $seen{$_} } @stages ], "$name: the order of the stages");
}

sub asks
{
	my ($option, $name, $file, @options) = @_;
	my ($status, $answer) = recognise($file, @options);
	is($status, 1, "$name: a question") or diag(explain $answer);
	is($answer->{option}, $option, "$name: with the option that decides") or diag(explain $answer);
}

sub refuses
{
	my ($word, $name, $file, @options) = @_;
	my ($status, $answer) = recognise($file, @options);
	is($status, 2, "$name: a refusal") or diag(explain $answer);
	like(join(' ', map { $_ // '' } @$answer{qw(message detail)}), qr/\Q$word\E/i, "$name: which says so");
}
