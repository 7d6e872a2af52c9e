/*
 * http_failure.h: words for what libcurl says went wrong.
 */
#ifndef COURIER_HTTP_FAILURE_H
#define COURIER_HTTP_FAILURE_H

#include <stdbool.h>

#include <curl/curl.h>

/* The word for a code, before or after the request was sent. */
extern const char *http_failure_word(CURLcode code, bool sent);

#endif
