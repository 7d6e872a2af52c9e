/*
 * url.h: what may stand in the options api_url and login_url.
 */
#ifndef REENGAGE_URL_H
#define REENGAGE_URL_H

#include <stdbool.h>

/*
 * NULL when "url" can be used as a base: http or https, a host, perhaps a
 * port and a path; no user, query, fragment, blank or control byte; plain
 * http only to a loopback host.  Otherwise says what is wrong, as a phrase
 * that can follow "the URL".
 */
extern const char *url_complaint(const char *url);

/* True for localhost, 127.0.0.0/8 and [::1]. */
extern bool url_is_loopback(const char *url);

#endif
