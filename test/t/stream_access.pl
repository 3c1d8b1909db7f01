# stream_access.pl: a restored database is as closed as the dumped one, and at no point of the restore more open
#
# As a superuser, and as the owner of the database who is none.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('access');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', q{
	CREATE ROLE "Db Owner" LOGIN CREATEDB;
	CREATE ROLE reader LOGIN;
	CREATE ROLE "Limited Writer" LOGIN;
	CREATE ROLE team;
	CREATE ROLE member LOGIN IN ROLE team;
	CREATE ROLE gone LOGIN;
	CREATE ROLE revoked LOGIN;
	CREATE ROLE granted LOGIN;
});
my @roles = ('reader', 'Limited Writer', 'member', 'gone', 'revoked', 'granted');

# What each role sees and may do, and the rows.
sub access
{
	my ($db) = @_;
	my $answer = '';
	for my $role (@roles)
	{
		for my $query (
			q{SELECT string_agg(DISTINCT stream, ',' ORDER BY stream) FROM vsm.work_items},
			q{SELECT count(*) FROM vsm.stage_transitions},
			q{SELECT string_agg(DISTINCT stream, ',' ORDER BY stream) FROM vsm.wip},
			q{SELECT stream FROM vsm.create_work_item('new', stream => 'secret')},
			q{SELECT stream FROM vsm.create_work_item('new', stream => 'mine')},
			q{UPDATE vsm.stages SET wip_limit = 7},
			q{COPY vsm.work_items (stream) TO STDOUT},
			q{COPY vsm.work_items (title, stream) FROM STDIN})
		{
			my ($out, $errors) = ('', '');
			$node->psql($db, "BEGIN; $query; ROLLBACK;", stdout => \$out, stderr => \$errors, extra_params => [ '-U', $role ]);
			$answer .= "$role: $query: " . ($errors =~ /ERROR: +(.*)/ ? $1 : $out) . "\n";
		}
	}
	return $answer . $node->safe_psql($db, 'SELECT role, stream, level FROM vsm.stream_access ORDER BY 1, 2');
}

for my $owner ($superuser, 'Db Owner')
{
	local $ENV{PGUSER} = $owner;
	my $who = $owner eq $superuser ? 'superuser' : 'owner';
	$node->safe_psql('postgres', "CREATE DATABASE $who");
	$node->safe_psql($who, q{
		CREATE EXTENSION vsm;
		SELECT vsm.define_stream(s) FROM unnest(ARRAY['ours', 'secret', 'passing']) s;
		SELECT vsm.create_work_item('item', stream => s) FROM unnest(ARRAY['ours', 'secret']) s;
		SELECT vsm.refresh_flow_metrics(s) FROM unnest(ARRAY['ours', 'secret']) s;
		SELECT vsm.grant_access('reader', 'reader'), vsm.grant_access('"Limited Writer"', 'writer', 'ours'), vsm.grant_access('team', 'reader', 'ours'),
			vsm.grant_access('gone', 'writer', 'passing'), vsm.grant_access('revoked', 'admin', 'ours'), vsm.grant_access('granted', 'writer');
		SELECT vsm.revoke_access('revoked', 'ours');
		DELETE FROM vsm.stream_access WHERE role = 'granted';
		UPDATE vsm.value_streams SET name = 'mine' WHERE name = 'ours';
		DELETE FROM vsm.value_streams WHERE name = 'passing';
	});
	my $before = access($who);
	like($before, qr/^reader: .*: mine,secret$/m, "$who: a reader of all streams sees them");
	like($before, qr/^Limited Writer: SELECT string_agg\S* .*work_items: mine$/m, "$who: a renamed stream keeps its writer");
	like($before, qr/^Limited Writer: .*'secret'\): stream "secret" not found$/m, "$who: who does not see the other");
	like($before, qr/^Limited Writer: COPY \S+ \(stream\) TO STDOUT: mine\n(?!secret|mine)/m, "$who: by COPY neither");
	like($before, qr/^member: SELECT string_agg\S* .*wip: mine$/m, "$who: nor does a member of its readers");
	like($before, qr/^gone: SELECT count\S* .*: 0$/m, "$who: whose last stream is deleted sees nothing");
	like($before, qr/^gone: .*'mine'\): stream "mine" not found$/m, "$who: and writes nothing");
	like($before, qr/^revoked: SELECT count\S* .*: permission denied for schema vsm$/m, "$who: whose last row is revoked has no right on the tables");
	like($before, qr/^granted: .*'secret'\): secret$/m, "$who: plain rights mean what they say");

	my %restore = (plain => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ], custom => [ 'pg_restore', '--exit-on-error', '-j', '2' ]);
	for my $format (sort keys %restore)
	{
		my $db = "${who}_$format";
		my $file = "$dir/$db";
		$node->command_ok([ 'pg_dump', "--format=$format", '--file', $file, $who ], "$who: dumped as $format");
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		local $ENV{PGDATABASE} = $db;
		ok($node->run_log([ @{ $restore{$format} }, $format eq 'custom' ? ('-d', $db) : (), $file ]), "$who: restored from $format");
		is(access($db), $before, "$who, $format: all is as closed as it was");

		# the rows that limit a role are there before it has any right
		my $script = $file;
		$node->command_ok([ 'pg_restore', '--file', $script = "$file.sql", $file ], "$who: the steps of pg_restore") if $format eq 'custom';
		my $text = slurp_file($script);
		my @rights = $text =~ /^GRANT .* TO (?:reader|"Limited Writer"|team|gone|granted);$/mg;
		my $rows = $text =~ /^COPY vsm\.stream_access /m ? $-[0] : -1;
		my $first_right = $text =~ /^GRANT .* TO (?:reader|"Limited Writer"|team|gone|granted);$/m ? $-[0] : -1;
		cmp_ok(scalar(@rights), '>', 20, "$who, $format: the dump has the rights");
		ok($rows > 0 && $rows < $first_right, "$who, $format: after the rows of vsm.stream_access");
	}
	# who restores need not be who created the extension
	if ($who eq 'owner')
	{
		local $ENV{PGUSER} = $superuser;
		$node->safe_psql('postgres', 'CREATE DATABASE by_superuser');
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'by_superuser', "$dir/owner_custom" ], 'a superuser restores what another owner dumped');
		is(access('by_superuser'), $before, 'and all is as closed, and as open, as it was');

		# in a copy that the owner restored, the grants on schemas and views are the owner's
		$node->safe_psql('owner_custom', q{SET SESSION AUTHORIZATION "Db Owner"; SELECT vsm.revoke_access('reader')});
		is($node->safe_psql('owner_custom', q{SELECT string_agg(c.oid::regclass::text, ',') FROM pg_class c
				WHERE c.relnamespace IN ('vsm'::regnamespace, 'vsm_api'::regnamespace) AND c.relkind IN ('r', 'v', 'm', 'S')
				AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('reader', c.oid, 'USAGE')
					ELSE has_table_privilege('reader', c.oid, 'SELECT, INSERT, UPDATE, DELETE') END}) . '|'
				. $node->safe_psql('owner_custom', q{SELECT has_schema_privilege('reader', 'vsm', 'USAGE') OR has_schema_privilege('reader', 'vsm_api', 'USAGE')}),
			'|f', 'and revoke_access takes them back');
	}
	# who is limited cannot dump what he does not see
	$node->command_fails_like([ 'pg_dump', '-U', 'Limited Writer', '--data-only', '--table', 'vsm.work_items', $who ],
		qr/row-level security|permission denied/, "$who: a limited role cannot dump");
}

