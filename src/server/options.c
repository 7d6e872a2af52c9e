/*
 * options.c: one table of options, used to check them when they are set and
 * to read them when they are needed.
 *
 * Everything that can be wrong with an option is said at CREATE or ALTER
 * SERVER, so that nobody finds out from a nudge that does not leave.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "address_form.h"
#include "decide.h"
#include "message.h"
#include "options.h"
#include "reengage.h"
#include "regions.h"
#include "rows.h"
#include "shmem.h"
#include "url.h"

PG_FUNCTION_INFO_V1(reengage_fdw_validator);

/* What a call may take longer than its requests, on a busy machine. */
#define ANSWER_MARGIN_MS (10 * 1000)

#define GENESYS_CLOUD "genesys_cloud"

typedef struct Option Option;

struct Option
{
	const char *name;
	const char *default_value;	/* NULL: none */
	void		(*check) (const Option *option, const char *value);
	int			minimum;		/* of numbers */
	int			maximum;
	int			unit;			/* of numbers: 0, GUC_UNIT_MS, GUC_UNIT_S or GUC_UNIT_KB */
};

static void
refuse(const Option *option, const char *value, const char *complaint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, value),
			 errhint("%s", complaint)));
}

static void
check_dialect(const Option *option, const char *value)
{
	if (strcmp(value, "messaging") != 0 && strcmp(value, GENESYS_CLOUD) != 0)
		refuse(option, value, "Available values: messaging, genesys_cloud.");
}

static void
check_region(const Option *option, const char *value)
{
	if (region_domain(value) == NULL)
		refuse(option, value, psprintf("Available values: %s.", region_names()));
}

static void
check_auth(const Option *option, const char *value)
{
	if (strcmp(value, "client_credentials") != 0 && strcmp(value, "none") != 0)
		refuse(option, value, "Available values: client_credentials, none.");
}

static void
check_idempotency(const Option *option, const char *value)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "key") != 0)
		refuse(option, value, "Available values: none, key.");
}

static void
check_flag(const Option *option, const char *value)
{
	bool		flag;

	if (!parse_bool(value, &flag))
		refuse(option, value, "Available values: on, off.");
}

/* Behind a user there may be a password, which goes into no log. */
static void
refuse_url(const Option *option, const char *value, const char *complaint)
{
	if (complaint != NULL)
		refuse(option, strchr(value, '@') != NULL ? "..." : value, psprintf("The URL %s.", complaint));
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
		refuse(option, value, psprintf("The list %s.", complaint));
}

