-- All parts that streams counted.
SELECT {stored_columns}
FROM {part} AS [stored]
INNER JOIN [millrace].[unit] AS [unit] ON [unit].[unit_id] = [stored].[millrace_unit_id]
WHERE [unit].[kind] = N'stream'
