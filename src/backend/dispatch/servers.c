/*
 * servers.c: options, blocks and lanes of the foreign servers.
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "config/secrets.h"
#include "dispatch/locks.h"
#include "dispatch/servers.h"

/* Set by the invalidation callback; true at first, as nothing was read. */
static bool catalog_changed = true;

/* Of the credentials file, as it was last read. */
static uint64 credentials_stamp = 0;

static void
on_catalog_change(Datum arg, int cache, uint32 hash)
{
	catalog_changed = true;
}

static void
watch_catalog(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, on_catalog_change, (Datum) 0);
	watching = true;
}

static bool
list_contains_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static void
add_server(dlist_head *servers, const char *name, MemoryContext context)
{
	/* first: where it fails, nothing is left behind */
	ServerStateRow	breaker = store_server_state(name);
	MemoryContext own = AllocSetContextCreate(context, "reengage server", ALLOCSET_SMALL_SIZES);
	Server	   *server = MemoryContextAllocZero(own, sizeof(Server));
	Clocks		clocks = clocks_read();

	server->context = server->breaker.context = own;
	strlcpy(server->name, name, NAMEDATALEN);
	server->metrics = metrics_of_server(name);
	server->options_context = AllocSetContextCreate(own, "reengage server options", ALLOCSET_SMALL_SIZES);
	lanes_init(&server->lanes, own);
	lanes_rewind_everybody(&server->lanes, DT_NOBEGIN);
	breaker_inherit(&server->breaker, &breaker, &clocks);
	dlist_push_tail(servers, &server->node);
}

static void
read_options(Server *server)
{
	ForeignServer *foreign = reengage_server(server->name);
	bool		existed = server->exists;
	MemoryContext old;

	server->exists = foreign != NULL;
	if (foreign == NULL && existed)
		breaker_forget(&server->breaker);
	/* another server's change is no news of this one */
	if (foreign == NULL || (existed && equal(server->definition, foreign->options)))
		return;
	server->configured = false;
	server->version++;
	MemoryContextReset(server->options_context);
	server->definition = NIL;
	old = MemoryContextSwitchTo(server->options_context);
	/* the copy: what GetForeignServer returned lives in the tick's context */
	server->options = options_read(copyObject(foreign->options));
	server->definition = copyObject(foreign->options);
	MemoryContextSwitchTo(old);
	/* what it was blocked for may not hold for other options */
	if (existed)
		breaker_forget(&server->breaker);
}

void
servers_need(dlist_head *servers, const char *name, MemoryContext context)
{
	if (servers_find(servers, name) == NULL)
		add_server(servers, name, context);
}

static void
read_catalog(dlist_head *servers, MemoryContext context)
{
	List	   *names;
	ListCell   *cell;
	dlist_iter	iter;

	watch_catalog();
	if (!catalog_changed)
		return;
	catalog_changed = false;
	names = store_servers();
	foreach(cell, names)
		servers_need(servers, lfirst(cell), context);
	dlist_foreach(iter, servers)
		read_options(dlist_container(Server, node, iter.cur));
}

static void
pause_servers(dlist_head *servers, List *names)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		server->paused = server->held || list_contains_name(names, server->name);
	}
}

bool
servers_credentials_have_changed(void)
{
	return secrets_stamp() != credentials_stamp;
}

/* Changed credentials are sent to the courier again, and end a block for the old ones. */
static void
note_credentials(dlist_head *servers)
{
	dlist_iter	iter;

	if (!servers_credentials_have_changed())
		return;
	credentials_stamp = secrets_stamp();
	servers_forget_configurations(servers);
	dlist_foreach(iter, servers)
		breaker_try_again(&dlist_container(Server, node, iter.cur)->breaker);
}

void
servers_refresh(dlist_head *servers, List *paused, MemoryContext context)
{
	read_catalog(servers, context);
	pause_servers(servers, paused);
	note_credentials(servers);
}

/* Has it something under way, or to begin? */
static bool
is_wanted(const Server *server, TimestampTz now)
{
	return server->exists &&
		(server->in_flight > 0 || server->ready > 0 || server->lanes.next_due <= now);
}

