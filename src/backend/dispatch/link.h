/*
 * link.h: the courier process and the socket to it.
 *
 * The only file of the server side that knows there is a process at the other
 * end.  Nothing here raises an error for what the courier does: it may die or
 * talk nonsense at any time, and that is an event, LINK_LOST.
 */
#ifndef REENGAGE_LINK_H
#define REENGAGE_LINK_H

#include "message.h"

typedef struct Link Link;

typedef enum LinkEvent
{
	LINK_NOTHING,				/* no complete message is there yet */
	LINK_READY,					/* the courier said hello */
	LINK_REPLY,
	LINK_RENDERED,
	LINK_LOST					/* it is gone; close the link */
} LinkEvent;

/*
 * Starts a courier.  The result is malloc'ed memory, a socket and a process:
 * link_close() must follow in every case.
 */
extern Link *link_open(void);
extern void link_close(Link *link);

/* Queue a message; link_wait() sends. */
extern void link_send_server(Link *link, const ServerMessage *message);
extern void link_send_forget(Link *link, const ForgetMessage *message);
extern void link_send_call(Link *link, const CallMessage *message);

/*
 * The next event.  What the message points to lives until the next call.
 */
extern LinkEvent link_next(Link *link, ReplyMessage *reply, RenderedMessage *rendered);

/*
 * Sends what can be sent, then sleeps until the courier or this process's
 * latch has something, or for "timeout" milliseconds (-1: for ever).  With
 * link NULL only the latch and the time count.  Resets the latch.
 */
extern void link_wait(Link *link, long timeout);

extern bool link_is_ready(const Link *link);

/* So much is queued that the next one is better kept until some of it was sent. */
extern bool link_is_full(const Link *link);

/* Kills the courier: link_next() will say LINK_LOST. */
extern void link_give_up(Link *link, const char *problem);

/* It cannot be used: link_next() has LINK_LOST to say. */
extern bool link_has_failed(const Link *link);

/* After LINK_LOST: what became of the courier. */
extern const char *link_problem(const Link *link);

#endif
