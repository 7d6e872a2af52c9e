/*
 * manifest.h: the worker closes the days of lineage, beside its engine.
 *
 * When it starts, and once after each midnight in UTC, it writes the rows of
 * lineage_manifest that are missing.  The rows of a day are counted in parts,
 * a transaction each, so that nudges go on meanwhile.
 */
#ifndef REENGAGE_MANIFEST_H
#define REENGAGE_MANIFEST_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/clocks.h"
#include "dispatch/engine.h"
#include "store/store.h"

typedef struct Manifest
{
	TimestampTz next_midnight;	/* before it there is nothing to close */
	Monotonic	not_before;		/* of the next look, after one that found breaker */
	bool		counting;
	DayCount	day;			/* while counting */
	bool		is_open_or_tried;		/* which was said */
} Manifest;

extern void manifest_init(Manifest *manifest);

/*
 * Does a part of what is to be done, if it is time.  Returns the milliseconds
 * until the next turn, of the engine ("timeout") or of the manifest; -1: any.
 */
extern long manifest_turn(Manifest *manifest, EngineCondition condition, long timeout);

#endif