/* Of a word in it that every other refusal has, too, half the customers would be opted out. */
static void
check_opt_out_words(const Option *option, const char *value)
{
	const char *rest = value;

	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	if (strlen(value) > 1000)
		refuse(option, value, "It has 1000 bytes at most.");
	for (;;)
	{
		size_t		length = strcspn(rest, ",");
		size_t		blanks = strspn(rest, " ");
		bool		is_number = blanks + strspn(rest + blanks, "0123456789 ") >= length;

		if (blanks >= length || length > 100 || (!is_number && length - blanks < 4))
			refuse(option, value,
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
		refuse(option, value, "An address has 1 to 256 bytes.");
	/* it goes to the API: this raises if it is not, and cannot become, UTF-8 */
	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	for (; *value; value++)
		if ((unsigned char) *value < ' ' || *value == 0x7f)
			refuse(option, value, "An address has no control characters.");
}

#define CHANNEL_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define SENDERS_MAX 32

/*
 * "sms=+1...,whatsapp=...": into "senders", which has room for SENDERS_MAX, all
 * in "copy".  Their number; -1: it is no such list.
 */
static int
parse_senders(char *copy, Sender *senders)
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
	int			count = parse_senders(pstrdup(value), senders);

	/* this raises if it is not, and cannot become, UTF-8 */
	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
	if (count < 0)
		refuse(option, value, "It is a list of channels with one sender each, separated by commas, without blanks, for example sms=+13175559999,whatsapp=2b4f....");
	for (int i = 0; i < count; i++)
	{
		for (const char *byte = senders[i].address; *byte != '\0'; byte++)
			if ((unsigned char) *byte < ' ' || *byte == 0x7f)
				refuse(option, value, "An address has no control characters.");
		if (address_form(form, senders[i].address, "open", NULL) != ADDRESS_FAULTLESS)
			refuse(option, value, psprintf("The sender of %s is no address.", senders[i].channel));
	}
}

static void
check_channels(const Option *option, const char *value)
{
	if (strspn(value, CHANNEL_CHARACTERS ",") != strlen(value))
		refuse(option, value,
			   "It is a list of lower-case words separated by commas, without blanks, for example sms,whatsapp.");
}

static void
check_country_code(const Option *option, const char *value)
{
	if (value[strspn(value, "0123456789")] != '\0' || !address_country_exists(value))
		refuse(option, value, "It is the country code of telephone numbers, in digits, for example 1 or 49.");
}

static void
check_path(const Option *option, const char *value)
{
	if (!is_absolute_path(value))
		refuse(option, value, "It must be an absolute path.");
}

static int
parse_number(const Option *option, const char *value)
{
	const char *hint = NULL;
	int			number = 0;

	if (!parse_int(value, &number, option->unit, &hint))
		refuse(option, value, hint ? hint :
			   option->unit == GUC_UNIT_KB ? "It must be a size with a unit, for example 4MB." :
			   option->unit ? "It must be a time with a unit, for example 30s." : "It must be a whole number.");
	if (number < option->minimum || number > option->maximum)
		refuse(option, value, psprintf("It must be from %d to %d%s.", option->minimum, option->maximum,
									   option->unit == GUC_UNIT_MS ? " ms" :
									   option->unit == GUC_UNIT_S ? " s" :
									   option->unit == GUC_UNIT_KB ? " kB" : ""));
	return number;
}

static void
check_number(const Option *option, const char *value)
{
	(void) parse_number(option, value);
}

/* In alphabetical order, as the hint lists them. */
static const Option all_options[] = {
	{"allow_private_address", NULL, check_hosts},
	{"api_url", NULL, check_url},
	{"auth", "client_credentials", check_auth},
	{"ca_file", NULL, check_path},
	{"connect_timeout", "5s", check_number, 100, 60 * 1000, GUC_UNIT_MS},
	{"default_country_code", NULL, check_country_code},
	{"dialect", "messaging", check_dialect},
	{"from_address", NULL, check_address},
	{"from_addresses", NULL, check_senders},
	{"from_addresses_overrule", "off", check_flag},
	{"idempotency", "none", check_idempotency},
	{"key_lifetime", "24h", check_number, 1, 30 * 24 * 60 * 60, GUC_UNIT_S},
	{"login_url", NULL, check_url},
	{"max_attempts", "12", check_number, 1, 100},
	{"max_failures", "10", check_number, 0, 1000},
	/* below the usual limit of 1024 open files */
	{"max_in_flight", "64", check_number, 1, 900},
	{"max_reply_size", "4MB", check_number, 64, 64 * 1024, GUC_UNIT_KB},
	/* the default is that of Genesys Cloud for one client */
	{"max_requests_per_minute", "300", check_number, 0, REQUESTS_PER_MINUTE_MAX},
	{"opt_out_words", NULL, check_opt_out_words},
	/* NULL: what the dialect can initiate */
	{"proactive_channels", NULL, check_channels},
	{"proxy", NULL, check_proxy},
	{"region", NULL, check_region},
	{"tag_lineage", "off", check_flag},
	{"timeout", "30s", check_number, 100, 10 * 60 * 1000, GUC_UNIT_MS},
};

static const Option *
find_option(const char *name)
{
	for (int i = 0; i < lengthof(all_options); i++)
		if (strcmp(all_options[i].name, name) == 0)
			return &all_options[i];
	return NULL;
}

static const char *
option_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(all_options); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", all_options[i].name);
	return names.data;
}

