/*
 * servers.c: options, blocks and lanes of the foreign servers.
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "retry.h"
#include "rows.h"
#include "secrets.h"
#include "servers.h"

#define FIRST_BLOCK_MS (5 * 1000)
#define LONGEST_BLOCK_MS (5 * 60 * 1000)

/* So far apart are the replies of calls that were on the wire together. */
#define SAME_REST_MS 2000

/* Set by the invalidation callback; true at first, as nothing was read. */
static bool catalog_changed = true;

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

/* What an engine before this one wrote down is over, unless the API said until when. */
static void
inherit_state(Server *server)
{
	const char *reason;
	TimestampTz until = store_server_rest(server->name, &reason);

	server->state_changed = until == 0;
	if (until == 0)
		return;
	server->blocked = MemoryContextStrdup(GetMemoryChunkContext(server), reason);
	server->blocked_until = server->rest_until = until;
	server->tripped = server->probing = true;
}

static Server *
add_server(dlist_head *servers, const char *name)
{
	Server	   *server = palloc0(sizeof(Server));

	strlcpy(server->name, name, NAMEDATALEN);
	server->options_context = AllocSetContextCreate(CurrentMemoryContext, "reengage server options",
													ALLOCSET_SMALL_SIZES);
	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		server->lanes[priority].cursor.priority = priority;
	server_rewind_all(server, DT_NOBEGIN);
	inherit_state(server);
	dlist_push_tail(servers, &server->node);
	return server;
}

static void
read_options(Server *server)
{
	ForeignServer *foreign = reengage_server(server->name);
	bool		existed = server->exists;
	MemoryContext old;

	server->exists = foreign != NULL;
	if (foreign == NULL && existed)
		server_unblock(server);
	/* another server's change is no news of this one */
	if (foreign == NULL || (existed && equal(server->definition, foreign->options)))
		return;
	server->introduced = false;
	MemoryContextReset(server->options_context);
	server->definition = NIL;
	old = MemoryContextSwitchTo(server->options_context);
	/* the copy: what GetForeignServer returned lives in the tick's context */
	server->options = options_read(copyObject(foreign->options));
	server->definition = copyObject(foreign->options);
	MemoryContextSwitchTo(old);
	/* changed options may be the cure */
	if (existed)
		server_unblock(server);
}

void
servers_refresh(dlist_head *servers, MemoryContext context)
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
	{
		if (servers_find(servers, lfirst(cell)) == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			add_server(servers, lfirst(cell));
			MemoryContextSwitchTo(old);
		}
	}
	dlist_foreach(iter, servers)
		read_options(dlist_container(Server, node, iter.cur));
}

void
servers_pause(dlist_head *servers, List *names)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		server->paused = list_contains_name(names, server->name);
	}
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
	ServerMessage message = {
		.name = to_utf8(name),
		.dialect = options->dialect,
		.api_url = options->api_url,
		.login_url = options->login_url,
		.ca_file = options->ca_file,
		.proxy = options->proxy,
		.opt_out_words = options->opt_out_words,
		.private_hosts = options->private_hosts,
		.max_reply_bytes = options->max_reply_bytes,
		.timeout_ms = options->timeout_ms,
		.connect_timeout_ms = options->connect_timeout_ms,
		.max_in_flight = options->max_in_flight,
		.max_requests_per_minute = options->max_requests_per_minute,
	};

	return message;
}

bool
server_introduce(Server *server, Link *link, TimestampTz now)
{
	ServerMessage message = server_message(server->name, &server->options);
	Credentials credentials;
	const char *complaint = NULL;

	if (server->introduced)
		return true;
	if (message.name == NULL)
		complaint = "its name cannot be converted to UTF-8";
	else if (message.login_url != NULL)
	{
		complaint = secrets_read(server->name, &credentials);
		message.client_id = credentials.client_id;
		message.client_secret = credentials.client_secret;
	}
	if (complaint == NULL)
		link_send_server(link, &message);
	else
		server_block(server, STEP_CHECK, complaint, now);
	explicit_bzero(&credentials, sizeof(credentials));
	server->introduced = complaint == NULL;
	return server->introduced;
}

void
servers_forget_catalog(void)
{
	catalog_changed = true;
}

void
servers_credentials_changed(dlist_head *servers)
{
	dlist_iter	iter;

	servers_forget_introductions(servers);
	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		/* but what the API said stays said */
		server->blocked_until = server->rest_until;
	}
}

bool
servers_want_credentials(const dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (server->exists && !server->paused && server->blocked != NULL && !server->tripped &&
			server->options.login_url != NULL)
			return true;
	}
	return false;
}

void
servers_forget_introductions(dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
		dlist_container(Server, node, iter.cur)->introduced = false;
}

