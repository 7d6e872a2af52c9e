/*
 * store_asking.h: what SQL knows and does about nudges that are being asked for.
 * Of a session, connected to SPI but where it says so.
 */
#ifndef REENGAGE_STORE_ASKING_H
#define REENGAGE_STORE_ASKING_H

#include "postgres.h"

#include "utils/uuid.h"

/* Cancels what these take the place of. */
extern void store_cancel_older(const pg_uuid_t *newer, int count);

/* The key of address hashes, if there is none yet. */
extern void store_make_address_key(void);

/* Whether any policy has a max_due.  Needs no SPI. */
extern bool store_has_max_due(void);

/* An error if the role has more due there than policies allow. */
extern void store_check_max_due(const char *server, const char *role);

#endif
