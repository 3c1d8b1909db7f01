# hints.pl: no hint that leaves by HTTP speaks SQL, whichever error of the sources it belongs to
#
# Every hint of sql/ and src/ is taken from there, so a new one is swept without an edit here.  The database is made to raise
# each of them, and the gateway to answer it.  What requests can really cause is caused, and must have a hint that helps.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

use lib $FindBin::RealBin;
use Service;

my $root = "$FindBin::RealBin/../..";
my $node = database('hints');
my $gw = Service->start($node);
my $id = $gw->create('an item');

my %from = (hints_of_sql(), hints_of_c());
cmp_ok(scalar keys %from, '>', 150, scalar(keys %from) . ' hints are in the sources');
raised();
table();
caused();

$gw->finish;
$node->stop;
done_testing();

# Not what the gateway looks for, but what a reader would call SQL.
sub sql_in
{
	my ($hint) = @_;
	return $1 if $hint =~ /(\bvsm(?:_api)?\.\w+|\bpg_\w+|=>|::|\w\([^)]*\)|\b(?:SELECT|UPDATE|INSERT|DELETE(?! \/)|GRANT|REVOKE|CREATE|ALTER|DROP|TRUNCATE|RESET|VACUUM|NULL)\b)/;
	return;
}

# Texts that the sources put together have X for what is filled in.
sub hints_of_sql
{
	my %hints;
	for my $file (glob "$root/sql/[0-9]*.sql $root/sql/[0-9]*.sql.in")
	{
		my $text = slurp_file($file);
		while ($text =~ /HINT = (.*?)(?:;\n|,\s+[A-Z]+ = |$)/gms)
		{
			for my $literal ($1 =~ /'((?:[^']|'')*)'/g)
			{
				my $hint = $literal =~ s/''/'/gr =~ s/%[sIL]/X/gr;
				$hints{$hint} = $file if $hint =~ /^[A-Za-z].* /;
			}
		}
	}
	return %hints;
}

sub hints_of_c
{
	my %hints;
	for my $file (split /\n/, `find $root/src -name '*.c' ! -path '*/src/gateway/*' ! -path '*/node_modules/*'`)
	{
		my $text = slurp_file($file);
		while ($text =~ /errhint\(\s*((?:"(?:[^"\\]|\\.)*"|INT64_FORMAT|\s)+)/g)
		{
			my $hint = join '', map { /^"(.*)"$/s ? $1 : 'X' } $1 =~ /("(?:[^"\\]|\\.)*"|INT64_FORMAT)/g;
			$hint = $hint =~ s/\\(.)/$1/gr =~ s/%(?:ld|[sdu])/X/gr;
			$hints{$hint} = $file if $hint ne 'X';
		}
	}
	return %hints;
}

# The database raises a hint in place of an answer.
sub raised
{
	$node->safe_psql('postgres', q{
		ALTER EVENT TRIGGER vsm_shape DISABLE;
		CREATE TABLE public.said (hint text);
		INSERT INTO public.said VALUES ('');
		CREATE OR REPLACE FUNCTION vsm_api.wip(stream text DEFAULT NULL) RETURNS json LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'PT422', HINT = (SELECT hint FROM public.said); END $$;
	});
	my (@sql, @lost);
	for my $hint (sort keys %from)
	{
		my $quoted = $hint =~ s/'/''/gr;
		$node->safe_psql('postgres', "UPDATE public.said SET hint = '$quoted'");
		my $got = $gw->get('/api/v1/wip');
		my $said = $got->{json}{hint};
		push @sql, "$from{$hint}: $hint -> $said" if defined $said && sql_in($said);
		push @lost, "$from{$hint}: $hint" if !defined $said && !sql_in($hint);
		is($got->{json}{code}, 'PT422', "raised: $hint") or last;
	}
	is(join("\n", @sql), '', 'none of them speaks SQL over HTTP');
	is(join("\n", @lost), '', 'and none that does not speak SQL is left out');
	return;
}

# Each entry of the table is for a hint that there is.
sub table
{
	my $source = slurp_file("$root/src/gateway/api/hints.c");
	my @begins = map { s/\\"/"/gr } $source =~ /^\t\{"((?:[^"\\]|\\.)*)",/gm;
	cmp_ok(scalar @begins, '>', 10, scalar(@begins) . ' hints are translated');
	for my $begin (@begins)
	{
		ok(scalar(grep { index($_, $begin) == 0 } keys %from), "a hint begins with \"$begin\"");
	}
	return;
}