# The role that created the extension is named nowhere in a dump: another one restores it where that role is gone.
$node->safe_psql('postgres', 'CREATE ROLE founder LOGIN CREATEDB; CREATE ROLE heir LOGIN CREATEDB');
{
	local $ENV{PGUSER} = 'founder';
	$node->safe_psql('postgres', 'CREATE DATABASE founded');
	$node->safe_psql('founded', q{CREATE EXTENSION vsm; SELECT vsm.create_work_item('item'); SELECT vsm.grant_access('reader', 'reader')});
	$node->command_ok([ 'pg_dump', '--format=custom', '--file', "$dir/founded", 'founded' ], 'dumped by the founder');
}
$node->safe_psql('postgres', 'DROP DATABASE founded; DROP OWNED BY founder; DROP ROLE founder');
{
	local $ENV{PGUSER} = 'heir';
	$node->safe_psql('postgres', 'CREATE DATABASE inherited');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'inherited', "$dir/founded" ], 'restored by another role, where the founder is gone');
	is($node->safe_psql('inherited', q{SELECT string_agg(p.proname, ',') FROM pg_proc p, aclexplode(p.proacl) a WHERE p.prosecdef AND a.grantee <> p.proowner}), '',
		'and nobody but the owner may execute what has the rights of the owner');
}

# Another owner: the statements of doc/operations.md.
my ($statements) = slurp_file("$FindBin::RealBin/../../doc/operations.md") =~ /^### Another owner\n.*?^```sql\n(.*?)^```/ms;
$statements =~ s/\bold_owner\b/heir/g;
$statements =~ s/\bnew_owner\b/next_owner/g;
$node->safe_psql('postgres', 'CREATE ROLE next_owner LOGIN');
$node->safe_psql('inherited', $statements);
is($node->safe_psql('inherited', q{SELECT title FROM vsm.create_work_item('as the new owner')}, extra_params => [ '-U', 'next_owner' ]),
	'as the new owner', 'the new owner writes');
$node->safe_psql('inherited', q{SELECT vsm.grant_access('granted', 'writer')}, extra_params => [ '-U', 'next_owner' ]);
is($node->safe_psql('inherited', q{SELECT title FROM vsm.create_work_item('as a writer')}, extra_params => [ '-U', 'granted' ]),
	'as a writer', 'and gives others access');
$node->command_ok([ 'pg_dump', '-U', 'next_owner', '--file', "$dir/next", 'inherited' ], 'and dumps');
$node->safe_psql('inherited', 'DROP OWNED BY heir');
$node->safe_psql('postgres', 'DROP OWNED BY heir; DROP ROLE heir');
ok(!$node->psql('inherited', q{SELECT vsm.create_work_item('later')}, extra_params => [ '-U', 'granted' ]), 'the old owner can go');

$node->stop;
done_testing();
