/*
 * ndjson.h
 *		NDJSON as a source of CSV.
 */
#ifndef VSM_GATEWAY_NDJSON_H
#define VSM_GATEWAY_NDJSON_H

#include "csv/recognise.h"

typedef struct Ndjson Ndjson;

extern Ndjson *vsm_ndjson_new(const VsmSource *source);
extern VsmSource vsm_ndjson_csv(Ndjson *ndjson);
extern const char *vsm_ndjson_error(const Ndjson *ndjson);
extern char *vsm_ndjson_title(const char *csv);
extern void vsm_ndjson_free(Ndjson *ndjson);

#endif
