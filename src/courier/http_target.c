/*
 * http_target.c: which network addresses a request may lead to.
 *
 * A name that leads inside of our network is an attack or a mistake, unless the
 * operator has said that this very name does.  Even then TLS has to prove it.
 */
#include "http_target.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "exit.h"
#include "memory.h"
#include "url.h"

bool
http_url_is_secure(const char *url)
{
	return strncasecmp(url, "https:", strlen("https:")) == 0;
}

/* "https://host:port" of it; 0: it has none. */
static size_t
origin_length(const char *url)
{
	const char *host = strstr(url, "://");

	if (host == NULL)
		return 0;
	host += strlen("://");
	return (size_t) (host - url) + strcspn(host, "/?#");
}

/* One that is sent as it stands: dot segments are taken away, and what is escaped is spelled in one way. */
static bool
is_plain_path(const char *path)
{
	if (path[0] != '/' || strstr(path, "/.") != NULL)
		return false;
	while (isalnum((unsigned char) *path) || (*path != '\0' && strchr("/._~-", *path) != NULL))
		path++;
	return *path == '\0';
}

static bool
read_path(HttpTarget *target, const char *url)
{
	size_t		length = target->origin != NULL ? strlen(target->origin) : 0;

	return length > 0 && strncmp(url, target->origin, length) == 0 && is_plain_path(url + length) &&
		curl_url_set(target->url, CURLUPART_PATH, url + length, 0) == CURLUE_OK;
}

/* True if the URL itself says "localhost" or gives an address in numbers. */
static bool
names_an_address(CURLU *url)
{
	char	   *host = NULL;
	bool		answer = curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && host_names_an_address(host);

	curl_free(host);
	return answer;
}

/* Through a proxy it is the proxy that is connected to, which the operator has named. */
void
http_target_read(HttpTarget *target, const char *url, const HttpRoute *route)
{
	if (read_path(target, url))
		return;
	http_target_forget(target);
	target->only_public = route->server->proxy == NULL;
	target->may_be_private = http_url_is_secure(url) && url_host_is_among(url, route->server->private_hosts);
	target->url = curl_url();
	require(target->url != NULL);
	if (curl_url_set(target->url, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK)
	{
		curl_url_cleanup(target->url);
		target->url = NULL;
		return;
	}
	if (names_an_address(target->url))
		target->only_public = false;
	if (is_plain_path(url + origin_length(url)))
	{
		target->origin = copy_text(url);
		target->origin[origin_length(url)] = '\0';
	}
}

void
http_target_forget(HttpTarget *target)
{
	curl_url_cleanup(target->url);
	free(target->origin);
	*target = (HttpTarget) {0};
}

bool
http_target_permits(const HttpTarget *target, const struct sockaddr *address)
{
	return !target->only_public || address_is_public(address) ||
		(target->may_be_private && address_is_private(address));
}
