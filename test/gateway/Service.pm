# Service.pm: a database with vsm, gateways in front of it, and the requests that the tests send to them
#
#	database($name, @settings)			a server with vsm preloaded and installed in database postgres
#	url($node [, $db])					the DATABASE_URL of that database
#	Service->start($node, %how)			a gateway, which listens when this returns
#		options	[...]					further options of the program; without --fold-interval it does not fold
#		env		{...}					further environment
#		url		'postgresql://...'		instead of the node's
#	$gw->request($method, $path, $body, %headers)
#										{ status, headers, content, json }; a $body that is a reference is sent as JSON; header
#										names are in lower case; 599 is a connection that failed
#	$gw->get($path) post($path, $body) put($path, $body)
#	$gw->eventually($path, $status)		repeats GET until it has that status; its last answer
#	$gw->json_log						the lines that it has logged, decoded; dies when one is no JSON object
#	$gw->stop							SIGTERM; its wait status
#	$gw->finish							three tests: it ended well, its log is JSON, and every answer was as /openapi.json says
#	seconds_left($limit)				an iterator for loops that wait: true until so many seconds have passed
#	until_true($condition)				waits for it, a minute at most; whether it came true
#	file($name)							a file in the test's directory
#
# VSM_GATEWAY is the program, or a command that runs it, such as "valgrind --error-exitcode=9 ./vsm-gateway".

package Service;

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Exporter 'import';
use File::Temp ();
use HTTP::Tiny;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep time);

use OpenApi;

our @EXPORT = qw(database url seconds_left until_true file program);

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref->canonical;
my $dir = File::Temp->newdir('vsm-XXXXXX', TMPDIR => 1);
my %running;					# process ids of gateways
my $starts = 0;

# HTTP::Tiny sends head and body apart: without this the body waits 40 ms for the other side's word on the head.
{
	no warnings 'redefine';
	my $connect = \&HTTP::Tiny::Handle::connect;
	*HTTP::Tiny::Handle::connect = sub {
		my $handle = $connect->(@_);
		setsockopt $handle->{fh}, IPPROTO_TCP, TCP_NODELAY, 1;
		return $handle;
	};
}

sub program
{
	my @command = split ' ', $ENV{VSM_GATEWAY} // '';
	@command or BAIL_OUT('VSM_GATEWAY must name the gateway');
	return @command;
}

sub file
{
	my ($name) = @_;
	return "$dir/$name";
}

sub database
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'vsm'", 'log_statement = none', @settings, '');
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION vsm');
	return $node;
}

sub url
{
	my ($node, $db) = @_;
	return sprintf 'postgresql:///%s?host=%s&port=%d&user=%s', $db // 'postgres', $node->host, $node->port, scalar getpwuid($<);
}

sub seconds_left
{
	my ($limit) = @_;
	my $end = time + $limit;
	return sub { time < $end };
}

sub until_true
{
	my ($condition) = @_;
	my $waiting = seconds_left(60);
	while ($waiting->())
	{
		return 1 if $condition->();
		sleep 0.05;
	}
	return 0;
}

