/*
 * compat.h
 *		Every test of the server's version stands here.
 */
#ifndef VSM_COMPAT_H
#define VSM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "vsm needs PostgreSQL 15 or later"
#endif

/* Sums of microseconds need 128 bits, and counters need 64-bit atomics without a spinlock. */
#if SIZEOF_VOID_P < 8 || !defined(PG_INT128_TYPE) || !defined(USE_FLOAT8_BYVAL)
#error "vsm needs a 64-bit platform whose compiler has 128-bit integers"
#endif

/* PostgreSQL 16 moved what tells the forms of a varlena out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* PostgreSQL 18 says it before a function's declaration; the ones before, after it. */
#ifndef pg_noreturn
#define pg_noreturn _Noreturn
#endif

/* PostgreSQL 18 lets a module tell its name and version. */
#if PG_VERSION_NUM >= 180000
#define VSM_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "vsm", .version = VSM_VERSION)
#else
#define VSM_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* What table_tuple_update() tells about index entries; zero: none is needed. */
#if PG_VERSION_NUM >= 160000
#define VsmUpdateIndexes TU_UpdateIndexes
#else
#define VsmUpdateIndexes bool
#endif

/* PostgreSQL 16 checks the rights on all kinds of objects by one function. */
#if PG_VERSION_NUM >= 160000
#define VSM_HAS_USAGE_OF_SCHEMA(schema, role) (object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK)
#else
#define VSM_HAS_USAGE_OF_SCHEMA(schema, role) (pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK)
#endif

/* PostgreSQL 18 can count what an index scan does. */
#if PG_VERSION_NUM >= 180000
#define VSM_INDEX_BEGINSCAN(table, index, snapshot, nkeys) index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define VSM_INDEX_BEGINSCAN(table, index, snapshot, nkeys) index_beginscan(table, index, snapshot, nkeys, 0)
#endif

/* PostgreSQL 18 has columns that are generated when they are read. */
#if PG_VERSION_NUM >= 180000
#define VSM_HAS_GENERATED(constraints) ((constraints)->has_generated_stored || (constraints)->has_generated_virtual)
#else
#define VSM_HAS_GENERATED(constraints) ((constraints)->has_generated_stored)
#endif

/* Did this transaction give the relation other storage? */
#if PG_VERSION_NUM >= 160000
#define VSM_NEW_STORAGE(rel) ((rel)->rd_firstRelfilelocatorSubid != InvalidSubTransactionId)
#else
#define VSM_NEW_STORAGE(rel) ((rel)->rd_firstRelfilenodeSubid != InvalidSubTransactionId)
#endif

/* Up to PostgreSQL 15, an action that recurses to children has another name once it is done. */
#if PG_VERSION_NUM >= 160000
#define VSM_CASE_CONSTRAINT_RECURSE
#define VSM_CASE_DROP_CONSTRAINT_RECURSE
#else
#define VSM_CASE_CONSTRAINT_RECURSE \
	case AT_AddConstraintRecurse: \
	case AT_ValidateConstraintRecurse:
#define VSM_CASE_DROP_CONSTRAINT_RECURSE case AT_DropConstraintRecurse:
#endif

/* PostgreSQL 17 has infinite intervals. */
#if PG_VERSION_NUM >= 170000
#define VSM_INTERVAL_NOT_FINITE(interval) INTERVAL_NOT_FINITE(interval)
#else
#define VSM_INTERVAL_NOT_FINITE(interval) false
#endif

/* What a setting's check hook keeps; NULL: out of memory. */
#if PG_VERSION_NUM >= 160000
#define vsm_guc_alloc(size) guc_malloc(LOG, size)
#else
#define vsm_guc_alloc(size) malloc(size)
#endif

/* The oldest transaction whose outcome pg_xact knows; under XactTruncationLock. */
#if PG_VERSION_NUM >= 170000
#define VSM_OLDEST_CLOG_XID (TransamVariables->oldestClogXid)
#else
#define VSM_OLDEST_CLOG_XID (ShmemVariableCache->oldestClogXid)
#endif

/* Memory that all backends of the server find by its name, without preloading; NULL: too old. */
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"

static inline void *
vsm_named_memory(const char *name, Size size, void (*init)(void *))
{
	bool		found;

	return GetNamedDSMSegment(name, size, init, &found);
}
#else
static inline void *
vsm_named_memory(const char *name, Size size, void (*init)(void *))
{
	return NULL;
}
#endif

#endif							/* VSM_COMPAT_H */
