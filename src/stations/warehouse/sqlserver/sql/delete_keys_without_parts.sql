DELETE [stored]
FROM {table} AS [stored]
INNER JOIN {touched} AS [touched] ON {stored_matches}
WHERE NOT EXISTS (SELECT 1 FROM {part} AS [part] WHERE {part_matches});
