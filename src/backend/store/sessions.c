/*
 * sessions.c: see sessions.h.
 */
#include "postgres.h"

#include "store/sessions.h"

Sessions
sessions_begin(Snapshot snapshot, bool led_on)
{
	Sessions	sessions = {.has_led_on = led_on, .has_past = !table_is_empty("past_sessions")};

	sessions.successors = lookup_begin_texts("lineage", "lineage_successor", 2, snapshot);
	if (led_on)
		sessions.led_on = lookup_begin_number("lineage", "lineage_conversation", snapshot);
	if (sessions.has_past)
		sessions.past_successors = lookup_begin_texts("past_sessions", "past_sessions_successor", 2, snapshot);
	if (sessions.has_past && led_on)
		sessions.past_led_on = lookup_begin_number("past_sessions", "past_sessions_conversation", snapshot);
	return sessions;
}

bool
sessions_have_successor(Sessions *sessions, const char *server, const char *conversation_id)
{
	return lookup_has(&sessions->successors, server, conversation_id) ||
		(sessions->has_past && lookup_has(&sessions->past_successors, server, conversation_id));
}

bool
sessions_may_lead_to(Sessions *sessions, const char *conversation_id)
{
	Assert(sessions->has_led_on);
	return lookup_may_have(&sessions->led_on, conversation_id) ||
		(sessions->has_past && lookup_may_have(&sessions->past_led_on, conversation_id));
}

void
sessions_end(Sessions *sessions)
{
	lookup_end(&sessions->successors);
	if (sessions->has_led_on)
		lookup_end(&sessions->led_on);
	if (sessions->has_past)
		lookup_end(&sessions->past_successors);
	if (sessions->has_past && sessions->has_led_on)
		lookup_end(&sessions->past_led_on);
}
