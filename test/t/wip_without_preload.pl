# wip_without_preload.pl: limits hold and WIP is right without shared_preload_libraries, and where its counters do not suffice
#
# From PostgreSQL 17 on the counters need no preloading; before, everything is counted from the tables.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Counters;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('wip_plain');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	max_prepared_transactions = 5
	deadlock_timeout = 10ms
	log_statement = none
});
$node->start;
my $bare_source = $node->pg_version >= 17 ? 'shared memory' : 'table';

not_preloaded();
prepared();
preloaded();
single_user();
too_many_stages();
not_used();

$node->stop;
done_testing();

# Eight writers; the stages fill up, and no sample is above a limit.
sub under_load
{
	my ($name, $seed, $source) = @_;
	my @load = load($node, 'postgres', "$dir/$name", $seed, 8);
	samples_in_limit($node, 'postgres', $name);
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'load'}), '8', "$name: 8 writers are at work");
	end_load($node, @load);
	my $refused = () = join('', map { slurp_file("$dir/$name-$_.errors") } 1 .. 8) =~ / is full$/mg;
	cmp_ok($refused, '>', 20, "$name: moves were refused ($refused)");
	agrees($node, 'postgres', $name, source => $source);
	return;
}

sub not_preloaded
{
	$node->safe_psql('postgres', 'CREATE EXTENSION vsm');
	define_streams($node, 'postgres');
	is($node->safe_psql('postgres', 'SELECT DISTINCT source FROM vsm.wip'), $bare_source, "without preloading WIP comes from: $bare_source");
	under_load('not preloaded', 1, $bare_source);
	# its own moves are included, whatever the source
	is($node->safe_psql('postgres', q{
		BEGIN;
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE stream = 'flow';
		SELECT wip FROM vsm.wip WHERE stream = 'flow' AND stage = 'Hold';
		SELECT (vsm.transition(1, 'Check')).wip_breach, (vsm.transition(2, 'Check')).wip_breach;
		SELECT wip FROM vsm.wip WHERE stream = 'flow' AND stage = 'Check';
		ROLLBACK}), "30\n|\n2", 'a transaction sees its own moves');
	my ($status, $out, $errors) = $node->psql('postgres', q{
		BEGIN;
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE stream = 'flow';
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Check') WHERE id IN (1, 2, 3)});
	like($errors, qr/ERROR:  stage "Check" is full/, 'a statement that moves one too many is refused');
	($status, $out, $errors) = $node->psql('postgres', q{
		SET vsm.wip_limit_action = warn;
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE stream = 'flow';
		SELECT wip_breach FROM generate_series(1, 4) i, vsm.transition(i, 'Check');
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE stream = 'flow'});
	is(scalar(() = $errors =~ /WARNING:  stage "Check" is full/g), 2, 'or let in, each with a warning');
	is($out, "\n\n3\n4", 'and marked in the ledger');
	($status, $out, $errors) = $node->psql('postgres', q{
		SET vsm.wip_limit_action = warn;
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Check') WHERE id IN (1, 2, 3);
		SELECT wip_breach FROM vsm.stage_transitions WHERE id > (SELECT max(id) - 3 FROM vsm.stage_transitions) ORDER BY id;
		UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE stream = 'flow'});
	# counted from the table, the rows of a statement come all at once
	is($out, $bare_source eq 'table' ? "3\n3\n3" : "\n\n3", 'of three that one statement moves, those that exceed the limit are marked');
	agrees($node, 'postgres', 'afterwards', source => $bare_source);
	return;
}

sub prepared
{
	$node->safe_psql('postgres', q{BEGIN; SELECT vsm.transition(1, 'Ready'); PREPARE TRANSACTION 'p'});
	my $before = wip($node, 'postgres', 'flow');
	is($before, 'Hold 30', 'what is prepared does not count');
	$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
	is(wip($node, 'postgres', 'flow'), 'Ready 1, Hold 29', 'what is committed does');

	# a place in a limited stage: kept by the locked row of the stage where WIP is counted from the table
	my ($status, $out, $errors) = $node->psql('postgres', q{BEGIN; SELECT vsm.transition(1, 'Check'); PREPARE TRANSACTION 'p'});
	if ($bare_source eq 'table')
	{
		is($errors, '', 'a place in a limited stage can be prepared');
		($status, $out, $errors) = $node->psql('postgres', q{SET lock_timeout = '50ms'; SELECT vsm.transition(2, 'Check')});
		like($errors, qr/canceling statement due to lock timeout/, 'and whoever wants one too waits');
		$node->stop('immediate');
		$node->start;
		($status, $out, $errors) = $node->psql('postgres', q{SET lock_timeout = '50ms'; SELECT vsm.transition(2, 'Check')});
		like($errors, qr/canceling statement due to lock timeout/, 'also after a restart');
		$node->safe_psql('postgres', q{COMMIT PREPARED 'p'; SELECT vsm.transition(2, 'Check')});
		($status, $out, $errors) = $node->psql('postgres', q{SELECT vsm.transition(3, 'Check')});
		like($errors, qr/stage "Check" is full/, 'until it is committed');
	}
	else
	{
		like($errors, qr/cannot PREPARE/, 'a place in a limited stage cannot be prepared');
	}
	agrees($node, 'postgres', 'after prepared transactions', source => $bare_source);
	return;
}

sub preloaded
{
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\n");
	$node->restart;
	agrees($node, 'postgres', 'preloaded now');
	under_load('preloaded', 2, 'shared memory');
	return;
}

# One process without shared memory: a repair, or a restore of rows with their state.
sub single_user
{
	my $moves = $node->safe_psql('postgres', q{SELECT sum(value) FROM vsm.flow_totals WHERE total = 'stage_transitions'});
	$node->safe_psql('postgres', q{UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold') WHERE id <= 4});
	$node->safe_psql('postgres', q{UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Ready')
		WHERE stream = 'flow' AND stage_id <> (SELECT id FROM vsm.stages WHERE stream = 'flow' AND name = 'Hold')});
	$node->stop;
	my ($out, $errors) = ('', '');
	my $script = join "\n", (
		q{SELECT vsm.transition(1, 'Check')},
		q{SELECT vsm.transition(2, 'Check')},
		q{SELECT vsm.transition(3, 'Check')},
		q{SELECT 'single ' || string_agg(stage || ' ' || wip || ' ' || source, ',') FROM vsm.wip WHERE stream = 'flow' AND stage = 'Check'},
		q{SELECT 'totals ' || count(*) FROM vsm._totals_now()},
		q{SELECT 'check ' || count(*) FROM vsm.wip_check() WHERE counter IS NOT NULL},
		q{SET vsm.recording = off},
		q{INSERT INTO vsm.work_items SELECT 1000000, 'flow', NULL, 'restored', 'task', created_at, updated_at, stage_id, stage_entered_at,}
		. q{ started_at, completed_at, active_time, wait_time, reopened, backward_moves, discarded_at, discarded FROM vsm.work_items WHERE id = 1},
		q{RESET vsm.recording},
		q{DELETE FROM vsm.work_items WHERE id = 4}, '');
	IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], '<', \$script, '>', \$out, '2>', \$errors);
	like($out, qr/"single Check 2 table"/, 'single-user: WIP is counted from the table');
	like($errors, qr/ERROR:  stage "Check" is full/, 'single-user: limits hold');
	unlike($errors, qr/FATAL|PANIC|ERROR:  (?!stage "Check" is full)/, 'single-user: nothing else fails');
	like($out, qr/"totals [1-9]/, 'single-user: totals are counted');
	like($out, qr/"check 0"/, 'single-user: there is nothing to check');
	$node->start;
	is($node->safe_psql('postgres', q{SELECT w.title, s.name FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE w.id IN (1, 2, 3, 4, 1000000) ORDER BY w.id}),
		"item 1|Check\nitem 2|Check\nitem 3|Hold\nrestored|Check", 'what was done single-user is there');
	agrees($node, 'postgres', 'after single-user', over_limit => 1);
	$node->safe_psql('postgres', 'DELETE FROM vsm.work_items WHERE id = 1000000');
	return;
}

# Room for 16 stages; two databases have 20 with a limit each.  Those that come first have counters, and all are right.
sub too_many_stages
{
	$node->append_conf('postgresql.conf', "vsm.max_stages = 16\n");
	for my $db (qw(one two))
	{
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		$node->safe_psql($db, q{
			CREATE EXTENSION vsm;
			SELECT vsm.define_stream('wide', (SELECT jsonb_agg(jsonb_build_object('name', 'S' || n, 'category', CASE n WHEN 21 THEN 'done' ELSE 'active' END,
				'wip_limit', CASE WHEN n < 21 THEN 2 + n % 2 END) ORDER BY n) FROM generate_series(0, 21) n WHERE n > 0));
			UPDATE vsm.stages SET wip_limit = NULL WHERE name = 'S1';
			SELECT vsm.create_work_item('item ' || n, stream => 'wide') FROM generate_series(1, 80) n;
			UPDATE vsm.stages SET wip_limit = 30 WHERE name = 'S1'});
	}
	my $log = -s $node->logfile;
	$node->restart;
	for my $db (qw(one two))
	{
		my @load = map { session($node, $db, "$dir/wide-$db-$_", wide_moves(3000)) } 1 .. 4;
		is($node->safe_psql($db, "SELECT FROM pg_sleep(0.001); $over_limit;\n" x 300) =~ s/^S1\|.*\n?//gmr, '', "$db: no sample is above a limit");
		end_load($node, @load);
		like(slurp_file("$dir/wide-$db-1.errors"), qr/is full/, "$db: moves were refused");
	}
	my $sources = q{SELECT source, count(*) FROM vsm.wip GROUP BY 1 ORDER BY 1};
	is($node->safe_psql('one', $sources), "shared memory|16\ntable|4", 'one has counters for as many stages as there is room for');
	is($node->safe_psql('two', $sources), 'table|20', 'and the other has none');
	my @told = slurp_file($node->logfile, $log) =~ /LOG:  (no room for another counter of stages)/g;
	cmp_ok(scalar @told, '>=', 2, 'the log says so');
	cmp_ok(scalar @told, '<=', 6, 'once for each set and database');

	for my $db (qw(one two))
	{
		is($node->safe_psql($db, q{
			SELECT w.stage, w.wip, c.items FROM vsm.wip w JOIN vsm.stages s ON s.name = w.stage
			CROSS JOIN LATERAL (SELECT count(*) AS items FROM vsm.work_items i WHERE i.stage_id = s.id) c WHERE w.wip <> c.items;
			SELECT * FROM vsm.wip_check() c JOIN vsm.wip w USING (stream, stage)
			WHERE (c.difference, c.reserved) IS DISTINCT FROM (CASE WHEN source = 'table' THEN (NULL::bigint, NULL::bigint) ELSE (0::bigint, 0::bigint) END)
				OR c.table_count <> w.wip;
			SELECT * FROM vsm._totals_now() EXCEPT SELECT * FROM vsm._totals_counted;
			SELECT * FROM vsm._totals_counted EXCEPT SELECT * FROM vsm._totals_now();
			SELECT * FROM vsm.wip_rebuild()}), '', "$db: WIP, check and totals are right, wherever they come from");

		# fill each stage to its limit, and one more
		is($node->safe_psql($db, q{
			UPDATE vsm.stages SET wip_limit = NULL WHERE name = 'S1';
			UPDATE vsm.work_items SET stage_id = (SELECT id FROM vsm.stages WHERE name = 'S1');
			CREATE FUNCTION fill(stage text, "limit" integer) RETURNS text LANGUAGE plpgsql AS $$
			BEGIN
				FOR n IN 1 .. "limit" LOOP
					PERFORM vsm.transition((SELECT min(w.id) FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE s.name = 'S1'), stage);
				END LOOP;
				PERFORM vsm.transition((SELECT min(w.id) FROM vsm.work_items w JOIN vsm.stages s ON s.id = w.stage_id WHERE s.name = 'S1'), stage);
				RETURN 'let in';
			EXCEPTION WHEN SQLSTATE 'PT409' THEN
				RETURN sqlerrm;
			END $$;
			SELECT DISTINCT fill(name, wip_limit) = 'stage "' || name || '" is full' FROM vsm.stages WHERE wip_limit IS NOT NULL}), 't',
			"$db: each of its stages takes as many as its limit says");
	}
	$node->append_conf('postgresql.conf', "vsm.max_stages = 64\n");
	$node->restart;
	is($node->safe_psql($_, $sources), 'shared memory|20', "$_: with more room after a restart") for qw(one two);
	agrees($node, 'one', 'with room for all, one', over_limit => 1);
	return;
}

sub wide_moves
{
	my ($count) = @_;
	return ("SET lock_timeout = '1s';", map { q{SELECT vsm.transition(1 + (random() * 79)::bigint, 'S' || 2 + (random() * 19)::integer);} } 1 .. $count);
}

# A server that has the library and a database that has not the extension.
sub not_used
{
	my $bare = PostgreSQL::Test::Cluster->new('unused');
	$bare->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\nlog_statement = none\nmax_prepared_transactions = 2\n");
	$bare->start;
	$bare->safe_psql('postgres', q{
		CREATE TABLE t (n integer);
		INSERT INTO t VALUES (1);
		BEGIN; SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'p';
		COMMIT PREPARED 'p';
		TRUNCATE t;
		CREATE DATABASE another;
		DROP DATABASE another});
	is($bare->safe_psql('postgres', q{SHOW vsm.max_stages}), '1024', 'the settings are there');
	$bare->stop;
	my @unusual = grep { !/LOG:  (starting PostgreSQL|listening on|database system (was|is)|received fast shutdown|aborting any active|background worker "logical replication launcher"|shutting down|checkpoint)/ }
		split /\n/, slurp_file($bare->logfile);
	is(join("\n", @unusual), '', 'a server that does not use the extension has nothing to log');
	return;
}
