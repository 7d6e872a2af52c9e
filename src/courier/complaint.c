/*
 * complaint.c: what an API says is wrong, in every shape that is in use.
 *
 * Genesys Cloud has message, code, details[] and errors[]; Meta an object
 * "error" with a number for a code; OAuth a text "error" and its description;
 * RFC 9457 type, title and detail; others an array of texts.  Proxies and
 * gateways before an API mix them, so no dialect has a shape of its own here.
 */
#define _GNU_SOURCE
#include "complaint.h"

#include <string.h>
#include <strings.h>

/* Errors within errors of an error; real ones end there. */
#define DEPTH_MAX 4

/* One answer has a few; a hostile one does not cost more than this. */
#define COMPLAINTS_MAX 100

typedef struct Visit
{
	ComplaintTest test;
	void	   *argument;
	int			left;
} Visit;

static bool visit_object(const JsonObject *object, int depth, Visit *visit);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *
first_word(const JsonObject *object, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		const char *word = json_member_word(object, names[i]);

		if (word != NULL && word[0] != '\0')
			return word;
	}
	return NULL;
}

/* Of a URI its last part; "about:blank" and "error" name no kind of error. */
static const char *
type_of(const JsonObject *object)
{
	const char *type = json_member_text(object, "type");
	const char *tail;

	if (type == NULL || type[0] == '\0' || strcasecmp(type, "about:blank") == 0 ||
		strcasecmp(type, "error") == 0)
		return NULL;
	tail = type + strlen(type);
	while (tail > type && strchr("/#:", tail[-1]) == NULL)
		tail--;
	return tail[0] != '\0' ? tail : type;
}

static bool
is_sentence(const char *text)
{
	return text != NULL && strchr(text, ' ') != NULL;
}

static Complaint
read_object(const JsonObject *object)
{
	static const char *const codes[] = {"code", "errorCode", "error_code"};
	static const char *const messages[] = {
		"message", "error_description", "description", "detail", "details",
		"errorMessage", "error_message", "title", "fieldName",
	};
	const char *error = json_member_word(object, "error");
	Complaint	complaint = {
		.code = first_word(object, codes, COUNT(codes)),
		.message = first_word(object, messages, COUNT(messages)),
	};

	/* OAuth's is a code, others' says it all */
	if (complaint.message == NULL && is_sentence(error))
		complaint.message = error;
	else if (complaint.code == NULL && error != NULL && error[0] != '\0')
		complaint.code = error;
	if (complaint.code == NULL)
		complaint.code = type_of(object);
	return complaint;
}

static bool
offer_complaint(Complaint complaint, Visit *visit)
{
	if ((complaint.code == NULL && complaint.message == NULL) || visit->left-- <= 0)
		return false;
	return visit->test(&complaint, visit->argument);
}

static bool
visit_member(const JsonObject *object, const char *name, int depth, Visit *visit)
{
	const JsonObject *inner = json_member_object(object, name);
	size_t		count = json_member_count(object, name);

	if (inner != NULL)
		return visit_object(inner, depth, visit);
	for (size_t i = 0; i < count && visit->left > 0; i++)
	{
		const char *text = json_member_text_at(object, name, i);

		if (text != NULL && text[0] != '\0' && offer_complaint((Complaint) {NULL, text}, visit))
			return true;
		if (visit_object(json_member_at(object, name, i), depth, visit))
			return true;
	}
	return false;
}

static bool
visit_object(const JsonObject *object, int depth, Visit *visit)
{
	static const char *const members[] = {
		"error", "message", "errors", "details", "fault", "error_data",
		"errorInfo", "reasons", "normalizedReceipts",
	};

	if (object == NULL || depth >= DEPTH_MAX)
		return false;
	if (offer_complaint(read_object(object), visit))
		return true;
	for (size_t i = 0; i < COUNT(members); i++)
		if (visit_member(object, members[i], depth + 1, visit))
			return true;
	return false;
}

JsonObject *
complaint_body(const HttpResponse *response, const char *const *names)
{
	JsonObject *body = json_read_wanted(response->body, response->body_length, names);

	if (body == NULL && response->status >= 400)
		body = json_read_array(response->body, response->body_length, "errors");
	return body;
}

bool
complaints_any(const JsonObject *object, ComplaintTest test, void *argument)
{
	Visit		visit = {test, argument, COMPLAINTS_MAX};

	return visit_object(object, 0, &visit);
}

/* True: it cannot become better. */
static bool
take_better(const Complaint *complaint, void *argument)
{
	Complaint  *best = argument;

	if (complaint->code != NULL && complaint->message != NULL)
	{
		*best = *complaint;
		return true;
	}
	if (best->code == NULL)
		best->code = complaint->code;
	if (best->message == NULL)
		best->message = complaint->message;
	return false;
}

Complaint
complaint_of(const JsonObject *object)
{
	Complaint	best = {NULL, NULL};

	complaints_any(object, take_better, &best);
	return best;
}
