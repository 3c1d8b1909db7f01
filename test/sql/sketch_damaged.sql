-- A sketch whose bytes were damaged in its table is refused, or tells nonsense; the server lives on.
\set SHOW_CONTEXT never
CREATE EXTENSION vsm;
SET client_min_messages = warning;
SET search_path = public, vsm;
-- Bytes as they are: a type that is laid out as vsm.sketch, and that a superuser may take for one.
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended);
CREATE CAST (raw AS vsm.sketch) WITHOUT FUNCTION;
CREATE CAST (vsm.sketch AS raw) WITHOUT FUNCTION;
CREATE FUNCTION bytes_of(s vsm.sketch) RETURNS bytea LANGUAGE sql RETURN s::raw::text::bytea;
CREATE FUNCTION sketch_of(b bytea) RETURNS vsm.sketch LANGUAGE sql RETURN b::text::raw::vsm.sketch;
SELECT sketch_of(bytes_of(s)) = s AS same FROM (SELECT vsm.percentile_agg(x) FROM generate_series(-10, 10) x) t (s);

-- Too short, too long, of another version
SELECT vsm.num_vals(sketch_of(''));
SELECT vsm.num_vals(sketch_of('\x01'));
SELECT vsm.num_vals(sketch_of(bytes_of(s) || '\x00')) FROM (SELECT vsm.percentile_agg(1.0)) t (s);
SELECT vsm.num_vals(sketch_of(set_byte(bytes_of(s), 0, 2))) FROM (SELECT vsm.percentile_agg(1.0)) t (s);
\echo :LAST_ERROR_SQLSTATE

-- Places in the header, after the length: version, width, 2 bytes unused; rel_error at 4, count 12, zeros 20; first bucket
-- and number of cells of the negative ones at 28 and 32, of the positive ones at 36 and 40; 44: the first cell
CREATE FUNCTION with_int32(b bytea, place integer, value bigint) RETURNS bytea LANGUAGE sql
    RETURN set_byte(set_byte(set_byte(set_byte(b, place, (value & 255)::integer), place + 1, (value >> 8 & 255)::integer),
                             place + 2, (value >> 16 & 255)::integer), place + 3, (value >> 24 & 255)::integer);
-- Reads, merges and takes apart: what is refused, and how often it is not
CREATE FUNCTION use(b bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    errors text[] = '{}';
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        'SELECT sketch_of($1)::text', 'SELECT vsm._sketch_send(sketch_of($1))::text',
        'SELECT vsm.approx_percentiles(ARRAY[0, 0.5, 1], sketch_of($1))::text', 'SELECT vsm.approx_percentile_rank(3, sketch_of($1))::text',
        'SELECT (vsm.sum(sketch_of($1)), vsm.min_val(sketch_of($1)), vsm.max_val(sketch_of($1)))::text',
        'SELECT count(*)::text FROM vsm.histogram(sketch_of($1))', 'SELECT (sketch_of($1) = sketch_of($1) OR sketch_of($1) <> $2)::text',
        'SELECT ($2 + sketch_of($1))::text', 'SELECT (sketch_of($1) + $2)::text', 'SELECT ($2 - sketch_of($1))::text', 'SELECT (sketch_of($1) - $2)::text',
        'SELECT vsm.rollup(s)::text FROM (VALUES (sketch_of($1)), ($2)) t (s)', 'SELECT vsm.rollup(s)::text FROM (VALUES ($2), (sketch_of($1))) t (s)',
        'SELECT count(*)::text FROM (SELECT DISTINCT s FROM (VALUES ($2), (sketch_of($1)), (sketch_of($1))) t (s)) u',
        'SELECT max(vsm.num_vals(r))::text FROM (SELECT vsm.rollup(s) OVER (ROWS 1 PRECEDING) FROM (VALUES (sketch_of($1)), ($2), (sketch_of($1))) t (s)) u (r)']
    LOOP
        BEGIN
            EXECUTE statement USING b, (SELECT vsm.percentile_agg(x) FROM generate_series(-3, 5) x);
            errors := errors || ''::text;
        EXCEPTION WHEN OTHERS THEN
            errors := errors || (sqlstate || ' ' || sqlerrm);
        END;
    END LOOP;
    RETURN (SELECT string_agg(DISTINCT nullif(e, ''), ', ' ORDER BY nullif(e, '')) FROM unnest(errors) e);
END $$;
CREATE TABLE damages AS
    SELECT name, damaged, use(damaged) AS refused
    FROM (SELECT bytes_of(vsm.percentile_agg(x)) FROM unnest('{-2, -1, 0, 1, 2}'::float8[]) x) t (b),
         LATERAL (VALUES ('no damage', b),
                         ('width 4', set_byte(b, 1, 4)),
                         ('unused byte in use', set_byte(b, 2, 1)),
                         ('rel_error 0', with_int32(with_int32(b, 4, 0), 8, 0)),
                         ('rel_error NaN', with_int32(b, 8, 2146959360)),
                         ('rel_error other', with_int32(b, 8, 1067450368)),
                         ('first bucket below 0', with_int32(b, 36, -5)),
                         ('first bucket behind the last', with_int32(b, 36, 100000)),
                         ('first bucket at the end of integer', with_int32(b, 36, 2147483647)),
                         ('negative ones too, at the end of integer', with_int32(b, 28, 2147483647)),
                         ('fewer than no cells', with_int32(with_int32(b, 32, -5), 40, length(b) - 44 + 5)),
                         ('far fewer than no cells', with_int32(with_int32(b, 32, -2000000000), 40, length(b) - 44 + 2000000000)),
                         ('as many too many on the other side', with_int32(with_int32(b, 32, 2000000000), 40, length(b) - 44 - 2000000000))) v (name, damaged);
SELECT name, refused FROM damages ORDER BY name COLLATE "C";
-- Counts that do not add up are only wrong answers; the number of values leads nowhere.
SELECT count(*) AS survived, count(refused) > 10 AS some_refused
FROM (SELECT bytes_of(vsm.percentile_agg(x)) FROM unnest('{-2, -1, 0, 1, 2}'::float8[]) x) t (b), unnest(ARRAY[12, 16, 20, 24, 44]) place,
     unnest(ARRAY[0, 1, 255, 65536, 2147483647, -1]) value, use(with_int32(b, place, value)) refused;
-- Every byte of the header, damaged in several ways
SELECT count(*) AS survived, count(refused) > 10 AS some_refused
FROM (SELECT bytes_of(vsm.percentile_agg(x)) FROM unnest('{-2, -1, 0, 1, 2}'::float8[]) x) t (b), generate_series(0, 44) place,
     unnest(ARRAY[0, 1, 127, 128, 255]) value, use(set_byte(b, place, value)) refused;
-- and in a table
CREATE TABLE kept (n integer, s vsm.sketch);
INSERT INTO kept VALUES (1, (SELECT vsm.percentile_agg(x, 0.2) FROM generate_series(1, 300) x));
INSERT INTO kept SELECT 2, sketch_of(with_int32(bytes_of(s), 36, 2147483647)) FROM kept;
SELECT vsm.num_vals(s) FROM kept WHERE n = 1;
SELECT vsm.num_vals(vsm.rollup(s)) FROM kept;
SELECT vsm.num_vals(vsm.rollup(s ORDER BY n DESC)) FROM kept;
\echo :LAST_ERROR_SQLSTATE
COPY kept TO STDOUT;