ForeignServer *
reengage_server(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL ||
		strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, REENGAGE_EXTENSION) != 0)
		return NULL;
	return server;
}

static const char *
value_of(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);

		if (strcmp(element->defname, name) == 0)
			return defGetString(element);
	}
	return find_option(name)->default_value;
}

static int
number_of(List *options, const char *name)
{
	return parse_number(find_option(name), value_of(options, name));
}

static bool
flag_of(List *options, const char *name)
{
	bool		flag = false;

	(void) parse_bool(value_of(options, name), &flag);
	return flag;
}

static const char *
without_slash(const char *url)
{
	char	   *copy = pstrdup(url);

	for (size_t length = strlen(copy); length > 0 && copy[length - 1] == '/'; length--)
		copy[length - 1] = '\0';
	return copy;
}

/* A region stands for both. */
static void
read_urls(List *options, ServerOptions *result)
{
	const char *region = value_of(options, "region");
	const char *login_url = value_of(options, "login_url");

	if (region != NULL)
	{
		result->api_url = psprintf("https://api.%s", region_domain(region));
		result->login_url = psprintf("https://login.%s", region_domain(region));
		return;
	}
	result->api_url = without_slash(value_of(options, "api_url"));
	result->login_url = login_url ? without_slash(login_url) : result->api_url;
}

static void
read_senders(List *options, ServerOptions *result)
{
	const char *value = value_of(options, "from_addresses");
	Sender	   *senders = palloc(sizeof(Sender) * SENDERS_MAX);

	result->senders = senders;
	result->nsenders = value ? parse_senders(to_utf8(value), senders) : 0;
	result->senders_overrule = flag_of(options, "from_addresses_overrule");
}

const char *
country_code_of(List *options)
{
	return value_of(options, "default_country_code");
}

ServerOptions
options_read(List *options)
{
	ServerOptions result;

	result.dialect = value_of(options, "dialect");
	result.notify_is_addressed = strcmp(result.dialect, GENESYS_CLOUD) == 0;
	read_urls(options, &result);
	if (strcmp(value_of(options, "auth"), "none") == 0)
		result.login_url = NULL;
	result.from_address = to_utf8(value_of(options, "from_address"));
	read_senders(options, &result);
	result.country_code = country_code_of(options);
	result.proactive_channels = value_of(options, "proactive_channels");
	if (result.proactive_channels == NULL)
		result.proactive_channels = result.notify_is_addressed ?
			"sms,whatsapp,open,apple" : "sms,whatsapp,open,apple,email";
	result.ca_file = value_of(options, "ca_file");
	result.proxy = value_of(options, "proxy");
	result.private_hosts = value_of(options, "allow_private_address");
	result.opt_out_words = to_utf8(value_of(options, "opt_out_words"));
	result.max_reply_bytes = number_of(options, "max_reply_size") * 1024;
	result.max_in_flight = number_of(options, "max_in_flight");
	result.max_failures = number_of(options, "max_failures");
	result.max_requests_per_minute = number_of(options, "max_requests_per_minute");
	result.timeout_ms = number_of(options, "timeout");
	result.connect_timeout_ms = number_of(options, "connect_timeout");
	result.tag_lineage = flag_of(options, "tag_lineage");
	result.max_attempts = number_of(options, "max_attempts");
	result.honours_keys = strcmp(value_of(options, "idempotency"), "key") == 0;
	result.key_lifetime_s = number_of(options, "key_lifetime");
	return result;
}

/*
 * At most four requests (a third one follows only refusals, which are
 * immediate), each of which the courier ends by the timeout, after
 * a wait for their turn: see most_in_flight().
 */
int64
longest_call_ms(const ServerOptions *options)
{
	return 5 * (int64) options->timeout_ms + ANSWER_MARGIN_MS;
}

