/*
 * canonical.h: the canonical text of a value of lineage, in UTF-8.
 *
 * The same as reengage.canonical() in SQL, which is how others compute it, and 30
 * times as fast: test and compare them where either changes.
 */
#ifndef REENGAGE_CANONICAL_H
#define REENGAGE_CANONICAL_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Appends the text of a value, or ~n; an error for a type that lineage does not have. */
extern void append_canonical(StringInfo text, Oid type, Datum value, bool isnull);

/* Appends a line for each leaf, in the order of their bytes; canonical_json.c. */
extern void append_canonical_json(StringInfo text, Jsonb *value);

/* In UTF-8, if the database has an encoding and UTF-8 has it all; "length" becomes that of the result, which may be the text itself. */
extern const char *canonical_bytes(const char *text, int *length);

#endif
