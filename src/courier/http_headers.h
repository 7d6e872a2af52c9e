/*
 * http_headers.h: the headers of a request, as libcurl wants them, and what it can
 * read of a reply's.
 */
#ifndef COURIER_HTTP_HEADERS_H
#define COURIER_HTTP_HEADERS_H

#include <stdbool.h>
#include <time.h>

#include <curl/curl.h>

/* Of one a line; with those that a body needs. */
extern struct curl_slist *header_list_make(const char *lines, bool has_body);

/* Overwrites the tokens in it. */
extern void header_list_free(struct curl_slist *list);

/* An HTTP date; -1: it is none. */
extern time_t header_date_read(const char *text);

#endif
