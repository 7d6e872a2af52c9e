/*
 * courier_reading_test.c: what HTTP alone says, to all dialects, and which ids are kept.
 */
#include "reading.h"

#include "answers.h"
#include "tap.h"

static Reading
judge_response(Step step, const HttpResponse *response)
{
	Reading		reading;

	reading_judge(&reading, step, response);
	return reading;
}

typedef struct StatusCase
{
	int			status;
	ReplyClass	check;
	ReplyClass	notify;
	ReplyClass	create;
	const char *reason;
} StatusCase;

static const StatusCase status_cases[] = {
	{200, REPLY_DONE, REPLY_DONE, REPLY_DONE, ""},
	{202, REPLY_DONE, REPLY_DONE, REPLY_DONE, ""},
	{301, REPLY_NOT_APPLIED, REPLY_REJECTED, REPLY_REJECTED, "redirect"},
	{302, REPLY_NOT_APPLIED, REPLY_REJECTED, REPLY_REJECTED, "redirect"},
	{303, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "redirect"},
	{400, REPLY_REJECTED, REPLY_REJECTED, REPLY_REJECTED, "http_400"},
	{401, REPLY_BLOCKED, REPLY_BLOCKED, REPLY_BLOCKED, "unauthorized"},
	{403, REPLY_BLOCKED, REPLY_BLOCKED, REPLY_BLOCKED, "forbidden"},
	{404, REPLY_NOT_FOUND, REPLY_NOT_FOUND, REPLY_REJECTED, "not_found"},
	{407, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, "proxy_failed"},
	{408, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_408"},
	{409, REPLY_REJECTED, REPLY_REJECTED, REPLY_REJECTED, "http_409"},
	{410, REPLY_NOT_FOUND, REPLY_NOT_FOUND, REPLY_REJECTED, "not_found"},
	{422, REPLY_REJECTED, REPLY_REJECTED, REPLY_REJECTED, "http_422"},
	{425, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, "http_425"},
	{429, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, REPLY_NOT_APPLIED, "rate_limited"},
	{500, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_500"},
	{501, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_501"},
	{502, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_502"},
	{503, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_503"},
	{504, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_504"},
	{999, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_AMBIGUOUS, "http_999"},
};

static void
test_status(void)
{
	for (size_t i = 0; i < sizeof(status_cases) / sizeof(status_cases[0]); i++)
	{
		const StatusCase *wanted = &status_cases[i];
		HttpResponse response = whole_answer(wanted->status, "{}");
		Reading		check = judge_response(STEP_CHECK, &response);
		Reading		notify = judge_response(STEP_NOTIFY, &response);
		Reading		create = judge_response(STEP_CREATE, &response);

		ok(check.class == wanted->check, "check: %d is %s", wanted->status,
		   reply_class_name(wanted->check));
		ok(notify.class == wanted->notify, "notify: %d is %s", wanted->status,
		   reply_class_name(wanted->notify));
		ok(create.class == wanted->create, "create: %d is %s", wanted->status,
		   reply_class_name(wanted->create));
		is_text(create.reason, wanted->reason, "with its reason");
		is_number(create.http_status, wanted->status, "and its status");
	}
}

typedef struct BrokenCase
{
	const char *name;
	Step		step;
	bool		sent;
	int			status;
	const char *failure;
	ReplyClass	class;
	const char *reason;
} BrokenCase;

static const BrokenCase broken_cases[] = {
	{"check not sent", STEP_CHECK, false, 0, "resolve_failed", REPLY_NOT_APPLIED, "resolve_failed"},
	{"notify not sent", STEP_NOTIFY, false, 0, "connect_failed",
	REPLY_NOT_APPLIED, "connect_failed"},
	{"create not sent", STEP_CREATE, false, 0, "tls_failed", REPLY_NOT_APPLIED, "tls_failed"},
	{"check of a stranger", STEP_CHECK, false, 0, "certificate_refused", REPLY_BLOCKED, "certificate_refused"},
	{"notify to a stranger", STEP_NOTIFY, false, 0, "certificate_refused", REPLY_BLOCKED, "certificate_refused"},
	{"check without answer", STEP_CHECK, true, 0, "timeout", REPLY_NOT_APPLIED, "timeout"},
	{"notify without answer", STEP_NOTIFY, true, 0, "timeout", REPLY_AMBIGUOUS, "timeout"},
	{"create without answer", STEP_CREATE, true, 0, "connection_lost",
	REPLY_AMBIGUOUS, "connection_lost"},
	{"check, a cut 200", STEP_CHECK, true, 200, "oversized", REPLY_NOT_APPLIED, "oversized"},
	{"check, a cut 404", STEP_CHECK, true, 404, "timeout", REPLY_NOT_APPLIED, "timeout"},
	{"notify, a cut 200", STEP_NOTIFY, true, 200, "timeout", REPLY_DONE, ""},
	{"create, a cut 200", STEP_CREATE, true, 200, "timeout", REPLY_DONE, ""},
	{"notify, a cut 400", STEP_NOTIFY, true, 400, "timeout", REPLY_NOT_APPLIED, "reply_cut"},
	{"notify, a cut 403", STEP_NOTIFY, true, 403, "timeout", REPLY_NOT_APPLIED, "reply_cut"},
	{"create, a cut 422", STEP_CREATE, true, 422, "timeout", REPLY_NOT_APPLIED, "reply_cut"},
	{"create, a cut 401", STEP_CREATE, true, 401, "timeout", REPLY_BLOCKED, "unauthorized"},
	{"create, a cut 429", STEP_CREATE, true, 429, "timeout", REPLY_NOT_APPLIED, "rate_limited"},
	{"create, a cut 500", STEP_CREATE, true, 500, "timeout", REPLY_AMBIGUOUS, "http_500"},
};

static void
test_broken(void)
{
	for (size_t i = 0; i < sizeof(broken_cases) / sizeof(broken_cases[0]); i++)
	{
		const BrokenCase *wanted = &broken_cases[i];
		HttpResponse response = broken_answer(wanted->status, wanted->failure);
		Reading		reading;

		response.sent = wanted->sent;
		reading = judge_response(wanted->step, &response);
		ok(reading.class == wanted->class, "%s is %s", wanted->name,
		   reply_class_name(wanted->class));
		is_text(reading.reason, wanted->reason, "with its reason");
	}
}

static void
test_unavailable_until(void)
{
	HttpResponse response = whole_answer(503, "");
	Reading		reading;

	response.retry_after_ms = 7000;
	reading = judge_response(STEP_CREATE, &response);
	is_number(reading.class, REPLY_NOT_APPLIED, "503 that says when to retry was not applied");
	is_number(reading.retry_after_ms, 7000, "and when to retry");
}

static void
test_conversation_ids(void)
{
	static const char *const others[] = {"", "..", "a/b", "a b", "a?b"};
	Reading		reading;

	reading_init(&reading, REPLY_DONE, "");
	ok(reading_set_conversation_id(&reading, "a-1"), "an id that could be asked about");
	is_text(reading.conversation_id, "a-1", "is kept");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ok(!reading_set_conversation_id(&reading, others[i]), "no id: \"%s\"", others[i]);
	ok(!reading_set_conversation_id(&reading, NULL), "none");
	is_text(reading.conversation_id, "a-1", "what is none changes nothing");
}

static void
test_message_ids(void)
{
	char		longest[MESSAGE_ID_SIZE + 1];
	Reading		reading;

	memset(longest, 'm', sizeof(longest));
	longest[MESSAGE_ID_SIZE - 1] = '\0';
	reading_init(&reading, REPLY_DONE, "");
	reading_set_message_id(&reading, longest);
	is_text(reading.message_id, longest, "the longest id of a message is kept");
	longest[MESSAGE_ID_SIZE - 1] = 'm';
	longest[MESSAGE_ID_SIZE] = '\0';
	reading_set_message_id(&reading, longest);
	is_text(reading.message_id, "", "a longer one is not");
	reading_set_message_id(&reading, "m 1");
	is_text(reading.message_id, "", "nor one with a space");
	reading_set_message_id(&reading, NULL);
	is_text(reading.message_id, "", "nor none");
}

int
main(void)
{
	test_status();
	test_broken();
	test_unavailable_until();
	test_conversation_ids();
	test_message_ids();
	return done_testing();
}
