/*
 * metrics.h: what was counted since the server started, or was asked to count
 * anew, in shared memory.
 *
 * The engine of a database counts, wherever it runs; whoever likes reads.  A
 * server of a database has its own counters, so that nobody who reads has to
 * look at a table that grows.  Without preloading nobody counts.
 */
#ifndef REENGAGE_METRICS_H
#define REENGAGE_METRICS_H

#include "postgres.h"

#include "circuit.h"
#include "delivery_state.h"
#include "hold.h"
#include "message.h"
#include "pace.h"

/* Of all databases.  Those beyond are not counted. */
#define METRICS_SERVERS 256

/* The upper bounds of its parts, in milliseconds; behind the last one all that takes longer. */
#define HISTOGRAM_BOUNDS_MS {1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 3600000}
#define HISTOGRAM_PARTS 18

typedef struct Histogram
{
	uint64		parts[HISTOGRAM_PARTS];
	uint64		sum_us;
} Histogram;

/* For the pause of a nudge between two moments. */
typedef enum Delay
{
	DELAY_LOOK,					/* from when it was due, or asked for, to its look */
	DELAY_POST,					/* from the answer of the look to the POST */
	DELAY_COUNT
} Delay;

/* HTTP status by its first digit; 0: there was no answer. */
#define STATUS_CLASSES 6

/* What is so now. */
typedef struct ServerGauges
{
	int			states[DELIVERY_STATE_COUNT];	/* nudges in hand */
	CircuitCause breaker;
	Monotonic	probe_at;		/* while the breaker is not closed: it is left alone until then */
	int			per_minute;		/* requests that it may have; 0: any number */
} ServerGauges;

typedef struct ServerMetrics
{
	Oid			database;
	char		server[NAMEDATALEN];
	ServerGauges now;
	Pace		pace;			/* of its requests */
	/* counted, from here on */
	uint64		ended[OUTCOME_COUNT];
	uint64		moved[HOLD_COUNT];	/* due again later, by what they wait for */
	uint64		requests;	/* tokens excluded */
	uint64		responses[STEP_COUNT][STATUS_CLASSES];
	uint64		token_requests;
	uint64		bytes_sent;		/* tokens included */
	uint64		bytes_received;
	uint64		replies[STEP_COUNT][REPLY_CLASS_COUNT];
	uint64		limited;	/* replies with status 429 */
	Histogram	delays[DELAY_COUNT];
	Histogram	calls[STEP_COUNT];	/* at the API */
} ServerMetrics;

/* For shmem.c: the room it takes, and its beginning. */
extern Size metrics_size(void);
extern void metrics_attach(void *memory, bool found);

/* Those of a server of this database; where there is no room for them, some that nobody reads. */
extern ServerMetrics *metrics_of_server(const char *server);

extern void metrics_note_end(ServerMetrics *metrics, Outcome outcome);
extern void metrics_note_move(ServerMetrics *metrics, Hold hold);
extern void metrics_note_reply(ServerMetrics *metrics, Step step, const ReplyMessage *reply);

/* "us": microseconds; a clock that was set back makes it 0. */
extern void metrics_note_delay(ServerMetrics *metrics, Delay delay, int64 us);

extern void metrics_set_gauges(ServerMetrics *metrics, const ServerGauges *gauges);

/* Of the engine of this database: it has started a courier; 0: it has none any more. */
extern void metrics_note_courier(int pid);
extern int	metrics_courier_pid(void);

/* It has ended: nothing is in hand, and nothing is known of servers. */
extern void metrics_forget_engine(void);

extern void metrics_note_tick(bool failed, int64 us, uint64 wal_bytes);

#endif
