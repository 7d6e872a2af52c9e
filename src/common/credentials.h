/*
 * credentials.h: the format of the credentials file.
 *
 *     # comment
 *     [server name]
 *     client_id = ...
 *     client_secret = ...
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
} Credentials;

/*
 * Finds a server's section in the text of a file.  Returns 0, or the number
 * of the first line that cannot be read, with what is wrong in *complaint
 * (never with a value in it).
 */
extern int	credentials_find(const char *text, size_t length, const char *server,
							 Credentials *credentials, const char **complaint);

#endif
