/*
 * gates.c: what the gates have to know (gate_rules.h), and who is asked.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "dispatch/customers.h"
#include "dispatch/delivery_addresses.h"
#include "dispatch/gate_locks.h"
#include "dispatch/gates.h"
#include "dispatch/policies.h"
#include "gate_rules.h"

void
gates_name_customers(Deliveries *in_hand, Delivery **deliveries, int count)
{
	AddressKey	key = store_address_key();

	for (int i = 0; i < count; i++)
	{
		Delivery   *delivery = deliveries[i];

		/* a call that is made again goes where it went */
		if (!delivery->nudge.unresolved)
			customers_name(in_hand, delivery, address_hash(&key, delivery_address(delivery)));
		if (delivery->own_address_hash == NULL)
			delivery->own_address_hash = delivery_keep(delivery, address_hash(&key, delivery_own_address(delivery)));
	}
}

/* Beside what the tables say. */
static void
add_facts(const Deliveries *in_hand, const Delivery *delivery, GateFacts *facts)
{
	facts->may_post = delivery_may_post(delivery);
	facts->customer_is_taken = !customers_are_free(in_hand, delivery);
	facts->customer_is_news = delivery->nudge.own_address_hash == NULL && delivery->post.address_hash != NULL;
	facts->looked_elsewhere = delivery->other != NULL;
	facts->unresolved = delivery->nudge.unresolved;
	facts->answered_since = delivery->nudge.answered_since;
	facts->times_put_back = delivery->nudge.fencing_token;
	facts->looked_at = delivery->reply.answered_at;
}

/* Whoever is let through has the customer, so that the next one finds it taken. */
static Verdict
ask_gates(Deliveries *in_hand, Delivery *delivery, GateFacts *facts)
{
	Verdict		verdict;

	add_facts(in_hand, delivery, facts);
	verdict = gates_judge(facts);
	if (verdict.kind == VERDICT_ALLOW || verdict.kind == VERDICT_RECHECK)
		customers_take(in_hand, delivery);
	/* it is read after the commit, when the tick's memory is gone */
	verdict.conversation_id = delivery_keep(delivery, verdict.conversation_id);
	return verdict;
}

void
gates_ask(const Policies *policies, Deliveries *in_hand, Delivery **deliveries, const IntentRow *rows,
		  int count, Monotonic now, Verdict *verdicts)
{
	GateFacts  *facts = palloc0(sizeof(GateFacts) * count);
	OpenRows   *open;

	/* before the tables are asked: then nothing that commits meanwhile is missed */
	for (int i = 0; i < count; i++)
		facts[i].locked = gate_locks_try_post(deliveries[i]);
	open = open_rows_begin();
	for (int i = 0; i < count; i++)
		facts[i].locked = facts[i].locked && !gate_locks_came_late(deliveries[i], open);
	open_rows_end(open);
	store_check_gates(rows, count, facts);
	for (int i = 0; i < count; i++)
	{
		facts[i].now = now;
		facts[i].wall = GetCurrentTimestamp();
		verdicts[i] = ask_gates(in_hand, deliveries[i], &facts[i]);
	}
	/* nobody else speaks to these customers, so that what is counted is all there is */
	policies_judge(policies, deliveries, count, verdicts);
	for (int i = 0; i < count; i++)
		verdicts[i] = gates_wait_for_others(&facts[i], verdicts[i]);
}
