/*
 * courier_pipe.h: the courier process and the socket to it.
 *
 * The only file of the server side that knows there is a process at the other
 * end.  Nothing here raises an error for what the courier does: it may die or
 * talk nonsense at any time, and that is an event, COURIER_LOST.
 */
#ifndef REENGAGE_COURIER_PIPE_H
#define REENGAGE_COURIER_PIPE_H

#include "message.h"

typedef struct CourierPipe CourierPipe;

typedef enum CourierEvent
{
	COURIER_NOTHING,				/* no complete message is there yet */
	COURIER_READY,					/* the courier said hello */
	COURIER_REPLY,
	COURIER_RENDERED,
	COURIER_LOST					/* it is gone; close the courier */
} CourierEvent;

/*
 * Starts a courier.  The result is malloc'ed memory, a socket and a process:
 * courier_close() must follow in every case.
 */
extern CourierPipe *courier_open(void);
extern void courier_close(CourierPipe *courier);

/* Queue a message.  No byte of it leaves before courier_wait(), which sends. */
extern void courier_send_server(CourierPipe *courier, const ServerMessage *message);
extern void courier_send_forget(CourierPipe *courier, const ForgetMessage *message);
extern void courier_send_call(CourierPipe *courier, const CallMessage *message);

/*
 * The next event.  What the message points to lives until the next call.
 */
extern CourierEvent courier_next(CourierPipe *courier, ReplyMessage *reply, RenderedMessage *rendered);

/*
 * Sends what can be sent, then sleeps until the courier or this process's
 * latch has something, or for "timeout" milliseconds (-1: for ever).  With
 * courier NULL only the latch and the time count.  Resets the latch.
 */
extern void courier_wait(CourierPipe *courier, long timeout);

/* The same, in milliseconds, but whatever the courier says waits, too. */
extern void courier_leave_alone(CourierPipe *courier, int timeout);

/* 0: it is not running. */
extern int	courier_pid(const CourierPipe *courier);

extern bool courier_is_ready(const CourierPipe *courier);

/* So much is queued that the next one is better kept until some of it was sent. */
extern bool courier_is_full(const CourierPipe *courier);

/* Kills the courier: courier_next() will say COURIER_LOST. */
extern void courier_give_up(CourierPipe *courier, const char *problem);

/* It cannot be used: courier_next() has COURIER_LOST to say. */
extern bool courier_has_failed(const CourierPipe *courier);

/* After COURIER_LOST: what became of the courier. */
extern const char *courier_problem(const CourierPipe *courier);

#endif
