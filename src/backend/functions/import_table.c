/*
 * import_table.c: reads a table of history into the staging table.
 *
 * No query reads it: between a check and a query somebody could put a view in
 * the table's place, and the view's functions would run as whoever imports.
 * So the table is locked by its oid and then checked, and what is read is what
 * is locked, row by row, by PostgreSQL's own output functions.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/rows.h"
#include "functions/import_staging.h"
#include "spelling.h"

PG_FUNCTION_INFO_V1(reengage_import_lock_table);
PG_FUNCTION_INFO_V1(reengage_import_copy_table);

/* A column to read; of a partition its number may be another. */
typedef struct ReadColumn
{
	const char *name;
	bool		is_boolean;
	FmgrInfo	output;
} ReadColumn;

static void
require_exists(Oid table)
{
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the staging table does not exist any more")));
}

static void
require_right_to_read(Oid table)
{
	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(table, GetUserId(), ACL_SELECT, ACLMASK_ALL) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of table \"%s\" would hide records", get_rel_name(table)),
				 errhint("Copy the records into a table of your own, and import that.")));
}

static void
refuse_kind(Oid table, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a plain table", get_rel_name(table)),
			 errdetail("%s", why),
			 errhint("Make a table of it: CREATE TABLE ... AS SELECT ....")));
}

/* Reading anything else, or parts of it that are, would run somebody's code, or ask another server. */
static void
require_plain(Oid table, const List *parts)
{
	ListCell   *cell;

	foreach(cell, parts)
	{
		char		kind = get_rel_relkind(lfirst_oid(cell));

		if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE)
			continue;
		refuse_kind(table, lfirst_oid(cell) == table ? "Only the rows of tables are read." :
					psprintf("Its part \"%s\" is none.", get_rel_name(lfirst_oid(cell))));
	}
}

static void
require_plain_columns(Relation table)
{
	TupleDesc	descriptor = RelationGetDescr(table);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		HeapTuple	type;
		bool		plain;

		if (attribute->attisdropped)
			continue;
		type = SearchSysCache1(TYPEOID, ObjectIdGetDatum(attribute->atttypid));
		plain = HeapTupleIsValid(type) && attribute->attgenerated != 'v' &&
			((Form_pg_type) GETSTRUCT(type))->typnamespace == PG_CATALOG_NAMESPACE &&
			((Form_pg_type) GETSTRUCT(type))->typtype == TYPTYPE_BASE;
		if (HeapTupleIsValid(type))
			ReleaseSysCache(type);
		if (!plain)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("cannot import column %s of type %s", NameStr(attribute->attname), format_type_be(attribute->atttypid)),
					 errhint("A staging table has columns of PostgreSQL's own types, best of text, that are stored.")));
	}
}

/* The table and its parts, locked until the end of the transaction, and checked. */
static List *
lock_and_check(Oid table)
{
	List	   *parts;
	Relation	relation;

	require_exists(table);
	require_right_to_read(table);
	LockRelationOid(table, AccessShareLock);
	require_exists(table);
	require_right_to_read(table);
	parts = find_all_inheritors(table, AccessShareLock, NULL);
	require_plain(table, parts);
	relation = table_open(table, NoLock);
	if (RELATION_IS_OTHER_TEMP(relation))
		refuse_kind(table, "It is a temporary table of another session.");
	require_plain_columns(relation);
	table_close(relation, NoLock);
	return parts;
}

/* In UTF-8, without blanks around it. */
static const char *
shown_name(const char *name)
{
	const char *utf8 = to_utf8(name);
	Span		span;

	if (utf8 == NULL)
		return name;
	span = trimmed(utf8);
	return from_utf8(pnstrdup(span.start, span.length));
}

/* The names of its columns. */
Datum
reengage_import_lock_table(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	Relation	table;
	TupleDesc	descriptor;
	Datum	   *names;
	int			count = 0;

	lock_and_check(oid);
	table = table_open(oid, NoLock);
	descriptor = RelationGetDescr(table);
	names = palloc(sizeof(Datum) * Max(descriptor->natts, 1));
	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			names[count++] = CStringGetTextDatum(shown_name(NameStr(TupleDescAttr(descriptor, i)->attname)));
	table_close(table, NoLock);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static int
columns_of(Oid oid, ReadColumn **columns)
{
	Relation	table = table_open(oid, NoLock);
	TupleDesc	descriptor = RelationGetDescr(table);
	int			count = 0;

	*columns = palloc(sizeof(ReadColumn) * Max(descriptor->natts, 1));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ReadColumn *column = &(*columns)[count];
		Oid			output;
		bool		is_varlena;

		if (attribute->attisdropped)
			continue;
		column->name = pstrdup(NameStr(attribute->attname));
		column->is_boolean = attribute->atttypid == BOOLOID;
		getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
		fmgr_info(output, &column->output);
		count++;
	}
	table_close(table, NoLock);
	return count;
}

/* As a cast to text shows it. */
static const char *
text_in(const ReadColumn *column, TupleTableSlot *slot, int number)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, number, &isnull);

	if (isnull)
		return NULL;
	if (column->is_boolean)
		return DatumGetBool(value) ? "true" : "false";
	return OutputFunctionCall(unconstify(FmgrInfo *, &column->output), value);
}

static void
copy_part(Staging *staging, Oid oid, const ReadColumn *columns, int count)
{
	Relation	part = table_open(oid, NoLock);
	TupleTableSlot *slot = table_slot_create(part, NULL);
	TableScanDesc scan = table_begin(part, GetActiveSnapshot());
	MemoryContext of_row = AllocSetContextCreate(CurrentMemoryContext, "row of history", ALLOCSET_DEFAULT_SIZES);
	const char **texts = palloc(sizeof(char *) * Max(count, 1));
	AttrNumber *numbers = palloc(sizeof(AttrNumber) * Max(count, 1));

	for (int i = 0; i < count; i++)
		numbers[i] = get_attnum(oid, columns[i].name);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext before = MemoryContextSwitchTo(of_row);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
			texts[i] = text_in(&columns[i], slot, numbers[i]);
		MemoryContextSwitchTo(before);
		staging_add(staging, &(StagedRecord) {.count = count, .texts = texts});
		MemoryContextReset(of_row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(of_row);
	table_close(part, NoLock);
}

/* All its rows; how many. */
Datum
reengage_import_copy_table(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	List	   *parts = lock_and_check(oid);
	ReadColumn *columns;
	int			count = columns_of(oid, &columns);
	Staging    *staging = staging_open(count);
	ListCell   *cell;

	foreach(cell, parts)
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			copy_part(staging, lfirst_oid(cell), columns, count);
	PG_RETURN_INT64(staging_close(staging));
}
