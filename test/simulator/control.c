/*
 * control.c: the interface for tests, under /_sim/.
 *
 * Control requests need no token, meet no fault and no latency, and stay out of
 * the ledger.
 */
#include "control.h"

#include <string.h>

#include "answer.h"
#include "cloud.h"
#include "conversations.h"
#include "faults.h"
#include "journal.h"
#include "ledger.h"
#include "oauth.h"
#include "pauses.h"
#include "quoting.h"
#include "replies.h"
#include "report.h"
#include "request.h"
#include "server.h"
#include "settings.h"

#define CONTROL_PREFIX "/_sim/"

bool
control_owns(const Request *request)
{
	return strncmp(request->path, CONTROL_PREFIX, strlen(CONTROL_PREFIX)) == 0;
}

static void
answer_done(Answer *answer)
{
	answer_start(answer, MHD_HTTP_OK);
	append_text(answer->body, "{}\n");
}

static void
refuse(const Request *request, Answer *answer, const char *problem)
{
	answer_error(answer, request, MHD_HTTP_BAD_REQUEST, "control", problem);
}

typedef const char *(*Taker) (struct json_object *object);

static const char *
take_object(struct json_object *value, Taker take)
{
	return json_object_is_type(value, json_type_object) ?
		take(value) : "the body must be a JSON object, or an array of them";
}

/* Hands the body, or each element if it is an array, to the taker. */
static void
take_each(const Request *request, Answer *answer, Taker take)
{
	struct json_object *document = request->document;
	const char *problem = NULL;

	if (!json_object_is_type(document, json_type_array))
		problem = take_object(document, take);
	else
		for (size_t i = 0; i < json_object_array_length(document) && problem == NULL; i++)
			problem = take_object(json_object_array_get_idx(document, i), take);

	if (problem != NULL)
		refuse(request, answer, problem);
	else
		answer_done(answer);
}

static void
add_faults(const Request *request, Answer *answer)
{
	take_each(request, answer, fault_add);
}

static void
list_faults(const Request *request, Answer *answer)
{
	(void) request;
	answer_start(answer, MHD_HTTP_OK);
	faults_write(answer->body);
}

static void
remove_faults(const Request *request, Answer *answer)
{
	(void) request;
	faults_remove_all();
	pauses_end_hanging();
	answer_done(answer);
}

static void
set_conversations(const Request *request, Answer *answer)
{
	take_each(request, answer, conversation_save_json);
}

static void
let_customer_write(const Request *request, Answer *answer)
{
	take_each(request, answer, conversation_write_json);
}

static void
reset(const Request *request, Answer *answer)
{
	faults_remove_all();
	faults_seed(settings.seed);
	pauses_end_hanging();
	ledger_reset();
	oauth_forget_all();
	replies_forget();
	cloud_forget();
	if (conversations_load())
		answer_done(answer);
	else
		refuse(request, answer, "the conversations file cannot be read any more");
}

static void
sync_ledger(const Request *request, Answer *answer)
{
	if (journal_sync())
		answer_done(answer);
	else
		answer_usual_error(answer, request, MHD_HTTP_INTERNAL_SERVER_ERROR);
}

static void
expire_tokens(const Request *request, Answer *answer)
{
	(void) request;
	oauth_forget_all();
	answer_done(answer);
}

static int64_t *
number_setting(const char *key)
{
	if (strcmp(key, "latency_ms") == 0)
		return &settings.latency_ms;
	if (strcmp(key, "close_after_looks") == 0)
		return &settings.close_after_looks;
	if (strcmp(key, "hide_created") == 0)
		return &settings.hide_created;
	if (strcmp(key, "token_calls") == 0)
		return &settings.token_calls;
	if (strcmp(key, "token_lifetime") == 0)
		return &settings.token_lifetime;
	return NULL;
}

static bool *
switch_setting(const char *key)
{
	if (strcmp(key, "honour_keys") == 0)
		return &settings.honour_keys;
	if (strcmp(key, "keep_alive") == 0)
		return &settings.keep_alive;
	return NULL;
}

static const char *
set_setting(const char *key, struct json_object *value)
{
	int64_t    *number = number_setting(key);
	bool	   *flag = switch_setting(key);

	if (strcmp(key, "default_status") == 0 && json_object_is_type(value, json_type_string))
		return settings_set_default_status(json_object_get_string(value)) ?
			NULL : "default_status is empty or too long";
	if (flag != NULL && json_object_is_type(value, json_type_boolean))
	{
		*flag = json_object_get_boolean(value);
		return NULL;
	}
	if (number == NULL || !json_object_is_type(value, json_type_int))
		return "unknown setting, or a value of the wrong type";
	*number = json_object_get_int64(value);
	return NULL;
}

static const char *
take_settings(struct json_object *document)
{
	json_object_object_foreach(document, key, value)
	{
		const char *problem = set_setting(key, value);

		if (problem != NULL)
			return problem;
	}
	return NULL;
}

static void
change_settings(const Request *request, Answer *answer)
{
	take_each(request, answer, take_settings);
}

static void
show_counts(const Request *request, Answer *answer)
{
	(void) request;
	answer_start(answer, MHD_HTTP_OK);
	append_text(answer->body, "{");
	for (Verb verb = 0; verb < VERB_COUNT; verb++)
		sprintbuf(answer->body, "\"%s\":%llu,", verb_name(verb),
				  (unsigned long long) ledger_requests_of(verb));
	sprintbuf(answer->body, "\"notifications\":%llu,\"created\":%llu,\"hanging\":%zu,"
			  "\"open_connections\":%zu}\n",
			  (unsigned long long) ledger_effects_of(VERB_NOTIFY),
			  (unsigned long long) ledger_effects_of(VERB_CREATE),
			  pauses_hanging(), server_open_connections());
}

static void
show_report(const Request *request, Answer *answer)
{
	answer_start(answer, MHD_HTTP_OK);
	answer->report = report_open(request);
	answer->delivery = DELIVER_REPORT;
	if (report_is_csv(answer->report))
		answer_set_content_type(answer, "text/csv");
}

static const struct ControlRoute
{
	const char *method;
	const char *name;
	void		(*act) (const Request *request, Answer *answer);
}			routes[] =
{
	{"GET", "ledger", show_report},
	{"GET", "requests", show_report},
	{"GET", "effects", show_report},
	{"GET", "requests.csv", show_report},
	{"GET", "effects.csv", show_report},
	{"GET", "counts", show_counts},
	{"GET", "faults", list_faults},
	{"POST", "faults", add_faults},
	{"DELETE", "faults", remove_faults},
	{"POST", "conversations", set_conversations},
	{"POST", "write", let_customer_write},
	{"POST", "settings", change_settings},
	{"POST", "expire-tokens", expire_tokens},
	{"POST", "sync", sync_ledger},
	{"POST", "reset", reset},
};

void
control_answer(const Request *request, Answer *answer)
{
	const char *name = request->path + strlen(CONTROL_PREFIX);

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].name, name) == 0 && strcmp(routes[i].method, request->method) == 0)
		{
			routes[i].act(request, answer);
			return;
		}
	answer_usual_error(answer, request, MHD_HTTP_NOT_FOUND);
}
