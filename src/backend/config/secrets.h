/*
 * secrets.h: the credentials file, from disk to the courier and nowhere else.
 */
#ifndef REENGAGE_SECRETS_H
#define REENGAGE_SECRETS_H

#include "config/options.h"
#include "credentials.h"

/*
 * Reads the credentials of a server that needs some from
 * reengage.credentials_file.  Returns NULL, or what is wrong and what to do
 * about it (never with a secret in it, and then there is none in *credentials);
 * the caller wipes *credentials after use.  The file is UTF-8, into which the
 * server's name must be convertible.
 */
extern const char *secrets_read(const char *server, const ServerOptions *options,
								Credentials *credentials);

/* A number that changes when the file does; 0: it cannot be looked at. */
extern uint64 secrets_stamp(void);

#endif
