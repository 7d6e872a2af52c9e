/*
 * exchange.h: one HTTP request and its response, as plain data.
 *
 * Dialects compose the one and read the other without any HTTP library.
 */
#ifndef COURIER_EXCHANGE_H
#define COURIER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to send.  Its texts are owned. */
typedef struct HttpRequest
{
	char	   *url;
	char	   *headers;		/* one a line; may carry a token */
	char	   *body;			/* NULL: it is a GET, otherwise a POST */
	bool		puts;			/* rather a PUT */
	bool		want_certificate;	/* wants to know the server's certificate */
	int64_t		begin_within_ms;	/* it is late after that; 0: it never is */
	int64_t		leave_by_ms;	/* by clock_monotonic_ms(): no byte of it leaves from then on; 0: whenever */
} HttpRequest;

/*
 * The failure of a server that cannot prove who it is, or of a ca_file that is
 * none.  Time alone mends neither.
 */
#define FAILURE_CERTIFICATE "certificate_refused"

/* What a server proved itself with. */
#define ISSUER_SIZE 257
typedef struct HttpCertificate
{
	char		issuer[ISSUER_SIZE];	/* as it came; empty: not known */
	int64_t		expires_at;		/* seconds since 1970; 0: not known */
} HttpCertificate;

/* What came of it; its texts belong to whoever made it, and are never NULL. */
typedef struct HttpResponse
{
	int			status;			/* 0: there was no answer */
	bool		sent;			/* some of the request went out, or may have */
	bool		too_late;		/* nothing did, as the time by which it had to was over */
	bool		complete;		/* the answer arrived whole */
	const char *failure;		/* one word why not; NULL if complete */
	const char *detail;			/* the network's words for it; may be empty */
	int64_t		sent_at;		/* microseconds since 1970; 0: not sent */
	int64_t		took_us;		/* from then to the end of the answer */
	int64_t		retry_after_ms; /* -1: not asked for */
	bool		retry_in_words; /* asked for by a message only, not by a header */
	const char *headers;		/* as received; not terminated */
	size_t		headers_length;
	const char *body;			/* as much as was kept; not terminated */
	size_t		body_length;
	HttpCertificate certificate;	/* to a request that wants it, by TLS */
} HttpResponse;

/* What was put on the wire for a server, and what came, since somebody was told. */
typedef struct Traffic
{
	int64_t		token_requests;	/* that were begun */
	int64_t		bytes_sent;		/* URLs, headers and bodies, as they are composed */
	int64_t		bytes_received;
} Traffic;

/* "request_length" is that of the request which was answered, or was not. */
extern void traffic_count(Traffic *traffic, size_t request_length, const HttpResponse *response);

/* Of its texts. */
extern size_t http_request_length(const HttpRequest *request);

/* Frees the texts, and overwrites those that may hold a token. */
extern void http_request_free(HttpRequest *request);

#endif
