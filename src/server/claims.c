/*
 * claims.c: reading the lanes of the schedule from where we stopped.
 *
 * A lane is read by a cursor held in memory, so rows that were taken before,
 * dead or alive, are not scanned again but for a rewind: the cost of a claim
 * depends neither on the backlog nor on an old snapshot that keeps dead rows.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "claims.h"
#include "store.h"
#include "terms.h"

/* The cursors of the lanes that may have something due. */
static int
awake_lanes(const Server *server, TimestampTz now, Cursor *cursors)
{
	int			count = 0;

	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		if (server->lanes[priority].next_due <= now)
			cursors[count++] = server->lanes[priority].cursor;
	return count;
}

static void
claim_from(Flights *flights, Server *server, int room, TimestampTz now)
{
	Cursor		cursors[PRIORITY_COUNT];
	int			ncursors = awake_lanes(server, now, cursors);
	int			limit = room;
	int			seen[PRIORITY_COUNT] = {0};
	DueRow	   *rows;
	int			nrows;

	if (ncursors == 0)
		return;
	nrows = store_claim(server->name, cursors, ncursors, limit, &rows);
	for (int i = 0; i < ncursors; i++)
		server->lanes[cursors[i].priority].next_due = DT_NOEND;
	for (int i = 0; i < nrows; i++)
	{
		Lane	   *lane = &server->lanes[rows[i].priority];

		/* rows come in order: the first one left says when to look again */
		if (rows[i].due_at > now || room == 0)
		{
			lane->next_due = Min(lane->next_due, rows[i].due_at);
			continue;
		}
		lane->cursor.due_at = rows[i].due_at;
		lane->cursor.nudge_id = rows[i].nudge_id;
		if (flights_take(flights, server, &rows[i]) != NULL)
			room--;
		/* there may be more behind the last row that was asked for */
		if (++seen[rows[i].priority] == limit)
			lane->next_due = now;
	}
}

/* The loaded nudge with this id, if it is still due at the same time. */
static const LoadedNudge *
find_loaded(const LoadedNudge *nudges, int count, const Flight *flight)
{
	for (int i = 0; i < count; i++)
		if (memcmp(&nudges[i].nudge_id, &flight->nudge_id, sizeof(pg_uuid_t)) == 0)
			return nudges[i].due_at == flight->due_at ? &nudges[i] : NULL;
	return NULL;
}

/*
 * P7: where another nudge of the thread is to make its call again, this one
 * waits until that has been tried.
 */
static bool
depart_or_wait(Flights *flights, Flight *flight, const LoadedNudge *nudge)
{
	TimestampTz later = TimestampTzPlusMilliseconds(nudge->others_next_attempt, TURN_MS);

	if (!flights_depart(flights, flight, nudge))
		return false;
	if (nudge->suppressed && !nudge->unresolved)
	{
		flights_settle(flights, flight, OUTCOME_SUPPRESSED, "opted_out");
		return false;
	}
	if (answers_nudge(nudge, nudge->answered_at) && !nudge->unresolved)
	{
		flights_settle(flights, flight, OUTCOME_ANSWERED, "recorded");
		return false;
	}
	if (nudge->others_next_attempt == 0 || nudge->unresolved)
		return true;
	flights_put_back(flights, flight, Max(later, GetCurrentTimestamp() + TURN_MS * 1000),
					 "the call of another nudge of this thread is unresolved");
	return false;
}

/* Puts the ready nudges of a server under way, or parks them. */
static int
depart(Flights *flights, Server *server, int room)
{
	int			count;
	Flight	  **ready = flights_in(&flights->ready, &count);
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * (count + 1));
	LoadedNudge *nudges;
	int			nnudges;
	int			wanted = 0;
	int			departed = 0;

	for (int i = 0; i < count && wanted < room; i++)
		if (ready[i]->server == server)
		{
			ids[wanted] = ready[i]->nudge_id;
			ready[wanted++] = ready[i];
		}
	if (wanted == 0)
		return 0;
	nnudges = store_load(ids, wanted, &nudges);
	for (int i = 0; i < wanted; i++)
	{
		const LoadedNudge *nudge = find_loaded(nudges, nnudges, ready[i]);

		/* it ended while it was parked, or moved and will be found there */
		if (nudge == NULL)
			flights_land(flights, ready[i]);
		else
			departed += depart_or_wait(flights, ready[i], nudge);
	}
	return departed;
}

int
claims_take(Flights *flights, const Policies *policies, dlist_head *servers, Link *link,
			TimestampTz now, int most)
{
	int			departed = 0;
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);
		int			room = Min(server_capacity(server, now), most - departed);

		if (room <= 0 || !server_introduce(server, link, now))
			continue;
		if (room > server->ready)
			claim_from(flights, server, room - server->ready, now);
		departed += depart(flights, server, room);
	}
	return Max(departed - policies_judge_starts(policies, flights), 0);
}
