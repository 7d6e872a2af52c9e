/*
 * store.h: the tables, as the engine sees them.  store.c and its neighbours
 * store_*.c are the only files that speak SQL.
 *
 * Everything here runs inside a tick's transaction and raises ordinary errors.
 * Results are allocated in the current memory context.
 */
#ifndef REENGAGE_STORE_H
#define REENGAGE_STORE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/uuid.h"

#include "base/address_hash.h"
#include "decide.h"
#include "gate_rules.h"
#include "monotonic.h"
#include "nudge.h"

/* What is known against a server, as a row. */
typedef struct ServerStateRow
{
	const char *state;			/* NULL: nothing is */
	const char *reason;
	const char *detail;
	const char *step;			/* NULL: no kind of call in particular */
	TimestampTz since;
	TimestampTz until;			/* 0: no time was named */
} ServerStateRow;

/* A lane of a server: what one role has due with one priority. */
typedef struct LaneRow
{
	const char *asker;
	int			priority;
} LaneRow;

/* A place in a lane. */
typedef struct Cursor
{
	const char *asker;
	int			priority;
	TimestampTz due_at;			/* look at rows after this place */
	pg_uuid_t	nudge_id;
} Cursor;

typedef struct DueRow
{
	pg_uuid_t	nudge_id;
	TimestampTz due_at;
	int			place;			/* of its lane's cursor, from 0 */
	bool		locked;			/* by a transaction that has not ended */
} DueRow;

/* Where the rows of a nudge were when it was loaded: they are looked for there first.  All zero: that is not known. */
typedef struct RowPlaces
{
	ItemPointerData due;
	ItemPointerData nudge;
} RowPlaces;

/* A POST: what makes it the same call when it is made again.  Text is UTF-8. */
typedef struct Post
{
	Step		step;
	const char *conversation_id;	/* that is notified or followed */
	Recipient	recipient;		/* of a create; of a notify that is addressed */
	const char *address_hash;		/* hash of the address; NULL: it is not known */
	TimestampTz since;			/* when it was first made; 0: not yet */
} Post;

/* All that is needed to carry out a nudge.  Text is UTF-8. */
typedef struct LoadedNudge
{
	pg_uuid_t	nudge_id;
	RowPlaces	places;
	TimestampTz due_at;			/* in the schedule */
	const char *asker;			/* the role that asked */
	int			priority;
	const char *server;
	const char *conversation_id;	/* as asked for */
	const char *message;		/* NULL: it cannot be put into UTF-8 */
	const char *address;
	const char *own_address_hash;	/* its hash, if it was made when the nudge was */
	const char *channel;
	const char *template;		/* detail.template, as JSON; NULL: there is none */
	bool		too_large;		/* to be sent; message and template were not loaded */
	const char *campaign;		/* this and the zone in the database's encoding */
	const char *time_zone;
	bool		skip_when_closed;
	TimestampTz answered_since; /* an answer comes after it; DT_NOEND: answers do not matter */
	bool		since_asked;	/* that is when the nudge was asked for, by our clock */
	TimestampTz expires_at;		/* DT_NOEND: never */
	int			attempt;		/* attempts used up */
	int			refusals;		/* of these, refused to it alone */
	int			fencing_token;	/* how often it was put back into the schedule */
	int			api_calls;
	const char *root;			/* of its thread */
	const char *path;			/* from the root to the tip, comma-separated */
	const char *tip;			/* in "path" */
	int			generation;		/* of the tip */
	TimestampTz made_at;		/* when we made the tip; 0: we did not */
	bool		in_circles;		/* the thread has no tip: somebody wrote a ring into lineage */
	bool		strange;		/* the thread goes on at an address that another role named */
	bool		suppressed;		/* the thread is */
	TimestampTz answered_at;	/* as the newest answer of thread or customer was recorded; 0: there is none */
	bool		unresolved;		/* "post" may have had its effect, and is to be made again */
	Post		post;
	TimestampTz others_next_attempt;	/* of an unresolved call of another nudge in
										 * the thread; 0: there is none */
} LoadedNudge;

/* A call that is made again goes where it went. */
static inline bool
leads_astray(const LoadedNudge *nudge)
{
	return nudge->strange && !nudge->unresolved;
}

/* One row of lineage to be.  NULL text, and 0 where the list says so, become null. */
typedef struct OutcomeRow
{
#define LINEAGE_COLUMN(c_type, type, column) c_type column;
#include "store/lineage_columns.h"
#undef LINEAGE_COLUMN
	RowPlaces	places;
} OutcomeRow;

/* What has become of it. */
typedef enum Settled
{
	SETTLED,
	SETTLED_BEFORE,				/* it has another outcome, as it was cancelled, or is no more */
	SETTLED_NOT_YET				/* somebody has locked its row of the schedule */
} Settled;

/* A session to be: what it is to follow. */
typedef struct SessionRow
{
	const char *server;
	const char *previous;
	const char *conversation_id;
} SessionRow;

/* A row of the schedule that moves. */
typedef struct MoveRow
{
	pg_uuid_t	nudge_id;
	TimestampTz due_at;
	int			attempt;
	int			refusals;
	int			api_calls;
	const char *hold;			/* the code; NULL: its time alone */
	const char *hold_reason;	/* in words */
	const char *address_hash;		/* whom a look told of; NULL: the schedule need not know */
} MoveRow;

/* What the API told us of a recipient who wants no messages of ours. */
typedef struct OptOutRow
{
	const char *server;
	const char *channel;		/* NULL: any */
	const char *address_hash;	/* NULL: it is about the thread */
	const char *root_conversation_id;
	const char *label;
	const char *reason;
} OptOutRow;

