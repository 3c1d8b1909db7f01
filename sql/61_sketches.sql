-- 61_sketches: what tells the two types of sketches apart

COMMENT ON TYPE vsm.sketch IS
    'A distribution of float8 values: percentiles within a relative error, mergeable and subtractable '
    '(DDSketch, VLDB 2019).';
COMMENT ON TYPE vsm.interval_sketch IS
    'A distribution of intervals: as vsm.sketch, but its percentiles are intervals; a day is 24 hours, a '
    'month 30 days.';

-- The bytes are the same: an interval_sketch is a sketch of seconds.
CREATE CAST (vsm.interval_sketch AS vsm.sketch) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (vsm.sketch AS vsm.interval_sketch) WITHOUT FUNCTION;
