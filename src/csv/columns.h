/*
 * columns.h
 *		What a column is, by its name.
 */
#ifndef VSM_CSV_COLUMNS_H
#define VSM_CSV_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ColumnRole
{
	ROLE_ITEM,
	ROLE_STAGE,
	ROLE_TIME,
	ROLE_TYPE,
	ROLE_TITLE,
	ROLE_FIELD,
	ROLE_FROM,
	ROLE_CREATED,
	ROLE_SEQUENCE,
	N_COLUMN_ROLES
} ColumnRole;

/* Names of one tier are as good as each other; a lower tier is better. */
#define TIER_SIZE 1000
#define NO_RANK 100000

extern int	vsm_column_rank(const char *name, ColumnRole role);
extern bool vsm_column_is_plan(const char *name);
extern bool vsm_column_is_start_date(const char *name);
extern bool vsm_column_is_last_change(const char *name);
extern bool vsm_column_is_plain(const char *name, ColumnRole role);
extern size_t vsm_column_stage(const char *name, const char **stage);
extern bool vsm_field_is_status(const char *value, size_t length);

#endif
