/*
 * courier_dialect_test.c: requests and readings of the dialect "messaging".
 */
#include "dialect.h"

#include "dialect_traits.h"
#include "tap.h"

static const Secrets secrets = {.words = {"s3cret", NULL, NULL}};

static Reading
read_response(Step step, const HttpResponse *response)
{
	Reading		reading;

	dialect_messaging.read(step, response, &secrets, NULL, &reading);
	return reading;
}

/* A whole answer without headers of interest. */
static Reading
read_answer(Step step, int status, const char *body)
{
	HttpResponse response = {
		.status = status, .sent = true, .complete = true, .detail = "",
		.retry_after_ms = -1, .headers = "", .body = body, .body_length = strlen(body),
	};

	return read_response(step, &response);
}

typedef struct StatusCase
{
	int			status;
	ReplyClass	check;
	ReplyClass	notify;
	ReplyClass	create;
	const char *reason;
} StatusCase;

/* With a body that says nothing: unreadable where one must be read. */
static const StatusCase status_cases[] = {
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
		Reading		check = read_answer(STEP_CHECK, wanted->status, "{}");
		Reading		notify = read_answer(STEP_NOTIFY, wanted->status, "{}");
		Reading		create = read_answer(STEP_CREATE, wanted->status, "{}");

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
	{"create, a cut 200", STEP_CREATE, true, 200, "timeout", REPLY_AMBIGUOUS, "unreadable"},
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
		HttpResponse response = {
			.status = wanted->status, .sent = wanted->sent, .failure = wanted->failure,
			.detail = "it broke", .retry_after_ms = -1, .headers = "", .body = "",
		};
		Reading		reading = read_response(wanted->step, &response);

		ok(reading.class == wanted->class, "%s is %s", wanted->name,
		   reply_class_name(wanted->class));
		is_text(reading.reason, wanted->reason, "with its reason");
		if (wanted->class != REPLY_DONE)
			is_text(reading.error_message, "it broke", "and what the network said");
	}
}

static void
test_unavailable_until(void)
{
	HttpResponse response = {
		.status = 503, .sent = true, .complete = true, .detail = "",
		.retry_after_ms = 7000, .headers = "", .body = "",
	};
	Reading		reading = read_response(STEP_CREATE, &response);

	is_number(reading.class, REPLY_NOT_APPLIED, "503 that says when to retry was not applied");
	is_number(reading.retry_after_ms, 7000, "and when to retry");
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
	HttpResponse response = {
		.status = 400, .sent = true, .complete = true, .detail = "", .retry_after_ms = -1,
		.headers = "HTTP/1.1 400\r\nInin-Correlation-ID: corr-1\r\n", .headers_length = 43,
		.body = "{\"contextId\":\"c-1\"}", .body_length = 19,
	};
	Reading		reading = read_answer(STEP_CREATE, 400,
									  "{\"code\":\"bad\\trequest\",\"message\":\"s3cret \\u00fc\","
									  "\"contextId\":\"c-1\"}");

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
	ok(dialect_find("messaging") == &dialect_messaging, "found by name");
	ok(dialect_find("smoke_signals") == NULL, "unknown names find none");
}

/* What the worker is told that a dialect can do, the courier must have. */
static void
test_traits(void)
{
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
	test_unavailable_until();
	test_check();
	test_check_unreadable();
	test_create();
	test_notify();
	test_errors();
	test_compose();
	test_traits();
	return done_testing();
}
