# Credentials are for the hosts, and the database, that their section names,
# whoever makes a server of that name; and for the files that hold them.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node sections set_credentials create_extension nudge wait_until_ended
  wait_for outcome due_row health psql_stderr log_size log_lines);
use Listener qw(start_listener);
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'canary-secret-77ab10';
my $simulator = start_simulator('--client-secret', $secret);
my $heard = PostgreSQL::Test::Utils::tempdir() . '/heard';

# A host of somebody's own, that grants a token to whoever asks, and is a
# perfect API else.
my ($evil) = start_listener(converse => sub {
	my ($client) = @_;

	while (sysread $client, my $bytes, 65536)
	{
		open my $handle, '>>', $heard or die "could not write $heard: $!";
		print $handle $bytes;
		close $handle;
		my $body = '{"access_token": "t", "token_type": "bearer", "expires_in": 3600}';
		print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		$client->flush;
	}
});
my $node = new_node('main', preload => 1, conf => "reengage.databases = 'postgres,other'");

sub credentials
{
	my (%pins) = @_;

	$pins{host} //= "127.0.0.1:$simulator->{port}";
	return set_credentials($node, text => "[genesys]\nclient_id = demo\nclient_secret = $secret\n"
		  . join '', map { "$_ = $pins{$_}\n" } sort keys %pins);
}

credentials();
create_extension($node, $simulator);
$node->safe_psql('postgres', 'CREATE ROLE cuckoo LOGIN; CREATE DATABASE other OWNER cuckoo');
$node->safe_psql('other', 'CREATE EXTENSION reengage; GRANT USAGE ON FOREIGN DATA WRAPPER reengage TO cuckoo; SELECT reengage.arm()');

# As the owner of the other database.
sub as_cuckoo
{
	my ($sql) = @_;
	return psql_stderr($node, "SET ROLE cuckoo; $sql", database => 'other');
}

# What preflight() and the health view say of the server in the other database.
sub check_refused
{
	my ($what, $pattern) = @_;
	my $said = $node->safe_psql('other',
		"SELECT concat_ws('|', check_name, detail) FROM reengage.preflight('genesys', 'live-1') WHERE state = 'failed'");

	like($said, qr/^credentials\|.*section \[genesys\]$pattern/, "$what: preflight() says so");
	wait_for(sub { health($node, 'server genesys', 'other') =~ /section \[genesys\]$pattern/ }, "$what: as does the health view");
	unlike($said . health($node, 'server genesys', 'other'), qr/canary|127\.0\.0\.1:$simulator->{port}/, "$what: and nothing of the section");
	ok(!-e $heard, "$what: nothing is sent") or diag(slurp_file($heard));
	return;
}

# --- hosts of others ----------------------------------------------------------------------------

my $elsewhere = qr/: host does not name 127\.0\.0\.1:$evil, to which api_url leads/;

is(as_cuckoo("CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:$evil')"), '',
	'in another database somebody makes a server of the same name');
nudge($node, 'live-cuckoo', database => 'other');
check_refused('a server of the same name', $elsewhere);

as_cuckoo(qq{ALTER SERVER genesys RENAME TO mine; CREATE SERVER genesys2 FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url 'http://127.0.0.1:$evil/genesys'); ALTER SERVER genesys2 RENAME TO genesys});
check_refused('a server that takes the name', $elsewhere);

as_cuckoo("ALTER SERVER genesys OPTIONS (SET api_url '$simulator->{url}', ADD login_url 'http://127.0.0.1:$evil/login')");
check_refused('a login server elsewhere', qr/: host does not name 127\.0\.0\.1:$evil, to which login_url leads/);

