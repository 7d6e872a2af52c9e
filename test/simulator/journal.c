/*
 * journal.c: the ledger's file, one JSON object a line.
 *
 * Lines gather in memory; a thread writes them and waits for the disk, so that
 * no request ever does.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "quoting.h"
#include "settings.h"

/* Promised is once a second; half of it leaves the disk its time. */
#define FLUSH_INTERVAL_NS 500000000L

static int	file = -1;
static pthread_t flusher;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static struct printbuf *gathered;	/* under lock */
static bool closing = false;	/* under lock */

/* Held while lines are on their way to the disk, so that they stay in order. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static struct printbuf *leaving;	/* under writing */

static bool
write_all(const char *bytes, size_t count)
{
	while (count > 0)
	{
		ssize_t		written = write(file, bytes, count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		count -= written;
	}
	return true;
}

static bool
flush(void)
{
	struct printbuf *swap;
	bool		good;

	pthread_mutex_lock(&writing);
	pthread_mutex_lock(&lock);
	swap = leaving;
	leaving = gathered;
	gathered = swap;
	pthread_mutex_unlock(&lock);

	good = leaving->bpos == 0 ||
		(write_all(leaving->buf, leaving->bpos) && fdatasync(file) == 0);
	if (!good)
		perror(settings.ledger_file);
	printbuf_reset(leaving);
	pthread_mutex_unlock(&writing);
	return good;
}

/* False when it is time to end. Waking too early only flushes early. */
static bool
wait_a_while(void)
{
	struct timespec until;
	bool		go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += FLUSH_INTERVAL_NS;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;

	pthread_mutex_lock(&lock);
	if (!closing)
		pthread_cond_timedwait(&woken, &lock, &until);
	go_on = !closing;
	pthread_mutex_unlock(&lock);
	return go_on;
}

static void *
flush_regularly(void *unused)
{
	while (wait_a_while())
		flush();
	return unused;
}

bool
journal_open(void)
{
	if (settings.ledger_file == NULL)
		return true;

	file = open(settings.ledger_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file < 0)
	{
		perror(settings.ledger_file);
		return false;
	}
	gathered = printbuf_new();
	leaving = printbuf_new();
	errno = pthread_create(&flusher, NULL, flush_regularly, NULL);
	if (errno != 0)
		perror("pthread_create");
	return errno == 0;
}

void
journal_append(const Row *row)
{
	if (file < 0)
		return;
	pthread_mutex_lock(&lock);
	append_text(gathered, "{\"");
	append_text(gathered, row->kind);
	append_text(gathered, "\":");
	row_write_json(gathered, row);
	append_text(gathered, "}\n");
	pthread_mutex_unlock(&lock);
}

bool
journal_sync(void)
{
	return file < 0 || flush();
}

bool
journal_close(void)
{
	bool		good;

	if (file < 0)
		return true;
	pthread_mutex_lock(&lock);
	closing = true;
	pthread_cond_signal(&woken);
	pthread_mutex_unlock(&lock);
	pthread_join(flusher, NULL);
	good = flush();
	close(file);
	file = -1;
	return good;
}
