/*
 * url.c: a strict reading of base URLs.
 *
 * Strict on purpose: these URLs decide where customer data and credentials
 * go, so whatever two parsers could read differently is refused.
 */
#include "url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Authority
{
	const char *host;
	size_t		host_length;
	const char *port;			/* NULL: none */
	size_t		port_length;
} Authority;

static const char *
after_scheme(const char *url, bool *secure)
{
	*secure = strncasecmp(url, "https://", 8) == 0;
	if (*secure)
		return url + 8;
	return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static Authority
split_authority(const char *start, size_t length)
{
	Authority	authority = {start, 0, NULL, 0};
	const char *bracket = *start == '[' ? memchr(start, ']', length) : NULL;
	const char *tail = bracket ? bracket : start;
	const char *colon = memchr(tail, ':', length - (size_t) (tail - start));

	authority.host_length = colon ? (size_t) (colon - start) : length;
	if (colon)
	{
		authority.port = colon + 1;
		authority.port_length = length - authority.host_length - 1;
	}
	return authority;
}

/* Of what follows the scheme. */
static Authority
authority_of(const char *start)
{
	return split_authority(start, strcspn(start, "/"));
}

static bool
port_is_sound(const Authority *authority)
{
	long		port;

	if (authority->port == NULL)
		return true;
	if (authority->port_length < 1 || authority->port_length > 5 ||
		strspn(authority->port, "0123456789") < authority->port_length)
		return false;
	port = strtol(authority->port, NULL, 10);
	return port >= 1 && port <= 65535;
}

static bool
host_is_sound(const Authority *authority)
{
	static const char name[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t		length = authority->host_length;

	if (length > 2 && authority->host[0] == '[')
		return authority->host[length - 1] == ']' &&
			strspn(authority->host + 1, "0123456789abcdefABCDEF:.") == length - 2;
	return length >= 1 && strspn(authority->host, name) >= length;
}

/*
 * 127.a.b.c with a, b, c from 0 to 255 and no leading zeros, which some read
 * as octal; 127.evil.example is a name.
 */
static bool
is_loopback_address(const char *host, size_t length)
{
	const char *end = host + length;
	int			octets = 0;

	for (const char *at = host; at < end; octets++)
	{
		int			value = 0;
		int			digits = 0;
		bool		leads_with_zero = *at == '0';

		for (; at < end && *at >= '0' && *at <= '9' && digits < 4; at++, digits++)
			value = value * 10 + (*at - '0');
		if (digits < 1 || digits > 3 || value > 255 || (leads_with_zero && digits > 1) ||
			(octets == 0 && value != 127))
			return false;
		/* a dot must be followed by another octet */
		if (at < end && (*at != '.' || ++at == end))
			return false;
	}
	return octets == 4;
}

static bool
host_is_loopback(const Authority *authority)
{
	const char *host = authority->host;
	size_t		length = authority->host_length;

	if (length == 9 && strncasecmp(host, "localhost", 9) == 0)
		return true;
	if (length == 5 && strncmp(host, "[::1]", 5) == 0)
		return true;
	return is_loopback_address(host, length);
}

bool
url_is_loopback(const char *url)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);
	Authority	authority;

	if (start == NULL)
		return false;
	authority = authority_of(start);
	return host_is_loopback(&authority);
}

/* Dot segments could lead out of the base path. */
static bool
path_is_sound(const char *path)
{
	while (*path == '/')
	{
		size_t		segment = strcspn(path + 1, "/");

		if ((segment == 1 && path[1] == '.') ||
			(segment == 2 && path[1] == '.' && path[2] == '.'))
			return false;
		path += 1 + segment;
	}
	return true;
}

/* What is wrong with it wherever it leads; "start" is behind the scheme. */
static const char *
common_complaint(const char *url, const char *start)
{
	Authority	authority;

	for (const char *byte = url; *byte; byte++)
		if ((unsigned char) *byte <= ' ' || (unsigned char) *byte >= 0x7f)
			return "must consist of printable ASCII characters without blanks";
	if (strpbrk(start, "?#@\\%") != NULL)
		return "must not have a user, a query, a fragment or escapes";
	authority = authority_of(start);
	if (!host_is_sound(&authority))
		return "must name a host";
	if (!port_is_sound(&authority))
		return "must have a port from 1 to 65535";
	if (!path_is_sound(start + strcspn(start, "/")))
		return "must not have dot segments";
	return NULL;
}

