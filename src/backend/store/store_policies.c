/*
 * store_policies.c: policies, and what they ask of the lineage, in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/permitted_at.h"
#include "base/rows.h"
#include "outcome_list.h"
#include "store/statement.h"
#include "store/store_policies.h"

static QuietHours *
result_quiet_hours(int row)
{
	bool		isnull;
	Datum		value = result_column(row, "quiet_hours", &isnull);
	QuietHours *hours;

	if (isnull)
		return NULL;
	hours = palloc(sizeof(QuietHours));
	quiet_hours_read(hours, value);
	return hours;
}

static const Column policy_columns[] = {
	/* by which they are in order */
	READ_BY_HAND("policy_id"),
#define POLICY_COLUMN(c_type, type, name, expression) COLUMN(type, Policy, name),
#include "policy_columns.h"
#undef POLICY_COLUMN
};

int
store_read_policies(MemoryContext context, Policy **policies)
{
	static Statement statement = {
		"SELECT p.policy_id"
#define POLICY_COLUMN(c_type, type, name, expression) ", " expression " AS " #name
#include "policy_columns.h"
#undef POLICY_COLUMN
		" FROM reengage.policies p ORDER BY p.policy_id",
	};
	MemoryContext old;
	Policy	   *read;

	execute(&statement, NULL, SPI_OK_SELECT);
	/* only now: SPI leaves its own as the current one */
	old = MemoryContextSwitchTo(context);
	read = palloc(sizeof(Policy) * Max(SPI_processed, 1));
	read_rows(policy_columns, lengthof(policy_columns), read, sizeof(Policy));
	for (uint64 row = 0; row < SPI_processed; row++)
		read[row].quiet_hours = result_quiet_hours((int) row);
	MemoryContextSwitchTo(old);
	*policies = read;
	return (int) SPI_processed;
}

static const Column count_columns[] = {
	COLUMN(INTEGER, MessageCount, count),
	COLUMN(TIME, MessageCount, last),
};

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
		"     AND l.outcome IN (" OUTCOMES_COUNTED ")" \
		"     AND r.outcome IS DISTINCT FROM 'resolved_not_sent'" \
		"     AND (q.campaign IS NULL OR l.campaign = q.campaign)" \
		"     AND (q.channel IS NULL OR l.channel IS NULL OR l.channel = q.channel)"

	static const Column columns[] = {
		COLUMN(TEXT, CountedMessages, address_hash),
		COLUMN(TEXT, CountedMessages, thread),
		COLUMN(UUID, CountedMessages, nudge_id),
		COLUMN(TEXT, CountedMessages, server),
		COLUMN(TEXT, CountedMessages, campaign),
		COLUMN(TEXT, CountedMessages, channel),
		COLUMN(TIME, CountedMessages, since),
	};
	static Statement statement = {
		"SELECT m.count, m.last"
		" FROM BATCH AS q"
		" CROSS JOIN LATERAL (SELECT pg_catalog.count(*)::pg_catalog.int4 AS count, pg_catalog.max(m.at) AS last FROM ("
		LINEAGE_MESSAGES(IS_TEXT("l.address_hash", "q.address_hash"))
		"   UNION ALL"
		LINEAGE_MESSAGES("l.root_conversation_id = q.thread")
		"   UNION ALL"
		"   SELECT pg_catalog.now() FROM reengage.unresolved u"
		"   CROSS JOIN LATERAL (SELECT n.campaign FROM reengage.nudges n"
		"     WHERE n.nudge_id = u.nudge_id OFFSET 0) n"
		"   WHERE u.address_hash = q.address_hash AND u.server || '' = q.server AND u.nudge_id <> q.nudge_id"
		"     AND (q.campaign IS NULL OR n.campaign = q.campaign)"
		"     AND (q.channel IS NULL OR u.channel IS NULL OR u.channel = q.channel)"
		"   ) m) m"
		" ORDER BY q.place",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, questions, sizeof(CountedMessages), count, SPI_OK_SELECT);
	read_rows(count_columns, lengthof(count_columns), counts, sizeof(MessageCount));
}
