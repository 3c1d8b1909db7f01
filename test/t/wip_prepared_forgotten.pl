# wip_prepared_forgotten.pl: what prepared transactions changed of which the server has forgotten whether they were committed
#
# VACUUM truncates pg_xact.  A database that nobody reads for that long leaves entries of transactions that pg_xact does
# not know any more: the counters are counted anew, and nothing fails.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $segment = 32 * 8192 * 4;	# transactions in a file of pg_xact

my $node = PostgreSQL::Test::Cluster->new('wip_forgotten');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 5
	autovacuum = off
});

# the next transactions are the last ones of the first file
truncate($node->data_dir . '/pg_xact/0000', $segment / 4) or die $!;
PostgreSQL::Test::Utils::system_or_bail('pg_resetwal', '-x', $segment - 200, '-D', $node->data_dir);
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	SELECT vsm.define_stream('default', '[{"name":"A","category":"wait"}, {"name":"B"}, {"name":"C","wip_limit":2}, {"name":"D","category":"done"}]');
	SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 6) n;
	SELECT vsm.transition(n, 'C') FROM generate_series(1, 2) n});
is(wip($node, 'postgres'), 'A 4, C 2', 'before');
$node->safe_psql('postgres', q{SELECT count(*) FROM vsm._totals_now()});

$node->safe_psql('postgres', "BEGIN; SELECT vsm.transition($_->[0], '$_->[1]'); PREPARE TRANSACTION '$_->[2]'") for [ 1, 'B', 'kept' ], [ 3, 'B', 'dropped' ];
my $old = $node->safe_psql('postgres', q{SELECT max(transaction::text::bigint) FROM pg_prepared_xacts});
cmp_ok($old, '<', $segment, 'the transactions are in the first file of pg_xact');
$node->safe_psql('postgres', q{COMMIT PREPARED 'kept'});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'dropped'});

$node->safe_psql('postgres', 'SELECT txid_current();' x 250);
$node->safe_psql('postgres', 'ALTER DATABASE template0 ALLOW_CONNECTIONS true');
$node->safe_psql($_, 'VACUUM (FREEZE)') for qw(template0 template1 postgres);
my ($status, $out, $errors) = $node->psql('postgres', "SELECT txid_status($old) IS NULL");
is($out, 't', 'pg_xact does not know them any more');

($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(4, 'C')});
is($errors, '', 'a move into the stage with a limit finds the place that was left');
($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(5, 'C')});
like($errors, qr/stage "C" is full/, 'and no more than that');
is(wip($node, 'postgres'), 'A 3, B 1, C 2', 'what was committed counts');
agrees($node, 'postgres', 'counted anew');

$node->stop;
done_testing();
