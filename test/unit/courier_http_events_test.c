/*
 * courier_http_events_test.c: no socket of libcurl's is forgotten, whatever it does
 * with their numbers.  The test plays libcurl.
 */
#include "http_events.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

#ifdef __linux__

#include <stdarg.h>

#undef curl_multi_setopt

static curl_socket_callback want_socket;
static curl_multi_timer_callback want_time;
static CURLM *const multi = (CURLM *) &want_socket;
static int	link_end[2];
static int	told_of;			/* the socket of the last call; -1: none; TIMED_OUT */
static int	times_told;

#define TIMED_OUT (-2)

CURLMcode
curl_multi_setopt(CURLM *handle, CURLMoption option, ...)
{
	va_list		arguments;

	(void) handle;
	va_start(arguments, option);
	if (option == CURLMOPT_SOCKETFUNCTION)
		want_socket = va_arg(arguments, curl_socket_callback);
	else if (option == CURLMOPT_TIMERFUNCTION)
		want_time = va_arg(arguments, curl_multi_timer_callback);
	va_end(arguments);
	return CURLM_OK;
}

CURLMcode
curl_multi_socket_action(CURLM *handle, curl_socket_t socket, int what, int *running)
{
	(void) handle;
	(void) what;
	*running = 1;
	times_told++;
	told_of = socket == CURL_SOCKET_TIMEOUT ? TIMED_OUT : socket;
	return CURLM_OK;
}

/* What libcurl is told of: the one socket, TIMED_OUT, or -1. */
static int
turn(void)
{
	told_of = -1;
	times_told = 0;
	/* all is ready that is going to be */
	events_wait(multi, link_end[0], false, 0);
	events_run(multi);
	return told_of;
}

static void
want(int fd, int what)
{
	want_socket(NULL, fd, what, NULL, NULL);
}

/* A pair whose first end is "fd", which was closed just now. */
static int
pair_at(int fd)
{
	int			ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || ends[0] != fd)
		return -1;
	return ends[1];
}

static void
say_something(int fd)
{
	ok(send(fd, "x", 1, 0) == 1, "somebody says something");
}

/* A connection, used twice, with a silence between. */
static void
test_connection(int fd)
{
	int			peer = pair_at(fd);

	events_opened(fd);
	want(fd, CURL_POLL_OUT);
	ok(turn() == fd, "a new socket is connected");
	want(fd, CURL_POLL_IN);
	say_something(peer);
	ok(turn() == fd, "it is answered");
	want(fd, CURL_POLL_REMOVE);
	ok(turn() == -1, "nobody wants what comes unasked, until the next call");
	want(fd, CURL_POLL_IN);
	ok(turn() == fd, "which finds it");
	want(fd, CURL_POLL_REMOVE);
	events_closed(fd);
	close(fd);
	close(peer);
}

/* One that cannot connect is closed without a word, and told of afterwards. */
static void
test_failure(int fd)
{
	int			peer = pair_at(fd);

	events_opened(fd);
	want(fd, CURL_POLL_OUT);
	ok(turn() == fd, "a socket fails to connect");
	close(fd);
	want(fd, CURL_POLL_REMOVE);
	close(peer);
}

/* As the resolver's, which libcurl makes itself. */
static void
test_of_libcurl(int fd, const char *what)
{
	int			peer = pair_at(fd);

	want(fd, CURL_POLL_IN);
	say_something(peer);
	ok(turn() == fd, "%s", what);
	want(fd, CURL_POLL_REMOVE);
	close(fd);
	close(peer);
}

static void
test_timer(void)
{
	want_time(multi, 0, NULL);
	ok(turn() == TIMED_OUT, "its time has come");
	ok(turn() == -1, "once");
	want_time(multi, 3600 * 1000, NULL);
	want_time(multi, -1, NULL);
	ok(turn() == -1, "what it takes back does not come");
}

int
main(void)
{
	int			fd;

	events_start(multi);
	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, link_end) == 0, "the link");
	/* the number that the next socket will have, and the next after it was closed */
	fd = dup(link_end[0]);
	close(fd);
	test_connection(fd);
	test_of_libcurl(fd, "a socket of libcurl's own, with the number of a connection");
	test_failure(fd);
	test_of_libcurl(fd, "and with the number of one that failed");
	test_of_libcurl(fd, "and the next one");
	test_connection(fd);
	test_timer();
	return done_testing();
}

#else

int
main(void)
{
	ok(true, "epoll is Linux's");
	return done_testing();
}

#endif
