/*
 * message.h: what the worker and the courier say to each other.
 *
 *   worker -> courier:  SERVER (settings and credentials), FORGET, CALL
 *   courier -> worker:  HELLO (once, at start), REPLY, RENDERED
 *
 * One table of fields per message serves both directions, so the two ends
 * cannot disagree.  Text is UTF-8; NULL means absent.  After decoding, text
 * points into the frame's buffer and lives as long as that does.
 */
#ifndef REENGAGE_MESSAGE_H
#define REENGAGE_MESSAGE_H

#include <stdint.h>

#include "frame.h"
#include "nudge.h"

/*
 * Raised when a field comes to mean another thing.  A field or a word that is
 * new, gone or elsewhere changes message_protocol() without it.
 */
#define PROTOCOL_VERSION 11

typedef enum MessageKind
{
	MESSAGE_HELLO = 1,
	MESSAGE_SERVER,
	MESSAGE_CALL,
	MESSAGE_REPLY,
	MESSAGE_RENDERED,
	MESSAGE_FORGET
} MessageKind;

typedef struct HelloMessage
{
	int64_t		protocol;		/* message_protocol() */
	const char *version;		/* of the courier */
	const char *libraries;		/* libcurl, TLS and json-c with versions */
} HelloMessage;

/* Of max_requests_per_minute. */
#define REQUESTS_PER_MINUTE_MAX 1000000

/* One server as CREATE SERVER and the credentials file describe it. */
typedef struct ServerMessage
{
#define SERVER_TEXT(field) const char *field;
#define SERVER_TEXT_OR_NULL(field) const char *field;
#define SERVER_NUMBER(field) int64_t field;
#include "server_fields.h"
#undef SERVER_TEXT
#undef SERVER_TEXT_OR_NULL
#undef SERVER_NUMBER
} ServerMessage;

/* The server is gone: nothing of it is needed any more. */
typedef struct ForgetMessage
{
	const char *name;
} ForgetMessage;

typedef struct CallMessage
{
	int64_t		call_id;		/* chosen by the worker, echoed in the reply */
	int64_t		step;			/* a Step */
	int64_t		render_only;	/* 1: answer RENDERED and send nothing */
	int64_t		priority;		/* 0 goes first */
	int64_t		repeats;		/* 1: a POST that was made before, with the same key */
	int64_t		want_certificate;	/* 1: of the API's certificate, too */
	int64_t		time_left_ms;	/* it is not begun after that; 0: it has all the time */
	int64_t		leave_by_ms;	/* nor after this, by the machine's monotonic clock; 0: whenever */
	const char *server;
	const char *conversation_id;	/* the tip: checked, notified or followed */
	const char *nudge_id;
	const char *text;			/* notify, create */
	/* create; notify, where the API notifies an address */
	const char *to_address;		/* the customer */
	const char *from_address;	/* the business; may be absent */
	const char *channel;
	const char *root;			/* create: to be written on what it makes; may be absent */
	const char *template;		/* JSON, instead of the text where the channel wants one */
} CallMessage;

typedef struct ReplyMessage
{
	int64_t		call_id;
	int64_t		class;			/* a ReplyClass */
	int64_t		http_status;	/* 0: there was no answer */
	int64_t		retry_after_ms; /* -1: the API did not say */
	int64_t		api_calls;		/* HTTP requests made for it, tokens excluded */
	int64_t		called_at;		/* first byte out, microseconds since 1970; 0: none */
	int64_t		too_late;		/* 1: not begun in time, and so not at all; reason: "turn", "connection" */
	int64_t		answered_ms;	/* when the API's answer was here, by the machine's monotonic clock */
	int64_t		took_us;		/* the API, from the request to the end of its answer, microseconds; 0: none was sent */
	/* of all requests for this server that have ended since its last reply, tokens included */
	int64_t		token_requests;	/* that were begun */
	int64_t		bytes_sent;		/* URLs, headers and bodies, as they are composed */
	int64_t		bytes_received; /* headers and bodies */
	const char *reason;			/* one ASCII word: "timeout", "unreadable", ... */
	/* what a check found out */
	int64_t		live;			/* 1: it may be notified */
	int64_t		busy;			/* 1: the customer is in it on a channel that we do not write to, say a call */
	int64_t		last_inbound_at;	/* the customer's last message, microseconds since 1970; 0: not told */
	const char *status;
	const char *channel;
	const char *customer_address;
	const char *business_address;
	/* what a POST made */
	const char *conversation_id;
	const char *message_id;		/* the API's own, for receipts; printable ASCII */
	int64_t		opted_out;		/* 1: refused, because the recipient wants no messages of ours */
	/* what the API said of a failure: printable ASCII, cut and redacted */
	const char *error_code;
	const char *error_message;
	const char *correlation_id;
	/* of the API's certificate, to a call that wants it */
	const char *certificate_issuer;
	int64_t		certificate_expires_at; /* seconds since 1970; 0: not known */
} ReplyMessage;

/* The request that a CALL with render_only would make. */
typedef struct RenderedMessage
{
	int64_t		call_id;
	const char *method;
	const char *url;
	const char *headers;		/* one a line; the token is not shown */
	const char *body;
	const char *fault;			/* the reason for which it would not be sent; may be absent */
} RenderedMessage;

/* A number of the fields of all messages, on which the two programs must agree. */
extern int64_t message_protocol(void);

/* True if the message fits into a frame. */
extern bool message_server_fits(const ServerMessage *message);
extern bool message_call_fits(const CallMessage *message);

/* Append one message.  False: no memory, or longer than FRAME_MAX. */
extern bool message_put_hello(FrameBuffer *buffer, const HelloMessage *message);
extern bool message_put_server(FrameBuffer *buffer, const ServerMessage *message);
extern bool message_put_call(FrameBuffer *buffer, const CallMessage *message);
extern bool message_put_reply(FrameBuffer *buffer, const ReplyMessage *message);
extern bool message_put_rendered(FrameBuffer *buffer, const RenderedMessage *message);
extern bool message_put_forget(FrameBuffer *buffer, const ForgetMessage *message);

/*
 * Read one message out of a complete frame of its kind.  False: a field that
 * must be there is missing, or a number is outside of its enum.
 */
extern bool message_get_hello(const Frame *frame, HelloMessage *message);
extern bool message_get_server(const Frame *frame, ServerMessage *message);
extern bool message_get_call(const Frame *frame, CallMessage *message);
extern bool message_get_reply(const Frame *frame, ReplyMessage *message);
extern bool message_get_rendered(const Frame *frame, RenderedMessage *message);
extern bool message_get_forget(const Frame *frame, ForgetMessage *message);

#endif
