/*
 * compat.h: the differences between PostgreSQL 15 to 19, all of them.
 */
#ifndef REENGAGE_COMPAT_H
#define REENGAGE_COMPAT_H

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 190000
#define table_begin(table, snapshot) table_beginscan(table, snapshot, 0, NULL, 0)
#define delete_row(table, tid, snapshot, failure) \
	table_tuple_delete(table, tid, GetCurrentCommandId(true), 0, snapshot, InvalidSnapshot, false, failure)
#define descriptor_is_complete(descriptor) TupleDescFinalize(descriptor)
#else
#define descriptor_is_complete(descriptor) ((void) (descriptor))
#define pg_fallthrough __attribute__((fallthrough))
#define table_begin(table, snapshot) table_beginscan(table, snapshot, 0, NULL)
#define delete_row(table, tid, snapshot, failure) \
	table_tuple_delete(table, tid, GetCurrentCommandId(true), snapshot, InvalidSnapshot, false, failure, false)
#endif

#if PG_VERSION_NUM >= 190000
#include "storage/waiteventset.h"
#define index_begin(table, index, snapshot, nkeys) index_beginscan(table, index, snapshot, NULL, nkeys, 0, 0)
#elif PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#define index_begin(table, index, snapshot, nkeys) index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define pg_noreturn pg_attribute_noreturn()
#define index_begin(table, index, snapshot, nkeys) index_beginscan(table, index, snapshot, nkeys, 0)
#endif

#if PG_VERSION_NUM >= 160000
#define server_aclcheck(server, role, mode) object_aclcheck(ForeignServerRelationId, server, role, mode)
#else
#define server_aclcheck(server, role, mode) pg_foreign_server_aclcheck(server, role, mode)
#endif

#if PG_VERSION_NUM >= 190000
#define insert_index_entries(target, slot, estate) ExecInsertIndexTuples(target, estate, 0, slot, NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define insert_index_entries(target, slot, estate) ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL, false)
#else
#define insert_index_entries(target, slot, estate) ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL)
#endif

#if PG_VERSION_NUM >= 170000

#define create_wait_event_set(nevents) CreateWaitEventSet(NULL, nevents)
#define my_proc_number() MyProcNumber
#define proc_latch(number) (&GetPGProcByNumber(number)->procLatch)
#define new_wait_event(name) WaitEventExtensionNew(name)

#else

#define create_wait_event_set(nevents) CreateWaitEventSet(TopMemoryContext, nevents)
#define my_proc_number() (MyProc->pgprocno)
#define proc_latch(number) (&ProcGlobal->allProcs[number].procLatch)
#define new_wait_event(name) ((void) (name), PG_WAIT_EXTENSION)

#endif

#if PG_VERSION_NUM >= 170000
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode)
#endif

#if PG_VERSION_NUM < 160000
extern PGDLLEXPORT void _PG_init(void);
#endif

/* The name and version show in pg_get_loaded_modules() from 18 on. */
#ifdef PG_MODULE_MAGIC_EXT
#define REENGAGE_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "reengage", .version = REENGAGE_VERSION)
#else
#define REENGAGE_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif
