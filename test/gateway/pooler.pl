# pooler.pl: behind PgBouncer every request is answered, no setting gets out of a transaction of the gateway or into it, and no write happens twice
#
# VSM_PGBOUNCER is the program, or a command that runs it.  From 1.21 on it can keep prepared statements for its clients: those
# releases are tried with and without that.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use Pooler;
use Service;

plan skip_all => 'needs pgbouncer' unless Pooler::program();

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('pooler', 'restart_after_crash = on', 'wal_level = replica', 'max_wal_senders = 5');
$node->safe_psql('postgres', q{
	SELECT vsm.define_stream('default');
	CREATE ROLE app_writer; CREATE ROLE someone; CREATE ROLE gate LOGIN NOINHERIT;
	SELECT vsm.grant_access('app_writer', 'writer');
	GRANT app_writer TO gate});

# All that a session of the server can keep.
my $state = q{
	SELECT name, setting FROM pg_settings WHERE source IN ('session', 'interactive', 'override') AND context IN ('user', 'superuser') ORDER BY 1;
	SELECT current_user, coalesce(current_setting('request.jwt.claims', true), '');
	SELECT locktype, classid, objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
	SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r';
	SELECT name FROM pg_cursors WHERE name <> '' AND NOT is_binary AND statement !~ 'pg_cursors';
	SELECT pg_listening_channels()};

direct();
for my $kept (Pooler::version() < 121 ? (undef) : (0, 100))
{
	my @keeps = defined $kept ? (max_prepared_statements => $kept) : ();
	my $how = !defined $kept || $kept == 0 ? 'names pass through' : 'names are kept';
	note("PgBouncer, $how");
	nothing_gets_out($how, @keeps);
	nothing_gets_in($how, @keeps);
	names($how, @keeps);
	folds($how, @keeps);
	many($how, @keeps);
	trouble($how, @keeps);
}
session_mode();
reset_always();
not_twice();
follows_the_primary();

$node->stop;
done_testing();

sub asked
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub told
{
	my ($gw, $event) = @_;
	return grep { $_->{event} =~ /^(?:$event)$/ } $gw->json_log;
}

sub token
{
	my ($role) = @_;
	my $text = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url(qq({"role":"$role"}));
	return (authorization => "Bearer $text." . encode_base64url(hmac_sha256($text, $secret)));
}

sub with_tokens
{
	my ($pooler, @options) = @_;
	return Service->start($node, url => $pooler->url('postgres', 'gate'), options => [ '--jwt-secret', $secret, '--fold-role', 'app_writer', @options ]);
}

# What a gateway without a pooler does not say.
sub direct
{
	my $gw = Service->start($node);
	ok($gw->create('direct'), 'without a pooler');
	$gw->finish;
	is(scalar told($gw, 'database_pooler.*'), 0, 'the log does not mention one');
	return;
}

