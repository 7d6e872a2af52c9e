/*
 * courier_genesys_cloud_test.c: requests and readings of the dialect
 * "genesys_cloud".
 */
#include "dialect.h"

#include "answers.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const Secrets secrets = {.words = {"s3cret", NULL, NULL}};

static Reading
read_answer(Step step, int status, const char *body)
{
	HttpResponse response = whole_answer(status, body);
	Reading		reading;

	dialect_genesys_cloud.read(step, &response, &secrets, NULL, &reading);
	return reading;
}

/* --- check -------------------------------------------------------------------- */

#define CUSTOMER(state, direction, type) \
	"{\"id\":\"p-1\",\"purpose\":\"customer\",\"externalContactId\":\"contact-1\",\"messages\":[{\"id\":\"m-1\"," \
	"\"state\":\"" state "\",\"direction\":\"" direction "\",\"type\":\"" type "\"," \
	"\"fromAddress\":{\"addressNormalized\":\"+1from\",\"addressRaw\":\"raw\"}," \
	"\"toAddress\":{\"addressNormalized\":\"+1to\"},\"messages\":[{\"messageId\":\"x\"}]}]}"

static const char active[] =
"{\"id\":\"a-1\",\"startTime\":\"2026-01-01T00:00:00Z\",\"state\":null,\"participants\":["
CUSTOMER("connected", "inbound", "sms") ",{\"purpose\":\"agent\",\"messages\":[{\"state\":\"alerting\"}]}]}";

static const char closed[] =
"{\"id\":\"a-1\",\"endTime\":\"2026-01-02T00:00:00Z\",\"participants\":["
CUSTOMER("disconnected", "inbound", "whatsapp") "]}";

static const char outbound[] =
"{\"id\":\"a-1\",\"participants\":[" CUSTOMER("disconnected", "outbound", "sms") "]}";

static const char guest[] =
"{\"id\":\"a-1\",\"participants\":[" CUSTOMER("connected", "inbound", "webmessaging") "]}";

/* As GET .../messages/{id} answers: the participants have states of their own. */
static const char flat[] =
"{\"id\":\"a-1\",\"participants\":[{\"purpose\":\"acd\",\"state\":\"disconnected\"},"
"{\"purpose\":\"customer\",\"state\":\"parked\",\"direction\":\"inbound\",\"type\":\"open\","
"\"fromAddress\":{\"addressNormalized\":\"guest-1\"},\"toAddress\":{\"addressNormalized\":\"us\"},"
"\"messages\":[{\"messageId\":\"x\",\"messageStatus\":\"sent\"}]}]}";

typedef struct CheckCase
{
	const char *name;
	const char *body;
	bool		live;
	const char *status;
	const char *channel;
	const char *customer;
	const char *business;
} CheckCase;

static const CheckCase check_cases[] = {
	{"active", active, true, "connected", "sms", "+1from", "+1to"},
	{"closed", closed, false, "ended", "whatsapp", "+1from", "+1to"},
	{"outbound: the other way round", outbound, false, "disconnected", "sms", "+1to", "+1from"},
	{"web messaging: the contact is addressed, from no address", guest,
	true, "connected", "webmessaging", "contact-1", ""},
	{"flat participants", flat, true, "parked", "open", "guest-1", "us"},
	{"ended, whatever a participant's state is",
		"{\"endTime\":\"t\",\"participants\":[{\"state\":\"connected\"}]}",
	false, "ended", "", "", ""},
	{"ended without participants", "{\"endTime\":\"t\"}", false, "ended", "", "", ""},
	{"only the agent is left", "{\"participants\":[{\"purpose\":\"customer\","
		"\"messages\":[{\"state\":\"disconnected\"}]},{\"purpose\":\"agent\",\"messages\":[{\"state\":\"connected\"}]}]}",
	true, "connected", "", "", ""},
	{"a state that nobody knows is not live", "{\"participants\":[{\"state\":\"frozen\"}]}",
	false, "frozen", "", "", ""},
	{"all have left and no state is told", "{\"participants\":[{\"purpose\":\"agent\",\"endTime\":\"t\"}]}",
	false, "disconnected", "", "", ""},
	{"an unknown type is none", "{\"participants\":[" CUSTOMER("connected", "inbound", "unknown") "]}",
	true, "connected", "", "+1from", "+1to"},
	{"no direction: inbound", "{\"participants\":[{\"purpose\":\"customer\",\"state\":\"none\","
		"\"fromAddress\":{\"addressNormalized\":\"f\"}}]}",
	false, "none", "", "f", ""},
	{"addresses of the wrong type", "{\"participants\":[{\"purpose\":\"customer\",\"state\":\"none\","
		"\"fromAddress\":\"f\",\"toAddress\":{\"addressNormalized\":7},\"type\":[],\"direction\":1}]}",
	false, "none", "", "", ""},
	{"the others' addresses are not the customer's", "{\"participants\":[{\"purpose\":\"agent\","
		"\"state\":\"connected\",\"type\":\"sms\",\"fromAddress\":{\"addressNormalized\":\"agent\"}}]}",
	true, "connected", "", "", ""},
};

