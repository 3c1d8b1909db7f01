# fold.pl: the gateway folds, one at a time, as whoever may, never on a standby, and disturbs nobody
#
# Nothing here depends on how long something takes: where a fold must be under way, a trigger holds it until the test lets go.

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use lib $FindBin::RealBin;
use Service;

my $node = database('fold', 'wal_level = replica', 'max_wal_senders = 5');
my @often = qw(--fold-interval 1 --debug);

$node->safe_psql('postgres', q{
	SELECT vsm.define_stream('default');
	SELECT vsm.define_stream('other', '[{"name":"New","category":"wait"},{"name":"Working"},{"name":"Closed","category":"done"}]');
	CREATE TABLE events AS SELECT * FROM vsm.simulate(300, 90, 1, now());
	SELECT vsm.import_events('events');
	SELECT vsm.transition(vsm.id, 'Closed', now() - interval '70 days') FROM vsm.create_work_item('old', 'bug', 'other', at => now() - interval '71 days') vsm;
	-- while somebody has lock 42, a fold that writes cells does not end; without LOCK in its name, so without lock_timeout
	CREATE FUNCTION public.hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN WHILE NOT pg_try_advisory_xact_lock_shared(42) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN new; END $$;
	CREATE TRIGGER hold_up BEFORE INSERT ON vsm._spans FOR EACH ROW EXECUTE FUNCTION public.hold_up()});

never();
folds();
one_at_a_time();
a_stranger();
ends_at_once();
comes_back();
one_stream_fails();
waits_for_nobody();
may_not();
limited();
on_a_standby();

$node->stop;
done_testing();

