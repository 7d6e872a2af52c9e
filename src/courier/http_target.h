/*
 * http_target.h: which network addresses a request may lead to.
 */
#ifndef COURIER_HTTP_TARGET_H
#define COURIER_HTTP_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "http_route.h"

typedef struct HttpTarget
{
	bool		only_public;	/* refuse addresses inside of our network */
	bool		may_be_private; /* but not those of our organisation */
} HttpTarget;

extern HttpTarget http_target_of(const char *url, const HttpRoute *route);

extern bool http_target_permits(const HttpTarget *target, const struct sockaddr *address);

extern bool http_url_is_secure(const char *url);

#endif