void
servers_lock(dlist_head *servers, const Clocks *clocks)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		server->held = is_wanted(server, clocks->wall) && !lock_take(LOCK_SERVER, lock_of(server->name), ShareLock, false);
	}
}

bool
servers_wait_for_locks(const dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
	{
		const Server *server = dlist_container(Server, node, iter.cur);

		if (server->held || server->unwritten)
			return true;
	}
	return false;
}

Server *
servers_find(dlist_head *servers, const char *name)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (strcmp(server->name, name) == 0)
			return server;
	}
	return NULL;
}

ServerMessage
server_message(const char *name, const ServerOptions *options)
{
	ServerMessage message = options->courier;

	message.name = to_utf8(name);
	return message;
}

bool
server_configure(Server *server, CourierPipe *courier, Monotonic now)
{
	ServerMessage message;
	Credentials credentials;
	const char *complaint = NULL;

	if (server->configured)
		return true;
	message = server_message(server->name, &server->options);
	if (message.name == NULL)
		complaint = "its name cannot be converted to UTF-8";
	else if (message.login_url != NULL)
	{
		complaint = secrets_read(server->name, &server->options, &credentials);
		message.client_id = credentials.client_id;
		message.client_secret = credentials.client_secret;
	}
	if (complaint == NULL && !message_server_fits(&message))
		complaint = "its options are too long: a megabyte in all is the most";
	if (complaint == NULL)
		courier_send_server(courier, &message);
	else
		server_block(server, CIRCUIT_UNUSABLE, STEP_CHECK, complaint, NULL, now);
	explicit_bzero(&credentials, sizeof(credentials));
	server->configured = complaint == NULL;
	return server->configured;
}

void
servers_init(dlist_head *servers)
{
	dlist_init(servers);
	credentials_stamp = 0;
	servers_forget_catalog();
}

void
servers_forget_catalog(void)
{
	catalog_changed = true;
}

bool
servers_want_credentials(const dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		CircuitCause cause = server->breaker.circuit.cause;

		if (server->exists && !server->paused && server->options.courier.login_url != NULL &&
			(cause == CIRCUIT_REFUSED || cause == CIRCUIT_UNUSABLE))
			return true;
	}
	return false;
}

void
servers_forget_configurations(dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
		dlist_container(Server, node, iter.cur)->configured = false;
}

void
server_block(Server *server, CircuitCause cause, Step step, const char *reason,
			 const char *detail, Monotonic now)
{
	breaker_block(&server->breaker, cause, step, reason, detail, now);
	server->configured = false;
}

/* What was put off while the breaker was open is due again, once it is closed or half open. */
static void
release_put_off(Server *server)
{
	TimestampTz due_at = store_release(server->name);

	if (due_at != 0)
		lanes_rewind_all(&server->lanes, due_at);
}

void
servers_write_states(dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (server->breaker.changed)
		{
			ServerStateRow row = breaker_row(&server->breaker);

			server->unwritten = !store_report_server(server->name, &row);
		}
		if (server->breaker.release)
			release_put_off(server);
	}
}

void
servers_say_states(dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (server->breaker.changed)
			breaker_say(&server->breaker, server->name);
		server->breaker.changed |= server->unwritten;
		server->breaker.release = false;
	}
}

void
servers_forget_dropped(dlist_head *servers, CourierPipe *courier)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);
		ForgetMessage message;

		if (server->exists || server->in_hand > 0)
			continue;
		message.name = to_utf8(server->name);
		if (courier_is_ready(courier) && message.name != NULL)
			courier_send_forget(courier, &message);
		dlist_delete(&server->node);
		MemoryContextDelete(server->context);
	}
}

/*
 * Times "max_in_flight"; where that is low, what lasts some milliseconds of a fast
 * API: with fewer either the courier or the worker waits for the other.
 */
#define AHEAD_TIMES 3
#define AHEAD_LEAST 448

int
server_calls_ahead(const Server *server, Monotonic now)
{
	const ServerMessage *courier = &server->options.courier;

	/* a limit of requests leaves none */
	if (courier->max_requests_per_minute > 0)
		return 0;
	return (int) Min(Max(AHEAD_TIMES * courier->max_in_flight, AHEAD_LEAST), flow_of_window(&server->flow, now));
}

