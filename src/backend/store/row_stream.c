/*
 * row_stream.c: see row_stream.h.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "store/row_stream.h"

static void
end_receiving(DestReceiver *receiver)
{
}

void
stream_rows(const char *query, DestReceiver *receiver)
{
	SPIExecuteOptions options = {.read_only = true, .dest = receiver};

	receiver->rShutdown = receiver->rDestroy = end_receiving;
	/* no one that SPI knows more of */
	receiver->mydest = DestTuplestore;
	SPI_connect();
	if (SPI_execute_extended(query, &options) != SPI_OK_SELECT)
		elog(ERROR, "a query without rows was to be streamed");
	SPI_finish();
}
