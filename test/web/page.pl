# page.pl: the dashboard in a real browser, before real gateways and a simulated stream
#
# This starts what the browser looks at; the assertions are those of page.mjs, whose output is passed on.  VSM_BROWSER is the program,
# VSM_SHOTS the directory that screenshots go to, if there is one.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;

use lib "$FindBin::RealBin/../gateway";
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('web');

# As in the demo: one stage is over its limit.
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../../demo/simulate.sql"), extra_params => [ '-v', 'zone=Europe/Berlin' ]);

$node->safe_psql('postgres', q{
	CREATE ROLE page_reader; CREATE ROLE page_gate LOGIN NOINHERIT; GRANT page_reader TO page_gate; SELECT vsm.grant_access('page_reader', 'reader')});
$node->safe_psql('postgres', 'CREATE DATABASE nothing');
$node->safe_psql('nothing', 'CREATE EXTENSION vsm');

my %gateway = (
	MAIN => Service->start($node),
	EMPTY => Service->start($node, url => url($node, 'nothing')),
	DOWN => Service->start($node),
	TOKEN => Service->start($node, url => url($node) =~ s/user=[^&]*/user=page_gate/r, env => { VSM_GATEWAY_JWT_SECRET => $secret }),
);
my $signed = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url('{"role":"page_reader"}');

$ENV{"VSM_$_"} = "http://127.0.0.1:$gateway{$_}{port}/" for keys %gateway;
$ENV{VSM_DOWN_PID} = $gateway{DOWN}{pid};
$ENV{VSM_JWT} = "$signed." . encode_base64url(hmac_sha256($signed, $secret));

# Standard output is a log by now; Test::More has the one that counts.
my $output = Test::More->builder->output;
Test::More->builder->no_ending(1);
open my $browser, '-|', 'node', "$FindBin::RealBin/page.mjs" or BAIL_OUT("node: $!");
print {$output} $_ while <$browser>;
my $fine = close $browser;
$_->stop for values %gateway;
$node->stop;
exit($fine ? 0 : 1);
