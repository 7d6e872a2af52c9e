/*
 * pauses.c: connections that wait, for a time or for ever, while others are served.
 *
 * A binary heap on the time at which a pause ends. Those that hang for ever are
 * in it as well, with a time that never comes: each connection knows its slot,
 * so one that its client gave up can be taken out of the middle.
 *
 * libmicrohttpd has no way of its own to say that a resumed connection waits
 * for MHD_run when the event loop is ours; "resumed" says it.
 */
#include "pauses.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "memory.h"

#define NEVER INT64_MAX

static Connection **heap = NULL;
static size_t heap_count = 0;
static size_t heap_capacity = 0;
static size_t hanging = 0;
static bool resumed = false;
static bool stopped = false;

int64_t
monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
place(Connection *connection, size_t slot)
{
	heap[slot] = connection;
	connection->pause_slot = slot;
}

static void
sift_up(Connection *connection, size_t slot)
{
	while (slot > 0 && heap[(slot - 1) / 2]->paused_until_us > connection->paused_until_us)
	{
		place(heap[(slot - 1) / 2], slot);
		slot = (slot - 1) / 2;
	}
	place(connection, slot);
}

static void
sift_down(Connection *connection, size_t slot)
{
	size_t		child;

	while ((child = 2 * slot + 1) < heap_count)
	{
		if (child + 1 < heap_count &&
			heap[child + 1]->paused_until_us < heap[child]->paused_until_us)
			child++;
		if (heap[child]->paused_until_us >= connection->paused_until_us)
			break;
		place(heap[child], slot);
		slot = child;
	}
	place(connection, slot);
}

static void
reserve_slot(void)
{
	if (heap_count < heap_capacity)
		return;
	heap_capacity = heap_capacity ? 2 * heap_capacity : 256;
	heap = allocated(realloc(heap, heap_capacity * sizeof(*heap)));
}

bool
pause_until(Connection *connection, int64_t due_us)
{
	if (stopped)
		return false;
	reserve_slot();
	connection->paused = true;
	connection->paused_until_us = due_us;
	heap_count++;
	sift_up(connection, heap_count - 1);
	MHD_suspend_connection(connection->handle);
	return true;
}

bool
pause_forever(Connection *connection)
{
	if (connection->client_left || !pause_until(connection, NEVER))
		return false;
	hanging++;
	return true;
}

static void
resume(Connection *connection)
{
	MHD_resume_connection(connection->handle);
	resumed = true;
}

static void
pause_end(Connection *connection)
{
	Connection *last = heap[--heap_count];

	if (connection->paused_until_us == NEVER)
		hanging--;
	if (last != connection)
	{
		/* The last one takes the free slot, and may have to move either way. */
		sift_down(last, connection->pause_slot);
		sift_up(last, last->pause_slot);
	}
	connection->paused = false;
	resume(connection);
}

/*
 * libmicrohttpd 0.9.75 overlooks the end of a stream that arrives together
 * with the last bytes: it takes a short read for the end of the edge-triggered
 * event, and would keep the connection for ever. Suspending and resuming puts
 * the socket into its epoll set afresh, which reports the end again.
 */
void
pause_notice_leaving(Connection *connection)
{
	connection->client_left = true;
	if (!connection->paused)
	{
		MHD_suspend_connection(connection->handle);
		resume(connection);
	}
	else if (connection->paused_until_us == NEVER)
		pause_end(connection);
}

void
pauses_end_due(void)
{
	int64_t		now = monotonic_us();

	resumed = false;
	while (heap_count > 0 && heap[0]->paused_until_us <= now)
		pause_end(heap[0]);
}

void
pauses_end_hanging(void)
{
	/* More than one round, because the heap reorders itself under the loop. */
	while (hanging > 0)
		for (size_t slot = heap_count; slot-- > 0;)
			if (heap[slot]->paused_until_us == NEVER)
				pause_end(heap[slot]);
}

void
pauses_stop(void)
{
	stopped = true;
	while (heap_count > 0)
		pause_end(heap[heap_count - 1]);
}

int
pauses_timeout_ms(void)
{
	int64_t		left_us;

	if (resumed)
		return 0;
	if (heap_count == 0 || heap[0]->paused_until_us == NEVER)
		return -1;
	left_us = heap[0]->paused_until_us - monotonic_us();
	if (left_us <= 0)
		return 0;
	return left_us > 1000LL * INT_MAX ? INT_MAX : (int) ((left_us + 999) / 1000);
}

size_t
pauses_hanging(void)
{
	return hanging;
}
