/*
 * store_policies.c: policies, and what they ask of the lineage, in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/permitted_at.h"
#include "base/rows.h"
#include "store/statement.h"
#include "store/store_policies.h"

/* The columns of the statement that reads the table. */
enum
{
	SERVER = 1, CAMPAIGN, CHANNEL, QUIET_HOURS, TIME_ZONE, CAP, CAP_INTERVAL,
	MINIMUM_GAP, HOLDOUT_PERCENT, HOLDOUT_SALT, MAX_LENGTH,
	MAX_PER_MINUTE
};

static int64
result_microseconds(int row, int column)
{
	bool		isnull;
	Datum		value = result(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static QuietHours *
result_quiet_hours(int row)
{
	bool		isnull;
	Datum		value = result(row, QUIET_HOURS, &isnull);
	QuietHours *hours;

	if (isnull)
		return NULL;
	hours = palloc(sizeof(QuietHours));
	quiet_hours_read(hours, value);
	return hours;
}

static double
result_percent(int row)
{
	bool		isnull;
	Datum		value = result(row, HOLDOUT_PERCENT, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

int
store_read_policies(MemoryContext context, Policy **policies)
{
	static Statement statement = {
		"SELECT p.server, p.campaign, p.channel, p.quiet_hours, p.time_zone,"
		" coalesce(p.cap, -1),"
		" (extract(epoch FROM p.cap_interval) * 1000000)::pg_catalog.int8,"
		" (extract(epoch FROM p.minimum_gap) * 1000000)::pg_catalog.int8,"
		" p.holdout_percent::pg_catalog.float8, p.holdout_salt, coalesce(p.max_length, 0),"
		" coalesce(p.max_per_minute, 0)"
		" FROM reengage.policies p ORDER BY p.policy_id",
		0, {0}
	};
	MemoryContext old;
	Policy	   *read;

	execute(&statement, NULL, SPI_OK_SELECT);
	/* only now: SPI leaves its own as the current one */
	old = MemoryContextSwitchTo(context);
	read = palloc(sizeof(Policy) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
		read[row] = (Policy) {
			.server = result_text(row, SERVER),
			.campaign = result_text(row, CAMPAIGN),
			.channel = result_text(row, CHANNEL),
			.quiet_hours = result_quiet_hours(row),
			.time_zone = result_text(row, TIME_ZONE),
			.cap = result_integer(row, CAP),
			.cap_interval = result_microseconds(row, CAP_INTERVAL),
			.minimum_gap = result_microseconds(row, MINIMUM_GAP),
			.holdout = result_percent(row),
			.holdout_salt = result_text(row, HOLDOUT_SALT),
			.max_length = result_integer(row, MAX_LENGTH),
			.max_per_minute = result_integer(row, MAX_PER_MINUTE),
		};
	MemoryContextSwitchTo(old);
	*policies = read;
	return (int) SPI_processed;
}

void
store_count_messages(const CountedMessages *questions, int count, MessageCount *counts)
{
	/*
	 * The server is compared as an expression, so that only the index of the
	 * customer, or of the thread, can be used.  A call that is to be made again
	 * may have its effect at any time, so it is as of now.
	 */
#define LINEAGE_MESSAGES(which) \
		"   SELECT l.occurred_at AS at FROM reengage.lineage l" \
		"   LEFT JOIN LATERAL (SELECT r.outcome FROM reengage.lineage r" \
		"     WHERE r.resolves = l.lineage_id OFFSET 0) r ON true" \
		"   WHERE " which " AND l.server || '' = q.server" \
		"     AND l.occurred_at > q.since" \
		"     AND l.outcome IN ('notified', 'session_created', 'session_continued', 'in_doubt')" \
		"     AND r.outcome IS DISTINCT FROM 'resolved_not_sent'" \
		"     AND (q.campaign IS NULL OR l.campaign = q.campaign)" \
		"     AND (q.channel IS NULL OR l.channel IS NULL OR l.channel = q.channel)"

	static Statement statement = {
		"SELECT m.count, m.last"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"   pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7))"
		"   WITH ORDINALITY AS q (customer, thread, nudge_id, server, campaign, channel, since, place)"
		" CROSS JOIN LATERAL (SELECT pg_catalog.count(*)::pg_catalog.int4 AS count, pg_catalog.max(m.at) AS last FROM ("
		LINEAGE_MESSAGES("l.address_hash = q.customer")
		"   UNION ALL"
		LINEAGE_MESSAGES("l.root_conversation_id = q.thread")
		"   UNION ALL"
		"   SELECT pg_catalog.now() FROM reengage.unresolved u"
		"   CROSS JOIN LATERAL (SELECT n.campaign FROM reengage.nudges n"
		"     WHERE n.nudge_id = u.nudge_id OFFSET 0) n"
		"   WHERE u.address_hash = q.customer AND u.server || '' = q.server AND u.nudge_id <> q.nudge_id"
		"     AND (q.campaign IS NULL OR n.campaign = q.campaign)"
		"     AND (q.channel IS NULL OR u.channel IS NULL OR u.channel = q.channel)"
		"   ) m) m"
		" ORDER BY q.place",
		7, {TEXTARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TIMESTAMPTZARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_TEXT, offsetof(CountedMessages, address_hash)},
		{COLUMN_TEXT, offsetof(CountedMessages, thread)},
		{COLUMN_UUID, offsetof(CountedMessages, nudge_id)},
		{COLUMN_TEXT, offsetof(CountedMessages, server)},
		{COLUMN_TEXT, offsetof(CountedMessages, campaign)},
		{COLUMN_TEXT, offsetof(CountedMessages, channel)},
		{COLUMN_TIME, offsetof(CountedMessages, since)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), questions, sizeof(CountedMessages), count);
	execute(&statement, arguments, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		counts[row] = (MessageCount) {result_integer(row, 1), result_time(row, 2, 0)};
}
