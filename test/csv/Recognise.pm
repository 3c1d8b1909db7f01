# Recognise.pm: runs build/obj/recognise, and computes flow figures from its events.
package Recognise;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use JSON::PP;
use Time::Local 'timegm';

our @EXPORT = qw(recognise events);

my $program = $ENV{VSM_RECOGNISE} // "$FindBin::RealBin/../../build/obj/recognise";

sub slurp
{
	my ($file) = @_;
	open my $in, '<:raw', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# What the program prints, and its exit status.
sub run
{
	my (@arguments) = @_;
	open my $out, '-|:raw', $program, @arguments or die "$program: $!\n";
	local $/;
	my $text = <$out>;
	close $out;
	die "$program @arguments: signal " . ($? & 127) . "\n" if $? & 127;
	return ($? >> 8, $text);
}

# The exit status and the answer: 0 a proposal, 1 a question, 2 a refusal.
sub recognise
{
	my ($file, @options) = @_;
	my ($status, $text) = run(@options, $file);
	return ($status, decode_json($text));
}

# The events as they happened, item by item, and the number of refused lines.
sub events
{
	my ($file, @options) = @_;
	my ($status, $text) = run('--events', @options, $file);
	die "$file: status $status\n" if $status != 0;

	my (@events, %refused);
	my (undef, @records) = @{ parse_csv($text) };
	for my $fields (@records)
	{
		my %event;
		@event{qw(line item stage entered_at order type title refused)} = @$fields;
		if (defined $event{refused})
		{
			$refused{ $event{line} } = 1;
			next;
		}
		$event{at} = instant($event{entered_at});
		push @events, \%event;
	}
	@events = sort { $a->{item} cmp $b->{item} || $a->{at} <=> $b->{at} || $a->{order} <=> $b->{order} } @events;
	return (\@events, scalar keys %refused);
}

# Seconds since 1970.
sub instant
{
	my ($text) = @_;
	my ($year, $month, $day, $hour, $minute, $second) = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d+)?)Z?$/
		or die "not a time: $text\n";
	return timegm(0, $minute, $hour, $day, $month - 1, $year) + $second;
}

# Records of CSV; an empty field without quotes is undef.
sub parse_csv
{
	my ($text) = @_;
	my (@records, @fields);
	while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|\z)/gc)
	{
		my ($quoted, $plain, $end) = ($1, $2, $3);
		last if $end eq '' && !@fields && !defined $quoted && $plain eq '';
		$quoted =~ s/""/"/g if defined $quoted;
		push @fields, $quoted // (length $plain ? $plain : undef);
		next if $end eq ',';
		push @records, [@fields];
		@fields = ();
		last if $end eq '';
	}
	return \@records;
}

# Items, finished, discarded, open, and percentiles (percentile_disc, rule span_first_last) in hours.
sub flow
{
	my ($events, $stages) = @_;
	my %category = map { $_->{name} => $_->{category} } @$stages;
	my %place;
	@place{ map { $_->{name} } @$stages } = 0 .. $#$stages;
	my ($commitment) = grep { $stages->[$_]{category} eq 'active' } 0 .. $#$stages;
	my (%item, @lead, @cycle);
	my %figures = (items => 0, finished => 0, discarded => 0, open => 0);

	push @{ $item{ $_->{item} } }, $_ for @$events;
	for my $moves (values %item)
	{
		my ($started, $finished, $before);
		for (@$moves)
		{
			my $stage = utf8_name($_->{stage});
			my $now = $category{$stage} // die "no stage $_->{stage}\n";
			$started //= $_->{at} if defined $commitment && $place{$stage} >= $commitment && $now ne 'done' && $now ne 'discarded';
			$finished = $_->{at} if $now eq 'done' && ($before // '') ne 'done';
			$before = $now;
		}
		$figures{items}++;
		if ($before eq 'done')
		{
			$figures{finished}++;
			push @lead, ($finished - $moves->[0]{at}) / 3600;
			push @cycle, ($finished - $started) / 3600 if defined $started && $started <= $finished;
		}
		else
		{
			$figures{ $before eq 'discarded' ? 'discarded' : 'open' }++;
		}
	}
	$figures{lead_p50_h} = percentile(0.5, @lead);
	$figures{lead_p85_h} = percentile(0.85, @lead);
	$figures{cycle_p50_h} = percentile(0.5, @cycle);
	$figures{cycle_p85_h} = percentile(0.85, @cycle);
	return \%figures;
}

# Names in the answer are characters, those in events bytes.
sub utf8_name
{
	my ($name) = @_;
	utf8::decode($name);
	return $name;
}

sub Encode_free { return $_[0] }

sub percentile
{
	my ($fraction, @values) = @_;
	return undef unless @values;
	@values = sort { $a <=> $b } @values;
	my $rank = $fraction * @values;
	$rank = int($rank) == $rank ? $rank : int($rank) + 1;
	return $values[ $rank - 1 ];
}

1;
