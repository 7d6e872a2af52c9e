# A fleet on one machine, for test/fleet/fleet.pl: its servers, its APIs, and what is
# told of it.
package FleetDay;

use strict;
use warnings FATAL => 'all';

use HTTP::Tiny;
use IO::Handle;
use Reengage qw(start_simulator new_node worker_pid courier_pid process_is_alive wait_for);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use Exporter 'import';
our @EXPORT_OK = qw(report kept table_of grouped start_apis api_of new_member new_standby synchronous processes_of kill_member address_of
  start_statement is_running complaint_of fetch_csv copy_rows);

# ---- what is told -------------------------------------------------------------------------------

# Somebody who watches reads file 3; in a test it becomes notes.
my $screen;
if ($ENV{FLEET_WATCHED})
{
	open $screen, '>&=', 3 or die "could not open file 3: $!";
	$screen->autoflush(1);
}
my $began = time;

sub grouped { my ($number) = @_; 1 while $number =~ s/^(-?\d+)(\d{3})/$1,$2/; return $number; }

# A line with the time since the beginning; without one, if it begins with a space.
sub report
{
	my ($words) = @_;
	my $seconds = time - $began;
	my $line = $words =~ /^\s|^$/ ? $words : sprintf '%2d:%02d  %s', $seconds / 60, $seconds % 60, $words;

	return $screen ? print $screen "$line\n" : note $line;
}

# A promise, and what breaks it: nothing, if it is kept.
sub kept
{
	my ($promise, @broken) = @_;
	my $count = @broken;

	report(' ' . ($count ? 'BROKEN' : 'kept  ') . "  $promise");
	report("           $_") for splice @broken, 0, 10;
	ok($count == 0, $promise) or diag(join "\n", @broken);
	return $count == 0;
}

# Rows of cells, the first of which are the titles; what is no word is to the right.
sub table_of
{
	my (@rows) = @_;
	my @width = map { my $column = $_; (sort { $b <=> $a } map { length $_->[$column] } @rows)[0] } 0 .. $#{ $rows[0] };

	for my $row (@rows)
	{
		report('    ' . join '  ', map {
			my $right = $_ > 0 && $row->[$_] =~ /^[-\d]/ || $_ > 0 && $row == $rows[0] && $rows[1][$_] =~ /^[-\d]/;
			sprintf $right ? "%$width[$_]s" : "%-$width[$_]s", $row->[$_] } 0 .. $#$row);
	}
	return;
}

# ---- APIs ---------------------------------------------------------------------------------------

# One for each latency given, in milliseconds.
my @apis;

sub start_apis
{
	my ($customers, @latencies) = @_;

	@apis = map { start_simulator('--latency-ms', $_, '--customers', $customers, '--close-after-looks', 3) } @latencies;
	return @apis;
}

sub apis { return @apis; }
sub api_of { my ($number) = @_; return $apis[ $number % @apis ]; }

# "requests" or "effects" of an API, into a file.
sub fetch_csv
{
	my ($api, $what, $file) = @_;

	open my $out, '>', $file or die "could not write $file: $!";
	my $reply = HTTP::Tiny->new(timeout => 300)->request('GET', "$api->{url}/_sim/$what.csv", { data_callback => sub { print $out $_[0] } });
	die "the simulator's $what: $reply->{status}" unless $reply->{success};
	close $out or die "could not write $file: $!";
	return $file;
}

# ---- servers --------------------------------------------------------------------------------------

# What all have: room for the others' connections, and no patience with those that went.
my $settings = q{
max_connections = 60
shared_buffers = '64MB'
max_wal_senders = 20
max_replication_slots = 20
max_worker_processes = 30
max_logical_replication_workers = 16
wal_retrieve_retry_interval = '200ms'
wal_level = logical
track_commit_timestamp = on
checkpoint_timeout = '1h'
max_wal_size = '4GB'
};

sub new_member
{
	my ($name, %options) = @_;

	return new_node($name, %options, init => { allows_streaming => 'logical' }, conf => $settings . ($options{conf} // ''));
}

# A standby that follows, and may become what its primary was.
sub new_standby
{
	my ($name, $primary) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$primary->backup("for_$name");
	$standby->init_from_backup($primary, "for_$name", has_streaming => 1);
	$standby->start;
	return $standby;
}

sub synchronous
{
	my ($primary, $standby) = @_;

	$primary->append_conf('postgresql.conf', "synchronous_standby_names = '" . $standby->name . "'");
	$primary->reload;
	return $primary->poll_query_until('postgres', q{SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication});
}

# The connection to whichever of the servers given accepts writes.
sub address_of
{
	my (@servers) = @_;

	return join ' ', 'host=' . join(',', map { $_->host } @servers), 'port=' . join(',', map { $_->port } @servers), 'dbname=postgres',
	  @servers > 1 ? 'target_session_attrs=read-write' : ();
}

# What would go on by itself for a while if the server is killed, or says good-bye to others.
sub processes_of
{
	my ($node) = @_;
	my $worker = worker_pid($node);

	return grep { $_ } $worker, courier_pid($worker), split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
}

sub kill_member
{
	my ($node, @processes) = @_;

	$node->kill9;
	kill 'KILL', @processes;
	return wait_for(sub { !grep { process_is_alive($_) } @processes }, 'all processes of a killed server are gone');
}

# ---- statements -------------------------------------------------------------------------------------

# A statement in a session of its own: ->{harness}, and what it says in ->{out} and ->{err}.
sub start_statement
{
	my ($node, @statements) = @_;
	my $self = { out => '', err => '', began => time };

	$self->{harness} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', $_) } @statements ],
		'<', '/dev/null', '>', \$self->{out}, '2>', \$self->{err});
	return $self;
}

sub is_running
{
	my ($statement) = @_;

	return 0 if $statement->{ended};
	$statement->{harness}->pump_nb;
	return 1 if $statement->{harness}->pumpable;
	$statement->{harness}->finish;
	$statement->{ended} = time;
	return 0;
}

# Its error, in a line.
sub complaint_of
{
	my ($statement) = @_;
	my ($complaint) = $statement->{err} =~ /((?:ERROR|FATAL|could not|connection).*)/;

	return ($complaint // $statement->{err}) =~ s/^(ERROR|FATAL):\s+//r;
}

# What a query gives on one server, into a table on another.
sub copy_rows
{
	my ($from, $query, $to, $table) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/rows';

	$from->safe_psql('postgres', "\\copy ($query) TO '$file'");
	$to->safe_psql('postgres', "\\copy $table FROM '$file'");
	unlink $file;
	return;
}

1;
