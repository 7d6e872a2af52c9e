/*
 * exit.h: how the courier ends, other than by an orderly exit with 0.
 *
 * Whatever the code, the worker starts another courier and holds in doubt
 * what this one had on the wire.  So what cannot be mended is not mended.
 */
#ifndef COURIER_EXIT_H
#define COURIER_EXIT_H

#include <stdbool.h>

#define EXIT_MALFORMED 2		/* the worker sent something unreadable */
#define EXIT_UNFIT 3			/* no memory, or a library that is no use */

/* Ends the courier as unfit unless this is so. */
extern void require(bool fulfilled);

/* Ends the courier unless the worker's bytes were well-formed. */
extern void require_well_formed(bool well_formed);

#endif
