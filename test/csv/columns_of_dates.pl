# columns_of_dates.pl: no column of dates is left out of the wide form without a word.
use strict;
use warnings;

use File::Temp 'tempdir';
use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Recognise;

my $dir = tempdir(CLEANUP => 1);

# Of twenty cells of a stage between two others, so many are dates; the rest is refused, or the column is told of.
for my $dates (1 .. 20)
{
	my ($status, $answer) = recognise(file(map { [ "K-$_", '2026-01-01', $_ <= $dates ? '2026-01-02' : 'see Joe', '2026-01-05' ] } 1 .. 20));
	my ($stage) = grep { $_->{name} eq 'Doing' } @{ $answer->{stages} };
	is_deeply([ $status, $answer->{form} ], [ 0, 'wide' ], "$dates of 20: a proposal") or diag(explain $answer);
	is($stage ? $stage->{moves} : 0, $dates >= 10 ? $dates : 0, "$dates of 20: half of them make a stage");
	is($answer->{refused_count}, $stage ? 20 - $dates : 0, "$dates of 20: whose other values are refused");
	is(scalar(grep { /^Column "Doing" has $dates dates among 20 values, so it is not used\.$/ } @{ $answer->{notices} }), $stage ? 0 : 1, "$dates of 20: or it is told");

	($status, $answer) = recognise(file(map { [ "K-$_", '2026-01-01', $_ <= $dates ? '2026-01-02' : 'see Joe', '2026-01-05' ] } 1 .. 20), '--stages', 'New:wait,Doing:active,Done:done');
	($stage) = grep { $_->{name} eq 'Doing' } @{ $answer->{stages} };
	is_deeply([ $status, $stage->{moves}, $answer->{refused_count} ], [ 0, $dates, 20 - $dates ], "$dates of 20: it is a stage if the caller says so") or diag(explain $answer);
}

# Plain numbers beside dates: of a day (20260102), alone or among other dates, they are dates; others may be times, and it is told.
for my $numbers (0 .. 20)
{
	my @rows = map { [ "K-$_", '2026-01-01', $_ <= $numbers ? '20260102' : '2026-01-02', '2026-01-05' ] } 1 .. 20;
	my ($status, $answer) = recognise(file(@rows));
	is_deeply([ $status, $answer->{moves}, $answer->{refused_count}, $answer->{notices} ], [ 0, 60, 0, [] ], "$numbers of 20 dates are written 20260102") or diag(explain $answer);
}
{
	my ($status, $answer) = recognise(file(map { [ "K-$_", '20260101', '20260102', '20260105' ] } 1 .. 20));
	is_deeply([ $status, $answer->{moves}, $answer->{refused_count} ], [ 0, 60, 0 ], 'all dates are written 20260102') or diag(explain $answer);
}
for ([ '20260102103000', '2026-01-02T10:30:00' ], [ '202601021030', '2026-01-02T10:30:00' ], [ q{'20260102}, '2026-01-02' ], [ q{'2026-01-02 10:30}, '2026-01-02T10:30:00' ])
{
	my ($compact, $plain) = @$_;
	my ($read, $wanted) = map { my $date = $_; (recognise(file(map { [ "K-$_", '2026-01-01', $date, '2026-01-05' ] } 1 .. 20)))[1] } $compact, $plain;
	is_deeply([ @$read{qw(moves refused_count notices stages flow)} ], [ @$wanted{qw(moves refused_count notices stages flow)} ], "$compact is $plain") or diag(explain $read);
	is($read->{moves}, 60, "$compact: all of them");
}
# of several units, which the caller's word for a stage cannot tell apart either
{
	my ($status, $answer) = recognise(file(map { [ "K-$_", '2026-01-01', $_ % 3 ? 1767345321 : 1767345321000, '2026-01-05' ] } 1 .. 20));
	is_deeply([ $status, $answer->{moves}, scalar grep { /^Column "Doing" has numbers such as 1767345321, which may be times/ } @{ $answer->{notices} } ], [ 0, 40, 1 ], 'numbers of two units are told too') or diag(explain $answer);
}
for my $number (1767345321, 1767345321000, 46024, '46024.5')
{
	my $file = file(map { [ "K-$_", '2026-01-01', $number, '2026-01-05' ] } 1 .. 20);
	my ($status, $answer) = recognise($file);
	is_deeply([ $status, $answer->{moves}, $answer->{notices} ],
		[ 0, 40, [ qq{Column "Doing" has numbers such as $number, which may be times; it is not used, unless its stage is given.} ] ], "$number: it is told that it may be a time") or diag(explain $answer);
	($status, $answer) = recognise($file, '--stages', 'New:wait,Doing:active,Done:done');
	is_deeply([ $status, $answer->{moves}, $answer->{refused_count} ], [ 0, 60, 0 ], "$number: it is one if the caller says so") or diag(explain $answer);
}
for my $number (3, 1234, '12.5', 20261301, 99999999, 20260102240000, 20260102106000, 202601021060, 210101010000)
{
	my ($status, $answer) = recognise(file(map { [ "K-$_", '2026-01-01', $number, '2026-01-05' ] } 1 .. 20));
	is_deeply([ $status, $answer->{moves}, $answer->{notices} ], [ 0, 40, [] ], "$number is none") or diag(explain $answer);
}

