/*
 * news.h: the worker looks after what other nodes of a fleet have said, beside its
 * engine: it tries again what could not be done when it was heard.
 *
 * It looks when it starts, when it is told, and then as often as there is a reason
 * to; a database that is in no fleet is looked at once.
 */
#ifndef REENGAGE_NEWS_H
#define REENGAGE_NEWS_H

#include "postgres.h"

#include "base/clocks.h"
#include "dispatch/engine.h"

typedef struct News
{
	bool		is_quiet;		/* nothing is to be done before it is told */
	Monotonic	not_before;		/* of the next look */
	bool		failed;			/* which was said */
} News;

/* It looks with the next turn. */
extern void news_init(News *news);

/*
 * Does what is to be done, if it is time.  Returns the milliseconds until the next
 * turn, of the others ("timeout") or of this; -1: any.
 */
extern long news_turn(News *news, EngineCondition condition, long timeout);

#endif
