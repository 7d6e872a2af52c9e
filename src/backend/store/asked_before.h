/*
 * asked_before.h: whether an id was asked for before, by nudges that retention
 * has let go.
 */
#ifndef REENGAGE_ASKED_BEFORE_H
#define REENGAGE_ASKED_BEFORE_H

#include "postgres.h"

#include "utils/uuid.h"

/* Was the id made for this very row, so that nobody can have asked for it before?  Most are.  To be asked once. */
extern bool nudge_id_is_new(const pg_uuid_t *nudge_id);

/* Were all ids new of which this transaction has asked that? */
extern bool nudge_ids_are_new(void);

/* Was it let go?  Whoever asks needs no right for that; what others have committed by now counts. */
extern bool nudge_was_pruned(const pg_uuid_t *nudge_id);

#endif
