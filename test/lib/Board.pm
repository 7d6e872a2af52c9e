# Draws a board of Grafana's from what Prometheus answers, as one SVG: the picture in
# docs/monitoring.  BOARD_SVG=/tmp/board.svg test/run tap 220_monitoring makes it.
package Board;

use strict;
use warnings FATAL => 'all';

use List::Util qw(max min);

use Exporter 'import';
our @EXPORT_OK = qw(draw_board);

my ($unit_x, $unit_y) = (40, 24);    # pixels of a unit of the board's grid
my @colours = map { "#$_" } qw(3274d9 f2a03d 56a64b b877d9 e0453a 37872d 8f8f8f 1fb5c9);
my %colour_of = (red => '#c4162a', green => '#37872d', orange => '#d9731a', blue => '#3274d9');

sub escape { return $_[0] =~ s/&/&amp;/gr =~ s/</&lt;/gr =~ s/>/&gt;/gr; }

sub text
{
	my ($x, $y, $text, %style) = @_;
	my $size = $style{size} // 11;
	return sprintf qq{<text x="%d" y="%d" font-size="%d" fill="%s"%s>%s</text>\n}, $x, $y, $size, $style{colour} // '#333',
	  $style{anchor} ? qq{ text-anchor="$style{anchor}"} : '', escape($text);
}

sub box { return sprintf qq{<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>\n}, @_; }

sub number
{
	my ($value, $unit) = @_;

	return sprintf '%.3g %s', $value >= 60 ? ($value / 60, 'min') : $value >= 1 || $value == 0 ? ($value, 's') : ($value * 1000, 'ms') if $unit eq 's';
	return sprintf '%.3g %s', $value >= 1e6 ? ($value / 1e6, 'MB') : $value >= 1000 ? ($value / 1000, 'kB') : ($value, 'B') if $unit =~ /^(bytes|Bps)$/;
	return sprintf('%.3g', $value) . ($unit eq 'reqps' ? ' req/s' : '');
}

# The legend of a series, as Grafana makes it.
sub legend
{
	my ($target, $labels) = @_;
	return $target->{legendFormat} =~ s/\{\{(\w+)\}\}/$labels->{$1} \/\/ ''/ger;
}

# [ legend, { time => value } ] of each series of a panel.
sub series_of_panel
{
	my ($panel, $ask, %range) = @_;
	my @series;

	for my $target (@{ $panel->{targets} })
	{
		my $answer = $ask->('query_range', query => $range{query_of}->($target->{expr}), map { $_ => $range{$_} } qw(start end step));

		push @series, map { [ legend($target, $_->{metric}), { map { @$_ } @{ $_->{values} } } ] } @{ $answer->{data}{result} };
	}
	return @series;
}

