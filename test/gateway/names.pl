# names.pl: what cannot be a name is refused, whatever request brings it; no answer repeats what is far too long

use strict;
use warnings;
use utf8;

use Cpanel::JSON::XS ();
use Digest::SHA qw(hmac_sha256);
use FindBin;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $node = database('names');
my $gw = Service->start($node, options => [ '--max-body-bytes', 2_000_000 ]);
is($gw->post('/api/v1/work-items', { title => 'first', type => 'task' })->{status}, 201, 'the first item defines the default stream');

refused();
long();
stages();
$gw->finish;
a_writer();

$node->stop;
done_testing();

sub escaped
{
	my ($name) = @_;
	utf8::encode($name);
	return $name =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

sub refused
{
	my $stages = [ { name => 'Work' }, { name => 'Done', category => 'done' } ];
	my %door = (
		'a stream' => sub { $gw->post('/api/v1/streams', { name => $_[0], stages => $stages }) },
		'a stream by its path' => sub { $gw->put('/api/v1/streams/' . escaped($_[0]), { stages => $stages }) },
		'another name of a stream' => sub { $gw->put('/api/v1/streams/default', { name => $_[0] }) },
		'a stage' => sub { $gw->post('/api/v1/stages', { name => $_[0] }) },
		'another name of a stage' => sub { $gw->put('/api/v1/stages/1', { name => $_[0], category => 'wait' }) },
		'a stage of a list' => sub { $gw->put('/api/v1/streams/default', { stages => [ { name => $_[0] }, { name => 'Production', category => 'done' } ] }) },
		'a type' => sub { $gw->post('/api/v1/types', { name => $_[0] }) },
		'another name of a type' => sub { $gw->put('/api/v1/types/bug', { name => $_[0] }) },
		'an external id' => sub { $gw->post('/api/v1/work-items', { title => 'x', type => 'task', external_id => $_[0] }) },
		'an alias' => sub { $gw->request('POST', '/api/v1/import?aliases=' . escaped(Cpanel::JSON::XS->new->encode({ $_[0] => 'Testing' })), "case_id,stage,entered_at\nA,Backlog,2026-01-05\n", 'content-type' => 'text/csv') });
	my %bad = (
		'blanks' => '   ', 'nothing visible' => "\x{200B}\x{2060}", 'a line break' => "a\nb", 'a control character' => "a\x{7F}", 'an override' => "a\x{202E}b");
	my $before = state();
	for my $door (sort keys %door)
	{
		for my $bad (sort keys %bad)
		{
			my $got = $door{$door}->($bad{$bad});
			is($got->{status}, 422, "$door: $bad") or diag($got->{content});
			ok($got->{json}{hint}, "$door: with what to do");
		}
		next if $door =~ /path|alias/;		# they are part of the request line, which is bounded
		# nine thousand bytes that do not compress
		my $got = $door{$door}->(join '', map { chr(0x10000 + ($_ * 7919 + $_ * $_ * 104_729) % 40_000) } 1 .. 2250);
		is($got->{status}, 422, "$door: 9,000 bytes") or diag(substr $got->{content}, 0, 500);
		like($got->{content}, qr/It has 2250 characters|too long/, "$door: that says so");
	}
	is(state(), $before, 'nothing was written');
	return;
}

sub state
{
	return $node->safe_psql('postgres', q{SELECT (SELECT array_agg(name ORDER BY id) FROM vsm.value_streams), (SELECT array_agg(name ORDER BY id) FROM vsm.stages),
		(SELECT array_agg(name ORDER BY id) FROM vsm.work_item_types), (SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stage_aliases)});
}

# Not as a server's message either, which comes with the value that it refuses.
sub long
{
	my $long = 'long ' x 180_000;
	my %asked = (
		'stream of an item' => [ 404, sub { $gw->post('/api/v1/work-items', { title => 'x', type => 'task', stream => $long }) } ],
		'type of an item' => [ 422, sub { $gw->post('/api/v1/work-items', { title => 'x', type => $long }) } ],
		'title' => [ 422, sub { $gw->post('/api/v1/work-items', { title => $long, type => 'task' }) } ],
		'external id' => [ 422, sub { $gw->post('/api/v1/work-items', { title => 'x', type => 'task', external_id => $long }) } ],
		'time' => [ 422, sub { $gw->post('/api/v1/work-items', { title => 'x', type => 'task', at => $long }) } ],
		'stage to enter' => [ 404, sub { $gw->put('/api/v1/work-items/1/transition', { to_stage => $long }) } ],
		'stage expected' => [ 404, sub { $gw->put('/api/v1/work-items/1/transition', { to_stage => 'Testing', expected_from => $long }) } ],
		'stream' => [ 422, sub { $gw->post('/api/v1/streams', { name => $long }) } ],
		'time zone' => [ 422, sub { $gw->post('/api/v1/streams', { name => 'zoned', time_zone => $long }) } ],
		'commitment stage' => [ 422, sub { $gw->post('/api/v1/streams', { name => 'committed', commitment_stage => $long }) } ],
		'key of a stage' => [ 422, sub { $gw->post('/api/v1/streams', { name => 'listed', stages => [ { name => 'a', $long => 1 } ] }) } ],
		'key of a stream' => [ 422, sub { $gw->put('/api/v1/streams/keyed', { $long => $long }) } ],
		'stage' => [ 422, sub { $gw->post('/api/v1/stages', { name => $long }) } ],
		'category' => [ 422, sub { $gw->post('/api/v1/stages', { name => 'a', category => $long }) } ],
		'stream of a stage' => [ 404, sub { $gw->post('/api/v1/stages', { name => 'a', stream => $long }) } ],
		'type' => [ 422, sub { $gw->post('/api/v1/types', { name => $long }) } ],
		'cells of an import' => [ 422, sub { $gw->request('POST', '/api/v1/import', "case_id,stage,entered_at\n$long,$long,$long\n", 'content-type' => 'text/csv') } ],
		'cells of NDJSON' => [ 422, sub { $gw->request('POST', '/api/v1/import', qq({"case_id":"$long","stage":"$long","entered_at":"$long"}\n), 'content-type' => 'application/x-ndjson') } ],
		'stage of an import' => [ 422, sub { $gw->request('POST', '/api/v1/import', "case_id,stage,entered_at\nA,$long,2026-01-05\n", 'content-type' => 'text/csv') } ],
		'id in a path' => [ 404, sub { $gw->get('/api/v1/work-items/' . '9' x 5000) } ],
		'filter' => [ 404, sub { $gw->get('/api/v1/work-items?stage=' . 'x' x 5000) } ]);
	for my $what (sort keys %asked)
	{
		my $got = $asked{$what}[1]->();
		is($got->{status}, $asked{$what}[0], "$what: refused") or diag(substr $got->{content}, 0, 500);
		cmp_ok(length $got->{content}, '<', 10_000, "$what: in few words") or diag(substr $got->{content}, 0, 500);
		next unless ref $got->{json}{detail} eq '';
		cmp_ok(length $got->{json}{detail}, '<', 4100, "$what: the message too");
	}
	my $got = $gw->get('/api/v1/work-items?stage=Nowhere');
	like($got->{json}{hint}, qr/^The stages are Backlog, .*Production\.$/, 'a stage that no stream has: the answer names stages');
	return;
}

sub stages
{
	my @many = map { { name => "stage $_", category => 'done' } } 1 .. 10_000;
	my $got = $gw->post('/api/v1/streams', { name => 'many', stages => \@many });
	is($got->{status}, 422, 'ten thousand stages are refused');
	like($got->{json}{hint}, qr/at most 500 stages/, 'with how many there may be');
	is($gw->post('/api/v1/streams', { name => 'many', stages => [ @many[ 0 .. 499 ] ] })->{status}, 201, 'which are taken');
	is($gw->post('/api/v1/stages', { name => 'one more', stream => 'many' })->{status}, 422, 'and no other one');
	my $file = "case_id,stage,entered_at\n" . join '', map { "A,new $_,2026-01-05T00:00:00Z\n" } 1 .. 10_000;
	is($gw->request('POST', '/api/v1/import?create_stages=true', $file, 'content-type' => 'text/csv')->{status}, 422, 'nor does an import add so many');

	is($gw->post('/api/v1/stages', { name => 'Last', category => 'done', order => 1_000_000 })->{status}, 201, 'the greatest order');
	for my $category (qw(done active))
	{
		$got = $gw->post('/api/v1/stages', { name => "after, $category", category => $category });
		is($got->{status}, 201, "a stage of category $category without order finds a place all the same") or diag($got->{content});
	}
	is(join(', ', map { $_->{name} } @{ $gw->get('/api/v1/stages')->{json} }),
		'Backlog, Analysis, Development, Testing, Deployment, after, active, Production, Last, after, done', 'in the order of before');
	return;
}

# With a hint that says what to leave out.
sub forbidden
{
	my ($got, $without, $name) = @_;
	is($got->{status}, 403, $name);
	like($got->{json}{hint} // '', qr/^Import without $without, or with a role that has level admin/, 'and is told what would do');
	return;
}

# Who may not define stages creates none by an import.
sub a_writer
{
	my $secret = 'a secret of at least thirty-two bytes, as HS256 wants it';
	$node->safe_psql('postgres', q{CREATE ROLE app_writer; SELECT vsm.grant_access('app_writer', 'writer')});
	my $guarded = Service->start($node, options => [ '--jwt-secret', $secret ]);
	my $text = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url('{"role":"app_writer"}');
	my %token = (authorization => "Bearer $text." . encode_base64url(hmac_sha256($text, $secret)), 'content-type' => 'text/csv');
	my $before = state();
	for my $stream (qw(default fresh))
	{
		my $file = "case_id,stage,entered_at\nA,Brewing,2026-01-05T00:00:00Z\nA,Done,2026-01-06T00:00:00Z\n";
		forbidden($guarded->request('POST', "/api/v1/import?stream=$stream&create_stages=true", $file, %token), 'create_stages', "a writer creates no stages by an import into stream $stream");
	}
	forbidden($guarded->request('POST', '/api/v1/import?create_types=true', "case_id,stage,entered_at,type\nA,Backlog,2026-01-05T00:00:00Z,story\n", %token), 'create_types', 'nor types');
	is(state(), $before, 'nothing was written');
	is($guarded->request('POST', '/api/v1/import', "case_id,stage,entered_at\nA,Backlog,2026-01-05T00:00:00Z\n", %token)->{status}, 200, 'it imports');
	$guarded->finish;
	return;
}