static void
test_check(void)
{
	for (size_t i = 0; i < COUNT(check_cases); i++)
	{
		const CheckCase *wanted = &check_cases[i];
		Reading		reading = read_answer(STEP_CHECK, 200, wanted->body);

		ok(reading.class == REPLY_DONE && reading.live == wanted->live, "check: %s", wanted->name);
		is_text(reading.status, wanted->status, "its status");
		is_text(reading.channel, wanted->channel, "its channel");
		is_text(reading.customer_address, wanted->customer, "its customer");
		is_text(reading.business_address, wanted->business, "its business");
	}
	is_text(read_answer(STEP_CHECK, 200, active).conversation_id, "a-1", "check: which one it is");
	is_number(read_answer(STEP_CHECK, 404, "{\"code\":\"not.found\"}").class, REPLY_NOT_FOUND,
			  "check: a conversation that is not there");
}

static void
test_check_unreadable(void)
{
	static const char *const bodies[] = {
		"", "no JSON", "[]", "{}", "{\"id\":\"a-1\"}", "{\"participants\":[]}",
		"{\"participants\":{\"state\":\"connected\"}}", "{\"participants\":[7,null,\"connected\"]}",
		"{\"participants\":[{\"purpose\":\"customer\"}]}", "{\"participants\":[{\"state\":4}]}",
		"{\"participants\":[{\"messages\":{\"state\":\"connected\"}}]}",
		"{\"endTime\":null,\"participants\":[{\"state\":null}]}", "{\"endTime\":12}",
		"{\"state\":\"connected\"}", "{\"participants\":[{\"state\":\"not a word\"}]}",
	};

	for (size_t i = 0; i < COUNT(bodies); i++)
	{
		Reading		reading = read_answer(STEP_CHECK, 200, bodies[i]);

		ok(reading.class == REPLY_NOT_APPLIED && !reading.live && reading.status[0] == '\0' &&
		   strcmp(reading.reason, "unreadable") == 0, "check: unreadable: %s", bodies[i]);
	}
}

typedef struct MediaCase
{
	const char *name;
	const char *body;
	ReplyClass	class;
	bool		live;
	bool		busy;
	const char *status;
	const char *channel;
} MediaCase;

#define OF(purpose, media, state) "{\"purpose\":\"" purpose "\",\"" media "\":[{\"state\":\"" state "\"}]}"
#define SMS(state) CUSTOMER(state, "inbound", "sms")
#define WITH(participants) "{\"id\":\"a-1\",\"participants\":[" participants "]}"

