/*
 * http_reuse.h: which connections may not be used again.
 */
#ifndef COURIER_HTTP_REUSE_H
#define COURIER_HTTP_REUSE_H

#include <stdbool.h>

#include <curl/curl.h>

/* A transfer on its way to a connection. */
typedef struct Reuse
{
	CURL	   *easy;
	bool		once;			/* it may begin on one connection only */
	bool		begun;			/* it has begun on one */
} Reuse;

/*
 * Watches over the choice of a connection for this transfer.  If it falls on
 * one that may not be used again, the transfer ends before anything was sent,
 * and the connection is closed; so does one that would begin a second time.
 */
extern void reuse_watch(Reuse *reuse, CURL *easy, bool once);

/* True if a transfer ended before it began: it can be made again, on a fresh connection. */
extern bool reuse_was_refused(const Reuse *reuse, CURLcode code);

/* Remembers the connection of a transfer that has succeeded. */
extern void reuse_remember(CURL *easy);

#endif
