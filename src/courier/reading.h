/*
 * reading.h: what a reply means.
 */
#ifndef COURIER_READING_H
#define COURIER_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"
#include "nudge.h"

/* Sizes include the terminating NUL; an empty text is an absent one. */
#define REASON_SIZE 33
#define WORD_SIZE 65
#define ADDRESS_SIZE 257
#define ERROR_MESSAGE_SIZE 301
#define CORRELATION_ID_SIZE 129
#define MESSAGE_ID_SIZE 129

/* The facts of a ReplyMessage, with room for their texts. */
typedef struct Reading
{
	ReplyClass	class;
	char		reason[REASON_SIZE];
	int			http_status;
	int64_t		retry_after_ms;
	bool		live;			/* only in a state known to be live; an unknown one counts as closed */
	bool		busy;
	int64_t		last_inbound_at;	/* microseconds since 1970; 0: not told */
	char		status[WORD_SIZE];
	char		channel[WORD_SIZE];
	char		customer_address[ADDRESS_SIZE];
	char		business_address[ADDRESS_SIZE];
	char		conversation_id[CONVERSATION_ID_MAX + 1];
	char		message_id[MESSAGE_ID_SIZE];
	bool		opted_out;
	char		error_code[WORD_SIZE];
	char		error_message[ERROR_MESSAGE_SIZE];
	char		correlation_id[CORRELATION_ID_SIZE];
	char		certificate_issuer[ISSUER_SIZE];
	int64_t		certificate_expires_at; /* seconds since 1970; 0: not known */
} Reading;

/* A reading without a reply, and without any facts but these. */
extern void reading_init(Reading *reading, ReplyClass class, const char *reason);

/* Changes the verdict and keeps the facts. */
extern void reading_set(Reading *reading, ReplyClass class, const char *reason);

/* Keeps an id that we could have asked about; false: it is none, or NULL, and nothing changes. */
extern bool reading_set_conversation_id(Reading *reading, const char *id);

/* Keeps the API's own id of a message, if it is printable ASCII of that length; NULL is fine. */
extern void reading_set_message_id(Reading *reading, const char *id);

/*
 * Begins a reading with what HTTP alone says.  REPLY_DONE means that the API
 * agreed; its dialect then looks whether the body holds what it must.
 */
extern void reading_judge(Reading *reading, Step step, const HttpResponse *response);

/* The same of any request of which nothing was sent, by the word for why. */
extern void reading_judge_unsent(Reading *reading, const char *failure);

#endif
