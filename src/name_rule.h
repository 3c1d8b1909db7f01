/*
 * name_rule.h
 *		What a text holds that no name may hold.  Plain C: the gateway uses it, too.
 */
#ifndef VSM_NAME_RULE_H
#define VSM_NAME_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum VsmNameFault
{
	VSM_NAME_GOOD,
	VSM_NAME_INVISIBLE,			/* it is empty, or nothing in it can be seen */
	VSM_NAME_CONTROL,			/* a line break, a tab or another control character */
	VSM_NAME_DIRECTION			/* a character that changes the direction of the text around it */
} VsmNameFault;

extern VsmNameFault vsm_name_fault(const char *bytes, size_t length, bool utf8, uint32_t *character);
extern bool vsm_name_is_dots(const char *bytes, size_t length);

#endif							/* VSM_NAME_RULE_H */
