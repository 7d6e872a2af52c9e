/*
 * metrics.c: see metrics.h.
 *
 * One engine at a time counts for a database, and a number is written in one
 * piece, so nothing is locked but the lists while something is added to them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/clocks.h"
#include "base/metrics.h"

PG_FUNCTION_INFO_V1(reengage_counters);
PG_FUNCTION_INFO_V1(reengage_reset_metrics);

/* As many as have a worker, and some where run() does its work. */
#define METRICS_DATABASES 64

typedef struct EngineMetrics
{
	Oid			database;
	int			courier_pid;	/* 0: it has none */
	TimestampTz since;			/* it counts, from here on */
	uint64		couriers;		/* that were started */
	uint64		ticks;
	uint64		failed_ticks;
	uint64		tick_us;
	uint64		wal_bytes;
} EngineMetrics;

typedef struct Metrics
{
	slock_t		mutex;			/* while one is added */
	int			ndatabases;
	int			nservers;
	EngineMetrics databases[METRICS_DATABASES];
	ServerMetrics servers[METRICS_SERVERS];
} Metrics;

static Metrics *metrics = NULL;

/* Where nobody can read them. */
static EngineMetrics unread_engine;
static ServerMetrics unread_server;

static const double bounds_ms[] = HISTOGRAM_BOUNDS_MS;

StaticAssertDecl(lengthof(bounds_ms) == HISTOGRAM_PARTS - 1, "a part behind each bound");

Size
metrics_size(void)
{
	return sizeof(Metrics);
}

void
metrics_attach(void *memory, bool found)
{
	metrics = memory;
	if (found)
		return;
	memset(metrics, 0, sizeof(Metrics));
	SpinLockInit(&metrics->mutex);
}

/* Holding the mutex.  One of a database that is gone is still there: its oid comes back only after billions of others. */
static EngineMetrics *
find_engine(TimestampTz now)
{
	EngineMetrics *engine;

	for (int i = 0; i < metrics->ndatabases; i++)
		if (metrics->databases[i].database == MyDatabaseId)
			return &metrics->databases[i];
	if (metrics->ndatabases == METRICS_DATABASES)
		return NULL;
	engine = &metrics->databases[metrics->ndatabases++];
	engine->database = MyDatabaseId;
	engine->since = now;
	return engine;
}

/* Holding the mutex. */
static ServerMetrics *
find_server(const char *name)
{
	ServerMetrics *server;

	for (int i = 0; i < metrics->nservers; i++)
		if (metrics->servers[i].database == MyDatabaseId && strcmp(metrics->servers[i].server, name) == 0)
			return &metrics->servers[i];
	if (metrics->nservers == METRICS_SERVERS)
		return NULL;
	server = &metrics->servers[metrics->nservers++];
	server->database = MyDatabaseId;
	strlcpy(server->server, name, NAMEDATALEN);
	return server;
}

static EngineMetrics *
metrics_of_engine(void)
{
	static EngineMetrics *engine = NULL;
	TimestampTz now;

	if (engine != NULL || metrics == NULL)
		return engine != NULL ? engine : &unread_engine;
	now = GetCurrentTimestamp();
	SpinLockAcquire(&metrics->mutex);
	engine = find_engine(now);
	SpinLockRelease(&metrics->mutex);
	if (engine == NULL)
		engine = &unread_engine;
	return engine;
}

ServerMetrics *
metrics_of_server(const char *name)
{
	ServerMetrics *server;

	if (metrics == NULL)
		return &unread_server;
	SpinLockAcquire(&metrics->mutex);
	server = find_server(name);
	SpinLockRelease(&metrics->mutex);
	return server != NULL ? server : &unread_server;
}

static void
note_time(Histogram *histogram, int64 us)
{
	int			part = 0;

	us = Max(us, 0);
	while (part < HISTOGRAM_PARTS - 1 && us > bounds_ms[part] * 1000)
		part++;
	histogram->parts[part]++;
	histogram->sum_us += us;
}

void
metrics_note_end(ServerMetrics *server, Outcome outcome)
{
	server->ended[outcome]++;
}

void
metrics_note_move(ServerMetrics *server, Hold hold)
{
	server->moved[hold]++;
}

void
metrics_note_reply(ServerMetrics *server, Step step, const ReplyMessage *reply)
{
	/* one that did not get its turn in time was never made */
	if (!reply->too_late)
	{
		server->replies[step][reply->class]++;
		server->responses[step][Min(reply->http_status / 100, STATUS_CLASSES - 1)]++;
	}
	server->requests += reply->api_calls;
	server->token_requests += reply->token_requests;
	server->bytes_sent += reply->bytes_sent;
	server->bytes_received += reply->bytes_received;
	if (server->now.per_minute > 0)
		for (int i = 0; i < reply->api_calls; i++)
			pace_count(&server->pace, monotonic_now());
	server->limited += reply->http_status == 429;
	if (reply->took_us > 0)
		note_time(&server->calls[step], reply->took_us);
}

