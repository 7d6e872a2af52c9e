/*
 * statement.c: preparing and executing.
 */
#include "store/statement.h"

#include "lib/stringinfo.h"

#define BATCH_MARK "BATCH AS "

/* "ROWS FROM (...) WITH ORDINALITY AS b (..., place)", where the statement says "BATCH AS b". */
static void
append_batch(StringInfo sql, const Statement *statement, const char *alias, int length)
{
	appendStringInfoString(sql, "ROWS FROM (");
	for (int i = 0; i < statement->nbatch; i++)
		appendStringInfo(sql, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "", statement->nsingle + i + 1);
	appendStringInfo(sql, ") WITH ORDINALITY AS %.*s (", length, alias);
	for (int i = 0; i < statement->nbatch; i++)
		appendStringInfo(sql, "%s, ", column_name(&statement->batch[i]));
	appendStringInfoString(sql, "place)");
}

static char *
complete_sql(const Statement *statement)
{
	StringInfoData sql;
	const char *rest = statement->sql;

	initStringInfo(&sql);
	for (const char *mark; (mark = strstr(rest, BATCH_MARK)) != NULL;)
	{
		const char *alias = mark + strlen(BATCH_MARK);
		int			length = (int) strspn(alias, "abcdefghijklmnopqrstuvwxyz_");

		appendBinaryStringInfo(&sql, rest, mark - rest);
		append_batch(&sql, statement, alias, length);
		rest = alias + length;
	}
	appendStringInfoString(&sql, rest);
	return sql.data;
}

static SPIPlanPtr
prepare_statement(const Statement *statement)
{
	Oid			types[ARGUMENTS_MAX];
	char	   *sql = complete_sql(statement);
	SPIPlanPtr	plan;

	Assert(statement->nsingle + statement->nbatch <= ARGUMENTS_MAX);
	memcpy(types, statement->types, sizeof(Oid) * statement->nsingle);
	for (int i = 0; i < statement->nbatch; i++)
		types[statement->nsingle + i] = column_array_type(statement->batch[i].type);
	plan = SPI_prepare(sql, statement->nsingle + statement->nbatch, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	pfree(sql);
	SPI_keepplan(plan);
	return plan;
}

void
execute(Statement *statement, Datum *arguments, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	int			result;

	if (statement->plan == NULL)
		statement->plan = prepare_statement(statement);
	result = SPI_execute_plan(statement->plan, arguments, NULL, false, 0);
	/* SPI has left its own, which lives as long as the tick */
	MemoryContextSwitchTo(context);
	if (result != expected)
		elog(ERROR, "\"%s\" ended with %s", statement->sql, SPI_result_code_string(result));
}

void
execute_batch(Statement *statement, const Datum *single, const void *rows, size_t size,
			  int count, int expected)
{
	Datum		arguments[ARGUMENTS_MAX];

	if (statement->nsingle > 0)
		memcpy(arguments, single, sizeof(Datum) * statement->nsingle);
	make_arguments(arguments + statement->nsingle, statement->batch, statement->nbatch, rows, size, count);
	execute(statement, arguments, expected);
}
