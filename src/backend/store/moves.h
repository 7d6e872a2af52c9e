/*
 * moves.h: servers that have moved, or are being moved, to another node of a fleet.
 */
#ifndef REENGAGE_MOVES_H
#define REENGAGE_MOVES_H

#include "postgres.h"

/*
 * To be asked by whoever is about to write something of a server: an error if it
 * has left for another node or has not arrived; waits for one that is just arriving.
 * What this takes until the end of the transaction tells a move for whom to wait.
 */
extern void moves_admit(const char *server);

/* The node that a server has left for, or NULL: none, as far as is known. */
extern char *moves_went_to(const char *server);

#endif
