/*
 * definitions.h
 *		All streams, stages, types and grants on streams, and how far streams are closed, as read from the tables.
 */
#ifndef VSM_DEFINITIONS_H
#define VSM_DEFINITIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "roles/stream_grant.h"

typedef enum VsmCategory
{
	VSM_WAIT,
	VSM_ACTIVE,
	VSM_DONE,
	VSM_DISCARDED
} VsmCategory;

typedef struct VsmStage
{
	int64		id;
	char	   *name;
	char	   *stream;
	int64		stream_id;
	VsmCategory category;
	int32		order;
	int32		wip_limit;		/* 0: none */
	bool		started;		/* at or after the commitment point, in progress */
	bool		retired;
	TimestampTz renamed_at;		/* DT_NOBEGIN: never */
} VsmStage;

/* Moves of a stream from before may have been folded. */
typedef struct VsmFold
{
	int64		stream_id;
	TimestampTz closed_until;
} VsmFold;

typedef struct VsmDefinitions
{
	MemoryContext context;
	int			nstages;
	VsmStage   *stages;			/* by stream (bytewise), then order */
	VsmStage  **by_id;
	int			ntypes;
	char	  **types;			/* bytewise */
	int			nfolds;
	VsmFold    *folds;			/* by stream id; its stages may be missing while a dump is restored */
	int			ngrants;
	VsmGrant   *grants;
} VsmDefinitions;

/* Does an item in a stage of this category count as WIP? */
static inline bool
vsm_in_progress(VsmCategory category)
{
	return category == VSM_WAIT || category == VSM_ACTIVE;
}

extern VsmDefinitions *vsm_read_definitions(Oid owner);

#endif							/* VSM_DEFINITIONS_H */
