#!/usr/bin/env perl
# The benchmark's own test: what it makes of known measurements, and of bad input.
# It measures nothing.
use strict;
use warnings;

use FindBin;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use Test::More;

my $bench = $FindBin::RealBin;
my $folder = tempdir(CLEANUP => 1);

require "$bench/statistics.pl";

sub write_file { my ($name, $text) = @_; open my $out, '>', "$folder/$name" or die; print $out $text; close $out; return "$folder/$name"; }
sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!\n"; local $/; return scalar <$in>; }
sub report { my $words = join ' ', map { "'$_'" } @_; return scalar qx(perl '$bench/report.pl' $words 2>&1); }

# --- figures ----------------------------------------------------------------------------

is(median(3, 1, 2), 2, 'median of an odd number');
is(median(4, 1, 2, 3), 2.5, 'median of an even number');
is(median(), undef, 'median of nothing');

# Rates of 10,000 and 8,000 around 4,500, 10,000 and 10,000 around 6,000: 0.5 and 0.6 of the ceiling.
my @runs = map {
	my ($contestant, $round, $us, $cpu) = @$_;
	{ contestant => $contestant, round => $round, latency => 20, in_flight => 64, nudges => 9000, us => $us,
	  $contestant eq 'reengage' ? (cpu_worker => $cpu, cpu_courier => $cpu) : ("cpu_$contestant" => $cpu),
	  cpu_postgres => 9000, cpu_api => 90000, calls => 18000, memory => 2048 }
} ([ 'ceiling', 1, 900000, 441000 ], [ 'reengage', 1, 2000000, 450000 ], [ 'pg_boss', 1, 3000000, 900000 ], [ 'ceiling', 1, 1125000, 441000 ],
	[ 'ceiling', 2, 900000, 441000 ], [ 'reengage', 2, 1500000, 450000 ], [ 'pg_boss', 2, 3000000, 900000 ], [ 'ceiling', 2, 900000, 441000 ]);
my @wal = ({ contestant => 'reengage', latency => 20, in_flight => 64, part => 'ask', relation => 'due', nudges => 9000, bytes => 900000, images => 0 },
	{ contestant => 'reengage', latency => 20, in_flight => 64, part => 'work', relation => 'lineage', nudges => 9000, bytes => 1800000, images => 0 });
my @rows = summarize(\@runs, \@wal, 2);
my ($ours) = grep { $_->{contestant} eq 'reengage' } @rows;

is_deeply([ map { $_->{contestant} } @rows ], [qw(ceiling reengage pg_boss)], 'a cell has the fastest first');
is(sprintf('%.3f', $ours->{ratio}), '0.550', 'a ratio is to the mean of the ceiling before and after, and of the rounds the median');
is(sprintf('%.2f %.2f', @$ours{qw(least_ratio most_ratio)}), '0.50 0.60', 'and has its range');
is($ours->{rate}, 5250, 'median of the rates');
is_deeply($ours->{cpu}, { worker => 50, courier => 50 }, 'CPU of each process for a nudge');
is($ours->{wal}, 300, 'WAL with the insert');
is($ours->{calls}, 2, 'calls for a nudge');
is(sprintf('%.4f', $ours->{api_share}), '0.0262', "the API's share of the cores");

my ($compared) = compare('reengage', @rows);
is($compared->{best}{contestant}, 'pg_boss', 'the best peer is not the ceiling');
is($compared->{of_best}, 1.75, 'beside the best peer');
is($compared->{cpu_times}, 101 / 50, "times the ceiling's CPU");

# --- from lines to documents --------------------------------------------------------------

my $findings = write_file('findings', join '', map { "$_\n" } "machine\tcores=2\tprocessor=P\tmemory_mb=2048\tsystem=Linux\tload=0.1",
	"versions\twhat=reengage\tversion=1.0", map { my $run = $_; join "\t", 'rates', map { "$_=$run->{$_}" } sort keys %$run } @runs);
my $more = write_file('more', "machine\tcores=2\tprocessor=P\tmemory_mb=2048\tsystem=Linux\tload=1.5\nversions\twhat=reengage\tversion=1.1\nlatency\twhat=commit to GET\tp50_ms=0.5\n"
	. join '', map { "servers\twhat=1 server\tround=1\trate=$_\tcpu_us=200\n" } 100, 5000, 1000);
my $results = write_file('results.json', report('json', $findings, $more));
my $found = decode_json(slurp($results));
is(scalar @{ $found->{rates} }, 8, 'JSON has every run');
is($found->{latency}[0]{p50_ms}, 0.5, 'and what another run measured');

my $text = report('text', $results);
like($text, qr/reengage 1\.0 and 1\.1.* the load was 1\.5 /, 'two versions, and a load, are told');
like($text, qr/\| 20 ms, 64 +\| +0\.55 \| +1\.75 \| pg-boss +\| +2\.0 \|/, 'the summary');
like($text, qr/^\| 1 server \| +1,000 \| +200 \|$/m, 'of servers, medians');
like($text, qr/^3 measured, 0 failed, 0 skipped$/m, 'how much was measured');

