/*
 * exchange.c: one HTTP request and its response, as plain data.
 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void
http_request_free(HttpRequest *request)
{
	free(request->url);
	forget_text(request->headers);
	free(request->body);
	memset(request, 0, sizeof(*request));
}
