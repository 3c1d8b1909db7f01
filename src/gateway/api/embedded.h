/*
 * embedded.h
 *		Files that scripts/embed makes part of the program.
 */
#ifndef VSM_GATEWAY_EMBEDDED_H
#define VSM_GATEWAY_EMBEDDED_H

#include <stddef.h>
#include <string.h>

typedef struct Asset
{
	const char *path;			/* such as docs/index.html; NULL ends the list */
	const char *tag;			/* of these bytes, as in the ETag header */
	const char *bytes;
	const char *end;
} Asset;

extern const Asset vsm_assets[];

/* Returns NULL if there is no such file. */
static inline const Asset *
vsm_asset(const char *path)
{
	const Asset *asset = vsm_assets;

	while (asset->path != NULL && strcmp(asset->path, path) != 0)
		asset++;
	return asset->path == NULL ? NULL : asset;
}

static inline size_t
vsm_asset_length(const Asset *asset)
{
	return (size_t) (asset->end - asset->bytes);
}

#endif
