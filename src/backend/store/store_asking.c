/*
 * store_asking.c: see store_asking.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/rows.h"
#include "store/lookup.h"
#include "store/statement.h"
#include "store/store_asking.h"

void
store_cancel_older(const pg_uuid_t *newer, int count)
{
	static Statement statement = {"SELECT reengage_internal.cancel_older($1)", 1, {UUIDARRAYOID}};
	Datum		argument = uuid_array(newer, count);

	execute(&statement, &argument, SPI_OK_SELECT);
}

void
store_make_address_key(void)
{
	static Statement statement = {"SELECT reengage_internal.make_address_key()"};

	execute(&statement, NULL, SPI_OK_SELECT);
}

/* Without a statement: each INSERT asks, and there mostly is none. */
bool
store_has_max_due(void)
{
	Relation	policies = open_table("policies", AccessShareLock, ACL_SELECT);
	int			place = column_place(RelationGetDescr(policies), "max_due");
	TupleTableSlot *policy = table_slot_create(policies, NULL);
	TableScanDesc scan = table_begin(policies, GetActiveSnapshot());
	bool		found = false;

	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, policy))
		found = !slot_attisnull(policy, place + 1);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(policy);
	table_close(policies, NoLock);
	return found;
}

void
store_check_max_due(const char *server, const char *role)
{
	static Statement statement = {"SELECT reengage_internal.check_max_due($1, $2)", 2, {TEXTOID, TEXTOID}};
	Datum		arguments[] = {CStringGetTextDatum(server), CStringGetTextDatum(role)};

	execute(&statement, arguments, SPI_OK_SELECT);
}
