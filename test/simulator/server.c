/*
 * server.c: the event loop that serves the simulated API.
 *
 * Everything but the disk happens on one thread: libmicrohttpd is driven from
 * our own loop, so timers, state and ledger need no locks, and an effect is in
 * the ledger before its answer leaves simply because one line comes after the
 * other.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "answer.h"
#include "api.h"
#include "cloud.h"
#include "control.h"
#include "delivery.h"
#include "exchange.h"
#include "faults.h"
#include "ledger.h"
#include "memory.h"
#include "oauth.h"
#include "pauses.h"
#include "request.h"
#include "settings.h"

#define LISTEN_BACKLOG 4096
#define CONNECTION_LIMIT 50000
#define EVENTS_PER_ROUND 64

/* The listener without TLS, and the one with it. */
static struct MHD_Daemon *daemons[2];
static int	daemon_count = 0;
static int	loop_descriptor = -1;
static uint32_t connections_seen = 0;
static size_t connections_open = 0;

size_t
server_open_connections(void)
{
	return connections_open;
}

static Connection *
connection_of(struct MHD_Connection *handle)
{
	return MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Sends small answers at once, and notices when the client closes its side. */
static void
prepare_socket(Connection *connection)
{
	const int	descriptor = MHD_get_connection_info(connection->handle,
													 MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	const int	on = 1;
	struct epoll_event leaving = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};

	setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	epoll_ctl(loop_descriptor, EPOLL_CTL_ADD, descriptor, &leaving);
}

static Connection *
open_connection(struct MHD_Connection *handle)
{
	Connection *connection = allocated(calloc(1, sizeof(Connection)));

	connection->handle = handle;
	connection->number = ++connections_seen;
	connection->request.body = printbuf_new();
	connection->answer.body = printbuf_new();
	prepare_socket(connection);
	connections_open++;
	return connection;
}

static void
close_connection(Connection *connection)
{
	connections_open--;
	answer_clear(&connection->answer);
	printbuf_free(connection->request.body);
	printbuf_free(connection->answer.body);
	free(connection);
}

static void
notice_connection(void *unused, struct MHD_Connection *handle, void **context,
				  enum MHD_ConnectionNotificationCode code)
{
	(void) unused;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = open_connection(handle);
	else
		close_connection(*context);
}

/* Decides on the answer, and has it in the ledger. */
static void
decide(Connection *connection, const Fault *fault)
{
	Request    *request = &connection->request;
	Answer	   *answer = &connection->answer;

	if (request->verb != VERB_TOKEN && request->verb != VERB_OTHER)
		request->authorised = oauth_accepts(request);
	answer->delay_ms = settings.latency_ms;
	if (fault == NULL || fault_takes_effect(fault))
		api_answer(request, answer);
	if (fault != NULL)
		fault_apply(fault, request, answer);
	ledger_record_request(request, answer, fault ? fault_name(fault) : NULL);
	connection->stage = STAGE_DECIDED;
}

/* Whether the connection shall close before the body is read. */
static bool
is_struck_unread(Connection *connection)
{
	const Fault *fault = NULL;

	if (!control_owns(&connection->request))
		fault = fault_match(&connection->request, false);
	if (fault != NULL)
		decide(connection, fault);
	return fault != NULL;
}

static void
answer_request(Connection *connection)
{
	Request    *request = &connection->request;

	request_read_body(request);
	cloud_find_conversation(request);
	if (control_owns(request))
	{
		control_answer(request, &connection->answer);
		connection->stage = STAGE_DECIDED;
	}
	else
		decide(connection, fault_match(request, true));
}

/* Whether the answer has to wait. */
static bool
is_paused(Connection *connection)
{
	Answer	   *answer = &connection->answer;

	if (answer->delivery == DELIVER_NEVER)
		return pause_forever(connection);
	return answer->delay_ms > 0 &&
		pause_until(connection, monotonic_us() + answer->delay_ms * 1000);
}

/*
 * libmicrohttpd calls this when the headers have arrived, for each piece of the
 * body, when all of it has arrived, and once more when a pause has ended.
 */
static enum MHD_Result
handle_request(void *unused, struct MHD_Connection *handle, const char *path,
			   const char *method, const char *version, const char *upload,
			   size_t *upload_size, void **context)
{
	Connection *connection = connection_of(handle);

	(void) unused;
	(void) version;
	if (*context == NULL)
	{
		*context = connection;
		connection->stage = STAGE_ARRIVING;
		answer_clear(&connection->answer);
		request_begin(connection, method, path);
		return is_struck_unread(connection) ? MHD_NO : MHD_YES;
	}
	if (*upload_size > 0)
	{
		request_append(&connection->request, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (connection->stage == STAGE_ARRIVING)
	{
		answer_request(connection);
		if (is_paused(connection))
			return MHD_YES;
	}
	return deliver(connection);
}

static void
complete_request(void *unused, struct MHD_Connection *handle, void **context,
				 enum MHD_RequestTerminationCode code)
{
	Connection *connection = *context;

	(void) unused;
	(void) handle;
	(void) code;
	if (connection == NULL)
		return;
	/* The client left in the middle of its own request. */
	if (connection->stage == STAGE_ARRIVING && !control_owns(&connection->request))
		ledger_record_request(&connection->request, &connection->answer, NULL);
	connection->stage = STAGE_IDLE;
	request_end(&connection->request);
}

static void
watch(int descriptor, void *meaning)
{
	struct epoll_event readable = {.events = EPOLLIN, .data.ptr = meaning};

	epoll_ctl(loop_descriptor, EPOLL_CTL_ADD, descriptor, &readable);
}

/* A file in PEM, terminated; NULL: it cannot be read.  It is kept for as long as we run. */
static char *
read_pem(const char *name)
{
	FILE	   *file = fopen(name, "r");
	struct printbuf *text = printbuf_new();
	char		block[4096];
	size_t		count;

	if (file == NULL)
		return NULL;
	while ((count = fread(block, 1, sizeof(block), file)) > 0)
		printbuf_memappend(text, block, (int) count);
	fclose(file);
	return text->buf;
}

/* Another listener on the loopback address; with TLS if there is a certificate. */
static bool
listen_on(uint16_t port, char *pem)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, pem},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, pem},
		{MHD_OPTION_END, 0, NULL}
	};
	struct MHD_Daemon *new =
		MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (pem != NULL ? MHD_USE_TLS : 0),
						 port, NULL, NULL, handle_request, NULL,
						 MHD_OPTION_SOCK_ADDR, &address,
						 MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned int) LISTEN_BACKLOG,
						 MHD_OPTION_CONNECTION_LIMIT, (unsigned int) CONNECTION_LIMIT,
						 MHD_OPTION_NOTIFY_CONNECTION, notice_connection, NULL,
						 MHD_OPTION_NOTIFY_COMPLETED, complete_request, NULL,
						 MHD_OPTION_ARRAY, pem != NULL ? tls : &tls[2],
						 MHD_OPTION_END);

	if (new == NULL)
	{
		fprintf(stderr, "cannot listen on 127.0.0.1:%u: %s\n", port, strerror(errno));
		return false;
	}
	watch(MHD_get_daemon_info(new, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, NULL);
	daemons[daemon_count++] = new;
	return true;
}

