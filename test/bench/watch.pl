#!/usr/bin/env perl
# What processes cost while somebody is measured: CPU time, and the most private
# memory that they had together.
#
#   watch.pl READY_FILE NAME=PID... postgres=PID:tree
#
# Begins at once and makes READY_FILE; at TERM it prints KEY=VALUE lines: cpu_NAME
# in microseconds, memory_NAME in kB, and memory, the highest sum of those of all
# but the API and the tree.  A tree is a process, its children, and what it has waited for of them;
# but not those that have a name of their own.  Where there is no /proc it prints
# nothing.
use strict;
use warnings;

use POSIX qw(sysconf _SC_CLK_TCK);

my ($ready, @arguments) = @ARGV;
my $tick_us = 1e6 / sysconf(_SC_CLK_TCK);
my %named = map { my ($name, $pid) = /^(\w+)=(\d+)/ or die "$0: $_\n"; ($pid => $name) } @arguments;
my ($tree) = map { /=(\d+):tree$/ } @arguments;

sub slurp { my ($file) = @_; open my $in, '<', $file or return ''; local $/; return <$in> // ''; }

# The fields of /proc/PID/stat behind the command's name, which may have blanks.
sub stat_of { my ($pid) = @_; my $line = slurp("/proc/$pid/stat"); $line =~ s/^.*\) //s; return split ' ', $line; }
sub own_us { my @field = stat_of(@_); return @field ? ($field[11] + $field[12]) * $tick_us : 0; }

sub children_of { my ($pid) = @_; return split ' ', slurp("/proc/$pid/task/$pid/children"); }

# Of those that have ended, the parent knows; of one that is named, neither counts.
sub tree_us
{
	my ($pid) = @_;
	my @field = stat_of($pid);
	my $sum = @field ? ($field[11] + $field[12] + $field[13] + $field[14]) * $tick_us : 0;

	$sum += own_us($_) for grep { !$named{$_} } children_of($pid);
	return $sum;
}

sub all_us
{
	return { map { $named{$_} => defined $tree && $_ == $tree ? tree_us($_) : own_us($_) } keys %named };
}

sub private_kb { my ($pid) = @_; return slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0; }

my (%most, $together);
$together = 0;

sub look_at_memory
{
	my $sum = 0;

	for my $pid (grep { !defined $tree || $_ != $tree } keys %named)
	{
		my $name = $named{$pid};
		my $kb = private_kb($pid);

		$most{$name} = $kb if $kb > ($most{$name} // 0);
		$sum += $kb unless $name eq 'api';
	}
	$together = $sum if $sum > $together;
}

exit 0 unless -r "/proc/$$/stat";
my $before = all_us();
my $asked;
$SIG{TERM} = sub { $asked = 1 };
{ open my $out, '>', $ready or die "$ready: $!\n"; }
until ($asked)
{
	look_at_memory();
	select undef, undef, undef, 0.1;
}
my $after = all_us();
printf "cpu_%s=%.0f\n", $_, $after->{$_} - $before->{$_} for sort keys %$after;
printf "memory_%s=%d\n", $_, $most{$_} for sort keys %most;
printf "memory=%d\n", $together;
