# openapi.pl: /openapi.json is valid, and speaks of what is served, all of it and nothing else

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use RandomRequests;
use Service;

# What the contract and its additions name.
my %promised = (
	'/' => 'GET', '/live' => 'GET', '/ready' => 'GET', '/metrics' => 'GET', '/docs' => 'GET', '/redoc' => 'GET', '/openapi.json' => 'GET', '/api/v1/health' => 'GET',
	'/api/v1/work-items' => 'GET POST', '/api/v1/work-items/{work_item_id}' => 'DELETE GET', '/api/v1/work-items/{work_item_id}/transition' => 'PUT',
	'/api/v1/work-items/{work_item_id}/history' => 'GET', '/api/v1/import' => 'POST',
	'/api/v1/streams' => 'GET POST', '/api/v1/streams/{stream}' => 'DELETE PUT', '/api/v1/stages' => 'GET POST',
	'/api/v1/stages/{stage_id}' => 'DELETE PUT', '/api/v1/types' => 'GET POST', '/api/v1/types/{type}' => 'DELETE PUT',
	map { ("/api/v1/$_" => 'GET') } qw(metrics wip cumulative-flow throughput time-in-stage work-item-age flow-efficiency forecast));

my $node = database('openapi');
my $gw = Service->start($node);
my $id = $gw->create('an item');
my $doc = $gw->openapi;
my $text = $gw->get('/openapi.json')->{content};

promised();
served();
strict();
moments();
linted();
docs();

$gw->finish;
$node->stop;
done_testing();

