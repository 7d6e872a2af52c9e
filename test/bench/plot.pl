# Required by report.pl: the contest as a picture, an SVG that follows whether its
# reader likes it light or dark.
use strict;
use warnings;

my %colour = (
	reengage => [ '#b3261e', '#ff8a80' ],
	node_worker => [ '#3b6ea8', '#7fb2ee' ],
	graphile_worker => [ '#4d7f4a', '#8fce8b' ],
	pg_boss => [ '#8a6d1d', '#e0be62' ],
);

# The longest bar, the height of one, and room for what is written left and right of it.
my ($width, $bar, $left, $right) = (430, 16, 250, 150);

sub style
{
	my $dark = join '', map { ".$_ { fill: $colour{$_}[1]; }\n" } sort keys %colour;
	my $light = join '', map { ".$_ { fill: $colour{$_}[0]; }\n" } sort keys %colour;

	return "<style>\ntext { font: 13px sans-serif; fill: #1f2328; }\n.title { font-weight: bold; }\n"
	  . ".line { stroke: #8c959f; }\n.quiet { fill: #59636e; }\n$light"
	  . "\@media (prefers-color-scheme: dark) {\ntext { fill: #e6edf3; }\n.quiet { fill: #9198a1; }\n$dark}\n</style>\n";
}

sub text
{
	my ($x, $y, $words, %attribute) = @_;

	return sprintf qq{<text x="%d" y="%d"%s>%s</text>\n}, $x, $y,
	  join('', map { qq{ $_="$attribute{$_}"} } sort keys %attribute), $words;
}

sub bar_of
{
	my ($y, $row, $name) = @_;
	my $length = $width * ($row->{ratio} > 1 ? 1 : $row->{ratio});

	return text($left - 8, $y + 13, $name, 'text-anchor' => 'end')
	  . sprintf(qq{<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>\n}, $row->{contestant}, $left, $y, $length, $bar)
	  . text($left + $length + 6, $y + 13, sprintf('%.2f, %.0f/s', $row->{ratio}, $row->{rate}));
}

sub plot
{
	my ($names, @rows) = @_;
	my ($y, $cell, $drawn) = (44, '', '');

	for my $row (grep { $_->{contestant} ne 'ceiling' && defined $_->{ratio} } @rows)
	{
		if ($cell ne cell_of($row))
		{
			$cell = cell_of($row);
			$y += 12;
			$drawn .= text(8, $y + 13, "$row->{latency} ms, $row->{in_flight} in flight", class => 'title');
			$y += 22;
		}
		$drawn .= bar_of($y, $row, $names->{ $row->{contestant} } // $row->{contestant});
		$y += $bar + 4;
	}
	my $total = $left + $width + $right;
	my $height = $y + 16;
	my $end = $left + $width;
	return qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $total $height" width="$total" height="$height" role="img">\n}
	  . "<title>Nudges a second, as a part of what a bare libcurl loop does</title>\n" . style()
	  . text(8, 22, 'Nudges a second, as a part of what a bare libcurl loop does (1.00)', class => 'title')
	  . qq{<line class="line" x1="$left" y1="44" x2="$left" y2="$y"/>\n<line class="line" x1="$end" y1="44" x2="$end" y2="$y" stroke-dasharray="4"/>\n}
	  . text($end, 40, 'the ceiling', 'text-anchor' => 'middle', class => 'quiet')
	  . $drawn . "</svg>\n";
}

1;
