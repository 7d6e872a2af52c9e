/*
 * settings.c: see settings.h.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"

PG_FUNCTION_INFO_V1(reengage_default_server_sql);
PG_FUNCTION_INFO_V1(reengage_retention_sql);
PG_FUNCTION_INFO_V1(reengage_tombstone_retention_sql);
PG_FUNCTION_INFO_V1(reengage_overdue_after_sql);
PG_FUNCTION_INFO_V1(reengage_slot_lag_limit_sql);

char	   *reengage_databases;
char	   *reengage_default_server;
char	   *reengage_credentials_file;
char	   *reengage_instance_key;
char	   *reengage_meant_node;
int			reengage_sweep_interval;
int			reengage_on_promotion;
int			reengage_retention;
int			reengage_tombstone_retention;

/* Of these only the view health makes use. */
static int	overdue_after;
static int	slot_lag_limit;

/* As long as a policy may look back. */
#define LONGEST_RETENTION (36500 * 24 * 60)

static const struct config_enum_entry on_promotion_values[] = {
	{"continue", ON_PROMOTION_CONTINUE, false},
	{"hold", ON_PROMOTION_HOLD, false},
	{NULL, 0, false}
};

static bool
check_databases(char **value, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*value);
	List	   *names;

	if (!SplitIdentifierString(copy, ',', &names))
	{
		GUC_check_errdetail("It must be a comma-separated list of database names.");
		return false;
	}
	if (list_length(names) > REENGAGE_MAX_DATABASES)
	{
		GUC_check_errdetail("It names %d databases, the most are %d.",
							list_length(names), REENGAGE_MAX_DATABASES);
		return false;
	}
	return true;
}

static bool
check_credentials_file(char **value, void **extra, GucSource source)
{
	if (**value != '\0' && !is_absolute_path(*value))
	{
		GUC_check_errdetail("\"%s\" is not an absolute path.", *value);
		return false;
	}
	return true;
}

static bool
check_retention(int *value, void **extra, GucSource source)
{
	if (*value != 0 && *value < 24 * 60)
	{
		GUC_check_errdetail("The shortest is a day; 0 is for ever.");
		return false;
	}
	return true;
}

void
settings_define(void)
{
	DefineCustomStringVariable("reengage.databases",
							   "Sets the databases that a worker serves, separated by commas.",
							   NULL,
							   &reengage_databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
	DefineCustomStringVariable("reengage.default_server",
							   "Sets the server of nudges that name none.",
							   NULL,
							   &reengage_default_server, "",
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("reengage.credentials_file",
							   "Sets the file with the client credentials of each server.",
							   "It must belong to the server's user, with mode 0600 or less, and should be outside of the data directory.",
							   &reengage_credentials_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_credentials_file, NULL, NULL);
	DefineCustomStringVariable("reengage.instance_key",
							   "Sets the name of the site for the fence, instead of this machine and data directory.",
							   "Give all nodes of a high-availability cluster the same one, and no copy of it.",
							   &reengage_instance_key, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("reengage.meant_node",
							   "Sets the node of a fleet that this session means to be at.",
							   "A front sets it; where it is another one, nudges and calls are refused.",
							   &reengage_meant_node, "",
							   PGC_USERSET, GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
	DefineCustomEnumVariable("reengage.on_promotion",
							 "Sets whether a promoted standby with the same reengage.instance_key sends at once.",
							 "With hold, due nudges wait for reengage.arm() after every promotion and point-in-time recovery.",
							 &reengage_on_promotion, ON_PROMOTION_CONTINUE, on_promotion_values,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("reengage.sweep_interval",
							"Sets the longest time between two looks of the worker at everything that is due.",
							"A look is woken by each commit that inserts nudges; the sweep finds what no wake-up announced, such as prepared transactions. 0 turns it off.",
							&reengage_sweep_interval, 300, 0, 24 * 60 * 60,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("reengage.retention",
							"Sets how long nudges that have ended stay, with their lineage.",
							"The worker lets go of what is older, by whole days; what policies look back for stays longer. 0 keeps everything.",
							&reengage_retention, 0, 0, LONGEST_RETENTION,
							PGC_SIGHUP, GUC_UNIT_MIN,
							check_retention, NULL, NULL);
	DefineCustomIntVariable("reengage.tombstone_retention",
							"Sets how long the ids of nudges that were let go stay known.",
							"Who asks for one of them again asks for nothing. 0 keeps them for ever.",
							&reengage_tombstone_retention, 0, 0, LONGEST_RETENTION,
							PGC_SIGHUP, GUC_UNIT_MIN,
							check_retention, NULL, NULL);
	DefineCustomIntVariable("reengage.overdue_after",
							"Sets how long a nudge may be due before the view health warns.",
							"0 never warns.",
							&overdue_after, 60 * 60, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("reengage.slot_lag_limit",
							"Sets how far a logical replication slot may be behind before the view health warns.",
							"0 never warns.",
							&slot_lag_limit, 1024, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MB,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("reengage");
}

static Datum
minutes_as_interval(int minutes)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = minutes * USECS_PER_MINUTE;
	return IntervalPGetDatum(interval);
}

Datum
reengage_retention_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(minutes_as_interval(reengage_retention));
}

Datum
reengage_tombstone_retention_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(minutes_as_interval(reengage_tombstone_retention));
}

Datum
reengage_overdue_after_sql(PG_FUNCTION_ARGS)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = overdue_after * USECS_PER_SEC;
	PG_RETURN_INTERVAL_P(interval);
}

Datum
reengage_slot_lag_limit_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(slot_lag_limit * INT64CONST(1048576));
}

Datum
reengage_default_server_sql(PG_FUNCTION_ARGS)
{
	if (reengage_default_server[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("no server is named and reengage.default_server is empty"),
				 errhint("Name a server, or set reengage.default_server.")));
	PG_RETURN_TEXT_P(cstring_to_text(reengage_default_server));
}
