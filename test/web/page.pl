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

use lib "$FindBin::RealBin/../gateway", "$FindBin::RealBin/../grafana";
use Panels;
use Service;

my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
my $node = database('web');

# As in the demo: one stage is over its limit.
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../../demo/simulate.sql"), extra_params => [ '-v', 'zone=Europe/Berlin' ]);

$node->safe_psql('postgres', q{
	CREATE ROLE page_reader; CREATE ROLE page_gate LOGIN NOINHERIT; GRANT page_reader TO page_gate; SELECT vsm.grant_access('page_reader', 'reader')});
$node->safe_psql('postgres', q{SELECT vsm.define_stream('support', '[{"name": "New", "category": "wait"}, {"name": "Spam", "category": "discarded"},
	{"name": "Answering"}, {"name": "Answered", "category": "done"}, {"name": "Withdrawn", "category": "discarded"}]');
	SELECT vsm.transition((vsm.create_work_item('Cheap watches', stream => 'support')).id, 'Spam')});
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

# What the same window is to SQL and to Grafana: whole days of the stream's zone, of all types and of one.
sub row
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "SELECT row_to_json(r) FROM ($sql) r");
}

my ($dashboard) = grep { $_->{uid} eq 'vsm-flow' } dashboards();
my %panel = map { $_->[0]{title} => $_->[1]{rawSql} } targets($dashboard);
my @days = split ' ', $node->safe_psql('postgres', q{SELECT d - 40 || ' ' || d - 11 || ' ' || d - 10 FROM CAST(now() AT TIME ZONE 'Europe/Berlin' AS date) d});
my ($from, $to) = map { "$days[$_] 00:00 Europe/Berlin" } 0, 2;
my @doors;
for my $type (undef, 'bug')
{
	my %how = (from => $from, to => $to, variables => { stream => 'default', type => $type, attributes => '' }, all => { type => 'NULL' });
	my $quoted = defined $type ? "'$type'" : 'NULL';
	push @doors, sprintf '{"since": "%s", "until": "%s", "type": "%s", "sql": %s, "grafana": [%s, %s]}', @days[0, 1], $type // '',
		row("SELECT * FROM vsm.metrics('default', '$from', '$to', $quoted)"), map { row(expand_sql($panel{$_}, %how)) } 'Flow', 'Flow balance';
}
$ENV{VSM_DOORS} = '[' . join(', ', @doors) . ']';

# Standard output is a log by now; Test::More has the one that counts.
my $output = Test::More->builder->output;
Test::More->builder->no_ending(1);
open my $browser, '-|', 'node', "$FindBin::RealBin/page.mjs" or BAIL_OUT("node: $!");
print {$output} $_ while <$browser>;
my $fine = close $browser;
$_->stop for values %gateway;
$node->stop;
exit($fine ? 0 : 1);
