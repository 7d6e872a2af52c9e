# What the TAP tests share: a server with the extension, the simulator, and the
# comparison of what the one recorded with what the other saw.
package Reengage;

use strict;
use warnings FATAL => 'all';

# Before 16 the tests' folder has another name, and is not made.
BEGIN
{
	mkdir $ENV{TESTDATADIR} if $ENV{TESTDATADIR};
	$ENV{TESTDIR} //= $ENV{TESTDATADIR} if $ENV{TESTDATADIR};
}

use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use List::Util qw(max min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time clock_gettime CLOCK_PROCESS_CPUTIME_ID);

use Exporter 'import';
our @EXPORT_OK = qw(start_simulator new_node own_installation own_courier sections set_credentials create_extension wait_for
  nudge poll_until wait_until_ended lineage outcome due_row count_due health worker_pid launcher_pid courier_pid
  process_is_alive log_size log_lines start_psql finish_psql psql_stderr lasts promise customer_address
  ledger_matches_lineage);

my @simulators;

# ---- the simulator ---------------------------------------------------------

# A simulator: ->{url}, ->{port}; control it with the functions below.
sub start_simulator
{
	my (@options) = @_;
	my $port_file = PostgreSQL::Test::Utils::tempdir() . '/port';
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		exec $ENV{SIMULATOR}, '--port', 0, '--port-file', $port_file, '--die-with-parent', @options;
		die "could not start $ENV{SIMULATOR}: $!";
	}
	push @simulators, $pid;
	wait_for(sub { -s $port_file }, 'the simulator listens');
	chomp(my $port = PostgreSQL::Test::Utils::slurp_file($port_file));
	my $self = { pid => $pid, port => $port, url => "http://127.0.0.1:$port" };
	return bless $self, 'Reengage';
}

# Whoever interrupts the tests leaves nothing behind: exit() stops the servers.
# What was forked has none to stop.
my $main_process = $$;
$SIG{$_} = sub {
	my ($signal) = @_;

	exit 1 if $$ == $main_process;
	$SIG{$signal} = 'DEFAULT';
	kill $signal, $$;
} for qw(INT TERM HUP);

END
{
	my $status = $?;
	kill 'TERM', $_ for @simulators;
	waitpid $_, 0 for @simulators;
	$? = $status;
}

# $simulator->control('POST', 'faults', {...}): the answer, decoded.
sub control
{
	my ($self, $method, $path, $body) = @_;
	my $options = defined $body ? { content => JSON::PP::encode_json($body) } : {};
	my $reply = HTTP::Tiny->new(timeout => 60)->request($method, "$self->{url}/_sim/$path", $options);

	die "simulator: $method $path: $reply->{status} $reply->{content}" unless $reply->{success};
	return JSON::PP::decode_json($reply->{content} || 'null');
}

# $simulator->fault(verb => 'notify', action => 'hang', ...)
sub fault { my ($self, %rule) = @_; return $self->control('POST', 'faults', \%rule); }

# No more faults; what hangs is closed.
sub clear_faults { my ($self) = @_; return $self->control('DELETE', 'faults'); }

sub set { my ($self, %settings) = @_; return $self->control('POST', 'settings', \%settings); }

# The effects, or the requests, of one conversation or of all.
sub effects  { my ($self, $query) = @_; return $self->ledger('effects', $query); }
sub requests { my ($self, $query) = @_; return $self->ledger('requests', $query); }

# "check notify create": the verbs of the requests, in order, without tokens.
sub verbs
{
	my ($self, $query) = @_;
	return join ' ', grep { $_ ne 'token' } map { $_->{verb} } $self->requests($query);
}

sub ledger
{
	my ($self, $what, $query) = @_;
	my $list = $self->control('GET', $what . ($query ? "?$query" : ''));

	$list = $list->{$what} if ref $list eq 'HASH';
	# a request for a token, or for a new session, has none
	$_->{conversation_id} //= '' for @$list;
	return @$list;
}

sub counts { my ($self) = @_; return $self->control('GET', 'counts'); }

# Waits until this many requests hang.
sub wait_hanging
{
	my ($self, $count) = @_;
	return wait_for(sub { $self->counts->{hanging} == $count }, "$count requests hang");
}

