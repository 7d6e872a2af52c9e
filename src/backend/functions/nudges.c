/*
 * nudges.c: what may stand in a row of reengage.nudges.
 *
 * A trigger and not CHECK constraints: a constraint's message cannot say what
 * is allowed, and puts the whole row, customer data included, into the log.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "address_form.h"
#include "base/compat.h"
#include "base/detail_length.h"
#include "base/names.h"
#include "base/rows.h"
#include "base/time_zones.h"
#include "config/options.h"
#include "nudge.h"
#include "sms_segments.h"

PG_FUNCTION_INFO_V1(reengage_is_conversation_id);
PG_FUNCTION_INFO_V1(reengage_nudges_validate);

#define MESSAGE_MAX 4096		/* characters; the API's own limits are lower */
#define WORD_MAX 64
#define TEXT_MAX 256
#define DETAIL_MAX (16 * 1024)	/* bytes of its text */

/* What is longer than that is only said to be. */
#define DETAIL_COUNTED (1024 * 1024)

/* Another machine's clock may be ahead of ours by so much. */
#define CLOCK_AHEAD (5 * USECS_PER_MINUTE)

/* Values in messages are cut: they may be a megabyte. */
#define SHOWN_MAX 60

typedef struct Row
{
	HeapTuple	tuple;
	TupleDesc	descriptor;
} Row;

static Datum
row_column(const Row *row, const char *name, bool *isnull)
{
	return SPI_getbinval(row->tuple, row->descriptor,
						 SPI_fnumber(row->descriptor, name), isnull);
}

/* The text in a column, or NULL. */
static char *
text_column(const Row *row, const char *name)
{
	bool		isnull;
	Datum		value = row_column(row, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* The server's own message for a null would put the whole row into the log. */
static void
require_values(const Row *row)
{
	for (int i = 0; i < row->descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row->descriptor, i);

		if (attribute->attnotnull && heap_attisnull(row->tuple, i + 1, row->descriptor))
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("%s of a nudge must not be null", NameStr(attribute->attname))));
	}
}

static TimestampTz
time_column(const Row *row, const char *name, TimestampTz if_null)
{
	bool		isnull;
	Datum		value = row_column(row, name, &isnull);

	return isnull ? if_null : DatumGetTimestampTz(value);
}

/* Control bytes would end up in a log or a terminal; so they show as '?'. */
static const char *
printable_value(const char *value)
{
	char	   *copy = pnstrdup(value, pg_mbcliplen(value, strlen(value), SHOWN_MAX));

	for (char *byte = copy; *byte; byte++)
		if ((unsigned char) *byte < ' ' || *byte == 0x7f)
			*byte = '?';
	return strlen(value) > SHOWN_MAX ? psprintf("%s...", copy) : copy;
}

/* An address that was put into the wrong place is a customer's: it is not shown. */
static const char *
shown_word(const char *value)
{
	int			digits = 0;

	for (const char *byte = value; *byte; byte++)
		if (*byte >= '0' && *byte <= '9')
			digits++;
	return digits >= 7 || strchr(value, '@') != NULL ? "..." : value;
}

static void
refuse_column(const char *name, const char *value, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s of a nudge: \"%s\"", name, printable_value(value)),
			 errdetail("%s", detail)));
}

static bool
has_control_bytes(const char *value, const char *allowed)
{
	for (; *value; value++)
		if (((unsigned char) *value < ' ' || *value == 0x7f) && strchr(allowed, *value) == NULL)
			return true;
	return false;
}

/*
 * 1 to "longest" characters, none of them a control character but the allowed
 * ones.  What belongs to a customer ("seen" is NULL) is not shown.
 */
static void
check_text(const char *name, const char *value, const char *seen, int longest, const char *allowed)
{
	if (value == NULL)
		return;
	if (value[strspn(value, " \t\r\n")] == '\0')
		refuse_column(name, value, "It must not be empty.");
	if (seen == NULL)
		seen = "...";
	if (pg_mbstrlen(value) > longest)
		refuse_column(name, seen, psprintf("It has %d characters, the most are %d.",
									pg_mbstrlen(value), longest));
	if (has_control_bytes(value, allowed))
		refuse_column(name, seen, "It must not contain control characters.");
	/* such a database takes any bytes, but an API takes UTF-8 */
	if (GetDatabaseEncoding() == PG_SQL_ASCII &&
		!pg_verify_mbstr(PG_UTF8, value, strlen(value), true))
		refuse_column(name, "...", "It must be valid UTF-8.");
}

