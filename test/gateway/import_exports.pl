# import_exports.pl: exports of trackers come in by HTTP with the figures that an independent program computed, or are asked about
#
# They lie beside the checkout, in ../shared/cases/exports, or where VSM_SHARED_EXPORTS says; cases.json says what each is.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use POSIX 'strftime';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::Local 'timegm';

use lib $FindBin::RealBin;
use Service;

my $folder = $ENV{VSM_SHARED_EXPORTS} // "$FindBin::RealBin/../../../shared/cases/exports";
plan skip_all => 'the shared exports are not there' unless -e "$folder/cases.json";

my $cases = decode_json(slurp_file("$folder/cases.json"));
my $node = database('exports');
my $gw = Service->start($node);
$gw->eventually('/api/v1/stages', 200);	# the stream that exists from the start

for my $name (sort keys %$cases)
{
	my $case = $cases->{$name};
	my %given = %{ $case->{given} // {} };

	asked($name, $case) if $case->{outcome} eq 'ask';
	refused($name, $case) if $case->{outcome} eq 'refuse';
	imported($name, $case, \%given) if $case->{outcome} eq 'ok' || %given;
}

$gw->finish;
$node->stop;
done_testing();

sub send_file
{
	my ($name, %query) = @_;
	my $query = join '&', map { "$_=" . ($query{$_} =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger) } sort keys %query;
	return $gw->post("/api/v1/import?$query", slurp_file("$folder/$name"), 'content-type' => 'text/csv');
}

# All that an import could write.
sub written
{
	return $node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions), (SELECT count(*) FROM vsm.value_streams),
			(SELECT count(*) FROM vsm.stages), (SELECT count(*) FROM vsm.work_item_types), (SELECT count(*) FROM vsm.stage_aliases),
			(SELECT count(*) FROM vsm.import_refusals)});
}

sub asked
{
	my ($name, $case) = @_;
	my $before = written();
	my $got = send_file($name, stream => $name, create_stages => 'true', create_types => 'true');
	is($got->{status}, 422, "$name: is asked about") or diag($got->{content});
	is($got->{json}{code}, 'PT422', "$name: with the code");
	ok((grep { ($got->{json}{proposal}{option} // '') eq $_ } @{ $case->{options_needed} }), "$name: an option decides") or diag($got->{content});
	like($got->{json}{hint}, qr/\b$got->{json}{proposal}{option}=/, "$name: which the hint names as a parameter of the query");
	is(written(), $before, "$name: nothing is written");
	return;
}

sub refused
{
	my ($name, $case) = @_;
	my $before = written();
	my $got = send_file($name, stream => $name, create_stages => 'true', create_types => 'true', on_error => 'skip');
	is($got->{status}, 422, "$name: is refused") or diag($got->{content});
	ok((grep { $got->{json}{detail} =~ /\Q$_\E/i } @{ $case->{says} }), "$name: for what is wrong") or diag($got->{content});
	is(written(), $before, "$name: nothing is written");
	return;
}

sub imported
{
	my ($name, $case, $given) = @_;
	my %query = (stream => $name, create_stages => 'true', create_types => 'true', on_error => 'skip', %$given);
	my $before = written();
	my $tried = send_file($name, %query, dry_run => 'true');
	is($tried->{status}, 200, "$name: a proposal") or return diag($tried->{content});
	is(written(), $before, "$name: which writes nothing");
	is_deeply([ @{ $tried->{json}{changes} }{qw(stream stages)} ], [ $name, [ map { $_->{name} } @{ $tried->{json}{proposal}{stages} } ] ],
		"$name: and says what would be defined");

	my $got = send_file($name, %query);
	is($got->{status}, 200, "$name: is imported") or return diag($got->{content});
	is($got->{json}{items}, $case->{items}, "$name: items");
	is($got->{json}{refused_count}, $case->{refused_rows}, "$name: refused lines") if defined $case->{refused_rows};
	is($got->{json}{refused_count}, $tried->{json}{refused_count}, "$name: as the proposal says");
	is_deeply($got->{json}{proposal}, $tried->{json}{proposal}, "$name: it is read as proposed");

	my $stages = $gw->get("/api/v1/stages?stream=$name")->{json};
	is_deeply([ map { [ $case->{form} eq 'wide' ? '' : $_->{name}, $_->{category} ] } @$stages ],
		[ map { [ $case->{form} eq 'wide' ? '' : $_->[0], $_->[1] ] } @{ $case->{stages} } ], "$name: stages");

	my $figures = $gw->get("/api/v1/metrics?stream=$name&since=1990-01-01")->{json};
	is($figures->{throughput}, $case->{finished}, "$name: finished");
	is($figures->{discarded}, $case->{discarded}, "$name: discarded");
	is($figures->{open_at_until}, $case->{open}, "$name: open");
	hours($name, $figures->{"$_->[0]_time_p$_->[1]"}, $case, "$_->[0]_p$_->[1]_h") for [ 'lead', 50 ], [ 'lead', 85 ], [ 'cycle', 50 ], [ 'cycle', 85 ];

	flow($name, $got->{json}{proposal}{flow});

	my $again = send_file($name, %query);
	is_deeply([ @{ $again->{json} }{qw(items transitions)} ], [ 0, 0 ], "$name: the same again changes nothing") or diag($again->{content});
	return;
}

# What the proposal draws is what the stream has afterwards, point by point.
sub flow
{
	my ($name, $flow) = @_;
	my $points = $flow->{points};
	my ($year, $month, $mday) = $flow->{since} =~ /^(\d+)-(\d+)-(\d+)T00:00:00Z?$/;
	my $since = timegm(0, 0, 0, $mday, $month - 1, $year);
	my $until = strftime('%Y-%m-%d', gmtime($since + $#$points * $flow->{days} * 86400));
	my $day = substr $flow->{since}, 0, 10;
	my $got = $gw->get("/api/v1/cumulative-flow?stream=$name&since=$day&until=$until&step=$flow->{days}%20days");
	is_deeply([ map { $_->{values} } @{ $got->{json}{points} } ], $points, "$name: its flow") or diag($got->{content});
	cmp_ok(scalar @$points, '<=', 200, "$name: which is short");
	return;
}

sub hours
{
	my ($name, $got, $case, $key) = @_;
	my $expected = $case->{$key};
	ok(defined $expected ? defined $got && abs($got - $expected) <= 0.02 : !defined $got, "$name: $key")
		or diag(($got // 'null') . ' instead of ' . ($expected // 'null'));
	return;
}