# The customer of a conversation that nobody described, as the simulator
# computes it: FNV-1a with a final mix.
sub customer_address
{
	my ($id) = @_;
	no warnings 'portable';
	my $hash = 0xcbf29ce484222325;

	for my $byte (unpack 'C*', $id)
	{
		$hash ^= $byte;
		{ use integer; $hash *= 0x100000001b3; }
	}
	$hash ^= $hash >> 33;
	{ use integer; $hash *= 0xff51afd7ed558ccd; }
	$hash ^= $hash >> 33;
	return sprintf '+1317555%08u', $hash % 100000000;
}

# ---- the server --------------------------------------------------------------

# Sections of the credentials file for the servers named: their API and login
# may be at any port of this machine.
sub sections
{
	my ($secret, @servers) = @_;
	return join '', map { "[$_]\nclient_id = demo\nclient_secret = $secret\nhost = 127.0.0.1:*, localhost:*\n" } @servers;
}

# The credentials file: the text, or one section for each server named.
sub set_credentials
{
	my ($node, %options) = @_;
	my $file = $node->basedir . '/credentials';
	my $text = $options{text};

	$text //= sections('secret', @{ $options{servers} // ['genesys'] });
	open my $handle, '>', "$file.new" or die "could not write $file.new: $!";
	print $handle $text;
	close $handle;
	chmod $options{mode} // 0600, "$file.new";
	rename "$file.new", $file or die "could not rename $file.new: $!";
	return $file;
}

my $copied = 0;

# The first servers of a test are copies of what initdb has made once for all tests,
# each with an identifier of its own.
sub init_node
{
	my ($node, %options) = @_;
	my $run = \&PostgreSQL::Test::Utils::system_or_bail;

	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		my ($program, @arguments) = @_;
		my $made = ($ENV{MADE_BY_INITDB} // '') . ".$copied";
		my $may_copy = $program eq 'initdb' && -d $made && "@{ $options{extra} }" eq $ENV{MADE_WITH};

		$copied++ if $may_copy;
		return $run->($may_copy ? ('cp', '-RPp', $made, $node->data_dir) : ($program, @arguments));
	};
	return $node->init(%options);
}

