# migrate.pl: the database of the service that vsm replaces comes into vsm with its ids, history and sequences
#
# The old tables are made here, as the versions of that service had them, and filled by chance: moves back and out of the last
# stage, requests at once (another stage written as left than the item was in, equal times), repeated requests, rows that are
# missing.  The figures are counted again here, from the old rows by the definitions, and share nothing with vsm.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $script = "$FindBin::RealBin/../../scripts/migrate.sql";
my $began = 1_767_600_000;		# 2026-01-05 08:00 UTC
my @names = qw(Backlog Analysis Development Testing Deployment Production);
my $state = 20260105;

my $node = PostgreSQL::Test::Cluster->new('migrate');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\ntimezone = 'Asia/Tokyo'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN CREATEDB');

# by id: as it was last; by name: an older one, in a schema of its own, with local times and types in capitals
my %versions = (
	ids => {
		schema => 'public', at => 'timestamptz', stage => sub { $_[0] + 10 }, type => sub { $_[0] },
		ddl => q{
			CREATE TYPE work_item_type AS ENUM ('feature', 'bug', 'task', 'epic');
			CREATE TABLE stages (id serial PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, "order" integer NOT NULL, type varchar(50) NOT NULL,
				category varchar(20) NOT NULL, wip_limit integer, description text, created_at timestamptz NOT NULL DEFAULT now());
			CREATE TABLE work_items (id serial PRIMARY KEY, title varchar(500) NOT NULL, type work_item_type NOT NULL,
				created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, current_stage_id integer REFERENCES stages);
			CREATE TABLE stage_transitions (id serial PRIMARY KEY, work_item_id integer NOT NULL REFERENCES work_items,
				from_stage_id integer REFERENCES stages, to_stage_id integer NOT NULL REFERENCES stages, timestamp timestamptz NOT NULL);
			INSERT INTO stages (id, name, "order", type, category, wip_limit, description) VALUES (10, 'Backlog', 1, 'backlog', 'wait', NULL, 'To do'),
				(11, 'Analysis', 2, 'analysis', 'active', 3, NULL), (12, 'Development', 3, 'development', 'active', 0, NULL),
				(13, 'Testing', 4, 'testing', 'active', NULL, NULL), (14, 'Deployment', 5, 'deployment', 'active', NULL, NULL),
				(15, 'Production', 6, 'production', 'done', 5, 'Live')} },
	names => {
		schema => 'Old "service"', at => 'timestamp', stage => sub { "'$names[$_[0]]'" }, type => sub { uc $_[0] },
		ddl => q{
			CREATE TABLE stages (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, "order" integer NOT NULL);
			CREATE TABLE work_items (id bigserial PRIMARY KEY, title text NOT NULL, type text NOT NULL,
				created_at timestamp NOT NULL, updated_at timestamp NOT NULL, current_stage text);
			CREATE TABLE stage_transitions (id bigserial PRIMARY KEY, work_item_id bigint NOT NULL, from_stage text, to_stage text NOT NULL,
				timestamp timestamp NOT NULL);
			INSERT INTO stages (id, name, "order") VALUES (10, 'Backlog', 0), (11, 'Analysis', 1), (12, 'Development', 2), (13, 'Testing', 3),
				(14, 'Deployment', 4), (15, 'Production', 5)} });

for my $version (sort keys %versions)
{
	my ($items, $moves) = history();
	make($version, $versions{$version}, $items, $moves);
	my $before = old_rows($version);
	my $report = migrate($version);
	my %count = rows_are_there($version, $versions{$version}, $items, $moves);
	like($report, qr/^$_ +\| $count{$_}$/m, "$version: the report says $_ $count{$_}") for sort keys %count;
	figures_are_right($version, $items, $moves);
	goes_on($version);
	is(old_rows($version), $before, "$version: the old tables are as they were");
}
refused();

$node->stop;
done_testing();

sub below
{
	my ($n) = @_;
	$state = ($state * 1103515245 + 12345) % 2**31;
	return int($state / 2**31 * $n);
}

