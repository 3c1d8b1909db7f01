# drop_extension.pl: DROP EXTENSION, and CREATE EXTENSION again, also in sessions that used it before
#
# A session keeps query plans and the definitions of stages.  Neither may outlive what it was made from, nor the role
# it was made for.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('drop');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;

$node->safe_psql('postgres', q{
	CREATE ROLE vsm_one LOGIN;
	CREATE ROLE vsm_two LOGIN;
	CREATE ROLE vsm_none LOGIN;
});

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $first = session();
my $second = session();

# Everything that keeps a plan or a definition.
my $use = q{
	WITH w AS (SELECT * FROM vsm.create_work_item('one')) SELECT id, stage_id FROM w;
	INSERT INTO vsm.work_items (title) VALUES ('two'), ('three');
	SELECT from_stage_id, to_stage_id FROM vsm.transition((SELECT max(id) FROM vsm.work_items), 'Analysis');
	SELECT to_stage_id FROM vsm.transition((SELECT max(id) FROM vsm.work_items), 'Analysis');
	SELECT max(id) - 1 AS item FROM vsm.work_items \gset
	EXECUTE move (:item, 'Testing');
	UPDATE vsm.work_items SET stage_id = (SELECT max(id) FROM vsm.stages) WHERE title = 'one';
	DELETE FROM vsm.work_items WHERE title = 'two';
	CREATE TEMPORARY TABLE events AS SELECT 'c' AS case_id, 'Backlog' AS stage, timestamptz '2026-01-05' AS entered_at;
	SELECT (vsm.import_events('events')).transitions;
	DROP TABLE events;
	SELECT throughput, wip_now, reopen_rule FROM vsm.metrics(until => 'infinity', reopen_rule => 'span_last');
	SELECT count(*), count(from_stage_id) FROM vsm.stage_transitions;
	SELECT coalesce(sum(items), 0) FROM vsm.data_quality() WHERE finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs');
	TRUNCATE vsm.work_items;
	SELECT count(*) FROM vsm.stage_transitions;
};

create_and_use();
drops_are_refused();
rolled_back_drop();
roles_in_one_session();
dropped_and_created_again();

$_->quit for $first, $second;
$node->stop;
done_testing();

sub session
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query('SET client_min_messages = error');
	return $session;
}

