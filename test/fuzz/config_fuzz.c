/*
 * config_fuzz.c: whatever an operator writes into the credentials file or into
 * an option that is a URL, it is read in bounds, and nothing unsafe is taken.
 *
 * Input: one byte chooses the reader.  For credentials: the server's name up to
 * a NUL byte, then the file.  For a URL: the URL up to a NUL byte.
 *
 *   clang -std=gnu99 -g -O1 -fsanitize=fuzzer,address,undefined
 *     -fno-sanitize-recover=all -Isrc/common
 *     test/fuzz/config_fuzz.c src/common/{credentials,url}.c
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "credentials.h"
#include "url.h"

/* Not inlined, so that the stack of a crash says which one failed. */
static void __attribute__((noinline))
check(bool holds)
{
	if (!holds)
		abort();
}

/* A copy of exactly its size, so that reading past its end is caught. */
static char *
copy_of(const char *text, size_t length)
{
	char	   *copy = malloc(length > 0 ? length : 1);

	check(copy != NULL);
	if (length > 0)
		memcpy(copy, text, length);
	return copy;
}

/* --- credentials ------------------------------------------------------------ */

typedef struct Finding
{
	int			line;
	const char *complaint;
	Credentials credentials;
} Finding;

static void
find(const char *text, size_t length, const char *server, Finding *finding)
{
	char	   *copy = copy_of(text, length);

	memset(finding, 0xff, sizeof(*finding));
	finding->line = credentials_find(copy, length, server, &finding->credentials,
									 &finding->complaint);
	check(finding->line >= 0);
	if (finding->line > 0)
		check(finding->complaint != NULL && *finding->complaint != '\0' &&
			  (finding->complaint < copy || finding->complaint >= copy + length));
	free(copy);
}

static void
check_same(const Finding *a, const Finding *b)
{
	check(a->line == b->line);
	if (a->line > 0)
	{
		check(strcmp(a->complaint, b->complaint) == 0);
		return;
	}
	check(a->credentials.found == b->credentials.found);
	check(strcmp(a->credentials.client_id, b->credentials.client_id) == 0);
	check(strcmp(a->credentials.client_secret, b->credentials.client_secret) == 0);
	check(strcmp(a->credentials.host, b->credentials.host) == 0);
	check(strcmp(a->credentials.database, b->credentials.database) == 0);
}

static void
check_value(const char *value)
{
	size_t		length;

	check(memchr(value, '\0', CREDENTIAL_MAX + 1) != NULL);
	length = strlen(value);
	check(length == 0 || (value[0] != ' ' && value[length - 1] != ' '));
	for (; *value != '\0'; value++)
		check((unsigned char) *value >= ' ' && *value != 0x7f);
}

static int
count_lines(const char *text, size_t length)
{
	int			lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* A line in front moves every line by one and changes nothing else. */
static void
check_line_in_front(const char *text, size_t length, const char *server, const Finding *before)
{
	static const char line[] = "# [\n";
	char	   *longer = malloc(length + 4);
	Finding		after;

	check(longer != NULL);
	memcpy(longer, line, 4);
	if (length > 0)
		memcpy(longer + 4, text, length);
	find(longer, length + 4, server, &after);
	check(after.line == (before->line > 0 ? before->line + 1 : 0));
	after.line = before->line;
	check_same(before, &after);
	free(longer);
}

/* Lines may end as they do on Windows. */
static void
check_crlf(const char *text, size_t length, const char *server, const Finding *before)
{
	char	   *longer = malloc(2 * length + 1);
	size_t		used = 0;
	Finding		after;

	check(longer != NULL);
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] == '\n')
			longer[used++] = '\r';
		longer[used++] = text[i];
	}
	find(longer, used, server, &after);
	check_same(before, &after);
	free(longer);
}

