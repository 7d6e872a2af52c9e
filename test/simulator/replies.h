/*
 * replies.h: what each idempotency key was answered, for --honour-keys.
 */
#ifndef SIMULATOR_REPLIES_H
#define SIMULATOR_REPLIES_H

#include "exchange.h"

/* Gives the first answer again, if keys are honoured and the request's key has one. */
extern bool reply_replay(Request *request, Answer *answer);

/* Keeps this answer for the request's key, if keys are honoured. */
extern void reply_remember(const Request *request, const Answer *answer);

/* Forgets all keys. */
extern void replies_forget(void);

#endif
