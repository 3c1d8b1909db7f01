# flow.pl: the cumulative flow of a proposal is that of the file's events, however long the log, whatever order of stages is given.
#
# It is computed here once more, instant by instant, from the events that the program prints.  VSM_SEED repeats the histories.
use strict;
use warnings;

use File::Temp 'tempdir';
use FindBin;
use POSIX 'strftime';
use Test::More;

use lib $FindBin::RealBin;
use Recognise;

my $seed = $ENV{VSM_SEED} // time;
srand $seed;
diag("VSM_SEED=$seed");
my $dir = tempdir(CLEANUP => 1);
my @names = ('Backlog', 'Doing', 'Review', 'Done', "Won't Do", 'Duplicate');
my %given = (
	'as proposed' => [],
	'in another order' => [ '--stages', "Review:wait,Won't Do:discarded,Backlog:wait,Doing:active,Later:wait,Done:done,Duplicate:discarded" ],
	'with what is discarded delivered' => [ '--stages', "Duplicate:done,Backlog:wait,Doing:active,Won't Do:active,Review:active,Done:discarded" ],
	'two names as one' => [ '--alias', 'Review=Doing', '--alias', 'Duplicate=' ],
);

for my $days (0, 1, 30, 199, 200, 201, 3000)
{
	my $file = "$dir/$days.csv";
	log_of($file, $days);
	same("$days days, $_", $file, $days, @{ $given{$_} }) for sort keys %given;
}
dates_only();
created_before();
done_testing();

# Any stage after any other; half of the times are midnights.
sub log_of
{
	my ($file, $days) = @_;
	my @rows = ('First,Backlog,2023-12-31 23:59:59', map { sprintf '%d,%s,%s', 1 + int rand 12, $names[rand @names],
		strftime('%Y-%m-%d %H:%M:%S', gmtime(1704067200 + int(rand $days + 1) * 86400 + (rand() < .5 ? 0 : int rand 86400))) } 1 .. 120);
	push @rows, map { "Z$_,$names[$_],2024-01-01 12:00:00" } 0 .. $#names;
	write_file($file, "id,status,date\n" . join '', map { "$_\n" } @rows);
	return;
}

sub same
{
	my ($what, $file, $days, @options) = @_;
	my ($status, $answer) = recognise($file, '--direction', 'oldest_first', @options);
	is($status, 0, "$what: a proposal") or return diag(explain $answer);
	my ($events) = events($file, '--direction', 'oldest_first', @options);
	my ($flow, $stages) = @$answer{qw(flow stages)};
	my $begin = Recognise::instant($flow->{since});

	is_deeply($flow->{points}, [ map { reached($events, $stages, $begin + $_ * $flow->{days} * 86400) } 0 .. $#{ $flow->{points} } ], "$what: its flow");
	cmp_ok(scalar @{ $flow->{points} }, '<=', 200, "$what: is short");
	is($flow->{days}, $days < 199 ? 1 : $flow->{days}, "$what: with a point for each day while it can");
	my $last = (sort { $b <=> $a } map { $_->{at} } @$events)[0];
	my $end = $begin + $#{ $flow->{points} } * $flow->{days} * 86400;
	ok($end >= $last && $end - $flow->{days} * 86400 < $last, "$what: and ends with the log");
	return;
}

# Items that had reached each stage or a later one by an instant; of a discarded stage, that were discarded there first.
sub reached
{
	my ($events, $stages, $at) = @_;
	my %place = map { $stages->[$_]{name} => $_ } 0 .. $#$stages;
	my (%furthest, %lost);
	for my $event (@$events)
	{
		next if $event->{at} > $at;
		my $place = $place{ $event->{stage} };
		if ($stages->[$place]{category} eq 'discarded')
		{
			$lost{ $event->{item} } //= $place;
		}
		elsif ($place > ($furthest{ $event->{item} } // -1))
		{
			$furthest{ $event->{item} } = $place;
		}
	}
	return [ map { my $place = $_; $stages->[$place]{category} eq 'discarded' ? scalar grep { $_ == $place } values %lost : scalar grep { $_ >= $place } values %furthest } 0 .. $#$stages ];
}

# A midnight sees what happened at it.
sub dates_only
{
	write_file("$dir/dates.csv", "ID,Open,Doing,Done\nK,2026-01-03,2026-01-04,2026-01-05\nL,2026-01-01,2026-01-02,N/A\n");
	my ($status, $answer) = recognise("$dir/dates.csv");
	is_deeply($answer->{flow}, { since => '2026-01-01T00:00:00', days => 1, points => [ [ 1, 0, 0 ], [ 1, 1, 0 ], [ 2, 1, 0 ], [ 2, 2, 0 ], [ 2, 2, 1 ] ] }, 'the wide form, by dates')
		or diag(explain $answer->{flow});
	return;
}

# Created in the stage that the first move leaves.
sub created_before
{
	write_file("$dir/created.csv", "Key,Field,From,To,created,changelog.created\n" . join '', map { "K-$_,status,Open,Doing,2026-01-0$_,2026-01-0" . ($_ + 3) . "\nK-$_,status,Doing,Done,2026-01-0$_,2026-01-1$_\n" } 1 .. 3);
	my ($status, $answer) = recognise("$dir/created.csv");
	is($status, 0, 'items that were created before their first move: a proposal') or diag(explain $answer);
	is_deeply([ @{ $answer->{flow}{points} }[ 0 .. 3, -1 ] ], [ [ 1, 0, 0 ], [ 2, 0, 0 ], [ 3, 0, 0 ], [ 3, 1, 0 ], [ 3, 3, 3 ] ], 'count from then') or diag(explain $answer->{flow});
	return;
}

sub write_file
{
	my ($file, $text) = @_;
	open my $out, '>:raw', $file or die "$file: $!\n";
	print {$out} $text;
	close $out or die "$file: $!\n";
	return;
}