# However many columns are told of, that there are more is told.
for my $n (50, 51, 52, 70)
{
	my $path = "$dir/notes.csv";
	write_file($path, join('', map { join(',', @$_) . "\n" } [ 'id', 'New', 'Done', map { "Note $_" } 1 .. $n ],
		map { my $item = $_; [ "K-$item", '2026-01-01', '2026-01-05', ($item < 3 ? '2026-01-02' : 'see Joe') x $n ] } 1 .. 10));
	my ($status, $answer) = recognise($path);
	my $left = grep { /^Column/ } @{ $answer->{notices} };
	is_deeply([ $status, scalar @{ $answer->{notices} }, $answer->{notices}[50] ],
		[ 0, $n > 51 ? 51 : $n, $n > 51 ? 'There is more to say: ' . ($n - 50) . ' remarks like these are left out.' : $answer->{notices}[50] ], "$n remarks") or diag(explain $answer);
	is($left, $n > 51 ? 50 : $n, "$n remarks: of columns");
}

# As many stages as a file may have, and one more, unless an alias leaves it out.
for my $n (199, 200, 201, 260)
{
	my @names = map { "Step $_" } 1 .. $n;
	my $path = "$dir/many.csv";
	write_file($path, join('', map { join(',', @$_) . "\n" } [ 'id', @names ], map { my $item = $_; [ $item, map { sprintf '2026-01-01T%02d:%02d', $_ / 60, $_ % 60 } 1 .. $n ] } 'A', 'B'));
	my ($status, $answer) = recognise($path);
	is_deeply([ $status, $answer->{code}, $answer->{moves} ], $n <= 200 ? [ 0, undef, 2 * $n ] : [ 2, 'too_many_stages', 0 ], "$n stages") or diag(explain $answer);
	($status, $answer) = recognise($path, map { ('--alias', "Step $_=") } 201 .. $n);
	is_deeply([ $status, $answer->{moves} ], [ 0, 2 * ($n < 200 ? $n : 200) ], "$n columns, of 200 stages at most");
}
done_testing();

sub file
{
	my (@rows) = @_;
	write_file("$dir/wide.csv", join('', map { join(',', @$_) . "\n" } [ 'id', 'New', 'Doing', 'Done' ], @rows));
	return "$dir/wide.csv";
}

sub write_file
{
	my ($path, $text) = @_;
	open my $out, '>:raw', $path or die "$path: $!\n";
	print {$out} $text;
	close $out or die "$path: $!\n";
	return;
}
