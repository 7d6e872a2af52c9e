/*
 * lanes.c: the lanes of a server, and which of them are next.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/lanes.h"
#include "rotation.h"

void
lanes_init(Lanes *lanes, MemoryContext context)
{
	HASHCTL		control = {.keysize = NAMEDATALEN, .entrysize = sizeof(Asker), .hcxt = context};

	memset(lanes, 0, sizeof(*lanes));
	lanes->askers = hash_create("reengage askers", 16, &control,
								HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	lanes->next_due = DT_NOEND;
	lanes->opens_at = MONOTONIC_NEVER;
}

Lane *
lane_in_hand(const LaneInHand *hand)
{
	return &hand->asker->lanes[hand->priority];
}

static Asker *
find_asker(Lanes *lanes, const char *name)
{
	bool		found;
	Asker	   *asker = hash_search(lanes->askers, name, HASH_ENTER, &found);

	if (found)
		return asker;
	asker->turn = 0;
	memset(&asker->pace, 0, sizeof(Pace));
	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		asker->lanes[priority] = (Lane) {.due_at = DT_NOBEGIN, .next_due = DT_NOEND};
	return asker;
}

static void
rewind_lane(Lanes *lanes, Lane *lane, TimestampTz due_at)
{
	lane->next_due = Min(lane->next_due, due_at);
	lanes->next_due = Min(lanes->next_due, due_at);
	if (due_at > lane->due_at)
		return;
	/* the smallest place before all rows of that time */
	lane->due_at = due_at == DT_NOBEGIN ? DT_NOBEGIN : due_at - 1;
	memset(&lane->nudge_id, 0, sizeof(pg_uuid_t));
}

void
lanes_rewind(Lanes *lanes, const char *asker, int priority, TimestampTz due_at)
{
	rewind_lane(lanes, &find_asker(lanes, asker)->lanes[priority], due_at);
}

void
lanes_rewind_all(Lanes *lanes, TimestampTz due_at)
{
	HASH_SEQ_STATUS status;
	Asker	   *asker;

	hash_seq_init(&status, lanes->askers);
	while ((asker = hash_seq_search(&status)) != NULL)
		for (int priority = 0; priority < PRIORITY_COUNT; priority++)
			rewind_lane(lanes, &asker->lanes[priority], due_at);
}

void
lanes_rewind_everybody(Lanes *lanes, TimestampTz due_at)
{
	/* it says that there is nothing new */
	if (due_at == DT_NOEND)
		return;
	lanes_rewind_all(lanes, due_at);
	lanes->look_for_askers = true;
	lanes->next_due = Min(lanes->next_due, due_at);
}

/* --- the pace of roles ------------------------------------------------------------ */

bool
lanes_have_room(const Lanes *lanes, Asker *asker, Monotonic now)
{
	return lanes->per_minute == 0 || pace_room(&asker->pace, lanes->per_minute, now) > 0;
}

void
lanes_take_back(Lanes *lanes, const char *name, Monotonic counted_at)
{
	Asker	   *asker = hash_search(lanes->askers, name, HASH_FIND, NULL);

	if (asker == NULL)
		return;
	pace_take_back(&asker->pace, counted_at);
	/* it may be this one that waits: the next look finds out */
	if (lanes->opens_at.us != MONOTONIC_NEVER.us)
		lanes->opens_at = (Monotonic) {0};
}

/* --- who asks ------------------------------------------------------------------------ */

/*
 * Whoever has nothing due any more is forgotten, or roles would add up for
 * ever; but not what a role has started within this minute.
 */
static void
forget_others(Lanes *lanes, Monotonic now)
{
	HASH_SEQ_STATUS status;
	Asker	   *asker;

	hash_seq_init(&status, lanes->askers);
	while ((asker = hash_seq_search(&status)) != NULL)
		if (!asker->found && pace_room(&asker->pace, 1, now) > 0)
			hash_search(lanes->askers, asker->name, HASH_REMOVE, NULL);
}

