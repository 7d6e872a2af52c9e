/*
 * http_certificate.c: what a server proved itself with.
 */
#include "http_certificate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void
certificate_watch(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	/* of a connection that is used again some versions know no certificate */
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* The value of "name:value", however libcurl's TLS library spells the name; or NULL. */
static const char *
value_of(const char *line, const char *name)
{
	size_t		length = strlen(name);

	return strncasecmp(line, name, length) == 0 && line[length] == ':' ? line + length + 1 : NULL;
}

static void
read_line(const char *line, HttpCertificate *certificate)
{
	const char *issuer = value_of(line, "Issuer");
	const char *expires = value_of(line, "Expire date");
	time_t		time = expires != NULL ? curl_getdate(expires, NULL) : -1;

	if (issuer != NULL)
		snprintf(certificate->issuer, sizeof(certificate->issuer), "%s", issuer);
	if (time > 0)
		certificate->expires_at = time;
}

void
certificate_read(CURL *easy, HttpCertificate *certificate)
{
	struct curl_certinfo *chain = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
		chain->num_of_certs < 1)
		return;
	/* the first is the server's, the others are those that vouch for it */
	for (struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next)
		read_line(line->data, certificate);
}
