/*
 * import_verdict.c: see import_verdict.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/time_zones.h"
#include "functions/import_record.h"
#include "functions/import_verdict.h"
#include "nudge.h"
#include "spelling.h"

#define ADDRESS_MAX 256			/* characters */
#define CHANNEL_MAX 64
#define SAID_ZONE_MAX 64

/* A file may name any number of time zones that there are not. */
#define ZONES_KEPT 1000

enum
{
	RECORD_NO,
	STORED_AT,
	COMPLAINT,
	CONVERSATION_ID,
	STATUS,
	CHANNEL,
	ADDRESS,
	TIME_ZONE,
	LAST_INBOUND_AT,
	ABANDONED_AT,
	EXTRACTED_AT,
	BAD_TEMPLATE,
	DETAIL,
	WITHDRAWN,
	OPTED_OUT,
	DELETED,
	RECORD_COLUMNS
};

static const Oid record_types[RECORD_COLUMNS] = {
	INT8OID, TIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	BOOLOID, JSONBOID, BOOLOID, BOOLOID, BOOLOID
};

const char *const verdict_columns =
	"h.record_no, h.stored_at, h.complaint, h.conversation_id, h.status, h.channel, h.address, h.time_zone,"
	" h.last_inbound_at, h.abandoned_at, h.extracted_at,"
	" h.template IS NOT NULL AND reengage_internal.import_template_in(h.template) IS NULL, h.detail,"
	" h.withdrawn, h.opted_out, h.deleted";

/* Values of another type would be taken for pointers. */
void
verdict_check_columns(TupleDesc descriptor)
{
	for (int i = 0; i < RECORD_COLUMNS; i++)
		if (TupleDescAttr(descriptor, i)->atttypid != record_types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("\"reengage_import_record\" is not the view of an import"),
					 errhint("CALL reengage.import_history(), which makes it.")));
}

static char *
said_in(TupleTableSlot *row, int place)
{
	return row->tts_isnull[place] ? NULL : TextDatumGetCString(row->tts_values[place]);
}

static bool
is_true(TupleTableSlot *row, int place)
{
	return !row->tts_isnull[place] && DatumGetBool(row->tts_values[place]);
}

/* Letters of ASCII only; in its place. */
static char *
made_small(char *text)
{
	for (char *byte = text; byte != NULL && *byte != '\0'; byte++)
		*byte = small_letter(*byte);
	return text;
}

/* --- time zones --------------------------------------------------------------------------- */

typedef struct KnownZone
{
	char		name[TZ_STRLEN_MAX + 1];
	bool		is_there;
} KnownZone;

