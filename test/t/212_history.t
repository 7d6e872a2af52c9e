# import_history(): a crash in the middle, files that are no history, and what
# the worker makes of conversations that were learned of.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_for start_psql finish_psql outcome ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd qw(abs_path);
use File::Basename;
use JSON::PP;
use Time::Local qw(timegm);

my $simulator = start_simulator();
my $node = new_node('main');
create_extension($node, $simulator);
my $file = $node->basedir . '/history.csv';
my $header = "CONVERSATION_ID,CUSTOMER_ADDRESS,CHANNEL,ABANDONED_AT\n";

sub write_file
{
	my (@parts) = @_;

	open my $handle, '>:raw', $file or die;
	print $handle $_ for @parts;
	close $handle or die;
	return;
}

sub call { my ($campaign) = @_; return "CALL reengage.import_history('Are you still there?', '$campaign', file => '$file')"; }

# The records accepted, rejected and skipped.
sub import_file
{
	my ($campaign) = @_;
	my @row = split /\|/, $node->safe_psql('postgres', call($campaign));

	is($row[1], $row[2] + $row[3] + $row[4], "$campaign: every record was accepted, rejected or skipped");
	return join ' ', @row[ 2 .. 4 ];
}

# --- files that are no history ------------------------------------------------------------

sub refused_as
{
	my ($pattern, $what) = @_;
	my ($status, undef, $stderr) = $node->psql('postgres', call('bad'));

	isnt($status, 0, "$what is refused");
	like($stderr, $pattern, '... and named');
	return;
}

# "I" is no capital of "i" in Turkish, but in names of columns and channels
SKIP:
{
	skip 'no database can have the rules of Turkish here', 2
	  if $node->psql('postgres', "CREATE DATABASE turkish TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'") != 0;
	write_file("CONVERSATION_ID,CUSTOMER_ADDRESS,CHANNEL,ABANDONED_AT,UNSUBSCRIBED\n",
		"i-1,+13175550001,VIBER,2026-03-01,false\n", "i-2,+13175550002,SMS,2026-03-01,true\n");
	$node->safe_psql('turkish', "CREATE EXTENSION reengage; CREATE SERVER turkish FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1')");
	like($node->safe_psql('turkish', "CALL reengage.import_history('Are you still there?', 'turkish', file => '$file', server => 'turkish')"),
		qr/^[^|]*\|2\|1\|1\|0\|/, 'a Turkish database finds columns in capitals, and honours them');
	is($node->safe_psql('turkish', "SELECT DISTINCT channel FROM reengage.nudges; SELECT count(*) FROM reengage.suppress('Anna', channel => 'VIBER')"),
		"viber\n0", '... and channels');
}

write_file('');
refused_as(qr/no column conversation_id/, 'an empty file');
write_file("11\t22\n33\t44\n");
refused_as(qr/no column conversation_id/, 'a file without a header');
write_file($header, "a-1,+13175550001,sms,2026-03-01\n", "\x1f\x8b\x08\0\0");
refused_as(qr/not a text file.*line 3 has a zero byte/is, 'a binary file');
write_file($header, "a-\xff,+13175550001,sms,2026-03-01\n");
refused_as(qr/record at line 2 of file .* is not UTF-8/is, 'a file that is not UTF-8');
write_file("conversation_id,a,A\n");
refused_as(qr/column "a" is there twice/, 'a column that is there twice');

write_file($header, 'x' x 2_000_000);
truncate $file, 2**31 or die;
refused_as(qr/record at line 2 of file .* longer than 1048576 bytes/, 'a line of two gigabytes');
write_file($header, "a-1,\"+1317555\n", "a-2,+13175550002,sms,2026-03-01\n" x 50_000);
refused_as(qr/record at line 2 of file .* longer than 1048576 bytes.*a quote opens in line 2/is, 'a quote that never ends');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.nudges'), '0', 'nothing was asked for');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.import_runs'), '0', 'and no import begun');

# --- the example, counted by another reader -----------------------------------------------------

# Records of CSV whose fields are enclosed or without quotes; undef is null.
sub read_csv
{
	my ($text) = @_;
	my (@records, @fields);

	while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^,\n]*))(,|\n|\z)/gc)
	{
		my ($enclosed, $plain, $end) = ($1, $2, $3);
		$enclosed =~ s/""/"/g if defined $enclosed;
		push @fields, defined $enclosed ? $enclosed : $plain eq '\N' ? undef : $plain;
		next if $end eq ',';
		push @records, [@fields] if @fields > 1;
		@fields = ();
		last if pos $text == length $text;
	}
	return @records;
}

