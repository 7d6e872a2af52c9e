/*
 * message.c: messages to frames and back, driven by one table each.
 */
#include "message.h"

#include <string.h>

typedef enum FieldType
{
	FIELD_NUMBER,				/* always there */
	FIELD_TEXT,					/* always there */
	FIELD_TEXT_OR_NULL
} FieldType;

/* A field's tag is its place in the table, counted from 1. */
typedef struct FieldSpec
{
	const char *name;
	FieldType	type;
	size_t		offset;
} FieldSpec;

typedef struct MessageSpec
{
	MessageKind kind;
	size_t		size;
	const FieldSpec *fields;
	int			nfields;
} MessageSpec;

/* A member of another type does not compile. */
#define MEMBER(type, message, field) \
	{#field, FIELD_##type, offsetof(message, field) + _Generic(((message *) 0)->field, MEMBER_OF_##type: 0)}
#define MEMBER_OF_NUMBER int64_t
#define MEMBER_OF_TEXT const char *
#define MEMBER_OF_TEXT_OR_NULL const char *

/* A member that its table does not have would never arrive: each is of one size. */
#define SPEC(name, kind, type) \
	_Static_assert(sizeof(void *) != sizeof(int64_t) || \
				   sizeof(type) == sizeof(name##_fields) / sizeof(FieldSpec) * sizeof(int64_t), \
				   #name "_fields has not every member of " #type); \
	static const MessageSpec name = \
		{kind, sizeof(type), name##_fields, sizeof(name##_fields) / sizeof(FieldSpec)}

static const FieldSpec hello_fields[] = {
	MEMBER(NUMBER, HelloMessage, protocol),
	MEMBER(TEXT, HelloMessage, version),
	MEMBER(TEXT, HelloMessage, libraries),
};
SPEC(hello, MESSAGE_HELLO, HelloMessage);

static const FieldSpec server_fields[] = {
#define SERVER_TEXT(field) MEMBER(TEXT, ServerMessage, field),
#define SERVER_TEXT_OR_NULL(field) MEMBER(TEXT_OR_NULL, ServerMessage, field),
#define SERVER_NUMBER(field) MEMBER(NUMBER, ServerMessage, field),
#include "server_fields.h"
#undef SERVER_TEXT
#undef SERVER_TEXT_OR_NULL
#undef SERVER_NUMBER
};
SPEC(server, MESSAGE_SERVER, ServerMessage);

static const FieldSpec call_fields[] = {
	MEMBER(NUMBER, CallMessage, call_id),
	MEMBER(NUMBER, CallMessage, step),
	MEMBER(NUMBER, CallMessage, render_only),
	MEMBER(NUMBER, CallMessage, priority),
	MEMBER(NUMBER, CallMessage, repeats),
	MEMBER(NUMBER, CallMessage, want_certificate),
	MEMBER(NUMBER, CallMessage, time_left_ms),
	MEMBER(NUMBER, CallMessage, leave_by_ms),
	MEMBER(TEXT, CallMessage, server),
	MEMBER(TEXT, CallMessage, conversation_id),
	MEMBER(TEXT, CallMessage, nudge_id),
	MEMBER(TEXT_OR_NULL, CallMessage, text),
	MEMBER(TEXT_OR_NULL, CallMessage, to_address),
	MEMBER(TEXT_OR_NULL, CallMessage, from_address),
	MEMBER(TEXT_OR_NULL, CallMessage, channel),
	MEMBER(TEXT_OR_NULL, CallMessage, root),
	MEMBER(TEXT_OR_NULL, CallMessage, template),
};
SPEC(call, MESSAGE_CALL, CallMessage);

static const FieldSpec reply_fields[] = {
	MEMBER(NUMBER, ReplyMessage, call_id),
	MEMBER(NUMBER, ReplyMessage, class),
	MEMBER(NUMBER, ReplyMessage, http_status),
	MEMBER(NUMBER, ReplyMessage, retry_after_ms),
	MEMBER(NUMBER, ReplyMessage, api_calls),
	MEMBER(NUMBER, ReplyMessage, called_at),
	MEMBER(NUMBER, ReplyMessage, too_late),
	MEMBER(NUMBER, ReplyMessage, answered_ms),
	MEMBER(NUMBER, ReplyMessage, took_us),
	MEMBER(NUMBER, ReplyMessage, token_requests),
	MEMBER(NUMBER, ReplyMessage, bytes_sent),
	MEMBER(NUMBER, ReplyMessage, bytes_received),
	MEMBER(TEXT_OR_NULL, ReplyMessage, reason),
	MEMBER(NUMBER, ReplyMessage, live),
	MEMBER(NUMBER, ReplyMessage, busy),
	MEMBER(NUMBER, ReplyMessage, last_inbound_at),
	MEMBER(TEXT_OR_NULL, ReplyMessage, status),
	MEMBER(TEXT_OR_NULL, ReplyMessage, channel),
	MEMBER(TEXT_OR_NULL, ReplyMessage, customer_address),
	MEMBER(TEXT_OR_NULL, ReplyMessage, business_address),
	MEMBER(TEXT_OR_NULL, ReplyMessage, conversation_id),
	MEMBER(TEXT_OR_NULL, ReplyMessage, message_id),
	MEMBER(NUMBER, ReplyMessage, opted_out),
	MEMBER(TEXT_OR_NULL, ReplyMessage, error_code),
	MEMBER(TEXT_OR_NULL, ReplyMessage, error_message),
	MEMBER(TEXT_OR_NULL, ReplyMessage, correlation_id),
	MEMBER(TEXT_OR_NULL, ReplyMessage, certificate_issuer),
	MEMBER(NUMBER, ReplyMessage, certificate_expires_at),
};
SPEC(reply, MESSAGE_REPLY, ReplyMessage);

static const FieldSpec rendered_fields[] = {
	MEMBER(NUMBER, RenderedMessage, call_id),
	MEMBER(TEXT, RenderedMessage, method),
	MEMBER(TEXT, RenderedMessage, url),
	MEMBER(TEXT, RenderedMessage, headers),
	MEMBER(TEXT_OR_NULL, RenderedMessage, body),
	MEMBER(TEXT_OR_NULL, RenderedMessage, fault),
};
SPEC(rendered, MESSAGE_RENDERED, RenderedMessage);

static const FieldSpec forget_fields[] = {
	MEMBER(TEXT, ForgetMessage, name),
};
SPEC(forget, MESSAGE_FORGET, ForgetMessage);

static bool
put_message(FrameBuffer *buffer, const MessageSpec *spec, const void *message)
{
	frame_begin(buffer, (uint8_t) spec->kind);
	for (int i = 0; i < spec->nfields; i++)
	{
		const void *field = (const char *) message + spec->fields[i].offset;
		uint8_t		tag = (uint8_t) (i + 1);

		if (spec->fields[i].type == FIELD_NUMBER)
			frame_put_number(buffer, tag, *(const int64_t *) field);
		else if (*(const char *const *) field != NULL)
			frame_put_text(buffer, tag, *(const char *const *) field);
	}
	return frame_end(buffer);
}

static bool
fits_frame(const MessageSpec *spec, const void *message)
{
	/* beside its kind */
	size_t		room = FRAME_MAX - 1;

	for (int i = 0; i < spec->nfields; i++)
	{
		const void *field = (const char *) message + spec->fields[i].offset;
		size_t		length = spec->fields[i].type == FIELD_NUMBER ? frame_number_length() :
			frame_text_length(*(const char *const *) field);

		if (length > room)
			return false;
		room -= length;
	}
	return true;
}

static bool
get_message(const Frame *frame, const MessageSpec *spec, void *message)
{
	if (frame->kind != spec->kind)
		return false;
	memset(message, 0, spec->size);
	for (int i = 0; i < spec->nfields; i++)
	{
		void	   *field = (char *) message + spec->fields[i].offset;
		uint8_t		tag = (uint8_t) (i + 1);
		bool		found;

		if (spec->fields[i].type == FIELD_NUMBER)
			found = frame_get_number(frame, tag, field);
		else
			found = frame_get_text(frame, tag, field);
		if (!found && spec->fields[i].type != FIELD_TEXT_OR_NULL)
			return false;
	}
	return true;
}

/* FNV-1a, one byte and one word further. */
static uint64_t
fold_word(uint64_t hash, int byte, const char *word)
{
	const uint64_t prime = UINT64_C(0x100000001b3);

	hash = (hash ^ (uint8_t) byte) * prime;
	for (; *word != '\0'; word++)
		hash = (hash ^ (uint8_t) *word) * prime;
	return hash;
}

int64_t
message_protocol(void)
{
	static const MessageSpec *const specs[] = {&hello, &server, &call, &reply, &rendered, &forget};
	uint64_t	hash = fold_word(UINT64_C(0xcbf29ce484222325), PROTOCOL_VERSION, "");

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
	{
		hash = fold_word(hash, (int) specs[i]->kind, "");
		for (int f = 0; f < specs[i]->nfields; f++)
			hash = fold_word(hash, (int) specs[i]->fields[f].type, specs[i]->fields[f].name);
	}
	for (int i = 0; i < STEP_COUNT; i++)
		hash = fold_word(hash, i, step_name((Step) i));
	for (int i = 0; i < REPLY_CLASS_COUNT; i++)
		hash = fold_word(hash, i, reply_class_name((ReplyClass) i));
	return (int64_t) hash;
}

static bool
in_range(int64_t number, int64_t count)
{
	return number >= 0 && number < count;
}

bool
message_put_hello(FrameBuffer *buffer, const HelloMessage *message)
{
	return put_message(buffer, &hello, message);
}

bool
message_server_fits(const ServerMessage *message)
{
	return fits_frame(&server, message);
}

bool
message_call_fits(const CallMessage *message)
{
	return fits_frame(&call, message);
}

bool
message_put_server(FrameBuffer *buffer, const ServerMessage *message)
{
	return put_message(buffer, &server, message);
}

bool
message_put_call(FrameBuffer *buffer, const CallMessage *message)
{
	return put_message(buffer, &call, message);
}

bool
message_put_reply(FrameBuffer *buffer, const ReplyMessage *message)
{
	return put_message(buffer, &reply, message);
}

bool
message_put_rendered(FrameBuffer *buffer, const RenderedMessage *message)
{
	return put_message(buffer, &rendered, message);
}

bool
message_put_forget(FrameBuffer *buffer, const ForgetMessage *message)
{
	return put_message(buffer, &forget, message);
}

bool
message_get_hello(const Frame *frame, HelloMessage *message)
{
	return get_message(frame, &hello, message);
}

bool
message_get_server(const Frame *frame, ServerMessage *message)
{
	return get_message(frame, &server, message);
}

bool
message_get_call(const Frame *frame, CallMessage *message)
{
	return get_message(frame, &call, message) && in_range(message->step, STEP_COUNT);
}

bool
message_get_reply(const Frame *frame, ReplyMessage *message)
{
	return get_message(frame, &reply, message) &&
		in_range(message->class, REPLY_CLASS_COUNT) &&
		in_range(message->http_status, 1000);
}

bool
message_get_rendered(const Frame *frame, RenderedMessage *message)
{
	return get_message(frame, &rendered, message);
}

bool
message_get_forget(const Frame *frame, ForgetMessage *message)
{
	return get_message(frame, &forget, message);
}
