# shared_exports.pl: exports of trackers, with figures that an independent program computed.
#
# They lie beside the checkout, in ../shared/cases/exports, or where VSM_SHARED_EXPORTS says; cases.json says what each is.  The
# figures are computed here from the events that the program prints.
use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib $FindBin::RealBin;
use Recognise;

my $folder = $ENV{VSM_SHARED_EXPORTS} // "$FindBin::RealBin/../../../shared/cases/exports";
plan skip_all => 'the shared exports are not there' unless -e "$folder/cases.json";

my $cases = decode_json(Recognise::slurp("$folder/cases.json"));

for my $name (sort keys %$cases)
{
	my $case = $cases->{$name};
	my ($status, $answer) = recognise("$folder/$name");

	if ($case->{outcome} eq 'ask')
	{
		is($status, 1, "$name: a question") or diag(explain $answer);
		ok((grep { $_ eq ($answer->{option} // '') } @{ $case->{options_needed} }), "$name: which names the option") or diag(explain $answer);
		next unless $case->{given};
		figures($name, $case, map { ("--$_" => $case->{given}{$_}) } sort keys %{ $case->{given} });
	}
	elsif ($case->{outcome} eq 'refuse')
	{
		is($status, 2, "$name: a refusal") or diag(explain $answer);
		my $words = join ' ', map { $_ // '' } @$answer{qw(message detail)};
		ok((grep { $words =~ /\Q$_\E/i } @{ $case->{says} }), "$name: which says what is wrong") or diag($words);
	}
	else
	{
		figures($name, $case);
	}
}
done_testing();

sub figures
{
	my ($name, $case, @options) = @_;
	my ($status, $answer) = recognise("$folder/$name", @options);

	is($status, 0, "$name: a proposal") or return diag(explain $answer);
	is($answer->{form}, $case->{form}, "$name: its form");

	# Stages of the wide form may have the name of the state or of its column, so only the categories are compared.
	my @stages = map { [ $case->{form} eq 'wide' ? '' : $_->{name}, $_->{category} ] } @{ $answer->{stages} };
	my @expected = map { [ $case->{form} eq 'wide' ? '' : $_->[0], $_->[1] ] } @{ $case->{stages} };
	is_deeply(\@stages, \@expected, "$name: its stages") or diag(explain $answer->{stages});

	my ($events, $refused) = events("$folder/$name", @options);
	is($refused, $case->{refused_rows}, "$name: refused lines") if defined $case->{refused_rows};
	is($answer->{refused_count}, $refused, "$name: as the proposal says");
	is($answer->{moves}, scalar(@$events), "$name: all moves are counted");

	my $figures = Recognise::flow($events, $answer->{stages});
	is($answer->{items}, $case->{items}, "$name: the proposal's items");
	is($figures->{$_}, $case->{$_}, "$name: $_") for qw(items finished discarded open);
	for (qw(lead_p50_h lead_p85_h cycle_p50_h cycle_p85_h))
	{
		my ($got, $expected) = ($figures->{$_}, $case->{$_});
		ok(defined $got ? defined $expected && abs($got - $expected) <= 0.02 : !defined $expected, "$name: $_")
			or diag(($got // 'null') . ' instead of ' . ($expected // 'null'));
	}
}
