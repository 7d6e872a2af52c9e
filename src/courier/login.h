/*
 * login.h: the token of one server: asking for it, and when to ask again.
 *
 * At most one request is on the wire.  A token is renewed before its end while
 * calls go on with it.  A login server that gives none is asked again after
 * pauses that grow, whatever the number of calls that want a token: meanwhile
 * they are answered at once, as blocked.
 */
#ifndef COURIER_LOGIN_H
#define COURIER_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "oauth.h"
#include "reading.h"
#include "settings.h"

typedef struct Login
{
	Token		token;
	int64_t		number;			/* of that token: it is the n-th */
	int64_t		worked;			/* the number of the latest that the API accepted */
	Settings   *current;		/* what the server is called with */
	Settings   *asking;			/* those of a request on the wire, or NULL */
	int64_t		asked_at_ms;
	int64_t		ask_again_at_ms;
	size_t		request_length;
	Traffic    *traffic;		/* of its server */
	int			failures;		/* requests in a row that brought no token */
	Reading		refusal;		/* what the last of them means for calls */
	void		(*changed) (void *owner);
	void	   *owner;
} Login;

/* "changed" is called with the owner when a request for a token has ended; each is counted in "traffic". */
extern void login_init(Login *login, Traffic *traffic, void (*changed) (void *owner), void *owner);

/* Lets go of the token; no request is on the wire. */
extern void login_end(Login *login);

/* What comes from other credentials is forgotten.  The caller keeps "settings" alive. */
extern void login_set(Login *login, Settings *settings, int64_t now_ms);

/* True if calls can go out now, with this token or without any. */
extern bool login_is_ready(const Login *login, int64_t now_ms);

/* The same; otherwise, and before a token ends, asks for one if it is time. */
extern bool login_permits(Login *login, int64_t now_ms);

/* NULL, or what to answer to calls, as there is no token to be had for a while. */
extern const Reading *login_refusal(const Login *login, int64_t now_ms);

/* The API accepted, or refused, the token with this number. */
extern void login_note_accepted(Login *login, int64_t number);
extern void login_note_refused(Login *login, int64_t number, int64_t now_ms);

#endif
