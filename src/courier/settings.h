/*
 * settings.h: one server as the worker last described it.
 *
 * Settings do not change; new ones replace them.  Calls on the wire keep a
 * reference to those that they began with.
 */
#ifndef COURIER_SETTINGS_H
#define COURIER_SETTINGS_H

#include <stdbool.h>

#include "dialect.h"
#include "http.h"
#include "message.h"
#include "reading.h"
#include "text.h"

typedef struct Settings
{
	int			references;
	ServerMessage server;		/* its texts are ours, and its numbers within bounds */
	const Dialect *dialect;		/* NULL: one that we do not know */
	char	   *basic;			/* base64 of id:secret; NULL without both */
	HttpRoute	route;
	char		complaint[ERROR_MESSAGE_SIZE];	/* of its ca_file; empty: there is none */
} Settings;

/* With one reference, the caller's. */
extern Settings *settings_new(const ServerMessage *message);

extern Settings *settings_hold(Settings *settings);

/* The last one overwrites the secrets and frees; NULL is fine. */
extern void settings_release(Settings *settings);

/* NULL, or the reason for which no call can be made with these. */
extern const char *settings_find_fault(const Settings *settings);

/* True if a token obtained with the one is good for the other. */
extern bool settings_share_login(const Settings *one, const Settings *other);

/* All that an API could repeat; "token" may be NULL.  Nothing is copied. */
extern Secrets settings_secrets(const Settings *settings, const char *token);

#endif
