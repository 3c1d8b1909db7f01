-- The rank of a confidence is rounded up: of 10 trials, 81 to 90 % all want the ninth best, and 91 % the last one.
CREATE EXTENSION vsm;

CREATE TEMP TABLE answers AS
SELECT level, days, items, (level + 9) / 10 AS rank
FROM vsm._forecast_days('{0,0,0,1,2,3,5,8}', 60, ARRAY(SELECT generate_series(1, 100)), 10, 7) WITH ORDINALITY AS f (all_days, n),
     unnest(f.all_days, vsm._forecast_items('{0,0,0,1,2,3,5,8}', 60, ARRAY(SELECT generate_series(1, 100)), 10, 7))
         WITH ORDINALITY AS a (days, items, level);

-- one answer for each rank, and not the same for all
SELECT rank, count(DISTINCT days) AS days, count(DISTINCT items) AS items FROM answers GROUP BY rank ORDER BY rank;
SELECT count(DISTINCT days) > 3 AS days_differ, count(DISTINCT items) > 3 AS items_differ FROM answers;

-- a higher confidence never promises more
SELECT count(*) AS promising_more
FROM (SELECT days < lag(days) OVER w OR items > lag(items) OVER w AS more FROM answers WINDOW w AS (ORDER BY level)) a WHERE more;

-- 3 trials: the median is the second
SELECT vsm._forecast_items('{0,1,9}', 5, '{34}', 3, 1) = vsm._forecast_items('{0,1,9}', 5, '{50}', 3, 1) AS second,
       vsm._forecast_items('{0,1,9}', 5, '{50}', 3, 1) = vsm._forecast_items('{0,1,9}', 5, '{66}', 3, 1) AS second_too;
