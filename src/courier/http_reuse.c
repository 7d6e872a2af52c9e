/*
 * http_reuse.c: which connections, and handles, may not be used again.
 *
 * Between two calls an HTTP/1 server has nothing to say.  If it says something
 * nevertheless, a second answer for instance, the next call would take that for
 * its own.  Not every libcurl looks: 7.88 does not.  The end of a TLS session
 * is such bytes, too: a call that is made after it is in doubt for nothing.
 *
 * When a connection that was used again is cut behind the head of a request,
 * libcurl sends that head again on another one, without being asked.  Of a POST
 * it must not.
 *
 * What watches over this, on_connection(), is called when nothing but the
 * request is left to be sent, so the last word is spoken there, too: behind
 * leave_by_ms no message begins.
 */
#include "http_reuse.h"

#include <stddef.h>
#include <sys/socket.h>

#include "clock.h"
#include "exit.h"
#include "http_events.h"

#define PLACES 65536

/* Sockets that speak HTTP/1, by the two ends of the connection; 0, the link's, is none. */
static curl_socket_t sockets[PLACES];

/* Two connections rarely share a place, and then only what is known of one is lost. */
static curl_socket_t *
place_of(const char *remote, long remote_port, long local_port)
{
	size_t		place = (size_t) remote_port;

	for (; *remote != '\0'; remote++)
		place = place * 31 + (unsigned char) *remote;
	return &sockets[(place + (size_t) local_port) % PLACES];
}

/* Something has arrived, or its end. */
static bool
has_input(curl_socket_t socket)
{
	char		byte;

	return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

#if LIBCURL_VERSION_NUM >= 0x075000
static int
on_connection(void *argument, char *remote, char *local, int remote_port, int local_port)
{
	Reuse	   *reuse = argument;
	curl_socket_t socket = *place_of(remote, remote_port, local_port);
	long		new_connections = 0;

	(void) local;
	curl_easy_getinfo(reuse->easy, CURLINFO_NUM_CONNECTS, &new_connections);
	if ((reuse->once && reuse->begun) || (new_connections == 0 && socket > 0 && has_input(socket)))
		return CURL_PREREQFUNC_ABORT;
	/* the last moment before any of the request is sent: connection, proxy and TLS are there */
	reuse->too_late = reuse->leave_by_ms > 0 && clock_monotonic_ms() >= reuse->leave_by_ms;
	if (reuse->too_late)
		return CURL_PREREQFUNC_ABORT;
	reuse->begun = true;
	/* its body follows at once; if another connection is meant, nothing is lost */
	if (reuse->once && new_connections == 0 && socket > 0)
		events_join(socket);
	return CURL_PREREQFUNC_OK;
}

void
reuse_watch(Reuse *reuse, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connection);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, reuse);
}

void
reuse_begin(Reuse *reuse, CURL *easy, bool once, int64_t leave_by_ms)
{
	*reuse = (Reuse) {.easy = easy, .once = once, .leave_by_ms = leave_by_ms};
}
#else
void
reuse_watch(Reuse *reuse, CURL *easy)
{
	(void) reuse;
	(void) easy;
}

/* Of a connection that is never used again nothing is sent again either. */
void
reuse_begin(Reuse *reuse, CURL *easy, bool once, int64_t leave_by_ms)
{
	/* the time to connect is all that such a libcurl knows of */
	*reuse = (Reuse) {.easy = easy, .once = once, .begun = true, .leave_by_ms = leave_by_ms};
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long) once);
}
#endif

bool
reuse_was_refused(const Reuse *reuse, CURLcode code)
{
	return code == CURLE_ABORTED_BY_CALLBACK && !reuse->begun && !reuse->too_late;
}

/* An HTTP/2 server may say something at any time, and says what it is about. */
void
reuse_remember(CURL *easy)
{
	curl_socket_t socket = CURL_SOCKET_BAD;
	const char *remote = NULL;
	long		remote_port = 0;
	long		local_port = 0;
	long		version = 0;

	curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket);
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &remote);
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &remote_port);
	curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	if (remote != NULL)
		*place_of(remote, remote_port, local_port) =
			version <= CURL_HTTP_VERSION_1_1 && socket > 0 ? socket : 0;
}

/*
 * A handle whose transfer failed is not used again: libcurl 8.14 remembers
 * beyond a reset that it could not rewind, and fails the next transfer.
 */
CURL *
reuse_handle(CURL *easy, CURLcode code)
{
	if (code == CURLE_OK)
		return easy;
	curl_easy_cleanup(easy);
	easy = curl_easy_init();
	require(easy != NULL);
	return easy;
}
