/*
 * report.c: the ledger as a stream, so that its size does not matter.
 *
 * A report is a short list of parts: a piece of text, or all rows of a kind.
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "memory.h"
#include "quoting.h"
#include "row.h"

typedef struct Part
{
	enum
	{
		PART_END,
		PART_TEXT,
		PART_REQUESTS,
		PART_EFFECTS
	}			kind;
	const char *text;
} Part;

typedef struct ReportKind
{
	const char *path;
	bool		csv;
	Part		parts[6];
} ReportKind;

static const ReportKind kinds[] =
{
	{"/_sim/ledger", false, {
			{PART_TEXT, "{\"requests\":["}, {PART_REQUESTS, NULL},
			{PART_TEXT, "],\"effects\":["}, {PART_EFFECTS, NULL}, {PART_TEXT, "]}\n"},
			{PART_END, NULL}
	}},
	{"/_sim/requests", false, {
			{PART_TEXT, "["}, {PART_REQUESTS, NULL}, {PART_TEXT, "]\n"}, {PART_END, NULL}
	}},
	{"/_sim/effects", false, {
			{PART_TEXT, "["}, {PART_EFFECTS, NULL}, {PART_TEXT, "]\n"}, {PART_END, NULL}
	}},
	{"/_sim/requests.csv", true, {{PART_REQUESTS, NULL}, {PART_END, NULL}}},
	{"/_sim/effects.csv", true, {{PART_EFFECTS, NULL}, {PART_END, NULL}}},
};

typedef struct Report
{
	const ReportKind *kind;
	unsigned	generation;
	size_t		request_count;
	size_t		effect_count;
	char	   *id;				/* filters, or NULL */
	char	   *verb;
	char	   *nudge;
	const Part *part;
	size_t		next_entry;		/* of the part */
	bool		part_has_rows;
	struct printbuf *pending;	/* written, not read yet */
	size_t		pending_read;
} Report;

static char *
argument(const Request *request, const char *name)
{
	const char *value = MHD_lookup_connection_value(request->handle, MHD_GET_ARGUMENT_KIND, name);

	return value ? allocated(strdup(value)) : NULL;
}

struct Report *
report_open(const Request *request)
{
	const ReportKind *kind = kinds;
	const ReportKind *end = kinds + sizeof(kinds) / sizeof(kinds[0]);
	Report	   *report;

	while (kind < end && strcmp(kind->path, request->path) != 0)
		kind++;
	if (kind == end)
		return NULL;
	report = allocated(calloc(1, sizeof(Report)));
	report->kind = kind;
	report->generation = ledger_generation();
	report->request_count = ledger_request_count();
	report->effect_count = ledger_effect_count();
	report->id = argument(request, "id");
	report->verb = argument(request, "verb");
	report->nudge = argument(request, "nudge");
	report->part = kind->parts;
	report->pending = printbuf_new();
	return report;
}

bool
report_is_csv(const Report *report)
{
	return report->kind->csv;
}

void
report_free(void *context)
{
	Report	   *report = context;

	if (report == NULL)
		return;
	free(report->id);
	free(report->verb);
	free(report->nudge);
	printbuf_free(report->pending);
	free(report);
}

/* Whether the value is what the filter asks for; without a filter every value is. */
static bool
passes(const char *filter, const char *value)
{
	return filter == NULL || (value != NULL && strcmp(filter, value) == 0);
}

static bool
is_wanted(const Report *report, const Row *row)
{
	return passes(report->verb, row_text(row, "verb")) &&
		passes(report->nudge, row_text(row, "nudge_id")) &&
		(passes(report->id, row_text(row, "conversation_id")) ||
		 passes(report->id, row_text(row, "previous_id")));
}

static void
write_row(Report *report, const Row *row)
{
	if (!is_wanted(report, row))
		return;
	if (report->kind->csv)
		row_write_csv(report->pending, row);
	else
	{
		append_text(report->pending, report->part_has_rows ? ",\n" : "\n");
		row_write_json(report->pending, row);
	}
	report->part_has_rows = true;
}

static void
write_header(Report *report)
{
	/* An entry without any text, only for the names of its columns. */
	static const char no_texts[REQUEST_TEXTS + EFFECT_TEXTS] = "";
	const RequestEntry request = {.texts = no_texts};
	const EffectEntry effect = {.texts = no_texts};

	row_write_csv_header(report->pending, report->part->kind == PART_REQUESTS ?
						 row_of_request(0, &request) : row_of_effect(&effect));
}

static void
next_part(Report *report)
{
	report->part++;
	report->next_entry = 0;
	report->part_has_rows = false;
}

/* Writes the next piece of the report into pending: one row, or one text. */
static void
advance(Report *report)
{
	size_t		position = report->next_entry++;

	if (position == 0 && report->kind->csv)
		write_header(report);
	if (report->part->kind == PART_TEXT)
	{
		append_text(report->pending, report->part->text);
		next_part(report);
	}
	else if (report->part->kind == PART_REQUESTS && position < report->request_count)
		write_row(report, row_of_request(ledger_first_sequence() + position,
										 ledger_request(position)));
	else if (report->part->kind == PART_EFFECTS && position < report->effect_count)
		write_row(report, row_of_effect(ledger_effect(position)));
	else
		next_part(report);
}

static void
fill(Report *report, size_t size)
{
	printbuf_reset(report->pending);
	report->pending_read = 0;
	while (report->part->kind != PART_END && (size_t) report->pending->bpos < size)
		advance(report);
}

ssize_t
report_read(void *context, uint64_t position, char *block, size_t size)
{
	Report	   *report = context;
	size_t		count;

	(void) position;			/* always where the last call ended */
	if (report->generation != ledger_generation())
		return MHD_CONTENT_READER_END_WITH_ERROR;

	if (report->pending_read == (size_t) report->pending->bpos)
		fill(report, size);
	count = report->pending->bpos - report->pending_read;
	if (count == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (count > size)
		count = size;
	memcpy(block, report->pending->buf + report->pending_read, count);
	report->pending_read += count;
	return count;
}
