/*
 * oauth.h: tokens by OAuth 2 client credentials (RFC 6749, section 4.4).
 */
#ifndef COURIER_OAUTH_H
#define COURIER_OAUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "exchange.h"
#include "reading.h"
#include "settings.h"

/* A token, and until when to use it on the monotonic clock. */
typedef struct Token
{
	char	   *value;			/* NULL: there is none */
	int64_t		renew_at_ms;	/* from here on a new one is wanted */
	int64_t		expires_at_ms;	/* from here on it is not used any more */
} Token;

extern bool token_is_usable(const Token *token, int64_t now_ms);

/* It is time for a new one, though this one may still be used. */
extern bool token_is_old(const Token *token, int64_t now_ms);

/* Overwrites and frees it. */
extern void token_drop(Token *token);

/* The settings have a login_url and credentials. */
extern void oauth_compose(const Settings *settings, HttpRequest *request);

/*
 * Reads the answer.  True: "token", which held none, now does.  False:
 * "reading" says what this means for the calls that wait for a token.
 */
extern bool oauth_read(const HttpResponse *response, const Secrets *secrets,
					   int64_t now_ms, Token *token, Reading *reading);

#endif
