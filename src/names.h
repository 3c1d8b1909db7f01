/*
 * names.h
 *		Names of streams, stages and types, and external ids: their form, what they may be, and looking for them.
 */
#ifndef VSM_NAMES_H
#define VSM_NAMES_H

extern text *vsm_nfc(text *name);
extern text *vsm_sought(text *name);
extern char *vsm_cut(const char *text);
extern text *vsm_external_id(text *id);

#endif							/* VSM_NAMES_H */
