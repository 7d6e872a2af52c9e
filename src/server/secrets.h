/*
 * secrets.h: the credentials file, from disk to the courier and nowhere else.
 */
#ifndef REENGAGE_SECRETS_H
#define REENGAGE_SECRETS_H

#include "credentials.h"

/*
 * Reads a server's credentials from reengage.credentials_file.  Returns NULL,
 * or what is wrong and what to do about it (never with a secret in it); the
 * caller wipes *credentials after use.  The file is UTF-8, into which the
 * server's name must be convertible.
 */
extern const char *secrets_read(const char *server, Credentials *credentials);

/* A number that changes when the file does; 0: it cannot be looked at. */
extern uint64 secrets_stamp(void);

#endif
