-- sketches.sql: the table whose dumps, made by several versions of the server, lie here as sketches_VERSION.sql
--
--	psql -d NEW_DATABASE -f test/data/sketches.sql
--	pg_dump --table=kept --no-owner NEW_DATABASE >test/data/sketches_VERSION.sql
--
-- Values are products and quotients only, so that they are the same everywhere.

CREATE EXTENSION IF NOT EXISTS vsm;
CREATE TABLE kept (name text PRIMARY KEY, number vsm.sketch, length vsm.interval_sketch, number_wire text, length_wire text);
INSERT INTO kept
    SELECT kind || ', ' || e || ', ' || size, vsm.percentile_agg(x, e), vsm.percentile_agg(x * interval '1 s', e)
    FROM unnest('{0.0001, 0.01, 0.2}'::float8[]) e, unnest(ARRAY[1, 10, 60]) size, generate_series(1, size) n,
         LATERAL (VALUES ('spread', n * n / 7.0), ('signs', (n % 7 - 3) * n / 4.0), ('ties', n % 4), ('same', 1.5)) v (kind, x)
    GROUP BY kind, e, size;
INSERT INTO kept VALUES
    ('empty', '1 0.01', '1 0.05'), ('null', NULL, NULL),
    ('wide counts', '1 0.01 zero=9223372036854775000 positive=100:3,0,2', '1 0.01 negative=5:4294967296,1 positive=7:65536'),
    ('ends of double', (SELECT vsm.percentile_agg(x, 0.2) FROM unnest('{1.7976931348623157e308, -1.7976931348623157e308, 4.9406564584124654e-324, 0}'::float8[]) x), NULL);
UPDATE kept SET number_wire = md5(vsm._sketch_send(number)), length_wire = md5(vsm._interval_sketch_send(length));
