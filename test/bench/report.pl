#!/usr/bin/env perl
# What the measurements found, for people and for programs:
#
#   report.pl json FINDINGS...                   the lines of note(), as JSON
#   report.pl text RESULTS.json                  all tables
#   report.pl plot RESULTS.json                  the contest, as an SVG
#   report.pl document RESULTS.json FILE.md      puts the tables between the markers
#                                                of a document, and its plot beside it
use strict;
use warnings;

use FindBin;
use File::Basename;
use JSON::PP;
use List::Util qw(max sum);

require "$FindBin::RealBin/statistics.pl";
require "$FindBin::RealBin/plot.pl";

my %title = (
	ceiling => 'ceiling: a libcurl loop, no database',
	reengage => 'reengage',
	node_worker => 'a worker written by hand, Node',
	graphile_worker => 'graphile-worker',
	pg_boss => 'pg-boss',
);

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!\n"; local $/; return scalar <$in>; }
sub rounded { my ($number, $digits) = @_; return defined $number ? sprintf("%.${digits}f", $number) : '–'; }
sub whole { my ($number) = @_; $number = rounded($number, 0); 1 while $number =~ s/^(\d+)(\d{3})/$1,$2/; return $number; }

sub percent { my ($part) = @_; return defined $part ? sprintf('%.0f %%', 100 * $part) : '–'; }

# --- from lines to JSON -----------------------------------------------------------------

# A version is never a number, even if it looks like one.
sub value_of { my ($key, $text) = @_; return $key ne 'version' && $text =~ /^-?\d{1,15}(\.\d+)?$/ ? $text + 0 : $text; }

sub read_findings
{
	my %found;

	for my $line (map { split /\n/ } map { slurp($_) } @_)
	{
		my ($kind, @pairs) = grep { length } split /\t/, $line;
		push @{ $found{$kind} }, { map { my ($key, $value) = split /=/, $_, 2; ($key => value_of($key, $value)) } @pairs };
	}
	return \%found;
}

# --- tables ------------------------------------------------------------------------------

sub width_of { my ($text) = @_; utf8::decode(my $copy = $text); return length $copy; }