int
most_in_flight(const ServerOptions *options)
{
	int64		at_once = (int64) options->max_requests_per_minute * options->timeout_ms / (60 * 1000);

	if (options->max_requests_per_minute == 0)
		return options->max_in_flight;
	return Min(options->max_in_flight, Max(at_once, 1));
}

static void
refuse_option(Oid catalog, const char *name)
{
	const char *hint = "The options belong to the server.";

	if (catalog == UserMappingRelationId)
		hint = "Credentials belong into the file that reengage.credentials_file names: a database would dump and replicate them.";
	else if (catalog == ForeignServerRelationId)
		hint = psprintf("Valid options are: %s.", option_names());
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 errhint("%s", hint)));
}

static void
refuse_together(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("%s", message),
			 errhint("%s", hint)));
}

/* Its messages are of five kinds, none of which is an e-mail. */
static void
check_channels_of_dialect(List *options, bool is_cloud)
{
	if (is_cloud && list_contains(value_of(options, "proactive_channels"), "email"))
		refuse_together("the dialect genesys_cloud cannot initiate the channel email",
						"Leave email out of the option proactive_channels.");
}

/* A name that is allowed for nothing is one that was misspelt. */
static void
check_private_hosts(List *options)
{
	const char *hosts = value_of(options, "allow_private_address");
	ServerOptions urls = {0};
	List	   *names;
	ListCell   *cell;

	if (hosts == NULL)
		return;
	read_urls(options, &urls);
	(void) SplitGUCList(pstrdup(hosts), ',', &names);
	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if (!url_host_is_among(urls.api_url, name) && !url_host_is_among(urls.login_url, name))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("option \"allow_private_address\" names \"%s\", which no URL of the server does", name),
					 errhint("It takes the host of api_url or login_url, as it is written there.")));
	}
}

/* What is wrong with options only in the company of others. */
static void
check_together(List *options)
{
	bool		is_cloud = strcmp(value_of(options, "dialect"), GENESYS_CLOUD) == 0;
	bool		has_region = value_of(options, "region") != NULL;

	if (has_region && !is_cloud)
		refuse_together("option \"region\" needs the dialect genesys_cloud",
						"Other APIs are named by api_url.");
	if (flag_of(options, "from_addresses_overrule") && value_of(options, "from_addresses") == NULL)
		refuse_together("option \"from_addresses_overrule\" needs the option from_addresses",
						"It says that these senders overrule the business side of the old conversation.");
	if (!is_cloud && flag_of(options, "tag_lineage"))
		refuse_together("option \"tag_lineage\" needs the dialect genesys_cloud",
						"Other APIs get the previous conversation with the request.");
	if (has_region && value_of(options, "api_url") != NULL)
		refuse_together("options \"region\" and \"api_url\" exclude each other",
						"The region stands for both api_url and login_url.");
	if (has_region && value_of(options, "login_url") != NULL)
		refuse_together("options \"region\" and \"login_url\" exclude each other",
						"The region stands for both api_url and login_url.");
	if (is_cloud && strcmp(value_of(options, "idempotency"), "key") == 0)
		refuse_together("the dialect genesys_cloud has no idempotency keys",
						"Leave out the option idempotency: a call whose answer was lost is then in doubt.");
	check_channels_of_dialect(options, is_cloud);
	if (!has_region && value_of(options, "api_url") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"api_url\" is missing"),
				 errhint("Name the API's base URL, for example OPTIONS (api_url 'https://api.example.com').%s",
						 is_cloud ? " For Genesys Cloud the option region will do." : "")));
}

Datum
reengage_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);
		const Option *option = find_option(element->defname);

		if (option == NULL || catalog != ForeignServerRelationId)
			refuse_option(catalog, element->defname);
		option->check(option, defGetString(element));
	}
	if (catalog == ForeignServerRelationId)
	{
		check_together(options);
		check_private_hosts(options);
		/* a new server may have nudges waiting; changed options may cure a blocked one */
		shmem_wake_at_commit(DT_NOBEGIN);
	}
	PG_RETURN_VOID();
}
