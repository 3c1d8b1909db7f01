/*
 * sketch_bucket.h
 *		Which bucket of a sketch a value falls in, and the bounds of a bucket.
 *
 * The mapping is explained in sketch.c.
 */
#ifndef VSM_SKETCH_BUCKET_H
#define VSM_SKETCH_BUCKET_H

#include <stdint.h>
#include <string.h>

#define MANTISSA_BITS	52
#define MANTISSA_MASK	((UINT64_C(1) << MANTISSA_BITS) - 1)
#define EXPONENT_ONE	(UINT64_C(1023) << MANTISSA_BITS)	/* of numbers from 1 to 2 */
#define SIGN_BIT		(UINT64_C(1) << 63)
#define INFINITY_BITS	(UINT64_C(2047) << MANTISSA_BITS)
#define SUBNORMAL_SHIFT 54		/* makes the smallest double a normal number */
#define LOWEST_EXPONENT (-52)	/* so that no bucket is negative */

static inline uint64_t
sketch_bits_of(double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline double
sketch_double_of(uint64_t bits)
{
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * The buckets per unit of the cubic.  ln(gamma) = 2 atanh(rel_error), by its series,
 * and a little less, so that rounding errors stay within rel_error.
 */
static inline double
sketch_multiplier_of(double rel_error)
{
	static double known_error = 0;
	static double known_multiplier = 0;

	if (rel_error != known_error)
	{
		double		term = rel_error;
		double		sum = 0;

		for (int odd = 1; odd < 30; odd += 2)
		{
			sum += term / odd;
			term *= rel_error * rel_error;
		}
		known_error = rel_error;
		known_multiplier = 0.7 / (2 * sum * (1 - 1e-9));
	}
	return known_multiplier;
}

/* magnitude: the bits of a finite, positive double. */
static inline int32_t
sketch_bucket_of(uint64_t magnitude, double multiplier)
{
	int			exponent = (int) (magnitude >> MANTISSA_BITS);
	double		m;

	if (exponent == 0)
	{
		magnitude = sketch_bits_of(sketch_double_of(magnitude) * (double) (UINT64_C(1) << SUBNORMAL_SHIFT));
		exponent = (int) (magnitude >> MANTISSA_BITS) - SUBNORMAL_SHIFT;
	}
	m = sketch_double_of((magnitude & MANTISSA_MASK) | EXPONENT_ONE) - 1.0;
	return (int32_t) (multiplier *
					  (((6.0 / 35.0 * m - 3.0 / 5.0) * m + 10.0 / 7.0) * m + (exponent - LOWEST_EXPONENT)));
}

/* value is finite and not zero; the bucket is that of its magnitude. */
static inline int32_t
sketch_bucket_of_value(double value, double rel_error)
{
	return sketch_bucket_of(sketch_bits_of(value) & ~SIGN_BIT, sketch_multiplier_of(rel_error));
}

/* The smallest double that falls in the bucket; infinity after the last bucket. */
static inline double
sketch_lower_bound(int32_t bucket, double multiplier)
{
	uint64_t	low = 1;
	uint64_t	high = INFINITY_BITS;

	while (low < high)
	{
		uint64_t	mid = low + (high - low) / 2;

		if (sketch_bucket_of(mid, multiplier) < bucket)
			low = mid + 1;
		else
			high = mid;
	}
	return sketch_double_of(low);
}

#endif							/* VSM_SKETCH_BUCKET_H */
