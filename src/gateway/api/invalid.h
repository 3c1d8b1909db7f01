/*
 * invalid.h
 *		The entries of a 422 answer, one for each refused value.
 */
#ifndef VSM_GATEWAY_INVALID_H
#define VSM_GATEWAY_INVALID_H

#include "text.h"
#include "value_list.h"

extern void vsm_invalid(Values *values, const Param *param, const char *type, const char *message, json_t *input, json_t *ctx);
extern void vsm_invalid_string(Values *values, const Param *param, json_t *input);
extern void vsm_invalid_range(Values *values, const Param *param, bool too_great, json_t *input);
extern void vsm_invalid_choice(Values *values, size_t place, const Param *param, const char *type, const json_t *choices, json_t *input);
extern void vsm_list_choices(Text *list, const json_t *choices);
extern json_t *vsm_split_choices(const char *choices);
extern bool vsm_json_contains(const json_t *list, const json_t *value);
extern void vsm_invalid_add(Values *values, json_t *made);
extern json_t *vsm_invalid_input(json_t *input);
extern json_t *vsm_invalid_entry(const char *type, json_t *loc, const char *message, json_t *input, json_t *ctx);
extern json_t *vsm_json_string(const char *bytes, size_t length);

#endif
