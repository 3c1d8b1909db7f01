# cells_servers.pl: answers are the same with cells and without, in a server that crashes while it folds, on a standby and
# once that is promoted, after a restore, under logical replication, with a clock that was ahead, and when the owner
# changes the tables past the triggers
#
# VSM_CELLS_SEED: of which random numbers.  A soak run crashes more often and compares more streams.

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use lib $FindBin::RealBin;
use Cells;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $seed = $ENV{VSM_CELLS_SEED} // time % 1_000_000;
my $soak = $ENV{VSM_SOAK};
srand $seed;
note "seed $seed";

my $node = PostgreSQL::Test::Cluster->new('cells_servers');
$node->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', q{
	shared_preload_libraries = 'vsm'
	max_prepared_transactions = 5
	restart_after_crash = on
	timezone = UTC
	log_statement = none
});
$node->start;
live_in('postgres');

crashes();
standby();
restored();
replicated();
clock_set_back();
past_the_triggers();

$node->stop;
done_testing();

sub sql
{
	my ($db, $query, $on) = @_;
	return ($on // $node)->safe_psql($db, $query);
}

sub live_in
{
	my ($db) = @_;
	sql($db, 'CREATE EXTENSION vsm');
	sql($db, oracle());
	sql($db, temporary() . "SELECT oracle.begin($_, " . rand() . ')') for 1 .. 3;
	settle($db);
	return;
}

sub settle
{
	my ($db, $on) = @_;
	for (1 .. 200)
	{
		sql($db, 'SELECT count(*) FROM vsm.fold()', $on) for 1 .. 2;
		return if sql($db, 'SELECT coalesce(sum(days_waiting), 0) FROM vsm.fold()', $on) eq '0';
	}
	return;
}

# Figures of a stream that is drawn; in a soak run, of each of the three.
sub compare
{
	my ($db, $what, $on) = @_;
	sql($db, join('', map { sprintf q{SELECT oracle.compare(%d, '%s', %s);}, $_, $what, rand() } $soak ? 1 .. 3 : 1 + int rand 3), $on);
	return;
}

# Before it is folded, and after.
sub same
{
	my ($db, $what, $on) = @_;
	for my $when ('', ', folded')
	{
		settle($db, $on) if $when;
		compare($db, $what, $on);
		is(sql($db, q{SELECT c.after, d.figure, c.question FROM oracle.differences d JOIN oracle.compared c USING (n) LIMIT 3}, $on), '', "$what$when: figures are the same without cells");
		is(sql($db, 'SELECT d.stream, d.since, d.figure FROM vsm.cells_check() d LIMIT 3', $on), '', "$what$when: cells are what the ledger gives");
		sql($db, 'TRUNCATE oracle.differences', $on);
	}
	return;
}

sub happen
{
	my ($db, @steps) = @_;
	sql($db, temporary() . join '', map { sprintf q{SELECT oracle.happen(%d, '%s', %s);}, 1 + int rand 3, $_, rand() } @steps);
	return;
}

# At any instant of a fold.
sub crashes
{
	my $folds = join '', map { sprintf "SELECT count(*) FROM vsm.fold(oracle.stream(%d), rebuild => true);\nSELECT count(*) FROM vsm.fold();\n", 1 + $_ % 3 } 1 .. 200;
	my $moves = temporary() . join '', map { sprintf "SELECT oracle.happen(%d, '%s', %s);\n", 1 + $_ % 3, ('moved late', 'events imported', 'deleted', 'retyped')[ rand 4 ], rand() } 1 .. 400;
	for my $round (1 .. ($soak ? 6 : 2))
	{
		my @sessions = map { session("$dir/crash-$round-$_->[0]", $_->[1]) } [ folds => $folds ], [ moves => $moves ];
		$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name = 'load'}) or die 'nobody works';
		usleep(100_000 + rand 400_000);
		if ($round % 2)
		{
			my ($pid) = split /\n/, sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'load' AND query ~ 'fold'});
			kill 'KILL', $pid;
		}
		else
		{
			$node->stop('immediate');
			$node->start;
		}
		$_->finish for @sessions;
		like(slurp_file("$dir/crash-$round-folds.errors"), qr/connection to server was lost|server closed the connection|terminating connection/, "crash $round: folding was cut off");
		$node->poll_query_until('postgres', 'SELECT 1', '1') or die 'the server does not come back';
		same('postgres', "crash $round");
	}
	return;
}

