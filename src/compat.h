/*
 * compat.h
 *		Every test of the server's version stands here.
 */
#ifndef VSM_COMPAT_H
#define VSM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "vsm needs PostgreSQL 15 or later"
#endif

/* PostgreSQL 18 lets a module tell its name and version. */
#if PG_VERSION_NUM >= 180000
#define VSM_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "vsm", .version = VSM_VERSION)
#else
#define VSM_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif							/* VSM_COMPAT_H */
