/*
 * claims.c: reading the lanes of the schedule from where we stopped, and giving
 * each its turn.
 *
 * A lane is read by a cursor held in memory, so rows that were taken before,
 * dead or alive, are not scanned again but for a rewind: the cost of a claim
 * depends neither on the backlog nor on an old snapshot that keeps dead rows.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/claims.h"
#include "dispatch/gate_locks.h"
#include "dispatch/terms.h"
#include "rotation.h"
#include "store/store.h"

/*
 * Rows that are read for each that may be taken: lanes have not all as many,
 * and what one of them lacks others may have.
 */
#define READ_AHEAD 4

/*
 * Nudges that are loaded together: until they are under way their text is in
 * memory several times, and that of those that are parked for nothing.
 */
#define SLICE 32

/* Lanes that were read, and what is left of their rows. */
typedef struct Reading
{
	Lanes	   *lanes;
	LaneInHand *hands;
	int			count;
	int			left_out;		/* the most urgent priority that was not read */
	int			limit;			/* rows that were asked for, of each */
	DueRow	   *rows;
	int		   *next;			/* the first row that is left, of each lane */
	int		   *end;			/* behind its last one */
	Contender  *contenders;
	const Clocks *clocks;
} Reading;

static bool
has_due(const Reading *reading, int place)
{
	return reading->next[place] < reading->end[place] &&
		reading->rows[reading->next[place]].due_at <= reading->clocks->wall;
}

/* There may be more behind the last row that was asked for. */
static bool
is_cut(const Reading *reading, int place)
{
	int			first = place == 0 ? 0 : reading->end[place - 1];

	return reading->end[place] - first == reading->limit;
}

static void
read_lanes(Reading *reading, const char *server)
{
	Cursor	   *cursors = palloc(sizeof(Cursor) * reading->count);
	int			nrows;

	for (int i = 0; i < reading->count; i++)
	{
		Lane	   *lane = lane_in_hand(&reading->hands[i]);

		cursors[i] = (Cursor) {reading->hands[i].asker->name, reading->hands[i].priority,
			lane->due_at, lane->nudge_id};
	}
	nrows = store_claim(server, cursors, reading->count, reading->limit, &reading->rows);
	reading->next = palloc(sizeof(int) * reading->count);
	reading->end = palloc(sizeof(int) * reading->count);
	for (int place = 0, row = 0; place < reading->count; place++)
	{
		reading->next[place] = row;
		while (row < nrows && reading->rows[row].place == place)
			row++;
		reading->end[place] = row;
	}
}

/*
 * Whose turn it is depends on what the turns before did.  -1: nobody's, or that
 * of somebody who was not read: the next tick goes on from here.
 */
static int
choose_lane(const Reading *reading)
{
	int64		turn = reading->lanes->turn + 1;
	int			chosen;

	for (int place = 0; place < reading->count; place++)
	{
		const LaneInHand *hand = &reading->hands[place];

		reading->contenders[place] = (Contender) {
			.contends = lanes_have_room(reading->lanes, hand->asker, reading->clocks->now) &&
				(has_due(reading, place) ||
				 (is_cut(reading, place) && reading->next[place] == reading->end[place])),
			.priority = hand->priority,
			.lane_turn = lane_in_hand(hand)->turn,
			.role_turn = hand->asker->turn,
		};
	}
	chosen = rotation_choose(reading->contenders, reading->count, turn);
	if (chosen < 0 || !has_due(reading, chosen) ||
		(!rotation_is_equal(turn) && reading->hands[chosen].priority > reading->left_out))
		return -1;
	return chosen;
}

/* The most urgent priority that wants a turn, as which an equal turn counts. */
static int
most_urgent_priority(const Reading *reading)
{
	int			most = reading->left_out;

	for (int place = 0; place < reading->count; place++)
		if (reading->contenders[place].contends)
			most = Min(most, reading->contenders[place].priority);
	return most;
}

