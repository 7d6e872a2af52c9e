/*
 * ledger.h: what was asked, and what took effect.
 */
#ifndef SIMULATOR_LEDGER_H
#define SIMULATOR_LEDGER_H

#include "exchange.h"

/*
 * The texts of a request, in the order in which they are packed. Those up to
 * REQUEST_NUDGE_ID come from path and headers and may be any bytes; the ledger
 * is read as UTF-8, so it shows what is not ASCII in them as question marks.
 */
typedef enum RequestText
{
	REQUEST_METHOD,
	REQUEST_PATH,
	REQUEST_CONVERSATION_ID,
	REQUEST_KEY,
	REQUEST_NUDGE_ID,
	REQUEST_FAULT,
	REQUEST_TEXT,
	REQUEST_TO,
	REQUEST_FROM,
	REQUEST_CHANNEL,
	REQUEST_PREVIOUS_ID,
	REQUEST_TEXTS
} RequestText;

typedef struct RequestEntry
{
	int64_t		arrived_us;
	const char *texts;			/* packed */
	uint32_t	connection;
	uint16_t	status;			/* 0: no answer */
	uint8_t		verb;
	bool		reused:1;
	bool		authorised:1;
	bool		replayed:1;
} RequestEntry;

/* The texts of an effect, likewise. */
typedef enum EffectText
{
	EFFECT_KEY,
	EFFECT_NUDGE_ID,
	EFFECT_CONVERSATION_ID,		/* where the message is now */
	EFFECT_PREVIOUS_ID,
	EFFECT_ADDRESS,
	EFFECT_MESSAGE,
	EFFECT_TEXTS
} EffectText;

typedef struct EffectEntry
{
	int64_t		happened_us;
	uint64_t	request;		/* its sequence number */
	const char *texts;			/* packed */
	uint8_t		verb;			/* VERB_NOTIFY or VERB_CREATE */
} EffectEntry;

/* Records a request with what was decided about it; fault may be NULL. */
extern void ledger_record_request(const Request *request, const Answer *answer,
								  const char *fault);

/* Records an effect of the request that is being answered. */
extern void ledger_record_notification(const Request *request, const char *conversation_id,
									   const char *address);
extern void ledger_record_session(const Request *request, const char *new_id);

/* Forgets all entries. Sequence numbers go on, so that the ledger file has each once. */
extern void ledger_reset(void);

/* Entries by position, from 0; valid until ledger_reset. */
extern size_t ledger_request_count(void);
extern size_t ledger_effect_count(void);
extern const RequestEntry *ledger_request(size_t position);
extern const EffectEntry *ledger_effect(size_t position);

/* The sequence number of the request at position 0. */
extern uint64_t ledger_first_sequence(void);

/* Rises with every ledger_reset, so that a long report notices that its entries are gone. */
extern unsigned ledger_generation(void);

/* How many requests of this verb, and how many effects of it, there were. */
extern uint64_t ledger_requests_of(Verb verb);
extern uint64_t ledger_effects_of(Verb verb);

/* Spreads packed texts; an absent one becomes NULL. */
extern void ledger_unpack(const char *packed, const char *texts[], size_t count);

#endif
