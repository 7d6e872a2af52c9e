/*
 * courier_dialect_test.c: what each dialect owes: its traits, and readings that
 * keep the promises of reading_promises.h.
 */
#include "dialect.h"

#include "answers.h"
#include "dialect_traits.h"
#include "reading_promises.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const Secrets secrets = {.words = {"s3cret", NULL, NULL}};

/* What the worker is told that a dialect can do, the courier must have. */
static void
test_traits(void)
{
	ok(dialect_find("messaging") == &dialect_messaging, "found by name");
	ok(dialect_find("smoke_signals") == NULL, "unknown names find none");
	for (int i = 0; i < DIALECT_COUNT; i++)
	{
		const DialectTraits *traits = &dialect_traits[i];
		const Dialect *dialect = dialect_find(traits->name);
		bool		has_limits = traits->sms_segments_max > 0 || traits->text_max > 0;

		ok(dialect != NULL && dialect->compose != NULL && dialect->read != NULL, "%s is spoken", traits->name);
		ok(traits->tags_lineage == (dialect->compose_tag != NULL), "%s: tags_lineage", traits->name);
		ok(!has_limits || dialect->find_fault != NULL, "%s: somebody looks at its limits", traits->name);
		ok(traits->title != NULL && traits->proactive_channels != NULL, "%s: title, proactive_channels", traits->name);
	}
}

/* What a dialect leaves as it is cannot be taken for a reading. */
static Reading
read_response(const DialectTraits *traits, Step step, const HttpResponse *response)
{
	Reading		reading;

	memset(&reading, 1, sizeof(reading));
	dialect_find(traits->name)->read(step, response, &secrets, NULL, &reading);
	return reading;
}

static bool
keeps_promises(const DialectTraits *traits, Step step, const HttpResponse *response)
{
	Reading		reading = read_response(traits, step, response);
	const char *broken = broken_promise(traits, step, response, &reading);

	if (!ok(broken == NULL, "%s, %s: promises are kept after %d %s%s", traits->name, step_name(step),
			response->status, response->body, response->complete ? "" : ", not whole"))
		printf("#   broken: %s\n", broken);
	return broken == NULL;
}

static void
test_answers(const DialectTraits *traits, Step step)
{
	static const int statuses[] = {200, 201, 204, 303, 400, 401, 403, 404, 409, 429, 500, 503};
	static const char *const bodies[] = {
		"", "{}", "[]", "<html>", "{\"id\":\"a/b\",\"status\":\"b c\"}", "{\"code\":\"no\",\"message\":\"it is s3cret\"}",
	};

	for (size_t i = 0; i < COUNT(statuses); i++)
		for (size_t j = 0; j < COUNT(bodies); j++)
		{
			HttpResponse response = whole_answer(statuses[i], bodies[j]);

			keeps_promises(traits, step, &response);
		}
}

/* Of a failure without an answer people see what the network said. */
static void
test_broken(const DialectTraits *traits, Step step)
{
	HttpResponse unsent = broken_answer(0, "connect_failed");
	HttpResponse lost = broken_answer(0, "timeout");
	HttpResponse cut = broken_answer(200, "timeout");
	HttpResponse cut_refusal = broken_answer(400, "timeout");

	unsent.sent = false;
	if (keeps_promises(traits, step, &unsent))
		is_text(read_response(traits, step, &unsent).error_message, "it broke", "and what the network said");
	keeps_promises(traits, step, &lost);
	keeps_promises(traits, step, &cut);
	keeps_promises(traits, step, &cut_refusal);
}

int
main(void)
{
	test_traits();
	for (int i = 0; i < DIALECT_COUNT; i++)
		for (Step step = STEP_CHECK; step < STEP_COUNT; step++)
		{
			test_answers(&dialect_traits[i], step);
			test_broken(&dialect_traits[i], step);
		}
	return done_testing();
}
