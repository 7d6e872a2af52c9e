/*
 * site.c: what a physical copy does not share with its original.
 *
 * A base backup, a snapshot or a point-in-time restore has the same system
 * identifier and the same database oid.  What differs lies outside of the data
 * directory: the machine, and where on it the directory is.  Where these are
 * equal, or a key says that they do not count, the timeline tells a promoted
 * standby and a restored past from the server that was armed.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "base/clocks.h"
#include "base/settings.h"
#include "base/site.h"

PG_FUNCTION_INFO_V1(reengage_system_identifier);
PG_FUNCTION_INFO_V1(reengage_site);
PG_FUNCTION_INFO_V1(reengage_timeline);

/* Long enough for a machine id or a host name. */
#define MACHINE_SIZE 256

/* "host:" and 16 digits. */
#define SITE_SIZE 32

/*
 * Each tick asks.  Of a server that runs only a copy of the whole machine is
 * another site, from when it has its own name.
 */
#define SITE_KEPT_MS 500

/* The machine id, where the system has one; else the host name. */
static void
read_machine(char *machine)
{
	FILE	   *file = AllocateFile("/etc/machine-id", "r");

	machine[0] = '\0';
	if (file != NULL)
	{
		if (fgets(machine, MACHINE_SIZE, file) == NULL)
			machine[0] = '\0';
		FreeFile(file);
	}
	if (machine[0] == '\0' || machine[0] == '\n')
		(void) gethostname(machine, MACHINE_SIZE - 1);
	machine[MACHINE_SIZE - 1] = '\0';
}

static const char *
sha256_hex(const char *text)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *hex = palloc(2 * sizeof(digest) + 1);
	bool		hashed = context != NULL && pg_cryptohash_init(context) == 0 &&
		pg_cryptohash_update(context, (const uint8 *) text, strlen(text)) == 0 &&
		pg_cryptohash_final(context, digest, sizeof(digest)) == 0;

	pg_cryptohash_free(context);
	if (!hashed)
		elog(ERROR, "could not compute a hash");
	for (int i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

static const char *
read_site(void)
{
	char		machine[MACHINE_SIZE];
	char	   *real;
	const char *directory;

	read_machine(machine);
	/* by its real name: a symbolic courier must not make it another one */
	real = realpath(DataDir, NULL);
	directory = pstrdup(real ? real : DataDir);
	free(real);
	return psprintf("host:%.16s", sha256_hex(psprintf("%s %s", machine, directory)));
}

const char *
site_name(void)
{
	static char kept[SITE_SIZE];
	static Monotonic read_again;
	Monotonic	now = monotonic_now();

	if (reengage_instance_key[0] != '\0')
		return psprintf("key:%.16s", sha256_hex(reengage_instance_key));
	if (monotonic_is_reached(read_again, now))
	{
		strlcpy(kept, read_site(), sizeof(kept));
		read_again = monotonic_after(now, SITE_KEPT_MS);
	}
	return pstrdup(kept);
}

int32
site_timeline(void)
{
	TimeLineID	timeline;

	if (!RecoveryInProgress())
		return (int32) GetWALInsertionTimeLine();
	(void) GetXLogReplayRecPtr(&timeline);
	return (int32) timeline;
}

Datum
reengage_site(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(site_name()));
}

Datum
reengage_system_identifier(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) GetSystemIdentifier());
}

Datum
reengage_timeline(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(site_timeline());
}
