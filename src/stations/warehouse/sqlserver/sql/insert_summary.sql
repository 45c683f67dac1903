INSERT INTO {target} ({columns})
SELECT {merged_columns}
FROM {merged} AS [merged]
WHERE NOT EXISTS (SELECT 1 FROM {target} AS [stored] WHERE {merged_matches});
