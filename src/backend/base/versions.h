/*
 * versions.h: the library that is loaded, and what the database has of us.
 *
 * A newer package has been installed, the server was restarted, but nobody has
 * run ALTER EXTENSION yet; or the other way round.  What is called then may mean
 * something else by now, so nothing that sends goes on.
 */
#ifndef REENGAGE_VERSIONS_H
#define REENGAGE_VERSIONS_H

#include "postgres.h"

/* Is the extension here?  An error, with what to do, if it is not of this library's version. */
extern bool versions_agree(void);

#endif