sub start
{
	my ($class, $node, %how) = @_;
	my $name = 'gateway' . ++$starts;
	my $self = bless { name => $name, seen => 0, problems => {} }, $class;
	my %env = (DATABASE_URL => $how{url} // url($node), %{ $how{env} // {} });

	$self->{pid} = fork // die "fork: $!";
	if (!$self->{pid})
	{
		delete @ENV{ grep { /^(PG|DATABASE_)/ } keys %ENV };
		@ENV{ keys %env } = values %env;
		open STDIN, '<', '/dev/null' or POSIX::_exit(126);
		open STDOUT, '>', "$dir/$name.out" or POSIX::_exit(126);
		open STDERR, '>', "$dir/$name.log" or POSIX::_exit(126);
		# A machine that is busy may take long to open the first connection; a test that wants less patience says so.
		exec program(), '--port', 0, '--fold-interval', 0, '--queue-timeout', 60_000, '--connect-timeout', 60_000, @{ $how{options} // [] }
			or POSIX::_exit(127);
	}
	$running{ $self->{pid} } = 1;
	$self->_wait_for_port;
	$self->{http} = HTTP::Tiny->new(agent => 'vsm-test', timeout => 120, max_redirect => 0, keep_alive => 1);
	return $self;
}

sub _wait_for_port
{
	my ($self) = @_;
	my $waiting = seconds_left(60);
	while ($waiting->())
	{
		my $out = -e "$dir/$self->{name}.out" ? slurp_file("$dir/$self->{name}.out") : '';
		return $self->{port} = $1 if $out =~ /(\d+)\s*\n/;
		last if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
		sleep 0.02;
	}
	diag($self->log);
	BAIL_OUT('the gateway does not start');
}

sub log
{
	my ($self) = @_;
	return slurp_file("$dir/$self->{name}.log");
}

sub json_log
{
	my ($self) = @_;
	return map { my $line = $json->decode($_); ref $line eq 'HASH' ? $line : die "not an object: $_\n" } split /\n/, $self->log;
}

sub request
{
	my ($self, $method, $path, $body, %headers) = @_;
	my %with = (headers => \%headers);

	if (defined $body)
	{
		$headers{'content-type'} //= 'application/json';
		$with{content} = ref $body && ref $body ne 'CODE' ? $json->encode($body) : $body;
	}
	my $got = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", \%with);
	my $type = $got->{headers}{'content-type'} // '';
	$got->{json} = eval { $json->decode($got->{content}) } if $type =~ m{^application/([\w.]+\+)?json\b};
	$self->_check($method, $path, $got) unless $got->{status} == 599;
	return $got;
}

# Is the answer one that the document promises?
sub _check
{
	my ($self, $method, $path, $got) = @_;
	$self->{openapi} //= OpenApi->new($self->{http}->get("http://127.0.0.1:$self->{port}/openapi.json")->{content});
	$self->{seen}++;
	$self->{problems}{"$method $path: $got->{status}: $_"} = 1 for $self->{openapi}->problems($method, $path, $got);
	return;
}

sub openapi
{
	my ($self) = @_;
	$self->get('/openapi.json') unless $self->{openapi};
	return $self->{openapi};
}

sub get
{
	my ($self, $path, %headers) = @_;
	return $self->request('GET', $path, undef, %headers);
}

sub post
{
	my ($self, $path, $body, %headers) = @_;
	return $self->request('POST', $path, $body, %headers);
}

sub put
{
	my ($self, $path, $body, %headers) = @_;
	return $self->request('PUT', $path, $body, %headers);
}

sub eventually
{
	my ($self, $path, $status) = @_;
	my $waiting = seconds_left(60);
	my $got;
	do
	{
		sleep 0.05 if $got;
		$got = $self->get($path);
	} while ($got->{status} != $status && $waiting->());
	return $got;
}

sub create
{
	my ($self, $title, %more) = @_;
	my $got = $self->post('/api/v1/work-items', { title => $title, type => 'feature', %more });
	$got->{status} == 201 or die "POST work-items: $got->{status} $got->{content}";
	return $got->{json}{id};
}

sub move
{
	my ($self, $id, $stage, %more) = @_;
	return $self->put("/api/v1/work-items/$id/transition", { to_stage => $stage, %more });
}

sub signal
{
	my ($self, $signal) = @_;
	kill $signal, $self->{pid};
	return;
}

# Waits for its end, and ends it if it does not come.
sub reap
{
	my ($self) = @_;
	my $waiting = seconds_left(60);
	my $pid;
	sleep 0.02 while !($pid = waitpid($self->{pid}, POSIX::WNOHANG())) && $waiting->();
	my $status = $?;
	if ($pid != $self->{pid})
	{
		kill 'KILL', $self->{pid};
		waitpid $self->{pid}, 0;
		$status = $?;
	}
	delete $running{ $self->{pid} };
	return $status;
}

sub stop
{
	my ($self) = @_;
	$self->signal('TERM');
	return $self->reap;
}

sub finish
{
	my ($self, $status) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$status //= $self->stop;
	is($status, 0, "$self->{name} ends with status 0 at SIGTERM") or diag($self->log =~ s/.*(?=(.{4000}))//rs);
	ok(eval { $self->json_log; 1 }, 'its log is lines of JSON') or diag($@);
	return $self->keeps_its_word;
}

sub keeps_its_word
{
	my ($self) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @problems = sort keys %{ $self->{problems} };
	splice @problems, 20 if @problems > 20;
	return is(join("\n", @problems), '', "$self->{seen} answers are as /openapi.json says");
}

sub memory_kb
{
	my ($self, $kind) = @_;
	my ($kb) = slurp_file("/proc/$self->{pid}/status") =~ /^$kind:\s+(\d+) kB/m;
	return $kb;
}

END
{
	my $status = $?;
	kill 'KILL', keys %running;
	$? = $status;
}

1;
