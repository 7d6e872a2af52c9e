/*
 * meant_node.c: see meant_node.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "store/meant_node.h"
#include "store/small_table.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(reengage_is_meant_node);

typedef struct Joined
{
	const char *name;
} Joined;

/* NULL: it is in no fleet. */
static const char *
name_of_this_node(void)
{
	static const Column columns[] = {COLUMN(TEXT, Joined, name)};
	void	   *rows;

	return small_table_read_for_all("node", columns, lengthof(columns), sizeof(Joined), &rows) > 0 ?
		((const Joined *) rows)->name : NULL;
}

/* Of the class of connections that fail: an outbox keeps the nudge, and a look goes on without the node. */
static void
refuse_meaning(const char *meant, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
			 errmsg("this is not the node \"%s\" that the front means", meant),
			 errdetail("%s", detail),
			 errhint("See where the connection string of the front leads; if this is the node by now: "
					 "SELECT reengage.arm() here, then SELECT reengage_front.refresh() there.")));
}

void
require_meant_node(void)
{
	const char *meant = reengage_meant_node;
	const char *place = strchr(meant, '/');
	const char *name;
	const char *here;

	if (meant[0] == '\0')
		return;
	meant = place == NULL ? meant : pnstrdup(meant, place - meant);
	name = name_of_this_node();
	if (name == NULL)
		refuse_meaning(meant, "This database is in no fleet.");
	if (strcmp(name, meant) != 0)
		refuse_meaning(meant, psprintf("This is node \"%s\".", name));
	here = psprintf("/" UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
	if (place != NULL && strcmp(place, here) != 0)
		refuse_meaning(meant, psprintf("Cluster and database are %s here, and %s there: this is a copy, or was restored, or made by pg_upgrade.",
							   here + 1, place + 1));
	if (store_is_copy())
		refuse_meaning(meant, "It was armed at another site: this is a copy, or the server was moved.");
}

void
meant_node_make_due(TriggerData *trigger, int place)
{
	TupleTableSlot *row = trigger->tg_trigslot;
	int			column = place + 1;
	Datum	   *due_at = &row->tts_values[place];
	bool	   *is_null = &row->tts_isnull[place];

	if (reengage_meant_node[0] == '\0' || *is_null || !TIMESTAMP_IS_NOBEGIN(DatumGetTimestampTz(*due_at)))
		return;
	*due_at = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	trigger->tg_trigtuple = heap_modify_tuple_by_cols(trigger->tg_trigtuple, row->tts_tupleDescriptor, 1, &column, due_at, is_null);
}

/* For a view, of which it is a condition. */
Datum
reengage_is_meant_node(PG_FUNCTION_ARGS)
{
	require_meant_node();
	PG_RETURN_BOOL(true);
}
