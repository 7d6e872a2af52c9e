/*
 * option_table.c: one table of options, with what each of them may be.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "address_form.h"
#include "base/rows.h"
#include "config/option_table.h"
#include "config/regions.h"
#include "dialect_traits.h"
#include "message.h"
#include "url.h"

/* Longer than any that can be meant, and all of them together fit what the courier takes. */
#define VALUE_MAX 8192

/* Values in messages are cut: they may be a megabyte. */
#define SHOWN_MAX 200

static const char *
shortened_value(const char *value)
{
	return strlen(value) <= SHOWN_MAX ? value :
		psprintf("%.*s...", pg_mbcliplen(value, strlen(value), SHOWN_MAX), value);
}

static void
refuse_value(const Option *option, const char *value, const char *complaint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, shortened_value(value)),
			 errhint("%s", complaint)));
}

static void
check_dialect(const Option *option, const char *value)
{
	StringInfoData names;

	if (dialect_traits_find(value) != NULL)
		return;
	initStringInfo(&names);
	for (int i = 0; i < DIALECT_COUNT; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", dialect_traits[i].name);
	refuse_value(option, value, psprintf("Available values: %s.", names.data));
}

static void
check_region(const Option *option, const char *value)
{
	if (region_domain(value) == NULL)
		refuse_value(option, value, psprintf("Available values: %s.", region_names()));
}

static void
check_auth(const Option *option, const char *value)
{
	if (strcmp(value, "client_credentials") != 0 && strcmp(value, "none") != 0)
		refuse_value(option, value, "Available values: client_credentials, none.");
}

static void
check_idempotency(const Option *option, const char *value)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "key") != 0)
		refuse_value(option, value, "Available values: none, key.");
}

static void
check_flag(const Option *option, const char *value)
{
	bool		flag;

	if (!parse_bool(value, &flag))
		refuse_value(option, value, "Available values: on, off.");
}

/* Behind a user there may be a password, which goes into no log. */
static void
refuse_url(const Option *option, const char *value, const char *complaint)
{
	if (complaint != NULL)
		refuse_value(option, strchr(value, '@') != NULL ? "..." : value, psprintf("The URL %s.", complaint));
}

static void
check_url(const Option *option, const char *value)
{
	refuse_url(option, value, url_complaint(value));
}

static void
check_proxy(const Option *option, const char *value)
{
	refuse_url(option, value, url_proxy_complaint(value));
}

static void
check_hosts(const Option *option, const char *value)
{
	const char *complaint = url_hosts_complaint(value);

	if (complaint != NULL)
		refuse_value(option, value, psprintf("The list %s.", complaint));
}

/* Of a word in it that every other refusal has, too, half the customers would be opted out. */
static void
check_opt_out_words(const Option *option, const char *value)
{
	const char *rest = value;

	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	if (strlen(value) > 1000)
		refuse_value(option, value, "It has 1000 bytes at most.");
	for (;;)
	{
		size_t		length = strcspn(rest, ",");
		size_t		blanks = strspn(rest, " ");
		bool		is_number = blanks + strspn(rest + blanks, "0123456789 ") >= length;

		if (blanks >= length || length > 100 || (!is_number && length - blanks < 4))
			refuse_value(option, value,
				   "It is a list of codes, words or phrases separated by commas, for example 470,muted by guest. A word has 4 to 100 letters.");
		if (rest[length] == '\0')
			return;
		rest += length + 1;
	}
}

static void
check_address(const Option *option, const char *value)
{
	if (*value == '\0' || strlen(value) > 256)
		refuse_value(option, value, "An address has 1 to 256 bytes.");
	/* it goes to the API: this raises if it is not, and cannot become, UTF-8 */
	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	for (; *value; value++)
		if ((unsigned char) *value < ' ' || *value == 0x7f)
			refuse_value(option, value, "An address has no control characters.");
}

#define CHANNEL_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