sub promised
{
	my %there;
	push @{ $there{ $_->{path} } }, $_->{method} for $doc->operations;
	is(join(' ', sort @{ $there{$_} // [] }), $promised{$_}, "$_ is in the document with $promised{$_}") for sort keys %promised;
	like($text, qr/^\{"openapi":"3\.1\.\d"/, 'it is OpenAPI 3.1');
	my %ids;
	$ids{ $_->{spec}{operationId} // '' }++ for $doc->operations;
	is(join(' ', grep { $ids{$_} > 1 || $_ eq '' } sort keys %ids), '', 'each operation has an id of its own');
	return;
}

# The other way round: the templates that the program knows are in the document, and its methods are the allowed ones.
sub served
{
	my ($program) = grep { -f && -x } reverse program();
	my %known = map { $_ => 1 } slurp_file($program) =~ m{\0(/api/v1/[\w{}/-]+)(?=\0)}g;
	cmp_ok(scalar keys %known, '>', 10, scalar(keys %known) . ' templates are in the program');
	my %there = map { $_ => 1 } $doc->paths;
	is(join(' ', grep { !$there{$_} } sort keys %known), '', 'and each is in the document');

	my %methods;
	push @{ $methods{ $_->{path} } }, $_->{method} for $doc->operations;
	for my $template (sort keys %methods)
	{
		my $path = $template =~ s/\{\w+\}/$id/r;
		my $allow = $gw->request('OPTIONS', $path)->{headers}{allow} // '';
		my %allowed = map { $_ => 1 } split /, */, $allow;
		delete @allowed{qw(HEAD OPTIONS)};
		is(join(' ', sort keys %allowed), join(' ', sort @{ $methods{$template} }), "$template has the methods of the document");
		for my $method (grep { !$allowed{$_} } qw(GET POST PUT DELETE PATCH))
		{
			my $got = $gw->request($method, $path, $method eq 'GET' ? undef : '{}');
			is($got->{status}, 405, "$method $template is refused");
		}
	}
	return;
}

# When something happened is a time: a date alone would be of another day in the west than in the east.
sub moments
{
	my $found = 0;
	for my $operation ($doc->operations)
	{
		my $schema = $operation->{body} && $doc->schema(($operation->{body}{content}{'application/json'} // {})->{schema});
		my $properties = ($schema // {})->{properties} // {};
		for my $name (grep { my $one = $properties->{$_}; grep { ($_->{format} // '') eq 'date-time' } $one, @{ $one->{anyOf} // $one->{oneOf} // [] } } sort keys %$properties)
		{
			my $got = $gw->request($operation->{method}, $operation->{path} =~ s/\{\w+\}/$id/r, qq({"$name":"2026-01-05"}));
			is($got->{status}, 422, "$operation->{method} $operation->{path}: $name is no date");
			like($got->{content}, qr/"type":"datetime_parsing","loc":\["body","$name"\],"msg":"[^"]*a date alone is none"/, 'which is told');
			$found++;
		}
	}
	cmp_ok($found, '>', 7, "$found such values");
	return;
}

# What an operation does not have is refused wherever the document says so, which is everywhere but on the old service's
# endpoints, /live and files.
sub strict
{
	my %ignores_keys = map { $_ => 1 } 'POST /api/v1/work-items', 'PUT /api/v1/work-items/{work_item_id}/transition';
	my %ignores_parameters = (%ignores_keys, map { ("GET $_" => 1) } qw(/ /live /ready /metrics /docs /redoc /openapi.json /docs/{file} /assets/{file}
		/api/v1/health /api/v1/stages /api/v1/metrics /api/v1/work-items/{work_item_id}/history));
	my $bodies = 0;

	for my $operation ($doc->operations)
	{
		my $name = "$operation->{method} $operation->{path}";
		my $path = $operation->{path} =~ s/\{\w+\}/$id/r;
		my $body = $operation->{body} && $operation->{body}{content}{'application/json'};
		my @type = $name =~ /import$/ ? ('content-type' => 'text/csv') : ();
		my $refused = refuses($gw->request($operation->{method}, "$path?xtra=1", $operation->{body} ? '{}' : undef, @type), 'query');
		is($refused, $ignores_parameters{$name} ? 0 : 1, "$name " . ($refused ? 'refuses' : 'ignores') . ' a parameter that it does not have');
		next unless $body;

		$bodies++;
		my $closed = !($body->{schema}{additionalProperties} // 1);
		$refused = refuses($gw->request($operation->{method}, $path, '{"xtra":{"a":[1]}}'), 'body');
		is($refused, $ignores_keys{$name} ? 0 : 1, "$name " . ($refused ? 'refuses' : 'ignores') . ' a key that it does not have');
		is($closed ? 1 : 0, $refused, 'as the document says');

		my $missing = $gw->request($operation->{method}, $path, '')->{content} =~ /"missing","loc":\["body"\]/ ? 1 : 0;
		is($missing, $operation->{body}{required} ? 1 : 0, "$name " . ($missing ? 'needs' : 'needs no') . ' body, as the document says');
		is($missing, @{ $body->{schema}{required} } ? 1 : 0, 'and by whether it needs a key');
	}
	cmp_ok($bodies, '>', 10, "$bodies operations take a body of JSON");
	return;
}

# In the list of what is refused, which names what there is.
sub refuses
{
	my ($got, $place) = @_;
	return 0 unless ref $got->{json} eq 'HASH' && ref $got->{json}{detail} eq 'ARRAY';
	my ($entry) = grep { $_->{type} eq 'extra_forbidden' } @{ $got->{json}{detail} };
	return 0 unless $entry;
	is("$got->{status} @{ $entry->{loc} }", "422 $place xtra", 'the answer names it');
	is(exists $entry->{ctx} ? 1 : 0, 1, 'and those that there are') if $place eq 'body';
	return 1;
}

# VSM_OPENAPI_LINT is a program that prints what is wrong with a document.
sub linted
{
	SKIP:
	{
		skip 'there is no linter (npm)', 1 unless $ENV{VSM_OPENAPI_LINT};
		append_to_file(file('openapi.json'), $text);
		my ($out, $errors) = ('', '');
		my $ran = IPC::Run::run([ split(' ', $ENV{VSM_OPENAPI_LINT}), file('openapi.json') ], '>', \$out, '2>', \$errors);
		ok($ran, 'the linter runs') or diag($errors);
		is($out, '', 'and finds nothing');
	}
	return;
}

# All that the page needs comes from here.
sub docs
{
	my $page = $gw->get('/docs')->{content};
	my @needed = $page =~ m{(?:src|href)="([^"#]+)"}g;
	is(join(' ', grep { m{^(https?:)?//} } @needed), '', 'the page asks no other host');
	for my $address (grep { !m{^(https?:)?//|^data:} } @needed)
	{
		my $path = $address =~ m{^/} ? $address : "/$address";
		my $got = $gw->get($path);
		is($got->{status}, 200, "$path is there");
		next unless $path =~ m{^/docs/};
		my $tag = $got->{headers}{etag} // '';
		like($tag, qr/^"[0-9a-f]{32}"$/, 'with the tag of its bytes');
		my $again = $gw->request('GET', $path, undef, 'if-none-match' => "\"other\", W/$tag");
		is("$again->{status} $again->{headers}{etag}", "304 $tag", 'who has it is told so');
		is($again->{content} // '', '', 'and does not get it again');
		is($gw->request('GET', $path, undef, 'if-none-match' => '"other"')->{status}, 200, 'and the page in full for another tag');
	}
	return;
}
