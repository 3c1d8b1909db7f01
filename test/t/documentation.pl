# documentation.pl: every block of SQL in README.md and doc/ runs, and says what it says it says; signatures are those of SQL
#
# The blocks of a file run one after the other in a database of its own, in psql, stopped by the first error.  A block that
# shows an error ("-- ERROR: ..." after a statement) must raise just that one, with its detail and hint.
#
# A function that a table of doc/reference.md begins a row with has all its arguments there, in order, by their names, with the
# defaults that it gives.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# What the text takes for granted: a changelog of stream "support", the teams of its items, and items in stage Working.
my $changelog = q{
	CREATE TABLE jira_changelog AS
	SELECT 'SUP-' || n AS case_id, stage, type, 'Ticket ' || n AS title,
	       date_trunc('day', now()) - make_interval(days => 120 - n, hours => (-8 - 5 * place)::integer) AS changed_at
	FROM generate_series(1, 100) n,
	     LATERAL (SELECT CASE n % 3 WHEN 0 THEN 'bug' ELSE 'feature' END) t (type),
	     LATERAL unnest(CASE WHEN n BETWEEN 80 AND 82 THEN '{New,Working}' WHEN n = 16 THEN '{New}'
	                         WHEN n % 10 = 1 THEN '{New,Working,Waiting,Working,Closed}'
	                         ELSE '{New,Working,Closed}' END::text[]) WITH ORDINALITY s (stage, place);
	CREATE TABLE jira AS SELECT DISTINCT case_id AS key, 'red' AS team FROM jira_changelog;
};

# And what stands for other extensions.
my $cron = q{
	CREATE SCHEMA cron;
	CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE $3;
		RETURN 1;
	END $$;
};

# Before the first block of a file; README.md creates the extension itself.
my %before = (
	'README.md' => $changelog,
	'doc/operations.md' => "$cron; CREATE ROLE old_owner; CREATE ROLE new_owner; CREATE EXTENSION vsm; SELECT vsm.define_stream('default')",
	'doc/reference.md' => "$changelog; CREATE EXTENSION vsm;" . q{
		SELECT vsm.define_stream('support', '[{"name": "New", "category": "wait"}, {"name": "Working"},
			{"name": "Waiting", "category": "wait"}, {"name": "Closed", "category": "done"}]');
		SELECT vsm.import_events('jira_changelog', 'support', time_column => 'changed_at');
		SELECT vsm.refresh_flow_metrics('support')});

my $node = PostgreSQL::Test::Cluster->new('documentation');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\nwal_level = logical\nclient_min_messages = warning");
$node->start;

my $blocks = 0;
for my $file ('README.md', glob 'doc/*.md')
{
	my @blocks = sql_blocks($file) or next;
	(my $database = lc $file) =~ tr/a-z0-9/_/c;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, $before{$file} // 'CREATE EXTENSION vsm');
	run_block($database, $file, $_) for @blocks;
	$blocks += @blocks;
}
cmp_ok($blocks, '>=', 10, 'the blocks were found');
is($node->safe_psql('readme_md', q{SELECT count(*) FROM vsm.flow_metrics WHERE stream = 'support' AND throughput > 0}) > 20, 1,
	'the figures that README.md asks for are not empty');
signatures('doc/reference.md');
$node->stop;
done_testing();

sub signatures
{
	my ($file) = @_;
	my $text = slurp_file($file);
	my %known;
	for my $line (split /\n/, $node->safe_psql('doc_reference_md', q{
		SELECT concat_ws('|', p.proname, (SELECT string_agg(concat(coalesce(p.proargnames[n], ''), ' = ' ||
			       lower(regexp_replace(pg_get_function_arg_default(p.oid, n), '::[a-z ]+(\[\])?$', ''))), ', ' ORDER BY n)
			   FROM generate_series(1, p.pronargs) n))
		FROM pg_proc p WHERE p.pronamespace = 'vsm'::regnamespace}))
	{
		my ($name, $arguments) = split /\|/, $line, 2;
		push @{ $known{$name} }, [ split /, (?=\w*(?: =|,|$))/, $arguments // '' ];
	}

	my $signatures = 0;
	while ($text =~ /^\| (`vsm\.[^|]*) \|/mg)
	{
		my $cell = $1;
		while ($cell =~ /`vsm\.(\w+)\(([^`]*)\)`/g)
		{
			my ($name, @arguments) = ($1, split /, /, $2);
			my @overloads = @{ $known{$name} // [] };
			ok(scalar(grep { is_signature(\@arguments, $_) } @overloads), "$file: vsm.$name(@{[ join ', ', @arguments ]})")
				or diag(map { "SQL: vsm.$name(@{[ join ', ', @$_ ]})" } @overloads);
			$signatures++;
		}
	}
	cmp_ok($signatures, '>=', 40, 'the signatures were found');
	return;
}

# Aggregates and readers of sketches have arguments without names.  A type may stand behind a name, and a default may be words.
sub is_signature
{
	my ($shown, $known) = @_;
	return 0 unless @$shown == @$known;
	for my $n (0 .. $#$shown)
	{
		my ($name, $default) = $shown->[$n] =~ /^(\w+)[^=]*?(?: = (.*))?$/;
		my ($known_name, $known_default) = $known->[$n] =~ /^(\w*)(?: = (.*))?$/s;
		return 0 unless $known_name eq '' || $name eq $known_name;
		return 0 if defined $default && !defined $known_default;
		return 0 if defined $default && $default =~ /^(?:-?[\d.]+|'.*'|true|false|null)$/ && $default ne $known_default;
	}
	return 1;
}

# Each with the line of the file that it begins at.
sub sql_blocks
{
	my ($file) = @_;
	my $text = slurp_file($file);
	my @blocks;

	while ($text =~ /^ *```sql\n(.*?)^ *```$/msg)
	{
		my $sql = $1;
		my $line = 1 + (substr($text, 0, $-[1]) =~ tr/\n//);
		push @blocks, { sql => $sql, line => $line };
	}
	return @blocks;
}

sub run_block
{
	my ($database, $file, $block) = @_;
	my $name = "$file:$block->{line}";
	my @shown = $block->{sql} =~ /^-- (?:ERROR|DETAIL|HINT):.*$/mg;
	my ($status, $out, $err) = $node->psql($database, $block->{sql}, on_error_stop => 1);

	return is($err, '', $name) || diag($out) unless @shown;

	# psql:<stdin>:2: ERROR:  ...
	my @said = map { s/^(?:psql:\S+ )?/-- /r } grep { /(?:ERROR|DETAIL|HINT):/ } split /\n/, $err;
	is_deeply(\@said, \@shown, "$name: the error shown");
}
