/*
 * exit.c: how the courier ends.
 *
 * Always by _exit(): a thread of libcurl may still be resolving a name, and
 * must not see its libraries cleaned up around it.
 */
#include "exit.h"

#include <unistd.h>

void
require(bool fulfilled)
{
	if (!fulfilled)
		_exit(EXIT_UNFIT);
}

void
require_well_formed(bool well_formed)
{
	if (!well_formed)
		_exit(EXIT_MALFORMED);
}
