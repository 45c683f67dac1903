-- Keys whose row is not the merge of its parts: different, missing, or without any part. Both sides are read in the order
-- of the keys, which is the order of their primary keys: nothing is sorted and nothing is held.
WITH "should" ({columns}{magnitude_names}) AS (
  SELECT {merged_columns}{magnitudes}
  FROM main.{part}
  GROUP BY {keys}
)
SELECT {should_keys}, "has".{first_key} IS NOT NULL AS "millrace_has", {has_measures}
       1 AS "millrace_should"{should_measures}
FROM "should"
LEFT JOIN main.{table} AS "has" ON {has_matches}
WHERE "has".{first_key} IS NULL{differs}
UNION ALL
SELECT {has_keys}, 1, {has_measures}
       0{no_measures}
FROM main.{table} AS "has"
WHERE NOT EXISTS (SELECT 1 FROM main.{part} AS "should" WHERE {has_matches})
