# take_over.pl: a subscriber takes over by the steps of doc/operations.md, and goes on where the publisher ended
#
# The statements are those of the document: what is fenced as psql runs where its first line says, what is fenced as sql at the
# subscriber.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = server('publisher');
my $subscriber = server('subscriber');
my ($at_publisher, $at_subscriber, $checks) = steps();

$publisher->safe_psql('postgres', q{
	CREATE ROLE replicated;
	CREATE ROLE revoked;
	CREATE EXTENSION vsm;
	CREATE PUBLICATION vsm FOR TABLES IN SCHEMA vsm;
	SELECT vsm.define_stream('side', '[{"name": "Open", "category": "wait"}, {"name": "Work", "wip_limit": 50}, {"name": "Shut", "category": "done"}]');
	INSERT INTO vsm.work_item_types (name) VALUES ('story');
	INSERT INTO vsm.work_items (stream, title, external_id) SELECT 'side', 'item ' || n, 'X-' || n FROM generate_series(1, 40) n;
	SELECT vsm.transition(id, 'Work') FROM vsm.work_items;
});
$subscriber->safe_psql('postgres', 'CREATE EXTENSION vsm; CREATE SUBSCRIPTION vsm CONNECTION ' . literal($publisher->connstr('postgres')) . ' PUBLICATION vsm');
$subscriber->wait_for_subscription_sync($publisher, 'vsm');
# while it follows
$publisher->safe_psql('postgres', q{
	SELECT vsm.transition(id, 'Shut') FROM vsm.work_items WHERE id <= 10;
	UPDATE vsm.work_items SET type = 'story' WHERE id > 30;
	DELETE FROM vsm.work_items WHERE id = 40;
	SELECT vsm.grant_access('replicated', 'reader'), vsm.grant_access('revoked', 'reader');
	SELECT vsm.grant_access('replicated', 'writer'), vsm.revoke_access('revoked');
	SELECT vsm.define_stream('third', '[{"name": "In", "category": "wait"}, {"name": "Do"}, {"name": "Out", "category": "done"}]');
	INSERT INTO vsm.work_items (stream, title) SELECT 'third', 'late' FROM generate_series(1, 5);
});

# 2. to 3.
my ($end) = $publisher->safe_psql('postgres', $at_publisher) =~ /^([0-9A-F]+\/[0-9A-F]+)/m or BAIL_OUT('no end of the log');
$publisher->poll_query_until('postgres', "SELECT replay_lsn >= '$end' FROM pg_stat_replication WHERE application_name = 'vsm'") or BAIL_OUT('the subscriber does not follow');
my ($status, undef, $error) = $subscriber->psql('postgres', "INSERT INTO vsm.work_items (stream, title) VALUES ('side', 'too early')");
like($error, qr/duplicate key value violates unique constraint "work_items_pkey"/, 'before the steps the next id is one that is there');
# each statement by itself: DROP SUBSCRIPTION runs in no transaction
my $behind = '';
$behind .= $subscriber->safe_psql('postgres', $_) . "\n" for grep { /\S/ } split /;/, $at_subscriber =~ s/^--.*\n//r;
like($behind, qr/^vsm\.$_\_id_seq\|/m, "$_ was behind") for qw(stages stage_transitions value_streams work_item_types work_items superseded_transitions _retypes);

# 4.
my $found = $subscriber->safe_psql('postgres', $checks);
is($found =~ s/^\{.*\}\n?//mr, '', 'nothing is missing') or diag($found);
like($found, qr/"database_connected":true/, 'and the service is up');
is($subscriber->safe_psql('postgres', tables()), $publisher->safe_psql('postgres', tables()), 'the tables are those of the publisher');

# 5. goes on
is($subscriber->safe_psql('postgres', q{
	INSERT INTO vsm.work_items (stream, title) VALUES ('side', 'new');
	SELECT id FROM vsm.work_items WHERE title = 'new'}), $publisher->safe_psql('postgres', 'SELECT max(id) + 1 FROM vsm.work_items'), 'the next item has the next id');
$subscriber->safe_psql('postgres', q{
	SELECT vsm.transition(id, 'Work') FROM vsm.work_items WHERE title = 'new';
	SELECT vsm.transition(id, 'Do') FROM vsm.work_items WHERE title = 'late';
	DELETE FROM vsm.work_items WHERE id = 5;
	UPDATE vsm.work_items SET type = 'bug' WHERE id = 6;
	INSERT INTO vsm.work_item_types (name) VALUES ('next');
	SELECT vsm.define_stream('fourth', '[{"name": "A", "category": "wait"}, {"name": "B"}, {"name": "C", "category": "done"}]');
});
is($subscriber->safe_psql('postgres', $checks) =~ s/^\{.*\}\n?//mr, '', 'and all that writes goes on');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM vsm.sequences_catch_up()'), 0, 'with the sequences where they belong');
done_testing();

sub server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\nfsync = off");
	$node->start;
	return $node;
}

sub steps
{
	my ($section) = slurp_file('doc/operations.md') =~ /^### When a subscriber takes over\n(.*?)^##/ms or BAIL_OUT('the document has no such section');
	my %block;
	while ($section =~ /^ *```(sql|psql)\n(.*?)^ *```$/msg)
	{
		my ($kind, $fenced) = ($1, $2);
		my $text = $fenced =~ s/^   //mgr;
		my ($where) = $text =~ /^-- at the (\w+)/;
		$block{$where // $kind} = $text;
	}
	return @block{qw(publisher subscriber sql)};
}

sub tables
{
	return join ';', map { "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ t" }
		qw(vsm.value_streams vsm.stages vsm.work_item_types vsm.work_items vsm.stage_transitions vsm.superseded_transitions vsm._retypes vsm.stream_access);
}

sub literal
{
	my ($text) = @_;
	return "'" . $text =~ s/'/''/gr . "'";
}
