/*
 * row.c: an entry of the ledger as a row of named values, in JSON or CSV.
 */
#include "row.h"

#include <string.h>

#include "quoting.h"
#include "request.h"

static void
add(Row *row, RowValue value)
{
	row->values[row->count++] = value;
}

static void
add_number(Row *row, const char *name, int64_t number)
{
	add(row, (RowValue) {.name = name, .kind = ROW_NUMBER, .number = number});
}

static void
add_boolean(Row *row, const char *name, bool value)
{
	add(row, (RowValue) {.name = name, .kind = ROW_BOOLEAN, .number = value});
}

static void
add_text(Row *row, const char *name, const char *text)
{
	add(row, (RowValue) {.name = name, .kind = ROW_TEXT, .text = text});
}

const Row *
row_of_request(uint64_t sequence, const RequestEntry *entry)
{
	static Row	row;
	const char *texts[REQUEST_TEXTS];

	ledger_unpack(entry->texts, texts, REQUEST_TEXTS);
	row.kind = "request";
	row.count = 0;
	add_number(&row, "sequence", sequence);
	add_number(&row, "arrived_us", entry->arrived_us);
	add_number(&row, "connection", entry->connection);
	add_boolean(&row, "reused", entry->reused);
	add_text(&row, "verb", verb_name(entry->verb));
	add_number(&row, "status", entry->status);
	add_boolean(&row, "authorised", entry->authorised);
	add_boolean(&row, "replayed", entry->replayed);
	add_text(&row, "fault", texts[REQUEST_FAULT]);
	add_text(&row, "method", texts[REQUEST_METHOD]);
	add_text(&row, "path", texts[REQUEST_PATH]);
	add_text(&row, "conversation_id", texts[REQUEST_CONVERSATION_ID]);
	add_text(&row, "previous_id", texts[REQUEST_PREVIOUS_ID]);
	add_text(&row, "key", texts[REQUEST_KEY]);
	add_text(&row, "nudge_id", texts[REQUEST_NUDGE_ID]);
	add_text(&row, "to_address", texts[REQUEST_TO]);
	add_text(&row, "from_address", texts[REQUEST_FROM]);
	add_text(&row, "channel", texts[REQUEST_CHANNEL]);
	add_text(&row, "message", texts[REQUEST_TEXT]);
	return &row;
}

const Row *
row_of_effect(const EffectEntry *entry)
{
	static Row	row;
	const char *texts[EFFECT_TEXTS];

	ledger_unpack(entry->texts, texts, EFFECT_TEXTS);
	row.kind = "effect";
	row.count = 0;
	add_number(&row, "request", entry->request);
	add_number(&row, "happened_us", entry->happened_us);
	add_text(&row, "verb", verb_name(entry->verb));
	add_text(&row, "effect", entry->verb == VERB_CREATE ? "created" : "notified");
	add_text(&row, "conversation_id", texts[EFFECT_CONVERSATION_ID]);
	add_text(&row, "previous_id", texts[EFFECT_PREVIOUS_ID]);
	add_text(&row, "address", texts[EFFECT_ADDRESS]);
	add_text(&row, "key", texts[EFFECT_KEY]);
	add_text(&row, "nudge_id", texts[EFFECT_NUDGE_ID]);
	add_text(&row, "message", texts[EFFECT_MESSAGE]);
	return &row;
}

const char *
row_text(const Row *row, const char *name)
{
	const RowValue *value = row->values;

	while (strcmp(value->name, name) != 0)
		value++;
	return value->text;
}

/* snprintf would be a third of the cost of a request. */
static void
append_number(struct printbuf *buffer, int64_t number)
{
	char		digits[20];
	size_t		start = sizeof(digits);

	do
		digits[--start] = (char) ('0' + number % 10);
	while ((number /= 10) > 0);
	printbuf_memappend(buffer, digits + start, sizeof(digits) - start);
}

void
row_write_json(struct printbuf *buffer, const Row *row)
{
	for (size_t i = 0; i < row->count; i++)
	{
		const RowValue *value = &row->values[i];

		append_text(buffer, i == 0 ? "{\"" : ",\"");
		append_text(buffer, value->name);
		append_text(buffer, "\":");
		if (value->kind == ROW_NUMBER)
			append_number(buffer, value->number);
		else if (value->kind == ROW_BOOLEAN)
			append_text(buffer, value->number ? "true" : "false");
		else
			append_json(buffer, value->text);
	}
	append_text(buffer, "}");
}

void
row_write_csv(struct printbuf *buffer, const Row *row)
{
	for (size_t i = 0; i < row->count; i++)
	{
		const RowValue *value = &row->values[i];

		if (i > 0)
			append_text(buffer, ",");
		if (value->kind == ROW_NUMBER)
			append_number(buffer, value->number);
		else if (value->kind == ROW_BOOLEAN)
			append_text(buffer, value->number ? "true" : "false");
		else
			append_csv(buffer, value->text);
	}
	append_text(buffer, "\n");
}

void
row_write_csv_header(struct printbuf *buffer, const Row *row)
{
	for (size_t i = 0; i < row->count; i++)
	{
		append_text(buffer, i == 0 ? "" : ",");
		append_text(buffer, row->values[i].name);
	}
	append_text(buffer, "\n");
}
