-- All parts, of all units and all summaries, of the touched keys.
SELECT {stored_columns}
FROM {touched} AS [touched]
INNER JOIN {part} AS [stored] ON {stored_matches}
