/*
 * sessions.h: whether one conversation follows another, without a statement: in
 * lineage, or in what retention has let go of it.  The view reengage_internal.sessions
 * is the same for statements.
 */
#ifndef REENGAGE_SESSIONS_H
#define REENGAGE_SESSIONS_H

#include "postgres.h"

#include "store/lookup.h"

typedef struct Sessions
{
	Lookup		successors;
	Lookup		past_successors;
	Lookup		led_on;
	Lookup		past_led_on;
	bool		has_led_on;
	bool		has_past;
} Sessions;

/* To be read with that snapshot; "led_on": also which conversation another one was led on to. */
extern Sessions sessions_begin(Snapshot snapshot, bool led_on);

/* Does any follow this one? */
extern bool sessions_have_successor(Sessions *sessions, const char *server, const char *conversation_id);

/* May this one follow another, or have ended a nudge of a thread that is not its own? */
extern bool sessions_may_lead_to(Sessions *sessions, const char *conversation_id);

extern void sessions_end(Sessions *sessions);

#endif
