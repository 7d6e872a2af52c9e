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
 * What there is to tell of a failure, if the reading is one: the API's words,
 * and the permissions that it misses; if it sent a page instead, that; if there
 * was no answer, what the network said.  Never the content of an answer that is
 * not about an error, and never an address.  And the API's name for the call,
 * whether it agreed or not.
 *
 * A POST whose refusal says that the recipient has opted out becomes a
 * rejection for that reason; "opt_out_words" as opt_out.h has them.
 */
extern void refusal_read(Step step, const JsonObject *body, const HttpResponse *response,
						 const Secrets *secrets, const char *opt_out_words, Reading *reading);

#endif