int
server_capacity(const Server *server, Monotonic now)
{
	if (!server->exists || server->paused || server->text >= SERVER_TEXT_MAX)
		return 0;
	return circuit_room(&server->breaker.circuit, most_in_flight(&server->options) + server_calls_ahead(server, now),
						server->in_flight, now);
}

void
servers_wake(dlist_head *servers, const Wakes *wakes)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
		lanes_rewind_everybody(&dlist_container(Server, node, iter.cur)->lanes, wakes->everybody);
	for (int i = 0; i < wakes->count; i++)
	{
		const Wake *wake = &wakes->list[i];
		Server	   *server = servers_find(servers, wake->server);

		/* one that is not known yet will be read from the beginning */
		for (int priority = 0; server != NULL && priority < PRIORITY_COUNT; priority++)
			if (wake->priorities & (1 << priority))
				lanes_rewind(&server->lanes, wake->asker, priority, wake->due_at);
	}
}

/*
 * Pauses before a look at what others have locked: one that finds all of it
 * locked still takes some microseconds for each, a hundredth of the time at most.
 */
#define LOCKED_MS 1000
#define LOCKED_MORE_MS 1
#define LOCKED_MOST_MS (60 * 1000)

void
server_note_locked(Server *server, TimestampTz due_at)
{
	int64		pause_ms;

	if (server->nlocked++ == 0)
		server->locked_from = due_at;
	server->locked_from = Min(server->locked_from, due_at);
	pause_ms = LOCKED_MS + (int64) server->nlocked * LOCKED_MORE_MS;
	server->look_again_at = monotonic_after(monotonic_now(), Min(pause_ms, LOCKED_MOST_MS));
}

void
server_look_again(Server *server, Monotonic now)
{
	if (server->nlocked == 0 || !monotonic_is_reached(server->look_again_at, now))
		return;
	server->nlocked = 0;
	lanes_rewind_everybody(&server->lanes, server->locked_from);
}

void
servers_follow_clock(dlist_head *servers, const Clocks *before, const Clocks *now)
{
	int64		back = clocks_set_back(before, now);
	dlist_iter	iter;

	if (back == 0)
		return;
	store_follow_clock(back);
	dlist_foreach(iter, servers)
		lanes_rewind_everybody(&dlist_container(Server, node, iter.cur)->lanes, DT_NOBEGIN);
}

static Monotonic
next_look(const Server *server, const Clocks *clocks)
{
	TimestampTz due_at = server->ready > 0 ? DT_NOBEGIN : DT_NOEND;
	bool		left_alone = circuit_is_open(&server->breaker.circuit, clocks->now);
	Monotonic	next;

	/* a full server looks again when a nudge ends, which is an event */
	if (!server->exists || server->paused || (!left_alone && server_capacity(server, clocks->now) <= 0))
		return MONOTONIC_NEVER;
	due_at = Min(due_at, server->lanes.next_due);
	next = due_at == DT_NOEND ? MONOTONIC_NEVER : clocks_look_again(clocks, due_at);
	next = monotonic_earlier(next, server->lanes.opens_at);
	if (server->nlocked > 0)
		next = monotonic_earlier(next, server->look_again_at);
	return left_alone && next.us != MONOTONIC_NEVER.us ? monotonic_later(next, server->breaker.circuit.until) : next;
}

Monotonic
servers_next_look(const dlist_head *servers, const Clocks *clocks)
{
	Monotonic	next = MONOTONIC_NEVER;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
		next = monotonic_earlier(next, next_look(dlist_container(Server, node, iter.cur), clocks));
	return next;
}

int
servers_nap_ms(const dlist_head *servers, Monotonic now)
{
	int64		spare = 0;
	int64		flow = 0;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
	{
		const Server *server = dlist_container(Server, node, iter.cur);

		spare += Max(server->calling - server->options.courier.max_in_flight, 0);
		flow += flow_of_window(&server->flow, now);
	}
	return flow_nap_ms(spare, flow);
}
