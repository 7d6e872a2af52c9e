/*
 * request.h: from the bytes of a request to the words that the rules use.
 */
#ifndef SIMULATOR_REQUEST_H
#define SIMULATOR_REQUEST_H

#include "exchange.h"

/* Microseconds since 1970. */
extern int64_t wall_clock_us(void);

/* The name of a verb in rules, ledger and counts. */
extern const char *verb_name(Verb verb);

/* The verb with this name, or VERB_COUNT. */
extern Verb verb_by_name(const char *name);

/* Starts on a new request of the connection: its headers have arrived. */
extern void request_begin(Connection *connection, const char *method, const char *path);

/* Takes more bytes of the body. */
extern void request_append(Request *request, const char *bytes, size_t count);

/* Reads the complete body. */
extern void request_read_body(Request *request);

/* Lets go of the body. */
extern void request_end(Request *request);

/* The string at object.key, or at object.key.inner unless inner is NULL; NULL if there is none. */
extern const char *string_at(struct json_object *object, const char *key, const char *inner);

#endif
