/*
 * wait_events.c: see wait_events.h.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/wait_events.h"

static const char *const names[] = {
	[WAIT_FOR_WORK] = "ReengageWork",
	[WAIT_FOR_SILENCE] = "ReengageSilence",
	[WAIT_FOR_MOVE] = "ReengageMove",
	[WAIT_AS_LAUNCHER] = "ReengageLauncher",
};

uint32
wait_event(WaitEventOfOurs event)
{
	static uint32 events[lengthof(names)];

	if (events[event] == 0)
		events[event] = new_wait_event(names[event]);
	return events[event];
}
