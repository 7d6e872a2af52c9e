/*
 * row.h: an entry of the ledger as a row of named values, in JSON or CSV.
 */
#ifndef SIMULATOR_ROW_H
#define SIMULATOR_ROW_H

#include <json-c/printbuf.h>

#include "ledger.h"

#define ROW_VALUES_MAX 24

typedef struct RowValue
{
	const char *name;
	enum
	{
		ROW_NUMBER,
		ROW_BOOLEAN,
		ROW_TEXT
	}			kind;
	int64_t		number;			/* or boolean */
	const char *text;			/* may be NULL */
} RowValue;

typedef struct Row
{
	const char *kind;			/* "request" or "effect" */
	size_t		count;
	RowValue	values[ROW_VALUES_MAX];
} Row;

/* The texts of a row belong to its entry. The row itself is valid until the next call. */
extern const Row *row_of_request(uint64_t sequence, const RequestEntry *entry);
extern const Row *row_of_effect(const EffectEntry *entry);

/* The value with this name; it must exist. */
extern const char *row_text(const Row *row, const char *name);

extern void row_write_json(struct printbuf *buffer, const Row *row);
extern void row_write_csv(struct printbuf *buffer, const Row *row);
extern void row_write_csv_header(struct printbuf *buffer, const Row *row);

#endif
