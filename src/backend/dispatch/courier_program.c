/*
 * courier_program.c: see courier_program.h.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dispatch/courier_program.h"

/* What ps shows. */
#define COURIER_TITLE "reengage-courier"

#define COURIER_PROGRAM COURIER_TITLE "-" REENGAGE_VERSION

/* Where the child has the kept program, if there is one. */
#define PROGRAM_FD (STDERR_FILENO + 1)

/* The server's, in all of its processes; -1: none. */
static int	kept_program = -1;

static void
find_path(char path[MAXPGPATH])
{
	Dl_info		library;

	/* beside this library, wherever that was loaded from */
	if (dladdr((void *) find_path, &library) == 0)
		elog(ERROR, "could not find out where the library was loaded from");
	strlcpy(path, library.dli_fname, MAXPGPATH);
	get_parent_directory(path);
	strlcat(path, "/" COURIER_PROGRAM, MAXPGPATH);
}

void
courier_program_keep(void)
{
#ifdef __linux__
	char		path[MAXPGPATH];

	find_path(path);
	kept_program = open(path, O_RDONLY | O_CLOEXEC);
#endif
}

bool
courier_program_find(char path[MAXPGPATH])
{
	find_path(path);
	return access(path, X_OK) == 0 || (errno == ENOENT && kept_program >= 0);
}

static void
close_all_from(int first)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
	closefrom(first);
#else
	struct rlimit limit;
	int			last = 65536;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536)
		last = (int) limit.rlim_cur;
	for (int descriptor = first; descriptor < last; descriptor++)
		close(descriptor);
#endif
}

void
courier_program_become(const char *path, char *const *environment)
{
	static char *const arguments[] = {COURIER_TITLE, NULL};
	int			null;

	if (kept_program < 0)
		close(PROGRAM_FD);
	else if (dup2(kept_program, PROGRAM_FD) < 0)
		return;
	close_all_from(PROGRAM_FD + 1);
	if ((null = open("/dev/null", O_RDWR)) < 0 ||
		dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
		(kept_program >= 0 && fcntl(PROGRAM_FD, F_SETFD, FD_CLOEXEC) < 0))
		return;
	if (null > STDERR_FILENO)
		close(null);
	execve(path, arguments, environment);
#ifdef __linux__
	if (errno == ENOENT && kept_program >= 0)
		fexecve(PROGRAM_FD, arguments, environment);
#endif
}
