/*
 * main.c: reengage-courier, the process that speaks HTTP for the worker.
 *
 * It is started with one end of a socketpair as file descriptor 0.  It says
 * hello, learns of servers, makes calls and answers each of them once.  It
 * knows nothing of nudges that it is not told, keeps nothing on disk, logs
 * nothing, and ends when the worker does.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <unistd.h>

#include "call.h"
#include "clock.h"
#include "exit.h"
#include "http.h"
#include "json.h"
#include "link.h"
#include "message.h"
#include "server_queue.h"
#include "test_point.h"
#include "version.h"

/* Nothing depends on waking up: whatever happens ends the wait. */
#define IDLE_WAIT_MS (60 * 1000)

/*
 * Signals to the worker's process group reach us too, but what they mean for
 * us is the worker's to say.
 */
static void
ignore_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

/* Secrets and tokens are in our memory: it is in no core file, and no other process's to read. */
static void
keep_memory_to_ourselves(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Sockets for all servers: as many as the system lets us have. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * What one request frees the next one takes: to give it back to the system in
 * between costs more than all that is done with it.  Large pieces go back at once.
 */
#ifdef __GLIBC__
#define KEPT_FREE (1024 * 1024)
#define LARGE_PIECE (128 * 1024)
#endif

static void
keep_some_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
	mallopt(M_TOP_PAD, KEPT_FREE / 4);
	mallopt(M_MMAP_THRESHOLD, LARGE_PIECE);
#endif
}

static void
say_hello(void)
{
	char		http[128];
	char		libraries[192];
	HelloMessage hello = {message_protocol(), REENGAGE_VERSION, libraries};

	http_describe(http, sizeof(http));
	snprintf(libraries, sizeof(libraries), "%s json-c/%s", http, json_library_version());
	link_send_hello(&hello);
}

static void
learn_of_server(const Frame *frame)
{
	ServerMessage message;

	require_well_formed(message_get_server(frame, &message));
	server_queues_configure(&message);
}

static void
forget_server(const Frame *frame)
{
	ForgetMessage message;

	require_well_formed(message_get_forget(frame, &message));
	server_queues_forget(message.name);
}

static void
accept_call(const Frame *frame)
{
	Call	   *call = call_new(frame);

	require_well_formed(call != NULL);
	TEST_POINT(call->message.step == STEP_CHECK ? "courier_check_read" : "courier_post_read");
	server_queues_accept(call);
}

static void
handle_messages(void)
{
	Frame		frame;
	FrameStatus status;

	while ((status = link_next(&frame)) == FRAME_COMPLETE)
	{
		if (frame.kind == MESSAGE_SERVER)
			learn_of_server(&frame);
		else if (frame.kind == MESSAGE_FORGET)
			forget_server(&frame);
		else if (frame.kind == MESSAGE_CALL)
			accept_call(&frame);
		else
			require_well_formed(false);
	}
	require_well_formed(status == FRAME_INCOMPLETE);
}

/* Ends without cleaning up, as a thread may still be resolving a name. */
int
main(void)
{
	keep_memory_to_ourselves();
	ignore_signals();
	raise_descriptor_limit();
	keep_some_memory();
	http_start();
	say_hello();
	while (link_receive())
	{
		handle_messages();
		http_run();
		server_queues_run(clock_monotonic_ms());
		if (!link_flush())
			break;
		http_wait(LINK_FD, link_has_output(),
				  server_queues_wait_ms(clock_monotonic_ms(), IDLE_WAIT_MS));
	}
	link_flush();
	_exit(0);
}
