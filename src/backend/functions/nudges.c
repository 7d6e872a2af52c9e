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
#include "store/asked_before.h"
#include "store/meant_node.h"
#include "store/moves.h"

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

/* What is looked at of a row. */
typedef struct AskedNudge
{
	const char *server;
	const char *conversation_id;
	const char *message;
	const char *address;
	const char *channel;
	const char *when_closed;
	const char *when_answered;
	const char *campaign;
	const char *time_zone;
	int			priority;
	TimestampTz due_at;
	TimestampTz expires_at;
	TimestampTz answered_since; /* 0: none */
	TimestampTz requested_at;
	pg_uuid_t	nudge_id;
	Jsonb	   *detail;			/* NULL: none */
} AskedNudge;

static const Column columns[] = {
	COLUMN(TEXT, AskedNudge, server),
	COLUMN(TEXT, AskedNudge, conversation_id),
	COLUMN(TEXT, AskedNudge, message),
	COLUMN(TEXT, AskedNudge, address),
	COLUMN(TEXT, AskedNudge, channel),
	COLUMN(TEXT, AskedNudge, when_closed),
	COLUMN(TEXT, AskedNudge, when_answered),
	COLUMN(TEXT, AskedNudge, campaign),
	COLUMN(TEXT, AskedNudge, time_zone),
	COLUMN(INTEGER, AskedNudge, priority),
	COLUMN(TIME, AskedNudge, due_at),
	COLUMN(TIME_OR_NEVER, AskedNudge, expires_at),
	COLUMN(TIME, AskedNudge, answered_since),
	COLUMN(TIME, AskedNudge, requested_at),
	COLUMN(UUID, AskedNudge, nudge_id),
};

/* A server that rows name, who asks for them, and what its options say of nudges. */
typedef struct AskedServer
{
	char	   *name;			/* NULL: none was looked for */
	Oid			asker;
	const DialectTraits *dialect;
	const char *country_code;	/* NULL: not known */
} AskedServer;

/* What a statement finds once for all of its rows. */
typedef struct Asking
{
	int			places[lengthof(columns)];
	int			detail;			/* its place */
	int			due_at;			/* likewise */
	MemoryContext of_server;
	AskedServer server;			/* of the last row */
} Asking;

static Asking *
asking_of(FmgrInfo *function, TupleDesc descriptor)
{
	Asking	   *asking = function->fn_extra;

	if (asking != NULL)
		return asking;
	require_meant_node();
	asking = MemoryContextAllocZero(function->fn_mcxt, sizeof(Asking));
	for (int i = 0; i < lengthof(columns); i++)
		asking->places[i] = column_place(descriptor, column_name(&columns[i]));
	asking->detail = column_place(descriptor, "detail");
	asking->due_at = column_place(descriptor, "due_at");
	asking->of_server = AllocSetContextCreate(function->fn_mcxt, "server of nudges", ALLOCSET_SMALL_SIZES);
	function->fn_extra = asking;
	return asking;
}

static AskedNudge
read_nudge(const Asking *asking, const TupleTableSlot *row)
{
	AskedNudge	nudge;

	read_slot(columns, asking->places, lengthof(columns), row, &nudge);
	nudge.detail = row->tts_isnull[asking->detail] ? NULL : DatumGetJsonbP(row->tts_values[asking->detail]);
	return nudge;
}

