# trouble.pl: the database goes, comes, crashes, is slow or overloaded, and no acknowledged write is lost
#
# Nothing here depends on how long something takes: a locked table makes a query wait until the test lets it go.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use Service;

my $node = database('trouble', 'restart_after_crash = on', 'max_connections = 60', 'wal_level = replica', 'max_wal_senders = 5');

down_at_start();
slow_beside_fast();
overload();
same_question();
patience_ends();
drains();
restart_under_load('the server is restarted', sub { $node->restart });
restart_under_load('the server is stopped at once', sub { $node->stop('immediate'); $node->start });
restart_under_load('a backend is killed', \&kill_backend);
restart_under_load('sessions are terminated', sub {
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
});
fails_over();

$node->stop;
done_testing();

sub down_at_start
{
	$node->stop;
	my $gw = Service->start($node);
	my $health = $gw->get('/api/v1/health');
	is($health->{status}, 200, 'without a database the gateway starts, and health is answered');
	like($health->{content}, qr/^\{"status":"DEGRADED","service":"vsm-service","version":"[^"]+","database_connected":false,"fold_days_waiting":null\}$/, 'it says what is wrong');
	my $ready = $gw->get('/ready');
	is($ready->{status}, 503, 'it is not ready');
	like($ready->{content}, qr/^\{"detail":"Service not ready"[,}]/, 'and says so');
	is($gw->get('/live')->{status}, 200, 'but alive');
	my $stages = $gw->get('/api/v1/stages');
	is($stages->{status}, 503, 'what needs the database is 503');
	like($stages->{headers}{'retry-after'} // '', qr/^\d+$/, 'with Retry-After');
	unlike($stages->{content}, qr{connection to server|socket|/tmp|port|SELECT}i, 'and without a word on where the database is');
	like($gw->get('/metrics')->{status}, qr/^(200|503)$/, '/metrics is answered');

	$node->start;
	is($gw->eventually('/ready', 200)->{status}, 200, 'it becomes ready when the database comes');
	is($gw->get('/api/v1/health')->{json}{status}, 'UP', 'health says UP');
	ok($gw->create('after the start'), 'and items can be made');
	$gw->finish;
	return;
}

# A session that holds the ledger until it is told to let go: the history must wait, the stages need not.
sub hold
{
	my %lock = (in => '', out => '');
	$lock{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$lock{in}, '>', \$lock{out});
	$lock{in} = "BEGIN; LOCK TABLE vsm.stage_transitions IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
	$lock{run}->pump until $lock{out} =~ /held/;
	return \%lock;
}

sub let_go
{
	my ($lock) = @_;
	$lock->{in} .= "COMMIT;\n";
	$lock->{run}->finish;
	return;
}

sub waiting_queries
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'});
}

# Sends it without waiting for the answer.
sub ask
{
	my ($gw, $line, $body) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gw->{port}, Proto => 'tcp') // die "connect: $!";
	my $more = defined $body ? "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" : '';
	syswrite $socket, "$line HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n$more\r\n" . ($body // '');
	return $socket;
}

sub has_answer
{
	my ($socket, $patience) = @_;
	my $ready = '';
	vec($ready, fileno $socket, 1) = 1;
	return scalar select $ready, undef, undef, $patience;
}

sub answer
{
	my ($socket) = @_;
	my $answer = '';
	while (has_answer($socket, 60))
	{
		sysread $socket, $answer, 65536, length $answer or last;
	}
	return $answer;
}

sub status
{
	my ($answer) = @_;
	return $answer =~ m{^HTTP/1\.1 (\d{3}) } ? $1 : "no answer: $answer";
}

sub slow_beside_fast
{
	my $gw = Service->start($node, options => [ qw(--pool-size 2 --fast-timeout 300000) ]);
	my $id = $gw->create('slow');
	$gw->get("/api/v1/work-items/$id/history");
	my $lock = hold();
	my $slow = ask($gw, "GET /api/v1/work-items/$id/history");
	ok(until_true(sub { waiting_queries() == 1 }), 'a query is slow');
	is(scalar(grep { $gw->get('/api/v1/stages')->{status} == 200 } 1 .. 50), 50, 'fifty others are answered meanwhile');
	is($gw->get('/api/v1/health')->{json}{status}, 'UP', 'and health');
	is(has_answer($slow, 0), 0, 'before the slow one is');
	let_go($lock);
	is(status(answer($slow)), 200, 'which is answered in the end');
	$gw->finish;
	return;
}

sub overload
{
	my $gw = Service->start($node, options => [ qw(--pool-size 2 --queue-size 20 --queue-timeout 300000 --fast-timeout 300000) ]);
	my @ids = map { $gw->create("overload $_") } 1 .. 100;
	my $lock = hold();
	my @asked = map { ask($gw, "GET /api/v1/work-items/$_/history") } @ids;
	my @refused;
	ok(until_true(sub { @refused = grep { has_answer($_, 0) } @asked; @refused > 0 }), 'of 100 requests for a pool of 2 and a queue of 20 some are answered while none can be served');
	my $answer = @refused ? answer($refused[0]) : '';
	is(status($answer), 503, 'by 503');
	like($answer, qr/^retry-after: \d+\r$/mi, 'with Retry-After');
	like($answer, qr/\{"detail":"[^"]+"/, 'and a detail');
	is($gw->get('/api/v1/health')->{status}, 200, 'health is answered meanwhile');
	is($gw->get('/live')->{status}, 200, 'and so is /live');
	let_go($lock);
	my %statuses;
	$statuses{ status(answer($_)) }++ for @asked[ grep { !@refused || $asked[$_] != $refused[0] } 0 .. $#asked ];
	is(join(',', sort keys %statuses), '200,503', 'each of the others is answered by 200 or 503: ' . join ', ', map { "$statuses{$_} x $_" } sort keys %statuses);
	is($statuses{200}, 22, 'those that had a place by 200');
	is($gw->get("/api/v1/work-items/$ids[0]/history")->{status}, 200, 'afterwards all is well');
	$gw->finish;
	return;
}

# The only connection is taken while they come, so all of them wait.
sub same_question
{
	$node->safe_psql('postgres', "ALTER DATABASE postgres SET track_functions = 'all'; SELECT pg_stat_reset()");
	my $gw = Service->start($node, options => [ qw(--pool-size 1 --fast-timeout 300000) ]);
	my ($first, $one, $other) = map { $gw->create("question $_") } 1 .. 3;
	my $lock = hold();
	my @asked = ask($gw, "GET /api/v1/work-items/$first/history");
	ok(until_true(sub { waiting_queries() == 1 }), 'the only connection is taken');
	push @asked, map { ask($gw, "GET /api/v1/work-items/$_/history") } ($one) x 5, ($other) x 2, (987654321) x 3;
	push @asked, map { ask($gw, 'POST /api/v1/work-items', '{"title":"twice","type":"bug"}') } 1 .. 2;
	is($gw->get('/live')->{status}, 200, 'who comes after them is served') for 1 .. 2;		# so they have come
	let_go($lock);
	my @answers = map { answer($_) } @asked;
	is(join(' ', map { status($_) } @answers), join(' ', (200) x 8, (404) x 3, (201) x 2), 'each has its answer');
	my @bodies = map { s/^.*?\r\n\r\n//sr } @answers;
	is(scalar(grep { $_ eq $bodies[1] } @bodies[ 1 .. 5 ]), 5, 'those that ask the same have the same');
	like($bodies[1], qr/"work_item_id":$one\b/, 'about their item');
	like($bodies[6], qr/"work_item_id":$other\b/, 'others about theirs');
	$gw->finish;
	is($node->safe_psql('postgres', q{SELECT sum(calls) FROM pg_stat_user_functions WHERE schemaname = 'vsm_api' AND funcname = 'history'}), 3,
		'one query for each question');		# calls that fail are not counted
	$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET track_functions');
	return;
}

# Neither in the queue nor in the database does a request stay for ever.
sub patience_ends
{
	my $id = $node->safe_psql('postgres', q{SELECT (vsm.create_work_item('patience')).id});
	my $gw = Service->start($node, options => [ qw(--pool-size 1 --queue-timeout 1000 --fast-timeout 300000) ]);
	# its connection is there
	is($gw->eventually("/api/v1/work-items/$id/history", 200)->{status}, 200, 'a patient one is served');
	my $lock = hold();
	my $first = ask($gw, "GET /api/v1/work-items/$id/history");
	ok(until_true(sub { waiting_queries() == 1 }), 'the only connection is taken');
	my $second = answer(ask($gw, "GET /api/v1/work-items/$id/history"));
	is(status($second), 503, 'who waits for it too long gets 503');
	like($second, qr/^retry-after: \d+\r$/mi, 'with Retry-After');
	let_go($lock);
	is(status(answer($first)), 200, 'who had it is served');
	$gw->finish;

	$gw = Service->start($node, options => [ qw(--fast-timeout 100) ]);
	$lock = hold();
	my $cancelled = $gw->get("/api/v1/work-items/$id/history");
	like($cancelled->{status}, qr/^50[34]$/, 'a query that takes too long is ended') or diag($cancelled->{content});
	unlike($cancelled->{content}, qr/statement|SELECT|lock/i, 'and the answer says nothing of statements');
	let_go($lock);
	is($gw->eventually("/api/v1/work-items/$id/history", 200)->{status}, 200, 'the connection is as good as before');
	$gw->finish;
	return;
}

sub drains
{
	my $gw = Service->start($node, options => [ qw(--drain-timeout 300 --fast-timeout 300000) ]);
	my $id = $gw->create('drained');
	my $lock = hold();
	my $body = '{"to_stage":"Testing"}';
	my $move = ask($gw, "PUT /api/v1/work-items/$id/transition", $body);
	ok(until_true(sub { waiting_queries() == 1 }), 'a move is under way');
	$gw->signal('TERM');
	ok(until_true(sub {
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gw->{port}, Proto => 'tcp') // return 1;
		syswrite $socket, "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
		return has_answer($socket, 1) && answer($socket) !~ /^HTTP\S+ 200/;
	}), 'after SIGTERM no new request is served');
	is(waiting_queries(), 1, 'while the move goes on');
	let_go($lock);
	is(status(answer($move)), 200, 'and is answered');
	$gw->finish($gw->reap);
	is($node->safe_psql('postgres', "SELECT count(*) FROM vsm.history($id)"), 2, 'the move is there');

	# and a gateway starts, even where nobody can read the ledger
	$lock = hold();
	$gw = Service->start($node, options => [ qw(--drain-timeout 1 --fast-timeout 300000) ]);
	$move = ask($gw, "PUT /api/v1/work-items/$id/transition", '{"to_stage":"Deployment"}');
	ok(until_true(sub { waiting_queries() == 1 }), 'a move hangs') or diag(has_answer($move, 0) ? answer($move) : 'no answer');
	$gw->signal('TERM');
	isnt($gw->reap & 127, 9, 'which does not keep the gateway from ending');
	let_go($lock);
	return;
}

sub kill_backend
{
	my $pid = $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY state <> 'active' LIMIT 1});
	kill 'KILL', $pid;
	# its end is noticed before the server takes anybody again
	until_true(sub { !kill 0, $pid });
	return;
}

# Two servers are named, in the wrong order: writes go to the one that takes them, and to the other when that has taken over.
sub fails_over
{
	$node->backup('for_standby');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'for_standby', has_streaming => 1);
	$standby->start;
	my $url = sprintf 'postgresql:///postgres?host=%s,%s&port=%d,%d&user=%s&target_session_attrs=read-write', $standby->host, $node->host,
		$standby->port, $node->port, scalar getpwuid($<);
	my $gw = Service->start($node, url => $url);
	$gw->eventually('/ready', 200);
	my $before = $gw->create('before the failover');
	is($node->safe_psql('postgres', "SELECT title FROM vsm.work_items WHERE id = $before"), 'before the failover', 'what is written goes to the primary');
	$node->wait_for_catchup($standby, 'replay');

	$node->stop('immediate');
	$gw->eventually('/ready', 503);
	$standby->promote;
	is($gw->eventually('/ready', 200)->{status}, 200, 'after the promotion the gateway is ready again, by itself');
	is($gw->get("/api/v1/work-items/$before/history")->{json}{work_item_title}, 'before the failover', 'the promoted server has what was acknowledged');
	my $after = $gw->create('after the failover');
	is($gw->put("/api/v1/work-items/$after/transition", { to_stage => 'Testing' })->{status}, 200, 'and takes what is new');
	is($standby->safe_psql('postgres', "SELECT count(*) FROM vsm.history($after)"), 2, 'which is there');
	$gw->finish;
	$standby->stop;
	$node->start;
	return;
}

