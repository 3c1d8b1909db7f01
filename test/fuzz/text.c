/*
 * text.c
 *		Fuzzes the input function of vsm.sketch.
 */
#include "server.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	if (sigsetjmp(fuzz_refused, 0) == 0)
	{
		char	   *text = palloc(size + 1);

		memcpy(text, data, size);
		text[size] = '\0';
		fuzz_check((const VsmSketch *) DatumGetPointer(fuzz_call(vsm_sketch_in, CStringGetDatum(text), 0)));
	}
	fuzz_end();
	return 0;
}
