/*
 * blame.h: whose refusal is it?
 *
 * An API that forbids a call (401, 403) may mean our client, or only the
 * conversation or the recipient that this call is about.  One refusal cannot
 * tell: it is the nudge's own.  It is the server's when two of them meet it
 * that have nothing to do with each other, and nobody got through meanwhile.
 * When somebody does, those who were refused are known to be refused by
 * themselves, and are no witnesses any more.
 *
 * Pure: time is an argument, in microseconds of any one clock.
 */
#ifndef REENGAGE_BLAME_H
#define REENGAGE_BLAME_H

#include <stdbool.h>
#include <stdint.h>

#include "nudge.h"

/*
 * So long after a success, refusals are the nudges' own, however many: where
 * each third recipient is refused, two in a row say nothing.  Shorter than the
 * time in which a nudge uses up its refusals (see decide.c).
 */
#define BLAME_TRUST_US INT64_C(2000000)

/* Sizes include the terminating NUL: a UUID, and the hash of an address in hex. */
#define BLAME_NUDGE_SIZE 37
#define BLAME_CUSTOMER_SIZE 33

/* Who was refused. */
typedef struct Culprit
{
	char		nudge_id[BLAME_NUDGE_SIZE];
	char		conversation_id[CONVERSATION_ID_MAX + 1];
	char		customer[BLAME_CUSTOMER_SIZE];	/* empty: not known */
} Culprit;

/* So many are remembered. */
#define CULPRITS_MAX 32

typedef struct Culprits
{
	Culprit		list[CULPRITS_MAX]; /* those who came last; a ring */
	int			count;
	int			next;
} Culprits;

/* Of one kind of call. */
typedef struct BlameOfStep
{
	Culprits	witnesses;		/* refused since its last success, and not before */
	Culprits	guilty;			/* refused while others got through */
	bool		shared;			/* two of the witnesses have nothing to do with each other */
	bool		succeeded;
	int64_t		succeeded_at;
} BlameOfStep;

/* Of one server.  All zero: nothing is known. */
typedef struct Blame
{
	BlameOfStep steps[STEP_COUNT];
} Blame;

/* "customer": NULL if not known. */
extern Culprit culprit_of(const char *nudge_id, const char *conversation_id, const char *customer);

/* A call was refused.  True: by all that is known, it is the server's matter. */
extern bool blame_refusal(Blame *blame, Step step, const Culprit *culprit, int64_t now);

/* Who was refused first since the last success; NULL: nobody is known. */
extern const Culprit *blame_first(const Blame *blame, Step step);

/* It was known to be the server's matter before this process began. */
extern void blame_inherit(Blame *blame, Step step);

/* A call of this kind succeeded. */
extern void blame_success(Blame *blame, Step step, int64_t now);

#endif