static const MediaCase media_cases[] = {
	{"an agent's callback rings", WITH(SMS("disconnected") "," OF("agent", "callbacks", "alerting")),
	REPLY_DONE, false, true, "alerting", "sms"},
	{"a callback is agreed", WITH(SMS("disconnected") "," OF("acd", "callbacks", "scheduled")),
	REPLY_DONE, false, true, "scheduled", "sms"},
	{"the customer is on the telephone", WITH(OF("customer", "calls", "connected")),
	REPLY_DONE, false, true, "connected", ""},
	{"on video, beside an old message", WITH(SMS("disconnected") "," OF("user", "videos", "connected")),
	REPLY_DONE, false, true, "connected", "sms"},
	{"an e-mail beside an old message", WITH(SMS("disconnected") "," OF("agent", "emails", "parked")),
	REPLY_DONE, false, true, "parked", "sms"},
	{"a co-browsing session", WITH(SMS("disconnected") "," OF("agent", "cobrowsesessions", "connected")),
	REPLY_DONE, false, true, "connected", "sms"},
	{"a shared screen", WITH(SMS("disconnected") "," OF("agent", "screenshares", "connected")),
	REPLY_DONE, false, true, "connected", "sms"},
	{"an old chat", WITH(OF("customer", "chats", "connected")), REPLY_DONE, false, true, "connected", ""},
	{"a public post", WITH(OF("customer", "socialExpressions", "connected")),
	REPLY_DONE, false, true, "connected", ""},
	{"an internal message", WITH(SMS("disconnected") "," OF("agent", "internalMessages", "connected")),
	REPLY_DONE, false, true, "connected", "sms"},
	{"a live one behind a closed one", WITH(SMS("disconnected") ",{\"calls\":[{\"state\":\"terminated\"},"
		"{\"state\":\"dialing\"}]}"), REPLY_DONE, false, true, "dialing", "sms"},
	{"a live message is live, whatever else is", WITH(OF("agent", "calls", "connected") "," SMS("alerting")),
	REPLY_DONE, true, false, "alerting", "sms"},
	{"a call that is over", WITH(OF("customer", "calls", "disconnected")),
	REPLY_DONE, false, false, "disconnected", ""},
	{"a call that is over, beside a message", WITH(OF("agent", "calls", "terminated") "," SMS("disconnected")),
	REPLY_DONE, false, false, "disconnected", "sms"},
	{"ended, whatever the call's state is", "{\"endTime\":\"t\",\"participants\":[" OF("agent", "calls", "connected") "]}",
	REPLY_DONE, false, false, "ended", ""},
	{"a live e-mail", WITH(OF("customer", "emails", "connected")),
	REPLY_REJECTED, false, false, "connected", "email"},
	{"a live e-mail after a call", WITH(OF("agent", "calls", "disconnected") "," OF("customer", "emails", "alerting")),
	REPLY_REJECTED, false, false, "alerting", "email"},
	{"an e-mail that is over", WITH(OF("customer", "emails", "disconnected")),
	REPLY_DONE, false, false, "disconnected", "email"},
	{"an e-mail that has ended", "{\"endTime\":\"t\",\"participants\":[" OF("customer", "emails", "connected") "]}",
	REPLY_DONE, false, false, "ended", "email"},
	{"lists that are empty", WITH("{\"purpose\":\"customer\",\"calls\":[],\"emails\":[],\"messages\":[]},"
		SMS("disconnected")), REPLY_DONE, false, false, "disconnected", "sms"},
	{"lists that are none", WITH("{\"calls\":{\"state\":\"connected\"},\"emails\":7,\"videos\":[7,null,\"connected\"]},"
		SMS("disconnected")), REPLY_DONE, false, false, "disconnected", "sms"},
};

static void
test_media(void)
{
	for (size_t i = 0; i < COUNT(media_cases); i++)
	{
		const MediaCase *wanted = &media_cases[i];
		Reading		reading = read_answer(STEP_CHECK, 200, wanted->body);

		ok(reading.class == wanted->class && reading.live == wanted->live && reading.busy == wanted->busy,
		   "media: %s: %s, %d, %d", wanted->name, reply_class_name(reading.class), reading.live, reading.busy);
		is_text(reading.status, wanted->status, "its status");
		is_text(reading.channel, wanted->channel, "its channel");
	}
	is_text(read_answer(STEP_CHECK, 200, WITH(OF("customer", "emails", "connected"))).reason,
			"channel_not_supported", "media: an e-mail is nothing that we write to");
	is_text(read_answer(STEP_CHECK, 200, WITH("{\"purpose\":\"customer\",\"emails\":[{\"state\":\"disconnected\","
			"\"fromAddress\":{\"addressNormalized\":\"ann@example.com\"}}]}")).customer_address,
			"ann@example.com", "media: whom an e-mail is from");
}

typedef struct InboundCase
{
	const char *name;
	const char *purpose;
	const char *direction;
	const char *messages;
	int64_t		at;
} InboundCase;

#define AT_10 INT64_C(1795168800000000)
#define TIME(time) "\"messageTime\":\"2026-11-20T" time "Z\""

