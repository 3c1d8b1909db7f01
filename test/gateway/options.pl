# options.pl: the program says what it takes, refuses what it does not, and never repeats a secret

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Service;

# Status, stdout, stderr of a run that does not serve.
sub run
{
	my ($options, %env) = @_;
	my ($out, $errors) = ('', '');
	local %ENV = (%ENV, %env);
	my $run = IPC::Run::start([ program(), @$options ], '<', \undef, '>', \$out, '2>', \$errors, IPC::Run::timeout(60));
	eval { $run->finish; 1 } or $run->kill_kill;
	return ($run->full_result >> 8, $out, $errors);
}

my ($status, $out, $errors) = run([ '--help' ]);
is($status, 0, '--help');
like($out, qr/--$_\b/, "names --$_") for qw(host port pool-size max-body-bytes jwt-secret jwt-public-key-file jwt-aud anonymous-role allowed-host max-connections-per-address header-timeout min-rate fold-interval fold-role version);
like($out, qr/DATABASE_URL/, 'and DATABASE_URL');
($status, $out) = run([ '--version' ]);
is($status, 0, '--version');
like($out, qr/^vsm-gateway \d+\.\d+\.\d+\S*\n\z/, 'is a line');

for my $options ([ '--nonsense' ], [ '--port' ], [ '--port', 'http' ], [ '--port', 70000 ], [ '--port', -1 ], [ '--pool-size', 0 ], [ '--pool-size', '8 ' ], [ '--fold-interval', -1 ], [ '--fold-interval', 86401 ], [ '--fold-interval', '1m' ], [ '--max-body-bytes', '1e6' ],
	[ '--jwt-public-key-file', '/nowhere/key.pem' ], [ '--tls-cert', '/nowhere/cert.pem' ], [ 'serve' ], [ '--host', 'nowhere.invalid' ])
{
	($status, $out, $errors) = run($options);
	isnt($status, 0, "@$options is refused");
	like($errors, qr/\S/, 'with a word');
	unlike($errors, qr/core dumped|Segmentation|ERROR: \w+Sanitizer/, 'and no crash');
}

($status, $out, $errors) = run([ qw(--port 0 --host 0.0.0.0) ]);
isnt($status, 0, 'on an address for all it does not serve without tokens');
like($errors, qr/insecure|jwt|token/i, 'and says why');

my $secret = 'hunter2-hunter2-hunter2-hunter2-hunter2';
($status, $out, $errors) = run([ qw(--port 0 --jwt-secret), 'short-one' ]);
isnt($status, 0, 'a secret that is too short for HS256 is refused');
unlike("$out$errors", qr/short-one/, 'and not repeated');
($status, $out, $errors) = run([ '--port', 'x', '--jwt-secret', $secret ], DATABASE_URL => "postgresql://u:$secret\@127.0.0.1:1/x");
unlike("$out$errors", qr/hunter2/, 'nor is another when something else is wrong');

# The variables of the old service; a password that leads nowhere is not logged either.
my $node = database('options');
my %old = (DATABASE_URL => '', DATABASE_HOST => $node->host, DATABASE_PORT => $node->port, DATABASE_NAME => 'postgres', DATABASE_USER => scalar getpwuid($<), DATABASE_PASSWORD => $secret);
my $gw = Service->start($node, env => \%old);
is($gw->eventually('/ready', 200)->{status}, 200, 'DATABASE_HOST and the variables like it lead to the database');
unlike($gw->log, qr/hunter2/, 'the password is not logged');
$gw->finish;

$gw = Service->start($node, url => url($node) =~ s{^postgresql:}{postgresql+asyncpg:}r);
is($gw->eventually('/ready', 200)->{status}, 200, 'so does the URL of an SQLAlchemy engine');
$gw->finish;

$gw = Service->start($node, url => "postgresql://nobody_here:$secret\@127.0.0.1:1/x");
is($gw->get('/ready')->{status}, 503, 'a URL that leads nowhere makes it not ready');
is($gw->get('/api/v1/stages')->{status}, 503, 'and 503');
unlike($gw->log, qr/hunter2/, 'the password in it is not logged');
$gw->finish;

# A request leaves a line that names it.
$gw = Service->start($node);
my $got = $gw->get('/api/v1/work-items/99999/history?token=private-thing', 'x-request-id' => 'abc-123');
my ($line) = grep { ($_->{status} // 0) == 404 } $gw->json_log;
ok($line, 'a request is logged');
is($line->{route}, '/api/v1/work-items/{work_item_id}/history', 'by its route');
ok(defined $line->{ (grep { /duration/ } keys %$line)[0] // '' }, 'with its duration');
ok((grep { /request_?id|^id$/ } keys %$line), 'and an id');
unlike($gw->log, qr/private-thing/, 'without its query');
$gw->finish;

$node->stop;
done_testing();
