/*
 * http_failure.c: libcurl's codes in words of ours.
 */
#include "http_failure.h"

#include "exchange.h"

typedef struct FailureWord
{
	CURLcode	code;
	const char *word;
} FailureWord;

static const FailureWord words_before_sending[] = {
	{CURLE_COULDNT_RESOLVE_HOST, "resolve_failed"},
	{CURLE_COULDNT_RESOLVE_PROXY, "proxy_failed"},
	{CURLE_COULDNT_CONNECT, "connect_failed"},
	{CURLE_OPERATION_TIMEDOUT, "connect_timeout"},
	{CURLE_SSL_CONNECT_ERROR, "tls_failed"},
	{CURLE_SSL_CIPHER, "tls_failed"},
	{CURLE_PEER_FAILED_VERIFICATION, FAILURE_CERTIFICATE},
	{CURLE_SSL_CACERT_BADFILE, FAILURE_CERTIFICATE},
	{CURLE_SSL_ISSUER_ERROR, FAILURE_CERTIFICATE},
	{CURLE_URL_MALFORMAT, "invalid_url"},
	{CURLE_UNSUPPORTED_PROTOCOL, "invalid_url"},
	{CURLE_LOGIN_DENIED, "invalid_url"},	/* there is a user name in it */
	{CURLE_OK, NULL}
};

static const FailureWord words_after_sending[] = {
	{CURLE_OPERATION_TIMEDOUT, "timeout"},
	{CURLE_WEIRD_SERVER_REPLY, "unreadable"},
	{CURLE_UNSUPPORTED_PROTOCOL, "unreadable"}, /* HTTP/0.9, that is, not HTTP */
#if LIBCURL_VERSION_NUM >= 0x080600
	{CURLE_TOO_LARGE, "oversized"}, /* it counts headers itself, not only their bytes */
#endif
	{CURLE_OK, NULL}
};

const char *
http_failure_word(CURLcode code, bool sent)
{
	const FailureWord *known = sent ? words_after_sending : words_before_sending;

	for (; known->word != NULL; known++)
		if (known->code == code)
			return known->word;
	return "connection_lost";
}