static const InboundCase inbound_cases[] = {
	{"none", "customer", "inbound", "", 0},
	{"the newest", "customer", "inbound", "{" TIME("09:00:00") "},{" TIME("10:00:00.250") "},{" TIME("09:59:00") "}",
	AT_10 + 250000},
	{"a status of what was received", "customer", "inbound", "{\"messageStatus\":\"received\"," TIME("10:00:00") "}", AT_10},
	{"a status that says nothing", "customer", "inbound", "{\"messageStatus\":\"sent\"," TIME("10:00:00") "}", AT_10},
	{"ours was delivered", "customer", "inbound", "{\"messageStatus\":\"delivery-success\"," TIME("10:00:00") "}", 0},
	{"ours has failed", "customer", "inbound", "{\"messageStatus\":\"Delivery-Failed\"," TIME("10:00:00") "}", 0},
	{"a direction decides", "customer", "inbound", "{\"direction\":\"outbound\"," TIME("10:00:00") "}", 0},
	{"either way", "customer", "outbound", "{\"direction\":\"inbound\"," TIME("10:00:00") "}", AT_10},
	{"our own conversation", "customer", "outbound", "{\"messageStatus\":\"sent\"," TIME("10:00:00") "}", 0},
	{"answered", "customer", "outbound", "{\"messageStatus\":\"received\"," TIME("10:00:00") "}", AT_10},
	{"an event is no message", "customer", "inbound", "{\"messageMetadata\":{\"type\":\"Event\"}," TIME("10:00:00") "}", 0},
	{"a text is", "customer", "inbound", "{\"messageMetadata\":{\"type\":\"Text\"}," TIME("10:00:00") "}", AT_10},
	{"an agent wrote", "agent", "inbound", "{" TIME("10:00:00") "}", 0},
	{"times that are none", "customer", "inbound", "{\"messageTime\":\"now\"},{\"messageTime\":7},{\"messageTime\":null},7", 0},
};

static void
test_last_inbound(void)
{
	char		body[1000];

	for (size_t i = 0; i < COUNT(inbound_cases); i++)
	{
		const InboundCase *wanted = &inbound_cases[i];

		snprintf(body, sizeof(body), "{\"participants\":[{\"purpose\":\"%s\",\"messages\":[{\"state\":\"connected\","
				 "\"direction\":\"%s\",\"messages\":[%s]}]}]}", wanted->purpose, wanted->direction, wanted->messages);
		is_number(read_answer(STEP_CHECK, 200, body).last_inbound_at, wanted->at, wanted->name);
	}
	is_number(read_answer(STEP_CHECK, 200, "{\"participants\":[{\"purpose\":\"customer\",\"state\":\"connected\","
						  "\"messages\":[{\"messageId\":\"x\"," TIME("10:00:00") "}]}]}").last_inbound_at,
			  AT_10, "a flat participant's messages");
}

/* --- notify and create ---------------------------------------------------------- */

typedef struct PostCase
{
	Step		step;
	int			status;
	const char *body;
	ReplyClass	class;
	const char *reason;
	const char *id;
} PostCase;

static const PostCase post_cases[] = {
	{STEP_CREATE, 202, "{\"id\":\"m-1\",\"conversationId\":\"b-1\"}", REPLY_DONE, "", "b-1"},
	{STEP_NOTIFY, 200, "{\"id\":\"m-1\",\"conversationId\":\"b-1\"}", REPLY_DONE, "", "b-1"},
	{STEP_NOTIFY, 202, "", REPLY_DONE, "", ""},
	{STEP_NOTIFY, 200, "{\"conversationId\":\"../b\"}", REPLY_DONE, "", ""},
	{STEP_CREATE, 200, "{\"id\":\"m-1\"}", REPLY_AMBIGUOUS, "unreadable", ""},
	{STEP_CREATE, 200, "{\"conversationId\":17}", REPLY_AMBIGUOUS, "unreadable", ""},
	{STEP_CREATE, 200, "{\"conversationId\":\"a/b\"}", REPLY_AMBIGUOUS, "unreadable", ""},
	{STEP_CREATE, 202, "", REPLY_AMBIGUOUS, "unreadable", ""},
	{STEP_CREATE, 400, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_OVERTAKEN, "overtaken", ""},
	{STEP_CREATE, 409, "{\"message\":\"an ACTIVE conversation is already in progress.\"}",
	REPLY_OVERTAKEN, "overtaken", ""},
	{STEP_CREATE, 403, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_OVERTAKEN, "overtaken", ""},
	{STEP_CREATE, 401, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_BLOCKED, "unauthorized", ""},
	{STEP_CREATE, 429, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_NOT_APPLIED, "rate_limited", ""},
	{STEP_CREATE, 500, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_AMBIGUOUS, "http_500", ""},
	{STEP_NOTIFY, 400, "{\"message\":\"An active conversation is already in progress\"}",
	REPLY_REJECTED, "http_400", ""},
	{STEP_NOTIFY, 404, "{\"code\":\"not.found\"}", REPLY_REJECTED, "not_found", ""},
	{STEP_CREATE, 404, "{\"code\":\"not.found\"}", REPLY_REJECTED, "not_found", ""},
	{STEP_NOTIFY, 400, "{\"code\":\"bad.request\",\"message\":\"closed\"}", REPLY_REJECTED, "http_400", ""},
	{STEP_NOTIFY, 403, "{\"code\":\"missing.permissions\"}", REPLY_BLOCKED, "forbidden", ""},
	{STEP_NOTIFY, 503, "{}", REPLY_AMBIGUOUS, "http_503", ""},
};

