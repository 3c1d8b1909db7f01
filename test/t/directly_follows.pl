# directly_follows.pl: the graph of real event logs, their paths and rework are those of a script that knows nothing of ours
#
# directly_follows.py reads the log itself and counts what follows what, as process mining does.  The logs lie beside the
# checkout, in ../shared/data, or where VSM_SHARED_DATA says.

use strict;
use warnings;

use FindBin;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{VSM_SHARED_DATA} // "$FindBin::RealBin/../../../shared/data";
plan skip_all => 'the shared event logs are not there' unless -d "$data/expected";
plan skip_all => 'there is no python3' if system('python3 -c "import csv" 2>/dev/null');

$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{PGTZ} = 'UTC';
my $node = PostgreSQL::Test::Cluster->new('follows');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vsm');

for my $name (qw(uci_incidents_small jira_devlake uci_incidents))
{
	my ($log) = grep { -e } "$data/$name.csv", "$data/$name.csv.gz";
	my $expected = reference($log, "$data/expected/$name.config.json");

	import_log($name, $log);
	compare($name, $expected, 'from the ledger');
	$node->safe_psql('postgres', "SELECT * FROM vsm.fold('$name')") for 1 .. 2;
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM vsm._edge_cells c JOIN vsm.value_streams v ON v.id = c.stream_id WHERE v.name = '$name'"), '>', 0, "$name: folded");
	compare($name, $expected, 'with cells');
	compare($name, $expected, 'as it is known', 'known_at => now()');
}
# else the test would be of little
my $edges = $node->safe_psql('postgres', q{SELECT count(*) FROM vsm.flow_graph('uci_incidents', '-infinity', 'infinity') WHERE backward});
cmp_ok($edges, '>', 5, 'the largest has many ways back');

$node->stop;
done_testing();

sub reference
{
	my ($log, $config) = @_;
	my ($out, $err);

	IPC::Run::run([ 'python3', "$FindBin::RealBin/directly_follows.py", $log, $config ], '>', \$out, '2>', \$err) or die "directly_follows.py: $err";
	return decode_json($out);
}

sub import_log
{
	my ($name, $log) = @_;
	my $config = decode_json(slurp_file("$data/expected/$name.config.json"));
	my $stages = JSON::PP->new->ascii->encode([ map { { name => $_->[0], category => $_->[1] } } @{ $config->{stages} } ]);
	my $from = $log =~ /\.gz$/ ? "PROGRAM 'gzip -dc $log'" : "'$log'";

	$node->safe_psql('postgres', qq{
		SELECT vsm.define_stream('$name', \$json\$$stages\$json\$, commitment_stage => \$stage\$$config->{commitment}\$stage\$);
		DROP TABLE IF EXISTS events;
		CREATE TABLE events (case_id text, stage text, entered_at timestamptz, type text);
	});
	$node->safe_psql('postgres', "\\copy events FROM $from WITH (FORMAT csv, HEADER)");
	$node->safe_psql('postgres', "SELECT vsm.import_events('events', '$name', create_stages => true)");
	return;
}

# Averages are of microseconds here, and of floating point there.
sub compare
{
	my ($name, $expected, $how, @more) = @_;
	my $window = join ', ', "'$name', '-infinity', 'infinity'", @more;
	my $told = JSON::PP->new->utf8->decode($node->safe_psql('postgres', qq{
		SELECT jsonb_build_object(
			'starts', (SELECT jsonb_object_agg(g.to_stage, g.n) FROM vsm.flow_graph($window) g WHERE g.from_stage IS NULL),
			'edges', (SELECT jsonb_object_agg(g.from_stage || ' > ' || g.to_stage, jsonb_build_object('n', g.n,
					'p50', extract(epoch FROM g.p50)::float8, 'p85', extract(epoch FROM g.p85)::float8, 'avg', extract(epoch FROM g.avg)::float8))
				FROM vsm.flow_graph($window) g WHERE g.from_stage IS NOT NULL),
			'paths', (SELECT jsonb_object_agg(array_to_string(p.path, ' > '), p.n) FROM vsm.flow_paths($window, "limit" => 10000) p),
			'rework', (SELECT jsonb_object_agg(r.stage, jsonb_build_array(r.handed_on, r.sent_back, round(r.first_pass_yield, 9))) FROM vsm.rework($window) r))
	}));

	is_deeply($told->{starts}, $expected->{starts}, "$name $how: where cases start");
	is_deeply([ map { numbers($_, $told->{edges}{$_}) } sort keys %{ $told->{edges} } ],
		[ map { numbers($_, $expected->{edges}{$_}) } sort keys %{ $expected->{edges} } ], "$name $how: the graph, and the times on it");
	is_deeply([ grep { abs($told->{edges}{$_}{avg} - $expected->{edges}{$_}{avg}) > 1e-5 } sort keys %{ $expected->{edges} } ], [], "$name $how: the averages");
	is_deeply($told->{paths}, $expected->{paths}, "$name $how: the paths");
	my %rework = map {
		my ($handed, $back, $first, $first_back) = @{ $expected->{rework}{$_} };
		$_ => [ $handed, $back, $first ? sprintf('%.6f', 1 - $first_back / $first) : undef ]
	} keys %{ $expected->{rework} };
	my %told = map {
		my ($handed, $back, $yield) = @{ $told->{rework}{$_} };
		$_ => [ $handed, $back, defined $yield ? sprintf('%.6f', $yield) : undef ]
	} keys %{ $told->{rework} };
	is_deeply(\%told, \%rework, "$name $how: rework");
	return;
}

sub numbers
{
	my ($edge, $of) = @_;

	return sprintf '%s: %d, %.3f %.3f', $edge, $of->{n}, $of->{p50}, $of->{p85};
}
