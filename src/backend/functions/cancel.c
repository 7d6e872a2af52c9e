/*
 * cancel.c: reengage.cancel() and its siblings: by which right.
 *
 * What is written needs rights that a caller has not, and who the caller is
 * does not show in a SECURITY DEFINER function; so this one looks, and then
 * goes on as its owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/names.h"

PG_FUNCTION_INFO_V1(reengage_cancel);

#define ARGUMENTS_MAX 8

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

/*
 * What goes on in its place: NAME_for(the same, caller, may_cancel_all).  To be
 * asked as the owner: its schema is closed to who calls us.
 */
static Oid
rest_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	Oid			types[ARGUMENTS_MAX];
	int			count;
	List	   *name;
	Oid			rest;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	count = form->pronargs;
	Assert(count + 2 <= ARGUMENTS_MAX);
	memcpy(types, form->proargtypes.values, sizeof(Oid) * count);
	types[count++] = TEXTOID;
	types[count++] = BOOLOID;
	name = list_make2(makeString(pstrdup(INTERNAL_SCHEMA)), makeString(psprintf("%s_for", NameStr(form->proname))));
	rest = LookupFuncName(name, count, types, false);
	ReleaseSysCache(tuple);
	return rest;
}

/* With two more arguments. */
static Datum
go_on(FunctionCallInfo fcinfo, Oid function, Datum caller, Datum may_cancel_all)
{
	LOCAL_FCINFO(call, ARGUMENTS_MAX);
	FmgrInfo	info;
	int			count = PG_NARGS();
	Datum		answer;

	fmgr_info(function, &info);
	InitFunctionCallInfoData(*call, &info, count + 2, DEFAULT_COLLATION_OID, NULL, NULL);
	for (int i = 0; i < count; i++)
		call->args[i] = fcinfo->args[i];
	call->args[count] = (NullableDatum) {.value = caller, .isnull = false};
	call->args[count + 1] = (NullableDatum) {.value = may_cancel_all, .isnull = false};
	answer = FunctionCallInvoke(call);
	fcinfo->isnull = call->isnull;
	return answer;
}

Datum
reengage_cancel(PG_FUNCTION_ARGS)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	Oid			operator = get_role_oid(OPERATOR_ROLE, true);
	Oid			caller;
	int			context;
	bool		may_cancel_all;
	Datum		answer;

	GetUserIdAndSecContext(&caller, &context);
	may_cancel_all = OidIsValid(operator) && has_privs_of_role(caller, operator);
	/* an error restores the user */
	SetUserIdAndSecContext(owner_of(function), context | SECURITY_LOCAL_USERID_CHANGE);
	answer = go_on(fcinfo, rest_of(function), CStringGetTextDatum(GetUserNameFromId(caller, false)),
				   BoolGetDatum(may_cancel_all));
	SetUserIdAndSecContext(caller, context);
	return answer;
}
