# Pooler.pm: PgBouncer in front of a server, with a pool of its own for each user
#
#	Pooler->program				the command that VSM_PGBOUNCER names, else pgbouncer of the system; undef without one
#	Pooler->start($node, %settings)		settings of pgbouncer.ini beside those below
#	$pooler->url([$db])			the DATABASE_URL behind it
#	$pooler->psql($sql, [$db])		what one client gets, which ends then
#	$pooler->goes_to($node)			from the next transaction on
#	$pooler->restart, ->stop
#
# Nothing is reset between two clients, as in transaction mode by default.

package Pooler;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

use Service qw(file seconds_left);

my $starts = 0;
my %running;

sub program
{
	my @command = split ' ', $ENV{VSM_PGBOUNCER} // '';
	return @command if @command;
	my ($found) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
	return $found // ();
}

# As a number: 118 is 1.18.
sub version
{
	my $said = join ' ', qx(@{[ program() ]} --version);
	my ($major, $minor) = $said =~ /(\d+)\.(\d+)/ or die "no version: $said";
	return $major * 100 + $minor;
}

sub start
{
	my ($class, $node, %settings) = @_;
	my $dir = file('pooler' . ++$starts);
	mkdir $dir or die "mkdir $dir: $!";
	append_to_file("$dir/users", join '', map { qq("$_" ""\n) } scalar getpwuid($<), 'gate');
	my $self = bless { dir => $dir, settings => {
		pool_mode => 'transaction', default_pool_size => 2, server_reset_query => '', server_login_retry => 1,
		listen_addr => '', listen_port => 6432, unix_socket_dir => $dir, auth_type => 'trust', auth_file => "$dir/users",
		admin_users => scalar getpwuid($<), max_client_conn => 200, %settings } }, $class;
	$self->_configure($node);
	$self->_run;
	return $self;
}

sub _configure
{
	my ($self, $node) = @_;
	my %settings = %{ $self->{settings} };
	open my $ini, '>', "$self->{dir}/pgbouncer.ini" or die "pgbouncer.ini: $!";
	print {$ini} "[databases]\n* = host=", $node->host, ' port=', $node->port, "\n[pgbouncer]\n", map { "$_ = $settings{$_}\n" } sort keys %settings;
	close $ini or die "pgbouncer.ini: $!";
	return;
}

sub _run
{
	my ($self) = @_;
	$self->{pid} = fork // die "fork: $!";
	if (!$self->{pid})
	{
		open STDIN, '<', '/dev/null' or POSIX::_exit(126);
		open STDOUT, '>>', "$self->{dir}/log" or POSIX::_exit(126);
		open STDERR, '>>', "$self->{dir}/log" or POSIX::_exit(126);
		exec program(), "$self->{dir}/pgbouncer.ini" or POSIX::_exit(127);
	}
	$running{ $self->{pid} } = 1;
	my $waiting = seconds_left(60);
	while ($waiting->())
	{
		return if eval { $self->psql('SHOW VERSION', 'pgbouncer'); 1 };
		last if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
		sleep 0.05;
	}
	die 'pgbouncer does not start: ' . slurp_file("$self->{dir}/log");
}

sub url
{
	my ($self, $db, $user) = @_;
	return sprintf 'postgresql:///%s?host=%s&port=6432&user=%s', $db // 'postgres', $self->{dir}, $user // scalar getpwuid($<);
}

sub psql
{
	my ($self, $sql, $db) = @_;
	my ($out, $errors) = ('', '');
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $self->url($db) ], '<', \$sql, '>', \$out, '2>', \$errors) or die "psql: $errors";
	chomp $out;
	return $out;
}

sub goes_to
{
	my ($self, $node) = @_;
	$self->_configure($node);
	$self->psql('RELOAD; RECONNECT;', 'pgbouncer');
	return;
}

sub restart
{
	my ($self) = @_;
	$self->stop;
	$self->_run;
	return;
}

sub stop
{
	my ($self) = @_;
	kill 'QUIT', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $running{ $self->{pid} };
	return;
}

END
{
	my $status = $?;
	kill 'KILL', keys %running;
	$? = $status;
}

1;
