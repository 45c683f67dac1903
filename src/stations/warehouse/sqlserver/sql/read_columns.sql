SELECT [table_name], [column_name], [type], [merge]
FROM [millrace].[summary_column]
ORDER BY [table_name], [position];
