/*
 * versions.c: see versions.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "base/names.h"
#include "base/versions.h"

PG_FUNCTION_INFO_V1(reengage_require_library);

/* Of the extension in this database, or NULL. */
static char *
version_of_extension(void)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	char	   *version = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(REENGAGE_EXTENSION));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		is_null;
		Datum		said = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(extensions), &is_null);

		version = is_null ? pstrdup("") : TextDatumGetCString(said);
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return version;
}

/* By their numbers: 1.9 comes before 1.10. */
static bool
is_older_version(const char *one, const char *other)
{
	while (*one != '\0' || *other != '\0')
	{
		char	   *end_of_one;
		char	   *end_of_other;
		long		number = strtol(one, &end_of_one, 10);
		long		other_number = strtol(other, &end_of_other, 10);

		if (number != other_number)
			return number < other_number;
		one = *end_of_one == '.' ? end_of_one + 1 : "";
		other = *end_of_other == '.' ? end_of_other + 1 : "";
	}
	return false;
}

static void
refuse_older_library(const char *version)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("reengage %s needs its own library, and that of %s is loaded; restart the server", version, REENGAGE_VERSION),
			 errhint("Where it is not in shared_preload_libraries, connect again.")));
}

bool
versions_agree(void)
{
	char	   *version = version_of_extension();

	if (version == NULL)
		return false;
	if (is_older_version(REENGAGE_VERSION, version))
		refuse_older_library(version);
	if (is_older_version(version, REENGAGE_VERSION))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the extension is still reengage %s, the library %s; run ALTER EXTENSION reengage UPDATE",
						version, REENGAGE_VERSION)));
	pfree(version);
	return true;
}

/* What each script begins with: a loaded library cannot know what a later version has. */
Datum
reengage_require_library(PG_FUNCTION_ARGS)
{
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (is_older_version(REENGAGE_VERSION, version))
		refuse_older_library(version);
	PG_RETURN_VOID();
}
