/*
 * outcome_list.h: how a nudge can end: the words of lineage.outcome.
 *
 * OUTCOME(symbol, name, sent, to_do) is said by the engine, the first ones for
 * what an API replied; OUTCOME_OF_SQL(name, sent, to_do) only by functions in
 * SQL.
 *
 * sent: whether the customer was spoken to, SENT, MAYBE_SENT or NOT_SENT.  Of a
 * doubt that was resolved, caps and gaps count the row of the doubt.
 *
 * to_do, by whoever watches: NOTHING; CORRECT the data and ask again; REDRIVE
 * when the cause is gone; RESOLVE what is in doubt.
 *
 * A macro and no file to be included, as statements are made of it, too.  The
 * constraint lineage_outcome_check, the view campaign_status, README.md,
 * docs/outcomes.md and snowflake/dbt say the same;
 * test/house_rules compares them.
 */
#ifndef REENGAGE_OUTCOME_LIST_H
#define REENGAGE_OUTCOME_LIST_H

#define OUTCOME_LIST(OUTCOME, OUTCOME_OF_SQL) \
	OUTCOME(NOTIFIED, "notified", SENT, NOTHING) \
	OUTCOME(SESSION_CREATED, "session_created", SENT, NOTHING) \
	OUTCOME(SESSION_CONTINUED, "session_continued", SENT, NOTHING) \
	OUTCOME(SKIPPED_CLOSED, "skipped_closed", NOT_SENT, NOTHING) \
	OUTCOME(REFUSED, "refused", NOT_SENT, CORRECT) \
	OUTCOME(EXPIRED, "expired", NOT_SENT, NOTHING) \
	OUTCOME(EXHAUSTED, "exhausted", NOT_SENT, REDRIVE) \
	OUTCOME(IN_DOUBT, "in_doubt", MAYBE_SENT, RESOLVE) \
	OUTCOME(ANSWERED, "answered", NOT_SENT, NOTHING) /* said without a reply, too */ \
	OUTCOME(SUPPRESSED, "suppressed", NOT_SENT, NOTHING) /* from here on no reply says it */ \
	OUTCOME(CAPPED, "capped", NOT_SENT, NOTHING) \
	OUTCOME(HELD_OUT, "held_out", NOT_SENT, NOTHING) \
	OUTCOME_OF_SQL("cancelled", NOT_SENT, NOTHING) \
	OUTCOME_OF_SQL("resolved_sent", SENT, NOTHING) \
	OUTCOME_OF_SQL("resolved_not_sent", NOT_SENT, NOTHING) \
	OUTCOME_OF_SQL("imported", NOT_SENT, NOTHING)

#define OUTCOME_SKIP(name, sent, to_do)

/*
 * For a statement: outcome IN (OUTCOMES_SENT).  '' is no outcome, and lets each
 * name come after a comma.
 */
#define OUTCOMES_SENT "''" OUTCOME_LIST(OUTCOME_NAME_IF_SENT, OUTCOME_SKIP)
#define OUTCOME_NAME_IF_SENT(symbol, name, sent, to_do) OUTCOME_NAME_OF_##sent(name)
#define OUTCOME_NAME_OF_SENT(name) ", '" name "'"
#define OUTCOME_NAME_OF_MAYBE_SENT(name)
#define OUTCOME_NAME_OF_NOT_SENT(name)

/* Those in doubt, too: they count until they are resolved. */
#define OUTCOMES_COUNTED OUTCOMES_SENT OUTCOME_LIST(OUTCOME_NAME_IF_DOUBTED, OUTCOME_SKIP)
#define OUTCOME_NAME_IF_DOUBTED(symbol, name, sent, to_do) OUTCOME_DOUBTED_OF_##sent(name)
#define OUTCOME_DOUBTED_OF_SENT(name)
#define OUTCOME_DOUBTED_OF_MAYBE_SENT(name) ", '" name "'"
#define OUTCOME_DOUBTED_OF_NOT_SENT(name)

#endif
