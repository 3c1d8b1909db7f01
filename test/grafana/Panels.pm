# Panels.pm: the dashboards as Grafana would ask their data sources
#
#	dashboards()					[ { file, uid, title, panels => [...], variables => {...} }, ... ] of docker/grafana/dashboards
#	panels($dashboard)				its panels, those inside rows too, without the rows
#	targets($dashboard)				[ $panel, $target ] for every query of them
#	expand_sql($sql, %how)			its text with macros and variables filled in, by the rules of Grafana's data source for PostgreSQL
#	expand_promql($expr, %how)		the same for Prometheus
#		from, to		times, as Grafana writes them (RFC 3339)
#		interval		$__interval, such as 2h
#		rate_interval	$__rate_interval
#		variables		{ name => value }; an undefined value is "All"
#
# A macro or variable that is not known here dies: it would reach the database as it is.  $__timeGroup and $__timeFilter are
# not known: the first cuts days in UTC, the second takes in the window's end.

package Panels;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use JSON::PP ();

our @EXPORT = qw(dashboards panels targets expand_sql expand_promql slurp);

my %unit = (s => 1, m => 60, h => 3600, d => 86400, w => 604800);

sub slurp
{
	my ($file) = @_;
	open my $in, '<:raw', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

sub dashboards
{
	my @dashboards;
	for my $file (sort glob "$FindBin::RealBin/../../docker/grafana/dashboards/*.json")
	{
		my $dashboard = JSON::PP->new->utf8->decode(slurp($file));
		($dashboard->{file}) = $file =~ m{([^/]+)\.json$};
		$dashboard->{variables} = { map { $_->{name} => $_ } @{ $dashboard->{templating}{list} } };
		push @dashboards, $dashboard;
	}
	return @dashboards;
}

sub panels
{
	my ($dashboard) = @_;
	return grep { $_->{type} ne 'row' } map { $_, @{ $_->{panels} // [] } } @{ $dashboard->{panels} };
}

sub targets
{
	my ($dashboard) = @_;
	return map { my $panel = $_; map { [ $panel, $_ ] } @{ $panel->{targets} // [] } } panels($dashboard);
}

sub expand_sql
{
	my ($sql, %how) = @_;
	$sql = expand_variables($sql, \%how, sub { "'" . $_[0] =~ s/'/''/gr . "'" });
	$sql =~ s/\$__interval_ms\b/1000 * seconds($how{interval})/ge;
	$sql =~ s/\$__interval\b/$how{interval}/g;
	$sql =~ s/\$__timeFrom\(\)/'$how{from}'/g;
	$sql =~ s/\$__timeTo\(\)/'$how{to}'/g;
	die "not known: $1 in $sql\n" if $sql =~ /(\$[_a-z{]\S*)/i;
	return $sql;
}

sub seconds
{
	my ($interval) = @_;
	my ($n, $unit) = $interval =~ /^(\d+)([smhdw])$/ or die "no interval: $interval\n";
	return $n * $unit{$unit};
}

sub expand_promql
{
	my ($expr, %how) = @_;
	$expr =~ s/\$__rate_interval\b/$how{rate_interval}/g;
	$expr = expand_variables($expr, \%how, \&regex_in_quotes);
	die "not known: $1 in $expr\n" if $expr =~ /(\$\S+)/;
	return $expr;
}

# Chosen values are regular expressions, within a string of PromQL.
sub regex_in_quotes
{
	return $_[0] =~ s/([\\\$^*{}\[\]'+?.()|])/\\\\$1/gr;
}

# A custom value of "All" goes in as it stands, whatever the format.
sub expand_variables
{
	my ($text, $how, $format) = @_;
	my $variables = $how->{variables};
	$text =~ s{\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)}{
		my ($name, $as) = ($1 // $3, $2);
		exists $variables->{$name} or die "there is no variable $name: $text\n";
		die "variable $name needs a format: $text\n" if ($as // 'sqlstring') ne 'sqlstring';
		defined $variables->{$name} ? $format->($variables->{$name}) : $how->{all}{$name} // die "$name cannot be All\n"
	}gex;
	return $text;
}

1;
