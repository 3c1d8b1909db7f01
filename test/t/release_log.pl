# release_log.pl: DORA of a real release log, whose deployments are its tags, is what plain SQL counts
#
# The log and its deployments lie beside the checkout, in ../shared/data, or where VSM_SHARED_DATA says.  A release on a maintenance branch
# (v2.40.1 after v2.40.0) counts as rework.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{VSM_SHARED_DATA} // "$FindBin::RealBin/../../../shared/data";
plan skip_all => 'the shared event logs are not there' unless -e "$data/deploys_git_tags.csv";

$ENV{PGTZ} = 'UTC';
my $node = PostgreSQL::Test::Cluster->new('releases');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	SELECT vsm.define_stream('git', '[{"name":"authored"},{"name":"committed","category":"wait"},{"name":"merged","category":"wait"},{"name":"released","category":"done"}]');
	CREATE TABLE log (case_id text, stage text, entered_at timestamptz, type text);
	CREATE TABLE tags (release text, released_at timestamptz, commit text);
});
copy_in('log', scalar `zcat '$data/git_release_2023_2025.csv.gz'`);
copy_in('tags', slurp_file("$data/deploys_git_tags.csv"));
$node->safe_psql('postgres', q{
	UPDATE log SET type = NULL;
	SELECT vsm.import_events('log', 'git');
	INSERT INTO vsm.deployments (stream, external_id, deployed_at, rework, description)
	SELECT 'git', t.release, t.released_at, t.release ~ '^v\d+\.\d+\.\d*[1-9]', t.commit FROM tags t;
	-- a maintenance release repairs the one before it
	INSERT INTO vsm.incidents (stream, external_id, deployment, started_at, recovered_at)
	SELECT 'git', 'fixed in ' || f.release, b.release, b.released_at, f.released_at
	FROM tags f CROSS JOIN LATERAL (
		SELECT t.* FROM tags t WHERE t.released_at < f.released_at AND f.release LIKE substring(t.release FROM '^v\d+\.\d+\.') || '%' ORDER BY t.released_at DESC LIMIT 1) b
	WHERE f.release ~ '^v\d+\.\d+\.\d*[1-9]';
});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.work_items'), '>', 7000, 'the log has its items');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vsm.deployments'), $node->safe_psql('postgres', 'SELECT count(*) FROM tags'), 'every tag is a deployment');

is($node->safe_psql('postgres', q{
	SELECT d.bucket, d.deployments, d.failed_deployments, d.rework_deployments, d.recoveries, d.changes, extract(epoch FROM d.change_lead_time)::bigint
	FROM vsm.dora('git', '2023-01-01', '2026-01-01', 'month') d ORDER BY 1}),
	$node->safe_psql('postgres', q{
	SELECT m::date, (SELECT count(*) FROM tags t WHERE date_trunc('month', t.released_at) = m),
		   (SELECT count(DISTINCT i.deployment) FROM vsm.incidents i JOIN tags t ON t.release = i.deployment WHERE date_trunc('month', t.released_at) = m AND i.started_at < '2026-01-01'),
		   (SELECT count(*) FROM tags t WHERE date_trunc('month', t.released_at) = m AND t.release ~ '^v\d+\.\d+\.\d*[1-9]'),
		   (SELECT count(*) FROM vsm.incidents i WHERE date_trunc('month', i.recovered_at) = m), c.n, c.lead
	FROM generate_series(timestamptz '2023-01-01', '2025-12-01', '1 month') m
	LEFT JOIN LATERAL (
		SELECT count(*) AS n, percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.lead_time))::bigint AS lead
		FROM vsm.completions('git', '2023-01-01', '2026-01-01') c WHERE date_trunc('month', c.completed_at) = m) c ON true ORDER BY 1}),
	'the figures of each month');
my ($whole) = $node->safe_psql('postgres', q{SELECT d.deployments, d.change_fail_rate, d.rework_rate, d.failed_deployment_recovery_time, d.change_lead_time FROM vsm.dora('git', '2023-01-01', '2026-01-01') d});
note("deployments | change fail rate | rework rate | recovery time | change lead time: $whole");
like($whole, qr/^\d+\|0\.\d{4}\|0\.\d{4}\|\d+ days [\d:]+\|\d+ days [\d:]+$/, 'and those of three years');
is($node->safe_psql('postgres', q{SELECT d.deployments FROM vsm.dora('git', '-infinity', 'infinity', source => 'items') d}),
	$node->safe_psql('postgres', q{SELECT m.departures FROM vsm.metrics('git', '-infinity', 'infinity') m}), 'or of items');

$node->stop;
done_testing();

sub copy_in
{
	my ($table, $csv) = @_;
	my $err = '';
	IPC::Run::run([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', "COPY $table FROM STDIN WITH (FORMAT csv, HEADER)" ],
		'<', \$csv, '2>', \$err) or BAIL_OUT($err);
	return;
}
