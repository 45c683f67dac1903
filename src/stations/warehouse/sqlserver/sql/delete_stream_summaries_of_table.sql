DELETE FROM [millrace].[stream_summary] WHERE [table_name] = @P1;
