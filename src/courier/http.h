/*
 * http.h: HTTP requests in, HTTP responses out.
 *
 * http*.c are the only files that know libcurl.  A request goes
 * out at most once: nothing here repeats, follows or resends one that may have
 * had an effect.
 */
#ifndef COURIER_HTTP_H
#define COURIER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "exchange.h"
#include "http_route.h"

/*
 * Called once for each request, out of http_run(); the response lives until
 * it returns.
 */
typedef void (*HttpDone) (void *owner, const HttpResponse *response);

/* Once, before all else. */
extern void http_start(void);

/* How many connections are worth keeping open. */
extern void http_keep_connections(int count);

/* Takes over the request's texts and begins to send it. */
extern void http_send(HttpRequest *request, const HttpRoute *route,
					  HttpDone done, void *owner);

/* Does what can be done without waiting, and reports what has ended. */
extern void http_run(void);

/*
 * Waits until there is something to do: for http_run(), on "fd" (input, and
 * room for output if "or_output"), or because "timeout_ms" have passed.
 */
extern void http_wait(int fd, bool or_output, int timeout_ms);

/* Names and versions of libcurl and its TLS library. */
extern void http_describe(char *text, size_t size);

#endif
