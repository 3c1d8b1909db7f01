# pg_upgrade.pl: pg_upgrade carries the extension over, and moves go on in the new cluster
#
# It restores the members of the extension one by one, as no other restore does.  Both clusters are of the version under
# test, unless OLD_BINDIR names the programs of an older one that has vsm installed too.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = q{
	SELECT string_agg(w::text, ' ' ORDER BY w.id) FROM vsm.work_items w
	UNION ALL SELECT string_agg(t::text, ' ' ORDER BY t.id) FROM vsm.stage_transitions t
	UNION ALL SELECT string_agg(s::text, ' ' ORDER BY s.id) FROM vsm.stages s
	UNION ALL SELECT string_agg(v::text, ' ' ORDER BY v.id) FROM vsm.value_streams v
	UNION ALL SELECT string_agg(t::text, ' ' ORDER BY t.name) FROM vsm.work_item_types t
};
my $catalog = slurp_file('scripts/catalog.sql');

my $old = PostgreSQL::Test::Cluster->new('old', install_path => $ENV{OLD_INSTALL});
my $new = PostgreSQL::Test::Cluster->new('new');
for my $node ($old, $new)
{
	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\ntimezone = 'UTC'");
}

$old->start;
$old->safe_psql('postgres', 'CREATE ROLE vsm_owner LOGIN');
$old->safe_psql('postgres', 'CREATE DATABASE flow OWNER vsm_owner');
$old->safe_psql('flow', q{
	CREATE ROLE vsm_reader LOGIN;
	SET ROLE vsm_owner;
	CREATE EXTENSION vsm;
	SELECT vsm.define_stream('default');
	SELECT vsm.create_work_item('item ' || n, 'task') FROM generate_series(1, 20) n;
	SELECT vsm.transition(n, 'Development') FROM generate_series(1, 12) n;
	SELECT vsm.transition(n, 'Production') FROM generate_series(1, 5) n;
	UPDATE vsm.stages SET wip_limit = 8 WHERE name = 'Development';
	SELECT vsm.grant_access('vsm_reader', 'reader');
});
my $rows = $old->safe_psql('flow', $tables);
my $objects = objects($old);
$old->stop;

# It leaves its script in the working directory, which must be writable.
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old->config_data('--bindir'),
		'-B', $new->config_data('--bindir'), '-s', $new->host, '-p', $old->port, '-P', $new->port ],
	'pg_upgrade');

$new->start;
is($new->safe_psql('flow', $tables), $rows, 'every row is there');
is(objects($new), $objects, 'and every object, with its owner and rights');
is($new->safe_psql('flow', 'SELECT count(*) FROM vsm.data_quality() WHERE items > 0'), 0, 'nothing is amiss');
is($new->safe_psql('flow', 'SELECT sum(difference) FROM vsm.wip_check()'), 0, 'counters are those of the tables');

is($new->safe_psql('flow', q{SELECT to_stage_id FROM vsm.transition(20, 'Development')}), 3, 'an item moves on');
my ($status, undef, $error) = $new->psql('flow', q{SELECT vsm.transition(19, 'Development')});
like($error, qr/stage "Development" is full/, 'and the limit holds');
is($new->safe_psql('flow', 'SELECT throughput FROM vsm.metrics()', extra_params => [ '-U', 'vsm_reader' ]), 5, 'a reader reads');
$new->stop;
done_testing();

# pg_upgrade gives the extension itself, but not its tables, to the superuser, and names a view's constants by their type.
sub objects
{
	my ($node) = @_;
	my $objects = $node->safe_psql('flow', $catalog) =~ s/<owner>/vsm_owner/gr =~ s/(::integer AS int4|::text AS text)\b/substr($1, 0, index $1, ' ')/ger;

	# rights were listed by the name of the role
	return $objects =~ s/((?:[^\s=]+=[A-Z]+\*? ?)+)$/join ' ', sort split ' ', $1/gemr;
}
