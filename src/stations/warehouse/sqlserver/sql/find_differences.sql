-- Keys whose row is not the merge of its parts: different, missing, or without any part.
SELECT {either_keys},
       CASE WHEN [has].{first_key} IS NULL THEN 0 ELSE 1 END{has_measures},
       CASE WHEN [should].{first_key} IS NULL THEN 0 ELSE 1 END{should_measures}{overflowed}
FROM {table} AS [has]
FULL OUTER JOIN {merged} AS [should] ON {has_matches}
WHERE [has].{first_key} IS NULL OR [should].{first_key} IS NULL{differs}
ORDER BY {either_keys};
