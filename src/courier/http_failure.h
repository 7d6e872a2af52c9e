/*
 * http_failure.h: libcurl's codes in words of ours.
 */
#ifndef COURIER_HTTP_FAILURE_H
#define COURIER_HTTP_FAILURE_H

#include <stdbool.h>

#include <curl/curl.h>

/* One word for why there is no complete answer to a request that was, or was not, sent. */
extern const char *http_failure_word(CURLcode code, bool sent);

#endif
