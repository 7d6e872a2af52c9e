/*
 * courier_messaging_test.c: requests and readings of the dialect "messaging".
 */
#include "dialect.h"

#include "answers.h"
#include "tap.h"

static const Secrets secrets = {.words = {"s3cret", NULL, NULL}};

static Reading
read_response(Step step, const HttpResponse *response)
{
	Reading		reading;

	dialect_messaging.read(step, response, &secrets, NULL, &reading);
	return reading;
}

static Reading
read_answer(Step step, int status, const char *body)
{
	HttpResponse response = whole_answer(status, body);

	return read_response(step, &response);
}

/* To what HTTP alone says, a body that says nothing adds nothing. */
static void
test_status(void)
{
	static const int statuses[] = {301, 303, 400, 401, 403, 404, 407, 408, 409, 410, 422, 425, 429, 500, 503, 999};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (Step step = STEP_CHECK; step < STEP_COUNT; step++)
		{
			HttpResponse response = whole_answer(statuses[i], "{}");
			Reading		reading = read_response(step, &response);
			Reading		judged;

			reading_judge(&judged, step, &response);
			ok(reading.class == judged.class, "%s: %d is %s", step_name(step), statuses[i], reply_class_name(judged.class));
			is_text(reading.reason, judged.reason, "with its reason");
		}
}

static void
test_broken(void)
{
	HttpResponse cut = broken_answer(200, "timeout");
	HttpResponse lost = broken_answer(0, "connection_lost");
	Reading		reading = read_response(STEP_CREATE, &cut);

	ok(reading.class == REPLY_AMBIGUOUS, "create, a cut 200: in doubt");
	is_text(reading.reason, "unreadable", "as it names no conversation");
	is_text(reading.error_message, "it broke", "and what the network said");
	is_number(read_response(STEP_NOTIFY, &cut).class, REPLY_DONE, "notify, a cut 200: done");
	is_text(read_response(STEP_CHECK, &lost).error_message, "it broke", "check without an answer: what the network said");
}

static void
test_check(void)
{
	Reading		reading = read_answer(STEP_CHECK, 200,
									  "{\"id\":\"a\",\"status\":\"Active\",\"channel\":\"SMS\","
									  "\"direction\":\"inbound\","
									  "\"from\":{\"address\":\"+1\",\"name\":\"Ann\"},"
									  "\"to\":{\"address\":\"+2\"},\"contextId\":\"c-1\"}");

	is_number(reading.class, REPLY_DONE, "check: readable");
	ok(reading.live, "check: live");
	is_text(reading.status, "active", "check: status");
	is_text(reading.channel, "sms", "check: channel");
	is_text(reading.customer_address, "+1", "check: the customer is \"from\"");
	is_text(reading.business_address, "+2", "check: the business is \"to\"");
	is_text(reading.correlation_id, "c-1", "check: correlation id");
	is_text(reading.error_message, "", "check: no error");

	reading = read_answer(STEP_CHECK, 200,
						  "{\"status\":\"closed\",\"direction\":\"Outbound\","
						  "\"from\":{\"address\":\"+1\"},\"to\":{\"address\":\"+2\"}}");
	ok(!reading.live, "check: closed is not live");
	is_text(reading.customer_address, "+2", "check: outbound, the customer is \"to\"");
	is_text(reading.business_address, "+1", "check: outbound, the business is \"from\"");

	reading = read_answer(STEP_CHECK, 200,
						  "{\"status\":\"ringing\",\"channel\":\"a b\",\"from\":\"+1\","
						  "\"to\":{\"address\":\"a\\nb\"}}");
	ok(reading.live, "check: ringing is live");
	is_text(reading.channel, "", "check: a channel that is no word is absent");
	is_text(reading.customer_address, "", "check: an address of another type is absent");
	is_text(reading.business_address, "", "check: an address with control bytes is absent");
	ok(!read_answer(STEP_CHECK, 200, "{\"status\":\"activex\"}").live, "check: compared exactly");
}

