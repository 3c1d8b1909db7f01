# RandomRequests.pm: requests made at random from an OpenAPI document, the same for the same seed
#
#	my $random = RandomRequests->new($openapi, $seed);
#	my ($method, $path, $body, $headers, $operation) = $random->next;
#
# About half of them are as the document wants them; the others have one thing or several that it does not allow: values of
# another type, out of range, too long, with NUL, surrogates or broken UTF-8, missing or doubled fields, damaged JSON.

package RandomRequests;

use strict;
use warnings;

use Cpanel::JSON::XS ();

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref->canonical;

# As JSON text, since not all of it can be a Perl value.
my @odd = (
	'""', '" "', '"\u0000"', '"\ud800"', '"\udfff\ud800"', '"' . 'x' x 501 . '"', "\"\xff\"", "\"\xc0\x80\"", '"\u202e"', '"\'; SELECT 1; --"', '"%s%n"',
	'null', 'true', '-1', '0', '1e400', '-0.0', '0.1', '9223372036854775808', '123456789012345678901234567890', '[]', '{}', '[[[[]]]]', '{"a":{"b":null}}',
	'"infinity"', '"-infinity"', '"now"', '"2026-13-01T00:00:00Z"', '"294277-01-01T00:00:00Z"', '"0000-01-01"', '"1 day"', '"-1 day"', '"P1M"', '"Backlog"', '"default"', '"feature"');
my @odd_text = (
	'', '%20', '%00', '%ff', '%', '%zz', '+', '-1', '0', '1', '1e3', '0x10', '9223372036854775807', '9223372036854775808', '99999999999999999999', 'x' x 600, '%F0%9F%9A%80',
	"'", '%22', '%3Cscript%3E', '..', 'infinity', '-infinity', 'now', 'today', 'epoch', '2026-02-30', '2026-01-01T00:00:00Z', '294276-12-31T00:00:00Z', '1%20day', '0%20days', '-1%20day',
	'1%20month', '1%20us', '100000%20years', 'true', 'null', 'Backlog', 'default', 'feature', 'csv');

sub new
{
	my ($class, $openapi, $seed) = @_;
	return bless { openapi => $openapi, operations => [ $openapi->operations ], state => $seed }, $class;
}

# Whole numbers below the argument.
sub below
{
	my ($self, $n) = @_;
	$self->{state} = ($self->{state} * 1103515245 + 12345) % 2**31;
	return int($self->{state} / 65536) % $n;
}

sub one_of
{
	my ($self, @choices) = @_;
	return $choices[ $self->below(scalar @choices) ];
}