static uint16_t
port_of(struct MHD_Daemon *one)
{
	return MHD_get_daemon_info(one, MHD_DAEMON_INFO_BIND_PORT)->port;
}

uint16_t
server_start(uint16_t port)
{
	char	   *pem;

	loop_descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (!listen_on(port, NULL))
		return 0;
	if (settings.certificate_file == NULL)
		return port_of(daemons[0]);
	pem = read_pem(settings.certificate_file);
	if (pem == NULL)
	{
		fprintf(stderr, "cannot read %s: %s\n", settings.certificate_file, strerror(errno));
		return 0;
	}
	return listen_on(settings.tls_port, pem) ? port_of(daemons[0]) : 0;
}

uint16_t
server_tls_port(void)
{
	return daemon_count > 1 ? port_of(daemons[1]) : 0;
}

static int
next_timeout(void)
{
	int			next = pauses_timeout_ms();

	for (int i = 0; i < daemon_count; i++)
	{
		MHD_UNSIGNED_LONG_LONG wait;

		if (MHD_get_timeout(daemons[i], &wait) == MHD_YES && (next < 0 || wait < (unsigned) next))
			next = (int) wait;
	}
	return next;
}

static void
run_daemons(void)
{
	for (int i = 0; i < daemon_count; i++)
		MHD_run(daemons[i]);
}

void
server_run(int stop_descriptor)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	bool		stopping = false;

	watch(stop_descriptor, &stopping);
	while (!stopping)
	{
		int			count = epoll_wait(loop_descriptor, events, EVENTS_PER_ROUND, next_timeout());

		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == &stopping)
				stopping = true;
			else if (events[i].data.ptr != NULL)
				pause_notice_leaving(events[i].data.ptr);
		pauses_end_due();
		run_daemons();
	}
}

void
server_stop(void)
{
	pauses_stop();
	/* Those that were paused have to be seen to go on before libmicrohttpd may stop. */
	run_daemons();
	while (daemon_count > 0)
		MHD_stop_daemon(daemons[--daemon_count]);
	close(loop_descriptor);
}
