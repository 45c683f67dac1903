-- A retracted unit counts nothing in any generation, and a stream is not replayed.
SELECT CASE WHEN EXISTS (
  SELECT 1 FROM [millrace].[unit]
  WHERE [feed] = @P1 AND [generation] < @P2 AND [kind] = N'file' AND [retracted_at] IS NULL
) THEN 1 ELSE 0 END;