int
option_senders(char *copy, Sender *senders)
{
	int			count = 0;

	for (char *next = copy; next != NULL; count++)
	{
		char	   *item = next;
		char	   *equals = strchr(item, '=');
		char	   *comma = strchr(item, ',');

		next = comma != NULL ? comma + 1 : NULL;
		if (comma != NULL)
			*comma = '\0';
		if (count == SENDERS_MAX || equals == NULL || (comma != NULL && equals > comma) ||
			equals == item || equals[1] == '\0')
			return -1;
		*equals = '\0';
		senders[count] = (Sender) {item, equals + 1};
		if (item[strspn(item, CHANNEL_CHARACTERS)] != '\0' || equals[1] == ' ' || strlen(equals + 1) > 256)
			return -1;
		for (int i = 0; i < count; i++)
			if (strcmp(senders[i].channel, item) == 0)
				return -1;
	}
	return count;
}

static void
check_senders(const Option *option, const char *value)
{
	Sender		senders[SENDERS_MAX];
	char	   *form = palloc(strlen(value) + ADDRESS_FORM_ROOM);
	int			count = option_senders(pstrdup(value), senders);

	/* this raises if it is not, and cannot become, UTF-8 */
	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	if (count < 0)
		refuse_value(option, value, "It is a list of channels with one sender each, separated by commas, without blanks, for example sms=+13175559999,whatsapp=2b4f....");
	for (int i = 0; i < count; i++)
	{
		for (const char *byte = senders[i].address; *byte != '\0'; byte++)
			if ((unsigned char) *byte < ' ' || *byte == 0x7f)
				refuse_value(option, value, "An address has no control characters.");
		if (address_form(form, senders[i].address, "open", NULL) != ADDRESS_FAULTLESS)
			refuse_value(option, value, psprintf("The sender of %s is no address.", senders[i].channel));
	}
}

static void
check_channels(const Option *option, const char *value)
{
	if (strspn(value, CHANNEL_CHARACTERS ",") != strlen(value))
		refuse_value(option, value,
			   "It is a list of lower-case words separated by commas, without blanks, for example sms,whatsapp.");
}

static void
check_country_code(const Option *option, const char *value)
{
	if (value[strspn(value, "0123456789")] != '\0' || !address_country_exists(value))
		refuse_value(option, value, "It is the country code of telephone numbers, in digits, for example 1 or 49.");
}

static void
check_path(const Option *option, const char *value)
{
	if (!is_absolute_path(value))
		refuse_value(option, value, "It must be an absolute path.");
}

/*
 * It says whom to believe, which together with a proxy is to whom credentials
 * are sent.  So it is for those who may read them anyway.
 */
static void
check_ca_file(const Option *option, const char *value)
{
	check_path(option, value);
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\"", option->name),
				 errhint("A server with this option is made and altered by a member of pg_read_server_files, as the file decides whom credentials are sent to.")));
}

int
option_number(const Option *option, const char *value)
{
	const char *hint = NULL;
	int			number = 0;

	if (!parse_int(value, &number, option->unit, &hint))
		refuse_value(option, value, hint ? hint :
			   option->unit == GUC_UNIT_KB ? "It must be a size with a unit, for example 4MB." :
			   option->unit ? "It must be a time with a unit, for example 30s." : "It must be a whole number.");
	if (number < option->minimum || number > option->maximum)
		refuse_value(option, value, psprintf("It must be from %d to %d%s.", option->minimum, option->maximum,
									   option->unit == GUC_UNIT_MS ? " ms" :
									   option->unit == GUC_UNIT_S ? " s" :
									   option->unit == GUC_UNIT_KB ? " kB" : ""));
	return number;
}

static void
check_number(const Option *option, const char *value)
{
	(void) option_number(option, value);
}

/* A nudge may need two looks and a message, which follow each other within seconds. */
#define PACE_LEAST 3

static void
check_pace(const Option *option, const char *value)
{
	int			number = option_number(option, value);

	if (number > 0 && number < PACE_LEAST)
		refuse_value(option, value,
			   psprintf("A nudge may need %d requests within seconds: it must be so many, or 0 for no limit.", PACE_LEAST));
}

/* Where its value goes; a member of another type does not compile. */
#define INTO(kind, field) \
	OPTION_##kind, offsetof(ServerOptions, field) + _Generic(((ServerOptions *) NULL)->field, MEMBER_OF_##kind: 0)
