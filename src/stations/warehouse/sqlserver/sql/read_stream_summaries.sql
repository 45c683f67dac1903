SELECT [summary_id], [table_name], [since], [until], [generation]
FROM [millrace].[stream_summary]
WHERE [unit_id] = @P1
ORDER BY [since], [table_name], [summary_id];
