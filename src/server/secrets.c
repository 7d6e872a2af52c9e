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

#include "reengage.h"
#include "rows.h"
#include "secrets.h"

/* Hundreds of servers. */
#define FILE_MAX (256 * 1024)

static const char *
permission_complaint(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return psprintf("credentials file \"%s\" is not a regular file", reengage_credentials_file);
	if (status->st_uid != geteuid())
		return psprintf("credentials file \"%s\" must belong to the user that runs the server",
						reengage_credentials_file);
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		return psprintf("credentials file \"%s\" has mode %04o: only its owner may have access; chmod 0600 it",
						reengage_credentials_file, (unsigned) status->st_mode & 07777);
	if (status->st_size > FILE_MAX)
		return psprintf("credentials file \"%s\" is larger than %d kB",
						reengage_credentials_file, FILE_MAX / 1024);
	return NULL;
}

/* The text of the file, to be wiped and freed; NULL with the complaint. */
static char *
read_file(size_t *length, const char **complaint)
{
	int			file = OpenTransientFile(reengage_credentials_file, O_RDONLY | PG_BINARY);
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

const char *
secrets_read(const char *server, Credentials *credentials)
{
	const char *complaint = NULL;
	size_t		length = 0;
	char	   *text;
	int			line;

	memset(credentials, 0, sizeof(*credentials));
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
