/*
 * options.h: the options of CREATE SERVER ... FOREIGN DATA WRAPPER reengage.
 */
#ifndef REENGAGE_OPTIONS_H
#define REENGAGE_OPTIONS_H

#include "foreign/foreign.h"
#include "nodes/pg_list.h"

#include "config/server_options.h"

/* The server with this name, if it exists and is of our wrapper; else NULL. */
extern ForeignServer *reengage_server(const char *name);

/* From ForeignServer.options, in a transaction; allocated in the current memory context. */
extern ServerOptions options_read(List *options);

/* Only the default_country_code of them, or the dialect. */
extern const char *country_code_of(List *options);
extern const DialectTraits *dialect_of(List *options);

/*
 * How long a call may take, token requests and a repetition with another token
 * included; a courier that takes longer is taken for dead.
 */
extern int64 longest_call_ms(const ServerOptions *options);

/*
 * Nudges that may be under way at once: with a low limit of requests no more
 * than get their turn within the timeout; the others wait in the schedule,
 * where more urgent ones overtake them.
 */
extern int	most_in_flight(const ServerOptions *options);

#endif
