/*
 * http_target.h: which network addresses a request may lead to.
 */
#ifndef COURIER_HTTP_TARGET_H
#define COURIER_HTTP_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "http_route.h"

/* Zeros have read no URL yet. */
typedef struct HttpTarget
{
	CURLU	   *url;			/* the last one; NULL: libcurl cannot read it */
	char	   *origin;			/* as "https://host:port", of one with nothing but a plain path behind; or NULL */
	bool		only_public;	/* refuse addresses inside of our network */
	bool		may_be_private; /* but not those of our organisation */
} HttpTarget;

/* Reads a URL, of which only the path is new where the last one had the same origin. */
extern void http_target_read(HttpTarget *target, const char *url, const HttpRoute *route);

/* On another route the same URL may lead elsewhere. */
extern void http_target_forget(HttpTarget *target);

extern bool http_target_permits(const HttpTarget *target, const struct sockaddr *address);

extern bool http_url_is_secure(const char *url);

#endif
