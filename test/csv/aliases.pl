# aliases.pl: what names mean by an alias is one stage, another one or none, in the long form and in the wide one.
use strict;
use warnings;

use Encode qw(decode encode);
use File::Temp 'tempdir';
use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Recognise;

my $dir = tempdir(CLEANUP => 1);
my %file = (
	long => "id,status,date\n" . join('', map { "$_\n" } 'K,Neu,2026-01-01', 'K,In Arbeit,2026-01-02', 'K,Prüfung,2026-01-03', 'K,Fertig,2026-01-04', 'L,Neu,2026-01-01', 'L,Prüfung,2026-01-05'),
	wide => "ID,Neu,In Arbeit,Prüfung,Fertig\nK,2026-01-01,2026-01-02,2026-01-03,2026-01-04\nL,2026-01-01,,2026-01-05,\n",
);
my %names = ('K' => [ 'Neu', 'In Arbeit', 'Prüfung', 'Fertig' ], 'L' => [ 'Neu', 'Prüfung' ]);

# What names mean, in any case; undef: no move.
for my $form (sort keys %file)
{
	write_file("$dir/$form.csv", $file{$form});
	reads($form, 'none', {});
	reads($form, 'another name', { 'fertig' => 'Done' });
	reads($form, 'two names as one', { 'Prüfung' => 'In Arbeit' });
	reads($form, 'two names as a third', { 'PRÜFUNG' => 'Doing', 'in  arbeit' => 'Doing' });
	reads($form, 'names that change places', { 'In Arbeit' => 'Prüfung', 'Prüfung' => 'In Arbeit' });
	reads($form, 'no moves', { 'Neu' => undef, 'Fertig' => 'Done' });
	my ($status, $answer) = recognise("$dir/$form.csv", map { ('--alias', "$_=") } @{ $names{K} });
	is($status, 2, "$form: nothing left is a refusal") or diag(explain $answer);
}

# Of the wide form, the whole name of a column says more than the name of its stage.
{
	my $file = "$dir/columns.csv";
	write_file($file, "ID,Neu am,Test am,Fertig am\nK,2026-01-01,2026-01-02,2026-01-03\nL,2026-01-01,2026-01-03,\n");
	my $stages = sub { my ($status, $answer) = recognise($file, map { ('--alias', $_) } @_); return join ' ', map { "$_->{name}:$_->{moves}" } @{ $answer->{stages} } };
	is($stages->(), 'Neu:2 Test:2 Fertig:1', 'columns give their names to stages');
	is($stages->('Test am=Pruefung', 'Fertig='), 'Neu:2 Pruefung:2', 'either name of a column may be meant');
	is($stages->('Test=Test', 'Test am='), 'Neu:2 Fertig:1', 'the whole name goes before');
}

# The words around a stage in the name of its column.
for my $around ('% Date', 'date %', '%_at', '% on', '% since', '% from', 'Entered %', 'Datum %', '% am', '% seit', '% ab', '% le', '% depuis', '% desde', '% el', 'Fecha de %', 'Data do %', '% dal',
	'% op', '% sinds', '% vanaf')
{
	my $file = "$dir/around.csv";
	write_file($file, join("\n", 'ID,' . join(',', map { $around =~ s/%/$_/r } qw(Neu Test Fertig)), 'K,2026-01-01,2026-01-02,2026-01-03', 'L,2026-01-01,2026-01-03,', ''));
	my ($status, $answer) = recognise($file);
	is(join(' ', map { $_->{name} } @{ $answer->{stages} }), 'Neu Test Fertig', "columns like \"$around\"");
}

# What is told: another name is no other spelling, and what is given is not guessed.
{
	my $told = sub { my ($status, $answer) = recognise("$dir/long.csv", @_); return join ' ', @{ $answer->{notices} } };
	unlike($told->('--alias', 'in arbeit=Doing', '--alias', 'Neu=Doing'), qr/capitals/, 'another name is not told as another spelling');
	write_file("$dir/long.csv", $file{long} =~ s/Fertig/Abgenommen/r);
	like($told->(), qr/"Abgenommen" is guessed: done/, 'a guess is told');
	unlike($told->('--stages', 'Neu:wait,In Arbeit:active,Prüfung:active,Abgenommen:done'), qr/guessed/, 'what is given is not');
}
done_testing();

sub reads
{
	my ($form, $what, $means) = @_;
	my %means = map { normal($_) => $means->{$_} } keys %$means;
	my @options = map { ('--alias', "$_=" . ($means->{$_} // '')) } sort keys %$means;
	my ($status, $answer) = recognise("$dir/$form.csv", @options);
	is($status, 0, "$form: $what: a proposal") or return diag(explain $answer);
	is($answer->{form}, $form, "$form: $what: of that form");
	my ($events) = events("$dir/$form.csv", @options);
	for my $item (sort keys %names)
	{
		is_deeply([ map { $_->{stage} } grep { $_->{item} eq $item } @$events ],
			[ map { my $key = normal($_); exists $means{$key} ? $means{$key} // () : $_ } @{ $names{$item} } ], "$form: $what: $item");
	}
	my %moves;
	$moves{ $_->{stage} }++ for @$events;
	is_deeply({ map { encode('UTF-8', $_->{name}) => $_->{moves} } @{ $answer->{stages} } }, \%moves, "$form: $what: the counts");
	is($answer->{moves}, scalar @$events, "$form: $what: and their sum");
	my @sources = map { encode('UTF-8', $_) } map { ($_->{name}, @{ $_->{spellings} }) } @{ $answer->{stages} };
	for my $name (grep { my $key = normal($_); !exists $means{$key} || defined $means{$key} } @{ $names{K} })
	{
		ok((grep { $_ eq $name } @sources), "$form: $what: $name is shown");
	}
	return;
}

sub normal
{
	my ($name) = @_;
	return lc(decode('UTF-8', $name)) =~ s/\s+//gr;
}

sub write_file
{
	my ($file, $text) = @_;
	open my $out, '>:raw', $file or die "$file: $!\n";
	print {$out} $text;
	close $out or die "$file: $!\n";
	return;
}
