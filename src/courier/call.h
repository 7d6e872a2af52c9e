/*
 * call.h: one call, from the worker's CALL to our REPLY.
 */
#ifndef COURIER_CALL_H
#define COURIER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "http.h"
#include "message.h"
#include "reading.h"
#include "settings.h"

struct ServerQueue;

typedef struct Call
{
	struct Call *next;			/* in its server's queue */
	struct ServerQueue *server;
	Traffic    *traffic;		/* of that server; NULL: it has none */
	CallMessage message;
	uint8_t    *fields;			/* what the message's texts point into */
	int64_t		begin_by_ms;	/* on the monotonic clock, as its nudge expires; INT64_MAX: whenever */
	int64_t		leave_by_ms;	/* likewise, as what allowed it grows old */

	/* the attempt that is, or was last, on the wire */
	Settings   *settings;
	char	   *token;			/* NULL: it went without */
	int64_t		token_number;	/* see login.h */
	int			round;			/* see throttle.h */

	size_t		request_length;

	/* all attempts; another one follows a refused token */
	int			requests_sent;
	int64_t		called_at;		/* of the first; 0: none went out */
	int64_t		took_us;		/* all of them together, at the API */
} Call;

/* NULL: the frame does not hold a CALL. */
extern Call *call_new(const Frame *frame);

extern void call_free(Call *call);

/* NULL, or the reason for which this call can never be made. */
extern const char *call_find_fault(const Call *call);

/* Puts it on the wire; "done" gets the call and the response. */
extern void call_send(Call *call, Settings *settings, const char *token, HttpDone done);

/* Counts what an attempt put on the wire. */
extern void call_note_attempt(Call *call, const HttpResponse *response);

/*
 * Answers with what the response means, and frees the call.  Returns the number
 * of further requests that it leads to, whose answers nobody waits for.
 */
extern int	call_end(Call *call, const HttpResponse *response);

/* Answers with that reading, and frees the call. */
extern void call_end_with(Call *call, const Reading *reading);

/* Answers that it was not begun in time, as a word for what it waited for, and frees the call. */
extern void call_give_back(Call *call, const char *reason);

/* Answers with a class and a reason, and frees the call. */
extern void call_refuse(Call *call, ReplyClass class, const char *reason);

/* Answers with the request that would be sent, or why it would not, and frees the call. */
extern void call_render(Call *call, const Settings *settings, const char *fault);

#endif
