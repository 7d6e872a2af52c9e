/*
 * test_point.c: what a test point does, in a build that has them.
 *
 * The environment names a folder.  A point is armed by a file there with its
 * name, which holds the number of the hit that is meant, from 1, counted over
 * all processes from then on:
 *
 *     echo 3 >new && mv new $REENGAGE_TEST_POINTS/intent_committed
 *
 * The process that meets this hit removes the file and dies of SIGKILL, or, where
 * "stop" stands behind the number, stops until somebody sends SIGCONT.  So an armed
 * point strikes once, and the file's absence says that it did.
 */
#include "test_point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "REENGAGE_TEST_POINTS"

extern char **environ;

/*
 * Counts this hit in the file, in place, so a file that was removed stays so.
 * What strikes, if it is the one that is meant; else 0.
 */
static int
signal_of_hit(int file)
{
	char		armed[16] = "";
	char		left[16];
	bool		stops;
	int			hits_left;

	if (pread(file, armed, sizeof(armed) - 1, 0) <= 0)
		return 0;
	hits_left = atoi(armed) - 1;
	stops = strstr(armed, "stop") != NULL;
	if (hits_left <= 0)
		return stops ? SIGSTOP : SIGKILL;
	snprintf(left, sizeof(left), "%-8d%s\n", hits_left, stops ? "stop" : "");
	return pwrite(file, left, strlen(left), 0) < 0 ? SIGKILL : 0;
}

void
test_point(const char *name)
{
	const char *folder = getenv(VARIABLE);
	int			error = errno;
	char		path[PATH_MAX];
	int			file;

	if (name == NULL || folder == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file >= 0)
	{
		int			signal = signal_of_hit(file);

		if (signal != 0 && unlink(path) == 0)
			kill(getpid(), signal);
		close(file);
	}
	errno = error;
}

/* Called between fork and exec: it may only look. */
char *
test_point_variable(void)
{
	for (char **variable = environ; *variable != NULL; variable++)
		if (strncmp(*variable, VARIABLE "=", sizeof(VARIABLE)) == 0)
			return *variable;
	return NULL;
}
