DELETE FROM {part}
WHERE [millrace_unit_id] NOT IN (SELECT [unit_id] FROM [millrace].[unit] WHERE [retracted_at] IS NULL);
