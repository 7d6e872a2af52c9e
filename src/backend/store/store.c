/*
 * store.c: the fence and the schedule in SQL; its neighbours have the rest.
 *
 * Everything is done for a batch at once: rows go in as parallel arrays.
 *
 * A plan may be made while a table is empty and used when it is large, so the
 * statements leave no choice that would then be wrong: "= ANY" of the batch
 * beside a join, OFFSET 0, which keeps a lookup a lookup (an EXISTS, too, which
 * else may read the whole table into a hash), and partial indexes of which each
 * statement can use but one, as it does not say what they are of otherwise.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "base/site.h"
#include "store/lookup.h"
#include "store/small_table.h"
#include "store/statement.h"
#include "store/store.h"


/* --- the fence ---------------------------------------------------------- */

typedef struct Identity
{
	int64		system_identifier;
	Oid			database_oid;
	const char *site;
	int			timeline;
} Identity;

static const Column identity_columns[] = {
	COLUMN(BIGINT, Identity, system_identifier),
	COLUMN(OID, Identity, database_oid),
	COLUMN(TEXT, Identity, site),
	COLUMN(INTEGER, Identity, timeline),
};

static bool
is_of_this_site(const Identity *identity)
{
	return identity->system_identifier == (int64) GetSystemIdentifier() && identity->database_oid == MyDatabaseId &&
		strcmp(identity->site, site_name()) == 0;
}

static bool
is_armed_here(void)
{
	void	   *rows;
	int			count = small_table_read("identity", identity_columns, lengthof(identity_columns), sizeof(Identity), &rows);

	for (int i = 0; i < count; i++)
	{
		const Identity *identity = (const Identity *) rows + i;

		if (is_of_this_site(identity) && identity->timeline == site_timeline())
			return true;
	}
	return false;
}

bool
store_is_copy(void)
{
	void	   *rows;

	return small_table_read_for_all("identity", identity_columns, lengthof(identity_columns), sizeof(Identity), &rows) > 0 &&
		!is_of_this_site(rows);
}

const char *
store_fence_complaint(void)
{
	static Statement complaint = {"SELECT reengage_internal.fence_complaint()"};
	static Statement follow = {"UPDATE reengage.identity SET timeline = $1", 1, {INT4OID}};
	static Statement begin_epoch = {"SELECT reengage_internal.lineage_position()"};
	const char *reason;
	Datum		timeline = Int32GetDatum(site_timeline());

	if (is_armed_here())
		return NULL;
	execute(&complaint, NULL, SPI_OK_SELECT);
	reason = result_text(0);
	if (reason != NULL)
		return reason;
	/* a promotion that may go on: it is this timeline from now on */
	execute(&follow, &timeline, SPI_OK_UPDATE);
	execute(&begin_epoch, NULL, SPI_OK_SELECT);
	return NULL;
}

List *
store_paused_servers(void)
{
	/* what is moved rests, too, whoever calls resume() */
	static Statement statement = {
		"SELECT p.server FROM reengage.pauses p"
		" UNION ALL SELECT m.server FROM reengage.server_moves m WHERE m.state <> ALL ('{leaving,arrived}')"
		/* as moves_admit() has it */
		" OR (m.state = 'arrived' AND m.kept IS NOT NULL AND m.changed_at < pg_catalog.pg_postmaster_start_time())"
	};

	if (table_is_empty("pauses") && table_is_empty("server_moves"))
		return NIL;
	execute(&statement, NULL, SPI_OK_SELECT);
	return result_names();
}

/* --- the schedule ------------------------------------------------------ */

void
store_move(const MoveRow *rows, int count)
{
	static const Column columns[] = {
		COLUMN(UUID, MoveRow, nudge_id),
		COLUMN(TIME, MoveRow, due_at),
		COLUMN(INTEGER, MoveRow, attempt),
		COLUMN(INTEGER, MoveRow, refusals),
		COLUMN(INTEGER, MoveRow, api_calls),
		COLUMN(TEXT, MoveRow, hold),
		COLUMN(TEXT, MoveRow, hold_reason),
		COLUMN(TEXT, MoveRow, address_hash),
	};
	static Statement statement = {
		"UPDATE reengage.due d SET due_at = m.due_at, attempt = m.attempt, refusals = m.refusals,"
		" fencing_token = d.fencing_token + 1, api_calls = m.api_calls, hold = m.hold, hold_reason = m.hold_reason,"
		" address_hash = coalesce(d.address_hash, m.address_hash)"
		" FROM BATCH AS m"
		" WHERE d.nudge_id = m.nudge_id AND d.nudge_id = ANY ($1)",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(MoveRow), count, SPI_OK_UPDATE);
}