static void
test_posts(void)
{
	for (size_t i = 0; i < COUNT(post_cases); i++)
	{
		const PostCase *wanted = &post_cases[i];
		Reading		reading = read_answer(wanted->step, wanted->status, wanted->body);

		ok(reading.class == wanted->class, "%s: %d %s is %s", step_name(wanted->step),
		   wanted->status, wanted->body, reply_class_name(wanted->class));
		is_text(reading.reason, wanted->reason, "with its reason");
		is_text(reading.conversation_id, wanted->id, "and its conversation");
	}
}

static void
test_message_ids(void)
{
	static const char both[] = "{\"id\":\"m-1\",\"conversationId\":\"b-1\",\"message\":{\"id\":\"m-2\"}}";
	static const char inner[] = "{\"conversationId\":\"b-1\",\"message\":{\"id\":\"m-2\",\"status\":\"queued\"}}";

	is_text(read_answer(STEP_CREATE, 202, both).message_id, "m-1", "message id: the answer's");
	is_text(read_answer(STEP_NOTIFY, 202, inner).message_id, "m-2", "or its message's");
	is_text(read_answer(STEP_CREATE, 202, "{\"id\":17,\"conversationId\":\"b-1\"}").message_id, "17", "a number");
	is_text(read_answer(STEP_CREATE, 202, "{\"id\":\"m 1\",\"conversationId\":\"b-1\"}").message_id, "",
			"none with blanks");
	is_text(read_answer(STEP_CREATE, 202, "{\"id\":\"m\\u00fc\",\"conversationId\":\"b-1\"}").message_id, "",
			"none that is not ASCII");
	is_text(read_answer(STEP_CHECK, 200, active).message_id, "", "a conversation's id is none");
}

typedef struct FailedCase
{
	const char *message;
	const char *reason;
	const char *code;
} FailedCase;

static const FailedCase failed_cases[] = {
	{"{\"status\":\"queued\"}", "", ""},
	{"{\"status\":\"sent\"}", "", ""},
	{"{\"status\":7}", "", ""},
	{"{\"status\":\"failed\"}", "message_failed", ""},
	{"{\"status\":\"FAILED\"}", "message_failed", ""},
	{"{\"status\":\"delivery-failed\",\"errorInfo\":{\"code\":\"carrier\",\"message\":\"No.\"}}", "message_failed", "carrier"},
	{"{\"status\":\"removed\",\"reasons\":[{\"code\":\"InvalidDestination\"}]}", "message_failed", "InvalidDestination"},
	{"{\"status\":\"failed\",\"reasons\":[{\"code\":\"RecipientOptedOut\"}]}", "opted_out", "RecipientOptedOut"},
	{"{\"status\":\"failed\",\"normalizedReceipts\":[{\"reasons\":[{\"code\":\"RecipientOptedOut\"}]}]}", "opted_out", "RecipientOptedOut"},
	{"{\"status\":\"sent\",\"reasons\":[{\"code\":\"RecipientOptedOut\"}]}", "", ""},
};