sub session
{
	my ($name, $script) = @_;
	append_to_file("$name.sql", $script);
	return IPC::Run::start([ 'psql', '-XqAt', '-f', "$name.sql", '-d', $node->connstr('postgres') . ' application_name=load' ],
		'<', \undef, '>', "$name.out", '2>', "$name.errors");
}

# All figures of three questions, by cells where there are any; of times that are past.
sub answers
{
	my ($db, $on, $before) = @_;
	return sql($db, ($before // '') . q{
		SELECT v.id, w.since, a.figure, md5((CASE jsonb_typeof(a.answer) WHEN 'object' THEN a.answer - '{wip_now,started_wip_now}'::text[] ELSE a.answer END)::text)
		FROM vsm.value_streams v CROSS JOIN (VALUES (date '2000-01-01', current_date - 2), (current_date - 200, current_date - 30), (current_date - 77, current_date - 7)) w (since, until)
		CROSS JOIN LATERAL oracle.answers((v.name, w.since::timestamptz, w.until::timestamptz, NULL, w.until::timestamptz, '7 days', 'week', true, false)::oracle.question) a
		WHERE a.figure NOT LIKE 'forecast%'
		ORDER BY 1, 2, 3}, $on);
}

sub standby
{
	$node->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new('cells_standby');
	$standby->init_from_backup($node, 'copy', has_streaming => 1);
	$standby->start;
	happen('postgres', 'moved late', 'events imported', 'category', 'deleted');
	for my $when ('marked', 'folded')
	{
		settle('postgres') if $when eq 'folded';
		$node->wait_for_catchup($standby);
		cmp_ok(sql('postgres', 'SELECT count(*) FROM vsm._spans', $standby), '>', 20, "standby, $when: it has cells");
		is(answers('postgres', $standby), answers('postgres', $node, 'BEGIN; DELETE FROM vsm._spans;'), "standby, $when: its answers are those of the primary without cells");
		is(sql('postgres', 'SELECT count(*) FROM vsm.cells_check()', $standby), '0', "standby, $when: cells_check works there");
	}
	my ($status, $out, $errors) = $standby->psql('postgres', 'SELECT vsm.fold()');
	like($errors, qr/cannot execute vsm.fold\(\) (?:in a read-only transaction|during recovery)/, 'standby: it does not fold');
	# prepared on the primary, committed on what was the standby
	sql('postgres', q{BEGIN; SELECT oracle.move_on(oracle.stream(1), date_trunc('day', now() - interval '3 days')); PREPARE TRANSACTION 'move'});
	$node->wait_for_catchup($standby);
	$standby->promote;
	sql('postgres', 'SELECT count(*) FROM vsm.fold()', $standby) for 1 .. 2;
	sql('postgres', q{COMMIT PREPARED 'move'}, $standby);
	sql('postgres', q{ROLLBACK PREPARED 'move'});
	same('postgres', 'promoted', $standby);
	$standby->stop;
	return;
}

# Cells are not dumped; folding goes on while rows come in.
sub restored
{
	$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-Fc', '-f', "$dir/dump" ], 'dump: it works');
	my ($dumped) = PostgreSQL::Test::Utils::run_command([ 'pg_restore', '--data-only', '-f', '-', "$dir/dump" ]);
	like($dumped, qr/^COPY vsm\.stage_transitions/m, 'dump: the ledger is in it');
	unlike($dumped, qr/^(?:COPY|INSERT INTO) vsm\._(?:folds|spans|stage_cells|item_cells|marks)/m, 'dump: cells are not in it');
	sql('postgres', 'CREATE DATABASE restored');
	my $folder = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('restored'), '-c', q{SELECT pg_sleep(0.2)}, map { ('-c', 'SELECT vsm.fold()') } 1 .. 400 ], '<', \undef, '>', '/dev/null', '2>', "$dir/folder.errors");
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/dump" ], 'restore: it works while others fold');
	$folder->finish;
	is(answers('restored'), answers('postgres'), 'restore: answers are those of the source');
	same('restored', 'restored');
	return;
}