/* Now, so that those who wait for one another count too; see deliveries_let_go(). */
static void
count_start(const Reading *reading, Asker *asker, Delivery *delivery)
{
	if (reading->lanes->per_minute == 0)
		return;
	delivery->counted_at = reading->clocks->now;
	pace_count(&asker->pace, delivery->counted_at);
}

/* Takes the next row of a lane that is not in hand already.  False: there is none. */
static bool
take_turn(Reading *reading, int place, Deliveries *deliveries, Server *server)
{
	LaneInHand *hand = &reading->hands[place];
	Lane	   *lane = lane_in_hand(hand);

	while (has_due(reading, place))
	{
		const DueRow *row = &reading->rows[reading->next[place]++];
		Delivery   *delivery = row->locked ? NULL : deliveries_take(deliveries, server, hand, row);

		lane->due_at = row->due_at;
		lane->nudge_id = row->nudge_id;
		if (row->locked)
			server_note_locked(server, row->due_at);
		if (delivery == NULL)
			continue;
		reading->lanes->turn++;
		hand->asker->turn = lane->turn = reading->lanes->turn;
		count_start(reading, hand->asker, delivery);
		if (rotation_is_equal(reading->lanes->turn))
			delivery->urgency = most_urgent_priority(reading);
		return true;
	}
	return false;
}

/* Rows come in order: the first one left says when to look again. */
static TimestampTz
next_look(const Reading *reading, int place)
{
	if (reading->next[place] < reading->end[place])
		return reading->rows[reading->next[place]].due_at;
	return is_cut(reading, place) ? reading->clocks->wall : DT_NOEND;
}

static void
claim_from(Deliveries *deliveries, Server *server, int room, const Clocks *clocks)
{
	Reading		reading = {.lanes = &server->lanes, .clocks = clocks};
	int			place;

	lanes_find_askers(&server->lanes, server->name, clocks->now);
	reading.count = lanes_awake(&server->lanes, clocks, room, &reading.hands, &reading.left_out);
	if (reading.count > 0)
	{
		reading.limit = Max(Min(room, READ_AHEAD * room / reading.count), 1);
		reading.contenders = palloc(sizeof(Contender) * reading.count);
		read_lanes(&reading, server->name);
	}
	while (room > 0 && (place = choose_lane(&reading)) >= 0)
		room -= take_turn(&reading, place, deliveries, server);
	for (place = 0; place < reading.count; place++)
		lane_in_hand(&reading.hands[place])->next_due = next_look(&reading, place);
	lanes_were_read(&server->lanes, clocks->now);
}

/* The loaded nudge with this id; NULL: it is no longer due. */
static const LoadedNudge *
find_loaded(const LoadedNudge *nudges, int count, const Delivery *delivery)
{
	for (int i = 0; i < count; i++)
		if (memcmp(&nudges[i].nudge_id, &delivery->nudge_id, sizeof(pg_uuid_t)) == 0)
			return &nudges[i];
	return NULL;
}

/* Its row has moved, and whoever read the lane since has passed over it there, as it was in hand. */
static void
leave_where_it_is(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	lanes_rewind(&delivery->server->lanes, nudge->asker, nudge->priority, nudge->due_at);
	deliveries_let_go(deliveries, delivery);
}

/*
 * P7: where another nudge of the thread is to make its call again, this one
 * waits until that has been tried.
 */
