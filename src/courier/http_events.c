/*
 * http_events.c: see http_events.h.
 */
#include "http_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "exit.h"

#ifdef __linux__

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* More than are ready at once; others are told of the next time. */
#define EVENTS_MAX 256

#define NEVER (-1)

static int	epoll_fd;
static struct epoll_event ready[EVENTS_MAX];
static int	nready;
static int64_t call_at_ms = NEVER;
static unsigned watched_for;	/* of the descriptor that is not libcurl's */

/* A socket that libcurl has, by its number. */
typedef struct Watch
{
	bool		ours;			/* made by http.c, which says when it is closed */
	unsigned	wanted;			/* what libcurl waits for; 0: nothing */
	unsigned	watched;		/* what epoll looks for */
	bool		joined;			/* what is sent on it is held back */
} Watch;

static Watch *watches;
static int	nwatches;
static int	njoined;

static Watch *
watch_of(int fd)
{
	if (fd >= nwatches)
	{
		int			count = fd + 64;

		watches = realloc(watches, (size_t) count * sizeof(Watch));
		require(watches != NULL);
		memset(watches + nwatches, 0, (size_t) (count - nwatches) * sizeof(Watch));
		nwatches = count;
	}
	return &watches[fd];
}

void
events_opened(int fd)
{
	*watch_of(fd) = (Watch) {.ours = true};
}

void
events_closed(int fd)
{
	Watch	   *watch = watch_of(fd);

	njoined -= watch->joined;
	*watch = (Watch) {0};
}

static bool
hold_back(int fd, int on)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0;
}

void
events_join(int fd)
{
	Watch	   *watch = watch_of(fd);

	if (watch->joined || !hold_back(fd, 1))
		return;
	watch->joined = true;
	njoined++;
}

static void
let_go(int fd, Watch *watch)
{
	if (!watch->joined)
		return;
	hold_back(fd, 0);
	watch->joined = false;
	njoined--;
}

static void
let_all_go(void)
{
	for (int fd = 0; fd < nwatches && njoined > 0; fd++)
		let_go(fd, &watches[fd]);
}

static void
watch_descriptor(int fd, unsigned events, bool known)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
		return;
	/* libcurl may close a socket before it says so, and have another one of its number */
	require((errno == ENOENT || errno == EEXIST) &&
			epoll_ctl(epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0);
}

static unsigned
events_of(int what)
{
	return (what & CURL_POLL_IN ? (unsigned) EPOLLIN : 0) | (what & CURL_POLL_OUT ? (unsigned) EPOLLOUT : 0);
}

static void
leave_alone(int fd, Watch *watch)
{
	(void) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*watch = (Watch) {0};
}

/*
 * Between two calls libcurl wants nothing of a connection, and then the same as
 * before.  So epoll goes on to look for it, until it finds something that nobody
 * wants; but only where we hear of the end of a socket, as another may have its
 * number then.  Of one that waits for output only, we may not: libcurl 7.88 closes
 * what could not connect without a word.
 */
static int
on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *argument, void *known)
{
	Watch	   *watch = watch_of(socket);

	(void) easy;
	(void) argument;
	(void) known;
	/* which libcurl says of a transfer that it has gone on with, or is done with */
	let_go(socket, watch);
	watch->wanted = what == CURL_POLL_REMOVE ? 0 : events_of(what);
	if (watch->wanted == 0 && (!watch->ours || watch->watched == EPOLLOUT))
		leave_alone(socket, watch);
	else if (watch->wanted != 0 && watch->wanted != watch->watched)
	{
		watch_descriptor(socket, watch->wanted, watch->watched != 0);
		watch->watched = watch->wanted;
	}
	return 0;
}

static int
on_time_wanted(CURLM *multi, long timeout_ms, void *argument)
{
	(void) multi;
	(void) argument;
	call_at_ms = timeout_ms >= 0 ? clock_monotonic_ms() + timeout_ms : NEVER;
	return 0;
}

void
events_start(CURLM *multi)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	require(epoll_fd >= 0);
	require(curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted) == CURLM_OK);
	require(curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_time_wanted) == CURLM_OK);
}

/* A socket that it has closed meanwhile it does not know any more. */
static void
tell_of(CURLM *multi, const struct epoll_event *event)
{
	int			running;
	Watch	   *watch = watch_of(event->data.fd);
	int			what = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	if (watch->wanted == 0)
	{
		leave_alone(event->data.fd, watch);
		return;
	}
	require(curl_multi_socket_action(multi, event->data.fd, what, &running) == CURLM_OK);
}

void
events_run(CURLM *multi)
{
	int			running;

	for (int i = 0; i < nready; i++)
		tell_of(multi, &ready[i]);
	nready = 0;
	if (call_at_ms != NEVER && call_at_ms <= clock_monotonic_ms())
	{
		call_at_ms = NEVER;
		require(curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK);
	}
	let_all_go();
}

/* Of the other descriptor nobody asks what it has: it is looked at each time. */
static void
leave_out(int fd)
{
	int			left = 0;

	for (int i = 0; i < nready; i++)
		if (ready[i].data.fd != fd)
			ready[left++] = ready[i];
	nready = left;
}

void
events_wait(CURLM *multi, int fd, bool or_output, int timeout_ms)
{
	unsigned	wanted = EPOLLIN | (or_output ? (unsigned) EPOLLOUT : 0);

	(void) multi;
	if (wanted != watched_for)
		watch_descriptor(fd, wanted, watched_for != 0);
	watched_for = wanted;
	if (call_at_ms != NEVER)
	{
		int64_t		left_ms = call_at_ms - clock_monotonic_ms();

		if (left_ms < timeout_ms)
			timeout_ms = left_ms > 0 ? (int) left_ms : 0;
	}
	nready = epoll_wait(epoll_fd, ready, EVENTS_MAX, timeout_ms);
	if (nready < 0)
		nready = 0;
	leave_out(fd);
}

#else

void
events_opened(int fd)
{
	(void) fd;
}

void
events_closed(int fd)
{
	(void) fd;
}

void
events_join(int fd)
{
	(void) fd;
}

void
events_start(CURLM *multi)
{
	(void) multi;
}

void
events_run(CURLM *multi)
{
	int			running;

	require(curl_multi_perform(multi, &running) == CURLM_OK);
}

void
events_wait(CURLM *multi, int fd, bool or_output, int timeout_ms)
{
	struct curl_waitfd watched = {.fd = fd, .events = CURL_WAIT_POLLIN};

	if (or_output)
		watched.events |= CURL_WAIT_POLLOUT;
	require(curl_multi_poll(multi, &watched, 1, timeout_ms, NULL) == CURLM_OK);
}

#endif
