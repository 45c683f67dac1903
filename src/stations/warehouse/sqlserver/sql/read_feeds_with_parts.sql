SELECT DISTINCT [feed] FROM [millrace].[unit]
WHERE [unit_id] IN (SELECT [millrace_unit_id] FROM {part})
ORDER BY [feed];
