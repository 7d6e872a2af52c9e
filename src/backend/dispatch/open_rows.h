/*
 * open_rows.h: opt-outs and answers that open transactions have written.
 *
 * No snapshot shows them, but the table does.  So an application need not keep
 * a lock for each of them until it commits, and may record a million at once.
 */
#ifndef REENGAGE_OPEN_ROWS_H
#define REENGAGE_OPEN_ROWS_H

#include "postgres.h"

typedef struct OpenRows OpenRows;

/*
 * In the current memory context; until the end of the transaction at the latest.
 * Of what is locked before, nothing is missed: where a table has no rows now, it
 * is not looked at.
 */
extern OpenRows *open_rows_begin(void);
extern void open_rows_end(OpenRows *rows);

/* True: somebody is recording an opt-out or an answer of it, or lifting one. */
extern bool open_rows_of_customer(OpenRows *rows, const char *address_hash);
extern bool open_rows_of_thread(OpenRows *rows, const char *root_conversation_id);

#endif
