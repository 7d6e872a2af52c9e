/*
 * pauses.h: connections that wait, for a time or for ever, while others are served.
 */
#ifndef SIMULATOR_PAUSES_H
#define SIMULATOR_PAUSES_H

#include "exchange.h"

/* Microseconds of the monotonic clock. */
extern int64_t monotonic_us(void);

/*
 * Suspends the connection; false, and nothing is done, once pauses_stop was
 * called, or if nobody is left who could wait for ever.
 */
extern bool pause_until(Connection *connection, int64_t due_us);
extern bool pause_forever(Connection *connection);

/* The client has closed its side: it waits for nothing any more. */
extern void pause_notice_leaving(Connection *connection);

/* Lets all go on whose time has come. MHD_run must follow. */
extern void pauses_end_due(void);

/* Lets all go on that would wait for ever. */
extern void pauses_end_hanging(void);

/* Lets all go on, and allows no new pause. */
extern void pauses_stop(void);

/* Milliseconds until MHD_run has a connection to go on with; -1 if it never will. */
extern int	pauses_timeout_ms(void);

/* How many connections wait for ever. */
extern size_t pauses_hanging(void);

#endif
