# prometheus.pl: promtool takes the text of vsm_api.prometheus(), and two sessions and a restart tell the same
#
# Before the first item, with names that need escaping, and with a simulated history.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'promtool is not installed (Debian package prometheus)' if system('promtool --version >/dev/null 2>&1') != 0;

my $node = PostgreSQL::Test::Cluster->new('prometheus');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vsm'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vsm');

sub scrape
{
	return $node->safe_psql('postgres', 'SELECT vsm_api.prometheus()') . "\n";
}

# What promtool says of it.  It would have hours be seconds, but clients know the family by its name.
sub remarks
{
	my ($text) = @_;
	my $said = '';

	IPC::Run::run([ 'promtool', 'check', 'metrics' ], '<', \$text, '>&', \$said);
	$said =~ s/^vsm_(?:cycle_time_hours|fold_days_waiting) use base unit "seconds" instead of "(?:hours|days)"\n//mg;
	return $said;
}

is(remarks(scrape()), '', 'promtool finds no fault with an empty database');

$node->safe_psql('postgres', q{
	SELECT vsm_api.prepare();
	SELECT vsm.define_stream(E'a "quoted" \\\\name', '[{"name":"none","category":"wait"},{"name":"Ünusual {x=\"y\"}, #"},{"name":"Done","category":"done"}]');
	INSERT INTO vsm.work_item_types VALUES (E'ty"pe\\\\');
	SELECT vsm.create_work_item('x', E'ty"pe\\\\', E'a "quoted" \\\\name') FROM generate_series(1, 3);
	SELECT vsm.transition(1, 'Ünusual {x="y"}, #'), vsm.transition(1, 'none'), vsm.transition(2, 'Done');
	CREATE TABLE events AS SELECT * FROM vsm.simulate(500, 90, 3, now());
	SELECT vsm.import_events('events')});
my $text = scrape();
is(remarks($text), '', 'nor with odd names and 500 items');

# what it must find fault with, or it has not looked
like(remarks($text =~ s/\\"quoted/"quoted/r), qr/error while linting/, 'but with a quote that is not escaped');

my @families = $text =~ /^# TYPE (\S+ \S+)$/mg;
is_deeply(\@families, [
	'vsm_work_items_created_total counter', 'vsm_stage_transitions_total counter', 'vsm_work_in_progress gauge', 'vsm_wip_limit gauge',
	'vsm_cycle_time_hours histogram', 'vsm_stage_cycle_time_seconds histogram', 'vsm_lead_time_seconds histogram',
	'vsm_throughput_per_day gauge', 'vsm_fold_days_waiting gauge' ], 'all families are there, each once');

is(scrape(), $text, 'another session tells the same');
$node->restart;
is(scrape(), $text, 'and so does the server after a restart');

$node->stop;
done_testing();
