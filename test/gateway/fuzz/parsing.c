/*
 * parsing.c
 *		libFuzzer: whatever a client sends, the gateway's own parsing neither crashes nor leaks.
 *
 * The first byte chooses the parser, the rest is what the parser gets: paths and
 * query strings, JSON bodies, CSV, NDJSON, delimited text, or (255) whole requests.
 * Beyond what the sanitizers see, it checks what the parsers promise: what is read
 * is the same however the input is cut, records that are written as CSV are read
 * as they were, and NDJSON is CSV in UTF-8 without NUL, of five columns.
 */
#include <stdlib.h>
#include <string.h>

#include "api/kinds.h"
#include "api/ndjson.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/values.h"
#include "csv/csv.h"
#include "http/framing.h"
#include "options.h"
#include "text.h"

#define FIELD_END "\001"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept);
static void fuzz_target(const char *bytes, size_t size);
static void fuzz_body(const char *bytes, size_t size);
static void keeps_objects(const Values *values, const Route *route, const char *bytes, size_t size);
static void fuzz_ndjson(const char *bytes, size_t size);
static void fuzz_csv(const char *bytes, size_t size);
static void round_trip(const char *bytes, size_t size, char delimiter);
static void fuzz_framing(const char *bytes, size_t size);
static bool read_ndjson(const char *bytes, size_t size, size_t part, Text *csv);
static bool read_csv(const char *bytes, size_t size, char delimiter, unsigned int cuts, Text *fields);
static void write_field(Text *written, const char *value);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;

	if (!started)
		vsm_routes_start();
	started = true;
	if (size == 0)
		return 0;
	if (data[0] >= 254)
	{
		(data[0] == 255 ? fuzz_framing : fuzz_csv)((const char *) data + 1, size - 1);
		return 0;
	}
	switch (data[0] % 4)
	{
		case 0:
			fuzz_target((const char *) data + 1, size - 1);
			break;
		case 1:
			fuzz_body((const char *) data + 1, size - 1);
			break;
		default:
			fuzz_ndjson((const char *) data + 1, size - 1);
			break;
	}
	return 0;
}

/* routes.c asks; the options' own file would want the database's. */
bool
vsm_options_auth(void)
{
	return false;
}

static void
promise(bool kept)
{
	if (!kept)
		abort();
}

/* As HTTP gives it: a string without NUL. */
static void
fuzz_target(const char *bytes, size_t size)
{
	char	   *target = vsm_copy_n(bytes, size);
	size_t		length = strcspn(target, "?");
	const char *query = target[length] == '?' ? target + length + 1 : "";
	Match		match = vsm_route_match("GET", target, length);
	Values		values = {0};

	for (int i = 0; i < vsm_route_count; i++)
	{
		if (vsm_routes[i].params[0].name == NULL || vsm_route_has(&vsm_routes[i], IN_BODY) || vsm_route_has(&vsm_routes[i], IN_PATH))
			continue;
		vsm_values_read(&values, &vsm_routes[i], NULL, query, NULL);
		vsm_values_free(&values);
	}
	if (match.route != NULL)
		vsm_values_read(&values, match.route, match.wildcards, query, NULL);
	for (int i = 0; i < MAX_PARAMS; i++)
		promise(values.text[i] == NULL || vsm_utf8_valid(values.text[i], strlen(values.text[i])));
	vsm_values_free(&values);
	free(target);
}

static void
fuzz_body(const char *bytes, size_t size)
{
	json_t	   *types = json_pack("[ss]", "feature", "bug");

	for (int i = 0; i < vsm_route_count; i++)
	{
		const Segment id = {"1", 1};
		Values		values = {0};
		json_t	   *body;

		if (!vsm_route_has(&vsm_routes[i], IN_BODY))
			continue;
		if (!vsm_values_bad_body(&values, bytes, size, &body))
			vsm_values_read(&values, &vsm_routes[i], &id, "", body);
		keeps_objects(&values, &vsm_routes[i], bytes, size);
		vsm_values_check_type(&values, types);
		if (values.errors != NULL)
		{
			char	   *text = json_dumps(values.errors, JSON_COMPACT);

			promise(text != NULL && json_array_size(values.errors) > 0);
			free(text);
		}
		json_decref(body);
		vsm_values_free(&values);
	}
	json_decref(types);
}

