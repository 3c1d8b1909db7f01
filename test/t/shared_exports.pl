# shared_exports.pl: exports of trackers, imported by vsm_api.import(), have the figures of an independent program
#
# They lie beside the checkout, in ../shared/cases/exports, or where VSM_SHARED_EXPORTS says; cases.json says what each is.
# Whoever calls a function with a text has it in the encoding of the session: here as UTF-8.
use strict;
use warnings;

use Encode qw(decode encode);
use FindBin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = $ENV{VSM_SHARED_EXPORTS} // "$FindBin::RealBin/../../../shared/cases/exports";
plan skip_all => 'the shared exports are not there' unless -e "$folder/cases.json";

$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{PGTZ} = 'UTC';
my $node = PostgreSQL::Test::Cluster->new('exports');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION vsm;
	SET client_min_messages = warning;
	SELECT vsm.define_stream('other');
	CREATE FUNCTION hours(i interval) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN extract(epoch FROM i) / 3600;
	CREATE FUNCTION try(content text, of_stream text, dry_run boolean, dates text) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE
		message text; detail text; hint text; decides text;
	BEGIN
		RETURN vsm_api.import(content, stream => of_stream, on_error => 'skip', dry_run => dry_run, create_stages => true,
							  create_types => true, dates => dates);
	EXCEPTION WHEN SQLSTATE 'PT422' THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, decides = COLUMN_NAME;
		RETURN jsonb_build_object('error', message, 'detail', detail, 'hint', hint, 'option', decides);
	END $$;
	CREATE FUNCTION figures(of_stream text) RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('items', count(*), 'finished', count(completed_at), 'discarded', count(discarded_at),
								  'open', count(*) FILTER (WHERE completed_at IS NULL AND discarded_at IS NULL))
			   || (SELECT jsonb_build_object('lead_p50_h', hours(m.lead_time_p50), 'lead_p85_h', hours(m.lead_time_p85),
											 'cycle_p50_h', hours(m.cycle_time_p50), 'cycle_p85_h', hours(m.cycle_time_p85))
				   FROM vsm.metrics(of_stream, '-infinity', 'infinity') m)
		FROM vsm.work_items WHERE stream = of_stream $$;
	CREATE FUNCTION written() RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_array((SELECT count(*) FROM vsm.work_items), (SELECT count(*) FROM vsm.stages), (SELECT count(*) FROM vsm.value_streams),
								 (SELECT count(*) FROM vsm.work_item_types), (SELECT count(*) FROM vsm.stage_transitions),
								 (SELECT count(*) FROM vsm.import_refusals), (SELECT count(*) FROM vsm.stage_aliases)) $$;
});

my $cases = decode_json(slurp_file("$folder/cases.json"));

for my $name (sort keys %$cases)
{
	my $case = $cases->{$name};
	my $before = ask('SELECT written()');
	my $tried = import_file($name, 'true');
	my $answer = $case->{outcome} eq 'ok' ? undef : import_file($name, 'false');

	is_deeply(ask('SELECT written()'), $before, "$name: nothing is written before it is understood");
	if ($case->{outcome} eq 'ask')
	{
		my $option = $answer->{option} // '';

		ok((grep { $_ eq $option } @{ $case->{options_needed} }), "$name: the question names the option") or diag(explain $answer);
		like($answer->{hint}, qr/\b\Q$option\E => /, "$name: so does its hint, as it is given here");
		is_deeply($tried, $answer, "$name: as when it was only tried");
		check($name, $case, $case->{given}{dates}) if $case->{given};
	}
	elsif ($case->{outcome} eq 'refuse')
	{
		my $words = join ' ', map { $_ // '' } @$answer{qw(error detail)};

		ok((grep { $words =~ /\Q$_\E/i } @{ $case->{says} }), "$name: refused with what is wrong") or diag(explain $answer);
	}
	else
	{
		check($name, $case, undef, $tried);
	}
}

$node->stop;
done_testing();

# A query's only value, from JSON.
sub ask
{
	return JSON::PP->new->utf8->allow_nonref->decode($node->safe_psql('postgres', $_[0]));
}

sub check
{
	my ($name, $case, $dates, $tried) = @_;
	my $answer = import_file($name, 'false', $dates);

	ok(!$answer->{error}, "$name: imported") or return diag(explain $answer);
	is($answer->{proposal}{form}, $case->{form}, "$name: its form");
	is($answer->{refused_count}, $case->{refused_rows}, "$name: refused lines") if defined $case->{refused_rows};
	is($answer->{$_}, $tried->{$_}, "$name: $_ as foretold") for $tried ? qw(items transitions merged skipped refused_count) : ();

	my $figures = ask("SELECT figures('$name')");
	is($figures->{$_}, $case->{$_}, "$name: $_") for qw(items finished discarded open);
	for (qw(lead_p50_h lead_p85_h cycle_p50_h cycle_p85_h))
	{
		my ($got, $expected) = ($figures->{$_}, $case->{$_});
		ok(defined $got ? defined $expected && abs($got - $expected) <= 0.02 : !defined $expected, "$name: $_")
			or diag(($got // 'null') . ' instead of ' . ($expected // 'null'));
	}
	my $again = import_file($name, 'false', $dates);
	is("$again->{items} $again->{transitions}", '0 0', "$name: a second time, nothing is new");
	return;
}

sub import_file
{
	my ($name, $dry_run, $dates) = @_;
	my $quoted = defined $dates ? "'$dates'" : 'NULL';
	my $text = text_of("$folder/$name");

	return ask("SELECT try(\$file\$$text\$file\$, '$name', $dry_run, $quoted)");
}

# As UTF-8.
sub text_of
{
	my ($file) = @_;
	my $bytes = slurp_file($file);

	return encode('UTF-8', decode('UTF-16', $bytes)) if $bytes =~ /^(\xFF\xFE|\xFE\xFF)/;
	return encode('UTF-8', decode('UTF-16LE', $bytes)) if substr($bytes, 1, 1) eq "\0";
	return $bytes if eval { my $copy = $bytes; decode('UTF-8', $copy, Encode::FB_CROAK); 1 };
	return encode('UTF-8', decode('cp1252', $bytes));
}
