/*
 * trouble.h: what keeps a server from being called as usual, and what ends it.
 *
 *   none ──▶ left alone until a time ──▶ probing: one nudge at a time ──▶ none
 *                    ▲                              │ again
 *                    └──────────────────────────────┘
 *
 * While a server is left alone, none of its nudges is begun and no POST made;
 * its nudges stay due.  Everybody is told the reason; what the API said of
 * somebody's call, and to whom, is for operators.
 */
#ifndef REENGAGE_TROUBLE_H
#define REENGAGE_TROUBLE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/clocks.h"
#include "blame.h"
#include "store/store.h"

typedef enum TroubleKind
{
	TROUBLE_NONE,
	TROUBLE_REFUSED,			/* the API refuses a kind of call to our client */
	TROUBLE_UNUSABLE,			/* it cannot be called: credentials, login, certificate */
	TROUBLE_FAILING,			/* the circuit breaker: too many calls in a row failed */
	TROUBLE_RESTING				/* the API said "not now" */
} TroubleKind;

/* All zero but for "context": there is none, and nothing is known. */
typedef struct Trouble
{
	MemoryContext context;		/* of the texts */
	TroubleKind kind;
	Step		step;			/* the kind of call that it is about: a success of it is the cure */
	char	   *reason;			/* for everybody */
	char	   *detail;			/* for operators; NULL: there is no more to say */
	Monotonic	until;			/* it is left alone until then */
	int64		pause_ms;
	int			failures;		/* calls in a row that the API did not answer, or with 5xx */
	Blame		blame;			/* of refusals */

	/* a refusal that was one nudge's own, as far as anybody knows: it ended so */
	Step		notice_step;
	char	   *notice;			/* NULL: there is none */
	char	   *notice_detail;

	bool		changed;		/* is to be written down */
	bool		release;		/* what was put off for it is due again */
	char	   *said;			/* in the log; NULL: that all is well */
} Trouble;

extern bool trouble_is_left_alone(const Trouble *trouble, Monotonic now);

/* Until when, as the wall clock shows it. */
extern TimestampTz trouble_shows_until(const Trouble *trouble);

/* One nudge at a time. */
extern bool trouble_is_probing(const Trouble *trouble);

/* REFUSED or UNUSABLE. */
extern void trouble_block(Trouble *trouble, TroubleKind kind, Step step, const char *reason,
						  const char *detail, Monotonic now);

/* The API said "not now" to a call of this step, for so long, a day at most; -1, 0: it did not say. */
extern void trouble_rest(Trouble *trouble, Step step, int64 asked_ms, const char *reason, Monotonic now);

/* A call failed; that many in a row are one too many (0: never). */
extern void trouble_note_failure(Trouble *trouble, int most, const char *reason, Monotonic now);

/* The API answered a call of this step, be it with a refusal. */
extern void trouble_note_answer(Trouble *trouble, Step step, Monotonic now);

/* A call of this step succeeded. */
extern void trouble_note_success(Trouble *trouble, Step step, Monotonic now);

/* A nudge ended because a call of this step was refused to it alone. */
extern void trouble_notice(Trouble *trouble, Step step, const char *reason, const char *detail);

/* Changed options may be the cure, as may other credentials. */
extern void trouble_forget(Trouble *trouble);
extern void trouble_try_again(Trouble *trouble);

/* What an engine before this one wrote down. */
extern void trouble_inherit(Trouble *trouble, const TroubleRow *row, const Clocks *clocks);

extern TroubleRow trouble_row(const Trouble *trouble);

/* Says in the log what has changed: a trouble at "level", its end as LOG. */
extern void trouble_say(Trouble *trouble, const char *server, int level);

#endif