#define MEMBER_OF_TEXT const char *
#define MEMBER_OF_UTF8 const char *
#define MEMBER_OF_NUMBER int64_t
#define MEMBER_OF_FLAG bool
#define BY_HAND OPTION_BY_HAND, 0

/* In alphabetical order, as the hint lists them. */
static const Option all_options[] = {
	{"allow_private_address", NULL, check_hosts, INTO(TEXT, courier.private_hosts)},
	{"api_url", NULL, check_url},
	{"auth", "client_credentials", check_auth},
	{"ca_file", NULL, check_ca_file, INTO(TEXT, courier.ca_file)},
	{"connect_timeout", "5s", check_number, INTO(NUMBER, courier.connect_timeout_ms), 100, 60 * 1000, GUC_UNIT_MS},
	{"default_country_code", NULL, check_country_code, INTO(TEXT, country_code)},
	{"dialect", "messaging", check_dialect, INTO(TEXT, courier.dialect)},
	{"from_address", NULL, check_address, INTO(UTF8, from_address)},
	{"from_addresses", NULL, check_senders},
	{"from_addresses_overrule", "off", check_flag, INTO(FLAG, senders_overrule)},
	{"idempotency", "none", check_idempotency},
	{"key_lifetime", "24h", check_number, INTO(NUMBER, key_lifetime_s), 1, 30 * 24 * 60 * 60, GUC_UNIT_S},
	{"login_url", NULL, check_url},
	{"max_attempts", "12", check_number, INTO(NUMBER, max_attempts), 1, 100},
	{"max_failures", "10", check_number, INTO(NUMBER, max_failures), 0, 1000},
	/* below the usual limit of 1024 open files */
	{"max_in_flight", "64", check_number, INTO(NUMBER, courier.max_in_flight), 1, 900},
	{"max_reply_size", "4MB", check_number, BY_HAND, 64, 64 * 1024, GUC_UNIT_KB},
	/* the default is that of Genesys Cloud for one client */
	{"max_requests_per_minute", "300", check_pace, INTO(NUMBER, courier.max_requests_per_minute), 0, REQUESTS_PER_MINUTE_MAX},
	{"opt_out_words", NULL, check_opt_out_words, INTO(UTF8, courier.opt_out_words)},
	/* NULL: what the dialect can initiate */
	{"proactive_channels", NULL, check_channels, INTO(TEXT, proactive_channels)},
	{"proxy", NULL, check_proxy, INTO(TEXT, courier.proxy)},
	{"region", NULL, check_region},
	{"tag_lineage", "off", check_flag, INTO(FLAG, tag_lineage)},
	{"timeout", "30s", check_number, INTO(NUMBER, courier.timeout_ms), 100, 10 * 60 * 1000, GUC_UNIT_MS},
};

void
option_check(const Option *option, const char *value)
{
	size_t		length = strlen(value);

	/* behind a user there may be a password */
	if (length > VALUE_MAX)
		refuse_value(option, strchr(value, '@') != NULL ? "..." : value,
			   psprintf("It has %zu bytes, the most are %d.", length, VALUE_MAX));
	option->check(option, value);
}

const Option *
option_find(const char *name)
{
	for (int i = 0; i < lengthof(all_options); i++)
		if (strcmp(all_options[i].name, name) == 0)
			return &all_options[i];
	return NULL;
}

void
option_store(const Option *option, const char *value, ServerOptions *options)
{
	void	   *field = (char *) options + option->offset;

	switch (option->kind)
	{
		case OPTION_BY_HAND:
			break;
		case OPTION_TEXT:
			*(const char **) field = value;
			break;
		case OPTION_UTF8:
			*(const char **) field = to_utf8(value);
			break;
		case OPTION_FLAG:
			(void) parse_bool(value, field);
			break;
		case OPTION_NUMBER:
			*(int64_t *) field = option_number(option, value);
			break;
	}
}

const Option *
option_at(int place)
{
	return place < lengthof(all_options) ? &all_options[place] : NULL;
}

const char *
option_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(all_options); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", all_options[i].name);
	return names.data;
}
