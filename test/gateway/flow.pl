# flow.pl: what a client of the old service did from morning to evening works unchanged
#
# It looks whether the service is up, creates an item, moves it through all six stages, reads its history, and asks for the figures.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $node = database('flow');
my $gw = Service->start($node);

my $health = $gw->get('/api/v1/health');
is($health->{status}, 200, 'the service is there');
is($health->{json}{status}, 'UP', 'and up');
ok($health->{json}{database_connected}, 'with its database');

my $created = $gw->post('/api/v1/work-items', { title => 'Accept payments by card', type => 'feature' });
is($created->{status}, 201, 'an item is created');
is($created->{json}{current_stage}, 'Backlog', 'and stands in the Backlog');
my $id = $created->{json}{id};

my @stages = map { $_->{name} } @{ $gw->get('/api/v1/stages')->{json} };
is_deeply(\@stages, [ qw(Backlog Analysis Development Testing Deployment Production) ], 'there are six stages, in their order');

for my $n (1 .. $#stages)
{
	my $moved = $gw->put("/api/v1/work-items/$id/transition", { to_stage => $stages[$n] });
	is($moved->{status}, 200, "it moves to $stages[$n]");
	is("$moved->{json}{work_item_id}: $moved->{json}{from_stage} -> $moved->{json}{to_stage}", "$id: $stages[$n - 1] -> $stages[$n]", 'from where it was');
}

my $history = $gw->get("/api/v1/work-items/$id/history")->{json};
is($history->{work_item_id}, $id, 'the history is that of the item');
is($history->{work_item_title}, 'Accept payments by card', 'with its title');
my @moves = @{ $history->{transitions} };
is_deeply([ map { $_->{to_stage} } @moves ], \@stages, 'all six stages are in it, oldest first');
is_deeply([ map { $_->{from_stage} } @moves ], [ undef, @stages[ 0 .. 4 ] ], 'each entered from the one before, the first from none');
is_deeply([ sort map { $_->{timestamp} } @moves ], [ map { $_->{timestamp} } @moves ], 'at times that do not go back');

my $metrics = $gw->get('/api/v1/metrics?days=7')->{json};
is($metrics->{throughput}, 1, 'one item was finished this week');
cmp_ok($metrics->{$_}, '<', 1, "$_ is known") for qw(cycle_time_avg cycle_time_p50 cycle_time_p85 cycle_time_p95);

my $totals = $gw->get('/metrics')->{content};
like($totals, qr/^vsm_work_items_created_total\{[^}]*type="feature"[^}]*\} 1$/m, 'monitoring sees the item');
like($totals, qr/^vsm_stage_transitions_total\{(?=[^}]*from_stage="Deployment")(?=[^}]*to_stage="Production")[^}]*\} 1$/m, 'and its last move');

is($node->safe_psql('postgres', "SELECT string_agg(to_stage, ' ') FROM vsm.history($id)"), "@stages", 'and so does SQL');

$gw->finish;
$node->stop;
done_testing();