# Four clients create items as fast as they can; each writes down what was acknowledged, and what happened after the gateway
# has said that it is ready again.
sub restart_under_load
{
	my ($what, $happens) = @_;
	my $gw = Service->start($node);
	$gw->get('/ready');
	my $place = file($what =~ s/\W/_/gr);
	mkdir $place;
	my @clients = map { client($gw, $place, $_) } 1 .. 4;
	my $acknowledged = sub { map { map { (split)[0] } grep { / 201$/ } split /\n/, slurp_file("$place/$_") } grep { -e "$place/$_" } 1 .. 4 };

	ok(until_true(sub { $acknowledged->() > 100 }), "$what: clients work");
	$happens->();
	ok($node->poll_query_until('postgres', 'SELECT 1', '1'), "$what: the database is back");
	is($gw->eventually('/ready', 200)->{status}, 200, "$what: the gateway is ready again");
	append_to_file("$place/recovered", '');
	my $before = $acknowledged->();
	ok(until_true(sub { $acknowledged->() > $before + 100 }), "$what: clients go on");
	append_to_file("$place/enough", '');
	waitpid $_, 0 for @clients;

	my @after = map { grep { /^after/ } split /\n/, slurp_file("$place/$_") } 1 .. 4;
	is(join("\n", @after), '', "$what: no failure after recovery");
	my @ids = $acknowledged->();
	my $found = $node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items WHERE id = ANY (\'{' . join(',', @ids) . '}\')');
	is($found, scalar @ids, "$what: every acknowledged item is there");
	$gw->finish;
	return;
}

sub client
{
	my ($gw, $place, $n) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	open my $notes, '>>', "$place/$n" or POSIX::_exit(1);
	$notes->autoflush(1);
	for my $item (1 .. 1_000_000)
	{
		last if -e "$place/enough";
		my $recovered = -e "$place/recovered";
		my $got = HTTP::Tiny->new(timeout => 120)->post("http://127.0.0.1:$gw->{port}/api/v1/work-items",
			{ headers => { 'content-type' => 'application/json' }, content => qq({"title":"$n-$item","type":"bug"}) });
		my ($id) = $got->{content} =~ /^\{"id":(\d+),/;
		print {$notes} "$id 201\n" if $got->{status} == 201;
		print {$notes} "after $got->{status} $got->{content}\n" if $recovered && $got->{status} != 201;
		sleep 0.02 if $got->{status} != 201;
	}
	POSIX::_exit(0);
}
