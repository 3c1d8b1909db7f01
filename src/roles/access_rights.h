/*
 * access_rights.h
 *		What only the owner of the tables may do.
 */
#ifndef VSM_ACCESS_RIGHTS_H
#define VSM_ACCESS_RIGHTS_H

extern void vsm_require_owner(const char *purpose);

#endif							/* VSM_ACCESS_RIGHTS_H */
