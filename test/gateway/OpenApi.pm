# OpenApi.pm: what an OpenAPI 3.1 document says of an answer, and requests that follow from it
#
#	OpenApi->new($text)
#	$doc->problems($method, $path, $answer)	what the document does not allow in the answer { status, headers, content, json }
#	$doc->operations						{ method, path, parameters, body, spec } of each
#	$doc->operation($method, $path)			that of a request's path
#	$doc->paths								the path templates
#	$doc->schema($value)					with its reference followed
#
# The schemas are checked by JSON::Validator.  What no path of the document is must be answered with 404.

package OpenApi;

use strict;
use warnings;

use Cpanel::JSON::XS ();
use JSON::Validator::Schema::Draft201909;

my @methods = qw(get put post delete patch);

sub new
{
	my ($class, $text) = @_;
	my $data = Cpanel::JSON::XS->new->utf8->decode($text);
	my $validator = JSON::Validator::Schema::Draft201909->new($data);
	return bless { validator => $validator, doc => $validator->data, found => {} }, $class;
}

sub paths
{
	my ($self) = @_;
	return sort keys %{ $self->{doc}{paths} };
}

sub schema
{
	my ($self, $value) = @_;
	while (ref $value eq 'HASH' && defined $value->{'$ref'})
	{
		my $target = $self->{doc};
		$target = $target->{ s/~1/\//gr =~ s/~0/~/gr } for split m{/}, $value->{'$ref'} =~ s{^#/}{}r;
		$value = $target;
	}
	return $value;
}

sub operations
{
	my ($self) = @_;
	my @operations;
	for my $path ($self->paths)
	{
		my $item = $self->{doc}{paths}{$path};
		for my $method (grep { $item->{$_} } @methods)
		{
			my $spec = $item->{$method};
			my @parameters = map { $self->schema($_) } @{ $item->{parameters} // [] }, @{ $spec->{parameters} // [] };
			push @operations, { method => uc $method, path => $path, spec => $spec, parameters => \@parameters, body => $self->schema($spec->{requestBody}) };
		}
	}
	return @operations;
}

# The template of a path: the one with the fewest variables.
sub template
{
	my ($self, $path) = @_;
	$path =~ s/[?#].*//s;
	$path =~ s{(?<=.)/$}{};		# does not count
	return $self->{found}{$path} if exists $self->{found}{$path};
	my @fitting;
	for my $template ($self->paths)
	{
		my $pattern = join '[^/]+', map { quotemeta } split /\{\w+\}/, $template, -1;
		push @fitting, $template if $path =~ /^$pattern$/s;
	}
	my ($best) = sort { ($a =~ tr/{//) <=> ($b =~ tr/{//) } @fitting;
	return $self->{found}{$path} = $best;
}

sub operation
{
	my ($self, $method, $path) = @_;
	my $template = $self->template($path) // return;
	return $self->{doc}{paths}{$template}{ lc($method eq 'HEAD' ? 'GET' : $method) };
}

sub problems
{
	my ($self, $method, $path, $got) = @_;
	my $template = $self->template($path);
	my $allow = $got->{headers}{allow} // '';

	if ($method eq 'HEAD')
	{
		return 'a body after HEAD' if length($got->{content} // '');
		return if !$template || !$self->operation('GET', $path);
	}
	if (!$template)
	{
		return $got->{status} =~ /^(404|400|414|431|405)$/ ? () : 'not a path of the document';
	}
	my $spec = $self->operation($method, $path);
	if (!$spec)
	{
		return $got->{status} == 204 || $got->{status} == 200 ? () : 'OPTIONS refused' if $method eq 'OPTIONS';
		return $got->{status} != 405 ? 'not a method of the document' : $allow eq '' ? '405 without allow' : ();
	}
	return $self->_answer($spec, $method, $got);
}

sub _answer
{
	my ($self, $spec, $method, $got) = @_;
	my $responses = $spec->{responses};
	my $status = $got->{status};
	my $promised = $self->schema($responses->{$status} // $responses->{ substr($status, 0, 1) . 'XX' } // $responses->{default});
	return 'status not in the document' unless $promised;
	# an answer's words are those of HTTP
	my $words = ref $got->{json} eq 'HASH' && exists $got->{json}{hint} ? $got->{json}{hint} : '';
	return "a hint that speaks of SQL: $words" if $words =~ /\bvsm(?:_api)?\.|\b(?:SELECT|UPDATE|INSERT|GRANT|SET|CREATE)\b|\w\(\)/;

	my ($type) = ($got->{headers}{'content-type'} // '') =~ m{^\s*([^\s;]+)};
	my $content = $promised->{content};
	return if $method eq 'HEAD';
	return length($got->{content} // '') ? 'a body that the document does not have' : () unless $content;
	return 'no content-type' unless $type;
	my $media = $content->{$type} // return "content-type $type is not in the document";
	return if $type !~ m{^application/([\w.]+\+)?json$} || !$media->{schema};
	return "no JSON: $got->{content}" unless defined $got->{json};
	return map { "$_ in " . substr($got->{content}, 0, 300) } $self->{validator}->validate($got->{json}, $media->{schema});
}

1;
