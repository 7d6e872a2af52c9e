/*
 * journal.h: the ledger's file, one JSON object a line.
 */
#ifndef SIMULATOR_JOURNAL_H
#define SIMULATOR_JOURNAL_H

#include "row.h"

/* Opens settings.ledger_file for appending, if there is one; false with a message on stderr. */
extern bool journal_open(void);

/* Appends {"request":{...}} or {"effect":{...}}; on disk within a second. */
extern void journal_append(const Row *row);

/* Returns when all that was appended is on disk; false if that failed. */
extern bool journal_sync(void);

/* The same, for the last time. */
extern bool journal_close(void);

#endif
