/*
 * fractions.h
 *		The fractions by which SQL asks for percentiles, and the array of answers.
 */
#ifndef VSM_FRACTIONS_H
#define VSM_FRACTIONS_H

#include "postgres.h"

#include "utils/array.h"

/* An array of fractions; each becomes the percentile it asks for, in its place. */
typedef struct VsmFractions
{
	ArrayType  *array;
	int			count;
	Datum	   *values;			/* float8; then the percentiles */
	bool	   *nulls;
} VsmFractions;

extern double vsm_require_fraction(double fraction);
extern VsmFractions vsm_require_fractions(ArrayType *array);
extern ArrayType *vsm_fractions_answer(const VsmFractions *fractions, Oid type);

#endif							/* VSM_FRACTIONS_H */
