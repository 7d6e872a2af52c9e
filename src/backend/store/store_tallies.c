/*
 * store_tallies.c: see store_tallies.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/rows.h"
#include "store/lookup.h"
#include "store/statement.h"
#include "store/store.h"
#include "store/store_tallies.h"
#include "store/table_write.h"
#include "store/tick.h"

/* What a number is about, in the order of these columns of tally_changes. */
#define PARTS 5
#define PARTS_OF_NUDGE 3
static const char *const part_names[PARTS] = {"server", "campaign", "requested_by", "state", "reason"};

typedef struct Part
{
	const char *text;			/* NULL: null */
	int			length;
} Part;

typedef struct TallyKey
{
	Part		parts[PARTS];
} TallyKey;

typedef struct Tally
{
	TallyKey	key;
	int64		change;
	uint32		hash;
	char		status;
} Tally;

static uint32
hash_of_key(const TallyKey *key)
{
	uint32		hash = 0;

	for (int i = 0; i < PARTS; i++)
		hash = hash_combine(hash, hash_bytes((const unsigned char *) key->parts[i].text, key->parts[i].length));
	return hash;
}

static bool
are_equal(const TallyKey *one, const TallyKey *other)
{
	for (int i = 0; i < PARTS; i++)
	{
		const Part *a = &one->parts[i];
		const Part *b = &other->parts[i];

		if ((a->text == NULL) != (b->text == NULL) || a->length != b->length ||
			(a->length > 0 && memcmp(a->text, b->text, a->length) != 0))
			return false;
	}
	return true;
}

#define SH_PREFIX tally
#define SH_ELEMENT_TYPE Tally
#define SH_KEY_TYPE TallyKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_of_key(&(key))
#define SH_EQUAL(table, one, other) are_equal(&(one), &(other))
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* So many numbers are kept: a statement may ask for more campaigns than memory is meant for. */
#define TALLIES_MOST 1000

struct Tallies
{
	MemoryContext context;		/* emptied when the numbers were written */
	tally_hash *numbers;
	int			of_nudge[PARTS_OF_NUDGE];	/* places in "nudges" */
};

static WrittenTable written;

/* --- counting ----------------------------------------------------------------------------- */

static void
count_from_here(Tallies *tallies)
{
	MemoryContextReset(tallies->context);
	tallies->numbers = tally_create(tallies->context, 16, NULL);
}

Tallies *
tallies_begin(Relation nudges)
{
	Tallies    *tallies = palloc(sizeof(Tallies));

	tallies->context = AllocSetContextCreate(CurrentMemoryContext, "reengage tallies", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < PARTS_OF_NUDGE; i++)
		tallies->of_nudge[i] = column_place(RelationGetDescr(nudges), part_names[i]);
	count_from_here(tallies);
	return tallies;
}

