/*
 * server_signal.h: what a reply says of the server that gave it, and not only of the
 * nudge that it was for.
 */
#ifndef REENGAGE_SERVER_SIGNAL_H
#define REENGAGE_SERVER_SIGNAL_H

#include "dispatch/deliveries.h"
#include "message.h"

typedef enum ServerSignal
{
	SIGNAL_NONE,				/* it is about the nudge, as far as anybody knows */
	SIGNAL_NOT_NOW,			/* the server is to rest */
	SIGNAL_REFUSED,			/* the API refuses calls of this kind */
	SIGNAL_UNUSABLE			/* it cannot be called */
} ServerSignal;

/* Judges a reply of the courier, and takes down what follows for the server. */
extern ServerSignal server_signal_of(Delivery *delivery, const ReplyMessage *reply, Monotonic now);

/* The nudge ends with this reply: an operator may have to know of it. */
extern void server_signal_note_end(Delivery *delivery, const ReplyMessage *reply, const Decision *end);

#endif
