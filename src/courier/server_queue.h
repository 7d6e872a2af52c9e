/*
 * server_queue.h: for each server the calls that wait, and its slots.
 *
 * A server makes at most max_in_flight calls at once, as many a minute as it
 * may, and none without a token if it needs one; the rest wait in order.
 */
#ifndef COURIER_SERVER_QUEUE_H
#define COURIER_SERVER_QUEUE_H

#include <stdint.h>

#include "call.h"
#include "message.h"

/* Adds a server, or replaces its settings. */
extern void server_queues_configure(const ServerMessage *message);

/* Lets go of a server, once nothing of it is on the wire or waits. */
extern void server_queues_forget(const char *name);

/* Takes over a call: makes it, lets it wait, or answers it at once. */
extern void server_queues_accept(Call *call);

/* Makes the calls, and asks for the tokens, whose time has come. */
extern void server_queues_run(int64_t now_ms);

/* How long until server_queues_run() has something to do, at most "limit_ms". */
extern int	server_queues_wait_ms(int64_t now_ms, int limit_ms);

#endif
