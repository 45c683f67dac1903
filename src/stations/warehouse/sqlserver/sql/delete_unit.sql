DELETE FROM [millrace].[unit] WHERE [unit_id] = @P1;
