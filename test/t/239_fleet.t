# A fleet's day in small: a front, three nodes, a standby and a subscriber.  A server
# moves and a node dies while nudges go in and out; then the APIs' ledgers are compared
# with what all nodes say (test/fleet/fleet.pl).

use strict;
use warnings FATAL => 'all';

use FindBin;
# what it uses is prepared when this is compiled
use Reengage ();

BEGIN { %ENV = (%ENV, NUDGES => 400, ORGANISATIONS => 3, QUOTA_MINUTES => 0.15); }
require "$FindBin::RealBin/../fleet/fleet.pl";
