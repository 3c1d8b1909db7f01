# schema_of_another.pl: what a schema vsm that was there before may not do, and what a writer may not define
#
# Whoever owns the schema could put functions beside the extension's that a superuser then calls.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('schema');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE squatter LOGIN;
	CREATE ROLE "VSM Owner" LOGIN;
	CREATE ROLE writer LOGIN;
	CREATE ROLE admin LOGIN;
	CREATE DATABASE db OWNER "VSM Owner";
	GRANT CREATE ON DATABASE db TO squatter;
});

sub run_as
{
	my ($role, $sql) = @_;
	my ($out, $err) = ('', '');
	my $status = $node->psql('db', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role ], on_error_die => 0);
	return ($status, $out, $err);
}

run_as('squatter', 'CREATE SCHEMA vsm');
for my $role ($node->safe_psql('postgres', 'SELECT current_user'), 'VSM Owner')
{
	my ($status, $out, $err) = run_as($role, 'CREATE EXTENSION vsm');
	like($err, qr/schema "vsm" exists already.*HINT:  Move the objects that you need to another schema, then DROP SCHEMA vsm/s, "$role does not build on a squatter's schema");
}
is($node->safe_psql('db', q{SELECT count(*) FROM pg_extension WHERE extname = 'vsm'}), '0', 'nothing is left of the attempts');

run_as('squatter', 'DROP SCHEMA vsm; CREATE SCHEMA vsm_api');
for my $role ($node->safe_psql('postgres', 'SELECT current_user'), 'VSM Owner')
{
	my ($status, $out, $err) = run_as($role, 'CREATE EXTENSION vsm');
	like($err, qr/schema "vsm_api" exists already/, "$role does not build on a squatter's vsm_api either");
}
run_as('squatter', 'DROP SCHEMA vsm_api');
my ($status, $out, $err) = run_as('VSM Owner', 'CREATE EXTENSION vsm');
is($err, '', 'the owner of the database creates the extension, whatever the name');

run_as('VSM Owner', q{SELECT vsm.define_stream('default'); SELECT vsm.grant_access('writer', 'writer'); SELECT vsm.grant_access('admin', 'admin')});
my $import = q{
	CREATE TEMPORARY TABLE events AS SELECT 'c' AS case_id, 'Review' AS stage, timestamptz '2026-01-05' AS entered_at, 'story' AS type;
	SELECT (vsm.import_events('events', create_stages => true)).transitions;
};
($status, $out, $err) = run_as('writer', $import);
like($err, qr/role "writer" may not define stages and types/, 'a writer cannot define stages by an import');
is($node->safe_psql('db', q{SELECT count(*) FROM vsm.stages}), '6', 'nor has it');
($status, $out, $err) = run_as('admin', $import);
is($out, '1', 'an admin can');
like($err, qr/\A\S* ?NOTICE:  stages added to stream "default" as wait stages[^\n]*: Review\nHINT: [^\n]*\z/,
	'and is told where, in a database whose owner has a name that needs quotes');
is($node->safe_psql('db', q{SELECT string_agg(name, ' ' ORDER BY "order") FROM vsm.stages}),
	'Backlog Analysis Development Testing Deployment Review Production', 'before the done stages');

$node->stop;
done_testing();
