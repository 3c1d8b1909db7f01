# direct_moves.pl: a move that is stored without a statement reaches a standby, a subscriber and a logical decoder, and
# survives a crash
#
# Every move of this test is direct: the server has counted no call of the trigger that an UPDATE would fire.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = q{
	SELECT id, stage_id, stage_entered_at, started_at, completed_at, active_time, reopened, backward_moves FROM vsm.work_items ORDER BY id;
	SELECT work_item_id, id, from_stage_id, to_stage_id, "timestamp", time_in_stage, reason, lead_time FROM vsm.stage_transitions ORDER BY id};
my $streams = q{SELECT vsm.define_stream('default', '[{"name":"Inbox","category":"wait"},{"name":"Build"},{"name":"Narrow","wip_limit":50},{"name":"Done","category":"done"}]')};

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$primary->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	track_functions = all
	autovacuum = off
	log_statement = none
});
$primary->start;
$primary->safe_psql('postgres', "CREATE EXTENSION vsm; CREATE EXTENSION amcheck; $streams; INSERT INTO vsm.work_items (title) SELECT 'item ' || n FROM generate_series(1, 40) n");
my $calls = calls();

$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$subscriber->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'");
$subscriber->start;
$subscriber->safe_psql('postgres', "CREATE EXTENSION vsm; $streams");
$primary->safe_psql('postgres', 'CREATE PUBLICATION items FOR TABLE vsm.work_items, vsm.stage_transitions');
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION items CONNECTION '%s' PUBLICATION items}, $primary->connstr . ' dbname=postgres'));
$subscriber->wait_for_subscription_sync($primary, 'items');
$primary->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')});

# ---- Moves ----

my $moves = q{
	BEGIN;
	SELECT count(vsm.transition(id, 'Build', reason => 'first')) FROM vsm.work_items;
	SAVEPOINT s;
	SELECT count(vsm.transition(id, 'Done')) FROM vsm.work_items;
	ROLLBACK TO s;
	SELECT count(vsm.transition(id, 'Narrow')) FROM vsm.work_items WHERE id % 2 = 0;
	COMMIT;
	BEGIN;
	SELECT count(vsm.transition(id, 'Inbox')) FROM vsm.work_items;
	ROLLBACK;
	SELECT count(vsm.transition(id, 'Done')) FROM vsm.work_items WHERE id % 3 = 0;
	SELECT count(vsm.transition(id, 'Build')) FROM vsm.work_items WHERE id % 6 = 0};
$primary->safe_psql('postgres', $moves);
is(calls(), $calls, 'no move was an UPDATE');
my $expected = $primary->safe_psql('postgres', $tables);
is($primary->safe_psql('postgres', 'SELECT count(*) FROM vsm.stage_transitions WHERE from_stage_id IS NOT NULL'), 40 + 20 + 13 + 6, 'all moves are in the ledger');

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', $tables), $expected, 'a standby has them');
$primary->wait_for_catchup('items');
is($subscriber->safe_psql('postgres', $tables), $expected, 'a subscriber has them');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM vsm.wip_check() WHERE difference <> 0'), 0, 'and has counted them');

my $decoded = $primary->safe_psql('postgres', q{
	SELECT split_part(data, ':', 1), split_part(data, ':', 2), count(*) FROM pg_logical_slot_get_changes('decoded', NULL, NULL)
	WHERE data LIKE 'table vsm.%' AND data !~ '_totals|_counted' GROUP BY 1, 2 ORDER BY 1});
is($decoded, "table vsm.stage_transitions| INSERT|79\ntable vsm.work_items| UPDATE|79", 'a logical decoder sees an update and an insert for each');

# ---- A filter of a publication lets only what it holds through, and a move that it cannot judge is refused ----

$primary->safe_psql('postgres', q{ALTER PUBLICATION items SET TABLE vsm.work_items WHERE (id <= 10), vsm.stage_transitions});
$primary->safe_psql('postgres', q{SELECT vsm.transition(10, 'Inbox'), vsm.transition(11, 'Inbox')});
is(calls(), $calls, 'neither was an UPDATE');
$primary->wait_for_catchup('items');
is($subscriber->safe_psql('postgres', q{SELECT string_agg((s.name = 'Inbox')::text, ' ' ORDER BY w.id) FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE w.id IN (10, 11)}),
	'true false', 'the filter is applied');
$primary->safe_psql('postgres', q{ALTER PUBLICATION items SET TABLE vsm.work_items WHERE (stage_id < 3), vsm.stage_transitions});
my ($status, $out, $error) = $primary->psql('postgres', q{SELECT vsm.transition(12, 'Build')});
like($error, qr/cannot update table "work_items"/, 'a filter by a column that is not of the identity');
$primary->safe_psql('postgres', 'DROP PUBLICATION items');

# ---- A crash ----

$primary->safe_psql('postgres', q{SELECT count(vsm.transition(id, 'Inbox')) FROM vsm.work_items});
$expected = $primary->safe_psql('postgres', $tables);
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', $tables), $expected, 'after a crash all moves are there');
is($primary->safe_psql('postgres', q{
	SELECT count(bt_index_check(indexrelid, true)) FROM pg_index WHERE indrelid IN ('vsm.work_items'::regclass, 'vsm.stage_transitions'::regclass)}), 8, 'and in the indexes');
is($primary->safe_psql('postgres', q{SELECT * FROM verify_heapam('vsm.work_items') UNION ALL SELECT * FROM verify_heapam('vsm.stage_transitions')}), '', 'and whole');

# ---- On a standby ----

($status, $out, $error) = $standby->psql('postgres', q{SELECT vsm.transition(1, 'Build')});
like($error, qr/cannot execute UPDATE in a read-only transaction/, 'a standby moves nothing');

$_->stop for $subscriber, $standby, $primary;
done_testing();

# How often the trigger of an UPDATE was called, by sessions that have ended.
sub calls
{
	return $primary->safe_psql('postgres', q{SELECT coalesce(pg_stat_get_function_calls('vsm._work_item_before'::regproc), 0)});
}
