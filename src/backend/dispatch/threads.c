/*
 * threads.c: see threads.h.
 */
#include "postgres.h"

#include "dispatch/threads.h"
#include "nudge.h"

/* Wide enough for any conversation id; padded with zeros, as it is hashed whole. */
typedef struct ThreadKey
{
	Server	   *server;
	char		tip[CONVERSATION_ID_MAX + 1];
} ThreadKey;

struct Thread
{
	ThreadKey	key;
	Queue		queue;			/* behind the one that is under way */
};

HTAB *
threads_make_table(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(ThreadKey), .entrysize = sizeof(Thread), .hcxt = context};

	return hash_create("reengage threads", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Thread *
find_or_make_thread(Deliveries *deliveries, Server *server, const char *tip, bool *found)
{
	ThreadKey	key;
	Thread	   *thread;

	memset(&key, 0, sizeof(key));
	key.server = server;
	strlcpy(key.tip, tip, sizeof(key.tip));
	thread = hash_search(deliveries->threads, &key, HASH_ENTER, found);
	if (!*found)
		queue_init(&thread->queue);
	return thread;
}

Entry
threads_take(Deliveries *deliveries, Delivery *delivery, const char *tip)
{
	bool		is_taken;
	Thread	   *held = delivery->thread;
	Thread	   *thread = find_or_make_thread(deliveries, delivery->server, tip, &is_taken);
	Entry		entry = ENTRY_TAKEN;

	if (thread == held)
		return ENTRY_TAKEN;
	delivery->thread = is_taken ? NULL : thread;
	if (is_taken)
		entry = queue_park(&thread->queue, deliveries, delivery);
	if (held != NULL)
	{
		queue_append(&thread->queue, &held->queue);
		hash_search(deliveries->threads, &held->key, HASH_REMOVE, NULL);
	}
	return entry;
}

void
threads_take_if_free(Deliveries *deliveries, Delivery *delivery, const char *tip)
{
	bool		is_taken;
	Thread	   *thread = find_or_make_thread(deliveries, delivery->server, tip, &is_taken);

	delivery->thread = is_taken ? NULL : thread;
}

void
threads_leave(Deliveries *deliveries, Delivery *delivery)
{
	Thread	   *thread = delivery->thread;
	Delivery   *next;

	if (thread == NULL)
		return;
	delivery->thread = NULL;
	next = queue_next(&thread->queue, deliveries);
	if (next != NULL)
	{
		next->thread = thread;
		return;
	}
	queue_close(&thread->queue, thread->key.server);
	hash_search(deliveries->threads, &thread->key, HASH_REMOVE, NULL);
}
