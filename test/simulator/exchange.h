/*
 * exchange.h: one request and its answer, and the connection they travel on.
 *
 * HTTP/1.1 answers the requests of a connection one after the other, so each
 * connection owns one Request and one Answer and uses them again and again:
 * a request that is served costs no allocation here.
 */
#ifndef SIMULATOR_EXCHANGE_H
#define SIMULATOR_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <microhttpd.h>

#include "identifiers.h"

#define CONVERSATION_ID_SIZE 1024

typedef enum Verb
{
	VERB_TOKEN,
	VERB_CHECK,
	VERB_NOTIFY,
	VERB_CREATE,
	VERB_TAG,					/* to write a word on a conversation; only Genesys Cloud */
	VERB_OTHER,					/* unknown path, or a method that it does not take */
	VERB_COUNT
} Verb;

/*
 * What was asked. Texts are NULL when they were not sent; they belong to
 * libmicrohttpd or to the document and live until the answer has left.
 */
typedef struct Request
{
	struct MHD_Connection *handle;
	uint32_t	connection;		/* number, from 1 */
	bool		reused;			/* the connection had an earlier request */
	int64_t		arrived_us;		/* of the headers, since 1970 */
	const char *method;
	const char *path;
	Verb		verb;
	const char *allowed_method; /* of the path; NULL if nothing lives there */
	char		conversation_id[CONVERSATION_ID_SIZE];	/* of the path */
	char		correlation_id[IDENTIFIER_SIZE];
	const char *authorization;
	const char *content_type;
	const char *idempotency_key;
	bool		authorised;		/* carried a valid bearer token */
	bool		replayed;		/* answered from the memory of its key */
	bool		too_large;
	bool		cloud;			/* in the words of Genesys Cloud */
	struct printbuf *body;
	struct json_object *document;	/* the body, if it is JSON */
	const char *text;
	const char *to;
	const char *from;
	const char *channel;
	const char *previous_id;
	char		previous[CONVERSATION_ID_SIZE]; /* of which previous_id is told, if no body told it */
	char		nudge_id[128];
} Request;

typedef enum Delivery
{
	DELIVER_WHOLE,
	DELIVER_DRIPPING,			/* amount: bytes per second */
	DELIVER_TRUNCATED,			/* half of the body, then the connection closes */
	DELIVER_HUGE,				/* amount: bytes, instead of the body */
	DELIVER_REPORT,				/* stream of the ledger instead of the body */
	DELIVER_CLOSE,				/* no byte; the connection closes */
	DELIVER_NEVER				/* no byte; the connection stays open until released */
} Delivery;

struct Report;

/* What will be answered, and how it leaves. Status 0: nothing is answered. */
typedef struct Answer
{
	unsigned int status;
	char		content_type[128];
	const char *header_name;	/* one more header, or NULL */
	char		header_value[512];
	struct printbuf *body;
	int64_t		delay_ms;
	Delivery	delivery;
	int64_t		amount;
	struct Report *report;		/* owned, until the response takes it */
} Answer;

typedef enum Stage
{
	STAGE_IDLE,
	STAGE_ARRIVING,
	STAGE_DECIDED				/* answered, in the ledger; perhaps not sent yet */
} Stage;

typedef struct Connection
{
	struct MHD_Connection *handle;
	uint32_t	number;
	uint64_t	requests;
	bool		client_left;	/* the client has closed its side */
	Stage		stage;
	Request		request;
	Answer		answer;
	int64_t		next_drip_us;	/* monotonic clock */
	bool		paused;
	int64_t		paused_until_us;	/* monotonic clock */
	size_t		pause_slot;
} Connection;

#endif
