# Required by report.pl: the figures of the contest, from what its runs wrote down.
use strict;
use warnings;

use List::Util qw(min max sum);

sub median
{
	my @sorted = sort { $a <=> $b } grep { defined } @_;
	return undef unless @sorted;
	return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

sub cell_of { my ($run) = @_; return "$run->{latency} $run->{in_flight}"; }
sub rate_of { my ($run) = @_; return $run->{nudges} * 1e6 / $run->{us}; }

# Of the runs of the ceiling just before and after: { "CELL ROUND" => rate }.
sub ceilings
{
	my (@runs) = @_;
	my %rates;

	push @{ $rates{ cell_of($_) . " $_->{round}" } }, rate_of($_) for grep { $_->{contestant} eq 'ceiling' } @runs;
	return map { $_ => sum(@{ $rates{$_} }) / @{ $rates{$_} } } keys %rates;
}

# What a contestant itself used of the processors: all processes but PostgreSQL's and the API's.
sub own_processes { my ($run) = @_; return grep { !/^(postgres|api)$/ } map { /^cpu_(.*)/ ? $1 : () } sort keys %$run; }

sub per_nudge { my ($run, $key) = @_; return defined $run->{$key} ? $run->{$key} / $run->{nudges} : undef; }

# Bytes of WAL for each nudge: { part => { relation => bytes } }, without and with images.
sub wal_of
{
	my ($contestant, $cell, @wal) = @_;
	my %bytes;

	for my $row (grep { $_->{contestant} eq $contestant && cell_of($_) eq $cell } @wal)
	{
		$bytes{ $row->{part} }{ $row->{relation} } = [ $row->{bytes} / $row->{nudges}, $row->{images} / $row->{nudges} ];
	}
	return \%bytes;
}

sub wal_sum
{
	my ($bytes, $which) = @_;
	my @all = map { values %$_ } values %$bytes;

	return @all ? sum(map { $_->[$which] } @all) : undef;
}

# One row for each cell and contestant.
sub summarize
{
	my ($rates, $wal, $cores) = @_;
	my %ceiling = ceilings(@$rates);
	my (%runs, @rows);

	push @{ $runs{ cell_of($_) }{ $_->{contestant} } }, $_ for @$rates;
	for my $cell (sort { by_numbers($a, $b) } keys %runs)
	{
		for my $contestant (keys %{ $runs{$cell} })
		{
			my @runs = @{ $runs{$cell}{$contestant} };
			my @ratios = grep { defined } map { my $most = $ceiling{"$cell $_->{round}"}; $most && rate_of($_) / $most } @runs;
			my $bytes = wal_of($contestant, $cell, @$wal);

			push @rows, {
				latency => $runs[0]{latency}, in_flight => $runs[0]{in_flight}, contestant => $contestant,
				runs => scalar @runs,
				rate => median(map { rate_of($_) } @runs),
				ratio => median(@ratios), least_ratio => min(@ratios), most_ratio => max(@ratios),
				cpu => { map { my $process = $_; $process => median(map { per_nudge($_, "cpu_$process") } @runs) } own_processes($runs[0]) },
				cpu_postgres => median(map { per_nudge($_, 'cpu_postgres') } @runs),
				cpu_api => median(map { per_nudge($_, 'cpu_api') } @runs),
				api_share => median(map { defined $_->{cpu_api} ? $_->{cpu_api} / $_->{us} / $cores : undef } @runs),
				memory_mb => max(map { ($_->{memory} // 0) / 1024 } @runs),
				wal => wal_sum($bytes, 0), wal_images => wal_sum($bytes, 1),
				calls => median(map { per_nudge($_, 'calls') } @runs),
			};
		}
	}
	return sort { by_numbers("$a->{latency} $a->{in_flight}", "$b->{latency} $b->{in_flight}") || $b->{rate} <=> $a->{rate} } @rows;
}

# What a contestant and PostgreSQL use of the processors for a nudge, beside the ceiling's.
sub cpu_of { my ($row) = @_; return %{ $row->{cpu} } ? sum(values %{ $row->{cpu} }) + ($row->{cpu_postgres} // 0) : undef; }

# One row for each cell: one contestant beside the ceiling, and beside the best of the others.
sub compare
{
	my ($who, @rows) = @_;
	my (%of_cell, @cells, @compared);

	for my $row (@rows)
	{
		push @cells, cell_of($row) unless $of_cell{ cell_of($row) };
		push @{ $of_cell{ cell_of($row) } }, $row;
	}
	for my $cell (@cells)
	{
		my ($ours) = grep { $_->{contestant} eq $who } @{ $of_cell{$cell} };
		my ($ceiling) = grep { $_->{contestant} eq 'ceiling' } @{ $of_cell{$cell} };
		my ($best) = grep { $_->{contestant} ne $who && $_->{contestant} ne 'ceiling' } @{ $of_cell{$cell} };

		push @compared, {
			ours => $ours, best => $best,
			of_best => $best && $best->{rate} && $ours->{rate} / $best->{rate},
			cpu_times => $ceiling && cpu_of($ceiling) && defined cpu_of($ours) ? cpu_of($ours) / cpu_of($ceiling) : undef,
		} if $ours;
	}
	return @compared;
}

sub by_numbers
{
	my @left = split / /, $_[0];
	my @right = split / /, $_[1];

	return $left[0] <=> $right[0] || $left[1] <=> $right[1];
}

1;