sub next
{
	my ($self) = @_;
	my $operation = $self->one_of(@{ $self->{operations} });
	my $wild = $self->below(2);
	my (%headers, @query);
	my $path = $operation->{path};

	for my $parameter (@{ $operation->{parameters} })
	{
		my $in = $parameter->{in};
		next if $in ne 'path' && !$parameter->{required} && $parameter->{name} ne 'limit' && $self->below(3);
		my $value = $wild && !$self->below(3) ? $self->one_of(@odd_text) : encoded($self->parameter($parameter));
		$value = 1 if $in eq 'path' && ($value eq '' || $value eq '..');
		$in eq 'path' ? $path =~ s/\{$parameter->{name}\}/$value/
			: $in eq 'query' ? push @query, "$parameter->{name}=$value"
			: ($headers{ lc $parameter->{name} } = $value =~ s/%..//gr);
	}
	push @query, $self->one_of('x=1', 'x', '=', '&', 'days=1&days=2') if $wild && !$self->below(6);
	$path .= '?' . join '&', @query if @query;
	my $body = $operation->{body} ? $self->body($operation->{body}, $wild, \%headers) : undef;
	return ($operation->{method}, $path, $body, \%headers, "$operation->{method} $operation->{path}");
}

sub encoded
{
	my ($text) = @_;
	utf8::encode($text) if utf8::is_utf8($text);
	return $text =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger;
}

# Ids are those of the first items; pages are short, as each answer is checked.
sub parameter
{
	my ($self, $parameter) = @_;
	return 1 + $self->below(20) if $parameter->{name} eq 'limit';
	return 1 + $self->below(60) if $parameter->{name} =~ /_id$/;
	return $parameter->{example} if defined $parameter->{example} && $self->below(2);
	return $self->sample($parameter->{schema}, $parameter->{name});
}

sub body
{
	my ($self, $request, $wild, $headers) = @_;
	my @types = sort keys %{ $request->{content} };
	my $type = $headers->{'content-type'} = $self->one_of(@types);
	my $media = $request->{content}{$type};
	return $self->import_body($type, $wild) if $type !~ /json$/ || $type =~ /nd/;

	my $value = $self->sample($media->{schema}, '');
	my %fields = ref $value eq 'HASH' ? map { $_ => $json->encode($value->{$_}) } keys %$value : ();
	if ($wild)
	{
		for my $name (sort keys %fields)
		{
			$fields{$name} = $self->one_of(@odd) unless $self->below(3);
			delete $fields{$name} unless $self->below(8);
		}
		$fields{ $self->one_of('extra', '', 'title ', '\u0000') } = $self->one_of(@odd) unless $self->below(5);
	}
	my $text = '{' . join(',', map { qq("$_":$fields{$_}) } sort keys %fields) . '}';
	return $text unless $wild && !$self->below(5);
	return $self->one_of('', $self->one_of(@odd), substr($text, 0, $self->below(1 + length $text)), "$text$text", "[$text]", $text =~ s/"/'/gr, $text =~ s/:/::/r);
}

sub import_body
{
	my ($self, $type, $wild) = @_;
	my $case = sub { 'R-' . $self->below(40) };
	my $stage = sub { $self->one_of(qw(Backlog Analysis Testing Production), $wild ? ('Nope', '', '"a,b"') : ()) };
	my $time = sub { sprintf '2026-0%d-%02dT%02d:00:00Z', 1 + $self->below(6), 1 + $self->below($wild ? 33 : 28), $self->below(24) };
	my @rows = map { [ $case->(), $stage->(), $time->() ] } 1 .. 1 + $self->below(4);
	my $text = $type =~ /csv/ ? join '', map { join(',', @$_) . "\n" } [ 'case_id', 'stage', 'entered_at' ], @rows
		: join '', map { qq({"case_id":"$_->[0]","stage":"@{[ $_->[1] =~ s/"//gr ]}","entered_at":"$_->[2]"}\n) } @rows;
	return $text unless $wild && !$self->below(3);
	return $self->one_of('', substr($text, 0, $self->below(length $text)), $text =~ s/stage/stoge/r, $text =~ s/\n/"\n/r, $text . "\0\xff\n", $text =~ s/\n/\r\n/gr);
}

# A value that the schema allows.
sub sample
{
	my ($self, $schema, $name) = @_;
	$schema = $self->{openapi}->schema($schema // {});
	return $schema->{const} if exists $schema->{const};
	return $self->one_of(@{ $schema->{enum} }) if $schema->{enum};
	my ($choices) = grep { $_ } @$schema{qw(oneOf anyOf)};
	return $self->sample($self->one_of(@$choices), $name) if $choices;
	my @types = ref $schema->{type} ? @{ $schema->{type} } : $schema->{type} // 'string';
	my $type = $self->one_of(@types);
	return 0.85 if $name eq 'probability';

	return undef if $type eq 'null';
	return $self->below(2) ? Cpanel::JSON::XS::true() : Cpanel::JSON::XS::false() if $type eq 'boolean';
	return $self->number($schema) if $type eq 'integer' || $type eq 'number';
	return [ map { $self->sample($schema->{items}, $name) } 1 .. $self->below(3) ] if $type eq 'array';
	return $self->object($schema) if $type eq 'object';
	return $self->string($schema, $name);
}

sub number
{
	my ($self, $schema) = @_;
	my $least = $schema->{minimum} // 0;
	my $greatest = $schema->{maximum} // $least + 100;
	return 0 + $self->one_of($least, $greatest, $least + $self->below($greatest - $least + 1 > 30000 ? 30000 : $greatest - $least + 1));
}

sub object
{
	my ($self, $schema) = @_;
	my %required = map { $_ => 1 } @{ $schema->{required} // [] };
	return { map { $_ => $self->sample($schema->{properties}{$_}, $_) }
		grep { $required{$_} || !$self->below(4) } sort keys %{ $schema->{properties} // {} } };
}

# Names that the database knows more often than not.
sub string
{
	my ($self, $schema, $name) = @_;
	my $format = $schema->{format} // '';
	return sprintf '2026-0%d-%02dT10:00:00Z', 1 + $self->below(9), 1 + $self->below(28) if $format eq 'date-time';
	return $self->one_of('2027-01-01', '2027-02-01') if $format eq 'date' && $name eq 'since';
	return sprintf '2027-0%d-%02d', 1 + $self->below(9), 1 + $self->below(28) if $format eq 'date';
	return $self->one_of(qw(Backlog Analysis Development Testing Deployment Production)) if $name =~ /stage|expected_from/;
	return 'default' if $name eq 'stream';
	return $self->one_of(qw(feature bug task epic)) if $name eq 'type';
	return $self->one_of('1 day', '7 days', '12 hours') if $name =~ /step|elapsed/;
	return '{"default":5}' if $name eq 'items';
	return 'E-' . $self->below(10000) if $name eq 'external_id';
	return $schema->{example} if defined $schema->{example} && $self->below(2);
	my $longest = $schema->{maxLength} // 50;
	return substr $self->one_of('a', 'Login', "\x{e9}\x{1f680}", 'x' x 500, 'some words', '"\\/'), 0, $longest;
}

1;
