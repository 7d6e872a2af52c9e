/*
 * import_record.h: what the fields of a record of history mean.
 */
#ifndef REENGAGE_IMPORT_RECORD_H
#define REENGAGE_IMPORT_RECORD_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Where to write to; NULL: it cannot be read.  "fits": a nudge takes it, whatever its length. */
typedef struct ReadAddress
{
	const char *spelling;		/* as it is sent to */
	const char *form;			/* as it is compared */
	bool		fits;
} ReadAddress;

/*
 * A DateOrder of written_time.h, which PostgreSQL has a variable of the name of;
 * an error where there is no such order; NULL: none was said.
 */
extern int	date_order_named(const char *name);

/* False: it cannot be read, or not without doubt, or nothing is said. */
extern bool record_time(const char *said, int date_order, TimestampTz *time);

extern ReadAddress record_address(const char *said, const char *channel, const char *country_code);

/* Whether a nudge takes it, whatever its length. */
extern bool record_channel_fits(const char *channel);

#endif
