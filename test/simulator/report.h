/*
 * report.h: the ledger as a stream, so that its size does not matter.
 */
#ifndef SIMULATOR_REPORT_H
#define SIMULATOR_REPORT_H

#include "exchange.h"

/*
 * Opens the report that lives at this control path, or returns NULL. The
 * request's arguments id, verb and nudge filter it. It shows what the ledger
 * holds now, whatever is added while it is read.
 */
extern struct Report *report_open(const Request *request);

/* Whether the report is CSV. */
extern bool report_is_csv(const struct Report *report);

/* The callbacks of libmicrohttpd. report_free(NULL) does nothing. */
extern ssize_t report_read(void *report, uint64_t position, char *block, size_t size);
extern void report_free(void *report);

#endif
