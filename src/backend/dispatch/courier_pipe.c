/*
 * courier_pipe.c: starting a courier, and bytes to and from it.
 *
 * Not popen() or posix_spawn(): the courier must inherit nothing of the
 * server, neither descriptors nor signal handlers nor environment, and must
 * die with its parent.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
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
#include "base/wait_events.h"
#include "dispatch/courier_pipe.h"
#include "dispatch/courier_program.h"
#include "test_point.h"

#define PROBLEM_SIZE 256

/* How long a courier that was told to go may take: it only has to see EOF. */
#define COURIER_GRACE_MS 500

/* Bytes that are queued: thirty of the largest calls. */
#define QUEUE_MAX (1024 * 1024)

struct CourierPipe
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

/* In the child: becomes the courier.  Only async-signal-safe calls. */
static void
become_courier(const char *path, int socket, pid_t parent)
{
	char	   *const environment[] = {TEST_POINT_VARIABLE, NULL};
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
	courier_program_become(path, environment);
	_exit(127);
}

static void
start_process(CourierPipe *courier, int courier_socket)
{
	char		path[MAXPGPATH];
	pid_t		parent = getpid();
	sigset_t	all;
	sigset_t	before;

	if (!courier_program_find(path))
	{
		snprintf(courier->problem, PROBLEM_SIZE,
				 "could not execute the courier \"%s\": %s; install reengage %s again, or restart the server if there is another",
				 path, strerror(errno), REENGAGE_VERSION);
		return;
	}
	/* no handler of the server may run in the child */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	courier->pid = fork();
	if (courier->pid == 0)
		become_courier(path, courier_socket, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (courier->pid < 0)
	{
		snprintf(courier->problem, PROBLEM_SIZE, "could not fork the courier: %s", strerror(errno));
		courier->pid = 0;
	}
}

static void
watch_socket(CourierPipe *courier)
{
	courier->events = create_wait_event_set(3);
	AddWaitEventToSet(courier->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(courier->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	courier->socket_event = AddWaitEventToSet(courier->events, WL_SOCKET_READABLE,
										   courier->socket, NULL, NULL);
}

CourierPipe *
courier_open(void)
{
	CourierPipe *courier = calloc(1, sizeof(CourierPipe));
	int			pair[2];

	if (courier == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	courier->socket = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
	{
		snprintf(courier->problem, PROBLEM_SIZE, "could not create a socket pair: %s", strerror(errno));
		return courier;
	}
	courier->socket = pair[0];
	(void) fcntl(courier->socket, F_SETFD, FD_CLOEXEC);
	pg_set_noblock(courier->socket);
	PG_TRY();
	{
		watch_socket(courier);
		start_process(courier, pair[1]);
	}
	PG_CATCH();
	{
		close(pair[1]);
		courier_close(courier);
		PG_RE_THROW();
	}
	PG_END_TRY();
	close(pair[1]);
	return courier;
}

static void
describe_end(CourierPipe *courier, int status)
{
	if (courier->problem[0] != '\0')
		return;
	if (WIFSIGNALED(status))
		snprintf(courier->problem, PROBLEM_SIZE, "the courier was terminated by signal %d",
				 WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		snprintf(courier->problem, PROBLEM_SIZE, "the courier could not be executed");
	else
		snprintf(courier->problem, PROBLEM_SIZE, "the courier exited with code %d",
				 WEXITSTATUS(status));
}

/* The courier ends when its socket does; one that does not is killed. */
static void
end_process(CourierPipe *courier)
{
	int			status = 0;

	if (courier->socket >= 0)
		close(courier->socket);
	courier->socket = -1;
	for (int waited = 0; courier->pid != 0; waited++)
	{
		pid_t		ended = waitpid(courier->pid, &status, WNOHANG);

		if (ended == 0 && waited < COURIER_GRACE_MS)
		{
			pg_usleep(1000L);
			continue;
		}
		if (ended == 0)
		{
			kill(courier->pid, SIGKILL);
			waitpid(courier->pid, &status, 0);
		}
		courier->pid = 0;
	}
	describe_end(courier, status);
}

void
courier_close(CourierPipe *courier)
{
	if (courier == NULL)
		return;
	/* the set first: it must not outlive the descriptor it watches */
	if (courier->events != NULL)
		FreeWaitEventSet(courier->events);
	end_process(courier);
	frame_buffer_free(&courier->in);
	frame_buffer_free(&courier->out);
	free(courier);
}

static void
note_queued(CourierPipe *courier, bool queued)
{
	if (!queued && courier->problem[0] == '\0')
		strlcpy(courier->problem, "out of memory for messages to the courier", PROBLEM_SIZE);
}

void
courier_send_server(CourierPipe *courier, const ServerMessage *message)
{
	note_queued(courier, message_put_server(&courier->out, message));
}

void
courier_send_forget(CourierPipe *courier, const ForgetMessage *message)
{
	note_queued(courier, message_put_forget(&courier->out, message));
}

void
courier_send_call(CourierPipe *courier, const CallMessage *message)
{
	note_queued(courier, message_put_call(&courier->out, message));
}

static void
send_queued(CourierPipe *courier)
{
	while (courier->out.length > 0)
	{
		ssize_t		sent = send(courier->socket, courier->out.data, courier->out.length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		/* a dead peer shows when we read */
		if (sent <= 0)
			return;
		frame_buffer_discard(&courier->out, sent);
		TEST_POINT("handed_over");
	}
}

/* False: nothing is there to read; *at_end says whether anything can follow. */
static bool
read_more(CourierPipe *courier, bool *at_end)
{
	/* one read takes in a batch of replies */
	const size_t chunk = 64 * 1024;
	ssize_t		got;

	*at_end = false;
	if (!frame_buffer_reserve(&courier->in, chunk))
	{
		note_queued(courier, false);
		return false;
	}
	do
		got = recv(courier->socket, courier->in.data + courier->in.length, chunk, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		courier->in.length += got;
	*at_end = got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
	return got > 0;
}

static CourierEvent
note_lost_courier(CourierPipe *courier, const char *problem)
{
	if (problem != NULL && courier->problem[0] == '\0')
		strlcpy(courier->problem, problem, PROBLEM_SIZE);
	courier->ready = false;
	if (courier->events != NULL)
		FreeWaitEventSet(courier->events);
	courier->events = NULL;
	if (problem != NULL && courier->pid != 0)
		kill(courier->pid, SIGKILL);
	end_process(courier);
	return COURIER_LOST;
}

static CourierEvent
handle_frame(CourierPipe *courier, const Frame *frame, ReplyMessage *reply, RenderedMessage *rendered)
{
	HelloMessage hello;

	if (message_get_hello(frame, &hello))
	{
		if (hello.protocol != message_protocol())
			return note_lost_courier(courier, "the courier is of another build than the library that is loaded; restart the server");
		courier->ready = true;
		return COURIER_READY;
	}
	if (message_get_reply(frame, reply))
		return COURIER_REPLY;
	if (message_get_rendered(frame, rendered))
		return COURIER_RENDERED;
	return note_lost_courier(courier, "the courier sent a message that cannot be read");
}

CourierEvent
courier_next(CourierPipe *courier, ReplyMessage *reply, RenderedMessage *rendered)
{
	bool		at_end = false;

	if (courier->socket < 0)
		return COURIER_LOST;
	if (courier->problem[0] != '\0')
		return note_lost_courier(courier, courier->problem);
	for (;;)
	{
		Frame		frame;

		switch (frame_next(courier->in.data + courier->handled, courier->in.length - courier->handled, &frame))
		{
			case FRAME_COMPLETE:
				courier->handled += frame.total;
				return handle_frame(courier, &frame, reply, rendered);
			case FRAME_MALFORMED:
				return note_lost_courier(courier, "the courier sent a malformed frame");
			case FRAME_INCOMPLETE:
				break;
		}
		frame_buffer_discard(&courier->in, courier->handled);
		courier->handled = 0;
		if (!read_more(courier, &at_end))
			return at_end || courier->problem[0] != '\0' ? note_lost_courier(courier, NULL) : COURIER_NOTHING;
	}
}

void
courier_wait(CourierPipe *courier, long timeout)
{
	WaitEvent	event;

	if (courier == NULL || courier->events == NULL)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
						 (timeout >= 0 ? WL_TIMEOUT : 0), timeout, wait_event(WAIT_FOR_WORK));
	else
	{
		send_queued(courier);
		ModifyWaitEvent(courier->events, courier->socket_event,
						WL_SOCKET_READABLE | (courier->out.length > 0 ? WL_SOCKET_WRITEABLE : 0), NULL);
		if (WaitEventSetWait(courier->events, timeout, &event, 1, wait_event(WAIT_FOR_WORK)) > 0 &&
			(event.events & WL_SOCKET_WRITEABLE))
			send_queued(courier);
	}
	ResetLatch(MyLatch);
}

void
courier_leave_alone(CourierPipe *courier, int timeout)
{
	if (courier != NULL && courier->events != NULL)
		send_queued(courier);
	/* there is no room for what is queued: the courier is waited for, or this would go round and round */
	if (courier == NULL || courier->out.length > 0)
	{
		courier_wait(courier, timeout);
		return;
	}
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT, timeout, wait_event(WAIT_FOR_WORK));
	ResetLatch(MyLatch);
}

int
courier_pid(const CourierPipe *courier)
{
	return courier->pid;
}

bool
courier_is_ready(const CourierPipe *courier)
{
	return courier != NULL && courier->ready;
}

bool
courier_is_full(const CourierPipe *courier)
{
	return courier != NULL && courier->out.length >= QUEUE_MAX;
}

void
courier_give_up(CourierPipe *courier, const char *problem)
{
	if (courier->problem[0] == '\0')
		strlcpy(courier->problem, problem, PROBLEM_SIZE);
}

bool
courier_has_failed(const CourierPipe *courier)
{
	return courier->problem[0] != '\0';
}

const char *
courier_problem(const CourierPipe *courier)
{
	return courier->problem;
}