# What a session answers, errors included.
sub ask
{
	my ($session, $query) = @_;
	$session->{stderr} = '';
	my $answer = $session->query($query);
	my $errors = $session->{stderr};
	$session->{stderr} = '';
	return $errors eq '' ? $answer : join ' ', grep { /\S/ } $answer, map { s/^psql:[^:]*:\d+: //r } split /\n/, $errors;
}

# The answer when ids of items begin after so many and those of stages at one.
sub used
{
	my ($items) = @_;
	return join "\n", $items + 1 . '|1', '1|2', '2', '2', '1', '1|2|span_last', '5|2', '0', '0';
}

sub create_and_use
{
	ask($first, 'CREATE EXTENSION vsm');
	my $move = 'PREPARE move (bigint, text) AS SELECT cardinality(ARRAY[from_stage_id, to_stage_id]) FROM vsm.transition($1, $2)';
	is(ask($_, $move), '', 'a prepared move') for $first, $second;
	is(ask($first, $use), used(0), 'a session uses the extension');
	is(ask($second, $use), used(4), 'so does another');
	return;
}

sub drops_are_refused
{
	$node->safe_psql('postgres', q{
		SELECT vsm.create_work_item('stays');
		CREATE VIEW figures AS SELECT * FROM vsm.metrics();
		CREATE VIEW items AS SELECT id, title FROM vsm.work_items;
	});
	like(ask($first, 'DROP EXTENSION vsm'), qr/cannot drop extension vsm because other objects depend on it/, 'a view of the user stands on it');
	like(ask($first, 'DROP SCHEMA vsm'), qr/cannot drop schema vsm because extension vsm requires it/, 'nor can its schema be dropped');
	like(ask($first, "DROP $_"), qr/because extension vsm requires it/, "nor $_")
		for 'TABLE vsm.stages CASCADE', 'TABLE vsm.stage_transitions', 'FUNCTION vsm._work_item_after() CASCADE';
	is(ask($first, 'SELECT title FROM items'), 'stays', 'all is as it was');
	is(ask($_, q{SELECT to_stage_id FROM vsm.transition((SELECT max(id) FROM vsm.work_items), 'Development')}), 3, 'and moves are recorded')
		for $first, $second;
	return;
}

# What a transaction does without the extension, or with a new one, is gone with it.
sub rolled_back_drop
{
	is(ask($first, q{
		BEGIN;
		DROP EXTENSION vsm CASCADE;
		CREATE EXTENSION vsm;
		SELECT name FROM vsm.define_stream('default', '[{"name":"Only","category":"wait"},{"name":"End","category":"done"}]');
		SELECT id, stage_id FROM vsm.create_work_item('passing');
		SELECT to_stage_id FROM vsm.transition(1, 'End');
		ROLLBACK;
	}), "default\n1|1\n2", 'dropped, created and used in a transaction');
	is(ask($first, q{SELECT to_stage_id FROM vsm.transition((SELECT id FROM vsm.work_items), 'Testing')}), 4, 'that is rolled back');
	is(ask($first, 'SELECT title FROM items'), 'stays', 'and with it the views are back');
	return;
}

# A plan made for one role does not lend its rights to the next.
sub roles_in_one_session
{
	$node->safe_psql('postgres', q{SELECT vsm.grant_access('vsm_one', 'writer'), vsm.grant_access('vsm_two', 'writer')});
	for my $session ($first, $second)
	{
		is(ask($session, qq{
			SET ROLE $_;
			SELECT actor FROM vsm.transition((SELECT id FROM vsm.work_items), 'Analysis');
			SELECT actor FROM vsm.transition((SELECT id FROM vsm.work_items), 'Development');
			RESET ROLE}), "$_\n$_", "$_ moves, and signs")
			for qw(vsm_one vsm_two), $superuser;
		like(ask($session, q{SET ROLE vsm_none; SELECT vsm.transition(1, 'Analysis')}), qr/permission denied for schema vsm/,
			'a role without rights does not');
		like(ask($session, 'EXECUTE move (1, \'Analysis\')'), qr/permission denied/, 'not by a prepared statement either');
		is(ask($session, 'RESET ROLE'), '', 'the session goes on');
	}
	# rights that are taken away are gone for sessions that used them
	is(ask($first, q{SET ROLE vsm_one; SELECT actor FROM vsm.transition((SELECT id FROM vsm.work_items), 'Testing')}), 'vsm_one', 'a writer moves');
	$node->safe_psql('postgres', 'REVOKE UPDATE ON vsm.work_items FROM vsm_one');
	like(ask($first, q{SELECT vsm.transition((SELECT id FROM vsm.work_items), 'Analysis')}), qr/permission denied for table work_items/,
		'until the right is revoked');
	is(ask($first, 'RESET ROLE'), '', 'the session goes on');
	return;
}

sub dropped_and_created_again
{
	is(ask($first, q{
		DROP EXTENSION vsm CASCADE;
		SELECT count(*) FROM pg_class WHERE relname IN ('figures', 'items');
		SELECT count(*) FROM pg_namespace WHERE nspname ~ '^vsm';
	}), "0\n0", 'DROP EXTENSION ... CASCADE takes the views with it and leaves nothing');
	like(ask($_, q{SELECT vsm.create_work_item('nowhere')}), qr/schema "vsm" does not exist/, 'without it there is an error')
		for $first, $second;
	like(ask($second, q{EXECUTE move (1, 'Testing')}), qr/schema "vsm" does not exist/, 'for a prepared statement too');

	is(ask($first, 'CREATE EXTENSION vsm'), '', 'created again in the same session');
	is(ask($first, $use), used(0), 'which uses it');
	is(ask($second, $use), used(4), 'as does a session that knew the old one');

	# another definition under the same ids
	is(ask($second, q{
		DROP EXTENSION vsm;
		CREATE EXTENSION vsm;
		SELECT name FROM vsm.define_stream('default', '[{"name":"End","category":"done"},{"name":"Begin","category":"wait"},{"name":"Go"}]');
	}), 'default', 'created again with other stages');
	for my $session ($first, $second)
	{
		like(ask($session, q{SELECT vsm.create_work_item('x', at => '2026-01-05 12:00+00'); SELECT vsm.transition((SELECT max(id) FROM vsm.work_items), 'Analysis')}),
			qr/stage "Analysis" not found/, 'an old stage is gone');
		is(ask($session, q{
			SELECT w.completed_at = '2026-01-05 12:00+00', w.started_at IS NULL FROM vsm.work_items w ORDER BY w.id DESC LIMIT 1;
			SELECT to_stage_id FROM vsm.transition((SELECT max(id) FROM vsm.work_items), 'Go', '2026-01-06 12:00+00');
			SELECT w.completed_at IS NULL, w.started_at = '2026-01-06 12:00+00', w.reopened FROM vsm.work_items w ORDER BY w.id DESC LIMIT 1;
		}), "t|t\n3\nt|t|1", 'the new ones count');
	}
	is(ask($first, q{
		SELECT coalesce(sum(items), 0) FROM vsm.data_quality() WHERE finding IN ('ledger_gap', 'no_ledger', 'undefined_stage', 'state_differs')
	}), '0', 'the ledger is whole');
	is(ask($second, 'DROP EXTENSION vsm'), '', 'where nothing of the user stands on it, DROP EXTENSION needs no CASCADE');
	return;
}
