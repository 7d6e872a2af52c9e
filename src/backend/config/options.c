/*
 * options.c: the options of a server, read when they are needed, and checked
 * in each other's company when they are set.
 *
 * Everything that can be wrong with an option is said at CREATE or ALTER
 * SERVER, so that nobody finds out from a nudge that does not leave.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "base/names.h"
#include "base/rows.h"
#include "base/shmem.h"
#include "config/option_table.h"
#include "config/options.h"
#include "config/regions.h"
#include "decide.h"
#include "message.h"
#include "url.h"

PG_FUNCTION_INFO_V1(reengage_fdw_validator);

/* What a call may take longer than its requests, on a busy machine. */
#define ANSWER_MARGIN_MS (10 * 1000)

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
	return option_find(name)->default_value;
}

static int
number_of(List *options, const char *name)
{
	return option_number(option_find(name), value_of(options, name));
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
read_urls(List *options, ServerMessage *result)
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
	result->nsenders = value ? option_senders(to_utf8(value), senders) : 0;
}

const char *
country_code_of(List *options)
{
	return value_of(options, "default_country_code");
}

const DialectTraits *
dialect_of(List *options)
{
	return dialect_traits_find(value_of(options, "dialect"));
}

/* What the table does not say where to put, or what other options have a say in. */
static void
read_by_hand(List *options, ServerOptions *result)
{
	read_urls(options, &result->courier);
	if (strcmp(value_of(options, "auth"), "none") == 0)
		result->courier.login_url = NULL;
	result->courier.max_reply_bytes = number_of(options, "max_reply_size") * 1024;
	result->dialect = dialect_of(options);
	result->database = to_utf8(get_database_name(MyDatabaseId));
	read_senders(options, result);
	if (result->proactive_channels == NULL)
		result->proactive_channels = result->dialect->proactive_channels;
	result->honours_keys = strcmp(value_of(options, "idempotency"), "key") == 0;
}

ServerOptions
options_read(List *options)
{
	ServerOptions result = {.dialect = NULL};
	const Option *option;

	for (int i = 0; (option = option_at(i)) != NULL; i++)
	{
		const char *value = value_of(options, option->name);

		if (value != NULL)
			option_store(option, value, &result);
	}
	read_by_hand(options, &result);
	return result;
}

/*
 * At most four requests (those after the second follow only refusals, which
 * are immediate), each of which the courier ends by the timeout, after
 * a wait for their turn: see most_in_flight().
 */
int64
longest_call_ms(const ServerOptions *options)
{
	return 5 * options->courier.timeout_ms + ANSWER_MARGIN_MS;
}

int
most_in_flight(const ServerOptions *options)
{
	const ServerMessage *courier = &options->courier;
	int64		at_once = courier->max_requests_per_minute * courier->timeout_ms / (60 * 1000);

	if (courier->max_requests_per_minute == 0)
		return (int) courier->max_in_flight;
	return (int) Min(courier->max_in_flight, Max(at_once, 1));
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

/* What an API cannot initiate, no list of channels makes it. */
static void
check_channels_of_dialect(List *options, const DialectTraits *dialect)
{
	if (dialect->never_initiates != NULL &&
		list_contains(value_of(options, "proactive_channels"), dialect->never_initiates))
		refuse_together(psprintf("the dialect %s cannot initiate the channel %s", dialect->name, dialect->never_initiates),
						psprintf("Leave %s out of the option proactive_channels.", dialect->never_initiates));
}

static bool
has_regions(const DialectTraits *dialect)
{
	return dialect->has_regions;
}

static bool
tags_lineage(const DialectTraits *dialect)
{
	return dialect->tags_lineage;
}

/* An option for those dialects that have a trait. */
static void
refuse_for_dialect(const char *option, bool (*has_trait) (const DialectTraits *dialect), const char *hint)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < DIALECT_COUNT; i++)
		if (has_trait(&dialect_traits[i]))
			appendStringInfo(&names, "%s%s", names.len > 0 ? " or " : "", dialect_traits[i].name);
	refuse_together(psprintf("option \"%s\" needs the dialect %s", option, names.data), hint);
}

/* A name that is allowed for nothing is one that was misspelt. */
static void
check_private_hosts(List *options)
{
	const char *hosts = value_of(options, "allow_private_address");
	ServerMessage urls = {0};
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

/*
 * Without TLS whoever makes the server could have the credentials of a gateway
 * on this machine sent to a proxy of his own.
 */
static void
check_proxied(List *options)
{
	ServerMessage urls = {0};

	if (value_of(options, "proxy") == NULL)
		return;
	read_urls(options, &urls);
	if (pg_strncasecmp(urls.api_url, "http:", 5) == 0 || pg_strncasecmp(urls.login_url, "http:", 5) == 0)
		refuse_together("option \"proxy\" needs URLs with https",
						"What is sent to a loopback address stays on this machine, and goes through no proxy.");
}

/* What is wrong with options only in the company of others. */
static void
check_together(List *options)
{
	const DialectTraits *dialect = dialect_of(options);
	bool		has_region = value_of(options, "region") != NULL;

	if (has_region && !dialect->has_regions)
		refuse_for_dialect("region", has_regions, "Other APIs are named by api_url.");
	if (flag_of(options, "from_addresses_overrule") && value_of(options, "from_addresses") == NULL)
		refuse_together("option \"from_addresses_overrule\" needs the option from_addresses",
						"It says that these senders overrule the business side of the old conversation.");
	if (!dialect->tags_lineage && flag_of(options, "tag_lineage"))
		refuse_for_dialect("tag_lineage", tags_lineage, "Other APIs get the previous conversation with the request.");
	if (has_region && value_of(options, "api_url") != NULL)
		refuse_together("options \"region\" and \"api_url\" exclude each other",
						"The region stands for both api_url and login_url.");
	if (has_region && value_of(options, "login_url") != NULL)
		refuse_together("options \"region\" and \"login_url\" exclude each other",
						"The region stands for both api_url and login_url.");
	if (!dialect->has_keys && strcmp(value_of(options, "idempotency"), "key") == 0)
		refuse_together(psprintf("the dialect %s has no idempotency keys", dialect->name),
						"Leave out the option idempotency: a call whose answer was lost is then in doubt.");
	check_channels_of_dialect(options, dialect);
	if (!has_region && value_of(options, "api_url") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"api_url\" is missing"),
				 errhint("Name the API's base URL, for example OPTIONS (api_url 'https://api.example.com').%s",
						 dialect->has_regions ? psprintf(" For %s the option region will do.", dialect->title) : "")));
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
		const Option *option = option_find(element->defname);

		if (option == NULL || catalog != ForeignServerRelationId)
			refuse_option(catalog, element->defname);
		option_check(option, defGetString(element));
	}
	if (catalog == ForeignServerRelationId)
	{
		check_together(options);
		check_private_hosts(options);
		check_proxied(options);
		/* a new server may have nudges waiting; changed options may cure a blocked one */
		shmem_wake_at_commit(DT_NOBEGIN);
	}
	PG_RETURN_VOID();
}