const char *
url_complaint(const char *url)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);
	const char *complaint;

	if (start == NULL)
		return "must begin with https:// (or http:// for a loopback host)";
	complaint = common_complaint(url, start);
	if (complaint == NULL && !secure && !url_is_loopback(url))
		return "must use https, as its host is not a loopback address";
	return complaint;
}

const char *
url_proxy_complaint(const char *url)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);
	const char *complaint;
	const char *path;

	if (start == NULL)
		return "must begin with http:// or https://";
	complaint = common_complaint(url, start);
	path = start + strcspn(start, "/");
	if (complaint == NULL && path[strspn(path, "/")] != '\0')
		return "must not have a path";
	return complaint;
}

/* "10.1" and "0x7f.1" are addresses to some resolvers, too: no top-level domain begins with a digit. */
static bool
is_host_name(const char *host, size_t length)
{
	Authority	authority = {.host = host, .host_length = length};
	size_t		last = length;

	if (length == 0 || host[0] == '[' || host[0] == '.' || host[length - 1] == '.' ||
		!host_is_sound(&authority) || host_is_loopback(&authority))
		return false;
	while (last > 0 && host[last - 1] != '.')
		last--;
	return host[last] < '0' || host[last] > '9';
}

const char *
url_hosts_complaint(const char *hosts)
{
	for (;;)
	{
		size_t		length = strcspn(hosts, ",");

		if (!is_host_name(hosts, length))
			return "must consist of host names separated by commas, without blanks, ports or addresses in numbers";
		if (hosts[length] == '\0')
			return NULL;
		hosts += length + 1;
	}
}

bool
url_host_is_among(const char *url, const char *hosts)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);
	Authority	authority;

	if (start == NULL || hosts == NULL)
		return false;
	authority = authority_of(start);
	while (*hosts != '\0')
	{
		size_t		length = strcspn(hosts, ",");

		if (length == authority.host_length && strncasecmp(hosts, authority.host, length) == 0)
			return true;
		hosts += length + (hosts[length] == ',');
	}
	return false;
}

/* --- pins: hosts with their ports -------------------------------------------- */

/* Cuts the next one, without the blanks around it, off the list. */
static Authority
take_pin(const char **pins)
{
	const char *start = *pins + strspn(*pins, " \t");
	size_t		length = strcspn(start, ",");

	*pins = start + length + (start[length] == ',');
	while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
		length--;
	return split_authority(start, length);
}

static bool
is_any_port(const Authority *pin)
{
	return pin->port_length == 1 && *pin->port == '*';
}

const char *
url_pins_complaint(const char *pins)
{
	const char *rest = pins;
	bool		more;

	do
	{
		Authority	pin = take_pin(&rest);

		more = rest > pins && rest[-1] == ',';
		if (!host_is_sound(&pin) || (!is_any_port(&pin) && !port_is_sound(&pin)))
			return "must be hosts separated by commas, each perhaps with a port, as in api.example.com or api.example.com:8443";
	} while (more);
	return NULL;
}

static long
port_of(const Authority *authority, bool secure)
{
	if (authority->port == NULL)
		return secure ? 443 : 80;
	return strtol(authority->port, NULL, 10);
}

bool
url_is_pinned(const char *url, const char *pins)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);
	Authority	authority;

	if (start == NULL || url_complaint(url) != NULL || url_pins_complaint(pins) != NULL)
		return false;
	authority = authority_of(start);
	while (*pins != '\0')
	{
		Authority	pin = take_pin(&pins);

		if (pin.host_length == authority.host_length &&
			strncasecmp(pin.host, authority.host, pin.host_length) == 0 &&
			(is_any_port(&pin) || port_of(&pin, secure) == port_of(&authority, secure)))
			return true;
	}
	return false;
}

int
url_host_length(const char *url, const char **host)
{
	bool		secure;
	const char *start = after_scheme(url, &secure);

	*host = start != NULL ? start : url;
	return (int) strcspn(*host, "/");
}
