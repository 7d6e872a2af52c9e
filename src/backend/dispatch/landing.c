/*
 * landing.c: see landing.h.
 */
#include "postgres.h"

#include "dispatch/intents.h"
#include "dispatch/landing.h"
#include "test_point.h"

/* It is still due, and nothing is known of it that another look does not tell. */
static void
let_go(Flights *flights, Flight *flight)
{
	server_lock_out(flight->server, flight->due_at);
	flights_land(flights, flight);
}

static void
land_written(Flights *flights, Flight *flight, Totals *totals)
{
	TEST_POINT(flight->end.kind == DECIDE_SETTLE ? "outcome_committed" : "retry_committed");
	if (flight->end.kind == DECIDE_SETTLE)
		totals->ended[flight->end.outcome]++;
	else
	{
		totals->moved++;
		lanes_rewind(&flight->server->lanes, flight->asker, flight->priority, flight->move_to);
	}
	intent_release(flight);
	flights_land(flights, flight);
}

bool
landing_land(Flights *flights, Flight *flight, Totals *totals)
{
	if (flight->written)
		land_written(flights, flight, totals);
	else if (!flight->locked_out)
		flights_set_aside(flights, flight, &flights->unwritable);
	else if (!flight_has_called(flight))
		let_go(flights, flight);
	else
	{
		flights_set_aside(flights, flight, &flights->locked_out);
		return false;
	}
	return true;
}
