/*
 * secrets.c: reading the credentials file with the care that it needs.
 *
 * A file and not a table or a setting: those are dumped, replicated, logged
 * on reload and readable by monitoring roles.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hashfn.h"
#include "storage/fd.h"

#include "base/rows.h"
#include "base/settings.h"
#include "config/secrets.h"
#include "url.h"

/* Hundreds of servers. */
#define FILE_MAX (256 * 1024)

/*
 * As PostgreSQL has it of ssl_key_file: whoever hands out secrets to machines
 * often makes files of root's, which the server may read as one of a group.
 */
static const char *
permission_complaint(const struct stat *status)
{
	bool		of_root = status->st_uid == 0;
	mode_t		forbidden = of_root ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;

	if (!S_ISREG(status->st_mode))
		return psprintf("credentials file \"%s\" is not a regular file", reengage_credentials_file);
	if (status->st_uid != geteuid() && !of_root)
		return psprintf("credentials file \"%s\" must belong to the user that runs the server, or to root",
						reengage_credentials_file);
	if (status->st_mode & forbidden)
		return psprintf("credentials file \"%s\" has mode %04o: chmod it %s",
						reengage_credentials_file, (unsigned) status->st_mode & 07777,
						of_root ? "0640, with a group of the user that runs the server" :
						"0600, as only its owner may have access");
	if (status->st_size > FILE_MAX)
		return psprintf("credentials file \"%s\" is larger than %d kB",
						reengage_credentials_file, FILE_MAX / 1024);
	return NULL;
}

/* The text of the file, to be wiped and freed; NULL with the complaint. */
static char *
read_file(size_t *length, const char **complaint)
{
	/* a pipe would let the worker wait for whoever writes into it */
	int			file = OpenTransientFile(reengage_credentials_file, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat status;
	char	   *text = NULL;
	ssize_t		got;

	if (file < 0)
	{
		*complaint = psprintf("could not open credentials file \"%s\": %m", reengage_credentials_file);
		return NULL;
	}
	if (fstat(file, &status) < 0)
		*complaint = psprintf("could not stat credentials file \"%s\": %m", reengage_credentials_file);
	else
		*complaint = permission_complaint(&status);
	if (*complaint == NULL)
	{
		text = palloc(status.st_size + 1);
		got = read(file, text, status.st_size);
		*length = Max(got, 0);
		if (got < 0)
			*complaint = psprintf("could not read credentials file \"%s\": %m", reengage_credentials_file);
	}
	CloseTransientFile(file);
	return text;
}

/* As the file has to name them: "api.example.com, login.example.com". */
static char *
hosts_of(const ServerOptions *options)
{
	const char *api;
	const char *login;
	int			api_length = url_host_length(options->courier.api_url, &api);
	int			login_length = url_host_length(options->courier.login_url, &login);

	if (api_length == login_length && pg_strncasecmp(api, login, api_length) == 0)
		return psprintf("%.*s", api_length, api);
	return psprintf("%.*s, %.*s", api_length, api, login_length, login);
}

/*
 * Whoever may make a server, here or in another database of the cluster, names
 * its host; but what that host is told is for whoever wrote the file to say.
 */
static const char *
pin_complaint(const char *server, const ServerOptions *options, const Credentials *credentials)
{
	const char *urls[] = {options->courier.api_url, options->courier.login_url};

	if (credentials->host[0] == '\0')
		return psprintf("credentials file \"%s\", section [%s]: host must be set, to the hosts that may be sent these credentials, as in host = %s",
						reengage_credentials_file, server, hosts_of(options));
	for (int i = 0; i < lengthof(urls); i++)
	{
		const char *host;
		int			length = url_host_length(urls[i], &host);

		if (!url_is_pinned(urls[i], credentials->host))
			return psprintf("credentials file \"%s\", section [%s]: host does not name %.*s, to which %s leads; add it if these credentials are for it",
							reengage_credentials_file, server, length, host, i == 0 ? "api_url" : "login_url");
	}
	if (credentials->database[0] != '\0' &&
		(options->database == NULL || strcmp(credentials->database, options->database) != 0))
		return psprintf("credentials file \"%s\", section [%s] is for another database",
						reengage_credentials_file, server);
	return NULL;
}

static const char *
find_credentials(const char *server, Credentials *credentials)
{
	const char *complaint = NULL;
	size_t		length = 0;
	char	   *text;
	int			line;

	if (reengage_credentials_file[0] == '\0')
		return "reengage.credentials_file is not set; name a file with the section of this server, or use the server option auth 'none'";
	text = read_file(&length, &complaint);
	if (text == NULL || complaint != NULL)
		return complaint;
	/* one file serves databases of all encodings */
	line = credentials_find(text, length, to_utf8(server), credentials, &complaint);
	explicit_bzero(text, length);
	pfree(text);
	if (line > 0)
		return psprintf("credentials file \"%s\", line %d: %s", reengage_credentials_file, line, complaint);
	if (!credentials->found)
		return psprintf("credentials file \"%s\" has no section [%s]", reengage_credentials_file, server);
	if (credentials->client_id[0] == '\0' || credentials->client_secret[0] == '\0')
		return psprintf("credentials file \"%s\", section [%s]: client_id and client_secret must both be set",
						reengage_credentials_file, server);
	return NULL;
}

const char *
secrets_read(const char *server, const ServerOptions *options, Credentials *credentials)
{
	const char *complaint;

	memset(credentials, 0, sizeof(*credentials));
	complaint = find_credentials(server, credentials);
	if (complaint == NULL)
		complaint = pin_complaint(server, options, credentials);
	if (complaint != NULL)
		explicit_bzero(credentials, sizeof(*credentials));
	return complaint;
}

uint64
secrets_stamp(void)
{
	struct
	{
		uint64		device;
		uint64		inode;
		uint64		size;
		uint64		mode;
		uint64		seconds;
		uint64		nanoseconds;
	}			parts = {0};
	struct stat status;

	if (reengage_credentials_file[0] == '\0' || stat(reengage_credentials_file, &status) < 0)
		return 0;
	parts.device = status.st_dev;
	parts.inode = status.st_ino;
	parts.size = status.st_size;
	parts.mode = status.st_mode;
	/* of the inode: a chmod must count too */
	parts.seconds = status.st_ctim.tv_sec;
	parts.nanoseconds = status.st_ctim.tv_nsec;
	return hash_bytes_extended((const unsigned char *) &parts, sizeof(parts), 1);
}
