# The commands of the documents, to be run as they stand.  A block of a language
# is a command; one that cannot be run has a comment above it that says why not:
#
#   <!-- not run: there is no such file -->
package Documents;

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Utils;

use Exporter 'import';
our @EXPORT_OK = qw(blocks_of section_of run_shell);

my $top = "$FindBin::RealBin/../..";

# The blocks of a document in these languages, or of the section with this
# heading: { place, language, text, why_not }.
sub blocks_of
{
	my ($document, %options) = @_;
	my $text = slurp_file("$top/$document");
	my $languages = join '|', @{ $options{languages} // ['sql'] };
	my ($from, $to) = exists $options{section} ? section_of($text, $options{section}) : (0, length $text);
	my @blocks;

	while ($text =~ /^(?:<!-- not run: ([^\n]*) -->\n)?```($languages)\n(.*?)^```$/gms)
	{
		my $line = 1 + (substr($text, 0, $-[3]) =~ tr/\n//);

		next if $-[0] < $from || $-[0] >= $to;
		push @blocks, { place => "$document:$line", language => $2, text => $3, why_not => $1 };
	}
	return @blocks;
}

# Where the section with a heading begins and ends: before the next that is no
# deeper.
sub section_of
{
	my ($text, $heading) = @_;

	$text =~ /^(#+) \Q$heading\E\n/gm or die "there is no heading \"$heading\"";
	my ($from, $depth) = ($-[0], length $1);
	my $to = $text =~ /^#{1,$depth} /gm ? $-[0] : length $text;

	return ($from, $to);
}

# Runs a block of shell as who would type it on the server's machine: in the
# folder given, with a node as the server.  Returns what it printed, with a line
# of its status if that is not 0.
sub run_shell
{
	my ($node, $folder, $text) = @_;
	my ($out, $status);

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	IPC::Run::run([ 'sh', '-c', "cd '$folder' && set -e\n$text" ], '<', \undef, '>&', \$out);
	$status = $? >> 8;
	return $status == 0 ? $out : "$out(status $status)\n";
}

1;