/* Lanes that nothing was found in sleep until they are woken. */
static void
put_to_sleep(Lanes *lanes)
{
	HASH_SEQ_STATUS status;
	Asker	   *asker;

	hash_seq_init(&status, lanes->askers);
	while ((asker = hash_seq_search(&status)) != NULL)
	{
		asker->found = false;
		for (int priority = 0; priority < PRIORITY_COUNT; priority++)
			asker->lanes[priority].next_due = DT_NOEND;
	}
}

void
lanes_find_askers(Lanes *lanes, const char *server, Monotonic now)
{
	LaneRow    *rows;
	int			count;

	if (!lanes->look_for_askers)
		return;
	count = store_lanes(server, &rows);
	put_to_sleep(lanes);
	for (int i = 0; i < count; i++)
	{
		Asker	   *asker = find_asker(lanes, rows[i].asker);

		asker->found = true;
		/* its first row may be one that was taken: the cursor knows */
		asker->lanes[rows[i].priority].next_due = DT_NOBEGIN;
	}
	forget_others(lanes, now);
	lanes->look_for_askers = false;
}

static int
compare_lanes(const void *one, const void *other)
{
	const LaneInHand *a = one;
	const LaneInHand *b = other;
	int64		turn_a = lane_in_hand(a)->turn;
	int64		turn_b = lane_in_hand(b)->turn;

	if (a->priority != b->priority)
		return a->priority - b->priority;
	return turn_a < turn_b ? -1 : turn_a > turn_b;
}

static int
compare_roles(const void *one, const void *other)
{
	const LaneInHand *a = one;
	const LaneInHand *b = other;

	if (a->asker->turn != b->asker->turn)
		return a->asker->turn < b->asker->turn ? -1 : 1;
	return compare_lanes(one, other);
}

int
lanes_awake(const Lanes *lanes, const Clocks *clocks, int room, LaneInHand **awake, int *left_out)
{
	HASH_SEQ_STATUS status;
	Asker	   *asker;
	int			count = 0;
	int			most = room + room / ROTATION_EQUAL_TURN + 1;

	*left_out = PRIORITY_COUNT;
	*awake = palloc(sizeof(LaneInHand) * (hash_get_num_entries(lanes->askers) * PRIORITY_COUNT + 1));
	hash_seq_init(&status, lanes->askers);
	while ((asker = hash_seq_search(&status)) != NULL)
		for (int priority = 0; priority < PRIORITY_COUNT; priority++)
			if (asker->lanes[priority].next_due <= clocks->wall && lanes_have_room(lanes, asker, clocks->now))
				(*awake)[count++] = (LaneInHand) {asker, priority};
	if (count <= room)
		return count;
	/* those that come first, and of the rest the roles that waited longest */
	qsort(*awake, count, sizeof(LaneInHand), compare_lanes);
	qsort(*awake + room, count - room, sizeof(LaneInHand), compare_roles);
	for (int i = most; i < count; i++)
		*left_out = Min(*left_out, (*awake)[i].priority);
	return Min(count, most);
}

static TimestampTz
next_due_of(const Asker *asker)
{
	TimestampTz next = DT_NOEND;

	for (int priority = 0; priority < PRIORITY_COUNT; priority++)
		next = Min(next, asker->lanes[priority].next_due);
	return next;
}

bool
lanes_want_look(const Lanes *lanes, const Clocks *clocks)
{
	return lanes->next_due <= clocks->wall || monotonic_is_reached(lanes->opens_at, clocks->now);
}

void
lanes_were_read(Lanes *lanes, Monotonic now)
{
	HASH_SEQ_STATUS status;
	Asker	   *asker;

	lanes->next_due = DT_NOEND;
	lanes->opens_at = MONOTONIC_NEVER;
	hash_seq_init(&status, lanes->askers);
	while ((asker = hash_seq_search(&status)) != NULL)
	{
		TimestampTz next_due = next_due_of(asker);

		if (lanes_have_room(lanes, asker, now))
			lanes->next_due = Min(lanes->next_due, next_due);
		else if (next_due != DT_NOEND)
			lanes->opens_at = monotonic_earlier(lanes->opens_at, pace_opens_at(&asker->pace, lanes->per_minute));
	}
}