# What a request can cause has a hint of use.
sub caused
{
	$node->safe_psql('postgres', q{
		CREATE ROLE guest LOGIN;
		SELECT vsm.define_stream('ship', '[{"name":"New","category":"wait"},{"name":"Old"},{"name":"Doing","wip_limit":1},{"name":"Done","category":"done"}]');
		SELECT vsm.create_work_item('held', stream => 'ship'), vsm.create_work_item('other', stream => 'ship');
		SELECT vsm.transition(2, 'Old'), vsm.transition(2, 'Doing');
		UPDATE vsm.stages SET retired_at = now() WHERE name = 'Old';
	});
	my $new = $node->safe_psql('postgres', "SELECT id FROM vsm.stages WHERE name = 'New'");
	my $done = $node->safe_psql('postgres', "SELECT id FROM vsm.stages WHERE name = 'Done'");
	my $csv = "case_id,stage,entered_at,type\nA,%s,%s,%s\n";
	my @requests = (
		[ GET => '/api/v1/work-items/99999', undef, 'list of work items' ],
		[ PUT => "/api/v1/work-items/$id/transition", { to_stage => 'Nope' }, 'The stages are Backlog' ],
		[ PUT => "/api/v1/work-items/$id/transition", { to_stage => 'Testing', expected_from => 'Production' }, 'GET the history' ],
		[ PUT => "/api/v1/work-items/$id/transition", { to_stage => 'Testing', at => '2020-01-01T00:00:00Z' }, '/api/v1/import' ],
		[ PUT => "/api/v1/work-items/$id/transition", { to_stage => 'Testing', at => '2999-01-01T00:00:00Z' }, 'at most 5 minutes ahead' ],
		[ PUT => "/api/v1/work-items/$id/transition", { to_stage => 'Testing', at => '1960-01-01T00:00:00Z' }, '1970' ],
		[ PUT => '/api/v1/work-items/3/transition', { to_stage => 'Doing' }, 'raise its wip_limit' ],
		[ PUT => '/api/v1/work-items/3/transition', { to_stage => 'Old' }, '/api/v1/stages/{stage_id}' ],
		[ POST => '/api/v1/work-items', { title => 'x', type => 'bug', external_id => '' }, 'or null' ],
		[ POST => '/api/v1/work-items', { title => 'x', type => 'bug', stream => 'nowhere' }, 'The streams are default' ],
		[ GET => '/api/v1/metrics?stream=nowhere', undef, 'The streams are default' ],
		[ GET => '/api/v1/metrics?since=2026-02-01&until=2026-01-01', undef, '' ],
		[ GET => '/api/v1/metrics?type=nothing', undef, 'The types are' ],
		[ GET => '/api/v1/metrics?attributes=%7B%22a%22:1%7D', undef, '' ],
		[ GET => '/api/v1/forecast?items=3', undef, '' ],
		[ GET => '/api/v1/forecast', undef, '' ],
		[ GET => '/api/v1/cumulative-flow?since=1970-01-01&step=1%20minute', undef, '' ],
		[ POST => '/api/v1/import', sprintf($csv, 'Nowhere', '2026-01-01', 'bug'), 'POST /api/v1/stages' ],
		[ POST => '/api/v1/import', sprintf($csv, 'Backlog', '2026-01-01', 'incident'), 'POST /api/v1/types' ],
		[ POST => '/api/v1/import', sprintf($csv, 'Backlog', 'someday', 'bug'), 'case_id, stage and entered_at' ],
		[ POST => '/api/v1/import', sprintf($csv, 'Backlog', '2026-01-05', 'bug') . "h-2,Backlog,someday,bug\n", 'on_error=skip' ],
		[ POST => '/api/v1/import', sprintf($csv, 'Backlog', '03/04/2026', 'bug'), 'dates=DMY' ],
		[ POST => '/api/v1/import?stream=nowhere', sprintf($csv, 'Backlog', '2026-01-01', 'bug'), '; an admin defines a new one by create_stages=true.' ],
		[ POST => '/api/v1/import', "case,stage\n", 'case_id, stage and entered_at' ],
		[ POST => '/api/v1/streams', { name => 'ship' }, 'another name' ],
		[ PUT => '/api/v1/streams/ship', { time_zone => 'Nowhere' }, 'Europe/Berlin' ],
		[ PUT => '/api/v1/streams/ship', { commitment_stage => 'Done' }, 'wait or active stage' ],
		[ DELETE => '/api/v1/streams/ship', undef, 'work items first' ],
		[ DELETE => "/api/v1/stages/$new", undef, '"retired": true' ],
		[ DELETE => "/api/v1/stages/$done", undef, 'category done' ],
		[ PUT => "/api/v1/stages/99999", { name => 'x' }, 'list of stages' ],
		[ DELETE => '/api/v1/types/feature', undef, 'another type first' ],
		[ DELETE => '/api/v1/types/nothing', undef, 'The types are' ]);
	for my $request (@requests)
	{
		my ($method, $path, $body, $helps) = @$request;
		my $got = $gw->request($method, $path, $body, $path =~ /import/ ? ('content-type' => 'text/csv') : ());
		like($got->{status}, qr/^4\d\d$/, "$method $path is refused") or diag($got->{content});
		my $hint = $got->{json}{hint} // '';
		ok(length $hint, 'with a hint') or diag($got->{content});
		like($hint, qr/\Q$helps\E/, 'that helps');
		is(sql_in($hint), undef, "and does not speak SQL: $hint");
		is(sql_in(ref $got->{json}{detail} ? '' : $got->{json}{detail} // ''), undef, "nor does the detail: $got->{content}");
	}
	return;
}
