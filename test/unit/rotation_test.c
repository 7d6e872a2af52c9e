/*
 * rotation_test.c: whose turn it is.
 */
#include "rotation.h"

#include "tap.h"

#define ROLES 12
#define PRIORITIES 3
#define LANES (ROLES * PRIORITIES)
#define TURNS 200000

/* A pseudo-random number, the same on each run. */
static uint32_t
next_random(void)
{
	static uint64_t state = 42;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (state >> 33);
}

/* Lanes of roles: what each has to do, and since which turn it waits. */
typedef struct World
{
	Contender	lanes[LANES];
	int			due[LANES];
	int64_t		waits_since[LANES];
	int64_t		role_waits_since[ROLES];
} World;

static int
role_of(int lane)
{
	return lane / PRIORITIES;
}

static void
init(World *world)
{
	memset(world, 0, sizeof(*world));
	for (int lane = 0; lane < LANES; lane++)
		world->lanes[lane].priority = lane % PRIORITIES;
}

static bool
has_due(const World *world, int role)
{
	for (int lane = 0; lane < LANES; lane++)
		if (role_of(lane) == role && world->due[lane] > 0)
			return true;
	return false;
}

static void
arrive(World *world, int lane, int count, int64_t turn)
{
	if (count == 0)
		return;
	if (!has_due(world, role_of(lane)))
		world->role_waits_since[role_of(lane)] = turn;
	if (world->due[lane] == 0)
		world->waits_since[lane] = turn;
	world->due[lane] += count;
	world->lanes[lane].contends = true;
}

static int
take(World *world, int64_t turn)
{
	int			chosen = rotation_choose(world->lanes, LANES, turn);
	int			role = chosen < 0 ? 0 : role_of(chosen);

	if (chosen < 0)
		return -1;
	world->due[chosen]--;
	world->lanes[chosen].contends = world->due[chosen] > 0;
	world->lanes[chosen].lane_turn = turn;
	for (int lane = role * PRIORITIES; lane < (role + 1) * PRIORITIES; lane++)
		world->lanes[lane].role_turn = turn;
	world->waits_since[chosen] = turn;
	world->role_waits_since[role] = turn;
	return chosen;
}

/* One application has a backlog that never ends; the others come and go. */
static void
test_random_arrivals(void)
{
	World		world;
	int64_t		longest = 0;
	int64_t		longest_of_role = 0;
	int			idle = 0;

	init(&world);
	for (int64_t turn = 1; turn <= TURNS; turn++)
	{
		int			lane = (int) (next_random() % LANES);
		int64_t		role_waited;
		int64_t		waited;

		if (next_random() % 3 == 0)
			arrive(&world, lane, (int) (next_random() % 5), turn);
		arrive(&world, 0, 2, turn);
		role_waited = turn;
		for (int role = 0; role < ROLES; role++)
			if (has_due(&world, role) && world.role_waits_since[role] < role_waited)
				role_waited = world.role_waits_since[role];
		waited = turn;
		for (int i = 0; i < LANES; i++)
			if (world.due[i] > 0 && world.lanes[i].priority == 0 && world.waits_since[i] < waited)
				waited = world.waits_since[i];
		if (turn - waited > longest)
			longest = turn - waited;
		if (turn - role_waited > longest_of_role)
			longest_of_role = turn - role_waited;
		idle += take(&world, turn) < 0;
	}
	is_number(idle, 0, "no turn is given away while somebody has something due");
	/* a round of all, and the turns that are everybody's within it */
	ok(longest <= ROLES * ROTATION_EQUAL_TURN / (ROTATION_EQUAL_TURN - 1) + 2,
	   "of the most urgent priority nobody waits longer than a round: %d turns", (int) longest);
	ok(longest_of_role <= ROLES * ROTATION_EQUAL_TURN,
	   "no role waits longer than a round of the turns that are everybody's: %d turns", (int) longest_of_role);
}

static void
test_shares(void)
{
	World		world;
	int			taken[LANES] = {0};

	/* three roles of one priority, one of them with a thousandfold backlog */
	init(&world);
	arrive(&world, 0, 100000, 1);
	arrive(&world, PRIORITIES, 100, 1);
	arrive(&world, 2 * PRIORITIES, 100, 1);
	for (int64_t turn = 1; turn <= 300; turn++)
		taken[take(&world, turn)]++;
	ok(taken[0] == 100 && taken[PRIORITIES] == 100 && taken[2 * PRIORITIES] == 100,
	   "a backlog gives no right to more turns: %d, %d, %d", taken[0], taken[PRIORITIES], taken[2 * PRIORITIES]);

	/* urgent nudges of one role against the least urgent ones of another */
	init(&world);
	memset(taken, 0, sizeof(taken));
	arrive(&world, 0, 100000, 1);
	arrive(&world, PRIORITIES + 2, 100000, 1);
	for (int64_t turn = 1; turn <= 800; turn++)
		taken[take(&world, turn)]++;
	is_number(taken[PRIORITIES + 2], 800 / ROTATION_EQUAL_TURN, "urgent nudges of another role leave every eighth turn");

	/* within a role nothing goes before what is urgent */
	init(&world);
	memset(taken, 0, sizeof(taken));
	arrive(&world, 0, 100, 1);
	arrive(&world, 2, 100, 1);
	for (int64_t turn = 1; turn <= 100; turn++)
		taken[take(&world, turn)]++;
	is_number(taken[0], 100, "a role's own urgent nudges go first");
}

static void
test_latecomer(void)
{
	World		world;

	init(&world);
	arrive(&world, 0, 3000, 1);
	for (int64_t turn = 1; turn <= 50; turn++)
		take(&world, turn);
	arrive(&world, PRIORITIES, 1, 51);
	is_number(take(&world, 51), PRIORITIES, "who comes late goes next");
	is_number(rotation_choose(NULL, 0, 1), -1, "nobody is nobody");
}

int
main(void)
{
	test_random_arrivals();
	test_shares();
	test_latecomer();
	return done_testing();
}
