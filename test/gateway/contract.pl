# contract.pl: every row and sentence of the REST contract, request by request, from the files in cases/
#
# Each file has a database and a gateway of its own.  The database's time zone must not show.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib $FindBin::RealBin;
use Cases;
use Service;

my $node = database('contract');

for my $file (sort glob "$FindBin::RealBin/cases/*")
{
	my $db = 'vsm_' . $file =~ s{.*/}{}r;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql('postgres', "ALTER DATABASE $db SET timezone = 'Asia/Tokyo'");
	$node->safe_psql($db, 'CREATE EXTENSION vsm');
	my $gw = Service->start($node, url => url($node, $db));
	run_cases($gw, $node, $db, $file);
	$gw->finish;
}

$node->stop;
done_testing();