# By ids: items { title, type, created, id, stage }; moves { id, item, from, to, at }, stages from 0, times in seconds.
sub history
{
	my (%items, @moves);
	my $move_id = 100;
	for my $n (1 .. 120)
	{
		my $at = $began + below(40 * 86_400);
		my %item = (id => 3 * $n + 1000, title => "item's $n \x{e9}", type => (qw(feature bug task epic))[ below(4) ], created => $at);
		my $stage = 0;
		my @of_item = ({ from => undef, to => 0, at => $at });
		for (1 .. below(12))
		{
			$at += below(5) ? below(3 * 86_400) : 0;
			my $to = below(4) ? $stage + 1 : below(6);		# now and then back, or to where it is
			$to = 5 if $to > 5;
			push @of_item, { from => below(9) ? $stage : below(6), to => $to, at => $at };
			$stage = $to;
		}
		shift @of_item if @of_item > 1 && !below(15);		# the row of the creation is missing
		@of_item = () if @of_item == 1 && !below(4);		# or all of them
		$_->{item} = $item{id}, $_->{id} = $move_id += 1 + below(3), push @moves, $_ for @of_item;
		$item{stage} = @of_item ? $of_item[-1]{to} : 0;
		$items{ $item{id} } = \%item;
	}
	return (\%items, \@moves);
}