/* What is not found is looked for in folders, each time. */
static bool
zone_is_there(Rules *rules, const char *name)
{
	HASHCTL		control = {.keysize = TZ_STRLEN_MAX + 1, .entrysize = sizeof(KnownZone), .hcxt = rules->memory};
	KnownZone  *zone;
	bool		found;

	if (strlen(name) > TZ_STRLEN_MAX)
		return false;
	if (rules->zones != NULL && hash_get_num_entries(rules->zones) >= ZONES_KEPT)
	{
		hash_destroy(rules->zones);
		rules->zones = NULL;
	}
	if (rules->zones == NULL)
		rules->zones = hash_create("time zones of history", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	zone = hash_search(rules->zones, name, HASH_ENTER, &found);
	if (!found)
		zone->is_there = time_zone_find(name) != NULL;
	return zone->is_there;
}

/* Five digits in a row, seven in all, or an @. */
static bool
may_have_address(const char *text)
{
	int			in_row = 0;
	int			in_all = 0;

	for (; *text != '\0' && *text != '@' && in_row < 5 && in_all < 7; text++)
	{
		bool		is_digit = *text >= '0' && *text <= '9';

		in_row = is_digit ? in_row + 1 : 0;
		in_all += is_digit;
	}
	return *text == '@' || in_row >= 5 || in_all >= 7;
}

static bool
may_be_kept(const char *zone, const char *customer)
{
	if (pg_mbstrlen(zone) > SAID_ZONE_MAX || may_have_address(zone))
		return false;
	return customer == NULL || strstr(made_small(pstrdup(zone)), made_small(pstrdup(customer))) == NULL;
}

static void
read_zone(Rules *rules, char *said, Verdict *verdict)
{
	if (said == NULL)
		return;
	verdict->unknown_zone = !zone_is_there(rules, said);
	if (!verdict->unknown_zone)
		verdict->time_zone = said;
	else if (may_be_kept(said, verdict->customer))
		verdict->said_zone = said;
}

/* --- times ---------------------------------------------------------------------------------- */

/* False: something is said, and cannot be read. */
static bool
read_time(const Rules *rules, TupleTableSlot *row, int place, MaybeTime *time)
{
	char	   *said = said_in(row, place);

	time->is_there = record_time(said, rules->date_order, &time->time);
	return said == NULL || time->is_there;
}

MaybeTime
later_of(MaybeTime one, MaybeTime other)
{
	if (!one.is_there || (other.is_there && other.time > one.time))
		return other;
	return one;
}

/* False: there is one that cannot be read, or none of activity. */
static bool
read_times(const Rules *rules, TupleTableSlot *row, Verdict *verdict)
{
	MaybeTime	inbound;
	MaybeTime	abandoned;
	bool		can_be_read = read_time(rules, row, LAST_INBOUND_AT, &inbound);

	can_be_read = read_time(rules, row, ABANDONED_AT, &abandoned) && can_be_read;
	can_be_read = read_time(rules, row, EXTRACTED_AT, &verdict->extracted_at) && can_be_read;
	verdict->occurred_at = abandoned.is_there ? abandoned : inbound;
	verdict->last_seen_at = later_of(inbound, abandoned);
	return can_be_read && verdict->occurred_at.is_there;
}

/* --- the verdict ------------------------------------------------------------------------------- */

static const char *
id_defect_of(const Rules *rules, TupleTableSlot *row, const char *conversation_id)
{
	if (!row->tts_isnull[COMPLAINT])
		return said_in(row, COMPLAINT);
	if (conversation_id == NULL)
		return "missing_id";
	if (rules->heading != NULL && strcmp(made_small(pstrdup(conversation_id)), rules->heading) == 0)
		return "header";
	return conversation_id_is_valid(conversation_id) ? NULL : "invalid_id";
}

static bool
is_too_long(const char *text, int most)
{
	/* no character is less than a byte */
	return text != NULL && strlen(text) > most && pg_mbstrlen(text) > most;
}

static const char *
defect_of(const Rules *rules, TupleTableSlot *row, const Verdict *verdict, bool has_times, bool fit_address)
{
	MaybeTime	last = later_of(verdict->last_seen_at, verdict->extracted_at);
	const char *channel = verdict->channel;

	if (is_true(row, DELETED))
		return "deleted";
	if (!has_times)
		return "bad_timestamp";
	if (last.time > rules->future_after)
		return "future_timestamp";
	if (row->tts_isnull[ADDRESS])
		return "no_address";
	if (!fit_address || is_too_long(verdict->address, ADDRESS_MAX))
		return "invalid_address";
	if (!record_channel_fits(channel) || is_too_long(channel, CHANNEL_MAX))
		return "invalid_channel";
	if (verdict->opted_out)
		return "opted_out";
	if (verdict->withdrawn)
		return "no_consent";
	if (is_true(row, BAD_TEMPLATE) && (channel == NULL || strcmp(channel, "whatsapp") == 0))
		return "invalid_template";
	return NULL;
}

static int
compare_words(const void *one, const void *other)
{
	return strcmp(*(const char *const *) one, *(const char *const *) other);
}

static bool
is_unknown_status(const Rules *rules, const char *status)
{
	return status != NULL && bsearch(&status, rules->words, rules->nwords, sizeof(char *), compare_words) == NULL;
}

Verdict
verdict_of(Rules *rules, TupleTableSlot *row)
{
	Verdict		verdict = {
		.record_no = DatumGetInt64(row->tts_values[RECORD_NO]),
		.conversation_id = said_in(row, CONVERSATION_ID),
		.detail = row->tts_isnull[DETAIL] ? (Datum) 0 : row->tts_values[DETAIL],
		.channel = made_small(said_in(row, CHANNEL)),
		.withdrawn = is_true(row, WITHDRAWN),
		.opted_out = is_true(row, OPTED_OUT),
		.unknown_status = is_unknown_status(rules, made_small(said_in(row, STATUS))),
	};
	ReadAddress address = record_address(said_in(row, ADDRESS), verdict.channel, rules->country_code);
	bool		has_times = read_times(rules, row, &verdict);

	if (!row->tts_isnull[STORED_AT])
		verdict.stored_at = *(ItemPointer) DatumGetPointer(row->tts_values[STORED_AT]);
	verdict.address = address.spelling;
	verdict.customer = address.form;
	read_zone(rules, said_in(row, TIME_ZONE), &verdict);
	verdict.id_defect = id_defect_of(rules, row, verdict.conversation_id);
	verdict.defect = defect_of(rules, row, &verdict, has_times, address.fits);
	return verdict;
}