static void
check_words(const Row *row)
{
	const char *channel = text_column(row, "channel");
	const char *when_closed = text_column(row, "when_closed");
	const char *when_answered = text_column(row, "when_answered");

	if (channel != NULL &&
		(strlen(channel) > WORD_MAX || channel[0] == '\0' ||
		 strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(channel)))
		refuse_column("channel", shown_word(channel), "It must be a lower-case word, for example sms.");
	if (strcmp(when_closed, "new_session") != 0 && strcmp(when_closed, "skip") != 0)
		refuse_column("when_closed", shown_word(when_closed), "It must be new_session or skip.");
	if (strcmp(when_answered, "skip") != 0 && strcmp(when_answered, "send") != 0)
		refuse_column("when_answered", shown_word(when_answered), "It must be skip or send.");
}

static void
check_priority(const Row *row)
{
	bool		isnull;
	int			priority = DatumGetInt16(row_column(row, "priority", &isnull));

	if (priority < 0 || priority > 9)
		refuse_column("priority", psprintf("%d", priority), "It must be from 0 (most urgent) to 9.");
}

static void
check_times(const Row *row)
{
	TimestampTz due_at = time_column(row, "due_at", 0);
	TimestampTz expires_at = time_column(row, "expires_at", DT_NOEND);
	TimestampTz answered_since = time_column(row, "answered_since", 0);

	if (TIMESTAMP_NOT_FINITE(due_at))
		refuse_column("due_at", timestamptz_to_str(due_at), "It must be a finite time.");
	if (expires_at <= due_at)
		refuse_column("expires_at", timestamptz_to_str(expires_at),
			   psprintf("It must be after due_at, which is %s.", timestamptz_to_str(due_at)));
	if (TIMESTAMP_NOT_FINITE(answered_since))
		refuse_column("answered_since", timestamptz_to_str(answered_since), "It must be a finite time.");
}

/* After that nobody could have answered when the nudge is due. */
static void
check_answered_since(const Row *row)
{
	TimestampTz since = time_column(row, "answered_since", 0);
	TimestampTz latest = Max(time_column(row, "due_at", 0), GetCurrentTimestamp());

	if (since > latest + CLOCK_AHEAD)
		refuse_column("answered_since", timestamptz_to_str(since),
			   "It must not be later than due_at, or than now if due_at has passed.");
}

static void
check_detail(const Row *row)
{
	bool		isnull;
	Datum		detail = row_column(row, "detail", &isnull);
	Size		length;

	if (isnull)
		return;
	length = detail_text_length(DatumGetJsonbP(detail), DETAIL_COUNTED);
	if (length > DETAIL_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("detail of a nudge is too large: %s%zu bytes as text",
						length > DETAIL_COUNTED ? "more than " : "", Min(length, DETAIL_COUNTED)),
				 errdetail("The most are %d bytes, as octet_length(detail::text) counts them.", DETAIL_MAX),
				 errhint("Keep large data in a table of your own and put its key here.")));
}

/* A template goes out in place of the text. */
static bool
has_template(const Row *row)
{
	bool		isnull;
	Datum		detail = row_column(row, "detail", &isnull);

	return !isnull && JB_ROOT_IS_OBJECT(DatumGetJsonbP(detail)) &&
		getKeyJsonValueFromContainer(&DatumGetJsonbP(detail)->root, "template",
									 strlen("template"), NULL) != NULL;
}

/* Counted as it leaves: which character made it long is not said, as the text is the customer's. */
static void
check_sms_length(const char *message, const DialectTraits *dialect)
{
	int			most = dialect->sms_segments_max;
	SmsLength	length = sms_length(to_utf8(message));

	if (length.segments > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("message of a nudge is too long for an SMS: %d segments", length.segments),
				 errdetail("%s takes %d segments: %d characters, or %d if one of them is not of the GSM alphabet%s.",
						   dialect->title, most, sms_units_of(most, true), sms_units_of(most, false),
						   length.is_gsm ? "" : ", as here"),
				 errhint("Shorten the text%s.", length.is_gsm ? "" :
						 ", or do without emoji, typographic quotes and letters beyond that alphabet")));
}

/*
 * What is certainly too long for the API.  On which channel it goes out only
 * the check of the conversation tells, so the courier looks again.
 */
