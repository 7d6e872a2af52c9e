/*
 * finish.c: see finish.h.
 */
#include "postgres.h"

#include "dispatch/finish.h"
#include "dispatch/intents.h"
#include "test_point.h"

/* It is still due, and nothing is known of it that another look does not tell. */
static void
let_go(Deliveries *deliveries, Delivery *delivery)
{
	server_note_locked(delivery->server, delivery->due_at);
	deliveries_let_go(deliveries, delivery);
}

static void
land_written(Deliveries *deliveries, Delivery *delivery, Totals *totals)
{
	TEST_POINT(delivery->end.kind == DECIDE_SETTLE ? "outcome_committed" : "retry_committed");
	delivery_say(delivery, DEBUG1, "%s",
				 delivery->end.kind == DECIDE_SETTLE ? outcome_name(delivery->end.outcome) : "due again later");
	if (delivery->end.kind == DECIDE_SETTLE)
	{
		totals->ended[delivery->end.outcome]++;
		metrics_note_end(delivery->server->metrics, delivery->end.outcome);
	}
	else
	{
		totals->moved++;
		metrics_note_move(delivery->server->metrics, delivery->end.hold);
		lanes_rewind(&delivery->server->lanes, delivery->asker, delivery->priority, delivery->move_to);
	}
	intent_release(delivery);
	deliveries_let_go(deliveries, delivery);
}

bool
finish_after_commit(Deliveries *deliveries, Delivery *delivery, Totals *totals)
{
	if (delivery->written)
		land_written(deliveries, delivery, totals);
	else if (!delivery->locked_out)
		delivery_set_aside(deliveries, delivery, DELIVERY_STORE_FAILED);
	else if (!delivery_has_called(delivery))
		let_go(deliveries, delivery);
	else
	{
		delivery_set_aside(deliveries, delivery, DELIVERY_WAITING_LOCK);
		return false;
	}
	return true;
}