/* One call of an intent.  Here and below, text is in the database's encoding. */
typedef struct IntentRow
{
	pg_uuid_t	nudge_id;
	RowPlaces	places;
	const char *step;
	bool		creates;
	int			fencing_token;
	const char *conversation_id;
	const char *elsewhere;		/* the same; NULL: it is the one that the nudge named */
	const char *server;
	Recipient	recipient;		/* of a create that could be made again */
	const char *address_hash;		/* hash of the address */
	const char *own_address_hash;	/* and of the nudge's own */
	const char *channel;
	const char *root;			/* of the thread */
	const char *passed_over;		/* conversations that are not to be joined, comma-separated */
} IntentRow;

/* A call that may have had its effect, and is to be made again. */
typedef struct UnresolvedRow
{
	pg_uuid_t	nudge_id;
	const char *server;
	const char *step;
	const char *conversation_id;
	Recipient	recipient;
	const char *address_hash;
	TimestampTz since;
} UnresolvedRow;

/* An intent that a dead engine left behind; one for each of its calls. */
typedef struct LeftIntent
{
	pg_uuid_t	intent_id;
	pg_uuid_t	nudge_id;
	int			fencing_token;
	Post		post;
} LeftIntent;

#define DAY_NAME_SIZE 11

/* Of 32 columns, whose names have 12 bytes and whose sums 10 digits each: 1.2 kB. */
#define COLUMN_SUMS_SIZE 4096

/* A day of lineage that is being counted. */
typedef struct DayCount
{
	char		name[DAY_NAME_SIZE];	/* YYYY-MM-DD */
	TimestampTz since;			/* what was recorded before this is counted */
	TimestampTz before;			/* the end of the day */
	int64		rows;
	uint64		digest;			/* the sum of their digests */
	char		column_sums[COLUMN_SUMS_SIZE];	/* empty: nothing is counted yet */
	int64		erasures;		/* calls of forget() before anything was counted */
} DayCount;

/* NULL: sending is allowed here; else why it is not. */
extern const char *store_fence_complaint(void);

/* Whether what was armed is another cluster, database or site: then this is a copy of it. */
extern bool store_is_copy(void);

/* Those that an operator has paused: names, as a List of char pointers. */
extern List *store_paused_servers(void);

/* Foreign servers of our wrapper: names, as a List of char pointers. */
extern List *store_servers(void);

/* Writes down what is known against a server, or that nothing is.  False: somebody has locked the row. */
extern bool store_report_server(const char *server, const ServerStateRow *breaker);
extern ServerStateRow store_server_state(const char *server);

/* The clock was set back so far since pauses were written: they end as much earlier. */
extern void store_follow_clock(int64 microseconds);

/* What waits for the server (HOLD_SERVER) is due from now on; returns that time, or 0: nothing is. */
extern TimestampTz store_release(const char *server);

/* Takes the servers of which something was decided out of the table: names, each once. */
extern List *store_take_releases(void);

/* Makes due what policies and doubts hold there, but for rows that somebody has locked: the servers of those are left for later. */
extern void store_release_held(const List *servers);

extern void store_record_opt_outs(const OptOutRow *rows, int count);

extern AddressKey store_address_key(void);

/* The lanes of a server in which anything is, due or not.  Returns their number. */
extern int	store_lanes(const char *server, LaneRow **rows);

/*
 * The next rows of each lane after its cursor, at most "limit" of a lane, due
 * or not, by lane and time.  Returns their number.
 */
extern int	store_claim(const char *server, const Cursor *cursors, int ncursors,
						int limit, DueRow **rows);

/* Those of the nudges that are still due, with their threads. */
/* The channel on which lineage last saw a thread, of its conversations, comma-separated; NULL: nobody told. */
extern char *store_last_channel(const char *server, const char *path);

extern int	store_load(const pg_uuid_t *nudge_ids, int count, LoadedNudge **nudges);

/* Fills in what the tables say of an intent that is to be recorded. */
extern void store_check_gates(const IntentRow *rows, int count, GateFacts *facts);
extern void store_record_intent(const pg_uuid_t *intent_id, TimestampTz epoch,
								const IntentRow *rows, int count);

/* Leaves those that somebody has locked at the front of the array, and returns their number. */
extern int	store_delete_intents(pg_uuid_t *intent_ids, int count);
extern int	store_left_intents(LeftIntent **intents);

/* Those that are kept already stay as they are. */
extern void store_keep_unresolved(const UnresolvedRow *rows, int count);

/*
 * Locks rows of the schedule that are to be written.  "locked" says of each
 * whether somebody else was first; for them nobody waits.
 */
extern void store_lock_due(const pg_uuid_t *nudge_ids, int count, bool *locked);

/* Which of these sessions lead, by what is in lineage, to the conversation that they are to follow. */
extern void store_find_rings(const SessionRow *rows, int count, bool *rings);

/* Ends the nudges, and says of each what has become of it. */
extern void store_settle(const OutcomeRow *rows, int count, Settled *settled);
extern void store_move(const MoveRow *rows, int count);

/*
 * The first day that has ended and is not in the manifest; false: there is
 * none.  holders: the transactions that hold it open; NULL: it can be counted.
 */
extern bool store_find_day(DayCount *day, const char **holders);

/* Counts about so many rows more; returns whether these were the last. */
extern bool store_count_part(DayCount *day, int64 rows);

/* Unless somebody was forgotten since it was found: then it is found again. */
extern void store_record_day(const DayCount *day);

/*
 * Adds up what was written about how many nudges there are in each state, if that
 * was not done a moment ago: see store_tallies.h.  Returns whether there is more of it
 * than was to be done at once.  What keeps it from that, a lock of somebody's, does no
 * harm; it is tried again.
 */
extern bool store_sum_tallies(Monotonic now);

#endif
