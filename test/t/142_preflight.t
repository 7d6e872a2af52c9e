# preflight(): credentials, replies and waits that pg_regress cannot make.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node set_credentials create_extension wait_for
  promise start_psql finish_psql);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main');
create_extension($node, $simulator, disarmed => 1, server_options => "timeout '10min'");
my $credentials = $node->basedir . '/credentials';

# The row that failed.
sub preflight
{
	my ($id) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT check_name, regexp_replace(detail, '"/.*"', 'FILE'), remedy <> '' FROM reengage.preflight('genesys', '$id')
		WHERE state = 'failed'});
}

is(preflight('live-1'), '', 'nothing fails where all is well, without a worker and not armed');

# --- credentials -----------------------------------------------------------------------------

chmod 0644, $credentials or die;
like(preflight('live-1'), qr/^credentials\|.*0644.*\|t$/, 'a file that others can read');
chmod 0600, $credentials or die;
rename $credentials, "$credentials.away" or die;
like(preflight('live-1'), qr/^credentials\|could not open credentials file FILE: No such file.*\|t$/, 'a file that is not there');
rename "$credentials.away", $credentials or die;
is(preflight('live-1'), '', 'and all is well again');
$simulator->fault(verb => 'token', action => 'status', status => 401);
like(preflight('live-1'), qr/^token\|bad_credentials \(HTTP 401\).*\|t$/, 'credentials that the API refuses');
$simulator->clear_faults;

# --- replies -----------------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-garbage', action => 'garbage');
like(preflight('live-garbage'), qr/^(may look|conversation)\|\w+.*\|t$/, 'a reply that cannot be read');
$simulator->fault(verb => 'check', id => 'live-503', action => 'status', status => 503);
like(preflight('live-503'), qr/^may look\|http_503 \(HTTP 503\).*\|t$/, 'an API that is ill');

$simulator->fault(verb => 'check', id => 'live-403', action => 'status', status => 403,
	body => '{"message": "No.", "details": [{"errorCode": "missing", "entityName": "conversation:communication:view"}]}');
like(preflight('live-403'), qr/^may look\|forbidden \(HTTP 403\): No\.; conversation:communication:view\|t$/, 'a permission that is missing is named');

# --- waits -------------------------------------------------------------------------------------

$simulator->fault(verb => 'token', action => 'hang');
my $waiting = start_psql($node, q{SELECT * FROM reengage.preflight('genesys', 'live-hang')});
$simulator->wait_hanging(1);
wait_for(sub {
	$node->safe_psql('postgres', q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
		WHERE query LIKE '%preflight%' AND pid <> pg_backend_pid() AND state = 'active'}) == 1;
}, 'it can be cancelled while it waits');
like(finish_psql($waiting), qr/canceling statement due to user request/, 'a wait can be cancelled');
promise($waiting->{lasted}, 5, 'and ends then, not with the timeout');
$simulator->clear_faults;
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET timeout '300ms')});
$simulator->fault(verb => 'token', action => 'hang');
like(preflight('live-hang'), qr/^token\|token_unavailable: .*timed out.*\|t$/, 'nobody waits longer than the timeout');

is_deeply([ grep { $_->{method} eq 'POST' && $_->{path} ne '/oauth/token' } $simulator->requests('') ], [],
	'P4: nothing was posted but for tokens');

$node->stop;
done_testing();
