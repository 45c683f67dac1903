SELECT CASE WHEN EXISTS (
  SELECT 1 FROM [millrace].[unit] AS [unit]
  WHERE [unit].[kind] = @P1
    AND EXISTS (SELECT 1 FROM {part} AS [stored] WHERE [stored].[millrace_unit_id] = [unit].[unit_id])
) THEN 1 ELSE 0 END;
