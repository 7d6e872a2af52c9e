# A short day of applications that do their worst, beside others: see there.

use strict;
use warnings FATAL => 'all';

use FindBin;
# what it uses is prepared when this is compiled
use Reengage ();

require "$FindBin::RealBin/../faults/hostile_day.pl";