static Part
part_of_nudge(TupleTableSlot *nudge, int place)
{
	text	   *value;

	if (nudge->tts_isnull[place])
		return (Part) {NULL, 0};
	value = DatumGetTextPP(nudge->tts_values[place]);
	return (Part) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

static Part
part_of_text(const char *text)
{
	return (Part) {text, text != NULL ? strlen(text) : 0};
}

/* The texts are the caller's. */
static void
copy_texts(MemoryContext context, TallyKey *key)
{
	for (int i = 0; i < PARTS; i++)
		if (key->parts[i].text != NULL)
		{
			char	   *copy = MemoryContextAlloc(context, key->parts[i].length + 1);

			memcpy(copy, key->parts[i].text, key->parts[i].length);
			key->parts[i].text = copy;
		}
}

static void
write_numbers(Tallies *tallies)
{
	Relation	table = open_table("tally_changes", RowExclusiveLock, ACL_INSERT);
	int			places[PARTS];
	int			number = column_place(RelationGetDescr(table), "nudges");
	TupleTableSlot **rows = palloc(sizeof(TupleTableSlot *) * tallies->numbers->members);
	int			count = 0;
	tally_iterator iterator;
	Tally	   *tally;

	for (int i = 0; i < PARTS; i++)
		places[i] = column_place(RelationGetDescr(table), part_names[i]);
	table_write_begin(&written, table);
	tally_start_iterate(tallies->numbers, &iterator);
	while ((tally = tally_iterate(tallies->numbers, &iterator)) != NULL)
	{
		TupleTableSlot *row;

		if (tally->change == 0)
			continue;
		row = table_write_row(&written);
		row->tts_values[number] = Int64GetDatum(tally->change);
		row->tts_isnull[number] = false;
		for (int i = 0; i < PARTS; i++)
		{
			const Part *part = &tally->key.parts[i];

			row->tts_isnull[places[i]] = part->text == NULL;
			if (part->text != NULL)
				row->tts_values[places[i]] = PointerGetDatum(cstring_to_text_with_len(part->text, part->length));
		}
		rows[count++] = ExecStoreVirtualTuple(row);
	}
	table_write(&written, rows, count);
	table_write_end(&written);
	table_close(table, NoLock);
}

/* In memory that is free again afterwards. */
static void
write_and_forget(Tallies *tallies)
{
	MemoryContext before = MemoryContextSwitchTo(tallies->context);

	write_numbers(tallies);
	MemoryContextSwitchTo(before);
	count_from_here(tallies);
}

void
tallies_add(Tallies *tallies, TupleTableSlot *nudge, const char *state, const char *reason, int change)
{
	TallyKey	key;
	Tally	   *tally;
	bool		known;

	slot_getallattrs(nudge);
	for (int i = 0; i < PARTS_OF_NUDGE; i++)
		key.parts[i] = part_of_nudge(nudge, tallies->of_nudge[i]);
	key.parts[PARTS_OF_NUDGE] = part_of_text(state);
	key.parts[PARTS_OF_NUDGE + 1] = part_of_text(reason);
	tally = tally_insert(tallies->numbers, key, &known);
	if (!known)
	{
		tally->change = 0;
		copy_texts(tallies->context, &tally->key);
	}
	tally->change += change;
	if (tallies->numbers->members >= TALLIES_MOST)
		write_and_forget(tallies);
}

void
tallies_end(Tallies *tallies)
{
	if (tallies->numbers->members > 0)
		write_and_forget(tallies);
	MemoryContextDelete(tallies->context);
	pfree(tallies);
}

/* --- summing up ------------------------------------------------------------------------------ */

/* Often, so that there is never much to read, and never so much that a tick takes long. */
#define SUM_EVERY_MS 1000
#define SUM_MOST 5000

/* Somebody locks the sums, and is not to hold up ticks by that. */
#define SUM_LATER_MS 10000

/* A number that has come to 0 is taken out: campaigns come and go, and nobody sees it. */
static void
forget_zeros(Datum places)
{
	static Statement statement = {
		"DELETE FROM reengage.tallies t WHERE t.ctid = ANY ($1) AND t.nudges = 0",
		1, {TIDARRAYOID}
	};

	execute(&statement, &places, SPI_OK_DELETE);
}

static void
sum_up(void *argument)
{
	static Statement statement = {
		"WITH taken AS ("
		"  DELETE FROM reengage.tally_changes WHERE ctid = ANY (ARRAY("
		"    SELECT c.ctid FROM reengage.tally_changes c LIMIT $1)) RETURNING *),"
		" summed AS ("
		"  INSERT INTO reengage.tallies AS t (nudges, server, campaign, requested_by, state, reason)"
		"  SELECT pg_catalog.sum(c.nudges)::pg_catalog.int8, c.server, c.campaign, c.requested_by, c.state, c.reason"
		"  FROM taken c GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason"
		"  HAVING pg_catalog.sum(c.nudges) <> 0"
		"  ON CONFLICT ON CONSTRAINT tallies_key DO UPDATE SET nudges = t.nudges + EXCLUDED.nudges"
		"  RETURNING t.ctid, t.nudges),"
		" totals AS ("
		"  INSERT INTO reengage.tally_totals AS t (nudges, server, state, reason)"
		"  SELECT pg_catalog.sum(c.nudges)::pg_catalog.int8, c.server, c.state, c.reason"
		"  FROM taken c GROUP BY c.server, c.state, c.reason"
		"  HAVING pg_catalog.sum(c.nudges) <> 0"
		"  ON CONFLICT ON CONSTRAINT tally_totals_key DO UPDATE SET nudges = t.nudges + EXCLUDED.nudges)"
		" SELECT (SELECT pg_catalog.count(*) >= $1 FROM taken),"
		"  (SELECT pg_catalog.array_agg(s.ctid) FROM summed s WHERE s.nudges = 0)",
		1, {INT4OID}
	};
	Datum		most = Int32GetDatum(SUM_MOST);
	Datum		zeros;
	bool		none;

	tick_wait_less();
	execute(&statement, &most, SPI_OK_SELECT);
	*(bool *) argument = result_bool(0);
	zeros = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &none);
	if (!none)
		forget_zeros(zeros);
}

bool
store_sum_tallies(Monotonic now)
{
	static Monotonic next;
	bool		more = false;

	if (!monotonic_is_reached(next, now) || table_is_empty("tally_changes"))
		return false;
	next = monotonic_after(now, SUM_EVERY_MS);
	if (tick_try(sum_up, &more) != 0)
	{
		next = monotonic_after(now, SUM_LATER_MS);
		return false;
	}
	if (more)
		next = now;
	return more;
}
