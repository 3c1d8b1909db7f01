# Cases.pm: files of requests with the answers that they must have
#
#	run_cases($gateway, $node, $db, $file)	a test for each case of the file, with a subtest for status, headers and body
#
# A case is a paragraph:
#
#	# A new item stands in the first stage.			its promise; the lines below are all optional but the status
#	SQL UPDATE vsm.stages SET wip_limit = 1 ...		run before, in the database; may be repeated
#	POST /api/v1/work-items?x=<'a'*3>				the request; without one the case is SQL only
#	accept: text/html								its headers; a body without content-type is application/json
#	{"title":"A","type":"bug"}						its body, everything up to the status; "|" at a line's begin is not part of it
#	201												the status; 20. for any of that beginning
#	allow: GET, HEAD								headers that the answer must have; "-" for none of that name
#	{"id":<a=int>,"title":"A",...}					the answer's whole body; "-" for an empty one; left out: any
#
# In requests <name> is what an answer before has had there, and <'x'*500> repeats a string.  In answers <kind> stands for any
# value of a kind (see %kinds), <name=kind> keeps it, and <name> is the value kept; all else must be there letter by letter, so
# that the order of keys and the absence of spaces are tested.

package Cases;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(run_cases);

my $status = qr/^\d\d[\d.]$/;
my %kinds = (
	any => qr/.*?/s,
	int => qr/-?\d+/,
	num => qr/-?\d+(?:\.\d+)?/,
	hours => qr/\d+(?:\.\d{1,2})?/,
	float => qr/\d+\.\d+/,
	str => qr/"(?:[^"\\]|\\.)*"/,
	time => qr/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z"/,
	date => qr/"\d{4}-\d\d-\d\d"/,
	bool => qr/true|false/,
	maybe_int => qr/-?\d+|null/,
	maybe_num => qr/-?\d+(?:\.\d+)?|null/,
	maybe_str => qr/"(?:[^"\\]|\\.)*"|null/,
	maybe_time => qr/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z"|null/,
	end => qr/\n?/,
	zeros => qr/(?:\.0+)?/,
	ints => qr/\[[-\d,]*\]/,
	more => qr/(?:,"\w+":.*)?/s,
);

sub run_cases
{
	my ($gateway, $node, $db, $file) = @_;
	my %kept;
	my $name = $file =~ s{.*/}{}r;

	for my $paragraph (split /\n{2,}/, slurp_file($file))
	{
		my $case = parse($paragraph, $file) // next;
		subtest "$name: $case->{promise}" => sub { run_case($gateway, sub { $node->safe_psql($db, @_) }, $case, \%kept) };
	}
	return;
}

sub parse
{
	my ($paragraph, $file) = @_;
	my %case = (sql => [], headers => {}, expected => {});
	my @lines = split /\n/, $paragraph =~ s/^\n+//r;

	my @comment;
	push @comment, shift(@lines) =~ s/^#\s*//r while @lines && $lines[0] =~ /^#/;
	$case{promise} = join ' ', @comment;
	push @{ $case{sql} }, shift(@lines) =~ s/^SQL //r while @lines && $lines[0] =~ /^SQL /;
	return @{ $case{sql} } ? \%case : undef unless @lines;
	(shift @lines) =~ /^([A-Z]+) (.*)$/ or die "$file: no request in\n$paragraph\n";
	@case{qw(method path)} = ($1, $2);
	while (@lines && $lines[0] =~ /^([\w-]+): ?(.*)$/)
	{
		$case{headers}{$1} = $2;
		shift @lines;
	}
	my @body;
	push @body, shift(@lines) =~ s/^\|//r while @lines && $lines[0] !~ $status;
	$case{body} = join "\n", @body if @body;
	$case{status} = shift @lines // die "$file: no status in\n$paragraph\n";
	while (@lines && $lines[0] =~ /^([\w-]+): ?(.*)$/)
	{
		$case{expected}{$1} = $2;
		shift @lines;
	}
	$case{answer} = join "\n", map { s/^\|//r } @lines if @lines;
	return \%case;
}

sub run_case
{
	my ($gateway, $sql, $case, $kept) = @_;

	ok(eval { $sql->(filled($_, $kept)); 1 }, "SQL $_") or diag($@) for @{ $case->{sql} };
	return unless $case->{method};
	my %headers = map { $_ => filled($case->{headers}{$_}, $kept) } keys %{ $case->{headers} };
	my $body = defined $case->{body} ? filled($case->{body}, $kept) : undef;
	my $got = $gateway->request($case->{method}, filled($case->{path}, $kept), $body, %headers);

	like($got->{status}, qr/^$case->{status}$/, "status of $case->{method} $case->{path}") or diag($got->{content});
	for my $header (sort keys %{ $case->{expected} })
	{
		my ($value, $expected) = ($got->{headers}{$header}, $case->{expected}{$header});
		$expected eq '-' ? is($value, undef, "no $header") : like($value // '', matcher($expected, $kept, {}), $header);
	}
	if ($case->{answer})
	{
		my %new;
		my $pattern = matcher($case->{answer} eq '-' ? '' : $case->{answer}, $kept, \%new);
		like($got->{content}, $pattern, 'body') or diag("as a pattern from: $case->{answer}");
		$kept->{$_} = $+{ $new{$_} } for $got->{content} =~ $pattern ? keys %new : ();
	}
	return;
}

# Strings are kept with their quotes, and go into requests without.
sub filled
{
	my ($text, $kept) = @_;
	$text =~ s/<'([^']*)'\*(\d+)>/$1 x $2/ge;
	$text =~ s/<(\w+)>/exists $kept->{$1} ? $kept->{$1} =~ s{^"|"$}{}gr : die "nothing was kept as <$1>\n"/ge;
	return $text;
}

sub matcher
{
	my ($text, $kept, $new) = @_;
	my $pattern = '';
	for my $part (split /(<(?:\w+=)?\w+>|<'[^']*'\*\d+>)/, $text)
	{
		if ($part =~ /^<'([^']*)'\*(\d+)>$/)
		{
			$pattern .= quotemeta($1 x $2);
		}
		elsif ($part !~ /^<(?:(\w+)=)?(\w+)>$/)
		{
			$pattern .= quotemeta $part;
		}
		elsif (defined $1)
		{
			$pattern .= "(?<$1>$kinds{$2})";
			$new->{$1} = $1;
		}
		elsif ($new->{$2})
		{
			$pattern .= "\\k<$2>";
		}
		else
		{
			$pattern .= $kinds{$2} // quotemeta($kept->{$2} // die "neither a kind nor kept: <$2>\n");
		}
	}
	return qr/\A$pattern\z/s;
}

1;
