/*
 * refusal.h: what APIs say when they do not agree.
 */
#ifndef COURIER_REFUSAL_H
#define COURIER_REFUSAL_H

#include <stdbool.h>

#include "exchange.h"
#include "json.h"
#include "reading.h"
#include "text.h"

/* An API has taken a message in, and says in the same answer that it has failed. */
extern bool refusal_is_of_message(const JsonObject *body);

/* A notify was refused because the conversation has closed. */
extern bool refusal_is_closed(const HttpResponse *response, const JsonObject *body);

/* A create was refused because a conversation is live. */
extern bool refusal_is_overtaken(const HttpResponse *response, const JsonObject *body);

/*
 * Adds to a reading of a failure what the API said, and the permissions that it
 * misses; in place of words it may be that a page came, or what the network said.
 * It is never the content of an answer that is not about an error, nor an address.
 *
 * Adds the API's name for the call to any reading.
 *
 * A POST whose refusal says that the recipient has opted out becomes a
 * rejection for that reason; "opt_out_words" as opt_out.h has them.
 */
extern void refusal_read(Step step, const JsonObject *body, const HttpResponse *response,
						 const Secrets *secrets, const char *opt_out_words, Reading *reading);

#endif
