/*
 * clock.c: a clock that a test sets while the processes run that read it.
 *
 * Loaded into them by LD_PRELOAD.  CLOCK_FILE names a file of one int64, the
 * seconds by which the wall clock is ahead of the real one; with CLOCK_ALL set,
 * the monotonic clock is, too.  Reading it takes no system call and no memory,
 * as PostgreSQL asks for the time in the handlers of signals.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0;
static const volatile int64_t *ahead = &none;
static int	all = 0;

/* Not system calls of their own: they are made thousands of times a second. */
static int	(*real_clock_gettime) (clockid_t, struct timespec *);

__attribute__((constructor))
static void
open_clock(void)
{
	const char *path = getenv("CLOCK_FILE");
	int			file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void	   *map = file >= 0 ? mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;

	real_clock_gettime = (int (*) (clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
	all = getenv("CLOCK_ALL") != NULL;
	if (map != MAP_FAILED)
		ahead = map;
	if (file >= 0)
		close(file);
}

static int
is_set(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
		(all && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE));
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	/* other constructors may come first */
	int			result = real_clock_gettime != NULL ? real_clock_gettime(clock, now) :
		(int) syscall(SYS_clock_gettime, clock, now);

	if (result == 0 && is_set(clock))
		now->tv_sec += *ahead;
	return result;
}

int
gettimeofday(struct timeval *now, void *zone)
{
	struct timespec precise;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result != NULL)
		*result = now.tv_sec;
	return now.tv_sec;
}