for my $url ("http://localhost:$simulator->{port}", "http://[::1]:$simulator->{port}", "http://127.0.0.2:$simulator->{port}",
	"http://127.0.0.1")
{
	as_cuckoo("ALTER SERVER genesys OPTIONS (SET api_url '$url', SET login_url '$simulator->{url}')");
	my $host = quotemeta substr $url, length 'http://';
	check_refused($url, qr/: host does not name $host, to which api_url leads/);
}
for my $url ("http://127.0.0.1:$simulator->{port}\@127.0.0.1:$evil", "http://127.0.0.1:$evil#\@127.0.0.1:$simulator->{port}",
	"http://127.0.0.1:$evil?127.0.0.1", "http://127.0.0.1:$evil\\\@127.0.0.1:$simulator->{port}", "http://\xc3\xa4.example")
{
	like(as_cuckoo("ALTER SERVER genesys OPTIONS (SET api_url '$url')"), qr/invalid value for option "api_url"/, "$url is no URL at all");
}
like(as_cuckoo(q{ALTER SERVER genesys OPTIONS (ADD ca_file '/etc/own.pem')}), qr/permission denied to set option "ca_file"/,
	'nor can whoever has made it say whom to believe');

# --- the one whom they are for ------------------------------------------------------------------

nudge($node, 'live-right');
wait_until_ended($node);
is(outcome($node, 'live-right'), 'notified - notify', 'the server whose host the section names is served');
my $offset = log_size($node);
as_cuckoo("ALTER SERVER genesys OPTIONS (SET api_url '$simulator->{url}', SET login_url '$simulator->{url}')");
wait_until_ended($node, database => 'other');
is(outcome($node, 'live-cuckoo', database => 'other'), 'notified - notify', 'in any database, if it leads there');

credentials(database => 'postgres');
nudge($node, 'live-cuckoo-2', database => 'other');
check_refused('a section of another database', qr/ is for another database/);
nudge($node, 'live-right-2');
wait_until_ended($node);
is(outcome($node, 'live-right-2'), 'notified - notify', 'the section of this database');

credentials(host => "api.example.com, LOCALHOST:$simulator->{port}");
nudge($node, 'live-right-3');
wait_for(sub { health($node, 'server genesys') =~ /^blocked: .*host does not name 127/ }, 'a host that is not named any more');
ok(due_row($node, 'live-right-3'), 'whose nudge stays due');
$node->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (SET api_url 'http://LocalHost:$simulator->{port}')");
wait_until_ended($node);
is(outcome($node, 'live-right-3'), 'notified - notify', 'of several hosts the last, in other letters');
is(scalar(log_lines($node, $offset, qr/canary/)), 0, 'the log has no secret');
ok(!-e $heard, 'nor has anybody else');

# --- a section that is changed in its place ------------------------------------------------------

my $file = $node->basedir . '/credentials';
my $text = slurp_file($file) =~ s/LOCALHOST/ELSEWHERE/r;
system('touch', '-r', $file, "$file.as_before") == 0 or die "could not keep the time of $file";
open my $handle, '+<', $file or die "could not open $file: $!";
print $handle $text;
close $handle;
system('touch', '-r', "$file.as_before", $file) == 0 or die "could not set the time of $file";
nudge($node, 'live-right-4');
ok(wait_for(sub { health($node, 'server genesys') =~ /^blocked: .*host does not name LocalHost/ }, 'a section that is changed'),
	'a change is seen, though the size and the time of the file stay');

# --- files of root -------------------------------------------------------------------------------

# as preflight() finds them, with the host that they name
$node->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (SET api_url '$simulator->{url}')");
SKIP:
{
	my $folder = $ENV{FILES_OF_ROOT} // '';
	skip 'only root can make files of root', 7 unless -d $folder;
	my %wanted = ('0640.server' => '', '0440.server' => '', '0600.server' => 'Permission denied', '0640.root' => 'Permission denied',
		'0644.server' => 'mode 0644: chmod it 0640', '0660.server' => 'mode 0660: chmod it 0640', '0644.root' => 'mode 0644: chmod it 0640');

	for my $name (sort keys %wanted)
	{
		$node->safe_psql('postgres', "ALTER SYSTEM SET reengage.credentials_file = '$folder/$name'");
		$node->reload;
		wait_for(sub { $node->safe_psql('postgres', 'SHOW reengage.credentials_file') eq "$folder/$name" }, "$name is looked at");
		like($node->safe_psql('postgres', q{SELECT detail FROM reengage.preflight('genesys', 'live-1') WHERE check_name = 'credentials' AND state = 'failed'}),
			$wanted{$name} eq '' ? qr/^$/ : qr/\Q$wanted{$name}\E/, "a file of root's: $name" . ($wanted{$name} ? ' is refused' : ''));
	}
}

$node->stop;
done_testing();
