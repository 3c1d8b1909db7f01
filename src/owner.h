/*
 * owner.h
 *		Acting as the owner of the tables.
 */
#ifndef VSM_OWNER_H
#define VSM_OWNER_H

#include "postgres.h"

/* What vsm_leave_owner() puts back. */
typedef struct VsmOwner
{
	Oid			user;
	int			sec_context;
	int			guc_nest_level; /* 0: the settings were as wanted */
} VsmOwner;

extern Oid	vsm_owner_of(Oid relation);
extern VsmOwner vsm_become_owner(Oid owner);
extern VsmOwner vsm_become_caller(Oid role);
extern void vsm_leave_owner(VsmOwner before);

#endif							/* VSM_OWNER_H */