# One of each kind of request; returns what must not depend on the session.
sub all_kinds
{
	my ($gw, $name, @headers) = @_;
	my $id = $gw->post('/api/v1/work-items', { title => $name, type => 'bug', at => '2025-06-30T12:00:00Z', attributes => { n => 0.1 } }, @headers)->{json}{id};
	my @got = (
		$gw->put("/api/v1/work-items/$id/transition", { to_stage => 'Testing', at => '2025-06-30T23:30:00+10:00' }, @headers),
		$gw->get("/api/v1/work-items/$id/history", @headers),
		$gw->get("/api/v1/work-items/$id", @headers),
		$gw->get('/api/v1/stages', @headers),
		$gw->get('/api/v1/time-in-stage?since=2025-06-01&until=2025-07-01', @headers),
		$gw->get('/api/v1/throughput?since=2025-06-01&until=2025-07-01&step=week', @headers),
		$gw->post('/api/v1/import', "case_id,stage,entered_at\n$name,Backlog,2025-05-01\n$name,Testing,2025-05-02T03:04:05+06:00\n", 'content-type' => 'text/csv', @headers),
		$gw->get('/api/v1/work-items/999999', @headers),
		$gw->put("/api/v1/work-items/$id/transition", { to_stage => 'Nowhere' }, @headers),
		$gw->request('DELETE', "/api/v1/work-items/$id", undef, @headers));
	asked("DELETE FROM vsm.work_items WHERE external_id = '$name'");
	return join "\n", map { "$_->{status} " . $_->{content} =~ s/"(id|work_item_id)":\d+/"$1":?/gr =~ s/((?:updated|recorded)_at":")[^"]*/$1?/gr =~ s/"actor":"(?:postgres|app_writer)"/"actor":"?"/gr =~ s/Work item \d+/Work item ?/gr
		=~ s/("open_avg[^:]*"|"[a-z_]*avg[a-z_]*"):[\d.]+/$1:?/gr } @got;
}

sub nothing_gets_out
{
	my ($how, @keeps) = @_;
	my $pooler = Pooler->start($node, default_pool_size => 1, @keeps);
	my $pid = $pooler->psql('SELECT pg_backend_pid()');
	my $before = $pooler->psql($state);
	my @gw = map { Service->start($node, url => $pooler->url, options => [ qw(--fast-timeout 12345 --slow-timeout 23456 --fold-interval 1 --debug) ]) } 1 .. 2;
	my $expected = all_kinds($gw[0], 'out');
	like($expected, qr/^200 .*\n200 .*\n200 .*\n200 .*\n200 .*\n200 .*\n200 .*\n404 .*\n4\d\d .*\n200 .*$/, "$how: all kinds of requests are answered");
	is(all_kinds($_, 'out'), $expected, "$how: and again") for @gw;
	ok(until_true(sub { told($gw[0], 'folded') && told($gw[1], 'folded|fold_elsewhere') }), "$how: both have folded");
	is($pooler->psql($state), $before, "$how: other clients find the session as it was");
	is($pooler->psql('SELECT pg_backend_pid()'), $pid, "$how: it is the same session");
	is($pooler->psql(q{SELECT count(*) FROM pg_prepared_statements WHERE name !~ '^vsm_[0-9a-f]{16}$' AND name !~ '^PGBOUNCER_'}), 0,
		"$how: prepared statements are named by their text");
	is($pooler->psql(q{SELECT current_setting('request.jwt.claims', true) IS NULL}), 't', "$how: nor is there a setting that was not there");
	like($before, qr/^transaction_isolation\|read committed$/m, "$how: which was looked at");
	$_->finish for @gw;
	is(scalar told($gw[0], 'database_pooler'), 1, "$how: the log says that there is a pooler");
	is($pooler->psql($state), $before, "$how: and afterwards the session is as it was");

	# with tokens: the role must not stay either
	my $gw = with_tokens($pooler, qw(--fold-interval 1 --debug));
	my $gate = $pooler->url('postgres', 'gate');
	my $who = sub { my $out = ''; IPC::Run::run([ 'psql', '-XqAt', '-d', $gate ], '<', \$state, '>', \$out); return $out };
	$before = $who->();
	is(all_kinds($gw, 'out', token('app_writer')), $expected, "$how: with a token the answers are the same");
	for my $got (map { $gw->get('/api/v1/stages', token('someone')) } 1 .. 2)
	{
		is($got->{status}, 403, "$how: a role that the gateway's user may not become has no access");
		like($got->{json}{hint} // '', qr/^The service may not take the role that the token names/, "$how: which is what the answer says");
	}
	is($gw->get('/api/v1/stages')->{status}, 401, "$how: without a token there is no access");
	ok(until_true(sub { told($gw, 'folded') }), "$how: it folds as a role");
	is($who->(), $before, "$how: role and claims do not stay");
	$gw->finish;
	$pooler->stop;
	return;
}

sub nothing_gets_in
{
	my ($how, @keeps) = @_;
	my @options = qw(--fast-timeout 300000 --slow-timeout 300000);
	my $clean = Service->start($node, options => \@options);
	my $expected = all_kinds($clean, 'in');
	asked(q{
		CREATE TABLE public.seen (title text, name text, setting text);
		CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				INSERT INTO public.seen SELECT new.title, s.name, s.setting FROM pg_catalog.pg_settings AS s
					WHERE s.context IN ('user', 'superuser') UNION ALL SELECT new.title, 'current_user', current_user;
				RETURN NULL;
			END $$;
		CREATE TRIGGER look AFTER INSERT ON vsm.work_items FOR EACH ROW WHEN (new.title ~ '^seen') EXECUTE FUNCTION public.look()});
	$clean->create('seen directly');
	$clean->finish;
	my $pooler = Pooler->start($node, default_pool_size => 1, ignore_startup_parameters => 'extra_float_digits', @keeps);
	my $gw = Service->start($node, url => $pooler->url, options => [ @options, qw(--fold-interval 1 --debug) ]);
	is(all_kinds($gw, 'in'), $expected, "$how: the answers are those of a gateway without a pooler");
	my %of = (
		'time zone' => q{SET TimeZone = 'Australia/Sydney'}, 'style of dates' => q{SET DateStyle = 'German'},
		'style of intervals' => q{SET IntervalStyle = 'sql_standard'}, 'digits' => 'SET extra_float_digits = -15',
		'schemas' => 'SET search_path = nowhere', 'role' => 'SET ROLE someone', 'timeout' => 'SET statement_timeout = 200',
		'locks' => 'SET lock_timeout = 1', 'read-only' => 'SET default_transaction_read_only = on',
		'abbreviations of zones' => q{SET timezone_abbreviations = 'Australia'}, 'isolation' => q{SET default_transaction_isolation = 'serializable'}, 'recording' => 'SET vsm.recording = off',
		'limits' => 'SET vsm.wip_limit_action = off', 'triggers' => 'SET session_replication_role = replica',
		'commits' => 'SET synchronous_commit = off', 'claims' => q{SET request.jwt.claims = '{"role":"someone"}'},
		'tablespace' => q{SET temp_tablespaces = ''; SET default_tablespace = pg_global});
	for my $what (sort keys %of)
	{
		$pooler->psql("$of{$what}");
		is(all_kinds($gw, 'in'), $expected, "$how: another client sets its $what");
		is($gw->get('/ready?write')->{status}, 200, "$how: which says nothing of the server");
		$pooler->psql('SET statement_timeout = 0; RESET ROLE; RESET ALL');
	}
	# a table as an import might have made it
	$pooler->psql(q{CREATE TEMPORARY TABLE import_rows (kept text); INSERT INTO import_rows VALUES ('kept')});
	is(all_kinds($gw, 'in'), $expected, "$how: another client has a temporary table import_rows");
	is($pooler->psql('SELECT kept FROM import_rows; DROP TABLE import_rows'), 'kept', "$how: which stays as it was");
	# all at once stay for good
	my $pid = $pooler->psql('SELECT pg_backend_pid()');
	my $set = join '; ', map { $of{$_} } grep { !/timeout|read-only|role/ } sort keys %of;
	$pooler->psql($set);
	my $before = $pooler->psql($state);
	is(all_kinds($gw, 'in'), $expected, "$how: another client sets all of it");
	$gw->create('seen through the pooler');
	is(asked(q{SELECT string_agg(format('%s is %s', p.name, p.setting), ', ')
		FROM public.seen p JOIN public.seen d ON d.name = p.name AND d.title = 'seen directly' AND d.setting <> p.setting
		WHERE p.title = 'seen through the pooler' AND p.name !~ '^default_transaction_'}), '', "$how: a trigger sees the settings that it sees without a pooler");
	is(asked('SELECT count(DISTINCT title), count(*) > 300 FROM public.seen'), '2|t', "$how: all of them");
	asked(q{DROP TRIGGER look ON vsm.work_items; DROP FUNCTION public.look; DROP TABLE public.seen; DELETE FROM vsm.work_items WHERE title ~ '^seen'});
	my ($rounds, $waiting) = (scalar told($gw, 'folded'), undef);
	ok(until_true(sub { told($gw, 'folded') > $rounds + 1 }), "$how: folding goes on");
	is(scalar told($gw, 'fold_(failed|put_off|connection_lost)'), 0, "$how: without an error") or diag($gw->log);
	is($pooler->psql($state), $before, "$how: and that client has what it has set");
	is($pooler->psql('SELECT pg_backend_pid()'), $pid, "$how: in the same session");
	$gw->finish;
	$pooler->stop;
	return;
}

# Prepared statements of others under any name, and their end, reach nobody.
sub names
{
	my ($how, @keeps) = @_;
	my $pooler = Pooler->start($node, default_pool_size => 1, @keeps);
	$pooler->psql(join '; ', map { "PREPARE vsm_$_ AS SELECT 'another program'" } 0 .. 40);
	my $gw = Service->start($node, url => $pooler->url, options => [ qw(--pool-size 3) ]);
	my $stages = $gw->get('/api/v1/stages');
	is($stages->{json}[0]{name}, 'Backlog', "$how: others may have statements of any name");
	my $before = asked('SELECT count(*) FROM vsm.work_items');
	for my $n (1 .. 12)
	{
		$pooler->psql('DEALLOCATE ALL') if $n % 3 == 0 && !($keeps[1] // 0);
		my $got = $gw->post('/api/v1/work-items', { title => "names $n", type => 'bug' });
		is($got->{status}, 201, "$how: a write is answered whatever names the session has") or diag($got->{content});
	}
	my $other = Service->start($node, url => $pooler->url, options => [ qw(--pool-size 3) ]);
	is($other->post('/api/v1/work-items', { title => 'names of another', type => 'bug' })->{status}, 201, "$how: and so is one of another gateway") for 1 .. 4;
	is(asked('SELECT count(*) FROM vsm.work_items') - $before, 16, "$how: each took effect once");
	$_->finish for $gw, $other;
	if ($keeps[1])
	{
		is(scalar told($gw, 'database_pooler_loses_names'), 0, "$how: names are used");
		cmp_ok($pooler->psql('SELECT count(*) FROM pg_prepared_statements'), '>', 0, "$how: statements are prepared");
	}
	else
	{
		is(scalar told($gw, 'database_pooler_loses_names'), 1, "$how: the log says once that names are not used any more");
	}
	is(scalar told($gw, 'database_error'), 0, "$how: and of no error");
	$pooler->stop;
	return;
}

sub folds
{
	my ($how, @keeps) = @_;
	my $pooler = Pooler->start($node, @keeps);
	asked(q{SELECT vsm.transition(i.id, 'Testing', now() - interval '60 days') FROM vsm.create_work_item('late', at => now() - interval '70 days') i});
	my @gw = map { with_tokens($pooler, qw(--fold-interval 1 --debug)) } 1 .. 3;
	ok(until_true(sub { asked('SELECT count(*) FROM vsm._marks') == 0 && asked(q{SELECT vsm_api.health() ->> 'fold_days_waiting'}) == 0 }), "$how: gateways fold");
	is(asked(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
		AND pid IN (SELECT pid FROM pg_stat_activity WHERE state = 'idle')}), 0, "$how: no lock stays in a session") for 1 .. 3;
	$_->finish for @gw;
	is(scalar(map { told($_, 'fold_(failed|connection_lost|not_allowed)') } @gw), 0, "$how: without an error");
	$pooler->stop;
	return;
}

# Several gateways, with and without tokens, beside clients with settings and statements of their own.
sub many
{
	my ($how, @keeps) = @_;
	my $pooler = Pooler->start($node, @keeps);
	my @gw = ((map { Service->start($node, url => $pooler->url, options => [ qw(--pool-size 6) ]) } 1 .. 2), with_tokens($pooler, qw(--pool-size 6)));
	my $place = file('many' . ($keeps[1] // ''));
	mkdir $place;
	my @clients = map { client($gw[ $_ % 3 ], $place, $_, 60) } 1 .. 9;
	my $others = 0;
	while (grep { waitpid($_, POSIX::WNOHANG()) == 0 } @clients)
	{
		# names that stand in pg_prepared_statements of another session must not matter
		eval { $pooler->psql(q{SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Tokyo'; SET lock_timeout = 123; SET search_path = nowhere;
			SELECT pg_backend_pid()}); $others++ };
		sleep 0.02;
	}
	cmp_ok($others, '>', 0, "$how: other clients came $others times");
	my @lines = map { split /\n/, slurp_file("$place/$_") } 1 .. 9;
	is(join("\n", grep { !/^ok/ } @lines), '', "$how: of " . @lines . ' requests by nine clients none failed');
	is(scalar(grep { /^ok created/ } @lines), 540, "$how: all of them came");
	is(asked(q{SELECT count(*), count(DISTINCT title) FROM vsm.work_items WHERE title LIKE 'many%'}), '540|540', "$how: each item is there once");
	asked(q{DELETE FROM vsm.work_items WHERE title LIKE 'many%'});
	$_->finish for @gw;
	is(scalar(map { told($_, 'database_error|database_connection_lost') } @gw), 0, "$how: the logs have no errors");
	$pooler->stop;
	return;
}

sub client
{
	my ($gw, $place, $n, $times) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	open my $notes, '>>', "$place/$n" or POSIX::_exit(1);
	$notes->autoflush(1);
	my $http = HTTP::Tiny->new(timeout => 120);
	my $url = "http://127.0.0.1:$gw->{port}/api/v1";
	my %headers = ('content-type' => 'application/json', token('app_writer'));
	for my $item (1 .. $times)
	{
		my $got = $http->post("$url/work-items", { headers => \%headers, content => qq({"title":"many $n-$item","type":"bug"}) });
		my ($id) = $got->{content} =~ /^\{"id":(\d+),/;
		print {$notes} $got->{status} == 201 ? "ok created $id\n" : "create $got->{status} $got->{content}\n";
		next unless $id;
		$got = $http->put("$url/work-items/$id/transition", { headers => \%headers, content => '{"to_stage":"Testing"}' });
		print {$notes} $got->{status} == 200 ? "ok\n" : "move $got->{status} $got->{content}\n";
		for my $path ("work-items/$id/history", 'metrics?days=30', 'wip')
		{
			$got = $http->get("$url/$path", { headers => \%headers });
			print {$notes} $got->{status} == 200 ? "ok\n" : "$path $got->{status} $got->{content}\n";
		}
	}
	POSIX::_exit(0);
}

# The server is restarted or crashes, its sessions end, the pooler is restarted.
sub trouble
{
	my ($how, @keeps) = @_;
	my $pooler = Pooler->start($node, @keeps);
	my $gw = Service->start($node, url => $pooler->url);
	my %happens = (
		'the server is restarted' => sub { $node->restart },
		'the server crashes' => sub { $node->stop('immediate'); $node->start },
		'sessions end' => sub { asked(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}) },
		'the pooler is restarted' => sub { $pooler->restart });
	for my $what (sort keys %happens)
	{
		my $place = file("trouble-$what" . ($keeps[1] // '')) =~ s/(?<=trouble).*/$& =~ s{\W}{_}gr/er;
		mkdir $place;
		my @clients = map { writer($gw, $place, $_) } 1 .. 3;
		my $acknowledged = sub { map { map { (split)[0] } grep { / 201$/ } split /\n/, slurp_file("$place/$_") } grep { -e "$place/$_" } 1 .. 3 };
		ok(until_true(sub { $acknowledged->() > 60 }), "$how: $what: clients work");
		$happens{$what}->();
		is($gw->eventually('/ready', 200)->{status}, 200, "$how: $what: the gateway is ready again");
		ok(until_true(sub { $gw->post('/api/v1/work-items', { title => 'probe', type => 'bug' })->{status} == 201 }), "$how: $what: and takes writes");
		my $before = $acknowledged->();
		ok(until_true(sub { $acknowledged->() > $before + 60 }), "$how: $what: clients go on");
		append_to_file("$place/enough", '');
		waitpid $_, 0 for @clients;
		my @ids = $acknowledged->();
		is(asked('SELECT count(*) FROM vsm.work_items WHERE id IN (' . join(',', @ids) . ')'), scalar @ids, "$how: $what: every acknowledged item is there");
		is(asked(q{SELECT count(*) - count(DISTINCT title) FROM vsm.work_items WHERE title LIKE 'trouble%'}), 0, "$how: $what: and none twice");
		asked(q{DELETE FROM vsm.work_items WHERE title LIKE 'trouble%'});
	}
	$gw->finish;
	$pooler->stop;
	return;
}

# Sends each title once, whatever the answer.
sub writer
{
	my ($gw, $place, $n) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	open my $notes, '>>', "$place/$n" or POSIX::_exit(1);
	$notes->autoflush(1);
	for my $item (1 .. 1_000_000)
	{
		last if -e "$place/enough";
		my $got = HTTP::Tiny->new(timeout => 120)->post("http://127.0.0.1:$gw->{port}/api/v1/work-items",
			{ headers => { 'content-type' => 'application/json' }, content => qq({"title":"trouble $n-$item","type":"bug"}) });
		my ($id) = $got->{content} =~ /^\{"id":(\d+),/;
		print {$notes} "$id 201\n" if $got->{status} == 201;
		sleep 0.02 if $got->{status} != 201;
	}
	POSIX::_exit(0);
}

# A session that a gateway has used goes to another client without a reset.
sub session_mode
{
	my $pooler = Pooler->start($node, pool_mode => 'session', default_pool_size => 2);
	my $before = $pooler->psql($state);
	my $gw = Service->start($node, url => $pooler->url, options => [ qw(--pool-size 1 --fold-interval 1 --debug) ]);
	like(all_kinds($gw, 'session'), qr/^200 /, 'sessions of a pooler: a gateway works');
	ok(until_true(sub { told($gw, 'folded') }), 'sessions of a pooler: and folds');
	$gw->finish;
	is($pooler->psql($state), $before, 'sessions of a pooler: who has the session next finds nothing') for 1 .. 4;
	$pooler->stop;
	return;
}

# No name of a statement lasts longer than a transaction.
sub reset_always
{
	my $direct = Service->start($node);
	my $expected = all_kinds($direct, 'reset');
	$direct->finish;
	my $pooler = Pooler->start($node, server_reset_query => 'DISCARD ALL', server_reset_query_always => 1);
	my $gw = Service->start($node, url => $pooler->url);
	is(all_kinds($gw, 'reset'), $expected, 'a reset after each transaction: all kinds of requests are answered') for 1 .. 3;
	$gw->finish;
	$pooler->stop;
	return;
}

# An error of the same SQLSTATE that comes from the function itself: the first try was rolled back, and there is one more.
sub not_twice
{
	my $pooler = Pooler->start($node, default_pool_size => 1);
	my @gw = (Service->start($node), Service->start($node, url => $pooler->url));
	asked(q{
		CREATE SEQUENCE public.tries;
		CREATE FUNCTION public.fails() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF nextval('public.tries') = 1 OR new.title = 'always' THEN
					RAISE EXCEPTION 'no such statement' USING ERRCODE = '26000';
				END IF;
				RETURN NULL;
			END $$;
		CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON vsm.work_items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
			WHEN (new.title IN ('once', 'always')) EXECUTE FUNCTION public.fails()});
	for my $gw (@gw)
	{
		my $way = $gw == $gw[0] ? 'direct' : 'through the pooler';
		$gw->create('warm');			# so that names have been settled
		asked(q{SELECT setval('public.tries', 1, false)});
		my $got = $gw->post('/api/v1/work-items', { title => 'always', type => 'bug' });
		is($got->{status}, 500, "$way: what fails each time, at its commit, is an error") or diag($got->{content});
		cmp_ok(asked('SELECT last_value FROM public.tries'), '<=', 2, "$way: after two tries at most");
		asked(q{SELECT setval('public.tries', 1, false)});
		$got = $gw->post('/api/v1/work-items', { title => 'once', type => 'bug' });
		is(asked(q{SELECT count(*) FROM vsm.work_items WHERE title = 'once'}), $got->{status} == 201 ? 1 : 0, "$way: what failed once is there once, if it was acknowledged");
		asked(q{DELETE FROM vsm.work_items WHERE title = 'once'});
		is($gw->get('/api/v1/stages')->{status}, 200, "$way: the connection is as good as before");
	}
	$_->finish for @gw;
	asked('DROP TRIGGER fails ON vsm.work_items; DROP FUNCTION public.fails; DROP SEQUENCE public.tries');
	$pooler->stop;
	return;
}

# The pooler is pointed at a standby, which is promoted then; the gateway's connections to the pooler stay.
sub follows_the_primary
{
	$node->backup('for_pooler');
	my $standby = PostgreSQL::Test::Cluster->new('pooled_standby');
	$standby->init_from_backup($node, 'for_pooler', has_streaming => 1);
	$standby->start;
	my $pooler = Pooler->start($node);
	my @gw = (Service->start($node, url => $pooler->url), with_tokens($pooler));
	my @header = token('app_writer');
	for my $gw (@gw)
	{
		is($gw->get('/ready?write')->{status}, 200, 'behind the pooler is the primary');
		is($gw->post('/api/v1/work-items', { title => 'before', type => 'bug' }, @header)->{status}, 201, 'which takes writes');
	}
	$pooler->goes_to($standby);
	for my $gw (@gw)
	{
		is($gw->eventually('/ready?write', 503)->{status}, 503, 'the pooler goes to a standby');
		is($gw->get('/ready')->{status}, 200, 'which can be read');
		for (1 .. 9)
		{
			my $got = $gw->post('/api/v1/work-items', { title => 'meanwhile', type => 'bug' }, @header);
			is($got->{status}, 503, 'a write is refused');
			is($got->{json}{detail}, 'The database is read-only; nothing was written', 'and says that nothing was written');
			is($got->{json}{code}, '25006', 'with the code');
		}
		is($gw->post('/api/v1/import', "case_id,stage,entered_at\n1,Backlog,2025-05-01\n", 'content-type' => 'text/csv', @header)->{json}{code}, '25006', 'an import too');
		is($gw->get('/api/v1/stages', @header)->{status}, 200, 'reads are answered');
	}
	$standby->promote;
	for my $gw (@gw)
	{
		is($gw->eventually('/ready?write', 200)->{status}, 200, 'the standby is promoted');
		is($gw->post('/api/v1/work-items', { title => 'after', type => 'bug' }, @header)->{status}, 201, 'and takes writes') for 1 .. 9;
		like($gw->get('/metrics', @header)->{content}, qr/^vsm_pool_connections_lost_total 0$/m, 'no connection was lost');
		$gw->finish;
	}
	is($standby->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE title = 'after'), count(*) FILTER (WHERE title = 'meanwhile') FROM vsm.work_items}), '18|0', 'nothing more is there');
	$pooler->stop;
	$standby->stop;
	return;
}
