#!/usr/bin/perl
#
# waits.pl: no file of the page or of its tests waits for the network to be idle
#
# A page that asks for figures again and again is idle by chance, or never: a test waits for what it wants to see.  Prints
# each line that does, and fails if there is any.

use strict;
use warnings;

use File::Find;

my @files;
find({ no_chdir => 1, wanted => sub {
	return $File::Find::prune = 1 if /\/node_modules$/;
	push @files, $_ if /\.(?:m?js|pl|html)$/;
} }, 'src/web', 'test/web');
die "src/web and test/web have no scripts\n" unless grep { /^src.*\.js$/ } @files and grep { /^test.*\.mjs$/ } @files;

my $bad = 0;
for my $file (sort @files)
{
	open my $in, '<', $file or die "$file: $!\n";
	while (my $line = <$in>)
	{
		next unless $line =~ /networkidle/i;
		print "$file:$. waits for the network to be idle\n";
		$bad = 1;
	}
}
exit($bad ? 1 : 0);