static void
test_check_unreadable(void)
{
	static const char *const bodies[] = {
		"", "{}", "<html>", "[]", "{\"status\":1}", "{\"status\":\"\"}", "{\"status\":null}",
		"{\"status\":\"very active\"}", "{\"status\":\"act\\u0000ive\"}", "{\"status\":\"active\"",
		"{\"status\":\"active\"} x", "{\"status\":{\"status\":\"active\"}}",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		Reading		reading = read_answer(STEP_CHECK, 200, bodies[i]);

		ok(reading.class == REPLY_NOT_APPLIED && strcmp(reading.reason, "unreadable") == 0 &&
		   !reading.live, "check: unreadable: %s", bodies[i]);
	}
}

static void
test_create(void)
{
	static const char *const bodies[] = {
		"", "{}", "{\"id\":7}", "{\"id\":\"\"}", "{\"id\":\"..\"}", "{\"id\":\"a/b\"}",
		"{\"id\":\"a",
	};
	Reading		reading = read_answer(STEP_CREATE, 201, "{\"id\":\"new-1\"}");

	is_number(reading.class, REPLY_DONE, "create: done");
	is_text(reading.conversation_id, "new-1", "create: the new conversation");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		reading = read_answer(STEP_CREATE, 200, bodies[i]);
		ok(reading.class == REPLY_AMBIGUOUS && reading.conversation_id[0] == '\0',
		   "create: in doubt: %s", bodies[i]);
	}
}

typedef struct RefusalCase
{
	int			status;
	const char *body;
	ReplyClass	class;
} RefusalCase;

static const RefusalCase refusal_cases[] = {
	{400, "{\"message\":\"Cannot send notification to closed conversation\"}", REPLY_CLOSED},
	{400, "{\"message\":\"CLOSED CONVERSATION\"}", REPLY_CLOSED},
	{400, "{\"code\":\"conversation.closed\",\"message\":\"no\"}", REPLY_CLOSED},
	{409, "{\"message\":\"The conversation is not in a state that allows it\"}", REPLY_CLOSED},
	{403, "{\"message\":\"conversation is closed\"}", REPLY_CLOSED},
	{403, "{\"message\":\"missing permission\"}", REPLY_BLOCKED},
	{400, "{\"message\":\"text is missing\"}", REPLY_REJECTED},
	{400, "<p>closed conversation</p>", REPLY_REJECTED},
	{422, "{\"message\":\"closed conversation\"}", REPLY_REJECTED},
	{500, "{\"message\":\"closed conversation\"}", REPLY_AMBIGUOUS},
	{202, "no JSON at all", REPLY_DONE},
};

static void
test_notify(void)
{
	for (size_t i = 0; i < sizeof(refusal_cases) / sizeof(refusal_cases[0]); i++)
	{
		const RefusalCase *wanted = &refusal_cases[i];

		ok(read_answer(STEP_NOTIFY, wanted->status, wanted->body).class == wanted->class,
		   "notify: %d %s is %s", wanted->status, wanted->body, reply_class_name(wanted->class));
	}
	is_number(read_answer(STEP_CREATE, 400, refusal_cases[0].body).class, REPLY_REJECTED,
			  "create is never refused as closed");
}

static void
test_errors(void)
{
	HttpResponse response = whole_answer(400, "{\"contextId\":\"c-1\"}");
	Reading		reading = read_answer(STEP_CREATE, 400,
									  "{\"code\":\"bad\\trequest\",\"message\":\"s3cret \\u00fc\","
									  "\"contextId\":\"c-1\"}");

	response.headers = "HTTP/1.1 400\r\nInin-Correlation-ID: corr-1\r\n";
	response.headers_length = 43;
	is_text(reading.error_code, "bad request", "error code");
	is_text(reading.error_message, "*** ?", "error message");
	is_text(reading.correlation_id, "c-1", "correlation id from the body");
	is_text(read_response(STEP_CREATE, &response).correlation_id, "corr-1",
			"correlation id from the headers first");
	is_text(read_answer(STEP_CREATE, 502, "<h1>Bad\nGateway</h1>").error_message,
			"<h1>Bad Gateway</h1>", "a page instead of a message");
}

static void
is_request(const CallMessage *call, const char *url, const char *body)
{
	HttpRequest request = {0};

	dialect_messaging.compose(call, "https://api", &request);
	is_text(request.url, url, "URL");
	is_text(request.body, body, "body");
	http_request_free(&request);
}