sub make
{
	my ($db, $version, $items, $moves) = @_;
	my ($stage, $q) = ($version->{stage}, $version->{schema} =~ s/"/""/gr);
	my $at = sub { "to_timestamp($_[0]) AT TIME ZONE 'UTC'" . ($version->{at} eq 'timestamptz' ? " AT TIME ZONE 'UTC'" : '') };
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	my $columns = $db eq 'ids' ? [ 'current_stage_id', 'from_stage_id, to_stage_id' ] : [ 'current_stage', 'from_stage, to_stage' ];
	$node->safe_psql($db, join ";\n",
		qq{CREATE SCHEMA IF NOT EXISTS "$q"}, qq{SET search_path = "$q"}, $version->{ddl},
		map({ sprintf "INSERT INTO work_items (id, title, type, created_at, updated_at, $columns->[0]) VALUES (%d, '%s', '%s', %s, %s, %s)",
			$_->{id}, $_->{title} =~ s/'/''/gr =~ s/\x{e9}/\xc3\xa9/r, $version->{type}->($_->{type}), $at->($_->{created}), $at->($_->{created} + 5), $stage->($_->{stage}) } map { $items->{$_} } sort keys %$items),
		map({ sprintf "INSERT INTO stage_transitions (id, work_item_id, $columns->[1], timestamp) VALUES (%d, %d, %s, %s, %s)",
			$_->{id}, $_->{item}, defined $_->{from} ? $stage->($_->{from}) : 'NULL', $stage->($_->{to}), $at->($_->{at}) } @$moves),
		# ids have been issued that no row has any more
		"SELECT setval('work_items_id_seq', 5000), setval('stage_transitions_id_seq', 70000), setval('stages_id_seq', 15)",
		'CREATE EXTENSION vsm');
	return;
}

sub old_rows
{
	my ($db) = @_;
	my $q = $versions{$db}{schema} =~ s/"/""/gr;
	return $node->safe_psql($db, join ';', map { qq{SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM "$q".$_ t} } qw(stages work_items stage_transitions));
}

sub migrate
{
	my ($db) = @_;
	my ($out, $err) = ('', '');
	# the gateway was started first, and has defined the stream
	$node->safe_psql($db, 'SELECT vsm_api.prepare()');
	ok(IPC::Run::run([ 'psql', '-X', '-d', $node->connstr($db), '-v', "old=$versions{$db}{schema}", '-f', $script ], '>', \$out, '2>', \$err), "$db: the script runs");
	is($err, '', "$db: without a word on stderr");
	return $out;
}

# The moves of each item as the definitions want them: in order, from the stage entered before, without those that move nothing.
sub ordered
{
	my ($items, $moves) = @_;
	my %of;
	push @{ $of{ $_->{item} } }, $_ for sort { $a->{at} <=> $b->{at} || $a->{id} <=> $b->{id} } @$moves;
	for my $id (keys %$items)
	{
		my $first = $of{$id} ? $of{$id}[0] : undef;
		next if $first && !defined $first->{from};
		my $created = $items->{$id}{created};
		unshift @{ $of{$id} }, { to => $first ? $first->{from} : $items->{$id}{stage}, at => $first && $first->{at} <= $created ? $first->{at} - 0.000001 : $created, added => 1 };
	}
	return \%of;
}

sub rows_are_there
{
	my ($db, $version, $items, $moves) = @_;
	my $of = ordered($items, $moves);
	my (@expected, %count);
	@count{qw(stages work_items limits_dropped current_stages_corrected moves rows_that_moved_nothing stages_left_corrected creations_added)} =
		(6, scalar keys %$items, $db eq 'ids' ? 2 : 0, (0) x 5);
	for my $id (sort { $a <=> $b } keys %$of)
	{
		my $stage;
		for my $move (@{ $of->{$id} })
		{
			$count{creations_added}++ if $move->{added};
			$count{rows_that_moved_nothing}++, next if defined $stage && $stage == $move->{to};
			$count{moves}++;
			$count{stages_left_corrected}++ if !$move->{added} && ($stage // -1) != ($move->{from} // -1);
			push @expected, join '|', $id, $move->{added} ? 'added' : $move->{id}, $stage // '', $move->{to}, sprintf('%.6f', $move->{at});
			$stage = $move->{to};
		}
		$count{current_stages_corrected}++ if $stage != $items->{$id}{stage};
	}
	my $got = $node->safe_psql($db, q{
		SELECT t.work_item_id, CASE WHEN t.id > 70000 THEN 'added' ELSE t.id::text END, t.from_stage_id - 10, t.to_stage_id - 10, round(extract(epoch FROM t."timestamp"), 6)
		FROM vsm.stage_transitions t ORDER BY t.work_item_id, t."timestamp", t.id});
	is($got, join("\n", @expected), "$db: the ledger has each move under its id");
	is($node->safe_psql($db, q{SELECT id, title, type, stream FROM vsm.work_items ORDER BY id}),
		join("\n", map { "$_->{id}|" . $_->{title} =~ s/\x{e9}/\xc3\xa9/r . "|$_->{type}|default" } map { $items->{$_} } sort { $a <=> $b } keys %$items), "$db: and the items theirs");
	is($node->safe_psql($db, q{SELECT string_agg(id || ' ' || name || ' ' || category, ', ' ORDER BY "order") FROM vsm.stages}),
		'10 Backlog wait, 11 Analysis active, 12 Development active, 13 Testing active, 14 Deployment active, 15 Production done', "$db: and the stages");
	is($node->safe_psql($db, 'SELECT count(*) FROM vsm.stage_transitions WHERE recorded_at <> "timestamp"'), 0, "$db: moves were known when they happened");
	return %count;
}

# ---- The recount ----

sub disc
{
	my ($p, @values) = @_;
	@values = sort { $a <=> $b } @values;
	my $rank = int($p * @values);
	$rank++ if $rank < $p * @values;
	return @values ? sprintf('%.3f', $values[ $rank - 1 ]) : '';
}

sub figures_are_right
{
	my ($db, $items, $moves) = @_;
	my $of = ordered($items, $moves);
	for my $window ([ 0, 10 ], [ 7, 21 ], [ 20, 80 ], [ -5, 200 ])
	{
		my ($since, $until) = map { $began + 86_400 * $_ } @$window;
		my %sum = map { $_ => 0 } qw(throughput arrivals departures returns open);
		my (@lead, @cycle, $area);
		for my $id (keys %$of)
		{
			my ($stage, $created, $started, $finished, $open_since);
			for my $move (grep { $_->{at} < $until } @{ $of->{$id} })
			{
				next if defined $stage && $stage == $move->{to};
				my $within = $move->{at} >= $since;
				$sum{arrivals}++ if $within && !defined $stage;
				$sum{departures}++ if $within && $move->{to} == 5;		# one may begin there
				$sum{returns}++ if $within && defined $stage && $stage == 5;
				$created //= $move->{at};
				$started //= $move->{at} if $move->{to} > 0 && $move->{to} < 5;
				if ($move->{to} == 5)
				{
					$finished = $move->{at};
					$area += ($move->{at} > $since ? $move->{at} : $since) - ($open_since > $since ? $open_since : $since) if defined $open_since && $move->{at} > $since;
					$open_since = undef;
				}
				else
				{
					$open_since //= $move->{at};
					$finished = undef;
				}
				$stage = $move->{to};
			}
			next unless defined $stage;
			$sum{open}++ if $stage < 5;
			$area += $until - ($open_since > $since ? $open_since : $since) if defined $open_since;
			next if !defined $finished || $finished < $since;
			$sum{throughput}++;
			push @lead, $finished - $created;
			push @cycle, $finished - $started if defined $started;
		}
		my $expected = join '|', @sum{qw(throughput arrivals departures returns open)}, sprintf('%.2f', $area / ($until - $since)),
			map({ disc($_, @cycle) } 0.5, 0.85, 0.95), map({ disc($_, @lead) } 0.5, 0.85, 0.95), scalar @cycle;
		is($node->safe_psql($db, qq{
			SELECT throughput, arrivals, departures, returns, open_at_until, round(wip, 2),
				   round(extract(epoch FROM cycle_time_p50), 3), round(extract(epoch FROM cycle_time_p85), 3), round(extract(epoch FROM cycle_time_p95), 3),
				   round(extract(epoch FROM lead_time_p50), 3), round(extract(epoch FROM lead_time_p85), 3), round(extract(epoch FROM lead_time_p95), 3), cycle_time_n
			FROM vsm.metrics('default', to_timestamp($since), to_timestamp($until))}), $expected, "$db: the figures of days $window->[0] to $window->[1]");
		my @in = (0) x 6;
		for my $id (keys %$of)
		{
			my @until = grep { $_->{at} <= $until } @{ $of->{$id} } or next;
			$in[ $until[-1]{to} ]++;
		}
		is($node->safe_psql($db, qq{SELECT string_agg(o.items::text, ' ' ORDER BY s."order") FROM vsm.occupancy('default', to_timestamp($until), to_timestamp($until) + interval '1 hour', '1 hour') o
			JOIN vsm.stages s ON s.name = o.stage WHERE o.at = to_timestamp($until)}), "@in", "$db: where the items were at its end");
	}
	return;
}

# The next ids are those that the old service would have given; counters and totals are those of the tables.
sub goes_on
{
	my ($db) = @_;
	is($node->safe_psql($db, q{SELECT string_agg(finding || ' ' || items, ', ') FROM vsm.data_quality('default')
		WHERE items <> 0 AND finding NOT IN ('finished_never_started', 'moves_at_one_instant', 'silent')}), '', "$db: items and ledger agree");
	is($node->safe_psql($db, 'SELECT count(*) FROM vsm.wip_check() c WHERE c.difference <> 0'), 0, "$db: and so do the counters");
	my ($item, $stage) = split /\|/, $node->safe_psql($db, q{SELECT w.id, w.stage_id FROM vsm.create_work_item('new') w});
	is("$item $stage", '5001 10', "$db: the next item follows the last that was issued");
	my $added = $node->safe_psql($db, 'SELECT count(*) FROM vsm.stage_transitions WHERE id > 70000 AND work_item_id < 5001');
	is($node->safe_psql($db, qq{SELECT t.id, t.from_stage_id, t.to_stage_id FROM vsm.transition($item, 'Testing') t}), (70_002 + $added) . '|10|13', "$db: and so does the next move");
	is($node->safe_psql($db, q{INSERT INTO vsm.stages (name, "order") VALUES ('Next', 9) RETURNING id}), 16, "$db: and the next stage");
	is($node->safe_psql($db, 'SELECT sum(value) FROM vsm.flow_totals WHERE total = $$stage_transitions$$'), $node->safe_psql($db, 'SELECT count(*) FROM vsm.stage_transitions'), "$db: totals count what came");
	return;
}

# ---- Errors leave nothing ----

sub refused
{
	my %bad = (
		'no such tables' => [ '', qr/there is no table "elsewhere"."stages"/, 'elsewhere' ],
		'a move of no item' => [ 'ALTER TABLE stage_transitions DROP CONSTRAINT stage_transitions_work_item_id_fkey; INSERT INTO stage_transitions (work_item_id, to_stage_id, timestamp) VALUES (99, 10, now())', qr/moves of no work item/ ],
		'a move in the future' => [ "INSERT INTO stage_transitions (work_item_id, to_stage_id, timestamp) VALUES (1, 10, '2999-01-01')", qr/at no time between 1970 and now/ ],
		'an unknown category' => [ "UPDATE stages SET category = 'busy' WHERE id = 11", qr/stages without name, order or known category/ ],
		'no title' => [ "UPDATE work_items SET title = ''", qr/a title that is not 1 to 500/ ],
		'a column missing' => [ 'ALTER TABLE work_items DROP updated_at', qr/has no column "updated_at"/ ],
		'an item nowhere' => [ "INSERT INTO work_items (title, type, created_at, updated_at) VALUES ('x', 'bug', now(), now())", qr/in no stage that there is and have no moves.*They are 2\./s ],
		'an item in a stage that is gone' => [ "ALTER TABLE work_items DROP CONSTRAINT work_items_current_stage_id_fkey; INSERT INTO work_items (title, type, created_at, updated_at, current_stage_id) VALUES ('x', 'bug', now(), now(), 99)", qr/in no stage that there is/ ],
		'an item of 2090' => [ "INSERT INTO work_items (title, type, created_at, updated_at, current_stage_id) VALUES ('x', 'bug', '2090-01-01', now(), 10)", qr/created at no time between 1970 and now.*They are 2\./s ],
		'an item of 1850' => [ "INSERT INTO work_items (title, type, created_at, updated_at, current_stage_id) VALUES ('x', 'bug', '1850-01-01', now(), 10)", qr/created at no time between 1970 and now.*HINT:  Correct created_at/s ],
		'an item of all times' => [ "UPDATE work_items SET created_at = '-infinity'", qr/created at no time/ ],
		'no stage done' => [ "UPDATE stages SET category = 'active'", qr/none of the stages is a done stage.*10 \(active\), 11/s ],
		'no stages' => [ 'TRUNCATE stages, work_items, stage_transitions', qr/none of the stages is a done stage/ ],
		'twins' => [ "UPDATE stages SET name = U&'Pru\\0308fung' WHERE id = 11; UPDATE stages SET name = U&'Pr\\00FCfung' WHERE id = 12", qr/stages of one name.*stages 11 and 12/s ],
		'a name of two lines' => [ "UPDATE stages SET name = E'two\nlines' WHERE id = 11", qr/names cannot be names.*stage 11: the name holds the control character U\+000A/s ],
		'a blank type' => [ "ALTER TABLE work_items ALTER type TYPE text; UPDATE work_items SET type = '  '", qr/types cannot be names.*1: the type has no visible character/s ],
		'one order twice' => [ 'UPDATE stages SET "order" = 3 WHERE id = 11', qr/an order of their own.*stages 11 and 12/s ],
		'vsm in use' => [ "SELECT vsm.create_work_item('here')", qr/vsm is in use already/ ],
		'another role' => [ 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain', qr/permission denied/, 'public', 'plain' ]);
	$node->safe_psql('postgres', 'CREATE DATABASE small');
	$node->safe_psql('small', "$versions{ids}{ddl}; INSERT INTO work_items (title, type, created_at, updated_at, current_stage_id) VALUES ('x', 'bug', now(), now(), 10);
		INSERT INTO stage_transitions (work_item_id, to_stage_id, timestamp) VALUES (1, 10, now()); CREATE EXTENSION vsm");
	for my $name (sort keys %bad)
	{
		my ($sql, $error, $schema, $role) = @{ $bad{$name} };
		$node->safe_psql('postgres', 'CREATE DATABASE bad TEMPLATE small');
		$node->safe_psql('bad', $sql) if $sql;
		my $picture = "SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM (SELECT v::text FROM vsm.value_streams v UNION ALL SELECT s::text FROM vsm.stages s UNION ALL SELECT w::text FROM vsm.work_items w UNION ALL SELECT t::text FROM vsm.stage_transitions t) t";
		my $before = $node->safe_psql('bad', $picture);
		my ($out, $err) = ('', '');
		ok(!IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('bad'), '-v', 'old=' . ($schema // 'public'), $role ? ('-U', $role) : (), '-f', $script ], '>', \$out, '2>', \$err), "$name: the script fails");
		like($err, $error, "$name: and says why");
		is($node->safe_psql('bad', $picture), $before, "$name: and leaves all as it was");
		$node->safe_psql('postgres', 'DROP DATABASE bad');
	}
	return;
}