static void
check_length(const Row *row, const ForeignServer *server)
{
	const DialectTraits *dialect = dialect_of(server->options);
	const char *message = text_column(row, "message");
	const char *channel = text_column(row, "channel");
	bool		is_sms = channel != NULL && strcmp(channel, "sms") == 0;
	int			most = is_sms ? dialect->sms_segments_max : dialect->text_max;

	/* no alphabet makes more segments, or characters, of so few bytes */
	if (most == 0 || (int) strlen(message) <= (is_sms ? sms_units_of(most, false) : most))
		return;
	if (is_sms)
		check_sms_length(message, dialect);
	else if (!has_template(row) && pg_mbstrlen(message) > most)
		refuse_column("message", "...", psprintf("It has %d characters, the most of %s are %d.",
										  pg_mbstrlen(message), dialect->title, most));
}

/*
 * Without a channel, that of the conversation counts, which only its check
 * tells; but what a program made of nothing, or of a number, is no address there.
 */
static void
check_address(const Row *row, const ForeignServer *server)
{
	const char *address = to_utf8(text_column(row, "address"));
	const char *channel = text_column(row, "channel");
	char	   *form;
	char		mask[64];
	AddressFault fault;

	if (address == NULL)
		return;
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	fault = address_form(form, address, channel, country_code_of(server->options));
	if (fault == ADDRESS_FAULTLESS ||
		(channel == NULL && fault != ADDRESS_NOTHING && fault != ADDRESS_DAMAGED))
		return;
	address_mask(mask, sizeof(mask), address);
	refuse_column(channel ? psprintf("address on channel %s", channel) : "address",
		   fault == ADDRESS_NOTHING ? from_utf8(address) : from_utf8(mask), address_fault_text(fault));
}

/*
 * Whoever asks at a server sends in the name of its organisation, and learns
 * where its customers are.  Operators may do both anyway.
 */
static void
check_usage(const ForeignServer *server)
{
	Oid			asker = GetUserId();
	Oid			operator = get_role_oid(OPERATOR_ROLE, true);
	const char *name;

	if (server_aclcheck(server->serverid, asker, ACL_USAGE) == ACLCHECK_OK ||
		(OidIsValid(operator) && has_privs_of_role(asker, operator)))
		return;
	name = GetUserNameFromId(asker, false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for server \"%s\" of a nudge", server->servername),
			 errdetail("Role \"%s\" has no USAGE on it.", name),
			 errhint("Its owner can grant it: GRANT USAGE ON FOREIGN SERVER %s TO %s;",
					 quote_identifier(server->servername), quote_identifier(name))));
}

static const ForeignServer *
check_server(const char *name)
{
	const ForeignServer *server = reengage_server(name);

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of a nudge does not exist", printable_value(shown_word(name))),
				 errhint("Servers are made by CREATE SERVER ... FOREIGN DATA WRAPPER reengage.")));
	check_usage(server);
	return server;
}

static void
check_time_zone(const char *name)
{
	if (name != NULL && time_zone_find(name) == NULL)
		time_zone_refuse(name, " of a nudge");
}

Datum
reengage_nudges_validate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Row			row;
	const char *conversation_id;
	const ForeignServer *server;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("reengage_internal.nudges_validate must be a trigger BEFORE INSERT FOR EACH ROW")));
	row.tuple = trigger->tg_trigtuple;
	row.descriptor = RelationGetDescr(trigger->tg_relation);

	require_values(&row);
	conversation_id = text_column(&row, "conversation_id");
	if (!conversation_id_is_valid(conversation_id))
		refuse_column("conversation_id", shown_word(conversation_id),
			   "It must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not be \".\" or \"..\".");
	check_text("message", text_column(&row, "message"), NULL, MESSAGE_MAX, "\t\n\r");
	check_text("address", text_column(&row, "address"), NULL, TEXT_MAX, "");
	check_text("campaign", text_column(&row, "campaign"), text_column(&row, "campaign"), TEXT_MAX, "");
	check_words(&row);
	check_priority(&row);
	check_times(&row);
	check_detail(&row);

	/*
	 * What depends on this installation is checked when a nudge is asked for.
	 * A row with another requested_at comes out of a dump; to refuse it now
	 * would be to lose it.
	 */
	if (time_column(&row, "requested_at", 0) == GetCurrentTransactionStartTimestamp())
	{
		server = check_server(text_column(&row, "server"));
		check_length(&row, server);
		check_address(&row, server);
		check_time_zone(text_column(&row, "time_zone"));
		check_answered_since(&row);
	}
	return PointerGetDatum(row.tuple);
}

Datum
reengage_is_conversation_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(conversation_id_is_valid(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