void
metrics_note_delay(ServerMetrics *server, Delay delay, int64 us)
{
	note_time(&server->delays[delay], us);
}

void
metrics_note_tick(bool failed, int64 us, uint64 wal_bytes)
{
	EngineMetrics *engine = metrics_of_engine();

	engine->ticks++;
	engine->failed_ticks += failed;
	engine->tick_us += us;
	engine->wal_bytes += wal_bytes;
}

void
metrics_set_gauges(ServerMetrics *server, const ServerGauges *gauges)
{
	server->now = *gauges;
}

void
metrics_note_courier(int pid)
{
	EngineMetrics *engine = metrics_of_engine();

	engine->courier_pid = pid;
	engine->couriers += pid != 0;
}

int
metrics_courier_pid(void)
{
	for (int i = 0; metrics != NULL && i < metrics->ndatabases; i++)
		if (metrics->databases[i].database == MyDatabaseId)
			return metrics->databases[i].courier_pid;
	return 0;
}

void
metrics_forget_engine(void)
{
	metrics_of_engine()->courier_pid = 0;
	for (int i = 0; metrics != NULL && i < metrics->nservers; i++)
		if (metrics->servers[i].database == MyDatabaseId)
			metrics->servers[i].now = (ServerGauges) {{0}};
}

/* --- for whoever reads -------------------------------------------------------------- */

/* A row of counters(): a name, up to three labels, a value. */
typedef struct Line
{
	const char *name;
	const char *server;
	const char *label;
	const char *word;
	const char *step;
	double		value;
} Line;

