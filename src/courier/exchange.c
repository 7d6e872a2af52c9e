/*
 * exchange.c: one HTTP request and its response, as plain data.
 */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static size_t
length_of(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

size_t
http_request_length(const HttpRequest *request)
{
	return length_of(request->url) + length_of(request->headers) + length_of(request->body);
}

void
traffic_count(Traffic *traffic, size_t request_length, const HttpResponse *response)
{
	traffic->bytes_sent += (int64_t) request_length;
	traffic->bytes_received += (int64_t) (response->headers_length + response->body_length);
}

void
http_request_free(HttpRequest *request)
{
	free(request->url);
	forget_text(request->headers);
	free(request->body);
	memset(request, 0, sizeof(*request));
}
