/*
 * link.c: starting a courier, and bytes to and from it.
 *
 * Not popen() or posix_spawn(): the courier must inherit nothing of the
 * server, neither descriptors nor signal handlers nor environment, and must
 * die with its parent.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"

#include "base/compat.h"
#include "dispatch/link.h"
#include "test_point.h"

#define COURIER_PROGRAM "reengage-courier"
#define PROBLEM_SIZE 200

/* How long a courier that was told to go may take: it only has to see EOF. */
#define FAREWELL_MS 500

/* Bytes that are queued: thirty of the largest calls. */
#define QUEUE_MAX (1024 * 1024)

struct Link
{
	pid_t		pid;			/* 0: not running any more */
	int			socket;			/* -1: closed */
	bool		ready;
	FrameBuffer in;
	FrameBuffer out;
	size_t		handled;		/* bytes of "in" to discard before the next read */
	WaitEventSet *events;
	int			socket_event;	/* its place in "events" */
	char		problem[PROBLEM_SIZE];	/* empty: none */
};

static void
courier_path(char *path)
{
	Dl_info		library;

	/* beside this library, wherever that was loaded from */
	if (dladdr((void *) courier_path, &library) == 0)
		elog(ERROR, "could not find out where the library was loaded from");
	strlcpy(path, library.dli_fname, MAXPGPATH);
	get_parent_directory(path);
	strlcat(path, "/" COURIER_PROGRAM, MAXPGPATH);
}

static void
close_all_from(int first)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
	closefrom(first);
#else
	struct rlimit limit;
	int			last = 65536;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536)
		last = (int) limit.rlim_cur;
	for (int descriptor = first; descriptor < last; descriptor++)
		close(descriptor);
#endif
}

/* In the child: becomes the courier.  Only async-signal-safe calls. */
static void
become_courier(const char *path, int socket, pid_t parent)
{
	char	   *const environment[] = {TEST_POINT_VARIABLE, NULL};
	static char *const arguments[] = {COURIER_PROGRAM, NULL};
	sigset_t	none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	/* signals to the server's process group are not meant for it */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent || dup2(socket, STDIN_FILENO) < 0 || chdir("/") < 0)
		_exit(126);
	close_all_from(STDOUT_FILENO);
	if (open("/dev/null", O_RDWR) != STDOUT_FILENO || dup(STDOUT_FILENO) != STDERR_FILENO)
		_exit(126);
	execve(path, arguments, environment);
	_exit(127);
}

