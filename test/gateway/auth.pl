# auth.pl: who has no good token gets nothing, and who has one gets what the role may do, no more
#
# Tokens are made here, with nothing but HMAC-SHA256 and the openssl program.  The rights are those of the database's roles.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('auth');
$node->safe_psql('postgres', q{
	CREATE ROLE app_reader; CREATE ROLE app_writer; CREATE ROLE app_admin; CREATE ROLE app_stranger; CREATE ROLE app_anonymous; CREATE ROLE other_team;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT app_reader, app_writer, app_admin, app_stranger, app_anonymous TO gate;
	SELECT vsm.define_stream('default');
	SELECT vsm.grant_access('app_reader', 'reader'), vsm.grant_access('app_writer', 'writer'), vsm.grant_access('app_admin', 'admin'),
		vsm.grant_access('app_anonymous', 'reader'), vsm.grant_access('other_team', 'admin')});
my $url = url($node) =~ s/user=[^&]*/user=gate/r;

hs256();
quiet_server();
anonymous();
rs256();

$node->stop;
done_testing();

sub token
{
	my ($header, $claims, $sign) = @_;
	my $text = encode_base64url($header) . '.' . encode_base64url($claims);
	return "$text." . encode_base64url($sign->($text));
}

sub hs
{
	my ($claims, $key) = @_;
	return token('{"alg":"HS256","typ":"JWT"}', $claims, sub { hmac_sha256($_[0], $key // $secret) });
}

sub try_token
{
	my ($gw, $method, $token, $body) = @_;
	my $path = $method eq 'GET' ? '/api/v1/stages' : '/api/v1/work-items';
	return $gw->request($method, $path, $method eq 'POST' ? '{"title":"by token","type":"bug"}' : undef, defined $token ? (authorization => "Bearer $token") : ());
}

sub status_is
{
	my ($got, $status, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got->{status}, $status, $name) or diag($got->{content});
	unlike($got->{content}, qr/SELECT|vsm_api\.|line \d|schema vsm|SQL|function/i, "$name: no internals in the answer") if $status >= 400;
	return;
}

# The refusal names the level, and nothing that there is.
sub needs_level
{
	my ($got, $level, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	status_is($got, 403, $name);
	is_deeply([ map { $got->{json}{$_} } qw(detail code) ], [ 'Permission denied', '42501' ], "$name: in the form of the contract");
	like($got->{json}{hint} // '', qr/^This needs a role with level $level.*; an administrator gives roles their level\.$/, "$name: with the level");
	return;
}

# 401 says how to come in.
sub shut_out
{
	my ($gw, $name, $token) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $got = try_token($gw, 'GET', $token);
	status_is($got, 401, $name);
	like($got->{headers}{'www-authenticate'} // '', qr/^Bearer/, "$name: with a challenge");
	is(try_token($gw, 'POST', $token)->{status}, 401, "$name: nor by POST");
	return;
}

sub hs256
{
	my $gw = Service->start($node, url => $url, options => [ '--jwt-secret', $secret, '--jwt-aud', 'vsm' ]);
	my $now = time;
	my $in = $now + 3600;
	my $good = sub { hs(qq({"role":"$_[0]","exp":$in,"aud":"vsm"})) };

	status_is(try_token($gw, 'GET', $good->('app_reader')), 200, 'a reader reads');
	needs_level(try_token($gw, 'POST', $good->('app_reader')), 'writer or admin', 'a reader does not write');
	status_is(try_token($gw, 'GET', $good->('app_writer')), 200, 'a writer reads');
	status_is(try_token($gw, 'POST', $good->('app_writer')), 201, 'a writer writes');
	status_is(try_token($gw, 'POST', $good->('app_admin')), 201, 'an admin writes');
	needs_level(try_token($gw, 'GET', $good->('app_stranger')), 'reader, writer or admin', 'a role without rights does not read');
	status_is(try_token($gw, 'POST', $good->('app_reader')), 403, 'and a reader does not write after a writer has: the role ends with the request');

	for my $definition ([ POST => 'streams', '{"name":"x"}' ], [ PUT => 'streams/default', '{"time_zone":"Europe/Berlin"}' ], [ DELETE => 'streams/default' ],
		[ POST => 'stages', '{"name":"x"}' ], [ PUT => 'stages/1', '{"name":"x"}' ], [ DELETE => 'stages/1' ],
		[ POST => 'types', '{"name":"x"}' ], [ PUT => 'types/bug', '{"name":"x"}' ], [ DELETE => 'types/bug' ],
		[ PUT => 'streams/default/sle', '{"elapsed":"5 days","probability":0.85}' ],
		[ PUT => 'days-off/2026-05-01' ], [ DELETE => 'days-off/2026-05-01' ])
	{
		my ($method, $path, $body) = @$definition;
		needs_level($gw->request($method, "/api/v1/$path", $body, authorization => 'Bearer ' . $good->('app_writer')), 'admin', "a writer does not define: $method $path");
	}
	status_is($gw->request('POST', '/api/v1/types', '{"name":"by an admin"}', authorization => 'Bearer ' . $good->('app_admin')), 201, 'an admin does');

	# an import needs what other writing needs, and only its trial less
	my $import = sub {
		my ($role, $query) = @_;
		return $gw->request('POST', "/api/v1/import$query", "case_id,stage,entered_at\nA-1,Backlog,2026-01-05T10:00:00Z\n",
			authorization => 'Bearer ' . $good->($role), 'content-type' => 'text/csv');
	};
	needs_level($import->('app_reader', ''), 'writer or admin', 'a reader does not import');
	needs_level($import->('app_stranger', '?dry_run=true'), 'writer or admin', 'a role without rights does not try an import');
	status_is($import->('app_reader', '?dry_run=true'), 200, 'a reader tries an import');

	# a role of single streams, one of which it only sees and one not at all
	$node->safe_psql('postgres', q{SELECT vsm.define_stream('hidden'), vsm.define_stream('shown'); CREATE ROLE app_team; GRANT app_team TO gate;
		SELECT vsm.grant_access('app_team', 'writer', 'default'), vsm.grant_access('app_team', 'reader', 'shown')});
	my $team = sub { $gw->post('/api/v1/work-items', { title => 'x', type => 'bug', stream => $_[0] }, authorization => 'Bearer ' . $good->('app_team')) };
	needs_level($team->('shown'), 'writer or admin of the stream', 'a stream that the role only sees');
	my ($hidden, $absent) = map { $team->($_) } qw(hidden absent);
	status_is($hidden, 404, 'one that it does not see');
	is($hidden->{content} =~ s/hidden/absent/r, $absent->{content}, 'is as one that there is not');

	my $id = try_token($gw, 'POST', $good->('app_writer'))->{json}{id};
	is($node->safe_psql('postgres', "SELECT DISTINCT actor FROM vsm.history($id)"), 'app_writer', 'the ledger names the role of the token');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items'), 3, 'what was refused has left nothing');

	shut_out($gw, 'no token', undef);
	shut_out($gw, 'an empty token', '');
	shut_out($gw, 'no token at all but a word', 'letmein');
	shut_out($gw, 'two parts', join '.', (split /\./, $good->('app_writer'))[ 0, 1 ]);
	shut_out($gw, 'a very long token', 'a' x 4000 . '.b.c');
	shut_out($gw, 'an expired one', hs(sprintf '{"role":"app_writer","exp":%d,"aud":"vsm"}', $now - 3600));
	shut_out($gw, 'one not valid yet', hs(sprintf '{"role":"app_writer","exp":%d,"nbf":%d,"aud":"vsm"}', $in, $now + 1800));
	shut_out($gw, 'one with another key', hs(qq({"role":"app_writer","exp":$in,"aud":"vsm"}), 'another secret that has also got more than 32 bytes'));
	shut_out($gw, 'one with an empty key', hs(qq({"role":"app_writer","exp":$in,"aud":"vsm"}), ''));
	shut_out($gw, 'one for others', hs(qq({"role":"app_writer","exp":$in,"aud":"elsewhere"})));
	shut_out($gw, 'one for others among several', hs(qq({"role":"app_writer","exp":$in,"aud":["elsewhere","there"]})));
	status_is(try_token($gw, 'GET', hs(qq({"role":"app_reader","exp":$in,"aud":["elsewhere","vsm"]}))), 200, 'one for several, of which this is one');
	for my $none (qw(none None NONE nOnE))
	{
		shut_out($gw, "the algorithm $none", token(qq({"alg":"$none","typ":"JWT"}), qq({"role":"app_writer","exp":$in,"aud":"vsm"}), sub { '' }));
	}
	shut_out($gw, 'none, with a signature', token('{"alg":"none"}', qq({"role":"app_writer","exp":$in,"aud":"vsm"}), sub { hmac_sha256($_[0], $secret) }));
	shut_out($gw, 'no algorithm', token('{"typ":"JWT"}', qq({"role":"app_writer","exp":$in,"aud":"vsm"}), sub { hmac_sha256($_[0], $secret) }));
	shut_out($gw, 'a changed role', join '.', map { my @p = split /\./, $good->('app_reader'); $p[1] = encode_base64url(qq({"role":"app_admin","exp":$in,"aud":"vsm"})); @p } 1);
	shut_out($gw, 'claims that are no JSON', hs('{"role":'));
	shut_out($gw, 'claims that are no object', hs('["app_writer"]'));
	shut_out($gw, 'an exp that is no time', hs('{"role":"app_writer","exp":"soon","aud":"vsm"}'));
	refused_role($gw, $_, hs($_)) for qq({"exp":$in,"aud":"vsm"}), map { qq({"role":$_,"exp":$in,"aud":"vsm"}) }
		'"nobody_knows"', '"postgres"', '"other_team"', '"gate"', '5', 'null', '""', '["app_writer"]', '"none"', '"app_writer; RESET ROLE"', '"app_\u0000writer"';

	my $basic = $gw->get('/api/v1/stages', authorization => 'Basic dXNlcjpwYXNz');
	status_is($basic, 401, 'another scheme');
	status_is($gw->get('/api/v1/stages', authorization => 'bearer ' . $good->('app_reader')), 200, 'the name of the scheme has no case');
	is($gw->get($_)->{status}, 200, "$_ needs no token") for qw(/live /ready /api/v1/health);
	unlike($gw->log, qr/\Q$secret\E|eyJ/, 'neither the secret nor a token is in the log');
	$gw->finish;
	return;
}

# A session that does only what it may leaves no error in the server's log, nor do the probes.
sub quiet_server
{
	my $before = -s $node->logfile;
	my $gw = Service->start($node, url => $url, options => [ '--jwt-secret', $secret ]);
	my $in = time + 3600;
	is($gw->eventually('/ready', 200)->{status}, 200, 'with tokens it is ready');
	is($gw->get('/api/v1/health')->{json}{status}, 'UP', 'and health says UP');
	status_is(try_token($gw, 'GET', hs(qq({"role":"app_reader","exp":$in}))), 200, 'a reader reads');
	status_is(try_token($gw, 'POST', hs(qq({"role":"app_writer","exp":$in}))), 201, 'a writer writes');
	is($gw->get('/metrics', authorization => 'Bearer ' . hs(qq({"role":"app_reader","exp":$in})))->{status}, 200, 'the figures are scraped');
	$gw->finish;
	my @errors = grep { /\b(ERROR|FATAL|WARNING):/ } split /\n/, substr slurp_file($node->logfile), $before;
	is(join("\n", @errors), '', "and the server's log has no error of it");
	return;
}

# Without a role, or with one that the gateway's user is not a member of, every request is refused.
sub refused_role
{
	my ($gw, $claims, $token) = @_;
	for my $method (qw(GET POST))
	{
		my $got = try_token($gw, $method, $token);
		like($got->{status}, qr/^40[13]$/, "$method with claims $claims is refused") or diag($got->{content});
	}
	return;
}

sub anonymous
{
	my $gw = Service->start($node, url => $url, options => [ '--jwt-secret', $secret, '--anonymous-role', 'app_anonymous' ]);
	my $in = time + 3600;
	status_is(try_token($gw, 'GET', undef), 200, 'with an anonymous role one reads without a token');
	status_is(try_token($gw, 'POST', undef), 401, 'but does not write, and learns that a token is needed');
	status_is(try_token($gw, 'POST', hs(qq({"role":"app_writer","exp":$in}))), 201, 'with a token one does');
	status_is(try_token($gw, 'GET', hs(sprintf '{"role":"app_reader","exp":%d}', time - 60)), 401, 'a bad token does not make one anonymous');
	status_is(try_token($gw, 'GET', hs(qq({"exp":$in}))), 200, 'a good one without a role does');
	$gw->finish;
	return;
}

sub openssl
{
	my (@command) = @_;
	system_or_bail('openssl', @command);
	return;
}

sub rs
{
	my ($key, $claims, $header) = @_;
	return token($header // '{"alg":"RS256","typ":"JWT"}', $claims, sub {
		my ($text) = @_;
		my ($in, $out) = (file('signed'), file('signature'));
		unlink $in;
		append_to_file($in, $text);
		openssl('dgst', '-sha256', '-sign', $key, '-out', $out, $in);
		return slurp_file($out);
	});
}

sub rs256
{
	my ($key, $public, $other) = map { file($_) } qw(key public other);
	for my $name ($key, $other)
	{
		openssl(qw(genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out), $name);
	}
	openssl('pkey', '-in', $key, '-pubout', '-out', $public);
	my $gw = Service->start($node, url => $url, options => [ '--jwt-public-key-file', $public ]);
	my $in = time + 3600;
	my $claims = qq({"role":"app_writer","exp":$in});

	status_is(try_token($gw, 'POST', rs($key, $claims)), 201, 'a token signed with the private key writes');
	shut_out($gw, 'one signed with another key', rs($other, $claims));
	shut_out($gw, 'the public key as the secret of HS256', hs($claims, slurp_file($public)));
	shut_out($gw, 'the same without the last newline', hs($claims, slurp_file($public) =~ s/\n\z//r));
	shut_out($gw, 'a signature of RS256 called HS256', rs($key, $claims, '{"alg":"HS256","typ":"JWT"}'));
	shut_out($gw, 'none', token('{"alg":"none"}', $claims, sub { '' }));
	shut_out($gw, 'an expired one', rs($key, sprintf '{"role":"app_writer","exp":%d}', time - 60));
	$gw->finish;

	$gw = Service->start($node, url => $url, options => [ '--jwt-secret', $secret ]);
	shut_out($gw, 'RS256 where a secret is expected', rs($key, $claims));
	$gw->finish;
	return;
}
