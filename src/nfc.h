/*
 * nfc.h
 *		Names and external ids in Unicode's normalization form C.
 */
#ifndef VSM_NFC_H
#define VSM_NFC_H

extern text *vsm_nfc(text *name);

#endif							/* VSM_NFC_H */
