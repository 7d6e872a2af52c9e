/*
 * http_reuse.h: which connections may not be used again.
 */
#ifndef COURIER_HTTP_REUSE_H
#define COURIER_HTTP_REUSE_H

#include <stdbool.h>

#include <curl/curl.h>

/*
 * Watches over the choice of a connection for this transfer.  If it falls on
 * one that may not be used again, the transfer ends before anything was sent,
 * and the connection is closed.
 */
extern void reuse_watch(CURL *easy);

/* True if a transfer ended so: it can be made again, on a fresh connection. */
extern bool reuse_was_refused(CURLcode code);

/* Remembers the connection of a transfer that has succeeded. */
extern void reuse_remember(CURL *easy);

#endif