sub draw_lines
{
	my ($panel, $x, $y, $w, $h, $range, @series) = @_;
	my @times = map { $range->{start} + $_ * $range->{step} } 0 .. ($range->{end} - $range->{start}) / $range->{step};
	my $is_stack = $panel->{fieldConfig}{defaults}{custom}{stacking} ? 1 : 0;
	my (%below, @lines, $svg);

	for my $series (@series)
	{
		my @points = grep { defined $series->[1]{$_} && $series->[1]{$_} !~ /N|Inf/ } @times;

		push @lines, [ map { [ $_, $below{$_} = $series->[1]{$_} + ($is_stack ? $below{$_} // 0 : 0) ] } @points ];
	}
	my $top = max(map { $_->[1] } map { @$_ } @lines) || 1;
	my $left = $x + 62;
	my $place = sub {
		return sprintf '%.0f,%.1f', $left + ($_[0][0] - $range->{start}) / ($range->{end} - $range->{start}) * ($w - 72), $y + $h - $_[0][1] / $top * $h;
	};

	for my $part (0, 0.5, 1)
	{
		my $level = $y + $h - $part * $h;
		$svg .= qq{<path d="M$left,$level h} . ($w - 72) . qq{" stroke="#e4e4e4"/>\n}
		  . text($left - 5, $level + 4, number($part * $top, $panel->{fieldConfig}{defaults}{unit}), anchor => 'end', size => 10);
	}
	$svg .= join '', map {
		my $colour = $colours[ $_ % @colours ];
		@{ $lines[$_] } ? qq{<polyline fill="none" stroke="$colour" stroke-width="1.5" points="} . join(' ', map { $place->($_) } @{ $lines[$_] }) . qq{"/>\n} : ''
	} 0 .. $#lines;

	my $at = $left;
	for my $index (0 .. $#series)
	{
		my $name = $series[$index][0];
		last if $at + 7 * length $name > $x + $w;
		$svg .= box($at, $y + $h + 8, 8, 3, $colours[ $index % @colours ]) . text($at + 11, $y + $h + 13, $name, size => 10);
		$at += 22 + 5.6 * length $name;
	}
	return $svg;
}

sub draw_states
{
	my ($panel, $x, $y, $w, $h, $range, @series) = @_;
	my $row = $h / (@series || 1);
	my $left = $x + 110;
	my $svg = '';

	for my $index (0 .. $#series)
	{
		my ($name, $values) = @{ $series[$index] };
		my @times = sort { $a <=> $b } keys %$values;
		my $width = ($w - 120) * $range->{step} / ($range->{end} - $range->{start});

		$svg .= text($left - 5, $y + $row * ($index + 0.5) + 4, $name, anchor => 'end', size => 10);
		# a rectangle as long as the state stays
		while (@times)
		{
			my $from = shift @times;
			my $count = 1;

			$count++, shift @times while @times && $values->{ $times[0] } == $values->{$from};
			$svg .= box($left + ($from - $range->{start}) / $range->{step} * $width, $y + $row * $index + 2, $count * $width, $row - 4,
				$values->{$from} ? $colour_of{red} : $colour_of{green});
		}
	}
	return $svg;
}

sub draw_stat
{
	my ($panel, $x, $y, $w, $h, $value) = @_;
	my $defaults = $panel->{fieldConfig}{defaults};
	my ($step) = grep { !defined $_->{value} || $value >= $_->{value} } reverse @{ $defaults->{thresholds}{steps} };
	my $words = $defaults->{mappings} ? $defaults->{mappings}[0]{options}{$value}{text} : number($value, $defaults->{unit});

	return box($x + 4, $y + 26, $w - 8, $h - 30, $colour_of{ $step->{color} })
	  . text($x + $w / 2, $y + $h / 2 + 22, $words, size => 26, anchor => 'middle', colour => '#fff');
}

sub draw_table
{
	my ($x, $y, $h, @rows) = @_;
	my $line = 0;
	return join '', map { text($x + 10, $y + 14 + 18 * $line++, "$_->{metric}{subject}: $_->{metric}{state}") }
	  @rows[ 0 .. min($#rows, int($h / 18) - 1) ];
}

sub draw_panel
{
	my ($panel, $ask, $range) = @_;
	my ($x, $y, $w, $h) = map { $panel->{gridPos}{$_} * (/[xw]/ ? $unit_x : $unit_y) } qw(x y w h);
	my $svg = box($x + 2, $y + 2, $w - 4, $h - 4, '#fff') . text($x + 10, $y + 19, $panel->{title}, size => 12);

	if ($panel->{type} eq 'stat')
	{
		my ($result) = @{ $ask->('query', query => $range->{query_of}->($panel->{targets}[0]{expr}))->{data}{result} };
		return $svg . draw_stat($panel, $x, $y, $w, $h, $result->{value}[1]);
	}
	return $svg . draw_table($x, $y + 28, $h - 40, @{ $ask->('query', query => $range->{query_of}->($panel->{targets}[0]{expr}))->{data}{result} })
	  if $panel->{type} eq 'table';
	my $draw = $panel->{type} eq 'timeseries' ? \&draw_lines : \&draw_states;
	return $svg . $draw->($panel, $x, $y + 30, $w, $h - 54, $range, series_of_panel($panel, $ask, %$range));
}

# How long the picture's time is, in seconds, is how long there has been something to see.
sub draw_board
{
	my ($board, $file, $ask, $query_of, $seconds) = @_;
	my $now = int time;
	my %range = (start => $now - $seconds, end => $now, step => max(1, int($seconds / 60)), query_of => $query_of);
	my ($width, $height) = (24 * $unit_x, $unit_y * max(map { $_->{gridPos}{y} + $_->{gridPos}{h} } @{ $board->{panels} }));

	$range{start} = $range{end} - $range{step} * int($seconds / $range{step});
	open my $out, '>', $file or die "could not write $file: $!";
	print $out qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" font-family="sans-serif">\n},
	  box(0, 0, $width, $height, '#f0f0f0'), (map { draw_panel($_, $ask, \%range) } @{ $board->{panels} }), "</svg>\n";
	close $out or die "could not write $file: $!";
	return;
}

1;
