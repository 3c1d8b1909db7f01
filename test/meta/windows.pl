#!/usr/bin/perl
#
# windows.pl: the default windows in doc/ are those of the functions, and of the gateway's routes
#
# Prints what differs, a line each, and fails if there is any.

use strict;
use warnings;

my $sql = join '', map { contents($_) } glob 'sql/*.sql';
my (%sql, %rest, %routes);

while ($sql =~ /^CREATE FUNCTION (vsm|vsm_api)\.([a-z]\w*)(.*?)(?=^CREATE FUNCTION|\z)/msg)
{
	my ($schema, $name, $text) = ($1, $2, $3);
	$sql{"vsm.$name"} = $1
		if $schema eq 'vsm' && $text =~ /\bsince timestamptz\s+DEFAULT clock_timestamp\(\) - interval '(\d+) days'/;
	$rest{$name} = $1 || $2 / 24
		if $schema eq 'vsm_api' && $text =~ /_asked\(stream, since, until, (?:24 \* coalesce\(days, (\d+)\)|(\d+)),/;
}

my $routes = contents('src/gateway/api/routes.c');
my ($usual) = $routes =~ /^#define SINCE .*by default (\d+) days/m;
while ($routes =~ /\.function = "(\w+)"(.*?)(?=\.function|\z)/sg)
{
	my ($name, $text) = ($1, $2);
	$routes{$name} = $text =~ /"since".*by default (\d+) days/ ? $1
		: $text =~ /"days".*\.fallback = "(\d+)", \.about = "Length of the window/ ? $1
		: $text =~ /\bSINCE\b/ ? $usual : next;
}

my $differs = compare('doc/reference.md', {documented('doc/reference.md')}, 'sql/', \%sql)
	+ compare('doc/rest.md', {documented('doc/rest.md')}, 'sql/', \%rest)
	+ compare('doc/rest.md', {documented('doc/rest.md')}, 'src/gateway/api/routes.c', \%routes);
exit($differs ? 1 : 0);

# The table whose rows are days and the functions that have them.
sub documented
{
	my ($file) = @_;
	my ($table) = contents($file) =~ /^\| days \| functions \|\n\|---\|---\|\n((?:\|.*\n)+)/m or die "$file has no table of default windows\n";
	my %days;
	while ($table =~ /^\| (\d+) \| (.*) \|$/mg)
	{
		my ($days, $names) = ($1, $2);
		$names =~ s/, or its argument.*//;
		$days{$_} = $days for $names =~ /`([\w.]+)`/g;
	}
	return %days;
}

sub compare
{
	my ($document, $documented, $source, $found) = @_;
	my $differences = 0;

	die "$source has no default windows\n" if keys %$found < 10;
	for my $name (sort keys %{ { %$documented, %$found } })
	{
		my ($says, $is) = map { $_->{$name} // 'none' } $documented, $found;
		next if $says eq $is;
		print "$document: the default window of $name is $says, and in $source $is\n";
		$differences++;
	}
	return $differences;
}

sub contents
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}