static void
test_compose(void)
{
	CallMessage call = {
		.step = STEP_CHECK, .conversation_id = "a-1", .nudge_id = "n-1", .text = "Hi \"you\"/\n",
		.to_address = "+1", .from_address = "+2", .channel = "sms",
	};

	is_request(&call, "https://api/api/v2/conversations/messaging/a-1", NULL);
	call.step = STEP_NOTIFY;
	is_request(&call, "https://api/api/v2/conversations/messaging/a-1/notifications",
			   "{\"text\":\"Hi \\\"you\\\"/\\n\"}");
	call.step = STEP_CREATE;
	is_request(&call, "https://api/api/v2/conversations/messaging",
			   "{\"to\":{\"address\":\"+1\"},\"from\":{\"address\":\"+2\"},\"channel\":\"sms\","
			   "\"text\":\"Hi \\\"you\\\"/\\n\","
			   "\"metadata\":{\"previousConversationId\":\"a-1\",\"nudgeId\":\"n-1\"}}");
	call.from_address = NULL;
	is_request(&call, "https://api/api/v2/conversations/messaging",
			   "{\"to\":{\"address\":\"+1\"},\"channel\":\"sms\",\"text\":\"Hi \\\"you\\\"/\\n\","
			   "\"metadata\":{\"previousConversationId\":\"a-1\",\"nudgeId\":\"n-1\"}}");
}

typedef struct InboundCase
{
	const char *value;
	int64_t		at;
} InboundCase;

static const InboundCase inbound_cases[] = {
	{"\"2026-11-20T10:00:00.5Z\"", INT64_C(1795168800500000)},
	{"\"2026-11-20T11:00:00+01:00\"", INT64_C(1795168800000000)},
	{"1795168800500", INT64_C(1795168800500000)},
	{"1795168800", INT64_C(1795168800000000)},
	{"\"2026-11-20T10:00:00\"", 0},
	{"\"yesterday\"", 0},
	{"\"1795168800500\"", 0},
	{"1795168800.5", 0},
	{"-5", 0},
	{"0", 0},
	{"9223372036854775807", 0},
	{"null", 0},
	{"{}", 0},
};

static void
test_last_inbound(void)
{
	char		body[200];

	for (size_t i = 0; i < sizeof(inbound_cases) / sizeof(inbound_cases[0]); i++)
	{
		Reading		reading;

		snprintf(body, sizeof(body), "{\"status\":\"active\",\"lastInboundAt\":%s}", inbound_cases[i].value);
		reading = read_answer(STEP_CHECK, 200, body);
		ok(reading.class == REPLY_DONE && reading.live, "check: lastInboundAt %s", inbound_cases[i].value);
		is_number(reading.last_inbound_at, inbound_cases[i].at, "when the customer wrote");
	}
}

static void
test_message_ids(void)
{
	is_text(read_answer(STEP_NOTIFY, 200, "{\"id\":\"m-1\"}").message_id, "m-1", "notify: the id is the message's");
	is_text(read_answer(STEP_CREATE, 201, "{\"id\":\"b-1\"}").message_id, "", "create: it is the conversation's");
	is_text(read_answer(STEP_CREATE, 201, "{\"id\":\"b-1\",\"messageId\":9007199254740993}").message_id,
			"9007199254740993", "create: the message's own");
	is_text(read_answer(STEP_CREATE, 201, "{\"id\":\"b-1\",\"message\":{\"id\":\"m-2\"}}").message_id, "m-2",
			"create: of the message");
	is_number(read_answer(STEP_NOTIFY, 200, "{\"id\":\"m-1\",\"message\":{\"status\":\"Failed\"}}").class,
			  REPLY_REJECTED, "notify: a message that has failed");
	is_number(read_answer(STEP_CREATE, 201, "{\"message\":{\"status\":\"failed\"}}").class,
			  REPLY_REJECTED, "create: even if it is not said in which conversation");
	is_text(read_answer(STEP_CREATE, 400, "{\"messageId\":\"m-1\"}").message_id, "", "a refusal has none");
}

int
main(void)
{
	test_last_inbound();
	test_message_ids();
	test_status();
	test_broken();
	test_check();
	test_check_unreadable();
	test_create();
	test_notify();
	test_errors();
	test_compose();
	return done_testing();
}
