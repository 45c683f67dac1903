SELECT CASE WHEN EXISTS (
  SELECT 1 FROM [millrace].[stream_quarantine] WHERE [feed] = @P1 AND [name_order] = @P2
) THEN 1 ELSE 0 END;
