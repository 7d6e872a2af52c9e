/*
 * complaint.h: what an API says is wrong, in every shape that is in use.
 */
#ifndef COURIER_COMPLAINT_H
#define COURIER_COMPLAINT_H

#include <stdbool.h>

#include "exchange.h"
#include "json.h"

/* What one object says; its texts live as long as that.  NULL: it has none. */
typedef struct Complaint
{
	const char *code;
	const char *message;
} Complaint;

typedef bool (*ComplaintTest) (const Complaint *complaint, void *argument);

/*
 * The body as an object, or NULL; for "names" see json_read_wanted().  An error
 * that is an array, as some APIs send it, becomes the member "errors".
 */
extern JsonObject *complaint_body(const HttpResponse *response, const char *const *names);

/*
 * Offers all that the object says, in the order in which it is to be believed:
 * its own words; then those of its members "error", "message", "errors",
 * "details" and the like, whether they are objects, arrays or texts.  True, and
 * no more is offered, as soon as the test is.
 */
extern bool complaints_any(const JsonObject *object, ComplaintTest test, void *argument);

/*
 * The complaint to show to people: the first with both a code and a message;
 * if there is none, the first code and the first message.
 */
extern Complaint complaint_of(const JsonObject *object);

#endif
