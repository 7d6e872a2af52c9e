/*
 * reengage.c: what happens when the library is loaded.
 *
 * Everything works in a session that loads the library on first use; only the
 * worker and the wake-up at commit need shared_preload_libraries.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_foreign_server.h"
#include "miscadmin.h"

#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "dispatch/courier_program.h"
#include "process/launcher.h"

REENGAGE_MODULE_MAGIC;

static object_access_hook_type next_object_access_hook;

/* Options that change go by their validator; a server may also be renamed, or dropped. */
static void
on_object_access(ObjectAccessType access, Oid class, Oid object, int part, void *argument)
{
	if (next_object_access_hook)
		next_object_access_hook(access, class, object, part, argument);
	if (class == ForeignServerRelationId && (access == OAT_DROP || access == OAT_POST_ALTER))
		shmem_wake_at_commit(DT_NOBEGIN);
}

void
_PG_init(void)
{
	settings_define();
	shmem_register_wake_at_commit();
	if (!process_shared_preload_libraries_in_progress)
		return;
	shmem_install_hooks();
	courier_program_keep();
	next_object_access_hook = object_access_hook;
	object_access_hook = on_object_access;
	/* During pg_upgrade nothing may be sent. */
	if (!IsBinaryUpgrade)
		launcher_register();
}
