/*
 * courier_refusal_test.c: the words of a refusal, in every shape, and what
 * follows from them.
 */
#include "dialect.h"

#include "answers.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const Secrets secrets = {.words = {"s3cret", NULL, NULL}};

static Reading
read_answer(const Dialect *dialect, Step step, int status, const char *body, const char *opt_out_words)
{
	HttpResponse response = whole_answer(status, body);
	Reading		reading;

	dialect->read(step, &response, &secrets, opt_out_words, &reading);
	return reading;
}

typedef struct ShapeCase
{
	const char *body;
	const char *code;
	const char *message;
} ShapeCase;

static const ShapeCase shapes[] = {
	{"{\"message\":\"No.\",\"code\":\"bad.request\"}", "bad.request", "No."},
	{"{\"message\":\"No.\",\"code\":63016}", "63016", "No."},
	{"{\"message\":500,\"code\":-1}", "-1", "500"},
	{"{\"code\":123456789}", "123456789", ""},
	{"{\"code\":131.5,\"message\":true}", "", ""},
	{"{\"code\":null,\"message\":\"\",\"errors\":[\"Only this\"]}", "", "Only this"},
	{"{\"error\":\"invalid_grant\",\"error_description\":\"Expired.\"}", "invalid_grant", "Expired."},
	{"{\"error\":\"invalid_client\",\"description\":\"authentication failed\"}", "invalid_client", "authentication failed"},
	{"{\"error\":\"The template is not approved\"}", "", "The template is not approved"},
	{"{\"error\":\"not_allowed\"}", "not_allowed", ""},
	{"{\"error\":471,\"message\":\"x\"}", "471", "x"},
	{"{\"error\":{\"message\":\"(#100) Invalid\",\"type\":\"OAuthException\",\"code\":131009}}", "131009", "(#100) Invalid"},
	{"{\"error\":{\"message\":\"Invalid\",\"type\":\"invalid_request\",\"code\":null}}", "invalid_request", "Invalid"},
	{"{\"error\":{\"code\":7,\"error_data\":{\"details\":\"Deep down\"}}}", "7", "Deep down"},
	{"{\"errors\":[{\"code\":1026,\"title\":\"Receiver incapable\",\"details\":\"Why\"}]}", "1026", "Why"},
	{"{\"errors\":[{},7,null,{\"errorCode\":\"E1\",\"description\":\"First\"},{\"code\":\"E2\",\"message\":\"Second\"}]}", "E1", "First"},
	{"{\"errors\":[\"Text one\",\"Text two\"]}", "", "Text one"},
	{"{\"errors\":{\"code\":\"E3\",\"message\":\"An object\"}}", "E3", "An object"},
	{"{\"details\":[{\"errorCode\":\"invalid\",\"fieldName\":\"toAddress\"}]}", "invalid", "toAddress"},
	{"{\"message\":\"Outer\",\"errors\":[{\"code\":\"E4\",\"message\":\"Inner\"}]}", "E4", "Inner"},
	{"{\"message\":\"Outer\",\"errors\":[{\"code\":\"E4\"}]}", "E4", "Outer"},
	{"{\"message\":\"Outer\",\"code\":\"E5\",\"errors\":[{\"code\":\"E4\",\"message\":\"Inner\"}]}", "E5", "Outer"},
	{"{\"message\":{\"code\":\"E6\",\"text\":\"x\",\"description\":\"Nested\"}}", "E6", "Nested"},
	{"{\"type\":\"https://example.com/problems/no-credit\",\"title\":\"No credit\",\"status\":403,\"detail\":\"0 left\"}", "no-credit", "0 left"},
	{"{\"type\":\"about:blank\",\"title\":\"Not Found\"}", "", "Not Found"},
	{"{\"type\":\"urn:problem:over-quota/\",\"title\":\"T\"}", "urn:problem:over-quota/", "T"},
	{"{\"fault\":{\"code\":900800,\"description\":\"Throttled out\"}}", "900800", "Throttled out"},
	{"[{\"errorCode\":\"REQUIRED\",\"message\":\"An array\"}]", "REQUIRED", "An array"},
	{"[\"Of texts\"]", "", "Of texts"},
	{"{\"error\":{\"error\":{\"error\":{\"error\":{\"message\":\"too deep\"}}}}}", "", ""},
	{"{\"message\":\"call +1 (317) 555-0142 or ann@example.com\",\"code\":\"s3cret\"}", "***",
	"call *** or ***"},
	{"{\"code\":\"+13175550142\",\"message\":\"x\"}", "***", "x"},
	{"{\"code\":\"a\\u0000b\",\"message\":\"a\\tb\"}", "", "a b"},
	{"Service down", "", "Service down"},
	{"[1,2]", "", ""},
	{"{}", "", ""},
};

static void
test_shapes(void)
{
	for (size_t i = 0; i < COUNT(shapes); i++)
		for (Step step = 0; step < STEP_COUNT; step++)
		{
			Reading		reading = read_answer(&dialect_messaging, step, 422, shapes[i].body, NULL);

			is_text(reading.error_code, shapes[i].code, shapes[i].body);
			is_text(reading.error_message, shapes[i].message, "its message");
			is_number(reading.class, REPLY_REJECTED, "a rejection");
		}
}