sub asked
{
	my ($sql, $server) = @_;
	return ($server // $node)->safe_psql('postgres', $sql);
}

# Lines of the log about folding.
sub told
{
	my ($gw, $event) = @_;
	return grep { $_->{event} =~ /^(?:$event)$/ } $gw->json_log;
}

sub sessions
{
	my ($condition, $server) = @_;
	return asked("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vsm-gateway fold' AND " . ($condition // 'true'), $server);
}

# Is every day folded?
sub all_folded
{
	my ($server) = @_;
	return asked(q{SELECT vsm_api.health() ->> 'fold_days_waiting' = '0' AND NOT EXISTS (SELECT FROM vsm._marks)
		AND (SELECT count(DISTINCT stream_id) = 2 FROM vsm._spans)}, $server) eq 't';
}

# Something that is to be folded anew, in a month that is over: days of this month may wait for more moves.
sub late_move
{
	my ($stream, $server) = @_;
	asked("SELECT count(*) FROM vsm.create_work_item('late', 'task', '$stream', at => now() - interval '70 days')", $server);
	return;
}

# Until so many rounds have come and gone: a session that waits for the next one shows when it has last asked.
sub rounds
{
	my ($wanted, $server) = @_;
	my %seen;
	return until_true(sub {
		$seen{$_} = 1 for split /\n/, asked(q{SELECT query_start FROM pg_stat_activity WHERE application_name = 'vsm-gateway fold' AND state = 'idle'}, $server);
		return keys %seen > $wanted;
	});
}

sub hold
{
	my ($statement) = @_;
	my %lock = (in => '', out => '');
	$lock{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$lock{in}, '>', \$lock{out});
	$lock{in} = "BEGIN; $statement; SELECT 'held';\n";
	$lock{run}->pump until $lock{out} =~ /held/;
	return \%lock;
}

sub let_go
{
	my ($lock) = @_;
	$lock->{in} .= "COMMIT;\n\\q\n";		# gateways started meanwhile have the other end of its input, too
	$lock->{run}->finish;
	return;
}

sub never
{
	my ($gw, $folding) = (Service->start($node), undef);
	is($gw->get('/ready')->{status}, 200, 'a gateway with --fold-interval 0 serves');
	my $waiting = $gw->get('/api/v1/health')->{json}{fold_days_waiting};
	cmp_ok($waiting, '>', 50, "nobody has folded: health says that $waiting days wait");
	like($gw->get('/metrics')->{content}, qr/^vsm_fold_days_waiting\{stream="default"\} $waiting$/m, 'and so does a scrape');
	$folding = Service->start($node, options => \@often);
	ok(until_true(\&all_folded), 'another gateway folds');
	is(sessions(), 1, 'by the only session that is there for it');
	is($gw->get('/api/v1/health')->{json}{fold_days_waiting}, 0, 'health says that no day waits');
	like($gw->get('/metrics')->{content}, qr/^vsm_fold_days_waiting\{stream="$_"\} 0$/m, "and so does a scrape, of stream $_") for qw(default other);
	$_->finish for $gw, $folding;
	is(scalar told($folding, 'fold.*_.*'), 0, 'the log tells of nothing but folding') or diag($folding->log);
	is(scalar told($gw, 'fold.*'), 0, 'and of nothing at all where it is off');
	return;
}

sub folds
{
	my $gw = Service->start($node, options => [ qw(--fold-interval 1) ]);
	late_move('default');
	ok(until_true(\&all_folded), 'what comes late is folded anew');
	$gw->finish;
	is(scalar told($gw, 'fold.*'), 0, 'without --debug the log does not mention it');
	$gw = Service->start($node, options => \@often);
	ok(until_true(sub { told($gw, 'folded') >= 2 }), 'with --debug each round has a line');
	is_deeply([ sort grep { !/^(time|level|event)$/ } keys %{ (told($gw, 'folded'))[0] } ], [ qw(days_folded days_waiting duration_ms streams) ], 'that says what it has done');
	$gw->finish;
	return;
}

sub one_at_a_time
{
	my $lock = hold('SELECT pg_advisory_xact_lock(42)');
	late_move('default');
	my @gw = map { Service->start($node, options => \@often) } 1 .. 2;
	ok(until_true(sub { sessions("state = 'active'") == 1 }), 'one gateway folds');
	ok(until_true(sub { grep { told($_, 'fold_elsewhere') >= 3 } @gw }), 'the other one tries at each interval');
	is(sessions("state = 'active'"), 1, 'and does not fold');
	is(scalar(grep { $_->get('/api/v1/metrics')->{status} == 200 && $_->create('meanwhile') } @gw), 2, 'both serve meanwhile');
	let_go($lock);
	ok(until_true(\&all_folded), 'the fold ends');
	my ($other) = grep { told($_, 'fold_elsewhere') >= 3 } @gw;
	ok($other && until_true(sub { told($other, 'folded') >= 1 }), 'and then the other one has its turn');
	$_->finish for @gw;
	return;
}

# What a gateway waits for is nothing that a role without rights can hold.
sub a_stranger
{
	asked('CREATE ROLE stranger');
	my $lock = hold(q{SET ROLE stranger; SELECT pg_advisory_lock(hashtextextended('vsm-gateway fold', 0)), pg_advisory_lock(0), pg_advisory_lock(0, 0)});
	late_move('default');
	my $gw = Service->start($node, options => \@often);
	ok(until_true(\&all_folded), 'a stranger with advisory locks keeps nobody from folding');
	is(scalar told($gw, 'fold_elsewhere'), 0, 'nor is it taken for a gateway');
	let_go($lock);
	my ($out, $errors) = ('', '');
	$node->psql('postgres', 'SET ROLE stranger; SELECT vsm._fold_turn()', stdout => \$out, stderr => \$errors);
	like($errors, qr/permission denied/, 'it cannot take the turn to fold');
	$gw->finish;
	return;
}

# During a fold, and during the wait for requests.
sub ends_at_once
{
	my $lock = hold('SELECT pg_advisory_xact_lock(42)');
	late_move('default');
	my $gw = Service->start($node, options => [ @often, qw(--drain-timeout 300) ]);
	ok(until_true(sub { sessions("state = 'active' AND query ~ 'vsm.fold'") == 1 }), 'a fold is under way');
	$gw->finish;
	ok(until_true(sub { sessions() == 0 }), 'the server has noticed that nobody wants it any more');
	is(asked('SELECT count(*) > 0 FROM vsm._marks'), 't', 'it has left nothing');
	let_go($lock);
	$gw = Service->start($node, options => \@often);
	ok(until_true(\&all_folded), 'the next gateway does it');
	$gw->finish;
	return;
}

sub comes_back
{
	my $gw = Service->start($node, options => \@often);
	ok(until_true(sub { told($gw, 'folded') >= 1 }), 'a gateway folds');
	my $pid = asked(q{SELECT pg_terminate_backend(pid), pid FROM pg_stat_activity WHERE application_name = 'vsm-gateway fold'}) =~ s/.*\|//r;
	late_move('other');
	ok(until_true(\&all_folded), 'and again after its session was terminated');
	is(sessions("pid <> $pid"), 1, 'in another session');
	cmp_ok(scalar told($gw, 'fold_connection_lost'), '>=', 1, 'the log tells of it');
	$node->restart;
	late_move('other');
	ok(until_true(\&all_folded), 'and again after a restart of the server');
	$gw->eventually('/ready', 200);
	$gw->finish;
	return;
}

sub one_stream_fails
{
	asked(q{
		CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN RAISE EXCEPTION 'the "disk" is full' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER broken BEFORE INSERT ON vsm._spans FOR EACH ROW WHEN (new.stream_id = 1) EXECUTE FUNCTION public.broken()});
	late_move('default');
	late_move('other');
	my $gw = Service->start($node, options => [ qw(--fold-interval 1) ]);
	ok(until_true(sub { told($gw, 'fold_failed') >= 2 }), 'an error is in the log each time');
	my ($line) = told($gw, 'fold_failed');
	is_deeply([ @$line{qw(level stream sqlstate)} ], [ qw(error default 53100) ], 'with stream and SQLSTATE');
	like($line->{reason}, qr/^ERROR:  the "disk" is full$/, 'and the message');
	is(asked('SELECT string_agg(DISTINCT stream_id::text, $$,$$) FROM vsm._marks'), 1, 'the other stream is folded all the same');
	asked('DROP TRIGGER broken ON vsm._spans; DROP FUNCTION public.broken');
	ok(until_true(\&all_folded), 'and this one once it can be');
	$gw->finish;
	return;
}

# Behind somebody's lock a fold gives up, and tries again.
sub waits_for_nobody
{
	my $lock = hold("SELECT vsm._lock_fold(1)");
	my $gw = Service->start($node, options => \@often);
	ok(until_true(sub { told($gw, 'fold_put_off') >= 1 }), 'a fold does not wait for long');
	is(scalar told($gw, 'fold_failed'), 0, 'and that is no error');
	let_go($lock);
	ok(until_true(sub { told($gw, 'folded') >= 1 }), 'it goes on');
	$gw->finish;
	return;
}

# The user of the gateway has no rights but to become others.
sub may_not
{
	asked(q{CREATE ROLE app_reader; SELECT vsm.grant_access('app_reader', 'reader'); CREATE ROLE gate LOGIN NOINHERIT});
	late_move('default');
	my $url = url($node) =~ s/user=[^&]*/user=gate/r;
	my $before = -s $node->logfile;
	my $gw = Service->start($node, url => $url, options => \@often);
	ok(rounds(3), 'a gateway whose user has no rights goes on');
	my @lines = told($gw, 'fold_.*');
	is(join(' ', map { "$_->{level} $_->{event}" } @lines), 'warning fold_not_allowed', 'and says so once');
	is($lines[0]{reason}, 'Role "gate" has no access to vsm.', 'with the reason');
	like($lines[0]{hint}, qr/--fold-role.*reader.*--fold-interval=0/, 'and what to do');
	is(sessions(), 1, 'in one session');
	$gw->finish;

	$gw = Service->start($node, url => $url, options => [ @often, qw(--fold-role app_reader) ]);
	ok(rounds(3), 'nor does one whose user cannot become --fold-role');
	@lines = told($gw, 'fold_.*');
	is(scalar @lines, 1, 'which the log says once');
	like($lines[0]{reason}, qr/cannot become the role/, 'too');
	is(slurp_file($node->logfile, $before) =~ s/^(?!.*(?:ERROR|FATAL)).*\n//mgr, '', 'the log of the server has no errors of that');
	isnt(asked('SELECT count(*) FROM vsm._marks'), 0, 'nothing was folded');
	asked('GRANT app_reader TO gate');
	ok(until_true(\&all_folded), 'once it can, it folds');
	$gw->finish;
	return;
}

sub limited
{
	asked(q{CREATE ROLE team; SELECT vsm.grant_access('team', 'reader', 'other'); GRANT team TO gate});
	late_move($_) for qw(default other);
	my $url = url($node) =~ s/user=[^&]*/user=gate/r;
	my $gw = Service->start($node, url => $url, options => [ @often, qw(--fold-role team) ]);
	ok(until_true(sub { told($gw, 'folded') >= 3 }), 'a role that sees one stream folds');
	is((told($gw, 'folded'))[0]{streams}, 1, 'that one');
	is(asked('SELECT string_agg(DISTINCT stream_id::text, $$,$$) FROM vsm._marks'), 1, 'and not the other');
	is(scalar told($gw, 'fold_.*'), 0, 'without a complaint');
	$gw->finish;

	# with tokens, health needs no token and tells nobody how many days wait
	$gw = Service->start($node, url => $url, options => [ @often, qw(--fold-role app_reader --anonymous-role app_reader), '--jwt-secret', 'a secret of at least thirty-two bytes, as HS256 wants it' ]);
	ok(until_true(\&all_folded), 'a gateway with tokens folds');
	my $health = $gw->get('/api/v1/health')->{json};
	is($health->{status}, 'UP', 'its health is well');
	ok(exists $health->{fold_days_waiting} && !defined $health->{fold_days_waiting}, 'and does not tell how many days wait');
	like($gw->get('/metrics')->{content}, qr/^vsm_fold_days_waiting\{stream="default"\} 0$/m, 'a scrape does');
	$gw->finish;
	return;
}

sub on_a_standby
{
	$node->backup('for_standby');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'for_standby', has_streaming => 1);
	$standby->start;
	late_move('default');
	$node->wait_for_catchup($standby, 'replay');
	my $gw = Service->start($standby, options => \@often);
	ok(rounds(3, $standby), 'on a standby a gateway looks at each interval whether it is one still');
	my $waiting = asked(q{SELECT vsm_api.health() ->> 'fold_days_waiting'});
	cmp_ok($waiting, '>', 0, 'the days that a late move has changed wait');
	is($gw->get('/api/v1/health')->{json}{fold_days_waiting}, $waiting, 'it knows what waits on the primary');
	is(scalar told($gw, 'fold.*'), 0, 'but neither folds nor complains');
	is(slurp_file($standby->logfile) =~ s/^(?!.*ERROR).*\n//mgr, '', 'nor does the server');
	$standby->promote;
	ok(until_true(sub { all_folded($standby) }), 'after the promotion it folds');
	$gw->eventually('/ready', 200);
	$gw->finish;
	$standby->stop;
	return;
}
