# tokens.pl: tokens of real providers are taken, whatever they look like, and only those
#
# Tokens are made by PyJWT (provider.py), with the claims of Keycloak, Auth0, Entra ID, Google and Cognito; the same program publishes
# the keys.  auth.pl tests what a role may do, and tokens signed with a secret.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use FindBin;
use IPC::Open2;
use IPC::Run;
use MIME::Base64 qw(encode_base64url decode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use RawHttp;
use Service;

system('/usr/bin/python3 -c "import jwt, cryptography" >/dev/null 2>&1') == 0 or plan skip_all => 'python3-jwt is not installed';

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref->canonical;
my $provider_pid = open2(my $from, my $to, "$FindBin::RealBin/provider.py");
my $port = $json->decode(scalar readline $from)->{port};
my $jwks_url = "http://127.0.0.1:$port/keys";
my $in = time + 3600;

my $node = database('tokens');
$node->safe_psql('postgres', q{
	CREATE ROLE app_reader; CREATE ROLE app_writer; CREATE ROLE "example.com"; CREATE ROLE gate LOGIN NOINHERIT;
	GRANT app_reader, app_writer, "example.com" TO gate;
	SELECT vsm.define_stream('default');
	SELECT vsm.grant_access('app_reader', 'reader'), vsm.grant_access('app_writer', 'writer'), vsm.grant_access('"example.com"', 'writer')});
my $url = url($node) =~ s/user=[^&]*/user=gate/r;

my %key = map { ($_ => key($_, /^rsa/ ? 'RSA' : $_)) } qw(rsa rsa2 P-256 P-384 P-521);

providers();
actors();
algorithms();
hostile();
paths();
files();
rotation();
waiting();
away();
unusable_at_the_start();
hangs();
becomes_a_pipe();
refused_at_the_start();

close $to;
waitpid $provider_pid, 0;
$node->stop;
done_testing();

# ---- The provider ----

sub ask
{
	my (%command) = @_;
	print {$to} $json->encode(\%command), "\n";
	$to->flush;
	return $json->decode(scalar readline $from);
}

sub key
{
	my ($kid, $kind, %more) = @_;
	return ask(do => 'key', kid => $kid, kind => $kind, %more);
}

sub sign
{
	my ($kid, $alg, $claims, @header) = @_;
	return ask(do => 'sign', kid => $kid, alg => $alg, claims => $claims, (@header ? (header => $header[0]) : ()))->{token};
}

sub jwks
{
	return { keys => [ map { ref $_ ? $_ : $key{$_}{jwk} } @_ ] };
}

sub publish
{
	my (@keys) = @_;
	ask(do => 'publish', jwks => jwks(@keys));
	return;
}

sub hits
{
	return ask(do => 'hits')->{hits};
}

# ---- The gateway ----

sub gateway
{
	my (@options) = @_;
	return Service->start($node, url => $url, options => \@options);
}

sub bearer
{
	return (authorization => "Bearer $_[0]");
}

sub create
{
	my ($gw, $token) = @_;
	return $gw->request('POST', '/api/v1/work-items', { title => 'by token', type => 'bug' }, bearer($token));
}

sub status_of
{
	my ($gw, $token) = @_;
	return $gw->get('/api/v1/stages', bearer($token))->{status};
}

sub write_file
{
	my ($name, $text) = @_;
	my $path = file($name);
	unlink "$path.new";
	append_to_file("$path.new", ref $text ? $json->encode($text) : $text);
	rename "$path.new", $path;
	return $path;
}

# ---- Tests ----

# Claims as each provider's documents show them, with the options that doc/gateway.md gives.
sub providers
{
	my $now = time;
	my %times = (exp => $now + 300, iat => $now);
	my @providers = (
		{ name => 'Keycloak', kid => 'rsa', alg => 'RS256', actor => 'anna@example.com',
			options => [ '--jwt-aud=vsm', '--jwt-role-claim=.realm_access.roles[?(@ ^== "app_")]' ],
			claims => { %times, auth_time => $now, jti => 'c6f0', iss => 'https://sso.example.com/realms/flow', aud => [ 'vsm', 'account' ],
				sub => 'b3e1c8a6-1d0f-4f57-9c5a-0c8d2f6f1f11', typ => 'Bearer', azp => 'board', acr => '1', sid => '99',
				'allowed-origins' => ['https://board.example.com'],
				realm_access => { roles => [ 'offline_access', 'app_writer', 'uma_authorization' ] },
				resource_access => { account => { roles => ['manage-account'] } }, scope => 'openid email profile', email_verified => \1,
				name => 'Anna Huber', preferred_username => 'anna', email => 'anna@example.com' } },
		{ name => 'Auth0', kid => 'rsa', alg => 'RS256', actor => 'auth0|65a1f0c2d3',
			options => [ '--jwt-aud=https://vsm.example.com', '--jwt-iss=https://flow.eu.auth0.com/', '--jwt-role-claim=."https://example.com/role"' ],
			claims => { %times, iss => 'https://flow.eu.auth0.com/', sub => 'auth0|65a1f0c2d3', azp => 'x7', scope => 'openid profile',
				aud => [ 'https://vsm.example.com', 'https://flow.eu.auth0.com/userinfo' ], 'https://example.com/role' => 'app_writer' } },
		{ name => 'Entra ID', kid => 'rsa', alg => 'RS256', actor => 'anna@example.com',
			options => [ '--jwt-aud=6e74172b-be56-4843-9ff4-e66a39bb12e3', '--jwt-iss=https://login.microsoftonline.com/72f988bf/v2.0',
				'--jwt-role-claim=.roles[0]', '--jwt-actor-claim=preferred_username,oid' ],
			claims => { %times, nbf => $now, aud => '6e74172b-be56-4843-9ff4-e66a39bb12e3', iss => 'https://login.microsoftonline.com/72f988bf/v2.0',
				azp => 'a1', azpacr => '0', name => 'Anna Huber', oid => 'fbcd', preferred_username => 'anna@example.com', rh => '0.A',
				roles => ['app_writer'], scp => 'access', sub => 'HKZpfaHyWadeOouYlitjrI', tid => '72f988bf', uti => 'f', ver => '2.0' } },
		{ name => 'Google', kid => 'rsa', alg => 'RS256', actor => 'anna@example.com',
			options => [ '--jwt-aud=1234.apps.googleusercontent.com', '--jwt-iss=https://accounts.google.com', '--jwt-role-claim=hd' ],
			claims => { %times, iss => 'https://accounts.google.com', azp => '1234.apps.googleusercontent.com', aud => '1234.apps.googleusercontent.com',
				sub => '110169484474386276334', hd => 'example.com', email => 'anna@example.com', email_verified => \1, at_hash => 'HK6E' } },
		{ name => 'Cognito', kid => 'rsa', alg => 'RS256', actor => 'anna@example.com',
			options => [ '--jwt-aud=xxxxxxxxxxxxexample', '--jwt-iss=https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x', '--jwt-role-claim=."cognito:groups"[0]' ],
			claims => { %times, sub => 'aaaaaaaa-bbbb', 'cognito:groups' => ['app_writer'], email_verified => \1, token_use => 'id', auth_time => $now,
				iss => 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x', 'cognito:username' => 'anna', aud => 'xxxxxxxxxxxxexample',
				email => 'anna@example.com', event_id => 'e' } },
	);
	# Keycloak publishes a key for encryption, too, and others may publish kinds that are unknown here.
	publish('rsa', 'P-256', { %{ $key{rsa2}{jwk} }, use => 'enc', alg => 'RSA-OAEP' }, { kty => 'OKP', crv => 'Ed25519', x => 'AA', kid => 'okp' });
	for my $p (@providers)
	{
		my $gw = gateway("--jwks-url=$jwks_url", @{ $p->{options} });
		my $made = create($gw, sign($p->{kid}, $p->{alg}, $p->{claims}));
		is($made->{status}, 201, "$p->{name}: a token writes") or diag($made->{content});
		my $history = $gw->get("/api/v1/work-items/$made->{json}{id}/history", bearer(sign($p->{kid}, $p->{alg}, $p->{claims})));
		is($history->{json}{transitions}[0]{actor}, $p->{actor}, "$p->{name}: the history names the person");
		is(status_of($gw, sign($p->{kid}, $p->{alg}, { %{ $p->{claims} }, exp => $now - 60 })), 401, "$p->{name}: an expired token does not");
		is(status_of($gw, sign($p->{kid}, $p->{alg}, { %{ $p->{claims} }, aud => 'other' })), 401, "$p->{name}: one for another application does not");
		is(status_of($gw, sign($p->{kid}, $p->{alg}, { %{ $p->{claims} }, iss => 'https://evil.example.com' })), 401, "$p->{name}: nor one of another issuer")
			if "@{ $p->{options} }" =~ /jwt-iss/;
		is(status_of($gw, sign('rsa2', 'RS256', $p->{claims}, { alg => 'RS256', kid => 'rsa2' })), 401, "$p->{name}: nor one by the key for encryption");
		$gw->finish;
	}
	return;
}

sub actors
{
	my $file = write_file('actors.json', jwks('rsa'));
	my $gw = gateway("--jwks-file=$file");
	my $actor = sub {
		my ($who) = @_;
		my $token = sign('rsa', 'RS256', { role => 'app_writer', exp => $in, %$who });
		my $id = create($gw, $token)->{json}{id};
		my $moved = $gw->request('PUT', "/api/v1/work-items/$id/transition", { to_stage => 'Analysis', reason => 'capacity free' }, bearer($token));
		is($moved->{status}, 200, 'a move') or diag($moved->{content});
		my @moves = @{ $gw->get("/api/v1/work-items/$id/history", bearer($token))->{json}{transitions} };
		is($moves[1]{reason}, 'capacity free', 'history has its reason');
		is($moves[1]{actor}, $moves[0]{actor}, 'and who made it, as who created it');
		return $moves[1]{actor};
	};
	is($actor->({ email => 'a@b.example', sub => 's' }), 'a@b.example', 'the email names the person');
	is($actor->({ sub => 's-1' }), 's-1', 'else the subject');
	is($actor->({}), 'app_writer', 'else the role');
	is($actor->({ email => 'boss@b.example', email_verified => $_, sub => 's' }), 's', 'an address that nobody has verified names nobody') for \0, 'false', undef;
	is($actor->({ email => 'a@b.example', email_verified => 'true', sub => 's' }), 'a@b.example', 'one that is verified in a string does');
	is($actor->({ email => $_, sub => 's' }), 's', 'what is no name is passed over') for '', 5, [ 'a@b.example' ], "a\nb", 'x' x 256, "a\x7f", "a\x{202e}b", "\x{200b}", "a\x{85}";
	is($actor->({ email => "Bj\x{f6}rn \x{1f600}'); RESET ROLE; --" }), "Bj\x{f6}rn \x{1f600}'); RESET ROLE; --", 'and any text is only text');
	my $token = sign('rsa', 'RS256', { role => 'app_writer', exp => $in, email => 'a@b.example' });
	my $import = $gw->request('POST', '/api/v1/import', "case_id,stage,entered_at\nI-1,Backlog,2026-01-05\n", bearer($token), 'content-type' => 'text/csv');
	is($import->{status}, 200, 'an import') or diag($import->{content});
	is($node->safe_psql('postgres', q{SELECT DISTINCT t.actor FROM vsm.stage_transitions t JOIN vsm.work_items w ON w.id = t.work_item_id WHERE w.external_id = 'I-1'}),
		'a@b.example', 'is by the person, too');
	is($actor->({}), 'app_writer', 'a person is not left to the next request');
	$gw->finish;
	return;
}

# Each key has its algorithms, and no others, whatever is used as a secret.
sub algorithms
{
	my %of = (rsa => [qw(RS256 RS384 RS512 PS256 PS384 PS512)], 'P-256' => ['ES256'], 'P-384' => ['ES384'], 'P-521' => ['ES512']);
	my %hmac = (HS256 => \&hmac_sha256, HS384 => \&hmac_sha384, HS512 => \&hmac_sha512);
	my $secret = 'sixty-four bytes of secret, which is enough for each of HS256-512';
	my $claims = { role => 'app_reader', exp => $in };
	my $oct = { kty => 'oct', kid => 'oct', k => encode_base64url($secret) };
	my $gw = gateway('--jwks-file=' . write_file('all.json', jwks(keys %of, $oct)));
	my $hs = sub {
		my ($alg, $kid, $with) = @_;
		my $text = encode_base64url($json->encode({ alg => $alg, kid => $kid })) . '.' . encode_base64url($json->encode($claims));
		return "$text." . encode_base64url($hmac{$alg}->($text, $with));
	};

	for my $kid (sort keys %of)
	{
		is(status_of($gw, sign($kid, $_, $claims)), 200, "$kid: $_") for @{ $of{$kid} };
		my $alg = $of{$kid}[0];
		is(status_of($gw, sign($kid, $alg, $claims, { alg => $_, kid => $kid })), 401, "$kid: a signature of $alg that is called $_ is refused")
			for grep { $_ ne $alg } 'none', 'None', '', 'ES256K', 'EdDSA', sort(keys %hmac), map { @$_ } values %of;
		my $der = decode_base64(join '', grep { !/-----/ } split /\n/, $key{$kid}{pem});
		for my $with ($key{$kid}{pem}, $key{$kid}{pem} =~ s/\n\z//r, $der, $json->encode($key{$kid}{jwk}), $key{$kid}{jwk}{n} // $key{$kid}{jwk}{x}, '')
		{
			is(status_of($gw, $hs->($_, $kid, $with)), 401, "$kid: its public key is not the secret of $_") for sort keys %hmac;
		}
	}
	is(status_of($gw, $hs->($_, 'oct', $secret)), 200, "a secret: $_") for sort keys %hmac;
	is(status_of($gw, $hs->($_, 'rsa', $secret)), 401, "a secret by the name of another key: $_") for sort keys %hmac;
	$gw->finish;

	$gw = gateway('--jwks-file=' . write_file('one.json', { %{ $key{rsa}{jwk} }, alg => 'PS384' }));
	is(status_of($gw, sign('rsa', $_, $claims)), $_ eq 'PS384' ? 200 : 401, "a key for PS384 only: $_") for @{ $of{rsa} };
	$gw->finish;

	for my $kid (sort keys %of)
	{
		$gw = gateway('--jwt-public-key-file=' . write_file("$kid.pem", $key{$kid}{pem}));
		is(status_of($gw, sign($kid, $_, $claims)), 200, "PEM of $kid: $_") for @{ $of{$kid} };
		is(status_of($gw, $hs->('HS256', $kid, $key{$kid}{pem})), 401, "PEM of $kid is no secret");
		$gw->finish;
	}
	$gw = gateway('--jwt-public-key-file=' . write_file('two.pem', $key{rsa}{pem} . $key{'P-256'}{pem}));
	is(status_of($gw, sign(@$_, $claims)), 200, "two keys in a file: $_->[0]") for [qw(rsa RS256)], [qw(P-256 ES256)];
	is(status_of($gw, sign('rsa2', 'RS256', $claims)), 401, 'and no third');
	$gw->finish;

	$gw = gateway('--jwt-secret', 'forty-eight bytes are enough for HS384, not more');
	my %expected = (HS256 => 200, HS384 => 200, HS512 => 401);
	is(status_of($gw, $hs->($_, 'any', 'forty-eight bytes are enough for HS384, not more')), $expected{$_}, "a secret of 48 bytes: $_") for sort keys %expected;
	$gw->finish;
	return;
}

# What is malformed is refused by 401 or 431, and the next good token is served.
sub hostile
{
	my $gw = gateway('--jwks-file=' . write_file('hostile.json', jwks('rsa', 'P-256')), '--jwt-aud=vsm', qw(--max-header-bytes 65536));
	my $claims = { role => 'app_reader', exp => $in, aud => 'vsm' };
	my $good = sign('rsa', 'RS256', $claims);
	my ($header, $payload, $signature) = split /\./, $good;
	my $text = sub { $json->encode({ %$claims, @_ }) };
	my $h = '{"alg":"RS256","kid":"rsa"}';
	my %bad = (
		'no parts' => '', 'dots' => '..', 'five parts' => "$good.a.b", 'a fourth part' => "$good.", 'no signature' => "$header.$payload.", 'no claims' => "$header..$signature",
		'two parts' => "$header.$payload", 'padding' => "$good=", 'a blank' => "$header. $payload.$signature", 'base64 that is not of URLs' => "$header.$payload." . ($signature =~ tr{-_}{+/}r) . '+',
		'unused bits' => "$header.$payload." . (substr($signature, 0, -1) . (substr($signature, -1) eq 'A' ? 'B' : chr(ord(substr $signature, -1) + 1))),
		'a signature of nothing' => "$header.$payload." . encode_base64url("\0" x 256), 'a long signature' => "$header.$payload." . encode_base64url('x' x 20_000),
		'a number twice in ES256' => sign('P-256', 'ES256', $claims) =~ s/[^.]*\z/encode_base64url("\0" x 64)/er,
		'DER in ES256' => sign('P-256', 'ES256', $claims) =~ s/[^.]*\z/encode_base64url("0\x06\x02\x01\x01\x02\x01\x01")/er,
		'a header that is an array' => sign('rsa', 'RS256', $text->(), '["RS256"]'), 'a header that is no JSON' => sign('rsa', 'RS256', $text->(), '{"alg":'),
		'an alg that is a list' => sign('rsa', 'RS256', $text->(), '{"alg":["RS256"]}'), 'an alg twice' => sign('rsa', 'RS256', $text->(), '{"alg":"RS256","alg":"RS256"}'),
		'a kid that is a number' => sign('rsa', 'RS256', $text->(), '{"alg":"RS256","kid":5}'), 'a kid of others' => sign('rsa', 'RS256', $text->(), '{"alg":"RS256","kid":"P-256"}'),
		'a kid of nobody' => sign('rsa', 'RS256', $text->(), '{"alg":"RS256","kid":"../../etc/passwd"}'), 'crit' => sign('rsa', 'RS256', $text->(), '{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}'),
		'a key of its own' => sign('rsa2', 'RS256', $text->(), $json->encode({ alg => 'RS256', jwk => $key{rsa2}{jwk} })),
		'the URL of a key' => sign('rsa2', 'RS256', $text->(), $json->encode({ alg => 'RS256', kid => 'rsa2', jku => $jwks_url })),
		'claims in an array' => sign('rsa', 'RS256', '[' . $text->() . ']', $h), 'a role twice' => sign('rsa', 'RS256', $text->() =~ s/^\{/{"role":"app_writer",/r, $h),
		'exp twice' => sign('rsa', 'RS256', $text->() =~ s/^\{/{"exp":1,/r, $h), 'claims and more' => sign('rsa', 'RS256', $text->() . '{}', $h),
		'a NUL in the claims' => sign('rsa', 'RS256', $text->() =~ s/app_reader/app_reader\\u0000/r, $h), 'deep nesting' => sign('rsa', 'RS256', '{"a":' . '[' x 9000 . ']' x 9000 . '}', $h),
		'broken UTF-8' => sign('rsa', 'RS256', $text->(), $h) =~ s/^([^.]*)\.[^.]*/"$1." . encode_base64url("{\"role\":\"\xff\"}")/er,
		'expired' => sign('rsa', 'RS256', $text->(exp => time - 31), $h), 'not valid yet' => sign('rsa', 'RS256', $text->(nbf => time + 300), $h),
		'of the future' => sign('rsa', 'RS256', $text->(iat => time + 300), $h), 'exp in a string' => sign('rsa', 'RS256', $text->(exp => "$in"), $h),
		'an exp of no time' => sign('rsa', 'RS256', $text->() =~ s/"exp":\d+/"exp":-1e308/r, $h),
		'no audience' => sign('rsa', 'RS256', '{"role":"app_reader"}', $h), 'an empty audience' => sign('rsa', 'RS256', $text->(aud => []), $h),
		'an audience in an audience' => sign('rsa', 'RS256', $text->(aud => [ ['vsm'] ]), $h), 'an audience that begins so' => sign('rsa', 'RS256', $text->(aud => 'vsm2'), $h),
		'an audience in an object' => sign('rsa', 'RS256', $text->(aud => { vsm => 'vsm' }), $h),
	);
	for my $name (sort keys %bad)
	{
		my $got = $gw->get('/api/v1/stages', bearer($bad{$name}));
		is($got->{status}, 401, "hostile: $name");
		is($got->{json}{code}, 'PT401', "hostile: $name: with its code") or diag($got->{content});
	}
	is($gw->get('/api/v1/stages', bearer('a' x 60_000 . ".$payload.$signature"))->{status}, 401, 'hostile: a huge header');
	my ($long) = RawHttp->new($gw->{port})->answers("GET /api/v1/stages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $header." . 'a' x 70_000 . ".$signature\r\n\r\n");
	is($long->{status}, 431, 'hostile: one that is too long');
	is(status_of($gw, $good), 200, 'a good token is served');
	is(status_of($gw, sign('rsa', 'RS256', $text->(aud => [ 'other', 'vsm' ]), '{"alg":"RS256"}')), 200, 'also without kid, and for several audiences');
	is(status_of($gw, sign('rsa', 'RS256', $text->(exp => $in + 0.5, nbf => time + 5, iat => time + 5), $h)), 200, 'clocks may differ a little, times have fractions');
	is(status_of($gw, sign('rsa', 'RS256', $text->(a => { map { ("k$_" => [ 1 .. 20 ]) } 1 .. 200 }), $h)), 200, 'and many claims are no harm');
	unlike($gw->log, qr/eyJ/, 'no token is in the log');
	$gw->finish;
	return;
}

# As PostgREST reads them.
sub paths
{
	my $roles = { a => { roles => [ 5, 'other', 'app_reader', 'app_writer' ] }, 'x y' => { 'z.1' => 'app_reader' }, list => [ [ { r => 'app_reader' } ] ] };
	my %to = ('.a.roles[2]' => 200, 'a.roles[2]' => 200, '.a.roles[?(@ == "app_reader")]' => 200, '.a.roles[?(@ != "other")]' => 200, '.a.roles[?(@ ^== "app_r")]' => 200,
		'.a.roles[?(@ ==^ "reader")]' => 200, '.a.roles[?(@ *== "p_re")]' => 200, '.a.roles[?(@=="app_reader")]' => 200, '."x y"."z.1"' => 200, '.list[0][0].r' => 200,
		'.a.roles[1]' => 401, '.a.roles[9]' => 401, '.a.roles[?(@ == "app")]' => 401, '.a.roles[?(@ ==^ "app")]' => 401, '.a.roles' => 401, '.a' => 401, '.a.roles[0]' => 401, '.nobody.home' => 401);
	my $file = write_file('paths.json', jwks('rsa'));
	my $token = sign('rsa', 'RS256', { exp => $in, %$roles });
	for my $path (sort keys %to)
	{
		my $gw = gateway("--jwks-file=$file", "--jwt-role-claim=$path");
		is(status_of($gw, $token), $to{$path}, "the role at $path");
		$gw->stop;
	}
	return;
}

sub files
{
	my $claims = { role => 'app_reader', exp => $in };
	my $file = write_file('changing.json', jwks('rsa'));
	my $gw = gateway("--jwks-file=$file");
	my ($old, $new) = (sign('rsa', 'RS256', $claims), sign('P-256', 'ES256', $claims));
	my $until = sub {
		my ($token, $status) = @_;
		my $waiting = seconds_left(60);
		1 while status_of($gw, $token) != $status && $waiting->();
		return status_of($gw, $token);
	};
	is(status_of($gw, $old), 200, 'a key of the file');
	is(status_of($gw, $new), 401, 'and one that it does not have');
	write_file('changing.json', jwks('P-256'));
	is($until->($new, 200), 200, 'the file has changed: the new key is there');
	is(status_of($gw, $old), 401, 'and the old one gone');
	write_file('changing.json', '{"keys":[');
	my $waiting = seconds_left(60);
	1 while $gw->log !~ /keys_not_read/ && $waiting->();
	like($gw->log, qr/keys_not_read/, 'a file that cannot be used is logged');
	is(status_of($gw, $new), 200, 'and leaves the keys as they were');
	write_file('changing.json', jwks('rsa'));
	is($until->($old, 200), 200, 'until it is good again');
	$gw->finish;
	return;
}

# A new key is fetched when a token names it; nobody can make the gateway ask the provider again and again.
sub rotation
{
	my $claims = { role => 'app_reader', exp => $in, aud => 'vsm' };
	publish('rsa');
	my $before = hits();
	my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
	is(status_of($gw, sign('rsa', 'RS256', $claims)), 200, 'a key of the provider') for 1 .. 5;
	is(hits() - $before, 1, 'is fetched once');
	publish('P-256', 'rsa');
	is(status_of($gw, sign('P-256', 'ES256', $claims)), 200, 'a new key is fetched when a token names it');
	is(status_of($gw, sign('rsa', 'RS256', $claims)), 200, 'the old one stays, as published');
	is(hits() - $before, 2, 'with one more request');
	is(status_of($gw, sign('rsa2', 'RS256', $claims, { alg => 'RS256', kid => "no-$_" })), 401, 'a key that nobody has published') for 1 .. 20;
	cmp_ok(hits() - $before, '<=', 3, 'does not make the provider busy');
	$gw->finish;
	return;
}

# While the provider is slow, only those wait who need a new key.
sub waiting
{
	my $claims = { role => 'app_writer', exp => $in, aud => 'vsm' };
	my ($known, $new) = (sign('rsa', 'RS256', $claims), sign('P-256', 'ES256', $claims));
	publish('rsa');
	my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
	my $before = hits();
	ask(do => 'publish', jwks => jwks('rsa', 'P-256'), hold => 1);
	my $raw = RawHttp->new($gw->{port});
	my $head = "Host: localhost\r\nConnection: close\r\nAuthorization: Bearer";
	my $item = '{"title":"had to wait","type":"bug"}';
	my $csv = "case_id,stage,entered_at\nW-1,Backlog,2026-01-05\n";
	my %waits = (
		read => "GET /api/v1/stages HTTP/1.1\r\n$head $new\r\n\r\n",
		create => "POST /api/v1/work-items HTTP/1.1\r\n$head $new\r\nContent-Type: application/json\r\nContent-Length: " . length($item) . "\r\n\r\n$item",
		import => "POST /api/v1/import HTTP/1.1\r\n$head $new\r\nContent-Type: text/csv\r\nContent-Length: " . length($csv) . "\r\n\r\n$csv",
		chunked => "POST /api/v1/work-items HTTP/1.1\r\n$head $new\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" . sprintf("%x\r\n", length $item) . "$item\r\n0\r\n\r\n",
		empty => "POST /api/v1/work-items HTTP/1.1\r\n$head $new\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
		refused => "GET /api/v1/stages HTTP/1.1\r\n$head " . sign('rsa2', 'RS256', $claims) . "\r\n\r\n");
	my %socket = map { my $socket = $raw->connect; syswrite $socket, $waits{$_}; ($_ => $socket) } sort keys %waits;
	my $left = seconds_left(60);
	1 while hits() == $before && $left->();
	is(status_of($gw, $known), 200, 'a known key does not wait for the provider') for 1 .. 3;
	is(create($gw, $known)->{status}, 201, 'nor does a write');
	for my $name (sort keys %socket)
	{
		my $ready = '';
		vec($ready, fileno $socket{$name}, 1) = 1;
		is(scalar select($ready, undef, undef, 0), 0, "$name: one that needs a new key has no answer yet");
	}
	publish('rsa', 'P-256');
	my %status = (read => 200, create => 201, import => 200, chunked => 201, empty => 422, refused => 401);
	is((RawHttp::parse($raw->read_all($socket{$_})))[0]{status}, $status{$_}, "$_: and gets it when the keys are there") for sort keys %socket;
	is(hits() - $before, 1, 'all of them with one request');
	$gw->finish;

	$gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
	$before = hits();
	ask(do => 'publish', jwks => jwks('rsa'), hold => 1);
	$raw = RawHttp->new($gw->{port});
	my $socket = $raw->connect;
	syswrite $socket, "GET /api/v1/stages HTTP/1.1\r\n$head " . sign('rsa2', 'RS256', $claims) . "\r\n\r\n";
	$left = seconds_left(60);
	1 while hits() == $before && $left->();
	$gw->signal('TERM');
	like((RawHttp::parse($raw->read_all($socket)))[0]{status}, qr/^(401|503)$/, 'who waits when the gateway is stopped gets an answer');
	$gw->finish($gw->reap);
	publish('rsa');
	return;
}

# A provider that is away at the start is no reason not to start.
sub away
{
	my $claims = { role => 'app_reader', exp => $in, aud => 'vsm' };
	ask(do => 'publish', jwks => 'gone', status => 503);
	my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
	my $got = $gw->get('/api/v1/stages', bearer(sign('rsa', 'RS256', $claims)));
	is($got->{status}, 503, 'without keys a token cannot be checked: 503');
	like($got->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After');
	is($gw->get('/api/v1/stages', bearer('nonsense'))->{status}, 401, 'what is no token is refused all the same');
	is($gw->get('/live')->{status}, 200, 'what needs no token is served');
	publish('rsa');
	is($gw->eventually('/ready', 200)->{status}, 200, 'it is ready');
	my $left = seconds_left(60);
	1 while status_of($gw, sign('rsa', 'RS256', $claims)) != 200 && $left->();
	is(status_of($gw, sign('rsa', 'RS256', $claims)), 200, 'when the provider is back, so are the keys');
	$gw->finish;
	return;
}

# What a provider answers is not the operator's to correct: the gateway starts, says so, and asks again.
sub unusable_at_the_start
{
	my $claims = { role => 'app_reader', exp => $in, aud => 'vsm' };
	my $jwk = $key{rsa}{jwk};
	my %answer = (
		'a page' => [ '<html><body>Sign in</body></html>', qr/not JSON/ ],
		'no key for signatures' => [ jwks({ %$jwk, use => 'enc' }), qr/no key/ ],
		'an empty set' => [ { keys => [] }, qr/no key/ ]);
	for my $what (sort keys %answer)
	{
		ask(do => 'publish', jwks => $answer{$what}[0]);
		my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
		is(status_of($gw, sign('rsa', 'RS256', $claims)), 503, "$what: the gateway serves, and cannot check tokens");
		my ($line) = grep { $_->{event} eq 'keys_not_read' } $gw->json_log;
		is($line && $line->{level}, 'warning', "$what: the log has a warning");
		like($line && $line->{reason}, $answer{$what}[1], "$what: with the reason");
		publish('rsa');
		my $left = seconds_left(60);
		1 while status_of($gw, sign('rsa', 'RS256', $claims)) != 200 && $left->();
		is(status_of($gw, sign('rsa', 'RS256', $claims)), 200, "$what: until the answer can be used");
		$gw->finish;
	}
	# more keys than there is room for: the first ones count
	ask(do => 'publish', jwks => jwks('rsa', map { { %$jwk, kid => "k$_" } } 1 .. 100));
	my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm');
	is(status_of($gw, sign('rsa', 'RS256', $claims)), 200, 'of very many keys the first ones are used');
	$gw->finish;
	return;
}

# SIGTERM does not wait for a provider that hangs.  A fetch lasts 5 s at most and then is over by itself, and so is
# the wait of a client for it: that nobody waited for that is told by the log, which has no failed fetch.
sub hangs
{
	my $claims = { role => 'app_reader', exp => $in, aud => 'vsm' };
	my $before = hits();
	ask(do => 'publish', jwks => jwks('rsa'), hold => 1);
	my ($out, $errors) = ('', '');
	my $run = IPC::Run::start([ program(), '--port', 0, "--jwks-url=$jwks_url", '--jwt-aud=vsm' ], '<', \undef, '>', \$out, '2>', \$errors, IPC::Run::timeout(60));
	my $left = seconds_left(60);
	1 while hits() == $before && $left->();
	$run->signal('TERM');
	$run->finish;
	is($run->full_result(0), 0, 'SIGTERM ends a gateway that fetches its first keys');
	unlike($errors . $out, qr/keys_not_read|http:/, 'before the fetch has ended');

	publish('rsa');
	my $gw = gateway("--jwks-url=$jwks_url", '--jwt-aud=vsm', '--drain-timeout=300');
	$before = hits();
	ask(do => 'publish', jwks => jwks('rsa'), hold => 1);
	my $raw = RawHttp->new($gw->{port});
	my $socket = $raw->connect;
	syswrite $socket, "GET /api/v1/stages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " . sign('rsa2', 'RS256', $claims) . "\r\n\r\n";
	$left = seconds_left(60);
	1 while hits() == $before && $left->();
	$gw->signal('TERM');
	is((RawHttp::parse($raw->read_all($socket)))[0]{status}, 401, 'a request that waits for keys is answered when the gateway stops');
	is($gw->reap, 0, 'which it does');
	unlike($gw->log, qr/keys_not_read/, 'before the fetch has ended');
	publish('rsa');
	return;
}

# A file that is no file any more has not changed: nobody would write into the pipe, and reading it would not end.
sub becomes_a_pipe
{
	my $claims = { role => 'app_reader', exp => $in };
	my $file = write_file('pipe.json', jwks('rsa'));
	my $gw = gateway("--jwks-file=$file");
	my $token = sign('rsa', 'RS256', $claims);
	is(status_of($gw, $token), 200, 'a key of a file');
	unlink $file;
	POSIX::mkfifo($file, 0600) or die "mkfifo: $!";
	# two looks at the file: each is a second, and the second one begins after the first has ended
	sleep 3;
	is(status_of($gw, $token), 200, 'when the file has become a pipe, its keys stay');
	unlike($gw->log, qr/keys_/, 'without a word');
	unlink $file;
	write_file('pipe.json', jwks('P-256'));
	my $left = seconds_left(60);
	1 while status_of($gw, sign('P-256', 'ES256', $claims)) != 200 && $left->();
	is(status_of($gw, sign('P-256', 'ES256', $claims)), 200, 'and a file in its place is read');
	$gw->finish;
	return;
}

sub refused_at_the_start
{
	my $small = key('small', 'RSA', bits => 1024);
	my $jwk = $key{rsa}{jwk};
	my %file = (
		'no-json' => 'keys', 'empty-set' => { keys => [] }, 'no-set' => { a => 1 }, 'small.json' => jwks($small->{jwk}), 'half' => jwks({ kty => 'RSA', kid => 'h', e => 'AQAB' }),
		'exponent' => jwks({ %$jwk, e => 'AQ' }), 'even' => jwks({ %$jwk, e => 'Ag' }), 'off-curve' => jwks({ %{ $key{'P-256'}{jwk} }, x => $key{'P-256'}{jwk}{y} }),
		'wrong-curve' => jwks({ %{ $key{'P-256'}{jwk} }, crv => 'P-384' }), 'not-base64' => jwks({ %$jwk, n => '!' }), 'other-alg' => jwks({ %$jwk, alg => 'ES256' }),
		'short-secret' => jwks({ kty => 'oct', k => encode_base64url('short') }), 'only-encryption' => jwks({ %$jwk, use => 'enc' }), 'no-kty' => jwks({ kid => 'a' }),
		'private' => jwks({ %$jwk, d => 'AQAB' }), 'one-of-two' => jwks($jwk, $small->{jwk}), 'too-many' => jwks(map { { %$jwk, kid => "k$_" } } 1 .. 65),
	);
	my @refused = map { [ "--jwks-file=" . write_file($_, $file{$_}) ] } sort keys %file;
	my %pem = ('no-pem' => 'hello', 'small.pem' => $small->{pem}, 'private.pem' => $key{rsa}{private}, 'csr.pem' => "-----BEGIN X-----\nAAAA\n-----END X-----\n",
		'damaged.pem' => $key{rsa}{pem} =~ s/\n.{10}/\n/r);
	push @refused, map { [ "--jwt-public-key-file=" . write_file($_, $pem{$_}) ] } sort keys %pem;
	my $good = write_file('good.json', jwks('rsa'));
	push @refused, [ '--jwks-file=/nowhere.json' ], [ "--jwt-secret-file=" . write_file('secret.pem', $key{rsa}{pem}) ], [ "--jwt-secret-file=$good" ],
		[ "--jwks-file=$good", '--jwt-secret=' . 'x' x 40 ], [ '--jwks-url=http://example.com/keys', '--jwt-aud=a' ], [ '--jwks-url=file:///etc/passwd', '--jwt-aud=a' ],
		[ '--jwks-url=nonsense', '--jwt-aud=a' ], [ '--jwks-url=http://user:secret@127.0.0.1/keys', '--jwt-aud=a' ], [ "--jwks-url=$jwks_url" ], [ '--jwks-ca-file=/x' ], [ '--jwt-iss=x' ],
		(map { [ "--jwks-file=$good", "--jwt-role-claim=$_" ] } '.', '.a..b', '.a[', '.a[x]', '.a[0', '.a[-1]', '.a[?(@ = "x")]', '.a[?(@ == x)]', '.a[?(@ == "x"]', '."a', '.a"b"', '.a b', '.a,.b', '[0]', '.a' x 33),
		(map { [ "--jwks-file=$good", "--jwt-actor-claim=$_" ] } ',', 'a,', '.a[', join ',', 'a' .. 'i');
	for my $options (@refused)
	{
		my ($out, $errors) = ('', '');
		my $run = IPC::Run::start([ program(), '--port', 0, @$options ], '<', \undef, '>', \$out, '2>', \$errors, IPC::Run::timeout(60));
		eval { $run->finish; 1 } or $run->kill_kill;
		is($run->full_result >> 8, 2, "@{$options}[-1] is refused at the start");
		like($errors, qr/^vsm-gateway: .*--(jw|only)|^vsm-gateway: only/m, 'with the option in a message') or diag($errors);
	}
	return;
}
