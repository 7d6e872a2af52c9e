#!/usr/bin/env perl
# Whose WAL it was: reads pg_waldump's text.
#
#   pg_waldump ... | wal.pl DATABASE_OID ASKED BEGUN NAMES
#
# NAMES is a file of "FILENODE NAME" lines.  Prints "PART NAME BYTES RECORDS IMAGES"
# lines, PART being ask for what is before the position ASKED and work from BEGUN on,
# IMAGES the bytes of full-page images, which depend on the last checkpoint and not on the
# work; NAME is a relation, or, for records that are about none, what wrote them.
# What is about other databases is left out.
use strict;
use warnings;

my ($database, $asked, $begun, $names) = @ARGV;
my (%name, %bytes, %records, %images);

sub lsn { my ($high, $low) = split m{/}, $_[0]; return (hex($high) << 32) + hex $low; }

open my $in, '<', $names or die "$names: $!\n";
while (<$in>) { $name{$1} = $2 if /^(\d+) (.*)/; }
close $in;
($asked, $begun) = (lsn($asked), lsn($begun));

while (<STDIN>)
{
	my ($manager, $length, $total, $at) = m{^rmgr: (\S+)\s+len \(rec/tot\):\s*(\d+)/\s*(\d+), .*?lsn: ([0-9A-F]+/[0-9A-F]+)} or next;
	my ($of, $node) = m{blkref #0: rel \d+/(\d+)/(\d+)};
	next if defined $of && $of != $database && $of != 0;
	my $what = defined $node ? $name{$node} // 'others' : lc $manager;
	my $part = lsn($at) < $asked ? 'ask' : lsn($at) >= $begun ? 'work' : next;
	my $key = "$part\t$what";

	# records begin at multiples of 8
	$bytes{$key} += ($length + 7) & ~7;
	$records{$key}++;
	$images{$key} += $total - $length;
}
print "$_\t$bytes{$_}\t$records{$_}\t$images{$_}\n" for sort keys %bytes;
