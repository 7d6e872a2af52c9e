/*
 * wait_events.h: what pg_stat_activity shows of a process of ours that waits,
 * from version 17 on; before, all waits of extensions have one name.
 */
#ifndef REENGAGE_WAIT_EVENTS_H
#define REENGAGE_WAIT_EVENTS_H

#include "postgres.h"

typedef enum WaitEventOfOurs
{
	WAIT_FOR_WORK,				/* "ReengageWork": the worker, for its latch, the courier or the time */
	WAIT_FOR_SILENCE,			/* "ReengageSilence": pause(), until nothing can leave any more */
	WAIT_FOR_MOVE,				/* "ReengageMove": whoever asks for nudges of a server that is just arriving */
	WAIT_AS_LAUNCHER			/* "ReengageLauncher" */
} WaitEventOfOurs;

extern uint32 wait_event(WaitEventOfOurs event);

#endif