/* The text of an object is that of the member which jansson has read. */
static void
keeps_objects(const Values *values, const Route *route, const char *bytes, size_t size)
{
	for (int n = 0; route->params[n].name != NULL; n++)
	{
		json_t	   *body;
		json_t	   *object;

		if (route->params[n].where != IN_BODY || route->params[n].kind != KIND_OBJECT || values->text[n] == NULL)
			continue;
		body = json_loadb(bytes, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
		object = json_loads(values->text[n], JSON_DECODE_INT_AS_REAL, NULL);
		promise(object != NULL && json_equal(object, json_object_get(body, route->params[n].name)));
		json_decref(object);
		json_decref(body);
	}
}

/* However it is read, it is the same CSV, of five columns, with the lines of the objects. */
static void
fuzz_ndjson(const char *bytes, size_t size)
{
	Text		whole = {0};
	Text		parts = {0};
	bool		good = read_ndjson(bytes, size, 64 * 1024, &whole);

	promise(good == read_ndjson(bytes, size, 3, &parts));
	if (good)
	{
		CsvReader  *csv = vsm_csv_new(CSV_DELIMITED, ',');

		promise(whole.length == parts.length && memcmp(whole.data, parts.data, whole.length) == 0);
		promise(vsm_utf8_valid(whole.data, whole.length) && memchr(whole.data, '\0', whole.length) == NULL);
		vsm_csv_push(csv, whole.data, whole.length);
		vsm_csv_finish(csv);
		while (vsm_csv_next(csv) == CSV_RECORD)
			promise(vsm_csv_fields(csv) == 5);
		vsm_csv_free(csv);
	}
	vsm_text_free(&whole);
	vsm_text_free(&parts);
}

/* The first byte is the delimiter (NUL: found), the second says how the input is cut. */
static void
fuzz_csv(const char *bytes, size_t size)
{
	Text		whole = {0};
	Text		parts = {0};
	bool		good;

	if (size < 2 || strchr("\"\r\n", bytes[0] == '\0' ? ',' : bytes[0]) != NULL || (bytes[0] & 0x80) != 0)
		return;
	good = read_csv(bytes + 2, size - 2, bytes[0], 0, &whole);
	promise(good == read_csv(bytes + 2, size - 2, bytes[0], (unsigned char) bytes[1] + 1, &parts));
	promise(whole.length == parts.length && (whole.length == 0 || memcmp(whole.data, parts.data, whole.length) == 0));
	promise(vsm_utf8_valid(whole.length == 0 ? "" : whole.data, whole.length));
	vsm_text_free(&whole);
	vsm_text_free(&parts);
	round_trip(bytes + 2, size - 2, bytes[0] == '\0' ? ',' : bytes[0]);
}

/* Records of two fields, which the bytes FIELD_END in the text end, are the same when they were written as CSV and read. */
static void
round_trip(const char *bytes, size_t size, char delimiter)
{
	static const char *const line_ends[] = {"\n", "\r\n", "\r"};
	Text		given = {0};
	Text		file = {0};
	Text		read = {0};
	size_t		length;
	char	   *text = vsm_utf8_repaired(bytes, size, &length);
	char	   *rest = text;
	char	   *field;

	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = '"';
	for (int n = 0; (field = strsep(&rest, FIELD_END)) != NULL || n % 2 != 0; n++)
	{
		vsm_text_addf(&given, "%s" FIELD_END, field == NULL ? "" : field);
		write_field(&file, field == NULL ? "" : field);
		if (n % 2 == 0)
			vsm_text_addc(&file, delimiter);
		else
			vsm_text_adds(&file, line_ends[n / 2 % 3]);
	}
	promise(read_csv(file.data, file.length, delimiter, 0, &read));
	promise(read.length == given.length && memcmp(read.data, given.data, given.length) == 0);
	vsm_text_free(&given);
	vsm_text_free(&file);
	vsm_text_free(&read);
	free(text);
}

/* Byte by byte, or all at once: the same requests and the same refusal. */
static void
fuzz_framing(const char *bytes, size_t size)
{
	char	   *whole = vsm_copy_n(bytes, size);
	char	   *parts = vsm_copy_n(bytes, size);
	Framing		once = {0};
	Framing		often = {0};
	size_t		passed = vsm_framing_check(&once, whole, size, 4096);

	for (size_t i = 0; i < size && often.refusal == NULL; i++)
		promise(vsm_framing_check(&often, parts + i, 1, 4096) == (often.refusal == NULL));
	promise(once.refusal == often.refusal && once.started == often.started && once.phase == often.phase);
	promise(passed == size || once.refusal != NULL);
	free(whole);
	free(parts);
}

static bool
read_ndjson(const char *bytes, size_t size, size_t part, Text *csv)
{
	VsmMemory	memory = {bytes, size, 0};
	VsmSource	source = vsm_memory_source(&memory);
	Ndjson	   *ndjson = vsm_ndjson_new(&source);
	VsmSource	made = vsm_ndjson_csv(ndjson);
	char	   *buffer = vsm_alloc(part);
	long		n;

	while ((n = made.read(made.state, buffer, part)) > 0)
		vsm_text_add(csv, buffer, (size_t) n);
	promise((n < 0) == (vsm_ndjson_error(ndjson) != NULL));
	vsm_ndjson_free(ndjson);
	free(buffer);
	return n == 0;
}

/* Adds every field, null or not, with FIELD_END behind it. */
static bool
read_csv(const char *bytes, size_t size, char delimiter, unsigned int cuts, Text *fields)
{
	CsvReader  *csv = vsm_csv_new(CSV_DELIMITED, delimiter);
	CsvResult	result = CSV_WANTS_MORE;
	long		line = 0;

	for (size_t i = 0, part; result == CSV_WANTS_MORE; i += part)
	{
		part = size - i;
		if (cuts > 0 && part > 0)
		{
			cuts = cuts * 1103515245 + 12345;
			part = cuts >> 16 & 7;
			part = part > size - i ? size - i : part;
		}
		vsm_csv_push(csv, bytes + i, part);
		if (i + part == size)
			vsm_csv_finish(csv);
		while ((result = vsm_csv_next(csv)) == CSV_RECORD)
		{
			promise(vsm_csv_line(csv) > line);
			line = vsm_csv_line(csv);
			for (int field = 0; field < vsm_csv_fields(csv); field++)
			{
				if (vsm_csv_field(csv, field) != NULL)
					vsm_text_adds(fields, vsm_csv_field(csv, field));
				vsm_text_adds(fields, FIELD_END);
			}
		}
	}
	promise((result == CSV_ERROR) == (vsm_csv_error(csv)[0] != '\0'));
	vsm_csv_free(csv);
	return result == CSV_END;
}

static void
write_field(Text *written, const char *value)
{
	vsm_text_addc(written, '"');
	for (; *value != '\0'; value++)
	{
		if (*value == '"')
			vsm_text_addc(written, '"');
		vsm_text_addc(written, *value);
	}
	vsm_text_addc(written, '"');
}
