/*
 * import_staging.h: puts records of history into the staging table of an import.
 */
#ifndef REENGAGE_IMPORT_STAGING_H
#define REENGAGE_IMPORT_STAGING_H

#include "postgres.h"

typedef struct Staging Staging;

/* pg_temp.reengage_import_staging, which has a text column for each of the columns behind its own. */
extern Staging *staging_open(int columns);

/*
 * One record.  "line" and "field_count" are 0 where a source has none; NULL
 * texts are null.  "complaint" is the reason that it has by its form alone;
 * then its texts are kept as they are, however many there are.
 */
typedef struct StagedRecord
{
	uint64		line;
	int			field_count;
	const char *complaint;
	int			count;
	const char **texts;			/* in the database's encoding */
} StagedRecord;

extern void staging_add(Staging *staging, const StagedRecord *record);

/* How many there were. */
extern int64 staging_close(Staging *staging);

#endif
