# shape.pl: what a dump could not carry is refused or warned of; what is allowed survives a dump, and nothing else is in the way
#
# As the owner of the extension, who is no superuser, and as a superuser.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use lib $FindBin::RealBin;

my $dumped;		# what was in the database when it was dumped
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('shape');
$node->init(allows_streaming => 'logical', extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num') / 10000;

$node->safe_psql('postgres', q{
	CREATE ROLE keeper LOGIN;
	CREATE ROLE other;
	GRANT other TO keeper;
	CREATE DATABASE kept OWNER keeper;
});
# a superuser lets the owner make objects in the schemas, and beside them
$node->safe_psql('kept', 'GRANT ALL ON SCHEMA public TO keeper; CREATE SCHEMA side AUTHORIZATION keeper');
as('keeper', 'CREATE EXTENSION vsm');
$node->safe_psql('kept', 'GRANT CREATE, USAGE ON SCHEMA vsm TO keeper, other');
as('keeper', q{
	SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 20) n;
	CREATE TABLE side.plain (id bigint PRIMARY KEY, title text);
	CREATE FUNCTION side.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TYPE side.mood AS ENUM ('fine');
});

# Table, its first column, its primary key, one of its triggers.
my @tables = map { [ split /\|/ ] } split /\n/, $node->safe_psql('kept', q{
	SELECT c.oid::regclass, quote_ident(a.attname), quote_ident(n.conname),
		(SELECT min(t.tgname::text) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'vsm' JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1 JOIN pg_constraint n ON n.conrelid = c.oid AND n.contype = 'p'
	WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' ORDER BY 1});
cmp_ok(scalar @tables, '>=', 9, 'the tables that are members of the extension');

# What becomes of a command: REFUSED by the event triggers, WARNED of, SILENT, or an error of the SERVER's own, all that it is.
my $columns = qr/the columns of .* are part of extension vsm.*a table of your own with a foreign key/s;
my $access = qr/row security of .* is part of extension vsm.*vsm\.grant_access\(role, level, stream\)|policy .* is part of extension vsm/s;
my $inherits = qr/cannot inherit between tables of extension vsm/;
my $own = qr/is part of extension vsm and stays as the extension made it/;
my $warned = qr/WARNING:  a dump will not carry this change of/m;
my $silent = qr/^$/;

my @forms = (
	[ 'ALTER TABLE %t ADD COLUMN extra text', $columns ],
	[ 'ALTER TABLE ONLY %t ADD extra text, ALTER COLUMN %c SET STATISTICS 10', $columns ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET STATISTICS 10, ADD extra side.mood', $columns ],
	[ 'ALTER TABLE IF EXISTS %t ADD COLUMN IF NOT EXISTS extra bigint REFERENCES side.plain', $columns ],
	[ 'ALTER TABLE %t DROP COLUMN %c CASCADE', qr/$columns|$own|cannot drop|cannot DROP TABLE/ ],
	[ 'ALTER TABLE %t RENAME COLUMN %c TO extra', $columns ],
	[ 'ALTER TABLE %t ALTER COLUMN %c TYPE text', qr/$columns|$own|cannot alter type|default for column/ ],
	[ 'ALTER TABLE %t ALTER COLUMN %c DROP NOT NULL', qr/$columns|is in a primary key/ ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET NOT NULL', qr/$columns|^$/ ],		# nothing to do
	[ 'ALTER TABLE %t ALTER COLUMN %c SET DEFAULT NULL', $columns ],
	[ 'ALTER TABLE %t ALTER COLUMN %c DROP DEFAULT', $columns ],
	[ 'ALTER TABLE %t ALTER COLUMN %c ADD GENERATED ALWAYS AS IDENTITY', qr/$columns|must be of type|must be smallint|already has a default/ ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET STATISTICS 10', $warned ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET (n_distinct = 5)', $warned ],
	[ 'ALTER TABLE %t ALTER COLUMN %c RESET (n_distinct)', $warned ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET STORAGE PLAIN', $warned ],
	[ 'ALTER TABLE %t ALTER COLUMN %c SET COMPRESSION pglz', qr/$warned|does not support compression/ ],
	[ 'ALTER TABLE %t ADD CHECK (%c IS NOT NULL)', $warned ],
	[ 'ALTER TABLE %t ADD CONSTRAINT later CHECK (%c IS NOT NULL) NOT VALID', $warned ],
	[ 'ALTER TABLE %t ADD CONSTRAINT only_once UNIQUE (%c)', qr/$warned|is duplicated/ ],
	[ 'ALTER TABLE %t RENAME CONSTRAINT %k TO extra', $own ],
	[ 'ALTER TABLE %t DROP CONSTRAINT %k CASCADE', $own ],
	[ 'ALTER TABLE %t ENABLE ROW LEVEL SECURITY', $access ],
	[ 'ALTER TABLE %t DISABLE ROW LEVEL SECURITY', $access ],
	[ 'ALTER TABLE %t FORCE ROW LEVEL SECURITY', $access ],
	[ 'ALTER TABLE %t NO FORCE ROW LEVEL SECURITY', $access ],
	[ 'CREATE POLICY extra ON %t USING (true)', $access ],
	[ 'ALTER TABLE %t INHERIT side.plain', qr/$inherits|missing column|different type/ ],
	[ 'ALTER TABLE %t NO INHERIT side.plain', qr/$inherits|is not a parent/ ],
	[ 'ALTER TABLE side.plain INHERIT %t', qr/$inherits|missing column|different type/ ],
	[ 'CREATE TABLE side.child () INHERITS (%t)', $inherits ],
	[ 'CREATE TEMPORARY TABLE child () INHERITS (%t)', $inherits ],
	[ 'CREATE TABLE side.copy (LIKE %t INCLUDING ALL); ALTER TABLE side.copy INHERIT %t', qr/$inherits/ ],
	[ 'CREATE TABLE side.parts (LIKE %t) PARTITION BY HASH (%c); ALTER TABLE side.parts ATTACH PARTITION %t FOR VALUES WITH (MODULUS 1, REMAINDER 0)', $inherits ],
	[ 'CREATE SCHEMA other_side CREATE TABLE child () INHERITS (%t)', qr/$inherits|permission denied/ ],
	[ 'ALTER TABLE %t RENAME TO extra', $own ],
	[ 'ALTER TABLE %t SET SCHEMA side', $own ],
	[ 'ALTER TABLE %t SET UNLOGGED', $warned ],
	[ 'ALTER TABLE %t SET LOGGED', $silent ],
	[ 'ALTER TABLE %t SET (fillfactor = 70)', $warned ],
	[ 'ALTER TABLE %t RESET (fillfactor)', $warned ],
	[ 'ALTER TABLE %t SET TABLESPACE pg_default', qr/$warned|^$/ ],
	[ 'ALTER TABLE %t SET ACCESS METHOD heap', qr/$warned|^$/ ],
	[ 'ALTER TABLE %t SET WITHOUT CLUSTER', $warned ],
	[ 'ALTER TABLE %t CLUSTER ON %k', $warned ],
	[ 'ALTER TABLE %t REPLICA IDENTITY FULL', $warned ],
	[ 'ALTER TABLE %t OWNER TO other', $warned ],
	[ 'ALTER TABLE %t OF side.mood', qr/is not a composite type|must be owner/ ],
	[ 'ALTER TABLE %t DISABLE TRIGGER ALL; ALTER TABLE %t ENABLE TRIGGER ALL', qr/^$|permission denied/ ],
	[ 'ALTER TABLE %t DISABLE TRIGGER USER; ALTER TABLE %t ENABLE TRIGGER USER', $silent ],
	[ 'ALTER INDEX vsm.%k RENAME TO extra', $own ],
	[ 'ALTER INDEX vsm.%k SET (fillfactor = 70)', $warned ],
	[ 'DROP INDEX vsm.%k', qr/cannot drop index/ ],
	[ 'DROP TABLE %t CASCADE', qr/because extension vsm requires it/ ],
	[ 'ALTER EXTENSION vsm DROP TABLE %t', $own ],
	[ 'CREATE INDEX extra ON %t (%c)', $warned ],
	[ 'CREATE INDEX extra ON %t (%c); DROP INDEX vsm.extra', $warned ],
	[ 'CREATE INDEX extra ON %t (%c); ALTER INDEX vsm.extra RENAME TO another', $warned ],
	[ 'CREATE STATISTICS side.extra ON (%c IS NULL) FROM %t', $warned ],
	[ 'CREATE STATISTICS side.extra ON (%c IS NULL) FROM %t; ALTER STATISTICS side.extra SET STATISTICS 5', $warned ],
	[ 'CREATE TRIGGER extra BEFORE INSERT ON %t FOR EACH ROW EXECUTE FUNCTION side.nothing()', $warned ],
	[ 'CREATE TRIGGER extra BEFORE INSERT ON %t FOR EACH ROW EXECUTE FUNCTION side.nothing(); ALTER TRIGGER extra ON %t RENAME TO another; DROP TRIGGER another ON %t', $warned ],
	[ 'CREATE TRIGGER extra BEFORE INSERT ON %t FOR EACH ROW EXECUTE FUNCTION side.nothing(); DROP FUNCTION side.nothing() CASCADE', qr/$warned/ ],
	[ 'CREATE RULE extra AS ON INSERT TO %t DO ALSO NOTHING', $warned ],
	[ 'CREATE RULE extra AS ON INSERT TO %t DO ALSO NOTHING; ALTER RULE extra ON %t RENAME TO another; DROP RULE another ON %t', $warned ],
	# none of these is in the way
	[ 'GRANT SELECT ON %t TO other; REVOKE SELECT ON %t FROM other', $silent ],
	[ q{COMMENT ON TABLE %t IS 'mine'}, $silent ],
	[ 'CREATE VIEW side.view AS SELECT * FROM %t; CREATE OR REPLACE VIEW side.view AS SELECT *, 1 AS one FROM %t; DROP VIEW side.view', $silent ],
	[ 'CREATE MATERIALIZED VIEW side.view AS SELECT * FROM %t; REFRESH MATERIALIZED VIEW side.view; DROP MATERIALIZED VIEW side.view', $silent ],
	[ 'REINDEX TABLE %t; ANALYZE %t; LOCK TABLE %t; CLUSTER %t USING %k', $silent ]);

for my $role ('keeper', $superuser)
{
	my $who = $role eq $superuser ? 'superuser' : 'owner';
	for my $form (@forms)
	{
		my ($command, $expected) = @$form;
		my @filled = map { fill($command, $_) } @tables;
		my @errors = errors_of_each($role, @filled);

		is(join("\n", map { "$filled[$_]: $errors[$_]" } grep { $errors[$_] !~ $expected } 0 .. $#filled), '', "$who: $command");
	}
	# triggers of ours, where a table has one
	for my $table (grep { $_->[3] } @tables)
	{
		for my $command ('DROP TRIGGER %g ON %t', 'ALTER TRIGGER %g ON %t RENAME TO extra',
			'CREATE OR REPLACE TRIGGER %g BEFORE INSERT ON %t FOR EACH STATEMENT EXECUTE FUNCTION side.nothing()',
			'DO $do$ BEGIN DROP TRIGGER %g ON %t; END $do$')
		{
			like(errors_of($role, fill($command, $table)), $own, "$who: " . fill($command, $table));
		}
	}
	others($role, $who);
}

prices();
allowed_changes_survive();
lost_rows_are_told_of();
schema_is_published();
restores_in_spite_of_it();

$node->stop;
done_testing();

sub fill
{
	my ($command, $table) = @_;
	my %with = (t => $table->[0], c => $table->[1], k => $table->[2], g => $table->[3]);
	return $command =~ s/%([tckg])/$with{$1}/gr;
}

sub as
{
	my ($role, $sql, $db) = @_;
	return $node->safe_psql($db // 'kept', $sql, extra_params => [ '-U', $role ]);
}

# What a command has to say: errors with their hints, and warnings.
sub errors_of
{
	my ($role, $sql, $db) = @_;
	my ($status, $out, $errors) = $node->psql($db // 'kept', "SET client_min_messages = warning; $sql", extra_params => [ '-U', $role ]);
	return $errors;
}

# The same of many commands, in one session, each in a transaction that is rolled back.
sub errors_of_each
{
	my ($role, @commands) = @_;
	my $script = join '', map { "BEGIN; $_; ROLLBACK;\n\\warn =====\n" } @commands;
	my ($status, $out, $errors) = $node->psql('kept', "SET client_min_messages = warning;\n$script", extra_params => [ '-U', $role ], on_error_stop => 0);
	my @errors = split /^=====\n?/m, $errors =~ s/^.*ERROR:  current transaction is aborted.*\n//mgr, -1;

	@errors == @commands + 1 or die "the session broke off: $errors";
	return @errors[ 0 .. $#commands ];
}

# Members that are no tables, and commands about other things.
sub others
{
	my ($role, $who) = @_;
	my %expected = (
		'ALTER POLICY own ON vsm.import_refusals USING (true)' => $access,
		'ALTER POLICY own ON vsm.import_refusals RENAME TO extra' => $access,
		'DROP POLICY own ON vsm.import_refusals' => $access,
		'ALTER TABLE vsm.work_items ALTER COLUMN title DROP NOT NULL' => qr{$columns|$own},
		'ALTER TABLE vsm.work_items DROP COLUMN external_id' => qr/$own|$columns|cannot drop column/,
		'ALTER TABLE vsm.work_items ALTER COLUMN external_id SET NOT NULL' => qr/$columns|contains null values/,
		'DROP INDEX vsm.stage_transitions_completions' => $own,
		'DROP INDEX vsm.work_items_open' => $own,
		'DROP INDEX vsm.work_items_discarded' => $own,
		'DROP INDEX vsm.work_items_type' => $own,
		'DROP INDEX CONCURRENTLY vsm.work_items_open' => $own,
		'ALTER TABLE vsm.stages ALTER CONSTRAINT stages_stream_order_key NOT DEFERRABLE' => qr/is not a foreign key/,
		'ALTER VIEW vsm.wip RENAME TO extra' => qr/$own|must be owner/,
		'REFRESH MATERIALIZED VIEW vsm._shape' => $role eq $superuser ? $silent : qr/must be owner|permission denied/,
		'ALTER MATERIALIZED VIEW vsm._shape RENAME TO extra' => qr/must be owner|$own/,
		'DROP MATERIALIZED VIEW vsm._shape' => qr/must be owner|requires it/,
		'ALTER TABLE vsm.wip SET SCHEMA side' => qr/$own|must be owner/,
		'ALTER VIEW vsm.wip SET (security_barrier = true)' => $role eq $superuser ? $warned : qr/must be owner/,
		'CREATE OR REPLACE VIEW vsm_api.wip WITH (security_invoker = true) AS SELECT w.stream, w.stage, w."order", w.category, w.wip, w.wip_limit, w.source FROM vsm.wip w' => $warned,
		'ALTER SEQUENCE vsm.work_items_id_seq INCREMENT 10' => $warned,
		'ALTER SEQUENCE vsm.work_items_id_seq RESTART' => $silent,
		'ALTER SEQUENCE vsm.work_items_id_seq RENAME TO extra' => $own,
		'ALTER SEQUENCE vsm.work_items_id_seq RESTART WITH 1000 CYCLE' => $warned,
		# statistics of the user's, and a rule that would change what others read
		'CREATE STATISTICS side.extra ON stream, type FROM vsm.work_items; ALTER STATISTICS side.extra RENAME TO another' => $warned,
		q{CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO vsm_api.streams DO INSTEAD SELECT * FROM vsm_api.streams} => $role eq $superuser ? qr/./ : qr/must be owner/,
		'ALTER TYPE vsm.import_result ADD ATTRIBUTE extra text' => $warned,
		'ALTER TYPE vsm.import_result RENAME TO extra' => $own,
		'ALTER FUNCTION vsm.history(bigint) RENAME TO extra' => $own,
		'ALTER FUNCTION vsm.history(bigint) SET SCHEMA side' => $own,
		'ALTER FUNCTION vsm.history(bigint) COST 7' => $warned,
		q{CREATE OR REPLACE FUNCTION vsm._hours(value interval) RETURNS numeric LANGUAGE sql AS 'SELECT 1'} => qr/$warned|cannot change/,
		'ALTER SCHEMA vsm_api RENAME TO extra' => $own,
		'ALTER SCHEMA vsm RENAME TO extra' => qr/$own|must be owner/,
		'ALTER EXTENSION vsm ADD TABLE side.plain' => $own,
		'ALTER EXTENSION vsm DROP FUNCTION vsm.history(bigint)' => $own,
		'ALTER EXTENSION vsm UPDATE' => $silent,
		# a table of the user's with a key to ours, by each way to make and drop it
		'CREATE TABLE side.tags (item bigint REFERENCES vsm.work_items ON DELETE CASCADE, tag text); DROP TABLE side.tags' => $silent,
		'CREATE TABLE side.tags (item bigint, tag text); ALTER TABLE side.tags ADD FOREIGN KEY (item) REFERENCES vsm.work_items;
			ALTER TABLE side.tags DROP CONSTRAINT tags_item_fkey; ALTER TABLE side.tags ADD x int; ALTER TABLE side.tags RENAME x TO y;
			ALTER TABLE side.tags ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON side.tags; DROP TABLE side.tags' => $silent,
		'CREATE TEMPORARY TABLE work_items (id int); ALTER TABLE work_items ADD x int; ALTER TABLE work_items DROP id; DROP TABLE work_items' => $silent,
		# the same names elsewhere
		'CREATE TABLE side.stages (id int PRIMARY KEY); CREATE INDEX work_items_open ON side.stages (id); ALTER TABLE side.stages RENAME TO more;
			ALTER TABLE side.more DROP CONSTRAINT stages_pkey; DROP INDEX side.work_items_open; DROP TABLE side.more' => $silent,
		'CREATE TABLE side.parent (id int) PARTITION BY LIST (id); CREATE TABLE side.child PARTITION OF side.parent FOR VALUES IN (1);
			ALTER TABLE side.parent DETACH PARTITION side.child; DROP TABLE side.child, side.parent' => $silent,
		'CREATE PUBLICATION p FOR TABLE vsm.work_items; ALTER PUBLICATION p ADD TABLE vsm.stage_transitions; DROP PUBLICATION p' => qr/^$|permission denied/,
		'VACUUM FULL vsm.work_items' => $silent,
		'REINDEX TABLE CONCURRENTLY vsm.stages' => $silent);
	# functions, types and schemas are the superuser's
	if ($role ne $superuser)
	{
		$expected{$_} = qr/$expected{$_}|must be owner|permission denied for schema/
			for grep { /\b(?:FUNCTION|TYPE|SCHEMA) vsm|VIEW vsm_api/ } keys %expected;
	}
	for my $command (sort keys %expected)
	{
		my $whole = $command =~ /CONCURRENTLY|VACUUM/;
		like(errors_of($role, $whole ? $command : "BEGIN; $command; ROLLBACK"), $expected{$command}, "$who: $command");
	}
	my $count = () = errors_of($role, 'BEGIN; ALTER TABLE vsm.work_items ADD CHECK (id > 0), ADD CHECK (id > -1), SET (fillfactor = 90); ROLLBACK') =~ /WARNING/g;
	is($count, 1, "$who: one command, one warning");
	return;
}

# Commands about other tables are no slower by much.
sub prices
{
	my $ddl = join '', map { "CREATE TABLE side.t$_ (id int PRIMARY KEY, x text REFERENCES side.names); CREATE INDEX ON side.t$_ (x); DROP TABLE side.t$_;\n" } 1 .. 200;
	my %took;
	as('keeper', 'CREATE TABLE side.names (name text PRIMARY KEY)');
	for my $round (1 .. 3)
	{
		for my $state ('DISABLE', 'ENABLE')
		{
			$node->safe_psql('kept', "ALTER EVENT TRIGGER vsm_shape $state; ALTER EVENT TRIGGER vsm_shape_dropped $state");
			my $begin = time();
			as('keeper', $ddl);
			my $seconds = time() - $begin;
			$took{$state} = $seconds if !defined $took{$state} || $seconds < $took{$state};
		}
	}
	note sprintf('600 commands: %.0f ms without the event triggers, %.0f ms with them', 1000 * $took{DISABLE}, 1000 * $took{ENABLE});
	# generous: the machine may be busy
	cmp_ok($took{ENABLE}, '<', 1.5 * $took{DISABLE} + 0.2, 'commands about other tables are not slowed');
	return;
}

# All that is allowed, dumped and restored: every row is there, and what was warned of is not.
sub allowed_changes_survive
{
	as('keeper', q{
		CREATE TABLE side.tags (item bigint PRIMARY KEY REFERENCES vsm.work_items ON DELETE CASCADE, team text);
		INSERT INTO side.tags SELECT id, 'red' FROM vsm.work_items;
		CREATE VIEW side.red AS SELECT w.* FROM vsm.work_items w JOIN side.tags t ON t.item = w.id WHERE t.team = 'red';
		CREATE INDEX by_title ON vsm.work_items (title);
		CREATE UNIQUE INDEX by_both ON vsm.work_items (title, id);
		CREATE STATISTICS side.together ON stream, type FROM vsm.work_items;
		CREATE TRIGGER after_all AFTER INSERT ON vsm.work_items FOR EACH ROW EXECUTE FUNCTION side.nothing();
		CREATE RULE also AS ON INSERT TO vsm.stages DO ALSO NOTHING;
		ALTER TABLE vsm.work_items ADD CONSTRAINT titled CHECK (title <> ''), ADD UNIQUE (title), SET (fillfactor = 80), REPLICA IDENTITY FULL,
			ALTER COLUMN title SET STATISTICS 500, ALTER COLUMN title SET STORAGE EXTERNAL;
		ALTER TABLE vsm.work_items ADD FOREIGN KEY (type) REFERENCES vsm.work_item_types;
		ALTER SEQUENCE vsm.work_items_id_seq INCREMENT 3 RESTART WITH 1000;
		GRANT SELECT ON vsm.work_items TO other;
		COMMENT ON TABLE vsm.work_items IS 'mine';
	});
	$dumped = contents('kept');
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/kept", 'kept' ], 'pg_dump');
	for my $role ('keeper', $superuser)
	{
		my $copy = "copy_$role";
		$node->safe_psql('postgres', "CREATE DATABASE $copy OWNER keeper");
		local $ENV{PGUSER} = $role;
		my ($out, $errors) = run_command([ 'pg_restore', '-d', $node->connstr($copy), "$dir/kept" ]);
		# what a superuser granted to the owner, the owner cannot give to himself
		is(join("\n", grep { /error:/ && !/must be owner of (?:extension|database)|grant options cannot be granted back/ } split /\n/, $errors), '', "$role: pg_restore");
		is(contents($copy), $dumped, "$role: every row is there, of our tables and of those that refer to them");
		is($node->safe_psql($copy, q{SELECT count(*) FROM pg_class WHERE relname IN ('by_title', 'by_both')}), 0, "$role: the indexes are not, as the warning said");
		is($node->safe_psql($copy, q{SELECT has_table_privilege('other', 'vsm.work_items', 'SELECT')}), 't', "$role: grants are");
		like(errors_of($role, 'ALTER TABLE vsm.work_items ADD COLUMN extra text', $copy), $columns, "$role: and the copy's shape is kept, too");
	}
	return;
}

# Every row of what belongs to somebody's data.
sub contents
{
	my ($db) = @_;
	my @tables = split /\n/, $node->safe_psql($db, q{
		SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('vsm', 'side') AND c.relkind = 'r' ORDER BY c.oid::regclass::text});
	return $node->safe_psql($db, join '', map { "SELECT '$_ ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') FROM $_ t;\n" } @tables);
}

# A dump whose work items cannot be loaded, as those of a table with a column more: the copy says so.
sub lost_rows_are_told_of
{
	$node->safe_psql('postgres', 'CREATE DATABASE lossy; CREATE DATABASE lost');
	$node->safe_psql('lossy', q{
		CREATE EXTENSION vsm;
		SELECT vsm.create_work_item('item ' || n) FROM generate_series(1, 7) n;
		ALTER EVENT TRIGGER vsm_shape DISABLE;
		ALTER TABLE vsm.work_items ADD COLUMN team text;
	});
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/lossy", 'lossy' ], 'pg_dump of a table with a column of the user\'s');
	my ($out, $errors) = run_command([ 'pg_restore', '-d', $node->connstr('lost'), "$dir/lossy" ]);
	like($errors, qr/column "team" of relation "work_items" does not exist/, 'its restore fails');
	is($node->safe_psql('lost', 'SELECT (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_transitions)'), '0|7', 'and loses the items');
	is($node->safe_psql('lost', q{SELECT items, meaning ~ 'restore again' FROM vsm.data_quality() WHERE finding = 'no_item'}), '7|t',
		'vsm.data_quality counts them and says what to do');
	like(errors_of($superuser, 'SELECT vsm_api.health()', 'lost'), qr/rows are lost.*no work items.*restore again/s, 'and vsm_api.health() is not well');
	is($node->safe_psql('lossy', q{SELECT sum(items) FROM vsm.data_quality() WHERE finding IN ('no_item', 'no_stream')}), 0, 'while the source is');
	return;
}

# All of the schema by logical replication; the subscriber has the extension, and nothing in its tables.
sub schema_is_published
{
	my $port = $node->port;
	my $host = $node->host;
	$node->safe_psql('postgres', 'CREATE DATABASE subscriber');
	is(errors_of($superuser, q{CREATE EXTENSION vsm}, 'subscriber'), '', 'a subscriber');
	is(errors_of($superuser, q{CREATE PUBLICATION everything FOR TABLES IN SCHEMA vsm}), '', 'a publication of the schema is nothing to warn of');
	$node->safe_psql('kept', q{SELECT pg_create_logical_replication_slot('everything', 'pgoutput')});
	is(errors_of($superuser, qq{CREATE SUBSCRIPTION everything CONNECTION 'host=$host port=$port dbname=kept user=$superuser' PUBLICATION everything
		WITH (create_slot = false, slot_name = 'everything')}, 'subscriber'), '', 'and its subscription');
	ok($node->poll_query_until('subscriber', q{SELECT count(*) > 5 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}), 'every table is copied');
	as('keeper', q{SELECT vsm.create_work_item('after the copy')});
	my $items = $node->safe_psql('kept', 'SELECT count(*) FROM vsm.work_items');
	ok($node->poll_query_until('subscriber', "SELECT count(*) = $items FROM vsm.work_items"), 'with every row');
	is($node->safe_psql('subscriber', q{SELECT sum(items) FROM vsm.data_quality() WHERE finding IN ('no_item', 'no_ledger', 'no_stream')}), 0, 'and nothing is missing');
	$node->safe_psql('subscriber', 'ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything');
	$node->poll_query_until('kept', q{SELECT count(*) = 0 FROM pg_replication_slots WHERE active});
	$node->safe_psql('kept', q{SELECT pg_drop_replication_slot('everything'); DROP PUBLICATION everything});
	return;
}

# A restore with disabled triggers; one where the extension is already; a superuser who knows better; the extension's end.
sub restores_in_spite_of_it
{
	$node->safe_psql('postgres', 'CREATE DATABASE again');
	$node->safe_psql('again', 'CREATE EXTENSION vsm; CREATE SCHEMA side; CREATE TABLE side.tags (item bigint, team text); CREATE TABLE side.plain (id bigint, title text); CREATE TABLE side.names (name text)');
	my ($out, $errors) = run_command([ 'pg_restore', '-d', $node->connstr('again'), '--data-only', '--disable-triggers', '--exit-on-error', "$dir/kept" ]);
	is($errors, '', 'a restore of the rows alone with triggers disabled has nothing to say');
	is(contents('again'), $dumped, 'and brings all rows');

	is(errors_of($superuser, q{
		ALTER EVENT TRIGGER vsm_shape DISABLE;
		ALTER TABLE vsm.work_items ADD COLUMN extra text;
		ALTER EVENT TRIGGER vsm_shape ENABLE;
	}, 'again'), '', 'a superuser who disables the event trigger may do it');
	like(errors_of($superuser, 'ALTER TABLE vsm.work_items DROP COLUMN extra', 'again'), $columns, 'and once it is enabled again, not undo it');
	like(errors_of('keeper', 'ALTER EVENT TRIGGER vsm_shape DISABLE'), qr/must be owner of event trigger/, 'the owner of the extension may not disable it');
	like(errors_of('keeper', 'CREATE OR REPLACE FUNCTION vsm._shape_kept() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$'),
		qr/must be owner of function/, 'nor replace its function');
	like(errors_of('keeper', 'ALTER EXTENSION vsm DROP EVENT TRIGGER vsm_shape'), qr/must be owner of event trigger/, 'nor take it out of the extension');
	like(errors_of($superuser, 'SELECT vsm._shape_kept()'), qr/was not called by an event trigger/, 'the function is no use to a query');
	like(errors_of($superuser, 'SELECT vsm._shape_dropped()'), qr/was not called by an event trigger/, 'nor the other');
	is(errors_of('keeper', 'DROP VIEW side.red; DROP TABLE side.tags; DROP EXTENSION vsm'), '', 'the owner may drop the extension');
	is($node->safe_psql('kept', 'SELECT count(*) FROM pg_event_trigger'), 0, 'and the event triggers go with it');
	is(errors_of('keeper', 'ALTER TABLE side.plain ADD extra text; DROP TABLE side.plain; CREATE EXTENSION vsm'), '', 'then everything is as before');
	return;
}
