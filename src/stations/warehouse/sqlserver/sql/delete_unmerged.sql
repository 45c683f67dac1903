DELETE [stored]
FROM {table} AS [stored]
WHERE NOT EXISTS (SELECT 1 FROM {merged} AS [merged] WHERE {merged_matches});