void
server_block(Server *server, Step step, const char *reason, TimestampTz now)
{
	/* only the first of many that failed together lengthens the pause */
	if (server->blocked == NULL || now >= server->blocked_until)
	{
		server->block_pause_ms = Min(Max(server->block_pause_ms * 2, FIRST_BLOCK_MS),
									 LONGEST_BLOCK_MS);
		server->blocked_until = TimestampTzPlusMilliseconds(now, server->block_pause_ms);
	}
	server->rest_until = 0;
	server->probing = true;
	server->blocked_step = step;
	server->introduced = false;
	if (server->blocked != NULL && strcmp(server->blocked, reason) == 0)
		return;
	if (server->blocked != NULL)
		pfree(server->blocked);
	server->blocked = MemoryContextStrdup(GetMemoryChunkContext(server), reason);
	server->state_changed = true;
}

void
server_note_failure(Server *server, const char *reason, TimestampTz now)
{
	int			most = server->options.max_failures;

	if (most == 0 || ++server->failures < most)
		return;
	server->tripped = true;
	server_block(server, STEP_CHECK,
				 psprintf("%d calls in a row failed (%s)", most, reason ? reason : "no reason given"),
				 now);
}

void
server_note_answer(Server *server)
{
	server->failures = 0;
	if (server->tripped)
		server_unblock(server);
}

void
server_rest(Server *server, TimestampTz until)
{
	/* all calls that were on the wire say the same */
	if (server->tripped && until <= TimestampTzPlusMilliseconds(server->blocked_until, SAME_REST_MS))
		return;
	server_block(server, STEP_CHECK,
				 psprintf("the API asked not to be called before %s", timestamptz_to_str(until)), until);
	server->tripped = true;
	server->blocked_until = server->rest_until = until;
}

void
server_unblock(Server *server)
{
	server->tripped = false;
	server->rest_until = 0;
	server->failures = 0;
	server->probing = false;
	server->block_pause_ms = 0;
	server->blocked_until = 0;
	if (server->blocked == NULL)
		return;
	pfree(server->blocked);
	server->blocked = NULL;
	server->state_changed = true;
}

void
server_note_success(Server *server, Step step)
{
	/* a client that may look is not yet one that may send */
	if (step == STEP_CHECK && server->blocked_step != STEP_CHECK)
		return;
	server_unblock(server);
}

void
servers_write_states(dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (server->state_changed)
			store_report_server(server->name, server->blocked, server->rest_until);
	}
}

static void
say_state(Server *server, int level)
{
	if (server->blocked != NULL)
		ereport(level,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("server \"%s\" is blocked: %s", server->name, server->blocked),
				 errdetail("Its nudges stay due; it is tried again from time to time.")));
	else if (server->said_blocked)
		ereport(LOG, (errmsg("server \"%s\" is called again", server->name)));
	server->said_blocked = server->blocked != NULL;
	server->state_changed = false;
}

void
servers_say_states(dlist_head *servers, int level)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (server->state_changed)
			say_state(server, level);
	}
}

/* A clock that was set back must not stretch the rest. */
static bool
is_resting(const Server *server, TimestampTz now)
{
	return now < server->blocked_until &&
		!TimestampDifferenceExceeds(now, server->blocked_until, RETRY_AFTER_CAP_MS + 1000);
}

int
server_capacity(const Server *server, TimestampTz now)
{
	if (!server->exists || server->paused || is_resting(server, now))
		return 0;
	return (server->probing ? 1 : most_in_flight(&server->options)) - server->in_flight;
}

void
server_rewind(Server *server, int priority, TimestampTz due_at)
{
	Lane	   *lane = &server->lanes[priority];

	lane->next_due = Min(lane->next_due, due_at);
	if (due_at > lane->cursor.due_at)
		return;
	/* the smallest place before all rows of that time */
	lane->cursor.due_at = due_at == DT_NOBEGIN ? DT_NOBEGIN : due_at - 1;
	memset(&lane->cursor.nudge_id, 0, sizeof(pg_uuid_t));
}

void
server_rewind_all(Server *server, TimestampTz due_at)
{
	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		server_rewind(server, priority, due_at);
}

void
servers_rewind(dlist_head *servers, TimestampTz due_at)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
		server_rewind_all(dlist_container(Server, node, iter.cur), due_at);
}

static TimestampTz
next_look(const Server *server, TimestampTz now)
{
	TimestampTz next = server->ready > 0 ? now : DT_NOEND;

	/* a full server looks again when a nudge ends, which is an event */
	if (!server->exists || server->paused || (!is_resting(server, now) && server_capacity(server, now) <= 0))
		return DT_NOEND;
	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		next = Min(next, server->lanes[priority].next_due);
	if (next == DT_NOEND || !is_resting(server, now))
		return next;
	return Max(next, server->blocked_until);
}

TimestampTz
servers_next_look(dlist_head *servers, TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		TimestampTz look = next_look(dlist_container(Server, node, iter.cur), now);

		next = Min(next, look);
	}
	return next;
}
