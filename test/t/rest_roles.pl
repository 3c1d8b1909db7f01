# rest_roles.pl: the roles of doc/rest.md and docker/postgrest/postgrest.conf do what they say, over connections of their own
#
# The statements are run as they stand in the document.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my ($statements) = slurp_file("$root/doc/rest.md") =~ /^```sql\n(.*?)^```/ms;
my %setting = slurp_file("$root/docker/postgrest/postgrest.conf") =~ /^([a-z-]+) = "?(.*?)"?$/mg;

my ($authenticator) = $setting{'db-uri'} =~ m{//(\w+)[:@]};

my $node = PostgreSQL::Test::Cluster->new('rest_roles');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
$node->safe_psql('postgres', "CREATE EXTENSION vsm; $statements; SELECT vsm_api.prepare()");

# What a connection of the authenticator gets, as a role.
sub request
{
	my ($role, $sql) = @_;
	my ($out, $err) = ('', '');
	my $become = $role eq '' ? '' : qq{SET LOCAL ROLE $role; SET LOCAL request.jwt.claims = '{"role":"$role"}';};

	$node->psql('postgres', "BEGIN; $become $sql; COMMIT", stdout => \$out, stderr => \$err, extra_params => [ '-U', $authenticator ]);
	return $err =~ /(?:ERROR|FATAL): +(.*)/ ? $1 : $out;
}

is($setting{'db-schemas'}, 'vsm_api', 'only vsm_api is served');
is($node->safe_psql('postgres', "SELECT rolcanlogin AND NOT rolinherit AND NOT rolsuper FROM pg_roles WHERE rolname = '$authenticator'"), 't',
	'the authenticator of db-uri logs in and inherits nothing');

is(request('', 'SELECT vsm_api.stages()'), 'permission denied for schema vsm_api', 'it has no right of its own');
is(request('', 'SELECT FROM vsm.work_items'), 'permission denied for schema vsm', 'on the tables neither');

my $anonymous = $setting{'db-anon-role'};
like(request($anonymous, 'SELECT vsm_api.stages()'), qr/^\[\{"id":1,"name":"Backlog"/, 'the anonymous role reads');
like(request($anonymous, q{SELECT vsm_api.create_work_item('x')}), qr/^permission denied for table work_items/, 'and does not write');
like(request('vsm_writer', q{SELECT vsm_api.create_work_item('by a token')}), qr/"title":"by a token"/, 'the writer does');
is(request('vsm_writer', q{UPDATE vsm_api.work_items SET current_stage = 'Testing' RETURNING current_stage}), 'Testing', 'through the view too');
is(request('vsm_writer', 'UPDATE vsm_api.stages SET wip_limit = 1'), 'permission denied for view stages', 'but defines nothing');
is(request('vsm_admin', q{UPDATE vsm_api.stages SET wip_limit = 4 WHERE name = 'Testing' RETURNING wip_limit}), '4', 'the admin does');
my $superuser = getpwuid($<);
is(request(qq{"$superuser"}, 'SELECT 1'), qq{permission denied to set role "$superuser"}, 'nobody becomes another role');
is($node->safe_psql('postgres', 'SELECT string_agg(actor, $$ $$ ORDER BY id) FROM vsm.stage_transitions'), 'vsm_writer vsm_writer', 'the ledger names the role of the token');

# What a role got is in a dump.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '--file', $dump, 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'copy' ], 'and restored');
is($node->safe_psql('copy', q{SET ROLE vsm_reader; SELECT vsm_api.history(1) ->> 'work_item_title'}), 'by a token', 'a reader of the copy reads');
is($node->safe_psql('copy', q{SET ROLE vsm_writer; SELECT vsm_api.transition(1, 'Production') ->> 'from_stage'}), 'Testing', 'and a writer writes');
is($node->safe_psql('copy', 'SELECT vsm_api.types()'), '["feature","bug","task","epic"]', 'types keep their order');

$node->stop;
done_testing();
