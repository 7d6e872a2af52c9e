/*
 * message_fields.h: what the messages consist of, as the tests see it.
 *
 * Written a second time, apart from message.c's own tables, so that a field
 * that was forgotten there is missed here; but for the server's, which are made
 * of one list.
 */
#ifndef TEST_MESSAGE_FIELDS_H
#define TEST_MESSAGE_FIELDS_H

#include <stdlib.h>
#include <string.h>

#include "message.h"

typedef enum FieldKind
{
	A_NUMBER,
	A_TEXT,
	A_TEXT_OR_NULL
} FieldKind;

typedef struct MessageField
{
	const char *name;
	FieldKind	kind;
	size_t		offset;
} MessageField;

/* More than any has; the tests hold that one stays free. */
#define MAX_FIELDS 64
#define MAX_MESSAGE_SIZE (8 * MAX_FIELDS)

typedef struct MessageType
{
	const char *name;
	MessageKind kind;
	size_t		size;
	bool		(*put) (FrameBuffer *buffer, const void *message);
	bool		(*get) (const Frame *frame, void *message);
	MessageField fields[MAX_FIELDS];	/* in the order of their tags; ends with a NULL name */
} MessageType;

/* One shape for the functions of all messages. */
#define ADAPT(name, type) \
	static bool put_##name(FrameBuffer *buffer, const void *message) \
	{ return message_put_##name(buffer, (const type *) message); } \
	static bool get_##name(const Frame *frame, void *message) \
	{ return message_get_##name(frame, (type *) message); }

ADAPT(hello, HelloMessage)
ADAPT(server, ServerMessage)
ADAPT(call, CallMessage)
ADAPT(reply, ReplyMessage)
ADAPT(rendered, RenderedMessage)
ADAPT(forget, ForgetMessage)

#define NUMBER(type, field) {#field, A_NUMBER, offsetof(type, field)}
#define TEXT(type, field) {#field, A_TEXT, offsetof(type, field)}
#define TEXT_OR_NULL(type, field) {#field, A_TEXT_OR_NULL, offsetof(type, field)}
#define NO_FIELD {NULL, A_NUMBER, 0}

static const MessageType message_types[] = {
	{"hello", MESSAGE_HELLO, sizeof(HelloMessage), put_hello, get_hello, {
		NUMBER(HelloMessage, protocol),
		TEXT(HelloMessage, version),
		TEXT(HelloMessage, libraries),
		NO_FIELD,
	}},
	{"server", MESSAGE_SERVER, sizeof(ServerMessage), put_server, get_server, {
#define SERVER_TEXT(field) TEXT(ServerMessage, field),
#define SERVER_TEXT_OR_NULL(field) TEXT_OR_NULL(ServerMessage, field),
#define SERVER_NUMBER(field) NUMBER(ServerMessage, field),
#include "server_fields.h"
#undef SERVER_TEXT
#undef SERVER_TEXT_OR_NULL
#undef SERVER_NUMBER
		NO_FIELD,
	}},
	{"call", MESSAGE_CALL, sizeof(CallMessage), put_call, get_call, {
		NUMBER(CallMessage, call_id),
		NUMBER(CallMessage, step),
		NUMBER(CallMessage, render_only),
		NUMBER(CallMessage, priority),
		NUMBER(CallMessage, repeats),
		NUMBER(CallMessage, want_certificate),
		NUMBER(CallMessage, time_left_ms),
		NUMBER(CallMessage, leave_by_ms),
		TEXT(CallMessage, server),
		TEXT(CallMessage, conversation_id),
		TEXT(CallMessage, nudge_id),
		TEXT_OR_NULL(CallMessage, text),
		TEXT_OR_NULL(CallMessage, to_address),
		TEXT_OR_NULL(CallMessage, from_address),
		TEXT_OR_NULL(CallMessage, channel),
		TEXT_OR_NULL(CallMessage, root),
		TEXT_OR_NULL(CallMessage, template),
		NO_FIELD,
	}},
	{"reply", MESSAGE_REPLY, sizeof(ReplyMessage), put_reply, get_reply, {
		NUMBER(ReplyMessage, call_id),
		NUMBER(ReplyMessage, class),
		NUMBER(ReplyMessage, http_status),
		NUMBER(ReplyMessage, retry_after_ms),
		NUMBER(ReplyMessage, api_calls),
		NUMBER(ReplyMessage, called_at),
		NUMBER(ReplyMessage, too_late),
		NUMBER(ReplyMessage, answered_ms),
		NUMBER(ReplyMessage, took_us),
		NUMBER(ReplyMessage, token_requests),
		NUMBER(ReplyMessage, bytes_sent),
		NUMBER(ReplyMessage, bytes_received),
		TEXT_OR_NULL(ReplyMessage, reason),
		NUMBER(ReplyMessage, live),
		NUMBER(ReplyMessage, busy),
		NUMBER(ReplyMessage, last_inbound_at),
		TEXT_OR_NULL(ReplyMessage, status),
		TEXT_OR_NULL(ReplyMessage, channel),
		TEXT_OR_NULL(ReplyMessage, customer_address),
		TEXT_OR_NULL(ReplyMessage, business_address),
		TEXT_OR_NULL(ReplyMessage, conversation_id),
		TEXT_OR_NULL(ReplyMessage, message_id),
		NUMBER(ReplyMessage, opted_out),
		TEXT_OR_NULL(ReplyMessage, error_code),
		TEXT_OR_NULL(ReplyMessage, error_message),
		TEXT_OR_NULL(ReplyMessage, correlation_id),
		TEXT_OR_NULL(ReplyMessage, certificate_issuer),
		NUMBER(ReplyMessage, certificate_expires_at),
		NO_FIELD,
	}},
	{"rendered", MESSAGE_RENDERED, sizeof(RenderedMessage), put_rendered, get_rendered, {
		NUMBER(RenderedMessage, call_id),
		TEXT(RenderedMessage, method),
		TEXT(RenderedMessage, url),
		TEXT(RenderedMessage, headers),
		TEXT_OR_NULL(RenderedMessage, body),
		TEXT_OR_NULL(RenderedMessage, fault),
		NO_FIELD,
	}},
	{"forget", MESSAGE_FORGET, sizeof(ForgetMessage), put_forget, get_forget, {
		TEXT(ForgetMessage, name),
		NO_FIELD,
	}},
};

#define MESSAGE_TYPES ((int) (sizeof(message_types) / sizeof(message_types[0])))

static inline int64_t *
number_field(void *message, const MessageField *field)
{
	return (int64_t *) ((char *) message + field->offset);
}

static inline const char **
text_field(void *message, const MessageField *field)
{
	return (const char **) ((char *) message + field->offset);
}

/* The first field that two messages of a type disagree about; NULL: none. */
static inline const char *
first_difference(const MessageType *type, void *a, void *b)
{
	for (const MessageField *field = type->fields; field->name != NULL; field++)
	{
		const char *text_a;
		const char *text_b;

		if (field->kind == A_NUMBER)
		{
			if (*number_field(a, field) != *number_field(b, field))
				return field->name;
			continue;
		}
		text_a = *text_field(a, field);
		text_b = *text_field(b, field);
		if ((text_a == NULL) != (text_b == NULL) ||
			(text_a != NULL && strcmp(text_a, text_b) != 0))
			return field->name;
	}
	return NULL;
}

/*
 * A frame in memory of exactly its size, so that a reader that goes one byte
 * too far is caught.  The bytes are the caller's to free.
 */
static inline uint8_t *
exact_copy(const uint8_t *data, size_t length)
{
	uint8_t    *copy = malloc(length > 0 ? length : 1);

	if (copy == NULL)
		abort();
	if (length > 0)
		memcpy(copy, data, length);
	return copy;
}

#endif
