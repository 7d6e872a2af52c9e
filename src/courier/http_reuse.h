/*
 * http_reuse.h: which connections, and handles, may not be used again, and the
 * last word on whether a request begins.
 */
#ifndef COURIER_HTTP_REUSE_H
#define COURIER_HTTP_REUSE_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

/* A transfer on its way to a connection. */
typedef struct Reuse
{
	CURL	   *easy;
	bool		once;			/* it may begin on one connection only */
	bool		begun;			/* it has begun on one */
	int64_t		leave_by_ms;	/* by clock_monotonic_ms(): it does not begin from then on; 0: whenever */
	bool		too_late;		/* and so it did not */
} Reuse;

/*
 * Watches over the choice of a connection for the transfers on this handle.  If it
 * falls on one that may not be used again, the transfer ends before anything was sent,
 * and the connection is closed; so does one that would begin a second time, or too late.
 */
extern void reuse_watch(Reuse *reuse, CURL *easy);

/* Before each of them. */
extern void reuse_begin(Reuse *reuse, CURL *easy, bool once, int64_t leave_by_ms);

/* True if a transfer ended before it began: it can be made again, on a fresh connection. */
extern bool reuse_was_refused(const Reuse *reuse, CURLcode code);

/* Remembers the connection of a transfer that has succeeded. */
extern void reuse_remember(CURL *easy);

/* A handle for the next transfer, after one on this ended so. */
extern CURL *reuse_handle(CURL *easy, CURLcode code);

#endif
