/*
 * ledger.c: what was asked, and what took effect.
 *
 * An entry is a small struct in a growing array; its texts lie packed, one
 * behind the other, in large chunks, because a million entries with a pointer
 * and an allocation for each text would need several times the memory.
 */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "memory.h"
#include "request.h"
#include "row.h"

#define CHUNK_SIZE (1024 * 1024)

/* Stands before a text that is there; an absent text is only the NUL. */
#define PRESENT '='

typedef struct Chunk
{
	struct Chunk *next;
	char		bytes[];
} Chunk;

static Chunk *chunks = NULL;
static size_t chunk_used = 0;
static size_t chunk_size = 0;

static RequestEntry *requests = NULL;
static size_t request_count = 0;
static size_t request_capacity = 0;

static EffectEntry *effects = NULL;
static size_t effect_count = 0;
static size_t effect_capacity = 0;

static uint64_t first_sequence = 1;
static unsigned generation = 0;
static uint64_t requests_of[VERB_COUNT];
static uint64_t effects_of[VERB_COUNT];

static char *
take_space(size_t size)
{
	char	   *space;

	if (size > chunk_size - chunk_used)
	{
		Chunk	   *chunk;

		chunk_size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		chunk = allocated(malloc(sizeof(Chunk) + chunk_size));
		chunk->next = chunks;
		chunks = chunk;
		chunk_used = 0;
	}
	space = chunks->bytes + chunk_used;
	chunk_used += size;
	return space;
}

static void
replace_non_ascii(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text > 0x7f)
			*text = '?';
}

/* The first raw_count texts may be any bytes. */
static const char *
pack(const char *const texts[], size_t count, size_t raw_count)
{
	size_t		size = 0;
	char	   *packed;
	char	   *end;

	for (size_t i = 0; i < count; i++)
		size += texts[i] ? strlen(texts[i]) + 2 : 1;

	end = packed = take_space(size);
	for (size_t i = 0; i < count; i++)
	{
		char	   *start = end;

		if (texts[i] != NULL)
		{
			*end++ = PRESENT;
			end = stpcpy(end, texts[i]);
			if (i < raw_count)
				replace_non_ascii(start);
		}
		*end++ = '\0';
	}
	return packed;
}

void
ledger_unpack(const char *packed, const char *texts[], size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		texts[i] = *packed == PRESENT ? packed + 1 : NULL;
		packed += strlen(packed) + 1;
	}
}

static const char *
unless_empty(const char *text)
{
	return *text != '\0' ? text : NULL;
}

static void
grow(void **entries, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return;
	*capacity = *capacity ? 2 * *capacity : 4096;
	*entries = allocated(realloc(*entries, *capacity * size));
}

void
ledger_record_request(const Request *request, const Answer *answer, const char *fault)
{
	const char *texts[REQUEST_TEXTS] = {
		[REQUEST_METHOD] = request->method,
		[REQUEST_PATH] = request->path,
		[REQUEST_CONVERSATION_ID] = unless_empty(request->conversation_id),
		[REQUEST_KEY] = request->idempotency_key,
		[REQUEST_NUDGE_ID] = unless_empty(request->nudge_id),
		[REQUEST_FAULT] = fault,
		[REQUEST_TEXT] = request->text,
		[REQUEST_TO] = request->to,
		[REQUEST_FROM] = request->from,
		[REQUEST_CHANNEL] = request->channel,
		[REQUEST_PREVIOUS_ID] = request->previous_id,
	};
	RequestEntry *entry;

	grow((void **) &requests, request_count, &request_capacity, sizeof(*requests));
	entry = &requests[request_count++];
	entry->arrived_us = request->arrived_us;
	entry->texts = pack(texts, REQUEST_TEXTS, REQUEST_NUDGE_ID + 1);
	entry->connection = request->connection;
	entry->status = answer->status;
	entry->verb = request->verb;
	entry->reused = request->reused;
	entry->authorised = request->authorised;
	entry->replayed = request->replayed;
	requests_of[request->verb]++;
	journal_append(row_of_request(first_sequence + request_count - 1, entry));
}

static void
record_effect(const Request *request, const char *conversation_id, const char *previous_id,
			  const char *address)
{
	const char *texts[EFFECT_TEXTS] = {
		[EFFECT_KEY] = request->idempotency_key,
		[EFFECT_NUDGE_ID] = unless_empty(request->nudge_id),
		[EFFECT_CONVERSATION_ID] = conversation_id,
		[EFFECT_PREVIOUS_ID] = previous_id,
		[EFFECT_ADDRESS] = address,
		[EFFECT_MESSAGE] = request->text,
	};
	EffectEntry *entry;

	grow((void **) &effects, effect_count, &effect_capacity, sizeof(*effects));
	entry = &effects[effect_count++];
	entry->happened_us = wall_clock_us();
	/* The request itself is recorded when it has been answered, as the next one. */
	entry->request = first_sequence + request_count;
	entry->texts = pack(texts, EFFECT_TEXTS, EFFECT_NUDGE_ID + 1);
	entry->verb = request->verb;
	effects_of[request->verb]++;
	journal_append(row_of_effect(entry));
}

void
ledger_record_notification(const Request *request, const char *conversation_id,
						   const char *address)
{
	record_effect(request, conversation_id, NULL, address);
}

void
ledger_record_session(const Request *request, const char *new_id)
{
	record_effect(request, new_id, request->previous_id, request->to);
}

void
ledger_reset(void)
{
	while (chunks != NULL)
	{
		Chunk	   *next = chunks->next;

		free(chunks);
		chunks = next;
	}
	chunk_used = chunk_size = 0;
	first_sequence += request_count;
	request_count = effect_count = 0;
	memset(requests_of, 0, sizeof(requests_of));
	memset(effects_of, 0, sizeof(effects_of));
	generation++;
}

size_t
ledger_request_count(void)
{
	return request_count;
}

size_t
ledger_effect_count(void)
{
	return effect_count;
}

const RequestEntry *
ledger_request(size_t position)
{
	return &requests[position];
}

const EffectEntry *
ledger_effect(size_t position)
{
	return &effects[position];
}

uint64_t
ledger_first_sequence(void)
{
	return first_sequence;
}

unsigned
ledger_generation(void)
{
	return generation;
}

uint64_t
ledger_requests_of(Verb verb)
{
	return requests_of[verb];
}

uint64_t
ledger_effects_of(Verb verb)
{
	return effects_of[verb];
}