/* The server's own message for a null would put the whole row into the log. */
static void
require_values(const TupleTableSlot *row)
{
	for (int i = 0; i < row->tts_tupleDescriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row->tts_tupleDescriptor, i);

		if (row->tts_isnull[i] && attribute->attnotnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("%s of a nudge must not be null", NameStr(attribute->attname))));
	}
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
	/* no character is less than a byte */
	if (strlen(value) > longest && pg_mbstrlen(value) > longest)
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
check_words(const AskedNudge *nudge)
{
	const char *channel = nudge->channel;

	if (channel != NULL &&
		(strlen(channel) > WORD_MAX || channel[0] == '\0' ||
		 strspn(channel, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(channel)))
		refuse_column("channel", shown_word(channel), "It must be a lower-case word, for example sms.");
	if (strcmp(nudge->when_closed, "new_session") != 0 && strcmp(nudge->when_closed, "skip") != 0)
		refuse_column("when_closed", shown_word(nudge->when_closed), "It must be new_session or skip.");
	if (strcmp(nudge->when_answered, "skip") != 0 && strcmp(nudge->when_answered, "send") != 0)
		refuse_column("when_answered", shown_word(nudge->when_answered), "It must be skip or send.");
}

static void
check_priority(int priority)
{
	if (priority < 0 || priority > 9)
		refuse_column("priority", psprintf("%d", priority), "It must be from 0 (most urgent) to 9.");
}

static void
check_times(const AskedNudge *nudge)
{
	TimestampTz due_at = nudge->due_at;
	TimestampTz expires_at = nudge->expires_at;

	if (TIMESTAMP_NOT_FINITE(due_at))
		refuse_column("due_at", timestamptz_to_str(due_at), "It must be a finite time.");
	if (expires_at <= due_at)
		refuse_column("expires_at", timestamptz_to_str(expires_at),
			   psprintf("It must be after due_at, which is %s.", timestamptz_to_str(due_at)));
	if (TIMESTAMP_NOT_FINITE(nudge->answered_since))
		refuse_column("answered_since", timestamptz_to_str(nudge->answered_since), "It must be a finite time.");
}

/* After that nobody could have answered when the nudge is due. */
static void
check_answered_since(const AskedNudge *nudge)
{
	TimestampTz since = nudge->answered_since;

	if (since > nudge->due_at + CLOCK_AHEAD && since > GetCurrentTimestamp() + CLOCK_AHEAD)
		refuse_column("answered_since", timestamptz_to_str(since),
			   "It must not be later than due_at, or than now if due_at has passed.");
}

static void
check_detail(Jsonb *detail)
{
	Size		length;

	if (detail == NULL)
		return;
	length = detail_text_length(detail, DETAIL_COUNTED);
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
has_template(Jsonb *detail)
{
	return detail != NULL && JB_ROOT_IS_OBJECT(detail) &&
		getKeyJsonValueFromContainer(&detail->root, "template", strlen("template"), NULL) != NULL;
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
check_length(const AskedNudge *nudge, const DialectTraits *dialect)
{
	const char *message = nudge->message;
	bool		is_sms = nudge->channel != NULL && strcmp(nudge->channel, "sms") == 0;
	int			most = is_sms ? dialect->sms_segments_max : dialect->text_max;

	/* no alphabet makes more segments, or characters, of so few bytes */
	if (most == 0 || (int) strlen(message) <= (is_sms ? sms_units_of(most, false) : most))
		return;
	if (is_sms)
		check_sms_length(message, dialect);
	else if (!has_template(nudge->detail) && pg_mbstrlen(message) > most)
		refuse_column("message", "...", psprintf("It has %d characters, the most of %s are %d.",
										  pg_mbstrlen(message), dialect->title, most));
}

/*
 * Without a channel, that of the conversation counts, which only its check
 * tells; but what a program made of nothing, or of a number, is no address there.
 */
static void
check_address(const AskedNudge *nudge, const char *country_code)
{
	const char *address = to_utf8(nudge->address);
	const char *channel = nudge->channel;
	char	   *form;
	char		mask[64];
	AddressFault fault;

	if (address == NULL)
		return;
	form = palloc(strlen(address) + ADDRESS_FORM_ROOM);
	fault = address_form(form, address, channel, country_code);
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

static const AskedServer *
check_server(Asking *asking, const char *name)
{
	AskedServer *known = &asking->server;
	const ForeignServer *server;
	MemoryContext before;

	if (known->name != NULL && strcmp(known->name, name) == 0 && known->asker == GetUserId())
		return known;
	known->name = NULL;
	MemoryContextReset(asking->of_server);
	before = MemoryContextSwitchTo(asking->of_server);
	server = reengage_server(name);
	/* first: of one that has left, it says where it is */
	moves_admit(name);
	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of a nudge does not exist", printable_value(shown_word(name))),
				 errhint("Servers are made by CREATE SERVER ... FOREIGN DATA WRAPPER reengage.")));
	check_usage(server);
	*known = (AskedServer) {
		.name = pstrdup(name),
		.asker = GetUserId(),
		.dialect = dialect_of(server->options),
		.country_code = country_code_of(server->options),
	};
	MemoryContextSwitchTo(before);
	return known;
}

static void
check_time_zone(const char *name)
{
	if (name != NULL && time_zone_find(name) == NULL)
		time_zone_refuse(name, " of a nudge");
}

static void
check_values(const AskedNudge *nudge)
{
	if (!conversation_id_is_valid(nudge->conversation_id))
		refuse_column("conversation_id", shown_word(nudge->conversation_id),
			   "It must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not be \".\" or \"..\".");
	check_text("message", nudge->message, NULL, MESSAGE_MAX, "\t\n\r");
	check_text("address", nudge->address, NULL, TEXT_MAX, "");
	check_text("campaign", nudge->campaign, nudge->campaign, TEXT_MAX, "");
	check_words(nudge);
	check_priority(nudge->priority);
	check_times(nudge);
	check_detail(nudge->detail);
}

/* What depends on this installation. */
static void
check_here(Asking *asking, const AskedNudge *nudge)
{
	const AskedServer *server = check_server(asking, nudge->server);

	check_length(nudge, server->dialect);
	check_address(nudge, server->country_code);
	check_time_zone(nudge->time_zone);
	check_answered_since(nudge);
}

static bool
was_asked_before(const pg_uuid_t *nudge_id)
{
	return !nudge_id_is_new(nudge_id) && nudge_was_pruned(nudge_id);
}

Datum
reengage_nudges_validate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Asking	   *asking;
	AskedNudge	nudge;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("reengage_internal.nudges_validate must be a trigger BEFORE INSERT FOR EACH ROW")));
	asking = asking_of(fcinfo->flinfo, RelationGetDescr(trigger->tg_relation));
	slot_getallattrs(trigger->tg_trigslot);
	meant_node_make_due(trigger, asking->due_at);
	require_values(trigger->tg_trigslot);
	nudge = read_nudge(asking, trigger->tg_trigslot);
	check_values(&nudge);

	/*
	 * A row with another requested_at comes out of a dump; to refuse it now for
	 * what is here would be to lose it.
	 */
	if (nudge.requested_at != GetCurrentTransactionStartTimestamp())
		return PointerGetDatum(trigger->tg_trigtuple);
	check_here(asking, &nudge);
	/* nobody can tell here whether it is ON CONFLICT DO NOTHING, and an error would end that, too */
	return PointerGetDatum(was_asked_before(&nudge.nudge_id) ? NULL : trigger->tg_trigtuple);
}

Datum
reengage_is_conversation_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(conversation_id_is_valid(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
