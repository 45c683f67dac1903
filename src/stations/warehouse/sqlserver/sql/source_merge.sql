-- The new parts, and the summary rows that they meet.
SELECT {columns} FROM {incoming}
UNION ALL
SELECT {stored_columns}
FROM {table} AS [stored]
WHERE EXISTS (SELECT 1 FROM {incoming} AS [touched] WHERE {stored_matches})
