/*
 * ca_file.c: reading a file that may be anything.
 *
 * libcurl would open it itself, and wait for ever for whoever writes into a
 * pipe: all servers with it, as the courier is one thread.
 */
#include "ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

/* NULL: it is a file of a size that can be meant. */
static const char *
complaint_of(int file, size_t *length)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "it is not a regular file";
	if (status.st_size == 0)
		return "it is empty";
	if (status.st_size > CA_FILE_MAX)
		return "it is larger than 1 MB";
	*length = (size_t) status.st_size;
	return NULL;
}

/* What became shorter meanwhile is read as far as it goes. */
static char *
read_all(int file, size_t *length)
{
	char	   *bytes = allocate(*length);
	size_t		done = 0;
	ssize_t		got;

	while (done < *length && (got = read(file, bytes + done, *length - done)) > 0)
		done += (size_t) got;
	*length = done;
	return bytes;
}

char *
ca_file_read(const char *path, size_t *length, char *complaint, size_t size)
{
	int			file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *what = file < 0 ? strerror(errno) : complaint_of(file, length);
	char	   *bytes = what == NULL ? read_all(file, length) : NULL;

	if (file >= 0)
		close(file);
	if (what != NULL)
		snprintf(complaint, size, "cannot use ca_file %s: %s", path, what);
	return bytes;
}