# Seconds since 1970, of "2026-03-01 09:33:00.000 +0100".
sub seconds
{
	my ($text) = @_;
	my ($y, $mon, $d, $h, $min, $s, $sign, $oh, $om) =
		$text =~ /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.000 ([+-])(\d\d)(\d\d)$/ or return;
	return timegm($s, $min, $h, $d, $mon - 1, $y) - "${sign}1" * ($oh * 60 + $om) * 60;
}

sub withdrawn { my ($r) = @_; return ($r->{CONSENT} // '') eq 'true' ? 0 : 1; }

sub reason_alone
{
	my ($r, $as_of) = @_;
	my @times = map { defined $r->{$_} ? seconds($r->{$_}) // return 'bad_timestamp' : () } qw(LAST_INBOUND_AT ABANDONED_AT EXTRACTED_AT);

	return 'bad_timestamp' unless defined($r->{ABANDONED_AT} // $r->{LAST_INBOUND_AT});
	return 'future_timestamp' if grep { $_ > $as_of + 300 } @times;
	return 'no_address' unless defined $r->{CUSTOMER_ADDRESS};
	return 'no_consent' if withdrawn($r);
	return 'accepted';
}

# How many records of the example each reason has, by the rules of docs/history.md.
sub count_example
{
	my ($text, $as_of, %known_zones) = @_;
	my ($header, @rows) = read_csv($text);
	my (%newest, %count, %customers);
	my %statuses = map { $_ => 1 } qw(active closed disconnected ringing terminated);

	for my $row (@rows)
	{
		my %r;
		@r{@$header} = @$row;
		my $id = $r{CONVERSATION_ID};
		my $defect = !defined $id || $id =~ /^\s*$/ ? 'missing_id' : $id !~ /^[\w.~-]{1,128}\z/ ? 'invalid_id' : undef;
		$r{at} = seconds($r{ABANDONED_AT} // $r{LAST_INBOUND_AT} // '') // -1;
		if ($defect)
		{
			$count{$defect}++;
			push @{ $customers{ $r{CUSTOMER_ADDRESS} } }, \%r if defined $r{CUSTOMER_ADDRESS} && withdrawn(\%r);
			next;
		}
		$r{known_at} = seconds($r{EXTRACTED_AT} // '') // -1;
		my $other = $newest{$id};
		$count{older_record}++ if $other;
		$newest{$id} = \%r if !$other || "@{[map { sprintf '%012d', $_ } @r{qw(known_at at)}]}" ge "@{[map { sprintf '%012d', $_ } @{$other}{qw(known_at at)}]}";
	}
	for my $r (values %newest)
	{
		$r->{reason} = reason_alone($r, $as_of);
		push @{ $customers{ $r->{CUSTOMER_ADDRESS} } }, $r
			if defined $r->{CUSTOMER_ADDRESS} && ($r->{reason} eq 'accepted' || withdrawn($r));
		$count{ $r->{reason} }++ unless $r->{reason} eq 'accepted';
	}
	for my $conversations (values %customers)
	{
		my ($first, @older) = sort {
			($b->{at} < 0) <=> ($a->{at} < 0) || $b->{at} <=> $a->{at} || withdrawn($b) <=> withdrawn($a)
				|| ($b->{CONVERSATION_ID} // '') cmp ($a->{CONVERSATION_ID} // '') } @$conversations;
		$count{older_conversation} += grep { ($_->{reason} // '') eq 'accepted' } @older;
		next unless ($first->{reason} // '') eq 'accepted';
		my $zone = $first->{CUSTOMER_TIME_ZONE};
		$count{ defined $first->{STATUS} && !$statuses{ $first->{STATUS} } ? 'unknown_status' : defined $zone && !$known_zones{$zone} ? 'unknown_time_zone' : 'accepted' }++;
	}
	return { map { $_ => $count{$_} } grep { $count{$_} } keys %count };
}

my $example = dirname(__FILE__) . '/../demo/abandoned_sessions.csv';
my %zones = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_timezone_names');
my $counted = $node->safe_psql('postgres', q{CALL reengage.import_history('Hi', 'example', file => '} . abs_path($example) . q{', as_of => '2026-03-23 00:00Z', dry_run => true)});
is_deeply(decode_json((split /\|/, $counted)[5]), count_example(slurp_file($example), timegm(0, 0, 0, 23, 2, 2026), %zones),
	'the example has as many records of each reason as another reader counts');

# --- what the worker makes of it --------------------------------------------------------------

write_file($header, "live-1,+13175550001,sms,2026-03-01\n", "closed-2,+13175550002,sms,2026-03-01\n",
	"closed-3,+13175550003,sms,2026-03-01\n");
is(import_file('real'), '3 0 0', 'three customers');
$node->safe_psql('postgres', 'CALL reengage.run()');
is($node->safe_psql('postgres', q{SELECT outcome || ' ' || generation FROM reengage.thread('closed-2')}),
	"imported 0\nsession_created 1", 'the thread begins with the history');
is($node->safe_psql('postgres', q{SELECT string_agg(outcome, ' ' ORDER BY lineage_id) FROM reengage.lineage WHERE root_conversation_id = 'live-1'}),
	'imported notified', 'also of a live one');
my $tip = $node->safe_psql('postgres', q{SELECT tip_conversation_id FROM reengage.threads WHERE root_conversation_id = 'closed-2'});
isnt($tip, 'closed-2', 'the tip is the new session');
$node->safe_psql('postgres', q{SELECT reengage.nudge('closed-2', 'again')});
$node->safe_psql('postgres', 'CALL reengage.run()');
is($node->safe_psql('postgres', q{SELECT nudges || ' ' || generations FROM reengage.threads WHERE root_conversation_id = 'closed-2'}),
	'2 1', 'the next nudge goes to the tip');
write_file($header, "$tip,+13175550099,sms,2026-03-01\n", "live-1,+13175550001,sms,2026-03-01\n", "other-1,+1 317 555-0003,sms,2026-03-02\n");
is(import_file('real'), '0 0 3', 'a thread, a conversation and a customer of this campaign are not asked for again');
is($node->safe_psql('postgres', qq{SELECT count(*) FROM reengage.lineage WHERE outcome = 'imported' AND conversation_id = '$tip'}),
	'0', 'a conversation that lineage knows begins no thread');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree');

# --- a crash between two chunks -----------------------------------------------------------------

write_file($header, map { sprintf "big-%d,+1500%07d,sms,2026-03-01\n", $_, $_ } 1 .. 30_000);
$node->safe_psql('postgres', q{
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$;
	CREATE TRIGGER wait BEFORE INSERT ON reengage.nudges FOR EACH ROW WHEN (NEW.conversation_id = 'big-3000') EXECUTE FUNCTION wait();
});
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
my $import = start_psql($node, call('big'));
wait_for(sub { $node->safe_psql('postgres', q{SELECT accepted FROM reengage.imports WHERE campaign = 'big'}) eq '20000' },
	'the third chunk waits');
is($node->safe_psql('postgres', q{SELECT state || ' ' || remaining FROM reengage.imports WHERE campaign = 'big'}), 'running 10000',
	'others see how far it is');
wait_for(sub { $node->safe_psql('postgres', q{SELECT moved_at < clock_timestamp() - interval '1.1 s' FROM reengage.imports WHERE campaign = 'big'}) eq 't' },
	'it does not move');
is($node->safe_psql('postgres', q{SELECT state FROM reengage.imports WHERE campaign = 'big'}), 'running', 'and that it runs');
my $pid = '';
wait_for(sub { ($pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL' AND wait_event = 'advisory'})) ne '' },
	'in the middle of the chunk');
kill 'KILL', $pid or die;
finish_psql($import);
$holder->quit;
$node->stop('immediate', fail_ok => 1);
$node->start;

is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.nudges WHERE campaign = 'big'}), '20000',
	'a crash leaves whole chunks');
wait_for(sub { $node->safe_psql('postgres', q{SELECT state FROM reengage.imports WHERE campaign = 'big'}) eq 'interrupted' },
	'the import is interrupted');
$node->safe_psql('postgres', 'DROP TRIGGER wait ON reengage.nudges');
is(import_file('big'), '10000 0 20000', 'the next import goes on');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT conversation_id), count(DISTINCT address) FROM reengage.nudges WHERE campaign = 'big'}),
	'30000|30000|30000', 'nothing is lost or doubled');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT conversation_id) FROM reengage.lineage WHERE conversation_id ~ '^big' AND outcome = 'imported'}),
	'30000|30000', 'nor in lineage');

# --- two at once ----------------------------------------------------------------------------------

my @imports = map { start_psql($node, call('both')) } 1 .. 2;
finish_psql($_) for @imports;
is($node->safe_psql('postgres', q{SELECT sum(accepted), sum(skipped), count(*) FROM reengage.imports WHERE campaign = 'both' AND state = 'finished'}),
	'30000|30000|2', 'of two imports at once, each record is accepted by one');

done_testing();
