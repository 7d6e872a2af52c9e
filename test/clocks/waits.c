/*
 * waits.c: waits that libfaketime does not see.
 *
 * While its own select(), poll() and epoll_wait() wait, libfaketime shows the
 * real time, also to the handler of a signal that comes meanwhile and to what
 * that forks, for good.  PostgreSQL's timeouts end in such handlers, and before
 * version 16 its postmaster starts workers there.  Loaded before libfaketime,
 * these go to the kernel at once.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
select(int count, fd_set *read_set, fd_set *write_set, fd_set *except_set, struct timeval *timeout)
{
	struct timespec limit;

	if (timeout != NULL)
	{
		limit.tv_sec = timeout->tv_sec;
		limit.tv_nsec = timeout->tv_usec * 1000;
	}
	return (int) syscall(SYS_pselect6, count, read_set, write_set, except_set, timeout != NULL ? &limit : NULL, NULL);
}

int
poll(struct pollfd *files, nfds_t count, int timeout)
{
	struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};

	return (int) syscall(SYS_ppoll, files, count, timeout >= 0 ? &limit : NULL, NULL, _NSIG / 8);
}

int
epoll_wait(int set, struct epoll_event *events, int count, int timeout)
{
	return (int) syscall(SYS_epoll_pwait, set, events, count, timeout, NULL, _NSIG / 8);
}
