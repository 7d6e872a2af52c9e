/*
 * http.c: HTTP requests in, HTTP responses out, by libcurl.
 *
 * Callbacks record and return; all decisions are made outside of libcurl.
 *
 * A POST must not be sent twice.  libcurl by itself sends one again when a
 * reused connection dies before the reply, if it can rewind the body.  So
 * bodies are given by a read callback that cannot seek: then such a transfer
 * ends with CURLE_SEND_FAIL_REWIND instead.  One that dies before any of the
 * body was given ends by http_reuse.c.
 *
 * Tokens are overwritten in our memory when they are done with; the copies
 * inside of libcurl and its TLS library are out of reach.
 */
#define _GNU_SOURCE
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "clock.h"
#include "exit.h"
#include "headers.h"
#include "http_certificate.h"
#include "http_events.h"
#include "http_failure.h"
#include "http_headers.h"
#include "http_reuse.h"
#include "http_target.h"
#include "memory.h"
#include "received.h"
#include "test_point.h"

/* One request on its way.  The easy handle is used again for the next one, and keeps what all on its route share. */
typedef struct Transfer
{
	struct Transfer *next;		/* in the list of idle ones */
	CURL	   *easy;
	int64_t		prepared_for;	/* the number of a route; 0: none */
	HttpTarget	target;			/* on that route */
	HttpRequest request;
	struct curl_slist *header_list;
	size_t		body_given;		/* bytes of the request's body */
	Received	received;
	Reuse		reuse;
	bool		address_refused;
	bool		too_late;		/* nothing was sent */
	bool		hurries;		/* to connect in time to leave */
	bool		tunnelled;		/* by CONNECT, through a proxy */
	bool		fresh;			/* on a connection of its own */
	int64_t		started_at;		/* microseconds since 1970 */
	char		error[CURL_ERROR_SIZE];
	HttpDone	done;
	void	   *owner;
} Transfer;

static CURLM *multi;
static Transfer *idle_transfers;