static void
test_failed_messages(void)
{
	char		body[500];

	for (size_t i = 0; i < COUNT(failed_cases); i++)
		for (Step step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		{
			const FailedCase *wanted = &failed_cases[i];
			bool		fails = wanted->reason[0] != '\0';
			Reading		reading;

			snprintf(body, sizeof(body), "{\"id\":\"m-1\",\"conversationId\":\"b-1\",\"message\":%s}", wanted->message);
			reading = read_answer(step, 202, body);
			ok(reading.class == (fails ? REPLY_REJECTED : REPLY_DONE), "202 to a %s: %s", step_name(step), wanted->message);
			is_text(reading.reason, wanted->reason, "its reason");
			is_text(reading.error_code, wanted->code, "its code");
			ok(reading.opted_out == (strcmp(wanted->reason, "opted_out") == 0), "whether it is an opt-out");
			is_text(reading.conversation_id, "b-1", "which conversation there is all the same");
		}
}

static void
test_errors(void)
{
	Reading		reading = read_answer(STEP_CREATE, 403,
									  "{\"message\":\"You are missing the following permission(s): "
									  "conversation:message:create\",\"code\":\"missing.permissions\","
									  "\"status\":403,\"contextId\":\"c-1\",\"details\":[],\"errors\":[]}");

	is_text(reading.error_code, "missing.permissions", "the code of a refusal");
	is_text(reading.error_message,
			"You are missing the following permission(s): conversation:message:create",
			"which permissions are missing");
	is_text(reading.correlation_id, "c-1", "the API's name for the call");
}

typedef struct PermissionCase
{
	int			status;
	const char *body;
	const char *message;
} PermissionCase;

static const PermissionCase permission_cases[] = {
	{403, "{\"message\":\"No.\",\"messageParams\":{\"permissions\":\"conversation:message:create, conversation:*:view\"}}",
	"No.; conversation:message:create; conversation:*:view"},
	{403, "{\"message\":\"No.\",\"details\":[{\"errorCode\":\"missing\",\"entityName\":\"conversation:message:create\"}]}",
	"No.; conversation:message:create"},
	{403, "{\"message\":\"No %s.\",\"messageWithParams\":\"No conversation:message:create.\","
	"\"messageParams\":{\"0\":\"conversation:message:create\"}}", "No %s.; conversation:message:create"},
	{403, "{\"details\":[{\"fieldName\":\"conversation:message:create\"}]}", "conversation:message:create"},
	{403, "{\"message\":\"No.\",\"a\":\"12:00:00\",\"b\":\"https://x\",\"c\":\"a:b\",\"d\":\"a:b:c:d\",\"e\":\"a:b:\"}", "No."},
	{403, "{\"message\":\"No.\",\"messageParams\":{\"p\":\"a:s3cret:b\"}}", "No.; a:***:b"},
	{400, "{\"message\":\"No.\",\"messageParams\":{\"permissions\":\"conversation:message:create\"}}", "No."},
};

static void
test_permissions(void)
{
	static char many[4000] = "{\"message\":\"No.\",\"details\":\"";
	Reading		reading;

	for (size_t i = 0; i < sizeof(permission_cases) / sizeof(permission_cases[0]); i++)
	{
		reading = read_answer(STEP_NOTIFY, permission_cases[i].status, permission_cases[i].body);
		is_text(reading.error_message, permission_cases[i].message, permission_cases[i].body);
	}
	for (int i = 0; i < 100; i++)
		sprintf(many + strlen(many), "conversation:message:n%d ", i);
	strcat(many, "\"}");
	reading = read_answer(STEP_NOTIFY, 403, many);
	is_number(strlen(reading.error_message), ERROR_MESSAGE_SIZE - 1, "many permissions: as many as fit");
}

/* --- requests ----------------------------------------------------------------------- */

static void
is_request(const CallMessage *call, const char *url, const char *body)
{
	HttpRequest request = {0};

	dialect_genesys_cloud.compose(call, "https://api", &request);
	is_text(request.url, url, "URL");
	is_text(request.body, body, "body");
	http_request_free(&request);
}

static void
test_compose(void)
{
	static const char agentless[] = "https://api/api/v2/conversations/messages/agentless";
	CallMessage call = {
		.step = STEP_CHECK, .conversation_id = "a-1", .nudge_id = "n-1", .text = "Hi",
		.to_address = "+1", .from_address = "+2", .channel = "sms",
	};

	is_request(&call, "https://api/api/v2/conversations/a-1", NULL);
	call.step = STEP_NOTIFY;
	is_request(&call, agentless,
			   "{\"fromAddress\":\"+2\",\"toAddress\":\"+1\",\"toAddressMessengerType\":\"sms\","
			   "\"textBody\":\"Hi\",\"useExistingActiveConversation\":true}");
	call.step = STEP_CREATE;
	call.template = "{\"responseId\":\"r-1\",\"parameters\":[{\"id\":\"1\",\"value\":\"Ann\"}]}";
	is_request(&call, agentless,
			   "{\"fromAddress\":\"+2\",\"toAddress\":\"+1\",\"toAddressMessengerType\":\"sms\","
			   "\"textBody\":\"Hi\",\"useExistingActiveConversation\":false}");
	call.channel = "whatsapp";
	is_request(&call, agentless,
			   "{\"fromAddress\":\"+2\",\"toAddress\":\"+1\",\"toAddressMessengerType\":\"whatsapp\","
			   "\"messagingTemplate\":{\"responseId\":\"r-1\",\"parameters\":[{\"id\":\"1\",\"value\":\"Ann\"}]},"
			   "\"useExistingActiveConversation\":false}");
	call.channel = "webmessaging";
	is_request(&call, agentless,
			   "{\"fromAddress\":\"+2\",\"externalContactId\":\"+1\","
			   "\"toAddressMessengerType\":\"webmessaging\","
			   "\"textBody\":\"Hi\",\"useExistingActiveConversation\":false}");
	ok(dialect_find("genesys_cloud") == &dialect_genesys_cloud, "found by name");
}

static const struct
{
	const char *channel;
	const char *from;
	const char *to;
	const char *addresses;		/* of the body */
}			written[] = {
	{"sms", "+44 20 7946-0000", "tel:+44 (0)20 7946 0018", "\"fromAddress\":\"+442079460000\",\"toAddress\":\"+442079460018\""},
	{"sms", "72345", "+525512345678", "\"fromAddress\":\"72345\",\"toAddress\":\"+525512345678\""},
	{"whatsapp", "7d1f-9", "+44 20 7946 0018", "\"fromAddress\":\"7d1f-9\",\"toAddress\":\"442079460018\""},
	{"whatsapp", "7d1f-9", "5215512345678", "\"fromAddress\":\"7d1f-9\",\"toAddress\":\"5215512345678\""},
	{"apple", "7d1f-9", "+44 20 7946 0018", "\"fromAddress\":\"7d1f-9\",\"toAddress\":\"+442079460018\""},
	{"open", "7d1f-9", "Guest (7)", "\"fromAddress\":\"7d1f-9\",\"toAddress\":\"Guest (7)\""},
	{"webmessaging", "deploy-1", "0a1b-2c", "\"fromAddress\":\"deploy-1\",\"externalContactId\":\"0a1b-2c\""},
};

/* Each channel has its addresses as the API documents them. */
static void
test_written_addresses(void)
{
	for (size_t i = 0; i < COUNT(written); i++)
	{
		CallMessage call = {
			.step = STEP_CREATE, .conversation_id = "a-1", .nudge_id = "n-1", .text = "Hi",
			.to_address = written[i].to, .from_address = written[i].from, .channel = written[i].channel,
		};
		HttpRequest request = {0};

		dialect_genesys_cloud.compose(&call, "https://api", &request);
		ok(strstr(request.body, written[i].addresses) != NULL, "%s: %s", written[i].channel, written[i].addresses);
		http_request_free(&request);
	}
}

typedef struct FaultCase
{
	Step		step;
	const char *channel;
	const char *from;
	size_t		characters;
	const char *template;
	const char *fault;
	const char *to;				/* NULL: a number */
} FaultCase;

static const FaultCase fault_cases[] = {
	{STEP_CREATE, "sms", "+2", 765, NULL, NULL, NULL},
	{STEP_CREATE, "sms", "+2", 766, NULL, "text_too_long", NULL},
	{STEP_NOTIFY, "sms", "+2", 766, "{}", "text_too_long", NULL},
	{STEP_CREATE, "open", "+2", 2000, NULL, NULL, NULL},
	{STEP_CREATE, "apple", "+2", 2001, NULL, "text_too_long", NULL},
	{STEP_CREATE, "webmessaging", "+2", 2001, NULL, "text_too_long", NULL},
	{STEP_CREATE, "whatsapp", "+2", 10, NULL, "template_required", NULL},
	{STEP_CREATE, "whatsapp", "+2", 4000, "{\"responseId\":\"r-1\"}", NULL, NULL},
	{STEP_CREATE, "whatsapp", "+2", 10, "{}", "template_without_id", NULL},
	{STEP_CREATE, "whatsapp", "+2", 10, "{\"responseId\":\"\"}", "template_without_id", NULL},
	{STEP_NOTIFY, "whatsapp", "+2", 10, "{\"responseId\":7}", "template_without_id", NULL},
	{STEP_NOTIFY, "whatsapp", "+2", 2000, NULL, NULL, NULL},
	{STEP_NOTIFY, "whatsapp", "+2", 2001, NULL, "text_too_long", NULL},
	{STEP_CREATE, "email", "+2", 10, NULL, "channel_not_supported", NULL},
	{STEP_CREATE, "sms", NULL, 10, NULL, "no_from_address", NULL},
	{STEP_CREATE, "sms", "+2", 10, NULL, NULL, "+1 (317) 555-01.23"},
	{STEP_CREATE, "sms", "+2", 10, NULL, "address_is_no_number", "442079460018"},
	{STEP_CREATE, "sms", "+2", 10, NULL, "address_is_no_number", "442079460018.0"},
	{STEP_NOTIFY, "whatsapp", "+2", 10, NULL, NULL, "442079460018"},
	{STEP_NOTIFY, "whatsapp", "+2", 10, NULL, "address_is_no_number", "guest-7"},
	{STEP_CREATE, "apple", "+2", 10, NULL, "address_is_no_number", "urn:mbid:AQAAY"},
	{STEP_CREATE, "apple", "+2", 10, NULL, NULL, "+44 20 7946 0018"},
	{STEP_NOTIFY, "sms", "+2", 10, NULL, "address_is_no_number", "ann@example.com"},
	{STEP_CREATE, "sms", "+2", 10, NULL, "address_is_no_number", "5f7c0a"},
	{STEP_CREATE, "sms", "+2", 10, NULL, "address_is_no_number", "+"},
	{STEP_CREATE, "open", "+2", 10, NULL, NULL, "ann@example.com"},
};

/* Characters count, not bytes: each of these has two. */
static void
test_faults(void)
{
	static char text[2 * 4000 + 1];

	for (size_t i = 0; i < COUNT(fault_cases); i++)
	{
		const FaultCase *c = &fault_cases[i];
		CallMessage call = {
			.step = c->step, .text = text, .to_address = c->to ? c->to : "+442079460018", .from_address = c->from,
			.channel = c->channel, .template = c->template,
		};
		char		name[80];

		for (size_t n = 0; n < c->characters; n++)
			memcpy(text + 2 * n, "\xC3\xBC", 2);
		text[2 * c->characters] = '\0';
		snprintf(name, sizeof(name), "%s, %s, %zu characters", step_name(c->step), c->channel,
				 c->characters);
		is_text(dialect_genesys_cloud.find_fault(&call), c->fault, name);
	}
}

/* One character of another alphabet, and an SMS holds less than half as much. */
static void
test_segments(void)
{
	char		text[2 * 500];
	CallMessage call = {.step = STEP_CREATE, .text = text, .to_address = "+442079460018", .from_address = "+2", .channel = "sms"};

	memset(text, 'x', sizeof(text));
	strcpy(text + 332, "\xE2\x80\x99s.");
	is_text(dialect_genesys_cloud.find_fault(&call), NULL, "335 characters, one of them typographic");
	strcpy(text + 332, "\xE2\x80\x99s..");
	is_text(dialect_genesys_cloud.find_fault(&call), "text_too_long", "336 of them");
	call.channel = "open";
	is_text(dialect_genesys_cloud.find_fault(&call), NULL, "which another channel takes");
	for (int i = 0; i < 383; i++)
		strcpy(text + 2 * i, "[]");
	call.channel = "sms";
	is_text(dialect_genesys_cloud.find_fault(&call), "text_too_long", "766 brackets, which are two each");
}

int
main(void)
{
	test_segments();
	test_check();
	test_check_unreadable();
	test_media();
	test_last_inbound();
	test_message_ids();
	test_failed_messages();
	test_posts();
	test_errors();
	test_permissions();
	test_compose();
	test_written_addresses();
	test_faults();
	return done_testing();
}