static void
start_process(Link *link, int courier_socket)
{
	char		path[MAXPGPATH];
	pid_t		parent = getpid();
	sigset_t	all;
	sigset_t	before;

	courier_path(path);
	if (access(path, X_OK) < 0)
	{
		snprintf(link->problem, PROBLEM_SIZE, "could not execute the courier \"%s\": %s; run make install",
				 path, strerror(errno));
		return;
	}
	/* no handler of the server may run in the child */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	link->pid = fork();
	if (link->pid == 0)
		become_courier(path, courier_socket, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (link->pid < 0)
	{
		snprintf(link->problem, PROBLEM_SIZE, "could not fork the courier: %s", strerror(errno));
		link->pid = 0;
	}
}

static void
watch_socket(Link *link)
{
	link->events = create_wait_event_set(3);
	AddWaitEventToSet(link->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(link->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	link->socket_event = AddWaitEventToSet(link->events, WL_SOCKET_READABLE,
										   link->socket, NULL, NULL);
}

Link *
link_open(void)
{
	Link	   *link = calloc(1, sizeof(Link));
	int			pair[2];

	if (link == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	link->socket = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
	{
		snprintf(link->problem, PROBLEM_SIZE, "could not create a socket pair: %s", strerror(errno));
		return link;
	}
	link->socket = pair[0];
	(void) fcntl(link->socket, F_SETFD, FD_CLOEXEC);
	pg_set_noblock(link->socket);
	PG_TRY();
	{
		watch_socket(link);
		start_process(link, pair[1]);
	}
	PG_CATCH();
	{
		close(pair[1]);
		link_close(link);
		PG_RE_THROW();
	}
	PG_END_TRY();
	close(pair[1]);
	return link;
}

static void
describe_end(Link *link, int status)
{
	if (link->problem[0] != '\0')
		return;
	if (WIFSIGNALED(status))
		snprintf(link->problem, PROBLEM_SIZE, "the courier was terminated by signal %d",
				 WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		snprintf(link->problem, PROBLEM_SIZE, "the courier could not be executed");
	else
		snprintf(link->problem, PROBLEM_SIZE, "the courier exited with code %d",
				 WEXITSTATUS(status));
}

/* The courier ends when its socket does; one that does not is killed. */
static void
end_process(Link *link)
{
	int			status = 0;

	if (link->socket >= 0)
		close(link->socket);
	link->socket = -1;
	for (int waited = 0; link->pid != 0; waited++)
	{
		pid_t		ended = waitpid(link->pid, &status, WNOHANG);

		if (ended == 0 && waited < FAREWELL_MS)
		{
			pg_usleep(1000L);
			continue;
		}
		if (ended == 0)
		{
			kill(link->pid, SIGKILL);
			waitpid(link->pid, &status, 0);
		}
		link->pid = 0;
	}
	describe_end(link, status);
}

void
link_close(Link *link)
{
	if (link == NULL)
		return;
	/* the set first: it must not outlive the descriptor it watches */
	if (link->events != NULL)
		FreeWaitEventSet(link->events);
	end_process(link);
	frame_buffer_free(&link->in);
	frame_buffer_free(&link->out);
	free(link);
}

static void
note_queued(Link *link, bool queued)
{
	if (!queued && link->problem[0] == '\0')
		strlcpy(link->problem, "out of memory for messages to the courier", PROBLEM_SIZE);
}

void
link_send_server(Link *link, const ServerMessage *message)
{
	note_queued(link, message_put_server(&link->out, message));
}

void
link_send_forget(Link *link, const ForgetMessage *message)
{
	note_queued(link, message_put_forget(&link->out, message));
}

void
link_send_call(Link *link, const CallMessage *message)
{
	note_queued(link, message_put_call(&link->out, message));
}

static void
send_queued(Link *link)
{
	while (link->out.length > 0)
	{
		ssize_t		sent = send(link->socket, link->out.data, link->out.length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		/* a dead peer shows when we read */
		if (sent <= 0)
			return;
		frame_buffer_discard(&link->out, sent);
		TEST_POINT("handed_over");
	}
}

/* False: nothing is there to read; *at_end says whether anything can follow. */
static bool
read_more(Link *link, bool *at_end)
{
	/* one read takes in a batch of replies */
	const size_t chunk = 64 * 1024;
	ssize_t		got;

	*at_end = false;
	if (!frame_buffer_reserve(&link->in, chunk))
	{
		note_queued(link, false);
		return false;
	}
	do
		got = recv(link->socket, link->in.data + link->in.length, chunk, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		link->in.length += got;
	*at_end = got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
	return got > 0;
}

static LinkEvent
lost(Link *link, const char *problem)
{
	if (problem != NULL && link->problem[0] == '\0')
		strlcpy(link->problem, problem, PROBLEM_SIZE);
	link->ready = false;
	if (link->events != NULL)
		FreeWaitEventSet(link->events);
	link->events = NULL;
	if (problem != NULL && link->pid != 0)
		kill(link->pid, SIGKILL);
	end_process(link);
	return LINK_LOST;
}

static LinkEvent
handle(Link *link, const Frame *frame, ReplyMessage *reply, RenderedMessage *rendered)
{
	HelloMessage hello;

	if (message_get_hello(frame, &hello))
	{
		if (hello.protocol != PROTOCOL_VERSION)
			return lost(link, "the courier is of another version; run make install");
		link->ready = true;
		return LINK_READY;
	}
	if (message_get_reply(frame, reply))
		return LINK_REPLY;
	if (message_get_rendered(frame, rendered))
		return LINK_RENDERED;
	return lost(link, "the courier sent a message that cannot be read");
}

LinkEvent
link_next(Link *link, ReplyMessage *reply, RenderedMessage *rendered)
{
	bool		at_end = false;

	if (link->socket < 0)
		return LINK_LOST;
	if (link->problem[0] != '\0')
		return lost(link, link->problem);
	for (;;)
	{
		Frame		frame;

		switch (frame_next(link->in.data + link->handled, link->in.length - link->handled, &frame))
		{
			case FRAME_COMPLETE:
				link->handled += frame.total;
				return handle(link, &frame, reply, rendered);
			case FRAME_MALFORMED:
				return lost(link, "the courier sent a malformed frame");
			case FRAME_INCOMPLETE:
				break;
		}
		frame_buffer_discard(&link->in, link->handled);
		link->handled = 0;
		if (!read_more(link, &at_end))
			return at_end || link->problem[0] != '\0' ? lost(link, NULL) : LINK_NOTHING;
	}
}

void
link_wait(Link *link, long timeout)
{
	WaitEvent	event;

	if (link == NULL || link->events == NULL)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (timeout >= 0 ? WL_TIMEOUT : 0), timeout, PG_WAIT_EXTENSION);
	else
	{
		send_queued(link);
		ModifyWaitEvent(link->events, link->socket_event,
						WL_SOCKET_READABLE | (link->out.length > 0 ? WL_SOCKET_WRITEABLE : 0), NULL);
		if (WaitEventSetWait(link->events, timeout, &event, 1, PG_WAIT_EXTENSION) > 0 &&
			(event.events & WL_SOCKET_WRITEABLE))
			send_queued(link);
	}
	ResetLatch(MyLatch);
}

bool
link_is_ready(const Link *link)
{
	return link != NULL && link->ready;
}

bool
link_is_full(const Link *link)
{
	return link != NULL && link->out.length >= QUEUE_MAX;
}

void
link_give_up(Link *link, const char *problem)
{
	if (link->problem[0] == '\0')
		strlcpy(link->problem, problem, PROBLEM_SIZE);
}

bool
link_has_failed(const Link *link)
{
	return link->problem[0] != '\0';
}

const char *
link_problem(const Link *link)
{
	return link->problem;
}
