DELETE FROM [millrace].[summary_column] WHERE [table_name] = @P1;
