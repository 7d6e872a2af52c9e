/*
 * launcher.h: the static background worker that keeps one worker running for
 * each database in reengage.databases.
 */
#ifndef REENGAGE_LAUNCHER_H
#define REENGAGE_LAUNCHER_H

#include "postgres.h"

/* For _PG_init, when preloaded. */
extern void launcher_register(void);

extern PGDLLEXPORT void reengage_launcher_main(Datum arg);

#endif