/* An answer that agreed is no complaint, even if it cannot be read. */
static void
test_agreement(void)
{
	Reading		reading = read_answer(&dialect_messaging, STEP_CREATE, 200,
									  "{\"description\":\"of Ann\",\"title\":\"Ms\",\"message\":\"Dear Ann\",\"details\":[\"x\"]}", NULL);

	is_number(reading.class, REPLY_AMBIGUOUS, "an answer that cannot be read");
	is_text(reading.error_message, "", "whose content is nobody's business");
	reading = read_answer(&dialect_messaging, STEP_CREATE, 200, "{\"error\":{\"message\":\"No\",\"code\":5}}", NULL);
	is_text(reading.error_message, "No", "unless it says that it is an error");
	is_text(reading.error_code, "5", "with its code");
}

static const char *const closed[] = {
	"{\"errors\":[{\"code\":\"x\",\"message\":\"The conversation is closed\"}]}",
	"{\"error\":{\"code\":4,\"message\":\"Conversation is not in a state that allows adding messages\"}}",
	"{\"title\":\"Conflict\",\"detail\":\"closed conversation\"}",
	"{\"details\":[{\"errorCode\":\"conversation.closed\"}]}",
	"{\"error\":\"conversation_closed\"}",
	"[{\"message\":\"It was closed\"}]",
};

static void
test_closed(void)
{
	for (size_t i = 0; i < COUNT(closed); i++)
		for (int status = 400; status <= 409; status++)
			if (status == 400 || status == 403 || status == 409)
				is_number(read_answer(&dialect_messaging, STEP_NOTIFY, status, closed[i], NULL).class,
						  REPLY_CLOSED, closed[i]);
	is_number(read_answer(&dialect_genesys_cloud, STEP_CREATE, 409,
						  "{\"errors\":[{\"message\":\"An active conversation is already in progress\"}]}", NULL).class,
			  REPLY_OVERTAKEN, "overtaken, in another shape");
}

typedef struct OptOutCase
{
	int			status;
	const char *body;
	bool		opted_out;
} OptOutCase;

static const OptOutCase opt_outs[] = {
	{400, "{\"message\":\"+15550002222 is opted out\",\"code\":\"bad.request\"}", true},
	{400, "{\"code\":21610,\"message\":\"Attempt\"}", true},
	{403, "{\"error\":{\"code\":131050,\"message\":\"x\"}}", true},
	{403, "{\"error\":{\"code\":\"ConversationBlockedByUser\"}}", true},
	{403, "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was blocked by the user\"}", true},
	{404, "{\"errors\":[\"x\",\"The recipient has unsubscribed\"]}", true},
	{409, "{\"message\":\"closed\",\"details\":[{\"errorCode\":\"RecipientOptedOut\"}]}", true},
	{410, "{\"title\":\"Gone\",\"detail\":\"The customer opted out\"}", true},
	{422, "The user has opted out", true},
	{400, "[{\"errorCode\":\"OPTED_OUT\"}]", true},
	{401, "{\"message\":\"The user has opted out\"}", false},
	{429, "{\"message\":\"The user has opted out\"}", false},
	{408, "{\"message\":\"The user has opted out\"}", false},
	{500, "{\"message\":\"The user has opted out\"}", false},
	{302, "{\"message\":\"The user has opted out\"}", false},
	{200, "{\"id\":\"b-1\",\"conversationId\":\"b-1\",\"error\":{\"message\":\"The user has opted out\"}}", false},
	{403, "{\"message\":\"Blocked by the firewall\"}", false},
	{400, "<html>The user has opted out</html>", false},
	{400, "{\"message\":\"The user has opted out", false},
	{400, "", false},
};

static void
test_opt_outs(void)
{
	static const char *const names[] = {"messaging", "genesys_cloud"};

	for (size_t i = 0; i < COUNT(opt_outs); i++)
		for (Step step = STEP_NOTIFY; step < STEP_COUNT; step++)
			for (size_t d = 0; d < COUNT(names); d++)
			{
				Reading		reading = read_answer(dialect_find(names[d]), step, opt_outs[i].status, opt_outs[i].body, NULL);

				ok(reading.opted_out == opt_outs[i].opted_out, "%s, %s: %d %s", names[d],
				   step_name(step), opt_outs[i].status, opt_outs[i].body);
				ok(!reading.opted_out || (reading.class == REPLY_REJECTED && strcmp(reading.reason, "opted_out") == 0),
				   "with its class and reason");
			}
	for (size_t i = 0; i < COUNT(opt_outs); i++)
		ok(!read_answer(&dialect_messaging, STEP_CHECK, opt_outs[i].status, opt_outs[i].body, NULL).opted_out,
		   "a check never says so");
	ok(read_answer(&dialect_messaging, STEP_CREATE, 400, "{\"code\":1,\"message\":\"Muted by guest\"}", "muted by guest").opted_out,
	   "in the operator's words");
}

/* What arrived of it may be half of a sentence. */
static void
test_cut(void)
{
	HttpResponse response = {
		.status = 400, .sent = true, .failure = "connection_lost", .detail = "", .retry_after_ms = -1,
		.headers = "", .body = "User opted out", .body_length = 14,
	};
	Reading		reading;

	dialect_messaging.read(STEP_CREATE, &response, &secrets, NULL, &reading);
	ok(!reading.opted_out, "a reply that was cut says nothing");
	is_text(reading.reason, "reply_cut", "but that it was cut");
}

int
main(void)
{
	test_shapes();
	test_agreement();
	test_closed();
	test_opt_outs();
	test_cut();
	return done_testing();
}