# A running server with the extension in its path.  Further lines go into its
# configuration; "preload" loads the library and serves the database postgres.
sub new_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, %{ $options{cluster} // {} });

	init_node($node, extra => [ '--locale=C', '--encoding=UTF8' ], %{ $options{init} // {} });
	my $credentials = set_credentials($node, servers => $options{servers} // ['genesys']);
	$node->append_conf('postgresql.conf', $ENV{STAGE_SETTINGS});
	$node->append_conf('postgresql.conf', "reengage.credentials_file = '$credentials'");
	$node->append_conf('postgresql.conf', "reengage.default_server = 'genesys'");
	# what a commit or the clock did not announce is never found by chance
	$node->append_conf('postgresql.conf', 'reengage.sweep_interval = 0');
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'reengage'\nreengage.databases = 'postgres'")
	  if $options{preload};
	# tables that nobody has analyzed seem large enough to be compiled for
	$node->append_conf('postgresql.conf', 'jit = off');
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start unless $options{stopped};
	return $node;
}

# Installs what is staged once more, for the servers that this test makes from
# now on, so that it may spoil what is installed; returns the folders of the
# library and of the scripts, or nothing where there is no stage.
sub own_installation
{
	chomp(my ($libraries, $shared) = `pg_config --pkglibdir --sharedir`);
	my ($root) = $ENV{STAGE_SETTINGS} =~ /dynamic_library_path = '([^']+)\Q$libraries\E:/ or return;
	my $own = PostgreSQL::Test::Utils::tempdir();

	system('cp', '-R', "$root/.", $own) == 0 or die "could not copy $root";
	$ENV{STAGE_SETTINGS} =~ s/\Q$root\E/$own/g;
	return ("$own$libraries", "$own$shared/extension");
}

# Likewise; returns the program that is the courier, or undef.
sub own_courier
{
	my ($libraries) = own_installation() or return undef;
	my ($program) = glob "$libraries/reengage-courier-*";

	return $program;
}

# The extension with the server "genesys", armed unless told otherwise.  Its
# limits of requests and failures are off unless the test sets them.
sub create_extension
{
	my ($node, $simulator, %options) = @_;
	my $extra = $options{server_options} ? ", $options{server_options}" : '';
	# tests of faults have many in a row, and no time to keep to a limit
	my $no_limits = join '', map { $extra =~ /\b$_\b/ ? '' : ", $_ '0'" } qw(max_requests_per_minute max_failures);

	my $version = $options{version} ? " VERSION '$options{version}'" : '';

	$node->safe_psql($options{database} // 'postgres', qq{
		CREATE EXTENSION reengage$version;
		CREATE SERVER genesys FOREIGN DATA WRAPPER reengage
			OPTIONS (api_url '$simulator->{url}'$no_limits$extra);
	});
	$node->safe_psql($options{database} // 'postgres', 'SELECT reengage.arm()')
	  unless $options{disarmed};
	return;
}

# ---- nudges -------------------------------------------------------------------

sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# Inserts one nudge and returns its id.  Columns are given as SQL expressions:
# nudge($node, 'live-1', due_at => "now() + '1 s'", address => "'+1317'").
sub nudge
{
	my ($node, $conversation, %columns) = @_;
	my $database = delete $columns{database} // 'postgres';

	$columns{conversation_id} = quote($conversation);
	$columns{message} //= "'Are you still there?'";
	my @names = sort keys %columns;
	return $node->safe_psql($database,
		    'INSERT INTO reengage.nudges (' . join(', ', @names) . ') VALUES ('
		  . join(', ', @columns{@names}) . ') RETURNING nudge_id');
}

# poll_query_until(), with shorter pauses, of a server that may crash meanwhile:
# psql is then gone before it was told its query, which is an error to IPC::Run,
# and to us no answer.
sub poll_until
{
	my ($node, $database, $query, $expected) = @_;
	my ($out, $err) = ('', '');

	return wait_for(sub {
		eval { $node->psql($database, $query, stdout => \$out, stderr => \$err); 1 }
		  or $@ =~ /Broken pipe|exited with signal/ or die $@;
		return $err eq '' && $out eq ($expected // 't');
	}, $query) || do { diag("the last answer: $out$err"); 0 };
}

# Waits until every nudge (that fulfills the condition) has an outcome.
sub wait_until_ended
{
	my ($node, %options) = @_;
	my $where = $options{where} // 'true';

	return poll_until($node, $options{database} // 'postgres', qq{
		SELECT NOT EXISTS (SELECT FROM reengage.nudges n WHERE ($where) AND NOT EXISTS (
			SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id))}) || do {
		diag($node->safe_psql($options{database} // 'postgres',
			'TABLE reengage.health; SELECT * FROM reengage.due LIMIT 5'));
		0;
	};
}

# Rows of lineage as hashes, in their order; the condition is SQL.
sub lineage
{
	my ($node, $where, %options) = @_;

	$where //= 'true';
	return @{ JSON::PP::decode_json($node->safe_psql($options{database} // 'postgres',
		"SELECT coalesce(json_agg(l ORDER BY l.lineage_id), '[]') FROM reengage.lineage l WHERE $where")) };
}

# "outcome reason step" of the nudges that named a conversation; "-" for null.
sub outcome
{
	my ($node, $conversation, %options) = @_;

	return join ', ', map { join ' ', map { $_ // '-' } @$_{qw(outcome reason step)} }
	  lineage($node, 'l.requested_conversation_id = ' . quote($conversation), %options);
}

# A row of the schedule as a hash, by conversation.
sub due_row
{
	my ($node, $conversation, %options) = @_;
	my $json = $node->safe_psql($options{database} // 'postgres',
		'SELECT row_to_json(d) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)'
		  . ' WHERE n.conversation_id = ' . quote($conversation));
	return $json eq '' ? undef : JSON::PP::decode_json($json);
}

sub count_due
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres', 'SELECT count(*) FROM reengage.due');
}

# "state: detail" of one subject of the health view.
sub health
{
	my ($node, $subject, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT state || ': ' || detail FROM reengage.health WHERE subject = " . quote($subject));
}

# ---- processes and the log -------------------------------------------------------

# The worker of a database, or of none: an empty string.
sub worker_pid
{
	my ($node, $database) = @_;
	return $node->safe_psql('template1',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'reengage worker' AND datname = "
		  . quote($database // 'postgres'));
}

# A process by its parent and its title, or undef.
sub child_pid
{
	my ($parent, $title) = @_;

	for (`ps -A -ww -o pid= -o ppid= -o args=`)
	{
		my ($pid, $ppid, $args) = /^\s*(\d+)\s+(\d+)\s+(.*)$/ or next;
		return $pid if $ppid == $parent && $args =~ $title;
	}
	return undef;
}

# The courier of a process, or undef.
sub courier_pid { my ($parent) = @_; return child_pid($parent, qr/^reengage-courier\s*$/); }

# It is connected to no database, so no view shows it.
sub launcher_pid { my ($node) = @_; return child_pid($node->{_pid}, qr/reengage launcher/); }

# One that died waits for its parent to hear of it, which may never happen
# where process 1 is no init.
sub process_is_alive
{
	my ($pid) = @_;
	return kill(0, $pid) == 1 && `ps -o stat= -p $pid` =~ /^[^Z]/;
}

sub log_size { my ($node) = @_; return -s $node->logfile; }

# Lines of the log that match, without those that only say what for.
sub log_lines
{
	my ($node, $offset, $pattern) = @_;
	return grep { $_ =~ $pattern && /^\d{4}-\d\d-\d\d .* [A-Z]+:  / && !/(statement|STATEMENT|CONTEXT|QUERY): / }
	  split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset);
}

# ---- sessions -----------------------------------------------------------------------

# A statement in a session of its own; finish_psql() waits for its end and
# returns what it printed and said.
sub start_psql
{
	my ($node, $sql, %options) = @_;
	my $self = { out => '', err => '', started => time };

	$self->{harness} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr($options{database} // 'postgres'), '-c', $sql ],
		'>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $self;
}

sub finish_psql
{
	my ($self) = @_;
	$self->{harness}->finish;
	$self->{lasted} = time - $self->{started};
	return $self->{out} . $self->{err};
}

# What a statement says besides its result: notices, warnings, errors.
sub psql_stderr
{
	my ($node, $sql, %options) = @_;
	my ($out, $err) = ('', '');

	$node->psql($options{database} // 'postgres', $sql, stdout => \$out, stderr => \$err,
		%{ $options{psql} // {} });
	return $err;
}

# Seconds that the code takes.
sub lasts
{
	my ($code) = @_;
	my $started = time;

	$code->();
	return time - $started;
}

# How many times slower than alone things go here and now: by the processes that
# want a processor, and by what a little work of our own takes.
sub slowness
{
	my ($processors) = split /\n/, `getconf _NPROCESSORS_ONLN`;
	my ($load) = -e '/proc/loadavg' ? split / /, PostgreSQL::Test::Utils::slurp_file('/proc/loadavg') : (0);
	my ($began, $worked) = (time, clock_gettime(CLOCK_PROCESS_CPUTIME_ID));

	1 while clock_gettime(CLOCK_PROCESS_CPUTIME_ID) - $worked < 0.1;
	return max(1, $load / $processors, (time - $began) / 0.1);
}

# Whether something took no longer than was promised, in seconds, with two to
# spare; on a machine that has other things to do, several times that.  What it
# must not wait for takes half a minute at least.
sub promise
{
	my ($seconds, $promised, $what) = @_;
	my $patience = ($promised + 2) * (3 * slowness() - 2);

	note sprintf '%s: %.2f s, promised %s s', $what, $seconds, $promised;
	return cmp_ok($seconds, '<=', $patience, $what);
}

# Waits for a condition, looking less often the longer it takes; gives up, and
# fails, after a time that only a broken system needs.
sub wait_for
{
	my ($condition, $what) = @_;
	my $began = time;

	while (time - $began < $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		# a look is a psql, and several tests share two processors
		my $pause = min(0.5, max(0.005, (time - $began) / 4));
		select undef, undef, undef, $pause;
	}
	fail("waited in vain: $what");
	return 0;
}

# ---- the ledger and the lineage --------------------------------------------------------

my %effect_of_outcome =
  (notified => 'notified', session_created => 'created', session_continued => 'created');

# A nudge with an outcome: has it the effect that the outcome claims?
sub check_effect_of
{
	my ($row, @effects) = @_;
	my $wanted = $effect_of_outcome{ $row->{outcome} };
	my $effect = $effects[0];

	# a notify that an API delivered to where the customer is by now
	$wanted = 'notified' if ($row->{reason} // '') =~ /^joined/;

	return ('has ' . @effects . ' effects') if @effects > 1;
	if (!$wanted)
	{
		return () if !$effect;
		return ("is $row->{outcome} but was $effect->{effect}") if $row->{outcome} ne 'in_doubt';
		return ("was $effect->{effect}, the doubt is about a $row->{step}")
		  if ($row->{step} // '') ne ($effect->{effect} eq 'created' ? 'create' : 'notify');
		return ();
	}
	return ("is $row->{outcome} without an effect") if !$effect;
	return ("is $row->{outcome} but was $effect->{effect}") if $effect->{effect} ne $wanted;
	return ("was $wanted in $effect->{conversation_id}, not in $row->{conversation_id}")
	  if $effect->{conversation_id} ne $row->{conversation_id};
	# a session that is continued in an older one names nothing that it follows
	return () if $wanted eq 'notified' || $row->{outcome} eq 'session_continued';

	return ("follows $effect->{previous_id}, not $row->{previous_conversation_id}")
	  if ($effect->{previous_id} // '') ne $row->{previous_conversation_id};
	return ();
}

# P2, P4 and P5 of the requests of one nudge: looked before each POST, and at
# most one POST that was not certainly refused; to an API that honours keys,
# the same one again.
sub check_requests_of
{
	my ($looked, $honours_keys, @requests) = @_;
	my @complaints;
	my ($open, $overtaken);

	for my $request (sort { $a->{sequence} <=> $b->{sequence} } @requests)
	{
		next if $request->{verb} eq 'check';
		my $looked_at =
		  $request->{verb} eq 'create' ? $request->{previous_id} : $request->{conversation_id};

		# then the body is missing, and with it what a create follows
		my $cut_short = $request->{status} == 0 && !defined $request->{message};

		push @complaints, "$request->{verb} without a look at $looked_at"
		  unless $overtaken || ($looked->{ $looked_at // '' } // ($cut_short ? 0 : 'inf')) < $request->{sequence};
		push @complaints, "$request->{verb} with the key $request->{key}"
		  if $request->{key} ne "$request->{nudge_id}-$request->{verb}";
		my $call = join ' ', map { $_ // '-' } @$request{qw(method path key)},
		  $cut_short ? () : @$request{qw(previous_id to_address from_address channel message)};
		push @complaints, 'another POST after one that may have had an effect'
		  if defined $open && !($honours_keys && (index($call, $open) == 0 || index($open, $call) == 0));
		# the customer came back, to another conversation than the one that was looked at
		$overtaken = $request->{verb} eq 'create' && $request->{status} == 400
		  && $request->{path} =~ m{/agentless$};
		$open //= $call unless $request->{status} =~ /^4(?!08)|^503/;
	}
	return @complaints;
}

# Compares, nudge by nudge, what the simulator saw with what the database says.
# One test.  Nudges without an outcome must have had no effect.  With the
# option honours_keys a call may be repeated; "where" leaves out what another saw.
sub ledger_matches_lineage
{
	my ($node, $simulator, $name, %options) = @_;
	my (%rows, %effects, %requests, %looked, @complaints);

	push @{ $rows{ $_->{nudge_id} } }, $_
	  for lineage($node, 'l.resolves IS NULL AND l.nudge_id IS NOT NULL AND ' . ($options{where} // 'true'), database => $options{database});
	push @{ $effects{ $_->{nudge_id} // '?' } }, $_ for $simulator->effects;
	for my $request (sort { $a->{sequence} <=> $b->{sequence} } $simulator->requests)
	{
		$looked{ $request->{conversation_id} } //= $request->{sequence} if $request->{verb} eq 'check';
		next if $request->{verb} !~ /^(notify|create)$/;
		push @{ $requests{ $request->{nudge_id} // '?' } }, $request;
	}

	for my $nudge_id (sort keys %rows)
	{
		my @of_nudge = @{ $rows{$nudge_id} };

		push @complaints, "$nudge_id has " . @of_nudge . ' outcomes' if @of_nudge != 1;
		push @complaints, map { "$nudge_id ($of_nudge[0]{requested_conversation_id}) $_" }
		  check_effect_of($of_nudge[0], @{ $effects{$nudge_id} // [] });
	}
	push @complaints, map { "$_ had an effect and has no outcome" }
	  grep { !$rows{$_} } sort keys %effects;
	for my $nudge_id (sort keys %requests)
	{
		push @complaints, map { "$nudge_id: $_" } check_requests_of(\%looked, $options{honours_keys}, @{ $requests{$nudge_id} });
	}
	splice @complaints, 20 if @complaints > 20;
	return is_deeply(\@complaints, [], $name);
}

1;
