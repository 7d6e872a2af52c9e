/*
 * circuit.h: the circuit breaker of a server: whether it may be called, and what
 * ends that it may not.
 *
 *   closed ──▶ open, until a time ──▶ half open: one nudge at a time ──▶ closed
 *                    ▲                        │ again
 *                    └────────────────────────┘
 *
 * Pure: what happened and the time are arguments.  What people are told of it is
 * another matter: see backend/dispatch/breaker.h.
 */
#ifndef REENGAGE_CIRCUIT_H
#define REENGAGE_CIRCUIT_H

#include "monotonic.h"
#include "nudge.h"

typedef enum CircuitCause
{
	CIRCUIT_CLOSED,
	CIRCUIT_REFUSED,			/* the API refuses a kind of call to our client */
	CIRCUIT_UNUSABLE,			/* it cannot be called: credentials, login, certificate */
	CIRCUIT_FAILING,			/* too many calls in a row failed */
	CIRCUIT_RESTING				/* the API said "not now" */
} CircuitCause;

/* All zero: it is closed. */
typedef struct Circuit
{
	CircuitCause cause;			/* what opened it */
	Step		step;			/* the kind of call that it is about: a success of it is the cure */
	Monotonic	until;			/* the server is left alone until then */
	int64_t		pause_ms;
	int			failures;		/* calls in a row that the API did not answer, or with 5xx */
} Circuit;

extern bool circuit_is_closed(const Circuit *circuit);

/* The server is left alone.  What is neither is half open. */
extern bool circuit_is_open(const Circuit *circuit, Monotonic now);

/* How many more may be under way, of "most" that may where nothing is wrong. */
extern int	circuit_room(const Circuit *circuit, int most, int under_way, Monotonic now);

/* Does a success of one step end what another one was refused for? */
extern bool circuit_is_cure(Step refused, Step succeeded);

/* REFUSED or UNUSABLE.  False: it rests, and is left alone already. */
extern bool circuit_block(Circuit *circuit, CircuitCause cause, Step step, Monotonic now);

/*
 * The API said "not now" to a call of this step, for so long, a day at most; -1,
 * 0: it did not say.  True: it was not known, or not for so long.
 */
extern bool circuit_rest(Circuit *circuit, Step step, int64_t asked_ms, Monotonic now);

/* A call failed; that many in a row are one too many (0: never).  True: they were. */
extern bool circuit_note_failure(Circuit *circuit, int most, Monotonic now);

/* The API answered a call of this step, be it with a refusal.  True: that closed it. */
extern bool circuit_note_answer(Circuit *circuit, Step step, Monotonic now);

/* A call of this step succeeded.  True: that closed it. */
extern bool circuit_note_success(Circuit *circuit, Step step);

/* Other options, or other credentials, may end a block.  True: it is tried at once. */
extern bool circuit_try_again(Circuit *circuit);

/* True: it was not closed. */
extern bool circuit_close(Circuit *circuit);

/* As another process left it: a rest, or a block for refusals, which is tried at once. */
extern void circuit_inherit_rest(Circuit *circuit, Step step, Monotonic until);
extern void circuit_inherit_refusal(Circuit *circuit, Step step);

#endif
