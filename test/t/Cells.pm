# Cells.pm: what test/pgtap/cells.sql lets happen and asks, for tests with several sessions or servers
package Cells;

use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(oracle temporary);

# Each session has its own log of events, and compares by marks, which never wait.
sub oracle
{
	my ($text) = slurp_file("$FindBin::RealBin/../pgtap/cells.sql") =~ /^(CREATE SCHEMA oracle;.*?)^\\o \/dev\/null/ms;
	$text =~ s/^SELECT (?:no_plan|diag)\(.*\n//mg;
	$text =~ s/SELECT lives_ok\(\$\$\s*(.*?)\$\$, 'three streams'\);/$1;/s;
	$text =~ s/^CREATE TABLE oracle\.(?:log|done).*\n//mg;
	$text =~ s/oracle\.(log|done)\b/pg_temp.$1/g;
	my $marks = q{INSERT INTO vsm._marks (stream_id, since, until) SELECT v.id, '-infinity', 'infinity' FROM vsm.value_streams v;};
	$text =~ s/DELETE FROM vsm\._spans;/$marks/ or die 'how does oracle.compare() leave out the cells?';
	return "SET check_function_bodies = off; SET client_min_messages = warning;\n" . temporary() . $text;
}

sub temporary
{
	return q{
		CREATE TEMP TABLE log (case_id text, stage text, entered_at timestamptz, type text);
		CREATE TEMP TABLE done (step text CONSTRAINT done_pkey PRIMARY KEY, n integer NOT NULL);
	};
}

1;
