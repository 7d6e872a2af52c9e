/*
 * courier_queue_test.c: the order of the calls that wait, and which are late.
 */
#include "queue.h"

#include <stdlib.h>

#include "tap.h"

#define CALLS 2000
#define NEVER INT64_MAX

static Call calls[CALLS];

static Call *
call_of(int n, Step step, int64_t priority, int64_t leave_by_ms)
{
	calls[n] = (Call) {
		.message = {.step = step, .priority = priority},
		.begin_by_ms = NEVER, .leave_by_ms = leave_by_ms,
	};
	return &calls[n];
}

/* The numbers of all that wait, in the order in which they go. */
static const char *
order_of(Queue *queue)
{
	static char text[128];
	size_t		used = 0;

	text[0] = '\0';
	while (queue_first(queue) != NULL)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "%d ", (int) (queue_take(queue) - calls));
	return text;
}

static void
test_order(void)
{
	Queue		queue = {0};

	queue_put(&queue, call_of(0, STEP_CHECK, 5, NEVER));
	queue_put(&queue, call_of(1, STEP_CHECK, 0, NEVER));
	queue_put(&queue, call_of(2, STEP_NOTIFY, 9, NEVER));
	queue_put(&queue, call_of(3, STEP_CREATE, 3, NEVER));
	queue_put(&queue, call_of(4, STEP_NOTIFY, 9, NEVER));
	queue_put(&queue, call_of(5, STEP_CHECK, 5, NEVER));
	is_text(order_of(&queue), "3 2 4 1 0 5 ",
			"messages before looks, the urgent ones first, others in their order");
	ok(queue_first(&queue) == NULL, "then none waits");
	queue_put(&queue, call_of(0, STEP_CHECK, 12, NEVER));
	queue_put(&queue, call_of(1, STEP_CHECK, 9, NEVER));
	queue_put(&queue, call_of(2, STEP_CHECK, -1, NEVER));
	is_text(order_of(&queue), "0 1 2 ", "a priority that there is not is the last one");
}

static Call *
tried(Call *call, int requests_sent)
{
	call->requests_sent = requests_sent;
	return call;
}

static void
test_again(void)
{
	Queue		queue = {0};

	queue_put(&queue, call_of(0, STEP_NOTIFY, 0, NEVER));
	queue_put_again(&queue, tried(call_of(1, STEP_CHECK, 9, NEVER), 1));
	queue_put_again(&queue, tried(call_of(2, STEP_CHECK, 9, NEVER), 2));
	queue_put_again(&queue, tried(call_of(3, STEP_CHECK, 9, NEVER), 1));
	queue_put(&queue, call_of(4, STEP_NOTIFY, 0, NEVER));
	is_text(order_of(&queue), "2 1 3 0 4 ",
			"those that were tried go first, whoever was tried most before the others");
}

static const char *
late_of(Queue *queue, int64_t now_ms)
{
	static char text[128];
	size_t		used = 0;

	text[0] = '\0';
	for (Call *call = queue_take_late(queue, now_ms); call != NULL; call = call->next)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "%d ", (int) (call - calls));
	return text;
}

static void
test_late(void)
{
	Queue		queue = {0};

	queue_put(&queue, call_of(0, STEP_NOTIFY, 5, 300));
	queue_put(&queue, call_of(1, STEP_NOTIFY, 5, 100));
	queue_put(&queue, call_of(2, STEP_NOTIFY, 5, 200));
	queue_put(&queue, call_of(3, STEP_CHECK, 5, 100));
	queue_put_again(&queue, tried(call_of(4, STEP_CHECK, 5, 100), 1));
	is_text(late_of(&queue, 99), "", "none is late before its time");
	is_text(late_of(&queue, 100), "1 3 ", "from then on it is; but a look that waits for a token has time");
	ok(queue.late_at_ms == 200, "what is looked for next is the next one that is late");
	queue_put(&queue, call_of(5, STEP_NOTIFY, 5, 150));
	ok(queue.late_at_ms == 150, "unless one comes in that is late earlier");
	queue_put(&queue, call_of(6, STEP_NOTIFY, 5, NEVER));
	is_text(late_of(&queue, 300), "0 2 5 ", "the first, the last and those in between are taken out");
	is_text(order_of(&queue), "4 6 ", "the others stay");
	ok(queue.late_at_ms == NEVER, "nobody is woken up for an empty queue");
}

static void
test_expired_messages(void)
{
	Queue		queue = {0};

	queue_put(&queue, call_of(0, STEP_NOTIFY, 5, 300));
	queue_put(&queue, call_of(1, STEP_CHECK, 5, NEVER));
	queue_expire_messages(&queue);
	is_text(late_of(&queue, 1), "0 ", "what a look allowed is late as soon as that counts no more");
	is_text(order_of(&queue), "1 ", "what nobody looked for waits on");
}

/* The order that a search through all of them would find. */
static bool
goes_before(const Call *one, const Call *other)
{
	bool		looks = one->message.step == STEP_CHECK;
	bool		other_looks = other->message.step == STEP_CHECK;

	if (looks != other_looks)
		return other_looks;
	if (one->message.priority != other->message.priority)
		return one->message.priority < other->message.priority;
	return one < other;
}

static void
test_any_order(unsigned seed)
{
	Queue		queue = {0};
	bool		waits[CALLS] = {false};
	int			next = 0;
	bool		right = true;

	srand(seed);
	while (right && (next < CALLS || queue_first(&queue) != NULL))
	{
		if (next < CALLS && rand() % 5 < 3)
		{
			queue_put(&queue, call_of(next, rand() % 2 == 0 ? STEP_CHECK : STEP_NOTIFY, rand() % PRIORITIES,
									  1 + rand() % CALLS));
			waits[next++] = true;
		}
		else if (rand() % 50 == 0)
		{
			int64_t		now_ms = rand() % CALLS;

			for (Call *call = queue_take_late(&queue, now_ms); call != NULL; call = call->next)
				waits[call - calls] = false;
			for (int i = 0; i < next; i++)
				right = right && (!waits[i] || calls[i].leave_by_ms > now_ms);
		}
		else if (queue_first(&queue) != NULL)
		{
			Call	   *call = queue_take(&queue);

			right = waits[call - calls];
			waits[call - calls] = false;
			for (int i = 0; i < next; i++)
				right = right && (!waits[i] || goes_before(call, &calls[i]));
		}
	}
	for (int i = 0; i < next; i++)
		right = right && !waits[i];
	ok(right, "seed %u: each goes once, in the order that a search finds", seed);
}

int
main(void)
{
	test_order();
	test_again();
	test_late();
	test_expired_messages();
	for (unsigned seed = 1; seed <= 5; seed++)
		test_any_order(seed);
	return done_testing();
}
