/*
 * loop.c: a messaging API that costs next to nothing.
 *
 * The contest is about who asks, and all share the machine with who answers: so
 * this one does as little as an honest answer takes, in one thread, by epoll.
 * It speaks the contract of the dialect "messaging" to those who keep to it; the
 * simulator (test/simulator) is for everything else.
 *
 *     api PORT_FILE [PORT]
 *
 * A conversation is active or closed by the hash of its id.  Control, without
 * latency:
 *
 *     POST /_bench/reset/MILLISECONDS   forget all counts; answer after that time
 *     GET /_bench/counts                a JSON object
 */
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define EVENTS_MAX 512

typedef struct Connection
{
	int			fd;
	size_t		filled;
	size_t		answer_length;		/* 0: no request is being answered */
	int64_t		due_us;
	bool		ended;				/* by the client, while an answer was due */
	struct Connection *next;		/* in the order of due_us */
	char		request[REQUEST_MAX];
	char		answer[ANSWER_MAX];
} Connection;

static Connection *first_due;
static Connection *last_due;
static int	poller;
static int	timer;

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
complain(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void
forget(Connection *connection)
{
	connections--;
	close(connection->fd);
	free(connection);
}

/* An answer is small and the socket's buffer empty: it goes in one piece, or the client is gone. */
static bool
send_answer(Connection *connection)
{
	size_t		length = connection->answer_length;

	connection->answer_length = 0;
	return !connection->ended &&
		send(connection->fd, connection->answer, length, MSG_NOSIGNAL) == (ssize_t) length;
}

static void
set_timer(int64_t due_us)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000}
	};

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		complain("timerfd_settime");
}

/* All wait equally long: so the queue is in order. */
static void
answer_later(Connection *connection)
{
	connection->due_us = clock_us(CLOCK_MONOTONIC) + latency_us;
	connection->next = NULL;
	if (first_due == NULL)
	{
		first_due = connection;
		set_timer(connection->due_us);
	}
	else
		last_due->next = connection;
	last_due = connection;
}

static bool take_request(Connection *connection);

/* The answer of the API leaves; what the client has sent meanwhile is looked at. */
static void
finish(Connection *connection)
{
	counts.at_once--;
	counts.last_us = clock_us(CLOCK_REALTIME);
	if (!send_answer(connection) || !take_request(connection))
		forget(connection);
}

static void
answer_what_is_due(void)
{
	uint64_t	expirations;

	if (read(timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		complain("timerfd");
	while (first_due != NULL && first_due->due_us <= clock_us(CLOCK_MONOTONIC))
	{
		Connection *connection = first_due;

		first_due = connection->next;
		finish(connection);
	}
	if (first_due != NULL)
		set_timer(first_due->due_us);
}

static void
count_arrival(void)
{
	if (counts.first_us == 0)
		counts.first_us = clock_us(CLOCK_REALTIME);
	if (++counts.at_once > counts.most_at_once)
		counts.most_at_once = counts.at_once;
}

/* The value of Content-Length; 0 where there is none. */
static size_t
body_length(const char *headers)
{
	const char *line = headers;

	while ((line = strstr(line, "\r\n")) != NULL)
	{
		line += 2;
		if (strncasecmp(line, "content-length:", 15) == 0)
			return (size_t) atol(line + 15);
	}
	return 0;
}

/* Takes the next whole request out of what has arrived; false ends the connection. */
static bool
take_request(Connection *connection)
{
	char	   *headers_end;
	size_t		total;
	char		kept;
	bool		takes_time;

	connection->request[connection->filled] = '\0';
	headers_end = strstr(connection->request, "\r\n\r\n");
	if (headers_end == NULL)
		return connection->filled < REQUEST_MAX - 1;
	headers_end[2] = '\0';
	total = (size_t) (headers_end + 4 - connection->request) + body_length(connection->request);
	headers_end[2] = '\r';
	if (total >= REQUEST_MAX)
		return false;
	if (connection->filled < total)
		return true;
	kept = connection->request[total];
	connection->request[total] = '\0';
	connection->answer_length = answer_request(connection->request, headers_end + 4, connection->answer, &takes_time);
	connection->request[total] = kept;
	connection->filled -= total;
	memmove(connection->request, connection->request + total, connection->filled);
	if (!takes_time)
		return send_answer(connection);
	count_arrival();
	if (latency_us > 0)
	{
		answer_later(connection);
		return true;
	}
	counts.at_once--;
	counts.last_us = clock_us(CLOCK_REALTIME);
	return send_answer(connection);
}

static void
receive(Connection *connection)
{
	ssize_t		got = recv(connection->fd, connection->request + connection->filled,
						   REQUEST_MAX - 1 - connection->filled, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 && connection->answer_length > 0)
	{
		/* it is in the queue, which lets go of it */
		connection->ended = true;
		epoll_ctl(poller, EPOLL_CTL_DEL, connection->fd, NULL);
		return;
	}
	if (got > 0)
		connection->filled += (size_t) got;
	if (got <= 0 || (connection->answer_length == 0 && !take_request(connection)))
		forget(connection);
}

static void
watch(int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
		complain("epoll_ctl");
}

static void
accept_all(int listener)
{
	int			fd;
	int			yes = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
	{
		Connection *connection = calloc(1, sizeof(Connection));

		if (connection == NULL)
			complain("calloc");
		connection->fd = fd;
		connections++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		watch(fd, connection);
	}
}

static int
listen_at(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int			yes = 1;

	if (listener < 0)
		complain("socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(listener, 1024) != 0)
	{
		fprintf(stderr, "port %d of 127.0.0.1 cannot be listened to: %s\n", port, strerror(errno));
		exit(EXIT_FAILURE);
	}
	return listener;
}

/* Whole or not at all, for somebody waits for it. */
static void
tell_port(int listener, const char *file)
{
	struct sockaddr_in address;
	socklen_t	length = sizeof(address);
	char		unfinished[4096];
	FILE	   *stream;

	snprintf(unfinished, sizeof(unfinished), "%s.new", file);
	if (getsockname(listener, (struct sockaddr *) &address, &length) != 0 ||
		(stream = fopen(unfinished, "w")) == NULL ||
		fprintf(stream, "%d\n", ntohs(address.sin_port)) < 0 ||
		fclose(stream) != 0 || rename(unfinished, file) != 0)
		complain(file);
}

static void
raise_limit_of_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	int			listener;

	if (argc < 2 || argc > 3)
		return fprintf(stderr, "usage: api PORT_FILE [PORT]\n"), EXIT_FAILURE;
	raise_limit_of_files();
	listener = listen_at(argc == 3 ? (uint16_t) atoi(argv[2]) : 0);
	poller = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (poller < 0 || timer < 0)
		complain("epoll or timerfd");
	watch(listener, &listener);
	watch(timer, &timer);
	tell_port(listener, argv[1]);
	for (;;)
	{
		struct epoll_event events[EVENTS_MAX];
		int			count = epoll_wait(poller, events, EVENTS_MAX, -1);
		bool		rang = false;

		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == &listener)
				accept_all(listener);
			else if (events[i].data.ptr == &timer)
				rang = true;
			else
				receive(events[i].data.ptr);
		/* last, as it may end a connection that one of the events is about */
		if (rang)
			answer_what_is_due();
	}
}