/* What was found is found again when nothing else is in the file. */
static void
check_alone(const char *server, const Finding *before)
{
	const Credentials *found = &before->credentials;
	size_t		size = strlen(server) + 4 * CREDENTIAL_MAX + 96;
	char	   *text = malloc(size);
	Finding		after;

	check(text != NULL);
	strcpy(text, "[");
	strcat(strcat(text, server), "]\n");
	if (found->client_id[0] != '\0')
		strcat(strcat(strcat(text, "client_id="), found->client_id), "\n");
	if (found->client_secret[0] != '\0')
		strcat(strcat(strcat(text, "client_secret="), found->client_secret), "\n");
	if (found->host[0] != '\0')
		strcat(strcat(strcat(text, "host="), found->host), "\n");
	if (found->database[0] != '\0')
		strcat(strcat(strcat(text, "database="), found->database), "\n");
	find(text, strlen(text), server, &after);
	check_same(before, &after);
	free(text);
}

static void
read_credentials(const char *data, size_t size)
{
	const char *nul = memchr(data, '\0', size);
	char	   *server;
	const char *text;
	size_t		length;
	Finding		finding;

	if (nul == NULL)
		return;
	server = copy_of(data, (size_t) (nul - data) + 1);
	text = nul + 1;
	length = size - (size_t) (text - data);
	find(text, length, server, &finding);
	check(finding.line <= count_lines(text, length));
	if (finding.line == 0)
	{
		check_value(finding.credentials.client_id);
		check_value(finding.credentials.client_secret);
		check_value(finding.credentials.host);
		check_value(finding.credentials.database);
		check(finding.credentials.host[0] == '\0' || url_pins_complaint(finding.credentials.host) == NULL);
		check(finding.credentials.found ||
			  (finding.credentials.client_id[0] == '\0' && finding.credentials.client_secret[0] == '\0'));
		if (finding.credentials.found)
			check_alone(server, &finding);
	}
	check_line_in_front(text, length, server, &finding);
	check_crlf(text, length, server, &finding);
	free(server);
}

/* --- URLs ---------------------------------------------------------------------- */

/* The host of a URL that was taken, found in another way than url.c does. */
static void
host_of(const char *url, char *host, size_t size)
{
	const char *start = strstr(url, "://") + 3;
	size_t		length = *start == '[' ? (size_t) (strchr(start, ']') + 1 - start) : strcspn(start, ":/");

	check(length > 0);
	if (length >= size)
		length = 0;				/* no loopback host is that long */
	memcpy(host, start, length);
	host[length] = '\0';
}

/* By the C library, which also knows addresses such as 127.1. */
static bool
is_loopback_host(const char *host)
{
	struct in_addr address;

	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		(inet_aton(host, &address) && ntohl(address.s_addr) >> 24 == 127);
}

static void
check_accepted(const char *url)
{
	bool		secure = strncasecmp(url, "https://", 8) == 0;
	char		host[64];
	const char *path;

	check(secure || strncasecmp(url, "http://", 7) == 0);
	for (const char *byte = url; *byte != '\0'; byte++)
		check(*byte > ' ' && *byte < 0x7f);
	check(strpbrk(url, "?#@\\%") == NULL);
	host_of(url, host, sizeof(host));
	check(secure || url_is_loopback(url));
	check(!url_is_loopback(url) || is_loopback_host(host));

	path = strchr(strstr(url, "://") + 3, '/');
	if (path != NULL)
	{
		size_t		length = strlen(path);

		check(strstr(path, "/../") == NULL && strstr(path, "/./") == NULL);
		check(length < 3 || strcmp(path + length - 3, "/..") != 0);
		check(length < 2 || strcmp(path + length - 2, "/.") != 0);
	}
}

static void
read_url(const char *data, size_t size)
{
	const char *nul = memchr(data, '\0', size);
	char	   *url;
	const char *complaint;

	if (nul == NULL)
		return;
	url = copy_of(data, (size_t) (nul - data) + 1);
	complaint = url_complaint(url);
	(void) url_is_loopback(url);
	if (complaint == NULL)
		check_accepted(url);
	else
		check(*complaint != '\0');
	free(url);
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] & 1)
		read_url((const char *) data + 1, size - 1);
	else
		read_credentials((const char *) data + 1, size - 1);
	return 0;
}
