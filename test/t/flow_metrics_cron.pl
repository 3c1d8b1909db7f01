# flow_metrics_cron.pl: pg_cron keeps vsm.flow_metrics up to date, by the statement in doc/operations.md

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sharedir = qx($ENV{PG_CONFIG} --sharedir);
chomp $sharedir;
plan skip_all => 'pg_cron is not installed' unless -e "$sharedir/extension/pg_cron.control";

my $node = PostgreSQL::Test::Cluster->new('flow_metrics_cron');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'vsm,pg_cron'\ncron.database_name = 'postgres'\ncron.use_background_workers = on\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	CREATE EXTENSION pg_cron;
	SELECT vsm.define_stream('port', '[{"name": "Queue", "category": "wait"}, {"name": "Work"}, {"name": "Out", "category": "done"}]');
	SELECT vsm.transition(id, 'Work') FROM vsm.create_work_item('first', stream => 'port');
	SELECT vsm.transition(1, 'Out');
});

my $schedule = schedule();
$schedule =~ s{'\*/15 \* \* \* \*'}{'* * * * *'} or die "no schedule of every 15 minutes: $schedule";
$node->safe_psql('postgres', $schedule);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM vsm.flow_metrics WHERE throughput = 1}),
	'a day, a week and a month are there after a run');
is($node->safe_psql('postgres', q{SELECT DISTINCT status FROM cron.job_run_details WHERE end_time IS NOT NULL}), 'succeeded', 'which succeeded');

$node->stop;
done_testing();

# The first statement in the section.
sub schedule
{
	my $text = slurp_file("$FindBin::RealBin/../../doc/operations.md");
	my ($statement) = $text =~ /^(SELECT cron\.schedule\(.*;)$/m;
	return $statement // die 'doc/operations.md has no schedule';
}
