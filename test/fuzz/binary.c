/*
 * binary.c
 *		Fuzzes the receive function of vsm.sketch.
 */
#include "server.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	if (sigsetjmp(fuzz_refused, 0) == 0)
	{
		StringInfoData message = {.data = palloc(size), .len = (int) size};

		memcpy(message.data, data, size);
		fuzz_check((const VsmSketch *) DatumGetPointer(fuzz_call(vsm_sketch_recv, PointerGetDatum(&message), 0)));
	}
	fuzz_end();
	return 0;
}