static bool
start_or_wait(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	TimestampTz later = TimestampTzPlusMilliseconds(nudge->others_next_attempt, TURN_MS);

	if (!deliveries_start(deliveries, delivery, nudge))
		return false;
	if (nudge->in_circles)
	{
		breaker_notice(&delivery->server->breaker, STEP_CHECK, "a thread leads back into itself: its nudges end as refused",
					   psprintf("conversation %s; somebody wrote a ring into reengage.lineage", nudge->conversation_id));
		deliveries_settle(deliveries, delivery, nudge->unresolved ? OUTCOME_IN_DOUBT : OUTCOME_REFUSED, "thread_in_circles");
		return false;
	}
	if (leads_astray(nudge))
	{
		deliveries_settle(deliveries, delivery, OUTCOME_REFUSED, "named_by_another");
		return false;
	}
	if (nudge->suppressed && !nudge->unresolved)
	{
		deliveries_settle(deliveries, delivery, OUTCOME_SUPPRESSED, "opted_out");
		return false;
	}
	if (answers_nudge(nudge, nudge->answered_at) && !nudge->unresolved)
	{
		deliveries_settle(deliveries, delivery, OUTCOME_ANSWERED, "recorded");
		return false;
	}
	if (nudge->others_next_attempt == 0 || nudge->unresolved)
		return true;
	deliveries_put_back(deliveries, delivery, Max(later, GetCurrentTimestamp() + TURN_MS * 1000),
						HOLD_UNRESOLVED_THREAD, NULL);
	return false;
}

/* Loads these, and puts each under way, parks it, or leaves it to the schedule. */
static int
start_slice(Deliveries *deliveries, Delivery **ready, int count)
{
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * count);
	LoadedNudge *nudges;
	int			nnudges;
	OpenRows   *open;
	int			started = 0;

	for (int i = 0; i < count; i++)
		ids[i] = ready[i]->nudge_id;
	nnudges = store_load(ids, count, &nudges);
	open = open_rows_begin();
	for (int i = 0; i < count; i++)
	{
		const LoadedNudge *nudge = find_loaded(nudges, nnudges, ready[i]);

		/* it ended while it was parked */
		if (nudge == NULL)
			deliveries_let_go(deliveries, ready[i]);
		else if (nudge->due_at != ready[i]->due_at)
			leave_where_it_is(deliveries, ready[i], nudge);
		/* the look would be in vain */
		else if (!gate_locks_are_free(ready[i]->server, nudge, open))
		{
			server_note_locked(ready[i]->server, nudge->due_at);
			deliveries_let_go(deliveries, ready[i]);
		}
		else
			started += start_or_wait(deliveries, ready[i], nudge);
	}
	open_rows_end(open);
	return started;
}

/* The ready nudges of a server, slice by slice, as long as it has room for their text. */
static int
start_ready(Deliveries *deliveries, const Server *server, int room)
{
	int			count;
	Delivery  **ready = deliveries_in(deliveries, DELIVERY_READY, &count);
	MemoryContext slice = AllocSetContextCreate(CurrentMemoryContext, "reengage slice",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(slice);
	int			wanted = 0;
	int			started = 0;

	for (int i = 0; i < count && wanted < room; i++)
		if (ready[i]->server == server)
			ready[wanted++] = ready[i];
	for (int i = 0; i < wanted && server->text < SERVER_TEXT_MAX; i += SLICE)
	{
		started += start_slice(deliveries, ready + i, Min(wanted - i, SLICE));
		MemoryContextReset(slice);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(slice);
	return started;
}

int
claims_take(Deliveries *deliveries, const Policies *policies, dlist_head *servers, CourierPipe *courier,
			const Clocks *clocks, int most)
{
	int			started = 0;
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);
		int			room = Min(server_capacity(server, clocks->now), most - started);

		if (room <= 0 || !server_configure(server, courier, clocks->now))
			continue;
		server_look_again(server, clocks->now);
		/* most of a hundred servers have nothing to do */
		if (server->ready == 0 && !lanes_want_look(&server->lanes, clocks))
			continue;
		server->lanes.per_minute = policies_pace(policies->list, policies->count, server->name);
		if (room > server->ready && lanes_want_look(&server->lanes, clocks))
			claim_from(deliveries, server, room - server->ready, clocks);
		started += start_ready(deliveries, server, room);
	}
	return Max(started - policies_judge_starts(policies, deliveries), 0);
}
