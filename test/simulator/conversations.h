/*
 * conversations.h: the conversations that the simulated API knows.
 */
#ifndef SIMULATOR_CONVERSATIONS_H
#define SIMULATOR_CONVERSATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>

#define BUSINESS_ADDRESS "+13175559999"

typedef struct Conversation
{
	const char *id;
	const char *status;			/* NULL: answered without a status */
	const char *channel;
	const char *customer;		/* address; NULL: unknown */
	const char *business;		/* address */
	const char *metadata;		/* JSON, as it was sent; or NULL */
	const char *wrote_at;		/* when the customer wrote last, ISO 8601; NULL: not told */
	const char *media;			/* in which of a participant's lists the customer is; NULL: messages */
	const char *participants;	/* more of them, in the words of Genesys Cloud: a JSON array, or NULL */
	bool		outbound;
	bool		numeric_status; /* answered with a number for a status */
	bool		gone;			/* not found */
	bool		races;			/* closes between the check and the notification */
	bool		rejects;		/* answers every POST with 422 */
	bool		continues;		/* its successor is threaded into itself */
	bool		comes_back;		/* its customer has another one as soon as one is to be made */
	bool		returns;		/* its successor closes at once, and is followed by itself */
	const char *returns_to;		/* the id that its successor gets, or NULL */
	const char *then;			/* the status after looks_left more looks, or NULL */
	int64_t		looks_left;
	int64_t		hidden_looks;	/* not found for so many looks */
} Conversation;

/* Forgets all, then loads settings.conversations_file; false with a message on stderr. */
extern bool conversations_load(void);

/*
 * The conversation with this id: stored, or made up by rule; never NULL. It is
 * valid until the next call. Looking counts towards looks_left.
 */
extern const Conversation *conversation_look(const char *id);

/* The same without counting as a look. */
extern const Conversation *conversation_peek(const char *id);

/* Stores a copy, in place of an earlier one with the same id. */
extern void conversation_save(const Conversation *conversation);

/* Stores that it closed, after a look that had found it live. */
extern void conversation_close(const Conversation *conversation);

/* Stores what a control request describes; returns what is wrong with it, or NULL. */
extern const char *conversation_save_json(struct json_object *description);

/* Stores that the customer wrote: {"id", "at"}, now if it says no time. */
extern const char *conversation_write_json(struct json_object *description);

extern bool conversation_is_live(const Conversation *conversation);

/* Appends what the API answers to a check. */
extern void conversation_write(struct printbuf *buffer, const Conversation *conversation);

#endif
