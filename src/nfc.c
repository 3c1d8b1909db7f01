/*
 * nfc.c
 *		Names and external ids in Unicode's normalization form C.
 *
 * A letter with an accent is one character or two, depending on the keyboard, the
 * file system or the program that a name comes from; both look the same.  Names of
 * streams, stages and types and external ids are therefore stored in form C, in
 * which it is one, and what is looked for is brought into that form first.  Other
 * encodings than UTF-8 have one form only.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "nfc.h"

static bool is_ascii_only(const text *name);

PG_FUNCTION_INFO_V1(vsm__nfc);

/* vsm._nfc(name text) -> text */
Datum
vsm__nfc(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(vsm_nfc(PG_GETARG_TEXT_PP(0)));
}

/* The name itself if there is nothing to change. */
text *
vsm_nfc(text *name)
{
	if (GetDatabaseEncoding() != PG_UTF8 || is_ascii_only(name))
		return name;
	return DatumGetTextPP(DirectFunctionCall2(unicode_normalize_func, PointerGetDatum(name), CStringGetTextDatum("NFC")));
}

static bool
is_ascii_only(const text *name)
{
	const char *bytes = VARDATA_ANY(name);

	for (Size i = 0; i < VARSIZE_ANY_EXHDR(name); i++)
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	return true;
}
