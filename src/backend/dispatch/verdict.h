/*
 * verdict.h: what a reply says of the server that gave it, and not only of the
 * nudge that it was for.
 */
#ifndef REENGAGE_VERDICT_H
#define REENGAGE_VERDICT_H

#include "dispatch/flights.h"
#include "message.h"

typedef enum Verdict
{
	VERDICT_NONE,				/* it is about the nudge, as far as anybody knows */
	VERDICT_NOT_NOW,			/* the server is to rest */
	VERDICT_REFUSED,			/* the API refuses calls of this kind */
	VERDICT_UNUSABLE			/* it cannot be called */
} Verdict;

/* Judges a reply of the courier, and takes down what follows for the server. */
extern Verdict verdict_of(Flight *flight, const ReplyMessage *reply, Monotonic now);

/* The nudge ends with this reply: an operator may have to know of it. */
extern void verdict_note_end(Flight *flight, const ReplyMessage *reply, const Decision *end);

#endif
