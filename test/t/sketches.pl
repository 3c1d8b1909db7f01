# sketches.pl: sketches are the same bytes after a dump, a copy, and in servers of other versions
#
# The dumps of test/data were made by PostgreSQL 15, 17 and 18, as test/data/sketches.sql says.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = "$FindBin::RealBin/../data";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PostgreSQL::Test::Cluster->new('sketches');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
chmod 0777, $dir;

# Each row: its name, the texts, and the bytes on the wire.
my $picture = q{
	SELECT name, number, length, vsm._sketch_send(number), vsm._interval_sketch_send(length), number_wire, length_wire
	FROM kept ORDER BY name COLLATE "C"};

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('source'), '-f', "$data/sketches.sql" ], 'sketches are made');
my $made = $node->safe_psql('source', $picture);
is($node->safe_psql('source', 'SELECT count(number) FROM kept'), 39, 'there are some dozens of them');
is($node->safe_psql('source', 'SELECT count(*) FROM kept WHERE number_wire <> md5(vsm._sketch_send(number))'), 0, 'with what they are on the wire');

dumps();
copies();
damaged_copies();
other_versions();

$node->stop;
done_testing();

sub dumps
{
	my %ways = (
		plain => [ [ '--format=plain' ], [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
		inserts => [ [ '--format=plain', '--inserts' ], [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
		custom => [ [ '--format=custom' ], [ 'pg_restore', '--exit-on-error', '-d', 'restored_custom' ] ]);
	for my $way (sort keys %ways)
	{
		my ($dump, $restore) = @{ $ways{$way} };

		$node->command_ok([ 'pg_dump', @$dump, '-f', "$dir/$way", 'source' ], "$way: dumped");
		$node->safe_psql('postgres', "CREATE DATABASE restored_$way");
		local $ENV{PGDATABASE} = "restored_$way";
		$node->command_ok([ @$restore, "$dir/$way" ], "$way: restored");
		is($node->safe_psql("restored_$way", $picture), $made, "$way: the same bytes");
	}
}

sub copies
{
	for my $format (qw(text csv binary))
	{
		$node->safe_psql('source', qq{
			COPY kept TO '$dir/copy_$format' (FORMAT $format);
			CREATE TABLE copy_$format (LIKE kept);
			COPY copy_$format FROM '$dir/copy_$format' (FORMAT $format);
		});
		is($node->safe_psql('source', $picture =~ s/kept/copy_$format/r), $made, "COPY as $format: the same bytes");
	}
}

# A binary copy of one sketch, with each byte of it damaged in several ways, or cut.
sub damaged_copies
{
	my %said;
	my $accepted = 0;
	my $tries = 0;

	$node->safe_psql('source', qq{
		CREATE TABLE one AS SELECT vsm.percentile_agg(x) AS s FROM unnest('{-2, 0, 1, 1, 2}'::float8[]) x;
		COPY one TO '$dir/one' (FORMAT binary);
		CREATE TABLE damaged (LIKE one);
	});
	my $good = slurp_file("$dir/one");
	# signature, flags, extension, number of columns, length; a trailer of two bytes
	my ($head, $body) = (substr($good, 0, 25), substr($good, 25, -2));

	my @bodies = map { my $length = $_; substr($body, 0, $length) } 0 .. length($body) - 1;
	push @bodies, "$body\0";
	for my $place (0 .. length($body) - 1)
	{
		push @bodies, map { my $copy = $body; substr($copy, $place, 1) = chr; $copy } 0x00, 0x7f, 0x80, 0xff;
	}
	my $script = '';
	for my $damaged (@bodies)
	{
		append_to_file("$dir/damaged_" . $tries, $head =~ s/.{4}\z/pack('N', length $damaged)/ser . $damaged . "\xff\xff");
		chmod 0644, "$dir/damaged_" . $tries;
		$script .= "COPY damaged FROM '$dir/damaged_$tries' (FORMAT binary);\n\\echo :SQLSTATE\n";
		$tries++;
	}
	my ($out, $err) = ('', '');
	$node->psql('source', $script, stdout => \$out, stderr => \$err, on_error_stop => 0);
	$said{$_}++ for split /\n/, $out;
	is((grep { !/^(00000|08P01|22P03|22003)$/ } keys %said), 0, 'a damaged copy is refused for what it is')
	  or diag(join ', ', %said);
	is(scalar(split /\n/, $out), $tries, 'each was tried');
	cmp_ok($said{'22P03'} // 0, '>', 50, 'many are no sketches');
	is($node->safe_psql('source', 'SELECT count(*) FROM damaged WHERE vsm.num_vals(s) < 0 OR NOT s::text::vsm.sketch OPERATOR(vsm.=) s OR vsm.approx_percentile(0.5, s) IS DISTINCT FROM vsm.approx_percentile(0.5, s::text::vsm.sketch)'),
		0, 'what is let in is a sketch');
}

# A setting that an older server does not know is all that it cannot read.
sub other_versions
{
	my @dumps = glob "$data/sketches_*.sql";

	cmp_ok(scalar @dumps, '>=', 3, 'there are dumps of three versions');
	for my $file (@dumps)
	{
		my ($version) = $file =~ /sketches_(\d+)/;
		my $db = "from_$version";
		my $dump = slurp_file($file);

		like($dump, qr/^-- Dumped from database version $version\b/m, "$version: dumped by it");
		append_to_file("$dir/$db.sql", $dump =~ s/^SET transaction_timeout.*\n//mr);
		chmod 0644, "$dir/$db.sql";
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		$node->safe_psql($db, 'CREATE EXTENSION vsm');
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', "$dir/$db.sql" ], "$version: its dump is read");
		is($node->safe_psql($db, $picture), $made, "$version: the bytes that are made here");
	}
}
