/*
 * terms.h: what decide() has to know of a nudge besides the reply.
 */
#ifndef REENGAGE_TERMS_H
#define REENGAGE_TERMS_H

#include "config/options.h"
#include "decide.h"
#include "dispatch/delivery.h"
#include "store/store.h"

/* "post": the POST that is under way; its step is STEP_CHECK before there is one. */
extern Terms terms_of(const LoadedNudge *nudge, const ServerOptions *options, const Post *post);

/* Of one that is under way, with what it has been through. */
extern Terms terms_of_delivery(const Delivery *delivery);

/* Whether an answer that was recorded as of then ends the nudge; 0: there is none. */
extern bool answers_nudge(const LoadedNudge *nudge, TimestampTz answered_at);

/*
 * The recipient in the database's encoding, to make the same call again after
 * a crash.  All NULL: it is not kept, because the API honours no keys or the
 * address cannot be stored here.
 */
extern Recipient repeatable_recipient(const ServerOptions *options, const Post *post);

#endif
