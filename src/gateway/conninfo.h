/*
 * conninfo.h
 *		Where the database is, in the settings of the old service or of libpq.
 */
#ifndef VSM_GATEWAY_CONNINFO_H
#define VSM_GATEWAY_CONNINFO_H

extern char *vsm_conninfo_from_environment(void);
extern char *vsm_conninfo_from_url(const char *url);

#endif