/* A libcurl that refuses what safety depends on must not be used at all. */
static void
set_number(CURL *easy, CURLoption option, long value)
{
	require(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

static void
set_text(CURL *easy, CURLoption option, const char *value)
{
	require(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

/* To refuse the bytes, of a body or of headers, makes libcurl give up. */
static size_t
on_body(char *data, size_t one, size_t size, void *argument)
{
	Transfer   *transfer = argument;

	return received_body(&transfer->received, data, one * size) ? one * size : 0;
}

static size_t
on_header(char *data, size_t one, size_t size, void *argument)
{
	Transfer   *transfer = argument;

	TEST_POINT(transfer->request.body && !transfer->received.headers.length ? "courier_post_answered" : NULL);
	return received_header(&transfer->received, data, one * size) ? one * size : 0;
}

static size_t
on_read(char *to, size_t one, size_t size, void *argument)
{
	Transfer   *transfer = argument;
	const char *rest = transfer->request.body + transfer->body_given;
	size_t		count = strnlen(rest, one * size);

	TEST_POINT(transfer->body_given == 0 ? "courier_post_begun" : NULL);
	memcpy(to, rest, count);
	transfer->body_given += count;
	return count;
}

/* Called when the name is resolved, so a name cannot be changed behind us. */
static curl_socket_t
on_socket(void *argument, curlsocktype purpose, struct curl_sockaddr *address)
{
	Transfer   *transfer = argument;
	int			fd;

	(void) purpose;
	if (!http_target_permits(&transfer->target, &address->addr))
	{
		transfer->address_refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype, address->protocol);
	if (fd >= 0)
		events_opened(fd);
	return fd;
}

static int
on_close(void *argument, curl_socket_t fd)
{
	(void) argument;
	events_closed(fd);
	return close(fd);
}

void
http_start(void)
{
	require(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	multi = curl_multi_init();
	require(multi != NULL);
	events_start(multi);
}

void
http_keep_connections(int count)
{
	require(curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) count) == CURLM_OK);
}

/* Enough for a message.  To free 64 kB, as libcurl would take, costs glibc a look at all that is free. */
#define UPLOAD_BUFFER (16 * 1024)

/* What holds for every request to every server. */
static void
set_safety(CURL *easy)
{
	set_number(easy, CURLOPT_NOSIGNAL, 1);
#if LIBCURL_VERSION_NUM >= 0x075500
	set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	set_number(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Do not wait for a slow resolver when a transfer has timed out. */
	set_number(easy, CURLOPT_QUICK_EXIT, 1);
#endif
	set_number(easy, CURLOPT_FOLLOWLOCATION, 0);
	set_number(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	set_number(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1);
	set_number(easy, CURLOPT_SSL_VERIFYPEER, 1);
	set_number(easy, CURLOPT_SSL_VERIFYHOST, 2);
	set_number(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_number(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_number(easy, CURLOPT_TCP_KEEPALIVE, 1);
	set_number(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);

	/* A wish only: a libcurl without HTTP/2 says no and uses HTTP/1.1. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
}

/* A TLS library that takes no bytes, or an old libcurl, reads the file once more. */
static void
set_authorities(CURL *easy, const HttpRoute *route)
{
#if LIBCURL_VERSION_NUM >= 0x074d00
	struct curl_blob authorities = {route->authorities, route->authorities_length, CURL_BLOB_COPY};

	if (route->authorities != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &authorities) == CURLE_OK)
		return;
#endif
	if (route->server->ca_file != NULL)
		set_text(easy, CURLOPT_CAINFO, route->server->ca_file);
}

/* An empty proxy keeps libcurl from looking at the environment. */
static void
set_route(CURL *easy, const HttpRoute *route)
{
	set_text(easy, CURLOPT_PROXY, route->server->proxy != NULL ? route->server->proxy : "");
	set_text(easy, CURLOPT_NOPROXY, "");
	set_authorities(easy, route);
	set_number(easy, CURLOPT_TIMEOUT_MS, route->server->timeout_ms);
}

/* What has begun is waited for: only its answer tells what became of it. */
static void
set_deadline(Transfer *transfer, const HttpRoute *route)
{
	const HttpRequest *request = &transfer->request;
	int64_t		within_ms = route->server->connect_timeout_ms;

	if (request->begin_within_ms > 0 && request->begin_within_ms < within_ms)
		within_ms = request->begin_within_ms;
	if (request->leave_by_ms > 0 && request->leave_by_ms - clock_monotonic_ms() < within_ms)
	{
		within_ms = request->leave_by_ms - clock_monotonic_ms();
		transfer->hurries = true;
	}
	/* 0 would mean that there is no limit */
	set_number(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, within_ms > 1 ? (long) within_ms : 1);
}

/*
 * With TLS calls wait to see whether they can share a connection by HTTP/2.
 * Without, they would wait for the first reply, and one that never comes would
 * hold them all up.
 */
static void
set_url(CURL *easy, const char *url, CURLU *parsed)
{
	set_text(easy, CURLOPT_URL, url);
	/* goes before the text, which libcurl then neither reads nor composes */
	require(curl_easy_setopt(easy, CURLOPT_CURLU, parsed) == CURLE_OK);
	set_number(easy, CURLOPT_PIPEWAIT, http_url_is_secure(url));
}

static void
set_callbacks(CURL *easy, Transfer *transfer)
{
	reuse_watch(&transfer->reuse, easy);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
}

/*
 * Servers close connections that were idle for 5 seconds or more.  A GET that
 * meets such an end is sent again; a POST would be in doubt for nothing.
 */
#define POST_IDLE_MAX_S 2
#define GET_IDLE_MAX_S 118

/* Whatever the request before was, on the same handle. */
static void
set_method(Transfer *transfer)
{
	CURL	   *easy = transfer->easy;
	const HttpRequest *request = &transfer->request;

	set_number(easy, CURLOPT_MAXAGE_CONN, request->body != NULL ? POST_IDLE_MAX_S : GET_IDLE_MAX_S);
	set_number(easy, request->body != NULL ? CURLOPT_POST : CURLOPT_HTTPGET, 1);
	if (request->body != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(request->body));
	if (request->puts)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
}

/* What all requests on a route share is set once. */
static void
prepare_handle(Transfer *transfer, const HttpRoute *route)
{
	if (transfer->prepared_for == route->number)
		return;
	curl_easy_reset(transfer->easy);
	http_target_forget(&transfer->target);
	set_safety(transfer->easy);
	set_route(transfer->easy, route);
	set_callbacks(transfer->easy, transfer);
	transfer->prepared_for = route->number;
}

static Transfer *
take_transfer(void)
{
	Transfer   *transfer = idle_transfers;

	if (transfer != NULL)
	{
		idle_transfers = transfer->next;
		return transfer;
	}
	transfer = allocate(sizeof(Transfer));
	transfer->easy = curl_easy_init();
	require(transfer->easy != NULL);
	return transfer;
}

static void
return_transfer(Transfer *transfer, CURLcode code)
{
	CURL	   *easy = reuse_handle(transfer->easy, code);
	bool		is_usual = code == CURLE_OK && !transfer->request.puts &&
		!transfer->request.want_certificate && !transfer->fresh;
	Transfer	kept = {
		.next = idle_transfers,
		.easy = easy,
		.prepared_for = is_usual ? transfer->prepared_for : 0,
		.target = transfer->target,
	};

	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	http_request_free(&transfer->request);
	header_list_free(transfer->header_list);
	received_clear(&transfer->received);
	kept.received = transfer->received;
	*transfer = kept;
	idle_transfers = transfer;
}

void
http_send(HttpRequest *request, const HttpRoute *route, HttpDone done, void *owner)
{
	Transfer   *transfer = take_transfer();

	transfer->request = *request;
	memset(request, 0, sizeof(*request));
	transfer->done = done;
	transfer->owner = owner;
	transfer->started_at = clock_wall_us();
	transfer->received.body_max = route->server->max_reply_bytes;
	transfer->tunnelled = route->server->proxy != NULL && http_url_is_secure(transfer->request.url);

	prepare_handle(transfer, route);
	http_target_read(&transfer->target, transfer->request.url, route);
	set_deadline(transfer, route);
	set_method(transfer);
	set_url(transfer->easy, transfer->request.url, transfer->target.url);
	reuse_begin(&transfer->reuse, transfer->easy, transfer->request.body != NULL, transfer->request.leave_by_ms);
	transfer->header_list = header_list_make(transfer->request.headers, transfer->request.body != NULL);
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->header_list);
	if (transfer->request.want_certificate)
		certificate_watch(transfer->easy);
	require(curl_multi_add_handle(multi, transfer->easy) == CURLM_OK);
}

/* One word for why there is no complete answer. */
static const char *
failure_word(const Transfer *transfer, CURLcode code, bool sent)
{
	long		proxy_status = 0;

	if (transfer->too_late)
		return "connection";
	if (transfer->received.oversized)
		return "oversized";
	if (transfer->address_refused && !sent)
		return "address_refused";
	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
	if (!sent && proxy_status >= 300)
		return "proxy_failed";
	return http_failure_word(code, sent);
}

/* A tunnel that was asked for and never led to a handshake with the API. */
static bool
has_no_tunnel(const Transfer *transfer)
{
	long		new_connections = 0;
	curl_off_t	handshake = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &new_connections);
	curl_easy_getinfo(transfer->easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
	return transfer->tunnelled && new_connections > 0 && handshake == 0;
}

/*
 * Of a POST the body counts: nobody acts on a head that promises one.  The size
 * of the request is 0 until libcurl gave some of it to the network, but it
 * counts the CONNECT for a tunnel, too.
 */
static bool
was_sent(const Transfer *transfer, int status)
{
	long		request_size = 0;

	if (transfer->request.body != NULL)
		return transfer->body_given > 0 || status > 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_size);
	return (request_size > 0 && !has_no_tunnel(transfer)) || status > 0;
}

static int64_t
time_us(const Transfer *transfer, CURLINFO moment)
{
	curl_off_t	us = 0;

	curl_easy_getinfo(transfer->easy, moment, &us);
	return us;
}

/* An interim status (1xx) is no answer. */
static int
final_status(const Transfer *transfer)
{
	long		status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status <= 999 ? (int) status : 0;
}

static void
fill_response(HttpResponse *response, Transfer *transfer, CURLcode code)
{
	response->status = final_status(transfer);
	response->sent = was_sent(transfer, response->status);
	transfer->too_late = !response->sent &&
		(transfer->reuse.too_late || (transfer->hurries && code == CURLE_OPERATION_TIMEDOUT));
	response->too_late = transfer->too_late;
	/* to libcurl an answer that ends in its headers is one without a body */
	response->complete = code == CURLE_OK && response->status > 0 && transfer->received.headers_end &&
		!received_seems_cut(&transfer->received);
	if (!response->complete)
		response->failure = failure_word(transfer, code, response->sent);
	response->detail = transfer->error;
	response->sent_at = response->sent ? transfer->started_at + time_us(transfer, CURLINFO_PRETRANSFER_TIME_T) : 0;
	response->took_us = response->sent ? time_us(transfer, CURLINFO_TOTAL_TIME_T) - time_us(transfer, CURLINFO_PRETRANSFER_TIME_T) : 0;
	response->headers = received_text(&transfer->received.headers);
	response->headers_length = transfer->received.headers.length;
	response->body = received_text(&transfer->received.body);
	response->body_length = transfer->received.body.length;
	response->retry_after_ms =
		headers_rest_ms(response->headers, response->headers_length, response->status,
						time(NULL), header_date_read);
	if (response->status == 429 && response->retry_after_ms < 0)
	{
		response->retry_after_ms = words_rest_ms(response->body, response->body_length);
		response->retry_in_words = true;
	}
	if (transfer->request.want_certificate)
		certificate_read(transfer->easy, &response->certificate);
}

static void
finish_transfer(CURL *easy, CURLcode code)
{
	HttpResponse response = {0};
	char	   *private = NULL;
	Transfer   *transfer;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	transfer = (Transfer *) private;
	fill_response(&response, transfer, code);
	if (code == CURLE_OK)
		reuse_remember(easy);
	curl_multi_remove_handle(multi, easy);
	if (reuse_was_refused(&transfer->reuse, code))
	{
		set_number(easy, CURLOPT_FRESH_CONNECT, 1);
		transfer->fresh = true;
		require(curl_multi_add_handle(multi, easy) == CURLM_OK);
		return;
	}
	transfer->done(transfer->owner, &response);
	return_transfer(transfer, code);
}

void
http_run(void)
{
	CURLMsg    *message;
	int			count;

	events_run(multi);
	while ((message = curl_multi_info_read(multi, &count)) != NULL)
		if (message->msg == CURLMSG_DONE)
			finish_transfer(message->easy_handle, message->data.result);
}

void
http_wait(int fd, bool or_output, int timeout_ms)
{
	events_wait(multi, fd, or_output, timeout_ms);
}

void
http_describe(char *text, size_t size)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	snprintf(text, size, "libcurl/%s %s", info->version,
			 info->ssl_version != NULL ? info->ssl_version : "without TLS");
}