static void
put_line(ReturnSetInfo *result, Line line)
{
	const char *texts[] = {line.name, line.server, line.step, line.label, line.word};
	Datum		values[lengthof(texts) + 1];
	bool		nulls[lengthof(texts) + 1] = {false};

	for (int i = 0; i < lengthof(texts); i++)
	{
		nulls[i] = texts[i] == NULL;
		if (!nulls[i])
			values[i] = CStringGetTextDatum(texts[i]);
	}
	values[lengthof(texts)] = Float8GetDatum(line.value);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* As Prometheus wants it: each part with those below it, all in +Inf. */
static void
put_histogram(ReturnSetInfo *result, const char *name, const char *server, const char *step, const Histogram *histogram)
{
	double		count = 0;

	for (int part = 0; part < HISTOGRAM_PARTS; part++)
	{
		const char *bound = part < HISTOGRAM_PARTS - 1 ? psprintf("%g", bounds_ms[part] / 1000) : "+Inf";

		count += histogram->parts[part];
		put_line(result, (Line) {psprintf("%s_bucket", name), server, "le", bound, step, count});
	}
	put_line(result, (Line) {psprintf("%s_sum", name), server, .step = step, .value = histogram->sum_us / 1e6});
	put_line(result, (Line) {psprintf("%s_count", name), server, .step = step, .value = count});
}

/* As a word of a label. */
static const char *
state_word(DeliveryState state)
{
	char	   *word = pstrdup(delivery_state_name(state));

	for (char *blank = strchr(word, ' '); blank != NULL; blank = strchr(blank, ' '))
		*blank = '_';
	return word;
}

static void
put_gauges(ReturnSetInfo *result, const ServerMetrics *of)
{
	const ServerGauges *gauges = &of->now;
	Monotonic	now = monotonic_now();
	bool		closed = gauges->breaker == CIRCUIT_CLOSED;
	bool		open = !closed && !monotonic_is_reached(gauges->probe_at, now);
	Pace		pace = of->pace;
	int			under_way = 0;

	/* one that is new is in no list */
	for (int state = DELIVERY_NEW + 1; state < DELIVERY_STATE_COUNT; state++)
	{
		under_way += delivery_state_is_under_way(state) ? gauges->states[state] : 0;
		put_line(result, (Line) {"reengage_in_hand", of->server, "state", state_word(state), .value = gauges->states[state]});
	}
	put_line(result, (Line) {"reengage_in_flight", of->server, .value = under_way});
	put_line(result, (Line) {"reengage_breaker", of->server, "state", "closed", .value = closed});
	put_line(result, (Line) {"reengage_breaker", of->server, "state", "half_open", .value = !closed && !open});
	put_line(result, (Line) {"reengage_breaker", of->server, "state", "open", .value = open});
	put_line(result, (Line) {"reengage_next_probe_seconds", of->server, .value = open ? monotonic_ms_until(gauges->probe_at, now) / 1000.0 : 0});
	if (gauges->per_minute == 0)
		return;
	put_line(result, (Line) {"reengage_pace_limit", of->server, .value = gauges->per_minute});
	put_line(result, (Line) {"reengage_pace_left", of->server, .value = Max(pace_room(&pace, gauges->per_minute, now), 0)});
}

static void
put_responses(ReturnSetInfo *result, const ServerMetrics *of)
{
	static const char *const classes[STATUS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

	for (int step = 0; step < STEP_COUNT; step++)
		for (int class = 0; class < STATUS_CLASSES; class++)
			/* an interim answer is none */
			if (class != 1)
				put_line(result, (Line) {"reengage_responses_total", of->server, "code", classes[class], step_name(step), of->responses[step][class]});
}

static void
put_server(ReturnSetInfo *result, const ServerMetrics *of)
{
	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
		put_line(result, (Line) {"reengage_nudges_ended_total", of->server, "outcome", outcome_name(outcome), .value = of->ended[outcome]});
	for (int hold = 0; hold < HOLD_COUNT; hold++)
		put_line(result, (Line) {"reengage_nudges_moved_total", of->server, "hold", hold == HOLD_NONE ? "none" : hold_code(hold), .value = of->moved[hold]});
	put_line(result, (Line) {"reengage_requests_total", of->server, .value = of->requests});
	put_line(result, (Line) {"reengage_rate_limited_total", of->server, .value = of->limited});
	put_line(result, (Line) {"reengage_token_requests_total", of->server, .value = of->token_requests});
	put_line(result, (Line) {"reengage_sent_bytes_total", of->server, .value = of->bytes_sent});
	put_line(result, (Line) {"reengage_received_bytes_total", of->server, .value = of->bytes_received});
	put_responses(result, of);
	put_gauges(result, of);
	put_histogram(result, "reengage_look_delay_seconds", of->server, NULL, &of->delays[DELAY_LOOK]);
	put_histogram(result, "reengage_post_delay_seconds", of->server, NULL, &of->delays[DELAY_POST]);
	for (int step = 0; step < STEP_COUNT; step++)
	{
		for (int class = 0; class < REPLY_CLASS_COUNT; class++)
			put_line(result, (Line) {"reengage_replies_total", of->server, "reply", reply_class_name(class), step_name(step), of->replies[step][class]});
		put_histogram(result, "reengage_call_seconds", of->server, step_name(step), &of->calls[step]);
	}
}

/* Nudges of this database, while they were counted. */
static double
ended_here(void)
{
	double		ended = 0;

	for (int i = 0; i < metrics->nservers; i++)
		for (int outcome = 0; outcome < OUTCOME_COUNT && metrics->servers[i].database == MyDatabaseId; outcome++)
			ended += metrics->servers[i].ended[outcome];
	return ended;
}

static void
put_engine(ReturnSetInfo *result, const EngineMetrics *of)
{
	put_line(result, (Line) {"reengage_ticks_total", .value = of->ticks});
	put_line(result, (Line) {"reengage_ticks_failed_total", .value = of->failed_ticks});
	put_line(result, (Line) {"reengage_tick_seconds_total", .value = of->tick_us / 1e6});
	put_line(result, (Line) {"reengage_wal_bytes_total", .value = of->wal_bytes});
	if (ended_here() > 0)
		put_line(result, (Line) {"reengage_wal_bytes_per_nudge", .value = of->wal_bytes / ended_here()});
	put_line(result, (Line) {"reengage_courier_up", .value = of->courier_pid != 0});
	put_line(result, (Line) {"reengage_courier_starts_total", .value = of->couriers});
	put_line(result, (Line) {"reengage_counting_start_time_seconds", .value = (of->since - SetEpochTimestamp()) / (double) USECS_PER_SEC});
}

Datum
reengage_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; metrics != NULL && i < metrics->ndatabases; i++)
		if (metrics->databases[i].database == MyDatabaseId)
			put_engine(result, &metrics->databases[i]);
	for (int i = 0; metrics != NULL && i < metrics->nservers; i++)
		if (metrics->servers[i].database == MyDatabaseId)
			put_server(result, &metrics->servers[i]);
	return (Datum) 0;
}

/* What is counted meanwhile may be lost, or stay. */
Datum
reengage_reset_metrics(PG_FUNCTION_ARGS)
{
	for (int i = 0; metrics != NULL && i < metrics->ndatabases; i++)
		if (metrics->databases[i].database == MyDatabaseId)
			metrics->databases[i] = (EngineMetrics) {.database = MyDatabaseId, .courier_pid = metrics->databases[i].courier_pid, .since = GetCurrentTimestamp()};
	for (int i = 0; metrics != NULL && i < metrics->nservers; i++)
	{
		ServerMetrics *server = &metrics->servers[i];

		if (server->database == MyDatabaseId)
			memset((char *) server + offsetof(ServerMetrics, ended), 0, sizeof(ServerMetrics) - offsetof(ServerMetrics, ended));
	}
	PG_RETURN_VOID();
}
