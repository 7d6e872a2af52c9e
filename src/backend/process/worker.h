/*
 * worker.h: the background worker of one database.
 */
#ifndef REENGAGE_WORKER_H
#define REENGAGE_WORKER_H

#include "postgres.h"

/* The argument is the place of its slot in shared memory. */
extern PGDLLEXPORT void reengage_worker_main(Datum arg);

#endif
