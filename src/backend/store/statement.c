/*
 * statement.c: preparing and executing.
 */
#include "store/statement.h"

void
execute(Statement *statement, Datum *arguments, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->narguments, statement->types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", statement->sql,
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	result = SPI_execute_plan(statement->plan, arguments, NULL, false, 0);
	/* SPI has left its own, which lives as long as the tick */
	MemoryContextSwitchTo(context);
	if (result != expected)
		elog(ERROR, "\"%s\" ended with %s", statement->sql, SPI_result_code_string(result));
}
