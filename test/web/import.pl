# import.pl: the page's import view in a real browser: what a file says is shown, asked about, changed and only then written
#
# This starts what the browser looks at; the assertions are those of import.mjs, whose output is passed on.  The exports of trackers
# lie beside the checkout, in ../shared/cases/exports, or where VSM_SHARED_EXPORTS says; without them their part is skipped.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib "$FindBin::RealBin/../gateway";
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('import', 'max_prepared_transactions = 1');

$node->safe_psql('postgres', q{
	CREATE ROLE page_writer; CREATE ROLE page_admin; CREATE ROLE page_gate LOGIN NOINHERIT; GRANT page_writer, page_admin TO page_gate;
	SELECT vsm.grant_access('page_writer', 'writer'); SELECT vsm.grant_access('page_admin', 'admin');
	CREATE ROLE page_plain LOGIN; SELECT vsm.grant_access('page_plain', 'writer')});

# Here an import waits: who holds the lock does not write, so the items can be read.
$node->safe_psql('postgres', 'CREATE DATABASE locked');
$node->safe_psql('locked', q{CREATE EXTENSION vsm; SELECT vsm_api.prepare();
	BEGIN; LOCK TABLE vsm.work_items IN SHARE ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'holder'});

my %gateway = (
	IMPORT => Service->start($node),
	LOCKED => Service->start($node, url => url($node, 'locked')),
	PLAIN => Service->start($node, url => url($node) =~ s/user=[^&]*/user=page_plain/r),
	SMALL => Service->start($node, options => [ '--max-import-bytes', 2000 ]),
	TOKEN => Service->start($node, url => url($node) =~ s/user=[^&]*/user=page_gate/r, env => { VSM_GATEWAY_JWT_SECRET => $secret }),
);

sub token
{
	my ($role) = @_;
	my $signed = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url(qq({"role":"$role"}));
	return "$signed." . encode_base64url(hmac_sha256($signed, $secret));
}

$ENV{"VSM_$_"} = "http://127.0.0.1:$gateway{$_}{port}/" for keys %gateway;
$ENV{VSM_WRITER} = token('page_writer');
$ENV{VSM_ADMIN} = token('page_admin');
$ENV{VSM_SHARED_EXPORTS} //= "$FindBin::RealBin/../../../shared/cases/exports";

# Standard output is a log by now; Test::More has the one that counts.
my $output = Test::More->builder->output;
Test::More->builder->no_ending(1);
open my $browser, '-|', 'node', "$FindBin::RealBin/import.mjs" or BAIL_OUT("node: $!");
print {$output} $_ while <$browser>;
my $fine = close $browser;
$_->stop for values %gateway;
$node->safe_psql('locked', q{ROLLBACK PREPARED 'holder'});
$node->stop;
exit($fine ? 0 : 1);
