/*
 * marks.h
 *		Marks on times whose moves have changed since they may have been folded.
 */
#ifndef VSM_MARKS_H
#define VSM_MARKS_H

#include "postgres.h"

#include "datatype/timestamp.h"

extern void vsm_mark_move(int64 stream_id, TimestampTz at);
extern void vsm_mark_item(int64 work_item_id);
extern void vsm_mark_superseded(void);
extern void vsm_mark_everything(void);
extern void vsm_forget_marks(void);

#endif							/* VSM_MARKS_H */
