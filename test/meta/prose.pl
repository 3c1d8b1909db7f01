#!/usr/bin/perl
#
# prose.pl: lines of prose in Markdown have at most 120 columns, and name only files and headings that are there
#
# Code blocks and tables may be wider.  A name of a file is a link, or a path in `code`, which may leave out its end
# (`sql/70`).  Prints each line that is wrong, and fails if there is any.

use strict;
use warnings;
use open qw(:std :encoding(UTF-8));

my $columns = 120;
my @files = sort grep { !m{(^|/)node_modules/} } glob '*.md doc/*.md docker/*.md docker/*/*.md test/*.md';
my %headings = map { $_ => headings_of($_) } @files;
my $bad = 0;

for my $file (@files)
{
	my $number = 0;
	for my $line (prose_of($file))
	{
		$number++;
		complain($file, $number, 'has ' . length($line) . ' columns')
			if length($line) > $columns && $line !~ /^\s*\|/;
		while ($line =~ /\]\(([^)\s#]*)(?:#([^)\s]*))?\)/g)
		{
			my ($target, $heading) = ($1, $2);
			next if $target =~ /^\w+:/;
			my $path = $target eq '' ? $file : resolve($file, $target);
			complain($file, $number, "links to $path, which does not exist") unless -e $path;
			complain($file, $number, "links to #$heading, which $path does not have")
				if defined $heading && $headings{$path} && !$headings{$path}{$heading};
		}
		for my $name ($line =~ m{`((?:src|sql|test|expected|scripts|bench|docker|doc)/[\w./-]+)`}g)
		{
			my @found = glob "$name*";
			complain($file, $number, "names $name, which does not exist") unless @found || $name =~ /NAME|--A--/;
		}
	}
}
exit($bad ? 1 : 0);

# All lines; those of code blocks are empty.
sub prose_of
{
	my ($file) = @_;
	my $code = 0;
	open my $in, '<', $file or die "$file: $!\n";
	return map {
		chomp(my $line = $_);
		my $fence = $line =~ /^\s*```/;
		$code = !$code if $fence;
		$fence || $code ? '' : $line
	} <$in>;
}

# The names that GitHub gives them.
sub headings_of
{
	my ($file) = @_;
	return { map { my $name = lc; $name =~ s/[^\w\s-]//g; $name =~ s/\s/-/g; $name => 1 }
		map { /^#+ +(.*?)\s*$/ ? $1 : () } prose_of($file) };
}

sub resolve
{
	my ($from, $to) = @_;
	my @path = split m{/}, $from;
	pop @path;
	for my $step (split m{/}, $to)
	{
		if ($step eq '..') { pop @path } else { push @path, $step }
	}
	return join '/', @path;
}

sub complain
{
	my ($file, $line, $what) = @_;
	print "$file:$line $what\n";
	$bad = 1;
}
