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
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
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

static Oid
cancel_for(void)
{
	Oid			types[] = {UUIDOID, TEXTOID, BOOLOID};
	List	   *name = list_make2(makeString(pstrdup("reengage")), makeString(pstrdup("cancel_for")));

	return LookupFuncName(name, lengthof(types), types, false);
}

Datum
reengage_cancel(PG_FUNCTION_ARGS)
{
	Oid			operator = get_role_oid(OPERATOR_ROLE, true);
	Oid			caller;
	int			context;
	bool		may_cancel_all;
	Datum		answer;

	GetUserIdAndSecContext(&caller, &context);
	may_cancel_all = OidIsValid(operator) && has_privs_of_role(caller, operator);
	/* an error restores the user */
	SetUserIdAndSecContext(owner_of(fcinfo->flinfo->fn_oid), context | SECURITY_LOCAL_USERID_CHANGE);
	answer = OidFunctionCall3(cancel_for(), PG_GETARG_DATUM(0),
							  CStringGetTextDatum(GetUserNameFromId(caller, false)),
							  BoolGetDatum(may_cancel_all));
	SetUserIdAndSecContext(caller, context);
	PG_RETURN_DATUM(answer);
}
