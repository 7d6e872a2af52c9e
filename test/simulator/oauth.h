/*
 * oauth.h: client credentials for tokens, and tokens for calls.
 */
#ifndef SIMULATOR_OAUTH_H
#define SIMULATOR_OAUTH_H

#include "exchange.h"

/* Answers POST /oauth/token. */
extern void oauth_answer(const Request *request, Answer *answer);

/* Whether the request may call the API; takes one call from its token. */
extern bool oauth_accepts(const Request *request);

/* Forgets the token of this request. */
extern void oauth_forget(const Request *request);

/* Forgets all tokens. */
extern void oauth_forget_all(void);

#endif