# A second database, which folds for itself.
sub replicated
{
	sql('postgres', 'CREATE DATABASE subscriber');
	sql('subscriber', 'CREATE EXTENSION vsm');
	sql('subscriber', oracle() =~ s/^SELECT\s+vsm\.define_stream.*?;$//msr);
	sql('subscriber', 'DELETE FROM vsm.value_streams; DELETE FROM vsm.work_item_types');
	sql('postgres', "CREATE PUBLICATION flow FOR TABLES IN SCHEMA vsm; SELECT pg_create_logical_replication_slot('flow', 'pgoutput')");
	sql('subscriber', "CREATE SUBSCRIPTION flow CONNECTION '" . $node->connstr('postgres') =~ s/'//gr . "' PUBLICATION flow WITH (create_slot = false, slot_name = 'flow')");
	# while tables are copied
	sql('subscriber', 'SELECT count(*) FROM vsm.fold()') for 1 .. 5;
	caught_up();
	same('subscriber', 'subscriber, copied');
	for my $step ('moved late', 'created late', 'events imported', 'history imported', 'deleted', 'retyped', 'order', 'category', 'rule', 'commitment', 'stage added', 'stream renamed', 'type renamed', 'zone', 'row updated', 'row deleted')
	{
		happen('postgres', $step, 'moved late');
		sql('postgres', 'SELECT count(*) FROM vsm.fold()');
		caught_up();
		compare('subscriber', $step);
		settle('subscriber') if rand() < 0.7;
	}
	same('subscriber', 'subscriber');
	is(answers('subscriber'), answers('postgres', $node, 'BEGIN; DELETE FROM vsm._spans;'), 'subscriber: answers are those of the publisher');
	# the publisher's folding sends nothing that is applied
	sql('subscriber', 'UPDATE vsm._folds SET folded_at = now()');
	sql('postgres', 'TRUNCATE vsm.work_items');
	caught_up();
	same('subscriber', 'subscriber, truncated');
	sql('subscriber', 'ALTER SUBSCRIPTION flow DISABLE; ALTER SUBSCRIPTION flow SET (slot_name = NONE); DROP SUBSCRIPTION flow');
	$node->poll_query_until('postgres', q{SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'flow'}, 't');
	sql('postgres', q{SELECT pg_drop_replication_slot('flow')});
	return;
}

sub caught_up
{
	my $lsn = sql('postgres', 'SELECT pg_current_wal_lsn()');
	$node->poll_query_until('subscriber', q{SELECT count(*) FILTER (WHERE srsubstate <> 'r') = 0 FROM pg_subscription_rel}) or die 'tables are not copied';
	$node->poll_query_until('postgres', "SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name = 'flow'") or die 'the subscriber does not follow';
	return;
}

# Folded while the clock was two days ahead; then items move now, and on days that are folded.
sub clock_set_back
{
	sql('postgres', 'CREATE DATABASE clock');
	live_in('clock');
	sql('clock', q{UPDATE vsm._folds SET closed_until = date_trunc('day', now()) + interval '2 days', settled_until = date_trunc('day', now()) + interval '2 days'});
	sql('clock', 'SELECT count(*) FROM vsm.fold(rebuild => true)');
	same('clock', 'clock set back');
	happen('clock', ('moved') x 6, 'created', ('moved late') x 3);
	is(sql('clock', 'SELECT count(*) > 0 FROM vsm._marks'), 't', 'clock set back: moves of now leave marks');
	same('clock', 'clock set back, and moves');
	return;
}

# Days are read again in which items leave a stage that they had left before, whether or not the item itself is there still.
sub half_marked
{
	my ($db, $what) = @_;
	my $times = q{SELECT v.name, t.* FROM vsm.value_streams v, vsm.time_in_stage(v.name, '-infinity', 'infinity') t};
	my $mark = q{INSERT INTO vsm._marks (stream_id, since, until)};
	my $again = q{
		SELECT t.stream_id, t.timestamp, row_number() OVER (PARTITION BY t.stream_id, w.id IS NULL ORDER BY t.id) AS place
		FROM vsm.stage_transitions t LEFT JOIN vsm.work_items w ON w.id = t.work_item_id
		WHERE EXISTS (SELECT FROM vsm.stage_transitions b WHERE b.work_item_id = t.work_item_id AND b.from_stage_id = t.from_stage_id AND (b.timestamp, b.id) < (t.timestamp, t.id))};
	my $marked = sql($db, "BEGIN; $mark SELECT DISTINCT t.stream_id, h.hour, h.hour + interval '1 hour' FROM ($again) t, date_trunc('hour', t.timestamp) h (hour) WHERE t.place <= 5; $times; ROLLBACK");
	is($marked, sql($db, "BEGIN; $mark SELECT v.id, '-infinity', 'infinity' FROM vsm.value_streams v; $times; ROLLBACK"), "$what, some days marked: times in stages");
	return;
}

# By the owner, with recording off and as replication does; the tables agree afterwards.
sub past_the_triggers
{
	my $item = q{(SELECT min(w.id) FROM vsm.work_items w WHERE (SELECT count(*) FROM vsm.stage_transitions t WHERE t.work_item_id = w.id) > 2)};
	my @changes = (
		[ 'a row of the ledger and its item deleted' => "DELETE FROM vsm.stage_transitions WHERE work_item_id = $item; DELETE FROM vsm.work_items WHERE id = (SELECT min(w.id) FROM vsm.work_items w WHERE NOT EXISTS (SELECT FROM vsm.stage_transitions t WHERE t.work_item_id = w.id))" ],
		[ 'an item deleted' => "DELETE FROM vsm.work_items WHERE id = $item" ],
		[ 'many items deleted' => 'DELETE FROM vsm.work_items WHERE id % 3 = 0' ],
		[ 'moves an hour earlier' => qq{CREATE TEMP TABLE chosen AS SELECT $item AS id; UPDATE vsm.stage_transitions SET "timestamp" = "timestamp" - interval '1 hour', undoes = undoes - interval '1 hour', item_created_at = item_created_at - interval '1 hour', item_started_at = item_started_at - interval '1 hour' WHERE work_item_id = (SELECT id FROM chosen); UPDATE vsm.work_items SET created_at = created_at - interval '1 hour', started_at = started_at - interval '1 hour', stage_entered_at = stage_entered_at - interval '1 hour', completed_at = completed_at - interval '1 hour', discarded_at = discarded_at - interval '1 hour' WHERE id = (SELECT id FROM chosen)} ],
		[ 'another type' => "UPDATE vsm.work_items SET type = (SELECT min(name) FROM vsm.work_item_types t WHERE t.name <> type) WHERE id = $item" ],
		[ 'no backward moves' => 'CREATE TABLE kept AS SELECT id, backward_moves FROM vsm.work_items; UPDATE vsm.work_items SET backward_moves = 0' ],
		[ 'backward moves' => 'UPDATE vsm.work_items w SET backward_moves = k.backward_moves FROM kept k WHERE k.id = w.id' ],
		[ 'the ledger copied' => "CREATE TEMP TABLE copy AS TABLE vsm.stage_transitions; COPY copy TO '$dir/ledger'; DELETE FROM vsm.stage_transitions; COPY vsm.stage_transitions FROM '$dir/ledger'" ],
		[ 'another category' => q{UPDATE vsm.stages SET category = 'wait' WHERE category = 'active' AND id = (SELECT min(id) FROM vsm.stages WHERE category = 'active')} ],
		[ 'the ledger and the items truncated' => 'TRUNCATE vsm.stage_transitions, vsm.work_items' ]);
	for my $how ('SET vsm.recording = off', 'SET session_replication_role = replica')
	{
		my $db = $how =~ /off/ ? 'recording' : 'replica';
		sql('postgres', "CREATE DATABASE $db");
		live_in($db);
		for my $change (@changes)
		{
			my ($what, $statements) = @$change;
			my ($status, $out, $errors) = $node->psql($db, "$how; $statements", on_error_stop => 1);
			is($errors, '', "$how, $what: it works");
			unlink "$dir/ledger";
			# not true: as replication leaves an item whose moves it has brought already
			$what =~ /^no / ? settle($db) : same($db, "$how, $what");
			half_marked($db, "$how, $what") if $what =~ /deleted$/;
		}
	}
	return;
}
