/*
 * store_news.c: see store_news.h.
 */
#include "postgres.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store_news.h"

typedef struct NextLook
{
	int64		ms;
} NextLook;

int
store_tend_news(void)
{
	static const Column columns[] = {COLUMN(BIGINT, NextLook, ms)};
	static Statement statement = {"SELECT reengage_internal.tend_news()::pg_catalog.int8 AS ms"};
	NextLook	next;

	execute(&statement, NULL, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), &next, sizeof(next));
	return (int) next.ms;
}
