/*
 * gate_locks.c: see gate_locks.h.
 */
#include "postgres.h"

#include "dispatch/gate_locks.h"
#include "dispatch/locks.h"

bool
gate_locks_are_free(const Server *server, const LoadedNudge *nudge, OpenRows *open)
{
	/* those that many nudges have in common are taken once, and not given back before the commit */
	return lock_take(LOCK_CAMPAIGN, lock_of_campaign(server->name, nudge->campaign), ShareLock, false) &&
		lock_take(LOCK_PART, lock_of_part(server->name, nudge->asker, nudge->campaign), ShareLock, false) &&
		lock_is_free(LOCK_NUDGE, lock_of_nudge(&nudge->nudge_id), ExclusiveLock) &&
		!open_rows_of_thread(open, nudge->root) &&
		(nudge->own_address_hash == NULL || !open_rows_of_customer(open, nudge->own_address_hash));
}

bool
gate_locks_try_end(const Delivery *delivery)
{
	const char *server = delivery->server->name;
	const char *campaign = delivery->nudge.campaign;

	return lock_take(LOCK_CAMPAIGN, lock_of_campaign(server, campaign), ShareLock, false) &&
		lock_take(LOCK_PART, lock_of_part(server, delivery->asker, campaign), ShareLock, false) &&
		lock_take(LOCK_NUDGE, lock_of_nudge(&delivery->nudge_id), ExclusiveLock, false);
}

bool
gate_locks_try_session(const Delivery *delivery)
{
	return lock_take(LOCK_TIP, lock_of_conversation(delivery->server->name, delivery->nudge.tip), ExclusiveLock, false);
}

static bool
try_thread(const Delivery *delivery)
{
	return lock_take(LOCK_THREAD, lock_of_conversation(delivery->server->name, delivery->nudge.root), WORKERS_MODE, false);
}

static bool
try_customer(const char *address_hash)
{
	return address_hash == NULL || lock_take(LOCK_CUSTOMER, lock_of(address_hash), WORKERS_MODE, false);
}

bool
gate_locks_try_post(const Delivery *delivery)
{
	return gate_locks_try_end(delivery) && try_thread(delivery) &&
		try_customer(delivery->post.address_hash) && try_customer(delivery->own_address_hash);
}

static bool
customer_is_open(const char *address_hash, OpenRows *open)
{
	return address_hash != NULL && open_rows_of_customer(open, address_hash);
}

bool
gate_locks_came_late(const Delivery *delivery, OpenRows *open)
{
	return open_rows_of_thread(open, delivery->nudge.root) ||
		customer_is_open(delivery->post.address_hash, open) || customer_is_open(delivery->own_address_hash, open);
}

bool
gate_locks_try_opt_out(const Delivery *delivery)
{
	OpenRows   *open;
	bool		late;

	if (!(delivery->post.address_hash != NULL ? try_customer(delivery->post.address_hash) : try_thread(delivery)))
		return false;
	open = open_rows_begin();
	late = delivery->post.address_hash != NULL ? customer_is_open(delivery->post.address_hash, open) :
		open_rows_of_thread(open, delivery->nudge.root);
	open_rows_end(open);
	return !late;
}
