/*
 * url.h: what may stand in the options api_url, login_url and proxy, and which
 * hosts they name.
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

/*
 * The same for a proxy: http or https, any host, perhaps a port.  Plain http
 * will do, as the API is spoken to by TLS through a tunnel.
 */
extern const char *url_proxy_complaint(const char *url);

/*
 * NULL when "hosts" is a list of host names, separated by commas, none of which
 * is an address in numbers; else a phrase that can follow "the list".
 */
extern const char *url_hosts_complaint(const char *hosts);

/* True if the host of a sound URL is one of those, whatever the case. */
extern bool url_host_is_among(const char *url, const char *hosts);

/* True for localhost, 127.0.0.0/8 and [::1]. */
extern bool url_is_loopback(const char *url);

/*
 * Pins are hosts, separated by commas and blanks, each perhaps with a port; "*"
 * is any port, none the one of the scheme.  NULL, or a phrase that can follow
 * "the list".
 */
extern const char *url_pins_complaint(const char *pins);

/*
 * True if a sound URL leads to one of them: the same host, as it is written but
 * for its case, at the same port.  Other spellings of an address, or a dot at
 * the end of a name, are not the same: then nobody has to know which are.
 */
extern bool url_is_pinned(const char *url, const char *pins);

/* Where in a URL its host begins; returns the length, with the port. */
extern int	url_host_length(const char *url, const char **host);

#endif