my $svg = report('plot', $results);
is(scalar(() = $svg =~ /<rect class="(?:reengage|pg_boss)"/g), 2, 'the plot has a bar for each contestant');
like($svg, qr/>0\.55, 5250\/s</, 'and its figures');
is(scalar(() = $svg =~ /<(?![\/?])[^>]*[^\/]>/g), scalar(() = $svg =~ /<\//g), 'all of its elements end');

my $document = write_file('document.md', "before\n<!-- bench: latency -->\nold\n<!-- bench end -->\n<!-- bench: idle -->\nkept\n<!-- bench end -->\nafter\n");
report('document', $results, $document);
my $filled = slurp($document);
like($filled, qr/^before\n<!-- bench: latency -->\n\n\| what.*\| commit to GET \|.*<!-- bench end -->\n<!-- bench: idle -->\nkept\n<!-- bench end -->\nafter\n$/s, 'a document is filled between its markers');
unlike($filled, qr/old/, 'what was there is gone');
report('document', $results, $document);
is(slurp($document), $filled, 'twice is the same');
ok(-s "$folder/document.svg", 'the plot is beside it');

# The contest's document asks for what there is.
my %kinds = map { $_ => 1 } slurp("$bench/report.pl") =~ /^my \@order = qw\((.*)\)/m ? split ' ', $1 : ();
is_deeply([ grep { !$kinds{$_} && $_ ne 'plot' } slurp("$bench/../../docs/performance.md") =~ /<!-- bench: (\w+) -->/g ], [], "docs/performance.md knows the tables' names");

# --- whose WAL ------------------------------------------------------------------------------

my $names = write_file('names', "16400 due\n");
my $dump = write_file('dump', <<'END');
rmgr: Heap        len (rec/tot):     59/    59, tx:        800, lsn: 0/00000100, prev 0/000000C8, desc: INSERT off 1, blkref #0: rel 1663/5/16400 blk 0
rmgr: Heap        len (rec/tot):     59/   200, tx:        800, lsn: 0/00000300, prev 0/00000100, desc: INSERT off 1, blkref #0: rel 1663/5/16400 blk 0 FPW
rmgr: Heap        len (rec/tot):     59/    59, tx:        801, lsn: 0/00000340, prev 0/00000300, desc: INSERT off 1, blkref #0: rel 1663/9/16400 blk 0
rmgr: Transaction len (rec/tot):     34/    34, tx:        800, lsn: 0/00000380, prev 0/00000340, desc: COMMIT
END
is(scalar qx(perl '$bench/wal.pl' 5 0/200 0/300 '$names' <'$dump'), "ask\tdue\t64\t1\t0\nwork\tdue\t64\t1\t141\nwork\ttransaction\t40\t1\t0\n",
	'WAL by part and relation, without images and other databases');

# --- bad input ------------------------------------------------------------------------------

sub complaint { my ($settings, @words) = @_; return scalar qx(env RESULTS='$folder/results' $settings '$bench/run' @words 2>&1 </dev/null; echo "exit \$?"); }

my $help = complaint('', '--help');
like($help, qr/exit 0$/, 'help');
for my $file (glob "$bench/measure/*.sh")
{
	my ($name) = $file =~ m{(\w+)\.sh$};
	like($help, qr/^ +$name \(/m, "it names $name");
}
like(complaint('', 'nonsense'), qr/there is no measurement "nonsense"\nusage: .*exit 2$/s, 'a measurement that is not there');
like(complaint('PORT=http', 'rates'), qr/PORT=http is no port\nexit 1$/, 'no port');
like(complaint('TMPDIR=/nonexistent', 'rates'), qr{/nonexistent cannot be written to: set TMPDIR.*\nexit 1$}, 'no room for data');

my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die;
my $port = $listener->sockport;
like(complaint("PORT=$port", 'rates'), qr/port $port of 127\.0\.0\.1 is taken: .*\nexit 1$/, 'a port that is taken');

mkdir "$folder/bin";
write_file('bin/df', "#!/bin/sh\necho 'Filesystem 1M-blocks Used Available Capacity Mounted on'\necho 'disk 1000 990 10 99% /'\n");
chmod 0755, "$folder/bin/df";
like(complaint("PATH='$folder/bin:$ENV{PATH}'", 'rates'), qr/measuring needs 1500 MB below .*, and there are 10: set TMPDIR.*\nexit 1$/, 'too little room');

# In a shell of the benchmark.
sub in_shell { my ($words) = @_; return scalar qx(bash -c 'top=\$1 findings=\$2; . \$1/test/bench/lib.sh; . \$1/test/bench/contest.sh; $words' bash '$bench/../..' '$folder/said' 2>/dev/null); }

like(in_shell("PATH=$folder/bin:\$PATH; as_many_as_fit 1000000 4000 nudges"), qr/^2097$/, 'with little room there are fewer');
like(slurp("$folder/said"), qr/^smaller\twhat=nudges\twanted=1000000\ttaken=2097$/, 'which is written down');
like(in_shell('PATH=/nonexistent; CONTESTANTS="ceiling reengage pg_boss"; choose_contestants; echo "${taking_part[*]}"'), qr/^ceiling reengage$/, 'without node there are no peers');
like(slurp("$folder/said"), qr/^skipped\twhat=contestant pg_boss\twhy=node is not here$/m, 'which is written down, too');

done_testing;
