/*
 * own_transaction.c: see own_transaction.h.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "functions/own_transaction.h"

PG_FUNCTION_INFO_V1(reengage_require_own_transaction);

void
refuse_transaction_block(const char *procedure)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
			 errmsg("%s must be called outside of a transaction block", procedure),
			 errdetail("It commits as it goes."),
			 errhint("CALL it by itself, not inside BEGIN ... COMMIT or a function.")));
}

/* What PL/pgSQL runs is in its own connection to SPI, which knows whether it may commit. */
Datum
reengage_require_own_transaction(PG_FUNCTION_ARGS)
{
	if (!SPI_inside_nonatomic_context())
		refuse_transaction_block(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}
