/*
 * fractions.c
 *		The fractions by which SQL asks for percentiles, and the array of answers.
 *
 * As for percentile_disc, an array of fractions may have any shape and hold
 * nulls; the answer has the same shape, and nulls in the same places.
 */
#include "fractions.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"

#include "errors.h"

#define MOST_FRACTIONS	10000	/* each takes memory and a search */

double
vsm_require_fraction(double fraction)
{
	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("percentile %g is not between 0 and 1", fraction),
				errhint("Give the percentile as a fraction: 0.85 for the 85th percentile."));
	return fraction;
}

VsmFractions
vsm_require_fractions(ArrayType *array)
{
	VsmFractions fractions = {.array = array};
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (count > MOST_FRACTIONS)
		ereport(ERROR,
				errcode(VSM_UNPROCESSABLE),
				errmsg("too many percentiles"),
				errdetail("The array has %d elements.", count),
				errhint("Ask for at most %d percentiles at a time.", MOST_FRACTIONS));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &fractions.values, &fractions.nulls, &fractions.count);
	for (int i = 0; i < fractions.count; i++)
		if (!fractions.nulls[i])
			(void) vsm_require_fraction(DatumGetFloat8(fractions.values[i]));
	return fractions;
}

/* The array of the percentiles, which are of type float8 or interval. */
ArrayType *
vsm_fractions_answer(const VsmFractions *fractions, Oid type)
{
	ArrayType  *array = fractions->array;
	bool		intervals = type == INTERVALOID;

	return construct_md_array(fractions->values, fractions->nulls,
							  ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array), type,
							  intervals ? sizeof(Interval) : sizeof(float8),
							  !intervals && FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}
