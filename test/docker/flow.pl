# flow.pl URL: what a client of the old service did from morning to evening, with whatever serves URL
#
# VSM_JWT_SECRET, when it is set, signs tokens: then it is also seen that a reader's does not write and a wrong one does nothing.

use strict;
use warnings;

use Digest::SHA 'hmac_sha256';
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 'encode_base64url';
use Test::More;

my $url = shift // die "flow.pl URL\n";
my $json = JSON::PP->new->utf8->canonical;
my $http = HTTP::Tiny->new(timeout => 30);
my $secret = $ENV{VSM_JWT_SECRET};

sub token
{
	my ($role, $key) = @_;
	my $text = join '.', map { encode_base64url($json->encode($_)) } { alg => 'HS256', typ => 'JWT' }, { role => $role, exp => time + 600 };
	return "$text." . encode_base64url(hmac_sha256($text, $key));
}

# [ status, decoded body ]
sub call
{
	my ($method, $path, $body, $token) = @_;
	$token //= token('vsm_writer', $secret) if $secret;
	my %headers = ($token ? (authorization => "Bearer $token") : ());
	$headers{'content-type'} = 'application/json' if $body;
	my $answer = $http->request($method, "$url$path", { headers => \%headers, $body ? (content => $json->encode($body)) : () });
	return [ $answer->{status}, eval { $json->decode($answer->{content}) } // $answer->{content} ];
}

is(call('GET', '/api/v1/health')->[1]{status}, 'UP', 'the service is up');
is_deeply(call('GET', '/ready'), [ 200, { status => 'READY' } ], 'and ready');

my $created = call('POST', '/api/v1/work-items', { title => 'Accept payments by card', type => 'feature' });
is($created->[0], 201, 'an item is created');
is($created->[1]{current_stage}, 'Backlog', 'and stands in the Backlog');
my $id = $created->[1]{id};

my @stages = map { $_->{name} } @{ call('GET', '/api/v1/stages')->[1] };
is("@stages", 'Backlog Analysis Development Testing Deployment Production', 'there are six stages, in their order');
for my $n (1 .. $#stages)
{
	my ($status, $move) = @{ call('PUT', "/api/v1/work-items/$id/transition", { to_stage => $stages[$n] }) };
	is("$status: $move->{from_stage} -> $move->{to_stage}", "200: $stages[$n - 1] -> $stages[$n]", "it moves to $stages[$n]");
}

my @moves = @{ call('GET', "/api/v1/work-items/$id/history")->[1]{transitions} };
is(join(' ', map { $_->{to_stage} } @moves), "@stages", 'its history has all six stages, oldest first');
is($moves[0]{from_stage}, undef, 'the first from none');

my $metrics = call('GET', '/api/v1/metrics?days=7')->[1];
cmp_ok($metrics->{throughput}, '>=', 1, 'the figures of the week count it');
ok(defined $metrics->{$_}, "$_ is known") for qw(wip cycle_time_avg cycle_time_p50 cycle_time_p85 cycle_time_p95);
my $text = call('GET', '/metrics')->[1];
like($text, qr/^vsm_work_items_created_total\{[^}]*type="feature"[^}]*\} [1-9]/m, 'monitoring sees the item');
like($text, qr/^vsm_stage_transitions_total\{(?=[^}]*from_stage="Deployment")(?=[^}]*to_stage="Production")[^}]*\} [1-9]/m, 'and its last move');

is(call('PUT', "/api/v1/work-items/$id/transition", { to_stage => 'Nope' })->[0], 404, 'an unknown stage is refused');
is(call('POST', '/api/v1/work-items', { title => '' })->[0], 422, 'and an empty title');
is(call('GET', '/docs')->[0], 200, 'there is documentation');

if ($secret)
{
	is(call('POST', '/api/v1/work-items', { title => 'x', type => 'bug' }, token('vsm_reader', $secret))->[0], 403, 'a reader may not write');
	is(call('GET', '/api/v1/stages', undef, token('vsm_writer', 'x' x 40))->[0], 401, 'nor may who signs with another key, at all');
	is(call('GET', '/api/v1/stages', undef, token('postgres', $secret))->[0] >= 401 ? 'refused' : 'let in', 'refused', 'nor is there a way to the superuser');
}
done_testing();
