/*
 * http_route.h: the way to a server.
 */
#ifndef COURIER_HTTP_ROUTE_H
#define COURIER_HTTP_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* How to reach a server; whoever sends keeps it only until http_send returns. */
typedef struct HttpRoute
{
	const ServerMessage *server;
	char	   *authorities;	/* what stands in its ca_file; NULL: it has none */
	size_t		authorities_length;
	int64_t		number;			/* no other route has it; from 1 on */
} HttpRoute;

#endif
