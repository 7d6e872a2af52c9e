/*
 * credentials.h: the format of the credentials file.
 *
 *     # comment
 *     [server name]
 *     client_id = ...
 *     client_secret = ...
 *     host = api.example.com, login.example.com
 *     database = ...
 *
 * The hosts are those that may be sent what the credentials are good for; the
 * database, without which it is any, is the one that may make use of them.
 *
 * Blanks around names and values are dropped; a value is everything else on
 * its line, so a secret may contain '=', '#' and quotes.
 */
#ifndef REENGAGE_CREDENTIALS_H
#define REENGAGE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#define CREDENTIAL_MAX 1024		/* longest id or secret, in bytes */

typedef struct Credentials
{
	bool		found;			/* the section exists */
	char		client_id[CREDENTIAL_MAX + 1];
	char		client_secret[CREDENTIAL_MAX + 1];
	char		host[CREDENTIAL_MAX + 1];	/* pins, see url.h */
	char		database[CREDENTIAL_MAX + 1];	/* empty: any */
} Credentials;

/*
 * Finds a server's section in the text of a file.  Returns 0, or the number
 * of the first line that cannot be read, with what is wrong in *complaint
 * (never with a value in it).
 */
extern int	credentials_find(const char *text, size_t length, const char *server,
							 Credentials *credentials, const char **complaint);

#endif
