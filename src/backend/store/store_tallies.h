/*
 * store_tallies.h: how many nudges there are in each state, kept by whoever
 * changes one: see sql/16_tallies.sql.
 */
#ifndef REENGAGE_STORE_TALLIES_H
#define REENGAGE_STORE_TALLIES_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/rel.h"

/* What a statement or a tick changes, one number for each server, campaign, role and state. */
typedef struct Tallies Tallies;

/* The table "nudges" is open. */
extern Tallies *tallies_begin(Relation nudges);

/* So many more, or fewer, are in that state, of the kind of that row of "nudges"; its reason may be NULL. */
extern void tallies_add(Tallies *tallies, TupleTableSlot *nudge, const char *state, const char *reason, int change);

/* Writes what has changed; a failure takes it back with all else. */
extern void tallies_end(Tallies *tallies);

#endif