# Rows of cells, the first of which are the titles; numbers to the right.
sub table
{
	my (@rows) = @_;
	my @columns = 0 .. $#{ $rows[0] };
	my @width = map { my $column = $_; max(3, map { width_of($_->[$column]) } @rows) } @columns;
	my @number = map { my $column = $_; !grep { $_->[$column] !~ /^[-–0-9.,><+ ]*(%|ms)?$/ } @rows[1 .. $#rows] } @columns;
	my @lines = map {
		my $row = $_;
		'| ' . join(' | ', map { my $space = ' ' x ($width[$_] - width_of($row->[$_])); $number[$_] ? $space . $row->[$_] : $row->[$_] . $space } @columns) . ' |';
	} @rows;

	splice @lines, 1, 0, '| ' . join(' | ', map { '-' x ($width[$_] - ($number[$_] ? 1 : 0)) . ($number[$_] ? ':' : '') } @columns) . ' |';
	return join '', map { "$_\n" } @lines;
}

sub cpu_words
{
	my ($row) = @_;
	my @names = sort keys %{ $row->{cpu} };

	return '–' unless @names;
	return @names == 1 ? whole($row->{cpu}{ $names[0] }) : join ' + ', map { whole($row->{cpu}{$_}) } @names;
}

sub contest_table
{
	my ($found) = @_;
	my @rows = summarize($found->{rates}, $found->{wal} // [], $found->{machine}[0]{cores});

	return table([ 'API, in flight', 'contestant', 'nudges/s', 'of the ceiling', 'least to most', 'CPU µs', 'PostgreSQL µs', 'API µs', 'API, of the cores', 'memory MB', 'WAL B', 'calls' ],
		map {
			[ "$_->{latency} ms, $_->{in_flight}", $title{ $_->{contestant} } // $_->{contestant}, whole($_->{rate}), rounded($_->{ratio}, 2),
			  defined $_->{ratio} ? sprintf('%.2f – %.2f', @$_{qw(least_ratio most_ratio)}) : '–',
			  cpu_words($_), whole($_->{cpu_postgres}), whole($_->{cpu_api}), percent($_->{api_share}), whole($_->{memory_mb}), whole($_->{wal}), rounded($_->{calls}, 2) ]
		} @rows);
}

# reengage beside the ceiling and the best of the others.
sub summary_table
{
	my ($found) = @_;
	my @compared = compare('reengage', summarize($found->{rates}, $found->{wal} // [], $found->{machine}[0]{cores}));

	return table([ 'API, in flight', 'of the ceiling', 'of the best peer', 'the best peer', 'CPU, times the ceiling\'s', 'WAL B', 'memory MB' ],
		map {
			my $ours = $_->{ours};
			[ "$ours->{latency} ms, $ours->{in_flight}", rounded($ours->{ratio}, 2), rounded($_->{of_best}, 2), $_->{best} ? $title{ $_->{best}{contestant} } : '–',
			  rounded($_->{cpu_times}, 1), whole($ours->{wal}), whole($ours->{memory_mb}) ]
		} @compared);
}

# Of the cell that most is known of: the first.
sub wal_table
{
	my ($found) = @_;
	my ($first) = sort { by_numbers(cell_of($a), cell_of($b)) } @{ $found->{wal} };
	my $bytes = wal_of('reengage', cell_of($first), @{ $found->{wal} });
	my %relation = map { $_ => 1 } map { keys %$_ } values %$bytes;
	my $part = sub { my ($part, $relation, $which) = @_; return $bytes->{$part}{$relation} ? $bytes->{$part}{$relation}[$which] : 0 };
	my @rows = map { my $name = $_; [ $name, map { $part->($_, $name, 0) } qw(ask work) ] } keys %relation;

	@rows = sort { $b->[1] + $b->[2] <=> $a->[1] + $a->[2] || $a->[0] cmp $b->[0] } grep { $_->[1] + $_->[2] >= 1 } @rows;
	return table([ 'relation', 'insert', 'sending' ], map({ [ $_->[0], whole($_->[1]), whole($_->[2]) ] } @rows),
		[ 'all', map { my $column = $_; whole(sum(0, map { $_->[$column] } @rows)) } 1, 2 ]);
}

# Any other kind: a row for each line, a column for each of its keys.
sub plain_table
{
	my (@rows) = @_;
	my (@keys, %seen);

	for my $row (@rows) { push @keys, grep { !$seen{$_}++ } sort keys %$row; }
	@keys = sort { order_of($a) <=> order_of($b) || $a cmp $b } @keys;
	return table([ map { (my $words = $_) =~ tr/_/ /; $words } @keys ], map { my $row = $_; [ map { my $value = $row->{$_}; defined $value ? $value : '–' } @keys ] } @rows);
}

# Medians of the rounds.
sub servers_table
{
	my ($found) = @_;
	my (%runs, @order);

	for my $run (@{ $found->{servers} })
	{
		push @order, $run->{what} unless $runs{ $run->{what} };
		push @{ $runs{ $run->{what} } }, $run;
	}
	return table([ 'what', 'nudges/s', 'CPU µs, without the API' ],
		map { my $runs = $runs{$_}; [ $_, map { my $key = $_; whole(median(map { $_->{$key} } @$runs)) } qw(rate cpu_us) ] } @order);
}

# What a row is about comes first, then what one looks for.
my @first = qw(what contestant round nudges records rows seconds per_minute ms p50_ms p99_ms rate rate_alone rate_beside rows_per_second bare_rows_per_second
	pruned_rows_per_second longest_tick_ms metrics_ms nudges_mb lineage_mb left_mb);
my %place = map { $first[$_] => $_ } 0 .. $#first;
sub order_of { my ($key) = @_; return $place{$key} // @first; }

sub machine_words
{
	my ($found) = @_;
	my $machine = $found->{machine}[0];
	my $load = max(map { $_->{load} } @{ $found->{machine} });
	my $busy = $load > $machine->{cores} / 4 ? " It had other things to do: the load was $load before the run." : '';

	return "$machine->{cores} cores ($machine->{processor}), " . whole($machine->{memory_mb} / 1024) . " GB, $machine->{system}; "
	  . version_words(@{ $found->{versions} }) . ".$busy\n";
}

# What was measured at different times may have several versions of the same.
sub version_words
{
	my (@order, %versions);

	for my $row (@_)
	{
		push @order, $row->{what} unless $versions{ $row->{what} };
		push @{ $versions{ $row->{what} } }, $row->{version} unless grep { $_ eq $row->{version} } @{ $versions{ $row->{what} } // [] };
	}
	return join ', ', map { "$_ " . join(' and ', @{ $versions{$_} }) } @order;
}

my @order = qw(machine summary rates wal latency idle quota neighbour replication collect news news_cost history insert database views manifest flat snapshot steady year year_upgrade year_after servers front front_looks move paper skipped smaller failed);
# In a document: fill_document() puts the picture beside it, by the same name.
sub plot_words { my ($found) = @_; return "![Nudges a second, as a part of what a bare libcurl loop does]($found->{picture})\n"; }

my %special = (plot => \&plot_words, machine => \&machine_words, rates => \&contest_table, summary => \&summary_table, wal => \&wal_table, servers => \&servers_table);

sub part_of
{
	my ($found, $kind) = @_;

	return $special{$kind} ? $special{$kind}->($found) : plain_table(@{ $found->{$kind} });
}

sub text_of
{
	my ($found) = @_;
	my $runs = 0 + @{ $found->{rates} // [] };

	return join("\n", map { "$_\n" . part_of($found, $_) } grep { $found->{$_} } @order)
	  . sprintf("\n%d measured, %d failed, %d skipped\n", scalar(grep { $found->{$_} } grep { !/^(machine|versions|summary|wal|database|snapshot|year_upgrade|year_after|front_looks|skipped|smaller|failed)$/ } @order),
		scalar @{ $found->{failed} // [] }, scalar @{ $found->{skipped} // [] });
}

# --- a document ------------------------------------------------------------------------------

# Between <!-- bench: KIND --> and <!-- bench end --> stands what was measured; of what
# was not, the document keeps what it has.
sub fill_document
{
	my ($found, $file) = @_;
	my $text = slurp($file);
	(my $picture = $file) =~ s/\.md$/.svg/;

	$found->{picture} = basename($picture);

	$text =~ s{(<!-- bench: (\w+) -->\n)(.*?)(<!-- bench end -->)}
		{ my ($begin, $kind, $old, $end) = ($1, $2, $3, $4); $begin . ($found->{$kind} ? "\n" . part_of($found, $kind) . "\n" : $old) . $end }gse;
	write_file($file, $text);
	write_file($picture, plot(\%title, summarize($found->{rates}, $found->{wal} // [], $found->{machine}[0]{cores}))) if $found->{rates};
}

sub write_file { my ($file, $text) = @_; open my $out, '>', $file or die "$file: $!\n"; print $out $text; close $out or die "$file: $!\n"; }

my ($mode, $file, $document) = @ARGV;
die "usage: $0 json FINDINGS... | text RESULTS | plot RESULTS | document RESULTS FILE\n" unless defined $file && $mode =~ /^(json|text|plot|document)$/;
if ($mode eq 'json')
{
	print JSON::PP->new->canonical->pretty->encode(read_findings(@ARGV[1 .. $#ARGV]));
	exit;
}
my $found = JSON::PP->new->decode(slurp($file));
# both are made of it
$found->{summary} = $found->{plot} = $found->{rates};
print text_of($found) if $mode eq 'text';
print plot(\%title, summarize($found->{rates} // [], $found->{wal} // [], $found->{machine}[0]{cores})) if $mode eq 'plot';
fill_document($found, $document) if $mode eq 'document';
