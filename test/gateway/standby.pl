# standby.pl: on a server that takes no writes reads are answered, writes say that nothing was written, and connections stay
#
# The server is a real standby, which is promoted, and then a primary that an administrator has made read-only.

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
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('primary', 'wal_level = replica', 'max_wal_senders = 10');
$node->safe_psql('postgres', q{
	SELECT vsm.define_stream('default');
	CREATE ROLE app_writer; CREATE ROLE gate LOGIN NOINHERIT;
	SELECT vsm.grant_access('app_writer', 'writer');
	GRANT app_writer TO gate});
my $id = $node->safe_psql('postgres', q{SELECT id FROM vsm.create_work_item('an item')});

promoted();
read_only();
several_hosts();

$node->stop;
done_testing();

sub standby
{
	my ($name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$node->backup($name);
	$standby->init_from_backup($node, $name, has_streaming => 1);
	$standby->start;
	return $standby;
}

sub token
{
	my $text = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url('{"role":"app_writer"}');
	return (authorization => "Bearer $text." . encode_base64url(hmac_sha256($text, $secret)));
}

# With and without tokens, which send their statements in different ways.
sub gateways
{
	my ($server) = @_;
	return (Service->start($server, options => [ qw(--pool-size 2) ]),
		Service->start($server, url => url($server) =~ s/user=[^&]*/user=gate/r, options => [ '--jwt-secret', $secret, '--pool-size', 2 ]));
}

sub sessions
{
	my ($server) = @_;
	return $server->safe_psql('postgres', q{SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'vsm-gateway'});
}

sub writes
{
	my ($gw) = @_;
	return (
		$gw->post('/api/v1/work-items', { title => 'refused', type => 'bug' }, token()),
		$gw->put("/api/v1/work-items/$id/transition", { to_stage => 'Testing' }, token()),
		$gw->request('DELETE', "/api/v1/work-items/$id", undef, token()),
		$gw->post('/api/v1/import', "case_id,stage,entered_at\nrefused,Backlog,2025-05-01\n", token(), 'content-type' => 'text/csv'),
		$gw->post('/api/v1/import', qq({"case_id":"refused","stage":"Backlog","entered_at":"2025-05-01"}\n) x 20_000, token(), 'content-type' => 'application/x-ndjson'));
}

sub takes_no_writes
{
	my ($gw, $how) = @_;
	for my $got (writes($gw))
	{
		is($got->{status}, 503, "$how: a write is refused") or diag($got->{content});
		like($got->{headers}{'retry-after'} // '', qr/^\d+$/, "$how: with Retry-After");
		is($got->{content}, '{"detail":"The database is read-only; nothing was written","code":"25006"}', "$how: and says that nothing was written");
	}
	is($gw->get($_, token())->{status}, 200, "$how: GET $_") for '/api/v1/stages', "/api/v1/work-items/$id/history", '/api/v1/metrics', '/metrics', '/ready', '/ready?write=false', '/ready?other';
	is($gw->get('/api/v1/health')->{json}{status}, 'UP', "$how: health is well");
	for my $query (qw(write write= write=true write=1))
	{
		my $got = $gw->get("/ready?$query");
		is($got->{status}, 503, "$how: /ready?$query is not ready");
		like($got->{headers}{'retry-after'} // '', qr/^\d+$/, "$how: with Retry-After");
		is($got->{json}{detail}, 'Service not ready: the database is read-only', "$how: and says why");
	}
	is($gw->get('/ready?write=maybe')->{status}, 422, "$how: /ready?write=maybe is no question");
	like($gw->get('/metrics', token())->{content}, qr/^vsm_pool_connections_lost_total 0$/m, "$how: no connection was lost");
	return;
}

sub takes_writes
{
	my ($gw, $how) = @_;
	is($gw->eventually('/ready?write', 200)->{content}, '{"status":"READY"}', "$how: /ready?write");
	is($gw->post('/api/v1/work-items', { title => $how, type => 'bug' }, token())->{status}, 201, "$how: a write is answered") for 1 .. 4;
	is($gw->post('/api/v1/import', "case_id,stage,entered_at\n$how,Backlog,2025-05-01\n", token(), 'content-type' => 'text/csv')->{status}, 200, "$how: and an import");
	return;
}

sub promoted
{
	my $standby = standby('promoted');
	my @gw = gateways($standby);
	$_->eventually('/ready', 200) for @gw;
	ok($standby->poll_query_until('postgres', q{SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name = 'vsm-gateway' AND state = 'idle'}), 'two gateways have their connections');
	my $before = sessions($standby);
	takes_no_writes($_, 'on a standby') for @gw;
	is(sessions($standby), $before, 'on a standby: the connections are the same');
	$standby->promote;
	takes_writes($_, 'once promoted') for @gw;
	is(sessions($standby), $before, 'once promoted: the connections are the same');
	$_->finish for @gw;
	is($standby->safe_psql('postgres', q{SELECT count(*) FROM vsm.work_items WHERE title = 'refused'}), 0, 'nothing that was refused is there');
	$standby->stop;
	return;
}

sub read_only
{
	my @gw = gateways($node);
	takes_writes($_, 'a primary') for @gw;
	my $before = sessions($node);
	$node->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on');
	$node->reload;
	$_->eventually('/ready?write', 503) for @gw;
	takes_no_writes($_, 'made read-only') for @gw;
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET default_transaction_read_only');
	$node->reload;
	takes_writes($_, 'as before') for @gw;
	is(sessions($node), $before, 'as before: the connections are the same');
	$_->finish for @gw;
	return;
}

# The first of two hosts is away at the start, so that the gateway finds the standby; a write makes it look again.
sub several_hosts
{
	my $standby = standby('second');
	my $url = sprintf 'postgresql:///postgres?host=%s,%s&port=%d,%d&user=%s', $node->host, $standby->host, $node->port, $standby->port, scalar getpwuid($<);
	$node->stop;
	my $gw = Service->start($node, url => $url, options => [ qw(--pool-size 2) ]);
	is($gw->eventually('/ready', 200)->{status}, 200, 'the primary is away: reads go to the standby');
	is($gw->get('/ready?write')->{status}, 503, 'which takes no writes');
	for (1 .. 40)
	{
		is($gw->post('/api/v1/work-items', { title => 'refused', type => 'bug' })->{json}{code}, '25006', 'and says so each time') or last;
	}
	my $opened = () = slurp_file($standby->logfile) =~ /connection authorized.*application_name=vsm-gateway\b/g;
	cmp_ok($opened, '<', 40, "looking for another server has not cost a connection for each: $opened") if $opened;
	$node->start;
	my ($waiting, $last) = (seconds_left(60), 0);
	while ($waiting->() && $last < 10)
	{
		my $got = $gw->post('/api/v1/work-items', { title => 'again', type => 'bug' });
		$last = $got->{status} == 201 ? $last + 1 : 0;
		sleep 0.1 if $got->{status} != 201;
	}
	is($last, 10, 'when the primary is back, all writes go there');
	is($gw->get('/ready?write')->{status}, 200, 'and the gateway is ready for them');
	$gw->finish;
	is($node->safe_psql('postgres', q{SELECT count(*) FROM vsm.work_items WHERE title = 'refused'}), 0, 'nothing that was refused is there');
	$standby->stop;
	return;
}
