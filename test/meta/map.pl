#!/usr/bin/perl
#
# map.pl: every test file is named in test/README.md, and what it names exists, as does what test/run calls long
#
# Prints what is missing, a line each, and fails if there is any.

use strict;
use warnings;

my $map = 'test/README.md';

# The files of a part are those that test/run takes as its tests.
my %files = (
	regress => [ glob 'test/sql/*.sql' ],
	isolation => [ glob 'test/specs/*.spec' ],
	csv => [ glob 'test/csv/*.pl' ],
	pgtap => [ glob 'test/pgtap/*.sql' ],
	tap => [ glob 'test/t/*.pl' ],
	clients => [ grep { !m{/tap\.mjs$} } glob 'test/clients/postgres_fdw.py test/clients/with_*.py test/clients/*.mjs' ],
	gateway => [ glob 'test/gateway/*.pl' ],
	grafana => [ glob 'test/grafana/*.pl test/grafana/*.mjs test/grafana/rules*.yml' ],
	web => [ glob 'test/web/*.pl' ],
	demo => [ glob 'test/demo/*.sh' ],
	fuzz => [ grep { contents($_) =~ /LLVMFuzzerTestOneInput/ } glob 'test/fuzz/*.c' ]);

my %named = map { $_ => 1 } contents($map) =~ /`([^`\s]+)`/g;
my (%tests, @missing);
for my $part (sort keys %files)
{
	for my $file (@{ $files{$part} })
	{
		my ($name) = $file =~ m{([^/]+)\.[a-z]+$};
		$tests{"$part/$name"} = 1;
		push @missing, "$map does not name $file: `$part/$name`" unless $named{"$part/$name"};
	}
}
for my $name (sort keys %named)
{
	my ($first) = $name =~ m{^([^/]+)/.} or next;
	next if $name =~ /NAME/;					# stands for any
	push @missing, "$map names `$name`, which does not exist" unless exists $files{$first} ? $tests{$name} : -e $name;
}

$tests{'fuzz/parsing'} = 1;			# what make fuzz runs
my ($long) = contents('test/run') =~ /^LONG=\((.*?)\)/ms or die "test/run has no LONG\n";
$tests{$_} or push @missing, "test/run names $_, which does not exist" for split ' ', $long;

print map { "$_\n" } @missing;
exit(@missing ? 1 : 0);

sub contents
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}
