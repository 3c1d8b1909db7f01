/*
 * claim_path.h
 *		Paths to claims of a token, as PostgREST writes them.
 */
#ifndef VSM_GATEWAY_CLAIM_PATH_H
#define VSM_GATEWAY_CLAIM_PATH_H

#include <jansson.h>
#include <stdbool.h>

typedef struct ClaimPath ClaimPath;

extern ClaimPath *vsm_claim_path(const char **text, char **wrong);
extern const json_t *vsm_claim(const json_t *claims, const ClaimPath *path);
extern bool vsm_claim_path_is(const ClaimPath *path, const char *name);
extern void vsm_claim_path_free(ClaimPath *path);

#endif
