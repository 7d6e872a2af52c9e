/*
 * ceiling.c: the most that libcurl can do on this machine.
 *
 * The same pairs of GET and POST as the others make, with neither a database nor
 * any care: what one reaches of it is its efficiency.
 *
 * epoll tells which sockets have something.  Where few have, as when the API takes
 * its time, libcurl is told of each: curl_multi_poll() looks at all of them, and
 * that takes half again as much time at 256 in flight.  Where many have, as when
 * the API answers at once, curl_multi_perform() is cheaper.
 *
 *     ceiling URL PREFIX CONVERSATIONS IN_FLIGHT
 *
 * Says "ready", begins when it reads "go", says "done", and ends with its input.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS_MAX 256

typedef struct Transfer
{
	CURL	   *curl;
	long		conversation;
	bool		posting;
	bool		live;
} Transfer;

static const char *base_url;
static const char *prefix;
static CURLM *multi;
static int	poller;

/* What libcurl wants to be called after, in milliseconds; -1: it does not want to. */
static long timeout_ms = -1;

static struct curl_slist *json_header;

static size_t
read_status(char *data, size_t size, size_t count, void *argument)
{
	Transfer   *transfer = argument;

	if (!transfer->posting && memmem(data, size * count, "\"active\"", 8) != NULL)
		transfer->live = true;
	return size * count;
}

static void
start(Transfer *transfer)
{
	char		url[300];
	const char *body = "{\"text\": \"Are you still there?\"}";
	const char *path = "/api/v2/conversations/messaging";

	if (transfer->posting && !transfer->live)
	{
		snprintf(url, sizeof(url), "%s%s", base_url, path);
		body = "{\"to\": {\"address\": \"+13175550142\"}, \"channel\": \"sms\", \"text\": \"Are you still there?\"}";
	}
	else
		snprintf(url, sizeof(url), "%s%s/%s%ld%s", base_url, path, prefix, transfer->conversation,
				 transfer->posting ? "/notifications" : "");
	curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
	if (transfer->posting)
	{
		curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, json_header);
	}
	else
		curl_easy_setopt(transfer->curl, CURLOPT_HTTPGET, 1L);
	curl_multi_add_handle(multi, transfer->curl);
}

static int
watch_socket(CURL *curl, curl_socket_t socket, int what, void *argument, void *is_watched)
{
	struct epoll_event event = {
		.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
		.data.fd = socket
	};

	(void) curl;
	(void) argument;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(poller, EPOLL_CTL_DEL, socket, NULL), 0;
	epoll_ctl(poller, is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
	curl_multi_assign(multi, socket, &poller);
	return 0;
}

static int
keep_timeout(CURLM *whose, long wanted_ms, void *argument)
{
	(void) whose;
	(void) argument;
	timeout_ms = wanted_ms;
	return 0;
}

static void
make_multi(long in_flight)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, keep_timeout);
}

static Transfer *
new_transfer(void)
{
	Transfer   *transfer = calloc(1, sizeof(Transfer));

	transfer->curl = curl_easy_init();
	curl_easy_setopt(transfer->curl, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->curl, CURLOPT_WRITEFUNCTION, read_status);
	curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, transfer);
	return transfer;
}

/* A transfer has ended: on to its POST, or to the next conversation. */
static bool
go_on(Transfer *transfer, long *next, long conversations)
{
	curl_multi_remove_handle(multi, transfer->curl);
	if (!transfer->posting)
		transfer->posting = true;
	else if (*next < conversations)
	{
		transfer->conversation = (*next)++;
		transfer->posting = transfer->live = false;
	}
	else
		return false;
	start(transfer);
	return true;
}

static void
start_some(long *next, long in_flight, long conversations)
{
	for (; *next < in_flight && *next < conversations; (*next)++)
	{
		Transfer   *transfer = new_transfer();

		transfer->conversation = *next;
		start(transfer);
	}
}

/* Goes on with each transfer that has ended; returns how many have nothing more to do. */
static long
go_on_with_all(long *next, long conversations)
{
	int			left;
	long		rest = 0;
	CURLMsg    *message;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Transfer   *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		if (!go_on(transfer, next, conversations))
			rest++;
	}
	return rest;
}

static void
act_on(const struct epoll_event *event)
{
	int			active;
	int			what = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		(event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		(event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	curl_multi_socket_action(multi, event->data.fd, what, &active);
}

/* Waits until something can be done, and does it. */
static void
move_some(long running)
{
	struct epoll_event events[EVENTS_MAX];
	int			active;
	int			count = timeout_ms == 0 ? 0 : epoll_wait(poller, events, EVENTS_MAX, (int) timeout_ms);

	if (count == 0)
	{
		timeout_ms = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &active);
	}
	else if (count > running / 4)
		curl_multi_perform(multi, &active);
	else
		for (int i = 0; i < count; i++)
			act_on(&events[i]);
}

static void
converse(long in_flight, long conversations)
{
	long		next = 0;
	long		running;

	start_some(&next, in_flight, conversations);
	running = next;
	while (running > 0)
	{
		move_some(running);
		running -= go_on_with_all(&next, conversations);
	}
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char		word[16];
	long		in_flight;

	if (argc != 5)
		return fprintf(stderr, "usage: ceiling URL PREFIX CONVERSATIONS IN_FLIGHT\n"), 1;
	base_url = argv[1];
	prefix = argv[2];
	in_flight = atol(argv[4]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	make_multi(in_flight);
	json_header = curl_slist_append(NULL, "Content-Type: application/json");
	say("ready");
	if (fgets(word, sizeof(word), stdin) == NULL)
		return 1;
	converse(in_flight, atol(argv[3]));
	say("done");
	while (fgets(word, sizeof(word), stdin) != NULL)
		;
	return 0;
}
