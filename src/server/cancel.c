/*
 * cancel.c: reengage.cancel(): whose nudge it is, and by which right.
 *
 * What is written needs rights that a caller has not, and who the caller is
 * does not show in a SECURITY DEFINER function; so this one looks, and then
 * goes on as its owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(reengage_cancel);

#define OPERATOR_ROLE "reengage_operator"

static Oid
owner_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* In the memory context of the caller. */
static char *
cancel(Datum nudge_id, const char *caller, bool any)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			types[] = {UUIDOID, TEXTOID, BOOLOID};
	Datum		values[] = {nudge_id, CStringGetTextDatum(caller), BoolGetDatum(any)};
	char	   *answer;

	SPI_connect();
	if (SPI_execute_with_args("SELECT reengage.cancel_for($1, $2, $3)", 3, types, values, NULL,
							  false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "reengage.cancel_for() failed");
	answer = MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return answer;
}

Datum
reengage_cancel(PG_FUNCTION_ARGS)
{
	Oid			operator = get_role_oid(OPERATOR_ROLE, true);
	Oid			caller;
	int			context;
	char	   *answer;

	GetUserIdAndSecContext(&caller, &context);
	/* an error restores the user */
	SetUserIdAndSecContext(owner_of(fcinfo->flinfo->fn_oid), context | SECURITY_LOCAL_USERID_CHANGE);
	answer = cancel(PG_GETARG_DATUM(0), GetUserNameFromId(caller, false),
					OidIsValid(operator) && has_privs_of_role(caller, operator));
	SetUserIdAndSecContext(caller, context);
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}
