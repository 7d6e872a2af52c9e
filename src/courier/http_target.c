/*
 * http_target.c: which network addresses a request may lead to.
 *
 * A name that leads inside of our network is an attack or a mistake, unless the
 * operator has said that this very name does.  Even then TLS has to prove it.
 */
#include "http_target.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "address.h"
#include "exit.h"
#include "url.h"

bool
http_url_is_secure(const char *url)
{
	return strncasecmp(url, "https:", strlen("https:")) == 0;
}

/* True if the URL itself says "localhost" or gives an address in numbers. */
static bool
names_an_address(const char *url)
{
	CURLU	   *parsed = curl_url();
	char	   *host = NULL;
	bool		answer;

	require(parsed != NULL);
	answer = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		host_names_an_address(host);
	curl_free(host);
	curl_url_cleanup(parsed);
	return answer;
}

/* Through a proxy it is the proxy that is connected to, which the operator has named. */
HttpTarget
http_target_of(const char *url, const HttpRoute *route)
{
	return (HttpTarget) {
		.only_public = route->server->proxy == NULL && !names_an_address(url),
		.may_be_private = http_url_is_secure(url) && url_host_is_among(url, route->server->private_hosts),
	};
}

bool
http_target_permits(const HttpTarget *target, const struct sockaddr *address)
{
	return !target->only_public || address_is_public(address) ||
		(target->may_be_private && address_is_private(address));
}
